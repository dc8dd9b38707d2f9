"""An exhaust that lets nothing out while N2 flows in: the core shuts the feed by itself, and the hot load stays inert (I4E, I4S)."""

from itertools import pairwise

import pytest

from controller.image import Atmosphere
from controller.interlocks.evaluate import Verdict
from controller.memory import Settings
from controller.recipe.look import gas_only
from controller.recipe.states import UnitState, Verb
from controller.scan import _eased
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


def test_n2_that_finds_only_a_draught_comes_so_slowly_that_its_valve_rests():
    """Random fault 7090: without its fan the exhaust lets a little out; the inlet opened and shut every 18 s, and I4W with it."""
    rig = prepared("nitrogen")
    together(fault("exhaust_lost"), shows(o2_pct=2.5)).begin(rig)  # I7 asks for all the N2 there is
    assert runs(rig, None, 60, until="I4S") is not None
    asked = [rig.step().outputs.n2_valve for _ in range(240)]
    strokes = sum(was != now for was, now in pairwise(asked))
    told = [content["event"] for _, kind, content in rig.notes if kind == "alarm" and content["rule"] == "I4W"]
    assert strokes <= 2
    assert told.count("raise") <= 1
    assert rig.record.outputs.n2_flow_sp_nm3_h == 6.0
    assert rig.plc.plant.chamber.o2_pct < 0.1
    assert rig.unsafe == []


def test_only_a_flow_is_eased_and_only_while_it_does_not_leave():
    flows, fills = gas_only(Atmosphere.N2_FLOW, 1013.0, 60.0), gas_only(Atmosphere.BACKFILL, 950.0, 60.0)
    dammed = Verdict(active=("I4S",))
    assert _eased(flows, dammed, Settings()) == flows._replace(n2_flow_nm3_h=6.0)
    assert _eased(flows._replace(n2_flow_nm3_h=3.0), dammed, Settings()).n2_flow_nm3_h == 3.0
    assert _eased(fills, dammed, Settings()) == fills  # into a chamber that takes it
    assert _eased(flows, Verdict(active=("I4E",)), Settings()) == flows
