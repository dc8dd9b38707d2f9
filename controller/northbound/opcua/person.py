"""Who speaks in a session: found out before it is activated, and what that person may see."""

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, Final, NoReturn

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_session import InternalSession, SessionState

from controller.clock import wall_s
from controller.northbound.opcua import access, pki
from controller.northbound.opcua.bounds import HOSTILE, OVEN_INDEX
from controller.northbound.opcua.paging import Pages
from controller.northbound.opcua.users import Person, matches, role_of
from controller.roles import Role

if TYPE_CHECKING:
    from controller.northbound.opcua.inner import OvenServer

_NOBODY: Final = Person("", Role.VIEWER)
_DIAGNOSTICS: Final = frozenset(
    {ua.ObjectIds.Server_ServerDiagnostics}
    | {value for name, value in vars(ua.ObjectIds).items() if name.startswith("Server_ServerDiagnostics_")}
)


class PersonSession(InternalSession):
    """One session. ``person`` is who it is activated for."""

    def __init__(self, server: "OvenServer", name: str, user: User, external: bool) -> None:
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
        if node.NamespaceIndex == OVEN_INDEX:
            return access.may_see(self.person.role, node.Identifier)
        return node.NamespaceIndex != 0 or node.Identifier not in _DIAGNOSTICS or self.person.role >= access.DIAGNOSTICS

    def denied(self, what: str) -> None:
        """Count and audit a denial."""
        self.server.counts.denials += 1
        self.server.audit(self.person.name, what, "BadUserAccessDenied", False)
