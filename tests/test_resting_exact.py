"""A unit that rests, stops, was aborted or has ended: what its gas does until it is cold and inert, and when the door is released."""

import pytest

from controller.image import Atmosphere
from controller.interlocks.conditioning import condition
from controller.interlocks.gauges import Watch
from controller.interlocks.limits import Limits
from controller.recipe import resting
from controller.recipe.look import PhaseScan, gas_only
from controller.recipe.standing import NOTHING, Batch, UnitMemory
from controller.recipe.states import UnitState
from tests.images import BAD, image
from tests.test_check_exact import phase
from tests.test_claims_exact import LOAD, RECIPE
from tests.test_interlocks import BELIEF, at_c

FLOW = 60.0  # Nm3/h, the controller's full scale
COOLING = gas_only(Atmosphere.N2_FLOW, 1013.25, 30.0)
FILLING = gas_only(Atmosphere.BACKFILL, 1008.0, FLOW)
SLOWLY = FILLING._replace(n2_flow_nm3_h=6.0)  # a tenth of the full scale above 900 mbar
CLOSED = gas_only(Atmosphere.HOLD_CLOSED)
KEEPING = gas_only(Atmosphere.VACUUM, 50.0)
KEPT = gas_only(Atmosphere.N2_FLOW, 1013.25, 6.0)
HOT = gas_only(Atmosphere.VACUUM, 20.0)._replace(heat=True, temp_c=200.0)


def look(temp_c=23.0, pressure=1013.0, **changed):
    walls = at_c(BAD if temp_c is None else temp_c)
    inputs = image(pressure_cap_mbar=pressure, pressure_pirani_mbar=BAD, **walls, **changed)
    return PhaseScan(inputs, condition(Limits(), inputs), BELIEF, None, 1.0, 0.0, False, 2.0, FLOW, breathable=False)


def unit(state, action="COOL_GAS", **changed):
    recipe = RECIPE.model_copy(update={"phase": (*RECIPE.phase[:-1], phase("END", action=action))})
    memory = UnitMemory(state=state, batch=Batch(1, recipe, "0" * 64, LOAD, "anna", 0.0), was_heated=True, setpoints=HOT)
    return memory._replace(**changed)


AIRY = gas_only(Atmosphere.AIR, 1013.25)._replace(door_release=True)
SWEEPING = {"vent_valve_open": True, "exhaust_valve_open": True, "exhaust_run": True}
SWEPT = gas_only(Atmosphere.SWEEP, 1013.25)._replace(door_release=True)


def test_an_idle_oven_stands_with_its_vent_open_and_the_door_released_and_draws_air_through_until_one_can_breathe():
    memory, waiting, notes = resting.step(UnitMemory(), look()._replace(breathable=True))
    assert (memory, waiting, notes) == (UnitMemory(setpoints=AIRY), "", ())
    blind, waiting, _ = resting.step(memory, look(o2_pct=BAD)._replace(breathable=True))
    assert (blind.setpoints, waiting) == (SWEPT, "")  # what a sweep showed must not grow old
    memory, waiting, notes = resting.step(memory, look(o2_pct=3.2, **SWEEPING))
    assert (memory, notes) == (UnitMemory(setpoints=SWEPT), ())
    assert waiting == "3.2 vol% O2 behind the door: air is drawn through before it is released (I19N)"
    assert resting.step(memory, look(o2_pct=BAD, **SWEEPING))[1].startswith("no valid O2 reading: air is drawn through")
    for changed, said in (
        ({"vent_valve_open": False}, "waits for the air vent to open"), ({"exhaust_run": False}, "fan does not run"),
        ({"exhaust_valve_open": BAD}, "waits for the exhaust valve"), ({"plc_state": 5}, "the PLC is TRIPPED"),
    ):  # fmt: skip
        assert said in resting.step(memory, look(o2_pct=3.2, **{**SWEEPING, **changed}))[1]


@pytest.mark.parametrize("state", [UnitState.COMPLETE, UnitState.STOPPED, UnitState.ABORTED])
def test_who_waits_at_the_door_of_an_ended_unit_is_told_what_is_behind_it(state):
    waiting = resting.step(unit(state, setpoints=NOTHING), look(o2_pct=0.4))[1]
    assert waiting == "RESET, which draws air through: 0.4 vol% O2 behind the door, it stays locked (I19N)"


