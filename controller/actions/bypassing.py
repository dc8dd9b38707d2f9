"""The verbs BYPASS and UNBYPASS: an engineer takes a row out of effect for a while, or puts it back."""

from difflib import get_close_matches
from typing import Final

from controller.actions.action import Action, Moment
from controller.command import Command
from controller.interlocks import bypass
from controller.interlocks.bypass import BY_ID, Bypass
from controller.memory import Memory
from controller.recipe.standing import Note
from controller.recipe.states import Verb
from controller.roles import Role

MIN_REASON: Final = 5


def _refuse(moment: Moment, command: Command) -> str:
    limits, standing = moment.settings.bypass, moment.memory.interlocks.bypassed
    rule_id, minutes = command.args.get("rule"), command.args.get("minutes", limits.max_min)
    if refused := _unknown(rule_id):
        return refused
    rule = BY_ID[str(rule_id)]
    if never := bypass.objection(rule):
        return f"{rule.id} ({rule.text}) may never be bypassed: {never}"
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 1 <= minutes <= limits.max_min:
        return f"minutes = {minutes!r}: a number from 1 to {limits.max_min:g}"
    if len(command.reason.strip()) < MIN_REASON:
        return f"reason = {command.reason!r}: a bypass needs a reason of at least {MIN_REASON} characters"
    others = [one.rule for one in standing if one.rule != rule.id]
    if len(others) >= limits.max_rows:
        return f"{', '.join(others) or 'nothing'} bypassed already, allowed {limits.max_rows} rows at a time"
    return ""


def _unknown(rule_id: object) -> str:
    if not isinstance(rule_id, str) or rule_id not in BY_ID:
        near = get_close_matches(str(rule_id).upper(), BY_ID, n=3, cutoff=0.3)
        return f"rule = {rule_id!r}: no row of the interlock table" + (f"; did you mean {', '.join(near)}?" if near else "")
    return ""


def _bypass(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    at_s, rule = moment.inputs.at_s, str(command.args["rule"])
    minutes = float(command.args.get("minutes", moment.settings.bypass.max_min))
    one = Bypass(rule, command.user, command.reason.strip(), at_s, at_s + 60.0 * minutes)
    kept = tuple(other for other in moment.memory.interlocks.bypassed if other.rule != rule)
    memory = _with(moment.memory, (*kept, one))
    return (
        memory,
        (note("begin", one, command.user),),
        f"{rule} ({BY_ID[rule].text}) is bypassed for {minutes:g} min, from the next scan on",
    )


def _refuse_end(moment: Moment, command: Command) -> str:
    rule_id = command.args.get("rule")
    standing = [one.rule for one in moment.memory.interlocks.bypassed]
    return "" if rule_id in standing else f"rule = {rule_id!r}: not bypassed; bypassed: {', '.join(standing) or 'none'}"


def _end(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    rule = str(command.args["rule"])
    standing = moment.memory.interlocks.bypassed
    ended = next(one for one in standing if one.rule == rule)
    memory = _with(moment.memory, tuple(one for one in standing if one.rule != rule))
    return memory, (note("end", ended, command.user),), f"{rule} is in effect again"


def _with(memory: Memory, bypassed: tuple[Bypass, ...]) -> Memory:
    return memory._replace(interlocks=memory.interlocks._replace(bypassed=bypassed))


def note(event: str, one: Bypass, by: str) -> Note:
    """Return the journal's note of a bypass that begins or ends; ``by`` is who ended it, or "expired" or "restart"."""
    return Note("bypass", {"event": event, "by": by, "text": BY_ID[one.rule].text if one.rule in BY_ID else "", **one._asdict()})


BYPASSING: Final[dict[Verb, Action]] = {
    Verb.BYPASS: Action(Role.ENGINEER, frozenset({"rule", "minutes"}), _refuse, _bypass),
    Verb.UNBYPASS: Action(Role.OPERATOR, frozenset({"rule"}), _refuse_end, _end),
}
