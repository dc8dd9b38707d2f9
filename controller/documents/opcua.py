"""The document of the OPC UA server; its stack is loaded only when the document is made."""


def opcua_server() -> str:
    """Return ``deploy/OPCUA.md``."""
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from controller.northbound.library import Library
    from controller.northbound.opcua import batch, files, jobs, printing, recipes
    from controller.northbound.opcua.joborders import JobOrders
    from controller.oven_port import JournalOven

    nowhere = Path("not-opened")  # methods are described, never called
    library = Library(nowhere, Ed25519PrivateKey.generate(), lambda sourced: ("", ""))
    oven = JournalOven(nowhere, nowhere)
    asking = batch.Asking(oven, 1.0)

    async def nothing() -> None:
        return None

    orders = jobs.Jobs(JobOrders(nowhere), asking, library, oven, nothing)
    kept = files.Files(library, lambda *_: None)
    return printing.document((*batch.table(asking, library), *recipes.table(library, asking), *files.table(kept), *orders.table()))
