"""The verbs of the alarm list, and the notes that every change of an alarm leaves in the journal.

Nothing here changes what an interlock row does. Acknowledging also lets go of operator latches whose cause is gone, which the interlocks
themselves do in the same scan (see ``acknowledging``).
"""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import Final

from controller.actions.action import Action, Moment
from controller.alarms import annunciate, operate
from controller.alarms.annunciate import Rows, Signal
from controller.alarms.rationalisation import TO_CONFIRM, priority
from controller.alarms.states import AlarmMemory, Event, Priority, find, state_of
from controller.command import Command
from controller.interlocks.evaluate import BY_ID, Change, InterlockMemory
from controller.interlocks.rule import Effect, Reset, Rule
from controller.interlocks.table import RULES
from controller.memory import Memory
from controller.recipe.standing import Note
from controller.recipe.states import Verb
from controller.roles import Role

MIN_REASON: Final = 5  # characters
_LETTING_GO: Final = frozenset({Verb.ACKNOWLEDGE, Verb.RESTART, Verb.RESET})

ROWS: Final = Rows(
    rank={rule.id: index for index, rule in enumerate(RULES)},
    latching=frozenset(rule.id for rule in RULES if rule.reset is not Reset.AUTO),
    never_hidden=frozenset(rule.id for rule in RULES if rule.effect & Effect.ABORT or rule.hard_wired),
)


def acknowledging(commands: Iterable[Command]) -> bool | frozenset[str]:
    """Return which rows ``commands``, all of them heard, acknowledge: all (True), none (False) or those named."""
    named: set[str] = set()
    for command in commands:
        rule = command.args.get("rule") if command.verb is Verb.ACKNOWLEDGE else None
        if command.verb is Verb.RESTART or (command.verb is Verb.ACKNOWLEDGE and rule is None):
            return True
        if isinstance(rule, str):
            named.add(rule)
    return frozenset(named) or False


def announce(
    memory: AlarmMemory, interlocks: InterlockMemory, changes: tuple[Change, ...], asked: tuple[Command, ...], at_s: float
) -> tuple[AlarmMemory, tuple[Note, ...]]:
    """Return the alarms after a scan in which a row changed or a timer ended, and their notes; ``asked`` are the commands heard in it."""
    reset_by = ", ".join(dict.fromkeys(command.user for command in asked if command.verb in _LETTING_GO))
    memory, events = annunciate.step(memory, ROWS, Signal(interlocks.active, interlocks.cause, interlocks.first_out, reset_by), at_s)
    changed = {change.rule.id: change for change in changes}
    return memory, tuple(note(event, changed.get(event.rule)) for event in events)


def note(event: Event, change: Change | None = None) -> Note:
    """Return the journal's note of one change of an alarm's state."""
    rule = BY_ID.get(event.rule)
    return Note("alarm", {
        "rule": event.rule, "event": event.event, "state": event.state.value, "priority": priority(event.rule).value,
        "effect": "" if rule is None else effect_name(rule.effect), "text": "" if rule is None else rule.text,
        "value": None if change is None else change.value, "first_out": change is not None and change.first_out,
        "user": event.user, "reason": event.reason, "by": event.by, "until_s": event.until_s,
    })  # fmt: skip


@cache
def effect_name(effect: Effect) -> str:
    """Return the strongest effect as one word, for lists and reports."""
    for one in (Effect.ABORT, Effect.HOLD, Effect.SUSPEND, Effect.NO_START, Effect.NO_HEAT, Effect.NO_VENT, Effect.NO_DOOR):
        if effect & one:
            return str(one.name) if one in (Effect.ABORT, Effect.HOLD, Effect.SUSPEND) else "PERMISSIVE"
    return "WARN"


def _unknown(rule: object) -> str:
    if isinstance(rule, str) and rule in BY_ID:
        return ""
    near = get_close_matches(str(rule).upper(), BY_ID, n=3, cutoff=0.3)
    return f"rule = {rule!r}: no row of the interlock table" + (f"; did you mean {', '.join(near)}?" if near else "")


def _refuse_acknowledge(_: Moment, command: Command) -> str:
    rule = command.args.get("rule")
    return "" if rule is None else _unknown(rule)


