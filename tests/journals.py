"""Journals for tests: samples of an oven, files with entries, and what somebody with an SQLite shell does to them."""

import sqlite3
from pathlib import Path

from controller.image import OFF, Atmosphere, Estimate, Inputs, Interval, Setpoints, blank
from controller.journal import samples
from controller.journal.entry import Entry, entry
from controller.journal.store import Journal
from controller.tags import Quality, Sample

SETPOINTS = Setpoints(True, 240.0, 1.5, Atmosphere.VACUUM, 10.0, 0.0)
ESTIMATE = Estimate(
    film_min_c=231.5,
    film_max_c=239.25,
    residual_solvent=Interval(0.0325, 0.03, 0.035),
    insoluble=Interval(0.5, 0.25, 0.75),
    p_solvent_ok=0.125,
    p_insoluble_in_window=0.875,
    evolution_kg_h=Interval(0.5, 0.25, 1.0),
    time_to_endpoint_s=None,
    valid=True,
    why_invalid="",
    zones=(),
)


def an_image(at_s: float = 0.0, **values: float) -> Inputs:
    good = {name: Sample(value, Quality.GOOD, at_s) for name, value in values.items()}
    return blank(at_s, 1.0, Quality.ABSENT)._replace(**good)


def a_sample(at_s: float, **values: float) -> Entry:
    return Entry("sample", at_s, samples.pack(an_image(at_s, **values), ESTIMATE, SETPOINTS, OFF, 1))


def a_boot(journal: Journal, columns: tuple[str, ...] = samples.COLUMNS) -> Entry:
    return entry("boot", journal.last_at_s, {"boot": journal.boot, "columns": columns})


def written(path: Path, count: int = 5) -> Path:
    with Journal(path, threaded=False) as journal:
        journal.append([entry("state", float(i), {"from": "IDLE", "to": f"S{i}"}) for i in range(count)])
    return path


def tamper(path: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    """Edit the file as somebody with an SQLite shell would, the guarding triggers out of the way."""
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER IF EXISTS entry_is_never_changed")
    connection.execute("DROP TRIGGER IF EXISTS entry_is_never_deleted")
    for statement in statements:
        connection.execute(statement, values if "?" in statement else ())
    connection.commit()
    connection.close()
