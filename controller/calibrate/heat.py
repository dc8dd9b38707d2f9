"""Where a coupon's film temperature comes from: points that the laboratory wrote down, or the journal of the batch it was cut from.

Of a roll the load thermocouples know three places: the outer turn, the edge and the winding core; the middle is taken as the mean of outer
and core. ``roll`` is the mean of the estimator's coldest and hottest zone. The spread between the two parts of a mean is taken as uniform.
The film's solvent, which speeds up the cure below the glass transition, is the estimate of the worst zone.
"""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.errors import FileError, JournalError, Problem
from controller.estimator.curing import arrhenius
from controller.estimator.exposure import ENERGY_K, History
from controller.estimator.parameters import spread
from controller.journal.chain import verify
from controller.journal.product import Coupon, file_and_number
from controller.journal.reader import Batch, JournalReader
from controller.journal.table import Table, read
from controller.units import kelvin

Array = NDArray[np.float64]

ZONES: Final = {
    "outer": ("load_outer_c",),
    "edge": ("load_edge_c",),
    "core": ("load_core_c",),
    "upper": ("load_outer_c", "load_core_c"),
    "middle": ("load_outer_c", "load_core_c"),
    "roll": ("film_min_c", "film_max_c"),
}
LADDER_SD_K: Final = 0.5  # [assume] of a laboratory oven with a calibrated thermocouple at the coupon
_BIN_S: Final = 60.0
_HOT_C: Final = 150.0  # below, the film does not crosslink in a day
_HOLE_S: Final = 1800.0  # hot film without a temperature for longer: its history is not known
_AFTER: Final = 100_000  # entries after the batch's end in which the roll may still be hot


class Heat(NamedTuple):
    """A coupon's history, the standard deviation of its level in K, and the name of what shares that error."""

    history: History
    sd_k: float
    source: str


class JournalUsed(NamedTuple):
    """A journal as it was when it was read: file, number of entries and the last one's hash, and the batches it holds."""

    path: Path
    entries: int
    head: str
    batches: tuple[str, ...]


def survey(path: Path) -> JournalUsed:
    """Return what the journal at ``path`` holds.

    Raises:
        FileError: there is none, or its chain does not hold.
    """
    try:
        found = verify(path)
        if found.first_bad_seq is not None:
            raise FileError(
                str(path), [Problem("journal", path.name, f"the hash chain must hold before a batch is evidence: {found.text}")]
            )
        with JournalReader(path) as reader:
            return JournalUsed(path, found.count, found.last_hash.hex(), tuple(batch.batch_id for batch in reader.batches()))
    except JournalError as error:
        raise FileError(str(path), [Problem("journal", path.name, f"must be a journal of ovenctl: {error}")]) from error


def heat_of(coupon: Coupon, key: str, journals: tuple[JournalUsed, ...], file: str) -> Heat:
    """Return the history of ``coupon``; ``key`` and ``file`` name it in errors.

    Raises:
        FileError: it has no history, or one that cannot be used.
    """
    if coupon.history is not None and coupon.batch is None and coupon.zone is None:
        return _written(coupon, key, file)
    if coupon.history is not None or coupon.batch is None or coupon.zone is None:
        told = {name: getattr(coupon, name) for name in ("batch", "zone") if getattr(coupon, name) is not None} or "(missing)"
        shown = "history and " + str(told) if coupon.history is not None else told
        raise FileError(file, [Problem(key, shown, "either batch and zone, or history: where the film's temperature comes from")])
    journal, batch = _find(str(coupon.batch), key, journals, file)
    return _journaled(journal, batch, coupon, f"{file}: {key}")


def batch_key(journal: JournalUsed, batch_id: str) -> str:
    """Return the name of a batch that no other journal has."""
    return f"{journal.path.name}:{batch_id}"


def _written(coupon: Coupon, key: str, file: str) -> Heat:
    points = np.array(coupon.history, dtype=np.float64)
    if not (np.diff(points[:, 0]) > 0).all():
        wrong = int(np.argmin(np.diff(points[:, 0]) > 0)) + 1
        raise FileError(file, [Problem(f"{key}.history.{wrong}", points[wrong].tolist(), "hours must increase from point to point")])
    if points[:, 1].max() < _HOT_C:
        raise FileError(file, [Problem(f"{key}.history", f"at most {points[:, 1].max():g} degC", f"must pass {_HOT_C:g} degC to cure")])
    sd_k = LADDER_SD_K if coupon.temperature_sd_c is None else coupon.temperature_sd_c
    return Heat(History(3600 * points[:, 0], points[:, 1] + kelvin(0), np.zeros(len(points))), sd_k, "history")


