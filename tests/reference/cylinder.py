"""A roll whose heat obeys the textbooks (closed end faces, one conductivity, one heat transfer, no core tube), and its series."""

from dataclasses import replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import j0, j1, y0, y1

from controller.estimator import layers
from controller.estimator.constants import COLUMN
from controller.estimator.parameters import value
from controller.estimator.rosenbrock import Tolerance
from tests.reference.batch import LOAD, NMP

FINE = Tolerance(1e-6, 1e-9, 1e-9, 1e-6, 1e-9)
RIM_M, WALL_K, START_K, K_W_M_K = 0.2, 300.0, 400.0, 0.05


def roll(rings, ratio, biot):
    """Return model and dry state of a cylinder (``biot`` = h ro/k, ``ratio`` bore to rim), and its seconds per unit of Fourier number."""
    pitch_m = (LOAD.film_um + LOAD.foil_um + LOAD.gap_um) * 1e-6
    length_m = np.pi * RIM_M**2 * (1 - ratio**2) / pitch_m
    load = replace(LOAD, core_mm=2e3 * RIM_M * ratio, length_m=length_m)
    model = layers.build(load, NMP, layers.Uncertain.median(1, 0.0), rings + 1, 3, tolerance=FINE)
    areal = LOAD.foil_um * 1e-6 * value("copper_density") * value("copper_heat")
    areal += LOAD.film_um * 1e-3 * value("polymer_density") * value("polymer_heat")
    rings_j_k = areal * length_m * load.width_m * np.append(model.winding.share[:-2], model.winding.share[-2:].sum())
    shape = model.shape._replace(
        capacity_inverse=1 / np.append(rings_j_k, 1.0), tube_m=0.0, ends_m2=np.zeros(rings), fin_m2_k_w=0.0, radiation_share=0.0,
        convection_half_pa=0.0,
    )  # fmt: skip
    table = model.table.copy()
    for name, number in {"k_vacuum": K_W_M_K, "k_gas": 0.0, "bore_w_k": 0.0, "h": biot * K_W_M_K / RIM_M}.items():
        table[:, COLUMN[name]] = number
    model = model._replace(table=table, shape=shape)
    return model, layers.initial(model, START_K, np.zeros(1)), RIM_M**2 * areal / pitch_m / K_W_M_K


def cooled(rings, ratio, biot, fourier):
    """Return what is left of the difference to the surroundings: at the innermost ring and in the mean, (K,) each."""
    model, state, per_fourier_s = roll(rings, ratio, biot)
    knots = np.array([[0.0, WALL_K, 1e4, 0.0]])
    seen = layers.trajectory(model, layers.Slow.none(1), state, knots, np.asarray(fourier) * per_fourier_s)
    assert not seen.failed.any()
    theta = (seen.temp_k[0, :, :-1] - WALL_K) / (START_K - WALL_K)
    weight = model.winding.share[:-1].copy()
    weight[-1] += model.winding.share[-1]
    return theta[:, 0], theta @ weight


def solid(biot, fourier, terms=60):
    """Return centre and mean: b J1(b) = Bi J0(b), mean = sum of 4 Bi^2 exp(-b^2 Fo) / (b^2 (b^2 + Bi^2))."""
    grid = np.linspace(1e-6, (terms + 1) * np.pi, 400 * terms)
    off = grid * j1(grid) - biot * j0(grid)
    b = np.array([brentq(lambda x: x * j1(x) - biot * j0(x), *grid[i : i + 2]) for i in np.flatnonzero(off[1:] * off[:-1] < 0)])
    fading = np.exp(-(b**2) * fourier)
    return float((2 * biot / (b**2 + biot**2) / j0(b) * fading).sum()), float((4 * biot**2 / (b**2 * (b**2 + biot**2)) * fading).sum())


def hollow(ratio, biot, fourier, terms=60):
    """Return what is left at an adiabatic bore a: R(r) = J0(br) Y1(ba) - Y0(br) J1(ba), R'(1) = -Bi R(1), 1 projected on the modes."""

    def mode(b, r):
        return j0(b * r) * y1(b * ratio) - y0(b * r) * j1(b * ratio)

    def slope(b, r):
        return -b * (j1(b * r) * y1(b * ratio) - y1(b * r) * j1(b * ratio))

    def off(b):
        return slope(b, 1.0) + biot * mode(b, 1.0)

    grid = np.linspace(1e-3, (terms + 1) * np.pi / (1 - ratio), 400 * terms)
    seen = off(grid)
    roots = np.array([brentq(off, *grid[i : i + 2]) for i in np.flatnonzero(seen[1:] * seen[:-1] < 0)])
    points, weights = np.polynomial.legendre.leggauss(200)
    r = (1 + ratio) / 2 + (1 - ratio) / 2 * points
    shapes = mode(roots[:, None], r)
    share = (shapes * r) @ weights / ((shapes**2 * r) @ weights)
    return float((share * mode(roots, ratio) * np.exp(-(roots**2) * fourier)).sum())
