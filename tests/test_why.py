"""Why can't I start, heat, open, asked of a journal that a running core writes; and what stood around a first-out."""

from math import nan
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller import status, why
from controller.__main__ import app
from controller.command import Start
from controller.errors import JournalError
from controller.image import SIGNALS
from controller.interlocks.rule import Effect
from controller.interlocks.sensors import VotedOut
from controller.interlocks.table import RULES
from controller.journal import incident
from controller.journal.entry import entry
from controller.journal.store import Journal
from controller.memory import Settings
from controller.permissives import Question, blockers, limits_of
from controller.recipe.reading import read_load, read_recipe
from controller.recipe.states import UnitState, Verb
from controller.why import inputs_of
from sim import bench
from sim.faults import inject
from tests.causes import shows
from tests.journaled_oven import journaled, steps

ROOT = Path(__file__).parents[1]
SOURCED = read_recipe(ROOT / "recipes" / "trial-short.toml")
LOAD = read_load(ROOT / "recipes" / "loads" / "sample-roll.toml")
START = Start(SOURCED.recipe, SOURCED.sha256, SOURCED.text, LOAD)
SITE = Settings()


@pytest.fixture
def oven(tmp_path):
    with journaled(tmp_path, SITE, LOAD) as rig:
        yield rig


def asked(rig, question):
    """Return what the journal says is in the way, and what the core's own memory says."""
    rig.journal.flush()
    answer = why.why(Path(rig.journal.path), SITE, question)
    return answer, blockers(question, SITE, rig.memory, rig.memory.interlocks.active, rig.record.inputs, rig.record.process)


def told(found):
    return [str(one) for one in found]


@pytest.mark.parametrize("question", list(Question))
def test_the_journal_tells_the_same_as_the_running_core(oven, question):
    for fault in (None, "estop", "n2_low", "door_forced", "pump_trip"):
        if fault is not None:
            inject(oven.plc, fault)
            steps(oven, 20)
        answer, own = asked(oven, question)
        assert answer.at_s == oven.at_s
        assert [one.rule for one in answer.found] == [one.rule for one in own]
        assert told(answer.found) == told(own)


def test_a_start_without_proof_test_says_so_and_what_to_do(oven):
    found = asked(oven, Question.START)[0].found
    assert [one.rule for one in found] == [""]
    assert "none was made since the core started" in found[0].text
    assert "prooftest run" in found[0].action
    oven.prove()
    steps(oven, 1)
    assert asked(oven, Question.START)[0].found == []


def test_row_text_value_limit_and_action_are_told(oven):
    oven.plc.plant.instruments.distortions["n2_header_bar"] = lambda was, at_s: 2.1
    steps(oven, 10)
    one = next(one for one in asked(oven, Question.START)[0].found if one.rule == "I11")
    assert str(one) == "I11 (N2 supply too low; now 2.1; n2_low_bar = 3)"
    assert one.action


def test_a_thermocouple_that_is_voted_out_is_named_with_its_reason(oven):
    out = oven.memory.sensors._replace(out=(VotedOut("z1_tc_a_c", "stuck", 0.0), VotedOut("z1_tc_b_c", "rate", 0.0)))
    memory, active = oven.memory._replace(sensors=out), oven.memory.interlocks.active | {"I21"}
    found = blockers(Question.HEAT, SITE, memory, active, oven.record.inputs, oven.record.process)
    tags = [SIGNALS[field].name for field in ("z1_tc_a_c", "z1_tc_b_c")]
    assert next(one for one in found if one.rule == "I21").value == f"{tags[0]} stuck, {tags[1]} rate"


def test_heat_is_explained_by_state_proof_and_plc(oven):
    found = asked(oven, Question.HEAT)[0].found
    assert found[0].text == "the unit is IDLE: only a batch heats"
    assert any(one.text.startswith("the PLC refuses heat: ") and "TRIP" in one.text for one in found)
    proof = next(one for one in found if one.rule == "I5")
    assert "0 of 2 N2 cycles" in proof.text
    oven.ask(Verb.START, START)
    steps(oven, 600)
    held = asked(oven, Question.HEAT)[0].found
    assert held[0].text.endswith("asks for no heat now")


def test_a_calm_oven_shows_no_alarm_and_says_what_is_not_permitted(oven):
    shown = dict(status.lines(status.read(Path(oven.journal.path))))
    assert shown["alarms"] == "none"
    assert {"I5", "I10"} <= set(shown["not permitted by"].split(", "))


def test_a_cold_load_that_waits_for_n2_is_told_so_and_not_to_cool(oven):
    oven.prove()
    oven.ask(Verb.START, START)
    steps(oven, 3)
    one = next(one for one in asked(oven, Question.OPEN)[0].found if one.rule == "I19")
    assert str(one.value).startswith("hottest 23.")
    assert "degC, 0 N2 cycles and 0.0 volumes since heat, 10" in str(one.value)
    assert "washed with N2" in one.action


def test_a_door_that_only_the_plc_keeps_locked_is_told_so(oven):
    """The soft PLC wants two load thermocouples, and 993 mbar where the core takes what weather and height make of 1013."""
    steps(oven, 450)  # air is drawn through first
    assert not asked(oven, Question.OPEN)[0].found
    shows(load_edge_c=nan, load_core_c=nan).begin(oven)
    steps(oven, 3)
    assert "the PLC keeps the door locked" in str(asked(oven, Question.OPEN)[0].found[0])


