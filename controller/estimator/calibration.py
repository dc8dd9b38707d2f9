"""What coupons say about the crosslinking of a resin lot: Bayes' rule over five parameters and the law that the controller runs.

The parameters are the logarithm of the gel time of a dry film at 240 degC, the activation energy, the polydispersity, the order and the
distance below the glass transition at which mobility halves the rate. A coupon's insoluble content differs from the law by three errors:
the laboratory's; the law's, a factor on the rate of each coupon by itself; and the temperature's, a factor exp(s dT) on the rate, which all
coupons of one source (one batch, one laboratory oven) share; s is the slope of ln rate, that of energy and of vitrification.

Posterior: damped Gauss-Newton for its modes, of all coupons and with each doubtful one left out, then importance sampling around them in
rounds (population Monte Carlo, Cappe et al. 2008), with a deterministic design. Sampling, because the gel fraction is 0 up to the gel point
and flat near 1: there a coupon says only "slower than" or "faster than", which a Gaussian around a mode does not; the modes, because the
prior is up to a hundred times wider than what is found. Part of every round is the prior's, so that a region no mode sees keeps its weight.
Nothing is drawn at random: equal coupons give an equal posterior.

Within the 20-30 K of a dry ladder the glass transition can hardly be told from the activation energy; coupons with another history, heated
slowly as a roll is, tie the two together. Only the distance below it counts, so that is the parameter.
"""

from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator.curing import LIMIT, REFERENCE_K, WIDTH_K, Cure, gel_fraction, rate_for_gel_time
from controller.estimator.exposure import Exposure, conversion_of
from controller.estimator.parameters import PARAMETERS, spread, value
from controller.solvents import SOLVENTS, Solvent
from controller.units import R_J_PER_MOL_K

Array = NDArray[np.float64]

NAMES: Final = ("ln_gel_time_h", "activation_energy_kj_mol", "polydispersity", "order", "vitrification_offset_k")
TIME, ENERGY, WIDTH, ORDER, OFFSET = range(5)
_ROWS: Final = tuple(PARAMETERS[name] for name in ("gel_time_240c", "activation_energy", "polydispersity", "order", "vitrification_offset"))

LAW_LN_SD: Final = 0.02  # [calc] of the rate, coupon by coupon: foil, place in the oven; coupons left out of a calibration scatter so
TRANSFER_LN_SD: Final = spread("cure_model_error")  # of the rate in another kind of history: depletion and vitrification as in no law
WET_SHARE: Final = 0.25  # [assume] of ln rate by solvent: how much there is, and what it does to the glass transition, Fox or another
FLOOR: Final = 0.005  # of the insoluble fraction: what the gel equation leaves out (scission, loops)
_SIGMA: Final = 3**0.5  # three points at 0 and +-sqrt(3) sd carry mean and variance of a Gaussian to the fifth order
GROSS: Final = 0.01  # [assume] probability that a coupon is not what its label says
_DOUBTFUL: Final = 1.0  # standard deviations from what the others foretell, beyond which the posterior is also sought without a coupon
_COUNTS: Final = 0.003  # share of the posterior below which a mode is left to the prior's part
_APART: Final = 1.0  # standard deviations between two modes; nearer, they are one
SAMPLES: Final = 2048
_ROUNDS: Final = 5
_ENOUGH: Final = 0.45  # effective share of the samples at which the rounds end
_SCALES: Final = ((0.5, 1.0), (0.25, 2.0), (0.1, 4.0))  # weight and scale of the proposal's Gaussians; the rest is the prior
_CUT_POINTS, _CUT_ROUNDS, _WIDEST = 4000, 200, 3.0
KEPT: Final = 1024  # equally weighted samples of a posterior
_TEMPS_K: Final = np.linspace(400.0, 600.0, 4001)  # where the rate may be known best


class Prior(NamedTuple):
    """A Gaussian over ``NAMES``, cut at ``low`` and ``high``; shapes (5,) and (5, 5)."""

    mean: Array
    covariance: Array
    low: Array
    high: Array


