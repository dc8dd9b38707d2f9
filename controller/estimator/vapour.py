"""What hangs in the chamber's gas and leaves through the exhaust, as the instruments show it.

In a vacuum two gauges tell the gas: a Pirani gauge sees how well it conducts heat, a capacitance gauge does not. Solvent vapour conducts
better than N2 or air at these pressures, so that their ratio rises with the share of vapour; the ratio over the cold load, which gives off
next to nothing, takes the gauges' own errors out. Without both gauges the chamber is taken to hold all the vapour that its coldest wall
allows.
"""

from math import exp, log
from typing import Final, NamedTuple

from controller.image import Inputs
from controller.solvents import Solvent, saturation_pressure_pa
from controller.units import ATMOSPHERE_MBAR, NORMAL_M3_MOL, PA_PER_MBAR, R_J_PER_MOL_K, kelvin

_ATMOSPHERE_PA = ATMOSPHERE_MBAR * PA_PER_MBAR
FULL_VAPOUR_PA = 5000.0  # [assume] below, a pumped chamber with a drying roll holds mostly vapour
_DUCT_MOL_M3 = _ATMOSPHERE_PA / (R_J_PER_MOL_K * kelvin(25.0))  # the duct flow is taken at 25 degC, 1 atm

PIRANI_RISE: Final = 0.6  # [assume] of a Pirani reading in vapour over N2: organic vapours read 1.4 to 2 times too high
GAUGED_MBAR: Final = (0.5, 100.0)  # where both gauges tell: above, a Pirani hardly sees the gas
IMPOSSIBLE: Final = 0.3  # [assume] share below 0 or above 1 at which a gauge lies: curves that bend, vapours that conduct better
_SMOOTH_S: Final = 120.0  # over which the ratio is averaged


class Gauges(NamedTuple):
    """Logarithm of the Pirani reading over the capacitance gauge's: over the cold load, and now. None: not seen yet, or not seen now."""

    dry_ln: float | None = None
    now_ln: float | None = None


UNSEEN: Final = Gauges()


def compared(gauges: Gauges, inputs: Inputs, cold: bool, dt_s: float) -> Gauges:
    """Return the gauges' ratio after ``dt_s``; while the load is ``cold`` it is that of a gas without solvent."""
    pirani, exact = inputs.pressure_pirani_mbar.value, inputs.pressure_cap_mbar.value
    if pirani is None or exact is None or not (GAUGED_MBAR[0] <= exact <= GAUGED_MBAR[1]) or pirani <= 0.0:
        return gauges._replace(now_ln=None)
    ratio_ln = log(pirani / exact)
    if cold:
        return Gauges(_smoothed(gauges.dry_ln, ratio_ln, dt_s), None)
    return gauges._replace(now_ln=_smoothed(gauges.now_ln, ratio_ln, dt_s))


def _smoothed(before: float | None, now: float, dt_s: float) -> float:
    return now if before is None else before + (now - before) * dt_s / (_SMOOTH_S + dt_s)


def gauged_share(gauges: Gauges) -> float | None:
    """Return the mole fraction of vapour by the two gauges, 0 to 1; None when they do not tell, or something no gas can be."""
    if gauges.dry_ln is None or gauges.now_ln is None:
        return None
    share = (exp(gauges.now_ln - gauges.dry_ln) - 1.0) / PIRANI_RISE
    return None if abs(share - 0.5) > 0.5 + IMPOSSIBLE else min(max(share, 0.0), 1.0)


def chamber_vapour_pa(solvent: Solvent, inputs: Inputs, pressure_pa: float, gauges: Gauges) -> float:
    """Return the partial pressure of solvent in the chamber gas.

    From the exhaust under N2 flow, from the gauges in a vacuum, else all that the coldest wall allows, which bounds both.
    """
    share = min(1.0, FULL_VAPOUR_PA / max(pressure_pa, 1e-3))
    gauged = gauged_share(gauges)
    if gauged is not None:
        share = min(share, gauged)
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
    return None if lel_pct is None else max(lel_pct, 0.0) / 100 * solvent.lel_pct / 100


def exhaust_kg_s(solvent: Solvent, inputs: Inputs) -> float | None:
    """Return the solvent that leaves through the exhaust duct, or None when analyser or flow meter is not GOOD."""
    fraction, flow = exhaust_fraction(solvent, inputs), inputs.exhaust_flow_m3_h.value
    if fraction is None or flow is None:
        return None
    return fraction * flow / 3600 * _DUCT_MOL_M3 * solvent.molar_mass_g_mol / 1e3
