"""The wire to the PLC: what is taken for an answer, what is not, and what a scan sees of it."""

import asyncio
import os
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError
from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerRTU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from controller import block
from controller.errors import FileError, IdentityError, WireError
from controller.image import OFF, OWN_SIGNALS, SIGNALS, Inputs, Mode
from controller.southbound import contract
from controller.southbound.field import Field
from controller.southbound.modbus_client import ModbusDriver
from controller.southbound.modbus_settings import ModbusSettings
from controller.tags import Quality, Sample
from controller.wiring import load
from tests.conftest import serving

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
            registers = WIRING.encode(self.values)[at : at + count]
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


# --- The driver: what counts as an answer -------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("fault", WRONG_READS)
async def test_a_wrong_reply_to_a_read_is_a_wire_error_within_the_deadline_and_the_next_read_is_right(fault: str) -> None:
    mend, says = WRONG_READS[fault]
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S):
        driver = driver_to(plc.port)
        await driver.connect()
        plc.mend = mend
        start_s = time.monotonic()
        with pytest.raises(WireError, match=says):
            await driver.read_image()
        assert time.monotonic() - start_s < TIMEOUT_S + 0.5
        plc.mend = lambda reply: [reply]
        if not driver.connected:
            await driver.connect()
        assert list(await driver.read_image()) == WIRING.encode(plc.values)
        await driver.close()


WRONG_WRITES: dict[str, tuple[Callable[[bytes], list[bytes]], str]] = {
    "mute": (lambda r: [], "no reply"),
    "other address": (lambda r: [r[:8] + b"\0\1" + r[10:]], "acknowledged"),
    "other count": (lambda r: [r[:10] + b"\0\1"], "1 registers at 0 acknowledged"),
    "other function": (lambda r: [with_body(r, bytes([6]) + r[8:])], "function 6 came back"),
    "transaction id 0": (lambda r: [tid(r, 0)], "transaction id 0"),
    "busy": (lambda r: [with_body(r, bytes([0x90, 6]))], "exception 06"),
}


@pytest.mark.parametrize("fault", WRONG_WRITES)
async def test_a_wrong_reply_to_a_write_is_a_wire_error_and_the_block_was_sent_once(fault: str) -> None:
    mend, says = WRONG_WRITES[fault]
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S):
        driver = driver_to(plc.port)
        await driver.connect()
        plc.mend = mend
        with pytest.raises(WireError, match=says):
            await driver.write_block(block.encode(block.Block(1, 1, 1, 1, OFF)))
        assert len(plc.blocks) == 1
        await driver.close()


SOUND: dict[str, Callable[[bytes], list[bytes]]] = {
    "split into bytes": lambda r: [r[at : at + 1] for at in range(len(r))],
    "split in two": lambda r: [r[:9], r[9:]],
    "twice in one segment": lambda r: [r + r],
    "twice in two segments": lambda r: [r, r],
    "behind a stranger's": lambda r: [tid(r, 31000) + r],
}


@pytest.mark.parametrize("delivery", SOUND)
async def test_a_right_reply_is_taken_however_it_is_delivered(delivery: str) -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S):
        driver = driver_to(plc.port)
        await driver.connect()
        plc.mend = SOUND[delivery]
        for _ in range(3):
            plc.values["z1_tc_a_c"] += 1
            assert list(await driver.read_image()) == WIRING.encode(plc.values)
        assert plc.connections == 1
        await driver.close()


async def test_a_late_reply_is_never_taken_for_the_next_one() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S):
        driver = driver_to(plc.port, silent_s=5.0)
        await driver.connect()
        held: list[bytes] = []
        plc.mend = lambda reply: held.append(reply) or []  # type: ignore[func-returns-value]
        with pytest.raises(WireError):
            await driver.read_image()
        plc.mend = lambda reply: [held[0] + reply]
        plc.values["z1_tc_a_c"] = 222.0
        assert driver.connected
        assert list(await driver.read_image()) == WIRING.encode(plc.values)
        await driver.close()


