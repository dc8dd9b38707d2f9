"""What is believed of the sensors, scan by scan and at the lines: when it is looked, who is dropped and why, how one comes back."""

import pytest

from controller.image import ZonePv
from controller.interlocks import sensors
from controller.interlocks.conditioning import condition
from controller.interlocks.limits import Limits
from controller.interlocks.sensors import FIELDS, Believed, VotedOut
from controller.tags import Quality, Sample
from tests.images import BAD, image
from tests.test_interlocks import at_c

LIMITS = Limits(
    vote_c=10.0, rate_c_per_min=60.0, stuck_move_c=5.0, rejoin_s=180.0, load_above_c=8.0, o2_settle_s=15.0, o2_frozen_s=600.0,
    o2_analyser_from_mbar=900.0,
)  # fmt: skip
HOT = at_c(200.0) | {f"z{zone}_limit_c": 200.0 for zone in (1, 2, 3)}
ALL_200 = (200.0,) * 12
NO_DOUBT = (0,) * 12
AT_S = 1000.0
A, B = "z1_tc_a_c", "z1_tc_b_c"


def seen(at_s, **changed):
    return image(at_s=at_s, **{**HOT, **changed})


def after(believed, inputs, latched=False):
    return sensors.step(believed, LIMITS, inputs, condition(LIMITS, inputs, believed=believed), latched)


START = after(Believed(), seen(AT_S))


def place(field, value, of=ALL_200):
    """Return readings of all thermocouples with another one for ``field``."""
    return tuple(value if name == field else one for name, one in zip(FIELDS, of, strict=True))


# ---- when it is looked ----


def test_a_new_core_believes_everybody_and_has_seen_nothing():
    nothing = (None,) * 12
    assert Believed() == Believed(
        -1e9, (0, 0, 0), (), NO_DOUBT, nothing, nothing, nothing, nothing, nothing, 0.0, None, 0.0, None, False, None, 0, None, ""
    )


def test_the_first_look_takes_everything_as_it_is():
    assert tuple(START) == (
        AT_S,
        (3, 3, 3),
        (),
        NO_DOUBT,
        ALL_200,
        ALL_200,
        ALL_200,
        ALL_200,
        ALL_200,
        0.0,
        20.9,
        0.0,
        None,
        False,
        99,
        0,
        7,
        "",
    )


def test_between_looks_nothing_is_done_and_after_ten_seconds_it_is_looked_again():
    assert after(START, seen(AT_S)) is START
    assert after(START, seen(AT_S + 9.9)) is START
    assert after(START, seen(AT_S + 10.0)).looked_s == AT_S + 10.0
    assert after(START, seen(AT_S - 0.1)).looked_s == AT_S - 0.1  # a clock that went back


def test_an_image_that_is_lost_says_nothing_of_any_sensor():
    assert after(START, seen(AT_S + 10.0, plc_alive=BAD, **dict.fromkeys(FIELDS, BAD))) is START


def test_three_scans_without_a_reading_vote_a_thermocouple_out_by_name():
    open_, doubts = {A: BAD}, []
    believed = START
    for second in (1, 2, 3):
        believed = after(believed, seen(AT_S + second, **open_))
        doubts.append((believed.doubt[0], believed.valid, believed.out))
    out = (VotedOut(A, "open", AT_S + 3),)
    assert doubts == [(1, (-1, -1, -1), ()), (2, (-1, -1, -1), ()), (0, (2, 3, 3), out)]
    assert believed.looked_s == AT_S
    assert after(believed, seen(AT_S + 4, **open_)) is believed
    back = after(after(START, seen(AT_S + 1, **open_)), seen(AT_S + 2))
    assert (back.doubt, back.valid) == (NO_DOUBT, (3, 3, 3))


def test_each_zone_counts_its_own_that_are_out():
    believed = START
    for second in (1, 2, 3):
        believed = after(believed, seen(AT_S + second, z2_tc_b_c=BAD, z3_tc_a_c=BAD, z3_tc_c_c=BAD))
    assert [one.field for one in believed.out] == ["z2_tc_b_c", "z3_tc_a_c", "z3_tc_c_c"]
    assert believed.valid == (3, 2, 1)


def test_one_that_is_out_is_in_no_doubt_any_more():
    stuck = START._replace(out=(out("stuck"),), doubt=(2, *NO_DOUBT[1:]), valid=(-1, -1, -1))
    believed = after(stuck, seen(AT_S + 1.0))
    assert (believed.doubt, believed.valid) == (NO_DOUBT, (2, 3, 3))


