"""How the oven will take what is left of a recipe: set point, wall and pressure over time, for the median roll.

A pilot drives the legs as the recipe would (holdback, lead of the wall over the load, guaranteed soak, natural cooling), with the roll's
heat as the members have it. Film chemistry does not matter here; the members then follow the pilot's wall.
"""

from math import exp
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.equipment import Equipment
from controller.estimator.compiled import compiled
from controller.estimator.heat import conductances, end_lead, heat_factor, heat_solve, skin_lead, tube_lead, wall_w_k
from controller.estimator.layers import Model, Slow, Uncertain, build
from controller.estimator.member import Drive, Member, Shape
from controller.estimator.model import POSITIONS, Leg, LegKind, LoadState
from controller.solvents import SOLVENTS
from controller.units import ATMOSPHERE_MBAR, PA_PER_MBAR, kelvin

Array = NDArray[np.float64]

STEP_S: Final = 60.0
_MOST_STEPS: Final = 12000  # 200 h
_LEAD_GAIN: Final = 2.0  # [assume] lead of the wall per degree that the load lags, as the cascade does
_PUMP_S: Final = 240.0  # [assume] time constant of a change of pressure
_ADRIFT_K: Final = 5.0  # a wall so far above its set point is not heated, and cools as it can
_WALL_LAG_S: Final = 300.0  # [assume] of the zone loops
_THIN_K, _THIN_SHARE, _THIN_PA = 0.2, 0.03, 1.0  # how far a knot left out may lie from the line: wall; pressure, relative and absolute


class Schedule(NamedTuple):
    """The pilot's way: ``knots`` (n, 3) of time in s, wall in K, total pressure in Pa; ``ends_s`` the time at which each leg ends."""

    knots: Array
    ends_s: tuple[float, ...]
    last_k: Array  # the heat's nodes at the end
    late_legs: tuple[int, ...]  # that ran into their limit


class Start(NamedTuple):
    """Where the oven stands: the heat's nodes (rings and core tube), wall, pressure and set point; how the thermocouples sit."""

    temps_k: Array
    wall_k: float
    pressure_pa: float
    sp_k: float  # below 0 degC: none
    contact: tuple[float, float, float] = (0.0, 0.0, 0.0)  # share of the wall in what the thermocouples outer, edge and core read
    offset_k: tuple[float, float, float] = (0.0, 0.0, 0.0)


def follow(legs: tuple[Leg, ...], model: Model, slow: Slow, equipment: Equipment, start: Start, cure_s: float) -> Schedule:
    """Return how the oven takes ``legs`` from ``start``, with the median heat transfer of ``slow``.

    A CURE leg lasts ``cure_s`` in band, or its least time when that is longer, but not beyond its limit. Raises ValueError when ``start``
    has another number of nodes than ``model``.
    """
    if np.shape(start.temps_k) != (len(model.positions),):
        raise ValueError(f"temps_k: {np.shape(start.temps_k)}; allowed are {len(model.positions)}: each ring and the core tube")
    table = np.array([_row(leg, cure_s) for leg in legs], dtype=np.float64).reshape(len(legs), 9)
    member = Member(*model.table[0].tolist())  # the members' heat differs by their scales alone
    h, k = exp(float(np.median(slow.log_h))), exp(float(np.median(slow.log_k)))
    bore = exp(float(np.median(slow.log_bore)))
    member = member._replace(h=member.h * h, bore_w_k=member.bore_w_k * bore, k_vacuum=member.k_vacuum * k, k_gas=member.k_gas * k)
    oven = np.array([
        1e3 * equipment.wall_kj_k, 1e3 * equipment.heater_kw, equipment.loss_w_k, kelvin(equipment.ambient_c),
        equipment.max_rate_c_per_min, equipment.cascade_lead_c, kelvin(equipment.max_c),
    ])  # fmt: skip
    temps = np.array(start.temps_k, dtype=np.float64)
    touch = np.array([start.contact, start.offset_k])
    knots, ends, last, late = _drive(table, member, model.shape, oven, temps, touch, start.wall_k, start.pressure_pa, start.sp_k)
    return Schedule(_thinned(knots), tuple(ends.tolist()), last, tuple(np.flatnonzero(late).tolist()))


def _row(leg: Leg, cure_s: float) -> tuple[float, ...]:
    least_s = min(max(leg.least_s, cure_s), leg.most_s) if leg.kind is LegKind.CURE else leg.least_s
    start = -1.0 if leg.start_c is None else kelvin(leg.start_c)
    pressure_mbar = ATMOSPHERE_MBAR if leg.n2_flow_nm3_h > 0 else leg.pressure_mbar
    return (
        float(leg.kind), least_s, leg.most_s, kelvin(leg.target_c), leg.rate_c_per_min / 60, leg.band_c, pressure_mbar * PA_PER_MBAR, start,
        leg.inner_share,
    )  # fmt: skip


