"""A broker for a demonstration: Mosquitto when it is installed, else amqtt inside this process. Loopback only, nothing is kept."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from sim.processes import spawn

START_S: Final = 10.0
_SBIN: Final = "/usr/sbin/mosquitto"  # Debian puts it where a user's PATH does not look


class Broker(NamedTuple):
    """What runs: ``mosquitto`` or ``amqtt`` (MQTT 3.1.1 only), and the port on 127.0.0.1."""

    kind: str
    port: int


def free_port() -> int:
    """Return a TCP port that was free on 127.0.0.1 a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def mosquitto() -> str | None:
    """Return the path of Mosquitto, None when it is not installed."""
    return shutil.which("mosquitto") or shutil.which(_SBIN)


@contextlib.asynccontextmanager
async def broker(port: int = 0, program: str | None = "") -> AsyncIterator[Broker]:
    """Run a broker on 127.0.0.1:``port`` (0: any free one) until the block is left.

    Args:
        port: the TCP port.
        program: Mosquitto's path; "" looks for it, None takes amqtt.

    Raises:
        OSError: it does not start, or neither broker is installed.
    """
    port = port or free_port()
    program = mosquitto() if program == "" else program
    if program is not None:
        async with _mosquitto(program, port):
            yield Broker("mosquitto", port)
    else:
        async with _amqtt(port):
            yield Broker("amqtt", port)


async def answers(port: int, deadline_s: float = START_S) -> None:
    """Return as soon as something listens on 127.0.0.1:``port``; raise TimeoutError when nothing does in ``deadline_s``."""
    async with asyncio.timeout(deadline_s):
        while True:
            with contextlib.suppress(ConnectionError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def _mosquitto(program: str, port: int) -> AsyncIterator[None]:
    with TemporaryDirectory(prefix="ovensim-mqtt-") as folder:
        config = Path(folder) / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        process = await spawn([program, "-c", str(config)], asyncio.subprocess.DEVNULL)
        try:
            await answers(port)
            if process.returncode is not None:
                raise OSError(f"{program} ended with {process.returncode}; is port {port} taken?")
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


@contextlib.asynccontextmanager
async def _amqtt(port: int) -> AsyncIterator[None]:
    try:
        from amqtt.broker import Broker as Embedded  # an extra that most installations lack
    except ImportError as error:
        raise OSError("no broker: install mosquitto, or the extra with `pip install ovenctl[demo]`") from error
    anonymous = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    embedded = Embedded({"listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}, "plugins": anonymous})
    await embedded.start()
    try:
        yield
    finally:
        await embedded.shutdown()
