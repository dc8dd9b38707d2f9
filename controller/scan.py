"""The scan: the whole behaviour of the controller as one pure function.

    inputs -> estimate -> interlocks -> recipe -> control -> outputs

The same settings, memory, inputs and commands give the same record, whoever runs it: the core against a PLC, a virtual batch, a replay.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from controller import estimator, prooftest
from controller.actions import alarming, bypassing
from controller.alarms.annunciate import timer_ended
from controller.command import Command
from controller.commands import RESET_PULSE_S, heard, obey
from controller.control import actuation, autotune
from controller.control import outputs as loops
from controller.estimator import EstimatorMemory, Target
from controller.image import SIGNALS, Atmosphere, Estimate, Forecast, Inputs, Outputs, Process, Setpoints
from controller.interlocks import bypass
from controller.interlocks.atmosphere import lost as vacuum_lost
from controller.interlocks.atmosphere import step as prove
from controller.interlocks.conditioning import NO_WATCH, condition, gauges_believed, n2_gone, reckoned
from controller.interlocks.evaluate import Change, Verdict, evaluate
from controller.interlocks.rule import Effect, Slopes, View
from controller.interlocks.sensors import step as believe
from controller.interlocks.sensors import told
from controller.memory import Memory, Settings
from controller.recipe import resuming, run, standing
from controller.recipe.look import FILLED_MBAR, SLOW_FLOW_SHARE
from controller.recipe.model import Endpoint
from controller.recipe.standing import Note, UnitMemory
from controller.recipe.states import FINAL, TABLE, Trigger, UnitState, Verb
from controller.units import ATMOSPHERE_MBAR
from controller.views import identity, phase_scan, phase_view


class Record(NamedTuple):
    """What one scan saw and did."""

    inputs: Inputs
    process: Process
    estimate: Estimate
    verdict: Verdict
    unit_state: UnitState
    phase_index: int
    phase_kind: str
    waiting: str
    setpoints: Setpoints
    outputs: Outputs
    notes: tuple[Note, ...]
    soak_s: float
    withheld: bool = False  # the command block is not sent: the proof test waits for the PLC's watchdog


def scan(
    settings: Settings, memory: Memory, inputs: Inputs, commands: tuple[Command, ...] = (), forecast: Forecast | None = None
) -> tuple[Memory, Record]:
    """Return the memory for the next scan and the record of this one.

    Pure: no clock, no input or output, nothing random. ``inputs.dt_s`` is the time since the last scan; ``forecast`` is one that was made
    beside the scan since the last one (see ``controller.plan``).
    """
    asked = heard(memory, commands) if commands else ()
    reset = bool(asked) and any(command.verb is Verb.RESET for command in asked)
    memory, process, estimate, voted = _sense(settings, memory, inputs, forecast, reset)
    was = memory.interlocks.cause
    memory, verdict, changes, ended = _guard(settings, memory, inputs, process, estimate, asked, reset)
    memory, obeyed = obey(settings, memory, commands, verdict, inputs, process)
    told_of: tuple[Note, ...] = ()
    if changes or memory.interlocks.cause != was or timer_ended(memory.alarms, inputs.at_s):
        alarms, told_of = alarming.announce(memory.alarms, memory.interlocks, changes, asked, inputs.at_s)
        memory = memory._replace(alarms=alarms)
    memory, proved = _prove(settings, memory, verdict, inputs, process) if memory.unit.state is _IDLE else (memory, ())
    memory, wanted, waiting, ran = _run(settings, memory, inputs, process, estimate, verdict)
    if memory.unit.state in FINAL and memory.unit.batch is not None and any(note.kind == "state" for note in (*obeyed, *ran)):
        ran = (*ran, _batch_end(memory.unit, estimate, inputs.at_s))
    memory, waiting, driven = _drive(settings, memory, inputs, process, verdict, wanted, waiting)

    unit = memory.unit
    phase = standing.current(unit)
    return memory, Record(
        inputs, process, estimate, verdict, unit.state, unit.phase_index, "" if phase is None else phase.kind, waiting, wanted,
        memory.outputs, (*voted, *ended, *obeyed, *told_of, *proved, *ran, *driven), unit.phase.counted_s,
        prooftest.withholds(memory.proof_test),
    )  # fmt: skip


def _sense(
    settings: Settings, memory: Memory, inputs: Inputs, forecast: Forecast | None, reset: bool
) -> tuple[Memory, Process, Estimate, tuple[Note, ...]]:
    """Take inputs and estimate in: return what is believed of sensors, product and atmosphere, and which sensors were voted out or in."""
    limits = settings.limits
    if reset and memory.proof.gauges.frozen:  # without a pressure nothing is fed or pumped that could show that the gauge follows (I4F)
        memory = memory._replace(proof=memory.proof._replace(gauges=NO_WATCH))
    active = memory.interlocks.active
    process = condition(limits, inputs, memory.proof.gauges, memory.sensors)
    process, most_c = _reckoned(settings, memory, process, inputs.dt_s)
    sensors = believe(memory.sensors, limits, inputs, process, "I21V" in active)
    belief, estimate = _estimate(settings, memory, gauges_believed(limits, inputs, memory.proof.gauges), forecast)
    heating_now = inputs.main_contactor.value is not False
    pumps_pct = 0.0 if "I6" in active else memory.outputs.vac_throttle_pct  # what a leak feeds stands still before an open pump
    proof = prove(memory.proof, limits, settings.equipment.chamber_m3, inputs, process, heating_now, pumps_pct)
    voted = told(memory.sensors, sensors) if sensors is not memory.sensors else ()
    notes = tuple(Note("decision", {"what": "sensors", "why": why}) for why in voted)
    memory = memory._replace(proof=proof, estimator=belief, sensors=sensors, most_c=most_c, n2_gone=n2_gone(limits, inputs, memory.n2_gone))
    return memory, process, estimate, notes


def _guard(
    settings: Settings, memory: Memory, inputs: Inputs, process: Process, estimate: Estimate, asked: tuple[Command, ...], reset: bool
) -> tuple[Memory, Verdict, tuple[Change, ...], tuple[Note, ...]]:
    """Walk the interlocks: return the verdict, the rows that changed, and the bypasses that ended."""
    memory, ended = _in_effect_again(memory, inputs.at_s) if memory.interlocks.bypassed else (memory, ())
    was = memory.interlocks
    view = View(
        settings.limits, inputs, process, estimate, phase_view(memory.unit), memory.proof, memory.outputs, was.slopes, settings.equipment,
        was.active, memory.sensors, actuation.awaits(memory.actuation, "pump"), memory.control.gas.vented, memory.control.gas.relieved,
    )  # fmt: skip
    acknowledged = bool(asked) and alarming.acknowledging(asked)
    if memory.unit.recovery is not None and acknowledged is not True:  # what the outage itself raised is its recovery's to answer for (I29)
        acknowledged = (acknowledged or frozenset()) | resuming.answers(memory.unit)
    interlocks, verdict, changes = evaluate(was, view, reset=reset, acknowledge=acknowledged)
    proof = memory.proof
    if "I6" in interlocks.active:  # air has come in, or nobody knows; when it was seen, the oven is not tight
        leaks = "I6" not in was.active and process.pressure_mbar is not None
        proof = vacuum_lost(proof)._replace(leak_ok=proof.leak_ok and not leaks)
    return memory._replace(proof=proof, interlocks=interlocks), verdict, changes, ended


def _run(
    settings: Settings, memory: Memory, inputs: Inputs, process: Process, estimate: Estimate, verdict: Verdict
) -> tuple[Memory, Setpoints, str, tuple[Note, ...]]:
    """Move the unit by PLC, interlocks and recipe: return what is wanted of the oven and what the sequence waits for."""
    away: tuple[Note, ...] = ()
    if inputs.plc_boot_id.value != memory.boot_id:
        memory, away = _plc_away(memory, inputs, estimate)
    unit, by_rule = _react(memory.unit, verdict)
    proof = memory.proof
    if unit.recovery is not None:
        held_by = verdict.explained(Effect.HOLD | Effect.ABORT) if verdict.hold or verdict.abort else ""
        unit, recovered = resuming.step(unit, inputs, process, estimate, proof.proven, proof.leak_ok, held_by)
        by_rule, memory = (*by_rule, *recovered), memory._replace(armed=memory.armed and unit.state is not UnitState.RESTARTING)
    memory = memory._replace(unit=unit)
    suspended = next(iter(verdict.blocking(Effect.SUSPEND)), "") if verdict.suspend else ""
    unit, waiting, from_recipe = run.step(unit, phase_scan(settings, memory, verdict, inputs, process, estimate), proof.proven, suspended)
    if unit.state is _HELD and not verdict.heat and unit.setpoints.heat:  # heat comes back with RESTART, not by itself
        unit = unit._replace(setpoints=unit.setpoints._replace(heat=False))
    if unit.state is _HELD and verdict.purge and unit.setpoints.atmosphere is _VACUUM and not memory.n2_gone:  # filled until RESTART
        unit = unit._replace(setpoints=unit.setpoints._replace(atmosphere=Atmosphere.HOLD_CLOSED))
    memory = memory._replace(
        unit=unit, estimator=memory.estimator if unit.batch is not None else None,
        proof=proof if unit.leak_ok is None else proof._replace(leak_ok=unit.leak_ok),
    )  # fmt: skip
    wanted = _eased(_override(unit.setpoints, verdict, settings, process, memory.n2_gone), verdict, settings)
    return memory, wanted, waiting, (*away, *by_rule, *from_recipe)


def _drive(
    settings: Settings, memory: Memory, inputs: Inputs, process: Process, verdict: Verdict, wanted: Setpoints, waiting: str
) -> tuple[Memory, str, tuple[Note, ...]]:
    """Close the loops, let the verdict limit what they want (``memory.outputs``), and follow what the field makes of it."""
    memory = _arm(memory, wanted, verdict)
    heat = verdict.heat and memory.reset_s <= 0.0
    control, raw = loops.step(
        memory.control, settings.tunings, settings.equipment, wanted, heat, identity(memory, verdict), inputs, process, inputs.dt_s
    )
    notes: tuple[Note, ...] = ()
    if control.ended is not memory.control.ended and control.ended is not None:
        notes = (Note("decision", autotune.told(control.ended)),)
    if memory.proof_test.stage:
        raw, waiting = prooftest.drive(memory.proof_test, raw), f"proof test: {memory.proof_test.stage}"
    out = verdict.limit(raw, settings.equipment, inputs)
    acts, intended, outcomes = actuation.step(memory.actuation, memory.outputs, out, inputs)
    if intended:
        notes = (*notes, Note("intent", {"number": acts.intent, "changes": intended}))
    memory = memory._replace(control=control, actuation=acts, outputs=out, reset_s=max(0.0, memory.reset_s - inputs.dt_s))
    return memory, waiting, (*notes, *(Note("outcome", dict(outcome._asdict())) for outcome in outcomes))


def _reckoned(settings: Settings, memory: Memory, process: Process, dt_s: float) -> tuple[Process, float]:
    """Return the PVs with the hottest temperature that must be reckoned with, and what no layer has exceeded, degC.

    A core without any memory takes the oven as it reads it, one with a batch knows nothing better than the oven's limit; behind a door that
    was released the load may be another one.
    """
    unknown_c = 0.0 if memory.unit.batch is None else settings.equipment.max_c
    most_c = unknown_c if memory.most_c is None else memory.most_c
    film_c = None if memory.estimator is None else memory.estimator.estimate.film_max_c
    hottest_c, most_c = reckoned(settings.limits, process, most_c, film_c, dt_s)
    if memory.outputs.door_release and hottest_c is not None and not process.load_lost:
        most_c = hottest_c
    return process._replace(hottest_c=hottest_c), most_c


_BROKEN_OFF: Final = frozenset({UnitState.STOPPING, UnitState.STOPPED, UnitState.ABORTING, UnitState.ABORTED})


def _estimate(settings: Settings, memory: Memory, inputs: Inputs, forecast: Forecast | None) -> tuple[EstimatorMemory | None, Estimate]:
    """Return the belief after this scan. After a power loss it stands until there is an image again, and is then carried over the gap."""
    belief, batch = memory.estimator, memory.unit.batch
    if memory.unit.power_lost and belief is not None and inputs.plc_alive.value is None:
        return belief, belief.estimate
    if forecast is not None and (batch is None or forecast.made_at_s < batch.started_at_s):  # of a batch that is over
        forecast = None
    if belief is not None and memory.unit.state in _BROKEN_OFF:
        belief, forecast = estimator.unforeseen(belief), None
    return estimator.step(settings.estimator, belief, inputs, None if batch is None else target_of(batch.recipe.endpoint), forecast)


@lru_cache(maxsize=4)
def target_of(end: Endpoint) -> Target:
    """Return the recipe's endpoint as the estimator's target."""
    return Target(
        end.max_residual_wt_pct / 100, end.insoluble_low_pct / 100, end.insoluble_high_pct / 100, end.probability,
        end.insoluble_aim_pct / 100, 60 * end.persist_min,
    )  # fmt: skip


def _in_effect_again(memory: Memory, at_s: float) -> tuple[Memory, tuple[Note, ...]]:
    """End the bypasses whose time is over."""
    kept, ended = bypass.expired(memory.interlocks.bypassed, at_s)
    if not ended:
        return memory, ()
    notes = tuple(bypassing.note("end", one, "expired") for one in ended)
    return memory._replace(interlocks=memory.interlocks._replace(bypassed=kept)), notes


def _prove(settings: Settings, memory: Memory, verdict: Verdict, inputs: Inputs, process: Process) -> tuple[Memory, tuple[Note, ...]]:
    """Carry the proof test on, or look whether the last one is still worth something."""
    test = memory.proof_test
    if not test.stage and (test.passed_at_s is None or test.spoiled):
        return memory, ()
    trip = verdict.explained(Effect.ABORT) if verdict.abort else ""
    look = prooftest.Look(settings.proof_test, settings.limits, inputs, process, inputs.dt_s, trip)
    test, result = prooftest.step(test, look)
    return memory._replace(proof_test=test), () if result is None else (Note("prooftest", result),)


def _plc_away(memory: Memory, inputs: Inputs, estimate: Estimate) -> tuple[Memory, tuple[Note, ...]]:
    """Count a silence of the PLC while there is no image; when it answers with another boot id, it was without power."""
    boot_id = inputs.plc_boot_id.value
    if boot_id is None:
        return memory._replace(unit=resuming.silent(memory.unit, estimate, inputs.dt_s, SIGNALS["plc_boot_id"].stale_s)), ()
    unit, notes = memory.unit, tuple[Note, ...]()
    if memory.boot_id:
        unit, notes = resuming.returned(memory.unit, "PLC", 0.0, True, estimate)
    interlocks = memory.interlocks._replace(slopes=Slopes())  # a jump over the break is no rate
    return memory._replace(unit=unit, boot_id=int(boot_id), armed=False, interlocks=interlocks), notes


def _react(unit: UnitMemory, verdict: Verdict) -> tuple[UnitMemory, tuple[Note, ...]]:
    """Let the interlocks move the unit."""
    if verdict.abort and (unit.state, Trigger.ABORT) in TABLE:
        return standing.move(unit, Trigger.ABORT, "interlock " + verdict.explained(Effect.ABORT))
    if verdict.hold and (unit.state, Trigger.HOLD) in TABLE:
        return standing.move(unit, Trigger.HOLD, "interlock " + verdict.explained(Effect.HOLD))
    return unit, ()


def _override(wanted: Setpoints, verdict: Verdict, settings: Settings, process: Process, no_n2: bool) -> Setpoints:
    """Return the set points with what an interlock's own action needs (I6, I7): N2 into the chamber, then through it until O2 is low.

    Without N2 a vacuum keeps its pump: it takes air and vapour away, and shut in they would stay.
    """
    if not verdict.purge or wanted.atmosphere in (Atmosphere.OFF, Atmosphere.AIR) or (wanted.atmosphere is _VACUUM and no_n2):
        return wanted
    if wanted.atmosphere is Atmosphere.BACKFILL and wanted.pressure_mbar > FILLED_MBAR:  # an ending unit fills further, and then flows
        return wanted
    limits, pressure, o2, flow_nm3_h = settings.limits, process.pressure_mbar, process.o2_pct, settings.equipment.max_n2_flow_nm3_h
    fills = pressure is not None and pressure < limits.o2_analyser_from_mbar
    if wanted.atmosphere is not Atmosphere.N2_FLOW and (fills or (o2 is not None and o2 <= limits.proof_o2_pct)):
        return wanted._replace(heat=False, atmosphere=Atmosphere.BACKFILL, pressure_mbar=FILLED_MBAR, n2_flow_nm3_h=flow_nm3_h)
    return wanted._replace(heat=False, atmosphere=Atmosphere.N2_FLOW, pressure_mbar=ATMOSPHERE_MBAR, n2_flow_nm3_h=flow_nm3_h)


def _eased(wanted: Setpoints, verdict: Verdict, settings: Settings) -> Setpoints:
    """Return the set points with little of a flow of N2 that does not leave the chamber (I4S): the inlet need not go to and fro for it."""
    if wanted.atmosphere is not Atmosphere.N2_FLOW or "I4S" not in verdict.active:
        return wanted
    return wanted._replace(n2_flow_nm3_h=min(wanted.n2_flow_nm3_h, SLOW_FLOW_SHARE * settings.equipment.max_n2_flow_nm3_h))


# Through its class a member costs 0.1 us (Python 3.11), and these are looked at in every scan.
_IDLE, _HELD, _VACUUM = UnitState.IDLE, UnitState.HELD, Atmosphere.VACUUM


def _arm(memory: Memory, wanted: Setpoints, verdict: Verdict) -> Memory:
    """Start the reset pulse that the PLC wants before the first heat after START or RESTART, with the purge permission; never again."""
    if memory.armed or not (wanted.heat and verdict.heat and memory.proof.proven):
        return memory
    return memory._replace(armed=True, reset_s=RESET_PULSE_S)


def _batch_end(unit: UnitMemory, estimate: Estimate, at_s: float) -> Note:
    batch = unit.batch
    started_s = batch.started_at_s if batch is not None else at_s
    return Note("batch_end", {
        "batch_id": 0 if batch is None else batch.id, "result": unit.state.name, "why": unit.ending, "batch_s": at_s - started_s,
        "endpoint_at_s": None if unit.endpoint_at_s is None else unit.endpoint_at_s - started_s,
        "residual_solvent": list(estimate.residual_solvent), "insoluble": list(estimate.insoluble), "estimate_valid": estimate.valid,
    })  # fmt: skip
