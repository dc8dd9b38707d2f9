"""What a person does to alarms. Each function gives the alarms afterwards and the events; who may do it is judged above."""

from controller.alarms.annunciate import taken_back
from controller.alarms.states import UNSEEN, AlarmMemory, AlarmSettings, Event, State, find, of_rows, put, state_of


def acknowledge(memory: AlarmMemory, rule: str | None, user: str, reason: str = "") -> tuple[AlarmMemory, tuple[Event, ...]]:
    """Acknowledge ``rule``, or everything that nobody has seen; what is hidden was not seen. ``reason`` is what the person says to it."""
    seen = [alarm for alarm in memory.rows if state_of(alarm) in UNSEEN and rule in (None, alarm.rule)]
    after = {alarm.rule: alarm._replace(unacknowledged=False) for alarm in seen}
    events = tuple(Event(name, "ack", state_of(alarm), user, reason) for name, alarm in after.items())
    return of_rows(after.get(alarm.rule, alarm) for alarm in memory.rows), events


def to_confirm(memory: AlarmMemory, rule: str | None = None) -> list[str]:
    """Return what can be confirmed: ``rule``, or everything, that is gone and seen and was not confirmed yet."""
    return [alarm.rule for alarm in memory.rows if state_of(alarm) is State.UNCONFIRMED and rule in (None, alarm.rule)]


def confirm(memory: AlarmMemory, rule: str | None, user: str, reason: str = "") -> tuple[AlarmMemory, tuple[Event, ...]]:
    """Confirm ``rule``, or everything that can be; ``reason`` is what the person found and did."""
    after = {name: find(memory, name)._replace(unconfirmed=False) for name in to_confirm(memory, rule)}
    events = tuple(Event(name, "confirm", state_of(alarm), user, reason) for name, alarm in after.items())
    return of_rows(after.get(alarm.rule, alarm) for alarm in memory.rows), events


def shelves_left(memory: AlarmMemory, settings: AlarmSettings, rule: str, at_s: float) -> int:
    """Return how often ``rule`` may still be shelved now."""
    return settings.shelve_times - len(_recent(find(memory, rule).shelved_at_s, settings, at_s))


def shelve(
    memory: AlarmMemory, settings: AlarmSettings, rule: str, minutes: float, user: str, reason: str, at_s: float
) -> tuple[AlarmMemory, tuple[Event, ...]]:
    """Put ``rule`` aside for ``minutes`` from process time ``at_s``."""
    alarm = find(memory, rule)
    until_s = at_s + 60.0 * minutes
    times_s = (*_recent(alarm.shelved_at_s, settings, at_s), at_s)
    alarm = alarm._replace(shelved_until_s=until_s, shelved_at_s=times_s, user=user, reason=reason)
    return put(memory, alarm), (Event(rule, "shelve", state_of(alarm), user, reason, until_s=until_s),)


def unshelve(memory: AlarmMemory, rule: str, user: str, reason: str) -> tuple[AlarmMemory, tuple[Event, ...]]:
    """Take ``rule`` back from the shelf."""
    alarm = taken_back(find(memory, rule))
    return put(memory, alarm), (Event(rule, "unshelve", state_of(alarm), user, reason),)


def take_out(memory: AlarmMemory, rule: str, user: str, reason: str) -> tuple[AlarmMemory, tuple[Event, ...]]:
    """Take ``rule`` out of service; a shelf ends with it."""
    alarm = find(memory, rule)._replace(out_of_service=True, shelved_until_s=None, user=user, reason=reason)
    return put(memory, alarm), (Event(rule, "out_of_service", state_of(alarm), user, reason),)


def put_back(memory: AlarmMemory, rule: str, user: str, reason: str) -> tuple[AlarmMemory, tuple[Event, ...]]:
    """Put ``rule`` back in service; one that is active is announced again."""
    alarm = taken_back(find(memory, rule)._replace(out_of_service=False))
    return put(memory, alarm), (Event(rule, "in_service", state_of(alarm), user, reason),)


def _recent(times_s: tuple[float, ...], settings: AlarmSettings, at_s: float) -> tuple[float, ...]:
    return tuple(time_s for time_s in times_s if at_s - time_s < 3600.0 * settings.shelve_window_h)
