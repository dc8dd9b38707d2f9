"""A batch of 14 h as the journal holds it, written without a plant: every kind of entry, and figures that are known."""

import itertools
import math
import re
import struct
from html.parser import HTMLParser
from pathlib import Path

from controller.image import OFF, Atmosphere, Estimate, Forecast, Interval, PressureRise, Setpoints, ZoneEstimate, blank
from controller.journal import samples
from controller.journal.entry import Entry, entry
from controller.journal.store import Journal
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


def course(batch_id: int, calibrated: bool) -> list[tuple[float, str, dict[str, object]]]:
    """What happens besides phases and the end: hours, kind, payload."""
    refused = {"args": {"reason": "curious"}, "accepted": False, "answer": "the load is at 198 °C; venting is allowed below 60 °C"}
    accepted = {"args": {"recipe": RECIPE}, "accepted": True, "answer": "done; the unit is RUNNING"}
    recipe = {"recipe": RECIPE, "recipe_id": "cure-roll", "revision": 3, "recipe_sha256": "5f" * 32, "formula": {"cure_temp_c": 240.0}}
    recipe["approval"] = {"key": "quality", "said": "recipe approved by emma, key quality", "author": "otto <i>", "approver": "emma"}
    recipe["model"] = {"lot": "L1 <b>", "calibrated": True} if calibrated else {"lot": None, "calibrated": False}
    warning = {"effect": "WARN", "text": "zone 2 more than 10 °C above its set point", "value": 11.25, "first_out": False}
    missing = {"from_s": START_S + 6.9 * 3600, "to_s": START_S + 7.05 * 3600, "count": 540, "cause": "the core was not running"}
    evidence = {"p_insoluble_in_window": 0.934, "p_solvent_ok": 0.951, "persisted_s": 120.0}
    edit = {"phase": 4, "index": 3, "key": "soak_min", "from": 60.0, "to": 75.0, "user": "emma", "reason": "wet <b>lot</b>",
            "recipe_sha256": ["5f" * 32, "6e" * 32], "master_sha256": "5f" * 32, "control_recipe": '{"id":"cure-roll"}' * 30}  # fmt: skip
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
            columns: tuple[str, ...] = samples.COLUMNS, calibrated: bool = True) -> Path:  # fmt: skip
    """Write a batch of 14 h, cut at ``until_h`` unless it is complete, with a restart in the middle."""
    events = course(batch_id, calibrated)
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
