"""The alarms as readers of the journal see them: list, announcements, MQTT topics, command line."""

import json

from typer.testing import CliRunner

from controller.__main__ import app
from controller.alarms.states import Priority, State, state_of
from controller.cli.asking import console
from controller.journal import alarms as told
from controller.journal.entry import Stored, entry
from controller.journal.store import Journal
from controller.northbound import topics
from controller.recipe.states import Verb
from tests.annunciator import LOCAL, N2_VALVE, ROOM_LOW, Oven
from tests.annunciator import trouble as _trouble


def _stored(notes, start=1):
    """Return notes as the journal stores them."""
    return [
        Stored(seq, 1, one.kind, at_s, 0, one.payload, b"")
        for seq, (at_s, one) in enumerate(((at_s, entry("alarm", at_s, content)) for at_s, content in notes), start)
    ]


def _journaled(oven):
    return [(record.inputs.at_s, note.content) for record in oven.records for note in record.notes if note.kind == "alarm"]


def test_the_list_read_from_the_journal_is_the_list_in_the_memory():
    oven = Oven()
    for changed in _trouble(7):
        oven.run(10, **changed)
    oven.run(1, oven.ask(Verb.SHELVE, rule="C1N", minutes=30))
    listed = {one.rule: one.state for one in told.alarm_list(_stored(_journaled(oven)))}
    states = {alarm.rule: state_of(alarm) for alarm in oven.memory.alarms.rows}
    assert listed == {rule: state for rule, state in states.items() if state is not State.NORMAL}
    assert len(listed) > 3


def test_what_nobody_has_seen_stands_first():
    oven = Oven()
    oven.run(8, **ROOM_LOW, **N2_VALVE)
    oven.run(1, oven.ask(Verb.ACKNOWLEDGE, rule="I20W"), **ROOM_LOW, **N2_VALVE)
    assert [one.rule for one in told.alarm_list(_stored(_journaled(oven))) if one.priority != "JOURNAL"] == ["C1N", "I20W"]


def test_an_announcement_counts_once_with_when_it_was_seen_and_went():
    oven = Oven()
    oven.run(6, **ROOM_LOW)
    raised_s = oven.at_s - 1
    oven.run(3, oven.ask(Verb.ACKNOWLEDGE), **ROOM_LOW)
    oven.run(20)
    oven.run(1, oven.ask(Verb.SHELVE, rule="I20W", minutes=10))
    oven.run(20, **ROOM_LOW)
    found = [one for one in told.stood(_stored(_journaled(oven))) if one.priority is not Priority.JOURNAL]
    assert [(one.rule, one.raised_s, one.acknowledged_s, one.cleared_s) for one in found] == [
        ("I20W", raised_s, raised_s + 2, raised_s + 15)
    ]


def test_entries_of_an_older_release_are_read_by_their_event():
    old = [(1.0, {"rule": "I7W", "event": "raise", "text": "O2"}), (2.0, {"rule": "I4W", "event": "raise", "text": "p"}),
           (3.0, {"rule": "I7W", "event": "clear"})]  # fmt: skip
    assert [(one.rule, one.state, one.priority) for one in told.alarm_list(_stored(old))] == [("I4W", State.UNACK, "MEDIUM")]


def test_each_alarm_has_a_retained_topic_of_its_own_beside_the_stream():
    oven = Oven()
    oven.run(1, **LOCAL)
    stored = next(one for one in _stored(_journaled(oven)) if one.fields()["rule"] == "I28L")
    found = list(topics.messages(stored, lambda _: topics.SampleView({}, {}), with_samples=False))
    assert [(one.topic, one.retain) for one in found] == [("alarm", False), ("alarm/I28L", True)]
    assert json.loads(found[1].payload)["entry"]["state"] == "UNACK"
    odd = _stored([(1.0, {"rule": "../#", "event": "raise", "state": "UNACK"})])[0]
    assert [one.topic for one in topics.messages(odd, lambda _: topics.SampleView({}, {}), with_samples=False)] == ["alarm"]


def test_the_command_line_shows_list_and_figures_of_a_journal(tmp_path):
    oven = Oven()
    oven.run(8, **ROOM_LOW, **LOCAL)
    oven.run(1, oven.ask(Verb.SHELVE, rule="I20W", minutes=30, reason="sensor is being calibrated"), **ROOM_LOW)
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal.append([entry("alarm", at_s, content) for at_s, content in _journaled(oven)], durable=False)
    journal.close()
    ask = CliRunner()
    listed = json.loads(ask.invoke(app, ["alarms", "--journal", str(path), "--json"]).stdout)
    assert {one["rule"]: one["state"] for one in listed["alarms"]} == {"I28L": "LATCHED_UNACK", "I20W": "SHELVED"}
    shown = ask.invoke(app, ["alarms", "--journal", str(path)], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "not announced: I20W" in shown.stdout
    figures = json.loads(ask.invoke(app, ["alarms", "stats", "--journal", str(path), "--json"]).stdout)
    assert figures["announced"] == 2
    assert [rule for rule, _, _ in figures["top"]] == ["I20W", "I28L"]
    assert ask.invoke(app, ["alarms", "stats", "--journal", str(path)]).exit_code == 0


def test_what_a_person_wrote_is_shown_as_it_was_written(tmp_path, monkeypatch):
    """Words in brackets are no markup of the terminal: they would be swallowed, or end the list with an error."""
    oven = Oven()
    oven.run(8, **ROOM_LOW)
    oven.run(1, oven.ask(Verb.SHELVE, rule="I20W", minutes=30, reason="sensor [bold] out, see [/order 7]"), **ROOM_LOW)
    journal = Journal(tmp_path / "journal.sqlite")
    journal.append([entry("alarm", at_s, content) for at_s, content in _journaled(oven)], durable=False)
    journal.close()
    monkeypatch.setattr(console, "_width", 300)  # one for the process, whatever COLUMNS was when it was made
    shown = CliRunner().invoke(app, ["alarms", "--journal", str(tmp_path / "journal.sqlite")])
    assert shown.exit_code == 0, shown.exception
    assert "sensor [bold] out, see [/order 7]" in shown.stdout
