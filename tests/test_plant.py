"""The plant against closed forms, references and its own conservation laws."""

import ast
from dataclasses import replace
from math import exp
from pathlib import Path

import numpy as np
import pytest

from controller.image import OWN_SIGNALS, SIGNALS
from controller.units import NORMAL_M3_MOL
from sim.plant import Actuators, Parameters, Plant, Roll, draw
from sim.plant.instruments import SCALE_KG
from sim.plant.oven_kernel import saturation_pa
from sim.plant.roll import NODES, RollHeat

ROOT = Path(__file__).parents[1]
TRIAL = Roll(length_m=20.0)
PRODUCTION = Roll(length_m=1042.0)  # 500 m2 coated
VACUUM = {"pump": True, "roots": True, "vac_valve": True, "vac_throttle_pct": 100.0, "exhaust_fan": True, "condenser": True}
N2 = {"n2_valve": True, "n2_flow_sp_nm3_h": 20.0, "exhaust_valve": True, "exhaust_fan": True, "condenser": True, "circulation": True}


def run(plant: Plant, seconds: float, dt_s: float = 1.0, **driven: object) -> None:
    actuators = replace(Actuators(), **driven)
    for _ in range(round(seconds / dt_s)):
        plant.step(dt_s, actuators)


def thermostat(plant: Plant, temp_c: float, **driven: object) -> Actuators:
    """Heat with simple proportional control: the plant's own tests need no PLC."""
    op = tuple(max(0.0, min(100.0, 20.0 * (temp_c - wall_c) + 30.0)) for wall_c in plant.heaters.walls_c)
    return replace(Actuators(main_contactor=True, zone_contactors=True, zone_op_pct=op), **driven)


def hours_to_dry(
    roll: Roll, temp_c: float, driven: dict[str, object], limit_h: float = 20.0, parameters: Parameters | None = None
) -> float:
    """Hours at temperature until the worst layer is below 1 wt%, after inerting and a ramp without hurry."""
    plant, dt_s, ramp_c_s = Plant(parameters, roll), 2.0, 5.0 / 60.0
    run(plant, 900, dt_s, **VACUUM)
    if "n2_valve" in driven:
        run(plant, 400, dt_s, n2_valve=True, n2_flow_sp_nm3_h=60.0)
    at_s = sp_c = 0.0
    sp_c = 23.0
    while at_s < limit_h * 3600.0:
        sp_c = min(temp_c, sp_c + ramp_c_s * dt_s)
        plant.step(dt_s, thermostat(plant, sp_c, **driven))
        at_s += dt_s if sp_c == temp_c else 0.0
        if plant.films and max(film.free + film.bound for film in plant.films) < 0.01 / 0.99:
            return at_s / 3600.0
    return limit_h


# ---- conservation ----


@pytest.mark.parametrize("seed", [1, 2])
def test_solvent_is_neither_made_nor_lost(seed: int) -> None:
    plant = Plant(draw(seed), TRIAL, seed)
    start_kg = sum(plant.solvent_totals_kg.values())
    run(plant, 600, **VACUUM)
    for driven in (VACUUM, N2, VACUUM):
        for step in range(3600):
            plant.step(1.0, thermostat(plant, 230.0, **driven))
            if step % 97 == 0:
                assert sum(plant.solvent_totals_kg.values()) == pytest.approx(start_kg, rel=1e-8)
    run(plant, 600, vent_valve=True)
    totals = plant.solvent_totals_kg
    assert sum(totals.values()) == pytest.approx(start_kg, rel=1e-8)
    assert all(amount >= 0.0 for amount in totals.values())
    assert totals["condensed"] > 0.2 * start_kg


def test_solvent_starts_as_the_predry_left_it() -> None:
    plant = Plant(roll=TRIAL)
    polymer_kg = TRIAL.area_m2 * 20e-6 * 1410.0
    assert plant.solvent_totals_kg["film"] == pytest.approx(polymer_kg * 0.2 / 0.8, rel=1e-9)
    assert plant.truth().residual_solvent_worst == pytest.approx(0.2, abs=1e-12)


@pytest.mark.parametrize("driven", [VACUUM, N2], ids=["vacuum", "nitrogen"])
def test_heat_is_neither_made_nor_lost(driven: dict[str, object]) -> None:
    plant = Plant(roll=PRODUCTION)
    assert plant.heat is not None
    start_j = plant.heaters.heat_j + plant.heat.heat_j
    for _ in range(7200):
        plant.step(1.0, thermostat(plant, 220.0, **driven))
    stored_j = plant.heaters.heat_j + plant.heat.heat_j - start_j
    assert plant.heaters.heated_j == pytest.approx(stored_j + plant.heaters.lost_j + plant.latent_j, rel=1e-6)
    assert plant.latent_j > 1e4


# ---- vapour pressure ----


def test_solvent_vapour_pressure_meets_the_data() -> None:
    parameters = replace(Parameters(), psat_factor=1.0)
    for temp_c, pa in ((100.0, 3362.0), (150.0, 22450.0), (200.0, 92440.0)):
        assert saturation_pa.py_func(parameters, temp_c) == pytest.approx(pa, rel=5e-4)


