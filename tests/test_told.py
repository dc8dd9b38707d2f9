"""What a member's film is said to hold: the wettest part of its width, and the law's error, as the film dries."""

from dataclasses import replace

import numpy as np
import pytest

from controller.estimator import EstimatorSettings, LoadState, layers
from controller.estimator.belief import fresh
from controller.estimator.members import MEMBERS, members_of, told
from controller.estimator.model import POSITIONS

LOAD = LoadState(500.0, 1.0, 20.0, 18.0, 100.0, 150.0, 18.0, 1.0)
EXACT = members_of(EstimatorSettings(), LOAD)._replace(drying_error=np.ones(MEMBERS))
SHAPE = (MEMBERS, len(POSITIONS))


def test_at_the_start_it_is_what_the_laboratory_found() -> None:
    members = members_of(EstimatorSettings(), LOAD)
    state = fresh(members, 20.0).state
    found = told(members, layers.mean_residual(members.model, state), layers.held_by_gap(members.model, state))
    assert found == pytest.approx(np.broadcast_to(members.residual[:, None], SHAPE), rel=1e-9)


@pytest.mark.parametrize(("held_by_gap", "wetter"), [(0.0, 1.0), (0.5, 1.1), (1.0, 1.2)])
def test_where_the_gap_holds_the_solvent_the_middle_of_the_width_is_wetter_by_a_fifth(held_by_gap: float, wetter: float) -> None:
    u = 1e-4
    found = told(EXACT, np.full(SHAPE, u), np.full(SHAPE, held_by_gap))
    assert found[:, :-1] == pytest.approx(wetter * u, rel=1e-2)  # nearly dry: all of the difference is there
    assert found[:, -1] == pytest.approx(u, rel=1e-3)  # the edge zone has no width


def test_the_laws_error_grows_as_the_film_dries() -> None:
    members = EXACT._replace(drying_error=np.full(MEMBERS, 1.3))
    start = members.residual[:, None]
    shares = np.array([1.0, 0.5, 0.1, 0.0])
    found = [
        told(members, np.maximum(share, 1e-9) * start * np.ones(SHAPE), np.zeros(SHAPE)) / (np.maximum(share, 1e-9) * start)
        for share in shares
    ]
    assert [float(one[0, 0]) for one in found] == pytest.approx(1.3 ** (1 - shares))


def test_the_gap_holds_what_lies_even_and_the_film_what_is_steep() -> None:
    state = fresh(EXACT, 20.0).state
    state.bound[:] = 0.02
    state.solvent[:] = 0.1
    assert layers.held_by_gap(EXACT.model, state) == pytest.approx(1.0)
    state.solvent[:, -1, :] = 0.0
    assert layers.held_by_gap(EXACT.model, state) == pytest.approx(0.0)
    state.solvent[:] = 0.0
    assert layers.held_by_gap(EXACT.model, state) == pytest.approx(0.0)


def test_a_forecast_says_it_as_the_judge_does() -> None:
    dry = replace(LOAD, predry_residual_wt_pct=12.0)
    members = members_of(EstimatorSettings(), dry)
    belief, knots = fresh(members, 150.0), np.array([[0.0, 423.15, 101325.0, 50.0], [7200.0, 423.15, 101325.0, 50.0]])
    seen = layers.trajectory(members.model, belief.slow, belief.state, knots, np.array([7200.0]))
    after = layers.advance(members.model, belief.slow, belief.state, layers.Drive(423.15, 423.15, 101325.0, 50.0), 7200.0).state
    there = told(members, layers.mean_residual(members.model, after), layers.held_by_gap(members.model, after))
    assert told(members, seen.residual, seen.held)[:, 0] == pytest.approx(there, rel=0.02)
    assert (there.max(axis=1) < members.residual).all()
