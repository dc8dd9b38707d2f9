"""From load, solvent and what is uncertain to the numbers that the compiled equations work on; arrays (M,) have one value per member."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator.curing import LIMIT, REFERENCE_K
from controller.estimator.member import Member, Shape
from controller.estimator.model import LoadState
from controller.estimator.parameters import value
from controller.estimator.winding import Winding
from controller.solvents import Solvent, density_g_cm3
from controller.units import ATMOSPHERE_MBAR, PA_PER_MBAR, R_J_PER_MOL_K, kelvin

Array = NDArray[np.float64]

COLUMN: Final = {name: number for number, name in enumerate(Member._fields)}  # of the members' table
_CUBE = 1.5  # grading of the nodes towards the free face


class Slow(NamedTuple):
    """What a filter may move between two calls, each (M,): logarithms of the members' scales of the model's medians, and what chi adds."""

    log_dry: Array  # diffusion in the dry film
    log_swollen: Array  # diffusion in the swollen film
    log_slope: Array  # d ln D / dw in the glass
    log_way: Array  # conductance of the gap
    log_h: Array  # heat transfer from the wall
    log_k: Array  # radial conductivity of the roll
    log_release: Array  # rate at which bound solvent becomes free
    log_bore: Array  # heat transfer from the wall to the core tube
    more_chi: Array  # added to the Flory-Huggins interaction

    @classmethod
    def none(cls, members: int) -> "Slow":
        """Return the medians."""
        return cls(*(np.zeros(members) for _ in cls._fields))


class Uncertain(NamedTuple):
    """What differs between the members and does not change during the batch, each (M,)."""

    saturation_factor: Array  # on the solvent's vapour pressure
    glass_dry_k: Array  # glass transition of the dry film
    glass_solvent: Array  # on the solvent's, as the film feels it
    energy_dry_kj_mol: Array  # of diffusion in the dry film
    energy_swollen_kj_mol: Array
    cure_rate_s: Array  # d delta / dt of the dry film at 240 degC, at the start
    cure_energy_kj_mol: Array
    order: Array  # of the crosslinking, 1 or more
    vitrification_k: Array  # below the glass transition, where mobility halves the rate
    gap_factor: Array  # on the load's gap
    push_pa: Array  # of circulation over the roll's width, at 1 atm
    bound: Array  # solvent that the polymer's groups hold when all are taken, kg per kg polymer
    release_energy_kj_mol: Array

    @classmethod
    def median(cls, members: int, cure_rate_s: float) -> "Uncertain":
        """Return ``members`` equal sets of the parameters' medians."""
        ones = np.ones(members)
        return cls(
            saturation_factor=value("saturation_factor") * ones,
            glass_dry_k=value("glass_dry") * ones,
            glass_solvent=value("glass_solvent") * ones,
            energy_dry_kj_mol=value("diffusion_energy_dry") * ones,
            energy_swollen_kj_mol=value("diffusion_energy_swollen") * ones,
            cure_rate_s=cure_rate_s * ones,
            cure_energy_kj_mol=value("activation_energy") * ones,
            order=value("order") * ones,
            vitrification_k=value("vitrification_offset") * ones,
            gap_factor=value("gap_factor") * ones,
            push_pa=value("circulation_push") * ones,
            bound=value("bound_solvent") * ones,
            release_energy_kj_mol=value("release_energy") * ones,
        )


def nodes(cells: int) -> Array:
    """Return the nodes' places from the foil (0) to the free face (1), denser towards the face, (cells,)."""
    even = np.arange(cells) / (cells - 1)
    places: Array = 1 - (1 - even) ** _CUBE
    return places


def shape_of(load: LoadState, winding: Winding, places: Array, heat_rate_j: float) -> Shape:
    """Return grid and roll for the compiled equations; ``places`` are the nodes, 0 to 1."""
    positions, cells = winding.share.size, places.size
    middle = np.concatenate(([0.0], (places[1:] + places[:-1]) / 2, [1.0]))
    volume = np.diff(middle)
    half_squared = np.full(positions, (load.width_m / 2) ** 2)
    half_squared[-1] *= value("edge_path_factor")
    return Shape(
        positions=positions,
        cells=cells,
        volume=volume,
        volume_inverse=np.repeat(1 / volume, positions),
        distance_inverse=np.repeat(1 / np.diff(places), positions),
        reach=2 * load.gap_um * 1e-6 / half_squared,
        share=winding.share,
        capacity_inverse=1 / winding.capacity_j_k,
        rings_m=winding.rings_m,
        tube_m=winding.tube_m,
        tube_k_w=winding.tube_k_w,
        ends_m2=winding.ends_m2,
        fin_m2_k_w=winding.fin_m2_k_w,
        skin_m2=winding.skin_m2,
        skin_m=winding.skin_m,
        half_pressure_pa=value("k_half_pressure") * 100 / load.gap_um,
        convection_half_pa=value("convection_half_pressure"),
        radiation_share=value("radiation_share"),
        heat_rate_j=heat_rate_j,
    )