class Evidence(NamedTuple):
    """What the laboratory found; arrays are (coupons,), fractions and kelvin."""

    exposure: Exposure
    insoluble: Array
    sd: Array  # of the laboratory
    temperature_sd_k: Array
    source: tuple[str, ...]  # coupons of one source share their temperature's error
    solvent: Solvent = SOLVENTS["NMP"]
    wet_ln_sd: Array | float = 0.0  # (coupons,) of the rate, by what is not known of the solvent on the way

    def of(self, chosen: Sequence[int]) -> "Evidence":
        """Return the coupons with the indices ``chosen``."""
        picked = list(chosen)
        source = tuple(self.source[index] for index in picked)
        wet = self.wet_ln_sd[picked] if isinstance(self.wet_ln_sd, np.ndarray) else self.wet_ln_sd
        return Evidence(
            self.exposure.of(picked), self.insoluble[picked], self.sd[picked], self.temperature_sd_k[picked], source, self.solvent, wet
        )


class Posterior(NamedTuple):
    """The belief after the coupons. ``samples`` (5, KEPT) are equally likely."""

    mean: Array
    covariance: Array
    samples: Array
    effective: float  # share of the last round's samples that carried weight

    @property
    def sd(self) -> Array:
        """Return the standard deviations, shape (5,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def correlation(self) -> Array:
        """Return the correlations, shape (5, 5)."""
        return np.asarray(self.covariance / np.outer(self.sd, self.sd), dtype=np.float64)


class Predicted(NamedTuple):
    """What the law gives for each coupon and sample, shape (coupons, samples)."""

    mean: Array
    own_variance: Array  # by the law's error, of each coupon alone
    shared: Array  # by one standard deviation of the temperature, with its sign
    slope: Array  # d insoluble / d ln rate, over both errors


def literature() -> Prior:
    """Return the prior of a resin about which nothing is known, from ``parameters``."""
    mean, low, high = (
        np.array([np.log(getattr(row, key)) if row.log else getattr(row, key) for row in _ROWS]) for key in ("value", "low", "high")
    )
    return Prior(mean, np.diag([row.spread**2 for row in _ROWS]), low, high)


def insoluble(exposure: Exposure, theta: Array, solvent: Solvent = SOLVENTS["NMP"], ln_rate: Array | float = 0.0) -> Array:
    """Return the law's insoluble fraction, shape (coupons, samples), for parameters ``theta`` (5, samples) and a factor on the rate."""
    rate_s = rate_for_gel_time(3600 * np.exp(theta[TIME] - ln_rate), theta[ORDER])
    cure = Cure.of(solvent, rate_s, theta[ENERGY], theta[ORDER], theta[WIDTH], 0.0, theta[OFFSET])
    return gel_fraction(LIMIT * conversion_of(exposure, cure), theta[WIDTH])


def predicted(evidence: Evidence, theta: Array) -> Predicted:
    """Return what is expected of coupons, the law's and the temperature's error carried through together by three points.

    Together, because near the gel point the insoluble content is no straight line over the rate. Law and temperature then have the parts of
    the variance that they have of the rate's.
    """
    warmer, law = _rate_per_sd(evidence, theta), _law_ln_sd(evidence)
    both = np.hypot(law, warmer)
    steps = np.hstack((-_SIGMA * both, 0 * both, _SIGMA * both))
    slow, middle, fast = np.split(insoluble(evidence.exposure, np.tile(theta, 3), evidence.solvent, steps), 3, axis=1)
    mean = (slow + 4 * middle + fast) / 6
    variance = ((slow - mean) ** 2 + 4 * (middle - mean) ** 2 + (fast - mean) ** 2) / 6
    return Predicted(mean, variance * (law / both) ** 2, np.sqrt(variance) * warmer / both, (fast - slow) / (2 * _SIGMA * both))


def log_likelihood(evidence: Evidence, theta: Array) -> Array:
    """Return the logarithm of the likelihood of each sample, shape (samples,), without its constant; every coupon is what it says."""
    return np.asarray(_log_likelihoods(evidence, theta)[0], dtype=np.float64)


