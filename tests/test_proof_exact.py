"""The proof of the atmosphere at its lines: what exactly is a cycle, a volume, vacuum, O2, and what is left after air may have come in."""

import pytest

from controller.interlocks.atmosphere import Proof
from controller.interlocks.atmosphere import step as prove
from controller.interlocks.conditioning import condition
from controller.interlocks.gauges import Watch
from controller.interlocks.limits import Limits
from tests.images import BAD, image

LIMITS = Limits(
    proof_mbar=100.0, proof_s=60.0, proof_cycles=2, cycle_low_mbar=60.0, cycle_high_mbar=300.0, proof_volumes=4.0, proof_o2_pct=2.0,
    o2_analyser_from_mbar=900.0,
)  # fmt: skip
CALM = Watch(0.0, None, 0.0, 0.0, False)
NOTHING = Proof(0, False, 0.0, 0.0, False, 7, 0.0, 0, 0.0, False, False, CALM)
FLOWING = {"n2_flow_nm3_h": 3600.0, "exhaust_valve_open": True, "exhaust_valve_closed": False, "o2_pct": 0.01}  # a cubic metre a second
VACUUM = {"pressure_pirani_mbar": 20.0}


def scan(proof, heating=False, dt_s=1.0, chamber_m3=2.0, **changed):
    inputs = image(dt_s=dt_s, **changed)
    return prove(proof, LIMITS, chamber_m3, inputs, condition(LIMITS, inputs), heating, 0.0)


def at(pressure):
    return {"pressure_cap_mbar": pressure, "pressure_pirani_mbar": pressure}


def test_a_core_that_has_just_started_has_proven_nothing():
    assert Proof() == NOTHING._replace(boot_id=0)
    assert not Proof().proven
    assert Proof(vacuum_proven=True).proven
    assert Proof(inert_proven=True).proven


SHOWN = Proof(3, False, 5.0, 70.0, True, 7, 0.0, 3, 5.0, True, True, CALM)


@pytest.mark.parametrize("changed", [{"door_closed_a": False}, {"door_closed_b": False}, {"vent_valve_closed": False}])
def test_air_leaves_nothing_of_the_proof_after_half_a_second(changed):
    flicker = scan(SHOWN, dt_s=0.25, **changed)
    assert flicker == SHOWN._replace(open_s=0.25)
    assert scan(flicker, dt_s=0.25, **changed) == NOTHING._replace(open_s=0.5)
    assert scan(flicker, dt_s=0.25).open_s == 0.0
    assert scan(scan(flicker, dt_s=0.25), dt_s=0.25, **changed).open_s == 0.25


BLIND = {"pressure_cap_mbar": BAD, "pressure_pirani_mbar": BAD}


def test_air_is_noticed_though_no_gauge_reads():
    kept = SHOWN._replace(low_s=0.0, vacuum_proven=False, inert_proven=False)
    flicker = scan(SHOWN, dt_s=0.25, door_closed_a=False, **BLIND)
    assert flicker == kept._replace(open_s=0.25)
    assert scan(flicker, dt_s=0.25, door_closed_a=False, **BLIND) == NOTHING._replace(open_s=0.5)
    assert scan(flicker, dt_s=0.25, **BLIND) == kept
    assert scan(SHOWN, plc_boot_id=8, **BLIND) == NOTHING._replace(boot_id=8, leak_ok=True)


def test_another_boot_of_the_plc_leaves_the_leak_test_alone():
    assert scan(SHOWN, plc_boot_id=8) == NOTHING._replace(boot_id=8, leak_ok=True)
    assert scan(SHOWN, plc_boot_id=8, dt_s=0.5, door_closed_a=False) == NOTHING._replace(boot_id=8, open_s=0.5)


@pytest.mark.parametrize("changed", [{"plc_boot_id": BAD}, BLIND])
def test_what_cannot_be_seen_proves_nothing_and_takes_no_cycle_away(changed):
    assert scan(SHOWN, **changed) == SHOWN._replace(low_s=0.0, vacuum_proven=False, inert_proven=False)


