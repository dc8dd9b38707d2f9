"""What all pictures of the batch report have in common: colours, axes, phases and limits. matplotlib is loaded when a picture is made."""

import io
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from controller.journal.table import Column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision can tell apart.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#6b7280"
BAND: Final[Any] = {"alpha": 0.25, "linewidth": 0}
DASHED: Final[Any] = {"linestyle": (0, (4, 2)), "linewidth": 0.9}
DOTTED: Final[Any] = {"linestyle": (0, (1, 1.5)), "linewidth": 0.8}
BESIDE: Final[Any] = {"loc": "upper left", "bbox_to_anchor": (1.005, 1.04), "handlelength": 1.6, "labelspacing": 0.3, "borderaxespad": 0}
WIDTH_IN: Final = 7.4  # A4 without its margins
_NUMBER_FITS: Final = 0.018  # part of the time axis that a phase must fill for its number to fit, and for its kind
_KIND_FITS: Final = 0.085
_RULE_FITS: Final = 0.06
_STYLE: Final[Any] = {
    "svg.fonttype": "none", "font.size": 7.5, "axes.spines.top": False, "axes.spines.right": False,
    "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "axes.edgecolor": GREY, "grid.color": "#e5e7eb",
    "grid.linewidth": 0.5, "lines.linewidth": 1.0, "path.simplify_threshold": 0.2, "legend.frameon": False, "axes.titlesize": 8,
    "axes.unicode_minus": False, "text.parse_math": False,
}  # fmt: skip
_OWN_NAMES: Final = re.compile(r'<g id="[^"]+_\d+">')  # which nothing refers to, and which a second picture on the page has too
_PATH: Final = re.compile(r' d="[^"]*"')
_DIGITS: Final = re.compile(r"(\.\d\d)\d+")


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


def picture(name: str, height_in: float, draw: "Callable[[Figure], None]") -> str:
    """Return what ``draw`` puts on a figure of the page's width as an SVG element; ``name`` keeps its parts apart from other pictures'."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH_IN, height_in))
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = out.getvalue()
    return _PATH.sub(_shorter, _OWN_NAMES.sub("<g>", svg[svg.index("<svg") :]))


def _shorter(path: re.Match[str]) -> str:
    """Return a path whose points have two decimals of a typographic point: a hundredth of what a printer can show."""
    return _DIGITS.sub(r"\1", path[0])


def frame(ax: "Axes", title: str, end_h: float, marks: Marks) -> None:
    """Prepare ``ax``: title, grid, phases, endpoint, first-out alarms, time axis from 0 to ``end_h``."""
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
    ax.set_xlim(0, max([end_h, *(span.end_h for span in marks.phases), 1e-3]))


def label_phases(ax: "Axes", marks: Marks) -> None:
    """Write numbers (and kinds, where they fit) above the first panel, and what the vertical lines mean."""
    end_h = ax.get_xlim()[1]
    free_h = -math.inf
    for span in marks.phases:
        part = (span.end_h - span.start_h) / end_h
        middle_h = (span.start_h + span.end_h) / 2
        if part < _NUMBER_FITS and middle_h - free_h < _NUMBER_FITS * end_h:
            continue  # the phase table has it
        label = f"{span.number} {span.kind}" if part >= _KIND_FITS else str(span.number)
        _above(ax, middle_h, label, 13.0, GREY)
        free_h = middle_h
    taken_h = [] if marks.endpoint_h is None else [marks.endpoint_h]
    if marks.endpoint_h is not None:
        _above(ax, marks.endpoint_h, "endpoint", 20.0, GREEN)
    for at_h, rule in marks.trips_h:
        if all(abs(at_h - other_h) > _RULE_FITS * end_h for other_h in taken_h):  # the alarm table has it
            _above(ax, at_h, rule, 20.0, VERMILLION)
            taken_h.append(at_h)


def _above(ax: "Axes", at_h: float, text: str, height_pt: float, colour: str) -> None:
    plain = text.encode("ascii", "replace").decode()  # the font that measures it may lack the rest
    ax.annotate(
        plain, (at_h, 1.0), (0.0, height_pt), xycoords=ax.get_xaxis_transform(), textcoords="offset points", ha="center", va="bottom",
        fontsize=6.5, color=colour,
    )  # fmt: skip


def limits(ax: "Axes", values: Sequence[float | None], label: str | None = "recipe's limit") -> None:
    """Draw those of ``values`` that there are as dotted lines."""
    for value in values:
        if value is not None:
            ax.axhline(value, color=BLACK, label=label, **DOTTED)
            label = None


def positive(values: Column, least: float = 1e-3) -> Column:
    """Return what a logarithmic axis can show: a reading of zero at its lower end."""
    return np.where(values < least, least, values)


def asked(setpoints: Column) -> Column:
    """Return set points, NaN where there was none: the controller says so with 0."""
    return np.where(setpoints > 0.0, setpoints, np.nan)


def decades(ax: "Axes", low: float | None = None, high: float | None = None) -> None:
    """Make the vertical axis logarithmic, from ``low`` to ``high`` where given, with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set_yscale("log")
    ax.set_ylim(low, high)
    ax.yaxis.set_major_locator(LogLocator(base=10, numticks=6))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
