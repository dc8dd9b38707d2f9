"""What weighed coupons say about drying: Bayes' rule over diffusion in the dry film, the bound solvent, and how fast that becomes free.

A coupon is a piece of coated foil in an oven, nothing wound: its film has the oven's temperature and a free face in dry gas. The
controller's own film (``layers``) is dried along the coupon's history for a thousand samples of the prior, spread evenly by a fixed
design; diffusion in the swollen film, the glass's slope, the activity, the glass transition, the predry residual and the oven's error
differ between the samples too and are summed out. Weights: Gaussian in the reading, with the laboratory's error and the law's
(``LAW_LN_SD`` of the value); a reading at or below the detection limit says only that: P(reading <= limit).

When few samples carry weight, the next round samples around what was found with the likelihood tempered (Kish's number of effective samples
held), a tenth of the samples staying with the prior; the last round's weights are exact again. Nothing is drawn at random.
Valid where ``layers`` is: 0-350 degC, w < 0.5.
"""

from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator import layers
from controller.estimator.exposure import History, exposure_of
from controller.estimator.layers import Slow, Uncertain
from controller.estimator.members import CELLS, varied
from controller.estimator.model import EstimatorSettings, LoadState
from controller.estimator.parameters import PARAMETERS, spread, value
from controller.solvents import SOLVENTS, Solvent
from controller.units import ATMOSPHERE_MBAR, PA_PER_MBAR, R_J_PER_MOL_K, kelvin

Array = NDArray[np.float64]

NAMES: Final = (
    "ln_diffusion_200c_m2_s", "diffusion_energy_kj_mol", "ln_bound_solvent_kg_kg", "ln_release_200c_1_s", "release_energy_kj_mol",
)  # fmt: skip
DIFFUSION, ENERGY, BOUND, RELEASE, RELEASE_ENERGY = range(5)
AXES: Final = (*NAMES, "swollen", "slope", "chi", "glass_dry", "predry", "oven")
_SWOLLEN, _SLOPE, _CHI, _GLASS, _PREDRY, _OVEN = range(len(NAMES), len(AXES))
_LIMITED: Final = {ENERGY: "diffusion_energy_dry", BOUND: "bound_solvent", RELEASE: "release_rate", RELEASE_ENERGY: "release_energy"}

LAW_LN_SD: Final = 0.1  # [calc] of a coupon's residual; in another history the law errs by more (``drying_model_error``)
TRANSFER_LN_SD: Final = 0.1  # [assume] of D, from the coupon to the wound roll; added to what coupons say, so that no belief is narrower
LEAST_LN_SD: Final = 0.02  # of the belief without the transfer
_FLOOR: Final = np.diag(np.square((LEAST_LN_SD, 0.5, LEAST_LN_SD, LEAST_LN_SD, 0.5)))  # of the covariance
_POSITIVE: Final = 1e-4  # least eigenvalue of a correlation
SAMPLES: Final = 1024
ENOUGH: Final = 30.0  # effective samples
_HELD: Final = 80.0  # effective samples at which the likelihood is tempered between rounds
_ROUNDS: Final = 6
_PRIOR_SHARE: Final = 0.1  # of the samples of a later round
_WIDER: Final = 1.25  # scale of a later round's Gaussian
_ROOM: Final = LoadState(
    length_m=0.5, width_m=0.1, film_um=20.0, foil_um=18.0, gap_um=100.0, core_mm=50.0, predry_residual_wt_pct=18.0, residual_sd_wt_pct=1.0
)  # a strip so small that it has no heat worth mentioning
_GOLDEN: Final = (5**0.5 - 1) / 2
_LOOKS: Final = 25  # at a coupon's solvent, three times over
_FREE_LN, _WARM_LN = 8.0, 10.0  # on the way out and on heat transfer: the face is free, the film as hot as the oven


