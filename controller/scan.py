"""The scan: the whole behaviour of the controller as one pure function.

    inputs -> estimate -> interlocks -> recipe -> control -> outputs

The same settings, memory, inputs and commands give the same record, whoever runs it: the core against a PLC, a virtual batch, a replay.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from controller import estimator
from controller.command import Command
from controller.commands import RESET_PULSE_S, heard, obey
from controller.control import actuation
from controller.control import outputs as loops
from controller.control.actuation import Actuation
from controller.control.outputs import ControlMemory, Identity
from controller.equipment import Equipment
from controller.estimator import Target
from controller.image import OFF, Atmosphere, Estimate, Forecast, Inputs, Mode, Outputs, PhaseView, Process, Setpoints
from controller.interlocks.atmosphere import Proof
from controller.interlocks.atmosphere import step as prove
from controller.interlocks.conditioning import condition
from controller.interlocks.evaluate import Change, InterlockMemory, Verdict, evaluate
from controller.interlocks.table import Effect, View
from controller.memory import Memory, Settings
from controller.recipe import run
from controller.recipe.look import PhaseScan
from controller.recipe.model import Endpoint, ThermalPhase
from controller.recipe.phases import KIND_CODE
from controller.recipe.run import Note, UnitMemory
from controller.recipe.states import FINAL, TABLE, Trigger, UnitState, Verb


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


def scan(
    settings: Settings, memory: Memory, inputs: Inputs, commands: tuple[Command, ...] = (), forecast: Forecast | None = None
) -> tuple[Memory, Record]:
    """Return the memory for the next scan and the record of this one.

    Pure: no clock, no input or output, nothing random. ``inputs.dt_s`` is the time since the last scan; ``forecast`` is one that was made
    beside the scan since the last one (see ``controller.plan``).
    """
    dt_s, limits = inputs.dt_s, settings.limits
    process = condition(limits, inputs, memory.proof.gauges)
    batch = memory.unit.batch
    if forecast is not None and (batch is None or forecast.made_at_s < batch.started_at_s):  # of a batch that is over
        forecast = None
    belief, estimate = estimator.step(
        settings.estimator, memory.estimator, inputs, None if batch is None else target_of(batch.recipe.endpoint), forecast
    )

    heating_now = inputs.main_contactor.value is not False
    proof = prove(memory.proof, limits, settings.equipment.chamber_m3, inputs, process, heating_now, memory.outputs.vac_throttle_pct)
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
    )
    asked = heard(memory, commands) if commands else frozenset()
    interlocks, verdict, changes = evaluate(
        memory.interlocks,
        view,
        reset=not asked.isdisjoint(_RESETTING),
        acknowledge=not asked.isdisjoint(_ACKNOWLEDGING),
    )

    memory = memory._replace(proof=proof, interlocks=interlocks, estimator=belief)
    memory, notes = obey(settings, memory, commands, verdict, inputs, process)
    unit, by_rule = _react(memory.unit, verdict)
    suspended = next(iter(verdict.blocking(Effect.SUSPEND)), "") if verdict.suspend else ""
    look = PhaseScan(
        inputs, process, estimate, _endpoint(unit), dt_s, unit.temp_sp_c, "I18" in verdict.active,
        settings.equipment.chamber_m3, settings.equipment.max_n2_flow_nm3_h, proof.proven,
        "" if batch is None else batch.recipe.material.solvent, settings.equipment.solvent_kg_h, limits.load_substitute, settings.proving,
    )  # fmt: skip
    unit, waiting, from_recipe = run.step(unit, look, proof.proven, suspended)
    if unit.state is UnitState.HELD and not verdict.heat and unit.setpoints.heat:  # heat comes back with RESTART, not by itself
        unit = unit._replace(setpoints=unit.setpoints._replace(heat=False))
    wanted = _override(unit.setpoints, verdict, settings.equipment)

    memory = _arm(memory, wanted, verdict)
    control, raw = loops.step(memory.control, settings.tunings, settings.equipment, wanted, verdict.heat and memory.reset_s <= 0.0,
                              _identity(unit, memory, verdict), inputs, process, dt_s)  # fmt: skip
    out = verdict.limit(raw, settings.equipment, inputs)
    acts, intended, outcomes = actuation.step(memory.actuation, memory.outputs, out, inputs)

    if unit.state in FINAL and unit.batch is not None and any(note.kind == "state" for note in (*notes, *by_rule, *from_recipe)):
        from_recipe = (*from_recipe, _batch_end(unit, estimate, inputs.at_s))
    leak_ok = proof.leak_ok if unit.leak_ok is None else unit.leak_ok
    memory = memory._replace(
        unit=unit, control=control, actuation=acts, outputs=out, estimator=memory.estimator if unit.batch is not None else None,
        reset_s=max(0.0, memory.reset_s - dt_s), proof=proof if leak_ok is proof.leak_ok else proof._replace(leak_ok=leak_ok),
    )  # fmt: skip
    phase = run.current(unit)
    every = (
        *(_alarm(change) for change in changes),
        *notes,
        *by_rule,
        *from_recipe,
        *((Note("intent", {"number": acts.intent, "changes": intended}),) if intended else ()),
        *(Note("outcome", dict(outcome._asdict())) for outcome in outcomes),
    )
    return memory, Record(
        inputs, process, estimate, verdict, unit.state, unit.phase_index, "" if phase is None else phase.kind, waiting, wanted, out, every,
        unit.phase.counted_s,
    )  # fmt: skip


def power_return(memory: Memory, inputs: Inputs, settings: Settings, outage_s: float) -> tuple[Memory, tuple[Note, ...]]:
    """Return the memory with which a restarted core goes on: the unit HELD, the atmosphere unproven, the belief carried over the gap."""
    unit, notes = run.move(memory.unit, Trigger.POWER, f"core restarted after {outage_s:.0f} s")
    unit = unit._replace(setpoints=unit.setpoints._replace(heat=False))
    belief = memory.estimator
    if belief is not None and outage_s > 0:
        belief = estimator.advance(settings.estimator, belief, outage_s, inputs)
    return memory._replace(
        unit=unit, proof=Proof(leak_ok=memory.proof.leak_ok), estimator=belief, outputs=OFF, control=ControlMemory(),
        interlocks=memory.interlocks._replace(stood_s=InterlockMemory().stood_s), actuation=Actuation(memory.actuation.intent),
        reset_s=0.0, armed=False,
    ), notes  # fmt: skip


@lru_cache(maxsize=4)
def target_of(end: Endpoint) -> Target:
    """Return the recipe's endpoint as the estimator's target."""
    return Target(
        end.max_residual_wt_pct / 100, end.insoluble_low_pct / 100, end.insoluble_high_pct / 100, end.probability,
        end.insoluble_aim_pct / 100, 60 * end.persist_min,
    )  # fmt: skip


def _endpoint(unit: UnitMemory) -> Endpoint | None:
    return None if unit.batch is None else unit.batch.recipe.endpoint


def _react(unit: UnitMemory, verdict: Verdict) -> tuple[UnitMemory, tuple[Note, ...]]:
    """Let the interlocks move the unit."""
    if verdict.abort and (unit.state, Trigger.ABORT) in TABLE:
        return run.move(unit, Trigger.ABORT, "interlock " + verdict.explained(Effect.ABORT))
    if verdict.hold and (unit.state, Trigger.HOLD) in TABLE:
        return run.move(unit, Trigger.HOLD, "interlock " + verdict.explained(Effect.HOLD))
    return unit, ()


def _override(wanted: Setpoints, verdict: Verdict, equipment: Equipment) -> Setpoints:
    """Return the set points with what an interlock's own action needs (I6, I7: fill with N2)."""
    if not verdict.purge or wanted.atmosphere is Atmosphere.OFF:
        return wanted
    if wanted.atmosphere is Atmosphere.N2_FLOW:
        return wanted._replace(heat=False, n2_flow_nm3_h=equipment.max_n2_flow_nm3_h)
    return wanted._replace(heat=False, atmosphere=Atmosphere.BACKFILL, pressure_mbar=950.0, n2_flow_nm3_h=equipment.max_n2_flow_nm3_h)


