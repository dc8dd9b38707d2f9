"""The Modbus driver: what is taken for an answer, and what is not."""

import asyncio
import os
import time
from collections.abc import Callable

import pytest
from pydantic import ValidationError
from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerRTU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from controller import block
from controller.errors import FileError, WireError
from controller.image import OFF
from controller.southbound.field import Field
from controller.southbound.modbus_client import ModbusDriver
from controller.southbound.modbus_settings import ModbusSettings
from controller.tags import Quality, Sample
from tests.raw_plc import (
    DEADLINE_S,
    EPOCH,
    HEALTHY,
    MASTER,
    OWN,
    TIMEOUT_S,
    WIRING,
    WRONG_READS,
    Plc,
    driver_to,
    raw_plc,
    tid,
    until,
    with_body,
)
from tests.registers import image_of


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
        assert list(await driver.read_image()) == image_of(WIRING, plc.values)
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
            assert list(await driver.read_image()) == image_of(WIRING, plc.values)
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
        assert list(await driver.read_image()) == image_of(WIRING, plc.values)
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
        assert list(await driver.read_image()) == image_of(WIRING, plc.values)
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
    image = image_of(WIRING, HEALTHY)
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
