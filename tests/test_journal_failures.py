"""A disk that takes no more and a core that is killed: what was acknowledged is there, what cannot be written is told."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.errors import JournalError
from controller.journal.chain import verify
from controller.journal.entry import Entry, entry
from controller.journal.reader import JournalReader
from controller.journal.store import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


FULL_DISK = """
import resource, sys
from controller.errors import JournalError
from controller.journal.entry import entry
from controller.journal.store import Journal
journal = Journal(sys.argv[1], threaded=sys.argv[2] == "threaded")
journal.append([entry("state", 0.0, {"to": "RUNNING"})])
journal.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
failed = 0
for i in range(20_000):
    try:
        journal.append([entry("state", float(i), {"to": "x" * 50})]).result(5)
    except JournalError as error:
        failed += 1
        assert str(error) == journal.why
        if failed == 3:
            break
assert failed == 3 and not journal.trusted
journal.close()
print(journal.why)
"""


@pytest.mark.parametrize("mode", ["threaded", "direct"])
def test_a_disk_that_takes_no_more_ends_the_trust_and_nothing_else(path: Path, mode: str) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path), mode], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "cannot be written" in done.stdout
    assert verify(path).first_bad_seq is None


ACKNOWLEDGE = """
import sys
from controller.journal.entry import Entry, entry
from controller.journal.store import Journal
journal = Journal(sys.argv[1])
i = 0
while True:
    journal.append([Entry("sample", float(i), b"x" * 500)], durable=False)
    print(journal.append([entry("decision", float(i), {"what": i})]).result(), flush=True)
    i += 1
"""


def test_no_acknowledged_entry_is_lost_when_the_process_is_killed(path: Path) -> None:
    acknowledged = 0
    for kill in range(10):
        with subprocess.Popen([sys.executable, "-c", ACKNOWLEDGE, str(path)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(3 + 7 * kill):
                acknowledged = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().splitlines(keepends=True)
            acknowledged = int(rest[-1]) if rest and rest[-1].endswith("\n") else acknowledged
        found = verify(path)
        assert found.first_bad_seq is None, found.text
        assert found.count >= acknowledged
    with JournalReader(path) as reader:
        assert [one.seq for one in reader.after(0, 100_000)] == list(range(1, found.count + 1))
        last = reader.last("decision")
    assert last is not None
    assert last.boot == 10


def eventually(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def room(journal: Journal, pages: int) -> None:
    """Let the journal's file have so many pages, as a disk that is full does."""
    journal._tape.connection.execute(f"PRAGMA max_page_count = {pages}")


def pages_of(journal: Journal) -> int:
    return int(journal._tape.connection.execute("PRAGMA page_count").fetchone()[0])


def fill(journal: Journal) -> None:
    room(journal, pages_of(journal) + 1)
    for second in range(1000):
        if journal.append([entry("decision", float(second), {"what": "x" * 200})]).exception(5) is not None:
            return
    raise AssertionError("the disk is not full")


def test_what_happened_while_the_disk_was_full_is_written_when_there_is_room(path: Path) -> None:
    with Journal(path) as journal:
        fill(journal)
        assert not journal.trusted
        assert "full" in journal.why
        aborted = journal.append([entry("state", 2000.0, {"to": "ABORTED"})])
        assert "full" in str(aborted.exception(5))  # at once: nobody waits for a full disk
        lost = journal.append([Entry("sample", 2001.0, b"x")], durable=False)
        assert isinstance(lost.exception(5), JournalError)
        room(journal, 100_000)
        eventually(lambda: journal.trusted)
        assert journal.why == ""
        journal.append([entry("state", 2002.0, {"to": "IDLE"})]).result(5)
    assert verify(path).first_bad_seq is None
    with JournalReader(path) as reader:
        entries = list(reader.between(1, reader.last_seq()))
    assert [one.seq for one in entries] == list(range(1, len(entries) + 1))
    assert [one.fields()["to"] for one in entries if one.kind == "state"] == ["ABORTED", "IDLE"]
    (gap,) = [one.fields() for one in entries if one.kind == "gap"]
    assert (gap["cause"], gap["count"], gap["from_s"]) == ("the disk was full", 1, 2001.0)


def test_a_journal_that_is_closed_tries_a_full_disk_once_more(path: Path) -> None:
    journal = Journal(path)
    fill(journal)
    journal.append([entry("state", 2000.0, {"to": "ABORTED"})])
    room(journal, 100_000)
    journal.close()
    with JournalReader(path) as reader:
        last = reader.last("state")
    assert last is not None
    assert last.fields()["to"] == "ABORTED"


def test_a_disk_that_stays_full_keeps_no_more_than_there_is_room_for_and_loses_it_at_the_end(path: Path) -> None:
    journal = Journal(path, room=5)
    fill(journal)
    before = journal.dropped
    for second in range(30):
        journal.append([entry("state", 2000.0 + second, {"to": "HELD"})])
    assert journal.dropped - before >= 20
    journal.close()
    assert verify(path).first_bad_seq is None
