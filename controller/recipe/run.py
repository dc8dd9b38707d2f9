"""The batch in the unit: which phase runs, what the unit's state makes of it, and the set points that follow.

Safe states are not "all off": a hot chamber with solvent vapour needs inerting, exhaust and circulation, so every state that may follow
heat keeps them (see ``_safe``).
"""

from typing import Final, NamedTuple

from controller.image import Atmosphere, Setpoints
from controller.recipe import flow, guard, isolation
from controller.recipe.approval import Approval
from controller.recipe.cold import cycle_purge, flow_purge
from controller.recipe.editing import Edit
from controller.recipe.flow import Leak, Results, Way
from controller.recipe.look import PhaseMemory, PhaseScan, Step, gas_only
from controller.recipe.model import LeakTest, LoadRecord, Phase, Recipe, ThermalPhase, Vent
from controller.recipe.phases import run, timeout_rule
from controller.recipe.recovery import PURGES, Recovery, hot, objection, proves_for, set_point_c
from controller.recipe.states import TABLE, Trigger, UnitState
from controller.units import ATMOSPHERE_MBAR

HOLD_HEAT_S: Final = 900.0  # T_hold: how long a held batch may stay hot before it is cooled
RESTART_LIMIT_S: Final = 7200.0  # for proving the atmosphere again [assume]
RESUME_LEAD_C: Final = 2.0  # set point above the oven when a suspended sequence goes on [assume]
SAFE_MBAR: Final = (993.0, 1008.0)  # a chamber at rest: filled with N2 below the first, up to the second, so that the door can be released
COLD_C: Final = 60.0  # below it a load needs no N2 any more
INERT_FLOW_SHARE: Final = 0.1  # of the N2 controller's full scale, while an ended unit is kept inert
COOL_FLOW_SHARE: Final = 0.5  # of the N2 controller's full scale, while cooling in a safe state
O2_SHARE: Final = 0.5  # of the O2 that proves the inert path, to which a purge goes on
MANUAL_LAG_C: Final = 5.0  # a manual set point goes no further below the zones: they follow only slowly, and I23 watches
_DECIDED: Final = (Trigger.RESTART, Trigger.STOP, Trigger.ABORT, Trigger.RESET)  # what ends a pending recovery
NOTHING: Final = gas_only(Atmosphere.OFF)
_RUNNING: Final = UnitState.RUNNING  # through its class a member costs 0.1 us (Python 3.11), and this one is looked at in every scan


class Batch(NamedTuple):
    """What is being made: fixed when it starts."""

    id: int
    recipe: Recipe
    recipe_sha256: str
    load: LoadRecord
    user: str
    started_at_s: float
    master_sha256: str = ""  # of the recipe as it was started; "" while nobody has edited the control recipe
    text: str = ""  # of the recipe as it was approved, with those it calls
    approval: Approval | None = None
    edits: tuple[Edit, ...] = ()  # since it was started, oldest first: they lead from the master to the control recipe


class Manual(NamedTuple):
    """A set point that a person gave while the batch is held, and the rate at which it is gone to."""

    temp_c: float
    rate_c_per_min: float


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
    recovery: Recovery | None = None  # an outage whose recovery is not over yet
    power_lost: bool = False  # since the phase last ran: nobody watched the chamber
    manual: Manual | None = None  # set point that a person gave while HELD
    results: Results = Results()  # of this batch so far, for its branches
    leaks: tuple[Leak, ...] = ()  # the last leak rates, of earlier batches too
    kept_inert: bool = False  # ended, cold, and N2 flows on until RESET
    leak_grows: str = ""  # why the last leak rate is unusual


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
    if after is not UnitState.HELD:
        memory = memory._replace(manual=None)
    if after is UnitState.RUNNING:
        memory = memory._replace(recovery=None, power_lost=False)
    elif memory.recovery is not None and (trigger in _DECIDED or (trigger is Trigger.HOLD and memory.recovery.plan)):
        memory = memory._replace(recovery=None)
    if after is UnitState.IDLE:
        memory = UnitMemory(leaks=memory.leaks)
    return memory, (note,)


