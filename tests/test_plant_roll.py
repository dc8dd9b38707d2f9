"""The plant's roll against a finely cut one with the same laws written again, and against a fin that warms at one rate."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy.sparse import diags
from scipy.sparse.linalg import spsolve

from controller.units import R_J_PER_MOL_K
from sim.plant.history import PLACES
from sim.plant.parameters import Parameters, draw
from sim.plant.roll import ACROSS, DEPTHS, LAYERS, NODES, Roll, RollHeat

Array = npt.NDArray[np.float64]
PRODUCTION = Roll(500.0, 1.0, 20.0, 18.0, 100.0, 10.0, 150.0, 18.0)
HOURS = np.array([0, 1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 22.0])
WALL_C = np.array([23, 60, 99, 123, 122, 149, 182, 181, 211, 239, 239, 239.0])
STEP_S = 60.0
SHARES = np.array([1.0, 4.0, 1.0]) / 6.0
TAPED = np.array([(1 - 0.4 * 2 / 3) * 3, 0.4, (1 - 0.4 * 2 / 3) * 3])  # of the mean contact, over the width: 0.4 in the middle


def fine(p: Parameters, pressure_mbar: float, thin: int) -> tuple[Array, Array, Array]:
    """Temperatures (moments, thin, 3) in degC at depths (thin,), and the film's shares (thin, 3), every ``STEP_S``."""
    core_m, rim_m = 0.075, PRODUCTION.outer_m
    faces = np.linspace(core_m, rim_m, thin + 1)
    mid, rings_m2 = (faces[1:] + faces[:-1]) / 2, np.pi * np.diff(faces**2)
    deep = (faces - core_m) / (rim_m - core_m)
    gas = (p.k_radial_n2 - p.k_radial_tape) * pressure_mbar / (pressure_mbar + p.k_half_mbar)
    tight = p.k_radial_tape * (1 + p.tension * (0.5 - deep))
    radial = 2 * np.pi / np.log(np.r_[mid, rim_m] / np.r_[core_m, mid])[:, None] * SHARES * (gas + tight[:, None] * TAPED)
    heat_m2 = 18e-6 * p.foil_kg_m3 * p.foil_j_kg_k + 20e-6 * p.film_kg_m3 * p.film_j_kg_k
    share = rings_m2[:, None] / rings_m2.sum() * SHARES
    heat = np.vstack((p.core_j_m2_k * 2 * np.pi * core_m * SHARES, 500.0 * heat_m2 * share))
    along = np.r_[p.core_w_k * 2 * np.pi * core_m, p.foil_w_m_k * 18 / 138 * rings_m2] / (3 / 8)
    temps, seen = np.full((thin + 1, 3), 23.0), []
    for at_s in np.arange(STEP_S, 3600 * HOURS[-1] + 1, STEP_S):
        wall_c = np.interp(at_s / 3600, HOURS, WALL_C)
        skin_k, wall_k = temps[-1, 1] + 273.15, wall_c + 273.15
        h = p.emissivity * 5.670374e-8 * (wall_k**2 + skin_k**2) * (wall_k + skin_k)
        h += p.h_rest_w_m2_k * pressure_mbar / (pressure_mbar + 0.1) + p.h_natural_w_m2_k * np.sqrt(pressure_mbar / p.ambient_mbar)
        open_w_k = np.zeros((thin + 1, 3))
        open_w_k[1:, [0, 2]] = h * rings_m2[:, None]
        open_w_k[0, [0, 2]] = p.mandrel_w_k / 2
        open_w_k[-1] += 1 / (1 / (h * 2 * np.pi * rim_m * SHARES) + 1 / radial[-1])
        across = np.repeat(along, 3)[:-1].copy()
        across[2::3] = 0.0
        between = radial[:-1].ravel()
        main = (heat / STEP_S + open_w_k).ravel()
        main[:-1] += across
        main[1:] += across
        main[:-3] += between
        main[3:] += between
        matrix = diags([main, -across, -across, -between, -between], [0, 1, -1, 3, -3], format="csc")
        temps = spsolve(matrix, (heat / STEP_S * temps + open_w_k * wall_c).ravel()).reshape(-1, 3)
        seen.append(temps[1:])
    return np.array(seen), (mid - core_m) / (rim_m - core_m), share


