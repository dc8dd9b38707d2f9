"""What each kind of phase does, scan by scan: ramps, steps, soaks, purges, waits and questions to a person."""

import pytest

from controller.image import Atmosphere, Estimate, Interval, ZoneEstimate
from controller.interlocks.conditioning import condition
from controller.interlocks.limits import Limits
from controller.recipe.look import PhaseMemory, PhaseScan
from controller.recipe.model import Backfill, Cool, Cure, CyclePurge, Endpoint, Evacuate, Kind, LeakTest, Operator, Ramp, Soak, Step, Wait
from controller.recipe.pausing import TAGS, wrong_answer
from controller.recipe.phases import run
from controller.recipe.soaking import ripe
from tests.images import BAD, image

ZERO = Interval(0.0, 0.0, 0.0)
BELIEF = Estimate(100.0, 100.0, ZERO, ZERO, 0.0, 0.0, ZERO, None, True, "", ())
VACUUM = {"timeout_min": 60.0, "atmosphere": "VACUUM", "pressure_mbar": 10.0}
LIMITS = Limits()


def look(zones_c=100.0, load=None, sp_c=100.0, pressure_mbar=10.0, dt_s=1.0, belief=BELIEF, **changed):
    """Return what a phase sees: an oven at ``zones_c`` with ``load`` (outer, edge, core) under vacuum."""
    outer, edge, core = load or (zones_c, zones_c, zones_c)
    zones = {f"z{zone}_tc_{sensor}_c": zones_c for zone in (1, 2, 3) for sensor in "abc"}
    loads = {"load_outer_c": outer, "load_edge_c": edge, "load_core_c": core}
    inputs = image(**{**zones, **loads, "pressure_cap_mbar": pressure_mbar, "pressure_pirani_mbar": pressure_mbar, **changed})
    return PhaseScan(inputs, condition(LIMITS, inputs), belief, None, dt_s, sp_c, False, 2.0, 60.0, roll_ids=("A-1", "A-2"))


def walked(phase, scans, m=PhaseMemory(), sp_c=100.0):  # noqa: B008
    """Run ``phase`` over ``scans`` (keywords of ``look``); the set point follows; return the steps until it is done."""
    steps = []
    for scan in scans:
        step = run(phase, m, look(**{"sp_c": sp_c, **scan}))
        m, sp_c = step.memory._replace(elapsed_s=step.memory.elapsed_s + scan.get("dt_s", 1.0)), step.setpoints.temp_c or sp_c
        steps.append(step)
        if step.done:
            break
    return steps


# ---- RAMP and STEP ----


def test_a_ramp_by_time_takes_its_time_whatever_the_way():
    phase = Ramp(kind="RAMP", target_c=130.0, ramp_min=10.0, holdback="OFF", **VACUUM)
    steps = walked(phase, [{"dt_s": 10.0}] * 100)
    assert len(steps) == 60  # 10 min of 10 s
    assert steps[0].setpoints.rate_c_per_min == pytest.approx(3.0)
    assert steps[29].setpoints.temp_c == pytest.approx(115.0)


def test_a_ramp_by_time_is_no_faster_than_the_oven_may():
    phase = Ramp(kind="RAMP", target_c=200.0, ramp_min=1.0, holdback="OFF", **VACUUM)
    assert walked(phase, [{}])[0].setpoints.rate_c_per_min == 5.0


@pytest.mark.parametrize(("start_from", "first_c"), [("SP", 120.1), ("PV", 100.1)])
def test_a_ramp_starts_from_the_set_point_or_from_the_oven(start_from, first_c):
    phase = Ramp(kind="RAMP", target_c=150.0, rate_c_per_min=6.0, start_from=start_from, holdback="OFF", **VACUUM)
    steps = walked(phase, [{}, {}], sp_c=120.0)
    assert steps[0].setpoints.temp_c == pytest.approx(first_c)
    assert steps[1].setpoints.temp_c == pytest.approx(first_c + 0.1)  # and only once from there


