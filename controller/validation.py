"""What people wrote, read and checked: a file's tables, and pydantic's findings as problems that name key, value and what is allowed."""

import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from inspect import get_annotations
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from controller.errors import FileError, Problem

MOST_PROBLEMS: Final = 50  # told of one file; a hostile one has tens of thousands
BYTE_ORDER_MARK: Final = "\ufeff"
MOST_BYTES: Final = 4_000_000  # of a configuration, a wiring or a list of users; they have some ten thousand
READABLE: Final = "must be readable TOML in UTF-8"
MARKED: Final = Problem("file", BYTE_ORDER_MARK, "begins with a byte order mark; save as UTF-8 without")
_KEY_SHOWN: Final = 120  # characters
_MOST_TAKEN: Final = 8  # keys shown of those that a table takes
_OWN: Final = ("kind", "at", "turn")  # of a phase: never the right key for a wrong one


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables in the file at ``path``. Raises FileError when it cannot be read, is too long or is no TOML in UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise FileError(str(path), [Problem("file", str(error), READABLE)]) from error
    if len(raw) > MOST_BYTES:
        raise FileError(str(path), [Problem("size", f"more than {MOST_BYTES} bytes", f"at most {MOST_BYTES} bytes")])
    return toml_of(raw, str(path))


def toml_of(raw: bytes, file: str) -> dict[str, Any]:
    """Return the tables in ``raw``, the content of ``file``. Raises FileError when it is no TOML in UTF-8."""
    try:
        text = raw.decode("utf-8")
        if text.startswith(BYTE_ORDER_MARK):
            raise FileError(file, [MARKED])
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError(file, [Problem("file", str(error)[:200], READABLE)]) from error


def problems_of(error: ValidationError, known: tuple[str, ...] | type[BaseModel] = ()) -> list[Problem]:
    """Return ``error`` as problems, the first 50; an unknown key gets a hint from ``known``: keys, or the model that was asked for."""
    problems, every = [], error.errors(include_url=False, include_context=True)
    for found in every[:MOST_PROBLEMS]:
        key = ".".join(str(part)[:_KEY_SHOWN] for part in found["loc"]) or "file"
        allowed = found["msg"]
        if found["type"] == "extra_forbidden":
            allowed = "unknown key" + _hint(found["loc"], known)
        value = "(missing)" if found["type"] == "missing" else found["input"]
        problems.append(Problem(key, value, allowed))
    if len(every) > MOST_PROBLEMS:
        problems.append(Problem("file", f"{len(every) - MOST_PROBLEMS} more", "all of them corrected"))
    return problems


def _hint(place: tuple[int | str, ...], known: tuple[str, ...] | type[BaseModel]) -> str:
    """Return what the unknown key at ``place`` may have been meant to be: the nearest key, else those that its table takes."""
    name = str(place[-1])
    tables = [] if isinstance(known, tuple) else _tables(known, place[:-1])
    keys = known if isinstance(known, tuple) else tuple(dict.fromkeys(key for table in tables for key in _taken(table)))
    if near := get_close_matches(name, [key for key in keys if key != name], n=1, cutoff=0.6):
        return f"; did you mean {near[0]}?"
    if not tables or not keys:
        return ""
    who = f"{place[-2]} takes" if "kind" in tables[0].model_fields else "allowed are"
    return f"; {who} {', '.join(keys[:_MOST_TAKEN])}{', ...' if len(keys) > _MOST_TAKEN else ''}"


def _tables(model: type[BaseModel], place: tuple[int | str, ...]) -> list[type[BaseModel]]:
    """Return the tables that may stand at ``place`` of ``model``."""
    tables = [model]
    for part in place:
        if named := [table.model_fields[part].annotation for table in tables if isinstance(part, str) and part in table.model_fields]:
            tables = [inner for annotation in named for inner in _models(annotation)]
        elif kinds := [
            table for table in tables if "kind" in table.model_fields and part in get_args(table.model_fields["kind"].annotation)
        ]:
            tables = kinds
    return tables


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield every model in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _taken(table: type[BaseModel]) -> list[str]:
    """Return the keys that ``table`` takes, its own before those that it shares with others."""
    own = get_annotations(table)
    return sorted((key for key in table.model_fields if key not in _OWN), key=lambda key: key not in own)
