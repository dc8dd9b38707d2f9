"""The attacks, one function each: one round, which the runner repeats until its time is over. What the server answers does not matter here.

python -m sim.attacks.kinds KIND PORT FOLDER SECONDS    prints how many rounds were made
"""

import asyncio
import os
import struct
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from asyncua import Client, ua
from asyncua.ua.ua_binary import struct_to_binary

from controller.clock import wall_s
from sim.attacks.target import PASSWORD, FromElsewhere, Target

ROUND_S: Final = 5.0  # longest of one round
SOCKETS: Final = 40  # at once, of the attacks with many
FRAME: Final = 65_535
HELLO: Final = b"HELF" + struct.pack("<IIIIII", 32 + 20, 0, 65535, 65535, 0, 0) + struct.pack("<i", 20) + b"opc.tcp://127.0.0.1/".ljust(20)
_OVEN: Final = ua.NodeId("Oven.Batch", 2)
_HOLD: Final = ua.NodeId("Oven.Batch.Hold", 2)
_REFRESH: Final = ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh)


async def _send(target: Target, *sent: bytes, stay_s: float = 0.2) -> None:
    """Send bytes on a new connection, wait a little for what comes back, close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    try:
        for one in sent:
            writer.write(one)
            await asyncio.wait_for(writer.drain(), ROUND_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(reader.read(65536), stay_s)
    finally:
        writer.close()


async def declared(target: Target) -> None:
    """Declare frames of 4 GB, and of 0 bytes."""
    for size in (2**32 - 1, 2**31, FRAME + 1, 0):
        await _send(target, HELLO, b"MSGC" + struct.pack("<I", size), b"x" * 5000, stay_s=0.05)


async def unfinished(target: Target) -> None:
    """Open a channel and send chunk after chunk of a message that never ends; and frames that stop half way."""
    client = Client(f"opc.tcp://127.0.0.1:{target.port}/ovenctl", timeout=ROUND_S)
    await client.connect_socket()
    await client.send_hello()
    await client.open_secure_channel()
    transport: Any = client.uaclient.protocol.transport
    head = struct.pack("<II", client.uaclient.protocol._connection.security_token.ChannelId, 1)
    for number in range(60):
        transport.write(b"MSGC" + struct.pack("<I", FRAME) + head + struct.pack("<II", number + 2, 7) + bytes(FRAME - 24))
        await asyncio.sleep(0)
    await asyncio.sleep(0.2)
    client.disconnect_socket()
    await _send(target, HELLO, b"MSGF" + struct.pack("<I", FRAME) + bytes(30_000))


async def idle(target: Target) -> None:
    """Hold as many idle sockets as there are to be had."""
    opened = [await asyncio.open_connection("127.0.0.1", target.port) for _ in range(SOCKETS)]
    await asyncio.sleep(1.0)
    for _, writer in opened:
        writer.close()


async def noise(target: Target) -> None:
    """Speak something else."""
    for sent in (b"GET / HTTP/1.1\r\n\r\n" * 50, b"\x16\x03\x01" + os.urandom(3000), os.urandom(60_000), b"HELF" * 5000):
        await _send(target, sent, stay_s=0.05)


async def arrays(target: Target) -> None:
    """Call with arrays as large as a message takes, and declare a million elements that do not come."""
    client = await target.client("otto")
    async with client:
        for value in (ua.Variant([1] * 200_000, ua.VariantType.Int32), ua.Variant(["x"] * 100_000, ua.VariantType.String)):
            with suppress(ua.UaError):
                await client.get_node(_OVEN).call_method(_HOLD, value, "")
        await _raw_call(client, b"\x86" + struct.pack("<i", 1_000_000))


async def nesting(target: Target) -> None:
    """Call with Variants in Variants and structures in structures."""
    client = await target.client("otto")
    async with client:
        with suppress(ua.UaError):
            many = ua.Variant([ua.Variant(1, ua.VariantType.Byte)] * 50_000, ua.VariantType.Variant, is_array=True)
            await client.get_node(_OVEN).call_method(_HOLD, many, "")
        body = b"\x18" * 30_000
    for sent in (body, b"\x16\x01\x00\x2a\x01" + struct.pack("<i", len(body)) + body, _deep_order(1000)):
        client = await target.client("otto")
        async with client:
            await _raw_call(client, sent)


def _deep_order(levels: int) -> bytes:
    """Return a job order as an argument, whose parameters nest so deep."""
    text = struct.pack("<i", 1) + b"x"
    level = struct.pack("<I", 1 << 2) + text + b"\x00" + struct.pack("<i", 1)
    body = struct.pack("<I", 1 << 5) + text + struct.pack("<i", 1) + level * levels + bytes(4) + text + b"\x00"
    return b"\x16\x01\x07" + struct.pack("<H", 5014) + b"\x01" + struct.pack("<i", len(body)) + body


async def _raw_call(client: Client, argument: bytes) -> None:
    """Call with one argument given as bytes: what no client's own library would build."""
    request = ua.CallRequest()
    call = ua.CallMethodRequest(ObjectId=_OVEN, MethodId=_HOLD, InputArguments=[ua.Variant()])
    request.Parameters.MethodsToCall = [call]
    protocol: Any = client.uaclient.protocol
    protocol._setup_request_header(request.RequestHeader, ROUND_S)
    packed = struct_to_binary(request)[:-1] + argument  # the empty Variant at the end is one byte
    protocol.transport.write(protocol._connection.message_to_binary(packed, request_id=900))
    await asyncio.sleep(0.2)