def plant(p: Parameters, pressure_mbar: float) -> Array:
    """The plant's temperatures (moments, layers, 3) on the same way."""
    heat, seen, every = RollHeat(p, PRODUCTION, 23.0), [], round(STEP_S / 10)
    for number in range(1, round(360 * HOURS[-1]) + 1):
        wall_c = float(np.interp(number / 360, HOURS, WALL_C))
        heat.conduct(wall_c, pressure_mbar, 0.0)
        heat.step(10.0, np.full(3, wall_c), np.zeros(NODES), np.zeros(3))
        if number % every == 0:
            seen.append(heat.temps_c[1:].copy())
    return np.array(seen)


def dose_h(temps_c: Array) -> Array:
    """Equivalent hours at 240 degC by the crosslinking's energy, per node."""
    inverse = 1 / 513.15 - 1 / (temps_c + 273.15)
    return np.asarray(STEP_S / 3600 * np.exp(182e3 / R_J_PER_MOL_K * inverse).sum(axis=0))


@pytest.mark.parametrize(("seed", "pressure_mbar"), [(1, 6.0), (2, 1013.0)])
def test_the_layers_are_as_warm_and_as_cured_as_thin_ones(seed: int, pressure_mbar: float) -> None:
    p = draw(seed)
    coarse, (thin, deep, share) = plant(p, pressure_mbar), fine(p, pressure_mbar, 60)
    heat = RollHeat(p, PRODUCTION, 23.0)
    assert dose_h(coarse).ravel() @ heat.shares == pytest.approx((dose_h(thin) * share).sum(), rel=0.02)
    bounds = np.cumsum((0.0, *DEPTHS))
    centres = (bounds[1:] + bounds[:-1]) / 2
    for place in ("core", "middle", "upper", "outer"):
        layer = PLACES[place] // ACROSS
        expected = np.array([np.interp(centres[layer], deep, row) for row in thin[:, :, 1]])
        assert np.abs(coarse[:, layer, 1] - expected).max() < 1.0


def test_the_end_faces_lead_the_middle_as_those_of_a_fin_that_warms_at_one_rate() -> None:
    """q W / 4 k, q per end face, and the width's mean a third of that; nothing conducts between the turns."""
    p = replace(Parameters(), k_radial_n2=1e-12, k_radial_tape=1e-12, core_j_m2_k=1e-6, mandrel_w_k=1e-9)
    heat, before = RollHeat(p, PRODUCTION, 23.0), np.zeros(ACROSS)
    for number in range(2000):
        before = heat.temps_c[1 + LAYERS // 2].copy()
        heat.conduct(23.0 + 0.05 * number, 1013.0, 0.0)
        heat.step(10.0, np.full(3, 23.0 + 0.05 * number), np.zeros(NODES), np.zeros(3))
    layer = heat.temps_c[1 + LAYERS // 2]
    rate = (layer - before) @ SHARES / 10.0
    area_m2 = np.pi * (PRODUCTION.outer_m**2 - 0.075**2)
    heat_m2 = 18e-6 * p.foil_kg_m3 * p.foil_j_kg_k + 20e-6 * p.film_kg_m3 * p.film_j_kg_k
    lead_k = 500.0 * heat_m2 * rate / (2 * area_m2) / (4 * p.foil_w_m_k * 18 / 138)
    assert layer[0] - layer[1] == pytest.approx(lead_k, rel=0.04)
    assert layer @ SHARES - layer[1] == pytest.approx(lead_k / 3, rel=0.04)
