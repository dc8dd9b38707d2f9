"""Crosslinking and gel against closed forms and reference numbers."""

from itertools import pairwise
from math import exp

import numpy as np
import pytest
from scipy.special import exp1

from controller.estimator.curing import (
    LIMIT,
    REFERENCE_K,
    Cure,
    arrhenius,
    crosslink,
    crosslinks_for,
    gel_fraction,
    hindrance,
    mobility,
    rate_for_gel_time,
    site_rate,
    time_to,
)
from controller.estimator.parameters import value
from controller.solvents import SOLVENTS
from tests.test_calibration import isothermal

A_S, E_K, R = 1e10, 140e3 / 8.314462618, 8.314462618
ONE = np.ones(1)
DELTAS = (1.05, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)


def reference_rate(temp_k: float | np.ndarray) -> np.ndarray:
    """A = 1e10 1/s, E = 140 kJ/mol, written around 240 degC as the model writes it."""
    return arrhenius(temp_k, A_S * exp(-E_K / REFERENCE_K), E_K)


@pytest.mark.parametrize(
    ("temp_c", "rate", "converted"),
    [
        (200, 3.504557e-6, 0.0249171),
        (220, 1.484004e-5, 0.1013380),
        (240, 5.615362e-5, 0.3325602),
        (260, 1.922914e-4, 0.7495505),
    ],
)
def test_rate_and_first_order_conversion_after_two_hours(temp_c: float, rate: float, converted: float) -> None:
    k = reference_rate(temp_c + 273.15)
    assert float(k) == pytest.approx(rate, rel=2e-7)  # the reference has seven digits
    assert float(k) == pytest.approx(A_S * exp(-E_K / (temp_c + 273.15)), rel=1e-12)
    assert 1 - exp(-float(k) * 7200) == pytest.approx(converted, abs=6e-8)


def test_a_ramp_integrates_to_the_exponential_integral() -> None:
    beta = 1 / 60

    def closed(temp_k: float) -> float:
        x = E_K / temp_k
        return A_S / beta * (temp_k * exp(-x) - E_K * float(exp1(x)))

    exact = closed(493.15) - closed(373.15)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    temps = 433.15 + 60 * nodes
    integral = float((weights * reference_rate(temps)).sum()) * 60 / beta
    assert integral == pytest.approx(exact, rel=1e-8)
    assert integral == pytest.approx(0.0121663, abs=6e-8)


@pytest.mark.parametrize(
    ("polydispersity", "gels"),
    [
        (2.0, (0.063149, 0.217771, 0.424972, 0.618034, 0.790760, 0.906226, 0.970820)),
        (1.0, (0.093702, 0.313698, 0.582812, 0.796812, 0.940480, 0.993023, 0.999955)),
    ],
)
def test_gel_of_uniform_and_most_probable_chains(polydispersity: float, gels: tuple[float, ...]) -> None:
    assert gel_fraction(DELTAS, polydispersity) == pytest.approx(gels, abs=1e-6)


@pytest.mark.parametrize(("ratio", "gel"), [(0.1, 0.866025), (0.3, 0.774679), (0.5, 0.672381)])
def test_gel_with_scission(ratio: float, gel: float) -> None:
    assert float(gel_fraction(5.0, 2.0, ratio)) == pytest.approx(gel, abs=1e-6)


def test_schulz_zimm_meets_the_most_probable_distribution_and_its_own_equation() -> None:
    assert gel_fraction(DELTAS, 2.0 + 1e-9) == pytest.approx(gel_fraction(DELTAS), abs=1e-6)
    for polydispersity in (1.3, 1.5, 3.0, 4.0):
        k = 1 / (polydispersity - 1)
        for delta, gel in zip(DELTAS, gel_fraction(DELTAS, polydispersity), strict=True):
            assert 1 - gel == pytest.approx((1 + delta * gel / (k + 1)) ** -(k + 1), abs=1e-9)


@pytest.mark.parametrize("polydispersity", [1.0, 1.5, 2.0, 3.0])
def test_nothing_gels_up_to_the_gel_point(polydispersity: float) -> None:
    assert gel_fraction([0.0, 0.5, 1.0], polydispersity) == pytest.approx([0, 0, 0], abs=1e-9)


@pytest.mark.parametrize(("gel", "delta"), [(0.01, 1.0076), (0.99, 18.18)])
def test_the_window_of_one_to_ninety_nine_percent(gel: float, delta: float) -> None:
    assert float(crosslinks_for(gel)) == pytest.approx(delta, rel=3e-4)


@pytest.mark.parametrize(("polydispersity", "ratio"), [(2.0, 0.0), (2.0, 0.2), (1.0, 0.0), (1.5, 0.0), (3.0, 0.1)])
def test_the_inverse_returns_the_gel_fraction(polydispersity: float, ratio: float) -> None:
    for gel in (0.05, 0.5, 0.9):
        delta = crosslinks_for(gel, polydispersity, ratio)
        assert float(gel_fraction(delta, polydispersity, ratio)) == pytest.approx(gel, abs=1e-9)


def test_no_gel_asks_for_no_crosslinks() -> None:
    assert float(crosslinks_for(0.0)) == 0.0


def test_scission_puts_a_ceiling_on_the_gel() -> None:
    assert crosslinks_for(0.99, 2.0, 0.5) == float("inf")


