"""The blister and evolution guard: ramps wait, vacuum stays above the floor, an invalid estimate guards nothing."""

import math
from itertools import pairwise
from pathlib import Path

import pytest

from controller.command import Command, Start
from controller.image import Atmosphere, Estimate, Interval, Setpoints
from controller.interlocks.conditioning import condition
from controller.interlocks.limits import Limits
from controller.memory import Memory
from controller.recipe import guard
from controller.recipe.look import PhaseMemory, PhaseScan
from controller.recipe.model import Evacuate, Ramp
from controller.recipe.phases import run
from controller.recipe.proving import Proving
from controller.recipe.reading import parse_load, parse_recipe
from controller.recipe.run import step as unit_step
from controller.recipe.standing import UnitMemory
from controller.recipe.states import UnitState, Verb
from controller.scan import scan
from tests.images import BAD, bare, image

ROOT = Path(__file__).parents[1]
NOWHERE = Interval(0.0, 0.0, 0.0)
BELIEF = Estimate(150.0, 150.0, NOWHERE, NOWHERE, 0.0, 0.0, NOWHERE, None, True, "", ())
RAMP = Ramp(kind="RAMP", target_c=240.0, rate_c_per_min=6.0, atmosphere="VACUUM", pressure_mbar=10.0, timeout_min=600.0)
VACUUM = Setpoints(True, 100.0, 0.0, Atmosphere.VACUUM, 10.0, 0.0)
HOT = {f"z{zone}_tc_{sensor}_c": 150.0 for zone in (1, 2, 3) for sensor in "abc"}


def look(pressure_mbar=10.0, sp_c=150.0, capacity_kg_h=4.0, lel_pct=0.0, **belief):
    inputs = image(**HOT, pressure_cap_mbar=pressure_mbar, pressure_pirani_mbar=pressure_mbar, exhaust_lel_pct=lel_pct)
    return PhaseScan(inputs, condition(Limits(), inputs), BELIEF._replace(**belief), None, 1.0, sp_c, False, 2.0, 60.0, proven=True,
                     solvent="NMP", solvent_kg_h=capacity_kg_h, lel_hold_pct=25.0)  # fmt: skip


def step_c(**belief):
    """Return by how much one second of ramp moves the set point, degC; 6 degC/min are 0.1."""
    return run(RAMP, PhaseMemory(stage=1), look(**belief)).setpoints.temp_c - 150.0


def rate(high_kg_h):
    return {"evolution_kg_h": Interval(high_kg_h / 2, 0.0, high_kg_h)}


SHARES = [
    ({}, 1.0),
    ({"blister": 0.8}, 1.0),
    ({"blister": 0.9}, 0.5),  # the smooth step 3x^2 - 2x^3 is a half in the middle
    ({"blister": 0.85}, 1 - (3 * 0.25**2 - 2 * 0.25**3)),
    ({"blister": 1.0}, 0.0),
    ({"blister": 3.0}, 0.0),
    (rate(3.2), 1.0),
    (rate(3.6), 0.5),
    (rate(4.0), 0.0),
    ({"floor_mbar": 81.0}, 1.0),  # the floor alone says nothing where the chamber stands above it, as in flowing N2
    ({"blister": 3.0, "floor_mbar": 500.0, "valid": False}, 1.0),
]


@pytest.mark.parametrize(("belief", "share"), SHARES)
def test_the_ramp_slows_to_nothing_between_08_and_1(belief, share):
    assert step_c(**belief) == pytest.approx(0.1 * share, abs=1e-9)


@pytest.mark.parametrize("valid", [True, False])
@pytest.mark.parametrize(("lel_pct", "share"), [(18.0, 1.0), (20.25, 0.5), (22.5, 0.0), (BAD, 1.0)])
def test_the_exhausts_vapour_slows_the_ramp_before_the_batch_is_held_also_without_an_estimate(lel_pct, share, valid):
    assert step_c(lel_pct=lel_pct, valid=valid) == pytest.approx(0.1 * share, abs=1e-9)