def begin(memory: UnitMemory, batch: Batch) -> tuple[UnitMemory, tuple[Note, ...]]:
    """Return the unit with ``batch`` in its first phase."""
    memory, notes = move(memory, Trigger.START, f"started by {batch.user}")
    memory = memory._replace(
        batch=batch,
        phase_index=0,
        phase=PhaseMemory(),
        temp_sp_c=0.0,
        was_heated=False,
        ending="",
        endpoint_at_s=None,
        results=Results(),
        kept_inert=False,
    )
    return memory, (*notes, _phase_note(memory, "start", ""))


def go_to(memory: UnitMemory, index: int, why: str) -> tuple[UnitMemory, tuple[Note, ...]]:
    """Return the unit at the beginning of phase ``index``, because a person said so."""
    ended = _phase_note(memory, "end", why)
    held = memory.state is UnitState.HELD  # on the set points of the phase before; without heat, which its interlocks no longer watch
    wanted = memory.setpoints._replace(heat=False) if held else memory.setpoints
    memory = memory._replace(phase_index=index, phase=PhaseMemory(), timeout="", failed="", setpoints=wanted, manual=None)
    return memory, (ended, _phase_note(memory, "start", why))


def step(memory: UnitMemory, scan: PhaseScan, proven: bool, suspended: str) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    """Return the unit after this scan (its set points are in the memory), what it waits for, and notes for the journal.

    Args:
        memory: where the unit stood.
        scan: what a phase may look at.
        proven: the atmosphere is proven (I5), which a restart waits for.
        suspended: what suspends the sequence, "" when nothing does.
    """
    state, state_s = memory.state, memory.state_s + scan.dt_s
    if state is _RUNNING:
        return _running(memory, state_s, scan, suspended)
    memory = memory._replace(state_s=state_s)
    if state is UnitState.RESTARTING:
        return _restarting(memory, scan, proven)
    if state in (UnitState.HOLDING, UnitState.HELD):
        return _held(memory, scan)
    if state is UnitState.IDLE:
        return memory._replace(setpoints=NOTHING._replace(door_release=True)), "", ()
    if state is UnitState.COMPLETE:
        return _complete(memory, scan), "", ()
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


def _running(memory: UnitMemory, state_s: float, scan: PhaseScan, suspended: str) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    phase = current(memory)
    if phase is None:
        return _moved(memory, Trigger.DONE, "end of recipe")
    if suspended:
        return _suspended(memory._replace(state_s=state_s), phase, scan, suspended)
    done = run(phase, memory.phase, scan)
    wanted, seen = done.setpoints, _seen(phase, memory.phase, done, scan)
    memory = memory._replace(
        state_s=state_s,
        phase=done.memory._replace(elapsed_s=done.memory.elapsed_s + scan.dt_s),
        setpoints=wanted,
        temp_sp_c=wanted.temp_c if isinstance(phase, ThermalPhase) else memory.temp_sp_c,
        was_heated=memory.was_heated or wanted.heat,
        failed=done.failed,
        leak_ok=done.leak_ok,
    )
    if done.leak_mbar_h is not None:
        memory, leaked = _leaked(memory, done.leak_mbar_h, done.leak_ok is False, scan.inputs.at_s)
        seen = (*seen, *leaked)
    if done.done:
        moved = _next(memory, done, scan)
        if moved[2]:
            return _with(seen, moved)
        done = done._replace(waiting=moved[1])  # a branch behind the phase has no result yet; the timeout runs on
    if done.failed:
        return memory, done.waiting, (*seen, Note("decision", {"what": f"{phase.kind} failed", "why": done.why, "rule": done.failed}))
    timeout_s = getattr(phase, "timeout_min", 0.0) * 60.0
    if timeout_s and memory.phase.elapsed_s >= timeout_s:
        return _with(seen, _timed_out(memory, phase, done, scan))
    if done.late:
        return _with(seen, _limited(memory, phase, done, scan, "holdback", done.late, getattr(phase, "on_holdback", "HOLD")))
    return memory, done.waiting, seen


