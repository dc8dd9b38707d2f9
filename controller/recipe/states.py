"""The unit's states after ISA-88, as a table; nothing changes state but through it."""

from enum import IntEnum, StrEnum
from typing import Final


class UnitState(IntEnum):
    """What the unit is doing. Aborted, stopped and complete never look alike."""

    IDLE = 0
    RUNNING = 1
    HOLDING = 2
    HELD = 3
    RESTARTING = 4
    STOPPING = 5
    STOPPED = 6
    ABORTING = 7
    ABORTED = 8
    COMPLETE = 9


class Verb(StrEnum):
    """What a person may ask for."""

    START = "START"
    HOLD = "HOLD"
    RESTART = "RESTART"
    STOP = "STOP"
    ABORT = "ABORT"
    RESET = "RESET"
    ACKNOWLEDGE = "ACKNOWLEDGE"
    SKIP = "SKIP"
    BACK = "BACK"
    EDIT = "EDIT"
    SETPOINT = "SETPOINT"
    CONFIRM = "CONFIRM"
    PROOF_TEST = "PROOF_TEST"
    AUTOTUNE = "AUTOTUNE"
    BYPASS = "BYPASS"
    UNBYPASS = "UNBYPASS"
    PROOF_RECORD = "PROOF_RECORD"
    CONFIRM_ALARM = "CONFIRM_ALARM"
    SHELVE = "SHELVE"
    UNSHELVE = "UNSHELVE"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"
    IN_SERVICE = "IN_SERVICE"
    LAB_RESULT = "LAB_RESULT"
    COMMENT = "COMMENT"
    RETIRE = "RETIRE"


class Trigger(StrEnum):
    """What moves the unit: a person's verb, or something that happened."""

    START = "START"
    HOLD = "HOLD"
    RESTART = "RESTART"
    STOP = "STOP"
    ABORT = "ABORT"
    RESET = "RESET"
    DONE = "DONE"  # the state's own work is finished
    POWER = "POWER"  # the core came back


S, T = UnitState, Trigger
_ACTIVE: Final = (S.RUNNING, S.HOLDING, S.HELD, S.RESTARTING)

TABLE: Final[dict[tuple[UnitState, Trigger], UnitState]] = {
    (S.IDLE, T.START): S.RUNNING,
    (S.RUNNING, T.DONE): S.COMPLETE,
    (S.RUNNING, T.HOLD): S.HOLDING,
    (S.RESTARTING, T.HOLD): S.HOLDING,
    (S.HOLDING, T.DONE): S.HELD,
    (S.HELD, T.RESTART): S.RESTARTING,
    (S.RESTARTING, T.DONE): S.RUNNING,
    **{(state, T.STOP): S.STOPPING for state in _ACTIVE},
    (S.STOPPING, T.DONE): S.STOPPED,
    **{(state, T.ABORT): S.ABORTING for state in (*_ACTIVE, S.STOPPING)},
    (S.ABORTING, T.DONE): S.ABORTED,
    **{(state, T.RESET): S.IDLE for state in (S.COMPLETE, S.STOPPED, S.ABORTED)},
    **{(state, T.POWER): S.HELD for state in _ACTIVE},
}
PRECEDENCE: Final = (Verb.ABORT, Verb.STOP, Verb.HOLD)  # then everything else, in the order it came
MOVING: Final = frozenset({Verb.START, Verb.HOLD, Verb.RESTART, Verb.STOP, Verb.ABORT, Verb.RESET})  # verbs that are triggers too
WITH_BATCH: Final = frozenset(S) - {S.IDLE}
FINAL: Final = frozenset({S.STOPPED, S.ABORTED, S.COMPLETE})


def allowed(state: UnitState) -> tuple[str, ...]:
    """Return the verbs that ``state`` takes."""
    return tuple(verb for verb in Verb if verb is Verb.ACKNOWLEDGE or (verb in MOVING and (state, Trigger(verb.value)) in TABLE))
