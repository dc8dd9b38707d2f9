"""OPC UA: the image by one subscription, the command block as one write of one node (UInt16[]).

asyncua reconnects by itself when told to, and its subscription can die without a word. So: no reconnecting by the library, no write
repeated, and the PLC's alive counter is watched instead of the session.
"""

import asyncio
import logging
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from asyncua import Client, ua
from asyncua.client.ua_client import UASocketState
from cryptography.exceptions import InvalidSignature

from controller.clock import wall_s
from controller.errors import FileError, Problem, WireError
from controller.image import Inputs
from controller.southbound import nodes
from controller.southbound.nodes import Reading
from controller.southbound.opcua_images import ALIVE, BEGUN, Images
from controller.southbound.opcua_security import Security
from controller.southbound.opcua_settings import OpcUaSettings, check
from controller.wiring import Wiring

QUIT_S: Final = 0.5  # wall: longer than this nobody waits for a connection to be closed politely
SLOWEST_S: Final = 1.0  # publishing interval a PLC may insist on: an image is stale after 3 s
KEEP_ALIVES: Final = 10  # publishing intervals without a change after which the server says that it is there
LIFETIME: Final = 600  # publishing intervals without a request after which it forgets the subscription
_FAILURES: Final = (ua.UaError, OSError, TimeoutError, ValueError, InvalidSignature, struct.error)

# Every failed request is a WireError and becomes one journal entry per change; the library would tell each of them again on stderr.
logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)


