"""Thermocouples of the load that rest apart from the walls, by time alone: a roll of first order that follows its walls."""

from collections.abc import Callable
from math import exp

import pytest

from controller.estimator.load_sensors import APART_K, CLOSE_K, FOLLOWS_S, UNWATCHED, WINDOW_S, WINDOWS, Loads, LoadWatch, look

MINUTE_S = 60.0
RAMP_K_H = 30.0
Reads = Callable[[float, float, float], Loads]  # of hours, surface and inside in K


def wall_k(at_h: float) -> float:
    """Up for four hours, a soak of twelve, up for two more, a soak of eight."""
    return 300.0 + RAMP_K_H * (min(at_h, 4.0) + min(max(at_h - 16.0, 0.0), 2.0))


def day(reads: Reads, tau_h: float, hours: float = 26.0) -> list[LoadWatch]:
    """A day, one look a minute: the surface follows at a third of the time constant, the inside follows the surface."""
    watch, seen, surface_k, inside_k = UNWATCHED, [], 300.0, 300.0
    for minute in range(int(60 * hours)):
        at_h = minute / 60
        surface_k += (wall_k(at_h) - surface_k) * (1 - exp(-1 / (60 * tau_h / 3)))
        inside_k += (surface_k - inside_k) * (1 - exp(-1 / (60 * tau_h)))
        watch = look(watch, MINUTE_S * minute, reads(at_h, surface_k, inside_k), wall_k(at_h))
        seen.append(watch)
    return seen


def honest(_: float, surface_k: float, inside_k: float) -> Loads:
    return surface_k, surface_k, inside_k


def off(k: float) -> Reads:
    return lambda _, surface_k, inside_k: (surface_k + k, surface_k + k, inside_k + k)


def hours_of(seen: list[LoadWatch]) -> list[float]:
    return [minute / 60 for minute, one in enumerate(seen) if one.apart_k]


@pytest.mark.parametrize("tau_h", [0.2, 1.0, 2.5, 4.0])
def test_a_roll_that_lags_behind_its_walls_is_believed(tau_h: float) -> None:
    assert not hours_of(day(honest, tau_h))


@pytest.mark.parametrize("tau_h", [0.2, 1.0, 2.5])
@pytest.mark.parametrize("k", [-8.0, 8.0])
def test_all_three_wrong_together_are_found_in_the_soak_and_the_next_ramp_does_not_hide_them(tau_h: float, k: float) -> None:
    found = hours_of(day(off(k), tau_h))
    assert 4.0 < found[0] < 13.5
    assert len(found) == int(60 * 26.0) - round(60 * found[0])  # from then on
    assert day(off(k), tau_h)[-1].apart_k == pytest.approx(-k, abs=1.3)  # the roll is still on its way a little


@pytest.mark.parametrize("k", [-0.9 * APART_K, 0.9 * APART_K])
def test_a_distance_below_the_limit_is_none(k: float) -> None:
    assert not hours_of(day(off(k), 0.5))


def test_a_load_that_moves_towards_its_walls_faster_than_the_slowest_roll_is_on_its_way() -> None:
    def creeps(share: float) -> list[LoadWatch]:
        watch, seen, load_k = UNWATCHED, [], 490.0
        for minute in range(4 * 60):
            load_k += share * (500.0 - load_k) * MINUTE_S / FOLLOWS_S
            watch = look(watch, MINUTE_S * minute, (load_k, load_k, load_k), 500.0)
            seen.append(watch)
        return seen

    assert not hours_of(creeps(1.2))
    assert hours_of(creeps(0.8))


def test_one_liar_among_three_is_another_matter() -> None:
    assert not hours_of(day(lambda _, surface_k, inside_k: (surface_k, surface_k, inside_k - 40.0), 1.0))
    assert not hours_of(day(lambda _, surface_k, inside_k: (surface_k + 40.0, surface_k, inside_k), 1.0))


def test_it_takes_some_windows_in_a_row() -> None:
    watch, found = UNWATCHED, []
    for minute in range(3 * 60):
        watch = look(watch, MINUTE_S * minute, (490.0, 490.0, 490.0), 500.0)
        found.append(watch.apart_k)
    first = next(minute for minute, k in enumerate(found) if k)
    assert first == WINDOWS * WINDOW_S / MINUTE_S
    assert found[-1] == pytest.approx(10.0)


def rested(at_s: float = 0.0, k: float = 10.0, minutes: int = 70, watch: LoadWatch = UNWATCHED) -> LoadWatch:
    for minute in range(minutes):
        watch = look(watch, at_s + MINUTE_S * minute, (500.0 - k, 500.0 - k, 500.0 - k), 500.0)
    return watch


def test_load_and_walls_that_come_close_again_are_believed() -> None:
    found = rested()
    assert found.apart_k == pytest.approx(10.0)
    between = rested(70 * MINUTE_S, 0.5 * (APART_K + CLOSE_K), 90, found)
    assert between.apart_k == pytest.approx(10.0)  # neither close nor apart
    assert rested(160 * MINUTE_S, 0.9 * CLOSE_K, 90, between).apart_k == 0.0


def test_a_thermocouple_that_goes_or_comes_and_a_pause_begin_the_window_anew() -> None:
    watch = rested(minutes=50)
    assert watch.resting == 1
    lost = look(watch, 50 * MINUTE_S, (490.0, None, 490.0), 500.0)
    assert (lost.resting, lost.from_s) == (0, 50 * MINUTE_S)
    assert look(watch, 50 * MINUTE_S, (490.0, 490.0, 490.0), None).resting == 0
    assert look(watch, 60 * MINUTE_S, (490.0, 490.0, 490.0), 500.0).resting == 0
    assert look(watch, 40 * MINUTE_S, (490.0, 490.0, 490.0), 500.0).resting == 0
    assert look(watch, 50 * MINUTE_S, (490.0, 490.0, 490.0), 500.0).resting == 1  # the window goes on
    nobody = look(watch, 50 * MINUTE_S, (None, None, None), 500.0)
    assert look(nobody, 51 * MINUTE_S, (None, None, None), 500.0).loads_k is None


def test_what_was_found_stays_while_nobody_reads() -> None:
    found = rested()
    assert look(found, 70 * MINUTE_S, (None, None, None), 500.0).apart_k == found.apart_k
    two = found
    for minute in range(70, 150):
        two = look(two, MINUTE_S * minute, (490.0, None, 490.0), 500.0)
    assert two.apart_k == pytest.approx(10.0)