async def test_a_half_open_connection_is_closed_after_the_silent_time() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S):
        driver = driver_to(plc.port)
        await driver.connect()
        await driver.read_image()
        plc.mend = lambda reply: []
        failures = 0
        while driver.connected:
            with pytest.raises(WireError):
                await driver.read_image()
            failures += 1
        assert failures <= 4
        with pytest.raises(WireError, match="not connected"):
            await driver.read_image()


async def test_nobody_listening_is_a_wire_error() -> None:
    async with raw_plc() as plc:
        port = plc.port
    with pytest.raises(WireError, match="nobody answers"):
        await driver_to(port).connect()


async def test_cancelling_a_request_passes_through_and_does_not_desynchronise_the_next() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S):
        driver = driver_to(plc.port, timeout_s=2.0)
        await driver.connect()
        plc.mend = lambda reply: []
        task = asyncio.create_task(driver.read_image())
        await until(lambda: plc.requests == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not driver.connected
        plc.mend = lambda reply: [reply]
        await driver.connect()
        assert list(await driver.read_image()) == WIRING.encode(plc.values)
        await driver.close()


async def test_requests_are_sent_one_at_a_time() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S):
        driver = driver_to(plc.port)
        await driver.connect()
        images = await asyncio.gather(*(driver.read_image() for _ in range(20)))
        at = WIRING.file.signals["plc_alive"].register + 1
        assert [image[at] for image in images] == list(range(1, 21))
        await driver.close()


async def test_it_reads_and_writes_a_pymodbus_server() -> None:
    image = WIRING.encode(HEALTHY)
    written: list[int] = []

    async def action(
        function: int, start: int, address: int, count: int, registers: list[int], values: list[int] | list[bool] | None
    ) -> ExcCodes | None:
        if values is not None:
            written.extend(int(value) for value in values)
        return None

    holding = [SimData(0, count=block.REGISTERS, datatype=DataType.REGISTERS)]
    inputs = [SimData(0, values=image, datatype=DataType.REGISTERS)]
    bits = [SimData(0, values=False, datatype=DataType.BITS)]
    device = SimDevice(1, simdata=(bits, bits, holding, inputs), action=action)
    server = ModbusTcpServer(device, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    try:
        driver = driver_to(server.transport.sockets[0].getsockname()[1])  # type: ignore[attr-defined]
        await driver.connect()
        assert list(await driver.read_image()) == image
        sent = block.encode(block.Block(1, 1, 1, 1, OFF))
        await driver.write_block(sent)
        assert tuple(written) == sent
        await driver.close()
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


async def test_it_reads_and_writes_over_a_serial_line() -> None:
    pytest.importorskip("serial", reason="Modbus RTU needs pyserial")
    plc = Plc()
    line, far_end = os.openpty()
    received = bytearray()

    def answer() -> None:
        received.extend(os.read(line, 1000))
        length = 8 if received[1] == 4 else 9 + 2 * block.REGISTERS
        if len(received) >= length:
            request = bytes(6) + bytes(received[: length - 2])
            received.clear()
            reply = plc.reply(request)[6:]
            os.write(line, reply + FramerRTU.compute_CRC(reply).to_bytes(2, "big"))

    asyncio.get_running_loop().add_reader(line, answer)
    settings = ModbusSettings(transport="rtu", serial=os.ttyname(far_end), parity="N", timeout_s=1.0)
    try:
        async with asyncio.timeout(DEADLINE_S), Field(ModbusDriver(settings, WIRING), WIRING, epoch=EPOCH, master=MASTER) as field:
            for at_s in (1.0, 2.0):
                assert (await field.read(at_s, 1.0, OWN)).z1_tc_a_c == Sample(150.0, Quality.GOOD, at_s)
                await field.write(OFF)
            assert field.link.confirmed == 1
    finally:
        asyncio.get_running_loop().remove_reader(line)
        os.close(line)
        os.close(far_end)


def test_a_serial_line_without_pyserial_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileError, match="pyserial"):
        ModbusDriver(ModbusSettings(transport="rtu", serial="/dev/ttyS0"), WIRING)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"host": "a", "serial": "/dev/ttyS0"}, {"host": "a", "port": 0}, {"host": "a", "timeout_s": float("inf")}, {"serial": "COM1"}],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ModbusSettings.model_validate(wrong)


# --- The contract: pure -------------------------------------------------------------------------------------------------------------------

