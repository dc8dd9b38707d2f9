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
WIDTH_K: Final = value("vitrification_width")
_RISE_K = value("glass_rise") * LIMIT


class Cure(NamedTuple):
    """The constants of crosslinking and gel; arrays are (members,)."""

    rate_s: Array  # d delta / dt at the start, dry film, 240 degC
    energy_k: Array  # E / R
    order: float | Array  # one for all, or (members,)
    glass_dry_k: float
    glass_solvent_k: float
    polydispersity: Array
    scission_ratio: float
    offset_k: float | Array = _OFFSET_K  # below the glass transition, where mobility halves the rate

    @classmethod
    def of(
        cls, solvent: Solvent, rate_s: Array, energy_kj_mol: Array, order: float | Array, polydispersity: Array, scission_ratio: float,
        offset_k: float | Array = _OFFSET_K,
    ) -> "Cure":  # fmt: skip
        """Return the constants for a polymer cast from ``solvent``."""
        energy_k = 1e3 * energy_kj_mol / R_J_PER_MOL_K
        return cls(rate_s, energy_k, order, value("glass_dry"), solvent.glass_k, polydispersity, scission_ratio, offset_k)


def arrhenius(temp_k: ArrayLike, rate_ref: ArrayLike, energy_k: ArrayLike, reference_k: float = REFERENCE_K) -> Array:
    """Return the rate constant at ``temp_k``: rate_ref exp[-E/R (1/T - 1/T_ref)]; ``energy_k`` is E/R in K."""
    return np.asarray(rate_ref * np.exp(np.asarray(energy_k) * (1 / reference_k - 1 / np.asarray(temp_k))), dtype=np.float64)


def mobility(above_glass_k: ArrayLike) -> Array:
    """Return the factor Phi(T - Tg): 1 well above the glass transition, a half the prior's offset below it, falling from there."""
    return np.asarray(1 / (1 + np.exp((-_OFFSET_K - np.asarray(above_glass_k)) / WIDTH_K)), dtype=np.float64)


def rate_for_gel_time(gel_time_s: ArrayLike, order: ArrayLike) -> Array:
    """Return the initial rate d delta/dt which reaches delta = 1 after ``gel_time_s`` at 240 degC, dry; ``order`` >= 1 broadcasts."""
    return LIMIT * _site_time(1 - 1 / LIMIT, order) / np.asarray(gel_time_s, dtype=np.float64)


def _site_time(left: ArrayLike, order: ArrayLike) -> Array:
    """Return the integral of dx/(1-x)^n from 0 until the fraction ``left`` of the sites is left."""
    power = power_of(order)
    return np.asarray(np.expm1(-power * np.log(left)) / power, dtype=np.float64)


def power_of(order: ArrayLike) -> Array:
    """Return the order less one, not below 1e-9: there first order and its limit agree to 1e-8 and no case needs its own formula."""
    return np.maximum(np.asarray(order, dtype=np.float64) - 1, 1e-9)


def site_rate(cure: Cure, temp_k: Array, inverse_k: Array, fraction: Array, conversion: Array) -> Array:
    """Return k Phi / LIMIT in 1/s, so that dx/dt = rate (1-x)^n; shape (zones, members).

    The glass transition follows Fox in the solvent's weight ``fraction`` and rises with crosslinking.
    """
    held, _, _ = hindrance(cure, temp_k, fraction, conversion)
    rate: Array = cure.rate_s * (hindered(cure) / LIMIT) * np.exp(cure.energy_k * (1 / REFERENCE_K - inverse_k)) / held
    return rate


def hindered(cure: Cure) -> Array:
    """Return 1 / Phi of the dry film before its cure at 240 degC, for which the calibrated rate holds."""
    return np.asarray(1 + np.exp((cure.glass_dry_k - REFERENCE_K - cure.offset_k) / WIDTH_K), dtype=np.float64)


