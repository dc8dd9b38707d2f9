"""Sessions that know who speaks: every service is checked for the person's role, per node and per method, before the library sees it."""

import asyncio
import logging
import secrets
import struct
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, NoReturn, Protocol

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.crypto.uacrypto import InvalidSignature as ForgedSignature
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession, SessionState
from asyncua.server.monitored_item_service import MonitoredItemValues
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from controller.clock import wall_s
from controller.northbound.opcua import access, pki, where
from controller.northbound.opcua.paging import Pages
from controller.northbound.opcua.pki import Pki
from controller.northbound.opcua.settings import OpcuaSettings
from controller.northbound.opcua.users import Account, Failures, Person, matches, role_of
from controller.roles import Role

MOST_NODES: Final = 1000  # in one request
MOST_HISTORY: Final = 20
MOST_SUBSCRIPTIONS: Final = 10  # of one session
MOST_ITEMS: Final = 1000  # of one session
MOST_SESSIONS: Final = 24
INTERVAL_MS: Final = (100.0, 60_000.0)
# What bytes of a stranger make of the library's decoders and of cryptography.
HOSTILE: Final = (ServiceError, ua.UaError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError,
                  AssertionError, MemoryError, OSError, struct.error, InvalidSignature, ForgedSignature, UnsupportedAlgorithm)  # fmt: skip
_NOBODY: Final = Person("", Role.VIEWER)
_OVEN_INDEX: Final = 2
_DENIED: Final = ua.StatusCode(ua.StatusCodes.BadUserAccessDenied)
_DIAGNOSTICS: Final = frozenset(
    {ua.ObjectIds.Server_ServerDiagnostics}
    | {value for name, value in vars(ua.ObjectIds).items() if name.startswith("Server_ServerDiagnostics_")}
)


class Caller(Protocol):
    """Carries out method calls for a person."""

    async def call(self, session: "GuardedSession", request: ua.CallMethodRequest) -> ua.CallMethodResult:
        """Return the answer to one call; the role is checked in here, because only here the method's name is known."""


Historian = Callable[["GuardedSession", ua.HistoryReadParameters], Awaitable[list[ua.HistoryReadResult]]]
Audit = Callable[[str, str, str, bool], None]  # user, what, answer, whether it was done
Personal = Callable[["GuardedSession", ua.NodeId], ua.Variant | None]  # what a value is for one session, None: the same for all


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
        self.max_pending_messages_per_connection = 50
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


