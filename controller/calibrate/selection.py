"""Which coupons are calibrated with: those of one lot, by one assay, each with a name, a spread and a temperature history."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from controller.calibrate.heat import Heat, JournalUsed, heat_of
from controller.errors import FileError, Problem
from controller.estimator import calibration as bayes
from controller.estimator.calibration import Evidence
from controller.estimator.exposure import exposure_of
from controller.journal.product import Coupon, Lab, named
from controller.solvents import SOLVENTS

_NEEDED: Final = {"solvent": str, "extraction_c": (int, float), "extraction_h": (int, float)}
_ASSAY: Final = (*_NEEDED, "concentration_wt_pct")


class Piece(NamedTuple):
    """A coupon that can be calibrated with, and where its temperature comes from."""

    name: str
    coupon: Coupon
    heat: Heat


def of_lot(lab: Lab, wanted: str | None, file: str) -> tuple[str, list[int]]:
    """Return the lot and the indices of its coupons that have an insoluble content. Raises FileError."""
    lots = [coupon.lot or lab.lot for coupon in lab.coupons]
    known = sorted({lot for lot in lots if lot})
    measured = [i for i, coupon in enumerate(lab.coupons) if coupon.insoluble_pct is not None]
    if not measured:
        raise FileError(file, [Problem("coupons", f"{len(lab.coupons)} coupons", "at least one must have insoluble_pct")])
    if None in lots and not (wanted and known):
        raise FileError(file, [Problem("lot", "(missing)", "the resin lot: at the head of the file or with every coupon")])
    if wanted is None and len(known) > 1:
        raise FileError(file, [Problem("lot", ", ".join(known), "one lot per calibration: choose with --lot")])
    lot = wanted or known[0]
    chosen = [i for i in measured if lots[i] == lot]
    if not chosen:
        raise FileError(file, [Problem("--lot", lot, f"a lot with measured coupons: {', '.join(known) or 'none'}")])
    return lot, chosen


def pieces_of(lab: Lab, chosen: list[int], journals: tuple[JournalUsed, ...], file: str) -> list[Piece]:
    """Return the coupons with the indices ``chosen`` and their histories; FileError lists everything that is wrong with them."""
    problems: list[Problem] = []
    pieces: list[Piece] = []
    first = lab.coupons[chosen[0]].assay
    for i in chosen:
        coupon, key = lab.coupons[i], f"coupons.{i}"
        name = coupon.name or coupon.position
        problems += _assay_problems(coupon, first, key)
        if coupon.insoluble_sd_pct is None:
            problems.append(Problem(f"{key}.insoluble_sd_pct", "(missing)", "standard deviation of insoluble_pct, 0.05 to 30 points"))
        if name in [piece.name for piece in pieces]:
            problems.append(Problem(f"{key}.name", name, "each coupon needs a name of its own"))
        try:
            pieces.append(Piece(name, coupon, heat_of(coupon, key, journals, file)))
        except FileError as error:
            if error.file != file:
                raise
            problems += error.problems
    problems += _fractions(lab, chosen)
    if problems:
        raise FileError(file, named(problems, [coupon.name or coupon.position for coupon in lab.coupons]))
    return pieces


def _fractions(lab: Lab, chosen: list[int]) -> list[Problem]:
    """Return the insoluble contents when every one looks like a fraction; one alone may be a film that has hardly begun to gel."""
    given = {f"coupons.{i}.insoluble_pct": lab.coupons[i].insoluble_pct or 0.0 for i in chosen}
    if len(given) < 2 or not all(0 < value <= 1 for value in given.values()):
        return []
    return [Problem(key, value, "percent, not a fraction? all that are given are at most 1 %") for key, value in given.items()]


def _assay_problems(coupon: Coupon, first: dict[str, str | int | float], key: str) -> list[Problem]:
    found = [
        Problem(f"{key}.assay.{name}", coupon.assay.get(name, "(missing)"), "a text" if kind is str else "a number")
        for name, kind in _NEEDED.items()
        if not isinstance(coupon.assay.get(name), kind)  # type: ignore[arg-type]
    ]
    if found:
        return found
    return [
        Problem(
            f"{key}.assay.{name}", coupon.assay.get(name, "(missing)"), f"one assay per calibration; the first coupon has {first[name]!r}"
        )
        for name in _ASSAY
        if name in first and coupon.assay.get(name) != first[name]
    ]


def keep_back(lab: Lab, pieces: list[Piece], names: Sequence[str], file: str) -> list[Piece]:
    """Return those of ``pieces`` that are meant by ``names`` of coupons or batches. Raises FileError."""
    found: list[Piece] = []
    only_weighed = [coupon.name or coupon.position for coupon in lab.coupons if coupon.insoluble_pct is None]
    for name in names:
        hits = [piece for piece in pieces if name in (piece.name, str(piece.coupon.batch), piece.heat.source.removeprefix("batch "))]
        if not hits and name in only_weighed:
            raise FileError(file, [Problem("--held-out", name, "has no insoluble_pct, which alone is foretold; take it out of the file")])
        if not hits:
            known = ", ".join(piece.name for piece in pieces)
            raise FileError(file, [Problem("--held-out", name, f"the name of a coupon ({known}) or of a batch")])
        found += [piece for piece in hits if piece not in found]
    if len(found) == len(pieces):
        raise FileError(file, [Problem("--held-out", ", ".join(names), "at least one coupon must be left to calibrate with")])
    return found


def evidence_of(pieces: Sequence[Piece], solvent: str) -> Evidence:
    """Return ``pieces`` as the evidence of a film cast from ``solvent``."""
    measured = np.array([[piece.coupon.insoluble_pct, piece.coupon.insoluble_sd_pct, 100 * piece.heat.sd_k] for piece in pieces]) / 100
    histories = [piece.heat.history for piece in pieces]
    wet, dry = exposure_of(histories), exposure_of([one._replace(fraction=np.zeros(one.at_s.size)) for one in histories])
    return Evidence(
        wet, measured[:, 0].astype(np.float64), measured[:, 1].astype(np.float64), measured[:, 2].astype(np.float64),
        tuple(piece.heat.source for piece in pieces), SOLVENTS[solvent], bayes.wet_ln_sd(wet, dry, bayes.literature(), SOLVENTS[solvent]),
    )  # fmt: skip