def _leaked(memory: UnitMemory, rate_mbar_h: float, failed: bool, at_s: float) -> tuple[UnitMemory, tuple[Note, ...]]:
    """Return the unit with a leak test's result beside the earlier ones, and a note when the rate grows."""
    batch = memory.batch
    leaks = (*memory.leaks, Leak(at_s, rate_mbar_h, 0 if batch is None else batch.id))[-flow.LEAKS_KEPT :]
    why, said = flow.growing(leaks), [round(leak.rate_mbar_h, 3) for leak in leaks]
    results = memory.results._replace(leak_failed=failed, leak_mbar_h=rate_mbar_h)
    note = Note("decision", {"what": "leak trend", "why": why or f"leak rate {rate_mbar_h:.2f} mbar/h, as usual", "rates_mbar_h": said})
    return memory._replace(leaks=leaks, leak_grows=why, results=results), (note,)


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
        return _timed_out(memory, phase, Step(memory.phase, memory.setpoints, waiting=waiting), scan)
    return memory, waiting, ()


def _next(memory: UnitMemory, done: Step, scan: PhaseScan, timed_out: bool = False) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    """Go on to the next phase, the way that branches after this one decide; while one has no result this phase goes on."""
    phase, batch = current(memory), memory.batch
    answer = memory.results.answer if memory.phase.answer is None else memory.phase.answer
    results = memory.results._replace(timed_out=timed_out, answer=answer)
    way = Way(memory.phase_index + 1)
    if batch is not None:
        way = flow.onward(batch.recipe, memory.phase_index, results, scan.estimate, batch.started_at_s, forced=timed_out)
    if way.place is None:
        return memory, f"done, but {way.why}", ()
    ended = _phase_note(memory, "end", done.why)
    notes: tuple[Note, ...] = (ended,)
    if phase is not None and phase.kind == "CURE":
        notes = (Note("decision", {"what": "CURE ended", "why": done.why}), ended)
        memory = memory._replace(endpoint_at_s=scan.inputs.at_s if done.why == "endpoint" else memory.endpoint_at_s)
    notes = (*notes, *(Note("decision", {"what": "branch", "why": why}) for why in way.told))
    memory = memory._replace(phase_index=way.place, phase=PhaseMemory(), timeout="", results=results)
    if current(memory) is None:
        memory, moved = move(memory, Trigger.DONE, "end of recipe")
        return memory, "", (*notes, *moved)
    return memory, "", (*notes, _phase_note(memory, "start", ""))


def _timed_out(memory: UnitMemory, phase: Phase, done: Step, scan: PhaseScan) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    why = f"not done after {memory.phase.elapsed_s / 60:.0f} min ({done.waiting})"
    return _limited(memory, phase, done, scan, "timeout", why, getattr(phase, "on_timeout", "HOLD"))


def _limited(memory: UnitMemory, phase: Phase, done: Step, scan: PhaseScan, limit: str, why: str, action: str
             ) -> tuple[UnitMemory, str, tuple[Note, ...]]:  # fmt: skip
    """Do what the recipe says for a phase that has come to a ``limit`` (timeout, holdback)."""
    why = f"{phase.kind} {why}; on_{limit} = {action}"
    note = Note("decision", {"what": limit, "why": why})
    if action == "CONTINUE":
        memory, waiting, notes = _next(memory, done._replace(why=why), scan, timed_out=True)
        return memory, waiting, (note, *notes)
    if action in ("STOP", "ABORT"):
        memory, moved = move(memory, Trigger(action), why)
        return memory, "", (note, *moved)
    # HOLD through the interlock table, so that it is an alarm too; a restart gives the phase its time again.
    rested = memory.phase._replace(elapsed_s=0.0, held_s=0.0)
    return memory._replace(timeout=timeout_rule(phase), phase=rested), done.waiting, (note,)


def stood_c(memory: UnitMemory) -> float:
    """Return the set point at which the unit stood, degC; while the atmosphere is proven there is none, then where the ramp stood."""
    return memory.setpoints.temp_c if memory.setpoints.temp_c > 0 else memory.temp_sp_c


