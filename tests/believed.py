"""The plant's own numbers in the estimator's terms, each at a standard condition, beside what the estimator believes before a batch.

``COMPARED`` holds every parameter of the estimator that has a spread and that the plant has in some form. ``TAKEN_AS_KNOWN`` are those
that the estimator holds fixed: no deviation in spreads can be said of them. ``ALIKE`` names what neither can be compared in.
"""

from collections.abc import Callable
from math import exp, log, pi
from typing import Final

from controller.estimator.parameters import PARAMETERS
from controller.solvents import SOLVENTS
from controller.units import R_J_PER_MOL_K
from sim.coupons import PREDRY_WT_PCT
from sim.plant import cure, film_kernel
from sim.plant.cure import gel_fraction
from sim.plant.films import sites
from sim.plant.parameters import Parameters

Number = Callable[[Parameters], float]

DRY_K, SWOLLEN_K, CURE_K = 473.15, 373.15, 513.15  # 200, 100 and 240 degC
_SIGMA: Final = 5.670374e-8  # W/m2K4
_BORE_M: Final = 0.075  # radius of the production roll's core


def gel_h(p: Parameters) -> float:
    """Return the time of a dry film at 240 degC to the gel point, h."""
    law, delta, seconds = cure.law_of(p).array, p.delta_start, 0
    while gel_fraction(delta, p.pdi, p.scission) == 0.0:
        delta += 10.0 * cure.rate(CURE_K, 0.0, delta, law)
        seconds += 10
    return seconds / 3600.0


def mutual_m2_s(p: Parameters, fraction: float, temp_k: float) -> float:
    """Return the mutual diffusivity at the solvent's weight ``fraction``."""
    wet = fraction / (1.0 - fraction)
    phi = wet / p.solvent_kg_m3 / (wet / p.solvent_kg_m3 + 1.0 / p.film_kg_m3)
    chi = p.chi + p.chi_slope_k * (1.0 / temp_k - 1.0 / DRY_K)
    own = film_kernel.self_diffusivity(fraction, temp_k, film_kernel.law_of(p).array)
    return float(own * (1.0 - phi) ** 2 * (1.0 - 2.0 * chi * phi))


def energy_kj_mol(p: Parameters, fraction: float, temp_k: float) -> float:
    """Return the slope of the logarithm of the mutual diffusivity over -1/RT, over 10 K."""
    low_k, high_k = temp_k - 5.0, temp_k + 5.0
    rise = log(mutual_m2_s(p, fraction, high_k) / mutual_m2_s(p, fraction, low_k))
    return R_J_PER_MOL_K * rise / (1.0 / low_k - 1.0 / high_k) / 1e3


def slope(p: Parameters, low: float, high: float) -> float:
    """Return d ln D / dw between two weight fractions at 200 degC."""
    return log(mutual_m2_s(p, high, DRY_K) / mutual_m2_s(p, low, DRY_K)) / (high - low)


def external_h(p: Parameters) -> float:
    """Return radiation at 200 degC and the circulated gas of 1 atm on the outer turn, W/m2K."""
    return 4.0 * p.emissivity * _SIGMA * DRY_K**3 + p.h_rest_w_m2_k + p.h_natural_w_m2_k + p.h_fan_w_m2_k


def release_1_s(p: Parameters) -> float:
    """Return the rate at which bound solvent becomes free at 200 degC."""
    return p.bound_rate_1_s * exp(p.bound_j_mol / R_J_PER_MOL_K * (1.0 / CURE_K - 1.0 / DRY_K))


def halved_k(p: Parameters) -> float:
    """Return the temperature at which mobility halves the rate of a dry film that has not cured, by bisection between 160 and 320 degC."""
    law = cure.law_of(p)
    low_k, high_k = 433.15, 593.15
    for _ in range(60):
        temp_k = 0.5 * (low_k + high_k)
        chemistry = law.k0_1_s * exp(law.e_k * (1.0 / CURE_K - 1.0 / temp_k))
        halved = cure.rate(temp_k, 0.0, 0.0, law.array) > 0.5 * chemistry
        low_k, high_k = (low_k, temp_k) if halved else (temp_k, high_k)
    return 0.5 * (low_k + high_k)


def vitrification_offset_k(p: Parameters) -> float:
    """Return how far below the dry film's glass transition mobility halves the rate."""
    return p.tg_dry_c + 273.15 - halved_k(p)


def vitrification_width_k(p: Parameters) -> float:
    """Return the kelvin per e of mobility over chemistry where they are equal."""
    law, temp_k = cure.law_of(p), halved_k(p)

    def ratio(at_k: float) -> float:
        chemistry = law.k0_1_s * exp(law.e_k * (1.0 / CURE_K - 1.0 / at_k))
        share = cure.rate(at_k, 0.0, 0.0, law.array) / chemistry
        return float(share / (1.0 - share))

    return 2.0 / log(ratio(temp_k + 1.0) / ratio(temp_k - 1.0))


