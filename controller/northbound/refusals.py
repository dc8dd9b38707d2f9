"""Refused uploads as evidence: hash, size, user, time and reason, and as much of the content as a bounded store has room for.

Nothing is ever erased: when the store is full, later refusals are only counted for each user.
"""

import sqlite3
import zlib
from typing import Final, NamedTuple

HEAD: Final = 4096  # bytes that are kept of a refused text that is too long
MOST_REFUSED: Final = 20_000  # refusals with hash, size, user, time and reason; later ones are counted for each user
MOST_KEPT_BYTES: Final = 32_000_000  # of refused content; from then on only its head is kept, from twice as much none
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS refused (seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, user TEXT NOT NULL, size INTEGER NOT NULL,
    sha256 TEXT NOT NULL, content BLOB NOT NULL, why TEXT NOT NULL, wall_ns INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS beyond (user TEXT PRIMARY KEY, count INTEGER NOT NULL, first_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS refused_is_kept BEFORE DELETE ON refused BEGIN SELECT RAISE(ABORT, 'the library is append-only'); END;
"""


class Refused(NamedTuple):
    """One refused upload. ``head`` is all of its content, or the beginning."""

    name: str
    user: str
    size: int
    sha256: str
    head: bytes
    why: str
    wall_ns: int


def keep(store: sqlite3.Connection, one: Refused) -> None:
    """Keep ``one``, or count it when there is no room for another."""
    count, used = store.execute("SELECT count(*), coalesce(sum(length(content)), 0) FROM refused").fetchone()
    if count >= MOST_REFUSED:
        store.execute(
            "INSERT INTO beyond VALUES (?, 1, ?, ?) ON CONFLICT DO UPDATE SET count = count + 1, last_ns = excluded.last_ns",
            (one.user, one.wall_ns, one.wall_ns),
        )
        return
    head = one.head if used < MOST_KEPT_BYTES else one.head[:HEAD] if used < 2 * MOST_KEPT_BYTES else b""
    store.execute(
        "INSERT INTO refused (name, user, size, sha256, content, why, wall_ns) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (one.name, one.user, one.size, one.sha256, zlib.compress(head), one.why[:4000], one.wall_ns),
    )


def kept(store: sqlite3.Connection) -> list[Refused]:
    """Return every refusal that is kept, oldest first."""
    rows = store.execute("SELECT name, user, size, sha256, content, why, wall_ns FROM refused ORDER BY seq").fetchall()
    return [Refused(name, user, size, sha256, zlib.decompress(head), why, at) for name, user, size, sha256, head, why, at in rows]


def beyond(store: sqlite3.Connection) -> dict[str, int]:
    """Return by user how many refusals were only counted."""
    return dict(store.execute("SELECT user, count FROM beyond").fetchall())
