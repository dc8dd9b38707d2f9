"""What people wrote, checked: pydantic's findings as problems that name key, value and what is allowed."""

from difflib import get_close_matches

from pydantic import ValidationError

from controller.errors import Problem


def problems_of(error: ValidationError, known_keys: tuple[str, ...] = ()) -> list[Problem]:
    """Return ``error`` as problems; an unknown key gets the nearest of ``known_keys`` as a hint."""
    problems = []
    for found in error.errors(include_url=False, include_context=True):
        key = ".".join(str(part) for part in found["loc"]) or "file"
        allowed = found["msg"]
        if found["type"] == "extra_forbidden":
            near = get_close_matches(key.rsplit(".", 1)[-1], known_keys, n=1, cutoff=0.5)
            allowed = "unknown key" + (f"; did you mean {near[0]}?" if near else "")
        value = "(missing)" if found["type"] == "missing" else found["input"]
        problems.append(Problem(key, value, allowed))
    return problems