HOLDBACKS = [  # holdback, target, set point, zones -> waits
    ("BEHIND", 150.0, 120.0, 105.0, True),
    ("BEHIND", 150.0, 120.0, 135.0, False),
    ("BEHIND", 50.0, 120.0, 135.0, True),
    ("LOW", 50.0, 120.0, 105.0, True),
    ("LOW", 150.0, 120.0, 135.0, False),
    ("HIGH", 150.0, 120.0, 135.0, True),
    ("HIGH", 150.0, 120.0, 105.0, False),
    ("BAND", 150.0, 120.0, 135.0, True),
    ("BAND", 150.0, 120.0, 105.0, True),
    ("BAND", 150.0, 120.0, 111.0, False),
    ("OFF", 150.0, 120.0, 60.0, False),
]


@pytest.mark.parametrize(("holdback", "target_c", "sp_c", "zones_c", "waits"), HOLDBACKS)
def test_the_set_point_waits_on_the_side_that_the_recipe_says(holdback, target_c, sp_c, zones_c, waits):
    phase = Ramp(kind="RAMP", target_c=target_c, rate_c_per_min=2.0, holdback=holdback, holdback_c=10.0, **VACUUM)
    step = walked(phase, [{"zones_c": zones_c}], sp_c=sp_c)[0]
    assert (step.setpoints.temp_c == sp_c) is waits
    assert ("holdback" in step.waiting) is waits


def test_holdback_has_an_end_and_an_interruption_starts_its_time_anew():
    phase = Ramp(kind="RAMP", target_c=150.0, rate_c_per_min=2.0, holdback_max_min=1.0, **VACUUM)
    behind, along = {"zones_c": 80.0, "dt_s": 10.0}, {"zones_c": 100.0, "dt_s": 10.0}
    steps = walked(phase, [behind] * 5 + [along] + [behind] * 6)
    assert [bool(step.late) for step in steps] == [False] * 11 + [True]
    assert "allowed 1 min" in steps[-1].late


def test_a_step_goes_at_the_ovens_own_rate_and_waits_for_its_band():
    phase = Step(kind="STEP", target_c=110.0, band_c=3.0, **VACUUM)
    steps = walked(phase, [{"dt_s": 60.0}] * 4 + [{"zones_c": 108.0}])
    assert [step.setpoints.temp_c for step in steps] == [105.0, 110.0, 110.0, 110.0, 110.0]
    assert [step.done for step in steps] == [False] * 4 + [True]


def test_natural_cooling_never_heats_and_controlled_cooling_breaks_the_fall():
    gas = {"timeout_min": 60.0, "atmosphere": "N2_FLOW", "n2_flow_nm3_h": 30.0}
    flowing = {"pressure_mbar": 1015.0, "exhaust_valve_open": True, "exhaust_valve_closed": False, "zones_c": 200.0}
    natural, controlled = Cool(kind="COOL", target_c=50.0, **gas), Cool(kind="COOL", target_c=50.0, rate_c_per_min=2.0, **gas)
    assert not walked(natural, [flowing], sp_c=200.0)[0].setpoints.heat
    assert walked(controlled, [flowing], sp_c=200.0)[0].setpoints.heat
    assert walked(natural, [{**flowing, "zones_c": 45.0}], sp_c=60.0)[0].done


def test_what_a_phase_says_of_the_loops_reaches_the_set_points():
    phase = Ramp(
        kind="RAMP", target_c=150.0, rate_c_per_min=2.0, pid_set="vacuum", output_limit_pct=60.0, control_sensor="CONTROL", **VACUUM
    )
    wanted = walked(phase, [{}])[0].setpoints
    assert (wanted.pid_set, wanted.output_limit_pct, wanted.control_sensor) == ("vacuum", 60.0, "CONTROL")


# ---- SOAK ----

