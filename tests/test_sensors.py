"""Which sensors are believed: every pair and triple of faults on a zone, names and reasons, the way back, the O2 analyser, restarts."""

from dataclasses import replace
from itertools import product
from random import Random

import pytest

from controller.interlocks import sensors
from controller.interlocks.conditioning import condition
from controller.interlocks.evaluate import InterlockMemory, evaluate
from controller.interlocks.limits import Limits
from controller.interlocks.sensors import ALL, Believed, told
from controller.tags import Quality, Sample
from tests.images import image
from tests.test_interlocks import HEATING, HOT_VACUUM, VACUUM, view

LIMITS = Limits()
DT_S = 10.0
ONSET_S, END_S = 120.0, 1100.0
ROOM_C = 23.0
TCS = ("z1_tc_a_c", "z1_tc_b_c", "z1_tc_c_c")
ELSEWHERE = ("z1_limit_c", *(f"z{zone}_{name}_c" for zone in (2, 3) for name in ("tc_a", "tc_b", "tc_c", "limit")))
PHASES = {  # truth of the walls, degC, by seconds
    "ramp": lambda t: 60.0 + 3.0 / 60.0 * t,
    "soak": lambda t: 200.0,
    "cure": lambda t: min(235.0 + 1.0 / 60.0 * t, 250.0),  # its last degrees and the hold
    "cool": lambda t: 240.0 - 3.0 / 60.0 * t,
}
FAULTS = {  # what the sensor shows: (truth now, truth when the fault came, seconds since, noise of unit width)
    "ok": lambda true, was, t, n: true + 0.15 * n,
    "open": lambda true, was, t, n: None,
    "short": lambda true, was, t, n: ROOM_C + 0.15 * n,
    "stuck": lambda true, was, t, n: was,
    "drift": lambda true, was, t, n: true + t / 30.0 + 0.15 * n,  # 2 K/min
    "noise": lambda true, was, t, n: true + 1.5 * n,
    "reversed": lambda true, was, t, n: 2.0 * ROOM_C - true + 0.15 * n,
}
BASE = image(**VACUUM)
NAMES = [*TCS, *ELSEWHERE]


def shown(at_s, values):
    """Return an image in which the named thermocouples show ``values``; one without a value is open, one below the range is BAD_RANGE."""
    samples = {}
    for name, value in values.items():
        if value is None:
            samples[name] = Sample(None, Quality.BAD_SENSOR, at_s)
        else:
            samples[name] = Sample(None, Quality.BAD_RANGE, at_s) if value < -20.0 else Sample(value, Quality.GOOD, at_s)
    return BASE._replace(at_s=at_s, dt_s=DT_S, **samples)


def story(faults, truth, seed, until_s=END_S):
    """Yield (seconds, truth, what the three show, the process, what is believed) of a zone whose sensors fail at ONSET_S."""
    rng, believed = Random(seed), ALL
    offsets = {name: rng.uniform(-0.6, 0.6) for name in NAMES}
    was = truth(ONSET_S)
    for scan in range(int(until_s / DT_S)):
        t = scan * DT_S
        true = truth(t)
        since = t - ONSET_S
        values = {name: true + offsets[name] + 0.15 * rng.gauss(0, 1) for name in ELSEWHERE}
        for name, fault in zip(TCS, faults, strict=True):
            value = FAULTS[fault if since >= 0 else "ok"](true, was, since, rng.gauss(0, 1))
            values[name] = None if value is None else value + offsets[name]
        inputs = shown(1000.0 + t, values)
        process = condition(LIMITS, inputs, believed=believed)
        believed = sensors.step(believed, LIMITS, inputs, process, latched=True)
        yield t, true, [values[name] for name in TCS], process, believed


def heat_off(process):
    """Return whether I21 or I22 forbids heat for what the vote made of the zone."""
    return process.zones_valid[0] < 2 or (process.limit_gap_c is not None and process.limit_gap_c > LIMITS.disagree_c)


