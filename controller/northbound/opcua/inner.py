"""The library's inner server, closed by default: its bounds, whose application is trusted, and what was turned away."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession

from controller.northbound.opcua import pki
from controller.northbound.opcua.bounds import MOST_SESSIONS
from controller.northbound.opcua.pki import Pki
from controller.northbound.opcua.session import GuardedSession
from controller.northbound.opcua.settings import OpcuaSettings
from controller.northbound.opcua.users import Account, Failures


class Caller(Protocol):
    """Carries out method calls for a person."""

    async def call(self, session: GuardedSession, request: ua.CallMethodRequest) -> ua.CallMethodResult:
        """Return the answer to one call; the role is checked in here, because only here the method's name is known."""

    def name_of(self, node: ua.NodeId) -> str | None:
        """Return the name in the table of roles of a method's node, None for any other node."""


Historian = Callable[[GuardedSession, ua.HistoryReadParameters], Awaitable[list[ua.HistoryReadResult]]]
Audit = Callable[[str, str, str, bool], None]  # user, what, answer, whether it was done
Personal = Callable[[GuardedSession, ua.NodeId], ua.Variant | None]  # what a value is for one session, None: the same for all


@dataclass
class Counts:
    """What was turned away since the start."""

    refused_connections: int = 0
    refused_applications: int = 0
    refused_logins: int = 0
    denials: int = 0


class OvenServer(InternalServer):
    """The library's inner server, closed by default."""

    def __init__(self, settings: OpcuaSettings, store: Pki, accounts: Callable[[], dict[str, Account]]) -> None:
        """Set the bounds; ``accounts`` reads the people's file anew, so that who was removed is out at the next login."""
        super().__init__(user_manager=_Known())
        self.settings = settings
        self.store = store
        self.accounts = accounts
        self.counts = Counts()
        self.failures = Failures()
        self.caller: Caller | None = None
        self.historian: Historian | None = None
        self.audit: Audit = lambda user, what, answer, done: None
        self.personal: Personal = lambda session, node: None
        self.bind_condition_methods = True
        self.allow_remote_admin = False
        self.max_connections = settings.max_connections
        self.max_pending_activation_seconds = settings.activation_s
        self.max_session_timeout_ms = settings.session_s * 1000
        self.max_pending_messages_per_connection = 500
        self.max_unacked_messages_per_subscription = 50
        self.max_monitored_item_queue_size = 200
        self.max_subscriptions = 50
        self.max_lifetime_count = 3000
        self.max_keep_alive_count = 1000

    async def get_endpoints(self, *given: Any, **named: Any) -> list[ua.EndpointDescription]:
        """Return where sessions are possible: SecurityPolicy None is served for asking this only."""
        found = await super().get_endpoints(*given, **named)
        return [one for one in found if one.SecurityMode != ua.MessageSecurityMode.None_]

    def create_session(self, name: str, user: User = User(role=UserRole.Anonymous), external: bool = False) -> InternalSession:  # noqa: B008
        """Return a new session of somebody outside."""
        if len(self._external_sessions) >= MOST_SESSIONS:
            raise ServiceError(ua.StatusCodes.BadTooManySessions)
        return GuardedSession(self, name, user, external)

    def check_application(self, channel: bytes, claimed: bytes | None, uri: str | None, address: str) -> None:
        """Return when the application is trusted and speaks on a channel of its own certificate. Raises ServiceError."""
        if not claimed or not secrets.compare_digest(claimed, channel):
            why = "BadSecurityChecksFailed" if claimed else "BadCertificateInvalid"
        else:
            why = pki.objection(self.store, channel, uri)
        if why:
            self.counts.refused_applications += 1
            self.audit("", f"CreateSession from {address} with certificate {pki.thumbprint(channel)}", why, False)
            raise ServiceError(getattr(ua.StatusCodes, why))


class _Known:
    """The library's seam for users; who it is was settled in ``GuardedSession.identify`` already."""

    def get_user(self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None) -> User | None:
        return User(role=UserRole.User, name=username)


def quiet() -> None:
    """Keep the library's own log to what an attacker cannot fill a disk with."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)
