"""The batch report: one file, everything in it, nothing mistaken for something else."""

import itertools
import math
import re
import struct
import subprocess
import sys
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from controller import status
from controller.errors import FileError, JournalError
from controller.image import OFF, Atmosphere, Estimate, Forecast, Inputs, Interval, PressureRise, Setpoints, ZoneEstimate, blank
from controller.journal import samples
from controller.journal.batch import gather
from controller.journal.belief import acting, foreseen, margins, rises
from controller.journal.entry import Entry, entry
from controller.journal.product import LIMITS, judge, read_lab
from controller.journal.reader import JournalReader
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
    zones = tuple(ZoneEstimate(name, lag_c + i, Interval(w, w * 0.85, w * 1.2), Interval(gel, gel * 0.86, min(1.0, gel * 1.12)))
                  for i, name in enumerate(samples.POSITIONS))  # fmt: skip
    blister = 0.9 * math.exp(-((hours - 3.0) ** 2) * 8)  # highest at 3 h, nowhere above 1
    believed = Estimate(
        min(core_c, lag_c) - 4, max(core_c, lag_c) + 2, Interval(w, w * 0.85, w * 1.2), Interval(gel, gel * 0.86, min(1.0, gel * 1.12)),
        0.95, 0.93, Interval(0.4, 0.3, 0.5 + 4.0 * (5.0 <= hours < 5.5)), None, True, "", zones, blister, pressure / 2,
        forecast=Forecast(image.at_s, Interval(*(3600 * (13.5 + end - hours) for end in (0.0, -0.5, 0.5))), None, 1.0, (), (), (), ()),
    )  # fmt: skip
    heat = 1.2 < hours < 11.5
    wanted = Setpoints(heat, sp_c, 1.0, Atmosphere.VACUUM, pressure, 0.0)
    return Entry("sample", image.at_s, samples.pack(image, believed, wanted, OFF._replace(zone_sp_c=(sp_c, sp_c, sp_c)), 1))


def forecast(hours: float, progress: float, finish_h: Interval, endpoint_h: Interval | None) -> dict[str, object]:
    """What the journal holds of a forecast made at ``hours``; times in h from then on."""
    fan = Interval(0.02, 0.01, 0.04)
    made = Forecast(
        START_S + hours * 3600, Interval(*(3600 * end for end in finish_h)),
        None if endpoint_h is None else Interval(*(3600 * end for end in endpoint_h)), 0.9, (0.0, 3600.0 * finish_h.value),
        (Interval(200.0, 190.0, 210.0),) * 2, (fan, fan), (fan, fan),
    )  # fmt: skip
    return {"batch_s": 3600 * hours, "progress": progress, **made._asdict()}


def rise(hours: float) -> dict[str, object]:
    return PressureRise(START_S + hours * 3600, 120.0, 0.05, 0.002, 0.125, 0.03, True, "")._asdict()


def course(batch_id: int) -> list[tuple[float, str, dict[str, object]]]:
    """What happens besides phases and the end: hours, kind, payload."""
    refused = {"args": {"reason": "curious"}, "accepted": False, "answer": "the load is at 198 °C; venting is allowed below 60 °C"}
    accepted = {"args": {"recipe": RECIPE}, "accepted": True, "answer": "done; the unit is RUNNING"}
    recipe = {"recipe": RECIPE, "recipe_id": "cure-roll", "revision": 3, "recipe_sha256": "5f" * 32, "formula": {"cure_temp_c": 240.0}}
    recipe["approval"] = {"key": "quality", "said": "recipe approved by emma, key quality", "author": "otto <i>", "approver": "emma"}
    warning = {"effect": "WARN", "text": "zone 2 more than 10 °C above its set point", "value": 11.25, "first_out": False}
    missing = {"from_s": START_S + 6.9 * 3600, "to_s": START_S + 7.05 * 3600, "count": 540, "cause": "the core was not running"}
    evidence = {"p_insoluble_in_window": 0.934, "p_solvent_ok": 0.951, "persisted_s": 120.0}
    edit = {"phase": 3, "key": "soak_min", "from": 60.0, "to": 75.0, "user": "emma", "reason": "wet <b>lot</b>",
            "recipe_sha256": ["5f" * 32, "6e" * 32], "master_sha256": "5f" * 32}  # fmt: skip
    return [
        (0.0, "command", {"id": "c1", "user": "anna", "verb": "START"} | accepted),
        (0.0, "batch_start", {"batch_id": batch_id, "load": LOAD, "user": "anna <script>alert(2)</script>"} | recipe),
        (0.0, "state", {"from": "IDLE", "to": "RUNNING", "cause": "START by anna"}),
        (2.1, "alarm", {"rule": "I23", "event": "raise"} | warning),
        (2.2, "alarm", {"rule": "I23", "event": "clear"}),
        (2.3, "alarm", {"rule": "I23", "event": "ack", "user": "bert"}),
        (2.4, "alarm", {"rule": "I23", "event": "confirm", "user": "bert", "reason": "sensor exchanged"}),
        (5.0, "intent", {"number": 1, "changes": {"vac_throttle_pct": [40.0, 55.0]}}),
        (5.0, "outcome", {"number": 1, "ok": True, "after_s": 1.5, "why": ""}),
        (5.1, "intent", {"number": 2, "changes": {"roots": [False, True]}}),
        (5.2, "decision", {"what": "EDIT", "why": "EDIT by emma: wet lot"} | edit),
        (5.1, "outcome", {"number": 2, "ok": False, "after_s": 5.0, "why": "no run feedback"}),
        (6.5, "clock", {"step_s": 3600.0}),
        (6.9, "plc", {"event": "lost", "seen": "timeout after 0.4 s"}),
        (7.05, "gap", missing),
        (7.1, "command", {"id": "c2", "user": "bert", "verb": "VENT"} | refused),
        (2.9, "decision", {"what": "guard begins", "why": "RAMP: guard: B 0.83", "blister": 0.83}),
        (3.1, "decision", {"what": "guard ends", "why": "SOAK: guard: B 0.74", "blister": 0.74}),
        (3.5, "forecast", forecast(3.5, 0.25, Interval(10.0, 9.5, 10.5), Interval(7.9, 7.5, 8.3))),
        (4.0, "forecast", forecast(4.0, 0.29, Interval(9.7, 9.5, 10.5), Interval(7.5, 7.1, 7.9))),
        (7.5, "forecast", forecast(7.5, 0.52, Interval(7.0, 6.5, 7.5), None)),
        (8.9, "decision", {"what": "pressure-rise test", "why": "CURE: isolated at 0.80 mbar"}),
        (9.0, "decision", {"what": "pressure-rise test", "why": "CURE: opened after 120 s at 0.90 mbar"}),
        (9.0, "pressure_rise", rise(9.0)),
        (10.5, "forecast", forecast(10.5, 0.76, Interval(3.2, 3.1, 3.3), Interval(0.9, 0.8, 1.1))),
        (11.4, "pressure_rise", rise(11.4) | {"valid": False, "why_invalid": "the coldest wall was below the dew point"}),
        (11.5, "decision", {"what": "CURE ended", "why": "endpoint"} | evidence),
    ]


