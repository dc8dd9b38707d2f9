"""One update of the belief: carry every member on, look at thermocouples and solvent, say what is believed.

Pure and deterministic: same settings, memory, inputs, target and forecast give the same estimate on the same machine. Compiled code may
differ in the last digits between processor generations, so that a replay made elsewhere is compared with a tolerance of 1e-9.
"""

from dataclasses import replace
from math import hypot
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator import flux, layers, learning, load_sensors, pressure_rise, vapour, walls
from controller.estimator.belief import Belief, fresh, pack, unpack
from controller.estimator.curing import LIMIT
from controller.estimator.judge import CONFLICT_LIMIT, HOLD_S, UNSOLVED_SHARE, judge
from controller.estimator.layers import Drive, Gas
from controller.estimator.members import MEMBERS, Members, members_of
from controller.estimator.model import NO_BATCH, EstimatorMemory, EstimatorSettings, FluxWindow, LoadState, Target
from controller.estimator.parameters import spread, value
from controller.estimator.readings import Readings, read, zones_c
from controller.image import Estimate, Forecast, Inputs, PressureRise
from controller.units import ATMOSPHERE_MBAR, PA_PER_MBAR, kelvin

Array = NDArray[np.float64]

OUTAGE_S: Final = 120.0  # a longer gap of process time is carried over as an outage
MAX_OUTAGE_S: Final = 86400.0
LOOK_S: Final = 60.0  # between two looks at the load thermocouples
COLD_C: Final = 60.0  # an isolation below says what leaks, because nothing evaporates
_GATE_K: Final = 15.0  # beyond what is possible, then a thermocouple is not believed
_LOOKS_ALIKE: Final = 3.0  # [assume] what the model gets wrong lasts about ten looks, whose errors count as one: root of ten
_GRADIENT_ERROR: Final = 0.1  # [assume] of the distance to the wall: a few rings against a real roll
_COLD_K: Final = kelvin(15.0)  # the hall
_ALL_AND_MORE: Final = 1.3  # of the load's solvent: more cannot have been seen
_RISE_MODEL_ERROR: Final = 0.2  # [assume] of the evolution at the end of an isolation


class Carried(NamedTuple):
    """A belief one step on, with what the step found on its way."""

    belief: Belief
    left_kg: Array  # (MEMBERS,) solvent that left
    roll_j: float  # heat that the roll took up, by warmth and evaporation, mean of the members
    crosslinks_h: Array  # (MEMBERS,) per chain and hour, mean over the roll
    unsolved: int
    film_pa: Array  # (MEMBERS, positions) solvent's pressure at the foil
    rubbery: NDArray[np.bool_]
    vapour_pa: float  # partial pressure in the chamber
    warming_k_s: Array  # (MEMBERS, positions) of the heat's nodes


def start(settings: EstimatorSettings, load: LoadState, at_s: float, temp_c: float) -> EstimatorMemory:
    """Return the belief about a load that has just come into the oven at ``temp_c``, before any reading."""
    members = members_of(settings, load)
    belief = fresh(members, temp_c)
    memory = EstimatorMemory(
        load=load,
        at_s=at_s,
        block=pack(belief),
        wall_k=kelvin(temp_c),
        pressure_pa=ATMOSPHERE_MBAR * PA_PER_MBAR,
        vapour_pa=0.0,
        no_temperature_s=0.0,
        no_pressure_s=0.0,
        blind_s=0.0,
        window=flux.OPENING,
        target=None,
        estimate=NO_BATCH,
        looked_at_s=at_s,
    )
    estimate = judge(members, belief, memory, np.zeros(MEMBERS), *_at_foil(members, belief, kelvin(temp_c), memory.pressure_pa))
    return replace(memory, estimate=estimate._replace(valid=False, why_invalid="waiting for the first readings"))


def unforeseen(memory: EstimatorMemory) -> EstimatorMemory:
    """Return the belief about a batch that was broken off: what the recipe would still have done to it does not come."""
    if memory.forecast is None:
        return memory
    zones = tuple(zone._replace(coming=0.0) for zone in memory.estimate.zones)
    estimate = memory.estimate._replace(forecast=None, time_to_endpoint_s=None, coming=0.0, foreseen=False, zones=zones)
    return replace(memory, forecast=None, estimate=estimate)


def replanned(memory: EstimatorMemory) -> EstimatorMemory:
    """Return the belief about a batch whose way ahead was changed: without its forecast, and deaf to one still in the making."""
    return replace(unforeseen(memory), replanned_s=memory.at_s)


