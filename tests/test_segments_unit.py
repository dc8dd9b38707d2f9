"""The unit on its way through new kinds of phase: branches that wait, limits, leak rates of many batches, and the ways to end."""

import json
from pathlib import Path

import pytest

from controller.image import Atmosphere, Estimate, Interval
from controller.interlocks.conditioning import condition
from controller.interlocks.limits import Limits
from controller.memory import Memory
from controller.recipe import resting, run, standing
from controller.recipe.flow import Leak
from controller.recipe.look import PhaseMemory, PhaseScan
from controller.recipe.reading import parse_recipe, read_load
from controller.recipe.standing import Batch, UnitMemory
from controller.recipe.states import Trigger, UnitState
from controller.recorder import MEMORY, Recorder, interval_s
from tests.images import image
from tests.test_segments_flow import ASK, END, HEAD, LEAK, SAMPLE, branch, labelled

ROOT = Path(__file__).parents[1]
ZERO = Interval(0.0, 0.0, 0.0)
BELIEF = Estimate(23.0, 23.0, ZERO, ZERO, 0.0, 0.0, ZERO, None, True, "", ())
LOAD = read_load(SAMPLE)


def unit(*phases, **changed):
    """Return a unit that has just started a batch of ``phases``."""
    recipe = parse_recipe(HEAD + "".join(phases), "r").recipe
    return standing.begin(UnitMemory(), Batch(1, recipe, "0" * 64, LOAD, "anna", 0.0))[0]._replace(**changed)


def stepped(memory, at_s=100.0, dt_s=1.0, suspended="", **changed):
    inputs = image(at_s=at_s, dt_s=dt_s, **{"pressure_cap_mbar": 1013.0, "pressure_pirani_mbar": 1013.0, **changed})
    look = PhaseScan(inputs, condition(Limits(), inputs), BELIEF, None, dt_s, memory.temp_sp_c, False, 2.0, 60.0, roll_ids=LOAD.roll_ids)
    return run.step(memory, look, False, suspended)


def decisions(notes, what):
    return [str(note.content["why"]) for note in notes if note.kind == "decision" and note.content["what"] == what]


def test_a_phase_goes_on_while_the_branch_behind_it_has_no_result_and_its_timeout_takes_the_straight_way():
    again = '[[phase]]\nkind = "WAIT"\ntag = "pump_run"\nequals = false\ntimeout_min = 1.0\non_timeout = "CONTINUE"\n'
    memory = unit(ASK, again, branch("end"), LEAK, labelled(END, "end"), phase_index=1)
    for _ in range(3):
        memory, waiting, notes = stepped(memory)
        assert (memory.phase_index, notes) == (1, ())
        assert waiting == "done, but BRANCH to end: nobody has answered"
    memory, _, notes = stepped(memory, dt_s=60.0)
    memory, _, more = stepped(memory)
    assert memory.phase_index == 3
    assert decisions((*notes, *more), "timeout")


def test_an_answer_is_kept_for_branches_to_come_and_a_wrong_one_is_not():
    question = ASK + 'entry = "CHOICE"\nchoices = ["yes", "no"]\n'
    memory = unit(question, branch("end"), LEAK, labelled(END, "end"))
    memory, _, _ = stepped(memory)
    assert memory.phase.asked == "Go on?"
    memory, waiting, _ = stepped(memory._replace(phase=memory.phase._replace(answer="maybe")))
    assert "'maybe' is none of yes, no" in waiting
    memory, _, notes = stepped(memory._replace(phase=memory.phase._replace(answer="no")))
    assert memory.phase_index == 3
    assert decisions(notes, "branch") == ["BRANCH to end: the answer is 'no'; goes to end"]


def leak_tested(memory, rise_mbar):
    """Finish the leak test with that rise in its 5 min."""
    memory = memory._replace(phase=PhaseMemory(stage=2, gauge="pressure_cap_mbar", mark=10.0, stage_s=240.0))
    pressure = 10.0 + rise_mbar
    return stepped(memory, dt_s=60.0, pressure_cap_mbar=pressure, pressure_pirani_mbar=pressure)


def test_a_no_go_leak_test_leads_where_the_recipe_says_and_is_no_proof():
    recipe = (LEAK + 'on_fail = "CONTINUE"\n', branch("end", "LEAK_TEST", ""), LEAK, labelled(END, "end"))
    bad, _, notes = leak_tested(unit(*recipe), 5.0)
    assert (bad.phase_index, bad.leak_ok, bad.failed) == (3, False, "")
    assert decisions(notes, "branch") == ["BRANCH to end: leak test no-go; goes to end"]
    good, _, _ = leak_tested(unit(*recipe), 0.1)
    assert (good.phase_index, good.leak_ok) == (2, True)


def test_leak_rates_outlive_their_batch_and_warn_when_they_grow():
    memory = unit(LEAK, END, leaks=tuple(Leak(float(day), 1.0) for day in range(12)))
    memory, _, notes = leak_tested(memory, 0.25)  # 3 mbar/h
    assert len(memory.leaks) == 12
    assert memory.leaks[-1].rate_mbar_h == pytest.approx(3.0)
    assert "median of the last 11 is 1.00" in memory.leak_grows
    assert decisions(notes, "leak trend") == [memory.leak_grows]
    idle, _ = standing.move(memory._replace(state=UnitState.COMPLETE), Trigger.RESET, "RESET")
    assert idle.leaks == memory.leaks
    calm, _, _ = leak_tested(unit(LEAK, END, leaks=memory.leaks), 0.08)
    assert calm.leak_grows == ""


