"""``ovenctl calibrate``: options in, what is printed out."""

import os
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from controller.calibrate import parameter_set, shown
from controller.calibrate.evaluate import calibrate
from controller.errors import FileError, Problem


class Wanted(NamedTuple):
    """The command line; ``files`` are the laboratory's file and journals, or with ``show`` parameter sets."""

    files: list[Path]
    out: Path | None
    lot: str | None
    prior: Path | None
    held_out: list[str]
    date: str
    show: bool


def run(wanted: Wanted) -> tuple[RenderableType, dict[str, Any]]:
    """Return what to print for a person and for machines; with ``out`` a new file is written.

    Raises:
        FileError: something in a file or an option is wrong; then nothing is written.
    """
    if wanted.show:
        if wanted.out is not None:
            raise FileError("command line", [Problem("--out", str(wanted.out), "does not go with --show, which writes nothing")])
        rows = shown.drift([(path, *parameter_set.read(path)) for path in wanted.files])
        return shown.drift_table(rows), {"drift": [row._asdict() for row in rows]}
    try:
        date.fromisoformat(wanted.date)
    except ValueError:
        raise FileError("--date", [Problem("date", wanted.date, "a day as YYYY-MM-DD")]) from None
    if wanted.out is not None and wanted.out.exists():
        raise FileError(str(wanted.out), [Problem("--out", str(wanted.out), "must be a new file: a parameter set is never overwritten")])
    if wanted.out is not None and not (wanted.out.parent.is_dir() and os.access(wanted.out.parent, os.W_OK)):
        raise FileError(str(wanted.out), [Problem("--out", str(wanted.out.parent), "must be a folder that is there and may be written to")])
    lab, *journals = wanted.files
    found = calibrate(lab, journals, wanted.date, lot=wanted.lot, prior_path=wanted.prior, held_out=wanted.held_out)
    said = shown.as_json(found)
    if wanted.out is None:
        return Group(shown.tables(found), Text("nothing written; --out FILE writes the parameter set")), said
    if found.refused:
        unwritten = "nothing is written (without --out all is shown)"
        raise FileError(str(lab), [why._replace(allowed=f"{why.allowed}; {unwritten}") for why in found.refused])
    said["sha256"] = parameter_set.write(found.parameters, wanted.out)
    return Group(shown.tables(found), Text(f"written: {wanted.out}, sha256 {said['sha256']}")), said
