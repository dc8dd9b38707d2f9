"""The report of a batch: one file, everything in it, nothing mistaken for something else."""

import itertools
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from controller.errors import FileError
from controller.journal.product import read_lab
from controller.journal.report import report
from controller.journal.samples import POSITIONS
from tests.written_batch import COUPONS, Text, a_batch


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_batch(tmp_path_factory.mktemp("complete") / "journal.db")


@pytest.fixture(scope="module")
def page(complete: Path) -> str:
    return report(complete, complete.with_name("report.html"), 7, read_lab(COUPONS)).read_text(encoding="utf-8")


def test_it_says_what_was_made_from_what_by_whom_and_how_it_ended(page: str) -> None:
    text = Text(page).text
    for told in (
        "COMPLETE", "Batch 7", "oven 3", "PR-1042", "cure-roll, revision 3", "5f" * 32, "ovenctl 0.1.0", "predry (°C) 110", "film (µm) 20",
        "after 11:30:00", "90 %: ", "residual ≤ 1 wt%, insoluble once cold 70 %, 40–90 % everywhere",
        "cure temp (°C) 240", "max_residual_wt_pct = 1.0",
    ):  # fmt: skip
        assert told in text, told


@pytest.mark.parametrize(
    "told",
    [
        "4 RAMP to drying & <i>back</i> 1:12:00 2:48:00 1:36:00 120 °C reached",
        "3:30:00 25 % finish 13:30:00 [13:00:00 to 14:00:00] 13:42:00 +12.0 min yes",
        "endpoint 11:24:00 [11:00:00 to 11:48:00] 11:30:00 +6.0 min yes",
        "7:30:00 52 % finish 14:30:00 [14:00:00 to 15:00:00] 13:42:00 −48.0 min NO endpoint not before the recipe's limit 11:30:00 – –",
        "10:30:00 76 % finish 13:42:00 [13:36:00 to 13:48:00] 13:42:00 +0.0 min yes",
        "Blister number B, highest 0.9 3:00:00 1, guard from 0.8 none",
        "Evolution of solvent, upper end, highest 4.5 kg/h 5:00:00 4 kg/h, guard from 3.2 0:30:00",
        "2:54:00 guard begins RAMP: guard: B 0.83 3:06:00 guard ends SOAK: guard: B 0.74 8:54:00 pressure-rise test CURE: isolated",
        "9:00:00 120 0.05 0.002 0.12 ± 0.03 yes –",
        "11:24:00 120 0.05 0.002 0.12 ± 0.03 NO the coldest wall was below the dew point",
        "I23 WARN zone 2 more than 10 °C above its set point (confirmed by bert: sensor exchanged) 11.25 2:06:00 2:12:00 2:18:00 bert",
        "Deviation the control recipe deviates from the approved one by 1 edit: phase 4 soak_min 60 → 75 by emma (wet <b>lot</b>). "
        f"Control recipe SHA-256 {'6e' * 32}",
        "7:06:00 bert VENT refused the load is at 198 °C; venting is allowed below 60 °C reason: curious",
        "11:30:00 CURE ended endpoint p insoluble in window: 0.934; p solvent ok: 0.951; persisted (s): 120",
        "state IDLE → RUNNING START by anna",
        "Intents recorded before the PLC was written: 2. With a good outcome: 1. Superseded before they had followed: 0. "
        "Failed or without outcome: 1.",
        "roots: no → yes failed 5 no run feedback",
        "samples missing 6:54:00 to 7:03:00; cause: the core was not running; count: 540",
        "clock moved step (s): 3600",
        "core started boot: 2; outage (s): 540; oven: oven 3",
        "CHAIN UNBROKEN",
    ],
)
def test_it_tells_the_course_of_the_batch(page: str, told: str) -> None:
    assert told in Text(page).text


def test_it_says_who_approved_the_recipe(page: str) -> None:
    assert "recipe approved by emma, key quality; written by otto &lt;i&gt;" in page


