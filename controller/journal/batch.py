"""The record of one batch, gathered from the journal: every row of the batch report, as values."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from controller.alarms.statistics import Statistics, statistics
from controller.control.actuation import SUPERSEDED
from controller.errors import JournalError
from controller.journal.alarms import stood
from controller.journal.charts import COLUMNS as DRAWN
from controller.journal.drawing import Marks, Span
from controller.journal.entry import KINDS, Stored
from controller.journal.reader import Batch, JournalReader
from controller.journal.samples import POSITIONS
from controller.journal.table import Table, read

_TOLD: Final = tuple(kind for kind in KINDS if kind not in ("sample", "checkpoint"))
_AROUND: Final = 50  # entries before and after the batch in which the same scan's other entries are looked for
_MEASURED: Final = ("condensate_kg", "p_solvent_ok", "p_insoluble_in_window", "est_valid", "z1_sp_c", "z2_sp_c", "z3_sp_c")
_BELIEVED: Final = (
    "blister", "floor_mbar", "evolution_kg_h", "evolution_low_kg_h", "evolution_high_kg_h", *(f"film_{place}_c" for place in POSITIONS),
    *(f"{name}_{place}{end}" for name in ("residual", "insoluble") for place in POSITIONS for end in ("", "_low", "_high")),
)  # fmt: skip
RUNNING, UNFINISHED = "RUNNING", "UNFINISHED"
_HIDING: Final = {"shelve": "shelved", "suppress": "suppressed", "out_of_service": "out of service"}


class Phase(NamedTuple):
    """One run of a phase; ``place`` is its index in the recipe, ``end_s`` is None while it runs."""

    place: int
    kind: str
    name: str
    start_s: float
    end_s: float | None
    why: str


PERMISSIVE: Final = "PERMISSIVE"  # effect of a row that only keeps something from starting: nothing to announce


class Alarm(NamedTuple):
    """One alarm from raise to clear; None where that has not happened."""

    rule: str
    effect: str
    text: str
    value: object
    first_out: bool
    raised_s: float
    cleared_s: float | None
    acknowledged_s: float | None
    user: str
    priority: str = ""
    remark: str = ""  # how it was hidden meanwhile: suppressed by which, shelved by whom and why; who confirmed it


class Intent(NamedTuple):
    """Something the core set out to do; of the outcomes of several outputs the worst. ``ok`` is None when none was recorded."""

    number: int
    at_s: float
    changes: dict[str, Any]
    ok: bool | None
    after_s: float | None
    why: str

    @property
    def superseded(self) -> bool:
        """Return whether the core asked otherwise before it had followed: no failure of the plant."""
        return self.ok is False and self.why == SUPERSEDED

    @property
    def severity(self) -> int:
        """Return the order in which one outcome counts over another: none, good, superseded, failed."""
        return 0 if self.ok is None else 1 if self.ok else 2 if self.superseded else 3


class Record(NamedTuple):
    """Everything the journal says about one batch. Times are process time, s."""

    batch: Batch
    result: str  # COMPLETE, STOPPED, ABORTED, RUNNING; UNFINISHED when another batch began and no end was recorded
    start: Stored
    end: Stored | None
    boot: dict[str, Any]  # of the start that the batch began in
    entries: tuple[Stored, ...]
    table: Table

    @property
    def end_s(self) -> float:
        """Return when the batch ended, or the last moment known of one that runs."""
        if self.end:
            return self.end.at_s
        last_s = float(self.table.at_s[-1]) if len(self.table.at_s) else self.start.at_s
        return max(self.start.at_s, last_s, *(stored.at_s for stored in self.entries[-1:]))

    def of(self, *kinds: str) -> list[Stored]:
        """Return the entries of ``kinds``."""
        return [stored for stored in self.entries if stored.kind in kinds]


def gather(reader: JournalReader, batch_id: str | int | None) -> Record:
    """Return the record of a batch; of the newest without a ``batch_id``.

    Raises:
        JournalError: there is no such batch; the text names those that there are.
    """
    batches = reader.batches()
    found = [batch for batch in batches if batch_id is None or batch.batch_id == str(batch_id)]
    if not found:
        known = ", ".join(batch.batch_id for batch in batches[-20:]) or "none"
        raise JournalError(f"the journal holds no batch {'' if batch_id is None else batch_id}; it holds: {known}")
    batch = found[-1]
    place = batches.index(batch)
    last = batches[place + 1].start_seq - 1 if place + 1 < len(batches) else reader.last_seq()
    start = reader.after(batch.start_seq - 1, 1)[0]
    end = reader.after(batch.end_seq - 1, 1)[0] if batch.end_seq is not None else None
    entries = tuple(_of_batch(reader, start, end, last))
    result = batch.result or (RUNNING if last == reader.last_seq() else UNFINISHED)
    until = min(last, end.seq + _AROUND) if end else last
    table = read(reader, batch.start_seq, until, (*DRAWN, *_MEASURED, *_BELIEVED))
    return Record(batch, result, start, end, _boot(reader, start), entries, _until(table, end))


def phases(record: Record) -> list[Phase]:
    """Return the phases in the order they ran."""
    found: list[Phase] = []
    for stored in record.of("phase"):
        fields = stored.fields()
        place = int(fields.get("index", 0))
        if fields.get("event") == "start":
            found.append(Phase(place, str(fields.get("kind", "")), str(fields.get("name", "")), stored.at_s, None, ""))
        elif found and found[-1].place == place and found[-1].end_s is None:
            found[-1] = found[-1]._replace(end_s=stored.at_s, why=str(fields.get("why", "")))
    if record.end and found and found[-1].end_s is None:
        found[-1] = found[-1]._replace(end_s=record.end.at_s, why="the batch ended")
    return found


def alarms(record: Record) -> list[Alarm]:
    """Return the alarms in the order they were raised."""
    found: list[Alarm] = []
    for stored in record.of("alarm"):
        fields = stored.fields()
        rule, event = str(fields.get("rule", "")), fields.get("event")
        if event == "raise":
            text, effect = str(fields.get("text", "")), str(fields.get("effect", ""))
            first_out = fields.get("first_out") is True
            urgency = str(fields.get("priority", ""))
            found.append(Alarm(rule, effect, text, fields.get("value"), first_out, stored.at_s, None, None, "", urgency))
            continue
        for i in reversed([i for i, alarm in enumerate(found) if alarm.rule == rule]):
            if event == "clear" and found[i].cleared_s is None:
                found[i] = found[i]._replace(cleared_s=stored.at_s)
                break
            if event == "ack" and found[i].acknowledged_s is None:
                found[i] = found[i]._replace(acknowledged_s=stored.at_s, user=str(fields.get("user", "")))
                break
            if event == "confirm":
                said = f"confirmed by {fields.get('user', '')}" + (f": {fields['reason']}" if fields.get("reason") else "")
                found[i] = found[i]._replace(remark="; ".join(filter(None, (found[i].remark, said))))
                break
            if event in _HIDING:
                said = "; ".join(filter(None, (found[i].remark, _hidden(fields))))
                found[i] = found[i]._replace(remark=said)
                break
    return found


def edits(record: Record) -> list[dict[str, Any]]:
    """Return the edits of the control recipe, oldest first: by them it deviates from what was approved; ``phase`` counts from 1."""
    return [_counted(fields) for stored in record.of("decision") if (fields := stored.fields()).get("what") == "EDIT"]


def place_of(edit: Mapping[str, Any]) -> object:
    """Return the index of the phase that an EDIT means, "endpoint" for none; of older releases ``phase`` is the index."""
    return edit.get("phase") if edit.get("index") is None else edit["index"]


def _counted(edit: dict[str, Any]) -> dict[str, Any]:
    place = place_of(edit)
    return {**edit, "phase": place + 1} if isinstance(place, int) else edit


def alarm_figures(record: Record) -> Statistics:
    """Return rates, floods and chattering of the batch's alarms."""
    return statistics(stood(record.of("alarm")), record.start.at_s, record.end_s)