def _thinned(knots: Array) -> Array:
    """Return the knots without those that lie on the line between their neighbours."""
    keep = _keep(knots)
    return np.ascontiguousarray(knots[keep])


@compiled
def _keep(knots: Array) -> NDArray[np.bool_]:
    """Return which knots stay: from the last that does, a line goes on while its slopes pass all between (swinging door, Bristol 1990)."""
    count = knots.shape[0]
    keep = np.zeros(count, np.bool_)
    keep[0] = keep[count - 1] = True
    base, low, high = 0, np.full(2, -np.inf), np.full(2, np.inf)
    for i in range(1, count):
        fits = True
        for which in range(2):
            slope = (knots[i, 1 + which] - knots[base, 1 + which]) / max(knots[i, 0] - knots[base, 0], 1e-9)
            fits = fits and low[which] <= slope <= high[which]
        if not fits:
            base = i - 1
            keep[base] = True
            low[:], high[:] = -np.inf, np.inf
        span = max(knots[i, 0] - knots[base, 0], 1e-9)
        for which in range(2):
            room = _THIN_K if which == 0 else _THIN_SHARE * knots[i, 2] + _THIN_PA
            rise = knots[i, 1 + which] - knots[base, 1 + which]
            low[which] = max(low[which], (rise - room) / span)
            high[which] = min(high[which], (rise + room) / span)
    return keep


@compiled
def _drive(
    legs: Array, member: Member, shape: Shape, oven: Array, temps: Array, touch: Array, wall: float, pressure: float, sp: float
) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    knots = np.empty((_MOST_STEPS + 1, 3))
    knots[0, 0], knots[0, 1], knots[0, 2] = 0.0, wall, pressure
    ends = np.zeros(legs.shape[0])
    late = np.zeros(legs.shape[0], np.bool_)
    count, at_s = 0, 0.0
    lu = np.zeros((4, shape.positions))
    for number in range(legs.shape[0]):
        leg = legs[number]
        kind, most_s = int(leg[0]), leg[2]
        if leg[7] > 0:
            sp = leg[7]
        elif 1 <= kind <= 3 and sp < 274.0:
            sp = wall
        elapsed_s = counted_s = 0.0
        while count < _MOST_STEPS:
            coldest, hottest = _read(member, shape, temps, touch, wall, pressure)
            inner = hottest + leg[8] * max(0.0, hottest - wall)  # as the recipe's own end of a COOL reckons
            if _done(kind, leg, elapsed_s, counted_s, sp, max(inner, wall)):
                break
            if elapsed_s >= most_s:
                late[number] = True
                break
            dt_s = min(STEP_S, most_s - elapsed_s, leg[1] - elapsed_s if kind == 0 else STEP_S)
            sp = _set_point(kind, leg, sp, wall, dt_s)
            if (kind == 2 or kind == 3) and _in_band(leg, coldest, hottest, wall):
                dt_s = min(dt_s, max(leg[1] - counted_s, 1.0))
                counted_s += dt_s
            goal, heated = _wanted(kind, leg, sp, coldest, hottest, wall, oven)
            pressure += (leg[6] - pressure) * (1 - np.exp(-dt_s / _PUMP_S))
            wall = _step(member, shape, oven, temps, lu, wall, pressure, oven[2], goal, heated, dt_s)
            at_s += dt_s
            elapsed_s += dt_s
            count += 1
            knots[count, 0], knots[count, 1], knots[count, 2] = at_s, wall, pressure
        ends[number] = at_s
    return knots[: count + 1].copy(), ends, temps, late


@compiled
def _read(member: Member, shape: Shape, temps: Array, touch: Array, wall: float, pressure: float) -> tuple[float, float]:
    """Return the coldest and the hottest reading of the load thermocouples; see ``learning.foreseen``."""
    _, h, skin = conductances(member, shape, Drive(wall, pressure, 0.0))
    ring, core = temps[shape.positions - 2], temps[shape.positions - 1]
    near, lead = skin_lead(shape, h, skin), end_lead(shape, h)
    outer = ring - 0.5 * lead * (wall - ring)
    edge = ring + lead * (wall - ring)
    outer += near * (wall - outer)
    edge += near * (wall - edge)
    outer += touch[0, 0] * (wall - outer) + touch[1, 0]
    edge += touch[0, 1] * (wall - edge) + touch[1, 1]
    core += tube_lead(member, shape) * (wall - core)
    core += touch[0, 2] * (wall - core) + touch[1, 2]
    return min(outer, edge, core), max(outer, edge, core)