def cut(whole: Entry, columns: tuple[str, ...]) -> Entry:
    """Return a sample as a release that knew only ``columns`` wrote it."""
    if columns == samples.COLUMNS:
        return whole
    values, count = samples.unpack(whole.payload), len(samples.WORDS)
    numbers = struct.pack(f"<{count}d{len(columns) - count}f", *(values[name] for name in columns))
    return whole._replace(payload=whole.payload[:3] + numbers + whole.payload[-whole.payload[2] :])


def a_batch(path: Path, result: str = "COMPLETE", until_h: float = 14.0, batch_id: int = 7,
            columns: tuple[str, ...] = samples.COLUMNS) -> Path:  # fmt: skip
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
            told = {
                "boot": journal.boot,
                "version": "0.1.0",
                "rate": 1.0,
                "outage_s": 540.0 if from_h else None,
                "oven": "oven 3",
                "solvent_kg_h": 4.0,
            }
            told |= {"config_sha256": "ab" * 32, "columns": columns}
            journal.append([entry("boot", at_s, told)])
            for i in range(int(min(end_h, to_h) * 3600 / STEP_S) - int(from_h * 3600 / STEP_S) + 1):
                hours = from_h + i * STEP_S / 3600
                while done < len(events) and events[done][0] <= hours + 1e-9:
                    journal.append([entry(events[done][1], START_S + events[done][0] * 3600, events[done][2])])
                    done += 1
                journal.append([cut(sample(hours, 0.3 * math.sin(i * 1.7)), columns)], durable=False)
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
        "Deviation the control recipe deviates from the approved one by 1 edit: phase 3 soak_min 60 → 75 by emma (wet <b>lot</b>). "
        f"Control recipe SHA-256 {'6e' * 32}",
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


def test_it_says_who_approved_the_recipe(page: str) -> None:
    assert "recipe approved by emma, key quality; written by otto &lt;i&gt;" in page


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


def test_a_reference_is_drawn_and_named_with_its_hash(complete: Path, page: str, tmp_path: Path) -> None:
    curves = tmp_path / "lab.csv"
    curves.write_text("at_s,residual_core,insoluble_edge,temp_outer,blister\n0,0.18,0,20,\n36000,0.01,0.5,240,0.5\n", encoding="utf-8")
    beside = report(complete, tmp_path / "report.html", 7, COUPONS, curves).read_text(encoding="utf-8")
    assert f"lab.csv, SHA-256 {sha256(curves.read_bytes()).hexdigest()}" in re.sub("  +", " ", Text(beside).text).replace(" ,", ",")
    drawn = ">reference<", ">reference *<"
    assert [beside.count(word) for word in drawn] == [2, 1]
    assert [page.count(word) for word in drawn] == [0, 0]
    assert len(beside) < 2_000_000


def test_a_reference_that_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    curves = tmp_path / "lab.csv"
    curves.write_text("at_s,residual_core\n0,0.18\n", encoding="utf-8")
    journal = a_batch(tmp_path / "journal.db", "STOPPED", 0.5, columns=older())
    page = report(journal, tmp_path / "report.html", None, None, curves).read_text(encoding="utf-8")
    assert "The reference lab.csv is not drawn: this journal does not hold the estimate by position." in Text(page).text


def test_no_picture_uses_a_name_of_another(page: str) -> None:
    pictures = page.split("<svg ")[1:]
    assert len(pictures) == 4
    names = [set(re.findall(r'\bid="([^"]+)"', picture)) for picture in pictures]
    assert not any(one & other for one, other in itertools.combinations(names, 2))
    for picture, own in zip(pictures, names, strict=True):
        used = {name[1:] for name in re.findall(r'href="(#[^"]+)"', picture)} | set(re.findall(r"url\(#([^)]+)\)", picture))
        assert used
        assert used <= own