def glass_solvent(p: Parameters) -> float:
    """Return the solvent's glass transition by which Fox lowers the film's as the plant's law does with 2 wt%, over the handbook's."""
    dry_k, wet = p.tg_dry_c + 273.15, 0.02
    share = p.tg_gordon_taylor * wet
    film_k = (share * (p.tg_solvent_c + 273.15) + (1.0 - wet) * dry_k) / (share + 1.0 - wet)
    return wet / (1.0 / film_k - (1.0 - wet) / dry_k) / SOLVENTS["NMP"].glass_k


def k_scale(p: Parameters) -> float:
    """Return the one scale of the believed conductivities in vacuum and N2 that comes nearest to both."""
    return float((p.k_radial_tape / PARAMETERS["k_vacuum"].value * p.k_radial_n2 / PARAMETERS["k_nitrogen"].value) ** 0.5)


COMPARED: Final[dict[str, Number]] = {
    "diffusion_dry": lambda p: mutual_m2_s(p, 0.0, DRY_K),
    "diffusion_swollen": lambda p: mutual_m2_s(p, 0.2, SWOLLEN_K),
    "diffusion_energy_dry": lambda p: energy_kj_mol(p, 0.0, DRY_K),
    "diffusion_energy_swollen": lambda p: energy_kj_mol(p, 0.2, SWOLLEN_K),
    "diffusion_slope_glass": lambda p: slope(p, 0.0, 0.02),
    "diffusion_slope_rubber": lambda p: slope(p, 0.1, 0.15),
    "bound_solvent": lambda p: sites(p, PREDRY_WT_PCT)[1],
    "release_rate": release_1_s,
    "release_energy": lambda p: p.bound_j_mol / 1e3,
    "chi": lambda p: p.chi,
    "saturation_factor": lambda p: p.psat_factor,
    "glass_dry": lambda p: p.tg_dry_c + 273.15,
    "glass_solvent": glass_solvent,
    "gel_time_240c": gel_h,
    "activation_energy": lambda p: p.cure_j_mol / 1e3,
    "order": lambda p: p.cure_order * PARAMETERS["density_limit"].value / p.delta_max,  # by how fast the rate falls per crosslink
    "polydispersity": lambda p: p.pdi,
    "vitrification_offset": vitrification_offset_k,
    "curing_gas": lambda p: p.cure_gas_mol_kg,
    "k_vacuum": lambda p: p.k_radial_tape,
    "k_nitrogen": lambda p: p.k_radial_n2,
    "k_radial": k_scale,
    "external_h": external_h,
    "bore_view": lambda p: p.mandrel_w_k / (PARAMETERS["external_h"].value * 2.0 * pi * _BORE_M**2),
    "gap_factor": lambda p: p.gap_factor,
    "way_out": lambda p: p.tape_open,
    "circulation_push": lambda p: p.fan_pa,
    "flux_gain": lambda p: p.lel_gain,
    "thermocouple_offset": lambda p: p.load_offset_c,
    "contact_outer": lambda p: 1.0 - p.contact,
    "contact_edge": lambda p: 1.0 - p.contact,
    "contact_core": lambda p: 1.0 - p.core_contact,
    "cure_model_error": lambda p: p.rate_factor,  # of a batch against the coupons of its lot
}
TAKEN_AS_KNOWN: Final[dict[str, Number]] = {
    "bound_refill": lambda p: p.bound_half,
    "density_limit": lambda p: p.delta_max,
    "vitrification_width": vitrification_width_k,
    "glass_rise": lambda p: p.tg_rise_k * p.tg_dibenedetto / p.delta_max,
    "k_half_pressure": lambda p: 100.0 * p.k_half_mbar,
    "core_heat_per_area": lambda p: p.core_j_m2_k,
    "core_conductance": lambda p: p.core_w_k,
    "radiation_share": lambda p: (external_h(p) - p.h_natural_w_m2_k - p.h_fan_w_m2_k) / external_h(p),
    "vapour_diffusion": lambda p: p.n2_vapour_m2_s,
    "gas_viscosity": lambda p: p.gas_pa_s,
    "vapour_viscosity": lambda p: p.vapour_pa_s,
}
ALIKE: Final = {
    "drying_model_error": "what the drying law leaves out: the plant has another law",
    "thermocouple_model_error": "the same of five nodes of heat",
    "flux_model_error": "the same of one lumped film",
    "width_difference": "the plant has nodes over the width",
    "edge_path_factor": "likewise",
    "convection_half_pressure": "the plant has natural and forced convection, each with its own power of the density",
    "condensate_error": "a sum of instruments, each of which the plant has by itself",
    "flux_lag": "likewise",
    "load_apart": "a limit: what a resting load's thermocouples may be off",
    "load_follow": "a limit: the slowest roll; the plant's rolls follow as fast as their heat flows",
    "thermocouple_lag": "a constant of the instruments, the same in every world: 25 s",
    "polymer_density": "a handbook's number, the same on both sides",
    "polymer_heat": "likewise",
    "copper_density": "likewise",
    "copper_conductivity": "likewise",
    "copper_heat": "likewise",
}


def deviation(name: str, p: Parameters) -> float:
    """Return how many prior spreads the plant's number of ``name`` lies from the estimator's median."""
    row, number = PARAMETERS[name], COMPARED[name](p)
    return (log(number / row.value) if row.log else number - row.value) / row.spread
