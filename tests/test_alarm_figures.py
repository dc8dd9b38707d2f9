"""Figures of an alarm system: rates, floods, chattering, stale alarms, the most frequent ones."""

import pytest

from controller.alarms import statistics
from controller.alarms.states import Priority
from controller.alarms.statistics import Stood


def _stood(*times_s, rule="I20W", **more):
    return [Stood(rule, Priority.MEDIUM, time_s, **more) for time_s in times_s]


def test_rates_follow_from_count_and_span():
    figures = statistics.statistics(_stood(0, 100, 200, 3000, 7200), 0.0, 7200.0)
    assert (figures.announced, figures.per_hour, figures.per_10_min, figures.worst_10_min) == (5, 2.5, pytest.approx(5 / 12), 3)


@pytest.mark.parametrize(
    ("times_s", "expected"),
    [
        ([50.0 * i for i in range(10)], []),  # ten in ten minutes are not more than ten
        ([50.0 * i for i in range(11)], [(0.0, 900.0, 11)]),  # ends when fewer than five are left: 300 + 600
        ([60.0 * i for i in range(40)], []),  # ten in any ten minutes
        ([50.0 * i for i in range(40)], [(0.0, 2350.0, 40)]),
        ([10.0 * i for i in range(11)] + [5000.0 + 10.0 * i for i in range(11)], [(0.0, 660.0, 11), (5000.0, 5660.0, 11)]),
    ],
)
def test_a_flood_begins_above_ten_in_ten_minutes_and_ends_below_five(times_s, expected):
    found = statistics.floods(times_s, 1e6)
    assert [(one.from_s, one.to_s, one.announced) for one in found] == expected


def test_a_flood_that_goes_on_has_no_end():
    assert statistics.floods([float(i) for i in range(20)], 60.0) == (statistics.Flood(0.0, None, 20, 20),)


def test_chattering_is_three_of_one_alarm_within_a_minute():
    found = [*_stood(0, 30, 59), *_stood(0, 30, 60, rule="I4W"), *_stood(0, 5, rule="I7W"), *_stood(6, rule="I8")]
    assert statistics.statistics(found, 0.0, 3600.0).chattering == (("I20W", 3),)


def test_stale_is_what_stands_for_more_than_a_day():
    found = [*_stood(0.0), *_stood(3600.0, rule="I4W"), *_stood(0.0, rule="I7W", cleared_s=86_000.0)]
    assert statistics.statistics(found, 80_000.0, 86_401.0).stale == (("I20W", 86_401.0),)


def test_the_most_frequent_ones_come_first_and_journal_entries_do_not_count():
    found = [one for number in range(12) for one in _stood(*range(number + 1), rule=f"R{number:02d}")]
    found += [Stood("I5", Priority.JOURNAL, 1.0)] * 50
    figures = statistics.statistics(found, 0.0, 3600.0)
    assert figures.announced == 78
    assert [rule for rule, _, _ in figures.top] == [f"R{number:02d}" for number in range(11, 1, -1)]
    assert figures.top[0] == ("R11", 12, pytest.approx(12 / 78))
    assert figures.by_priority == ((Priority.MEDIUM, 78, 1.0),)
