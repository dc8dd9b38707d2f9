"""The core killed with -9 again and again, in short; `ovensim kills` is the long version. And what its checks must find."""

import json
from pathlib import Path

import pytest

from controller.block import PlcState
from controller.journal import breaks
from controller.journal.entry import Stored, entry
from controller.journal.store import Journal
from sim import aftermath, kills, kills_site

ROOT = Path(__file__).parents[1]
TRIAL, SAMPLE = ROOT / "recipes" / "trial-short.toml", ROOT / "recipes" / "loads" / "sample-roll.toml"
RATE = 20.0


@pytest.mark.slow
async def test_three_kills_leave_no_gap_in_the_journal_no_command_unanswered_and_the_plc_safe(tmp_path):
    asked = kills_site.Kills(runs=3, seed=7, recipe=TRIAL, load=SAMPLE, folder=tmp_path, every_s=1.0, rate=RATE, to_end=False)
    found = await kills.run(asked)
    assert found.violations == []
    assert (found.kills, found.state, found.unsafe) == (3, "ABORTED", [])
    assert found.safe_trips >= 2  # every silence of a start is longer than the PLC's watchdog
    assert sum(found.figures.decisions.values()) >= 2


def stored(rows):
    """Entries of a journal from (boot, kind, at_s, fields), on a wall clock that agrees with process time at RATE."""
    return [
        Stored(seq, boot, kind, at_s, int(at_s / RATE * 1e9), json.dumps(fields).encode(), b"")
        for seq, (boot, kind, at_s, fields) in enumerate(rows, start=1)
    ]


def killed_once(**changed):
    """A journal in order: a batch runs, the core is killed at 12.5 s, comes back at 80 s and decides at 84 s."""
    rows = {
        "boot": (1, "boot", 0.0, {"outage_s": None}),
        "state": (1, "state", 9.0, {"from": "IDLE", "to": "RUNNING"}),
        "command": (1, "command", 9.0, {"id": "start"}),
        "intent": (1, "intent", 10.0, {"number": 1, "changes": {"pump": [False, True], "roots": [False, True]}}),
        "outcome": (1, "outcome", 11.0, {"number": 1, "output": "pump", "why": ""}),
        "sample": (1, "sample", 12.0, {}),
        "boot2": (2, "boot", 80.0, {"outage_s": 68.0}),
        "gap": (2, "gap", 80.1, {"from_s": 12.0, "to_s": 80.1}),
        "abandoned": (2, "outcome", 80.1, {"number": 1, "output": "roots", "why": breaks.WHY}),
        "held": (2, "state", 80.1, {"from": "RUNNING", "to": "HELD"}),
        "sample2": (2, "sample", 81.5, {}),
        "decision": (2, "decision", 84.0, {"what": "power-fail recovery", "plan": "HOLD"}),
        "sample3": (2, "sample", 120.0, {}),
    } | changed
    return stored([row for row in rows.values() if row is not None])


def check(entries, kill_s=12.5):
    kill_ns = int(kill_s / RATE * 1e9)
    return aftermath.check(entries, ["start"], [kill_ns], [kill_ns - 1], RATE)


def test_a_journal_in_order_has_no_violation():
    figures, wrong = check(killed_once())
    assert wrong == []
    assert (figures.boots, figures.gaps, figures.decisions, figures.abandoned) == (2, 1, {"HOLD": 1}, 1)
    assert figures.slowest_decision_s == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"gap": None}, "without samples"),
        ({"gap": (2, "gap", 80.1, {"from_s": 30.0, "to_s": 80.1})}, "without samples"),
        ({"abandoned": None}, "intent 1 (roots): no outcome"),
        ({"outcome": (1, "outcome", 11.0, {"number": 2, "output": "pump", "why": ""})}, "waits for none"),
        ({"held": (2, "state", 80.1, {"from": "IDLE", "to": "HELD"})}, "the unit moves from IDLE, it was RUNNING"),
        ({"command": None}, "command start: 0 answers"),
        ({"twice": (2, "command", 120.0, {"id": "start"})}, "command start: 2 answers"),
        ({"stranger": (2, "command", 120.0, {"id": "other"})}, "never posted"),
        ({"again": (2, "intent", 120.0, {"number": 1, "changes": {}})}, "intent 1 follows intent 1"),
        ({"decision": None}, "resume decision none"),
        ({"decision": (2, "decision", 91.0, {"what": "power-fail recovery", "plan": "HOLD"})}, "resume decision after 11.0 s"),
        ({"boot2": (3, "boot", 80.0, {"outage_s": 68.0})}, "start 3 follows start 1"),
        ({"sample3": (2, "sample", 60.0, {})}, "process time runs back"),
    ],
)
def test_what_is_missing_after_a_kill_is_found(changed, said):
    _, wrong = check(killed_once(**changed))
    assert any(said in line for line in wrong), wrong


