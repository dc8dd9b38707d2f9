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
from controller.control.actuation import Actuation
from controller.control.outputs import ControlMemory, Identity
from controller.estimator import EstimatorMemory, Target
from controller.image import OFF, SIGNALS, Atmosphere, Estimate, Forecast, Inputs, Mode, Outputs, PhaseView, Process, Setpoints
from controller.interlocks import bypass
from controller.interlocks.atmosphere import Proof, accounted
from controller.interlocks.atmosphere import lost as vacuum_lost
from controller.interlocks.atmosphere import step as prove
from controller.interlocks.conditioning import NO_WATCH, condition, gauges_believed, n2_gone, reckoned
from controller.interlocks.evaluate import Verdict, afresh, evaluate
from controller.interlocks.rule import Effect, Slopes, View
from controller.interlocks.sensors import Believed, told
from controller.interlocks.sensors import step as believe
from controller.memory import Memory, Settings
from controller.prooftest import ProofTest
from controller.recipe import resting, resuming, run, standing
from controller.recipe.look import PhaseScan
from controller.recipe.model import Endpoint, ThermalPhase
from controller.recipe.phases import KIND_CODE
from controller.recipe.soaking import UNFORESEEN_S
from controller.recipe.standing import Note, UnitMemory
from controller.recipe.states import FINAL, TABLE, Trigger, UnitState, Verb
from controller.units import ATMOSPHERE_MBAR


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
    dt_s, limits = inputs.dt_s, settings.limits
    asked, was = heard(memory, commands) if commands else (), memory.interlocks
    reset = bool(asked) and any(command.verb is Verb.RESET for command in asked)
    if reset and memory.proof.gauges.frozen:  # without a pressure nothing is fed or pumped that could show that the gauge follows (I4F)
        memory = memory._replace(proof=memory.proof._replace(gauges=NO_WATCH))
    process = condition(limits, inputs, memory.proof.gauges, memory.sensors)
    process, most_c = _reckoned(settings, memory, process, dt_s)
    sensors = believe(memory.sensors, limits, inputs, process, "I21V" in memory.interlocks.active)
    belief, estimate = _estimate(settings, memory, gauges_believed(limits, inputs, memory.proof.gauges), forecast)
    memory, ended = _in_effect_again(memory, inputs.at_s) if memory.interlocks.bypassed else (memory, ())
    heating_now = inputs.main_contactor.value is not False
    pumps_pct = 0.0 if "I6" in was.active else memory.outputs.vac_throttle_pct  # what a leak feeds stands still before an open pump
    proof = prove(memory.proof, limits, settings.equipment.chamber_m3, inputs, process, heating_now, pumps_pct)
    view = View(
        limits,
        inputs,
        process,
        estimate,
        _phase_view(memory.unit),
        proof,
        memory.outputs,
        memory.interlocks.slopes,
        settings.equipment,
        memory.interlocks.active,
        sensors,
        actuation.awaits(memory.actuation, "pump"),
    )
    rows = bool(asked) and alarming.acknowledging(asked)
    if memory.unit.recovery is not None and rows is not True:  # what the outage itself raised is its recovery's to answer for (I29)
        rows = (rows or frozenset()) | resuming.answers(memory.unit)
    interlocks, verdict, changes = evaluate(
        memory.interlocks,
        view,
        reset=reset,
        acknowledge=rows,
    )

    if "I6" in interlocks.active:  # air has come in, or nobody knows; when it was seen, the oven is not tight
        leaks = "I6" not in was.active and process.pressure_mbar is not None
        proof = vacuum_lost(proof)._replace(leak_ok=proof.leak_ok and not leaks)
    voted = told(memory.sensors, sensors) if sensors is not memory.sensors else ()
    memory = memory._replace(proof=proof, interlocks=interlocks, estimator=belief, sensors=sensors, most_c=most_c,
                             n2_gone=n2_gone(limits, inputs, memory.n2_gone))  # fmt: skip
    memory, notes = obey(settings, memory, commands, verdict, inputs, process)
    told_of: tuple[Note, ...] = ()
    if changes or interlocks.cause != was.cause or timer_ended(memory.alarms, inputs.at_s):
        alarms, told_of = alarming.announce(memory.alarms, interlocks, changes, asked, inputs.at_s)
        memory = memory._replace(alarms=alarms)
    memory, proved = _prove(settings, memory, verdict, inputs, process) if memory.unit.state is _IDLE else (memory, ())
    away: tuple[Note, ...] = ()
    if inputs.plc_boot_id.value != memory.boot_id:
        memory, away = _plc_away(memory, inputs, estimate)
    unit, by_rule = _react(memory.unit, verdict)
    if unit.recovery is not None:
        held_by = verdict.explained(Effect.HOLD | Effect.ABORT) if verdict.hold or verdict.abort else ""
        unit, recovered = resuming.step(unit, inputs, process, estimate, proof.proven, proof.leak_ok, held_by)
        by_rule, memory = (*by_rule, *recovered), memory._replace(armed=memory.armed and unit.state is not UnitState.RESTARTING)
    suspended = next(iter(verdict.blocking(Effect.SUSPEND)), "") if verdict.suspend else ""
    unit, waiting, from_recipe = run.step(
        unit, _look(settings, unit, verdict, inputs, process, estimate, proof, memory.n2_gone), proof.proven, suspended
    )
    if unit.state is _HELD and not verdict.heat and unit.setpoints.heat:  # heat comes back with RESTART, not by itself
        unit = unit._replace(setpoints=unit.setpoints._replace(heat=False))
    if unit.state is _HELD and verdict.purge and unit.setpoints.atmosphere is _VACUUM and not memory.n2_gone:  # filled until RESTART
        unit = unit._replace(setpoints=unit.setpoints._replace(atmosphere=Atmosphere.HOLD_CLOSED))
    wanted = _override(unit.setpoints, verdict, settings, process, memory.n2_gone)

    memory = _arm(memory, wanted, verdict)
    control, raw = loops.step(memory.control, settings.tunings, settings.equipment, wanted, verdict.heat and memory.reset_s <= 0.0,
                              _identity(unit, memory, verdict), inputs, process, dt_s)  # fmt: skip
    if control.ended is not memory.control.ended and control.ended is not None:
        notes = (*notes, Note("decision", autotune.told(control.ended)))
    if memory.proof_test.stage:
        raw, waiting = prooftest.drive(memory.proof_test, raw), f"proof test: {memory.proof_test.stage}"
    out = verdict.limit(raw, settings.equipment, inputs)
    acts, intended, outcomes = actuation.step(memory.actuation, memory.outputs, out, inputs)

    if unit.state in FINAL and unit.batch is not None and any(note.kind == "state" for note in (*notes, *by_rule, *from_recipe)):
        from_recipe = (*from_recipe, _batch_end(unit, estimate, inputs.at_s))
    leak_ok = proof.leak_ok if unit.leak_ok is None else unit.leak_ok
    memory = memory._replace(
        unit=unit, control=control, actuation=acts, outputs=out, estimator=memory.estimator if unit.batch is not None else None,
        reset_s=max(0.0, memory.reset_s - dt_s), proof=proof if leak_ok is proof.leak_ok else proof._replace(leak_ok=leak_ok),
    )  # fmt: skip
    phase = standing.current(unit)
    every = (
        *(Note("decision", {"what": "sensors", "why": why}) for why in voted),
        *ended,
        *notes,
        *told_of,
        *proved,
        *away,
        *by_rule,
        *from_recipe,
        *((Note("intent", {"number": acts.intent, "changes": intended}),) if intended else ()),
        *(Note("outcome", dict(outcome._asdict())) for outcome in outcomes),
    )
    return memory, Record(
        inputs, process, estimate, verdict, unit.state, unit.phase_index, "" if phase is None else phase.kind, waiting, wanted, out, every,
        unit.phase.counted_s, prooftest.withholds(memory.proof_test),
    )  # fmt: skip


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


