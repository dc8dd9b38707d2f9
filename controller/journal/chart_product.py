"""What was believed of the product where on the roll, over the batch: temperature, residual solvent, insoluble content; truth beside it."""

from typing import TYPE_CHECKING, Final

import numpy as np

from controller.journal.drawing import (
    BAND,
    BLACK,
    BLUE,
    DASHED,
    GREEN,
    PURPLE,
    SKY,
    VERMILLION,
    Marks,
    decades,
    frame,
    limits,
    picture,
    positive,
)
from controller.journal.reference import Reference
from controller.journal.table import Column, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN: Final = ("outer", "upper", "middle", "core", "edge")  # from outside inwards, and beside
LEAST_WT_PCT: Final = 0.01  # what lies below is drawn there
_HEIGHT_IN: Final = 6.4


def product(table: Table, start_s: float, marks: Marks, reference: Reference | None) -> str:
    """Return the estimate by position as an SVG element: a column of panels per position, hours from ``start_s``."""
    marks = marks._replace(trips_h=())  # the trends show them
    hours, of = (table.at_s - start_s) / 3600.0, table.columns

    def draw(figure: "Figure") -> None:
        axes = figure.subplots(3, len(SHOWN), sharex=True, sharey="row", gridspec_kw={"hspace": 0.16, "wspace": 0.16})
        figure.subplots_adjust(left=0.075, right=0.985, top=0.92, bottom=0.07)
        for place, column in zip(SHOWN, axes.T, strict=True):
            for ax, title in zip(column, (place, "", ""), strict=True):
                frame(ax, title, float(hours[-1]) if len(hours) else 0.0, marks)
            _temperature(column[0], hours, of[f"film_{place}_c"])
            _banded(column[1], hours, of, f"residual_{place}", VERMILLION, LEAST_WT_PCT)
            _banded(column[2], hours, of, f"insoluble_{place}", PURPLE, 0.0)
            limits(column[1], (marks.residual_max_pct,))
            limits(column[2], (marks.insoluble_low_pct, marks.insoluble_high_pct))
            _beside(column, reference, place)
            column[-1].set_xlabel("time, h")
        decades(axes[1][0], LEAST_WT_PCT, 60.0)
        axes[2][0].set_ylim(-2, 102)
        axes[0][0].set_ylim(bottom=0)
        for ax, label in zip(axes[:, 0], ("film temperature, °C", "residual solvent, wt% (log)", "insoluble content, %"), strict=True):
            ax.set_ylabel(label)
        _legend(figure, reference is not None, marks)

    return picture("product", _HEIGHT_IN, draw)


def _temperature(ax: "Axes", hours: Column, values: Column) -> None:
    ax.plot(hours, values, color=BLUE)


def _banded(ax: "Axes", hours: Column, of: dict[str, Column], name: str, colour: str, least_pct: float) -> None:
    low, high, value = (positive(of[f"{name}{end}"] * 100, least_pct) for end in ("_low", "_high", ""))
    ax.fill_between(hours, low, high, color=colour, **BAND)
    ax.plot(hours, value, color=colour)


def _beside(column: "np.ndarray[tuple[int], np.dtype[np.object_]]", reference: Reference | None, place: str) -> None:
    if reference is None:
        return
    for ax, name, scale, least in zip(
        column, ("temp", "residual", "insoluble"), (1.0, 100.0, 100.0), (-50.0, LEAST_WT_PCT, 0.0), strict=True
    ):
        values = reference.get(f"{name}_{place}")
        if values is not None:
            few = {"marker": "o", "markersize": 2.5} if np.isfinite(values).sum() < 30 else {}
            ax.plot(reference.at_s / 3600.0, positive(values * scale, least), color=BLACK, **DASHED, **few)


def _legend(figure: "Figure", with_reference: bool, marks: Marks) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        (Line2D([], [], color=BLUE), "film temperature (model)"),
        (Line2D([], [], color=VERMILLION), "residual solvent, median"),
        (Line2D([], [], color=PURPLE), "insoluble content, median"),
        (Patch(color=SKY, **BAND), "5 to 95 %, in the line's colour"),
    ]
    if with_reference:
        handles.append((Line2D([], [], color=BLACK, **DASHED), "reference"))
    if marks.residual_max_pct is not None:
        handles.append((Line2D([], [], color=BLACK, linestyle=(0, (1, 1.5)), linewidth=0.8), "recipe's limit"))
    if marks.endpoint_h is not None:
        handles.append((Line2D([], [], color=GREEN), "endpoint"))
    figure.legend(*zip(*handles, strict=True), loc="upper left", bbox_to_anchor=(0.07, 1.0), ncols=4, handlelength=1.8, columnspacing=1.6)
