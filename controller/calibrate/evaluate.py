"""One calibration from its files: coupons chosen and checked, the belief moved, every coupon held against the others, warnings in words."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from controller.calibrate import dried, warnings
from controller.calibrate.contradiction import apart, contradiction
from controller.calibrate.heat import JournalUsed, survey
from controller.calibrate.parameter_set import Belief, Evidenced, JournalOf, ParameterSet, read, settings_of
from controller.calibrate.selection import Piece, evidence_of, keep_back, of_lot, pieces_of
from controller.calibrate.weighing import weighed_alone, weighed_of, wetted
from controller.errors import FileError, Problem
from controller.estimator import calibration as bayes
from controller.estimator import drying
from controller.estimator.calibration import ENERGY, TIME, Array, Evidence, Posterior, Prior
from controller.image import Interval
from controller.journal.product import read_lab_file
from controller.solvents import SOLVENTS
from controller.units import celsius

_ALL_LEFT_OUT: Final = 40  # up to so many coupons each is foretold by the others; beyond, none moves the belief by much
_ENOUGH: Final = 0.5  # effective coupons of a parameter set
_SAYS_NOTHING: Final = 1.0  # information, as 1 / variance of ln rate: the literature's prior of the gel time has as much
_SAYS_LITTLE: Final = 0.02  # share of the information below which a coupon's temperature counts for nothing


class HeldOut(NamedTuple):
    """A coupon that was kept back: what would be found of it, 90 % intervals in percent, before and after the others were known."""

    name: str
    insoluble_pct: float
    before: Interval
    after: Interval
    z: float
    inside: bool


class Calibration(NamedTuple):
    """What came out."""

    parameters: ParameterSet
    prior_sd: tuple[float, ...]
    held_out: tuple[HeldOut, ...]
    refused: tuple[Problem, ...]  # why no controller may learn from it

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what a person should know before believing it."""
        return self.parameters.warnings


def calibrate(
    lab_path: Path, journal_paths: Sequence[Path], date: str, *, lot: str | None = None, prior_path: Path | None = None,
    held_out: Sequence[str] = (),
) -> Calibration:  # fmt: skip
    """Return the calibration of one lot with the coupons of ``lab_path``; those named in ``held_out`` (coupon or batch) are kept back.

    ``date`` (YYYY-MM-DD) is used when the laboratory's file has none; ``prior_path`` is the parameter set to start from.

    Raises:
        FileError: a file is wrong or does not fit the others; file, key, value and what is allowed are named.
    """
    lab, lab_sha256 = read_lab_file(lab_path)
    file = str(lab_path)
    lot, chosen = of_lot(lab, lot, file)
    names = [path.name for path in journal_paths]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise FileError("journals", [Problem("file name", ", ".join(twice), "each journal must have a name of its own")])
    journals = tuple(survey(path) for path in journal_paths)
    pieces = pieces_of(lab, chosen, journals, file)
    kept_back = keep_back(lab, pieces, held_out, file)
    used = [piece for piece in pieces if piece not in kept_back]
    alone = weighed_alone(lab, lot, used, file)
    marks = [_mark(lot, piece) for piece in (*used, *(piece for piece in alone if piece.coupon.insoluble_pct is None))]
    prior, dry, parent, parent_sha256 = bayes.literature(), dried.prior_of(), None, ""
    if prior_path is not None:
        parent, parent_sha256 = read(prior_path)
        if parent.estimator.solvent != lab.solvent:
            allowed = (
                f"{parent.estimator.solvent}, from which the film of the prior {prior_path.name} was cast: another film dries differently"
            )
            raise FileError(file, [Problem("solvent", lab.solvent, allowed)])
        _not_twice(parent, lot, [*used, *alone], prior_path)
        prior, dry = parent.prior_for(lot), parent.drying.belief_for(same_lot=lot == parent.lot)
    known = [] if parent is None else list(parent.learnt)
    learnt = drying.update(dry, [weighed_of(piece) for piece in alone], SOLVENTS[lab.solvent]) if alone else None
    evidence = evidence_of(wetted(used, dry, learnt, lab.solvent), lab.solvent)
    posterior = bayes.update(prior, evidence)
    rows, effective, span_k = _rows(used, evidence, prior, posterior)
    told = _told(wetted(kept_back, dry, learnt, lab.solvent), lab.solvent, prior, posterior)
    section, weighed, pairs = dried.drying_of(dry, learnt), dried.rows_of(alone, learnt), apart(used, rows, evidence, prior)
    said = [*warnings.of_assay(pieces), *warnings.of_belief(prior, posterior, rows, effective, span_k, parent), *warnings.of_pairs(pairs)]
    said += [*warnings.of_drying(alone, weighed, learnt), *warnings.of_rolls(lab, lot)]
    parameters = ParameterSet(
        version=1 if parent is None else parent.version + 1, date=lab.date or date, lot=lot, resin=lab.resin or "not named",
        parent="" if prior_path is None else prior_path.name, parent_sha256=parent_sha256, lab=lab_path.name, lab_sha256=lab_sha256,
        held_out=tuple(piece.name for piece in kept_back), warnings=tuple(said),
        estimator=settings_of(posterior, section, lab.solvent, lot), posterior=_belief(posterior, effective), drying=section,
        learnt=tuple(known + marks), journal=_journals(used, journals), coupon=rows, weighed=weighed,
    )  # fmt: skip
    refused = []
    if why := contradiction(rows, pairs, evidence, posterior):
        refused.append(Problem("coupons", why, "must agree, but for one that is known; --held-out keeps a coupon back"))
    if effective < _ENOUGH:
        allowed = f"at least {_ENOUGH:g}: of the rate they say nothing that the prior does not; take some with 20-85 % insoluble"
        refused.append(Problem("coupons", f"{effective:.1f} effective coupons", allowed))
    return Calibration(parameters, tuple(float(one) for one in np.sqrt(np.diag(prior.covariance))), told, tuple(refused))