def _hidden(fields: dict[str, Any]) -> str:
    who, why = str(fields.get("by") or fields.get("user") or ""), str(fields.get("reason") or "")
    return f"{_HIDING[str(fields.get('event'))]} by {who}" + (f": {why}" if why else "")


def intents(record: Record) -> list[Intent]:
    """Return what the core set out to do, each with its outcome."""
    found: dict[tuple[int, Any], Intent] = {}
    for stored in record.of("intent", "outcome"):
        fields = stored.fields()
        key = (stored.boot, fields.get("number"))
        if stored.kind == "intent":
            changes = fields.get("changes")
            found[key] = Intent(int(fields.get("number", 0)), stored.at_s, changes if isinstance(changes, dict) else {}, None, None, "")
        elif key in found:
            outcome = found[key]._replace(ok=fields.get("ok") is True, after_s=fields.get("after_s"), why=str(fields.get("why", "")))
            found[key] = max(outcome, found[key], key=lambda one: one.severity)
    return list(found.values())


def endpoint_s(record: Record) -> float | None:
    """Return how long after the start the last CURE reached the endpoint, s; None when it did not."""
    if record.end:
        told = record.end.fields().get("endpoint_at_s")
        return float(told) if isinstance(told, int | float) else None
    cures = [stored for stored in record.of("decision") if stored.fields().get("what") == "CURE ended"]
    return cures[-1].at_s - record.start.at_s if cures and cures[-1].fields().get("why") == "endpoint" else None