RIGHT_C = 0.5 * LIMITS.vote_c
WRONG_C = LIMITS.vote_c + 4.0  # past the vote, its noise and the sensors' own offsets
ALONE_C = LIMITS.disagree_c + 4.0  # when all that vote agree and are wrong only the limit thermocouple tells
TELL_S = 60.0  # for which it must have been wrong: looks every 10 s, three scans, the smoothing


def judged(faults, phase):
    """Check one combination in one phase: heat is off when fewer than two are right, and on while two are."""
    wrong_s, all_right = 0.0, True
    for t, true, values, process, _ in story(faults, PHASES[phase], seed=sum(map(ord, phase + "".join(faults)))):
        errors = [None if value is None or value < -20.0 else abs(value - true) for value in values]
        right = sum(error is not None and error <= RIGHT_C for error in errors)
        gross = WRONG_C if right else ALONE_C
        wrong = sum(error is None or error > gross for error in errors)
        all_right = all_right and right >= 2
        wrong_s = wrong_s + DT_S if wrong >= 2 else 0.0
        if all_right:
            assert not heat_off(process), (faults, phase, t)
        if wrong_s >= TELL_S:
            assert heat_off(process), (faults, phase, t, process.zones[0])


@pytest.mark.parametrize("phase", PHASES)
def test_heat_is_off_exactly_when_fewer_than_two_of_three_are_right(phase):
    """7^3 combinations: ok, open, short, stuck, drift, noise x10, reversed on the three control thermocouples of a zone."""
    for faults in product(FAULTS, repeat=3):
        judged(faults, phase)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_single_fault_leaves_two_that_vote_rightly(phase, fault, place):
    faults = ["ok", "ok", "ok"]
    faults[place] = fault
    for t, true, _, process, _ in story(faults, PHASES[phase], seed=place):
        zone = process.zones[0]
        assert zone.valid >= 2
        assert zone.temp_c == pytest.approx(true, abs=6.0), (fault, t)  # one that drifts pulls the mean by a third of vote_c at most


CAUGHT = [  # fault, phase, reason, seconds after the onset within which it is voted out by name
    ("open", "soak", "open", 30),
    ("short", "ramp", "short", 30),
    ("short", "soak", "short", 30),
    ("reversed", "soak", "range", 30),
    ("stuck", "ramp", "stuck", 220),  # twice 3 K at 3 K/min, the smoothing, a look
    ("stuck", "cool", "stuck", 220),
    ("drift", "soak", "disagrees", 400),
    ("drift", "ramp", "disagrees", 400),
]


@pytest.mark.parametrize(("fault", "phase", "why", "within_s"), CAUGHT)
@pytest.mark.parametrize("place", [0, 2])
def test_who_lies_is_voted_out_by_name_with_the_reason(fault, phase, why, within_s, place):
    faults = ["ok", "ok", "ok"]
    faults[place] = fault
    seen = next((t, believed.out) for t, _, _, _, believed in story(faults, PHASES[phase], seed=3) if believed.out)
    (one,) = seen[1]
    assert (one.field, one.why) == (TCS[place], why)
    assert 0 <= seen[0] - ONSET_S <= within_s
    assert one.told == f"TT-111{'ABC'[place]} {why}"


@pytest.mark.parametrize("fault", ["ok", "noise"])
@pytest.mark.parametrize("phase", PHASES)
def test_nobody_who_tells_the_truth_is_voted_out(phase, fault):
    for seed in range(5):
        *_, (_, _, _, _, believed) = story([fault, "ok", fault], PHASES[phase], seed, until_s=3000.0)
        assert believed.out == ()


@pytest.mark.parametrize("way", [1.0, -1.0])
def test_nobody_is_stuck_where_a_fast_ramp_ends(way):
    """The smoothed readings still catch up by 4 K when the readings stand: a guard that halts a ramp of 5 K/min held a sound batch."""
    for end_s in range(600, 720, 2):  # wherever between two marks it ends

        def truth(t, end_s=end_s):
            return 150.0 + way * 5.0 / 60.0 * (min(t, end_s) - 600.0) + way * 0.3 / 60.0 * max(t - end_s, 0.0)

        assert {believed.out for *_, believed in story(["ok", "ok", "ok"], truth, seed=end_s, until_s=1200.0)} == {()}