# ---- drying ----


@pytest.mark.parametrize(
    ("roll", "driven", "low_h", "high_h"),
    [(TRIAL, VACUUM, 1.0, 3.0), (TRIAL, N2, 1.0, 3.0), (PRODUCTION, VACUUM, 5.0, 12.0), (PRODUCTION, N2, 5.0, 12.0)],
    ids=["trial vacuum", "trial nitrogen", "production vacuum", "production nitrogen"],
)
def test_rolls_dry_in_the_time_that_is_known(roll: Roll, driven: dict[str, object], low_h: float, high_h: float) -> None:
    assert low_h <= hours_to_dry(roll, 220.0, driven) <= high_h


@pytest.mark.parametrize(
    ("slower", "faster"),
    [
        ((TRIAL, 200.0, VACUUM), (TRIAL, 230.0, VACUUM)),
        ((TRIAL, 220.0, N2), (TRIAL, 220.0, VACUUM)),
        ((replace(TRIAL, film_um=40.0), 220.0, VACUUM), (TRIAL, 220.0, VACUUM)),
        ((replace(TRIAL, gap_um=60.0), 220.0, N2), (TRIAL, 220.0, N2)),
        ((replace(TRIAL, residual_wt_pct=30.0), 220.0, N2), (replace(TRIAL, residual_wt_pct=15.0), 220.0, N2)),
    ],
    ids=["hotter", "vacuum instead of nitrogen", "thinner film", "wider gap", "less solvent"],
)
def test_what_dries_faster(slower: tuple[Roll, float, dict[str, object]], faster: tuple[Roll, float, dict[str, object]]) -> None:
    assert hours_to_dry(*faster) < hours_to_dry(*slower)


def test_curing_in_the_oven_only_goes_up() -> None:
    plant, before = Plant(roll=TRIAL), [0.0] * NODES
    run(plant, 300, **VACUUM)
    for _ in range(40):
        for _ in range(300):
            plant.step(2.0, thermostat(plant, 250.0, **VACUUM))
        deltas = [film.delta for film in plant.films]
        assert all(new >= old for new, old in zip(deltas, before, strict=True))
        before = deltas
    truth = plant.truth()
    assert 0.0 < truth.insoluble_min <= truth.insoluble_mean <= truth.insoluble_max < 1.0


# ---- heat ----


def minutes_to_warm(roll: Roll, pressure_mbar: float, fan: float, share: float = 0.9) -> float:
    heat, walls_c, seconds = RollHeat(Parameters(), roll, 20.0), np.full(3, 220.0), 0
    while heat.film_c.min() < 20.0 + share * 200.0:
        if seconds % 10 == 0:
            heat.conduct(220.0, pressure_mbar, fan)
        heat.step(1.0, walls_c, np.zeros(NODES), np.zeros(3))
        seconds += 1
    return seconds / 60.0


def test_a_trial_roll_warms_in_half_an_hour_and_a_production_roll_in_hours() -> None:
    assert 20.0 <= minutes_to_warm(TRIAL, 1013.0, 1.0) <= 40.0
    assert minutes_to_warm(replace(TRIAL, length_m=500.0), 1013.0, 1.0) > 120.0


def test_a_roll_warms_slower_in_vacuum() -> None:
    assert minutes_to_warm(PRODUCTION, 0.1, 1.0) > 1.3 * minutes_to_warm(PRODUCTION, 1013.0, 1.0)


# ---- gas ----


def test_cycle_purge_meets_the_pressure_ratio() -> None:
    p = replace(Parameters(), leak_mbar_l_s=0.0, n2_o2_ppm=0.0)
    plant, expected_pct = Plant(p), 20.9
    for _ in range(2):
        while plant.chamber.pressure_pa > 1000.0:
            run(plant, 0.2, 0.2, pump=True, vac_valve=True, vac_throttle_pct=100.0)
        run(plant, 5)
        low_pa = plant.chamber.pressure_pa
        while plant.chamber.pressure_pa < 1e5:
            run(plant, 1, n2_valve=True, n2_flow_sp_nm3_h=60.0)
        run(plant, 20)
        expected_pct *= low_pa / plant.chamber.pressure_pa
    assert plant.chamber.o2_pct == pytest.approx(expected_pct, rel=1e-6)


def test_flow_purge_is_a_well_mixed_dilution() -> None:
    plant = Plant(replace(Parameters(), n2_o2_ppm=0.0))
    driven = {"n2_valve": True, "n2_flow_sp_nm3_h": 50.0, "exhaust_valve": True, "exhaust_fan": True}
    run(plant, 60, 0.2, **driven)
    c = plant.chamber
    before_pct, before_nm3, mol = c.o2_pct, c.n2_used_nm3, c.n2 + c.o2
    run(plant, 300, 0.2, **driven)
    assert c.o2_pct == pytest.approx(before_pct * exp(-(c.n2_used_nm3 - before_nm3) * NORMAL_M3_MOL / mol), rel=0.01)


