"""What coupons say about the crosslinking of a resin lot: Bayes' rule over four parameters and the law that the controller runs.

The parameters are the logarithm of the gel time of a dry film at 240 degC, the activation energy, the polydispersity and the order. A
coupon's insoluble content differs from the law by three errors: the laboratory's; the law's, a factor on the rate of each coupon by itself;
and the temperature's, a factor exp(E dT / R T^2) on the rate, which all coupons of one source (one batch, one laboratory oven) share.

Posterior: damped Gauss-Newton for the mode, then importance sampling around it in rounds, with a deterministic design. Sampling, because
the gel fraction is 0 up to the gel point and flat near 1: there a coupon says only "slower than" or "faster than", which a Gaussian around
the mode does not; the mode, because the prior is up to a hundred times wider than what is found. Part of every round is the prior's, so
that a region the mode does not see keeps its weight. Nothing is drawn at random: equal coupons give an equal posterior.

The glass transition is no fifth parameter: within the 20-30 K of a ladder it cannot be told from the activation energy.
"""

from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator.curing import LIMIT, REFERENCE_K, Cure, gel_fraction, rate_for_gel_time
from controller.estimator.exposure import Exposure, conversion_of
from controller.estimator.parameters import PARAMETERS, spread
from controller.solvents import SOLVENTS, Solvent
from controller.units import R_J_PER_MOL_K

Array = NDArray[np.float64]

NAMES: Final = ("ln_gel_time_h", "activation_energy_kj_mol", "polydispersity", "order")
TIME, ENERGY, WIDTH, ORDER = range(4)
_ROWS: Final = tuple(PARAMETERS[name] for name in ("gel_time_240c", "activation_energy", "polydispersity", "order"))

LAW_LN_SD: Final = 0.06  # [assume] of the rate, coupon by coupon of one ladder: foil, film thickness, place in the oven
TRANSFER_LN_SD: Final = spread("cure_model_error")  # of the rate in another kind of history: depletion and vitrification as in no law
FLOOR: Final = 0.005  # of the insoluble fraction: what the gel equation leaves out (scission, loops)
_SIGMA: Final = 3**0.5  # three points at 0 and +-sqrt(3) sd carry mean and variance of a Gaussian to the fifth order
SAMPLES: Final = 2048
_ROUNDS: Final = 5
_ENOUGH: Final = 0.3  # effective share of the samples at which the rounds end
_SCALES: Final = ((0.5, 1.0), (0.25, 2.0), (0.1, 4.0))  # weight and scale of the proposal's Gaussians; the rest is the prior
KEPT: Final = 1024  # equally weighted samples of a posterior


class Prior(NamedTuple):
    """A Gaussian over ``NAMES``, cut at ``low`` and ``high``; shapes (4,) and (4, 4)."""

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

    def of(self, chosen: Sequence[int]) -> "Evidence":
        """Return the coupons with the indices ``chosen``."""
        picked = list(chosen)
        source = tuple(self.source[index] for index in picked)
        return Evidence(
            self.exposure.of(picked), self.insoluble[picked], self.sd[picked], self.temperature_sd_k[picked], source, self.solvent
        )


class Posterior(NamedTuple):
    """The belief after the coupons. ``samples`` (4, KEPT) are equally likely."""

    mean: Array
    covariance: Array
    samples: Array
    effective: float  # share of the last round's samples that carried weight

    @property
    def sd(self) -> Array:
        """Return the standard deviations, shape (4,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def correlation(self) -> Array:
        """Return the correlations, shape (4, 4)."""
        return np.asarray(self.covariance / np.outer(self.sd, self.sd), dtype=np.float64)


class Predicted(NamedTuple):
    """What the law gives for each coupon and sample, shape (coupons, samples)."""

    mean: Array
    law_variance: Array
    slope: Array  # d insoluble / d ln rate, over the law's error


def literature() -> Prior:
    """Return the prior of a resin about which nothing is known, from ``parameters``."""
    mean, low, high = (
        np.array([np.log(getattr(row, key)) if row.log else getattr(row, key) for row in _ROWS]) for key in ("value", "low", "high")
    )
    return Prior(mean, np.diag([row.spread**2 for row in _ROWS]), low, high)


def insoluble(exposure: Exposure, theta: Array, solvent: Solvent = SOLVENTS["NMP"], ln_rate: Array | float = 0.0) -> Array:
    """Return the law's insoluble fraction, shape (coupons, samples), for parameters ``theta`` (4, samples) and a factor on the rate."""
    rate_s = rate_for_gel_time(3600 * np.exp(theta[TIME] - ln_rate), theta[ORDER])
    cure = Cure.of(solvent, rate_s, theta[ENERGY], theta[ORDER], theta[WIDTH], 0.0)
    return gel_fraction(LIMIT * conversion_of(exposure, cure), theta[WIDTH])


