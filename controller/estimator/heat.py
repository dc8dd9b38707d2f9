"""Heat of the roll, compiled: a chain of rings from the core outwards, and the edge zone, tied to them along the copper.

The equations let the edge zone touch every ring; ``winding`` ties it to the outermost one.
"""

import numpy as np
from numpy.typing import NDArray

from controller.estimator.compiled import inlined
from controller.estimator.member import Drive, Member, Shape

Array = NDArray[np.float64]


@inlined
def conductances(member: Member, shape: Shape, drive: Drive) -> tuple[float, float, float]:
    """Return radial conductivity in W/m.K, the wall's heat transfer in W/m2.K, and its conductance to the outermost ring in W/K."""
    k = member.k_vacuum + member.k_gas * drive.pressure_pa / (drive.pressure_pa + shape.half_pressure_pa)
    hot = drive.wall_k / 473.15
    fading = drive.pressure_pa / (drive.pressure_pa + shape.convection_half_pa)
    h = member.h * (shape.radiation_share * hot * hot * hot + (1.0 - shape.radiation_share) * fading)
    skin, inner = h * shape.skin_m2, k * shape.skin_m
    return k, h, skin * inner / (skin + inner)


@inlined
def ends_w_m2_k(shape: Shape, h: float) -> float:
    """Return the heat transfer from the wall through an end face to the middle of the width: the copper conducts, but not at once."""
    return h / (1.0 + h * shape.fin_m2_k_w)


@inlined
def open_w_k(shape: Shape, h: float, p: int) -> float:
    """Return the conductance from the wall through what position ``p`` shows it; the edge zone is the end itself."""
    face: float = shape.open_m2[p]
    return (h if p == shape.positions - 1 else ends_w_m2_k(shape, h)) * face


@inlined
def heat_rates(member: Member, shape: Shape, drive: Drive, heat: Array, mean: Array, temps: Array) -> None:
    """Write dT/dt in K/s; ``mean`` is the rate of the mean u."""
    edge = shape.positions - 1
    k, h, skin = conductances(member, shape, drive)
    for p in range(shape.positions):
        temps[p] = open_w_k(shape, h, p) * (drive.wall_k - heat[p]) + shape.heat_rate_j * shape.share[p] * mean[p]
    temps[edge - 1] += skin * (drive.wall_k - heat[edge - 1])
    for p in range(edge - 1):
        flow = k * shape.rings_m[p] * (heat[p + 1] - heat[p])
        temps[p] += flow
        temps[p + 1] -= flow
    total = 0.0
    for p in range(edge):
        flow = shape.axial_w_k[p] * (heat[edge] - heat[p])
        temps[p] += flow
        total += flow
    temps[edge] -= total
    for p in range(shape.positions):
        temps[p] *= shape.capacity_inverse[p]


@inlined
def heat_factor(member: Member, shape: Shape, drive: Drive, shift: float, lu: Array) -> None:
    """Factor the heat's arrow; row 0 multiplier, 1 inverse pivot, 2 above. The edge's column, solved, stands in row 3.

    Row 1 comes with what evaporation adds to the diagonal.
    """
    edge = shape.positions - 1
    k, h, skin = conductances(member, shape, drive)
    below, inverse, above, column = lu[0], lu[1], lu[2], lu[3]
    for p in range(edge):
        out = open_w_k(shape, h, p) + shape.axial_w_k[p]
        if p == edge - 1:
            out += skin
        down = 0.0
        above[p] = 0.0
        if p > 0:
            down = k * shape.rings_m[p - 1]
            out += down
        if p < edge - 1:
            up = k * shape.rings_m[p]
            out += up
            above[p] = -up * shape.capacity_inverse[p]
        pivot = shift + inverse[p] + out * shape.capacity_inverse[p]
        column[p] = -shape.axial_w_k[p] * shape.capacity_inverse[p]
        below[p] = 0.0
        if p > 0:
            below[p] = -down * shape.capacity_inverse[p] * inverse[p - 1]
            pivot -= below[p] * above[p - 1]
            column[p] -= below[p] * column[p - 1]
        inverse[p] = 1.0 / pivot
    out = open_w_k(shape, h, edge)
    for p in range(edge):
        out += shape.axial_w_k[p]
    pivot = shift + inverse[edge] + out * shape.capacity_inverse[edge]
    after = 0.0
    for p in range(edge - 1, -1, -1):
        column[p] = (column[p] - above[p] * after) * inverse[p]
        after = column[p]
    for p in range(edge):
        pivot += shape.axial_w_k[p] * shape.capacity_inverse[edge] * column[p]
    inverse[edge] = 1.0 / pivot


@inlined
def heat_solve(shape: Shape, lu: Array, b: Array) -> None:
    """Solve the heat's arrow with the factors of ``heat_factor``, in place."""
    edge = shape.positions - 1
    below, inverse, above, column = lu[0], lu[1], lu[2], lu[3]
    for p in range(1, edge):
        b[p] -= below[p] * b[p - 1]
    after = 0.0
    for p in range(edge - 1, -1, -1):
        b[p] = (b[p] - above[p] * after) * inverse[p]
        after = b[p]
    last = b[edge]
    for p in range(edge):
        last += shape.axial_w_k[p] * shape.capacity_inverse[edge] * b[p]
    last *= inverse[edge]
    b[edge] = last
    for p in range(edge):
        b[p] -= column[p] * last
