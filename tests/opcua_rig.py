"""An oven that lives in a thread: scan, soft PLC and plant on virtual time, journal and mailbox on disk, an OPC UA server before them."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from controller import wiring as wirings
from controller.clock import wall_ns
from controller.intake import command_of
from controller.journal.mailbox import Mailbox
from controller.journal.store import Journal
from controller.memory import Settings
from controller.northbound.opcua import pki, users
from controller.northbound.opcua.pki import Pki
from controller.northbound.opcua.server import OpcuaServer
from controller.northbound.opcua.settings import OpcuaSettings
from controller.oven_port import JournalOven
from controller.recipe.reading import read_load
from controller.recorder import boot_entry
from sim import bench

ROOT = Path(__file__).parents[1]
RECIPE = (ROOT / "recipes" / "trial-short.toml").read_text("utf-8")
SAMPLE = ROOT / "recipes" / "loads" / "sample-roll.toml"
SITE = Settings.model_validate({"proof_test": {"required": False}})
PASSWORD = "correct horse 9"
PEOPLE = {"vera": "viewer", "otto": "operator", "emma": "engineer", "erik": "engineer", "adam": "admin"}
CHEAP = 2**4  # scrypt in tests
DEADLINE_S = 20.0
KEYS = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]


class LivingOven:
    """The core's work in a thread: mailbox in, scan, journal out."""

    def __init__(self, folder: Path) -> None:
        self.journal, self.mailbox = folder / "journal.sqlite", folder / "mailbox.sqlite"
        self._stop, self._working = threading.Event(), threading.Lock()
        self._ready: Future[None] = Future()
        self._changes: list[Callable[[bench.Rig], None]] = []
        self.rig: bench.Rig | None = None
        self._thread = threading.Thread(target=self._run, name="oven", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.result(60)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(20)

    def change(self, what: Callable[[bench.Rig], None]) -> None:
        """Do something to the rig between two scans."""
        self._changes.append(what)

    @contextmanager
    def silent(self) -> Iterator[None]:
        with self._working:
            yield

    def _run(self) -> None:
        try:
            with Journal(self.journal, threaded=False) as journal:
                self.rig = bench.rig(SITE, wirings.load(bench.default_wiring()), read_load(SAMPLE), 1, journal=journal)
                journal.append([boot_entry(0.0, journal.boot, "test", 1.0, None, "", 1.0)])
                mailbox = Mailbox(self.mailbox)
                for _ in range(60):
                    self.rig.step()
                journal.flush()
                self._ready.set_result(None)
                while not self._stop.wait(0.02):
                    with self._working:
                        while self._changes:
                            self._changes.pop(0)(self.rig)
                        self.rig.commands += [command_of(row, wall_ns()) for row in mailbox.take(self.rig.memory.last_row)]
                        self.rig.step()
                        journal.flush()
                mailbox.close()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise


class Site:
    """One oven with its OPC UA server, which runs in a thread with a loop of its own."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.oven = LivingOven(folder)
        self.store = Pki(folder / "pki")
        pki.init(self.store, pki.application_uri("localhost"), "127.0.0.1")
        self.settings = OpcuaSettings(enabled=True, port=0, poll_s=0.1, stale_s=3.0, activation_s=2.0, **settings)
        accounts = {
            name: users.Account.model_validate({"role": role, "password": users.hashed(PASSWORD, CHEAP)}) for name, role in PEOPLE.items()
        }
        users.write(folder / "users.toml", accounts)
        self.apps = [self._application(number) for number in range(2)]
        pki.trust(self.store, str(self.apps[0][0]))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="opcua", daemon=True)
        self._ready: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self.server: OpcuaServer | None = None

    def start(self) -> None:
        self.oven.start()
        self._thread.start()
        self._ready.result(60)

    def stop(self) -> None:
        assert self._loop is not None
        assert self._task is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(20)
        self.oven.stop()

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"opc.tcp://127.0.0.1:{self.server.port}/ovenctl"

    @property
    def port(self) -> int:
        assert self.server is not None
        return self.server.port

    async def until(self, true: Callable[[], Any]) -> Any:
        return await until(true)

    def forgive(self) -> None:
        """Forget failed logins, so that one test does not slow down the next."""
        assert self.server is not None
        self.server._server.failures._failed.clear()

    def stretch(self, by_s: float) -> dict[str, int]:
        """Lengthen the waits after failed logins, which a starved machine outlasts; return the failures counted so far."""
        assert self.server is not None
        failed = self.server._server.failures._failed
        failed.update({key: (count, until_s + by_s) for key, (count, until_s) in failed.items()})
        return {key: count for key, (count, _) in failed.items()}

    async def _serve(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        try:
            oven = JournalOven(self.oven.journal, self.oven.mailbox)
            self.server = OpcuaServer(self.settings, self.folder, oven, SITE, "1.2.3")
            await self.server.run(lambda: self._ready.set_result(None))
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise

    def _application(self, number: int) -> tuple[Path, Path]:
        key = KEYS[number]
        certificate, private = self.folder / f"app{number}.der", self.folder / f"app{number}.pem"
        certificate.write_bytes(pki.self_signed(key, f"urn:app{number}", "localhost").public_bytes(serialization.Encoding.DER))
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        private.write_bytes(pem)
        return certificate, private

    async def client(self, user: str | None = "emma", password: str = PASSWORD, app: int = 0, policy: Any = SecurityPolicyBasic256Sha256,
                     mode: Any = ua.MessageSecurityMode.SignAndEncrypt) -> Client:  # fmt: skip
        """Return a client that is not connected yet."""
        client = Client(self.url, timeout=10, watchdog_intervall=3600)
        client.application_uri = f"urn:app{app}"
        certificate, private = self.apps[app]
        await client.set_security(policy, str(certificate), str(private), server_certificate=str(self.store.certificate), mode=mode)
        if user is not None:
            client.set_user(user)
            client.set_password(password)
        return client

    @asynccontextmanager
    async def connected(self, user: str | None = "emma", **given: Any) -> AsyncIterator[Client]:
        client = await self.client(user, **given)
        async with client:
            yield client


def node(client: Client, name: str) -> Any:
    return client.get_node(ua.NodeId(f"Oven.{name}", 2))


async def call(client: Client, method: str, *args: Any) -> list[Any]:
    """Return the output arguments of a method of the oven."""
    owner = node(client, method.rpartition(".")[0])
    found = await owner.call_method(node(client, method), *args)
    return found if isinstance(found, list) else [found]


async def until(true: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """Wait until ``true`` (which may be a coroutine function) says so, and return what it said."""
    end = time.monotonic() + deadline_s
    while True:
        said = true()
        found = await said if asyncio.iscoroutine(said) else said
        if found:
            return found
        assert time.monotonic() < end, "it did not come"
        await asyncio.sleep(0.02)


def u32(value: int) -> ua.Variant:
    return ua.Variant(value, ua.VariantType.UInt32)