SOAKING = [  # sensors, zones, load (outer, edge, core) -> does time count at 100 +- 5 degC
    ("ALL", 100.0, (104.0, 100.0, 96.0), True),
    ("ALL", 100.0, (104.0, 100.0, 94.0), False),
    ("ALL", 107.0, (104.0, 100.0, 96.0), True),
    ("ALL", 100.0, (106.0, 100.0, 96.0), False),
    ("CONTROL", 104.0, (80.0, 80.0, 80.0), True),
    ("CONTROL", 106.0, (100.0, 100.0, 100.0), False),
    ("LAGGING", 100.0, (107.0, 100.0, 96.0), True),
    ("LAGGING", 100.0, (107.0, 100.0, 94.0), False),
    ("LAGGING", 100.0, (109.0, 100.0, 96.0), False),
    ("MEAN", 100.0, (112.0, 100.0, 94.0), True),
    ("MEAN", 100.0, (90.0, 95.0, 94.0), False),
    ("MEAN", 100.0, (BAD, 100.0, 100.0), False),
    ("CONTROL", 100.0, (BAD, 100.0, 100.0), True),
]


@pytest.mark.parametrize(("sensors", "zones_c", "load", "counts"), SOAKING)
def test_guaranteed_soak_counts_with_the_sensors_that_the_recipe_names(sensors, zones_c, load, counts):
    phase = Soak(kind="SOAK", target_c=100.0, soak_min=30.0, band_c=5.0, sensors=sensors, **VACUUM)
    assert (walked(phase, [{"zones_c": zones_c, "load": load}] * 10)[-1].memory.counted_s == 10.0) is counts


def test_a_moment_without_an_estimate_ends_no_cure_that_was_not_ripe():
    phase = Cure(kind="CURE", target_c=100.0, min_min=10.0, fallback_min=30.0, **VACUUM)
    lost = BELIEF._replace(valid=False, why_invalid="members could not be solved")
    m = PhaseMemory(stage=1, counted_s=1900.0)
    steps = walked(phase, [{"belief": lost}, {}, *[{"belief": lost, "dt_s": 100.0}] * 10], m)
    assert [step.done for step in steps] == [False] * 10 + [True]  # a quarter of an hour in one go
    assert "time recipe: 30 min in band" in steps[-1].why
    early = walked(phase, [{"belief": lost, "dt_s": 100.0}] * 10, PhaseMemory(stage=1, counted_s=10.0))
    assert not early[-1].done


WINDOW = Endpoint(max_residual_wt_pct=1.0, insoluble_low_pct=30.0, insoluble_aim_pct=50.0, insoluble_high_pct=70.0)


def cured(*shares, gains=(0.0, 0.0), **belief):
    """Return a belief with these insoluble fractions in as many positions, and what they still gain."""
    zones = (ZoneEstimate(f"z{n}", 100.0, ZERO, Interval(x, x, x), gain) for n, (x, gain) in enumerate(zip(shares, gains, strict=True)))
    return BELIEF._replace(zones=tuple(zones), **belief)


@pytest.mark.parametrize(("beliefs", "says"), [
    ([cured(0.4, 0.71)] * 121, "insoluble content 71.0 % in one position once cold, allowed 70 %"),
    ([cured(0.4, 0.71)] * 100 + [cured(0.4, 0.69)] + [cured(0.4, 0.71)] * 100, ""),  # one look that is off ends nothing
    ([cured(0.4, 0.70)] * 300, ""),
    ([cured(0.4, 0.61, coming=0.05)] * 300, ""),  # the roll's mean is no position
    ([cured(0.4, 0.61, gains=(0.1, 0.11))] * 121, "insoluble content 72.0 % in one position once cold, allowed 70 %"),
    ([cured(0.4, 0.71, valid=False)] * 300, ""),
])  # fmt: skip
def test_a_cure_whose_window_is_passed_says_so_when_it_has_stood(beliefs, says):
    phase = Cure(kind="CURE", target_c=100.0, min_min=10.0, fallback_min=30.0, **VACUUM)
    m = PhaseMemory(stage=1)
    for belief in beliefs:
        step = run(phase, m, look(belief=belief)._replace(endpoint=WINDOW))
        m = step.memory
    assert (step.passed, step.done) == (says, False)


