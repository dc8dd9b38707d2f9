"""The journal's file: who may open it, what must be true of it, and that a wrong one is refused and never touched."""

import fcntl
import os
import sqlite3
from importlib.resources import files
from pathlib import Path
from typing import Final

from controller.errors import JournalError

APPLICATION_ID: Final = 0x4F56_4A4E
SCHEMA_VERSION: Final = 1
MEMORY: Final = ":memory:"
UNREADABLE: Final = (sqlite3.Error, UnicodeDecodeError)  # the latter when SQLite quotes a damaged text in its own message


def open_to_write(path: Path | str) -> sqlite3.Connection:
    """Return the one connection that writes; a file that does not exist, or is empty, becomes a journal.

    Raises:
        JournalError: the file is something else, damaged, or of a newer schema; it is left as it was.
    """
    try:
        connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise JournalError(f"{path}: cannot be opened: {error}") from error
    try:
        is_new = _check(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if is_new:
            _create(connection)
    except UNREADABLE as error:
        connection.close()
        raise JournalError(f"{path}: cannot be used as a journal: {error}") from error
    except JournalError:
        connection.close()
        raise
    return connection


def open_to_read(path: Path | str) -> sqlite3.Connection:
    """Return a connection that can only read; the core need not run.

    Raises:
        JournalError: there is no journal, or it cannot be read.
    """
    file = Path(path).absolute()
    if not file.is_file():
        raise JournalError(f"{path}: there is no journal")
    # Without a write-ahead log and without the right to make one, nobody writes: a copy on a read-only medium.
    alone = not os.access(file.parent, os.W_OK) and not Path(f"{file}-wal").exists()
    uri = f"{file.as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=5, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise JournalError(f"{path}: cannot be opened: {error}") from error
    try:
        if _check(connection, path):
            raise JournalError(f"{path}: is empty, not a journal yet")
    except UNREADABLE as error:
        connection.close()
        raise JournalError(f"{path}: cannot be read as a journal: {error}") from error
    except JournalError:
        connection.close()
        raise
    return connection


def lock(path: Path | str) -> int:
    """Return a descriptor that holds the journal's lock until it is closed or the process ends.

    Raises:
        JournalError: another process holds it.
    """
    name = f"{path}.lock"
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise JournalError(f"{name}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise JournalError(f"{path}: another core writes this journal (its lock {name} is held); two may not") from error
    return descriptor


def _check(connection: sqlite3.Connection, path: Path | str) -> bool:
    """Return whether the file is empty; raise when it is not a journal that this version knows. Reads only."""
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if (application, version, tables) == (0, 0, 0):
        return True
    if application != APPLICATION_ID:
        raise JournalError(f"{path}: is a database, but not a journal of this product; it is left as it is")
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path}: was written by a newer version (schema {version}, this one knows {SCHEMA_VERSION}); it is left as it is"
        )
    return False


def _create(connection: sqlite3.Connection) -> None:
    schema = (files("controller.journal") / "schema.sql").read_text(encoding="utf-8")
    pragmas = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
    connection.executescript(f"BEGIN IMMEDIATE; {schema} {pragmas} COMMIT;")
