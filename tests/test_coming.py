"""What an insoluble content still gains while the roll cools: foretold of now, and only as long as the way ahead stays the same."""

from dataclasses import replace

import numpy as np
import pytest

from controller import estimator, plan
from controller.command import Command
from controller.estimator import EstimatorMemory, EstimatorSettings, forecast, layers, step
from controller.estimator.schedule import Schedule
from controller.memory import Settings
from controller.recipe.states import UnitState, Verb
from controller.roles import Role
from tests.foretold import COOL, CURE, SITE, TARGET, H, made, reading, soaked_memory
from tests.known import ESTIMATOR
from tests.rigs import rig_at


@pytest.fixture(scope="module")
def soaked() -> EstimatorMemory:
    return soaked_memory()


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.ABORT])
def test_of_a_batch_that_is_broken_off_nothing_is_still_to_come(verb: Verb) -> None:
    rig = rig_at("CURE")
    until_s = rig.at_s + 60.0
    while rig.at_s < until_s:
        record = rig.step()
    assert record.estimate.coming > 0.01
    assert record.estimate.time_to_endpoint_s is not None
    assert all(zone.coming > 0.01 for zone in record.estimate.zones)
    rig.ask(verb)
    rig.step()
    for _ in range(3):
        record = rig.step()
        assert (record.estimate.coming, record.estimate.time_to_endpoint_s, record.estimate.forecast) == (0.0, None, None)
        assert {zone.coming for zone in record.estimate.zones} == {0.0}
    assert record.unit_state in (UnitState.STOPPING, UnitState.ABORTING, UnitState.ABORTED)


@pytest.mark.parametrize(("kind", "every_s", "age_s", "due"), [
    ("CURE", 600.0, 59.0, False), ("CURE", 600.0, 60.0, True), ("CURE", 30.0, 29.0, False), ("CURE", 30.0, 30.0, True),
    ("SOAK", 600.0, 599.0, False), ("SOAK", 600.0, 600.0, True),
])  # fmt: skip
def test_in_a_cure_a_forecast_is_made_each_minute(soaked: EstimatorMemory, kind: str, every_s: float, age_s: float, due: bool) -> None:
    last = made(soaked, CURE, COOL)
    site, rig = Settings(estimator=EstimatorSettings(**{**ESTIMATOR, "forecast_s": every_s})), rig_at(kind)
    belief = replace(soaked, target=TARGET, forecast=last._replace(made_at_s=soaked.at_s - age_s))
    assert plan.due(site, rig.memory._replace(estimator=belief)) is due
    assert plan.due(site, rig.memory._replace(estimator=replace(belief, forecast=None)))


def test_what_still_comes_in_a_cure_is_of_now_wherever_its_end_lies(soaked: EstimatorMemory) -> None:
    """A stop hours ahead, or none at all, leaves hardly anything to come; what is there now would be judged as if it were cold."""
    least, never = CURE._replace(least_s=14 * H), replace(TARGET, residual_max=1e-9)
    found = [made(soaked, CURE, COOL).coming, made(soaked, least, COOL).coming, made(soaked, CURE, COOL, target=never).coming]
    for coming in found[1:]:
        np.testing.assert_allclose(coming, found[0], rtol=1e-6)
    cooled = made(soaked, COOL).coming
    np.testing.assert_allclose(found[0], cooled, atol=0.01)
    assert min(found[0]) > 0.02


