"""Who stands still while others move, and what O2 analyser, load and echo show over time: the lines of each."""

import pytest

from controller.interlocks import sensors
from controller.interlocks.sensors import FIELDS, Believed, VotedOut, told
from tests.images import BAD, image
from tests.test_sensors_exact import ALL_200, AT_S, LIMITS, START, A, B, after, out, place, seen


def moved(**by_field):
    """Return beliefs in which everybody has moved by six degrees since the mark, but for those that are named."""
    smooth = tuple(200.0 + by_field.get(name, 6.0) for name in FIELDS)
    return START._replace(smooth_c=smooth, last_c=smooth, high_c=smooth)


def stuck(known):
    return [(one.field, one.why) for one in sensors._stuck(known, LIMITS, AT_S + 100).out]


def test_one_that_stands_still_while_its_zone_moves_is_stuck():
    known = moved(z1_tc_a_c=0.5)
    assert stuck(known) == [(A, "stuck")]
    done = sensors._stuck(known, LIMITS, AT_S + 100)
    assert done.mark_c == known.smooth_c
    assert done.low_c == done.high_c == known.last_c
    assert done.out[0].at_s == AT_S + 100


@pytest.mark.parametrize(("span_c", "found"), [(1.4, True), (1.5, False)])
def test_it_stands_still_when_it_has_moved_by_less_than_three_tenths(span_c, found):
    assert (stuck(moved(z1_tc_a_c=span_c)) != []) is found


def test_while_nobody_has_moved_far_enough_nothing_is_compared():
    slow = START._replace(smooth_c=(204.9,) * 12, high_c=(204.9,) * 12)
    assert sensors._stuck(slow, LIMITS, AT_S) is slow
    known = sensors._stuck(START._replace(mark_c=place(A, None)), LIMITS, AT_S)
    assert known.mark_c == ALL_200  # one that has come back gets its mark


def test_one_that_is_out_is_no_witness():
    known = moved(z1_tc_a_c=0.5, z1_tc_b_c=0.5, z1_limit_c=6.0)
    assert stuck(known) == [(A, "stuck"), (B, "stuck")]  # C and the limit thermocouple have moved
    gone = known._replace(out=(VotedOut("z1_tc_c_c", "rate", AT_S),), smooth_c=place("z1_limit_c", 206.0, (200.5,) * 12),
                          high_c=place("z1_limit_c", 206.0, (200.5,) * 12))  # fmt: skip
    assert stuck(gone) == [("z1_tc_c_c", "rate")]


STILL = [None, 6.0, 6.0, 6.0, None]


@pytest.mark.parametrize(("witnesses", "found"), [
    ([0.0, 6.0, 6.0, 6.0, 6.0], [(4, "stuck")]),
    ([0.0, -6.0, -6.0, -6.0, 6.0], [(4, "stuck")]),
    ([0.0, 6.0, 0.0, 5.0, 0.0], [(4, "stuck")]),
    ([0.0, 6.0, 6.0, 4.9, 6.0], []),  # the limit thermocouple has not moved
    ([0.0, 6.0, 6.0, -6.0, 6.0], []),
    ([0.0, 6.0, 6.0, None, 5.0], [(4, "stuck")]),  # without it the other zones tell
    ([0.0, 6.0, 6.0, None, 4.9], []),
    ([0.0, 6.0, 6.0, None, None], []),
    ([0.0, 0.0, 0.0, 6.0, 0.0], []),  # one that moves alone may be the one that lies
])  # fmt: skip
def test_two_witnesses_and_one_from_outside_make_a_liar(witnesses, found):
    assert sensors._still([0.0, 6.0, 6.0], witnesses, 4, 5.0) == found


def test_whoever_has_no_span_is_not_judged():
    assert sensors._still([None, 1.4, 1.5], STILL, 8, 5.0) == [(9, "stuck")]


@pytest.mark.parametrize(("moves", "way"), [
    ([5.0, 5.0, 0.0], 1), ([5.0, 4.9, 0.0], 0), ([-5.0, -5.0, 0.0], -1), ([-5.0, -4.9, 0.0], 0), ([5.0, -5.0, 0.0], 0),
    ([None, 5.0, 5.0], 1),
    ([None, None], 0), ([5.0, 5.0, -5.0, -5.0], 1),
])  # fmt: skip
def test_a_zone_moves_a_way_when_two_have(moves, way):
    assert sensors._way(moves, 5.0) == way


