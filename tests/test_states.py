"""The unit's states: the ISA-88 table, and what the scan makes of commands."""

from collections import deque
from pathlib import Path

import pytest

from controller.command import Command, Start
from controller.image import Atmosphere, Estimate, Interval, Mode
from controller.interlocks.conditioning import condition
from controller.interlocks.limits import Limits
from controller.memory import Memory
from controller.power_return import power_return
from controller.recipe.look import PhaseMemory, PhaseScan
from controller.recipe.phases import run
from controller.recipe.reading import parse_load, parse_recipe
from controller.recipe.states import FINAL, TABLE, Trigger, UnitState, Verb, allowed
from controller.scan import scan
from tests.images import BAD, bare, image

ROOT = Path(__file__).parents[1]
SOURCED = parse_recipe((ROOT / "recipes" / "trial-short.toml").read_text("utf-8"), "trial")
LOAD = parse_load((ROOT / "recipes" / "loads" / "sample-roll.toml").read_text("utf-8"), "load")
START = Start(SOURCED.recipe, SOURCED.sha256, SOURCED.text, LOAD)
SETTINGS = bare()


def command(verb, number=1, expected=None, **more):
    return Command(f"id-{number}", "anna", verb, expected, number, START if verb is Verb.START else None, **more)


def after(memory, *commands, seconds=1, **changed):
    """Scan ``seconds`` times with one image, the commands in the first scan; return memory and every note."""
    notes = []
    for second in range(seconds):
        memory, record = scan(SETTINGS, memory, image(at_s=100.0 + second, **changed), commands if second == 0 else ())
        notes += record.notes
    return memory, notes


def answers(notes):
    return [(note.content["verb"], note.content["accepted"], note.content["answer"]) for note in notes if note.kind == "command"]


def test_from_every_state_a_person_can_reach_an_end():
    reach = {state: {state} for state in UnitState}
    for state in UnitState:
        queue = deque([state])
        while queue:
            here = queue.popleft()
            for (source, trigger), target in TABLE.items():
                if source is here and trigger is not Trigger.POWER and target not in reach[state]:
                    reach[state].add(target)
                    queue.append(target)
    assert all(reach[state] & FINAL for state in UnitState)


def test_abort_is_possible_wherever_a_batch_is_live_and_final_states_lead_only_to_idle():
    live = set(UnitState) - FINAL - {UnitState.IDLE, UnitState.ABORTING}
    assert all((state, Trigger.ABORT) in TABLE for state in live)
    assert {target for (source, _), target in TABLE.items() if source in FINAL} == {UnitState.IDLE}


def test_start_begins_the_first_phase_and_says_what_runs():
    memory, notes = after(Memory(), command(Verb.START))
    assert memory.unit.state is UnitState.RUNNING
    start = next(note.content for note in notes if note.kind == "batch_start")
    assert (start["batch_id"], start["recipe_sha256"], start["user"]) == (1, SOURCED.sha256, "anna")
    assert start["recipe"] == SOURCED.text
    assert memory.outputs.mode is Mode.RUN
    assert memory.outputs.recipe_crc == int(SOURCED.sha256[:8], 16)


def test_abort_wins_in_the_same_scan_whatever_comes_with_it():
    running, _ = after(Memory(), command(Verb.START))
    memory, notes = after(running, command(Verb.HOLD, 2), command(Verb.STOP, 3), command(Verb.ABORT, 4), main_contactor=True)
    assert memory.unit.state is UnitState.ABORTING
    assert answers(notes)[0][:2] == ("ABORT", True)
    assert [accepted for _, accepted, _ in answers(notes)] == [True, False, False]


def test_start_and_abort_in_one_scan_leave_no_batch_running():
    memory, notes = after(Memory(), command(Verb.START, 1), command(Verb.ABORT, 2))
    assert [(verb, accepted) for verb, accepted, _ in answers(notes)] == [("ABORT", False), ("START", False)]
    assert answers(notes)[1][2] == "ABORT came in the same scan"
    assert memory.unit.state is UnitState.IDLE


def test_a_double_click_has_one_effect_and_one_answer():
    memory, notes = after(Memory(), command(Verb.START), command(Verb.START))
    assert len(answers(notes)) == 1
    _, again = after(memory, command(Verb.START))
    assert answers(again) == []


