"""What a row of the interlock table is before anybody has said anything of it."""

from controller.interlocks.rule import BLOCKS_START, Effect, Reset, Rule, Slopes


def test_a_row_is_neither_hard_wired_nor_judged_without_a_plc_unless_it_says_so():
    row = Rule("X", "text", Effect.WARN, Reset.AUTO, 0.0, False, lambda _: True)
    assert (row.hard_wired, row.without_plc, row.shown(None)) == (False, False, None)


def test_a_core_that_has_just_started_has_seen_no_zone_heat():
    assert Slopes() == Slopes((0.0, 0.0, 0.0), (None, None, None))


def test_no_two_effects_share_a_bit():
    assert [int(one).bit_count() for one in Effect] == [1] * 11
    assert len({int(one) for one in Effect}) == 11


def test_what_forbids_a_start_would_hold_or_abort_it_blocks_it_and_nothing_else_does():
    assert [effect for effect in Effect if effect & BLOCKS_START] == [Effect.NO_START, Effect.HOLD, Effect.ABORT]