def step(
    settings: EstimatorSettings, memory: EstimatorMemory | None, inputs: Inputs, target: Target | None, forecast: Forecast | None = None
) -> tuple[EstimatorMemory | None, Estimate]:
    """Return memory and estimate after this scan; between two updates both are returned as they are.

    Without a batch (``memory`` None) the estimate says so. ``forecast`` is one that has just been made of this batch (see ``forecast``).
    """
    if memory is None:
        return None, NO_BATCH
    if forecast is not None and (memory.replanned_s is None or forecast.made_at_s > memory.replanned_s):
        memory = replace(memory, forecast=forecast, estimate=memory.estimate._replace(forecast=forecast))
    memory, result = _isolation(settings, memory, inputs)
    elapsed_s = inputs.at_s - memory.at_s
    if 0 <= elapsed_s < settings.period_s and target == memory.target and result is None:
        return memory, memory.estimate
    if elapsed_s > OUTAGE_S:
        memory = advance(settings, memory, elapsed_s, inputs)
        elapsed_s = 0.0
    if target != memory.target:
        memory = replace(memory, target=target, forecast=None)
    after = _update(settings, memory, inputs, max(elapsed_s, 0.0), result)
    return after, after.estimate


def _isolation(settings: EstimatorSettings, memory: EstimatorMemory, inputs: Inputs) -> tuple[EstimatorMemory, PressureRise | None]:
    """Return the memory with what an isolation shows in this scan, and the result when one has ended."""
    if memory.rise.from_s is None and inputs.vac_valve_closed.value is not True:
        return memory, None
    solvent = members_of(settings, memory.load).solvent
    rise, result = pressure_rise.step(memory.rise, inputs, solvent, memory.load.chamber_m3, memory.cold_leak, settings.condenser_in_chamber)
    if rise is memory.rise:
        return memory, None
    cold = result is not None and memory.estimate.film_max_c < COLD_C
    memory = replace(memory, rise=rise, cold_leak=rise.leak if cold and rise.leak is not None else memory.cold_leak)
    return memory, None if cold else result


def advance(settings: EstimatorSettings, memory: EstimatorMemory, outage_s: float, inputs: Inputs) -> EstimatorMemory:
    """Return the belief after ``outage_s`` without readings, at the process time of ``inputs``.

    A wall that is colder is taken to have cooled by itself, a warmer one to have moved evenly; the pressure to have jumped at once. The
    flux window is thrown away. More than a day is not carried and leaves the belief invalid.
    """
    members = members_of(settings, memory.load)
    readings = read(memory, inputs)
    span_s = min(max(outage_s, 0.0), MAX_OUTAGE_S)
    before = unpack(memory.block)
    vapour_pa = vapour.chamber_vapour_pa(members.solvent, inputs, readings.pressure_pa, vapour.UNSEEN)
    carried = _carry(members, before, memory.wall_k, readings, vapour_pa, span_s, _COLD_K)
    unseen_kg = float((carried.left_kg + before.leaving_kg).mean())  # the window that was open is lost with it
    belief = carried.belief._replace(leaving_kg=np.zeros(MEMBERS))
    lost_s = outage_s if outage_s > MAX_OUTAGE_S or not readings.temperature or _stood_still(carried.unsolved) else 0.0
    after = replace(
        memory,
        at_s=inputs.at_s,
        block=pack(belief),
        wall_k=readings.wall_k,
        pressure_pa=readings.pressure_pa,
        vapour_pa=carried.vapour_pa,
        blind_s=memory.blind_s + lost_s,
        window=flux.reopened(replace(memory.window, blind_s=np.inf, condensate_kg=inputs.condensate_kg.value), unseen_kg, 0, seen=False),
        looked_at_s=inputs.at_s,
        unsolved=carried.unsolved,
        walls=walls.paused(memory.walls),
        rise=pressure_rise.Rise(leak=memory.rise.leak),
        forecast=None,
    )
    return replace(after, estimate=judge(members, belief, after, None, carried.film_pa, carried.rubbery))