def _acknowledge(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    rule = command.args.get("rule")
    alarms, events = operate.acknowledge(moment.memory.alarms, rule, command.user, command.reason.strip())
    latched = moment.memory.interlocks.active & ROWS.latching
    left = sorted(latched if rule is None else latched & {rule}, key=ROWS.rank.__getitem__)
    answer = f"acknowledged: {', '.join(event.rule for event in events)}" if events else "nothing was unacknowledged"
    return _with(moment.memory, alarms, events, answer + (f"; still latched or standing: {', '.join(left)}" if left else ""))


def _refuse_confirm(moment: Moment, command: Command) -> str:
    rule = command.args.get("rule")
    if refused := "" if rule is None else _unknown(rule):
        return refused
    if operate.to_confirm(moment.memory.alarms, rule):
        return ""
    state = state_of(find(moment.memory.alarms, str(rule)))
    why = (
        "nothing waits to be confirmed" if rule is None else f"{rule} is {state.name}: only what is gone and acknowledged can be confirmed"
    )
    return why if rule is None or rule in TO_CONFIRM else f"{rule} needs no confirmation"


def _confirm(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    alarms, events = operate.confirm(moment.memory.alarms, command.args.get("rule"), command.user, command.reason.strip())
    return _with(moment.memory, alarms, events, f"confirmed: {', '.join(event.rule for event in events)}")


def hidable(rule: Rule) -> str:
    """Return why the alarm of ``rule`` may never be hidden by a person, "" when it may."""
    if rule.hard_wired:
        return "it is hard-wired"
    if rule.effect & Effect.ABORT:
        return "it aborts"
    return "it is a journal entry that nobody has to acknowledge" if priority(rule.id) is Priority.JOURNAL else ""


def _refuse_hiding(command: Command, what: str) -> str:
    rule = command.args.get("rule")
    if refused := _unknown(rule):
        return refused
    if never := hidable(BY_ID[str(rule)]):
        return f"{rule} ({BY_ID[str(rule)].text}) cannot be {what}: {never}"
    if len(command.reason.strip()) < MIN_REASON:
        return f"reason = {command.reason!r}: a text of at least {MIN_REASON} characters"
    return ""


def _refuse_shelve(moment: Moment, command: Command) -> str:
    if refused := _refuse_hiding(command, "shelved"):
        return refused
    settings, rule, minutes = moment.settings.alarms, str(command.args["rule"]), command.args.get("minutes")
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 1 <= minutes <= settings.shelve_max_min:
        return f"minutes = {minutes!r}: a number from 1 to {settings.shelve_max_min}"
    alarm = find(moment.memory.alarms, rule)
    if alarm.out_of_service:
        return f"{rule} is out of service"
    if alarm.shelved_until_s is not None:
        return f"{rule} is shelved already, by {alarm.user}, for another {(alarm.shelved_until_s - moment.inputs.at_s) / 60:.0f} min"
    if operate.shelves_left(moment.memory.alarms, settings, rule, moment.inputs.at_s) <= 0:
        return f"{rule} was shelved {settings.shelve_times} times within {settings.shelve_window_h:g} h, which is as often as is allowed"
    return ""


def _shelve(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    rule, minutes, settings, at_s = str(command.args["rule"]), float(command.args["minutes"]), moment.settings.alarms, moment.inputs.at_s
    alarms, events = operate.shelve(moment.memory.alarms, settings, rule, minutes, command.user, command.reason.strip(), at_s)
    left = operate.shelves_left(alarms, settings, rule, at_s)
    answer = f"the alarm {rule} is shelved for {minutes:g} min, what it does is not; {left} more within {settings.shelve_window_h:g} h"
    return _with(moment.memory, alarms, events, answer)


def _refuse_unshelve(moment: Moment, command: Command) -> str:
    rule = command.args.get("rule")
    shelved = [alarm.rule for alarm in moment.memory.alarms.rows if alarm.shelved_until_s is not None]
    return "" if rule in shelved else f"rule = {rule!r}: not shelved; shelved: {', '.join(shelved) or 'none'}"


def _unshelve(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    rule = str(command.args["rule"])
    alarms, events = operate.unshelve(moment.memory.alarms, rule, command.user, command.reason.strip())
    return _with(moment.memory, alarms, events, f"{rule} is announced again")


def _refuse_out(moment: Moment, command: Command) -> str:
    if refused := _refuse_hiding(command, "taken out of service"):
        return refused
    rule = str(command.args["rule"])
    return f"{rule} is out of service already" if find(moment.memory.alarms, rule).out_of_service else ""


def _out(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    rule = str(command.args["rule"])
    alarms, events = operate.take_out(moment.memory.alarms, rule, command.user, command.reason.strip())
    return _with(moment.memory, alarms, events, f"the alarm {rule} is out of service, what it does is not")


def _refuse_in(moment: Moment, command: Command) -> str:
    rule = command.args.get("rule")
    out = [alarm.rule for alarm in moment.memory.alarms.rows if alarm.out_of_service]
    if rule not in out:
        return f"rule = {rule!r}: not out of service; out of service: {', '.join(out) or 'none'}"
    return "" if len(command.reason.strip()) >= MIN_REASON else f"reason = {command.reason!r}: a text of at least {MIN_REASON} characters"


def _in(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    rule = str(command.args["rule"])
    alarms, events = operate.put_back(moment.memory.alarms, rule, command.user, command.reason.strip())
    return _with(moment.memory, alarms, events, f"the alarm {rule} is back in service")


def _with(memory: Memory, alarms: AlarmMemory, events: tuple[Event, ...], answer: str) -> tuple[Memory, tuple[Note, ...], str]:
    return memory._replace(alarms=alarms), tuple(note(event) for event in events), answer


_RULE: Final = frozenset({"rule"})
ALARMING: Final[dict[Verb, Action]] = {
    Verb.ACKNOWLEDGE: Action(Role.OPERATOR, _RULE, _refuse_acknowledge, _acknowledge),
    Verb.CONFIRM_ALARM: Action(Role.OPERATOR, _RULE, _refuse_confirm, _confirm),
    Verb.SHELVE: Action(Role.OPERATOR, _RULE | {"minutes"}, _refuse_shelve, _shelve),
    Verb.UNSHELVE: Action(Role.OPERATOR, _RULE, _refuse_unshelve, _unshelve),
    Verb.OUT_OF_SERVICE: Action(Role.ENGINEER, _RULE, _refuse_out, _out),
    Verb.IN_SERVICE: Action(Role.ENGINEER, _RULE, _refuse_in, _in),
}
