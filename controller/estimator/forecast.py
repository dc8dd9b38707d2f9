"""The rest of the batch as the running recipe will take it: when the endpoint comes, when the batch ends, and a fan on the way there.

A pilot (``schedule``) drives the median roll through the legs that are left; every fourth member, in the order of their cure, then follows
the pilot's wall with the whole model, to the stop of the CURE and from there through what is left of the recipe. A hot roll goes on curing
while it cools, and the recipe's endpoint is about the product: enough of the members inside the window once they are cold, and their median
insoluble content at its aim then; who is wetter than half of them does not count (see ``ends_at``). Takes tens of milliseconds, so that it
is made beside the scan and handed to it.
"""

from collections.abc import Callable
from dataclasses import replace
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
from controller.units import ATMOSPHERE_MBAR, PA_PER_MBAR, ZERO_C_K, kelvin

Array = NDArray[np.float64]
Chosen = slice | NDArray[np.intp]  # the members that take part

EVERY: Final = 4  # member that takes part, in the order of their cure
_BEFORE, _DURING, _AFTER = 24, 40, 12  # moments before the cure, in it, after it
_NEAR_S, _NEAR_SHARE = 120.0, 0.02  # [assume] so far from the stop, also as a share of the way there, what still comes is the same
_LOOKS: Final = 3  # at the stop, each from the one before
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
    gel: Array  # insoluble content, (members, moments, positions)
    evolution_kg_s: Array
    blister: Array
    schedule: Schedule

    def solved(self) -> NDArray[np.bool_]:
        """Return which members the solver carried to the end, (members,)."""
        return np.asarray(np.isfinite(self.worst).all(axis=1), dtype=np.bool_)


class Ensemble(NamedTuple):
    """The members that take part, where they stand, and the oven that they lie in."""

    members: Members
    chosen: Chosen
    slow: Slow
    state: State
    equipment: Equipment

    @property
    def model(self) -> Model:
        """Return the model of those that take part, with the forecast's tolerance."""
        return self.members.model._replace(table=self.members.model.table[self.chosen], tolerance=_TOLERANCE)


class Product(NamedTuple):
    """Insoluble content of a roll that was stopped at each moment and ran through the rest of its recipe, (members, moments)."""

    low: Array  # of the positions
    high: Array
    mean: Array  # of the roll


class Way(NamedTuple):
    """The members' course to the recipe's limit, where it is stopped, and what follows there."""

    course: Course
    product: Product
    solved: NDArray[np.bool_]  # (members,)
    met_s: float | None  # when the endpoint is met, None when not before the limit
    stop_s: float  # then, or at the limit
    there: Array  # insoluble content at the stop, (members, positions)
    coming: Array  # gained after it
    rest: Course | None  # from the stop on, None when nothing follows


def make(settings: EstimatorSettings, equipment: Equipment, memory: EstimatorMemory, legs: tuple[Leg, ...], sp_c: float,
         sure_s: float = 0.0) -> Forecast | None:  # fmt: skip
    """Return the forecast of a batch of which ``legs`` are left, None when nothing is left or no target is known.

    ``sp_c`` is the load's set point now, 0 when there is none; ``sure_s`` is how much of the endpoint's persistence time is over.
    """
    target = memory.target
    if not legs or target is None:
        return None
    target = replace(target, sure_s=min(sure_s, target.persist_s))
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
    return _forecast(Ensemble(members, chosen, slow, state, learnt), start, legs, target, memory, unsure)


def _sensors(belief: Belief) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return contact and offset of the load thermocouples, the members' medians."""
    contact, offset_k = (np.median(one, axis=0).tolist() for one in (belief.contact, belief.offset_k))
    return (contact[0], contact[1], contact[2]), (offset_k[0], offset_k[1], offset_k[2])


