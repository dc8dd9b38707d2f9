"""The receipt of a dry run: shipped recipes, what it warns of, and its arithmetic."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from controller import dryrun
from controller.__main__ import app
from controller.dryrun import Receipt, lel_pct
from controller.estimator import outlook
from controller.estimator.model import EstimatorSettings
from controller.estimator.parameters import spread
from controller.memory import Settings
from controller.northbound.opcua.recipes import largest
from controller.recipe.check import lot_warnings
from controller.recipe.model import Cure, LoadRecord, Recipe
from controller.recipe.reading import read_load, read_recipe
from tests.known import known

RECIPES = Path(__file__).parents[1] / "recipes"
SITE = known()


def recipe_of(name: str) -> Recipe:
    return read_recipe(RECIPES / f"{name}.toml").recipe


def load_of(name: str) -> LoadRecord:
    return read_load(RECIPES / "loads" / f"{name}.toml")


@cache
def receipt_of(name: str, load: str) -> Receipt:
    return dryrun.dry_run(SITE, recipe_of(name), "0" * 64, load_of(load))


def changed(recipe: Recipe, **endpoint: float) -> Recipe:
    return recipe.model_copy(update={"endpoint": recipe.endpoint.model_copy(update=endpoint)})


SHIPPED = (
    ("trial-short", "sample-roll"), ("vacuum", "production-roll"), ("vacuum-nitrogen", "production-roll"), ("nitrogen", "production-roll"),
)  # fmt: skip


def test_a_load_of_another_lot_than_the_parameters_is_warned_of() -> None:
    load = load_of("sample-roll")
    for lot, source, warned in (
        (None, "members of parameters of no named lot,", 0), (load.resin_lot, f"members of the parameters of lot {load.resin_lot},", 0),
        ("R-2207", "members of the parameters of lot R-2207,", 1),
    ):  # fmt: skip
        site = SITE.model_copy(update={"estimator": SITE.estimator.model_copy(update={"lot": lot})})
        receipt = dryrun.dry_run(site, recipe_of("trial-short"), "0" * 64, load)
        assert source in next(dryrun.lines(receipt))
        assert len([said for said in receipt.warnings if f"resin_lot = {load.resin_lot!r}: R-2207, whose coupons" in said]) == warned
        assert receipt.p_in_window == receipt_of("trial-short", "sample-roll").p_in_window
        assert lot_warnings(largest(site, recipe_of("trial-short")), lot) == []  # nobody has named that load's lot


def test_the_check_of_a_recipe_with_a_load_warns_of_another_lot(tmp_path: Path) -> None:
    config = tmp_path / "controller.toml"
    config.write_text("[settings.estimator]\nlot = 'R-2207'\n", encoding="utf-8")
    asked = ["recipe", "check", str(RECIPES / "trial-short.toml"), "--config", str(config)]
    warned = CliRunner().invoke(app, [*asked, "--load", str(RECIPES / "loads" / "sample-roll.toml")])
    assert warned.exit_code == 0
    assert "R-2207, whose coupons gave the estimator's parameters" in warned.output
    assert "R-2207" not in CliRunner().invoke(app, asked).output


@pytest.mark.parametrize(("name", "load"), SHIPPED)
def test_shipped_recipes_have_a_receipt_that_hangs_together(name: str, load: str) -> None:
    seen, recipe = receipt_of(name, load), recipe_of(name)
    assert seen.unsolved == 0
    if seen.endpoint_h is None:  # flowing nitrogen dries so slowly that a site's own calibration has to decide
        assert name.endswith("nitrogen")
        assert "I31T" in {acting.rule for acting in seen.interlocks}
        assert seen.p_endpoint < dryrun.ACCEPTED_ENDPOINT
        return
    assert seen.endpoint_h.low <= seen.endpoint_h.value <= seen.endpoint_h.high
    assert 1.0 < seen.endpoint_h.value < seen.duration_h.value < 100.0
    assert 0 <= seen.p_endpoint <= 1
    assert 0 <= seen.p_in_window <= 1
    assert seen.residual_wt_pct.value <= recipe.endpoint.max_residual_wt_pct
    assert seen.insoluble_pct.value == pytest.approx(recipe.endpoint.insoluble_aim_pct, abs=25)
    ends = [end for _, end in seen.phases_h]
    assert ends == sorted(ends)
    assert [phase for phase, _ in seen.phases_h] == [phase.name or phase.kind for phase in recipe.phase if phase.kind != "END"]
    assert ends[-1] == pytest.approx(seen.duration_h.value, abs=0.02)


@pytest.mark.parametrize(("name", "load"), [("trial-short", "sample-roll"), ("vacuum", "production-roll")])
def test_the_solvent_in_the_load_is_that_of_its_geometry(name: str, load: str) -> None:
    roll = load_of(load)
    polymer_kg = roll.length_m * roll.width_m * roll.film_um * 1e-6 * 1410
    solvent_kg = polymer_kg * roll.residual_wt_pct / (100 - roll.residual_wt_pct)
    figure = next(figure for figure in receipt_of(name, load).figures if "cold trap" in figure.name)
    assert figure.value.value == pytest.approx(solvent_kg, rel=0.02)
    assert figure.limit == pytest.approx(SITE.limits.trap_share * SITE.equipment.trap_kg)


def test_the_oxygen_left_is_that_of_the_closed_forms() -> None:
    phases = {phase.kind: phase for phase in recipe_of("trial-short").phase}
    cycle = phases["CYCLE_PURGE"]
    recipe = recipe_of("trial-short")
    for cycles, low, high, expected in ((1, 10.0, 1000.0, 0.209), (2, 10.0, 1000.0, 2.09e-3), (2, 20.0, 900.0, 20.9 * (20 / 900) ** 2)):
        purge = cycle.model_copy(update={"cycles": cycles, "low_mbar": low, "high_mbar": high})
        again = recipe.model_copy(update={"phase": tuple(purge if phase.kind == "CYCLE_PURGE" else phase for phase in recipe.phase)})
        assert dryrun.purged_o2_pct(again) - dryrun.SUPPLY_O2_PCT == pytest.approx(expected, rel=1e-9)
    flowing = recipe_of("nitrogen")
    flow = next(phase for phase in flowing.phase if phase.kind == "PURGE_FLOW")
    for volumes, expected in ((4.0, 0.38), (5.0, 0.14), (7.6, 0.0105), (10.0, 0.00095)):
        purge = flow.model_copy(update={"volumes": volumes})
        again = flowing.model_copy(update={"phase": (purge, *(phase for phase in flowing.phase if "PURGE" not in phase.kind))})
        assert dryrun.purged_o2_pct(again) - dryrun.SUPPLY_O2_PCT == pytest.approx(expected, rel=0.02)


def test_a_receipt_goes_through_json() -> None:
    seen = receipt_of("trial-short", "sample-roll")
    plain = dryrun.plain(seen)
    again = json.loads(json.dumps(plain, allow_nan=False))
    assert again == plain
    assert set(again) == set(Receipt._fields)
    assert again["duration_h"]["value"] == pytest.approx(seen.duration_h.value)
    assert len(again["figures"]) == len(seen.figures)


def test_an_aim_below_thirty_percent_is_warned_of() -> None:
    recipe, load = recipe_of("trial-short"), load_of("sample-roll")
    low = dryrun.dry_run(SITE, changed(recipe, insoluble_low_pct=1.0, insoluble_aim_pct=20.0), "0" * 64, load)
    assert any("cliff" in warning and "20 %" in warning for warning in low.warnings)
    assert low.verdict == "DOUBTFUL"
    assert not any("cliff" in warning for warning in receipt_of("trial-short", "sample-roll").warnings)


def test_a_recipe_that_cannot_reach_its_endpoint_would_be_stopped_by_its_timeout() -> None:
    seen = dryrun.dry_run(SITE, changed(recipe_of("trial-short"), max_residual_wt_pct=0.01, insoluble_low_pct=98.0, insoluble_aim_pct=98.5,
                                        insoluble_high_pct=99.0), "0" * 64, load_of("sample-roll"))  # fmt: skip
    assert seen.endpoint_h is None
    assert "I31T" in {acting.rule for acting in seen.interlocks}
    assert seen.p_endpoint < dryrun.ACCEPTED_ENDPOINT
    assert any("P(endpoint" in warning for warning in seen.warnings)
    assert any("not before the timeout" in line for line in dryrun.lines(seen))


def test_members_that_never_end_together_end_where_they_do_by_themselves() -> None:
    """A fresh load's members warm so differently that 90 % are never inside 15-90 % at once; each by itself comes to its aim."""
    seen, recipe = receipt_of("trial-short", "sample-roll"), recipe_of("trial-short")
    assert seen.p_endpoint >= recipe.endpoint.probability
    assert seen.endpoint_h is not None
    assert seen.insoluble_pct.value == pytest.approx(recipe.endpoint.insoluble_aim_pct, abs=10)
    assert not any("not before the timeout" in line for line in dryrun.lines(seen))


