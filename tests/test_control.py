"""The loops: PID, cascade with its limits, feed-forward, sensors, named sets. Expectations come from closed forms."""

import math

import pytest
from pydantic import ValidationError

from controller.control import gas, heating, pid
from controller.control.gas import GasMemory, GasOutputs
from controller.control.outputs import ControlMemory, Identity, Tunings
from controller.control.outputs import step as loops
from controller.control.pid import Tuning
from controller.equipment import Equipment
from controller.image import Atmosphere, Mode, Process, Setpoints, ZonePv, blank
from controller.interlocks.conditioning import condition
from controller.interlocks.limits import Limits
from controller.recipe.look import gas_only
from controller.recipe.standing import NOTHING
from controller.recorder import MEMORY
from controller.tags import Quality, Sample
from tests.images import BAD, image

OVEN = Equipment()
INPUTS = blank(0.0, 1.0, Quality.STALE)
IDENTITY = Identity(Mode.RUN, True, False, 1, 1, 4, 8, 0.0)


def wanted(temp_c=100.0, rate=0.0, **more):
    return Setpoints(True, temp_c, rate, Atmosphere.VACUUM, 10.0, 0.0)._replace(**more)


def process(zone_c=100.0, low=100.0, high=100.0, valid=3):
    zones = (ZonePv(zone_c, valid, zone_c),) * 3
    return Process(zones, zone_c, max(zone_c, high), low, high, 10.0, False, None, (valid,) * 3, zone_c, 0.0)


def cascade(memory, seen, sp=None, tuning=Tuning(gain=1.0, integral_s=1e5), equipment=OVEN, pv="LOAD_MIN", dt_s=1.0):  # noqa: B008
    sp = sp or wanted()
    pv_c = heating.sensor(sp._replace(control_sensor=pv), seen, INPUTS)
    return heating.cascade(memory, tuning, equipment, sp, True, pv_c, seen, dt_s)


def test_a_change_of_gain_or_weight_moves_the_output_by_no_more_than_the_integral_of_one_scan():
    memory, output = pid.step(pid.Memory(), Tuning(gain=2.0, integral_s=100.0), 100.0, 90.0, 1.0)
    for gain, beta in ((8.0, 1.0), (8.0, 0.3), (1.0, 0.3), (2.0, 1.0)):
        memory, after = pid.step(memory, Tuning(gain=gain, integral_s=100.0, beta=beta), 100.0, 90.0, 1.0)
        assert after - output == pytest.approx(gain * 10.0 / 100.0, abs=1e-9)
        output = after


def test_a_weight_below_one_takes_its_share_off_the_kick_of_a_set_point_step():
    kicks = []
    for beta in (1.0, 0.4):
        tuning = Tuning(gain=2.0, integral_s=1e5, beta=beta, low=-1000)
        memory, before = pid.step(pid.Memory(), tuning, 100.0, 100.0, 1.0)
        kicks.append(pid.step(memory, tuning, 110.0, 100.0, 1.0)[1] - before)
    assert kicks[0] == pytest.approx(20.0, abs=0.01)
    assert kicks[1] == pytest.approx(8.0, abs=0.01)


def test_an_output_at_its_limit_winds_nothing_up_with_feed_forward_too():
    tuning, memory, output = Tuning(gain=1.0, integral_s=10.0), pid.Memory(), 0.0
    for _ in range(1000):
        memory, output = pid.step(memory, tuning, 100.0, 50.0, 1.0, high=30.0, forward=10.0)
    assert output == 30.0
    assert pid.step(memory, tuning, 100.0, 101.0, 1.0, high=30.0, forward=10.0)[1] < 11.0  # at once below the feed-forward: no wind-up


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_beyond_its_band_the_integral_waits_while_the_pv_comes_nearer(side):
    tuning = Tuning(gain=2.0, integral_s=10.0, band=1.5, low=-1000, high=1000)
    memory, pv = pid.track(tuning, 7.0, 0.0, -side * 10.0), -side * 10.0
    while abs(pv) > 2.5:
        pv += side * 1.1  # faster than error / integral_s
        memory, out = pid.step(memory, tuning, 0.0, pv, 1.0)
        assert out == pytest.approx(7.0 - side * 20.0 - 2.0 * pv)  # a long way to the set point winds nothing up
    memory, out = pid.step(memory, tuning, 0.0, -side * 1.5, 1.0)
    assert out == pytest.approx(7.0 - side * 20.0 + side * (3.0 + 0.3))


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_pv_that_stays_beyond_the_band_is_fetched(side):
    tuning = Tuning(gain=2.0, integral_s=10.0, band=1.5, low=-1000, high=1000)
    memory, first = pid.step(pid.Memory(), tuning, side * 4.0, 0.0, 1.0)
    for _ in range(50):
        memory, out = pid.step(memory, tuning, side * 4.0, 0.0, 1.0)
    assert out == pytest.approx(first + side * 50 * 0.8)


