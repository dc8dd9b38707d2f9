"""The forecast of the rest of a batch: counted down by the oven, against stepping the same members, and when there is none."""

from dataclasses import replace

import numpy as np
import pytest

from controller.estimator import EstimatorMemory, Target, forecast, layers, step
from controller.estimator.belief import pack, unpack
from controller.estimator.curing import LIMIT, gel_fraction
from controller.estimator.layers import Drive, Slow, State
from controller.estimator.members import members_of
from controller.estimator.model import Leg, LegKind
from controller.estimator.quantiles import medians
from controller.estimator.schedule import Schedule, Start, follow
from controller.image import Interval
from controller.units import kelvin
from tests.foretold import COOL, CURE, OVEN, SITE, TARGET, H, carried, made, reading, soaked_memory


@pytest.fixture(scope="module")
def soaked() -> EstimatorMemory:
    return soaked_memory()


@pytest.mark.parametrize("members", [1, 2, 5, 8])
def test_the_median_over_those_that_count(members: int) -> None:
    random = np.random.default_rng(members)
    values, counts = random.normal(size=(members, 40)), random.random((members, 40)) < 0.6
    counts[0] |= ~counts.any(axis=0)
    np.testing.assert_array_equal(medians(values, counts), np.nanmedian(np.where(counts, values, np.nan), axis=0))


def test_nobody_who_counts_has_no_median() -> None:
    assert medians(np.ones((3, 1)), np.zeros((3, 1), np.bool_)).tolist() == [np.inf]


