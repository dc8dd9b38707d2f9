"""Alarms: their states, what people may do to them, suppression, figures, and that none of it touches what the interlocks do."""

import json
import random
from collections import Counter

import pytest
from typer.testing import CliRunner

from controller.__main__ import app
from controller.actions.alarming import ROWS
from controller.alarms import annunciate, operate, statistics
from controller.alarms.annunciate import Signal
from controller.alarms.rationalisation import TABLE, TO_CONFIRM, off_delay_s, priority
from controller.alarms.states import EVENTS, AlarmMemory, AlarmSettings, Priority, State, find, state_of
from controller.alarms.statistics import Stood
from controller.alarms.suppression import SUPPRESSED_BY
from controller.command import Command
from controller.documents.injections import INJECTIONS, SITUATIONS
from controller.intake import command_of
from controller.interlocks.evaluate import BY_ID
from controller.interlocks.rule import Effect, Reset
from controller.interlocks.table import RULES
from controller.journal import alarms as told
from controller.journal.entry import Stored, entry
from controller.journal.mailbox import MailboxRow
from controller.journal.store import Journal
from controller.memory import Memory, Settings
from controller.northbound import topics
from controller.recipe.states import Verb
from controller.recorder import MEMORY
from controller.roles import Role
from controller.scan import power_return, scan
from tests.images import bare, image

SETTINGS = bare()
STOP_PRESSED = {"estop_ok": False}  # I2: trips, hard-wired, reset by hand; to be confirmed
ROOM_LOW = {"room_o2_pct": 19.0}  # I20W: warns, clears by itself, 5 s delay, 10 s off-delay
LOCAL = {"remote": False}  # I28L: holds, keeps a latch, no delay
N2_VALVE = {"n2_valve_open": True}  # C1N: holds, keeps a latch, 5 s delay
STOPS = Effect.ABORT | Effect.HOLD | Effect.SUSPEND


