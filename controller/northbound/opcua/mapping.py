"""One table from the unit's states to those of PackML and of ISA-95 job orders, and the numbers of the standards' nodes."""

from typing import Final, NamedTuple

from controller.recipe.states import UnitState

CLEARED: Final = "Cleared"
RUNNING: Final = "Running"


class Mapped(NamedTuple):
    """How one state of the unit looks from outside.

    ``base``, ``machine`` and ``execute`` are the states of PackML's three nested machines, "" where the inner one is not active; ``job``
    is the state of the job order whose batch it is, "" without a batch.
    """

    base: str
    machine: str
    execute: str
    job: str


MAPPING: Final[dict[UnitState, Mapped]] = {
    UnitState.IDLE: Mapped(CLEARED, RUNNING, "Idle", ""),
    UnitState.RUNNING: Mapped(CLEARED, RUNNING, "Execute", "Running"),
    UnitState.HOLDING: Mapped(CLEARED, RUNNING, "Holding", "Interrupted"),
    UnitState.HELD: Mapped(CLEARED, RUNNING, "Held", "Interrupted"),
    UnitState.RESTARTING: Mapped(CLEARED, RUNNING, "Unholding", "Interrupted"),
    UnitState.STOPPING: Mapped(CLEARED, "Stopping", "", "Running"),
    UnitState.STOPPED: Mapped(CLEARED, "Stopped", "", "Ended"),
    UnitState.ABORTING: Mapped("Aborting", "", "", "Aborted"),
    UnitState.ABORTED: Mapped("Aborted", "", "", "Aborted"),
    UnitState.COMPLETE: Mapped(CLEARED, RUNNING, "Complete", "Ended"),
}
PACKML_NODES: Final = {  # state -> identifier in PackML's namespace
    "Cleared": 71, "Aborting": 61, "Aborted": 62, "Stopped": 53, "Stopping": 54, "Running": 75,
    "Idle": 28, "Execute": 36, "Holding": 33, "Held": 34, "Unholding": 35, "Complete": 38,
}  # fmt: skip
JOB_STATES: Final = {"NotAllowedToStart": 1, "AllowedToStart": 2, "Running": 3, "Interrupted": 4, "Ended": 5, "Aborted": 6}
FINAL_JOBS: Final = frozenset({"Ended", "Aborted"})
