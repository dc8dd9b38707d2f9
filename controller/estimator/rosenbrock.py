"""The stepper: ROS34PW2, four stages, third order for any Jacobian, stiffly accurate and L-stable, with an embedded second order.

Source: J. Rang, L. Angermann, New Rosenbrock W-methods of order 3 for partial differential algebraic equations of index 1, BIT 45 (2005)
761-787. Written in the variables that spare products with the Jacobian (Hairer, Wanner, Solving ODEs II, IV.7); a test holds the
coefficients against the order conditions. Time enters as a component with a zero row in the Jacobian, which a W-method allows.
"""

from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator.compiled import inlined
from controller.estimator.equations import rates
from controller.estimator.jacobian import factor, solve
from controller.estimator.member import Drive, Member, Shape

Array = NDArray[np.float64]
Flags = NDArray[np.int64]

GAMMA: Final = 0.435866521508459
ALPHA_2, ALPHA_3 = 0.87173304301691801, 0.73157995778885238  # times of stages 2 and 3 in steps; those of 1 and 4 are 0 and 1
A21, A31, A32 = 2.0, 1.4192173174557652, -0.2592322116729698
A41, A42, A43 = 4.184760482319161, -0.285192017355496, 2.2942803602790423
C21, C31, C32 = -4.588560720558084, -4.184760482319161, 0.285192017355496
C41, C42, C43 = -6.36817920012836, -6.795620944466837, 2.870098604331055
E1, E2, E3, E4 = 0.2777499476479686, -1.4032398951759992, 1.772630127667551, 0.5

TOO_MANY, NOT_FINITE = 1, 2  # what a member's flag says when it could not be carried on
_MOST_STEPS = 20000
_NEGATIVE = 8.0  # the error that a step shows which makes u negative: it is tried again with a quarter
_SHORTEST = 1e-14  # of the way still to go


class Tolerance(NamedTuple):
    """How far one step may be off."""

    u_relative: float
    u_absolute: float
    left_log: float  # of q = -ln(1 - conversion)
    temp_k: float
    negative: float  # u below minus this makes a step fail; what is between is set to zero and booked as not evaporated


class Room(NamedTuple):
    """Where one thread works."""

    rows: Array  # (8, (cells + 4) * positions): y, trial, f, four stages, end rates
    lu: Array  # (4, (cells + 4) * positions)
    films: Array  # (positions,) temperatures
    warmth: Array  # (4, faces)
    flux: Array  # (faces,)


def room_for(shape: Shape) -> Room:
    """Return room for loads of that ``shape``."""
    size, faces = (shape.cells + 4) * shape.positions, (shape.cells - 1) * shape.positions
    return Room(np.zeros((8, size)), np.zeros((4, size)), np.zeros(shape.positions), np.zeros((4, faces)), np.zeros(faces))


@inlined
def drive_at(knots: Array, segment: int, at_s: float) -> Drive:
    """Return the drive at ``at_s``, linear between the knots ``segment`` and the next."""
    span = knots[segment + 1, 0] - knots[segment, 0]
    share = (at_s - knots[segment, 0]) / span if span > 0.0 else 0.0
    return Drive(
        knots[segment, 1] + share * (knots[segment + 1, 1] - knots[segment, 1]),
        knots[segment, 2] + share * (knots[segment + 1, 2] - knots[segment, 2]),
        knots[segment, 3] + share * (knots[segment + 1, 3] - knots[segment, 3]),
    )


@inlined
def _stages(member: Member, shape: Shape, knots: Array, segment: int, at_s: float, dt_s: float, room: Room) -> None:
    """Compute the four stages of a step from rows[0] with its rates in rows[2]; leave the new state in rows[1], the stages in rows[3:7]."""
    y, trial, f = room.rows[0], room.rows[1], room.rows[2]
    u1, u2, u3, u4 = room.rows[3], room.rows[4], room.rows[5], room.rows[6]
    size, inverse = y.size, 1.0 / dt_s
    for k in range(size):
        u1[k] = f[k]
    solve(shape, room.lu, u1)
    for k in range(size):
        trial[k] = y[k] + A21 * u1[k]
    rates(member, shape, drive_at(knots, segment, at_s + ALPHA_2 * dt_s), trial, u2, room.films, room.warmth, room.flux)
    for k in range(size):
        u2[k] += C21 * inverse * u1[k]
    solve(shape, room.lu, u2)
    for k in range(size):
        trial[k] = y[k] + A31 * u1[k] + A32 * u2[k]
    rates(member, shape, drive_at(knots, segment, at_s + ALPHA_3 * dt_s), trial, u3, room.films, room.warmth, room.flux)
    for k in range(size):
        u3[k] += inverse * (C31 * u1[k] + C32 * u2[k])
    solve(shape, room.lu, u3)
    for k in range(size):
        trial[k] = y[k] + A41 * u1[k] + A42 * u2[k] + A43 * u3[k]
    rates(member, shape, drive_at(knots, segment, at_s + dt_s), trial, u4, room.films, room.warmth, room.flux)
    for k in range(size):
        u4[k] += inverse * (C41 * u1[k] + C42 * u2[k] + C43 * u3[k])
    solve(shape, room.lu, u4)
    for k in range(size):
        trial[k] += u4[k]


