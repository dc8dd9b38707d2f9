"""The verb PROOF_TEST: make the proof test that a batch needs, or break it off."""

from typing import Final

from controller import prooftest
from controller.actions.action import Action, Moment
from controller.command import Command
from controller.interlocks.rule import Effect
from controller.memory import Memory
from controller.prooftest.run import STAGES
from controller.recipe.standing import Note
from controller.recipe.states import UnitState, Verb
from controller.roles import Role
from controller.units import ATMOSPHERE_MBAR

_HEX: Final = frozenset("0123456789abcdef")


def _refuse(moment: Moment, command: Command) -> str:
    memory, process = moment.memory, moment.process
    cancel, sha256 = command.args.get("cancel", False), command.args.get("recipe_sha256", "")
    if not isinstance(cancel, bool):
        return f"cancel = {cancel!r}: true or false"
    if not isinstance(sha256, str) or (sha256 and (len(sha256) != 64 or not set(sha256) <= _HEX)):
        return f"recipe_sha256 = {sha256!r}: 64 hexadecimal digits in lower case, or left out"
    running = bool(memory.proof_test.stage)
    if cancel:
        return "" if running else "no proof test is running"
    if running:
        return f"a proof test is running: {memory.proof_test.stage}"
    if memory.unit.state is not UnitState.IDLE:
        return f"a proof test is possible in IDLE only; the unit is {memory.unit.state.name}"
    if moment.verdict.abort:
        return "blocked by " + moment.verdict.explained(Effect.ABORT)
    open_c, band = moment.settings.equipment.open_c, moment.settings.proof_test.air_mbar
    if process.hot(open_c):
        return f"the oven must be colder than {open_c:g} degC, and is {_shown(process.hottest_c)}"
    if process.pressure_mbar is None or abs(process.pressure_mbar - ATMOSPHERE_MBAR) > band:
        return f"the chamber must stand at ambient pressure within {band:g} mbar, and is at {_shown(process.pressure_mbar)} mbar"
    if moment.inputs.door_closed_a.value is not True or moment.inputs.door_closed_b.value is not True:
        return "the door must be closed: valves are moved"
    return ""


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f}"


def _carry_out(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    memory = moment.memory
    if command.args.get("cancel", False):
        test = prooftest.cancelled(memory.proof_test, f"by {command.user}")
        return (
            memory._replace(proof_test=test),
            (Note("prooftest", prooftest.result(test, moment.inputs.at_s)),),
            "the proof test is broken off",
        )
    test = prooftest.begin(command.user, str(command.args.get("recipe_sha256", "")), STAGES[0])
    return memory._replace(proof_test=test), (), "the proof test runs; it takes a minute or two, its result stands in the journal"


PROVING: Final[dict[Verb, Action]] = {
    Verb.PROOF_TEST: Action(Role.OPERATOR, frozenset({"cancel", "recipe_sha256"}), _refuse, _carry_out),
}
