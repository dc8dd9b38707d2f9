"""Autotune on the soft PLC in virtual time: the experiment in a soak, then the same recipe with the old and the proposed tuning."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from controller import wiring as wirings
from controller.command import Command
from controller.errors import FileError, Problem
from controller.image import Atmosphere
from controller.journal import batch as facts
from controller.journal.entry import VIRTUAL
from controller.journal.reader import JournalReader
from controller.journal.store import Journal
from controller.journal.tracking import Figures, tracking
from controller.memory import Settings
from controller.recipe.model import LoadRecord
from controller.recipe.reading import SourcedRecipe, read_load, read_recipe
from controller.recipe.states import Verb
from controller.recorder import boot_entry
from controller.wiring import Wiring
from sim import bench, lot

ASK_EVERY_S: Final = 120.0  # until the loop stands near enough to its set point
REST_S: Final = 600.0  # in the soak before the first question, so that no ramp is seen in the limit cycle


class Wanted(NamedTuple):
    """What to tune: ``loop`` is zone or lead, ``gas`` VACUUM or N2_FLOW, ``args`` those of AUTOTUNE, ``direct`` as in the settings."""

    recipe: Path
    load: Path
    wiring: Path
    seed: int
    loop: str
    gas: str
    direct: bool
    formula: dict[str, float]
    args: dict[str, float]
    compare: Path


class Tuned(NamedTuple):
    """The experiment's journal entry, and the figures of the recipe with the old and the new tuning (none when it was broken off)."""

    entry: dict[str, Any]
    before: list[Figures]
    after: list[Figures]


class _Answered(Exception):  # noqa: N818 - it ends a virtual batch early, nothing is wrong
    """The experiment has ended."""


class _Engineer:
    """The person in front of the oven: waits in the right soak, asks for autotune until it is accepted, and reads the answer."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted, self._ask_s, self._seen, self.entry = wanted, 0.0, 0, dict[str, Any]()

    def __call__(self, rig: bench.Rig, at_s: float) -> None:
        """Look at what happened, and ask when it is time. Raises ``_Answered`` when the experiment has ended."""
        for _, kind, content in rig.notes[self._seen :]:
            if kind == "decision" and content.get("what") == "autotune" and content.get("event") != "begun":
                self.entry = dict(content)
                raise _Answered
        self._seen = len(rig.notes)
        wanted, unit = self._wanted, rig.memory.unit
        if unit.batch is None or unit.phase.counted_s < REST_S or rig.memory.control.tune is not None or at_s < self._ask_s:
            return
        if unit.setpoints.atmosphere is not Atmosphere[wanted.gas]:
            return
        self._ask_s = at_s + ASK_EVERY_S
        args = {"loop": wanted.loop, **wanted.args}
        rig.commands.append(Command(f"tune-{rig.counter}", "bench", Verb.AUTOTUNE, None, rig.counter + 1, args=args))


def run(wanted: Wanted) -> Tuned:
    """Return what autotune proposes and what it changes.

    Raises:
        FileError: recipe, load, wiring or arguments are wrong, or the batch ended before the experiment could begin.
    """
    load, wired = read_load(wanted.load), wirings.load(wanted.wiring)
    recipe = read_recipe(wanted.recipe, wanted.formula)
    plain = lot.settings(wanted.seed, 600.0, direct_output=wanted.direct)
    engineer = _Engineer(wanted)
    try:
        _, rig = bench.batch(recipe, load, wired, Settings.model_validate(plain), wanted.seed, hook=engineer)
    except _Answered:
        pass
    else:
        answers = [content["answer"] for content in bench.answers(rig) if content["verb"] == Verb.AUTOTUNE]
        said = answers[-1] if answers else "never asked"
        raise FileError(str(wanted.recipe), [Problem("autotune", said, f"needs a SOAK in {wanted.gas}")])
    if engineer.entry["event"] != "proposed":
        return Tuned(engineer.entry, [], [])
    numbers = {"gain": engineer.entry["gain"], "integral_s": engineer.entry["integral_s"]}
    compared = read_recipe(wanted.compare)
    before = measure(compared, load, wired, Settings.model_validate(plain), wanted.seed)
    after = measure(compared, load, wired, Settings.model_validate({**plain, "tunings": {wanted.loop: numbers}}), wanted.seed)
    return Tuned(engineer.entry, before, after)


def measure(recipe: SourcedRecipe, load: LoadRecord, wiring: Wiring, settings: Settings, seed: int) -> list[Figures]:
    """Return the tracking figures of one virtual batch."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        store = Journal(path, threaded=False)
        try:
            store.append([boot_entry(0.0, store.boot, VIRTUAL, 1.0, None, "", settings.equipment.solvent_kg_h)])
            bench.batch(recipe, load, wiring, settings, seed, journal=store)
        finally:
            store.close()
        with JournalReader(path) as reader:
            return tracking(facts.gather(reader, None))


def show(tuned: Tuned) -> None:
    """Print proposal and figures for a person."""
    console, entry = Console(), tuned.entry
    console.print(f"{entry['event']}: {entry['why']} ({entry['cycles']} cycles, {entry['took_s'] / 60:.0f} min)", highlight=False)
    if "toml" not in entry:
        return
    console.print(
        f"slope {entry['slope_c_per_s']:.3g} degC/s per unit, delay {entry['delay_s']:.0f} s, balance {entry['balance']:.1f}, "
        f"period {entry['period_s']:.0f} s, swing {entry['swing_c']:.2f} degC, ultimate gain {entry['ultimate_gain']:.3g}",
        highlight=False,
    )
    console.print(str(entry["toml"]), markup=False, highlight=False)
    console.print(compared(tuned.before, tuned.after))


def compared(before: list[Figures], after: list[Figures]) -> Table:
    """Return the figures of two runs of one recipe side by side, before / after."""
    table = Table(title="before / after")
    columns = ("phase", "min", "load ISE, K²h", "load max, K", "overshoot, K", "to band, min", "zone ISE, K²h", "zone over, K", "output, %")
    for column in columns:
        table.add_column(column, justify="left" if column == "phase" else "right")
    for old, new in zip(before, after, strict=True):
        pairs = (
            (old.took_s / 60, new.took_s / 60), (_ise(old.load_rms_k, old), _ise(new.load_rms_k, new)), (old.load_max_k, new.load_max_k),
            (old.overshoot_k, new.overshoot_k), (_min(old.to_band_s), _min(new.to_band_s)),
            (_ise(old.zone_rms_k, old), _ise(new.zone_rms_k, new)), (old.zone_over_k, new.zone_over_k), (old.output_pct, new.output_pct),
        )  # fmt: skip
        table.add_row(f"{old.kind} {old.name}", *(f"{_said(was)} / {_said(now)}" for was, now in pairs))
    return table


def _ise(rms_k: float | None, figures: Figures) -> float | None:
    """Return the integral of the squared error, K2 h, over the part of the phase that the RMS counts."""
    return None if rms_k is None else rms_k * rms_k * figures.counted_s / 3600.0


def _min(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / 60.0


def _said(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
