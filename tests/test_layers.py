"""Film and roll as a whole: against an independent right-hand side, balances, limits, failures, and nothing compiled after the start."""

import numpy as np
import pytest
from scipy.linalg import solve_banded
from scipy.special import exp1

from controller.estimator import layers
from controller.estimator.constants import COLUMN
from controller.estimator.laws import HARMLESS_U
from controller.estimator.member import USUAL_CELLS
from controller.estimator.model import POSITIONS
from controller.estimator.parameters import value
from controller.estimator.rosenbrock import Tolerance
from tests.reference import batch
from tests.reference.batch import DAY_S, KNOTS, TIGHT, H, model, reference

MOMENTS_S = np.array([1, 4, 7, 8.5, 10, 14, 18, 24]) * H


def shown(roll, states):
    """Films' temperature, mean weight fraction and conversion of a reference's states."""
    parts = [roll.split(y) for y in states]
    mean = np.array([roll.mean(y) for y in states])
    drives = [roll.drive(moment_s) for moment_s in MOMENTS_S]
    temp_k = [roll.films(heat, wall, pressure) for (_, _, heat, _), (wall, pressure, _) in zip(parts, drives, strict=True)]
    return np.array(temp_k), mean / (1 + mean), np.array([x for _, x, _, _ in parts])


@pytest.mark.parametrize(("method", "positions"), [("BDF", POSITIONS), ("BDF", 4), ("Radau", 2)])
def test_a_day_is_that_of_an_independent_right_hand_side(method, positions):
    roll = reference(positions, 6)
    temp_k, residual, conversion = shown(roll, roll.solve(roll.start(batch.START_K, batch.RESIDUAL), MOMENTS_S, 1e-10, 1e-12, method))
    built, slow, state = model(1, positions, 6, TIGHT)
    seen = layers.trajectory(built, slow, state, KNOTS, MOMENTS_S)
    assert not seen.failed.any()
    assert np.abs(seen.temp_k[0] - temp_k).max() < 1e-5
    assert np.abs(seen.residual[0] - residual).max() < 1e-7
    assert np.abs(seen.conversion[0] - conversion).max() < 1e-8


def test_the_working_tolerance_is_good_to_a_thousandth():
    moments_s = np.arange(25) * H
    seen, exact = (
        layers.trajectory(built, slow, state, KNOTS, moments_s) for built, slow, state in (model(1, 12, 20), model(1, 12, 20, TIGHT))
    )
    assert np.abs(seen.residual - exact.residual).max() < 1e-3
    assert np.abs(seen.conversion - exact.conversion).max() < 1e-4
    assert np.abs(seen.temp_k - exact.temp_k).max() < 0.2


def test_steps_and_trajectories_are_one_model():
    built, slow, state = model(3, 4, 10, TIGHT)
    drive = layers.Drive(400.0, 420.0, 300.0, 100.0)
    once = layers.advance(built, slow, state, drive, H)
    knots = np.array([[0.0, 400.0, 300.0, 100.0], [H, 420.0, 300.0, 100.0]])
    seen = layers.trajectory(built, slow, state, knots, np.array([0.0, H / 3, H]))
    assert seen.temp_k[:, 2] == pytest.approx(layers.places(built, slow, once.state, 420.0, 300.0).film_k, abs=1e-6)
    assert seen.residual[:, 2] == pytest.approx(layers.mean_residual(built, once.state), abs=1e-9)
    assert seen.temp_k[:, 0] == pytest.approx(layers.places(built, slow, state, 400.0, 300.0).film_k)
    third = layers.advance(built, slow, state, drive._replace(wall_end_k=400 + 20 / 3), H / 3)
    assert seen.temp_k[:, 1] == pytest.approx(
        layers.places(built, slow, third.state, 400 + 20 / 3, 300.0).film_k, abs=1e-3
    )  # interpolated within a step
    assert seen.residual[:, 1] == pytest.approx(layers.mean_residual(built, third.state), abs=1e-6)


