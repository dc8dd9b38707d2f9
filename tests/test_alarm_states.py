"""An alarm's states, from its cause to the person who has seen it and, after a trip, says what it was."""

from controller.alarms.states import State
from controller.interlocks.evaluate import BY_ID
from controller.power_return import power_return
from controller.recipe.states import Verb
from controller.recorder import MEMORY
from controller.roles import Role
from tests.annunciator import LOCAL, N2_VALVE, ROOM_LOW, SETTINGS, Oven
from tests.images import image

STOP_PRESSED = {"estop_ok": False}  # I2: trips, hard-wired, reset by hand; to be confirmed


def tripped():
    """Return an oven whose emergency stop was pressed, acknowledged, released and reset."""
    oven = Oven()
    oven.run(2, **STOP_PRESSED)
    oven.run(1, oven.ask(Verb.ACKNOWLEDGE, rule="I2"), **STOP_PRESSED)
    oven.run(1)
    oven.run(2, oven.ask(Verb.RESET))
    return oven


def test_a_trip_stays_until_its_cause_is_confirmed_by_a_person_who_says_what_it_was():
    oven = Oven()
    refused = []
    for state, seconds, asked, changed in (
        (State.UNACK, 2, (), STOP_PRESSED),
        (State.ACK, 1, (Verb.ACKNOWLEDGE,), STOP_PRESSED),
        (State.LATCHED_ACK, 2, (), {}),
        (State.UNCONFIRMED, 2, (Verb.RESET,), {}),
    ):
        oven.run(seconds, *(oven.ask(verb) for verb in asked), **changed)
        assert oven.state("I2") is state
        if state is not State.UNCONFIRMED:
            oven.run(1, oven.ask(Verb.CONFIRM_ALARM, rule="I2"), **changed)
            refused.append(oven.answer())
    assert {accepted for accepted, _ in refused} == {False}
    assert [answer.split(":")[0] for _, answer in refused] == ["I2 is UNACK", "I2 is ACK", "I2 is LATCHED_ACK"]
    oven.run(1, oven.ask(Verb.CONFIRM_ALARM, role=Role.VIEWER, rule="I2"))
    assert not oven.answer()[0]
    done = oven.run(1, oven.ask(Verb.CONFIRM_ALARM, role=Role.OPERATOR, user="otto", reason="button tested", rule="I2"))
    assert (done, oven.answer()) == ([("I2", "confirm", "NORMAL")], (True, "confirmed: I2"))
    assert [oven.notes[-1].content[key] for key in ("user", "reason")] == ["otto", "button tested"]
    oven.run(1, oven.ask(Verb.CONFIRM_ALARM, rule="I2"))
    assert oven.answer() == (False, "I2 is NORMAL: only what is gone and acknowledged can be confirmed")
    oven.run(1, oven.ask(Verb.CONFIRM_ALARM))
    assert oven.answer() == (False, "nothing waits to be confirmed")
    oven.run(1, oven.ask(Verb.CONFIRM_ALARM, rule="I28L"))
    assert oven.answer() == (False, "I28L needs no confirmation")


def test_a_trip_that_comes_again_is_confirmed_once_when_it_is_gone():
    oven = tripped()
    assert oven.run(2, **STOP_PRESSED)[0] == ("I2", "raise", "UNACK")
    oven.run(1)
    oven.run(2, oven.ask(Verb.RESET))
    oven.run(1, oven.ask(Verb.CONFIRM_ALARM))
    assert (oven.answer(), oven.state("I2")) == ((True, "confirmed: I2"), State.NORMAL)


def test_what_is_unconfirmed_survives_a_restart_of_the_core_and_blocks_nothing():
    oven = tripped()
    oven.memory, _ = power_return(MEMORY.validate_json(MEMORY.dump_json(oven.memory)), image(at_s=oven.at_s + 60), SETTINGS, 60.0)
    oven.at_s += 60
    oven.run(2)
    assert oven.state("I2") is State.UNCONFIRMED
    assert "I2" not in oven.memory.interlocks.active
    oven.run(1, oven.ask(Verb.CONFIRM_ALARM, rule="I2"))
    assert oven.state("I2") is State.NORMAL


