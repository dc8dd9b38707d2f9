"""From records to journal entries: what is written when, and how a restart finds its memory again."""

from typing import Any, Final

from pydantic import TypeAdapter

from controller.errors import JournalError
from controller.estimator.belief import unpack
from controller.image import Atmosphere, Estimate, Forecast
from controller.interlocks.rule import Effect
from controller.journal import samples
from controller.journal.entry import Entry, Stored, entry
from controller.journal.reader import JournalReader
from controller.memory import Memory
from controller.recipe.standing import UnitMemory, current
from controller.recipe.states import UnitState
from controller.scan import Record

MEMORY: Final[TypeAdapter[Memory]] = TypeAdapter(Memory)
SAMPLE_S: Final = 1.0  # unless the phase that runs says otherwise
WORDS_S: Final = 2.0  # process time at least between two wordings of what the unit waits for, which may flap at the edge of a band
NUMBERS_S: Final = 30.0  # how old the numbers in them may be
_DIGITS: Final = str.maketrans("", "", "0123456789")
FORECAST_S: Final = 1800.0  # process time between two forecasts that are kept
MARKS: Final = (0.25, 0.5, 0.75)  # of the batch as forecast; when it gets there the forecast is kept too


class Recorder:
    """Decides what of a record is journaled.

    Every note and every result of a pressure-rise test at once, a sample each second or as the phase says, a checkpoint with every move,
    with every other gas that is asked for (a restart must know whether N2 was let into a drawn vacuum) and each ``checkpoint_s``, one more
    sample at a first-out, the rows that stand and what the unit waits for when they change, and of the forecasts the first of a batch, one
    each ``FORECAST_S`` and those at which the batch passes ``MARKS``.
    """

    def __init__(self, checkpoint_s: float) -> None:
        """Start with everything due."""
        self._checkpoint_s = checkpoint_s
        self._sample_due_s = self._checkpoint_due_s = float("-inf")
        self._every_s = SAMPLE_S
        self._gas: Atmosphere | None = None  # that the last scan asked for
        self._standing: tuple[str, ...] | None = None  # rows that were active in the last scan
        self._waits = ""  # what the unit waits for, as last written
        self._waits_s = float("-inf")  # when that was
        self._fresh = True
        self._rise_s: float | None = None  # end of the last pressure-rise test seen
        self._forecast_s: float | None = None  # when the last forecast seen was made
        self._batch_id: int | None = None  # of that forecast
        self._forecast_due_s = float("-inf")
        self._passed = 0.0  # share of the batch that is over as forecast, highest seen

    def entries(self, memory: Memory, record: Record) -> tuple[list[Entry], bool]:
        """Return the entries of one scan, and whether they must be durable before the outputs are written."""
        at_s = record.inputs.at_s
        made = [entry(note.kind, at_s, note.content) for note in record.notes]
        moved = any(note.kind in ("state", "phase", "command", "batch_start", "bypass", "prooftest", "alarm") for note in record.notes)
        made += self._believed(memory, record.estimate, at_s)
        durable = bool(made)
        waits = waiting(memory, record)
        if record.verdict.active is not self._standing or (waits != self._waits and self._is_news(waits, at_s)):
            self._standing, self._waits, self._waits_s = record.verdict.active, waits, at_s
            made.append(entry("standing", at_s, {"rows": self._standing, "first_out": record.verdict.first_out, "waits": waits}))
        gas, self._gas = self._gas, record.setpoints.atmosphere
        if moved or gas is not self._gas or at_s >= self._checkpoint_due_s:
            self._checkpoint_due_s = at_s + self._checkpoint_s
            made.append(checkpoint_entry(memory, at_s))
        if moved and (every_s := interval_s(memory.unit)) != self._every_s:
            self._every_s, self._sample_due_s = every_s, min(self._sample_due_s, at_s)
        due = at_s >= self._sample_due_s
        if due:
            self._sample_due_s = max(self._sample_due_s + self._every_s, at_s) if self._sample_due_s > 0 else at_s + self._every_s
        if due or any(note.content.get("first_out") for note in record.notes):
            made.append(
                Entry("sample", at_s, samples.pack(record.inputs, record.estimate, record.setpoints, record.outputs, record.unit_state))
            )
        return made, durable

    def _is_news(self, waits: str, at_s: float) -> bool:
        """Return whether ``waits``, which is not what was written last, is written now: other words soon, other numbers now and then."""
        after_s = at_s - self._waits_s
        return after_s >= NUMBERS_S or (after_s >= WORDS_S and waits.translate(_DIGITS) != self._waits.translate(_DIGITS))

    def _believed(self, memory: Memory, estimate: Estimate, at_s: float) -> list[Entry]:
        """Return a new pressure-rise result and a forecast that is to be kept; what a restart brings back is in the journal already."""
        made = []
        rise, forecast, batch = estimate.pressure_rise, estimate.forecast, memory.unit.batch
        if rise is not None and rise.at_s != self._rise_s:
            if not self._fresh:
                made.append(entry("pressure_rise", at_s, rise._asdict()))
            self._rise_s = rise.at_s
        self._fresh = False
        if forecast is not None and batch is not None and forecast.made_at_s != self._forecast_s:
            self._forecast_s = forecast.made_at_s
            made += self._foreseen(forecast, batch.id, forecast.made_at_s - batch.started_at_s, at_s)
        return made

    def _foreseen(self, forecast: Forecast, batch_id: int, batch_s: float, at_s: float) -> list[Entry]:
        """Return the forecast made ``batch_s`` after the batch's start as an entry, nothing when it need not be kept."""
        whole_s = batch_s + forecast.finish_s.value
        progress = batch_s / whole_s if whole_s > 0 else 1.0
        if batch_id != self._batch_id:
            self._batch_id, self._forecast_due_s, self._passed = batch_id, float("-inf"), progress
        passes = any(self._passed < mark <= progress for mark in MARKS)
        self._passed = max(self._passed, progress)
        due = batch_s >= self._forecast_due_s
        if not due and not passes:
            return []
        if due:
            self._forecast_due_s = batch_s + FORECAST_S
        return [entry("forecast", at_s, {"batch_s": batch_s, "progress": progress, **forecast._asdict()})]


