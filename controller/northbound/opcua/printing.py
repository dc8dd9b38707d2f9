"""The server's address space, role matrix and bounds as a document, made from the tables that the server itself uses."""

from collections.abc import Iterable

from controller.northbound.opcua import access, bounds, files, methods, prescan
from controller.northbound.opcua.access import METHOD_ROLES, PARTS
from controller.northbound.opcua.aggregates import SUPPORTED
from controller.northbound.opcua.history import MOST_INTERVALS, MOST_SAMPLES, PAGE
from controller.northbound.opcua.mapping import MAPPING
from controller.northbound.opcua.methods import Arg, Method
from controller.northbound.opcua.models import NAMESPACES
from controller.northbound.opcua.nodes import VARIABLES, Variable
from controller.northbound.opcua.protocol import CHUNKS, FRAME_BYTES, MESSAGE_BYTES, PLAIN_BYTES
from controller.northbound.opcua.settings import NAMESPACE, OpcuaSettings
from controller.recipe.reading import MAX_BYTES
from controller.roles import Role

_HEAD = """\
# OPC UA server of the gateway

Made by `ovenctl print opcua` from the tables in controller/northbound/opcua; a test keeps it fresh.

1. `ovenctl pki init --host NAME` makes the server's certificate; `ovenctl user add NAME ROLE` lets a person in.
2. `[gateway.opcua] enabled = true` in controller.toml, restart the gateway; it listens on `opc.tcp://HOST:4840/ovenctl`.
3. The first connection of a client application is refused and its certificate kept: compare the thumbprint, then
   `ovenctl pki trust THUMBPRINT`. No restart is needed.
4. `ovenctl recipe key` shows the key of approvals; with its line under `[settings.approval.keys]` of the core's controller.toml the core
   starts approved recipes only and verifies them itself.

The server reads the journal and posts commands to the core's mailbox; it has no other way to the oven. Without a new sample for
`stale_s` every value is BadNoCommunication. Namespace `{namespace}` has index 2; identifiers are the strings below.

* **Security**: policies Basic256Sha256 and Aes256_Sha256_RsaPss, Sign (unless `sign_only = false`) and SignAndEncrypt; None only for
  discovery. Only certificates that lie in `trusted/` themselves are trusted, chains are not followed. User names with passwords (scrypt)
  or the person's own certificate by its thumbprint; anonymous only where `anonymous = true`, as viewer. From the third failure on a user
  and an address wait twice as long each time, up to 300 s.
* **Bounds**: frame {frame} bytes, message {message} bytes in {chunks} chunks, any request but a method call {plain} bytes;
  {connections} connections, {address} of one address, {activation:g} s to an activated session; {sessions} sessions;
  {subscriptions} subscriptions and {items} monitored items a session; {nodes} nodes a request, {calls} calls with {arguments} arguments
  and arrays of {elements}; history {page} values a page, aggregates {intervals} intervals over {samples} samples.
* **Answers**: a refused role is BadUserAccessDenied, wrong arguments are BadInvalidArgument with a code per argument, a core that does not
  answer is BadTimeout. What core or library refuse is a good call whose `Accepted` is false (`Verdict` REFUSED) and whose text says why.
* **Alarms**: AlarmConditionType events on the Server object with the oven as SourceNode; severity 900 CRITICAL, 700 HIGH, 500 MEDIUM,
  300 LOW; entries of journal priority are no events. Below each condition of `Oven.Alarms` stand the fields of its newest event, to be
  read and monitored. Acknowledge, Confirm, AddComment, TimedShelve and Unshelve of the standard work on the conditions, ConditionRefresh
  once a second. ConfirmedState becomes false with the acknowledgement of a row that trips (ALARMS.md, column confirm) and true by
  Confirm, which needs the row gone and its latch reset (BadInvalidState before); Retain stays until then. Enable is
  BadConditionAlreadyEnabled, Disable and OneShotShelve are BadNotSupported. Every call, login and denial is an audit event for engineers
  and admins, and stands in the log.
* **Subscriptions**: intervals of {low:g} to {high:g} ms, also by ModifySubscription; lifetime at least three keep-alives; deadbands
  absolute and in percent of the EURange, from the value last sent; Republish until a message is acknowledged; a subscription is
  transferred to another session of the same person and application. Not offered, BadServiceUnsupported: SetTriggering, Query, Cancel;
  NodeManagement is BadUserAccessDenied to all.
* **History**: raw, forwards and backwards, with bounds and continuation points; at given times, at most {page}; aggregates {aggregates}.
* **Recipes**: draft, submitted, approved, retired; a draft can be removed. Revisions only grow, approval needs another user than the author
  and is signed with Ed25519; text, hash and signature are checked at every start, and by the core again at each phase and after a
  restart. What is retired the core refuses by its own list, which it keeps over restarts, so that a library restored from a copy brings
  nothing back; without the core's answer nothing is retired, and the gateway tells a core with a new journal what its library has retired.
  An engineer's edit of the running control recipe is unsigned: it is recorded
  with reason and hashes, the core proves at each phase that master and recorded edits give what runs (I34), the report shows it as a
  deviation, and `settings.approval.edits = false` forbids it. Refused uploads are kept, of those above {file_bytes} characters
  hash, size, user, time and head. Nothing is ever deleted.
* **Files** (Part 20): open `Recipes.UploadFile` for writing (mode 6), write UTF-8, close: the content is taken or refused just as by
  `Recipes.Upload`. A refused file closes with BadConfigurationError; `Recipes.ReceiptFile`, opened for reading (mode 1), then holds
  one's own last receipt as JSON with the answers of `Recipes.Upload`. More than {file_bytes} bytes are BadRequestTooLarge at once and
  kept as evidence; a handle that is closed with nothing written does nothing. `Recipes.Transfer` (TemporaryFileTransferType) opens the
  same files: `GenerateFileForRead` with `id/revision` for a revision's text, `GenerateFileForWrite` with a name, `CloseAndCommit`; its
  completion state machine is null, because everything is done when the call returns. A handle is good in its session only;
  {file_session} handles a session, {file_open} in all, {file_idle:g} s without use close it and take nothing. One Read gives at most
  {file_piece} bytes.
* **Standard models** (types from the OPC Foundation's nodesets, pruned, MIT): OPC UA for Machinery (`Machines/Oven/Identification`),
  PackML's three nested state machines as a view without methods, ISA-95 Job Control V2 (`JobOrderControl`, `JobOrderResults`) over the
  same commands, roles and audit as `Batch`. A job order is a recipe's revision (`WorkMasterID[0].ID` = RECIPE/REVISION) and a load (its
  parameters are the arguments of `Batch.Start`, and `Formula.NAME`). `Start` of an order without a StartTime starts at once or is refused:
  an oven that heats by itself when it has become free would surprise somebody. With a StartTime ahead, a week at most, the order is
  AllowedToStart as the core's delayed start, and goes back to NotAllowedToStart by `RevokeStart`, by any HOLD, STOP, ABORT or RESET, by
  a restart of the core, or when something blocks the start at its time. `Update` replaces an order that is NotAllowedToStart. Each change
  of an order's state is an event of `JobOrderStatusEventType`, a subtype of the standard's abstract ISA95JobOrderStatusEventType.
  Not offered: substates, `WorkMaster` lists (the library is `Recipes`), EndTime and Priority (one oven, one order at a time; ignored),
  `Abort` of an order that does not run (`Cancel` it: ReturnStatus 8).
"""