@pytest.mark.parametrize(("moves", "middle"), [([3.0, 1.0, 2.0], 2.0), ([None, 1.0, 2.0], 2.0), ([None, None, 1.0], 1.0), ([None], None)])
def test_the_middle_of_those_that_say_something(moves, middle):
    assert sensors._middle(moves) == middle


def test_the_other_zone_that_has_moved_least_is_the_witness():
    known = moved(z1_tc_a_c=0.5, z1_limit_c=6.0, **{f"z2_{name}_c": 1.0 for name in ("tc_a", "tc_b", "tc_c", "limit")})
    no_limit = known._replace(smooth_c=place("z1_limit_c", None, known.smooth_c))
    assert (A, "stuck") not in stuck(no_limit)
    assert (A, "stuck") in stuck(known)


PAIRS = [(stuck_in, near) for stuck_in in (1, 2, 3) for near in (1, 2, 3) if stuck_in != near]


@pytest.mark.parametrize(("stuck_in", "near"), PAIRS)
@pytest.mark.parametrize(("by_c", "limit_by_c", "found"), [
    ((6.0, 4.0, 0.0), 9.0, False),  # its middle has moved by four
    ((0.0, 4.0, 6.0), 9.0, False),
    ((6.0, 5.0, 0.0), 0.0, True),
    ((0.0, 5.0, 6.0), 0.0, True),
])  # fmt: skip
def test_without_a_limit_thermocouple_the_nearer_zone_s_middle_is_the_witness(stuck_in, near, by_c, limit_by_c, found):
    liar = f"z{stuck_in}_tc_a_c"
    by = {f"z{zone}_{name}_c": 20.0 for zone in (1, 2, 3) for name in ("tc_a", "tc_b", "tc_c", "limit")}
    by |= dict(zip((f"z{near}_{name}_c" for name in ("tc_a", "tc_b", "tc_c", "limit")), (*by_c, limit_by_c), strict=True))
    known = moved(**by | {liar: 0.5})
    blind = known._replace(smooth_c=place(f"z{stuck_in}_limit_c", None, known.smooth_c))
    assert ((liar, "stuck") in stuck(blind)) is found


def test_a_limit_thermocouple_is_never_voted_out():
    known = moved()
    assert stuck(known._replace(low_c=place("z1_limit_c", 206.0, known.low_c))) == []


# ---- O2, load, echo ----


@pytest.mark.parametrize(("at_s", "still_s", "counts"), [
    (1015.0, 0.0, True), (1014.9, 0.0, False), (1015.0, 599.9, True), (1015.0, 600.0, False),
])  # fmt: skip
def test_a_reading_of_o2_counts_when_it_has_settled_and_lives(at_s, still_s, counts):
    assert sensors.o2_counts(LIMITS, START._replace(o2_from_s=1015.0, o2_still_s=still_s), at_s) is counts


@pytest.mark.parametrize(("changed", "pressure", "flows"), [
    ({}, 900.0, True), ({}, 899.9, False), ({}, None, False), ({"o2_ready": False}, 1013.0, False), ({"o2_ready": BAD}, 1013.0, False),
    ({"o2_cal_ok": False}, 1013.0, False), ({"o2_cal_ok": BAD}, 1013.0, False), ({"o2_sample_flow_l_min": 0.1}, 1013.0, True),
    ({"o2_sample_flow_l_min": 0.09}, 1013.0, False), ({"o2_sample_flow_l_min": BAD}, 1013.0, False),
])  # fmt: skip
def test_the_analyser_gets_gas_at_ambient_pressure_when_it_is_ready_calibrated_and_drawn_through(changed, pressure, flows):
    assert sensors.o2_flows(LIMITS, image(**changed), pressure) is flows