def test_a_unit_that_ended_on_air_stands_with_its_vent_open_and_no_n2_fills_what_cools():
    ends = unit(UnitState.COMPLETE, setpoints=NOTHING)
    memory, waiting, _ = resting.step(ends, look()._replace(breathable=True))
    assert (memory.setpoints, waiting) == (AIRY, "")
    assert resting.at_rest(memory)
    cools, _, _ = resting.step(memory, look(40.0, 960.0)._replace(breathable=True, washed=False))
    assert cools.setpoints == AIRY
    warms, _, _ = resting.step(memory, look(62.0)._replace(breathable=True))
    assert warms.setpoints == COOLING
    gone, _, _ = resting.step(memory, look()._replace(breathable=False))  # N2 leaks in: shut, and no door
    assert gone.setpoints == RESTS


SAFE = [  # temperature, pressure, heated before, gas before -> set points
    (200.0, 1013.0, True, HOT, COOLING),
    (60.0, 1013.0, True, HOT, COOLING),
    (59.9, 1013.0, True, HOT, NOTHING),
    (None, 1013.0, True, HOT, COOLING),  # nobody knows how hot it is
    (200.0, 1013.0, False, HOT, NOTHING),  # never heated
    (200.0, 993.0, True, HOT, COOLING),
    (200.0, 899.9, True, HOT, FILLING),
    (200.0, 900.0, True, HOT, SLOWLY),
    (200.0, 992.9, True, HOT, SLOWLY),
    (20.0, 899.9, True, HOT, FILLING),  # cold too: the vacuum is broken with N2
    (20.0, 992.9, True, HOT, SLOWLY),
    (20.0, 992.9, False, HOT, SLOWLY),
    (20.0, 992.9, True, NOTHING, SLOWLY),  # one that rests in N2
    (20.0, 1007.9, True, FILLING, SLOWLY),
    (20.0, 1008.0, True, FILLING, NOTHING),
    (200.0, 1008.0, True, FILLING, COOLING),
    (20.0, 1007.9, True, COOLING, NOTHING),
    (20.0, BAD, True, HOT, CLOSED),
    (200.0, BAD, True, FILLING, CLOSED),
]


@pytest.mark.parametrize(("temp_c", "pressure", "heated", "before", "wanted"), SAFE)
@pytest.mark.parametrize("state", [UnitState.STOPPING, UnitState.ABORTING, UnitState.STOPPED, UnitState.ABORTED])
def test_a_unit_that_ends_stays_inert_until_it_is_cold_and_fills_with_n2_only(state, temp_c, pressure, heated, before, wanted):
    memory, _, _ = resting.step(unit(state, was_heated=heated, setpoints=before), look(temp_c, pressure, main_contactor=True))
    assert memory.setpoints == wanted


LOST = [  # temperature, Pirani, exhaust open, gas before -> set points while the capacitance gauge is lost
    (200.0, 1000.0, True, COOLING, COOLING),
    (60.0, BAD, True, COOLING._replace(n2_flow_nm3_h=20.0, heat=True), COOLING),
    (59.9, 1000.0, True, COOLING, NOTHING),
    (200.0, 1000.0, False, COOLING, CLOSED),  # gas has no way out that is seen
    (200.0, 1000.0, BAD, COOLING, CLOSED),
    (20.0, 1000.0, False, COOLING, CLOSED),
    (20.0, 1000.0, False, NOTHING, NOTHING),  # at rest it stays so
    (61.9, 1000.0, False, NOTHING, NOTHING),
    (62.0, 1000.0, False, NOTHING, CLOSED),
    (200.0, 20.0, False, HOT, KEEPING),
    (200.0, 99.9, False, FILLING, KEEPING),
    (200.0, 100.0, False, FILLING, CLOSED),
    (20.0, 20.0, False, KEEPING, KEEPING),  # never filled as long as nobody could see it
]


