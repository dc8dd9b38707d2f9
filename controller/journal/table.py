"""Samples as columns of numbers, for trends: read in pages, thinned so that no peak is lost."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.journal.entry import Stored
from controller.journal.reader import JournalReader
from controller.journal.samples import COLUMNS, sizes

Column = NDArray[np.float64]
_PAGE: Final = 4000
_HOLE: Final = 5.0  # a pause of this many usual sampling times is a hole, not a line


class Table(NamedTuple):
    """Process time, s, and the columns asked for, all of one length; NaN where there is no value."""

    at_s: Column
    columns: dict[str, Column]


def table(reader: JournalReader, from_seq: int, to_seq: int, columns: Sequence[str], max_points: int = 2000) -> Table:
    """Return the samples from ``from_seq`` to ``to_seq`` in at most ``max_points`` points, with every minimum and maximum preserved."""
    return thin(read(reader, from_seq, to_seq, columns), max_points)


def read(reader: JournalReader, from_seq: int, to_seq: int, columns: Sequence[str]) -> Table:
    """Return all samples from ``from_seq`` to ``to_seq``; a column that a sample does not have is NaN."""
    parts: list[tuple[Column, list[Column]]] = []
    seq = from_seq - 1
    while page := [stored for stored in reader.after(seq, _PAGE, ("sample",)) if stored.seq <= to_seq]:
        seq = page[-1].seq
        parts += [_decode(reader, run, columns) for run in _runs(page)]
    if not parts:
        return Table(np.empty(0), {name: np.empty(0) for name in columns})
    at_s = np.concatenate([part[0] for part in parts])
    return Table(at_s, {name: np.concatenate([part[1][i] for part in parts]) for i, name in enumerate(columns)})


def thin(full: Table, max_points: int = 2000) -> Table:
    """Return ``full`` with at most ``max_points`` points: per time slice the lowest and highest value of each column; holes become NaN."""
    if len(full.at_s) <= max_points // 2:
        return _with_holes(full)
    slices = max_points // 2
    start_s, end_s = full.at_s[0], full.at_s[-1]
    width_s = max((end_s - start_s) / slices, 1e-9)
    slot = np.minimum(((full.at_s - start_s) / width_s).astype(int), slices - 1)
    slot = np.maximum.accumulate(slot)
    filled, first = np.unique(slot, return_index=True)
    last = np.append(first[1:], len(slot)) - 1
    at_s = start_s + (np.repeat(np.arange(slices), 2) + np.tile([0.25, 0.75], slices)) * width_s
    return Table(at_s, {name: _slices(values, filled, first, last, slices) for name, values in full.columns.items()})


def _slices(values: Column, filled: NDArray[Any], first: NDArray[Any], last: NDArray[Any], slices: int) -> Column:
    low, high = np.fmin.reduceat(values, first), np.fmax.reduceat(values, first)
    rises = ~(values[first] > values[last])
    thinned = np.full(2 * slices, np.nan)
    thinned[2 * filled] = np.where(rises, low, high)
    thinned[2 * filled + 1] = np.where(rises, high, low)
    return thinned


def _with_holes(full: Table) -> Table:
    if len(full.at_s) < 3:
        return full
    pauses_s = np.diff(full.at_s)
    holes = np.flatnonzero(pauses_s > _HOLE * max(float(np.median(pauses_s)), 1e-9)) + 1
    at_s = np.insert(full.at_s, holes, full.at_s[holes - 1] + 1e-3)
    return Table(at_s, {name: np.insert(values, holes, np.nan) for name, values in full.columns.items()})


def _runs(page: Sequence[Stored]) -> list[list[Stored]]:
    """Return ``page`` cut where the boot or the payload's size changes: within one run all samples have one layout."""
    runs: list[list[Stored]] = []
    for stored in page:
        if not runs or (runs[-1][-1].boot, len(runs[-1][-1].payload)) != (stored.boot, len(stored.payload)):
            runs.append([])
        runs[-1].append(stored)
    return runs


def _decode(reader: JournalReader, run: Sequence[Stored], columns: Sequence[str]) -> tuple[Column, list[Column]]:
    at_s = np.array([stored.at_s for stored in run])
    names = reader.columns(run[0].boot) or COLUMNS
    words, _ = sizes(run[0].payload, names)
    size = len(run[0].payload)
    packed = np.frombuffer(b"".join(stored.payload for stored in run), dtype=np.uint8).reshape(len(run), size)
    exact = packed[:, 3 : 3 + 8 * words].copy().view("<f8")
    single = packed[:, 3 + 8 * words : 3 + 8 * words + 4 * (len(names) - words)].copy().view("<f4")
    place = {name: i for i, name in enumerate(names)}
    found = []
    for name in columns:
        i = place.get(name)
        values = np.full(len(run), np.nan) if i is None else exact[:, i] if i < words else single[:, i - words]
        found.append(np.asarray(values, dtype=np.float64))
    return at_s, found
