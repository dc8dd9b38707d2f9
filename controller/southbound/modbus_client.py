"""Modbus TCP, RTU and TLS: one read (function 4) and one write (function 16), every reply checked here.

pymodbus 3.16 takes a short reply, another function code, transaction id 0 and a wrong write echo for success, goes on waiting when the
connection is lost, and would by default repeat a write to a silent PLC three times. So: no retries, no reconnecting by the library, one
request in flight, and whatever does not match closes the connection, because after it nobody knows which reply belongs to which request.
"""

import asyncio
import importlib.util
import logging
import ssl
import termios
from collections.abc import Awaitable, Sequence
from typing import Any, Final

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU
from pymodbus.transport import CommParams, CommType

from controller.clock import wall_s
from controller.errors import FileError, Problem, WireError
from controller.image import Inputs
from controller.southbound.driver import NOTHING_OWN
from controller.southbound.modbus_settings import ModbusSettings, tls_context
from controller.wiring import Wiring

READ: Final = 4
WRITE: Final = 16
BUFFER_BYTES: Final = 4096  # the library throws away all it has beyond 264: a late reply and the right one in one segment
HANDSHAKE_S: Final = 3.0  # wall, of TLS
EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal address",
    3: "illegal value",
    4: "device failure",
    5: "acknowledge",
    6: "busy",
    8: "memory parity",
    10: "gateway path unavailable",
    11: "gateway target does not answer",
}

# Every failed request is a WireError and becomes one journal entry per change; the library would tell each of them again on stderr.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


