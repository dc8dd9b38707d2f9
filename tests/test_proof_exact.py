"""The proof of the atmosphere at its lines: what exactly is a cycle, a volume, vacuum, O2, and what is left after air may have come in."""

import pytest

from controller.interlocks.atmosphere import DOOR_AIRS, Proof, accounted, lost
from controller.interlocks.atmosphere import step as prove
from controller.interlocks.conditioning import condition
from controller.interlocks.gauges import Watch
from controller.interlocks.limits import Limits
from tests.images import BAD, image
from tests.test_interlocks import at_c

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


OPENED = {"door_closed_a": False, "door_closed_b": False}


@pytest.mark.parametrize("changed", [OPENED, {"door_closed_a": False}, {"door_closed_b": False}, {"vent_valve_closed": False}])
def test_air_leaves_nothing_of_the_proof_after_half_a_second(changed):
    flicker = scan(SHOWN, dt_s=0.25, **changed)
    airs_s = 0.25 * DOOR_AIRS if changed == OPENED else 0.0
    assert flicker == SHOWN._replace(open_s=0.25, swept_s=airs_s)
    # what was washed out stays out when only the vent opens (I19), and one switch opens no door
    washed = (0, 0.0) if changed == OPENED else (3, 5.0)
    gone = NOTHING._replace(open_s=0.5, cycles_since_heat=washed[0], volumes_since_heat=washed[1], swept_s=2 * airs_s)
    assert scan(flicker, dt_s=0.25, **changed) == gone
    assert scan(flicker, dt_s=0.25, heating=True, **changed) == NOTHING._replace(open_s=0.5, swept_s=2 * airs_s)
    assert scan(flicker, dt_s=0.25, plc_boot_id=8, **changed) == NOTHING._replace(open_s=0.5, boot_id=8)
    assert scan(flicker, dt_s=0.25).open_s == 0.0
    assert scan(scan(flicker, dt_s=0.25), dt_s=0.25, **changed).open_s == 0.25


BLIND = {"pressure_cap_mbar": BAD, "pressure_pirani_mbar": BAD}


def test_air_is_noticed_though_no_gauge_reads():
    kept = SHOWN._replace(low_s=0.0, vacuum_proven=False, inert_proven=False)
    flicker = scan(SHOWN, dt_s=0.25, door_closed_a=False, **BLIND)
    assert flicker == kept._replace(open_s=0.25)
    washed = NOTHING._replace(open_s=0.5, cycles_since_heat=3, volumes_since_heat=5.0)
    assert scan(flicker, dt_s=0.25, door_closed_a=False, **BLIND) == washed
    assert scan(flicker, dt_s=0.25, **BLIND) == kept
    assert scan(SHOWN, plc_boot_id=8, **BLIND) == NOTHING._replace(boot_id=8, leak_ok=True)


def test_another_boot_of_the_plc_leaves_the_leak_test_alone():
    assert scan(SHOWN, plc_boot_id=8) == NOTHING._replace(boot_id=8, leak_ok=True)
    assert scan(SHOWN, plc_boot_id=8, dt_s=0.5, door_closed_a=False) == NOTHING._replace(boot_id=8, open_s=0.5)


@pytest.mark.parametrize("changed", [{"plc_boot_id": BAD}, BLIND])
def test_what_cannot_be_seen_proves_nothing_and_takes_no_cycle_away(changed):
    assert scan(SHOWN, **changed) == SHOWN._replace(low_s=0.0, vacuum_proven=False, inert_proven=False)


def fed(nm3, pressure):
    """Return the image of a chamber that is filled with N2: what FT-402 shows in the scan in which ``pressure`` is reached."""
    return {"n2_valve_open": True, "n2_valve_closed": False, "n2_flow_nm3_h": 3600.0 * nm3, **at(pressure)}


