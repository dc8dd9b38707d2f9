"""What report and status tell of a journal of an older release and of this one."""

from math import nan
from pathlib import Path

import pytest

from controller import status
from controller.image import Inputs, blank
from controller.journal import samples
from controller.journal.report import report
from controller.tags import Quality
from tests.written_batch import Text, a_batch, sample


def test_the_synthetic_image_has_every_signal() -> None:
    assert len(samples.unpack(sample(3.0, 0.0).payload)) == len(samples.COLUMNS)
    assert isinstance(blank(0.0, 1.0, Quality.GOOD), Inputs)


def test_a_journal_of_an_older_release_still_has_a_report_and_a_status(tmp_path: Path) -> None:
    journal = a_batch(tmp_path / "journal.db", "STOPPED", 2.0, columns=older())
    page = report(journal, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Hottest film (model) 40.8 °C" in Text(page).text  # half an hour behind: 20 + 0.3 h x 100/1.6 degC/h + 2 = 40.75
    assert "<h2>Estimate</h2>" not in page
    told = dict(status.lines(status.read(journal)))
    assert told["residual solvent"].startswith("15.6")
    assert (told["to the finish"], told["blister number"], told["pressure-rise test"]) == ("-", "-", "none in this batch")


def older() -> tuple[str, ...]:
    """Return the columns of a release that knew nothing of positions, guard and forecast."""
    new = {"blister", "floor_mbar", "evolution_low_kg_h", "evolution_high_kg_h"}
    new |= {f"time_to_finish{end}_s" for end in ("", "_low", "_high")}
    new |= {f"film_{place}_c" for place in samples.POSITIONS}
    new |= {f"{name}_{place}{end}" for name in ("residual", "insoluble") for place in samples.POSITIONS for end in ("", "_low", "_high")}
    return tuple(name for name in samples.COLUMNS if name not in new)


def test_a_journal_of_an_older_release_has_all_its_columns_but_the_new() -> None:
    assert len(samples.COLUMNS) - len(older()) == 4 + 3 + 5 + 30


def test_the_status_tells_fan_guard_and_last_pressure_rise_test(tmp_path: Path) -> None:
    journal = a_batch(tmp_path / "journal.db", "RUNNING", 9.5)
    told = dict(status.lines(status.read(journal)))
    assert told["pressure-rise test"] == "0.12 ± 0.03 kg/h of solvent, leak 0.002 mbar/min, 30 min ago"
    assert told["to the finish"] == "240 min [210, 270]"
    assert told["blister number"] == "0, nothing rubbery"
    told = dict(status.lines(status.read(a_batch(tmp_path / "early.db", "RUNNING", 3.0))))
    assert told["blister number"] == "0.90, pressure floor 15.4 mbar"  # half of 50 - 30 x 1.8/2.8 mbar


@pytest.mark.parametrize(("phase", "coming_pct", "told"), [
    ("9 CURE final", 3.0, ", 53 % once cold"), ("10 COOL", 0.6, ", 51 % once cold"), ("10 COOL", 0.4, ""), ("9 CURE", nan, ""),
    ("6 SOAK", 3.0, ""), ("", 3.0, ""),  # before the CURE it leaves out what that adds
])  # fmt: skip
def test_the_status_tells_the_cold_roll_from_the_cure_on(phase: str, coming_pct: float, told: str) -> None:
    assert status._cold({"phase": phase, "insoluble_pct": [50.0, 45.0, 55.0], "insoluble_coming_pct": coming_pct}) == told


def test_a_reference_that_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    curves = tmp_path / "lab.csv"
    curves.write_text("at_s,residual_core\n0,0.18\n", encoding="utf-8")
    journal = a_batch(tmp_path / "journal.db", "STOPPED", 0.5, columns=older())
    page = report(journal, tmp_path / "report.html", reference_path=curves).read_text(encoding="utf-8")
    assert "The reference lab.csv is not drawn: this journal does not hold the estimate by position." in Text(page).text