def _look(settings: Settings, unit: UnitMemory, verdict: Verdict, inputs: Inputs, process: Process, estimate: Estimate,
          proof: Proof, no_n2: bool) -> PhaseScan:  # fmt: skip
    """Return what the running phase may look at."""
    oven, batch = settings.equipment, unit.batch
    return PhaseScan(
        inputs, process, estimate, None if batch is None else batch.recipe.endpoint, inputs.dt_s, unit.temp_sp_c, "I18" in verdict.active,
        oven.chamber_m3, oven.max_n2_flow_nm3_h, proof.proven, "" if batch is None else batch.recipe.material.solvent, oven.solvent_kg_h,
        settings.limits.load_substitute, settings.proving, oven.max_rate_c_per_min, () if batch is None else batch.load.roll_ids,
        _aired(settings, process, proof), no_n2, proof.leak_ok,
        proof.washed(WASHED_SHARE * settings.limits.proof_volumes),
    )  # fmt: skip


def _aired(settings: Settings, process: Process, proof: Proof) -> str:
    """Return why the chamber's last rise was air as the proof of the atmosphere counts it (I5), "" when it was N2."""
    pressure = process.pressure_mbar
    if pressure is None or pressure < settings.limits.cycle_high_mbar:
        return ""
    if accounted(proof, settings.equipment.chamber_m3, process, pressure):
        return ""
    return f"FT-402 shows {proof.fed_nm3:.2f} Nm3 of N2 for a rise from {proof.low_mbar or 0.0:.0f} to {pressure:.0f} mbar: air came in"


