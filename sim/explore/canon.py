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
* **What will be counted anew before anybody asks** is forgotten: seconds below the proof pressure before the N2 cycles are complete (a
  cycle ends far above that pressure), a proof that another boot of the PLC or air has ended, a leak test that is not RUNNING (a restart
  begins it anew), the reset pulse while no heat is asked for (without it heat comes sooner, not later), the time in a state
  (what its limit does is done in the scan that passes it).

* **Set points** keep heat, gas and, where the next scan compares them (I23), the band of their temperature; the pressure up to which N2 is
  let in only says that it lies between vacuum and N2.
* **Latches of a batch that was held before an outage** are no longer told apart by what a recovery answers for: it stays held (R1).

Standing causes are judged anew by every image. Without an image they would stay, which is not looked at: a wire that goes while another
cause stands is two edges, and the second knows only what the first has latched. Deadbands of rows that latch nothing begin anew.
A test holds memory and representative against each other: what a scan has left and what stands for it go on to the same node.
"""

from functools import lru_cache
from typing import Final

from controller.alarms.states import AlarmMemory
from controller.control.actuation import Actuation
from controller.control.outputs import ControlMemory
from controller.image import OFF, Atmosphere, Outputs, Setpoints
from controller.interlocks.atmosphere import Proof
from controller.interlocks.evaluate import BY_ID, InterlockMemory
from controller.interlocks.gauges import PUMPED_PCT, Watch
from controller.interlocks.limits import Limits
from controller.interlocks.rule import Effect, Reset
from controller.interlocks.sensors import Believed
from controller.interlocks.table import N2_CYCLES_BEFORE_AIR, RULES
from controller.memory import Memory
from controller.prooftest import ProofTest
from controller.recipe import standing
from controller.recipe.flow import Results
from controller.recipe.look import PhaseMemory
from controller.recipe.model import LeakTest, ThermalPhase
from controller.recipe.recovery import DECIDE_S, Recovery
from controller.recipe.resuming import GO_S, OUTAGE_ROWS, SETTLE_S
from controller.recipe.standing import NOTHING, Batch, UnitMemory
from controller.recipe.states import UnitState
from sim.explore.oven import AT_S, BOOT_ID
from sim.explore.recipe import TARGET_C

_NAMED: Final = frozenset({"I6", "I12", "I21V"})  # rows that other rules ask for by name
_GOING_ON: Final = frozenset({UnitState.RUNNING, UnitState.HOLDING, UnitState.HELD, UnitState.RESTARTING})
_LIVE: Final = _GOING_ON | {UnitState.STOPPING}
_MARKED: Final = ("LEAK_TEST", "WAIT", "OPERATOR")  # phases that look at their mark again


def _matters(effects: int, state: UnitState, heat: bool) -> int:
    """Return what of the effects of latched rows can still change something in ``state``.

    IDLE is reached from elsewhere only by a RESET, which clears every latch in the same scan: NO_START says nothing before. An aborted,
    stopped or ended unit is neither held nor aborted again. Where a batch is held or must be, heat comes back with RESTART only, which no
    row with HOLD or ABORT lets through: then NO_HEAT says nothing unless heat is on. In IDLE, ABORT and NO_START refuse a START alike,
    and while they do no HOLD of the same class acts.
    """
    effects &= ~Effect.WARN
    if effects & (Effect.HOLD | Effect.ABORT) and not heat:
        effects &= ~Effect.NO_HEAT
    if state is UnitState.IDLE:
        if effects & (Effect.ABORT | Effect.NO_START):
            effects = effects & ~(Effect.ABORT | Effect.HOLD) | Effect.NO_START
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
            found.setdefault(_class(rule.id, answerable), {}).setdefault(effects, rule.id)
    return found


def _class(rule: str, answerable: bool) -> tuple[Reset, bool]:
    return BY_ID[rule].reset, answerable and rule in OUTAGE_ROWS


WITH_BATCH: Final = "with a batch"
SETTLED: Final = Believed(looked_s=AT_S, valid=(3, 3, 3), boot_id=BOOT_ID)  # every thermocouple votes


def canonical(memory: Memory, limits: Limits) -> Memory:
    """Return the representative of all memories that behave as this one."""
    boot_id, unit = memory.boot_id, memory.unit
    watched = _watched(unit)
    held_cold = unit.state not in (UnitState.RUNNING, UnitState.HOLDING) and not unit.setpoints.heat
    return memory._replace(
        unit=_unit(unit, watched), interlocks=_interlocks(memory), proof=_proof(memory.proof, limits, boot_id), sensors=SETTLED,
        estimator=None, control=ControlMemory(), actuation=Actuation(), outputs=_outputs(memory.outputs),
        reset_s=1.0 if memory.reset_s > 0 and unit.setpoints.heat else 0.0, armed=memory.armed and not held_cold,
        last_batch_id=0, last_row=0, answered=(), delayed=None, alarms=AlarmMemory(),
        proof_test=_test(memory.proof_test, boot_id), boot_id=BOOT_ID,
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


def _over(value: float, limits: tuple[float, ...]) -> float:
    """Return 0, or just above the highest of ``limits`` that ``value`` has passed."""
    return max((limit + 1.0 for limit in limits if value > limit), default=0.0)


def _unit(unit: UnitMemory, watched: bool) -> UnitMemory:
    batch, recovery, going_on = unit.batch, unit.recovery, unit.state in _GOING_ON
    phase = standing.current(unit) if going_on else None
    anew = phase is None or (isinstance(phase, LeakTest) and unit.state is not UnitState.RUNNING)
    return unit._replace(
        state_s=0.0, batch=None if batch is None else batch._replace(id=1, started_at_s=AT_S), cause="", ending="",
        phase_index=unit.phase_index if going_on else 0,
        phase=PhaseMemory() if anew or phase is None else _phase(unit.phase, phase.kind in _MARKED),
        reproof=_phase(unit.reproof) if unit.state is UnitState.RESTARTING else PhaseMemory(),
        temp_sp_c=_round(unit.temp_sp_c) if going_on else 0.0,
        setpoints=_setpoints(unit.setpoints, unit.state, watched),
        endpoint_at_s=None, leak_ok=None, results=Results(), leaks=(), leak_grows="",
        power_lost=unit.power_lost if going_on else False,
        recovery=None if recovery is None else _recovery(recovery, unit.state),
    )  # fmt: skip


def _recovery(recovery: Recovery, state: UnitState) -> Recovery:
    """Return what a decision still to come looks at, and afterwards only what was decided and whether it waits for the PLC's actuators.

    Strategies differ in the set point with which the phase goes on, and where there was none they do not; RESTART_SEGMENT has begun the
    phase anew when the unit is RESTARTING, and nobody asks any more for what was waited.
    """
    by = recovery.by if recovery.by in ("CORE", "WIRE") else "PLC"
    begun = state is UnitState.RESTARTING
    if recovery.plan and recovery.sp_c <= 0.0 and (begun or recovery.plan != "RESTART_SEGMENT"):
        recovery = recovery._replace(plan="CONTINUE")
    if recovery.plan and begun:
        return Recovery("CORE", "", sp_c=_round(recovery.sp_c), plan=recovery.plan)
    if recovery.plan:
        waited_s = _over(recovery.waited_s, (GO_S,) if by == "CORE" else (SETTLE_S, SETTLE_S + GO_S))
        return Recovery(by, "", sp_c=_round(recovery.sp_c), waited_s=waited_s, plan=recovery.plan)
    waited_s = _over(recovery.waited_s, (DECIDE_S,))
    if recovery.was not in ("RUNNING", "RESTARTING"):  # R1: HOLD, whatever else
        return Recovery("CORE", "HELD", waited_s=waited_s)
    outage_s = _over(recovery.outage_s, (60.0, 900.0)) if recovery.known else 901.0
    return Recovery(by, "RUNNING", outage_s, sp_c=_round(recovery.sp_c), waited_s=waited_s)


def _phase(phase: PhaseMemory, marked: bool = False) -> PhaseMemory:
    return PhaseMemory(
        stage=phase.stage, cycles=min(phase.cycles, 3), begun=phase.begun, reopened=phase.reopened,
        mark=round(phase.mark) if marked else 0.0, gauge=phase.gauge, volumes=5.0 if phase.volumes >= 5.0 else 0.0, answer=phase.answer,
    )  # fmt: skip


def _setpoints(wanted: Setpoints, state: UnitState, watched: bool) -> Setpoints:
    """Return what a hold goes on with; states that end only look at the gas, and work out the rest anew."""
    if state not in _GOING_ON:
        return NOTHING._replace(atmosphere=wanted.atmosphere, door_release=wanted.door_release)
    filling = wanted.atmosphere is Atmosphere.BACKFILL  # up to a pressure between vacuum and N2
    pumping = wanted.atmosphere is Atmosphere.VACUUM
    flow = 60.0 if filling or wanted.atmosphere is Atmosphere.N2_FLOW else 0.0
    temp_c = _round(wanted.temp_c) if watched or wanted.heat else 0.0
    return NOTHING._replace(
        heat=wanted.heat,
        temp_c=temp_c,
        atmosphere=wanted.atmosphere,
        pressure_mbar=900.0 if filling else 20.0 * pumping,
        n2_flow_nm3_h=flow,
    )


def _round(temp_c: float) -> float:
    """Return the band of a set point: none, cold, between, the recipe's temperature, above it."""
    if temp_c <= 0.0:
        return 0.0
    if temp_c < 60.0:
        return 23.0
    if temp_c < TARGET_C - 5.0:
        return 80.0
    return TARGET_C if temp_c < TARGET_C + 15.0 else TARGET_C + 50.0


