"""What is left of a batch: the rest of the running recipe as legs that the estimator's forecast can follow.

A forecast needs to know how wall temperature and gas will go on. This module says it in the forecast's own neutral words, so that the
estimator knows nothing of phases and the recipe nothing of the model.
"""

from typing import Final

from controller.equipment import Equipment
from controller.estimator import forecast as forecasting
from controller.estimator.model import Leg, LegKind
from controller.image import Forecast
from controller.memory import Memory, Settings
from controller.recipe.model import (
    Cool,
    Cure,
    CyclePurge,
    Evacuate,
    LeakTest,
    Phase,
    PressureRiseTest,
    PurgeFlow,
    Ramp,
    Recipe,
    Soak,
    ThermalPhase,
    Vent,
)
from controller.recipe.run import UnitMemory
from controller.recipe.states import UnitState
from controller.units import ATMOSPHERE_MBAR

# [assume] what the gas takes on a 2 m3 oven, where the recipe gives no duration
_PUMP_DOWN_S: Final = 600.0
_FILL_S: Final = 300.0
_VENT_S: Final = 60.0
_COLD_MBAR: Final = 20.0
_ANY_BAND_C: Final = 100.0  # a phase that does not look at the band


_GOING_ON: Final = frozenset({UnitState.RUNNING, UnitState.HOLDING, UnitState.HELD, UnitState.RESTARTING})


def due(settings: Settings, memory: Memory) -> bool:
    """Return whether a new forecast of the running batch is wanted."""
    belief = memory.estimator
    if belief is None or belief.target is None or memory.unit.state not in _GOING_ON:
        return False
    return belief.forecast is None or belief.at_s - belief.forecast.made_at_s >= settings.estimator.forecast_s


def forecast(settings: Settings, memory: Memory) -> Forecast | None:
    """Return the forecast of the running batch, None when there is nothing to foresee. Pure; takes tens of milliseconds."""
    belief, unit = memory.estimator, memory.unit
    if belief is None:
        return None
    return forecasting.make(settings.estimator, settings.equipment, belief, rest_of(unit, settings.equipment), unit.temp_sp_c)


def legs_of(recipe: Recipe, equipment: Equipment) -> tuple[Leg, ...]:
    """Return the whole recipe as legs, one per phase except END."""
    return tuple(_leg(phase, equipment) for phase in recipe.phase if phase.kind != "END")


def rest_of(unit: UnitMemory, equipment: Equipment) -> tuple[Leg, ...]:
    """Return the legs still to go; the first is what is left of the current phase. Empty without a batch or after its last phase."""
    if unit.batch is None:
        return ()
    legs = legs_of(unit.batch.recipe, equipment)[unit.phase_index :]
    if not legs:
        return ()
    first, memory = legs[0], unit.phase
    done_s = memory.counted_s if first.kind in (LegKind.SOAK, LegKind.CURE) else memory.elapsed_s
    first = first._replace(
        least_s=max(0.0, first.least_s - done_s),
        most_s=max(0.0, first.most_s - memory.elapsed_s),
        start_c=unit.temp_sp_c if unit.temp_sp_c > 0 else None,
    )
    return (first, *legs[1:])


def _leg(phase: Phase, equipment: Equipment) -> Leg:
    most_s = 60.0 * getattr(phase, "timeout_min", 0.0)
    if isinstance(phase, ThermalPhase):
        inert = phase.atmosphere == "N2_FLOW"
        flow = phase.n2_flow_nm3_h or 0.0
        gas = Leg(LegKind.HOLD, 0.0, most_s, pressure_mbar=ATMOSPHERE_MBAR if inert else phase.pressure_mbar or 0.0, n2_flow_nm3_h=flow)
        if isinstance(phase, Ramp):
            return gas._replace(kind=LegKind.RAMP, target_c=phase.target_c, rate_c_per_min=phase.rate_c_per_min, band_c=phase.holdback_c)
        if isinstance(phase, Soak):
            return gas._replace(kind=LegKind.SOAK, target_c=phase.target_c, least_s=60 * phase.soak_min, band_c=phase.band_c)
        if isinstance(phase, Cure):
            return gas._replace(kind=LegKind.CURE, target_c=phase.target_c, least_s=60 * phase.min_min, band_c=phase.band_c)
        if isinstance(phase, PressureRiseTest):
            return gas._replace(kind=LegKind.SOAK, target_c=phase.target_c, least_s=phase.isolate_s, band_c=_ANY_BAND_C)
        if isinstance(phase, Cool):
            return gas._replace(kind=LegKind.COOL, target_c=phase.target_c, rate_c_per_min=phase.rate_c_per_min)
    seconds, pressure_mbar, flow = _cold(phase, equipment)
    return Leg(LegKind.HOLD, seconds, most_s, pressure_mbar=pressure_mbar, n2_flow_nm3_h=flow)


def _cold(phase: Phase, equipment: Equipment) -> tuple[float, float, float]:
    """Return seconds, pressure in mbar and N2 flow in Nm3/h of a phase without heat."""
    if isinstance(phase, LeakTest):
        return _PUMP_DOWN_S + 60 * phase.hold_min, phase.pressure_mbar, 0.0
    if isinstance(phase, Evacuate):
        return _PUMP_DOWN_S, phase.pressure_mbar, 0.0
    if isinstance(phase, CyclePurge):
        fill_s = 3600.0 * equipment.chamber_m3 / equipment.max_n2_flow_nm3_h
        return phase.cycles * (_PUMP_DOWN_S + fill_s), phase.high_mbar, 0.0
    if isinstance(phase, PurgeFlow):
        return _FILL_S + 3600.0 * phase.volumes * equipment.chamber_m3 / phase.n2_flow_nm3_h, ATMOSPHERE_MBAR, phase.n2_flow_nm3_h
    if isinstance(phase, Vent):
        return _VENT_S, ATMOSPHERE_MBAR, 0.0
    return 0.0, _COLD_MBAR, 0.0
