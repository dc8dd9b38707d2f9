"""Where the journal broke off when a core was killed: since when nobody scanned, and which actuations nobody saw the end of."""

from math import isnan, nan
from typing import Final, NamedTuple

from controller.journal import samples
from controller.journal.entry import Entry, entry
from controller.journal.reader import JournalReader

_BACK: Final = 5000  # entries; an actuation has its outcome 15 s after its intent, and that is far fewer
WHY: Final = "the core restarted before its feedback was seen"


class Open(NamedTuple):
    """An actuation without an outcome."""

    number: int
    output: str
    at_s: float


class Break(NamedTuple):
    """What stood at the end. Starts that were killed before they took over do not count: they scanned nothing."""

    from_s: float = 0.0  # process time of the last entry of a core that had taken over
    known: bool = True  # False: one of those starts could not tell how long the core had been away
    intent: int = 0  # number of the last intent
    open: tuple[Open, ...] = ()
    told: tuple[int, int] | None = None  # epoch and counter that the PLC echoed in the last sample

    def abandoned(self, at_s: float) -> list[Entry]:
        """Return an outcome for each actuation that has none, so that no intent stays without (D4)."""
        return [
            entry("outcome", at_s, {"number": one.number, "output": one.output, "ok": False, "after_s": at_s - one.at_s, "why": WHY})
            for one in self.open
        ]


def found(reader: JournalReader) -> Break:
    """Return where the journal breaks off; to be called before the new start writes its first entry.

    Raises:
        JournalError: the journal cannot be read.
    """
    last = seq = reader.last_seq()
    from_s, known = 0.0, True
    while seq > 0:
        stored = reader.after(seq - 1, 1)[0]
        from_s = stored.at_s
        if stored.kind != "boot":
            break
        known = known and stored.fields().get("outage_s") is not None
        seq -= 1
    due: dict[tuple[int, str], float] = {}
    for stored in reader.after(max(0, last - _BACK), _BACK, ("intent", "outcome")):
        said = stored.fields()
        if stored.kind == "intent":
            due.update({(int(said["number"]), str(output)): stored.at_s for output in said["changes"]})
        else:
            due.pop((int(said["number"]), str(said.get("output", ""))), None)
    newest = reader.last("intent")
    return Break(
        from_s,
        known,
        0 if newest is None else int(newest.fields()["number"]),
        tuple(Open(*key, at_s) for key, at_s in due.items()),
        _told(reader),
    )


def _told(reader: JournalReader) -> tuple[int, int] | None:
    sample = reader.last("sample")
    columns = None if sample is None else reader.columns(sample.boot)
    if sample is None or columns is None:
        return None
    values = samples.unpack(sample.payload, columns)
    epoch, counter = values.get("echo_epoch", nan), values.get("echo_counter", nan)
    return None if isnan(epoch) or isnan(counter) else (int(epoch), int(counter))