def test_a_cycle_goes_down_to_the_low_line_and_up_to_the_high_one():
    assert not scan(NOTHING, **at(60.1)).evacuated
    low = scan(NOTHING, **at(60.0))
    assert (low.evacuated, low.cycles) == (True, 0)
    between = scan(low, **fed(0.45, 299.9))
    assert (between.evacuated, between.cycles, between.cycles_since_heat) == (True, 0, 0)
    high = scan(between, **fed(0.0, 300.0))
    assert (high.evacuated, high.cycles, high.cycles_since_heat) == (False, 1, 1)
    full = scan(high, **fed(1.5, 1013.0))
    assert full.cycles == 1
    assert scan(scan(full, **at(50.0), **PUMPED), **fed(0.7, 400.0)).cycles == 2


def test_heat_ends_what_was_washed_out_since_heat_and_not_the_proof():
    low = SHOWN._replace(evacuated=True, low_mbar=60.0)
    hot = scan(low, heating=True, **fed(0.7, 400.0))
    assert (hot.cycles, hot.cycles_since_heat, hot.volumes, hot.volumes_since_heat) == (4, 0, 5.0, 0.0)
    after = scan(hot, **{**FLOWING, **fed(1.0, 1013.0)})
    assert (after.cycles_since_heat, after.volumes_since_heat) == (0, 0.5)
    after = scan(after, **{**FLOWING, **fed(1.0, 1013.0)})
    assert after.volumes_since_heat == 1.0
    again = scan(scan(after, **at(50.0), **PUMPED), **fed(0.7, 400.0))
    assert (again.cycles, again.cycles_since_heat) == (5, 1)


PUMPED = {"vac_valve_open": True, "vac_valve_closed": False}
NEEDS_NM3 = 0.75 * 2.0 * (300.0 - 60.0) / 1013.25 * 273.15 / (273.15 + 23.0)  # three quarters of what 2 m3 of 23 degC hold more
AIRED = SHOWN._replace(cycles=0, evacuated=False, volumes=0.0, low_s=0.0, leak_ok=False, vacuum_proven=False, inert_proven=False)


@pytest.mark.parametrize(("nm3", "changed", "cycles"), [
    (1.001 * NEEDS_NM3, {}, 4),
    (0.999 * NEEDS_NM3, {}, 0),
    (NEEDS_NM3 * 296.15 / 473.15 * 1.001, at_c(200.0), 4),  # a warm chamber needs less
    (NEEDS_NM3 * 296.15 / 473.15 * 0.999, at_c(200.0), 0),
    (1.1 * NEEDS_NM3 * 296.15 / 273.15, dict.fromkeys(at_c(0.0), BAD), 4),  # of unknown temperature, as of one at 0 degC
    (NEEDS_NM3, dict.fromkeys(at_c(0.0), BAD), 0),
    (2.0 * NEEDS_NM3, {"n2_valve_open": False}, 0),  # a meter that shows what cannot flow
])  # fmt: skip
def test_a_rise_is_a_cycle_as_far_as_the_n2_meter_accounts_for_it_and_otherwise_air(nm3, changed, cycles):
    low = SHOWN._replace(evacuated=True, low_mbar=60.0, low_s=0.0)
    after = scan(low, **{**fed(nm3, 300.0), **changed})
    assert (after.cycles, after.volumes, after.leak_ok) == (cycles, 5.0 if cycles else 0.0, bool(cycles))
    assert (after.evacuated, after.vacuum_proven, after.inert_proven) == (False, False, False)


def test_air_that_comes_in_after_the_cycle_ends_the_proof_too():
    filled = scan(SHOWN._replace(evacuated=True, low_mbar=60.0), **fed(0.5, 310.0))
    assert filled.cycles == 4
    assert scan(filled, **at(390.0)).cycles == 4
    assert scan(filled, **at(1013.0))[:7] == AIRED[:7]


def test_a_rise_of_fifty_mbar_needs_no_n2():
    closed = SHOWN._replace(low_mbar=960.0)
    assert scan(closed, **at(1010.0)).cycles == 3
    assert scan(closed, **at(1010.1)).cycles == 0


