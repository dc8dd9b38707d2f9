"""What a person changes in the phase that runs counts at once, no answer is made up, and what blocks an armed start is told."""

import pytest

from controller import prooftest
from controller.estimator.model import UNCALIBRATED
from controller.memory import Memory
from controller.prooftest import ProofTest
from controller.prooftest.model import ProofTestSettings
from controller.recipe.flow import Results
from controller.recipe.look import PhaseMemory
from controller.recipe.model import Ramp, Wait
from controller.recipe.ramping import retimed
from controller.recipe.reading import parse_recipe
from controller.recipe.states import Verb
from tests import test_operating as operating
from tests.test_operating import COLD_VACUUM, CURE, RAMP, START, command, decided, one, running
from tests.test_segments import VACUUM, walked
from tests.test_segments_flow import ASK, END, HEAD, LEAK, branch, labelled
from tests.test_segments_unit import decisions, stepped, unit

BY_TIME = Ramp(kind="RAMP", target_c=150.0, ramp_min=30.0, holdback="OFF", **VACUUM)
RUNS = PhaseMemory(elapsed_s=600.0, begun=True, rate_c_per_min=1.0)  # 10 of 30 min are over


@pytest.mark.parametrize(("changed", "sp_c", "rate"), [
    ({}, 130.0, 1.0),
    ({"ramp_min": 50.0}, 130.0, 0.5),  # 20 degC in the 40 min that are left
    ({"target_c": 170.0}, 130.0, 2.0),
    ({"target_c": 110.0}, 130.0, 1.0),
    ({"ramp_min": 11.0}, 130.0, 5.0),  # no faster than the oven may
    ({"ramp_min": 10.0}, 130.0, 5.0),
    ({"ramp_min": 9.0}, 130.0, 5.0),
])  # fmt: skip
def test_what_is_left_of_a_ramp_by_time_takes_what_is_left_of_its_time(changed, sp_c, rate):
    assert retimed(BY_TIME.model_copy(update=changed), RUNS, sp_c, 5.0).rate_c_per_min == pytest.approx(rate)


def test_a_ramp_by_rate_or_one_that_has_not_begun_is_not_retimed():
    by_rate = Ramp(kind="RAMP", target_c=150.0, rate_c_per_min=1.0, **VACUUM)
    assert retimed(by_rate, RUNS, 130.0, 5.0) == RUNS
    assert retimed(BY_TIME, PhaseMemory(), 130.0, 5.0) == PhaseMemory()


def timed(memory):
    """Return the memory with the RAMP that runs made one by time, a third of it over."""
    batch = memory.unit.batch
    phases = list(batch.recipe.phase)
    ramp = phases[RAMP].model_copy(update={"target_c": 150.0, "rate_c_per_min": None, "ramp_min": 30.0})
    phases[RAMP] = ramp
    batch = batch._replace(recipe=batch.recipe.model_copy(update={"phase": tuple(phases)}))
    return memory._replace(unit=memory.unit._replace(batch=batch, phase=RUNS))


def test_an_edit_of_the_ramp_that_runs_moves_it_otherwise_at_once():
    after, answers, _ = one(timed(running(RAMP)), command(Verb.EDIT, 2, phase=RAMP, key="ramp_min", value=70.0), **COLD_VACUUM)
    assert answers[0][0], answers
    assert after.unit.phase.rate_c_per_min == pytest.approx(0.5)  # from 120 to 150 degC in 60 min
    later, _, _ = one(timed(running(RAMP)), command(Verb.EDIT, 2, phase=CURE, key="target_c", value=250.0), **COLD_VACUUM)
    assert later.unit.phase.rate_c_per_min == 1.0


def test_an_edit_of_the_temperature_that_a_wait_holds_counts_at_once():
    phase = Wait(kind="WAIT", tag="pump_run", equals=True, target_c=120.0, **VACUUM)
    first = walked(phase, [{"sp_c": 120.0, "zones_c": 120.0}])[-1]
    assert first.setpoints.temp_c == 120.0
    higher = walked(phase.model_copy(update={"target_c": 140.0}), [{"zones_c": 120.0}] * 60, m=first.memory, sp_c=120.0)[-1]
    assert higher.setpoints.temp_c == pytest.approx(122.0)  # 2 degC/min


