"""The trends of one batch as one still picture: small panels over one time axis."""

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from controller.image import ZONES
from controller.interlocks.limits import Limits
from controller.journal.drawing import (
    BAND,
    BESIDE,
    BLACK,
    BLUE,
    DASHED,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Marks,
    asked,
    decades,
    frame,
    label_phases,
    limits,
    picture,
    positive,
)
from controller.journal.table import Column, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ZONE_COLOURS: Final = (ORANGE, VERMILLION, PURPLE)
_LOAD: Final = (("load_outer_c", "load, outer turn", BLUE), ("load_edge_c", "load, edge", SKY), ("load_core_c", "load, core", GREEN))
_HEIGHT_IN: Final = 9.3
_SAMPLE_FLOWS_L_MIN: Final = 0.1
_SETTLE_S: Final = Limits().o2_settle_s

COLUMNS: Final = (
    "sp_temp_c", "film_min_c", "film_max_c", *(name for name, _, _ in _LOAD), *(f"z{zone}_tc_{tc}_c" for zone in ZONES for tc in "abc"),
    *(f"z{zone}_op_pct" for zone in ZONES), "pressure_cap_mbar", "sp_pressure_mbar", "n2_flow_nm3_h",
    "o2_pct", "o2_ready", "o2_sample_flow_l_min",
    *(f"{name}{end}" for name in ("residual_solvent", "insoluble") for end in ("", "_low", "_high")),
)  # fmt: skip


def trends(table: Table, start_s: float, marks: Marks) -> str:
    """Return the trends of ``table`` (with ``COLUMNS``) as an SVG element; time counts in hours from ``start_s``."""

    def draw(figure: "Figure") -> None:
        heights = [panel.height for panel in _PANELS]
        axes = figure.subplots(len(_PANELS), 1, sharex=True, gridspec_kw={"height_ratios": heights, "hspace": 0.28})
        figure.subplots_adjust(left=0.065, right=0.81, top=0.955, bottom=0.045)
        hours = (table.at_s - start_s) / 3600.0
        for panel, ax in zip(_PANELS, axes, strict=True):
            frame(ax, panel.title, float(hours[-1]) if len(hours) else 0.0, marks)
            panel.draw(ax, hours, table.columns, marks)
            if panel.legend:
                ax.legend(**BESIDE)
        label_phases(axes[0], marks)
        axes[-1].set_xlabel("time since the start of the batch, h")

    return picture("trends", _HEIGHT_IN, draw)


def _temperatures(ax: "Axes", hours: Column, of: dict[str, Column], marks: Marks) -> None:
    ax.fill_between(hours, of["film_min_c"], of["film_max_c"], color=GREEN, label="film, coldest\nto hottest (model)", **BAND)
    for zone, colour in zip(ZONES, _ZONE_COLOURS, strict=True):
        ax.plot(hours, middle(of, zone), color=colour, label=f"zone {zone}, median")
    for name, label, colour in _LOAD:
        ax.plot(hours, of[name], color=colour, label=label)
    ax.plot(hours, asked(of["sp_temp_c"]), color=BLACK, label="set point", **DASHED)
    ax.set_ylim(bottom=0)


def _pressure(ax: "Axes", hours: Column, of: dict[str, Column], marks: Marks) -> None:
    ax.plot(hours, positive(of["pressure_cap_mbar"]), color=BLUE, label="chamber")
    ax.plot(hours, asked(of["sp_pressure_mbar"]), color=BLACK, label="set point", **DASHED)
    decades(ax)


def _nitrogen(ax: "Axes", hours: Column, of: dict[str, Column], marks: Marks) -> None:
    ax.plot(hours, of["n2_flow_nm3_h"], color=BLUE)
    ax.set_ylim(bottom=0)


def _oxygen(ax: "Axes", hours: Column, of: dict[str, Column], marks: Marks) -> None:
    ax.plot(hours, positive(valid_o2(3600 * hours, of), 1e-4), color=BLUE)
    decades(ax)


def _residual(ax: "Axes", hours: Column, of: dict[str, Column], marks: Marks) -> None:
    _estimated(ax, hours, of, "residual_solvent", VERMILLION)
    limits(ax, (marks.residual_max_pct,))
    ax.set_ylim(bottom=0)


def _insoluble(ax: "Axes", hours: Column, of: dict[str, Column], marks: Marks) -> None:
    _estimated(ax, hours, of, "insoluble", PURPLE)
    limits(ax, (marks.insoluble_low_pct, marks.insoluble_high_pct))
    ax.set_ylim(-2, 102)


def _heaters(ax: "Axes", hours: Column, of: dict[str, Column], marks: Marks) -> None:
    for zone, colour in zip(ZONES, _ZONE_COLOURS, strict=True):
        ax.plot(hours, of[f"z{zone}_op_pct"], color=colour, linewidth=0.8, label=f"zone {zone}")
    ax.set_ylim(-2, 102)


class _Panel(NamedTuple):
    title: str
    height: float
    draw: Any
    legend: bool = True


_PANELS: Final = (
    _Panel("Temperature, °C", 3.4, _temperatures),
    _Panel("Chamber pressure, mbar (log scale)", 1.5, _pressure),
    _Panel("N2 flow, Nm³/h", 0.9, _nitrogen, legend=False),
    _Panel("O2 in the chamber gas, vol % (log scale, valid readings only)", 1.2, _oxygen, legend=False),
    _Panel("Residual solvent in the worst zone, wt% (estimated, with 90 % interval)", 1.6, _residual),
    _Panel("Insoluble content of the roll, % (estimated, with 90 % interval)", 1.6, _insoluble),
    _Panel("Heater outputs, %", 1.2, _heaters),
)


def middle(of: dict[str, Column], zone: int) -> Column:
    """Return the median of a zone's control thermocouples; NaN where all three are bad."""
    three = np.sort(np.vstack([of[f"z{zone}_tc_{tc}_c"] for tc in "abc"]), axis=0)  # NaN sorts to the end
    valid = np.sum(~np.isnan(three), axis=0)
    of_two = (three[0] + three[1]) / 2
    return np.select([valid == 3, valid == 2, valid == 1], [three[1], of_two, three[0]], np.nan)


def valid_o2(at_s: Column, of: dict[str, Column]) -> Column:
    """Return the O2 readings that are evidence, vol %, else NaN.

    The analyser is ready, and its sample has flowed, which it does not under vacuum, for as long as the interlocks want by default (I9).
    """
    flows = (of["o2_ready"] == 1) & ~(of["o2_sample_flow_l_min"] <= _SAMPLE_FLOWS_L_MIN)
    last_without_s = np.maximum.accumulate(np.where(flows, -np.inf, at_s))
    return np.where(flows & (at_s - last_without_s >= _SETTLE_S), of["o2_pct"], np.nan)


def _estimated(ax: "Axes", hours: Column, of: dict[str, Column], name: str, colour: str) -> None:
    ax.fill_between(hours, of[f"{name}_low"] * 100, of[f"{name}_high"] * 100, color=colour, label="90 % interval", **BAND)
    ax.plot(hours, of[name] * 100, color=colour, label="median")