def robust_log_likelihood(evidence: Evidence, theta: Array) -> Array:
    """Return the same where at most one coupon may be another's, torn or mislabelled: ``GROSS``, with any insoluble content as likely.

    Without this one gross error moves all parameters, so that other coupons look wrong and it does not.
    """
    every = _log_likelihoods(evidence, theta)
    some = np.log(GROSS / (1 - GROSS)) + 0.5 * np.log(2 * np.pi) + every[1:]
    return np.asarray(np.logaddexp.reduce(np.vstack((every[:1], some)), axis=0), dtype=np.float64)


def _log_likelihoods(evidence: Evidence, theta: Array) -> Array:
    """Return the logarithm of the likelihood with all coupons, and with each left out in turn, (1 + coupons, samples)."""
    found = predicted(evidence, theta)
    variance, shared = found.own_variance + (evidence.sd**2 + FLOOR**2)[:, None], found.shared
    residual = evidence.insoluble[:, None] - found.mean
    member = _membership(evidence.source)
    tied, pull = shared**2 / variance, residual * shared / variance  # a rank-one term per source: determinant lemma, Sherman and Morrison
    own = residual**2 / variance + np.log(variance)
    coupled, pulled = 1 + member @ tied, member @ pull
    of_source = np.log(coupled) - pulled**2 / coupled
    whole = own.sum(axis=0) + of_source.sum(axis=0)
    source = member.argmax(axis=0)
    rest, left = coupled[source] - tied, pulled[source] - pull
    without = whole - own - of_source[source] + np.log(rest) - left**2 / rest
    return np.asarray(-0.5 * np.vstack((whole[None], without)), dtype=np.float64)


def log_prior(prior: Prior, theta: Array) -> Array:
    """Return the logarithm of the prior of each sample, without its constant; minus infinity outside its ranges."""
    inside = ((theta >= prior.low[:, None]) & (theta <= prior.high[:, None])).all(axis=0)
    return np.where(inside, -0.5 * _distance(theta, prior.mean, prior.covariance), -np.inf)


def update(prior: Prior, evidence: Evidence, samples: int = SAMPLES) -> Posterior:
    """Return the posterior of ``prior`` after ``evidence``. The same arguments give the same bits."""
    parts = _modes(prior, evidence)
    for turn in range(_ROUNDS):
        theta, densities = _proposed(prior, parts, samples)
        inside = np.isfinite(log_prior(prior, theta))
        theta, densities = theta[:, inside], densities[:, inside]
        log_weight = robust_log_likelihood(evidence, theta) + log_prior(prior, theta) - np.logaddexp.reduce(densities)
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        effective = float(1 / (weight**2).sum()) / samples
        if effective >= _ENOUGH or turn == _ROUNDS - 1:
            break
        parts = _refined(prior, parts, theta, densities, weight)
    mean, covariance = _moments(prior, theta, weight)
    cuts = (np.arange(KEPT) + 0.5) / KEPT
    kept = theta[:, np.minimum(np.searchsorted(np.cumsum(weight), cuts), theta.shape[1] - 1)]
    return Posterior(mean, covariance, kept, effective)


def foretold(samples: Array, evidence: Evidence, law_ln_sd: float = LAW_LN_SD) -> Array:
    """Return what a laboratory might find of ``evidence``'s coupons, shape (coupons, samples); parameters are ``samples`` (5, samples).

    The errors of law (``TRANSFER_LN_SD`` for another kind of history), temperature and laboratory are in it, so that
    values may lie beyond 0 and 1; ``evidence.insoluble`` is not looked at.
    """
    count = samples.shape[1]
    own = np.hypot(law_ln_sd, evidence.wet_ln_sd * np.ones(len(evidence.sd)))[:, None]
    spread_ln = np.hypot(own, _rate_per_sd(evidence, samples))
    law, lab = _normal(count, len(NAMES)), _normal(count, len(NAMES) + 1)
    found = np.empty((len(evidence.sd), count))
    for coupon in range(len(evidence.sd)):
        gel = insoluble(evidence.exposure.of([coupon]), samples, evidence.solvent, spread_ln[coupon] * law)[0]
        found[coupon] = gel + np.hypot(evidence.sd[coupon], FLOOR) * lab
    return found


def samples_of(prior: Prior) -> Array:
    """Return equally likely samples of ``prior``, shape (5, about KEPT)."""
    theta = prior.mean[:, None] + np.linalg.cholesky(prior.covariance) @ _design(2 * KEPT)
    return theta[:, np.isfinite(log_prior(prior, theta))][:, :KEPT]


