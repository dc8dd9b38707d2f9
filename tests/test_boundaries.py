"""Boundaries of the safety modules that only a changed line shows: written for mutants that nothing else killed (see mutation.py)."""

from dataclasses import replace
from itertools import product

import pytest

from controller import block
from controller.equipment import Equipment
from controller.image import OFF, Mode
from controller.interlocks.evaluate import InterlockMemory, Verdict, _summed, afresh, evaluate, slopes
from controller.interlocks.rule import Effect, Slopes
from controller.interlocks.table import RULES
from controller.southbound import contract
from controller.southbound.contract import Memory, Written
from tests.images import BAD, image
from tests.test_interlocks import HOT_VACUUM, view

OVEN = Equipment()
EFFECTS = (Effect.ABORT, Effect.HOLD, Effect.NO_HEAT, Effect.NO_START, Effect.NO_VENT, Effect.NO_N2, Effect.SUSPEND, Effect.PURGE,
           Effect.ISOLATE, Effect.NO_DOOR)  # fmt: skip


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_verdict_says_of_each_effect_what_it_means_and_nothing_else(effect):
    verdict = Verdict(int(effect))
    said = (verdict.abort, verdict.hold, verdict.suspend, verdict.heat, verdict.start, verdict.purge)
    assert said == (
        effect is Effect.ABORT,
        effect is Effect.HOLD,
        effect is Effect.SUSPEND,
        effect is not Effect.NO_HEAT,
        effect not in (Effect.NO_START, Effect.HOLD, Effect.ABORT),
        effect is Effect.PURGE,
    )


def test_a_verdict_of_nothing_permits_everything_and_asks_for_nothing():
    verdict = Verdict()
    assert (verdict.abort, verdict.hold, verdict.suspend, verdict.purge, verdict.heat, verdict.start) == (False,) * 4 + (True,) * 2
    assert (verdict.effects, verdict.active, verdict.first_out) == (0, (), "")


def test_what_blocks_is_named_with_its_text_and_what_does_not_block_is_not():
    holding = next(rule for rule in RULES if rule.effect & Effect.HOLD and not rule.effect & Effect.ABORT)
    aborting = next(rule for rule in RULES if rule.effect & Effect.ABORT and not rule.effect & Effect.HOLD)
    verdict = Verdict(int(holding.effect | aborting.effect), (holding.id, aborting.id))
    assert verdict.blocking(Effect.HOLD) == (holding.id,)
    assert verdict.blocking(Effect.ABORT) == (aborting.id,)
    both = verdict.explained(Effect.HOLD | Effect.ABORT)
    assert both == f"{holding.id} ({holding.text}), {aborting.id} ({aborting.text})"


def test_the_effects_of_the_active_rows_are_theirs_together_and_the_rows_stand_in_table_order():
    assert _summed(frozenset()) == (0, ())
    chosen = (RULES[7], RULES[2], RULES[-1])
    expected = int(chosen[0].effect | chosen[1].effect | chosen[2].effect)
    assert _summed(frozenset(rule.id for rule in chosen)) == (expected, (RULES[2].id, RULES[7].id, RULES[-1].id))


@pytest.mark.parametrize(("stood_s", "acts"), [(4.0, True), (3.99, False)])
def test_a_row_acts_in_the_scan_in_which_its_cause_has_stood_for_the_whole_delay(stood_s, acts):
    place = next(at for at, rule in enumerate(RULES) if rule.id == "I11")
    assert RULES[place].delay_s == 5
    before = InterlockMemory(tuple(stood_s if at == place else 0.0 for at in range(len(RULES))))
    after, verdict, _ = evaluate(before, view({"n2_header_bar": 2.9}), reset=False, acknowledge=False)
    assert ("I11" in verdict.active) is acts
    assert after.stood_s[place] == pytest.approx(stood_s + 1.0)


@pytest.mark.parametrize(
    ("acknowledge", "clears"), [(frozenset({"I15"}), True), (frozenset({"I14"}), False), (frozenset(), False), (True, True), (False, False)]
)
def test_an_acknowledgement_that_names_rows_clears_those_alone(acknowledge, clears):
    before = InterlockMemory(active=frozenset({"I15"}))
    _, verdict, _ = evaluate(before, view({}), reset=False, acknowledge=acknowledge)
    assert ("I15" in verdict.active) is not clears