@pytest.mark.parametrize("forward", [0.0, 12.0])
def test_tracking_goes_on_where_another_loop_stood(forward):
    tuning = Tuning(gain=3.0, integral_s=1e5, beta=0.5)
    memory = pid.track(tuning, 42.0, 120.0, 118.0, forward)
    assert pid.step(memory, tuning, 120.0, 118.0, 1.0, forward=forward)[1] == pytest.approx(42.0, abs=1e-3)


@pytest.mark.parametrize(("rate", "limit"), [(2.0, 3.0), (4.0, 5.0), (0.4, 0.6), (0.0, 5.0)])
def test_zone_set_points_rise_no_faster_than_phase_and_equipment_allow(rate, limit):
    memory, was = cascade(heating.NOTHING, process(60.0, 60.0, 60.0), wanted(60.0, rate))
    for _ in range(200):
        memory, now = cascade(memory, process(60.0, 60.0, 60.0), wanted(100.0, rate), Tuning(gain=50.0, integral_s=1.0))
        assert now - was <= limit / 60.0 + 1e-9
        was = now


def test_the_cascade_falls_at_once_and_starts_from_the_zones():
    memory, sp = cascade(heating.NOTHING, process(40.0, 40.0, 40.0), wanted(100.0))
    assert sp == pytest.approx(40.0 + 5.0 / 60.0)
    assert cascade(memory._replace(zone_sp_c=110.0), process(110.0, 50.0, 50.0), wanted(30.0))[1] <= 40.0


def test_the_lead_winds_up_against_none_of_its_limits():
    memory, tuning = heating.NOTHING._replace(zone_sp_c=100.0), Tuning(gain=0.6, integral_s=600.0)
    for _ in range(7200):
        memory, sp = cascade(memory, process(110.0, 80.0, 85.0), tuning=tuning)
    assert sp == pytest.approx(100.0 + OVEN.cascade_lead_c)
    assert memory.lead.integral <= OVEN.cascade_lead_c
    for _ in range(7200):  # the hottest part stands 1 degC above: 1 degC of lead is left, and no more is saved up
        memory, sp = cascade(memory, process(101.0, 80.0, 101.0), tuning=tuning)
    assert sp == pytest.approx(101.0)
    assert cascade(memory, process(101.0, 100.5, 100.9), tuning=tuning)[1] <= 101.1


@pytest.mark.parametrize(("name", "pv"), [("LOAD_MIN", 90.0), ("LOAD_MAX", 99.0), ("LOAD_MEAN", 94.0), ("CONTROL", None)])
def test_the_phase_chooses_the_sensor(name, pv):
    values = {"load_outer_c": 99.0, "load_edge_c": 93.0, "load_core_c": 90.0}
    inputs = INPUTS._replace(**{key: Sample(value, Quality.GOOD, 0.0) for key, value in values.items()})
    assert heating.sensor(wanted(control_sensor=name), process(100.0, 90.0, 99.0), inputs) == pv


def test_the_mean_leaves_out_what_was_voted_out():
    values = {"load_outer_c": 150.0, "load_edge_c": 93.0, "load_core_c": 91.0}
    inputs = INPUTS._replace(**{key: Sample(value, Quality.GOOD, 0.0) for key, value in values.items()})
    assert heating.sensor(wanted(control_sensor="LOAD_MEAN"), process(100.0, 91.0, 93.0), inputs) == 92.0