def test_a_command_that_expects_another_state_is_refused():
    memory, notes = after(Memory(), command(Verb.START, expected="HELD"))
    assert memory.unit.state is UnitState.IDLE
    assert answers(notes) == [("START", False, "the unit is IDLE, the command expected HELD")]


def test_a_refusal_found_before_the_scan_is_answered():
    _, notes = after(Memory(), command(Verb.START, refusal="the command is 99 s old"))
    assert answers(notes) == [("START", False, "the command is 99 s old")]


def test_a_start_names_what_blocks_it():
    _, notes = after(Memory(), command(Verb.START), door_closed_a=False)
    assert answers(notes)[0][1] is False
    assert "I3 (door not closed)" in answers(notes)[0][2]


def test_a_load_beyond_the_recipe_is_refused_at_the_start():
    heavy = START._replace(load=LOAD.model_copy(update={"length_m": 999.0}))
    _, notes = after(Memory(), command(Verb.START)._replace(start=heavy))
    assert "length_m = 999.0" in answers(notes)[0][2]


@pytest.mark.parametrize("verb", [Verb.HOLD, Verb.RESTART, Verb.STOP, Verb.ABORT])
def test_an_idle_unit_says_what_it_takes(verb):
    _, notes = after(Memory(), command(verb))
    assert answers(notes)[0][2] == f"{verb} is not possible in IDLE; possible: START, ACKNOWLEDGE"
    assert allowed(UnitState.IDLE) == ("START", "ACKNOWLEDGE")


def test_hold_then_restart_goes_back_to_the_same_phase():
    running, _ = after(Memory(), command(Verb.START))
    held, _ = after(running, command(Verb.HOLD, 2), seconds=3)
    assert held.unit.state is UnitState.HELD
    assert held.outputs.mode is Mode.HOLD
    again, _ = after(held, command(Verb.RESTART, 3), seconds=3)
    assert again.unit.state is UnitState.RUNNING
    assert again.unit.phase_index == running.unit.phase_index


def test_an_interlock_holds_and_a_restart_is_refused_while_it_stands():
    running, _ = after(Memory(), command(Verb.START))
    held, notes = after(running, seconds=3, remote=False)
    assert held.unit.state is UnitState.HELD
    assert any(note.kind == "alarm" and note.content["rule"] == "I28L" and note.content["first_out"] for note in notes)
    _, notes = after(held, command(Verb.RESTART, 2), remote=False)
    assert "I28L" in answers(notes)[0][2]
    again, notes = after(held, command(Verb.RESTART, 3), seconds=2)
    assert answers(notes)[0][1]
    assert again.unit.state is UnitState.RUNNING


def test_an_abort_interlock_ends_the_batch_and_never_looks_complete():
    running, _ = after(Memory(), command(Verb.START))
    memory, notes = after(running, seconds=3, estop_ok=False)
    assert memory.unit.state is UnitState.ABORTED
    end = next(note.content for note in notes if note.kind == "batch_end")
    assert end["result"] == "ABORTED"
    assert "I2" in end["why"]
    assert memory.outputs.mode is Mode.ABORT


def test_reset_brings_an_ended_unit_back_to_idle_and_forgets_the_batch():
    running, _ = after(Memory(), command(Verb.START))
    ended, _ = after(running, command(Verb.STOP, 2), seconds=3)
    assert ended.unit.state is UnitState.STOPPED
    idle, _ = after(ended, command(Verb.RESET, 3))
    assert (idle.unit.state, idle.unit.batch, idle.last_batch_id) == (UnitState.IDLE, None, 1)


@pytest.mark.parametrize("state", [UnitState.RUNNING, UnitState.HOLDING, UnitState.HELD, UnitState.RESTARTING])
def test_a_restarted_core_comes_back_held_without_heat_and_without_a_proven_atmosphere(state):
    running, _ = after(Memory(), command(Verb.START))
    before = running._replace(unit=running.unit._replace(state=state))
    memory, _ = power_return(before, image(at_s=500.0), SETTINGS, 60.0)
    assert memory.unit.state is UnitState.HELD
    assert not memory.unit.setpoints.heat
    assert not memory.proof.proven


@pytest.mark.parametrize("state", [UnitState.STOPPING, UnitState.ABORTING, *FINAL])
def test_a_restart_does_not_revive_a_batch_that_was_ending(state):
    running, _ = after(Memory(), command(Verb.START))
    memory, _ = power_return(running._replace(unit=running.unit._replace(state=state)), image(), SETTINGS, 1.0)
    assert memory.unit.state is state