def test_a_row_that_comes_or_goes_is_told_once_and_the_first_that_stops_the_batch_is_the_first_out():
    place = next(at for at, rule in enumerate(RULES) if rule.id == "I15")
    lost = view({"exhaust_run": False}, phase=HOT_VACUUM)
    before = InterlockMemory(tuple(4.0 if at == place else 0.0 for at in range(len(RULES))))
    after, _, changes = evaluate(before, lost, reset=False, acknowledge=False)
    assert ("I15", "raise", True) in [(one.rule.id, one.event, one.first_out) for one in changes]
    again, _, nothing = evaluate(after, replace(lost, active=after.active), reset=False, acknowledge=False)
    assert "I15" not in [one.rule.id for one in nothing]
    _, _, gone = evaluate(again, view({}, active=again.active), reset=True, acknowledge=False)
    assert ("I15", "clear", False) in [(one.rule.id, one.event, one.first_out) for one in gone]


def test_a_block_before_the_first_reading_names_no_image():
    sent, _ = block.decode(contract.next_block(LINK, OFF, 5.0)[1])
    assert sent is not None
    assert (sent.source_alive, sent.epoch, sent.counter, sent.master) == (0, 3, 1, 1)


WANTED = OFF._replace(mode=Mode.RUN, heat_enable=True, zone_sp_c=(100.0, 110.0, 120.0), zone_op_pct=(10.0, 20.0, 30.0), batch_id=5)


@pytest.mark.parametrize("effect", [Effect.ABORT, Effect.HOLD, Effect.NO_HEAT, Effect.NO_VENT, Effect.SUSPEND])
def test_heat_and_its_direct_outputs_need_neither_abort_nor_no_heat(effect):
    out = Verdict(int(effect)).limit(WANTED, OVEN, image())
    heats = effect not in (Effect.ABORT, Effect.NO_HEAT)
    assert out.heat_enable is heats
    assert out.zone_op_pct == ((10.0, 20.0, 30.0) if heats else (0.0, 0.0, 0.0))
    assert out.mode is (Mode.ABORT if effect is Effect.ABORT else Mode.RUN)


def test_an_abort_without_a_batch_leaves_the_mode_as_it_is():
    assert Verdict(int(Effect.ABORT)).limit(OFF, OVEN, image()).mode is OFF.mode


def test_set_points_rate_and_flow_end_at_what_the_oven_takes_each_by_itself():
    top, rate, flow = OVEN.max_c, OVEN.max_rate_c_per_min, OVEN.max_n2_flow_nm3_h
    for zone in range(3):
        asked = tuple(top + 5.0 if one == zone else 50.0 + one for one in range(3))
        given = tuple(top if one == zone else 50.0 + one for one in range(3))
        assert Verdict().limit(WANTED._replace(zone_sp_c=asked), OVEN, image()).zone_sp_c == given
    assert Verdict().limit(WANTED._replace(rate_limit_c_per_min=rate + 1.0), OVEN, image()).rate_limit_c_per_min == rate
    assert Verdict().limit(WANTED._replace(rate_limit_c_per_min=rate / 2), OVEN, image()).rate_limit_c_per_min == rate / 2
    for asked_nm3_h, given_nm3_h in ((flow + 1.0, flow), (flow / 2, flow / 2)):
        n2 = WANTED._replace(n2_valve=True, n2_flow_sp_nm3_h=asked_nm3_h)
        assert Verdict().limit(n2, OVEN, image()).n2_flow_sp_nm3_h == given_nm3_h
        assert Verdict(int(Effect.NO_N2)).limit(n2, OVEN, image()).n2_flow_sp_nm3_h == 0.0


VALVES = tuple(product((False, True), repeat=3))
CLOSED = tuple(product((True, False, BAD), repeat=2))


@pytest.mark.parametrize("effect", [None, Effect.ISOLATE, Effect.NO_N2, Effect.NO_VENT, Effect.NO_DOOR, Effect.HOLD])
def test_every_pair_of_valves_opens_only_against_a_seen_closed_one(effect):
    for (vac, n2, vent), (vac_closed, n2_closed) in product(VALVES, CLOSED):
        wanted = OFF._replace(vac_valve=vac, n2_valve=n2, vent_valve=vent, door_release=True)
        seen = image(vac_valve_closed=vac_closed, n2_valve_closed=n2_closed)
        out = Verdict(int(effect or 0)).limit(wanted, OVEN, seen)
        n2_wanted = n2 and effect is not Effect.NO_N2
        expected = (
            vac and effect is not Effect.ISOLATE and not n2_wanted and not vent and n2_closed is True,
            n2_wanted and vac_closed is True,
            vent and effect is not Effect.NO_VENT and vac_closed is True and n2_closed is True,
            effect not in (Effect.NO_VENT, Effect.NO_DOOR),
        )
        assert (out.vac_valve, out.n2_valve, out.vent_valve, out.door_release) == expected