class Oven:
    """The scan with a calm oven's image, changed as the test says; remembers every note."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.settings, self.memory, self.at_s, self.notes, self.records = settings, Memory(), 100.0, [], []

    def run(self, seconds, *commands, **changed):
        """Scan ``seconds`` times, the commands in the first scan; return the alarm events of that time as (rule, event, state)."""
        before = len(self.notes)
        for second in range(seconds):
            self.at_s += 1.0
            asked = commands if second == 0 else ()
            self.memory, record = scan(self.settings, self.memory, image(at_s=self.at_s, **changed), asked)
            self.notes += record.notes
            self.records.append(record)
        return [
            (note.content["rule"], note.content["event"], note.content["state"])
            for note in self.notes[before:]
            if note.kind == "alarm" and note.content["priority"] != "JOURNAL"
        ]

    def ask(self, verb, role=Role.ENGINEER, reason="because of the test", user="anna", **args):
        """Return a command."""
        number = len(self.notes) + len(self.records)
        return Command(f"id-{number}-{verb}-{args}", user, verb, None, number, reason=reason, args=args, role=role)

    def answer(self):
        """Return whether the last command was accepted, and the answer."""
        content = next(note.content for note in reversed(self.notes) if note.kind == "command")
        return content["accepted"], content["answer"]

    def state(self, rule):
        return state_of(find(self.memory.alarms, rule))


def tripped():
    """Return an oven whose emergency stop was pressed, acknowledged, released and reset."""
    oven = Oven()
    oven.run(2, **STOP_PRESSED)
    oven.run(1, oven.ask(Verb.ACKNOWLEDGE, rule="I2"), **STOP_PRESSED)
    oven.run(1)
    oven.run(2, oven.ask(Verb.RESET))
    return oven


# --- The tables ---------------------------------------------------------------------------------------------------------------------------


def test_every_row_is_rationalised_and_nothing_else_is():
    assert sorted(TABLE) == sorted(BY_ID)
    thin = [row.rule for row in TABLE.values() if min(map(len, (row.cause, row.consequence, row.action))) < 4]
    assert thin == []


def test_every_row_has_its_injection_in_the_acceptance_protocol():
    assert sorted(INJECTIONS) == sorted(BY_ID)
    assert {one.when for one in INJECTIONS.values()} <= set(SITUATIONS)


def test_whoever_has_to_act_has_a_time_to_respond():
    missing = [row.rule for row in TABLE.values() if row.priority in (Priority.CRITICAL, Priority.HIGH) and not row.respond_min]
    assert missing == []
    late = {row.rule: row.respond_min for row in TABLE.values() if row.priority is Priority.CRITICAL and row.respond_min > 5}
    assert late == {}


def test_priorities_are_spread_so_that_the_urgent_ones_stand_out():
    counts = Counter(TABLE[rule.id].priority for rule in RULES if TABLE[rule.id].priority is not Priority.JOURNAL)
    total = counts.total()
    assert counts[Priority.CRITICAL] <= 0.1 * total
    assert counts[Priority.CRITICAL] + counts[Priority.HIGH] <= 0.3 * total


def test_every_row_that_trips_is_to_be_confirmed_and_none_that_may_be_hidden_or_goes_by_itself():
    trips = {rule.id for rule in RULES if rule.effect & Effect.ABORT}
    assert trips <= TO_CONFIRM <= ROWS.never_hidden & ROWS.latching
    assert not TO_CONFIRM & set(SUPPRESSED_BY)


def test_what_stops_a_batch_is_announced():
    silent = [rule.id for rule in RULES if rule.effect & STOPS and priority(rule.id) is Priority.JOURNAL]
    assert silent == []


def test_only_rows_that_stop_nothing_and_go_by_themselves_have_an_off_delay():
    wrong = [rule.id for rule in RULES if off_delay_s(rule.id) > 0 and (rule.effect & STOPS or rule.reset is not Reset.AUTO)]
    assert wrong == []


def test_suppression_names_rows_never_hides_a_trip_and_has_no_circle():
    assert {*SUPPRESSED_BY, *(one for by in SUPPRESSED_BY.values() for one in by)} <= set(BY_ID)
    assert [rule for rule in SUPPRESSED_BY if rule in ROWS.never_hidden and not BY_ID[rule].hard_wired] == []

    def above(rule, seen=()):
        assert rule not in seen, f"{rule} suppresses itself"
        for one in SUPPRESSED_BY.get(rule, ()):
            above(one, (*seen, rule))

    for rule in SUPPRESSED_BY:
        above(rule)


# --- States -------------------------------------------------------------------------------------------------------------------------------


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


# --- Shelves and service ------------------------------------------------------------------------------------------------------------------


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


# --- Effects ------------------------------------------------------------------------------------------------------------------------------


def _trouble(seed):
    """Return images' changes of ten minutes in which things go wrong and right again."""
    chance = random.Random(seed)
    causes = [ROOM_LOW, LOCAL, N2_VALVE, {"door_closed_a": False}, {"n2_header_bar": 3.5}, {"n2_header_bar": 2.0}, {"gateway_ok": False},
              {"z1_tc_a_c": 60.0}, {"pressure_cap_mbar": 1070.0}, {"exhaust_lel_pct": 30.0}, {"condensate_kg": 14.0}]  # fmt: skip
    return [dict(pair for cause in chance.sample(causes, chance.randint(0, 3)) for pair in cause.items()) for _ in range(60)]


@pytest.mark.parametrize("seed", range(4))
def test_hiding_and_acknowledging_in_the_alarm_list_changes_no_output_and_no_verdict(seed):
    plain, hidden = Oven(), Oven()
    able = [rule.id for rule in RULES if rule.id not in ROWS.never_hidden and priority(rule.id) is not Priority.JOURNAL]
    shelved = [hidden.ask(Verb.SHELVE, rule=rule, minutes=60) for rule in able[::2]]
    out = [hidden.ask(Verb.OUT_OF_SERVICE, rule=rule) for rule in able[1::2]]
    hidden.run(1, *shelved, *out)
    plain.run(1)
    for changed in _trouble(seed):
        plain.run(10, **changed)
        hidden.run(10, **changed)
    assert {state for _, event, state in hidden.run(1) if event == "raise"} <= {"SHELVED", "OUT_OF_SERVICE", "UNACK"}
    plain.run(1)
    assert [(record.verdict, record.outputs) for record in plain.records] == [(record.verdict, record.outputs) for record in hidden.records]
    assert any(record.verdict.hold for record in plain.records)


