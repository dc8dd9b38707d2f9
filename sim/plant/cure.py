"""Crosslinking of one film and the gel that it gives: the plant's own law.

Rate: chemistry and mobility in series (Rabinowitch), mobility falling exponentially below the glass transition; order in the sites left.
Gel: Schulz-Zimm primary chains of polydispersity (k+1)/k, s = [1 + delta (1-s)/(k+1)]^-(k+1) (Macosko and Miller 1976; Charlesby and Pinner
1959 for k = 1), scission by thinning the crosslinks that count.
"""

from math import exp

from controller.units import R_J_PER_MOL_K, kelvin
from sim.plant.parameters import Parameters

_T_REF_K = 513.15  # 240 degC


class Cure:
    """Crosslinking rate of a film that has ``Parameters``; the state is a plain delta held by the caller."""

    __slots__ = ("_delta_max", "_e_k", "_k0_1_s", "_mobility_1_s", "_order", "_tg_dry_k", "_tg_per_delta", "_tg_solvent_k", "_vitrify_k")

    def __init__(self, parameters: Parameters) -> None:
        """Scale the rate so that a dry film would gel in about ``gel_h_240c`` at 240 degC (vitrification adds a little)."""
        p = parameters
        self._k0_1_s = 1.0 / (p.gel_h_240c * 3600.0)
        self._e_k = p.cure_j_mol / R_J_PER_MOL_K
        self._mobility_1_s = p.vitrify_factor * self._k0_1_s
        self._delta_max, self._order = p.delta_max, p.cure_order
        self._tg_dry_k, self._tg_solvent_k = kelvin(p.tg_dry_c), kelvin(p.tg_solvent_c)
        self._tg_per_delta, self._vitrify_k = p.tg_per_delta_c, p.vitrify_c

    def rate(self, temp_k: float, solvent_fraction: float, delta: float) -> float:
        """Return d delta/dt in 1/s at ``temp_k`` with ``solvent_fraction`` (by weight) in the film."""
        chemistry = self._k0_1_s * exp(self._e_k * (1.0 / _T_REF_K - 1.0 / temp_k))
        tg_k = 1.0 / ((1.0 - solvent_fraction) / (self._tg_dry_k + self._tg_per_delta * delta) + solvent_fraction / self._tg_solvent_k)
        below = (temp_k - tg_k) / self._vitrify_k
        mobility = self._mobility_1_s * (exp(below) if below < 6.0 else 400.0)
        left = 1.0 - delta / self._delta_max
        if left <= 0.0:
            return 0.0
        return float(chemistry * mobility / (chemistry + mobility) * left**self._order)


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
