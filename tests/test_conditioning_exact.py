"""From samples to PVs at the lines: what a vote keeps, which gauge counts, and the temperatures that must be reckoned with."""

from math import exp, nan

import pytest

from controller.image import ZonePv
from controller.interlocks.conditioning import condition, gauges_believed, reckoned
from controller.interlocks.gauges import Watch
from controller.interlocks.limits import Limits
from controller.interlocks.sensors import ALL, VotedOut
from controller.tags import Quality, Sample
from tests.images import BAD, image

LIMITS = Limits(vote_c=10.0, inner_share=0.5, gauge_s=20.0, o2_analyser_from_mbar=900.0)


def zone(a, b, c, limit=BAD):
    return condition(LIMITS, image(z1_tc_a_c=a, z1_tc_b_c=b, z1_tc_c_c=c, z1_limit_c=limit)).zones[0]


@pytest.mark.parametrize(("readings", "temp_c", "valid"), [
    ((200.0, 203.0, 206.0), 203.0, 3),
    ((206.0, 200.0, 209.0), 205.0, 3),
    ((200.0, 202.0, 210.0), 204.0, 3),  # apart by what the vote allows
    ((200.0, 201.0, 211.1), 200.5, 2),  # further from the median: the far one goes
    ((200.0, 210.0, 220.0), 210.0, 3),  # both ends stand near the middle
    ((200.0, 210.0, 220.1), 205.0, 2),
    ((189.9, 200.0, 206.0), 203.0, 2),
    ((100.0, 200.0, 300.0), None, 0),  # three that say three things
    ((200.0, 206.0, BAD), 203.0, 2),
    ((BAD, 206.0, 200.0), 203.0, 2),
    ((200.0, 210.0, BAD), 205.0, 2),
    ((200.0, 210.1, BAD), None, 0),  # nobody can say which is right
    ((BAD, BAD, 200.0), 200.0, 1),
    ((BAD, BAD, BAD), None, 0),
    ((-20.0, -22.0, -24.0), -22.0, 3),
    ((-15.0, -5.0, BAD), -10.0, 2),
    ((-16.0, -5.0, 4.0), -0.5, 2),  # in the cold too
])  # fmt: skip
def test_a_zone_is_the_mean_of_those_that_stand_near_the_median(readings, temp_c, valid):
    assert zone(*readings) == ZonePv(None if temp_c is None else pytest.approx(temp_c), valid, None)


@pytest.mark.parametrize(("limit_c", "valid"), [
    (230.0, 0),  # two say 200, one and the limit thermocouple 230: a tie
    (235.0, 0), (225.0, 0),  # as near as half of what the vote allows
    (235.1, 2), (224.9, 2),
    (BAD, 2), (100.0, 2), (201.0, 2),
])  # fmt: skip
def test_two_against_two_decide_nothing(limit_c, valid):
    assert zone(199.0, 201.0, 230.0, limit_c).valid == valid
    assert zone(230.0, 199.0, 201.0, limit_c)[:2] == ((200.0, 2) if valid else (None, 0))


@pytest.mark.parametrize(("limit_c", "valid"), [(210.0, 2), (210.1, 0)])
def test_a_limit_thermocouple_near_the_two_backs_them_though_it_is_near_the_third_too(limit_c, valid):
    assert zone(200.0, 200.0, 215.0, limit_c).valid == valid


def test_three_that_are_kept_are_never_outvoted_by_the_limit():
    assert zone(200.0, 210.0, 220.0, 230.0)[:2] == (210.0, 3)


def zones(*each, limits=(BAD, BAD, BAD), **changed):
    walls = {f"z{number}_tc_{name}_c": temp for number, temp in enumerate(each, 1) for name in "abc"}
    return condition(LIMITS, image(**walls, **{f"z{number}_limit_c": one for number, one in enumerate(limits, 1)}, **changed))


