"""The members carried through a history of wall and chamber, one after the other, compiled."""

from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple
from numpy.typing import NDArray

from controller.estimator.compiled import borrowed, compiled, inlined
from controller.estimator.equations import rates
from controller.estimator.heat import conductances, film_temps, skin_lead, tube_lead
from controller.estimator.laws import HARMLESS_U, exp, film_pressure_pa
from controller.estimator.member import Drive, Member, Shape, lent
from controller.estimator.rosenbrock import TOO_MANY, Room, Tolerance, advance_to, drive_at

Array = NDArray[np.float64]
_fixed_tuple = cast(Callable[[Array, int], tuple[float, ...]], to_fixed_tuple)
Flags = NDArray[np.int64]

MEMBER_NUMBERS = len(Member._fields)
_WIDTH = MEMBER_NUMBERS  # a literal for the compiler


class Seen(NamedTuple):
    """Where a trajectory is written: what each member would show at the moments asked for."""

    temp_k: Array  # (members, moments, positions) of the films
    residual: Array
    held: Array  # by the gap: u of the free solvent in the free face over its mean, 0 to 1
    conversion: Array
    evolution_kg_s: Array  # (members, moments)
    blister: Array


@inlined
def _between(before: float, rate_before: float, after: float, rate_after: float, step_s: float, share: float) -> float:
    """Return the cubic Hermite polynomial at ``share`` of a step."""
    rest = 1.0 - share
    return (
        rest * rest * ((1.0 + 2.0 * share) * before + share * step_s * rate_before)
        + share * share * ((1.0 + 2.0 * rest) * after - rest * step_s * rate_after)
    )  # fmt: skip


@inlined
def _slope(before: float, rate_before: float, after: float, rate_after: float, step_s: float, share: float) -> float:
    """Return the derivative of ``_between`` by time."""
    rest = 1.0 - share
    middle = 6.0 * share * rest * (after - before) / step_s
    return middle + rest * (1.0 - 3.0 * share) * rate_before + share * (3.0 * share - 2.0) * rate_after


@inlined
def blister_of(member: Member, temp_k: float, u: float, pressure_pa: float) -> tuple[float, bool]:
    """Return a1 Psat / P for a node and whether a blister could grow there: T > Tg(w), and more solvent than is harmless."""
    saturation_pa = exp(member.log_saturation_a - member.antoine_b_k / (temp_k + member.antoine_c_k))
    fraction = u / (1.0 + u)
    soft = 1.0 / temp_k < (1.0 - fraction) / member.glass_dry_k + fraction / member.glass_solvent_k
    return film_pressure_pa(u, saturation_pa, member.density_ratio, member.chi) / pressure_pa, soft and u > HARMLESS_U


@inlined
def _show(
    member: Member, shape: Shape, room: Room, share: float, step_s: float, drive: Drive, polymer_kg: float, m: int, j: int, seen: Seen
) -> None:
    """Write moment ``j`` of member ``m``, which lies at ``share`` of the last step; rows[3] holds the rates after it."""
    y, f, before, after = room.rows[0], room.rows[2], room.rows[7], room.rows[3]
    positions = shape.positions
    nodes = shape.cells * positions
    heat = room.flux  # no longer needed
    for t in range(nodes + 2 * positions, nodes + 3 * positions):
        heat[t - nodes - 2 * positions] = _between(before[t], f[t], y[t], after[t], step_s, share)
    film_temps(member, shape, drive, heat, room.films)
    evolution, worst = 0.0, 0.0
    for p in range(positions):
        k, q, temp_k = nodes + p, nodes + positions + p, room.films[p]
        mean = _between(before[k], f[k], y[k], after[k], step_s, share)
        foil = max(_between(before[p], f[p], y[p], after[p], step_s, share), 0.0)
        seen.temp_k[m, j, p] = temp_k
        seen.residual[m, j, p] = max(mean, 0.0) / (1.0 + max(mean, 0.0))
        face, b = nodes - positions + p, nodes + 3 * positions + p
        free = max(mean - _between(before[b], f[b], y[b], after[b], step_s, share), 1e-12)
        seen.held[m, j, p] = min(max(_between(before[face], f[face], y[face], after[face], step_s, share), 0.0) / free, 1.0)
        seen.conversion[m, j, p] = 1.0 - np.exp(-max(_between(before[q], f[q], y[q], after[q], step_s, share), 0.0))
        evolution -= polymer_kg * shape.share[p] * _slope(before[k], f[k], y[k], after[k], step_s, share)
        pushing, grows = blister_of(member, temp_k, foil, drive.pressure_pa)
        if grows:
            worst = max(worst, pushing)
    seen.evolution_kg_s[m, j] = evolution
    seen.blister[m, j] = worst


