"""The key figures of a batch, made from every sample of it."""

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from controller.image import ZONES, Interval
from controller.journal.batch import PERMISSIVE, RUNNING, Record, alarms, endpoint_s, limits_of
from controller.journal.charts import middle, valid_o2
from controller.journal.table import Column
from controller.journal.words import elapsed, interval, percent, with_unit

_HOT_C: Final = 100.0


class Figure(NamedTuple):
    """One key figure."""

    label: str
    value: str
    note: str = ""


def figures(record: Record) -> list[Figure]:
    """Return the key figures of a batch."""
    columns, end_s = record.table.columns, record.end_s - record.start.at_s
    reached_s = endpoint_s(record)
    residual, insoluble = belief_at_end(record, "residual_solvent"), belief_at_end(record, "insoluble")
    invalid = "" if _final(columns, "est_valid") == 1 else "; outside the model's validity at the end"
    limits = limits_of(record)
    o2_pct = _o2_while_hot(record.table.at_s, columns)
    collected = columns["condensate_kg"][np.isfinite(columns["condensate_kg"])]
    raised = [alarm for alarm in alarms(record) if alarm.effect != PERMISSIVE]  # what keeps a batch from starting alarms nobody
    return [
        Figure("Duration", elapsed(end_s), "so far" if record.result == RUNNING else ""),
        Figure("Endpoint", "not reached" if reached_s is None else f"after {elapsed(reached_s)}", _endpoint_note(limits)),
        Figure("Residual solvent, worst zone", percent(residual, "wt%"), f"90 %: {interval(residual)}{invalid}"),
        Figure("Insoluble content, roll", percent(insoluble, "%", 1), f"90 %: {interval(insoluble, digits=1)}{invalid}"),
        Figure("P(insoluble in window)", with_unit(_final(columns, "p_insoluble_in_window"), "", 2), "at the end"),
        Figure("Hottest film (model)", with_unit(_extreme(columns, ("film_max_c",)), "°C", 1)),
        Figure("Hottest load sensor", with_unit(_extreme(columns, ("load_outer_c", "load_edge_c", "load_core_c")), "°C", 1)),
        Figure("Lowest pressure", with_unit(_extreme(columns, ("pressure_cap_mbar",), low=True), "mbar", 3)),
        Figure("Highest O2 above 100 °C", "no valid reading" if o2_pct is None else with_unit(o2_pct, "vol%", 4)),
        Figure("Condensate collected", with_unit(float(collected[-1] - collected[0]), "kg", 2) if len(collected) else "no reading"),
        Figure("N2 used", with_unit(_n2_used_nm3(record), "Nm³", 1)),
        Figure("Alarms", str(len(raised)), f"{sum(alarm.first_out for alarm in raised)} first-out"),
    ]  # fmt: skip


def belief_at_end(record: Record, name: str) -> Interval | None:
    """Return what is believed at the end: as the batch's end says, else from the last sample."""
    told = (record.end.fields() if record.end else {}).get(name)
    if isinstance(told, list) and len(told) == 3 and all(isinstance(one, int | float) for one in told):
        return Interval(*told)
    values = [_final(record.table.columns, f"{name}{end}") for end in ("", "_low", "_high")]
    return None if None in values else Interval(*(value for value in values if value is not None))


def _endpoint_note(limits: dict[str, float]) -> str:
    wanted = ("max_residual_wt_pct", "insoluble_aim_pct", "insoluble_low_pct", "insoluble_high_pct")
    if not all(key in limits for key in wanted):
        return ""
    residual, aim, low, high = (limits[key] for key in wanted)
    return f"recipe: residual ≤ {residual:g} wt%, insoluble once cold {aim:g} %, {low:g}–{high:g} % everywhere"


def _extreme(columns: dict[str, Column], names: Iterable[str], *, low: bool = False) -> float | None:
    values = np.concatenate([columns[name] for name in names])
    values = values[np.isfinite(values)]
    return None if not len(values) else float(values.min() if low else values.max())


def _final(columns: dict[str, Column], name: str) -> float | None:
    values = columns[name][np.isfinite(columns[name])]
    return float(values[-1]) if len(values) else None


def _o2_while_hot(at_s: Column, columns: dict[str, Column]) -> float | None:
    """Return the highest reading that is evidence, vol %, while the load or a zone was above 100 °C."""
    heat = [columns["load_outer_c"], columns["load_edge_c"], columns["load_core_c"], *(middle(columns, zone) for zone in ZONES)]
    values = valid_o2(at_s, columns)[np.fmax.reduce(heat) >= _HOT_C]
    values = values[np.isfinite(values)]
    return float(values.max()) if len(values) else None


def _n2_used_nm3(record: Record) -> float:
    flow = np.nan_to_num(record.table.columns["n2_flow_nm3_h"])
    return float(np.trapezoid(flow, record.table.at_s) / 3600.0) if len(flow) > 1 else 0.0
