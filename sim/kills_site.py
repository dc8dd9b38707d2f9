"""The place where a core is killed: a folder with a soft PLC, a core and its operator's mailbox, and a watch over the PLC's image."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from controller import config, status
from controller import wiring as wirings
from controller.block import PlcState
from controller.clock import wall_ns
from controller.errors import JournalError, OvenctlError, WireError
from controller.image import OWN_SIGNALS
from controller.journal.entry import Stored
from controller.journal.mailbox import post
from controller.journal.reader import JournalReader
from controller.southbound.modbus_client import ModbusDriver
from controller.tags import Quality, Sample
from sim import lot
from sim.processes import spawn, stop

ROOT: Final = Path(__file__).parents[1]
WIRING: Final = ROOT / "deploy" / "wiring.toml"
RATE: Final = 20.0
SCAN_S: Final = 1.0  # of core and PLC
POLL_S: Final = 0.02  # wall, of the look at the PLC
SAFE: Final = frozenset({PlcState.BOOT_SAFE, PlcState.WATCHDOG_SAFE, PlcState.COOLDOWN, PlcState.TRIPPED, PlcState.LOCAL})
WATCHDOG_SCANS: Final = 5 + 2  # of the PLC: T_wd, the scan in which the block came and the one that acts
CONTACTOR_SCANS: Final = WATCHDOG_SCANS + 2  # until the feedback of the main contactor shows it


class KillsError(OvenctlError):
    """The run cannot go on; the text says why and where to look."""


@dataclass(frozen=True, slots=True)
class Kills:
    """What was asked for. ``to_end``: the batch must complete; otherwise the operator aborts it after the last kill."""

    runs: int
    seed: int
    recipe: Path
    load: Path
    folder: Path
    every_s: float  # wall, mean between a start and its kill
    rate: float = RATE
    to_end: bool = True


@dataclass
class PlcWatch:
    """What is seen of the PLC by a reader of its image that never writes."""

    safe_trips: int = 0
    longest: int = 0
    wrong: list[str] = field(default_factory=list)
    blocks_ns: list[int] = field(default_factory=list)  # wall clock, when another block was seen to be taken
    _echo: tuple[int | None, ...] = (None,)
    _alive: int = 0
    _silent: bool = False

    @property
    def answers(self) -> bool:
        """Return whether it has been read."""
        return bool(self.blocks_ns)

    def look(self, state: int, alive: int, echo: tuple[int | None, ...], contactor: bool | None) -> None:
        """Take one image: a PLC without new blocks must go safe by its own watchdog, its contactor open."""
        if echo != self._echo or alive < self._alive:
            self._echo, self._alive, self._silent = echo, alive, False
            self.blocks_ns.append(wall_ns())
            return
        scans = alive - self._alive
        self.longest = max(self.longest, scans)
        if scans <= WATCHDOG_SCANS:
            return
        if state in SAFE and not self._silent:
            self._silent = True
            self.safe_trips += 1
        elif state not in SAFE:
            self.wrong.append(f"PLC {PlcState(state).name} after {scans} scans without a block")
        if contactor and scans > CONTACTOR_SCANS:
            self.wrong.append(f"main contactor closed after {scans} scans without a block")


class Site:
    """One folder with a soft PLC, a core and the operator's mailbox."""

    def __init__(self, asked: Kills, port: int) -> None:
        self.asked, self.port, self.folder = asked, port, _new_folder(asked.folder)
        self.journal, self.mailbox = self.folder / "journal.sqlite", self.folder / "mailbox.sqlite"
        self.config = self.folder / "controller.toml"
        self.config.write_text(_config(asked, port), encoding="utf-8")
        self.posted: list[str] = []
        self.kills_ns: list[int] = []
        self.boots_killed = 0  # starts in the journal when the core was last killed
        self.plc = PlcWatch()

    def ask(self, verb: str, args: dict[str, object], expected: str | None = None) -> None:
        """Post a command as the operator."""
        self.posted.append(post(self.mailbox, "virtual operator", verb, args, expected, max_age_s=60.0))

    def refused(self) -> bool:
        """Return whether the core has refused the last command."""
        return any(
            content["id"] == self.posted[-1] and not content["accepted"] for content in (one.fields() for one in self.entries("command"))
        )

    def state(self) -> str:
        """Return where the unit stands by its journal, "unknown" while there is none."""
        with suppress(JournalError, OSError), JournalReader(self.journal) as reader:
            return str(status.now(reader)["state"])
        return "unknown"

    def boots_sampled(self) -> int:
        """Return the number of the last start that has sampled."""
        with suppress(JournalError, OSError), JournalReader(self.journal) as reader:
            found = reader.last("sample")
            return 0 if found is None else found.boot
        return 0

    def entries(self, *kinds: str) -> list[Stored]:
        """Return the journal's entries of ``kinds``, all without any."""
        with JournalReader(self.journal) as reader:
            return list(reader.between(1, reader.last_seq(), kinds or None))

    async def spawn(self, name: str, *arguments: str) -> asyncio.subprocess.Process:
        """Start a process whose output goes to a log file of its name."""
        with (self.folder / f"{name}.log").open("ab") as log:
            return await spawn([sys.executable, "-m", *arguments], log, ROOT)

    async def start_core(self) -> asyncio.subprocess.Process:
        """Start the core, without waiting for it."""
        return await self.spawn("core", "controller", "run", "-c", str(self.config))