@pytest.mark.parametrize(("action", "state"), [("HOLD", UnitState.RUNNING), ("STOP", UnitState.STOPPING), ("CONTINUE", UnitState.RUNNING)])
def test_the_longest_holdback_ends_as_the_recipe_says(action, state):
    ramp = (
        f'[[phase]]\nkind = "RAMP"\ntarget_c = 150.0\nrate_c_per_min = 2.0\natmosphere = "VACUUM"\npressure_mbar = 10.0\n'
        f'timeout_min = 600.0\nholdback_max_min = 1.0\non_holdback = "{action}"\n'
    )
    memory = unit(ramp, LEAK, END, temp_sp_c=100.0)
    memory, _, notes = stepped(memory, dt_s=60.0, pressure_cap_mbar=10.0, pressure_pirani_mbar=10.0)  # the oven is at 23 degC
    assert memory.state is state
    assert f"on_holdback = {action}" in decisions(notes, "holdback")[0]
    assert memory.timeout == ("I26" if action == "HOLD" else "")
    assert memory.phase_index == (1 if action == "CONTINUE" else 0)


ENDS = [  # action, pressure, heated -> atmosphere, may go to IDLE
    ("COOL_GAS", 1013.0, False, Atmosphere.AIR, True),
    ("COOL_GAS", 50.0, False, Atmosphere.BACKFILL, False),
    ("INERT", 1013.0, True, Atmosphere.N2_FLOW, True),
    ("INERT", 50.0, True, Atmosphere.BACKFILL, False),
    ("OFF", 50.0, True, Atmosphere.OFF, True),
]


@pytest.mark.parametrize(("action", "pressure_mbar", "heated", "atmosphere", "rests"), ENDS)
def test_a_batch_ends_as_its_last_phase_says(action, pressure_mbar, heated, atmosphere, rests):
    memory = unit(LEAK, END + f'action = "{action}"\n', state=UnitState.COMPLETE, was_heated=heated)
    memory, _, _ = stepped(memory, pressure_cap_mbar=pressure_mbar, pressure_pirani_mbar=pressure_mbar)
    assert (memory.setpoints.atmosphere, resting.at_rest(memory)) == (atmosphere, rests)
    assert not memory.setpoints.heat
    assert not (memory.setpoints.door_release and action != "COOL_GAS" and rests)  # nobody opens what is kept inert or evacuated


def test_a_hot_load_is_cooled_with_gas_whatever_the_end_says():
    hot = {f"z{zone}_tc_{sensor}_c": 90.0 for zone in (1, 2, 3) for sensor in "abc"}
    memory = unit(LEAK, END + 'action = "OFF"\n', state=UnitState.COMPLETE, was_heated=True)
    memory, _, _ = stepped(memory, **hot)
    assert memory.setpoints.atmosphere is Atmosphere.N2_FLOW


def test_a_phase_says_how_often_it_is_recorded():
    memory = unit(LEAK + "record_s = 10.0\n", END)
    assert (interval_s(memory), interval_s(memory._replace(state=UnitState.HELD))) == (10.0, 1.0)
    assert Recorder(600.0)._every_s == 1.0


def test_a_checkpoint_of_an_older_release_still_loads():
    """It is a list by place: what a release adds stands at the end and may be missing."""
    memory = unit(LEAK, END)
    stored = json.loads(MEMORY.dump_json(Memory(unit=memory)))
    stored[0] = stored[0][: UnitMemory._fields.index("cause") + 1]
    stored[0][UnitMemory._fields.index("phase")] = stored[0][UnitMemory._fields.index("phase")][: PhaseMemory._fields.index("begun")]
    assert MEMORY.validate_json(json.dumps(stored)).unit == memory


def test_a_key_at_its_default_is_not_written_so_that_an_older_recipe_keeps_its_hash():
    assert "allow_skip" not in unit(LEAK, END).batch.recipe.model_dump_json()
    assert "allow_skip" in unit(LEAK + "allow_skip = false\n", END).batch.recipe.model_dump_json()


@pytest.mark.parametrize("trigger", [Trigger.STOP, Trigger.ABORT, Trigger.DONE])
def test_a_batch_that_ends_while_it_heats_is_without_heat_in_that_very_scan(trigger):
    heating = UnitMemory(state=UnitState.RUNNING)
    heating = heating._replace(setpoints=heating.setpoints._replace(heat=True))
    ended, notes = standing.move(heating, trigger, "a timeout in the middle of the scan")
    assert notes
    assert not ended.setpoints.heat


def test_a_phase_without_a_timeout_waits_while_it_is_suspended():
    memory = unit(LEAK, END, phase_index=1)
    for _ in range(3):
        memory, waiting, notes = stepped(memory, dt_s=600.0, suspended="I11")
        assert (memory.state, memory.timeout, waiting, notes) == (UnitState.RUNNING, "", "suspended by I11", ())
    memory, _, _ = stepped(memory)
    assert memory.state is UnitState.COMPLETE
