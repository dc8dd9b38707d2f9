"""The verb COMMENT: a person's remark on an alarm goes into the journal; it changes nothing."""

from typing import Final

from controller.actions.action import Action, Moment
from controller.command import Command
from controller.interlocks.evaluate import BY_ID
from controller.memory import Memory
from controller.recipe.standing import Note
from controller.recipe.states import Verb
from controller.roles import Role


def _refuse(moment: Moment, command: Command) -> str:
    rule = command.args.get("rule")
    if not isinstance(rule, str) or rule not in BY_ID:
        return f"rule = {rule!r}: no row of the interlock table"
    return "" if command.reason.strip() else "reason = '': a remark needs some words"


def _carry_out(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    rule, said = str(command.args["rule"]), command.reason.strip()
    why = f"{command.user} on {rule}: {said}"
    content: dict[str, object] = {"what": "COMMENT", "why": why, "rule": rule, "user": command.user, "reason": said}
    return moment.memory, (Note("decision", content),), f"remark on {rule} recorded"


REMARKING: Final[dict[Verb, Action]] = {Verb.COMMENT: Action(Role.OPERATOR, frozenset({"rule"}), _refuse, _carry_out)}
