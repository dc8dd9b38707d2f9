"""Whether coupons contradict each other beyond one gross error that is known: then nothing can be learnt from them.

Three views. What the others foretell of a coupon; but two others that disagree foretell everything. Coupons of one film and history beside
each other: the law gives them one insoluble content, whatever its parameters. The posterior's own residuals: one gross error is in it.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np

from controller.calibrate.parameter_set import Evidenced
from controller.calibrate.selection import Piece
from controller.calibrate.weighing import weighed_of
from controller.estimator import calibration as bayes
from controller.estimator.calibration import FLOOR, TIME, Evidence, Posterior, Prior

OUTLIER: Final = 3.0  # standard deviations; the law's error is in them
_CONTRADICTS: Final = 6.0  # likewise; beyond, a coupon is not what its label says
_FAR: Final = 4.0  # likewise; of 200 coupons that agree hardly one lies so far
_SAMPLED: Final = 0.005  # share of the samples that must carry weight, ten of them: with fewer there is no posterior
_SWEEP: Final = np.linspace(-4.0, 4.0, 401)  # of ln gel time, through every insoluble content


class Pair(NamedTuple):
    """Two coupons of one film and history, and how far apart they lie in standard deviations."""

    one: Evidenced
    other: Evidenced
    z: float

    @property
    def names(self) -> tuple[str, str]:
        """Return the names of the two."""
        return self.one.name, self.other.name


def apart(pieces: Sequence[Piece], rows: Sequence[Evidenced], evidence: Evidence, prior: Prior) -> list[Pair]:
    """Return the coupons of one film and history, two at a time, that lie apart by more than ``OUTLIER``.

    A roll's zone is not one history. One oven's error of temperature is the same for both, as the likelihood takes it. The law is the
    prior's: coupons that contradict each other make the posterior's so steep that they hardly seem to.
    """
    found = []
    for i, j in combinations(range(len(pieces)), 2):
        if pieces[i].coupon.history is None or _way(pieces[i]) != _way(pieces[j]):
            continue
        variance = sum(_variance(evidence.of([index]), prior) for index in (i, j))
        z = float(abs(evidence.insoluble[i] - evidence.insoluble[j])) / variance**0.5
        if z > OUTLIER:
            found.append(Pair(rows[i], rows[j], z))
    return found


def contradiction(rows: Sequence[Evidenced], pairs: Sequence[Pair], evidence: Evidence, posterior: Posterior) -> str:
    """Return by which coupons the laboratory contradicts itself, so that no controller may learn from it, or ""."""
    if told := _by_the_others(rows) or _side_by_side(rows, pairs) or _far(rows, _residuals(evidence, posterior)):
        return told
    share = posterior.effective
    return "" if share >= _SAMPLED else f"no parameters agree with them: {100 * share:.1f} % of the samples carry weight"


def _by_the_others(rows: Sequence[Evidenced]) -> str:
    """Return the coupons that lie far from what the others foretell, when one is not what its label says and it is not alone."""
    z = [row.z for row in rows]
    return _far(rows, z) if max(map(abs, z)) > _CONTRADICTS else ""


def _far(rows: Sequence[Evidenced], z: Sequence[float]) -> str:
    """Return the coupons that lie far off, when it is more than one; one alone is the gross error."""
    far = sorted(((one, row.name) for one, row in zip(z, rows, strict=True) if abs(one) > _FAR), key=lambda one: -abs(one[0]))
    return ", ".join(f"{name} {one:+.0f} sd" for one, name in far) if len(far) > 1 else ""


def _side_by_side(rows: Sequence[Evidenced], pairs: Sequence[Pair]) -> str:
    """Return the coupons of one history that contradict each other, unless one is known to be wrong and explains all."""
    wrong = [pair for pair in pairs if pair.z > _FAR]
    if not wrong:
        return ""
    named = {row.name: row for pair in wrong for row in pair[:2]}
    explains = [name for name in named if all(name in pair.names for pair in wrong) and _stands_out(name, pairs)]
    if len(explains) > 1:  # one pair: the others must tell which of the two it is
        explains.sort(key=lambda name: -abs(named[name].z))
        first, second = (abs(named[name].z) for name in explains)
        explains = explains[:1] if first > OUTLIER and second < first / 2 else []
    if len(explains) == 1 and not [row for row in rows if abs(row.z) > _CONTRADICTS and row.name != explains[0]]:
        return ""
    return ", ".join(f"{row.name} {row.insoluble_pct:g} %" for row in named.values()) + " of one film and history"


def _stands_out(name: str, pairs: Sequence[Pair]) -> bool:
    """Return whether a coupon lies at least twice as far from its like as those from each other."""
    return max((pair.z for pair in pairs if name not in pair.names), default=0.0) < min(pair.z for pair in pairs if name in pair.names) / 2


def _residuals(evidence: Evidence, posterior: Posterior) -> list[float]:
    """Return how far each coupon lies from what the posterior gives, in standard deviations; the median over its samples."""
    found = bayes.predicted(evidence, posterior.samples)
    sd = np.sqrt(found.own_variance + found.shared**2 + (evidence.sd**2 + FLOOR**2)[:, None])
    return [float(one) for one in np.median((evidence.insoluble[:, None] - found.mean) / sd, axis=1)]


def _way(piece: Piece) -> tuple[object, ...]:
    film = weighed_of(piece)
    return piece.coupon.history, film.film_um, film.predry


def _variance(coupon: Evidence, prior: Prior) -> float:
    """Return the variance of one coupon by laboratory and law, the latter where the law gives what was found."""
    theta = np.tile(prior.mean[:, None], _SWEEP.size)
    theta[TIME] += _SWEEP[::-1]
    found = bayes.predicted(coupon, theta)  # from slow to fast: the insoluble content rises
    own = np.interp(coupon.insoluble[0], found.mean[0], found.own_variance[0])
    return float(own + coupon.sd[0] ** 2 + FLOOR**2)