def _update(
    settings: EstimatorSettings, memory: EstimatorMemory, inputs: Inputs, dt_s: float, result: PressureRise | None
) -> EstimatorMemory:
    """Return the memory after ``dt_s``; 0 only judges again, for another target."""
    members = members_of(settings, memory.load)
    readings = read(memory, inputs)
    gauges = vapour.compared(memory.gauges, inputs, memory.estimate.film_max_c < COLD_C, dt_s)
    vapour_pa = vapour.chamber_vapour_pa(members.solvent, inputs, readings.pressure_pa, gauges)
    carried = _carry(members, unpack(memory.block), memory.wall_k, readings, vapour_pa, dt_s)
    belief, window, gas = carried.belief, memory.window, Gas(readings.pressure_pa, carried.vapour_pa)
    leaving_kg_h = carried.left_kg * (3600 / dt_s) if dt_s > 0 else None
    if dt_s > 0:
        wall_k = readings.wall_k if readings.temperature else None
        ledger = walls.note(memory.walls, inputs, memory.wall_k, wall_k, readings.pressure_pa, carried.roll_j, dt_s)
        memory, belief = _warmth(members, replace(memory, walls=ledger), belief, carried.warming_k_s, readings, inputs)
        window = flux.observe(
            window,
            members.solvent,
            inputs,
            memory.load.chamber_m3,
            readings.pressure_pa,
            readings.pressure_pa - memory.pressure_pa,
            carried.vapour_pa - memory.vapour_pa,
            dt_s,
        )
        belief = belief._replace(leaving_kg=belief.leaving_kg + carried.left_kg)
        belief, window = _solvent(members, belief, window, gas)
    if result is not None:
        if result.valid and leaving_kg_h is not None:
            belief = _rise(members, belief, carried, leaving_kg_h, result, gas)
        memory = replace(memory, estimate=memory.estimate._replace(pressure_rise=result))
    after = replace(
        memory,
        at_s=inputs.at_s,
        block=pack(belief),
        window=window,
        unsolved=carried.unsolved if dt_s > 0 else memory.unsolved,
        wall_k=readings.wall_k,
        pressure_pa=readings.pressure_pa,
        vapour_pa=carried.vapour_pa,
        gauges=gauges,
        no_temperature_s=0.0 if readings.temperature else memory.no_temperature_s + dt_s,
        no_pressure_s=0.0 if readings.pressure else memory.no_pressure_s + dt_s,
        blind_s=memory.blind_s + (dt_s if memory.no_temperature_s > HOLD_S or _stood_still(carried.unsolved) else 0.0),
    )
    return replace(after, estimate=judge(members, belief, after, leaving_kg_h, carried.film_pa, carried.rubbery))


def _stood_still(unsolved: int) -> bool:
    """Return whether so many members could not be carried on that the time is missing in what they say together."""
    return unsolved > UNSOLVED_SHARE * MEMBERS


def _carry(
    members: Members, belief: Belief, wall_k: float, readings: Readings, vapour_pa: float, dt_s: float, hall_k: float | None = None
) -> Carried:
    """Return the belief after ``dt_s``, the wall going from ``wall_k`` to its reading as ``layers.advance`` takes it."""
    film_pa, rubbery = _at_foil(members, belief, wall_k, readings.pressure_pa)
    vapour_pa = min(vapour_pa, float(film_pa.max(axis=1).mean()))  # the film is its only source
    if dt_s <= 0:
        return Carried(belief, np.zeros(MEMBERS), 0.0, np.zeros(MEMBERS), 0, film_pa, rubbery, vapour_pa, np.zeros_like(film_pa))
    drive = Drive(wall_k, readings.wall_k, readings.pressure_pa, vapour_pa)
    after = layers.advance(members.model, belief.slow, belief.state, drive, dt_s, hall_k)
    crosslinks_h = (after.state.conversion - belief.state.conversion) @ members.model.shape.share * (LIMIT * 3600 / dt_s)
    carried = belief._replace(state=after.state)
    roll_j = _taken_j(members, belief, carried, after.left_kg)
    warming_k_s = (after.state.temps - belief.state.temps) / dt_s
    return Carried(carried, after.left_kg, roll_j, crosslinks_h, int(after.failed.sum()), film_pa, rubbery, vapour_pa, warming_k_s)


def _taken_j(members: Members, before: Belief, after: Belief, left_kg: Array) -> float:
    """Return the heat in J that the roll took up on the way from ``before`` to ``after``, mean of the members."""
    shape, polymer_kg = members.model.shape, members.model.polymer_kg
    warmer_k = (np.add.reduce(after.state.temps, axis=0) - np.add.reduce(before.state.temps, axis=0)) / MEMBERS
    return float(warmer_k @ (1 / shape.capacity_inverse)) + float(left_kg.mean()) * shape.heat_rate_j / polymer_kg


def _at_foil(members: Members, belief: Belief, wall_k: float, pressure_pa: float) -> tuple[Array, NDArray[np.bool_]]:
    """Return the solvent's pressure over the film at the foil in Pa and where the film is rubbery there, (MEMBERS, positions)."""
    found = layers.places(members.model, belief.slow, belief.state, wall_k, pressure_pa)
    return layers.blister(members.model, belief.slow, belief.state, found.film_k, 1.0)


