"""A restart over a hot load that is held on its way between N2 and vacuum: filled up again, whoever holds it, and not taken for a leak."""

from math import nan

import pytest

from controller.image import Atmosphere
from controller.interlocks.atmosphere import Proof
from controller.power_return import power_return
from controller.recipe.states import UnitState, Verb
from sim import bench
from sim.faults import inject
from tests.causes import leaks, runs, shows
from tests.rigs import prepared
from tests.test_recovery import ask


def restart_that_evacuates(low_mbar: float, high_mbar: float) -> bench.Rig:
    """A unit that is RESTARTING over a hot load, on its way down from N2 and between these pressures."""
    rig = prepared("vacuum")
    ask(rig, Verb.HOLD)
    runs(rig, None, 5)
    rig.memory = rig.memory._replace(proof=Proof(boot_id=rig.memory.boot_id, leak_ok=True))
    ask(rig, Verb.RESTART)
    while rig.memory.unit.setpoints.atmosphere is not Atmosphere.BACKFILL:
        rig.step()
    while not (rig.memory.unit.setpoints.atmosphere is Atmosphere.VACUUM and low_mbar < rig.record.process.pressure_mbar < high_mbar):
        rig.step()
    assert rig.record.unit_state is UnitState.RESTARTING
    return rig


def held_by(rig: bench.Rig, how: str) -> None:
    """Hold the restart: by a person, by a PLC or a core that was without power, or by a person while no gauge reads."""
    if how == "PLC":
        inject(rig.plc, "plc_power_cycle")
        runs(rig, None, 3)
    elif how == "core":
        rig.memory, _ = power_return(rig.memory, rig.record.inputs, rig.settings, 4000.0)
    else:
        blind = shows(pressure_cap_mbar=nan, pressure_pirani_mbar=nan)
        if how == "blind":
            blind.begin(rig)
        ask(rig, Verb.HOLD)
        runs(rig, None, 2)
        if how == "blind":
            blind.end(rig)


@pytest.mark.parametrize("how", ["person", "PLC", "core", "blind"])
def test_a_restart_that_is_held_before_its_vacuum_is_drawn_has_lost_none_and_begins_anew(how):
    """The way down from the N2 that came meanwhile is no rise: I6 would have asked for a new leak test, which measures cold."""
    rig = restart_that_evacuates(300.0, 500.0)
    held_by(rig, how)
    assert runs(rig, None, 30, until="I6") is None
    if rig.memory.unit.state is UnitState.HELD:  # a PLC that is back after seconds is gone on with
        assert runs(rig, None, 300, until="I6") is None
        assert 940.0 < rig.record.process.pressure_mbar < 1000.0
        assert rig.record.process.o2_pct < 1.0
        ask(rig, Verb.RESTART)
    while rig.step().unit_state is UnitState.RESTARTING:
        pass
    assert rig.record.unit_state is UnitState.RUNNING
    assert rig.memory.proof.leak_ok
    assert not rig.memory.unit.reproves


@pytest.mark.parametrize("pa_m3_s", [1e4, 1e5, 1e6])
def test_air_that_leaks_into_a_restart_that_is_held_does_not_get_far(pa_m3_s):
    rig = restart_that_evacuates(100.0, 300.0)
    ask(rig, Verb.HOLD)
    leaks(pa_m3_s).begin(rig)
    runs(rig, None, 3600)
    assert rig.plc.plant.truth().o2_pct < 2.5


def test_a_restart_that_is_held_once_its_vacuum_is_drawn_keeps_it():
    rig = restart_that_evacuates(60.0, 95.0)
    ask(rig, Verb.HOLD)
    assert runs(rig, None, 600, until="I6") is None
    assert rig.memory.unit.setpoints.atmosphere is Atmosphere.VACUUM
    leaks(5e6).begin(rig)
    assert runs(rig, None, 20, until="I6") is not None


def test_without_n2_a_restart_that_is_held_keeps_its_pump():
    rig = restart_that_evacuates(300.0, 500.0)
    inject(rig.plc, "n2_lost")
    runs(rig, None, 8)
    ask(rig, Verb.HOLD)
    runs(rig, None, 3)
    assert rig.memory.unit.setpoints.atmosphere is Atmosphere.VACUUM
