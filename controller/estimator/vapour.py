"""The way of the vapour from the film through the gap between two turns to the chamber, and what hangs in the chamber.

Source of the gap equation: viscous and Knudsen flow in a slit with uniform generation N" over the half width a,
(g^2/24 mu)(pc^2 - pe^2) + (g v/3)(pc - pe) = N" a^2 R T / (2 g); with gas in the gap, molecular diffusion in series with Knudsen's. Good to
a factor of two where the film gives off unevenly along the width.
"""

from math import pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator.model import EDGE, ZONE_NAMES
from controller.estimator.parameters import value
from controller.image import Inputs
from controller.solvents import Solvent, saturation_pressure_pa
from controller.units import ATMOSPHERE_MBAR, NORMAL_M3_MOL, PA_PER_MBAR, R_J_PER_MOL_K, kelvin

Array = NDArray[np.float64]

_ATMOSPHERE_PA = ATMOSPHERE_MBAR * PA_PER_MBAR
_FULL_VAPOUR_PA = 5000.0  # [assume] below, a pumped chamber with a drying roll holds mostly vapour
_DUCT_MOL_M3 = _ATMOSPHERE_PA / (R_J_PER_MOL_K * kelvin(25.0))  # the duct flow is taken at 25 degC, 1 atm


class Gap(NamedTuple):
    """The gap's constants; (members,), ``reach_m`` (zones, members)."""

    width_m: Array
    reach_m: Array  # g / a^2 times 2, 1/m
    molar_mass_kg_mol: float

    @classmethod
    def of(cls, solvent: Solvent, width_m: float, gap_m: Array) -> "Gap":
        """Return the gap of a roll of ``width_m``; the edge zone has a shorter way out."""
        half_squared = np.full(len(ZONE_NAMES), (width_m / 2) ** 2)
        half_squared[EDGE] *= value("edge_path_factor")
        return cls(gap_m, 2 * gap_m[None, :] / half_squared[:, None], solvent.molar_mass_g_mol / 1e3)


def way_out(gap: Gap, film_pa: Array, wall_k: float, pressure_pa: float, vapour_pa: float) -> Array:
    """Return the gap's conductance in mol/(m2 film s Pa), (zones, members), for the vapour pressure ``film_pa`` over the film."""
    speed = sqrt(8 * R_J_PER_MOL_K * wall_k / (pi * gap.molar_mass_kg_mol))
    knudsen = gap.width_m * (speed / 3)
    inert_pa = max(pressure_pa - vapour_pa, 1.0)
    molecular = value("vapour_diffusion") * (wall_k / kelvin(200.0)) ** 1.75 * _ATMOSPHERE_PA / inert_pa
    diffusion = knudsen * molecular / (knudsen + molecular)
    pushing = np.maximum(film_pa - pressure_pa, 0.0)  # boils off against the chamber's pressure: viscous flow
    viscous = gap.width_m**2 * (1 / (24 * value("vapour_viscosity")))
    flow = viscous * (pushing * (film_pa + pressure_pa) / np.maximum(film_pa - vapour_pa, 1e-6))
    conductance: Array = gap.reach_m * (diffusion + flow) * (1 / (R_J_PER_MOL_K * wall_k))
    return conductance


def chamber_vapour_pa(solvent: Solvent, inputs: Inputs, pressure_pa: float) -> float:
    """Return the partial pressure of solvent in the chamber gas: from the exhaust under N2 flow, else all that the coldest wall allows."""
    share = min(1.0, _FULL_VAPOUR_PA / max(pressure_pa, 1e-3))
    seen = exhaust_fraction(solvent, inputs)
    inlet, duct = inputs.n2_flow_nm3_h.value, inputs.exhaust_flow_m3_h.value
    if seen is not None and inlet is not None and duct is not None and inlet > 0 and inputs.exhaust_valve_open.value:
        share = min(1.0, seen * max(1.0, duct * _DUCT_MOL_M3 / (inlet * NORMAL_M3_MOL)))  # the duct is diluted with room air
    wall_c = inputs.coldest_wall_c.value
    limit_pa = pressure_pa if wall_c is None else saturation_pressure_pa(solvent, max(wall_c, -15.0))
    return min(share * pressure_pa, limit_pa)


def exhaust_fraction(solvent: Solvent, inputs: Inputs) -> float | None:
    """Return the solvent's mole fraction in the exhaust duct, or None when the analyser is not GOOD."""
    lel_pct = inputs.exhaust_lel_pct.value
    return None if lel_pct is None else lel_pct / 100 * solvent.lel_pct / 100


def exhaust_kg_s(solvent: Solvent, inputs: Inputs) -> float | None:
    """Return the solvent that leaves through the exhaust duct, or None when analyser or flow meter is not GOOD."""
    fraction, flow = exhaust_fraction(solvent, inputs), inputs.exhaust_flow_m3_h.value
    if fraction is None or flow is None:
        return None
    return fraction * flow / 3600 * _DUCT_MOL_M3 * solvent.molar_mass_g_mol / 1e3
