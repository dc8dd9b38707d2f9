"""The journal over MQTT: everything arrives at least once and in order, whatever the broker does; nothing comes back."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import aiomqtt
import pytest
from pydantic import ValidationError

from controller.errors import FileError, JournalError
from controller.northbound import cursor, topics
from controller.northbound.mqtt import MqttSettings, Publisher
from controller.tags import Quality
from sim.broker import broker, free_port
from tests.conftest import Mosquitto, serving

DEADLINE_S = 20.0
VIEW = topics.SampleView({"z1_tc_a_c": (150.5, "GOOD"), "o2_pct": (None, "BAD_SENSOR")}, {"film_min_c": 149.0})


class Written(NamedTuple):
    seq: int
    boot: int
    kind: str
    at_s: float
    wall_ns: int
    payload: bytes
    hash: bytes

    def fields(self) -> dict[str, Any]:
        return json.loads(self.payload)  # type: ignore[no-any-return]


KINDS = ("boot", "state", "phase", "alarm", "decision", "sample", "checkpoint", "outcome")


class Journal:
    """A source that grows; the same protocol as the real one."""

    def __init__(self, entries: int = 0) -> None:
        self.entries: list[Written] = []
        self.broken = False
        self.grow(entries)

    def grow(self, count: int, kind: str | None = None) -> None:
        for seq in range(len(self.entries) + 1, len(self.entries) + count + 1):
            what = kind or KINDS[seq % len(KINDS)]
            self.entries.append(Written(seq, 3, what, float(seq), seq * 10**9, json.dumps({"n": seq}).encode(), bytes([seq % 251])))

    async def fetch(self, after_seq: int, limit: int) -> Sequence[Written]:
        if self.broken:
            raise JournalError("locked")
        return self.entries[after_seq : after_seq + limit]

    def published(self) -> list[int]:
        return [entry.seq for entry in self.entries if entry.kind != "checkpoint"]


def settings_for(port: int, oven: str, **changes: object) -> MqttSettings:
    fast = {"port": port, "site": "t", "oven": oven, "timeout_s": 1.0, "poll_s": 0.01, "longest_delay_s": 0.2, "keepalive_s": 5}
    return MqttSettings.model_validate(fast | changes)


def publisher_of(journal: Journal, settings: MqttSettings, folder: Path) -> Publisher:
    return Publisher(settings, journal, lambda entry: VIEW, folder / "mqtt.cursor", "1.2.3")


@asynccontextmanager
async def running(publisher: Publisher) -> AsyncIterator[None]:
    task = asyncio.create_task(publisher.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Ear:
    """A subscriber that comes back when the broker does."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bool, dict[str, Any]]] = []
        self.listening = asyncio.Event()

    def seqs(self) -> list[int]:
        return [content["seq"] for topic, _, content in self.heard if not topic.endswith("/status")]

    async def listen(self, port: int, oven: str) -> None:
        while True:
            with suppress(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", port, identifier=f"ear-{oven}", clean_session=False, timeout=2) as client:
                    await client.subscribe(f"ovenctl/t/{oven}/#", qos=1)
                    self.listening.set()
                    async for message in client.messages:
                        self.heard.append((str(message.topic), message.retain, json.loads(message.payload)))  # type: ignore[arg-type]
            self.listening.clear()
            await asyncio.sleep(0.02)


@asynccontextmanager
async def ear_at(port: int, oven: str) -> AsyncIterator[Ear]:
    ear = Ear()
    task = asyncio.create_task(ear.listen(port, oven))
    try:
        async with asyncio.timeout(DEADLINE_S):
            await ear.listening.wait()
        yield ear
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # a subscriber's list and a publisher's counter have no event
            await asyncio.sleep(0.005)


# --- Delivery -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_the_whole_journal_arrives_in_order_on_the_topics_of_the_table(mosquitto_port: int, tmp_path: Path, protocol: str) -> None:
    journal, oven = Journal(400), f"order{protocol[0]}"
    publisher = publisher_of(journal, settings_for(mosquitto_port, oven, protocol=protocol), tmp_path)
    async with ear_at(mosquitto_port, oven) as ear, running(publisher):
        await until(lambda: publisher.link.delivered_seq == 400)
        await until(lambda: set(ear.seqs()) == set(journal.published()))
        assert ear.seqs() == sorted(ear.seqs())
        where = {content["kind"]: topic.rsplit("/", 1)[1] for topic, _, content in ear.heard}
        assert where == {
            "status": "status", "boot": "event", "state": "state", "phase": "phase", "alarm": "alarm", "decision": "event",
            "outcome": "event", "sample": "estimate",
        }  # fmt: skip
        tags = next(content for topic, _, content in ear.heard if topic.endswith("/tags"))
        assert tags["tags"] == {"z1_tc_a_c": [150.5, "GOOD"], "o2_pct": [None, "BAD_SENSOR"]}
        assert {"boot", "seq", "at_s", "wall_ns", "kind"} <= tags.keys()


async def test_a_broker_that_is_killed_in_the_stream_delays_the_journal_and_no_more(own_mosquitto: Mosquitto, tmp_path: Path) -> None:
    journal, settings = Journal(3000), settings_for(own_mosquitto.port, "kill")
    publisher = publisher_of(journal, settings, tmp_path)
    taken_along: set[int] = set()  # what this broker, which keeps nothing, acknowledged and died with, or took while nobody listened
    async with ear_at(own_mosquitto.port, "kill") as ear, running(publisher):
        for seen in (300, 1200, 2000):
            await until(lambda seen=seen: publisher.link.connected and max(ear.seqs(), default=0) >= seen)
            own_mosquitto.kill()
            await until(lambda: not publisher.link.connected and not ear.listening.is_set())
            killed_at = publisher.link.delivered_seq
            journal.grow(50)
            own_mosquitto.start()
            await until(ear.listening.is_set)
            window = (
                4 * settings.window
            )  # a page of entries is on its way at once, and publications overtake each other inside it, on both sides of what was heard
            taken_along |= set(range(seen - window, max(killed_at, publisher.link.delivered_seq) + window))
        assert publisher.link.failures >= 3
        await until(lambda: publisher.link.delivered_seq == 3150)
        await until(lambda: set(journal.published()) - set(ear.seqs()) <= taken_along)


async def test_what_a_broker_did_not_acknowledge_is_sent_again_by_the_next_connection(tmp_path: Path) -> None:
    """Against a broker that takes 80 publications, acknowledges 60 and dies, over and over: the union of what it saw is everything."""
    journal = Journal(500)
    half_deaf = HalfDeaf(acknowledges=60, dies_after=80)
    async with serving(half_deaf.serve) as port:
        publisher = publisher_of(journal, settings_for(port, "deaf"), tmp_path)
        async with running(publisher):
            await until(lambda: publisher.link.delivered_seq == 500)
    assert set(half_deaf.seqs) == set(journal.published())
    assert len(half_deaf.seqs) > len(journal.published()), "nothing was sent twice: the test did not test"
    assert half_deaf.acknowledged >= set(journal.published())


async def test_the_cursor_survives_a_restart_and_only_the_rest_is_sent(mosquitto_port: int, tmp_path: Path) -> None:
    journal = Journal(100)
    settings = settings_for(mosquitto_port, "restart")
    first = publisher_of(journal, settings, tmp_path)
    async with running(first):
        await until(lambda: first.link.delivered_seq == 100)
    journal.grow(30)
    async with ear_at(mosquitto_port, "restart") as ear, running(second := publisher_of(journal, settings, tmp_path)):
        await until(lambda: second.link.delivered_seq == 130)
        await until(lambda: 129 in ear.seqs())
        fresh = [content["seq"] for topic, retained, content in ear.heard if not retained and not topic.endswith("/status")]
        assert min(fresh) == 101


async def test_a_journal_that_cannot_be_read_for_a_while_is_waited_for(mosquitto_port: int, tmp_path: Path) -> None:
    journal = Journal(10)
    journal.broken = True
    publisher = publisher_of(journal, settings_for(mosquitto_port, "locked"), tmp_path)
    async with running(publisher):
        await until(lambda: publisher.link.failures >= 2)
        assert publisher.link.why == "locked"
        journal.broken = False
        await until(lambda: publisher.link.delivered_seq == 10)


async def test_samples_are_thinned_to_one_per_second_and_jitter_does_not_drop_one(mosquitto_port: int, tmp_path: Path) -> None:
    journal = Journal()
    for at_s in (0.0, 0.1, 0.5, 1.0004, 1.9996, 3.0, 3.9):
        journal.grow(1, "sample")
        journal.entries[-1] = journal.entries[-1]._replace(at_s=at_s)
    publisher = publisher_of(journal, settings_for(mosquitto_port, "thin"), tmp_path)
    async with ear_at(mosquitto_port, "thin") as ear, running(publisher):
        await until(lambda: publisher.link.delivered_seq == 7)
        await until(lambda: 6 in ear.seqs())
        assert [content["seq"] for topic, _, content in ear.heard if topic.endswith("/tags")] == [1, 4, 5, 6]


# --- Birth, death, and a broker that misbehaves -------------------------------------------------------------------------------------------


async def test_birth_is_retained_and_leaving_says_offline(mosquitto_port: int, tmp_path: Path) -> None:
    async with running(publisher := publisher_of(Journal(5), settings_for(mosquitto_port, "birth"), tmp_path)):
        await until(lambda: publisher.link.delivered_seq == 5)
        async with ear_at(mosquitto_port, "birth") as ear:
            await until(lambda: any(topic.endswith("/status") for topic, _, _ in ear.heard))
            _, retained, content = next(heard for heard in ear.heard if heard[0].endswith("/status"))
            assert (retained, content["online"], content["version"]) == (True, True, "1.2.3")
    async with ear_at(mosquitto_port, "birth") as ear:
        await until(lambda: any(topic.endswith("/status") for topic, _, _ in ear.heard))
        assert next(content for topic, _, content in ear.heard if topic.endswith("/status"))["online"] is False


async def test_the_last_will_tells_when_the_gateway_dies(mosquitto_port: int, tmp_path: Path) -> None:
    publisher = publisher_of(Journal(5), settings_for(mosquitto_port, "will"), tmp_path)
    async with ear_at(mosquitto_port, "will") as ear:
        with suppress(asyncio.CancelledError):
            async with running(publisher):
                await until(lambda: publisher.link.delivered_seq == 5)
                # a second client of the same name takes the session over: to the broker the first one died
                async with aiomqtt.Client("127.0.0.1", mosquitto_port, identifier="ovenctl-t-will"):
                    await until(lambda: any(c.get("online") is False for _, _, c in ear.heard))


@pytest.mark.parametrize("manner", ["refuses", "tarpit", "hangs up", "garbage"])
async def test_a_broker_that_does_not_work_is_tried_again_and_nothing_moves(manner: str, tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if manner == "garbage":
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
        if manner == "tarpit":
            while await reader.read(100):
                pass

    async with serving(serve) as port:
        publisher = publisher_of(Journal(10), settings_for(free_port() if manner == "refuses" else port, "bad", timeout_s=0.2), tmp_path)
        async with running(publisher):
            await until(lambda: publisher.link.failures >= 2)
        assert (publisher.link.delivered_seq, publisher.link.connected) == (0, False)
        assert not (tmp_path / "mqtt.cursor").exists()


async def test_a_retained_command_on_any_topic_reaches_nobody(mosquitto_port: int, tmp_path: Path) -> None:
    async with aiomqtt.Client("127.0.0.1", mosquitto_port) as attacker:
        for topic in ("ovenctl/t/poison/command", "ovenctl/t/poison/state", "ovenctl/t/poison/status"):
            await attacker.publish(topic, b'{"mode": "RUN"}', qos=1, retain=True)
    publisher = publisher_of(Journal(5), settings_for(mosquitto_port, "poison"), tmp_path)
    async with running(publisher):
        await until(lambda: publisher.link.delivered_seq == 5)
    assert publisher.link.failures == 0


# --- The cursor file ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"seq": "5"}', b'{"seq": -1}', b'{"seq": 1, "extra": 2}', b'{"at_s": NaN}', b"\xff\xfe", b"[" * 4000],
)
def test_a_cursor_that_cannot_be_read_is_refused_by_name_and_left_alone(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "mqtt.cursor"
    file.write_bytes(content)
    with pytest.raises(FileError, match=r"mqtt\.cursor.*move the file away"):
        publisher_of(Journal(), MqttSettings(), tmp_path)
    assert file.read_bytes() == content


async def test_a_cursor_of_another_journal_is_refused(mosquitto_port: int, tmp_path: Path) -> None:
    cursor.save(tmp_path / "mqtt.cursor", cursor.Cursor(seq=7, boot=1, hash="ff"))
    for journal in (Journal(3), Journal(20)):
        with pytest.raises(FileError, match="no such entry"):
            await publisher_of(journal, settings_for(mosquitto_port, "other"), tmp_path).run()


def test_a_cursor_is_what_was_saved(tmp_path: Path) -> None:
    entry = Journal(9).entries[-1]
    cursor.save(tmp_path / "c", cursor.at(entry))
    assert cursor.load(tmp_path / "c") == cursor.Cursor(seq=9, boot=3, at_s=9.0, hash="09")
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


# --- Settings, topics, the document -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"site": "a/b"}, {"oven": "#"}, {"oven": ""}, {"window": 0}, {"timeout_s": float("inf")}, {"port": 70000}, {"passwrd": "x"},
        {"password_file": "/x"}, {"key_file": "/x"}, {"certificate_file": "/x", "key_file": "/x"},
        {"host": "mqtt.example", "username": "u", "password_file": "/x"},
    ],
)  # fmt: skip
def test_settings_that_cannot_work_or_would_leak_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MqttSettings.model_validate(wrong)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"username": "u", "password_file": "/nonexistent/password"}, "password_file"),
        ({"ca_file": "/nonexistent/ca.pem"}, "ca_file"),
    ],
)
def test_a_missing_password_or_certificate_is_named_at_the_start(changes: dict[str, object], says: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=says):
        publisher_of(Journal(), MqttSettings.model_validate(changes), tmp_path)


