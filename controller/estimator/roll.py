"""The roll's temperature: wall -> outer turns -> middle -> core, and the edge zone that heats all three along the copper.

Four nodes per member, backward Euler (energy is kept, any step is stable). The radial conductivity depends on the gas in the gap; the axial
one is the copper's and is a thousand times larger, so that wide rolls heat through their faces. GOOD load thermocouples correct the nodes
on which they sit.
"""

from math import exp, log, pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator.model import CORE, EDGE, OUTER, LoadState
from controller.estimator.parameters import value
from controller.image import Inputs
from controller.units import kelvin

Array = NDArray[np.float64]

_EDGE_SHARE = 0.2  # [assume] of the width, both sides together
_REFERENCE_PITCH = (18e-6 + 20e-6 + 100e-6) / 100e-6  # turn per gap for which the conductivities were computed
_OBSERVER_S = 120.0  # [assume] time in which a load thermocouple is believed
_PLAUSIBLE_K = 25.0  # a thermocouple further than this outside every member and the wall has come off


class Roll(NamedTuple):
    """Heat capacities in J/K, geometry and the members' conductances in W/K."""

    capacity: Array  # (zones, 1)
    share: Array  # of the film in each zone, (zones, 1)
    area_m2: float  # of film
    k_vacuum: Array  # radial conductivity in W/m.K, (members,)
    k_gas: Array
    half_pressure_pa: float
    h: Array  # wall to roll in W/m2.K at 200 degC and 1 atm, (members,)
    skin_m2: float
    face_m2: float
    bore_m2: float  # as far as it sees the wall
    outer_per_k: float  # conductance per conductivity, m
    wall_per_k: float
    inner_per_k: float
    axial: tuple[float, float, float]  # edge to outer, middle, core


def roll_of(load: LoadState, k_vacuum: Array, k_nitrogen: Array, h: Array) -> Roll:
    """Return the roll that ``load`` winds; the conductivities are those of an 18/20/100 um turn and are scaled to this one."""
    film, foil, gap = load.film_um * 1e-6, load.foil_um * 1e-6, load.gap_um * 1e-6
    pitch, bore = film + foil + gap, load.core_mm / 2e3
    rim = sqrt(bore**2 + load.length_m * pitch / pi)
    radii = [bore + (rim - bore) * third / 3 for third in range(4)]
    rings = [pi * (radii[i + 1] ** 2 - radii[i] ** 2) for i in (2, 1, 0)]  # outer, middle, core
    centre = [(radii[i + 1] + radii[i]) / 2 for i in (2, 1, 0)]
    bulk = (1 - _EDGE_SHARE) * load.width_m
    share = np.array([(1 - _EDGE_SHARE) * ring / sum(rings) for ring in rings] + [_EDGE_SHARE])[:, None]
    areal = foil * value("copper_density") * value("copper_heat") + film * 1e3 * value("polymer_density") * value("polymer_heat")
    area = load.length_m * load.width_m
    capacity = areal * area * share
    capacity[CORE] += 2 * pi * bore * load.width_m * value("core_heat_per_area")
    copper = value("copper_conductivity") * foil / pitch
    pitch_scale = pitch / gap / _REFERENCE_PITCH
    return Roll(
        capacity=capacity,
        share=share,
        area_m2=area,
        k_vacuum=k_vacuum * pitch_scale,
        k_gas=np.maximum(k_nitrogen - k_vacuum, 0.2 * k_nitrogen) * pitch_scale,
        half_pressure_pa=value("k_half_pressure") * 100 / load.gap_um,
        h=h,
        skin_m2=2 * pi * rim * bulk,
        face_m2=2 * sum(rings) + 2 * pi * rim * _EDGE_SHARE * load.width_m,
        bore_m2=2 * pi * bore * load.width_m * value("bore_view"),
        outer_per_k=2 * pi * bulk / log(centre[0] / centre[1]),
        wall_per_k=2 * pi * bulk / log(rim / centre[0]),
        inner_per_k=2 * pi * bulk / log(centre[1] / centre[2]),
        axial=(_axial(copper, rings[0], load), _axial(copper, rings[1], load), _axial(copper, rings[2], load)),
    )


