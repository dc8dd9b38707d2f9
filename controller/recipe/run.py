"""The batch in the unit: which phase runs, what the unit's state makes of it, and the set points that follow.

Safe states are not "all off": a hot chamber with solvent vapour needs inerting, exhaust and circulation, so every state that may follow
heat keeps them (see ``_safe``).
"""

from typing import Final, NamedTuple

from controller.image import Atmosphere, Setpoints
from controller.recipe import guard, isolation
from controller.recipe.cold import cycle_purge, flow_purge
from controller.recipe.look import PhaseMemory, PhaseScan, Step, gas_only
from controller.recipe.model import LeakTest, LoadRecord, Phase, Recipe, ThermalPhase
from controller.recipe.phases import run, timeout_rule
from controller.recipe.states import TABLE, Trigger, UnitState
from controller.units import ATMOSPHERE_MBAR

HOLD_HEAT_S: Final = 900.0  # T_hold: how long a held batch may stay hot before it is cooled
RESTART_LIMIT_S: Final = 7200.0  # for proving the atmosphere again [assume]
RESUME_LEAD_C: Final = 2.0  # set point above the oven when a suspended sequence goes on [assume]
SAFE_MBAR: Final = (993.0, 1008.0)  # a chamber at rest: filled with N2 below the first, up to the second, so that the door can be released
COOL_FLOW_SHARE: Final = 0.5  # of the N2 controller's full scale, while cooling in a safe state
O2_SHARE: Final = 0.5  # of the O2 that proves the inert path, to which a purge goes on
NOTHING: Final = gas_only(Atmosphere.OFF)


class Batch(NamedTuple):
    """What is being made: fixed when it starts."""

    id: int
    recipe: Recipe
    recipe_sha256: str
    load: LoadRecord
    user: str
    started_at_s: float


class UnitMemory(NamedTuple):
    """Where the unit and its batch stand."""

    state: UnitState = UnitState.IDLE
    state_s: float = 0.0
    batch: Batch | None = None
    phase_index: int = 0
    phase: PhaseMemory = PhaseMemory()
    temp_sp_c: float = 0.0
    setpoints: Setpoints = NOTHING
    reproof: PhaseMemory = PhaseMemory()  # of the purge that a restart makes
    was_heated: bool = False
    timeout: str = ""
    failed: str = ""
    leak_ok: bool | None = None  # what the leak test found in this scan
    ending: str = ""  # why the batch ends or ended
    endpoint_at_s: float | None = None
    cause: str = ""  # of the present state


class Note(NamedTuple):
    """Something the journal must hold: kind of entry and its content."""

    kind: str
    content: dict[str, object]


def current(memory: UnitMemory) -> Phase | None:
    """Return the phase that runs or is held."""
    batch = memory.batch
    return None if batch is None or memory.phase_index >= len(batch.recipe.phase) else batch.recipe.phase[memory.phase_index]


def move(memory: UnitMemory, trigger: Trigger, cause: str) -> tuple[UnitMemory, tuple[Note, ...]]:
    """Return the unit after ``trigger``, unchanged when the table has no such move."""
    after = TABLE.get((memory.state, trigger))
    if after is None:
        return memory, ()
    note = Note("state", {"from": memory.state.name, "to": after.name, "cause": cause})
    memory = memory._replace(state=after, state_s=0.0, cause=cause)
    if after in (UnitState.STOPPING, UnitState.ABORTING, UnitState.COMPLETE):
        memory = memory._replace(ending=cause)
    if after is UnitState.HELD:  # the alarm is latched; its cause has been dealt with
        memory = memory._replace(timeout="", failed="")
    if after is UnitState.RESTARTING:
        memory = memory._replace(reproof=PhaseMemory(), timeout="", failed="")
    if after is UnitState.IDLE:
        memory = UnitMemory()
    return memory, (note,)


