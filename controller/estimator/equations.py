"""The equations of one member, compiled: its rates of change.

The state of a member is one flat array, positions innermost, of ``(cells + 4) * positions`` numbers: u of the free solvent at the nodes
from the foil to the free face (kg per kg polymer), then per position all solvent of the film, free and bound, as a mean u, q = -ln(1 -
conversion), the heat's nodes in K (rings, core tube: see ``heat``), and the bound solvent's u. The film is a vertex-centred finite-volume
grid: the first node lies on the foil, the last one in the free face, and their volumes are half ones. Bound solvent lies evenly over the
film and goes towards its equilibrium with the free one at a rate of its own: first order, Arrhenius, as the bound water of freeze-drying
(Srisuma, Barbastathis, Braatz, arXiv 2407.13844), which knows no way back because its gas is dry.
"""

import numpy as np
from numpy.typing import NDArray

from controller.estimator.compiled import borrowed, compiled, inlined
from controller.estimator.heat import film_temps, heat_rates
from controller.estimator.laws import (
    cure_rate,
    diffusion_s,
    empty_share,
    exp,
    film_pressure_pa,
    gap_drive,
    gap_exchange_m2_s,
    glass_share,
    release_s,
)  # fmt: skip
from controller.estimator.member import Drive, Member, Shape, is_usual, lent, usual

Array = NDArray[np.float64]


@inlined
def _surface(member: Member, temp_k: float, u: float, drive: Drive, reach: float) -> float:
    """Return the rate at which the film loses solvent through its free face, du_mean/dt in 1/s."""
    saturation_pa = exp(member.log_saturation_a - member.antoine_b_k / (temp_k + member.antoine_c_k))
    film_pa = film_pressure_pa(u, saturation_pa, member.density_ratio, member.chi)
    inert_pa = max(drive.pressure_pa - drive.vapour_pa, 1.0)
    diffusion = gap_exchange_m2_s(temp_k, member.knudsen_root, member.molecular_pa, member.swept_m2_pa_s, drive.pressure_pa, inert_pa)
    driven = gap_drive(film_pa, drive.pressure_pa, drive.vapour_pa, diffusion, member.viscous_m2_pa_s)
    return member.surface_scale * reach * driven / temp_k


@inlined
def _film_warmth(member: Member, shape: Shape, y: Array, films: Array, warmth: Array) -> None:
    """Write dry and swollen L^2/D, the glass's weight fraction and the bound solvent, tiled over the faces, to the rows of ``warmth``."""
    positions = shape.positions
    faces = (shape.cells - 1) * positions
    held = y[(shape.cells + 3) * positions :]
    dry, swollen, glass, bound = warmth[0], warmth[1], warmth[2], warmth[3]
    glass_dry_inverse, glass_solvent_inverse = 1.0 / member.glass_dry_k, 1.0 / member.glass_solvent_k
    for p in range(positions):
        inverse_k = 1.0 / films[p]
        dry[p] = member.dry_s * exp(member.dry_energy_k * (inverse_k - member.dry_reference_inverse_k))
        swollen[p] = member.swollen_s * exp(member.swollen_energy_k * (inverse_k - member.swollen_reference_inverse_k))
        glass[p] = glass_share(inverse_k, glass_dry_inverse, glass_solvent_inverse)
        bound[p] = held[p]
    for row in (dry, swollen, glass, bound):
        for start in range(positions, faces, positions):
            tile = row[start:]
            for p in range(positions):
                tile[p] = row[p]


@inlined
def _release(member: Member, shape: Shape, y: Array, films: Array, f: Array) -> None:
    """Let bound solvent become free, or free solvent bound: take it off the bound part's rate and add it to that of every node."""
    positions = shape.positions
    nodes = shape.cells * positions
    mean, bound, lost = y[nodes:], y[nodes + 3 * positions :], f[nodes + 3 * positions :]
    for p in range(positions):
        held = member.sites * (1.0 - empty_share(mean[p] - bound[p], member.refill))
        lost[p] = (held - bound[p]) * release_s(1.0 / films[p], member.release_s, member.release_energy_k, member.dry_reference_inverse_k)
    for start in range(0, nodes, positions):
        layer = f[start:]
        for p in range(positions):
            layer[p] -= lost[p]


@inlined
def _rates(member: Member, shape: Shape, drive: Drive, y: Array, f: Array, films: Array, warmth: Array, flux: Array) -> None:
    """Write dy/dt to ``f``, the films' temperatures to ``films``; ``warmth`` (4, faces) and ``flux`` (faces,) are room to work in."""
    positions, cells = shape.positions, shape.cells
    nodes, faces = cells * positions, (cells - 1) * positions
    heat = y[nodes + 2 * positions :]
    film_temps(member, shape, drive, heat, films)
    _film_warmth(member, shape, y, films, warmth)
    dry, swollen, glass, resist = warmth[0], warmth[1], warmth[2], warmth[3]
    beyond, distance_inverse = y[positions:], shape.distance_inverse
    for k in range(faces):
        series = diffusion_s(0.5 * (y[k] + beyond[k]) + resist[k], dry[k], swollen[k], glass[k], member.slope_rubber, member.slope_extra)
        flux[k] = (beyond[k] - y[k]) * distance_inverse[k] / series
        resist[k] = series
    mean, left, temps = f[nodes : nodes + positions], f[nodes + positions : nodes + 2 * positions], f[nodes + 2 * positions :]
    face = y[faces:nodes]
    for p in range(positions):
        mean[p] = -_surface(member, films[p], face[p], drive, shape.reach[p])
    volume_inverse = shape.volume_inverse
    for k in range(positions):
        f[k] = flux[k] * volume_inverse[k]
    inside, before, volume_inside = f[positions:faces], flux[positions:], volume_inverse[positions:]
    for k in range(faces - positions):
        inside[k] = (before[k] - flux[k]) * volume_inside[k]
    last, last_flux, last_volume = f[faces:nodes], flux[faces - positions :], volume_inverse[faces:]
    for p in range(positions):
        last[p] = (mean[p] - last_flux[p]) * last_volume[p]
    _release(member, shape, y, films, f)
    mean_u, left_log = y[nodes : nodes + positions], y[nodes + positions : nodes + 2 * positions]
    for p in range(positions):
        left[p] = cure_rate(
            1.0 / films[p], films[p], mean_u[p], left_log[p], member.rate_s, member.energy_k, member.reference_inverse_k,
            member.order, member.glass_dry_k, member.glass_solvent_k, member.rise_k, member.offset_k, member.width_k,
        )  # fmt: skip
    heat_rates(member, shape, drive, heat, mean, temps)


@compiled
def rates(member: Member, shape: Shape, drive: Drive, y: Array, f: Array, films: Array, warmth: Array, flux: Array) -> None:
    """Write dy/dt to ``f``, see ``_rates``."""
    shape, y, f, films, warmth, flux = lent(shape), borrowed(y), borrowed(f), borrowed(films), borrowed(warmth), borrowed(flux)
    if is_usual(shape):
        _rates(member, usual(shape), drive, y, f, films, warmth, flux)
    else:
        _rates(member, shape, drive, y, f, films, warmth, flux)