def test_one_spike_votes_nobody_out_by_name():
    believed = ALL
    for scan in range(120):
        spiked = 350.0 if scan in (20, 60, 61) else 200.0
        inputs = shown(1000.0 + scan * DT_S, dict.fromkeys(NAMES, 200.0) | {TCS[0]: spiked})
        process = condition(LIMITS, inputs, believed=believed)
        assert process.zones[0].temp_c == 200.0
        believed = sensors.step(believed, LIMITS, inputs, process, latched=False)
        assert believed.out == ()


def test_all_three_that_jump_together_are_voted_out_though_they_agree():
    believed = ALL
    for scan in range(40):
        low = dict.fromkeys(TCS, 180.0) if scan >= 20 else {}
        inputs = shown(1000.0 + scan * DT_S, dict.fromkeys(NAMES, 200.0) | low)
        process = condition(LIMITS, inputs, believed=believed)
        believed = sensors.step(believed, LIMITS, inputs, process, latched=False)
    assert {one.why for one in believed.out} == {"rate"}
    assert process.zones_valid[0] == 0


def test_two_that_agree_against_the_third_and_the_limit_thermocouple_decide_nothing():
    """A and B 20 K low from the start, C and the limit thermocouple right: nobody can outvote anybody."""
    process = condition(LIMITS, shown(0.0, dict.fromkeys(NAMES, 200.0) | {TCS[0]: 180.0, TCS[1]: 180.0}))
    assert process.zones[0] == (None, 0, 200.0)
    process = condition(LIMITS, shown(0.0, dict.fromkeys(NAMES, 200.0) | {TCS[0]: 180.0, TCS[1]: 180.0, "z1_limit_c": 190.0}))
    assert process.zones[0].valid == 2


def walked(believed, memory, values, seconds, acknowledge=False):
    """Let table and sensors see ``values`` for ``seconds``, as the scan does."""
    for _ in range(int(seconds / DT_S)):
        at_s = believed.looked_s + DT_S if believed.looked_s > 0 else 1000.0
        inputs = shown(at_s, values)
        process = condition(LIMITS, inputs, believed=believed)
        believed = sensors.step(believed, LIMITS, inputs, process, "I21V" in memory.active)
        seen = replace(view({}, phase=HOT_VACUUM, last=HEATING, active=memory.active), inputs=inputs, process=process, sensors=believed)
        memory, _, _ = evaluate(memory, seen, False, acknowledge)
        acknowledge = False
    return believed, memory


GOOD = dict.fromkeys(NAMES, 200.0)


def test_an_open_one_comes_back_by_itself_after_minutes_of_agreement():
    believed, memory = walked(ALL, InterlockMemory(), GOOD, 60)
    believed, memory = walked(believed, memory, GOOD | {TCS[1]: None}, 60)
    assert "I21W" in memory.active
    assert "I21V" not in memory.active
    assert [one.told for one in believed.out] == ["TT-111B open"]
    early, _ = walked(believed, memory, GOOD, 60)
    assert early.out != ()
    late, after = walked(believed, memory, GOOD, 200)
    assert late.out == ()
    assert not after.active & {"I21", "I21V", "I21W"}
    assert told(early, late) == ("TT-111B counts again",)


def test_one_that_jumped_comes_back_only_when_it_agrees_and_somebody_has_acknowledged():
    believed, memory = walked(ALL, InterlockMemory(), GOOD, 60)
    believed, memory = walked(believed, memory, GOOD | {TCS[1]: 170.0}, 60)
    assert {"I21W", "I21V"} <= memory.active
    assert [one.told for one in believed.out] == ["TT-111B rate"]
    _, unheard = walked(believed, memory, GOOD | {TCS[1]: 170.0}, DT_S, acknowledge=True)
    assert "I21V" in unheard.active
    believed, memory = walked(believed, memory, GOOD, 600)
    assert "I21V" in memory.active
    assert believed.out != ()
    believed, memory = walked(believed, memory, GOOD, 30, acknowledge=True)
    assert believed.out == ()
    assert "I21W" not in memory.active


