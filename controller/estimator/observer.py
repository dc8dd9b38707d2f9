"""How the solvent that was seen leaving moves the members, and what they say together.

A deterministic square-root ensemble filter (Whitaker and Hamill 2002) for one observation: what a member predicted for the window against
what was observed. It moves each zone's remaining solvent, the diffusion scales, the scale of the vapour's way out and the flux
instruments' gain. Weighting fixed members instead was tried: where a roll dries unlike any of 64 draws there is nothing to put weight on.
The crosslinking parameters, and what has crosslinked, are not visible on-line and are never moved; only coupons change them.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.image import Interval

Array = NDArray[np.float64]

_TEMPER: Final = 2.0  # consecutive windows share their errors, so that the error's variance counts double
_ROBUST: Final = 2.5  # deviations beyond which a window pulls no harder
_LONGEST_MOVE: Final = 0.7  # of a logarithm by one window
_CONFLICT: Final = 6.0  # deviations between a window and its nearest member
# [assume] spread kept, because the model's structure stays unknown: solvent of four zones, dry and swollen diffusion, slope, way out, gain
_FLOOR: Final = np.array([[0.2], [0.2], [0.2], [0.2], [0.5], [0.5], [0.15], [0.3], [0.02]])
_SOLVENT_MAX: Final = 1.5  # kg per kg polymer
_QUANTILES: Final = np.array([0.05, 0.5, 0.95])


class Belief(NamedTuple):
    """What a window may change: solvent (zones, members); logarithms of diffusion scales, way out and instrument gain (members,)."""

    solvent: Array
    log_dry: Array
    log_swollen: Array
    log_slope: Array
    log_way: Array
    log_gain: Array


def learn(belief: Belief, predicted_kg: Array, observed_kg: float, deviation_kg: float) -> tuple[Belief, bool]:
    """Return the belief after one window, and whether no member explains it.

    ``predicted_kg`` (members,) is what the instruments should have shown, ``deviation_kg`` the standard deviation of the comparison.
    """
    augmented = np.vstack(
        (np.log(np.maximum(belief.solvent, 1e-6)), belief.log_dry, belief.log_swollen, belief.log_slope, belief.log_way, belief.log_gain)
    )
    centre = augmented.mean(axis=1, keepdims=True)
    anomaly = augmented - centre
    floor = np.minimum(_FLOOR, _spread(anomaly))  # a prior that is sharper than the floor is kept as it is
    predicted = predicted_kg.mean()
    shown = predicted_kg - predicted
    freedom = len(predicted_kg) - 1
    error = _TEMPER * deviation_kg**2
    total = float(shown @ shown) / freedom + error
    gain = (anomaly @ shown)[:, None] / (freedom * total)
    limit = _ROBUST * total**0.5
    innovation = float(np.clip(observed_kg - predicted, -limit, limit))
    centre += np.clip(gain * innovation, -_LONGEST_MOVE, _LONGEST_MOVE)
    anomaly -= gain * shown / (1 + (error / total) ** 0.5)
    anomaly *= np.maximum(1.0, floor / np.maximum(_spread(anomaly), 1e-12))
    moved = centre + anomaly
    nearest = float(np.abs(predicted_kg - observed_kg).min())
    after = Belief(np.minimum(np.exp(moved[:-5]), _SOLVENT_MAX), *moved[-5:])
    return after, nearest > _CONFLICT * deviation_kg


def _spread(anomaly: Array) -> Array:
    """Return the standard deviation of each row, shape (rows, 1)."""
    deviation: Array = np.sqrt((anomaly * anomaly).sum(axis=1, keepdims=True) / (anomaly.shape[1] - 1))
    return deviation


def intervals(values: Array) -> list[Interval]:
    """Return the 5/50/95 % points of each row, shape (rows, members); every member weighs the same."""
    ordered = np.sort(values, axis=1)
    position = _QUANTILES * (ordered.shape[1] - 1)  # never the last, so that one above exists
    below = position.astype(np.intp)
    share = position - below
    points = ordered[:, below] * (1 - share) + ordered[:, below + 1] * share
    return [Interval(median, low, high) for low, median, high in points.tolist()]