class Belief(NamedTuple):
    """A Gaussian over ``NAMES``, shapes (5,) and (5, 5); without the error of the transfer to a roll."""

    mean: Array
    covariance: Array

    @property
    def sd(self) -> Array:
        """Return the standard deviations, shape (5,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def correlation(self) -> Array:
        """Return the correlations, shape (5, 5)."""
        return np.asarray(self.covariance / np.outer(self.sd, self.sd), dtype=np.float64)


class Weighed(NamedTuple):
    """One coupon; weight fractions, kelvin, micrometres."""

    history: History  # of a piece lying alone; its solvent is not looked at
    sd_k: float  # of the history's level, an error that all coupons share
    film_um: float  # dry
    predry: float
    predry_sd: float
    residual: float
    residual_sd: float  # of the laboratory
    limit: float  # a reading at or below says no more than that


class Learnt(NamedTuple):
    """The belief after the coupons."""

    belief: Belief
    predicted: Array  # (coupons,) median residual
    z: Array  # (coupons,) distance of the reading from what the other coupons foretell, in standard deviations; 0 when censored and agreed
    effective: float  # samples that carried weight in the last round
    deviates: Array  # (axes, samples) of the last round
    weight: Array  # (samples,) theirs
    courses: tuple[tuple[Weighed, Array], ...]  # each coupon's residual on its way, (samples, ``_moments``), in the last round
    told: float  # 0-1: by what share the belief's volume (determinant of the covariance) shrank


def prior_of(settings: EstimatorSettings) -> Belief:
    """Return what ``settings`` believe, less the error of the transfer to a roll."""
    sd = np.array([
        settings.diffusion_ln_sd, settings.diffusion_energy_sd_kj_mol, settings.bound_solvent_ln_sd, settings.release_ln_sd,
        settings.release_energy_sd_kj_mol,
    ])  # fmt: skip
    matrix = np.eye(len(NAMES))
    matrix[np.triu_indices(len(NAMES), 1)] = settings.drying_correlation
    covariance = (np.triu(matrix) + np.triu(matrix, 1).T) * np.outer(sd, sd)
    covariance[DIFFUSION, DIFFUSION] = max(sd[DIFFUSION] ** 2 - TRANSFER_LN_SD**2, LEAST_LN_SD**2)
    mean = (
        np.log(settings.diffusion_m2_s), settings.diffusion_energy_kj_mol, np.log(settings.bound_solvent_kg_kg),
        np.log(settings.release_1_s), settings.release_energy_kj_mol,
    )  # fmt: skip
    return Belief(np.array(mean), _positive(covariance))


def _positive(covariance: Array) -> Array:
    """Return ``covariance`` with the eigenvalues of its correlation raised to ``_POSITIVE``, which what is rounded may miss."""
    sd = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(sd, sd))
    if values.min() >= _POSITIVE:
        return covariance
    correlation = vectors * np.maximum(values, _POSITIVE) @ vectors.T
    own = np.sqrt(np.diag(correlation))
    return np.asarray(correlation / np.outer(own, own) * np.outer(sd, sd), dtype=np.float64)


def transferred(belief: Belief) -> Belief:
    """Return the belief about the film of a roll: with the error of the transfer."""
    wider = belief.covariance.copy()
    wider[DIFFUSION, DIFFUSION] += TRANSFER_LN_SD**2
    return Belief(belief.mean, wider)


def best_known_k(belief: Belief) -> tuple[float, float]:
    """Return the temperature, K, at which D is known best, and the standard deviation of ln D there.

    ln D(T) = ln D(200 degC) + a E with a = (1/473 K - 1/T)/R, so that its variance is least at a = -cov / var(E).
    """
    arm = -belief.covariance[DIFFUSION, ENERGY] / belief.covariance[ENERGY, ENERGY]
    left = belief.covariance[DIFFUSION, DIFFUSION] + arm * belief.covariance[DIFFUSION, ENERGY]
    return float(1 / (1 / kelvin(200.0) - arm * R_J_PER_MOL_K / 1e3)), float(np.sqrt(max(0.0, left)))


def update(prior: Belief, coupons: Sequence[Weighed], solvent: Solvent = SOLVENTS["NMP"], samples: int = SAMPLES) -> Learnt:
    """Return the belief ``prior`` after ``coupons``, at least one. The same arguments give the same bits."""
    deviates = _design(samples)
    log_proposal = -0.5 * (deviates**2).sum(axis=0)
    for turn in range(_ROUNDS):
        courses = _courses(prior, coupons, solvent, deviates)
        dried = _ends(courses)
        each = _log_likelihoods(coupons, dried)
        before = -0.5 * (deviates**2).sum(axis=0) - log_proposal
        weight = _weights(each.sum(axis=0) + before)
        if _effective(weight) >= ENOUGH or turn == _ROUNDS - 1:
            break
        deviates, log_proposal = _around(deviates, _tempered(each.sum(axis=0), before), samples)
    theta = _theta(prior, deviates)
    mean = theta @ weight
    apart = theta - mean[:, None]
    belief = Belief(mean, apart * weight @ apart.T + _FLOOR)
    told = 1 - float(np.linalg.det(belief.covariance) / np.linalg.det(prior.covariance))
    predicted = np.array([_quantile(row, weight, 0.5) for row in dried])
    z = _deviations(coupons, dried, each, before)
    return Learnt(belief, predicted, z, _effective(weight), deviates, weight, tuple(zip(coupons, courses, strict=True)), max(0.0, told))


def foretold(belief: Belief, coupons: Sequence[Weighed], solvent: Solvent = SOLVENTS["NMP"], samples: int = SAMPLES) -> Array:
    """Return equally likely residuals of ``coupons``, (coupons, samples), the errors of the transfer and of the law added to ``belief``."""
    found = residuals(transferred(belief), coupons, solvent, _design(samples))
    start = np.array([coupon.predry for coupon in coupons])[:, None]
    return np.asarray(found * np.exp(LAW_LN_SD * _law_error(samples) * np.maximum(0.0, 1 - found / start)), dtype=np.float64)


def _law_error(count: int) -> Array:
    """Return standard normal deviates, (count,), of the golden sequence, which none of the design's axes has."""
    standard = NormalDist()
    return np.array([standard.inv_cdf((0.5 + (i + 1) * _GOLDEN) % 1.0) for i in range(count)])


