"""A PLC's registers behind a raw socket, wrong replies for its wire, and a driver and a field to it."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from controller import block
from controller.image import OWN_SIGNALS, SIGNALS
from controller.southbound import contract
from controller.southbound.field import Field
from controller.southbound.modbus_client import ModbusDriver
from controller.southbound.modbus_settings import ModbusSettings
from controller.tags import Quality, Sample
from controller.wiring import load
from tests.conftest import serving
from tests.registers import image_of

WIRING = load(Path(__file__).parent.parent / "deploy" / "wiring.toml")
OWN = {name: Sample[float](1.0, Quality.GOOD, 0.0) for name in OWN_SIGNALS}
DEADLINE_S = 10.0
TIMEOUT_S = 0.1
EPOCH, MASTER = 7, 11
HEALTHY: dict[str, float] = {name: 0 for name in SIGNALS if name not in OWN_SIGNALS} | {
    "plc_signature": block.SIGNATURE,
    "plc_map_version": block.MAP_VERSION,
    "plc_serial": WIRING.file.plc_serial,
    "plc_boot_id": 99,
    "plc_watchdog_s": 5.0,
    "z1_tc_a_c": 150.0,
}


class Plc:
    """A PLC's registers behind a raw socket, with a fault that is put between a right reply and the wire."""

    def __init__(self) -> None:
        self.values: dict[str, float] = dict(HEALTHY)
        self.blocks: list[block.Block] = []
        self.frozen = False
        self.follows = True
        self.mend: Callable[[bytes], list[bytes]] = lambda reply: [reply]
        self.connections = 0
        self.requests = 0
        self.port = 0

    def reply(self, request: bytes) -> bytes:
        function, at, count = struct.unpack(">BHH", request[7:12])
        if function == 4:
            if not self.frozen:
                self.values["plc_alive"] += 1
            registers = image_of(WIRING, self.values)[at : at + count]
            body = struct.pack(f">BB{len(registers)}H", 4, 2 * len(registers), *registers)
        else:
            words = struct.unpack(f">{count}H", request[13:])
            found, reason = block.decode(words)
            assert found is not None, reason
            self.blocks.append(found)
            if self.follows:
                self.values |= {"echo_epoch": found.epoch, "echo_counter": found.counter, "echo_crc": words[-1], "plc_lease": found.master}
            body = struct.pack(">BHH", 16, at, count)
        return request[:4] + struct.pack(">HB", len(body) + 1, request[6]) + body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            head = await reader.readexactly(6)
            request = head + await reader.readexactly(struct.unpack(">H", head[4:])[0])
            self.requests += 1
            for part in self.mend(self.reply(request)):
                if not part:
                    return
                writer.write(part)
                await writer.drain()


@asynccontextmanager
async def raw_plc(port: int = 0) -> AsyncIterator[Plc]:
    plc = Plc()
    async with serving(plc.serve, port) as plc.port:
        yield plc


def driver_to(port: int, **changes: object) -> ModbusDriver:
    settings = {"host": "127.0.0.1", "port": port, "timeout_s": TIMEOUT_S, "silent_s": 0.25} | changes
    return ModbusDriver(ModbusSettings.model_validate(settings), WIRING)


def field_to(port: int) -> Field:
    return Field(driver_to(port), WIRING, epoch=EPOCH, master=MASTER)


async def until(condition: Callable[[], object], scan: Callable[[], Awaitable[object]] | None = None) -> None:
    """Wait for ``condition``, scanning meanwhile when ``scan`` is given."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            if scan is not None:
                await scan()
            await asyncio.sleep(0.002)


def tid(reply: bytes, value: int) -> bytes:
    return struct.pack(">H", value) + reply[2:]


def with_body(reply: bytes, body: bytes) -> bytes:
    return reply[:4] + struct.pack(">H", len(body) + 1) + reply[6:7] + body


WRONG_READS: dict[str, tuple[Callable[[bytes], list[bytes]], str]] = {
    "mute": (lambda r: [], "no reply"),
    "closes": (lambda r: [b""], "no reply"),
    "short": (lambda r: [with_body(r, bytes([4, 10]) + r[9:19])], "5 registers came back"),
    "long": (lambda r: [with_body(r, bytes([4, r[8] + 2]) + r[9:] + b"\0\0")], "registers came back"),
    "count says more than came": (lambda r: [with_body(r, bytes([4, 200]) + r[9:19])], "no reply"),
    "empty": (lambda r: [with_body(r, bytes([4, 0]))], "0 registers came back"),
    "other function": (lambda r: [with_body(r, bytes([3]) + r[8:])], "function 3 came back"),
    "write acknowledged": (lambda r: [with_body(r, struct.pack(">BHH", 16, 0, 51))], "function 16 came back"),
    "unknown function": (lambda r: [with_body(r, bytes([99]) + r[8:])], "no reply"),
    "other unit": (lambda r: [r[:6] + bytes([9]) + r[7:]], "no reply"),
    "transaction id 0": (lambda r: [tid(r, 0)], "transaction id 0"),
    "transaction id of another": (lambda r: [tid(r, 31000)], "no reply"),
    "protocol id": (lambda r: [r[:2] + b"\1\1" + r[4:]], "no reply"),
    "garbage": (lambda r: [b"\xff" * 40], "no reply"),
    "half a frame": (lambda r: [r[:20]], "no reply"),
    "exception of another function": (lambda r: [with_body(r, bytes([0x90, 2]))], "exception for function 16"),
} | {
    f"exception {code:02X}": (lambda r, code=code: [with_body(r, bytes([0x84, code]))], f"exception {code:02X}")
    for code in range(1, 12)
}  # fmt: skip


def names(events: list[contract.Event]) -> list[str]:
    return [event.name for event in events]
