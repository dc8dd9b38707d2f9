"""Whole batches on virtual time: the ready recipes, faults on the way, and the judge who sees only the PLC's outputs and the truth."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from controller.journal.reader import JournalReader
from controller.journal.store import Journal
from controller.recipe.reading import read_recipe
from controller.recipe.states import UnitState, Verb
from sim import virtual
from sim.faults import FAULTS, clear, inject
from sim.virtual import LONGEST_SCAN_S
from tests.rigs import rig_at

ROOT = Path(__file__).parents[1]
WIRING = ROOT / "deploy" / "wiring.toml"
TRIAL = ROOT / "recipes" / "trial-short.toml"
SAMPLE = ROOT / "recipes" / "loads" / "sample-roll.toml"
ROLL = ROOT / "recipes" / "loads" / "production-roll.toml"


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """The short trial with seed 1, journaled."""
    journal = tmp_path_factory.mktemp("trial") / "journal.sqlite"
    return virtual.run(TRIAL, SAMPLE, WIRING, 1, journal=journal), journal


@pytest.fixture(scope="module")
def slow():
    """The same at the longest scan, without a journal."""
    return virtual.run(TRIAL, SAMPLE, WIRING, 1, LONGEST_SCAN_S)


@pytest.mark.slow
def test_the_short_trial_completes_safely_at_its_endpoint(trial):
    result, _ = trial
    assert (result.unit_state, result.unsafe) == ("COMPLETE", [])
    assert result.endpoint_at_s is not None
    assert result.residual_solvent["truth"] <= 0.015  # the recipe's limit
    assert not [alarm for alarm in result.alarms if alarm["effect"] in ("HOLD", "ABORT")]


@pytest.mark.slow
def test_the_estimate_is_honest_about_the_product(trial):
    result, _ = trial
    for belief in (result.residual_solvent, result.insoluble):
        assert belief["low"] <= belief["estimate"] <= belief["high"]
    assert result.insoluble["low"] <= result.insoluble["truth"] <= result.insoluble["high"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(slow):
    again = virtual.run(TRIAL, SAMPLE, WIRING, 1, LONGEST_SCAN_S)
    assert again.trace_sha256 == slow.trace_sha256
    assert again._replace(wall_s=0.0) == slow._replace(wall_s=0.0)
    assert virtual.run(TRIAL, SAMPLE, WIRING, 2, max_h=0.2).trace_sha256 != virtual.run(TRIAL, SAMPLE, WIRING, 1, max_h=0.2).trace_sha256


@pytest.mark.slow
def test_a_batch_at_the_longest_scan_is_as_safe_and_as_long_as_one_at_one_second(trial, slow):
    assert (slow.unit_state, slow.unsafe) == ("COMPLETE", [])
    assert slow.batch_s == pytest.approx(trial[0].batch_s, rel=0.01)


@pytest.mark.slow
def test_the_journal_of_a_virtual_batch_tells_every_phase(trial):
    with JournalReader(trial[1]) as reader:
        phases = [json.loads(found.payload) for found in reader.after(0, 1000, ["phase"])]
    recipe = read_recipe(TRIAL).recipe
    assert [phase["kind"] for phase in phases if phase["event"] == "end"] == [phase.kind for phase in recipe.phase]


@pytest.mark.slow
def test_what_a_virtual_batch_meant_to_do_has_an_outcome(trial):
    with JournalReader(trial[1]) as reader:
        meant, came = ({json.loads(one.payload)["number"] for one in reader.after(0, 100_000, [kind])} for kind in ("intent", "outcome"))
    assert meant
    assert meant == came


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vacuum", "nitrogen", "vacuum-nitrogen"])
def test_every_production_recipe_runs_to_its_endpoint_safely(name):
    result = virtual.run(ROOT / "recipes" / f"{name}.toml", ROLL, WIRING, 1, LONGEST_SCAN_S, forecast_s=3600.0)
    assert (result.unit_state, result.unsafe) == ("COMPLETE", [])
    assert result.endpoint_at_s is not None


@pytest.mark.slow
def test_a_batch_runs_with_the_controllers_own_zone_loops():
    result = virtual.run(TRIAL, SAMPLE, WIRING, 3, LONGEST_SCAN_S, direct=True)
    assert (result.unit_state, result.unsafe) == ("COMPLETE", [])


def test_the_command_prints_one_object_on_its_last_line():
    command = [sys.executable, "-m", "sim", "batch", str(TRIAL), "--max-h", "0.05", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 1  # the batch was not complete
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.keys() >= {"recipe", "seed", "unit_state", "result", "batch_s", "endpoint_at_s", "residual_solvent", "insoluble", "unsafe",
                            "alarms", "scans", "wall_s", "trace_sha256"}  # fmt: skip
    assert found["residual_solvent"].keys() == {"estimate", "low", "high", "truth"}


def steps(rig, seconds):
    for _ in range(seconds):
        rig.step()
    return rig.record


# fault, phase it strikes in, seconds it may take, what the unit must be then, a rule that must have been raised
STRIKES = [
    ("pump_trip", "RAMP", 60, UnitState.HELD, "I14"),
    ("exhaust_lost", "RAMP", 60, UnitState.HELD, "I15"),
    ("circulation_lost", "CURE", 60, UnitState.HELD, "I15"),
    ("estop", "CURE", 10, UnitState.ABORTED, "I2"),
    ("limiter", "RAMP", 10, UnitState.ABORTED, "I1"),
    ("door_forced", "RAMP", 10, UnitState.ABORTED, "I3T"),
    ("local", "RAMP", 10, UnitState.HELD, "I28L"),
    ("tc_two_open", "RAMP", 10, UnitState.HELD, "I21"),
    ("vac_valve_stuck_shut", "RAMP", 60, UnitState.HELD, "C1V"),
    ("pirani_open", "RAMP", 130, UnitState.HELD, "I4T"),  # redundant, but what it watched no one watches
    ("lel_high", "RAMP", 30, UnitState.HELD, "I16"),
    ("plc_power_cycle", "CURE", 30, UnitState.RESTARTING, "I28"),  # a short outage: it proves the atmosphere again and goes on
    ("plc_stopped", "RAMP", 40, UnitState.HELD, "I27"),
    ("plc_image_frozen", "CURE", 40, UnitState.HELD, "I27"),
    ("plc_write_ignored", "RAMP", 40, UnitState.HELD, "I28"),
]
SINGLE = ("tc_open", "tc_short", "tc_reversed", "tc_step", "tc_noise", "tc_infinite", "tc_drift", "limit_tc_open", "load_tc_open",
          "condensate_frozen", "roots_trip")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "phase", "within_s", "state", "rule"), STRIKES, ids=[f"{row[0]}-{row[1]}" for row in STRIKES])
def test_a_fault_brings_the_unit_to_its_safe_state_in_time(fault, phase, within_s, state, rule):
    rig = rig_at(phase)
    inject(rig.plc, fault)
    record = steps(rig, within_s)
    assert record.unit_state is state
    assert not record.outputs.heat_enable or state is UnitState.HELD
    assert any(kind == "alarm" and content["rule"] == rule and content["event"] == "raise" for _, kind, content in rig.notes)
    assert rig.unsafe == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", SINGLE)
def test_a_single_fault_of_a_redundant_sensor_never_stops_a_batch(fault):
    rig = rig_at("RAMP")
    inject(rig.plc, fault)
    assert steps(rig, 600).unit_state is UnitState.RUNNING
    clear(rig.plc, fault)
    assert steps(rig, 200).unit_state is UnitState.RUNNING


@pytest.mark.slow
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_no_fault_leads_to_an_unsafe_state(fault):
    rig = rig_at("RAMP")
    inject(rig.plc, fault)
    steps(rig, 400)
    clear(rig.plc, fault)
    steps(rig, 100)
    assert rig.unsafe == []


@pytest.mark.slow
def test_after_an_abort_the_oven_is_filled_with_nitrogen_and_cooled_and_never_vented_warm():
    rig = rig_at("CURE")
    rig.ask(Verb.ABORT)
    record = steps(rig, 3600)
    assert record.unit_state is UnitState.ABORTED
    assert record.process.pressure_mbar > 900
    assert record.outputs.exhaust_fan
    assert record.outputs.circulation
    assert not record.outputs.vent_valve
    assert rig.unsafe == []


@pytest.mark.slow
def test_a_held_batch_is_restarted_after_the_atmosphere_was_proven_again():
    rig = rig_at("RAMP")
    inject(rig.plc, "pump_trip")
    assert steps(rig, 120).unit_state is UnitState.HELD
    clear(rig.plc, "pump_trip")
    steps(rig, 30)
    rig.ask(Verb.RESTART)
    record = steps(rig, 1800)
    assert record.unit_state is UnitState.RUNNING
    assert record.phase_kind in ("RAMP", "SOAK")
    assert rig.unsafe == []


@pytest.mark.slow
def test_held_too_long_the_heat_goes_off_and_the_inerting_stays():
    rig = rig_at("CURE")
    rig.ask(Verb.HOLD)
    assert steps(rig, 60).outputs.heat_enable
    record = steps(rig, 900)
    assert not record.outputs.heat_enable
    assert record.outputs.vac_valve
    assert record.unit_state is UnitState.HELD


def test_a_full_journal_file_can_be_reported_on_its_own(tmp_path):
    path = tmp_path / "journal.sqlite"
    Journal(path, threaded=False).close()
    with pytest.raises(Exception, match="must be a new file"):
        virtual.run(TRIAL, SAMPLE, WIRING, 1, max_h=0.01, journal=path)