UNLIKE = {f"z{zone}_{name}_c": 150.0 + 50.0 * zone for zone in (1, 2, 3) for name in ("tc_a", "tc_b", "tc_c", "limit")}


def test_each_thermocouple_is_held_against_its_own_zone():
    begun = after(Believed(), seen(AT_S, **UNLIKE))
    believed = after(begun, seen(AT_S + 1.0, **UNLIKE | {A: BAD}))
    assert believed.doubt == (1, *NO_DOUBT[1:])
    process = condition(LIMITS, seen(AT_S, **UNLIKE))
    for field in FIELDS:
        one = sensors._agreeing(out("open", 100.0, field), LIMITS, process, tuple(UNLIKE[name] for name in FIELDS), 10.0)
        assert one.agreed_s == 110.0


def test_a_clock_that_went_back_begins_anew():
    back = after(START, seen(AT_S - 0.5, **at_c(206.0)))
    assert (back.smooth_c[0], back.mark_c[0], back.o2_still_s) == (206.0, 206.0, 0.0)


def test_a_limit_thermocouple_has_no_vote_to_lose():
    believed = START
    for second in (10, 20, 30, 40):
        believed = after(believed, seen(AT_S + second, z1_limit_c=BAD))
    assert (believed.out, believed.doubt) == ((), NO_DOUBT)


@pytest.mark.parametrize(("moved_c", "doubted"), [(4.9, False), (-4.9, False), (15.0, False), (15.1, True), (-15.1, True)])
def test_a_zone_that_jumps_together_is_doubted_at_the_next_look(moved_c, doubted):
    together = dict.fromkeys((A, B, "z1_tc_c_c"), 200.0 + moved_c)
    believed = after(START, seen(AT_S + 10.0, **together))
    assert believed.doubt[:4] == ((1, 1, 1, 0) if doubted else (0, 0, 0, 0))


@pytest.mark.parametrize(("before", "boot_id", "restarted"), [
    (START, 7, ""),
    (START, 8, "PLC"),
    (START._replace(boot_id=None), 8, ""),  # a core that has just started knows no other boot
    (START._replace(boot_id=None, restarted="core"), 8, "core"),
    (START._replace(restarted="core"), 8, "PLC"),
])  # fmt: skip
def test_another_boot_of_the_plc_is_seen_at_once(before, boot_id, restarted):
    believed = after(before, seen(AT_S + 1.0, plc_boot_id=boot_id))
    assert (believed.boot_id, believed.restarted) == (boot_id, restarted)


def test_a_restart_is_told_until_the_next_look():
    told_of = START._replace(restarted="PLC")
    assert after(told_of, seen(AT_S + 9.0)).restarted == "PLC"
    assert after(told_of, seen(AT_S + 10.0)).restarted == ""
    assert after(told_of, seen(AT_S + 9.0, **{A: BAD})).restarted == "PLC"


# ---- who is dropped, and why ----

GOOD, BAD_SENSOR, BAD_RANGE, BAD_WIRE = Quality.GOOD, Quality.BAD_SENSOR, Quality.BAD_RANGE, Quality.BAD_WIRE
ZONE = ZonePv(200.0, 3, 200.0)


