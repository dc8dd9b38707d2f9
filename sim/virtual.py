"""A virtual batch for the command line, shown or as JSON."""

from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from controller import wiring as wirings
from controller.errors import FileError, Problem
from controller.fitness import problems_of
from controller.journal.entry import VIRTUAL
from controller.journal.store import Journal
from controller.memory import Settings
from controller.recipe.check import check_load
from controller.recipe.reading import read_load, read_recipe
from controller.recorder import boot_entry
from sim import bench, lot, operator
from sim.bench import Result
from sim.truth import TruthFile, beside
from sim.unloading import unload

# The largest scan period with which one image or one block may be lost and nobody acts on it: the image that stays is younger than 3 s
# (STALE), the PLC waits 5 s for a block (watchdog and lease), and each block is echoed within 2 s, by the next image.
LONGEST_SCAN_S: Final = 2.0
SHORTEST_SCAN_S: Final = 0.05
SETTLE_S: Final = 120.0  # longer than any feedback is waited for


def run(recipe: Path, load: Path, wiring: Path, seed: int, scan_s: float = 1.0, max_h: float = 100.0, journal: Path | None = None,
        direct: bool = False, forecast_s: float = 600.0) -> Result:  # fmt: skip
    """Return the result of one virtual batch; with a ``journal`` what the plant knows of the product lies ``beside`` it (``sim.truth``).

    Raises:
        FileError: recipe, load or wiring are wrong, the journal exists, or no PLC would follow a master of that scan period.
    """
    check_scan(scan_s)
    settings = Settings.model_validate(lot.settings(seed, forecast_s, direct_output=direct))
    sourced, rolls = read_recipe(recipe), read_load(load)
    if problems := problems_of(settings, sourced.recipe):
        raise FileError(str(recipe), problems)
    if problems := check_load(rolls, sourced.recipe, settings.equipment):
        raise FileError(str(load), problems)
    if journal is not None and journal.exists():
        raise FileError(str(journal), [Problem("--journal", str(journal), "must be a new file")])
    wired, store = wirings.load(wiring), None
    look: bench.Hook = operator.attend
    with ExitStack() as opened:
        if journal is not None:
            store = Journal(journal, threaded=False)
            opened.callback(store.close)
            store.append([boot_entry(0.0, store.boot, VIRTUAL, 1.0, None, "", settings.equipment.solvent_kg_h)])
            look = _truth_hook(opened.enter_context(TruthFile(beside(journal))))
        result, rig = bench.batch(sourced, rolls, wired, settings, seed, scan_s=scan_s, max_h=max_h, journal=store, hook=look)
        if journal is not None:
            _settle(rig)
        after = unload(rig)
        unsafe = [*result.unsafe, *(found._asdict() for found in after.unsafe)]
        return result._replace(unsafe=unsafe, unloaded_s=after.after_s)


def _settle(rig: bench.Rig) -> None:
    """Let ``rig`` go on until every intent in its journal has an outcome."""
    until_s = rig.at_s + SETTLE_S
    while rig.memory.actuation.pending and rig.at_s < until_s:
        rig.step()


def _truth_hook(known: TruthFile) -> bench.Hook:
    def look(rig: bench.Rig, at_s: float) -> None:
        known.look(rig.plc)
        operator.attend(rig, at_s)

    return look


def show(result: Result) -> None:
    """Print one result for a person."""
    table = Table(title=f"{result.recipe}, seed {result.seed}: {result.unit_state}", show_header=False)
    for name, belief in (("residual solvent, wt%", result.residual_solvent), ("insoluble content, %", result.insoluble)):
        said = {key: f"{100 * value:.2f}" for key, value in belief.items()}
        table.add_row(name, f"{said['estimate']} [{said['low']}, {said['high']}], truth {said['truth']}")
    table.add_row("batch", f"{result.batch_s / 3600:.2f} h")
    table.add_row("endpoint", "-" if result.endpoint_at_s is None else f"{result.endpoint_at_s / 3600:.2f} h")
    table.add_row("why it ended", result.result)
    table.add_row("door open", "stayed locked" if result.unloaded_s is None else f"{result.unloaded_s / 60:.0f} min after the batch")
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
