"""No door opens on N2: VENT and IDLE draw air through the chamber until there is air to breathe; what cools afterwards draws air, too."""

import pytest

from controller.image import Atmosphere
from controller.interlocks.atmosphere import Proof, step
from controller.interlocks.conditioning import condition
from controller.interlocks.gauges import METER_ZERO_NM3_H
from controller.interlocks.limits import Limits
from controller.recipe.states import FINAL, UnitState, Verb
from sim.faults import inject
from sim.unloading import unload
from tests.images import BAD, image
from tests.rigs import prepared

# ---- what counts as drawn through ----


VENTED = {"vent_valve_open": True, "vent_valve_closed": False, "vac_valve_closed": True, "n2_valve_closed": True}


def swept(seconds, proof=None, **changed):
    proof = proof or Proof(boot_id=7)
    for _ in range(seconds):
        inputs = image(**{**VENTED, "exhaust_valve_open": True, "exhaust_run": True, **changed})
        proof = step(proof, Limits(), 2.0, inputs, condition(Limits(), inputs), False, 0.0)
    return proof


def test_a_sweep_counts_while_vent_exhaust_and_fan_are_seen():
    assert swept(10).swept_s == 10.0
    for name in ("vent_valve_open", "exhaust_valve_open", "exhaust_run"):
        for gone in (False, BAD):
            assert swept(10, swept(5), **{name: gone}).swept_s == 5.0


@pytest.mark.parametrize("name", ["n2_valve_closed", "vac_valve_closed"])
@pytest.mark.parametrize("gone", [False, BAD])
def test_n2_or_the_pump_takes_it_back(name, gone):
    assert swept(1, swept(5), **{name: gone}).swept_s == 0.0


def test_a_lost_image_and_another_start_of_the_plc_take_it_back():
    assert swept(1, swept(5), plc_boot_id=BAD).swept_s == 0.0
    assert swept(1, swept(5), plc_boot_id=8).swept_s == 0.0
    assert swept(2, swept(5), plc_boot_id=8).swept_s == 1.0


def test_n2_that_passes_its_shut_valve_takes_it_back():
    assert swept(1, swept(5), n2_flow_nm3_h=METER_ZERO_NM3_H).swept_s == 0.0
    assert swept(1, swept(5), n2_flow_nm3_h=0.9 * METER_ZERO_NM3_H).swept_s == 6.0
    assert swept(1, swept(5), n2_flow_nm3_h=BAD).swept_s == 6.0


def test_the_air_of_a_hall_that_lacks_o2_does_not_count():
    assert swept(5, swept(5), room_o2_pct=19.4).swept_s == 5.0
    assert swept(5, swept(5), room_o2_pct=BAD).swept_s == 10.0


def test_a_door_that_stands_open_for_a_minute_airs_as_much_as_the_longest_sweep_and_one_switch_is_none():
    opened = {"door_closed_a": False, "door_closed_b": False}
    assert swept(30, **opened).swept_s == 450.0
    assert swept(70, **opened).swept_s == 900.0
    assert swept(10, door_closed_a=False, vent_valve_open=False).swept_s == 0.0


# ---- whole units ----


def unlocked(rig, seconds):
    """Return after how many seconds the lock lets go."""
    from_s = rig.at_s
    while rig.plc.actuators.door_locked:
        rig.step()
        assert rig.at_s - from_s < seconds, rig.record.waiting
    return rig.at_s - from_s


def stopped(phase="slow"):
    """A unit that was stopped in its heat, cold and full of N2."""
    rig = prepared(phase)
    assert not rig.ask(Verb.STOP)
    while rig.record.unit_state not in FINAL:
        rig.step()
    rig.step()
    return rig


def test_a_stopped_batch_leaves_n2_and_reset_draws_air_through_before_the_lock_lets_go():
    rig = stopped()
    assert rig.plc.plant.chamber.o2_pct < 1.0
    assert "I19N" in rig.record.verdict.active
    assert "draws air through" in rig.record.waiting
    assert not rig.ask(Verb.RESET)
    assert 120.0 < unlocked(rig, 1200) < 600.0
    assert rig.plc.plant.chamber.o2_pct > 19.0
    assert not rig.unsafe


def test_without_the_analyser_it_takes_a_quarter_of_an_hour():
    rig = stopped()
    rig.plc.plant.instruments.distortions["o2_ready"] = lambda _value, _at_s: 0.0
    assert not rig.ask(Verb.RESET)
    assert unlocked(rig, 1200) >= 900.0
    assert rig.plc.plant.chamber.o2_pct > 20.5


def test_a_dead_fan_keeps_the_door_locked_and_says_why():
    rig = stopped()
    rig.plc.plant.field.exhaust_fan.dead = True
    assert not rig.ask(Verb.RESET)
    for _ in range(2000):
        rig.step()
    assert rig.plc.actuators.door_locked
    assert "the exhaust's fan does not run" in rig.record.waiting
    assert {"I19N", "I19S"} <= set(rig.record.verdict.active)  # somebody is told


