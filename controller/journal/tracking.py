"""How well the oven followed its recipe: figures of each phase with heat, made from every sample of it.

Deviation is load minus set point; all of it counts in a soak or cure only once the band was first reached, because until then the load is
on its way. The integral of the squared error is the RMS squared times ``counted_s``.
"""

from typing import Final, NamedTuple

import numpy as np

from controller.errors import FileError
from controller.image import ZONES
from controller.journal.batch import Phase, Record, phases, place_of
from controller.journal.charts import middle
from controller.journal.drawing import asked
from controller.journal.table import Column
from controller.recipe.model import Phase as Planned
from controller.recipe.reading import parse_recipe

LOAD: Final = ("load_outer_c", "load_edge_c", "load_core_c")
THERMAL: Final = frozenset({"RAMP", "STEP", "SOAK", "CURE", "PRESSURE_RISE", "COOL"})
HELD_AT_TARGET: Final = frozenset({"SOAK", "CURE", "PRESSURE_RISE"})


class Figures(NamedTuple):
    """One phase. Temperatures in degC or K, times in s; None where there is nothing to say it from."""

    place: int  # index in the recipe
    kind: str
    name: str
    start_s: float
    took_s: float
    counted_s: float  # of it, what maximum and RMS of the load count
    sp_c: tuple[float, float] | None  # set point at start and end
    band_c: float | None
    load_max_k: float | None  # largest deviation of any load thermocouple from the set point
    load_rms_k: float | None  # of the load's mean
    zone_max_k: float | None  # of any zone from its own set point
    zone_rms_k: float | None
    zone_over_k: float | None  # of the hottest zone above its own set point
    overshoot_k: float | None  # of the hottest load thermocouple beyond the highest set point
    to_band_s: float | None  # until all load thermocouples were inside the band
    in_band_s: float | None
    spread_k: float | None  # mean distance between coldest and hottest load thermocouple
    output_pct: float | None  # mean of the three heaters


def tracking(record: Record) -> list[Figures]:
    """Return the figures of every phase with a set point, in the order they ran."""
    written = _written(record)
    return [_figures(record, phase, written) for phase in phases(record) if phase.kind in THERMAL]


def _written(record: Record) -> tuple[Planned, ...]:
    """Return the phases of the recipe as run, repeats and called parts written out; none when it is of a release this one cannot read."""
    start = record.start.fields()
    formula = start.get("formula", {})
    try:
        return parse_recipe(str(start.get("recipe", "")), "record", formula if isinstance(formula, dict) else {}).recipe.phase
    except FileError:
        return ()


def _band(record: Record, phase: Phase, written: tuple[Planned, ...], end_s: float) -> float | None:
    """Return the phase's band, K, as it was edited last; None when the recipe as started has another phase at that place or no band."""
    entry = written[phase.place] if phase.place < len(written) else None
    if entry is None or entry.kind != phase.kind or phase.name not in (entry.name, entry.title):
        return None
    band: float | None = getattr(entry, "band_c", None)
    for stored in record.of("decision"):
        said = stored.fields()
        if said.get("what") == "EDIT" and (place_of(said), said.get("key")) == (phase.place, "band_c") and stored.at_s <= end_s:
            band = said.get("to")
    return band


def _figures(record: Record, phase: Phase, written: tuple[Planned, ...]) -> Figures:
    at_s = record.table.at_s
    end_s = record.end_s if phase.end_s is None else phase.end_s
    keep = slice(int(np.searchsorted(at_s, phase.start_s, "right")), int(np.searchsorted(at_s, end_s, "right")))
    of = {name: values[keep] for name, values in record.table.columns.items()}
    moments_s, sp = at_s[keep], asked(of["sp_temp_c"])  # none after an ABORT
    load = np.array([of[name] for name in LOAD])
    with np.errstate(invalid="ignore"):
        coldest, hottest = np.fmin.reduce(load), np.fmax.reduce(load)
        mean = np.where(np.isfinite(load), load, 0.0).sum(axis=0) / np.maximum(np.isfinite(load).sum(axis=0), 1)
        mean[~np.isfinite(coldest)] = np.nan
    band = _band(record, phase, written, end_s)
    inside = np.zeros(len(sp), bool) if band is None else (coldest >= sp - band) & (hottest <= sp + band)
    since = int(np.argmax(inside)) if phase.kind in HELD_AT_TARGET and inside.any() else 0
    zones = _zone_deviation(of)
    known = sp[np.isfinite(sp)]
    return Figures(
        phase.place, phase.kind, phase.name, phase.start_s, end_s - phase.start_s,
        float(moments_s[-1] - moments_s[since]) if len(moments_s) else 0.0,
        (float(known[0]), float(known[-1])) if len(known) else None, band,
        _largest(np.fmax(np.abs(coldest - sp), np.abs(hottest - sp))[since:]), _rms((mean - sp)[since:]),
        _largest(np.fmax.reduce(np.abs(zones))), _rms(zones.ravel()), _largest(np.fmax.reduce(zones)),
        _overshoot(phase, hottest, known),
        float(moments_s[np.argmax(inside)] - phase.start_s) if inside.any() else None,
        None if band is None else float(np.dot(inside[:-1], np.diff(moments_s))) if len(sp) > 1 else 0.0,
        _mean(hottest - coldest), _mean(np.array([of[f"z{zone}_op_pct"] for zone in ZONES])),
    )  # fmt: skip


def _zone_deviation(of: dict[str, Column]) -> Column:
    """Return zone minus its own set point, [zone, sample]; NaN where there was no heat set point."""
    found: Column = np.array([middle(of, zone) - of[f"z{zone}_sp_c"] for zone in ZONES])
    return found


def _overshoot(phase: Phase, hottest: Column, sp: Column) -> float | None:
    if phase.kind == "COOL" or not len(sp):
        return None
    top = _largest(hottest - float(sp.max()))
    return None if top is None else max(0.0, top)


def _largest(values: Column) -> float | None:
    values = values[np.isfinite(values)]
    return float(values.max()) if len(values) else None


def _rms(values: Column) -> float | None:
    values = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(values * values))) if len(values) else None


def _mean(values: Column) -> float | None:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None
