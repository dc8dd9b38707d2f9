"""The journal: what is acknowledged is there, what is changed is found, what is wrong is refused and left alone."""

import math
import os
import signal
import sqlite3
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.errors import JournalError
from controller.estimator.model import POSITIONS
from controller.image import OFF, SIGNALS, Atmosphere, Estimate, Forecast, Inputs, Interval, Setpoints, ZoneEstimate, blank
from controller.journal import samples
from controller.journal.chain import verify
from controller.journal.entry import KINDS, Entry, canonical, entry
from controller.journal.reader import JournalReader
from controller.journal.store import Journal
from controller.journal.table import table
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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def written(path: Path, count: int = 5) -> Path:
    with Journal(path, threaded=False) as journal:
        journal.append([entry("state", float(i), {"from": "IDLE", "to": f"S{i}"}) for i in range(count)])
    return path


# What is written is read


def test_entries_come_back_in_order_with_their_numbers(path: Path) -> None:
    with Journal(path) as journal:
        first = journal.append([entry("state", 1.0, {"to": "RUNNING"}), entry("phase", 1.0, {"kind": "heat"})])
        assert first.result(5) == 2
        assert journal.append([entry("clock", 2.0, {"step_s": 3600.0})]).result(5) == 3
        with journal.reader() as reader:
            found = reader.after(0)
    assert [(one.seq, one.boot, one.kind, one.at_s) for one in found] == [(1, 1, "state", 1.0), (2, 1, "phase", 1.0), (3, 1, "clock", 2.0)]
    assert found[1].fields() == {"kind": "heat"}
    assert verify(path).count == 3


def test_samples_are_written_in_order_with_the_next_durable_entry(path: Path) -> None:
    with Journal(path, sample_delay_s=3600.0) as journal:
        waits = journal.append([a_sample(0.0)], durable=False)
        assert not waits.done()
        journal.append([entry("state", 0.0, {})]).result(5)
        assert waits.result(5) == 1


def test_samples_alone_are_written_when_their_time_has_come(path: Path) -> None:
    with Journal(path, sample_delay_s=0.01) as journal:
        assert journal.append([a_sample(0.0)], durable=False).result(5) == 1


def test_closing_writes_what_is_waiting(path: Path) -> None:
    with Journal(path, sample_delay_s=3600.0) as journal:
        waits = journal.append([a_sample(0.0)], durable=False)
    assert waits.result(0) == 1
    with pytest.raises(JournalError, match="closed"):
        journal.append([a_sample(1.0)]).result(0)


def test_a_restart_goes_on_with_number_boot_and_time(path: Path) -> None:
    written(path, 5)
    with Journal(path) as journal:
        assert (journal.boot, journal.last_at_s) == (2, 4.0)
        assert journal.append([a_boot(journal)]).result(5) == 6
    assert verify(path).first_bad_seq is None


def test_a_future_cannot_be_cancelled_because_the_entry_may_be_written(path: Path) -> None:
    with Journal(path) as journal:
        future = journal.append([entry("state", 0.0, {})])
        assert not future.cancel()
        assert future.result(5) == 1


def test_a_journal_in_memory_is_read_through_itself() -> None:
    with Journal(":memory:") as journal:
        assert journal.append([entry("state", 0.0, {"to": "HELD"})]).result(0) == 1
        assert journal.flush() == 1
        found = journal.reader().last("state")
        assert found is not None
        assert found.fields() == {"to": "HELD"}


def test_a_day_of_samples_is_written_in_virtual_time_within_two_seconds_of_processor_time(path: Path) -> None:
    one = a_sample(0.0, z1_tc_a_c=20.0)
    before_s = os.times()
    with Journal(path, threaded=False) as journal:
        for i in range(86_400):
            journal.append((one._replace(at_s=float(i)),), durable=False)
    after_s = os.times()
    assert after_s.user + after_s.system - before_s.user - before_s.system < 4.0  # 1.4 s alone; the machine may be busy
    assert verify(path).count == 86_400


# A full queue


def test_what_does_not_fit_the_queue_is_counted_and_a_gap_says_so(path: Path) -> None:
    with Journal(path, room=10, sample_delay_s=3600.0) as journal:
        kept = [journal.append([a_sample(float(i))], durable=False) for i in range(10)]
        lost = [journal.append([a_sample(float(i))], durable=False) for i in range(10, 13)]
        decision = journal.append([entry("decision", 13.0, {"what": "hold"})])
        assert decision.result(5) == 12
        assert [one.result(5) for one in kept] == list(range(1, 11))
        with pytest.raises(JournalError, match="full"):
            lost[0].result(5)
        assert journal.dropped == 3
        with journal.reader() as reader:
            gap = reader.after(10)[0]
    assert (gap.seq, gap.kind) == (11, "gap")
    assert gap.fields() == {"from_s": 10.0, "to_s": 12.0, "count": 3, "cause": "the journal's queue was full"}


