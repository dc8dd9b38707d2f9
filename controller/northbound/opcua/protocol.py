"""From bytes to services: bounded frames, bounded messages, no session without the certificate of its own channel."""

import asyncio
import ipaddress
import struct
from typing import Any, Final

import structlog
from asyncua import ua
from asyncua.common.connection import TransportLimits
from asyncua.common.utils import Buffer, NotEnoughData, ServiceError
from asyncua.crypto.security_policies import SecurityPolicyNone
from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.ua_binary import struct_from_binary

from controller.northbound.opcua import prescan
from controller.northbound.opcua.bounds import HOSTILE
from controller.northbound.opcua.inner import OvenServer
from controller.northbound.opcua.session import GuardedSession

FRAME_BYTES: Final = 65_535
MESSAGE_BYTES: Final = 1_048_576
CHUNKS: Final = 20
PENDING_BYTES: Final = 2 * MESSAGE_BYTES  # of frames that wait to be processed, per connection
PLAIN_BYTES: Final = 65_536  # of every request but a method call: only a recipe is long
LIMITS: Final = TransportLimits(FRAME_BYTES, FRAME_BYTES, CHUNKS, MESSAGE_BYTES)

log = structlog.get_logger("opcua")
_Ids = ua.ObjectIds
_OPEN: Final = frozenset(map(ua.NodeId, (_Ids.FindServersRequest_Encoding_DefaultBinary, _Ids.GetEndpointsRequest_Encoding_DefaultBinary,
                                         _Ids.CloseSecureChannelRequest_Encoding_DefaultBinary)))  # fmt: skip
_REGISTER: Final = frozenset(
    map(ua.NodeId, (_Ids.RegisterServerRequest_Encoding_DefaultBinary, _Ids.RegisterServer2Request_Encoding_DefaultBinary))
)
_CREATE: Final = ua.NodeId(_Ids.CreateSessionRequest_Encoding_DefaultBinary)
_ACTIVATE: Final = ua.NodeId(_Ids.ActivateSessionRequest_Encoding_DefaultBinary)
_BROWSE_NEXT: Final = ua.NodeId(_Ids.BrowseNextRequest_Encoding_DefaultBinary)
_CALL: Final = ua.NodeId(_Ids.CallRequest_Encoding_DefaultBinary)
# What nobody may do, and what there is not; the library would answer BadUserAccessDenied to both and tell nobody.
_CLOSED: Final = {ua.NodeId(getattr(_Ids, f"{name}Request_Encoding_DefaultBinary")): name
                  for name in ("AddNodes", "DeleteNodes", "AddReferences", "DeleteReferences", "HistoryUpdate")}  # fmt: skip
_ABSENT: Final = frozenset(ua.NodeId(getattr(_Ids, f"{name}Request_Encoding_DefaultBinary"))
                           for name in ("SetTriggering", "Cancel", "QueryFirst", "QueryNext"))  # fmt: skip


class GuardedProcessor(UaProcessor):
    """One connection's services, with the checks that the library leaves out."""

    async def _process_message(self, typeid: ua.NodeId, requesthdr: Any, seqhdr: Any, body: Buffer) -> Any:
        if typeid in _OPEN:
            return await super()._process_message(typeid, requesthdr, seqhdr, body)
        if typeid in _REGISTER:
            raise ServiceError(ua.StatusCodes.BadServiceUnsupported)
        policy = self._connection.security_policy
        if isinstance(policy, SecurityPolicyNone) or not policy.peer_certificate:  # None is there for discovery only
            raise ServiceError(ua.StatusCodes.BadSecurityModeRejected)
        if typeid == _CREATE:
            self._check_create(body, policy.peer_certificate)
        elif typeid == _ACTIVATE:
            await self._check_activate(requesthdr, body, policy.peer_certificate)
        else:
            self._check_service(typeid, requesthdr, body)
        if typeid in _ABSENT:
            raise ServiceError(ua.StatusCodes.BadServiceUnsupported)
        if typeid in _CLOSED:
            self.session.closed(_CLOSED[typeid])
        if typeid == _BROWSE_NEXT:  # the library does not know it
            response = ua.BrowseNextResponse()
            response.Parameters.Results = await self.session.browse_next(struct_from_binary(ua.BrowseNextParameters, body))
            self.send_response(requesthdr.RequestHandle, seqhdr, response)
            return True
        return await super()._process_message(typeid, requesthdr, seqhdr, body)

    def _check_create(self, body: Buffer, channel: bytes) -> None:
        if len(body) > PLAIN_BYTES:
            raise ServiceError(ua.StatusCodes.BadRequestTooLarge)
        if self.session is not None and not self.session.is_closed():
            raise ServiceError(ua.StatusCodes.BadTooManySessions)
        params = struct_from_binary(ua.CreateSessionParameters, _again(body))
        uri = params.ClientDescription.ApplicationUri
        self._oven.check_application(channel, params.ClientCertificate, uri, self._address)

    async def _check_activate(self, requesthdr: Any, body: Buffer, channel: bytes) -> None:
        if len(body) > PLAIN_BYTES:
            raise ServiceError(ua.StatusCodes.BadRequestTooLarge)
        session = self.session or self.iserver.lookup_external_session(requesthdr.AuthenticationToken)
        if not isinstance(session, GuardedSession) or session.auth_token != requesthdr.AuthenticationToken:
            raise ServiceError(ua.StatusCodes.BadSessionIdInvalid)
        if session.certificate is None:
            session.certificate = channel
        if session.certificate != channel:  # a stolen token does not bring a session onto somebody else's channel
            raise ServiceError(ua.StatusCodes.BadSecurityChecksFailed)
        params = struct_from_binary(ua.ActivateSessionParameters, _again(body))
        await session.identify(params, self._address)

    def _check_service(self, typeid: ua.NodeId, requesthdr: Any, body: Buffer) -> None:
        if self.session is None or requesthdr.AuthenticationToken != self.session.auth_token:
            raise ServiceError(ua.StatusCodes.BadSessionIdInvalid)
        if not self.session.is_activated():
            raise ServiceError(ua.StatusCodes.BadSessionNotActivated)
        if typeid != _CALL:
            if len(body) > PLAIN_BYTES:
                raise ServiceError(ua.StatusCodes.BadRequestTooLarge)
            return
        try:
            prescan.check_call(bytes(body.copy(len(body)).read(len(body))))
        except (prescan.Refused, struct.error):
            raise ServiceError(ua.StatusCodes.BadDecodingError) from None

    @property
    def _oven(self) -> OvenServer:
        server = self.iserver
        assert isinstance(server, OvenServer)
        return server

    @property
    def _address(self) -> str:
        return str(self.name[0]) if self.name else ""


