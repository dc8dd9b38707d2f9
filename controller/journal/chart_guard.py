"""How close the batch came to what the guard defends: blister number, pressure over its floor, evolution of solvent."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from controller.image import PressureRise
from controller.journal.belief import NINETY, Acting
from controller.journal.drawing import (
    BAND,
    BESIDE,
    BLACK,
    BLUE,
    DASHED,
    DOTTED,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Marks,
    asked,
    decades,
    frame,
    label_phases,
    picture,
    positive,
)
from controller.journal.reference import Reference
from controller.journal.table import Column, Table
from controller.recipe.guard import BEGIN, FULL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT_IN: Final = 4.9
_LEAST_B: Final = 0.01
_LEAST_MBAR: Final = 0.1
_LEAST_KG_H: Final = 1e-4
_ACTS: Final = {"guard": "guard acts", "isolation": "chamber isolated"}
_COLOURS: Final = {"guard": ORANGE, "isolation": SKY}


def guard(table: Table, start_s: float, marks: Marks, acts: Sequence[Acting], rises: Sequence[PressureRise], solvent_kg_h: float | None,
          reference: Reference | None) -> str:  # fmt: skip
    """Return the margins as an SVG element, hours from ``start_s``; ``solvent_kg_h`` is what condenser and pump take, None when unknown."""
    hours, of = (table.at_s - start_s) / 3600.0, table.columns

    def draw(figure: "Figure") -> None:
        axes = figure.subplots(3, 1, sharex=True, gridspec_kw={"hspace": 0.3})
        figure.subplots_adjust(left=0.075, right=0.81, top=0.92, bottom=0.085)
        titles = (
            "Blister number B: solvent's pressure at the foil over the chamber's, worst rubbery position (80 % point)",
            "Chamber pressure and its floor, mbar",
            "Evolution of solvent, kg/h",
        )
        for ax, title in zip(axes, titles, strict=True):
            frame(ax, f"{title} (log scale)", float(hours[-1]) if len(hours) else 0.0, marks)
            for act in acts:
                ax.axvspan((act.start_s - start_s) / 3600, (act.end_s - start_s) / 3600, color=_COLOURS[act.what], alpha=0.3, linewidth=0)
        _blister(axes[0], hours, of, reference)
        _floor(axes[1], hours, of)
        _evolution(axes[2], hours, of, start_s, rises, solvent_kg_h, reference)
        for ax in axes:
            ax.legend(**BESIDE)
        label_phases(axes[0], marks)
        axes[-1].set_xlabel("time since the start of the batch, h")

    return picture("guard", _HEIGHT_IN, draw)


def _blister(ax: "Axes", hours: Column, of: dict[str, Column], reference: Reference | None) -> None:
    pressing = np.where(of["blister"] > 0, of["blister"], np.nan)  # 0: nothing is rubbery
    ax.plot(hours, positive(pressing, _LEAST_B), color=PURPLE, label="B (no line: glassy,\nnothing can blister)")
    if reference is not None and (known := reference.get("blister")) is not None:
        ax.plot(reference.at_s / 3600, positive(known, _LEAST_B), color=BLACK, label="reference", **DASHED)
    ax.axhline(FULL, color=VERMILLION, label="boils from 1 on", **DOTTED)
    ax.axhline(BEGIN, color=ORANGE, label=f"guard begins at {BEGIN:g}", **DOTTED)
    for act, colour in _COLOURS.items():
        ax.fill_between([], [], color=colour, alpha=0.3, linewidth=0, label=_ACTS[act])
    top = float(np.nanmax(pressing, initial=FULL))
    decades(ax, _LEAST_B, max(2.0, 1.5 * top))


def _floor(ax: "Axes", hours: Column, of: dict[str, Column]) -> None:
    ax.plot(hours, positive(of["pressure_cap_mbar"], _LEAST_MBAR), color=BLUE, label="chamber")
    ax.plot(hours, asked(of["sp_pressure_mbar"]), color=BLACK, label="set point", **DASHED)
    floor = np.where(of["floor_mbar"] > 0, of["floor_mbar"], np.nan)
    ax.plot(hours, positive(floor, _LEAST_MBAR), color=VERMILLION, label=f"floor (B = {BEGIN:g})")
    decades(ax, _LEAST_MBAR, 2000.0)


def _evolution(ax: "Axes", hours: Column, of: dict[str, Column], start_s: float, rises: Sequence[PressureRise], limit: float | None,
               reference: Reference | None) -> None:  # fmt: skip
    low, high, value = (positive(of[f"evolution{end}_kg_h"], _LEAST_KG_H) for end in ("_low", "_high", ""))
    ax.fill_between(hours, low, high, color=VERMILLION, label="5 to 95 %", **BAND)
    ax.plot(hours, value, color=VERMILLION, label="estimate, median")
    if reference is not None and (known := reference.get("evolution_kg_h")) is not None:
        ax.plot(reference.at_s / 3600, positive(known, _LEAST_KG_H), color=BLACK, label="reference", **DASHED)
    for valid, fill, label in ((True, BLACK, "pressure-rise test, with\ngases of curing, 90 %"), (False, "none", "the same, not valid")):
        _tests(ax, [rise for rise in rises if rise.valid is valid], start_s, fill, label)
    tops = [float(np.nanmax(high, initial=0.01)), *((limit,) if limit else ())]
    if limit is not None:
        ax.axhline(limit, color=VERMILLION, label="condenser and pump", **DOTTED)
        ax.axhline(BEGIN * limit, color=ORANGE, label="guard begins", **DOTTED)
    decades(ax, _LEAST_KG_H, 3.0 * max(tops))


def _tests(ax: "Axes", rises: Sequence[PressureRise], start_s: float, fill: str, label: str) -> None:
    if not rises:
        return
    at_h = [(rise.at_s - start_s) / 3600 for rise in rises]
    value = np.array([rise.solvent_kg_h for rise in rises])
    half = NINETY * np.array([rise.solvent_sd_kg_h for rise in rises])
    low, high = positive(value - half, _LEAST_KG_H), positive(value + half, _LEAST_KG_H)
    middle = positive(value, _LEAST_KG_H)
    ax.errorbar(
        at_h,
        middle,
        yerr=(middle - low, high - middle),
        fmt="o",
        markersize=3.5,
        markerfacecolor=fill,
        color=GREY if fill == "none" else BLACK,
        elinewidth=0.8,
        capsize=2,
        label=label,
    )
