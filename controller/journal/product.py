"""What the laboratory found: coupons, which the report shows and the calibration learns from, and product properties, judged.

One file for both, TOML or JSON: ``lot``, ``resin``, ``solvent`` and ``date``, a list ``coupons`` and a table ``lab`` of product properties.
"""

import hashlib
import json
import math
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationError

from controller.equipment import Strict
from controller.errors import FileError, Problem
from controller.validation import BYTE_ORDER_MARK, MARKED, problems_of


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

READING_SD_WT_PCT: Final = 0.05  # [assume] 20 mg of film weighed to 0.01 mg
READING_SHARE_SD: Final = 0.05  # [assume] of the value: solvent taken up or lost between oven and scale

MAX_BYTES: Final = 1_000_000
_AT: Final = re.compile(r"coupons\.(\d+)")


def _printable(given: str) -> str:
    """Return ``given``; ValueError when a terminal would obey it instead of showing it."""
    if any(unicodedata.category(one) == "Cc" for one in given):
        raise ValueError("must have no control characters")
    return given


Printable = Annotated[str, AfterValidator(_printable)]
Word = Annotated[Printable, StringConstraints(min_length=1, max_length=100)]


def _measured(given: object) -> object:
    """Return ``given``; ValueError when it is a text, as laboratories write a result below the limit of detection."""
    if isinstance(given, str):
        raise ValueError("must be a number; below the limit of detection write 0, and the limit as residual_limit_wt_pct")
    return given


def _day(given: object) -> str:
    """Return ``given`` as YYYY-MM-DD when it is that text or a date; ValueError when it is no day of the calendar."""
    if isinstance(given, date) and not isinstance(given, datetime):
        return given.isoformat()
    try:
        if isinstance(given, str) and date.fromisoformat(given).isoformat() == given:
            return given
    except ValueError:
        pass
    raise ValueError("must be a day as YYYY-MM-DD")


Day = Annotated[str, BeforeValidator(_day)]
Percent = Annotated[float, Field(ge=0, le=100)]
Hours = Annotated[float, Field(ge=0, le=2000)]
Celsius = Annotated[float, Field(ge=-20, le=400)]
Point = Annotated[tuple[Hours, Celsius], Field(strict=False)]


class Coupon(Strict):
    """A piece of film that the laboratory examined; a value is None when it was not measured.

    Where its film temperature comes from: ``batch`` and ``zone`` (of the roll, by the journal), or ``history`` (points of hours and degC,
    straight lines between), or neither, and then nothing can be calibrated with it.
    """

    position: Annotated[Word, Field(description="where on the roll or in the oven, in words")]
    name: Annotated[Word | None, Field(description="of its own in the file; `position` without")] = None
    lot: Annotated[Word | None, Field(description="when it is not that of the file")] = None
    batch: Annotated[
        Word | Annotated[int, Field(ge=1)] | None, Field(description="number of its batch; FILE:number when several journals have it")
    ] = None
    zone: Annotated[
        Literal["outer", "upper", "middle", "core", "edge", "roll"] | None, Field(description="where in the roll of `batch`")
    ] = None
    history: Annotated[
        Annotated[tuple[Point, ...], Field(strict=False, min_length=2, max_length=5000)] | None,
        Field(description="points of hours and degC, [[0, 25], [2, 240]], straight lines between"),
    ] = None
    temperature_sd_c: Annotated[Annotated[float, Field(ge=0, le=20)] | None, Field(description="of the whole history")] = None
    insoluble_pct: Annotated[Percent | None, Field(description="insoluble content")] = None
    insoluble_sd_pct: Annotated[
        Annotated[float, Field(ge=0.05, le=30)] | None, Field(description="standard deviation of the value, points")
    ] = None
    residual_wt_pct: Annotated[
        Percent | None,
        BeforeValidator(_measured),
        Field(description="residual solvent; below the limit of detection 0, with `residual_limit_wt_pct`"),
    ] = None
    residual_sd_wt_pct: Annotated[
        Annotated[float, Field(ge=0.001, le=10)] | None, Field(description="its standard deviation; without: 0.05 wt% and 5 % of the value")
    ] = None
    residual_limit_wt_pct: Annotated[
        Annotated[float, Field(ge=0, le=10)] | None, Field(description="limit of detection; without: 1.645 standard deviations")
    ] = None
    predry_residual_wt_pct: Annotated[
        Annotated[float, Field(ge=0.5, le=60)] | None, Field(description="of the coupon before its history; without: 20, sd 5")
    ] = None
    predry_sd_wt_pct: Annotated[Annotated[float, Field(ge=0, le=20)] | None, Field(description="its standard deviation; without: 1")] = None
    film_um: Annotated[Annotated[float, Field(ge=1, le=200)] | None, Field(description="dry thickness; without: 20")] = None
    assay: Annotated[
        Annotated[dict[Word, str | int | float], Field(min_length=1)],
        Field(description="how it was measured: a value means nothing without it"),
    ]

    @property
    def weighed_sd_wt_pct(self) -> float:
        """Return the standard deviation of ``residual_wt_pct``, as given or as assumed."""
        assumed = READING_SD_WT_PCT + READING_SHARE_SD * (self.residual_wt_pct or 0.0)
        return assumed if self.residual_sd_wt_pct is None else self.residual_sd_wt_pct