def _forecast(
    ensemble: Ensemble, start: Start, legs: tuple[Leg, ...], target: Target, memory: EstimatorMemory, unsure: float
) -> Forecast | None:
    cure = next((number for number, leg in enumerate(legs) if leg.kind is LegKind.CURE), None)
    if cure is None:
        return _without_cure(ensemble, start, legs, memory.at_s, unsure)

    def meets(course: Course, product: Product, solved: NDArray[np.bool_]) -> float | None:
        return ends_at(course, product, target, earliest_s(course, legs, cure), solved, measured=True)

    way = take(ensemble, start, legs, cure, meets, _believed(memory))
    if way is None:
        return None
    course, solved, limit_s = way.course, way.solved, float(way.course.at_s[-1])
    own_s = np.sort(own_ends(course, way.product, target, earliest_s(course, legs, cure))[solved])
    p_endpoint = float((own_s <= limit_s).mean())
    spread = np.minimum(np.quantile(own_s, (0.05, 0.95), method="nearest"), limit_s)
    end_s = way.stop_s
    endpoint = None if way.met_s is None else Interval(end_s, min(end_s, float(spread[0])), max(end_s, float(spread[1])))
    fan = _fan(course, solved, course.at_s <= max(end_s, 1.0))
    rest_s = 0.0
    if way.rest is not None:
        rest_s = way.rest.schedule.ends_s[-1]
        later = _fan(way.rest, solved, way.rest.at_s > 0)
        fan = _Fan(
            fan.at_s + [end_s + after_s for after_s in later.at_s], fan.temp_c + later.temp_c, fan.residual + later.residual,
            fan.insoluble + later.insoluble,
        )  # fmt: skip
    span = Interval(limit_s, float(spread[0]), limit_s) if endpoint is None else endpoint
    finish = Interval(span.value + rest_s, span.low + (1 - unsure) * rest_s, span.high + (1 + unsure) * rest_s)
    there, coming = way.there[solved], way.coming[solved]
    if cure == 0:  # what is there now and what still comes must be of one moment: the stop may lie hours ahead, or never come
        now = _rest(ensemble, start, legs[1:])
        there, coming = (there, np.zeros_like(coming)) if now is None else (now.gel[now.solved(), 0], _gained(now)[now.solved()])
        if len(coming) < _FEWEST:
            return None
    return _put(memory.at_s, finish, endpoint, p_endpoint, fan, there, coming)


def _believed(memory: EstimatorMemory) -> float | None:
    """Return when the last forecast has the endpoint, s from now; None without one."""
    last = memory.forecast
    return None if last is None or last.endpoint_s is None else last.endpoint_s.value - (memory.at_s - last.made_at_s)


def earliest_s(course: Course, legs: tuple[Leg, ...], cure: int) -> float:
    """Return the first moment at which the recipe lets leg ``cure``, the course's last, end."""
    return (course.schedule.ends_s[cure - 1] if cure else 0.0) + legs[cure].least_s


def take(
    ensemble: Ensemble, start: Start, legs: tuple[Leg, ...], cure: int,
    meets: Callable[[Course, Product, NDArray[np.bool_]], float | None], guess_s: float | None,
) -> Way | None:  # fmt: skip
    """Return the members' way through ``legs``, of which leg ``cure`` is stopped where ``meets`` says so, else at its limit.

    What still comes after the stop decides when it is, and hangs on it: begun at ``guess_s`` from now, or without anything to come, it is
    looked for until it stands still. None when fewer than a handful of members can be solved.
    """
    driven = schedule.follow(legs[: cure + 1], ensemble.members.model, ensemble.slow, ensemble.equipment, start, legs[cure].most_s)
    knots, limit_s = _with_vapour(driven.knots, ensemble.members), driven.ends_s[-1]
    ahead_s = _moments(driven.ends_s[cure - 1] if cure else 0.0, limit_s)
    at_s = None if guess_s is None else min(max(guess_s, 1.0), limit_s)
    seen, then = _halved(ensemble, knots, ahead_s, at_s)
    course = _course(ensemble, ahead_s, seen, driven)
    solved = course.solved()
    if solved.sum() < _FEWEST:
        return None
    coming, rest = np.zeros((len(course.gel), course.gel.shape[2])), None
    for look in range(_LOOKS):
        if at_s is not None:
            if then is None:
                then = layers.trajectory(ensemble.model, ensemble.slow, ensemble.state, knots, np.array([at_s])).after
            goal_k, nodes_k = kelvin(legs[cure].target_c), np.median(then.temps[solved], axis=0)
            hot = start._replace(temps_k=nodes_k, wall_k=goal_k, pressure_pa=_pressure_pa(legs[cure]), sp_k=goal_k)
            rest = _rest(ensemble._replace(state=then), hot, legs[cure + 1 :])
        if rest is not None:
            coming, solved = _gained(rest), solved & rest.solved()
            if solved.sum() < _FEWEST:
                return None
        product = _product(course, coming, ensemble.members.model.shape.share)
        met_s = meets(course, product, solved)
        stop_s = limit_s if met_s is None else met_s
        if look == _LOOKS - 1 or (at_s is not None and abs(stop_s - at_s) <= max(_NEAR_S, _NEAR_SHARE * stop_s)):
            break
        at_s, then = stop_s, None
    there = course.gel[:, min(int(np.searchsorted(course.at_s, stop_s)), course.at_s.size - 1)] if rest is None else rest.gel[:, 0]
    return Way(course, product, solved, met_s, stop_s, there, coming, None if rest is None else _joined(course, rest, stop_s))


