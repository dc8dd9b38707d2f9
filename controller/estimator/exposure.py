"""Temperature histories of coupons as few steps of constant temperature, which the cure law then takes for any parameters.

A step is known by mean and variance of its temperature, weighted with the prior's rate constant. What another energy and the glass, which
may triple the slope of ln rate over temperature, make of the step is then right to the second order; the glass transition that rises with
the crosslinking inside a step, to the first. So a step of 8 K, in which the rate may change by a factor of five, is as good as the curve.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator.curing import LIMIT, REFERENCE_K, WIDTH_K, Cure, arrhenius, hindered, hindrance, power_of
from controller.estimator.parameters import value
from controller.units import R_J_PER_MOL_K, kelvin

Array = NDArray[np.float64]

ENERGY_K: Final = 1e3 * value("activation_energy") / R_J_PER_MOL_K
_SHARES: Final = 16  # steps of equal crosslinking, for the glass transition that rises with it
_TRAVEL_K: Final = 8.0  # a step's temperature moves by no more
_WET: Final = 0.05  # weight fraction of solvent above which the glass transition is far below any cure
_GLASS_K: Final = 1300.0  # by which it falls per weight fraction (Fox), about; a step's moves by no more than its temperature
_IDLE_K: Final = kelvin(170.0)  # below, the rate is less than 0.4 % of that at 240 degC
_FINE_K: Final = 0.5  # of the straight pieces before they are put together


class History(NamedTuple):
    """One coupon's film temperature, straight lines between points; arrays are (points,), times strictly increasing."""

    at_s: Array
    temp_k: Array
    fraction: Array  # weight fraction of solvent in the film, 0 for a dry one


class Exposure(NamedTuple):
    """What coupons went through; arrays are (steps, coupons), a coupon with fewer steps has steps without duration at the end."""

    dt_s: Array  # at ``temp_k``, that would do as much as the step with the prior's energy
    temp_k: Array  # mean, weighted with the prior's rate constant
    variance_k2: Array  # likewise
    fraction: Array  # likewise

    @property
    def effective_k(self) -> Array:
        """Return the mean temperature of each coupon, weighted with the rate constant, in K; shape (coupons,)."""
        weight = self.dt_s * arrhenius(self.temp_k, 1.0, ENERGY_K)
        return np.asarray((weight * self.temp_k).sum(axis=0) / weight.sum(axis=0), dtype=np.float64)

    def of(self, chosen: Sequence[int]) -> "Exposure":
        """Return the coupons with the indices ``chosen``."""
        picked = list(chosen)
        return Exposure(self.dt_s[:, picked], self.temp_k[:, picked], self.variance_k2[:, picked], self.fraction[:, picked])


def exposure_of(histories: Sequence[History]) -> Exposure:
    """Return ``histories`` as steps, one coupon each."""
    parts = [_steps(history) for history in histories]
    longest = max(part.shape[1] for part in parts)
    padded = np.stack([np.pad(part, ((0, 0), (0, longest - part.shape[1])), mode="edge") for part in parts], axis=2)
    for coupon, part in enumerate(parts):
        padded[0, part.shape[1] :, coupon] = 0.0
    return Exposure(padded[0], padded[1], padded[2], padded[3])


def _steps(history: History) -> Array:
    """Return duration, temperature, its variance and solvent of the steps, shape (4, steps)."""
    at_s = _fine(history)
    temp_k, fraction = np.interp(at_s, history.at_s, history.temp_k), np.interp(at_s, history.at_s, history.fraction)
    dt_s, middle_k, wet = np.diff(at_s), (temp_k[1:] + temp_k[:-1]) / 2, (fraction[1:] + fraction[:-1]) / 2
    done = dt_s * arrhenius(middle_k, 1.0, ENERGY_K)
    travel = np.abs(np.diff(temp_k)) * (middle_k > _IDLE_K) + np.abs(np.diff(np.minimum(fraction, _WET))) * _GLASS_K
    progress = np.cumsum(done) * (_SHARES / done.sum()) + np.cumsum(travel) / _TRAVEL_K
    first = np.flatnonzero(np.diff(np.floor(progress - progress[0]), prepend=-1.0))
    square_k2 = middle_k**2 + np.diff(temp_k) ** 2 / 12
    sums, solvent, warmth, square = (np.add.reduceat(part, first) for part in (done, done * wet, done * middle_k, done * square_k2))
    mean_k = warmth / sums
    return np.stack((sums / arrhenius(mean_k, 1.0, ENERGY_K), mean_k, np.maximum(square / sums - mean_k**2, 0.0), solvent / sums))


def _fine(history: History) -> Array:
    """Return the points' times with so many more between them that the straight pieces are short."""
    span_s = np.diff(history.at_s)
    counts = np.ceil(np.maximum(np.abs(np.diff(history.temp_k)) / _FINE_K, 4 * _SHARES * span_s / span_s.sum())).astype(int)
    counts = np.maximum(counts, 1)
    starts = np.repeat(history.at_s[:-1], counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.append(starts + place * np.repeat(span_s / counts, counts), history.at_s[-1])


def conversion_of(exposure: Exposure, cure: Cure) -> Array:
    """Return the conversion of the sites at the end, from none, shape (coupons, samples); ``cure`` holds arrays of shape (samples,).

    Its rate may be of shape (coupons, samples).
    """
    power, start = power_of(cure.order), cure.rate_s * hindered(cure) / LIMIT
    left_log = np.zeros((exposure.dt_s.shape[1], cure.rate_s.shape[-1]))
    left = np.ones_like(left_log)
    for dt_s, temp_k, variance_k2, fraction in zip(*(part[..., None] for part in exposure), strict=True):
        held, steeper, rise = hindrance(cure, temp_k, fraction, 1 - left)  # 1/Phi, d ln Phi / dT, -d ln Phi / dx
        slope = steeper + (cure.energy_k - ENERGY_K) / temp_k**2  # of ln rate, beyond the prior's that the step's mean is made with
        bent = 1 + variance_k2 / 2 * (slope**2 - steeper / (held * WIDTH_K))
        time = dt_s * bent * start * np.exp(cure.energy_k * (1 / REFERENCE_K - 1 / temp_k)) / held
        branch = np.exp(power * left_log)  # (1-x)^(n-1)
        slowed = np.maximum(time * rise * branch * left, 1e-12)  # ln of the rate at the step's end over that at its start, about
        left_log = left_log - np.log1p(power * branch * time * np.log1p(slowed) / slowed) / power
        left = np.exp(left_log)
    return np.asarray(-np.expm1(left_log), dtype=np.float64)
