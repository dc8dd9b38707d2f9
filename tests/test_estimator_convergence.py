"""A roll that dries by another law than the estimator's: does the evidence bring the belief to it?"""

from math import exp

import numpy as np
import pytest
from numpy.typing import NDArray

from controller.estimator import EstimatorMemory, EstimatorSettings, LoadState, start, step
from controller.estimator.ensemble import unpack
from controller.image import Inputs, blank
from controller.tags import Quality, Sample

ROLL = LoadState(
    length_m=1000, width_m=0.5, film_um=20, foil_um=18, gap_um=100, core_mm=152, predry_residual_wt_pct=20, residual_sd_wt_pct=1
)
POLYMER_KG = 500 * 20e-6 * 1410
CELLS = 20
WORK_S = 10.0


def good(value: float) -> Sample[float]:
    return Sample(value, Quality.GOOD, 0.0)


def true_at(closed: bool) -> Sample[bool]:
    return Sample(closed, Quality.GOOD, 0.0)


def film_temperature_c(at_s: float) -> float:
    """The film follows a 1 K/min ramp from 30 to 225 degC."""
    return min(30 + at_s / 60, 225.0)


def resolved(u: NDArray[np.float64], temp_c: float, diffusion_scale: float, dt_s: float) -> NDArray[np.float64]:
    """One implicit step of the resolved film: D0(T) e^(60 w) in series with a swollen D, no glass; dry free face, tight foil."""
    d0 = 1e-14 * diffusion_scale * exp(-70e3 / 8.314 * (1 / (temp_c + 273.15) - 1 / 473.15))
    width = 20e-6 / CELLS
    fraction = u / (1 + u)
    swollen = 4e-12 * exp(-30e3 / 8.314 * (1 / (temp_c + 273.15) - 1 / 373.15))
    d = 1 / (1 / (d0 * np.exp(60 * fraction)) + 1 / swollen)
    face = np.sqrt(d[1:] * d[:-1]) / width**2
    free = 2 * d[-1] / width**2
    below, above = np.append(0, face), np.append(face, free)
    matrix = np.diag(1 + dt_s * (below + above)) - np.diag(dt_s * face, 1) - np.diag(dt_s * face, -1)
    return np.linalg.solve(matrix, u)


def reading(at_s: float, film_c: float, condensate_kg: float | None) -> Inputs:
    image = blank(at_s, 1.0, Quality.ABSENT)._replace(
        **{f"z{zone}_tc_{letter}_c": good(film_c + 15) for zone in (1, 2, 3) for letter in "abc"},
        load_outer_c=good(film_c + 0.5),
        load_edge_c=good(film_c + 1),
        load_core_c=good(film_c - 0.5),
        coldest_wall_c=good(40.0),
        pressure_cap_mbar=good(2.0),
        pressure_pirani_mbar=good(2.2),
        vac_valve_open=true_at(True),
        condenser_run=true_at(True),
        condenser_c=good(-5.0),
    )
    return image if condensate_kg is None else image._replace(condensate_kg=good(condensate_kg))


def watch(hours: float, scale: float, wet_pct: float, evidence: bool) -> tuple[float, EstimatorMemory]:
    """Run the batch; return the true residual weight fraction and the belief."""
    u0 = wet_pct / (100 - wet_pct)
    u = np.full(CELLS, u0)
    settings = EstimatorSettings()
    memory = start(settings, ROLL, 0.0, 30.0)
    at_s = 0.0
    while at_s < hours * 3600:
        at_s += WORK_S
        film_c = film_temperature_c(at_s)
        u = resolved(u, film_c, scale, WORK_S) if at_s > 60 else u  # the condensate scale is read before the first drop
        scale_reading_kg = round(POLYMER_KG * (u0 - float(u.mean())) * 0.97, 2)  # 3 % stays on the walls; the scale shows 10 g
        after, _ = step(settings, memory, reading(at_s, film_c, scale_reading_kg if evidence else None), None)
        assert after is not None
        memory = after
    mean = float(u.mean())
    return mean / (1 + mean), memory


@pytest.mark.parametrize(("scale", "wet_pct", "hours"), [(0.5, 19.5, 4.5), (1.0, 20.0, 4.0), (2.0, 20.5, 3.5)])
def test_the_flux_narrows_the_belief_around_a_roll_that_dries_by_another_law(scale: float, wet_pct: float, hours: float) -> None:
    truth, told = watch(hours, scale, wet_pct, evidence=True)
    _, untold = watch(hours, scale, wet_pct, evidence=False)
    seen, blind = told.estimate.residual_solvent, untold.estimate.residual_solvent
    assert told.estimate.valid, told.estimate.why_invalid
    assert seen.low <= truth <= seen.high
    assert seen.high / seen.low < 0.5 * blind.high / blind.low


def test_the_flux_moves_the_solvent_and_never_the_crosslinks() -> None:
    settings = EstimatorSettings()
    memory = start(settings, ROLL, 0.0, 150.0)
    for number in range(1, 60):
        after, _ = step(settings, memory, reading(WORK_S * number, 150.0, 0.01 * number), None)
        assert after is not None
        memory = after
    much, little = (step(settings, memory, reading(600.0 + WORK_S, 150.0, kg), None)[0] for kg in (1.5, 0.6))
    assert much is not None
    assert little is not None
    assert unpack(much.block).solvent.mean() < unpack(little.block).solvent.mean()
    assert (unpack(much.block).conversion == unpack(little.block).conversion).all()
