"""A recipe on the model before anything is heated: what every member of the prior would make of a load."""

from math import hypot
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.equipment import Equipment
from controller.estimator import belief, schedule
from controller.estimator import forecast as forecasting
from controller.estimator.forecast import Course, Ensemble, Product
from controller.estimator.layers import Model, Slow
from controller.estimator.members import MEMBERS, members_of
from controller.estimator.model import POSITIONS, EstimatorSettings, Leg, LegKind, LoadState, Target
from controller.estimator.quantiles import intervals
from controller.estimator.schedule import Start
from controller.image import Interval
from controller.units import ATMOSPHERE_MBAR, PA_PER_MBAR, kelvin

Array = NDArray[np.float64]
Solved = NDArray[np.bool_]

_ALL: Final = slice(None)
_HEAT: Final = ("log_h", "log_k", "log_bore")  # by which rolls warm at different rates
_SLOWLY: Final = 0.12  # quantile of each of two equal spreads that together make the 5 % point: 1.645 / sqrt(2) deviations


class Peak(NamedTuple):
    """The largest value on the way, 5/50/95 % over the members, and when the 95 % point is there."""

    value: Interval
    at_s: float
    leg: int


class Outlook(NamedTuple):
    """What a recipe would do to a load, before it starts; times from the start of the batch."""

    duration_s: Interval
    endpoint_s: Interval | None  # by the recipe's own rule, None when it is not met before the recipe's limit; see ``_endpoint``
    p_endpoint: float  # share of members that are dry and at the aim before the limit
    p_in_window: float  # share of members stopped there (at the limit without one) whose every zone is inside the window once cold
    residual: Interval  # worst zone at the endpoint, weight fraction
    insoluble: Interval  # the roll's mean once it is cold
    blister: Peak  # vapour pressure at the foil over the chamber's, while rubbery
    evolution_kg_h: Peak
    lean_kg_nm3: Peak | None  # solvent per N2 sent through, None without a phase in flowing N2
    hottest_c: float
    solvent_kg: Interval  # in the film at the start
    leg_ends_s: tuple[float, ...]
    late: tuple[int, ...]  # legs that the median roll does not finish before their limit
    unsolved: int  # members that the solver could not carry to the end


def look(settings: EstimatorSettings, equipment: Equipment, load: LoadState, legs: tuple[Leg, ...], target: Target) -> Outlook:
    """Return the outlook of ``legs``, from a closed oven at ambient. Raises ValueError without any leg."""
    if not legs:
        raise ValueError("legs: none; allowed is one or more")
    members = members_of(settings, load)
    fresh = belief.fresh(members, equipment.ambient_c)
    ambient_k = kelvin(equipment.ambient_c)
    start = Start(np.full(len(POSITIONS), ambient_k), ambient_k, ATMOSPHERE_MBAR * PA_PER_MBAR, 0.0)
    cure = next((number for number, leg in enumerate(legs) if leg.kind is LegKind.CURE), len(legs) - 1)

    def meets(course: Course, product: Product, solved: Solved) -> float | None:
        least_s = forecasting.earliest_s(course, legs, cure)
        together_s = forecasting.ends_at(course, product, target, least_s, solved, measured=False)
        return _endpoint(together_s, forecasting.own_ends(course, product, target, least_s)[solved], float(course.at_s[-1]), target)

    way = forecasting.take(Ensemble(members, _ALL, fresh.slow, fresh.state, equipment), start, legs, cure, meets, None)
    count = 0 if way is None else int(way.solved.sum())
    if way is None or count < MEMBERS // 4:
        raise ValueError(f"the model could be solved for {count} of {MEMBERS} members only: the load is outside its range")
    course, product, solved, met_s, end_s = way.course, way.product, way.solved, way.met_s, way.stop_s
    began_s = course.schedule.ends_s[cure - 1] if cure else 0.0
    own_s = forecasting.own_ends(course, product, target, began_s + legs[cure].least_s)[solved]
    limit_s = float(course.at_s[-1])
    low_s, high_s = np.minimum(np.quantile(own_s, (0.05, 0.95), method="nearest"), limit_s).tolist()
    rest_s = () if way.rest is None else way.rest.schedule.ends_s
    warming = _warming(members.model, fresh.slow, equipment, start, legs, end_s - began_s)
    by_members = Interval(end_s, min(end_s, low_s), max(end_s, high_s))
    spread = _widened(by_members, [one[cure] for one in warming])
    ends_s = (*course.schedule.ends_s[:cure], end_s, *(end_s + after for after in rest_s))
    last_s = rest_s[-1] if rest_s else 0.0
    wet = members.residual / (1 - members.residual) * members.model.polymer_kg
    return Outlook(
        duration_s=_widened(Interval(*(point + last_s for point in by_members)), [one[-1] for one in warming]),
        endpoint_s=None if met_s is None else spread,
        p_endpoint=float((own_s <= limit_s).mean()),
        p_in_window=_inside(course, product, target, end_s, solved),
        residual=_then(course.worst[solved], course.at_s, end_s),
        insoluble=_then(product.mean[solved], course.at_s, end_s),
        blister=_peak(course, course.blister[solved], ends_s, end_s),
        evolution_kg_h=_peak(course, 3600 * course.evolution_kg_s[solved], ends_s, end_s),
        lean_kg_nm3=_leanest(course, 3600 * course.evolution_kg_s[solved], legs, ends_s, end_s),
        hottest_c=float(np.nanmax(course.temp_k)) - kelvin(0.0),
        solvent_kg=intervals(wet[None, :])[0],
        leg_ends_s=ends_s,
        late=tuple(leg for leg in course.schedule.late_legs if legs[leg].kind is not LegKind.CURE),
        unsolved=MEMBERS - count,
    )


