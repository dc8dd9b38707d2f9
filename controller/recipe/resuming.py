"""Power-fail recovery of the unit: notice that core or PLC were away, decide by ``recovery``, and go on when the interlocks let it.

An outage ends when core and PLC both answer. While it lasts, and until the decision, the unit is HELD without heat.
"""

from typing import Final

from controller.image import Estimate, Inputs, Process
from controller.recipe import standing
from controller.recipe.look import PhaseMemory
from controller.recipe.recovery import DECIDE_S, GOING_ON, Decision, Found, Recovery, decide
from controller.recipe.standing import Note, UnitMemory
from controller.recipe.states import TABLE, Trigger, UnitState

SETTLE_S: Final = 12.0  # after a start of the PLC, until fans, pump and valves show what they do; I15 has raised itself by then
GO_S: Final = 10.0  # beyond that, for the interlocks to clear
_GOING: Final = frozenset({UnitState.RUNNING, UnitState.RESTARTING})
WIRE: Final = "WIRE"
# PLC image lost, PLC in its safe state or not taking blocks; pump, fans and valves that a PLC without power has dropped.
OUTAGE_ROWS: Final = frozenset({"I27", "I27T", "I28", "I28E", "I14", "I14S", "I15", "C1V", "C1N", "C1A", "C1E"})
NONE: Final[frozenset[str]] = frozenset()


def answers(unit: UnitMemory) -> frozenset[str]:
    """Return the interlocks that a decided recovery acknowledges: those that an outage itself raises, none without a decision."""
    return OUTAGE_ROWS if unit.recovery is not None and unit.recovery.plan else NONE


def silent(unit: UnitMemory, estimate: Estimate, dt_s: float, unseen_s: float) -> UnitMemory:
    """Return the unit after one more scan without a PLC image; ``unseen_s`` is the age at which an image is taken for lost."""
    recovery = unit.recovery
    if recovery is not None and not recovery.plan:
        return unit._replace(recovery=recovery._replace(outage_s=recovery.outage_s + dt_s))
    if unit.state not in _GOING:
        return unit
    return unit._replace(recovery=_opened(unit, WIRE, estimate)._replace(outage_s=unseen_s))


def returned(
    unit: UnitMemory, by: str, outage_s: float, known: bool, before: Estimate | None, told: tuple[int, int] | None = None
) -> tuple[UnitMemory, tuple[Note, ...]]:
    """Return the unit after ``by`` (CORE or PLC) came back from ``outage_s`` without power: HELD without heat, the decision pending.

    ``told`` is epoch and highest counter of a block that the journal accounts for. Unchanged where no batch was going on.
    """
    if (unit.state, Trigger.POWER) not in TABLE:
        return unit, ()
    recovery = unit.recovery
    if recovery is None or recovery.plan:
        recovery = _opened(unit, by, before)
    who = by if recovery.by in (by, WIRE) else "BOTH"
    recovery = recovery._replace(by=who, outage_s=recovery.outage_s + outage_s, known=recovery.known and known, waited_s=0.0,
                                 told=told or recovery.told)  # fmt: skip
    name = "core" if by == "CORE" else "PLC"
    length = f"after {recovery.outage_s:.0f} s" if recovery.known else "after an unknown time"
    unit, notes = standing.move(unit, Trigger.POWER, f"{name} restarted {length}")
    wanted = unit.setpoints._replace(heat=False, temp_c=standing.stood_c(unit))
    return unit._replace(recovery=recovery, power_lost=True, setpoints=wanted), notes


