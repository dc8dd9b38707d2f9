"""The soft PLC behind each wire of the contract, as the tests and the bench use it: a server that can be stopped, and drivers to it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from controller import wiring as wirings
from controller.config import Plc
from controller.recipe.reading import read_load
from controller.service import driver_of
from controller.southbound.field import Field
from sim import modbus_server, opcua_server, station
from sim.bench import roll_of
from sim.broker import free_port
from sim.line import joined
from sim.plant.parameters import Parameters
from sim.plant.plant import Plant
from sim.softplc import SoftPlc, WireFaults

ROOT = Path(__file__).parents[1]
WIRING = wirings.load(ROOT / "deploy" / "wiring.toml")
KINDS = ("tcp", "rtu", "tls", "opcua")
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


class Wire:
    """One soft PLC on one wire."""

    def __init__(self, kind, folder, ends):
        self.kind, self.plc, self._ends, self._stack = kind, CountingPlc(), ends, AsyncExitStack()
        self.port, self.endpoint = free_port(), None
        self.ca, self.own, self.core = station.certificates(folder)
        self.access = opcua_server.Access(self.own, (self.core.certificate,), {})

    async def start(self):
        if self.endpoint is not None:
            await self.endpoint.start()
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
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    async def leave(self):
        await self._stack.aclose()

    def fresh(self):
        """Begin anew: no faults, nothing received, a new boot id."""
        self.plc.faults = WireFaults()
        self.plc.values["plc_serial"] = WIRING.file.plc_serial
        self.plc.power_cycle()
        self.plc.received.clear()
        if self.endpoint is not None:
            self.endpoint.shown_anew()
        self.scan()

    def scan(self):
        self.plc.scan(1.0)
        self.show()

    def show(self):
        if self.endpoint is not None:
            self.endpoint.publish()

    def settings(self, **changes):
        """Return what ``[plc]`` says of this wire."""
        files = {"certificate_file": str(self.core.certificate), "key_file": str(self.core.key)}
        if self.kind == "opcua":
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


@asynccontextmanager
async def wire(kind: str, folder: Path) -> AsyncIterator[Wire]:
    """Give a soft PLC that is served on ``kind``; certificates lie in ``folder``."""
    if kind == "rtu":
        with joined() as ends:
            one = Wire(kind, folder, ends)
            await one.start()
            yield one
            await one.leave()
        return
    one = Wire(kind, folder, None)
    await one.start()
    yield one
    await one.leave()
