"""Fault-free hours: whole virtual batches of every shipped recipe with noisy instruments and nothing wrong; whatever acts is spurious.

Seeds go up from batch to batch, so that every batch has another resin lot, another plant and other noise; the recipes take turns. What is
counted comes from the journal's notes and the verdict, and the judge of unsafe states looks on as always.
"""

import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from controller import wiring as wirings
from controller.errors import FileError, Problem
from controller.interlocks.rule import Effect
from controller.memory import Settings
from controller.recipe.check import check_load
from controller.recipe.model import LoadRecord
from controller.recipe.reading import SourcedRecipe, read_load, read_recipe
from controller.recipe.states import UnitState
from sim import bench, lot, operator
from sim.unloading import unload
from sim.virtual import check_scan

LOADS: Final = ("production-roll.toml", "sample-roll.toml")  # the first that the recipe takes
FORECAST_S: Final = 3600.0  # nobody looks at these, and what comes after the CURE is in an old one as well
STOPS: Final = {"HOLDING": "hold", "ABORTING": "abort", "STOPPING": "stop"}


class Batch(NamedTuple):
    """What one fault-free batch did that it should not have done; ``stops`` holds (hold, abort or stop; cause)."""

    recipe: str
    seed: int
    state: str
    hours: float
    stops: tuple[tuple[str, str], ...]
    suspensions: tuple[str, ...]  # rows that suspended the running sequence, one for each time
    alarms: dict[str, int]  # row -> times raised; permissives are no alarms
    unsafe: tuple[str, ...]
    unloaded_h: float | None  # from its end until the door was open; None when the lock never let go
    wall_s: float


class Total(NamedTuple):
    """The sum over all batches."""

    hours: float
    batches: int
    completed: int
    holds: int
    aborts: int
    stops: int
    suspensions: dict[str, int]
    alarms: dict[str, int]
    unsafe: int
    scan_s: float
    first_seed: int
    by_recipe: dict[str, float]  # hours
    what: tuple[str, ...]  # every stop and suspension with its seed and cause, and every batch that did not complete


class _Ear:
    """Counts the suspensions of the running sequence; a hook of ``bench.batch``."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self._was: tuple[str, ...] = ()

    def look(self, rig: bench.Rig, at_s: float) -> None:
        """Look at the last scan, and answer the recipe's questions."""
        operator.attend(rig, at_s)
        record = rig.record
        if record is None or record.verdict.active is self._was:
            return
        if record.verdict.suspend and record.unit_state is UnitState.RUNNING:
            self.rows += [rule for rule in record.verdict.blocking(Effect.SUSPEND) if rule not in self._was]
        self._was = record.verdict.active


def shipped(folder: Path) -> list[tuple[Path, Path]]:
    """Return the recipes in ``folder`` by name, each with the first of its loads that fits.

    Raises:
        FileError: a recipe or a load is wrong, or none of the loads fits.
    """
    loads = [(folder / "loads" / name, read_load(folder / "loads" / name)) for name in LOADS]
    return [(recipe, _load_for(recipe, loads)) for recipe in sorted(folder.glob("*.toml"))]


def _load_for(recipe: Path, loads: list[tuple[Path, LoadRecord]]) -> Path:
    sourced, equipment = read_recipe(recipe), Settings().equipment
    fitting = [path for path, load in loads if not check_load(load, sourced.recipe, equipment)]
    if not fitting:
        raise FileError(str(recipe), [Problem("load", "none fits", f"one of {', '.join(LOADS)} must be permitted")])
    return fitting[0]


def one(recipe: Path, load: Path, wiring: Path, seed: int, scan_s: float, max_h: float = 100.0) -> Batch:
    """Run one batch of ``seed`` without faults, to ``max_h`` at most, and return what acted."""
    began_s, ear = time.perf_counter(), _Ear()
    settings = Settings.model_validate(lot.settings(seed, FORECAST_S))
    sourced: SourcedRecipe = read_recipe(recipe)
    result, rig = bench.batch(sourced, read_load(load), wirings.load(wiring), settings, seed, scan_s=scan_s, max_h=max_h, hook=ear.look)
    stops = tuple((STOPS[str(c["to"])], str(c["cause"])) for _, kind, c in rig.notes if kind == "state" and c["to"] in STOPS)
    raised = (c for _, kind, c in rig.notes if kind == "alarm" and c["event"] == "raise" and c["effect"] != "PERMISSIVE")
    after = unload(rig)
    unsafe = tuple(f"{found.code} at {found.at_s:.0f} s: {found.text}" for found in (*rig.unsafe, *after.unsafe))
    return Batch(
        recipe.stem, seed, result.unit_state, rig.at_s / 3600, stops, tuple(ear.rows), dict(Counter(str(c["rule"]) for c in raised)),
        unsafe, None if after.after_s is None else round(after.after_s / 3600, 2), round(time.perf_counter() - began_s, 1),
    )  # fmt: skip