def test_an_alarm_that_goes_by_itself_waits_to_be_seen():
    oven = Oven()
    assert oven.run(4, **ROOM_LOW) == []
    assert oven.run(2, **ROOM_LOW) == [("I20W", "raise", "UNACK")]
    assert oven.run(10) == []  # the off-delay
    assert oven.run(2) == [("I20W", "clear", "RETURNED_UNACK")]
    assert oven.run(1, oven.ask(Verb.ACKNOWLEDGE)) == [("I20W", "ack", "NORMAL")]
    assert oven.state("I20W") is State.NORMAL


def test_an_alarm_that_was_seen_goes_without_another_word():
    oven = Oven()
    oven.run(6, **ROOM_LOW)
    assert oven.run(1, oven.ask(Verb.ACKNOWLEDGE, rule="I20W"), **ROOM_LOW) == [("I20W", "ack", "ACK")]
    assert oven.run(12) == [("I20W", "clear", "NORMAL")]


def test_a_latch_is_told_apart_from_its_cause():
    oven = Oven()
    assert oven.run(1, **LOCAL) == [("I28L", "raise", "UNACK")]
    assert oven.run(1) == [("I28L", "return", "LATCHED_UNACK")]
    assert oven.run(1, **LOCAL) == [("I28L", "recur", "UNACK")]
    assert oven.run(1, oven.ask(Verb.ACKNOWLEDGE, rule="I28L"), **LOCAL) == [("I28L", "ack", "ACK")]
    assert oven.run(1) == [("I28L", "return", "LATCHED_ACK")]
    assert oven.run(1, oven.ask(Verb.ACKNOWLEDGE, rule="I28L")) == [("I28L", "clear", "NORMAL")]


def test_whoever_resets_a_latch_has_seen_it():
    oven = Oven()
    oven.run(1, **LOCAL)
    oven.run(1)
    assert oven.run(1, oven.ask(Verb.RESET, user="bert")) == [("I28L", "ack", "NORMAL"), ("I28L", "clear", "NORMAL")]
    assert [note.content["user"] for note in oven.notes if note.kind == "alarm" and note.content["event"] == "ack"] == ["bert"]


def test_acknowledging_one_row_leaves_another_ones_latch():
    oven = Oven()
    oven.run(8, **LOCAL, **N2_VALVE)
    oven.run(1)
    assert {"I28L", "C1N"} <= oven.memory.interlocks.active
    oven.run(1, oven.ask(Verb.ACKNOWLEDGE, rule="I28L"))
    assert "I28L" not in oven.memory.interlocks.active
    assert "C1N" in oven.memory.interlocks.active
    assert oven.state("C1N") is State.LATCHED_UNACK
    oven.run(1, oven.ask(Verb.ACKNOWLEDGE))
    assert not {"I28L", "C1N"} & oven.memory.interlocks.active


def test_a_viewer_clears_no_latch():
    oven = Oven()
    oven.run(1, **LOCAL)
    oven.run(1)
    for verb in (Verb.ACKNOWLEDGE, Verb.RESET):
        oven.run(1, oven.ask(verb, role=Role.VIEWER))
        assert oven.answer()[0] is False
        assert "I28L" in oven.memory.interlocks.active


def test_a_value_that_flickers_is_one_alarm():
    oven = Oven()
    events = []
    for _ in range(10):
        events += oven.run(6, **ROOM_LOW) + oven.run(4)
    assert events == [("I20W", "raise", "UNACK")]


def test_a_journal_entry_is_recorded_and_waits_for_nobody():
    oven = Oven()
    oven.run(1, door_closed_a=False)
    assert oven.state("I3") is State.ACK
    oven.run(1)
    assert oven.state("I3") is State.NORMAL
    assert [note.content["event"] for note in oven.notes if note.kind == "alarm" and note.content["rule"] == "I3"] == ["raise", "clear"]


def test_every_change_tells_who_what_and_how_urgent():
    oven = Oven()
    oven.run(1, **LOCAL)
    content = next(note.content for note in oven.notes if note.kind == "alarm" and note.content["rule"] == "I28L")
    assert content == {
        "rule": "I28L", "event": "raise", "state": "UNACK", "priority": "MEDIUM", "effect": "HOLD", "text": BY_ID["I28L"].text,
        "value": None, "first_out": True, "user": "", "reason": "", "by": "", "until_s": None,
    }  # fmt: skip