def test_the_solvent_balance_closes():
    built, slow, state = model(5, 4, 10)
    slow = slow._replace(log_dry=np.linspace(-2, 2, 5), log_way=np.linspace(1, -1, 5))
    there_kg = built.polymer_kg * (layers.mean_u(built, state) * built.winding.share).sum(axis=1)
    left_kg, now = np.zeros(5), state
    for wall_k in (350.0, 420.0, 480.0, 510.0, 400.0):
        done = layers.advance(built, slow, now, layers.Drive(wall_k, wall_k, 150.0, 50.0), 2 * H)
        left_kg, now = left_kg + done.left_kg, done.state
        assert done.evaporated_kg.sum(axis=1) == pytest.approx(done.left_kg, rel=1e-12)
    still_kg = built.polymer_kg * (layers.mean_u(built, now) * built.winding.share).sum(axis=1)
    assert np.abs((left_kg + still_kg) / there_kg - 1).max() < 1e-8
    assert (left_kg > 0.01 * there_kg).all()
    assert (now.solvent >= 0).all()


def test_the_energy_balance_closes():
    # heat through the wall, by Gauss quadrature over the independent wall law, is what roll and vapour have taken up
    built, slow, start = model(1, POSITIONS, 8, TIGHT)
    roll, wall_k, pressure_pa, span_s = reference(POSITIONS, 8), (303.15, 450.0), 2000.0, 4 * H
    points, weights = np.polynomial.legendre.leggauss(6)
    parts = np.linspace(0, span_s, 201)
    moments_s = np.append((parts[:-1, None] + np.diff(parts)[:, None] * (points + 1) / 2).ravel(), span_s)
    watts, left_kg, state, at_s, at_k = [], 0.0, start, 0.0, wall_k[0]
    for moment_s in moments_s.tolist():
        there_k = float(np.interp(moment_s, (0.0, span_s), wall_k))
        done = layers.advance(built, slow, state, layers.Drive(at_k, there_k, pressure_pa, 10.0), moment_s - at_s)
        state, at_s, at_k, left_kg = done.state, moment_s, there_k, left_kg + done.left_kg[0]
        watts.append(roll.wall_heat(state.temps[0], there_k, pressure_pa).sum())
    given_j = (np.array(watts[:-1]).reshape(-1, 6) @ weights / 2 * np.diff(parts)).sum()
    taken_j = (roll.c * (state.temps[0] - start.temps[0])).sum() + roll.latent_j_kg * left_kg
    assert given_j == pytest.approx(taken_j, rel=1e-6)
    assert left_kg > 0.01


@pytest.mark.parametrize(("positions", "cells"), [(6, 5), (POSITIONS, USUAL_CELLS)])
def test_a_dry_roll_warms_as_the_eigenvalues_of_its_conductances_say(positions, cells):
    built, slow, _ = model(1, positions, cells, TIGHT)
    dry = layers.initial(built, 300.0, np.zeros(1))
    roll, wall_k, pressure_pa = reference(positions, cells), 420.0, 5e4
    matrix = np.column_stack([roll._warm(wall_k + e, np.zeros(roll.p), wall_k, pressure_pa) for e in np.eye(roll.p)])
    values, vectors = np.linalg.eig(matrix)
    exact = wall_k + (vectors * np.exp(values * 2 * H)) @ np.linalg.solve(vectors, np.full(roll.p, 300.0 - wall_k))
    done = layers.advance(built, slow, dry, layers.Drive(wall_k, wall_k, pressure_pa, 0.0), 2 * H)
    assert done.state.temps[0] == pytest.approx(exact.real, abs=1e-4)


def test_shares_and_faces_are_those_of_the_whole_roll():
    built, _, _ = model(1, POSITIONS, USUAL_CELLS)
    core_m, turn_m = 0.075, 138e-6
    rim_m = np.sqrt(core_m**2 + 1000.0 * turn_m / np.pi)
    assert built.winding.share.sum() == pytest.approx(1.0)
    assert built.winding.ends_m2.sum() == pytest.approx(2 * np.pi * (rim_m**2 - core_m**2))
    edges_m = core_m + (rim_m - core_m) * np.array([0.0, 0.35, 0.7, 0.95, 1.0])
    rings = np.diff(edges_m**2) / (rim_m**2 - core_m**2)
    assert built.winding.share == pytest.approx([*rings[:3], 0.8 * rings[3], 0.2 * rings[3]])


