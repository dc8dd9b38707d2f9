"""The core process: read, scan, journal, write; it waits for nobody but the wire and, where an intent must be durable first, the disk."""

import asyncio
import os
import shutil
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

import structlog

from controller import estimator, plan, realtime, recorder
from controller import scan as scanning
from controller import wiring as wirings
from controller.clock import Clock, wall_ns
from controller.command import Command
from controller.config import Config, Plc, sha256_of
from controller.errors import JournalError
from controller.estimator.model import UNCALIBRATED
from controller.image import OFF, Forecast, Inputs, Mode, Outputs
from controller.intake import command_of
from controller.journal import breaks, prooftests
from controller.journal.breaks import Break
from controller.journal.entry import Entry, entry
from controller.journal.mailbox import Mailbox
from controller.journal.store import Journal
from controller.memory import Memory
from controller.notify import notify
from controller.power_return import power_return
from controller.recipe import resuming
from controller.scan import Record
from controller.southbound.driver import Driver
from controller.southbound.field import Field
from controller.southbound.modbus_client import ModbusDriver
from controller.tags import Quality, Sample
from controller.verifier import VERIFY_POLL_S, Verifier
from controller.wiring import Wiring

JOURNAL_WAIT_S: Final = 0.25  # wall: longer than this no intent waits for the disk
POLL_S: Final = 0.1  # wall: the mailbox
FORECAST_POLL_S: Final = 0.25  # wall
HOUSEKEEPING_S: Final = 5.0  # wall: disk space, gateway's life sign
GATEWAY_LIFE_S: Final = 30.0  # wall
UNWRITTEN_S: Final = 3.0  # wall: more than what a sound journal has not yet on the disk when its core is killed
UNKNOWN_OUTAGE_S: Final = 86_400.0  # an outage of unknown length counts as the longest
log = structlog.get_logger("core")