def test_a_cure_is_foretold_to_end_where_its_cooling_brings_the_roll_to_the_aim() -> None:
    """A roll that cools slowly cures on by so much that its cure is shorter; the product is the same."""
    recipe, load = recipe_of("trial-short"), load_of("sample-roll")
    quick = receipt_of("trial-short", "sample-roll")
    phases = tuple(one.model_copy(update={"rate_c_per_min": 0.25}) if one.kind == "COOL" else one for one in recipe.phase)
    slow = dryrun.dry_run(SITE, recipe.model_copy(update={"phase": phases}), "0" * 64, load)
    assert slow.duration_h.value > quick.duration_h.value + 5.0
    assert slow.endpoint_h is not None
    assert quick.endpoint_h is not None
    assert slow.endpoint_h.value < quick.endpoint_h.value - 0.2
    assert slow.insoluble_pct.value == pytest.approx(quick.insoluble_pct.value, abs=6.0)


def test_a_window_that_no_roll_fits_into_has_no_endpoint() -> None:
    narrow = changed(recipe_of("trial-short"), insoluble_low_pct=49.0, insoluble_high_pct=51.0)
    seen = dryrun.dry_run(SITE, narrow, "0" * 64, load_of("sample-roll"))
    assert (seen.p_in_window < 0.2, seen.p_endpoint < 0.1, seen.endpoint_h, seen.verdict) == (True, True, None, "DOUBTFUL")
    assert "I31T" in {acting.rule for acting in seen.interlocks}


