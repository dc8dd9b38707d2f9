"""The commands mailbox: the gateway asks, the core reads and never waits."""

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from controller.journal.mailbox import ARGS_MAX, MALFORMED, Mailbox, MailboxError, heartbeat, post


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mailbox.db"


@pytest.fixture
def mailbox(path: Path):
    box = Mailbox(path)
    yield box
    box.close()


def test_a_command_is_read_as_it_was_posted(path: Path, mailbox: Mailbox) -> None:
    name = post(path, "anna", "start", {"recipe": "µ", "steps": [1, 2.5]}, expected_state="IDLE", max_age_s=5)
    (row,) = mailbox.take(0)
    assert (row.id, row.user, row.verb, row.args, row.expected_state, row.max_age_s) == (
        name,
        "anna",
        "start",
        {"recipe": "µ", "steps": [1, 2.5]},
        "IDLE",
        5.0,
    )
    assert mailbox.take(row.row) == []


def test_commands_come_in_order_and_a_few_at_a_time(path: Path, mailbox: Mailbox) -> None:
    names = [post(path, "anna", "hold") for _ in range(20)]
    seen, after_row = [], 0
    while rows := mailbox.take(after_row):
        assert len(rows) <= 8
        after_row = rows[-1].row
        seen += [row.id for row in rows]
    assert seen == names


def test_a_double_click_is_one_command(path: Path, mailbox: Mailbox) -> None:
    assert post(path, "anna", "abort", command_id="c-1") == post(path, "anna", "abort", command_id="c-1") == "c-1"
    assert len(mailbox.take(0)) == 1


def test_many_may_post_at_once(path: Path, mailbox: Mailbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda i: post(path, f"user {i}", "hold"), range(40)))
    assert {row.id for row in mailbox.take(0, 100)} == set(names)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"user": ""}, "user: 1 to 128"),
        ({"user": "a\nb"}, "user: 1 to 128"),
        ({"verb": "v" * 129}, "verb: 1 to 128"),
        ({"expected_state": "s" * 129}, "expected_state"),
        ({"command_id": "i" * 129}, "id: 1 to 128"),
        ({"max_age_s": 0.0}, "max_age_s"),
        ({"max_age_s": float("nan")}, "max_age_s"),
        ({"args": {"recipe": "x" * ARGS_MAX}}, "at most 1000000"),
        ({"args": {"temp_c": float("nan")}}, "finite"),
        ({"args": {"temp_c": object()}}, "JSON"),
    ],
)
def test_what_is_out_of_bounds_is_refused_with_what_is_allowed(path: Path, fields: dict, text: str) -> None:
    with pytest.raises(MailboxError, match=text):
        post(path, **{"user": "anna", "verb": "start"} | fields)


def test_a_flood_is_refused(path: Path, mailbox: Mailbox) -> None:
    for _ in range(200):
        post(path, "anna", "hold")
    with pytest.raises(MailboxError, match="200 in 10 s"):
        post(path, "anna", "hold")


def test_without_a_mailbox_there_are_no_commands_and_none_is_made(path: Path, mailbox: Mailbox) -> None:
    assert mailbox.take(0) == []
    assert mailbox.last_heartbeat("gateway") is None
    assert not path.exists()
    assert mailbox.failures == 0


def test_a_locked_mailbox_costs_the_core_no_time_and_is_counted(path: Path, mailbox: Mailbox) -> None:
    post(path, "anna", "hold")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN EXCLUSIVE")
    assert mailbox.take(0) == []
    assert mailbox.failures == 1
    other.execute("ROLLBACK")
    other.close()
    assert len(mailbox.take(0)) == 1


def test_somebody_writing_does_not_keep_the_core_from_reading(path: Path, mailbox: Mailbox) -> None:
    post(path, "anna", "hold")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert len(mailbox.take(0)) == 1
    other.close()


def test_a_damaged_mailbox_is_no_command_and_is_counted(path: Path, mailbox: Mailbox) -> None:
    path.write_bytes(b"no database " * 1000)
    assert mailbox.take(0) == []
    assert mailbox.failures == 1
    with pytest.raises(MailboxError, match="cannot be written"):
        post(path, "anna", "hold")


def test_a_mailbox_made_again_is_read_and_its_rows_are_newer(path: Path, mailbox: Mailbox) -> None:
    post(path, "anna", "hold")
    seen = mailbox.take(0)[-1].row
    for file in path.parent.glob("mailbox.db*"):
        file.unlink()
    name = post(path, "anna", "restart")
    (row,) = mailbox.take(seen - 1)[-1:]
    assert row.id == name
    assert row.row >= seen


@pytest.mark.parametrize("args", ["no json", "[1]", "[" * 50_000, '{"a": "' + "x" * ARGS_MAX + '"}'])
def test_a_row_that_was_forged_is_shown_as_malformed(path: Path, mailbox: Mailbox, args: str) -> None:
    post(path, "anna", "hold")
    with sqlite3.connect(path) as other:
        other.execute("UPDATE command SET args = ?", (args,))
    other.close()
    (row,) = mailbox.take(0)
    assert (row.verb, row.args) == (MALFORMED, {})


def test_a_sign_of_life_is_seen(path: Path, mailbox: Mailbox) -> None:
    heartbeat(path, "gateway")
    first = mailbox.last_heartbeat("gateway")
    heartbeat(path, "gateway")
    second = mailbox.last_heartbeat("gateway")
    assert first is not None
    assert second is not None
    assert second > first
    assert mailbox.last_heartbeat("somebody else") is None


@pytest.mark.parametrize(("folder", "expected"), [(0o2770, 0o660), (0o750, 0o640)])
def test_the_group_may_write_a_mailbox_in_a_folder_that_it_may_write(path: Path, mailbox: Mailbox, folder: int, expected: int) -> None:
    path.parent.chmod(folder)
    was = os.umask(0o027)
    try:
        post(path, "anna", "START")
        assert len(mailbox.take(0)) == 1  # with the log and the shared memory open
        found = {file.name.removeprefix(path.name): file.stat().st_mode & 0o777 for file in path.parent.glob("mailbox.db*")}
    finally:
        os.umask(was)
    assert found == dict.fromkeys(("", "-wal", "-shm"), expected)


HAMMER = """
import sys, threading
from pathlib import Path
from controller.journal.mailbox import Mailbox, heartbeat

path, rounds = Path(sys.argv[1]), 3000
heartbeat(path, "gateway")
mailbox = Mailbox(path)
done = threading.Event()

def look(call):
    while not done.is_set():
        call()

looking = [threading.Thread(target=look, args=(call,)) for call in (lambda: mailbox.take(0), lambda: mailbox.last_heartbeat("gateway"))]
for one in looking:
    one.start()
for _ in range(rounds):
    mailbox.close()  # as a mailbox that is made again is closed
done.set()
for one in looking:
    one.join()
print(mailbox.failures, mailbox.last_heartbeat("gateway") is not None)
"""


def test_two_threads_read_while_the_mailbox_is_opened_again(path: Path) -> None:
    """Commands and signs of life are read from different threads; a connection closed under one of them kills the interpreter."""
    done = subprocess.run([sys.executable, "-c", HAMMER, str(path)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "0 True\n"), done.stderr
