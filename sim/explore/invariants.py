"""What must hold on every edge, whatever came before."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from controller.command import Command
from controller.image import Atmosphere, Mode
from controller.interlocks.atmosphere import OPEN_S
from controller.memory import Memory, Settings
from controller.prooftest import objection
from controller.recipe.states import FINAL, UnitState, Verb
from controller.scan import Record
from sim.explore.oven import AT_S, SHORT_S, Cause, Oven

_AIR: Final = (Atmosphere.OFF, Atmosphere.VENT, Atmosphere.SWEEP, Atmosphere.AIR)

LIVE: Final = frozenset({UnitState.RUNNING, UnitState.HOLDING, UnitState.HELD, UnitState.RESTARTING, UnitState.STOPPING})


class Edge(NamedTuple):
    """One scan: where it came from, what came in, what came out."""

    before: Memory
    cause: Cause
    commands: tuple[Command, ...]
    after: Memory
    record: Record
    oven: Oven = Oven()  # the truth, whatever the image says


def violations(settings: Settings, edge: Edge) -> Iterator[str]:
    """Yield the name of every invariant that this edge breaks."""
    boot_id = edge.record.inputs.plc_boot_id.value
    if "START" in _accepted(edge) and objection(settings.proof_test, edge.before.proof_test, AT_S, boot_id):
        yield "no START without a valid proof test"
    yield from _heat(edge)
    yield from _moves(edge)
    yield from _batch(edge)
    yield from _valves(edge)
    yield from _truth(edge)
    yield from _answers(edge)


def _accepted(edge: Edge) -> frozenset[str]:
    return frozenset(str(note.content["verb"]) for note in edge.record.notes if note.kind == "command" and note.content["accepted"] is True)


def _heat(edge: Edge) -> Iterator[str]:
    before, after, record = edge.before, edge.after, edge.record
    hot, verdict = record.outputs.heat_enable, record.verdict
    if hot and not after.proof.proven:
        yield "no heat without a proven atmosphere"
    if hot and not verdict.heat:
        yield "no heat against an interlock"
    if hot and after.unit.state not in (UnitState.RUNNING, UnitState.HELD):
        yield "heat only in RUNNING and HELD"
    if hot and edge.cause.lost:
        yield "no heat without a PLC image"
    if hot and after.reset_s > 0 and before.reset_s == 0:
        yield "no heat in the scan that re-arms the PLC"
    held = before.unit.state is UnitState.HELD and after.unit.state is UnitState.HELD
    if held and not before.unit.setpoints.heat and after.unit.setpoints.heat and after.unit.manual is None:
        yield "held heat never comes back without RESTART"


def _moves(edge: Edge) -> Iterator[str]:
    was, state, verdict = edge.before.unit.state, edge.after.unit.state, edge.record.verdict
    accepted = _accepted(edge)
    verbs = {command.verb for command in edge.commands}
    if was in LIVE and (Verb.ABORT in verbs or verdict.abort) and state not in (UnitState.ABORTING, UnitState.ABORTED):
        yield "ABORT wins in the same scan"
    if (
        was in LIVE - {UnitState.STOPPING}
        and Verb.STOP in verbs
        and state in (*LIVE, UnitState.COMPLETE)
        and state is not UnitState.STOPPING
    ):
        yield "STOP wins over everything but ABORT"
    if was in FINAL and state is not was and (state is not UnitState.IDLE or "RESET" not in accepted):
        yield "a final state is left only by RESET, and only to IDLE"
    if was is UnitState.IDLE and state is not UnitState.IDLE and "START" not in accepted:
        yield "IDLE is left only by an accepted START"
    if "START" in accepted and not verdict.start:
        yield "no START against an interlock"
    if "START" in accepted and state is not UnitState.RUNNING:
        yield "no START that an interlock stops in the same scan"
    if was is UnitState.HELD and state in (UnitState.RESTARTING, UnitState.RUNNING):
        if "RESTART" not in accepted and edge.before.unit.recovery is None:
            yield "HELD is left upwards only by RESTART or the recovery of an outage"
        if verdict.hold or verdict.abort:
            yield "no RESTART against an interlock"
    if was is UnitState.ABORTING and state not in (UnitState.ABORTING, UnitState.ABORTED):
        yield "ABORTING ends ABORTED"


def _batch(edge: Edge) -> Iterator[str]:
    unit, out = edge.after.unit, edge.record.outputs
    if unit.state is not UnitState.IDLE and (unit.batch is None or not unit.batch.recipe_sha256):
        yield "no state but IDLE without a batch and its recipe's hash"
    if (out.mode is Mode.RUN or out.heat_enable) and (out.batch_id == 0 or out.recipe_crc == 0):
        yield "no block of mode RUN, and no heat, without batch and hash"


def _valves(edge: Edge) -> Iterator[str]:
    out, was = edge.record.outputs, edge.before.outputs
    for name, one, other in (("N2 inlet", out.n2_valve, was.n2_valve), ("air vent", out.vent_valve, was.vent_valve)):
        if out.vac_valve and (one or other):
            yield f"vacuum valve and {name} never together"
    if out.vent_valve and (out.n2_valve or was.n2_valve):
        yield "air vent and N2 inlet never together"
    if (out.vent_valve or out.door_release) and "I19" in edge.record.verdict.active:
        yield "no air and no door while that is unsafe"
    if out.door_release and "I19D" in edge.record.verdict.active:
        yield "no door below ambient pressure"
    if out.door_release and "I19N" in edge.record.verdict.active:
        yield "no door without air to breathe behind it"


def _truth(edge: Edge) -> Iterator[str]:
    """Yield what is broken by the oven's truth, not by the controller's own opinion of it."""
    out, unit, inputs = edge.record.outputs, edge.after.unit, edge.record.inputs
    if edge.oven.hot and (out.vent_valve or out.door_release):
        yield "no air and no door to a hot chamber"
    opened = inputs.door_closed_a.value is False and inputs.door_closed_b.value is False
    if opened and (out.n2_valve or out.heat_enable):
        yield "no N2 and no heat with the door open"
    if opened and inputs.dt_s >= OPEN_S and (edge.after.proof.leak_ok or edge.after.proof.proven):
        yield "an opened door ends the proof of leak test and atmosphere"
    if out.heat_enable and edge.oven.gas == "air" and inputs.dt_s >= SHORT_S:
        yield "no heat in air"
    if edge.oven.hot and unit.was_heated and not (out.exhaust_fan and out.circulation and out.condenser):
        yield "exhaust, circulation and condenser run while the chamber is hot"
    if edge.oven.hot and unit.was_heated and edge.oven.gas != "air" and unit.setpoints.atmosphere in _AIR:
        yield "a hot chamber stays shut, in vacuum or in N2"


def _answers(edge: Edge) -> Iterator[str]:
    answers = [note.content["id"] for note in edge.record.notes if note.kind == "command"]
    if sorted(map(str, answers)) != sorted({command.id for command in edge.commands}):
        yield "each command has one answer"
