"""What the journal holds: one sequence of entries, of the kinds listed here."""

from typing import Final, NamedTuple

# kind -> what its payload says. All payloads are canonical JSON objects but that of ``sample``, which is packed (see ``samples``).
KINDS: Final[dict[str, str]] = {
    "boot": "the core started: boot (number), version, rate, outage_s, config_sha256, columns (of the samples that follow)",
    "shutdown": "the core stopped on purpose: why",
    "batch_start": "batch_id, recipe (text as run), recipe_id, revision, recipe_sha256, load (record), user",
    "batch_end": "batch_id, result (COMPLETE, STOPPED or ABORTED), why, batch_s, endpoint_at_s, estimate at the end",
    "command": "id, user, verb, args, expected_state, accepted, answer, row (of the mailbox)",
    "state": "from, to, cause",
    "phase": "index, kind, name, event (start or end), why",
    "alarm": "rule, event (raise, clear or ack), effect, text, value, first_out, user",
    "decision": "what, why and what it rests on",
    "intent": "number, changes (output name -> [from, to]); written before the PLC is",
    "outcome": "number (of the intent), ok, after_s, why",
    "plc": "event (connected, lost, rebooted, refused), what was seen",
    "clock": "step_s: the wall clock was moved",
    "gap": "from_s, to_s, count, cause: samples that are missing",
    "checkpoint": "the scan's memory, from which a restart goes on",
    "sample": "one scan's inputs, estimate, set points and outputs (packed)",
}


class Entry(NamedTuple):
    """Something to be written. ``at_s`` is process time."""

    kind: str
    at_s: float
    payload: bytes


class Stored(NamedTuple):
    """Something written: its place in the one sequence, the boot it belongs to, and the hash that chains it to its predecessor."""

    seq: int
    boot: int
    kind: str
    at_s: float
    wall_ns: int
    payload: bytes
    hash: bytes
