"""Crosslinking and gel: from the film's temperature history to the insoluble fraction.

``delta`` is the number of crosslinked units per weight-average primary chain; the film gels at delta = 1. Rate: Arrhenius around 240 degC,
order n in the sites left, slowed below the glass transition. The calibrated rate is that of a dry film at 240 degC, as a coupon shows it.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from controller.estimator.parameters import value
from controller.solvents import Solvent
from controller.units import R_J_PER_MOL_K, kelvin

Array = NDArray[np.float64]

REFERENCE_K: Final = kelvin(240.0)
LIMIT: Final = value("density_limit")
_OFFSET_K = value("vitrification_offset")
_WIDTH_K = value("vitrification_width")
_RISE_K = value("glass_rise") * LIMIT


class Cure(NamedTuple):
    """The constants of crosslinking and gel; arrays are (members,)."""

    rate_s: Array  # d delta / dt at the start, dry film, 240 degC
    energy_k: Array  # E / R
    order: float
    glass_dry_k: float
    glass_solvent_k: float
    polydispersity: float
    scission_ratio: float

    @classmethod
    def of(
        cls, solvent: Solvent, rate_s: Array, energy_kj_mol: Array, order: float, polydispersity: float, scission_ratio: float
    ) -> "Cure":
        """Return the constants for a polymer cast from ``solvent``."""
        energy_k = 1e3 * energy_kj_mol / R_J_PER_MOL_K
        return cls(rate_s, energy_k, order, value("glass_dry"), solvent.glass_k, polydispersity, scission_ratio)


def arrhenius(temp_k: ArrayLike, rate_ref: ArrayLike, energy_k: ArrayLike, reference_k: float = REFERENCE_K) -> Array:
    """Return the rate constant at ``temp_k``: rate_ref exp[-E/R (1/T - 1/T_ref)]; ``energy_k`` is E/R in K."""
    return np.asarray(rate_ref * np.exp(np.asarray(energy_k) * (1 / reference_k - 1 / np.asarray(temp_k))), dtype=np.float64)


def mobility(above_glass_k: ArrayLike) -> Array:
    """Return the factor Phi(T - Tg): 1 well above the glass transition, a half 80 K below it, falling tenfold per 46 K from there."""
    return np.asarray(1 / (1 + np.exp((-_OFFSET_K - np.asarray(above_glass_k)) / _WIDTH_K)), dtype=np.float64)


def rate_for_gel_time(gel_time_s: Array, order: float) -> Array:
    """Return the initial rate d delta/dt which reaches delta = 1 after ``gel_time_s`` at 240 degC, dry."""
    return LIMIT * _site_time(1 - 1 / LIMIT, order) / gel_time_s


def _site_time(left: ArrayLike, order: float) -> Array:
    """Return the integral of dx/(1-x)^n from 0 until the fraction ``left`` of the sites is left."""
    if order == 1.0:
        return np.asarray(-np.log(left), dtype=np.float64)
    return np.asarray((np.power(left, 1 - order) - 1) / (order - 1), dtype=np.float64)


def site_rate(cure: Cure, temp_k: Array, inverse_k: Array, fraction: Array, conversion: Array) -> Array:
    """Return k Phi / LIMIT in 1/s, so that dx/dt = rate (1-x)^n; shape (zones, members).

    The glass transition follows Fox in the solvent's weight ``fraction`` and rises with crosslinking.
    """
    dry_k = cure.glass_dry_k + _RISE_K * conversion
    glass_k = 1 / ((1 - fraction) / dry_k + fraction / cure.glass_solvent_k)
    hindered = 1 + np.exp((glass_k - temp_k - _OFFSET_K) / _WIDTH_K)  # 1 / Phi
    hindered_ref = 1 + np.exp((cure.glass_dry_k - REFERENCE_K - _OFFSET_K) / _WIDTH_K)
    rate: Array = cure.rate_s * (hindered_ref / LIMIT) * np.exp(cure.energy_k * (1 / REFERENCE_K - inverse_k)) / hindered
    return rate


def crosslink(cure: Cure, conversion: Array, rate: Array, dt_s: float) -> Array:
    """Return the conversion of the sites after ``dt_s`` at a constant ``rate``; exact for every order n >= 1."""
    left = 1 - conversion
    if cure.order == 1.0:
        return 1 - left * np.exp(rate * -dt_s)
    power = cure.order - 1
    return 1 - left * np.power(1 + (power * dt_s) * rate * np.power(left, power), -1 / power)


def time_to(cure: Cure, conversion: Array, rate: Array, goal: float) -> Array:
    """Return the seconds until the conversion reaches ``goal`` at a constant ``rate``; 0 when it has."""
    if goal >= 1:
        return np.full(conversion.shape, np.inf)
    needed = _site_time(1 - goal, cure.order) - _site_time(1 - conversion, cure.order)
    return np.maximum(needed, 0.0) / np.maximum(rate, 1e-30)


def gel_fraction(delta: ArrayLike, polydispersity: float = 2.0, scission_ratio: float = 0.0) -> Array:
    """Return the insoluble fraction 1 - s at the crosslink density ``delta``; 0 up to the gel point.

    Most probable chains (PDI 2): Charlesby-Pinner s + sqrt(s) = p0/q0 + 2/delta. Other widths: Schulz-Zimm with PDI = (k+1)/k,
    s = [1 + delta (1-s)/(k+1)]^-(k+1); chain scission is known for the most probable distribution only and asks for PDI 2.
    """
    crosslinks = np.asarray(delta, dtype=np.float64)
    if polydispersity == 2.0:
        right = scission_ratio + 2 / np.maximum(crosslinks, 1e-12)
        root = (np.sqrt(1 + 4 * right) - 1) / 2
        return np.maximum(1 - root * root, 0.0)
    if scission_ratio:
        msg = "chain scission is modelled for PDI 2 only"
        raise ValueError(msg)
    return _gel_schulz_zimm(crosslinks, polydispersity)


def _gel_schulz_zimm(crosslinks: Array, polydispersity: float) -> Array:
    """Solve the Schulz-Zimm equation for 1 - s by Newton from above, where the iteration is monotone."""
    branches = np.inf if polydispersity == 1.0 else polydispersity / (polydispersity - 1)  # k + 1
    gel = np.ones_like(crosslinks)
    for _ in range(40):
        if polydispersity == 1.0:
            sol = np.exp(-crosslinks * gel)
            slope = crosslinks * sol
        else:
            base = 1 + crosslinks * gel / branches
            sol = np.power(base, -branches)
            slope = crosslinks * sol / base
        gel = np.maximum(gel - (gel - 1 + sol) / np.maximum(1 - slope, 1e-12), 0.0)
    return np.where(crosslinks > 1.0, gel, 0.0)


def crosslinks_for(gel: float, polydispersity: float = 2.0, scission_ratio: float = 0.0) -> float:
    """Return the crosslink density at which the insoluble fraction is ``gel``, 0 <= gel < 1; infinite when scission never allows it."""
    sol = 1 - gel
    if polydispersity == 2.0:
        right = sol + float(np.sqrt(sol)) - scission_ratio
        return 2 / right if right > 0 else float("inf")
    if gel <= 0:
        return 1.0
    if polydispersity == 1.0:
        return -float(np.log(sol)) / gel
    branches = polydispersity / (polydispersity - 1)
    return float(branches * (sol ** (-1 / branches) - 1) / gel)