async def unactivated(target: Target) -> None:
    """Read, call and subscribe on channels without a session, and with a session that was never activated."""
    client = await target.client("vera")
    await client.connect_socket()
    try:
        await client.send_hello()
        await client.open_secure_channel()
        for created in (False, True):
            if created:
                await client.create_session()
            for tried in (
                lambda: client.get_node(ua.NodeId("Oven.Unit.State", 2)).read_value(),
                lambda: client.get_node(_OVEN).call_method(_HOLD, "", ""),
                lambda: client.create_subscription(100, _Deaf()),
                client.nodes.objects.get_children,
            ):
                with suppress(ua.UaError):
                    await tried()
    finally:
        client.disconnect_socket()


async def plaintext(target: Target) -> None:
    """Log in with a password in plain text on the policy None."""
    client = Client(f"opc.tcp://127.0.0.1:{target.port}/ovenctl", timeout=ROUND_S)
    client.set_user("otto")
    client.set_password(PASSWORD)
    with suppress(ua.UaError):
        await client.connect()
    client.disconnect_socket()


async def stolen(target: Target) -> None:
    """Come with a stranger's key under an empty certificate and under the trusted application's."""
    for claimed in (b"", (target.folder / "trusted.der").read_bytes()):
        client = await target.client("otto", "stranger")
        await client.connect_socket()
        try:
            await client.send_hello()
            await client.open_secure_channel()
            params = ua.CreateSessionParameters()
            params.ClientNonce, params.ClientCertificate = os.urandom(32), claimed
            params.ClientDescription.ApplicationUri = "urn:trusted"
            params.RequestedSessionTimeout = 60_000.0
            with suppress(ua.UaError):
                await client.uaclient.create_session(params)
        finally:
            client.disconnect_socket()


async def loops(target: Target) -> None:
    """Come with certificates that issue each other, as a chain in one blob too."""
    for blob in (False, True):
        client = await target.client("otto", "loop")
        if blob:
            chain = (target.folder / "loop.der").read_bytes() + (target.folder / "other.der").read_bytes()
            client.security_policy.host_certificate = chain * 5
        with suppress(ua.UaError, ValueError):
            await client.connect()
        client.disconnect_socket()


class _Deaf:
    """Takes what comes and does nothing with it."""

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        """Take a value and do nothing with it."""

    def event_notification(self, event: Any) -> None:
        """Take an event and do nothing with it."""


async def subscriptions(target: Target) -> None:
    """Ask for as many subscriptions and items as there are to be had, as fast as they come."""
    client = await target.client("vera")
    async with client:
        nodes = [client.get_node(ua.NodeId(f"Oven.Process.{name}", 2)) for name in ("z1_tc_a_c", "plc_alive", "pressure_cap_mbar")] * 30
        for _ in range(20):
            with suppress(ua.UaError):
                made = await client.create_subscription(1, _Deaf())
                await made.subscribe_data_change(nodes)
        await asyncio.sleep(1.0)


async def refreshes(target: Target) -> None:
    """Ask for a refresh of all conditions again and again."""
    client = await target.client("vera")
    async with client:
        made = await client.create_subscription(100, _Deaf())
        await made.subscribe_alarms_and_conditions()
        kind = client.get_node(ua.NodeId(ua.ObjectIds.ConditionType))
        for _ in range(200):
            with suppress(ua.UaError):
                await kind.call_method(_REFRESH, ua.Variant(made.subscription_id, ua.VariantType.UInt32))


async def guessing(target: Target) -> None:
    """Try passwords."""
    for name in ("vera", "admin"):
        client = await target.client(name)
        client.set_password("wrong")
        with suppress(ua.UaError):
            await client.connect()
        client.disconnect_socket()


async def long_uploads(target: Target) -> None:
    """Send recipes of a megabyte and of five, with no right to."""
    client = await target.client("otto")
    async with client:
        owner, method = ua.NodeId("Oven.Recipes", 2), ua.NodeId("Oven.Recipes.Upload", 2)
        for size in (900_000, 5_000_000):
            with suppress(ua.UaError):
                await client.get_node(owner).call_method(method, "x", "#" * size)


KINDS: Final[dict[str, Callable[[Target], Awaitable[None]]]] = {
    "declared 4 GB frames": declared,
    "unfinished chunks": unfinished,
    "1 M-element arrays": arrays,
    "deep nesting": nesting,
    "idle sockets": idle,
    "calls before activation": unactivated,
    "plaintext password on None": plaintext,
    "empty or stolen certificates": stolen,
    "certificate loops": loops,
    "subscription floods": subscriptions,
    "ConditionRefresh floods": refreshes,
    "password guessing": guessing,
    "long uploads": long_uploads,
    "other protocols": noise,
}


_BROKEN: Final = (OSError, TimeoutError, ua.UaError, asyncio.IncompleteReadError, RuntimeError, ValueError, LookupError, AttributeError)


async def attack(kind: str, target: Target, seconds: float) -> int:
    """Repeat one attack for ``seconds``, two at a time; return how many rounds came to an end."""
    end_s, rounds = wall_s(seconds), 0

    async def attacker() -> None:
        nonlocal rounds
        while wall_s() < end_s:
            try:
                async with asyncio.timeout(ROUND_S):
                    await KINDS[kind](target)
            except _BROKEN:
                pass
            except asyncio.CancelledError:  # what the client's library makes of requests that wait when the server hangs up
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
            rounds += 1

    await asyncio.gather(attacker(), attacker())
    return rounds


def main(kind: str, port: str, folder: str, seconds: str) -> None:
    """Attack from another loopback address than everybody else's."""
    with asyncio.Runner(loop_factory=FromElsewhere) as runner:
        rounds = runner.run(attack(kind, Target(int(port), Path(folder)), float(seconds)))
    sys.stdout.write(f"{rounds}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