def test_the_oven_is_the_mean_of_its_zones_and_as_hot_as_its_hottest():
    seen = zones(180.0, 200.0, 250.0, limits=(190.0, 185.0, 245.0))
    assert (seen.temp_c, seen.zone_max_c, seen.limit_gap_c, seen.zones_valid) == (210.0, 250.0, 15.0, (3, 3, 3))
    seen = zones(180.0, BAD, 200.0, limits=(BAD, 150.0, BAD))
    assert (seen.temp_c, seen.zone_max_c, seen.limit_gap_c, seen.zones_valid) == (190.0, 200.0, None, (3, 0, 3))
    assert zones(20.0, 20.0, 20.0, limits=(22.0, 19.0, BAD)).limit_gap_c == 2.0
    nothing = zones(BAD, BAD, BAD)
    assert (nothing.temp_c, nothing.zone_max_c, nothing.limit_gap_c, nothing.hottest_c) == (None, None, None, 23.0)


def test_each_zone_has_its_own_count_of_valid_thermocouples():
    seen = condition(LIMITS, image(z1_tc_a_c=BAD, z2_tc_a_c=BAD, z2_tc_b_c=BAD))
    assert seen.zones_valid == (2, 1, 3)


@pytest.mark.parametrize(("walls", "load", "hottest_c"), [
    ((100.0, 100.0, 100.0), (140.0, 150.0, 160.0), 190.0),  # half of the distance to the walls more
    ((100.0, 120.0, 130.0), (140.0, 150.0, 160.0), 190.0),  # to the coldest of them
    ((200.0, 210.0, 205.0), (140.0, 150.0, 160.0), 210.0),  # while it is heated the walls are hottest
    ((200.0, 210.0, 205.0), (199.5, 150.0, 160.0), 210.0),
    ((BAD, BAD, BAD), (140.0, 150.0, 160.0), 160.0),
    ((100.0, 120.0, BAD), (BAD, BAD, BAD), None),  # a lost one may be the hottest
])  # fmt: skip
def test_layers_that_no_thermocouple_touches_are_hotter_while_a_roll_cools(walls, load, hottest_c):
    seen = zones(*walls, load_outer_c=load[0], load_edge_c=load[1], load_core_c=load[2])
    assert seen.hottest_c == hottest_c


def absent(inputs, *names):
    return inputs._replace(**{f"load_{name}_c": Sample(None, Quality.ABSENT, inputs.at_s) for name in names})


def test_a_load_thermocouple_that_is_not_there_is_not_lost():
    seen = condition(LIMITS, absent(image(load_core_c=25.0), "outer", "edge"))
    assert (seen.load_missing, seen.load_lost, seen.load_min_c, seen.load_max_c, seen.hottest_c) == (False, False, 25.0, 25.0, 26.0)
    seen = condition(LIMITS, absent(image(), "outer", "edge", "core"))
    assert (seen.load_missing, seen.load_lost, seen.load_min_c, seen.load_max_c, seen.hottest_c) == (False, False, None, None, 23.0)


def test_a_broken_load_thermocouple_is_missing_and_lost_where_the_site_requires_it():
    seen = condition(LIMITS, image(load_core_c=BAD, load_edge_c=30.0))
    assert (seen.load_missing, seen.load_lost, seen.load_min_c, seen.load_max_c, seen.hottest_c) == (True, True, 23.0, 30.0, None)
    seen = condition(Limits(load_required=("outer", "edge")), image(load_core_c=BAD, load_edge_c=30.0))
    assert (seen.load_missing, seen.load_lost, seen.hottest_c) == (True, False, pytest.approx(34.2))
    assert not condition(LIMITS, image()).load_missing


@pytest.mark.parametrize(("capacitance", "pirani", "pressure"), [
    (5.0, 6.0, 5.0),  # down to 5 mbar the capacitance gauge
    (4.9, 6.0, 6.0),  # below the Pirani gauge
    (4.9, BAD, 4.9),
    (0.5, BAD, 0.5),
    (-0.5, BAD, 0.0),  # its zero
    (BAD, 99.9, 99.9),
    (BAD, 100.0, None),  # a Pirani gauge alone means nothing towards ambient pressure
    (BAD, BAD, None),
    (1013.0, BAD, 1013.0),
])  # fmt: skip
def test_which_gauge_is_the_pressure(capacitance, pirani, pressure):
    assert condition(LIMITS, image(pressure_cap_mbar=capacitance, pressure_pirani_mbar=pirani)).pressure_mbar == pressure