def power_return(
    memory: Memory, inputs: Inputs, settings: Settings, outage_s: float, known: bool = True
) -> tuple[Memory, tuple[Note, ...]]:
    """Return the memory with which a restarted core goes on: the unit HELD, the atmosphere unproven, the belief carried over the gap.

    Args:
        memory: of the checkpoint.
        inputs: first reading, perhaps without an image; then the belief is carried over by the first scan that has one.
        settings: the site's.
        outage_s: how long the core was away, process time.
        known: False when nobody knows how long; then the outage counts as long.
    """
    before = None if memory.estimator is None else memory.estimator.estimate
    unit, notes = resuming.returned(memory.unit, "CORE", outage_s, known, before)
    if memory.delayed is not None:
        why = f"the core restarted; START by {memory.delayed.user} was to begin at {memory.delayed.at_s:.0f} s"
        notes = (*notes, Note("decision", {"what": "delayed start cancelled", "why": why}))
    if memory.control.tune is not None:
        notes = (*notes, Note("decision", autotune.told(autotune.Ended(memory.control.tune, "the core restarted"))))
    # A drawn vacuum is kept with the checkpoint, as the leak test is: without blocks the PLC goes on with the gas side it was asked for.
    # N2 that was asked for then (there is a checkpoint with every other gas), or whose valve is open at the first scan, ends it.
    drawn = memory.proof.drawn and memory.unit.setpoints.atmosphere not in _WITH_N2
    kept = Proof(leak_ok=memory.proof.leak_ok, drawn=drawn)
    belief = memory.estimator
    if belief is not None and inputs.at_s > belief.at_s and inputs.plc_alive.value is not None:
        belief = estimator.advance(settings.estimator, belief, inputs.at_s - belief.at_s, inputs)
    return memory._replace(
        unit=unit, proof=kept, estimator=belief, outputs=OFF, control=ControlMemory(),
        interlocks=afresh(memory.interlocks)._replace(slopes=Slopes()), actuation=Actuation(memory.actuation.intent),
        sensors=Believed(out=memory.sensors.out, restarted="core"), reset_s=0.0, armed=False, delayed=None, proof_test=ProofTest(),
    ), (*notes, *(bypassing.note("end", one, "restart") for one in memory.interlocks.bypassed))  # fmt: skip


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
    if not verdict.purge or wanted.atmosphere is Atmosphere.OFF or (wanted.atmosphere is _VACUUM and no_n2):
        return wanted
    if wanted.atmosphere is Atmosphere.BACKFILL and wanted.pressure_mbar > PURGE_MBAR:  # an ending unit fills further, and then flows
        return wanted
    limits, pressure, o2, flow_nm3_h = settings.limits, process.pressure_mbar, process.o2_pct, settings.equipment.max_n2_flow_nm3_h
    fills = pressure is not None and pressure < limits.o2_analyser_from_mbar
    if wanted.atmosphere is not Atmosphere.N2_FLOW and (fills or (o2 is not None and o2 <= limits.proof_o2_pct)):
        return wanted._replace(heat=False, atmosphere=Atmosphere.BACKFILL, pressure_mbar=PURGE_MBAR, n2_flow_nm3_h=flow_nm3_h)
    return wanted._replace(heat=False, atmosphere=Atmosphere.N2_FLOW, pressure_mbar=ATMOSPHERE_MBAR, n2_flow_nm3_h=flow_nm3_h)


WASHED_SHARE: Final = 1.1  # of the volumes that I19 asks for: the PLC counts them too, and what it has not counted keeps the door locked
PURGE_MBAR: Final = 950.0  # to which N2 fills a chamber whose vacuum was lost

