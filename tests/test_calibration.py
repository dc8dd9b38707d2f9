"""The belief after coupons, against closed forms, an independent integration, brute force and a film that obeys another law."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, truncnorm

from controller.estimator import calibration as bayes
from controller.estimator import curing
from controller.estimator.calibration import ENERGY, OFFSET, ORDER, TIME, WIDTH, Evidence
from controller.estimator.curing import WIDTH_K
from controller.estimator.exposure import Exposure, History, conversion_of, exposure_of
from controller.solvents import SOLVENTS
from tests.rates import ln_rate, ln_rate_sd

Array = NDArray[np.float64]
R = 8.314462618
LADDER = ((230.0, 7.0), (230.0, 14.0), (240.0, 4.5), (240.0, 9.0), (250.0, 2.5), (255.0, 4.0))
NMP = SOLVENTS["NMP"]
HERMITE, WEIGHTS = np.array([-(3**0.5), 0.0, 3**0.5]), np.array([1, 4, 1]) / 6  # Gauss and Hermite, for a standard normal weight


def history(*points: tuple[float, float], wet: float = 0.0) -> History:
    """Points of hours and degC."""
    hours, temp_c = np.array(points).T
    return History(3600 * hours, temp_c + 273.15, np.full(len(points), wet))


def held(temp_c: float, hours: float) -> History:
    return history((0.0, temp_c), (hours, temp_c))


@cache
def ladder() -> Exposure:
    return exposure_of([held(*rung) for rung in LADDER])


def evidence(gel: Array, exposure: Exposure | None = None, sd: float = 0.015, temperature_sd_k: float = 0.5) -> Evidence:
    count = len(gel)
    return Evidence(exposure or ladder(), gel, np.full(count, sd), np.full(count, temperature_sd_k), ("oven",) * count)


def gel_of(delta: float, width: float) -> float:
    """Schulz-Zimm chains, s = [1 + delta (1-s)/(k+1)]^-(k+1) with k+1 = PDI/(PDI-1), by bracketing the root."""
    branches = width / max(width - 1, 1e-9)
    if delta <= 1 + 1e-9:
        return 0.0
    return 1 - brentq(lambda s: s - (1 + delta * (1 - s) / branches) ** -branches, 0.0, 1 - 1e-7 * min(1.0, delta - 1) - 1e-9)


def isothermal(gel_time_s: float, order: float, offset_k: float) -> float:
    """Crosslinks after the gel time at 240 degC, dry: the glass transition rises on the way, so that there are fewer than one.

    By separation of x: the integral of H(x)/H(0) (1-x)^-n dx is k t, H = 1 + exp[(553 + 60 x - T - offset)/w].
    """
    power = order - 1
    k = (((1 - 1 / 40) ** -power - 1) / power if power else -np.log(1 - 1 / 40)) / gel_time_s

    def needed_s(end: float) -> float:
        start = 1 + np.exp((553 - 513.15 - offset_k) / WIDTH_K)
        return quad(lambda x: (1 + np.exp((553 + 60 * x - 513.15 - offset_k) / WIDTH_K)) / start * (1 - x) ** -order, 0, end)[0] / k

    return 40 * float(brentq(lambda x: needed_s(x) - gel_time_s, 1e-6, 0.5, xtol=1e-12))


def integrated(histories: list[History], theta: Array, factor: Array | float = 1.0, warmer_k: Array | float = 0.0) -> Array:
    """The documented law by an adaptive integrator, all coupons and samples at once; written from its equations, not from its code.

    dx/dt = k0 (H0/H) exp[-E/R (1/T - 1/T0)] (1-x)^n / 40, H = 1 + exp[(Tg - T - offset)/w], Tg dry = 553 + 60 x, Fox in the solvent.
    """
    hours, energy, width, order, offset = np.exp(theta[TIME]), theta[ENERGY], theta[WIDTH], theta[ORDER], theta[OFFSET]
    power = np.where(np.abs(order - 1) < 1e-12, 1e-12, order - 1)
    k0 = 40 * ((1 - 1 / 40) ** -power - 1) / power / (3600 * hours)  # per second: 1 crosslink after the gel time at 240 degC, isothermal
    span = np.array([one.at_s[-1] for one in histories])[:, None]

    def slope(tau: float, x: Array) -> Array:
        x = x.reshape(len(histories), -1)
        temp = np.array([np.interp(tau * one.at_s[-1], one.at_s, one.temp_k) for one in histories])[:, None] + warmer_k
        wet = np.array([one.fraction[0] for one in histories])[:, None]
        glass = 1 / ((1 - wet) / (553 + 60 * x) + wet / 166)
        hindered, dry = 1 + np.exp((glass - temp - offset) / WIDTH_K), 1 + np.exp((553 - 513.15 - offset) / WIDTH_K)
        rate = k0 * factor * dry / hindered * np.exp(-1e3 * energy / R * (1 / temp - 1 / 513.15)) / 40
        return (span * rate * np.maximum(1 - x, 0) ** order).ravel()

    found = solve_ivp(slope, (0, 1), np.zeros(len(histories) * theta.shape[1]), method="RK45", rtol=1e-6, atol=1e-8, max_step=0.01)
    delta = 40 * found.y[:, -1].reshape(len(histories), -1)
    return np.array([[gel_of(d, w) for d, w in zip(row, width, strict=True)] for row in delta])


def drawn(rng: np.random.Generator, count: int) -> Array:
    """Truths from the literature's prior, by scipy."""
    prior = bayes.literature()
    sd = np.sqrt(np.diag(prior.covariance))
    low, high = (prior.low - prior.mean) / sd, (prior.high - prior.mean) / sd
    return np.array([truncnorm.rvs(low[i], high[i], prior.mean[i], sd[i], size=count, random_state=rng) for i in range(5)])


