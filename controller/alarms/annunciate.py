"""One step of the alarms: run when an interlock row has changed or a timer has ended, and in no other scan."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from controller.alarms.rationalisation import TO_CONFIRM, off_delay_s, priority
from controller.alarms.states import HIDDEN, Alarm, AlarmMemory, Event, Priority, of_rows, state_of
from controller.alarms.suppression import SUPPRESSED_BY, suppressor


class Rows(NamedTuple):
    """What the alarms must know of the interlock table: the order of the rows, and which of them keep a latch."""

    rank: Mapping[str, int]
    latching: frozenset[str]
    never_hidden: frozenset[str]  # rows that abort or are hard-wired


class Signal(NamedTuple):
    """What the interlocks say in this scan."""

    active: frozenset[str]
    standing: frozenset[str]  # rows whose cause stands
    first_out: str
    reset_by: str = ""  # who cleared latches in this scan


_LAST: Final = 1 << 30


def timer_ended(memory: AlarmMemory, at_s: float) -> bool:
    """Return whether a shelf or an off-delay is over; without a change of a row it is all that a scan has to look at."""
    return memory.due_s is not None and at_s >= memory.due_s


def step(memory: AlarmMemory, rows: Rows, signal: Signal, at_s: float) -> tuple[AlarmMemory, tuple[Event, ...]]:
    """Return the alarms after this scan and their events, in the order of the interlock table."""
    alarms = {alarm.rule: alarm for alarm in memory.rows}
    happened: list[tuple[str, Event]] = []
    for rule in sorted(signal.active | alarms.keys(), key=lambda one: (rows.rank.get(one, _LAST), one)):
        before = alarms.get(rule, Alarm(rule))
        alarm, events = _one(before, rows, signal, at_s)
        if events or alarm != before:
            alarms[rule] = alarm
            happened += [(rule, event) for event in events]
    for rule, event in _suppress(alarms, rows, signal):
        happened.append((rule, event))
    return of_rows(alarms.values()), tuple(event._replace(state=state_of(alarms[rule])) for rule, event in happened)


def _one(alarm: Alarm, rows: Rows, signal: Signal, at_s: float) -> tuple[Alarm, list[Event]]:
    events = []
    if alarm.shelved_until_s is not None and at_s >= alarm.shelved_until_s:
        alarm = taken_back(alarm)
        events.append(_event(alarm, "unshelve", reason="the time is over"))
    standing = alarm.rule in signal.standing
    if alarm.rule in signal.active:
        if not alarm.active:
            alarm = alarm._replace(active=True, raised_s=at_s, first_out=signal.first_out == alarm.rule, unacknowledged=_announced(alarm),
                                   unconfirmed=alarm.rule in TO_CONFIRM)  # fmt: skip
            events.append(_event(alarm, "raise"))
        elif standing != alarm.standing and alarm.rule in rows.latching:
            alarm = alarm._replace(unacknowledged=_announced(alarm)) if standing else alarm
            events.append(_event(alarm, "recur" if standing else "return"))
        return alarm._replace(standing=standing, clears_at_s=None), events
    if not alarm.active:
        return alarm, events
    delay_s = off_delay_s(alarm.rule)
    ends_s = at_s + delay_s if alarm.clears_at_s is None else alarm.clears_at_s
    if delay_s > 0 and at_s < ends_s:
        return alarm._replace(standing=False, clears_at_s=ends_s), events
    alarm, cleared = _clear(alarm, rows, signal)
    return alarm, events + cleared


def _clear(alarm: Alarm, rows: Rows, signal: Signal) -> tuple[Alarm, list[Event]]:
    """Return the alarm of a row that is no longer active: whoever reset a latch has seen it."""
    events = []
    seen = alarm.rule in rows.latching and signal.reset_by != ""
    if seen and alarm.unacknowledged and state_of(alarm) not in HIDDEN:
        events.append(_event(alarm, "ack", signal.reset_by))
    hidden = state_of(alarm) in HIDDEN
    alarm = alarm._replace(
        active=False, standing=False, clears_at_s=None, raised_s=None, first_out=False,
        unacknowledged=alarm.unacknowledged and not seen and not hidden,
    )  # fmt: skip
    return alarm, [*events, _event(alarm, "clear", signal.reset_by if seen else "")]


def _suppress(alarms: dict[str, Alarm], rows: Rows, signal: Signal) -> list[tuple[str, Event]]:
    """Hide and show by the table of suppression; changes ``alarms``."""
    aside = {rule for rule, alarm in alarms.items() if alarm.out_of_service or alarm.shelved_until_s is not None}
    announced = (signal.standing & signal.active) - aside
    happened = []
    for rule in [rule for rule in SUPPRESSED_BY if rule in alarms]:
        alarm = alarms[rule]
        able = alarm.active and not alarm.first_out and rule not in rows.never_hidden
        by = suppressor(rule, announced) if able else ""
        if bool(by) != bool(alarm.suppressed_by):
            happened.append((rule, _event(alarm, "suppress" if by else "unsuppress", by=by or alarm.suppressed_by)))
        alarms[rule] = alarm._replace(suppressed_by=by)
    return happened


def taken_back(alarm: Alarm) -> Alarm:
    """Return the alarm without its shelf; one that is active is announced again."""
    return alarm._replace(shelved_until_s=None, user="", reason="", unacknowledged=alarm.active and _announced(alarm))


def _announced(alarm: Alarm) -> bool:
    return priority(alarm.rule) is not Priority.JOURNAL


def _event(alarm: Alarm, event: str, user: str = "", reason: str = "", by: str = "") -> Event:
    return Event(alarm.rule, event, state_of(alarm), user, reason, by)
