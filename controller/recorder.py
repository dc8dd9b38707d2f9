"""From records to journal entries: what is written when, and how a restart finds its memory again."""

from typing import Any, Final

from pydantic import TypeAdapter

from controller.journal import samples
from controller.journal.entry import Entry, entry
from controller.journal.reader import JournalReader
from controller.memory import Memory
from controller.scan import Record

MEMORY: Final[TypeAdapter[Memory]] = TypeAdapter(Memory)
SAMPLE_S: Final = 1.0


class Recorder:
    """Decides what of a record is journaled.

    Every note at once, a sample each second, a checkpoint with every move and each ``checkpoint_s``.
    """

    def __init__(self, checkpoint_s: float) -> None:
        """Start with everything due."""
        self._checkpoint_s = checkpoint_s
        self._sample_due_s = self._checkpoint_due_s = float("-inf")

    def entries(self, memory: Memory, record: Record) -> tuple[list[Entry], bool]:
        """Return the entries of one scan, and whether they must be durable before the outputs are written."""
        at_s = record.inputs.at_s
        made = [entry(note.kind, at_s, note.content) for note in record.notes]
        moved = any(note.kind in ("state", "phase", "command", "batch_start") for note in record.notes)
        durable = bool(made)
        if moved or at_s >= self._checkpoint_due_s:
            self._checkpoint_due_s = at_s + self._checkpoint_s
            made.append(Entry("checkpoint", at_s, MEMORY.dump_json(memory)))
        if at_s >= self._sample_due_s:
            self._sample_due_s = max(self._sample_due_s + SAMPLE_S, at_s) if self._sample_due_s > 0 else at_s + SAMPLE_S
            made.append(
                Entry("sample", at_s, samples.pack(record.inputs, record.estimate, record.setpoints, record.outputs, record.unit_state))
            )
        return made, durable


def restore(reader: JournalReader) -> tuple[Memory, float, int] | None:
    """Return the memory of the last checkpoint, its process time and the wall time of the journal's last entry, None in a new journal.

    Raises:
        pydantic.ValidationError: the checkpoint is of a release whose memory this one cannot read.
    """
    checkpoint = reader.last("checkpoint")
    if checkpoint is None:
        return None
    last = reader.after(reader.last_seq() - 1, 1)
    return MEMORY.validate_json(checkpoint.payload), checkpoint.at_s, last[-1].wall_ns if last else checkpoint.wall_ns


def boot_entry(at_s: float, boot: int, version: str, rate: float, outage_s: float | None, config_sha256: str) -> Entry:
    """Return the entry that a start begins with."""
    content: dict[str, Any] = {
        "boot": boot, "version": version, "rate": rate, "outage_s": outage_s, "config_sha256": config_sha256,
        "columns": list(samples.COLUMNS),
    }  # fmt: skip
    return entry("boot", at_s, content)
