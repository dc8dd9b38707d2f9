"""The trends of one batch as one still picture: small panels over one time axis. matplotlib is loaded when a picture is made."""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from controller.image import ZONES
from controller.journal.table import Column, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which people with any colour vision can tell apart.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#6b7280"
_ZONE_COLOURS: Final = (ORANGE, VERMILLION, PURPLE)
_LOAD: Final = (("load_outer_c", "load, outer turn", BLUE), ("load_edge_c", "load, edge", SKY), ("load_core_c", "load, core", GREEN))
_BAND: Final[Any] = {"alpha": 0.25, "linewidth": 0}
_WIDTH_IN, _HEIGHT_IN = 7.4, 9.3  # A4 without its margins
_SAMPLE_FLOWS_L_MIN: Final = 0.1
_NUMBER_FITS: Final = 0.018  # part of the time axis that a phase must fill for its number to fit, and for its kind
_KIND_FITS: Final = 0.085

COLUMNS: Final = (
    "sp_temp_c", "film_min_c", "film_max_c", *(name for name, _, _ in _LOAD), *(f"z{zone}_tc_{tc}_c" for zone in ZONES for tc in "abc"),
    *(f"z{zone}_op_pct" for zone in ZONES), "pressure_cap_mbar", "sp_pressure_mbar", "n2_flow_nm3_h",
    "o2_pct", "o2_ready", "o2_sample_flow_l_min",
    *(f"{name}{end}" for name in ("residual_solvent", "insoluble") for end in ("", "_low", "_high")),
)  # fmt: skip


class Span(NamedTuple):
    """A phase on the time axis, h since the start."""

    number: int
    kind: str
    start_h: float
    end_h: float


class Marks(NamedTuple):
    """What is drawn besides the trends. Limits are None when the recipe does not say."""

    phases: Sequence[Span]
    endpoint_h: float | None
    trips_h: Sequence[tuple[float, str]]  # when, and which rule
    residual_max_pct: float | None
    insoluble_low_pct: float | None
    insoluble_high_pct: float | None


def trends(table: Table, start_s: float, marks: Marks) -> str:
    """Return the trends of ``table`` (with ``COLUMNS``) as an SVG element; time counts in hours from ``start_s``."""
    import matplotlib
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none", "svg.hashsalt": "trends", "font.size": 7.5, "axes.spines.top": False, "axes.spines.right": False,
        "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "axes.edgecolor": GREY, "grid.color": "#e5e7eb",
        "grid.linewidth": 0.5, "lines.linewidth": 1.0, "path.simplify_threshold": 0.2, "legend.frameon": False, "axes.titlesize": 8,
        "axes.unicode_minus": False, "text.parse_math": False,
    }  # fmt: skip
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN))
        heights = [panel.height for panel in _PANELS]
        axes = figure.subplots(len(_PANELS), 1, sharex=True, gridspec_kw={"height_ratios": heights, "hspace": 0.28})
        figure.subplots_adjust(left=0.065, right=0.81, top=0.955, bottom=0.045)
        hours = (table.at_s - start_s) / 3600.0
        for panel, ax in zip(_PANELS, axes, strict=True):
            _frame(ax, panel.title, hours, marks)
            panel.draw(ax, hours, table.columns, marks)
            if panel.legend:
                ax.legend(loc="upper left", bbox_to_anchor=(1.005, 1.04), handlelength=1.6, labelspacing=0.3, borderaxespad=0)
        _label_phases(axes[0], marks)
        axes[-1].set_xlabel("time since the start of the batch, h")
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = out.getvalue()
    return svg[svg.index("<svg") :]


def _temperatures(ax: "Axes", hours: Column, of: dict[str, Column], marks: Marks) -> None:
    ax.fill_between(hours, of["film_min_c"], of["film_max_c"], color=GREEN, label="film, coldest\nto hottest (model)", **_BAND)
    for zone, colour in zip(ZONES, _ZONE_COLOURS, strict=True):
        ax.plot(hours, middle(of, zone), color=colour, label=f"zone {zone}, median")
    for name, label, colour in _LOAD:
        ax.plot(hours, of[name], color=colour, label=label)
    ax.plot(hours, of["sp_temp_c"], color=BLACK, linestyle=(0, (4, 2)), linewidth=0.9, label="set point")
    ax.set_ylim(bottom=0)


def _pressure(ax: "Axes", hours: Column, of: dict[str, Column], marks: Marks) -> None:
    ax.plot(hours, _positive(of["pressure_cap_mbar"]), color=BLUE, label="chamber")
    ax.plot(hours, _positive(of["sp_pressure_mbar"]), color=BLACK, linestyle=(0, (4, 2)), linewidth=0.9, label="set point")
    _decades(ax)


