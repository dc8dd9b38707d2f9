"""A roll in the middle of its cure, and forecasts of what is left of it."""

from dataclasses import replace
from functools import lru_cache

from controller.equipment import Equipment
from controller.estimator import EstimatorMemory, EstimatorSettings, LoadState, Target, forecast, start, step
from controller.estimator.model import Leg, LegKind
from controller.image import Forecast, Inputs, blank
from controller.tags import Quality, Sample
from tests.known import ESTIMATOR

H = 3600.0
TRIAL = LoadState(length_m=20, width_m=0.5, film_um=20, foil_um=18, gap_um=100, core_mm=76, predry_residual_wt_pct=20, residual_sd_wt_pct=1)
SITE, OVEN = EstimatorSettings(**ESTIMATOR), Equipment()
TARGET = Target(0.01, 0.05, 0.97, 0.9, insoluble_aim=0.55, persist_s=120.0)
CURE = Leg(LegKind.CURE, 0.0, 15 * H, target_c=240.0, band_c=10.0, pressure_mbar=1.0, start_c=240.0)
COOL = Leg(LegKind.COOL, 0.0, 50 * H, target_c=60.0, rate_c_per_min=0.5, pressure_mbar=1.0)


def good(value: float) -> Sample[float]:
    return Sample(value, Quality.GOOD, 0.0)


def reading(at_s: float, temp_c: float) -> Inputs:
    image = blank(at_s, 1.0, Quality.ABSENT)._replace(
        coldest_wall_c=good(40.0), pressure_cap_mbar=good(1.0), pressure_pirani_mbar=good(1.0)
    )
    return image._replace(**{f"z{zone}_tc_{letter}_c": good(temp_c) for zone in (1, 2, 3) for letter in "abc"})


def carried(memory: EstimatorMemory, hours: float, temp_c: float) -> EstimatorMemory:
    at_s, end_s = memory.at_s, memory.at_s + hours * H
    while at_s < end_s - 1e-6:
        at_s += 60.0
        after, _ = step(SITE, memory, reading(at_s, temp_c), TARGET)
        assert after is not None
        memory = after
    return memory


@lru_cache(maxsize=1)
def soaked_memory() -> EstimatorMemory:
    """Return the belief after three hours at 240 degC in a vacuum."""
    return carried(start(SITE, TRIAL, 0.0, 240.0), 3.0, 240.0)


def made(memory: EstimatorMemory, *legs: Leg, target: Target = TARGET, sure_s: float = 0.0) -> Forecast:
    found = forecast.make(SITE, OVEN, replace(memory, target=target), legs or (CURE,), 240.0, sure_s)
    assert found is not None
    return found
