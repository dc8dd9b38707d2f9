"""Writing the journal: in order, durable or a second later, and what does not fit is told as a gap."""

import os
from pathlib import Path

import pytest

from controller.errors import JournalError
from controller.journal.chain import verify
from controller.journal.entry import entry
from controller.journal.reader import JournalReader
from controller.journal.store import Journal
from tests.journals import a_boot, a_sample, written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_entries_come_back_in_order_with_their_numbers(path: Path) -> None:
    with Journal(path) as journal:
        first = journal.append([entry("state", 1.0, {"to": "RUNNING"}), entry("phase", 1.0, {"kind": "heat"})])
        assert first.result(5) == 2
        assert journal.append([entry("clock", 2.0, {"step_s": 3600.0})]).result(5) == 3
        with journal.reader() as reader:
            found = reader.after(0)
    assert [(one.seq, one.boot, one.kind, one.at_s) for one in found] == [(1, 1, "state", 1.0), (2, 1, "phase", 1.0), (3, 1, "clock", 2.0)]
    assert found[1].fields() == {"kind": "heat"}
    assert verify(path).count == 3


def test_samples_are_written_in_order_with_the_next_durable_entry(path: Path) -> None:
    with Journal(path, sample_delay_s=3600.0) as journal:
        waits = journal.append([a_sample(0.0)], durable=False)
        assert not waits.done()
        journal.append([entry("state", 0.0, {})]).result(5)
        assert waits.result(5) == 1


def test_samples_alone_are_written_when_their_time_has_come(path: Path) -> None:
    with Journal(path, sample_delay_s=0.01) as journal:
        assert journal.append([a_sample(0.0)], durable=False).result(5) == 1


def test_closing_writes_what_is_waiting(path: Path) -> None:
    with Journal(path, sample_delay_s=3600.0) as journal:
        waits = journal.append([a_sample(0.0)], durable=False)
    assert waits.result(0) == 1
    with pytest.raises(JournalError, match="closed"):
        journal.append([a_sample(1.0)]).result(0)


def test_a_restart_goes_on_with_number_boot_and_time(path: Path) -> None:
    written(path, 5)
    with Journal(path) as journal:
        assert (journal.boot, journal.last_at_s) == (2, 4.0)
        assert journal.append([a_boot(journal)]).result(5) == 6
    assert verify(path).first_bad_seq is None


def test_a_future_cannot_be_cancelled_because_the_entry_may_be_written(path: Path) -> None:
    with Journal(path) as journal:
        future = journal.append([entry("state", 0.0, {})])
        assert not future.cancel()
        assert future.result(5) == 1


def test_a_journal_in_memory_is_read_through_itself() -> None:
    with Journal(":memory:") as journal:
        assert journal.append([entry("state", 0.0, {"to": "HELD"})]).result(0) == 1
        assert journal.flush() == 1
        found = journal.reader().last("state")
        assert found is not None
        assert found.fields() == {"to": "HELD"}


def test_a_day_of_samples_is_written_in_virtual_time_within_two_seconds_of_processor_time(path: Path) -> None:
    one = a_sample(0.0, z1_tc_a_c=20.0)
    before_s = os.times()
    with Journal(path, threaded=False) as journal:
        for i in range(86_400):
            journal.append((one._replace(at_s=float(i)),), durable=False)
    after_s = os.times()
    assert after_s.user + after_s.system - before_s.user - before_s.system < 4.0  # 1.4 s alone; the machine may be busy
    assert verify(path).count == 86_400


def test_what_does_not_fit_the_queue_is_counted_and_a_gap_says_so(path: Path) -> None:
    with Journal(path, room=10, sample_delay_s=3600.0) as journal:
        kept = [journal.append([a_sample(float(i))], durable=False) for i in range(10)]
        lost = [journal.append([a_sample(float(i))], durable=False) for i in range(10, 13)]
        decision = journal.append([entry("decision", 13.0, {"what": "hold"})])
        assert decision.result(5) == 12
        assert [one.result(5) for one in kept] == list(range(1, 11))
        with pytest.raises(JournalError, match="full"):
            lost[0].result(5)
        assert journal.dropped == 3
        with journal.reader() as reader:
            gap = reader.after(10)[0]
    assert (gap.seq, gap.kind) == (11, "gap")
    assert gap.fields() == {"from_s": 10.0, "to_s": 12.0, "count": 3, "cause": "the journal's queue was full"}


def test_a_loss_just_before_the_end_is_told_too(path: Path) -> None:
    with Journal(path, room=1, sample_delay_s=3600.0) as journal:
        journal.append([a_sample(0.0)], durable=False)
        journal.append([a_sample(1.0)], durable=False)
    with JournalReader(path) as reader:
        assert [one.kind for one in reader.after(0)] == ["sample", "gap"]
