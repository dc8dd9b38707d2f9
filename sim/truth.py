"""What the plant knows of the product, written down beside a batch as reference curves for its report (see ``ovenctl report``)."""

from pathlib import Path
from types import TracebackType
from typing import Final, Self

from controller.journal.reference import write_header
from sim.plant.history import PLACES
from sim.plant.plant import Truth
from sim.softplc import SoftPlc

EVERY_S: Final = 30.0
COLUMNS: Final = (
    *(f"temp_{place}" for place in PLACES),
    *(f"residual_{place}" for place in PLACES),
    *(f"insoluble_{place}" for place in PLACES),
    "residual_worst",
    "insoluble_mean",
    "evolution_kg_h",
)


def beside(journal: Path) -> Path:
    """Return where the reference file of ``journal`` lies."""
    return journal.with_name(f"{journal.name}.truth.csv")


class TruthFile:
    """Writes a row each ``EVERY_S`` from the moment on at which the PLC is first told of a batch, until it is told of another."""

    def __init__(self, path: Path) -> None:
        """Open ``path`` anew."""
        self._file = path.open("w", encoding="utf-8", newline="")
        self._file.write(write_header(COLUMNS))
        self._batch_id = 0
        self._start_s = self._due_s = 0.0
        self._before: Truth | None = None

    def look(self, plc: SoftPlc) -> None:
        """Write a row when one is due; to be called after each scan of ``plc``."""
        batch_id = 0 if plc.block is None else plc.block.outputs.batch_id
        if not self._batch_id and batch_id:
            self._batch_id, self._start_s, self._due_s = batch_id, plc.at_s, plc.at_s
        if batch_id and batch_id == self._batch_id and plc.at_s >= self._due_s - 1e-6:
            self._due_s += EVERY_S
            truth = plc.plant.truth()
            if truth.loaded:
                self._file.write(_line(truth, self._before, plc.at_s - self._start_s))
            self._before = truth

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _line(truth: Truth, before: Truth | None, at_s: float) -> str:
    """Return a row; the evolution is the mean since the row before and empty in the first one."""
    evolution = ""
    if before is not None and truth.at_s > before.at_s:
        evolution = f"{3600.0 * (before.film_solvent_kg - truth.film_solvent_kg) / (truth.at_s - before.at_s):.6g}"
    of_nodes = (truth.node_temps_c, truth.residuals, truth.insolubles)
    numbers = [values[node] for values in of_nodes for node in PLACES.values()] + [truth.residual_solvent_worst, truth.insoluble_mean]
    return ",".join((f"{at_s:.1f}", *(f"{number:.6g}" for number in numbers), evolution)) + "\n"
