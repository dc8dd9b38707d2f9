"""The hash chain: each entry's hash covers its predecessor's, so that no entry can be changed, removed or moved unseen.

Anybody can verify a journal with an SQLite shell and SHA-256. For each row of the table ``entry`` in the order of ``seq``::

    hash = SHA-256( previous hash                      32 bytes; 32 zero bytes before seq 1
                  | seq       unsigned 64 bit          all numbers big-endian
                  | boot      unsigned 32 bit
                  | at_s      IEEE 754 binary64
                  | wall_ns   signed 64 bit
                  | length of kind    unsigned 16 bit  | kind, UTF-8
                  | length of payload unsigned 32 bit  | payload )

``seq`` counts 1, 2, 3, ... without a gap, and the table ``head`` holds the last row's seq and hash. Whoever can write the file can also
compute a new chain: what proves a record is the last hash, printed in the batch report and kept elsewhere.
"""

import math
import sqlite3
import struct
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from controller.errors import JournalError
from controller.journal.file import UNREADABLE, open_to_read

GENESIS: Final = bytes(32)
ROW: Final = "seq, boot, kind, at_s, wall_ns, payload, hash"
_HEAD: Final = struct.Struct(">QIdqH")
_SIZE: Final = struct.Struct(">I")
_PAGE: Final = 2000

Row = tuple[int, int, str, float, int, bytes, bytes]


class Verified(NamedTuple):
    """What a check of the chain found. ``first_bad_seq`` is None when everything holds."""

    count: int  # type: ignore[assignment]  # entries that hold, from the start; hides tuple.count, which nobody needs here
    first_bad_seq: int | None
    text: str
    last_hash: bytes


def link(previous: bytes, seq: int, boot: int, kind: str, at_s: float, wall_ns: int, payload: bytes) -> bytes:
    """Return the hash of one entry that follows the entry with hash ``previous``."""
    name = kind.encode()
    head = _HEAD.pack(seq, boot, at_s, wall_ns, len(name))
    return sha256(b"".join((previous, head, name, _SIZE.pack(len(payload)), payload))).digest()


def fault(row: Row, seq: int, previous: bytes) -> str:
    """Return what is wrong with ``row`` as entry number ``seq`` after ``previous``; empty when it holds."""
    if row[0] != seq:
        return f"entry {seq} is missing, {row[0]} follows"
    if not _plausible(row):
        return f"entry {seq} holds a field of the wrong type or size"
    if link(previous, *row[:6]) != row[6]:
        return f"entry {seq} does not match its hash"
    return ""


def walk(rows: Iterable[Row], seq: int, previous: bytes) -> Verified:
    """Check ``rows``, which follow entry ``seq`` with hash ``previous``."""
    count = 0
    for row in rows:
        seq += 1
        found = fault(row, seq, previous)
        if found:
            return Verified(count, seq, found, previous)
        previous = row[6]
        count += 1
    return Verified(count, None, "", previous)


def verify(path: Path | str) -> Verified:
    """Check every entry of the journal at ``path``; it may be written to meanwhile.

    Raises:
        JournalError: there is no journal, or it cannot be opened.
    """
    connection = open_to_read(path)
    try:
        return _verify(connection)
    finally:
        connection.close()


def check_tail(connection: sqlite3.Connection, count: int = 1000) -> None:
    """Check the last ``count`` entries against the entry before them and against the head.

    Raises:
        JournalError: they do not hold.
    """
    try:
        last, head = _ends(connection)
        start = max(0, last - count)
        before = connection.execute("SELECT hash FROM entry WHERE seq = ?", (start,)).fetchone() if start else (GENESIS,)
        rows = connection.execute(f"SELECT {ROW} FROM entry WHERE seq > ? ORDER BY seq", (start,)).fetchall()
    except UNREADABLE as error:
        raise JournalError(f"the journal cannot be read: {error}") from error
    if before is None:
        raise JournalError(f"the journal does not verify: entry {start} is missing")
    found = walk(rows, start, before[0])
    if found.first_bad_seq is not None:
        raise JournalError(f"the journal does not verify: {found.text}")
    if (last, head) != (start + found.count, found.last_hash):
        raise JournalError(f"the journal does not verify: it ends with entry {start + found.count}, its head says {last}")


def _verify(connection: sqlite3.Connection) -> Verified:
    count, previous = 0, GENESIS
    try:
        last, head = _ends(connection)
        while count < last:
            rows = connection.execute(
                f"SELECT {ROW} FROM entry WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT {_PAGE}", (count, last)
            ).fetchall()
            if not rows:
                return Verified(count, count + 1, f"entry {count + 1} is missing, the head says {last}", previous)
            found = walk(rows, count, previous)
            count, previous = count + found.count, found.last_hash
            if found.first_bad_seq is not None:
                return found._replace(count=count)
    except UNREADABLE as error:
        return Verified(count, count + 1, f"the file cannot be read after entry {count}: {error}", previous)
    if previous != head:
        return Verified(max(0, count - 1), max(1, count), f"entry {count} is not the one that the head names", previous)
    return Verified(count, None, f"{count} entries, chain unbroken", previous)


def _ends(connection: sqlite3.Connection) -> tuple[int, bytes]:
    """Return the head's seq and hash; both sides in one statement, so that a writer cannot come in between."""
    row = connection.execute("SELECT seq, hash, (SELECT coalesce(max(seq), 0) FROM entry) FROM head").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("the head is missing")
    return max(row[0], row[2]), row[1]


def _plausible(row: Row) -> bool:
    return (
        [type(field) for field in row] == [int, int, str, float, int, bytes, bytes]
        and 0 <= row[1] < 2**32
        and math.isfinite(row[3])
        and len(row[2].encode("utf-8", "replace")) < 2**16
    )
