"""The lumped film: equilibrium, direction, step independence, positivity; the vapour's way out of the roll."""

from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.estimator.film import Film, Warm, diffusion_s, dry, henry_pa, relaxation, vapour_pressure_pa, warm
from controller.estimator.vapour import Gap, way_out
from controller.solvents import SOLVENTS

NMP = SOLVENTS["NMP"]
ONE = np.ones(1)
OPEN = np.full((1, 1), 1.0)  # mol/(m2 s Pa): nothing in the vapour's way


def film(film_um: float = 20.0) -> Film:
    return Film.of(NMP, film_um, 1e-14, 0.4 * ONE, ONE)


def at(temp_c: float, of: Film) -> Warm:
    temp = np.full((1, 1), temp_c + 273.15)
    return warm(of, temp, 1 / temp, 0 * ONE, 0 * ONE, 0 * ONE)


def wet(weight_fraction: float) -> np.ndarray:
    return np.full((1, 1), weight_fraction / (1 - weight_fraction))


def dried(weight_fraction: float, temp_c: float, vapour_pa: float, hours: float, dt_s: float, way: np.ndarray = OPEN) -> float:
    of = film()
    warmth, u = at(temp_c, of), wet(weight_fraction)
    for _ in range(round(hours * 3600 / dt_s)):
        u = dry(of, warmth, u, way, vapour_pa, dt_s)
    return float(u[0, 0])


def test_a_dry_film_has_the_time_constant_of_its_slowest_mode() -> None:
    # 4 L^2 / (pi^2 D) = 16211 s for 20 um and 1e-14 m2/s; the swollen resistance adds 0.0 %
    assert float(diffusion_s(at(200.0, film()), wet(1e-12))[0, 0]) == pytest.approx(16211.4, rel=1e-3)


def test_the_slow_mode_of_the_series_has_that_time_constant() -> None:
    # Fo from M/M0 = .01 to .001 of the one-sided film: 2.7144906 - 1.7812880 = ln(10) * 4 / pi^2
    lumped = float(diffusion_s(at(200.0, film()), wet(1e-12))[0, 0]) * np.log(10)
    assert lumped * 1e-14 / (20e-6) ** 2 == pytest.approx(2.7144906 - 1.7812880, rel=1e-3)


def test_dry_diffusion_follows_its_activation_energy() -> None:
    of = film()
    ratio = float((diffusion_s(at(200.0, of), wet(1e-9)) / diffusion_s(at(240.0, of), wet(1e-9)))[0, 0])
    assert ratio == pytest.approx(exp(80e3 / 8.314462618 * (1 / 473.15 - 1 / 513.15)), rel=5e-3)


@pytest.mark.parametrize(
    ("pressure_pa", "temps_c"),
    [(100.0, (59, 50, 43, 41, 39)), (1e3, (103, 91, 82, 79, 77)), (1e4, (166, 149, 137, 132, 129)), (101325.0, (262, 236, 218, 210, 207))],
)
def test_the_film_boils_at_the_reference_temperatures(pressure_pa: float, temps_c: tuple[float, ...]) -> None:
    near_k = 6 if pressure_pa > 1e5 else 1.5  # beyond 204 degC the vapour pressure is extrapolated
    of = film()
    for fraction, temp_c in zip((0.05, 0.10, 0.20, 0.30, 0.40), temps_c, strict=True):
        low, high = (float(vapour_pressure_pa(of, at(temp_c + shift, of), wet(fraction))[0, 0]) for shift in (-near_k, near_k))
        assert low < pressure_pa < high


def test_activity_is_one_for_pure_solvent_and_vanishes_with_the_solvent() -> None:
    of = film()
    warmth = at(150.0, of)
    assert float(vapour_pressure_pa(of, warmth, np.full((1, 1), 1e6))[0, 0]) == pytest.approx(22450.0, rel=0.01)
    assert float(vapour_pressure_pa(of, warmth, np.full((1, 1), 1e-9))[0, 0]) < 1e-2


def test_the_film_settles_where_its_vapour_pressure_is_the_chambers() -> None:
    of = film()
    end = np.full((1, 1), dried(0.2, 200.0, 3000.0, 200.0, 60.0))
    assert float(vapour_pressure_pa(of, at(200.0, of), end)[0, 0]) == pytest.approx(3000.0, rel=1e-3)
    start = np.full((1, 1), dried(0.001, 200.0, 3000.0, 200.0, 60.0))
    assert float(start[0, 0]) == pytest.approx(float(end[0, 0]), rel=1e-3)