@pytest.mark.parametrize(("temp_c", "pirani", "opened", "before", "wanted"), LOST)
@pytest.mark.parametrize("state", [UnitState.STOPPING, UnitState.ABORTING, UnitState.STOPPED, UnitState.ABORTED])
def test_without_the_capacitance_gauge_a_unit_that_ends_keeps_its_flow_or_its_vacuum(state, temp_c, pirani, opened, before, wanted):
    inputs = image(pressure_cap_mbar=BAD, pressure_pirani_mbar=pirani, exhaust_valve_open=opened, main_contactor=True, **at_c(temp_c))
    scan = look()._replace(inputs=inputs, process=condition(Limits(), inputs))
    memory, waiting, _ = resting.step(unit(state, setpoints=before), scan)
    assert memory.setpoints == wanted
    assert ("the capacitance gauge: vacuum is kept" in waiting) is (wanted is KEEPING)


RESTS = NOTHING._replace(door_release=True)
HEATED = [  # temperature, washed, gas before, state -> set points of a unit whose batch was heated, at 1013 mbar
    (59.9, False, HOT, UnitState.STOPPED, COOLING),  # the PLC counts from the first minute of heat, too
    (59.9, True, HOT, UnitState.STOPPED, NOTHING),
    (61.9, False, NOTHING, UnitState.STOPPED, NOTHING),  # it rests, whatever becomes of its proof
    (62.0, False, NOTHING, UnitState.STOPPED, COOLING),
    (None, False, NOTHING, UnitState.STOPPED, NOTHING),  # an image that is lost wakes nobody
    (59.9, False, NOTHING, UnitState.COMPLETE, COOLING),  # END has everything off before it has looked
    (59.9, False, RESTS, UnitState.COMPLETE, RESTS),
    (62.0, False, RESTS, UnitState.COMPLETE, COOLING),
]


@pytest.mark.parametrize(("temp_c", "washed", "before", "state", "wanted"), HEATED)
def test_what_was_heated_is_washed_once_before_it_rests(temp_c, washed, before, state, wanted):
    scan = look(temp_c)._replace(washed=washed)
    assert resting.step(unit(state, setpoints=before), scan)[0].setpoints == wanted


@pytest.mark.parametrize(("door", "temp_c", "washed", "wanted"), [
    ("ab", 20.0, True, NOTHING),  # a storm outside fills no open oven
    ("ab", 20.0, False, NOTHING),  # and no vapour is washed out of one
    ("ab", 200.0, True, SLOWLY), ("", 20.0, True, SLOWLY), ("a", 20.0, True, SLOWLY), ("b", 20.0, True, SLOWLY),  # one switch opens none
])  # fmt: skip
def test_no_n2_is_asked_for_into_a_cold_oven_that_stands_open(door, temp_c, washed, wanted):
    scan = look(temp_c, 985.0, **{f"door_closed_{switch}": False for switch in door})._replace(washed=washed)
    assert resting.step(unit(UnitState.STOPPED), scan)[0].setpoints == wanted


@pytest.mark.parametrize(("temp_c", "changed", "waits"), [
    (59.9, {"exhaust_valve_open": True}, "washing the vapour out with N2 (I19)"),
    (59.9, {}, "washing the vapour out with N2 (I19): the exhaust valve is not seen open"),
    (59.9, {"exhaust_valve_open": True, "n2_flow_nm3_h": BAD}, "washing the vapour out with N2 (I19): FT-402 gives no reading"),
    (60.0, {}, "cooling in N2, hottest 60 degC"),
])  # fmt: skip
@pytest.mark.parametrize("state", [UnitState.STOPPING, UnitState.STOPPED, UnitState.ABORTED, UnitState.COMPLETE])
def test_a_unit_that_is_washed_says_so_and_what_keeps_it_from_being_counted(state, temp_c, changed, waits):
    scan = look(temp_c, main_contactor=True, **changed)._replace(washed=False)
    assert resting.step(unit(state), scan)[1] == waits


@pytest.mark.parametrize(("before", "wanted", "waits"), [
    (HOT, KEEPING, "N2: vacuum is kept until it is back"), (FILLING, FILLING, "cooling in N2, hottest 200 degC"),
])  # fmt: skip
def test_an_empty_header_keeps_a_vacuum_and_breaks_off_no_filling(before, wanted, waits):
    memory, waiting, _ = resting.step(unit(UnitState.STOPPING, setpoints=before), look(200.0, 20.0)._replace(n2_gone=True))
    assert (memory.setpoints, waiting) == (wanted, waits)


