"""Birth and death at the broker, brokers that misbehave, the demonstration's own; nothing comes back from any."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from controller.errors import JournalError
from sim.broker import broker, free_port
from tests.conftest import serving
from tests.mqtt_rig import Ear, Journal, Written, ear_at, publisher_of, running, settings_for, until


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


async def test_while_the_journal_cannot_be_read_nobody_is_told_that_the_gateway_is_online(mosquitto_port: int, tmp_path: Path) -> None:
    journal = Journal(5)
    publisher = publisher_of(journal, settings_for(mosquitto_port, "unread"), tmp_path)
    async with ear_at(mosquitto_port, "unread") as ear:
        async with running(publisher):
            await until(lambda: publisher.link.delivered_seq == 5)
            journal.broken = True
            await until(lambda: publisher.link.failures >= 3)
            await until(lambda: online(ear)[-1:] == [False])
            journal.broken = False
            await until(lambda: online(ear)[-1])
        await until(lambda: not online(ear)[-1])
        assert [one for one, _ in groupby(online(ear))] == [True, False, True, False]
        assert online(ear).count(True) == 2


async def test_what_a_broker_kept_from_before_a_power_cut_is_corrected_while_the_journal_cannot_be_read(
    mosquitto_port: int, tmp_path: Path
) -> None:
    async with aiomqtt.Client("127.0.0.1", mosquitto_port) as before:
        await before.publish("ovenctl/t/cut/status", b'{"online": true}', qos=1, retain=True)
    journal = Journal(5)
    journal.broken = True
    publisher = publisher_of(journal, settings_for(mosquitto_port, "cut"), tmp_path)
    async with ear_at(mosquitto_port, "cut") as ear, running(publisher):
        await until(lambda: online(ear)[:2] == [True, False])
        await until(lambda: publisher.link.why == "locked")


async def test_what_fails_behind_every_birth_is_tried_ever_more_seldom_and_each_birth_has_its_death(
    mosquitto_port: int, tmp_path: Path
) -> None:
    class Fragment(Journal):
        async def fetch(self, after_seq: int, limit: int) -> Sequence[Written]:
            if limit > 1:
                raise JournalError("a damaged page")
            return await super().fetch(after_seq, limit)

    publisher = publisher_of(Fragment(5), settings_for(mosquitto_port, "fragment", longest_delay_s=30.0), tmp_path)
    async with ear_at(mosquitto_port, "fragment") as ear:
        async with running(publisher):
            await asyncio.sleep(2.2)  # attempts at 0, 0.2, 0.6 and 1.4 s; the next would be at 3.0 s
        await until(lambda: online(ear)[-1:] == [False] and len(online(ear)) >= 2 * publisher.link.failures)
        births = len(online(ear)) // 2
        assert 2 <= births <= 4
        assert online(ear) == [True, False] * births


def online(ear: Ear) -> list[bool]:
    """Return what was said of the gateway, in order."""
    return [content["online"] for topic, _, content in ear.heard if topic.endswith("/status")]


async def test_a_cancellation_that_comes_together_with_an_acknowledgement_ends_the_publisher(
    mosquitto_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged = aiomqtt.Client._on_publish
    cancelled: list[bool] = []

    def together(self: aiomqtt.Client, *given: Any) -> None:
        acknowledged(self, *given)
        if not cancelled:
            cancelled.append(task.cancel())

    monkeypatch.setattr(aiomqtt.Client, "_on_publish", together)
    task = asyncio.create_task(publisher_of(Journal(5), settings_for(mosquitto_port, "together"), tmp_path).run())
    try:
        await asyncio.wait({task}, timeout=5)
        assert cancelled
        assert task.done()
    finally:
        task.cancel()
        await asyncio.wait({task})


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
