"""The verb PROOF_RECORD: what a periodic proof test of a safety device found goes into the journal."""

from datetime import date
from typing import Final

from controller.actions.action import Action, Moment
from controller.command import Command
from controller.memory import Memory
from controller.prooftest.devices import BY_NAME
from controller.recipe.standing import Note
from controller.recipe.states import Verb
from controller.roles import Role

RESULTS: Final = ("pass", "fail")


def _refuse(moment: Moment, command: Command) -> str:
    device, result, day = command.args.get("device"), command.args.get("result"), command.args.get("date", "")
    if device not in BY_NAME:
        return f"device = {device!r}: one of {', '.join(BY_NAME)}"
    if result not in RESULTS:
        return f"result = {result!r}: {' or '.join(RESULTS)}"
    if not isinstance(day, str) or (day and not _is_day(day)):
        return f"date = {day!r}: a day as YYYY-MM-DD, or left out for today"
    if result == "fail" and not command.reason.strip():
        return "reason = '': a failed proof test needs a word on what was found"
    return ""


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _carry_out(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    device, result = str(command.args["device"]), str(command.args["result"])
    content = {"device": device, "result": result, "why": command.reason, "user": command.user, "date": command.args.get("date", "")}
    return moment.memory, (Note("prooftest", content),), f"proof test of {device} recorded: {result}"


RECORDING: Final[dict[Verb, Action]] = {
    Verb.PROOF_RECORD: Action(Role.ENGINEER, frozenset({"device", "result", "date"}), _refuse, _carry_out),
}
