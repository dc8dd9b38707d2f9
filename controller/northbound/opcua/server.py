"""The server as a whole: one ordered start, then the journal read and told again and again until it is cancelled."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from asyncua import Server, ua
from asyncua.common.node import Node

from controller.clock import wall_ns, wall_s
from controller.errors import FileError, JournalError, Problem
from controller.interlocks.table import RULES
from controller.memory import Settings
from controller.northbound.library import Library, LibraryError, Listed, Status
from controller.northbound.opcua import batch, capabilities, files, jobforms, jobs, methods, pki, recipes, users
from controller.northbound.opcua.alarms import Conditions
from controller.northbound.opcua.history import History
from controller.northbound.opcua.inner import OvenServer, quiet
from controller.northbound.opcua.instances import Instances
from controller.northbound.opcua.joborders import JobOrders
from controller.northbound.opcua.models import Models
from controller.northbound.opcua.nodes import SECURITY
from controller.northbound.opcua.pki import Pki
from controller.northbound.opcua.port import AlarmNews, News, Oven
from controller.northbound.opcua.protocol import LIMITS, BoundedBinaryServer
from controller.northbound.opcua.session import GuardedSession
from controller.northbound.opcua.settings import NAMESPACE, OpcuaSettings
from controller.northbound.opcua.space import INDEX, Space, stale, told
from controller.northbound.opcua.users import Person
from controller.recipe.reading import SourcedRecipe
from controller.recipe.states import UnitState, Verb
from controller.roles import Role

_P: Final = ua.SecurityPolicyType
ENCRYPTED: Final = (_P.Basic256Sha256_SignAndEncrypt, _P.Aes256Sha256RsaPss_SignAndEncrypt)
SIGNED: Final = (_P.Basic256Sha256_Sign, _P.Aes256Sha256RsaPss_Sign)
SLOW_S: Final = 5.0  # between two looks at library and counters
_MOST_AUDITS: Final = 200
log = structlog.get_logger("opcua")


class _OvenUa(Server):
    """The library's server with a bounded socket."""

    async def start(self) -> None:
        await self._setup_server_nodes()
        await self.iserver.start()
        host, port = self._get_bind_socket_info()
        self.bserver = BoundedBinaryServer(self.iserver, host, port, self.limits)
        self.bserver.set_policies(self._policies)
        await self.bserver.start()


