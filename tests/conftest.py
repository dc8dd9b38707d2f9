"""Real servers that several test files share. Loopback only, on ephemeral ports."""

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import structlog
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from sim import lot
from sim.broker import free_port, mosquitto

if TYPE_CHECKING:
    from tests.opcua_rig import Site
    from tests.wires import Wire

START_S = 10.0
# An example may be the one in which numba compiles or a neighbour takes the processor: no deadline on the wall (hypothesis has 200 ms).
settings.register_profile("without a deadline", deadline=None)
settings.load_profile("without a deadline")


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """Put the log back as it was: a test that runs a service in its own process leaves it writing to a captured stream that is gone."""
    yield
    structlog.reset_defaults()


# Real processes and sockets, with deadlines on the wall: one of these at a time, however many workers there are.
LIVE = (
    "approval_core", "attacks", "contract_wires", "core_process", "gateway_ending", "interop*", "journal_failures", "journal_reading",
    "journal_writing", "kills", "modbus_server", "mqtt_broker", "mqtt_cursor", "mqtt_delivery", "opcua_*", "southbound_field",
    "southbound_modbus",
)  # fmt: skip
# More than ten seconds of processor time each (2026-11-27), longest first.
LONG = (
    "lots_foretold", "drying_belief", "whole_batches", "exploration", "campaign", "rehearsals", "calibration",
)  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Let every process of this run, workers and what they start, share the calibrated lots; the next run calibrates anew."""
    if lot.KEPT not in os.environ:
        folder = TemporaryDirectory(prefix="ovensim-lots-")
        os.environ[lot.KEPT] = folder.name
        config.add_cleanup(folder.cleanup)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files with real processes come first, then those that take longest, so that all workers end together.

    Before all of them comes what forks: a fork of a process with threads may wait for ever for a lock that one of them held.
    """
    first = {name: place for place, name in enumerate(("mutation", "live", *LONG))}
    items.sort(key=lambda item: first.get(_group(item.nodeid), len(first)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Return what deals the tests out to the workers of pytest-xdist: whole files, which share costly things, and the live ones as one."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = _group
    return scheduler


def _group(nodeid: str) -> str:
    name = Path(nodeid.partition("::")[0]).stem.removeprefix("test_")
    return "live" if any(fnmatch(name, pattern) for pattern in LIVE) else name


def required(program: str | None, name: str) -> str:
    """Return ``program``; without it skip, or fail where CI=true promises that everything is installed."""
    if program is not None:
        return program
    message = f"{name} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@asynccontextmanager
async def serving(handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], port: int = 0) -> AsyncIterator[int]:
    """Serve ``handle`` on a loopback port (given back) and leave no connection behind."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])

    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(task := asyncio.create_task(serve(reader, writer)))
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        ending = list(tasks)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)


class Mosquitto:
    """A real broker that can be killed and started again on its port."""

    def __init__(self, program: str, folder: Path, config: str = "allow_anonymous true\n") -> None:
        self.program = program
        self.port = free_port()
        self.config = folder / "mosquitto.conf"
        self.config.write_text(config if "listener" in config else f"listener {self.port} 127.0.0.1\n{config}")
        self.log = folder / "mosquitto.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([self.program, "-c", str(self.config)], stdout=log, stderr=log)
        deadline_s = time.monotonic() + START_S
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"mosquitto ended: {self.log.read_text()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
                return
            except OSError:
                if time.monotonic() > deadline_s:
                    self.kill()
                    raise

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def mosquitto_program() -> str:
    return required(mosquitto(), "mosquitto")


@pytest.fixture(scope="session")
def mosquitto_port(mosquitto_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A broker for tests that leave it running; each test takes its own topics."""
    broker = Mosquitto(mosquitto_program, tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    yield broker.port
    broker.kill()


@pytest.fixture
def own_mosquitto(mosquitto_program: str, tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that the test may kill. It keeps nothing, as a broker that lost its disk."""
    broker = Mosquitto(mosquitto_program, tmp_path, "allow_anonymous true\nmax_inflight_messages 0\n")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def opcua_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Site"]:
    """A living oven with its OPC UA server; tests leave it as they found it."""
    from tests.opcua_rig import Site

    site = Site(tmp_path_factory.mktemp("opcua"))
    site.start()
    yield site
    site.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def opcua_wire(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator["Wire"]:
    from tests.wires import wire

    async with wire("opcua", tmp_path_factory.mktemp("pki")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def line(opcua_wire: "Wire") -> AsyncIterator["Wire"]:
    """The soft PLC on OPC UA, begun anew for one test; its event loop is the session's, and the test's has to be."""
    opcua_wire.fresh()
    yield opcua_wire
    opcua_wire.access.users.clear()
