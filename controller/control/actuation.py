"""Every actuation has an intent and an outcome (D4): what was asked of an actuator, and whether its own feedback followed."""

from collections.abc import Callable
from operator import attrgetter
from typing import Final, NamedTuple

from controller.image import Inputs, Outputs

GIVE_UP_S: Final = 15.0  # longer than the slowest actuator takes; contradicting valves are an alarm of their own (C1)
SUPERSEDED: Final = "asked otherwise before it had followed"

# output -> its feedback in the inputs; None where the signal cannot be used
FEEDBACK: Final[dict[str, Callable[[Inputs], bool | None]]] = {
    "heat_enable": lambda i: i.main_contactor.value,
    "pump": lambda i: i.pump_run.value,
    "roots": lambda i: i.roots_run.value,
    "vac_valve": lambda i: _valve(i.vac_valve_open.value, i.vac_valve_closed.value),
    "n2_valve": lambda i: _valve(i.n2_valve_open.value, i.n2_valve_closed.value),
    "vent_valve": lambda i: _valve(i.vent_valve_open.value, i.vent_valve_closed.value),
    "exhaust_valve": lambda i: _valve(i.exhaust_valve_open.value, i.exhaust_valve_closed.value),
    "exhaust_fan": lambda i: i.exhaust_run.value,
    "circulation": lambda i: i.circulation_run.value,
    "condenser": lambda i: i.condenser_run.value,
    "door_release": lambda i: None if i.door_locked.value is None else not i.door_locked.value,
}
_FIELDS: Final = tuple(FEEDBACK)
_watched: Final[Callable[[Outputs], tuple[bool, ...]]] = attrgetter(*_FIELDS)


class Pending(NamedTuple):
    """An intent whose outcome is not known yet."""

    number: int
    output: str
    wanted: bool
    age_s: float


class Actuation(NamedTuple):
    """intent: number of the last one; pending: those without an outcome."""

    intent: int = 0
    pending: tuple[Pending, ...] = ()


class Outcome(NamedTuple):
    """What became of an intent."""

    number: int
    output: str
    ok: bool
    after_s: float
    why: str


def step(
    memory: Actuation, before: Outputs, after: Outputs, inputs: Inputs
) -> tuple[Actuation, dict[str, list[bool]], tuple[Outcome, ...]]:
    """Return the memory, the changes that this scan intends (output -> [from, to]) and the outcomes that became known."""
    if not memory.pending and _watched(before) == _watched(after):
        return memory, {}, ()
    changes = {name: [getattr(before, name), getattr(after, name)] for name in _FIELDS if getattr(before, name) != getattr(after, name)}
    outcomes, pending = [], []
    for item in memory.pending:
        item = item._replace(age_s=item.age_s + inputs.dt_s)
        outcome = _outcome(item, changes, inputs)
        if outcome is None:
            pending.append(item)
        else:
            outcomes.append(outcome)
    number = memory.intent + bool(changes)
    pending += [Pending(number, name, bool(change[1]), 0.0) for name, change in changes.items()]
    return Actuation(number, tuple(pending)), changes, tuple(outcomes)


def awaits(memory: Actuation, output: str) -> bool:
    """Return whether ``output`` was switched on and its feedback has not followed yet."""
    return bool(memory.pending) and any(item.wanted and item.output == output for item in memory.pending)


def _outcome(item: Pending, changes: dict[str, list[bool]], inputs: Inputs) -> Outcome | None:
    seen = FEEDBACK[item.output](inputs)
    if seen is item.wanted:
        return Outcome(item.number, item.output, True, item.age_s, "")
    if item.output in changes:
        return Outcome(item.number, item.output, False, item.age_s, SUPERSEDED)
    if item.age_s >= GIVE_UP_S:
        return Outcome(item.number, item.output, False, item.age_s, "no feedback" if seen is None else "feedback contradicts")
    return None


def _valve(opened: bool | None, closed: bool | None) -> bool | None:
    return None if opened is None or closed is None or opened == closed else opened
