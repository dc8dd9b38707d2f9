"""The members: 64 sets of uncertain parameters, spread over the prior by a fixed design, and the rows of their state.

The design is a Latin hypercube: each row of ``_RANKS`` orders the 64 mid-quantiles of a Gaussian differently. The orders were chosen once
so that no two rows correlate by more than 0.002. Nothing is drawn while the oven runs: equal inputs give an equal estimate.
"""

from functools import lru_cache
from math import hypot
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator.curing import Cure, rate_for_gel_time
from controller.estimator.film import Film
from controller.estimator.model import EstimatorSettings, LoadState
from controller.estimator.parameters import PARAMETERS, spread, value
from controller.estimator.roll import Roll, roll_of
from controller.estimator.vapour import Gap
from controller.solvents import SOLVENTS, Solvent

Array = NDArray[np.float64]

MEMBERS: Final = 64
_RANKS: Final = (
    "2d3a0226313b3024360c150f2c3409042f3e132b1821142e37391b3f2500111f1016033c283d170a382932011a05201c07272a0b08190d06331d2312351e220e",
    "133916311b26111014300e33272c172a3635072e1f23222b040f32280208383f3b122f1503001a2d340b19201d090601180c3e3c051c241e253d0d3a37290a21",
    "0b1d2b0e281c2e3335040d063a12183f29163b191407373e1308313201150f0a272c360c0939382d1b101e252a2f3c1f0517260322341a243d23003021201102",
    "1425363516093b12262d2e193124381a00010a2c1c392b0f0d13333d1d051e10022817322315041b200b2f060737083a18343e220c3f3c27301f112a03210e29",
    "2b3e273b0b071d3523001b25181f1112052c2d3f32210633143817132a3a223d0a282e1019153c37361a0c26020f0d291e033104391c2408300e160901342f20",
    "071d342023263e36032d19290a333c371a103d1f0c18092a323a051e170b04380d002530110f06352c27142e3122022f2112131c1b080e393f01242b3b161528",
    "280b0608271437343a3c2d210522232939380e07360d0c020a3e35152520101a331b3b172f162a2b2e323113241f013f121126181e1930090f1d003d041c2c03",
    "11153e0c131837012932160d041f0e220738142c3a2a1d3d2835232b093b1a021708243f0a1931003c260b3621101c053034062d1b0f391e25330320122f2e27",
    "212706230e3e1f2807113d3c02170d2213353f331436300f1b0320091819001629103a2e32382d0a2a121526052f1c372c31391e0c1d1a25083b040b2b240134",
    "2432150a1f30031b223416050d3f07331e0c37363b26382f0627091a392d29211c111d3c2b3a2831010e102e20350413000f232c08173e2518193d2a12140b02",
    "352f20272b241e3921143c0b23101c2c1512313b2d19320126250508361b1817370a02030f0e060d3e11071d2e092a1f04220034283f3a0c383d13333016291a",
    "1d1021311a2d27001c2e370c162b1f32111e3439230f3826072030050d220b3b1b3d0624190e13172c151802352f3a3e3c12142904090803250a362a283f3301",
    "1930251b1c1236272232103f18141a3a09170e21260b20020f2b38112a240628312c073b1d3905233e0d1f290c3d3c00011e2f083504032e152d37340a133316",
    "0a383134330f2e1a1c14223f1e1901152d3b36180e00073d052f3c0d3702130c212a17232409060b041d1f3a3929122c26281130203e352b1b25320310162708",
    "1d1523040732140b211600362d0e1f1810253e0a29393811203a3b0d13022c1b35030c093f173d2f2e0137051a190f12312708262a22302b3c1e331c06342824",
)
_DIMENSIONS: Final = (
    "diffusion_dry",
    "gel_time_240c",
    "activation_energy",
    "chi",
    "saturation_factor",
    "k_eff",
    "external_h",
    "residual",
    "flux_gain",
    "thermocouple_offset",
    "gap_factor",
    "diffusion_swollen",
    "diffusion_slope_glass",
    "polydispersity",
    "way_out",
)


