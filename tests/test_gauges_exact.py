"""Where exactly the watch over the pressure gauges draws its lines: a scan of N2 adds one millibar, so that every line is hit."""

import pytest

from controller.interlocks import gauges
from controller.interlocks.gauges import Watch, contradict
from controller.interlocks.limits import Limits
from controller.units import ATMOSPHERE_MBAR
from tests.images import BAD, image

LIMITS = Limits(gauge_range_mbar=100.0, gauge_ratio=2.5, gauge_band_mbar=2.0, gauge_move_mbar=30.0, gauge_still_s=60.0)
CHAMBER_M3 = ATMOSPHERE_MBAR / 1000.0  # 3.6 Nm3/h is one millibar a second
FEED = {"n2_valve_open": True, "n2_valve_closed": False, "n2_flow_nm3_h": 3.6}
PUMP = {"vac_valve_open": True, "vac_valve_closed": False, "pump_run": True}


def stepped(watch, pressure, throttle_pct=100.0, dt_s=1.0, **changed):
    changed.setdefault("pressure_pirani_mbar", pressure)
    return gauges.step(watch, LIMITS, CHAMBER_M3, image(dt_s=dt_s, pressure_cap_mbar=pressure, **changed), throttle_pct)


def about(watch):
    """Return a watch that may differ by rounding."""
    return Watch(*(pytest.approx(one, rel=1e-9) if isinstance(one, float) else one for one in watch))


@pytest.mark.parametrize(("exact", "pirani", "found"), [
    (1.0, 3.0, False),  # apart by the band, not by more
    (1.0, 3.1, True),
    (0.0, 2.1, True),
    (8.0, 20.0, False),  # apart by the factor, not by more: 2.5
    (8.0, 20.1, True),
    (40.0, 250.0, False),  # 100 mbar is all that a Pirani gauge says up there: a factor of 2.5
    (40.0, 250.1, True),  # but so far beyond its range it denies any vacuum
    (99.9, 250.1, True),
    (39.9, 101.0, True),
    (100.0, 1013.0, False),
    (1013.0, 100.0, False),
    (-1.0, 1.5, False),  # a zero that reads below nothing is nothing
    (1.0, 2.9, False),  # the factor without the band: vapour in a good vacuum
    (1.2, 3.0, False),
])  # fmt: skip
def test_gauges_contradict_beyond_band_and_factor_only(exact, pirani, found):
    assert contradict(LIMITS, image(pressure_cap_mbar=exact, pressure_pirani_mbar=pirani)) is found


def test_time_of_contradiction_adds_up_and_ends_at_once():
    apart = {"pressure_pirani_mbar": 900.0}
    watch = stepped(Watch(), 8.0, dt_s=2.0, **apart)
    assert watch == Watch(2.0, None, 0.0, 0.0, False)
    assert stepped(watch, 8.0, dt_s=2.0, **apart) == Watch(4.0, None, 0.0, 0.0, False)
    assert stepped(watch, 8.0) == Watch(0.0, None, 0.0, 0.0, False)
    frozen = Watch(4.0, 8.0, 30.0, 0.0, True)
    assert stepped(frozen, 8.0, **apart) == Watch(5.0, 8.0, 30.0, 0.0, True)
    assert stepped(frozen, 8.0) == Watch(0.0, 8.0, 30.0, 0.0, True)


def test_a_gauge_without_a_reading_is_not_watched():
    assert stepped(Watch(0.0, 400.0, 12.0, 3.0, True), BAD, pressure_pirani_mbar=5.0, **FEED) == Watch(0.0, None, 0.0, 0.0, False)


def test_n2_counts_from_the_scan_after_it_began_and_by_what_it_adds_to_the_chamber():
    began = stepped(Watch(), 500.0, **FEED)
    assert began == Watch(0.0, 500.0, 0.0, 0.0, False)
    assert stepped(began, 500.0, **FEED) == about(Watch(0.0, 500.0, 1.0, 0.0, False))
    assert stepped(began, 500.0, dt_s=2.0, **FEED) == about(Watch(0.0, 500.0, 2.0, 0.0, False))
    assert stepped(began._replace(fed_mbar=3.0), 500.0, dt_s=2.0, **FEED) == about(Watch(0.0, 500.0, 5.0, 0.0, False))


@pytest.mark.parametrize(("flow", "counts"), [(0.9, False), (1.0, True), (1.5, True), (BAD, False)])
def test_a_flow_below_one_is_the_meters_zero(flow, counts):
    assert stepped(Watch(), 500.0, **{**FEED, "n2_flow_nm3_h": flow}).mark_mbar == (500.0 if counts else None)


@pytest.mark.parametrize("changed", [
    {"n2_valve_open": False}, {"n2_valve_open": BAD}, {"vac_valve_closed": False}, {"exhaust_valve_closed": False},
    {"vac_valve_closed": BAD}, {"exhaust_valve_closed": BAD},
])  # fmt: skip
def test_n2_counts_only_through_an_open_valve_into_a_shut_chamber(changed):
    assert stepped(Watch(0.0, 500.0, 7.0, 0.0, False), 500.0, **{**FEED, **changed}) == Watch(0.0, None, 0.0, 0.0, False)


