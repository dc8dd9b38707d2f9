"""The demo: soft PLC, broker, core and gateway as real processes on loopback, accelerated; one whole batch with live progress.

It uses only what a site uses: the mailbox to ask, the journal to look, MQTT to listen, ``ovenctl report`` for the record.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiomqtt
from rich.console import Console
from rich.live import Live
from rich.table import Table

from controller import status
from controller.clock import wall_s
from controller.errors import JournalError, OvenctlError
from controller.journal.mailbox import post
from controller.journal.product import read_lab_file
from controller.journal.reader import JournalReader
from controller.journal.report import report
from sim import lot
from sim.broker import broker
from sim.demo_wire import Kind, Wire, wire
from sim.processes import spawn, stop
from sim.station import endpoint_verdict
from sim.truth import beside

ROOT: Final = Path(__file__).parents[1]
START_S: Final = 30.0  # wall
LEAVE_S: Final = 20.0  # wall
MAX_RESTARTS: Final = 5
PROOFS: Final = 5  # attempts at the proof test
RESTART_S: Final = 5.0  # wall, between two restarts
LOOK_S: Final = 0.5  # wall
REFERENCE: Final = beside(Path("journal.sqlite"))
FINAL: Final = ("COMPLETE", "STOPPED", "ABORTED")


class DemoError(OvenctlError):
    """The demo cannot go on; the text says why and where to look."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What was asked for."""

    rate: float
    recipe: Path
    load: Path
    seed: int
    folder: Path
    plc: Kind = "tcp"


@dataclass
class Heard:
    """What came over MQTT."""

    messages: int = 0


async def run(demo: Demo) -> int:
    """Run the demo; return 0 when the batch is complete and nothing unsafe was seen, 1 otherwise, 130 after Ctrl-C."""
    folder = _new_folder(demo.folder)
    console = Console()
    heard = Heard()
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):  # the first one cancels; later ones find nothing to do
        loop.add_signal_handler(number, lambda: task.cancel() if task is not None and not task.cancelling() else None)
    with wire(demo.plc, folder) as way:
        return await _run_on(demo, folder, console, heard, way)


async def _run_on(demo: Demo, folder: Path, console: Console, heard: Heard, way: Wire) -> int:
    task = asyncio.current_task()
    async with broker() as bus:
        config = _write_config(folder, demo.rate, demo.seed, way, bus.port)
        console.print(
            f"soft PLC {way.where}, {bus.kind} on 127.0.0.1:{bus.port}, {demo.rate:g} process seconds a second, files in {folder}"
        )
        async with _listening(bus.port, heard), _processes(demo, folder, way, config) as processes:
            try:
                await _started(folder, processes)
                await _prove(folder, processes, console)
                _start_batch(folder, demo)
                state = await _watch(folder, processes, console, heard)
            except asyncio.CancelledError:
                if task is not None:
                    task.uncancel()
                await _leave_safe(folder, console)
                return 130
    return _verdict(folder, state, console, heard)


def _new_folder(parent: Path) -> Path:
    number = 1 + max((int(found.name) for found in parent.glob("[0-9]*") if found.name.isdigit()), default=0)
    folder = parent / f"{number:03}"
    folder.mkdir(parents=True)
    return folder


def _write_config(folder: Path, rate: float, seed: int, way: Wire, mqtt_port: int) -> Path:
    config = folder / "controller.toml"
    config.write_text(
        f"""# Written by the demo. Paths are relative to this file.
[core]
scan_s = 1.0
rate = {rate:.3f}
journal = "journal.sqlite"
mailbox = "mailbox.sqlite"

[plc]
wiring = "{os.path.relpath(ROOT / "deploy" / "wiring.toml", folder)}"
{way.toml}
[gateway]
state_dir = "gateway"

[gateway.mqtt]
port = {mqtt_port}
site = "demo"
oven = "oven-1"
sample_every_s = 10.0

[settings.estimator]
{chr(10).join(f"{key} = {json.dumps(value)}" for key, value in lot.estimator(seed).items())}
""",
        encoding="utf-8",
    )
    return config


