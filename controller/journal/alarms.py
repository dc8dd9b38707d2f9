"""Alarms as the journal tells them: the list of those that stand, and every time one was announced."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from controller.alarms.rationalisation import priority
from controller.alarms.states import State
from controller.alarms.statistics import Stood
from controller.journal.entry import Stored
from controller.journal.reader import JournalReader

_SHOWING: Final = frozenset({"raise", "recur", "unsuppress", "unshelve", "in_service"})  # events that may announce an alarm to people
_ORDER: Final = {State.UNACK: 0, State.LATCHED_UNACK: 1, State.RETURNED_UNACK: 2, State.ACK: 3, State.LATCHED_ACK: 4,
                 State.UNCONFIRMED: 5}  # fmt: skip


class Listed(NamedTuple):
    """One line of the alarm list. Times are process time, s; ``since_s`` is when it was raised, None when that is not known."""

    rule: str
    state: State
    priority: str
    effect: str
    text: str
    since_s: float | None
    first_out: bool
    user: str
    reason: str
    by: str
    until_s: float | None


def state_after(fields: dict[str, Any], before: State = State.NORMAL) -> State:
    """Return the state that an entry left the alarm in; entries of releases before there were states tell it by their event."""
    told = fields.get("state")
    if isinstance(told, str) and told in State.__members__:
        return State(told)
    return {"raise": State.UNACK, "clear": State.NORMAL, "ack": State.ACK}.get(str(fields.get("event")), before)


def alarm_list(entries: Iterable[Stored]) -> list[Listed]:
    """Return the alarms that are not normal after ``entries``: what nobody has seen first, then the oldest."""
    found: dict[str, Listed] = {}
    for stored in entries:
        fields = stored.fields()
        rule, event = str(fields.get("rule", "")), fields.get("event")
        before = found.pop(rule, None)
        state = state_after(fields, before.state if before else State.NORMAL)
        if state is State.NORMAL:
            continue
        since_s = stored.at_s if event in ("raise", "recur") else before.since_s if before else None
        one = Listed(
            rule, state, str(fields.get("priority") or priority(rule).value), str(fields.get("effect", "")), str(fields.get("text", "")),
            since_s, fields.get("first_out") is True or (before is not None and before.first_out), str(fields.get("user") or ""),
            str(fields.get("reason") or ""), str(fields.get("by") or ""), fields.get("until_s"),
        )  # fmt: skip
        if before is not None and before.state is state and not one.user:  # who put it aside stands in the entry that did it
            one = one._replace(user=before.user, reason=before.reason, until_s=before.until_s)
        found[rule] = one
    return sorted(found.values(), key=lambda one: (_ORDER.get(one.state, 9), one.since_s or 0.0))


def standing(reader: JournalReader) -> list[Listed]:
    """Return the alarm list as it is now.

    Raises:
        JournalError: the journal cannot be read.
    """
    return alarm_list(all_of(reader))


def all_of(reader: JournalReader) -> Iterator[Stored]:
    """Yield every alarm entry, oldest first."""
    return reader.between(1, reader.last_seq(), ("alarm",))


def stood(entries: Iterable[Stored]) -> list[Stood]:
    """Return every time an alarm was announced to people, oldest first; what was shelved or suppressed meanwhile was not."""
    found: list[Stood] = []
    last: dict[str, int] = {}
    state: dict[str, State] = {}
    for stored in entries:
        fields = stored.fields()
        rule, event = str(fields.get("rule", "")), str(fields.get("event"))
        before = state.get(rule, State.NORMAL)
        state[rule] = state_after(fields, before)
        shown = event in _SHOWING and state[rule] is State.UNACK
        place = last.get(rule)
        if shown and (place is None or event in ("raise", "recur") or before is not State.UNACK):
            last[rule] = len(found)
            found.append(Stood(rule, priority(rule), stored.at_s))
        elif place is not None and event == "ack" and found[place].acknowledged_s is None:
            found[place] = found[place]._replace(acknowledged_s=stored.at_s)
        if place is not None and found[place].cleared_s is None and (event == "clear" or (not shown and state[rule] is State.NORMAL)):
            found[place] = found[place]._replace(cleared_s=stored.at_s)
    return found