def test_a_frozen_gauge_is_as_good_as_none_for_a_unit_that_ends():
    inputs = image(pressure_cap_mbar=400.0, pressure_pirani_mbar=20.0, **at_c(200.0))
    scan = look()._replace(inputs=inputs, process=condition(Limits(), inputs, Watch(frozen=True, mark_mbar=400.0)))
    assert resting.step(unit(UnitState.STOPPING), scan)[0].setpoints == KEEPING


def test_stopping_has_stopped_when_it_is_cold_and_inert():
    memory, waiting, (note,) = resting.step(unit(UnitState.STOPPING), look(59.9))
    assert (memory.state, memory.cause, waiting, note.kind) == (UnitState.STOPPED, "cold and inert", "", "state")
    memory, waiting, notes = resting.step(unit(UnitState.STOPPING), look(60.4))
    assert (memory.state, waiting, notes) == (UnitState.STOPPING, "cooling in N2, hottest 60 degC", ())
    assert resting.step(unit(UnitState.STOPPING), look(None))[1] == "cooling in N2, hottest unknown"


@pytest.mark.parametrize(("contactor", "state"), [(False, UnitState.ABORTED), (True, UnitState.ABORTING), (BAD, UnitState.ABORTING)])
def test_aborting_has_aborted_when_the_contactor_is_seen_to_be_open(contactor, state):
    memory, waiting, notes = resting.step(unit(UnitState.ABORTING), look(200.0, main_contactor=contactor))
    assert memory.state is state
    assert (waiting, [note.content["cause"] for note in notes]) == (
        ("", ["heat contactor open"]) if state is UnitState.ABORTED else ("cooling in N2, hottest 200 degC", [])
    )
    assert resting.step(unit(UnitState.ABORTING), look(20.0, main_contactor=True))[0].state is UnitState.ABORTING  # cold is not enough


@pytest.mark.parametrize("state", [UnitState.STOPPED, UnitState.ABORTED])
def test_an_ended_unit_waits_for_reset_and_stays(state):
    memory, waiting, notes = resting.step(unit(state), look(20.0, main_contactor=False)._replace(breathable=True))
    assert (memory.state, waiting, notes) == (state, "RESET", ())


ENDS = [  # the recipe's end, temperature, pressure, heated -> set points, kept inert
    ("COOL_GAS", 200.0, 1013.0, True, COOLING, False),
    ("COOL_GAS", 59.9, 1013.0, True, NOTHING._replace(door_release=True), False),
    ("COOL_GAS", 20.0, 20.0, True, FILLING, False),
    ("INERT", 59.9, 1013.0, True, KEPT, True),
    ("INERT", 60.0, 1013.0, True, COOLING, False),
    ("INERT", 20.0, 20.0, True, FILLING, False),
    ("OFF", 59.9, 20.0, True, NOTHING, False),  # the vacuum is kept
    ("OFF", 200.0, 20.0, False, NOTHING, False),  # never heated
    ("OFF", 60.0, 20.0, True, FILLING, False),
    ("OFF", None, 1013.0, True, COOLING, False),
]


def test_off_keeps_the_vacuum_of_a_washed_load_only():
    unwashed = look(59.9, 20.0)._replace(washed=False)
    assert resting.step(unit(UnitState.COMPLETE, "OFF"), unwashed)[0].setpoints == FILLING


@pytest.mark.parametrize(("action", "temp_c", "pressure", "heated", "wanted", "inert"), ENDS)
def test_a_complete_batch_ends_as_its_recipe_says(action, temp_c, pressure, heated, wanted, inert):
    memory, waiting, notes = resting.step(unit(UnitState.COMPLETE, action, was_heated=heated), look(temp_c, pressure))
    assert (memory.setpoints, memory.kept_inert, notes) == (wanted, inert, ())
    assert waiting.startswith("RESET") is resting.at_rest(memory)
    assert memory.state is UnitState.COMPLETE


def test_a_complete_unit_without_a_batch_cools_with_gas():
    memory, _, _ = resting.step(UnitMemory(state=UnitState.COMPLETE, was_heated=True, setpoints=HOT), look(200.0))
    assert memory.setpoints == COOLING


def test_at_rest_is_off_or_kept_inert():
    assert resting.at_rest(UnitMemory(setpoints=NOTHING))
    assert resting.at_rest(UnitMemory(setpoints=KEPT, kept_inert=True))
    assert not resting.at_rest(UnitMemory(setpoints=KEPT))
