"""Publishes the journal over MQTT: at least once, in order, whatever the broker does. Subscribes to nothing."""

import asyncio
import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple, Protocol, Self, TypeVar

import aiomqtt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from controller.clock import wall_ns
from controller.errors import FileError, JournalError, Problem
from controller.northbound import cursor, topics
from controller.northbound.topics import Entry, Message, SampleView

FIRST_DELAY_S: Final = 0.2  # wall seconds before the second attempt to connect; doubled by each further one
_PROTOCOL: Final = {"3.1.1": aiomqtt.ProtocolVersion.V311, "5": aiomqtt.ProtocolVersion.V5}
_T = TypeVar("_T")
_Level = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
_File = Annotated[str, StringConstraints(pattern=r"^\P{Cc}{1,400}$")]
MQTT_FILES: Final = ("password_file", "ca_file", "certificate_file", "key_file")


class MqttSettings(BaseModel):
    """How the broker is reached and what the oven is called there. Times are wall seconds but ``sample_every_s`` (process time)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    host: Annotated[str, StringConstraints(min_length=1, max_length=253)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    site: _Level = "site"
    oven: _Level = "oven"
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    username: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    password_file: _File | None = None  # one line; a password never stands in this file
    ca_file: _File | None = None  # given: TLS, and the broker's certificate must be signed by it
    certificate_file: _File | None = None
    key_file: _File | None = None
    window: Annotated[int, Field(ge=1, le=1000)] = 50  # messages on the way to the broker at once
    timeout_s: Annotated[float, Field(ge=0.1, le=60)] = 5.0
    keepalive_s: Annotated[int, Field(ge=5, le=600)] = 15
    longest_delay_s: Annotated[float, Field(ge=0.2, le=300)] = 30.0
    poll_s: Annotated[float, Field(ge=0.01, le=10)] = 0.25
    sample_every_s: Annotated[float, Field(ge=0, le=3600)] = 1.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file go together")
        if self.certificate_file is not None and self.ca_file is None:
            raise ValueError("certificate_file needs ca_file")
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs username")
        if self.password_file is not None and self.ca_file is None and not _is_loopback(self.host):
            raise ValueError("a password goes to another machine over TLS only: give ca_file")
        return self

    @property
    def prefix(self) -> str:
        """Return the topic above all that is published."""
        return f"ovenctl/{self.site}/{self.oven}"


class Source(Protocol):
    """Where the entries come from: the journal, read by the gateway."""

    async def fetch(self, after_seq: int, limit: int) -> Sequence[Entry]:
        """Return at most ``limit`` entries behind ``after_seq``, in order.

        Raises:
            JournalError: the journal cannot be read now.
        """

    async def latest(self, kinds: Sequence[str], last_seq: int) -> Sequence[Entry]:
        """Return the newest entry up to ``last_seq`` of each of ``kinds``, of each rule where the entries name one.

        Raises:
            JournalError: the journal cannot be read now.
        """


class MqttLink(NamedTuple):
    """How the publisher fares."""

    connected: bool = False
    delivered_seq: int = 0
    messages: int = 0  # acknowledged since the start
    failures: int = 0  # sessions that ended, and attempts that failed
    why: str = ""  # of the last failure


class Publisher:
    """Publishes every journal entry behind the cursor, and then whatever comes.

    Args:
        settings: the broker and the oven's names there.
        source: the journal.
        unpack: a ``sample`` entry as a view (see ``topics.split``); ValueError when it cannot be read.
        cursor_file: where the progress is kept; the folder is the gateway's own.
        version: of this software, for the birth message.
        file: in which the settings stand, for what is said of a mistake in them.
    """

    def __init__(
        self,
        settings: MqttSettings,
        source: Source,
        unpack: Callable[[Entry], SampleView],
        cursor_file: Path,
        version: str,
        file: str = "controller.toml",
    ) -> None:
        """Read the cursor, the password and the certificates.

        Raises:
            FileError: one of these files cannot be used.
        """
        self._settings = settings
        self._source = source
        self._unpack = unpack
        self._version = version
        self._cursor_file = cursor_file
        self._cursor = cursor.load(cursor_file)
        self._looked = False  # at what stands in the journal at the cursor
        self._retained: dict[str, Message] = {}  # by topic, as of the cursor
        self._other = [] if self._cursor.seq else list(topics.cleared())  # what a broker may have kept of another journal, emptied
        self._sample_at_s = float("-inf")
        _check_files(settings, file)
        self._password = _password(settings)
        self._tls = _tls(settings, file)
        self._delay_s = FIRST_DELAY_S
        self.link = MqttLink(delivered_seq=self._cursor.seq)

    async def run(self) -> None:
        """Publish until cancelled; a broker or a journal that fails is tried again, at last every ``longest_delay_s``.

        Raises:
            FileError: the cursor belongs to another journal.
        """
        while True:
            try:
                try:
                    await self._look_at_journal()
                except JournalError:
                    await self._say_offline()
                    raise
                await self._session()
            except* (aiomqtt.MqttError, JournalError, OSError) as failed:
                self.link = self.link._replace(connected=False, failures=self.link.failures + 1, why=_first(failed))
            await asyncio.sleep(self._delay_s)
            self._delay_s = min(2 * self._delay_s, self._settings.longest_delay_s)

    async def _look_at_journal(self) -> None:
        """Read a little before anybody is told that the gateway is online; the first time what stands at the cursor, if it is its own."""
        found = await self._source.fetch(max(self._cursor.seq - 1, 0), 1)
        if not self._looked:
            cursor.check_journal(self._cursor_file, self._cursor, found[0] if found else None)
            for entry in await self._source.latest(topics.RETAINED_KINDS, self._cursor.seq):
                self._keep(topics.messages(entry, self._unpack, with_samples=False))
            self._looked = True

    async def _say_offline(self) -> None:
        """Correct what a broker may have kept from before a power cut, which sends no last will."""
        async with self._client() as client:
            await self._publish(client, self._status(online=False))

    async def _session(self) -> None:
        """Publish on one connection until it ends; whatever ends it, the last word is that the gateway is offline."""
        async with self._client() as client:
            client.pending_calls_threshold = 2 * self._settings.window  # it would warn of every full window
            try:
                await self._publish(client, self._status(online=True))
                self.link = self.link._replace(connected=True)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_until_disconnected(client), name="mqtt watch")
                    tasks.create_task(self._pump(client), name="mqtt publish")
            finally:  # a clean farewell sends no last will
                with suppress(aiomqtt.MqttError):
                    await self._publish(client, self._status(online=False))

    async def _pump(self, client: aiomqtt.Client) -> None:
        while self._other:
            await self._publish_together(client, self._other[: self._settings.window])
            del self._other[: self._settings.window]
        retained = list(self._retained.values())  # of which a broker may have lost what it acknowledged
        for first in range(0, len(retained), self._settings.window):
            await self._publish_together(client, retained[first : first + self._settings.window])
        while True:
            entries = await self._source.fetch(self._cursor.seq, self._settings.window)
            if not entries:
                self._delay_s = FIRST_DELAY_S
                await asyncio.sleep(self._settings.poll_s)
                continue
            wanted, sample_at_s = self._wanted(entries)
            await self._publish_together(client, wanted)
            self._sample_at_s = sample_at_s  # like the cursor only now: until here the same entries may have to be sent again
            self._keep(wanted)
            await self._delivered(entries[-1], len(wanted))
            self._delay_s = FIRST_DELAY_S  # only now: what fails each time behind a birth must not be tried again and again without a pause

    def _keep(self, messages: Iterable[Message]) -> None:
        """Remember what stands on the retained topics."""
        self._retained.update({message.topic: message for message in messages if message.retain})

    def _wanted(self, entries: Sequence[Entry]) -> tuple[list[Message], float]:
        """Return what to publish of ``entries`` and the time of the last sample in it; one that comes a little early counts as the next."""
        wanted, sample_at_s = list[Message](), self._sample_at_s
        for entry in entries:
            due = entry.kind == "sample" and entry.at_s - sample_at_s >= 0.95 * self._settings.sample_every_s
            sample_at_s = entry.at_s if due else sample_at_s
            wanted += topics.messages(entry, self._unpack, with_samples=due)
        return wanted, sample_at_s

    async def _delivered(self, last: Entry, count: int) -> None:
        self._cursor = cursor.at(last)
        await asyncio.to_thread(cursor.save, self._cursor_file, self._cursor)
        self.link = self.link._replace(delivered_seq=last.seq, messages=self.link.messages + count)

    async def _publish_together(self, client: aiomqtt.Client, messages: Iterable[Message]) -> None:
        async with asyncio.TaskGroup() as window:  # tasks start in order, and so do the publications
            for message in messages:
                window.create_task(self._publish(client, message))

    async def _publish(self, client: aiomqtt.Client, message: Message) -> None:
        await client.publish(f"{self._settings.prefix}/{message.topic}", message.payload, qos=1, retain=message.retain)

    def _status(self, *, online: bool) -> Message:
        at = self._cursor
        return topics.status(online=online, version=self._version, boot=at.boot, seq=at.seq, at_s=at.at_s, wall_ns=wall_ns())

    def _client(self) -> aiomqtt.Client:
        settings = self._settings
        will = self._status(online=False)
        return _Client(
            settings.host,
            settings.port,
            identifier=f"ovenctl-{settings.site}-{settings.oven}",
            protocol=_PROTOCOL[settings.protocol],
            username=settings.username,
            password=self._password,
            tls_context=self._tls,
            will=aiomqtt.Will(f"{settings.prefix}/{will.topic}", will.payload, qos=1, retain=will.retain),
            timeout=settings.timeout_s,
            keepalive=settings.keepalive_s,
            max_queued_incoming_messages=1,
            max_queued_outgoing_messages=4 * settings.window,
            max_inflight_messages=2 * settings.window,  # a sample is two messages
        )


class _Client(aiomqtt.Client):
    """A client whose every wait can be cancelled.

    Up to Python 3.11 ``asyncio.wait_for`` swallows a cancellation that comes together with what it waits for.
    """

    async def _wait_for(self, fut: Awaitable[_T], timeout: float | None) -> _T:  # noqa: ASYNC109 (the library's own)
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        try:
            return await super()._wait_for(fut, timeout)
        finally:
            if task is not None and task.cancelling() > before:
                raise asyncio.CancelledError


async def _until_disconnected(client: aiomqtt.Client) -> None:
    """Raise MqttError when the connection ends: aiomqtt's ``publish`` would only notice at its deadline."""
    async for _ in client.messages:
        pass  # nothing was subscribed, so whatever comes is not for us


