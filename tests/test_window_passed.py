"""A CURE whose insoluble content has passed its window is held: what the operator is told, what is refused, and the way out."""

import pytest

from controller.command import Command
from controller.permissives import Question, blockers
from controller.recipe.leaving import ways_out
from controller.recipe.standing import Batch, UnitMemory
from controller.recipe.states import UnitState, Verb
from controller.roles import Role
from sim import bench
from tests.rigs import prepared
from tests.test_check_exact import phase
from tests.test_claims_exact import LOAD, RECIPE
from tests.test_interlocks import BELIEF

HIGH_PCT = RECIPE.endpoint.insoluble_high_pct
PASSED = BELIEF._replace(insoluble=BELIEF.insoluble._replace(value=(HIGH_PCT + 1) / 100))
AGAIN = f"RESTART in the CURE would hold it again: insoluble content {HIGH_PCT + 1:.1f} % in one position once cold, allowed {HIGH_PCT:g} %"
BRANCH = phase("BRANCH", on="ALWAYS", to="out")


def unit(*phases):
    recipe = RECIPE.model_copy(update={"phase": (*phases, phase("COOL"), phase("END"))})
    return UnitMemory(state=UnitState.HELD, batch=Batch(1, recipe, "0" * 64, LOAD, "anna", 0.0))


def asked(rig, verb, **args):
    rig.counter += 1
    rig.commands.append(Command(f"{verb}-{rig.counter}", "anna", verb, None, rig.counter, reason="past", args=args, role=Role.OPERATOR))
    rig.step()
    return bench.answers(rig)[-1]


@pytest.mark.parametrize(("memory", "estimate", "told"), [
    (unit(phase("CURE")), PASSED, f"SKIP to COOL, then RESTART; or STOP (cools) or ABORT. {AGAIN}"),
    (unit(phase("CURE"), BRANCH), PASSED, f"SKIP, then RESTART; or STOP (cools) or ABORT. {AGAIN}"),
    (unit(phase("CURE", allow_skip=False)), PASSED, f"STOP (cools) or ABORT. {AGAIN}"),
    (unit(phase("CURE")), BELIEF, ""),
    (unit(phase("CURE")), PASSED._replace(valid=False), ""),  # then the time recipe may end it
    (unit(phase("CURE", on_timeout="STOP")), PASSED, ""),  # RESTART leads there
    (unit(phase("SOAK")), PASSED, ""),
    (UnitMemory(), PASSED, ""),
])  # fmt: skip
def test_the_ways_out_of_a_cure_past_its_window(memory, estimate, told):
    assert ways_out(memory, estimate) == told


def test_the_operator_is_told_to_skip_or_stop_and_restart_is_refused_until_then():
    rig = prepared("cure")
    memory, batch = rig.memory, rig.memory.unit.batch
    endpoint = batch.recipe.endpoint.model_copy(update={"insoluble_high_pct": -1.0})  # passed by a film that has not begun to gel
    recipe = batch.recipe.model_copy(update={"endpoint": endpoint})
    rig.memory = memory._replace(unit=memory.unit._replace(batch=batch._replace(recipe=recipe)))
    for _ in range(140):
        rig.step()
    assert rig.record.unit_state is UnitState.HELD
    assert rig.record.verdict.first_out == "I31T"
    told = ways_out(rig.memory.unit, rig.memory.estimator.estimate)
    assert told.startswith("SKIP to COOL, then RESTART; or STOP (cools) or ABORT. RESTART in the CURE would hold it again: insoluble")
    assert rig.record.waiting == told
    answer = asked(rig, Verb.RESTART)
    assert (answer["accepted"], answer["answer"]) == (False, told)
    rig.memory = rig.memory._replace(unit=rig.memory.unit._replace(setpoints=rig.memory.unit.setpoints._replace(heat=False)))
    found = blockers(Question.HEAT, rig.settings, rig.memory, frozenset(), rig.record.inputs, rig.record.process)
    assert (found[0].text, found[0].action) == ("held heat does not come back by itself", told)
    assert asked(rig, Verb.SKIP, phase=rig.record.phase_index + 1)["accepted"]
    assert rig.record.phase_kind == "COOL"
    assert rig.record.waiting == "RESTART, STOP or ABORT"
    assert asked(rig, Verb.RESTART)["accepted"]