def _nitrogen(ax: "Axes", hours: Column, of: dict[str, Column], marks: Marks) -> None:
    ax.plot(hours, of["n2_flow_nm3_h"], color=BLUE)
    ax.set_ylim(bottom=0)


def _oxygen(ax: "Axes", hours: Column, of: dict[str, Column], marks: Marks) -> None:
    ax.plot(hours, _positive(valid_o2(of), 1e-4), color=BLUE)
    _decades(ax)


def _residual(ax: "Axes", hours: Column, of: dict[str, Column], marks: Marks) -> None:
    _estimated(ax, hours, of, "residual_solvent", VERMILLION)
    _limits(ax, (marks.residual_max_pct,))
    ax.set_ylim(bottom=0)


def _insoluble(ax: "Axes", hours: Column, of: dict[str, Column], marks: Marks) -> None:
    _estimated(ax, hours, of, "insoluble", PURPLE)
    _limits(ax, (marks.insoluble_low_pct, marks.insoluble_high_pct))
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


def valid_o2(of: dict[str, Column]) -> Column:
    """Return the O2 readings that are evidence, vol %: analyser ready, sample flowing (which it does not under vacuum); else NaN."""
    return np.where((of["o2_ready"] == 1) & ~(of["o2_sample_flow_l_min"] <= _SAMPLE_FLOWS_L_MIN), of["o2_pct"], np.nan)


def _frame(ax: "Axes", title: str, hours: Column, marks: Marks) -> None:
    ax.set_title(title, loc="left", pad=3, color="#111827")
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    ax.tick_params(length=2.5, colors="#374151")
    for span in marks.phases[1::2]:
        ax.axvspan(span.start_h, span.end_h, color="#eef2f7", linewidth=0, zorder=0)
    if marks.endpoint_h is not None:
        ax.axvline(marks.endpoint_h, color=GREEN, linewidth=1.1, zorder=1)
    for at_h, _ in marks.trips_h:
        ax.axvline(at_h, color=VERMILLION, linewidth=0.9, linestyle=":", zorder=1)
    end_h = max([float(hours[-1]) if len(hours) else 0.0, *(span.end_h for span in marks.phases), 1e-3])
    ax.set_xlim(0, end_h)


def _label_phases(ax: "Axes", marks: Marks) -> None:
    """Write numbers (and kinds, where they fit) above the first panel, and what the vertical lines mean."""
    end_h = ax.get_xlim()[1]
    free_h = -math.inf
    for span in marks.phases:
        part = (span.end_h - span.start_h) / end_h
        middle_h = (span.start_h + span.end_h) / 2
        if part < _NUMBER_FITS and middle_h - free_h < _NUMBER_FITS * end_h:
            continue  # the phase table has it
        label = f"{span.number} {span.kind}" if part >= _KIND_FITS else str(span.number)
        _above(ax, middle_h, label, 1.085, GREY)
        free_h = middle_h
    if marks.endpoint_h is not None:
        _above(ax, marks.endpoint_h, "endpoint", 1.125, GREEN)
    for at_h, rule in marks.trips_h[:6]:
        _above(ax, at_h, rule, 1.125, VERMILLION)


def _above(ax: "Axes", at_h: float, text: str, height: float, colour: str) -> None:
    plain = text.encode("ascii", "replace").decode()  # the font that measures it may lack the rest
    ax.text(at_h, height, plain, transform=ax.get_xaxis_transform(), ha="center", va="bottom", fontsize=6.5, color=colour)


def _estimated(ax: "Axes", hours: Column, of: dict[str, Column], name: str, colour: str) -> None:
    ax.fill_between(hours, of[f"{name}_low"] * 100, of[f"{name}_high"] * 100, color=colour, label="90 % interval", **_BAND)
    ax.plot(hours, of[name] * 100, color=colour, label="median")


def _limits(ax: "Axes", values: tuple[float | None, ...]) -> None:
    label: str | None = "recipe's limit"
    for value in values:
        if value is not None:
            ax.axhline(value, color=BLACK, linewidth=0.8, linestyle=(0, (1, 1.5)), label=label)
            label = None


def _positive(values: Column, least: float = 1e-3) -> Column:
    """Return what a logarithmic axis can show: a reading of zero at its lower end."""
    return np.where(values < least, least, values)


def _decades(ax: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(base=10, numticks=6))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