@pytest.mark.parametrize(("value", "quality", "last_c", "in_s", "zone", "why"), [
    (None, BAD_SENSOR, 200.0, 10.0, ZONE, "open"),
    (None, BAD_RANGE, 200.0, 10.0, ZONE, "range"),
    (None, BAD_WIRE, 200.0, 10.0, ZONE, ""),
    (200.0, GOOD, 200.0, 10.0, ZONE, ""),
    (210.0, GOOD, 210.0, 10.0, ZONE, ""),  # as far as the vote allows
    (210.1, GOOD, 210.1, 10.0, ZONE, "disagrees"),
    (189.9, GOOD, 189.9, 10.0, ZONE, "disagrees"),
    (210.1, GOOD, None, 10.0, ZONE, "disagrees"),
    (215.0, GOOD, 200.0, 10.0, ZonePv(215.0, 3, 215.0), ""),  # 5 K and 60 K/min in ten seconds: no faster does a wall go
    (215.1, GOOD, 200.0, 10.0, ZonePv(215.0, 3, 215.0), "rate"),
    (184.9, GOOD, 200.0, 10.0, ZonePv(185.0, 3, 185.0), "rate"),
    (265.1, GOOD, 200.0, 60.0, ZonePv(265.0, 3, 265.0), "rate"),
    (300.0, GOOD, 200.0, 60.1, ZonePv(300.0, 3, 300.0), ""),  # after a longer pause nobody knows
    (44.9, GOOD, 200.0, 10.0, ZONE, "short"),  # the temperature of the cabinet
    (45.0, GOOD, 200.0, 10.0, ZONE, "rate"),
    (20.0, GOOD, 45.0, 10.0, ZonePv(45.0, 3, 45.0), "rate"),  # it was as cold before
    (20.0, GOOD, 45.1, 10.0, ZonePv(45.1, 3, 45.1), "short"),
    (211.0, GOOD, 211.0, 10.0, ZonePv(200.0, 2, 206.0), ""),  # the limit thermocouple backs it
    (211.0, GOOD, 211.0, 10.0, ZonePv(200.0, 2, 205.5), "disagrees"),  # as near to the others
    (211.0, GOOD, 211.0, 10.0, ZonePv(200.0, 2, None), "disagrees"),
    (211.0, GOOD, 211.0, 10.0, ZonePv(None, 0, None), ""),
    (211.0, GOOD, 211.0, 10.0, ZonePv(None, 0, 200.0), "disagrees"),  # B and C stand at the limit thermocouple's
    (210.0, GOOD, 210.0, 10.0, ZonePv(None, 0, 200.0), ""),
])  # fmt: skip
def test_why_a_thermocouple_is_not_believed(value, quality, last_c, in_s, zone, why):
    known = START._replace(last_c=place(A, last_c))
    found = sensors._dropped(known, LIMITS, Sample(value, quality, AT_S), ALL_200, 0, zone, AT_S + in_s)
    assert found == why


@pytest.mark.parametrize(("index", "others", "sides"), [
    (0, {1: 205.0, 2: 250.0}, True),
    (0, {1: 250.0, 2: 195.0}, True),
    (0, {1: 205.1, 2: 194.9}, False),
    (0, {0: 200.0, 1: 250.0, 2: 250.0}, False),  # its own reading is no other
    (1, {0: 200.0, 2: 250.0}, True),
    (2, {0: 250.0, 1: 250.0}, False),
    (5, {4: 250.0, 6: 200.0}, True),  # the zone is its own
    (5, {4: 250.0, 6: 250.0}, False),
    (5, {4: None, 6: None}, False),
    (9, {8: 250.0, 10: 250.0}, False),
])  # fmt: skip
def test_another_of_the_zone_that_agrees_with_the_limit_thermocouple_makes_two_against_one(index, others, sides):
    values = tuple(others.get(place, 200.0) for place in range(12))
    assert sensors._another_sides_with(values, index, 200.0, LIMITS) is sides


def test_two_that_disagree_are_no_vote_and_a_third_at_the_limit_s_side_decides():
    assert sensors._reference(ZonePv(None, 0, 190.0)) == 190.0
    assert sensors._reference(ZonePv(180.0, 2, 190.0)) == 180.0
    assert sensors._reference(ZonePv(None, 0, None)) is None


# ---- the readings that are kept ----


def test_readings_are_smoothed_over_fifty_seconds_and_their_span_is_kept():
    known = sensors._followed(START, place(A, 206.0), False, 10.0)
    assert known.last_c == place(A, 206.0)
    assert known.smooth_c == place(A, 201.0)
    assert (known.low_c, known.high_c, known.mark_c) == (ALL_200, place(A, 206.0), ALL_200)
    known = sensors._followed(known, place(A, 190.0), False, 50.0)
    assert known.smooth_c == place(A, 195.5)
    assert (known.low_c, known.high_c) == (place(A, 190.0), place(A, 206.0))


def test_of_one_in_doubt_and_of_one_without_a_reading_the_last_word_is_kept():
    doubted = START._replace(doubt=(1, *NO_DOUBT[1:]))
    known = sensors._followed(doubted, place(A, 300.0), False, 10.0)
    assert (known.last_c, known.smooth_c, known.high_c) == (ALL_200, ALL_200, ALL_200)
    lost = sensors._followed(START, place(A, None), False, 10.0)
    assert (lost.last_c[0], lost.smooth_c[0], lost.low_c[0], lost.high_c[0]) == (None, None, None, None)
    back = sensors._followed(lost, place(A, 150.0), False, 10.0)
    assert (back.last_c[0], back.smooth_c[0], back.low_c[0], back.high_c[0]) == (150.0,) * 4


