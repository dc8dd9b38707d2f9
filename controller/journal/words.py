"""Values as a person reads them: times, units, payloads."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from controller.image import Interval
from controller.units import SUFFIX_OF_UNIT

_SHOWN_UNIT: Final = {"degC": "°C", "degC/min": "°C/min", "um": "µm", "m3/h": "m³/h", "Nm3/h": "Nm³/h", "m3": "m³", "Nm3": "Nm³"}


def elapsed(seconds: float | None) -> str:
    """Return a duration as hours, minutes and seconds (h:mm:ss); a dash for None."""
    if seconds is None:
        return "–"
    whole = round(abs(seconds))
    return f"{'−' if seconds < 0 and whole else ''}{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def moments(belief: Interval | None) -> str:
    """Return a moment as forecast and the ends of its interval; a dash for None."""
    return "–" if belief is None else f"{elapsed(belief.value)} [{elapsed(belief.low)} to {elapsed(belief.high)}]"


def lateness(seconds: float | None) -> str:
    """Return by how many minutes something came late (positive) or early; a dash for None."""
    return "–" if seconds is None else f"{signed(seconds / 60, 1)} min"


def signed(value: float, digits: int) -> str:
    """Return a number with its sign."""
    return f"{value:+.{digits}f}".replace("-", "−")


def label(key: str) -> str:
    """Return a key as words, its unit in brackets: ``predry_c`` becomes ``predry (°C)``."""
    for unit, suffix in sorted(SUFFIX_OF_UNIT.items(), key=lambda pair: -len(pair[1])):
        if key.endswith(suffix) and len(key) > len(suffix):
            plain = "%" if suffix == "_pct" else _SHOWN_UNIT.get(unit, unit)
            return f"{key.removesuffix(suffix).replace('_', ' ')} ({plain})"
    return key.replace("_", " ")


def shown(value: object) -> str:
    """Return a value of a payload for a person."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list):
        return ", ".join(shown(one) for one in value)
    if isinstance(value, dict):
        return "; ".join(f"{label(str(key))} {shown(one)}" for key, one in value.items())
    return str(value) or "–"


def terse(fields: Mapping[str, Any], *without: str) -> str:
    """Return what a payload says beyond ``without``, shortened to what a table cell holds."""
    text = "; ".join(
        f"{label(key)}: {shown(value)}" for key, value in fields.items() if key not in without and value not in (None, "", {}, [])
    )
    return text if len(text) <= 400 else f"{text[:399]}…"


def number(value: object) -> str:
    """Return a number with five digits; a dash for None."""
    return f"{value:.5g}" if isinstance(value, float) else "–" if value is None else json.dumps(value, ensure_ascii=False).strip('"')


def percent(belief: Interval | None, unit: str, digits: int = 2) -> str:
    """Return the median of a fraction in percent."""
    return "no estimate" if belief is None else f"{belief.value * 100:.{digits}f} {unit}".strip()


def interval(belief: Interval | None, unit: str = "", digits: int = 2) -> str:
    """Return the 90 % interval of a fraction in percent."""
    return "" if belief is None else f"{belief.low * 100:.{digits}f} to {belief.high * 100:.{digits}f} {unit}".strip()


def with_unit(value: float | None, unit: str, digits: int) -> str:
    """Return a measured value; words for None."""
    return "no reading" if value is None else f"{value:.{digits}f} {unit}".strip()


def utc(wall: int) -> str:
    """Return a wall-clock time, ns since 1970, as date and time in UTC."""
    try:
        return datetime.fromtimestamp(wall / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):  # the clock stood at no date
        return f"{wall} ns"
