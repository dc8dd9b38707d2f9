"""The soft PLC on OPC UA: a variable per signal, the command block as one writable UInt16[].

After each PLC scan ``begun`` is written, then what has changed, then the alive counter. A sensor that is open or shorted shows a bad status
and no value. Whoever is not told to the server by certificate (or by name and password) gets no session, and so reads and writes nothing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any, Final

from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from controller.block import REGISTERS
from controller.clock import Clock
from controller.image import SIGNALS
from sim.certificates import Pair
from sim.modbus_server import scan_forever
from sim.softplc import SoftPlc

MAX_CLIENTS: Final = 8
_ALIVE: Final = "plc_alive"

logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in. Without ``own`` the server speaks SecurityPolicy None and lets everybody in."""

    own: Pair | None = None
    trusted: tuple[Path, ...] = ()  # certificates of clients
    users: dict[str, str] = field(default_factory=dict)  # name -> password; empty: the certificate is enough

    def get_user(self, iserver: object, username: str | None = None, password: str | None = None, certificate: Any = None) -> User | None:
        """Return the user of an activated session, None to refuse it: the library's hook."""
        if self.own is not None and (certificate is None or bytes(certificate) not in _ders(self.trusted)):
            return None
        if self.users and (username is None or self.users.get(username) != password):
            return None
        return User(role=UserRole.User, name=username)


@asynccontextmanager
async def listening(plc: SoftPlc, host: str = "127.0.0.1", port: int = 0, access: Access | None = None) -> AsyncIterator["Endpoint"]:
    """Serve ``plc`` while the block runs; give the endpoint, whose ``publish`` is to be called after each PLC scan.

    Raises:
        OSError: the address is taken.
        ValueError: the wiring names no nodes.
    """
    addresses = plc.wiring.file.opcua
    if addresses is None:
        raise ValueError("the wiring file has no section [opcua]")
    access = access or Access()
    server = Server(user_manager=access)
    await server.init()
    server.iserver.max_connections = MAX_CLIENTS
    server.set_server_name("ovensim soft PLC")
    server.set_endpoint(f"opc.tcp://{host}:{port}")
    if access.own is not None:
        await server.set_application_uri(_uri(access.own.certificate))
        await server.load_certificate(access.own.certificate, format="pem")
        await server.load_private_key(access.own.key, format="pem")
        server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    else:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    server.set_identity_tokens([ua.AnonymousIdentityToken, ua.UserNameIdentityToken])
    endpoint = Endpoint(plc, server)
    await endpoint.build(await server.register_namespace(addresses.namespace))
    await endpoint.start()
    try:
        yield endpoint
    finally:
        await endpoint.stop()


