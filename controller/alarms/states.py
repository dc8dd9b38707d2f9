"""The states of one alarm after ISA-18.2, and what is remembered of each: plain values that a checkpoint can hold."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from pydantic import Field

from controller.equipment import Strict


class State(StrEnum):
    """What an alarm looks like to a person (letters: ISA-18.2, figure of the alarm states)."""

    NORMAL = "NORMAL"  # A
    UNACK = "UNACK"  # B: active, nobody has seen it
    ACK = "ACK"  # C: active, seen; an entry of journal priority is here at once
    RETURNED_UNACK = "RETURNED_UNACK"  # D: gone, nobody had seen it
    LATCHED_UNACK = "LATCHED_UNACK"  # E: the cause is gone, the latch stands, nobody has seen it
    LATCHED_ACK = "LATCHED_ACK"  # F: the cause is gone, the latch waits for its reset
    UNCONFIRMED = "UNCONFIRMED"  # gone and seen; nobody has said yet that its cause was dealt with (OPC UA part 9; A in ISA-18.2)
    SHELVED = "SHELVED"  # G: put aside by a person, for a time
    SUPPRESSED = "SUPPRESSED"  # H: by design, while another alarm explains it
    OUT_OF_SERVICE = "OUT_OF_SERVICE"  # I: until an engineer takes it back


class Priority(StrEnum):
    """How urgent a person's action is. JOURNAL is recorded and never announced."""

    JOURNAL = "JOURNAL"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"


HIDDEN: Final = frozenset({State.SHELVED, State.SUPPRESSED, State.OUT_OF_SERVICE})
UNSEEN: Final = frozenset({State.UNACK, State.RETURNED_UNACK, State.LATCHED_UNACK})


class AlarmSettings(Strict):
    """How long and how often an alarm may be shelved."""

    shelve_max_min: Annotated[int, Field(ge=1, le=480, description="longest time an alarm may be shelved, min")] = 60
    shelve_times: Annotated[int, Field(ge=1, le=20, description="how often one alarm may be shelved within shelve_window_h")] = 3
    shelve_window_h: Annotated[float, Field(ge=1, le=24, description="window in which shelves are counted: a shift, h")] = 8.0


class Alarm(NamedTuple):
    """What is remembered of one row. Times are process time, s."""

    rule: str
    active: bool = False  # the row is active, or was until its off-delay is over
    standing: bool = False  # its cause stands now; active without it: latched
    unacknowledged: bool = False
    first_out: bool = False
    raised_s: float | None = None
    clears_at_s: float | None = None  # end of the off-delay
    shelved_until_s: float | None = None
    shelved_at_s: tuple[float, ...] = ()  # within the counting window
    out_of_service: bool = False
    suppressed_by: str = ""
    user: str = ""  # who shelved it or took it out of service
    reason: str = ""
    unconfirmed: bool = False  # nobody has said yet that its cause was dealt with; only of rows that are to be confirmed


class AlarmMemory(NamedTuple):
    """All alarms that are not plainly normal, by rule, and when the next timer ends."""

    rows: tuple[Alarm, ...] = ()
    due_s: float | None = None


class Event(NamedTuple):
    """One change of an alarm's state, as the journal gets it."""

    rule: str
    event: str
    state: State
    user: str = ""
    reason: str = ""
    by: str = ""  # the alarm that suppresses it
    until_s: float | None = None  # end of a shelf, process time


# event -> what it says
EVENTS: Final[dict[str, str]] = {
    "raise": "it became active",
    "return": "the cause is gone, the latch stays",
    "recur": "the cause is back while the latch stood",
    "clear": "it is no longer active",
    "ack": "a person has seen it",
    "confirm": "a person has found its cause and dealt with it",
    "shelve": "put aside for a time",
    "unshelve": "taken back, by a person or because the time is over",
    "suppress": "hidden by design while another alarm explains it",
    "unsuppress": "that other alarm is over",
    "out_of_service": "taken out of service",
    "in_service": "back in service",
}


def state_of(alarm: Alarm) -> State:
    """Return the state that people see."""
    if alarm.out_of_service:
        return State.OUT_OF_SERVICE
    if alarm.shelved_until_s is not None:
        return State.SHELVED
    if alarm.suppressed_by:
        return State.SUPPRESSED
    if not alarm.active:
        return State.RETURNED_UNACK if alarm.unacknowledged else State.UNCONFIRMED if alarm.unconfirmed else State.NORMAL
    if alarm.standing or alarm.clears_at_s is not None:
        return State.UNACK if alarm.unacknowledged else State.ACK
    return State.LATCHED_UNACK if alarm.unacknowledged else State.LATCHED_ACK


def find(memory: AlarmMemory, rule: str) -> Alarm:
    """Return what is remembered of ``rule``."""
    return next((alarm for alarm in memory.rows if alarm.rule == rule), Alarm(rule))


def of_rows(rows: Iterable[Alarm]) -> AlarmMemory:
    """Return a memory of ``rows``: those that are not plainly normal, in order, with the time of the next timer."""
    kept = sorted((alarm for alarm in rows if alarm != Alarm(alarm.rule)), key=lambda alarm: alarm.rule)
    ends_s = [end_s for alarm in kept for end_s in (alarm.clears_at_s, alarm.shelved_until_s) if end_s is not None]
    return AlarmMemory(tuple(kept), min(ends_s, default=None))


def put(memory: AlarmMemory, alarm: Alarm) -> AlarmMemory:
    """Return the memory with ``alarm`` in the place of what was remembered of its rule."""
    return of_rows([*(one for one in memory.rows if one.rule != alarm.rule), alarm])
