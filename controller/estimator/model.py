"""What goes into the estimator and what it remembers: settings, load, target, memory."""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final, Literal, NamedTuple

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer, field_validator

from controller.equipment import Strict
from controller.estimator.load_sensors import UNWATCHED, LoadWatch
from controller.estimator.parameters import spread, value
from controller.estimator.pressure_rise import Leak, Rise
from controller.estimator.vapour import UNSEEN, Gauges
from controller.estimator.walls import EMPTY, Ledger
from controller.image import Estimate, Forecast, Interval

POSITIONS: Final = ("core", "middle", "upper", "outer", "edge")  # of the deep model
DEPTHS: Final = {"core": 0.35, "middle": 0.35, "upper": 0.25, "outer": 0.05}  # shares of the winding's thickness

UNCALIBRATED: Final = "the model is not calibrated (ovenctl calibrate, with coupons of this polymer): it will rarely be sure"

Block = Annotated[
    bytes,
    PlainSerializer(lambda raw: b64encode(raw).decode("ascii"), return_type=str, when_used="json"),
    BeforeValidator(lambda raw: b64decode(raw, validate=True) if isinstance(raw, str) else raw),
]


_ROUNDED: Final = 5e-4  # a matrix of rounded correlations may miss being positive by so much
Correlation = Annotated[float, Field(ge=-0.9999, le=0.9999)]


class EstimatorSettings(Strict):
    """What a site knows of its polymer, its oven and its instruments.

    The defaults are the prior of ``parameters``: a polymer of which no coupon was examined. Then the model is rarely sure of an endpoint.
    """

    solvent: Literal["NMP", "DMAc", "DMF", "GBL", "DMSO", "cyclopentanone", "cyclohexanone"] = "NMP"
    lot: Annotated[
        Annotated[str, Field(min_length=1, max_length=100)] | None,
        Field(description="resin lot whose coupons gave the parameters; from the calibration"),
    ] = None
    period_s: Annotated[float, Field(ge=1, le=60, description="process time between two updates, s")] = 30.0
    forecast_s: Annotated[float, Field(ge=10, le=3600, description="process time between two forecasts, s")] = 60.0
    gel_time_240c_h: Annotated[float, Field(ge=0.05, le=100, description="to the gel point at 240 degC, h")] = value("gel_time_240c")
    gel_time_ln_sd: Annotated[float, Field(ge=0.01, le=2, description="of the coupons alone; the law's spread is added")] = spread(
        "gel_time_240c"
    )
    activation_energy_kj_mol: Annotated[float, Field(ge=40, le=300, description="of the crosslinking, kJ/mol")] = value("activation_energy")
    activation_energy_sd_kj_mol: Annotated[float, Field(ge=0.5, le=60, description="after coupons at two temperatures, kJ/mol")] = spread(
        "activation_energy"
    )
    order: Annotated[float, Field(ge=1, le=12, description="of the crosslinking, in the sites left")] = value("order")
    order_sd: Annotated[float, Field(ge=0, le=4, description="its spread")] = spread("order")
    polydispersity: Annotated[float, Field(ge=1, le=6, description="Mw/Mn of the primary chains")] = value("polydispersity")
    polydispersity_sd: Annotated[float, Field(ge=0, le=3, description="its spread")] = spread("polydispersity")
    vitrification_offset_k: Annotated[
        float, Field(ge=15, le=120, description="below the glass transition, where mobility halves the rate of crosslinking, K")
    ] = value("vitrification_offset")
    vitrification_offset_sd_k: Annotated[float, Field(ge=0, le=40, description="its spread, K")] = spread("vitrification_offset")
    cure_correlation: Annotated[
        tuple[Correlation, ...],
        Field(strict=False, min_length=10, max_length=10, description="of ln gel time, energy, polydispersity, order and offset, in pairs: "
              "1-2, 1-3, 1-4, 1-5, 2-3, 2-4, 2-5, 3-4, 3-5, 4-5; from the calibration"),
    ] = (0.0,) * 10  # fmt: skip
    scission_ratio: Annotated[float, Field(ge=0, le=0.9, description="p0/q0, chain cuts per crosslinked unit")] = 0.0
    diffusion_m2_s: Annotated[float, Field(ge=1e-18, le=1e-9, description="dry film at 200 degC, m2/s")] = value("diffusion_dry")
    diffusion_ln_sd: Annotated[float, Field(ge=0.01, le=3, description="after weighed coupons")] = spread("diffusion_dry")
    diffusion_energy_kj_mol: Annotated[float, Field(ge=40, le=130, description="of diffusion in the dry film, kJ/mol")] = value(
        "diffusion_energy_dry"
    )
    diffusion_energy_sd_kj_mol: Annotated[float, Field(ge=0.5, le=60, description="its spread, kJ/mol")] = spread("diffusion_energy_dry")
    bound_solvent_kg_kg: Annotated[
        float, Field(ge=0.0005, le=0.08, description="solvent that the polymer's groups hold at the start, kg per kg polymer")
    ] = value("bound_solvent")
    bound_solvent_ln_sd: Annotated[float, Field(ge=0.01, le=2, description="its spread")] = spread("bound_solvent")
    release_1_s: Annotated[float, Field(ge=1e-7, le=0.1, description="rate at which it becomes free at 200 degC, 1/s")] = value(
        "release_rate"
    )
    release_ln_sd: Annotated[float, Field(ge=0.01, le=3, description="its spread")] = spread("release_rate")
    release_energy_kj_mol: Annotated[float, Field(ge=60, le=150, description="of that rate, kJ/mol")] = value("release_energy")
    release_energy_sd_kj_mol: Annotated[float, Field(ge=0.5, le=40, description="its spread, kJ/mol")] = spread("release_energy")
    drying_correlation: Annotated[
        tuple[Correlation, ...],
        Field(strict=False, min_length=10, max_length=10, description="of ln diffusion, its energy, ln bound solvent, ln release and its "
              "energy, in pairs as above; from the calibration"),
    ] = (0.0,) * 10  # fmt: skip
    condenser_in_chamber: Annotated[bool, Field(description="true: it takes vapour with the vacuum valve shut")] = False
    flux_gain_ln_sd: Annotated[float, Field(ge=0.001, le=1, description="of the solvent instruments")] = spread("flux_gain")

    @property
    def calibrated(self) -> bool:
        """Return whether coupons have told anything of the crosslinking: what is believed is narrower than the prior."""
        return self.gel_time_ln_sd < spread("gel_time_240c")

    @field_validator("cure_correlation", "drying_correlation")
    @classmethod
    def _possible(cls, pairs: tuple[float, ...]) -> tuple[float, ...]:
        matrix = np.eye(5)
        matrix[np.triu_indices(5, 1)] = pairs
        if np.linalg.eigvalsh(matrix, UPLO="U").min() < -_ROUNDED:
            raise ValueError("no five quantities can be correlated so: the matrix of these pairs must be positive, as the calibration's is")
        return pairs


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
    chamber_m3: float = 2.0  # free gas volume of the oven it lies in