def test_a_value_that_is_not_good_or_not_finite_is_null() -> None:
    values = {"a": 1.0, "b": 2.0, "c": float("nan"), "est": float("nan"), "sp": 5.0}
    view = topics.split(values, {"a": Quality.GOOD, "b": Quality.STALE, "c": Quality.BAD_SENSOR})
    assert view == topics.SampleView({"a": (1.0, "GOOD"), "b": (None, "STALE"), "c": (None, "BAD_SENSOR")}, {"est": None, "sp": 5.0})


def test_a_sample_of_another_version_becomes_an_event_and_holds_up_nothing() -> None:
    def unpack(entry: topics.Entry) -> topics.SampleView:
        raise ValueError("layout 9")

    found = list(topics.messages(Written(1, 1, "sample", 0.0, 0, b"\x09", b""), unpack, with_samples=True))
    assert [(message.topic, json.loads(message.payload)["entry"]) for message in found] == [("event", {"unreadable": "layout 9"})]


def test_every_kind_of_the_journal_has_a_topic() -> None:
    from controller.journal.entry import KINDS as JOURNAL_KINDS

    listed = {kind for topic in topics.TOPICS for kind in topic.kinds} | topics.NOT_PUBLISHED
    assert listed == JOURNAL_KINDS.keys()


