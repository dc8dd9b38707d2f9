"""A COOL begins as hot as the cure ended, with vapour in the gas: a lost vacuum, O2 and tarnish are answered there as before."""

import pytest

from controller.image import PhaseView
from controller.recipe.states import UnitState, Verb
from controller.scan import _phase_view
from tests.causes import shows
from tests.rigs import prepared
from tests.test_boundaries_table import HOT, on, says
from tests.test_interlocks import HOT_N2, HOT_VACUUM
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


@pytest.mark.parametrize("rule", ["I9", "I9T", "I23", "I23L"])
def test_what_only_heat_needs_is_not_asked_of_a_cooling_phase(rule):
    assert not says(rule, HOT | {"o2_ready": False}, phase=COOL_N2)


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
        ask(rig, Verb.SKIP, phase=rig.record.phase_index)
        rig.step()
    for _ in range(900):
        rig.step()
        if rig.record.process.o2_pct is not None and _phase_view(rig.memory.unit).inert:
            return rig
    raise AssertionError(rig.record.waiting)


def test_o2_in_a_hot_chamber_that_cools_aborts_and_purges():
    rig = cooling()
    assert rig.record.process.hottest_c > 100.0
    assert (_phase_view(rig.memory.unit).cooling, _phase_view(rig.memory.unit).heating) == (True, False)
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