class Core:
    """What lives as long as the process does; ``memory`` is the only state of the control itself."""

    def __init__(self, config: Config, journal: Journal, field: Field, clock: Clock, memory: Memory) -> None:
        """Keep the parts; nothing runs yet."""
        self.config, self.journal, self.field, self.clock, self.memory = config, journal, field, clock, memory
        self.mailbox = Mailbox(config.core.mailbox)
        self.verifier = Verifier(config.settings.approval)
        self.commands: deque[Command] = deque(maxlen=64)
        self.recorder = recorder.Recorder(config.core.checkpoint_s)
        self.next_row = memory.last_row
        self.disk_free_pct, self.gateway_ok = _disk_free_pct(config.core.journal), False
        self.journal_slow = False
        self.proof_due = 0  # safety devices whose proof test is overdue
        self.scans = self.late_scans = 0
        self.last: Record | None = None
        self.forecast: Forecast | None = None  # made since the last scan

    def own(self, at_s: float) -> dict[str, Sample[float]]:
        """Return the signals that are made here."""
        values: dict[str, float] = {
            "journal_ok": self.journal.trusted and not self.journal_slow,
            "disk_free_pct": self.disk_free_pct,
            "clock_step_s": self.clock.step_s(),
            "gateway_ok": self.gateway_ok,
            "proof_due": self.proof_due,
            "recipe_ok": not self.verifier.why,
        }
        return {name: Sample(value, Quality.GOOD, at_s) for name, value in values.items()}

    async def run_scans(self) -> None:
        """Scan until cancelled, on absolute deadlines; the heartbeat is the block that a complete scan writes, and nothing else."""
        period_s = self.config.core.scan_s
        at_s = due_s = self.clock.now_s()
        try:
            while True:
                due_s += period_s
                await self.clock.until(due_s)
                now_s = self.clock.now_s()
                if now_s - due_s > period_s:  # too late for the missed ones: go on from here, and say so
                    self.late_scans += 1
                    due_s = now_s
                await self.scan_once(now_s, now_s - at_s)
                at_s = now_s
        finally:
            await self._leave_safe()

    async def scan_once(self, at_s: float, dt_s: float) -> None:
        """Read, decide, journal, write."""
        own = self.own(at_s)
        inputs = await self.field.read(at_s, dt_s, own)
        commands = tuple(self.commands.popleft() for _ in range(len(self.commands)))
        ahead, self.forecast = self.forecast, None
        record = self.decide(inputs, commands, ahead)
        entries, durable = self.recorder.entries(self.memory, record)
        for event in self.field.drain():
            entries.append(entry("plc", at_s, {"event": event.name, **event.details}))
            log.info("plc", what_happened=event.name, **event.details)
        step_s = own["clock_step_s"].value or 0.0
        if abs(step_s) > self.config.settings.limits.clock_step_s:
            entries.append(entry("clock", at_s, {"step_s": step_s}))
        await self._write_down(entries, durable)
        await self.field.write(record.outputs, withheld=record.withheld)
        self.scans += 1
        self.last = record
        self._say(record)
        notify("WATCHDOG=1")

    def decide(self, inputs: Inputs, commands: tuple[Command, ...], ahead: Forecast | None) -> Record:
        """Scan once: all that the outputs depend on comes in here and in the memory."""
        self.memory, record = scanning.scan(self.config.settings, self.memory, inputs, commands, ahead)
        return record

    async def watch_mailbox(self) -> None:
        """Fetch commands; recipes are read and checked here, beside the scan."""
        while True:
            for row in await asyncio.to_thread(self.mailbox.take, self.next_row):
                self.next_row = row.row
                self.commands.append(await asyncio.to_thread(command_of, row, wall_ns(), self.config.settings.approval))
            await asyncio.sleep(POLL_S)

    async def watch_recipe(self) -> None:
        """Verify the running recipe again whenever a batch, a phase or an edit begins; what is wrong with it holds the batch (I34)."""
        while True:
            if self.verifier.due(self.memory):
                await self.verify()
            await asyncio.sleep(VERIFY_POLL_S)

    async def verify(self) -> None:
        """Verify the recipe in the memory once; a change of the answer is a decision in the journal."""
        if await self.verifier.look(self.memory):
            why = self.verifier.why
            content = {"what": "recipe not verified" if why else "recipe verified", "why": why or "the recipe is the approved one"}
            self.journal.append([entry("decision", self.clock.now_s(), content)])
            log.error("recipe", **content)

    async def look_ahead(self) -> None:
        """Make forecasts in a thread of their own; compiled code leaves the interpreter to the scan."""
        tried_s = None  # one that could not be made is not tried again on the same belief
        while True:
            belief = self.memory.estimator
            if self.forecast is None and belief is not None and belief.at_s != tried_s and plan.due(self.config.settings, self.memory):
                tried_s = belief.at_s
                self.forecast = await asyncio.to_thread(plan.forecast, self.config.settings, self.memory)
            await asyncio.sleep(FORECAST_POLL_S)

    async def keep_house(self) -> None:
        """Look after the disk and the gateway's life sign."""
        while True:
            self.disk_free_pct = await asyncio.to_thread(_disk_free_pct, self.config.core.journal)
            seen_ns = await asyncio.to_thread(self.mailbox.last_heartbeat, "gateway")
            self.gateway_ok = seen_ns is not None and wall_ns() - seen_ns < GATEWAY_LIFE_S * 1e9
            self.proof_due = await asyncio.to_thread(self._overdue)
            await asyncio.sleep(HOUSEKEEPING_S)

    def _overdue(self) -> int:
        """Return how many safety devices are overdue for their proof test, read from the journal; as before when it cannot be read."""
        if not self.journal.trusted:
            return self.proof_due
        try:
            with self.journal.reader() as reader:
                return len(prooftests.overdue(reader, self.config.settings.proof_test.interval_d, wall_ns()))
        except JournalError as error:
            log.warning("proof tests cannot be read", why=str(error))
            return self.proof_due

    async def _write_down(self, entries: list[Entry], durable: bool) -> None:
        if not entries:
            return
        future = self.journal.append(entries, durable)
        if not durable:
            return
        done, _ = await asyncio.wait([asyncio.wrap_future(future)], timeout=JOURNAL_WAIT_S)
        self.journal_slow = not done
        for finished in done:
            if finished.exception() is not None:  # the journal has marked itself; I30 holds the batch
                log.error("journal cannot be written", why=self.journal.why)

    async def _leave_safe(self) -> None:
        """Write one last block: no heat, everything that keeps the chamber inert as it is. The PLC's watchdog does the rest."""
        held = self.memory.outputs if self.scans else OFF
        await self.field.write(safe(held))

    def _say(self, record: Record) -> None:
        for note in record.notes:
            if note.kind in ("state", "phase", "alarm", "decision", "command", "batch_end"):
                log.info(
                    note.kind,
                    **{key: value for key, value in note.content.items() if key != "event"},
                    what_happened=note.content.get("event"),
                )


def safe(outputs: Outputs) -> Outputs:
    """Return ``outputs`` without heat, vent and door release, inerting as it is."""
    mode = outputs.mode if outputs.mode in (Mode.OFF, Mode.ABORT) else Mode.HOLD
    return outputs._replace(mode=mode, heat_enable=False, zone_op_pct=(0.0, 0.0, 0.0), vent_valve=False, door_release=False)


def driver_of(plc: Plc, wiring: Wiring) -> Driver:
    """Return the driver of the wire that ``plc`` names; raise FileError when its settings or ``wiring`` do not suit it."""
    if plc.wire == "modbus":
        return ModbusDriver(plc.modbus, wiring)
    from controller.southbound.opcua_client import OpcUaDriver  # its library takes 0.7 s and 50 MB, which Modbus need not pay

    return OpcUaDriver(plc.opcua, wiring)