@pytest.mark.parametrize("positions", [6, POSITIONS])
def test_the_core_tube_gives_its_heat_to_the_innermost_ring_alone_as_two_bodies_do(positions):
    """No wall, and hardly any conduction but from the tube: the difference fades as exp(-G t (1/C1 + 1/C2))."""
    built, slow, _ = model(1, positions, USUAL_CELLS, TIGHT)
    built = built._replace(shape=built.shape._replace(rings_m=0 * built.shape.rings_m))
    slow = slow._replace(log_h=np.full(1, -60.0), log_bore=np.full(1, -60.0))
    state = layers.initial(built, 400.0, np.zeros(1))
    state.temps[0, -1] = 430.0
    roll, pressure_pa, span_s = reference(positions, USUAL_CELLS), 1e3, 600.0
    after = layers.advance(built, slow, state, layers.Drive(400.0, 400.0, pressure_pa, 0.0), span_s).state.temps[0]
    inner, others, tube = after[0], after[1:-1], after[-1]
    assert others == pytest.approx(np.full(roll.p - 2, 400.0), abs=1e-9)
    fading = np.exp(-roll.conductivity(pressure_pa) * roll.inwards * span_s * (1 / roll.c[-1] + 1 / roll.c[0]))
    assert tube - inner == pytest.approx(30.0 * fading, abs=1e-4)
    assert roll.c[-1] * tube + roll.c[0] * inner == pytest.approx(roll.c[-1] * 430.0 + roll.c[0] * 400.0)
    assert 0.02 < fading < 0.98


def test_over_the_width_the_copper_is_a_fin_that_warms_at_one_rate():
    """Against the fin in 400 nodes: where its middle and its end are, two hours after a wall began to warm at 1 K/min."""
    built, slow, _ = model(1, POSITIONS, USUAL_CELLS, TIGHT)
    slow = slow._replace(log_k=np.full(1, -60.0), log_bore=np.full(1, -60.0))
    roll, pressure_pa, nodes = reference(POSITIONS, USUAL_CELLS), 1e5, 400
    heat_m3 = roll.c[0] / roll.faces_m2[0] * 2  # over the whole width of 1 m
    k, h = (1 / 6) / roll.fin, roll.transfer(400.0, pressure_pa)
    step_m, dt_s, seen_k = 0.5 / nodes, 5.0, np.full(nodes, 400.0)
    band = np.zeros((3, nodes))
    band[0, 1:] = band[2, :-1] = -k / step_m
    band[1] = heat_m3 * step_m / dt_s + 2 * k / step_m
    band[1, 0] -= k / step_m
    face = 1 / (1 / h + step_m / 2 / k)
    band[1, -1] += face - k / step_m
    state = layers.initial(built, 400.0, np.zeros(1))
    for number in range(1, 1441):
        wall_k = 400.0 + number * dt_s / 60
        known = heat_m3 * step_m / dt_s * seen_k
        known[-1] += face * wall_k
        seen_k = solve_banded((1, 1), band, known)
    # the transfer of a wall at 400 K, held while the wall goes on
    built = built._replace(shape=built.shape._replace(radiation_share=0.0))
    slow = slow._replace(
        log_h=np.log(np.full(1, h / (value("external_h") * pressure_pa / (pressure_pa + value("convection_half_pressure")))))
    )
    state = layers.advance(built, slow, state, layers.Drive(400.0, 520.0, pressure_pa, 0.0), 7200.0).state
    film_k = layers.places(built, slow, state, 520.0, pressure_pa).film_k[0]
    lead = 1 / (1 + 1 / (h * roll.fin))
    assert state.temps[0, 0] == pytest.approx(seen_k.mean(), abs=0.1)
    assert film_k[0] == pytest.approx(seen_k[0], abs=0.25)
    assert state.temps[0, 0] + lead * (520.0 - state.temps[0, 0]) == pytest.approx(seen_k[-1], abs=0.15)
    assert seen_k[-1] - seen_k[0] > 1.0


