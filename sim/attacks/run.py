"""The rehearsal: soft PLC, core and gateway as real processes, a batch that ramps, one attack after the other; and what it must not change.

Proved afterwards, from tapes: every block that the soft PLC got is what the pure scan makes of the core's inputs with nothing else in the
world; the only commands in those inputs are the operator's; no block is missing. A second run without a gateway shows the same order of
modes and phases, and how late blocks are on this machine anyway. Its valves and numbers are not compared: they follow measured values,
which differ between any two runs in real time.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from asyncua import ua
from rich.console import Console
from rich.table import Table

from controller import config
from controller.clock import wall_s
from controller.errors import JournalError, OvenctlError
from controller.image import Outputs
from controller.journal.mailbox import post
from controller.journal.reader import JournalReader
from sim.attacks import kinds, tape, target
from sim.attacks.target import Target
from sim.broker import free_port
from sim.processes import stop

ROOT: Final = tape.ROOT
RECIPE: Final = ROOT / "recipes" / "trial-short.toml"
RATE: Final = 20.0  # process seconds a second: the PLC's 5 s are 250 ms, which a busy machine holds
BACK_S: Final = 10.0  # within which the gateway answers after an attack
CAP_MB: Final = 384.0  # MemoryHigh of its systemd unit
START_S: Final = 90.0  # wall
RAMP_S: Final = 600.0  # wall, until the batch ramps
LOOK_S: Final = 0.1
SETTLED_S: Final = 60.0  # process time before START: the first image is there, and what it raised is gone


class AttackError(OvenctlError):
    """The rehearsal cannot go on; the text says why and where to look."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; ``seconds`` of each kind."""

    seconds: float
    folder: Path
    kinds: tuple[str, ...] = tuple(kinds.KINDS)
    rate: float = RATE


class Blow(NamedTuple):
    """One attack and how the gateway took it."""

    kind: str
    rounds: int
    back_s: float  # until it answered afterwards; infinite when it did not
    memory_mb: float  # most during the attack
    cpu_share: float  # of one core


class Course(NamedTuple):
    """One run as its tapes tell it."""

    scans: int
    blocks: int
    wrong: int  # blocks that are not what the pure scan makes of the inputs
    missing: int  # scans whose block the PLC never got
    refused: int  # blocks that the PLC did not take
    commands: tuple[str, ...]
    steps: tuple[tuple[object, ...], ...]  # modes and phases, each time that they changed
    late_p99_s: float  # process time between two blocks
    late_max_s: float


class Found(NamedTuple):
    """What came out."""

    blows: tuple[Blow, ...]
    attacked: Course
    alone: Course
    violations: tuple[str, ...]


async def run(wanted: Wanted, say: Console) -> Found:
    """Rehearse every kind, then the same time without a gateway."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    attacked, alone = wanted.folder / "attacked", wanted.folder / "alone"
    blows: list[Blow] = []
    async with _site(attacked, wanted.rate, gateway=True) as site:
        await site.ramps()
        for kind in wanted.kinds:
            blows.append(await _blow(site, kind, wanted.seconds))
            say.print(f"{kind}: {blows[-1].rounds} rounds, back in {blows[-1].back_s:.1f} s", highlight=False)
        last_s = site.at_s()
    async with _site(alone, wanted.rate, gateway=False) as site:
        await site.ramps()
        await site.until(lambda: site.at_s() >= last_s, 2 * len(blows) * (wanted.seconds + BACK_S), "the batch does not go on")
    first, second = course(attacked), course(alone)
    return Found(tuple(blows), first, second, tuple(violations(blows, first, second)))


def course(folder: Path) -> Course:
    """Return what the tapes of a run say, its scans run again."""
    settings = config.load(folder / "controller.toml").settings
    got = {block.counter: block for block in tape.blocks(folder / "blocks.tape")}
    number = wrong = missing = scans = 0
    commands: list[str] = []
    steps: list[tuple[object, ...]] = []
    ordered = sorted(got)
    place = 0
    for outputs, taped in tape.again(settings, tape.scans(folder / "scans.tape")):
        scans += 1
        commands += [command.verb.value for command in taped.commands]
        wrong += outputs != taped.outputs
        if place < len(ordered) and got[ordered[place]].outputs == tape.on_the_wire(outputs):
            place += 1
            number += 1
        elif place:
            missing += 1
        if not steps or steps[-1] != programmed(outputs):
            steps.append(programmed(outputs))
    wrong += len(ordered) - place - _at_the_end(len(ordered) - place)
    gaps = sorted(later.at_s - earlier.at_s for earlier, later in zip(*(_in_order(got), _in_order(got)[1:]), strict=False)) or [0.0]
    refused = sum(block.reason != 0 for block in got.values())
    return Course(scans, len(got), wrong, missing, refused, tuple(commands), tuple(steps), gaps[int(0.99 * (len(gaps) - 1))], gaps[-1])


def _in_order(got: dict[int, tape.Got]) -> list[tape.Got]:
    return [got[counter] for counter in sorted(got)]


def _at_the_end(left: int) -> int:
    """Return how many blocks at the end no scan has made: the one with which the core leaves the oven safe."""
    return min(left, 1)


def programmed(outputs: Outputs) -> tuple[object, ...]:
    """Return what the recipe and the unit's state alone decide: valves and heat near a threshold differ between any two runs."""
    return (outputs.mode.name, outputs.batch_id, outputs.recipe_crc, outputs.phase_index, outputs.phase_kind)