@pytest.mark.parametrize(("now", "coming", "met"), [(0.5, 0.0, True), (0.49, 0.0, False), (0.4, 0.1, True), (0.4, 0.09, False)])
def test_the_endpoint_is_met_by_what_the_roll_will_be_once_cold(now, coming, met):
    likely = BELIEF._replace(p_solvent_ok=0.95, p_insoluble_in_window=0.95, insoluble=Interval(now, now, now), coming=coming)
    stood = PhaseMemory(sure_s=120.0)
    assert ripe(WINDOW, likely, stood) is met
    assert not ripe(WINDOW, likely, stood._replace(sure_s=119.0))
    assert not ripe(WINDOW, likely._replace(p_insoluble_in_window=0.89), stood)
    assert not ripe(WINDOW, likely._replace(p_solvent_ok=0.89), stood)
    assert not ripe(WINDOW, likely._replace(valid=False), stood)
    assert not ripe(WINDOW, likely._replace(foreseen=False), stood)


@pytest.mark.parametrize(("sure_from", "aim_from", "ended_at"), [
    (0, 0, 120),  # sure, and at the aim, from the start
    (0, 300, 300),  # the aim is not waited at
    (200, 0, 320),  # 120 s of being sure
    (200, 250, 320),
])  # fmt: skip
def test_the_time_of_being_sure_runs_before_the_aim_is_met(sure_from, aim_from, ended_at):
    phase, m = Cure(kind="CURE", target_c=100.0, min_min=1.0, fallback_min=30.0, **VACUUM), PhaseMemory(stage=1)
    for second in range(600):
        content = 0.5 if second >= aim_from else 0.49
        belief = cured(0.5, 0.5, p_solvent_ok=0.95, p_insoluble_in_window=0.9 if second >= sure_from else 0.89)
        step = run(phase, m, look(belief=belief._replace(insoluble=Interval(content, content, content)))._replace(endpoint=WINDOW))
        m = step.memory
        if step.done:
            break
    assert (second, step.why) == (ended_at - 1 if aim_from < ended_at else ended_at, "endpoint")


@pytest.mark.parametrize(("outside", "counted_s"), [("STOP", 8.0), ("RESET", 3.0)])
def test_outside_the_band_the_time_stands_still_or_begins_anew(outside, counted_s):
    phase = Soak(kind="SOAK", target_c=100.0, soak_min=30.0, outside=outside, **VACUUM)
    assert walked(phase, [{}] * 5 + [{"zones_c": 80.0}] * 2 + [{}] * 3)[-1].memory.counted_s == counted_s


BANDS = [
    ({"alarm_dev_high_c": 5.0}, 106.0, "above the set point"),
    ({"alarm_dev_low_c": 5.0}, 94.0, "below the set point"),
    ({"alarm_high_c": 103.0}, 104.0, "above 103"),
    ({"alarm_low_c": 97.0}, 96.0, "below 97"),
    ({"alarm_high_c": 103.0}, 102.0, ""),
]


@pytest.mark.parametrize(("keys", "zones_c", "says"), BANDS)
def test_an_alarm_band_is_named_while_it_is_left(keys, zones_c, says):
    phase = Soak(kind="SOAK", target_c=100.0, soak_min=30.0, **keys, **VACUUM)
    steps = walked(phase, [{"zones_c": zones_c}, {}])
    assert says in steps[0].memory.band
    assert bool(steps[0].memory.band) is bool(says)
    assert steps[1].memory.band == ""


