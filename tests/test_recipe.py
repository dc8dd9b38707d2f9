"""Recipes and load records: what is read, and what is refused with which words."""

from pathlib import Path

import pytest

from controller.equipment import Equipment
from controller.errors import FileError
from controller.fitness import problems_of_any
from controller.interlocks.limits import Limits
from controller.memory import Settings
from controller.recipe.check import check_load, check_recipe, solvent_kg, warnings_of
from controller.recipe.proving import Proving
from controller.recipe.reading import parse_load, parse_recipe, read_load, read_recipe

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))
TRIAL = (ROOT / "recipes" / "trial-short.toml").read_text("utf-8")
LOAD = (ROOT / "recipes" / "loads" / "sample-roll.toml").read_text("utf-8")


def test_there_are_four_ready_recipes_and_each_says_what_it_is_for():
    assert len(RECIPES) >= 4
    assert all(len(read_recipe(path).recipe.purpose) > 20 for path in RECIPES)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_ready_recipe_fits_the_default_oven_and_its_load(path):
    recipe = read_recipe(path).recipe
    load = read_load(ROOT / "recipes" / "loads" / ("sample-roll.toml" if recipe.load.max_length_m < 100 else "production-roll.toml"))
    assert check_recipe(recipe, Equipment()) == []
    assert check_load(load, recipe, Equipment()) == []


