"""Coupons beside a batch: those cut from it against what was believed of their own place, and against what the product must be."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from controller.journal.batch import Record, limits_of
from controller.journal.belief import NINETY
from controller.journal.figures import belief_at_end
from controller.journal.product import INSOLUBLE, Coupon, Judged, Property, file_and_number, judge
from controller.journal.words import interval, number, percent


class Held(NamedTuple):
    """A result of the laboratory and the estimate beside it, in words; ``holds`` is None where there is nothing to judge."""

    found: str
    estimate: str
    interval: str
    holds: bool | None


class Beside(NamedTuple):
    """One coupon; what is not ``of_batch`` has no estimate here."""

    coupon: Coupon
    of_batch: bool
    insoluble: Held
    residual: Held


def beside(record: Record, coupons: Iterable[Coupon], journal: str) -> list[Beside]:
    """Return each of ``coupons`` beside the belief at the end of the batch; ``journal`` is the name of its file.

    A coupon with a zone is held against that zone, another of this batch against the roll's mean and, of the solvent, the worst zone.
    """
    return [_beside(record, coupon, _of_batch(coupon, record.batch.batch_id, journal)) for coupon in coupons]


def judged(record: Record, held: Iterable[Beside]) -> list[Judged]:
    """Return the coupons of this batch beside the claims and beside what its recipe wanted, as it was edited last."""
    limits, found = limits_of(record), list[Judged]()
    low, high = (limits.get(f"insoluble_{end}_pct", math.nan) for end in ("low", "high"))
    window = Property("insoluble content, the recipe's window", "%", low, high)
    dry = Property("residual solvent, the recipe's limit", "wt%", -math.inf, limits.get("max_residual_wt_pct", math.nan))
    for coupon in (one.coupon for one in held if one.of_batch):
        where = called(coupon)
        pairs = ((INSOLUBLE, coupon.insoluble_pct), (window, coupon.insoluble_pct), (dry, coupon.residual_wt_pct))
        found += [judge(what, value, where) for what, value in pairs if value is not None and not math.isnan(what.low + what.high)]
    return found


def called(coupon: Coupon) -> str:
    """Return name and position of a coupon."""
    return coupon.position if coupon.name is None else f"{coupon.name}, {coupon.position}"


def _of_batch(coupon: Coupon, batch_id: str, journal: str) -> bool:
    if coupon.history is not None:
        return False
    return coupon.batch is None or file_and_number(coupon.batch) in (("", batch_id), (journal, batch_id))


def _beside(record: Record, coupon: Coupon, of_batch: bool) -> Beside:
    place = coupon.zone
    gel, wet = ("insoluble", "residual_solvent") if place in (None, "roll") else (f"insoluble_{place}", f"residual_{place}")
    return Beside(
        coupon,
        of_batch,
        _held(record, gel if of_batch else None, coupon.insoluble_pct, coupon.insoluble_sd_pct or 0.0, 1),
        _held(record, wet if of_batch else None, coupon.residual_wt_pct, coupon.weighed_sd_wt_pct, 2),
    )


def _held(record: Record, name: str | None, found: float | None, sd: float, digits: int) -> Held:
    """Return whether the 90 % interval of belief ``name`` holds what was ``found``, the laboratory's own error in quadrature with it."""
    belief = None if name is None else belief_at_end(record, name)
    said = f"{number(found)} ± {sd:.2g}" if found is not None and sd else number(found)
    holds = None
    if belief is not None and found is not None:
        value, low, high = (100 * end for end in belief)
        holds = value - math.hypot(value - low, NINETY * sd) <= found <= value + math.hypot(high - value, NINETY * sd)
    return Held(said, percent(belief, "", digits), interval(belief, "", digits), holds)
