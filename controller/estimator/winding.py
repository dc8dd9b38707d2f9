"""The wound roll: rings from the core tube to the outer turns, and the edge zone, which is the film at the end of the outermost ring.

Any number of rings of any depth. The wall heats every ring through its end faces, the outermost one through its skin as well, and the tube
through its bore. Conductances are per conductivity where the gas in the gap or a member decides it. Those between rings lie between the
rings' mean temperatures while the whole roll warms at one rate: then a few thick rings are as warm as many thin ones.
"""

from collections.abc import Callable
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
    """Geometry and heat of a roll; the edge zone is the last film, the core tube the last node of the heat."""

    area_m2: float  # of film
    share: Array  # (positions,) of the film
    capacity_j_k: Array  # (positions,) of the rings and the tube
    rings_m: Array  # (positions - 2,) conductance between neighbouring rings per radial conductivity
    tube_m: float  # conductance from the tube to the innermost ring's mean temperature per radial conductivity
    bore_w_k: float  # conductance from the wall to the tube
    tube_k_w: float  # from an end of the tube to its mean, which warm at one rate
    ends_m2: Array  # (positions - 1,) both end faces of a ring
    fin_m2_k_w: float  # of the copper between an end face and the mean of the width, which warm at one rate
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
    between_m = load.width_m * _conductances(radii)
    return Winding(
        area_m2=area,
        share=share,
        capacity_j_k=np.append(areal * area * ring_m2 / ring_m2.sum(), core_j_k),
        rings_m=between_m[:-1],
        tube_m=load.width_m * _from_tube(radii),
        bore_w_k=value("external_h") * value("bore_view") * 2 * pi * bore**2,
        tube_k_w=load.width_m / 6 / (2 * pi * bore * value("core_conductance")),
        ends_m2=2 * ring_m2,
        fin_m2_k_w=load.width_m / 6 * pitch / (value("copper_conductivity") * foil),
        skin_m2=2 * pi * rim * load.width_m,
        skin_m=float(between_m[-1]),
        pitch_scale=pitch / gap / _REFERENCE_PITCH,
    )


def _conductances(radii: Array) -> Array:
    """Return the conductances between the means of the rings and, last, to the surface, per conductivity and width, (rings,).

    With one rate of warming everywhere the heat that passes a radius is what lies within it, the tube apart, which has a wall of its own.
    From that flow the temperature follows in closed form.
    """
    bore = radii[0]

    def warmer(radius: Array) -> Array:  # than the bore, times conductivity over rate and heat per volume
        return np.asarray((radius**2 - bore**2) / 4 - bore**2 / 2 * np.log(radius / bore))

    means = _means(radii, warmer)
    return np.asarray(pi * (radii[1:] ** 2 - bore**2) / np.append(np.diff(means), warmer(radii[-1]) - means[-1]))


def _from_tube(radii: Array) -> float:
    """Return the conductance from the tube to the innermost ring's mean, whose heat comes from there and warms it evenly, the same way."""
    bore, rim = radii[:2]

    def colder(radius: Array) -> Array:  # than the bore, times conductivity over the flow per angle and width
        return np.asarray((rim**2 * np.log(radius / bore) - (radius**2 - bore**2) / 2) / (rim**2 - bore**2))

    return float(2 * pi / _means(radii[:2], colder)[0])


def _means(radii: Array, of: Callable[[Array], Array]) -> Array:
    """Return the rings' means of a function of the radius, by Gauss's rule in the square of the radius."""
    points, weights = np.polynomial.legendre.leggauss(8)
    squares = (radii[1:, None] ** 2 + radii[:-1, None] ** 2) / 2 + points * (radii[1:, None] ** 2 - radii[:-1, None] ** 2) / 2
    return np.asarray(of(np.sqrt(squares)) @ weights / 2)