@asynccontextmanager
async def started(config: Config, kind: type[Core] = Core) -> AsyncIterator[Core]:
    """Open journal and wire, restore the memory, journal the start; leave everything closed."""
    log.info("loading the model; after an installation it is compiled first, which takes half a minute")
    await asyncio.to_thread(estimator.warm_up)
    if not config.settings.estimator.calibrated:
        log.warning(UNCALIBRATED)
    scheduling = realtime.prefer()
    wiring = wirings.load(Path(config.plc.wiring))
    Path(config.core.journal).parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(Path(config.core.journal))
    try:
        with journal.reader() as reader:
            restored, broken = recorder.restore(reader), breaks.found(reader)
        outage_s, start_s = _outage(restored, journal.last_at_s, config.core.rate)
        clock = Clock(start_s, config.core.rate)
        sha256 = sha256_of(config)
        taken_kg_h = config.settings.equipment.solvent_kg_h
        journal.append(
            [recorder.boot_entry(start_s, journal.boot, version("ovenctl"), config.core.rate, outage_s, sha256, taken_kg_h)]
        ).result()
        async with Field(driver_of(config.plc, wiring), wiring, epoch=journal.boot, master=config.core.master) as field:
            core = kind(config, journal, field, clock, Memory() if restored is None else restored[0])
            realtime.settle()  # before the gap is named: it takes a scan's time
            if restored is not None:
                await _resume(core, broken, known=outage_s is not None and broken.known)
            log.info(
                "core started",
                boot=journal.boot,
                state=core.memory.unit.state.name,
                outage_s=outage_s,
                rate=config.core.rate,
                scheduling=scheduling,
            )
            notify("READY=1")
            why = "the core failed; its log says where"
            try:
                yield core
            except asyncio.CancelledError:
                why = "asked to stop"
                raise
            finally:
                journal.append([entry("shutdown", clock.now_s(), {"why": why})])  # close() waits until it is on the disk
    finally:
        try:
            journal.close()
        except JournalError:
            log.error("journal did not close", why=journal.why)
        if journal.why:
            log.error("the end is in no journal: what this log says of it is all there is", why=journal.why)


async def run(config: Config, kind: type[Core] = Core) -> None:
    """Run the core until cancelled. Everything that fails beyond the wire is a bug: the outputs go safe and the process ends."""
    async with started(config, kind) as core, asyncio.TaskGroup() as group:
        group.create_task(core.run_scans(), name="scan")
        group.create_task(core.watch_mailbox(), name="mailbox")
        group.create_task(core.watch_recipe(), name="recipe")
        group.create_task(core.look_ahead(), name="forecast")
        group.create_task(core.keep_house(), name="housekeeping")


async def _resume(core: Core, broken: Break, known: bool) -> None:
    """Bring the memory of a checkpoint to now: the unit HELD, the belief carried over the gap, the gap in the journal.

    The outage counts from the last entry of a core that took over, the gap in the belief from the last reading it has seen; how the batch
    goes on is decided by the first scans. Actuations that nobody saw the end of get an outcome that says so. The memory is written down
    with what it says, in one transaction: a core that is killed before its first scan is followed by one that goes on from here.
    """
    await core.verify()
    at_s = core.clock.now_s()
    inputs: Inputs = await core.field.read(at_s, 0.0, core.own(at_s))
    away_s = at_s - broken.from_s
    told = _accounted(core, broken)
    core.memory, notes = power_return(core.memory, inputs, core.config.settings, away_s, known, told)
    intent = max(broken.intent, core.memory.actuation.intent)  # the checkpoint may be older than the last one
    core.memory = core.memory._replace(actuation=core.memory.actuation._replace(intent=intent))
    content = {"from_s": broken.from_s, "to_s": at_s, "count": int(away_s / recorder.SAMPLE_S), "cause": _cause(told, inputs)}
    entries = [entry("gap", at_s, content), *broken.abandoned(at_s), *(entry(note.kind, at_s, note.content) for note in notes)]
    entries.append(recorder.checkpoint_entry(core.memory, at_s))
    core.journal.append(entries).result()


def _accounted(core: Core, broken: Break) -> tuple[int, int] | None:
    """Return epoch and highest counter of a block that the PLC may have followed, had the journal been written until the core ended.

    Behind the last sample there may be blocks until the next one was due, and what was not yet on the disk.
    """
    if broken.told is None:
        return None
    at = core.config.core
    behind_s = recorder.interval_s(core.memory.unit) + recorder.SAMPLE_S + UNWRITTEN_S * at.rate
    epoch, counter = broken.told
    return epoch, counter + 1 + int(behind_s / at.scan_s)


def _cause(told: tuple[int, int] | None, inputs: Inputs) -> str:
    if blocks := resuming.unwritten(told, inputs):
        return f"the journal was not written while the core ran on, for {blocks} blocks and more, and then the core was not running"
    return "the core was not running"


def _outage(restored: tuple[Memory, int] | None, last_at_s: float, rate: float) -> tuple[float | None, float]:
    """Return how long the core was away (process seconds, None when unknown or new) and the process time to start from."""
    if restored is None:
        return None, last_at_s
    away_s = (wall_ns() - restored[1]) / 1e9 * rate
    if away_s < 0:  # the wall clock was set back meanwhile: nobody knows
        return None, last_at_s + UNKNOWN_OUTAGE_S
    return away_s, last_at_s + away_s


def _disk_free_pct(journal: str) -> float:
    folder = Path(journal).parent
    usage = shutil.disk_usage(folder if folder.exists() else os.curdir)
    return 100.0 * usage.free / usage.total