def test_the_feed_forward_is_the_ovens_heat_balance():
    oven = Equipment(heater_kw=30.0, wall_kj_k=180.0, loss_w_k=60.0, ambient_c=20.0)
    assert heating.forward_pct(1.0, oven, 120.0, 0.0) == pytest.approx(20.0)  # 6 kW of 30
    assert heating.forward_pct(0.5, oven, 120.0, 2.0) == pytest.approx(20.0)  # half of 6 kW + 6 kW


def run_ramp(tunings, limit=100.0, rate=4.0, minutes=40):
    """Run the direct loops on three zones with the oven's own heat balance, 60 s of lag, no load; return the largest lag and overshoot."""
    oven = Equipment(direct_output=True)
    memory, wall, element, sp, worst, over, top = ControlMemory(), 23.0, 23.0, 23.0, 0.0, 0.0, 0.0
    for _ in range(minutes * 60):
        sp = min(sp + rate / 60.0, 120.0)
        seen = process(wall)._replace(load_min_c=None, load_max_c=None)
        phase = wanted(sp, rate if sp < 120.0 else 0.0, output_limit_pct=limit)
        memory, out = loops(memory, tunings, oven, phase, True, IDENTITY, INPUTS, seen, 1.0)
        power_w = out.zone_op_pct[0] / 100.0 * oven.heater_kw * 1000.0
        element += (power_w / 600.0 - (element - wall)) / 30.0
        wall += (600.0 * (element - wall) - oven.loss_w_k * (wall - 22.0)) / (1000.0 * oven.wall_kj_k)
        worst, over, top = max(worst, sp - wall), max(over, wall - 120.0), max(top, *out.zone_op_pct)
    return worst, over, top


def test_feed_forward_takes_most_of_lag_and_overshoot_out_of_a_ramp():
    lag, over, _ = run_ramp(Tunings(feedforward=0.0))
    lag_ff, over_ff, _ = run_ramp(Tunings(feedforward=1.0))
    assert lag > 8.0
    assert lag_ff < 0.5 * lag
    assert over > 3.0
    assert over_ff < 0.5 * over


def test_the_output_limit_holds_and_leaves_no_overshoot_behind():
    _, over, top = run_ramp(Tunings(), limit=40.0, minutes=80)
    assert top == 40.0
    assert over < 2.0


SETS = {
    "thick": {
        "vacuum": [
            {"temp_c": 100.0, "lead": {"gain": 1.0, "integral_s": 1000.0}},
            {"temp_c": 200.0, "lead": {"gain": 3.0, "integral_s": 500.0}},
        ],
        "nitrogen": [{"temp_c": 150.0, "lead": {"gain": 5.0, "integral_s": 300.0}, "zone": {"gain": 9.0, "integral_s": 90.0}}],
    }
}


@pytest.mark.parametrize(
    ("temp_c", "gas", "gain", "integral_s"),
    [
        (50.0, Atmosphere.VACUUM, 1.0, 1000.0),
        (150.0, Atmosphere.VACUUM, 2.0, 750.0),
        (125.3, Atmosphere.VACUUM, 1.5, 875.0),
        (250.0, Atmosphere.HOLD_CLOSED, 3.0, 500.0),
        (250.0, Atmosphere.N2_FLOW, 5.0, 300.0),
    ],
)
def test_a_named_set_is_interpolated_over_temperature_and_chosen_by_gas(temp_c, gas, gain, integral_s):
    tunings = Tunings.model_validate({"sets": SETS})
    lead, zone = tunings.at("thick", gas, temp_c)
    assert (lead.gain, lead.integral_s) == (pytest.approx(gain), pytest.approx(integral_s))
    assert zone == (Tuning(gain=9.0, integral_s=90.0) if gas is Atmosphere.N2_FLOW else tunings.zone)
    assert tunings.at("default", gas, temp_c) == (tunings.lead, tunings.zone)


def test_crossing_the_breakpoints_and_changing_the_gas_moves_no_set_point_in_a_jump():
    tunings, memory, last = Tunings.model_validate({"sets": SETS}), ControlMemory(), None
    for second in range(3600):
        temp_c = 100.0 + second / 30.0
        gas = Atmosphere.VACUUM if second < 1800 else Atmosphere.N2_FLOW
        sp = wanted(temp_c, 2.0, pid_set="thick", atmosphere=gas)
        memory, out = loops(memory, tunings, OVEN, sp, True, IDENTITY, INPUTS, process(temp_c + 2, temp_c - 1.5, temp_c - 1.0), 1.0)
        if last is not None:
            assert abs(out.zone_sp_c[0] - last) < 0.08
        last = out.zone_sp_c[0]