def _halved(ensemble: Ensemble, knots: Array, ahead_s: Array, at_s: float | None) -> tuple[Trajectory, State | None]:
    """Return what the members show at ``ahead_s``, and where they stand at ``at_s``."""
    model, slow, state = ensemble.model, ensemble.slow, ensemble.state
    if at_s is None:
        return layers.trajectory(model, slow, state, knots, ahead_s), None
    before = ahead_s < at_s
    first = layers.trajectory(model, slow, state, knots, np.append(ahead_s[before], at_s))
    from_there = knots - np.array([at_s, 0.0, 0.0, 0.0])
    second = layers.trajectory(model, slow, first.after, from_there, ahead_s[~before] - at_s)
    return first.followed_by(second), first.after


def _rest(ensemble: Ensemble, start: Start, tail: tuple[Leg, ...]) -> Course | None:
    """Return what the members of ``ensemble`` do in ``tail``, the legs after the CURE, from ``start``; None when there is nothing."""
    if not tail:
        return None
    driven = schedule.follow(tail, ensemble.members.model, ensemble.slow, ensemble.equipment, start, 0.0)
    if driven.ends_s[-1] <= 0:
        return None
    ahead_s = np.linspace(0.0, driven.ends_s[-1], _AFTER + 1)
    seen = layers.trajectory(ensemble.model, ensemble.slow, ensemble.state, _without_vapour(driven.knots), ahead_s)
    return _course(ensemble, ahead_s, seen, driven)


def _gained(course: Course) -> Array:
    """Return what each position gains in insoluble content over ``course``, (members, positions); nothing is lost."""
    return np.maximum(course.gel[:, -1] - course.gel[:, 0], 0.0)


def _joined(course: Course, rest: Course, stop_s: float) -> Course:
    """Return ``rest``, which began near ``stop_s``, as a continuation of the course there."""
    where = min(max(int(np.searchsorted(course.at_s, stop_s)), 1), course.at_s.size - 1)
    before_s, after_s = course.at_s[where - 1 : where + 1].tolist()
    share = min(max((stop_s - before_s) / max(after_s - before_s, 1e-9), 0.0), 1.0)
    gel, worst = ((1 - share) * of[:, where - 1] + share * of[:, where] for of in (course.gel, course.worst))
    return rest._replace(
        gel=np.minimum(rest.gel + (gel - rest.gel[:, 0])[:, None], 1.0),
        worst=rest.worst * (worst / np.maximum(rest.worst[:, 0], 1e-12))[:, None],
    )


def _product(course: Course, coming: Array, share: Array) -> Product:
    gel = np.minimum(course.gel + coming[:, None, :], 1.0)
    return Product(gel.min(axis=2), gel.max(axis=2), gel @ share)


def _moments(began_s: float, end_s: float) -> Array:
    """Return the moments looked at: denser at the start of the last leg, where an endpoint is likelier."""
    before = np.linspace(0.0, began_s, _BEFORE, endpoint=False) if began_s > 0 else np.zeros(0)
    during = began_s + (end_s - began_s) * np.linspace(0.0, 1.0, _DURING) ** 1.5
    return np.concatenate((before, during))


def _course(ensemble: Ensemble, ahead_s: Array, seen: Trajectory, driven: Schedule) -> Course:
    members, chosen = ensemble.members, ensemble.chosen
    gel = gel_fraction(np.nan_to_num(seen.conversion) * LIMIT, members.polydispersity[chosen][:, None, None], members.scission_ratio)
    worst = told(members, seen.residual, seen.held, chosen).max(axis=2)
    return Course(ahead_s, seen.temp_k, worst, gel, seen.evolution_kg_s, seen.blister, driven)


def ends_at(
    course: Course, product: Product, target: Target, earliest_s: float, solved: NDArray[np.bool_], *, measured: bool
) -> float | None:
    """Return when the members together meet the endpoint, by the recipe's rule; None when they do not before the course ends.

    Where the solvent is still to be ``measured`` on the way, the instruments will have told by then which members dry as the film does:
    half of them have to be dry, and the others do not count.
    """
    dry = course.worst[solved] <= target.residual_max
    inside = ((product.low >= target.insoluble_low) & (product.high <= target.insoluble_high))[solved]
    counts = dry if measured else np.ones_like(dry)
    share = (inside & counts).sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    margin = np.minimum(dry.mean(axis=0) - (_HALF if measured else target.probability), share - target.probability)
    ripe = medians(product.mean[solved], counts | ~counts.any(axis=0))
    return _end(course.at_s, margin, ripe - target.insoluble_aim, earliest_s, target)


