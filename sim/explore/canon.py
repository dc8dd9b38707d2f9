"""One memory for all that behave alike: timers in buckets, belief and loops forgotten, journal texts left out.

What is left out either has no say in permissions and states (texts, loops, trends, outputs that no scan reads again) or is given anew by
the next image. A timer keeps the side of its limit on which it stands. Forgetting is an over-approximation of the oven, never of the rules:
those run unabridged. Three steps make memories equal that the rules cannot tell apart:

* **Boot ids** are only ever compared with one another, so the PLC's present one is always called ``BOOT_ID``; an older one is called 0.
* **Latched rows** act through their effects, and go by what clears them: RESET (MANUAL), an acknowledgement (OPERATOR), or a recovery that
  answers for its outage (``OUTAGE_ROWS``). Rows of one such class are replaced by all rows of it whose effects lie inside the effects they
  have together: the same effects, gone at the same event. Rows that others ask for by name stay themselves. An effect is left out where
  the state has nothing that it could change (``_matters``).
  In a batch that is held without heat and without a recovery to come, rows that an acknowledgement clears are none at all.
* **Of the loops** only whether the exhaust stood open is kept, which is what was written: without a pressure N2 flows on through it.
* **What will be counted anew before anybody asks** is forgotten: seconds below the proof pressure before the N2 cycles are complete (a
  cycle ends far above that pressure), a proof that another boot of the PLC or air has ended, a leak test that is not RUNNING (a restart
  begins it anew), the reset pulse while no heat is asked for (without it heat comes sooner, not later), the time in a state
  (what its limit does is done in the scan that passes it).

* **Set points** keep heat, gas and, where the next scan compares them (I23), the band of their temperature; the pressure up to which N2 is
  let in only says that it lies between vacuum and N2.
* **Recoveries** that come to the same plan by every length of outage have none; plans that lead to the same set point are one (``ahead``).
* **Volumes** of N2 prove what the N2 cycles have proven already: they are none once the cycles are complete, and both are lost together.
* **Latches of a batch that was held before an outage** are no longer told apart by what a recovery answers for: it stays held (R1).

Standing causes are judged anew by every image. Without an image they would stay, which is not looked at: a wire that goes while another
cause stands is two edges, and the second knows only what the first has latched. Deadbands of rows that latch nothing begin anew.
A test holds memory and representative against each other: what a scan has left and what stands for it go on to the same node.
"""

from functools import lru_cache
from typing import Final

from controller.alarms.states import AlarmMemory
from controller.control.actuation import Actuation
from controller.control.gas import SWEEP_AFTER_S, GasMemory
from controller.control.outputs import ControlMemory
from controller.image import OFF, Atmosphere, Outputs, Setpoints
from controller.interlocks.atmosphere import N2_CYCLES_BEFORE_AIR, Proof
from controller.interlocks.evaluate import BY_ID, InterlockMemory
from controller.interlocks.gauges import PUMPED_PCT, Watch
from controller.interlocks.limits import Limits
from controller.interlocks.rule import BLOCKS_START, Effect, Reset
from controller.interlocks.sensors import Believed
from controller.interlocks.table import RULES
from controller.memory import Memory
from controller.prooftest import ProofTest
from controller.recipe import standing
from controller.recipe.flow import Results
from controller.recipe.look import PhaseMemory
from controller.recipe.model import Phase, ThermalPhase
from controller.recipe.recovery import PURGES
from controller.recipe.resuming import OUTAGE_ROWS
from controller.recipe.standing import NOTHING, Batch, UnitMemory
from controller.recipe.states import FINAL, UnitState
from controller.recipe.tightness import Rises
from sim.explore.ahead import cools, remembered, rounded, unwatched
from sim.explore.oven import AT_S, BOOT_ID

