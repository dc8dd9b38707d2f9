"""The three kinds of error: a mistake in a file, a wire that fails, and a bug (any other exception)."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

# In a key: a list that people fill, places in it from 0, the kind of the phase there; then what follows.
_PLACES: Final = re.compile(r"\b(phase|coupons|history|roll_ids|choices)((?:\.[0-9]{1,9})+)(?:\.([A-Z][A-Z_]*)\b)?(?:\.(?=([a-z])))?")


class OvenctlError(Exception):
    """Root of every error that this product raises on purpose."""


class Problem(NamedTuple):
    """One mistake in something a person wrote: where it stands, what it says, what would be right.

    ``key`` counts from 0, as the program does: "phase.3.SOAK.soak_min".
    """

    key: str
    value: object
    allowed: str

    def __str__(self) -> str:
        """Return one line for a person."""
        return f"{self.where} = {_shown(self.value)}: {self.allowed}"

    @property
    def where(self) -> str:
        """Return the key for a person: "phase 4 (SOAK), soak_min"."""
        return place_of_key(self.key)


def place_of_key(key: str) -> str:
    """Return ``key`` for a person, who counts phases and coupons from 1 and knows a phase by its kind too."""
    return _PLACES.sub(_place, key)


def numbered(index: int, kind: str) -> str:
    """Return how people call a phase of a recipe, here and in the report: by its number from 1 and its kind."""
    return f"phase {index + 1} ({kind})"


class FileError(OvenctlError):
    """A file that a person wrote is wrong; every problem found in it is listed."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        """Keep the file's name and its problems; the text names file, key, value and what is allowed."""
        self.file = file
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{file}: {problem}" for problem in self.problems))


class WireError(OvenctlError):
    """The wire to the PLC failed: nothing, too little, or something else than asked for came back."""


class IdentityError(WireError):
    """The PLC that answers is not the one that the wiring file describes."""


class JournalError(OvenctlError):
    """The journal cannot be written, or what it holds does not verify."""


def _place(found: re.Match[str]) -> str:
    """Return one list and its places, from 1, with the kind of phase if the key has it."""
    name, places, kind, more = found.groups()
    said = f"{name.removesuffix('s') if name == 'coupons' else name} {'.'.join(str(int(at) + 1) for at in places[1:].split('.'))}"
    return f"{said}{f' ({kind})' if kind else ''}{', ' if more else ''}"


def _shown(value: object, limit: int = 120) -> str:
    """Return ``value`` as written, shortened in its middle: of a path the file's name tells most."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deep, or a number of thousands of digits
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else f"{text[: limit // 2]}…{text[1 - limit // 2 :]}"
