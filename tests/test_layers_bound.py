"""Bound solvent of the film: its release and equilibrium against closed forms, its place in the balance, the start, a stiff release."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import exp1

from controller.estimator import layers
from controller.estimator.constants import COLUMN
from controller.estimator.laws import HARMLESS_U
from controller.estimator.parameters import PARAMETERS, value
from controller.estimator.rosenbrock import Tolerance
from tests.reference.batch import TIGHT, H, model
from tests.test_layers_stepper import tableau

R = 8.314462618
ANYTHING = Tolerance(1e9, 1e9, 1e9, 1e9, 1.0)  # accepts every step


def rate_s(temp_k, energy_kj_mol=None, scale=1.0):
    """The documented law: Arrhenius about 200 degC."""
    energy_k = 1e3 * (value("release_energy") if energy_kj_mol is None else energy_kj_mol) / R
    return scale * value("release_rate") * np.exp(-energy_k * (1 / temp_k - 1 / 473.15))


def holding(built, *sites, refill=None):
    """The model with members whose sites hold so much."""
    built.table[:, COLUMN["sites"]] = sites
    if refill is not None:
        built.table[:, COLUMN["refill"]] = refill
    return built


def isothermal(members, tolerance=TIGHT):
    """Films whose solvent takes no heat with it, so that they stay at the wall's temperature."""
    built, slow, _ = model(members, 3, 6, tolerance)
    return built._replace(shape=built.shape._replace(heat_rate_j=0.0)), slow


def with_and_without(built, temp_k, free):
    """Two films with ``free`` solvent each, the second with 0.03 of bound solvent too."""
    state = layers.initial(built, temp_k, np.full(2, 0.1))
    state.solvent[:] = free
    state.bound[:] = np.array([[0.0], [0.03]])
    return state


def one_way(built, state):
    """The model whose sites, once empty, stay so, however wet the film is: a release alone."""
    return holding(built, *state.bound[:, 0], refill=1e12)


@pytest.mark.parametrize("temp_k", [393.15, 473.15, 513.15])
def test_the_release_alone_is_the_exponential(temp_k):
    """Members of different energies and rates; the bound part knows neither the film's diffusion nor its face."""
    built, slow = isothermal(3)
    state = layers.initial(built, temp_k, np.full(3, 0.2))
    built = one_way(built, state)
    energies, scales = np.array([80.0, 100.0, 130.0]), np.array([0.4, 1.0, 3.0])
    built.table[:, COLUMN["release_energy_k"]] = 1e3 * energies / R
    slow = slow._replace(log_release=np.log(scales), log_dry=np.array([-2.0, 0.0, 2.0]))
    for hours in (0.2, 1.0, 3.0):
        done = layers.advance(built, slow, state, layers.Drive(temp_k, temp_k, 1e3, 0.0), hours * H)
        assert done.state.temps == pytest.approx(temp_k, abs=1e-9)
        exact = np.exp(-rate_s(temp_k, energies, scales) * hours * H)
        assert done.state.bound / state.bound == pytest.approx(np.tile(exact[:, None], 3), abs=1e-7)


@pytest.mark.parametrize(("all_u", "refill", "began"), [(0.05, 0.04, 0.028), (0.2, 0.04, 0.001), (0.02, 0.1, 0.02), (0.03, 0.04, 0.0)])
def test_sites_of_a_closed_film_go_to_their_equilibrium_from_either_side(all_u, refill, began):
    """All solvent u = m: db/dt = -k (b - s (1 - exp(-(m - b)/r))), so that k t is an integral over b alone."""
    built, slow = isothermal(1)
    sites = value("bound_solvent")
    built, slow = holding(built, sites, refill=refill), slow._replace(log_way=np.full(1, -40.0))
    state = layers.initial(built, 490.0, np.full(1, all_u / (1 + all_u)))
    rest = float(state.bound[0, 0])
    assert rest == pytest.approx(sites * (1 - np.exp(-(all_u - rest) / refill)), rel=1e-9)
    state.solvent[:] = all_u - began
    state.bound[:] = began
    done = layers.advance(built, slow, state, layers.Drive(490.0, 490.0, 1e5, 0.0), 0.5 * H)
    left = float(done.state.bound[0, 0])
    spent = quad(lambda bound: 1 / (bound - sites * (1 - np.exp(-(all_u - bound) / refill))), left, began, epsrel=1e-10)[0]
    assert spent == pytest.approx(rate_s(490.0) * 0.5 * H, rel=1e-4)
    still = layers.advance(built, slow, done.state, layers.Drive(490.0, 490.0, 1e5, 0.0), 30 * H)
    assert still.state.bound == pytest.approx(rest, rel=1e-4)
    assert layers.mean_u(built, still.state) == pytest.approx(all_u, rel=1e-9)


