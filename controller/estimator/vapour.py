"""What hangs in the chamber's gas and leaves through the exhaust, as the instruments show it."""

from controller.image import Inputs
from controller.solvents import Solvent, saturation_pressure_pa
from controller.units import ATMOSPHERE_MBAR, NORMAL_M3_MOL, PA_PER_MBAR, R_J_PER_MOL_K, kelvin

_ATMOSPHERE_PA = ATMOSPHERE_MBAR * PA_PER_MBAR
FULL_VAPOUR_PA = 5000.0  # [assume] below, a pumped chamber with a drying roll holds mostly vapour
_DUCT_MOL_M3 = _ATMOSPHERE_PA / (R_J_PER_MOL_K * kelvin(25.0))  # the duct flow is taken at 25 degC, 1 atm


def chamber_vapour_pa(solvent: Solvent, inputs: Inputs, pressure_pa: float) -> float:
    """Return the partial pressure of solvent in the chamber gas: from the exhaust under N2 flow, else all that the coldest wall allows."""
    share = min(1.0, FULL_VAPOUR_PA / max(pressure_pa, 1e-3))
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
