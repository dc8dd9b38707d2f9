"""The pressure-rise test: what the fit makes of chambers whose pressure is known in closed form, and when the recipe isolates."""

from pathlib import Path

import numpy as np
import pytest

from controller.control import gas, pid
from controller.equipment import Equipment
from controller.estimator.pressure_rise import Leak, Rise, fit, step
from controller.image import Atmosphere, Estimate, Interval, Setpoints
from controller.interlocks.conditioning import condition
from controller.interlocks.limits import Limits
from controller.recipe import isolation
from controller.recipe.check import check_recipe
from controller.recipe.look import PhaseMemory, PhaseScan
from controller.recipe.model import PressureRiseTest, Soak
from controller.recipe.phases import run
from controller.recipe.reading import parse_recipe
from controller.recipe.states import UnitState, Verb
from controller.solvents import SOLVENTS
from controller.views import phase_view
from sim.faults import inject
from tests.images import BAD, image
from tests.rigs import rig_at

NMP = SOLVENTS["NMP"]
TRIAL = (Path(__file__).parents[1] / "recipes" / "trial-short.toml").read_text("utf-8")
HOT = {f"z{zone}_tc_{sensor}_c": 200.0 for zone in (1, 2, 3) for sensor in "abc"}
WARM_WALL = {"coldest_wall_c": 200.0, "condenser_c": -5.0, "condenser_run": False}
SHUT = HOT | WARM_WALL
OPEN = SHUT | {"vac_valve_open": True, "vac_valve_closed": False}


def rising(t_s, start_mbar, leak_mbar_min, outgassing_mbar_min, tau_s):
    """Return the pressure of an isolated chamber in closed form: constant leak, outgassing that decays with ``tau_s``."""
    return start_mbar + leak_mbar_min * t_s / 60 + outgassing_mbar_min / 60 * tau_s * (1 - np.exp(-t_s / tau_s))


def noisy(rng, pressures_mbar):
    return pressures_mbar * (1 + 4e-4 * rng.standard_normal(len(pressures_mbar))) + 0.01 * rng.standard_normal(len(pressures_mbar))


@pytest.mark.parametrize("leak_mbar_min", [1e-3, 2e-2])
@pytest.mark.parametrize("outgassing_mbar_min", [0.2, 2.0])
@pytest.mark.parametrize("tau_s", [120.0, 1000.0])
@pytest.mark.parametrize("isolated_s", [120.0, 300.0])
def test_the_fit_finds_the_outgassing_and_knows_how_well(isolated_s, tau_s, outgassing_mbar_min, leak_mbar_min):
    """40 noisy chambers each: the mean within 5 % and the 90 % interval holds the truth in most of them, without being wide."""
    rng = np.random.default_rng(7)
    t_s = np.linspace(0.0, isolated_s, 60)
    found = []
    for _ in range(40):
        prior = Leak(max(0.0, leak_mbar_min * (1 + 0.3 * rng.standard_normal())), 0.3 * leak_mbar_min)
        found.append(fit(t_s, noisy(rng, rising(t_s, 10.0, leak_mbar_min, outgassing_mbar_min, tau_s)), prior))
    rates, sds = np.array([one.outgassing for one in found]), np.array([one.outgassing_sd for one in found])
    assert rates.mean() == pytest.approx(outgassing_mbar_min, rel=0.05)
    assert (np.abs(rates - outgassing_mbar_min) < 1.645 * sds).mean() >= 0.8
    assert np.median(sds) < 0.15 * outgassing_mbar_min


@pytest.mark.parametrize("tau_s", [60.0, 120.0, 1000.0])
def test_the_fit_knows_the_outgassing_at_the_end_too(tau_s):
    """Then the vapour has filled the chamber, and holds the film back."""
    rng, t_s = np.random.default_rng(5), np.linspace(0.0, 300.0, 60)
    found = [fit(t_s, noisy(rng, rising(t_s, 10.0, 1e-3, 2.0, tau_s)), Leak(1e-3, 3e-4)) for _ in range(40)]
    truth = 2.0 * np.exp(-300.0 / tau_s)
    late, sd = np.array([one.late for one in found]), np.array([one.late_sd for one in found])
    assert late.mean() == pytest.approx(truth, rel=0.05, abs=0.02)
    assert (np.abs(late - truth) < 1.645 * sd).mean() >= 0.8
    assert np.median(sd) < 0.1 * truth + 0.05