def table_of(
    load: LoadState, solvent: Solvent, uncertain: Uncertain, winding: Winding, polymer_kg_m2: float, diffusion_m2_s: float
) -> Array:
    """Return the members' numbers, (M, numbers), in the order of ``Member``."""
    film_m, gap_m = load.film_um * 1e-6, load.gap_um * 1e-6 * uncertain.gap_factor
    molar_kg = solvent.molar_mass_g_mol / 1e3
    # Gas blown through a slit of width W at v = g2 push / 12 mu W takes g v p / R T W off each m2: put as what diffusion would do.
    swept_m2_s = gap_m**2 / (96 * value("gas_viscosity")) * uncertain.push_pa
    hindered = 1 + np.exp((uncertain.glass_dry_k - REFERENCE_K - uncertain.vitrification_k) / value("vitrification_width"))
    k_vacuum, k_nitrogen = value("k_vacuum"), value("k_nitrogen")
    columns: Any = Member  # of arrays and numbers here, of numbers for compiled code
    member = columns(
        dry_s=film_m**2 / diffusion_m2_s,
        swollen_s=film_m**2 / value("diffusion_swollen"),
        dry_energy_k=uncertain.energy_dry_kj_mol * 1e3 / R_J_PER_MOL_K,
        swollen_energy_k=uncertain.energy_swollen_kj_mol * 1e3 / R_J_PER_MOL_K,
        dry_reference_inverse_k=1 / kelvin(200.0),
        swollen_reference_inverse_k=1 / kelvin(100.0),
        slope_rubber=value("diffusion_slope_rubber"),
        slope_extra=value("diffusion_slope_glass") - value("diffusion_slope_rubber"),
        glass_dry_k=uncertain.glass_dry_k,
        glass_solvent_k=solvent.glass_k * uncertain.glass_solvent,
        log_saturation_a=solvent.antoine_a + np.log(uncertain.saturation_factor),
        antoine_b_k=solvent.antoine_b_k,
        antoine_c_k=solvent.antoine_c_k,
        density_ratio=density_g_cm3(solvent, 150.0) / value("polymer_density"),
        chi=value("chi"),
        knudsen_root=gap_m / 3 * np.sqrt(8 * R_J_PER_MOL_K / (np.pi * molar_kg)),
        molecular_pa=value("vapour_diffusion") * kelvin(200.0) ** -1.75 * ATMOSPHERE_MBAR * PA_PER_MBAR,
        viscous_m2_pa_s=gap_m**2 / (24 * value("vapour_viscosity")),
        swept_m2_pa_s=swept_m2_s / (ATMOSPHERE_MBAR * PA_PER_MBAR),
        surface_scale=uncertain.gap_factor * molar_kg / (R_J_PER_MOL_K * polymer_kg_m2),
        rate_s=uncertain.cure_rate_s * hindered / LIMIT,
        energy_k=uncertain.cure_energy_kj_mol * 1e3 / R_J_PER_MOL_K,
        reference_inverse_k=1 / REFERENCE_K,
        order=uncertain.order,
        rise_k=value("glass_rise") * LIMIT,
        offset_k=uncertain.vitrification_k,
        width_k=value("vitrification_width"),
        sites=uncertain.bound,
        release_s=value("release_rate"),
        release_energy_k=uncertain.release_energy_kj_mol * 1e3 / R_J_PER_MOL_K,
        refill=value("bound_refill"),
        h=value("external_h"),
        k_vacuum=k_vacuum * winding.pitch_scale,
        k_gas=max(k_nitrogen - k_vacuum, 0.2 * k_nitrogen) * winding.pitch_scale,
        bore_w_k=winding.bore_w_k,
    )
    members = uncertain.order.size
    return np.stack([np.broadcast_to(np.asarray(number, dtype=np.float64), (members,)) for number in member], axis=1)


def scaled(table: Array, slow: Slow) -> Array:
    """Return ``table`` with the members' present scales."""
    table = table.copy()
    table[:, COLUMN["dry_s"]] *= np.exp(-slow.log_dry)
    table[:, COLUMN["swollen_s"]] *= np.exp(-slow.log_swollen)
    rubber = table[:, COLUMN["slope_rubber"]]
    extra = table[:, COLUMN["slope_extra"]]
    table[:, COLUMN["slope_extra"]] = (extra + rubber) * np.exp(slow.log_slope) - rubber
    table[:, COLUMN["surface_scale"]] *= np.exp(slow.log_way)
    table[:, COLUMN["h"]] *= np.exp(slow.log_h)
    conduct = np.exp(slow.log_k)
    table[:, COLUMN["k_vacuum"]] *= conduct
    table[:, COLUMN["k_gas"]] *= conduct
    table[:, COLUMN["release_s"]] *= np.exp(slow.log_release)
    table[:, COLUMN["bore_w_k"]] *= np.exp(slow.log_bore)
    table[:, COLUMN["chi"]] += slow.more_chi
    return table
