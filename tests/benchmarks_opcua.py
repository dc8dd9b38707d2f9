"""The gateway's OPC UA server under load: start, memory, and its share of a core with 300 items a second to each of five clients.

    python -m tests.benchmarks_opcua

The journal is a real one, but every number in it moves with every sample, which no oven does: the worst that a sample can ask for.
"""

import asyncio
import logging
import math
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from asyncua import Client, ua

from controller.image import SIGNALS
from controller.journal import samples
from controller.journal.entry import Entry
from controller.journal.store import Journal
from controller.northbound.opcua.nodes import VARIABLES, Kind
from controller.recipe.states import UnitState
from controller.recorder import boot_entry
from controller.tags import Quality
from tests.gateway_rig import Gateway

CLIENTS, ITEMS = 5, 300
SECONDS: Final = 30.0
QUIET_S: Final = 10.0
MOVING: Final = [one.id for one in VARIABLES if one.column and one.column != "unit_state"]


class Counting:
    """Counts what comes."""

    def __init__(self) -> None:
        self.count = 0

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        self.count += 1


class Writer(threading.Thread):
    """Writes one sample a second, every number another than before."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path, self._end = path, threading.Event()
        self.ready = threading.Event()

    def run(self) -> None:
        with Journal(self._path, threaded=False) as journal:
            journal.append([boot_entry(0.0, journal.boot, "bench", 1.0, None, "", 1.0)])
            number = 0
            while not self._end.wait(1.0 if number else 0.0):
                number += 1
                journal.append([Entry("sample", float(number), moved(number))])
                journal.flush()
                self.ready.set()

    def stop(self) -> None:
        self._end.set()
        self.join(10)


def moved(number: int) -> bytes:
    """Return a sample whose numbers all differ from those of the sample before, its qualities good."""
    bits = {one.column for one in VARIABLES if one.kind is Kind.BIT}
    numbers = [
        float(UnitState.IDLE) if column == "unit_state" else float(number % 2) if column in bits else 1 + number % 900 + math.sin(place)
        for place, column in enumerate(samples.COLUMNS)
    ]
    words, qualities = len(samples.WORDS), len(SIGNALS)
    packed = struct.pack(f"<{words}d{len(numbers) - words}f", *numbers)
    return bytes((samples.LAYOUT, words, qualities)) + packed + bytes([int(Quality.GOOD)]) * qualities


async def subscribed(made: Gateway, handler: Counting) -> Client:
    """Return a client with 300 items on the variables that move, some of them twice or three times."""
    client = await made.client("emma", 30.0)
    await client.connect()
    subscription = await client.create_subscription(1000, handler)
    names = (MOVING * 3)[:ITEMS]
    await subscription.subscribe_data_change([client.get_node(ua.NodeId(name, 2)) for name in names])
    return client


async def share(made: Gateway, seconds: float) -> float:
    """Return the gateway's share of a core over ``seconds``, %."""
    cpu_s, began_s = made.cpu_s(), time.monotonic()
    await asyncio.sleep(seconds)
    return 100.0 * (made.cpu_s() - cpu_s) / (time.monotonic() - began_s)


async def measure(made: Gateway) -> None:
    await asyncio.sleep(3.0)
    nobody = await share(made, QUIET_S)
    handler = Counting()
    clients = [await subscribed(made, handler) for _ in range(CLIENTS)]
    await asyncio.sleep(3.0)
    handler.count, began_s = 0, time.monotonic()
    busy = await share(made, SECONDS)
    rate = handler.count / (time.monotonic() - began_s)
    for client in clients:
        await client.disconnect()
    sys.stdout.write(
        f"OPC UA: listening after {made.start_s:.1f} s ({made.start_cpu_s:.1f} s of processor time), wanted below 8 s\n"
        f"OPC UA: {ITEMS} items on {len(MOVING)} moving variables at 1 Hz to each of {CLIENTS} clients: {busy:.1f} % of a core "
        f"({nobody:.1f} % without clients), wanted below 10 %; {rate:.0f} changes a second arrived, {made.memory_mb():.0f} MB\n"
    )


def main() -> None:
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        made = Gateway(Path(folder))
        writer = Writer(made.oven.journal)
        writer.start()
        writer.ready.wait(20)
        try:
            made.start(oven=False)
            asyncio.run(measure(made))
        finally:
            writer.stop()
            made.stop(oven=False)


if __name__ == "__main__":
    main()
