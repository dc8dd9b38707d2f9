"""Bypasses: who may, which rows never, how they end, and that everybody sees them."""

from pathlib import Path

import pytest

from controller import status
from controller.command import Command
from controller.image import OFF
from controller.interlocks import bypass
from controller.interlocks.bypass import BY_ID, Bypass
from controller.interlocks.evaluate import afresh
from controller.interlocks.rule import Effect, Reset
from controller.interlocks.table import RULES
from controller.journal.entry import entry
from controller.journal.reader import JournalReader
from controller.journal.report import report
from controller.journal.store import Journal
from controller.memory import Memory, Settings
from controller.northbound import topics
from controller.power_return import power_return
from controller.recipe.states import Verb
from controller.recorder import MEMORY, Recorder, boot_entry
from controller.roles import Role
from controller.scan import scan
from tests.images import image

SITE = Settings()
ROOT = Path(__file__).parents[1]


def walk(memory, *commands, seconds=1, at_s=100.0, **changed):
    notes = []
    for second in range(seconds):
        memory, record = scan(SITE, memory, image(at_s=at_s + second, **changed), commands if second == 0 else ())
        notes += record.notes
    return memory, record, notes


def ask(rule, verb=Verb.BYPASS, number=1, role=Role.ENGINEER, reason="feedback switch broken, order 4711", **args):
    return Command(f"b{number}", "anna", verb, None, number, reason=reason, args={"rule": rule, **args}, role=role)


def answered(notes):
    return next(note.content for note in notes if note.kind == "command")


LOCAL = {"remote": False}  # I28L, a row that may be bypassed


def test_a_bypassed_row_has_no_effect_and_acts_at_once_when_the_bypass_ends():
    memory, record, _ = walk(Memory(), **LOCAL)
    assert "I28L" in record.verdict.active
    memory, _, notes = walk(memory, ask("I28L", minutes=5), **LOCAL)
    assert answered(notes)["accepted"]
    memory, record, _ = walk(memory, **LOCAL)
    assert "I28L" not in record.verdict.active
    assert record.verdict.start
    assert memory.interlocks.bypassed[0][:3] == ("I28L", "anna", "feedback switch broken, order 4711")
    memory, record, notes = walk(memory, at_s=100.0 + 300, **LOCAL)
    assert "I28L" in record.verdict.active
    assert [(note.content["event"], note.content["by"]) for note in notes if note.kind == "bypass"] == [("end", "expired")]
    assert memory.interlocks.bypassed == ()


def test_it_lasts_to_the_second_and_not_longer():
    memory, _, _ = walk(Memory(), ask("I28L", minutes=1), **LOCAL)
    _, record, _ = walk(memory, at_s=159.9, **LOCAL)
    assert "I28L" not in record.verdict.active
    _, record, _ = walk(memory, at_s=160.0, **LOCAL)
    assert "I28L" in record.verdict.active


def test_somebody_puts_it_back():
    memory, _, _ = walk(Memory(), ask("I28L"), **LOCAL)
    memory, _, notes = walk(memory, ask("I28L", Verb.UNBYPASS, 2, Role.OPERATOR), **LOCAL)
    assert answered(notes)["answer"] == "I28L is in effect again"
    assert "I28L" in walk(memory, **LOCAL)[1].verdict.active
    assert "not bypassed; bypassed: none" in answered(walk(memory, ask("I28L", Verb.UNBYPASS, 3), **LOCAL)[2])["answer"]