def _interlocks(memory: Memory) -> InterlockMemory:
    unit = memory.unit
    latched = frozenset(rule for rule in memory.interlocks.active if BY_ID[rule].reset is not Reset.AUTO)
    heat, answerable = unit.setpoints.heat, _answerable(unit)
    if not heat and not answerable:  # held, and only a person's RESTART leads on, which acknowledges every row in its own scan
        latched = frozenset(rule for rule in latched if rule in _NAMED or BY_ID[rule].reset is not Reset.OPERATOR)
    return InterlockMemory(active=_alike(latched, unit.state, heat, answerable))


def _answerable(unit: UnitMemory) -> bool:
    """Return whether a recovery may still answer for the rows that an outage raises.

    A batch that is held before the outage stays held (R1), and leaves HELD upwards only when no row holds it.
    """
    held = unit.state in (UnitState.HOLDING, UnitState.HELD)
    return not held or (unit.recovery is not None and (bool(unit.recovery.plan) or unit.recovery.was in ("RUNNING", "RESTARTING")))


@lru_cache(maxsize=4096)
def _alike(rules: frozenset[str], state: UnitState, heat: bool, answerable: bool) -> frozenset[str]:
    """Return the rows that stand for all sets of rows with these effects and ways to go away."""
    kept = set(rules & _NAMED)
    for way, first in _classes(state, heat, answerable).items():
        together = 0
        for rule in rules - _NAMED:
            together |= int(BY_ID[rule].effect) if _class(rule, answerable) == way else 0
        together = _matters(together, state, heat)
        kept |= {rule for effects, rule in first.items() if not effects & ~together}
    return frozenset(kept)