def test_the_document_is_fresh() -> None:
    path = Path(__file__).parent.parent / "deploy" / "MQTT.md"
    renew = "python -c 'from controller.northbound.topics import document; print(document(), end=\"\")' > deploy/MQTT.md"
    assert path.read_text() == topics.document(), f"renew it: {renew}"


# --- The demonstration's broker -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["", None])
async def test_the_demonstration_has_a_broker_with_and_without_mosquitto(program: str | None, tmp_path: Path) -> None:
    if program is None:
        pytest.importorskip("amqtt")
    journal = Journal(120)
    async with broker(program=program) as found:
        assert found.kind == ("amqtt" if program is None else "mosquitto")
        publisher = publisher_of(journal, settings_for(found.port, "demo"), tmp_path)
        async with ear_at(found.port, "demo") as ear, running(publisher):
            await until(lambda: publisher.link.delivered_seq == 120)
            await until(lambda: set(ear.seqs()) == set(journal.published()))
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", found.port), 1.0):
        pass


# --- A broker of 40 lines that acknowledges half of what it takes -------------------------------------------------------------------------


class HalfDeaf:
    """Speaks just enough MQTT 3.1.1 to take publications at QoS 1."""

    def __init__(self, acknowledges: int, dies_after: int) -> None:
        self.acknowledges, self.dies_after = acknowledges, dies_after
        self.seqs: list[int] = []
        self.acknowledged: set[int] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken = 0
        while taken < self.dies_after:
            kind, body = await self._packet(reader)
            if kind == 1:
                writer.write(b"\x20\x02\x00\x00")
            if kind == 3:
                taken += 1
                self._publication(body, writer if taken <= self.acknowledges else None)
            if kind == 14:
                return

    def _publication(self, body: bytes, writer: asyncio.StreamWriter | None) -> None:
        end = 2 + int.from_bytes(body[:2], "big")
        content = json.loads(body[end + 2 :])
        if content["kind"] != "status":
            self.seqs.append(content["seq"])
        if writer is not None:
            writer.write(b"\x40\x02" + body[end : end + 2])
            if content["kind"] != "status":
                self.acknowledged.add(content["seq"])

    @staticmethod
    async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
        kind = (await reader.readexactly(1))[0] >> 4
        length = shift = 0
        while True:
            byte = (await reader.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return kind, await reader.readexactly(length)