class OpcUaDriver:
    """The ``Driver`` for OPC UA; see ``controller.southbound.driver``."""

    def __init__(self, settings: OpcUaSettings, wiring: Wiring) -> None:
        """Prepare a connection as ``settings`` say, to the nodes that ``wiring`` names.

        Raises:
            FileError: something is missing, a certificate or key cannot be used, or the wiring names no nodes.
        """
        check(settings)
        if wiring.file.opcua is None:
            raise FileError("wiring", [Problem("opcua", None, "this section is needed: the nodes of the PLC's OPC UA server")])
        self._settings, self._addresses, self._names = settings, wiring.file.opcua, wiring.nodes
        self._security = None if settings.security == "None" else Security(settings)
        self._password = None if settings.password_file is None else Path(settings.password_file).read_text("utf-8").strip()
        self._client: Client | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._forget()

    @property
    def connected(self) -> bool:
        """Say whether a request may be sent."""
        protocol = None if self._client is None else self._client.uaclient.protocol
        return protocol is not None and protocol.state is UASocketState.OPEN

    @property
    def taken(self) -> float | None:
        """Return the alive counter of the image that ``read_image`` gives, None before the first one."""
        return self._images.taken[0] if self._images.taken else None

    async def connect(self) -> None:
        """Open a session, subscribe and wait for the first whole image; raise WireError when that takes longer than ``connect_s``."""
        self._drop()
        settings = self._settings
        client = Client(settings.url, timeout=settings.connect_s, watchdog_intervall=settings.connect_s)
        client.name = client.description = "ovenctl core"
        self._client = client
        images, what, whole = self._images, f"connect to {settings.url}", False
        try:
            async with asyncio.timeout(settings.connect_s):
                await self._open(client)
                what = "find the nodes"
                await self._find(client)
                what = "subscribe"
                await self._subscribe(client)
                what = "get a whole image"
                while not images.taken:
                    await images.arrived.wait()
                    images.drain()
            whole = True
        except _FAILURES as error:
            raise WireError(f"cannot {what}: {_text(error)}{images.half()}") from error
        finally:
            if not whole:
                self._drop()

    async def read_image(self) -> Sequence[Reading]:
        """Return the last whole image; raise WireError."""
        client = self._ready()
        self._drain()
        if wall_s() >= max(self._images.taken_at_s, self._asked_at_s) + self._patience_s:
            await self._ask(client)
        return self._images.image

    def decode(self, image: Sequence[Reading], at_s: float) -> Inputs:
        """Return the readings of an image as Inputs of ``at_s``."""
        return nodes.inputs(image, at_s)

    async def write_block(self, registers: Sequence[int]) -> None:
        """Write the command block as one value; raise WireError."""
        client = self._ready()
        # Without a status: many servers take none.
        value = ua.DataValue(ua.Variant(list(registers), ua.VariantType.UInt16, is_array=True), StatusCode=None)
        request = ua.WriteParameters(NodesToWrite=[ua.WriteValue(NodeId=self._command, AttributeId=ua.AttributeIds.Value, Value=value)])
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                found = await client.uaclient.write(request)
        except _FAILURES as error:
            raise self._unanswered("the write", error) from error
        self._answered_s = wall_s()
        if len(found) != 1 or not found[0].is_good():
            raise WireError(f"the PLC refuses the block: {', '.join(status.name for status in found) or 'no result'}")

    async def close(self) -> None:
        """Close the connection; closing twice is allowed."""
        self._drop()
        if self._leaving:
            await asyncio.wait(self._leaving)

    # ---- connecting ----

    def _forget(self) -> None:
        """Forget everything of a connection; what it still tells goes to its own images."""
        self._images = Images(self._names, self._settings.late_s)
        self._behind: tuple[float | None, ...] | None = None  # what the image showed when the PLC was seen to be ahead of it
        self._asked_at_s = self._answered_s = wall_s()
        self._patience_s = self._settings.silent_s  # without a new image, before the PLC is asked

    async def _open(self, client: Client) -> None:
        if self._security is not None:
            await self._security.apply(client)
        if self._settings.username is not None and self._password is not None:
            client.set_user(self._settings.username)
            client.set_password(self._password)
        await client.connect(auto_reconnect=False)

    async def _find(self, client: Client) -> None:
        index = await client.get_namespace_index(self._addresses.namespace)
        everything = {**self._names, BEGUN: self._addresses.begun}
        self._nodes = {name: ua.NodeId.from_string(f"ns={index};{identifier}") for name, identifier in everything.items()}
        self._command = ua.NodeId.from_string(f"ns={index};{self._addresses.command}")
        (access,) = await client.uaclient.read_attributes([self._command], ua.AttributeIds.UserAccessLevel)
        if access.Value is None or not isinstance(access.Value.Value, int) or not access.Value.Value & ua.AccessLevel.CurrentWrite.mask:
            raise WireError(f"{self._command.to_string()} of the command block is not there or may not be written")

    async def _subscribe(self, client: Client) -> None:
        images, interval_ms = self._images, 1000.0 * self._settings.publish_s
        wanted = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=interval_ms, RequestedLifetimeCount=LIFETIME, RequestedMaxKeepAliveCount=KEEP_ALIVES
        )
        granted = await client.uaclient.create_subscription(wanted, images.keep)
        every_s = granted.RevisedPublishingInterval / 1000.0
        if not every_s <= SLOWEST_S:
            raise WireError(f"the PLC publishes every {every_s:g} s, at most {SLOWEST_S:g} s is allowed")
        self._patience_s = max(self._settings.silent_s, 3.0 * every_s)
        items = [
            ua.MonitoredItemCreateRequest(
                ItemToMonitor=ua.ReadValueId(NodeId=self._nodes[name], AttributeId=ua.AttributeIds.Value),
                MonitoringMode=ua.MonitoringMode.Reporting,
                RequestedParameters=ua.MonitoringParameters(ClientHandle=handle, SamplingInterval=interval_ms, QueueSize=1),
            )
            for handle, name in enumerate(images.order)
        ]
        made = await client.uaclient.create_monitored_items(
            ua.CreateMonitoredItemsParameters(
                SubscriptionId=granted.SubscriptionId, TimestampsToReturn=ua.TimestampsToReturn.Source, ItemsToCreate=items
            )
        )
        refused = [name for name, result in zip(images.order, made, strict=True) if not result.StatusCode.is_good()]
        if refused:
            raise WireError(f"the PLC does not show {', '.join(self._nodes[name].to_string() for name in refused[:5])}")

    # ---- watching ----

    def _drain(self) -> None:
        try:
            self._images.drain()
        except WireError:
            self._drop()
            raise

    async def _ask(self, client: Client) -> None:
        """Ask the PLC itself whether its alive counter stands. A subscription that has missed an image twice has died and is given up."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                (found,) = await client.uaclient.read_attributes([self._nodes[ALIVE]], ua.AttributeIds.Value)
        except _FAILURES as error:
            raise self._unanswered("the read", error) from error
        self._asked_at_s = self._answered_s = wall_s()
        self._drain()
        taken = self._images.taken
        ahead = found.Value is not None and found.Value.Value != taken[0]
        if ahead and self._behind == taken:
            self._drop()
            raise WireError("the alive counter moves and the subscription does not tell")
        self._behind = taken if ahead else None

    # ---- failing ----

    def _ready(self) -> Client:
        if self._client is None or not self.connected:
            raise WireError("not connected")
        return self._client

    def _unanswered(self, what: str, error: Exception) -> WireError:
        silent_s = wall_s() - max(self._answered_s, self._images.told_at_s)
        if silent_s >= self._settings.silent_s or not self.connected:
            self._drop()
        return WireError(f"{what} failed ({silent_s:.1f} s since the last answer): {_text(error)}")

    def _drop(self) -> None:
        """Give the connection up; it is closed beside the scan, which does not wait for it."""
        client, self._client = self._client, None
        self._forget()
        if client is not None:
            task = asyncio.create_task(_quit(client), name="southbound leave")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)


async def _quit(client: Client) -> None:
    try:
        async with asyncio.timeout(QUIT_S):
            await client.disconnect()
    except _FAILURES:
        pass  # it is gone already
    finally:
        client.disconnect_socket()


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
