"""The real gateway process before a living oven: its memory and its processor time are its own, and can be measured."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography.hazmat.primitives import serialization

from controller.northbound.opcua import pki, users
from controller.northbound.opcua.pki import Pki
from sim.broker import free_port
from tests.opcua_rig import CHEAP, KEYS, PASSWORD, PEOPLE, ROOT, LivingOven

_TICKS = os.sysconf("SC_CLK_TCK")


class Gateway:
    """One gateway process. ``start_s`` is the wall time from its start to its listening socket, ``start_cpu_s`` its processor time."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder, self.port = folder, free_port()
        self.oven = LivingOven(folder)
        self.store = Pki(folder / "gateway" / "pki")
        self.store.folder.mkdir(parents=True)
        pki.init(self.store, pki.application_uri("localhost"), "127.0.0.1")
        given = {
            name: users.Account.model_validate({"role": role, "password": users.hashed(PASSWORD, CHEAP)}) for name, role in PEOPLE.items()
        }
        users.write(folder / "gateway" / "users.toml", given)
        self.certificate, self.key = folder / "app.der", folder / "app.pem"
        self.certificate.write_bytes(pki.self_signed(KEYS[0], "urn:app0", "localhost").public_bytes(serialization.Encoding.DER))
        private = KEYS[0].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.key.write_bytes(private)
        pki.trust(self.store, str(self.certificate))
        self.config = folder / "controller.toml"
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        self.config.write_text(
            f'[core]\njournal = "{self.oven.journal}"\nmailbox = "{self.oven.mailbox}"\n'
            f'[plc]\nwiring = "{ROOT / "deploy" / "wiring.toml"}"\n'
            f'[gateway]\nstate_dir = "gateway"\n[gateway.mqtt]\nport = {free_port()}\n'
            f"[gateway.opcua]\nenabled = true\nport = {self.port}\n{lines}"
            "[settings.proof_test]\nrequired = false\n"
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.start_s = self.start_cpu_s = 0.0

    def start(self, oven: bool = True) -> None:
        if oven:
            self.oven.start()
        began = time.monotonic()
        log = (self.folder / "gateway.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "controller", "gateway", "-c", str(self.config)], cwd=ROOT, stdout=log, stderr=log
        )
        log.close()
        while b"listening=" not in (self.folder / "gateway.log").read_bytes():
            assert self.process.poll() is None, (self.folder / "gateway.log").read_text()[-3000:]
            assert time.monotonic() - began < 60, "the gateway does not start"
            time.sleep(0.02)
        self.start_s, self.start_cpu_s = time.monotonic() - began, self.cpu_s()

    def stop(self, oven: bool = True) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if oven:
            self.oven.stop()

    def cpu_s(self) -> float:
        """Return the processor time that the process has used, s."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mb(self, which: str = "VmRSS") -> float:
        """Return the process' memory, MB; ``VmHWM`` is the most since ``forget_peak``."""
        line = next(one for one in Path(f"/proc/{self._pid}/status").read_text().splitlines() if one.startswith(which))
        return int(line.split()[1]) / 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")

    async def client(self, user: str = "emma", answer_s: float = 10.0) -> Client:
        """Return a client that is not connected yet."""
        client = Client(f"opc.tcp://127.0.0.1:{self.port}/ovenctl", timeout=answer_s, watchdog_intervall=3600)
        client.application_uri = "urn:app0"
        await client.set_security(
            SecurityPolicyBasic256Sha256, str(self.certificate), str(self.key), server_certificate=str(self.store.certificate),
            mode=ua.MessageSecurityMode.SignAndEncrypt,
        )  # fmt: skip
        client.set_user(user)
        client.set_password(PASSWORD)
        return client

    @property
    def _pid(self) -> int:
        assert self.process is not None
        return self.process.pid


@contextmanager
def gateway(folder: Path, **settings: object) -> Iterator[Gateway]:
    made = Gateway(folder, **settings)
    try:
        made.start()
        yield made
    finally:
        made.stop()
