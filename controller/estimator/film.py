"""The drying film: one lumped layer per zone, its slow diffusion mode in series with the way of the vapour out of the roll.

The seam to a film resolved over its thickness: ``Film`` (constants), ``warm`` (what the temperature decides), ``vapour_pressure_pa`` and
``dry`` (one time step). Whoever resolves it gives ``solvent`` one more axis inside this file. Arrays are (zones, members); u is kg solvent
per kg polymer, w = u/(1+u) the weight fraction. Valid for w < 0.5 and 0-300 degC.
"""

from math import exp, pi
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator.parameters import value
from controller.solvents import Solvent, density_g_cm3
from controller.units import R_J_PER_MOL_K, kelvin

Array = NDArray[np.float64]

_GLASS_SLOPE = value("diffusion_slope_glass")
_RUBBER_SLOPE = value("diffusion_slope_rubber")
_PROBE_LOG = 0.1
_PROBE = exp(-_PROBE_LOG)
_LOSS = 0.4  # share of the solvent that one part of a step may take
_MOST_PARTS = 16
_TRACE = 1e-4  # u below which nothing is resolved
_DRY_REF_K = kelvin(200.0)
_SWOLLEN_REF_K = kelvin(100.0)
_DRY_ENERGY_K = 1e3 * value("diffusion_energy_dry") / R_J_PER_MOL_K
_SWOLLEN_ENERGY_K = 1e3 * value("diffusion_energy_swollen") / R_J_PER_MOL_K


class Film(NamedTuple):
    """A film's constants; (members,) or plain numbers."""

    polymer_kg_m2: float
    molar_mass_kg_mol: float
    density_ratio: float  # solvent to polymer
    diffusion_time_dry_s: float  # 4 L^2 / (pi^2 D), dry film at 200 degC
    diffusion_time_swollen_s: float  # the same, swollen film at 100 degC
    chi: Array
    log_saturation_a: Array  # Antoine A plus the logarithm of the member's factor
    antoine_b_k: float
    antoine_c_k: float
    glass_dry_inverse: float  # 1/K
    glass_solvent_inverse: float  # 1/K

    @classmethod
    def of(cls, solvent: Solvent, film_um: float, diffusion_m2_s: float, chi: Array, saturation: Array) -> "Film":
        """Return a load's film; ``diffusion_m2_s`` is that of the dry film at 200 degC, before the members' scale."""
        square = 4 * (film_um * 1e-6) ** 2 / pi**2
        return cls(
            polymer_kg_m2=value("polymer_density") * 1e3 * film_um * 1e-6,
            molar_mass_kg_mol=solvent.molar_mass_g_mol / 1e3,
            density_ratio=density_g_cm3(solvent, 150.0) / value("polymer_density"),
            diffusion_time_dry_s=square / diffusion_m2_s,
            diffusion_time_swollen_s=square / value("diffusion_swollen"),
            chi=chi,
            log_saturation_a=solvent.antoine_a + np.log(saturation),
            antoine_b_k=solvent.antoine_b_k,
            antoine_c_k=solvent.antoine_c_k,
            glass_dry_inverse=1 / value("glass_dry"),
            glass_solvent_inverse=1 / solvent.glass_k,
        )


class Warm(NamedTuple):
    """What the temperature alone decides, (zones, members)."""

    saturation_pa: Array
    dry_s: Array  # diffusion time of the dry film
    swollen_s: Array  # diffusion time of the swollen film
    slope_extra: Array  # d ln D / dw in the glass beyond the rubber's, (members,)
    glass_fraction: Array  # w at which the film turns to glass at this temperature (Fox)