def measured(rng: np.random.Generator, truths: Array) -> Array:
    """What a laboratory finds of ladders: each coupon's own rate, an oven 0.5 K off, an assay of 1.5 points. Shape (coupons, truths)."""
    own = rng.normal(0, bayes.LAW_LN_SD, (len(LADDER), truths.shape[1]))
    gel = integrated([held(*rung) for rung in LADDER], truths, np.exp(own), rng.normal(0, 0.5, truths.shape[1]))
    return np.clip(gel + rng.normal(0, 0.015, gel.shape), 0, 1)


def test_isothermal_first_order_is_the_exponential() -> None:
    """At 400 degC nothing hinders the film, and x = 1 - exp(-kt)."""
    rate_s = np.array([1e-6, 3e-6])
    energy = np.array([140.0, 160.0])
    cure = curing.Cure.of(NMP, rate_s, energy, 1.0, np.full(2, 2.0), 0.0)
    found = conversion_of(exposure_of([held(400.0, 0.5)]), cure)[0]
    at_240 = 1 + np.exp((553 - 513.15 - 50) / WIDTH_K)
    exact = -np.expm1(-rate_s / 40 * at_240 * np.exp(1e3 * energy / R * (1 / 513.15 - 1 / 673.15)) * 1800)
    assert found == pytest.approx(exact, rel=2e-6)  # 1/Phi is 1 + 7e-10 exp(7.5 x)


@pytest.mark.parametrize("order", [1.0, 1.25, 2.0, 4.0])
@pytest.mark.parametrize("offset_k", [20.0, 35.0, 50.0, 80.0])
def test_a_dry_film_has_after_the_gel_time_what_separation_of_variables_says(order: float, offset_k: float) -> None:
    theta = np.array([[np.log(2.0)], [150.0], [2.0], [order], [offset_k]])
    dry = exposure_of([held(240.0, 2.0)])
    assert bayes.insoluble(dry, theta)[0, 0] == pytest.approx(0.0, abs=1e-9)
    rate_s = curing.rate_for_gel_time(np.array([7200.0]), order)
    cure = curing.Cure.of(NMP, rate_s, theta[ENERGY], order, theta[WIDTH], 0.0, theta[OFFSET])
    assert 40 * conversion_of(dry, cure)[0, 0] == pytest.approx(isothermal(7200.0, order, offset_k), rel=3e-5)
    assert isothermal(7200.0, order, 80.0) == pytest.approx(1.0, rel=1e-3)  # hardly hindered: the gel time is what its name says