@asynccontextmanager
async def _processes(demo: Demo, folder: Path, way: Wire, config: Path) -> AsyncIterator[dict[str, asyncio.subprocess.Process]]:
    """Run PLC, core and gateway; on the way out stop them in the order gateway, core, PLC, so that the core can leave the oven safe."""
    sim = ["-m", "sim", "plc", *way.arguments, "--rate", str(demo.rate), "--scan", "1.0", "--load", str(demo.load), "--seed",
           str(demo.seed), "--truth", str(folder / "lab.json"), "--reference", str(folder / REFERENCE),
           "--unsafe", str(folder / "unsafe.jsonl")]  # fmt: skip
    commands = {
        "plc": sim,
        "core": ["-m", "controller", "run", "-c", str(config)],
        "gateway": ["-m", "controller", "gateway", "-c", str(config)],
    }
    running: dict[str, asyncio.subprocess.Process] = {}
    with _logs(folder, commands) as logs:
        try:
            for name, arguments in commands.items():
                running[name] = await spawn([sys.executable, *arguments], logs[name], ROOT)
                if name == "plc" and way.port is not None:
                    await _port_open(way.port, running[name])
            yield running
        finally:
            for name in ("gateway", "core", "plc"):
                if name in running:
                    await stop(running[name])


class _logs:  # noqa: N801 - reads as a verb phrase at its one use
    def __init__(self, folder: Path, names: dict[str, list[str]]) -> None:
        self._files = {name: (folder / f"{name}.log").open("ab") for name in names}

    def __enter__(self) -> dict[str, Any]:
        return self._files

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()


async def _port_open(port: int, process: asyncio.subprocess.Process) -> None:
    deadline_s = wall_s(START_S)
    while wall_s() < deadline_s and process.returncode is None:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
            return
        await asyncio.sleep(0.05)
    raise DemoError("the soft PLC does not answer; see plc.log")


@asynccontextmanager
async def _listening(port: int, heard: Heard) -> AsyncIterator[None]:
    async def listen() -> None:
        async with aiomqtt.Client("127.0.0.1", port, identifier="demo-supervisor") as client:
            await client.subscribe("ovenctl/#", qos=1)
            async for _ in client.messages:
                heard.messages += 1

    task = asyncio.create_task(listen(), name="supervisor")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, aiomqtt.MqttError):
            await task


async def _started(folder: Path, processes: dict[str, asyncio.subprocess.Process]) -> None:
    deadline_s = wall_s(START_S)
    while wall_s() < deadline_s:
        _check(processes)
        with suppress(JournalError, OSError):
            with JournalReader(folder / "journal.sqlite") as reader:
                stored = reader.last("sample")
            if stored is not None:
                return
        await asyncio.sleep(0.1)
    raise DemoError("the core does not start; see core.log")


async def _prove(folder: Path, processes: dict[str, asyncio.subprocess.Process], console: Console) -> None:
    """Make the proof test that the batch needs; on a busy machine the accelerated PLC may be late, so more than once."""
    why = "no result"
    for _ in range(PROOFS):
        post(folder / "mailbox.sqlite", "demo operator", "PROOF_TEST", {}, "IDLE")
        with JournalReader(folder / "journal.sqlite") as reader:
            seen, deadline_s = reader.last_seq(), wall_s(START_S)
            while wall_s() < deadline_s and not (found := reader.after(seen, 1, ("prooftest",))):
                _check(processes)
                await asyncio.sleep(0.1)
        if found:
            said = found[0].fields()
            why = str(said["why"])
            console.print(f"proof test: {said['result']}, {len(said['findings'])} checks {why}".rstrip())
            if said["result"] == "pass":
                return
    raise DemoError(f"the proof test does not pass: {why}")


def _start_batch(folder: Path, demo: Demo) -> None:
    args = {"recipe": demo.recipe.read_text("utf-8"), "load": demo.load.read_text("utf-8"), "formula": {}}
    post(folder / "mailbox.sqlite", "demo operator", "START", args, "IDLE")


def _check(processes: dict[str, asyncio.subprocess.Process]) -> None:
    for name, process in processes.items():
        if process.returncode is not None:
            raise DemoError(f"the {name} process ended with {process.returncode}; see {name}.log")


