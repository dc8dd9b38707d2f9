"""The pilot that foresees wall and pressure: closed forms of lumped bodies, and a whole batch of the bench."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from controller.equipment import Equipment
from controller.estimator import EstimatorSettings, LoadState, layers, schedule
from controller.estimator.belief import unpack
from controller.estimator.layers import Slow
from controller.estimator.members import members_of
from controller.estimator.model import POSITIONS, Leg, LegKind
from controller.estimator.parameters import value
from controller.estimator.schedule import Start
from controller.memory import Memory, Settings
from controller.plan import cooled, legs_of
from controller.recipe.reading import read_load, read_recipe
from controller.units import kelvin
from controller.wiring import load as wired
from sim import bench, lot

ROOT = Path(__file__).parents[1]
TRIAL = LoadState(length_m=20, width_m=0.5, film_um=20, foil_um=18, gap_um=100, core_mm=76, predry_residual_wt_pct=20, residual_sd_wt_pct=1)
MODEL = members_of(EstimatorSettings(), TRIAL).model
H = 3600.0
APART = Slow.none(1)._replace(log_h=np.full(1, -40.0), log_bore=np.full(1, -40.0))  # a roll that exchanges no heat with the wall
GENTLE_LN = -0.6  # so little is exchanged with the wall that minutes are short steps
LUMPED = Slow.none(1)._replace(log_k=np.full(1, 8.0), log_h=np.full(1, GENTLE_LN))  # a roll of one temperature
STEADY = Equipment(wall_kj_k=20000, loss_w_k=0.0)  # walls that no roll can cool


def start(roll_c: float, wall_c: float, pressure_pa: float = 101325.0, sp_c: float = 0.0) -> Start:
    return Start(np.full(len(POSITIONS), kelvin(roll_c)), kelvin(wall_c), pressure_pa, kelvin(sp_c) if sp_c else 0.0)


def hold(seconds: float) -> Leg:
    return Leg(LegKind.HOLD, seconds, 10 * seconds, pressure_mbar=1013.25)


def conductance_w_k(h: float) -> float:
    """From the wall to a roll of one temperature: skin, end faces, core."""
    winding = MODEL.winding
    return winding.bore_w_k + h * winding.skin_m2 + winding.ends_m2.sum() / (1 / h + winding.fin_m2_k_w)


@pytest.mark.parametrize("hours", [0.5, 2.0, 6.0])
def test_unheated_walls_cool_as_a_lumped_body(hours: float) -> None:
    oven = Equipment(wall_kj_k=500, loss_w_k=30, ambient_c=20)
    seen = schedule.follow((hold(hours * H),), MODEL, APART, oven, start(20.0, 220.0), 0.0)
    left = (seen.knots[-1, 1] - kelvin(20.0)) / 200.0
    assert left == pytest.approx(np.exp(-30 * hours * H / 500e3), rel=0.005 * max(hours, 1.0))  # steps of a minute
    assert seen.knots[-1, 0] == pytest.approx(hours * H)


def test_a_roll_of_one_temperature_cools_to_its_target_in_the_time_of_its_closed_form() -> None:
    leg = Leg(LegKind.COOL, 0.0, 40 * H, target_c=58.0, rate_c_per_min=5.0, pressure_mbar=1013.25)
    seen = schedule.follow((leg,), MODEL, LUMPED, STEADY, start(200.0, 22.0, sp_c=22.0), 0.0)
    shape, wall_k = MODEL.shape, kelvin(22.0)
    gas = (1 - shape.radiation_share) * 101325 / (101325 + shape.convection_half_pa)
    h = value("external_h") * np.exp(GENTLE_LN) * (shape.radiation_share * (wall_k / 473.15) ** 3 + gas)
    tau_s = MODEL.winding.capacity_j_k.sum() / conductance_w_k(h)
    assert seen.ends_s[0] == pytest.approx(60.0 * np.ceil(np.log(178 / 36) / np.log1p(60.0 / tau_s)))  # implicit steps of a minute
    assert seen.ends_s[0] == pytest.approx(tau_s * np.log(178 / 36), rel=0.05)  # what is exponential, in 39 steps
    assert seen.last_k.max() <= kelvin(58.0)
    assert seen.late_legs == ()


def test_the_pilot_cools_as_the_members_do() -> None:
    """The pilot's heat is the members', ring by ring: a dry roll of the deep model along the pilot's wall ends at the same temperatures."""
    load = LoadState(1000.0, 1.0, 20.0, 18.0, 100.0, 152.0, 20.0, 1.0)
    model = members_of(EstimatorSettings(), load).model
    one = model._replace(table=model.table[:1])
    hot = Start(np.array([430.0, 440.0, 450.0, 460.0, 470.0]), 380.0, 2e4, 0.0)
    leg = Leg(LegKind.HOLD, 6 * H, 60 * H, pressure_mbar=200.0)
    seen = schedule.follow((leg,), model, Slow.none(1), Equipment(), hot, 0.0)
    state = layers.initial(one, 400.0, np.zeros(1))
    state.temps[:] = hot.temps_k
    knots = np.column_stack((seen.knots, np.zeros(len(seen.knots))))
    for before, after in pairwise(knots):
        drive = layers.Drive(before[1], after[1], (before[2] + after[2]) / 2, 0.0)
        state = layers.advance(one, Slow.none(1), state, drive, after[0] - before[0]).state
    assert seen.last_k == pytest.approx(state.temps[0], abs=0.7)  # implicit steps of a minute, a wall thinned to 0.2 K
    assert np.ptp(state.temps[0]) > 5.0
    assert np.abs(seen.last_k - hot.temps_k).max() > 20.0


