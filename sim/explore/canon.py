"""One memory for all that behave alike: timers in buckets, belief and loops forgotten, journal texts left out.

What is left out either has no say in permissions and states (texts, loops, trends) or is given anew by the next image. A timer keeps the
side of its limit on which it stands. Forgetting is an over-approximation of the oven, never of the rules: those run unabridged.
"""

from typing import Final

from controller.alarms.states import AlarmMemory
from controller.control.actuation import Actuation
from controller.control.outputs import ControlMemory
from controller.image import Outputs, Setpoints
from controller.interlocks.atmosphere import Proof
from controller.interlocks.evaluate import BY_ID, InterlockMemory
from controller.interlocks.limits import Limits
from controller.interlocks.sensors import Believed
from controller.interlocks.table import RULES, Reset
from controller.memory import Memory
from controller.prooftest import ProofTest
from controller.recipe.flow import Results
from controller.recipe.look import PhaseMemory
from controller.recipe.run import HOLD_HEAT_S, RESTART_LIMIT_S, UnitMemory
from controller.recipe.states import UnitState
from sim.explore.oven import AT_S

_FIRST: Final[dict[tuple[int, int], str]] = {}
for _rule in RULES:
    _FIRST.setdefault((int(_rule.effect), int(_rule.reset)), _rule.id)
_NAMED: Final = frozenset({"I6", "I7", "I21V"})  # rows that other rules ask for by name
_GOING_ON: Final = frozenset({UnitState.RUNNING, UnitState.HOLDING, UnitState.HELD, UnitState.RESTARTING})
_STATE_S: Final = (HOLD_HEAT_S, RESTART_LIMIT_S)


def canonical(memory: Memory, limits: Limits) -> Memory:
    """Return the representative of all memories that behave as this one."""
    return memory._replace(
        unit=_unit(memory.unit), interlocks=_interlocks(memory.interlocks), proof=_proof(memory.proof, limits), sensors=Believed(),
        estimator=None, control=ControlMemory(), actuation=Actuation(), outputs=_outputs(memory.outputs),
        reset_s=1.0 if memory.reset_s > 0 else 0.0, last_batch_id=0, last_row=0, answered=(), delayed=None, alarms=AlarmMemory(),
        proof_test=_test(memory.proof_test),
    )  # fmt: skip


def key(memory: Memory) -> Memory:
    """Return what tells two canonical memories apart; the batch is always the same one."""
    batch = memory.unit.batch
    return memory if batch is None else memory._replace(unit=memory.unit._replace(batch=None, ending="with a batch"))


def _over(value: float, limits: tuple[float, ...]) -> float:
    """Return 0, or just above the highest of ``limits`` that ``value`` has passed."""
    return max((limit + 1.0 for limit in limits if value > limit), default=0.0)


def _unit(unit: UnitMemory) -> UnitMemory:
    batch, recovery, state = unit.batch, unit.recovery, unit.state
    timed, going_on = state in (UnitState.HELD, UnitState.RESTARTING), state in _GOING_ON
    return unit._replace(
        state_s=_over(unit.state_s, _STATE_S) if timed else 0.0,
        batch=None if batch is None else batch._replace(id=1, started_at_s=AT_S), cause="", ending="",
        phase_index=unit.phase_index if going_on else 0, phase=_phase(unit.phase) if going_on else PhaseMemory(),
        reproof=_phase(unit.reproof) if going_on else PhaseMemory(), temp_sp_c=_round(unit.temp_sp_c) if going_on else 0.0,
        setpoints=_setpoints(unit.setpoints), endpoint_at_s=None, leak_ok=None, results=Results(), leaks=(), leak_grows="",
        power_lost=unit.power_lost if going_on else False,
        recovery=None if recovery is None else recovery._replace(
            outage_s=_over(recovery.outage_s, (60.0, 900.0)), sp_c=_round(recovery.sp_c), solvent=None, insoluble=None,
            waited_s=_over(recovery.waited_s, (60.0, 900.0, RESTART_LIMIT_S)),
        ),
    )  # fmt: skip


def _phase(phase: PhaseMemory) -> PhaseMemory:
    return PhaseMemory(
        stage=phase.stage, cycles=min(phase.cycles, 3), begun=phase.begun, reopened=phase.reopened, guarded=phase.guarded,
        mark=round(phase.mark, -2), volumes=min(round(phase.volumes), 6.0),
    )  # fmt: skip


def _setpoints(wanted: Setpoints) -> Setpoints:
    return wanted._replace(temp_c=_round(wanted.temp_c), rate_c_per_min=0.0, pressure_mbar=round(wanted.pressure_mbar, -1))


def _round(temp_c: float) -> float:
    return 50.0 * round(temp_c / 50.0)


def _interlocks(memory: InterlockMemory) -> InterlockMemory:
    """Return the fewest rows with the same effects waiting for the same reset; what stands is judged anew by the next scan."""
    kept: set[str] = set()
    for reset in (Reset.OPERATOR, Reset.MANUAL):
        latched = [BY_ID[rule] for rule in memory.active if BY_ID[rule].reset is reset]
        kept |= {rule.id for rule in latched if rule.id in _NAMED}
        done = 0
        for rule in sorted(latched, key=lambda one: (-int(one.effect).bit_count(), one.id)):
            if int(rule.effect) & ~done:
                done |= int(rule.effect)
                kept.add(_FIRST[int(rule.effect), int(reset)])
    return InterlockMemory(active=frozenset(kept))


def _proof(proof: Proof, limits: Limits) -> Proof:
    return Proof(
        cycles=min(proof.cycles, limits.proof_cycles), evacuated=proof.evacuated,
        volumes=limits.proof_volumes if proof.volumes >= limits.proof_volumes else 0.0,
        low_s=limits.proof_s if proof.low_s >= limits.proof_s else 0.0, leak_ok=proof.leak_ok, boot_id=proof.boot_id,
        cycles_since_heat=min(proof.cycles_since_heat, 2),
        volumes_since_heat=limits.proof_volumes if proof.volumes_since_heat >= limits.proof_volumes else 0.0,
        vacuum_proven=proof.vacuum_proven, inert_proven=proof.inert_proven,
    )  # fmt: skip


def _outputs(out: Outputs) -> Outputs:
    low, middle, high = out.zone_sp_c
    return out._replace(
        zone_sp_c=(_round(low), _round(middle), _round(high)), zone_op_pct=(0.0, 0.0, 0.0), rate_limit_c_per_min=0.0, vac_throttle_pct=0.0,
        n2_flow_sp_nm3_h=60.0 if out.n2_flow_sp_nm3_h > 0 else 0.0, batch_id=min(out.batch_id, 1), soak_s=0.0,
    )  # fmt: skip


def _test(test: ProofTest) -> ProofTest:
    valid = test.passed_at_s is not None and not test.spoiled
    return ProofTest(passed_at_s=AT_S, boot_id=test.boot_id, spoiled="") if valid else ProofTest()
