"""The solvent inside the films, resolved over their thickness: free-volume diffusion of the free part, release of the bound part.

Films stand in rows, cells in columns from the foil (impermeable) to the free face. The coordinate is the dry polymer's thickness, which
moves with the film as it shrinks; there the flux is D rho phi_p^2 du/dxi, u in kg solvent per kg polymer (Crank, The Mathematics of
Diffusion, section 10.6). One implicit step is two calls: ``prepare`` eliminates the cells and leaves each film's flux as a linear function
of the vapour pressure in its gap, flux = a - b p; ``finish`` takes that pressure and fills in the cells. What leaves is booked exactly.
"""

from math import exp
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from controller.units import R_J_PER_MOL_K
from sim.plant.jit import compiled, part
from sim.plant.parameters import Parameters

Array = npt.NDArray[np.float64]
T_DRY_K = 473.15  # where the dry film's diffusivity is given
_T_BOUND_K = 513.15  # where the release of bound solvent is given
(_D0, _E_K, _XI_V2, _V1, _K11, _K21, _K12, _K22, _TG2, _GLASS, _CHI, _CHI_K, _RATIO, _ANT_A, _ANT_B, _ANT_C, _PSAT, _CAPACITY, _HALF,
 _RELEASE, _RELEASE_K, _RHO) = range(22)  # fmt: skip


class FilmLaw(NamedTuple):
    """The numbers of diffusion, sorption and release as the kernels take them (as an array, in this order)."""

    d0_m2_s: float
    e_k: float
    xi_v2_cm3_g: float
    v1_cm3_g: float
    k11_cm3_g_k: float
    k21_tg1_k: float
    k12_cm3_g_k: float
    k22_k: float
    tg2_k: float
    glass_share: float
    chi: float
    chi_k: float
    density_ratio: float
    antoine_a: float
    antoine_b_k: float
    antoine_c_k: float
    psat_factor: float
    bound_capacity: float
    bound_half: float
    release_1_s: float
    release_k: float
    film_kg_m3: float

    @property
    def array(self) -> Array:
        """Return the numbers for a kernel."""
        return np.array(self, dtype=np.float64)


def law_of(p: Parameters) -> FilmLaw:
    """Return the law of a film with ``p``; the pre-exponential is what gives ``diffusivity_m2_s`` in the dry film at 200 degC."""
    e_k = p.diffusivity_j_mol / R_J_PER_MOL_K
    law = FilmLaw(
        1.0, e_k, p.fv_ratio * p.fv_polymer_cm3_g, p.fv_solvent_cm3_g, p.fv_k11_cm3_g_k, p.fv_k21_tg1_k, p.fv_k12_cm3_g_k, p.fv_k22_k,
        p.tg_dry_c + 273.15, p.fv_glass, p.chi, p.chi_slope_k, p.film_kg_m3 / p.solvent_kg_m3, p.antoine_a, p.antoine_b_k,
        p.antoine_c_k, p.psat_factor, p.bound_capacity, p.bound_half, p.bound_rate_1_s, p.bound_j_mol / R_J_PER_MOL_K, p.film_kg_m3,
    )  # fmt: skip
    return law._replace(d0_m2_s=p.diffusivity_m2_s / self_diffusivity(0.0, T_DRY_K, law.array))


@compiled("float64(float64, float64, float64[::1])")
def self_diffusivity(solvent_fraction: float, temp_k: float, law: Array) -> float:
    """Return the solvent's self-diffusivity in m2/s for its weight fraction (0-0.6) and ``temp_k``.

    Vrentas and Duda, J. Polym. Sci. Polym. Phys. Ed. 15 (1977) 403; below the dry film's Tg the holes shrink only by ``glass_share``
    of what they would in the melt (Vrentas and Vrentas, Macromolecules 27 (1994) 4684).
    """
    w1, w2 = solvent_fraction, 1.0 - solvent_fraction
    above = temp_k - law[_TG2]
    if above < 0.0:
        above *= law[_GLASS]
    polymer = law[_K22] + above
    solvent = law[_K21] + temp_k
    holes = w1 * law[_K11] * (solvent if solvent > 1.0 else 1.0) + w2 * law[_K12] * (polymer if polymer > 5.0 else 5.0)
    return law[_D0] * exp(-law[_E_K] / temp_k - (w1 * law[_V1] + w2 * law[_XI_V2]) / holes)  # type: ignore[no-any-return]


@part
def secant_pa(free: float, temp_k: float, law: Array) -> float:
    """Return the vapour pressure over the film per kg/kg of free solvent, Pa: Flory-Huggins with chi(T), infinite chains."""
    psat_pa = law[_PSAT] * exp(law[_ANT_A] - law[_ANT_B] / (temp_k + law[_ANT_C]))
    polymer = 1.0 / (1.0 + law[_RATIO] * free)
    chi = law[_CHI] + law[_CHI_K] * (1.0 / temp_k - 1.0 / T_DRY_K)
    return psat_pa * law[_RATIO] * polymer * exp(polymer * (1.0 + chi * polymer))  # type: ignore[no-any-return]


