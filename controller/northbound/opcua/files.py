"""The files of ``Recipes`` after Part 20: recipes up and down in pieces, and the receipt of one's own last upload.

``UploadFile`` takes one recipe a handle: Open for writing, Write, and Close, which hands the content to the same examination as the method
Upload does. Handles belong to one session, so that two people who write at once do not see each other's bytes. ``Transfer`` is the
standard's TemporaryFileTransferType over the same handles: it names the file that is written and the revision that is read.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from asyncua import ua

from controller.clock import wall_s
from controller.errors import FileError
from controller.northbound.library import Library, LibraryError
from controller.northbound.opcua import access
from controller.northbound.opcua.methods import Arg, Fault, Method, Values, on_thread
from controller.northbound.opcua.recipes import refusal, taken
from controller.northbound.opcua.session import GuardedSession
from controller.northbound.opcua.space import Space
from controller.recipe.reading import MAX_BYTES

MOST_OF_SESSION: Final = 4  # open handles
MOST_OPEN: Final = 16  # of all sessions
IDLE_S: Final = 60.0  # after which a handle that nobody uses is closed without taking anything
PIECE: Final = 65_536  # bytes that one Read gives at most
MOST_RECEIPTS: Final = 100  # people whose last receipt is kept
UPLOAD, DOWNLOAD, RECEIPT, TRANSFER = "UploadFile", "DownloadFile", "ReceiptFile", "Transfer"
READ, WRITE, ERASE, APPEND = 1, 2, 4, 8  # bits of the mode
_S: Final = ua.StatusCodes
_HANDLE: Final = Arg("FileHandle", "UInt32", "that Open gave; good in this session only", 0, 0xFFFF_FFFF)
_NO_MACHINE: Final = ua.NodeId()  # everything is done when the call returns
_FILE: Final = Arg("FileNodeId", "NodeId", "file with the methods for the handle")
_MACHINE: Final = Arg("CompletionStateMachine", "NodeId", "null: it is done")


class FileNode(NamedTuple):
    """One object of FileType."""

    name: str
    text: str
    writable: bool
    mime: str


NODES: Final = (
    FileNode(UPLOAD, "write a recipe; Close takes it as a draft or refuses it, and ReceiptFile then says what became of it", True,
             "application/toml"),
    FileNode(RECEIPT, "what became of one's own last upload by file: JSON as the method Upload answers", False, "application/json"),
    FileNode(DOWNLOAD, "a revision's text, for the handle that Transfer gave", False, "application/toml"),
)  # fmt: skip


@dataclass(slots=True)
class _Open:
    file: str
    session: GuardedSession
    name: str  # of what is written, for messages
    writing: bool
    content: bytearray
    used_s: float
    position: int = 0


@dataclass(slots=True)
class Files:
    """All open handles, and the newest receipt of each person."""

    library: Library
    audit: Callable[[str, str, str, bool], None]
    _open: dict[int, _Open] = field(default_factory=dict)
    _receipts: dict[str, bytes] = field(default_factory=dict)

    def count(self, file: str) -> int:
        """Return how many handles of ``file`` are open."""
        return sum(1 for one in self._open.values() if one.file == file)

    def size(self, session: GuardedSession, file: str) -> int:
        """Return how many bytes ``file`` has in ``session``: those of its newest handle, else of its receipt."""
        mine = [one for one in self._open.values() if one.session is session and one.file == file]
        if mine:
            return len(mine[-1].content)
        return len(self._receipts.get(session.person.name, b"")) if file == RECEIPT else 0

    def sweep(self) -> None:
        """Close what nobody uses any more; what was written and never closed is told to the audit and not taken."""
        now_s = wall_s()
        for handle, one in list(self._open.items()):
            if one.session.is_closed() or now_s - one.used_s > IDLE_S:
                del self._open[handle]
                if one.content and one.writing:
                    self.audit(one.session.person.name, f"File {one.file}", f"{len(one.content)} bytes, never closed: not taken", False)

    # ---- FileType ----

    def open(self, session: GuardedSession, file: str, mode: int) -> int:
        """Return a handle. Raises Fault."""
        if not mode & (READ | WRITE) or mode & ~15 or (mode & ERASE and not mode & WRITE):
            raise Fault(_S.BadInvalidArgument, f"{file}: mode {mode}")
        if file == UPLOAD:
            if mode & READ:
                raise Fault(_S.BadNotReadable, f"{file} can be written; {RECEIPT} says what became of it")
            return self._opened(session, file, file, b"", writing=True)
        if mode & WRITE:
            raise Fault(_S.BadNotWritable, f"{file} can be read only")
        if file == DOWNLOAD:
            raise Fault(_S.BadNotReadable, f"{file} is opened by {TRANSFER}.GenerateFileForRead, which says the revision")
        if (found := self._receipts.get(session.person.name)) is None:
            raise Fault(_S.BadNotFound, f"{session.person.name} has uploaded no file since the start")
        return self._opened(session, file, file, found, writing=False)

    async def close(self, session: GuardedSession, file: str, handle: int) -> None:
        """Close; what was written is taken as a draft. Raises Fault when it is refused."""
        one = self._of(session, file, handle)
        del self._open[handle]
        if one.writing and one.content:  # nothing written: nothing meant
            await self._take(one)

    def read(self, session: GuardedSession, file: str, handle: int, length: int) -> bytes:
        """Return at most ``length`` bytes from the position on, none behind the end. Raises Fault."""
        one = self._of(session, file, handle)
        if one.writing:
            raise Fault(_S.BadInvalidState, f"{file} was opened for writing")
        found = bytes(one.content[one.position : one.position + min(length, PIECE)])
        one.position += len(found)
        return found

    async def write(self, session: GuardedSession, file: str, handle: int, content: bytes) -> None:
        """Put bytes at the position. Raises Fault; more than a recipe may have is refused, kept as evidence, and the handle is gone."""
        one = self._of(session, file, handle)
        if not one.writing:
            raise Fault(_S.BadInvalidState, f"{file} was opened for reading")
        one.content[one.position : one.position + len(content)] = content
        one.position += len(content)
        if len(one.content) > MAX_BYTES:
            del self._open[handle]
            await self._take(one)

    def position(self, session: GuardedSession, file: str, handle: int) -> int:
        """Return where the handle stands. Raises Fault."""
        return self._of(session, file, handle).position

    def set_position(self, session: GuardedSession, file: str, handle: int, position: int) -> None:
        """Move the handle; beyond the end is the end, as the standard says. Raises Fault."""
        one = self._of(session, file, handle)
        one.position = min(position, len(one.content))

    # ---- TemporaryFileTransferType ----

    async def for_read(self, session: GuardedSession, which: str) -> int:
        """Return a handle of ``DownloadFile`` on the revision ``which`` (id/revision). Raises Fault."""
        recipe, _, revision = which.rpartition("/")
        if not recipe or not (revision.isascii() and revision.isdigit() and len(revision) <= 7):
            raise Fault(_S.BadInvalidArgument, f"GenerateOptions = {which[:80]!r}: id/revision, as List gives them")
        try:
            text = await on_thread(self.library.text, recipe, int(revision))
        except LibraryError as error:
            raise Fault(_S.BadNotFound, str(error)) from error
        return self._opened(session, DOWNLOAD, which, text.encode(), writing=False)

    def for_write(self, session: GuardedSession, name: str) -> int:
        """Return a handle of ``UploadFile`` for a file called ``name``. Raises Fault."""
        return self._opened(session, UPLOAD, name or UPLOAD, b"", writing=True)

    # ---- handles ----

    def _opened(self, session: GuardedSession, file: str, name: str, content: bytes, writing: bool) -> int:
        self.sweep()
        mine = sum(1 for one in self._open.values() if one.session is session)
        if mine >= MOST_OF_SESSION or len(self._open) >= MOST_OPEN:
            raise Fault(_S.BadTooManyOperations, f"{mine} files of this session and {len(self._open)} in all are open")
        handle = 1 + secrets.randbelow(0xFFFF_FFFF)
        if handle in self._open:
            raise Fault(_S.BadTooManyOperations, "try again")
        self._open[handle] = _Open(file, session, name, writing, bytearray(content), wall_s())
        return handle

    def _of(self, session: GuardedSession, file: str, handle: int) -> _Open:
        self.sweep()
        one = self._open.get(handle)
        if one is None or one.session is not session or one.file != file:
            raise Fault(_S.BadInvalidArgument, f"{file}: handle {handle} is not open in this session")
        one.used_s = wall_s()
        return one

    async def _take(self, one: _Open) -> None:
        """Hand what was written to the library and keep the receipt. Raises Fault when it is refused."""
        name, user = one.name, one.session.person.name
        try:
            kept = taken(await on_thread(self.library.upload_bytes, name, bytes(one.content), user))
            self._keep(user, kept)
        except (FileError, LibraryError) as error:
            self._keep(user, refusal(error))
            code = _S.BadRequestTooLarge if len(one.content) > MAX_BYTES else _S.BadConfigurationError
            raise Fault(code, f"{name}: {error}") from error

    def _keep(self, user: str, receipt: str) -> None:
        self._receipts.pop(user, None)
        self._receipts[user] = receipt.encode()
        while len(self._receipts) > MOST_RECEIPTS:
            self._receipts.pop(next(iter(self._receipts)))


def build(space: Space) -> None:
    """Make the objects with their properties; their methods come with all others."""
    parent = ua.NodeId(f"{access.ROOT}.Recipes", 2)
    boolean, kinds = ua.VariantType.Boolean, ua.VariantType
    for node in NODES:
        identifier = f"{access.ROOT}.Recipes.{node.name}"
        space.add(parent, identifier, node.text, ua.ObjectIds.FileType)
        for name, value, kind in (
            ("Size", 0, kinds.UInt64), ("Writable", node.writable, boolean), ("UserWritable", node.writable, boolean),
            ("OpenCount", 0, kinds.UInt16), ("MimeType", node.mime, kinds.String), ("MaxByteStringLength", PIECE, kinds.UInt32),
        ):  # fmt: skip
            space.add_property(identifier, name, ua.Variant(value, kind))
    identifier = f"{access.ROOT}.Recipes.{TRANSFER}"
    text = "recipes up and down by a handle that says which; what became of an upload stands in ReceiptFile"
    space.add(parent, identifier, text, ua.ObjectIds.TemporaryFileTransferType)
    space.add_property(identifier, "ClientProcessingTimeout", ua.Variant(1000.0 * IDLE_S, kinds.Double))


def table(files: Files) -> Iterable[Method]:
    """Yield the methods of all file objects and of ``Transfer``."""
    for node in NODES:
        yield from _of_file(files, node.name)

    async def for_read(session: GuardedSession, values: Values) -> tuple[ua.NodeId, int, ua.NodeId]:
        return node_id(DOWNLOAD), await files.for_read(session, values["GenerateOptions"]), _NO_MACHINE

    async def for_write(session: GuardedSession, values: Values) -> tuple[ua.NodeId, int]:
        return node_id(UPLOAD), files.for_write(session, values["GenerateOptions"])

    async def commit(session: GuardedSession, values: Values) -> tuple[ua.NodeId]:
        await files.close(session, UPLOAD, values["FileHandle"])
        return (_NO_MACHINE,)

    options = Arg("GenerateOptions", "BaseDataType", "String: id/revision", most=80)
    yield Method(f"Recipes.{TRANSFER}.GenerateFileForRead", "open a revision's text for reading", (options,), (_FILE, _HANDLE, _MACHINE),
                 for_read, of_session=True)  # fmt: skip
    options = Arg("GenerateOptions", "BaseDataType", "String: name of the file, for messages", most=120)
    yield Method(f"Recipes.{TRANSFER}.GenerateFileForWrite", "open a new file for writing", (options,), (_FILE, _HANDLE), for_write,
                 of_session=True)  # fmt: skip
    yield Method(f"Recipes.{TRANSFER}.CloseAndCommit", "close what was written and take it as a draft", (_HANDLE,), (_MACHINE,), commit,
                 of_session=True)  # fmt: skip


def _of_file(files: Files, file: str) -> Iterable[Method]:
    async def open_(session: GuardedSession, values: Values) -> tuple[int]:
        return (files.open(session, file, values["Mode"]),)

    async def close(session: GuardedSession, values: Values) -> tuple[()]:
        await files.close(session, file, values["FileHandle"])
        return ()

    async def read(session: GuardedSession, values: Values) -> tuple[bytes]:
        return (files.read(session, file, values["FileHandle"], values["Length"]),)

    async def write(session: GuardedSession, values: Values) -> tuple[()]:
        await files.write(session, file, values["FileHandle"], values["Data"])
        return ()

    async def position(session: GuardedSession, values: Values) -> tuple[int]:
        return (files.position(session, file, values["FileHandle"]),)

    async def set_position(session: GuardedSession, values: Values) -> tuple[()]:
        files.set_position(session, file, values["FileHandle"], values["Position"])
        return ()

    at = Arg("Position", "UInt64", "byte from the beginning", 0, 2**64 - 1)
    for name, text, inputs, outputs, handle in (
        ("Open", "give a handle", (Arg("Mode", "Byte", "bits: 1 read, 2 write, 4 erase, 8 append", 0, 255),), (_HANDLE,), open_),
        ("Close", "give the handle back; what was written is taken", (_HANDLE,), (), close),
        ("Read", "read on from the position", (_HANDLE, Arg("Length", "Int32", "bytes wanted", 0, 2**31 - 1)),
         (Arg("Data", "ByteString", "empty at the end"),), read),
        ("Write", "write at the position", (_HANDLE, Arg("Data", "ByteString", "UTF-8", most=2 * MAX_BYTES)), (), write),
        ("GetPosition", "say where the handle stands", (_HANDLE,), (at,), position),
        ("SetPosition", "move the handle", (_HANDLE, at), (), set_position),
    ):  # fmt: skip
        yield Method(f"Recipes.{file}.{name}", text, inputs, outputs, handle, of_session=True)


def node_id(name: str) -> ua.NodeId:
    """Return the node id of a file object."""
    return ua.NodeId(f"{access.ROOT}.Recipes.{name}", 2)


def personal(files: Files, session: GuardedSession, node: ua.NodeId) -> ua.Variant | None:
    """Return what a property of a file object is for this session, None for every other node."""
    owner, _, name = str(node.Identifier).rpartition(".")
    file = owner.removeprefix(f"{access.ROOT}.Recipes.")
    if file not in (UPLOAD, DOWNLOAD, RECEIPT):
        return None
    if name == "Size":
        return ua.Variant(files.size(session, file), ua.VariantType.UInt64)
    if name == "OpenCount":
        return ua.Variant(files.count(file), ua.VariantType.UInt16)
    if name == "UserWritable":
        writable = file == UPLOAD and access.may_call(session.person.role, f"Recipes.{file}.Write")
        return ua.Variant(writable, ua.VariantType.Boolean)
    return None