@inlined
def _error(shape: Shape, room: Room, tolerance: Tolerance) -> float:
    """Return the step's error in tolerances: the largest of the root mean squares of u, free and bound, of cure and temperature.

    Infinite when anything is not a number; ``_NEGATIVE`` when u would fall below zero by more than ``tolerance.negative``.
    """
    y, trial = room.rows[0], room.rows[1]
    u1, u2, u3, u4 = room.rows[3], room.rows[4], room.rows[5], room.rows[6]
    positions = shape.positions
    nodes = shape.cells * positions
    wet, lowest = 0.0, 0.0
    for k in range(nodes):
        off = E1 * u1[k] + E2 * u2[k] + E3 * u3[k] + E4 * u4[k]
        scaled = off / (tolerance.u_absolute + tolerance.u_relative * abs(y[k]))
        wet += scaled * scaled
        lowest = min(lowest, trial[k])
    wet /= nodes
    cure, warm, held = 0.0, 0.0, 0.0
    for p in range(positions):
        k, t, b = nodes + positions + p, nodes + 2 * positions + p, nodes + 3 * positions + p
        off = (E1 * u1[k] + E2 * u2[k] + E3 * u3[k] + E4 * u4[k]) / tolerance.left_log
        cure += off * off
        off = (E1 * u1[t] + E2 * u2[t] + E3 * u3[t] + E4 * u4[t]) / tolerance.temp_k
        warm += off * off
        off = (E1 * u1[b] + E2 * u2[b] + E3 * u3[b] + E4 * u4[b]) / (tolerance.u_absolute + tolerance.u_relative * abs(y[b]))
        held += off * off
        lowest = min(lowest, trial[b])
    total = wet + (cure + warm + held) / positions
    if not total < 1e30:
        return np.inf
    if lowest < -tolerance.negative:
        return _NEGATIVE
    return sqrt(max(wet, max(cure, warm, held) / positions))


@inlined
def _accept(shape: Shape, room: Room) -> None:
    """Make the trial the state; u between zero and minus the tolerance, free or bound, becomes zero, and the mean moves by as much."""
    y, trial = room.rows[0], room.rows[1]
    positions, cells = shape.positions, shape.cells
    nodes = cells * positions
    for k in range(y.size):
        y[k] = trial[k]
    for k in range(nodes):
        if y[k] < 0.0:
            y[nodes + k % positions] -= shape.volume[k // positions] * y[k]
            y[k] = 0.0
    for p in range(positions):
        b = nodes + 3 * positions + p
        if y[b] < 0.0:
            y[nodes + p] -= y[b]
            y[b] = 0.0


@inlined
def advance_to(
    member: Member, shape: Shape, knots: Array, segment: int, at_s: float, end_s: float, dt_s: float, tolerance: Tolerance, room: Room
) -> tuple[float, float, float, int, int]:
    """Take one accepted step from ``at_s`` and not beyond ``end_s``, with ``dt_s`` as the first try.

    Return the time reached, the step taken, the step to try next, the number of tries, and a flag. The state is rows[0]; rows[7] holds
    the state before the step, rows[2] the rates before it.
    """
    y, f, before = room.rows[0], room.rows[2], room.rows[7]
    size = y.size
    for k in range(size):
        before[k] = y[k]
    drive = drive_at(knots, segment, at_s)
    tries, grow = 0, 4.0
    while True:
        tries += 1
        left_s = end_s - at_s
        taken_s = left_s if dt_s >= left_s else (0.5 * left_s if dt_s > 0.5 * left_s else dt_s)
        rates(member, shape, drive, y, f, room.films, room.warmth, room.flux)
        factor(member, shape, drive, y, f, 1.0 / (GAMMA * taken_s), room.films, room.warmth, room.flux, room.lu)
        _stages(member, shape, knots, segment, at_s, taken_s, room)
        off = _error(shape, room, tolerance)
        if off <= 1.0:
            _accept(shape, room)
            reached_s = end_s if taken_s == left_s else at_s + taken_s
            next_s = taken_s * min(grow, 0.9 / max(off, 1e-3) ** (1.0 / 3.0))
            return reached_s, taken_s, max(next_s, dt_s if taken_s < dt_s and off < 0.5 else next_s), tries, 0
        grow = 1.0
        dt_s = taken_s * (max(0.1, min(0.75, 0.75 / off**0.5)) if off < 1e30 else 0.1)
        if dt_s < _SHORTEST * max(left_s, 1.0) or tries > 60:
            return at_s, 0.0, dt_s, tries, NOT_FINITE
