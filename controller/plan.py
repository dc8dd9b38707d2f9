"""What is left of a batch: the rest of the running recipe as legs that the estimator's forecast can follow.

A forecast needs to know how wall temperature and gas will go on. This module says it in the forecast's own neutral words, so that the
estimator knows nothing of phases and the recipe nothing of the model.
"""

from math import log
from typing import Final

from controller.equipment import Equipment
from controller.estimator import forecast as forecasting
from controller.estimator.model import Leg, LegKind
from controller.image import Forecast
from controller.memory import Memory, Settings
from controller.recipe import flow
from controller.recipe.model import (
    Backfill,
    Branch,
    Cool,
    Cure,
    CyclePurge,
    Evacuate,
    LeakTest,
    Pause,
    Phase,
    PressureRiseTest,
    PurgeFlow,
    Ramp,
    Recipe,
    Soak,
    Step,
    ThermalPhase,
    Vent,
)
from controller.recipe.standing import UnitMemory, current
from controller.recipe.states import UnitState
from controller.units import ATMOSPHERE_MBAR

# [assume] what the gas takes where the recipe gives no duration
_VALVES_S: Final = 30.0  # valves, pump and their feedback, before a pressure begins to fall
_FILL_S: Final = 300.0
_VENT_S: Final = 360.0  # [assume] to ambient pressure, and air drawn through for five minutes
_COLD_MBAR: Final = 20.0
_ANY_BAND_C: Final = 100.0  # a phase that does not look at the band
_AT_REST: Final = Leg(LegKind.HOLD, 0.0, 60.0, pressure_mbar=ATMOSPHERE_MBAR)  # before the first phase
CURE_S: Final = 60.0  # between two forecasts in a CURE, whose end asks for what still comes, and while that comes


_GOING_ON: Final = frozenset({UnitState.RUNNING, UnitState.HOLDING, UnitState.HELD, UnitState.RESTARTING})


def due(settings: Settings, memory: Memory) -> bool:
    """Return whether a new forecast of the running batch is wanted: in the site's intervals, in a CURE and in a COOL each minute."""
    belief = memory.estimator
    if belief is None or belief.target is None or memory.unit.state not in _GOING_ON:
        return False
    if belief.replanned_s == belief.at_s:  # it could not be told from one of the way before
        return False
    every_s = settings.estimator.forecast_s
    if isinstance(current(memory.unit), Cure | Cool):
        every_s = min(every_s, CURE_S)
    return belief.forecast is None or belief.at_s - belief.forecast.made_at_s >= every_s


def forecast(settings: Settings, memory: Memory) -> Forecast | None:
    """Return the forecast of the running batch, None when there is nothing to foresee. Pure; takes tens of milliseconds."""
    belief, unit = memory.estimator, memory.unit
    if belief is None:
        return None
    return forecasting.make(settings.estimator, settings.equipment, belief, _rest(unit, settings), unit.temp_sp_c, unit.phase.sure_s)


def _rest(unit: UnitMemory, settings: Settings) -> tuple[Leg, ...]:
    return cooled(rest_of(unit, settings.equipment), settings.limits.inner_share)


def cooled(legs: tuple[Leg, ...], inner_share: float) -> tuple[Leg, ...]:
    """Return ``legs`` that cool until the site's reckoning of the hottest layer says so, not only the thermocouples."""
    return tuple(leg._replace(inner_share=inner_share) if leg.kind is LegKind.COOL else leg for leg in legs)


def legs_of(recipe: Recipe, equipment: Equipment, index: int = 0) -> tuple[Leg, ...]:
    """Return the recipe from phase ``index`` on as legs, one per phase except END; phases off the expected way take no time.

    What was before ``index`` still says at which set point and under which gas a phase begins that does not say it itself.
    """
    way, legs = flow.expected(recipe, index), [_AT_REST]
    for number, phase in enumerate(recipe.phase):
        if phase.kind != "END":
            skipped = isinstance(phase, Branch) or (number >= index and number not in way)
            legs.append(legs[-1]._replace(kind=LegKind.HOLD, least_s=0.0, most_s=60.0) if skipped else _leg(phase, equipment, legs[-1]))
    return tuple(legs[1 + index :])


def rest_of(unit: UnitMemory, equipment: Equipment) -> tuple[Leg, ...]:
    """Return the legs still to go; the first is what is left of the current phase. Empty without a batch or after its last phase."""
    if unit.batch is None:
        return ()
    legs = legs_of(unit.batch.recipe, equipment, unit.phase_index)
    if not legs:
        return ()
    first, memory = legs[0], unit.phase
    done_s = memory.counted_s if isinstance(current(unit), Soak | Cure) else memory.elapsed_s
    first = first._replace(
        least_s=max(0.0, first.least_s - done_s),
        most_s=max(0.0, first.most_s - memory.elapsed_s),
        start_c=unit.temp_sp_c if unit.temp_sp_c > 0 else None,
    )
    return (first, *legs[1:])