def test_it_says_whether_the_model_was_calibrated_and_with_which_lot(tmp_path: Path, page: str) -> None:
    assert "<td>calibrated, lot L1 &lt;b&gt;</td>" in page
    other = report(a_batch(tmp_path / "journal.db", calibrated=False), tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<td class="bad">not calibrated: no coupon of this polymer was examined</td>' in other


def test_key_figures_come_from_every_sample(page: str) -> None:
    text = Text(page).text
    assert "Hottest film (model) 242.0 °C" in text
    assert "Condensate collected 2.96 kg" in text  # 3.1 kg x (1 - (0.18 exp(-12.2 x 0.36) + 0.006) / 0.186)
    assert "Highest O2 above 100 °C 0.0013 vol%" in text  # while cooling in N2; under vacuum no sample flows and no reading counts
    assert "N2 used 35.3 Nm³" in text  # 12 Nm3/h for 0.75 h and 2.2 h, less a sampling step each


def test_coupons_stand_beside_the_estimate_and_products_are_judged(page: str) -> None:
    text = Text(page).text
    assert "outer turn, 12 m – 68.5 70.0 60.2 to 78.4 yes 0.61 ± 0.08" in text
    assert "core, 490 m – 41 70.0 60.2 to 78.4 NO – " in text
    assert "tear initiation (20 µm film) 17.2 kg ≥ 15 kg within" in text
    assert "adhesion 78 g/mm ≥ 80 g/mm OUTSIDE" in text


def test_whatever_people_wrote_is_text_and_nothing_else(page: str) -> None:
    found = Text(page)
    assert "script" not in {tag for tag, _ in found.tags}
    assert "<script>alert(1)</script>" in found.text
    assert "PR-<b>1043</b>" in found.text
    assert not [tag for tag, attributes in found.tags if any(name.startswith("on") for name in attributes)]


def test_it_needs_nothing_but_itself(page: str) -> None:
    loads = [
        (tag, name, value)
        for tag, attributes in Text(page).tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href")
    ]
    assert all(value is not None and value.startswith("#") for _, _, value in loads)
    assert not re.search(r"url\((?!['\"]?#)|@import", page)
    assert "default-src 'none'" in page
    assert len(page) < 2_000_000


@pytest.mark.parametrize(("result", "until_h"), [("STOPPED", 6.0), ("ABORTED", 6.0), ("RUNNING", 6.0)])
def test_no_ending_looks_like_another(tmp_path: Path, page: str, result: str, until_h: float) -> None:
    journal = a_batch(tmp_path / "journal.db", result, until_h)
    other = report(journal, tmp_path / "report.html").read_text(encoding="utf-8")
    banner = re.search(r'<div class="banner (\w+)">', other)
    assert banner is not None
    assert banner[1] == result.lower()
    assert f'<div class="result">{result}</div>' in other
    assert '<div class="result">COMPLETE' not in other
    assert '<div class="banner complete">' in page


def test_the_drawing_library_is_not_loaded_by_the_core() -> None:
    code = "import sys, controller.journal.report, controller.journal.store, controller.journal.reader; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "matplotlib" not in loaded
    assert "jinja2" not in loaded


def test_a_reference_is_drawn_and_named_with_its_hash(complete: Path, page: str, tmp_path: Path) -> None:
    curves = tmp_path / "lab.csv"
    curves.write_text("at_s,residual_core,insoluble_edge,temp_outer,blister\n0,0.18,0,20,\n36000,0.01,0.5,240,0.5\n", encoding="utf-8")
    beside = report(complete, tmp_path / "report.html", 7, read_lab(COUPONS), curves).read_text(encoding="utf-8")
    assert f"lab.csv, SHA-256 {sha256(curves.read_bytes()).hexdigest()}" in re.sub("  +", " ", Text(beside).text).replace(" ,", ",")
    drawn = ">reference<", ">reference *<"
    assert [beside.count(word) for word in drawn] == [2, 1]
    assert [page.count(word) for word in drawn] == [0, 0]
    assert len(beside) < 2_000_000


@pytest.mark.parametrize("times", [(500_000, 600_000), (-7200, -60)])
def test_a_reference_of_another_time_is_refused(complete: Path, tmp_path: Path, times: tuple[int, int]) -> None:
    curves = tmp_path / "lab.csv"
    curves.write_text("at_s,insoluble_mean\n" + "".join(f"{at_s},0.5\n" for at_s in times), encoding="utf-8")
    with pytest.raises(FileError) as refused:
        report(complete, tmp_path / "report.html", 7, reference_path=curves)
    told = f"at_s = '{times[0]} to {times[1]}': must reach into the batch, which lasts from 0 to 49320 s"
    assert str(refused.value) == f"{curves}: {told}"
    assert not (tmp_path / "report.html").exists()


def test_every_position_of_the_estimate_is_drawn(page: str) -> None:
    assert [page.count(f">{position}<") for position in POSITIONS] == [1] * len(POSITIONS)


def test_a_pressure_rise_test_names_the_gases_of_curing(page: str) -> None:
    assert "Solvent and gases of curing ± sd (kg/h)" in Text(page).text
    assert ">gases of curing, 90 %<" in page


def test_no_picture_uses_a_name_of_another(page: str) -> None:
    pictures = page.split("<svg ")[1:]
    assert len(pictures) == 4
    names = [set(re.findall(r'\bid="([^"]+)"', picture)) for picture in pictures]
    assert not any(one & other for one, other in itertools.combinations(names, 2))
    for picture, own in zip(pictures, names, strict=True):
        used = {name[1:] for name in re.findall(r'href="(#[^"]+)"', picture)} | set(re.findall(r"url\(#([^)]+)\)", picture))
        assert used
        assert used <= own