def test_a_start_with_other_nodes_than_the_model_is_refused() -> None:
    with pytest.raises(ValueError, match="temps_k"):
        schedule.follow((hold(60.0),), MODEL, APART, STEADY, Start(np.full(4, 300.0), 300.0, 1e5, 0.0), 0.0)


def test_a_soak_counts_only_the_time_in_band() -> None:
    soak = Leg(LegKind.SOAK, 1800.0, 20 * H, target_c=150.0, band_c=5.0, pressure_mbar=1013.25)
    warm = schedule.follow((soak,), MODEL, LUMPED, STEADY, start(150.0, 150.0, sp_c=150.0), 0.0)
    assert warm.ends_s == (1800.0,)
    cold = schedule.follow((soak,), MODEL, LUMPED, STEADY, start(100.0, 150.0, sp_c=150.0), 0.0)
    shape = MODEL.shape
    gas = (1 - shape.radiation_share) * 101325 / (101325 + shape.convection_half_pa)
    h = [
        value("external_h") * np.exp(GENTLE_LN) * (shape.radiation_share * (kelvin(wall_c) / 473.15) ** 3 + gas)
        for wall_c in (150.0, 162.0)
    ]
    slow_s = MODEL.winding.capacity_j_k.sum() / conductance_w_k(h[0]) * np.log(50 / 5)  # without a lead of the wall
    fast_s = MODEL.winding.capacity_j_k.sum() / conductance_w_k(h[1]) * np.log(62 / 17)  # with a lead of 12 K all the way
    assert fast_s < cold.ends_s[0] - 1800.0 < slow_s + 60.0


def test_a_soak_that_never_comes_into_band_runs_into_its_limit_and_is_told() -> None:
    soak = Leg(LegKind.SOAK, 600.0, 2 * H, target_c=150.0, band_c=5.0, pressure_mbar=1013.25)
    seen = schedule.follow((soak, hold(60.0)), MODEL, APART, STEADY, start(60.0, 150.0, sp_c=150.0), 0.0)
    assert seen.ends_s == pytest.approx((2 * H, 2 * H + 60.0))
    assert seen.late_legs == (0,)


