"""What is published over MQTT: one table of topics, the messages made from journal entries, and the document printed from the table."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol

from controller.alarms.states import EVENTS
from controller.interlocks.table import RULES
from controller.tags import Quality

NOT_PUBLISHED: Final = frozenset({"checkpoint"})  # of use to the core only


class Entry(Protocol):
    """A journal entry as stored."""

    @property
    def seq(self) -> int:
        """Return its place in the one sequence."""

    @property
    def boot(self) -> int:
        """Return the start number of the core that wrote it."""

    @property
    def kind(self) -> str:
        """Return its kind; a ``sample`` is packed, every other payload is a JSON object."""

    @property
    def at_s(self) -> float:
        """Return its process time, s."""

    @property
    def wall_ns(self) -> int:
        """Return its wall clock, ns since 1970 UTC."""

    @property
    def payload(self) -> bytes:
        """Return what it says."""

    @property
    def hash(self) -> bytes:
        """Return its link of the chain."""

    def fields(self) -> Mapping[str, object]:
        """Return the payload of any kind but ``sample``."""


class SampleView(NamedTuple):
    """A sample, unpacked: ``tags`` gives value (None unless GOOD) and quality by signal, ``estimate`` what was concluded and wanted."""

    tags: Mapping[str, tuple[float | None, str]]
    estimate: Mapping[str, float | None]


class Message(NamedTuple):
    """One thing to publish, always at QoS 1. ``topic`` is what follows the oven's own levels."""

    topic: str
    payload: bytes
    retain: bool


class Topic(NamedTuple):
    """A row of the table: the last level, whether the broker keeps the last message, the journal kinds it carries, its own keys."""

    name: str
    retain: bool
    kinds: tuple[str, ...]
    keys: str
    text: str


TOPICS: Final = (
    Topic("status", True, (), "`online`, `version`", "the gateway's birth (`online` true) or, as last will or on leaving, its death"),
    Topic("state", True, ("state",), "`entry`", "the unit changed its state: `from`, `to`, `cause`"),
    Topic("phase", False, ("phase",), "`entry`", "a phase of the recipe started or ended"),
    Topic("alarm", False, ("alarm",), "`entry`", "the stream of alarm events: `rule`, `event`, `state` after it, `priority`, who and why"),
    Topic("alarm/<rule>", True, ("alarm",), "`entry`", "the same entry per alarm: the last one says how it stands (`state`)"),
    Topic("bypass/<rule>", True, ("bypass",), "`entry`", "a bypass of a row began or ended (`event`): who, why, until when"),
    Topic("estimate", False, ("sample",), "`estimate`", "what the controller believes of the product, and what it wants; null: not known"),
    Topic("tags", False, ("sample",), "`tags`", "signal -> [value, quality]; the value is null unless the quality is GOOD"),
    Topic(
        "event",
        False,
        (
            *("boot", "shutdown", "batch_start", "batch_end", "command", "decision", "forecast", "pressure_rise", "intent", "outcome"),
            *("plc", "clock", "gap", "standing", "bypass", "prooftest"),
        ),
        "`entry`",
        "everything else that the journal holds",
    ),
)  # fmt: skip
RETAINED: Final = {topic.name: topic.retain for topic in TOPICS}
RETAINED_KINDS: Final = tuple(dict.fromkeys(kind for topic in TOPICS if topic.retain for kind in topic.kinds))
_PER_RULE: Final = {kind: topic.name for topic in TOPICS if topic.name.endswith("/<rule>") for kind in topic.kinds}
_RULE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")  # what may stand as one level of a topic
_TOPIC_OF: Final = {kind: topic.name for topic in TOPICS for kind in topic.kinds if kind != "sample" and not topic.name.endswith("/<rule>")}


def split(values: Mapping[str, float], qualities: Mapping[str, Quality]) -> SampleView:
    """Return a sample's columns as a view: what has a quality was measured, the rest was concluded. NaN is no value."""
    tags = {name: (_value(values[name]) if quality == Quality.GOOD else None, quality.name) for name, quality in qualities.items()}
    return SampleView(tags, {name: _value(value) for name, value in values.items() if name not in qualities})


def messages(entry: Entry, unpack: Callable[[Entry], SampleView], *, with_samples: bool) -> Iterator[Message]:
    """Yield what ``entry`` gives to publish: nothing, one message, or two for an alarm, a bypass or a sample (if ``with_samples``).

    ``unpack`` raises ValueError for a sample that it cannot read.
    """
    if entry.kind == "sample":
        if with_samples:
            yield from _sample(entry, unpack)
    elif entry.kind not in NOT_PUBLISHED:
        fields = entry.fields()
        yield _message(_TOPIC_OF.get(entry.kind, "event"), entry, {"entry": fields})
        rule = fields.get("rule")
        stands = "state" in fields or entry.kind == "bypass"  # alarms of older releases do not say how they stand
        if entry.kind in _PER_RULE and stands and isinstance(rule, str) and _RULE_ID.fullmatch(rule):
            yield _message(_PER_RULE[entry.kind], entry, {"entry": fields}, rule)