def test_pumping_counts_also_where_n2_leaks_in():
    both = {**FEED, **PUMP}
    assert stepped(Watch(0.0, 400.0, 0.0, 5.0, False), 400.0, dt_s=2.0, **both) == Watch(0.0, 400.0, 0.0, 7.0, False)


@pytest.mark.parametrize(("throttle_pct", "pressure", "changed", "counts"), [
    (80.0, 100.0, {}, True),
    (79.9, 100.0, {}, False),
    (80.0, 99.9, {}, False),  # in vacuum the Pirani gauge tells
    (80.0, 100.0, {"pump_run": False}, False),
    (80.0, 100.0, {"pump_run": BAD}, False),
    (80.0, 100.0, {"vac_valve_open": False}, False),
    (80.0, 100.0, {"vac_valve_open": BAD}, False),
])  # fmt: skip
def test_a_pump_counts_behind_an_open_valve_and_throttle_above_the_pirani_gauges_range(throttle_pct, pressure, changed, counts):
    assert stepped(Watch(), pressure, throttle_pct, **{**PUMP, **changed}).mark_mbar == (pressure if counts else None)


@pytest.mark.parametrize(("fed_mbar", "mark", "pressure", "moved"), [
    (0.0, 50.0, 51.0, True),  # one millibar is a movement
    (0.0, 50.0, 50.9, False),
    (2.0, 50.0, 51.0, True),  # a third of what was fed
    (9.0, 50.0, 52.4, False),  # less than a quarter of ten millibar
    (9.0, 50.0, 52.6, True),
    (9.0, 50.0, 47.4, True),  # it moved, whichever way
    (20.0, 500.0, 508.0, True),  # two per cent are asked for only behind a pump
])  # fmt: skip
def test_a_gauge_follows_n2_when_it_shows_a_quarter_and_a_millibar(fed_mbar, mark, pressure, moved):
    after = stepped(Watch(0.0, mark, fed_mbar, 0.0, False), pressure, **FEED)._replace(alone_mbar=None)
    assert after == (Watch(0.0, pressure, 0.0, 0.0, False) if moved else about(Watch(0.0, mark, fed_mbar + 1.0, 0.0, False)))


@pytest.mark.parametrize(("mark", "pressure", "moved"), [
    (400.0, 391.9, True), (400.0, 392.0, True), (400.0, 392.1, False), (400.0, 408.0, True), (400.0, 407.9, False),
])  # fmt: skip
def test_a_gauge_follows_the_pump_when_it_moves_by_two_per_cent(mark, pressure, moved):
    after = stepped(Watch(0.0, mark, 0.0, 10.0, False), pressure, **PUMP)
    assert after == (Watch(0.0, pressure, 0.0, 0.0, False) if moved else Watch(0.0, mark, 0.0, 11.0, False))


def test_thirty_millibar_or_a_minute_without_a_movement_is_frozen():
    assert not stepped(Watch(0.0, 500.0, 28.5, 0.0, False), 500.0, **FEED).frozen
    assert stepped(Watch(0.0, 500.0, 29.0, 0.0, False), 500.0, dt_s=1.0, **FEED).frozen
    assert not stepped(Watch(0.0, 400.0, 0.0, 58.9, False), 400.0, **PUMP).frozen
    assert stepped(Watch(0.0, 400.0, 0.0, 59.0, False), 400.0, **PUMP).frozen


@pytest.mark.parametrize(("mark", "pressure", "frozen"), [
    (30.0, 30.9, True), (30.0, 31.0, False), (30.0, 29.0, False),
    (100.0, 101.9, True), (100.0, 102.0, False), (100.0, 98.0, False), (100.0, 98.1, True),
])  # fmt: skip
def test_a_frozen_gauge_counts_again_when_it_has_moved_by_a_millibar_and_two_per_cent(mark, pressure, frozen):
    assert stepped(Watch(0.0, mark, 30.0, 0.0, True), pressure).frozen is frozen


@pytest.mark.parametrize(("pressure", "pirani", "counts"), [
    (39.9, 39.9, False), (40.0, 40.0, True), (99.9, 99.9, True), (100.0, 100.0, False), (1.0, BAD, True), (100.0, BAD, False),
])  # fmt: skip
def test_the_last_digit_counts_where_the_pirani_gauge_says_nothing_of_the_vacuum(pressure, pirani, counts):
    watch = Watch()
    for _ in range(3):
        watch = stepped(watch, pressure, dt_s=2.0, pressure_pirani_mbar=pirani)
    assert (watch.alone_mbar, watch.still_s) == ((pressure, 4.0) if counts else (None, 0.0))


def test_the_proof_keeps_its_watch_as_it_is_while_nothing_happens():
    from controller.interlocks.atmosphere import Proof
    from controller.interlocks.atmosphere import step as prove
    from controller.interlocks.conditioning import condition

    inputs, watch = image(), Watch()
    proof = Proof(boot_id=7, gauges=watch)
    assert prove(proof, LIMITS, 2.0, inputs, condition(LIMITS, inputs), False, 0.0).gauges is watch