IN_N2 = {"timeout_min": 60.0, "atmosphere": "N2_FLOW", "n2_flow_nm3_h": 40.0}
COLD_BANDS = [  # phases that are watched without heat: what cools, and what waits shut in
    (Cool(kind="COOL", target_c=50.0, alarm_high_c=90.0, **IN_N2), 95.0, "hottest 95.0 degC, above 90 degC"),
    (Cool(kind="COOL", target_c=50.0, alarm_high_c=90.0, **IN_N2), 85.0, ""),
    (Cool(kind="COOL", target_c=50.0, alarm_dev_high_c=4.0, **IN_N2), 95.0, "more than 4 degC above the set point 60.0 degC"),
    (Wait(kind="WAIT", timeout_min=60.0, tag="pump_run", equals=True, alarm_high_c=60.0), 61.0, "hottest 61.0 degC, above 60 degC"),
    (Operator(kind="OPERATOR", timeout_min=60.0, text="Go on?", alarm_low_c=20.0), 19.0, "coldest 19.0 degC, below 20 degC"),
    (Operator(kind="OPERATOR", timeout_min=60.0, text="Go on?", alarm_dev_high_c=5.0), 90.0, ""),
]


@pytest.mark.parametrize(("phase", "zones_c", "says"), COLD_BANDS)
def test_an_alarm_band_counts_without_heat_too(phase, zones_c, says):
    band = walked(phase, [{"zones_c": zones_c}], sp_c=60.0)[0].memory.band
    assert says in band
    assert bool(band) is bool(says)


# ---- gas ----


def test_a_limited_evacuation_lowers_its_set_point_at_the_rate_and_never_runs_away_from_the_pressure():
    phase = Evacuate(kind="EVACUATE", pressure_mbar=50.0, max_rate_mbar_min=60.0, timeout_min=60.0)
    steps = walked(phase, [{"pressure_mbar": 1000.0 - second} for second in range(30)])
    assert steps[0].setpoints.pressure_mbar == pytest.approx(999.0)
    assert steps[29].setpoints.pressure_mbar == pytest.approx(970.0)
    stuck = walked(phase, [{"pressure_mbar": 1000.0}] * 300)
    assert stuck[-1].setpoints.pressure_mbar == pytest.approx(1000.0 - 60.0)  # a minute ahead at most


def purge(low_first, high, **keys):
    """Return the steps of a cycle purge between ``low_first`` and ``high`` with a pressure that jumps."""
    phase = CyclePurge(kind="CYCLE_PURGE", low_mbar=50.0, high_mbar=900.0, cycles=2, timeout_min=60.0, **keys)
    down, up = {"pressure_mbar": low_first, "o2_pct": 20.0}, {"pressure_mbar": high, "o2_pct": 0.2}
    return walked(phase, [down, up] * 6)


def test_a_cycle_purge_goes_on_until_the_computed_oxygen_is_low_enough():
    """20.9 vol% x (50/1000)^n: 0.052 vol% after two cycles, 0.0026 after three."""
    assert purge(50.0, 1000.0)[-1].memory.cycles == 2
    steps = purge(50.0, 1000.0, computed_o2_pct=0.01)
    assert steps[-1].done
    assert steps[-1].memory.cycles == 3
    assert steps[-1].memory.left_pct == pytest.approx(20.9 * (50 / 1000) ** 3)


def test_a_measured_proof_needs_a_valid_reading_that_agrees():
    phase = CyclePurge(kind="CYCLE_PURGE", low_mbar=50.0, high_mbar=900.0, cycles=1, measured_o2_pct=0.1, timeout_min=60.0)
    down = {"pressure_mbar": 40.0}
    blind, much, little = ({"pressure_mbar": 1000.0, **seen} for seen in ({"o2_ready": False}, {"o2_pct": 0.5}, {"o2_pct": 0.05}))
    waiting = walked(phase, [down, blind, blind, blind])
    assert not waiting[-1].done
    assert "O2 not valid" in waiting[-1].waiting
    again = walked(phase, [down, much, down, little])
    assert [step.done for step in again] == [False, False, False, True]
    assert again[-1].memory.cycles == 2


PURGED = CyclePurge(kind="CYCLE_PURGE", low_mbar=50.0, high_mbar=900.0, cycles=2, computed_o2_pct=0.1, timeout_min=60.0)
FILLING = PhaseMemory(elapsed_s=500.0, stage=1, cycles=1, mark=50.0, left_pct=1.0)


