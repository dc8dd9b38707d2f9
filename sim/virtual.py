"""Virtual batches for the command line: one, shown or as JSON, and many, summed up."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean, median
from typing import Any, Final

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
from sim.truth import TruthFile, beside

# The largest scan period with which one image or one block may be lost and nobody acts on it: the image that stays is younger than 3 s
# (STALE), the PLC waits 5 s for a block (watchdog and lease), and each block is echoed within 2 s, by the next image.
LONGEST_SCAN_S: Final = 2.0
SHORTEST_SCAN_S: Final = 0.05


def run(recipe: Path, load: Path, wiring: Path, seed: int, scan_s: float = 1.0, max_h: float = 100.0, journal: Path | None = None,
        direct: bool = False) -> Result:  # fmt: skip
    """Return the result of one virtual batch; with a ``journal`` what the plant knows of the product lies ``beside`` it (``sim.truth``).

    Raises:
        FileError: recipe, load or wiring are wrong, the journal exists, or no PLC would follow a master of that scan period.
    """
    check_scan(scan_s)
    settings = Settings.model_validate(lot.settings(seed, direct_output=direct))
    sourced, rolls = read_recipe(recipe), read_load(load)
    if problems := check_recipe(sourced.recipe, settings.equipment):
        raise FileError(str(recipe), problems)
    if problems := check_load(rolls, sourced.recipe, settings.equipment):
        raise FileError(str(load), problems)
    if journal is not None and journal.exists():
        raise FileError(str(journal), [Problem("--journal", str(journal), "must be a new file")])
    wired, store, look = wirings.load(wiring), None, None
    with ExitStack() as opened:
        if journal is not None:
            store = Journal(journal, threaded=False)
            opened.callback(store.close)
            store.append([boot_entry(0.0, store.boot, "virtual", 1.0, None, "", settings.equipment.solvent_kg_h)])
            look = _truth_hook(opened.enter_context(TruthFile(beside(journal))))
        return bench.batch(sourced, rolls, wired, settings, seed, scan_s=scan_s, max_h=max_h, journal=store, hook=look)[0]


def _truth_hook(known: TruthFile) -> bench.Hook:
    return lambda rig, _: known.look(rig.plc)


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


def check_scan(scan_s: float) -> None:
    """Return when a core could run with that scan period. Raises FileError with what is allowed, and why."""
    if not SHORTEST_SCAN_S <= scan_s <= LONGEST_SCAN_S:
        allowed = (
            f"{SHORTEST_SCAN_S:g} to {LONGEST_SCAN_S:g} s: a slower master has its blocks echoed too late (2 s), "
            "its image stale (3 s) after one lost reading, and the PLC's watchdog and lease (5 s) gone after one lost block"
        )
        raise FileError("command line", [Problem("--scan", scan_s, allowed)])


@dataclass(frozen=True, slots=True)
class Campaign:
    """What every batch of a campaign has in common."""

    recipe: Path
    load: Path
    wiring: Path
    scan_s: float = 1.0

    def batch(self, seed: int) -> Result:
        """Return the result of the batch with ``seed``."""
        return run(self.recipe, self.load, self.wiring, seed, self.scan_s)


def campaign(what: Campaign, seeds: range, jobs: int) -> dict[str, Any]:
    """Return the sum of many virtual batches: counts, and error and coverage of the estimate at the end.

    A seed is given to whichever of the ``jobs`` processes is free, one at a time, so that long batches leave none of them idle; the sum
    does not depend on who ran what. Each batch that ends is told on stderr.

    Raises:
        FileError: see ``run``; nothing is started then.
    """
    check_scan(what.scan_s)
    found: dict[int, Result] = {}
    for seed, result in _batches(what, seeds, jobs):
        found[seed] = result
        _tell(len(found), len(seeds), seed, result)
    return _sum([found[seed] for seed in seeds], seeds.start)


def _batches(what: Campaign, seeds: range, jobs: int) -> Iterator[tuple[int, Result]]:
    """Yield seed and result as the batches end."""
    if jobs == 1:
        yield from ((seed, what.batch(seed)) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        running = {pool.submit(what.batch, seed): seed for seed in seeds}
        try:
            for ended in as_completed(running):
                yield running[ended], ended.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)  # the first mistake ends the campaign, not its last batch
            raise


def _tell(count: int, total: int, seed: int, result: Result) -> None:
    unsafe = ", ".join(str(found["code"]) for found in result.unsafe) or "safe"
    sys.stderr.write(
        f"{count}/{total} seed {seed}: {result.unit_state} after {result.batch_s / 3600:.2f} h, {unsafe}, {result.wall_s:.1f} s\n"
    )
    sys.stderr.flush()


def _sum(results: Sequence[Result], first_seed: int) -> dict[str, Any]:
    return {
        "recipe": results[0].recipe,
        "runs": len(results),
        "first_seed": first_seed,
        "unit_states": dict(Counter(result.unit_state for result in results)),
        "unsafe": dict(Counter(str(found["code"]) for result in results for found in result.unsafe)),
        "alarms": dict(Counter(str(alarm["rule"]) for result in results for alarm in result.alarms if _is_alarm(alarm))),
        "batch_h_median": round(median(result.batch_s for result in results) / 3600, 3),
        "residual_solvent": _errors([result.residual_solvent for result in results]),
        "insoluble": _errors([result.insoluble for result in results]),
        "scan_us_mean": round(1e6 * fmean(result.wall_s / result.scans for result in results), 1),
    }


def _errors(beliefs: list[dict[str, float]]) -> dict[str, float]:
    errors = [belief["estimate"] - belief["truth"] for belief in beliefs]
    inside = sum(belief["low"] <= belief["truth"] <= belief["high"] for belief in beliefs)
    return {
        "rmse": round(sqrt(fmean(error * error for error in errors)), 5),
        "bias": round(fmean(errors), 5),
        "coverage_90": round(inside / len(beliefs), 3),
    }
