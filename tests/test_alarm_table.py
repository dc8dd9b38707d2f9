"""What stands in the tables of the alarms: every row rationalised, few of them urgent, none that trips can be hidden."""

from collections import Counter

from controller.actions.alarming import ROWS
from controller.alarms.rationalisation import TABLE, TO_CONFIRM, off_delay_s, priority
from controller.alarms.states import Priority
from controller.alarms.suppression import SUPPRESSED_BY
from controller.documents.injections import INJECTIONS, SITUATIONS
from controller.interlocks.evaluate import BY_ID
from controller.interlocks.rule import Effect, Reset
from controller.interlocks.table import RULES

STOPS = Effect.ABORT | Effect.HOLD | Effect.SUSPEND


def test_every_row_is_rationalised_and_nothing_else_is():
    assert sorted(TABLE) == sorted(BY_ID)
    thin = [row.rule for row in TABLE.values() if min(map(len, (row.cause, row.consequence, row.action))) < 4]
    assert thin == []


def test_every_row_has_its_injection_in_the_acceptance_protocol():
    assert sorted(INJECTIONS) == sorted(BY_ID)
    assert {one.when for one in INJECTIONS.values()} <= set(SITUATIONS)


def test_whoever_has_to_act_has_a_time_to_respond():
    missing = [row.rule for row in TABLE.values() if row.priority in (Priority.CRITICAL, Priority.HIGH) and not row.respond_min]
    assert missing == []
    late = {row.rule: row.respond_min for row in TABLE.values() if row.priority is Priority.CRITICAL and row.respond_min > 5}
    assert late == {}


def test_priorities_are_spread_so_that_the_urgent_ones_stand_out():
    counts = Counter(TABLE[rule.id].priority for rule in RULES if TABLE[rule.id].priority is not Priority.JOURNAL)
    total = counts.total()
    assert counts[Priority.CRITICAL] <= 0.1 * total
    assert counts[Priority.CRITICAL] + counts[Priority.HIGH] <= 0.3 * total


def test_every_row_that_trips_is_to_be_confirmed_and_none_that_may_be_hidden_or_goes_by_itself():
    trips = {rule.id for rule in RULES if rule.effect & Effect.ABORT}
    assert trips <= TO_CONFIRM <= ROWS.never_hidden & ROWS.latching
    assert not TO_CONFIRM & set(SUPPRESSED_BY)


def test_what_stops_a_batch_is_announced():
    silent = [rule.id for rule in RULES if rule.effect & STOPS and priority(rule.id) is Priority.JOURNAL]
    assert silent == []


def test_only_rows_that_stop_nothing_and_go_by_themselves_have_an_off_delay():
    wrong = [rule.id for rule in RULES if off_delay_s(rule.id) > 0 and (rule.effect & STOPS or rule.reset is not Reset.AUTO)]
    assert wrong == []


def test_suppression_names_rows_never_hides_a_trip_and_has_no_circle():
    assert {*SUPPRESSED_BY, *(one for by in SUPPRESSED_BY.values() for one in by)} <= set(BY_ID)
    assert [rule for rule in SUPPRESSED_BY if rule in ROWS.never_hidden and not BY_ID[rule].hard_wired] == []

    def above(rule, seen=()):
        assert rule not in seen, f"{rule} suppresses itself"
        for one in SUPPRESSED_BY.get(rule, ()):
            above(one, (*seen, rule))

    for rule in SUPPRESSED_BY:
        above(rule)


def test_a_journal_that_failed_asks_for_a_restart_of_the_core_before_the_batchs():
    """After a failed write the file is not trusted again by the process that saw it fail (``Journal.trusted``)."""
    action = TABLE["I30"].action
    assert 0 < action.index("systemctl restart ovenctl-core") < action.index("acknowledge and RESTART")
