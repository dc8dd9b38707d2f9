"""Long steps: a campaign scans every 2 to 5 s, and the plant must be the same oven then."""

from dataclasses import replace

import numpy as np
import pytest

from sim.plant import Actuators, Parameters, Plant, Roll, Truth, draw
from sim.plant.films import PERIOD_S

SAMPLE = Roll(length_m=20.0, width_m=0.5, residual_wt_pct=18.0)
PRODUCTION = Roll(length_m=500.0, width_m=1.0, residual_wt_pct=18.0)
VACUUM = Actuators(pump=True, roots=True, vac_valve=True, vac_throttle_pct=20.0, exhaust_fan=True, condenser=True)
N2 = Actuators(n2_valve=True, n2_flow_sp_nm3_h=40.0, exhaust_valve=True, exhaust_fan=True, condenser=True, circulation=True)
CLOSED = Actuators(exhaust_fan=True, condenser=True)


def program_c(minutes: float) -> float:
    """Return the walls' set point of a batch-like history: ramp, drying, ramp, cure, cooling."""
    return float(np.interp(minutes, [0, 20, 50, 100, 125, 245, 305], [23, 23, 120, 120, 240, 240, 60]))


def driven(minutes: float) -> Actuators:
    """Evacuate, dry in vacuum with a pressure-rise test on the way, cool in nitrogen."""
    if minutes >= 245.0:
        return N2
    return CLOSED if 110.0 <= minutes < 112.0 else VACUUM


def batch(roll: Roll, dt_s: float, parameters: Parameters | None = None) -> tuple[Plant, list[Truth], list[float]]:
    """Run the history with steps of ``dt_s`` from walls that follow the program exactly; return truths and solvent totals on the way."""
    plant, truths, totals = Plant(parameters, roll), [], []
    for step in range(round(305 * 60 / dt_s)):
        minutes = (step + 0.5) * dt_s / 60.0
        plant.heaters.walls_c = [program_c(minutes)] * 3
        plant.step(dt_s, driven(minutes))
        if (step + 1) % round(900 / dt_s) == 0:
            truths.append(plant.truth())
            totals.append(sum(plant.solvent_totals_kg.values()))
    truths.append(plant.truth())
    totals.append(sum(plant.solvent_totals_kg.values()))
    return plant, truths, totals


@pytest.mark.parametrize("dt_s", [2.0, 5.0])
@pytest.mark.parametrize("roll", [SAMPLE, PRODUCTION], ids=["sample", "production"])
def test_long_steps_give_the_same_batch(roll: Roll, dt_s: float) -> None:
    _, fine, _ = batch(roll, 0.5)
    _, coarse, _ = batch(roll, dt_s)
    for a, b in zip(fine, coarse, strict=True):
        assert np.array(b.node_temps_c) == pytest.approx(np.array(a.node_temps_c), abs=0.15 * dt_s)
        assert np.array(b.residuals) == pytest.approx(np.array(a.residuals), abs=5e-4 * dt_s)
        assert np.array(b.insolubles) == pytest.approx(np.array(a.insolubles), abs=3e-3 * dt_s)
    assert 0.3 < fine[-1].insoluble_max < 1.0 or roll is PRODUCTION


@pytest.mark.parametrize("dt_s", [0.25, 1.0, 3.0, 5.0])
@pytest.mark.parametrize("roll", [SAMPLE, PRODUCTION], ids=["sample", "production"])
def test_solvent_balance_closes_at_every_step_length(roll: Roll, dt_s: float) -> None:
    _, _, totals = batch(roll, dt_s, draw(4))
    assert totals == pytest.approx([totals[0]] * len(totals), rel=1e-8)


def test_changing_the_step_on_the_way_loses_nothing() -> None:
    plant = Plant(roll=PRODUCTION)
    start_kg = sum(plant.solvent_totals_kg.values())
    plant.heaters.walls_c = [200.0] * 3
    for dt_s in (1.0, 5.0, 0.3, 2.0, 0.7, 4.0) * 200:
        plant.step(dt_s, VACUUM)
        assert sum(plant.solvent_totals_kg.values()) == pytest.approx(start_kg, rel=1e-8)


