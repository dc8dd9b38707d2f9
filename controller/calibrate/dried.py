"""The part of a parameter set that weighed coupons make: the belief about drying, and each coupon beside it."""

from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from controller.calibrate.selection import Piece
from controller.calibrate.weighing import weighed_of
from controller.equipment import Strict
from controller.estimator import drying
from controller.estimator.drying import BOUND, DIFFUSION, ENERGY, NAMES, RELEASE, RELEASE_ENERGY, Belief, Learnt
from controller.estimator.model import EstimatorSettings
from controller.journal.product import Word
from controller.units import celsius

PRIOR_LN_SD: Final = 0.8  # [assume] of ln D before any coupon; the estimator's own prior, of any polyamide-imide, is twice as wide
KEYS: Final = (
    "diffusion_m2_s", "diffusion_ln_sd", "diffusion_energy_kj_mol", "diffusion_energy_sd_kj_mol", "bound_solvent_kg_kg",
    "bound_solvent_ln_sd", "release_1_s", "release_ln_sd", "release_energy_kj_mol", "release_energy_sd_kj_mol", "drying_correlation",
)  # fmt: skip
# [assume] from lot to lot of one resin, standard deviations of ``NAMES``: a parent of another lot is believed with this added
LOT_SD: Final = (0.3, 5.0, 0.2, 0.3, 5.0)
Percent = Annotated[float, Field(ge=0, le=100)]
Number = Annotated[float, Field(ge=-500, le=500)]  # its exponential is a number
Array = NDArray[np.float64]
Row = Annotated[tuple[Number, Number, Number, Number, Number], Field(strict=False)]


class Drying(Strict):
    """The belief about drying, in the order of ``names``, without the error of the transfer to a roll, which the settings have in them."""

    names: Annotated[tuple[str, ...], Field(strict=False)] = NAMES
    mean: Row
    sd: Row
    correlation: Annotated[tuple[Row, Row, Row, Row, Row], Field(strict=False)]
    best_known_c: Annotated[float, Field(ge=0, le=500)]  # temperature at which D is known best
    best_known_ln_sd: Annotated[float, Field(ge=0, le=10)]
    law_ln_sd: Annotated[float, Field(ge=0, le=2)]  # of a coupon's residual, as assumed
    transfer_ln_sd: Annotated[float, Field(ge=0, le=2)]  # of D, from coupon to roll, as assumed
    effective_samples: Annotated[float, Field(ge=0, le=100_000)]  # 0: no coupon was weighed, the belief is the prior
    told: Annotated[float, Field(ge=0, le=1)]  # by what share the prior's volume shrank

    @property
    def belief(self) -> Belief:
        """Return the belief as ``drying`` takes it."""
        return Belief(np.array(self.mean), np.array(self.correlation) * np.outer(self.sd, self.sd))

    def belief_for(self, same_lot: bool) -> Belief:
        """Return this belief as the prior of a lot, wider for another one."""
        found = self.belief
        return found if same_lot else Belief(found.mean, found.covariance + np.diag(np.square(LOT_SD)))


class Dried(Strict):
    """One weighed coupon of the set, wt%. ``z`` is its deviation from what the other coupons foretell, in standard deviations."""

    name: Word
    residual_wt_pct: Percent
    residual_sd_wt_pct: Percent
    below_limit: bool  # counted as "at most the detection limit"
    predicted_wt_pct: Percent
    z: Annotated[float, Field(ge=-1e6, le=1e6)]


def drying_of(prior: Belief, learnt: Learnt | None) -> Drying:
    """Return the section of a set that has learnt ``learnt``, or with None nothing."""
    belief = prior if learnt is None else learnt.belief
    best_k, best_sd = drying.best_known_k(belief)
    return Drying(
        mean=_row(belief.mean), sd=_row(belief.sd), correlation=_rows(belief.correlation),
        best_known_c=round(float(np.clip(celsius(best_k), 0, 500)), 2), best_known_ln_sd=round(best_sd, 5),
        law_ln_sd=drying.LAW_LN_SD, transfer_ln_sd=drying.TRANSFER_LN_SD,
        effective_samples=0.0 if learnt is None else round(learnt.effective, 1), told=0.0 if learnt is None else round(learnt.told, 4),
    )  # fmt: skip


def rows_of(alone: list[Piece], learnt: Learnt | None) -> tuple[Dried, ...]:
    """Return the weighed coupons beside what the belief predicts of them."""
    if learnt is None:
        return ()
    rows = []
    for piece, predicted, z in zip(alone, learnt.predicted.tolist(), learnt.z.tolist(), strict=True):
        coupon = weighed_of(piece)
        rows.append(
            Dried(
                name=piece.name, residual_wt_pct=round(100 * coupon.residual, 6), residual_sd_wt_pct=round(100 * coupon.residual_sd, 6),
                below_limit=coupon.residual <= coupon.limit, predicted_wt_pct=round(100 * predicted, 4), z=round(z, 2),
            )
        )  # fmt: skip
    return tuple(rows)


def settings_of(found: Drying) -> dict[str, Any]:
    """Return the settings' ``KEYS``; the transfer's error is in the standard deviation and in the correlation."""
    belief = drying.transferred(found.belief)
    mean, sd = belief.mean, belief.sd
    values = (
        np.exp(mean[DIFFUSION]), sd[DIFFUSION], mean[ENERGY], sd[ENERGY], np.exp(mean[BOUND]), sd[BOUND], np.exp(mean[RELEASE]),
        sd[RELEASE], mean[RELEASE_ENERGY], sd[RELEASE_ENERGY],
    )  # fmt: skip
    told: dict[str, Any] = {key: float(f"{one:.5g}") for key, one in zip(KEYS, values, strict=False)}
    told[KEYS[-1]] = tuple(min(0.9999, max(-0.9999, float(f"{one:.5g}"))) for one in belief.correlation[np.triu_indices(len(NAMES), 1)])
    return told


def _row(values: Array) -> tuple[float, float, float, float, float]:
    first, second, third, fourth, fifth = (float(one) for one in values)
    return first, second, third, fourth, fifth


def _rows(matrix: Array) -> Any:
    return tuple(_row(row.round(6)) for row in matrix)


def prior_of() -> Belief:
    """Return what is believed of a film that nobody weighed, in a laboratory that knows the polymer."""
    return drying.prior_of(EstimatorSettings(diffusion_ln_sd=PRIOR_LN_SD))
