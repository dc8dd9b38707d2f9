"""Weighed coupons for the tests of drying: as the belief takes them, and as a laboratory's file has them."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from controller.calibrate import calibrate
from controller.estimator import drying
from controller.estimator.drying import Weighed
from controller.estimator.exposure import History
from controller.estimator.model import EstimatorSettings
from controller.solvents import SOLVENTS

R: Final = 8.314462618
NMP: Final = SOLVENTS["NMP"]
PRIOR: Final = drying.prior_of(EstimatorSettings())
Points = tuple[tuple[float, float], ...]
PAIRS: Final = ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4))  # of the settings' correlations

WARM: Points = ((0, 170), (2, 170))  # most of what is left is bound
HELD: Points = ((0, 200), (2, 200))
EARLY: Points = ((0, 210), (1, 210))
LATE: Points = ((0, 240), (0.4, 240))
LONG: Points = ((0, 240), (1.6, 240))
RAMP: Points = ((0, 25), (3, 232), (3.5, 232))


def weighed(points: Points, residual: float = 0.0, sd: float = 5e-4, limit: float | None = None, **other: float) -> Weighed:
    """Points of hours and degC; weight fractions."""
    hours, temp_c = np.array(points).T
    history = History(3600 * hours, temp_c + 273.15, np.zeros(len(points)))
    rest = {"sd_k": 0.0, "film_um": 20.0, "predry": 0.18, "predry_sd": 0.0} | other
    return Weighed(
        history, rest["sd_k"], rest["film_um"], rest["predry"], rest["predry_sd"], residual, sd, 1.645 * sd if limit is None else limit
    )


ASSAY: Final = "assay = { solvent = 'NMP', extraction_c = 80, extraction_h = 24, concentration_wt_pct = 0.5 }\n"
CURED: Final = (
    "[[coupons]]\nname = 'A'\nposition = 'oven'\nhistory = [[0, 240], [2, 240]]\ninsoluble_pct = 55\ninsoluble_sd_pct = 1.5\n" + ASSAY
)
HEAD: Final = "lot = 'L1'\nresin = 'PAI'\ndate = '2026-11-22'\n"
FILM: Final = "film_um = 20\npredry_residual_wt_pct = 18\n"


def dried(name: str, points: Points, residual: float, rest: str = FILM + "residual_sd_wt_pct = 0.05\n") -> str:
    """Return a weighed coupon in a laboratory's file."""
    history = ", ".join(f"[{hours}, {temp_c}]" for hours, temp_c in points)
    return f"[[coupons]]\nname = '{name}'\nposition = 'oven'\nhistory = [{history}]\nresidual_wt_pct = {residual}\n{rest}{ASSAY}"


TWO: Final = dried("D1", WARM, 2.6) + dried("D2", HELD, 0.9)


def written(path: Path, text: str) -> Path:
    """Write and return ``path``."""
    path.write_text(text, encoding="utf-8")
    return path


def settled(folder: Path, text: str, **options: Any) -> Any:
    """Return the calibration of a laboratory's file with ``text``."""
    return calibrate(written(folder / "lab.toml", HEAD + text), [], "2026-11-22", **options)
