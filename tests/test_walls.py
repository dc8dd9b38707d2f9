"""The oven learnt from its walls' heat balance: a lumped oven integrated by itself, its numbers found again; the forecast goes by them."""

import numpy as np
import pytest

from controller.equipment import Equipment
from controller.estimator import walls
from controller.image import Inputs, blank
from controller.tags import Quality, Sample
from controller.units import kelvin

SITE = Equipment(wall_kj_k=290.0, loss_w_k=52.0, heater_kw=36.0, ambient_c=22.0)
STEP_S = 10.0
THIN_PA, GAS_PA = 3e3, 101325.0


def image(output_pct: float | None) -> Inputs:
    sample = Sample(None, Quality.BAD_SENSOR, 0.0) if output_pct is None else Sample(output_pct, Quality.GOOD, 0.0)
    return blank(0.0, STEP_S, Quality.ABSENT)._replace(z1_op_pct=sample, z2_op_pct=sample, z3_op_pct=sample)


def heated(
    wall_kj_k: float, loss_w_k: float, hours: float, power: float = 1.0, lag_s: float = 30.0, pressure_pa: float = THIN_PA,
    missing: slice = slice(0, 0),
) -> walls.Ledger:  # fmt: skip
    """Half an hour each of 0, 60, 10 and 30 % of ``power`` times the installed power, behind elements of ``lag_s``."""
    ledger, wall_c, late_w = walls.EMPTY, 22.0, 0.0
    for step in range(round(hours * 3600 / STEP_S)):
        output_pct = (0.0, 60.0, 10.0, 30.0)[int(step * STEP_S // 1800) % 4]
        before_c = wall_c
        for _ in range(10):  # the oven's own clock
            late_w += (power * 360.0 * output_pct - late_w) * (STEP_S / 10) / lag_s
            wall_c += (late_w - loss_w_k * (wall_c - 22.0)) * (STEP_S / 10) / (1e3 * wall_kj_k)
        seen = None if missing.start <= step < missing.stop else output_pct
        ledger = walls.note(ledger, image(seen), kelvin(before_c), kelvin(wall_c), pressure_pa, 0.0, STEP_S)
    return ledger


def test_an_oven_that_has_shown_nothing_is_the_sites() -> None:
    found = walls.oven(walls.EMPTY, SITE)
    assert (found.wall_kj_k, found.loss_w_k) == pytest.approx((290.0, 52.0))
    assert found.cooling_ln_sd == pytest.approx(np.hypot(walls.WALL_LN_SD, walls.LOSS_LN_SD))


@pytest.mark.parametrize(("wall", "loss"), [(290.0, 52.0), (300.0, 62.0), (280.0, 43.0)])
@pytest.mark.parametrize("pressure_pa", [THIN_PA, GAS_PA])
def test_heat_capacity_and_loss_are_found_again(wall: float, loss: float, pressure_pa: float) -> None:
    found = walls.oven(heated(wall, loss, 4.0, pressure_pa=pressure_pa), SITE)
    assert found.wall_kj_k == pytest.approx(wall, rel=0.015)  # the site's number has a weight of its own
    assert abs(np.log(found.loss_w_k / loss)) < (0.02 if pressure_pa == GAS_PA else walls.GAS_LN_SD)
    assert found.cooling_ln_sd < (0.03 if pressure_pa == GAS_PA else 0.045)


def test_elements_that_lag_are_no_heat_capacity() -> None:
    found = walls.oven(heated(290.0, 52.0, 2.0, lag_s=30.0), SITE)
    assert found.wall_kj_k == pytest.approx(290.0, rel=0.005)


def test_an_error_of_the_installed_power_does_not_change_how_the_oven_cools() -> None:
    plain, strong = (walls.oven(heated(290.0, 58.0, 6.0, power, pressure_pa=GAS_PA), SITE) for power in (1.0, 1.05))
    ratio = (strong.wall_kj_k / strong.loss_w_k) / (plain.wall_kj_k / plain.loss_w_k)
    assert ratio == pytest.approx(1.0, abs=0.02)


def test_a_window_without_every_output_is_dropped_and_the_next_begins_anew() -> None:
    per_window = round(walls.WINDOW_S / STEP_S)
    whole, holed = (heated(290.0, 52.0, 1.0, missing=one) for one in (slice(0, 0), slice(100, 101)))
    lost = heated(290.0, 52.0, 1.0, missing=slice(0, 360))
    assert lost == walls.EMPTY
    assert sum(holed.running) != sum(whole.running)
    assert walls.oven(holed, SITE).cooling_ln_sd > walls.oven(whole, SITE).cooling_ln_sd
    assert per_window == 30


def test_heat_that_the_roll_takes_is_no_loss_of_the_oven() -> None:
    """A roll that takes 3 kW as long as the oven is hot: booked as taken it leaves the loss alone, forgotten it would double it."""
    ledgers = [walls.EMPTY, walls.EMPTY]
    for step in range(1440):
        wall_k = kelvin(200.0) + 0.01 * (step % 2)
        power_pct = 100 * (52.0 * 178.0 + 3000.0) / 36e3
        for number, roll_j in enumerate((3000.0 * STEP_S, 0.0)):
            ledgers[number] = walls.note(ledgers[number], image(power_pct), wall_k, wall_k, GAS_PA, roll_j, STEP_S)
    booked, forgotten = (walls.oven(one, SITE).loss_w_k for one in ledgers)
    assert booked == pytest.approx(52.0, rel=0.01)
    assert forgotten > 1.25 * 52.0