@pytest.mark.parametrize("pressure_mbar", [400.0, 950.0])
def test_a_rise_that_was_air_fails_the_purge_wherever_it_shows(pressure_mbar):
    """As the proof of the atmosphere counts it: neither the cycles nor what was computed of the O2 count any more."""
    aired = look(pressure_mbar=pressure_mbar)._replace(aired="FT-402 shows 0.10 Nm3")
    step = run(PURGED, FILLING, aired)
    assert (step.done, step.failed, step.why) == (False, "I13", "FT-402 shows 0.10 Nm3")
    assert step.memory == PhaseMemory(elapsed_s=500.0)
    assert run(PURGED, FILLING._replace(stage=0), aired).failed == ""  # what stands from before is pumped out


def test_n2_that_its_meter_has_not_seen_makes_no_cycle_and_the_purge_begins_anew_once_filled():
    unseen = {"n2_valve_open": True, "n2_valve_closed": False, "n2_flow_nm3_h": BAD}
    step = run(PURGED, FILLING, look(pressure_mbar=400.0, **unseen))
    assert step.setpoints.atmosphere is Atmosphere.BACKFILL  # no valve goes to and fro
    step = run(PURGED, step.memory, look(pressure_mbar=950.0))
    assert step.memory == PhaseMemory(elapsed_s=500.0)
    assert "FT-402" in step.waiting
    assert run(PURGED, FILLING, look(pressure_mbar=400.0, n2_flow_nm3_h=BAD)).memory == FILLING  # behind a shut valve it says nothing
    assert run(PURGED, FILLING, look(pressure_mbar=950.0)).memory.cycles == 2


def test_a_backfill_ends_at_its_pressure():
    phase = Backfill(kind="BACKFILL", pressure_mbar=800.0, timeout_min=10.0)
    steps = walked(phase, [{"pressure_mbar": 500.0}, {"pressure_mbar": 801.0}])
    assert [step.done for step in steps] == [False, True]
    assert steps[0].setpoints.atmosphere is Atmosphere.BACKFILL
    assert steps[0].setpoints.n2_flow_nm3_h == 60.0


def leak_test(on_fail, rise_mbar):
    phase = LeakTest(kind="LEAK_TEST", pressure_mbar=20.0, hold_min=1.0, max_rise_mbar_h=10.0, on_fail=on_fail, timeout_min=60.0)
    m = PhaseMemory(stage=2, gauge="pressure_cap_mbar", mark=10.0)
    return walked(phase, [{"dt_s": 60.0, "pressure_mbar": 10.0 + rise_mbar}], m)[0]


def test_a_no_go_leak_test_holds_or_goes_on_unproven():
    """1 mbar in a minute is 60 mbar/h."""
    assert leak_test("HOLD", 0.1)[2:7:2] == (True, "", True)
    held, on = leak_test("HOLD", 1.0), leak_test("CONTINUE", 1.0)
    assert (held.done, held.failed, held.leak_ok) == (False, "I13", False)
    assert (on.done, on.failed, on.leak_ok) == (True, "", False)
    assert held.leak_mbar_h == on.leak_mbar_h == pytest.approx(60.0)


# ---- WAIT and OPERATOR ----


def waiting(**keys):
    return Wait(kind="WAIT", timeout_min=60.0, **keys)


WAITS = [  # keys, readings of the pressure, mbar -> scan in which it is done
    ({"falling": 20.0}, [30.0, 21.0, 20.0], 3),
    ({"rising": 40.0}, [30.0, 39.0, 41.0], 3),
    ({"rising": 20.0}, [30.0], 1),
    ({"rising": 20.0, "crossing": True}, [30.0, 30.0, 10.0, 19.0, 21.0], 5),
    ({"rising": 40.0, "for_s": 3.0}, [41.0, 41.0, 39.0, 41.0, 41.0, 41.0], 6),
    ({"rising": 40.0}, [30.0, BAD, 30.0], None),
]


