"""The document of the OPC UA server; its stack is loaded only when the document is made."""


def opcua_server() -> str:
    """Return ``deploy/OPCUA.md``."""
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from controller.northbound.library import Library
    from controller.northbound.opcua import batch, files, printing, recipes
    from controller.oven_port import JournalOven

    nowhere = Path("not-opened")  # methods are described, never called
    library = Library(nowhere, Ed25519PrivateKey.generate(), lambda sourced: ("", ""))
    asking = batch.Asking(JournalOven(nowhere, nowhere), 1.0)
    return printing.document((*batch.table(asking, library), *recipes.table(library), *files.table(files.Files(library, lambda *_: None))))