_HOLDING: Final = Effect.WARN | Effect.HOLD | Effect.NO_HEAT | Effect.NO_START  # nothing more for a batch that is held without heat
_NAMED: Final = frozenset({"I6", "I12", "I21V"})  # rows that other rules ask for by name
_GOING_ON: Final = frozenset({UnitState.RUNNING, UnitState.HOLDING, UnitState.HELD, UnitState.RESTARTING})
_LIVE: Final = _GOING_ON | {UnitState.STOPPING}
_MARKED: Final = ("LEAK_TEST", "WAIT", "OPERATOR")  # phases that look at their mark again


def _matters(effects: int, state: UnitState, heat: bool) -> int:
    """Return what of the effects of latched rows can still change something in ``state``.

    IDLE is reached from elsewhere only by a RESET, which clears every latch in the same scan: NO_START says nothing before. An aborted,
    stopped or ended unit is neither held nor aborted again; it pumps only to keep a vacuum that the Pirani gauge alone shows. Where a batch
    is held or must be, heat comes back with RESTART only, which no row with HOLD or ABORT lets through: then NO_HEAT says nothing unless
    heat is on. In IDLE, ABORT, HOLD and NO_START refuse a START alike, and while they do nothing else of the same class acts: no gas flows.
    """
    effects &= ~Effect.WARN
    if effects & (Effect.HOLD | Effect.ABORT) and not heat:
        effects &= ~Effect.NO_HEAT
    if state is UnitState.IDLE:
        if effects & BLOCKS_START:
            effects = effects & Effect.NO_VENT | Effect.NO_START
        return effects
    effects &= ~Effect.NO_START
    if state not in _GOING_ON:
        effects &= ~(Effect.HOLD | Effect.NO_HEAT)
    return effects if state in _LIVE else effects & ~Effect.ABORT


@lru_cache(maxsize=128)
def _classes(state: UnitState, heat: bool, answerable: bool) -> dict[tuple[Reset, bool], dict[int, str]]:
    """Return for each way to go away the first row with each set of effects that matter."""
    found: dict[tuple[Reset, bool], dict[int, str]] = {}
    for rule in RULES:
        if rule.id not in _NAMED and rule.reset is not Reset.AUTO and (effects := _matters(int(rule.effect), state, heat)):
            found.setdefault(_class(rule.id, state, answerable), {}).setdefault(effects, rule.id)
    return found


def _class(rule: str, state: UnitState, answerable: bool) -> tuple[Reset, bool]:
    """Return how a row goes away: its reset, and whether a recovery answers for it. What blocks START is gone before there is one."""
    row = BY_ID[rule]
    if row.reset is not Reset.OPERATOR or (state is UnitState.IDLE and row.effect & BLOCKS_START):
        answerable = False
    return row.reset, answerable and rule in OUTAGE_ROWS


WITH_BATCH: Final = "with a batch"
SETTLED: Final = Believed(looked_s=AT_S, valid=(3, 3, 3), boot_id=BOOT_ID)  # every thermocouple votes


def canonical(memory: Memory, limits: Limits, *, steps: bool = False) -> Memory:
    """Return the representative of all memories that behave as this one; ``steps``: people go to other phases."""
    boot_id, unit = memory.boot_id, memory.unit
    watched = _watched(unit)
    outputs = _outputs(memory.outputs, unit.state, unit.setpoints.atmosphere is Atmosphere.VACUUM)
    vented_s = SWEEP_AFTER_S if memory.control.gas.vented_s >= SWEEP_AFTER_S else 0.0
    held_cold = unit.state not in (UnitState.RUNNING, UnitState.HOLDING) and not unit.setpoints.heat
    return memory._replace(
        unit=_unit(unit, watched, steps), interlocks=_interlocks(memory), proof=_proof(memory.proof, limits, boot_id, outputs),
        sensors=SETTLED, estimator=None, control=ControlMemory(gas=GasMemory(exhaust=outputs.exhaust_valve, vented_s=vented_s)),
        actuation=Actuation(), outputs=outputs,
        reset_s=1.0 if memory.reset_s > 0 and unit.setpoints.heat else 0.0, armed=memory.armed and not held_cold,
        last_batch_id=0, last_row=0, answered=(), delayed=None, alarms=AlarmMemory(),
        proof_test=_test(memory.proof_test, boot_id), boot_id=BOOT_ID, most_c=None,
    )  # fmt: skip