START = contract.Memory(epoch=EPOCH, master=MASTER, serial=WIRING.file.plc_serial)


def image_of(at_s: float, **values: float) -> Inputs:
    return WIRING.decode(WIRING.encode(HEALTHY | values), at_s, 1.0, OWN)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"plc_signature": 0x454E_4F56}, "signature: expected 0x4F56454E, seen 0x454E4F56"),
        ({"plc_signature": 0}, "seen 0x00000000"),
        ({"plc_map_version": 2}, "map version: expected 1, seen 2"),
        ({"plc_serial": 4712}, "serial number: expected 4711, seen 4712"),
    ],
)
def test_an_impostor_is_named_with_what_was_expected_and_seen(values: dict[str, float], says: str) -> None:
    with pytest.raises(IdentityError, match=says):
        contract.seen(START, image_of(0.0, **values), 0.0)


def test_a_shifted_map_is_an_impostor() -> None:
    shifted = [0, *WIRING.encode(HEALTHY)[:-1]]
    with pytest.raises(IdentityError):
        contract.check_identity(WIRING.decode(shifted, 0.0, 1.0, OWN), 4711)


def names(events: list[contract.Event]) -> list[str]:
    return [event.name for event in events]


def test_blocks_count_up_and_carry_the_alive_counter_that_was_looked_at() -> None:
    memory, _ = contract.seen(START, image_of(0.0, plc_alive=41), 0.0)
    memory, first = contract.next_block(memory, OFF, 0.0)
    memory, second = contract.next_block(memory, OFF._replace(mode=Mode.HOLD), 1.0)
    blocks = [block.decode(registers)[0] for registers in (first, second)]
    assert [(b.epoch, b.counter, b.master, b.source_alive) for b in blocks if b] == [(EPOCH, 1, MASTER, 41), (EPOCH, 2, MASTER, 41)]


def test_a_block_that_is_acknowledged_but_not_followed_shows_after_two_seconds_and_heals_with_the_echo() -> None:
    memory, _ = contract.seen(START, image_of(0.0, plc_alive=1), 0.0)
    crcs = []
    for at_s in range(3):
        memory, registers = contract.next_block(memory, OFF, float(at_s))
        crcs.append(registers[-1])
    memory, events = contract.judged(memory, 2.0)
    assert (memory.echo_ok, events) == (True, [])
    memory, events = contract.seen(memory, image_of(2.5, plc_alive=2, echo_epoch=EPOCH, echo_counter=3, echo_crc=crcs[2] ^ 1), 2.5)
    assert (memory.echo_ok, names(events)) == (False, ["echo_lost"])  # another CRC is not an echo
    memory, events = contract.seen(memory, image_of(3.0, plc_alive=3, echo_epoch=EPOCH, echo_counter=3, echo_crc=crcs[2]), 3.0)
    assert (memory.echo_ok, memory.confirmed, memory.waiting, names(events)) == (True, 3, (), ["echo_back"])


def test_an_echo_of_another_epoch_confirms_nothing() -> None:
    memory, registers = contract.next_block(START, OFF, 0.0)
    memory, _ = contract.seen(memory, image_of(1.0, plc_alive=1, echo_epoch=EPOCH - 1, echo_counter=1, echo_crc=registers[-1]), 1.0)
    assert memory.confirmed == 0


def test_what_waits_for_an_echo_is_bounded_and_keeps_its_oldest() -> None:
    memory = START
    for at_s in range(1000):
        memory, _ = contract.next_block(memory, OFF, float(at_s))
    assert len(memory.waiting) == 256
    assert (memory.waiting[0].counter, memory.waiting[-1].counter) == (1, 1000)


def test_a_frozen_alive_counter_is_stale_after_three_seconds_even_while_data_move() -> None:
    memory, _ = contract.seen(START, image_of(10.0, plc_alive=5), 10.0)
    told = []
    for at_s, degrees in ((11.0, 1.0), (12.9, 2.0), (13.0, 3.0), (14.0, 4.0)):
        memory, events = contract.seen(memory, image_of(at_s, plc_alive=5, z1_tc_a_c=degrees), at_s)
        told.append(names(events))
    assert told == [[], [], ["stale"], []]
    memory, events = contract.seen(memory, image_of(15.0, plc_alive=6), 15.0)
    assert names(events) == ["fresh"]