def test_a_cycle_goes_down_to_the_low_line_and_up_to_the_high_one():
    assert not scan(NOTHING, **at(60.1)).evacuated
    low = scan(NOTHING, **at(60.0))
    assert (low.evacuated, low.cycles) == (True, 0)
    between = scan(low, **at(299.9))
    assert (between.evacuated, between.cycles, between.cycles_since_heat) == (True, 0, 0)
    high = scan(between, **at(300.0))
    assert (high.evacuated, high.cycles, high.cycles_since_heat) == (False, 1, 1)
    assert scan(high, **at(1013.0)).cycles == 1
    assert scan(scan(high, **at(50.0)), **at(400.0))[0:1] == (2,)


def test_heat_ends_what_was_washed_out_since_heat_and_not_the_proof():
    hot = scan(SHOWN._replace(evacuated=True), heating=True, **at(400.0))
    assert (hot.cycles, hot.cycles_since_heat, hot.volumes, hot.volumes_since_heat) == (4, 0, 5.0, 0.0)
    after = scan(hot, **{**FLOWING, **at(1013.0)})
    assert (after.cycles_since_heat, after.volumes_since_heat) == (0, 0.5)
    assert scan(after, **{**FLOWING, **at(1013.0)}).volumes_since_heat == 1.0
    again = scan(scan(after, **at(50.0)), **at(400.0))
    assert (again.cycles, again.cycles_since_heat) == (5, 1)


def test_volumes_are_flow_by_time_over_the_chamber():
    assert scan(NOTHING, dt_s=2.0, chamber_m3=4.0, **FLOWING).volumes == 0.5
    assert scan(NOTHING._replace(volumes=1.0), dt_s=2.0, chamber_m3=4.0, **FLOWING).volumes == 1.5


@pytest.mark.parametrize("changed", [
    {"exhaust_valve_open": False}, {"exhaust_valve_open": BAD}, {"n2_flow_nm3_h": BAD}, at(899.9), {"n2_flow_nm3_h": 0.0},
])  # fmt: skip
def test_n2_that_does_not_leave_again_at_ambient_pressure_is_no_volume(changed):
    after = scan(SHOWN, **{**FLOWING, **changed})
    assert (after.volumes, after.volumes_since_heat) == (5.0, 5.0)


def test_volumes_count_from_the_pressure_on_at_which_the_analyser_sees_gas():
    assert scan(NOTHING, **{**FLOWING, **at(900.0)}).volumes == 0.5


def test_a_minute_at_the_proof_pressure_after_cycles_and_leak_test_proves_the_vacuum():
    ready = NOTHING._replace(cycles=2, leak_ok=True, low_s=59.0)
    assert scan(ready, **at(100.0))[9:11] == (True, False)
    assert scan(ready, **at(100.0)).low_s == 60.0
    assert not scan(ready._replace(low_s=58.9), **at(100.0)).vacuum_proven
    assert scan(ready, **at(100.1)).low_s == 0.0
    assert not scan(ready, **at(100.1)).vacuum_proven
    assert not scan(ready._replace(cycles=1), **at(100.0)).vacuum_proven
    assert not scan(ready._replace(leak_ok=False), **at(100.0)).vacuum_proven


@pytest.mark.parametrize(("before", "o2_pct", "proven"), [
    (NOTHING._replace(volumes=3.5), 2.0, True),
    (NOTHING._replace(volumes=3.49), 2.0, False),
    (NOTHING._replace(volumes=3.5), 2.1, False),
    (NOTHING._replace(volumes=3.5), BAD, False),
    (NOTHING._replace(cycles=2), 2.0, True),  # two cycles purge as well as four volumes
    (NOTHING._replace(cycles=1), 2.0, False),
])  # fmt: skip
def test_volumes_or_cycles_and_a_valid_o2_reading_prove_the_nitrogen(before, o2_pct, proven):
    assert scan(before, **{**FLOWING, "o2_pct": o2_pct}).inert_proven is proven
