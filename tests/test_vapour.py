"""Solvent in the chamber's gas: by the two gauges in a vacuum, by the coldest wall without them."""

import pytest

from controller.estimator import vapour
from controller.estimator.readings import pressure_mbar
from controller.estimator.vapour import UNSEEN, Gauges
from controller.image import Inputs, blank
from controller.solvents import SOLVENTS, saturation_pressure_pa
from controller.tags import Quality, Sample

NMP = SOLVENTS["NMP"]


def image(exact_mbar: float | None, pirani_mbar: float | None, wall_c: float | None = 90.0) -> Inputs:
    def sample(value: float | None) -> Sample[float]:
        return Sample(value, Quality.BAD_SENSOR if value is None else Quality.GOOD, 0.0)

    return blank(0.0, 10.0, Quality.ABSENT)._replace(
        pressure_cap_mbar=sample(exact_mbar), pressure_pirani_mbar=sample(pirani_mbar), coldest_wall_c=sample(wall_c)
    )


def seen(gauges: Gauges, reading: Inputs, cold: bool, minutes: float = 30.0) -> Gauges:
    for _ in range(round(6 * minutes)):
        gauges = vapour.compared(gauges, reading, cold, 10.0)
    return gauges


@pytest.mark.parametrize("gain", [0.9, 1.0, 1.12])
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_the_gauges_ratio_tells_the_share_of_vapour_whatever_their_own_error(gain: float, share: float) -> None:
    cold = seen(UNSEEN, image(20.0, 20.0 * gain), cold=True)
    assert vapour.gauged_share(cold) is None  # cold gas is the reference, nothing is told of it
    hot = seen(cold, image(33.0, 33.0 * gain * (1 + vapour.PIRANI_RISE * share)), cold=False)
    assert vapour.gauged_share(hot) == pytest.approx(share, abs=1e-3)
    found_pa = vapour.chamber_vapour_pa(NMP, image(33.0, 33.0, wall_c=150.0), 3300.0, hot)
    assert found_pa == pytest.approx(min(share, 1.0) * 3300.0, abs=5.0)


def test_without_a_reference_or_without_a_gauge_the_coldest_wall_bounds_the_vapour() -> None:
    bound_pa = saturation_pressure_pa(NMP, 90.0)
    cold = seen(UNSEEN, image(20.0, 21.0), cold=True)
    dry = image(33.0, 34.65)
    assert vapour.chamber_vapour_pa(NMP, dry, 3300.0, seen(UNSEEN, dry, cold=False)) == pytest.approx(bound_pa)
    for lost in (image(None, 34.65), image(33.0, None), image(300.0, 315.0)):  # the last: a Pirani gauge hardly sees the gas
        assert vapour.gauged_share(vapour.compared(seen(cold, dry, cold=False), lost, False, 10.0)) is None
    assert vapour.chamber_vapour_pa(NMP, dry, 3300.0, seen(cold, dry, cold=False)) == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize("ratio", [0.5, 0.8, 2.5])
def test_a_gauge_that_shows_what_no_gas_can_be_is_not_believed(ratio: float) -> None:
    cold = seen(UNSEEN, image(20.0, 20.0), cold=True)
    lying = image(33.0, 33.0 * ratio)
    gauges = seen(cold, lying, cold=False)
    assert vapour.gauged_share(gauges) is None
    assert vapour.chamber_vapour_pa(NMP, lying, 3300.0, gauges) == pytest.approx(saturation_pressure_pa(NMP, 90.0))


def test_one_noisy_reading_moves_the_ratio_by_little() -> None:
    dry = image(20.0, 20.0)
    gauges = seen(seen(UNSEEN, dry, cold=True), dry, cold=False)
    jumped = vapour.compared(gauges, image(20.0, 22.0), False, 10.0)
    share = vapour.gauged_share(jumped)
    assert share is not None
    assert 0.0 < share < 0.1 / vapour.PIRANI_RISE / 10


def test_a_zero_that_has_drifted_below_nothing_is_no_vapour_and_no_negative_pressure() -> None:
    reading = image(-2.0, None)._replace(exhaust_lel_pct=Sample(-1.0, Quality.GOOD, 0.0))
    assert vapour.exhaust_fraction(NMP, reading) == 0.0
    assert pressure_mbar(reading) == 0.0
