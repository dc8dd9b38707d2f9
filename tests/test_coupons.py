"""The virtual laboratory: what coupons say about a resin lot."""

from statistics import fmean, stdev

import numpy as np
import pytest

from sim.coupons import ASSAY, INSOLUBLE_SD, Coupon, cut, ladder
from sim.plant import Actuators, Plant, Roll, draw
from sim.plant.roll import LAYERS

STEPS = [(240.0, 1.0), (240.0, 0.5), (240.0, 0.5), (240.0, 1.0), (240.0, 2.0)]


def finished(seed: int = 3) -> Plant:
    """Return a plant whose roll has been through three hours at 245 degC in vacuum."""
    plant = Plant(draw(seed, lot=2), Roll(length_m=20.0, residual_wt_pct=18.0), seed)
    vacuum = Actuators(pump=True, roots=True, vac_valve=True, vac_throttle_pct=100.0, condenser=True)
    for _ in range(3 * 720):
        plant.heaters.walls_c = [245.0] * 3
        plant.step(5.0, vacuum)
    return plant


def test_a_ladder_has_one_coupon_per_step_with_its_whole_history() -> None:
    coupons = ladder(1, STEPS, 1)
    assert len(coupons) == len(STEPS)
    assert [coupon.times_s[-1] / 3600.0 for coupon in coupons] == pytest.approx([1.0, 1.5, 2.0, 3.0, 5.0])
    assert all(len(coupon.times_s) == len(coupon.temps_c) for coupon in coupons)
    assert coupons[0].position == "ladder"
    assert coupons[0].assay == ASSAY


def test_insoluble_content_rises_along_a_ladder_and_hotter_is_quicker() -> None:
    def mean(temp_c: float, hours: float) -> float:
        return fmean(ladder(1, [(temp_c, hours)], seed)[0].insoluble for seed in range(20))

    assert mean(240.0, 1.0) < mean(240.0, 2.0) < mean(240.0, 5.0) < 1.0
    assert mean(225.0, 2.0) < mean(240.0, 2.0) < mean(255.0, 2.0)


def test_solvent_leaves_along_a_ladder() -> None:
    wet, dryer, dry = (coupon.residual_wt_pct for coupon in ladder(1, [(90.0, 0.1), (130.0, 1.0), (240.0, 4.0)], 1))
    assert 18.5 > wet > dryer + 2.0
    assert dryer > dry + 0.5
    assert dry < 0.3


def test_the_laboratory_repeats_within_its_own_noise() -> None:
    found = [ladder(1, [(240.0, 2.0)], seed)[0].insoluble for seed in range(200)]
    assert stdev(found) == pytest.approx(INSOLUBLE_SD, rel=0.2)
    assert ladder(1, STEPS, 5) == ladder(1, STEPS, 5)
    assert ladder(1, STEPS, 5) != ladder(1, STEPS, 6)


def test_lots_differ_by_more_than_the_noise() -> None:
    means = [fmean(ladder(lot, [(240.0, 2.0)], seed)[0].insoluble for seed in range(10)) for lot in range(12)]
    assert stdev(means) > 2.0 * INSOLUBLE_SD / np.sqrt(10.0)


def test_one_long_step_is_the_same_as_many_short_ones() -> None:
    whole = ladder(1, [(240.0, 3.0)], 7)[0].insoluble
    parts = fmean(ladder(1, [(240.0, 0.5)] * 6, seed)[-1].insoluble for seed in range(100))
    assert parts == pytest.approx(fmean(ladder(1, [(240.0, 3.0)], seed)[0].insoluble for seed in range(100)), abs=4 * INSOLUBLE_SD / 10)
    assert abs(whole - parts) < 4 * INSOLUBLE_SD


def test_coupons_cut_from_a_batch_carry_the_films_truth_and_its_history() -> None:
    plant = finished()
    truth = plant.truth()
    nodes = {"outer": 3 * LAYERS - 2, "core": 1, "edge": 3 * LAYERS - 3}
    coupons = [cut(plant, [*nodes, "upper", "middle"], seed) for seed in range(100)]
    for index, node in enumerate(nodes.values()):
        mean = fmean(found[index].insoluble for found in coupons)
        assert mean == pytest.approx(truth.insolubles[node], abs=4 * INSOLUBLE_SD / 10)
    outer = coupons[0][0]
    assert outer.position == "outer"
    assert len(outer.times_s) == len(outer.temps_c) > 150
    assert outer.temps_c[-1] == pytest.approx(truth.node_temps_c[nodes["outer"]], abs=0.5)
    assert cut(plant, ["core"], 1) == cut(plant, ["core"], 1)


@pytest.mark.parametrize(
    ("steps", "says"), [([(400.0, 1.0)], "20 to 320"), ([(200.0, 0.0)], "above 0"), ([(float("nan"), 1.0)], "20 to 320")]
)
def test_an_impossible_ladder_is_refused(steps: list[tuple[float, float]], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ladder(1, steps, 1)


def test_nothing_is_cut_from_an_empty_oven_or_an_unknown_place() -> None:
    with pytest.raises(ValueError, match="no roll"):
        cut(Plant(), ["outer"], 1)
    with pytest.raises(ValueError, match="outer, upper, middle, core, edge"):
        cut(Plant(roll=Roll()), ["bottom"], 1)


def test_a_coupon_never_reports_the_impossible() -> None:
    raw: list[Coupon] = [ladder(1, [(100.0, 0.1)], seed)[0] for seed in range(50)]
    assert all(coupon.insoluble >= 0.0 for coupon in raw)
    assert min(coupon.insoluble for coupon in raw) == 0.0