def test_a_reboot_faster_than_a_poll_is_seen_by_the_boot_id() -> None:
    memory, _ = contract.seen(START, image_of(0.0, plc_alive=5), 0.0)
    memory, events = contract.seen(memory, image_of(1.0, plc_alive=5, plc_boot_id=100), 1.0)
    assert (events, memory.rebooted, memory.alive_at_s) == ([contract.Event("rebooted", {"from": 99, "to": 100})], True, 1.0)
    memory, _ = contract.seen(memory, image_of(2.0, plc_alive=6, plc_boot_id=100), 2.0)
    assert not memory.rebooted


def test_the_lease_is_told_when_it_changes_hands() -> None:
    memory, told = START, []
    for at_s, holder in enumerate((0, MASTER, MASTER, 12, 0, 13)):
        memory, events = contract.seen(memory, image_of(float(at_s), plc_alive=at_s, plc_lease=holder), float(at_s))
        told.append(names(events))
    assert told == [[], ["lease_won"], [], ["lease_lost"], [], ["lease_held"]]


def test_a_watchdog_that_is_off_is_a_finding() -> None:
    memory, events = contract.seen(START, image_of(0.0, plc_alive=1, plc_watchdog_s=0.0), 0.0)
    assert names(events) == ["watchdog_off"]
    assert not contract.link_state(memory, 0.0, connected=True, refused="").watchdog_on


# --- The field: what a scan sees ----------------------------------------------------------------------------------------------------------


async def test_a_scan_reads_decides_and_writes_and_the_echo_comes_with_the_next_one() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        for at_s in (1.0, 2.0, 3.0):
            inputs = await field.read(at_s, 1.0, OWN)
            await field.write(OFF)
        assert inputs.z1_tc_a_c == Sample(150.0, Quality.GOOD, 3.0)
        assert (inputs.at_s, inputs.dt_s, inputs.journal_ok) == (3.0, 1.0, OWN["journal_ok"])
        link = field.link
        assert (link.connected, link.fresh, link.echo_ok, link.lease_ours, link.refused) == (True, True, True, True, "")
        assert (link.written, link.confirmed) == (3, 2)
        assert [b.counter for b in plc.blocks] == [1, 2, 3]
        assert names(field.drain()) == ["connected", "lease_won"]
        assert field.drain() == []


async def test_before_the_first_reading_everything_is_bad_and_nothing_is_written() -> None:
    async with raw_plc() as gone:
        port = gone.port
    async with asyncio.timeout(DEADLINE_S), field_to(port) as field:
        inputs = await field.read(0.0, 1.0, OWN)
        await field.write(OFF)
        assert {sample.quality for sample in inputs[2 : -len(OWN_SIGNALS)]} == {Quality.BAD_WIRE}
        assert inputs.gateway_ok == OWN["gateway_ok"]
        assert not field.link.connected
        assert field.link.written == 0
        async with raw_plc(port) as plc:  # and it connects by itself when the PLC comes
            await until(lambda: field.link.connected, lambda: field.read(1.0, 1.0, OWN))
            assert plc.connections == 1


@pytest.mark.parametrize("fault", ["mute", "short", "exception 06", "closes", "transaction id 0"])
async def test_when_the_wire_fails_values_are_held_until_they_are_stale_and_come_back_by_themselves(fault: str) -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        await field.read(100.0, 1.0, OWN)
        plc.mend = WRONG_READS[fault][0]
        held = await field.read(102.9, 1.0, OWN)
        stale = await field.read(103.0, 1.0, OWN)
        assert held.z1_tc_a_c == Sample(150.0, Quality.GOOD, 100.0)
        assert stale.z1_tc_a_c == Sample(None, Quality.STALE, 100.0)
        assert not field.link.connected
        assert not field.link.fresh
        plc.mend = lambda reply: [reply]
        await until(lambda: field.link.connected, lambda: field.read(104.0, 1.0, OWN))
        assert (await field.read(105.0, 1.0, OWN)).z1_tc_a_c == Sample(150.0, Quality.GOOD, 105.0)
        assert names(field.drain()) == ["connected", "lost", "stale", "connected", "fresh"]