@pytest.mark.parametrize("temp_c", [80.0, 120.0, 160.0, 200.0, 240.0])
@pytest.mark.parametrize("way", [1.0, 1e-8, 1e-9])
def test_one_second_and_sixty_second_steps_agree(temp_c: float, way: float) -> None:
    open_ = np.full((1, 1), way)
    fine, coarse = (dried(0.2, temp_c, 10.0, 1.0, dt, open_) for dt in (1.0, 60.0))
    assert coarse == pytest.approx(fine, rel=0.01)


def test_hotter_and_longer_is_drier() -> None:
    residuals = [[dried(0.2, temp_c, 10.0, hours, 60.0) for hours in (0.5, 1, 2, 4)] for temp_c in (120.0, 160.0, 200.0, 240.0)]
    assert (np.diff(np.array(residuals), axis=0) < 0).all()
    assert (np.diff(np.array(residuals), axis=1) < 0).all()


def test_a_trial_film_dries_below_one_percent_in_one_to_three_hours() -> None:
    assert dried(0.2, 200.0, 10.0, 1.0, 60.0) > 0.01
    assert dried(0.2, 200.0, 10.0, 3.0, 60.0) < 0.01
    assert dried(0.2, 240.0, 10.0, 1.0, 60.0) < 0.01


@given(st.floats(1e-6, 0.5), st.floats(0.0, 300.0), st.floats(0.0, 1e5), st.floats(-12.0, 0.0), st.floats(0.1, 60.0), st.floats(-2.0, 2.0))
def test_the_film_never_passes_its_end_point_nor_zero(
    fraction: float, temp_c: float, vapour_pa: float, log_way: float, dt_s: float, log_scale: float
) -> None:
    of = film()
    temp = np.full((1, 1), temp_c + 273.15)
    warmth = warm(of, temp, 1 / temp, log_scale * ONE, log_scale * ONE, 0 * ONE)
    u = wet(fraction)
    way = np.full((1, 1), 10.0**log_way)
    after = float(dry(of, warmth, u, way, vapour_pa, dt_s)[0, 0])
    assert after >= 0.0
    assert np.isfinite(after)
    # secant slope of the activity falls with u, so that the end point moves away from a film that takes solvent up
    if float((u * henry_pa(of, warmth, u))[0, 0]) >= vapour_pa:
        assert after <= float(u[0, 0]) * (1 + 1e-12)


def test_the_relaxation_vanishes_at_the_end_point() -> None:
    of, u = film(), wet(0.1)
    warmth = at(180.0, of)
    _, end = relaxation(of, warmth, u, OPEN, float(vapour_pressure_pa(of, warmth, u)[0, 0]))
    assert float(end[0, 0]) == pytest.approx(float(u[0, 0]), rel=1e-12)


@pytest.mark.parametrize(("gap_um", "centre_kpa"), [(10, 26), (30, 4.9), (50, 2.2), (100, 0.75), (200, 0.25)])
def test_the_gap_lets_out_what_the_slit_equation_says(gap_um: float, centre_kpa: float) -> None:
    # 9.3 g/m2 in one hour, half width 0.25 m, 200 degC, 10 Pa at the edge, no inert gas
    gap = Gap.of(NMP, 0.5, gap_um * 1e-6 * ONE)
    centre = np.full((4, 1), centre_kpa * 1e3)
    way = way_out(gap, centre, 473.15, 10.0, 10.0)
    grams_per_hour = float(way[0, 0]) * (centre_kpa * 1e3 - 10) * 99.13 * 3600
    assert grams_per_hour == pytest.approx(9.3, rel=0.12)  # the reference pressures have two digits, and enter squared


def test_nitrogen_of_one_atmosphere_holds_the_vapour_back_for_seventeen_hours() -> None:
    # 9.3 g/m2 at activity 1, 200 degC, 100 um, no vapour in the chamber; ten times as long at activity 0.1
    gap = Gap.of(NMP, 0.5, 100e-6 * ONE)
    for activity, hours in ((1.0, 17.0), (0.1, 175.0)):
        film_pa = np.full((4, 1), activity * 92440.0)
        way = way_out(gap, film_pa, 473.15, 101325.0, 0.0)
        assert 9.3 / 99.13 / (float(way[0, 0]) * activity * 92440.0) / 3600 == pytest.approx(hours, rel=0.1)


@given(st.floats(1e-3, 1.2e5), st.floats(1e-3, 1.2e5), st.floats(0, 1))
def test_the_way_out_is_open_for_any_pressure(film_pa: float, pressure_pa: float, share: float) -> None:
    gap = Gap.of(NMP, 0.5, 100e-6 * ONE)
    way = way_out(gap, np.full((4, 1), film_pa), 450.0, pressure_pa, share * pressure_pa)
    assert np.isfinite(way).all()
    assert (way > 0).all()
