"""The pointwise laws of film, gap and cure, for compiled code; each takes and returns plain numbers.

u is kg solvent per kg polymer. All laws are smooth or have a kink, hold for u slightly below zero (a solver's stage may go there) and
return something finite for every finite argument of the ranges named.
"""

from math import sqrt
from typing import Final

from controller.estimator.compiled import inlined, power_of_two

HARMLESS_U: Final = 0.005  # [assume] kg/kg at the foil: less is too little solvent to fill a blister
_ROUND = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer and leaves that in the lowest bits


@inlined
def exp(x: float) -> float:
    """Return e^x without a branch, so that loops over it become vector code.

    Relative error below 1e-10 (Chebyshev interpolation of degree 7 on +-ln(2)/2); x is kept within +-700.
    """
    x = min(max(x, -700.0), 700.0)
    shifted = x * 1.4426950408889634 + _ROUND
    r = x - (shifted - _ROUND) * 0.6931471805599453
    tail = 0.00833328344134861 + r * (0.0013948638144585487 + r * 0.00019907634721649543)
    tail = 0.16666666786651563 + r * (0.0416662174206888 + r * tail)
    return (0.9999999999593991 + r * (0.999999999995494 + r * (0.5000000108053198 + r * tail))) * power_of_two(shifted)


@inlined
def glass_share(inverse_k: float, glass_dry_inverse: float, glass_solvent_inverse: float) -> float:
    """Return the weight fraction of solvent at which the film turns to glass at T = 1/inverse_k (Fox); 0 above the dry film's."""
    return max((inverse_k - glass_dry_inverse) / (glass_solvent_inverse - glass_dry_inverse), 0.0)


@inlined
def diffusion_s(u: float, dry_s: float, swollen_s: float, glass_share_: float, slope_rubber: float, slope_extra: float) -> float:
    """Return L^2 / D(w, T): a glassy resistance in series with a swollen one, ``dry_s`` and ``swollen_s`` being their values at w = 0.

    The glassy one falls by slope_rubber + slope_extra per weight fraction up to the glass transition and by slope_rubber beyond.
    """
    fraction = u / (1.0 + u)
    return dry_s * exp(-(slope_rubber * fraction + slope_extra * min(fraction, glass_share_))) + swollen_s


@inlined
def release_s(inverse_k: float, rate_s: float, energy_k: float, reference_inverse_k: float) -> float:
    """Return the rate at which solvent on the polymer's sites becomes free, 1/s: ``rate_s`` at the reference temperature."""
    return rate_s * exp(energy_k * (reference_inverse_k - inverse_k))


@inlined
def empty_share(free: float, refill: float) -> float:
    """Return the share of the sites that are empty in equilibrium with ``free`` solvent, u: each ``refill`` leaves the e-th part."""
    return exp(-max(free, 0.0) / refill)


@inlined
def film_pressure_pa(u: float, saturation_pa: float, density_ratio: float, chi: float) -> float:
    """Return the vapour pressure over the film, a1 Psat, by Flory-Huggins for long chains: ln a1 = ln phi1 + phi2 + chi phi2^2."""
    polymer = density_ratio / (u + density_ratio)
    return saturation_pa * (1.0 - polymer) * exp(polymer + chi * polymer * polymer)


@inlined
def film_pressure_slope_pa(u: float, saturation_pa: float, density_ratio: float, chi: float) -> float:
    """Return d(a1 Psat)/du, never below zero: beyond chi = 1/2 a swollen film would separate, which the model does not follow."""
    polymer = density_ratio / (u + density_ratio)
    steep = saturation_pa * exp(polymer + chi * polymer * polymer) * polymer * polymer / density_ratio
    return steep * max(1.0 - (1.0 - polymer) * (1.0 + 2.0 * chi * polymer), 0.0)


@inlined
def gap_diffusion_m2_s(temp_k: float, knudsen_root: float, molecular_pa: float, inert_pa: float) -> float:
    """Return the diffusivity of vapour in the gap: Knudsen's, knudsen_root sqrt(T), in series with molecular diffusion in the inert gas.

    The molecular one is molecular_pa T^1.75 / inert_pa (Fuller's power of temperature).
    """
    root = sqrt(temp_k)
    knudsen = knudsen_root * root
    molecular = molecular_pa * temp_k * temp_k / (sqrt(root) * inert_pa)
    return knudsen * molecular / (knudsen + molecular)


@inlined
def gap_exchange_m2_s(
    temp_k: float, knudsen_root: float, molecular_pa: float, swept_m2_pa_s: float, pressure_pa: float, inert_pa: float
) -> float:
    """Return what carries vapour through the gap per pressure difference, m2/s: diffusion, and the gas that circulation blows through.

    Circulation pushes with the gas's density, so that the swept part fades with the pressure.
    """
    return gap_diffusion_m2_s(temp_k, knudsen_root, molecular_pa, inert_pa) + swept_m2_pa_s * pressure_pa


@inlined
def gap_drive(film_pa: float, pressure_pa: float, vapour_pa: float, diffusion_m2_s: float, viscous_m2_pa_s: float) -> float:
    """Return what drives the vapour out of the gap, Pa m2/s: diffusion, and viscous flow once the film boils against the chamber.

    (g^2/24 mu)(pc^2 - pe^2) + (g v/3)(pc - pe): slit flow with uniform generation; within a factor of two for uneven generation.
    """
    return diffusion_m2_s * (film_pa - vapour_pa) + viscous_m2_pa_s * max(film_pa * film_pa - pressure_pa * pressure_pa, 0.0)


@inlined
def gap_drive_slope(film_pa: float, pressure_pa: float, diffusion_m2_s: float, viscous_m2_pa_s: float) -> float:
    """Return the derivative of ``gap_drive`` by the film's pressure."""
    return diffusion_m2_s + (2.0 * viscous_m2_pa_s * film_pa if film_pa > pressure_pa else 0.0)


@inlined
def cure_rate(
    inverse_k: float, temp_k: float, u: float, left_log: float, rate_s: float, energy_k: float, reference_inverse_k: float,
    order: float, glass_dry_k: float, glass_solvent_k: float, rise_k: float, offset_k: float, width_k: float,
) -> float:  # fmt: skip
    """Return dq/dt for q = -ln(1 - x), x the share of the sites that has reacted: k(T) Phi(T - Tg) (1 - x)^(order - 1), order >= 1.

    Tg follows Fox in the weight fraction and rises by ``rise_k`` over the whole reaction; Phi is a half ``offset_k`` below Tg and falls
    by e per ``width_k`` from there.
    """
    fraction = u / (1.0 + u)
    dry_k = glass_dry_k + rise_k * (1.0 - exp(-left_log))
    glass_k = dry_k * glass_solvent_k / ((1.0 - fraction) * glass_solvent_k + fraction * dry_k)
    hindered = 1.0 + exp((glass_k - temp_k - offset_k) / width_k)
    return rate_s * exp(energy_k * (reference_inverse_k - inverse_k) - (order - 1.0) * left_log) / hindered