def _warming(model: Model, slow: Slow, equipment: Equipment, start: Start, legs: tuple[Leg, ...], cure_s: float) -> list[tuple[float, ...]]:
    """Return the ends of ``legs`` for rolls that warm slowly, as the median does, and quickly; 5, 50 and 95 % of both scales together."""
    found = []
    for share in (_SLOWLY, 0.5, 1 - _SLOWLY):
        one = Slow(
            *(np.full(1, np.quantile(scale, share if name in _HEAT else 0.5)) for name, scale in zip(Slow._fields, slow, strict=True))
        )
        found.append(schedule.follow(legs, model, one, equipment, start, cure_s).ends_s)
    return found


def _widened(of: Interval, slow_to_quick: list[float]) -> Interval:
    """Return ``of`` with what the roll's warmth adds to both sides; the two are independent."""
    slowly, plain, quickly = slow_to_quick
    below, above = hypot(of.value - of.low, max(plain - quickly, 0.0)), hypot(of.high - of.value, max(slowly - plain, 0.0))
    return Interval(of.value, of.value - below, of.value + above)


def _endpoint(together_s: float | None, own_s: Array, limit_s: float, target: Target) -> float | None:
    """Return when the endpoint is met: by all members together, or else at the median of their own ends, or None.

    The members of a fresh load differ in how they warm, and so may never be inside the window together; on the way the thermocouples leave
    those that warm as the roll does. It is met where as many members as the recipe's probability asks get there by themselves.
    """
    if together_s is None and (own_s <= limit_s).mean() >= target.probability:
        return float(np.median(own_s))
    return together_s


def _then(values: Array, at_s: Array, end_s: float) -> Interval:
    """Return the interval of ``values`` (members, moments) at ``end_s``."""
    return intervals(np.array([[float(np.interp(end_s, at_s, row)) for row in values]]))[0]


def _inside(course: Course, product: Product, target: Target, end_s: float, solved: Solved) -> float:
    low = np.array([np.interp(end_s, course.at_s, row) for row in product.low[solved]])
    high = np.array([np.interp(end_s, course.at_s, row) for row in product.high[solved]])
    return float(((low >= target.insoluble_low) & (high <= target.insoluble_high)).mean())


def _leanest(course: Course, values: Array, legs: tuple[Leg, ...], ends_s: tuple[float, ...], end_s: float) -> Peak | None:
    """Return the largest of ``values`` (members, moments) in kg/h over the N2 flow of the leg they fall into."""
    legs_at = [sum(at_s > end for end in ends_s) for at_s in course.at_s.tolist()]
    flows = np.array([legs[min(leg, len(legs) - 1)].n2_flow_nm3_h for leg in legs_at])
    if not (flows[course.at_s <= end_s] > 0).any():
        return None
    return _peak(course, np.where(flows > 0, values / np.maximum(flows, 1e-9), 0.0), ends_s, end_s)


def _peak(course: Course, values: Array, ends_s: tuple[float, ...], end_s: float) -> Peak:
    """Return the largest of ``values`` (members, moments) up to ``end_s``."""
    until = values[:, course.at_s <= end_s]
    at_s = float(course.at_s[int(np.quantile(until, 0.95, axis=0).argmax())])
    return Peak(intervals(until.max(axis=1)[None, :])[0], at_s, sum(at_s > end for end in ends_s))