@pytest.mark.parametrize(
    "sets",
    [
        {"Thick": SETS["thick"]},
        {"thick": {}},
        {"thick": {"vacuum": [{"temp_c": 200.0}, {"temp_c": 100.0}]}},
        {"thick": {"vacuum": [{"temp_c": 100.0, "lead": {"gain": 0.0, "integral_s": 10.0}}]}},
        {"thick": {"helium": []}},
    ],
)
def test_a_wrong_set_is_refused(sets):
    with pytest.raises(ValidationError):
        Tunings.model_validate({"sets": sets})


def test_a_checkpoint_of_a_release_without_these_fields_still_loads():
    old = b'{"control":{"heating":{"lead":[1.5,200.0,0.0],"zones":[[0,null,0],[0,null,0],[0,null,0]]},"gas":[[0.0,null,0.0],false,false]}}'
    found = MEMORY.validate_json(old).control
    assert found.heating.lead == pid.Memory(1.5, 200.0, 0.0)
    assert found.tune is None
    assert math.isclose(pid.step(found.heating.lead, Tuning(gain=2.0, integral_s=1e5), 200.0, 200.0, 1.0)[1], 1.5)


@pytest.mark.parametrize(("was_open", "pressure", "opens"), [
    (False, 1023.0, False), (False, 1023.1, True), (True, 1016.1, True), (True, 1016.0, False), (True, BAD, False), (False, 900.0, False),
])  # fmt: skip
def test_a_chamber_at_rest_whose_cold_n2_warms_up_is_relieved_through_its_exhaust(was_open, pressure, opens):
    """Beyond 1033 mbar the door stays locked (I19), and nothing else would let the pressure down."""
    inputs = image(pressure_cap_mbar=pressure, pressure_pirani_mbar=BAD)
    process, tuning = condition(Limits(), inputs), pid.Tuning(gain=1.0, integral_s=10.0)
    memory, out = gas.step(GasMemory(exhaust=was_open), tuning, NOTHING, inputs, process, 1.0)
    assert (memory.exhaust, out) == (opens, GasOutputs(exhaust_valve=opens))


def test_before_air_comes_in_n2_leaves_through_the_exhaust_once_whatever_the_gauge_makes_of_ambient_pressure():
    """A gauge that reads 1 mbar too much kept the exhaust going to and fro, and the batch was held for a valve that contradicts."""
    wanted, tuning = gas_only(Atmosphere.VENT, 1013.25), pid.Tuning(gain=1.0, integral_s=10.0)
    memory, went, vented = GasMemory(), [], []
    shut, opened = {"exhaust_valve_closed": True, "exhaust_valve_open": False}, {"exhaust_valve_closed": False, "exhaust_valve_open": True}
    for scan in range(60):
        pressure = 1018.5 if scan == 0 else 1014.5 + 0.4 * (-1) ** scan
        inputs = image(pressure_cap_mbar=pressure, pressure_pirani_mbar=BAD, **(opened if memory.exhaust else shut))
        memory, out = gas.step(memory, tuning, wanted, inputs, condition(Limits(), inputs), 2.0)
        went.append(out.exhaust_valve)
        vented.append(out.vent_valve)
    assert went == [True] * 15 + [False] * 45
    assert vented == [False] * 16 + [True] * 44


@pytest.mark.parametrize(("was_open", "pressure", "relieved"), [
    (False, 1018.0, False), (False, 1018.1, True), (True, 1014.1, True), (True, 1014.0, False),
])  # fmt: skip
def test_a_vent_is_relieved_from_the_higher_line_to_the_lower(was_open, pressure, relieved):
    inputs = image(pressure_cap_mbar=pressure, pressure_pirani_mbar=BAD)
    wanted, tuning = gas_only(Atmosphere.VENT, 1013.25), pid.Tuning(gain=1.0, integral_s=10.0)
    _, out = gas.step(GasMemory(exhaust=was_open), tuning, wanted, inputs, condition(Limits(), inputs), 1.0)
    assert (out.exhaust_valve, out.vent_valve) == (relieved, not relieved)
