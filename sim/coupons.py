"""The virtual laboratory: coupons of a resin lot, and what extraction and weighing say about them.

Two sources: ``ladder`` treats pieces of coated foil in a laboratory oven (dry N2, nothing wound, the film at the oven's temperature),
``cut`` takes pieces from a finished batch. Both look at the plant's own films; a reading has the laboratory's noise, and the
same seed gives the same readings.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np

from sim.plant import cure, film_kernel
from sim.plant.cure import gel_fraction
from sim.plant.films import CELLS, graded, sites
from sim.plant.history import PLACES
from sim.plant.parameters import Parameters, draw_lot
from sim.plant.plant import Plant

INSOLUBLE_SD: Final = 0.015  # of one extraction, weight fraction absolute [assume: weighing 20 mg of film to 0.1 mg, twice, and losses]
RESIDUAL_SD_WT_PCT: Final = 0.05  # of one residual solvent by weight loss, and 3 % of the value [assume]
RESIDUAL_SHARE_SD: Final = 0.03
ASSAY: Final = "NMP extraction, 100 degC, 2 h, 1 g/l; weighed after 1 h at 200 degC in vacuum"  # [assume] each site has its own
FILM_UM, PREDRY_WT_PCT = 20.0, 18.0  # what the coating line delivers to the ladder
MAX_C, MAX_H = 320.0, 200.0
_STEP_S = 10.0


@dataclass(frozen=True, slots=True)
class Coupon:
    """One coupon: what happened to it (s, degC; linear between), where it comes from, what the laboratory found."""

    times_s: tuple[float, ...]
    temps_c: tuple[float, ...]
    position: str
    insoluble: float  # weight fraction
    insoluble_sd: float
    residual_wt_pct: float
    assay: str = ASSAY


def ladder(lot_seed: int, steps: Sequence[tuple[float, float]], seed: int) -> list[Coupon]:
    """Return one coupon per step of a ladder, taken out after it; ``steps`` are (degC, hours), one after the other.

    The coupons of ``[(240, 1), (240, 1)]`` have had 1 and 2 h. Raises ValueError for a temperature outside 20-320 degC or a time outside
    0-200 h.
    """
    for temp_c, hours in steps:
        if not (isfinite(temp_c) and 20.0 <= temp_c <= MAX_C):
            raise ValueError(f"ladder temperature = {temp_c}: must be 20 to {MAX_C:g} degC")
        if not (isfinite(hours) and 0.0 < hours <= MAX_H):
            raise ValueError(f"ladder time = {hours}: must be above 0 and at most {MAX_H:g} h")
    piece, lab = _Piece(draw_lot(lot_seed)), random.Random(f"ladder {lot_seed} {seed}")
    coupons, times_s, temps_c = [], [], []
    at_s = 0.0
    for temp_c, hours in steps:
        times_s += [at_s, at_s + 3600.0 * hours]
        temps_c += [temp_c, temp_c]
        piece.treat(temp_c, 3600.0 * hours)
        at_s += 3600.0 * hours
        coupons.append(_read(tuple(times_s), tuple(temps_c), "ladder", piece.insoluble, piece.residual, lab))
    return coupons


def cut(plant: Plant, positions: Sequence[str], seed: int) -> list[Coupon]:
    """Return coupons cut from the roll in ``plant`` at ``positions``; ValueError for an empty oven or a position that is not there."""
    if not plant.films:
        raise ValueError("no roll to cut coupons from")
    if unknown := [position for position in positions if position not in PLACES]:
        raise ValueError(f"position = {unknown[0]!r}: must be one of {', '.join(PLACES)}")
    lab, times_s = random.Random(f"cut {seed}"), tuple(plant.history.times_s)
    coupons = []
    for position in positions:
        film, temps_c = plant.films[PLACES[position]], tuple(plant.history.temps_c[position])
        coupons.append(_read(times_s, temps_c, position, film.insoluble, film.residual, lab))
    return coupons


def _read(times_s: tuple[float, ...], temps_c: tuple[float, ...], position: str, insoluble: float, residual: float,
          lab: random.Random) -> Coupon:  # fmt: skip
    """Let the laboratory look: an extraction can find a little less than nothing lost, but reports 0 to 1."""
    found = min(1.0, max(0.0, insoluble + lab.gauss(0.0, INSOLUBLE_SD)))
    wt_pct = 100.0 * residual
    wt_pct = max(0.0, wt_pct + lab.gauss(0.0, RESIDUAL_SD_WT_PCT + RESIDUAL_SHARE_SD * wt_pct))
    return Coupon(times_s, temps_c, position, found, INSOLUBLE_SD, wt_pct)


class _Piece:
    """A piece of coated foil in dry N2."""

    def __init__(self, parameters: Parameters) -> None:
        """Take it as the coating line delivers it."""
        self._p = p = parameters
        self._film_law, self._cure_law = film_kernel.law_of(p).array, cure.law_of(p).array
        self._cells = graded(CELLS)
        free, bound = sites(p, PREDRY_WT_PCT)
        self._free, self._bound = np.full((1, CELLS), free), np.full((1, CELLS), bound)
        self._delta, self._gains, self._none_pa = np.full(1, p.delta_start), np.zeros(1), np.zeros(1)
        self._work = tuple(np.zeros((1, columns)) for columns in (CELLS, CELLS, 2, 2))

    def treat(self, temp_c: float, seconds: float) -> None:
        """Hold the piece at ``temp_c``."""
        turns = max(1, round(seconds / _STEP_S))
        temps_c, dt_s = np.full(1, float(temp_c)), seconds / turns
        ratio, part, face, response = self._work
        for _ in range(turns):
            film_kernel.prepare(
                self._free, self._bound, temps_c, dt_s, self._cells, FILM_UM * 1e-6, self._film_law, ratio, part, face, response
            )
            film_kernel.finish(self._free, ratio, part, face, self._none_pa)
            cure.advance(self._delta, self._free, self._bound, self._cells, temps_c, dt_s, self._cure_law, self._gains)

    @property
    def insoluble(self) -> float:
        """Return the insoluble weight fraction."""
        return gel_fraction(float(self._delta[0]), self._p.pdi, self._p.scission)

    @property
    def residual(self) -> float:
        """Return the weight fraction of solvent."""
        wet = float((self._free + self._bound)[0] @ self._cells)
        return wet / (1.0 + wet)