def test_the_worse_alarm_hides_the_lesser_one_while_its_cause_stands():
    oven = Oven()
    assert oven.run(7, n2_header_bar=3.5) == [("I11W", "raise", "UNACK")]
    events = oven.run(7, n2_header_bar=2.0)
    assert ("I11", "raise", "UNACK") in events
    assert ("I11W", "suppress", "SUPPRESSED") in events
    assert {"I11W", "I11"} <= set(oven.records[-1].verdict.active)
    assert ("I11W", "unsuppress", "UNACK") in oven.run(7, n2_header_bar=3.8)


def test_nothing_hides_behind_an_alarm_that_is_itself_hidden():
    oven = Oven()
    oven.run(1, oven.ask(Verb.SHELVE, rule="I11", minutes=30))
    events = oven.run(10, n2_header_bar=2.0)
    assert ("I11W", "raise", "UNACK") in events
    assert oven.state("I11W") is State.UNACK


def test_the_first_out_is_not_suppressed():
    pump, rise = BY_ID["I14"].id, BY_ID["I6"].id
    memory, _ = annunciate.step(AlarmMemory(), ROWS, Signal(frozenset({rise}), frozenset({rise}), rise), 1.0)
    both = frozenset({rise, pump})
    memory, events = annunciate.step(memory, ROWS, Signal(both, both, rise), 2.0)
    assert [(one.rule, one.event) for one in events] == [(pump, "raise")]
    memory, events = annunciate.step(AlarmMemory(), ROWS, Signal(both, both, pump), 3.0)
    assert [(one.rule, one.event, one.state) for one in events] == [
        (rise, "raise", State.SUPPRESSED), (pump, "raise", State.UNACK), (rise, "suppress", State.SUPPRESSED),
    ]  # fmt: skip


# --- The journal says what the memory says ------------------------------------------------------------------------------------------------


def _walk(seed, steps=400):
    """Yield memory and events of a random walk through raises, clears, latches and people's actions."""
    chance = random.Random(seed)
    memory, active, at_s = AlarmMemory(), frozenset[str](), 0.0
    rules = ["I20W", "I11W", "I11", "I28L", "C1N", "I14", "I6", "I12", "I23", "I5", "I4W", "I4", "I27W", "I27"]
    able = [rule for rule in rules if rule not in ROWS.never_hidden]
    for _ in range(steps):
        at_s += chance.choice((1.0, 5.0, 60.0))
        standing = frozenset(rule for rule in rules if chance.random() < 0.3)
        lets_go = chance.random() < 0.2
        kept = {rule for rule in active - standing if rule in ROWS.latching and not lets_go}
        active = standing | kept
        asked = chance.randrange(8)
        happened = ()
        rule = chance.choice(able)
        alarm = find(memory, rule)
        if asked == 0:
            memory, happened = operate.acknowledge(memory, chance.choice((None, rule)), "anna")
        elif asked == 1 and alarm.shelved_until_s is None and not alarm.out_of_service:
            memory, happened = operate.shelve(memory, AlarmSettings(), rule, 3, "anna", "a reason", at_s)
        elif asked == 2 and alarm.shelved_until_s is not None:
            memory, happened = operate.unshelve(memory, rule, "anna", "")
        elif asked == 3:
            memory, happened = (operate.put_back if alarm.out_of_service else operate.take_out)(memory, rule, "bert", "a reason")
        memory, more = annunciate.step(memory, ROWS, Signal(active, standing, min(active, default=""), "anna" if lets_go else ""), at_s)
        yield at_s, memory, (*happened, *more)


@pytest.mark.parametrize("seed", range(10))
def test_each_change_of_state_is_an_entry(seed):
    shown = {}
    for _, memory, events in _walk(seed):
        for event in events:
            assert event.event in EVENTS
            shown[event.rule] = event.state
        now = {alarm.rule: state_of(alarm) for alarm in memory.rows}
        assert {rule: state for rule, state in shown.items() if state is not State.NORMAL} == {
            rule: state for rule, state in now.items() if state is not State.NORMAL
        }
        assert all(alarm.suppressed_by == "" or alarm.active for alarm in memory.rows)


def test_the_timers_wake_the_step_in_time():
    for at_s, memory, _ in _walk(99):
        ends_s = [end_s for alarm in memory.rows for end_s in (alarm.shelved_until_s, alarm.clears_at_s) if end_s is not None]
        assert memory.due_s == min(ends_s, default=None)
        assert not annunciate.timer_ended(memory, at_s - 1e-6) or min(ends_s) < at_s