def test_the_release_over_a_ramp_is_arrhenius_integral():
    """100 to 240 degC at 1 K/min: ln(b/b0) = -(A/c)[T e^-x - E/R E1(x)], x = E/RT, c the ramp's rate."""
    built, slow = isothermal(1)
    state = layers.initial(built, 373.15, np.full(1, 0.15))
    built = one_way(built, state)
    built = built._replace(shape=built.shape._replace(capacity_inverse=built.shape.capacity_inverse * 1e5))  # follows the wall
    ends_k, per_s = np.array([373.15, 513.15]), 1 / 60
    slow = slow._replace(log_way=np.full(1, -40.0))  # nothing leaves: what becomes free stays
    done = layers.advance(built, slow, state, layers.Drive(*ends_k, 1e3, 0.0), float(np.diff(ends_k)[0]) / per_s)
    x = 1e3 * value("release_energy") / R / ends_k
    factor = value("release_rate") * np.exp(1e3 * value("release_energy") / R / 473.15)
    closed = np.diff(factor / per_s * ends_k * (np.exp(-x) - x * exp1(x)))[0]
    assert 0.1 < closed < 30
    assert np.log(state.bound / done.state.bound) == pytest.approx(closed, rel=1e-3)  # a lag of 0.01 K is left


def test_the_balance_closes_with_the_bound_part_in_it():
    """What is there less what has left is what is there; every member's release is another one, from none to at once."""
    built, slow, state = model(7, 5, 10)
    slow = slow._replace(log_release=np.linspace(-6, 12, 7), log_dry=np.linspace(-2, 2, 7))
    there, left_kg = layers.mean_u(built, state), np.zeros(7)
    assert there == pytest.approx(0.25)
    for wall_k in (350.0, 420.0, 480.0, 510.0, 400.0):
        before, done = state, layers.advance(built, slow, state, layers.Drive(wall_k, wall_k, 150.0, 50.0), 2 * H)
        left_kg, state = left_kg + done.left_kg, done.state
        assert (state.bound <= before.bound + 1e-5).all()
        fallen = layers.mean_u(built, before) - layers.mean_u(built, state)
        assert done.evaporated_kg == pytest.approx(fallen * built.polymer_kg * built.winding.share, rel=1e-8, abs=1e-12)
    parts = np.einsum("n,mnp->mp", built.shape.volume, state.solvent) + state.bound
    still_kg, first_kg = (built.polymer_kg * (u * built.winding.share).sum(axis=1) for u in (parts, there))
    assert np.abs((left_kg + still_kg) / first_kg - 1).max() < 1e-8
    held = state.bound.mean(axis=1)
    assert held[0] > 0.9 * value("bound_solvent")
    assert held[-1] < 0.3 * value("bound_solvent")


def test_a_start_residual_is_split_into_bound_and_free_solvent_in_equilibrium():
    built, _, _ = model(4, 3, 5)
    built = holding(built, 0.0, 0.02, 0.03, 0.03)
    residual = np.array([0.1, 0.1, 0.1, 0.01])
    state = layers.initial(built, 300.0, residual)
    u, bound = residual / (1 - residual), state.bound[:, 0]
    assert bound == pytest.approx(np.array([0.0, 0.02, 0.03, 0.03]) * (1 - np.exp(-(u - bound) / value("bound_refill"))), rel=1e-9)
    assert (0.85 * np.array([0.02, 0.03]) < bound[1:3]).all()
    assert 0.3 * u[3] < bound[3] < 0.5 * u[3]
    assert state.solvent == pytest.approx(np.tile((u - state.bound[:, 0])[:, None, None], (5, 3)))
    assert layers.mean_residual(built, state) == pytest.approx(np.tile(residual[:, None], 3), rel=1e-12)
    assert layers.initial(built, 300.0, np.zeros(4)).block[:, 3:].max() == 0.0


def test_the_model_takes_each_members_own_bound_part():
    uncertain = layers.Uncertain.median(3, 1e-4)._replace(bound=np.array([0.001, 0.02, 0.06]))
    built = layers.build(layers.LoadState(1000.0, 1.0, 20.0, 18.0, 100.0, 150.0, 20.0, 1.0), layers.SOLVENTS["NMP"], uncertain, 3, 5)
    assert layers.initial(built, 300.0, np.full(3, 0.4)).bound[:, 1] == pytest.approx([0.001, 0.02, 0.06], rel=1e-5)
    assert PARAMETERS["bound_solvent"].low <= value("bound_solvent") <= PARAMETERS["bound_solvent"].high


