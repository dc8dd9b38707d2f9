"""The gas sequences to the last valve: what each atmosphere asks of pumps, valves and services, and on which feedback it waits."""

import math

import pytest

from controller.control import pid
from controller.control.gas import SWEEP_AFTER_S, VENT_S, GasMemory, GasOutputs, step
from controller.image import Atmosphere
from controller.interlocks.conditioning import condition
from controller.interlocks.limits import Limits
from controller.recipe.look import gas_only
from tests.images import BAD, image

TUNING = pid.Tuning(gain=120.0, integral_s=180.0, band=0.15)
LOOP = GasMemory(pid.step(pid.Memory(), TUNING, -1.0, -2.0, 1.0)[0], roots=True)
SHUT = {"vac_valve_closed": True, "n2_valve_closed": True, "exhaust_valve_closed": True}
VENTED = {"vent_valve_open": True, "vent_valve_closed": False, "vac_valve_closed": True, "n2_valve_closed": True}
PUMPS = GasOutputs(pump=True, services=True)


def does(atmosphere, memory=GasMemory(), pressure=1013.0, wanted=0.0, flow=0.0, dt_s=1.0, **changed):  # noqa: B008
    inputs = image(pressure_cap_mbar=pressure, pressure_pirani_mbar=BAD, **changed)
    return step(memory, TUNING, gas_only(atmosphere, wanted, flow), inputs, condition(Limits(), inputs), dt_s)


def outputs(atmosphere, memory=GasMemory(), **changed):  # noqa: B008
    return does(atmosphere, memory, **{"pressure": changed.pop("pressure_cap_mbar", 1013.0), **changed})


# ---- off, closed, filling, flowing ----


@pytest.mark.parametrize(("pressure", "was", "opens"), [
    (1023.0, False, False), (1023.5, False, True), (1016.0, True, False), (1016.5, True, True), (BAD, True, False),
])  # fmt: skip
def test_off_relieves_what_warms_up_and_nothing_else(pressure, was, opens):
    memory, out = does(Atmosphere.OFF, GasMemory(exhaust=was, roots=True, vented_s=5.0), pressure)
    assert (memory, out) == (GasMemory(exhaust=opens), GasOutputs(exhaust_valve=opens))


@pytest.mark.parametrize(("was", "runs", "roots"), [(True, True, True), (True, False, False), (True, BAD, False), (False, True, False)])
def test_closed_the_pumps_idle_and_the_loop_waits(was, runs, roots):
    memory, out = does(Atmosphere.HOLD_CLOSED, LOOP._replace(roots=was), pump_run=runs)
    assert (memory, out) == (LOOP._replace(roots=roots), PUMPS._replace(roots=roots))


@pytest.mark.parametrize(
    ("pressure", "shut", "fills"), [(899.9, True, True), (900.0, True, False), (899.9, False, False), (899.9, BAD, False)]
)
def test_a_filling_waits_for_the_vacuum_valve_and_ends_at_its_pressure(pressure, shut, fills):
    memory, out = does(Atmosphere.BACKFILL, LOOP, pressure, 900.0, 60.0, vac_valve_closed=shut)
    assert (memory, out) == (GasMemory(), PUMPS._replace(n2_valve=fills, n2_flow_sp_nm3_h=60.0 if fills else 0.0))


@pytest.mark.parametrize(("pressure", "was", "shut", "opens"), [
    (1010.0, False, True, False), (1010.5, False, True, True), (995.0, True, True, False), (995.5, True, True, True),
    (1013.0, True, False, False), (1013.0, False, BAD, False),
])  # fmt: skip
def test_a_flow_leaves_through_the_exhaust_above_the_ducts_pressure_only(pressure, was, shut, opens):
    memory, out = does(Atmosphere.N2_FLOW, LOOP._replace(exhaust=was), pressure, 1013.25, 30.0, vac_valve_closed=shut)
    flows = shut is True
    assert memory == GasMemory(exhaust=opens)
    assert out == GasOutputs(n2_valve=flows, n2_flow_sp_nm3_h=30.0 if flows else 0.0, exhaust_valve=opens, services=True)


