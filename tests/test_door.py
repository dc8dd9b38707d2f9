"""The door of a unit that has ended: it is opened by and by, and never on layers that are hot or on vapour."""

from math import nan

import pytest

from controller.memory import Memory, Settings
from controller.recipe.states import UnitState, Verb
from controller.scan import scan
from sim.faults import inject
from tests.causes import shows
from tests.images import BAD, image
from tests.rigs import prepared

OPEN_C = 61.0  # 60 degC, and one for the instruments


def ended(rig, verb=Verb.STOP, hours=6.0):
    """Stop the batch, RESET it as soon as it has come to rest, and return the hottest layer's true temperature when the door opens."""
    assert not rig.ask(verb)
    while rig.record.unit_state not in (UnitState.STOPPED, UnitState.COMPLETE):
        rig.step()
        assert rig.at_s < 3600.0 * hours, rig.record.waiting
    assert not rig.ask(Verb.RESET)
    for _ in range(1800):  # I19 has its deadband below 60 degC
        rig.step()
        if not rig.plc.actuators.door_locked:
            break
    assert rig.record.unit_state is UnitState.IDLE
    assert not rig.unsafe
    return rig.plc.plant.load_max_c


def test_after_two_minutes_of_heat_the_door_opens_once_the_vapour_is_washed_out():
    """The walls were never above 60 degC, the PLC counts from the first minute of heat: without a wash it kept the door locked for ever."""
    rig = prepared("slow")
    assert rig.plc.guards.heated
    assert ended(rig) < OPEN_C
    assert not rig.plc.actuators.door_locked


def test_a_lost_load_thermocouple_keeps_the_door_locked_for_a_while_and_not_for_ever():
    rig = prepared("vacuum")
    rig.settings = rig.settings.model_copy(update={"limits": rig.settings.limits.model_copy(update={"load_follow_h": 1.0})})
    inject(rig.plc, "load_tc_open")
    sound, hot = prepared("vacuum"), rig.at_s
    assert ended(rig) < OPEN_C
    assert not rig.plc.actuators.door_locked
    ended(sound)
    assert rig.at_s - hot > 1.5 * (sound.at_s - hot)  # nobody knows the one that is lost


def test_an_idle_oven_opens_though_a_load_thermocouple_is_unplugged():
    rig = prepared("idle")
    inject(rig.plc, "load_tc_open")
    for _ in range(400):  # air is drawn through
        rig.step()
    assert rig.record is not None
    assert "I21L" in rig.record.verdict.active
    assert not rig.plc.actuators.door_locked


def test_walls_that_nobody_reads_make_no_load_colder():
    """A card of thermocouples that fails as the unit cools: without the walls nothing was added to the load, and the unit came to rest."""
    rig = prepared("vacuum")
    assert not rig.ask(Verb.STOP)
    while rig.record.process.hottest_c >= 75.0:
        rig.step()
    most_c = rig.memory.most_c
    shows(**{f"z{zone}_tc_{at}_c": nan for zone in (1, 2, 3) for at in "abc"}).begin(rig)
    for _ in range(600):
        rig.step()
    assert rig.record.process.zone_max_c is None
    assert 0.9 * most_c < rig.record.process.hottest_c <= most_c
    assert rig.record.unit_state is UnitState.STOPPING


def test_a_load_thermocouple_that_is_unplugged_to_unload_the_oven_starts_no_gas():
    rig = prepared("vacuum")
    assert ended(rig) < OPEN_C
    released_c = rig.record.process.hottest_c
    assert rig.memory.most_c == released_c
    inject(rig.plc, "load_tc_open")
    for _ in range(60):
        rig.step()
    assert rig.record.process.hottest_c <= released_c
    assert not rig.plc.actuators.door_locked


def test_a_core_without_any_memory_takes_a_cold_oven_for_what_it_reads():
    settings, lost = Settings(), image(load_core_c=BAD)
    memory, record = scan(settings, Memory(), lost)
    assert record.process.hottest_c == memory.most_c == 23.0
    batch = prepared("vacuum").memory
    memory, record = scan(settings, batch._replace(most_c=None), lost)
    assert record.process.hottest_c == pytest.approx(settings.equipment.max_c, abs=0.1)
