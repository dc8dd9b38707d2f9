"""Crosslinking of the films and the gel that it gives: the plant's own law.

Rate: chemistry and mobility in series (Rabinowitch), mobility by a WLF form on both sides of the glass transition (Wise, Cook and Goodwin,
Polymer 38 (1997) 3251); the glass transition by DiBenedetto in the conversion and Gordon-Taylor in the solvent; order in the sites left.
Gel: Schulz-Zimm primary chains of polydispersity (k+1)/k, s = [1 + delta (1-s)/(k+1)]^-(k+1) (Macosko and Miller 1976; Charlesby and Pinner
1959 for k = 1), scission by thinning the crosslinks that count.
"""

from math import exp
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from controller.units import R_J_PER_MOL_K, kelvin
from sim.plant.jit import compiled, part
from sim.plant.parameters import Parameters

Array = npt.NDArray[np.float64]
_T_REF_K = 513.15  # 240 degC
_K0, _E_K, _KD, _C1, _C2, _TG0, _RISE, _LAMBDA, _GT, _TG1, _MAX, _ORDER = range(12)


class CureLaw(NamedTuple):
    """The numbers of the rate as the kernel takes them (as an array, in this order)."""

    k0_1_s: float
    e_k: float
    mobility_1_s: float
    wlf_1: float
    wlf_2_k: float
    tg_dry_k: float
    tg_rise_k: float
    dibenedetto: float
    gordon_taylor: float
    tg_solvent_k: float
    delta_max: float
    order: float

    @property
    def array(self) -> Array:
        """Return the numbers for the kernel."""
        return np.array(self, dtype=np.float64)


def law_of(p: Parameters) -> CureLaw:
    """Return the rate's law for ``p``: chemistry alone would gel a dry film in ``gel_h_240c`` at 240 degC."""
    k0_1_s = p.rate_factor / (p.gel_h_240c * 3600.0)
    return CureLaw(
        k0_1_s, p.cure_j_mol / R_J_PER_MOL_K, p.vitrify_factor * k0_1_s, p.vitrify_wlf, p.vitrify_wlf_k, kelvin(p.tg_dry_c), p.tg_rise_k,
        p.tg_dibenedetto, p.tg_gordon_taylor, kelvin(p.tg_solvent_c), p.delta_max, p.cure_order,
    )  # fmt: skip


@part
def rate(temp_k: float, solvent_fraction: float, delta: float, law: Array) -> float:
    """Return d delta/dt in 1/s at ``temp_k`` with ``solvent_fraction`` (by weight) in the film."""
    left = 1.0 - delta / law[_MAX]
    if left <= 0.0:
        return 0.0
    chemistry = law[_K0] * exp(law[_E_K] * (1.0 / _T_REF_K - 1.0 / temp_k))
    reacted = 1.0 - left
    dry_k = law[_TG0] + law[_RISE] * law[_LAMBDA] * reacted / (1.0 - (1.0 - law[_LAMBDA]) * reacted)
    solvent = law[_GT] * solvent_fraction
    tg_k = (solvent * law[_TG1] + (1.0 - solvent_fraction) * dry_k) / (solvent + 1.0 - solvent_fraction)
    above = temp_k - tg_k
    mobility = law[_KD] * exp(law[_C1] * above / (law[_C2] + abs(above)))
    return chemistry * mobility / (chemistry + mobility) * left ** law[_ORDER]  # type: ignore[no-any-return]


@compiled("void(float64[::1], float64[:, ::1], float64[:, ::1], float64[::1], float64[::1], float64, float64[::1], float64[::1])")
def advance(deltas: Array, free: Array, bound: Array, cells: Array, temps_c: Array, dt_s: float, law: Array, gains: Array) -> None:
    """Advance ``deltas`` ([film]) by ``dt_s`` at the films' mean solvent content (midpoint rule); ``gains`` is what each gained."""
    for i in range(deltas.shape[0]):
        wet = 0.0
        for j in range(cells.shape[0]):
            wet += cells[j] * (free[i, j] + bound[i, j])
        fraction, temp_k = wet / (1.0 + wet), temps_c[i] + 273.15
        middle = deltas[i] + 0.5 * dt_s * rate(temp_k, fraction, deltas[i], law)
        gains[i] = dt_s * rate(temp_k, fraction, middle, law)
        deltas[i] += gains[i]


def gel_fraction(delta: float, pdi: float, scission: float = 0.0) -> float:
    """Return the insoluble fraction for ``delta`` crosslinked units per weight-average chain, 0 below the gel point.

    ``pdi`` = 1 is monodisperse (k -> infinity). ``scission`` is p0/q0 of Charlesby and Pinner; exact for pdi 2, an approximation otherwise.
    """
    delta = delta / (1.0 + 0.5 * scission * delta)
    if delta <= 1.0:
        return 0.0
    k1 = pdi / (pdi - 1.0) if pdi > 1.0 + 1e-9 else None  # k + 1
    low, high = 0.0, 1.0 - 1e-12
    # s = f(s) has the root below 1 that is wanted; f(s) > s below it, f(s) < s above. Bisection never takes the root at 1.
    for _ in range(60):
        s = 0.5 * (low + high)
        f = exp(-delta * (1.0 - s)) if k1 is None else (1.0 + delta * (1.0 - s) / k1) ** -k1
        if f > s:
            low = s
        else:
            high = s
    return 1.0 - 0.5 * (low + high)