def test_a_restart_removes_it_and_says_so():
    memory, _, _ = walk(Memory(), ask("I28L"), **LOCAL)
    restored = MEMORY.validate_json(MEMORY.dump_json(memory))
    assert restored.interlocks.bypassed == memory.interlocks.bypassed
    back, notes = power_return(restored, image(), SITE, 60.0)
    assert back.interlocks.bypassed == ()
    assert [note.content["by"] for note in notes if note.kind == "bypass"] == ["restart"]


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_no_row_that_aborts_is_hard_wired_or_proves_the_atmosphere_can_be_bypassed(rule):
    row = BY_ID[rule]
    hard = (
        row.hard_wired
        or row.effect & (Effect.ABORT | Effect.NO_VENT | Effect.NO_DOOR | Effect.NO_N2 | Effect.PURGE)
        or row.reset is Reset.MANUAL
    )
    _, _, notes = walk(Memory(), ask(rule))
    answer = answered(notes)
    assert answer["accepted"] is (rule in bypass.allowed())
    if hard or rule in ("I5", "I21", "I15", "I15P", "I27", "I28W"):
        assert not answer["accepted"]
        assert f"{rule} ({row.text}) may never be bypassed: " in answer["answer"]


def test_an_operator_may_not():
    assert "needs the role engineer" in answered(walk(Memory(), ask("I28L", role=Role.OPERATOR))[2])["answer"]


@pytest.mark.parametrize(("command", "why"), [
    (ask("I99"), "rule = 'I99': no row"),
    (ask(None), "rule = None: no row"),
    (ask("I28L", minutes=61), "minutes = 61: a number from 1 to 60"),
    (ask("I28L", minutes=True), "minutes = True"),
    (ask("I28L", minutes=float("nan")), "minutes = nan"),
    (ask("I28L", reason="  x "), "needs a reason"),
])  # fmt: skip
def test_a_wrong_bypass_is_refused_with_what_is_allowed(command, why):
    answer = answered(walk(Memory(), command)[2])
    assert not answer["accepted"]
    assert why in answer["answer"]


def test_no_more_than_two_rows_at_a_time_and_one_may_be_prolonged():
    memory, _, _ = walk(Memory(), ask("I28L"))
    memory, _, _ = walk(memory, ask("I25", number=2))
    assert "allowed 2 rows at a time" in answered(walk(memory, ask("I26", number=3))[2])["answer"]
    memory, _, notes = walk(memory, ask("I28L", number=4, minutes=60), at_s=200.0)
    assert answered(notes)["accepted"]
    assert {one.rule: one.until_s for one in memory.interlocks.bypassed}["I28L"] == 200.0 + 3600
    assert len(memory.interlocks.bypassed) == 2


def test_the_banner_names_row_person_reason_and_time_left():
    one = Bypass("I28L", "anna", "switch broken", 0.0, 600.0)
    assert bypass.banner((one,), 240.0) == ("BYPASSED: I28L (local/remote switch in local) by anna: switch broken; 6 min left",)


def test_at_its_end_it_has_ended_and_the_others_go_on():
    short, long = Bypass("I28L", "anna", "switch", 0.0, 600.0), Bypass("I25", "anna", "stall", 0.0, 600.1)
    assert bypass.expired((short, long), 599.9) == ((short, long), ())
    assert bypass.expired((short, long), 600.0) == ((long,), (short,))
    assert bypass.expired((short, long), 601.0) == ((), (short, long))
    assert bypass.names((short, long)) == {"I28L", "I25"}


def test_a_site_that_says_nothing_lends_two_rows_for_an_hour():
    site = bypass.BypassSettings()
    assert (site.max_min, site.max_rows) == (60.0, 2)


def test_the_banner_says_so_when_the_time_is_over_or_the_row_is_gone():
    lines = bypass.banner((Bypass("OLD", "anna", "x", 0.0, 600.0), Bypass("I25", "anna", "y", 0.0, 9000.0)), 605.0)
    assert lines[0] == "BYPASSED: OLD (no longer a row) by anna: x; 0 min left"
    assert lines[1].endswith("; 140 min left")
    assert bypass.banner((Bypass("I25", "anna", "y", 0.0, 36_000.0),), 18_000.0)[0].endswith("; 300 min left")


