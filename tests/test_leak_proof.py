"""What a leak test has shown ends with the door, also when the unit was stopped in the scan after the test."""

import pytest

from controller.recipe.states import Verb
from sim.faults import inject
from tests.rigs import prepared


@pytest.mark.parametrize("verb", [Verb.HOLD, Verb.STOP, Verb.ABORT])
def test_an_opened_door_ends_the_leak_test_s_proof_though_the_unit_was_stopped_right_after_the_test(verb):
    rig = prepared("leak test")
    while not rig.memory.unit.leak_ok:
        rig.step()
    rig.ask(verb)
    rig.step()
    assert rig.memory.proof.leak_ok
    inject(rig.plc, "door_forced")
    for _ in range(5):
        rig.step()
    assert "I3" in rig.record.verdict.active
    assert not rig.memory.proof.leak_ok
