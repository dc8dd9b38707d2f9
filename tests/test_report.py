"""The batch report: one file, everything in it, nothing mistaken for something else."""

import itertools
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from controller.errors import FileError, JournalError
from controller.image import OFF, Atmosphere, Estimate, Inputs, Interval, Setpoints, blank
from controller.journal import samples
from controller.journal.entry import Entry, entry
from controller.journal.product import LIMITS, judge, read_lab
from controller.journal.report import report
from controller.journal.store import Journal
from controller.journal.words import elapsed, label, shown
from controller.tags import Quality, Sample

STEP_S = 20.0
START_S = 5000.0
RECIPE = """# Crosslink a production roll.
id = "cure-roll"
revision = 3
title = "Cure a roll <script>alert(1)</script>"

[endpoint]
max_residual_wt_pct = 1.0
insoluble_low_pct = 40.0
insoluble_aim_pct = 70.0
insoluble_high_pct = 90.0
"""
LOAD = {"roll_ids": ["PR-1042", "PR-<b>1043</b>"], "resin_lot": "PAI-2207", "solvent": "NMP", "predry_c": 110.0, "residual_wt_pct": 18.0,
        "length_m": 500.0, "width_m": 1.0, "foil_um": 18.0, "film_um": 20.0, "gap_um": 100.0, "core_mm": 150.0,
        "tape": "PI tape, 10 mm, both edges"}  # fmt: skip
PHASES = (  # kind, name, hours, why it ended
    ("LEAK_TEST", "cold leak test", 0.25, "rise 0.004 mbar/h"),
    ("CYCLE_PURGE", "three cycles", 0.75, "3 cycles done"),
    ("EVACUATE", "", 0.2, "50 mbar reached"),
    ("RAMP", "to drying & <i>back</i>", 1.6, "120 °C reached"),
    ("SOAK", "dry the roll", 3.2, "soaked 180 min in band"),
    ("RAMP", "to cure", 2.0, "240 °C reached"),
    ("CURE", "until $crosslinked$ 硬化", 3.5, "endpoint"),
    ("COOL", "", 2.0, "below 60 °C"),
    ("VENT", "", 0.2, "ambient reached"),
    ("END", "", 0.0, ""),
)
TEMPS = ((0.0, 20.0), (1.2, 20.0), (2.8, 120.0), (6.0, 120.0), (8.0, 240.0), (11.5, 240.0), (13.5, 50.0), (14.0, 48.0))
ASSAY = {"temp_c": 100, "time_min": 120, "solvent": "NMP"}
COUPONS = {
    "coupons": [
        {"position": "outer turn, 12 m", "insoluble_pct": 68.5, "residual_wt_pct": 0.61, "assay": ASSAY},
        {"position": "core, 490 m", "insoluble_pct": 41.0, "assay": ASSAY},
    ],
    "lab": {"tear_initiation_kg": 17.2, "dimensional_change_pct": 0.06, "solder_resistance_c": 352, "adhesion_g_per_mm": 78.0},
}  # fmt: skip


def at(knots: tuple[tuple[float, float], ...], hours: float) -> float:
    for (left, low), (right, high) in itertools.pairwise(knots):
        if hours <= right:
            return low + (high - low) * max(0.0, hours - left) / (right - left)
    return knots[-1][1]


def pressure_mbar(hours: float) -> float:
    if 0.25 < hours < 1.0:
        return 10.0 ** (1 + 2 * abs(math.cos((hours - 0.25) / 0.25 * math.pi)))
    if hours < 1.0 or hours > 13.7:
        return 1000.0
    return at(((1.0, 1000.0), (1.2, 50.0), (4.0, 20.0), (6.0, 5.0), (8.0, 1.0), (11.5, 0.4), (11.8, 900.0), (14.0, 980.0)), hours)


