"""What pressure-rise tests say of a leak that the pump masters (I13L), and what three that say nothing mean (I13B)."""

import pytest

from controller.image import Interval, PressureRise
from controller.interlocks.conditioning import condition
from controller.interlocks.limits import Limits
from controller.recipe import tightness
from controller.recipe.look import PhaseScan
from controller.recipe.tightness import NOISE_MBAR, NOISE_SHARE, Rises
from controller.views import phase_view
from tests.causes import leaks, runs
from tests.images import BAD, image
from tests.rigs import prepared
from tests.test_interlocks import BELIEF, at_c

SHUT, OPEN = {"vac_valve_closed": True}, {"vac_valve_open": True, "vac_valve_closed": False}
KG_H = 60.0 * 2.0 * 100.0 * 99.131e-3 / (8.314462618 * 473.15)  # of solvent that makes 1 mbar/min in 2 m3 at 200 degC


def look(at_s=100.0, mbar=20.0, evolution=0.0, result=None, solvent="NMP", **changed):
    inputs = image(
        at_s=at_s, pressure_cap_mbar=mbar, pressure_pirani_mbar=mbar, **at_c(200.0), **{"coldest_wall_c": 200.0, **SHUT, **changed}
    )
    belief = BELIEF._replace(evolution_kg_h=Interval(evolution, 0.0, evolution), pressure_rise=result)
    return PhaseScan(inputs, condition(Limits(), inputs), belief, None, 1.0, 200.0, False, 2.0, 60.0, solvent=solvent)


def shut_in(rises=Rises(), *, rise=0.0, evolution=0.0, minutes=2, end=None, **changed):  # noqa: B008
    """Return what is known after a test in which the pressure rose by ``rise`` mbar/min from 20 mbar."""
    for second in range(60 * minutes + 1):
        rises = tightness.step(rises, True, look(100.0 + second, 20.0 + rise * second / 60.0, evolution, **changed))
    return tightness.step(rises, False, end or look(101.0 + 60.0 * minutes, 20.0, evolution, **OPEN))


def noise(last_mbar, minutes):
    return (NOISE_MBAR + NOISE_SHARE * last_mbar) / minutes


@pytest.mark.parametrize("minutes", [1, 2, 5])
def test_what_rises_beyond_the_film_and_the_gauges_noise_is_a_leak(minutes):
    assert shut_in(rise=3.0, minutes=minutes).leak_mbar_min == pytest.approx(3.0 - noise(20.0 + 3.0 * minutes, minutes))
    film = 0.4 * KG_H  # times 1.5 for what the evolution does not hold
    found = shut_in(rise=3.0, evolution=film, minutes=minutes)
    assert found.leak_mbar_min == pytest.approx(3.0 - 1.5 * 0.4 - noise(20.0 + 3.0 * minutes, minutes), rel=1e-4)
    assert shut_in(rise=0.55, evolution=film, minutes=minutes).leak_mbar_min == 0.0
    assert shut_in(rise=-1.0, minutes=minutes).leak_mbar_min == 0.0


def test_the_film_counts_as_it_was_believed_before_the_test_and_not_as_the_test_made_it_believed():
    after = look(221.0, 26.0, evolution=10.0 * KG_H, **OPEN)
    assert shut_in(rise=3.0, end=after).leak_mbar_min == shut_in(rise=3.0).leak_mbar_min > 2.5


def test_a_tight_test_takes_the_leak_back():
    leaking = shut_in(rise=3.0)
    assert shut_in(leaking).leak_mbar_min == 0.0


def test_the_rise_counts_from_the_valve_seen_shut():
    """The pump works on until then: here it takes the chamber down by 10 mbar."""
    rises = Rises()
    for second in range(10):
        rises = tightness.step(rises, True, look(90.0 + second, 30.0 - second, **OPEN))
    assert shut_in(rises, rise=3.0).leak_mbar_min == pytest.approx(3.0 - noise(26.0, 2))


@pytest.mark.parametrize(("changed", "why"), [
    ({"pressure_cap_mbar": BAD}, "no reading"), (OPEN, "the valve never shut"),
])  # fmt: skip
def test_a_test_that_measured_nothing_says_nothing_of_a_leak_and_counts(changed, why):
    leaking = shut_in(rise=3.0)
    rises = leaking
    for second in range(60):
        scan = look(500.0 + second)
        scan = scan._replace(inputs=image(at_s=500.0 + second, **{**SHUT, **changed}))
        rises = tightness.step(rises, True, scan)
    after = tightness.step(rises, False, look(561.0, **OPEN))
    assert (after.leak_mbar_min, after.blind) == (leaking.leak_mbar_min, leaking.blind + 1), why


def result(at_s, valid):
    return PressureRise(at_s, 120.0, 1.0, 0.0, 0.1, 0.01, valid, "" if valid else "spoiled")


def test_tests_without_a_valid_result_are_counted_until_one_has_it():
    rises = Rises()
    for count in (1, 2, 3):
        rises = shut_in(rises)
        rises = tightness.step(rises, False, look(225.0 + count, result=result(224.0 + count, False), **OPEN))
        assert rises.blind == count
    assert shut_in(rises, result=result(228.0, True)).blind == 1  # a result of before the test is none of it
    rises = tightness.step(rises, False, look(240.0, result=result(239.0, True), **OPEN))
    assert rises.blind == 0
    assert shut_in(rises, result=result(239.0, True)).blind == 1


def test_a_recipe_that_tests_above_the_walls_dew_point_is_not_told_so_in_every_batch():
    """At 100 degC NMP boils at about 33 mbar: the estimator calls the result a lower bound of the solvent, by the recipe's choice."""
    cold = shut_in(
        shut_in(rise=10.0, end=look(221.0, 40.0, coldest_wall_c=100.0, **OPEN)), end=look(221.0, 20.0, coldest_wall_c=100.0, **OPEN)
    )
    assert cold.blind == 1  # the second stayed below
    assert shut_in(cold, rise=10.0, end=look(221.0, 40.0, coldest_wall_c=100.0, **OPEN)).blind == 0
    assert shut_in(cold, rise=10.0, end=look(221.0, 40.0, coldest_wall_c=BAD, **OPEN)).blind == 2
    assert shut_in(cold, rise=10.0, solvent="water", end=look(221.0, 40.0, solvent="water", coldest_wall_c=100.0, **OPEN)).blind == 2


def test_while_a_test_runs_nothing_is_blind_yet():
    unit = prepared("vacuum").memory.unit
    shown = phase_view(unit._replace(rises=Rises(blind=3, leak_mbar_min=0.7)))
    assert (shown.blind_rises, shown.leak_mbar_min) == (3, 0.7)
    assert phase_view(unit._replace(rises=Rises(runs=True, blind=3))).blind_rises == 0


def test_a_leak_that_the_pump_masters_is_told_by_the_first_test_and_by_nothing_else():
    rig = prepared("tested")
    leaks(3e4).begin(rig)
    rig.notes.clear()
    assert runs(rig, None, 500, until="I13L") is not None
    raised = {content["rule"] for _, kind, content in rig.notes if kind == "alarm" and content["event"] == "raise"}
    assert raised == {"I13L"}
    assert rig.record.process.pressure_mbar < 80.0
    assert rig.record.estimate.pressure_rise is None or rig.record.estimate.pressure_rise.leak_mbar_min < 0.1