# Through its class a member costs 0.1 us (Python 3.11), and these are looked at in every scan.
_IDLE, _HELD, _VACUUM = UnitState.IDLE, UnitState.HELD, Atmosphere.VACUUM
_WITH_N2: Final = (Atmosphere.BACKFILL, Atmosphere.N2_FLOW)
_AIR: Final = (Atmosphere.OFF, Atmosphere.VENT)
_LIVE: Final = frozenset({UnitState.RUNNING, UnitState.HOLDING, UnitState.HELD})
_MODES: Final = {
    UnitState.IDLE: Mode.OFF,
    UnitState.RUNNING: Mode.RUN,
    UnitState.HOLDING: Mode.HOLD,
    UnitState.HELD: Mode.HOLD,
    UnitState.RESTARTING: Mode.RUN,
    UnitState.STOPPING: Mode.COOL,
    UnitState.STOPPED: Mode.COOL,
    UnitState.ABORTING: Mode.ABORT,
    UnitState.ABORTED: Mode.ABORT,
    UnitState.COMPLETE: Mode.OFF,
}


def _identity(unit: UnitMemory, memory: Memory, verdict: Verdict) -> Identity:
    batch, phase = unit.batch, standing.current(unit)
    return Identity(
        mode=Mode.COOL if unit.state is UnitState.COMPLETE and not resting.at_rest(unit) else _MODES[unit.state],
        purge_permission=memory.proof.proven and verdict.heat,
        reset=memory.reset_s > 0.0,
        batch_id=0 if batch is None else batch.id,
        recipe_crc=0 if batch is None else _recipe_crc(batch.recipe_sha256),
        phase_index=unit.phase_index,
        phase_kind=0 if phase is None else KIND_CODE[phase.kind],
        soak_s=unit.phase.counted_s if phase is not None and phase.kind in ("SOAK", "CURE") else 0.0,
    )


@lru_cache(maxsize=16)
def _recipe_crc(recipe_sha256: str) -> int:
    """Return the first 32 bits of the hash, which name the recipe to the PLC; 0 means no recipe."""
    return int(recipe_sha256[:8], 16) or 1


def _arm(memory: Memory, wanted: Setpoints, verdict: Verdict) -> Memory:
    """Start the reset pulse that the PLC wants before the first heat after START or RESTART, with the purge permission; never again."""
    if memory.armed or not (wanted.heat and verdict.heat and memory.proof.proven):
        return memory
    return memory._replace(armed=True, reset_s=RESET_PULSE_S)


def _phase_view(unit: UnitMemory) -> PhaseView:
    phase, batch = standing.current(unit), unit.batch
    if batch is None:
        return PhaseView()
    live = unit.state in _LIVE
    hot = live and isinstance(phase, ThermalPhase) and unit.phase.stage > 0
    cooling = hot and phase.kind == "COOL"  # type: ignore[union-attr]
    end = batch.recipe.endpoint
    return PhaseView(
        running=unit.state not in FINAL,
        heating=hot and not cooling,
        solvent=True,
        vacuum=hot
        and phase.atmosphere == "VACUUM"  # type: ignore[union-attr]
        and (unit.setpoints.atmosphere is _VACUUM or unit.phase.isolated_s > 0),
        inert=hot and phase.atmosphere == "N2_FLOW",  # type: ignore[union-attr]
        heated=unit.was_heated,
        air=unit.setpoints.atmosphere in _AIR,
        timeout=unit.timeout,
        failed=unit.failed,
        temp_sp_c=unit.setpoints.temp_c,
        o2_limit_ppm=end.max_o2_ppm,
        hold_on_o2=end.on_o2 == "HOLD",
        band=unit.phase.band,
        leak_grows=unit.leak_grows,
        leak_mbar_min=unit.rises.leak_mbar_min,
        blind_rises=0 if unit.rises.runs else unit.rises.blind,
        began_s=batch.started_at_s,
        cooling=cooling,
        unforeseen=unit.phase.blind_s >= UNFORESEEN_S,
    )


def _batch_end(unit: UnitMemory, estimate: Estimate, at_s: float) -> Note:
    batch = unit.batch
    started_s = batch.started_at_s if batch is not None else at_s
    return Note("batch_end", {
        "batch_id": 0 if batch is None else batch.id, "result": unit.state.name, "why": unit.ending, "batch_s": at_s - started_s,
        "endpoint_at_s": None if unit.endpoint_at_s is None else unit.endpoint_at_s - started_s,
        "residual_solvent": list(estimate.residual_solvent), "insoluble": list(estimate.insoluble), "estimate_valid": estimate.valid,
    })  # fmt: skip
