"""What the laboratory found after the batch: coupons and product properties, checked and judged."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from controller.errors import FileError, Problem


class Property(NamedTuple):
    """One property of the laminate and its limit; ``low`` and ``high`` are both included."""

    text: str
    unit: str
    low: float
    high: float


# Product limits of the patent family US 7,468,197 B2 / US 2007/0009710 A1 / JP2000-237389.
LIMITS: Final[dict[str, Property]] = {
    "tear_initiation_kg": Property("tear initiation (20 µm film)", "kg", 15.0, math.inf),
    "dimensional_change_pct": Property("dimensional change in the thermal gradient (200 °C, 30 min)", "%", -math.inf, 0.1),
    "solder_resistance_c": Property("solder heat resistance", "°C", 350.0, math.inf),
    "adhesion_g_per_mm": Property("adhesion", "g/mm", 80.0, math.inf),
    "curvature_radius_cm": Property("radius of curvature", "cm", 15.0, math.inf),
    "roughness_um": Property("average roughness of the contact face", "µm", -math.inf, 0.4),
    "modulus_retention_pct": Property("elastic modulus retained (100 h in 40 wt% NaOH at 25 °C)", "%", 40.0, math.inf),
}
INSOLUBLE: Final = Property("solvent-insoluble content of the film", "%", 1.0, 99.0)


class Coupon(NamedTuple):
    """A piece of the roll that the laboratory examined; a value is None when it was not measured."""

    position: str
    insoluble_pct: float | None
    residual_wt_pct: float | None
    assay: tuple[tuple[str, str], ...]  # how it was measured: a value means nothing without it


class Judged(NamedTuple):
    """A laboratory value beside its limit, and where on the roll it was found."""

    what: Property
    value: float
    passed: bool
    where: str = ""


class Lab(NamedTuple):
    """Everything the laboratory reported."""

    coupons: tuple[Coupon, ...]
    properties: tuple[Judged, ...]


def read_lab(given: Mapping[str, Any] | None, name: str = "coupons") -> Lab:
    """Return laboratory results from a mapping with the keys ``coupons`` (list) and ``lab`` (property -> value).

    A coupon has ``position``, ``insoluble_pct``, ``residual_wt_pct`` and ``assay`` (extraction temperature, time, concentration ...).

    Raises:
        FileError: a key is not known, or a value is no number or outside its bounds; all such mistakes are named.
    """
    problems: list[Problem] = []
    given = given or {}
    _only(given, ("coupons", "lab"), "", problems)
    coupons = tuple(_coupon(one, f"coupons.{i}", problems) for i, one in enumerate(_list(given.get("coupons", ()), problems)))
    results = _mapping(given.get("lab", {}), "lab", problems)
    _only(results, tuple(LIMITS), "lab.", problems)
    values = {key: _number(results[key], f"lab.{key}", -1e6, 1e6, problems) for key in LIMITS if key in results}
    if problems:
        raise FileError(name, problems)
    judged = [judge(LIMITS[key], value) for key, value in values.items() if value is not None]
    judged += [judge(INSOLUBLE, coupon.insoluble_pct, coupon.position) for coupon in coupons if coupon.insoluble_pct is not None]
    return Lab(coupons, tuple(judged))


def judge(what: Property, value: float, where: str = "") -> Judged:
    """Return ``value`` beside the limits of ``what``."""
    return Judged(what, value, what.low <= value <= what.high, where)


def _coupon(found: object, key: str, problems: list[Problem]) -> Coupon:
    one = _mapping(found, key, problems)
    _only(one, ("position", "insoluble_pct", "residual_wt_pct", "assay"), f"{key}.", problems)
    position = one.get("position")
    if not isinstance(position, str) or not 0 < len(position) <= 100:
        problems.append(Problem(f"{key}.position", position, "a text of 1 to 100 characters: where on the roll"))
    assay = _mapping(one.get("assay", {}), f"{key}.assay", problems)
    if not assay:
        problems.append(Problem(f"{key}.assay", "(missing)", "how it was measured: extraction temperature, time, concentration"))
    return Coupon(
        str(position),
        _number(one.get("insoluble_pct"), f"{key}.insoluble_pct", 0.0, 100.0, problems),
        _number(one.get("residual_wt_pct"), f"{key}.residual_wt_pct", 0.0, 100.0, problems),
        tuple((str(name), str(value)) for name, value in assay.items()),
    )


def _number(value: object, key: str, low: float, high: float, problems: list[Problem]) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        problems.append(Problem(key, value, f"a number from {low:g} to {high:g}"))
        return None
    return float(value)


def _mapping(found: object, key: str, problems: list[Problem]) -> Mapping[str, Any]:
    if isinstance(found, Mapping):
        return found
    problems.append(Problem(key, found, "a table of keys and values"))
    return {}


def _list(found: object, problems: list[Problem]) -> Sequence[object]:
    if isinstance(found, Sequence) and not isinstance(found, str | bytes):
        return found
    problems.append(Problem("coupons", found, "a list of coupons"))
    return ()


def _only(found: Mapping[str, object], known: tuple[str, ...], prefix: str, problems: list[Problem]) -> None:
    problems += [Problem(f"{prefix}{key}", found[key], f"unknown key; known are {', '.join(known)}") for key in found if key not in known]
