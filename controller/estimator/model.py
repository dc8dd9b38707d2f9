"""What goes into the estimator and what it remembers: settings, load, target, memory."""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer

from controller.estimator.parameters import spread, value
from controller.image import Estimate, Interval

ZONE_NAMES: Final = ("outer", "middle", "core", "edge")
OUTER, MIDDLE, CORE, EDGE = range(4)

Block = Annotated[
    bytes,
    PlainSerializer(lambda raw: b64encode(raw).decode("ascii"), return_type=str, when_used="json"),
    BeforeValidator(lambda raw: b64decode(raw, validate=True) if isinstance(raw, str) else raw),
]


@dataclass(frozen=True, slots=True)
class EstimatorSettings:
    """What a site knows of its polymer, its oven and its instruments.

    The defaults are a lot whose kinetics and drying were calibrated with coupons. For a polymer about which nothing is known set
    ``gel_time_ln_sd`` to 1, ``activation_energy_sd_kj_mol`` to 30 and ``diffusion_ln_sd`` to 1.5.
    """

    solvent: str = "NMP"  # a name of controller.solvents.SOLVENTS
    period_s: float = 10.0  # process time between two updates, 1 to 60 s
    gel_time_240c_h: float = value("gel_time_240c")
    gel_time_ln_sd: float = 0.12  # of the coupons alone; the spread of the law is added to it
    activation_energy_kj_mol: float = value("activation_energy")
    activation_energy_sd_kj_mol: float = 8.0  # after coupons at two temperatures
    order: float = value("order")
    polydispersity: float = value("polydispersity")  # Mw/Mn of the primary chains
    polydispersity_sd: float = spread("polydispersity")
    scission_ratio: float = 0.0  # p0/q0, chain cuts per crosslinked unit
    diffusion_m2_s: float = value("diffusion_dry")  # dry film, 200 degC
    diffusion_ln_sd: float = 0.8  # after weighed coupons; the uncalibrated prior is spread("diffusion_dry")
    flux_gain_ln_sd: float = spread("flux_gain")
    chamber_m3: float = 2.0  # free gas volume


@dataclass(frozen=True, slots=True)
class LoadState:
    """The roll as wound and predried. All values are positive; the recipe check has refused others."""

    length_m: float
    width_m: float
    film_um: float  # dry
    foil_um: float
    gap_um: float  # mean distance that the edge tape leaves between film and next turn
    core_mm: float  # outer diameter of the winding core
    predry_residual_wt_pct: float  # solvent per mass of wet film
    residual_sd_wt_pct: float  # absolute, of the laboratory's result


@dataclass(frozen=True, slots=True)
class Target:
    """What the recipe asks of the product, in fractions, and with which probability."""

    residual_max: float
    insoluble_low: float
    insoluble_high: float
    probability: float


@dataclass(frozen=True, slots=True)
class FluxWindow:
    """Solvent seen leaving since the last comparison with the members."""

    elapsed_s: float
    blind_s: float  # time within it during which no instrument saw the solvent
    observed_kg: float
    uncertain_kg: float  # standard deviation of what the instruments add to it
    condensate_kg: float | None  # last reading, None when it cannot be continued
    conflicts: int  # windows in a row that no member explains
    balance_kg: float  # solvent seen leaving since the start of the batch, as the instruments show it
    balance_sd_kg: float  # its standard deviation from blind and uncertain windows


@dataclass(frozen=True, slots=True)
class EstimatorMemory:
    """The belief about one batch. Immutable, and JSON gives back every bit of it.

    ``block`` holds float64 rows of one value per member, see ``ensemble.unpack``: per zone temperature in K, solvent per polymer mass and
    crosslink conversion; then logarithms of the
    three diffusion scales and of the instruments' gain, and solvent predicted to leave since the window opened, in kg.
    """

    load: LoadState
    at_s: float
    block: Block
    wall_k: float
    pressure_pa: float
    vapour_pa: float  # partial pressure of the solvent in the chamber
    no_temperature_s: float  # since the last GOOD temperature
    no_pressure_s: float  # since the last GOOD pressure
    blind_s: float  # whole time without temperature beyond the hold time
    window: FluxWindow
    forecast_at_s: float | None
    target: Target | None
    estimate: Estimate


NOTHING: Final = Interval(0.0, 0.0, 0.0)
NO_BATCH: Final = Estimate(0.0, 0.0, NOTHING, NOTHING, 0.0, 0.0, NOTHING, None, False, "no batch", ())
