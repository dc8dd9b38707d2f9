"""Fault-free hours: what is counted, over a piece of a batch and over made-up ones; `ovensim quiet` fills the hours."""

from pathlib import Path

from sim import quiet
from sim.quiet import Batch

ROOT = Path(__file__).parents[1]


def test_every_shipped_recipe_takes_part_with_a_load_that_it_permits():
    found = {recipe.stem: load.stem for recipe, load in quiet.shipped(ROOT / "recipes")}
    assert found.keys() == {path.stem for path in (ROOT / "recipes").glob("*.toml")}
    assert found["vacuum"] == "production-roll"
    assert found["trial-short"] == "sample-roll"


def test_the_first_hour_of_a_batch_is_quiet():
    recipe, load = next(pair for pair in quiet.shipped(ROOT / "recipes") if pair[0].stem == "trial-short")
    batch = quiet.one(recipe, load, ROOT / "deploy" / "wiring.toml", 5, 2.0, max_h=0.5)
    assert (batch.state, batch.stops, batch.suspensions, batch.unsafe) == ("RUNNING", (), (), ())
    assert batch.hours >= 0.5


def batch(**changed):
    return Batch("vacuum", 1, "COMPLETE", 20.0, (), (), {}, (), 0.2, 1.0)._replace(**changed)


def test_alarms_alone_are_counted_and_spoil_nothing():
    found = quiet.total([batch(alarms={"I21V": 2}), batch(seed=2, alarms={"I21V": 1})], 1.0, 1)
    assert (found.hours, found.completed, found.alarms, found.suspensions) == (40.0, 2, {"I21V": 3}, {})
    assert quiet.quiet(found)


def test_a_suspension_without_a_fault_is_spurious():
    found = quiet.total([batch(), batch(suspensions=("I9", "I9"))], 1.0, 1)
    assert (found.suspensions, quiet.quiet(found)) == ({"I9": 2}, False)
    assert found.what == ("vacuum seed 1: suspended by I9",) * 2


def test_a_hold_an_abort_an_unsafe_state_and_a_batch_that_does_not_end_are_not_quiet():
    for changed in (
        {"stops": (("hold", "interlock I22"),)},
        {"stops": (("abort", "interlock I23"),)},
        {"unsafe": ("U1 at 5 s: heat",)},
        {"state": "RUNNING"},
        {"unloaded_h": None},
    ):
        found = quiet.total([batch(), batch(**changed)], 1.0, 1)
        assert not quiet.quiet(found)
        assert found.what
    assert not quiet.quiet(quiet.total([], 1.0, 1))
