"""How a CURE ends where something is missing or changed: slow cooling, an edit, no forecast, no estimate, a branch behind it."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller import estimator
from controller.command import Command
from controller.recipe.reading import parse_recipe
from controller.recipe.states import FINAL, UnitState, Verb
from controller.roles import Role
from sim.bench import Rig
from tests.rigs import rig_at

TRIAL = (Path(__file__).parents[1] / "recipes" / "trial-short.toml").read_text("utf-8")
COOL = '[[phase]]\nkind = "COOL"\n'
NITROGEN = 'rate_c_per_min = 5.0\natmosphere = "N2_FLOW"\nn2_flow_nm3_h = 60.0\ntimeout_min = 600.0'
SLOWLY = 'rate_c_per_min = 0.5\natmosphere = "VACUUM"\npressure_mbar = 60.0\ntimeout_min = 1200.0'
BRANCH = '[[phase]]\nkind = "BRANCH"\non = "INSOLUBLE"\nbelow = 1.0\nto = "cool"\n\n'
SOON = ("fallback_min = 45.0", "fallback_min = 20.0")


def curing(*changes: tuple[str, str]) -> Rig:
    """Return a rig in its CURE, whose recipe goes on as the changed text says."""
    text = TRIAL
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    rig = rig_at("CURE")
    batch = rig.memory.unit.batch
    assert batch is not None
    recipe = parse_recipe(text, "trial").recipe
    rig.memory = rig.memory._replace(unit=rig.memory.unit._replace(batch=batch._replace(recipe=recipe)))
    return rig


def until_it_ends(rig: Rig, most_s: float) -> float:
    """Return how long the CURE still ran, until it ended or was held, s."""
    began_s = rig.at_s
    while rig.at_s < began_s + most_s:
        record = rig.step()
        if record.phase_kind != "CURE" or record.unit_state is not UnitState.RUNNING:
            break
    return rig.at_s - began_s


def why(rig: Rig) -> str:
    """Return why the CURE ended."""
    return next(str(content["why"]) for _, kind, content in rig.notes if kind == "decision" and content.get("what") == "CURE ended")


def test_a_roll_that_cools_slowly_ends_in_its_window_though_most_of_its_cure_is_still_to_come() -> None:
    """Who is cured further gains less: with the median's gain for all, the window was never sure, and the roll was held beyond it."""
    rig = curing((NITROGEN, SLOWLY))
    until_it_ends(rig, 5400.0)
    assert why(rig) == "endpoint"
    while rig.record is not None and rig.record.unit_state not in FINAL and (rig.record.process.load_max_c or 0.0) > 150.0:
        rig.step()
    truth = rig.plc.plant.truth()
    assert 0.15 < truth.insoluble_min < truth.insoluble_max < 0.9


def test_an_edit_of_a_later_phase_does_not_begin_the_persistence_time_anew_and_one_of_the_endpoint_does() -> None:
    lasted = []
    for where in (None, "VENT", "endpoint"):
        rig = curing(("persist_min = 2.0", "persist_min = 6.0"))
        assert rig.memory.unit.batch is not None
        while rig.memory.unit.phase.sure_s < 240.0:
            rig.step()
        if where:
            kinds = [phase.kind for phase in rig.memory.unit.batch.recipe.phase]
            edit = {"phase": "endpoint", "key": "insoluble_aim_pct", "value": 49.0}
            if where != "endpoint":
                edit = {"phase": kinds.index(where) + 1, "key": "timeout_min", "value": 31.0}
            rig.commands.append(Command("edit", "anna", Verb.EDIT, None, 1, reason="test", args=edit, role=Role.ENGINEER))
        lasted.append(until_it_ends(rig, 3600.0))
        assert why(rig) == "endpoint"
    assert lasted[1] - lasted[0] <= 90.0
    assert lasted[2] - lasted[0] >= 200.0


def test_without_a_forecast_the_time_recipe_ends_the_cure_and_somebody_is_told() -> None:
    rig = curing(SOON)
    assert rig.memory.estimator is not None
    rig.memory = rig.memory._replace(estimator=estimator.unforeseen(rig.memory.estimator))
    rig.foresee = lambda settings, memory: None
    seen = set()
    until_it_ends(rig, 300.0)
    assert rig.record is not None
    seen |= set(rig.record.verdict.active)
    until_it_ends(rig, 5400.0)
    assert "I31" in seen
    assert why(rig) == "time recipe: 20 min in band, model not valid (no forecast)"


@pytest.mark.parametrize("behind", ["", BRANCH])
def test_a_cure_that_is_done_waits_for_no_result_of_a_branch(behind: str) -> None:
    changes = [SOON] + ([(COOL, behind + '[[phase]]\nkind = "COOL"\nlabel = "cool"\n')] if behind else [])
    rig = curing(*changes)
    assert rig.memory.estimator is not None
    rig.memory = rig.memory._replace(estimator=replace(rig.memory.estimator, blind_s=2000.0))
    assert until_it_ends(rig, 5400.0) < 1800.0
    assert why(rig).startswith("time recipe")
    assert rig.record is not None
    assert rig.record.phase_kind == "COOL"


def test_a_cure_past_its_window_is_held_without_heat() -> None:
    rig = curing(("insoluble_high_pct = 90.0", "insoluble_high_pct = 60.0"), ("insoluble_aim_pct = 50.0", "insoluble_aim_pct = 57.0"))
    until_it_ends(rig, 3600.0)
    assert rig.step().unit_state is UnitState.HELD
    for _ in range(3):
        record = rig.step()
    assert not record.outputs.heat_enable
    assert rig.memory.unit.state_s < 60.0


def test_the_endpoint_that_is_told_is_the_last_cures() -> None:
    """A first CURE that met its endpoint says nothing of the second, which went by time."""
    rig = curing(SOON)
    rig.memory = rig.memory._replace(unit=rig.memory.unit._replace(endpoint_at_s=100.0))
    assert rig.memory.estimator is not None
    rig.memory = rig.memory._replace(estimator=estimator.unforeseen(rig.memory.estimator))
    rig.foresee = lambda settings, memory: None
    until_it_ends(rig, 5400.0)
    assert why(rig).startswith("time recipe")
    assert rig.memory.unit.endpoint_at_s is None