def _rise(members: Members, belief: Belief, carried: Carried, leaving_kg_h: Array, result: PressureRise, gas: Gas) -> Belief:
    """Return the belief after a pressure-rise test, in which gases of curing look like solvent: as many moles of it.

    The vapour that gathers holds the film back, so that what the members give off now is held against the test's end.
    """
    model = members.model
    gas_kg_h = carried.crosslinks_h * (value("curing_gas") * model.polymer_kg * members.solvent.molar_mass_g_mol / 1e3)
    unsure = (spread("curing_gas") * float(gas_kg_h.mean()), _RISE_MODEL_ERROR * max(result.late_kg_h, 0.0), result.late_sd_kg_h)
    return learning.from_solvent(members, belief, leaving_kg_h + gas_kg_h, result.late_kg_h, hypot(*unsure), gas)[0]


def _warmth(
    members: Members, memory: EstimatorMemory, belief: Belief, warming_k_s: Array, readings: Readings, inputs: Inputs
) -> tuple[EstimatorMemory, Belief]:
    """Return memory and belief after a look at the load thermocouples, once a minute.

    A thermocouple that is hotter than everything that could heat it, or colder than the hall, is left out and counted. One that lags by
    more than the members foresaw is believed, the less the further it lags: a roll can be wound more loosely than any of them.
    """
    if inputs.at_s - memory.looked_at_s < LOOK_S:
        return memory, belief
    samples = (inputs.load_outer_c, inputs.load_edge_c, inputs.load_core_c)
    loads_k = [None if sample.value is None else kelvin(sample.value) for sample in samples]
    walls_c = zones_c(inputs)
    walls_k = None if walls_c is None else kelvin(walls_c)
    watch = load_sensors.look(memory.load_watch, inputs.at_s, (loads_k[0], loads_k[1], loads_k[2]), walls_k, memory.refused)
    refused = list(memory.refused)
    for number, read_k in enumerate(loads_k):
        if read_k is None:
            refused[number] = 0  # a sensor that does not read lies no more
            continue
        temps = belief.state.temps
        low_k, high_k = min(float(temps.min()), readings.wall_k, _COLD_K), max(float(temps.max()), readings.wall_k)
        if watch.stuck[number] or not low_k - _GATE_K <= read_k <= high_k + _GATE_K:
            refused[number] += 1
            continue
        refused[number] = 0
        belief, _ = learning.from_thermocouple(
            members,
            belief,
            number,
            read_k,
            hypot(_LOOKS_ALIKE * value("thermocouple_model_error"), _GRADIENT_ERROR * (readings.wall_k - read_k)),
            readings.wall_k,
            readings.pressure_pa,
            warming_k_s,
        )
    return replace(memory, looked_at_s=inputs.at_s, load_watch=watch, refused=(refused[0], refused[1], refused[2])), belief


def _solvent(members: Members, belief: Belief, window: FluxWindow, gas: Gas) -> tuple[Belief, FluxWindow]:
    """Return belief and window after the members were held against a window of solvent, if it is full."""
    if window.elapsed_s < flux.SHORTEST_S:
        return belief, window
    leaving = belief.leaving_kg * np.exp(belief.log_gain)
    predicted = flux.shown_kg(window, leaving)
    expected = float(predicted.mean())
    if not flux.full(window, expected):
        return belief, window
    conflicts = window.conflicts
    belief = belief._replace(leaving_kg=np.zeros(MEMBERS), hidden_kg=belief.hidden_kg + leaving - predicted)
    if flux.usable(window, float(predicted.max())):
        deviation = flux.deviation_kg(window, expected)
        belief, looked = learning.from_solvent(members, belief, predicted, window.observed_kg, _CORRELATED * deviation, gas)
        contradicts = looked.nearest * _CORRELATED > _CONFLICT
        window = flux.reopened(window, expected, conflicts + 1 if contradicts else 0, seen=True)
        if window.balance_kg > _ALL_AND_MORE * float((members.residual / (1 - members.residual)).max()) * members.model.polymer_kg:
            window = replace(window, conflicts=CONFLICT_LIMIT)
        if flux.balance_tells(window):
            belief = _balance(members, belief, window, gas)
            window = replace(window, balanced_kg=window.balance_kg)
    else:
        window = flux.reopened(window, expected, max(conflicts - 1, 0), seen=False)  # nobody contradicts any more
    return belief, window


def _balance(members: Members, belief: Belief, window: FluxWindow, gas: Gas) -> Belief:
    """Return the belief after all solvent seen so far was held against all that the members have lost."""
    model = members.model
    gone = (members.residual / (1 - members.residual) - layers.mean_u(model, belief.state) @ model.shape.share) * model.polymer_kg
    shown = np.maximum(gone * np.exp(belief.log_gain) - belief.hidden_kg, 0.0)
    return learning.from_balance(members, belief, gone, shown, window.balance_kg, flux.balance_deviation_kg(window))


_CORRELATED: Final = 2.0**0.5  # consecutive windows share their errors, so that the error's variance counts double
_CONFLICT: Final = 6.0  # deviations between a window and its nearest member