def sample(hours: float, noise: float) -> Entry:
    sp_c = at(TEMPS, hours)
    lag_c = at(TEMPS, max(0.0, hours - 0.5))
    core_c = at(TEMPS, max(0.0, hours - 0.9))
    w = 0.18 * math.exp(-max(0.0, hours - 1.5) * 0.36) + 0.006
    gel = 0.7 / (1 + math.exp(-(hours - 9.6) * 2.2))
    pressure = pressure_mbar(hours)
    values = {f"z{z}_tc_{tc}_c": sp_c + z - 2 + noise * (1 + z) for z in (1, 2, 3) for tc in "abc"}
    values |= {f"z{z}_op_pct": max(0.0, min(100.0, 8 + sp_c / 5 + 30 * (at(TEMPS, hours + 0.1) > sp_c) + 4 * noise)) for z in (1, 2, 3)}
    values |= {
        "load_outer_c": lag_c + noise,
        "load_edge_c": lag_c - 3,
        "load_core_c": core_c,
        "pressure_cap_mbar": pressure * (1 + 0.02 * noise),
    }
    values |= {
        "n2_flow_nm3_h": 12.0 if 0.25 < hours < 1.0 or 11.5 < hours < 13.7 else 0.0,
        "o2_ready": True,
        "condensate_kg": 1.0 + 3.1 * (1 - w / 0.186),
    }
    values |= {
        "o2_pct": max(0.0008, 20.9 * math.exp(-14 * hours)) if hours < 1 else 0.0012 + 0.0004 * noise,
        "plc_alive": int(hours * 3600),
    }
    values |= {"o2_sample_flow_l_min": 1.0 if pressure > 500 else 0.0}
    image = blank(START_S + hours * 3600, STEP_S, Quality.ABSENT)._replace(
        **{name: Sample(value, Quality.GOOD, 0.0) for name, value in values.items()}
    )
    believed = Estimate(
        min(core_c, lag_c) - 4, max(core_c, lag_c) + 2, Interval(w, w * 0.85, w * 1.2), Interval(gel, gel * 0.86, min(1.0, gel * 1.12)),
        0.95, 0.93, Interval(0.4, 0.3, 0.5), None, True, "", (),
    )  # fmt: skip
    heat = 1.2 < hours < 11.5
    wanted = Setpoints(heat, sp_c, 1.0, Atmosphere.VACUUM, pressure, 0.0)
    return Entry("sample", image.at_s, samples.pack(image, believed, wanted, OFF._replace(zone_sp_c=(sp_c, sp_c, sp_c)), 1))


def course(batch_id: int) -> list[tuple[float, str, dict[str, object]]]:
    """What happens besides phases and the end: hours, kind, payload."""
    refused = {"args": {"reason": "curious"}, "accepted": False, "answer": "the load is at 198 °C; venting is allowed below 60 °C"}
    accepted = {"args": {"recipe": RECIPE}, "accepted": True, "answer": "done; the unit is RUNNING"}
    recipe = {"recipe": RECIPE, "recipe_id": "cure-roll", "revision": 3, "recipe_sha256": "5f" * 32, "formula": {"cure_temp_c": 240.0}}
    warning = {"effect": "WARN", "text": "zone 2 more than 10 °C above its set point", "value": 11.25, "first_out": False}
    missing = {"from_s": START_S + 6.9 * 3600, "to_s": START_S + 7.05 * 3600, "count": 540, "cause": "the core was not running"}
    evidence = {"p_insoluble_in_window": 0.934, "p_solvent_ok": 0.951, "persisted_s": 120.0}
    return [
        (0.0, "command", {"id": "c1", "user": "anna", "verb": "START"} | accepted),
        (0.0, "batch_start", {"batch_id": batch_id, "load": LOAD, "user": "anna <script>alert(2)</script>"} | recipe),
        (0.0, "state", {"from": "IDLE", "to": "RUNNING", "cause": "START by anna"}),
        (2.1, "alarm", {"rule": "I23", "event": "raise"} | warning),
        (2.2, "alarm", {"rule": "I23", "event": "clear"}),
        (2.3, "alarm", {"rule": "I23", "event": "ack", "user": "bert"}),
        (5.0, "intent", {"number": 1, "changes": {"vac_throttle_pct": [40.0, 55.0]}}),
        (5.0, "outcome", {"number": 1, "ok": True, "after_s": 1.5, "why": ""}),
        (5.1, "intent", {"number": 2, "changes": {"roots": [False, True]}}),
        (5.1, "outcome", {"number": 2, "ok": False, "after_s": 5.0, "why": "no run feedback"}),
        (6.5, "clock", {"step_s": 3600.0}),
        (6.9, "plc", {"event": "lost", "seen": "timeout after 0.4 s"}),
        (7.05, "gap", missing),
        (7.1, "command", {"id": "c2", "user": "bert", "verb": "VENT"} | refused),
        (11.5, "decision", {"what": "CURE ended", "why": "endpoint"} | evidence),
    ]