class Endpoint:
    """One soft PLC's variables."""

    def __init__(self, plc: SoftPlc, server: Server) -> None:
        """Keep both; see ``listening``."""
        self.port = 0
        self.reading = True  # False while ``faults.mute`` keeps it from listening
        self._plc, self._server = plc, server
        self._publisher: asyncio.Task[None] | None = None
        self._scanned = asyncio.Event()
        self._shown: dict[str, object] = {}  # value as last written, by signal
        self._nodes: dict[str, ua.NodeId] = {}

    async def build(self, index: int) -> None:
        """Make the variables in namespace ``index``."""
        addresses = self._plc.wiring.file.opcua
        assert addresses is not None
        folder = await self._server.nodes.objects.add_folder(index, "Oven")
        for name, identifier in {**self._plc.wiring.nodes, "begun": addresses.begun}.items():
            node_id = ua.NodeId.from_string(f"ns={index};{identifier}")
            value = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData))
            await folder.add_variable(node_id, name, _variant(name, 0.0), datatype=ua.NodeId(_type(name).value))
            await self._write(node_id, value)
            self._nodes[name] = node_id
        command = ua.NodeId.from_string(f"ns={index};{addresses.command}")
        node = await folder.add_variable(command, "command", ua.Variant([0] * REGISTERS, ua.VariantType.UInt16, is_array=True))
        await node.set_writable()
        self._server.iserver.aspace.set_attribute_value_setter(command, ua.AttributeIds.Value, self._received)
        await self._publish()

    def publish(self, _plc: SoftPlc | None = None) -> None:
        """Have the image of the last PLC scan shown; the PLC does not wait for it, and what is overtaken is never shown."""
        self._scanned.set()

    async def start(self) -> None:
        """Listen; ``port`` says where. OSError: the address is taken."""
        await self._server.start()
        self.port = self._server.bserver._server.sockets[0].getsockname()[1]
        self._publisher = asyncio.create_task(self._keep_published(), name="soft PLC's variables")

    async def stop(self) -> None:
        """End every session and listen no longer; ``start`` may follow. Stopping twice is allowed."""
        if self._publisher is None:
            return
        publisher, self._publisher = self._publisher, None
        publisher.cancel()
        await asyncio.wait([publisher])
        self.resume()
        await self._server.stop()

    async def _keep_published(self) -> None:
        """Show images as they come, until cancelled."""
        while True:
            await self._scanned.wait()
            self._scanned.clear()
            if self._plc.faults.mute:
                self.reading = False
                for transport in self._server.iserver.asyncio_transports:
                    transport.pause_reading()
                continue
            self.resume()
            await self._publish()

    async def write(self, name: str, value: ua.DataValue) -> None:
        """Write the variable of signal ``name`` (or "begun") past the PLC, for rehearsal; see ``shown_anew``."""
        await self._write(self._nodes[name], value)

    def shown_anew(self) -> None:
        """Have every variable written with the next image, whatever it shows now."""
        self._shown = {}

    async def forget_subscriptions(self) -> None:
        """Let every subscription die without telling the clients, for rehearsal."""
        service = self._server.iserver.subscription_service
        await service.delete_subscriptions(list(service.subscriptions))

    def shows(self, name: str) -> object:
        """Return what the variable of signal ``name`` shows, None when it is bad."""
        return self._shown.get(name)

    def resume(self) -> None:
        """Listen again after ``faults.mute``."""
        if self.reading:
            return
        self.reading = True
        for transport in self._server.iserver.asyncio_transports:
            if not transport.is_closing():
                transport.resume_reading()

    async def _publish(self) -> None:
        plc = self._plc
        if plc.faults.image_frozen and self._shown:
            return
        now = datetime.now(UTC)
        values = plc.values
        shown: dict[str, object] = {  # NaN: open or shorted
            name: None if isnan(values[name]) else values[name] for name in self._nodes if name != "begun"
        }
        changed = [name for name, value in shown.items() if name not in self._shown or self._shown[name] != value]
        if not changed:
            return
        changed.sort(key=lambda name: name == _ALIVE)  # the alive counter last, the others as they are
        for name, value in (("begun", shown[_ALIVE]), *((name, shown[name]) for name in changed)):
            status = ua.StatusCode(ua.StatusCodes.BadSensorFailure if value is None else ua.StatusCodes.Good)
            await self._write(self._nodes[name], ua.DataValue(_variant(name, value), StatusCode=status, SourceTimestamp=now))
        self._shown = shown

    async def _write(self, node_id: ua.NodeId, value: ua.DataValue) -> None:
        await self._server.iserver.aspace.write_attribute_value(node_id, ua.AttributeIds.Value, value)

    def _received(self, _node: object, _attribute: object, value: ua.DataValue) -> None:
        """Take what a client has written to the command node."""
        block = None if value.Value is None else value.Value.Value
        if not self._plc.faults.mute:
            self._plc.receive(block if isinstance(block, list) else [])


async def serve(
    plc: SoftPlc,
    host: str = "127.0.0.1",
    port: int = 0,
    rate: float = 1.0,
    scan_s: float = 0.5,
    on_scan: Callable[[SoftPlc], None] | None = None,
    access: Access | None = None,
) -> None:
    """Serve and scan ``plc`` until cancelled, ``rate`` process seconds per wall second."""
    async with listening(plc, host, port, access) as endpoint:

        def scanned(seen: SoftPlc) -> None:
            if on_scan is not None:
                on_scan(seen)
            endpoint.publish()

        await scan_forever(plc, Clock(rate=rate), scan_s, scanned)


def _type(name: str) -> ua.VariantType:
    if name == "begun" or SIGNALS[name].high == 0xFFFF_FFFF:
        return ua.VariantType.UInt32
    return ua.VariantType.Boolean if SIGNALS[name].unit == "" and SIGNALS[name].high == 1 else ua.VariantType.Float


_KINDS: Final = {name: _type(name) for name in ("begun", *SIGNALS)}
_MADE: Final[dict[ua.VariantType, Callable[[Any], Any]]] = {
    ua.VariantType.UInt32: int,
    ua.VariantType.Boolean: bool,
    ua.VariantType.Float: float,
}


def _variant(name: str, value: object) -> ua.Variant:
    kind = _KINDS[name]
    return ua.Variant(None, ua.VariantType.Null) if value is None else ua.Variant(_MADE[kind](value), kind)


def kind_of(name: str) -> str:
    """Return the built-in type of the variable of signal ``name`` or of "begun"."""
    return str(_KINDS[name].name)


def _ders(files: Iterable[Path]) -> list[bytes]:
    return [x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.DER) for path in files]


def _uri(certificate: Path) -> str:
    names = x509.load_pem_x509_certificate(certificate.read_bytes()).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return str(names.value.get_values_for_type(x509.UniformResourceIdentifier)[0])
