"""First-outs with what stood around them: a minute before, a minute after, in which order the rows came and which signals moved.

Nothing of its own is stored: rows and samples of the journal are that record already, also when the core died in the minute after.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from controller.errors import JournalError
from controller.image import SIGNALS
from controller.journal.entry import Stored
from controller.journal.reader import JournalReader
from controller.journal.samples import COLUMNS, unit_of
from controller.journal.table import Table, read

SPAN_S: Final = 60.0
SHOWN_S: Final = (-60.0, -30.0, -10.0, -5.0, -2.0, 0.0, 2.0, 5.0, 10.0, 30.0, 60.0)
MAIN: Final = (
    "z1_tc_a_c", "z2_tc_a_c", "z3_tc_a_c", "load_outer_c", "load_edge_c", "load_core_c", "sp_temp_c", "z1_op_pct", "z2_op_pct", "z3_op_pct",
    "main_contactor", "pressure_cap_mbar", "pressure_pirani_mbar", "n2_flow_nm3_h", "n2_header_bar", "o2_pct", "exhaust_lel_pct",
    "pump_run", "exhaust_run", "condenser_run", "circulation_run", "plc_state", "unit_state",
)  # fmt: skip
_OTHERS: Final = tuple(name for name in SIGNALS if name not in MAIN and not name.startswith(("echo_", "plc_alive", "plc_signature")))
MOVED: Final = 0.02  # of its range: a signal that moved by more has changed


class Incident(NamedTuple):
    """One first-out. ``number`` counts from 1 in the whole journal; ``seq`` is that of its alarm entry."""

    number: int
    seq: int
    boot: int
    at_s: float
    rule: str
    text: str
    effect: str
    value: object


class Row(NamedTuple):
    """A row of the interlock table that was raised or cleared around the first-out."""

    after_s: float
    rule: str
    event: str
    effect: str
    text: str
    value: object


class Moved(NamedTuple):
    """A signal that changed around the first-out: before it, and the end of the minute after it."""

    signal: str
    tag: str
    unit: str
    first_after_s: float  # when it had left its value before the first-out
    before: float
    after: float


class Snapshot(NamedTuple):
    """A first-out and its two minutes. ``complete`` is False while the minute after it has not passed, or samples are missing."""

    incident: Incident
    first_seq: int
    last_seq: int
    rows: tuple[Row, ...]
    moved: tuple[Moved, ...]
    table: Table  # at_s relative to the first-out
    complete: bool


def incidents(reader: JournalReader, last: int = 0) -> list[Incident]:
    """Return the first-outs of the journal, oldest first; with ``last`` only so many of the newest."""
    found = [stored for stored in reader.between(1, reader.last_seq(), ("alarm",)) if _is_first(stored)]
    numbered = list(enumerate(found, 1))
    return [_incident(number, stored) for number, stored in (numbered[-last:] if last else numbered)]


def snapshot(reader: JournalReader, number: int | None = None) -> Snapshot:
    """Return the snapshot of a first-out by its number, of the newest without.

    Raises:
        JournalError: there is no such incident; the text says how many there are.
    """
    found = incidents(reader)
    if not found or (number is not None and not 1 <= number <= len(found)):
        known = f"1 to {len(found)}" if found else "none yet"
        raise JournalError(f"incident {'' if number is None else number}: the journal holds {known}")
    return _around(reader, found[-1] if number is None else found[number - 1])


def lines(shot: Snapshot) -> Iterator[str]:
    """Yield what a person reads of a snapshot."""
    one = shot.incident
    missing = "" if shot.complete else " (not complete: samples are missing or the minute after it has not passed)"
    yield f"incident {one.number}: {one.rule} {one.text} [{one.effect}] at {one.at_s:.1f} s"
    yield f"  entries {shot.first_seq} to {shot.last_seq}{missing}"
    for row in shot.rows:
        mark = " FIRST-OUT" if row.rule == one.rule and row.after_s == 0.0 and row.event == "raise" else ""
        shown = "" if row.value is None else f" = {row.value:.4g}" if isinstance(row.value, float) else f" = {row.value}"
        yield f"  {row.after_s:+7.1f} s  {row.event:5} {row.rule:5} {row.effect:10} {row.text}{shown}{mark}"
    for moved in shot.moved:
        yield f"  {moved.first_after_s:+7.1f} s  {moved.tag} {moved.signal}: {moved.before:.4g} -> {moved.after:.4g} {moved.unit}".rstrip()


def sheet(shot: Snapshot) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return head and rows of a table: the main signals at ``SHOWN_S`` around the first-out, "-" where nothing is known."""
    at_s = shot.table.at_s
    head = ("signal", "unit", *(f"{offset:+g} s" for offset in SHOWN_S))
    body = []
    for name in MAIN:
        cells = [_cell(at_s, shot.table.columns[name], offset) for offset in SHOWN_S]
        body.append((name, unit_of(name), *cells))
    return head, body


