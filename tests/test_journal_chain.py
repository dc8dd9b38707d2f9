"""The hash chain: whatever is changed in the file is found."""

import math
import sqlite3
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.errors import JournalError
from controller.journal.chain import verify
from controller.journal.entry import KINDS, Entry
from controller.journal.reader import JournalReader
from controller.journal.store import Journal
from tests.journals import tamper, written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_the_chain_can_be_verified_by_its_description_alone(path: Path) -> None:
    written(path, 3)
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT * FROM entry ORDER BY seq").fetchall()
    connection.close()
    previous = b"\0" * 32
    for seq, boot, kind, at_s, wall_ns, payload, digest in rows:
        fixed = seq.to_bytes(8, "big") + boot.to_bytes(4, "big") + np.array(at_s, ">f8").tobytes() + wall_ns.to_bytes(8, "big")
        text = len(kind).to_bytes(2, "big") + kind.encode() + len(payload).to_bytes(4, "big") + payload
        previous = sha256(previous + fixed + text).digest()
        assert digest == previous


def test_the_file_itself_refuses_to_change_an_entry(path: Path) -> None:
    connection = sqlite3.connect(written(path))
    for statement in ("UPDATE entry SET at_s = 1 WHERE seq = 2", "DELETE FROM entry WHERE seq = 2"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    connection.close()


def test_at_any_time_and_with_any_payload_the_chain_holds(tmp_path_factory: pytest.TempPathFactory) -> None:
    @given(
        st.lists(
            st.tuples(st.sampled_from(sorted(KINDS)), st.floats(allow_nan=False, allow_infinity=False), st.binary(max_size=40)), max_size=20
        )
    )
    @settings(max_examples=40)
    def holds(entries: list[tuple[str, float, bytes]]) -> None:
        path = tmp_path_factory.mktemp("chain") / "journal.db"
        with Journal(path, threaded=False) as journal:
            journal.append([Entry(*one) for one in entries])
        assert (verify(path).count, verify(path).first_bad_seq) == (len(entries), None)

    holds()


FIELDS = {"boot": int, "kind": str, "at_s": float, "wall_ns": int, "payload": bytes, "hash": bytes}


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seq=st.integers(1, 9), field=st.sampled_from(sorted(FIELDS)), place=st.integers(0, 200), bit=st.integers(0, 7))
def test_any_bit_changed_in_any_field_is_found(tmp_path: Path, seq: int, field: str, place: int, bit: int) -> None:
    path = a_copy(tmp_path)
    connection = sqlite3.connect(path)
    value = connection.execute(f"SELECT {field} FROM entry WHERE seq = ?", (seq,)).fetchone()[0]
    connection.close()
    tamper(path, f"UPDATE entry SET {field} = ? WHERE seq = {seq}", values=(changed(value, place, bit),))
    found = verify(path)
    assert found.first_bad_seq == seq
    with pytest.raises(JournalError, match="does not verify"):
        Journal(path)


def changed(value: object, place: int, bit: int) -> object:
    if isinstance(value, int):
        return value ^ 1 << (place % 31)
    if isinstance(value, float):
        return math.nextafter(value, math.inf)
    raw = bytearray(value.encode() if isinstance(value, str) else bytes(value))  # type: ignore[call-overload]
    raw[place % len(raw)] ^= 1 << (bit % 5 if isinstance(value, str) else bit)
    return raw.decode() if isinstance(value, str) else bytes(raw)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(1, 9), second=st.integers(1, 9), moved=st.booleans())
def test_any_row_removed_or_exchanged_is_found(tmp_path: Path, first: int, second: int, moved: bool) -> None:
    path = a_copy(tmp_path)
    if moved and first != second:
        swap = (f"UPDATE entry SET seq = {a} WHERE seq = {b}" for a, b in ((-1, first), (first, second), (second, -1)))
        tamper(path, *swap)
        bad = min(first, second)
    else:
        tamper(path, f"DELETE FROM entry WHERE seq = {first}")
        bad = first
    assert verify(path).first_bad_seq == bad


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_byte_flipped_anywhere_in_the_file_is_found_or_changes_no_entry(tmp_path: Path, place: float, flip: int) -> None:
    path = a_copy(tmp_path)
    with JournalReader(path) as reader:
        before = reader.after(0)
    raw = bytearray(path.read_bytes())
    raw[int(place * len(raw))] ^= flip
    path.write_bytes(raw)
    try:
        found = verify(path)
        with JournalReader(path) as reader:
            after = reader.after(0)
    except JournalError:
        return
    assert found.first_bad_seq is not None or after == before


def test_rows_added_behind_the_head_are_found(path: Path) -> None:
    other = written(path.with_name("other.db"), 6)
    written(path, 5)
    connection = sqlite3.connect(other)
    row = connection.execute("SELECT * FROM entry WHERE seq = 6").fetchone()
    connection.close()
    tamper(path, "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", values=row)
    assert verify(path).first_bad_seq == 6


def a_copy(tmp_path: Path) -> Path:
    original, path = tmp_path / "original.db", tmp_path / "journal.db"
    if not original.exists():
        written(original, 9)
    for stale in tmp_path.glob("journal.db*"):
        stale.unlink()
    path.write_bytes(original.read_bytes())
    return path