def _axial(copper: float, ring_m2: float, load: LoadState) -> float:
    """Return the conductance of both sides along the copper, from the middle of the edge zone to the middle of the bulk's half."""
    return 2 * copper * ring_m2 / (load.width_m / 4)


def radial_conductivity(roll: Roll, pressure_pa: float) -> Array:
    """Return k_eff in W/m.K, (members,): tape path and radiation, plus the gas by its mean free path."""
    return roll.k_vacuum + roll.k_gas * (pressure_pa / (pressure_pa + roll.half_pressure_pa))


def external_h(roll: Roll, wall_k: float, pressure_pa: float) -> Array:
    """Return the wall's heat transfer coefficient in W/m2.K, (members,): radiation as T^3, convection fading with the gas."""
    radiation = value("radiation_share")
    convection = (1 - radiation) * pressure_pa / (pressure_pa + value("convection_half_pressure"))
    return roll.h * (radiation * (wall_k / kelvin(200.0)) ** 3 + convection)


def heat(roll: Roll, temp_k: Array, wall_k: float, pressure_pa: float, dt_s: float) -> Array:
    """Return the nodes' temperatures after ``dt_s`` with the wall at ``wall_k``, (zones, members).

    Outer and core are eliminated by hand: a batched solver costs five times as much.
    """
    k, h = radial_conductivity(roll, pressure_pa), external_h(roll, wall_k, pressure_pa)
    skin = h * roll.skin_m2
    wall_outer = skin * (k * roll.wall_per_k) / (skin + k * roll.wall_per_k)
    wall_edge, wall_core = h * roll.face_m2, h * roll.bore_m2
    outer_middle, middle_core = k * roll.outer_per_k, k * roll.inner_per_k
    outer_edge, middle_edge, core_edge = roll.axial
    stored = roll.capacity * (1 / dt_s)
    b_outer, b_middle, b_core, b_edge = stored * temp_k
    b_outer = b_outer + wall_outer * wall_k
    b_edge = b_edge + wall_edge * wall_k
    b_core = b_core + wall_core * wall_k
    outer_all = stored[0] + outer_edge + wall_outer + outer_middle
    core_all = stored[2] + core_edge + middle_core + wall_core
    via_outer, via_core = outer_middle / outer_all, middle_core / core_all
    edge_via_outer, edge_via_core = outer_edge / outer_all, core_edge / core_all
    middle_all = stored[1] + middle_edge + outer_middle * (1 - via_outer) + middle_core * (1 - via_core)
    edge_all = stored[3] + wall_edge + middle_edge + outer_edge * (1 - edge_via_outer) + core_edge * (1 - edge_via_core)
    between = middle_edge + outer_edge * via_outer + core_edge * via_core
    b_middle = b_middle + via_outer * b_outer + via_core * b_core
    b_edge = b_edge + edge_via_outer * b_outer + edge_via_core * b_core
    edge = (b_edge * middle_all + between * b_middle) / (edge_all * middle_all - between * between)
    middle = (b_middle + between * edge) / middle_all
    outer = (b_outer + outer_middle * middle + outer_edge * edge) / outer_all
    core = (b_core + middle_core * middle + core_edge * edge) / core_all
    return np.stack((outer, middle, core, edge))


def correct(temp_k: Array, offset_k: Array, inputs: Inputs, wall_k: float, dt_s: float) -> None:
    """Pull the nodes under GOOD load thermocouples towards the readings, in place; each member believes in its own sensor offset.

    A thermocouple that reads outside everything the members and the wall could explain is left out.
    """
    gain = 1 - exp(-dt_s / _OBSERVER_S)
    for zone, sample in ((OUTER, inputs.load_outer_c), (EDGE, inputs.load_edge_c), (CORE, inputs.load_core_c)):
        if sample.value is None:
            continue
        node, read_k = temp_k[zone], kelvin(sample.value)
        if min(wall_k, float(node.min())) - _PLAUSIBLE_K <= read_k <= max(wall_k, float(node.max())) + _PLAUSIBLE_K:
            node += gain * (read_k - offset_k - node)
