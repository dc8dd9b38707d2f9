"""Why can't I start, heat, open? The failing permissives, each with its row, its value now, its limit and what to do."""

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple

from controller import prooftest
from controller.alarms.rationalisation import TABLE as RATIONALE
from controller.block import HeatBlock
from controller.control import actuation
from controller.estimator.model import NO_BATCH
from controller.image import Inputs, PhaseView, Process
from controller.interlocks.bypass import BY_ID
from controller.interlocks.limits import Limits
from controller.interlocks.rule import BLOCKS_START, Effect, Reset, Rule, View
from controller.memory import Memory, Settings
from controller.recipe import leaving
from controller.recipe.standing import current
from controller.recipe.states import UnitState, allowed


class Question(StrEnum):
    """What somebody wants to do."""

    START = "start"
    HEAT = "heat"
    OPEN = "open"


class Blocker(NamedTuple):
    """One thing in the way. ``rule`` is "" for what is no row of the interlock table."""

    rule: str
    text: str
    value: object = None
    limits: tuple[str, ...] = ()
    action: str = ""

    def __str__(self) -> str:
        """Return it in one line."""
        shown = "" if self.value is None else f"now {self.value:.4g}" if isinstance(self.value, float) else f"now {self.value}"
        inside = "; ".join(part for part in (self.text, shown, ", ".join(self.limits) if shown else "") if part)
        return f"{self.rule} ({inside})" if self.rule else self.text


_ASKED: Final = {
    Question.START: BLOCKS_START,
    Question.HEAT: Effect.NO_HEAT | Effect.ABORT,
    Question.OPEN: Effect.NO_VENT | Effect.NO_DOOR,
}
_HEATED: Final = frozenset({UnitState.RUNNING, UnitState.HOLDING, UnitState.HELD, UnitState.RESTARTING})


def blockers(question: Question, settings: Settings, memory: Memory, active: frozenset[str], inputs: Inputs,
             process: Process) -> list[Blocker]:  # fmt: skip
    """Return what is in the way of ``question`` now, the most telling first; empty when nothing is.

    ``active`` are the rows that stand now; ``memory`` is that of the last scan.
    """
    found = {Question.START: _start, Question.HEAT: _heat, Question.OPEN: _open}[question](settings, memory, inputs)
    if question is Question.START:
        return [*found, *unstarting(settings, memory, active, inputs, process)]
    return [*found, *rows(_ASKED[question], settings, memory, active, inputs, process)]


def unstarting(settings: Settings, memory: Memory, active: frozenset[str], inputs: Inputs, process: Process) -> Iterator[Blocker]:
    """Yield the active rows that block START, each with what has to be done before START is taken."""
    for row in rows(_ASKED[Question.START], settings, memory, active, inputs, process):
        yield row._replace(action=_before_start(BY_ID[row.rule], row.action, stands=row.rule in memory.interlocks.cause))


def unrestarting(settings: Settings, memory: Memory, active: frozenset[str], inputs: Inputs, process: Process) -> Iterator[Blocker]:
    """Yield the active rows that keep a held batch from its RESTART, which has acknowledged what it could, each with what to do."""
    for row in rows(Effect.HOLD | Effect.ABORT, settings, memory, active, inputs, process):
        reset = BY_ID[row.rule].reset is Reset.MANUAL and row.rule not in memory.interlocks.cause
        yield row._replace(action="its cause is gone: RESET (ovenctl batch reset), then RESTART") if reset else row


_CLEARS: Final = {
    Reset.OPERATOR: "its cause is gone: acknowledge it (ovenctl alarms acknowledge {rule}), then START",
    Reset.MANUAL: "its cause is gone: RESET (ovenctl batch reset), then START",
}


def _before_start(rule: Rule, action: str, *, stands: bool) -> str:
    """Return what to do about a row before START; with no batch to go on with, START is what RESTART is in the row's own action."""
    if stands or rule.reset not in _CLEARS:
        return action.replace("RESTART", "START")
    return _CLEARS[rule.reset].format(rule=rule.id)


