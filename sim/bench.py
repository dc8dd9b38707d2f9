"""A whole batch on virtual time: the controller's own scan against the soft PLC and the plant, without sockets, seeded and reproducible.

Everything that crosses the wire is encoded and decoded as on the wire: the image through the wiring file, the outputs as a command block.
"""

import copy
import hashlib
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Final, NamedTuple

from controller import block as blocks
from controller import plan, recorder
from controller.block import Block
from controller.command import Command, Start
from controller.image import Estimate, Forecast, Inputs, Interval, aged
from controller.journal.store import Journal
from controller.memory import Memory, Settings
from controller.prooftest import ProofTest
from controller.recipe.model import LoadRecord
from controller.recipe.reading import SourcedRecipe
from controller.recipe.states import FINAL, UnitState, Verb
from controller.scan import Record, scan
from controller.tags import Quality, Sample
from controller.wiring import Wiring
from sim.judge import Judge, Unsafe
from sim.plant.parameters import draw
from sim.plant.plant import Plant, Truth
from sim.plant.roll import Roll
from sim.softplc import SoftPlc

MASTER: Final = 1
PLC_SCAN_S: Final = 1.0  # the longest
MAX_H: Final = 100.0  # a virtual batch that has not ended by then is broken off
SETTLE_S: Final = 10.0  # before the start: the PLC sees its first blocks, the sensors their first gas
_TRACED: Final = struct.Struct(f"<{blocks.REGISTERS}H3d")
_HASHED_AT_ONCE: Final = 16_000  # bytes of the trace
Hook = Callable[["Rig", float], None]


class Result(NamedTuple):
    """What came out of one virtual batch."""

    recipe: str
    seed: int
    unit_state: str
    result: str
    batch_s: float
    endpoint_at_s: float | None
    residual_solvent: dict[str, float]
    insoluble: dict[str, float]
    unsafe: list[dict[str, object]]
    alarms: list[dict[str, object]]
    scans: int
    wall_s: float
    trace_sha256: str
    unloaded_s: float | None = None  # from the end of the batch until the door was open; None: it stayed locked, or nobody asked


@dataclass
class Rig:
    """Controller, soft PLC and plant wired together; ``step`` advances all by one scan of the controller.

    The PLC is no slower for a slow controller: it scans at least once in ``PLC_SCAN_S``, and the judge looks at each of its scans.
    """

    settings: Settings
    wiring: Wiring
    plc: SoftPlc
    scan_s: float
    journal: Journal | None = None
    memory: Memory = field(default_factory=Memory)
    at_s: float = 0.0
    counter: int = 0
    record: Record | None = None
    commands: list[Command] = field(default_factory=list)
    notes: list[tuple[float, str, dict[str, object]]] = field(default_factory=list)
    judge: Judge = field(default_factory=Judge)
    unsafe: list[Unsafe] = field(default_factory=list)
    own: dict[str, Sample[float]] = field(default_factory=dict)
    foresee: Callable[[Settings, Memory], Forecast | None] = plan.forecast

    def __post_init__(self) -> None:
        """Prepare the signals that the core makes itself, and the trace."""
        self.own = {
            "journal_ok": Sample(True, Quality.GOOD, 0.0),
            "disk_free_pct": Sample(50.0, Quality.GOOD, 0.0),
            "clock_step_s": Sample(0.0, Quality.GOOD, 0.0),
            "gateway_ok": Sample(True, Quality.GOOD, 0.0),
            "proof_due": Sample(0, Quality.GOOD, 0.0),
            "recipe_ok": Sample(True, Quality.GOOD, 0.0),
        }
        self._reading: Inputs | None = None
        self._trace, self._traced = hashlib.sha256(), bytearray()  # what is hashed, and what is not yet
        self._recorder = recorder.Recorder(600.0)

    def step(self) -> Record:
        """Run the PLC's scans and one control scan."""
        scans = ceil(self.scan_s / PLC_SCAN_S)
        plc_scan_s = self.scan_s / scans
        if scans > 1:
            self._run_plc(scans - 1, plc_scan_s)
        self.plc.scan(plc_scan_s)
        self.at_s += plc_scan_s
        inputs = self._read()
        commands, self.commands = tuple(self.commands), []
        ahead = self.foresee(self.settings, self.memory) if plan.due(self.settings, self.memory) else None
        self.memory, record = scan(self.settings, self.memory, inputs, commands, ahead)
        self.counter += 1
        registers = blocks.encode(Block(1, self.counter, MASTER, inputs.plc_alive.value or 0, record.outputs))
        if not record.withheld:
            self.plc.receive(registers)
        self.unsafe += self.judge.look(self.plc, self.at_s, plc_scan_s)
        self._traced += _TRACED.pack(*registers, *record.estimate.residual_solvent)
        if len(self._traced) > _HASHED_AT_ONCE:
            self._trace.update(self._traced)
            self._traced.clear()
        for note in record.notes:
            self.notes.append((self.at_s, note.kind, note.content))
        if self.journal is not None:
            self.journal.append(self._recorder.entries(self.memory, record)[0], durable=False)
        self.record = record
        return record

    def _run_plc(self, scans: int, dt_s: float) -> None:
        """Let the PLC and the judge go on between two scans of the controller."""
        for _ in range(scans):
            self.plc.scan(dt_s)
            self.at_s += dt_s
            self.unsafe += self.judge.look(self.plc, self.at_s, dt_s)

    def _read(self) -> Inputs:
        """Return the image; while the PLC's alive counter stands still it is the last one, ageing, as on the wire."""
        fresh = self.wiring.decode(self.plc.image(), self.at_s, self.scan_s, self.own)
        if self._reading is None or fresh.plc_alive.value != self._reading.plc_alive.value:
            self._reading = fresh
            return fresh
        return aged(self._reading, self.at_s, self.scan_s, self.own)

    def ask(self, verb: Verb, start: Start | None = None) -> None:
        """Give a command to the next scan; before START the proof test that it needs is made, as an operator would."""
        if verb is Verb.START and self.memory.unit.state is UnitState.IDLE and self.settings.proof_test.required:
            self.prove()
        self.commands.append(Command(f"{verb}-{self.counter}", "bench", verb, None, self.counter + 1, start))

    def prove(self) -> ProofTest:
        """Make the proof test that a batch needs, and return what it found."""
        if self.memory.proof_test.passed_at_s is None or self.memory.proof_test.spoiled:
            self.ask(Verb.PROOF_TEST)
            self.step()
            while self.memory.proof_test.stage:
                self.step()
        return self.memory.proof_test

    def fork(self) -> "Rig":
        """Return a rig that goes on from here by itself, without a journal; what never changes is shared."""
        twin = copy.copy(self)
        shared = {id(self.wiring): self.wiring}
        twin.plc, twin.judge, twin._recorder = copy.deepcopy((self.plc, self.judge, self._recorder), shared)
        twin.journal, twin._trace, twin._traced = None, self._trace.copy(), self._traced.copy()
        twin.commands, twin.notes, twin.unsafe, twin.own = [*self.commands], [*self.notes], [*self.unsafe], {**self.own}
        return twin

    def run_out(self, hook: Hook | None, max_h: float) -> None:
        """Go on to a final state or to ``max_h`` hours; ``hook`` is called before every scan."""
        while (self.record is None or self.record.unit_state not in FINAL) and self.at_s < max_h * 3600:
            if hook is not None:
                hook(self, self.at_s)
            self.step()

    def trace_sha256(self) -> str:
        """Return the hash over every block and estimate so far."""
        trace = self._trace.copy()
        trace.update(self._traced)
        return trace.hexdigest()


