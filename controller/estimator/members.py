"""The members: sets of uncertain parameters spread over the prior by a fixed design, and the model of one load that carries them.

The design is a Latin hypercube whose columns are made uncorrelated. It comes from the raw bits of a seeded generator, which do not change
between releases: nothing is drawn while the oven runs, and equal inputs give an equal estimate.
"""

from functools import lru_cache
from math import hypot
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator import layers
from controller.estimator.curing import LIMIT, REFERENCE_K, Cure, gel_fraction, rate_for_gel_time
from controller.estimator.exposure import History, conversion_of, exposure_of
from controller.estimator.layers import Model, Slow, Uncertain
from controller.estimator.model import POSITIONS, EstimatorSettings, LoadState
from controller.estimator.parameters import PARAMETERS, spread, value
from controller.solvents import SOLVENTS, Solvent

Array = NDArray[np.float64]

MEMBERS: Final = 96
CELLS: Final = 10
SENSORS: Final = ("outer", "edge", "core")  # positions on which a load thermocouple sits
_DIMENSIONS: Final = (
    *("diffusion_dry", "diffusion_swollen", "diffusion_slope_glass", "diffusion_energy_dry", "diffusion_energy_swollen"),
    *("chi", "saturation_factor", "glass_dry", "gap_factor", "way_out", "external_h", "k_radial", "residual", "flux_gain"),
    *(
        "offset_outer",
        "offset_edge",
        "offset_core",
        "contact_outer",
        "contact_edge",
        "contact_core",
        "gel_time",
        "activation_energy",
        "order",
        "polydispersity",
        "vitrification_offset",
        "drying_model_error",
        "circulation_push",
        "bound_solvent",
        "release_rate",
        "release_energy",
        "bore_view",
        "glass_solvent",  # new ones stand at the end: those before keep their deviates
    ),
)
_CURE: Final = ("gel_time", "activation_energy", "polydispersity", "order", "vitrification_offset")
_DRYING: Final = ("diffusion_dry", "diffusion_energy_dry", "bound_solvent", "release_rate", "release_energy")
_SEED: Final = 20000
_LONG: Final = 3.0  # gel times after which members are told apart: well into the cure
_ROUNDING: Final = 1e-3  # keeps a matrix of rounded correlations positive


class Members(NamedTuple):
    """Everything about one load that does not change during the batch; arrays have one value per member."""

    solvent: Solvent
    model: Model
    polydispersity: Array
    scission_ratio: float
    residual: Array  # weight fraction at the start
    drying_error: Array  # what a film really holds over what the member's law says
    slow: Slow  # scales at the start
    log_gain: Array  # logarithm of what the flux instruments show per kg, at the start
    offset_k: Array  # (MEMBERS, 3) of the load thermocouples, at the start
    contact: Array  # (MEMBERS, 3) share of the wall in what they read, at the start
    by_cure: NDArray[np.intp]  # the members from the slowest cure to the fastest: every n-th of them stands for all


@lru_cache(maxsize=1)
def _design() -> Array:
    """Return the members' standard normal deviates, (dimensions, MEMBERS): mean 0, deviation 1, no correlation between rows."""
    bits = np.random.PCG64(_SEED)
    standard = NormalDist()
    scores = np.array([standard.inv_cdf((rank + 0.5) / MEMBERS) for rank in range(MEMBERS)])
    rows = np.array([scores[np.argsort(bits.random_raw(MEMBERS), kind="stable")] for _ in _DIMENSIONS])
    for _ in range(3):  # made uncorrelated, then put back on the quantiles
        root = np.linalg.cholesky(rows @ rows.T / MEMBERS)
        rows = np.linalg.solve(root, rows)
        rows = scores[np.argsort(np.argsort(rows, axis=1, kind="stable"), axis=1, kind="stable")]
    return rows


def design(dimension: str) -> Array:
    """Return the standard normal deviate of each member in one dimension, (MEMBERS,)."""
    deviates: Array = _design()[_DIMENSIONS.index(dimension)]
    return deviates


def varied(name: str, median: float | None = None, sd: float | None = None, deviate: Array | None = None) -> Array:
    """Return the members' values of a parameter: its prior, or around another median and with another spread; kept inside its range."""
    row = PARAMETERS[name]
    centre = row.value if median is None else median
    deviation = (design(name) if deviate is None else deviate) * (row.spread if sd is None else sd)
    return np.clip(centre * np.exp(deviation) if row.log else centre + deviation, row.low, row.high)