def test_members_of_different_orders_cure_side_by_side_as_each_would_alone() -> None:
    """At a constant rate x has a closed form for every order."""
    orders, gel_s = np.array([1.0, 1.25, 2.0]), np.array([9e3, 1e4, 2e4])
    rates = curing.rate_for_gel_time(gel_s, orders)
    left = 1 - 1 / 40
    times = np.array([-np.log(left), (left**-0.25 - 1) / 0.25, 1 / left - 1])  # integrals of dx/(1-x)^n up to one crosslink of 40
    assert rates == pytest.approx(40 * times / gel_s, rel=1e-8)
    cure = curing.Cure.of(NMP, rates, np.full(3, 150.0), orders, np.full(3, 2.0), 0.0)
    done = curing.crosslink(cure, np.full(3, 0.1), np.full(3, 2e-5), 36000.0)
    assert done == pytest.approx(1 - np.array([0.9 * np.exp(-0.72), (0.9**-0.25 + 0.25 * 0.72) ** -4, 1 / (1 / 0.9 + 0.72)]), rel=1e-8)
    together = conversion_of(ladder(), cure)
    for i, order in enumerate(orders):
        alone = cure._replace(rate_s=rates[[i]], energy_k=cure.energy_k[[i]], order=float(order), polydispersity=np.full(1, 2.0))
        assert conversion_of(ladder(), alone)[:, 0] == pytest.approx(together[:, i], rel=1e-12)


def test_any_history_agrees_with_an_adaptive_integrator() -> None:
    rng = np.random.default_rng(3)
    theta = drawn(rng, 40)
    theta[TIME] = np.clip(theta[TIME], np.log(1.0), np.log(8.0))
    histories = [
        held(235, 9),
        history((0, 25), (6, 238), (14, 238), (22, 60)),
        history((0, 25), (3, 200), (9, 205), (11, 252), (13.5, 252), (30, 40), wet=0.02),
        history((0, 25), (0.1, 255), (4, 255), (4.1, 25)),
        history((0, 25), (8, 255), (8.1, 25)),
        history((0, 262), (6, 200)),
        history((0, 25), (2, 120), (5, 170), (7, 195), (10, 226), (13, 237), (15.5, 239)),
        history(*((0.25 * i, 238 + 4 * (-1) ** i) for i in range(30))),
    ]
    found = bayes.insoluble(exposure_of(histories), theta)
    assert np.abs(found - integrated(histories, theta)).max() < 5e-4  # a thirtieth of a laboratory's error
    assert (np.ptp(found, axis=1) > 0.5).all()  # where it says something


def test_a_second_by_second_history_with_noise_is_the_smooth_one() -> None:
    rng = np.random.default_rng(5)
    smooth = history((0, 25), (6, 238), (14, 238), (22, 60))
    at_s = np.arange(0, 22 * 3600, 60.0)
    noisy = History(at_s, np.interp(at_s, smooth.at_s, smooth.temp_k) + rng.normal(0, 0.2, len(at_s)), np.zeros(len(at_s)))
    theta = np.array([[np.log(4.0)], [150.0], [2.0], [1.25], [50.0]])
    both = bayes.insoluble(exposure_of([smooth, noisy]), theta)[:, 0]
    assert both[0] == pytest.approx(both[1], abs=3e-3)
    assert 0.3 < both[0] < 0.9