def run(hours: float, jobs: int, seed: int, scan_s: float, folder: Path, wiring: Path) -> Total:
    """Run batches until ``hours`` of process time are full, each told on stderr as it ends; SIGINT ends early with what is there.

    Raises:
        FileError: the scan period is none that a core could run with, or a recipe, a load or the wiring is wrong.
    """
    check_scan(scan_s)
    wirings.load(wiring)
    return total(list(_batches(hours, jobs, seed, scan_s, shipped(folder), wiring)), scan_s, seed)


def _batches(hours: float, jobs: int, seed: int, scan_s: float, recipes: list[tuple[Path, Path]], wiring: Path) -> Iterator[Batch]:
    done_h, running = 0.0, set[Future[Batch]]()
    with ProcessPoolExecutor(jobs, initializer=_ignore_interrupts) as pool:
        try:
            while done_h < hours or running:
                while done_h < hours and len(running) < jobs:
                    recipe, load = recipes[seed % len(recipes)]
                    running.add(pool.submit(one, recipe, load, wiring, seed, scan_s))
                    seed += 1
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    batch = future.result()
                    done_h += batch.hours
                    _tell(batch, done_h)
                    yield batch
        except KeyboardInterrupt:
            for process in list((pool._processes or {}).values()):
                process.terminate()


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides


def _tell(batch: Batch, done_h: float) -> None:
    acted = (*(f"{kind}: {cause}" for kind, cause in batch.stops), *(f"suspended by {rule}" for rule in batch.suspensions))
    what = "; ".join(acted) or "nothing acted"
    alarms = ", ".join(f"{rule} x{count}" for rule, count in batch.alarms.items()) or "no alarm"
    ended = f"{batch.recipe} seed {batch.seed} {batch.state} after {batch.hours:.2f} h"
    sys.stderr.write(f"{done_h:.1f} h: {ended}; {what}; {alarms}; {batch.wall_s:.0f} s\n")
    sys.stderr.flush()


def total(batches: list[Batch], scan_s: float, first_seed: int) -> Total:
    """Return the sum over ``batches``."""
    stops = Counter(kind for batch in batches for kind, _ in batch.stops)
    alarms, suspensions, hours = Counter[str](), Counter[str](), Counter[str]()
    for batch in batches:
        alarms.update(batch.alarms)
        suspensions.update(batch.suspensions)
        hours[batch.recipe] += batch.hours  # type: ignore[assignment]
    what = [f"{batch.recipe} seed {batch.seed}: {kind}, {cause}" for batch in batches for kind, cause in batch.stops]
    what += [f"{batch.recipe} seed {batch.seed}: suspended by {rule}" for batch in batches for rule in batch.suspensions]
    what += [f"{batch.recipe} seed {batch.seed}: {batch.state}" for batch in batches if batch.state != "COMPLETE"]
    what += [f"{batch.recipe} seed {batch.seed}: the door stayed locked" for batch in batches if batch.unloaded_h is None]
    what += [f"{batch.recipe} seed {batch.seed}: {text}" for batch in batches for text in batch.unsafe]
    return Total(
        sum(batch.hours for batch in batches), len(batches), sum(batch.state == "COMPLETE" for batch in batches), stops["hold"],
        stops["abort"], stops["stop"], dict(suspensions), dict(sorted(alarms.items())), sum(len(batch.unsafe) for batch in batches), scan_s,
        first_seed, {name: round(value, 2) for name, value in hours.items()}, tuple(what),
    )  # fmt: skip


def quiet(found: Total) -> bool:
    """Return whether nothing acted and every batch was completed; alarms are counted only.

    A suspension is something that acted: without a fault the sequence waits for nothing outside.
    """
    return not found.what and found.batches > 0


def as_json(found: Total) -> dict[str, Any]:
    """Return the sum for a machine."""
    return {**found._asdict(), "hours": round(found.hours, 2), "quiet": quiet(found)}


def show(found: Total) -> None:
    """Print the sum for a person."""
    table = Table(title=f"{found.hours:.1f} fault-free hours in {found.batches} batches, scan {found.scan_s:g} s", show_header=False)
    for name, value in (
        ("completed", found.completed), ("holds", found.holds), ("aborts", found.aborts), ("stops", found.stops),
        ("suspensions", found.suspensions or 0), ("alarms raised, by row", found.alarms or "none"), ("unsafe states", found.unsafe),
        ("hours by recipe", found.by_recipe),
    ):  # fmt: skip
        table.add_row(name, str(value))
    for line in found.what:
        table.add_row("what", line)
    Console().print(table)