def predicted(exposure: Exposure, theta: Array, solvent: Solvent) -> Predicted:
    """Return what is expected of coupons, with the law's error carried through by three points."""
    count = theta.shape[1]
    step = np.repeat([-_SIGMA * LAW_LN_SD, 0.0, _SIGMA * LAW_LN_SD], count)
    slow, middle, fast = np.split(insoluble(exposure, np.tile(theta, 3), solvent, step), 3, axis=1)
    mean = (slow + 4 * middle + fast) / 6
    variance = ((slow - mean) ** 2 + 4 * (middle - mean) ** 2 + (fast - mean) ** 2) / 6
    return Predicted(mean, variance, (fast - slow) / (2 * _SIGMA * LAW_LN_SD))


def log_likelihood(evidence: Evidence, theta: Array) -> Array:
    """Return the logarithm of the likelihood of each sample, shape (samples,), without its constant."""
    found = predicted(evidence.exposure, theta, evidence.solvent)
    variance = found.law_variance + (evidence.sd**2 + FLOOR**2)[:, None]
    residual = evidence.insoluble[:, None] - found.mean
    shared = found.slope * _rate_per_sd(evidence, theta)
    member = _membership(evidence.source)
    coupled = 1 + member @ (shared**2 / variance)  # a rank-one term per source: matrix determinant lemma, Sherman and Morrison
    pulled = member @ (residual * shared / variance)
    square = (residual**2 / variance).sum(axis=0) - (pulled**2 / coupled).sum(axis=0)
    return np.asarray(-0.5 * (square + np.log(variance).sum(axis=0) + np.log(coupled).sum(axis=0)), dtype=np.float64)


def log_prior(prior: Prior, theta: Array) -> Array:
    """Return the logarithm of the prior of each sample, without its constant; minus infinity outside its ranges."""
    inside = ((theta >= prior.low[:, None]) & (theta <= prior.high[:, None])).all(axis=0)
    return np.where(inside, -0.5 * _distance(theta, prior.mean, prior.covariance), -np.inf)


def update(prior: Prior, evidence: Evidence, samples: int = SAMPLES) -> Posterior:
    """Return the posterior of ``prior`` after ``evidence``. The same arguments give the same bits."""
    scan = np.clip(prior.mean[:, None] + np.linalg.cholesky(prior.covariance) @ _design(512), prior.low[:, None], prior.high[:, None])
    mean, covariance = _mode(prior, evidence, scan[:, int(np.argmax(log_likelihood(evidence, scan) + log_prior(prior, scan)))])
    for _ in range(_ROUNDS):
        theta, log_proposal = _proposed(prior, mean, covariance, samples)
        inside = np.isfinite(log_prior(prior, theta))
        theta, log_proposal = theta[:, inside], log_proposal[inside]
        log_weight = log_likelihood(evidence, theta) + log_prior(prior, theta) - log_proposal
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        mean = theta @ weight
        covariance = (theta - mean[:, None]) * weight @ (theta - mean[:, None]).T + 1e-6 * np.diag(np.diag(prior.covariance))
        effective = float(1 / (weight**2).sum()) / samples
        if effective >= _ENOUGH:
            break
    cuts = (np.arange(KEPT) + 0.5) / KEPT
    kept = theta[:, np.minimum(np.searchsorted(np.cumsum(weight), cuts), theta.shape[1] - 1)]
    return Posterior(mean, covariance, kept, effective)


def foretold(samples: Array, evidence: Evidence, law_ln_sd: float = LAW_LN_SD) -> Array:
    """Return what a laboratory might find of ``evidence``'s coupons, shape (coupons, samples); parameters are ``samples`` (4, samples).

    The errors of law (``TRANSFER_LN_SD`` for another kind of history), temperature and laboratory are in it, so that
    values may lie beyond 0 and 1; ``evidence.insoluble`` is not looked at.
    """
    count = samples.shape[1]
    spread_ln = np.hypot(law_ln_sd, _rate_per_sd(evidence, samples))
    law, lab = _normal(count, 4), _normal(count, 5)
    found = np.empty((len(evidence.sd), count))
    for coupon in range(len(evidence.sd)):
        gel = insoluble(evidence.exposure.of([coupon]), samples, evidence.solvent, spread_ln[coupon] * law)[0]
        found[coupon] = gel + np.hypot(evidence.sd[coupon], FLOOR) * lab
    return found


def samples_of(prior: Prior) -> Array:
    """Return equally likely samples of ``prior``, shape (4, about KEPT)."""
    theta = prior.mean[:, None] + np.linalg.cholesky(prior.covariance) @ _design(2 * KEPT)
    return theta[:, np.isfinite(log_prior(prior, theta))][:, :KEPT]


