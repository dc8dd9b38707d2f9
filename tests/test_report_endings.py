"""Reports of batches that ended early, still run, are not the last ones, or of which the journal is thin or broken."""

import re
import sys
from pathlib import Path

import pytest

from controller.__main__ import main
from controller.errors import FileError, JournalError
from controller.journal.entry import VIRTUAL, entry
from controller.journal.report import report
from controller.journal.store import Journal
from controller.recorder import boot_entry
from tests.written_batch import Text, a_batch


def test_a_trip_is_marked_first_out_and_still_active(tmp_path: Path) -> None:
    journal = a_batch(tmp_path / "journal.db", "ABORTED", 6.0)
    text = Text(report(journal, tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "I7 ABORT O2 above the safety limit FIRST OUT 2.4 6:00:00 still active" in text


def test_an_older_batch_is_found_and_an_unknown_one_refused(tmp_path: Path) -> None:
    journal = a_batch(tmp_path / "journal.db", "STOPPED", 0.5, batch_id=1)
    a_batch(journal, "COMPLETE", 14.0, batch_id=2)
    assert "<h1>Batch 1</h1>" in report(journal, tmp_path / "one.html", 1).read_text(encoding="utf-8")
    assert "<h1>Batch 2</h1>" in report(journal, tmp_path / "two.html").read_text(encoding="utf-8")
    with pytest.raises(JournalError, match="holds: 1, 2"):
        report(journal, tmp_path / "three.html", 3)
    assert not (tmp_path / "three.html").exists()


def test_a_batch_of_which_hardly_anything_is_known_still_has_a_report(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db", threaded=False) as journal:
        journal.append([entry("batch_start", 0.0, {}), entry("alarm", 0.0, {"event": "raise"}), entry("outcome", 0.0, {"number": 9})])
        journal.append(
            [entry("command", 0.0, {}), entry("phase", 0.0, {"event": "start"}), entry("intent", 0.0, {"number": 1, "changes": {"x": 3}})]
        )
    text = Text(report(tmp_path / "journal.db", tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "RUNNING" in text
    assert "no samples of this batch" in text


def test_a_broken_chain_is_told_at_the_head_and_to_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sqlite3

    journal = a_batch(tmp_path / "journal.db", "STOPPED", 0.5)
    with sqlite3.connect(journal) as connection:
        connection.execute("DROP TRIGGER entry_is_never_changed")
        connection.execute("UPDATE entry SET at_s = at_s + 1 WHERE seq = 20")
    connection.close()
    monkeypatch.setattr(sys, "argv", ["ovenctl", "report", "--journal", str(journal), "--out", str(tmp_path / "report.html")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "report.html is written, but the chain of" in (said := capsys.readouterr().err)
    assert said.endswith("is broken: entry 20 does not match its hash\n")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Chain broken: entry 20 does not match its hash" in Text(page[: page.index("</header>")]).text
    assert "CHAIN BROKEN entry 20 does not match its hash" in Text(page).text


@pytest.mark.parametrize(("version", "said"), [(VIRTUAL, True), ("0.1.0", False)])
def test_a_batch_of_the_simulator_says_so(tmp_path: Path, version: str, said: bool) -> None:
    with Journal(tmp_path / "journal.db", threaded=False) as journal:
        journal.append([boot_entry(0.0, journal.boot, version, 1.0, None, ""), entry("batch_start", 0.0, {})])
    text = Text(report(tmp_path / "journal.db", tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert ("Simulation: no oven was there" in text) is said


@pytest.mark.parametrize(
    ("whys", "cell"),
    [
        (("asked otherwise before it had followed",), "superseded"),
        (("no feedback",), "failed"),
        (("no feedback", ""), "failed"),  # one of two outputs
        (("", "asked otherwise before it had followed"), "superseded"),
        (("no feedback", "asked otherwise before it had followed"), "failed"),
        ((), "none recorded"),
    ],
)
def test_a_superseded_request_is_no_failure_and_the_worst_outcome_of_a_request_counts(
    tmp_path: Path, whys: tuple[str, ...], cell: str
) -> None:
    outcomes = [entry("outcome", 2.0, {"number": 1, "ok": why == "", "after_s": 1.0, "why": why}) for why in whys]
    with Journal(tmp_path / "journal.db", threaded=False) as journal:
        journal.append([entry("batch_start", 0.0, {}), entry("intent", 1.0, {"number": 1, "changes": {"roots": [False, True]}}), *outcomes])
    page = report(tmp_path / "journal.db", tmp_path / "report.html").read_text(encoding="utf-8")
    assert ('<b class="bad">' + cell in page) is (cell != "superseded")
    assert f"Superseded before they had followed: {int(cell == 'superseded')}. " in page
    assert f"Failed or without outcome: {int(cell != 'superseded')}." in page
    assert re.search(rf"roots: no → yes\s+{cell}", Text(page).text)


def test_the_sentence_that_an_alarm_has_for_a_value_wraps(tmp_path: Path) -> None:
    said = "hottest 23.3 degC, 0 N2 cycles and 0.0 volumes since heat, 1013.4 mbar"
    with Journal(tmp_path / "journal.db", threaded=False) as journal:
        journal.append([entry("batch_start", 0.0, {}), entry("alarm", 0.0, {"event": "raise", "rule": "I19", "value": said})])
    page = report(tmp_path / "journal.db", tmp_path / "report.html").read_text(encoding="utf-8")
    cell = re.search(rf'<td class="(\w+)">{re.escape(said)}</td>', page)
    assert cell is not None
    style = re.findall(rf"td\.{cell[1]}\b[^{{]*{{([^}}]*)}}", page)
    assert [rule for rule in style if "nowrap" in rule] == []


def test_an_endpoint_reached_in_a_batch_that_still_runs_is_told(tmp_path: Path) -> None:
    journal = a_batch(tmp_path / "journal.db", "RUNNING", 12.0)
    assert "Endpoint after 11:30:00" in Text(report(journal, tmp_path / "report.html").read_text(encoding="utf-8")).text


def test_a_record_replaces_an_earlier_one_of_its_batch_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = a_batch(tmp_path / "journal.db", "STOPPED", 0.5, batch_id=1)
    a_batch(journal, "COMPLETE", 14.0, batch_id=2)
    whole, other = journal.read_bytes(), tmp_path / "lab.toml"
    other.write_text("lot = 'L1'\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    second = report(journal)
    assert second == Path("batch-report-2.html")
    assert report(journal, second) == second
    for taken in (journal, other, tmp_path, second):
        with pytest.raises(FileError, match=r"--out.*earlier record of the same batch"):
            report(journal, taken, 1)
    with pytest.raises(FileError, match="folder that exists"):
        report(journal, tmp_path / "nowhere" / "r.html")
    assert journal.read_bytes() == whole
    assert other.read_text(encoding="utf-8") == "lot = 'L1'\n"
    assert "<h1>Batch 2</h1>" in second.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("reached", "said"), [(True, "The recipe ran to its end."), (False, "time or a person ended the cure, not its endpoint")]
)
def test_a_batch_whose_cure_ended_by_its_time_says_so_in_its_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reached: bool, said: str
) -> None:
    journal = a_batch(tmp_path / "journal.db", "COMPLETE", 14.0)
    if not reached:
        monkeypatch.setattr("controller.journal.batch.endpoint_s", lambda _: None)
    page = report(journal, tmp_path / "report.html").read_text(encoding="utf-8")
    assert said in Text(page[: page.index("</header>")]).text