def test_a_recipe_without_a_cure_is_told_no_endpoint() -> None:
    told = list(dryrun.lines(receipt_of("tuning", "production-roll")))
    assert "endpoint               none: the recipe has no CURE" in told
    assert not any("timeout" in line or "P(" in line for line in told)


def test_more_solvent_than_the_trap_holds_is_told_before_the_batch() -> None:
    small = SITE.model_copy(update={"equipment": SITE.equipment.model_copy(update={"trap_kg": 1.0})})
    seen = dryrun.dry_run(small, recipe_of("vacuum"), "0" * 64, load_of("production-roll"))
    assert [acting.why for acting in seen.interlocks if acting.rule == "I17" and "cold trap" in acting.why]
    assert not any("cold trap" in acting.why for acting in receipt_of("vacuum", "production-roll").interlocks)


def test_every_figure_beyond_its_limit_is_an_interlock_and_no_other() -> None:
    for name, load in (("trial-short", "sample-roll"), ("vacuum", "production-roll"), ("nitrogen", "production-roll")):
        seen = receipt_of(name, load)
        beyond = {figure.rule for figure in seen.figures if figure.limit is not None and figure.value.high > figure.limit}
        assert beyond == {acting.rule for acting in seen.interlocks} - {"I31T", "I23"}


def test_the_lines_say_the_verdict_and_every_phase() -> None:
    seen = receipt_of("vacuum", "production-roll")
    text = "\n".join(dryrun.lines(seen))
    assert text.startswith(f"{seen.recipe}: {seen.verdict}")
    assert all(f"end of {name}" in text for name, _ in seen.phases_h)