def _leg(phase: Phase, equipment: Equipment, before: Leg) -> Leg:
    """Return ``phase`` as a leg; ``before`` is the one that ends at its start."""
    most_s = 60.0 * getattr(phase, "timeout_min", 0.0)
    if isinstance(phase, ThermalPhase) and not phase.shut:
        inert = phase.atmosphere == "N2_FLOW"
        pressure_mbar = ATMOSPHERE_MBAR if inert else phase.pressure_mbar or 0.0
        return _hot(phase, equipment, Leg(LegKind.HOLD, 0.0, most_s, before.target_c, 0.0, 0.0, pressure_mbar, phase.n2_flow_nm3_h or 0.0))
    seconds, pressure_mbar, flow_nm3_h = _cold(phase, equipment, before)
    return Leg(LegKind.HOLD, seconds, most_s, before.target_c, pressure_mbar=pressure_mbar, n2_flow_nm3_h=flow_nm3_h)


def _hot(phase: ThermalPhase, equipment: Equipment, gas: Leg) -> Leg:
    """Return a phase with heat as a leg; ``gas`` has its limit, its gas and the set point before it."""
    if isinstance(phase, Ramp):
        band_c = _ANY_BAND_C if phase.holdback == "OFF" else phase.holdback_c
        return gas._replace(kind=LegKind.RAMP, target_c=phase.target_c, rate_c_per_min=_rate(phase, equipment, gas.target_c), band_c=band_c)
    if isinstance(phase, Step):
        return gas._replace(kind=LegKind.RAMP, target_c=phase.target_c, rate_c_per_min=equipment.max_rate_c_per_min, band_c=_ANY_BAND_C)
    if isinstance(phase, Soak):
        return gas._replace(kind=LegKind.SOAK, target_c=phase.target_c, least_s=60 * phase.soak_min, band_c=phase.band_c)
    if isinstance(phase, Cure):
        return gas._replace(kind=LegKind.CURE, target_c=phase.target_c, least_s=60 * phase.min_min, band_c=phase.band_c)
    if isinstance(phase, PressureRiseTest):
        return gas._replace(kind=LegKind.SOAK, target_c=phase.target_c, least_s=phase.isolate_s, band_c=_ANY_BAND_C)
    if isinstance(phase, Pause):
        target_c = gas.target_c if phase.target_c is None else phase.target_c
        return gas._replace(kind=LegKind.SOAK, target_c=target_c, least_s=60 * phase.expect_min, band_c=_ANY_BAND_C)
    if isinstance(phase, Cool):
        rate = equipment.max_rate_c_per_min if phase.rate_c_per_min is None else phase.rate_c_per_min
        return gas._replace(kind=LegKind.COOL, target_c=phase.target_c, rate_c_per_min=rate)
    return gas


def _rate(phase: Ramp, equipment: Equipment, start_c: float) -> float:
    """Return the rate of a ramp, degC/min; one by time begins at the set point before it, the first one at ambient."""
    if phase.rate_c_per_min is not None:
        return phase.rate_c_per_min
    way_c = max(abs(phase.target_c - (start_c or equipment.ambient_c)), 1.0)
    return min(way_c / (phase.ramp_min or 1.0), equipment.max_rate_c_per_min)


def _down_s(equipment: Equipment, from_mbar: float, to_mbar: float) -> float:
    """Return how long the pump takes from one pressure to a lower one, s."""
    return _VALVES_S + 3600.0 * equipment.chamber_m3 / equipment.pump_m3_h * log(max(from_mbar / max(to_mbar, 1e-3), 1.0))


def _cold(phase: Phase, equipment: Equipment, before: Leg) -> tuple[float, float, float]:
    """Return seconds, pressure in mbar and N2 flow in Nm3/h of a phase without heat."""
    if isinstance(phase, LeakTest):
        return _down_s(equipment, before.pressure_mbar, phase.pressure_mbar) + 60 * phase.hold_min, phase.pressure_mbar, 0.0
    if isinstance(phase, Evacuate):
        rate, free_s = phase.max_rate_mbar_min, _down_s(equipment, before.pressure_mbar, phase.pressure_mbar)
        return max(free_s, 60 * before.pressure_mbar / rate if rate is not None else 0.0), phase.pressure_mbar, 0.0
    if isinstance(phase, Backfill):
        flow_nm3_h = phase.n2_flow_nm3_h or equipment.max_n2_flow_nm3_h
        return 3600.0 * equipment.chamber_m3 * phase.pressure_mbar / ATMOSPHERE_MBAR / flow_nm3_h, phase.pressure_mbar, 0.0
    if isinstance(phase, Pause):
        return 60 * phase.expect_min, before.pressure_mbar, 0.0
    if isinstance(phase, CyclePurge):
        fill_s = 3600.0 * equipment.chamber_m3 * (phase.high_mbar - phase.low_mbar) / ATMOSPHERE_MBAR / equipment.max_n2_flow_nm3_h
        return phase.cycles * (_down_s(equipment, phase.high_mbar, phase.low_mbar) + fill_s), phase.high_mbar, 0.0
    if isinstance(phase, PurgeFlow):
        return _FILL_S + 3600.0 * phase.volumes * equipment.chamber_m3 / phase.n2_flow_nm3_h, ATMOSPHERE_MBAR, phase.n2_flow_nm3_h
    if isinstance(phase, Vent):
        return _VENT_S, ATMOSPHERE_MBAR, 0.0
    return 0.0, _COLD_MBAR, 0.0