class ModbusDriver:
    """The ``Driver`` for Modbus; see ``controller.southbound.driver``."""

    def __init__(self, settings: ModbusSettings, wiring: Wiring) -> None:
        """Prepare a connection as ``settings`` say, to the registers that ``wiring`` names.

        Raises:
            FileError: RTU is asked for and pyserial is not installed, a TLS file is missing or wrong, or the wiring names no registers.
        """
        if not wiring.registers:
            raise FileError("wiring", [Problem("signals", "without `at`", "Modbus needs the register of every signal")])
        if settings.serial is not None and importlib.util.find_spec("serial") is None:
            raise FileError("settings", [Problem("serial", settings.serial, "Modbus RTU needs the package pyserial")])
        self._settings = settings
        self._tls = tls_context(settings) if settings.transport == "tls" else None
        self._wiring = wiring
        self._unit = wiring.file.unit_id
        self._image_at, self._image_registers = wiring.file.image_at, wiring.registers
        self._block_at = wiring.file.block_at
        self._client: AsyncModbusTcpClient | AsyncModbusSerialClient | None = None
        self._one_request = asyncio.Lock()
        self._last_reply_s = 0.0

    @property
    def connected(self) -> bool:
        """Say whether a request may be sent."""
        return self._client is not None and self._client.connected

    async def connect(self) -> None:
        """Open a new connection; raise WireError when nobody answers within ``timeout_s``."""
        self._drop()
        client = _client(self._settings, self._tls)
        opened = False
        try:
            opened = await _opened(client, self._tls is not None)
        except (ModbusException, OSError, termios.error) as error:  # the last: the line cannot do what its settings ask for
            raise WireError(f"cannot connect: {error}") from error
        finally:
            if not opened:
                client.close()
        if not opened:
            raise WireError(f"nobody answers at {self._settings.address}" + (", or TLS failed" if self._tls else ""))
        self._client, self._last_reply_s = client, wall_s()

    async def read_image(self) -> Sequence[int]:
        """Return the image's registers, read in one request; raise WireError."""
        async with self._one_request:
            client = self._ready()
            reply = await self._answer(client.read_input_registers(self._image_at, count=self._image_registers, device_id=self._unit), READ)
            if len(reply.registers) != self._image_registers:
                raise self._desynchronised(f"{len(reply.registers)} registers came back, {self._image_registers} were asked for")
            return reply.registers

    def decode(self, image: Sequence[Any], at_s: float) -> Inputs:
        """Return the registers of an image as Inputs of ``at_s``."""
        return self._wiring.decode(image, at_s, 0.0, NOTHING_OWN)

    async def write_block(self, registers: Sequence[int]) -> None:
        """Write the command block in one request; raise WireError."""
        async with self._one_request:
            client = self._ready()
            reply = await self._answer(client.write_registers(self._block_at, list(registers), device_id=self._unit), WRITE)
            if (reply.address, reply.count) != (self._block_at, len(registers)):
                wrong = f"{reply.count} registers at {reply.address} acknowledged"
                raise self._desynchronised(f"{wrong}, not {len(registers)} at {self._block_at}")

    async def close(self) -> None:
        """Close the connection; closing twice is allowed."""
        self._drop()

    async def _answer(self, request: Awaitable[ModbusPDU], function: int) -> ModbusPDU:
        """Return the checked reply.

        pymodbus keeps the deadline: a timeout around it, or a cancel within, would leave a reply that the next request takes for its own.
        """
        try:
            reply = await request
        except asyncio.CancelledError:
            self._drop()
            raise
        except (ModbusException, OSError) as error:
            raise self._unanswered(error) from error
        if reply.dev_id != self._unit:
            raise self._desynchronised(f"unit {reply.dev_id} answered, unit {self._unit} was asked")
        if reply.transaction_id == 0 and self._settings.serial is None:
            raise self._desynchronised("a reply with transaction id 0 may belong to any request")
        if reply.isError():
            return self._refused(reply, function)
        if reply.function_code != function:
            raise self._desynchronised(f"function {reply.function_code} came back, {function} was asked for")
        self._last_reply_s = wall_s()
        return reply

    def _refused(self, reply: ModbusPDU, function: int) -> ModbusPDU:
        if reply.function_code != function | 0x80:
            raise self._desynchronised(f"exception for function {reply.function_code & 0x7F} came back, {function} was asked for")
        self._last_reply_s = wall_s()  # it refuses, but it is there: the connection stays
        code = reply.exception_code
        raise WireError(f"the PLC refuses function {function} with exception {code:02X} ({EXCEPTIONS.get(code, 'unknown')})")

    def _unanswered(self, error: Exception) -> WireError:
        silent_s = wall_s() - self._last_reply_s
        late_reply_is_recognised = self._settings.serial is None  # by its transaction id, which RTU does not have
        if silent_s >= self._settings.silent_s or not late_reply_is_recognised or not self.connected:
            self._drop()
        return WireError(f"no reply within {self._settings.timeout_s} s ({silent_s:.1f} s since the last one): {error}")

    def _desynchronised(self, why: str) -> WireError:
        self._drop()
        return WireError(why)

    def _ready(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        if self._client is None or not self._client.connected:
            raise WireError("not connected")
        return self._client

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class _TlsClient(AsyncModbusTcpClient):
    """Modbus TCP inside TLS, framed by the length in its header; the library's own takes whatever arrives at once for a whole reply."""

    def __init__(self, settings: ModbusSettings, context: ssl.SSLContext) -> None:
        self.comm_params = CommParams(
            comm_type=CommType.TLS, host=settings.host or "", port=settings.tcp_port, sslctx=context, timeout_connect=settings.timeout_s
        )
        super().__init__("", retries=0)


def _client(settings: ModbusSettings, tls: ssl.SSLContext | None) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
    once: dict[str, Any] = {"timeout": settings.timeout_s, "retries": 0, "reconnect_delay": 0}
    if settings.serial is not None:
        return AsyncModbusSerialClient(settings.serial, baudrate=settings.baud, parity=settings.parity, stopbits=settings.stop_bits, **once)
    if tls is not None:
        client: AsyncModbusTcpClient = _TlsClient(settings, tls)
    else:
        client = AsyncModbusTcpClient(settings.host or "", port=settings.tcp_port, **once)
    client.ctx.max_buffer_size = BUFFER_BYTES
    return client


async def _opened(client: AsyncModbusTcpClient | AsyncModbusSerialClient, tls: bool) -> bool:
    """Connect; a TLS handshake gets more time than a reply, because a small PLC reckons for a second over its key."""
    if not tls:
        return bool(await client.connect())
    reply_s, client.ctx.comm_params.timeout_connect = client.ctx.comm_params.timeout_connect, HANDSHAKE_S
    try:
        return bool(await client.connect())
    finally:
        client.ctx.comm_params.timeout_connect = reply_s
