"""A COOL begins as hot as the cure ended, with vapour in the gas: a lost vacuum, O2 and tarnish are answered there as before."""

import pytest

from controller.image import PhaseView
from controller.recipe.states import UnitState, Verb
from controller.views import phase_view
from sim.faults import clear, inject
from tests.causes import exotherm, shows
from tests.rigs import prepared, rig_at
from tests.test_boundaries_table import HOT, on, says
from tests.test_interlocks import HEATING, HOT_N2, HOT_VACUUM, at_c
from tests.test_recovery import ask

COOL_VACUUM = PhaseView(running=True, solvent=True, cooling=True, vacuum=True, temp_sp_c=200.0)
COOL_N2 = PhaseView(running=True, solvent=True, cooling=True, inert=True, temp_sp_c=200.0, o2_limit_ppm=100.0, hold_on_o2=True)


@pytest.mark.parametrize(("rule", "changed", "phase"), [
    ("I6", {"pressure_cap_mbar": 150.0}, COOL_VACUUM),
    ("I7W", {"o2_pct": 1.5}, COOL_N2),
    ("I7", {"o2_pct": 3.0}, COOL_N2),
    ("I8", {"o2_pct": 0.02}, COOL_N2),
])  # fmt: skip
def test_what_a_hot_phase_is_guarded_against_a_cooling_one_is_too(rule, changed, phase):
    assert says(rule, HOT | changed, phase=phase) is True
    assert says(rule, HOT | changed, phase=phase._replace(vacuum=False, inert=False)) is False
    if rule != "I8":  # tarnish asks for the temperature alone
        assert says(rule, HOT | changed, phase=phase._replace(cooling=False)) is False


def test_a_vacuum_lost_in_a_cooling_phase_stays_so_until_n2_has_filled_the_chamber():
    held = COOL_VACUUM._replace(vacuum=False)
    assert says("I6", HOT | {"pressure_cap_mbar": 899.0}, phase=held, **on("I6")) is True
    assert says("I6", HOT | {"pressure_cap_mbar": 900.0}, phase=held, **on("I6")) is False


@pytest.mark.parametrize("rule", ["I9", "I9T", "I23W", "I23L"])
def test_what_only_heat_needs_is_not_asked_of_a_cooling_phase(rule):
    assert not says(rule, HOT | {"o2_ready": False}, phase=COOL_N2)


@pytest.mark.parametrize(("heats", "tripped"), [(True, True), (False, False)])
def test_a_zone_far_above_its_set_point_aborts_a_cooling_that_heat_breaks(heats, tripped):
    assert says("I23", at_c(221.0), phase=COOL_N2, last=HEATING._replace(heat_enable=heats)) is tripped


def test_a_cooling_begins_at_the_zones_and_never_heats_a_load_that_lags():
    """From the middle of a heating: the load is 40 degC behind the zones, which lead the set point."""
    rig = prepared("vacuum")
    while rig.record.phase_kind != "COOL":
        ask(rig, Verb.SKIP, phase=rig.record.phase_index + 1)
        rig.step()
    hottest, lag = rig.record.process.temp_c, rig.record.process.temp_c - rig.record.process.load_min_c
    assert lag > 20.0
    before = rig.memory.unit.setpoints.temp_c
    assert before <= hottest
    for _ in range(3600):
        rig.step()
        now = rig.memory.unit.setpoints.temp_c
        assert now <= before
        assert max(rig.record.outputs.zone_sp_c) <= now + 1e-9
        assert rig.record.process.temp_c < hottest + 1.0
        before = now
    assert rig.record.process.temp_c < hottest - 30.0


def test_without_n2_an_aborted_batch_keeps_its_vacuum_until_there_is_some():
    rig = prepared("vacuum")
    inject(rig.plc, "n2_lost")
    for _ in range(1200):
        rig.step()
    assert (rig.record.unit_state, rig.memory.interlocks.first_out) == (UnitState.ABORTED, "I11T")
    assert rig.record.process.hottest_c > 60.0
    assert rig.record.process.pressure_mbar < 100.0
    assert (rig.record.outputs.vac_valve, rig.record.outputs.n2_valve, rig.record.outputs.heat_enable) == (True, False, False)
    assert rig.record.waiting.startswith("N2: vacuum is kept")
    clear(rig.plc, "n2_lost")
    for _ in range(1200):
        rig.step()
    assert rig.record.process.pressure_mbar > 900.0
    assert not rig.unsafe


def test_one_zone_that_heats_by_itself_lifts_no_set_point_and_aborts():
    rig = rig_at("COOL", hours=14.0)
    runaway, before = exotherm(0.035, 48.0), rig.memory.unit.setpoints.temp_c
    for second in range(900):
        runaway.every(rig, float(second))
        rig.step()
        if rig.record.unit_state is not UnitState.RUNNING:
            break
        assert rig.memory.unit.setpoints.temp_c <= before
        before = rig.memory.unit.setpoints.temp_c
    assert rig.memory.interlocks.first_out == "I23"
    assert not rig.record.outputs.heat_enable


@pytest.mark.parametrize("rule", ["I9", "I9T"])
def test_only_heat_in_flowing_nitrogen_needs_an_o2_reading(rule):
    unread = HOT | {"o2_ready": False}
    assert says(rule, unread, phase=HOT_N2) is True
    assert says(rule, unread, phase=HOT_N2._replace(heating=False)) is False
    assert says(rule, unread, phase=HOT_VACUUM) is False


def cooling():
    """Return a rig whose load of 120 degC has begun to cool in nitrogen, its O2 read."""
    rig = prepared("vacuum")
    while rig.record.phase_kind != "COOL":
        ask(rig, Verb.SKIP, phase=rig.record.phase_index + 1)
        rig.step()
    for _ in range(900):
        rig.step()
        if rig.record.process.o2_pct is not None and phase_view(rig.memory.unit).inert:
            return rig
    raise AssertionError(rig.record.waiting)


def test_o2_in_a_hot_chamber_that_cools_aborts_and_purges():
    rig = cooling()
    assert rig.record.process.hottest_c > 100.0
    assert (phase_view(rig.memory.unit).cooling, phase_view(rig.memory.unit).heating) == (True, False)
    shows(o2_pct=2.5).begin(rig)
    for _ in range(20):
        rig.step()
    assert rig.memory.interlocks.first_out == "I7"
    assert rig.record.unit_state in (UnitState.ABORTING, UnitState.ABORTED)
    assert rig.record.outputs.n2_flow_sp_nm3_h == rig.settings.equipment.max_n2_flow_nm3_h
    assert not rig.unsafe


def test_an_analyser_that_is_lost_while_it_cools_stops_nothing():
    rig = cooling()
    shows(o2_ready=0.0).begin(rig)
    for _ in range(120):
        rig.step()
    assert (rig.record.unit_state, rig.record.phase_kind) == (UnitState.RUNNING, "COOL")
    assert not {"I9", "I9T"} & set(rig.record.verdict.active)
