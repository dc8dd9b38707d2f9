"""What the members say together, and whether it may be used."""

from math import hypot
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator import layers
from controller.estimator.belief import Belief
from controller.estimator.curing import LIMIT, gel_fraction
from controller.estimator.members import MEMBERS, SENSORS, Members, told
from controller.estimator.model import POSITIONS, EstimatorMemory
from controller.estimator.quantiles import intervals, point
from controller.image import Estimate, Interval, ZoneEstimate
from controller.units import PA_PER_MBAR, celsius

Array = NDArray[np.float64]

HOLD_S: Final = 120.0  # a lost temperature or pressure is replaced by its last value for so long
BLIND_LIMIT_S: Final = 1800.0  # time without any temperature after which the film's history is not known any more
FILM_C: Final = (0.0, 300.0)  # range of the model
RESIDUAL_MAX: Final = 0.5
CONFLICT_LIMIT: Final = 3
REFUSED_LIMIT: Final = 10  # minutes in a row
BLISTER_WARN: Final = 0.8
BLISTER_POINT: Final = 0.8  # of the members: a wider tail would hold every recipe on what nobody believes
_ASSAY: Final = 1.645 * 0.0003  # [assume] half width of 90 %: a laboratory finds residual solvent to 0.03 wt%
FORESEEN_S: Final = 180.0  # [assume] age of a forecast above which it says no more what is coming; in a CURE one is made each minute
UNSOLVED_SHARE: Final = 0.1  # of the members


class Said(NamedTuple):
    """Per member: (MEMBERS, positions), and what the whole roll makes of it, (MEMBERS,)."""

    residual: Array
    worst: Array
    gel: Array
    mean_gel: Array


def say(members: Members, belief: Belief) -> Said:
    """Return residual solvent (weight fraction) and insoluble content (fraction) of every member, the drying law's error in the former."""
    residual = told(members, layers.mean_residual(members.model, belief.state), layers.held_by_gap(members.model, belief.state))
    gel = gel_fraction(belief.state.conversion * LIMIT, members.polydispersity[:, None], members.scission_ratio)
    return Said(residual, residual.max(axis=1), gel, gel @ members.model.shape.share)


def judge(
    members: Members, belief: Belief, memory: EstimatorMemory, leaving_kg_h: Array | None, film_pa: Array, grows: NDArray[np.bool_]
) -> Estimate:
    """Return the estimate: worst zone for the solvent, the roll's mean for the insoluble content, every zone for its window.

    ``leaving_kg_h`` is what the members predict to leave now, without it the last estimate's evolution stands; ``film_pa`` (MEMBERS,
    positions) is the solvent's pressure at the foil; where it ``grows``, a blister could.
    """
    said = say(members, belief)
    leaving = np.zeros(MEMBERS) if leaving_kg_h is None else leaving_kg_h
    pressing = np.where(grows, film_pa, 0.0).max(axis=1)
    count = len(POSITIONS)
    table = np.empty((2 * count + 3, MEMBERS))
    table[:count], table[count], table[count + 1] = said.residual.T, said.worst, leaving
    table[count + 2 : -1], table[-1] = said.gel.T, said.mean_gel
    rows = intervals(table)
    dryness = [_assayed(one) for one in rows[: count + 1]]
    evolution, insoluble, mean_gel = rows[count + 1], rows[count + 2 : -1], rows[-1]
    pressing_pa = point(pressing, BLISTER_POINT)
    film_k = layers.places(members.model, belief.slow, belief.state, memory.wall_k, memory.pressure_pa).film_k
    temps_c = [celsius(mean_k) for mean_k in (np.add.reduce(film_k, axis=0) / MEMBERS).tolist()]
    p_solvent = p_window = 0.0
    target = memory.target
    foreseen = memory.forecast is not None and memory.at_s - memory.forecast.made_at_s <= FORESEEN_S
    coming = _coming(memory) if foreseen else np.zeros(len(POSITIONS))
    if target is not None:
        p_solvent = int(np.count_nonzero(said.worst <= target.residual_max)) / MEMBERS
        cold = np.minimum(said.gel + _own(memory, said.gel, coming), 1.0)
        inside = (cold.min(axis=1) >= target.insoluble_low) & (cold.max(axis=1) <= target.insoluble_high)
        p_window = int(np.count_nonzero(inside)) / MEMBERS
    why = _why_invalid(memory, min(temps_c), max(temps_c), dryness[-1].value)
    return Estimate(
        film_min_c=min(temps_c),
        film_max_c=max(temps_c),
        residual_solvent=dryness[-1],
        insoluble=mean_gel,
        p_solvent_ok=p_solvent,
        p_insoluble_in_window=p_window,
        evolution_kg_h=memory.estimate.evolution_kg_h if leaving_kg_h is None else evolution,
        time_to_endpoint_s=_ahead(memory),
        valid=not why,
        why_invalid=why,
        zones=tuple(map(ZoneEstimate, POSITIONS, temps_c, dryness, insoluble, coming.tolist())),
        blister=pressing_pa / max(memory.pressure_pa, 1.0),
        floor_mbar=pressing_pa / BLISTER_WARN / PA_PER_MBAR,
        pressure_rise=memory.estimate.pressure_rise,
        forecast=memory.forecast,
        coming=float(coming @ members.model.shape.share),
        foreseen=foreseen,
    )


