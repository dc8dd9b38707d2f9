"""All solvent that was seen, held against what the members say they lost: solvent is conserved."""

import numpy as np
import pytest

from controller.estimator import EstimatorSettings, LoadState, belief, layers, learning
from controller.estimator.belief import Belief
from controller.estimator.members import members_of
from controller.estimator.parameters import PARAMETERS

TRIAL = LoadState(length_m=20, width_m=0.5, film_um=20, foil_um=18, gap_um=100, core_mm=76, predry_residual_wt_pct=20, residual_sd_wt_pct=1)
MEMBER_SET = members_of(EstimatorSettings(), TRIAL)


def account(found: Belief) -> tuple[np.ndarray, np.ndarray]:
    """Return what each member has left, and what it says it lost, kg."""
    model, u = MEMBER_SET.model, MEMBER_SET.residual / (1 - MEMBER_SET.residual)
    left_kg = layers.mean_u(model, found.state) @ model.shape.share * model.polymer_kg
    return left_kg, u * model.polymer_kg - left_kg


def balanced(found: Belief, observed_kg: float, deviation_kg: float) -> Belief:
    _, gone_kg = account(found)
    return learning.from_balance(MEMBER_SET, found, gone_kg, gone_kg, observed_kg, deviation_kg)


def half_dry() -> Belief:
    """Members that say they lost half of what they brought, each to the same share."""
    found = belief.fresh(MEMBER_SET, 147.0)
    state = layers.State(found.state.block.copy(), found.state.positions)
    state.solvent[:] *= 0.5
    return found._replace(state=state)


@pytest.mark.parametrize("off_sd", [-2.0, -0.5, 0.5, 2.0])
def test_what_was_seen_beyond_the_account_has_left_the_film(off_sd: float) -> None:
    # by as much as the account is unsurer than the instruments, whatever the members brought in: their covariance alone says the reverse
    found = half_dry()
    left_kg, gone_kg = account(found)
    unsure_kg = PARAMETERS["flux_model_error"].value * min(gone_kg.mean(), left_kg.mean())
    shown_sd, off_kg = gone_kg.std(ddof=1), off_sd * np.hypot(unsure_kg, gone_kg.std(ddof=1))
    after_kg, _ = account(balanced(found, gone_kg.mean() + off_kg, 1e-6))
    share = (np.cov(left_kg, gone_kg)[0, 1] - unsure_kg**2) / (unsure_kg**2 + shown_sd**2)
    assert np.cov(left_kg, gone_kg)[0, 1] > 0
    assert (after_kg - left_kg).mean() == pytest.approx(share * off_kg, rel=0.02)


def test_a_balance_that_agrees_or_is_unsure_moves_nothing() -> None:
    found = half_dry()
    _, gone_kg = account(found)
    for observed_kg, deviation_kg in ((gone_kg.mean(), 1e-6), (1.1 * gone_kg.mean(), 1e3)):
        after = balanced(found, observed_kg, deviation_kg)
        np.testing.assert_allclose(after.state.block, found.state.block, rtol=1e-6)
        np.testing.assert_allclose(after.log_gain, found.log_gain, atol=1e-6)


@pytest.mark.parametrize("times", [10.0, -1.0])
def test_a_balance_beyond_belief_comes_from_an_instrument_that_lies(times: float) -> None:
    found = half_dry()
    _, gone_kg = account(found)
    assert balanced(found, times * gone_kg.mean(), 1e-3) is found


def test_a_balance_leaves_bound_solvent_heat_and_cure_alone_and_no_member_holds_more_than_it_may() -> None:
    found = half_dry()
    _, gone_kg = account(found)
    after = balanced(found, 0.6 * gone_kg.mean(), 1e-3)
    assert after.slow is found.slow
    for one, other in ((after.state.bound, found.state.bound), (after.state.temps, found.state.temps)):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(after.state.conversion, found.state.conversion)
    most = 1.2 * MEMBER_SET.residual / (1 - MEMBER_SET.residual)
    assert ((layers.mean_u(MEMBER_SET.model, after.state) - after.state.bound) <= most[:, None] * (1 + 1e-12)).all()
