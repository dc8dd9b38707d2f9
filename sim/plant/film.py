"""The solvent in one film: bound and free pools, free-volume diffusion, a moving film and the gap's transport resistance.

Deliberately another structure than a Flory-Huggins film with one diffusing species: some solvent sits on sites and must first be released,
the free part follows the linear driving force (Glueckauf, first eigenvalue pi^2/4 of a one-sided film) with a free-volume diffusivity
(Vrentas-Duda form), and then has to leave through the gap between two turns by diffusion, Knudsen flow and, when it boils, pressure.
"""

from math import exp, pi, sqrt

from controller.units import ATMOSPHERE_MBAR, PA_PER_MBAR, R_J_PER_MOL_K
from sim.plant.cure import Cure, gel_fraction
from sim.plant.parameters import Parameters
from sim.plant.roll import Roll

_T_BOUND_K = 513.15
_T_DRY_K = 473.15
_ATMOSPHERE_PA = ATMOSPHERE_MBAR * PA_PER_MBAR
_FLUX_SHARE_1_S = 0.05  # of the free solvent, the fastest that a film may lose or gain: keeps a step of 10 s stable


class Film:
    """Film of one part of the roll.

    ``flux_kg_s`` (solvent leaving) and ``gas_mol_s`` (curing gas) hold between two updates; ``pending_s`` x flux has left since then.
    """

    __slots__ = ("_capture_m2", "_cure", "_gap_m", "_half_m", "_p", "_thick_m", "_width_m", "area_m2", "bound", "delta", "flux_kg_s",
                 "free", "gas_mol_s", "pending_s", "polymer_kg")  # fmt: skip

    def __init__(self, parameters: Parameters, roll: Roll, share: float) -> None:
        """Wet ``share`` of the roll's film with the roll's residual solvent, sites in equilibrium with the free part."""
        p = parameters
        self._p, self._cure = p, Cure(p)
        self.area_m2 = roll.area_m2 * share
        self._thick_m = roll.film_um * 1e-6
        self.polymer_kg = self.area_m2 * self._thick_m * p.film_kg_m3
        self._gap_m, self._half_m, self._width_m = roll.gap_um * 1e-6, 0.5 * roll.width_m, roll.width_m
        self._capture_m2 = self.area_m2 * p.tape_open
        total = roll.residual_wt_pct / (100.0 - roll.residual_wt_pct)
        # free + capacity free/(free + half) = total
        b = p.bound_half + p.bound_capacity - total
        self.free = 0.5 * (-b + sqrt(b * b + 4.0 * total * p.bound_half))
        self.bound = total - self.free
        self.delta = p.delta_start
        self.flux_kg_s, self.gas_mol_s, self.pending_s = 0.0, 0.0, 0.0

    @property
    def solvent_kg(self) -> float:
        """Return the solvent in the film now, kg."""
        return (self.free + self.bound) * self.polymer_kg - self.flux_kg_s * self.pending_s

    @property
    def residual(self) -> float:
        """Return the weight fraction of solvent in the film now."""
        solvent = self.solvent_kg
        return solvent / (solvent + self.polymer_kg) if self.polymer_kg > 0.0 else 0.0

    @property
    def insoluble(self) -> float:
        """Return the insoluble (gel) fraction."""
        return gel_fraction(self.delta, self._p.pdi, self._p.scission)

    def update(self, temp_c: float, pressure_pa: float, vapour_pa: float, fan: float) -> None:
        """Book what left since the last update and find the new rates for a film at ``temp_c`` in the chamber's gas (``fan`` 0-1)."""
        p = self._p
        dt_s, self.pending_s = self.pending_s, 0.0
        temp_k = temp_c + 273.15
        wet = self.free + self.bound
        solvent_fraction = wet / (1.0 + wet)
        free, bound = self.free - self.flux_kg_s * dt_s / self.polymer_kg, self.bound
        release = p.bound_rate_1_s * exp(p.bound_j_mol / R_J_PER_MOL_K * (1.0 / _T_BOUND_K - 1.0 / temp_k))
        sites = p.bound_capacity * free / (free + p.bound_half)
        moved = (bound - sites) * release * dt_s / (1.0 + release * dt_s)
        self.free, self.bound = free + moved, bound - moved
        rate = self._cure.rate(temp_k, solvent_fraction, self.delta)
        self.delta += rate * dt_s
        self.gas_mol_s = rate * p.cure_gas_mol_kg * self.polymer_kg
        self.flux_kg_s = self._flux(temp_k, solvent_fraction, pressure_pa, vapour_pa, fan)

    def _flux(self, temp_k: float, solvent_fraction: float, pressure_pa: float, vapour_pa: float, fan: float) -> float:
        p, free = self._p, self.free
        psat_pa = p.psat_factor * exp(p.antoine_a - p.antoine_b_k / (temp_k + p.antoine_c_k))
        kappa = p.sorption * exp(p.sorption_slope_k * (1.0 / temp_k - 1.0 / _T_DRY_K))
        slope_pa = psat_pa * kappa / (1.0 + kappa * free)  # vapour pressure per kg/kg of free solvent (secant)
        holes = p.free_volume + p.free_volume_1_k * (temp_k - _T_DRY_K) + p.free_volume_solvent * solvent_fraction
        if holes < 0.015:
            holes = 0.015
        jump = exp(
            p.diffusivity_j_mol / R_J_PER_MOL_K * (1.0 / _T_DRY_K - 1.0 / temp_k) + p.free_volume_need * (1.0 / p.free_volume - 1.0 / holes)
        )
        thick_m = self._thick_m * (1.0 + (free + self.bound) * p.film_kg_m3 / p.solvent_kg_m3)  # the film shrinks as it dries
        film_kg_s = 0.25 * pi * pi * p.diffusivity_m2_s * jump / (thick_m * thick_m) * self.polymer_kg  # per kg/kg
        gap, viscous = self._gap(temp_k, pressure_pa, slope_pa * free, fan)
        flux = (gap * (slope_pa * free - vapour_pa)) / (1.0 + gap * slope_pa / film_kg_s)
        surface_pa = slope_pa * (free - flux / film_kg_s)
        if surface_pa > pressure_pa:  # it boils: the vapour pushes the gas out of the gap
            both = gap + viscous
            flux = (both * slope_pa * free - gap * vapour_pa - viscous * pressure_pa) / (1.0 + both * slope_pa / film_kg_s)
        limit = _FLUX_SHARE_1_S * free * self.polymer_kg
        return limit if flux > limit else flux

    def _gap(self, temp_k: float, pressure_pa: float, equilibrium_pa: float, fan: float) -> tuple[float, float]:
        """Return the gap's conductances in kg/(s Pa): for the partial pressure, and for the total pressure of a boiling film.

        Uniform generation over the half width a: mean of diffusion 3 g D/(R T a^2), viscous 2 g/(a^2 R T) g^2/(24 mu) (p1 + p2).
        """
        p, g = self._p, self._gap_m
        knudsen = g / 3.0 * sqrt(8.0 * R_J_PER_MOL_K * temp_k / (pi * p.solvent_kg_mol))
        low_pa = pressure_pa if pressure_pa > 1.0 else 1.0
        free_m2_s = p.n2_vapour_m2_s * (temp_k / _T_DRY_K) ** 1.75 * _ATMOSPHERE_PA / low_pa
        diffusion = free_m2_s * knudsen / (free_m2_s + knudsen)
        per_area = self._capture_m2 * p.solvent_kg_mol / (R_J_PER_MOL_K * temp_k)
        half2 = self._half_m * self._half_m
        swept = g * g * g * p.fan_pa * fan * pressure_pa / _ATMOSPHERE_PA / (12.0 * p.gas_pa_s * self._width_m * self._width_m)
        viscous = 2.0 * g * g * g / (24.0 * p.gas_pa_s * half2) * (equilibrium_pa + pressure_pa)
        return per_area * (3.0 * g * diffusion / half2 + swept), per_area * viscous
