"""A batch whose control recipe was edited: the record judges by what ran, and says that the recipe printed is the one it began with."""

import json
from pathlib import Path

import pytest

from controller.journal.batch import Record, edits, limits_of
from controller.journal.entry import Stored
from controller.journal.report import report
from tests.written_batch import RECIPE, Text, a_batch


def record(recipe, *made_edits):
    """Return a record that holds nothing but its start and ``edits``: part, key, value."""
    made = [("batch_start", {"recipe": recipe}),
            *(("decision", {"what": "EDIT", "phase": part, "key": key, "to": to}) for part, key, to in made_edits)]  # fmt: skip
    entries = [Stored(*(json.dumps(said).encode() if name == "payload" else {"kind": kind}.get(name, 0) for name in Stored._fields))
               for kind, said in made]  # fmt: skip
    return Record(None, "COMPLETE", entries[0], None, {}, tuple(entries), None)


def test_the_limits_of_the_endpoint_are_those_that_were_edited_last():
    found = limits_of(record(RECIPE, ("endpoint", "insoluble_aim_pct", 60.0), (4, "band_c", 9.0), ("endpoint", "insoluble_aim_pct", 65.0)))
    assert (found["insoluble_aim_pct"], found["insoluble_low_pct"]) == (65.0, 40.0)
    assert "band_c" not in found


@pytest.mark.parametrize("text", ["", "not toml [", "endpoint = 3"])
def test_a_text_without_an_endpoint_has_no_limits_whatever_was_edited(text):
    assert limits_of(record(text, ("endpoint", "insoluble_aim_pct", 60.0))) == {}


def test_the_printed_recipe_is_said_to_be_the_one_that_was_started(tmp_path: Path):
    text = Text(report(a_batch(tmp_path / "journal.db"), tmp_path / "report.html").read_text("utf-8")).text
    assert "Recipe as started; how it deviates stands above" in text
    assert "Recipe as run" not in text


def test_an_edit_shows_what_was_changed_and_not_the_whole_recipe(tmp_path: Path):
    text = Text(report(a_batch(tmp_path / "journal.db"), tmp_path / "report.html").read_text("utf-8")).text
    said = text[text.index("EDIT EDIT by emma: wet lot") :]
    assert said.index("key: soak_min") < said.index("to: 75") < 400
    assert "control recipe: {" not in text


def test_an_edit_of_an_older_release_counts_from_1_too():
    was = record(RECIPE, (4, "band_c", 9.0), ("endpoint", "insoluble_aim_pct", 60.0))
    assert [edit["phase"] for edit in edits(was)] == [5, "endpoint"]
    now = json.dumps({"what": "EDIT", "phase": 5, "index": 4}).encode()
    assert [edit["phase"] for edit in edits(was._replace(entries=(was.entries[1]._replace(payload=now),)))] == [5]
