"""What turns entries into rows: numbers them, chains them and commits them. One thread at a time."""

import sqlite3
from collections.abc import Iterable
from typing import Final, NamedTuple

from controller.journal.chain import GENESIS, ROW, Row, link
from controller.journal.entry import Entry

_INSERT: Final = f"INSERT INTO entry ({ROW}) VALUES (?, ?, ?, ?, ?, ?, ?)"


class Stamped(NamedTuple):
    """An entry and when it came, on the wall clock."""

    entry: Entry
    wall_ns: int


def is_full(error: sqlite3.Error) -> bool:
    """Return whether ``error`` says that the disk is full, which ends by itself and harms nothing that was written."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


class Tape:
    """The end of the chain, where entries are put; ``commit`` makes them durable.

    Attributes:
        seq: number of the last entry put.
        boot: number of this start of the core, one more than that of the last entry found.
        last_at_s: process time of the last entry found at the start, s; 0 in a new journal.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Go to the end of the journal behind ``connection``, which the tape owns from now on."""
        last = connection.execute("SELECT seq, boot, at_s, hash FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
        self.seq: int
        self.last_at_s: float
        self._hash: bytes
        self.seq, boot, self.last_at_s, self._hash = last or (0, 0, 0.0, GENESIS)
        self.boot: Final[int] = boot + 1
        self.connection: Final = connection
        self._rows: list[Row] = []

    def put(self, entries: Iterable[Stamped]) -> int:
        """Add ``entries`` to what the next commit writes and return the number of the last one."""
        for (kind, at_s, payload), wall_ns in entries:
            self.seq += 1
            at_s += 0.0  # SQLite keeps no negative zero, and the hash would tell
            self._hash = link(self._hash, self.seq, self.boot, kind, at_s, wall_ns, payload)
            self._rows.append((self.seq, self.boot, kind, at_s, wall_ns, payload, self._hash))
        return self.seq

    @property
    def waiting(self) -> int:
        """Return how many entries were put and not committed."""
        return len(self._rows)

    def commit(self) -> None:
        """Write what was put, in one transaction that is on the disk when this returns.

        Raises:
            sqlite3.Error: it is not, and nothing more may be written: after a failed fsync nobody knows what the disk holds. But for a full
                disk (``is_full``): then nothing of it was written, and it waits for the next commit.
        """
        if not self._rows:
            return
        run = self.connection.execute
        try:
            run("BEGIN IMMEDIATE")
            self.connection.executemany(_INSERT, self._rows)
            run("UPDATE head SET seq = ?, hash = ?", (self.seq, self._hash))
            run("COMMIT")
        except sqlite3.Error:
            if self.connection.in_transaction:
                run("ROLLBACK")
            raise
        self._rows.clear()
