"""The two pressure gauges: what they make of each other, of N2 and of the pump; frozen ones are found before the relief lifts."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller.control import gas, pid
from controller.image import Atmosphere, Setpoints
from controller.interlocks import gauges
from controller.interlocks.atmosphere import Proof
from controller.interlocks.atmosphere import step as prove
from controller.interlocks.conditioning import condition, gauges_believed
from controller.interlocks.evaluate import BY_ID
from controller.interlocks.gauges import Watch, contradict
from controller.interlocks.limits import Limits
from controller.recipe.look import PhaseMemory, PhaseScan
from controller.recipe.model import LeakTest
from controller.recipe.phases import run
from controller.recipe.states import UnitState, Verb
from controller.tags import Quality, Sample
from sim.faults import clear, inject
from tests.causes import fault, leaks, runs, together
from tests.images import BAD, image
from tests.rigs import prepared, rig_at
from tests.test_guard import BELIEF
from tests.test_interlocks import view

LIMITS = Limits()
ROOT = Path(__file__).parents[1]


def both(exact, pirani):
    return image(pressure_cap_mbar=exact, pressure_pirani_mbar=pirani)


PAIRS = [
    (1013.0, 1000.0, False),
    (1013.0, 130.0, False),  # a Pirani gauge near ambient pressure says "not vacuum" and no more
    (1013.0, 1200.0, False),
    (1013.0, 50.0, False),
    (1013.0, 39.0, True),  # this is vacuum
    (20.0, 1100.0, True),
    (39.0, 1100.0, True),
    (41.0, 1100.0, True),  # so far beyond its range it denies a vacuum
    (99.9, 250.1, True),
    (99.9, 250.0, False),
    (100.0, 1100.0, False),
    (5.0, 10.0, False),  # NMP vapour: up to twice
    (5.0, 2.5, False),  # a heavy gas: down to a half
    (5.0, 12.6, True),
    (5.0, 1.9, True),
    (0.3, 1.2, False),  # inside the absolute band: the capacitance gauge's zero
    (0.0, 2.1, True),
    (BAD, 5.0, False),
    (5.0, BAD, False),
]


@pytest.mark.parametrize(("exact", "pirani", "found"), PAIRS)
def test_what_contradicts(exact, pirani, found):
    assert contradict(LIMITS, both(exact, pirani)) is found


@pytest.mark.parametrize("true_mbar", [0.5, 2.0, 8.0, 30.0, 90.0, 300.0, 1013.0])
@pytest.mark.parametrize("vapour", [0.0, 1.0])
@pytest.mark.parametrize("gain", [0.87, 1.13])
def test_a_sound_pair_is_left_alone(true_mbar, vapour, gain):
    """The widest a sound Pirani gauge is off: vapour conducts 1.6 times better, 2.6 sd of its calibration."""
    assert not contradict(LIMITS, both(true_mbar, true_mbar * (1 + 0.6 * vapour) * gain))


def watched(seconds, pressure, throttle_pct=0.0, watch=Watch(), **changed):  # noqa: B008
    for second in range(seconds):
        watch = gauges.step(watch, LIMITS, 2.0, image(pressure_cap_mbar=pressure(second), **changed), throttle_pct)
    return watch


FEED = {"n2_valve_open": True, "n2_valve_closed": False, "n2_flow_nm3_h": 60.0}  # 8.4 mbar/s in 2 m3 at 0 degC
PUMP = {"vac_valve_open": True, "vac_valve_closed": False, "pump_run": True}


def test_a_gauge_that_does_not_follow_n2_is_found_within_thirty_millibar():
    seconds = next(n for n in range(1, 60) if watched(n, lambda _: 500.0, **FEED).frozen)
    assert 60.0 / 3600 / 2.0 * 1013.25 * (seconds - 1) == pytest.approx(30.0, abs=10.0)
    assert not watched(90, lambda s: 20.0 + 8.4 * s, **FEED).frozen
    assert not watched(90, lambda s: 20.0 + 4.0 * s, **FEED).frozen  # a chamber twice as large as the configuration says


@pytest.mark.parametrize("changed", [{"exhaust_valve_closed": False}, {"vac_valve_closed": False}, {"n2_flow_nm3_h": BAD}])
def test_where_the_gas_may_leave_nothing_is_said(changed):
    assert not watched(300, lambda _: 500.0, **{**FEED, **changed}).frozen


def test_a_gauge_that_does_not_follow_the_pump_is_found_after_a_minute():
    assert not watched(60, lambda _: 400.0, 100.0, **PUMP).frozen
    assert watched(70, lambda _: 400.0, 100.0, **PUMP).frozen
    assert not watched(300, lambda _: 400.0, 30.0, **PUMP).frozen  # throttled
    assert not watched(300, lambda _: 60.0, 100.0, **PUMP).frozen  # here the Pirani gauge tells
    assert not watched(300, lambda s: 1013.0 * 0.99**s + 100.0, 100.0, **PUMP).frozen


def test_the_estimate_sees_no_gauge_that_is_no_pressure():
    seen = image(pressure_cap_mbar=400.0, pressure_pirani_mbar=3.0)
    assert gauges_believed(LIMITS, seen, Watch()) is seen
    frozen = gauges_believed(LIMITS, seen, Watch(frozen=True))
    assert (frozen.pressure_cap_mbar.value, frozen.pressure_pirani_mbar.value) == (None, 3.0)
    lying = gauges_believed(LIMITS, seen, Watch(contradict_s=LIMITS.gauge_s))
    assert (lying.pressure_cap_mbar.value, lying.pressure_pirani_mbar.value) == (None, None)


def test_a_frozen_gauge_stays_so_until_it_moves():
    found = watched(70, lambda _: 400.0, 100.0, **PUMP)
    assert watched(100, lambda _: 400.0, watch=found).frozen
    assert not watched(2, lambda _: 380.0, watch=found).frozen


def test_a_frozen_gauge_is_replaced_by_the_pirani_only_in_vacuum():
    frozen = Watch(frozen=True, mark_mbar=400.0)
    assert condition(LIMITS, both(400.0, 30.0), frozen).pressure_mbar == 30.0
    assert condition(LIMITS, both(400.0, 300.0), frozen).pressure_mbar is None


def test_a_contradiction_is_no_pressure_once_it_has_stood():
    inputs = both(5.0, 50.0)
    proof, known = Proof(boot_id=7), []
    for _ in range(30):
        process = condition(LIMITS, inputs, proof.gauges)
        known.append(process.pressure_mbar is not None)
        proof = prove(proof, LIMITS, 2.0, inputs, process, False, 0.0)
    assert known == [True] * 20 + [False] * 10
    for calm in (both(5.0, 6.0), both(5.0, 6.0)):
        process = condition(LIMITS, calm, proof.gauges)
        proof = prove(proof, LIMITS, 2.0, calm, process, False, 0.0)
    assert process.pressure_mbar is not None


TUNING = pid.Tuning(gain=120.0, integral_s=60.0)
FLOW = Setpoints(False, 100.0, 0.0, Atmosphere.N2_FLOW, 1013.0, 40.0)


@pytest.mark.parametrize(("opened", "goes_on"), [(True, True), (False, False)])
def test_without_a_pressure_the_inerting_goes_on_only_while_its_way_out_is_open(opened, goes_on):
    inputs = image(pressure_cap_mbar=BAD, exhaust_valve_open=opened, exhaust_valve_closed=not opened)
    _, out = gas.step(gas.GasMemory(exhaust=True), TUNING, FLOW, inputs, condition(LIMITS, inputs), 1.0)
    assert out.n2_valve is goes_on
    assert out.exhaust_valve is goes_on
    assert out.services


LEAK = LeakTest(kind="LEAK_TEST", pressure_mbar=4.0, hold_min=5.0, max_rise_mbar_h=10.0, timeout_min=40.0)


def leak_tested(exact, pirani):
    """Run the leak test with both gauges as functions of time; return the last step."""
    m = PhaseMemory()
    for second in range(600):
        inputs = both(exact(second), pirani(second))
        scan = PhaseScan(inputs, condition(LIMITS, inputs), BELIEF, None, 1.0, 0.0, False, 2.0, 60.0)
        done = run(LEAK, m, scan)
        m = done.memory
        if done.done or done.failed:
            break
    return done


def test_a_leak_test_uses_one_gauge_where_the_choice_of_gauges_changes_on_the_way():
    """The chosen gauge changes at 5 mbar, from a Pirani gauge 20 % high to the capacitance gauge: the rise is 6 mbar/h by either."""
    done = leak_tested(lambda s: 3.9 + max(0, s - 60) / 600, lambda s: 1.2 * (3.9 + max(0, s - 60) / 600) - 0.7)
    assert done.done, done.waiting
    assert "rise 6.00 mbar/h" in done.why


def test_a_gauge_lost_on_the_way_starts_the_leak_test_anew():
    done = leak_tested(lambda s: BAD if s == 300 else 3.0, lambda s: 3.2)
    assert not done.done
    assert done.memory.stage == 2
    assert done.memory.stage_s < 200.0
    assert leak_tested(lambda _: BAD, lambda s: 3.2 + 0.001 * (s % 2)).done  # the Pirani gauge alone from beginning to end


# fault, phase, seconds into it: held before the relief, no unsafe state
STRIKES = [
    ("gauge_frozen", "LEAK_TEST", 0),
    ("gauge_frozen", "CYCLE_PURGE", 0),
    ("gauge_frozen", "CYCLE_PURGE", 60),
    ("gauge_frozen", "RAMP", 0),
    ("gauge_range", "CYCLE_PURGE", 0),
    ("gauge_range", "SOAK", 0),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "phase", "seconds"), STRIKES, ids=[f"{row[0]}-{row[1]}-{row[2]}" for row in STRIKES])
def test_a_lying_gauge_is_found_before_the_relief_lifts(fault, phase, seconds):
    rig = rig_at(phase)
    for _ in range(seconds):
        rig.step()
    inject(rig.plc, fault)
    before, lifted = len(rig.notes), False
    for _ in range(10_000):  # one that froze in a vacuum that is held is found by the first pressure-rise test of the cure
        record = rig.step()
        lifted = lifted or rig.plc.plant.chamber.relief_lifted
        if record.unit_state is not UnitState.RUNNING:
            break
    for _ in range(600):
        record = rig.step()
        lifted = lifted or rig.plc.plant.chamber.relief_lifted
    assert record.unit_state is UnitState.HELD
    assert {"I4G", "I4F"} & {content["rule"] for _, kind, content in rig.notes[before:] if kind == "alarm" and content["event"] == "raise"}
    assert not record.outputs.heat_enable
    assert not lifted
    assert rig.unsafe == []


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["PURGE_FLOW", "RAMP"])
def test_a_gauge_frozen_in_flowing_nitrogen_never_lifts_the_relief(phase):
    rig = rig_at(phase, recipe=ROOT / "recipes" / "nitrogen.toml", load=ROOT / "recipes" / "loads" / "production-roll.toml")
    inject(rig.plc, "gauge_frozen")
    lifted = False
    for _ in range(3600):
        rig.step()
        lifted = lifted or rig.plc.plant.chamber.relief_lifted
    assert not lifted
    assert rig.unsafe == []


@pytest.mark.parametrize("lost", ["pirani_open", "gauge_open"])
def test_a_hot_vacuum_that_one_gauge_watches_is_told_at_once_and_held_without_heat_before_the_other_can_fail_unseen(lost):
    rig = prepared("vacuum")
    rig.notes.clear()
    inject(rig.plc, lost)
    assert runs(rig, None, 15, until="I4L") is not None
    assert rig.record.unit_state is UnitState.RUNNING
    assert runs(rig, None, 150, until="I4T") is not None
    if lost == "pirani_open":  # the second fault: the gauge that is left freezes, and then air comes in
        inject(rig.plc, "gauge_frozen")
        rig.plc.plant.chamber.leak_factor = 3e5
    for _ in range(1200):
        rig.step()
    assert rig.record.unit_state is UnitState.HELD
    assert not rig.plc.plant.field.main_closed
    assert rig.unsafe == []


def test_a_gauge_that_an_oven_does_not_have_is_not_lost():
    known = view({})
    absent, lost = (Sample[float](None, quality, 0.0) for quality in (Quality.ABSENT, Quality.BAD_SENSOR))
    assert BY_ID["I4L"].when(replace(known, inputs=known.inputs._replace(pressure_pirani_mbar=absent))) is False
    assert BY_ID["I4L"].when(replace(known, inputs=known.inputs._replace(pressure_pirani_mbar=lost))) is True


def test_a_hot_unit_that_stops_in_flowing_nitrogen_keeps_the_flow_without_its_gauge_and_ends_cold():
    rig = prepared("nitrogen")
    runs(rig, None, 1800)
    rig.ask(Verb.STOP)
    runs(rig, None, 120)
    inject(rig.plc, "gauge_open")
    flows, lowest_pa = [], 1e9
    for _ in range(12 * 3600):
        record = rig.step()
        lowest_pa = min(lowest_pa, rig.plc.plant.chamber.pressure_pa)
        if record.unit_state is not UnitState.STOPPING:
            break
        flows.append(record.outputs.n2_valve and record.outputs.exhaust_valve)
    assert all(flows)
    assert lowest_pa > 1.0e5
    assert record.unit_state is UnitState.STOPPED
    runs(rig, None, 10)
    assert rig.record.setpoints.atmosphere is Atmosphere.OFF
    assert not rig.record.outputs.door_release
    assert rig.unsafe == []


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.ABORT])
def test_a_hot_vacuum_without_its_gauge_is_kept_by_the_pump_and_filled_when_the_gauge_is_back(verb):
    rig = prepared("vacuum")
    inject(rig.plc, "gauge_open")
    runs(rig, None, 30)
    rig.ask(verb)
    highest_pa = 0.0
    for _ in range(1200):
        rig.step()
        highest_pa = max(highest_pa, rig.plc.plant.chamber.pressure_pa)
    assert highest_pa < 1e4  # still a vacuum, and still seen
    assert "vacuum is kept" in rig.record.waiting
    clear(rig.plc, "gauge_open")
    runs(rig, None, 600)
    assert rig.plc.plant.chamber.pressure_pa > 1.0e5
    assert rig.record.setpoints.atmosphere is Atmosphere.N2_FLOW
    assert rig.unsafe == []


STILL = {"pressure_cap_mbar": 60.0, "pressure_pirani_mbar": BAD}


def alone(watch, seconds, **changed):
    for _ in range(seconds):
        watch = gauges.step(watch, LIMITS, 2.0, image(**{**STILL, **changed}), 30.0)
    return watch


def test_a_gauge_alone_in_a_vacuum_that_does_not_move_by_one_digit_is_told():
    still = alone(Watch(), 121)
    assert still.still_s == 120.0
    assert alone(still, 1, pressure_cap_mbar=60.02).still_s == 0.0
    assert alone(still, 1, pressure_pirani_mbar=60.0).still_s == 121.0  # the other one would contradict it from 250 mbar on only
    assert alone(alone(Watch(), 121, pressure_cap_mbar=39.9), 1, pressure_cap_mbar=39.9, pressure_pirani_mbar=45.0) == Watch()
    assert alone(still, 1, pressure_cap_mbar=BAD).still_s == 0.0
    assert alone(Watch(), 200, pressure_cap_mbar=LIMITS.gauge_range_mbar).still_s == 0.0  # full scale, or a chamber at rest
    frozen = Watch(frozen=True, mark_mbar=60.0)
    assert alone(frozen, 30) == frozen._replace(alone_mbar=60.0, still_s=29.0)


def test_a_hot_vacuum_whose_only_gauge_is_frozen_is_told_although_it_is_held_already():
    rig = prepared("vacuum")
    together(fault("gauge_frozen", "pirani_open"), leaks(1e5)).begin(rig)
    assert runs(rig, None, 200, until="I4T") is not None
    assert runs(rig, None, 30, until="I4D") is not None
    assert not rig.record.outputs.heat_enable


def test_a_live_gauge_alone_in_a_vacuum_is_not_called_still():
    rig = prepared("vacuum")
    fault("pirani_open").begin(rig)
    assert runs(rig, None, 900, until="I4D") is None


def test_a_gauge_that_freezes_in_the_upper_part_of_the_vacuum_is_held_before_a_leak_is_a_danger():
    """At 60 mbar the Pirani gauge agrees until it reads 250: the last digit tells after two minutes, and a later leak meets no heat."""
    rig = prepared("vacuum")
    fault("gauge_frozen").begin(rig)
    assert 100 < runs(rig, None, 200, until="I4F") < 140
    leaks(5e5).begin(rig)
    runs(rig, None, 1200)
    assert rig.record.unit_state in (UnitState.HELD, UnitState.ABORTING, UnitState.ABORTED)
    assert rig.unsafe == []


def test_a_leak_that_comes_with_the_freeze_is_held_by_the_other_gauge():
    rig = prepared("vacuum")
    together(fault("gauge_frozen"), leaks(5e6)).begin(rig)
    assert runs(rig, None, 120, until="I4G") < 100
    assert not rig.record.outputs.heat_enable
