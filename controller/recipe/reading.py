"""From the text of a recipe or a load record to its value: size, depth and formula are checked before anything is built.

The text of a recipe that calls others holds them too, under ``[called]``: what is started, hashed and journaled needs no file beside it.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import ValidationError

from controller.equipment import Strict
from controller.errors import FileError, Problem
from controller.recipe.flatten import Place, flat
from controller.recipe.model import Kind, LoadRecord, Recipe, SubRecipe
from controller.units import SUFFIX_OF_UNIT
from controller.validation import BYTE_ORDER_MARK, MARKED, problems_of

MAX_BYTES: Final = 256_000
TEXTS: Final = ("name", "comment", "text", "equals")  # keys whose value is a person's text, whatever it begins with
PARTS: Final = "parts"  # folder beside a recipe, with those that it may call
MOST_NESTED: Final = 20  # brackets in brackets
MOST_DOTS: Final = 60  # between two delimiters: a dotted key nests too, and the parser's time grows with the square of it
_CALLED: Final = re.compile(r"^[ \t]*\[[ \t]*called[ \t]*\][ \t]*(?:#.*)?(?:\n|\Z)", re.MULTILINE)
_KINDS: Final = (*Kind.__members__, "REPEAT", "CALL")
_FILE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
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
    return parse_recipe(self_contained(_text(path), path), str(path), formula)


def parse_recipe(text: str, file: str, formula: Mapping[str, float] | None = None) -> SourcedRecipe:
    """Return the recipe that ``text`` holds; ``formula`` replaces values inside their ranges. Raises FileError."""
    content = _toml(text, file)
    called = content.pop("called", {})
    if not isinstance(called, dict):
        raise FileError(file, [Problem("called", called, "a table of the called sub-recipes' texts, [called]")])
    problems = _given(content, formula or {})
    content["phase"], wrong = flat(
        content.get("phase", []), lambda name, given, key: _sub(called, content, name, given, key), Place("phase")
    )
    problems += [*wrong, *_resolve(content)]
    recipe = _validated(Recipe, content, file, problems)
    return SourcedRecipe(recipe, text, sha256_of(recipe))


def self_contained(text: str, path: Path) -> str:
    """Return ``text`` with the sub-recipes that it calls, from ``parts`` beside ``path``, under ``[called]``. Raises FileError."""
    content = _toml(text, str(path))
    has = content.get("called", {})
    if not isinstance(has, dict):
        return text  # parsing it says so
    names = sorted(_names(content.get("phase")) - set(has))
    if not names:
        return text
    bodies = {name: _text(path.with_name(PARTS) / f"{name}.toml") for name in names}
    lines = "".join(f"{name} = {_quoted(body)}\n" for name, body in bodies.items())
    if "called" not in content:
        return f"{text.rstrip()}\n\n[called]\n{lines}"
    for header in _CALLED.finditer(text):  # the first may be a line of a text
        whole = f"{text[: header.end()].rstrip()}\n{lines}{text[header.end() :]}"
        try:
            if tomllib.loads(whole) == content | {"called": has | bodies}:
                return whole
        except ValueError:
            continue
    raise FileError(str(path), [Problem("called", sorted(has), f"a table begun by a line [called], which takes {', '.join(names)} too")])


def _names(phases: object) -> set[str]:
    """Return the names of the recipes that ``phases`` call."""
    found: set[str] = set()
    for phase in phases if isinstance(phases, list) else []:
        if isinstance(phase, dict) and phase.get("kind") == "CALL" and _FILE.fullmatch(str(phase.get("recipe"))):
            found.add(str(phase["recipe"]))
        elif isinstance(phase, dict):
            found |= _names(phase.get("phase"))
    return found


def _quoted(body: str) -> str:
    """Return ``body`` as a TOML string, readable where it can be."""
    return json.dumps(body, ensure_ascii=False) if "'''" in body or body.endswith("'") else f"'''\n{body}'''"


def _sub(
    called: object, caller: dict[str, Any], name: str, given: Mapping[str, Any], key: str
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return the phases of the sub-recipe ``name`` with its formula's numbers in place, and what is wrong with it."""
    body = called.get(name) if isinstance(called, dict) else None
    if not isinstance(body, str):
        return [], [
            Problem(f"{key}.CALL.recipe", name, "a sub-recipe whose text stands under [called]; reading the recipe as a file puts it there")
        ]
    file = f"{key} {name}.toml"
    try:
        content = _toml(body, file)
        phases = content.pop("phase", None)
        _validated(SubRecipe, content, file, [])
    except FileError as error:
        return [], [Problem(f"{file} {problem.key}", problem.value, problem.allowed) for problem in error.problems]
    if not isinstance(phases, list) or not phases:
        return [], [Problem(f"{file} phase", phases, "a sub-recipe has phases of its own, [[phase]]")]
    values, problems = _passed(caller.get("formula"), content.get("formula"), given, key)
    problems += [*_given(content, values), *_resolve(content | {"phase": phases})]
    if any(isinstance(phase, dict) and phase.get("kind") == "END" for phase in phases):
        problems.append(Problem("phase", "END", "END stands only in the recipe that calls"))
    return phases, [Problem(f"{file} {problem.key}", problem.value, problem.allowed) for problem in problems]


