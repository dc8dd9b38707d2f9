"""What is true of a lot or a batch: the distributions that ``draw`` takes the plant's parameters from, strictly read from a file."""

import random
import tomllib
from dataclasses import dataclass
from math import exp, isfinite, log
from pathlib import Path
from typing import Final

from controller.errors import FileError, Problem

SCOPES: Final = ("lot", "batch")
DISTRIBUTIONS: Final = ("normal", "lognormal")
_NUMBERS: Final = ("centre", "spread", "low", "high")
_WORDS: Final = ("distribution", "unit", "source")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One parameter: ``centre`` (the median), ``spread`` (sd, of the logarithm when lognormal), drawn again outside ``low`` to ``high``."""

    distribution: str
    centre: float
    spread: float
    low: float
    high: float
    unit: str
    source: str

    def draw(self, rng: random.Random) -> float:
        """Return one value inside the range."""
        while True:
            x = rng.gauss(0.0, self.spread)
            value = self.centre * exp(x) if self.distribution == "lognormal" else self.centre + x
            if self.low <= value <= self.high:
                return value


@dataclass(frozen=True, slots=True)
class Hyperprior:
    """All parameters that vary: those of a resin lot and those of a batch inside a lot."""

    lot: dict[str, Drawn]
    batch: dict[str, Drawn]

    def centre(self, name: str) -> float:
        """Return the centre of ``name``; KeyError when the file does not have it."""
        return (self.lot | self.batch)[name].centre

    def draw(self, scope: str, rng: random.Random) -> dict[str, float]:
        """Return one value for every parameter of ``scope``; each has its own random numbers, so that a new one moves no other."""
        base = rng.random()
        return {name: drawn.draw(random.Random(f"{base} {name}")) for name, drawn in getattr(self, scope).items()}


def read(path: Path) -> Hyperprior:
    """Return the hyper-prior in ``path``; FileError with every mistake found in it."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise FileError(str(path), [Problem("(file)", str(error), "must be TOML")]) from None
    problems = [Problem(scope, "", f"must be one of {', '.join(SCOPES)}") for scope in tables if scope not in SCOPES]
    found: dict[str, dict[str, Drawn]] = {scope: {} for scope in SCOPES}
    for scope in SCOPES:
        for name, entry in tables.get(scope, {}).items():
            key = f"{scope}.{name}"
            if problem := _problem(key, entry):
                problems.append(problem)
            elif name in found["lot"]:
                problems.append(Problem(key, name, "must stand in one scope only"))
            else:
                found[scope][name] = Drawn(**entry)
    if problems:
        raise FileError(str(path), problems)
    return Hyperprior(**found)


def _problem(key: str, entry: object) -> Problem | None:
    """Return what is wrong with one entry, None when nothing is."""
    keys = {*_NUMBERS, *_WORDS}
    if not isinstance(entry, dict) or set(entry) != keys:
        return Problem(key, str(entry), f"must have exactly {', '.join(sorted(keys))}")
    for name in _WORDS:
        if not isinstance(entry[name], str) or not entry[name]:
            return Problem(f"{key}.{name}", repr(entry[name]), "must be a text")
    for name in _NUMBERS:
        if not isinstance(entry[name], float) or not isfinite(entry[name]):
            return Problem(f"{key}.{name}", repr(entry[name]), "must be a finite number with a decimal point")
    if entry["distribution"] not in DISTRIBUTIONS:
        return Problem(f"{key}.distribution", repr(entry["distribution"]), f"must be one of {', '.join(DISTRIBUTIONS)}")
    logarithmic = entry["distribution"] == "lognormal"
    if entry["spread"] <= 0.0 or (logarithmic and entry["low"] <= 0.0):
        return Problem(f"{key}.spread", repr(entry["spread"]), "spread, and the lower bound of a lognormal, must be above 0")
    if not entry["low"] < entry["centre"] < entry["high"]:
        return Problem(f"{key}.centre", repr(entry["centre"]), "must lie inside low to high")
    room = log(entry["high"] / entry["low"]) if logarithmic else entry["high"] - entry["low"]
    if room < entry["spread"]:
        return Problem(f"{key}.low", repr(entry["low"]), "low to high must be at least one spread wide")
    return None