def limits_of(record: Record) -> dict[str, float]:
    """Return the numbers of the recipe's endpoint, as they were edited last; empty when its text has none."""
    try:
        endpoint = tomllib.loads(str(record.start.fields().get("recipe", ""))).get("endpoint", {})
    except tomllib.TOMLDecodeError:
        return {}
    found = dict(endpoint) if isinstance(endpoint, dict) else {}
    found |= {str(edit.get("key")): edit.get("to") for edit in edits(record) if found and edit.get("phase") == "endpoint"}
    return {key: float(value) for key, value in found.items() if isinstance(value, int | float) and not isinstance(value, bool)}


def marks_of(record: Record) -> Marks:
    """Return what is drawn besides the trends."""
    start_s, limits, reached_s = record.start.at_s, limits_of(record), endpoint_s(record)

    def hours(at_s: float) -> float:
        return (at_s - start_s) / 3600.0

    spans = [
        Span(phase.place + 1, phase.kind, hours(phase.start_s), hours(record.end_s if phase.end_s is None else phase.end_s))
        for phase in phases(record)
    ]
    trips = [(hours(alarm.raised_s), alarm.rule) for alarm in alarms(record) if alarm.first_out]
    low, high = limits.get("insoluble_low_pct"), limits.get("insoluble_high_pct")
    return Marks(spans, None if reached_s is None else reached_s / 3600.0, trips, limits.get("max_residual_wt_pct"), low, high)


def _of_batch(reader: JournalReader, start: Stored, end: Stored | None, last: int) -> Iterable[Stored]:
    """Yield the batch's entries and those of the same scans just before its first and just after its last."""
    upto = min(last, end.seq + _AROUND) if end else last
    for stored in reader.between(max(1, start.seq - _AROUND), upto, _TOLD):
        before = stored.seq < start.seq and (stored.at_s, stored.boot) != (start.at_s, start.boot)
        behind = end is not None and stored.seq > end.seq and (stored.at_s, stored.boot) != (end.at_s, end.boot)
        if not before and not behind:
            yield stored


def _until(table: Table, end: Stored | None) -> Table:
    keep: Sequence[int] | slice = slice(None) if end is None else slice(0, int(np.searchsorted(table.at_s, end.at_s, "right")))
    return Table(table.at_s[keep], {name: values[keep] for name, values in table.columns.items()})


def _boot(reader: JournalReader, start: Stored) -> dict[str, Any]:
    for stored in reader.between(1, start.seq, ("boot",)):
        if stored.boot == start.boot:
            return stored.fields()
    return {}
