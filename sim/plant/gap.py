"""The vapour in the gap between two turns: along the width to both open edges, quasi-steady, one row of nodes per layer.

The vapour crosses resting inert gas by diffusion and along the walls by Knudsen flow; where its pressure exceeds the chamber's it pushes
the inert gas out and flows viscously. With the potential psi(p) = integral of the conductivity (m2/s) over p,

    1 / ((1 - p/P)/D_m + 1/D_K)   below the chamber's pressure P (Stefan and Bosanquet), and   D_K + g^2 p/(12 mu)   above,

J = -(g/RT) dpsi/dx, so pure vapour obeys (g^2/24 mu)(pc^2 - pe^2) + (g v/3)(pc - pe) = N a^2 RT/(2 g) for uniform generation N over the
half width a, with D_K = g v/3. Resistances between the nodes' means are exact for uniform generation. Circulation adds a flow along the
width from zone 1 to zone 3. Slip is in D_K (Knudsen's limit; within 20 % in the transition range).
"""

from math import log, pi, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from controller.units import ATMOSPHERE_MBAR, PA_PER_MBAR, R_J_PER_MOL_K
from sim.plant.jit import compiled, part
from sim.plant.parameters import Parameters

Array = npt.NDArray[np.float64]
T_DIFFUSION_K = 473.15  # where the diffusivity in N2 is given
_ATMOSPHERE_PA = ATMOSPHERE_MBAR * PA_PER_MBAR
_GAP, _WIDTH, _EDGE, _MOL, _N2, _MU, _MU_N2, _FAN, _OPEN, _R, _PA = range(11)


class GapLaw(NamedTuple):
    """The numbers of one roll's gap as the kernel takes them (as an array, in this order)."""

    gap_m: float
    width_m: float
    edge_share: float  # of the width, each of the two edges
    solvent_kg_mol: float
    n2_vapour_m2_s: float
    vapour_pa_s: float
    gas_pa_s: float
    fan_pa: float
    tape_open: float
    gas_constant: float = R_J_PER_MOL_K
    atmosphere_pa: float = _ATMOSPHERE_PA

    @property
    def array(self) -> Array:
        """Return the numbers for the kernel."""
        return np.array(self, dtype=np.float64)


def law_of(p: Parameters, gap_m: float, width_m: float) -> GapLaw:
    """Return the law of a gap of ``gap_m`` between turns ``width_m`` wide."""
    return GapLaw(gap_m, width_m, p.edge_share, p.solvent_kg_mol, p.n2_vapour_m2_s, p.vapour_pa_s, p.gas_pa_s, p.fan_pa, p.tape_open)


@part
def potential(vapour_pa: float, total_pa: float, temp_k: float, law: Array) -> tuple[float, float]:
    """Return psi in Pa m2/s and its slope in m2/s at ``vapour_pa`` in a chamber at ``total_pa``."""
    knudsen = law[_GAP] / 3.0 * sqrt(8.0 * law[_R] * temp_k / (pi * law[_MOL]))
    n2_pa_m2_s = law[_N2] * (temp_k / T_DIFFUSION_K) ** 1.75 * law[_PA]  # D_m times pressure
    inner = 1.0 / knudsen
    outer = total_pa / n2_pa_m2_s
    if vapour_pa < total_pa:
        left = (1.0 - vapour_pa / total_pa) * outer + inner
        return n2_pa_m2_s * log((outer + inner) / left), 1.0 / left
    viscous = law[_GAP] * law[_GAP] / (12.0 * law[_MU])
    at_total = n2_pa_m2_s * log((outer + inner) / inner)
    over = vapour_pa - total_pa
    return at_total + over * (knudsen + 0.5 * viscous * (vapour_pa + total_pa)), knudsen + viscous * vapour_pa