def wetted(prior: Belief, learnt: Learnt | None, coupons: Sequence[Weighed], solvent: Solvent = SOLVENTS["NMP"]) -> list[History]:
    """Return the histories of ``coupons`` with the solvent that was in them on the way, as it is believed after ``learnt``.

    ``prior`` is what ``learnt`` began with, and all there is when that is None. The solvent is the mean over the samples. Points are added
    to the histories, close together at first, because a film may dry within minutes.
    """
    deviates = _design(SAMPLES) if learnt is None else learnt.deviates
    weight = np.full(deviates.shape[1], 1 / deviates.shape[1]) if learnt is None else learnt.weight
    films = _films(prior, deviates)
    found = []
    for coupon in coupons:
        known = None if learnt is None else next((course for one, course in learnt.courses if _same_way(one, coupon)), None)
        course = _course(coupon, solvent, *films, deviates, _moments(coupon)) if known is None else known
        found.append(_wetted(coupon, course, weight))
    return found


def _same_way(one: Weighed, other: Weighed) -> bool:
    """Return whether two coupons dried alike: what the laboratory read off them has no part in it."""
    return one.history is other.history and one[1:5] == other[1:5]


def _wetted(coupon: Weighed, course: Array, weight: Array) -> History:
    """Return a coupon's history with the mean of ``course`` (samples, moments); samples that could not be followed count for nothing."""
    solved = np.isfinite(course).all(axis=1)
    share = np.where(solved, weight, 0.0)
    mean = share @ np.nan_to_num(course) / max(float(share.sum()), 1e-300)
    at_s = coupon.history.at_s[0] + _moments(coupon)
    return History(at_s, np.interp(at_s, coupon.history.at_s, coupon.history.temp_k), mean)


def _moments(coupon: Weighed) -> Array:
    """Return the times at which a coupon's solvent is looked at, s from its start: its own points, and between them evenly and early."""
    own_s = coupon.history.at_s - coupon.history.at_s[0]
    spread_s = own_s[-1] * np.linspace(0.0, 1.0, _LOOKS)
    return np.unique(np.concatenate((own_s, spread_s, spread_s**2 / own_s[-1], spread_s**4 / own_s[-1] ** 3)))


def residuals(belief: Belief, coupons: Sequence[Weighed], solvent: Solvent, deviates: Array) -> Array:
    """Return the weight fraction of solvent left in each coupon, (coupons, samples); NaN where the film could not be followed.

    ``deviates`` (axes, samples) are standard normal; the first five move along ``belief``, the others over the priors of ``parameters``.
    """
    return _ends(_courses(belief, coupons, solvent, deviates))


