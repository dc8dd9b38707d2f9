"""Virtual batches for the command line: one, shown or as JSON, and many, summed up."""

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import sqrt
from pathlib import Path
from statistics import fmean, median
from typing import Any

from rich.console import Console
from rich.table import Table

from controller import wiring as wirings
from controller.errors import FileError, Problem
from controller.journal.store import Journal
from controller.memory import Settings
from controller.recipe.check import check_load, check_recipe
from controller.recipe.reading import read_load, read_recipe
from controller.recorder import boot_entry
from sim import bench, lot
from sim.bench import Result


def run(recipe: Path, load: Path, wiring: Path, seed: int, scan_s: float = 1.0, max_h: float = 100.0, journal: Path | None = None,
        direct: bool = False) -> Result:  # fmt: skip
    """Return the result of one virtual batch. Raises FileError when recipe, load or wiring are wrong, or the journal exists."""
    settings = Settings.model_validate(lot.settings(direct_output=direct))
    sourced, rolls = read_recipe(recipe), read_load(load)
    if problems := check_recipe(sourced.recipe, settings.equipment):
        raise FileError(str(recipe), problems)
    if problems := check_load(rolls, sourced.recipe, settings.equipment):
        raise FileError(str(load), problems)
    if journal is not None and journal.exists():
        raise FileError(str(journal), [Problem("--journal", str(journal), "must be a new file")])
    store = None if journal is None else Journal(journal, threaded=False)
    try:
        if store is not None:
            store.append([boot_entry(0.0, store.boot, "virtual", 1.0, None, "")])
        return bench.batch(sourced, rolls, wirings.load(wiring), settings, seed, scan_s=scan_s, max_h=max_h, journal=store)[0]
    finally:
        if store is not None:
            store.close()


def show(result: Result) -> None:
    """Print one result for a person."""
    table = Table(title=f"{result.recipe}, seed {result.seed}: {result.unit_state}", show_header=False)
    for name, belief in (("residual solvent, wt%", result.residual_solvent), ("insoluble content, %", result.insoluble)):
        said = {key: f"{100 * value:.2f}" for key, value in belief.items()}
        table.add_row(name, f"{said['estimate']} [{said['low']}, {said['high']}], truth {said['truth']}")
    table.add_row("batch", f"{result.batch_s / 3600:.2f} h")
    table.add_row("endpoint", "-" if result.endpoint_at_s is None else f"{result.endpoint_at_s / 3600:.2f} h")
    table.add_row("why it ended", result.result)
    table.add_row("alarms raised", ", ".join(str(alarm["rule"]) for alarm in result.alarms if _is_alarm(alarm)) or "none")
    table.add_row("unsafe states", ", ".join(f"{found['code']} at {found['at_s']} s" for found in result.unsafe) or "none")
    table.add_row("scans", f"{result.scans} in {result.wall_s:.1f} s, {1e6 * result.wall_s / result.scans:.0f} us each")
    table.add_row("trace", result.trace_sha256)
    Console().print(table)


def _is_alarm(alarm: dict[str, object]) -> bool:
    return alarm["event"] == "raise" and alarm["effect"] != "PERMISSIVE"


def campaign(recipe: Path, load: Path, wiring: Path, seeds: range, jobs: int) -> dict[str, Any]:
    """Return the sum of many virtual batches: counts, and error and coverage of the estimate at the end."""
    one = partial(_seeded, recipe, load, wiring)
    if jobs == 1:
        results = [one(seed) for seed in seeds]
    else:
        with ProcessPoolExecutor(jobs) as pool:
            results = list(pool.map(one, seeds))
    return {
        "recipe": results[0].recipe,
        "runs": len(results),
        "first_seed": seeds.start,
        "unit_states": dict(Counter(result.unit_state for result in results)),
        "unsafe": dict(Counter(str(found["code"]) for result in results for found in result.unsafe)),
        "alarms": dict(Counter(str(alarm["rule"]) for result in results for alarm in result.alarms if _is_alarm(alarm))),
        "batch_h_median": round(median(result.batch_s for result in results) / 3600, 3),
        "residual_solvent": _errors([result.residual_solvent for result in results]),
        "insoluble": _errors([result.insoluble for result in results]),
        "scan_us_mean": round(1e6 * fmean(result.wall_s / result.scans for result in results), 1),
    }


def _seeded(recipe: Path, load: Path, wiring: Path, seed: int) -> Result:
    return run(recipe, load, wiring, seed)


def _errors(beliefs: list[dict[str, float]]) -> dict[str, float]:
    errors = [belief["estimate"] - belief["truth"] for belief in beliefs]
    inside = sum(belief["low"] <= belief["truth"] <= belief["high"] for belief in beliefs)
    return {
        "rmse": round(sqrt(fmean(error * error for error in errors)), 5),
        "bias": round(fmean(errors), 5),
        "coverage_90": round(inside / len(beliefs), 3),
    }