@pytest.mark.parametrize("tau_s", [20.0, 120.0, 1000.0])
def test_a_rate_near_the_noise_is_covered_by_its_uncertainty(tau_s):
    rng = np.random.default_rng(3)
    t_s = np.linspace(0.0, 120.0, 60)
    found = [fit(t_s, noisy(rng, rising(t_s, 10.0, 1e-3, 0.02, tau_s)), Leak(1e-3, 3e-4)) for _ in range(40)]
    inside = [abs(one.outgassing - 0.02) < 1.645 * one.outgassing_sd for one in found]
    assert np.mean(inside) >= 0.85


def test_the_prior_of_the_cold_leak_parts_leak_and_outgassing():
    """A rise of 0.1 mbar/min that is all leak: with its prior no solvent is claimed, without one either could have made it."""
    t_s = np.linspace(0.0, 300.0, 60)
    pressures_mbar = noisy(np.random.default_rng(1), rising(t_s, 10.0, 0.1, 0.0, 100.0))
    known, unknown = fit(t_s, pressures_mbar, Leak(0.1, 0.005)), fit(t_s, pressures_mbar, None)
    assert abs(known.outgassing) < 2 * known.outgassing_sd
    assert known.leak.rate_mbar_min == pytest.approx(0.1, abs=0.01)
    assert unknown.outgassing_sd > 2 * known.outgassing_sd


def isolated(curve, seconds=150, before=OPEN, during=SHUT, cold_leak=None, rise=None, condenser_in_chamber=True):
    """Run ``seconds`` of isolation between two open scans and return what comes out of every scan that gave a result."""
    rise, results = rise or Rise(), []
    for second in range(-3, seconds + 3):
        open_now = second < 0 or second >= seconds
        pressure = float(curve(max(second, 0)))
        seen = (before if open_now else during) | {"pressure_cap_mbar": pressure, "pressure_pirani_mbar": pressure}
        seen |= during.get("at", lambda _: {})(second) if "at" in during else {}
        seen.pop("at", None)
        rise, result = step(rise, image(at_s=1000.0 + second, **seen), NMP, 2.0, cold_leak, condenser_in_chamber)
        results += [] if result is None else [result]
    return rise, results


def test_an_isolation_gives_one_result_in_kilograms_by_the_ideal_gas():
    """V / (R T) dp/dt: 1 mbar/min in 2 m3 at 200 degC (all walls) of NMP, 0.09913 kg/mol."""
    _, results = isolated(lambda t: rising(np.array(float(t)), 10.0, 0.001, 1.0, 600.0), cold_leak=Leak(0.001, 0.0005))
    assert len(results) == 1
    expected = 100.0 / 60.0 * 2.0 / (8.314462618 * 473.15) * 0.099131 * 3600.0
    assert results[0].solvent_kg_h == pytest.approx(expected, rel=0.02)
    assert abs(results[0].solvent_kg_h - expected) < 1.645 * results[0].solvent_sd_kg_h
    assert results[0].valid, results[0].why_invalid
    assert results[0].isolated_s == 149.0
    assert results[0].at_s == 1149.0


def test_a_dry_cold_chamber_gives_the_prior_of_the_next_test():
    rise, results = isolated(lambda t: 18.0 + 0.02 * t / 60, seconds=900)
    assert results[0].rise_mbar_min == pytest.approx(0.02, rel=0.01)
    assert rise.leak.rate_mbar_min == pytest.approx(0.02, rel=0.01)
    assert rise.leak.sd_mbar_min >= 0.01
    assert rise.times_s == ()