def information(evidence: Evidence, theta: Array) -> Array:
    """Return what each coupon alone says about ln rate at its own temperature, as 1 / variance, at ``theta`` (4,); shape (coupons,)."""
    found = predicted(evidence.exposure, theta[:, None], evidence.solvent)
    slope = np.abs(found.slope[:, 0])
    noise = found.law_variance[:, 0] + evidence.sd**2 + FLOOR**2 + (slope * _rate_per_sd(evidence, theta[:, None])[:, 0]) ** 2
    return np.asarray(slope**2 / noise, dtype=np.float64)


def best_known_k(covariance: Array) -> tuple[float, float]:
    """Return the temperature, K, at which the rate constant is known best, and the standard deviation of its logarithm there.

    ln k(T) = -ln t + a E with a = (1/T_ref - 1/T)/R, so that its variance is least at a = cov(ln t, E) / var(E).
    """
    arm = covariance[TIME, ENERGY] / covariance[ENERGY, ENERGY]
    inverse_k = 1 / REFERENCE_K - arm * R_J_PER_MOL_K / 1e3
    return 1 / inverse_k, float(np.sqrt(max(0.0, covariance[TIME, TIME] - arm * covariance[TIME, ENERGY])))


def _rate_per_sd(evidence: Evidence, theta: Array) -> Array:
    """Return by how much ln rate moves with one standard deviation of the coupons' temperature, shape (coupons, samples)."""
    energy_k = 1e3 * theta[ENERGY] / R_J_PER_MOL_K
    return np.outer(evidence.temperature_sd_k / evidence.exposure.effective_k**2, energy_k)


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
    """Return the derivatives (coupons, 4), the residuals (coupons,) and the errors' inverse covariance (coupons, coupons) at ``theta``."""
    moved = np.column_stack((theta, *(theta + sign * np.diag(step)[i] for i in range(4) for sign in (1, -1))))
    found = predicted(evidence.exposure, moved, evidence.solvent)
    jacobian = (found.mean[:, 1::2] - found.mean[:, 2::2]) / (2 * step)
    shared = (found.slope * _rate_per_sd(evidence, moved))[:, 0]
    member = _membership(evidence.source)
    covariance = np.diag(found.law_variance[:, 0] + evidence.sd**2 + FLOOR**2) + (member.T @ member) * np.outer(shared, shared)
    return jacobian, evidence.insoluble - found.mean[:, 0], np.asarray(np.linalg.inv(covariance), dtype=np.float64)


def _proposed(prior: Prior, mean: Array, covariance: Array, count: int) -> tuple[Array, Array]:
    """Return a deterministic sample of a mixture, (4, count), and the logarithm of its density."""
    parts = [(weight, mean, scale**2 * covariance) for weight, scale in _SCALES]
    parts.append((1 - sum(weight for weight, _ in _SCALES), prior.mean, prior.covariance))
    ends = np.round(np.cumsum([weight for weight, _, _ in parts]) * count).astype(int)
    design = _design(count)[:, _shuffled(count)]
    theta = np.empty((4, count))
    for (_, centre, wide), first, last in zip(parts, (0, *ends[:-1]), ends, strict=True):
        theta[:, first:last] = centre[:, None] + np.linalg.cholesky(wide) @ design[:, first:last]
    densities = [np.log(weight) - 0.5 * _distance(theta, centre, wide) - 0.5 * np.linalg.slogdet(wide)[1] for weight, centre, wide in parts]
    return theta, np.asarray(np.logaddexp.reduce(np.array(densities)), dtype=np.float64)


def _distance(theta: Array, mean: Array, covariance: Array) -> Array:
    white = np.linalg.solve(np.linalg.cholesky(covariance), theta - mean[:, None])
    return np.asarray((white**2).sum(axis=0), dtype=np.float64)


def _membership(source: tuple[str, ...]) -> Array:
    names = sorted(set(source))
    return np.array([[float(one == name) for one in source] for name in names])


def _design(count: int) -> Array:
    return np.array([_normal(count, axis) for axis in range(4)])


@lru_cache(maxsize=64)
def _normal(count: int, axis: int) -> Array:
    """Return ``count`` standard normal deviates of one axis of the R6 sequence (Roberts 2018): evenly spread in all of its six axes."""
    golden = 1.1127756842787055  # the positive root of x^7 = x + 1
    standard = NormalDist()
    return np.array([standard.inv_cdf((0.5 + (i + 1) * golden ** -(axis + 1)) % 1.0) for i in range(count)])


@lru_cache(maxsize=8)
def _shuffled(count: int) -> NDArray[np.int64]:
    """Return an order in which neighbours of the design lie far apart, so that every part of a mixture covers all of it."""
    return np.argsort(np.modf(np.arange(count) * 0.6180339887498949)[0])
