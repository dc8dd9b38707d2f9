"""A whole works as a site has it: soft PLC (OPC UA, encrypted), core and gateway as processes of their own on loopback."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from controller.errors import JournalError
from controller.journal.mailbox import post
from controller.journal.reader import JournalReader
from controller.northbound.opcua import pki, users
from controller.northbound.opcua.pki import Pki
from sim.broker import free_port
from sim.station import certificates
from tests.opcua_rig import CHEAP, PASSWORD, PEOPLE

ROOT = Path(__file__).parents[1]
RATE = 10.0  # so that the PLC's watchdog still has half a second on the wall
START_S, PROOF_S, LEAVE_S = 60.0, 30.0, 20.0
PROOFS = 5  # attempts: on a busy machine the accelerated PLC may be late


class Works:
    """One oven with all that belongs to it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "gateway"
        self.journal, self.mailbox = folder / "journal.sqlite", folder / "mailbox.sqlite"
        self.plc_port, self.port = free_port(), free_port()
        self.url = f"opc.tcp://127.0.0.1:{self.port}/ovenctl"
        self.store = Pki(self.state / "pki")
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self._config = folder / "controller.toml"

    def configure(self) -> None:
        certificates(self.folder / "pki")
        pki.init(self.store, pki.application_uri("localhost"), "127.0.0.1")
        accounts = {
            one: users.Account.model_validate({"role": role, "password": users.hashed(PASSWORD, CHEAP)}) for one, role in PEOPLE.items()
        }
        users.write(self.state / "users.toml", accounts)
        self._config.write_text(
            f"""[core]
scan_s = 1.0
rate = {RATE}
journal = "journal.sqlite"
mailbox = "mailbox.sqlite"
[plc]
wiring = "{ROOT / "deploy" / "wiring.toml"}"
wire = "opcua"
[plc.opcua]
url = "opc.tcp://127.0.0.1:{self.plc_port}"
publish_s = 0.01
certificate_file = "pki/core.pem"
key_file = "pki/core.key"
server_certificate_file = "pki/plc.pem"
[gateway]
state_dir = "gateway"
[gateway.mqtt]
port = {free_port()}
[gateway.opcua]
enabled = true
port = {self.port}
poll_s = 0.1
"""
        )

    async def start(self, name: str) -> None:
        arguments = {
            "plc": ("-m", "sim", "plc", "--opcua", "--port", str(self.plc_port), "--pki", str(self.folder / "pki"), "--rate", str(RATE),
                    "--scan", "1.0", "--load", str(ROOT / "recipes" / "loads" / "sample-roll.toml"), "--seed", "1"),
            "core": ("-m", "controller", "run", "-c", str(self._config)),
            "gateway": ("-m", "controller", "gateway", "-c", str(self._config)),
        }[name]  # fmt: skip
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=log, stderr=log, cwd=ROOT)

    async def stop(self, name: str) -> None:
        process = self.processes.pop(name)
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), LEAVE_S)
            except TimeoutError:
                process.kill()
                await process.wait()

    async def listening(self, port: int) -> None:
        """Wait until somebody takes connections there."""

        async def answers() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return False
            writer.close()
            await writer.wait_closed()
            return True

        await self.until(answers, START_S)

    async def prove(self) -> None:
        """Make the proof test that a batch needs."""
        found: Any = None
        for _ in range(PROOFS):
            seen = self.last_seq()
            post(self.mailbox, "otto", "ACKNOWLEDGE", {}, "IDLE")  # where the PLC was long in coming, that has latched
            post(self.mailbox, "otto", "PROOF_TEST", {}, "IDLE")
            found = await self.until(lambda seen=seen: self.after(seen, "prooftest"), PROOF_S)
            if found.fields()["result"] == "pass":
                return
        raise AssertionError(f"no proof test passes: {found.fields()}")

    async def until(self, true: Callable[[], Any], within_s: float = 20.0) -> Any:
        """Return what ``true`` says as soon as it says something; the processes have to live."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + within_s
        while True:
            said = true()
            found = await said if asyncio.iscoroutine(said) else said
            if found:
                return found
            for name, process in self.processes.items():
                assert process.returncode is None, f"{name} has ended: {(self.folder / f'{name}.log').read_text()[-2000:]}"
            assert loop.time() < end_s, "it did not come"
            await asyncio.sleep(0.05)

    def last(self, kind: str) -> Any:
        try:
            with JournalReader(self.journal) as reader:
                return reader.last(kind)
        except (JournalError, OSError):
            return None

    def last_seq(self) -> int:
        with JournalReader(self.journal) as reader:
            return reader.last_seq()

    def after(self, seq: int, kind: str) -> Any:
        with JournalReader(self.journal) as reader:
            found = reader.after(seq, 1, (kind,))
        return found[0] if found else None

    def freeze(self, name: str) -> None:
        os.kill(self.processes[name].pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        os.kill(self.processes[name].pid, signal.SIGCONT)


@asynccontextmanager
async def works(folder: Path) -> AsyncIterator[Works]:
    """Give a works that runs; on the way out it is stopped in the order gateway, core, PLC."""
    one = Works(folder)
    one.configure()
    async with AsyncExitStack() as stack:
        for name in ("plc", "core", "gateway"):
            await one.start(name)
            stack.push_async_callback(one.stop, name)
            if name == "plc":  # it is there before anybody asks for it, as in a site
                await one.listening(one.plc_port)
        await one.until(lambda: one.last("sample"), START_S)
        await one.listening(one.port)
        yield one