@pytest.mark.parametrize(("wall_k", "pressure_pa"), [(320.0, 101325.0), (430.0, 3e3), (513.0, 20.0)])
def test_the_outermost_surface_is_where_heat_from_the_wall_is_heat_into_the_ring(wall_k, pressure_pa):
    """h A (wall - surface) = k S (surface - ring), S of the roll that warms at one rate, for members of any transfer and conductivity."""
    built, slow, _ = model(5, POSITIONS, USUAL_CELLS)
    slow = slow._replace(log_h=np.array([0.0, 1.0, -1.0, 0.3, -0.4]), log_k=np.array([0.0, -1.5, 2.0, 0.7, -0.6]))
    roll, ring_k = reference(POSITIONS, USUAL_CELLS), 300.0
    rim_m = np.sqrt(0.075**2 + 1000.0 * 138e-6 / np.pi)
    area_m2, around_m = 2 * np.pi * rim_m * 1.0, roll.last
    assert around_m == pytest.approx(2 * np.pi / np.log(rim_m / (rim_m - 0.025 * (rim_m - 0.075))), rel=0.03)  # half of the outermost 5 %
    state = layers.initial(built, ring_k, np.zeros(5))
    shares = layers.places(built, slow, state, wall_k, pressure_pa).nearer[0]
    for share, log_h, log_k in zip(shares, slow.log_h, slow.log_k, strict=True):
        surface_k = ring_k + share * (wall_k - ring_k)
        given_w = roll.transfer(wall_k, pressure_pa) * np.exp(log_h) * area_m2 * (wall_k - surface_k)
        taken_w = roll.conductivity(pressure_pa) * np.exp(log_k) * around_m * (surface_k - ring_k)
        assert given_w == pytest.approx(taken_w, rel=1e-9)
    limits = slow._replace(log_h=np.zeros(5), log_k=np.array([-40.0, 40.0, 0.0, 0.0, 0.0]))
    assert layers.places(built, limits, state, wall_k, pressure_pa).nearer[0, :2] == pytest.approx([1.0, 0.0], abs=1e-9)


def test_what_cannot_be_carried_is_flagged_and_stays():
    built, slow, state = model(3, 4, 6)
    state.block[1, 2] = np.nan
    drive = layers.Drive(400.0, 400.0, 1e3, 0.0)
    done = layers.advance(built, slow, state, drive, 60.0)
    assert done.failed.tolist() == [False, True, False]
    assert np.array_equal(done.state.block[1], state.block[1], equal_nan=True)
    assert done.left_kg[1] == 0
    assert np.isfinite(done.state.block[[0, 2]]).all()
    seen = layers.trajectory(built, slow, state, KNOTS, np.array([H]))
    assert seen.failed.tolist() == [False, True, False]
    assert np.isnan(seen.temp_k[1]).all()
    assert np.isfinite(seen.blister[[0, 2]]).all()


@pytest.mark.parametrize("seed", range(6))
def test_members_far_from_the_median_stay_finite_and_not_negative(seed):
    rng = np.random.default_rng(seed)
    built, slow, state = model(40, 4, 10)
    slow = layers.Slow(*(rng.normal(0, sd, 40) for sd in (2.0, 2.0, 0.3, 1.2, 0.6, 1.2, 2.0, 0.6, 0.3)))
    for _ in range(12):
        drive = layers.Drive(rng.uniform(290, 550), rng.uniform(290, 550), 10 ** rng.uniform(0, 5), 0.0)
        done = layers.advance(
            built, slow, state, drive._replace(vapour_pa=rng.uniform(0, 0.5) * drive.pressure_pa), 10 ** rng.uniform(0, 4)
        )
        assert not done.failed.any()
        state = done.state
        assert np.isfinite(state.block).all()
        assert state.solvent.min() >= 0
        assert state.bound.min() >= 0
        assert state.conversion.min() >= 0
        assert state.conversion.max() < 1


