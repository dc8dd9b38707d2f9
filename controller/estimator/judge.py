"""What the members say together, and whether it may be used."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.estimator import curing, observer
from controller.estimator.ensemble import MEMBERS, Members, State
from controller.estimator.model import ZONE_NAMES, EstimatorMemory, Target
from controller.image import Estimate, Interval, ZoneEstimate
from controller.units import celsius

Array = NDArray[np.float64]

HOLD_S: Final = 120.0  # a lost temperature or pressure is replaced by its last value for so long
BLIND_LIMIT_S: Final = 1800.0  # time without any temperature after which the film's history is not known any more
FILM_C: Final = (0.0, 300.0)  # range of the model
RESIDUAL_MAX: Final = 0.5
CONFLICT_LIMIT: Final = 3


def judge(
    members: Members, state: State, memory: EstimatorMemory, target: Target | None, leaving_kg_h: Array | None, ahead: Interval | None
) -> Estimate:
    """Return the estimate: worst zone for the solvent, all zones and members for the insoluble content.

    ``leaving_kg_h`` is what the members predict to leave now; without it the last estimate's evolution stands.
    """
    residual = state.solvent / (1 + state.solvent)
    worst = residual.max(axis=0)
    gel = curing.gel_fraction(state.conversion * curing.LIMIT, members.cure.polydispersity, members.cure.scission_ratio)
    leaving = np.zeros(MEMBERS) if leaving_kg_h is None else leaving_kg_h
    rows = observer.intervals(np.vstack((residual, worst, leaving, gel)))
    dryness, (worst_zone, evolution), insoluble = rows[:4], rows[4:6], rows[6:]
    temps_c = [celsius(mean_k) for mean_k in state.temp_k.mean(axis=1).tolist()]
    zones = tuple(map(ZoneEstimate, ZONE_NAMES, temps_c, dryness, insoluble))
    p_solvent = p_window = 0.0
    if target is not None:
        p_solvent = min(1.0, float((worst <= target.residual_max).mean()))
        inside = (gel.min(axis=0) >= target.insoluble_low) & (gel.max(axis=0) <= target.insoluble_high)
        p_window = float(inside.mean())
    why = _why_invalid(memory, min(temps_c), max(temps_c), worst_zone.value)
    return Estimate(
        film_min_c=min(temps_c),
        film_max_c=max(temps_c),
        residual_solvent=worst_zone,
        insoluble=observer.intervals(gel.reshape(1, -1))[0],
        p_solvent_ok=p_solvent,
        p_insoluble_in_window=p_window,
        evolution_kg_h=memory.estimate.evolution_kg_h if leaving_kg_h is None else evolution,
        time_to_endpoint_s=ahead,
        valid=not why,
        why_invalid=why,
        zones=zones,
    )


def _why_invalid(memory: EstimatorMemory, coldest_c: float, hottest_c: float, residual: float) -> str:
    """Return the reasons why the estimate must not be used, or an empty text."""
    reasons = (
        (memory.no_temperature_s > HOLD_S, f"no GOOD temperature for {memory.no_temperature_s:.0f} s"),
        (memory.no_pressure_s > HOLD_S, f"no GOOD pressure for {memory.no_pressure_s:.0f} s"),
        (memory.blind_s > BLIND_LIMIT_S, f"film temperature unknown for {memory.blind_s / 60:.0f} min of the batch"),
        (not FILM_C[0] <= coldest_c <= hottest_c <= FILM_C[1], f"film at {coldest_c:.0f}-{hottest_c:.0f} degC, model holds for 0-300"),
        (not residual <= RESIDUAL_MAX, f"residual solvent {100 * residual:.0f} wt%, model holds up to 50"),
        (memory.window.conflicts >= CONFLICT_LIMIT, "the solvent flux contradicts every member"),
    )
    return "; ".join(text for bad, text in reasons if bad)