def _watched(unit: UnitMemory) -> bool:
    """Return whether the next scan holds the zones against a set point (I23): in a phase with heat whose atmosphere has stood."""
    live = unit.state in (UnitState.RUNNING, UnitState.HOLDING, UnitState.HELD)
    return live and unit.phase.stage > 0 and isinstance(standing.current(unit), ThermalPhase)


def key(memory: Memory) -> Memory:
    """Return what tells two canonical memories apart; the batch is always the same one."""
    batch = memory.unit.batch
    return memory if batch is None else memory._replace(unit=memory.unit._replace(batch=None, ending=WITH_BATCH))


def whole(named: Memory, batch: Batch) -> Memory:
    """Return the canonical memory that ``key`` made ``named`` of."""
    return named._replace(unit=named.unit._replace(batch=batch, ending="")) if named.unit.ending == WITH_BATCH else named


def _unit(unit: UnitMemory, watched: bool, steps: bool) -> UnitMemory:
    batch, going_on = unit.batch, unit.state in _GOING_ON
    phase = standing.current(unit) if going_on else None
    anew = phase is None or _begins_anew(unit, phase)
    kept = PhaseMemory() if anew or phase is None else _phase(unit.phase, phase.kind in _MARKED)
    live = None if batch is None or phase is None else (phase, batch.recipe)  # what ends is not recovered
    return unit._replace(
        state_s=0.0, batch=None if batch is None else batch._replace(id=1, started_at_s=AT_S), cause="", ending="",
        phase_index=unit.phase_index if going_on else 0,
        phase=kept,
        reproof=_phase(unit.reproof) if unit.state is UnitState.RESTARTING else PhaseMemory(),
        reproves=unit.state is UnitState.RESTARTING or _broken_off(unit),
        temp_sp_c=0.0 if live is None or cools(live[1], unit.phase_index, steps=steps) else rounded(unit.temp_sp_c),
        setpoints=_setpoints(unit.setpoints, unit.state, watched),
        endpoint_at_s=None, leak_ok=None, results=Results(), leaks=(), leak_grows="", rises=Rises(),
        power_lost=live is not None and unwatched(unit, *live, steps=steps),
        recovery=None if live is None else remembered(unit, *live, kept, steps=steps),
    )  # fmt: skip


def _broken_off(unit: UnitMemory) -> bool:
    """Return whether the unit is held on the way between N2 and vacuum that a restart went: it is filled up again."""
    held = unit.state in (UnitState.HOLDING, UnitState.HELD)
    return held and unit.reproves and unit.setpoints.atmosphere in (Atmosphere.VACUUM, Atmosphere.BACKFILL)


def _begins_anew(unit: UnitMemory, phase: Phase) -> bool:
    """Return whether ``phase`` has forgotten what it was when it runs again: a leak test always, a purge that nobody watched."""
    return unit.state is not UnitState.RUNNING and (phase.kind == "LEAK_TEST" or (unit.power_lost and phase.kind in PURGES))


def _phase(phase: PhaseMemory, marked: bool = False) -> PhaseMemory:
    return PhaseMemory(
        stage=phase.stage, cycles=min(phase.cycles, 3), begun=phase.begun, reopened=phase.reopened,
        mark=round(phase.mark) if marked else 0.0, gauge=phase.gauge, volumes=5.0 if phase.volumes >= 5.0 else 0.0, answer=phase.answer,
        unseen=phase.unseen, moved=phase.moved,
        witness_mbar=None if phase.witness_mbar is None or not marked else round(phase.witness_mbar),
    )  # fmt: skip