def process(temp_c):
    from controller.interlocks.conditioning import condition
    from controller.interlocks.gauges import Watch
    from controller.interlocks.limits import Limits
    from controller.interlocks.sensors import Believed

    zones = {f"z{zone}_tc_{letter}_c": temp_c + zone if temp_c is not BAD else BAD for zone in (1, 2, 3) for letter in "abc"}
    return condition(Limits(), image(**zones), Watch(), Believed())


def test_slopes_are_filtered_over_a_minute_and_each_zone_by_its_own_readings():
    seen = process(23.0)
    temps = tuple(zone.temp_c for zone in seen.zones)
    before = Slopes((6.0, 6.0, 6.0), tuple(temp_c - rise for temp_c, rise in zip(temps, (0.1, 0.2, 0.4), strict=True)))
    after = slopes(before, seen, 2.0)
    share = 2.0 / 62.0
    assert after.slope_c_per_min == pytest.approx([6.0 + share * (60.0 * rise / 2.0 - 6.0) for rise in (0.1, 0.2, 0.4)])
    assert after.temp_c == temps
    assert slopes(before, seen, 0.0) is before
    assert slopes(before, seen, 0.5).slope_c_per_min != before.slope_c_per_min
    blind = slopes(before, process(BAD), 2.0)
    assert blind.slope_c_per_min == before.slope_c_per_min
    assert slopes(blind, seen, 2.0).slope_c_per_min == before.slope_c_per_min  # and the first reading after a blind time is no rise


def test_a_restarted_core_keeps_latches_and_first_out_of_rows_that_exist_and_nothing_else():
    rule = RULES[0].id
    was = InterlockMemory((5.0,) * len(RULES), frozenset({rule, "X1"}), frozenset({rule, "X2"}), rule, Slopes((1.0, 2.0, 3.0)))
    now = afresh(was)
    assert (now.active, now.cause, now.first_out, now.slopes) == (frozenset({rule}), frozenset({rule}), rule, was.slopes)
    assert set(now.stood_s) == {0.0}
    assert now.bypassed == ()
    assert afresh(was._replace(first_out="X1")).first_out == ""


# ---- the contract with the PLC ----

LINK = Memory(epoch=3, master=1, serial=4711)


def test_a_contract_that_begins_has_sent_and_seen_nothing():
    assert tuple(LINK) == (3, 1, 4711, 0, (), 0, None, float("-inf"), None, 0, True, False, True, False, None, 0.0, False)


def test_a_block_counts_one_up_goes_round_after_32_bits_and_waits_for_its_echo():
    after, registers = contract.next_block(LINK, OFF, 5.0)
    assert (after.counter, after.waiting) == (1, (Written(1, registers[-1], 5.0),))
    assert contract.next_block(LINK._replace(counter=0xFFFF_FFFF), OFF, 5.0)[0].counter == 0
    assert contract.next_block(LINK._replace(counter=0xFFFF_FFFE), OFF, 5.0)[0].counter == 0xFFFF_FFFF


def test_the_oldest_block_without_an_echo_is_never_forgotten():
    link = LINK
    for scan in range(300):
        link, _ = contract.next_block(link, OFF, float(scan))
        if scan >= 256:
            assert [one.counter for one in link.waiting[:2]] == [1, scan - 253]
    assert len(link.waiting) == 256
    assert link.waiting[0].counter == 1
    assert [one.counter for one in link.waiting[1:]] == list(range(46, 301))


@pytest.mark.parametrize(("age_s", "stale"), [(2.9, False), (3.0, True), (3.1, True)])
def test_an_image_is_stale_from_three_seconds_on(age_s, stale):
    after, events = contract.judged(LINK._replace(alive=5, alive_at_s=10.0), 10.0 + age_s)
    assert after.stale is stale
    assert [event.name for event in events] == (["stale"] if stale else [])
    fresh, back = contract.judged(LINK._replace(alive=5, alive_at_s=10.0, stale=True), 10.5)
    assert (fresh.stale, [event.name for event in back]) == (False, ["fresh"])
    assert contract.judged(LINK, 1e6)[0].stale is False  # nothing was ever read