@compiled
def _done(kind: int, leg: Array, elapsed_s: float, counted_s: float, sp: float, hottest: float) -> bool:
    if kind == 0:
        return bool(elapsed_s >= leg[1])
    if kind == 1:
        return bool(abs(sp - leg[3]) < 1e-6)
    if kind == 4:
        return bool(hottest <= leg[3])
    return bool(counted_s >= leg[1])


@compiled
def _set_point(kind: int, leg: Array, sp: float, wall: float, dt_s: float) -> float:
    """Return the next set point: a ramp waits for the oven, a soak comes back at 2 K/min, cooling waits for nature."""
    target = leg[3]
    if kind == 0 or (kind == 1 and (sp - wall if target >= sp else wall - sp) > leg[5]):
        return sp
    if kind == 4:
        return float(max(sp - leg[4] * dt_s, target, wall - 10.0))
    step = (leg[4] if kind == 1 else 2.0 / 60.0) * dt_s
    return float(min(sp + step, target) if sp < target else max(sp - step, target))


@compiled
def _in_band(leg: Array, coldest: float, hottest: float, wall: float) -> bool:
    return bool(leg[3] - leg[5] <= coldest and hottest <= leg[3] + leg[5] and abs(wall - leg[3]) <= leg[5] + 3.0)


@compiled
def _wanted(kind: int, leg: Array, sp: float, coldest: float, hottest: float, wall: float, oven: Array) -> tuple[float, bool]:
    """Return the wall's goal and whether it is heated; it leads the load's set point as the coldest lags and the hottest allows."""
    if kind == 0:
        return sp, False
    if kind == 4:
        return sp, bool(sp > leg[3] + 20.0 and wall - sp < _ADRIFT_K)
    lead = min(max(_LEAD_GAIN * (sp - coldest), 0.0), oven[5])
    return float(min(sp + min(lead, max(0.0, sp + 2.0 - hottest)), oven[6])), True


@compiled
def _step(
    member: Member,
    shape: Shape,
    oven: Array,
    temps: Array,
    lu: Array,
    wall: float,
    pressure: float,
    loss_w_k: float,
    goal: float,
    heated: bool,
    dt_s: float,
) -> float:
    """Advance nodes (in place) and wall; the wall follows ``goal`` as far as power and rate allow, unheated it follows its losses."""
    _, h, skin = conductances(member, shape, Drive(wall, pressure, 0.0))
    q = total = 0.0
    for p in range(shape.positions):
        given = wall_w_k(member, shape, h, skin, p)
        q += given * (wall - temps[p])
        total += given
    loss = loss_w_k * (wall - oven[3])
    free = -(q + loss) * dt_s / (oven[0] + (total + loss_w_k) * dt_s)
    if heated:
        most = free + oven[1] * dt_s / oven[0]
        rise = (goal - wall) * (1 - np.exp(-dt_s / _WALL_LAG_S))
        rise = min(max(rise, free), most, oven[4] / 60.0 * dt_s)
    else:
        rise = free
    after = wall + rise
    _relax(member, shape, Drive(after, pressure, 0.0), temps, lu, dt_s)
    return float(after)


@compiled
def _relax(member: Member, shape: Shape, drive: Drive, temps: Array, lu: Array, dt_s: float) -> None:
    """Backward Euler of the roll's nodes, without evaporation; ``lu`` (4, positions) is room to work in."""
    _, h, skin = conductances(member, shape, drive)
    for p in range(shape.positions):
        temps[p] = temps[p] / dt_s + wall_w_k(member, shape, h, skin, p) * drive.wall_k * shape.capacity_inverse[p]
    lu[1, :] = 0.0
    heat_factor(member, shape, drive, 1.0 / dt_s, lu)
    heat_solve(shape, lu, temps)


def warm_up() -> None:
    """Compile, or load from the cache, what ``follow`` needs."""
    load = LoadState(100.0, 0.5, 20.0, 18.0, 100.0, 150.0, 20.0, 1.0)
    model = build(load, SOLVENTS["NMP"], Uncertain.median(1, 1e-4), POSITIONS, 5)
    leg = Leg(LegKind.RAMP, 0.0, 3600.0, target_c=60.0, rate_c_per_min=1.0, band_c=10.0, pressure_mbar=10.0)
    follow(
        (leg, leg._replace(kind=LegKind.SOAK, least_s=600.0)),
        model,
        Slow.none(1),
        Equipment(),
        Start(np.full(len(POSITIONS), 300.0), 300.0, 1e5, 0.0),
        0.0,
    )