def test_a_ramp_keeps_its_rate_and_waits_for_a_weak_oven() -> None:
    ramp = Leg(LegKind.RAMP, 0.0, 20 * H, target_c=160.0, rate_c_per_min=2.0, band_c=15.0, pressure_mbar=1013.25)
    strong = schedule.follow((ramp,), MODEL, APART, Equipment(loss_w_k=0.0), start(100.0, 100.0, sp_c=100.0), 0.0)
    assert strong.ends_s[0] == pytest.approx(30 * 60.0, abs=60.0)
    weak = Equipment(loss_w_k=0.0, wall_kj_k=600.0, heater_kw=5.0)  # 0.5 K/min
    held = schedule.follow((ramp,), MODEL, APART, weak, start(100.0, 100.0, sp_c=100.0), 0.0)
    assert held.ends_s[0] == pytest.approx((60.0 - 15.0) / 0.5 * 60.0, rel=0.05)  # the set point waits 15 K ahead of the wall
    walls = np.interp(np.arange(0, held.ends_s[0], 60.0), held.knots[:, 0], held.knots[:, 1])
    assert np.diff(walls).max() <= 0.5 + 0.05


def test_a_cure_lasts_as_long_as_it_is_told_but_not_beyond_its_limit() -> None:
    cure = Leg(LegKind.CURE, 1200.0, 3 * H, target_c=150.0, band_c=5.0, pressure_mbar=1013.25)
    there = start(150.0, 150.0, sp_c=150.0)
    ends = [schedule.follow((cure,), MODEL, LUMPED, STEADY, there, cure_s).ends_s[0] for cure_s in (0.0, 2 * H, 9 * H)]
    assert ends == pytest.approx([1200.0, 2 * H, 3 * H])


def test_cooling_ends_by_what_the_thermocouples_read_not_by_the_film() -> None:
    """A contact that takes 30 % of the wall reads 58 degC when the roll has 73.4: the closed form of a lumped body, that much sooner."""
    leg = Leg(LegKind.COOL, 0.0, 40 * H, target_c=58.0, rate_c_per_min=5.0, pressure_mbar=1013.25)
    begun = start(200.0, 22.0, sp_c=22.0)
    plain, touched = (
        schedule.follow((leg,), MODEL, LUMPED, STEADY, begun._replace(contact=contact), 0.0).ends_s[0]
        for contact in ((0.0, 0.0, 0.0), (0.9, 0.3, 0.3))
    )
    shown_k = 22.0 + (58.0 - 22.0) / 0.7 - 22.0
    assert touched / plain == pytest.approx(np.log(178 / shown_k) / np.log(178 / 36), abs=0.03)
    late = schedule.follow((leg,), MODEL, LUMPED, STEADY, begun._replace(offset_k=(0.0, 5.0, 0.0)), 0.0).ends_s[0]
    assert late / plain == pytest.approx(np.log(178 / 31) / np.log(178 / 36), abs=0.03)


def test_cooling_goes_on_until_the_sites_reckoning_of_the_inner_layers_says_so() -> None:
    recipe = read_recipe(ROOT / "recipes" / "trial-short.toml").recipe
    legs = legs_of(recipe, STEADY)
    reckoned = cooled(legs, 0.7)
    assert [leg.inner_share for leg in reckoned] == [0.7 if leg.kind is LegKind.COOL else 0.0 for leg in legs]
    assert [leg._replace(inner_share=0.0) for leg in reckoned] == list(legs)
    assert 0.7 in [leg.inner_share for leg in reckoned]
    cool = next(leg for leg in legs if leg.kind is LegKind.COOL)
    plain, later = (
        schedule.follow((one,), MODEL, LUMPED, STEADY, start(200.0, 22.0, sp_c=22.0), 0.0).ends_s[0]
        for one in cooled((cool,), 0.0) + cooled((cool,), 0.7)
    )
    assert later / plain == pytest.approx(np.log(178 * 1.7 / 36) / np.log(178 / 36), abs=0.03)  # (1 + share)(T - wall) = 36 K


