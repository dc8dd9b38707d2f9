"""How an observation moves the members: the exact Kalman update where everything is linear, and what it must never touch."""

from dataclasses import replace

import numpy as np
import pytest

from controller.estimator import EstimatorSettings, LoadState, belief, layers, learning
from controller.estimator.belief import Belief
from controller.estimator.members import MEMBERS, SENSORS, members_of
from controller.estimator.model import POSITIONS

TRIAL = LoadState(length_m=20, width_m=0.5, film_um=20, foil_um=18, gap_um=100, core_mm=76, predry_residual_wt_pct=20, residual_sd_wt_pct=1)
SITE = EstimatorSettings()
MEMBER_SET = members_of(SITE, TRIAL)
WALL_K = 440.0
NEAR_K = 421.0  # a wall so near that the lag keeps no spread alive


def warm(seed: int = 1) -> Belief:
    """Members around 420 K, 8 K apart, after an hour in which their films have become different."""
    rng = np.random.default_rng(seed)
    fresh = belief.fresh(MEMBER_SET, 147.0)
    state = layers.advance(MEMBER_SET.model, fresh.slow, fresh.state, layers.Drive(420.0, 420.0, 1e3, 100.0), 3600.0).state
    state.temps[:] = 420.0 + rng.normal(0, 8, MEMBERS)[:, None] + rng.normal(0, 3, (MEMBERS, len(POSITIONS)))
    return fresh._replace(state=state)


def heat_rows(found: Belief) -> np.ndarray:
    return np.vstack((found.state.temps.T, found.slow.log_h, found.slow.log_k))


def solvent_rows(found: Belief) -> np.ndarray:
    mean = layers.mean_u(MEMBER_SET.model, found.state)
    slow = found.slow
    return np.vstack((np.log(mean).T, slow.log_dry, slow.log_swollen, slow.log_slope, slow.log_way, found.log_gain))