def _proof(proof: Proof, limits: Limits, boot_id: int) -> Proof:
    if proof.boot_id != boot_id:
        return Proof(leak_ok=proof.leak_ok, gauges=_gauges(proof.gauges))
    cycled, purged = proof.cycles >= limits.proof_cycles, proof.volumes >= limits.proof_volumes
    washed = proof.cycles_since_heat >= N2_CYCLES_BEFORE_AIR or proof.volumes_since_heat >= limits.proof_volumes
    return Proof(
        cycles=min(proof.cycles, limits.proof_cycles), evacuated=proof.evacuated and not (cycled and washed),
        volumes=limits.proof_volumes if purged else 0.0,
        low_s=limits.proof_s if cycled and proof.low_s >= limits.proof_s else 0.0, leak_ok=proof.leak_ok, boot_id=BOOT_ID,
        cycles_since_heat=N2_CYCLES_BEFORE_AIR if washed else proof.cycles_since_heat, gauges=_gauges(proof.gauges),
    )  # fmt: skip


def _gauges(watch: Watch) -> Watch:
    """Return where the gauge stood when gas began to be fed or pumped, and whether it has not followed (I4F)."""
    return Watch(mark_mbar=None if watch.mark_mbar is None else round(watch.mark_mbar), frozen=watch.frozen)


def _outputs(out: Outputs) -> Outputs:
    """Return what the next image follows and the next scan compares with."""
    return OFF._replace(
        heat_enable=out.heat_enable, pump=out.pump,
        vac_throttle_pct=PUMPED_PCT if out.vac_throttle_pct >= PUMPED_PCT else 0.0,
        vac_valve=out.vac_valve, n2_valve=out.n2_valve, n2_flow_sp_nm3_h=60.0 if out.n2_flow_sp_nm3_h > 0 else 0.0,
        vent_valve=out.vent_valve, exhaust_valve=out.exhaust_valve, exhaust_fan=out.exhaust_fan, circulation=out.circulation,
        condenser=out.condenser, door_release=out.door_release,
    )  # fmt: skip


def _test(test: ProofTest, boot_id: int) -> ProofTest:
    valid = test.passed_at_s is not None and not test.spoiled and test.boot_id == boot_id
    return ProofTest(passed_at_s=AT_S, boot_id=BOOT_ID, spoiled="") if valid else ProofTest()