def _passed(formula: object, takes: object, given: Mapping[str, Any], key: str) -> tuple[dict[str, float], list[Problem]]:
    """Return the values that a CALL gives to a sub-recipe, "=name" taken from the caller's formula, and what is wrong with them."""
    values, problems, own = {}, [], formula if isinstance(formula, dict) else {}
    wanted = takes if isinstance(takes, dict) else {}
    for name, value in given.items():
        entry, wants = own.get(value[1:]) if isinstance(value, str) else None, wanted.get(name)
        if isinstance(entry, dict) and isinstance(wants, dict) and entry.get("unit") != wants.get("unit"):
            allowed = f"a value in {wants.get('unit')}, which {name} is; {value[1:]} is in {entry.get('unit')}"
            problems.append(Problem(f"{key}.CALL.formula.{name}", value, allowed))
        elif isinstance(entry, dict) and isinstance(entry.get("value"), int | float):
            values[name] = float(entry["value"])
        elif isinstance(value, str):
            problems.append(Problem(f"{key}.CALL.formula.{name}", value, f"the formula has {', '.join(own) or 'no values'}"))
        else:
            values[name] = float(value)
    return values, problems


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
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise FileError(str(path), [Problem("size", f"more than {MAX_BYTES} bytes", f"at most {MAX_BYTES} bytes")])
        return raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(str(path), [Problem("file", str(error), "must be a readable UTF-8 text")]) from error


def _toml(text: str, file: str) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise FileError(file, [Problem("size", len(text), f"at most {MAX_BYTES} characters")])
    if text.startswith(BYTE_ORDER_MARK):
        raise FileError(file, [MARKED])
    if (depth := _depth(text)) > MOST_NESTED:
        raise FileError(file, [Problem("depth", depth, f"brackets nest at most {MOST_NESTED} deep")])
    if (dots := _dots(text)) > MOST_DOTS:
        raise FileError(file, [Problem("depth", dots, f"at most {MOST_DOTS} dots between two of = , brackets and the end of the line")])
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        once = ", each key once" if re.search("twice|overwrite", str(error)) else ""
        raise FileError(file, [Problem("file", str(error)[:200], f"must be TOML (www.toml.io){once}")]) from error


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _dots(text: str) -> int:
    """Return the most dots that a key could have; whole-line comments have none."""
    lines = (line for line in text.splitlines() if "." in line and not line.lstrip().startswith("#"))
    return max((part.count(".") - part.count("..") for line in lines for part in re.split(r"[=,\[\]{}]", line)), default=0)


def _validated(model: type[M], content: dict[str, Any], file: str, problems: list[Problem]) -> M:
    try:
        value = model.model_validate(content)
    except ValidationError as error:
        raise FileError(file, problems + _written(problems_of(error, model), content, {problem.key for problem in problems})) from error
    except RecursionError:
        raise FileError(file, [Problem("depth", "too deep", "keys nest at most 20 deep")]) from None
    if problems:
        raise FileError(file, problems)
    return value


def _written(problems: list[Problem], content: dict[str, Any], told: set[str]) -> list[Problem]:
    """Return ``problems`` with the keys of phases as people wrote them, not as they stand after REPEAT and CALL were written out.

    A reference to the formula that is one of the keys ``told`` of already is left out.
    """
    phases, found = content.get("phase", []), {}
    for problem in problems:
        part, index, *rest = [*problem.key.split(".", 2), "", ""][:3]
        phase = phases[int(index)] if part == "phase" and index.isdigit() and int(index) < len(phases) else {}
        if f"{_place(phase, f'phase.{index}')}.{problem.key.rsplit('.', 1)[-1]}" in told:
            continue
        said = problem._replace(key=f"{phase['at']}.{rest[0]}") if "at" in phase else problem
        if part != "phase" and isinstance(said.value, str) and said.value.startswith("="):
            said = said._replace(allowed=f"{said.allowed}; the formula's values stand for numbers of phases alone")
        found[said.key, said.allowed] = said  # each turn says the same
    return list(found.values())


def _given(content: dict[str, Any], given: Mapping[str, float]) -> list[Problem]:
    """Put ``given`` into the formula of ``content`` (in place); return what is wrong."""
    formula = content.get("formula", {})
    if not isinstance(formula, dict):
        return []  # the model says so
    return [problem for name, value in given.items() for problem in _override(formula, name, value)]


def _resolve(content: dict[str, Any]) -> list[Problem]:
    """Put the formula's numbers into the phases of ``content`` (in place); return what is wrong."""
    formula = content.get("formula", {})
    if not isinstance(formula, dict):
        return []  # the model says so
    problems = [problem for name, entry in formula.items() for problem in _check_formula(name, entry)]
    wrong = {(problem.key, problem.allowed): problem for problem in _into(content.get("phase"), formula, "phase")}
    return [*problems, *wrong.values()]  # each turn of a REPEAT says the same


def _into(phases: object, formula: dict[str, Any], place: str) -> list[Problem]:
    problems = []
    for index, phase in enumerate(phases if isinstance(phases, list) else []):
        if not isinstance(phase, dict):
            continue
        where = _place(phase, f"{place}.{index}")
        for key, value in phase.items():
            if key not in TEXTS and isinstance(value, str) and value.startswith("="):
                number, wrong = _lookup(formula, f"{where}.{key}", key, value)
                problems += wrong
                if number is not None:
                    phase[key] = number
        problems += _into(phase.get("phase"), formula, f"{phase.get('at', f'{place}.{index}')}.phase")
    return problems


def _place(phase: dict[str, Any], place: str) -> str:
    """Return the key of ``phase``, which stands at ``place`` unless it was written out, with its kind where it has one."""
    kind, at = phase.get("kind"), phase.get("at", place)
    return f"{at}.{kind}" if isinstance(kind, str) and kind in _KINDS else str(at)


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
