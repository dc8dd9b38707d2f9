"""Everything that reads the journal: a second connection that can only read and never keeps the writer waiting."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from controller.errors import JournalError
from controller.journal.chain import ROW
from controller.journal.entry import Stored
from controller.journal.file import UNREADABLE, open_to_read

_PAGE: Final = 1000
_COMMANDS_BACK: Final = 1000
_TEXT: Final = "CAST(payload AS TEXT)"
_RULE: Final = f"CASE WHEN json_valid({_TEXT}) THEN json_extract({_TEXT}, '$.rule') END"


class Batch(NamedTuple):
    """Where a batch stands in the journal. ``end_seq`` is None while it runs; ``result`` is COMPLETE, STOPPED, ABORTED or empty."""

    batch_id: str
    start_seq: int
    end_seq: int | None
    result: str


class Answer(NamedTuple):
    """What the core said to a command."""

    seq: int
    accepted: bool
    text: str


class JournalReader:
    """Reads one journal, whether or not the core runs. Every call is one short transaction; use it from one thread at a time."""

    def __init__(self, source: Path | str | sqlite3.Connection) -> None:
        """Open the journal at ``source``.

        Raises:
            JournalError: there is none, or it is of a newer schema or damaged. Any call raises it when the file cannot be read.
        """
        self._owns = not isinstance(source, sqlite3.Connection)
        self._connection = source if isinstance(source, sqlite3.Connection) else open_to_read(source)
        self._columns: dict[int, tuple[str, ...]] = {}

    def after(self, seq: int, limit: int = _PAGE, kinds: Sequence[str] | None = None) -> list[Stored]:
        """Return at most ``limit`` entries that follow ``seq``, in order; only those of ``kinds`` when given."""
        if kinds is None or "sample" in kinds:
            among = f" AND kind IN ({', '.join('?' * len(kinds))})" if kinds is not None else ""
            return self._stored(f"WHERE seq > ?{among} ORDER BY seq LIMIT ?", (seq, *(kinds or ()), limit))
        found: list[Stored] = []
        for kind in dict.fromkeys(kinds):
            found += self._stored("WHERE kind = ? AND kind <> 'sample' AND seq > ? ORDER BY seq LIMIT ?", (kind, seq, limit))
        return sorted(found)[:limit]

    def between(self, first_seq: int, last_seq: int, kinds: Sequence[str] | None = None) -> Iterator[Stored]:
        """Yield the entries from ``first_seq`` to ``last_seq``, both included, page by page."""
        seq = first_seq - 1
        while page := self.after(seq, _PAGE, kinds):
            for stored in page:
                if stored.seq > last_seq:
                    return
                yield stored
            seq = page[-1].seq

    def last(self, kind: str) -> Stored | None:
        """Return the newest entry of ``kind``, None when there is none."""
        indexed = " AND kind <> 'sample'" if kind != "sample" else ""
        found = self._stored(f"WHERE kind = ?{indexed} ORDER BY seq DESC LIMIT 1", (kind,))
        return found[0] if found else None

    def latest(self, kinds: Sequence[str], last_seq: int) -> list[Stored]:
        """Return, in order, the newest entry up to ``last_seq`` of each of ``kinds`` (not samples), of each rule where they name one."""
        newest = f"SELECT max(seq) FROM entry WHERE kind = ? AND kind <> 'sample' AND seq <= ? GROUP BY {_RULE}"
        found = [stored for kind in kinds for stored in self._stored(f"WHERE seq IN ({newest})", (kind, last_seq))]
        return sorted(found)

    def last_seq(self) -> int:
        """Return the number of the newest entry, 0 in a new journal."""
        return int(self._rows("SELECT coalesce(max(seq), 0) FROM entry", ())[0][0])

    def batches(self) -> list[Batch]:
        """Return all batches, oldest first."""
        found: list[Batch] = []
        for stored in self.between(1, self.last_seq(), ("batch_start", "batch_end")):
            fields = stored.fields()
            name = str(fields.get("batch_id", ""))
            if stored.kind == "batch_start":
                found.append(Batch(name, stored.seq, None, ""))
            elif found and found[-1].end_seq is None:
                found[-1] = found[-1]._replace(end_seq=stored.seq, result=str(fields.get("result", "")))
        return found

    def outcome_of(self, command_id: str) -> Answer | None:
        """Return the core's answer to a command; None while there is none among the newest 1000 commands."""
        newest = f"SELECT {ROW} FROM entry WHERE kind = 'command' AND kind <> 'sample' ORDER BY seq DESC LIMIT {_COMMANDS_BACK}"
        for row in self._rows(f"SELECT * FROM ({newest}) WHERE instr(payload, ?)", (command_id.encode("utf-8", "replace"),)):
            stored = Stored(*row)
            fields = stored.fields()
            if fields.get("id") == command_id:
                return Answer(stored.seq, fields.get("accepted") is True, str(fields.get("answer", "")))
        return None

    def columns(self, boot: int) -> tuple[str, ...] | None:
        """Return the columns of the samples written in ``boot``; None when its boot entry is not there or does not say."""
        if boot not in self._columns:
            where = "WHERE kind = 'boot' AND kind <> 'sample' AND boot = ? ORDER BY seq LIMIT 1"
            found = self._stored(where, (boot,))
            listed = found[0].fields().get("columns") if found else None
            if not isinstance(listed, list):
                return None
            self._columns[boot] = tuple(str(name) for name in listed)
        return self._columns[boot]

    def close(self) -> None:
        """Close the reader's own connection."""
        if self._owns:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _stored(self, where: str, values: tuple[object, ...]) -> list[Stored]:
        return [Stored(*row) for row in self._rows(f"SELECT {ROW} FROM entry {where}", values)]

    def _rows(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except UNREADABLE as error:
            raise JournalError(f"the journal cannot be read: {error}") from error