def test_a_wait_without_a_temperature_keeps_the_one_it_found():
    phase = Wait(kind="WAIT", tag="pump_run", equals=True, **VACUUM)
    assert {step.setpoints.temp_c for step in walked(phase, [{"zones_c": 99.0}] * 5, sp_c=120.0)} == {120.0}


@pytest.mark.parametrize(("name", "accepted"), [("thick", True), ("thin", False)])
def test_an_edit_asks_only_for_a_pid_set_that_there_is(name, accepted, monkeypatch):
    sets = {"thick": {"vacuum": [{"temp_c": 100.0, "lead": {"gain": 1.0, "integral_s": 1000.0}}]}}
    monkeypatch.setattr(operating, "SETTINGS", type(operating.SETTINGS).model_validate(
        {"proof_test": {"required": False}, "tunings": {"sets": sets}}))  # fmt: skip
    _, answers, _ = one(running(RAMP), command(Verb.EDIT, 2, phase=CURE, key="pid_set", value=name), **COLD_VACUUM)
    assert answers[0][0] is accepted, answers
    if not accepted:
        assert answers[0][1] == f"phase {CURE + 1} (CURE), pid_set = 'thin': a set of settings.tunings.sets: default, thick"


# ---- answers that were not given ----

SECOND = ASK.replace("Go on?", "Sure?").replace("timeout_min = 600.0", 'timeout_min = 1.0\non_timeout = "CONTINUE"')
BRANCHED = (LEAK, SECOND, branch("end"), LEAK, labelled(END, "end"))


def test_a_question_that_timed_out_is_not_answered_by_an_older_one():
    memory = unit(*BRANCHED, phase_index=1, results=Results(answer="no"))
    memory, _, notes = stepped(memory, dt_s=61.0)
    memory, _, more = stepped(memory)
    assert memory.results.answer is None
    assert memory.phase_index == 3  # straight on, not to the end
    assert decisions((*notes, *more), "branch") == ["BRANCH to end: nobody has answered; goes on"]


def test_a_question_that_is_skipped_is_not_answered_by_an_older_one_and_the_branch_is_told():
    recipe = parse_recipe(HEAD + "".join(BRANCHED), "r").recipe
    memory = running(RAMP)
    batch = memory.unit.batch._replace(recipe=recipe)
    memory = memory._replace(unit=memory.unit._replace(batch=batch, phase_index=1, phase=PhaseMemory(), results=Results(answer="no")))
    after, answers, record = one(memory, command(Verb.SKIP, 2, phase=1))
    assert answers[0][0], answers
    assert after.unit.phase_index == 3
    assert after.unit.results.answer is None
    assert [said["why"] for said in decided(record, "branch")] == ["BRANCH to end: nobody has answered; goes on"]


def test_an_answer_outlasts_the_phases_that_ask_nothing():
    wait = '[[phase]]\nkind = "WAIT"\ntag = "pump_run"\nequals = false\ntimeout_min = 60.0\n'
    memory = unit(LEAK, wait, branch("end"), LEAK, labelled(END, "end"), phase_index=1, results=Results(answer="no"))
    memory, _, _ = stepped(memory)
    assert (memory.phase_index, memory.results.answer) == (4, "no")


# ---- a start that is armed ----


def test_who_arms_a_start_is_told_what_would_block_it_now():
    after, answers, _ = one(Memory(), command(Verb.START, 1, start=START._replace(in_min=30.0)), door_closed_a=False)
    assert after.delayed is not None
    assert "in 30.0 min. As it stands now it would not begin: start is blocked by I3 (door not closed)" in answers[0][1]
    assert answers[0][1].endswith(f"; {UNCALIBRATED}")
    _, answers, _ = one(Memory(), command(Verb.START, 1, start=START._replace(in_min=30.0)))
    assert answers[0][1].endswith(f"in 30.0 min; {UNCALIBRATED}")


def test_a_proof_test_of_another_formula_says_what_to_do():
    passed = ProofTest(passed_at_s=50.0, recipe_sha256="a" * 64, boot_id=7, spoiled="")
    said = prooftest.objection(ProofTestSettings(), passed, 100.0, 7, "b" * 64)
    assert said.endswith("(another formula is another recipe); ask for PROOF_TEST without a recipe, or with this one")
