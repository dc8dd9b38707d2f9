"""What the server knows of the oven: a protocol, so that it depends neither on the journal's nor on the mailbox's file."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from controller.alarms.states import State
from controller.roles import Role
from controller.tags import Quality


class Seen(NamedTuple):
    """One sample: values and qualities by journal column, NaN where there is no value."""

    seq: int
    at_s: float
    wall_ns: int
    values: Mapping[str, float]
    qualities: Mapping[str, Quality]


class AlarmNews(NamedTuple):
    """How an alarm stands after one entry of the journal."""

    rule: str
    state: State
    priority: str
    effect: str
    text: str
    event: str
    user: str
    reason: str
    first_out: bool
    wall_ns: int
    shelf_s: float = 0.0  # for which it was left on the shelf at that time, s


class Waiting(NamedTuple):
    """What was last decided of a start at a later time: it was armed, or (``armed`` is False) it was cancelled or has begun."""

    seq: int
    armed: bool
    why: str


class News(NamedTuple):
    """What the journal has got since ``seq`` was smaller: the newest sample, the newest of other kinds by kind, alarms in order."""

    seq: int
    sample: Seen | None
    latest: Mapping[str, Mapping[str, Any]]
    alarms: tuple[AlarmNews, ...]
    waiting: Waiting | None = None
    retired: frozenset[tuple[str, int]] = frozenset()  # recipes and revisions that the core has taken for retired


class Point(NamedTuple):
    """One value of the history; None with the quality that took its place."""

    seq: int
    wall_ns: int
    value: float | None
    quality: Quality


class Answer(NamedTuple):
    """What the core said to a command."""

    accepted: bool
    text: str


class Oven(Protocol):
    """The oven as the gateway sees it. Every call may block on the disk and is made on a thread."""

    def news(self, after_seq: int) -> News:
        """Return what followed ``after_seq``; all that stands now with 0. Raises JournalError."""

    def history(self, columns: Sequence[str], from_ns: int, to_ns: int, after_seq: int, limit: int) -> Mapping[str, list[Point]]:
        """Return per column at most ``limit`` samples with from <= time < to behind ``after_seq``, oldest first. Raises JournalError."""

    def before(self, columns: Sequence[str], from_ns: int, to_ns: int, before_seq: int, limit: int) -> Mapping[str, list[Point]]:
        """Return the same backwards: samples with from < time <= to in front of ``before_seq`` (0: the end), newest first."""

    def ask(self, user: str, role: Role, verb: str, args: Mapping[str, object], expected_state: str | None) -> str:
        """Post a command and return its id. Raises MailboxError."""

    def answer(self, command_id: str) -> Answer | None:
        """Return the core's answer; None while there is none. Raises JournalError."""