def test_the_likelihood_is_the_multivariate_normal_one() -> None:
    theta = np.array([[np.log(3.5)], [160.0], [2.2], [1.3], [45.0]])
    moved = theta + np.array([[0.1], [5.0], [0.1], [0.1], [-3.0]])
    gel = np.array([0.03, 0.5, 0.2, 0.65, 0.4, 0.8])
    found = bayes.log_likelihood(evidence(gel), np.column_stack((theta, moved)))
    exact = []
    for column in (theta, moved):
        at_k, energy, offset = ladder().effective_k, column[ENERGY, 0], column[OFFSET, 0]

        def ln_rate(temp_k: Array, energy: float = energy, offset: float = offset) -> Array:  # at one crosslink per chain: Tg = 553 + 1.5
            return -1e3 * energy / R / temp_k - np.log1p(np.exp((554.5 - temp_k - offset) / WIDTH_K))

        warmer = 0.5 * (ln_rate(at_k + 1e-3) - ln_rate(at_k - 1e-3)) / 2e-3
        both = np.hypot(bayes.LAW_LN_SD, warmer)
        told = np.array([[bayes.insoluble(ladder(), column, NMP, root * one)[i, 0] for i, one in enumerate(both)] for root in HERMITE])
        mean = WEIGHTS @ told
        variance = WEIGHTS @ (told - mean) ** 2
        shared = np.sqrt(variance) * warmer / both
        covariance = np.diag(variance - shared**2 + 0.015**2 + bayes.FLOOR**2) + np.outer(shared, shared)
        exact.append(multivariate_normal.logpdf(gel, mean, covariance))
    assert found[1] - found[0] == pytest.approx(exact[1] - exact[0], rel=1e-6)


def test_the_temperatures_error_is_that_of_a_warmer_oven() -> None:
    """Where vitrification sets the slope, as where energy alone does: the factor on the rate against the law run 0.5 K warmer."""
    theta = np.tile([[np.log(2.5)], [150.0], [2.0], [1.5], [50.0]], 3)
    theta[OFFSET] = [20.0, 45.0, 100.0]
    rungs = [held(228.0, 12.0), held(240.0, 3.6), held(250.0, 2.0)]
    given = evidence(np.zeros(3), exposure_of(rungs))
    moved = bayes._rate_per_sd(given, theta)
    found = bayes.insoluble(given.exposure, theta, NMP, moved.mean(axis=0)) - bayes.insoluble(given.exposure, theta)
    for coupon in range(3):
        found[coupon] = bayes.insoluble(given.exposure.of([coupon]), theta, NMP, moved[coupon])[0]
    warm = integrated(rungs, theta, 1.0, 0.5)
    gelled = integrated(rungs, theta)
    assert ((warm - gelled > 0.01).sum(axis=0) >= 1).all()
    assert found - gelled == pytest.approx(warm - gelled, rel=0.1, abs=2e-3)


def test_the_posterior_is_that_of_brute_force() -> None:
    """Polydispersity, order and vitrification almost known, so that a fine grid over gel time and energy can be summed up."""
    start = bayes.literature()
    prior = start._replace(covariance=np.diag([1.0, 900.0, 1e-8, 1e-8, 1e-8]))
    truth = np.array([1.2, 130.0, *start.mean[2:]])[:, None]
    given = evidence(bayes.insoluble(ladder(), truth)[:, 0] + np.array([0.0, 0.02, -0.01, 0.02, -0.02, 0.01]))
    times, energies = np.meshgrid(np.linspace(0.8, 1.8, 161), np.linspace(60, 180, 161), indexing="ij")
    grid = np.array([times.ravel(), energies.ravel(), *(np.full(times.size, fixed) for fixed in start.mean[2:])])
    weight = np.exp(bayes.robust_log_likelihood(given, grid) - 0.5 * ((grid[0] - start.mean[0]) ** 2 + ((grid[1] - 150) / 30) ** 2))
    weight /= weight.sum()
    mean = grid[:2] @ weight
    covariance = (grid[:2] - mean[:, None]) * weight @ (grid[:2] - mean[:, None]).T
    found = bayes.update(prior, given)
    sd = np.sqrt(np.diag(covariance))
    assert np.abs(found.mean[:2] - mean).max() < 0.05 * sd.max()
    assert np.abs((found.mean[:2] - mean) / sd).max() < 0.05
    assert found.sd[:2] == pytest.approx(sd, rel=0.05)
    assert found.correlation[0, 1] == pytest.approx(covariance[0, 1] / sd[0] / sd[1], abs=0.05)


