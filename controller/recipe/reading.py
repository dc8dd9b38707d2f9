"""From the text of a recipe or a load record to its value: size, depth and formula are checked before anything is built."""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, get_args

from pydantic import ValidationError

from controller.equipment import Strict
from controller.errors import FileError, Problem
from controller.recipe.model import LoadRecord, Phase, Recipe
from controller.units import SUFFIX_OF_UNIT
from controller.validation import problems_of

MAX_BYTES: Final = 256_000
M = TypeVar("M", bound=Strict)


class SourcedRecipe(NamedTuple):
    """A recipe with the text it came from and the SHA-256 of what will run (canonical JSON, formula resolved)."""

    recipe: Recipe
    text: str
    sha256: str


def read_recipe(path: Path, formula: Mapping[str, float] | None = None) -> SourcedRecipe:
    """Return the recipe in the file at ``path``.

    Raises:
        FileError: every mistake in it, with file, key, value and what is allowed.
    """
    return parse_recipe(_text(path), str(path), formula)


def parse_recipe(text: str, file: str, formula: Mapping[str, float] | None = None) -> SourcedRecipe:
    """Return the recipe that ``text`` holds; ``formula`` replaces values inside their ranges. Raises FileError."""
    content = _toml(text, file)
    problems = _resolve(content, formula or {})
    recipe = _validated(Recipe, content, file, problems)
    return SourcedRecipe(recipe, text, sha256_of(recipe))


def read_load(path: Path) -> LoadRecord:
    """Return the load record in the file at ``path``. Raises FileError."""
    return parse_load(_text(path), str(path))


def parse_load(text: str, file: str) -> LoadRecord:
    """Return the load record that ``text`` holds. Raises FileError."""
    return _validated(LoadRecord, _toml(text, file), file, [])


def sha256_of(recipe: Recipe) -> str:
    """Return the SHA-256 of the recipe's canonical JSON."""
    return hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileError(str(path), [Problem("size", path.stat().st_size, f"at most {MAX_BYTES} bytes")])
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(str(path), [Problem("file", str(error), "must be a readable UTF-8 text")]) from error


def _toml(text: str, file: str) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise FileError(file, [Problem("size", len(text), f"at most {MAX_BYTES} characters")])
    if (depth := _depth(text)) > 20:
        raise FileError(file, [Problem("depth", depth, "brackets nest at most 20 deep")])
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError(file, [Problem("file", str(error)[:200], "must be TOML without duplicate keys")]) from error


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _validated(model: type[M], content: dict[str, Any], file: str, problems: list[Problem]) -> M:
    try:
        value = model.model_validate(content)
    except ValidationError as error:
        raise FileError(file, problems + problems_of(error, _known_keys(model))) from error
    except RecursionError:
        raise FileError(file, [Problem("depth", "too deep", "keys nest at most 20 deep")]) from None
    if problems:
        raise FileError(file, problems)
    return value


def _known_keys(model: type[Strict]) -> tuple[str, ...]:
    keys = set(model.model_fields)
    if model is Recipe:
        for phase in get_args(get_args(Phase)[0]):
            keys |= set(phase.model_fields)
        for field in model.model_fields.values():
            if isinstance(field.annotation, type) and issubclass(field.annotation, Strict):
                keys |= set(field.annotation.model_fields)
    return tuple(sorted(keys))


def _resolve(content: dict[str, Any], given: Mapping[str, float]) -> list[Problem]:
    """Put the formula's numbers into the phases of ``content`` (in place); return what is wrong."""
    formula = content.get("formula", {})
    problems: list[Problem] = []
    if not isinstance(formula, dict):
        return problems  # the model says so
    for name, value in given.items():
        problems += _override(formula, name, value)
    for name, entry in formula.items():
        problems += _check_formula(name, entry)
    phases = content.get("phase", [])
    for index, phase in enumerate(phases if isinstance(phases, list) else []):
        for key, value in phase.items() if isinstance(phase, dict) else ():
            if isinstance(value, str) and value.startswith("="):
                number, problem = _lookup(formula, f"phase.{index}.{key}", key, value)
                problems += problem
                if number is not None:
                    phase[key] = number
    return problems


def _override(formula: dict[str, Any], name: str, value: float) -> list[Problem]:
    if not isinstance(formula.get(name), dict):
        return [Problem(f"formula.{name}", value, f"the formula has {', '.join(formula) or 'no values'}")]
    formula[name]["value"] = float(value)
    return []


def _check_formula(name: str, entry: object) -> list[Problem]:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), int | float) for key in ("value", "low", "high")):
        return []  # the model says so
    if not entry["low"] <= entry["value"] <= entry["high"]:
        return [Problem(f"formula.{name}.value", entry["value"], f"allowed {entry['low']} to {entry['high']} {entry.get('unit', '')}")]
    if not isinstance(entry.get("unit"), str) or entry["unit"] not in SUFFIX_OF_UNIT:
        return [Problem(f"formula.{name}.unit", entry.get("unit"), f"one of {', '.join(SUFFIX_OF_UNIT)}")]
    return []


def _lookup(formula: dict[str, Any], where: str, key: str, reference: str) -> tuple[float | None, list[Problem]]:
    entry = formula.get(reference[1:])
    if not isinstance(entry, dict) or "value" not in entry:
        return None, [Problem(where, reference, f"the formula has {', '.join(formula) or 'no values'}")]
    suffix = SUFFIX_OF_UNIT.get(str(entry.get("unit")), "?")
    if _unit_suffix(key) != suffix:
        return None, [Problem(where, reference, f"{key} cannot take {entry.get('unit')}: the formula value must have the key's unit")]
    return entry["value"], []


def _unit_suffix(key: str) -> str:
    return max((suffix for suffix in SUFFIX_OF_UNIT.values() if key.endswith(suffix)), key=len, default="")