@pytest.mark.parametrize(("watch", "pressure"), [
    (Watch(contradict_s=19.9), 20.0),
    (Watch(contradict_s=20.0), None),  # one of the two lies
    (Watch(contradict_s=25.0), None),
    (Watch(contradict_s=25.0, frozen=True, mark_mbar=20.0), 50.0),  # and here it is known which
    (Watch(frozen=True, mark_mbar=20.0), 50.0),
])  # fmt: skip
def test_gauges_that_have_contradicted_each_other_for_their_time_are_no_pressure(watch, pressure):
    assert condition(LIMITS, image(pressure_cap_mbar=20.0, pressure_pirani_mbar=50.0), watch).pressure_mbar == pressure


def test_an_o2_reading_counts_with_gas_at_ambient_pressure_and_when_it_is_believed():
    assert condition(LIMITS, image(o2_pct=1.5)).o2_pct == 1.5
    assert condition(LIMITS, image(o2_pct=-0.005)).o2_pct == 0.0  # a zero that has drifted
    assert condition(LIMITS, image(o2_pct=1.5, pressure_cap_mbar=500.0)).o2_pct is None
    assert condition(LIMITS, image(o2_pct=1.5), believed=ALL._replace(o2_from_s=101.0)).o2_pct is None
    assert condition(LIMITS, image(o2_pct=1.5, pressure_cap_mbar=500.0), believed=ALL._replace(o2_from_s=101.0)).o2_pct is None


def test_who_is_voted_out_has_no_vote_and_the_limit_thermocouple_stays():
    out = ALL._replace(out=(VotedOut("z1_tc_a_c", "stuck", 0.0),))
    seen = condition(LIMITS, image(z1_tc_a_c=200.0, z1_tc_b_c=204.0, z1_tc_c_c=206.0, z1_limit_c=205.0), believed=out)
    assert seen.zones[0] == ZonePv(205.0, 2, 205.0)
    assert seen.zones[1] == ZonePv(23.0, 3, 23.0)


SEEN = condition(LIMITS, image(load_outer_c=50.0, load_edge_c=50.0, load_core_c=50.0))  # walls 23 degC: 63.5 reckoned


@pytest.mark.parametrize(("most_c", "film_c", "hottest_c"), [
    (63.5, None, 63.5),
    (200.0, None, 63.5),  # what it was at most says nothing of itself
    (200.0, 60.5, 63.5), (200.0, 60.6, 63.6),  # the model's hottest film and its error add only
    (90.0, 200.0, pytest.approx(23.0 + 67.0 * exp(-1.0 / 6.0))),  # a model gone wild does not outlast what the load can be
    (20.0, 200.0, 63.5),
    (200.0, nan, 63.5),
])  # fmt: skip
def test_the_model_adds_layers_that_no_thermocouple_touches(most_c, film_c, hottest_c):
    assert reckoned(LIMITS, SEEN, most_c, film_c, 3600.0)[0] == hottest_c


@pytest.mark.parametrize(("film_c", "hottest_c"), [
    (199.0, 200.0), (200.0, 200.0), (201.0, 202.0), (203.0, 206.0), (204.0, 207.0),
])  # fmt: skip
def test_the_model_adds_nothing_to_walls_that_heat_its_film_and_a_little_where_it_just_begins_to_cool(film_c, hottest_c):
    soaked = condition(LIMITS, image(**{f"z{zone}_tc_{at}_c": 200.0 for zone in (1, 2, 3) for at in "abc"}))
    assert reckoned(LIMITS, soaked, 300.0, film_c, 1.0)[0] == hottest_c


def test_what_no_layer_has_exceeded_follows_the_walls_and_never_lies_below_what_is_seen():
    assert reckoned(LIMITS, SEEN, 203.0, 50.0, 6 * 3600.0)[1] == pytest.approx(23.0 + 180.0 / exp(1.0))
    assert reckoned(LIMITS, SEEN, 23.0, 50.0, 1.0)[1] == 63.5
    assert reckoned(LIMITS, SEEN, 203.0, None, 1.0)[1] == 63.5  # no batch has heated it