def test_the_posterior_of_energy_and_vitrification_together_is_that_of_brute_force() -> None:
    """Gel time, energy and offset on a grid; two coupons followed a slow history. What a ladder knows is a narrow ridge between the two."""
    start = bayes.literature()
    given = evidence(
        np.array([0.25, 0.55, 0.3, 0.6]),
        exposure_of([held(228, 7), held(240, 5), held(252, 1.8), history((0, 25), (4, 170), (7, 195), (11, 226), (15, 239), (17.5, 239))]),
    )
    axes = np.meshgrid(np.linspace(0.8, 1.2, 41), np.linspace(80, 170, 41), np.linspace(15, 120, 46), indexing="ij")
    grid = np.array([axes[0].ravel(), axes[1].ravel(), *(np.full(axes[0].size, fixed) for fixed in start.mean[2:4]), axes[2].ravel()])
    away = (grid[[0, 1, 4]] - start.mean[[0, 1, 4], None]) / np.array([[1.0], [30.0], [20.0]])
    log_weight = np.concatenate([bayes.robust_log_likelihood(given, part) for part in np.array_split(grid, 40, axis=1)]) - 0.5 * (
        away**2
    ).sum(axis=0)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    mean = grid[[0, 1, 4]] @ weight
    covariance = (grid[[0, 1, 4]] - mean[:, None]) * weight @ (grid[[0, 1, 4]] - mean[:, None]).T
    found = bayes.update(start._replace(covariance=np.diag([1.0, 900.0, 1e-8, 1e-8, 400.0])), given)
    sd = np.sqrt(np.diag(covariance))
    assert np.abs((found.mean[[0, 1, 4]] - mean) / sd).max() < 0.1
    assert found.sd[[0, 1, 4]] == pytest.approx(sd, rel=0.1)
    assert found.correlation[[0, 0, 1], [1, 4, 4]] == pytest.approx((covariance / np.outer(sd, sd))[[0, 0, 1], [1, 2, 2]], abs=0.08)


def test_equal_coupons_give_an_equal_posterior_to_the_bit() -> None:
    given = evidence(np.array([0.03, 0.5, 0.2, 0.65, 0.4, 0.8]))
    first, second = (bayes.update(bayes.literature(), given) for _ in range(2))
    assert first.samples.tobytes() == second.samples.tobytes()


@pytest.mark.slow
def test_ninety_percent_intervals_hold_the_truth_nine_times_in_ten() -> None:
    """480 lots from the prior, each with a ladder of six coupons: an interval of a right posterior is neither too narrow nor too wide."""
    rng = np.random.default_rng(20261122)
    truths = drawn(rng, 480)
    gels = measured(rng, truths)
    inside, away = np.zeros((480, 5), dtype=bool), np.zeros((480, 5))
    for i in range(480):
        found = bayes.update(bayes.literature(), evidence(gels[:, i]), 1024)
        low, high = np.quantile(found.samples, (0.05, 0.95), axis=1)
        inside[i] = (low <= truths[:, i]) & (truths[:, i] <= high)
        away[i] = (truths[:, i] - found.mean) / found.sd
    coverage = inside.mean(axis=0)
    assert ((coverage >= 0.85) & (coverage <= 0.95)).all(), coverage
    assert np.abs(away.mean(axis=0)).max() < 0.2, away.mean(axis=0)  # in posterior sd; of 480 the mean has 0.046
    # not of the offset: beyond 75 K nothing shows it, so that its posterior has a long tail and no deviations as a Gaussian has
    assert away.std(axis=0)[:OFFSET] == pytest.approx(np.ones(4), abs=0.15)


