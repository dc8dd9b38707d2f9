"""A journal that grows, a publisher of it with short deadlines, and a subscriber that comes back when the broker does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import aiomqtt

from controller.errors import JournalError
from controller.northbound import topics
from controller.northbound.mqtt import MqttSettings, Publisher

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

    def add(self, kind: str, **fields: object) -> None:
        self.grow(1, kind)
        self.entries[-1] = self.entries[-1]._replace(payload=json.dumps(fields).encode())

    async def latest(self, kinds: Sequence[str], last_seq: int) -> Sequence[Written]:
        if self.broken:
            raise JournalError("locked")
        found = {(entry.kind, entry.fields().get("rule")): entry for entry in self.entries[:last_seq] if entry.kind in kinds}
        return sorted(found.values())

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
        self.emptied: list[str] = []
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
                        topic, payload = str(message.topic), message.payload
                        if payload:
                            self.heard.append((topic, message.retain, json.loads(payload)))  # type: ignore[arg-type]
                        else:
                            self.emptied.append(topic)
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