def _new_folder(parent: Path) -> Path:
    number = 1 + max((int(found.name) for found in parent.glob("[0-9]*") if found.name.isdigit()), default=0)
    folder = parent / f"{number:03}"
    folder.mkdir(parents=True)
    return folder


def _config(asked: Kills, port: int) -> str:
    estimator = "\n".join(f"{key} = {json.dumps(value)}" for key, value in lot.estimator(asked.seed).items())
    return (
        f'[core]\nscan_s = {SCAN_S}\nrate = {asked.rate:.3f}\njournal = "journal.sqlite"\nmailbox = "mailbox.sqlite"\n'
        f'[plc]\nwiring = {json.dumps(str(WIRING))}\n[plc.modbus]\nhost = "127.0.0.1"\nport = {port}\n[settings.estimator]\n{estimator}\n'
    )


@asynccontextmanager
async def running_plc(site: Site) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the soft PLC with its judge."""
    asked = site.asked
    plc = await site.spawn(
        "plc", "sim", "plc", "--port", str(site.port), "--rate", str(asked.rate), "--scan", str(SCAN_S), "--load", str(asked.load),
        "--seed", str(asked.seed), "--unsafe", str(site.folder / "unsafe.jsonl"),
    )  # fmt: skip
    try:
        yield plc
    finally:
        await stop(plc)


@asynccontextmanager
async def watching(site: Site) -> AsyncIterator[None]:
    """Read the PLC's image beside the core, into ``site.plc``."""
    task = asyncio.create_task(_watch(site), name="PLC watch")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _watch(site: Site) -> None:
    """Read the PLC's image again and again, beside the core."""
    wiring = wirings.load(WIRING)
    driver = ModbusDriver(config.load(site.config).plc.modbus, wiring)
    nothing = dict.fromkeys(OWN_SIGNALS, Sample[float](None, Quality.BAD_RANGE, 0.0))  # what a core would add of its own
    try:
        while True:
            try:
                if not driver.connected:
                    await driver.connect()
                seen = wiring.decode(await driver.read_image(), 0.0, 0.0, nothing)
                echo = (seen.echo_epoch.value, seen.echo_counter.value)
                site.plc.look(seen.plc_state.value or 0, seen.plc_alive.value or 0, echo, seen.main_contactor.value)
            except WireError:  # not started yet, or late
                pass
            await asyncio.sleep(POLL_S)
    finally:
        await driver.close()