def test_the_exhausts_vapour_is_told_where_it_is_what_guards():
    guards = PhaseMemory(guarded=True)
    assert guard.why(guards, look(lel_pct=20.0, **rate(1.0))) == "guard: B 0.00, evolution up to 1.00 kg/h, 20 % LEL in the exhaust"
    assert guard.why(guards, look(lel_pct=20.0, valid=False)) == "guard: 20 % LEL in the exhaust"
    assert guard.why(guards, look(lel_pct=3.0, valid=False, why_invalid="blind")) == "guard off: blind"
    assert "LEL" not in guard.why(guards, look(lel_pct=3.0))


def test_the_ramps_rate_is_a_smooth_function_of_b():
    steps = [step_c(blister=0.8 + 0.002 * k) for k in range(101)]
    assert all(0.0 <= before - after < 0.003 for before, after in pairwise(steps))


def test_without_a_known_capacity_evolution_guards_nothing():
    assert run(RAMP, PhaseMemory(stage=1), look(capacity_kg_h=0.0, **rate(99.0))).setpoints.temp_c == pytest.approx(150.1)


def test_a_ramp_down_is_not_guarded():
    down = RAMP.model_copy(update={"target_c": 100.0})
    assert run(down, PhaseMemory(stage=1), look(blister=2.0)).setpoints.temp_c == pytest.approx(149.9)


def test_what_the_guard_does_is_told():
    held = run(RAMP, PhaseMemory(stage=1), look(blister=1.2))
    assert "B 1.20" in held.waiting
    above = run(RAMP, PhaseMemory(stage=1), look(blister=1.2, floor_mbar=120.0))
    assert "floor 120 mbar" in above.waiting
    assert "I5" in above.waiting
    off = run(RAMP, PhaseMemory(stage=1), look(valid=False, why_invalid="no readings"))
    assert "guard off: no readings" in off.waiting
    assert "guard" not in run(RAMP, PhaseMemory(stage=1), look()).waiting


def test_the_vacuum_stays_above_the_floor_and_follows_it_down_slowly():
    m, asked = PhaseMemory(), []
    for second in range(6000):
        floor = 50.0 if second < 600 else 0.0
        done = run(RAMP, m, look(pressure_mbar=10.0, floor_mbar=floor))
        m = done.memory
        asked.append(done.setpoints.pressure_mbar)
    assert set(asked[:600]) == {50.0}
    assert asked[600] == pytest.approx(50.0, rel=0.01)
    assert asked[2400] == pytest.approx(50.0 / math.e, rel=0.01)  # one time constant later
    assert all(after <= before for before, after in pairwise(asked))
    assert asked[-1] == 10.0
    assert m.guard_mbar == 0.0


def test_the_floor_never_lifts_the_pressure_into_the_interlock():
    wanted = guard.vacuum(Setpoints(True, 100.0, 0.0, Atmosphere.VACUUM, 10.0, 0.0), PhaseMemory(), look(floor_mbar=300.0))[1]
    assert wanted.pressure_mbar == 80.0
    assert Proving().vacuum_mbar < Proving().proof_mbar


def test_heat_goes_on_at_the_guarded_pressure():
    """10 mbar are asked for, the floor is 50: a chamber at 55 mbar has the vacuum it may have."""
    m = PhaseMemory()
    for _ in range(3):
        done = run(RAMP, m, look(pressure_mbar=55.0, floor_mbar=50.0))
        m = done.memory
    assert done.setpoints.heat
    assert not run(RAMP, PhaseMemory(), look(pressure_mbar=55.0, film_max_c=59.0)).setpoints.heat


def test_an_evacuation_waits_for_the_floor():
    phase = Evacuate(kind="EVACUATE", pressure_mbar=20.0, timeout_min=60.0)
    done = run(phase, PhaseMemory(), look(pressure_mbar=40.0, floor_mbar=40.0))
    assert done.setpoints.pressure_mbar == 40.0
    assert "guard" in done.waiting
    assert run(phase, PhaseMemory(), look(pressure_mbar=40.0, film_max_c=59.0)).setpoints.pressure_mbar == pytest.approx(18.0)


def drawn(m, pressure_mbar, **belief):
    """Return memory and set point of a vacuum of 10 mbar, mbar, a second later."""
    m, wanted = guard.vacuum(VACUUM, m, look(pressure_mbar, **belief))
    return m, wanted.pressure_mbar