class OpcuaServer:
    """The OPC UA server of one oven.

    Args:
        settings: of the site.
        folder: of the gateway's own files.
        oven: journal and mailbox.
        site: settings of the oven, against which recipes are checked.
        version: of this software.
    """

    def __init__(self, settings: OpcuaSettings, folder: Path, oven: Oven, site: Settings, version: str) -> None:
        """Read nothing yet."""
        self._settings = settings
        self._oven = oven
        self._version = version
        self._store = Pki(folder / settings.pki_dir)
        self._users = folder / settings.users_file
        examine: Callable[[SourcedRecipe], tuple[str, str]] = recipes.examiner(site)
        self.library = Library(folder / settings.library_file, pki.signing_key(self._store), examine)
        self._server: OvenServer = OvenServer(settings, self._store, self._accounts)
        self._asking = batch.Asking(oven, settings.answer_s)
        self._history = History(oven)
        self._space = Space(self._server)
        self._instances = Instances(self._server, self._space)
        self._conditions = Conditions(self._server, self._asking, self._instances, site.alarms.shelve_max_min)
        self._files = files.Files(self.library, self._audit)
        self._models = Models(self._server, self._space)
        self._orders = JobOrders(folder / "jobs.json")
        self._job_states: dict[str, str] = {}
        self._retired: set[tuple[str, int]] = set()  # by the core, as far as is known here
        self._state: UnitState | None = None
        self._audits: asyncio.Queue[tuple[str, str, str, bool]] = asyncio.Queue(_MOST_AUDITS)
        self._seq = 0
        self._sample_s = float("-inf")
        self.port = 0

    def check(self) -> None:
        """Raise FileError when certificate, key or users cannot be used."""
        users.read(self._users)
        self._certificate()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until cancelled.

        Raises:
            FileError: certificate, key or users cannot be used.
            OSError: the port cannot be had.
        """
        quiet()
        self.check()
        server = _OvenUa(iserver=self._server)
        await self._prepare(server)
        try:
            await server.start()
            self.port = server.bserver.port
            log.info("opcua", listening=f"{self._settings.host}:{self.port}")
            ready()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed(), name="opcua feed")
                group.create_task(self._slow(), name="opcua library and counters")
                group.create_task(self._tell_audits(), name="opcua audit")
        finally:
            await server.stop()

    async def _prepare(self, server: Server) -> None:
        certificate, uri = self._certificate()
        self._server.certificate, self._server.private_key = certificate
        server.limits = LIMITS
        server.set_endpoint(f"opc.tcp://{self._settings.host}:{self._settings.port}/ovenctl")
        server.set_server_name("ovenctl")
        server.product_uri, server.manufacturer_name = "urn:ovenctl", "ovenctl"
        server.application_type = ua.ApplicationType.Server
        server._application_uri = uri
        # None stays for discovery only: the processor refuses sessions on it.
        server.set_security_policy([_P.NoSecurity, *ENCRYPTED, *(SIGNED if self._settings.sign_only else ())])
        tokens = [ua.UserNameIdentityToken, ua.X509IdentityToken]
        server.set_identity_tokens([*tokens, ua.AnonymousIdentityToken] if self._settings.anonymous else tokens)
        await server.init()
        await server.set_build_info("urn:ovenctl", "ovenctl", "ovenctl gateway", self._version, "", datetime.now(UTC))
        if await server.register_namespace(NAMESPACE) != INDEX:
            raise AssertionError("the oven's namespace is the first behind the application's own")
        rules = [rule.id for rule in RULES]
        await self._space.build(rules)
        await self._instances.build(rules)
        await self._conditions.begin(rules)
        await self._models.load(server)
        await self._models.build()
        await capabilities.tell(server)
        files.build(self._space)
        orders = jobs.Jobs(self._orders, self._asking, self.library, self._oven, self._show_jobs)
        asked = (*batch.table(self._asking, self.library), *recipes.table(self.library, self._asking))
        every = (*asked, *files.table(self._files), *orders.table())
        table = methods.Methods(every, self._conditions.methods())
        for identifier, method in table.table.items():
            parent, name = identifier.rsplit(".", 1)
            given = methods.arguments(method.inputs), methods.arguments(method.outputs)
            self._space.add_method(parent, name, method.text, *given, method.namespace)
        node = Node(self._server.isession, ua.NodeId(ua.ObjectIds.Server))
        await node.set_event_notifier([ua.EventNotifier.SubscribeToEvents])
        self._server.caller = table
        self._server.historian = self._history.read
        self._server.audit = self._audit
        self._server.personal = partial(files.personal, self._files)
        await self._identify(uri)

    def _certificate(self) -> tuple[tuple[object, object], str]:
        certificate, key = pki.own(self._store)
        uris = pki.uris_of(certificate)
        if not uris:
            allowed = "the application's URI; `ovenctl pki init` makes it"
            raise FileError(str(self._store.certificate), [Problem("subjectAltName", "none", allowed)])
        if why := pki.untimely(certificate):  # no reason to stay away: the clock may be wrong, and set right later
            log.warning("certificate", file=str(self._store.certificate), why=f"{why}: clients may refuse it")
        return (certificate, key), uris[0]

    async def _identify(self, uri: str) -> None:
        said = {"Manufacturer": "ovenctl", "Model": "batch oven controller", "SoftwareRevision": self._version, "ProductInstanceUri": uri,
                "DeviceClass": "oven controller"}  # fmt: skip
        values: dict[str, tuple[object, int]] = {f"Oven.Identification.{name}": (text, ua.StatusCodes.Good) for name, text in said.items()}
        await self._models.identify(said)
        await self._show_jobs()
        values["Oven.Recipes.PublicKey"] = (self.library.public_key.hex(), ua.StatusCodes.Good)
        await self._space.write(values, wall_ns())

    async def _feed(self) -> None:
        """Read what is new and tell it."""
        why = ""
        while True:
            try:
                news = await asyncio.to_thread(self._oven.news, self._seq)
            except JournalError as error:
                if str(error) != why:
                    log.warning("journal", why=str(error))
                why = str(error)
            else:
                why = ""
                self._seq = news.seq
                self._retired |= news.retired
                if news.sample is not None:
                    self._sample_s = wall_s()
                    serial = news.sample.values.get("plc_serial", float("nan"))
                    if serial == serial:
                        await self._space.write({"Oven.Identification.SerialNumber": (f"{serial:.0f}", ua.StatusCodes.Good)}, wall_ns())
                        await self._models.identify({"SerialNumber": f"{serial:.0f}"})
                at_ns = news.sample.wall_ns if news.sample is not None else wall_ns()
                await self._space.write(told(news), at_ns)
                await self._show(news)
                for alarm in news.alarms:
                    await self._tell(alarm)
            if wall_s() - self._sample_s > self._settings.stale_s:
                await self._space.write(stale(), wall_ns())
                await self._models.show(None)
            await asyncio.sleep(self._settings.poll_s)

    async def _show(self, news: News) -> None:
        """Show the unit's state and the job orders in the standard models."""
        self._state = UnitState.__members__.get(str(news.latest.get("state", {}).get("to")), self._state)
        if news.sample is not None and (code := news.sample.values.get("unit_state", float("nan"))) == code:
            self._state = UnitState(int(code))
        await self._models.show(self._state)
        if self._orders.told(news.latest, self._state, news.waiting):
            await self._show_jobs()

    async def _show_jobs(self) -> None:
        """Write the lists of orders and responses."""
        kept = list(self._orders.jobs.values())
        for name, found in (("Jobs.JobOrderList", [jobforms.order_of(job) for job in kept]),
                            ("JobResponses.JobOrderResponseList", [jobforms.response(job) for job in kept])):  # fmt: skip
            await self._models.write(f"Oven.{name}", ua.Variant(found, ua.VariantType.ExtensionObject, is_array=True))
        for job in kept:
            if self._job_states.get(job.id) != job.state:
                await self._server.subscription_service.trigger_event(jobforms.event(job))
        self._job_states = {job.id: job.state for job in kept}

    async def _tell(self, alarm: AlarmNews) -> None:
        await self._conditions.tell(alarm)
        await asyncio.sleep(0)

    async def _slow(self) -> None:
        while True:
            self._files.sweep()
            good = ua.StatusCodes.Good
            values: dict[str, tuple[object, int]] = {}
            try:
                listed = await asyncio.to_thread(self.library.listed)
                values["Oven.Recipes.Approved"] = ([f"{one.recipe}/{one.revision}" for one in listed if one.status == "approved"], good)
            except LibraryError as error:
                values["Oven.Recipes.Approved"] = (None, ua.StatusCodes.BadResourceUnavailable)
                log.warning("library", why=str(error))
            else:
                await self._tell_retired(listed)
            counts = self._server.counts
            shown = (None, counts.refused_connections, counts.refused_applications, counts.refused_logins, counts.denials)
            for variable, count in zip(SECURITY[1:], shown[1:], strict=True):
                values[variable.id] = (str(count), good)
            values["Oven.Security.Sessions"] = (self._sessions(), good)
            await self._space.write(values, wall_ns())
            await asyncio.sleep(SLOW_S)

    async def _tell_retired(self, listed: list[Listed]) -> None:
        """Have the core keep what the library has as retired, one at a time: a new journal begins without it."""
        retired = [(one.recipe, one.revision) for one in listed if one.status is Status.RETIRED]
        due = [one for one in retired if one not in self._retired] if self._seq else []
        for recipe, revision in due[:1]:
            args = {"recipe": recipe, "revision": revision, "reason": "the library has it as retired"}
            try:
                _, answer, _ = await self._asking.ask(Person("gateway", Role.ENGINEER), Verb.RETIRE, args)
                self._retired.add((recipe, revision))  # asked once, whatever the answer
            except methods.Fault as fault:  # no answer: again next time
                answer = str(fault)
            log.info("library", retired=f"{recipe}/{revision}", core=answer[:200])

    def _sessions(self) -> list[str]:
        open_ = [one for one in self._server._external_sessions.values() if isinstance(one, GuardedSession) and one.is_activated()]
        return [f"{one.person.name} ({one.person.role.name.lower()}) {pki.thumbprint(one.certificate or b'')}" for one in open_]

    def _audit(self, user: str, what: str, answer: str, done: bool) -> None:
        log.info("audit", user=user, what=what[:200], answer=answer[:200], done=done)
        if not self._audits.full():
            self._audits.put_nowait((user, what, answer, done))

    async def _tell_audits(self) -> None:
        while True:
            said = await self._audits.get()
            await self._server.subscription_service.trigger_event(self._conditions.audit(*said))

    def _accounts(self) -> dict[str, users.Account]:
        """Return the people as the file has them now; a broken file lets nobody in."""
        try:
            return users.read(self._users)
        except FileError as error:
            log.error("users", why=str(error))
            return {}