def kalman(rows: np.ndarray, predicted: np.ndarray, observed: float, deviation: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance after one scalar observation, from the joint Gaussian of state and prediction (textbook)."""
    joint = np.cov(np.vstack((rows, predicted)))
    gain = joint[:-1, -1] / (joint[-1, -1] + deviation**2)
    return rows.mean(axis=1) + gain * (observed - predicted.mean()), joint[:-1, :-1] - np.outer(gain, joint[:-1, -1])


@pytest.mark.parametrize("sensor", range(3))
@pytest.mark.parametrize("off_k", [-4.0, 0.0, 3.0])
def test_a_thermocouple_is_the_exact_kalman_update(sensor: int, off_k: float) -> None:
    before = warm()
    predicted = learning.foreseen(before, sensor, NEAR_K)
    observed = float(predicted.mean()) + off_k
    after, _ = learning.from_thermocouple(before, sensor, observed, 3.0, NEAR_K)
    mean, covariance = kalman(heat_rows(before), predicted, observed, 3.0)
    found = np.cov(heat_rows(after))
    assert heat_rows(after).mean(axis=1) == pytest.approx(mean, rel=1e-9, abs=1e-9)
    kept = np.sqrt(np.diag(covariance))[: len(POSITIONS)]
    assert (kept > 2.0).all()  # no floor is in play for the temperatures
    assert found[: len(POSITIONS), : len(POSITIONS)] == pytest.approx(covariance[: len(POSITIONS), : len(POSITIONS)], rel=1e-6)


@pytest.mark.parametrize("off", [-0.8, 0.5])
def test_solvent_is_the_exact_kalman_update_where_no_floor_holds(off: float) -> None:
    before = warm()
    rows = solvent_rows(before)
    predicted = np.exp(rows[0])
    deviation = 2.0 * float(predicted.std())  # weak: every spread stays above its floor
    observed = float(predicted.mean()) + off * deviation
    after, looked = learning.from_solvent(MEMBER_SET, before, predicted, observed, deviation)
    mean, covariance = kalman(rows, predicted, observed, deviation)
    floors = np.minimum(learning._SOLVENT_FLOORS[:, 0], rows.std(axis=1, ddof=1))
    free = np.sqrt(np.diag(covariance)) > floors * (1 + 1e-9)
    assert free.sum() >= 6
    assert solvent_rows(after).mean(axis=1) == pytest.approx(mean, rel=1e-6, abs=1e-9)
    assert np.cov(solvent_rows(after))[np.ix_(free, free)] == pytest.approx(covariance[np.ix_(free, free)], rel=1e-5, abs=1e-10)
    assert looked.surprise == pytest.approx(off * deviation / np.hypot(predicted.std(ddof=1), deviation))


def test_a_thermocouple_moves_heat_and_nothing_else() -> None:
    before = warm()
    after, _ = learning.from_thermocouple(before, 0, 425.0, 1.0, WALL_K)
    assert np.array_equal(after.state.solvent, before.state.solvent)
    assert np.array_equal(after.state.conversion, before.state.conversion)
    for name in ("log_dry", "log_swollen", "log_slope", "log_way"):
        assert np.array_equal(getattr(after.slow, name), getattr(before.slow, name)), name
    assert np.array_equal(after.log_gain, before.log_gain)
    assert np.array_equal(after.leaving_kg, before.leaving_kg)
    assert not np.array_equal(after.state.temps, before.state.temps)


def test_solvent_moves_the_film_and_nothing_else() -> None:
    before = warm()
    predicted = np.exp(solvent_rows(before)[0])
    after, _ = learning.from_solvent(MEMBER_SET, before, predicted, 1.3 * float(predicted.mean()), 0.1 * float(predicted.mean()))
    assert np.array_equal(after.state.temps, before.state.temps)
    assert np.array_equal(after.state.conversion, before.state.conversion)
    assert np.array_equal(after.slow.log_h, before.slow.log_h)
    assert np.array_equal(after.slow.log_k, before.slow.log_k)
    assert np.array_equal(after.offset_k, before.offset_k)
    profile_before, profile_after = (b.state.solvent / layers.mean_u(MEMBER_SET.model, b.state)[:, None, :] for b in (before, after))
    assert profile_after == pytest.approx(profile_before, rel=1e-9)  # a zone's profile keeps its shape


def test_what_is_learnt_from_is_left_alone() -> None:
    before = warm()
    kept = belief.pack(before)
    learning.from_thermocouple(before, 1, 430.0, 1.0, WALL_K)
    learning.from_solvent(MEMBER_SET, before, np.exp(solvent_rows(before)[0]), 0.1, 0.01)
    assert belief.pack(before) == kept


def test_spreads_do_not_fall_below_their_floors_however_often_one_looks() -> None:
    found = warm()
    start = solvent_rows(found).std(axis=1, ddof=1)
    for _ in range(60):
        predicted = np.exp(solvent_rows(found)[0])
        found, _ = learning.from_solvent(MEMBER_SET, found, predicted, float(predicted.mean()), 1e-3 * float(predicted.mean()))
        found, _ = learning.from_thermocouple(found, 0, float(learning.foreseen(found, 0, WALL_K).mean()), 0.01, WALL_K)
    floors = np.minimum(learning._SOLVENT_FLOORS[:, 0], start)
    assert (solvent_rows(found).std(axis=1, ddof=1) >= floors * (1 - 1e-6)).all()
    assert (heat_rows(found)[:4].std(axis=1, ddof=1) >= learning._TEMP_FLOOR_K * (1 - 1e-6)).all()


def test_an_absurd_reading_pulls_no_harder_than_two_and_a_half_deviations() -> None:
    before = warm()
    predicted = learning.foreseen(before, 0, WALL_K)
    total = float(np.hypot(predicted.std(ddof=1), 3.0))
    edge, _ = learning.from_thermocouple(before, 0, float(predicted.mean()) + 2.5 * total, 3.0, WALL_K)
    absurd, looked = learning.from_thermocouple(before, 0, float(predicted.mean()) + 400.0, 3.0, WALL_K)
    assert heat_rows(absurd) == pytest.approx(heat_rows(edge), rel=1e-12)
    assert looked.surprise == pytest.approx(400.0 / total)
    moved = heat_rows(absurd).mean(axis=1) - heat_rows(before).mean(axis=1)
    assert np.abs(moved[:4]).max() <= 5.0 + 1e-9  # and a temperature by no more than 5 K


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_no_observation_of_solvent_moves_a_logarithm_by_more_than_its_bound(factor: float) -> None:
    before = warm()
    predicted = np.exp(solvent_rows(before)[0])
    after, _ = learning.from_solvent(MEMBER_SET, before, predicted, factor * float(predicted.mean()), 1e-6)
    moved = solvent_rows(after).mean(axis=1) - solvent_rows(before).mean(axis=1)
    assert np.abs(moved).max() <= 0.7 + 1e-6
    assert (after.state.solvent >= 0).all()


def test_the_nearest_member_is_told_in_deviations_of_the_error() -> None:
    before = warm()
    predicted = np.full(MEMBERS, 2.0)
    predicted[3] = 5.0
    _, looked = learning.from_solvent(MEMBER_SET, before, predicted, 6.0, 0.5)
    assert looked.nearest == pytest.approx(2.0)


def test_sensors_sit_on_positions_of_the_roll() -> None:
    assert set(SENSORS) < set(POSITIONS)
    other = members_of(SITE, replace(TRIAL, length_m=40.0))
    assert other.model.positions == POSITIONS