def _assayed(belief: Interval) -> Interval:
    """Return the interval in which a laboratory would find the value."""
    middle = belief.value
    return Interval(middle, max(0.0, middle - hypot(middle - belief.low, _ASSAY)), middle + hypot(belief.high - middle, _ASSAY))


def _coming(memory: EstimatorMemory) -> Array:
    """Return what each position's insoluble content still gains after the CURE, as the last forecast has it; nothing without one."""
    if memory.forecast is None or not memory.forecast.coming:
        return np.zeros(len(POSITIONS))
    return np.array(memory.forecast.coming)


def _own(memory: EstimatorMemory, gel: Array, coming: Array) -> Array:
    """Return what each member gains, (MEMBERS, positions): who is cured further than their median gains less than it does."""
    less = np.array(memory.forecast.less) if memory.forecast is not None and memory.forecast.less else np.zeros_like(coming)
    return np.where(coming > 0.0, np.maximum(coming - less * (gel - np.median(gel, axis=0)), 0.0), 0.0)


def _ahead(memory: EstimatorMemory) -> Interval | None:
    """Return the forecast's time to the endpoint as it is now."""
    forecast = memory.forecast
    if forecast is None or forecast.endpoint_s is None:
        return None
    gone_s = memory.at_s - forecast.made_at_s
    return Interval(*(max(0.0, end - gone_s) for end in forecast.endpoint_s))


def _why_invalid(memory: EstimatorMemory, coldest_c: float, hottest_c: float, residual: float) -> str:
    """Return the reasons why the estimate must not be used, or an empty text."""
    lying = [sensor for sensor, count in zip(SENSORS, memory.refused, strict=True) if count >= REFUSED_LIMIT]
    reasons = []
    if memory.no_temperature_s > HOLD_S:
        reasons.append(f"no GOOD temperature for {memory.no_temperature_s:.0f} s")
    if memory.no_pressure_s > HOLD_S:
        reasons.append(f"no GOOD pressure for {memory.no_pressure_s:.0f} s")
    if memory.blind_s > BLIND_LIMIT_S:
        reasons.append(f"the film could not be followed for {memory.blind_s / 60:.0f} min of the batch")
    if not FILM_C[0] <= coldest_c <= hottest_c <= FILM_C[1]:
        reasons.append(f"film at {coldest_c:.0f}-{hottest_c:.0f} degC, model holds for 0-300")
    if not residual <= RESIDUAL_MAX:
        reasons.append(f"residual solvent {100 * residual:.0f} wt%, model holds up to 50")
    if memory.window.conflicts >= CONFLICT_LIMIT:
        reasons.append("the solvent flux contradicts every member")
    if len(lying) > 1:
        reasons.append(f"load thermocouples {', '.join(lying)} contradict every member")
    if apart_k := memory.load_watch.apart_k:
        side = "below" if apart_k > 0.0 else "above"
        reasons.append(f"the load's thermocouples rest {abs(apart_k):.0f} K {side} the walls: one or the other are wrong together")
    if memory.unsolved > UNSOLVED_SHARE * MEMBERS:
        reasons.append(f"the model could not be solved for {memory.unsolved} of {MEMBERS} members")
    return "; ".join(reasons)
