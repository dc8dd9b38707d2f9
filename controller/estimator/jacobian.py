"""The factored approximate Jacobian of the equations, compiled, and solving with it.

The Jacobian keeps what is stiff: the film's tridiagonal block, the mean's row, the cure's diagonal, the heat's chain of rings, and
evaporation, through which the surface node and the ring's temperature act on each other: it couples one node per ring, which costs one term
on the temperature's diagonal; that of the small edge zone stays explicit. What becomes free of bound solvent is solved before the film
that it feeds. Everything else stays explicit, which a W-method allows.
"""

import numpy as np
from numpy.typing import NDArray

from controller.estimator.compiled import inlined
from controller.estimator.heat import heat_factor, heat_solve
from controller.estimator.laws import (
    empty_share,
    exp,
    film_pressure_pa,
    film_pressure_slope_pa,
    gap_drive_slope,
    gap_exchange_m2_s,
    release_s,
)  # fmt: skip
from controller.estimator.member import Drive, Member, Shape, is_usual, usual

Array = NDArray[np.float64]


@inlined
def _surface_slopes(member: Member, temp_k: float, u: float, drive: Drive, reach: float, arriving: float) -> tuple[float, float]:
    """Return the derivatives of ``_surface`` by u and by the temperature, as the Jacobian wants them.

    The latter goes only as far as the vapour pressure does. Where ``arriving``, the solvent that comes from the inside, is more than
    diffusion carries away at the chamber's pressure, the film is about to boil: then the steep slope of boiling is taken even while the
    film's pressure is still a little below, or every step would throw it over the kink.
    """
    offset_k = temp_k + member.antoine_c_k
    saturation_pa = exp(member.log_saturation_a - member.antoine_b_k / offset_k)
    film_pa = film_pressure_pa(u, saturation_pa, member.density_ratio, member.chi)
    inert_pa = max(drive.pressure_pa - drive.vapour_pa, 1.0)
    diffusion = gap_exchange_m2_s(temp_k, member.knudsen_root, member.molecular_pa, member.swept_m2_pa_s, drive.pressure_pa, inert_pa)
    scale = member.surface_scale * reach / temp_k
    boils = arriving > scale * diffusion * (drive.pressure_pa - drive.vapour_pa)
    at_pa = max(film_pa, drive.pressure_pa * 1.000001) if boils else film_pa
    slope = gap_drive_slope(at_pa, drive.pressure_pa, diffusion, member.viscous_m2_pa_s) * scale
    steep = film_pressure_slope_pa(u, saturation_pa, member.density_ratio, member.chi)
    return slope * steep, slope * film_pa * member.antoine_b_k / (offset_k * offset_k)


@inlined
def _factor(
    member: Member, shape: Shape, drive: Drive, y: Array, f: Array, shift: float, films: Array, warmth: Array, flux: Array, lu: Array
) -> None:
    """Write the factors of shift - A to ``lu`` (3, (cells + 4) * positions), A the approximate Jacobian at ``y``.

    ``f``, ``films``, ``warmth`` and ``flux`` are what ``rates`` has left at ``y``; the last two are used up. Rows of ``lu``: multiplier
    below, inverse pivot, and what stands above; for the film's nodes of the matrix, for the mean its surface slope, for the cure the
    inverse, for the bound solvent its rate and the inverse.
    """
    positions, cells = shape.positions, shape.cells
    nodes, faces = cells * positions, (cells - 1) * positions
    swollen, glass, resist = warmth[1], warmth[2], warmth[3]
    near, far = warmth[0], warmth[1]  # d flux / d u at the near and the far node, written over what made them
    beyond, distance_inverse, volume_inverse = y[positions:], shape.distance_inverse, shape.volume_inverse
    for k in range(faces):
        u = 0.5 * (y[k] + beyond[k])
        series = resist[k]
        part = series - swollen[k]
        fraction = u / (1.0 + u)
        steep = member.slope_rubber + (member.slope_extra if fraction < glass[k] else 0.0)
        change = 0.5 * flux[k] * steep * part / (series * (1.0 + u) * (1.0 + u))
        plain = distance_inverse[k] / series
        near[k] = change - plain
        far[k] = change + plain
    below, inverse, above = lu[0], lu[1], lu[2]
    _film_matrix(shape, shift, near, far, lu)
    last, arriving, edge = y[faces:nodes], flux[faces - positions :], positions - 1
    mean, bound = y[nodes:], y[nodes + 3 * positions :]
    surface_u, surface_temp, warming = lu[0, nodes:], lu[2, nodes:], lu[3, nodes:]
    for p in range(positions):
        surface_u[p], surface_temp[p] = _surface_slopes(member, films[p], last[p], drive, shape.reach[p], -arriving[p])
        warming[p] = shape.heat_rate_j * shape.share[p] * shape.capacity_inverse[p]
    surface_temp[edge] = warming[edge] = 0.0  # that node of the heat is the tube
    for p in range(positions):
        inverse[faces + p] += surface_u[p] * volume_inverse[faces + p]
        above[faces + p] = surface_temp[p] * volume_inverse[faces + p]
    _eliminate(positions, faces, below, inverse, above)
    for p in range(positions):
        inverse[nodes + p] = 1.0 / shift
        cured = f[nodes + positions + p]
        inverse[nodes + positions + p] = 1.0 / (shift + (member.order - 1.0) * cured)
        taken = member.sites / member.refill * empty_share(mean[p] - bound[p], member.refill)
        release = (1.0 + taken) * release_s(1.0 / films[p], member.release_s, member.release_energy_k, member.dry_reference_inverse_k)
        below[nodes + 3 * positions + p], inverse[nodes + 3 * positions + p] = release, 1.0 / (shift + release)
        # what the surface node, eliminated, leaves on the temperature's diagonal
        rest = 1.0 - surface_u[p] * inverse[faces + p] * volume_inverse[faces + p]
        lu[1, nodes + 2 * positions + p] = warming[p] * surface_temp[p] * rest
    heat_factor(member, shape, drive, shift, lu[:, nodes + 2 * positions :])