def test_the_same_memory_inputs_and_commands_give_the_same_record():
    running, _ = after(Memory(), command(Verb.START), seconds=20)
    first = scan(SETTINGS, running, image(at_s=300.0), (command(Verb.HOLD, 9),))
    second = scan(SETTINGS, running, image(at_s=300.0), (command(Verb.HOLD, 9),))
    assert first == second


def test_a_refused_reset_clears_no_latch():
    tripped, _ = after(Memory(), command(Verb.START), seconds=1)
    held, _ = after(tripped, seconds=5, exhaust_lel_pct=30.0)
    assert "I16" in held.interlocks.active
    still, notes = after(held, command(Verb.RESET, 2, expected="ABORTED"))
    assert not answers(notes)[0][1]
    assert "I16" in still.interlocks.active
    gone, _ = after(still, command(Verb.RESET, 3, expected="HELD"))
    assert "I16" not in gone.interlocks.active


def test_reset_of_a_hot_unit_resets_its_trips_and_keeps_the_inerting():
    running, _ = after(Memory(), command(Verb.START))
    hot = {f"z{zone}_tc_{sensor}_c": 250.0 for zone in (1, 2, 3) for sensor in "abc"}
    warmed = running._replace(unit=running.unit._replace(was_heated=True))
    ended, _ = after(warmed, command(Verb.ABORT, 2), seconds=5, **hot)
    memory, notes = after(ended, command(Verb.RESET, 3), seconds=3, **hot)
    assert memory.unit.state is UnitState.ABORTED
    assert "stays ABORTED" in answers(notes)[0][2]
    assert memory.outputs.n2_valve
    assert memory.outputs.exhaust_fan
    cold, _ = after(memory, seconds=3)
    unwashed, notes = after(cold, command(Verb.RESET, 4))
    assert unwashed.unit.state is UnitState.ABORTED  # the PLC would not open the door either (I19)
    washed, _ = after(unwashed, seconds=600, n2_flow_nm3_h=60.0, exhaust_valve_open=True)
    idle, _ = after(washed, command(Verb.RESET, 5))
    assert idle.unit.state is UnitState.IDLE


def test_a_restart_proves_the_atmosphere_with_the_sites_own_limits():
    """Limits of 30/700 mbar and three cycles: the purge goes a fifth beyond them, down to 24 and up to 875 mbar, three times."""
    limits = Limits(cycle_low_mbar=30.0, cycle_high_mbar=700.0, proof_cycles=3)
    settings = bare(limits=limits)
    running, _ = after(Memory(), command(Verb.START))
    ramp = next(index for index, phase in enumerate(SOURCED.recipe.phase) if phase.kind == "RAMP")
    restarts = running.unit._replace(state=UnitState.RESTARTING, phase_index=ramp, temp_sp_c=80.0)
    memory = running._replace(unit=restarts, proof=running.proof._replace(leak_ok=True))
    pressure, asked = 1013.0, []
    for second in range(400):
        down = memory.unit.setpoints.atmosphere is Atmosphere.VACUUM
        pressure = max(pressure - 20.0, 15.0) if down else min(pressure + 20.0, 1013.0)
        out = memory.outputs
        seen = {"pressure_cap_mbar": pressure, "pressure_pirani_mbar": pressure, "pump_run": True, "roots_run": out.roots}
        seen |= {"echo_counter": second, "n2_flow_nm3_h": 150.0 if out.n2_valve else 0.0}  # 20 mbar/s
        for valve in ("vac", "n2"):
            wanted = getattr(out, f"{valve}_valve")
            seen |= {f"{valve}_valve_open": wanted, f"{valve}_valve_closed": not wanted}
        memory, record = scan(settings, memory, image(at_s=200.0 + second, **seen), ())
        asked.append((record.setpoints.atmosphere, record.setpoints.pressure_mbar))
        if memory.unit.reproof.cycles == 3:
            break
    assert memory.unit.reproof.cycles == 3
    assert (Atmosphere.VACUUM, pytest.approx(0.8 * 24.0)) in asked
    assert (Atmosphere.BACKFILL, pytest.approx(875.0 + 5.0)) in asked