def part(memory: EstimatorMemory) -> forecast.Chosen:
    """The members that take part."""
    return members_of(SITE, memory.load).by_cure[forecast.EVERY // 2 :: forecast.EVERY]


def brute(memory: EstimatorMemory, target: Target, cure: Leg, every_s: float = 120.0) -> float:
    """The endpoint by stepping the same members along the pilot's wall: the recipe's rule among those that are dry, half of all."""
    members, found = members_of(SITE, memory.load), unpack(memory.block)
    chosen = part(memory)
    model = members.model._replace(table=members.model.table[chosen])
    slow = Slow(*(scale[chosen] for scale in found.slow))
    state = State(np.ascontiguousarray(found.state.block[chosen]), found.state.positions)
    now = Start(np.median(found.state.temps, axis=0), memory.wall_k, memory.pressure_pa, kelvin(240.0))
    knots = forecast._with_vapour(follow((cure,), members.model, found.slow, OVEN, now, cure.most_s).knots, members)
    share, width = model.shape.share, members.polydispersity[chosen][:, None]
    at_s, held_s = 0.0, 0.0
    while at_s < cure.most_s:
        ends = [np.interp((at_s, at_s + every_s), knots[:, 0], knots[:, column]) for column in (1, 2, 3)]
        drive = Drive(float(ends[0][0]), float(ends[0][1]), float(ends[1].mean()), float(ends[2].mean()))
        state = layers.advance(model, slow, state, drive, every_s).state
        at_s += every_s
        gel = gel_fraction(state.conversion * LIMIT, width, members.scission_ratio)
        dry = layers.mean_residual(model, state).max(axis=1) <= target.residual_max
        inside = ((gel.min(axis=1) >= target.insoluble_low) & (gel.max(axis=1) <= target.insoluble_high))[dry]
        half = dry.mean() >= 0.5
        sure = half and inside.mean() >= target.probability
        ripe = sure and np.median((gel @ share)[dry]) >= target.insoluble_aim
        held_s = held_s + every_s if sure else 0.0
        if sure and ripe and at_s >= cure.least_s and held_s > target.persist_s:
            return at_s - every_s / 2
    return float("inf")


def test_an_hour_of_the_forecast_is_an_hour_of_the_oven(soaked: EstimatorMemory) -> None:
    first = made(soaked)
    later = made(carried(soaked, 1.0, 240.0), CURE._replace(most_s=CURE.most_s - H))
    assert first.endpoint_s is not None
    assert later.endpoint_s is not None
    assert first.endpoint_s.value > 1.5 * H
    assert first.endpoint_s.value - later.endpoint_s.value == pytest.approx(H, rel=0.05)
    assert later.made_at_s - first.made_at_s == pytest.approx(H)


@pytest.mark.parametrize("aim", [0.55, 0.75])
def test_the_endpoint_is_that_of_the_same_members_stepped_one_by_one(soaked: EstimatorMemory, aim: float) -> None:
    target = replace(TARGET, insoluble_aim=aim)
    found = made(soaked, target=target).endpoint_s
    assert found is not None
    assert found.value == pytest.approx(brute(soaked, target, CURE), rel=0.01)


@pytest.mark.parametrize(("residual_max", "low", "aim"), [(0.01, 0.3, 0.3), (1e-3, 0.05, 0.05)])
def test_an_endpoint_that_hangs_on_a_share_of_members_is_good_to_one_look(
    soaked: EstimatorMemory, residual_max: float, low: float, aim: float
) -> None:
    """The share jumps from member to member, and the forecast looks at 40 moments: 1000 s apart there, in a cure of 15 h."""
    target = replace(TARGET, residual_max=residual_max, insoluble_low=low, insoluble_aim=aim)
    found = made(soaked, target=target).endpoint_s
    assert found is not None
    assert found.value == pytest.approx(brute(soaked, target, CURE), abs=1300.0)


def course_of(wet: int, late: int) -> forecast.Course:
    """Ten members that are dry after 1 h and gain 10 % an hour, of which ``wet`` never dry and ``late`` lag by 5 h."""
    at_s = np.arange(13) * H
    worst = np.full((10, 13), 0.1)
    worst[wet:, 1:] = 0.001
    gel = np.tile(np.arange(13) / 10, (10, 1)).clip(0.0, 0.96)
    gel[10 - late :] = np.maximum(gel[10 - late :] - 0.5, 0.0)
    temp_k, none = np.full((10, 13, 1), 500.0), np.zeros((10, 13))
    return forecast.Course(at_s, temp_k, worst, gel[:, :, None], none, none, Schedule(np.zeros((1, 3)), (12 * H,), np.zeros(1), ()))


@pytest.mark.parametrize(
    ("wet", "late", "together_h", "measured_h"),
    [
        (0, 0, 5.5, 5.5),  # the aim of 55 %
        (4, 0, None, 5.5),  # the instruments will have told which members are too wet
        (6, 0, None, None),  # more than half: the film is believed wet
        (0, 2, 6.0, 6.0),  # nobody measures the crosslinking: 9 of 10 have to be above 5 %
        (4, 2, None, 6.0),  # ... 4 of the 6 that are dry are not enough
    ],
)
def test_who_is_too_wet_does_not_count_where_the_solvent_is_still_to_be_measured(
    wet: int, late: int, together_h: float | None, measured_h: float | None
) -> None:
    target, solved = replace(TARGET, persist_s=0.0), np.ones(10, dtype=np.bool_)
    course = course_of(wet, late)
    product = forecast._product(course, np.zeros((10, 1)), np.ones(1))
    for measured, wanted_h in ((False, together_h), (True, measured_h)):
        found = forecast.ends_at(course, product, target, 0.0, solved, measured=measured)
        assert found == (None if wanted_h is None else pytest.approx(wanted_h * H, abs=0.6 * H))
        assert found is None or found >= 5.5 * H - 1


@pytest.mark.parametrize(("coming", "end_h"), [(0.0, 5.5), (0.1, 4.5), (0.5, 1.0)])
def test_what_comes_after_the_stop_brings_the_endpoint_forward_but_not_before_the_film_is_dry(coming: float, end_h: float) -> None:
    course, solved = course_of(0, 0), np.ones(10, dtype=np.bool_)
    product = forecast._product(course, np.full((10, 1), coming), np.ones(1))
    target = replace(TARGET, persist_s=0.0)
    found = forecast.ends_at(course, product, target, 0.0, solved, measured=True)
    assert found == pytest.approx(end_h * H, abs=0.5 * H)
    own_s = forecast.own_ends(course, product, target, 0.0)
    assert np.median(own_s) == pytest.approx(end_h * H, abs=0.5 * H)


def test_the_roll_meets_its_aim_once_it_is_cold(soaked: EstimatorMemory) -> None:
    """The same members stepped through the cure to its endpoint and then along the pilot's cooling."""
    target = replace(TARGET, insoluble_aim=0.7, persist_s=0.0)
    found, alone = made(soaked, CURE, COOL, target=target), made(soaked, target=target)
    assert found.endpoint_s is not None
    assert alone.endpoint_s is not None
    assert found.endpoint_s.value < alone.endpoint_s.value - 300.0
    assert min(found.coming) > 0.02
    members, belief, chosen = members_of(SITE, soaked.load), unpack(soaked.block), part(soaked)
    model = members.model._replace(table=members.model.table[chosen])
    slow = Slow(*(scale[chosen] for scale in belief.slow))
    state = State(np.ascontiguousarray(belief.state.block[chosen]), belief.state.positions)
    now = Start(np.median(belief.state.temps, axis=0), soaked.wall_k, soaked.pressure_pa, kelvin(240.0))
    stopped_s = found.endpoint_s.value
    hot = CURE._replace(kind=LegKind.SOAK, least_s=stopped_s, most_s=stopped_s, band_c=99.0)
    knots = forecast._with_vapour(follow((hot, COOL), members.model, belief.slow, OVEN, now, 0.0).knots, members)
    ahead_s = np.array([stopped_s, knots[-1, 0]])
    seen = layers.trajectory(model, slow, state, knots, ahead_s)
    gel = gel_fraction(seen.conversion * LIMIT, members.polydispersity[chosen][:, None, None], members.scission_ratio)
    dry = seen.residual[:, 0].max(axis=1) <= target.residual_max
    assert np.median((gel[:, 1] @ model.shape.share)[dry]) == pytest.approx(target.insoluble_aim, abs=0.02)
    assert found.ahead_s[-1] == pytest.approx(knots[-1, 0], rel=0.02)
    assert found.temp_c[-1].value < 62.0 < 200.0 < found.temp_c[-12].high  # members cool at their own rates along one wall
    assert found.temp_c[-1].low < found.temp_c[-1].value < found.temp_c[-1].high < 80.0
    assert found.insoluble[-1].value == pytest.approx(np.median(gel[:, 1]), abs=0.02)


def test_a_forecast_begun_from_the_last_one_finds_the_same(soaked: EstimatorMemory) -> None:
    first = made(soaked, CURE, COOL)
    assert first.endpoint_s is not None
    again = made(replace(soaked, forecast=first), CURE, COOL)
    near = made(replace(soaked, forecast=first._replace(endpoint_s=Interval(first.endpoint_s.value - 500.0, 0.0, 13 * H))), CURE, COOL)
    far = made(replace(soaked, forecast=first._replace(endpoint_s=Interval(12 * H, 0.0, 13 * H))), CURE, COOL)
    for other, off_s in ((again, 120.0), (near, 300.0), (far, 120.0)):  # what is near is left alone, and nearer in the next forecast
        assert other.endpoint_s is not None
        assert other.endpoint_s.value == pytest.approx(first.endpoint_s.value, abs=off_s)
        np.testing.assert_allclose(other.coming, first.coming, atol=0.015)
        assert len(other.ahead_s) == len(other.temp_c) == len(other.insoluble)
        assert (np.diff(other.ahead_s) >= 0).all()
        assert (np.diff([one.value for one in other.insoluble]) >= -1e-9).all()
        assert np.diff([one.value for one in other.residual_solvent]).max() < 1e-4


def test_while_it_cools_less_is_still_to_come(soaked: EstimatorMemory) -> None:
    stop, later = made(soaked, COOL), made(carried(soaked, 0.5, 240.0), COOL)
    assert stop.endpoint_s is None
    assert min(stop.coming) > 0.02
    cold = made(carried(soaked, 12.0, 60.0), COOL)
    assert max(cold.coming) < 1e-3
    assert later.coming != stop.coming


def test_the_window_is_the_cold_rolls(soaked: EstimatorMemory) -> None:
    """A step judges with what the forecast has still coming: the whole roll in the window now is above it once cold."""
    gels = [zone.insoluble for zone in soaked.estimate.zones]
    target = replace(TARGET, insoluble_high=max(gel.high for gel in gels) + 0.02, insoluble_low=0.0)
    coming = tuple(0.3 + 0.01 * position for position in range(5))
    for more, sure in ((made(soaked)._replace(coming=()), True), (made(soaked)._replace(coming=coming), False)):
        memory, _ = step(SITE, replace(soaked, target=target), reading(soaked.at_s + 1.0, 240.0), target, more)
        assert memory is not None
        _, estimate = step(SITE, memory, reading(soaked.at_s + 60.0, 240.0), target)
        assert (estimate.p_insoluble_in_window > 0.9) is sure
        assert estimate.insoluble_cold - estimate.insoluble.value == pytest.approx(estimate.coming)
        assert [round(zone.coming, 9) for zone in estimate.zones] == [round(one, 9) for one in more.coming or (0.0,) * 5]
        assert estimate.coming == pytest.approx(0.0 if sure else 0.32, abs=0.021)


def test_what_has_to_persist_is_waited_for(soaked: EstimatorMemory) -> None:
    """... where being sure comes last; an aim that is met later is not waited at."""
    for aim, later_s in ((0.05, 1500.0), (0.8, 0.0)):
        targets = (replace(TARGET, insoluble_aim=aim, persist_s=persist_s) for persist_s in (0.0, 1500.0))
        at_once, persisted = (made(soaked, target=target).endpoint_s for target in targets)
        assert at_once is not None
        assert persisted is not None
        assert persisted.value - at_once.value == pytest.approx(later_s)
    later = replace(TARGET, insoluble_aim=0.05, persist_s=1500.0)
    at_once = replace(later, residual_max=1.0, insoluble_low=0.0, insoluble_high=1.0, insoluble_aim=0.0)  # sure from the first moment on
    for sure_s, left_s in ((0.0, 1500.0), (600.0, 900.0), (1500.0, 0.0), (9000.0, 0.0)):
        ends = [made(soaked, target=target, sure_s=sure_s).endpoint_s for target in (later, at_once)]
        patient = made(soaked, target=later).endpoint_s
        assert ends[0] is not None
        assert ends[1] is not None
        assert patient is not None
        assert ends[0].value == patient.value, "what is not sure yet has not persisted"
        assert ends[1].value == pytest.approx(left_s), "what has persisted is over"


def test_no_endpoint_comes_before_the_least_time(soaked: EstimatorMemory) -> None:
    free = made(soaked).endpoint_s
    assert free is not None
    late = made(soaked, CURE._replace(least_s=free.value + 2 * H)).endpoint_s
    assert late is not None
    assert late.value >= free.value + 2 * H
    assert late.value == pytest.approx(free.value + 2 * H, abs=TARGET.persist_s + 60.0)


def test_beyond_the_limit_there_is_no_endpoint_but_a_finish(soaked: EstimatorMemory) -> None:
    found = made(soaked, CURE._replace(most_s=1200.0))
    assert found.endpoint_s is None
    assert found.p_endpoint < 0.5
    assert found.finish_s.value == pytest.approx(1200.0)
    whole = made(soaked)
    assert whole.p_endpoint > 0.9


def test_legs_after_the_cure_put_off_the_finish_and_bring_the_endpoint_forward(soaked: EstimatorMemory) -> None:
    alone, followed = made(soaked), made(soaked, CURE, Leg(LegKind.HOLD, 1800.0, 9e9, pressure_mbar=1013.25))
    assert alone.endpoint_s is not None
    assert followed.endpoint_s is not None
    assert alone.endpoint_s.value - 900.0 < followed.endpoint_s.value < alone.endpoint_s.value  # half an hour without heat cures on
    assert alone.finish_s.value == alone.endpoint_s.value
    assert followed.finish_s.value - followed.endpoint_s.value == pytest.approx(1800.0)


def test_every_fourth_in_the_order_of_the_cure_foretells_what_all_do(soaked: EstimatorMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    members = members_of(SITE, soaked.load)
    assert sorted(members.by_cure.tolist()) == list(range(len(members.residual)))
    few = made(soaked)
    monkeypatch.setattr(forecast, "EVERY", 1)
    every = made(soaked)
    assert few.endpoint_s is not None
    assert every.endpoint_s is not None
    assert few.endpoint_s.value == pytest.approx(every.endpoint_s.value, rel=0.06)  # nothing is known of this lot
    assert few.insoluble[-1].value == pytest.approx(every.insoluble[-1].value, abs=0.03)


def test_members_that_cannot_be_solved_leave_the_word_to_the_others(soaked: EstimatorMemory) -> None:
    found = unpack(soaked.block)
    found.state.solvent[part(soaked)[0]] = np.nan
    damaged, whole = made(replace(soaked, block=pack(found))), made(soaked)
    assert damaged.endpoint_s is not None
    assert whole.endpoint_s is not None
    assert damaged.endpoint_s.value == pytest.approx(whole.endpoint_s.value, rel=0.1)
    assert all(np.isfinite(point).all() for fan in (damaged.residual_solvent, damaged.insoluble) for point in map(np.array, fan))


def test_nothing_is_foretold_without_members_legs_or_target(soaked: EstimatorMemory) -> None:
    found = unpack(soaked.block)
    found.state.block[part(soaked), -1] = np.nan
    assert forecast.make(SITE, OVEN, replace(soaked, block=pack(found)), (CURE,), 240.0) is None
    assert forecast.make(SITE, OVEN, soaked, (), 240.0) is None
    assert forecast.make(SITE, OVEN, replace(soaked, target=None), (CURE,), 240.0) is None


def test_the_fan_is_ordered_dries_and_cures(soaked: EstimatorMemory) -> None:
    found = made(soaked)
    assert (np.diff(found.ahead_s) >= 0).all()
    for fan in (found.residual_solvent, found.insoluble):
        assert all(one.low <= one.value <= one.high for one in fan)
    assert (np.diff([one.value for one in found.insoluble]) >= -1e-9).all()
    dry = [one.value for one in found.residual_solvent]
    assert dry[-1] < 0.5 * dry[0]
    assert np.diff(dry).max() < 1e-4  # the pilot's vapour is another one than the last reading's