def warm(film: Film, temp_k: Array, inverse_k: Array, log_dry: Array, log_swollen: Array, log_slope: Array) -> Warm:
    """Return the film's properties at ``temp_k``.

    ``inverse_k`` is 1/temp_k; ``log_dry``, ``log_swollen`` and ``log_slope`` are the logarithms of the members' diffusion scales.
    """
    fox = (inverse_k - film.glass_dry_inverse) / (film.glass_solvent_inverse - film.glass_dry_inverse)
    return Warm(
        saturation_pa=np.exp(film.log_saturation_a - film.antoine_b_k / (temp_k + film.antoine_c_k)),
        dry_s=film.diffusion_time_dry_s * np.exp(_DRY_ENERGY_K * (inverse_k - 1 / _DRY_REF_K) - log_dry),
        swollen_s=film.diffusion_time_swollen_s * np.exp(_SWOLLEN_ENERGY_K * (inverse_k - 1 / _SWOLLEN_REF_K) - log_swollen),
        slope_extra=_GLASS_SLOPE * np.exp(log_slope) - _RUBBER_SLOPE,
        glass_fraction=np.maximum(fox, 0.0),
    )


def henry_pa(film: Film, at: Warm, solvent: Array) -> Array:
    """Return vapour pressure over the film per u, a1 Psat / u, by Flory-Huggins with long chains: ln a1 = ln phi1 + phi2 + chi phi2^2."""
    total = solvent + film.density_ratio
    polymer = film.density_ratio / total
    return at.saturation_pa / total * np.exp(polymer + film.chi * polymer * polymer)


def vapour_pressure_pa(film: Film, at: Warm, solvent: Array) -> Array:
    """Return the solvent's vapour pressure over the film."""
    return solvent * henry_pa(film, at, solvent)


def diffusion_s(at: Warm, solvent: Array) -> Array:
    """Return the time constant of the slowest diffusion mode at mean composition, 4 L^2 / (pi^2 D(w, T)).

    1/D adds a glassy resistance, which falls by 92 per weight fraction up to the glass transition and by 20 beyond, and a swollen one.
    """
    fraction = solvent / (1 + solvent)
    exponent = _RUBBER_SLOPE * fraction + at.slope_extra * np.minimum(fraction, at.glass_fraction)
    return at.dry_s * np.exp(-exponent) + at.swollen_s


def relaxation(film: Film, at: Warm, solvent: Array, way_out: Array, vapour_pa: float) -> tuple[Array, Array]:
    """Return rate (1/s) and end point (u) towards which the film moves now: du/dt = rate (end - u).

    ``way_out`` is the conductance of the gap in mol/(m2 s Pa), ``vapour_pa`` the solvent's partial pressure in the chamber.
    """
    slope = henry_pa(film, at, solvent)
    leaving_s = film.polymer_kg_m2 / (film.molar_mass_kg_mol * way_out * slope)
    return 1 / (diffusion_s(at, solvent) + leaving_s), vapour_pa / slope


def dry(film: Film, at: Warm, solvent: Array, way_out: Array, vapour_pa: float, dt_s: float) -> Array:
    """Return u after ``dt_s``: never past the end point, never negative, for any step.

    Along the way the rate falls with what is left, r ~ (u - end)^beta, steeply where the film turns to glass; a step is exact for such a
    law, with beta from a probe ten percent on. While the fastest member would lose more than a third, the step is split.
    """
    left_s = dt_s
    for number in range(_MOST_PARTS):
        rate, end = relaxation(film, at, solvent, way_out, vapour_pa)
        above = solvent - end
        fastest = float((rate * np.abs(above) / np.maximum(solvent, _TRACE)).max())
        part_s = left_s if fastest * left_s <= _LOSS or number == _MOST_PARTS - 1 else _LOSS / fastest
        probed, _ = relaxation(film, at, end + above * _PROBE, way_out, vapour_pa)
        now = rate * part_s
        slowing = np.maximum(np.log(rate / probed) * (now * (1 / _PROBE_LOG)), -0.5) + 1e-9
        solvent = end + above * np.exp(-now * np.log1p(slowing) / slowing)
        left_s -= part_s
        if left_s <= 0:
            break
    return solvent