@pytest.mark.parametrize(("atmosphere", "was", "opened", "goes_on"), [
    (Atmosphere.N2_FLOW, True, True, True), (Atmosphere.N2_FLOW, True, False, False), (Atmosphere.N2_FLOW, True, BAD, False),
    (Atmosphere.N2_FLOW, False, True, False), (Atmosphere.BACKFILL, True, True, False), (Atmosphere.VACUUM, True, True, False),
    (Atmosphere.VENT, True, True, False), (Atmosphere.SWEEP, True, True, False), (Atmosphere.HOLD_CLOSED, True, True, False),
])  # fmt: skip
def test_without_a_pressure_all_is_shut_but_a_flow_whose_way_out_is_seen(atmosphere, was, opened, goes_on):
    memory, out = does(atmosphere, GasMemory(exhaust=was), BAD, 20.0, 30.0, exhaust_valve_open=opened)
    flow = GasOutputs(n2_valve=True, n2_flow_sp_nm3_h=30.0, exhaust_valve=True, services=True)
    assert (memory, out) == ((GasMemory(exhaust=True), flow) if goes_on else (GasMemory(), GasOutputs(services=True)))


# ---- vacuum ----

READY = {"pump_run": True, "n2_valve_closed": True, "vent_valve_closed": True, "exhaust_valve_closed": True}


@pytest.mark.parametrize("field", READY)
@pytest.mark.parametrize("value", [False, BAD])
def test_the_vacuum_valve_waits_for_its_pump_and_for_every_other_valve(field, value):
    assert does(Atmosphere.VACUUM, LOOP, 5.0, 2.0, **{**READY, field: value}) == (GasMemory(), PUMPS)


@pytest.mark.parametrize(("pressure", "was", "roots"), [(20.0, False, False), (19.9, False, True), (30.0, True, False), (29.9, True, True)])
def test_the_roots_pump_helps_below_its_pressure(pressure, was, roots):
    memory, out = does(Atmosphere.VACUUM, GasMemory(roots=was), pressure, 2.0, **READY)
    assert (memory.roots, out.roots) == (roots, roots)
    assert out._replace(roots=False, vac_throttle_pct=0.0) == PUMPS._replace(vac_valve=True)


@pytest.mark.parametrize(("wanted", "asked"), [(2.0, 2.0), (0.0, 1e-3)])
@pytest.mark.parametrize(("pressure", "seen"), [(5.0, 5.0), (0.0, 1e-3)])
def test_the_throttles_loop_works_on_the_logarithm(wanted, asked, pressure, seen):
    memory, out = does(Atmosphere.VACUUM, LOOP, pressure, wanted, dt_s=2.0, **READY)
    loop, opening = pid.step(LOOP.throttle, TUNING, -math.log10(asked), -math.log10(seen), 2.0)
    assert (memory.throttle, out.vac_throttle_pct) == (loop, opening)


# ---- air ----


@pytest.mark.parametrize(("pressure", "was", "relieved_s", "relieves"), [
    (1018.0, False, 0.0, False), (1018.5, False, 0.0, True), (1014.0, True, 0.0, False), (1014.5, True, 0.0, True),
    (1040.0, True, VENT_S - 2.0, True), (1040.0, True, VENT_S - 1.0, False),  # the weather
])  # fmt: skip
def test_n2_above_ambient_pressure_leaves_through_the_exhaust_before_air_comes_in(pressure, was, relieved_s, relieves):
    memory, out = does(
        Atmosphere.VENT, GasMemory(exhaust=was, relieved_s=relieved_s), pressure, exhaust_valve_open=True, vent_valve_open=True
    )
    assert memory == GasMemory(exhaust=relieves, relieved_s=relieved_s + 1.0, vented_s=1.0)
    assert out == GasOutputs(vent_valve=not relieves, exhaust_valve=relieves, services=True)
    assert does(Atmosphere.VENT, GasMemory(relieved_s=7.0), exhaust_valve_open=False)[0].relieved_s == 7.0