async def test_a_frozen_image_goes_stale_although_every_request_is_answered() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        await field.read(0.0, 1.0, OWN)
        plc.frozen = True
        assert (await field.read(2.0, 1.0, OWN)).z1_tc_a_c == Sample(150.0, Quality.GOOD, 0.0)
        assert (await field.read(3.0, 1.0, OWN)).z1_tc_a_c == Sample(None, Quality.STALE, 0.0)
        assert field.link.connected
        assert not field.link.fresh


async def test_a_write_that_is_acknowledged_and_ignored_shows_in_the_link() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        plc.follows = False
        for at_s in (0.0, 1.0, 2.0, 3.0):
            await field.read(at_s, 1.0, OWN)
            await field.write(OFF)
        assert not field.link.echo_ok
        assert "echo_lost" in names(field.drain())


async def test_no_block_is_ever_written_to_a_plc_of_another_identity() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S):
        plc.values["plc_serial"] = 1
        async with field_to(plc.port) as field:
            assert "serial number" in field.link.refused  # known before the first scan
            for at_s in range(5):
                inputs = await field.read(float(at_s), 1.0, OWN)
                await field.write(OFF)
            assert "expected 4711, seen 1" in field.link.refused
            assert inputs.z1_tc_a_c.quality == Quality.BAD_WIRE
            await until(lambda: plc.connections >= 2)  # it goes on asking, in case the right one is plugged in
            assert (plc.blocks, names(field.drain())) == ([], ["refused"])
            plc.values["plc_serial"] = 4711
            await until(lambda: field.link.connected, lambda: field.read(9.0, 1.0, OWN))
            assert field.link.refused == ""


async def test_a_plc_that_changes_its_identity_while_we_run_gets_no_further_block() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        await field.read(0.0, 1.0, OWN)
        await field.write(OFF)
        plc.values["plc_signature"] = 0x454E_4F56
        inputs = await field.read(1.0, 1.0, OWN)
        await field.write(OFF)
        assert len(plc.blocks) == 1
        assert inputs.z1_tc_a_c.at_s == 0.0
        assert "signature" in field.link.refused


async def test_a_scan_never_waits_longer_than_two_deadlines_while_the_wire_flaps() -> None:
    longest_s = 0.0
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        for at_s in range(12):
            plc.mend = (lambda reply: []) if at_s % 4 in (1, 2) else (lambda reply: [reply])
            start_s = time.monotonic()
            await field.read(float(at_s), 1.0, OWN)
            await field.write(OFF)
            longest_s = max(longest_s, time.monotonic() - start_s)
        assert longest_s < 2 * TIMEOUT_S + 0.5
        counters = [b.counter for b in plc.blocks]
        assert all(later > earlier for earlier, later in pairwise(counters)), "a block was sent twice"


async def test_a_reboot_is_an_event_and_shows_in_one_reading() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        await field.read(0.0, 1.0, OWN)
        plc.values["plc_boot_id"] = 100
        await field.read(1.0, 1.0, OWN)
        assert field.link.rebooted
        await field.read(2.0, 1.0, OWN)
        assert not field.link.rebooted
        assert "rebooted" in names(field.drain())


async def test_leaving_the_field_closes_the_connection_and_cancellation_passes() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S):
        entered = asyncio.Event()

        async def core() -> None:
            async with field_to(plc.port) as field:
                await field.read(0.0, 1.0, OWN)
                plc.mend = lambda reply: []
                entered.set()
                while True:
                    await field.read(1.0, 1.0, OWN)

        task = asyncio.create_task(core())
        await entered.wait()
        await until(lambda: plc.requests >= 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not [other for other in asyncio.all_tasks() if other.get_name() == "southbound reconnect"]


async def test_a_cycle_of_read_and_write_is_a_few_milliseconds() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        cycles_s = []
        for at_s in range(100):
            start_s = time.perf_counter()
            await field.read(float(at_s), 1.0, OWN)
            await field.write(OFF)
            cycles_s.append(time.perf_counter() - start_s)
        assert sorted(cycles_s)[50] < 0.02, f"median {sorted(cycles_s)[50] * 1e3:.2f} ms"
