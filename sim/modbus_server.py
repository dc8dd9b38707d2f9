"""The soft PLC on Modbus TCP, TLS or RTU.

The image lies in input registers (function 4), the command block in holding registers (function 16, one request). Anything else than the
whole block in one write is refused with a Modbus exception: a half-applied block must not exist.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer, ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

from controller.block import REGISTERS
from controller.clock import Clock
from sim.certificates import Pair
from sim.softplc import SoftPlc

READ_HOLDING, READ_INPUT, WRITE_MULTIPLE = 3, 4, 16
CATCH_UP_SCANS = 200  # most scans made up for in one go after a late wake-up
_STRANGER_REGISTERS = 65535  # every address answers with the same exception for a wrong unit id


BAUD: Final = 19200


@asynccontextmanager
async def listening(plc: SoftPlc, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve ``plc`` on ``host`` while the block runs and give the port that is listened on (``port`` 0: any free one).

    A wrong unit id is answered with exception 0B, a muted PLC with silence. OSError or RuntimeError: the address is taken.
    """
    devices, silence = [_device(plc), _stranger()], _silence(plc)
    if tls is None:
        server = ModbusTcpServer(devices, address=(host, port), trace_packet=silence)
    else:
        server = ModbusTlsServer(devices, address=(host, port), trace_packet=silence, sslctx=tls, framer=FramerType.SOCKET)
    await server.serve_forever(background=True)
    try:
        listener = server.transport
        assert isinstance(listener, asyncio.Server)
        yield listener.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def on_line(plc: SoftPlc, serial: str, parity: str = "E") -> AsyncIterator[None]:
    """Serve ``plc`` on the serial line ``serial`` (RTU, 19200 baud) while the block runs; OSError or RuntimeError: it cannot be opened.

    Another unit id gets no answer, as on a line with more than one device.
    """
    server = ModbusSerialServer(
        [_device(plc)], port=serial, baudrate=BAUD, parity=parity, ignore_missing_devices=True, trace_packet=_silence(plc)
    )
    await server.serve_forever(background=True)
    try:
        yield
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


def _silence(plc: SoftPlc) -> Callable[[bool, bytes], bytes]:
    def silence(sending: bool, packet: bytes) -> bytes:
        return b"" if sending and plc.faults.mute else packet

    return silence


def mutual_tls(ca: Path, own: Pair) -> ssl.SSLContext:
    """Return the TLS context of a PLC that lets nobody in without a certificate of ``ca``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ca)
    context.load_cert_chain(own.certificate, own.key)
    return context


async def scan_forever(plc: SoftPlc, clock: Clock, scan_s: float, on_scan: Callable[[SoftPlc], None] | None = None) -> None:
    """Scan ``plc`` every ``scan_s`` of process time on absolute deadlines.

    A late wake-up makes up for the scans missed, ``CATCH_UP_SCANS`` at most; ``on_scan`` (a judge, a script) is called after each.
    """
    next_s = clock.now_s() + scan_s
    while True:
        await clock.until(next_s)
        for _ in range(CATCH_UP_SCANS):
            plc.scan(scan_s)
            if on_scan is not None:
                on_scan(plc)
            next_s += scan_s
            if next_s > clock.now_s():
                break
        else:  # slower than the clock: time is lost rather than the network starved
            next_s = clock.now_s()
            await asyncio.sleep(0)


async def serve(
    plc: SoftPlc,
    host: str = "127.0.0.1",
    port: int = 0,
    rate: float = 1.0,
    scan_s: float = 0.5,
    on_scan: Callable[[SoftPlc], None] | None = None,
    started: asyncio.Future[int] | None = None,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve and scan ``plc`` until cancelled, ``rate`` process seconds per wall second; ``started`` gets the port."""
    async with listening(plc, host, port, tls) as bound:
        if started is not None:
            started.set_result(bound)
        await scan_forever(plc, Clock(rate=rate), scan_s, on_scan)


async def serve_line(
    plc: SoftPlc,
    serial: str,
    rate: float = 1.0,
    scan_s: float = 0.5,
    on_scan: Callable[[SoftPlc], None] | None = None,
    parity: str = "E",
) -> None:
    """Serve ``plc`` on the serial line ``serial`` and scan it until cancelled; see ``serve``."""
    async with on_line(plc, serial, parity):
        await scan_forever(plc, Clock(rate=rate), scan_s, on_scan)


def _device(plc: SoftPlc) -> SimDevice:
    file, length = plc.wiring.file, plc.wiring.registers

    async def access(
        function: int, start: int, address: int, count: int, now: list[int], new: list[int] | list[bool] | None
    ) -> ExcCodes | None:
        if function == READ_INPUT:
            now[:length] = plc.image()
            return None
        if function == READ_HOLDING:
            return None
        if function != WRITE_MULTIPLE or new is None:
            return ExcCodes.ILLEGAL_FUNCTION
        if address != file.block_at:
            return ExcCodes.ILLEGAL_ADDRESS
        if count != REGISTERS:
            return ExcCodes.ILLEGAL_VALUE
        if not plc.faults.mute:
            plc.receive([int(value) for value in new])
        return None

    nothing = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    block = [SimData(file.block_at, values=[0] * REGISTERS, datatype=DataType.REGISTERS)]
    image = [SimData(file.image_at, values=[0] * length, datatype=DataType.REGISTERS)]
    return SimDevice(id=file.unit_id, simdata=(nothing, list(nothing), block, image), action=access)


def _stranger() -> SimDevice:
    """Return the device that answers for every other unit id."""

    async def refuse(
        function: int, start: int, address: int, count: int, now: list[int], new: list[int] | list[bool] | None
    ) -> ExcCodes | None:
        return ExcCodes.GATEWAY_NO_RESPONSE

    return SimDevice(id=0, simdata=[SimData(0, count=_STRANGER_REGISTERS, datatype=DataType.REGISTERS)], action=refuse)
