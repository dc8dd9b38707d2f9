"""The soft PLC behind each wire of the contract, as the tests and the bench use it: a server that can be stopped, and drivers to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from controller import wiring as wirings
from controller.config import Plc
from controller.northbound.opcua import pki
from controller.recipe.reading import read_load
from controller.service import driver_of
from controller.southbound.field import Field
from sim import modbus_server, opcua_server, station
from sim.bench import roll_of
from sim.broker import free_port
from sim.certificates import Pair
from sim.faults import clear, inject
from sim.line import joined
from sim.plant.parameters import Parameters
from sim.plant.plant import Plant
from sim.softplc import SoftPlc, WireFaults
from tests.node_plc import NodePlc

ROOT = Path(__file__).parents[1]
WIRING = wirings.load(ROOT / "deploy" / "wiring.toml")
KINDS = ("tcp", "rtu", "tls", "opcua")
NODE = "node-opcua"  # a PLC that nobody here wrote the server of, on OPC UA
EPOCH, MASTER = 7, 11
TIMEOUT_S = 0.4


class CountingPlc(SoftPlc):
    """A soft PLC that remembers every block that reached it, accepted or not."""

    def __init__(self):
        self.received = []
        super().__init__(WIRING, Plant(Parameters(), roll_of(read_load(ROOT / "recipes" / "loads" / "sample-roll.toml")), 1))

    def receive(self, registers):
        self.received.append(tuple(registers))
        return super().receive(registers)

    def fresh(self):
        """Begin anew: no faults, nothing received, a new boot id."""
        self.faults = WireFaults()
        self.serial = WIRING.file.plc_serial
        self.power_cycle()
        self.received.clear()

    def open_sensor(self, name, is_open):
        """Have a thermocouple open, or whole again."""
        assert name == "z1_tc_a_c"
        (inject if is_open else clear)(self, "tc_open")


class Wire:
    """One soft PLC on one wire."""

    def __init__(self, kind, folder, ends):
        self.kind, self._ends, self._stack = kind, ends, AsyncExitStack()
        self.is_opcua = kind in ("opcua", NODE)
        self.port, self.endpoint = free_port(), None
        self.ca, self.own, self.core = station.certificates(folder)
        self.plc = CountingPlc()
        if kind == NODE:
            self.core = self_signed(folder, "urn:ovenctl:core")
            self.plc = NodePlc(WIRING, self.plc.values, folder / NODE, self.port, self.core.certificate)
            self.own = self.plc.own
        self.access = opcua_server.Access(self.own, (self.core.certificate,), {})

    async def start(self):
        if self.endpoint is not None:
            await self.endpoint.start()
        elif self.kind == NODE:
            await asyncio.to_thread(self.plc.power_on)
        elif self.kind == "opcua":
            self.endpoint = await self._stack.enter_async_context(opcua_server.listening(self.plc, port=self.port, access=self.access))
        elif self.kind == "rtu":
            await self._stack.enter_async_context(modbus_server.on_line(self.plc, self._ends[0], parity="N"))
        else:
            tls = modbus_server.mutual_tls(self.ca, self.own) if self.kind == "tls" else None
            await self._stack.enter_async_context(modbus_server.listening(self.plc, port=self.port, tls=tls))

    async def stop(self):
        """Fall silent as a PLC without power does; ``start`` may follow."""
        if self.endpoint is not None:
            await self.endpoint.stop()
            return
        if self.kind == NODE:
            self.plc.power_off()
            return
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    async def leave(self):
        if self.kind == NODE:
            self.plc.power_off()
        await self._stack.aclose()

    def fresh(self):
        """Begin anew: no faults, nothing received, a new boot id."""
        self.plc.fresh()
        if self.endpoint is not None:
            self.endpoint.shown_anew()
        self.scan()

    async def wants(self, name, password):
        """Have an OPC UA server let in only this user; None: the certificate is enough."""
        if self.kind == NODE:
            self.plc.ask("wants", user=name, password=password)
        else:
            self.access.users.clear()
            if name is not None:
                self.access.users[name] = password

    def scan(self):
        self.plc.scan(1.0)
        self.show()

    def show(self):
        if self.endpoint is not None:
            self.endpoint.publish()

    def settings(self, **changes):
        """Return what ``[plc]`` says of this wire."""
        files = {"certificate_file": str(self.core.certificate), "key_file": str(self.core.key)}
        if self.is_opcua:
            own = {"url": f"opc.tcp://127.0.0.1:{self.port}", "server_certificate_file": str(self.own.certificate), "publish_s": 0.005}
            return {"wire": "opcua", "opcua": {**own, **files, "silent_s": 0.3, **changes}}
        own = {"host": "127.0.0.1", "port": self.port}
        if self.kind == "rtu":
            own = {"serial": self._ends[1], "parity": "N"}
        elif self.kind == "tls":
            own |= {"ca_file": str(self.ca), **files}
        return {"modbus": {"transport": self.kind, **own, **changes}}

    def driver(self, wiring=WIRING, **changes):
        return driver_of(Plc.model_validate(self.settings(**changes)), wiring)

    def field(self, **changes):
        return Field(self.driver(**changes), WIRING, epoch=EPOCH, master=MASTER)


def self_signed(folder: Path, uri: str) -> Pair:
    """Return a certificate that nobody but its owner has signed, as PLCs mostly have them, and its key."""
    key = rsa.generate_private_key(65537, 2048)
    pair = Pair(folder / "self-signed.pem", folder / "self-signed.key")
    pair.certificate.write_bytes(pki.self_signed(key, uri, "127.0.0.1", 30).public_bytes(serialization.Encoding.PEM))
    pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return pair


@asynccontextmanager
async def wire(kind: str, folder: Path) -> AsyncIterator[Wire]:
    """Give a soft PLC that is served on ``kind``; certificates lie in ``folder``."""
    with joined() if kind == "rtu" else nullcontext() as ends:
        one = Wire(kind, folder, ends)
        try:
            await one.start()
            yield one
        finally:
            await one.leave()


async def shown(driver, name):
    return getattr(driver.decode(await driver.read_image(), 1.0), name)