def _cell(at_s: Any, values: Any, offset_s: float) -> str:
    place = int(np.searchsorted(at_s, offset_s + 1e-6)) - 1  # the newest one that was known then
    if place < 0 or offset_s - at_s[place] > 5.0 or np.isnan(values[place]):
        return "-"
    return f"{values[place]:.5g}"


def _is_first(stored: Stored) -> bool:
    fields = stored.fields()
    return fields.get("first_out") is True and fields.get("event") == "raise"


def _incident(number: int, stored: Stored) -> Incident:
    said = stored.fields()
    return Incident(number, stored.seq, stored.boot, stored.at_s, str(said.get("rule", "")), str(said.get("text", "")),
                    str(said.get("effect", "")), said.get("value"))  # fmt: skip


def _around(reader: JournalReader, one: Incident) -> Snapshot:
    newest = reader.last_seq()
    first = _first_from(reader, one.at_s - SPAN_S, 1, one.seq)
    last = max(one.seq, _first_from(reader, one.at_s + SPAN_S + 0.5, one.seq, newest + 1) - 1)
    rows = [_row(stored, one.at_s) for stored in reader.between(first, last, ("alarm",))]
    samples = read(reader, first, last, tuple(name for name in (*MAIN, *_OTHERS) if name in COLUMNS))
    samples = samples._replace(at_s=samples.at_s - one.at_s)
    at_s = samples.at_s
    complete = len(at_s) > 0 and at_s[0] <= 2.0 - SPAN_S and at_s[-1] >= SPAN_S - 2.0 and bool(np.all(np.diff(at_s) < 3.0))
    return Snapshot(one, first, last, tuple(rows), tuple(_moved(samples)), samples, complete)


def _row(stored: Stored, at_s: float) -> Row:
    said = stored.fields()
    rule, event, effect, text = (str(said.get(name, "")) for name in ("rule", "event", "effect", "text"))
    return Row(stored.at_s - at_s, rule, event, effect, text, said.get("value"))


def _moved(samples: Table) -> Iterator[Moved]:
    """Yield the signals that left the value they had before the first-out, in the order in which they did."""
    found = []
    before, after = samples.at_s <= -2.0, samples.at_s > -2.0
    if not before.any() or not after.any():
        return
    for name, values in samples.columns.items():
        if name not in SIGNALS:
            continue
        tag = SIGNALS[name]
        was = float(values[before][-1])
        limit = 0.5 if (tag.low, tag.high) == (0, 1) or tag.unit == "" else MOVED * (tag.high - tag.low)
        left = np.isnan(values[after]) != np.isnan(was)
        left |= np.abs(values[after] - was) > limit
        if left.any():
            found.append(Moved(name, tag.name, tag.unit, float(samples.at_s[after][left][0]), was, float(values[-1])))
    yield from sorted(found, key=lambda moved: moved.first_after_s)


def _first_from(reader: JournalReader, at_s: float, low: int, high: int) -> int:
    """Return the first sequence number from ``low`` to ``high`` whose process time is not before ``at_s``; time never runs back."""
    while low < high:
        middle = (low + high) // 2
        page = reader.after(middle - 1, 1)
        if page and page[0].at_s < at_s:
            low = middle + 1
        else:
            high = middle
    return low
