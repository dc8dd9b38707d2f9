"""What people wrote, checked: pydantic's findings as problems that name key, value and what is allowed."""

from difflib import get_close_matches
from typing import Final

from pydantic import ValidationError

from controller.errors import Problem

MOST_PROBLEMS: Final = 50  # told of one file; a hostile one has tens of thousands
_KEY_SHOWN: Final = 120  # characters


def problems_of(error: ValidationError, known_keys: tuple[str, ...] = ()) -> list[Problem]:
    """Return ``error`` as problems, the first 50; an unknown key gets the nearest of ``known_keys`` as a hint."""
    problems, every = [], error.errors(include_url=False, include_context=True)
    for found in every[:MOST_PROBLEMS]:
        key = ".".join(str(part)[:_KEY_SHOWN] for part in found["loc"]) or "file"
        allowed = found["msg"]
        if found["type"] == "extra_forbidden":
            near = get_close_matches(key.rsplit(".", 1)[-1], known_keys, n=1, cutoff=0.5)
            allowed = "unknown key" + (f"; did you mean {near[0]}?" if near else "")
        value = "(missing)" if found["type"] == "missing" else found["input"]
        problems.append(Problem(key, value, allowed))
    if len(every) > MOST_PROBLEMS:
        problems.append(Problem("file", f"{len(every) - MOST_PROBLEMS} more", "all of them corrected"))
    return problems