@pytest.mark.parametrize(("age_s", "followed"), [(1.9, True), (2.0, True), (2.1, False)])
def test_a_block_is_not_followed_when_its_echo_takes_longer_than_two_seconds(age_s, followed):
    waiting = (Written(1, 7, 10.0), Written(2, 8, 10.0 + age_s))
    after, events = contract.judged(LINK._replace(counter=2, waiting=waiting), 10.0 + age_s)
    assert after.echo_ok is followed
    assert [event.name for event in events] == ([] if followed else ["echo_lost"])
    if events:
        assert events[0].details == {"written": 2, "confirmed": 0}
    back, said = contract.judged(LINK._replace(echo_ok=False), 10.0)
    assert (back.echo_ok, [event.name for event in said]) == (True, ["echo_back"])


def test_the_state_of_the_link_says_what_the_memory_holds():
    link = LINK._replace(counter=9, confirmed=8, alive=3, alive_at_s=10.0, lease=1, echo_ok=False, rebooted=True, watchdog_on=False)
    state = contract.link_state(link, 12.5, connected=True, refused="")
    assert state == (True, True, False, True, "", 2.5, True, False, 9, 8)
    assert not contract.link_state(link._replace(stale=True), 12.5, connected=True, refused="").fresh
    assert not contract.link_state(LINK, 12.5, connected=False, refused="x").fresh
    assert not contract.link_state(link._replace(lease=2), 12.5, connected=True, refused="").lease_ours


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [(0, 1, ["lease_won"]), (1, 1, []), (1, 0, ["lease_lost"]), (1, 2, ["lease_lost"]), (0, 2, ["lease_held"]), (2, 0, []),
     (2, 3, ["lease_held"])],
)  # fmt: skip
def test_who_holds_the_lease_is_told_when_it_changes(was, now, said):
    seen = image(plc_lease=now, plc_serial=4711)
    after, events = contract.seen(LINK._replace(lease=was, alive=100, boot_id=7, alive_at_s=10.0), seen, 10.0)
    assert [event.name for event in events] == said
    assert after.lease == now
    assert all(1 not in event.details.values() for event in events if event.name != "lease_won")


@pytest.mark.parametrize(("watchdog_s", "on"), [(5.0, True), (0.5, True), (0.0, False), (BAD, False)])
def test_a_watchdog_that_is_off_or_unknown_is_told_once(watchdog_s, on):
    link = LINK._replace(lease=1, alive=100, boot_id=7, alive_at_s=10.0)
    after, events = contract.seen(link, image(plc_watchdog_s=watchdog_s), 10.0)
    assert after.watchdog_on is on
    assert [event.name for event in events] == ([] if on else ["watchdog_off"])
    assert [event.name for event in contract.seen(after, image(plc_watchdog_s=watchdog_s), 10.0)[1]] == []


def test_an_echo_confirms_its_block_and_all_before_it_and_only_with_its_crc_and_epoch():
    waiting = (Written(4, 40, 9.0), Written(5, 50, 9.5), Written(6, 60, 10.0))
    link = LINK._replace(lease=1, alive=100, boot_id=7, alive_at_s=10.0, counter=6, waiting=waiting, confirmed=3)

    def echoed(epoch, counter, crc):
        after = contract.seen(link, image(echo_epoch=epoch, echo_counter=counter, echo_crc=crc), 10.0)[0]
        return after.confirmed, tuple(one.counter for one in after.waiting)

    assert echoed(3, 5, 50) == (5, (6,))
    assert echoed(3, 6, 60) == (6, ())
    for wrong in ((2, 5, 50), (3, 5, 51), (3, 7, 50), (4, 5, 50)):
        assert echoed(*wrong) == (3, (4, 5, 6))


def test_an_alive_counter_that_moves_and_a_boot_that_changes_are_seen_and_one_that_stands_is_not():
    link = LINK._replace(lease=1, alive=100, boot_id=7, alive_at_s=8.0)
    same, none = contract.seen(link, image(plc_alive=100), 10.0)
    assert (same.alive_at_s, same.rebooted, none) == (8.0, False, [])
    moved, _ = contract.seen(link, image(plc_alive=101), 10.0)
    assert (moved.alive, moved.alive_at_s) == (101, 10.0)
    again, events = contract.seen(link, image(plc_alive=100, plc_boot_id=8), 10.0)
    assert (again.alive_at_s, again.rebooted, again.boot_id) == (10.0, True, 8)
    assert [(event.name, event.details) for event in events] == [("rebooted", {"from": 7, "to": 8})]
    first, nothing = contract.seen(LINK._replace(lease=1), image(), 10.0)
    assert (first.rebooted, first.alive, nothing) == (False, 100, [])
    blind, _ = contract.seen(link, image(plc_alive=BAD), 10.0)
    assert (blind.alive, blind.alive_at_s) == (100, 8.0)