def test_blister_and_trajectory_agree_and_know_the_glass():
    built, slow, _ = model(1, 4, 6)
    built.table[:, COLUMN["sites"]] = 0.0  # what is bound neither pushes nor softens, see test_layers_bound
    hot = layers.initial(built, 480.0, np.array([0.2]))
    pushing, rubbery = layers.blister(built, slow, hot, hot.temps, 1e4)
    assert rubbery.all()
    glass = 1 / (0.8 / 553.0 + 0.2 / 166.0)
    for apart_k, grows in ((-1, False), (1, True)):
        state = layers.initial(built, glass + apart_k, np.array([0.2]))
        assert (layers.blister(built, slow, state, state.temps, 1e4)[1] == grows).all()
    seen = layers.trajectory(built, slow, hot, np.array([[0.0, 480.0, 1e4, 0.0]]), np.array([0.0]))
    assert seen.blister[0, 0] == pytest.approx(pushing[0].max(), rel=1e-9)
    learnt = slow._replace(more_chi=np.array([0.3]))  # a poorer solvent pushes harder, by e to the chi phi2^2
    more, _ = layers.blister(built, learnt, hot, hot.temps, 1e4)
    ratio = built.table[0, COLUMN["density_ratio"]]
    assert more / pushing == pytest.approx(np.exp(0.3 * (ratio / (ratio + 0.25)) ** 2), rel=1e-9)
    seen = layers.trajectory(built, learnt, hot, np.array([[0.0, 480.0, 1e4, 0.0]]), np.array([0.0]))
    assert seen.blister[0, 0] == pytest.approx(more.max(), rel=1e-9)


def test_too_little_solvent_at_the_foil_fills_no_blister():
    built, slow, _ = model(1, 4, 6)
    built.table[:, COLUMN["sites"]] = 0.0
    for u, grows in ((0.9 * HARMLESS_U, False), (1.1 * HARMLESS_U, True)):
        state = layers.initial(built, 560.0, np.array([u / (1 + u)]))  # above the dry film's glass transition
        pushing, found = layers.blister(built, slow, state, state.temps, 50.0)
        assert (found == grows).all()
        assert (pushing > 1).all()
        seen = layers.trajectory(built, slow, state, np.array([[0.0, 560.0, 50.0, 0.0]]), np.array([0.0]))
        assert seen.blister[0, 0] == pytest.approx(pushing.max() if grows else 0.0)


def test_a_ramp_crosslinks_by_the_exponential_integral():
    """100 to 220 degC at 1 K/min, A = 1e10 1/s, E = 140 kJ/mol, first order, nothing hindered: q = (A/b) [T e^-x - E/R E1(x)]."""
    built, slow, _ = model(1, 4, 5, TIGHT)
    energy_k = 140e3 / 8.314462618
    table = built.table.copy()
    laws = {
        "energy_k": energy_k, "rate_s": 1e10 * np.exp(-energy_k / 513.15), "order": 1.0, "rise_k": 0.0, "glass_dry_k": 101.0,
        "glass_solvent_k": 100.0, "offset_k": 0.0, "width_k": 5.0,
    }  # fmt: skip
    for name, number in laws.items():
        table[:, COLUMN[name]] = number
    built = built._replace(table=table, shape=built.shape._replace(capacity_inverse=built.shape.capacity_inverse * 1e5))  # follows the wall
    state = layers.initial(built, 373.15, np.zeros(1))
    seen = layers.trajectory(built, slow, state, np.array([[0.0, 373.15, 1e5, 0.0], [7200.0, 493.15, 1e5, 0.0]]), np.array([7200.0]))
    x = energy_k / np.array([373.15, 493.15])
    closed = np.diff(1e10 * 60 * (np.array([373.15, 493.15]) * np.exp(-x) - energy_k * exp1(x)))[0]
    assert closed == pytest.approx(0.0121663, abs=6e-8)
    assert -np.log1p(-seen.conversion[0, 0]) == pytest.approx(closed, rel=1e-3)  # a lag of 0.01 K is left


@pytest.mark.parametrize("positions", [1, ("core", "outer"), ("edge",), ("core", "core", "edge")])
def test_positions_that_make_no_roll_are_refused(positions):
    with pytest.raises(ValueError, match="positions"):
        layers.build(batch.LOAD, batch.NMP, layers.Uncertain.median(1, 1e-4), positions, 5)


def test_nothing_is_compiled_after_the_warm_up():
    before = layers.warm_up()
    built, slow, state = model(7, 12, 20)
    layers.advance(built, slow, state, layers.Drive(400.0, 410.0, 1e3, 10.0), 10.0)
    layers.trajectory(built, slow, state, KNOTS, np.array([H, DAY_S]))
    assert layers.variants() == before
    layers.build(batch.LOAD, batch.NMP, layers.Uncertain.median(1, 1e-4), 4, 5, tolerance=Tolerance(1e-3, 1e-5, 1e-3, 1e-2, 1e-6))
    assert layers.warm_up() == before
