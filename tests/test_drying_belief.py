"""What weighed coupons say of drying: against an independent film, plain Monte Carlo, scipy, and films that truly are so."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.sparse import diags, lil_matrix
from scipy.stats import norm

from controller.estimator import drying
from controller.estimator.drying import AXES, BOUND, DIFFUSION, ENERGY, NAMES, RELEASE, RELEASE_ENERGY, Belief
from controller.estimator.model import EstimatorSettings
from controller.estimator.parameters import PARAMETERS
from tests.weighing import EARLY, HELD, LATE, LONG, NMP, PAIRS, PRIOR, RAMP, WARM, Points, R, weighed

Array = NDArray[np.float64]
ALL_MEDIAN = np.zeros((len(AXES), 1))
LOTS = 30


def exactly(*theta: float) -> Belief:
    return Belief(np.array(theta), 1e-12 * np.eye(len(NAMES)))


def within(theta: Array) -> Array:
    """The parameters' ranges, written a second time."""
    found = theta.copy()
    for axis, name in ((ENERGY, "diffusion_energy_dry"), (RELEASE_ENERGY, "release_energy")):
        found[axis] = np.clip(found[axis], PARAMETERS[name].low, PARAMETERS[name].high)
    for axis, name in ((BOUND, "bound_solvent"), (RELEASE, "release_rate")):
        found[axis] = np.clip(found[axis], np.log(PARAMETERS[name].low), np.log(PARAMETERS[name].high))
    return found


def another_film(points: Points, theta: tuple[float, ...], film_um: float, predry: float, cells: int = 120) -> float:
    """The documented law by cell-centred finite volumes and BDF, the face at no activity; written from its equations, not from its code.

    1/D = 1/[D_dry exp(20 w + 72 min(w, wg))] + 1/D_swollen, Arrhenius both; wg by Fox from 553 K dry and 166 K; no heat, no gap. Bound
    solvent, evenly over the film, is part of w: db/dt = -k [b - s (1 - exp(-u / 0.04))], which every cell gains; k Arrhenius, u the free
    part's mean. Both begin in equilibrium.
    """
    ln_diffusion, energy, ln_sites, ln_release, release_energy = theta
    sites = float(np.exp(ln_sites))
    hours, temp_c = np.array(points).T
    width = (film_um * 1e-6 / cells) ** 2

    def slope(at_s: float, y: Array) -> Array:
        u, bound = y[:-1], y[-1]
        temp = float(np.interp(at_s / 3600, hours, temp_c)) + 273.15
        dry = np.exp(ln_diffusion - 1e3 * energy / R * (1 / temp - 1 / 473.15))
        swollen = 1e-11 * np.exp(-37e3 / R * (1 / temp - 1 / 373.15))
        glass = max((1 / temp - 1 / 553) / (1 / 166 - 1 / 553), 0.0)
        held = sites * (1 - np.exp(-max(u.mean(), 0.0) / 0.04))
        freed = np.exp(ln_release - 1e3 * release_energy / R * (1 / temp - 1 / 473.15)) * (bound - held)

        def conductance(middle: Array) -> Array:
            wet = middle + bound
            w = wet / (1 + wet)
            return 1 / (1 / (dry * np.exp(20 * w + 72 * np.minimum(w, glass))) + 1 / swollen)

        inner = conductance((u[1:] + u[:-1]) / 2) * np.diff(u) / width
        outer = conductance(u[-1:] / 2) * -u[-1:] / (width / 2)
        flows = np.concatenate(([0.0], inner, outer))
        return np.append(np.diff(flows) + freed, -freed)

    start = predry / (1 - predry)
    bound = brentq(lambda held: held - sites * (1 - np.exp(-(start - held) / 0.04)), 0.0, start)
    touched = lil_matrix((cells + 1, cells + 1))
    touched[:cells, :cells] = diags([1.0, 1.0, 1.0], [-1, 0, 1], shape=(cells, cells))
    touched[:, cells] = touched[cells, :] = 1
    found = solve_ivp(
        slope, (0, 3600 * hours[-1]), np.append(np.full(cells, start - bound), bound), method="BDF", jac_sparsity=touched.tocsc(),
        rtol=1e-6, atol=1e-9, max_step=120.0,
    )  # fmt: skip
    assert found.success
    mean = float(found.y[:-1, -1].mean() + found.y[-1, -1])
    return mean / (1 + mean)


