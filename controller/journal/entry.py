"""What the journal holds: one sequence of entries, of the kinds listed here."""

import json
import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

# kind -> what its payload says. All payloads are canonical JSON objects but that of ``sample``, which is packed (see ``samples``).
KINDS: Final[dict[str, str]] = {
    "boot": "the core started: boot (number), version, rate, outage_s, config_sha256, solvent_kg_h, columns (of the samples that follow)",
    "shutdown": "the core stopped on purpose: why",
    "batch_start": "batch_id, recipe (text as run), recipe_id, revision, recipe_sha256, formula, load, user, approval, model",
    "batch_end": "batch_id, result (COMPLETE, STOPPED or ABORTED), why, batch_s, endpoint_at_s (from start), residual_solvent, insoluble",
    "command": "id, user, verb, args, expected_state, accepted, answer, row (of the mailbox)",
    "state": "from, to, cause",
    "phase": "index, kind, name, event (start or end), why",
    "alarm": "rule, event (of alarms.states.EVENTS), state (after), priority, effect, text, value, first_out, user, reason, by, until_s",
    "decision": "what, why and what it rests on",
    "forecast": "of the rest of the batch: batch_s (since the start, when made), progress (batch_s over the whole), all of image.Forecast",
    "pressure_rise": "at_s and result of a pressure-rise test, see image.PressureRise",
    "intent": "number, changes (output name -> [from, to]); written before the PLC is",
    "outcome": "number (of the intent), ok, after_s, why",
    "plc": "event (connected, lost, rebooted, refused), what was seen",
    "clock": "step_s: the wall clock was moved",
    "standing": "rows (of the interlock table that are active now, in its order), first_out, waits (for what); written on change",
    "bypass": "event (begin or end), rule, text, user, reason, from_s, until_s, by (who ended it; expired; restart)",
    "prooftest": "device, result (pass or fail), why, user, and of the test before a batch its findings: [check, ok, text]",
    "gap": "from_s, to_s, count, cause: samples that are missing",
    "checkpoint": "the scan's memory, from which a restart goes on",
    "sample": "one scan's inputs, estimate, set points and outputs (packed)",
}
VIRTUAL: Final = "virtual"  # the version in a boot entry that a simulator wrote, on virtual time and without an oven


class Entry(NamedTuple):
    """Something to be written. ``at_s`` is process time."""

    kind: str
    at_s: float
    payload: bytes


def entry(kind: str, at_s: float, fields: Mapping[str, object]) -> Entry:
    """Return an entry whose payload is ``fields`` as canonical JSON.

    Raises:
        ValueError: ``kind`` is not in ``KINDS``.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of journal entry")
    return Entry(kind, at_s, canonical(fields))


def canonical(fields: Mapping[str, object]) -> bytes:
    """Return ``fields`` as JSON in UTF-8 with sorted keys and no spaces; a number that is not finite becomes null."""
    try:
        text = _dumps(fields)
    except ValueError:  # a NaN or an infinity, which JSON does not know: no value
        text = _dumps(_finite(fields))
    return text.encode("utf-8", "replace")  # a lone surrogate in a person's text must not stop the core


class Stored(NamedTuple):
    """Something written: its place in the one sequence, the boot it belongs to, and the hash that chains it to its predecessor."""

    seq: int
    boot: int
    kind: str
    at_s: float
    wall_ns: int
    payload: bytes
    hash: bytes

    def fields(self) -> dict[str, Any]:
        """Return the payload of any kind but ``sample`` as a mapping; empty when it is not a JSON object."""
        try:
            found = json.loads(self.payload)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def _dumps(fields: object) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _finite(found: object) -> object:
    if isinstance(found, float):
        return found if math.isfinite(found) else None
    if isinstance(found, Mapping):
        return {key: _finite(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_finite(value) for value in found]
    return found