@pytest.mark.parametrize(("keys", "readings", "done_at"), WAITS)
def test_a_wait_ends_when_its_reading_has_passed_the_threshold(keys, readings, done_at):
    steps = walked(waiting(tag="pressure_mbar", **keys), [{"pressure_mbar": reading} for reading in readings])
    assert [number for number, step in enumerate(steps, start=1) if step.done] == ([] if done_at is None else [done_at])


def test_a_wait_without_a_valid_reading_says_so_and_a_belief_counts_only_while_valid():
    step = walked(waiting(tag="pressure_mbar", falling=20.0), [{"pressure_mbar": BAD}])[0]
    assert (step.done, step.waiting) == (False, "a valid reading of pressure_mbar")
    dry = waiting(tag="residual_wt_pct", falling=1.0)
    assert walked(dry, [{}])[0].done
    assert not walked(dry, [{"belief": BELIEF._replace(valid=False)}])[0].done


def test_every_tag_that_a_wait_may_name_can_be_read():
    seen = look()
    assert {tag for tag, looked in TAGS.items() if looked.read(seen) is None} == {"o2_pct"}  # no evidence under vacuum
    assert walked(waiting(tag="pump_run", equals=True), [{}, {"pump_run": True}])[-1].done


def test_a_pause_holds_heat_and_gas_as_it_says_and_goes_back_there_after_a_hold():
    phase = Operator(kind="OPERATOR", text="Look at the roll", target_c=None, **VACUUM)
    steps = walked(phase, [{}, {}], sp_c=110.0)
    assert (steps[-1].setpoints.heat, steps[-1].setpoints.temp_c, steps[-1].setpoints.atmosphere) == (True, 110.0, Atmosphere.VACUUM)
    after_hold = run(phase, steps[-1].memory, look(sp_c=90.0))
    assert 90.0 < after_hold.setpoints.temp_c < 90.1
    shut = Operator(kind="OPERATOR", text="Look at the roll", timeout_min=5.0)
    assert walked(shut, [{}])[0].setpoints[:4] == (False, 0.0, 0.0, Atmosphere.HOLD_CLOSED)


ANSWERS = [
    ({}, "", ""),
    ({"entry": "ROLL_ID"}, "A-2", ""),
    ({"entry": "ROLL_ID"}, "A-3", "A-1, A-2"),
    ({"entry": "TEXT"}, " ", "at least one"),
    ({"entry": "TEXT"}, "fine", ""),
    ({"entry": "NUMBER", "low": 1.0, "high": 5.0}, "5", ""),
    ({"entry": "NUMBER", "low": 1.0, "high": 5.0}, "5.1", "from 1 to 5"),
    ({"entry": "NUMBER", "low": 1.0, "high": 5.0}, "nan", "from 1 to 5"),
    ({"entry": "NUMBER", "low": 1.0, "high": 5.0}, "many", "from 1 to 5"),
    ({"entry": "CHOICE", "choices": ("yes", "no")}, "no", ""),
    ({"entry": "CHOICE", "choices": ("yes", "no")}, "No", "yes, no"),
    ({}, "x" * 201, "200"),
]


@pytest.mark.parametrize(("keys", "answer", "refused"), ANSWERS)
def test_only_an_answer_to_the_question_ends_it(keys, answer, refused):
    phase = Operator(kind="OPERATOR", text="Go?", timeout_min=5.0, **keys)
    asked = walked(phase, [{}])[0]
    assert (asked.done, asked.memory.asked) == (False, "Go?")
    step = run(phase, asked.memory._replace(answer=answer), look())
    assert step.done is (refused == "")
    assert refused in wrong_answer(phase, answer, ("A-1", "A-2"))
    if refused:
        assert refused in step.waiting
        assert step.memory.answer is None  # it is asked again


def test_a_kind_has_the_number_that_a_plcs_display_knows():
    assert len({int(kind) for kind in Kind}) == len(Kind)
    assert [int(Kind[name]) for name in ("LEAK_TEST", "CURE", "END", "PRESSURE_RISE")] == [1, 7, 10, 11]
