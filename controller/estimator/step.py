"""One update of the belief: heat the roll, dry and cure the film, look at the solvent that left, say what is believed.

Pure and deterministic: same settings, memory, inputs and target give the same estimate on the same machine. numpy's exp may differ in the
last digit between processor generations, so that a replay made elsewhere is compared with a tolerance of 1e-9.
"""

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator import curing, film, flux, observer, roll, vapour
from controller.estimator.ensemble import MEMBERS, Members, State, members_of, pack, unpack
from controller.estimator.forecast import endpoint
from controller.estimator.judge import HOLD_S, judge
from controller.estimator.model import NO_BATCH, ZONE_NAMES, EstimatorMemory, EstimatorSettings, FluxWindow, LoadState, Target
from controller.estimator.readings import read
from controller.image import Estimate, Inputs, Interval
from controller.units import ATMOSPHERE_MBAR, PA_PER_MBAR, kelvin

Array = NDArray[np.float64]

MAX_STEP_S: Final = 60.0
MAX_OUTAGE_S: Final = 86400.0
FORECAST_S: Final = 60.0


class Carried(NamedTuple):
    """A state one step on, with what the step computed on its way."""

    state: State
    warm: film.Warm
    way_out: Array
    site_rate: Array
    left_kg: Array  # solvent that left in this step, (members,)
    vapour_pa: float  # partial pressure in the chamber


def start(settings: EstimatorSettings, load: LoadState, at_s: float, temp_c: float) -> EstimatorMemory:
    """Return the belief about a load that has just come into the oven at ``temp_c``, before any reading."""
    members = members_of(settings, load)
    zones = np.ones((len(ZONE_NAMES), MEMBERS))
    state = State(
        temp_k=kelvin(temp_c) * zones,
        solvent=members.residual / (1 - members.residual) * zones,
        conversion=0.0 * zones,
        log_dry=members.log_dry,
        log_swollen=members.log_swollen,
        log_slope=members.log_slope,
        log_way=members.log_way,
        log_gain=members.log_gain,
        leaving_kg=np.zeros(MEMBERS),
    )
    memory = EstimatorMemory(
        load=load,
        at_s=at_s,
        block=pack(state),
        wall_k=kelvin(temp_c),
        pressure_pa=ATMOSPHERE_MBAR * PA_PER_MBAR,
        vapour_pa=0.0,
        no_temperature_s=0.0,
        no_pressure_s=0.0,
        blind_s=0.0,
        window=flux.OPENING,
        forecast_at_s=None,
        target=None,
        estimate=NO_BATCH,
    )
    estimate = judge(members, state, memory, None, np.zeros(MEMBERS), None)
    return replace(memory, estimate=estimate._replace(valid=False, why_invalid="waiting for the first readings"))


def step(
    settings: EstimatorSettings, memory: EstimatorMemory | None, inputs: Inputs, target: Target | None
) -> tuple[EstimatorMemory | None, Estimate]:
    """Return memory and estimate after this scan; between two updates both are returned as they are.

    Without a batch (``memory`` None) the estimate says so. A gap of process time above two minutes is carried over as an outage.
    """
    if memory is None:
        return None, NO_BATCH
    elapsed_s = inputs.at_s - memory.at_s
    if 0 <= elapsed_s < settings.period_s and target == memory.target:
        return memory, memory.estimate
    if elapsed_s > 2 * MAX_STEP_S:
        memory = advance(settings, memory, elapsed_s, inputs)
        elapsed_s = 0.0
    after = _update(settings, memory, inputs, target, max(elapsed_s, 0.0))
    return after, after.estimate


def advance(settings: EstimatorSettings, memory: EstimatorMemory, outage_s: float, inputs: Inputs) -> EstimatorMemory:
    """Return the belief after ``outage_s`` without readings, at the process time of ``inputs``.

    The wall is taken to have moved evenly from its last temperature to the present one, the pressure to have jumped at once. The flux
    window is thrown away. More than a day is not carried and leaves the belief invalid.
    """
    members = members_of(settings, memory.load)
    readings = read(memory, inputs)
    span_s = min(max(outage_s, 0.0), MAX_OUTAGE_S)
    count = max(1, int(np.ceil(span_s / MAX_STEP_S)))
    state = unpack(memory.block)
    vapour_pa = vapour.chamber_vapour_pa(members.solvent, inputs, readings.pressure_pa)
    for number in range(count if span_s > 0 else 0):
        wall_k = memory.wall_k + (readings.wall_k - memory.wall_k) * (number + 1) / count
        state = _carry(members, state, wall_k, readings.pressure_pa, vapour_pa, span_s / count).state
    before = unpack(memory.block)
    outage_kg = float(((before.solvent - state.solvent) * members.roll.share).sum(axis=0).mean()) * members.polymer_kg
    unseen_kg = outage_kg + float(before.leaving_kg.mean())  # the window that was open is lost with it
    state = state._replace(leaving_kg=np.zeros(MEMBERS))
    lost_s = outage_s if outage_s > MAX_OUTAGE_S or not readings.temperature else 0.0
    return replace(
        memory,
        at_s=inputs.at_s,
        block=pack(state),
        wall_k=readings.wall_k,
        pressure_pa=readings.pressure_pa,
        vapour_pa=vapour_pa,
        blind_s=memory.blind_s + lost_s,
        window=flux.reopened(replace(memory.window, blind_s=np.inf, condensate_kg=inputs.condensate_kg.value), unseen_kg, 0),
        forecast_at_s=None,
        estimate=judge(members, state, memory, memory.target, None, None),
    )


