"""What the core's scans took in and gave out, and the blocks that the soft PLC got, written to files; and the scans run again from them.

python -m sim.attacks.tape core CONFIG TAPE      the real core, its scans taped
python -m sim.attacks.tape plc PORT RATE TAPE    a soft PLC that keeps every block it gets
"""

import asyncio
import copyreg
import pickle
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final, NamedTuple

from controller import config, service
from controller import scan as scanning
from controller import wiring as wirings
from controller.block import Block, Reason, decode, encode
from controller.command import Command
from controller.image import Forecast, Inputs, Outputs
from controller.memory import Memory, Settings
from controller.recipe.reading import read_load
from controller.scan import Record
from sim.bench import roll_of
from sim.modbus_server import serve
from sim.plant.parameters import draw
from sim.plant.plant import Plant
from sim.softplc import SoftPlc

ROOT: Final = Path(__file__).parents[2]
LOAD: Final = ROOT / "recipes" / "loads" / "sample-roll.toml"
WIRING: Final = ROOT / "deploy" / "wiring.toml"


def _frozen(content: dict[str, Any]) -> MappingProxyType[str, Any]:
    return MappingProxyType(content)


copyreg.pickle(MappingProxyType, lambda one: (_frozen, (dict(one),)))  # a command's empty arguments


class Taped(NamedTuple):
    """One scan."""

    inputs: Inputs
    commands: tuple[Command, ...]
    forecast: Forecast | None
    outputs: Outputs
    withheld: bool


class TapedCore(service.Core):
    """The core, which also writes down what each scan took in and gave out."""

    tape: BinaryIO

    def decide(self, inputs: Inputs, commands: tuple[Command, ...], ahead: Forecast | None) -> Record:
        """Scan as the core does, and tape it."""
        record = super().decide(inputs, commands, ahead)
        pickle.dump(Taped(inputs, commands, ahead, record.outputs, record.withheld), self.tape)
        return record


class RecordingPlc(SoftPlc):
    """The soft PLC, which also writes down every block that it gets."""

    tape: BinaryIO

    def receive(self, registers: Sequence[int]) -> Reason:
        """Take a block as the PLC does, and tape it."""
        reason = super().receive(registers)
        pickle.dump((self.at_s, tuple(registers), int(reason)), self.tape)
        return reason


class Got(NamedTuple):
    """One block as the soft PLC got it."""

    at_s: float
    counter: int
    outputs: Outputs
    reason: int


def scans(file: Path) -> Iterator[Taped]:
    """Yield the scans of a tape that this program has written; the last one may be torn."""
    yield from _read(file)


def blocks(file: Path) -> Iterator[Got]:
    """Yield the blocks of a tape that this program has written."""
    for at_s, registers, reason in _read(file):
        found, _ = decode(registers)
        if found is not None:
            yield Got(at_s, found.counter, found.outputs, reason)


def again(settings: Settings, taped: Iterator[Taped]) -> Iterator[tuple[Outputs, Taped]]:
    """Yield what the pure scan makes of the taped inputs, from a fresh memory and with nothing else in the world, beside what was taped."""
    memory = Memory()
    for one in taped:
        memory, record = scanning.scan(settings, memory, one.inputs, one.commands, one.forecast)
        yield record.outputs, one


def on_the_wire(outputs: Outputs) -> Outputs:
    """Return ``outputs`` as a PLC reads them: numbers have 24 bits there."""
    found, _ = decode(encode(Block(1, 1, 1, 0, outputs)))
    if found is None:
        raise AssertionError("what the scan gave out is no block")
    return found.outputs


def _read(file: Path) -> Iterator[Any]:
    with file.open("rb") as tape:
        while True:
            try:
                yield pickle.load(tape)
            except (EOFError, pickle.UnpicklingError):
                return


async def _plc(port: int, rate: float) -> None:
    plc = RecordingPlc(wirings.load(WIRING), Plant(draw(1), roll_of(read_load(LOAD)), 1))
    await _until_told(serve(plc, port=port, rate=rate, scan_s=1.0))


async def _until_told(work: Any) -> None:
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


def main(what: str, *arguments: str) -> None:
    """Run one of the two."""
    with Path(arguments[-1]).open("wb", buffering=1 << 16) as tape:
        if what == "core":
            TapedCore.tape = tape
            asyncio.run(_until_told(service.run(config.load(Path(arguments[0])), TapedCore)))
        else:
            RecordingPlc.tape = tape
            asyncio.run(_plc(int(arguments[0]), float(arguments[1])))


if __name__ == "__main__":
    from sim.attacks import tape  # noqa: PLW0406 - what is written must be found under the module's own name

    tape.main(*sys.argv[1:])