async def _watch(folder: Path, processes: dict[str, asyncio.subprocess.Process], console: Console, heard: Heard) -> str:
    """Show progress until the unit has reached a final state, and return it."""
    restarts, restart_due_s = 0, 0.0
    with _Table(console) if console.is_terminal else _Plain(console) as screen:
        while True:
            _check(processes)
            with JournalReader(folder / "journal.sqlite") as reader:
                now = status.now(reader)
                refused = [json.loads(found.payload) for found in reader.after(0, 20, ["command"])]
            screen.update(list(_lines(now, heard)))
            if now["state"] in FINAL:
                return str(now["state"])
            if refused and refused[0]["verb"] == "START" and not refused[0]["accepted"]:
                raise DemoError(f"refused: {refused[0]['answer']}")
            if now["state"] == "HELD" and wall_s() > restart_due_s:
                if restarts == MAX_RESTARTS:
                    raise DemoError(f"held again after {restarts} restarts: {'; '.join(now['alarms'])}; see core.log")
                restarts, restart_due_s = restarts + 1, wall_s(RESTART_S)
                console.print(f"held ({'; '.join(now['alarms'])}): the demo's operator restarts the batch")
                post(folder / "mailbox.sqlite", "demo operator", "RESTART", {"reason": "demo"}, "HELD")
            await asyncio.sleep(LOOK_S)


class _Plain:
    """Progress as lines, where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._count = 0

    def __enter__(self) -> "_Plain":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, lines: list[tuple[str, str]]) -> None:
        """Print every twentieth state in one line."""
        if self._count % 20 == 0 and lines:
            self._console.print(" | ".join(f"{name}: {value}" for name, value in lines), soft_wrap=True)
        self._count += 1


class _Table:
    """Progress as a table that is drawn again and again."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4)

    def __enter__(self) -> "_Table":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def update(self, lines: list[tuple[str, str]]) -> None:
        """Draw the present state."""
        table = Table(show_header=False, title="ovenctl demo", min_width=90)
        for name, value in lines:
            table.add_row(name, value)
        self._live.update(table)


def _lines(now: dict[str, Any], heard: Heard) -> Iterator[tuple[str, str]]:
    if "at_s" in now:
        yield from status.lines(now)
        yield "MQTT messages heard", str(heard.messages)


async def _leave_safe(folder: Path, console: Console) -> None:
    """Abort the batch and wait until the journal says so; the processes are stopped after that."""
    console.print("\nasked to stop: aborting the batch, heat off, inerting kept …")
    with suppress(OvenctlError):
        post(folder / "mailbox.sqlite", "demo operator", "ABORT", {"reason": "demo interrupted"})
    deadline_s = wall_s(LEAVE_S)
    while wall_s() < deadline_s:
        with JournalReader(folder / "journal.sqlite") as reader:
            state = status.now(reader)["state"]
        if state in (*FINAL, "IDLE", "unknown"):
            console.print(f"the unit is {state}; journal in {folder}")
            return
        await asyncio.sleep(0.2)
    console.print("the unit did not answer; the PLC's watchdog takes the heat off by itself")


def _verdict(folder: Path, state: str, console: Console, heard: Heard) -> int:
    lab = json.loads((folder / "lab.json").read_text("utf-8"))
    unsafe = folder / "unsafe.jsonl"
    seen = unsafe.read_text("utf-8").splitlines() if unsafe.exists() else []
    out = report(folder / "journal.sqlite", folder / "batch-report.html", None, read_lab_file(folder / "lab.json")[0], folder / REFERENCE)
    with JournalReader(folder / "journal.sqlite") as reader:
        stored = reader.last("batch_end")
    end = json.loads(stored.payload) if stored is not None else {}
    console.print(f"\nbatch {state} after {end.get('batch_s', 0) / 3600:.2f} h of process time; {heard.messages} MQTT messages heard")
    for line in endpoint_verdict(end, lab):
        console.print(f"  {line}")
    console.print(f"unsafe states seen by the judge: {len(seen)}" + "".join(f"\n  {line}" for line in seen[:10]))
    good = state == "COMPLETE" and not seen
    console.print(f"verdict: {'GOOD' if good else 'NOT GOOD'}\nbatch report: {out}")
    return 0 if good else 1