def test_the_memory_is_bounded_and_made_of_numbers():
    rise = Rise()
    for second in range(7200):
        rise, _ = step(rise, image(at_s=float(second), **SHUT, pressure_cap_mbar=10.0, pressure_pirani_mbar=10.0), NMP, 2.0, None)
    assert len(rise.times_s) == len(rise.pressures_mbar) <= 64
    assert rise.times_s[-1] > 6800.0
    assert all(isinstance(value, float) for value in (*rise.times_s, *rise.pressures_mbar))


INVALID = [
    ({"coldest_wall_c": 40.0}, {}, "coldest wall at 40 degC"),  # dew point of NMP at 40 degC: about 1 mbar
    ({"condenser_run": True}, {}, "condenser at -5 degC"),
    ({"coldest_wall_c": BAD}, {}, "no reading"),
    ({"pressure_cap_mbar": BAD}, {}, "no reading"),
]


@pytest.mark.parametrize(("changed", "more", "why"), INVALID, ids=[row[2] for row in INVALID])
def test_what_makes_a_test_worthless_is_said(changed, more, why):
    lost = {"at": lambda second: changed if second == 60 else {}} if BAD in changed.values() else {}
    still = {} if lost else changed
    _, results = isolated(lambda t: 10.0 + 0.5 * t / 60, during=SHUT | still | lost)
    assert [result.valid for result in results] == [False]
    assert why in results[0].why_invalid


def test_a_condenser_behind_the_vacuum_valve_does_not_spoil_the_test():
    _, results = isolated(lambda t: 10.0 + 0.5 * t / 60, during=SHUT | {"condenser_run": True}, condenser_in_chamber=False)
    assert results[0].valid, results[0].why_invalid


def test_a_pressure_that_jumps_is_no_outgassing():
    _, results = isolated(lambda t: 10.0 if t < 70 else 14.0)
    assert not results[0].valid
    assert "residuals" in results[0].why_invalid


def test_a_moment_of_closed_valves_gives_nothing():
    assert isolated(lambda t: 10.0, seconds=15)[1] == []
    assert isolated(lambda t: 900.0, seconds=150)[1] == []  # a chamber full of gas is no pressure-rise test


def test_a_heating_chamber_is_no_leak():
    """A sealed gas warms from 200 to 210 degC: p / T stays, so nothing came in (2 % of 10 mbar otherwise)."""

    def warm(second):
        return {f"z{z}_tc_{x}_c": 200.0 + second / 15 for z in (1, 2, 3) for x in "abc"} | {"coldest_wall_c": 200.0 + second / 15}

    _, results = isolated(lambda t: 10.0 * (473.15 + t / 15) / 473.15, during=SHUT | {"at": warm}, cold_leak=Leak(1e-3, 1e-3))
    assert abs(results[0].rise_mbar_min) < 1e-6


# ---- the recipe's part ----

NOWHERE = Interval(0.0, 0.0, 0.0)
BELIEF = Estimate(200.0, 200.0, NOWHERE, NOWHERE, 0.0, 0.0, NOWHERE, None, True, "", ())
SOAK = Soak(kind="SOAK", target_c=200.0, soak_min=600.0, band_c=5.0, atmosphere="VACUUM", pressure_mbar=10.0, timeout_min=900.0,
            pressure_rise_every_min=10.0, pressure_rise_s=120.0, pressure_rise_max_mbar=25.0)  # fmt: skip
LOADS = {f"load_{place}_c": 200.0 for place in ("outer", "edge", "core")}


def look(pressure_mbar=10.0, dt_s=1.0, **more):
    inputs = image(dt_s=dt_s, **HOT, **LOADS, pressure_cap_mbar=pressure_mbar, pressure_pirani_mbar=pressure_mbar)
    fields = {"estimate": BELIEF, "proven": True, "solvent": "NMP", **more}
    estimate = fields.pop("estimate")
    return PhaseScan(inputs, condition(Limits(), inputs), estimate, None, dt_s, 200.0, False, 2.0, 60.0, **fields)


def soaked(seconds, phase=SOAK, pressure=lambda second: 10.0, m=PhaseMemory(stage=1), **more):  # noqa: B008
    steps = []
    for second in range(seconds):
        done = run(phase, m, look(pressure(second), **more))
        m = done.memory
        steps.append(done)
        if done.done:
            break
    return m, steps