@pytest.mark.parametrize(
    ("points", "theta", "film_um", "predry"),
    [
        (EARLY, (np.log(1e-14), 80.0, np.log(0.028), np.log(2e-4), 100.0), 20.0, 0.18),
        (LATE, (np.log(8e-15), 105.0, np.log(0.05), np.log(1e-4), 120.0), 20.0, 0.18),
        (RAMP, (np.log(2e-14), 95.0, np.log(0.01), np.log(5e-4), 80.0), 25.0, 0.25),
        (((0, 150), (2, 150), (2.1, 200), (4, 200)), (np.log(3e-14), 60.0, np.log(0.06), np.log(3e-4), 90.0), 12.0, 0.12),
        (HELD, (np.log(1e-14), 80.0, np.log(0.04), np.log(0.1), 100.0), 20.0, 0.18),  # free at once
        (WARM, (np.log(1e-14), 80.0, np.log(0.07), np.log(1e-6), 100.0), 20.0, 0.05),  # more would be bound than there is
    ],
)
def test_a_coupon_dries_as_an_independent_film_does(points: Points, theta: tuple[float, ...], film_um: float, predry: float) -> None:
    """All deviates at the median. The film's heat, gap and grid of ten nodes are what may differ: 3 % of the value and 0.01 wt%."""
    coupon = weighed(points, film_um=film_um, predry=predry)
    found = drying.residuals(exactly(*theta), [coupon], NMP, ALL_MEDIAN)[0, 0]
    assert found == pytest.approx(another_film(points, theta, film_um, predry), rel=0.03, abs=1e-4)


def test_the_likelihood_is_the_normal_one_and_that_of_a_censored_reading_its_distribution() -> None:
    left = np.array([[1e-4, 2e-3, 8e-3, 5e-2], [1e-5, 1e-3, 5e-3, 0.2]])
    seen, below = weighed(EARLY, 0.006, 8e-4), weighed(LATE, 2e-4, 5e-4)
    found = drying._log_likelihoods([seen, below], left)
    wide = np.hypot(8e-4, drying.LAW_LN_SD * left[0])
    exact = norm.logpdf(0.006, left[0], wide) + np.log(8e-4 * np.sqrt(2 * np.pi))
    assert found[0] == pytest.approx(exact, rel=1e-9)
    assert found[1] == pytest.approx(norm.logcdf((below.limit - left[1]) / np.hypot(5e-4, drying.LAW_LN_SD * left[1])), rel=2e-3)
    far = np.linspace(-40, 8, 97)
    assert drying._log_normal_cdf(far) == pytest.approx(norm.logcdf(far), rel=2e-3, abs=1e-12)


def test_the_posterior_is_that_of_plain_monte_carlo() -> None:
    """10 000 independent draws from the prior and their weights, against some rounds of samples of a fixed design."""
    given = [weighed(WARM, 0.027, 1e-3), weighed(HELD, 0.009, 5e-4), weighed(LATE, 0.0055, 5e-4), weighed(LONG, 3e-4, 5e-4)]
    deviates = np.random.default_rng(7).standard_normal((len(AXES), 10_000))
    dried = drying.residuals(PRIOR, given, NMP, deviates)
    log_weight = norm.logcdf((given[3].limit - dried[3]) / np.hypot(5e-4, drying.LAW_LN_SD * dried[3]))
    for coupon, left in zip(given[:3], dried[:3], strict=True):
        log_weight += norm.logpdf(coupon.residual, left, np.hypot(coupon.residual_sd, drying.LAW_LN_SD * left))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    theta = within(PRIOR.mean[:, None] + np.linalg.cholesky(PRIOR.covariance) @ deviates[: len(NAMES)])
    mean = theta @ weight
    tied = ((theta - mean[:, None]) * weight) @ (theta - mean[:, None]).T
    sd = np.sqrt(np.diag(tied))
    reference = 1 / float((weight**2).sum())
    assert reference > 110  # good to 9 % of an sd
    found = drying.update(PRIOR, given, samples=6144)
    assert found.effective >= 2 * drying.ENOUGH
    near = 2.5 * float(np.hypot(found.effective**-0.5, reference**-0.5))  # five numbers of so many samples, 2.5 standard errors
    assert near < 0.4
    assert np.abs((found.belief.mean - mean) / sd).max() < near
    assert found.belief.sd == pytest.approx(sd, rel=near)
    assert found.belief.correlation == pytest.approx(tied / np.outer(sd, sd), abs=near)
    assert sd[RELEASE] < 0.7 * PRIOR.sd[RELEASE]  # there is something to learn