def test_vapour_in_nitrogen_is_its_volume_share_of_the_lower_limit() -> None:
    # 1 kg/h of NMP, 10.09 mol, is 0.2261 Nm3/h; in 40 Nm3/h of N2 that is 0.562 vol%, of 1.3
    assert lel_pct(1.0 / 40.0, "NMP") == pytest.approx(43.2, abs=0.2)


def test_phases_without_heat_take_what_the_pump_takes() -> None:
    """Half the speed adds V/S ln(p0/p1) to every way down, and nothing else."""
    recipe, load = recipe_of("trial-short"), load_of("sample-roll")
    weak = SITE.model_copy(update={"equipment": SITE.equipment.model_copy(update={"pump_m3_h": SITE.equipment.pump_m3_h / 2})})
    ends = [dict(dryrun.dry_run(site, recipe, "0" * 64, load).phases_h) for site in (SITE, weak)]
    leak, purge, down = recipe.phase[:3]
    tau_h = SITE.equipment.chamber_m3 / SITE.equipment.pump_m3_h
    ways = [
        np.log(1013.25 / leak.pressure_mbar),
        purge.cycles * np.log(purge.high_mbar / purge.low_mbar),
        np.log(purge.high_mbar / down.pressure_mbar),
    ]
    later = [ends[1][phase.title] - ends[0][phase.title] for phase in (leak, purge, down)]
    assert later == pytest.approx(tau_h * np.cumsum(ways), abs=0.002)


def test_the_time_is_as_uncertain_as_what_warms_the_roll(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = receipt_of("trial-short", "sample-roll")
    monkeypatch.setattr(outlook, "_SLOWLY", 0.5)
    sure = dryrun.dry_run(SITE, recipe_of("trial-short"), "0" * 64, load_of("sample-roll"))
    assert wide.endpoint_h is not None
    assert sure.endpoint_h is not None
    assert wide.endpoint_h.value == sure.endpoint_h.value
    assert wide.endpoint_h.high - wide.endpoint_h.low > 1.2 * (sure.endpoint_h.high - sure.endpoint_h.low)
    assert wide.duration_h.low < sure.duration_h.low < sure.duration_h.high < wide.duration_h.high


def test_a_site_that_has_examined_no_coupon_is_told_so() -> None:
    """The defaults are the prior: with a lot's narrow spreads they made every unknown polymer READY."""
    unknown = dryrun.dry_run(Settings(), recipe_of("vacuum"), "0" * 64, load_of("production-roll"))
    assert unknown.verdict == "DOUBTFUL"
    assert any("not calibrated" in said for said in unknown.warnings)
    assert unknown.p_in_window < 0.8
    assert not any("not calibrated" in said for said in receipt_of("vacuum", "production-roll").warnings)
    assert EstimatorSettings().calibrated is False
    assert SITE.estimator.calibrated is True
    pairs = {
        "gel_time_ln_sd": "gel_time_240c",
        "activation_energy_sd_kj_mol": "activation_energy",
        "order_sd": "order",
        "vitrification_offset_sd_k": "vitrification_offset",
        "diffusion_ln_sd": "diffusion_dry",
    }
    for name, parameter in pairs.items():
        assert getattr(EstimatorSettings(), name) == spread(parameter)


@pytest.mark.parametrize(("recipe", "load"), SHIPPED)
def test_the_fallback_time_of_each_shipped_recipe_mostly_meets_its_window(recipe: str, load: str) -> None:
    receipt = receipt_of(recipe, load)
    assert receipt.by_time_pct is not None
    assert receipt.p_by_time >= 0.5
    assert any(line.startswith("were the model to fail") for line in dryrun.lines(receipt))


def test_a_fallback_time_that_misses_the_window_is_warned_of() -> None:
    recipe = recipe_of("trial-short")
    phases = tuple(one.model_copy(update={"fallback_min": 400.0}) if isinstance(one, Cure) else one for one in recipe.phase)
    receipt = dryrun.dry_run(SITE, recipe.model_copy(update={"phase": phases}), "0" * 64, load_of("sample-roll"))
    assert receipt.p_by_time < 0.5
    (said,) = [one for one in receipt.warnings if "fallback_min" in one]
    assert said.startswith("without a valid estimate the CURE's fallback_min leaves 9")
