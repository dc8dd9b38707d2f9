"""The door of a unit that has ended: it is opened by and by, and never on layers that are hot or on vapour."""

from controller.recipe.states import UnitState, Verb
from sim.faults import inject
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
    for _ in range(30):
        rig.step()
    assert rig.record is not None
    assert "I21L" in rig.record.verdict.active
    assert not rig.plc.actuators.door_locked
