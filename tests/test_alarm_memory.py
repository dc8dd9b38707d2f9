"""The memory of the alarms: each change of a state is an event, and a restart brings the states back."""

import json
import random

import pytest

from controller.actions.alarming import ROWS
from controller.alarms import annunciate, operate
from controller.alarms.annunciate import Signal
from controller.alarms.states import EVENTS, AlarmMemory, AlarmSettings, State, find, state_of
from controller.memory import Memory
from controller.power_return import power_return
from controller.recipe.states import Verb
from controller.recorder import MEMORY
from tests.annunciator import LOCAL, ROOM_LOW, SETTINGS, Oven
from tests.images import image


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
