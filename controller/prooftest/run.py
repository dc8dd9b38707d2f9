"""The proof test's sequence, one stage after the other; a stage that fails is written down and the next one follows.

    sensors -> door lock -> valves, one at a time -> silence until the PLC's watchdog acts -> the PLC follows again

Nothing is heated. Every actuator still passes the interlocks, and the watchdog is shown by withholding the command block: the only way that
proves the PLC's own timer.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from controller.block import HeatBlock, PlcState
from controller.image import Inputs, Outputs, Process
from controller.interlocks.limits import Limits
from controller.prooftest.checks import at_rest
from controller.prooftest.model import RESTARTED, Finding, ProofTest, ProofTestSettings, cancelled

VALVES: Final[dict[str, Callable[[Inputs], tuple[bool | None, bool | None]]]] = {  # output -> limit switches (open, closed)
    "vac_valve": lambda i: (i.vac_valve_open.value, i.vac_valve_closed.value),
    "n2_valve": lambda i: (i.n2_valve_open.value, i.n2_valve_closed.value),
    "vent_valve": lambda i: (i.vent_valve_open.value, i.vent_valve_closed.value),
    "exhaust_valve": lambda i: (i.exhaust_valve_open.value, i.exhaust_valve_closed.value),
}
SENSORS, LOCK, SILENCE, BACK = "sensors", "door lock", "watchdog", "PLC follows again"
_OPENS: Final = {f"{valve} opens": valve for valve in VALVES}
_CLOSES: Final = {f"{valve} closes": valve for valve in VALVES}
STAGES: Final = (SENSORS, LOCK, *(f"{valve} {way}" for valve in VALVES for way in ("opens", "closes")), SILENCE, BACK)

SOONEST_S: Final = 2.0  # without blocks; a PLC that followed warns at 3 s and acts at 5 s


class Look(NamedTuple):
    """What a proof test may look at."""

    settings: ProofTestSettings
    limits: Limits
    inputs: Inputs
    process: Process
    dt_s: float
    trip: str = ""  # an interlock that aborts or the reason why nothing can be tested, "" without


def withholds(test: ProofTest) -> bool:
    """Return whether the command block of this scan must not be sent."""
    return test.stage == SILENCE


def drive(test: ProofTest, wanted: Outputs) -> Outputs:
    """Return the outputs of a unit at rest with what the stage moves: one valve at a time, the door locked, no N2 flow, no heat."""
    moved = _OPENS.get(test.stage)
    still = wanted._replace(door_release=False, heat_enable=False, n2_flow_sp_nm3_h=0.0, vent_valve=False, exhaust_valve=False)
    return still if moved is None else still._replace(**{moved: True})  # type: ignore[arg-type]


def step(test: ProofTest, look: Look) -> tuple[ProofTest, dict[str, object] | None]:
    """Return the proof test after this scan, and its result for the journal when it has just ended or lost its worth."""
    if not test.stage:
        return _kept(test, look)
    if look.trip or look.inputs.plc_alive.value is None:
        test = cancelled(test, look.trip or "PLC image lost")
        return test, result(test, look.inputs.at_s)
    test = test._replace(stage_s=test.stage_s + look.dt_s)
    found = _judge(test, look)
    if found is None:
        return test, None
    findings = (*test.findings, *found)
    following = STAGES.index(test.stage) + 1
    if following < len(STAGES):
        return test._replace(stage=STAGES[following], stage_s=0.0, findings=findings), None
    test = _ended(test._replace(stage="", stage_s=0.0, findings=findings), look.inputs)
    return test, result(test, look.inputs.at_s)


def result(test: ProofTest, at_s: float) -> dict[str, object]:
    """Return what the journal holds of a proof test that has ended."""
    passed = test.passed_at_s is not None and not test.spoiled
    return {
        "device": "plc-contract", "result": "pass" if passed else "fail", "why": test.spoiled, "user": test.user, "at_s": at_s,
        "recipe_sha256": test.recipe_sha256, "findings": [list(found) for found in test.findings],
    }  # fmt: skip


def _kept(test: ProofTest, look: Look) -> tuple[ProofTest, dict[str, object] | None]:
    """Take the worth from a passed test after a trip, or when another PLC program may run."""
    if test.passed_at_s is None or test.spoiled:
        return test, None
    boot_id = look.inputs.plc_boot_id.value
    why = f"{look.trip} since the last one" if look.trip else ""
    if boot_id is not None and boot_id != test.boot_id:
        why = RESTARTED
    if not why:
        return test, None
    test = test._replace(spoiled=why)
    return test, result(test, look.inputs.at_s)


def _ended(test: ProofTest, inputs: Inputs) -> ProofTest:
    if test.failures:
        wrong = "; ".join(f"{found.check}: {found.text}" for found in test.failures)
        return test._replace(passed_at_s=None, spoiled=f"the last one failed: {wrong}")
    return test._replace(passed_at_s=inputs.at_s, boot_id=inputs.plc_boot_id.value or 0, spoiled="")


def _judge(test: ProofTest, look: Look) -> tuple[Finding, ...] | None:
    """Return the findings of a stage that is over, None while it goes on."""
    settings, inputs, stage = look.settings, look.inputs, test.stage
    if stage == SENSORS:
        over = test.stage_s >= settings.watch_s
        return tuple(at_rest(settings, look.limits, inputs, look.process)) if over else None
    if stage == SILENCE:
        return _watchdog(test, look)
    if stage == LOCK:
        done = inputs.door_locked.value is True and inputs.door_closed_a.value is True and inputs.door_closed_b.value is True
    elif stage == BACK:
        done = inputs.plc_state.value in (PlcState.IDLE, PlcState.FOLLOWING) and inputs.plc_lease.value not in (None, 0)
    elif stage in _OPENS:
        done = VALVES[_OPENS[stage]](inputs) == (True, False)
    else:
        done = VALVES[_CLOSES[stage]](inputs) == (False, True)
    return _followed(stage, done, test.stage_s, settings.stroke_s)


def _followed(stage: str, done: bool, after_s: float, limit_s: float) -> tuple[Finding, ...] | None:
    if done:
        return (Finding(stage, True, f"after {after_s:.1f} s"),)
    return (Finding(stage, False, f"not seen within {limit_s:g} s"),) if after_s >= limit_s else None


def _watchdog(test: ProofTest, look: Look) -> tuple[Finding, ...] | None:
    """Wait for the PLC to show its safe state and to take its heat permission away; it must do so by its own timer."""
    state, block = look.inputs.plc_state.value, look.inputs.plc_heat_block.value
    if state == PlcState.WATCHDOG_SAFE and test.stage_s < SOONEST_S:
        return (Finding(SILENCE, False, f"the PLC was in its safe state already after {test.stage_s:.1f} s: it had not followed"),)
    if state == PlcState.WATCHDOG_SAFE:
        refuses = look.inputs.plc_heat_permitted.value is False and block is not None and bool(block & HeatBlock.LEASE)
        text = f"safe state after {test.stage_s:.1f} s without blocks, heat {'refused' if refuses else 'STILL PERMITTED'}"
        return (Finding(SILENCE, refuses, text),)
    if test.stage_s < look.settings.watchdog_s:
        return None
    shown = "unknown" if state is None else PlcState(state).name if state in PlcState._value2member_map_ else str(state)
    return (Finding(SILENCE, False, f"the PLC shows {shown} after {test.stage_s:.1f} s without blocks: its watchdog does not act"),)