def test_a_soak_isolates_on_time_keeps_heat_and_time_and_reopens():
    m, steps = soaked(900)
    closed = [second for second, done in enumerate(steps) if done.setpoints.atmosphere is Atmosphere.HOLD_CLOSED]
    assert closed == list(range(600, 720))  # after ten minutes, for 120 s
    assert all(done.setpoints.heat for done in steps)
    assert m.counted_s == 900.0
    assert steps[720].setpoints.atmosphere is Atmosphere.VACUUM
    assert all(done.setpoints.pressure_mbar == 10.0 for done in steps)


def test_an_isolation_ends_early_at_its_highest_pressure_and_heat_stays_while_the_vacuum_comes_back():
    m, steps = soaked(640, pressure=lambda second: 10.0 if second < 600 else 10.0 + 0.5 * (second - 600))
    closed = [second for second, done in enumerate(steps) if done.setpoints.atmosphere is Atmosphere.HOLD_CLOSED]
    assert closed[-1] == 629  # 25 mbar at second 630
    assert m.reopened
    assert steps[-1].setpoints.heat
    assert m.counted_s == 640.0


EVOLVING = BELIEF._replace(
    evolution_kg_h=Interval(1.0, 0.5, 2.0)
)  # 2 kg/h for 120 s: 0.067 kg, 13 mbar in 2 m3 at 200 degC, 20 with the margin
HINDERED = [
    ({"estimate": EVOLVING}, "less solvent"),
    ({"estimate": BELIEF._replace(valid=False, why_invalid="x")}, "valid estimate"),
    ({"proven": False}, "I5"),
]


@pytest.mark.parametrize(("more", "why"), HINDERED, ids=[row[1] for row in HINDERED])
def test_the_chamber_is_not_isolated_when_it_must_not_be(more, why):
    _, steps = soaked(700, **more)
    assert all(done.setpoints.atmosphere is Atmosphere.VACUUM for done in steps)
    assert why in steps[-1].waiting


def test_the_predicted_rise_is_the_ideal_gas_with_its_margin():
    mol = 1e3 * 2.0 * 120 / 3600 / 99.131
    assert isolation.predicted_mbar(look(estimate=EVOLVING), 120.0) == pytest.approx(1.5 * mol * 8.314462618 * 473.15 / 2.0 / 100)


def test_a_lost_proof_opens_the_chamber_at_once():
    m, _ = soaked(650)
    assert m.isolated_s > 0
    assert run(SOAK, m, look(proven=False)).setpoints.atmosphere is Atmosphere.VACUUM


def test_a_hold_opens_the_chamber_and_the_test_is_made_anew():
    m, steps = soaked(650)
    wanted, after = isolation.opened(steps[-1].setpoints, m)
    assert wanted.atmosphere is Atmosphere.VACUUM
    assert wanted.pressure_mbar == 10.0
    assert (after.isolated_s, after.since_s) == (0.0, 0.0)


def test_the_phase_isolates_once_and_ends_when_the_vacuum_is_back():
    phase = PressureRiseTest(kind="PRESSURE_RISE", target_c=200.0, isolate_s=60.0, max_mbar=25.0, atmosphere="VACUUM", pressure_mbar=10.0,
                             timeout_min=30.0)  # fmt: skip
    _, steps = soaked(120, phase, m=PhaseMemory())
    closed = [done.setpoints.atmosphere is Atmosphere.HOLD_CLOSED for done in steps]
    assert sum(closed) == 60
    assert steps[-1].done
    assert len(steps) == 62