class GuardedSession(InternalSession):
    """One session. ``person`` is who it is activated for."""

    def __init__(self, server: OvenServer, name: str, user: User, external: bool) -> None:
        """Make a session whose token nobody can guess."""
        super().__init__(server, server.aspace, server.subscription_service, name, user=user, external=False)
        self.server = server
        self.auth_token = ua.NodeId(secrets.token_bytes(32), 0, ua.NodeIdType.ByteString)
        self.person = _NOBODY
        self.certificate: bytes | None = None
        self.proven: Person | None = None
        self.refreshed_s = 0.0
        self.pages = Pages()
        self.external = external
        if external:
            server.register_external_session(self)

    def is_closed(self) -> bool:
        """Return whether it was closed."""
        return self.state is SessionState.Closed

    # ---- who it is ----

    async def identify(self, params: ua.ActivateSessionParameters, address: str) -> None:
        """Find out whose token it is, the password's hash on a thread. Raises ServiceError."""
        token, server = params.UserIdentityToken, self.server
        if isinstance(token, ua.ExtensionObject) or token is None:
            token = ua.AnonymousIdentityToken()
        if isinstance(token, ua.AnonymousIdentityToken):
            if not server.settings.anonymous:
                self._refuse("anonymous", address, ua.StatusCodes.BadIdentityTokenRejected)
            found: Person | None = Person("anonymous", Role.VIEWER)
        elif isinstance(token, ua.UserNameIdentityToken):
            found = await self._by_password(token, address)
        elif isinstance(token, ua.X509IdentityToken):
            found = await self._by_certificate(token, params.UserTokenSignature, address)
        else:
            found = None
        if found is None:
            raise ServiceError(ua.StatusCodes.BadIdentityTokenRejected)
        if self.person is not _NOBODY and self.person.name != found.name:  # a session keeps its person; another one logs in anew
            self._refuse(found.name, address, ua.StatusCodes.BadUserAccessDenied)
        self.proven = found

    async def _by_password(self, token: ua.UserNameIdentityToken, address: str) -> Person:
        server, name = self.server, str(token.UserName or "")[:64]
        keys = (f"user {name}", f"address {address}")
        if server.failures.wait_s(keys, wall_s()) > 0:
            self._refuse(name, address, ua.StatusCodes.BadUserAccessDenied)
        try:
            _, password = server.decrypt_user_token(self, token)
        except HOSTILE:
            password = ""
        server.failures.failed(keys, wall_s())  # counted before the hash, so that parallel tries do not slip through
        account = (await asyncio.to_thread(server.accounts)).get(name)
        if not await asyncio.to_thread(matches, account, str(password or "")) or account is None:
            self._refuse(name, address, ua.StatusCodes.BadUserAccessDenied)
        server.failures.passed(keys)
        return Person(name, role_of(account))

    async def _by_certificate(self, token: ua.X509IdentityToken, signature: Any, address: str) -> Person:
        der = bytes(token.CertificateData or b"")
        keys = (f"address {address}",)
        if self.server.failures.wait_s(keys, wall_s()) > 0 or not der:
            self._refuse("certificate", address, ua.StatusCodes.BadUserAccessDenied)
        shown = pki.thumbprint(der)
        accounts = await asyncio.to_thread(self.server.accounts)
        try:
            self.server.verify_x509_token(self, token, signature)
        except HOSTILE:
            accounts = {}
        for name, account in accounts.items():
            if shown in account.certificates:
                return Person(name, role_of(account))
        self.server.failures.failed(keys, wall_s())
        return self._refuse(f"certificate {shown}", address, ua.StatusCodes.BadUserAccessDenied)

    def _refuse(self, name: str, address: str, code: int) -> NoReturn:
        self.server.counts.refused_logins += 1
        self.server.audit(name, f"ActivateSession from {address}", ua.StatusCode(code).name, False)
        raise ServiceError(code)

    def activate_session(self, params: ua.ActivateSessionParameters, peer_certificate: bytes | None) -> ua.ActivateSessionResult:
        """Activate for the person that ``identify`` has found, and for nobody else."""
        proven, self.proven = self.proven, None
        if proven is None or not peer_certificate:
            raise ServiceError(ua.StatusCodes.BadSecurityModeRejected)
        result = super().activate_session(params, peer_certificate)
        self.person = proven
        self.user = User(role=UserRole.User, name=proven.name)
        self.server.audit(proven.name, "ActivateSession", f"as {proven.role.name.lower()}", True)
        return result

    # ---- what may be seen ----

    def sees(self, node: ua.NodeId) -> bool:
        """Return whether the person may see ``node``."""
        if node.NamespaceIndex == _OVEN_INDEX:
            return access.may_see(self.person.role, node.Identifier)
        return node.NamespaceIndex != 0 or node.Identifier not in _DIAGNOSTICS or self.person.role >= access.DIAGNOSTICS

    def denied(self, what: str) -> None:
        """Count and audit a denial."""
        self.server.counts.denials += 1
        self.server.audit(self.person.name, what, "BadUserAccessDenied", False)

    async def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        """Read what the person may see; the rest is BadUserAccessDenied."""
        wanted = _bounded(params.NodesToRead)
        seen = [self.sees(value.NodeId) for value in wanted]
        params.NodesToRead = [value for value, may in zip(wanted, seen, strict=True) if may]
        found = iter(self.server.attribute_service.read(params))
        results = [next(found) if may else ua.DataValue(StatusCode=_DENIED) for may in seen]
        if not all(seen):
            self.denied("Read " + _names(value.NodeId for value, may in zip(wanted, seen, strict=True) if not may))
        for index, value in enumerate(wanted):
            if seen[index] and value.AttributeId == ua.AttributeIds.UserExecutable and value.NodeId.NamespaceIndex == _OVEN_INDEX:
                name = str(value.NodeId.Identifier).removeprefix(f"{access.ROOT}.")
                results[index] = ua.DataValue(ua.Variant(access.may_call(self.person.role, name), ua.VariantType.Boolean))
            elif seen[index] and value.AttributeId == ua.AttributeIds.Value and (own := self.server.personal(self, value.NodeId)):
                results[index] = ua.DataValue(own)
        return results

    async def write(self, params: ua.WriteParameters) -> list[ua.StatusCode]:
        """Refuse: nothing here is written from outside, methods ask the core."""
        wanted = _bounded(params.NodesToWrite)
        self.denied("Write " + _names(value.NodeId for value in wanted))
        return [_DENIED for _ in wanted]

    async def browse(self, params: ua.BrowseParameters) -> list[ua.BrowseResult]:
        """Browse what the person may see; references to the rest are left out."""
        wanted = _bounded(params.NodesToBrowse)
        results = await super().browse(params)
        for index, description in enumerate(wanted):
            if not self.sees(description.NodeId):
                self.denied("Browse " + _names((description.NodeId,)))
                results[index] = ua.BrowseResult(StatusCode=_DENIED)
            else:
                results[index].References = [ref for ref in results[index].References or [] if self.sees(_plain(ref.NodeId))]
        return [self.pages.page(result, params.RequestedMaxReferencesPerNode) for result in results]

    async def browse_next(self, parameters: ua.BrowseNextParameters) -> list[ua.BrowseResult]:
        """Go on with what a browse has left."""
        return [self.pages.after(point, parameters.ReleaseContinuationPoints) for point in _bounded(parameters.ContinuationPoints)]

    async def translate_browsepaths_to_nodeids(self, params: list[ua.BrowsePath]) -> list[ua.BrowsePathResult]:
        """Translate paths to what the person may see."""
        for path in _bounded(params):
            if len(path.RelativePath.Elements or []) > 20:
                raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        results = await super().translate_browsepaths_to_nodeids(params)
        for result in results:
            if not all(self.sees(_plain(target.TargetId)) for target in result.Targets or []):
                self.denied("TranslateBrowsePaths")
                result.Targets, result.StatusCode = [], _DENIED
        return results

    async def history_read(self, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        """Read the history of what the person may see."""
        wanted = _bounded(params.NodesToRead, MOST_HISTORY)
        if self.server.historian is None:
            raise ServiceError(ua.StatusCodes.BadServiceUnsupported)
        seen = [self.sees(value.NodeId) for value in wanted]
        params.NodesToRead = [value for value, may in zip(wanted, seen, strict=True) if may]
        found = iter(await self.server.historian(self, params))
        if not all(seen):
            self.denied("HistoryRead " + _names(value.NodeId for value, may in zip(wanted, seen, strict=True) if not may))
        return [next(found) if may else ua.HistoryReadResult(StatusCode=_DENIED) for may in seen]

    async def history_update(self, params: ua.HistoryUpdateParameters) -> list[ua.HistoryUpdateResult]:
        """Refuse: nobody changes what was."""
        self.denied("HistoryUpdate")
        raise ServiceError(ua.StatusCodes.BadUserAccessDenied)

    # ---- what may be done ----

    async def call(self, params: list[ua.CallMethodRequest]) -> list[ua.CallMethodResult]:
        """Carry out calls one after the other."""
        if self.server.caller is None:
            raise ServiceError(ua.StatusCodes.BadServiceUnsupported)
        return [await self.server.caller.call(self, request) for request in _bounded(params, 10)]

    async def add_nodes(self, params: list[ua.AddNodesItem]) -> list[ua.AddNodesResult]:
        """Refuse: the address space is made from the tables."""
        return self._closed("AddNodes")

    async def delete_nodes(self, params: ua.DeleteNodesParameters) -> list[ua.StatusCode]:
        """Refuse as ``add_nodes``."""
        return self._closed("DeleteNodes")

    async def add_references(self, params: list[ua.AddReferencesItem]) -> list[ua.StatusCode]:
        """Refuse as ``add_nodes``."""
        return self._closed("AddReferences")

    async def delete_references(self, params: list[ua.DeleteReferencesItem]) -> list[ua.StatusCode]:
        """Refuse as ``add_nodes``."""
        return self._closed("DeleteReferences")

    def _closed(self, what: str) -> Any:
        self.denied(what)
        raise ServiceError(ua.StatusCodes.BadUserAccessDenied)

    # ---- subscriptions: one's own only ----

    def owns(self, subscription: int) -> bool:
        """Return whether the subscription is this session's."""
        found = self.subscription_service.subscriptions.get(subscription)
        return found is not None and found.session_id == self.session_id

    def _own(self, subscription: int) -> None:
        if not self.owns(subscription):
            raise ServiceError(ua.StatusCodes.BadSubscriptionIdInvalid)

    def _mine(self) -> list[Any]:
        return [one for one in self.subscription_service.subscriptions.values() if one.session_id == self.session_id]

    async def create_subscription(
        self, params: ua.CreateSubscriptionParameters, callback: Callable[..., Any], request_callback: Callable[..., Any] | None = None
    ) -> ua.CreateSubscriptionResult:
        """Make a subscription with an interval inside the bounds."""
        if len(self._mine()) >= MOST_SUBSCRIPTIONS:
            raise ServiceError(ua.StatusCodes.BadTooManySubscriptions)
        low, high = INTERVAL_MS
        asked = params.RequestedPublishingInterval
        params.RequestedPublishingInterval = min(max(asked, low), high) if asked == asked else low
        return await super().create_subscription(params, callback, request_callback)

    async def create_monitored_items(self, params: ua.CreateMonitoredItemsParameters) -> list[ua.MonitoredItemCreateResult]:
        """Monitor what the person may see; event filters are checked and evaluated with their types' ancestors."""
        self._own(params.SubscriptionId)
        wanted = _bounded(params.ItemsToCreate)
        if sum(len(one.monitored_item_srv._monitored_items) for one in self._mine()) + len(wanted) > MOST_ITEMS:
            raise ServiceError(ua.StatusCodes.BadTooManyMonitoredItems)
        codes = [self._unfit(item) for item in wanted]
        params.ItemsToCreate = [item for item, code in zip(wanted, codes, strict=True) if code is None]
        made = await super().create_monitored_items(params)
        service = self.subscription_service.subscriptions[params.SubscriptionId].monitored_item_srv
        for result in made:
            item = service._monitored_items.get(result.MonitoredItemId)
            if item is not None:
                item.mvalue = _Kept(item.mvalue)
            if item is not None and item.where_clause_evaluator is not None:
                item.where_clause_evaluator = where.Evaluator(self.aspace, item.filter.WhereClause, self.person.role)
        found = iter(made)
        return [next(found) if code is None else ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(code)) for code in codes]

    def _unfit(self, item: ua.MonitoredItemCreateRequest) -> int | None:
        node, asked = item.ItemToMonitor, item.RequestedParameters.Filter
        if not self.sees(node.NodeId):
            self.denied("CreateMonitoredItems " + _names((node.NodeId,)))
            return ua.StatusCodes.BadUserAccessDenied
        if node.AttributeId == ua.AttributeIds.EventNotifier:
            return ua.StatusCodes.BadEventFilterInvalid if where.unfit(asked) else None
        if isinstance(asked, ua.ExtensionObject):  # what the library makes of "no filter", and then trips over
            item.RequestedParameters.Filter = asked = None
        if asked is not None and not isinstance(asked, ua.DataChangeFilter):
            return ua.StatusCodes.BadMonitoredItemFilterUnsupported
        return None

    async def modify_monitored_items(self, params: ua.ModifyMonitoredItemsParameters) -> list[ua.MonitoredItemModifyResult]:
        """Change queue sizes of one's own items; a filter stays what it was."""
        self._own(params.SubscriptionId)
        for item in _bounded(params.ItemsToModify):
            item.RequestedParameters.Filter = None
            item.RequestedParameters.QueueSize = min(item.RequestedParameters.QueueSize or 1, self.server.max_monitored_item_queue_size)
        known = self.subscription_service.subscriptions[params.SubscriptionId].monitored_item_srv._monitored_items
        unknown = ua.MonitoredItemModifyResult(StatusCode=ua.StatusCode(ua.StatusCodes.BadMonitoredItemIdInvalid))
        mine = [item for item in params.ItemsToModify if item.MonitoredItemId in known]
        ids = {item.MonitoredItemId for item in mine}
        wanted, params.ItemsToModify = params.ItemsToModify, mine
        found = iter(await super().modify_monitored_items(params))
        return [next(found) if item.MonitoredItemId in ids else unknown for item in wanted]

    async def set_monitoring_mode(self, params: ua.SetMonitoringModeParameters) -> list[ua.StatusCode]:
        """Set the mode of one's own items."""
        self._own(params.SubscriptionId)
        return await super().set_monitoring_mode(params)

    async def set_publishing_mode(self, params: ua.SetPublishingModeParameters) -> list[ua.StatusCode]:
        """Switch one's own subscriptions on or off."""
        for subscription in _bounded(params.SubscriptionIds):
            self._own(subscription)
        return await super().set_publishing_mode(params)

    def modify_subscription(self, params: ua.ModifySubscriptionParameters) -> ua.ModifySubscriptionResult:
        """Answer with what the subscription has: the library cannot change it."""
        self._own(params.SubscriptionId)
        return super().modify_subscription(params)

    def republish(self, params: ua.RepublishParameters) -> ua.NotificationMessage:
        """Send a message of one's own subscription again. Raises ServiceError when it is not kept any more."""
        self._own(params.SubscriptionId)
        message = super().republish(params)
        if not message.SequenceNumber:
            raise ServiceError(ua.StatusCodes.BadMessageNotAvailable)
        return message

    async def delete_monitored_items(self, params: ua.DeleteMonitoredItemsParameters) -> list[ua.StatusCode]:
        """Delete one's own items."""
        self._own(params.SubscriptionId)
        return await super().delete_monitored_items(params)

    async def delete_subscriptions(self, ids: list[int]) -> list[ua.StatusCode]:
        """Delete one's own subscriptions; to others it is as if they were not there."""
        mine = [one for one in _bounded(ids) if self.owns(one)]
        deleted = dict(zip(mine, await super().delete_subscriptions(mine), strict=True))
        if len(mine) < len(ids):
            self.denied(f"DeleteSubscriptions {[one for one in ids if one not in deleted]}")
        return [deleted.get(one, ua.StatusCode(ua.StatusCodes.BadSubscriptionIdInvalid)) for one in ids]

    async def transfer_subscriptions(
        self, params: ua.TransferSubscriptionsParameters, callback: Callable[..., Any]
    ) -> list[ua.TransferResult]:
        """Take over subscriptions of sessions of the same person and the same application."""
        refused = ua.TransferResult(StatusCode=ua.StatusCode(ua.StatusCodes.BadUserAccessDenied))
        wanted = _bounded(params.SubscriptionIds)
        mine = [one for one in wanted if self._was_mine(one)]
        params.SubscriptionIds = mine
        moved = dict(zip(mine, await super().transfer_subscriptions(params, callback), strict=True))
        if len(mine) < len(wanted):
            self.denied("TransferSubscriptions")
        return [moved.get(one, refused) for one in wanted]

    def _was_mine(self, subscription: int) -> bool:
        found = self.subscription_service.subscriptions.get(subscription)
        before = [one for one in self.server._external_sessions.values() if found is not None and one.session_id == found.session_id]
        return any(isinstance(one, GuardedSession) and (one.person, one.certificate) == (self.person, self.certificate) for one in before)

    def publish(self, acks: Iterable[ua.SubscriptionAcknowledgement] | None = None) -> tuple[int, list[ua.StatusCode]]:
        """Acknowledge messages of one's own subscriptions."""
        if not self._mine():
            raise ServiceError(ua.StatusCodes.BadNoSubscription)
        results = []
        for ack in _bounded(list(acks or [])):
            if self.owns(ack.SubscriptionId):
                self.subscription_service.subscriptions[ack.SubscriptionId].publish([ack.SequenceNumber])
                results.append(ua.StatusCode())
            else:
                results.append(ua.StatusCode(ua.StatusCodes.BadSubscriptionIdInvalid))
        return len(self._mine()), results


class _Kept(MonitoredItemValues):
    """The last two values of an item without the library's deep copies: nothing here changes a value after it was written."""

    def __init__(self, before: MonitoredItemValues) -> None:
        self.current_dvalue, self.old_dvalue = before.current_dvalue, before.old_dvalue

    def set_current_datavalue(self, cur_val: ua.DataValue) -> None:
        self.old_dvalue, self.current_dvalue = self.current_dvalue, cur_val


def quiet() -> None:
    """Keep the library's own log to what an attacker cannot fill a disk with."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)


def _bounded(items: list[Any] | None, most: int = MOST_NODES) -> list[Any]:
    if items and len(items) > most:
        raise ServiceError(ua.StatusCodes.BadTooManyOperations)
    return items or []


def _plain(node: ua.NodeId) -> ua.NodeId:
    return ua.NodeId(node.Identifier, node.NamespaceIndex) if isinstance(node, ua.ExpandedNodeId) else node


def _names(nodes: Iterable[ua.NodeId]) -> str:
    shown = [node.to_string() for node in nodes]
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
