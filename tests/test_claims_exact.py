"""Recipe and load at the lines of the process claims and the oven: predry, residual solvent, insoluble window, solvent load."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from controller.equipment import Equipment
from controller.errors import Problem
from controller.recipe.check import check_load, check_recipe, solvent_kg, warnings_of
from controller.recipe.model import LoadRecord
from controller.recipe.reading import read_load, read_recipe

ROOT = Path(__file__).parents[1] / "recipes"
RECIPE = read_recipe(ROOT / "trial-short.toml").recipe
LOAD = read_load(ROOT / "loads" / "sample-roll.toml")
OVEN = Equipment(roll_length_m=2000.0, roll_width_m=1.1, solvent_kg=12.0, trap_kg=15.0)
WIDE = RECIPE.load.model_copy(update={"max_length_m": 2000.0, "max_width_m": 1.1, "max_film_um": 200.0, "max_residual_wt_pct": 40.0})
CLAIM = "allowed 1 to 99 % (claim: 1-99 %)"
RESIDUAL = "allowed 10 to 40 wt% (claim: 10-40 wt%)"


def recipe(part, **changed):
    return RECIPE.model_copy(update={part: getattr(RECIPE, part).model_copy(update=changed)})


HEADERS = [
    ("material", {"solvent": "NMP"}, []),
    ("endpoint", {"insoluble_low_pct": 1.0}, []),
    ("endpoint", {"insoluble_low_pct": 0.9}, [("endpoint.insoluble_low_pct", 0.9, CLAIM)]),
    ("endpoint", {"insoluble_high_pct": 99.0}, []),
    ("endpoint", {"insoluble_high_pct": 99.1}, [("endpoint.insoluble_high_pct", 99.1, CLAIM)]),
    ("endpoint", {"insoluble_aim_pct": 15.0}, []),
    ("endpoint", {"insoluble_aim_pct": 14.9}, [("endpoint.insoluble_aim_pct", 14.9, "allowed 15 to 90 % (its window)")]),
    ("endpoint", {"insoluble_aim_pct": 90.0}, []),
    ("endpoint", {"insoluble_aim_pct": 90.1}, [("endpoint.insoluble_aim_pct", 90.1, "allowed 15 to 90 % (its window)")]),
    ("endpoint", {"insoluble_low_pct": 50.0, "insoluble_high_pct": 50.0},
     [("endpoint.insoluble_low_pct", 50.0, "below insoluble_high_pct = 50.0")]),
    ("load", {"min_residual_wt_pct": 10.0, "max_residual_wt_pct": 40.0}, []),
    ("load", {"min_residual_wt_pct": 9.9}, [("load.min_residual_wt_pct", 9.9, RESIDUAL)]),
    ("load", {"max_residual_wt_pct": 40.1}, [("load.max_residual_wt_pct", 40.1, RESIDUAL)]),
    ("load", {"max_length_m": 2000.0, "max_width_m": 1.1}, []),
    ("load", {"max_length_m": 2000.1}, [("load.max_length_m", 2000.1, "allowed 0 to 2000 m (this oven)")]),
    ("load", {"max_width_m": 1.2}, [("load.max_width_m", 1.2, "allowed 0 to 1.1 m (this oven)")]),
    ("load", {"max_length_m": 0.5, "max_width_m": 0.5}, []),
    ("power_fail", {"t1_s": 900.0, "t2_min": 15.0}, []),
    ("power_fail", {"t1_s": 900.1, "t2_min": 15.0}, [("power_fail.t1_s", 900.1, "at most t2_min = 15 min")]),
]  # fmt: skip


@pytest.mark.parametrize(("part", "changed", "wrong"), HEADERS)
def test_the_header_of_a_recipe_keeps_the_claims_and_the_oven(part, changed, wrong):
    found = check_recipe(recipe(part, **changed), OVEN)
    assert [(problem.key, problem.value, problem.allowed) for problem in found] == wrong


def test_a_solvent_that_is_not_known_is_refused_with_those_that_are():
    (problem,) = check_recipe(recipe("material", solvent="water"), OVEN)
    assert (problem.key, problem.value) == ("material.solvent", "water")
    assert problem.allowed.startswith("one of NMP, DMAc, ")


LOADS = [
    ({"predry_c": 133.0}, []),  # NMP boils at 203 degC
    ({"predry_c": 133.1}, [("predry_c", 133.1, "allowed 73 to 133 degC, 70-130 degC below NMP's boiling point")]),
    ({"predry_c": 73.0}, []),
    ({"predry_c": 72.9}, [("predry_c", 72.9, "allowed 73 to 133 degC, 70-130 degC below NMP's boiling point")]),
    ({"residual_wt_pct": 10.0}, []),
    ({"residual_wt_pct": 9.9}, [("residual_wt_pct", 9.9, "allowed 10 to 25 wt%")]),
    ({"residual_wt_pct": 25.0}, []),
    ({"residual_wt_pct": 25.1}, [("residual_wt_pct", 25.1, "allowed 10 to 25 wt%")]),
    ({"length_m": 30.0}, []),
    ({"length_m": 30.1}, [("length_m", 30.1, "allowed 0 to 30 m")]),
    ({"length_m": 0.5}, []),
    ({"width_m": 0.6}, []),
    ({"width_m": 0.61}, [("width_m", 0.61, "allowed 0 to 0.6 m")]),
    ({"film_um": 25.0}, []),
    ({"film_um": 1.0}, []),
    ({"film_um": 0.9}, [("film_um", 0.9, "allowed 1 to 25 um")]),
    ({"film_um": 25.1}, [("film_um", 25.1, "allowed 1 to 25 um")]),
    ({"solvent": "DMF", "predry_c": 60.0}, [("solvent", "DMF", "the recipe is for NMP")]),
    ({"solvent": "water"}, [("solvent", "water", "the recipe is for NMP")]),
]


@pytest.mark.parametrize(("changed", "wrong"), LOADS)
def test_a_load_keeps_the_claims_and_the_recipes_windows(changed, wrong):
    found = check_load(LOAD.model_copy(update=changed), RECIPE, OVEN)
    assert [(problem.key, problem.value, problem.allowed) for problem in found] == wrong


@pytest.mark.parametrize(("recipes", "lowest", "highest"), [
    ({"min_residual_wt_pct": 5.0, "max_residual_wt_pct": 60.0}, 10.0, 40.0),  # the claim's window stands, whatever the recipe says
    ({"min_residual_wt_pct": 15.0, "max_residual_wt_pct": 20.0}, 15.0, 20.0),
])  # fmt: skip
def test_the_narrower_window_of_residual_solvent_counts(recipes, lowest, highest):
    def taken(wt_pct):
        return check_load(LOAD.model_copy(update={"residual_wt_pct": wt_pct}), recipe("load", **recipes), OVEN) == []

    assert (taken(lowest), taken(lowest - 0.1), taken(highest), taken(highest + 0.1)) == (True, False, True, False)


def test_the_oven_s_own_roll_is_the_longest_and_widest_whatever_the_recipe_says():
    small = Equipment(roll_length_m=10.0, roll_width_m=0.4)
    found = check_load(LOAD, recipe("load", max_length_m=30.0), small)
    assert [(problem.key, problem.allowed) for problem in found] == [("length_m", "allowed 0 to 10 m"), ("width_m", "allowed 0 to 0.4 m")]


ROLL = LOAD.model_copy(update={"length_m": 1000.0, "width_m": 1.0, "film_um": 20.0, "residual_wt_pct": 20.0})


def test_solvent_is_dry_film_by_wet_over_dry():
    """1000 m x 1 m x 20 um: 28.2 kg of dry polyamide-imide (1410 kg/m3), 28.4 kg of polyimide (1420); a quarter of it at 20 wt%."""
    assert solvent_kg(ROLL, "PAI") == pytest.approx(7.05)
    assert solvent_kg(ROLL, "PI") == pytest.approx(7.1)
    assert solvent_kg(ROLL.model_copy(update={"width_m": 0.5}), "PAI") == pytest.approx(3.525)
    assert solvent_kg(ROLL.model_copy(update={"residual_wt_pct": 50.0, "length_m": 500.0}), "PAI") == pytest.approx(14.1)


@pytest.mark.parametrize(("oven", "fits"), [
    ({"solvent_kg": 7.05, "trap_kg": 15.0}, True),
    ({"solvent_kg": 7.04, "trap_kg": 15.0}, False),
    ({"solvent_kg": 12.0, "trap_kg": 7.05}, True),
    ({"solvent_kg": 12.0, "trap_kg": 7.04}, False),
])  # fmt: skip
def test_more_solvent_than_oven_or_cold_trap_may_take_is_no_load(oven, fits):
    found = check_load(ROLL, RECIPE.model_copy(update={"load": WIDE}), Equipment(**oven))
    low = min(oven.values())
    wrong = [("solvent in the load", 7.05, f"allowed 0 to {low:g} kg (I17: what oven and cold trap may take)")]
    assert [(problem.key, problem.value, problem.allowed) for problem in found] == ([] if fits else wrong)


def test_a_load_of_solvent_is_told_to_ten_grams():
    more = ROLL.model_copy(update={"length_m": 1000.6})
    (problem,) = check_load(more, RECIPE.model_copy(update={"load": WIDE}), Equipment(solvent_kg=7.0))
    assert problem.value == 7.05


def test_an_aim_below_thirty_per_cent_is_warned_about():
    assert warnings_of(recipe("endpoint", insoluble_aim_pct=30.0)) == []
    (said,) = warnings_of(recipe("endpoint", insoluble_aim_pct=29.9))
    assert said == ("endpoint.insoluble_aim_pct = 29.9: below 30.0 % the insoluble content changes steeply; "
                    "expect a wide spread over the roll")  # fmt: skip


def test_a_wrong_phase_in_a_repeat_is_told_once():
    wrong = RECIPE.phase[1].model_copy(update={"high_mbar": 200.0, "at": "phase.1.purge"})
    found = check_recipe(RECIPE.model_copy(update={"phase": (RECIPE.phase[0], wrong, wrong, *RECIPE.phase[2:])}), OVEN)
    assert [problem.key for problem in found] == ["phase.1.purge.CYCLE_PURGE.high_mbar"]


def test_every_load_that_can_be_read_can_be_checked():
    """Also one of nothing but solvent: a scan that cannot answer a START would end."""
    for name, field in LoadRecord.model_fields.items():
        bounds = [getattr(one, side) for one in field.metadata for side in ("ge", "gt", "le", "lt") if hasattr(one, side)]
        for value in (edge for bound in bounds for edge in (bound, np.nextafter(bound, -np.inf), np.nextafter(bound, np.inf))):
            try:
                load = LoadRecord.model_validate(LOAD.model_dump() | {name: float(value)})
            except ValidationError:
                continue
            assert all(isinstance(problem, Problem) for problem in check_load(load, RECIPE, OVEN))
    with pytest.raises(ValidationError):
        LoadRecord.model_validate(LOAD.model_dump() | {"residual_wt_pct": 100.0})
