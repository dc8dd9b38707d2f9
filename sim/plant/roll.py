"""The roll in the oven: its geometry and its heat, in layers from the winding core outwards and three nodes over the width.

Conduction between turns depends on gas pressure, tape and winding tension; along the width the copper conducts. End faces and outer turn
see the walls by radiation and convection. The layers are thinnest outside, where the temperature is steepest; the shares of the three nodes
over the width are those of Simpson's rule, which makes them the two end faces and the middle.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import log, pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.plant import roll_kernel
from sim.plant.parameters import Parameters

DEPTHS = (0.15, 0.25, 0.25, 0.10, 0.15, 0.05, 0.05)  # shares of the winding's thickness, from the winding core outwards
LAYERS = len(DEPTHS)
ACROSS = 3  # edge at zone 1, middle, edge at zone 3
NODES = LAYERS * ACROSS  # film nodes, layer after layer
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Roll:
    """What the operator loads."""

    length_m: float = 20.0
    width_m: float = 0.5
    film_um: float = 20.0
    foil_um: float = 18.0
    gap_um: float = 100.0  # between two turns, held open by the tape
    tape_mm: float = 10.0  # width of the spacer tape along each edge
    core_mm: float = 150.0  # outer diameter of the winding core
    residual_wt_pct: float = 20.0  # solvent left by the predry

    @property
    def area_m2(self) -> float:
        """Return the coated area, m2: the borders under the tape stay bare."""
        return self.length_m * max(0.0, self.width_m - 2e-3 * self.tape_mm)

    @property
    def outer_m(self) -> float:
        """Return the outer radius, m."""
        core_m = 0.5e-3 * self.core_mm
        pitch_m = (self.film_um + self.foil_um + self.gap_um) * 1e-6
        return sqrt(core_m * core_m + self.length_m * pitch_m / pi)


class RollHeat:
    """Temperatures of the roll, degC: ``temps_c`` [row, column], row 0 is the winding core; mirror-symmetric exchange, implicit in time."""

    __slots__ = ("_axial_w_k", "_capacity", "_contact_w_k", "_ends_m2", "_ends_w_k", "_law", "_radial_m", "_radial_w_k", "_side_m2",
                 "_skin_w_k", "film_c", "shares", "surface_c", "temps_c")  # fmt: skip

    def __init__(self, parameters: Parameters, roll: Roll, temp_c: float) -> None:
        """Cut ``roll`` into layers, all at ``temp_c``."""
        p = parameters
        core_m, outer_m = 0.5e-3 * roll.core_mm, roll.outer_m
        depths = np.cumsum((0.0, *DEPTHS))
        radii = core_m + (outer_m - core_m) * depths
        middle = 0.5 * (radii[1:] + radii[:-1])
        rings_m2 = pi * (radii[1:] ** 2 - radii[:-1] ** 2)
        columns = np.array([p.edge_share, 1.0 - 2.0 * p.edge_share, p.edge_share])
        heat_m2 = roll.foil_um * 1e-6 * p.foil_kg_m3 * p.foil_j_kg_k + roll.film_um * 1e-6 * p.film_kg_m3 * p.film_j_kg_k
        shares = np.outer(rings_m2 / rings_m2.sum(), columns)
        core_j_k = p.core_j_m2_k * pi * 2.0 * core_m * roll.width_m
        self.shares: list[float] = shares.ravel().tolist()
        self._capacity = np.ascontiguousarray(np.vstack([core_j_k * columns, roll.length_m * roll.width_m * heat_m2 * shares]))
        between = [2.0 * pi * roll.width_m / log(b / a) for a, b in pairwise([core_m, *middle, outer_m])]
        self._radial_m = np.outer(between, columns)
        taped = (1.0 - columns[1] * p.tape_middle) / (1.0 - columns[1])
        tight = p.k_radial_tape * (1.0 + 0.5 * p.tension * (1.0 - 2.0 * depths))
        self._contact_w_k = self._radial_m * np.outer(tight, [taped, p.tape_middle, taped])
        foil = roll.foil_um / (roll.foil_um + roll.film_um + roll.gap_um)
        apart_m = roll.width_m / (4.0 - 8.0 * p.edge_share)  # so that an end leads the middle by q W / 4 k, as a fin's does
        self._axial_w_k = np.array([p.core_w_k * pi * 2.0 * core_m, *(p.foil_w_m_k * foil * rings_m2)]) / apart_m
        self._ends_m2 = np.array([0.0, *rings_m2])
        self._side_m2 = 2.0 * pi * outer_m * roll.width_m
        gap = max(roll.gap_um, 20.0) / p.k_ref_gap_um
        self._law = np.array([
            p.emissivity, p.h_rest_w_m2_k, p.h_natural_w_m2_k, p.h_fan_w_m2_k, p.ambient_mbar, p.k_radial_n2 - p.k_radial_tape,
            p.k_half_mbar / gap, p.edge_share, p.mandrel_w_k,
        ])  # fmt: skip
        self.temps_c: Array = np.full((LAYERS + 1, ACROSS), temp_c)
        self.surface_c: Array = np.full(ACROSS, temp_c)  # of the outermost turn
        self.film_c: Array = self.temps_c[1:].reshape(-1)  # a view: the film nodes, layer after layer
        self._radial_w_k, self._ends_w_k = np.zeros((LAYERS + 1, ACROSS)), np.zeros(LAYERS + 1)
        self._skin_w_k = np.zeros(ACROSS)

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        """Take over what a copy was made from; its films look at its own temperatures."""
        for name, value in state[1].items():
            setattr(self, name, value)
        self.film_c = self.temps_c[1:].reshape(-1)

    def conduct(self, wall_c: float, pressure_mbar: float, fan: float) -> None:
        """Find the conductances for this pressure and temperature; they change slowly, so not in every step."""
        roll_kernel.conduct(
            self.surface_c[1], self._radial_m, self._contact_w_k, self._ends_m2, self._side_m2, wall_c, pressure_mbar, fan, self._law,
            self._radial_w_k, self._ends_w_k, self._skin_w_k,
        )  # fmt: skip

    def step(self, dt_s: float, walls_c: Array, latent_w: Array, walls_w: Array) -> None:
        """Advance by ``dt_s``; ``latent_w`` is what evaporation takes from each film node. ``walls_w`` is then what each zone received."""
        roll_kernel.step(
            self.temps_c, self.surface_c, self._capacity, self._radial_w_k, self._axial_w_k, self._ends_w_k, self._skin_w_k, latent_w,
            walls_c, dt_s, walls_w,
        )  # fmt: skip

    @property
    def heat_j(self) -> float:
        """Return the heat stored above 0 degC, J."""
        return float((self._capacity * self.temps_c).sum())
