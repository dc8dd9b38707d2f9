"""The pointwise laws: the exponential, the slopes, and the same answers as the lumped film's and the cure's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.estimator import laws
from controller.estimator.compiled import compiled
from controller.solvents import SOLVENTS, saturation_pressure_pa

NMP = SOLVENTS["NMP"]
R = 8.314462618
RATIO = 0.914 / 1.41  # solvent to polymer density, 150 degC


@compiled
def exponentials(x, out):
    for k in range(x.size):
        out[k] = laws.exp(x[k])


def test_the_exponential_is_good_to_ten_digits():
    x = np.linspace(-600, 600, 100_001)
    out = np.empty_like(x)
    exponentials(x, out)
    assert np.abs(out / np.exp(x) - 1).max() < 1e-10


def test_the_exponential_is_kept_finite_and_passes_nan_on():
    out = np.empty(3)
    exponentials(np.array([1e6, -1e6, np.nan]), out)
    assert np.isfinite(out[:2]).all()
    assert not np.isfinite(out[2])


def activity(weight_fraction, chi):
    """Flory-Huggins, long chains, from the weight fraction."""
    u = weight_fraction / (1 - weight_fraction)
    phi1 = u / (u + RATIO)
    return phi1 * math.exp((1 - phi1) + chi * (1 - phi1) ** 2)


@pytest.mark.parametrize(
    ("pressure_pa", "temps_c"),
    [(100.0, (59, 50, 43, 41, 39)), (1e3, (103, 91, 82, 79, 77)), (1e4, (166, 149, 137, 132, 129)), (101325.0, (262, 236, 218, 210, 207))],
)
def test_the_film_boils_at_the_reference_temperatures(pressure_pa, temps_c):
    near_k = 6 if pressure_pa > 1e5 else 1.5  # beyond 204 degC the vapour pressure is extrapolated
    for fraction, temp_c in zip((0.05, 0.10, 0.20, 0.30, 0.40), temps_c, strict=True):
        saturations_pa = (saturation_pressure_pa(NMP, temp_c + side) for side in (-near_k, near_k))
        low, high = (laws.film_pressure_pa(fraction / (1 - fraction), saturation_pa, RATIO, 0.4) for saturation_pa in saturations_pa)
        assert low < pressure_pa < high


@given(st.floats(1e-4, 0.4), st.floats(-0.5, 0.5))
def test_film_pressure_is_flory_huggins_and_its_slope_the_derivative(fraction, chi):
    u = fraction / (1 - fraction)
    assert laws.film_pressure_pa(u, 5e3, RATIO, chi) == pytest.approx(5e3 * activity(fraction, chi), rel=1e-9)
    step = 1e-4 * (u + 0.1)
    near = [laws.film_pressure_pa(u + side, 5e3, RATIO, chi) for side in (-step, step)]
    assert laws.film_pressure_slope_pa(u, 5e3, RATIO, chi) == pytest.approx((near[1] - near[0]) / (2 * step), rel=1e-4, abs=0.1)


def slit(gap_m, film_pa, pressure_pa, vapour_pa, temp_k=473.15, half_m=0.25):
    """Solvent that leaves through the gap, mol/m2 s."""
    knudsen_root = gap_m / 3 * math.sqrt(8 * R / (math.pi * 0.099131))
    diffusion = laws.gap_diffusion_m2_s(temp_k, knudsen_root, 2e-5 * 473.15**-1.75 * 101325, max(pressure_pa - vapour_pa, 1.0))
    return laws.gap_drive(film_pa, pressure_pa, vapour_pa, diffusion, gap_m**2 / 24e-5) * 2 * gap_m / (half_m**2 * R * temp_k)


@pytest.mark.parametrize(("gap_um", "centre_kpa"), [(10, 26), (30, 4.9), (50, 2.2), (100, 0.75), (200, 0.25)])
def test_the_gap_lets_out_what_the_slit_equation_says(gap_um, centre_kpa):
    grams_per_hour = slit(gap_um * 1e-6, centre_kpa * 1e3, 10.0, 10.0) * 99.131 * 3600
    assert grams_per_hour == pytest.approx(9.3, rel=0.12)  # the reference pressures have two digits, and enter squared


@pytest.mark.parametrize(("activity_", "hours"), [(1.0, 17.0), (0.1, 175.0)])
def test_nitrogen_of_one_atmosphere_holds_the_vapour_back(activity_, hours):
    # 9.3 g/m2 at 200 degC, 100 um, no vapour in the chamber
    assert 9.3 / 99.13 / slit(1e-4, activity_ * 92440.0, 101325.0, 0.0) / 3600 == pytest.approx(hours, rel=0.1)


@given(st.floats(1.0, 2e5), st.floats(1.0, 1.2e5), st.floats(0.0, 1.0))
def test_vapour_flows_down_its_pressure_and_rests_at_equality(film_pa, pressure_pa, share):
    flow = slit(1e-4, film_pa, pressure_pa, share * pressure_pa)
    assert math.copysign(1, flow) == math.copysign(1, film_pa - share * pressure_pa) or flow == 0
    assert slit(1e-4, share * pressure_pa, pressure_pa, share * pressure_pa) == pytest.approx(0, abs=1e-15)


def test_diffusion_is_a_series_of_two_resistances_with_a_break_at_the_glass():
    for fraction, exponent in ((0.0, 0.0), (0.05, 92 * 0.05), (0.1, 92 * 0.1), (0.2, 92 * 0.1 + 20 * 0.1)):
        u = fraction / (1 - fraction)
        assert laws.diffusion_s(u, 4e4, 40.0, 0.1, 20.0, 72.0) == pytest.approx(4e4 * math.exp(-exponent) + 40.0, rel=1e-9)


@pytest.mark.parametrize(
    ("temp_c", "rate_s", "converted"),
    [(200, 3.504557e-6, 0.0249171), (220, 1.484004e-5, 0.1013380), (240, 5.615362e-5, 0.3325602), (260, 1.922914e-4, 0.7495505)],
)
def test_cure_above_the_glass_is_arrhenius(temp_c, rate_s, converted):
    # A = 1e10 1/s, E = 140 kJ/mol; a glass transition at 100 K leaves the mobility at 1
    energy_k, reference = 140e3 / R, 1 / 513.15
    rate = laws.cure_rate(
        1 / (temp_c + 273.15), temp_c + 273.15, 0.0, 0.5, 1e10 * math.exp(-energy_k * reference), energy_k, reference, 1.0, 100.0, 100.0,
        0.0, 0.0, 5.0,
    )  # fmt: skip
    assert rate == pytest.approx(rate_s, rel=2e-7)
    assert rate == pytest.approx(1e10 * math.exp(-energy_k / (temp_c + 273.15)), rel=1e-9)
    assert 1 - math.exp(-7200 * rate) == pytest.approx(converted, abs=6e-8)


@given(st.floats(350.0, 560.0), st.floats(0.0, 0.3), st.floats(0.0, 0.95), st.floats(1.0, 2.0))
def test_cure_below_the_glass_is_slowed_by_the_fox_glass_transition(temp_k, fraction, conversion, order):
    glass_k = 1 / ((1 - fraction) / (553.0 + 60.0 * conversion) + fraction / 166.0)
    hindered = 1 + math.exp((glass_k - 80.0 - temp_k) / 20.0)
    expected = 1e-4 * math.exp(18000 * (1 / 513.15 - 1 / temp_k)) / hindered * (1 - conversion) ** (order - 1)
    u, left_log = fraction / (1 - fraction), -math.log1p(-conversion)
    rate = laws.cure_rate(1 / temp_k, temp_k, u, left_log, 1e-4, 18000.0, 1 / 513.15, order, 553.0, 166.0, 60.0, 80.0, 20.0)
    assert rate == pytest.approx(expected, rel=1e-8)
