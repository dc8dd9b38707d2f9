"""A batch that is held, and the way back: what HELD keeps and gives up, and the proof of the atmosphere that a restart makes first."""

from typing import Final

from controller.image import Atmosphere
from controller.recipe import guard, isolation, leaving
from controller.recipe.cold import cycle_purge, flow_purge
from controller.recipe.look import FILLED_MBAR, NO_MEMORY, PhaseScan, Step, gas_only
from controller.recipe.model import CyclePurge, LeakTest, Phase, ThermalPhase, Vent
from controller.recipe.recovery import PURGES, hot, objection, proves_for, set_point_c, untested
from controller.recipe.standing import Manual, Note, UnitMemory, current, moved, stood_c
from controller.recipe.states import Trigger, UnitState

HOLD_HEAT_S: Final = 900.0  # T_hold: how long a held batch may stay hot before it is cooled
RESTART_LIMIT_S: Final = 7200.0  # for proving the atmosphere again [assume]
O2_SHARE: Final = 0.5  # of the O2 that proves the inert path, to which a purge goes on
MANUAL_LAG_C: Final = 5.0  # a manual set point goes no further below the zones: they follow only slowly, and I23 watches


def held(memory: UnitMemory, scan: PhaseScan) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    """Take over where the phase stood, then keep it: heat for ``HOLD_HEAT_S`` at most, no gas that would break what the phase needs."""
    before, kept = isolation.opened(memory.setpoints, memory.phase)
    if kept is not memory.phase:
        memory = memory._replace(phase=kept, setpoints=before)
    zones = scan.process.temp_c
    if memory.state is UnitState.HOLDING:  # one scan: take over where the phase stood
        stood = stood_c(memory)
        capped = min(stood, zones) if zones is not None else stood
        memory = memory._replace(setpoints=before._replace(temp_c=capped, rate_c_per_min=0.0), temp_sp_c=capped)
        return moved(memory, Trigger.DONE, memory.cause)
    past = leaving.ways_out(memory, scan.estimate)
    if before.heat and (past or memory.state_s > HOLD_HEAT_S):
        why = f"{'past its window' if past else f'held for {HOLD_HEAT_S / 60:g} min'}: heat off, controlled cool-down"
        memory = memory._replace(setpoints=before._replace(heat=False))
        return memory, why, (Note("decision", {"what": "hold limit", "why": why}),)
    if memory.manual is not None and before.heat:
        sp_c = _toward(memory.manual, before.temp_c, zones, scan)
        memory = memory._replace(setpoints=before._replace(temp_c=sp_c, rate_c_per_min=memory.manual.rate_c_per_min), temp_sp_c=sp_c)
    elif _undrawn(memory, scan):
        wanted = gas_only(Atmosphere.BACKFILL, FILLED_MBAR, scan.max_n2_flow_nm3_h)
        memory = memory._replace(setpoints=wanted._replace(temp_c=before.temp_c))
    elif before.atmosphere in (Atmosphere.BACKFILL, Atmosphere.VENT, Atmosphere.SWEEP, Atmosphere.OFF):
        memory = memory._replace(setpoints=gas_only(Atmosphere.HOLD_CLOSED)._replace(temp_c=before.temp_c))
    pending = memory.recovery is not None and not memory.recovery.plan
    if pending and not before.heat and zones is not None:
        # Nobody heats: what the oven has now it may not exceed (I23). Where a restart goes on stands in ``temp_sp_c`` and ``recovery``.
        memory = memory._replace(setpoints=memory.setpoints._replace(temp_c=max(memory.setpoints.temp_c, zones)))
    return memory, past or "RESTART, STOP or ABORT", ()


def _undrawn(memory: UnitMemory, scan: PhaseScan) -> bool:
    """Return whether a restart is held on its way between N2 and a vacuum that nobody has drawn yet, and that could be lost (I6).

    It is filled up again: N2 that stands at nearly ambient pressure is watched by its O2, and a leak has nothing that drives it. Pumped on,
    a leak that the pump does not master would let in air that nothing shows.
    """
    on_its_way = memory.reproves and memory.setpoints.atmosphere in (Atmosphere.VACUUM, Atmosphere.BACKFILL)
    return on_its_way and not scan.drawn and not scan.n2_gone


def _toward(manual: Manual, sp_c: float, zones_c: float | None, scan: PhaseScan) -> float:
    """Return the next manual set point, degC: at its rate; upwards as the guard lets a ramp, downwards as the zones can follow."""
    step_c = manual.rate_c_per_min / 60.0 * scan.dt_s
    if sp_c < manual.temp_c:
        return min(sp_c + guard.rate_share(scan) * step_c, manual.temp_c)
    lowest_c = manual.temp_c if zones_c is None else max(manual.temp_c, zones_c - MANUAL_LAG_C)
    return min(sp_c, max(sp_c - step_c, lowest_c))


def restarting(memory: UnitMemory, scan: PhaseScan, proven: bool) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    """Prove the atmosphere again where the phase needs it, then go back to the phase with the set point at the oven's temperature."""
    phase = current(memory)
    if isinstance(phase, LeakTest | CyclePurge):  # a rise over a break says nothing
        memory = memory._replace(phase=NO_MEMORY)
    if memory.state_s > RESTART_LIMIT_S:
        return moved(memory, Trigger.HOLD, f"atmosphere not proven in {RESTART_LIMIT_S / 60:.0f} min; STOP, or find why (I5)")
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
    loose = untested(memory.batch.recipe, memory.phase_index, scan.leak_ok) if memory.batch is not None else ""
    if done.failed or loose:
        return moved(memory, Trigger.HOLD, f"the atmosphere cannot be proven: {done.why if done.failed else scan.aired or loose}")
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
            memory, waiting, notes = moved(memory, Trigger.HOLD, f"power-fail recovery: {against}")
            return memory, waiting, (note, *notes)
    if phase is not None and memory.power_lost and phase.kind in PURGES:
        memory = memory._replace(phase=NO_MEMORY)
    if phase is not None:
        memory = memory._replace(temp_sp_c=set_point_c(memory.recovery, phase, scan.process.temp_c, memory.temp_sp_c))
    return moved(memory, Trigger.DONE, f"{why}; power-fail recovery: {plan}" if plan else why)
