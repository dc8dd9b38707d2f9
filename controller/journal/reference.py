"""Reference curves handed in beside a journal: what a laboratory found, or what a simulated plant knows.

A CSV file in UTF-8, comma and decimal point, one header line, a row per time: ``at_s`` (s since the start of the batch, rising) and any of
``KNOWN``; an empty cell is no value. Contents are fractions, not percent.
"""

import csv
import hashlib
import io
import math
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from controller.errors import FileError, Problem
from controller.journal.samples import POSITIONS
from controller.journal.table import Column

AT: Final = "at_s"


class Range(NamedTuple):
    """What a column may hold, both ends included."""

    low: float
    high: float
    unit: str


KNOWN: Final[dict[str, Range]] = {
    **{f"residual_{position}": Range(0.0, 1.0, "weight fraction") for position in POSITIONS},
    **{f"insoluble_{position}": Range(0.0, 1.0, "fraction") for position in POSITIONS},
    **{f"temp_{position}": Range(-50.0, 500.0, "degC") for position in POSITIONS},
    "residual_worst": Range(0.0, 1.0, "weight fraction"),
    "insoluble_mean": Range(0.0, 1.0, "fraction"),
    "evolution_kg_h": Range(-100.0, 1000.0, "kg/h"),
    "blister": Range(0.0, 1e6, "1"),
}
_AT_RANGE: Final = Range(-1e6, 1e7, "s")
MAX_BYTES: Final = 50_000_000
MAX_PROBLEMS: Final = 20


class Reference(NamedTuple):
    """Curves by name over ``at_s``, s since the start of the batch; NaN where there is no value."""

    name: str
    sha256: str
    at_s: Column
    columns: dict[str, Column]

    def get(self, name: str) -> Column | None:
        """Return a curve, None when the file has none of that name."""
        return self.columns.get(name)


def read_reference(path: Path) -> Reference:
    """Return the reference curves in the file at ``path``.

    Raises:
        FileError: the file cannot be read, a column is unknown or twice there, a cell is no number or out of range, or time does not rise;
            the first ``MAX_PROBLEMS`` mistakes are named, each with line and column.
    """
    file = str(path)
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_BYTES:
            raise FileError(file, [Problem("size", len(raw), f"at most {MAX_BYTES} bytes")])
        rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise FileError(file, [Problem("file", str(error)[:200], "must be readable CSV in UTF-8")]) from error
    header = [name.strip() for name in rows[0]] if rows else []
    if problems := _header_problems(header):
        raise FileError(file, problems)
    numbers, problems = [], []
    for line, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) != len(header):
            problems.append(Problem(f"line {line}", f"{len(row)} cells", f"must be {len(header)} as in the header"))
            continue
        values = [_cell(cell, name, line, problems) for cell, name in zip(row, header, strict=True)]
        numbers.append((line, values))
    problems += _time_problems([(line, values[header.index(AT)]) for line, values in numbers])
    if not numbers and not problems:
        problems = [Problem("file", "no row", "at least one row of numbers below the header")]
    if problems:
        raise FileError(file, problems[:MAX_PROBLEMS])
    table = np.array([values for _, values in numbers])
    columns = {name: table[:, i] for i, name in enumerate(header)}
    return Reference(path.name, hashlib.sha256(raw).hexdigest(), columns.pop(AT), columns)


def within(reference: Reference, file: Path, batch_s: float) -> Reference:
    """Return ``reference``, read from ``file``. Raises FileError when it has no time in common with a batch of ``batch_s``."""
    from_s, to_s = float(reference.at_s[0]), float(reference.at_s[-1])
    if to_s < 0.0 or from_s > batch_s:
        allowed = f"must reach into the batch, which lasts from 0 to {batch_s:.0f} s"
        raise FileError(str(file), [Problem(AT, f"{from_s:.0f} to {to_s:.0f}", allowed)])
    return reference


def write_header(columns: Sequence[str]) -> str:
    """Return the first line of a reference file with ``columns`` besides the time.

    Raises:
        ValueError: a column is not in ``KNOWN``.
    """
    if unknown := [name for name in columns if name not in KNOWN]:
        raise ValueError(f"{', '.join(unknown)}: no reference curve")
    return ",".join((AT, *columns)) + "\n"


def _header_problems(header: list[str]) -> list[Problem]:
    twice = sorted({name for name in header if header.count(name) > 1})
    problems = [Problem(f"line 1, {name}", "twice", "each column once") for name in twice]
    if AT not in header:
        problems.append(Problem("line 1", ",".join(header), f"must name the columns, {AT} among them"))
    for name in header:
        if name != AT and name not in KNOWN:
            near = get_close_matches(name, KNOWN, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(Problem(f"line 1, {name}", name, f"unknown column{hint} known are {AT}, {', '.join(KNOWN)}"))
    if not problems and len(header) < 2:
        problems.append(Problem("line 1", header[0], f"at least one curve besides {AT}: {', '.join(KNOWN)}"))
    return problems[:MAX_PROBLEMS]


def _cell(cell: str, name: str, line: int, problems: list[Problem]) -> float:
    """Return a cell's number, NaN for an empty one; a mistake is added to ``problems``."""
    allowed = _AT_RANGE if name == AT else KNOWN[name]
    if not cell.strip() and name != AT:
        return math.nan
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not allowed.low <= number <= allowed.high:
        problems.append(Problem(f"line {line}, {name}", cell, f"a number from {allowed.low:g} to {allowed.high:g} ({allowed.unit})"))
    return number


def _time_problems(times: Sequence[tuple[int, float]]) -> Iterator[Problem]:
    for (_, before_s), (line, at_s) in pairwise(times):
        if at_s <= before_s:
            yield Problem(f"line {line}, {AT}", at_s, f"must be later than {before_s:g} s in the row before")