def test_a_loss_just_before_the_end_is_told_too(path: Path) -> None:
    with Journal(path, room=1, sample_delay_s=3600.0) as journal:
        journal.append([a_sample(0.0)], durable=False)
        journal.append([a_sample(1.0)], durable=False)
    with JournalReader(path) as reader:
        assert [one.kind for one in reader.after(0)] == ["sample", "gap"]


# Refusals: the file is left as it was


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


# A disk that fails

FULL_DISK = """
import resource, sys
from controller.errors import JournalError
from controller.journal.entry import entry
from controller.journal.store import Journal
journal = Journal(sys.argv[1], threaded=sys.argv[2] == "threaded")
journal.append([entry("state", 0.0, {"to": "RUNNING"})])
journal.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
failed = 0
for i in range(20_000):
    try:
        journal.append([entry("state", float(i), {"to": "x" * 50})]).result(5)
    except JournalError as error:
        failed += 1
        assert str(error) == journal.why
        if failed == 3:
            break
assert failed == 3 and not journal.trusted
journal.close()
print(journal.why)
"""


@pytest.mark.parametrize("mode", ["threaded", "direct"])
def test_a_disk_that_takes_no_more_ends_the_trust_and_nothing_else(path: Path, mode: str) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path), mode], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "cannot be written" in done.stdout
    assert verify(path).first_bad_seq is None


# kill -9

ACKNOWLEDGE = """
import sys
from controller.journal.entry import Entry, entry
from controller.journal.store import Journal
journal = Journal(sys.argv[1])
i = 0
while True:
    journal.append([Entry("sample", float(i), b"x" * 500)], durable=False)
    print(journal.append([entry("decision", float(i), {"what": i})]).result(), flush=True)
    i += 1
"""