def rig(settings: Settings, wiring: Wiring, load: LoadRecord, seed: int, scan_s: float = 1.0, journal: Journal | None = None) -> Rig:
    """Return a rig with ``load`` in the oven and a plant drawn with ``seed``."""
    plant = Plant(draw(seed), roll_of(load), seed)
    plc = SoftPlc(wiring, plant)
    return Rig(settings, wiring, plc, scan_s, journal)


def roll_of(load: LoadRecord) -> Roll:
    """Return the load record as a roll of the plant; the truth of its residual solvent is the record's."""
    return Roll(
        length_m=load.length_m, width_m=load.width_m, film_um=load.film_um, foil_um=load.foil_um, gap_um=load.gap_um,
        core_mm=load.core_mm, residual_wt_pct=load.residual_wt_pct,
    )  # fmt: skip


def batch(recipe: SourcedRecipe, load: LoadRecord, wiring: Wiring, settings: Settings, seed: int, *, scan_s: float = 1.0,
          max_h: float = MAX_H, journal: Journal | None = None, hook: Hook | None = None) -> tuple[Result, Rig]:  # fmt: skip
    """Run one batch from IDLE to a final state, or to ``max_h`` hours; ``hook`` is called before every scan (faults, commands)."""
    began_s = time.perf_counter()
    bench = rig(settings, wiring, load, seed, scan_s, journal)
    while bench.at_s < SETTLE_S:
        bench.step()
    bench.ask(Verb.START, Start(recipe.recipe, recipe.sha256, recipe.text, load))
    record = bench.step()
    if record.unit_state is UnitState.IDLE:
        refused = [content["answer"] for _, kind, content in bench.notes if kind == "command"]
        raise ValueError(f"start refused: {refused}")
    bench.run_out(hook, max_h)
    record = bench.record or record
    return _result(recipe, seed, bench, record, bench.plc.plant.truth(), time.perf_counter() - began_s), bench


def _result(recipe: SourcedRecipe, seed: int, bench: Rig, record: Record, truth: Truth, wall_s: float) -> Result:
    end = next((content for _, kind, content in reversed(bench.notes) if kind == "batch_end"), {})
    alarms = [
        {"at_s": at_s, **{key: content[key] for key in ("rule", "event", "effect", "text", "first_out")}}
        for at_s, kind, content in bench.notes
        if kind == "alarm"
    ]
    estimate: Estimate = record.estimate
    return Result(
        recipe=f"{recipe.recipe.id} rev {recipe.recipe.revision}",
        seed=seed,
        unit_state=record.unit_state.name,
        result=str(end.get("why", f"not finished: {record.waiting}")),
        batch_s=_number(end.get("batch_s"), bench.at_s),
        endpoint_at_s=None if end.get("endpoint_at_s") is None else _number(end["endpoint_at_s"], 0.0),
        residual_solvent=_against(estimate.residual_solvent, truth.residual_solvent_worst),
        insoluble=_against(estimate.insoluble, truth.insoluble_mean),
        unsafe=[{"code": found.code, "at_s": found.at_s, "text": found.text} for found in bench.unsafe],
        alarms=alarms,
        scans=bench.counter,
        wall_s=round(wall_s, 3),
        trace_sha256=bench.trace_sha256(),
    )


def _number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) else otherwise


def _against(belief: Interval, truth: float) -> dict[str, float]:
    return {"estimate": belief.value, "low": belief.low, "high": belief.high, "truth": truth}


def answers(bench: Rig) -> list[Mapping[str, object]]:
    """Return the answers to commands so far."""
    return [content for _, kind, content in bench.notes if kind == "command"]


def default_wiring() -> Path:
    """Return the wiring file that the repository deploys."""
    return Path(__file__).parents[1] / "deploy" / "wiring.toml"
