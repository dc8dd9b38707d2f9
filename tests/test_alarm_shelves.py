"""What people may do to an alarm that disturbs: shelve it or take it out of service, for how long, and never a trip."""

import pytest

from controller.alarms.states import AlarmMemory, State, state_of
from controller.intake import command_of
from controller.interlocks.rule import Effect
from controller.interlocks.table import RULES
from controller.journal.mailbox import MailboxRow
from controller.recipe.states import Verb
from controller.roles import Role
from tests.annunciator import ROOM_LOW, Oven


def test_a_shelf_ends_by_itself_and_what_stands_is_announced_again():
    oven = Oven()
    oven.run(6, **ROOM_LOW)
    assert oven.run(1, oven.ask(Verb.SHELVE, rule="I20W", minutes=2), **ROOM_LOW) == [("I20W", "shelve", "SHELVED")]
    assert oven.answer() == (True, "the alarm I20W is shelved for 2 min, what it does is not; 2 more within 8 h")
    assert oven.run(119, **ROOM_LOW) == []
    assert oven.run(1, **ROOM_LOW) == [("I20W", "unshelve", "UNACK")]


def test_what_comes_and_goes_on_the_shelf_is_recorded_and_not_announced():
    oven = Oven()
    oven.run(1, oven.ask(Verb.SHELVE, rule="I20W", minutes=5))
    assert oven.run(6, **ROOM_LOW) == [("I20W", "raise", "SHELVED")]
    assert oven.run(12) == [("I20W", "clear", "SHELVED")]
    assert oven.run(1, oven.ask(Verb.UNSHELVE, rule="I20W")) == [("I20W", "unshelve", "NORMAL")]


def test_an_alarm_is_shelved_only_so_often_in_a_shift():
    oven = Oven()
    for _ in range(3):
        oven.run(1, oven.ask(Verb.SHELVE, rule="I20W", minutes=1))
        assert oven.answer()[0] is True
        oven.run(60)
    oven.run(1, oven.ask(Verb.SHELVE, rule="I20W", minutes=1))
    assert oven.answer() == (False, "I20W was shelved 3 times within 8 h, which is as often as is allowed")
    oven.at_s += 8 * 3600
    oven.run(1, oven.ask(Verb.SHELVE, rule="I20W", minutes=1))
    assert oven.answer()[0] is True


def test_out_of_service_stays_until_an_engineer_takes_it_back():
    oven = Oven()
    oven.run(1, oven.ask(Verb.OUT_OF_SERVICE, rule="I20W"))
    assert oven.run(10, **ROOM_LOW) == [("I20W", "raise", "OUT_OF_SERVICE")]
    oven.at_s += 30 * 86_400
    assert oven.run(1, oven.ask(Verb.IN_SERVICE, role=Role.OPERATOR, rule="I20W"), **ROOM_LOW) == []
    assert "needs the role engineer" in oven.answer()[1]
    assert oven.run(1, oven.ask(Verb.IN_SERVICE, rule="I20W"), **ROOM_LOW) == [("I20W", "in_service", "UNACK")]


@pytest.mark.parametrize(
    ("verb", "args", "reason", "why"),
    [
        (Verb.SHELVE, {"rule": "I99", "minutes": 5}, "long enough", "no row of the interlock table"),
        (Verb.SHELVE, {"minutes": 5}, "long enough", "no row of the interlock table"),
        (Verb.SHELVE, {"rule": ["I20W"], "minutes": 5}, "long enough", "no row of the interlock table"),
        (Verb.SHELVE, {"rule": "I20W", "minutes": 61}, "long enough", "a number from 1 to 60"),
        (Verb.SHELVE, {"rule": "I20W", "minutes": True}, "long enough", "a number from 1 to 60"),
        (Verb.SHELVE, {"rule": "I20W", "minutes": float("nan")}, "long enough", "a number from 1 to 60"),
        (Verb.SHELVE, {"rule": "I20W"}, "long enough", "a number from 1 to 60"),
        (Verb.SHELVE, {"rule": "I20W", "minutes": 5}, "  no ", "at least 5 characters"),
        (Verb.SHELVE, {"rule": "I5", "minutes": 5}, "long enough", "journal entry"),
        (Verb.UNSHELVE, {"rule": "I20W"}, "", "not shelved; shelved: none"),
        (Verb.OUT_OF_SERVICE, {"rule": "I20W"}, "", "at least 5 characters"),
        (Verb.IN_SERVICE, {"rule": "I20W"}, "long enough", "not out of service"),
        (Verb.ACKNOWLEDGE, {"rule": "I2O"}, "", "did you mean"),
    ],
)
def test_a_mistake_is_answered_with_what_is_allowed(verb, args, reason, why):
    oven = Oven()
    before = oven.memory.alarms
    oven.run(1, oven.ask(verb, reason=reason, **args))
    accepted, answer = oven.answer()
    assert not accepted
    assert why in answer
    assert {alarm.rule for alarm in oven.memory.alarms.rows if state_of(alarm) is State.SHELVED} == set()
    assert before == AlarmMemory()


def test_a_shelf_asked_for_through_the_mailbox_arrives_with_its_arguments_and_nothing_else():
    row = MailboxRow(1, "id-1", "anna", "SHELVE", {"rule": "I20W", "minutes": 5, "reason": "sensor is wet"}, None, 10**18, 60.0, "operator")
    oven = Oven()
    oven.run(1, command_of(row, 10**18))
    assert oven.state("I20W") is State.SHELVED
    wrong = command_of(row._replace(id="id-2", args={**row.args, "forever": True}), 10**18)
    assert wrong.refusal == "unknown arguments: forever; SHELVE takes minutes, reason, rule"


@pytest.mark.parametrize("rule", sorted(rule.id for rule in RULES if rule.effect & Effect.ABORT or rule.hard_wired))
def test_a_trip_can_neither_be_shelved_nor_taken_out_of_service(rule):
    oven = Oven()
    oven.run(1, oven.ask(Verb.SHELVE, rule=rule, minutes=5), oven.ask(Verb.OUT_OF_SERVICE, rule=rule))
    answers = [note.content for note in oven.notes if note.kind == "command"]
    assert [content["accepted"] for content in answers] == [False, False]
    assert all("hard-wired" in content["answer"] or "aborts" in content["answer"] for content in answers)