class Members(NamedTuple):
    """Everything about one load that does not change during the batch; arrays have one value per member, shape (64,)."""

    solvent: Solvent
    film: Film
    gap: Gap
    roll: Roll
    cure: Cure
    polymer_kg: float
    residual: Array  # weight fraction at the start
    log_dry: Array  # logarithm of the member's scale of diffusion in the dry film, at the start
    log_swollen: Array  # the same in the swollen film
    log_slope: Array  # logarithm of the scale of d ln D / dw in the glass
    log_way: Array  # logarithm of the scale of the vapour's way out through the gap, at the start
    log_gain: Array  # logarithm of what the flux instruments show per kg, at the start
    thermocouple_offset_k: Array


class State(NamedTuple):
    """What evolves, as views of one block; zone arrays have shape (4, 64)."""

    temp_k: Array
    solvent: Array  # kg per kg polymer
    conversion: Array
    log_dry: Array
    log_swollen: Array
    log_slope: Array
    log_way: Array
    log_gain: Array
    leaving_kg: Array


ROWS: Final = 18


def unpack(block: bytes) -> State:
    """Return the state that ``block`` holds; the arrays are read-only."""
    rows = np.frombuffer(block, dtype=np.float64).reshape(ROWS, MEMBERS)
    return State(rows[0:4], rows[4:8], rows[8:12], rows[12], rows[13], rows[14], rows[15], rows[16], rows[17])


def pack(state: State) -> bytes:
    """Return ``state`` as bytes, in the order in which ``unpack`` reads it."""
    return b"".join([part.tobytes() for part in state])


def design(dimension: str) -> Array:
    """Return the standard normal deviate of each member in one dimension, shape (64,)."""
    ranks = bytes.fromhex(_RANKS[_DIMENSIONS.index(dimension)])
    standard = NormalDist()
    return np.array([standard.inv_cdf((rank + 0.5) / MEMBERS) for rank in ranks])


def varied(name: str, median: float | None = None, sd: float | None = None) -> Array:
    """Return the members' values of a parameter: its prior, or around another median and with another spread; kept inside its range."""
    row = PARAMETERS[name]
    centre = row.value if median is None else median
    deviation = design(name) * (row.spread if sd is None else sd)
    return np.clip(centre * np.exp(deviation) if row.log else centre + deviation, row.low, row.high)


@lru_cache(maxsize=4)
def members_of(settings: EstimatorSettings, load: LoadState) -> Members:
    """Return the members for a load. The same arguments always give the same members."""
    solvent = SOLVENTS[settings.solvent]
    gap = load.gap_um * 1e-6 * varied("gap_factor")
    gel_time_s = 3600 * varied("gel_time_240c", settings.gel_time_240c_h, hypot(settings.gel_time_ln_sd, spread("cure_model_error")))
    energy = varied("activation_energy", settings.activation_energy_kj_mol, settings.activation_energy_sd_kj_mol)
    conductance = design("k_eff")
    wet = load.predry_residual_wt_pct / 100 + design("residual") * load.residual_sd_wt_pct / 100
    polydispersity = varied("polydispersity", settings.polydispersity, settings.polydispersity_sd)
    return Members(
        solvent=solvent,
        polymer_kg=value("polymer_density") * 1e-3 * load.film_um * load.length_m * load.width_m,
        film=Film.of(solvent, load.film_um, settings.diffusion_m2_s, varied("chi"), varied("saturation_factor")),
        gap=Gap.of(solvent, load.width_m, gap),
        roll=roll_of(
            load,
            value("k_vacuum") * np.exp(spread("k_vacuum") * conductance),
            value("k_nitrogen") * np.exp(spread("k_nitrogen") * conductance),
            varied("external_h"),
        ),
        cure=Cure.of(
            solvent, rate_for_gel_time(gel_time_s, settings.order), energy, settings.order, polydispersity, settings.scission_ratio
        ),
        residual=np.clip(wet, 0.002, 0.6),
        log_dry=design("diffusion_dry") * settings.diffusion_ln_sd,
        log_swollen=design("diffusion_swollen") * spread("diffusion_swollen"),
        log_slope=np.log(varied("diffusion_slope_glass") / value("diffusion_slope_glass")),
        log_way=np.log(varied("way_out")),
        log_gain=np.log(varied("flux_gain", sd=settings.flux_gain_ln_sd)),
        thermocouple_offset_k=varied("thermocouple_offset"),
    )