def begin(memory: UnitMemory, batch: Batch) -> tuple[UnitMemory, tuple[Note, ...]]:
    """Return the unit with ``batch`` in its first phase."""
    memory, notes = move(memory, Trigger.START, f"started by {batch.user}")
    memory = memory._replace(
        batch=batch, phase_index=0, phase=PhaseMemory(), temp_sp_c=0.0, was_heated=False, ending="", endpoint_at_s=None
    )
    return memory, (*notes, _phase_note(memory, "start", ""))


def step(memory: UnitMemory, scan: PhaseScan, proven: bool, suspended: str) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    """Return the unit after this scan (its set points are in the memory), what it waits for, and notes for the journal.

    Args:
        memory: where the unit stood.
        scan: what a phase may look at.
        proven: the atmosphere is proven (I5), which a restart waits for.
        suspended: what suspends the sequence, "" when nothing does.
    """
    memory = memory._replace(state_s=memory.state_s + scan.dt_s)
    state = memory.state
    if state is UnitState.RUNNING:
        return _running(memory, scan, suspended)
    if state is UnitState.RESTARTING:
        return _restarting(memory, scan, proven)
    if state in (UnitState.HOLDING, UnitState.HELD):
        return _held(memory, scan)
    if state is UnitState.IDLE:
        return memory._replace(setpoints=NOTHING._replace(door_release=True)), "", ()
    if state is UnitState.COMPLETE:
        return memory._replace(setpoints=_safe(memory, scan)._replace(door_release=True)), "", ()
    setpoints = _safe(memory, scan)
    memory = memory._replace(setpoints=setpoints)
    if state is UnitState.STOPPING and setpoints.atmosphere is Atmosphere.OFF:
        return (*_moved(memory, Trigger.DONE, "cold and inert"),)
    if state is UnitState.ABORTING and scan.inputs.main_contactor.value is False:
        return (*_moved(memory, Trigger.DONE, "heat contactor open"),)
    return memory, _safe_waiting(state, scan), ()


def _moved(memory: UnitMemory, trigger: Trigger, cause: str) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    memory, notes = move(memory, trigger, cause)
    return memory, "", notes


def _running(memory: UnitMemory, scan: PhaseScan, suspended: str) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    phase = current(memory)
    if phase is None:
        return _moved(memory, Trigger.DONE, "end of recipe")
    if suspended:
        return _suspended(memory, phase, scan, suspended)
    done = run(phase, memory.phase, scan)
    wanted, seen = done.setpoints, _seen(phase, memory.phase, done, scan)
    memory = memory._replace(
        phase=done.memory._replace(elapsed_s=done.memory.elapsed_s + scan.dt_s),
        setpoints=wanted,
        temp_sp_c=wanted.temp_c if isinstance(phase, ThermalPhase) else memory.temp_sp_c,
        was_heated=memory.was_heated or wanted.heat,
        failed=done.failed,
        leak_ok=done.leak_ok,
    )
    if done.done:
        return _with(seen, _next(memory, done, scan.inputs.at_s))
    if done.failed:
        return memory, done.waiting, (*seen, Note("decision", {"what": f"{phase.kind} failed", "why": done.why, "rule": done.failed}))
    timeout_s = getattr(phase, "timeout_min", 0.0) * 60.0
    if timeout_s and memory.phase.elapsed_s >= timeout_s:
        return _with(seen, _timed_out(memory, phase, done, scan.inputs.at_s))
    return memory, done.waiting, seen


def _with(seen: tuple[Note, ...], moved: tuple[UnitMemory, str, tuple[Note, ...]]) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    memory, waiting, notes = moved
    return memory, waiting, (*seen, *notes) if seen else notes