@part
def _mobility(free: float, bound: float, temp_k: float, law: Array) -> float:
    """Return D rho phi_p^2 in kg/(m s) per kg/kg: mutual diffusion in the coordinate of the dry polymer."""
    wet = free + bound
    polymer = 1.0 / (1.0 + law[_RATIO] * wet)
    chi = law[_CHI] + law[_CHI_K] * (1.0 / temp_k - 1.0 / T_DRY_K)
    thermodynamic = 1.0 - 2.0 * chi * (1.0 - polymer)
    if thermodynamic < 0.1:  # a film wetter than the law's range does not unmix
        thermodynamic = 0.1
    square = polymer * polymer
    return self_diffusivity(wet / (1.0 + wet), temp_k, law) * square * thermodynamic * square * law[_RHO]  # type: ignore[no-any-return]


@compiled("void(float64[:, ::1], float64[:, ::1], float64[::1], float64, float64[::1], float64, float64[::1], float64[:, ::1], "
          "float64[:, ::1], float64[:, ::1], float64[:, ::1])")  # fmt: skip
def prepare(free: Array, bound: Array, temps_c: Array, dt_s: float, cells: Array, thick_m: float, law: Array, ratio: Array, part: Array,
            face: Array, response: Array) -> None:  # fmt: skip
    """Exchange bound and free solvent over ``dt_s`` and eliminate the cells of every film.

    ``free``, ``bound``: kg/kg, [film, cell]; ``cells``: shares of the dry thickness ``thick_m``. Leaves ``ratio`` and ``part`` (the
    elimination, [film, cell]), ``face`` ([film, 2]: face conductance kg/m2s per kg/kg, secant Pa) and ``response`` ([film, 2]: a in
    kg/m2s and b in kg/m2s/Pa of flux = a - b p).
    """
    last = cells.shape[0] - 1
    for i in range(free.shape[0]):
        temp_k = temps_c[i] + 273.15
        x = law[_RELEASE] * exp(law[_RELEASE_K] * (1.0 / _T_BOUND_K - 1.0 / temp_k)) * dt_s
        share = x / (1.0 + x)
        below = mass = 0.0
        for j in range(last + 1):
            held = free[i, j] + bound[i, j]
            moved = (bound[i, j] - law[_CAPACITY] * free[i, j] / (free[i, j] + law[_HALF])) * share
            if moved < -0.5 * free[i, j]:
                moved = -0.5 * free[i, j]
            free[i, j] += moved
            bound[i, j] = held - free[i, j]
            mobility = _mobility(free[i, j], bound[i, j], temp_k, law)
            half = 0.5 * cells[j] * thick_m / mobility
            mass = cells[j] * thick_m * law[_RHO] / dt_s
            if j == 0:
                ratio[i, j], part[i, j] = 0.0, mass
                known = mass * free[i, j]
            else:
                k = 1.0 / (below + half)
                pivot = part[i, j - 1] + k
                known = mass * free[i, j] + k * ratio[i, j - 1] / pivot
                part[i, j - 1], part[i, j] = k / pivot, mass + k - k * k / pivot
                ratio[i, j - 1] /= pivot
            ratio[i, j] = known
            below = half
        secant = secant_pa(free[i, last], temp_k, law)
        skin = 1.0 / below
        pivot = part[i, last] + skin
        face[i, 0], face[i, 1] = skin, secant
        response[i, 0] = skin * ratio[i, last] / pivot
        response[i, 1] = skin / secant * (1.0 - skin / pivot)
        ratio[i, last] /= pivot
        part[i, last] = skin / pivot


@compiled("void(float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[::1])")
def finish(free: Array, ratio: Array, part: Array, face: Array, gap_pa: Array) -> None:
    """Fill in ``free`` after the step, kg/kg, for the vapour pressures ``gap_pa`` in the films' gaps."""
    last = free.shape[1] - 1
    for i in range(free.shape[0]):
        free[i, last] = ratio[i, last] + part[i, last] * gap_pa[i] / face[i, 1]
        for j in range(last - 1, -1, -1):
            free[i, j] = ratio[i, j] + part[i, j] * free[i, j + 1]


@compiled("Tuple((float64, float64, float64))(float64[:, ::1], float64[::1], float64[::1], float64, float64[:, ::1], float64[:, ::1], "
          "float64[::1], float64[::1], float64[::1], float64[::1])")  # fmt: skip
def sums(response: Array, gap_pa: Array, areas_m2: Array, solvent_j_kg: float, free: Array, bound: Array, cells: Array, gains: Array,
         polymer_kg: Array, latent_w: Array) -> tuple[float, float, float]:  # fmt: skip
    """Fill ``latent_w`` with what evaporation takes from each film; return its sum, the wettest film, kg/kg, and what cured, kg."""
    total_w = wettest = cured_kg = 0.0
    for i in range(gap_pa.shape[0]):
        latent_w[i] = (response[i, 0] - response[i, 1] * gap_pa[i]) * (areas_m2[i] * solvent_j_kg)
        total_w += latent_w[i]
        wet = 0.0
        for j in range(cells.shape[0]):
            wet += cells[j] * (free[i, j] + bound[i, j])
        wettest = max(wettest, wet)
        cured_kg += gains[i] * polymer_kg[i]
    return total_w, wettest, cured_kg