def waiting(memory: Memory, record: Record) -> str:
    """Return what the unit waits for, "" for nothing: what its phase says, in IDLE a start that is armed."""
    armed, unit, verdict = memory.delayed, memory.unit, record.verdict
    if unit.state is UnitState.HELD and record.waiting:
        held_by = f"; held by {verdict.explained(Effect.HOLD | Effect.ABORT)}" if verdict.hold or verdict.abort else ""
        return f"{record.waiting} (since: {unit.cause}){held_by}"
    if armed is None:
        return record.waiting
    left_min = (armed.at_s - record.inputs.at_s) / 60.0
    return f"start of {armed.recipe.id} rev {armed.recipe.revision} by {armed.user}, {left_min:.0f} min from now; STOP cancels it"


def interval_s(unit: UnitMemory) -> float:
    """Return the interval of the samples: the running phase's own, ``SAMPLE_S`` in every other state."""
    return float(getattr(current(unit), "record_s", SAMPLE_S)) if unit.state is UnitState.RUNNING else SAMPLE_S


def checkpoint_entry(memory: Memory, at_s: float) -> Entry:
    """Return the entry from which a restart takes ``memory`` again."""
    return Entry("checkpoint", at_s, MEMORY.dump_json(memory))


def restore(reader: JournalReader) -> tuple[Memory, int] | None:
    """Return the memory of the last checkpoint and the wall time of the journal's last entry, None in a new journal.

    Raises:
        JournalError: see ``memory_of``.
    """
    checkpoint = reader.last("checkpoint")
    if checkpoint is None:
        return None
    last = reader.after(reader.last_seq() - 1, 1)
    return memory_of(checkpoint), last[-1].wall_ns if last else checkpoint.wall_ns


def memory_of(checkpoint: Stored) -> Memory:
    """Return the memory that a checkpoint holds. Raises JournalError when it is of a release whose memory this one cannot read."""
    try:
        memory = MEMORY.validate_json(checkpoint.payload)
        if memory.estimator is not None:
            unpack(memory.estimator.block)
    except ValueError as error:
        raise JournalError(
            f"entry {checkpoint.seq}, the last checkpoint, is of a release whose memory this one cannot read. Nothing is lost: start the "
            f"release that wrote it (see the last boot entry), let it end the batch and RESET, then update. ({str(error).splitlines()[0]})"
        ) from error
    return memory


def boot_entry(
    at_s: float, boot: int, version: str, rate: float, outage_s: float | None, config_sha256: str, solvent_kg_h: float | None = None
) -> Entry:
    """Return the entry that a start begins with; ``solvent_kg_h`` is the solvent rate that condenser and pump take."""
    content: dict[str, Any] = {
        "boot": boot, "version": version, "rate": rate, "outage_s": outage_s, "config_sha256": config_sha256,
        "solvent_kg_h": solvent_kg_h, "columns": list(samples.COLUMNS),
    }  # fmt: skip
    return entry("boot", at_s, content)
