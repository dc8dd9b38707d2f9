"""The gateway process: reads the journal, publishes it, gives a sign of life. It may crash or hang; the core does not notice."""

import asyncio
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from controller.config import Config
from controller.errors import FileError
from controller.journal import samples
from controller.journal.entry import Stored
from controller.journal.mailbox import MailboxError, heartbeat
from controller.journal.reader import JournalReader
from controller.northbound.mqtt import MqttLink, Publisher
from controller.northbound.topics import Entry, SampleView, split
from controller.notify import notify

if TYPE_CHECKING:
    from controller.northbound.opcua.server import OpcuaServer

HEARTBEAT_S: Final = 5.0  # wall
log = structlog.get_logger("gateway")


class JournalSource:
    """The journal as the publisher's source; reading happens on a thread, a connection per page, so that nothing is held open."""

    def __init__(self, path: Path) -> None:
        """Remember the journal's ``path``; it need not exist yet."""
        self._path = path
        self._columns: dict[int, tuple[str, ...]] = {}

    async def fetch(self, after_seq: int, limit: int) -> Sequence[Stored]:
        """Return at most ``limit`` entries behind ``after_seq``. Raises JournalError while the journal cannot be read."""
        return await asyncio.to_thread(self._page, after_seq, limit)

    async def latest(self, kinds: Sequence[str], last_seq: int) -> Sequence[Stored]:
        """Return the newest entry up to ``last_seq`` of each kind and rule. Raises JournalError while the journal cannot be read."""
        return await asyncio.to_thread(self._latest, kinds, last_seq)

    def unpack(self, entry: Entry) -> SampleView:
        """Return a sample as a view. Raises ValueError when its columns are not known."""
        columns = self._columns.get(entry.boot)
        if columns is None:
            raise ValueError(f"sample {entry.seq}: the columns of boot {entry.boot} are not in the journal")
        return split(samples.unpack(entry.payload, columns), samples.unpack_qualities(entry.payload, columns))

    def _latest(self, kinds: Sequence[str], last_seq: int) -> Sequence[Stored]:
        with JournalReader(self._path) as reader:
            return reader.latest(kinds, last_seq)

    def _page(self, after_seq: int, limit: int) -> Sequence[Stored]:
        with JournalReader(self._path) as reader:
            page = reader.after(after_seq, limit)
            for boot in {stored.boot for stored in page} - self._columns.keys():
                if (columns := reader.columns(boot)) is not None:
                    self._columns[boot] = columns
        return page


async def run(config: Config, file: str = "controller.toml") -> None:
    """Publish and give signs of life until cancelled. ``file`` is where ``config`` stands, for what is said of a mistake in it.

    Raises:
        FileError: a file that a person wrote or put there cannot be used.
    """
    mistake: FileError | None = None
    try:
        await _run(config, file)
    except* FileError as failed:  # what else failed goes on its way
        mistake = _first(failed)
    if mistake is not None:
        raise mistake


async def _run(config: Config, file: str) -> None:
    folder = Path(config.gateway.state_dir)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    source = JournalSource(Path(config.core.journal))
    publisher = Publisher(config.gateway.mqtt, source, source.unpack, folder / "mqtt-cursor.json", version("ovenctl"), file)
    opcua = await asyncio.to_thread(_opcua, config, folder) if config.gateway.opcua.enabled else None
    async with asyncio.TaskGroup() as group:
        group.create_task(publisher.run(), name="mqtt")
        group.create_task(_live(publisher, config.core.mailbox), name="sign of life")
        if opcua is not None:
            group.create_task(opcua.run(), name="opcua")
        notify("READY=1")


def _first(failed: BaseExceptionGroup[FileError]) -> FileError:
    first = failed.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _opcua(config: Config, folder: Path) -> "OpcuaServer":
    """Return the OPC UA server, its files looked at before anybody is told that the gateway is there. Its stack is loaded only here."""
    from controller.northbound.opcua.server import OpcuaServer
    from controller.oven_port import JournalOven

    oven = JournalOven(Path(config.core.journal), config.core.mailbox)
    server = OpcuaServer(config.gateway.opcua, folder, oven, config.settings, version("ovenctl"))
    server.check()
    return server


async def _live(publisher: Publisher, mailbox: str) -> None:
    """Tell the core every few seconds that telemetry leaves, which takes a gateway and a broker, and log when the broker comes and goes."""
    before = MqttLink()
    while True:
        link = publisher.link
        if link.connected != before.connected or link.why != before.why:
            log.info("mqtt", connected=link.connected, delivered_seq=link.delivered_seq, why=link.why)
        before = link
        try:
            if link.connected:
                await asyncio.to_thread(heartbeat, mailbox, "gateway")
        except MailboxError as error:
            log.warning("mailbox", why=str(error))
        notify("WATCHDOG=1")
        await asyncio.sleep(HEARTBEAT_S)
