"""The commands mailbox: a file of its own, which the gateway and the CLI write and the core only reads.

The core answers in the journal, never here. Whoever may write the file states user and role; its permissions are the boundary.
A mailbox that is locked, damaged or absent costs the core nothing but the commands in it.
"""

import json
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

from controller.clock import wall_ns
from controller.errors import OvenctlError
from controller.journal.file import UNREADABLE

ARGS_MAX: Final = 1_000_000  # bytes of JSON; a recipe fits
TEXT_MAX: Final = 128  # characters of id, user, verb and expected state
MAX_AGE_S: Final = 86_400.0
_BURST: Final = 200  # commands in 10 s, from everybody together
_BURST_NS: Final = 10_000_000_000
_KEPT_NS: Final = 7 * 86_400_000_000_000
_POST_WAIT_S: Final = 2.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS command (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL, verb TEXT NOT NULL, args TEXT NOT NULL,
    expected_state TEXT, created_wall_ns INTEGER NOT NULL, max_age_s REAL NOT NULL, role TEXT NOT NULL DEFAULT 'operator') STRICT;
CREATE TABLE IF NOT EXISTS life (name TEXT PRIMARY KEY, wall_ns INTEGER NOT NULL) STRICT;
"""
MALFORMED: Final = "malformed"  # verb of a row that nobody who uses ``post`` can have written; the core refuses it and says so


class MailboxError(OvenctlError):
    """A command was not posted; the text says why and what is allowed."""


class MailboxRow(NamedTuple):
    """One command as it was posted. ``row`` only grows, also over a mailbox that was deleted and made again."""

    row: int
    id: str
    user: str
    verb: str
    args: dict[str, Any]
    expected_state: str | None
    created_wall_ns: int
    max_age_s: float
    role: str


def post(
    path: Path | str,
    user: str,
    verb: str,
    args: Mapping[str, object] | None = None,
    expected_state: str | None = None,
    max_age_s: float = 10.0,
    command_id: str | None = None,
    role: str = "operator",
) -> str:
    """Post a command and return its id; with a ``command_id`` that is there already nothing is posted again (double click).

    Raises:
        MailboxError: something is too long or no JSON, too many commands came, or the file cannot be written.
    """
    name = command_id or str(uuid4())
    for key, text in (("id", name), ("user", user), ("verb", verb), ("expected_state", expected_state or "-"), ("role", role)):
        if not 0 < len(text) <= TEXT_MAX or not text.isprintable():
            raise MailboxError(f"{key}: 1 to {TEXT_MAX} printable characters are allowed")
    if not 0 < max_age_s <= MAX_AGE_S:
        raise MailboxError(f"max_age_s = {max_age_s}: above 0 and at most {MAX_AGE_S:g} s is allowed")
    packed = _packed(args or {})
    now_ns = wall_ns()
    with _writing(path, "FULL") as connection:
        recent = connection.execute("SELECT count(*) FROM command WHERE created_wall_ns > ?", (now_ns - _BURST_NS,)).fetchone()[0]
        if recent >= _BURST:
            raise MailboxError(f"too many commands: {_BURST} in 10 s are allowed")
        connection.execute("DELETE FROM command WHERE created_wall_ns < ?", (now_ns - _KEPT_NS,))
        connection.execute(
            "INSERT OR IGNORE INTO command (id, user, verb, args, expected_state, created_wall_ns, max_age_s, role)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (name, user, verb, packed, expected_state, now_ns, float(max_age_s), role),
        )
    return name


def heartbeat(path: Path | str, name: str) -> None:
    """Leave a sign of life of the process ``name``.

    Raises:
        MailboxError: the file cannot be written.
    """
    with _writing(path, "NORMAL") as connection:
        connection.execute("INSERT OR REPLACE INTO life VALUES (?, ?)", (name, wall_ns()))


class Mailbox:
    """The core's end: reads and never waits.

    Attributes:
        failures: how often the mailbox could not be read; such a call returns nothing.
    """

    def __init__(self, path: Path | str) -> None:
        """Remember ``path``; the file need not exist yet, and may be deleted and made again."""
        self.failures = 0
        self._path = Path(path).absolute()
        self._connection: sqlite3.Connection | None = None
        self._alone = threading.Lock()  # commands and signs of life are read from different threads; sqlite3 dies of a close in between
        self._inode = 0

    def take(self, after_row: int, limit: int = 8) -> list[MailboxRow]:
        """Return at most ``limit`` commands that follow ``after_row``, oldest first; nothing when the file cannot be read at once."""
        fits = f"CASE WHEN length(CAST(args AS BLOB)) <= {ARGS_MAX} THEN args END"
        rows = self._rows(
            f"SELECT row, substr(id, 1, {TEXT_MAX}), substr(user, 1, {TEXT_MAX}), substr(verb, 1, {TEXT_MAX}), {fits},"
            f" substr(expected_state, 1, {TEXT_MAX}), created_wall_ns, max_age_s, substr(role, 1, {TEXT_MAX})"
            " FROM command WHERE row > ? ORDER BY row LIMIT ?",
            (after_row, limit),
        )
        return [_row(row) for row in rows]

    def last_heartbeat(self, name: str) -> int | None:
        """Return when ``name`` last gave a sign of life, ns of the wall clock; None when never or when it cannot be read."""
        rows = self._rows("SELECT wall_ns FROM life WHERE name = ?", (name,))
        return int(rows[0][0]) if rows else None

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        with self._alone:
            self._close()

    def _close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _rows(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._alone:
            try:
                connection = self._open()
                return connection.execute(statement, values).fetchall() if connection else []
            except (*UNREADABLE, OSError):
                self.failures += 1
                self._close()
                return []

    def _open(self) -> sqlite3.Connection | None:
        try:
            inode = self._path.stat().st_ino
        except FileNotFoundError:
            self._close()
            return None
        if self._connection is None or inode != self._inode:
            self._close()
            self._connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode=ro", uri=True, timeout=0, isolation_level=None, check_same_thread=False
            )
            self._connection.text_factory = lambda raw: raw.decode("utf-8", "replace")  # no text can keep the others from being read
            self._inode = inode
        return self._connection


def _row(row: tuple[Any, ...]) -> MailboxRow:
    number, name, user, verb, packed, expected_state, created_wall_ns, max_age_s, role = row
    try:
        args = json.loads(packed or "")
    except (ValueError, RecursionError):
        args = None
    if isinstance(args, dict):
        return MailboxRow(number, name, user, verb, args, expected_state, created_wall_ns, max_age_s, role)
    return MailboxRow(number, name, user, MALFORMED, {}, expected_state, created_wall_ns, max_age_s, role)


def _packed(args: Mapping[str, object]) -> str:
    try:
        packed = json.dumps(args, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise MailboxError(f"args: must be JSON with finite numbers ({error})") from error
    if len(packed) > ARGS_MAX:
        raise MailboxError(f"args: {len(packed)} bytes of JSON, at most {ARGS_MAX} are allowed")
    return packed


@contextmanager
def _writing(path: Path | str, synchronous: str) -> Iterator[sqlite3.Connection]:
    """Yield a connection inside a transaction; commit it at the end, undo it on an error."""
    try:
        _shared(Path(path))
        connection = sqlite3.connect(path, timeout=_POST_WAIT_S, isolation_level=None)
    except (sqlite3.Error, OSError) as error:
        raise MailboxError(f"{path}: the mailbox cannot be opened: {error}") from error
    try:
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        _prepare(connection)
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise MailboxError(f"{path}: the mailbox cannot be written: {error}") from error
    finally:
        connection.close()


def _shared(path: Path) -> None:
    """Make a new mailbox one that its group may write when the folder is such, whoever comes first and whatever his umask.

    SQLite gives the log and the shared memory beside it the same mode. Raises OSError.
    """
    if path.exists() or not path.parent.stat().st_mode & stat.S_IWGRP:
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660)
    except FileExistsError:  # somebody else was as quick
        return
    os.fchmod(descriptor, 0o660)
    os.close(descriptor)


def _prepare(connection: sqlite3.Connection) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'life'").fetchone()[0]:
        if "role" not in {column[1] for column in connection.execute("PRAGMA table_info(command)")}:  # a mailbox of an older release
            connection.execute("ALTER TABLE command ADD COLUMN role TEXT NOT NULL DEFAULT 'operator'")
        return
    connection.execute("PRAGMA journal_mode = WAL")
    # Numbers start at the clock, ms, so that those of a new mailbox lie above those the core has seen in a deleted one.
    start = f"INSERT INTO sqlite_sequence SELECT 'command', {wall_ns() // 1_000_000} WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence);"
    connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {start} COMMIT;")