def hindrance(cure: Cure, temp_k: Array, fraction: Array, conversion: Array) -> tuple[Array, Array, Array]:
    """Return 1 / Phi, d ln Phi / dT in 1/K and -d ln Phi / d conversion."""
    dry_k = cure.glass_dry_k + _RISE_K * conversion
    glass_k = 1 / ((1 - fraction) / dry_k + fraction / cure.glass_solvent_k)
    over: Array = np.exp((glass_k - temp_k - cure.offset_k) / WIDTH_K)
    steeper = over / ((1 + over) * WIDTH_K)
    return 1 + over, steeper, steeper * (1 - fraction) * (glass_k / dry_k) ** 2 * _RISE_K


def crosslink(cure: Cure, conversion: Array, rate: Array, dt_s: float) -> Array:
    """Return the conversion of the sites after ``dt_s`` at a constant ``rate``, (..., members); exact for every order n >= 1."""
    power, left_log = power_of(cure.order), np.log1p(-conversion)
    return np.asarray(-np.expm1(left_log - np.log1p(power * dt_s * rate * np.exp(power * left_log)) / power), dtype=np.float64)


def time_to(cure: Cure, conversion: Array, rate: Array, goal: Array) -> Array:
    """Return the seconds until the conversion reaches ``goal`` at a constant ``rate``; 0 when it has, infinite when it never can."""
    reachable = np.minimum(goal, 1 - 1e-9)
    needed = _site_time(1 - reachable, cure.order) - _site_time(1 - conversion, cure.order)
    return np.where(goal < 1, np.maximum(needed, 0.0) / np.maximum(rate, 1e-30), np.inf)


def gel_fraction(delta: ArrayLike, polydispersity: ArrayLike = 2.0, scission_ratio: float = 0.0) -> Array:
    """Return the insoluble fraction 1 - s at the crosslink density ``delta``; 0 up to the gel point.

    Schulz-Zimm chains with PDI = (k+1)/k: s = [1 + delta (1-s)/(k+1)]^-(k+1). Chain scission, p0/q0, thins the crosslinks to
    delta / (1 + delta p0 / 2 q0), which for most probable chains (PDI 2) is Charlesby and Pinner's s + sqrt(s) = p0/q0 + 2/delta, and is an
    approximation for others. ``polydispersity`` (1 or more) broadcasts against ``delta``.
    """
    crosslinks = np.asarray(delta, dtype=np.float64)
    crosslinks = crosslinks / (1 + crosslinks * (scission_ratio / 2))
    root = (np.sqrt(1 + 8 / np.maximum(crosslinks, 1.0)) - 1) / 2
    gel = 1 - root * root
    width = np.asarray(polydispersity, dtype=np.float64)
    if (crosslinks > 1).any() and (width != 2).any():
        gel = _other_width(crosslinks, width, gel)
    return np.where(crosslinks > 1, gel, 0.0)


def _other_width(crosslinks: Array, polydispersity: Array, gel: Array) -> Array:
    """Solve the Schulz-Zimm equation by Newton from the most probable chains' ``gel``, which is within a third of the root for PDI 1-4."""
    branches = polydispersity / np.maximum(polydispersity - 1, 1e-9)  # k + 1
    for _ in range(5):
        bound = crosslinks * gel / branches
        sol = np.exp(-branches * np.log1p(bound))
        gel = gel - (gel - 1 + sol) / np.maximum(1 - crosslinks * sol / (1 + bound), 1e-12)
    return np.maximum(gel, 0.0)


def crosslinks_for(gel: float, polydispersity: ArrayLike = 2.0, scission_ratio: float = 0.0) -> Array:
    """Return the crosslink density at which the insoluble fraction is ``gel`` < 1; 0 for none, infinite when scission never allows it."""
    width = np.asarray(polydispersity, dtype=np.float64)
    if gel <= 0:
        return np.zeros_like(width)
    branches = width / np.maximum(width - 1, 1e-9)
    thinned = branches * np.expm1(-np.log1p(-gel) / branches) / gel
    share = 1 - thinned * (scission_ratio / 2)
    return np.where(share > 0, thinned / np.maximum(share, 1e-12), np.inf)
