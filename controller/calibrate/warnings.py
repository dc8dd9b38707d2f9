"""What a person should know before believing a calibration."""

from typing import Final

import numpy as np

from controller.calibrate.contradiction import OUTLIER, Pair
from controller.calibrate.dried import Dried
from controller.calibrate.parameter_set import Evidenced, ParameterSet
from controller.calibrate.selection import Piece
from controller.calibrate.weighing import FILM_UM
from controller.estimator import drying
from controller.estimator.calibration import ENERGY, OFFSET, TIME, Posterior, Prior, rate_arms
from controller.journal.product import Lab
from controller.units import celsius, kelvin

_SPAN_K: Final = 10.0  # of the coupons' temperatures, for an activation energy
_AROUND_K: Final = (400.0, 600.0)  # of a slope that means something
_SILENT: Final = 0.002  # share of the information
_TOLD: Final = 0.2  # of the prior's area: less is no information


def of_assay(pieces: list[Piece]) -> list[str]:
    """Return what is missing of the assay's parameters."""
    missing = [piece.name for piece in pieces if "concentration_wt_pct" not in piece.coupon.assay]
    return [f"the assay of {', '.join(missing)} has no concentration_wt_pct (film in the solvent)"] if missing else []


def of_belief(
    prior: Prior,
    posterior: Posterior,
    rows: tuple[Evidenced, ...],
    effective: float,
    span_k: float,
    parent: ParameterSet | None,
) -> list[str]:
    """Return what speaks against the posterior or parts of it: outliers, too narrow temperatures, too few coupons, a conflict."""
    found = []
    worst = sorted((row for row in rows if abs(row.z) > OUTLIER), key=lambda row: -abs(row.z))
    if worst:
        told = ", ".join(f"{row.name} {row.z:+.1f} sd" for row in worst)
        found.append(
            f"{told} from what the other coupons foretell; the first may have moved the others. "
            f"Check assay and history, or keep it back with --held-out '{worst[0].name}'"
            if len(rows) > 1
            else f"{told} from what the prior foretells: check assay and history"
        )
    learnt = _slope_learnt(prior, posterior, rows)
    if span_k < _SPAN_K or learnt < 0.3:
        found.append(
            f"the coupons that say something span {span_k:.1f} K: the rate's slope over temperature (activation energy, vitrification) is "
            f"{100 * (1 - learnt):.0f} % the prior's; take coupons at two temperatures 15 K apart or more, both with 20-85 % insoluble"
        )
    if hot := [row.name for row in rows if kelvin(row.effective_c) > _AROUND_K[1]]:
        found.append(f"hotter than {celsius(_AROUND_K[1]):.0f} degC, where the model ends: {', '.join(hot)}; take coupons at 220-280 degC")
    if effective < 2:
        found.append(f"{effective:.1f} effective coupons: an error of one of them would not show")
    silent = [row.name for row in rows if row.share < _SILENT]
    if silent:
        found.append(f"near 0 or 100 % and almost without weight: {', '.join(silent)}")
    if posterior.effective < 0.05:
        found.append(
            f"only {100 * posterior.effective:.1f} % of the samples carry weight: the intervals are rough; are the coupons consistent?"
        )
    for index, name in ((TIME, "gel time"), (ENERGY, "activation energy"), (OFFSET, "vitrification offset")):
        edge = 0.02 * (prior.high[index] - prior.low[index])
        at_edge = ((posterior.samples[index] < prior.low[index] + edge) | (posterior.samples[index] > prior.high[index] - edge)).mean()
        if at_edge > 0.1:
            found.append(f"the {name} stands at the end of its range; the true one may lie beyond")
    if parent is not None:
        moved = abs(float(posterior.mean[TIME] - prior.mean[TIME])) / float(np.sqrt(prior.covariance[TIME, TIME]))
        if moved > 2.5:
            found.append(
                f"the gel time moved by {moved:.1f} sd of the prior {parent.lot} v{parent.version}: another resin, or another assay?"
            )
    return found


def of_pairs(pairs: list[Pair]) -> list[str]:
    """Return which coupons of one history lie apart."""
    return [
        f"{pair.one.name} and {pair.other.name} had one film and history and lie {pair.z:.1f} sd apart: one of them is not what it says"
        for pair in pairs
    ]


def _slope_learnt(prior: Prior, posterior: Posterior, rows: tuple[Evidenced, ...]) -> float:
    """Return by what share the variance of the rate's slope over temperature shrank, where the coupons were.

    The slope and not the energy: what energy and vitrification do to the rate can be known well while each alone is not.
    """
    share = sum(row.share for row in rows)
    middle_k = kelvin(sum(row.share * row.effective_c for row in rows) / share) if share > 0 else float(np.mean(_AROUND_K))
    low_k, high_k = _AROUND_K
    middle_k = min(max(middle_k, low_k + _SPAN_K / 2), high_k - _SPAN_K / 2)
    below, above = rate_arms(posterior.mean, np.array([middle_k - _SPAN_K / 2, middle_k + _SPAN_K / 2])).T
    before, after = (float((above - below) @ covariance @ (above - below)) for covariance in (prior.covariance, posterior.covariance))
    return max(0.0, 1 - after / before)


def of_rolls(lab: Lab, lot: str) -> list[str]:
    """Return whose residual solvent is not learnt from, because the coupon was cut from a roll."""
    cut = [one.name or one.position for one in lab.coupons if (one.lot or lab.lot) == lot and one.residual_wt_pct is not None and one.batch]
    return [f"residual solvent of {', '.join(cut)} is not learnt from: a roll dries through its gaps"] if cut else []


def of_drying(alone: list[Piece], rows: tuple[Dried, ...], learnt: drying.Learnt | None) -> list[str]:
    """Return what speaks against what the weighed coupons say of diffusion: no information, outliers, an unknown film."""
    if learnt is None:
        return []
    found = []
    if learnt.told < _TOLD:
        found.append(
            "the residual solvent of the coupons carries no information: the diffusion is the prior's; "
            "take one coupon out early, with 0.3-3 wt% left, and say its spread"
        )
    if worst := sorted((row for row in rows if abs(row.z) > OUTLIER), key=lambda row: -abs(row.z)):
        told = ", ".join(f"{row.name} {row.z:+.1f} sd" for row in worst)
        by = "the other coupons foretell" if len(rows) > 1 else "the prior foretells"
        found.append(f"residual solvent of {told} from what {by}: check weighing, film_um and history")
    if thick := [piece.name for piece in alone if piece.coupon.film_um is None]:
        found.append(f"film_um of {', '.join(thick)} is missing: {FILM_UM:g} um is taken, and the diffusion goes with its square")
    if learnt.effective < drying.ENOUGH:
        found.append(f"only {learnt.effective:.0f} samples of the diffusion carry weight: are the weighed coupons consistent?")
    return found