def test_a_look_in_between_costs_nothing_and_changes_nothing():
    *_, (_, _, _, _, believed) = story(["ok"] * 3, PHASES["soak"], 1, until_s=60.0)
    inputs = shown(believed.looked_s + 5.0, GOOD)
    assert sensors.step(believed, LIMITS, inputs, condition(LIMITS, inputs), False) is believed


def gas(believed, seconds, from_s, reading, **changed):
    process = None
    for second in range(int(seconds)):
        inputs = image(at_s=from_s + second, o2_pct=reading(second), **changed)
        process = condition(LIMITS, inputs, believed=believed)
        believed = sensors.step(believed, LIMITS, inputs, process, False)
    return believed, process.o2_pct


def test_the_o2_analyser_counts_only_after_its_settling_time():
    moving = Random(1)
    believed, o2 = gas(ALL, 60, 1000.0, lambda _: 0.005 + 1e-4 * moving.random())
    assert o2 is not None
    believed, o2 = gas(believed, 60, 1060.0, lambda _: 0.005 + 1e-4 * moving.random(), **VACUUM)
    assert o2 is None
    believed, o2 = gas(believed, 4, 1120.0, lambda _: 0.005 + 1e-4 * moving.random())
    assert o2 is None  # its line still holds what it held
    believed, o2 = gas(believed, 26, 1124.0, lambda _: 0.005 + 1e-4 * moving.random())
    assert o2 is not None


def test_a_frozen_o2_analyser_is_no_evidence_and_a_living_one_stays_one():
    moving = Random(1)
    believed, o2 = gas(ALL, 700, 1000.0, lambda _: 0.01)
    assert o2 is None
    believed, o2 = gas(believed, 30, 1700.0, lambda _: 0.01 + 1e-5 * moving.random())
    assert o2 is not None
    _, o2 = gas(ALL, 700, 1000.0, lambda _: 0.01 + 1e-5 * moving.random())
    assert o2 is not None


def loaded(readings, zones):
    believed = ALL
    for index, temps in enumerate(readings):
        values = {f"z{zone}_tc_{sensor}_c": zones for zone in (1, 2, 3) for sensor in "abc"}
        values |= dict(zip(("load_outer_c", "load_edge_c", "load_core_c"), temps, strict=True))
        inputs = image(at_s=1000.0 + 10.0 * index, dt_s=10.0, **values)
        believed = sensors.step(believed, LIMITS, inputs, condition(LIMITS, inputs, believed=believed), False)
    return believed.zones_low


def test_a_load_that_warms_above_every_wall_proves_the_zones_wrong():
    assert loaded([(200.0 + k, 200.0 + k, 200.0 + k) for k in range(14)], 200.0)
    assert not loaded([(200.0 + k, 200.0 + k, 200.0 + k) for k in range(10)], 200.0)  # 9 K above, warming since 1 K only
    assert not loaded([(240.0 - k, 240.0 - k, 240.0 - k) for k in range(20)], 200.0)  # a load that cools is warmer than its walls
    assert not loaded([(200.0 + k, 200.0, 200.0) for k in range(30)], 200.0)  # one thermocouple alone lies itself


def test_a_restarted_plc_or_core_is_told_for_one_look():
    def look(believed, at_s, boot_id):
        inputs = image(at_s=at_s, plc_boot_id=boot_id)
        return sensors.step(believed, LIMITS, inputs, condition(LIMITS, inputs), False)

    believed = look(ALL, 1000.0, 7)
    assert believed.restarted == ""
    assert look(look(believed, 1010.0, 8), 1011.0, 8).restarted == "PLC"
    assert look(look(believed, 1010.0, 8), 1021.0, 8).restarted == ""
    assert look(Believed(restarted="core"), 1000.0, 7).restarted == "core"
    assert look(look(Believed(restarted="core"), 1000.0, 7), 1011.0, 7).restarted == ""