def uncut(mean: Array, sd: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Return the Gaussians, (n,) each, that have ``mean`` and ``sd`` once they are cut at ``low`` and ``high``.

    A posterior is inside its ranges already; as a prior it is cut there again, and would else grow narrower from set to set. What is
    nearly even over its range comes from no Gaussian; then as wide a one as ``_WIDEST`` ranges is taken.
    """
    grid = (np.arange(_CUT_POINTS) + 0.5) / _CUT_POINTS
    points = low[:, None] + (high - low)[:, None] * grid
    centre, width = mean.copy(), sd.copy()
    for _ in range(_CUT_ROUNDS):
        log_weight = -0.5 * ((points - centre[:, None]) / width[:, None]) ** 2
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        seen = (points * weight).sum(axis=1)
        spread_now = np.sqrt(((points - seen[:, None]) ** 2 * weight).sum(axis=1))
        centre = np.clip(centre + (mean - seen), low - (high - low), high + (high - low))
        width = np.minimum(width * np.clip(sd / spread_now, 0.5, 2.0), _WIDEST * (high - low))
    return centre, np.maximum(width, sd)


def information(evidence: Evidence, theta: Array) -> Array:
    """Return what each coupon alone says about ln rate at its own temperature, as 1 / variance, at ``theta`` (5,); shape (coupons,)."""
    found = predicted(evidence, theta[:, None])
    slope = np.abs(found.slope[:, 0])
    noise = found.own_variance[:, 0] + found.shared[:, 0] ** 2 + evidence.sd**2 + FLOOR**2
    return np.asarray(slope**2 / noise, dtype=np.float64)


def best_known_k(mean: Array, covariance: Array) -> tuple[float, float]:
    """Return the temperature, K, at which the rate of a dry film is known best, and the standard deviation of its logarithm there."""
    arms = rate_arms(mean, _TEMPS_K)
    variance = np.einsum("it,ij,jt->t", arms, covariance, arms)
    best = int(np.argmin(variance))
    return float(_TEMPS_K[best]), float(np.sqrt(max(0.0, variance[best])))


def rate_arms(mean: Array, temp_k: Array) -> Array:
    """Return by how much ln rate of a dry film, its cure only begun, moves with each parameter around ``mean``; (5, temperatures)."""
    arms = np.zeros((len(NAMES), temp_k.size))
    arms[TIME] = -1.0
    arms[ENERGY] = 1e3 / R_J_PER_MOL_K * (1 / REFERENCE_K - 1 / temp_k)
    lost, lost_ref = (1 / (1 + np.exp((at_k - value("glass_dry") + mean[OFFSET]) / WIDTH_K)) for at_k in (temp_k, REFERENCE_K))  # 1 - Phi
    arms[OFFSET] = (lost - lost_ref) / WIDTH_K
    return arms


def wet_ln_sd(wet: Exposure, dry: Exposure, prior: Prior, solvent: Solvent) -> Array:
    """Return the error of each coupon's ln rate, (coupons,), by ``WET_SHARE`` of what its solvent makes of the rate at the prior's mean."""
    theta = prior.mean[:, None]
    rate_s = rate_for_gel_time(3600 * np.exp(theta[TIME]), theta[ORDER])
    cure = Cure.of(solvent, rate_s, theta[ENERGY], theta[ORDER], theta[WIDTH], 0.0, theta[OFFSET])
    soaked, plain = (-np.log1p(-conversion_of(exposure, cure)[:, 0]) for exposure in (wet, dry))
    return np.asarray(WET_SHARE * np.log(np.maximum(soaked, 1e-12) / np.maximum(plain, 1e-12)), dtype=np.float64)


def _law_ln_sd(evidence: Evidence) -> Array:
    """Return the error of each coupon's ln rate by the law and by its solvent, (coupons, 1)."""
    return np.hypot(LAW_LN_SD, evidence.wet_ln_sd * np.ones(len(evidence.sd)))[:, None]


def _rate_per_sd(evidence: Evidence, theta: Array) -> Array:
    """Return by how much ln rate moves with one standard deviation of the coupons' temperature, shape (coupons, samples).

    The slope over temperature is that of the energy and of vitrification, the latter as it is at the gel point.
    """
    effective_k = evidence.exposure.effective_k[:, None]
    lost = 1 / (1 + np.exp((effective_k - value("glass_dry") - value("glass_rise") + theta[OFFSET]) / WIDTH_K))
    return np.asarray(evidence.temperature_sd_k[:, None] * (1e3 * theta[ENERGY] / R_J_PER_MOL_K / effective_k**2 + lost / WIDTH_K))


class _Part(NamedTuple):
    """A Gaussian of the proposal, and its share."""

    share: float
    mean: Array
    covariance: Array


def _modes(prior: Prior, evidence: Evidence) -> list[_Part]:
    """Return the posterior's modes that count, each with its share by Laplace: of all coupons, and with each doubtful one left out."""
    scan = np.clip(prior.mean[:, None] + np.linalg.cholesky(prior.covariance) @ _design(512), prior.low[:, None], prior.high[:, None])
    every = _log_likelihoods(evidence, scan) + log_prior(prior, scan)
    found, count = [_mode(prior, evidence, scan[:, int(np.argmax(every[0]))])], len(evidence.sd)
    for out in np.flatnonzero(np.abs(_left_out(prior, evidence, found[0][0])) > _DOUBTFUL) if count > 2 else ():
        others = evidence.of([index for index in range(count) if index != out])
        found.append(_mode(prior, others, scan[:, int(np.argmax(every[1 + out]))]))
    tried = np.array([mean for mean, _ in found]).T
    height = robust_log_likelihood(evidence, tried) + log_prior(prior, tried) + [0.5 * np.linalg.slogdet(wide)[1] for _, wide in found]
    mass = np.exp(height - height.max())
    parts: list[_Part] = []
    for one in np.argsort(-mass, kind="stable"):
        mean, wide = found[one]
        if mass[one] >= _COUNTS and all(_distance(mean[:, None], part.mean, part.covariance)[0] > _APART**2 for part in parts):
            parts.append(_Part(float(mass[one]), mean, wide))
    return _shared(parts)


def _refined(prior: Prior, parts: list[_Part], theta: Array, densities: Array, weight: Array) -> list[_Part]:
    """Return the parts with share, mean and covariance of the samples that ``weight`` says are theirs."""
    of_part = np.exp(densities[: len(parts) * len(_SCALES)] - np.logaddexp.reduce(densities))
    theirs = of_part.reshape(len(parts), len(_SCALES), -1).sum(axis=1) * weight
    return _shared([_Part(share, *_moments(prior, theta, own)) for own in theirs if (share := float(own.sum())) >= _COUNTS] or parts)


def _shared(parts: list[_Part]) -> list[_Part]:
    whole = sum(part.share for part in parts)
    return [part._replace(share=part.share / whole) for part in parts]


def _moments(prior: Prior, theta: Array, weight: Array) -> tuple[Array, Array]:
    """Return mean and covariance of weighted samples, the latter never without any width."""
    part = weight / weight.sum()
    mean = theta @ part
    return mean, (theta - mean[:, None]) * part @ (theta - mean[:, None]).T + 1e-6 * np.diag(np.diag(prior.covariance))


def _left_out(prior: Prior, evidence: Evidence, theta: Array) -> Array:
    """Return how far each coupon lies from what the others foretell, in standard deviations, with the law as straight as at ``theta``."""
    jacobian, residual, inverse = _linear(evidence, theta, 0.02 * np.sqrt(np.diag(prior.covariance)))
    alone = np.linalg.inv(np.linalg.inv(inverse) + jacobian @ prior.covariance @ jacobian.T)
    return np.asarray(alone @ (residual - jacobian @ (prior.mean - theta)) / np.sqrt(np.diag(alone)), dtype=np.float64)


def _mode(prior: Prior, evidence: Evidence, start: Array) -> tuple[Array, Array]:
    """Return the posterior's mode and its Gaussian covariance by Gauss-Newton; the steps are tried in five lengths at once."""
    scale = np.sqrt(np.diag(prior.covariance))
    precision = np.linalg.inv(prior.covariance)
    theta, height = start, -np.inf
    lengths = np.array([1.0, 0.5, 0.2, 0.05, 0.0])
    for _ in range(15):
        jacobian, residual, inverse = _linear(evidence, theta, 0.02 * scale)
        hessian = jacobian.T @ inverse @ jacobian + precision
        step = np.linalg.solve(hessian, jacobian.T @ inverse @ residual - precision @ (theta - prior.mean))
        tried = np.clip(theta[:, None] + step[:, None] * lengths, prior.low[:, None], prior.high[:, None])
        heights = log_likelihood(evidence, tried) + log_prior(prior, tried)
        best = int(np.argmax(heights))
        theta, gained, height = tried[:, best], heights[best] - height, heights[best]
        if gained < 1e-3:
            break
    return theta, np.linalg.inv(hessian)


def _linear(evidence: Evidence, theta: Array, step: Array) -> tuple[Array, Array, Array]:
    """Return the derivatives (coupons, 5), the residuals (coupons,) and the errors' inverse covariance (coupons, coupons) at ``theta``."""
    moved = np.column_stack((theta, *(theta + sign * np.diag(step)[i] for i in range(len(theta)) for sign in (1, -1))))
    found = predicted(evidence, moved)
    jacobian = (found.mean[:, 1::2] - found.mean[:, 2::2]) / (2 * step)
    shared = found.shared[:, 0]
    member = _membership(evidence.source)
    covariance = np.diag(found.own_variance[:, 0] + evidence.sd**2 + FLOOR**2) + (member.T @ member) * np.outer(shared, shared)
    return jacobian, evidence.insoluble - found.mean[:, 0], np.asarray(np.linalg.inv(covariance), dtype=np.float64)


def _proposed(prior: Prior, parts: list[_Part], count: int) -> tuple[Array, Array]:
    """Return a deterministic sample of a mixture, (5, count), and its Gaussians' parts of the density, as logarithms (Gaussians, count).

    Of each part a Gaussian for each of ``_SCALES``, and as the last one the prior.
    """
    gaussians = [(part.share * weight, part.mean, scale**2 * part.covariance) for part in parts for weight, scale in _SCALES]
    gaussians.append((1 - sum(weight for weight, _ in _SCALES), prior.mean, prior.covariance))
    ends = np.round(np.cumsum([weight for weight, _, _ in gaussians]) * count).astype(int)
    design = _design(count)[:, _shuffled(count)]
    theta = np.empty((len(NAMES), count))
    for (_, centre, wide), first, last in zip(gaussians, (0, *ends[:-1]), ends, strict=True):
        theta[:, first:last] = centre[:, None] + np.linalg.cholesky(wide) @ design[:, first:last]
    densities = [
        np.log(weight) - 0.5 * _distance(theta, centre, wide) - 0.5 * np.linalg.slogdet(wide)[1] for weight, centre, wide in gaussians
    ]
    return theta, np.array(densities)


def _distance(theta: Array, mean: Array, covariance: Array) -> Array:
    white = np.linalg.solve(np.linalg.cholesky(covariance), theta - mean[:, None])
    return np.asarray((white**2).sum(axis=0), dtype=np.float64)


def _membership(source: tuple[str, ...]) -> Array:
    names = sorted(set(source))
    return np.array([[float(one == name) for one in source] for name in names])


def _design(count: int) -> Array:
    return np.array([_normal(count, axis) for axis in range(len(NAMES))])


@lru_cache(maxsize=64)
def _normal(count: int, axis: int) -> Array:
    """Return ``count`` standard normal deviates of one axis of the R7 sequence (Roberts 2018): evenly spread in all of its seven axes."""
    golden = 1.0969815577985598  # the positive root of x^8 = x + 1
    standard = NormalDist()
    return np.array([standard.inv_cdf((0.5 + (i + 1) * golden ** -(axis + 1)) % 1.0) for i in range(count)])


@lru_cache(maxsize=8)
def _shuffled(count: int) -> NDArray[np.int64]:
    """Return an order in which neighbours of the design lie far apart, so that every part of a mixture covers all of it."""
    return np.argsort(np.modf(np.arange(count) * 0.6180339887498949)[0])
