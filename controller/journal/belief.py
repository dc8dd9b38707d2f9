"""What was believed during a batch and how it came out: tests, forecasts and margins of one record, as values."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from controller.image import Forecast, Interval, PressureRise
from controller.journal.batch import Record, endpoint_s
from controller.journal.entry import Stored
from controller.journal.table import Column
from controller.recipe.guard import BEGIN, FULL

T = TypeVar("T")
NINETY: Final = 1.645  # standard deviations from the middle of a normal distribution to 5 and 95 %
MARKS: Final = (0.25, 0.5, 0.75)
WATCHED: Final = ("guard", "pressure-rise test")  # how the decisions of guard and isolation begin
_RISE: Final = TypeAdapter(PressureRise)
_FORECAST: Final = TypeAdapter(Forecast)


class Kept(NamedTuple):
    """A forecast from the journal, made ``batch_s`` after the batch's start, when ``progress`` of it was over as forecast."""

    batch_s: float
    progress: float
    forecast: Forecast


class Aim(NamedTuple):
    """A moment as forecast and as it came, s since the start of the batch; None where there is none."""

    forecast_s: Interval | None
    actual_s: float | None

    @property
    def error_s(self) -> float | None:
        """Return how much later than forecast it came."""
        return None if self.forecast_s is None or self.actual_s is None else self.actual_s - self.forecast_s.value

    @property
    def inside(self) -> bool | None:
        """Return whether it came within the 90 % interval, to the second."""
        if self.forecast_s is None or self.actual_s is None:
            return None
        return self.forecast_s.low - 1.0 <= self.actual_s <= self.forecast_s.high + 1.0


class Foreseen(NamedTuple):
    """The forecast at one mark of the batch against what happened."""

    mark: float
    kept: Kept
    finish: Aim
    endpoint: Aim


class Margin(NamedTuple):
    """How close something came to its limit."""

    what: str
    unit: str
    closest: float
    at_s: float  # process time
    limit: float | None  # None: not known
    limit_text: str
    beyond_s: float  # time spent beyond the limit


class Acting(NamedTuple):
    """A time in which the guard acted or the chamber was isolated, process time."""

    what: str
    start_s: float
    end_s: float


def rises(record: Record) -> list[PressureRise]:
    """Return the results of the pressure-rise tests, each once, in order."""
    found = {rise.at_s: rise for stored in record.of("pressure_rise") if (rise := _read(_RISE, stored)) is not None}
    return [found[at_s] for at_s in sorted(found)]


def forecasts(record: Record) -> list[Kept]:
    """Return the forecasts that were kept; one that cannot be read is left out."""
    found = []
    for stored in record.of("forecast"):
        fields, forecast = stored.fields(), _read(_FORECAST, stored)
        batch_s, progress = fields.get("batch_s"), fields.get("progress")
        if forecast is not None and isinstance(batch_s, int | float) and isinstance(progress, int | float):
            found.append(Kept(float(batch_s), float(progress), forecast))
    return found


def foreseen(record: Record) -> list[Foreseen]:
    """Return for each of ``MARKS`` the first forecast at which so much of the batch was over, against what happened.

    What happened is known only of a batch that ran to its end.
    """
    kept = forecasts(record)
    ended_s = record.end_s - record.start.at_s if record.result == "COMPLETE" else None
    reached_s = endpoint_s(record)
    found: list[Foreseen] = []
    for mark, next_mark in zip(MARKS, (*MARKS[1:], 2.0), strict=True):
        first = next((one for one in kept if one.progress >= mark), None)
        if first is not None and first.progress < next_mark:  # a core that was away at a mark has none to show
            finish = Aim(_later(first.forecast.finish_s, first.batch_s), ended_s)
            over = reached_s is not None and reached_s <= first.batch_s
            endpoint = Aim(_later(first.forecast.endpoint_s, first.batch_s), None if over else reached_s)
            found.append(Foreseen(mark, first, finish, endpoint))
    return found


