"""What a recipe and a load must satisfy beyond their form: the equipment's envelope and the windows of the process claims.

The claims (US 7,468,197 B2, claim steps A and C): predry 70-130 degC below the solvent's boiling point, 10-40 wt% residual solvent at
loading, NMP-insoluble content of the product between 1 and 99 %.
"""

from typing import Final

from controller.equipment import OPEN_DEADBAND_C, Equipment
from controller.errors import Problem
from controller.recipe.check_phase import check_phase, inside, place_of
from controller.recipe.model import LoadRecord, Recipe
from controller.recipe.order import check_order
from controller.recipe.proving import Proving
from controller.solvents import SOLVENTS

PREDRY_BELOW_BOILING_C: Final = (70.0, 130.0)
RESIDUAL_WT_PCT: Final = (10.0, 40.0)
PROVING: Final = Proving()
INSOLUBLE_PCT: Final = (1.0, 99.0)
CLIFF_PCT: Final = 30.0  # below it the insoluble content hangs on the gel point
FILM_KG_M3: Final = {"PAI": 1410.0, "PI": 1420.0}  # Engineering Plastics Handbook


def check_recipe(recipe: Recipe, equipment: Equipment, proving: Proving = PROVING) -> list[Problem]:
    """Return what this oven cannot or must not run; empty when the recipe is fit. ``proving``: the interlocks' limits of the proof."""
    problems = [*_check_header(recipe, equipment), *check_order(recipe, proving, equipment.open_c - OPEN_DEADBAND_C)]
    for index, phase in enumerate(recipe.phase):
        problems += check_phase(place_of(index, phase), phase, equipment, proving)
    return list({(problem.key, problem.allowed): problem for problem in problems}.values())  # each turn of a REPEAT says the same


def check_load(load: LoadRecord, recipe: Recipe, equipment: Equipment) -> list[Problem]:
    """Return why ``load`` must not be started with ``recipe`` in this oven; empty when it may."""
    problems = []
    if len(set(load.roll_ids)) < len(load.roll_ids):
        problems.append(Problem("roll_ids", list(load.roll_ids), "each roll once"))
    if load.solvent != recipe.material.solvent:
        problems.append(Problem("solvent", load.solvent, f"the recipe is for {recipe.material.solvent}"))
    if (solvent := SOLVENTS.get(load.solvent)) is not None:
        low, high = (solvent.boiling_c - below for below in reversed(PREDRY_BELOW_BOILING_C))
        problems += inside("predry_c", load.predry_c, low, high, f"degC, 70-130 degC below {load.solvent}'s boiling point")
    low, high = RESIDUAL_WT_PCT
    problems += inside("residual_wt_pct", load.residual_wt_pct, max(low, recipe.load.min_residual_wt_pct),
                        min(high, recipe.load.max_residual_wt_pct), "wt%")  # fmt: skip
    problems += inside("length_m", load.length_m, 0, min(recipe.load.max_length_m, equipment.roll_length_m), "m")
    problems += inside("width_m", load.width_m, 0, min(recipe.load.max_width_m, equipment.roll_width_m), "m")
    problems += inside("film_um", load.film_um, 1, recipe.load.max_film_um, "um")
    allowed_kg = min(equipment.solvent_kg, equipment.trap_kg)
    problems += inside(
        "solvent in the load",
        round(solvent_kg(load, recipe.material.polymer), 2),
        0,
        allowed_kg,
        "kg (I17: what oven and cold trap may take)",
    )
    return problems


def check_lot(load: LoadRecord, lot: str | None) -> list[Problem]:
    """Return that the estimator's parameters are of ``lot`` and ``load`` is of another; empty when nobody said of which they are."""
    if lot in (None, load.resin_lot):
        return []
    allowed = f"{lot}, whose coupons gave the estimator's parameters (settings.estimator.lot): calibrate the load's lot, or take them out"
    return [Problem("resin_lot", load.resin_lot, allowed)]


def lot_warnings(load: LoadRecord, lot: str | None) -> list[str]:
    """Return the same for whoever only looks: START refuses it."""
    return [f"{problem}; START refuses it" for problem in check_lot(load, lot)]


def solvent_kg(load: LoadRecord, polymer: str) -> float:
    """Return the solvent that ``load`` brings, kg: dry film mass x w / (1 - w)."""
    w = load.residual_wt_pct / 100
    dry_kg = load.length_m * load.width_m * load.film_um * 1e-6 * FILM_KG_M3[polymer]
    return dry_kg * w / (1 - w)


def warnings_of(recipe: Recipe) -> list[str]:
    """Return what is allowed and yet unwise."""
    aim = recipe.endpoint.insoluble_aim_pct
    if aim >= CLIFF_PCT:
        return []
    return [
        f"endpoint.insoluble_aim_pct = {aim}: below {CLIFF_PCT} % the insoluble content changes steeply; expect a wide spread over the roll"
    ]


def _check_header(recipe: Recipe, equipment: Equipment) -> list[Problem]:
    end = recipe.endpoint
    problems = []
    if recipe.material.solvent not in SOLVENTS:
        problems.append(Problem("material.solvent", recipe.material.solvent, f"one of {', '.join(SOLVENTS)}"))
    low, high = INSOLUBLE_PCT
    problems += inside("endpoint.insoluble_low_pct", end.insoluble_low_pct, low, high, "% (claim: 1-99 %)")
    problems += inside("endpoint.insoluble_high_pct", end.insoluble_high_pct, low, high, "% (claim: 1-99 %)")
    problems += inside("endpoint.insoluble_aim_pct", end.insoluble_aim_pct, end.insoluble_low_pct, end.insoluble_high_pct, "% (its window)")
    if end.insoluble_low_pct >= end.insoluble_high_pct:
        problems.append(
            Problem("endpoint.insoluble_low_pct", end.insoluble_low_pct, f"below insoluble_high_pct = {end.insoluble_high_pct}")
        )
    low, high = RESIDUAL_WT_PCT
    problems += inside("load.min_residual_wt_pct", recipe.load.min_residual_wt_pct, low, high, "wt% (claim: 10-40 wt%)")
    problems += inside("load.max_residual_wt_pct", recipe.load.max_residual_wt_pct, low, high, "wt% (claim: 10-40 wt%)")
    if recipe.load.min_residual_wt_pct > recipe.load.max_residual_wt_pct:
        allowed = f"at most max_residual_wt_pct = {recipe.load.max_residual_wt_pct:g}"
        problems.append(Problem("load.min_residual_wt_pct", recipe.load.min_residual_wt_pct, allowed))
    problems += inside("load.max_length_m", recipe.load.max_length_m, 0, equipment.roll_length_m, "m (this oven)")
    problems += inside("load.max_width_m", recipe.load.max_width_m, 0, equipment.roll_width_m, "m (this oven)")
    fail = recipe.power_fail
    if fail.t1_s > 60 * fail.t2_min:
        problems.append(Problem("power_fail.t1_s", fail.t1_s, f"at most t2_min = {fail.t2_min:g} min"))
    return problems