def violations(blows: Iterable[Blow], attacked: Course, alone: Course) -> Iterable[str]:
    """Yield everything that must not be."""
    for blow in blows:
        if blow.rounds == 0:
            yield f"{blow.kind}: no round was made"
        if blow.back_s > BACK_S:
            yield f"{blow.kind}: no answer within {BACK_S:g} s afterwards"
        if blow.memory_mb > CAP_MB:
            yield f"{blow.kind}: {blow.memory_mb:.0f} MB, the cap is {CAP_MB:g}"
    for name, one in (("attacked", attacked), ("alone", alone)):
        if one.wrong or one.missing or one.refused:
            yield f"{name}: {one.wrong} blocks that no scan made, {one.missing} missing, {one.refused} refused by the PLC"
        if one.commands != ("START",):
            yield f"{name}: commands {', '.join(one.commands)}, wanted START only"
    both = min(len(attacked.steps), len(alone.steps))
    if attacked.steps[:both] != alone.steps[:both]:
        at = next(place for place in range(both) if attacked.steps[place] != alone.steps[place])
        yield f"modes and phases differ from the run without a gateway at step {at}"


class _Site:
    """One run's processes."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.target = folder, Target(port, folder)
        self.running: dict[str, asyncio.subprocess.Process] = {}

    async def ramps(self) -> None:
        """Start the batch, once the PLC has been seen for a while, and wait until it heats."""
        await self.until(lambda: self.at_s() > SETTLED_S, START_S, "the core does not go on")
        args = {"recipe": RECIPE.read_text("utf-8"), "load": tape.LOAD.read_text("utf-8"), "formula": {}}
        post(self.folder / "mailbox.sqlite", "operator", "START", args, "IDLE")
        await self.until(lambda: self._phase() == "RAMP", RAMP_S, "the batch does not ramp")

    def at_s(self) -> float:
        """Return the process time of the journal's newest sample, s."""
        with suppress(JournalError, OSError), JournalReader(self.folder / "journal.sqlite") as reader:
            if (sample := reader.last("sample")) is not None:
                return sample.at_s
        return 0.0

    def _phase(self) -> str:
        with JournalReader(self.folder / "journal.sqlite") as reader:
            phase = reader.last("phase")
        return "" if phase is None else str(phase.fields()["kind"])

    async def until(self, true: Any, within_s: float, why: str) -> None:
        """Wait until ``true()``; raise AttackError when it takes too long or a process has ended."""
        end_s = wall_s(within_s)
        while not true():
            for name, process in self.running.items():
                if process.returncode is not None:
                    raise AttackError(f"the {name} ended with {process.returncode}; see {self.folder / name}.log")
            if wall_s() > end_s:
                raise AttackError(f"{why}; see the logs in {self.folder}")
            await asyncio.sleep(LOOK_S)

    def memory_mb(self, which: str) -> float:
        """Return the gateway's memory, MB."""
        text = Path(f"/proc/{self.running['gateway'].pid}/status").read_text("ascii")
        return int(next(line for line in text.splitlines() if line.startswith(which)).split()[1]) / 1024

    def forget_peak(self) -> None:
        """Let ``VmHWM`` begin anew."""
        Path(f"/proc/{self.running['gateway'].pid}/clear_refs").write_text("5", "ascii")

    def cpu_s(self) -> float:
        """Return the gateway's processor time, s."""
        fields = Path(f"/proc/{self.running['gateway'].pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100.0


async def _blow(site: _Site, kind: str, seconds: float) -> Blow:
    site.forget_peak()
    cpu_s, began_s = site.cpu_s(), wall_s()
    arguments = ("-m", "sim.attacks.kinds", kind, str(site.target.port), str(site.folder), str(seconds))
    with (site.folder / "attackers.log").open("ab") as log:
        attacker = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=log)
        said, _ = await attacker.communicate()
    share = (site.cpu_s() - cpu_s) / (wall_s() - began_s)
    back_s = await answered(site.target, BACK_S)
    return Blow(kind, int(said or b"0"), back_s, site.memory_mb("VmHWM"), share)