def margins(record: Record) -> list[Margin]:
    """Return how close the batch came to the guard's limits, as far as the estimate was valid."""
    at_s, of = record.table.at_s, record.table.columns
    valid = of["est_valid"] == 1
    floor, pressure = of["floor_mbar"], of["pressure_cap_mbar"]
    over = np.where(valid & (floor > 0), pressure - floor, np.nan)
    limit = solvent_limit_kg_h(record)
    wanted = (
        ("Blister number B, highest", "", np.where(valid, of["blister"], np.nan), 1, FULL, f"{FULL:g}, guard from {BEGIN:g}"),
        ("Evolution of solvent, upper end, highest", "kg/h", np.where(valid, of["evolution_high_kg_h"], np.nan), 1, limit,
         "not in this journal" if limit is None else f"{limit:g} kg/h, guard from {BEGIN * limit:g}"),
        ("Chamber pressure over the floor, least", "mbar", over, -1, 0.0, "0 mbar: at the floor"),
    )  # fmt: skip
    found = [_margin(at_s, what, unit, values, sign, end, text) for what, unit, values, sign, end, text in wanted]
    return [margin for margin in found if margin is not None]


def solvent_limit_kg_h(record: Record) -> float | None:
    """Return the solvent rate that condenser and pump take, kg/h, as the core said when it started; None when it did not."""
    rate = record.boot.get("solvent_kg_h")
    return float(rate) if isinstance(rate, int | float) and rate > 0 else None


def acting(record: Record) -> list[Acting]:
    """Return when the guard acted and when the chamber was isolated; what had not ended lasts to the end of the record."""
    found: list[Acting] = []
    since: dict[str, float] = {}
    for stored in record.of("decision", "phase", "state"):
        of = stored.fields()
        what, why = str(of.get("what", "")), str(of.get("why", ""))
        name = "guard" if what.startswith("guard") else "isolation"
        if (stored.kind == "phase" and of.get("event") == "end") or stored.kind == "state":  # nothing outlasts its phase, or a hold
            found += [Acting(name, start_s, stored.at_s) for name, start_s in since.items()]
            since.clear()
        elif what == "guard begins" or (what == "pressure-rise test" and ": isolated " in why):
            since.setdefault(name, stored.at_s)
        elif what in ("guard ends", "pressure-rise test") and name in since:
            found.append(Acting(name, since.pop(name), stored.at_s))
    return found + [Acting(name, start_s, record.end_s) for name, start_s in since.items()]


def watched(record: Record) -> list[Stored]:
    """Return the decisions of guard and isolation."""
    return [stored for stored in record.of("decision") if str(stored.fields().get("what", "")).startswith(WATCHED)]


def _margin(at_s: Column, what: str, unit: str, values: Column, sign: int, limit: float | None, text: str) -> Margin | None:
    """Return where ``values`` came closest: highest for ``sign`` 1, lowest for -1; None without a value."""
    known = np.isfinite(values)
    if not known.any():
        return None
    place = int(np.nanargmax(sign * values))
    beyond_s = 0.0
    if limit is not None and len(at_s) > 1:
        lasting_s = np.minimum(np.diff(at_s, append=at_s[-1]), 60.0)  # a hole in the samples says nothing
        beyond_s = float(lasting_s[known & (sign * (values - limit) > 0)].sum())
    return Margin(what, unit, float(values[place]), float(at_s[place]), limit, text, beyond_s)


def _later(ahead_s: Interval | None, by_s: float) -> Interval | None:
    return None if ahead_s is None else Interval(*(end_s + by_s for end_s in ahead_s))


def _read(kind: TypeAdapter[T], stored: Stored) -> T | None:
    fields: Mapping[str, Any] = stored.fields()
    wanted = PressureRise._fields if kind is _RISE else Forecast._fields
    try:
        return kind.validate_python({name: fields[name] for name in wanted if name in fields})
    except ValidationError:
        return None