def _seen(phase: Phase, before: PhaseMemory, done: Step, scan: PhaseScan) -> tuple[Note, ...]:
    """Return the journal's notes of an isolation or of the guard that began or ended in this scan."""
    after = done.memory
    if (before.isolated_s > 0) is (after.isolated_s > 0) and before.guarded is after.guarded:
        return ()
    notes = []
    if (before.isolated_s > 0) is not (after.isolated_s > 0):
        pressure = scan.process.pressure_mbar
        what = "isolated" if after.isolated_s > 0 else f"opened after {before.isolated_s:.0f} s"
        at = "unknown pressure" if pressure is None else f"{pressure:.2f} mbar"
        notes.append(Note("decision", {"what": "pressure-rise test", "why": f"{phase.kind}: {what} at {at}"}))
    if before.guarded is not after.guarded:
        acts = "begins" if after.guarded else "ends"
        why = guard.why(after._replace(guarded=True), scan)
        notes.append(Note("decision", {"what": f"guard {acts}", "why": f"{phase.kind}: {why}", "blister": scan.estimate.blister}))
    return tuple(notes)


def _suspended(memory: UnitMemory, phase: Phase, scan: PhaseScan, by: str) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    """Wait for something outside: the phase's time runs on, the set point follows the oven down, a leak test starts anew."""
    temp_sp_c = memory.temp_sp_c if scan.process.temp_c is None else min(memory.temp_sp_c, scan.process.temp_c + RESUME_LEAD_C)
    kept = PhaseMemory(elapsed_s=memory.phase.elapsed_s) if phase.kind == "LEAK_TEST" else memory.phase
    wanted, kept = isolation.opened(memory.setpoints, kept)
    memory = memory._replace(phase=kept._replace(elapsed_s=kept.elapsed_s + scan.dt_s), temp_sp_c=temp_sp_c, leak_ok=None, setpoints=wanted)
    waiting = f"suspended by {by}"
    if memory.phase.elapsed_s >= getattr(phase, "timeout_min", 0.0) * 60.0:
        return _timed_out(memory, phase, Step(memory.phase, memory.setpoints, waiting=waiting), scan.inputs.at_s)
    return memory, waiting, ()


def _next(memory: UnitMemory, done: Step, at_s: float) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    phase = current(memory)
    ended = _phase_note(memory, "end", done.why)
    notes: tuple[Note, ...] = (ended,)
    if phase is not None and phase.kind == "CURE":
        notes = (Note("decision", {"what": "CURE ended", "why": done.why}), ended)
        memory = memory._replace(endpoint_at_s=at_s if done.why == "endpoint" else memory.endpoint_at_s)
    memory = memory._replace(phase_index=memory.phase_index + 1, phase=PhaseMemory(), timeout="")
    if current(memory) is None:
        memory, moved = move(memory, Trigger.DONE, "end of recipe")
        return memory, "", (*notes, *moved)
    return memory, "", (*notes, _phase_note(memory, "start", ""))


def _timed_out(memory: UnitMemory, phase: Phase, done: Step, at_s: float) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    action = getattr(phase, "on_timeout", "HOLD")
    why = f"{phase.kind} not done after {memory.phase.elapsed_s / 60:.0f} min ({done.waiting}); on_timeout = {action}"
    note = Note("decision", {"what": "timeout", "why": why})
    if action == "CONTINUE":
        memory, waiting, notes = _next(memory, done._replace(why=why), at_s)
        return memory, waiting, (note, *notes)
    if action in ("STOP", "ABORT"):
        memory, moved = move(memory, Trigger(action), why)
        return memory, "", (note, *moved)
    # HOLD through the interlock table, so that it is an alarm too; a restart gives the phase its time again.
    return memory._replace(timeout=timeout_rule(phase), phase=memory.phase._replace(elapsed_s=0.0)), done.waiting, (note,)


def _held(memory: UnitMemory, scan: PhaseScan) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    before, kept = isolation.opened(memory.setpoints, memory.phase)
    if kept is not memory.phase:
        memory = memory._replace(phase=kept, setpoints=before)
    zones = scan.process.temp_c
    if memory.state is UnitState.HOLDING:  # one scan: take over where the phase stood
        capped = min(before.temp_c, zones) if zones is not None else before.temp_c
        memory = memory._replace(setpoints=before._replace(temp_c=capped, rate_c_per_min=0.0), temp_sp_c=capped)
        return _moved(memory, Trigger.DONE, memory.cause)
    if before.heat and memory.state_s > HOLD_HEAT_S:
        why = f"held for {HOLD_HEAT_S / 60:.0f} min: heat off, controlled cool-down"
        memory = memory._replace(setpoints=before._replace(heat=False))
        return memory, why, (Note("decision", {"what": "hold limit", "why": why}),)
    if before.atmosphere in (Atmosphere.BACKFILL, Atmosphere.VENT, Atmosphere.OFF):
        memory = memory._replace(setpoints=gas_only(Atmosphere.HOLD_CLOSED))
    return memory, "RESTART, STOP or ABORT", ()