def test_bound_solvent_pushes_no_blister_and_softens_nothing_but_the_cure_sees_it():
    built, slow, _ = model(2, 3, 6, TIGHT)
    state = with_and_without(built, 500.0, 0.05)
    pushing, grows = layers.blister(built, slow, state, state.temps, 1e4)
    assert pushing[0] == pytest.approx(pushing[1], rel=1e-12)
    assert (grows[0] == grows[1]).all()
    dry = with_and_without(built, 570.0, 0.9 * HARMLESS_U)  # no more than harmless, but for the bound part
    assert not layers.blister(built, slow, dry, dry.temps, 50.0)[1].any()
    seen = layers.trajectory(built, slow, state, np.array([[0.0, 500.0, 1e4, 0.0]]), np.array([0.0]))
    assert seen.blister[0, 0] == pytest.approx(seen.blister[1, 0], rel=1e-9)


def test_the_cures_glass_transition_is_that_of_all_solvent():
    """Two films alike in their free solvent, 440 K: the bound part lowers Tg (Fox) and with it what slows the cure."""
    built, slow = isothermal(2)
    u = np.array([0.05, 0.08])
    state = with_and_without(built, 440.0, 0.05)
    done = layers.advance(built, slow, state, layers.Drive(440.0, 440.0, 1e5, 0.0), 1.0)
    glass_k = (1 + u) / (1 / 553.0 + u / 166.0)
    free = 1 / (1 + np.exp((glass_k - 440.0 - value("vitrification_offset")) / value("vitrification_width")))
    assert free[1] > 2 * free[0]
    assert done.state.conversion[1] / done.state.conversion[0] == pytest.approx(free[1] / free[0], rel=0.01)


@pytest.mark.parametrize("stiffness", [0.05, 1.0, 8.0, 1e3, 1e8])
def test_one_step_of_the_release_is_the_methods_stability_function(stiffness):
    """The equation is linear and its part of the Jacobian exact: b1 = R(-k dt) b0, and |R| < 1 falls to nothing when it is stiff.

    Where R is below zero, from 3 on, the bound part becomes zero, and what that adds is booked as not evaporated.
    """
    built, slow = isothermal(1, ANYTHING)
    temp_k, dt_s = 473.15, 10.0
    slow = slow._replace(log_release=np.full(1, np.log(stiffness / dt_s / value("release_rate"))))
    state = layers.initial(built, temp_k, np.full(1, 0.1))
    done = layers.advance(one_way(built, state), slow, state, layers.Drive(temp_k, temp_k, 1e5, 0.0), dt_s)
    assert done.steps[0] == 1
    alpha, gamma, b, _ = tableau()
    grown = 1 - stiffness * b @ np.linalg.solve(np.eye(4) + stiffness * (alpha + gamma), np.ones(4))
    assert done.state.bound / state.bound == pytest.approx(max(grown, 0.0), abs=1e-9)
    gone = layers.mean_u(built, state) - layers.mean_u(built, done.state)
    assert done.evaporated_kg == pytest.approx(gone * built.polymer_kg * built.winding.share, rel=1e-9, abs=1e-8 * 0.1 * built.polymer_kg)


@pytest.mark.parametrize("bound", [1e-4, 1e-3, 0.028])
def test_no_release_however_quick_falls_below_zero(bound):
    """Rates over nine decades at the working tolerance, k dt up to 1e6: neither part is negative, and the steps stay few."""
    built, slow, _ = model(40, 5, 10)
    built = holding(built, *np.full(40, bound))
    slow = slow._replace(log_release=np.linspace(-6, 14, 40))
    for temp_k in (420.0, 473.0):
        state, steps = layers.initial(built, temp_k, np.full(40, 0.1)), 0
        for dt_s in (1.0, 30.0, 60.0, 600.0, H):
            before, done = state, layers.advance(built, slow, state, layers.Drive(temp_k, temp_k, 1e3, 0.0), dt_s)
            state, steps = done.state, steps + int(done.steps.max())
            assert not done.failed.any()
            assert state.bound.min() >= 0
            assert state.solvent.min() >= 0
            assert (state.bound <= before.bound + 1e-5).all()
        assert steps < 100
        free = layers.mean_u(built, state)[-1] - state.bound[-1]
        assert state.bound[-1] == pytest.approx(
            bound * (1 - np.exp(-free / value("bound_refill"))), rel=0.03
        )  # a lag inside a step's tolerance


def test_solvent_that_becomes_free_at_once_leaves_a_film_that_binds_none():
    built, slow, _ = model(2, 4, 10)
    built = holding(built, 0.0, 0.03)
    slow = slow._replace(log_release=np.full(2, 16.0))
    state = layers.initial(built, 450.0, np.full(2, 0.15))
    done = layers.advance(one_way(built, state), slow, state, layers.Drive(450.0, 455.0, 500.0, 50.0), H)
    residual = layers.mean_residual(built, done.state)
    assert residual[1] == pytest.approx(residual[0], rel=0.02)  # a step's tolerance of 1 %
    assert done.left_kg[1] == pytest.approx(done.left_kg[0], rel=0.02)
