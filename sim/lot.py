"""What a site knows of the simulated resin lot: six ladder coupons, examined by the virtual laboratory, through ``ovenctl calibrate``.

Nothing here looks into the plant: the coupons are what a laboratory would report, and the calibration is the controller's own.
"""

import fcntl
import json
import os
import random
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from controller.calibrate.evaluate import calibrate
from sim.coupons import FILM_UM, PREDRY_WT_PCT, RESIDUAL_SD_WT_PCT, RESIDUAL_SHARE_SD, Coupon, ladder
from sim.plant.parameters import world

# The programme of a laboratory oven, degC and h, that follows the inside of a production roll.
ROLL: Final = ((120.0, 2.0), (150.0, 1.5), (170.0, 2.0), (182.0, 1.0), (195.0, 0.8), (208.0, 0.8), (218.0, 0.8), (226.0, 0.8), (231.0, 0.8),
               (235.0, 0.8), (237.0, 0.8), (239.0, 2.2))  # fmt: skip
# Two taken out early: at 150 degC what is free is gone and what is bound is not (2-3 wt%), at 200 degC half of that has become free.
# Two more of films heated at once: at 240 degC, and at 275 degC, above the glass transition of the dry film, where only chemistry counts:
# it tells the energy by which a film cures while it is wet. Two are heated as slowly as a roll is, which alone tells vitrification.
LADDERS: Final = (((150.0, 2.0),), ((200.0, 2.0),), ((240.0, 2.0),), ((275.0, 0.13),), ROLL[:-1], ROLL)
ASSAY: Final = '{ method = "extraction and weighing", solvent = "NMP", extraction_c = 100.0, extraction_h = 2.0 }'
DATE: Final = "2026-01-01"
PREDRY_SD_WT_PCT: Final = 0.5  # [assume] of the coating line's own laboratory
OVEN_SD_K: Final = 0.2  # [assume] of the laboratory oven's calibrated thermocouple: what its reports say, and the error that it has
KEPT: Final = "OVENSIM_LOTS"  # environment: a folder in which the processes of one test run share what they have calibrated


def coupons(lot: int) -> list[Coupon]:
    """Return the six coupons of resin lot ``lot``, with the temperatures that the laboratory believes its oven had."""
    off_k = random.Random(f"oven {lot}").gauss(0.0, OVEN_SD_K)
    found = []
    for number, steps in enumerate(LADDERS):
        coupon = ladder(lot, [(temp_c + off_k, hours) for temp_c, hours in steps], 1000 * lot + number)[-1]
        found.append(replace(coupon, temps_c=tuple(temp_c - off_k for temp_c in coupon.temps_c)))
    return found


def estimator(lot: int) -> dict[str, Any]:
    """Return the ``[estimator]`` section that the calibration with the lot's coupons gives: ten seconds of work, the same every time.

    It is the lot of that number in the world that is drawn in (see ``sim.plant.parameters.inside``).
    """
    return _estimator(world(), lot)


@lru_cache(maxsize=64)
def _estimator(where: str, lot: int) -> dict[str, Any]:
    folder = os.environ.get(KEPT)
    return _kept(Path(folder) / f"{where}-{lot}.json", lot) if folder else _calibrated(lot)


def _kept(file: Path, lot: int) -> dict[str, Any]:
    """Return what ``file`` holds; the first process that asks calibrates and writes it, the others wait."""
    with file.open("a+", encoding="utf-8") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        text = kept.read()
        if not text:
            text = json.dumps(_calibrated(lot))
            kept.write(text)
    found: dict[str, Any] = json.loads(text)
    return found


def _calibrated(lot: int) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "lab.toml"
        file.write_text(lab_file(lot, coupons(lot)), encoding="utf-8")
        return calibrate(file, (), DATE).parameters.estimator.model_dump(mode="json", exclude={"lot"})  # virtual loads name another


def lab_file(lot: int, found: list[Coupon]) -> str:
    """Return the laboratory's report as the file that ``ovenctl calibrate`` reads."""
    parts = [f'lot = "L{lot}"\nresin = "PAI of the simulator"\nsolvent = "NMP"\ndate = "{DATE}"\n']
    for number, coupon in enumerate(found):
        known = dict(zip(coupon.times_s, coupon.temps_c, strict=True))  # one step ends where the next begins
        points = ", ".join(f"[{at_s / 3600:.6g}, {temp_c:.6g}]" for at_s, temp_c in known.items())
        parts.append(
            f'[[coupons]]\nname = "C{number + 1}"\nposition = "{coupon.position}"\nhistory = [{points}]\ntemperature_sd_c = {OVEN_SD_K}\n'
            f"insoluble_pct = {100 * coupon.insoluble:.3f}\ninsoluble_sd_pct = {100 * coupon.insoluble_sd:.3f}\n"
            f"residual_wt_pct = {coupon.residual_wt_pct:.3f}\n"
            f"residual_sd_wt_pct = {RESIDUAL_SD_WT_PCT + RESIDUAL_SHARE_SD * coupon.residual_wt_pct:.4f}\n"
            f"predry_residual_wt_pct = {PREDRY_WT_PCT}\npredry_sd_wt_pct = {PREDRY_SD_WT_PCT}\nfilm_um = {FILM_UM}\nassay = {ASSAY}\n"
        )
    return "\n".join(parts)


def settings(lot: int, forecast_s: float = 600.0, **equipment: Any) -> dict[str, Any]:
    """Return the ``settings`` section of a controller for virtual batches of resin lot ``lot``.

    ``forecast_s`` is the time between two forecasts: ten minutes, because nobody watches.
    """
    return {"equipment": equipment, "estimator": {**estimator(lot), "forecast_s": forecast_s}}
