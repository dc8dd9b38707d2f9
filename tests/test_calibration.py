"""The belief after coupons, against closed forms, an independent integration, brute force and a film that obeys another law."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, truncnorm

from controller.estimator import calibration as bayes
from controller.estimator import curing
from controller.estimator.calibration import ENERGY, ORDER, TIME, WIDTH, Evidence
from controller.estimator.exposure import Exposure, History, conversion_of, exposure_of
from controller.solvents import SOLVENTS

Array = NDArray[np.float64]
R = 8.314462618
LADDER = ((230.0, 7.0), (230.0, 14.0), (240.0, 4.5), (240.0, 9.0), (250.0, 2.5), (255.0, 4.0))
NMP = SOLVENTS["NMP"]


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


def integrated(histories: list[History], theta: Array, factor: Array | float = 1.0) -> Array:
    """The documented law by an adaptive integrator, all coupons and samples at once; written from its equations, not from its code.

    dx/dt = k0 (H0/H) exp[-E/R (1/T - 1/T0)] (1-x)^n / 40, H = 1 + exp[(Tg - T - 80)/20], Tg dry = 553 + 60 x, Fox in the solvent.
    """
    hours, energy, width, order = np.exp(theta[TIME]), theta[ENERGY], theta[WIDTH], theta[ORDER]
    power = np.where(np.abs(order - 1) < 1e-12, 1e-12, order - 1)
    k0 = 40 * ((1 - 1 / 40) ** -power - 1) / power / (3600 * hours)  # per second: 1 crosslink after the gel time at 240 degC, isothermal
    span = np.array([one.at_s[-1] for one in histories])[:, None]

    def slope(tau: float, x: Array) -> Array:
        x = x.reshape(len(histories), -1)
        temp = np.array([np.interp(tau * one.at_s[-1], one.at_s, one.temp_k) for one in histories])[:, None]
        wet = np.array([one.fraction[0] for one in histories])[:, None]
        glass = 1 / ((1 - wet) / (553 + 60 * x) + wet / 166)
        hindered, dry = 1 + np.exp((glass - temp - 80) / 20), 1 + np.exp((553 - 513.15 - 80) / 20)
        rate = k0 * factor * dry / hindered * np.exp(-1e3 * energy / R * (1 / temp - 1 / 513.15)) / 40
        return (span * rate * np.maximum(1 - x, 0) ** order).ravel()

    found = solve_ivp(slope, (0, 1), np.zeros(len(histories) * theta.shape[1]), method="RK45", rtol=1e-5, atol=1e-7)
    delta = 40 * found.y[:, -1].reshape(len(histories), -1)
    return np.array([[gel_of(d, w) for d, w in zip(row, width, strict=True)] for row in delta])


def drawn(rng: np.random.Generator, count: int) -> Array:
    """Truths from the literature's prior, by scipy."""
    prior = bayes.literature()
    sd = np.sqrt(np.diag(prior.covariance))
    low, high = (prior.low - prior.mean) / sd, (prior.high - prior.mean) / sd
    return np.array([truncnorm.rvs(low[i], high[i], prior.mean[i], sd[i], size=count, random_state=rng) for i in range(4)])


def measured(rng: np.random.Generator, truths: Array) -> Array:
    """What a laboratory finds of ladders: each coupon's own rate, an oven 0.5 K off, an assay of 1.5 points. Shape (coupons, truths)."""
    temp_k = np.array([temp_c + 273.15 for temp_c, _ in LADDER])[:, None]
    own = rng.normal(0, bayes.LAW_LN_SD, (len(LADDER), truths.shape[1]))
    off = 1e3 * truths[ENERGY] / R / temp_k**2 * rng.normal(0, 0.5, truths.shape[1])
    gel = integrated([held(*rung) for rung in LADDER], truths, np.exp(own + off))
    return np.clip(gel + rng.normal(0, 0.015, gel.shape), 0, 1)