def _restarting(memory: UnitMemory, scan: PhaseScan, proven: bool) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    """Prove the atmosphere again where the phase needs it, then go back to the phase with the set point at the oven's temperature."""
    phase = current(memory)
    if isinstance(phase, LeakTest):  # a rise over a break says nothing
        memory = memory._replace(phase=PhaseMemory())
    if memory.state_s > RESTART_LIMIT_S:
        return _moved(memory, Trigger.HOLD, f"atmosphere not proven in {RESTART_LIMIT_S / 60:.0f} min; STOP, or find why (I5)")
    if not isinstance(phase, ThermalPhase) or proven or phase.kind == "COOL":
        sp = scan.process.temp_c if scan.process.temp_c is not None and memory.temp_sp_c > 0 else memory.temp_sp_c
        memory = memory._replace(temp_sp_c=min(sp, memory.temp_sp_c) if memory.temp_sp_c > 0 else sp)
        return _moved(memory, Trigger.DONE, "atmosphere proven" if proven else "no heat in this phase")
    want = scan.proving
    if phase.atmosphere == "VACUUM":
        m = memory.reproof
        if m.cycles >= want.cycles:
            done = Step(*guard.vacuum(gas_only(Atmosphere.VACUUM, phase.pressure_mbar or 0.0), m, scan), waiting="vacuum proof (I5)")
        else:
            done = cycle_purge(want.purge_low_mbar, want.purge_high_mbar, want.cycles, m, scan)
    else:
        done = flow_purge(scan.max_n2_flow_nm3_h, want.purge_volumes, O2_SHARE * want.o2_pct, memory.reproof, scan)
    return memory._replace(reproof=done.memory, setpoints=done.setpoints), f"proving the atmosphere: {done.waiting}", ()


def _safe(memory: UnitMemory, scan: PhaseScan) -> Setpoints:
    """Return the set points of a unit that is stopping, has ended or was aborted: no heat, inert until cold, then everything off."""
    hottest, pressure = scan.process.hottest_c, scan.process.pressure_mbar
    low, full = SAFE_MBAR
    cold = not memory.was_heated or (hottest is not None and hottest < 60.0)
    if pressure is None:
        return gas_only(Atmosphere.HOLD_CLOSED)
    if pressure < low or (memory.setpoints.atmosphere is Atmosphere.BACKFILL and pressure < full):  # break the vacuum, with N2 only
        return gas_only(Atmosphere.BACKFILL, full, scan.max_n2_flow_nm3_h)
    if cold:
        return NOTHING
    return gas_only(Atmosphere.N2_FLOW, ATMOSPHERE_MBAR, COOL_FLOW_SHARE * scan.max_n2_flow_nm3_h)


def at_rest(memory: UnitMemory) -> bool:
    """Return whether an ended unit needs nothing any more: cold, inert, at ambient pressure, everything off."""
    return memory.setpoints.atmosphere is Atmosphere.OFF


def _safe_waiting(state: UnitState, scan: PhaseScan) -> str:
    hottest = scan.process.hottest_c
    if state in (UnitState.STOPPING, UnitState.ABORTING):
        return f"cooling in N2, hottest {'unknown' if hottest is None else f'{hottest:.0f} degC'}"
    return "RESET"


def _phase_note(memory: UnitMemory, event: str, why: str) -> Note:
    phase = current(memory)
    kind, name = (phase.kind, phase.name) if phase is not None else ("", "")
    return Note("phase", {"index": memory.phase_index, "kind": kind, "name": name, "event": event, "why": why})
