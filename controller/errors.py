"""The three kinds of error: a mistake in a file, a wire that fails, and a bug (any other exception)."""

from collections.abc import Sequence
from typing import NamedTuple


class OvenctlError(Exception):
    """Root of every error that this product raises on purpose."""


class Problem(NamedTuple):
    """One mistake in something a person wrote: where it stands, what it says, what would be right."""

    key: str
    value: object
    allowed: str

    def __str__(self) -> str:
        """Return one line for a person."""
        return f"{self.key} = {_shown(self.value)}: {self.allowed}"


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


def _shown(value: object, limit: int = 120) -> str:
    """Return ``value`` as written, shortened in its middle: of a path the file's name tells most."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deep, or a number of thousands of digits
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else f"{text[: limit // 2]}…{text[1 - limit // 2 :]}"