def file_and_number(batch: str | int) -> tuple[str, str]:
    """Return the journal that a coupon's ``batch`` names, empty when none, and the batch's number in it."""
    name, _, number = str(batch).rpartition(":")
    return name, number


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
    lot: str | None = None
    resin: str | None = None
    solvent: str = "NMP"  # the film was cast from
    date: str | None = None


Amount = Annotated[float, Field(ge=0, le=1e6)] | None
Change = Annotated[float, Field(ge=-1e6, le=1e6)] | None


class Properties(Strict):
    """The keys of ``LIMITS``."""

    tear_initiation_kg: Amount = None
    dimensional_change_pct: Change = None
    solder_resistance_c: Amount = None
    adhesion_g_per_mm: Amount = None
    curvature_radius_cm: Amount = None
    roughness_um: Amount = None
    modulus_retention_pct: Amount = None


class LabFile(Strict):
    """The whole file."""

    lot: Annotated[Word | None, Field(description="resin lot of the coupons")] = None
    resin: Annotated[Word | None, Field(description="name of the resin")] = None
    solvent: Annotated[
        Literal["NMP", "DMAc", "DMF", "GBL", "DMSO", "cyclopentanone", "cyclohexanone"], Field(description="that the film was cast from")
    ] = "NMP"
    date: Annotated[Day | None, Field(description="YYYY-MM-DD; of the parameter set")] = None
    coupons: Annotated[tuple[Coupon, ...], Field(strict=False, max_length=200)] = ()
    lab: Properties = Properties()


def read_lab(given: Mapping[str, Any] | None, name: str = "coupons") -> Lab:
    """Return laboratory results from a mapping with the keys of the file; ``name`` is what errors call it.

    Raises:
        FileError: a key is not known, or a value is no number or outside its bounds; all such mistakes are named.
    """
    try:
        found = LabFile.model_validate(dict(given or {}))
    except ValidationError as error:
        coupons = (given or {}).get("coupons")
        names = [_name(one) for one in coupons] if isinstance(coupons, list) else []
        raise FileError(name, named(problems_of(error, LabFile), names)) from error
    except RecursionError:
        raise FileError(name, [Problem("depth", "too deep", "keys nest at most 20 deep")]) from None
    judged = tuple(judge(LIMITS[key], value) for key, value in found.lab.model_dump(exclude_none=True).items())
    return Lab(found.coupons, judged, found.lot, found.resin, found.solvent, found.date)


def _name(coupon: object) -> str | None:
    """Return what a coupon that may be wrong calls itself."""
    found = (coupon.get("name") or coupon.get("position")) if isinstance(coupon, dict) else None
    return found if isinstance(found, str) else None


def named(problems: Sequence[Problem], names: Sequence[str | None]) -> list[Problem]:
    """Return ``problems`` with the names of the coupons that they are about; a key counts coupons from 0."""
    found = []
    for problem in problems:
        at = _AT.match(problem.key)
        name = names[int(at[1])] if at and int(at[1]) < len(names) else None
        found.append(problem if name is None else problem._replace(allowed=f"{problem.allowed} (coupon {name[:100]!r})"))
    return found


def read_lab_file(path: Path) -> tuple[Lab, str]:
    """Return the laboratory results in the file at ``path``, TOML or (``.json``) JSON, and its SHA-256. Raises FileError."""
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_BYTES:
            raise FileError(str(path), [Problem("size", len(raw), f"at most {MAX_BYTES} bytes")])
        text = raw.decode("utf-8")
        if text.startswith(BYTE_ORDER_MARK):
            raise FileError(str(path), [MARKED])
        given = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise FileError(str(path), [Problem("file", str(error)[:200], "must be readable TOML or JSON in UTF-8")]) from error
    if not isinstance(given, dict):
        raise FileError(str(path), [Problem("file", given, "must be a table of keys and values")])
    return read_lab(given, str(path)), hashlib.sha256(raw).hexdigest()


def judge(what: Property, value: float, where: str = "") -> Judged:
    """Return ``value`` beside the limits of ``what``."""
    return Judged(what, value, what.low <= value <= what.high, where)
