"""The casting solvents: boiling point, flammability, vapour pressure, heat of evaporation, density; each with source and range.

The vapour pressure is one Antoine equation per solvent, ln(P/Pa) = A - B / (T/K + C). Its constants are pinned here and not looked up
while the oven runs, because property packages choose another method outside a method's range without a word. Sources:

* LANDOLT: Landolt-Boernstein as tabulated in the package ``chemicals``; NMP 3.362 / 22.45 / 92.44 kPa at 100 / 150 / 200 degC.
* PERRY: Perry's table 2-8 (``chemicals``), refitted to the Antoine form over the range given, within 1 %.
* BOILING: through the boiling points at 101.3 kPa and 1.6 kPa; its tabulated Antoine equation ends at 90 degC and is double at the top.

Flammability limits are data-sheet values; a site enters those of its own supplier.
"""

from math import exp
from types import MappingProxyType
from typing import Final, NamedTuple

from controller.units import kelvin


class Solvent(NamedTuple):
    """One solvent. Limits are volume percent in air at 20 degC and 1 atm; ``None`` means that no citable value was found."""

    name: str
    cas: str
    boiling_c: float
    molar_mass_g_mol: float
    lel_pct: float
    uel_pct: float
    autoignition_c: float | None
    antoine_a: float  # ln Pa
    antoine_b_k: float
    antoine_c_k: float
    antoine_low_c: float
    antoine_high_c: float
    antoine_source: str
    evaporation_kj_mol: float  # near 150 degC or the boiling point, the lower of the two
    density_25c_g_cm3: float
    density_slope_g_cm3_k: float  # decrease per kelvin
    glass_k: float  # glass transition of the solvent; measured for NMP, else 0.35 times the boiling point [assume]


_ROWS: Final = (
    # name, CAS, Tb, M, LEL, UEL, autoignition, Antoine A, B, C, low, high, source, Hvap, density, slope, Tg
    Solvent("NMP", "872-50-4", 203.0, 99.131, 1.3, 9.5, 265.0,
            21.137754179536273, 3811.4460785821143, -80.355, 63.0, 204.0, "LANDOLT", 46.7, 1.0277, 9.1e-4, 166.0),
    Solvent("DMAc", "127-19-5", 165.5, 87.120, 1.8, 11.5, None,
            22.622, 4202.0, -60.0, 60.0, 170.0, "BOILING", 44.0, 0.937, 9.3e-4, 154.0),
    Solvent("DMF", "68-12-2", 153.0, 73.094, 1.8, 16.0, 440.0,
            21.43440507, 3634.05797645, -58.18751812, 27.0, 187.0, "PERRY", 40.0, 0.944, 9.5e-4, 149.0),
    Solvent("GBL", "96-48-0", 205.0, 86.089, 1.4, 16.0, None,
            27.429683075397147, 9341.134113013524, 110.141, 119.0, 201.0, "LANDOLT", 50.0, 1.125, 1.0e-3, 167.0),
    Solvent("DMSO", "67-68-5", 191.5, 78.133, 2.6, 42.0, None,
            22.51350164, 4614.89762962, -43.71147892, 27.0, 197.0, "PERRY", 45.0, 1.096, 1.0e-3, 163.0),
    Solvent("cyclopentanone", "120-92-3", 130.5, 84.116, 1.6, 10.8, None,
            21.253919597477818, 3390.5312209977096, -55.125, 44.0, 124.0, "LANDOLT", 36.5, 0.949, 9.5e-4, 141.0),
    Solvent("cyclohexanone", "108-94-1", 155.4, 98.143, 1.3, 9.4, 419.0,
            21.005148304030744, 3474.4857760733657, -61.986, 25.0, 185.0, "LANDOLT", 39.5, 0.945, 9.0e-4, 150.0),
)  # fmt: skip

SOLVENTS: Final = MappingProxyType({row.name: row for row in _ROWS})


def saturation_pressure_pa(solvent: Solvent, temp_c: float) -> float:
    """Return the vapour pressure over the pure liquid.

    Good to 3 % inside ``antoine_low_c`` to ``antoine_high_c`` (DMAc 15 %), to 15-30 % below; above, the curve is smooth and is used only to
    tell that the solvent boils off at once.
    """
    return exp(solvent.antoine_a - solvent.antoine_b_k / (kelvin(temp_c) + solvent.antoine_c_k))


def density_g_cm3(solvent: Solvent, temp_c: float) -> float:
    """Return the liquid density; linear, good to 1 % from 20 degC to the boiling point."""
    return solvent.density_25c_g_cm3 - solvent.density_slope_g_cm3_k * (temp_c - 25.0)
