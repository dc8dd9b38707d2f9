"""What the compiled equations work on: the grid and roll of a load, the numbers of one member, and what the chamber does to it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Shape(NamedTuple):
    """What all members share: the grid, tiled over the positions, and the roll."""

    positions: int
    cells: int
    volume: Array  # (cells,) share of the film that belongs to a node
    volume_inverse: Array  # (cells * positions,)
    distance_inverse: Array  # ((cells - 1) * positions,) 1 / distance of two nodes, film thickness 1
    reach: Array  # (positions,) of the way out through the gap, see ``surface_scale``
    share: Array  # (positions,) of the film
    capacity_inverse: Array  # (positions,) K/J
    rings_m: Array  # (positions - 2,) conductance between rings per conductivity
    axial_w_k: Array  # (positions - 1,) along the copper to the edge zone
    open_m2: Array  # (positions,) area that sees the wall, without the skin
    skin_m2: float
    skin_m: float  # conductance of the outermost half ring per conductivity
    half_pressure_pa: float
    convection_half_pa: float
    radiation_share: float
    heat_rate_j: float  # latent heat of the whole film's solvent: J per unit of u


class Member(NamedTuple):
    """The numbers of one member, as the equations want them."""

    dry_s: float
    swollen_s: float
    dry_energy_k: float
    swollen_energy_k: float
    dry_reference_inverse_k: float
    swollen_reference_inverse_k: float
    slope_rubber: float
    slope_extra: float
    glass_dry_k: float
    glass_solvent_k: float
    log_saturation_a: float
    antoine_b_k: float
    antoine_c_k: float
    density_ratio: float
    chi: float
    knudsen_root: float
    molecular_pa: float
    viscous_m2_pa_s: float
    surface_scale: float
    rate_s: float
    energy_k: float
    reference_inverse_k: float
    order: float
    rise_k: float
    offset_k: float
    width_k: float
    h: float
    k_vacuum: float
    k_gas: float


class Drive(NamedTuple):
    """What the chamber does to the roll at one moment."""

    wall_k: float
    pressure_pa: float
    vapour_pa: float
