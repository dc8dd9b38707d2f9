"""What hides alarms, people or worse alarms, changes nothing of what the interlocks do."""

import pytest

from controller.actions.alarming import ROWS
from controller.alarms import annunciate
from controller.alarms.annunciate import Signal
from controller.alarms.rationalisation import priority
from controller.alarms.states import AlarmMemory, Priority, State
from controller.interlocks.evaluate import BY_ID
from controller.interlocks.table import RULES
from controller.recipe.states import Verb
from tests.annunciator import Oven
from tests.annunciator import trouble as _trouble


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