def test_an_entry_that_is_missing_in_the_middle_is_found():
    entries = killed_once()
    assert "entry 6 is missing, 7 follows" in check(entries[:5] + entries[6:])[1]


def test_more_than_a_second_on_the_wall_that_never_reached_the_disk_is_found():
    assert any("not in the journal" in line for line in check(killed_once(), kill_s=12.0 + 1.3 * RATE)[1])


def test_a_start_that_was_killed_before_it_could_decide_owes_no_decision():
    entries = killed_once(decision=None, sample3=None)
    kills_ns = [int(12.5 / RATE * 1e9), int(88.0 / RATE * 1e9)]
    assert aftermath.check(entries, ["start"], kills_ns, [], RATE)[1] == []


def test_the_watch_over_the_plc_finds_one_that_does_not_go_safe_and_one_that_still_heats():
    watch = kills_site.PlcWatch()
    for alive in range(1, 12):
        watch.look(PlcState.FOLLOWING, alive, (1, 5), True)
    assert any("FOLLOWING after 8 scans" in line for line in watch.wrong)
    assert any("main contactor closed" in line for line in watch.wrong)
    calm = kills_site.PlcWatch()
    for alive in range(1, 40):
        calm.look(PlcState.FOLLOWING if alive < 6 else PlcState.WATCHDOG_SAFE, alive, (1, 5), False)
    assert (calm.wrong, calm.safe_trips) == ([], 1)


def test_an_actuation_that_a_kill_cut_off_gets_an_outcome_and_starts_that_never_scanned_do_not_shorten_the_outage(tmp_path):
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        journal.append([
            entry("boot", 0.0, {"outage_s": None}),
            entry("intent", 10.0, {"number": 4, "changes": {"pump": [False, True], "roots": [False, True]}}),
            entry("outcome", 11.0, {"number": 4, "output": "pump", "ok": True, "after_s": 1.0, "why": ""}),
        ]).result()  # fmt: skip
    for at_s in (50.0, 90.0):  # two starts that died at once
        with Journal(path) as journal:
            journal.append([entry("boot", at_s, {"outage_s": 40.0})]).result()
    with Journal(path) as journal, journal.reader() as reader:
        broken = breaks.found(reader)
    assert (broken.from_s, broken.known, broken.intent) == (11.0, True, 4)
    assert broken.open == (breaks.Open(4, "roots", 10.0),)
    (outcome,) = broken.abandoned(130.0)
    assert json.loads(outcome.payload) == {"number": 4, "output": "roots", "ok": False, "after_s": 120.0, "why": breaks.WHY}


def test_a_start_that_could_not_tell_the_outage_makes_the_whole_of_it_unknown(tmp_path):
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        journal.append([entry("boot", 0.0, {"outage_s": None}), entry("shutdown", 5.0, {"why": ""})]).result()
    with Journal(path) as journal:
        journal.append([entry("boot", 50.0, {"outage_s": None})]).result()
    with Journal(path) as journal, journal.reader() as reader:
        assert breaks.found(reader)._replace(open=()) == breaks.Break(5.0, known=False)


def test_a_new_journal_breaks_off_nowhere(tmp_path):
    with Journal(tmp_path / "journal.sqlite") as journal, journal.reader() as reader:
        assert breaks.found(reader) == breaks.Break()