@inlined
def _load(shape: Shape, row: Array, y: Array) -> None:
    """Write a row of the state block (heat's nodes, u, conversions, bound solvent) to ``y`` in the solver's order."""
    positions = shape.positions
    nodes = shape.cells * positions
    for k in range(nodes):
        y[k] = row[positions + k]
    for p in range(positions):
        bound = row[2 * positions + nodes + p]
        mean = bound
        for i in range(shape.cells):
            mean += shape.volume[i] * y[i * positions + p]
        y[nodes + p] = mean
        y[nodes + positions + p] = -np.log1p(-min(row[positions + nodes + p], 1.0 - 1e-15))
        y[nodes + 2 * positions + p] = row[p]
        y[nodes + 3 * positions + p] = bound


@inlined
def _store(shape: Shape, y: Array, row: Array) -> None:
    """Write ``y`` back to a row of the state block."""
    positions = shape.positions
    nodes = shape.cells * positions
    for k in range(nodes):
        row[positions + k] = y[k]
    for p in range(positions):
        row[positions + nodes + p] = max(-np.expm1(-y[nodes + positions + p]), 0.0)  # a cold film's step may round below nothing
        row[p] = y[nodes + 2 * positions + p]
        row[2 * positions + nodes + p] = y[nodes + 3 * positions + p]


@compiled
def places(table: Array, shape: Shape, drive: Drive, nodes: Array, films: Array, nearer: Array) -> None:
    """Write each member's film temperatures (members, positions), and how far two surfaces are towards the wall, see ``layers.Places``."""
    table, nodes, films, nearer, shape = borrowed(table), borrowed(nodes), borrowed(films), borrowed(nearer), lent(shape)
    for m in range(table.shape[0]):
        member = Member(*_fixed_tuple(table[m], _WIDTH))
        film_temps(member, shape, drive, nodes[m], films[m])
        _, h, skin = conductances(member, shape, drive)
        nearer[0, m] = skin_lead(shape, h, skin)
        nearer[1, m] = tube_lead(member, shape)


@compiled
def march(
    table: Array, shape: Shape, tolerance: Tolerance, polymer_kg: float, block: Array, knots: Array, end_s: float, first_s: float,
    most: int, room: Room, ahead_s: Array, after: Array, lost: Array, seen: Seen, tries: Flags, flags: Flags,
) -> None:  # fmt: skip
    """Carry every member of ``block`` (members, rows) from 0 to ``end_s`` along ``knots`` (n, 4), which enclose that span.

    Writes the states to ``after``, the fall of the mean u per position to ``lost`` (members, positions), the moments ``ahead_s`` to
    ``seen``, the number of steps tried and a flag. A member that fails keeps its state, and its moments stay what they were.
    """
    room = Room(borrowed(room.rows), borrowed(room.lu), borrowed(room.films), borrowed(room.warmth), borrowed(room.flux))
    shape, table, block, knots, ahead_s = lent(shape), borrowed(table), borrowed(block), borrowed(knots), borrowed(ahead_s)
    after, lost = borrowed(after), borrowed(lost)
    seen = Seen(
        borrowed(seen.temp_k), borrowed(seen.residual), borrowed(seen.held), borrowed(seen.conversion), borrowed(seen.evolution_kg_s),
        borrowed(seen.blister),
    )  # fmt: skip
    nodes, y = shape.cells * shape.positions, room.rows[0]
    for m in range(block.shape[0]):
        member = Member(*_fixed_tuple(table[m], _WIDTH))
        _load(shape, block[m], y)
        for p in range(shape.positions):
            lost[m, p] = y[nodes + p]
        at_s, dt_s, flag, count, moment = 0.0, first_s, 0, 0, 0
        for segment in range(knots.shape[0] - 1):
            until_s = min(knots[segment + 1, 0], end_s)
            while at_s < until_s and flag == 0:
                began_s = at_s
                at_s, taken_s, dt_s, more, flag = advance_to(member, shape, knots, segment, at_s, until_s, dt_s, tolerance, room)
                count += more
                if count > most:
                    flag = TOO_MANY
                if flag == 0 and moment < ahead_s.size and ahead_s[moment] <= at_s:
                    rates(member, shape, drive_at(knots, segment, at_s), y, room.rows[3], room.films, room.warmth, room.flux)
                    while moment < ahead_s.size and ahead_s[moment] <= at_s:
                        share = (ahead_s[moment] - began_s) / taken_s
                        drive = drive_at(knots, segment, ahead_s[moment])
                        _show(member, shape, room, share, taken_s, drive, polymer_kg, m, moment, seen)
                        moment += 1
        tries[m], flags[m] = count, flag
        if flag == 0:
            _store(shape, y, after[m])
            for p in range(shape.positions):
                lost[m, p] -= y[nodes + p]
        else:
            after[m] = block[m]
            lost[m] = 0.0