def test_what_is_fed_past_a_meter_that_does_not_read_is_no_cycle_and_no_air():
    low = SHOWN._replace(evacuated=True, low_mbar=60.0)
    blind = scan(low, **{**fed(0.0, 250.0), "n2_flow_nm3_h": BAD})
    assert (blind.evacuated, blind.low_mbar, blind.fed_nm3) == (False, 250.0, 0.0)
    after = scan(blind, **fed(0.3, 400.0))
    assert (after.cycles, after.leak_ok) == (3, True)


def test_the_rise_counts_from_the_lowest_pressure_since_the_pump_worked():
    drawn = scan(NOTHING._replace(low_mbar=14.0, fed_nm3=2.0), **at(900.0), **PUMPED)
    assert (drawn.low_mbar, drawn.fed_nm3) == (900.0, 0.0)
    for pressure, lowest in ((50.0, 50.0), (55.0, 50.0), (40.0, 40.0)):
        drawn = scan(drawn, **at(pressure), **PUMPED)
        assert (drawn.low_mbar, drawn.fed_nm3) == (lowest, 0.0)
    shut = scan(drawn, **at(39.0))
    assert shut.low_mbar == 39.0
    assert scan(shut, **at(200.0)).low_mbar == 39.0
    filled = scan(shut, **fed(0.2, 150.0))
    assert (filled.low_mbar, filled.fed_nm3) == (39.0, pytest.approx(0.2))
    assert scan(NOTHING, **at(1000.0), **PUMPED).low_mbar == 1000.0
    assert scan(NOTHING, **fed(0.1, 900.0)).low_mbar == 900.0


def test_a_lost_vacuum_leaves_nothing_of_the_proof_but_what_was_washed_out():
    assert lost(SHOWN) == AIRED._replace(leak_ok=True)


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


@pytest.mark.parametrize(("changed", "heating", "washed"), [
    ({}, False, (1, 1.5)), ({"exhaust_valve_open": False}, False, (1, 1.0)), ({"n2_flow_nm3_h": BAD}, False, (1, 1.0)),
    ({}, True, (0, 0.0)),
])  # fmt: skip
def test_what_flows_through_an_open_exhaust_washes_without_a_pressure_too_and_proves_nothing(changed, heating, washed):
    """A unit that ends in flowing N2 without its gauge would never come to rest."""
    before = NOTHING._replace(cycles_since_heat=1, volumes_since_heat=1.0, volumes=1.0)
    after = scan(before, dt_s=2.0, chamber_m3=4.0, heating=heating, **{**FLOWING, **BLIND, **changed})
    assert (after.cycles_since_heat, after.volumes_since_heat, after.volumes) == (*washed, 1.0)


def test_a_pump_that_works_after_n2_was_fed_begins_the_rise_anew_and_what_was_fed_counts_by_its_time():
    fed_a_little = NOTHING._replace(low_mbar=40.0, fed_nm3=0.5)
    assert scan(fed_a_little, **at(60.0), **PUMPED).low_mbar == 60.0
    filling = NOTHING._replace(low_mbar=40.0)
    assert scan(filling, dt_s=2.0, **fed(0.1, 200.0)).fed_nm3 == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("temp_c", "share", "enough"), [(23.0, 0.75, True), (23.0, 0.7499, False), (None, 0.75, True), (None, 0.7499, False)]
)
def test_a_rise_is_accounted_for_by_three_quarters_of_what_it_needs_at_its_temperature(temp_c, share, enough):
    """Nobody knows how warm the chamber is: then all of it as at 0 degC."""
    process = condition(LIMITS, image())._replace(zone_max_c=temp_c, load_max_c=temp_c)
    needs_nm3 = 2.0 * 800.0 / 1013.25 * 273.15 / (273.15 + (temp_c or 0.0))
    assert accounted(NOTHING._replace(low_mbar=100.0, fed_nm3=share * needs_nm3), 2.0, process, 900.0) is enough