@lru_cache(maxsize=4)
def members_of(settings: EstimatorSettings, load: LoadState) -> Members:
    """Return the members for a load. The same arguments always give the same members."""
    solvent = SOLVENTS[settings.solvent]
    time, energetic, width, steep, below = _tied(_CURE, settings.cure_correlation)
    quick, activated, held, released, hindered = _tied(_DRYING, settings.drying_correlation)
    ln_sd = hypot(settings.gel_time_ln_sd, spread("cure_model_error"))
    gel_time_s = 3600 * varied("gel_time_240c", settings.gel_time_240c_h, ln_sd, time)
    energy = varied("activation_energy", settings.activation_energy_kj_mol, settings.activation_energy_sd_kj_mol, energetic)
    order = varied("order", settings.order, settings.order_sd, steep)
    glass_dry_k = varied("glass_dry")
    below_k = varied("vitrification_offset", settings.vitrification_offset_k, settings.vitrification_offset_sd_k, below)
    uncertain = Uncertain(
        saturation_factor=varied("saturation_factor"),
        glass_dry_k=glass_dry_k,
        glass_solvent=varied("glass_solvent"),
        energy_dry_kj_mol=varied("diffusion_energy_dry", settings.diffusion_energy_kj_mol, settings.diffusion_energy_sd_kj_mol, activated),
        energy_swollen_kj_mol=varied("diffusion_energy_swollen"),
        cure_rate_s=rate_for_gel_time(gel_time_s, order),
        cure_energy_kj_mol=energy,
        order=order,
        vitrification_k=below_k + (glass_dry_k - value("glass_dry")),  # coupons tell where mobility fades, not where the glass begins
        gap_factor=varied("gap_factor"),
        push_pa=varied("circulation_push"),
        bound=varied("bound_solvent", settings.bound_solvent_kg_kg, settings.bound_solvent_ln_sd, held),
        release_energy_kj_mol=varied("release_energy", settings.release_energy_kj_mol, settings.release_energy_sd_kj_mol, hindered),
    )
    polydispersity = varied("polydispersity", settings.polydispersity, settings.polydispersity_sd, width)
    cure = Cure.of(solvent, uncertain.cure_rate_s, energy, order, polydispersity, settings.scission_ratio, below_k)
    wet = load.predry_residual_wt_pct / 100 + design("residual") * load.residual_sd_wt_pct / 100
    return Members(
        solvent=solvent,
        model=layers.build(load, solvent, uncertain, POSITIONS, CELLS, settings.diffusion_m2_s),
        polydispersity=polydispersity,
        scission_ratio=settings.scission_ratio,
        residual=np.clip(wet, 0.002, 0.6),
        drying_error=varied("drying_model_error"),
        slow=Slow(
            log_dry=quick * settings.diffusion_ln_sd,
            log_swollen=design("diffusion_swollen") * spread("diffusion_swollen"),
            log_slope=np.log(varied("diffusion_slope_glass") / value("diffusion_slope_glass")),
            log_way=np.log(varied("way_out")),
            log_h=np.log(varied("external_h") / value("external_h")),
            log_k=design("k_radial") * spread("k_radial"),
            log_release=np.log(varied("release_rate", settings.release_1_s, settings.release_ln_sd, released) / value("release_rate")),
            log_bore=np.log(varied("bore_view") / value("bore_view")),
            more_chi=varied("chi") - value("chi"),
        ),
        log_gain=np.log(varied("flux_gain", sd=settings.flux_gain_ln_sd)),
        offset_k=np.stack([design(f"offset_{sensor}") * spread("thermocouple_offset") for sensor in SENSORS], axis=1),
        contact=np.stack([varied(f"contact_{sensor}") for sensor in SENSORS], axis=1),
        by_cure=_by_cure(cure, 3600 * _LONG * settings.gel_time_240c_h),
    )


def _by_cure(cure: Cure, seconds: float) -> NDArray[np.intp]:
    """Return the members in the order of their insoluble content after ``seconds`` of a dry film at 240 degC."""
    held = History(np.array([0.0, seconds]), np.full(2, REFERENCE_K), np.zeros(2))
    gel = gel_fraction(LIMIT * conversion_of(exposure_of([held]), cure)[0], cure.polydispersity, cure.scission_ratio)
    return np.argsort(gel, kind="stable")


def told(members: Members, residual: Array, held: Array, chosen: slice | NDArray[np.intp] = slice(None)) -> Array:
    """Return the weight fraction of solvent in the wettest part of a film's width, (members ``chosen``, ..., positions).

    ``residual`` is the mean that a member's law gives, ``held`` how much of it the gap holds back (see ``layers.held_by_gap``): there the
    middle of the width is the wetter. The edge zone has no width. At the start the laboratory has told what is there; the width's
    difference and the law's error come in as the film dries.
    """
    column = (-1,) + (1,) * (residual.ndim - 1)
    start, error = members.residual[chosen].reshape(column), members.drying_error[chosen].reshape(column)
    wide = np.append(np.full(residual.shape[-1] - 1, value("width_difference")), 0.0)
    return np.asarray(residual * (error * (1 + wide * held)) ** np.maximum(0.0, 1 - residual / start), dtype=np.float64)


def _tied(names: tuple[str, ...], pairs: tuple[float, ...]) -> Array:
    """Return the members' deviates of ``names``, (names, MEMBERS), correlated in ``pairs`` as the coupons' posterior is."""
    alone = np.array([design(name) for name in names])
    matrix = np.eye(len(alone))
    matrix[np.triu_indices(len(alone), 1)] = pairs
    matrix = (matrix + matrix.T - np.eye(len(alone))) * (1 - _ROUNDING) + _ROUNDING * np.eye(len(alone))
    tied: Array = np.linalg.cholesky(matrix) @ alone
    return tied