def _find(wanted: str, key: str, journals: tuple[JournalUsed, ...], file: str) -> tuple[JournalUsed, str]:
    name, number = file_and_number(wanted)
    found = [one for one in journals if number in one.batches and name in ("", one.path.name)]
    held = "; ".join(f"{one.path.name} holds {', '.join(one.batches[-10:]) or 'none'}" for one in journals) or "no journal was given"
    if not found:
        raise FileError(file, [Problem(f"{key}.batch", wanted, f"a batch of the journals given: {held}")])
    if len(found) > 1:
        raise FileError(file, [Problem(f"{key}.batch", wanted, f"several journals hold it; write FILE:number ({held})")])
    return found[0], number


def _journaled(journal: JournalUsed, batch_id: str, coupon: Coupon, said: str) -> Heat:
    names = ZONES[str(coupon.zone)]
    with JournalReader(journal.path) as reader:
        batches = [batch for batch in reader.batches() if batch.start_seq <= journal.entries]
        at = max(i for i, batch in enumerate(batches) if batch.batch_id == batch_id)
        if batches[at].end_seq is None:
            raise FileError(str(journal.path), [Problem(f"batch {batch_id}", "no end", "must have ended before coupons are cut from it")])
        table = read(reader, batches[at].start_seq, _last(batches, at, journal.entries), (*names, "residual_solvent", "est_valid"))
    where = Problem(f"batch {batch_id}, {coupon.zone}", "temperature", "")
    at_s, temps_c, wet = _minutes(table, names, str(journal.path), where, said)
    weight = arrhenius(temps_c.mean(axis=0) + kelvin(0), 1.0, ENERGY_K)
    apart_k = float((weight * np.ptp(temps_c, axis=0)).sum() / weight.sum())
    level_k = spread("thermocouple_offset") if coupon.temperature_sd_c is None else coupon.temperature_sd_c
    history = History(at_s, temps_c.mean(axis=0) + kelvin(0), wet)
    return Heat(history, float(np.hypot(level_k, apart_k / 12**0.5)), f"batch {batch_key(journal, batch_id)}")


def _last(batches: list[Batch], at: int, last_seq: int) -> int:
    """Return the last entry to read: the roll may be hot when its batch ends, and the next batch has another one."""
    end = batches[at].end_seq or last_seq
    following = batches[at + 1].start_seq - 1 if at + 1 < len(batches) else last_seq
    return min(following, end + _AFTER, last_seq)


def _minutes(table: Table, names: tuple[str, ...], file: str, where: Problem, said: str) -> tuple[Array, Array, Array]:
    """Return times, temperatures (columns, times) and solvent as means over a minute, without those in which a temperature is missing."""
    temps = np.array([table.columns[name] for name in names])
    good = np.isfinite(temps).all(axis=0)
    at_s, temps = table.at_s[good], temps[:, good]
    if len(at_s) < 2 or temps.mean(axis=0).max() < _HOT_C:
        top = f"at most {temps.mean(axis=0).max():.0f} degC" if len(at_s) else "no GOOD sample"
        raise FileError(file, [where._replace(value=top, allowed=f"{', '.join(names)} must pass {_HOT_C:g} degC; wanted by {said}")])
    hot = np.flatnonzero(temps.mean(axis=0) >= _HOT_C)
    keep = slice(max(0, hot[0] - 1), min(len(at_s), hot[-1] + 2))
    at_s, temps = at_s[keep], temps[:, keep]
    if at_s[-1] - at_s[0] < 3 * _BIN_S:
        raise FileError(file, [where._replace(value="hot for a moment", allowed=f"must be hot for minutes; wanted by {said}")])
    longest_s = float(np.diff(at_s).max())
    if longest_s > _HOLE_S:
        allowed = f"{', '.join(names)} must not be missing for more than {_HOLE_S / 60:g} min while hot; wanted by {said}"
        raise FileError(file, [where._replace(value=f"missing for {longest_s / 60:.0f} min", allowed=allowed)])
    wet = np.where(table.columns["est_valid"] == 1, np.nan_to_num(table.columns["residual_solvent"]), 0.0)[good][keep]
    first = np.flatnonzero(np.diff(np.floor(at_s / _BIN_S), prepend=-1.0))
    count = np.diff(np.append(first, len(at_s)))
    at_s, wet = np.add.reduceat(at_s, first) / count, np.add.reduceat(wet, first) / count
    return at_s, np.add.reduceat(temps, first, axis=1) / count, wet
