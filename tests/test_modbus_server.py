"""The soft PLC on the wire: what a Modbus client gets, and what it may not do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from controller import block, wiring
from controller.block import SIGNATURE, Block, Reason
from controller.clock import Clock
from controller.image import OFF
from sim.modbus_server import listening, scan_forever, serve
from sim.plant import Plant
from sim.softplc import SoftPlc

WIRING = wiring.load(Path(__file__).parents[1] / "deploy" / "wiring.toml")


def new_plc() -> SoftPlc:
    return SoftPlc(WIRING, Plant())


@asynccontextmanager
async def client_of(port: int) -> AsyncIterator[AsyncModbusTcpClient]:
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=1, retries=0)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


def command(plc: SoftPlc, counter: int = 1) -> list[int]:
    return list(block.encode(Block(1, counter, 7, plc.alive, OFF)))


async def test_the_image_is_read_in_one_request() -> None:
    plc = new_plc()
    plc.scan(1.0)
    async with listening(plc) as port, client_of(port) as client:
        answer = await client.read_input_registers(0, count=WIRING.registers, device_id=1)
    assert answer.registers == plc.image()
    assert answer.registers[:2] == [SIGNATURE >> 16, SIGNATURE & 0xFFFF]


async def test_a_block_is_taken_and_can_be_read_back() -> None:
    plc = new_plc()
    async with listening(plc) as port, client_of(port) as client:
        registers = command(plc)
        assert not (await client.write_registers(0, registers, device_id=1)).isError()
        back = await client.read_holding_registers(0, count=len(registers), device_id=1)
    assert back.registers == registers
    assert (plc.reason, plc.counter) == (Reason.OK, 1)


async def test_a_refused_block_is_acknowledged_on_the_wire_and_named_in_the_image() -> None:
    plc = new_plc()
    async with listening(plc) as port, client_of(port) as client:
        registers = command(plc)
        registers[-1] ^= 1
        assert not (await client.write_registers(0, registers, device_id=1)).isError()
    assert plc.reason == Reason.BAD_CRC


@pytest.mark.parametrize(
    ("address", "cut", "code"),
    [(0, 10, 3), (1, 1, 2), (5, 20, 2)],
    ids=["short", "shifted by one", "in the middle"],
)
async def test_a_half_block_is_refused(address: int, cut: int, code: int) -> None:
    plc = new_plc()
    async with listening(plc) as port, client_of(port) as client:
        answer = await client.write_registers(address, command(plc)[:-cut], device_id=1)
    assert answer.exception_code == code
    assert plc.block is None


async def test_single_writes_and_coils_are_illegal_functions() -> None:
    plc = new_plc()
    async with listening(plc) as port, client_of(port) as client:
        assert (await client.write_register(0, 1, device_id=1)).exception_code == 1
        assert (await client.write_coil(0, True, device_id=1)).exception_code == 1


async def test_another_unit_id_gets_an_exception() -> None:
    plc = new_plc()
    async with listening(plc) as port, client_of(port) as client:
        assert (await client.read_input_registers(0, count=4, device_id=9)).exception_code == 11


async def test_a_muted_plc_says_nothing_and_takes_nothing() -> None:
    plc = new_plc()
    plc.faults.mute = True
    async with listening(plc) as port, client_of(port) as client:
        client.comm_params.timeout_connect = 0.1
        with pytest.raises(ModbusIOException):
            await asyncio.wait_for(client.write_registers(0, command(plc), device_id=1), 5)
    assert plc.block is None


async def test_scans_hold_process_time_after_a_late_wake_up() -> None:
    plc, clock = new_plc(), Clock(rate=1000.0)

    early, late = asyncio.Event(), asyncio.Event()

    def watch(scanned: SoftPlc) -> None:
        if scanned.at_s >= 300.0:
            late.set()
        elif scanned.at_s >= 100.0:
            early.set()

    async with asyncio.timeout(20):
        scans = asyncio.create_task(scan_forever(plc, clock, 1.0, on_scan=watch))
        await early.wait()
        until = clock.now_s() + 50.0
        while clock.now_s() < until:  # the loop is held up for 50 s of process time
            pass
        await late.wait()
        late_s = clock.now_s() - plc.at_s
        scans.cancel()
    assert late_s < 30.0  # 30 ms on the wall


async def test_serve_tells_its_port_and_scans() -> None:
    plc = new_plc()
    seen: list[float] = []
    enough = asyncio.Event()

    def watch(scanned: SoftPlc) -> None:
        seen.append(scanned.at_s)
        if len(seen) >= 5:
            enough.set()

    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(20):
        task = asyncio.create_task(serve(plc, rate=100.0, scan_s=1.0, on_scan=watch, started=started))
        async with client_of(await started) as client:
            assert not (await client.read_input_registers(0, count=2, device_id=1)).isError()
        await enough.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert seen[:5] == [1.0, 2.0, 3.0, 4.0, 5.0]
