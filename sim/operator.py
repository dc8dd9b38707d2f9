"""The virtual operator: answers what an OPERATOR phase asks, as somebody who has done what was asked would."""

from typing import Final

from controller.command import Command
from controller.recipe.model import Operator
from controller.recipe.standing import current
from controller.recipe.states import UnitState, Verb
from controller.roles import Role
from sim.bench import Rig

WALK_S: Final = 60.0  # until somebody is at the panel


def attend(rig: Rig, at_s: float) -> None:
    """Answer an OPERATOR phase that has asked for a minute; nothing otherwise. A hook of ``bench.batch``."""
    unit = rig.memory.unit
    if unit.state is not UnitState.RUNNING or not unit.phase.asked or unit.phase.answer is not None or unit.phase.elapsed_s < WALK_S:
        return
    phase = current(unit)
    if isinstance(phase, Operator):
        args = {"answer": answer_to(phase, rig), "phase": unit.phase_index + 1}
        rig.commands.append(
            Command(f"CONFIRM-{rig.counter}", "virtual operator", Verb.CONFIRM, "RUNNING", rig.counter + 1, args=args, role=Role.OPERATOR)
        )


def answer_to(phase: Operator, rig: Rig) -> str:
    """Return an answer that ``phase`` takes; of a range its lower end, of choices the first."""
    batch = rig.memory.unit.batch
    if phase.entry == "ROLL_ID" and batch is not None:
        return batch.load.roll_ids[0]
    if phase.entry == "NUMBER":
        return f"{phase.low:g}"
    return phase.choices[0] if phase.choices else "done"
