"""The PLC of ``tests/interop/plc.mjs`` as the contract tests use a soft PLC: every question is a line to the process and its answer.

Calls block for the milliseconds that the process takes; a mute PLC is a process that is stopped.
"""

import json
import os
import select
import signal
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from controller import block
from controller.wiring import Wiring
from sim.certificates import Pair
from sim.opcua_server import kind_of
from tests.node import FOLDER, NodeError, program

ANSWER_S = 30.0
_FIRST_BOOT_ID = 0x6000_0001


class _Values(dict[str, float]):
    """What the image shows; a value that is set goes to the PLC."""

    def __init__(self, values: dict[str, float], put: Callable[[str, float], Any]) -> None:
        super().__init__(values)
        self._put = put

    def __setitem__(self, name: str, value: float) -> None:
        self._put(name, value)
        super().__setitem__(name, value)


class _Faults:
    def __init__(self, plc: "NodePlc") -> None:
        object.__setattr__(self, "_plc", plc)

    def __setattr__(self, name: str, value: bool) -> None:
        if name == "mute":
            self._plc.stand_still(value)
        else:
            self._plc.ask("fault", **{name: value})

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class NodePlc:
    """One such PLC. It is off until ``power_on``."""

    def __init__(self, wiring: Wiring, values: dict[str, float], folder: Path, port: int, core: Path) -> None:
        self._wiring, self._folder, self._port, self._core = wiring, folder, port, core
        self._start = {name: float(values[name]) if values[name] == values[name] else 0.0 for name in wiring.nodes}
        self._boot, self._mute, self._number = _FIRST_BOOT_ID, False, 0
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        self.own = Pair(folder / "plc.pem", folder / "own" / "private" / "private_key.pem")

    def power_on(self) -> None:
        """Start the process and have it listen."""
        with (self._folder / "plc.mjs.log").open("ab") as errors:
            self._process = subprocess.Popen(
                [program(), str(FOLDER / "plc.mjs"), str(self._folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        self._answer(0)
        addresses = self._wiring.file.opcua
        assert addresses is not None
        trusted = x509.load_pem_x509_certificate(self._core.read_bytes()).public_bytes(serialization.Encoding.DER)
        nodes = {name: {"node": identifier, "kind": kind_of(name)} for name, identifier in self._wiring.nodes.items()}
        self.ask("begin", port=self._port, boot=self._boot, namespace=addresses.namespace, nodes=nodes, begun=addresses.begun,
                 command=addresses.command, values=self._start, trusted=[b64encode(trusted).decode()])  # fmt: skip

    def power_off(self) -> None:
        """Fall silent as a PLC without power does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
            self._process, self._mute = None, False

    def power_cycle(self) -> None:
        """Come back with a new boot id, now or, when there is no power, with ``power_on``."""
        self._boot += 1
        if self._process is not None:
            self.ask("powerCycle", boot=self._boot)

    def scan(self, dt_s: float) -> None:
        """Let ``dt_s`` pass; a mute PLC stands still."""
        if not self._mute:
            self.ask("scan", dt=dt_s)

    def stand_still(self, still: bool) -> None:
        """Stop the process, or let it go on."""
        if still != self._mute and self._process is not None:
            os.kill(self._process.pid, signal.SIGSTOP if still else signal.SIGCONT)
        self._mute = still

    def fresh(self) -> None:
        """Begin anew: no faults, nothing received, a new boot id."""
        self.stand_still(False)
        self.ask("fault", image_frozen=False, write_ignored=False, open=[])
        self.serial = self._wiring.file.plc_serial
        self.power_cycle()
        self.ask("forget")

    def open_sensor(self, name: str, is_open: bool) -> None:
        """Have a thermocouple open, or whole again."""
        self.ask("fault", open=[name] if is_open else [])

    @property
    def faults(self) -> Any:
        """Return what takes ``mute``, ``image_frozen`` and ``write_ignored``."""
        return _Faults(self)

    @property
    def serial(self) -> int:
        """Return the serial number that it shows."""
        return int(self.values["plc_serial"])

    @serial.setter
    def serial(self, number: int) -> None:
        self.ask("set", name="plc_serial", value=number)

    @property
    def values(self) -> _Values:
        """Return what the image shows."""
        return _Values(self.ask("state")["values"], lambda name, value: self.ask("set", name=name, value=value))

    @property
    def received(self) -> list[tuple[int, ...]]:
        """Return every block that came, accepted or not."""
        return [tuple(one) for one in self.ask("state")["received"]]

    @property
    def block(self) -> Any:
        """Return the last block accepted."""
        registers = self.ask("state")["block"]
        return None if registers is None else SimpleNamespace(outputs=block.decode(registers)[0].outputs)  # type: ignore[union-attr]

    def __getattr__(self, name: str) -> Any:
        if name in ("alive", "epoch", "counter", "crc", "lease", "reason", "state"):
            return self.ask("state")[name]
        raise AttributeError(name)

    def ask(self, op: str, **asked: Any) -> Any:
        """Return the answer to one operation. Raises NodeError."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._number += 1
        self._process.stdin.write(json.dumps({"id": self._number, "op": op, **asked}).encode() + b"\n")
        self._process.stdin.flush()
        return self._answer(self._number)

    def _answer(self, number: int) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_S)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            raise NodeError(f"the PLC does not answer: {(self._folder / 'plc.mjs.log').read_text()[-2000:]}")
        said = json.loads(line)
        if "error" in said or said["id"] != number:
            raise NodeError(str(said))
        return said["result"]