@dataclass(frozen=True, slots=True)
class Target:
    """What the recipe asks of the product, in fractions, and with which probability."""

    residual_max: float
    insoluble_low: float
    insoluble_high: float
    probability: float
    insoluble_aim: float = 0.0
    persist_s: float = 0.0
    sure_s: float = 0.0  # of which so much is over when a forecast begins


class LegKind(IntEnum):
    """How a leg of the batch moves the wall and when it ends."""

    HOLD = 0  # no heat, for a time
    RAMP = 1  # the set point moves at a rate, waits for the oven, ends at its target
    SOAK = 2  # time counts while the load is inside the band
    CURE = 3  # as SOAK, and until the endpoint
    COOL = 4  # until the whole load is below the target


class Leg(NamedTuple):
    """One stretch of what is left of a batch."""

    kind: LegKind
    least_s: float  # that have to pass (in band, for SOAK and CURE)
    most_s: float  # the recipe's limit
    target_c: float = 0.0
    rate_c_per_min: float = 0.0
    band_c: float = 0.0
    pressure_mbar: float = 0.0
    n2_flow_nm3_h: float = 0.0  # above 0: at ambient pressure in flowing N2
    start_c: float | None = None  # set point with which the leg begins, None: the one before
    inner_share: float = 0.0  # of load minus wall, by which layers without a thermocouple are reckoned hotter (COOL)


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
    balanced_kg: float  # balance when it was last held against the members
    slip_kg: float = 0.0  # what the condenser lets pass in flowing N2 when enough comes


NO_RISE: Final = Rise()


@dataclass(frozen=True, slots=True)
class EstimatorMemory:
    """The belief about one batch. Immutable, and JSON gives back every bit of it. ``block`` holds the members, see ``belief.unpack``."""

    load: LoadState
    at_s: float
    block: Block
    wall_k: float
    pressure_pa: float
    vapour_pa: float  # partial pressure of the solvent in the chamber
    no_temperature_s: float  # since the last GOOD temperature
    no_pressure_s: float  # since the last GOOD pressure
    blind_s: float  # whole time without temperature beyond the hold time, or in which too many members could not be carried on
    window: FluxWindow
    target: Target | None
    estimate: Estimate
    looked_at_s: float = 0.0  # when the load thermocouples were last held against the members
    refused: tuple[int, int, int] = (0, 0, 0)  # readings in a row of each load thermocouple that no member explains
    load_watch: LoadWatch = UNWATCHED  # what time has told of the load thermocouples
    unsolved: int = 0  # members that the solver could not carry on in the last update
    rise: Rise = NO_RISE
    cold_leak: Leak | None = None
    forecast: Forecast | None = None
    walls: Ledger = EMPTY  # what the oven itself has shown
    gauges: Gauges = UNSEEN
    replanned_s: float | None = None  # ``at_s`` when a person last changed the way ahead: an older forecast is of another way


NOTHING: Final = Interval(0.0, 0.0, 0.0)
NO_BATCH: Final = Estimate(0.0, 0.0, NOTHING, NOTHING, 0.0, 0.0, NOTHING, None, False, "no batch", ())