@pytest.mark.parametrize("order", [1.0, 1.25, 2.0])
def test_a_dry_film_gels_at_240_degc_after_the_calibrated_time(order: float) -> None:
    gel_s = np.array([3 * 3600.0])
    cure = Cure.of(SOLVENTS["NMP"], rate_for_gel_time(gel_s, order), np.array([150.0]), order, ONE * 2, 0.0)
    x, temp = np.zeros((1, 1)), np.full((1, 1), REFERENCE_K)
    for _ in range(1080):
        x = crosslink(cure, x, site_rate(cure, temp, 1 / temp, np.zeros((1, 1)), x), 10.0)
    # the glass transition has risen by 1.5 K on the way, which slows the last minutes; separation of variables says by how much
    assert float(x[0, 0]) * LIMIT == pytest.approx(isothermal(3 * 3600.0, order, value("vitrification_offset")), rel=1e-4)
    assert 0.97 < float(x[0, 0]) * LIMIT < 0.99


@pytest.mark.parametrize("order", [1.0, 1.25, 2.0])
def test_one_long_step_equals_many_short_ones_and_the_closed_form(order: float) -> None:
    cure = Cure.of(SOLVENTS["NMP"], np.array([1.0]), np.array([150.0]), order, ONE * 2, 0.0)
    rate = np.full((1, 1), 2e-5)
    many = np.full((1, 1), 0.1)
    for _ in range(3600):
        many = crosslink(cure, many, rate, 1.0)
    assert many == pytest.approx(crosslink(cure, np.full((1, 1), 0.1), rate, 3600.0), rel=1e-10)
    left = 0.9 * exp(-0.072) if order == 1 else (0.9 ** (1 - order) + (order - 1) * 0.072) ** (1 / (1 - order))
    assert float(many[0, 0]) == pytest.approx(1 - left, rel=1e-10)
    assert float(time_to(cure, np.full((1, 1), 0.1), rate, many)[0, 0]) == pytest.approx(3600.0, rel=1e-9)


def test_mobility_is_one_above_the_glass_transition_and_falls_below() -> None:
    below_k, width_k = value("vitrification_offset"), value("vitrification_width")
    factors = mobility(np.array([-200.0, -120.0, -below_k, -40.0, 0.0, 50.0]))
    assert all(low < high for low, high in pairwise(factors.tolist()))
    assert factors[2] == pytest.approx(0.5)
    assert factors[-1] > 0.99
    # deep in the glass it falls as an Arrhenius law does that is R T^2 / width steeper: 398 kJ/mol at 240 degC
    assert factors[1] / factors[0] == pytest.approx(exp(80 / width_k), rel=1e-3)
    assert R * REFERENCE_K**2 / width_k == pytest.approx(398e3, rel=0.01)


@pytest.mark.parametrize("fraction", [0.0, 0.03, 0.2])
@pytest.mark.parametrize("conversion", [0.0, 0.05, 0.4])
def test_the_slopes_of_the_hindrance_are_those_of_its_logarithm(fraction: float, conversion: float) -> None:
    cure = Cure.of(SOLVENTS["NMP"], ONE, ONE * 150.0, 1.0, ONE * 2, 0.0, np.array([20.0, 45.0, 80.0]))
    temp, wet, done = (np.full((1, 1), one) for one in (500.0, fraction, conversion))

    def ln_rate(warmer_k: float, further: float) -> np.ndarray:
        """Without the energy's part."""
        return np.log(site_rate(cure._replace(energy_k=np.zeros(1)), temp + warmer_k, 1 / temp, wet, done + further))

    held, steeper, slows = hindrance(cure, temp, wet, done)
    ratio = site_rate(cure, temp, 1 / temp, wet, done) / site_rate(cure, temp, 1 / temp, np.full((1, 1), 0.95), done)
    assert 1 / held == pytest.approx(ratio, rel=1e-6)
    assert steeper == pytest.approx((ln_rate(1e-3, 0) - ln_rate(-1e-3, 0)) / 2e-3, rel=1e-5, abs=1e-9)
    assert slows == pytest.approx(-(ln_rate(0, 1e-5) - ln_rate(0, -1e-5)) / 2e-5, rel=1e-5, abs=1e-7)


def test_solvent_in_the_film_frees_the_chains() -> None:
    cure = Cure.of(SOLVENTS["NMP"], np.array([1.0]), np.array([150.0]), 1.0, ONE * 2, 0.0)
    temp, none = np.full((1, 1), 450.0), np.zeros((1, 1))
    assert site_rate(cure, temp, 1 / temp, none + 0.1, none) > site_rate(cure, temp, 1 / temp, none, none)


def test_five_kelvin_spread_the_gel_by_about_twelve_points_at_half_gel() -> None:
    # 6-8 %/K near 240 degC
    ratio = float(arrhenius(REFERENCE_K + 1, 1.0, 150e3 / R))
    assert 1.06 < ratio < 1.08
    delta = float(crosslinks_for(0.5))
    cold, warm = (float(gel_fraction(delta * float(arrhenius(REFERENCE_K + shift, 1.0, 150e3 / R)))) for shift in (-2.5, 2.5))
    assert (warm - cold) / 2 == pytest.approx(0.12, abs=0.015)
