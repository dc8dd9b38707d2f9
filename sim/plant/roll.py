"""The roll in the oven: its geometry and its heat, in four radial layers, the edges and the winding core.

Conduction between turns depends on the gas pressure in the gap, the end faces and the outer turn see the walls by radiation and convection.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import log, pi, sqrt

from sim.plant.parameters import Parameters

LAYERS = 4  # from the winding core outwards
EDGE = 4  # index of the roll's edges
CORE = 5  # index of the winding core
_FASTEST_S = 8.0  # no conductance may equalise a node faster, so that steps up to 2 s stay stable
_SIGMA = 5.670374e-8  # W/m2K4


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
    """Temperatures of the roll's nodes, degC: ``LAYERS`` layers, ``EDGE``, ``CORE``; explicit in time, mirror-symmetric exchange."""

    __slots__ = ("_axial_k", "_capacity", "_coupling", "_cross", "_edge_k", "_ends", "_ends_m2", "_outer_k", "_p", "_radial_1_m",
                 "_roll", "_side_m2", "shares", "temps_c", "walls_w")  # fmt: skip

    def __init__(self, parameters: Parameters, roll: Roll, temp_c: float) -> None:
        """Cut ``roll`` into layers of equal thickness, all at ``temp_c``."""
        p = parameters
        self._p, self._roll = p, roll
        core_m, outer_m = 0.5e-3 * roll.core_mm, roll.outer_m
        radii = [core_m + (outer_m - core_m) * i / LAYERS for i in range(LAYERS + 1)]
        middle = [0.5 * (a + b) for a, b in pairwise(radii)]
        rings = [pi * (b * b - a * a) for a, b in pairwise(radii)]
        heat_m2 = roll.foil_um * 1e-6 * p.foil_kg_m3 * p.foil_j_kg_k + roll.film_um * 1e-6 * p.film_kg_m3 * p.film_j_kg_k
        total_j_k = roll.length_m * roll.width_m * heat_m2
        self.shares = (*((1.0 - p.edge_share) * ring / sum(rings) for ring in rings), p.edge_share)
        self._capacity = [*(total_j_k * share for share in self.shares), p.core_j_m2_k * pi * 2.0 * core_m * roll.width_m]
        self._ends_m2 = [2.0 * ring for ring in rings]
        self._side_m2 = 2.0 * pi * outer_m * roll.width_m
        foil = roll.foil_um / (roll.foil_um + roll.film_um + roll.gap_um)
        self._axial_k = [4.0 * p.foil_w_m_k * foil * ends_m2 / roll.width_m for ends_m2 in self._ends_m2]  # from a quarter of the width
        inner = [core_m, *middle]
        self._radial_1_m = [2.0 * pi * roll.width_m / log(b / a) for a, b in zip(inner, middle, strict=False)]
        self.temps_c = [temp_c] * (CORE + 1)
        self.walls_w = [0.0, 0.0, 0.0]
        self._ends, self._edge_k, self._outer_k = [0.0] * LAYERS, 0.0, 0.0
        self._coupling, self._cross = [0.0] * LAYERS, [0.0] * LAYERS

    def conduct(self, walls_c: list[float], pressure_mbar: float, fan: float) -> None:
        """Find the conductances for this pressure and temperature; they change slowly, so not in every step."""
        p, t, c = self._p, self.temps_c, self._capacity
        wall_k, roll_k = walls_c[1] + 273.15, t[LAYERS - 1] + 273.15
        h = p.emissivity * _SIGMA * (wall_k * wall_k + roll_k * roll_k) * (wall_k + roll_k)
        h += p.h_rest_w_m2_k * pressure_mbar / (pressure_mbar + 0.1)
        x = pressure_mbar / p.ambient_mbar
        h += p.h_natural_w_m2_k * sqrt(x) + p.h_fan_w_m2_k * fan * x
        gap = self._roll.gap_um / p.k_ref_gap_um if self._roll.gap_um > 20.0 else 0.2
        k = p.k_radial_tape + (p.k_radial_n2 - p.k_radial_tape) * pressure_mbar / (pressure_mbar + p.k_half_mbar / gap)
        for i in range(LAYERS):
            self._ends[i] = min(0.5 * h * self._ends_m2[i], c[i] / _FASTEST_S)
            self._coupling[i] = min(k * self._radial_1_m[i], 0.4 * min(c[i], c[i - 1] if i else c[CORE]) / _FASTEST_S)
        self._edge_k = min(0.5 * h * sum(self._ends_m2), c[EDGE] / (2.0 * _FASTEST_S))
        # The edges hang on each layer by its copper; held to half the radial conduction, or they would short-circuit the layers. A small
        # roll's edges are too light for all of it; both directions use the same number, so no heat is lost.
        wanted = [
            p.edge_coupling * end + min(axial, 0.5 * k * radial)
            for end, axial, radial in zip(self._ends, self._axial_k, self._radial_1_m, strict=True)
        ]
        share = min(1.0, c[EDGE] / (2.0 * _FASTEST_S) / sum(wanted))
        self._cross = [share * w for w in wanted]
        self._outer_k = min(h * self._side_m2, c[LAYERS - 1] / _FASTEST_S)

    def step(self, dt_s: float, walls_c: list[float], latent_w: list[float]) -> None:
        """Advance by ``dt_s``; ``latent_w`` is what evaporation takes from each film node. ``walls_w`` is then what each zone received."""
        t0, t1, t2, t3, te, tc = self.temps_c
        w1, w2, w3 = walls_c
        ends_c = 0.5 * (w1 + w3)
        e0, e1, e2, e3 = self._ends
        k0, k1, k2, k3 = self._coupling
        # edges: to the walls, and to the layers through the copper
        k_0, k_1, k_2, k_3 = self._cross
        x0, x1, x2, x3 = k_0 * (te - t0), k_1 * (te - t1), k_2 * (te - t2), k_3 * (te - t3)
        q_core, q01, q12, q23 = k0 * (tc - t0), k1 * (t0 - t1), k2 * (t1 - t2), k3 * (t2 - t3)
        n0, n1, n2, n3 = e0 * (ends_c - t0), e1 * (ends_c - t1), e2 * (ends_c - t2), e3 * (ends_c - t3)
        n_edge, n_side, n_core = self._edge_k * (ends_c - te), self._outer_k * (w2 - t3), self._p.mandrel_w_k * (ends_c - tc)
        l0, l1, l2, l3, le = latent_w
        c0, c1, c2, c3, ce, cc = self._capacity
        self.temps_c = [
            t0 + dt_s * (n0 + x0 + q_core - q01 - l0) / c0,
            t1 + dt_s * (n1 + x1 + q01 - q12 - l1) / c1,
            t2 + dt_s * (n2 + x2 + q12 - q23 - l2) / c2,
            t3 + dt_s * (n3 + x3 + q23 + n_side - l3) / c3,
            te + dt_s * (n_edge - x0 - x1 - x2 - x3 - le) / ce,
            tc + dt_s * (n_core - q_core) / cc,
        ]
        half_w = -0.5 * (n0 + n1 + n2 + n3 + n_edge + n_core)
        self.walls_w = [half_w, -n_side, half_w]

    @property
    def heat_j(self) -> float:
        """Return the heat stored above 0 degC, J."""
        return sum(c * t for c, t in zip(self._capacity, self.temps_c, strict=True))