def _first(failed: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = failed
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_files(settings: MqttSettings, file: str) -> None:
    """Raise FileError when a file that the settings name cannot be read."""
    problems = []
    for name in MQTT_FILES:
        path = getattr(settings, name)
        try:
            if path is not None:
                Path(path).open("rb").close()
        except OSError as error:
            problems.append(Problem(f"gateway.mqtt.{name}", path, f"must be a file that the gateway can read: {error.strerror}"))
    if problems:
        raise FileError(file, problems)


def _password(settings: MqttSettings) -> str | None:
    """Return the password, None without one. Raises FileError."""
    if settings.password_file is None:
        return None
    allowed = "must be one line in UTF-8 that is not empty"
    try:
        lines = Path(settings.password_file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(settings.password_file, [Problem("file", type(error).__name__, allowed)]) from error
    if len(lines) != 1 or not lines[0]:
        raise FileError(settings.password_file, [Problem("password", f"{len(lines)} lines", allowed)])
    return lines[0]


def _tls(settings: MqttSettings, file: str) -> ssl.SSLContext | None:
    """Return the TLS context, None without ``ca_file``. Raises FileError."""
    if settings.ca_file is None:
        return None
    name, allowed = "ca_file", "must be certificates in PEM"
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate_file is not None:
            name, allowed = "certificate_file", "must be PEM and fit key_file"
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except OSError as error:  # ssl.SSLError is one
        problem = Problem(f"gateway.mqtt.{name}", getattr(settings, name), f"{allowed}: {error}")
        raise FileError(file, [problem]) from error
    return context
