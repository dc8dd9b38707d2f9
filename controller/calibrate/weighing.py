"""Which coupons' residual solvent is learnt from: those that lay alone in an oven whose temperatures the laboratory wrote down.

A coupon cut from a roll dried through the roll's gaps and says little of its film alone; it is shown in the report and not used here.
What the laboratory did not write down has the defaults below, all of them assumptions.
"""

from collections.abc import Sequence
from typing import Final

from controller.calibrate.heat import heat_of
from controller.calibrate.selection import Piece
from controller.errors import FileError, Problem
from controller.estimator import drying
from controller.estimator.drying import Belief, Learnt, Weighed
from controller.journal.product import Coupon, Lab, named
from controller.solvents import SOLVENTS

LIMIT_SDS: Final = 1.645  # Currie, Anal. Chem. 40 (1968) 586: above, 5 % of the blanks are taken for solvent
PREDRY_WT_PCT: Final = (20.0, 5.0)  # [assume] inside the 10-40 wt% of the process, and its standard deviation
PREDRY_SD_WT_PCT: Final = 1.0  # [assume] of a value that is given without one
FILM_UM: Final = 20.0  # [assume] the product's; D goes with its square


def weighed_alone(lab: Lab, lot: str, pieces: Sequence[Piece], file: str) -> list[Piece]:
    """Return the coupons of ``lot`` whose residual solvent says something of the film alone.

    ``pieces`` are the coupons learnt from for their insoluble content; others that have one were kept back.

    Raises:
        FileError: something is wrong with one of them.
    """
    found = [piece for piece in pieces if piece.coupon.residual_wt_pct is not None and piece.coupon.history is not None]
    problems: list[Problem] = []
    for i, coupon in enumerate(lab.coupons):
        name, key = coupon.name or coupon.position, f"coupons.{i}"
        ours = (coupon.lot or lab.lot) == lot and coupon.residual_wt_pct is not None and coupon.history is not None
        if not ours:
            continue
        problems += _problems(coupon, key)
        if coupon.insoluble_pct is not None:
            continue
        if name in [one.name for one in (*pieces, *found)]:
            problems.append(Problem(f"{key}.name", name, "each coupon needs a name of its own"))
        found.append(Piece(name, coupon, heat_of(coupon, key, (), file)))
    if problems:
        raise FileError(file, named(problems, [coupon.name or coupon.position for coupon in lab.coupons]))
    return found


def wetted(pieces: Sequence[Piece], prior: Belief, learnt: Learnt | None, solvent: str) -> list[Piece]:
    """Return ``pieces``, those with a written history with the solvent that the film held on the way.

    1 wt% lowers the glass transition by 13 K, which is worth a factor of up to ten on the rate: a coupon that counted as dry would lend
    what it owed to its solvent to the rate of the dry film. The others have the estimate's solvent from their journal.
    """
    written = [i for i, piece in enumerate(pieces) if piece.coupon.history is not None]
    found = list(pieces)
    histories = drying.wetted(prior, learnt, [weighed_of(pieces[i]) for i in written], SOLVENTS[solvent]) if written else []
    for i, history in zip(written, histories, strict=True):
        found[i] = pieces[i]._replace(heat=pieces[i].heat._replace(history=history))
    return found


def _problems(coupon: Coupon, key: str) -> list[Problem]:
    start = PREDRY_WT_PCT[0] if coupon.predry_residual_wt_pct is None else coupon.predry_residual_wt_pct
    if coupon.residual_wt_pct is not None and coupon.residual_wt_pct > start:
        return [Problem(f"{key}.residual_wt_pct", coupon.residual_wt_pct, f"at most predry_residual_wt_pct, {start:g} wt%")]
    return []


def weighed_of(piece: Piece) -> Weighed:
    """Return a coupon as ``drying`` wants it."""
    coupon = piece.coupon
    found = coupon.residual_wt_pct or 0.0
    sd = coupon.weighed_sd_wt_pct
    start, start_sd = PREDRY_WT_PCT
    if coupon.predry_residual_wt_pct is not None:
        start, start_sd = coupon.predry_residual_wt_pct, PREDRY_SD_WT_PCT
    if coupon.predry_sd_wt_pct is not None:
        start_sd = coupon.predry_sd_wt_pct
    return Weighed(
        piece.heat.history, piece.heat.sd_k, FILM_UM if coupon.film_um is None else coupon.film_um, start / 100, start_sd / 100,
        found / 100, sd / 100, (LIMIT_SDS * sd if coupon.residual_limit_wt_pct is None else coupon.residual_limit_wt_pct) / 100,
    )  # fmt: skip