def document(table: tuple[Method, ...]) -> str:
    """Return ``deploy/OPCUA.md``; ``table`` are the server's methods."""
    defaults = OpcuaSettings()
    aggregates = "Interpolative, Minimum, Maximum, Average, Count, Start, End"
    if len(aggregates.split(", ")) != len(SUPPORTED):
        raise AssertionError("an aggregate is missing from the document")
    head = _HEAD.format(
        namespace=NAMESPACE, frame=FRAME_BYTES, message=MESSAGE_BYTES, chunks=CHUNKS, plain=PLAIN_BYTES, page=PAGE,
        low=bounds.INTERVAL_MS[0], high=bounds.INTERVAL_MS[1],
        connections=defaults.max_connections, address=defaults.max_per_address, activation=defaults.activation_s,
        sessions=bounds.MOST_SESSIONS, subscriptions=bounds.MOST_SUBSCRIPTIONS, items=bounds.MOST_ITEMS, nodes=bounds.MOST_NODES,
        calls=prescan.MOST_CALLS, arguments=prescan.MOST_ARGUMENTS, elements=methods.MOST_ELEMENTS, intervals=MOST_INTERVALS,
        samples=MOST_SAMPLES, aggregates=aggregates, file_bytes=MAX_BYTES, file_session=files.MOST_OF_SESSION, file_open=files.MOST_OPEN,
        file_idle=files.IDLE_S, file_piece=files.PIECE,
    )  # fmt: skip
    return "\n".join([head, *_parts(), *_matrix(), *_methods(table), *_mapped(), *_variables()]) + "\n"