def step(
    unit: UnitMemory, inputs: Inputs, process: Process, estimate: Estimate, proven: bool, leak_ok: bool, held_by: str
) -> tuple[UnitMemory, tuple[Note, ...]]:
    """Return the unit after one more scan with an outage in its memory, and notes for the journal.

    Args:
        unit: with a ``recovery``.
        inputs: PV.
        process: conditioned PVs.
        estimate: what is believed of the product, carried over the outage.
        proven: the atmosphere is proven (I5).
        leak_ok: the leak test still counts.
        held_by: the interlocks that hold the batch, "" when none does.
    """
    recovery, batch = unit.recovery, unit.batch
    if recovery is None or inputs.plc_boot_id.value is None:
        return unit, ()
    if recovery.by == WIRE:  # nobody was without power: what the interlocks made of the silence stands
        return unit._replace(recovery=None), ()
    if unit.state is not UnitState.HELD or batch is None or standing.current(unit) is None:
        return unit, ()
    waited_s = recovery.waited_s + inputs.dt_s
    beyond = recovery.unwritten or unwritten(recovery.told, inputs)  # the first image shows it, before a block of this start is followed
    recovery = recovery._replace(waited_s=waited_s, unwritten=beyond)
    unit = unit._replace(recovery=recovery)
    if recovery.plan:
        return _go(unit, recovery, held_by)
    if process.temp_c is None and waited_s < DECIDE_S:
        return unit, ()
    decision = decide(recovery, batch.recipe, unit.phase_index, Found(process.temp_c, estimate, leak_ok))
    note = _told(unit, recovery, decision, process, estimate, proven)
    if decision.plan == "RESET":
        unit, moved = standing.move(unit, Trigger.STOP, f"power-fail recovery: {decision.why}")
        return unit, (note, *moved)
    if decision.plan not in GOING_ON:
        return unit._replace(recovery=None), (note,)
    return unit._replace(recovery=recovery._replace(plan=decision.plan, waited_s=0.0)), (note,)


def unwritten(told: tuple[int, int] | None, inputs: Inputs) -> int:
    """Return how many blocks beyond those that the journal accounts for the PLC has followed."""
    counter = inputs.echo_counter.value
    if told is None or counter is None or inputs.echo_epoch.value != told[0]:
        return 0
    beyond = (counter - told[1]) & 0xFFFF_FFFF
    return beyond if beyond < 0x8000_0000 else 0


def _go(unit: UnitMemory, recovery: Recovery, held_by: str) -> tuple[UnitMemory, tuple[Note, ...]]:
    """Restart as decided once the PLC's actuators have settled and no interlock holds the batch; give up ``GO_S`` later."""
    settle_s = 0.0 if recovery.by == "CORE" else SETTLE_S
    if recovery.waited_s < settle_s or (held_by and recovery.waited_s < settle_s + GO_S):
        return unit, ()
    if held_by:
        note = Note("decision", {"what": "power-fail recovery", "plan": "HOLD", "rule": "R9", "why": f"held by {held_by}"})
        return unit._replace(recovery=None), (note,)
    unit, notes = standing.move(unit, Trigger.RESTART, f"power-fail recovery: {recovery.plan}")
    phase = PhaseMemory() if recovery.plan == "RESTART_SEGMENT" else unit.phase
    return unit._replace(recovery=recovery, phase=phase), notes


def _opened(unit: UnitMemory, by: str, estimate: Estimate | None) -> Recovery:
    """Return the outage as it begins: the unit, its set point and the belief as they stood."""
    before = unit.recovery
    was = "RUNNING" if unit.state in _GOING else unit.state.name
    sp_c = before.sp_c if before is not None else unit.temp_sp_c
    solvent = None if estimate is None else estimate.residual_solvent.value
    insoluble = None if estimate is None else estimate.insoluble.value
    return Recovery(by, was, sp_c=sp_c, solvent=solvent, insoluble=insoluble)


def _told(unit: UnitMemory, recovery: Recovery, decision: Decision, process: Process, estimate: Estimate, proven: bool) -> Note:
    phase = standing.current(unit)
    return Note("decision", {
        "what": "power-fail recovery", "why": decision.why, "rule": decision.rule, "asked": decision.asked, "plan": decision.plan,
        "away": recovery.by, "outage_s": round(recovery.outage_s, 1) if recovery.known else None, "length": decision.length,
        "phase": "" if phase is None else phase.kind, "temp_c": process.temp_c, "sp_c": recovery.sp_c,
        "pressure_mbar": process.pressure_mbar,
        "residual_wt_pct": [_pct(recovery.solvent), _pct(estimate.residual_solvent.value)],
        "insoluble_pct": [_pct(recovery.insoluble), _pct(estimate.insoluble.value)],
        "blister": estimate.blister, "estimate": "valid" if estimate.valid else estimate.why_invalid,
        "atmosphere": "proven" if proven else "to be proven again before heat (I5)",
    })  # fmt: skip


def _pct(fraction: float | None) -> float | None:
    return None if fraction is None else round(100.0 * fraction, 3)