def _held(memory: UnitMemory, scan: PhaseScan) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    before, kept = isolation.opened(memory.setpoints, memory.phase)
    if kept is not memory.phase:
        memory = memory._replace(phase=kept, setpoints=before)
    zones = scan.process.temp_c
    if memory.state is UnitState.HOLDING:  # one scan: take over where the phase stood
        stood = stood_c(memory)
        capped = min(stood, zones) if zones is not None else stood
        memory = memory._replace(setpoints=before._replace(temp_c=capped, rate_c_per_min=0.0), temp_sp_c=capped)
        return _moved(memory, Trigger.DONE, memory.cause)
    if before.heat and memory.state_s > HOLD_HEAT_S:
        why = f"held for {HOLD_HEAT_S / 60:.0f} min: heat off, controlled cool-down"
        memory = memory._replace(setpoints=before._replace(heat=False))
        return memory, why, (Note("decision", {"what": "hold limit", "why": why}),)
    if memory.manual is not None and before.heat:
        sp_c = _toward(memory.manual, before.temp_c, zones, scan.dt_s)
        memory = memory._replace(setpoints=before._replace(temp_c=sp_c, rate_c_per_min=memory.manual.rate_c_per_min), temp_sp_c=sp_c)
    elif before.atmosphere in (Atmosphere.BACKFILL, Atmosphere.VENT, Atmosphere.OFF):
        memory = memory._replace(setpoints=gas_only(Atmosphere.HOLD_CLOSED)._replace(temp_c=before.temp_c))
    pending = memory.recovery is not None and not memory.recovery.plan
    if pending and not before.heat and zones is not None and memory.setpoints.temp_c < zones:
        # Nobody heats: what the oven has now it may not exceed (I23). Where a restart goes on stands in ``temp_sp_c`` and ``recovery``.
        memory = memory._replace(setpoints=memory.setpoints._replace(temp_c=zones))
    return memory, "RESTART, STOP or ABORT", ()


def _toward(manual: Manual, sp_c: float, zones_c: float | None, dt_s: float) -> float:
    """Return the next manual set point, degC: at its rate, and downwards never further below the zones than they can follow."""
    step_c = manual.rate_c_per_min / 60.0 * dt_s
    if sp_c < manual.temp_c:
        return min(sp_c + step_c, manual.temp_c)
    lowest_c = manual.temp_c if zones_c is None else max(manual.temp_c, zones_c - MANUAL_LAG_C)
    return min(sp_c, max(sp_c - step_c, lowest_c))


def _restarting(memory: UnitMemory, scan: PhaseScan, proven: bool) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    """Prove the atmosphere again where the phase needs it, then go back to the phase with the set point at the oven's temperature."""
    phase = current(memory)
    if isinstance(phase, LeakTest):  # a rise over a break says nothing
        memory = memory._replace(phase=PhaseMemory())
    if memory.state_s > RESTART_LIMIT_S:
        return _moved(memory, Trigger.HOLD, f"atmosphere not proven in {RESTART_LIMIT_S / 60:.0f} min; STOP, or find why (I5)")
    if memory.power_lost and isinstance(phase, Vent) and memory.reproof.volumes < scan.proving.purge_volumes:
        done = flow_purge(scan.max_n2_flow_nm3_h, scan.proving.purge_volumes, O2_SHARE * scan.proving.o2_pct, memory.reproof, scan)
        return memory._replace(reproof=done.memory, setpoints=done.setpoints), f"N2 again before air (I19): {done.waiting}", ()
    needs = _needs(memory, phase)
    if needs is None or proven:
        return _resumed(memory, scan, "atmosphere proven" if proven else "no heat in this phase")
    want = scan.proving
    if needs.atmosphere == "VACUUM":
        m = memory.reproof
        if m.cycles >= want.cycles:
            done = Step(*guard.vacuum(gas_only(Atmosphere.VACUUM, needs.pressure_mbar or 0.0), m, scan), waiting="vacuum proof (I5)")
        else:
            done = cycle_purge(want.purge_low_mbar, want.purge_high_mbar, want.cycles, m, scan)
    else:
        done = flow_purge(scan.max_n2_flow_nm3_h, want.purge_volumes, O2_SHARE * want.o2_pct, memory.reproof, scan)
    return memory._replace(reproof=done.memory, setpoints=done.setpoints), f"proving the atmosphere: {done.waiting}", ()