def soaking(limits, estimate, seconds=20, **changed):
    """Return the soak time that a soak at 120 degC counts in ``seconds`` with ``estimate``."""
    soak = next(phase for phase in SOURCED.recipe.phase if phase.kind == "SOAK")
    zones = {f"z{zone}_tc_{sensor}_c": 120.0 for zone in (1, 2, 3) for sensor in "abc"}
    loads = {"load_outer_c": 121.0, "load_edge_c": 120.0, "load_core_c": 119.0} | changed
    inputs = image(**zones | loads, pressure_cap_mbar=60.0, pressure_pirani_mbar=60.0)
    look = PhaseScan(
        inputs, condition(limits, inputs), estimate, None, 1.0, 120.0, False, 2.0, 60.0, load_substitute=limits.load_substitute
    )
    memory = PhaseMemory(stage=1)
    for _ in range(seconds):
        memory = run(soak, memory, look).memory
    return memory.counted_s


ZERO = Interval(0.0, 0.0, 0.0)
WARM = Estimate(118.0, 121.0, ZERO, ZERO, 0.0, 0.0, ZERO, None, True, "", ())
COLD = WARM._replace(film_min_c=90.0)
ALLOWED, TWO_REQUIRED = Limits(load_substitute=True), Limits(load_required=("outer", "edge"))
SOAKS = [
    (Limits(), WARM, {}, 20.0),
    (Limits(), WARM, {"load_core_c": BAD}, 0.0),  # the engineer has allowed nothing
    (ALLOWED, WARM, {"load_core_c": BAD}, 20.0),
    (ALLOWED, COLD, {"load_core_c": BAD}, 0.0),  # the coldest film is below the band
    (ALLOWED, WARM._replace(film_max_c=140.0), {"load_core_c": BAD}, 0.0),  # or the hottest above it
    (ALLOWED, WARM._replace(valid=False), {"load_core_c": BAD}, 0.0),
    (ALLOWED, WARM, {"load_core_c": BAD, "load_edge_c": 90.0}, 0.0),  # a thermocouple that reads still counts
    (TWO_REQUIRED, WARM, {"load_core_c": BAD}, 20.0),
    (TWO_REQUIRED, WARM, {"load_edge_c": BAD}, 0.0),
]


@pytest.mark.parametrize(("limits", "estimate", "changed", "counted_s"), SOAKS)
def test_a_lost_load_thermocouple_is_replaced_only_where_the_site_allows_it_and_the_estimate_is_valid(limits, estimate, changed, counted_s):
    assert soaking(limits, estimate, **changed) == counted_s


@pytest.mark.parametrize(("zone_c", "counted_s"), [(114.9, 0.0), (115.0, 20.0), (124.0, 20.0), (BAD, 20.0)])
def test_no_time_counts_while_a_single_zone_is_far_below_the_target(zone_c, counted_s):
    # an element is open in zone 2: the mean of the zones and the load hide it, in a band of 12 degC
    assert soaking(Limits(), WARM, **{f"z2_tc_{sensor}_c": zone_c for sensor in "abc"}) == counted_s


def test_a_timeout_that_held_the_batch_can_be_restarted():
    running, _ = after(Memory(), command(Verb.START))
    late = running._replace(unit=running.unit._replace(timeout="I12"))
    held, _ = after(late, seconds=3)
    assert held.unit.state is UnitState.HELD
    again, notes = after(held, command(Verb.RESTART, 2), seconds=3)
    assert answers(notes)[0][1], answers(notes)
    assert again.unit.state is UnitState.RUNNING


def test_a_suspended_phase_still_times_out():
    running, _ = after(Memory(), command(Verb.START))
    memory = running
    for second in range(6):
        valve = memory.outputs.vac_valve
        seen = {"pump_run": True, "vac_valve_open": valve, "vac_valve_closed": not valve, "n2_header_bar": 1.0}
        seen["pressure_cap_mbar"] = 1013.0 - 40.0 * second  # the gauge follows the pump (I4F)
        seen["echo_counter"] = second
        memory, _ = scan(SETTINGS, memory, image(at_s=200.0 + 700 * second, dt_s=700.0 if second else 1.0, **seen), ())
    assert memory.unit.state in (UnitState.STOPPING, UnitState.STOPPED)  # the leak test's on_timeout


def test_states_keep_their_numbers_in_journals_and_on_the_wires():
    names = ("IDLE", "RUNNING", "HOLDING", "HELD", "RESTARTING", "STOPPING", "STOPPED", "ABORTING", "ABORTED", "COMPLETE")
    assert {state.name: state.value for state in UnitState} == dict(zip(names, range(10), strict=True))