def _update(settings: EstimatorSettings, memory: EstimatorMemory, inputs: Inputs, target: Target | None, dt_s: float) -> EstimatorMemory:
    """Return the memory after ``dt_s``; 0 only judges again, for another target."""
    members = members_of(settings, memory.load)
    readings = read(memory, inputs)
    vapour_pa = vapour.chamber_vapour_pa(members.solvent, inputs, readings.pressure_pa)
    carried = _carry(members, unpack(memory.block), readings.wall_k, readings.pressure_pa, vapour_pa, dt_s)
    state, window = carried.state, memory.window
    if dt_s > 0:
        roll.correct(state.temp_k, members.thermocouple_offset_k, inputs, readings.wall_k, dt_s)
        rise_pa = readings.pressure_pa - memory.pressure_pa
        window = flux.observe(
            window,
            members.solvent,
            inputs,
            memory.load.chamber_m3,
            readings.pressure_pa,
            rise_pa,
            carried.vapour_pa - memory.vapour_pa,
            dt_s,
        )
        state = state._replace(leaving_kg=state.leaving_kg + carried.left_kg)
        state, window = _learn(members, state, window)
    late = memory.forecast_at_s is None or inputs.at_s - memory.forecast_at_s >= FORECAST_S or target != memory.target
    ahead = _forecast(members, carried, state, target) if late else memory.estimate.time_to_endpoint_s
    after = replace(
        memory,
        at_s=inputs.at_s,
        block=pack(state),
        wall_k=readings.wall_k,
        pressure_pa=readings.pressure_pa,
        vapour_pa=carried.vapour_pa,
        no_temperature_s=0.0 if readings.temperature else memory.no_temperature_s + dt_s,
        no_pressure_s=0.0 if readings.pressure else memory.no_pressure_s + dt_s,
        blind_s=memory.blind_s + (dt_s if memory.no_temperature_s > HOLD_S else 0.0),
        window=window,
        forecast_at_s=inputs.at_s if late else memory.forecast_at_s,
        target=target,
    )
    return replace(after, estimate=judge(members, state, after, target, carried.left_kg * (3600 / dt_s) if dt_s > 0 else None, ahead))


def _carry(members: Members, state: State, wall_k: float, pressure_pa: float, vapour_pa: float, dt_s: float) -> Carried:
    """Return the state after ``dt_s``; film and cure work at the step's mean temperature."""
    heated = roll.heat(members.roll, state.temp_k, wall_k, pressure_pa, dt_s) if dt_s > 0 else state.temp_k.copy()
    mean_k = 0.5 * (state.temp_k + heated)
    inverse_k = 1 / mean_k
    warm = film.warm(members.film, mean_k, inverse_k, state.log_dry, state.log_swollen, state.log_slope)
    film_pa = film.vapour_pressure_pa(members.film, warm, state.solvent)
    vapour_pa = min(vapour_pa, float(film_pa.max(axis=0).mean()))  # the film is its only source
    way_out = vapour.way_out(members.gap, film_pa, wall_k, pressure_pa, vapour_pa) * np.exp(state.log_way)
    solvent = film.dry(members.film, warm, state.solvent, way_out, vapour_pa, dt_s)
    left_kg = (state.solvent - solvent) * (members.roll.share * members.polymer_kg)
    heated -= left_kg * (1e3 * members.solvent.evaporation_kj_mol / members.film.molar_mass_kg_mol) / members.roll.capacity
    site_rate = curing.site_rate(members.cure, mean_k, inverse_k, solvent / (1 + solvent), state.conversion)
    conversion = curing.crosslink(members.cure, state.conversion, site_rate, dt_s)
    return Carried(
        state._replace(temp_k=heated, solvent=solvent, conversion=conversion), warm, way_out, site_rate, left_kg.sum(axis=0), vapour_pa
    )


def _learn(members: Members, state: State, window: FluxWindow) -> tuple[State, FluxWindow]:
    """Return state and window after the members were held against a window, if it is full."""
    if window.elapsed_s < flux.SHORTEST_S:
        return state, window
    predicted = state.leaving_kg * np.exp(state.log_gain)
    expected = float(predicted.mean())
    if not flux.full(window, expected):
        return state, window
    conflicts = window.conflicts
    if flux.usable(window):
        belief = observer.Belief(state.solvent, state.log_dry, state.log_swollen, state.log_slope, state.log_way, state.log_gain)
        belief, conflict = observer.learn(belief, predicted, window.observed_kg, flux.deviation_kg(window, expected))
        conflicts = conflicts + 1 if conflict else 0
        window = flux.reopened(window, expected, conflicts)
        gone = (members.residual / (1 - members.residual) - (belief.solvent * members.roll.share).sum(axis=0)) * members.polymer_kg
        belief, _ = observer.learn(belief, gone * np.exp(belief.log_gain), window.balance_kg, flux.balance_deviation_kg(window))
        state = state._replace(**belief._asdict())
    else:
        window = flux.reopened(window, expected, conflicts)
    return state._replace(leaving_kg=np.zeros(MEMBERS)), window


def _forecast(members: Members, carried: Carried, state: State, target: Target | None) -> Interval | None:
    if target is None:
        return None
    return endpoint(members, carried.warm, state.solvent, carried.way_out, carried.vapour_pa, state.conversion, carried.site_rate, target)