def test_nothing_is_done_in_a_scan_without_a_change():
    oven = Oven()
    oven.run(6, **ROOM_LOW)
    alarms = oven.memory.alarms
    oven.run(50, **ROOM_LOW)
    assert oven.memory.alarms is alarms


def test_a_restart_brings_the_states_back():
    oven = Oven()
    oven.run(8, **ROOM_LOW, **LOCAL)
    oven.run(1, oven.ask(Verb.OUT_OF_SERVICE, rule="I32"), oven.ask(Verb.SHELVE, rule="I20W", minutes=30), **ROOM_LOW)
    states = {alarm.rule: state_of(alarm) for alarm in oven.memory.alarms.rows}
    assert states["I28L"] is State.LATCHED_UNACK
    back = MEMORY.validate_json(MEMORY.dump_json(oven.memory))
    assert back.alarms == oven.memory.alarms
    again, _ = power_return(back, image(at_s=oven.at_s + 60), SETTINGS, 60.0)
    assert {alarm.rule: state_of(alarm) for alarm in again.alarms.rows} == states


def test_a_checkpoint_from_before_there_were_alarm_states_loads():
    stored = json.loads(MEMORY.dump_json(Memory()))
    old = MEMORY.validate_json(json.dumps(stored[: Memory._fields.index("answered") + 1]))
    assert old.alarms == AlarmMemory()


# --- Figures ------------------------------------------------------------------------------------------------------------------------------


def _stood(*times_s, rule="I20W", **more):
    return [Stood(rule, Priority.MEDIUM, time_s, **more) for time_s in times_s]


def test_rates_follow_from_count_and_span():
    figures = statistics.statistics(_stood(0, 100, 200, 3000, 7200), 0.0, 7200.0)
    assert (figures.announced, figures.per_hour, figures.per_10_min, figures.worst_10_min) == (5, 2.5, pytest.approx(5 / 12), 3)


@pytest.mark.parametrize(
    ("times_s", "expected"),
    [
        ([50.0 * i for i in range(10)], []),  # ten in ten minutes are not more than ten
        ([50.0 * i for i in range(11)], [(0.0, 900.0, 11)]),  # ends when fewer than five are left: 300 + 600
        ([60.0 * i for i in range(40)], []),  # ten in any ten minutes
        ([50.0 * i for i in range(40)], [(0.0, 2350.0, 40)]),
        ([10.0 * i for i in range(11)] + [5000.0 + 10.0 * i for i in range(11)], [(0.0, 660.0, 11), (5000.0, 5660.0, 11)]),
    ],
)
def test_a_flood_begins_above_ten_in_ten_minutes_and_ends_below_five(times_s, expected):
    found = statistics.floods(times_s, 1e6)
    assert [(one.from_s, one.to_s, one.announced) for one in found] == expected


def test_a_flood_that_goes_on_has_no_end():
    assert statistics.floods([float(i) for i in range(20)], 60.0) == (statistics.Flood(0.0, None, 20, 20),)


def test_chattering_is_three_of_one_alarm_within_a_minute():
    found = [*_stood(0, 30, 59), *_stood(0, 30, 60, rule="I4W"), *_stood(0, 5, rule="I7W"), *_stood(6, rule="I8")]
    assert statistics.statistics(found, 0.0, 3600.0).chattering == (("I20W", 3),)


def test_stale_is_what_stands_for_more_than_a_day():
    found = [*_stood(0.0), *_stood(3600.0, rule="I4W"), *_stood(0.0, rule="I7W", cleared_s=86_000.0)]
    assert statistics.statistics(found, 80_000.0, 86_401.0).stale == (("I20W", 86_401.0),)


def test_the_most_frequent_ones_come_first_and_journal_entries_do_not_count():
    found = [one for number in range(12) for one in _stood(*range(number + 1), rule=f"R{number:02d}")]
    found += [Stood("I5", Priority.JOURNAL, 1.0)] * 50
    figures = statistics.statistics(found, 0.0, 3600.0)
    assert figures.announced == 78
    assert [rule for rule, _, _ in figures.top] == [f"R{number:02d}" for number in range(11, 1, -1)]
    assert figures.top[0] == ("R11", 12, pytest.approx(12 / 78))
    assert figures.by_priority == ((Priority.MEDIUM, 78, 1.0),)


# --- Readers ------------------------------------------------------------------------------------------------------------------------------


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