@pytest.mark.slow
def test_truths_on_a_grid_are_recovered_with_little_bias() -> None:
    rng = np.random.default_rng(7)
    axes = np.meshgrid(np.log([2.2, 3.0, 4.0]), [130.0, 150.0, 170.0], [1.7, 2.3], [1.25], [50.0], indexing="ij")
    truths = np.repeat(np.array([axis.ravel() for axis in axes]), 4, axis=1)
    gels = measured(rng, truths)
    found = [bayes.update(bayes.literature(), evidence(gels[:, i]), 1024) for i in range(truths.shape[1])]
    error = np.array([one.mean for one in found]).T - truths
    assert np.abs(error[TIME].mean()) < 0.02
    assert np.abs(error[ENERGY].mean()) < 4.0  # kJ/mol, of 72 with 20 each: 1.7 standard errors
    assert error[TIME].std() < 0.09
    # A dry ladder at 230-255 degC knows the rate there. How its slope divides into energy and vitrification it does not know: over 25 K the
    # glass adds up to R T^2 / 8 K = 273 kJ/mol. So the bound is on the rate 10 K off the middle, as 10 kJ/mol of an energy alone had been.
    assert error[ENERGY].std() < 30.0  # no worse than the prior
    for temp_k in (503.15, 523.15):
        off = np.array([ln_rate(one.mean, temp_k) - ln_rate(truth, temp_k) for one, truth in zip(found, truths.T, strict=True)])
        assert abs(off.mean()) < 0.055  # (0.050)
        assert off.std() < 0.12
    grid = error.reshape(5, -1, 4)
    assert np.abs(grid[TIME].mean(axis=1)).max() < 0.12  # each truth, mean of four ladders


def test_a_posterior_that_becomes_a_prior_learns_nothing_from_being_cut_again() -> None:
    prior = bayes.literature()
    sd = np.sqrt(np.diag(prior.covariance))
    grid = prior.low[:, None] + (prior.high - prior.low)[:, None] * np.linspace(0, 1, 4001)
    weight = np.exp(-0.5 * ((grid - prior.mean[:, None]) / sd[:, None]) ** 2)
    weight /= weight.sum(axis=1, keepdims=True)
    mean = (grid * weight).sum(axis=1)
    cut_sd = np.sqrt(((grid - mean[:, None]) ** 2 * weight).sum(axis=1))
    assert (cut_sd < 0.96 * sd).all()
    centre, width = bayes.uncut(mean, cut_sd, prior.low, prior.high)
    assert centre == pytest.approx(prior.mean, abs=0.01 * sd.max(), rel=0.01)
    assert width == pytest.approx(sd, rel=0.01)
    narrow = bayes.uncut(prior.mean, 0.05 * sd, prior.low, prior.high)
    assert narrow[0] == pytest.approx(prior.mean, rel=1e-3)
    assert narrow[1] == pytest.approx(0.05 * sd, rel=1e-2)


@pytest.mark.parametrize(("gel", "longer"), [(0.0, True), (1.0, False)])
def test_coupons_without_gel_or_without_sol_say_only_slower_or_faster(gel: float, longer: bool) -> None:
    exposure = exposure_of([held(240.0, 3.0), held(240.0, 5.0)] if longer else [held(240.0, 20.0), held(240.0, 30.0)])
    found = bayes.update(bayes.literature(), evidence(np.full(2, gel), exposure))
    low, high = np.exp(np.quantile(found.samples[TIME], (0.01, 0.99)))
    if longer:
        assert low > 4.0
        assert high > 15.0  # nothing says how much slower
    else:
        assert high < 5.0
        assert low < 0.8
    assert found.sd[ENERGY] > 25.0
    assert found.effective > 0.05