def test_pressure_follows_the_pump_and_flowing_nitrogen_is_ambient() -> None:
    vacuum = Leg(LegKind.HOLD, 1200.0, 9e9, pressure_mbar=10.0)
    nitrogen = Leg(LegKind.HOLD, 1200.0, 9e9, pressure_mbar=10.0, n2_flow_nm3_h=20.0)
    seen = schedule.follow((vacuum, nitrogen), MODEL, APART, STEADY, start(20.0, 20.0), 0.0).knots
    at_s = np.array([240.0, 1200.0, 2400.0])
    pumped = 1000 + (101325 - 1000) * np.exp(-at_s[:2] / 240)
    back = 101325 + (pumped[1] - 101325) * np.exp(-1200 / 240)
    assert np.interp(at_s, seen[:, 0], seen[:, 2]) == pytest.approx([*pumped, back], rel=0.05)


@pytest.mark.slow
def test_the_pilot_foresees_the_heating_of_a_batch_on_the_bench() -> None:
    """To the cure's temperature; the plant's roll is another one than the prior's, but has told of itself before the last ramp."""
    settings = Settings.model_validate(lot.settings(1))
    recipe, load = read_recipe(ROOT / "recipes" / "trial-short.toml"), read_load(ROOT / "recipes" / "loads" / "sample-roll.toml")
    legs = legs_of(recipe.recipe, settings.equipment)
    ramps = [number for number, leg in enumerate(legs) if leg.kind is LegKind.RAMP]
    began: list[tuple[float, Memory]] = []

    def look(rig: bench.Rig, at_s: float) -> None:
        while len(began) <= rig.memory.unit.phase_index:
            began.append((at_s, rig.memory))

    bench.batch(recipe, load, wired(ROOT / "deploy" / "wiring.toml"), settings, 1, scan_s=2.0, max_h=2.9, hook=look)
    cure_s = began[ramps[-1] + 1][0]
    for number in ramps[1:]:
        at_s, memory = began[number]
        belief = memory.estimator
        assert belief is not None
        members, found = members_of(settings.estimator, belief.load), unpack(belief.block)
        now = Start(np.median(found.state.temps, axis=0), belief.wall_k, belief.pressure_pa, kelvin(memory.unit.temp_sp_c))
        foreseen_s = schedule.follow(legs[number : ramps[-1] + 1], members.model, found.slow, settings.equipment, now, 0.0).ends_s[-1]
        assert foreseen_s == pytest.approx(cure_s - at_s, rel=0.3)  # of 1.3 h and of 1.0 h, of which the guard may take a part


def test_what_is_thinned_out_lies_on_the_line_between_what_stays_however_long_it_is() -> None:
    at_s = 60.0 * np.arange(3000)
    wall_k = kelvin(20.0) + np.minimum(at_s / 60, 200.0) - 5 * np.exp(-np.maximum(at_s - 24000, 0) / 7200)
    pressure_pa = 500 + 1e5 * np.exp(-at_s / 240) + np.where(at_s > 60000, 2e3 * -np.expm1(-(at_s - 60000) / 600), 0.0)
    kept = schedule._thinned(np.column_stack((at_s, wall_k, pressure_pa)))
    assert kept[0, 0] == 0.0
    assert kept[-1, 0] == at_s[-1]
    assert np.abs(np.interp(at_s, kept[:, 0], kept[:, 1]) - wall_k).max() <= 0.2 + 1e-9
    assert (np.abs(np.interp(at_s, kept[:, 0], kept[:, 2]) - pressure_pa) <= 0.03 * pressure_pa + 1.0 + 1e-9).all()
    assert len(kept) < 40
    assert kept[-1, 0] - kept[-2, 0] > 24 * H  # nothing bends there