def a_batch(path: Path, result: str = "COMPLETE", until_h: float = 14.0, batch_id: int = 7) -> Path:
    """Write a batch of 14 h, cut at ``until_h`` unless it is complete, with a restart in the middle."""
    events = course(batch_id)
    hours = 0.0
    for i, (kind, name, length, why) in enumerate(PHASES):
        events += [(hours, "phase", {"index": i, "kind": kind, "name": name, "event": "start", "why": ""})]
        hours += length
        events += [(hours, "phase", {"index": i, "kind": kind, "name": name, "event": "end", "why": why})]
    end_h = min(hours, until_h)
    if result == "ABORTED":
        events += [
            (
                end_h,
                "alarm",
                {"rule": "I7", "event": "raise", "effect": "ABORT", "text": "O2 above the safety limit", "value": 2.4, "first_out": True},
            )
        ]
    if result != "RUNNING":
        state = {"from": "RUNNING", "to": result, "cause": {"ABORTED": "I7", "STOPPED": "STOP by anna"}.get(result, "end of recipe")}
        reached_s = 11.5 * 3600 if end_h >= 11.5 else None
        end = {"batch_id": batch_id, "result": result, "why": state["cause"], "batch_s": end_h * 3600, "endpoint_at_s": reached_s}
        events += [(end_h, "state", state), (end_h, "batch_end", end)]
    events = sorted((one for one in events if one[0] <= end_h), key=lambda one: one[0])
    done = 0
    for from_h, to_h in ((0.0, 6.9), (7.05, 99.0)):
        with Journal(path, threaded=False) as journal:
            at_s = START_S + from_h * 3600
            told = {"boot": journal.boot, "version": "0.1.0", "rate": 1.0, "outage_s": 540.0 if from_h else None, "oven": "oven 3"}
            told |= {"config_sha256": "ab" * 32, "columns": samples.COLUMNS}
            journal.append([entry("boot", at_s, told)])
            for i in range(int(min(end_h, to_h) * 3600 / STEP_S) - int(from_h * 3600 / STEP_S) + 1):
                hours = from_h + i * STEP_S / 3600
                while done < len(events) and events[done][0] <= hours + 1e-9:
                    journal.append([entry(events[done][1], START_S + events[done][0] * 3600, events[done][2])])
                    done += 1
                journal.append([sample(hours, 0.3 * math.sin(i * 1.7))], durable=False)
        if end_h <= to_h:
            break
    with Journal(path, threaded=False) as journal:
        journal.append([entry(kind, START_S + at_h * 3600, fields) for at_h, kind, fields in events[done:]])
    return path


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_batch(tmp_path_factory.mktemp("complete") / "journal.db")


@pytest.fixture(scope="module")
def page(complete: Path) -> str:
    return report(complete, complete.with_name("report.html"), 7, COUPONS).read_text(encoding="utf-8")