def _setpoints(wanted: Setpoints, state: UnitState, watched: bool) -> Setpoints:
    """Return what a hold goes on with; states that end only look at the gas, and work out the rest anew."""
    if state not in _GOING_ON:
        return NOTHING._replace(atmosphere=wanted.atmosphere)
    filling = wanted.atmosphere is Atmosphere.BACKFILL  # up to a pressure between vacuum and N2
    pumping = wanted.atmosphere is Atmosphere.VACUUM
    flow = 60.0 if filling or wanted.atmosphere is Atmosphere.N2_FLOW else 0.0
    temp_c = rounded(wanted.temp_c) if watched or wanted.heat else 0.0
    return NOTHING._replace(
        heat=wanted.heat,
        temp_c=temp_c,
        atmosphere=wanted.atmosphere,
        pressure_mbar=900.0 if filling else 20.0 * pumping,
        n2_flow_nm3_h=flow,
    )


def _interlocks(memory: Memory) -> InterlockMemory:
    unit = memory.unit
    latched = frozenset(rule for rule in memory.interlocks.active if BY_ID[rule].reset is not Reset.AUTO)
    heat, answerable = unit.setpoints.heat, _answerable(unit)
    if unit.state is UnitState.IDLE:
        latched = _before_start(latched)
    elif unit.state in (UnitState.ABORTING, *FINAL):  # I12 speaks through I12T, which aborts; and RESET clears both before anything starts
        latched -= {"I12"}
    elif unit.state in (UnitState.HOLDING, UnitState.HELD) and not heat:
        latched = frozenset(rule for rule in latched if not _answered(rule, answerable))
    return InterlockMemory(active=_alike(latched, unit.state, heat, answerable))


def _before_start(latched: frozenset[str]) -> frozenset[str]:
    """Return the latches of an idle unit that say something beside those that block START, which must be cleared first.

    RESET clears every latch, an acknowledgement every one of its kind. A row that RESET clears speaks on only where rows ask for it.
    """
    blocking = {rule for rule in latched if BY_ID[rule].effect & BLOCKS_START}
    if any(BY_ID[rule].reset is Reset.MANUAL for rule in blocking):
        return frozenset(rule for rule in latched if BY_ID[rule].reset is Reset.MANUAL and (rule in blocking or rule in _NAMED))
    return frozenset(rule for rule in latched if rule in blocking or BY_ID[rule].reset is Reset.MANUAL) if blocking else latched


def _answered(rule: str, answerable: bool) -> bool:
    """Return whether a latch of a batch that is held without heat is gone before it could say anything.

    A person's RESTART acknowledges every row in its own scan, and so does a decided recovery with those that an outage raises. Until then
    the batch is held anyway; only what an effect does to gas or to START is left, and what another row asks for by name.
    """
    row = BY_ID[rule]
    if rule in _NAMED or row.reset is not Reset.OPERATOR or row.effect & ~_HOLDING:
        return False
    return not answerable or rule in OUTAGE_ROWS


def _answerable(unit: UnitMemory) -> bool:
    """Return whether a recovery may still answer for the rows that an outage raises.

    A batch that is held before the outage stays held (R1), and leaves HELD upwards only when no row holds it. What blocks a START is
    cleared before there is a recovery.
    """
    held = unit.state in (UnitState.HOLDING, UnitState.HELD)
    return not held or (unit.recovery is not None and (bool(unit.recovery.plan) or unit.recovery.was in ("RUNNING", "RESTARTING")))


@lru_cache(maxsize=4096)
def _alike(rules: frozenset[str], state: UnitState, heat: bool, answerable: bool) -> frozenset[str]:
    """Return the rows that stand for all sets of rows with these effects and ways to go away."""
    kept = set(rules & _NAMED)
    for way, first in _classes(state, heat, answerable).items():
        alike = {rule for rule in rules if _class(rule, state, answerable) == way}
        together, named = (_together(each, state, heat) for each in (alike, alike & _NAMED))
        kept |= {rule for effects, rule in first.items() if not effects & ~together and effects & ~named}
    return frozenset(kept)


