"""Who may see and do what: one row per part of the address space and one per method; everything else is refused."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from controller.roles import Role

ROOT: Final = "Oven"


class Part(NamedTuple):
    """A part of the address space below ``Oven``: the lowest role that may browse, read, subscribe to and read the history of it."""

    name: str
    role: Role
    text: str


PARTS: Final = (
    Part("Identification", Role.VIEWER, "maker, model, software, who this oven is"),
    Part("Process", Role.VIEWER, "every signal of the oven with range, unit and quality"),
    Part("Unit", Role.VIEWER, "what the unit does: state, phase, segment, set points, what it waits for"),
    Part("Estimate", Role.VIEWER, "what is believed of the product, and the forecast"),
    Part("Batch", Role.VIEWER, "methods that ask the core; who may call them stands below"),
    Part("Alarms", Role.VIEWER, "conditions, one per interlock row, and methods"),
    Part("History", Role.VIEWER, "how far the history goes back"),
    Part("MachineryIdentification", Role.VIEWER, "OPC UA for Machinery: the oven in the folder Machines"),
    Part("PackML", Role.VIEWER, "state of the unit as PackML shows it; only a view"),
    Part("Jobs", Role.VIEWER, "ISA-95 job order receiver over the same commands as Batch"),
    Part("JobResponses", Role.VIEWER, "ISA-95 job response provider"),
    Part("Recipes", Role.OPERATOR, "the recipe library"),
    Part("Security", Role.ADMIN, "sessions, refused connections and denials since the start"),
)
_ROLE_OF: Final[Mapping[str, Role]] = {part.name: part.role for part in PARTS}

FILE_METHODS: Final = ("Open", "Close", "Read", "Write", "GetPosition", "SetPosition")  # of Part 20's FileType
TRANSFER_METHODS: Final = ("GenerateFileForRead", "GenerateFileForWrite", "CloseAndCommit")  # of its TemporaryFileTransferType
_FILES: Final = (("UploadFile", Role.ENGINEER), ("ReceiptFile", Role.ENGINEER), ("DownloadFile", Role.OPERATOR))

METHOD_ROLES: Final[Mapping[str, Role]] = {
    "Recipes.Upload": Role.ENGINEER,
    "Recipes.Download": Role.OPERATOR,
    "Recipes.List": Role.OPERATOR,
    "Recipes.Remove": Role.ENGINEER,
    "Recipes.Submit": Role.ENGINEER,
    "Recipes.Approve": Role.ENGINEER,
    "Recipes.Retire": Role.ENGINEER,
    **{f"Recipes.{file}.{method}": role for file, role in _FILES for method in FILE_METHODS},
    "Recipes.Transfer.GenerateFileForRead": Role.OPERATOR,
    "Recipes.Transfer.GenerateFileForWrite": Role.ENGINEER,
    "Recipes.Transfer.CloseAndCommit": Role.ENGINEER,
    "Batch.Start": Role.OPERATOR,
    "Batch.Hold": Role.OPERATOR,
    "Batch.Restart": Role.OPERATOR,
    "Batch.Stop": Role.OPERATOR,
    "Batch.Abort": Role.OPERATOR,
    "Batch.Reset": Role.OPERATOR,
    "Batch.Skip": Role.OPERATOR,
    "Batch.EnterLabResult": Role.OPERATOR,
    "Alarms.Acknowledge": Role.OPERATOR,
    "Alarms.Confirm": Role.OPERATOR,
    "Alarms.Shelve": Role.OPERATOR,
    "Alarms.Unshelve": Role.OPERATOR,
    "Jobs.Store": Role.OPERATOR,
    "Jobs.StoreAndStart": Role.OPERATOR,
    "Jobs.Start": Role.OPERATOR,
    "Jobs.RevokeStart": Role.OPERATOR,
    "Jobs.Update": Role.OPERATOR,
    "Jobs.Pause": Role.OPERATOR,
    "Jobs.Resume": Role.OPERATOR,
    "Jobs.Stop": Role.OPERATOR,
    "Jobs.Abort": Role.OPERATOR,
    "Jobs.Cancel": Role.OPERATOR,
    "Jobs.Clear": Role.OPERATOR,
    "JobResponses.RequestJobResponseByJobOrderID": Role.VIEWER,
    "JobResponses.RequestJobResponseByJobOrderState": Role.VIEWER,
    "Condition.Acknowledge": Role.OPERATOR,
    "Condition.Confirm": Role.OPERATOR,
    "Condition.AddComment": Role.OPERATOR,
    "Condition.Enable": Role.ENGINEER,
    "Condition.Disable": Role.ENGINEER,
    "Condition.TimedShelve": Role.OPERATOR,
    "Condition.Unshelve": Role.OPERATOR,
    "Condition.OneShotShelve": Role.OPERATOR,
    "Condition.ConditionRefresh": Role.VIEWER,
    "Condition.ConditionRefresh2": Role.VIEWER,
}
AUDIT: Final = Role.ENGINEER  # lowest role whose event subscriptions get audit events
DIAGNOSTICS: Final = Role.ADMIN  # of the server: who is connected


def part_of(identifier: object) -> str | None:
    """Return the part that a node of the oven's namespace belongs to, "" for the root; None when it is no such node."""
    if not isinstance(identifier, str):
        return None
    root, _, rest = identifier.partition(".")
    return None if root != ROOT else rest.partition(".")[0]


def may_see(role: Role, identifier: object) -> bool:
    """Return whether ``role`` may see the node of the oven's namespace with this identifier; unknown ones nobody may."""
    part = part_of(identifier)
    return part == "" or (part is not None and part in _ROLE_OF and role >= _ROLE_OF[part])


def may_call(role: Role, method: str) -> bool:
    """Return whether ``role`` may call ``method``, which is named after its object; unknown ones nobody may."""
    return method in METHOD_ROLES and role >= METHOD_ROLES[method]
