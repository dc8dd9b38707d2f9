"""A few thick rings against many thin ones of the same model, on the way of a production roll through its vacuum recipe."""

from itertools import pairwise

import numpy as np
import pytest

from controller.estimator import layers
from controller.estimator.model import DEPTHS, POSITIONS, LoadState
from controller.units import R_J_PER_MOL_K, kelvin
from tests.reference.batch import NMP

LOAD = LoadState(500.0, 1.0, 20.0, 18.0, 100.0, 150.0, 18.0, 1.0)
HOURS = np.array([0, 1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 24.0])
WALL_C = np.array([23, 60, 99, 123, 122, 149, 182, 181, 211, 239, 239, 239.0])
THIN = 120
STEP_S = 360.0
MOMENTS_S = np.arange(1, 241) * STEP_S


def temps_k(positions, log_k):
    built = layers.build(LOAD, NMP, layers.Uncertain.median(1, 1e-4), positions, 6)
    knots = np.column_stack((3600 * HOURS, kelvin(0.0) + WALL_C, np.where(HOURS < 7, 3000.0, 600.0), np.zeros(HOURS.size)))
    slow = layers.Slow.none(1)._replace(log_k=np.full(1, log_k))
    seen = layers.trajectory(built, slow, layers.initial(built, 296.15, np.full(1, 1e-6)), knots, MOMENTS_S)
    return seen.temp_k[0], built.winding.share


def dose_h(temp_k):
    """Equivalent hours at 240 degC by the crosslinking's energy."""
    return STEP_S / 3600 * np.exp(182e3 / R_J_PER_MOL_K * (1 / kelvin(240.0) - 1 / temp_k)).sum(axis=0)


@pytest.mark.parametrize("log_k", [0.0, 0.3, 0.7])
def test_rings_are_as_warm_as_thin_ones_and_take_the_same_dose(log_k):
    thick, share = temps_k(POSITIONS, log_k)
    thin, thin_share = temps_k(THIN + 1, log_k)
    assert dose_h(thick) @ share == pytest.approx(dose_h(thin) @ thin_share, rel=0.035)
    places = (np.arange(THIN) + 0.5) / THIN
    bounds = np.cumsum([0.0, *DEPTHS.values()])
    for ring, (low, high) in enumerate(pairwise(bounds)):
        inside = (places > low) & (places < high)
        means_k = np.average(thin[:, :-1][:, inside], axis=1, weights=thin_share[:-1][inside])
        off_k = thick[:, ring] - means_k
        assert np.sqrt((off_k**2).mean()) < 1.2
        assert np.abs(off_k).max() < 3.0