def test_the_analyser_settles_after_a_pause_and_stands_still_by_looks():
    paused = after(START, seen(AT_S + 10.0, o2_ready=False))
    assert (paused.o2_from_s, paused.o2_pct, paused.o2_still_s) == (AT_S + 25.0, None, 0.0)
    same = after(START, seen(AT_S + 10.0))
    assert (same.o2_pct, same.o2_still_s, same.o2_from_s) == (20.9, 10.0, 0.0)
    assert after(same, seen(AT_S + 20.0)).o2_still_s == 20.0
    assert after(same, seen(AT_S + 20.0, o2_pct=20.8)).o2_still_s == 0.0
    assert after(same._replace(o2_still_s=595.0), seen(AT_S + 20.0)).o2_still_s == 600.0
    blind = after(same, seen(AT_S + 20.0, o2_pct=BAD))
    assert (blind.o2_pct, blind.o2_still_s) == (None, 0.0)
    assert after(blind, seen(AT_S + 30.0, o2_pct=BAD)).o2_still_s == 0.0
    assert after(START, seen(AT_S + 100.0)).o2_still_s == 0.0  # nobody looked meanwhile


def load(temp_c):
    return {f"load_{name}_c": temp_c for name in ("outer", "edge", "core")}


@pytest.mark.parametrize(("before", "load_c", "mark", "low"), [
    ((None, False), 208.0, None, False),
    ((None, False), 208.1, 208.1, False),
    ((208.5, False), 211.4, 208.5, False),
    ((208.5, False), 211.5, 208.5, True),  # three degrees warmer, above every wall
    ((209.5, False), 209.0, 209.0, False),
    ((208.5, True), 209.0, 208.5, True),
    ((208.5, True), 208.0, None, False),
    ((208.5, True), None, None, False),
])  # fmt: skip
def test_a_load_that_warms_above_every_wall(before, load_c, mark, low):
    known = START._replace(load_mark_c=before[0], zones_low=before[1])
    found = after(known, seen(AT_S + 10.0, **load(BAD if load_c is None else load_c)))
    assert (found.load_mark_c, found.zones_low) == (mark, low)


def test_the_middle_thermocouple_of_the_load_and_the_hottest_zone_count():
    warm = {"z2_tc_a_c": 204.0, "z2_tc_b_c": 204.0, "z2_tc_c_c": 204.0}
    assert after(START, seen(AT_S + 10.0, **warm, **load(212.0))).load_mark_c is None
    assert after(START, seen(AT_S + 10.0, load_outer_c=230.0, load_edge_c=209.0, load_core_c=150.0)).load_mark_c == 209.0
    assert after(START, seen(AT_S + 10.0, load_outer_c=230.0, load_edge_c=207.0, load_core_c=150.0)).load_mark_c is None
    walls = dict.fromkeys(FIELDS, BAD)
    assert after(START, seen(AT_S + 10.0, **walls, **load(230.0))).load_mark_c is None


def test_an_echo_that_stands_still_is_counted_up_to_four_looks():
    believed, looks = START, []
    for look in range(1, 7):
        believed = after(believed, seen(AT_S + 10.0 * look))
        looks.append(believed.echo_looks)
    assert looks == [1, 2, 3, 4, 4, 4]
    assert (sensors.ECHO_LOOKS, believed.echo) == (2, 99)
    moved_on = after(believed, seen(AT_S + 70.0, echo_counter=100))
    assert (moved_on.echo, moved_on.echo_looks) == (100, 0)
    nothing = after(after(believed, seen(AT_S + 70.0, echo_counter=BAD)), seen(AT_S + 80.0, echo_counter=BAD))
    assert (nothing.echo, nothing.echo_looks) == (None, 0)


def test_the_journal_is_told_who_left_and_who_came_back():
    one, other = out("stuck"), out("open", field=B)
    assert told(START, START) == ()
    assert told(START, START._replace(out=(one, other))) == ("TT-111A voted out: stuck", "TT-111B voted out: open")
    assert told(START._replace(out=(one, other)), START._replace(out=(other,))) == ("TT-111A counts again",)
    assert told(START._replace(out=(one,)), START._replace(out=(other,))) == ("TT-111B voted out: open", "TT-111A counts again")
    assert told(START._replace(out=(one,)), START._replace(out=(one._replace(agreed_s=5.0),))) == ()
    assert Believed(out=(one, other)).told == "TT-111A stuck, TT-111B open"