def rows(effect: Effect, settings: Settings, memory: Memory, active: frozenset[str], inputs: Inputs, process: Process) -> Iterator[Blocker]:
    """Yield the active rows that have ``effect``, in table order."""
    estimate = NO_BATCH if memory.estimator is None else memory.estimator.estimate
    view = View(settings.limits, inputs, process, estimate, PhaseView(), memory.proof, memory.outputs, memory.interlocks.slopes,
                settings.equipment, active, memory.sensors, actuation.awaits(memory.actuation, "pump"))  # fmt: skip
    for rule in BY_ID.values():
        if rule.id in active and rule.effect & effect:
            text = rule.text if rule.id != "I5" else f"{rule.text}: {_proof(settings, memory)}"
            why = RATIONALE.get(rule.id)
            yield Blocker(rule.id, text, rule.shown(view), limits_of(rule.id, settings.limits), "" if why is None else why.action)


def _proof(settings: Settings, memory: Memory) -> str:
    """Return how far the proof of the atmosphere has come, by both ways."""
    at, proof = settings.limits, memory.proof
    leak = "leak test passed" if proof.leak_ok else "no passed leak test"
    return (
        f"{proof.cycles} of {at.proof_cycles} N2 cycles, {proof.low_s:.0f} of {at.proof_s:.0f} s below {at.proof_mbar:g} mbar, {leak}; "
        f"or {proof.volumes:.1f} of {at.proof_volumes:g} volumes of N2 and O2 at most {at.proof_o2_pct:g} vol%"
    )


def _start(settings: Settings, memory: Memory, inputs: Inputs) -> Iterator[Blocker]:
    state = memory.unit.state
    if state is not UnitState.IDLE:
        yield Blocker("", f"the unit is {state.name}", action=f"possible now: {', '.join(allowed(state))}")
        return
    if (armed := memory.delayed) is not None:
        left_min = (armed.at_s - inputs.at_s) / 60.0
        yield Blocker("", f"a start by {armed.user} is armed, {left_min:.0f} min from now", action="STOP cancels it")
    if unproven := prooftest.objection(settings.proof_test, memory.proof_test, inputs.at_s, inputs.plc_boot_id.value):
        yield Blocker("", unproven, action="ovenctl prooftest run, with the oven cold, in air and its door closed")


def _heat(settings: Settings, memory: Memory, inputs: Inputs) -> Iterator[Blocker]:
    unit, phase = memory.unit, current(memory.unit)
    if unit.state not in _HEATED:
        yield Blocker("", f"the unit is {unit.state.name}: only a batch heats", action=f"possible now: {', '.join(allowed(unit.state))}")
    elif not unit.setpoints.heat:
        kind = "no phase" if phase is None else phase.kind
        held = unit.state is UnitState.HELD
        text = "held heat does not come back by itself" if held else f"{kind} asks for no heat now"
        ways = "" if memory.estimator is None else leaving.ways_out(unit, memory.estimator.estimate)
        yield Blocker("", text, action=(ways or "RESTART, once the cause of the hold is gone") if held else "")
    bits = inputs.plc_heat_block.value
    if bits:
        names = ", ".join(one.name or str(int(one)) for one in HeatBlock if one & int(bits))
        yield Blocker("", f"the PLC refuses heat: {names}", action="each name stands in the PLC contract, with what clears it")


def _open(settings: Settings, memory: Memory, inputs: Inputs) -> Iterator[Blocker]:
    unit = memory.unit
    if memory.proof_test.stage:
        yield Blocker("", "the proof test keeps the door locked", action="wait for its end, or ovenctl prooftest cancel")
    elif not unit.setpoints.door_release:
        text = f"the door is released in IDLE, and in COMPLETE once the gas is off; the unit is {unit.state.name}"
        yield Blocker("", text, action=f"possible now: {', '.join(allowed(unit.state))}")
    elif memory.outputs.door_release and inputs.door_locked.value is True and not actuation.awaits(memory.actuation, "door_release"):
        action = "the PLC releases it cold, washed since the heat, near ambient pressure and on air, each by its own measure (PLC contract)"
        yield Blocker("", "released here, and the PLC keeps the door locked", action=action)


_NAMED: Final = re.compile(r"\(((?:[IC]\d+[A-Z]*(?:, )?)+)\)")


@cache
def _limit_names(rule: str) -> tuple[str, ...]:
    """Return the keys of the limits whose description names ``rule``."""
    found = []
    for name, field in Limits.model_fields.items():
        named = _NAMED.search(field.description or "")
        if named is not None and rule in named.group(1).split(", "):
            found.append(name)
    return tuple(found)


def limits_of(rule: str, limits: Limits) -> tuple[str, ...]:
    """Return the limits that a row compares with, as "key = value"."""
    values = {name: getattr(limits, name) for name in _limit_names(rule)}
    return tuple(f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}" for name, value in values.items())