class Text(HTMLParser):
    """What a person reads, and what the page would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_it_says_what_was_made_from_what_by_whom_and_how_it_ended(page: str) -> None:
    text = Text(page).text
    for told in (
        "COMPLETE", "Batch 7", "oven 3", "PR-1042", "cure-roll, revision 3", "5f" * 32, "ovenctl 0.1.0", "predry (°C) 110", "film (µm) 20",
        "after 11:30:00", "90 %: ", "residual ≤ 1 wt%, insoluble 40–90 %", "cure temp (°C) 240", "max_residual_wt_pct = 1.0",
    ):  # fmt: skip
        assert told in text, told


@pytest.mark.parametrize(
    "told",
    [
        "4 RAMP to drying & <i>back</i> 1:12:00 2:48:00 1:36:00 120 °C reached",
        "I23 WARN zone 2 more than 10 °C above its set point 11.25 2:06:00 2:12:00 2:18:00 bert",
        "7:06:00 bert VENT refused the load is at 198 °C; venting is allowed below 60 °C reason: curious",
        "11:30:00 CURE ended endpoint p insoluble in window: 0.934; p solvent ok: 0.951; persisted (s): 120",
        "state IDLE → RUNNING START by anna",
        "Intents recorded before the PLC was written: 2. With a good outcome: 1. Failed or without outcome: 1.",
        "roots: no → yes failed 5 no run feedback",
        "samples missing 6:54:00 to 7:03:00; cause: the core was not running; count: 540",
        "clock moved step (s): 3600",
        "core started boot: 2; outage (s): 540; oven: oven 3",
        "CHAIN UNBROKEN",
    ],
)
def test_it_tells_the_course_of_the_batch(page: str, told: str) -> None:
    assert told in Text(page).text


def test_key_figures_come_from_every_sample(page: str) -> None:
    text = Text(page).text
    assert "Hottest film (model) 242.0 °C" in text
    assert "Condensate collected 2.96 kg" in text  # 3.1 kg x (1 - (0.18 exp(-12.2 x 0.36) + 0.006) / 0.186)
    assert "Highest O2 above 100 °C 0.0013 vol%" in text  # while cooling in N2; under vacuum no sample flows and no reading counts
    assert "N2 used 35.3 Nm³" in text  # 12 Nm3/h for 0.75 h and 2.2 h, less a sampling step each


def test_coupons_stand_beside_the_estimate_and_products_are_judged(page: str) -> None:
    text = Text(page).text
    assert "outer turn, 12 m 68.5 70.0 60.2 to 78.4 yes 0.61" in text
    assert "core, 490 m 41 70.0 60.2 to 78.4 NO – " in text
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


def test_a_broken_chain_is_told(tmp_path: Path) -> None:
    import sqlite3

    journal = a_batch(tmp_path / "journal.db", "STOPPED", 0.5)
    with sqlite3.connect(journal) as connection:
        connection.execute("DROP TRIGGER entry_is_never_changed")
        connection.execute("UPDATE entry SET at_s = at_s + 1 WHERE seq = 20")
    connection.close()
    text = Text(report(journal, tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "CHAIN BROKEN entry 20 does not match its hash" in text


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"coupon": []}, "coupon"),
        ({"coupons": [{"position": "edge", "insoluble_pct": 101.0, "assay": {"temp_c": 100}}]}, "coupons.0.insoluble_pct"),
        ({"coupons": [{"position": "edge", "insoluble_pct": 50.0}]}, "coupons.0.assay"),
        ({"coupons": [{"insoluble_pct": 50.0, "assay": {"temp_c": 100}}]}, "coupons.0.position"),
        ({"coupons": ["edge"]}, "coupons.0"),
        ({"coupons": "edge"}, "coupons"),
        ({"lab": {"tear_kg": 15}}, "lab.tear_kg"),
        ({"lab": {"roughness_um": math.nan}}, "lab.roughness_um"),
        ({"lab": {"roughness_um": True}}, "lab.roughness_um"),
    ],
)
def test_a_wrong_laboratory_result_is_refused_with_its_key(given: dict, key: str) -> None:
    with pytest.raises(FileError) as refused:
        read_lab(given)
    assert key in [problem.key for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("key", "limit", "outside"),
    [
        ("tear_initiation_kg", 15.0, 14.9), ("dimensional_change_pct", 0.1, 0.11), ("solder_resistance_c", 350.0, 349.0),
        ("adhesion_g_per_mm", 80.0, 79.9), ("curvature_radius_cm", 15.0, 14.9), ("roughness_um", 0.4, 0.41),
        ("modulus_retention_pct", 40.0, 39.9),
    ],
)  # fmt: skip
def test_a_product_on_its_limit_is_within(key: str, limit: float, outside: float) -> None:
    assert judge(LIMITS[key], limit).passed
    assert not judge(LIMITS[key], outside).passed


def test_the_drawing_library_is_not_loaded_by_the_core() -> None:
    code = "import sys, controller.journal.report, controller.journal.store, controller.journal.reader; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "matplotlib" not in loaded
    assert "jinja2" not in loaded


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0:00:00"), (59.6, "0:01:00"), (90_061.0, "25:01:01"), (-5.0, "−0:00:05"), (None, "–")]
)
def test_durations_are_hours_minutes_seconds(seconds: float | None, text: str) -> None:
    assert elapsed(seconds) == text


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("predry_c", "predry (°C)"),
        ("rate_c_per_min", "rate (°C/min)"),
        ("residual_wt_pct", "residual (wt%)"),
        ("user", "user"),
        ("gap_um", "gap (µm)"),
    ],
)
def test_a_key_is_words_and_a_unit(key: str, text: str) -> None:
    assert label(key) == text


def test_a_payload_is_shown_in_words() -> None:
    assert shown({"ok": True, "at_s": 1.25, "rolls": ["a", None]}) == "ok yes; at (s) 1.25; rolls a, –"


def test_the_synthetic_image_has_every_signal() -> None:
    assert len(samples.unpack(sample(3.0, 0.0).payload)) == len(samples.COLUMNS)
    assert isinstance(blank(0.0, 1.0, Quality.GOOD), Inputs)


def test_an_endpoint_reached_in_a_batch_that_still_runs_is_told(tmp_path: Path) -> None:
    journal = a_batch(tmp_path / "journal.db", "RUNNING", 12.0)
    assert "Endpoint after 11:30:00" in Text(report(journal, tmp_path / "report.html").read_text(encoding="utf-8")).text
