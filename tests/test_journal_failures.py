"""A disk that takes no more and a core that is killed: what was acknowledged is there, what cannot be written is told."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from controller.journal.chain import verify
from controller.journal.reader import JournalReader


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
