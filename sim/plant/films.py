"""The films of a roll: state, their slow clock, and the vapour on its way through the gaps.

Chemistry is slow against a scan. Every ``PERIOD_S`` the films are advanced over the period to come; what leaves them in it stays on its way
through the gaps (``pending``) and reaches chamber and heat balance evenly, so that film + way + gas is constant in every step.
"""

from math import sqrt

import numpy as np
import numpy.typing as npt

from sim.plant import cure, film_kernel, gap
from sim.plant.cure import gel_fraction
from sim.plant.parameters import Parameters
from sim.plant.roll import Roll

Array = npt.NDArray[np.float64]
PERIOD_S = 10.0  # of the films' clock
CELLS = 10  # over the thickness, finer towards the free face
_FINER = 0.78  # thickness of a cell over that of its neighbour towards the foil
_EPS_S = 1e-6


def graded(cells: int, finer: float = _FINER) -> Array:
    """Return shares of the thickness for ``cells`` cells from the foil to the face; their sum is 1."""
    shares = finer ** np.arange(cells)
    return np.asarray(shares / shares.sum())


def sites(p: Parameters, residual_wt_pct: float) -> tuple[float, float]:
    """Return free and bound solvent in kg/kg, in equilibrium: free + capacity free/(free + half) = total."""
    total = residual_wt_pct / (100.0 - residual_wt_pct)
    b = p.bound_half + p.bound_capacity - total
    free = 0.5 * (-b + sqrt(b * b + 4.0 * total * p.bound_half))
    return free, total - free


class Film:
    """What one node's film is like now: means over its thickness, kg/kg of dry polymer (``free``, ``bound``)."""

    __slots__ = ("_at", "_films", "area_m2", "polymer_kg")

    def __init__(self, films: "Films", at: int) -> None:
        """Show film ``at`` of ``films``."""
        self._films, self._at = films, at
        self.area_m2, self.polymer_kg = float(films.areas_m2[at]), float(films.polymer_kg[at])

    @property
    def free(self) -> float:
        """Return the free solvent, kg/kg."""
        return float((self._films.free @ self._films.cells)[self._at])

    @property
    def bound(self) -> float:
        """Return the bound solvent, kg/kg."""
        return float((self._films.bound @ self._films.cells)[self._at])

    @property
    def delta(self) -> float:
        """Return the crosslinked units per primary chain."""
        return float(self._films.deltas[self._at])

    @property
    def solvent_kg(self) -> float:
        """Return the solvent in the film, kg."""
        return (self.free + self.bound) * self.polymer_kg

    @property
    def residual(self) -> float:
        """Return the weight fraction of solvent in the film."""
        wet = self.free + self.bound
        return wet / (1.0 + wet)

    @property
    def insoluble(self) -> float:
        """Return the insoluble (gel) fraction."""
        return gel_fraction(self.delta, self._films.parameters.pdi, self._films.parameters.scission)


class Films:
    """All films of one roll; ``wettest``, ``vapour_kg_s``, ``gas_mol_s`` and ``latent_w`` hold until the next turn of the clock."""

    def __init__(self, parameters: Parameters, roll: Roll, shares: list[float], cells: int = CELLS) -> None:
        """Wet ``roll``'s film, cut by ``shares``, with its residual solvent; sites in equilibrium with the free part."""
        p = self.parameters = parameters
        self._film_law, self._cure_law = film_kernel.law_of(p).array, cure.law_of(p).array
        self._gap_law = gap.law_of(p, roll.gap_um * 1e-6, roll.width_m).array
        self._thick_m, self.cells = roll.film_um * 1e-6, graded(cells)
        n = len(shares)
        self.areas_m2 = roll.area_m2 * np.array(shares)
        self.polymer_kg = self.areas_m2 * self._thick_m * p.film_kg_m3
        free, bound = sites(p, roll.residual_wt_pct)
        self.free, self.bound = np.full((n, cells), free), np.full((n, cells), bound)
        self.deltas = np.full(n, p.delta_start)
        self._ratio, self._part, self._face, self._response = (np.zeros((n, k)) for k in (cells, cells, 2, 2))
        self.gap_pa, self._gains, self.latent_w = np.zeros(n), np.zeros(n), np.zeros(n)
        self.latent_total_w, self.vapour_kg_s, self.gas_mol_s, self.pending_kg, self._left_s = 0.0, 0.0, 0.0, 0.0, 0.0
        self.views = [Film(self, at) for at in range(n)]
        self.wettest = free + bound  # solvent in the wettest film, kg per kg of dry polymer

    @property
    def solvent_kg(self) -> float:
        """Return the solvent in the films and on its way through the gaps, kg."""
        return float(self.polymer_kg @ ((self.free + self.bound) @ self.cells)) + self.pending_kg

    def due(self, dt_s: float) -> bool:
        """Return whether a step of ``dt_s`` needs a new turn of the clock first."""
        return self._left_s < dt_s - _EPS_S

    def turn(self, dt_s: float, temps_c: Array, inert_pa: float, vapour_pa: float, fan: float, kg_pa: float, loss_1_s: float) -> None:
        """Advance the films over the coming period, a whole number of ``dt_s``.

        The chamber takes part implicitly, or films in equilibrium with little gas would swing: it holds ``kg_pa`` of vapour per Pa and
        loses the share ``loss_1_s`` of it.
        """
        period_s = max(1.0, float(round(PERIOD_S / dt_s))) * dt_s
        film_kernel.prepare(
            self.free, self.bound, temps_c, period_s, self.cells, self._thick_m, self._film_law, self._ratio, self._part, self._face,
            self._response,
        )  # fmt: skip
        gap.balance(
            self._response, self.areas_m2, temps_c, vapour_pa, inert_pa, fan, self._gap_law, self.pending_kg, period_s, kg_pa, loss_1_s,
            self.gap_pa,
        )  # fmt: skip
        film_kernel.finish(self.free, self._ratio, self._part, self._face, self.gap_pa)
        cure.advance(self.deltas, self.free, self.bound, self.cells, temps_c, period_s, self._cure_law, self._gains)
        self.latent_total_w, self.wettest, cured_kg = film_kernel.sums(
            self._response, self.gap_pa, self.areas_m2, self.parameters.solvent_j_kg, self.free, self.bound, self.cells, self._gains,
            self.polymer_kg, self.latent_w,
        )  # fmt: skip
        left_kg = self.latent_total_w / self.parameters.solvent_j_kg * period_s
        self.pending_kg += left_kg
        self.vapour_kg_s = self.pending_kg / period_s
        self.gas_mol_s = self.parameters.cure_gas_mol_kg * cured_kg / period_s
        self._left_s = period_s

    def deliver(self, dt_s: float, room_kg: float) -> tuple[float, float]:
        """Return vapour in kg and curing gas in mol that reach the chamber in ``dt_s``; vapour taken up is at most ``room_kg``."""
        self._left_s -= dt_s
        kg = max(self.vapour_kg_s * dt_s, -room_kg)
        self.pending_kg -= kg
        return kg, self.gas_mol_s * dt_s