def test_the_valves_shut_the_pumps_go_on_and_the_throttle_takes_up_where_it_was():
    tuning = pid.Tuning(gain=120.0, integral_s=60.0)
    vacuum = Setpoints(True, 200.0, 0.0, Atmosphere.VACUUM, 10.0, 0.0)
    inputs = image(pump_run=True, roots_run=True, vac_valve_open=True, vac_valve_closed=False, pressure_cap_mbar=10.0,
                   pressure_pirani_mbar=10.0)  # fmt: skip
    process = condition(Limits(), inputs)
    memory = gas.GasMemory(pid.Memory(35.0), roots=True)
    _, before = gas.step(memory, tuning, vacuum, inputs, process, 1.0)
    for _ in range(120):
        memory, out = gas.step(memory, tuning, vacuum._replace(atmosphere=Atmosphere.HOLD_CLOSED), inputs, process, 1.0)
        assert (out.vac_valve, out.n2_valve, out.vent_valve, out.exhaust_valve) == (False,) * 4
        assert out.pump
        assert out.roots
    _, after = gas.step(memory, tuning, vacuum, inputs, process, 1.0)
    assert after == before


WRONG = [
    ("pressure_rise_s = 120.0", "", "pressure_rise_s", "needed with"),
    ("pressure_rise_s = 120.0", "pressure_rise_s = 700.0", "pressure_rise_s", "half of its interval"),
    ("pressure_rise_max_mbar = 80.0", "pressure_rise_max_mbar = 95.0", "pressure_rise_max_mbar", "I6 trips at 100 mbar"),
    ("pressure_rise_max_mbar = 80.0", "pressure_rise_max_mbar = 59.0", "pressure_rise_max_mbar", "above pressure_mbar"),
]


@pytest.mark.parametrize(("old", "new", "key", "hint"), WRONG, ids=[row[1] or "missing" for row in WRONG])
def test_a_mistake_in_the_keys_is_refused(old, new, key, hint):
    assert old in TRIAL
    problems = [str(problem) for problem in check_recipe(parse_recipe(TRIAL.replace(old, new), "r").recipe, Equipment())]
    assert any(key in problem and hint in problem for problem in problems), problems


# ---- whole batches ----


TESTED = """pressure_mbar = 60.0
pressure_rise_every_min = 3.0
pressure_rise_s = 60.0
pressure_rise_max_mbar = 78.0
timeout_min = 240.0"""


@pytest.fixture
def isolating(tmp_path):
    """A rig that dries gently at 120 degC, five seconds into its first isolation."""
    path = tmp_path / "tested.toml"
    path.write_text(TRIAL.replace("pressure_mbar = 60.0\ntimeout_min = 240.0", TESTED), "utf-8")
    rig = rig_at("SOAK", recipe=path)
    while rig.memory.unit.phase.isolated_s < 5 and rig.record.phase_kind == "SOAK":
        rig.step()
    assert rig.memory.unit.phase.isolated_s >= 5
    return rig


@pytest.mark.slow
def test_in_the_oven_the_valves_shut_heat_goes_on_and_the_vacuum_comes_back(isolating):
    rig = isolating
    v = rig.plc.values
    assert v["vac_valve_closed"]
    assert v["n2_valve_closed"]
    assert v["exhaust_valve_closed"]
    assert v["main_contactor"]
    assert v["pump_run"]
    while rig.memory.unit.phase.isolated_s > 0:
        assert rig.step().setpoints.heat
    for _ in range(120):
        record = rig.step()
        assert record.process.pressure_mbar < 85.0
        assert record.verdict.heat
    assert rig.plc.values["vac_valve_open"]
    assert rig.unsafe == []


@pytest.mark.slow
def test_i6_stays_armed_while_the_chamber_is_isolated(isolating):
    """Air comes in and the vacuum valve does not open again: I6 acts as in any vacuum."""
    rig = isolating
    assert phase_view(rig.memory.unit).vacuum
    inject(rig.plc, "air_leak")
    inject(rig.plc, "vac_valve_stuck_shut")
    for _ in range(120):
        record = rig.step()
    assert "I6" in record.verdict.active
    assert not record.outputs.heat_enable
    assert record.unit_state is UnitState.HELD
    assert rig.unsafe == []


@pytest.mark.slow
def test_a_hold_in_the_oven_ends_the_isolation(isolating):
    rig = isolating
    rig.ask(Verb.HOLD)
    for _ in range(20):
        record = rig.step()
    assert record.unit_state is UnitState.HELD
    assert rig.memory.unit.phase.isolated_s == 0.0
    assert rig.plc.values["vac_valve_open"]
    assert rig.unsafe == []
