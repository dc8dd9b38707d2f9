"""How far the journal was delivered: a small file that survives a power cut at any moment."""

import json
import os
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from controller.errors import FileError, Problem
from controller.northbound.topics import Entry
from controller.validation import problems_of

MAX_BYTES: Final = 4096
_HINT: Final = "move the file away to publish the whole journal again"


class Cursor(BaseModel):
    """The last entry that was delivered; ``hash`` tells whether a journal is the one it came from."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    seq: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    boot: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    at_s: Annotated[float, Field(ge=-1e12, le=1e12)] = 0.0
    hash: Annotated[str, Field(pattern=r"^([0-9a-f]{2}){0,64}$")] = ""


def at(entry: Entry) -> Cursor:
    """Return the cursor behind ``entry``."""
    return Cursor(seq=entry.seq, boot=entry.boot, at_s=entry.at_s, hash=entry.hash.hex())


def load(path: Path) -> Cursor:
    """Return the cursor at ``path``, the start of the journal when there is none.

    Raises:
        FileError: there is something else; it is left as it is, because guessing would lose or repeat the whole history.
    """
    try:
        raw = path.read_bytes()[:MAX_BYTES]
        return Cursor.model_validate(json.loads(raw))
    except FileNotFoundError:
        return Cursor()
    except ValidationError as error:
        raise FileError(str(path), [problem._replace(allowed=f"{problem.allowed}; {_HINT}") for problem in problems_of(error)]) from error
    except (OSError, ValueError, RecursionError) as error:
        raise FileError(str(path), [Problem("file", str(error), f"must be a cursor as JSON; {_HINT}")]) from error


def save(path: Path, cursor: Cursor) -> None:
    """Replace the file by ``cursor`` at once and durably.

    Raises:
        OSError: the disk does not take it; the old file stands.
    """
    new = path.with_suffix(path.suffix + ".new")
    with new.open("wb") as file:
        file.write(cursor.model_dump_json().encode())
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def check_journal(path: Path, cursor: Cursor, found: Entry | None) -> None:
    """Return when ``found``, the journal's entry at the cursor, is the one that was delivered.

    Raises:
        FileError: the journal is another one, or shorter: going on behind the cursor would leave out what it holds.
    """
    if cursor.seq == 0 or (found is not None and (found.seq, found.hash.hex()) == (cursor.seq, cursor.hash)):
        return
    raise FileError(str(path), [Problem("seq", cursor.seq, f"the journal has no such entry with this hash; {_HINT}")])