def own_ends(course: Course, product: Product, target: Target, earliest_s: float) -> Array:
    """Return when each member by itself would be dry enough, at the aim and inside the window, infinite when never, (members,)."""
    dry = np.log(target.residual_max / np.maximum(course.worst, 1e-12))
    inside = np.minimum(product.low - target.insoluble_low, target.insoluble_high - product.high)
    pairs = zip(np.minimum(dry, inside), product.mean - target.insoluble_aim, strict=True)
    times = [_end(course.at_s, sure, ripe, earliest_s, target) for sure, ripe in pairs]
    return np.array([np.inf if at_s is None else at_s for at_s in times])


def _end(at_s: Array, sure: Array, ripe: Array, earliest_s: float, target: Target) -> float | None:
    """Return the first moment at which ``ripe`` is not negative, and ``sure`` has not been for ``persist_s``; None without one.

    What is sure from the first moment on has been so for ``sure_s`` already.
    """
    margin = np.minimum(sure, ripe)
    met = np.flatnonzero((margin >= 0) & (at_s >= earliest_s))
    if not met.size:
        return None
    since = first = int(met[0])
    while since and sure[since - 1] >= 0:
        since -= 1
    left_s = target.persist_s - (0.0 if since else target.sure_s)
    end_s = max(_crossing(at_s, margin, first), _crossing(at_s, sure, since) + left_s, earliest_s)
    return min(end_s, max(float(at_s[-1]), earliest_s))


def _crossing(at_s: Array, margin: Array, index: int) -> float:
    """Return when ``margin``, not negative at moment ``index``, became so: by a straight line from the moment before."""
    if index and margin[index - 1] < 0:
        return float(at_s[index] - margin[index] / (margin[index] - margin[index - 1]) * (at_s[index] - at_s[index - 1]))
    return float(at_s[max(index - 1, 0)])


def _without_cure(ensemble: Ensemble, start: Start, legs: tuple[Leg, ...], at_s: float, unsure: float) -> Forecast | None:
    driven = schedule.follow(legs, ensemble.members.model, ensemble.slow, ensemble.equipment, start, 0.0)
    end_s = driven.ends_s[-1]
    ahead_s = _moments(driven.ends_s[-2] if len(legs) > 1 else 0.0, end_s)
    cooling = legs[0].kind is LegKind.COOL
    knots = _without_vapour(driven.knots) if cooling else _with_vapour(driven.knots, ensemble.members)
    seen = layers.trajectory(ensemble.model, ensemble.slow, ensemble.state, knots, ahead_s)
    course = _course(ensemble, ahead_s, seen, driven)
    solved = course.solved()
    if solved.sum() < _FEWEST:
        return None
    finish = Interval(end_s, (1 - unsure) * end_s, (1 + unsure) * end_s)
    return _put(at_s, finish, None, 1.0, _fan(course, solved, course.at_s <= end_s), course.gel[solved, 0], _gained(course)[solved])


class _Fan(NamedTuple):
    at_s: list[float]
    temp_c: list[Interval]
    residual: list[Interval]
    insoluble: list[Interval]


def _fan(course: Course, solved: NDArray[np.bool_], kept: NDArray[np.bool_]) -> _Fan:
    temps = course.temp_k[solved][:, kept].transpose(1, 0, 2).reshape(int(kept.sum()), -1)
    gel = course.gel[solved][:, kept].transpose(1, 0, 2).reshape(int(kept.sum()), -1)
    return _Fan(course.at_s[kept].tolist(), intervals(temps - ZERO_C_K), intervals(course.worst[solved][:, kept].T), intervals(gel))


def _put(at_s: float, finish: Interval, endpoint: Interval | None, p_endpoint: float, fan: _Fan, there: Array, coming: Array
         ) -> Forecast:  # fmt: skip
    return Forecast(
        at_s, finish, endpoint, p_endpoint, tuple(fan.at_s), tuple(fan.temp_c), tuple(fan.residual), tuple(fan.insoluble),
        tuple(np.median(coming, axis=0).tolist()), tuple(_less(there, coming).tolist()),
    )  # fmt: skip


def _less(there: Array, coming: Array) -> Array:
    """Return how much less a member gains for each that it has more, by a straight line through all of them, (positions,)."""
    more = there - np.median(there, axis=0)
    slope = (more * (coming - np.median(coming, axis=0))).sum(axis=0) / np.maximum((more**2).sum(axis=0), 1e-6)
    clipped: Array = np.clip(-slope, -1.0, 1.0)
    return clipped


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


def _without_vapour(knots: Array) -> Array:
    """Return the pilot's knots once the roll is dry: what little leaves it is carried away, and no cold film takes it up again."""
    return np.ascontiguousarray(np.column_stack((knots, np.zeros(len(knots)))))