def test_isothermal_first_order_is_the_exponential() -> None:
    """At 400 degC nothing hinders the film, and x = 1 - exp(-kt)."""
    rate_s = np.array([1e-6, 3e-6])
    energy = np.array([140.0, 160.0])
    cure = curing.Cure.of(NMP, rate_s, energy, 1.0, np.full(2, 2.0), 0.0)
    found = conversion_of(exposure_of([held(400.0, 0.5)]), cure)[0]
    at_240 = 1 + np.exp((553 - 513.15 - 80) / 20)
    exact = -np.expm1(-rate_s / 40 * at_240 * np.exp(1e3 * energy / R * (1 / 513.15 - 1 / 673.15)) * 1800)
    assert found == pytest.approx(exact, rel=2e-4)  # 1/Phi is still 1 + 6e-6 exp(3 x)
    theta = np.array([[np.log(2.0)], [150.0], [2.0], [1.0]])
    dry = exposure_of([held(240.0, 2.0)])
    assert bayes.insoluble(dry, theta)[0, 0] == pytest.approx(0.0, abs=1e-9)
    gelled = curing.Cure.of(NMP, curing.rate_for_gel_time(np.array([7200.0]), 1.0), theta[1], 1.0, theta[2], 0.0)
    # the gel time is that of a film whose glass transition has not risen yet
    assert 40 * conversion_of(dry, gelled) == pytest.approx(1.0, rel=0.01)


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
    ]
    assert (
        np.abs(bayes.insoluble(exposure_of(histories), theta) - integrated(histories, theta)).max() < 3e-3
    )  # a fifth of a laboratory's error


def test_a_second_by_second_history_with_noise_is_the_smooth_one() -> None:
    rng = np.random.default_rng(5)
    smooth = history((0, 25), (6, 238), (14, 238), (22, 60))
    at_s = np.arange(0, 22 * 3600, 60.0)
    noisy = History(at_s, np.interp(at_s, smooth.at_s, smooth.temp_k) + rng.normal(0, 0.2, len(at_s)), np.zeros(len(at_s)))
    theta = np.array([[np.log(4.0)], [150.0], [2.0], [1.25]])
    both = bayes.insoluble(exposure_of([smooth, noisy]), theta)[:, 0]
    assert both[0] == pytest.approx(both[1], abs=3e-3)
    assert 0.3 < both[0] < 0.9


def test_the_likelihood_is_the_multivariate_normal_one() -> None:
    theta = np.array([[np.log(3.5)], [160.0], [2.2], [1.3]])
    moved = theta + np.array([[0.1], [5.0], [0.1], [0.1]])
    gel = np.array([0.03, 0.5, 0.2, 0.65, 0.4, 0.8])
    found = bayes.log_likelihood(evidence(gel), np.column_stack((theta, moved)))
    exact = []
    for column in (theta, moved):
        told = bayes.predicted(ladder(), column, NMP)
        shared = told.slope[:, 0] * 0.5 * 1e3 * column[ENERGY, 0] / R / ladder().effective_k ** 2
        covariance = np.diag(told.law_variance[:, 0] + 0.015**2 + bayes.FLOOR**2) + np.outer(shared, shared)
        exact.append(multivariate_normal.logpdf(gel, told.mean[:, 0], covariance))
    assert found[1] - found[0] == pytest.approx(exact[1] - exact[0], rel=1e-9)