def test_a_load_whose_thermocouple_is_lost_is_as_hot_as_it_can_be_and_not_for_ever():
    lost = condition(LIMITS, image(load_core_c=BAD, load_edge_c=40.0))
    assert lost.hottest_c is None
    after = reckoned(LIMITS, lost, 203.0, None, 6 * 3600.0)
    assert after == (pytest.approx(23.0 + 180.0 / exp(1.0)), after[0])
    assert reckoned(LIMITS, lost, 203.0, None, 24 * 3600.0) == (40.0, 40.0)  # another one shows more
    warm = condition(LIMITS, image(load_core_c=BAD, load_edge_c=BAD, load_outer_c=BAD, **{f"z2_tc_{at}_c": 90.0 for at in "abc"}))
    assert reckoned(LIMITS, warm, 30.0, None, 1.0) == (90.0, 90.0)


WALLS = [f"z{zone}_tc_{at}_c" for zone in (1, 2, 3) for at in "abc"]
LATER = exp(-1.0)  # after the time constant


@pytest.mark.parametrize(("changed", "against_c"), [
    (dict.fromkeys(WALLS, BAD), 60.0),  # the load is hotter than the walls that nobody reads
    (dict.fromkeys(WALLS, BAD) | {"load_core_c": BAD}, 50.0),
    (dict.fromkeys(WALLS[:3], BAD) | {"load_core_c": BAD}, 50.0),  # one zone unread may be warmer than the others
    ({"load_core_c": BAD}, 23.0),
])  # fmt: skip
def test_what_is_not_read_follows_slowly_the_warmest_that_may_lie_behind_it(changed, against_c):
    seen = condition(LIMITS, image(**{"load_outer_c": 50.0, "load_edge_c": 50.0, "load_core_c": 60.0} | changed))
    left_c = against_c + (203.0 - against_c) * LATER
    assert reckoned(LIMITS, seen, 203.0, 40.0, 6 * 3600.0) == (pytest.approx(left_c), pytest.approx(left_c))


def test_nothing_that_is_read_leaves_what_there_was():
    lost = condition(LIMITS, image(**dict.fromkeys((*WALLS, "load_outer_c", "load_edge_c", "load_core_c"), BAD)))
    assert reckoned(LIMITS, lost, 203.0, 40.0, 3600.0) == (None, 203.0)


def test_without_a_batch_the_load_counts_where_nobody_reads_the_walls():
    idle = condition(LIMITS, image(load_core_c=30.0, **dict.fromkeys(WALLS, BAD)))
    assert reckoned(LIMITS, idle, 203.0, None, 1.0) == (30.0, 30.0)


@pytest.mark.parametrize(("capacitance", "pirani", "frozen", "alone"), [
    (20.0, 20.0, False, False), (BAD, 20.0, False, True), (20.0, 20.0, True, True), (BAD, BAD, False, False), (BAD, 200.0, False, False),
    (400.0, BAD, True, False),
])  # fmt: skip
def test_the_pirani_gauge_is_alone_where_the_other_is_lost_or_frozen_and_it_tells_a_pressure(capacitance, pirani, frozen, alone):
    seen = image(pressure_cap_mbar=capacitance, pressure_pirani_mbar=pirani)
    assert condition(LIMITS, seen, Watch(frozen=frozen, mark_mbar=20.0)).pirani_alone is alone


@pytest.mark.parametrize(("watch", "believed"), [
    (Watch(), (20.0, 30.0)), (Watch(frozen=True), (None, 30.0)), (Watch(contradict_s=19.9), (20.0, 30.0)),
    (Watch(contradict_s=20.0), (None, None)), (Watch(contradict_s=20.0, frozen=True), (None, 30.0)),
])  # fmt: skip
def test_the_estimate_is_told_of_no_gauge_that_is_no_pressure(watch, believed):
    inputs = gauges_believed(LIMITS, image(at_s=7.0, pressure_cap_mbar=20.0, pressure_pirani_mbar=30.0), watch)
    assert (inputs.pressure_cap_mbar.value, inputs.pressure_pirani_mbar.value) == believed
    gone = [one for one in (inputs.pressure_cap_mbar, inputs.pressure_pirani_mbar) if one.value is None]
    assert gone == [Sample(None, Quality.BAD_SENSOR, 7.0)] * len(gone)