LADDER: tuple[Points, ...] = (((0, 150), (1.5, 150)), WARM, ((0, 180), (1, 180)), HELD, ((0, 200), (0.5, 200)), ((0, 215), (0.7, 215)),
                              ((0, 230), (0.5, 230)))  # fmt: skip


# a film that binds much and lets go slowly, and one that binds little and lets go fast; both within two deviations of the prior
TRUTHS = ((np.log(2.5e-14), 95.0, np.log(0.045), np.log(8e-5), 105.0), (np.log(2e-14), 90.0, np.log(0.012), np.log(4e-4), 95.0))


def test_films_that_bind_solvent_are_found_to_bind_so_much_and_to_let_it_go_so_fast() -> None:
    """Weighed sharply and dried by the model's own law; its error of 10 % of a residual is what keeps the answer vague."""
    beliefs = []
    for truth, told in zip(TRUTHS, (0.6, 0.95), strict=True):  # little that is gone soon can hardly be told from none
        still = drying.residuals(exactly(*truth), [weighed(one) for one in LADDER], NMP, ALL_MEDIAN)[:, 0]
        given = [weighed(one, float(left), 1e-4) for one, left in zip(LADDER, still, strict=True)]
        found = drying.update(PRIOR, given)
        assert found.effective >= drying.ENOUGH
        assert np.abs((found.belief.mean - truth) / found.belief.sd).max() < 2
        assert found.belief.sd[BOUND] < told * PRIOR.sd[BOUND]
        assert found.belief.sd[RELEASE] < 0.85 * PRIOR.sd[RELEASE]
        assert np.abs(found.z).max() < 2
        beliefs.append(found.belief)
    apart = beliefs[0].mean - beliefs[1].mean
    assert apart[BOUND] > 0.25
    assert apart[RELEASE] < -0.8


def test_equal_coupons_give_an_equal_belief_to_the_bit() -> None:
    given = [weighed(WARM, 0.027), weighed(HELD, 0.009)]
    first, second = (drying.update(PRIOR, given, samples=256) for _ in range(2))
    assert first.belief.mean.tobytes() == second.belief.mean.tobytes()
    assert first.belief.covariance.tobytes() == second.belief.covariance.tobytes()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ninety_percent_of_the_truths_lie_inside_ninety_percent_intervals() -> None:
    """Lots from the prior itself, four coupons each with the law's and the laboratory's errors; the intervals are neither way off.

    Of 30 lots a parameter's share inside has a standard error of 5.5 %, its mean deviation one of 0.18: bounds at 2.5 of them. Over all
    five parameters, 150 deviations that hang together a little, they are closer.
    """
    rng = np.random.default_rng(20261122)
    points: list[Points] = [WARM, HELD, EARLY, LONG]
    deviates = rng.standard_normal((len(AXES), LOTS))
    truths = within(PRIOR.mean[:, None] + np.linalg.cholesky(PRIOR.covariance) @ deviates[: len(NAMES)])
    plain = drying.residuals(PRIOR, [weighed(one, sd_k=0.5) for one in points], NMP, deviates)
    seen = plain + np.hypot(5e-4, drying.LAW_LN_SD * plain) * rng.standard_normal(plain.shape)
    away, sds = [], []
    for i in range(LOTS):
        given = [weighed(one, max(0.0, float(left)), 5e-4, sd_k=0.5) for one, left in zip(points, seen[:, i], strict=True)]
        found = drying.update(PRIOR, given, samples=512).belief
        away.append((truths[:, i] - found.mean) / found.sd)
        sds.append(found.sd)
    inside = (np.abs(away) < 1.645).mean(axis=0)
    assert (inside >= 0.76).all(), inside
    assert 0.83 <= inside.mean() <= 0.97, inside
    assert np.abs(np.mean(away, axis=0)).max() < 0.45, np.mean(away, axis=0)
    told = np.median(sds, axis=0) / PRIOR.sd
    assert told[DIFFUSION] < 0.7, told
    assert told[BOUND] < 0.85, told
    assert told[RELEASE] < 0.8, told