_LIVE: Final = frozenset({UnitState.RUNNING, UnitState.HOLDING, UnitState.HELD})
_RESETTING: Final = frozenset({Verb.RESET})
_ACKNOWLEDGING: Final = frozenset({Verb.ACKNOWLEDGE, Verb.RESTART})
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
    batch, phase = unit.batch, run.current(unit)
    return Identity(
        mode=_MODES[unit.state],
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
    phase, batch = run.current(unit), unit.batch
    if batch is None:
        return PhaseView()
    live = unit.state in _LIVE
    hot = live and isinstance(phase, ThermalPhase) and unit.phase.stage > 0
    end = batch.recipe.endpoint
    return PhaseView(
        running=unit.state not in FINAL,
        heating=hot,
        solvent=True,
        vacuum=hot
        and phase.atmosphere == "VACUUM"  # type: ignore[union-attr]
        and (unit.setpoints.atmosphere is Atmosphere.VACUUM or unit.phase.isolated_s > 0),
        inert=hot and phase.atmosphere == "N2_FLOW",  # type: ignore[union-attr]
        timeout=unit.timeout,
        failed=unit.failed,
        temp_sp_c=unit.setpoints.temp_c,
        o2_limit_ppm=end.max_o2_ppm,
        hold_on_o2=end.on_o2 == "HOLD",
    )


def _alarm(change: Change) -> Note:
    rule = change.rule
    return Note("alarm", {
        "rule": rule.id, "event": change.event, "effect": effect_name(rule.effect), "text": rule.text, "value": change.value,
        "first_out": change.first_out, "user": "",
    })  # fmt: skip


def effect_name(effect: Effect) -> str:
    """Return the strongest effect as one word, for lists and reports."""
    for one in (Effect.ABORT, Effect.HOLD, Effect.SUSPEND, Effect.NO_START, Effect.NO_HEAT, Effect.NO_VENT):
        if effect & one:
            return str(one.name) if one in (Effect.ABORT, Effect.HOLD, Effect.SUSPEND) else "PERMISSIVE"
    return "WARN"


def _batch_end(unit: UnitMemory, estimate: Estimate, at_s: float) -> Note:
    batch = unit.batch
    started_s = batch.started_at_s if batch is not None else at_s
    return Note("batch_end", {
        "batch_id": 0 if batch is None else batch.id, "result": unit.state.name, "why": unit.ending, "batch_s": at_s - started_s,
        "endpoint_at_s": None if unit.endpoint_at_s is None else unit.endpoint_at_s - started_s,
        "residual_solvent": list(estimate.residual_solvent), "insoluble": list(estimate.insoluble), "estimate_valid": estimate.valid,
    })  # fmt: skip
