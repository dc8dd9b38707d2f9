"""The roll's chain of rings against the cylinder of the textbooks, with the production equations of heat and their solver."""

import numpy as np
import pytest

from tests.reference.cylinder import cooled, hollow, solid

FOURIER = (0.1, 0.5, 1.0)
CENTRE, MEAN = (0.976817, 0.548586, 0.249380), (0.843266, 0.447384, 0.203347)
HOLLOW = ((0.05, 0.1, 0.5), (0.962803, 0.868641, 0.348642))
A_POINT = 1e-6  # bore to rim of a roll without a bore


def test_the_series_are_the_reference_numbers():
    assert [solid(1.0, fourier) for fourier in FOURIER] == [pytest.approx(pair, abs=1e-6) for pair in zip(CENTRE, MEAN, strict=True)]
    assert [hollow(0.5, 1.0, fourier) for fourier in HOLLOW[0]] == pytest.approx(HOLLOW[1], abs=1e-6)


@pytest.mark.parametrize(("rings", "near"), [(20, 2e-3), (100, 2e-4)])
def test_a_solid_cylinder_cools_as_its_series(rings, near):
    centre, mean = cooled(rings, A_POINT, 1.0, FOURIER)
    assert centre == pytest.approx(CENTRE, abs=near)
    assert mean == pytest.approx(MEAN, abs=near)


@pytest.mark.parametrize(("rings", "near"), [(20, 2e-3), (100, 2e-4)])
def test_a_hollow_cylinder_with_an_adiabatic_bore_cools_as_its_series(rings, near):
    inner, _ = cooled(rings, 0.5, 1.0, HOLLOW[0])
    assert inner == pytest.approx(HOLLOW[1], abs=near)


@pytest.mark.parametrize("biot", [0.1, 10.0])
def test_other_heat_transfer_follows_the_series_as_well(biot):
    centre, mean = cooled(100, A_POINT, biot, FOURIER)
    exact = np.array([solid(biot, fourier) for fourier in FOURIER])
    assert centre == pytest.approx(exact[:, 0], abs=5e-4)
    assert mean == pytest.approx(exact[:, 1], abs=5e-4)


def test_the_mean_converges_with_the_second_order():
    exact = solid(1.0, 0.5)[1]
    off = [abs(cooled(rings, A_POINT, 1.0, (0.5,))[1][0] - exact) for rings in (10, 20, 40)]
    assert np.log2(off[0] / off[1]) == pytest.approx(2.0, abs=0.2)
    assert np.log2(off[1] / off[2]) == pytest.approx(2.0, abs=0.2)
