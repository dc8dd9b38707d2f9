"""An exhaust that lets nothing out while N2 flows in: the core shuts the feed by itself, and the hot load stays inert (I4E, I4S)."""

import pytest

from controller.recipe.states import UnitState, Verb
from tests.causes import BLOCKED, fault, runs, shows, together
from tests.rigs import prepared

RELIEF_MBAR = 1100.0
DECEIVED = together(BLOCKED, shows(o2_pct=2.5))  # I7 asks for all the N2 there is, while the PLC sees an open exhaust


@pytest.mark.parametrize("cause", [BLOCKED, DECEIVED, fault("exhaust_valve_stuck_shut")], ids=["30 Nm3/h", "60 Nm3/h", "switches tell"])
def test_a_blocked_exhaust_lifts_no_relief_and_takes_the_heat_and_no_inert_gas(cause):
    rig = prepared("nitrogen")
    rig.notes.clear()
    cause.begin(rig)
    highest = 0.0
    for _ in range(600):
        highest = max(highest, rig.step().process.pressure_mbar)
    raised = {content["rule"] for _, kind, content in rig.notes if kind == "alarm" and content["event"] == "raise"}
    assert "I4E" in raised
    assert "I4" not in raised
    assert highest < RELIEF_MBAR - 20.0
    assert rig.record.unit_state is not UnitState.RUNNING
    assert not rig.plc.plant.field.main_closed
    assert rig.plc.plant.chamber.o2_pct < 0.1
    assert rig.record.process.pressure_mbar > 1013.0
    assert rig.unsafe == []


def test_the_n2_comes_back_by_itself_and_the_heat_only_with_a_person():
    rig = prepared("nitrogen")
    BLOCKED.begin(rig)
    assert runs(rig, None, 60, until="I4S") is not None
    runs(rig, None, 60)
    assert rig.record.unit_state is UnitState.HELD
    assert not rig.record.outputs.n2_valve
    BLOCKED.end(rig)
    runs(rig, None, 60)
    assert rig.record.outputs.n2_flow_sp_nm3_h > 0.0
    assert rig.record.unit_state is UnitState.HELD
    assert not rig.record.outputs.heat_enable
    rig.ask(Verb.RESTART)
    runs(rig, None, 60)
    assert rig.record.unit_state is UnitState.RUNNING
    assert rig.record.outputs.heat_enable
