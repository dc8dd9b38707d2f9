"""The resolved film against series solutions, and its orders of convergence in space and time."""

import numpy as np
import pytest
from scipy.optimize import brentq

from controller.estimator import layers
from controller.estimator.members import CELLS
from tests.reference.linear import FINE, TEMP_K, U0, film, left

OPEN = 1e4  # hL/D of a face at which the surface is at once at its end point


def series(biot, fourier):
    """Surface resistance: sum of 2 Bi^2 exp(-b^2 Fo) / (b^2 (b^2 + Bi^2 + Bi)), b tan b = Bi."""
    roots = [brentq(lambda b: b * np.sin(b) - biot * np.cos(b), n * np.pi, (n + 0.5) * np.pi) for n in range(60)]
    b2 = np.array(roots) ** 2
    return float(np.sum(2 * biot**2 * np.exp(-b2 * fourier) / (b2 * (b2 + biot**2 + biot))))


ONE_SIDED = ((0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0), (0.887162, 0.747687, 0.643177, 0.495912, 0.236050, 0.068740, 0.005830))


@pytest.mark.parametrize(("cells", "near"), [(CELLS, 4e-3), (20, 2e-3), (100, 2e-4)])  # CELLS: what the members have
def test_one_sided_desorption_follows_its_series(cells, near):
    assert left(cells, OPEN, ONE_SIDED[0]) == pytest.approx(ONE_SIDED[1], abs=near)


def test_the_times_to_a_half_and_a_thousandth_are_the_references():
    assert left(100, OPEN, (0.1967307, 0.8480854, 1.7812880, 2.7144906)) == pytest.approx((0.5, 0.1, 0.01, 0.001), abs=2e-4)


def test_short_times_follow_the_square_root():
    assert left(100, OPEN, (1e-3, 4e-3)) == pytest.approx(1 - 2 * np.sqrt(np.array((1e-3, 4e-3)) / np.pi), abs=2e-4)


@pytest.mark.parametrize(
    ("biot", "expected"),
    [(0.1, (0.990233, 0.952574, 0.907587)), (1.0, (0.919597, 0.681105, 0.470397)), (10.0, (0.726118, 0.315016, 0.113496))],
)
def test_a_surface_resistance_slows_as_its_series_says(biot, expected):
    assert left(CELLS, biot, (0.1, 0.5, 1.0)) == pytest.approx(expected, abs=2e-3)
    assert left(20, biot, (0.1, 0.5, 1.0)) == pytest.approx(expected, abs=1e-3)
    assert left(100, biot, (0.1, 0.5, 1.0)) == pytest.approx(expected, abs=2e-5)


def test_diffusion_that_rises_exponentially_with_the_solvent():
    expected = (0.878727, 0.757457, 0.617736, 0.472322, 0.115662, 0.02993)
    moments = (0.005, 0.02, 0.05, 0.1, 0.5, 1.0)
    assert left(CELLS, OPEN, moments, k=2.0) == pytest.approx(expected, abs=3e-3)
    assert left(20, OPEN, moments, k=2.0) == pytest.approx(expected, abs=2e-3)
    assert left(200, 10 * OPEN, moments, k=2.0) == pytest.approx(expected, abs=2e-5)  # what the reference itself is good to


@pytest.mark.parametrize(("cells", "near"), [(20, 2e-3), (100, 2e-4)])
@pytest.mark.parametrize("k", [0.0, 1.0, 2.0, 4.0])
def test_a_steady_slab_lets_through_what_the_integral_of_its_diffusion_says(k, cells, near):
    """Foil side held at c0, face open: J = (e^k - e^(k s))/k D0/L, s = J/Bi being what is left at the face; s = 0 is the reference."""
    model, state = film(cells, OPEN, k)
    held = model.shape.volume_inverse.copy()
    held[:2] = 0.0  # nothing that leaves the foil's node is missed there
    model = model._replace(shape=model.shape._replace(volume_inverse=held))
    chamber = layers.Drive(TEMP_K, TEMP_K, 1e5, 0.0)
    settled = layers.advance(model, layers.Slow.none(1), state, chamber, 20.0).state
    flux = layers.advance(model, layers.Slow.none(1), settled, chamber, 1.0).left_kg[0] / model.polymer_kg / U0
    exact = 1.0 if k == 0 else np.expm1(k) / k
    for _ in range(9):
        exact = (1 - exact / OPEN) if k == 0 else (np.exp(k) - np.exp(k * exact / OPEN)) / k
    assert flux == pytest.approx(exact, rel=near)


def test_the_grid_converges_with_the_second_order():
    off = [
        abs(left(cells, 1.0, (0.3,), tolerance=FINE._replace(u_relative=1e-8, u_absolute=1e-17))[0] - series(1.0, 0.3))
        for cells in (11, 21, 41)
    ]
    assert np.log2(off[0] / off[1]) == pytest.approx(2.0, abs=0.15)
    assert np.log2(off[1] / off[2]) == pytest.approx(2.0, abs=0.15)
