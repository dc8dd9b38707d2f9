"""The batch in the unit: which phase runs, what the unit's state makes of it, and the set points that follow."""

from typing import Final

from controller.recipe import flow, guard, holding, isolation, resting, tightness
from controller.recipe.flow import Leak, Way
from controller.recipe.look import PhaseMemory, PhaseScan, Step
from controller.recipe.model import Operator, Phase, ThermalPhase
from controller.recipe.pausing import allowed
from controller.recipe.phases import run, timeout_rule
from controller.recipe.standing import Note, UnitMemory, current, move, moved, phase_note
from controller.recipe.states import Trigger, UnitState

RESUME_LEAD_C: Final = 2.0  # set point above the oven when a suspended sequence goes on [assume]
_RUNNING: Final = UnitState.RUNNING  # through its class a member costs 0.1 us (Python 3.11), and this one is looked at in every scan


def step(memory: UnitMemory, scan: PhaseScan, proven: bool, suspended: str) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    """Return the unit after this scan (its set points are in the memory), what it waits for, and notes for the journal.

    Args:
        memory: where the unit stood.
        scan: what a phase may look at.
        proven: the atmosphere is proven (I5), which a restart waits for.
        suspended: what suspends the sequence, "" when nothing does.
    """
    memory, waiting, notes = _stepped(memory, scan, proven, suspended)
    isolated = memory.state is _RUNNING and memory.phase.isolated_s > 0.0
    if isolated or memory.rises.runs or memory.rises.blind:
        memory = memory._replace(rises=tightness.step(memory.rises, isolated, scan))
    return memory, waiting, notes


def _stepped(memory: UnitMemory, scan: PhaseScan, proven: bool, suspended: str) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    state, state_s = memory.state, memory.state_s + scan.dt_s
    if state is _RUNNING:
        return _running(memory, state_s, scan, suspended)
    memory = memory._replace(state_s=state_s, leak_ok=None)  # a leak test that was over is told once, and not again to an opened chamber
    if state is UnitState.RESTARTING:
        return holding.restarting(memory, scan, proven)
    if state in (UnitState.HOLDING, UnitState.HELD):
        return holding.held(memory, scan)
    return resting.step(memory, scan)


def _running(memory: UnitMemory, state_s: float, scan: PhaseScan, suspended: str) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    phase = current(memory)
    if phase is None:
        return moved(memory, Trigger.DONE, "end of recipe")
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
        then = _next(memory, done, scan)
        if then[2]:
            return _with(seen, then)
        done = done._replace(waiting=then[1])  # a branch behind the phase has no result yet; the timeout runs on
    if done.failed:
        return memory, done.waiting, (*seen, Note("decision", {"what": f"{phase.kind} failed", "why": done.why, "rule": done.failed}))
    timeout_s = getattr(phase, "timeout_min", 0.0) * 60.0
    if timeout_s and memory.phase.elapsed_s >= timeout_s:
        return _with(seen, _timed_out(memory, phase, done, scan))
    if done.passed:
        return _with(seen, _limited(memory, phase, done, scan, "timeout", done.passed, getattr(phase, "on_timeout", "HOLD")))
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


def _with(seen: tuple[Note, ...], then: tuple[UnitMemory, str, tuple[Note, ...]]) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    memory, waiting, notes = then
    return memory, waiting, (*seen, *notes) if seen else notes


def _seen(phase: Phase, before: PhaseMemory, done: Step, scan: PhaseScan) -> tuple[Note, ...]:
    """Return the journal's notes of an isolation or of the guard that began or ended in this scan, and of what a person is asked."""
    after = done.memory
    if (before.isolated_s > 0) is (after.isolated_s > 0) and before.guarded is after.guarded and before.asked == after.asked:
        return ()
    notes = []
    if before.asked != after.asked and isinstance(phase, Operator):
        notes.append(Note("decision", {"what": "question", "why": f"the recipe asks: {after.asked}", "entry": phase.entry,
                                       "allowed": allowed(phase, scan.roll_ids)}))  # fmt: skip
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
    timeout_s = getattr(phase, "timeout_min", 0.0) * 60.0  # END and BRANCH have none
    if timeout_s and memory.phase.elapsed_s >= timeout_s:
        return _timed_out(memory, phase, Step(memory.phase, memory.setpoints, waiting=waiting), scan)
    return memory, waiting, ()


def _next(memory: UnitMemory, done: Step, scan: PhaseScan, timed_out: bool = False) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    """Go on to the next phase, the way that branches after this one decide; while one has no result this phase goes on."""
    phase, batch = current(memory), memory.batch
    answer = memory.phase.answer if isinstance(phase, Operator) else memory.results.answer  # one that was not given is not an older one
    results = memory.results._replace(timed_out=timed_out, answer=answer)
    way = Way(memory.phase_index + 1)
    if batch is not None:  # a CURE that is done waits in its heat for nothing
        forced = timed_out or (phase is not None and phase.kind == "CURE")
        way = flow.onward(batch.recipe, memory.phase_index, results, scan.estimate, batch.started_at_s, forced=forced)
    if way.place is None:
        return memory, f"done, but {way.why}", ()
    ended = phase_note(memory, "end", done.why)
    notes: tuple[Note, ...] = (ended,)
    if phase is not None and phase.kind == "CURE":
        notes = (Note("decision", {"what": "CURE ended", "why": done.why}), ended)
        memory = memory._replace(endpoint_at_s=scan.inputs.at_s if done.why == "endpoint" else None)  # the last CURE's
    notes = (*notes, *(Note("decision", {"what": "branch", "why": why}) for why in way.told))
    memory = memory._replace(phase_index=way.place, phase=PhaseMemory(), timeout="", results=results)
    if current(memory) is None:
        memory, told = move(memory, Trigger.DONE, "end of recipe")
        return memory, "", (*notes, *told)
    return memory, "", (*notes, phase_note(memory, "start", ""))


def _timed_out(memory: UnitMemory, phase: Phase, done: Step, scan: PhaseScan) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    why = f"not done after {memory.phase.elapsed_s / 60:.0f} min ({done.waiting})"
    return _limited(memory, phase, done, scan, "timeout", why, getattr(phase, "on_timeout", "HOLD"))


def _limited(memory: UnitMemory, phase: Phase, done: Step, scan: PhaseScan, limit: str, why: str, action: str
             ) -> tuple[UnitMemory, str, tuple[Note, ...]]:  # fmt: skip
    """Do what the recipe says for a phase that has come to a ``limit`` (timeout, holdback), or can come to no end before it."""
    why = f"{phase.kind} {why}; on_{limit} = {action}"
    note = Note("decision", {"what": limit, "why": why})
    if action == "CONTINUE":
        memory, waiting, notes = _next(memory, done._replace(why=why), scan, timed_out=True)
        return memory, waiting, (note, *notes)
    if action in ("STOP", "ABORT"):
        memory, told = move(memory, Trigger(action), why)
        return memory, "", (note, *told)
    # HOLD through the interlock table, so that it is an alarm too; a restart gives the phase its time again.
    rested = memory.phase._replace(elapsed_s=0.0, held_s=0.0, passed_s=0.0)
    return memory._replace(timeout=timeout_rule(phase), phase=rested), done.waiting, (note,)