def _courses(belief: Belief, coupons: Sequence[Weighed], solvent: Solvent, deviates: Array) -> list[Array]:
    """Return each coupon's residual at its ``_moments``, (samples, moments)."""
    films = _films(belief, deviates)
    return [_course(coupon, solvent, *films, deviates, _moments(coupon)) for coupon in coupons]


def _ends(courses: Sequence[Array]) -> Array:
    """Return the residual that ``courses`` end with, (coupons, samples)."""
    return np.array([course[:, -1] for course in courses])


def _films(belief: Belief, deviates: Array) -> tuple[Uncertain, Slow]:
    """Return the films of the samples, lying free and as hot as the oven."""
    theta = _theta(belief, deviates)
    zeros = np.zeros(deviates.shape[1])
    uncertain = Uncertain.median(zeros.size, 1e-12)._replace(
        glass_dry_k=varied("glass_dry", deviate=deviates[_GLASS]),
        energy_dry_kj_mol=theta[ENERGY],
        bound=np.exp(theta[BOUND]),
        release_energy_kj_mol=theta[RELEASE_ENERGY],
    )
    slow = Slow(
        log_dry=theta[DIFFUSION] - np.log(value("diffusion_dry")),
        log_swollen=deviates[_SWOLLEN] * spread("diffusion_swollen"),
        log_slope=np.log(varied("diffusion_slope_glass", deviate=deviates[_SLOPE]) / value("diffusion_slope_glass")),
        log_way=zeros + _FREE_LN,
        log_h=zeros + _WARM_LN,
        log_k=zeros + _WARM_LN,
        log_release=theta[RELEASE] - np.log(value("release_rate")),
        log_bore=zeros,
        more_chi=varied("chi", deviate=deviates[_CHI]) - value("chi"),
    )
    return uncertain, slow


def _course(coupon: Weighed, solvent: Solvent, uncertain: Uncertain, slow: Slow, deviates: Array, ahead_s: Array) -> Array:
    """Return one coupon's residual ``ahead_s`` (moments,) after the start of its history, (samples, moments)."""
    load = LoadState(**{name: getattr(_ROOM, name) for name in _ROOM.__slots__} | {"film_um": coupon.film_um})
    model = layers.build(load, solvent, uncertain, ("outer", "edge"), CELLS)
    wet = np.clip(coupon.predry + coupon.predry_sd * deviates[_PREDRY], 0.002, 0.6)
    at_s, temp_k = coupon.history.at_s - coupon.history.at_s[0], coupon.history.temp_k
    effective_k = float(exposure_of([coupon.history]).effective_k[0])
    warmer = 1e3 * coupon.sd_k / R_J_PER_MOL_K / effective_k**2 * deviates[_OVEN]
    slow = slow._replace(
        log_dry=slow.log_dry + uncertain.energy_dry_kj_mol * warmer,
        log_release=slow.log_release + uncertain.release_energy_kj_mol * warmer,
    )
    knots = np.column_stack((at_s, temp_k, np.full(at_s.size, ATMOSPHERE_MBAR * PA_PER_MBAR), np.zeros(at_s.size)))
    start = layers.initial(model, float(temp_k[0]), wet)
    seen = layers.trajectory(model, slow, start, knots, ahead_s)
    return np.asarray(seen.residual[:, :, 0], dtype=np.float64)


def _theta(belief: Belief, deviates: Array) -> Array:
    """Return ``NAMES`` of the samples, (5, samples), all but ln D inside their ranges."""
    theta = belief.mean[:, None] + np.linalg.cholesky(belief.covariance) @ deviates[: len(NAMES)]
    for axis, name in _LIMITED.items():
        row = PARAMETERS[name]
        low, high = (np.log(row.low), np.log(row.high)) if row.log else (row.low, row.high)
        theta[axis] = np.clip(theta[axis], low, high)
    return np.asarray(theta, dtype=np.float64)


def _log_likelihoods(coupons: Sequence[Weighed], dried: Array) -> Array:
    """Return the logarithm of each coupon's likelihood, (coupons, samples); minus infinity for a film that could not be followed."""
    rows = []
    for coupon, left in zip(coupons, dried, strict=True):
        wide = np.hypot(coupon.residual_sd, LAW_LN_SD * left)
        if coupon.residual <= coupon.limit:
            rows.append(_log_normal_cdf((coupon.limit - left) / wide))
        else:
            rows.append(-0.5 * ((coupon.residual - left) / wide) ** 2 - np.log(wide / coupon.residual_sd))
    found = np.array(rows)
    return np.asarray(np.where(np.isfinite(found), found, -np.inf), dtype=np.float64)


