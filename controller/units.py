"""Conversions and physical constants, each with its source; the only place where a unit changes."""

from typing import Final

R_J_PER_MOL_K: Final = 8.314462618  # CODATA 2018, exact
ZERO_C_K: Final = 273.15
PA_PER_MBAR: Final = 100.0
ATMOSPHERE_MBAR: Final = 1013.25
AIR_O2_PCT: Final = 20.9  # dry air, volume percent
NORMAL_M3_MOL: Final = 44.6149  # mol in one Nm3 (0 degC, 1013.25 mbar)

# The units a tag or a recipe key may carry, and the suffix its name then ends with.
SUFFIX_OF_UNIT: Final = {
    "degC": "_c",
    "degC/min": "_c_per_min",
    "mbar": "_mbar",
    "bar": "_bar",
    "%": "_pct",
    "vol%": "_pct",
    "min": "_min",
    "s": "_s",
    "kg": "_kg",
    "kg/h": "_kg_h",
    "Nm3": "_nm3",
    "Nm3/h": "_nm3_h",
    "m3/h": "_m3_h",
    "m3": "_m3",
    "l/min": "_l_min",
    "m": "_m",
    "mm": "_mm",
    "um": "_um",
    "wt%": "_wt_pct",
}


def kelvin(celsius: float) -> float:
    """Return degC as K."""
    return celsius + ZERO_C_K


def celsius(kelvin_: float) -> float:
    """Return K as degC."""
    return kelvin_ - ZERO_C_K
