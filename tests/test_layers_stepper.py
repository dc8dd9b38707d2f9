"""The Rosenbrock method: order conditions, third order on the real equations with their approximate Jacobian, and its factors."""

import shutil

import numpy as np
import pytest
from numba import njit

from controller.estimator import layers, rosenbrock
from controller.estimator.equations import rates
from controller.estimator.member import Drive, Member
from controller.estimator.rosenbrock import Tolerance, room_for
from tests import benchmarks_model
from tests.conftest import required
from tests.reference.batch import DAY_S, KNOTS, H, model


def tableau():
    """Return alpha, gamma, b and the embedded b from the transformed coefficients."""
    r = rosenbrock
    a = np.array([[0, 0, 0, 0], [r.A21, 0, 0, 0], [r.A31, r.A32, 0, 0], [r.A41, r.A42, r.A43, 0]])
    c = np.array([[0, 0, 0, 0], [r.C21, 0, 0, 0], [r.C31, r.C32, 0, 0], [r.C41, r.C42, r.C43, 0]])
    gamma = np.linalg.inv(np.eye(4) / r.GAMMA - c)
    weights = np.array([r.A41, r.A42, r.A43, 1.0])
    return a @ gamma, gamma, weights @ gamma, (weights - [r.E1, r.E2, r.E3, r.E4]) @ gamma


def test_the_method_has_the_third_order_for_any_jacobian():
    alpha, gamma, b, _ = tableau()
    at, slant = alpha.sum(axis=1), gamma.sum(axis=1)
    assert at == pytest.approx([0, rosenbrock.ALPHA_2, rosenbrock.ALPHA_3, 1], abs=1e-14)
    conditions = (
        b.sum() - 1, b @ at - 1 / 2, b @ slant, b @ at**2 - 1 / 3, b @ alpha @ at - 1 / 6,
        b @ alpha @ slant, b @ gamma @ at, b @ gamma @ slant,
    )  # fmt: skip
    assert np.abs(conditions).max() < 1e-14


def test_the_embedded_method_has_the_second_order_and_not_the_third():
    alpha, gamma, _, b = tableau()
    at, slant = alpha.sum(axis=1), gamma.sum(axis=1)
    assert np.abs((b.sum() - 1, b @ at - 1 / 2, b @ slant)).max() < 1e-14
    assert abs(b @ at**2 - 1 / 3) > 1e-2


def test_the_method_is_stiffly_accurate_and_l_stable():
    alpha, gamma, b, _ = tableau()
    assert (alpha + gamma)[-1] == pytest.approx(b, abs=1e-14)
    beta = alpha + gamma

    def growth(z):
        return 1 + z * b @ np.linalg.solve(np.eye(4) - z * beta, np.ones(4))

    assert abs(growth(-1e9)) < 1e-7
    assert max(abs(growth(1j * y)) for y in np.linspace(0, 50, 2001)) <= 1 + 1e-12


def test_the_equations_count_no_references_to_parts_of_arrays():
    built, _, state = model(1, 3, 4)
    room, fresh = room_for(built.shape), njit(error_model="numpy")(rates.py_func)
    member, drive = Member(*built.table[0].tolist()), Drive(400.0, 1e3, 0.0)
    room.rows[0][:] = state.temps[0, 0]
    fresh(member, built.shape, drive, room.rows[0], room.rows[2], room.films, room.warmth, room.flux)
    code = next(iter(fresh.inspect_llvm().values()))
    assert code.count("call void @NRT_incref") == 0  # two atomic operations a part were a third of a step


def test_halving_the_step_divides_the_error_by_eight():
    # two hours of warming and mild drying, where no kink is passed; steps forced by tolerances that accept everything
    loose, tight = Tolerance(1e9, 1e9, 1e9, 1e9, 1.0), Tolerance(1e-10, 1e-12, 1e-11, 1e-9, 1e-7)
    drive = layers.Drive(330.0, 330.0, 1e4, 0.0)

    def after(tolerance, steps):
        built, slow, state = model(1, 4, 8, tolerance)
        state = layers.advance(built._replace(tolerance=tight), slow, state, drive, 4 * H).state
        for _ in range(steps):
            state = layers.advance(built, slow, state, drive, 2 * H / steps).state
        return state.temps[0]

    exact = after(tight, 1)
    off = [np.abs(after(loose, steps) - exact).max() for steps in (8, 16, 32)]
    assert np.log2(off[0] / off[1]) == pytest.approx(3.0, abs=0.3)
    assert np.log2(off[1] / off[2]) == pytest.approx(3.0, abs=0.3)


def test_the_same_scheme_in_c_takes_the_same_steps(tmp_path):
    """What the bench compares the model's speed with has to be the model."""
    required(shutil.which("gcc"), "gcc")
    cured, tries = benchmarks_model.in_c(tmp_path)()
    built, slow, state = model(1, benchmarks_model.POSITIONS, benchmarks_model.CELLS)
    seen = layers.trajectory(built, slow, state, KNOTS, np.array([DAY_S]))
    assert tries == seen.steps[0]
    assert -np.expm1(-cured) == pytest.approx(seen.conversion[0, -1], abs=1e-5)