def test_a_start_while_a_batch_runs_names_what_is_possible(oven):
    oven.ask(Verb.START, START)
    steps(oven, 3)
    found = asked(oven, Question.START)[0].found
    assert (found[0].text, "HOLD" in found[0].action) == ("the unit is RUNNING", True)
    assert "released in IDLE" in asked(oven, Question.OPEN)[0].found[0].text


def test_a_refused_start_gives_value_and_limit(oven):
    oven.prove()
    oven.plc.plant.instruments.distortions["n2_header_bar"] = lambda was, at_s: 2.1
    steps(oven, 10)
    oven.ask(Verb.START, START)
    steps(oven, 1)
    assert "I11 (N2 supply too low; now 2.1; n2_low_bar = 3)" in bench.answers(oven)[-1]["answer"]


def test_the_lines_say_when_the_journal_is_old(oven):
    answer, _ = asked(oven, Question.START)
    assert next(why.lines(answer, answer.wall_ns + 10**9)) == "start: 1 in the way"
    assert "60 s old" in next(why.lines(answer, answer.wall_ns + 60 * 10**9))


def test_the_image_comes_back_from_the_journal_as_it_was_scanned(oven):
    with oven.journal.reader() as reader:
        found = inputs_of(reader, reader.last("sample"))
    for name, seen, was in zip(found._fields[2:], found[2:], oven.record.inputs[2:], strict=True):
        assert (seen.quality, type(seen.value)) == (was.quality, type(was.value)), name
        assert seen.value == (pytest.approx(was.value, rel=1e-6) if isinstance(was.value, float) else was.value)


def test_without_a_scan_there_is_no_answer(tmp_path):
    Journal(tmp_path / "empty.sqlite", threaded=False).close()
    with pytest.raises(JournalError, match="no scan yet"):
        why.why(tmp_path / "empty.sqlite", SITE, Question.START)


def test_every_row_that_blocks_a_start_or_heat_has_something_to_do():
    from controller.alarms.rationalisation import TABLE

    rows = [rule.id for rule in RULES if rule.effect & (Effect.NO_START | Effect.NO_HEAT | Effect.NO_VENT | Effect.NO_DOOR)]
    assert [rule for rule in rows if rule not in TABLE or not TABLE[rule].action] == []
    assert limits_of("I5", SITE.limits)
    assert limits_of("I2", SITE.limits) == ()


# ---- first-outs ----


def tripped(rig, fault="estop", before=70, after=70):
    rig.ask(Verb.START, START)
    steps(rig, before)
    inject(rig.plc, fault)
    steps(rig, after)
    return rig.journal


def test_a_first_out_is_shown_with_the_minute_before_and_after_it_and_what_followed(oven):
    journal = tripped(oven, "estop")
    with journal.reader() as reader:
        shot = incident.snapshot(reader)
    assert (shot.incident.rule, shot.complete) == ("I2", True)
    first = next(row for row in shot.rows if row.rule == "I2" and row.event == "raise")
    assert first.after_s == 0.0
    assert shot.table.at_s[0] == pytest.approx(-60, abs=1.5)
    assert shot.table.at_s[-1] == pytest.approx(60, abs=1.5)
    assert min(abs(shot.table.at_s)) == 0.0  # the very scan of the first-out is among the samples
    assert oven.memory.unit.state in (UnitState.ABORTED, UnitState.ABORTING)
    moved = {moved.signal: moved for moved in shot.moved}
    assert (moved["estop_ok"].before, moved["estop_ok"].after) == (1.0, 0.0)
    assert moved["estop_ok"].first_after_s == 0.0
    text = "\n".join(incident.lines(shot))
    assert "FIRST-OUT" in text
    assert "ES-703 estop_ok: 1 -> 0" in text


def test_its_sequence_range_holds_two_minutes_and_no_more(oven):
    journal = tripped(oven)
    with journal.reader() as reader:
        shot = incident.snapshot(reader)
        inside = [stored.at_s - shot.incident.at_s for stored in reader.between(shot.first_seq, shot.last_seq)]
        before = reader.after(shot.first_seq - 2, 1)[0].at_s - shot.incident.at_s
        behind = reader.after(shot.last_seq, 1)[0].at_s - shot.incident.at_s
    assert -60.0 <= min(inside) <= max(inside) <= 60.5
    assert before < -60.0
    assert behind > 60.5


def test_incidents_are_numbered_and_a_wrong_number_is_refused(oven):
    journal = tripped(oven, after=5)
    with journal.reader() as reader:
        assert [one.rule for one in incident.incidents(reader)] == ["I2"]
        assert not incident.snapshot(reader, 1).complete
        with pytest.raises(JournalError, match="incident 2: the journal holds 1 to 1"):
            incident.snapshot(reader, 2)
        head, body = incident.sheet(incident.snapshot(reader, 1))
    assert len(head) == len(body[0])
    assert len(body) == len(incident.MAIN) >= 20


def test_a_journal_without_a_first_out_says_none_yet(tmp_path):
    journal = Journal(tmp_path / "journal.sqlite", threaded=False)
    journal.append([entry("boot", 0.0, {})])
    journal.flush()
    with journal.reader() as reader, pytest.raises(JournalError, match="none yet"):
        incident.snapshot(reader)
    journal.close()


def test_an_incident_is_read_from_the_journal_that_is_named(oven):
    journal = tripped(oven, after=5)
    journal.flush()
    shown = CliRunner().invoke(app, ["incident", "--list", "--journal", str(journal.path)])
    assert "I2" in shown.output, shown.exception
