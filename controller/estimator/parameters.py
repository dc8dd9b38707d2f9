"""Every number the estimator believes before it has seen the batch: value, unit, range, spread and where it comes from.

The source tag reads: ``[src]`` published, ``[pkg]`` from a property package, ``[calc]`` computed from stated inputs, ``[text]`` textbook,
``[assume]`` an engineering assumption that a site replaces after its coupons. A spread is a standard deviation in the
parameter's unit, or of its natural logarithm when ``log`` is true; 0: taken as known.
"""

from types import MappingProxyType
from typing import Final, NamedTuple


class Parameter(NamedTuple):
    """One number of the model."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    spread: float
    log: bool
    source: str


_ROWS: Final = (
    # film
    Parameter("diffusion_dry", 1e-14, "m2/s at 200 degC", 1e-17, 1e-11, 1.5, True, "[assume] polyamide-imide; replaced by weighed coupons"),
    Parameter("diffusion_swollen", 1e-11, "m2/s at 100 degC", 1e-13, 1e-9, 1.5, True, "[src] upper bound, NMP in a polyimide, 1992"),
    Parameter("diffusion_energy_dry", 80.0, "kJ/mol", 40.0, 130.0, 25.0, False, "[assume] glassy film"),
    Parameter("diffusion_energy_swollen", 37.0, "kJ/mol", 25.0, 50.0, 8.0, False, "[assume] middle of 25-50"),
    Parameter("diffusion_slope_glass", 92.0, "1 per weight fraction", 40.0, 150.0, 0.3, True, "[src] glassy acrylate, 2003"),
    Parameter("diffusion_slope_rubber", 20.0, "1 per weight fraction", 15.0, 25.0, 3.0, False, "[assume]"),
    Parameter("drying_model_error", 1.0, "", 0.4, 2.5, 0.2, True, "[calc] coupons left out of a calibration scatter by 0.2-0.3"),
    Parameter("width_difference", 0.2, "", 0.0, 1.0, 0.0, False, "[calc] wettest of a width over its mean where the gap holds"),
    Parameter("bound_solvent", 0.028, "kg/kg polymer", 0.0005, 0.08, 0.5, True, "[calc] NMP on every tenth unit, 356 g/mol; coupons"),
    Parameter("release_rate", 2e-4, "1/s at 200 degC", 1e-7, 1e-1, 1.2, True, "[assume] of bound solvent; replaced by weighed coupons"),
    Parameter("release_energy", 100.0, "kJ/mol", 60.0, 150.0, 15.0, False, "[assume] hydrogen bonds and a glass's jump; coupons"),
    Parameter("bound_refill", 0.04, "kg/kg polymer", 0.01, 0.2, 0.0, False, "[assume] free solvent that leaves 1/e of the sites empty"),
    Parameter("chi", 0.4, "", -0.5, 1.3, 0.3, False, "[assume] Flory-Huggins interaction"),
    Parameter("saturation_factor", 1.0, "", 0.9, 1.1, 0.03, True, "[pkg] vapour-pressure equations differ by 3 % above 100 degC"),
    Parameter("glass_dry", 553.0, "K", 520.0, 600.0, 15.0, False, "[src] Engineering Plastics Handbook, polyamide-imide"),
    Parameter("glass_solvent", 1.0, "", 0.6, 1.6, 0.12, True, "[assume] of the solvent's glass transition in Fox: 11-15 K per wt%"),
    Parameter("polymer_density", 1.41, "g/cm3", 1.35, 1.45, 0.0, False, "[text] polyamide-imide"),
    # crosslinking
    Parameter("gel_time_240c", 3.0, "h", 0.3, 30.0, 1.0, True, "[assume] dry film to the gel point at 240 degC; replaced by coupons"),
    Parameter("activation_energy", 150.0, "kJ/mol", 70.0, 200.0, 30.0, False, "[src] 72-177 kJ/mol published for crosslinking imides"),
    Parameter("order", 2.0, "", 1.0, 12.0, 1.8, False, "[assume] 1-1.5 in the sites left, whose number is unknown"),
    Parameter("density_limit", 40.0, "units per chain", 20.0, 100.0, 0.0, False, "[assume] crosslinks when every site has reacted"),
    Parameter("polydispersity", 2.0, "", 1.0, 4.0, 0.5, False, "[text] most probable distribution of a condensation polymer"),
    Parameter("vitrification_offset", 50.0, "K", 15.0, 120.0, 20.0, False, "[assume] below Tg, where mobility halves the rate"),
    Parameter("vitrification_width", 5.5, "K", 3.0, 40.0, 0.0, False, "[calc] RT2/E at 240 degC for 400 kJ/mol of a glass 30 K below Tg"),
    Parameter("glass_rise", 1.5, "K per crosslink", 0.0, 5.0, 0.0, False, "[assume] Tg rises as chains are tied"),
    Parameter("cure_model_error", 1.0, "", 0.5, 2.0, 0.05, True, "[calc] 0.03 in another history, 0.04 from batch to batch"),
    Parameter("curing_gas", 0.03, "mol/kg polymer per crosslink", 0.0, 0.2, 0.7, True, "[assume] H2O, CO2: look like solvent"),
    # roll
    Parameter("k_vacuum", 1e-2, "W/m.K", 4.5e-4, 5e-2, 1.2, True, "[calc] radial, 18/20/100 um: tape path and radiation"),
    Parameter("k_nitrogen", 5e-2, "W/m.K", 2e-2, 0.12, 0.7, True, "[calc] radial, 18/20/100 um in N2 at 1 atm"),
    Parameter("k_radial", 1.0, "", 0.2, 20.0, 0.8, True, "[calc] scale of both conductivities: ln-sd 1.2 in vacuum, 0.7 in N2"),
    Parameter("k_half_pressure", 355.0, "Pa", 50.0, 2000.0, 0.0, False, "[calc] 100 um gap, 1.1e-2 W/m.K at 100 Pa; Knudsen"),
    Parameter("external_h", 28.0, "W/m2.K", 3.0, 120.0, 0.5, True, "[calc] radiation at 200 degC, emissivity 0.6; 11 of gas at 1 atm"),
    Parameter("radiation_share", 0.5, "", 0.2, 0.95, 0.0, False, "[calc] 14 of external_h: what is left without gas, at 200 degC"),
    Parameter("convection_half_pressure", 2.5e4, "Pa", 500.0, 6e4, 0.0, False, "[calc] with the root of the density, or its power 0.8"),
    Parameter("copper_density", 8900.0, "kg/m3", 8850.0, 8960.0, 0.0, False, "[text]"),
    Parameter("copper_conductivity", 380.0, "W/m.K", 350.0, 400.0, 0.0, False, "[text]"),
    Parameter("copper_heat", 380.0, "J/kg.K", 370.0, 410.0, 0.0, False, "[text]"),
    Parameter("polymer_heat", 1150.0, "J/kg.K", 1000.0, 1300.0, 0.0, False, "[text]"),
    Parameter("core_heat_per_area", 1.0e4, "J/m2.K", 0.0, 6e4, 0.0, False, "[assume] aluminium tube, 4 mm wall"),
    Parameter("core_conductance", 0.8, "W/K", 0.05, 4.0, 0.0, False, "[assume] along that tube, 200 W/m.K, per width of its wall"),
    Parameter("bore_view", 1.0, "", 0.1, 8.0, 0.5, True,"[assume] of both openings at external_h: radiation, shaft and chucks"),
    Parameter("thermocouple_offset", 0.0, "K", -5.0, 5.0, 1.5, False, "[assume] class 1 sensor and its contact"),
    Parameter("load_apart", 5.0, "K", 2.0, 20.0, 0.0, False, "[assume] thermocouples of a resting load and its walls, apart; 1.5 K each"),
    Parameter("load_follow", 6.0, "h", 1.0, 24.0, 0.0, False, "[assume] slowest way of a roll to its walls; 2.5 h for 1000 m in a vacuum"),
    Parameter("thermocouple_lag", 20.0, "s", 0.0, 120.0, 0.0, False, "[assume] sheathed, 3 mm, taped to the roll"),
    Parameter("contact_outer", 0.03, "", 0.0, 0.5, 0.07, False, "[assume] share of the wall in the reading, beside the surface it lies on"),
    Parameter("contact_edge", 0.03, "", 0.0, 0.6, 0.1, False, "[assume] the same; it lies where face and outermost turn meet"),
    Parameter("contact_core", 0.08, "", 0.0, 0.4, 0.12, False, "[assume] the same; it sits in the core tube's open end"),
    Parameter("thermocouple_model_error", 1.0, "K", 0.1, 5.0, 0.0, False, "[assume] five nodes against a real roll, per look"),
    # vapour in the gap
    Parameter("gap_factor", 1.0, "", 0.2, 4.0, 0.6, True, "[assume] real gap against the one of the load record"),
    Parameter("way_out", 1.0, "", 0.05, 20.0, 0.8, True, "[assume] tape closes it, wrinkles open it"),
    Parameter("circulation_push", 4.0, "Pa over the roll's width at 1 atm", 0.2, 60.0, 1.0, True, "[calc] dynamic pressure of 3 m/s, 1-8"),
    Parameter("gas_viscosity", 2.6e-5, "Pa.s", 2.3e-5, 2.9e-5, 0.0, False, "[text] N2 at 200 degC"),
    Parameter("vapour_viscosity", 1.0e-5, "Pa.s", 7e-6, 1.4e-5, 0.0, False, "[text] organic vapour near 200 degC"),
    Parameter("vapour_diffusion", 2.0e-5, "m2/s at 200 degC, 1 atm", 1e-5, 3e-5, 0.0, False, "[calc] solvent in N2"),
    Parameter("edge_path_factor", 0.25, "", 0.02, 1.0, 0.0, False, "[calc] 0.19 for even generation, and the middle's vapour passes"),
    # instruments
    Parameter("flux_gain", 1.0, "", 0.7, 1.4, 0.08, True, "[assume] condensate and exhaust together"),
    Parameter("flux_model_error", 0.2, "", 0.05, 0.5, 0.0, False, "[assume] one lumped film against a real roll, per window"),
    Parameter("condensate_error", 0.005, "kg", 0.001, 0.1, 0.0, False, "[assume] scale of 2 g, read twice, and what hangs on the walls"),
    Parameter("flux_lag", 120.0, "s", 0.0, 600.0, 0.0, False, "[assume] condensate drains, analyser line"),
)  # fmt: skip

PARAMETERS: Final = MappingProxyType({row.name: row for row in _ROWS})


def value(name: str) -> float:
    """Return the median of ``name``."""
    return PARAMETERS[name].value


def spread(name: str) -> float:
    """Return the prior spread of ``name``: a standard deviation, of the logarithm when the parameter is ``log``."""
    return PARAMETERS[name].spread
