"""The journal's one writer. Whoever appends never waits: a thread writes, and a future tells when it is on the disk."""

import os
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from controller.clock import wall_ns, wall_s
from controller.errors import JournalError
from controller.journal.chain import check_tail
from controller.journal.entry import KINDS, Entry, entry
from controller.journal.file import MEMORY, UNREADABLE, lock, open_to_write
from controller.journal.reader import JournalReader
from controller.journal.tape import Stamped, Tape, is_full

_TOGETHER: Final = 2048  # entries per commit without a thread
_CLOSE_S: Final = 20.0
_OVERFLOW: Final = "the journal's queue was full"
_AGAIN_S: Final = 1.0  # between two attempts to write to a full disk


class _Batch(NamedTuple):
    stamped: list[Stamped]
    future: Future[int]
    due_s: float  # on the monotonic clock


class _Lost(NamedTuple):
    entries: int
    from_s: float
    to_s: float
    cause: str = _OVERFLOW


class Journal:
    """One journal file, open for writing by this process alone.

    With a thread (a real oven): durable entries are on the disk when their future is done; samples follow with the next durable entry, at
    the latest ``sample_delay_s`` later. The queue holds ``room`` entries of samples and twice as many in all; what comes then is lost,
    counted in ``dropped``, and a ``gap`` entry says so before anything that follows. Without a thread (virtual time, ``:memory:``): entries
    are committed 2048 at a time, at ``flush`` and at ``close``; futures are done at once with the entry's number.

    A full disk is tried again each second (with a thread): what is durable is kept meanwhile, although its future fails, samples are lost
    and counted. Any other error is the end: nobody knows what the disk holds.

    Attributes:
        trusted: False after an error; every future fails with JournalError, and nothing is written unless the disk was only full and is
            no more.
        why: the error's text; empty while trusted.
        dropped: entries that were lost because the queue was full.
        boot: number of this start.
        last_at_s: process time of the last entry found at the start, s; process time goes on from there.
    """

    def __init__(self, path: Path | str, *, threaded: bool = True, room: int = 20_000, sample_delay_s: float = 0.5) -> None:
        """Open or create the journal at ``path`` and check the end of its chain.

        Raises:
            JournalError: another process writes it, it is no journal, of a newer schema, damaged, or does not verify. It is left as it was.
        """
        self.path = Path(path) if path != MEMORY else None
        self.trusted, self.why, self.dropped = True, "", 0
        self._room, self._sample_delay_s = room, sample_delay_s
        self._queue: list[_Batch] = []
        self._queued, self._durable_waits, self._closing, self._lost = 0, False, False, _Lost(0, 0.0, 0.0)
        self._full, self._kept = False, 0  # the disk is full; durable entries that wait for room on it
        self._wake = threading.Condition()
        self._lock = lock(self.path) if self.path else None
        try:
            self._tape = _tape(path)
        except JournalError:
            self._release()
            raise
        self.boot, self.last_at_s = self._tape.boot, self._tape.last_at_s
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True) if threaded and self.path else None
        if self._thread:
            self._thread.start()

    def append(self, entries: Sequence[Entry], durable: bool = True) -> "Future[int]":
        """Add ``entries``, in this order, and return a future of the last one's number; the future fails with JournalError.

        Never waits for the disk when the journal has a thread.
        """
        now_ns = wall_ns()
        stamped = [Stamped(found, now_ns) for found in entries]
        if any(found.kind not in KINDS for found in entries):
            raise ValueError(f"no kind of journal entry: {sorted({found.kind for found in entries} - set(KINDS))}")
        future: Future[int] = Future()
        future.set_running_or_notify_cancel()  # nobody can cancel what may be written already
        if self._thread:
            self._enqueue(stamped, durable, future)
        else:
            self._write_at_once(stamped, future)
        return future

    def flush(self) -> int:
        """Wait until everything appended so far is on the disk and return the last entry's number.

        Raises:
            JournalError: it could not be written.
        """
        if self._thread:
            return self.append((), durable=True).result()
        if not self._commit():
            raise JournalError(self.why)
        return self._tape.seq

    def reader(self) -> JournalReader:
        """Return a reader of this journal; of one in memory it shares the connection and sees what was flushed."""
        return JournalReader(self.path) if self.path else JournalReader(self._tape.connection)

    def close(self) -> None:
        """Write what is waiting and give the file free; twice does no harm.

        Raises:
            JournalError: the disk did not answer in 20 s; the lock is kept, because the thread may still write.
        """
        with self._wake:
            already, self._closing = self._closing, True
            self._wake.notify()
        if already:
            return
        if self._thread:
            self._thread.join(_CLOSE_S)
            if self._thread.is_alive():
                raise JournalError(f"the journal could not be closed within {_CLOSE_S:g} s: the disk does not answer")
        else:
            self._tape.put(self._gap())
            self._commit()
        self._tape.connection.close()
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _enqueue(self, stamped: list[Stamped], durable: bool, future: "Future[int]") -> None:
        with self._wake:
            refusal = self._refusal(len(stamped), durable)
            if refusal:
                future.set_exception(JournalError(refusal))
                if not (self._full and durable and self._kept + len(stamped) <= 2 * self._room):
                    self._count_lost(stamped)
                    return
                self._kept += len(stamped)
            batch = _Batch([*self._gap(), *stamped], future, wall_s(0.0 if durable else self._sample_delay_s))
            self._queue.append(batch)
            self._queued += len(batch.stamped)
            self._durable_waits |= durable and not refusal
            if (durable and not refusal) or len(self._queue) == 1:
                self._wake.notify()

    def _refusal(self, count: int, durable: bool) -> str:
        if self._closing:
            return "the journal is closed"
        if not self.trusted:
            return self.why
        room = self._room * 2 if durable else self._room  # samples give way to what happened and was decided
        return f"the journal's queue is full ({self._queued} entries)" if self._queued + count > room else ""

    def _count_lost(self, stamped: Sequence[Stamped]) -> None:
        times = [one.entry.at_s for one in stamped]
        if times:
            self.dropped += len(times)
            from_s = self._lost.from_s if self._lost.entries else min(times)
            cause = "the disk was full" if self._full else _OVERFLOW
            self._lost = _Lost(self._lost.entries + len(times), from_s, max(times), cause)

    def _gap(self) -> list[Stamped]:
        lost, self._lost = self._lost, _Lost(0, 0.0, 0.0)
        if not lost.entries:
            return []
        fields = {"from_s": lost.from_s, "to_s": lost.to_s, "count": lost.entries, "cause": lost.cause}
        return [Stamped(entry("gap", lost.to_s, fields), wall_ns())]

    def _write_at_once(self, stamped: list[Stamped], future: "Future[int]") -> None:
        if self._closing or not self.trusted:
            future.set_exception(JournalError(self.why or "the journal is closed"))
            return
        seq = self._tape.put(stamped)
        if self._tape.waiting < _TOGETHER or self._commit():
            future.set_result(seq)
        else:
            future.set_exception(JournalError(self.why))

    def _commit(self) -> bool:
        """Return whether everything put is on the disk."""
        try:
            if self.trusted or self._full:
                self._tape.commit()
                if self._full:
                    self._trust_again()
        except sqlite3.Error as error:
            self._distrust(f"the journal cannot be written: {error}", full=is_full(error) and self._thread is not None)
        return self.trusted

    def _distrust(self, why: str, *, full: bool = False) -> None:
        with self._wake:
            self.why = why if self._full else self.why or why
            self.trusted, self._full = False, full
            self._kept = self._tape.waiting + self._queued

    def _trust_again(self) -> None:
        with self._wake:
            self.trusted, self.why, self._full, self._kept = True, "", False, 0

    def _run(self) -> None:
        work: list[_Batch] = []
        try:
            while (work := self._next()) or (self._full and not self._closing):
                done = [self._tape.put(batch.stamped) for batch in work] if self.trusted or self._full else [0] * len(work)
                self._commit()
                self._answer(work, done)
                work = []
            self._commit()  # the disk may have room by now
        finally:  # after a bug in here the thread is gone, and nobody may wait for it
            if work or not self._closing:
                self._distrust("the journal's thread has ended")
                self._answer([*work, *self._queue], [0] * (len(work) + len(self._queue)))

    def _next(self) -> list[_Batch]:
        """Wait for work and return it; empty when the journal is closed and nothing is left, and when a full disk is to be tried again."""
        with self._wake:
            if self._full and not self._closing:
                self._wake.wait(_AGAIN_S)
            while not (self._full or self._closing or self._durable_waits or (self._queue and self._queue[0].due_s <= wall_s())):
                self._wake.wait(self._queue[0].due_s - wall_s() if self._queue else None)
            if self._closing and self._lost.entries and self.trusted:
                self._queue.append(_Batch(self._gap(), Future(), wall_s()))
            work, self._queue = self._queue, []
            self._queued, self._durable_waits = 0, False
            return work

    def _answer(self, work: list[_Batch], done: list[int]) -> None:
        for batch, seq in zip(work, done, strict=True):
            if batch.future.done():
                continue
            if self.trusted:
                batch.future.set_result(seq)
            else:
                batch.future.set_exception(JournalError(self.why))

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _tape(path: Path | str) -> Tape:
    connection = open_to_write(path)
    try:
        check_tail(connection)
        return Tape(connection)
    except JournalError:
        connection.close()
        raise
    except UNREADABLE as error:
        connection.close()
        raise JournalError(f"{path}: cannot be read: {error}") from error
