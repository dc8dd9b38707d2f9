"""The roll's heat: conservation, limits, time constants, and what a load thermocouple does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.estimator.model import CORE, MIDDLE, OUTER, LoadState
from controller.estimator.roll import Roll, correct, external_h, heat, radial_conductivity, roll_of
from controller.image import Inputs, blank
from controller.tags import Quality, Sample

ONE = np.ones(1)
PRODUCTION = LoadState(1000, 0.5, 20, 18, 100, 152, 20, 1)
TRIAL = LoadState(20, 0.5, 20, 18, 100, 76, 20, 1)


def roll(load: LoadState = PRODUCTION) -> Roll:
    return roll_of(load, 1e-2 * ONE, 5e-2 * ONE, 8 * ONE)


def at(temp_k: float) -> np.ndarray:
    return np.full((4, 1), temp_k)


def reading(**load_c: float) -> Inputs:
    return blank(0.0, 1.0, Quality.ABSENT)._replace(**{name: Sample(value, Quality.GOOD, 0.0) for name, value in load_c.items()})


def test_heat_capacity_is_that_of_foil_and_film() -> None:
    core = 2 * np.pi * 0.076 * 0.5 * 1e4
    metal = 500 * 18e-6 * 8900 * 380
    film = 500 * 20e-6 * 1410 * 1150
    assert float(roll().capacity.sum()) == pytest.approx(metal + film + core, rel=1e-9)
    assert float(roll().share.sum()) == pytest.approx(1.0)


@pytest.mark.parametrize("dt_s", [1.0, 60.0, 3600.0])
def test_what_the_wall_gives_is_what_the_roll_stores(dt_s: float) -> None:
    of = roll()
    before = np.array([[320.0], [310.0], [305.0], [330.0]])
    after = heat(of, before, 480.0, 100.0, dt_s)
    stored = float((of.capacity * (after - before)).sum()) / dt_s
    k, h = radial_conductivity(of, 100.0), external_h(of, 480.0, 100.0)
    skin = h * of.skin_m2
    into_outer = skin * k * of.wall_per_k / (skin + k * of.wall_per_k)
    given = into_outer * (480 - after[0]) + h * of.face_m2 * (480 - after[3]) + h * of.bore_m2 * (480 - after[CORE])
    assert stored == pytest.approx(given.item(), rel=1e-9)


@given(st.floats(280, 560), st.floats(280, 560), st.floats(0.1, 1.1e5), st.floats(0.1, 3600))
def test_no_node_leaves_the_range_of_wall_and_roll(start_k: float, wall_k: float, pressure_pa: float, dt_s: float) -> None:
    after = heat(roll(TRIAL), at(start_k), wall_k, pressure_pa, dt_s)
    assert after.min() >= min(start_k, wall_k) - 1e-6
    assert after.max() <= max(start_k, wall_k) + 1e-6


def test_the_roll_settles_at_the_wall() -> None:
    temp = at(300.0)
    for _ in range(5000):
        temp = heat(roll(), temp, 480.0, 100.0, 60.0)
    assert temp == pytest.approx(480.0, abs=0.01)


def test_sixty_second_steps_follow_one_second_steps() -> None:
    fine = coarse = at(300.0)
    for _ in range(3600):
        fine = heat(roll(TRIAL), fine, 480.0, 100.0, 1.0)
    for _ in range(60):
        coarse = heat(roll(TRIAL), coarse, 480.0, 100.0, 60.0)
    assert coarse - 300 == pytest.approx(fine - 300, rel=0.02)


def test_conductivity_runs_from_tape_path_to_nitrogen() -> None:
    assert float(radial_conductivity(roll(), 101325.0)[0]) == pytest.approx(5e-2, rel=0.01)
    assert float(radial_conductivity(roll(), 1.0)[0]) == pytest.approx(1e-2, rel=0.02)


def test_a_production_roll_lags_by_hours_and_a_trial_roll_by_less() -> None:
    def hours_to_63_percent(load: LoadState) -> float:
        of, temp, seconds = roll(load), at(300.0), 0
        while temp[MIDDLE, 0] < 300 + 0.632 * 180:
            temp = heat(of, temp, 480.0, 100.0, 60.0)
            seconds += 60
        return seconds / 3600

    assert 2 < hours_to_63_percent(PRODUCTION) < 10
    assert hours_to_63_percent(TRIAL) < 1


def test_load_thermocouples_pull_only_their_own_nodes() -> None:
    temp = at(400.0)
    correct(temp, 0 * ONE, reading(load_outer_c=136.85), 420.0, 120.0)
    assert float(temp[OUTER, 0]) == pytest.approx(400 + 10 * (1 - np.exp(-1)), abs=1e-9)
    assert temp[MIDDLE, 0] == 400.0
    assert temp[CORE, 0] == 400.0


@pytest.mark.parametrize("fallen_off_c", [25.0, 399.0])
def test_a_thermocouple_that_has_come_off_is_left_out(fallen_off_c: float) -> None:
    temp = at(480.0)
    correct(temp, 0 * ONE, reading(load_outer_c=fallen_off_c), 490.0, 300.0)
    assert temp == pytest.approx(480.0)


def test_absent_thermocouples_change_nothing() -> None:
    temp = at(480.0)
    correct(temp, 0 * ONE, blank(0.0, 1.0, Quality.BAD_SENSOR), 490.0, 300.0)
    assert temp == pytest.approx(480.0)
