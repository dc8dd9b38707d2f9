"""One seed of a campaign: a resin lot and a plant drawn anew, the controller calibrated with the lot's coupons, and two batches.

A is the batch as it would run. B is forked from it in the CURE, shortly before A's endpoint, and has an endpoint that never comes; until
A's endpoint it is the same to the last bit, because the rule that is altered is looked at only in the scan that would end the cure.
"""

import copy
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from controller import plan
from controller import wiring as wirings
from controller.dryrun import dry_run
from controller.errors import FileError, Problem
from controller.fitness import problems_of
from controller.memory import Memory, Settings
from controller.recipe.check import check_load
from controller.recipe.model import Cure, LoadRecord, Recipe
from controller.recipe.reading import SourcedRecipe, read_load, read_recipe
from controller.recipe.states import Verb
from sim import bench, lot
from sim.bench import Rig
from sim.campaign.outcome import Run
from sim.campaign.strike import Operator, Strike, check_fault
from sim.campaign.watch import Tracer, Watch
from sim.plant.parameters import NEAR, hyperprior_of, inside
from sim.unloading import unload
from sim.virtual import check_scan

ROOT: Final = Path(__file__).parents[2]
NEVER_MIN: Final = 5999.0  # the longest time in band a recipe can ask for, below the longest timeout
TIMEOUT_MIN: Final = 6000.0
AFTER_S: Final = 1800.0  # for which a unit with a fault is judged beyond its final state
RARE_FORECAST_S: Final = 3600.0  # nobody looks at the forecasts of B, and after A's endpoint they decide nothing
FORK_S: Final = 600.0  # between two forks, of which the last becomes B: what both run twice is no longer


@dataclass(frozen=True, slots=True)
class Campaign:
    """What every run of a campaign has in common."""

    recipe: SourcedRecipe
    load: LoadRecord
    wiring: Path  # not read in: a wiring does not go to another process
    scan_s: float
    fault: str
    world: str  # that lots and plants are drawn in
    code_sha256: str  # results of another controller or plant are no results of this campaign

    @property
    def load_sha256(self) -> str:
        """Return the hash of the load record."""
        return sha256(self.load.model_dump_json().encode()).hexdigest()

    @property
    def cure(self) -> Cure:
        """Return the recipe's only CURE."""
        return cures(self.recipe.recipe)[0]


def cures(recipe: Recipe) -> list[Cure]:
    """Return the CURE phases of ``recipe``."""
    return [phase for phase in recipe.phase if isinstance(phase, Cure)]


def prepare(recipe: Path, load: Path, wiring: Path, scan_s: float, fault: str = "", world: str = NEAR) -> Campaign:
    """Return the campaign of files that have passed every check.

    Raises:
        FileError: recipe, load, wiring, scan period, fault or world are wrong, or the recipe has not exactly one CURE.
    """
    check_scan(scan_s)
    check_fault(fault)
    hyperprior_of(world)
    sourced, rolls, equipment = read_recipe(recipe), read_load(load), Settings().equipment
    if problems := problems_of(Settings(), sourced.recipe):
        raise FileError(str(recipe), problems)
    if (count := len(cures(sourced.recipe))) != 1:
        raise FileError(str(recipe), [Problem("phase", f"{count} of kind CURE", "a campaign judges endpoints: exactly 1")])
    if problems := check_load(rolls, sourced.recipe, equipment):
        raise FileError(str(load), problems)
    wirings.load(wiring)
    return Campaign(sourced, rolls, wiring, scan_s, fault, world, code_sha256())