def test_after_a_pause_of_a_minute_everything_is_taken_as_it_is():
    warm = seen(AT_S + 60.0, **at_c(206.0))
    assert after(START, warm).smooth_c[0] == pytest.approx(200.0 + 60.0 / 110.0 * 6.0)
    late = after(START, seen(AT_S + 60.1, **at_c(206.0)))
    assert (late.smooth_c[0], late.mark_c[0], late.low_c[0], late.high_c[0]) == (206.0,) * 4


@pytest.mark.parametrize(("was", "now", "moves"), [
    (200.0, 204.9, False), (200.0, 205.0, True), (200.0, 195.1, False), (200.0, 195.0, True), (None, None, False), (None, 200.0, True),
    (200.0, None, True),
])  # fmt: skip
def test_a_reading_moves_when_it_has_moved_by_so_much_or_comes_or_goes(was, now, moves):
    assert sensors._moves((200.0, was), (200.0, now), 5.0) is moves


# ---- the way back ----


def out(why, agreed_s=0.0, field=A):
    return VotedOut(field, why, AT_S, agreed_s)


@pytest.mark.parametrize(("one", "latched", "stays"), [
    (out("open", 179.9), False, True), (out("open", 180.0), False, False), (out("open", 180.0), True, False),
    (out("range", 180.0), True, False), *((out(why, 180.0), latched, latched) for why in ("short", "rate", "stuck", "disagrees")
                                          for latched in (True, False)),
])  # fmt: skip
def test_one_that_is_out_comes_back_after_its_time_and_an_abrupt_one_after_a_person(one, latched, stays):
    assert sensors._stays_out(one, LIMITS, latched) is stays
    assert sensors.unsettled(Believed(out=(one,)), LIMITS) is (one.why not in ("open", "range") and one.agreed_s < 180.0)


def test_an_abrupt_one_is_unsettled_until_it_has_agreed_long_enough():
    assert sensors.unsettled(Believed(out=(out("open"), out("stuck", 179.9))), LIMITS)
    assert not sensors.unsettled(Believed(out=(out("open"), out("stuck", 180.0))), LIMITS)
    assert not sensors.unsettled(Believed(), LIMITS)
    assert VotedOut(A, "open", AT_S).agreed_s == 0.0


@pytest.mark.parametrize(("value", "agreed_s"), [(205.0, 110.0), (195.0, 110.0), (205.1, 0.0), (194.9, 0.0), (None, 0.0)])
def test_it_agrees_within_half_of_what_the_vote_allows(value, agreed_s):
    process = condition(LIMITS, seen(AT_S))
    assert sensors._agreeing(out("open", 100.0), LIMITS, process, place(A, value), 10.0).agreed_s == agreed_s
    other = sensors._agreeing(out("open", 100.0, "z3_tc_c_c"), LIMITS, process, place("z3_tc_c_c", value), 10.0)
    assert other.agreed_s == agreed_s


def test_its_time_of_agreement_ends_at_what_is_asked_for_and_needs_a_zone():
    process = condition(LIMITS, seen(AT_S))
    assert sensors._agreeing(out("open", 175.0), LIMITS, process, ALL_200, 10.0).agreed_s == 180.0
    blind = condition(LIMITS, seen(AT_S, **dict.fromkeys(FIELDS, BAD)))
    assert sensors._agreeing(out("open", 100.0), LIMITS, blind, ALL_200, 10.0).agreed_s == 0.0


def test_it_comes_back_at_a_look_and_counts_again():
    waiting = START._replace(out=(out("open", 170.0),), valid=(2, 3, 3))
    agreed = after(waiting, seen(AT_S + 10.0))
    assert agreed.out == (out("open", 180.0),)
    back = after(agreed, seen(AT_S + 20.0))
    assert (back.out, back.valid) == ((), (3, 3, 3))
    assert after(waiting, seen(AT_S + 70.0)).out == (out("open", 170.0),)  # a pause is no agreement


def test_who_is_found_again_keeps_its_first_reason_and_begins_anew():
    known = START._replace(out=(out("open", 100.0),))
    found = sensors._add(known, [(0, "stuck"), (5, "stuck")], AT_S + 5)
    assert found.out == (out("open", 0.0), VotedOut("z2_tc_b_c", "stuck", AT_S + 5))
    assert sensors._add(known, [], AT_S) is known