def _log_normal_cdf(at: Array) -> Array:
    """Return ln of the standard normal distribution function: its integral to -5, Mills' ratio beyond (relative error below 0.2 %)."""
    standard = NormalDist()
    inner = np.array([standard.cdf(one) if one > -5 else 1.0 for one in np.nan_to_num(at, nan=-1e6).tolist()])
    far = np.minimum(at, -5.0)
    tail = -0.5 * far**2 - 0.5 * np.log(2 * np.pi) - np.log(-far) + np.log1p(-1 / far**2 + 3 / far**4 - 15 / far**6)
    return np.asarray(np.where(at > -5, np.log(inner), tail), dtype=np.float64)


def _weights(log_weight: Array) -> Array:
    weight = np.exp(log_weight - log_weight.max())
    return np.asarray(weight / weight.sum(), dtype=np.float64)


def _effective(weight: Array) -> float:
    """Return Kish's number of effective samples."""
    return float(1 / (weight**2).sum())


def _tempered(log_likelihood: Array, before: Array) -> Array:
    """Return weights with the likelihood to that power, at most 1, at which ``_HELD`` samples carry weight."""
    low, high = 0.0, 1.0
    for _ in range(30):
        power = (low + high) / 2
        low, high = (power, high) if _effective(_weights(np.maximum(power * log_likelihood, -1e300) + before)) >= _HELD else (low, power)
    return _weights(np.maximum(low * log_likelihood, -1e300) + before)


def _around(deviates: Array, weight: Array, samples: int) -> tuple[Array, Array]:
    """Return the next round's deviates and the logarithm of their density (the constant of all is left out)."""
    mean = deviates @ weight
    apart = deviates - mean[:, None]
    covariance = _WIDER**2 * (apart * weight @ apart.T) + 1e-4 * np.eye(len(AXES))
    root = np.linalg.cholesky(covariance)
    plain = _design(samples)
    of_prior = np.arange(samples) % round(1 / _PRIOR_SHARE) == 0
    found = np.where(of_prior, plain, mean[:, None] + root @ plain)
    white = np.linalg.solve(root, found - mean[:, None])
    near = np.log(1 - _PRIOR_SHARE) - 0.5 * (white**2).sum(axis=0) - np.log(np.diag(root)).sum()
    return found, np.asarray(np.logaddexp(near, np.log(_PRIOR_SHARE) - 0.5 * (found**2).sum(axis=0)), dtype=np.float64)


def _deviations(coupons: Sequence[Weighed], dried: Array, each: Array, before: Array) -> Array:
    """Return ``Learnt.z``: each coupon's weight taken out of the samples' weights."""
    z = np.zeros(len(coupons))
    for i, coupon in enumerate(coupons):
        weight = _weights(np.delete(each, i, axis=0).sum(axis=0) + before)
        left = np.nan_to_num(dried[i])
        mean = float(left @ weight)
        wide = np.sqrt(float((left - mean) ** 2 @ weight) + float((LAW_LN_SD * left) ** 2 @ weight) + coupon.residual_sd**2)
        censored = coupon.residual <= coupon.limit
        z[i] = min(0.0, (coupon.limit - mean) / wide) if censored else (coupon.residual - mean) / wide
    return z


def _quantile(row: Array, weight: Array, share: float) -> float:
    order = np.argsort(row)
    return float(row[order][min(int(np.searchsorted(np.cumsum(weight[order]), share)), row.size - 1)])


@lru_cache(maxsize=4)
def _design(count: int) -> Array:
    """Return standard normal deviates, (axes, count), of the R sequence (Roberts 2018): evenly spread in all of its axes."""
    axes = len(AXES)
    root = 1.0
    for _ in range(60):
        root = (1 + root) ** (1 / (axes + 1))  # x^(axes + 1) = x + 1
    standard = NormalDist()
    rows = [[standard.inv_cdf((0.5 + (i + 1) * root ** -(axis + 1)) % 1.0) for i in range(count)] for axis in range(axes)]
    return np.array(rows)