@pytest.mark.parametrize("dt_s", [1.0, 5.0])
def test_heat_balance_closes_at_every_step_length(dt_s: float) -> None:
    plant = Plant(roll=PRODUCTION)
    assert plant.heat is not None
    start_j = plant.heaters.heat_j + plant.heat.heat_j
    heated = replace(VACUUM, main_contactor=True, zone_contactors=True, zone_op_pct=(40.0, 30.0, 35.0))
    for _ in range(round(7200 / dt_s)):
        plant.step(dt_s, heated)
    stored_j = plant.heaters.heat_j + plant.heat.heat_j - start_j
    assert plant.heaters.heated_j == pytest.approx(stored_j + plant.heaters.lost_j + plant.latent_j, rel=1e-6)
    assert plant.latent_j > 1e4


@pytest.mark.parametrize("roll", [SAMPLE, PRODUCTION], ids=["sample", "production"])
def test_a_closed_hot_chamber_comes_to_rest_with_its_film(roll: Roll) -> None:
    """Film and little gas in equilibrium must not swing on the films' slow clock."""
    plant = Plant(roll=roll)
    for _ in range(900):
        plant.step(1.0, VACUUM)
    assert plant.heat is not None
    plant.heat.temps_c[:] = 90.0
    pressures = []
    for _ in range(600):
        plant.heaters.walls_c = [90.0] * 3
        plant.step(1.0, Actuators())
        pressures.append(plant.chamber.pressure_pa)
    steps = np.diff(np.array(pressures)[:: round(PERIOD_S)])[3:]
    assert (
        np.sum(np.diff(np.sign(steps[np.abs(steps) > 0.2])) != 0) <= 4
    )  # sixty turns of the clock: a swing would change sign at nearly each
    assert min(pressures) > 0.0


def test_the_edge_dries_before_the_middle_and_the_outside_warms_before_the_core() -> None:
    plant, truths, _ = batch(PRODUCTION, 5.0)
    ramp = truths[7]
    temps_c = np.array(ramp.node_temps_c).reshape(-1, 3)
    assert temps_c[-1, 1] > temps_c[2, 1] + 5.0
    residuals = np.array(ramp.residuals).reshape(-1, 3)
    assert residuals[2, 1] > residuals[2, 0]
    assert plant.history.times_s[1] - plant.history.times_s[0] == pytest.approx(60.0, abs=PERIOD_S)


# ---- actuators ----


def test_a_positioner_waits_sticks_and_arrives() -> None:
    """The throttle takes 6 s for its 100 %, waits 0.4 s and sticks within 0.5 %."""
    plant, actuators, seen = Plant(), Actuators(), []
    throttle = plant.field.throttle

    def follow(steps: int, wanted_pct: float) -> None:
        actuators.vac_throttle_pct = wanted_pct
        for _ in range(steps):
            plant.step(0.2, actuators)
            seen.append(throttle.position)

    follow(12, 10.0)
    assert seen[:2] == [0.0, 0.0]
    assert seen[2] == pytest.approx(20.0 / 6.0)
    assert seen[-1] == 10.0
    follow(20, 10.4)
    assert throttle.position == 10.0
    follow(20, 10.6)
    assert throttle.position == 10.6
    follow(100, 0.0)
    assert throttle.position == 0.0


def test_a_valve_has_a_dead_time_before_its_stroke() -> None:
    """The N2 valve moves 0.2 s after its pilot and takes 1 s."""
    plant, actuators = Plant(), Actuators(n2_valve=True)
    valve = plant.field.n2
    for expected in (0.0, 0.0, 0.1, 0.2):
        plant.step(0.1, actuators)
        assert valve.position == pytest.approx(expected)
    plant.step(5.0, actuators)
    assert valve.position == 1.0
    actuators.n2_valve = False
    plant.step(0.1, actuators)
    assert valve.position == 1.0
