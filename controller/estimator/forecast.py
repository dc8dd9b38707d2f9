"""The rest of the batch as the running recipe will take it: when the endpoint comes, when the batch ends, and a fan on the way there.

A pilot (``schedule``) drives the median roll through the legs that are left; every fourth member, in the order of their cure, then follows
the pilot's wall with the whole model. The endpoint is the recipe's own: enough of the members inside the window, and the median insoluble
content at its aim; who is wetter than half of them does not count (see ``ends_at``). Takes tens of milliseconds, so that it is made beside
the scan and handed to it.
"""

from math import hypot
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.equipment import Equipment
from controller.estimator import layers, schedule, walls
from controller.estimator.belief import Belief, unpack
from controller.estimator.curing import LIMIT, gel_fraction
from controller.estimator.layers import Model, Slow, State, Trajectory
from controller.estimator.members import Members, members_of, told
from controller.estimator.model import EstimatorMemory, EstimatorSettings, Leg, LegKind, Target
from controller.estimator.quantiles import intervals, medians
from controller.estimator.rosenbrock import Tolerance
from controller.estimator.schedule import Schedule, Start
from controller.estimator.vapour import FULL_VAPOUR_PA
from controller.image import Forecast, Interval
from controller.solvents import saturation_pressure_pa
from controller.units import ATMOSPHERE_MBAR, PA_PER_MBAR, ZERO_C_K, celsius, kelvin

Array = NDArray[np.float64]
Chosen = slice | NDArray[np.intp]  # the members that take part

EVERY: Final = 4  # member that takes part, in the order of their cure
_BEFORE, _DURING, _AFTER = 24, 40, 6  # moments before the cure, in it, after it
_WALL_C: Final = 30.0  # [assume] coldest wall, whose dew point bounds the vapour in a vacuum
_INERT_VAPOUR_PA: Final = 50.0  # [assume] solvent in flowing N2 at the end of drying
_NO_SP_K: Final = 0.0
_HALF: Final = 0.5
_FEWEST: Final = 5  # members that must be solved for a fan
_TAIL_SD: Final = 0.1  # [assume] half width of 90 % of what follows the cure, relative, beside the spread of the oven: winding, gas
_POINT_95: Final = 1.645
# three times the observer's: the finish moves by 15 s against a tight run, for a fifth less time
_TOLERANCE: Final = Tolerance(u_relative=3e-2, u_absolute=3e-4, left_log=3e-3, temp_k=2e-2, negative=1e-5)


class Course(NamedTuple):
    """What every member that takes part does on the way: (members, moments) unless said otherwise."""

    at_s: Array  # (moments,)
    temp_k: Array  # (members, moments, positions)
    worst: Array  # residual solvent of the worst position, weight fraction
    low_gel: Array
    high_gel: Array
    mean_gel: Array
    evolution_kg_s: Array
    blister: Array
    schedule: Schedule

    def solved(self) -> NDArray[np.bool_]:
        """Return which members the solver carried to the end, (members,)."""
        return np.asarray(np.isfinite(self.worst).all(axis=1), dtype=np.bool_)


