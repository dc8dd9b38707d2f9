"""Heat of the roll, compiled: a chain of rings from the core outwards, and the core tube before the first of them.

Nodes are the rings' means over their width and, last, the tube. Over its width the copper of a ring is quick (W^2/k: minutes) and follows
its end faces as a fin that warms at one rate: an end leads the mean by twice of what the middle lags it.
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
    """Return the heat transfer from the wall through an end face to the mean of the width."""
    return h / (1.0 + h * shape.fin_m2_k_w)


@inlined
def end_lead(shape: Shape, h: float) -> float:
    """Return how far an end face is from the mean of its ring's width towards the wall; the middle is half as far on the other side."""
    return ends_w_m2_k(shape, h) * shape.fin_m2_k_w


@inlined
def wall_w_k(member: Member, shape: Shape, h: float, skin: float, p: int) -> float:
    """Return the conductance from the wall to node ``p``: ends, the outermost ring's ``skin``, the tube's bore."""
    tube = shape.positions - 1
    if p == tube:
        return member.bore_w_k
    through: float = ends_w_m2_k(shape, h) * shape.ends_m2[p]
    return through + skin if p == tube - 1 else through


@inlined
def skin_lead(shape: Shape, h: float, skin: float) -> float:
    """Return how far the outermost surface is from its ring towards the wall: in series with what leads inwards, ``h`` gives ``skin``."""
    return 1.0 - skin / (h * shape.skin_m2)


@inlined
def tube_lead(member: Member, shape: Shape) -> float:
    """Return how far the core tube's end is from its mean towards the wall: what comes through the bore enters there."""
    lead = 0.5 * member.bore_w_k * shape.tube_k_w
    return lead / (1.0 + lead)


@inlined
def film_temps(member: Member, shape: Shape, drive: Drive, nodes: Array, films: Array) -> None:
    """Write the films' temperatures to ``films``: in the middle of each ring's width, and last at the end of the outermost one."""
    edge = shape.positions - 1
    _, h, _ = conductances(member, shape, drive)
    lead = end_lead(shape, h)
    for p in range(edge):
        films[p] = nodes[p] - 0.5 * lead * (drive.wall_k - nodes[p])
    films[edge] = nodes[edge - 1] + lead * (drive.wall_k - nodes[edge - 1])


@inlined
def heat_rates(member: Member, shape: Shape, drive: Drive, nodes: Array, mean: Array, temps: Array) -> None:
    """Write dT/dt in K/s; ``mean`` is the rate of each film's mean u."""
    tube = shape.positions - 1
    k, h, skin = conductances(member, shape, drive)
    for p in range(shape.positions):
        temps[p] = wall_w_k(member, shape, h, skin, p) * (drive.wall_k - nodes[p])
    for p in range(shape.positions):
        temps[min(p, tube - 1)] += shape.heat_rate_j * shape.share[p] * mean[p]  # the edge zone's from the outermost ring
    for p in range(tube - 1):
        flow = k * shape.rings_m[p] * (nodes[p + 1] - nodes[p])
        temps[p] += flow
        temps[p + 1] -= flow
    flow = k * shape.tube_m * (nodes[0] - nodes[tube])
    temps[0] -= flow
    temps[tube] += flow
    for p in range(shape.positions):
        temps[p] *= shape.capacity_inverse[p]


@inlined
def heat_factor(member: Member, shape: Shape, drive: Drive, shift: float, lu: Array) -> None:
    """Factor the chain, the tube first; row 0 multiplier, 1 inverse pivot, 2 towards the next ring outwards.

    Row 1 comes with what evaporation adds to the diagonal.
    """
    tube = shape.positions - 1
    k, h, skin = conductances(member, shape, drive)
    below, inverse, above = lu[0], lu[1], lu[2]
    inwards = k * shape.tube_m
    inverse[tube] = 1.0 / (shift + inverse[tube] + (inwards + wall_w_k(member, shape, h, skin, tube)) * shape.capacity_inverse[tube])
    above[tube] = -inwards * shape.capacity_inverse[tube]
    before = tube
    for p in range(tube):
        outwards = k * shape.rings_m[p] if p < tube - 1 else 0.0
        out = wall_w_k(member, shape, h, skin, p) + inwards + outwards
        above[p] = -outwards * shape.capacity_inverse[p]
        below[p] = -inwards * shape.capacity_inverse[p] * inverse[before]
        inverse[p] = 1.0 / (shift + inverse[p] + out * shape.capacity_inverse[p] - below[p] * above[before])
        inwards, before = outwards, p


@inlined
def heat_solve(shape: Shape, lu: Array, b: Array) -> None:
    """Solve the chain with the factors of ``heat_factor``, in place."""
    tube = shape.positions - 1
    below, inverse, above = lu[0], lu[1], lu[2]
    b[0] -= below[0] * b[tube]
    for p in range(1, tube):
        b[p] -= below[p] * b[p - 1]
    after = 0.0
    for p in range(tube - 1, -1, -1):
        b[p] = (b[p] - above[p] * after) * inverse[p]
        after = b[p]
    b[tube] = (b[tube] - above[tube] * after) * inverse[tube]
