"""The vapour between the turns against its closed form."""

from dataclasses import replace
from math import log, pi, sqrt

import numpy as np
import pytest

from controller.units import R_J_PER_MOL_K
from sim.plant import Actuators, Parameters, Plant, Roll, gap
from sim.plant.roll import NODES

P = replace(Parameters(), tape_open=1.0)
AREAS_M2 = np.array([1 / 6, 2 / 3, 1 / 6])  # of one metre of foil, times its width
TEMP_K, KG_MOL = 473.15, P.solvent_kg_mol


def steady(gap_um: float, flux_kg_m2_s: float, outside_pa: float, inert_pa: float, fan: float = 0.0) -> tuple[np.ndarray, float]:
    """Return the three nodes' pressures for a uniform flux out of the films of a 0.5 m wide roll, and what leaves, kg/s per metre."""
    law = gap.law_of(P, gap_um * 1e-6, 0.5).array
    response, pressures = np.zeros((3, 2)), np.full(3, outside_pa)
    response[:, 0] = flux_kg_m2_s
    leaving = gap.solve(response, 0.5 * AREAS_M2, np.full(3, 200.0), outside_pa, inert_pa, fan, law, pressures)
    return pressures, leaving


@pytest.mark.parametrize(("gap_um", "centre_kpa"), [(10.0, 26.0), (30.0, 4.9), (50.0, 2.2), (100.0, 0.75), (200.0, 0.25)])
def test_the_pressure_in_the_middle_of_a_drying_roll_meets_the_reference(gap_um: float, centre_kpa: float) -> None:
    """9.3 g/m2 in one hour, half width 0.25 m, 200 degC, 10 Pa outside, nothing but vapour."""
    flux, g = 9.3e-3 / 3600.0, gap_um * 1e-6
    pressures, leaving = steady(gap_um, flux, 10.0, 1e-9)
    assert leaving == pytest.approx(0.5 * flux, rel=1e-12)
    law = gap.law_of(P, g, 0.5).array
    half_m = 0.5 * (0.5 - 2.0 * P.edge_share * 0.5)
    psi_mean, _ = gap.potential(pressures[1], 10.0, TEMP_K, law)
    psi_centre = psi_mean + flux / KG_MOL * half_m * half_m / 6.0 * R_J_PER_MOL_K * TEMP_K / g  # the mean lies a third below the parabola
    # (g^2/24 mu) p^2 + (g v/3) p = psi, solved for p
    a, b = g * g / (24.0 * P.vapour_pa_s), g / 3.0 * sqrt(8.0 * R_J_PER_MOL_K * TEMP_K / (pi * KG_MOL))
    c = psi_centre + a * 100.0 + b * 10.0 - gap.potential(10.0, 10.0, TEMP_K, law)[0]
    centre_pa = (-b + sqrt(b * b + 4.0 * a * c)) / (2.0 * a)
    assert centre_pa / 1000.0 == pytest.approx(centre_kpa, rel=0.025)
    # and the closed form with this viscosity, to rounding
    closed = a * 100.0 + b * 10.0 + flux / KG_MOL * 0.25**2 * R_J_PER_MOL_K * TEMP_K / (2.0 * g)
    assert a * centre_pa**2 + b * centre_pa == pytest.approx(closed, rel=1e-9)


def test_in_nitrogen_diffusion_limits_and_follows_stefan() -> None:
    """At 1 atm the wall's Knudsen resistance is small against the gas's: psi = P D ln((P - pe)/(P - p))."""
    law, total_pa = gap.law_of(P, 1e-3, 0.5).array, 101325.0
    diffusivity = P.n2_vapour_m2_s
    for pa in (1e3, 2e4, 7e4):
        psi, _ = gap.potential(pa, total_pa, TEMP_K, law)
        assert psi == pytest.approx(total_pa * diffusivity * log(total_pa / (total_pa - pa)), rel=0.01)


@pytest.mark.parametrize("pa", [1.0, 50.0, 999.0, 1001.0, 5000.0])
def test_the_conductivity_is_the_potentials_slope(pa: float) -> None:
    law, step = gap.law_of(P, 1e-4, 0.5).array, 1e-4 * pa
    low, _ = gap.potential(pa - step, 1000.0, TEMP_K, law)
    high, _ = gap.potential(pa + step, 1000.0, TEMP_K, law)
    assert gap.potential(pa, 1000.0, TEMP_K, law)[1] == pytest.approx((high - low) / (2.0 * step), rel=1e-6)


def test_nitrogen_holds_the_vapour_back_and_circulation_sweeps_it_out() -> None:
    flux = 1e-3 / 3600.0
    vacuum, still, swept = (steady(190.0, flux, 10.0, *at)[0][1] for at in ((100.0,), (1e5,), (1e5, 1.0)))
    assert vacuum < 0.2 * still
    assert swept < 0.5 * still


def test_middle_and_edge_of_a_drying_roll_differ() -> None:
    plant = Plant(roll=Roll(length_m=500.0, width_m=1.0))
    vacuum = Actuators(pump=True, roots=True, vac_valve=True, vac_throttle_pct=100.0)
    for _ in range(1200):
        plant.step(1.0, vacuum)
    assert plant.heat is not None
    plant.heat.temps_c[:] = 110.0
    for _ in range(60):
        plant.step(1.0, vacuum)
    truth = plant.truth()
    assert len(truth.gap_pa) == NODES
    edge, middle, other = truth.gap_pa[:3]
    assert middle > 1.1 * edge > 1.1 * plant.chamber.vapour_pa
    assert other == pytest.approx(edge, rel=0.02)
    assert truth.residuals[1] > truth.residuals[0]