async def answered(wanted: Target, within_s: float) -> float:
    """Return after how long a person can log in and read the unit's state; infinite when that takes longer than ``within_s``."""
    began_s = wall_s()
    while wall_s() - began_s < within_s:
        with suppress(OSError, TimeoutError, ua.UaError):
            async with asyncio.timeout(within_s):
                client = await wanted.client("vera")
                async with client:
                    await client.get_node(ua.NodeId("Oven.Unit.State", 2)).read_value()
                    return wall_s() - began_s
        await asyncio.sleep(LOOK_S)
    return float("inf")


@asynccontextmanager
async def _site(folder: Path, rate: float, gateway: bool) -> AsyncIterator[_Site]:
    plc, opcua = free_port(), free_port()
    site = _Site(folder, opcua)
    _prepare(folder, rate, plc, opcua)

    settings = str(folder / "controller.toml")
    commands = {
        "plc": ("-m", "sim.attacks.tape", "plc", str(plc), str(rate), str(folder / "blocks.tape")),
        "core": ("-m", "sim.attacks.tape", "core", settings, str(folder / "scans.tape")),
        **({"gateway": ("-m", "controller", "gateway", "-c", settings)} if gateway else {}),
    }
    try:
        for name, arguments in commands.items():
            with (folder / f"{name}.log").open("ab") as log:
                site.running[name] = await asyncio.create_subprocess_exec(
                    sys.executable, *arguments, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
                )
        await site.until(lambda: site.at_s() > 0.0, START_S, "the core does not start")
        if gateway and await answered(site.target, START_S) > START_S:
            raise AttackError(f"the gateway does not answer; see {folder}/gateway.log")
        yield site
    finally:
        for name in reversed(list(site.running)):
            await stop(site.running[name])


def _prepare(folder: Path, rate: float, plc: int, opcua: int) -> None:
    folder.mkdir(parents=True)
    target.prepare(folder)
    (folder / "controller.toml").write_text(
        f'[core]\nscan_s = 1.0\nrate = {rate}\njournal = "journal.sqlite"\nmailbox = "mailbox.sqlite"\n[plc]\nwiring = "{tape.WIRING}"\n'
        f'[plc.modbus]\nhost = "127.0.0.1"\nport = {plc}\n[gateway]\nstate_dir = "gateway"\n[gateway.mqtt]\nport = {free_port()}\n'
        f"[gateway.opcua]\nenabled = true\nport = {opcua}\n[settings.proof_test]\nrequired = false\n",
        "utf-8",
    )


def show(found: Found, say: Console) -> None:
    """Print what came out."""
    table = Table("attack", "rounds", "back in, s", "memory, MB", "gateway's share of a core")
    for blow in found.blows:
        table.add_row(blow.kind, str(blow.rounds), f"{blow.back_s:.2f}", f"{blow.memory_mb:.0f}", f"{100 * blow.cpu_share:.0f} %")
    say.print(table)
    for name, one in (("attacked", found.attacked), ("without a gateway", found.alone)):
        say.print(
            f"{name}: {one.scans} scans, {one.blocks} blocks, {one.wrong} wrong, {one.missing} missing, {one.refused} refused, "
            f"{len(one.steps)} steps of mode and phase, between two blocks p99 {one.late_p99_s:.1f} s, most {one.late_max_s:.1f} s",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
    for violation in found.violations:
        say.print(f"VIOLATION: {violation}", highlight=False, markup=False, soft_wrap=True)