def test_past_a_warm_film_the_vacuum_is_drawn_down_from_where_it_stands():
    m, asked = PhaseMemory(), []
    for _ in range(3300):
        m, mbar = drawn(m, 60.0 if not asked else asked[-1])
        asked.append(mbar)
    assert asked[0] == pytest.approx(60.0 * math.exp(-1 / 1800))
    assert asked[1799] == pytest.approx(60.0 / math.e)
    assert asked[-1] == 10.0
    assert m.guard_mbar == 0.0
    assert drawn(PhaseMemory(), 1013.0)[1] == pytest.approx(80.0 * math.exp(-1 / 1800))  # I5 and I6 leave no more


@pytest.mark.parametrize(("pressure_mbar", "drawn_down"), [(12.5, False), (12.6, True)])
def test_a_vacuum_at_its_set_point_is_left_alone(pressure_mbar, drawn_down):
    m, mbar = drawn(PhaseMemory(), pressure_mbar)
    assert (m.guard_mbar > 0.0) is drawn_down
    assert (mbar > 10.0) is drawn_down
    low = Setpoints(True, 100.0, 0.0, Atmosphere.VACUUM, 1.0, 0.0)
    assert (guard.vacuum(low, PhaseMemory(), look(pressure_mbar - 9.55))[1].pressure_mbar > 1.0) is drawn_down  # 3.0 mbar


@pytest.mark.parametrize(("belief", "stands"), [(rate(3.2), False), (rate(4.0), True), ({"blister": 1.0}, True), ({"blister": 0.8}, False)])
def test_it_stands_while_more_comes_than_is_taken(belief, stands):
    m = PhaseMemory(guard_mbar=40.0)
    for _ in range(60):
        m, mbar = drawn(m, 40.0, **belief)
    assert mbar == pytest.approx(40.0 if stands else 40.0 * math.exp(-60 / 1800))
    m, slower = drawn(PhaseMemory(guard_mbar=40.0), 40.0, **rate(3.6))
    assert slower == pytest.approx(40.0 * math.exp(-0.5 / 1800))


@pytest.mark.parametrize(
    ("memory", "belief"),
    [
        ({}, {"film_max_c": 59.9}),
        ({}, {"valid": False}),
        ({"reopened": True}, {}),
        ({"isolated_s": 5.0}, {}),
    ],
)
def test_a_cold_film_a_void_estimate_and_what_comes_back_from_an_isolation_draw_it_down_at_once(memory, belief):
    m, mbar = drawn(PhaseMemory(**memory), 60.0, **belief)
    assert mbar == 10.0
    assert m.guard_mbar == 0.0
    assert drawn(PhaseMemory(), 60.0, film_max_c=60.0)[1] > 10.0


def test_without_a_pressure_nothing_is_drawn_down_slowly():
    blind = look(60.0)
    blind = blind._replace(process=blind.process._replace(pressure_mbar=None))
    assert guard.vacuum(VACUUM, PhaseMemory(), blind)[1].pressure_mbar == 10.0


def test_other_atmospheres_are_left_alone():
    flow = Setpoints(True, 100.0, 0.0, Atmosphere.N2_FLOW, 1013.0, 40.0)
    assert guard.vacuum(flow, PhaseMemory(), look(floor_mbar=50.0))[1] == flow


def test_the_journal_is_told_when_the_guard_begins_and_ends_once_each():
    sourced = parse_recipe((ROOT / "recipes" / "trial-short.toml").read_text("utf-8"), "trial")
    load = parse_load((ROOT / "recipes" / "loads" / "sample-roll.toml").read_text("utf-8"), "load")
    start = Command("id", "anna", Verb.START, None, 1, Start(sourced.recipe, sourced.sha256, sourced.text, load))
    memory, _ = scan(bare(), Memory(), image(), (start,))
    ramp = next(index for index, phase in enumerate(sourced.recipe.phase) if phase.kind == "RAMP")
    unit: UnitMemory = memory.unit._replace(phase_index=ramp, phase=PhaseMemory(stage=1), temp_sp_c=100.0)
    assert unit.state is UnitState.RUNNING
    told = []
    for b in (0.5, 0.79, 0.81, 0.85, 0.79, 0.81, 0.7, 0.5, 0.5):  # 0.79 is inside the deadband
        unit, _, notes = unit_step(unit, look(60.0, unit.temp_sp_c, blister=b), True, "")
        told += [(note.content["what"], note.content["blister"]) for note in notes if note.kind == "decision"]
    assert told == [("guard begins", 0.81), ("guard ends", 0.7)]