class BoundedProtocol(OPCUAProtocol):
    """A connection: what a frame says of its own length is checked before anything is kept of it."""

    processor: UaProcessor | None
    _received = b""
    _pending_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, unless its address has its share already."""
        peer = transport.get_extra_info("peername")
        address = peer[0] if peer else ""
        server = self.iserver
        assert isinstance(server, OvenServer)
        if sum(1 for client in self.clients if client.peer_name and client.peer_name[0] == address) >= server.settings.max_per_address:
            server.counts.refused_connections += 1
            transport.close()
            return
        super().connection_made(transport)
        if self.processor is None:
            server.counts.refused_connections += 1
            return
        self.processor = GuardedProcessor(self.iserver, transport, self.limits)
        self.processor.set_policies(self.policies)

    def data_received(self, data: bytes) -> None:
        """Check the announced lengths, then hand on whole frames one by one, so that what waits is not held more than once."""
        if self.transport is None or self.transport.is_closing():
            return
        frames, self._received = _frames(self._received + data)
        for frame in frames:
            self._pending_bytes += len(frame)
            if self._pending_bytes > PENDING_BYTES or self.transport.is_closing():
                self.transport.close()
                return
            super().data_received(frame)
        if not _length_fits(self._received):
            self._received = b""
            self.transport.close()

    async def _process_received_message_loop(self) -> None:
        """Process messages in order; whatever cannot be processed ends the connection, as the standard wants."""
        while True:
            header, buffer = await self.messages.get()
            if header is None:
                return
            self._pending_bytes -= header.header_size + header.body_size
            try:
                going_on = await self._process_one_msg(header, buffer)
            except (*HOSTILE, NotEnoughData) as error:  # only this connection pays
                log.warning("connection ended", peer=self.peer_name, why=f"{type(error).__name__}: {error}"[:200])
                going_on = False
            if not going_on:
                if self.transport is not None:
                    self.transport.close()
                return


class BoundedBinaryServer(BinaryServer):
    """The listening socket."""

    def _make_protocol(self) -> OPCUAProtocol:
        return BoundedProtocol(self.iserver, self._policies, self.clients, self.closing_tasks, self.limits)


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _frames(buffer: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole frames at the beginning of ``buffer``, and the rest of it, which may begin with a length that does not fit."""
    frames, at = [], 0
    while _length_fits(buffer, at) and at + 8 <= len(buffer):
        size = struct.unpack_from("<I", buffer, at + 4)[0]
        if at + size > len(buffer):
            break
        frames.append(buffer[at : at + size])
        at += size
    return frames, buffer[at:]


def _length_fits(buffer: bytes, at: int = 0) -> bool:
    return at + 8 > len(buffer) or 8 <= struct.unpack_from("<I", buffer, at + 4)[0] <= FRAME_BYTES


def _again(body: Buffer) -> Buffer:
    """Return ``body`` to be read without moving it."""
    return body.copy(len(body))
