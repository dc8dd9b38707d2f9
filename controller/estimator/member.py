"""What the compiled equations work on: the grid and roll of a load, the numbers of one member, and what the chamber does to it."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator.compiled import borrowed, inlined

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
    capacity_inverse: Array  # (positions,) of the rings and the core tube, K/J
    rings_m: Array  # (positions - 2,) conductance between rings per conductivity
    tube_m: float  # between the core tube and the innermost ring
    tube_k_w: float  # from an end of the core tube to its mean
    ends_m2: Array  # (positions - 1,) both end faces of a ring
    fin_m2_k_w: float  # of the copper between an end face and the mean of the width
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
    swept_m2_pa_s: float  # what circulation blows through the gap, per pressure of the gas
    surface_scale: float
    rate_s: float
    energy_k: float
    reference_inverse_k: float
    order: float
    rise_k: float
    offset_k: float
    width_k: float
    sites: float  # solvent that the polymer's groups hold when all are taken, u
    release_s: float  # of it, at the dry film's reference temperature
    release_energy_k: float
    refill: float  # free solvent, u, that leaves the e-th part of the sites empty
    h: float
    k_vacuum: float
    k_gas: float
    bore_w_k: float  # conductance from the wall to the core tube


class Drive(NamedTuple):
    """What the chamber does to the roll at one moment."""

    wall_k: float
    pressure_pa: float
    vapour_pa: float


USUAL_POSITIONS: Final = 5  # of a load's model; other sizes are for calibration and proofs
USUAL_CELLS: Final = 10


@inlined
def _sized(shape: Shape, positions: int, cells: int) -> Shape:
    """Return ``shape`` with that size, and with arrays that have no owner, see ``borrowed``."""
    return Shape(
        positions, cells, borrowed(shape.volume), borrowed(shape.volume_inverse), borrowed(shape.distance_inverse),
        borrowed(shape.reach), borrowed(shape.share), borrowed(shape.capacity_inverse), borrowed(shape.rings_m), shape.tube_m,
        shape.tube_k_w, borrowed(shape.ends_m2), shape.fin_m2_k_w, shape.skin_m2, shape.skin_m, shape.half_pressure_pa,
        shape.convection_half_pa, shape.radiation_share, shape.heat_rate_j,
    )  # fmt: skip


@inlined
def lent(shape: Shape) -> Shape:
    """Return ``shape`` with arrays that have no owner, see ``borrowed``."""
    return _sized(shape, shape.positions, shape.cells)


@inlined
def is_usual(shape: Shape) -> bool:
    """Return whether ``shape`` has the size of a load's model."""
    return shape.positions == USUAL_POSITIONS and shape.cells == USUAL_CELLS


@inlined
def usual(shape: Shape) -> Shape:
    """Return ``shape`` with constants for its size, with which the compiler turns the loops over positions and nodes into vector code."""
    return _sized(shape, USUAL_POSITIONS, USUAL_CELLS)