def _together(rules: set[str], state: UnitState, heat: bool) -> int:
    together = 0
    for rule in rules:
        together |= int(BY_ID[rule].effect)
    return _matters(together, state, heat)


def _proof(proof: Proof, limits: Limits, boot_id: int, out: Outputs) -> Proof:
    if proof.boot_id != boot_id:
        return Proof(leak_ok=proof.leak_ok, gauges=_gauges(proof.gauges, limits, out), drawn=proof.drawn)
    cycled, purged = proof.cycles >= limits.proof_cycles, proof.volumes >= limits.proof_volumes
    washed = proof.washed(limits.proof_volumes)
    return Proof(
        cycles=min(proof.cycles, limits.proof_cycles), evacuated=proof.evacuated and not (cycled and washed),
        volumes=limits.proof_volumes if purged and not cycled else 0.0,
        low_s=limits.proof_s if cycled and proof.low_s >= limits.proof_s else 0.0, leak_ok=proof.leak_ok, boot_id=BOOT_ID,
        cycles_since_heat=N2_CYCLES_BEFORE_AIR if washed else proof.cycles_since_heat, gauges=_gauges(proof.gauges, limits, out),
        drawn=proof.drawn, swept_s=limits.sweep_s if proof.swept_s >= limits.sweep_s else 0.0,
    )  # fmt: skip


def _gauges(watch: Watch, limits: Limits, out: Outputs) -> Watch:
    """Return where the gauge stood when gas began to be fed or pumped, whether it has not followed (I4F), and whether two contradict.

    While the next image shows neither N2 nor a pump at work a gauge that follows is watched anew from there (``gauges.step``).
    """
    moves = out.n2_flow_sp_nm3_h > 0 or (out.pump and out.vac_throttle_pct >= PUMPED_PCT)
    marked = watch.mark_mbar is not None and (moves or watch.frozen)
    contradict_s = limits.gauge_s if watch.contradict_s >= limits.gauge_s else 0.0  # then the next scan has no pressure
    return Watch(contradict_s, mark_mbar=round(watch.mark_mbar) if marked and watch.mark_mbar is not None else None, frozen=watch.frozen)


def _outputs(out: Outputs, state: UnitState, vacuum: bool) -> Outputs:
    """Return what the next image follows and the next scan compares with.

    An idle or ended unit is not heated in the next scan either and holds no batch: no row that could act asks for fans, condenser and the
    door's lock, and the pump says nothing behind a shut valve, unless the vacuum is wanted. IDLE keeps the pump, which a START compares
    with, and the exhaust's fan, by which air is drawn through.
    """
    rests = state is UnitState.IDLE or state is UnitState.ABORTING or state in FINAL
    pump = out.pump and (out.vac_valve or vacuum or state in _LIVE or state is UnitState.IDLE)
    return OFF._replace(
        heat_enable=out.heat_enable, pump=pump,
        vac_throttle_pct=PUMPED_PCT if out.vac_throttle_pct >= PUMPED_PCT else 0.0,
        vac_valve=out.vac_valve, n2_valve=out.n2_valve, n2_flow_sp_nm3_h=60.0 if out.n2_flow_sp_nm3_h > 0 else 0.0,
        vent_valve=out.vent_valve, exhaust_valve=out.exhaust_valve, exhaust_fan=out.exhaust_fan and (not rests or state is UnitState.IDLE),
        circulation=out.circulation and not rests, condenser=out.condenser and not rests, door_release=out.door_release and not rests,
    )  # fmt: skip


def _test(test: ProofTest, boot_id: int) -> ProofTest:
    valid = test.passed_at_s is not None and not test.spoiled and test.boot_id == boot_id
    return ProofTest(passed_at_s=AT_S, boot_id=BOOT_ID, spoiled="") if valid else ProofTest()
