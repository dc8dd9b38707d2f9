"""The wound roll as a chain of rings from the core to the outer turns, and the edge zone: the edges of the outermost ring.

Any number of rings of any depth. The end faces heat each ring directly, those of the outermost one heat the edge zone, which hands it on
along the copper. Conductances are per conductivity where the gas in the gap or a member decides it. Those between rings lie between the
rings' mean temperatures while the whole roll warms at one rate: then a few thick rings are as warm as many thin ones.
"""

from math import pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator.model import LoadState
from controller.estimator.parameters import value

Array = NDArray[np.float64]

EDGE_SHARE = 0.2  # [assume] of the outermost ring's width, both sides together
_REFERENCE_PITCH = (18e-6 + 20e-6 + 100e-6) / 100e-6  # turn per gap for which the conductivities were computed


class Winding(NamedTuple):
    """Geometry and heat of a roll; the edge zone is the last position."""

    area_m2: float  # of film
    share: Array  # (positions,) of the film
    capacity_j_k: Array  # (positions,)
    rings_m: Array  # (positions - 2,) conductance between neighbouring rings per radial conductivity
    axial_w_k: Array  # (positions - 1,) between a ring and the edge zone: only the outermost has one
    open_m2: Array  # (positions,) area that sees the wall: openings of the core, end faces
    fin_m2_k_w: float  # of the copper between an end face and the middle of the width, which warm at one rate
    skin_m2: float  # area of the outermost ring
    skin_m: float  # conductance from its mean temperature to its surface per radial conductivity
    pitch_scale: float  # radial conductivity of this turn against the one of the parameters


def winding_of(load: LoadState, depths: tuple[float, ...]) -> Winding:
    """Return the winding of ``load`` in rings of ``depths``, shares of its thickness from the core outwards, and an edge zone."""
    film, foil, gap = load.film_um * 1e-6, load.foil_um * 1e-6, load.gap_um * 1e-6
    pitch, bore = film + foil + gap, load.core_mm / 2e3
    rim = sqrt(bore**2 + load.length_m * pitch / pi)
    radii = bore + (rim - bore) * np.append(0.0, np.cumsum(depths)) / sum(depths)
    ring_m2 = pi * np.diff(radii**2)
    share = np.append(ring_m2, EDGE_SHARE * ring_m2[-1]) / ring_m2.sum()
    share[-2] -= share[-1]
    areal = foil * value("copper_density") * value("copper_heat") + film * 1e3 * value("polymer_density") * value("polymer_heat")
    area = load.length_m * load.width_m
    core_j_k = 2 * pi * bore * load.width_m * value("core_heat_per_area")
    between_m = load.width_m * _conductances(radii, core_j_k / (areal * area) * ring_m2.sum())
    capacity = areal * area * share
    capacity[0] += core_j_k
    axial = np.zeros(len(depths))
    axial[-1] = 2 * value("copper_conductivity") * foil / pitch * ring_m2[-1] / (EDGE_SHARE / 2 * load.width_m)
    open_m2 = np.append(2 * ring_m2, 2 * ring_m2[-1])
    open_m2[-2] = 0.0
    open_m2[0] += 2 * pi * bore**2 * value("bore_view")
    return Winding(
        area_m2=area,
        share=share,
        capacity_j_k=capacity,
        rings_m=between_m[:-1],
        axial_w_k=axial,
        open_m2=open_m2,
        fin_m2_k_w=load.width_m / 4 * pitch / (value("copper_conductivity") * foil),
        skin_m2=2 * pi * rim * load.width_m,
        skin_m=float(between_m[-1]),
        pitch_scale=pitch / gap / _REFERENCE_PITCH,
    )


def _conductances(radii: Array, core_m2: float) -> Array:
    """Return the conductances between the means of the rings and, last, to the surface, per conductivity and width, (rings,).

    With one rate of warming everywhere the heat that passes a radius is what lies within it; ``core_m2`` is the cross-section of winding
    that holds as much heat as the core. From that flow the temperature follows in closed form, the rings' means by Gauss's rule in r2.
    """
    bore = radii[0]

    def inside_m2(radius: Array) -> Array:
        return np.asarray(core_m2 + pi * (radius**2 - bore**2))

    def warmer(radius: Array) -> Array:  # than the core, times conductivity over rate and heat per volume
        return np.asarray((core_m2 - pi * bore**2) / (2 * pi) * np.log(radius / bore) + (radius**2 - bore**2) / 4)

    points, weights = np.polynomial.legendre.leggauss(8)
    squares = (radii[1:, None] ** 2 + radii[:-1, None] ** 2) / 2 + points * (radii[1:, None] ** 2 - radii[:-1, None] ** 2) / 2
    means = warmer(np.sqrt(squares)) @ weights / 2
    ring_m2 = inside_m2(radii[1]) - core_m2
    means[0] *= ring_m2 / (ring_m2 + core_m2)  # the core, which this is reckoned from, is part of the first ring
    found: Array = inside_m2(radii[1:]) / np.append(np.diff(means), warmer(radii[-1]) - means[-1])
    return found
