"""The proof test before a batch on the soft PLC, what catches it, what spoils it; and the schedule of periodic proof tests."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from controller import wiring as wirings
from controller.block import PlcState
from controller.command import Command, Start
from controller.journal import prooftests
from controller.journal.entry import entry
from controller.journal.store import Journal
from controller.memory import Memory, Settings
from controller.power_return import power_return
from controller.prooftest import ProofTest, ProofTestSettings, objection
from controller.prooftest.devices import BY_NAME
from controller.prooftest.run import SILENCE, STAGES
from controller.recipe.reading import read_load, read_recipe
from controller.recipe.states import UnitState, Verb
from controller.roles import Role
from controller.scan import scan
from sim import bench
from sim.softplc import Settings as PlcSettings
from tests.images import image

ROOT = Path(__file__).parents[1]
SOURCED = read_recipe(ROOT / "recipes" / "trial-short.toml")
LOAD = read_load(ROOT / "recipes" / "loads" / "sample-roll.toml")
WIRING = wirings.load(bench.default_wiring())
START = Start(SOURCED.recipe, SOURCED.sha256, SOURCED.text, LOAD)
SITE = Settings(proof_test=ProofTestSettings(required=True))


def oven(scan_s=1.0):
    rig = bench.rig(SITE, WIRING, LOAD, 1, scan_s)
    for _ in range(12):
        rig.step()
    return rig


def ask(rig, verb, start=None, role=Role.ENGINEER, **args):
    """Give one command and return what it was answered."""
    rig.commands.append(Command(f"{verb}-{rig.counter}", "anna", verb, None, rig.counter, start, args=args, role=role))
    rig.step()
    return bench.answers(rig)[-1]


def failed(test):
    return {found.check for found in test.failures}


@pytest.mark.parametrize("scan_s", [0.2, 1.0, 2.0])
def test_a_healthy_oven_passes_every_stage_within_two_minutes_and_without_an_unsafe_state(scan_s):
    rig = oven(scan_s)
    began_s = rig.at_s
    test = rig.prove()
    assert test.passed_at_s == pytest.approx(rig.at_s)
    assert rig.at_s - began_s < 120
    assert (test.failures, test.spoiled, rig.unsafe) == ((), "", [])
    assert {found.check for found in test.findings} >= set(STAGES) - {"sensors"}
    assert rig.memory.unit.state is UnitState.IDLE


def test_the_plc_is_seen_to_act_by_its_own_timer_and_is_followed_again():
    rig = oven()
    ask(rig, Verb.PROOF_TEST)
    silent, states = 0.0, []
    while rig.memory.proof_test.stage:
        rig.step()
        silent = max(silent, rig.plc.silent_s)
        states.append(rig.plc.state)
    assert 4.0 <= silent <= 6.0  # seen after the controller has written again: one scan less than the 5 s
    assert PlcState.WATCHDOG_SAFE in states
    assert rig.plc.state is PlcState.IDLE


def test_a_plc_that_had_not_followed_has_not_shown_its_watchdog():
    """It stands in its safe state before the blocks stop: that tells nothing of its own timer."""
    rig = oven()
    ask(rig, Verb.PROOF_TEST)
    while rig.memory.proof_test.stage != SILENCE:
        rig.step()
    rig.plc.block_at_s -= 60.0  # as if no block had come for a minute
    while rig.memory.proof_test.stage:
        rig.step()
    (found,) = [one for one in rig.memory.proof_test.findings if one.check == SILENCE]
    assert not found.ok
    assert "had not followed" in found.text
    assert rig.memory.proof_test.passed_at_s is None


def test_a_start_needs_a_passed_proof_test_and_uses_it_up():
    rig = oven()
    assert "no valid proof test: none was made since the core started" in ask(rig, Verb.START, START)["answer"]
    rig.prove()
    answer = ask(rig, Verb.START, START)
    assert answer["accepted"], answer["answer"]
    assert rig.memory.proof_test.spoiled == "the last one was for batch 1"


def test_a_start_while_the_proof_test_runs_is_refused_and_the_unit_stays_idle():
    rig = oven()
    ask(rig, Verb.PROOF_TEST)
    assert "one is being made" in ask(rig, Verb.START, START)["answer"]
    assert rig.record.waiting.startswith("proof test: ")
    assert rig.memory.unit.state is UnitState.IDLE


def test_a_site_may_do_without_but_not_start_in_the_middle_of_one():
    bare = ProofTestSettings(required=False)
    assert objection(bare, ProofTest(), 0.0, 1) == ""
    assert objection(bare, ProofTest(stage=STAGES[0], spoiled="one is being made"), 0.0, 1) != ""


# what is wrong with the oven -> the check that must find it
def off_watchdog(rig):
    rig.plc.settings = replace(rig.plc.settings, watchdog_enabled=False)


def dead_watchdog(rig):
    rig.plc.faults.watchdog_dead = True


def slow_watchdog(rig):
    rig.plc.settings = PlcSettings(watchdog_s=30.0)


def distorted(name, value):
    def make(rig):
        rig.plc.plant.instruments.distortions[name] = lambda was, at_s: value(was)

    return make


WRONG = [
    (off_watchdog, "watchdog"),
    (dead_watchdog, "watchdog"),
    (slow_watchdog, "watchdog"),
    (distorted("z2_tc_b_c", lambda was: was + 8.0), "zone 2 thermocouples"),
    (distorted("z3_limit_c", lambda was: was - 8.0), "zone 3 thermocouples"),
    (distorted("z1_tc_a_c", lambda was: float("nan")), "zone 1 thermocouples"),
    (distorted("load_core_c", lambda was: was - 30.0), "zones and load"),
    (distorted("o2_pct", lambda was: 19.0), "O2 span"),
    (distorted("o2_ready", lambda was: False), "O2 span"),
    (distorted("pressure_pirani_mbar", lambda was: 3.0), "pressure gauges"),
    (distorted("main_contactor", lambda was: True), "heater-enable chain"),
    (distorted("n2_valve_open", lambda was: False), "n2_valve opens"),
    (distorted("vent_valve_closed", lambda was: False), "vent_valve closes"),
    (distorted("n2_header_bar", lambda was: 1.0), "N2 supply"),
]


@pytest.mark.parametrize(("make", "check"), WRONG, ids=[f"{check}-{number}" for number, (_, check) in enumerate(WRONG)])
def test_what_is_wrong_is_found_and_no_batch_starts(make, check):
    rig = oven()
    make(rig)
    test = rig.prove()
    assert test.passed_at_s is None
    assert check in failed(test) or test.spoiled.startswith("the last one was broken off: C2")  # a welded contactor trips meanwhile
    answer = ask(rig, Verb.START, START)
    assert not answer["accepted"]


@pytest.mark.parametrize(("own", "value", "check"), [("disk_free_pct", 1.0, "disk and journal"), ("journal_ok", False, "disk and journal")])
def test_the_box_is_looked_at_too(own, value, check):
    rig = oven()
    rig.own[own] = rig.own[own]._replace(value=value)
    assert check in failed(rig.prove())


def passed():
    rig = oven()
    rig.prove()
    return rig


def test_a_trip_in_idle_spoils_it_until_it_is_made_again():
    rig = passed()
    rig.plc.plant.instruments.distortions["estop_ok"] = lambda was, at_s: False
    rig.step()
    rig.plc.plant.instruments.distortions.clear()
    assert "I2 (emergency stop" in rig.memory.proof_test.spoiled
    ask(rig, Verb.RESET)
    assert "no valid proof test: I2" in ask(rig, Verb.START, START)["answer"]
    assert rig.prove().spoiled == ""
    answer = ask(rig, Verb.START, START)
    assert answer["accepted"], answer["answer"]


def test_another_start_of_the_plc_spoils_it():
    rig = passed()
    rig.plc.power_cycle()
    for _ in range(5):
        rig.step()
    assert rig.memory.proof_test.spoiled == "the PLC was restarted since the last one"


def test_a_start_in_the_very_scan_in_which_the_plcs_restart_is_first_seen_is_refused():
    rig = passed()
    rig.plc.power_cycle()
    answer = ask(rig, Verb.START, START)
    assert rig.memory.boot_id != rig.memory.proof_test.boot_id  # that scan it was
    assert (answer["accepted"], "the PLC was restarted" in answer["answer"]) == (False, True), answer
    assert rig.memory.unit.state is UnitState.IDLE


def test_age_recipe_and_a_restarted_core_spoil_it():
    rig = passed()
    test, settings = rig.memory.proof_test, SITE.proof_test
    boot_id = test.boot_id
    assert objection(settings, test, test.passed_at_s + 3600 * settings.max_age_h, boot_id) == ""
    assert "24.0 h old" in objection(settings, test, test.passed_at_s + 3600 * settings.max_age_h + 60, boot_id)
    other = test._replace(recipe_sha256="a" * 64)
    assert objection(settings, other, test.passed_at_s, boot_id, "a" * 64) == ""
    assert "sha256 aaaaaaaaaaaa" in objection(settings, other, test.passed_at_s, boot_id, "b" * 64)
    memory, _ = power_return(rig.memory, image(), SITE, 5.0)
    assert "none was made since the core started" in objection(settings, memory.proof_test, 0.0, boot_id)


@pytest.mark.parametrize(("changed", "why"), [
    ({"door_closed_a": False}, "door must be closed"),
    ({"z1_tc_a_c": 80.0, "z1_tc_b_c": 80.0, "z1_tc_c_c": 80.0}, "colder than 60 degC"),
    ({"pressure_cap_mbar": 400.0}, "ambient pressure"),
    ({"estop_ok": False}, "I2"),
])  # fmt: skip
def test_it_does_not_begin_in_an_oven_that_is_not_at_rest(changed, why):
    command = Command("x", "anna", Verb.PROOF_TEST, None, 1)
    memory, record = scan(SITE, Memory(), image(**changed), (command,))
    answer = next(note.content for note in record.notes if note.kind == "command")
    assert not answer["accepted"]
    assert why in answer["answer"]
    assert memory.proof_test.stage == ""


def test_it_can_be_broken_off_and_a_lost_wire_breaks_it_off():
    rig = oven()
    ask(rig, Verb.PROOF_TEST)
    assert ask(rig, Verb.PROOF_TEST, cancel=True)["accepted"]
    assert rig.memory.proof_test.spoiled == "the last one was broken off: by anna"
    ask(rig, Verb.PROOF_TEST)
    rig.plc.faults.image_frozen = True
    for _ in range(6):
        rig.step()
    assert rig.memory.proof_test.spoiled == "the last one was broken off: PLC image lost"


@pytest.mark.parametrize("args", [{"cancel": "yes"}, {"recipe_sha256": "xyz"}, {"recipe_sha256": 5}])
def test_wrong_arguments_are_named(args):
    rig = oven()
    answer = ask(rig, Verb.PROOF_TEST, **args)
    assert not answer["accepted"]
    assert next(iter(args)) in answer["answer"]


# ---- periodic proof tests ----


@pytest.fixture
def record(tmp_path):
    journal = Journal(tmp_path / "journal.sqlite", threaded=False)
    journal.append([entry("boot", 0.0, {"boot": 1})])

    def write(device, result="pass", day=""):
        journal.append([entry("prooftest", 1.0, {"device": device, "result": result, "user": "anna", "date": day})])
        journal.flush()
        return journal

    yield write
    journal.close()


def due_of(journal, device, intervals=None):
    with journal.reader() as reader:
        return next(due for due in prooftests.schedule(reader, intervals or {}) if due.device.name == device)


def test_a_recorded_pass_counts_from_its_day_and_a_failure_is_due_at_once(record):
    journal = record("o2-analyser", "pass", "2026-01-10")
    due = due_of(journal, "o2-analyser")
    assert (due.last, due.due) == (date(2026, 1, 10), date(2026, 4, 10))
    assert not due.overdue(date(2026, 4, 10))
    assert due.overdue(date(2026, 4, 11))
    record("o2-analyser", "fail", "2026-02-01")
    assert due_of(journal, "o2-analyser").overdue(date(2026, 2, 1))


def test_a_site_sets_its_own_interval_and_a_wrong_name_is_refused(record):
    journal = record("room-o2", "pass", "2026-01-10")
    assert due_of(journal, "room-o2", {"room-o2": 30.0}).due == date(2026, 2, 9)
    with pytest.raises(ValidationError, match="no such device: rom-o2"):
        ProofTestSettings(interval_d={"rom-o2": 30.0})


def test_a_device_without_a_record_counts_from_the_first_start(record):
    journal = record("door")
    with journal.reader() as reader:
        first = prooftests.day_of(reader.after(0, 1)[0].wall_ns)
    due = due_of(journal, "limiter")
    assert (due.due - first).days == BY_NAME["limiter"].interval_d
    assert not due.overdue(first)


def test_a_day_in_the_future_counts_as_the_day_of_the_record(record):
    journal = record("door", "pass", "2999-01-01")
    assert due_of(journal, "door").last < date(2999, 1, 1)


def test_an_overdue_device_raises_a_warning_that_stops_nothing():
    memory, record_ = scan(SITE, Memory(), image(proof_due=2))
    assert "I33W" in record_.verdict.active
    assert record_.verdict.start
    memory, record_ = scan(SITE, memory, image(proof_due=0))
    assert "I33W" not in record_.verdict.active


def answer_to(verb, role=Role.ENGINEER, reason="", **args):
    _, seen = scan(SITE, Memory(), image(), (Command("x", "anna", verb, None, 1, args=args, role=role, reason=reason),))
    return next(note.content for note in seen.notes if note.kind == "command"), seen.notes


def test_a_record_names_device_result_and_who():
    answer, notes = answer_to(Verb.PROOF_RECORD, device="limiter", result="pass", date="2026-03-01", reason="tripped at 288 degC")
    assert answer["accepted"]
    content = next(note.content for note in notes if note.kind == "prooftest")
    assert json.loads(json.dumps(content)) == {
        "device": "limiter", "result": "pass", "why": "tripped at 288 degC", "user": "anna", "date": "2026-03-01",
    }  # fmt: skip


@pytest.mark.parametrize(("args", "why"), [
    ({"device": "x", "result": "pass"}, "device = 'x': one of limiter"),
    ({"device": "door", "result": "good"}, "result = 'good': pass or fail"),
    ({"device": "door", "result": "pass", "date": "1.3.2026"}, "YYYY-MM-DD"),
    ({"device": "door", "result": "fail"}, "what was found"),
])  # fmt: skip
def test_a_wrong_record_is_refused_with_what_is_allowed(args, why):
    answer, _ = answer_to(Verb.PROOF_RECORD, **args)
    assert not answer["accepted"]
    assert why in answer["answer"]


def test_an_operator_may_make_the_proof_test_but_not_record_one():
    assert "needs the role engineer" in answer_to(Verb.PROOF_RECORD, Role.OPERATOR, device="door", result="pass")[0]["answer"]
    assert answer_to(Verb.PROOF_TEST, Role.OPERATOR)[0]["accepted"]