def test_the_temperature_at_which_the_rate_is_best_known_is_the_least_of_its_variance() -> None:
    found = bayes.update(bayes.literature(), evidence(np.array([0.03, 0.5, 0.2, 0.65, 0.4, 0.8])))
    best_k, sd = bayes.best_known_k(found.mean, found.covariance)
    temps_k = np.linspace(450, 560, 1101)
    known = [ln_rate_sd(found.mean, found.covariance, at_k) for at_k in temps_k]
    assert best_k == pytest.approx(temps_k[int(np.argmin(known))], abs=0.06)
    assert sd == pytest.approx(min(known), rel=1e-4)
    assert sd <= found.sd[TIME]
    assert 225 < best_k - 273.15 < 260  # where the coupons are


def another_law(histories: list[History], rng: np.random.Generator) -> "Array":
    """Gel of a lot that obeys another law than the estimator's, for each history and for as many lots as numbers are drawn.

    Chemistry and mobility in series, mobility by a WLF form, glass transition by DiBenedetto, branched before the cure, 25 sites, scission.
    """
    hours, energy, width = 2.8 * np.exp(rng.normal(0, 0.12)), 147.0 + rng.normal(0, 4), np.clip(rng.normal(2.2, 0.3), 1.5, 3.0)
    start, cut, glass_k = 0.05 * np.exp(rng.normal(0, 0.3)), 0.03 * np.exp(rng.normal(0, 0.3)), 548.0 + rng.normal(0, 5)
    gels = []
    for one in histories:
        at_s = np.linspace(0, one.at_s[-1], 1201)
        delta, dt_s = start, at_s[1]
        for temp_k in np.interp((at_s[1:] + at_s[:-1]) / 2, one.at_s, one.temp_k):
            chemistry = np.exp(-1e3 * energy / R * (1 / temp_k - 1 / 513.15)) / (3600 * hours)
            x = delta / 25
            above = temp_k - (glass_k + 60 * 0.5 * x / (1 - 0.5 * x))
            mobility = 300 / (3600 * hours) * np.exp(12 * above / (52 + abs(above)))
            delta += dt_s * chemistry * mobility / (chemistry + mobility) * (1 - x) ** 1.3
        gels.append(gel_of(delta / (1 + 0.5 * cut * delta), float(width)))
    return np.array(gels)


@pytest.mark.slow
def test_a_ladder_foretells_rolls_of_a_lot_that_obeys_another_law() -> None:
    rungs = [history((0, 25), (0.1, temp_c), (hours, temp_c), (hours + 0.1, 25)) for temp_c, hours in LADDER]
    rolls = [history((0, 25), (5, 238), (5 + soak, 238), (11 + soak, 40)) for soak in (12, 18, 26)]
    rolls += [history((0, 25), (4, 200), (8, 200), (10, 248), (10 + soak, 248), (16 + soak, 40)) for soak in (5, 8, 12)]
    told_of = evidence(np.zeros(6), exposure_of(rolls), sd=1e-6, temperature_sd_k=1e-6)
    errors, inside, gels, widths = [], [], [], []
    for lot in range(20):
        rng = np.random.default_rng(100 + lot)
        truth = another_law(rungs + rolls, rng)
        found = np.clip(truth[:6] + rng.normal(0, 0.015, 6), 0, 1)
        posterior = bayes.update(bayes.literature(), evidence(found, exposure_of(rungs)), 1024)
        low, middle, high = np.quantile(bayes.foretold(posterior.samples, told_of, bayes.TRANSFER_LN_SD), (0.05, 0.5, 0.95), axis=1)
        errors.append(middle - truth[6:])
        inside.append((low <= truth[6:]) & (truth[6:] <= high))
        gels.append(truth[6:])
        widths.append(high - low)
    cured = np.array(gels) >= 0.8
    assert cured.sum() > 25
    assert np.sqrt((np.array(errors)[cured] ** 2).mean()) < 0.04
    assert np.sqrt((np.array(errors) ** 2).mean()) < 0.05
    assert np.array(inside).mean() >= 0.85
    assert np.mean(widths) < 0.2  # not bought with intervals that say nothing