def _needs(memory: UnitMemory, phase: Phase | None) -> ThermalPhase | None:
    """Return the phase whose atmosphere a restart must prove first; after a power failure one without heat needs it for the next with."""
    if memory.power_lost and memory.batch is not None:
        return proves_for(memory.batch.recipe, memory.phase_index)
    return phase if isinstance(phase, ThermalPhase) and hot(phase) else None


def _resumed(memory: UnitMemory, scan: PhaseScan, why: str) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    """Go back to the phase; after an outage only if the product is still what the recipe allows, and what was counted begins anew."""
    phase, batch, plan = current(memory), memory.batch, "" if memory.recovery is None else memory.recovery.plan
    if plan and batch is not None and any(hot(one) for one in batch.recipe.phase[memory.phase_index :]):
        rule, against = objection(batch.recipe, scan.estimate)
        if against:
            note = Note("decision", {"what": "power-fail recovery", "plan": "HOLD", "rule": rule, "why": against})
            memory, waiting, notes = _moved(memory, Trigger.HOLD, f"power-fail recovery: {against}")
            return memory, waiting, (note, *notes)
    if phase is not None and memory.power_lost and phase.kind in PURGES:
        memory = memory._replace(phase=PhaseMemory())
    if phase is not None:
        memory = memory._replace(temp_sp_c=set_point_c(memory.recovery, phase, scan.process.temp_c, memory.temp_sp_c))
    return _moved(memory, Trigger.DONE, f"{why}; power-fail recovery: {plan}" if plan else why)


def _safe(memory: UnitMemory, scan: PhaseScan) -> Setpoints:
    """Return the set points of a unit that is stopping, has ended or was aborted: no heat, inert until cold, then everything off."""
    hottest, pressure = scan.process.hottest_c, scan.process.pressure_mbar
    low, full = SAFE_MBAR
    cold = not memory.was_heated or (hottest is not None and hottest < COLD_C)
    if pressure is None:
        return gas_only(Atmosphere.HOLD_CLOSED)
    if pressure < low or (memory.setpoints.atmosphere is Atmosphere.BACKFILL and pressure < full):  # break the vacuum, with N2 only
        return gas_only(Atmosphere.BACKFILL, full, scan.max_n2_flow_nm3_h)
    if cold:
        return NOTHING
    return gas_only(Atmosphere.N2_FLOW, ATMOSPHERE_MBAR, COOL_FLOW_SHARE * scan.max_n2_flow_nm3_h)


def _complete(memory: UnitMemory, scan: PhaseScan) -> UnitMemory:
    """Return the unit that has ended as its recipe says: cooled with gas and off, kept inert, or off at once with the vacuum kept."""
    end = None if memory.batch is None else memory.batch.recipe.phase[-1]
    action, safe, hottest = getattr(end, "action", "COOL_GAS"), _safe(memory, scan), scan.process.hottest_c
    if action == "OFF" and (not memory.was_heated or (hottest is not None and hottest < COLD_C)):
        return memory._replace(setpoints=NOTHING)
    if action == "INERT" and safe.atmosphere is Atmosphere.OFF:
        kept = gas_only(Atmosphere.N2_FLOW, ATMOSPHERE_MBAR, INERT_FLOW_SHARE * scan.max_n2_flow_nm3_h)
        return memory._replace(setpoints=kept, kept_inert=True)
    return memory._replace(setpoints=safe._replace(door_release=True))


def at_rest(memory: UnitMemory) -> bool:
    """Return whether an ended unit may go to IDLE: cold, inert, at ambient pressure, and off unless the recipe's end keeps it inert."""
    return memory.setpoints.atmosphere is Atmosphere.OFF or memory.kept_inert


def _safe_waiting(state: UnitState, scan: PhaseScan) -> str:
    hottest = scan.process.hottest_c
    if state in (UnitState.STOPPING, UnitState.ABORTING):
        return f"cooling in N2, hottest {'unknown' if hottest is None else f'{hottest:.0f} degC'}"
    return "RESET"


def _phase_note(memory: UnitMemory, event: str, why: str) -> Note:
    phase = current(memory)
    kind, name = (phase.kind, phase.name) if phase is not None else ("", "")
    if phase is not None and phase.turn:
        name = phase.title  # names the turn of its REPEAT
    return Note("phase", {"index": memory.phase_index, "kind": kind, "name": name, "event": event, "why": why})
