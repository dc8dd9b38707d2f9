"""Forecasts that were made on the way, as fans, against what was believed afterwards and, with a reference, against what was so."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from controller.image import Interval
from controller.journal.belief import Foreseen
from controller.journal.chart_product import LEAST_WT_PCT, SHOWN
from controller.journal.drawing import BAND, BLACK, BLUE, DASHED, GREEN, GREY, PURPLE, VERMILLION, Marks, decades, frame, picture, positive
from controller.journal.reference import Reference
from controller.journal.table import Column, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT_IN: Final = 5.9
_ROWS: Final = (
    ("film temperature, °C", BLUE),
    ("residual solvent, worst\nposition, wt% (log)", VERMILLION),
    ("insoluble content, %", PURPLE),
)


def fans(table: Table, start_s: float, marks: Marks, made: Sequence[Foreseen], reference: Reference | None) -> str:
    """Return a column of panels per forecast as an SVG element, hours from ``start_s``; ``made`` has at least one."""
    hours = (table.at_s - start_s) / 3600.0
    bare = Marks((), marks.endpoint_h, (), None, None, None)
    after = _afterwards(table.columns)
    truth = None if reference is None else _known(reference)

    def draw(figure: "Figure") -> None:
        axes = figure.subplots(3, len(made), sharex=True, sharey="row", squeeze=False, gridspec_kw={"hspace": 0.14, "wspace": 0.07})
        figure.subplots_adjust(left=0.095, right=0.995, top=0.91, bottom=0.075)
        end_h = max(
            [float(hours[-1]) if len(hours) else 0.0, *(one.finish.forecast_s.high / 3600 for one in made if one.finish.forecast_s)]
        )
        for column, one in zip(axes.T, made, strict=True):
            titled = f"made at {100 * one.kept.progress:.0f} % ({one.kept.batch_s / 3600:.1f} h)"
            for row, (ax, (_, colour)) in enumerate(zip(column, _ROWS, strict=True)):
                frame(ax, titled if row == 0 else "", end_h, bare)
                _fan(ax, one, row, colour)
                for line in after[row]:
                    ax.plot(hours, line, color=BLACK, linewidth=0.9)
                if truth is not None and reference is not None:
                    for line in truth[row]:
                        ax.plot(reference.at_s / 3600.0, line, color=GREY, **DASHED)
                _finish(ax, one)
            column[-1].set_xlabel("time since the start of the batch, h")
        decades(axes[1][0], LEAST_WT_PCT, 60.0)
        axes[0][0].set_ylim(bottom=0)
        axes[2][0].set_ylim(-2, 102)
        for ax, (label, _) in zip(axes[:, 0], _ROWS, strict=True):
            ax.set_ylabel(label)
        _legend(figure, reference is not None)

    return picture("forecasts", _HEIGHT_IN, draw)


def _fan(ax: "Axes", one: Foreseen, row: int, colour: str) -> None:
    forecast = one.kept.forecast
    points: Sequence[Interval] = (forecast.temp_c, forecast.residual_solvent, forecast.insoluble)[row]
    at_h = (one.kept.batch_s + np.array(forecast.ahead_s)) / 3600.0
    scale, least = (1.0, -50.0) if row == 0 else (100.0, LEAST_WT_PCT if row == 1 else 0.0)
    count = min(len(at_h), len(points))
    value, low, high = (positive(scale * np.array([point[i] for point in points[:count]], dtype=np.float64), least) for i in range(3))
    ax.fill_between(at_h[:count], low, high, color=colour, **BAND)
    ax.plot(at_h[:count], value, color=colour, linewidth=1.2)
    ax.axvline(one.kept.batch_s / 3600.0, color=colour, linewidth=0.8)


def _finish(ax: "Axes", one: Foreseen) -> None:
    finish = one.finish.forecast_s
    if finish is not None:
        ax.axvspan(finish.low / 3600.0, finish.high / 3600.0, color=GREY, alpha=0.18, linewidth=0, zorder=0)
        ax.axvline(finish.value / 3600.0, color=GREY, linewidth=0.8)
    if one.finish.actual_s is not None:
        ax.axvline(one.finish.actual_s / 3600.0, color=BLACK, linewidth=0.9, linestyle=":")


def _afterwards(of: dict[str, Column]) -> tuple[tuple[Column, ...], ...]:
    """Return what was believed later: coldest and hottest film, the worst position's solvent, the least and the most cured position."""
    temps, wet, gels = ([of[name.format(place)] for place in SHOWN] for name in ("film_{}_c", "residual_{}", "insoluble_{}"))
    return _spans(temps, wet, gels)


def _known(reference: Reference) -> tuple[tuple[Column, ...], ...]:
    """Return the same of the reference, as far as it has the curves."""
    temps, wet, gels = ([reference.columns[f"{name}_{place}"] for place in SHOWN if f"{name}_{place}" in reference.columns]
                        for name in ("temp", "residual", "insoluble"))  # fmt: skip
    return _spans(temps, [reference.columns["residual_worst"]] if "residual_worst" in reference.columns else wet, gels)


def _spans(temps_c: list[Column], residuals: list[Column], gels: list[Column]) -> tuple[tuple[Column, ...], ...]:
    """Return the curves of each row of panels: least and most temperature, most solvent, least and most insoluble content."""
    return (
        (np.fmin.reduce(temps_c), np.fmax.reduce(temps_c)) if temps_c else (),
        (positive(100 * np.fmax.reduce(residuals), LEAST_WT_PCT),) if residuals else (),
        (100 * np.fmin.reduce(gels), 100 * np.fmax.reduce(gels)) if gels else (),
    )


def _legend(figure: "Figure", with_reference: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    known = [(Line2D([], [], color=GREY, **DASHED), "reference *")] if with_reference else []
    handles = [
        (Line2D([], [], color=BLUE, linewidth=1.2), "forecast, median"),
        (Patch(color=BLUE, **BAND), "forecast, 5 to 95 %"),
        (Line2D([], [], color=BLACK, linewidth=0.9), "estimate as it went on *"),
        *known,
        (Patch(color=GREY, alpha=0.18, linewidth=0), "finish as forecast, 5 to 95 %"),
        (Line2D([], [], color=BLACK, linewidth=0.9, linestyle=":"), "finish as it came"),
        (Line2D([], [], color=GREEN), "endpoint as it came"),
    ]
    figure.legend(
        *zip(*handles, strict=True), loc="upper left", bbox_to_anchor=(0.085, 1.005), ncols=4, handlelength=1.8, columnspacing=1.4
    )