def make(settings: EstimatorSettings, equipment: Equipment, memory: EstimatorMemory, legs: tuple[Leg, ...], sp_c: float) -> Forecast | None:
    """Return the forecast of a batch of which ``legs`` are left, None when nothing is left or no target is known.

    ``sp_c`` is the load's set point now, 0 when there is none.
    """
    target = memory.target
    if not legs or target is None:
        return None
    members = members_of(settings, memory.load)
    belief = unpack(memory.block)
    sp_k = kelvin(sp_c) if sp_c > 0 else _NO_SP_K
    start = Start(np.median(belief.state.temps, axis=0), memory.wall_k, memory.pressure_pa, sp_k, *_sensors(belief))
    chosen = members.by_cure[EVERY // 2 :: EVERY]
    state = State(np.ascontiguousarray(belief.state.block[chosen]), belief.state.positions)
    slow = Slow(*(scale[chosen] for scale in belief.slow))
    oven = walls.oven(memory.walls, equipment)
    learnt = equipment.model_copy(update={"wall_kj_k": oven.wall_kj_k, "loss_w_k": oven.loss_w_k})
    unsure = hypot(_POINT_95 * oven.cooling_ln_sd, _TAIL_SD)
    return _forecast(members, chosen, slow, state, learnt, start, legs, target, memory.at_s, unsure)


def _sensors(belief: Belief) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return contact and offset of the load thermocouples, the members' medians."""
    contact, offset_k = (np.median(one, axis=0).tolist() for one in (belief.contact, belief.offset_k))
    return (contact[0], contact[1], contact[2]), (offset_k[0], offset_k[1], offset_k[2])


def _forecast(
    members: Members, chosen: Chosen, slow: Slow, state: State, equipment: Equipment, start: Start, legs: tuple[Leg, ...], target: Target,
    at_s: float, unsure: float,
) -> Forecast | None:  # fmt: skip
    cure = next((number for number, leg in enumerate(legs) if leg.kind is LegKind.CURE), None)
    if cure is None:
        return _without_cure(members, chosen, slow, state, equipment, start, legs, at_s, unsure)
    course = run(members, chosen, slow, state, equipment, start, legs[: cure + 1])
    began_s = course.schedule.ends_s[cure - 1] if cure else 0.0
    solved = course.solved()
    if solved.sum() < _FEWEST:
        return None
    earliest_s = began_s + legs[cure].least_s
    together_s = ends_at(course, target, earliest_s, solved, measured=True)
    own_s = np.sort(own_ends(course, target, earliest_s)[solved])
    limit_s = float(course.at_s[-1])
    p_endpoint = float((own_s <= limit_s).mean())
    end_s = limit_s if together_s is None else together_s
    spread = np.minimum(np.quantile(own_s, (0.05, 0.95), method="nearest"), limit_s)
    endpoint = None if together_s is None else Interval(end_s, min(end_s, float(spread[0])), max(end_s, float(spread[1])))
    middle_k = np.median(course.temp_k[solved], axis=0)
    temps_k = np.array([np.interp(end_s, course.at_s, one_k) for one_k in middle_k.T])
    goal_k = kelvin(legs[cure].target_c)
    nodes_k = np.append(temps_k[:-1], temps_k[0])  # the rings are even by then, and the tube as warm as the innermost one
    cured = start._replace(temps_k=nodes_k, wall_k=goal_k, pressure_pa=_pressure_pa(legs[cure]), sp_k=goal_k)
    tail = _tail(members, slow, equipment, cured, legs[cure + 1 :])
    rest_s = tail.ends_s[-1] if tail is not None else 0.0
    kept = course.at_s <= max(end_s, 1.0)
    fan = _fan(course, solved, kept)
    span = Interval(limit_s, float(spread[0]), limit_s) if endpoint is None else endpoint
    finish = Interval(span.value + rest_s, span.low + (1 - unsure) * rest_s, span.high + (1 + unsure) * rest_s)
    return _put(at_s, finish, endpoint, p_endpoint, fan, tail, end_s)


def run(members: Members, chosen: Chosen, slow: Slow, state: State, equipment: Equipment, start: Start, legs: tuple[Leg, ...]) -> Course:
    """Return the members' course through ``legs``; a last CURE leg goes on to its limit."""
    model = members.model._replace(table=members.model.table[chosen], tolerance=_TOLERANCE)
    driven = schedule.follow(legs, members.model, slow, equipment, start, legs[-1].most_s if legs[-1].kind is LegKind.CURE else 0.0)
    began_s = driven.ends_s[-2] if len(legs) > 1 else 0.0
    ahead_s = _moments(began_s, driven.ends_s[-1])
    seen = layers.trajectory(model, slow, state, _with_vapour(driven.knots, members), ahead_s)
    return _course(members, chosen, model, ahead_s, seen, driven)


def _moments(began_s: float, end_s: float) -> Array:
    """Return the moments looked at: denser at the start of the last leg, where an endpoint is likelier."""
    before = np.linspace(0.0, began_s, _BEFORE, endpoint=False) if began_s > 0 else np.zeros(0)
    during = began_s + (end_s - began_s) * np.linspace(0.0, 1.0, _DURING) ** 1.5
    return np.concatenate((before, during))


def _course(members: Members, chosen: Chosen, model: Model, ahead_s: Array, seen: Trajectory, driven: Schedule) -> Course:
    gel = gel_fraction(np.nan_to_num(seen.conversion) * LIMIT, members.polydispersity[chosen][:, None, None], members.scission_ratio)
    worst = told(members, seen.residual, seen.held, chosen).max(axis=2)
    return Course(
        ahead_s, seen.temp_k, worst, gel.min(axis=2), gel.max(axis=2), gel @ model.shape.share, seen.evolution_kg_s,
        seen.blister, driven,
    )  # fmt: skip


def ends_at(course: Course, target: Target, earliest_s: float, solved: NDArray[np.bool_], *, measured: bool) -> float | None:
    """Return when the members together meet the endpoint, by the recipe's rule; None when they do not before the course ends.

    Where the solvent is still to be ``measured`` on the way, the instruments will have told by then which members dry as the film does:
    half of them have to be dry, and the others do not count.
    """
    dry = course.worst[solved] <= target.residual_max
    inside = ((course.low_gel >= target.insoluble_low) & (course.high_gel <= target.insoluble_high))[solved]
    counts = dry if measured else np.ones_like(dry)
    share = (inside & counts).sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    margin = np.minimum(dry.mean(axis=0) - (_HALF if measured else target.probability), share - target.probability)
    ripe = medians(course.mean_gel[solved], counts | ~counts.any(axis=0))
    return _crossing(course.at_s, np.minimum(margin, ripe - target.insoluble_aim), earliest_s, target.persist_s)


def own_ends(course: Course, target: Target, earliest_s: float) -> Array:
    """Return when each member by itself would be dry enough, at the aim and inside the window, infinite when never, (members,)."""
    dry = np.log(target.residual_max / np.maximum(course.worst, 1e-12))
    inside = np.minimum(course.low_gel - target.insoluble_low, target.insoluble_high - course.high_gel)
    ready = np.minimum(np.minimum(dry, course.mean_gel - target.insoluble_aim), inside)
    times = [_crossing(course.at_s, row, earliest_s, target.persist_s) for row in ready]
    return np.array([np.inf if at_s is None else at_s for at_s in times])


def _crossing(at_s: Array, margin: Array, earliest_s: float, persist_s: float) -> float | None:
    """Return the first moment from which ``margin`` is not negative, in between by a straight line, and ``persist_s`` later."""
    met = np.flatnonzero((margin >= 0) & (at_s >= earliest_s))
    if not met.size:
        return None
    first = int(met[0])
    crossing_s = float(at_s[first])
    if first and margin[first - 1] < 0:
        share = margin[first] / (margin[first] - margin[first - 1])
        crossing_s -= share * float(at_s[first] - at_s[first - 1])
    elif first:
        crossing_s = float(at_s[first - 1])
    return float(min(max(crossing_s + persist_s, earliest_s), max(float(at_s[-1]), earliest_s)))


def _tail(members: Members, slow: Slow, equipment: Equipment, start: Start, legs: tuple[Leg, ...]) -> Schedule | None:
    return schedule.follow(legs, members.model, slow, equipment, start, 0.0) if legs else None


def _without_cure(
    members: Members, chosen: Chosen, slow: Slow, state: State, equipment: Equipment, start: Start, legs: tuple[Leg, ...], at_s: float,
    unsure: float,
) -> Forecast | None:  # fmt: skip
    course = run(members, chosen, slow, state, equipment, start, legs)
    solved = course.solved()
    if solved.sum() < _FEWEST:
        return None
    end_s = course.schedule.ends_s[-1]
    return _put(
        at_s,
        Interval(end_s, (1 - unsure) * end_s, (1 + unsure) * end_s),
        None,
        1.0,
        _fan(course, solved, course.at_s <= end_s),
        None,
        end_s,
    )


class _Fan(NamedTuple):
    at_s: list[float]
    temp_c: list[Interval]
    residual: list[Interval]
    insoluble: list[Interval]


def _fan(course: Course, solved: NDArray[np.bool_], kept: NDArray[np.bool_]) -> _Fan:
    temps = course.temp_k[solved][:, kept].transpose(1, 0, 2).reshape(int(kept.sum()), -1)
    gel = np.concatenate((course.low_gel[solved], course.mean_gel[solved], course.high_gel[solved]))[:, kept].T
    return _Fan(course.at_s[kept].tolist(), intervals(temps - ZERO_C_K), intervals(course.worst[solved][:, kept].T), intervals(gel))


def _put(
    at_s: float, finish: Interval, endpoint: Interval | None, p_endpoint: float, fan: _Fan, tail: Schedule | None, end_s: float
) -> Forecast:
    """Return the forecast, the fan going on through the tail, in which the product hardly changes."""
    if tail is not None and tail.ends_s[-1] > 0:
        for after_s in np.linspace(0.0, tail.ends_s[-1], _AFTER + 1)[1:].tolist():
            wall_c = celsius(float(np.interp(after_s, tail.knots[:, 0], tail.knots[:, 1])))
            fan.at_s.append(end_s + after_s)
            fan.temp_c.append(Interval(wall_c, wall_c, wall_c))
            fan.residual.append(fan.residual[-1])
            fan.insoluble.append(fan.insoluble[-1])
    return Forecast(at_s, finish, endpoint, p_endpoint, tuple(fan.at_s), tuple(fan.temp_c), tuple(fan.residual), tuple(fan.insoluble))


def _pressure_pa(leg: Leg) -> float:
    return (ATMOSPHERE_MBAR if leg.n2_flow_nm3_h > 0 else leg.pressure_mbar) * PA_PER_MBAR


def _with_vapour(knots: Array, members: Members) -> Array:
    """Return the pilot's knots with the solvent's partial pressure: in a vacuum what the cold wall allows, little in flowing N2."""
    dew_pa = saturation_pressure_pa(members.solvent, _WALL_C)
    pressure = knots[:, 2]
    vapour_pa = np.where(
        pressure > 0.5 * ATMOSPHERE_MBAR * PA_PER_MBAR, _INERT_VAPOUR_PA, np.minimum(np.minimum(pressure, FULL_VAPOUR_PA), dew_pa)
    )
    return np.ascontiguousarray(np.column_stack((knots, vapour_pa)))
