"""Reading the journal: entries by kind and page, batches, answers to commands, and tables of samples over all releases."""

from pathlib import Path

import numpy as np
import pytest

from controller.journal import samples
from controller.journal.entry import Entry, entry
from controller.journal.reader import JournalReader
from controller.journal.store import Journal
from controller.journal.table import table
from tests.journals import a_boot, a_sample


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_a_reader_sees_what_is_committed_while_the_writer_goes_on(path: Path) -> None:
    with Journal(path) as journal, journal.reader() as reader:
        for i in range(1, 20):
            journal.append([entry("state", float(i), {})]).result(5)
            assert reader.last_seq() == i


def test_entries_are_found_by_kind_and_page(path: Path) -> None:
    with Journal(path, threaded=False) as journal:
        for i in range(50):
            journal.append([a_sample(i), entry("phase", i, {"index": i}), entry("alarm", i, {"rule": "I7"})])
    with JournalReader(path) as reader:
        assert [one.seq for one in reader.after(0, 3)] == [1, 2, 3]
        assert [one.seq for one in reader.after(3, 4, ("alarm", "phase"))] == [5, 6, 8, 9]
        assert [one.seq for one in reader.after(0, 3, ("sample", "phase"))] == [1, 2, 4]
        assert [one.seq for one in reader.after(0, 3, ("gap",))] == []
        assert [one.seq for one in reader.between(4, 9, ("phase",))] == [5, 8]
        last = reader.last("sample")
    assert last is not None
    assert last.seq == 148


def test_the_latest_entry_of_each_rule_is_found_up_to_a_place(path: Path) -> None:
    with Journal(path, threaded=False) as journal:
        for kind, fields in (("alarm", {"rule": "I7"}), ("state", {}), ("alarm", {"rule": "I4"}), ("alarm", {"rule": "I7"}), ("state", {})):
            journal.append([entry(kind, 0.0, fields)])
        journal.append([Entry("alarm", 0.0, b"\xff no JSON"), entry("bypass", 0.0, {"rule": "I7"}), entry("alarm", 0.0, {"rule": "I4"})])
    with JournalReader(path) as reader:
        kinds = ("state", "alarm", "bypass")
        assert [one.seq for one in reader.latest(kinds, 8)] == [4, 5, 6, 7, 8]
        assert [one.seq for one in reader.latest(kinds, 4)] == [2, 3, 4]
        assert reader.latest(kinds, 0) == []


def test_batches_are_listed_with_where_they_stand(path: Path) -> None:
    with Journal(path, threaded=False) as journal:
        for kind, fields in (
            ("batch_start", {"batch_id": 7}),
            ("batch_end", {"batch_id": 7, "result": "ABORTED"}),
            ("state", {}),
            ("batch_start", {"batch_id": 8}),
        ):
            journal.append([entry(kind, 0.0, fields)])
    with JournalReader(path) as reader:
        assert reader.batches() == [("7", 1, 2, "ABORTED"), ("8", 4, None, "")]


def test_the_answer_to_a_command_is_found_by_its_id(path: Path) -> None:
    with Journal(path, threaded=False) as journal:
        journal.append([entry("command", 0.0, {"id": "a1", "accepted": False, "answer": "the door is open", "args": {"id": "b2"}})])
    with JournalReader(path) as reader:
        assert reader.outcome_of("a1") == (1, False, "the door is open")
        assert reader.outcome_of("b2") is None


def test_thinning_keeps_every_peak(path: Path) -> None:
    with Journal(path, threaded=False) as journal:
        journal.append([a_boot(journal)])
        journal.append([a_sample(i, z1_tc_a_c=400.0 if i == 4321 else -20.0 if i == 77 else 100.0 + i / 100) for i in range(6000)])
    with JournalReader(path) as reader:
        found = table(reader, 1, reader.last_seq(), ("z1_tc_a_c", "insoluble", "z2_tc_a_c"), max_points=500)
    values = found.columns["z1_tc_a_c"]
    assert len(found.at_s) == len(values) == 500
    assert (values.max(), values.min()) == (400.0, -20.0)
    assert found.at_s[values.argmax()] == pytest.approx(4321, abs=24)
    assert np.all(np.diff(found.at_s) > 0)
    assert np.all(found.columns["insoluble"] == 0.5)
    assert np.all(np.isnan(found.columns["z2_tc_a_c"]))


@pytest.mark.parametrize("max_points", [50, 5000])
def test_a_hole_in_the_samples_stays_a_hole(path: Path, max_points: int) -> None:
    with Journal(path, threaded=False) as journal:
        journal.append([a_sample(i, z1_tc_a_c=100.0) for i in (*range(100), *range(500, 600))])
    with JournalReader(path) as reader:
        found = table(reader, 1, reader.last_seq(), ("z1_tc_a_c",), max_points)
    missing = found.at_s[np.isnan(found.columns["z1_tc_a_c"])]
    assert len(missing) > 0
    assert missing.min() > 98
    assert missing.max() < 510


def test_an_old_journal_is_read_by_the_names_in_its_boot_entry(path: Path) -> None:
    old = (*samples.WORDS, "z1_tc_a_c", "retired_c")
    payload = bytes([1, len(samples.WORDS), 0]) + np.zeros(len(samples.WORDS), "<f8").tobytes() + np.array([55.5, 66.5], "<f4").tobytes()
    with Journal(path, threaded=False) as journal:
        journal.append([a_boot(journal, old), Entry("sample", 0.0, payload)])
    with Journal(path, threaded=False) as journal:
        journal.append([a_boot(journal), a_sample(1.0, z1_tc_a_c=99.5)])
    with JournalReader(path) as reader:
        found = table(reader, 1, 4, ("z1_tc_a_c", "retired_c", "insoluble"))
    assert found.columns["z1_tc_a_c"].tolist() == [55.5, 99.5]
    np.testing.assert_array_equal(found.columns["retired_c"], [66.5, np.nan])
    np.testing.assert_array_equal(found.columns["insoluble"], [np.nan, 0.5])
