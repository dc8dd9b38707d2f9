"""A START that an interlock would stop in its first scan is refused, with the row and what has to be done; doing it is enough."""

from pathlib import Path

import pytest

from controller.command import Start
from controller.interlocks.evaluate import BY_ID
from controller.interlocks.rule import Effect, Reset
from controller.interlocks.table import RULES
from controller.permissives import Question, blockers
from controller.recipe.reading import read_load, read_recipe
from controller.recipe.states import UnitState, Verb
from sim import bench
from tests.rigs import SAMPLE, prepared

RECIPE = read_recipe(Path(__file__).parents[1] / "recipes" / "trial-short.toml")
START = Start(RECIPE.recipe, RECIPE.sha256, RECIPE.text, read_load(SAMPLE))
LATCHING = [rule.id for rule in RULES if rule.reset is not Reset.AUTO]
STOPPING = [rule for rule in LATCHING if BY_ID[rule].effect & (Effect.NO_START | Effect.HOLD | Effect.ABORT)]
REMEDY = {
    Reset.OPERATOR: (Verb.ACKNOWLEDGE, "its cause is gone: acknowledge it (ovenctl alarms acknowledge {}), then START"),
    Reset.MANUAL: (Verb.RESET, "its cause is gone: RESET (ovenctl batch reset), then START"),
}


def shows(rig, **values):
    rig.plc.plant.instruments.distortions.update({name: (lambda _v, _t, value=value: value) for name, value in values.items()})


def asked(rig, verb, start=None):
    """Return what the unit answers to ``verb`` and its state after that scan."""
    rig.ask(verb, start)
    state = rig.step().unit_state
    return bench.answers(rig)[-1], state


def why_start(rig):
    memory, record = rig.memory, rig.record
    return blockers(Question.START, rig.settings, memory, memory.interlocks.active, record.inputs, record.process)


def latched(rule):
    """Return an idle oven on which ``rule`` is latched and its cause gone."""
    rig = prepared("idle")
    rig.memory = rig.memory._replace(interlocks=rig.memory.interlocks._replace(active=rig.memory.interlocks.active | {rule}))
    rig.step()
    assert rule in rig.record.verdict.active
    return rig


@pytest.mark.parametrize("rule", STOPPING)
def test_a_row_that_is_latched_and_would_stop_the_batch_refuses_start_until_what_the_answer_says_is_done(rule):
    rig = latched(rule)
    verb, remedy = REMEDY[BY_ID[rule].reset]
    assert [(one.rule, one.action) for one in why_start(rig)] == [(rule, remedy.format(rule))]
    answer, state = asked(rig, Verb.START, START)
    assert (answer["accepted"], state) == (False, UnitState.IDLE)
    assert answer["answer"].startswith(f"start is blocked by {rule} ({BY_ID[rule].text}")
    assert answer["answer"].endswith(f": {remedy.format(rule)}")
    assert asked(rig, verb)[0]["accepted"]
    assert why_start(rig) == []
    answer, state = asked(rig, Verb.START, START)
    assert (answer["accepted"], state) == (True, UnitState.RUNNING)
    assert rig.step().unit_state is UnitState.RUNNING


@pytest.mark.parametrize("rule", [rule for rule in LATCHING if rule not in STOPPING])
def test_a_row_that_is_latched_and_only_warns_lets_a_batch_start(rule):
    rig = latched(rule)
    assert why_start(rig) == []
    assert asked(rig, Verb.START, START)[1] is UnitState.RUNNING


def test_one_acknowledged_or_reset_in_the_scan_of_the_start_does_not_refuse_it():
    for rule, verb in (("I14", Verb.ACKNOWLEDGE), ("I20", Verb.RESET)):
        rig = latched(rule)
        rig.ask(verb)
        assert asked(rig, Verb.START, START)[1] is UnitState.RUNNING


def shown(rig, scans, **readings):
    """Let the instruments show ``readings`` for so many scans."""
    shows(rig, **readings)
    for _ in range(scans):
        rig.step()


def test_a_row_that_stands_says_what_to_do_in_words_of_start_and_lets_it_begin_once_it_is_gone_and_acknowledged():
    rig = prepared("idle")
    shown(rig, 30, z1_limit_c=60.0)
    answer, state = asked(rig, Verb.START, START)
    assert (answer["accepted"], state) == (False, UnitState.IDLE)
    assert answer["answer"].startswith("start is blocked by I22 (control and limit thermocouples contradict each other")
    assert answer["answer"].endswith("find which one is wrong; acknowledge and START")
    rig.plc.plant.instruments.distortions.clear()
    rig.step()
    assert "its cause is gone: acknowledge it" in asked(rig, Verb.START, START)[0]["answer"]
    asked(rig, Verb.ACKNOWLEDGE)
    assert asked(rig, Verb.START, START)[1] is UnitState.RUNNING


def test_all_that_blocks_is_told_with_what_to_do_about_each():
    rig = latched("I14")
    shown(rig, 10, n2_header_bar=2.1)
    told = asked(rig, Verb.START, START)[0]["answer"].removeprefix("start is blocked by ").split("; I14 ")
    assert told[0] == "I11 (N2 supply too low; now 2.1; n2_low_bar = 3): change over the supply at once"
    assert told[1].startswith("(vacuum pump has stopped): its cause is gone")


def test_a_batch_that_was_aborted_when_the_vacuum_did_not_come_starts_again_after_reset():
    rig = prepared("evacuate")
    rig.plc.plant.chamber.leak_factor = 1.6e6
    while not rig.memory.unit.timeout:
        rig.step()
    assert asked(rig, Verb.ABORT)[1] in (UnitState.ABORTING, UnitState.ABORTED)  # before the unit was held
    assert "I12" in rig.record.verdict.active
    rig.plc.plant.chamber.leak_factor = 1.0
    while rig.memory.unit.state is not UnitState.ABORTED or rig.memory.unit.setpoints.atmosphere.name != "OFF":
        rig.step()
    assert "I12" in rig.record.verdict.active  # an alarm that nobody has dealt with
    assert asked(rig, Verb.RESET)[1] is UnitState.IDLE
    assert not {"I12", "I12T"} & set(rig.record.verdict.active)
    assert asked(rig, Verb.START, START)[1] is UnitState.RUNNING
    assert rig.step().unit_state is UnitState.RUNNING


@pytest.mark.parametrize(("lot", "starts"), [(None, True), ("PAI-TRIAL", True), ("PAI-2207", False)])
def test_a_roll_of_another_lot_than_the_parameters_is_not_started(lot, starts):
    rig = prepared("idle")
    rig.settings = rig.settings.model_copy(update={"estimator": rig.settings.estimator.model_copy(update={"lot": lot})})
    answer, state = asked(rig, Verb.START, START)
    assert (answer["accepted"], state is UnitState.RUNNING) == (starts, starts)
    assert starts or answer["answer"].startswith("resin_lot = 'PAI-TRIAL': PAI-2207, whose coupons gave the estimator's parameters")
