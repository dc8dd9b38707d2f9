"""The plant's films: diffusion law, desorption, curing and gel against closed forms and independent implementations."""

from dataclasses import replace
from math import exp, pi

import numpy as np
import pytest
from polykin.properties.diffusion import VrentasDudaBinary

from controller.units import R_J_PER_MOL_K
from sim.plant import Parameters, cure, film_kernel
from sim.plant.cure import gel_fraction
from sim.plant.films import CELLS, graded, sites

P = Parameters()


def own_and_polykin(p: Parameters) -> tuple[np.ndarray, VrentasDudaBinary]:
    law = film_kernel.law_of(p)
    reference = VrentasDudaBinary(
        D0=law.d0_m2_s, E=p.diffusivity_j_mol, v1star=p.fv_solvent_cm3_g, v2star=p.fv_polymer_cm3_g, z=p.fv_ratio, K11=p.fv_k11_cm3_g_k,
        K12=p.fv_k12_cm3_g_k, K21=p.fv_k21_tg1_k + 168.15, K22=p.fv_k22_k, Tg1=168.15, Tg2=p.tg_dry_c + 273.15, X=p.chi,
    )  # fmt: skip
    return law.array, reference


@pytest.mark.parametrize("temp_k", [540.0, 553.15, 593.15])
@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.1, 0.25, 0.4])
def test_self_diffusion_above_tg_is_that_of_vrentas_and_duda(fraction: float, temp_k: float) -> None:
    law, reference = own_and_polykin(P)
    assert film_kernel.self_diffusivity(fraction, temp_k, law) == pytest.approx(reference.selfd(fraction, temp_k), rel=1e-6)


@pytest.mark.parametrize("temp_k", [400.0, 473.15, 530.0])
def test_below_tg_a_glass_that_shrinks_like_a_melt_is_that_of_vrentas_and_duda_too(temp_k: float) -> None:
    law, reference = own_and_polykin(replace(P, fv_glass=1.0, fv_k22_k=150.0))
    assert film_kernel.self_diffusivity(0.1, temp_k, law) == pytest.approx(reference.selfd(0.1, temp_k), rel=1e-6)


def test_the_glass_holds_more_room_than_the_melts_law_would_leave_it() -> None:
    law, reference = own_and_polykin(P)
    assert film_kernel.self_diffusivity(0.0, 500.0, law) > 10.0 * reference.selfd(0.0, 500.0)


def test_the_dry_films_diffusivity_is_the_parameter() -> None:
    assert film_kernel.self_diffusivity(0.0, 473.15, film_kernel.law_of(P).array) == pytest.approx(P.diffusivity_m2_s, rel=1e-12)


@pytest.mark.parametrize(("temp_c", "pa"), [(100.0, 3362.0), (150.0, 22450.0), (200.0, 92440.0)])
@pytest.mark.parametrize("wet", [0.01, 0.1, 0.4])
def test_the_vapour_over_a_film_is_flory_huggins(temp_c: float, pa: float, wet: float) -> None:
    p, temp_k = replace(P, psat_factor=1.0), temp_c + 273.15
    volume = wet / p.solvent_kg_m3
    phi = volume / (volume + 1.0 / p.film_kg_m3)
    chi = p.chi + p.chi_slope_k * (1.0 / temp_k - 1.0 / 473.15)
    expected_pa = pa * phi * exp((1.0 - phi) + chi * (1.0 - phi) ** 2)
    assert film_kernel.secant_pa(wet, temp_k, film_kernel.law_of(p).array) * wet == pytest.approx(expected_pa, rel=5e-4)


# ---- desorption ----

CONSTANT_D = replace(P, diffusivity_j_mol=0.0, fv_solvent_cm3_g=0.0, fv_polymer_cm3_g=0.0, bound_rate_1_s=1e-30, diffusivity_m2_s=1e-14)


def desorb(p: Parameters, wet: float, fo: float, cells: int, turns: int, temp_c: float = 200.0) -> tuple[float, float]:
    """Return M/M0 after ``fo`` = D t/L^2 (D: the dry film's) into vacuum, and what the fluxes took away."""
    thick_m, law = 20e-6, film_kernel.law_of(p).array
    dt_s = fo * thick_m * thick_m / p.diffusivity_m2_s / turns
    free, bound, shares = np.full((1, cells), wet), np.zeros((1, cells)), graded(cells) if cells == CELLS else graded(cells, 0.94)
    ratio, part, face, response = (np.zeros((1, n)) for n in (cells, cells, 2, 2))
    gone = 0.0
    for _ in range(turns):
        film_kernel.prepare(free, bound, np.array([temp_c]), dt_s, shares, thick_m, law, ratio, part, face, response)
        film_kernel.finish(free, ratio, part, face, np.zeros(1))
        gone += response[0, 0] * dt_s
    return float((free + bound)[0] @ shares) / wet, gone / (wet * thick_m * p.film_kg_m3)


def series(fo: float) -> float:
    """Return the mean of one-sided desorption at constant D (Crank 1975, eq. 4.18)."""
    return sum(2.0 / x**2 * exp(-(x**2) * fo) for x in ((n + 0.5) * pi for n in range(200)))


@pytest.mark.parametrize(
    ("fo", "left"),
    [(0.01, 0.887162), (0.05, 0.747687), (0.1, 0.643177), (0.2, 0.495912), (0.5, 0.236050), (1.0, 0.068740), (2.0, 0.005830)],
)
def test_desorption_at_constant_diffusivity_meets_the_series(fo: float, left: float) -> None:
    assert series(fo) == pytest.approx(left, abs=1e-6)
    fine, _ = desorb(CONSTANT_D, 1e-6, fo, 40, 2000)
    assert fine == pytest.approx(left, abs=1e-3)
    plant, _ = desorb(CONSTANT_D, 1e-6, fo, CELLS, 2000)
    assert plant == pytest.approx(left, abs=5e-3)


