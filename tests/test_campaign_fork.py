"""The batch that is forked in its cure, and the bound that no estimate can come under."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from controller import wiring as wirings
from controller.memory import Settings
from controller.recipe.reading import read_load, read_recipe
from controller.recipe.states import UnitState, Verb
from sim import bench
from sim.campaign import bound, one
from sim.campaign.watch import Tracer
from sim.plant import cure
from sim.plant.parameters import Parameters
from sim.plant.plant import Plant

ROOT = Path(__file__).parents[1]
TRIAL = ROOT / "recipes" / "trial-short.toml"
SAMPLE = ROOT / "recipes" / "loads" / "sample-roll.toml"
WIRING = ROOT / "deploy" / "wiring.toml"


def test_a_forked_rig_goes_on_as_the_one_it_was_forked_from_and_without_touching_it():
    load = read_load(SAMPLE)
    rig = bench.rig(Settings(), wirings.load(WIRING), load, 3, 2.0)
    for _ in range(20):
        rig.step()
    sourced = read_recipe(TRIAL)
    rig.ask(Verb.START, bench.Start(sourced.recipe, sourced.sha256, sourced.text, load))
    for _ in range(30):
        rig.step()
    twin = rig.fork()
    before = rig.trace_sha256(), rig.plc.plant.truth()
    for _ in range(60):
        twin.step()
    assert (rig.trace_sha256(), rig.plc.plant.truth()) == before
    assert np.shares_memory(twin.plc.plant.heat.film_c, twin.plc.plant.heat.temps_c)
    for _ in range(60):
        rig.step()
    assert rig.trace_sha256() == twin.trace_sha256()
    assert rig.plc.plant.truth() == twin.plc.plant.truth()
    assert rig.notes == twin.notes


def test_a_tracer_that_was_forked_goes_on_by_itself():
    recipe = read_recipe(TRIAL).recipe
    tracer = Tracer(one.cures(recipe)[0], recipe.endpoint, recipe.material.solvent)
    rig = bench.rig(Settings(), wirings.load(WIRING), read_load(SAMPLE), 3, 2.0)
    rig.record = rig.step()._replace(phase_kind="CURE", unit_state=UnitState.RUNNING)
    tracer.look(rig)
    twin = tracer.fork()
    rig.record = rig.record._replace(inputs=rig.record.inputs._replace(at_s=rig.at_s + 60.0), unit_state=UnitState.HELD)
    twin.look(rig)
    assert (len(tracer.trace().cure_s), len(twin.trace().cure_s)) == (1, 2)
    assert (tracer.ended, twin.ended) == ("", "HELD in CURE")


def test_the_bound_is_what_a_batch_of_another_rate_would_have_cured_to():
    """The plant's own law over the same history, once with the batch's rate and once with the lot's."""
    gels = []
    for factor in (1.06, 1.0):
        plant = Plant(replace(Parameters(), rate_factor=factor), bench.roll_of(read_load(SAMPLE)))
        films_, law = plant.chemistry, cure.law_of(plant.parameters).array
        dry, temps = np.full_like(films_.free, 1e-6), np.full(len(films_.deltas), 250.0)
        for _ in range(360):
            cure.advance(films_.deltas, dry, dry, films_.cells, temps, 10.0, law, films_._gains)
        gels.append(
            (cure.gel_fraction(float(films_.deltas[0]), plant.parameters.pdi, plant.parameters.scission), bound.unforeseeable(plant))
        )
    (fast, foreseen), (plain, none) = gels
    assert 0.2 < plain < 0.9
    assert none == 0.0
    assert foreseen == pytest.approx(fast - plain, rel=0.15)
    assert bound.unforeseeable(Plant()) == 0.0