def test_members_that_fail_while_they_cool_do_not_lessen_what_comes(soaked: EstimatorMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, real = made(soaked, CURE, COOL), forecast._course

    def failing(ensemble: forecast.Ensemble, ahead_s: np.ndarray, seen: layers.Trajectory, driven: Schedule) -> forecast.Course:
        course = real(ensemble, ahead_s, seen, driven)
        if len(ahead_s) == forecast._AFTER + 1:
            course.worst[::3], course.gel[::3, -1] = np.nan, 0.0  # every third in the order of their cure
        return course

    monkeypatch.setattr(forecast, "_course", failing)
    part = made(soaked, CURE, COOL)
    np.testing.assert_allclose(part.coming, whole.coming, atol=0.03)


def test_a_roll_that_cooling_takes_out_of_its_window_is_not_signed_as_done() -> None:
    """Its least time in band outlasts its window: what it gains at that far end is nothing, what it would gain now is too much."""
    rig = rig_at("CURE")
    batch = rig.memory.unit.batch
    assert batch is not None
    phases = tuple(one.model_copy(update={"min_min": 18.0}) if one.kind == "CURE" else one for one in batch.recipe.phase)
    endpoint = batch.recipe.endpoint.model_copy(update={"insoluble_high_pct": 72.0})
    changed = batch._replace(recipe=batch.recipe.model_copy(update={"phase": phases, "endpoint": endpoint}))
    rig.memory = rig.memory._replace(unit=rig.memory.unit._replace(batch=changed))
    until_s = rig.at_s + 2400.0
    while rig.at_s < until_s:
        record = rig.step()
        if record.phase_kind != "CURE" or record.unit_state is not UnitState.RUNNING:
            break
    assert record.unit_state in (UnitState.HOLDING, UnitState.HELD)
    assert "I31T" in record.verdict.active
    assert max(zone.insoluble.value for zone in record.estimate.zones) < 0.72 < max(zone.insoluble_cold for zone in record.estimate.zones)


@pytest.mark.parametrize(("age_s", "foreseen"), [(None, False), (60.0, True), (2000.0, False)])
def test_only_a_fresh_forecast_says_what_is_coming(soaked: EstimatorMemory, age_s: float | None, foreseen: bool) -> None:
    last = None if age_s is None else made(soaked, CURE, COOL)._replace(made_at_s=soaked.at_s - age_s)
    memory, estimate = step(SITE, replace(soaked, target=TARGET, forecast=last), reading(soaked.at_s + 60.0, 240.0), TARGET)
    assert memory is not None
    assert estimate.foreseen is foreseen


def test_a_forecast_in_the_making_when_the_way_ahead_is_changed_is_of_another_way(soaked: EstimatorMemory) -> None:
    before, site, rig = made(soaked, CURE, COOL), Settings(estimator=SITE), rig_at("CURE")
    known, _ = step(SITE, replace(soaked, target=TARGET), reading(soaked.at_s + 1.0, 240.0), TARGET, before)
    assert known is not None
    assert known.forecast is before
    changed = estimator.replanned(known)
    assert (changed.forecast, changed.estimate.foreseen, changed.estimate.coming) == (None, False, 0.0)
    late, estimate = step(SITE, changed, reading(soaked.at_s + 2.0, 240.0), TARGET, before)
    assert late is not None
    assert (late.forecast, estimate.forecast) == (None, None)
    assert not plan.due(site, rig.memory._replace(estimator=late))  # it would be of the same moment, and not be told from the other
    on, _ = step(SITE, late, reading(soaked.at_s + 40.0, 240.0), TARGET)
    assert on is not None
    assert plan.due(site, rig.memory._replace(estimator=on))
    after = made(on, CURE, COOL)
    taken, _ = step(SITE, on, reading(soaked.at_s + 41.0, 240.0), TARGET, after)
    assert taken is not None
    assert taken.forecast is after


@pytest.mark.parametrize(("verb", "args"), [(Verb.EDIT, {"key": "rate_c_per_min", "value": 0.5}), (Verb.SKIP, {})])
def test_who_changes_the_way_ahead_ends_the_forecast(verb: Verb, args: dict[str, object]) -> None:
    """The COOL after the CURE is edited, or the CURE itself is skipped."""
    rig = rig_at("CURE")
    until_s = rig.at_s + 90.0
    while rig.at_s < until_s:
        rig.step()
    assert rig.record.estimate.foreseen
    number = rig.memory.unit.phase_index + (2 if verb is Verb.EDIT else 1)
    rig.commands.append(Command("c", "anna", verb, None, 1, reason="test", args={"phase": number, **args}, role=Role.ENGINEER))
    assert rig.step().estimate.foreseen  # what is asked in a scan works from the next on
    assert not rig.step().estimate.foreseen
    until_s = rig.at_s + 120.0
    while rig.at_s < until_s:
        rig.step()
    assert rig.record.estimate.foreseen
