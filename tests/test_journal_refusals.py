"""What is no journal, or no longer one, is refused and the file left as it was."""

import sqlite3
from pathlib import Path

import pytest

from controller.errors import JournalError
from controller.journal.chain import verify
from controller.journal.entry import Entry, entry
from controller.journal.reader import JournalReader
from controller.journal.store import Journal
from tests.journals import tamper, written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_a_second_core_is_refused_while_the_first_lives(path: Path) -> None:
    with Journal(path), pytest.raises(JournalError, match="another core"):
        Journal(path)
    Journal(path).close()


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipe (id)")
    connection.close()


def no_database(path: Path) -> None:
    path.write_bytes(b"these are the minutes of a meeting\n" * 200)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def edited(path: Path) -> None:
    tamper(path, "UPDATE entry SET payload = x'7b7d' WHERE seq = 3")


def beheaded(path: Path) -> None:
    tamper(path, "DELETE FROM entry WHERE seq = 5")


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (newer, "newer version"),
        (foreign, "not a journal"),
        (no_database, "not a database"),
        (cut_short, "malformed"),
        (edited, "entry 3 does not match"),
        (beheaded, "its head says 5"),
    ],
)
def test_a_wrong_file_is_refused_and_left_as_it_was(path: Path, spoil: object, text: str) -> None:
    assert callable(spoil)
    spoil(written(path))
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(JournalError, match=text):
            Journal(path)
    assert path.read_bytes() == before


def test_an_empty_file_left_by_a_power_cut_becomes_a_journal(path: Path) -> None:
    path.touch()
    assert verify(written(path)).count == 5


def test_reading_where_there_is_no_journal_makes_none(path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        JournalReader(path)
    assert not path.exists()


def test_a_kind_that_nobody_knows_is_a_bug() -> None:
    with pytest.raises(ValueError, match="batchstart"):
        entry("batchstart", 0.0, {})
    with Journal(":memory:") as journal, pytest.raises(ValueError, match="batchstart"):
        journal.append([Entry("batchstart", 0.0, b"{}")])