def _not_twice(parent: ParameterSet, lot: str, used: Sequence[Piece], path: Path) -> None:
    """Refuse coupons that the parent or one before it has learnt from: they would count twice."""
    twice = [piece.name for piece in used if _mark(lot, piece) in parent.learnt]
    if twice:
        raise FileError(str(path), [Problem("learnt", ", ".join(twice), "this prior has learnt from them already; each may count once")])


def _mark(lot: str, piece: Piece) -> str:
    """Return by what a coupon is known again."""
    told = (lot, piece.name, piece.heat.source, piece.coupon.insoluble_pct, piece.coupon.assay)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _rows(used: list[Piece], evidence: Evidence, prior: Prior, posterior: Posterior) -> tuple[tuple[Evidenced, ...], float, float]:
    """Return the coupons' rows, their effective number, and the span in K of the temperatures of those that say something."""
    told = bayes.information(evidence, posterior.mean)
    share = told / max(float(told.sum()), 1e-12)
    predicted = 100 * np.median(bayes.insoluble(evidence.exposure, posterior.samples, evidence.solvent), axis=1)
    z = _deviations(evidence, prior, posterior)
    effective_c = [celsius(float(one)) for one in evidence.exposure.effective_k]
    rows = tuple(
        Evidenced(
            name=piece.name, source=piece.heat.source, zone=piece.coupon.zone or "", effective_c=round(effective_c[i], 2),
            insoluble_pct=float(piece.coupon.insoluble_pct or 0.0), insoluble_sd_pct=float(piece.coupon.insoluble_sd_pct or 0.0),
            predicted_pct=round(float(predicted[i]), 2), z=round(float(z[i]), 2), share=round(float(share[i]), 4),
        )
        for i, piece in enumerate(used)
    )  # fmt: skip
    telling = [one for one, part in zip(effective_c, share, strict=True) if part >= _SAYS_LITTLE]
    effective = float(told.sum() ** 2 / (told**2).sum()) if told.sum() > _SAYS_NOTHING else 0.0
    return rows, effective, max(telling, default=0.0) - min(telling, default=0.0)


def _deviations(evidence: Evidence, prior: Prior, posterior: Posterior) -> Array:
    """Return how far each coupon lies from what the others foretell, in standard deviations."""
    count = len(evidence.sd)
    z = np.empty(count)
    for i in range(count):
        samples = posterior.samples
        if count <= _ALL_LEFT_OUT:
            others = [j for j in range(count) if j != i]
            samples = bayes.update(prior, evidence.of(others)).samples if others else bayes.samples_of(prior)
        found = bayes.foretold(samples, evidence.of([i]))[0]
        z[i] = (evidence.insoluble[i] - found.mean()) / found.std()
    return z


def _told(kept_back: list[Piece], solvent: str, prior: Prior, posterior: Posterior) -> tuple[HeldOut, ...]:
    if not kept_back:
        return ()
    evidence = evidence_of(kept_back, solvent)
    before, after = (bayes.foretold(samples, evidence, bayes.TRANSFER_LN_SD) for samples in (bayes.samples_of(prior), posterior.samples))
    rows = []
    for i, piece in enumerate(kept_back):
        low, middle, high = _percent(after[i])
        value = 100 * float(evidence.insoluble[i])
        z = (evidence.insoluble[i] - after[i].mean()) / after[i].std()
        inside = low <= value <= high
        rows.append(HeldOut(piece.name, value, Interval(*_reordered(before[i])), Interval(middle, low, high), float(z), inside))
    return tuple(rows)


def _reordered(values: Array) -> tuple[float, float, float]:
    low, middle, high = _percent(values)
    return middle, low, high


def _percent(values: Array) -> tuple[float, float, float]:
    low, middle, high = (float(one) for one in 100 * np.quantile(np.clip(values, 0, 1), (0.05, 0.5, 0.95)))
    return low, middle, high


def _belief(posterior: Posterior, effective: float) -> Belief:
    best_k, best_sd = bayes.best_known_k(posterior.mean, posterior.covariance)
    correlation = [[round(float(one), 6) for one in row] for row in posterior.correlation]
    return Belief.model_validate(
        {
            "mean": [float(one) for one in posterior.mean],
            "sd": [float(one) for one in posterior.sd],
            "correlation": correlation,
            "correlation_gel_time_energy": correlation[TIME][ENERGY],
            "best_known_c": round(float(np.clip(celsius(best_k), 0, 500)), 2),
            "best_known_ln_sd": round(best_sd, 5),
            "law_ln_sd": bayes.LAW_LN_SD,
            "effective_coupons": round(effective, 2),
            "sample_share": round(posterior.effective, 4),
        }
    )


def _journals(used: list[Piece], journals: tuple[JournalUsed, ...]) -> tuple[JournalOf, ...]:
    rows = []
    for journal in journals:
        prefix = f"batch {journal.path.name}:"
        batches = sorted({piece.heat.source.removeprefix(prefix) for piece in used if piece.heat.source.startswith(prefix)})
        rows.append(JournalOf(file=journal.path.name, entries=journal.entries, head_sha256=journal.head, batches=tuple(batches)))
    return tuple(rows)