@pytest.mark.parametrize("field", ["vac_valve_closed", "n2_valve_closed", "exhaust_valve_closed"])
@pytest.mark.parametrize("value", [False, BAD])
def test_the_vent_waits_for_every_other_valve(field, value):
    for atmosphere in (Atmosphere.VENT, Atmosphere.SWEEP):
        assert not does(atmosphere, **{field: value})[1].vent_valve
        assert does(atmosphere)[1].vent_valve


def test_nothing_is_asked_for_and_nothing_known_before_the_first_scan():
    assert GasOutputs() == (False, False, False, 0.0, False, 0.0, False, False, False)
    assert GasMemory() == (pid.Memory(), False, False, 0.0, 0.0)


def test_air_and_exhaust_count_as_open_after_half_a_minute():
    assert (GasMemory(vented_s=SWEEP_AFTER_S).vented, GasMemory(vented_s=SWEEP_AFTER_S - 0.1).vented) == (True, False)
    assert (GasMemory(relieved_s=VENT_S).relieved, GasMemory(relieved_s=VENT_S - 0.1).relieved) == (True, False)
    assert GasMemory(vented_s=SWEEP_AFTER_S).relieved
    assert (SWEEP_AFTER_S, VENT_S) == (30.0, 30.0)


def test_a_sweep_waits_until_the_vent_has_stood_open_and_the_fan_is_seen_to_run():
    early, late = GasMemory(vented_s=SWEEP_AFTER_S - 1.5), GasMemory(vented_s=SWEEP_AFTER_S - 1.0)
    running = {**VENTED, "exhaust_run": True}
    assert not outputs(Atmosphere.SWEEP, early, **running)[1].exhaust_valve
    memory, out = outputs(Atmosphere.SWEEP, late, **running)
    assert (out.vent_valve, out.exhaust_valve, out.services) == (True, True, True)
    assert memory.vented_s == SWEEP_AFTER_S
    assert not outputs(Atmosphere.SWEEP, late, **{**VENTED, "exhaust_run": False})[1].exhaust_valve
    assert not outputs(Atmosphere.VENT, late, **running)[1].exhaust_valve  # only lets air in


def test_a_vent_that_is_not_seen_open_begins_anew():
    memory, out = outputs(Atmosphere.SWEEP, GasMemory(vented_s=900.0), **SHUT, exhaust_run=True)
    assert (memory.vented_s, out.vent_valve, out.exhaust_valve) == (0.0, True, False)


def test_air_has_the_vent_open_and_all_else_off():
    assert outputs(Atmosphere.AIR, **SHUT)[1] == GasOutputs(vent_valve=True)
    assert outputs(Atmosphere.AIR, **SHUT, pressure_cap_mbar=BAD)[1] == GasOutputs(vent_valve=True)
    for unsafe in ("vac_valve_closed", "n2_valve_closed"):
        assert outputs(Atmosphere.AIR, **{**SHUT, unsafe: False})[1] == GasOutputs()


def test_a_chamber_above_ambient_pressure_is_relieved_through_the_exhaust_unless_its_vent_is_open():
    memory, out = outputs(Atmosphere.AIR, **SHUT, pressure_cap_mbar=1024.0)
    assert out == GasOutputs(exhaust_valve=True)
    assert outputs(Atmosphere.AIR, memory, **{**SHUT, "exhaust_valve_closed": False}, pressure_cap_mbar=1017.0)[1].exhaust_valve
    assert outputs(Atmosphere.AIR, **SHUT, pressure_cap_mbar=1023.0)[1] == GasOutputs(vent_valve=True)
    assert outputs(Atmosphere.AIR, memory, **SHUT, pressure_cap_mbar=1016.0)[1] == GasOutputs(vent_valve=True)
    assert outputs(Atmosphere.AIR, **VENTED, pressure_cap_mbar=1030.0)[1] == GasOutputs(vent_valve=True)  # the weather
    assert outputs(Atmosphere.AIR, GasMemory(relieved_s=40.0, vented_s=3.0), **VENTED)[0] == GasMemory(vented_s=4.0)
    assert outputs(Atmosphere.AIR, GasMemory(relieved_s=40.0), **SHUT)[0] == GasMemory(relieved_s=40.0)