SHARP = Belief(
    np.array([-32.0, 100.0, -3.6, -8.5, 100.0]),
    np.array([[0.04, -1.5, 0.01, -0.02, 0.1], [-1.5, 100.0, 0.0, 0.1, 0.2], [0.01, 0.0, 0.02, 0.02, 0.0],
              [-0.02, 0.1, 0.02, 0.09, -0.5], [0.1, 0.2, 0.0, -0.5, 64.0]]),
)  # fmt: skip


def test_the_transfer_to_a_roll_widens_the_diffusion_alone_and_keeps_what_ties_it() -> None:
    wider = drying.transferred(SHARP)
    assert wider.sd[DIFFUSION] == pytest.approx((0.2**2 + drying.TRANSFER_LN_SD**2) ** 0.5)
    assert wider.sd[1:] == pytest.approx([10.0, 0.02**0.5, 0.3, 8.0])
    apart = wider.correlation * np.outer(wider.sd, wider.sd) - SHARP.covariance
    assert apart == pytest.approx(np.diag([drying.TRANSFER_LN_SD**2, 0, 0, 0, 0]), abs=1e-12)
    assert np.array_equal(wider.mean, SHARP.mean)


def test_diffusion_is_known_best_where_its_variance_over_temperature_is_least() -> None:
    at_k, best_sd = drying.best_known_k(SHARP)
    arms = [(1 / 473.15 - 1 / temp_k) / R * 1e3 for temp_k in (at_k - 1, at_k, at_k + 1)]
    below, there, above = (0.04 + 2 * arm * -1.5 + arm * arm * 100 for arm in arms)
    assert there < min(below, above)
    assert best_sd == pytest.approx(there**0.5)


def test_settings_and_belief_are_one_and_rounded_correlations_stay_positive() -> None:
    """The settings carry the transfer's error, the belief does not; an all but singular matrix must still have a root."""
    wanted = (-0.5, 0.1, 0.4, -0.3, -0.2, 0.3, 0.7, -0.6, 0.05, 0.25)
    told = EstimatorSettings(
        diffusion_m2_s=3e-14, diffusion_ln_sd=0.4, diffusion_energy_kj_mol=90.0, diffusion_energy_sd_kj_mol=10.0, bound_solvent_kg_kg=0.02,
        bound_solvent_ln_sd=0.2, release_1_s=3e-4, release_ln_sd=0.5, release_energy_kj_mol=110.0, release_energy_sd_kj_mol=7.0,
        drying_correlation=wanted,
    )  # fmt: skip
    found = drying.prior_of(told)
    assert found.mean == pytest.approx([np.log(3e-14), 90.0, np.log(0.02), np.log(3e-4), 110.0])
    assert found.sd == pytest.approx([(0.4**2 - drying.TRANSFER_LN_SD**2) ** 0.5, 10.0, 0.2, 0.5, 7.0])
    assert [drying.transferred(found).correlation[pair] for pair in PAIRS] == pytest.approx(wanted)
    edge = drying.prior_of(told.model_copy(update={"drying_correlation": (0.9999,) * 10, "diffusion_ln_sd": 0.11}))
    assert np.linalg.eigvalsh(edge.correlation).min() > 1e-6
    np.linalg.cholesky(edge.covariance)
    assert edge.sd[1:] == pytest.approx(found.sd[1:])
