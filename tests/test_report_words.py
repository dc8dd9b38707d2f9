"""Durations, keys and payloads in words."""

import pytest

from controller.journal.words import elapsed, label, shown


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