def _parts() -> Iterable[str]:
    yield "## Who sees what\n\nBrowse, read, subscribe and history alike.\n"
    yield from _table(("part", *_role_names(), "what"), ((f"`Oven.{part.name}`", *_marks(part.role), part.text) for part in PARTS))
    yield f"\nDiagnostics of the server itself: {access.DIAGNOSTICS.name.lower()}. Nothing can be written by anybody.\n"


def _matrix() -> Iterable[str]:
    yield "## Who calls what\n"
    yield from _table(("method", *_role_names()), ((f"`{name}`", *_marks(least)) for name, least in METHOD_ROLES.items()))


def _methods(table: tuple[Method, ...]) -> Iterable[str]:
    yield "\n## Methods\n"
    for method in table:
        yield f"### `Oven.{method.name}`\n\n{_sentence(method)}\n"
        rows = [("in", *_argument(arg)) for arg in method.inputs] + [("out", *_argument(arg)) for arg in method.outputs]
        yield from _table(("", "argument", "type", "allowed", "what"), rows)
        yield ""


def _mapped() -> Iterable[str]:
    yield "## States in the standard models\n"
    yield "A job order's state before its batch is NotAllowedToStart. Without a sample the PackML states are BadNoCommunication.\n"
    rows = (
        (unit.name, *(one or "not active" for one in (to.base, to.machine, to.execute)), to.job or "as it was")
        for unit, to in MAPPING.items()
    )
    yield from _table(("unit", "PackML base", "`MachineState`", "`ExecuteState`", "job order"), rows)
    yield ""
    yield from _table(("namespace", "index"), ((f"`{uri}`", str(index)) for index, uri in NAMESPACES.items()))
    yield ""


def _variables() -> Iterable[str]:
    yield "## Variables\n"
    rows = ((f"`{one.id}`", one.kind.value, one.unit or "-", _range(one), "yes" if one.has_history else "-", one.text) for one in VARIABLES)
    yield from _table(("node", "type", "unit", "range", "history", "what"), rows)


def _sentence(method: Method) -> str:
    return method.text[0].upper() + method.text[1:] + "."


def _argument(arg: Arg) -> tuple[str, str, str, str]:
    base = arg.type.removesuffix("[]")
    if base in ("String", "BaseDataType"):
        allowed = f"at most {arg.most} characters"
    elif base == "ByteString":
        allowed = f"at most {arg.most} bytes"
    else:
        allowed = f"{arg.low:g} to {arg.high:g}" if arg.high < 1e12 else "-"
    return arg.name, arg.type, allowed, arg.text


def _range(one: Variable) -> str:
    return f"{one.low:g} to {one.high:g}" if one.high > one.low else "-"


def _role_names() -> tuple[str, ...]:
    return tuple(role.name.lower() for role in Role)


def _marks(least: Role) -> tuple[str, ...]:
    return tuple("yes" if role >= least else "-" for role in Role)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