def test_the_posterior_is_that_of_brute_force() -> None:
    """Polydispersity and order almost known, so that a fine grid over gel time and energy can be summed up."""
    start = bayes.literature()
    prior = start._replace(covariance=np.diag([1.0, 900.0, 1e-8, 1e-8]))
    given = evidence(np.array([0.03, 0.5, 0.2, 0.65, 0.4, 0.8]))
    times, energies = np.meshgrid(np.linspace(0.8, 1.8, 161), np.linspace(100, 200, 161), indexing="ij")
    grid = np.array([times.ravel(), energies.ravel(), *(np.full(times.size, fixed) for fixed in start.mean[2:])])
    weight = np.exp(bayes.log_likelihood(given, grid) - 0.5 * ((grid[0] - start.mean[0]) ** 2 + ((grid[1] - 150) / 30) ** 2))
    weight /= weight.sum()
    mean = grid[:2] @ weight
    covariance = (grid[:2] - mean[:, None]) * weight @ (grid[:2] - mean[:, None]).T
    found = bayes.update(prior, given)
    sd = np.sqrt(np.diag(covariance))
    assert np.abs(found.mean[:2] - mean).max() < 0.05 * sd.max()
    assert np.abs((found.mean[:2] - mean) / sd).max() < 0.05
    assert found.sd[:2] == pytest.approx(sd, rel=0.05)
    assert found.correlation[0, 1] == pytest.approx(covariance[0, 1] / sd[0] / sd[1], abs=0.05)


def test_equal_coupons_give_an_equal_posterior_to_the_bit() -> None:
    given = evidence(np.array([0.03, 0.5, 0.2, 0.65, 0.4, 0.8]))
    first, second = (bayes.update(bayes.literature(), given) for _ in range(2))
    assert first.samples.tobytes() == second.samples.tobytes()


@pytest.mark.slow
def test_ninety_percent_intervals_hold_the_truth_nine_times_in_ten() -> None:
    """240 lots from the prior, each with a ladder of six coupons: an interval of a right posterior is neither too narrow nor too wide."""
    rng = np.random.default_rng(20261122)
    truths = drawn(rng, 240)
    gels = measured(rng, truths)
    inside, away = np.zeros((240, 4), dtype=bool), np.zeros((240, 4))
    for i in range(240):
        found = bayes.update(bayes.literature(), evidence(gels[:, i]), 1024)
        low, high = np.quantile(found.samples, (0.05, 0.95), axis=1)
        inside[i] = (low <= truths[:, i]) & (truths[:, i] <= high)
        away[i] = (truths[:, i] - found.mean) / found.sd
    coverage = inside.mean(axis=0)
    assert ((coverage >= 0.85) & (coverage <= 0.95)).all(), coverage
    assert np.abs(away.mean(axis=0)).max() < 0.2, away.mean(axis=0)  # in posterior sd; of 240 the mean has 0.065
    assert away.std(axis=0) == pytest.approx(np.ones(4), abs=0.15)


@pytest.mark.slow
def test_truths_on_a_grid_are_recovered_with_little_bias() -> None:
    rng = np.random.default_rng(7)
    axes = np.meshgrid(np.log([2.2, 3.0, 4.0]), [130.0, 150.0, 170.0], [1.7, 2.3], [1.25], indexing="ij")
    truths = np.repeat(np.array([axis.ravel() for axis in axes]), 4, axis=1)
    gels = measured(rng, truths)
    found = [bayes.update(bayes.literature(), evidence(gels[:, i]), 1024) for i in range(truths.shape[1])]
    error = np.array([one.mean for one in found]).T - truths
    assert np.abs(error[TIME].mean()) < 0.02
    assert np.abs(error[ENERGY].mean()) < 3.0  # kJ/mol, likewise
    assert error[TIME].std() < 0.09
    assert error[ENERGY].std() < 10.0
    grid = error.reshape(4, -1, 4)
    assert np.abs(grid[TIME].mean(axis=1)).max() < 0.12  # each truth, mean of four ladders


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
    best_k, sd = bayes.best_known_k(found.covariance)
    temps_k = np.linspace(450, 560, 1101)
    arm = (1 / 513.15 - 1 / temps_k) * 1e3 / R
    variance = [np.array([-1, one]) @ found.covariance[:2, :2] @ np.array([-1, one]) for one in arm]
    assert best_k == pytest.approx(temps_k[int(np.argmin(variance))], abs=0.06)
    assert sd == pytest.approx(np.sqrt(min(variance)), rel=1e-4)
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