def test_pump_down_is_exponential_at_constant_speed() -> None:
    p = replace(Parameters(), pump_end_mbar=0.0, leak_mbar_l_s=0.0, throttle_m3_h=1e9)
    plant = Plant(p)
    run(plant, 10, 0.2, pump=True, vac_valve=True, vac_throttle_pct=100.0)
    before_pa = plant.chamber.pressure_pa
    run(plant, 60, 0.2, pump=True, vac_valve=True, vac_throttle_pct=100.0)
    assert plant.chamber.pressure_pa == pytest.approx(before_pa * exp(-60.0 * p.pump_m3_h / 3600.0 / p.chamber_m3), rel=0.02)


def test_leak_up_shows_the_leak() -> None:
    plant = Plant()
    run(plant, 600, pump=True, vac_valve=True, vac_throttle_pct=100.0)
    run(plant, 30)
    before_pa = plant.chamber.pressure_pa
    run(plant, 3600)
    p = plant.parameters
    assert plant.chamber.pressure_pa - before_pa == pytest.approx(p.leak_mbar_l_s / (1000.0 * p.chamber_m3) * 3600.0 * 100.0, rel=0.01)


def test_vapour_in_a_closed_cold_chamber_ends_at_the_cold_walls_saturation() -> None:
    plant = Plant(replace(Parameters(), leak_mbar_l_s=0.0))
    chamber = plant.chamber
    chamber.n2 = chamber.o2 = 0.0
    chamber.add(0.1, 0.0)
    run(plant, 2000)
    assert plant.heaters.walls_c == (23.0, 23.0, 23.0)
    assert chamber.vapour_pa == pytest.approx(saturation_pa.py_func(plant.parameters, 23.0), rel=1e-3)
    assert chamber.wall_mol > 0.0


def test_the_relief_opens_the_heat_chain() -> None:
    plant, lifted = Plant(), False
    for _ in range(60):
        run(plant, 1, n2_valve=True, n2_flow_sp_nm3_h=100.0)
        lifted = lifted or not plant.chain_ok
        assert plant.chamber.pressure_pa < 1.15e5
    assert lifted


# ---- door, instruments ----


def test_the_door_opens_only_when_unlocked_and_only_then_a_roll_goes_in() -> None:
    plant = Plant()
    assert not plant.open_door()
    with pytest.raises(ValueError, match="closed"):
        plant.load(TRIAL)
    run(plant, 1, door_locked=False)
    assert plant.open_door()
    plant.load(TRIAL)
    plant.close_door()
    assert plant.truth().loaded
    assert plant.truth().door_closed


def test_every_field_signal_is_read() -> None:
    read = set(Plant(roll=TRIAL).read(1.0)._fields)
    plc_words = {name for name in SIGNALS if name.startswith(("plc_", "echo_")) or name.endswith("_sp_applied_c")}
    assert read == set(SIGNALS) - set(OWN_SIGNALS) - plc_words


def test_readings_lie_near_the_truth() -> None:
    plant = Plant(roll=TRIAL, seed=3)
    for _ in range(400):
        plant.step(1.0, Actuators())
        v = plant.read(1.0)._asdict()
    for name in ("z1_tc_a_c", "z2_limit_c", "load_core_c"):
        assert v[name] == pytest.approx(23.0, abs=2.5)
    assert v["pressure_cap_mbar"] == pytest.approx(1013.25, rel=0.005)
    assert v["o2_pct"] == pytest.approx(20.9, rel=0.03)
    assert v["condensate_kg"] / SCALE_KG == pytest.approx(round(v["condensate_kg"] / SCALE_KG), abs=1e-9)


def test_the_o2_reading_stands_still_under_vacuum() -> None:
    plant = Plant(seed=1)
    actuators = replace(Actuators(), **VACUUM)
    for _ in range(300):
        plant.step(1.0, actuators)
        v = plant.read(1.0)._asdict()
    assert v["o2_sample_flow_l_min"] == 0.0
    assert v["o2_pct"] == pytest.approx(20.9, rel=0.05)


def test_the_pirani_reads_solvent_vapour_high() -> None:
    clean, wet = Plant(seed=5), Plant(seed=5)
    for plant in (clean, wet):
        run(plant, 300, **VACUUM)
    wet.chamber.add(wet.chamber.n2, 0.0)
    clean.chamber.n2 *= 2.0
    a, b = (plant.read(1.0).pressure_pirani_mbar / plant.chamber.pressure_pa for plant in (clean, wet))
    assert b > 1.15 * a


# ---- parameters, imports ----


ALLOWED = {"controller.tags", "controller.units", "controller.image", "controller.wiring", "controller.block", "controller.errors"}
FILES = [*sorted((ROOT / "sim" / "plant").glob("*.py")), *(ROOT / "sim" / f"{name}.py" for name in
         ("softplc", "plc_guards", "plc_loops", "judge", "faults"))]  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_plant_knows_nothing_of_the_controllers_model(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("controller"):
            names = {f"controller.{alias.name}" for alias in node.names} if node.module == "controller" else {node.module}
            assert names <= ALLOWED
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("controller") for alias in node.names)