@pytest.mark.parametrize(("rule", "why"), [
    ("I5", "heat needs a proven atmosphere"),
    ("I2", "the row is hard-wired in the oven"),
    ("I23", "the row aborts"),
    ("I28L", ""),
])  # fmt: skip
def test_why_a_row_may_never_be_bypassed(rule, why):
    assert bypass.objection(BY_ID[rule]) == why


def test_a_trip_that_is_reset_by_hand_is_never_bypassed_whatever_it_does():
    trip = BY_ID["I28L"]._replace(reset=Reset.MANUAL)
    assert bypass.objection(trip) == "the row is a trip that is reset by hand"
    for effect, why in (
        (Effect.PURGE, "fills the chamber"),
        (Effect.NO_VENT, "keeps air out"),
        (Effect.NO_DOOR, "keeps the door locked"),
        (Effect.NO_N2, "keeps N2 out"),
    ):
        assert why in bypass.objection(BY_ID["I28L"]._replace(effect=Effect.WARN | effect))


def test_no_bypass_lets_heat_into_an_unproven_atmosphere():
    memory = Memory()
    for number, rule in enumerate(bypass.allowed()):
        memory, _, _ = walk(memory._replace(interlocks=memory.interlocks._replace(bypassed=())), ask(rule, number=number))
        memory, record, _ = walk(memory)
        assert not record.verdict.heat, rule
        wanted = OFF._replace(heat_enable=True, batch_id=1)
        assert not record.verdict.limit(wanted, SITE.equipment, image()).heat_enable


def test_a_checkpoint_with_rows_that_are_no_longer_there_is_read():
    memory = Memory()._replace(interlocks=Memory().interlocks._replace(active=frozenset({"I2", "OLD"}), stood_s=(0.0,), first_out="OLD"))
    kept = afresh(memory.interlocks)
    assert (kept.active, kept.first_out) == (frozenset({"I2"}), "")
    back, _ = power_return(memory, image(), SITE, 1.0)
    assert "I2" in scan(SITE, back, image())[1].verdict.active


def test_the_status_carries_the_banner_until_the_bypass_ends(tmp_path):
    journal, recorder, memory = Journal(tmp_path / "journal.sqlite", threaded=False), Recorder(60.0), Memory()
    journal.append([boot_entry(0.0, journal.boot, "test", 1.0, None, "")])
    seen = []
    for second, commands in enumerate(((), (ask("I28L"),), (), (ask("I28L", Verb.UNBYPASS, 2),))):
        memory, record = scan(SITE, memory, image(at_s=100.0 + second, **LOCAL), commands)
        journal.append(recorder.entries(memory, record)[0])
        journal.flush()
        seen.append(status.read(tmp_path / "journal.sqlite"))
    journal.close()
    assert [len(shown["bypassed"]) for shown in seen] == [0, 1, 1, 0]
    assert "I28L" in dict(status.lines(seen[1]))["BYPASS"]


def test_it_is_retained_on_the_broker_and_in_the_batch_report(tmp_path):
    begin = {"event": "begin", "rule": "I28L", "user": "anna", "reason": "switch <broken>", "from_s": 20.0, "until_s": 320.0, "text": "x"}
    end = begin | {"event": "end", "by": "expired"}
    with Journal(tmp_path / "j.db", threaded=False) as journal:
        journal.append([entry("batch_start", 10.0, {"batch_id": 1}), entry("bypass", 20.0, begin), entry("bypass", 320.0, end)])
    with JournalReader(tmp_path / "j.db") as reader:
        stored = reader.after(0, 10, ["bypass"])
    said = [message for one in stored for message in topics.messages(one, None, with_samples=False)]
    assert [(message.topic, message.retain) for message in said] == [("event", False), ("bypass/I28L", True)] * 2
    page = report(tmp_path / "j.db", tmp_path / "report.html", 1).read_text("utf-8")
    assert "Rows were bypassed in this batch" in page
    assert "switch &lt;broken&gt;" in page
    assert "expired" in page
