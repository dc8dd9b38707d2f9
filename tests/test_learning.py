"""How an observation moves the members: the exact Kalman update where everything is linear, and what it must never touch."""

from dataclasses import replace

import numpy as np
import pytest

from controller.estimator import EstimatorSettings, LoadState, belief, layers, learning
from controller.estimator.belief import Belief
from controller.estimator.member import Member
from controller.estimator.members import MEMBERS, SENSORS, members_of
from controller.estimator.model import POSITIONS
from controller.estimator.parameters import PARAMETERS

TRIAL = LoadState(length_m=20, width_m=0.5, film_um=20, foil_um=18, gap_um=100, core_mm=76, predry_residual_wt_pct=20, residual_sd_wt_pct=1)
SITE = EstimatorSettings()
MEMBER_SET = members_of(SITE, TRIAL)
WALL_K, PRESSURE_PA = 440.0, 1e3
GAS = layers.Gas(PRESSURE_PA, 100.0)
STEADY = np.zeros((MEMBERS, len(POSITIONS)))
HEED = 0.2  # of what a look tells about contact and offset: the model's error lasts longer than the minute between two looks


def warm(seed: int = 1) -> Belief:
    """Members around 420 K, 8 K apart, after an hour in which their films have become different."""
    rng = np.random.default_rng(seed)
    fresh = belief.fresh(MEMBER_SET, 147.0)
    state = layers.advance(MEMBER_SET.model, fresh.slow, fresh.state, layers.Drive(420.0, 420.0, 1e3, 100.0), 3600.0).state
    state.bound[:] *= 0.5  # its range is not in play
    state.temps[:] = 420.0 + rng.normal(0, 8, MEMBERS)[:, None] + rng.normal(0, 3, (MEMBERS, len(POSITIONS)))
    return fresh._replace(state=state, slow=fresh.slow._replace(log_k=0.5 * fresh.slow.log_k))  # the range of k is not in play


def heat_rows(found: Belief, sensor: int = 0) -> np.ndarray:
    warmed = (found.slow.log_h, found.slow.log_k, found.slow.log_bore)
    return np.vstack((found.state.temps.T, *warmed, found.contact[:, sensor], found.offset_k[:, sensor]))


def foreseen(found: Belief, sensor: int) -> np.ndarray:
    return learning.foreseen(MEMBER_SET, found, sensor, WALL_K, PRESSURE_PA, STEADY)


def looked(found: Belief, sensor: int, observed_k: float, deviation_k: float) -> tuple[Belief, learning.Looked]:
    return learning.from_thermocouple(MEMBER_SET, found, sensor, observed_k, deviation_k, WALL_K, PRESSURE_PA, STEADY)


def solvent_rows(found: Belief) -> np.ndarray:
    """Logarithms of the zones' free and bound solvent, of what moves it, of the gain; the way out with what else of a member it is."""
    free = free_u(found)
    slow = found.slow
    moved = (slow.log_dry, slow.log_swollen, slow.log_slope, slow.log_way + exchange(found), slow.log_release, slow.more_chi)
    return np.vstack((np.log(free).T, np.log(found.state.bound).T, *moved, found.log_gain))


def exchange(found: Belief) -> np.ndarray:
    return layers.log_exchange(MEMBER_SET.model, found.state, GAS)


def free_u(found: Belief) -> np.ndarray:
    return np.einsum("n,mnp->mp", MEMBER_SET.model.shape.volume, found.state.solvent)


