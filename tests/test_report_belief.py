"""What the report tells of the model's belief: least margins, when the guard acted, forecasts beside what came."""

from pathlib import Path

import pytest

from controller.image import Interval
from controller.journal.batch import gather
from controller.journal.belief import acting, foreseen, margins, rises
from controller.journal.entry import entry
from controller.journal.reader import JournalReader
from controller.journal.store import Journal
from tests.written_batch import START_S, a_batch, forecast


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_batch(tmp_path_factory.mktemp("complete") / "journal.db")


def test_margins_are_found_where_they_were_least(complete: Path) -> None:
    with JournalReader(complete) as reader:
        found = margins(gather(reader, 7))
    blister, evolution, floor = found
    assert (blister.closest, blister.at_s, blister.beyond_s) == (
        pytest.approx(0.9, abs=1e-3),
        pytest.approx(START_S + 3 * 3600, abs=20),
        0.0,
    )
    assert (evolution.closest, evolution.limit, evolution.beyond_s) == (4.5, 4.0, pytest.approx(1800, abs=40))
    assert (floor.closest, floor.beyond_s) == (pytest.approx(0.2, abs=0.4 * 0.02 * 0.3), 0.0)  # 0.4 mbar with 0.6 % of noise, over its half
    assert floor.at_s == pytest.approx(START_S + 11.5 * 3600, abs=300)


def test_the_guard_acts_until_it_says_so_or_its_phase_ends(complete: Path, tmp_path: Path) -> None:
    with JournalReader(complete) as reader:
        found = acting(gather(reader, 7))
    hours = [(one.what, (one.start_s - START_S) / 3600, (one.end_s - START_S) / 3600) for one in found]
    assert hours == [("guard", 2.9, 3.1), ("isolation", 8.9, 9.0)]
    with Journal(tmp_path / "j.db", threaded=False) as journal:
        journal.append([
            entry("batch_start", 0.0, {"batch_id": 1}),
            entry("phase", 1.0, {"event": "start", "index": 3, "kind": "RAMP"}),
            entry("decision", 10.0, {"what": "guard begins", "why": "RAMP: guard"}),
            entry("phase", 60.0, {"event": "end", "index": 3, "kind": "RAMP"}),
            entry("decision", 61.0, {"what": "pressure-rise test", "why": "CURE: isolated at 3.00 mbar"}),
            entry("state", 65.0, {"from": "RUNNING", "to": "HOLDING"}),
            entry("decision", 70.0, {"what": "guard begins", "why": "CURE: guard"}),
            entry("alarm", 90.0, {}),
        ])  # fmt: skip
    with JournalReader(tmp_path / "j.db") as reader:
        assert acting(gather(reader, 1)) == [("guard", 10.0, 60.0), ("isolation", 61.0, 65.0), ("guard", 70.0, 90.0)]


def test_a_quarter_at_which_the_core_was_away_has_no_forecast(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db", threaded=False) as journal:
        made = [forecast(hours, progress, Interval(1.0, 0.5, 2.0), None) for hours, progress in ((0.1, 0.01), (6.0, 0.6), (8.0, 0.75))]
        journal.append([entry("batch_start", START_S, {"batch_id": 1}), *(entry("forecast", START_S, one) for one in made)])
        journal.append([entry("forecast", START_S, {"progress": 0.3, "batch_s": 1.0}), entry("pressure_rise", START_S, {"at_s": "x"})])
    with JournalReader(tmp_path / "j.db") as reader:
        record = gather(reader, 1)
    assert [(one.mark, one.kept.progress, one.finish.actual_s) for one in foreseen(record)] == [(0.5, 0.6, None), (0.75, 0.75, None)]
    assert rises(record) == []