def code_sha256() -> str:
    """Return the hash over every source and parameter file of controller and simulator."""
    found = sha256()
    for folder in ("controller", "sim"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix in (".py", ".toml"):
                found.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


def run(campaign: Campaign, seed: int) -> Run:
    """Return what came out of ``seed``; with a fault A only.

    Raises:
        RuntimeError: the recipe's rule ended B at another moment than A.
    """
    with inside(campaign.world):
        found = _run(campaign, seed)
    _agree(found)
    return found


def _run(campaign: Campaign, seed: int) -> Run:
    began_s = time.perf_counter()
    settings, wired = Settings.model_validate(lot.settings(seed)), wirings.load(campaign.wiring)
    ahead = foretell(campaign, settings)
    strike = Strike(campaign.fault, seed, ahead.duration_s) if campaign.fault else None
    watch, operator = Watch(), Operator(strike)
    tracer = Tracer(campaign.cure, campaign.recipe.recipe.endpoint, campaign.recipe.recipe.material.solvent)
    forked: list[Fork] = []

    def hook(rig: Rig, _: float) -> None:
        watch.look(rig)
        if strike is None and watch.cured and watch.cure_end is None:
            if not tracer.ended and (not forked or rig.at_s - forked[0].rig.at_s >= FORK_S):
                forked[:] = [Fork(rig.fork(), copy.copy(operator), tracer.fork())]
            tracer.look(rig)
        operator.look(rig)
        if strike is not None:
            strike.look(rig)

    result, rig = bench.batch(campaign.recipe, campaign.load, wired, settings, seed, scan_s=campaign.scan_s, hook=hook)
    if strike is not None:
        _go_on(rig, AFTER_S)
    after = unload(rig)
    if forked and not tracer.ended:
        endless(forked[0], 0.0 if watch.cure_end is None else watch.cure_end.cure_s)
        tracer = forked[0].tracer
    return Run(
        seed=seed,
        recipe_sha256=campaign.recipe.sha256,
        load_sha256=campaign.load_sha256,
        code_sha256=campaign.code_sha256,
        scan_s=campaign.scan_s,
        fault=campaign.fault,
        world=campaign.world,
        unit_state=result.unit_state,
        result=result.result,
        batch_s=result.batch_s,
        endpoint_s=result.endpoint_at_s,
        predicted_endpoint_s=ahead.endpoint_s,
        predicted_cure_s=ahead.cure_s,
        unsafe=[{"code": seen.code, "at_s": seen.at_s, "text": seen.text} for seen in (*rig.unsafe, *after.unsafe)],
        alarms=[str(alarm["rule"]) for alarm in result.alarms if alarm["event"] == "raise" and alarm["effect"] != "PERMISSIVE"],
        cure_end=watch.cure_end,
        product=watch.product(rig) if result.unit_state == "COMPLETE" else None,
        foreseen=watch.foreseen(result.batch_s) if result.unit_state == "COMPLETE" else [],
        drying=watch.drying,
        gelling=watch.gelling,
        trace=tracer.trace(),
        struck=None if strike is None else strike.struck(),
        unloaded_s=after.after_s,
        wall_s=round(time.perf_counter() - began_s, 2),
    )


class Ahead(NamedTuple):
    """What the controller's dry run says before the batch, s; the endpoint since START and since the CURE begins, None when never."""

    duration_s: float
    endpoint_s: float | None
    cure_s: float | None


def foretell(campaign: Campaign, settings: Settings) -> Ahead:
    """Return the middle of the dry run: when half of the members are dry and their median is at the aim.

    The recipe's own rule asks nearly all members to be inside the window at once. Before a measurement they seldom are, and it would
    foretell no endpoint at all.
    """
    recipe = campaign.recipe.recipe
    middle = recipe.endpoint.model_copy(update={"probability": 0.5, "insoluble_low_pct": 0.0, "insoluble_high_pct": 100.0})
    receipt = dry_run(settings, recipe.model_copy(update={"endpoint": middle}), campaign.recipe.sha256, campaign.load)
    if receipt.endpoint_h is None:
        return Ahead(3600 * receipt.duration_h.value, None, None)
    endpoint_s = 3600 * receipt.endpoint_h.value
    began_s = 3600 * receipt.phases_h[recipe.phase.index(campaign.cure) - 1][1]
    return Ahead(3600 * receipt.duration_h.value, endpoint_s, endpoint_s - began_s)


class Fork(NamedTuple):
    """A batch in its CURE that goes on by itself, with the people who watch it."""

    rig: Rig
    operator: Operator
    tracer: Tracer


def endless(fork: Fork, least_s: float) -> None:
    """Run ``fork`` out with a cure that does not end by itself, at least to ``least_s``; its tracer has the trace."""
    rig, operator, tracer = fork
    rare = rig.settings.estimator.model_copy(update={"forecast_s": RARE_FORECAST_S})
    settings = rig.settings.model_copy(update={"estimator": rare})
    batch = rig.memory.unit.batch
    assert batch is not None
    real = batch.recipe
    rig.memory = _given(rig.memory, unending(real))
    rig.foresee = lambda settings, memory: plan.forecast(settings, _given(memory, real))  # as A's are: they say what is still coming
    tracer.least_s = least_s

    def hook(rig: Rig, _: float) -> None:
        tracer.look(rig)
        if tracer.ruled:
            rig.settings = settings
        if tracer.ended:
            rig.ask(Verb.ABORT)
        operator.look(rig)

    rig.run_out(hook, bench.MAX_H)


def _given(memory: Memory, recipe: Recipe) -> Memory:
    """Return ``memory`` with ``recipe`` in place of the running batch's."""
    unit = memory.unit
    return memory if unit.batch is None else memory._replace(unit=unit._replace(batch=unit.batch._replace(recipe=recipe)))


def unending(recipe: Recipe) -> Recipe:
    """Return the recipe with a CURE that would take ``NEVER_MIN`` in band before its endpoint or its time recipe counts."""
    longer = {"min_min": NEVER_MIN, "fallback_min": NEVER_MIN, "timeout_min": TIMEOUT_MIN}
    phases = tuple(phase.model_copy(update=longer) if isinstance(phase, Cure) else phase for phase in recipe.phase)
    return recipe.model_copy(update={"phase": phases})


def _go_on(rig: Rig, seconds: float) -> None:
    until_s = rig.at_s + seconds
    while rig.at_s < until_s:
        rig.step()


def _agree(found: Run) -> None:
    """Raise RuntimeError unless the recipe's rule ended both batches in the same scan."""
    if found.trace is None:
        return
    ended_s = None if found.cure_end is None else found.cure_end.cure_s
    if ended_s != found.trace.own_s:
        raise RuntimeError(f"seed {found.seed}: CURE of A ended after {ended_s} s, of B after {found.trace.own_s} s")