def cleared() -> Iterator[Message]:
    """Yield what empties the retained topics that come from a journal, of every rule there is."""
    for topic in TOPICS:
        if topic.retain and topic.kinds:
            for rule in [row.id for row in RULES] if topic.name in _PER_RULE.values() else [""]:
                yield Message(topic.name.replace("<rule>", rule), b"", RETAINED[topic.name])


def status(*, online: bool, version: str, boot: int, seq: int, at_s: float, wall_ns: int) -> Message:
    """Return the birth (``online``) or death message; ``boot``, ``seq`` and ``at_s`` are those of the last entry delivered before."""
    stamp = {"boot": boot, "seq": seq, "at_s": at_s, "wall_ns": wall_ns, "kind": "status"}
    return Message("status", _json(stamp | {"online": online, "version": version}), RETAINED["status"])


def document() -> str:
    """Return ``deploy/MQTT.md``."""
    rows = [
        f"| `{topic.name}` | {'yes' if topic.retain else 'no'} | {', '.join(topic.kinds) or '-'} | {topic.keys} | {topic.text} |"
        for topic in TOPICS
    ]
    return _DOCUMENT.replace("{rows}", "\n".join(rows)).replace("{kept}", ", ".join(sorted(NOT_PUBLISHED))).replace("{events}", _EVENTS)


def _sample(entry: Entry, unpack: Callable[[Entry], SampleView]) -> Iterator[Message]:
    try:
        view = unpack(entry)
    except ValueError as error:  # of another version: one such entry must not hold up all that follow
        yield _message("event", entry, {"entry": {"unreadable": str(error)}})
    else:
        yield _message("tags", entry, {"tags": view.tags})
        yield _message("estimate", entry, {"estimate": view.estimate})


def _message(topic: str, entry: Entry, own: dict[str, object], rule: str = "") -> Message:
    stamp: dict[str, object] = {"boot": entry.boot, "seq": entry.seq, "at_s": entry.at_s, "wall_ns": entry.wall_ns, "kind": entry.kind}
    return Message(topic.replace("<rule>", rule), _json(stamp | own), RETAINED[topic])


def _value(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _json(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


_EVENTS: Final = ", ".join(EVENTS)
_DOCUMENT: Final = """\
# MQTT topics

Printed from `controller/northbound/topics.py`; a test fails when this file is older than the table.

The gateway publishes below `ovenctl/<site>/<oven>/`, everything at QoS 1, and **subscribes to nothing**: no message, retained or not, can
reach the oven over MQTT. Losing the broker has no effect on a batch.

| topic | retained | journal kinds | own keys | says |
|---|---|---|---|---|
{rows}

`state` of an alarm is NORMAL, UNACK, ACK, RETURNED_UNACK, LATCHED_UNACK, LATCHED_ACK, UNCONFIRMED, SHELVED, SUPPRESSED or
OUT_OF_SERVICE; `event` is one of {events}. What each alarm is and what to do about it stands in `ALARMS.md`.

Every message is one JSON object and carries, besides its own keys:

| key | meaning |
|---|---|
| `boot` | start number of the core that wrote the entry |
| `seq` | number of the entry in the journal; grows, with holes where an entry is not published |
| `at_s` | process time, s |
| `wall_ns` | wall clock, ns since 1970 UTC: a 64-bit integer, more than a double holds |
| `kind` | kind of the journal entry, or `status` |
| `entry` | the entry's payload, as the journal holds it |

**Delivery** is at least once and in order. The gateway moves its cursor only when the broker has acknowledged; after an outage of either
it goes on behind the cursor, so that a message may come twice. (topic, `boot`, `seq`) names it: drop what you have seen.

**Retained topics** come anew on every connection, as they stand at the cursor: `state`, and `alarm/<rule>` and `bypass/<rule>` of every
rule that the journal has an entry of, ended ones too (`entry.state` NORMAL, `entry.event` end). So a broker that acknowledged and then
lost what it had not saved is right again; who is subscribed sees these topics again with the same `seq`. The stream (`alarm`, `event` and
the others that are not retained) is not told again. Where the cursor begins, with a new journal, the gateway first empties these topics,
of every rule there is (a retained message of 0 bytes, the only ones that are no JSON): nothing of another journal stays.

`boot`, `seq` and `at_s` of a `status` are those of the last entry delivered when the gateway connected; the last will was written at that
moment too, so that its `wall_ns` is the time of connecting and not of dying. While the journal cannot be read the gateway is
not online.

`tags` and `estimate` come at most once per `sample_every_s` of process time (1 s); 0 gives every scan. The journal holds them all. A sample
that this version cannot read comes as an `event` with `entry.unreadable`.
Not published: {kept}.

A broker that speaks MQTT 3.1.1 acknowledges even what its access list then drops: after a change of the list, look with a subscriber.
"""