def test_no_acknowledged_entry_is_lost_when_the_process_is_killed(path: Path) -> None:
    acknowledged = 0
    for kill in range(10):
        with subprocess.Popen([sys.executable, "-c", ACKNOWLEDGE, str(path)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(3 + 7 * kill):
                acknowledged = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().splitlines(keepends=True)
            acknowledged = int(rest[-1]) if rest and rest[-1].endswith("\n") else acknowledged
        found = verify(path)
        assert found.first_bad_seq is None, found.text
        assert found.count >= acknowledged
    with JournalReader(path) as reader:
        assert [one.seq for one in reader.after(0, 100_000)] == list(range(1, found.count + 1))
        last = reader.last("decision")
    assert last is not None
    assert last.boot == 10


# The chain


def tamper(path: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    """Edit the file as somebody with an SQLite shell would, the guarding triggers out of the way."""
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER IF EXISTS entry_is_never_changed")
    connection.execute("DROP TRIGGER IF EXISTS entry_is_never_deleted")
    for statement in statements:
        connection.execute(statement, values if "?" in statement else ())
    connection.commit()
    connection.close()


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
    @settings(max_examples=40, deadline=None)
    def holds(entries: list[tuple[str, float, bytes]]) -> None:
        path = tmp_path_factory.mktemp("chain") / "journal.db"
        with Journal(path, threaded=False) as journal:
            journal.append([Entry(*one) for one in entries])
        assert (verify(path).count, verify(path).first_bad_seq) == (len(entries), None)

    holds()


FIELDS = {"boot": int, "kind": str, "at_s": float, "wall_ns": int, "payload": bytes, "hash": bytes}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


# Payloads


def test_a_number_that_is_not_finite_is_no_value() -> None:
    assert canonical({"b": math.nan, "a": [1.5, (math.inf, {"x": -math.inf})]}) == b'{"a":[1.5,[null,{"x":null}]],"b":null}'


def test_a_payload_that_is_no_json_object_has_no_fields(path: Path) -> None:
    with Journal(path, threaded=False) as journal:
        journal.append([Entry("state", 0.0, payload) for payload in (b"\xff", b"[1]", b"[" * 100_000)])
    with JournalReader(path) as reader:
        assert [one.fields() for one in reader.after(0)] == [{}, {}, {}]


def test_a_sample_keeps_values_qualities_and_what_was_wanted() -> None:
    image = an_image(7.0, z1_tc_a_c=239.5, z1_contactor=True, echo_crc=0xFFFF_FFFE)._replace(o2_pct=Sample(None, Quality.BAD_SENSOR, 7.0))
    outputs = OFF._replace(zone_sp_c=(240.0, 241.0, 242.0), phase_index=3, soak_s=12.5)
    payload = samples.pack(image, ESTIMATE, SETPOINTS, outputs, 4)
    values = samples.unpack(payload)
    expected = {
        "z1_tc_a_c": 239.5,
        "z1_contactor": 1.0,
        "echo_crc": 0xFFFF_FFFE,
        "sp_temp_c": 240.0,
        "z3_sp_c": 242.0,
        "film_max_c": 239.25,
        "residual_solvent_high": pytest.approx(0.035),
        "insoluble_low": 0.25,
        "evolution_kg_h": 0.5,
        "p_insoluble_in_window": 0.875,
        "est_valid": 1.0,
        "unit_state": 4.0,
        "phase_index": 3.0,
        "soak_s": 12.5,
    }
    assert {name: values[name] for name in expected} == expected
    assert math.isnan(values["o2_pct"])
    assert math.isnan(values["time_to_endpoint_s"])
    qualities = samples.unpack_qualities(payload)
    assert (qualities["z1_tc_a_c"], qualities["o2_pct"], qualities["z2_limit_c"]) == (Quality.GOOD, Quality.BAD_SENSOR, Quality.ABSENT)
    assert len(qualities) == len(SIGNALS)


def test_every_signal_and_every_extra_has_a_column_and_a_unit() -> None:
    assert sorted(samples.COLUMNS) == sorted([*SIGNALS, *samples.EXTRA])
    assert (samples.unit_of("z1_tc_a_c"), samples.unit_of("evolution_kg_h")) == ("degC", "kg/h")


def test_a_sample_keeps_what_is_believed_of_each_position_whatever_their_order() -> None:
    zones = [
        ZoneEstimate(name, 200.0 + i, Interval(i / 64, i / 128, i / 32), Interval(0.5, 0.25, 0.75)) for i, name in enumerate(POSITIONS)
    ]
    believed = ESTIMATE._replace(zones=tuple(reversed(zones)), blister=0.625, floor_mbar=12.5, evolution_kg_h=Interval(0.5, 0.25, 2.0))
    values = samples.unpack(samples.pack(an_image(7.0), believed, SETPOINTS, OFF, 1))
    for i, name in enumerate(POSITIONS):
        found = [values[column] for column in (f"film_{name}_c", *(f"residual_{name}{end}" for end in ("", "_low", "_high")))]
        assert found == [200.0 + i, i / 64, i / 128, i / 32]
        assert [values[f"insoluble_{name}{end}"] for end in ("", "_low", "_high")] == [0.5, 0.25, 0.75]
    assert (values["blister"], values["floor_mbar"]) == (0.625, 12.5)
    assert [values[f"evolution{end}_kg_h"] for end in ("", "_low", "_high")] == [0.5, 0.25, 2.0]


def test_a_position_that_was_not_estimated_has_no_value() -> None:
    values = samples.unpack(samples.pack(an_image(), ESTIMATE._replace(zones=()), SETPOINTS, OFF, 1))
    assert all(math.isnan(values[name]) for name in samples.COLUMNS if name.endswith(POSITIONS))


def test_the_time_to_the_finish_counts_down_from_the_forecast() -> None:
    forecast = Forecast(100.0, Interval(500.0, 30.0, 900.0), None, 0.5, (), (), (), ())
    for at_s, expected in ((100.0, [500.0, 30.0, 900.0]), (160.0, [440.0, 0.0, 840.0])):
        values = samples.unpack(samples.pack(an_image(at_s), ESTIMATE._replace(forecast=forecast), SETPOINTS, OFF, 1))
        assert [values[f"time_to_finish{end}_s"] for end in ("", "_low", "_high")] == expected
    values = samples.unpack(samples.pack(an_image(), ESTIMATE, SETPOINTS, OFF, 1))
    assert math.isnan(values["time_to_finish_s"])


def test_the_positions_are_those_of_the_estimator() -> None:
    assert samples.POSITIONS == POSITIONS


def test_a_number_too_large_for_the_record_is_infinite_and_stops_nothing() -> None:
    payload = samples.pack(an_image(), ESTIMATE._replace(film_max_c=-1e300), SETPOINTS, OFF, 0)
    assert samples.unpack(payload)["film_max_c"] == -math.inf


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x09" + a_sample(0.0).payload[1:], a_sample(0.0).payload[:-1]])
def test_a_sample_that_does_not_fit_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="sample"):
        samples.unpack(payload)


# Readers


def test_a_reader_sees_what_is_committed_while_the_writer_goes_on(path: Path) -> None:
    with Journal(path) as journal, journal.reader() as reader:
        for i in range(1, 20):
            journal.append([entry("state", float(i), {})]).result(5)
            assert reader.last_seq() == i


def test_entries_are_found_by_kind_and_page(path: Path) -> None:
    with Journal(path, threaded=False) as journal:
        for i in range(50):
            journal.append([a_sample(i), entry("phase", i, {"index": i}), entry("alarm", i, {"rule": "I7"})])
    with JournalReader(path) as reader:
        assert [one.seq for one in reader.after(0, 3)] == [1, 2, 3]
        assert [one.seq for one in reader.after(3, 4, ("alarm", "phase"))] == [5, 6, 8, 9]
        assert [one.seq for one in reader.after(0, 3, ("sample", "phase"))] == [1, 2, 4]
        assert [one.seq for one in reader.after(0, 3, ("gap",))] == []
        assert [one.seq for one in reader.between(4, 9, ("phase",))] == [5, 8]
        last = reader.last("sample")
    assert last is not None
    assert last.seq == 148


def test_batches_are_listed_with_where_they_stand(path: Path) -> None:
    with Journal(path, threaded=False) as journal:
        for kind, fields in (
            ("batch_start", {"batch_id": 7}),
            ("batch_end", {"batch_id": 7, "result": "ABORTED"}),
            ("state", {}),
            ("batch_start", {"batch_id": 8}),
        ):
            journal.append([entry(kind, 0.0, fields)])
    with JournalReader(path) as reader:
        assert reader.batches() == [("7", 1, 2, "ABORTED"), ("8", 4, None, "")]


def test_the_answer_to_a_command_is_found_by_its_id(path: Path) -> None:
    with Journal(path, threaded=False) as journal:
        journal.append([entry("command", 0.0, {"id": "a1", "accepted": False, "answer": "the door is open", "args": {"id": "b2"}})])
    with JournalReader(path) as reader:
        assert reader.outcome_of("a1") == (1, False, "the door is open")
        assert reader.outcome_of("b2") is None


# Tables


def test_thinning_keeps_every_peak(path: Path) -> None:
    with Journal(path, threaded=False) as journal:
        journal.append([a_boot(journal)])
        journal.append([a_sample(i, z1_tc_a_c=400.0 if i == 4321 else -20.0 if i == 77 else 100.0 + i / 100) for i in range(6000)])
    with JournalReader(path) as reader:
        found = table(reader, 1, reader.last_seq(), ("z1_tc_a_c", "insoluble", "z2_tc_a_c"), max_points=500)
    values = found.columns["z1_tc_a_c"]
    assert len(found.at_s) == len(values) == 500
    assert (values.max(), values.min()) == (400.0, -20.0)
    assert found.at_s[values.argmax()] == pytest.approx(4321, abs=24)
    assert np.all(np.diff(found.at_s) > 0)
    assert np.all(found.columns["insoluble"] == 0.5)
    assert np.all(np.isnan(found.columns["z2_tc_a_c"]))


@pytest.mark.parametrize("max_points", [50, 5000])
def test_a_hole_in_the_samples_stays_a_hole(path: Path, max_points: int) -> None:
    with Journal(path, threaded=False) as journal:
        journal.append([a_sample(i, z1_tc_a_c=100.0) for i in (*range(100), *range(500, 600))])
    with JournalReader(path) as reader:
        found = table(reader, 1, reader.last_seq(), ("z1_tc_a_c",), max_points)
    missing = found.at_s[np.isnan(found.columns["z1_tc_a_c"])]
    assert len(missing) > 0
    assert missing.min() > 98
    assert missing.max() < 510


def test_an_old_journal_is_read_by_the_names_in_its_boot_entry(path: Path) -> None:
    old = (*samples.WORDS, "z1_tc_a_c", "retired_c")
    payload = bytes([1, len(samples.WORDS), 0]) + np.zeros(len(samples.WORDS), "<f8").tobytes() + np.array([55.5, 66.5], "<f4").tobytes()
    with Journal(path, threaded=False) as journal:
        journal.append([a_boot(journal, old), Entry("sample", 0.0, payload)])
    with Journal(path, threaded=False) as journal:
        journal.append([a_boot(journal), a_sample(1.0, z1_tc_a_c=99.5)])
    with JournalReader(path) as reader:
        found = table(reader, 1, 4, ("z1_tc_a_c", "retired_c", "insoluble"))
    assert found.columns["z1_tc_a_c"].tolist() == [55.5, 99.5]
    np.testing.assert_array_equal(found.columns["retired_c"], [66.5, np.nan])
    np.testing.assert_array_equal(found.columns["insoluble"], [np.nan, 0.5])