@compiled("float64(float64[:, ::1], float64[::1], float64[::1], float64, float64, float64, float64[::1], float64[::1])")
def solve(response: Array, areas_m2: Array, temps_c: Array, outside_pa: float, inert_pa: float, fan: float, law: Array,
          gap_pa: Array) -> float:  # fmt: skip
    """Find ``gap_pa``, three nodes per layer (edge, middle, edge), and return the vapour that leaves the roll, kg/s.

    ``response``: each film's flux in kg/m2s as a - b p; ``areas_m2``: coated area of each node; ``outside_pa``: vapour in the chamber
    beside ``inert_pa``; ``fan`` 0-1. Newton on the concave balance, which converges from any start.
    """
    total_pa = outside_pa + inert_pa
    gap, width = law[_GAP], law[_WIDTH]
    edge, half = law[_EDGE] * width, (0.5 - law[_EDGE]) * width
    to_edge = half / 3.0 + 0.5 * edge + edge * edge / (6.0 * half)
    to_chamber = (0.5 * half * edge + edge * edge / 3.0) / (half + edge)
    swept_m_s = gap * gap * law[_FAN] * fan * (total_pa / law[_PA]) / (12.0 * law[_MU_N2] * width)
    leaving = 0.0
    for first in range(0, gap_pa.shape[0], 3):
        area = areas_m2[first] + areas_m2[first + 1] + areas_m2[first + 2]
        temp_k = temps_c[first + 1] + 273.15
        per_m = law[_OPEN] * law[_MOL] * gap / (law[_R] * temp_k) * area / width
        outer, inner = per_m / to_chamber, per_m / to_edge
        sweep = per_m * swept_m_s
        psi_out, _ = potential(outside_pa, total_pa, temp_k, law)
        flow = 0.0
        for _ in range(40):
            p0, p1, p2 = gap_pa[first], gap_pa[first + 1], gap_pa[first + 2]
            psi0, s0 = potential(p0, total_pa, temp_k, law)
            psi1, s1 = potential(p1, total_pa, temp_k, law)
            psi2, s2 = potential(p2, total_pa, temp_k, law)
            f0 = areas_m2[first] * (response[first, 0] - response[first, 1] * p0)
            f1 = areas_m2[first + 1] * (response[first + 1, 0] - response[first + 1, 1] * p1)
            f2 = areas_m2[first + 2] * (response[first + 2, 0] - response[first + 2, 1] * p2)
            r0 = f0 - outer * (psi0 - psi_out) - inner * (psi0 - psi1) + sweep * (outside_pa - p0)
            r1 = f1 - inner * (2.0 * psi1 - psi0 - psi2) + sweep * (p0 - p1)
            r2 = f2 - outer * (psi2 - psi_out) - inner * (psi2 - psi1) + sweep * (p1 - p2)
            d0 = areas_m2[first] * response[first, 1] + (outer + inner) * s0 + sweep
            d1 = areas_m2[first + 1] * response[first + 1, 1] + 2.0 * inner * s1 + sweep
            d2 = areas_m2[first + 2] * response[first + 2, 1] + (outer + inner) * s2 + sweep
            # tridiagonal: -lower x[i-1] + d x[i] - upper x[i+1] = r
            d1 -= (inner * s0 + sweep) * inner * s1 / d0
            r1 += (inner * s0 + sweep) * r0 / d0
            x2 = (r2 + (inner * s1 + sweep) * r1 / d1) / (d2 - (inner * s1 + sweep) * inner * s2 / d1)
            x1 = (r1 + inner * s2 * x2) / d1
            x0 = (r0 + inner * s1 * x1) / d0
            gap_pa[first], gap_pa[first + 1], gap_pa[first + 2] = max(0.0, p0 + x0), max(0.0, p1 + x1), max(0.0, p2 + x2)
            flow = (
                areas_m2[first] * (response[first, 0] - response[first, 1] * gap_pa[first])
                + areas_m2[first + 1] * (response[first + 1, 0] - response[first + 1, 1] * gap_pa[first + 1])
                + areas_m2[first + 2] * (response[first + 2, 0] - response[first + 2, 1] * gap_pa[first + 2])
            )
            if abs(x0) + abs(x1) + abs(x2) < 1e-9 * (1.0 + p0 + p1 + p2):
                break
        leaving += flow
    return leaving


@compiled("void(float64[:, ::1], float64[::1], float64[::1], float64, float64, float64, float64[::1], float64, float64, float64, float64, "
          "float64[::1])")  # fmt: skip
def balance(response: Array, areas_m2: Array, temps_c: Array, vapour_pa: float, inert_pa: float, fan: float, law: Array,
            pending_kg: float, period_s: float, kg_pa: float, loss_1_s: float, gap_pa: Array) -> None:  # fmt: skip
    """Find ``gap_pa`` with the chamber's vapour pressure at the end of the period (secant, at most a few turns).

    The chamber holds ``kg_pa`` of vapour per Pa, ``vapour_pa`` at the beginning, and loses the share ``loss_1_s`` of it; ``pending_kg`` is
    on its way to it already.
    """
    a_pa = vapour_pa
    a = solve(response, areas_m2, temps_c, a_pa, inert_pa, fan, law, gap_pa) + pending_kg / period_s - kg_pa * loss_1_s * a_pa
    b_pa = max(0.0, a_pa + a * period_s / kg_pa / (1.0 + loss_1_s * period_s))
    for _ in range(8):
        if abs(b_pa - a_pa) < 1e-4 * (1.0 + a_pa):
            return
        kept = kg_pa * ((b_pa - vapour_pa) / period_s + loss_1_s * b_pa)
        b = solve(response, areas_m2, temps_c, b_pa, inert_pa, fan, law, gap_pa) + pending_kg / period_s - kept
        if b == a:
            return
        c_pa = max(0.0, b_pa - b * (b_pa - a_pa) / (b - a))
        a_pa, a, b_pa = b_pa, b, c_pa