def kalman(rows: np.ndarray, predicted: np.ndarray, observed: float, deviation: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance after one scalar observation, from the joint Gaussian of state and prediction (textbook)."""
    joint = np.cov(np.vstack((rows, predicted)))
    gain = joint[:-1, -1] / (joint[-1, -1] + deviation**2)
    return rows.mean(axis=1) + gain * (observed - predicted.mean()), joint[:-1, :-1] - np.outer(gain, joint[:-1, -1])


def evened(predicted: np.ndarray, observed: float, deviation: float) -> tuple[np.ndarray, float, float]:
    """On the scale asinh(x / 2s), s the deviation, which is its own by the slope there."""
    stretched = np.arcsinh(np.append(predicted, observed) / (2 * deviation))
    return stretched[:-1], float(stretched[-1]), deviation / float(np.sqrt(observed**2 + 4 * deviation**2))


@pytest.mark.parametrize("sensor", range(3))
@pytest.mark.parametrize("off_k", [-4.0, 0.0, 3.0])
def test_a_thermocouple_is_the_exact_kalman_update(sensor: int, off_k: float) -> None:
    before = warm()
    rows, predicted = heat_rows(before, sensor), foreseen(before, sensor)
    observed = float(predicted.mean()) + off_k
    after, _ = looked(before, sensor, observed, 3.0)
    mean, covariance = kalman(rows, predicted, observed, 3.0)
    heeded = mean.copy()
    heeded[-2:] = rows[-2:].mean(axis=1) + HEED * (mean - rows.mean(axis=1))[-2:]  # contact and offset
    low, high = (getattr(PARAMETERS[f"contact_{SENSORS[sensor]}"], end) for end in ("low", "high"))
    found, moved = np.cov(heat_rows(after, sensor)), heat_rows(after, sensor).mean(axis=1)
    assert np.delete(moved, -2) == pytest.approx(np.delete(heeded, -2), rel=1e-9, abs=1e-9)
    assert moved[-2] == pytest.approx(heeded[-2], abs=0.01)  # some members lie on the end of the contact's range
    assert after.contact[:, sensor].min() >= low
    assert after.contact[:, sensor].max() <= high
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
    after, seen = learning.from_solvent(MEMBER_SET, before, predicted, observed, deviation, GAS)
    on_scale, seen_there, sd_there = evened(predicted, observed, deviation)
    mean, covariance = kalman(rows, on_scale, seen_there, sd_there)
    floors = np.minimum(learning._SOLVENT_FLOORS[:, 0], rows.std(axis=1, ddof=1))
    free = np.sqrt(np.diag(covariance)) > floors * (1 + 1e-9)
    assert free.sum() >= 6
    assert solvent_rows(after).mean(axis=1) == pytest.approx(mean, rel=1e-6, abs=1e-9)
    assert np.cov(solvent_rows(after))[np.ix_(free, free)] == pytest.approx(covariance[np.ix_(free, free)], rel=1e-5, abs=1e-10)
    assert seen.surprise == pytest.approx((seen_there - on_scale.mean()) / np.hypot(on_scale.std(ddof=1), sd_there))
    assert seen.nearest == pytest.approx(np.abs(predicted - observed).min() / deviation)


@pytest.mark.parametrize("times", [0.2, 1.0, 3.0])
def test_a_flux_that_is_a_product_moves_its_factors_by_what_logarithms_say(times: float) -> None:
    """ln flux = ln way and something constant of each member, twice as far spread, added: the way takes its share of a surprise."""
    before = warm()
    middle = exchange(before).mean()
    way = before.slow.log_way + exchange(before) - middle
    ln_flux = 0.4 * way + np.random.default_rng(3).normal(0.0, 0.8 * way.std(), MEMBERS)
    observed = 0.01 * times
    after, _ = learning.from_solvent(MEMBER_SET, before, 0.01 * np.exp(ln_flux), observed, 0.2 * observed, GAS)
    share = np.cov(way, ln_flux)[0, 1] / (ln_flux.var(ddof=1) + 0.2**2)
    exact = way.mean() + share * (np.log(times) - ln_flux.mean())
    assert (after.slow.log_way + exchange(after)).mean() - middle == pytest.approx(exact, abs=0.12)


@pytest.mark.parametrize("off", [-0.6, 0.7])
def test_a_flux_of_bound_solvent_moves_it_and_its_release_with_the_exact_gain(off: float) -> None:
    """What the middle zone sets free, k u: a number that both make, so that both move, by what the joint Gaussian says."""
    before = warm()
    before = before._replace(slow=before.slow._replace(log_release=0.7 * before.slow.log_release))
    predicted = np.exp(before.slow.log_release) * before.state.bound[:, 1]
    deviation = 2.0 * float(predicted.std())
    observed = float(predicted.mean()) + off * deviation
    after, _ = learning.from_solvent(MEMBER_SET, before, predicted, observed, deviation, GAS)
    rows, found = solvent_rows(before), solvent_rows(after)
    mean, covariance = kalman(rows, *evened(predicted, observed, deviation))
    held, release = len(POSITIONS) + 1, -3
    moved = found.mean(axis=1) - rows.mean(axis=1)
    for row in (held, release):
        assert found[row].mean() == pytest.approx(mean[row], rel=1e-6, abs=1e-9)
        assert moved[row] * np.sign(off) > 0.03
        assert found[row].var(ddof=1) == pytest.approx(covariance[row, row], rel=1e-6)
        assert found[row].std(ddof=1) < 0.99 * rows[row].std(ddof=1)  # no floor is in play
    assert np.cov(found)[held, release] == pytest.approx(covariance[held, release], rel=1e-6, abs=1e-9)
    assert np.cov(found)[held, release] < np.cov(rows)[held, release]  # of the product more is known than of the two


def test_three_looks_at_the_flux_tell_how_the_vapour_gets_out_however_little_is_known_of_the_gap() -> None:
    """Gap, circulation and tape together are known to a factor of three or more; all members then give off what is seen, by their ways."""
    found, table = warm(), MEMBER_SET.model.table.copy()
    assert (found.slow.log_way + exchange(found)).std() > 1.0
    for _ in range(3):
        given = 1e-3 * np.exp(found.slow.log_way + exchange(found) - float(exchange(warm()).mean()))
        found, _ = learning.from_solvent(MEMBER_SET, found, given, 2e-3, 4e-4, GAS)
    given = 1e-3 * np.exp(found.slow.log_way + exchange(found) - float(exchange(warm()).mean()))
    assert np.median(given) == pytest.approx(2e-3, rel=0.2)
    assert np.log(given).std() < 0.35
    assert np.array_equal(MEMBER_SET.model.table, table)


@pytest.mark.parametrize(("pressure_pa", "vapour_pa"), [(1e3, 900.0), (101325.0, 2e3)])
def test_what_lets_vapour_out_is_diffusion_in_series_and_what_circulation_blows(pressure_pa: float, vapour_pa: float) -> None:
    found, column = warm(), dict(zip(Member._fields, MEMBER_SET.model.table.T, strict=True))
    share = MEMBER_SET.model.winding.share
    mean_k = (found.state.temps[:, :-1] * [*share[:-2], share[-2] + share[-1]]).sum(axis=1)
    knudsen = column["knudsen_root"] * mean_k**0.5
    molecular = column["molecular_pa"] * mean_k**1.75 / (pressure_pa - vapour_pa)
    out = 1 / (1 / knudsen + 1 / molecular) + column["swept_m2_pa_s"] * pressure_pa
    seen = layers.log_exchange(MEMBER_SET.model, found.state, layers.Gas(pressure_pa, vapour_pa))
    assert np.exp(seen) == pytest.approx(column["surface_scale"] * out)


def test_bound_solvent_stays_inside_its_range_and_a_film_without_gets_none() -> None:
    before = warm()
    before.state.bound[:, :2] = 0.9 * PARAMETERS["bound_solvent"].high
    before.state.bound[:48, 2] = 0.0
    predicted = before.state.bound.sum(axis=1) * np.exp(0.1 * before.slow.log_release)
    after, _ = learning.from_solvent(MEMBER_SET, before, predicted, 3 * float(predicted.mean()), 0.01 * float(predicted.mean()), GAS)
    assert after.state.bound.max() <= PARAMETERS["bound_solvent"].high
    assert (after.state.bound[:48, 2] == 0).all()
    assert (after.state.bound >= 0).all()


def test_a_belief_is_read_back_as_it_was_packed() -> None:
    before = warm(5)
    before = before._replace(leaving_kg=np.arange(MEMBERS) * 0.5, hidden_kg=np.arange(MEMBERS) * 0.25)
    block = belief.pack(before)
    after = belief.unpack(block)
    assert len(block) == MEMBERS * belief.COLUMNS * 8
    assert belief.pack(after) == block
    for name in ("temps", "solvent", "conversion", "bound"):
        assert np.array_equal(getattr(after.state, name), getattr(before.state, name)), name
    for name, scale in zip(layers.Slow._fields, after.slow, strict=True):
        assert np.array_equal(scale, getattr(before.slow, name)), name
    for name in ("log_gain", "offset_k", "contact", "leaving_kg", "hidden_kg"):
        assert np.array_equal(getattr(after, name), getattr(before, name)), name
    assert np.ptp(after.state.bound) > 0
    assert np.ptp(after.slow.log_release) > 0


def test_a_thermocouple_moves_heat_and_nothing_else() -> None:
    before = warm()
    after, _ = looked(before, 0, 425.0, 1.0)
    assert np.array_equal(after.state.solvent, before.state.solvent)
    assert np.array_equal(after.state.conversion, before.state.conversion)
    assert np.array_equal(after.state.bound, before.state.bound)
    for name in ("log_dry", "log_swollen", "log_slope", "log_way", "log_release", "more_chi"):
        assert np.array_equal(getattr(after.slow, name), getattr(before.slow, name)), name
    assert np.array_equal(after.log_gain, before.log_gain)
    assert np.array_equal(after.leaving_kg, before.leaving_kg)
    assert np.array_equal(after.contact[:, 1:], before.contact[:, 1:])  # the other sensors' own
    assert np.array_equal(after.offset_k[:, 1:], before.offset_k[:, 1:])
    assert not np.array_equal(after.state.temps, before.state.temps)
    assert not np.array_equal(after.contact[:, 0], before.contact[:, 0])
    assert not np.array_equal(after.offset_k[:, 0], before.offset_k[:, 0])


def test_solvent_moves_the_film_and_nothing_else() -> None:
    before = warm()
    predicted = np.exp(solvent_rows(before)[0])
    after, _ = learning.from_solvent(MEMBER_SET, before, predicted, 1.3 * float(predicted.mean()), 0.1 * float(predicted.mean()), GAS)
    assert np.array_equal(after.state.temps, before.state.temps)
    assert np.array_equal(after.state.conversion, before.state.conversion)
    assert np.array_equal(after.slow.log_h, before.slow.log_h)
    assert np.array_equal(after.slow.log_k, before.slow.log_k)
    assert np.array_equal(after.offset_k, before.offset_k)
    assert np.array_equal(after.contact, before.contact)
    profile_before, profile_after = (b.state.solvent / free_u(b)[:, None, :] for b in (before, after))
    assert profile_after == pytest.approx(profile_before, rel=1e-9)  # a zone's profile keeps its shape


def test_what_is_learnt_from_is_left_alone() -> None:
    before = warm()
    kept = belief.pack(before)
    looked(before, 1, 430.0, 1.0)
    learning.from_solvent(MEMBER_SET, before, np.exp(solvent_rows(before)[0]), 0.1, 0.01, GAS)
    assert belief.pack(before) == kept


def test_spreads_do_not_fall_below_their_floors_however_often_one_looks() -> None:
    found = warm()
    start = solvent_rows(found).std(axis=1, ddof=1)
    for _ in range(60):
        predicted = np.exp(solvent_rows(found)[0])
        found, _ = learning.from_solvent(MEMBER_SET, found, predicted, float(predicted.mean()), 1e-3 * float(predicted.mean()), GAS)
        found, _ = looked(found, 0, float(foreseen(found, 0).mean()), 0.01)
    floors = np.minimum(learning._SOLVENT_FLOORS[:, 0], start)
    assert (solvent_rows(found).std(axis=1, ddof=1) >= floors * (1 - 1e-6)).all()
    kept = heat_rows(found).std(axis=1, ddof=1)
    assert (kept[: len(POSITIONS)] >= 0.15 * (1 - 1e-6)).all()
    assert (kept[len(POSITIONS) : -2] >= 0.25 * (1 - 1e-6)).all()  # heat transfer and conductivity
    assert kept[-1] >= 0.5 * (1 - 1e-6)  # offset
    assert kept[-2] >= 0.015  # contact: a floor of 0.02, less what its range cuts off


def test_an_absurd_reading_pulls_no_harder_than_two_and_a_half_deviations() -> None:
    before = warm()
    predicted = foreseen(before, 0)
    total = float(np.hypot(predicted.std(ddof=1), 3.0))
    edge, _ = looked(before, 0, float(predicted.mean()) + 2.5 * total, 3.0)
    absurd, seen = looked(before, 0, float(predicted.mean()) + 400.0, 3.0)
    assert heat_rows(absurd) == pytest.approx(heat_rows(edge), rel=1e-12)
    assert seen.surprise == pytest.approx(400.0 / total)
    moved = heat_rows(absurd).mean(axis=1) - heat_rows(before).mean(axis=1)
    assert np.abs(moved[: len(POSITIONS)]).max() <= 5.0 + 1e-9  # and a temperature by no more than 5 K
    assert np.abs(moved[len(POSITIONS) :]).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_no_observation_of_solvent_moves_a_logarithm_by_more_than_its_bound(factor: float) -> None:
    before = warm()
    predicted = np.exp(solvent_rows(before)[0])
    after, _ = learning.from_solvent(MEMBER_SET, before, predicted, factor * float(predicted.mean()), 1e-6, GAS)
    moved = solvent_rows(after).mean(axis=1) - solvent_rows(before).mean(axis=1)
    assert np.abs(moved).max() <= 0.7 + 1e-6
    assert (after.state.solvent >= 0).all()


def test_the_nearest_member_is_told_in_deviations_of_the_error() -> None:
    before = warm()
    predicted = np.full(MEMBERS, 2.0)
    predicted[3] = 5.0
    _, seen = learning.from_solvent(MEMBER_SET, before, predicted, 6.0, 0.5, GAS)
    assert seen.nearest == pytest.approx(2.0)


def test_sensors_sit_on_positions_of_the_roll() -> None:
    assert set(SENSORS) < set(POSITIONS)
    other = members_of(SITE, replace(TRIAL, length_m=40.0))
    assert other.model.positions == POSITIONS


DRY = LoadState(1000.0, 1.0, 20, 18, 100, 152, 0.5, 0.1)
DRY_SET = members_of(SITE, DRY)


def stepped(sensor: int, contact: float, log_h: float = 0.0, minutes: int = 20) -> Belief:
    """The members after the wall has jumped from 350 to 410 K over a roll of this heat transfer, seen by a sensor of this contact."""
    slow = layers.Slow.none(MEMBERS)._replace(log_h=np.full(MEMBERS, log_h))
    true, found, low_k, high_k = layers.initial(DRY_SET.model, 350.0, np.full(MEMBERS, 0.005)), belief.fresh(DRY_SET, 76.85), 350.0, 410.0
    drive = layers.Drive(high_k, high_k, 1e5, 0.0)
    assert found.state.temps == pytest.approx(low_k)
    for _ in range(minutes):
        true = layers.advance(DRY_SET.model, slow, true, drive, 60.0).state
        found = found._replace(state=layers.advance(DRY_SET.model, found.slow, found.state, drive, 60.0).state)
        film_k, nearer = layers.places(DRY_SET.model, slow, true, high_k, 1e5)
        inside = SENSORS[sensor] == "core"  # which sits in the core tube's end, the others on the outermost surface
        place_k = float(true.temps[0, -1] if inside else film_k[0, POSITIONS.index(SENSORS[sensor])])
        place_k += float(nearer[int(inside), 0]) * (high_k - place_k)
        read_k = place_k + contact * (high_k - place_k)
        found, _ = learning.from_thermocouple(
            DRY_SET, found, sensor, read_k, float(np.hypot(3.0, 0.1 * (high_k - read_k))), high_k, 1e5, STEADY
        )
    return found


@pytest.mark.parametrize(("contact", "low", "high"), [(0.3, 0.11, 0.31), (0.15, 0.09, 0.16), (0.02, 0.01, 0.09)])
def test_a_contact_is_learnt_from_a_step_of_the_wall(contact: float, low: float, high: float) -> None:
    core = SENSORS.index("core")
    after = stepped(core, contact)
    assert DRY_SET.contact[:, core].mean() == pytest.approx(0.08, abs=0.02)
    assert low < after.contact[:, core].mean() < high
    assert after.contact[:, core].std() < 0.95 * DRY_SET.contact[:, core].std()


@pytest.mark.parametrize("log_h", [-0.5, 0.5])
def test_a_roll_that_lags_is_not_taken_for_a_contact(log_h: float) -> None:
    """What changes with time after the step is heat transfer; what was there at once is contact, which here is as foreseen.

    A contact of the core's sensor is told apart; outside, the surface itself follows the wall at once.
    """
    edge = SENSORS.index("edge")
    after = stepped(edge, float(DRY_SET.contact[:, edge].mean()), log_h, minutes=120)
    assert after.contact[:, edge].mean() == pytest.approx(float(DRY_SET.contact[:, edge].mean()), abs=0.03)
    moved = float((after.slow.log_h + after.slow.log_k).mean() - (DRY_SET.slow.log_h + DRY_SET.slow.log_k).mean())
    assert moved * np.sign(log_h) > 0.2
    core = SENSORS.index("core")
    touched = stepped(core, 0.3)
    assert touched.contact[:, core].mean() > float(DRY_SET.contact[:, core].mean()) + 0.02


def test_heat_transfer_and_conductivity_stay_inside_their_parameters_ranges() -> None:
    found = warm()
    found = found._replace(slow=found.slow._replace(log_k=6.0 * found.slow.log_k, log_h=6.0 * found.slow.log_h))
    after, _ = looked(found, 0, float(foreseen(found, 0).mean()), 3.0)
    for scale, name in ((after.slow.log_h, "external_h"), (after.slow.log_k, "k_radial")):
        row = PARAMETERS[name]
        assert np.exp([scale.min(), scale.max()]) == pytest.approx([row.low / row.value, row.high / row.value])
