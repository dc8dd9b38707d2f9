"""The journal over MQTT: everything arrives at least once and in order, whatever the broker does."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import aiomqtt
import pytest

from tests.conftest import Mosquitto, serving
from tests.mqtt_rig import DEADLINE_S, Journal, ear_at, publisher_of, running, settings_for, until


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_the_whole_journal_arrives_in_order_on_the_topics_of_the_table(mosquitto_port: int, tmp_path: Path, protocol: str) -> None:
    journal, oven = Journal(400), f"order{protocol[0]}"
    publisher = publisher_of(journal, settings_for(mosquitto_port, oven, protocol=protocol), tmp_path)
    async with ear_at(mosquitto_port, oven) as ear, running(publisher):
        await until(lambda: publisher.link.delivered_seq == 400)
        await until(lambda: set(ear.seqs()) == set(journal.published()))
        heard = list(dict.fromkeys(ear.seqs()))  # where an acknowledgement is late a window comes again
        assert heard == sorted(heard)
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
        again = ("/status", "/state")  # what is retained comes with each connection
        fresh = [content["seq"] for topic, retained, content in ear.heard if not retained and not topic.endswith(again)]
        assert min(fresh) == 101


async def test_a_broker_that_lost_what_it_had_acknowledged_gets_the_retained_topics_again_and_the_stream_is_not_told_twice(
    own_mosquitto: Mosquitto, tmp_path: Path
) -> None:
    journal, settings = Journal(), settings_for(own_mosquitto.port, "lost", window=2)
    journal.add("state", to="IDLE")
    journal.add("alarm", rule="I7", event="raise", state="UNACK")
    journal.add("state", to="RUNNING")
    journal.add("bypass", rule="I9", event="begin")
    journal.add("alarm", rule="I4", event="raise", state="UNACK")
    journal.add("alarm", rule="I7", event="clear", state="NORMAL")
    stand = {"state": 3, "alarm/I7": 6, "alarm/I4": 5, "bypass/I9": 4}
    async with ear_at(own_mosquitto.port, "lost") as ear:
        async with running(publisher := publisher_of(journal, settings, tmp_path)):
            await until(lambda: publisher.link.delivered_seq == 6 and len(ear.seqs()) >= 10)
            own_mosquitto.kill()
            await until(lambda: not publisher.link.connected)
            own_mosquitto.start()
            await until(lambda: publisher.link.connected)
            assert await retained_at(own_mosquitto.port, "lost", stand) == stand
        own_mosquitto.kill()
        own_mosquitto.start()
        async with running(publisher_of(journal, settings, tmp_path)):  # which knows what stands by the journal only
            assert await retained_at(own_mosquitto.port, "lost", stand) == stand
        streamed = [content["seq"] for topic, _, content in ear.heard if topic.endswith(("/lost/alarm", "/event"))]
        assert sorted(streamed) == [2, 4, 5, 6]


async def test_with_a_new_journal_nothing_that_another_one_said_stays_at_the_broker(mosquitto_port: int, tmp_path: Path) -> None:
    for name, rule in (("old", "I7"), ("new", "I4")):
        journal, folder = Journal(), tmp_path / name
        folder.mkdir()
        journal.add("alarm", rule=rule, event="raise", state="UNACK")
        async with (
            ear_at(mosquitto_port, "anew") as ear,
            running(publisher := publisher_of(journal, settings_for(mosquitto_port, "anew"), folder)),
        ):
            await until(lambda: publisher.link.delivered_seq == 1)
            assert await retained_at(mosquitto_port, "anew", {f"alarm/{rule}": 1}) == {f"alarm/{rule}": 1}
            assert {f"ovenctl/t/anew/{topic}" for topic in ("state", "alarm/I7", "bypass/I7")} <= set(ear.emptied)


async def retained_at(port: int, oven: str, wanted: dict[str, int]) -> dict[str, int]:
    """Return the journal's retained topics and their entries, as soon as all that are wanted are there."""
    found: dict[str, int] = {}
    async with asyncio.timeout(DEADLINE_S):
        while not found.keys() >= wanted.keys():
            async with aiomqtt.Client("127.0.0.1", port) as client:
                await client.subscribe(f"ovenctl/t/{oven}/#", qos=1)
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.3):
                        async for message in client.messages:
                            if message.retain and not str(message.topic).endswith("/status"):
                                found[str(message.topic).split("/", 3)[3]] = json.loads(message.payload)["seq"]  # type: ignore[arg-type]
    return found


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
        content = json.loads(body[end + 2 :] or '{"kind": "status"}')
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