@pytest.mark.parametrize("wet", [0.02, 0.25, 0.6])
def test_what_leaves_the_film_is_what_it_loses(wet: float) -> None:
    left, gone = desorb(P, wet, 0.02, CELLS, 50)
    assert left + gone == pytest.approx(1.0, rel=1e-10)
    assert 0.0 < left < 1.0


def test_a_film_in_equilibrium_with_its_gap_stays_as_it_is() -> None:
    law, cells = film_kernel.law_of(P).array, graded(CELLS)
    free, bound = sites(P, 12.0)
    frees, bounds = np.full((1, CELLS), free), np.full((1, CELLS), bound)
    ratio, part, face, response = (np.zeros((1, n)) for n in (CELLS, CELLS, 2, 2))
    pa = np.array([film_kernel.secant_pa(free, 453.15, law) * free])
    for _ in range(100):
        film_kernel.prepare(frees, bounds, np.array([180.0]), 10.0, cells, 20e-6, law, ratio, part, face, response)
        film_kernel.finish(frees, ratio, part, face, pa)
    assert frees == pytest.approx(free, rel=1e-9)
    assert bounds == pytest.approx(bound, rel=1e-9)


# ---- curing ----


@pytest.mark.parametrize(
    ("pdi", "delta", "gel"),
    [
        (2.0, 1.05, 0.063149), (2.0, 1.2, 0.217771), (2.0, 1.5, 0.424972), (2.0, 2.0, 0.618034), (2.0, 3.0, 0.790760),
        (2.0, 5.0, 0.906226), (2.0, 10.0, 0.970820), (1.0, 1.05, 0.093702), (1.0, 1.2, 0.313698), (1.0, 1.5, 0.582812),
        (1.0, 2.0, 0.796812), (1.0, 3.0, 0.940480), (1.0, 5.0, 0.993023), (1.0, 10.0, 0.999955), (2.0, 1.0, 0.0), (1.0, 0.5, 0.0),
    ],
)  # fmt: skip
def test_gel_meets_the_reference(pdi: float, delta: float, gel: float) -> None:
    assert gel_fraction(delta, pdi) == pytest.approx(gel, abs=1e-6)


@pytest.mark.parametrize(("ratio", "gel"), [(0.1, 0.866025), (0.3, 0.774679), (0.5, 0.672381)])
def test_gel_with_scission_meets_charlesby_and_pinner(ratio: float, gel: float) -> None:
    assert gel_fraction(5.0, 2.0, ratio) == pytest.approx(gel, abs=1e-6)


@pytest.mark.parametrize("pdi", [1.5, 2.3, 3.0])
@pytest.mark.parametrize("delta", [1.1, 2.0, 6.0])
def test_gel_of_any_breadth_solves_its_equation(pdi: float, delta: float) -> None:
    s, k1 = 1.0 - gel_fraction(delta, pdi), pdi / (pdi - 1.0)
    assert s == pytest.approx((1.0 + delta * (1.0 - s) / k1) ** -k1, rel=1e-9)
    assert 0.0 < s < 1.0


def test_the_rate_above_the_glass_transition_is_arrhenius() -> None:
    law = cure.law_of(replace(P, tg_dry_c=0.0, vitrify_factor=1e9)).array
    ratio = exp(P.cure_j_mol / R_J_PER_MOL_K * (1.0 / 493.15 - 1.0 / 513.15))
    assert cure.rate(513.15, 0.0, 0.0, law) / cure.rate(493.15, 0.0, 0.0, law) == pytest.approx(ratio, rel=1e-6)
    assert cure.rate(513.15, 0.0, 0.0, law) == pytest.approx(1.0 / (3600.0 * P.gel_h_240c), rel=1e-6)


def test_a_dry_glass_cures_slower_than_its_chemistry_would() -> None:
    glass, melt = cure.law_of(P).array, cure.law_of(replace(P, tg_dry_c=-50.0)).array
    assert cure.rate(453.15, 0.0, 0.5, glass) < 0.5 * cure.rate(453.15, 0.0, 0.5, melt)


def test_solvent_softens_the_glass_and_quickens_the_cure() -> None:
    law = cure.law_of(P).array
    assert cure.rate(453.15, 0.1, 0.5, law) > 2.0 * cure.rate(453.15, 0.0, 0.5, law)


def test_first_order_curing_meets_the_closed_form() -> None:
    """A = 1e10 1/s and E = 140 kJ/mol: conversion after 2 h at 200-260 degC."""
    p = replace(P, tg_dry_c=-200.0, vitrify_factor=1e12, cure_order=1.0, delta_max=1.0, cure_j_mol=140e3, delta_start=0.0)
    per_s = 1e10 * exp(-140e3 / R_J_PER_MOL_K / 513.15)
    law = cure.law_of(replace(p, gel_h_240c=1.0 / per_s / 3600.0)).array
    dry, cells, deltas = np.zeros((4, CELLS)), graded(CELLS), np.zeros(4)
    for _ in range(7200):
        cure.advance(deltas, dry, dry, cells, np.array([200.0, 220.0, 240.0, 260.0]), 1.0, law, np.zeros(4))
    assert deltas == pytest.approx([0.0249171, 0.1013380, 0.3325602, 0.7495505], abs=1e-6)