@inlined
def _film_matrix(shape: Shape, shift: float, near: Array, far: Array, lu: Array) -> None:
    """Write the film's part of shift - A, without the surface: what stands below, on and above the diagonal."""
    positions, faces, volume_inverse = shape.positions, near.size, shape.volume_inverse
    below, diagonal, above = lu[0], lu[1], lu[2]
    for k in range(faces):
        diagonal[k] = shift - near[k] * volume_inverse[k]
        above[k] = -far[k] * volume_inverse[k]
    below_later, diagonal_later, volume_later = below[positions:], diagonal[positions:], volume_inverse[positions:]
    for k in range(faces, faces + positions):
        diagonal[k] = shift
    for k in range(faces):
        below_later[k] = near[k] * volume_later[k]
        diagonal_later[k] += far[k] * volume_later[k]


@inlined
def _eliminate(positions: int, faces: int, below: Array, inverse: Array, above: Array) -> None:
    """Turn the film's matrix into its factors: multipliers in ``below``, pivots' inverses in ``inverse``, which comes with the diagonal."""
    for p in range(positions):
        inverse[p] = 1.0 / inverse[p]
    below_later, inverse_later = below[positions:], inverse[positions:]
    for k in range(faces):
        below_later[k] *= inverse[k]
        inverse_later[k] = 1.0 / (inverse_later[k] - below_later[k] * above[k])


@inlined
def _solve_bound(shape: Shape, lu: Array, b: Array) -> None:
    """Solve for the bound solvent, in place, and add what it sets free to every node."""
    positions = shape.positions
    nodes = shape.cells * positions
    rate, inverse, bound = lu[0, nodes + 3 * positions :], lu[1, nodes + 3 * positions :], b[nodes + 3 * positions :]
    for p in range(positions):
        bound[p] *= inverse[p]
    for start in range(0, nodes, positions):
        layer = b[start:]
        for p in range(positions):
            layer[p] += rate[p] * bound[p]


@inlined
def _solve(shape: Shape, lu: Array, b: Array) -> None:
    """Solve with the factors of ``factor``, in place."""
    positions, cells = shape.positions, shape.cells
    nodes, faces = cells * positions, (cells - 1) * positions
    below, inverse, above = lu[0], lu[1], lu[2]
    _solve_bound(shape, lu, b)
    later, below_later = b[positions:nodes], below[positions:nodes]
    for k in range(faces):
        later[k] -= below_later[k] * b[k]
    heat = b[nodes + 2 * positions :]
    for p in range(positions):
        heat[p] -= lu[3, nodes + p] * below[nodes + p] * inverse[faces + p] * b[faces + p]
    heat_solve(shape, lu[:, nodes + 2 * positions :], heat)
    for p in range(positions):
        b[faces + p] = (b[faces + p] - above[faces + p] * heat[p]) * inverse[faces + p]
    for k in range(faces - 1, -1, -1):
        b[k] = (b[k] - above[k] * later[k]) * inverse[k]
    for p in range(positions):
        b[nodes + p] = (b[nodes + p] - below[nodes + p] * b[faces + p] - above[nodes + p] * heat[p]) * inverse[nodes + p]
        b[nodes + positions + p] *= inverse[nodes + positions + p]


@inlined
def factor(
    member: Member, shape: Shape, drive: Drive, y: Array, f: Array, shift: float, films: Array, warmth: Array, flux: Array, lu: Array
) -> None:
    """Factor shift - A, see ``_factor``."""
    if is_usual(shape):
        _factor(member, usual(shape), drive, y, f, shift, films, warmth, flux, lu)
    else:
        _factor(member, shape, drive, y, f, shift, films, warmth, flux, lu)


@inlined
def solve(shape: Shape, lu: Array, b: Array) -> None:
    """Solve in place, see ``_solve``."""
    if is_usual(shape):
        _solve(usual(shape), lu, b)
    else:
        _solve(shape, lu, b)
