"""A chamber that is filled with N2 in the cold can be opened then: what comes in while the valve shuts does not keep the door locked."""

import pytest

from controller.image import Atmosphere
from controller.permissives import Question, blockers
from controller.recipe.states import UnitState, Verb
from tests.rigs import prepared


@pytest.mark.parametrize("verb", [Verb.ABORT, Verb.STOP])
def test_a_unit_that_was_ended_in_the_cold_vacuum_can_be_opened_once_it_is_idle(verb):
    rig = prepared("evacuate")
    while not (rig.step().process.pressure_mbar or 1e3) < 100.0:
        pass
    rig.ask(verb)
    rig.step()
    while rig.memory.unit.state not in (UnitState.ABORTED, UnitState.STOPPED) or rig.memory.unit.setpoints.atmosphere is not Atmosphere.OFF:
        rig.step()
    for _ in range(10):  # the valve has shut
        rig.step()
    rig.ask(Verb.RESET)
    assert rig.step().unit_state is UnitState.IDLE
    assert rig.record.process.pressure_mbar < 1020.0
    found = blockers(Question.OPEN, rig.settings, rig.memory, frozenset(rig.record.verdict.active), rig.record.inputs, rig.record.process)
    assert [one.rule for one in found] == ["I19N"]  # N2 is behind the door
    for _ in range(600):
        rig.step()
        if not rig.plc.actuators.door_locked:
            break
    assert rig.record.outputs.door_release
    assert not rig.plc.actuators.door_locked