@pytest.mark.parametrize("before", [True, False])
def test_one_door_switch_that_fails_opens_no_door_and_lets_no_air_onto_vapour(before):
    """It counted as an open door in core and PLC: what had to be washed was forgotten, and the door was released on N2."""
    rig = prepared("nitrogen")
    assert not rig.ask(Verb.STOP)
    for _ in range(30):
        rig.step()
    if before:
        inject(rig.plc, "door_switch")
    for _ in range(1200):
        if rig.at_s % 60 < 1:
            rig.ask(Verb.RESET)
        rig.step()
        if rig.record.unit_state is UnitState.IDLE and not before:
            inject(rig.plc, "door_switch")
        breathes = rig.plc.plant.chamber.o2_pct > 19.0
        assert rig.plc.actuators.door_locked or breathes
        assert not rig.plc.actuators.vent_valve or rig.memory.proof.washed(rig.settings.limits.proof_volumes)
    assert not rig.unsafe


def test_test_gas_in_the_analyser_opens_no_door_on_n2():
    rig = stopped()
    rig.plc.plant.instruments.distortions["o2_pct"] = lambda _value, at_s: 20.8 + 0.03 * (at_s % 3)
    assert not rig.ask(Verb.RESET)
    assert unlocked(rig, 900) > 240.0
    assert rig.plc.plant.chamber.o2_pct > 18.5
    assert not rig.unsafe


@pytest.mark.parametrize("mbar", [975.0, 990.0, 1045.0])
def test_the_weather_keeps_no_vent_from_its_end_and_no_door_locked(mbar):
    rig = stopped()
    rig.plc.plant.instruments.distortions["pressure_cap_mbar"] = lambda value, _at_s: value + mbar - 1013.25
    rig.plc.plant.instruments.distortions["pressure_pirani_mbar"] = lambda value, _at_s: value + mbar - 1013.25
    assert not rig.ask(Verb.RESET)
    unlocked(rig, 1800)
    for _ in range(1800):
        rig.step()
        assert not rig.plc.actuators.door_locked


def test_without_an_o2_reading_the_sweep_goes_on_behind_the_released_door():
    rig = stopped()
    rig.plc.plant.instruments.distortions["o2_ready"] = lambda _value, _at_s: 0.0
    assert not rig.ask(Verb.RESET)
    unlocked(rig, 1200)
    for _ in range(600):
        rig.plc.plant.chamber.add(0.0, 0.02)  # N2 passes its inlet
        rig.step()
    assert rig.memory.unit.setpoints.atmosphere is Atmosphere.SWEEP
    assert rig.plc.plant.chamber.o2_pct > 19.0


def test_a_chamber_that_cools_behind_its_released_door_draws_air_and_locks_no_more():
    """Shut at 55 degC it fell below ambient pressure as it cooled: the lock came and went, and N2 filled it behind the door."""
    rig = stopped("vacuum")
    assert not rig.ask(Verb.RESET)
    while rig.record.process.hottest_c >= 58.0:  # I19 has its deadband
        rig.step()
    unlocked(rig, 1200)
    warm_c = rig.plc.plant.heaters.walls_c[1]
    for _ in range(2 * 3600):
        rig.step()
        assert not rig.plc.actuators.door_locked
        assert not rig.plc.actuators.n2_valve
    assert warm_c - rig.plc.plant.heaters.walls_c[1] > 3.0
    assert abs(rig.plc.plant.chamber.pressure_pa / 100 - 1013.25) < 5.0
    assert not rig.plc.actuators.exhaust_fan
    assert not rig.unsafe


def test_n2_that_leaks_in_behind_a_released_door_locks_it():
    rig = prepared("idle")
    unlocked(rig, 600)
    assert not rig.plc.actuators.door_locked
    rig.plc.plant.chamber.add(0.0, 20.0)  # gas that is no O2
    for _ in range(60):
        rig.step()
        if rig.plc.actuators.door_locked:
            break
    assert rig.plc.actuators.door_locked


def test_who_unloads_a_virtual_batch_resets_it_and_opens_the_door_and_the_rig_stays_as_it_is():
    rig = stopped()
    at_s, state = rig.at_s, rig.memory.unit.state
    after = unload(rig)
    assert 120.0 < after.after_s < 900.0
    assert after.unsafe == ()
    assert (rig.at_s, rig.memory.unit.state, rig.plc.plant.door_closed) == (at_s, state, True)


def test_a_batch_that_goes_on_is_not_unloaded():
    rig = prepared("slow")
    assert rig.memory.unit.state is UnitState.RUNNING
    assert unload(rig).after_s is None


def test_a_door_that_never_opens_is_told():
    rig = stopped()
    rig.plc.plant.field.exhaust_fan.dead = True
    assert unload(rig, 1800.0).after_s is None