def edited(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


# what a person writes -> what the answer must name
MISTAKES = [
    ("revision = 4", "revision = 4\nrevison = 2", "revison", "did you mean revision"),
    ("revision = 4", "revision = 4\nrevision = 5", "file", "TOML"),
    ("revision = 4", 'revision = "3"', "revision", "integer"),
    ("revision = 4", "revision = ", "file", "must be TOML (www.toml.io)\n"),
    ("revision = 4", "revision = 4\nrevision = 4", "file", "each key once"),
    ('kind = "VENT"', 'kind = "VENT"\ntarget_c = 58.0', "phase 10 (VENT), target_c", "unknown key; VENT takes "),
    ("target_c = 120.0", "target_c = nan", "target_c", "finite"),
    ("target_c = 120.0", "target_f = 248.0", "target_f", "did you mean target_c"),
    ("target_c = 120.0", "target_c = 1e9", "target_c", "350"),
    ("target_c = 120.0", 'target_c = "=no-such"', "target_c", "cure-temperature"),
    ("timeout_min = 40.0", 'timeout_min = "=cure-temperature"', "timeout_min", "unit"),
    ('unit = "degC"', 'unit = "degF"', "formula.cure-temperature.unit", "degC"),
    ("value = 255.0", "value = 300.0", "formula.cure-temperature.value", "235"),
    ('kind = "CURE"', 'kind = "BAKE"', "phase", "CURE"),
    ('on_timeout = "STOP"', 'on_timeout = "WAIT"', "on_timeout", "HOLD"),
    ('solvent = "NMP"', "solvent = 5", "material.solvent", "string"),
    ("insoluble_low_pct = 15.0", 'insoluble_low_pct = "=cure-temperature"', "endpoint.insoluble_low_pct", "numbers of phases alone"),
]


@pytest.mark.parametrize(("old", "new", "key", "hint"), MISTAKES, ids=[new.splitlines()[-1] for _, new, _, _ in MISTAKES])
def test_a_mistake_is_refused_with_file_key_and_what_is_allowed(old, new, key, hint):
    with pytest.raises(FileError) as refused:
        parse_recipe(edited(TRIAL, old, new), "my.toml")
    assert "my.toml" in str(refused.value)
    assert key in str(refused.value)
    assert hint in f"{refused.value}\n"


@pytest.mark.parametrize("parse", [parse_recipe, parse_load])
def test_a_byte_order_mark_is_named(parse):
    with pytest.raises(FileError, match="begins with a byte order mark; save as UTF-8 without"):
        parse("\ufeff" + (TRIAL if parse is parse_recipe else LOAD), "my.toml")


def test_a_wrong_reference_is_told_of_once():
    with pytest.raises(FileError) as refused:
        parse_recipe(edited(TRIAL, "target_c = 120.0", 'target_c = "=no-such"'), "r")
    assert [problem.value for problem in refused.value.problems] == ["=no-such"]


def test_size_and_depth_are_checked_before_parsing():
    with pytest.raises(FileError, match="size"):
        parse_recipe("a = 1\n" * 100_000, "big.toml")
    with pytest.raises(FileError, match="depth"):
        parse_recipe("a = " + "[" * 10_000 + "]" * 10_000, "deep.toml")


BEYOND = [
    ("value = 255.0\nlow = 235.0\nhigh = 258.0", "value = 300.0\nlow = 235.0\nhigh = 301.0", "target_c", "260"),
    ("rate_c_per_min = 4.0", "rate_c_per_min = 9.0", "rate_c_per_min", "5"),
    ("pressure_mbar = 60.0", "pressure_mbar = 95.0", "pressure_mbar", "I6"),
    ("insoluble_low_pct = 15.0 ", "insoluble_low_pct = 0.5 ", "insoluble_low_pct", "claim"),
    ("insoluble_high_pct = 90.0", "insoluble_high_pct = 99.5", "insoluble_high_pct", "claim"),
    ("min_residual_wt_pct = 10.0", "min_residual_wt_pct = 5.0", "min_residual_wt_pct", "10-40"),
    ('kind = "CYCLE_PURGE"', 'kind = "EVACUATE"\npressure_mbar = 20.0', None, None),
    ("cycles = 2", "cycles = 1", "phase 4 (RAMP), kind", "CYCLE_PURGE"),
    ('kind = "END"', 'kind = "VENT"\ntimeout_min = 5.0', "phase", "END"),
    ("fallback_min = 45.0", "fallback_min = 500.0", "fallback_min", "timeout_min"),
    ("fallback_min = 45.0", "fallback_min = 3.0", "fallback_min", "at least min_min = 4"),
    ("min_residual_wt_pct = 10.0", "min_residual_wt_pct = 39.0", "load.min_residual_wt_pct", "at most max_residual_wt_pct"),
]


@pytest.mark.parametrize(("old", "new", "key", "hint"), [row for row in BEYOND if row[2]], ids=[row[1] for row in BEYOND if row[2]])
def test_what_the_oven_or_the_claims_do_not_allow_is_refused(old, new, key, hint):
    problems = [str(problem) for problem in check_recipe(parse_recipe(edited(TRIAL, old, new), "r").recipe, Equipment())]
    assert any(key in problem and hint in problem for problem in problems), problems


def test_the_proof_a_recipe_is_checked_against_is_the_interlocks_own():
    """The same numbers stand where recipes and where interlocks begin; a site that changes its limits passes them on."""
    limits, proving = Limits(), Proving()
    assert proving == (limits.cycle_low_mbar, limits.cycle_high_mbar, limits.proof_cycles, limits.proof_mbar, limits.proof_volumes,
                       limits.proof_o2_pct, limits.o2_analyser_from_mbar)  # fmt: skip
    assert (proving.purge_low_mbar, proving.purge_high_mbar, proving.vacuum_mbar, proving.purge_volumes) == (48.0, 375.0, 80.0, 5.0)


STRICTER = [
    (Proving(cycle_low_mbar=15.0), "phase 2 (CYCLE_PURGE), low_mbar", "below 15 mbar"),
    (Proving(cycle_high_mbar=800.0), "phase 2 (CYCLE_PURGE), high_mbar", "above 800 mbar"),
    (Proving(cycles=3), "phase 4 (RAMP), kind", ">= 3 cycles"),
    (Proving(proof_mbar=50.0), "phase 4 (RAMP), pressure_mbar", "I6 trips at 50 mbar"),
]


@pytest.mark.parametrize(("proving", "key", "hint"), STRICTER, ids=[row[1] for row in STRICTER])
def test_a_site_with_a_stricter_proof_refuses_what_would_not_pass_it(proving, key, hint):
    recipe = parse_recipe(TRIAL, "r").recipe
    problems = [str(problem) for problem in check_recipe(recipe, Equipment(), proving)]
    assert any(problem.startswith(key) and hint in problem for problem in problems), problems


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_ready_recipe_fits_over_its_whole_formula(path):
    assert problems_of_any(Settings(), read_recipe(path)) == []


def test_a_formula_range_beyond_the_oven_is_refused():
    text = edited(edited(TRIAL, "low = 235.0", "low = 16"), "high = 258.0", "high = 1e9")
    problems = problems_of_any(Settings(), parse_recipe(text, "r"))
    low, high = "formula.cure-temperature.low = 16", "formula.cure-temperature.high = 1000000000.0"
    assert all(any(str(problem).startswith(f"{end}.0: phase ") for problem in problems) for end in (low, high.removesuffix(".0"))), problems


def test_without_a_purge_heat_is_refused():
    start = TRIAL.index('[[phase]]\nkind = "CYCLE_PURGE"')
    end = TRIAL.index("[[phase]]", start + 1)
    problems = check_recipe(parse_recipe(TRIAL[:start] + TRIAL[end:], "r").recipe, Equipment())
    assert [problem.key for problem in problems] == ["phase.2.RAMP.kind"]


LOADS = [
    ("predry_c = 110.0", "predry_c = 60.0", "predry_c", "boiling"),
    ("predry_c = 110.0", "predry_c = 140.0", "predry_c", "boiling"),
    ("residual_wt_pct = 18.0", "residual_wt_pct = 9.0", "residual_wt_pct", "10"),
    ("residual_wt_pct = 18.0", "residual_wt_pct = 41.0", "residual_wt_pct", "25"),
    ("length_m = 20.0", "length_m = 40.0", "length_m", "30"),
    ('solvent = "NMP"', 'solvent = "DMF"', "solvent", "NMP"),
    ('["SR-0001"]', '["SR-0001", "SR-0001"]', "roll_ids", "each roll once"),
]


@pytest.mark.parametrize(("old", "new", "key", "hint"), LOADS, ids=[row[1] for row in LOADS])
def test_a_load_outside_its_windows_is_refused(old, new, key, hint):
    recipe = parse_recipe(TRIAL, "r").recipe
    problems = [str(problem) for problem in check_load(parse_load(edited(LOAD, old, new), "l"), recipe, Equipment())]
    assert any(problem.startswith(key) and hint in problem for problem in problems), problems


def test_the_predry_window_follows_the_solvent_not_a_typed_number():
    """Claim step A: 70-130 degC below the boiling point; DMF boils at 153 degC, so 30 degC is inside and 110 is not."""
    recipe = parse_recipe(edited(TRIAL, 'solvent = "NMP"', 'solvent = "DMF"'), "r").recipe
    dmf = edited(LOAD, 'solvent = "NMP"', 'solvent = "DMF"')
    assert check_load(parse_load(edited(dmf, "predry_c = 110.0", "predry_c = 60.0"), "l"), recipe, Equipment()) == []
    assert [problem.key for problem in check_load(parse_load(dmf, "l"), recipe, Equipment())] == ["predry_c"]


def test_solvent_mass_of_a_production_roll():
    """1000 m x 1 m x 20 um of polyamide-imide at 20 wt% holds about 7 kg of NMP (28.2 g/m2 x 0.2/0.8)."""
    load = parse_load(edited(edited(edited(LOAD, "length_m = 20.0", "length_m = 1000.0"), "width_m = 0.5", "width_m = 1.0"),
                             "residual_wt_pct = 18.0", "residual_wt_pct = 20.0"), "l")  # fmt: skip
    assert solvent_kg(load, "PAI") == pytest.approx(1000 * 20e-6 * 1410 * 0.25)


def test_the_formula_reaches_the_phases_and_the_hash():
    plain, changed = parse_recipe(TRIAL, "r"), parse_recipe(TRIAL, "r", {"cure-temperature": 250.0})
    assert {phase.target_c for phase in changed.recipe.phase if phase.kind == "CURE"} == {250.0}
    assert plain.sha256 != changed.sha256
    assert parse_recipe(TRIAL + "\n# a comment\n", "r").sha256 == plain.sha256
    with pytest.raises(FileError, match="235"):
        parse_recipe(TRIAL, "r", {"cure-temperature": 200.0})
    with pytest.raises(FileError, match="no-such"):
        parse_recipe(TRIAL, "r", {"no-such": 1.0})


def test_a_target_near_the_gel_point_is_warned_about():
    text = edited(
        edited(TRIAL, "insoluble_aim_pct = 50.0 ", "insoluble_aim_pct = 25.0 "), "insoluble_low_pct = 15.0", "insoluble_low_pct = 10.0"
    )
    assert "spread" in warnings_of(parse_recipe(text, "r").recipe)[0]
    assert warnings_of(parse_recipe(TRIAL, "r").recipe) == []


def test_a_file_that_is_no_recipe_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_bytes(b"\xff\xfe not toml")
    with pytest.raises(FileError, match=r"broken\.toml"):
        read_recipe(path)
    assert path.read_bytes() == b"\xff\xfe not toml"


@pytest.mark.parametrize(
    "text", ["a" + ".a" * 2000 + " = 1", "a = " + "9" * 5000, TRIAL.replace('unit = "degC"', "unit = []"), "a = " + "[" * 25 + "]" * 25]
)
def test_hostile_text_is_refused_as_a_mistake_in_a_file(text):
    with pytest.raises(FileError, match="r"):
        parse_recipe(text, "r")


def test_a_proof_cannot_be_passed_by_its_timeout_and_heat_is_followed_by_cooling():
    passed = check_recipe(parse_recipe(edited(TRIAL, 'on_timeout = "STOP"', 'on_timeout = "CONTINUE"'), "r").recipe, Equipment())
    assert [problem.key for problem in passed] == ["phase.0.LEAK_TEST.on_timeout"]
    start, end = TRIAL.index('[[phase]]\nkind = "COOL"'), TRIAL.index('[[phase]]\nkind = "VENT"')
    assert any("COOL" in problem.allowed for problem in check_recipe(parse_recipe(TRIAL[:start] + TRIAL[end:], "r").recipe, Equipment()))
