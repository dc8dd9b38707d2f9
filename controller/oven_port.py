"""The oven as the OPC UA server sees it: the journal to read, the mailbox to ask; a connection per call, so that nothing is held open."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from controller.alarms.states import State
from controller.journal import alarms as told
from controller.journal import samples
from controller.journal.entry import Stored
from controller.journal.mailbox import post
from controller.journal.reader import JournalReader
from controller.northbound.opcua.port import AlarmNews, Answer, News, Point, Seen, Waiting
from controller.roles import Role
from controller.tags import Quality

LATEST: Final = ("boot", "state", "phase", "standing", "batch_start", "batch_end", "forecast")  # kinds of which the newest counts
_PAGE: Final = 1000
_MOST_ALARMS: Final = 200
_NOT_MEASURED: Final = Quality.GOOD


class JournalOven:
    """Reads the journal and posts to the mailbox. Keeps only the columns of the boots it has met."""

    def __init__(self, journal: Path, mailbox: Path | str) -> None:
        """Remember both files; they need not exist yet."""
        self._journal = journal
        self._mailbox = mailbox
        self._columns: dict[int, tuple[str, ...]] = {}

    def news(self, after_seq: int) -> News:
        """Return what followed ``after_seq``; all that stands now with 0. Raises JournalError."""
        with JournalReader(self._journal) as reader:
            last_seq = reader.last_seq()
            if last_seq <= after_seq:
                return News(last_seq, None, {}, ())
            found = {kind: stored for kind in LATEST if (stored := reader.last(kind)) is not None and stored.seq > after_seq}
            sample = reader.last("sample")
            seen = self._seen(reader, sample) if sample is not None and sample.seq > after_seq else None
            if after_seq == 0:
                alarms = [_standing(one, sample.wall_ns if sample else 0, sample.at_s if sample else 0.0) for one in told.standing(reader)]
            else:
                entries = reader.after(after_seq, _MOST_ALARMS, ("alarm",))
                alarms = [_alarm(stored) for stored in entries]
                if len(entries) == _MOST_ALARMS:  # the rest comes with the next call
                    last_seq = entries[-1].seq
            decided = [(stored.seq, stored.fields()) for stored in reader.between(after_seq + 1, last_seq, ("decision",))]
            latest = {kind: stored.fields() for kind, stored in found.items()}
            return News(last_seq, seen, latest, tuple(alarms), _waiting(decided), _retired(decided))

    def history(self, columns: Sequence[str], from_ns: int, to_ns: int, after_seq: int, limit: int) -> Mapping[str, list[Point]]:
        """Return per column at most ``limit`` samples with from <= time < to behind ``after_seq``, oldest first. Raises JournalError."""
        points: dict[str, list[Point]] = {column: [] for column in columns}
        with JournalReader(self._journal) as reader:
            seq = after_seq or self._first(reader, lambda stored: stored.wall_ns >= from_ns) - 1
            while limit > 0 and (page := reader.after(seq, min(_PAGE, limit), ("sample",))):
                for stored in page:
                    if stored.wall_ns >= to_ns:
                        return points
                    self._append(reader, stored, points)
                limit -= len(page)
                seq = page[-1].seq
        return points

    def before(self, columns: Sequence[str], from_ns: int, to_ns: int, before_seq: int, limit: int) -> Mapping[str, list[Point]]:
        """Return the same backwards: samples with from < time <= to in front of ``before_seq`` (0: the end), newest first."""
        points: dict[str, list[Point]] = {column: [] for column in columns}
        with JournalReader(self._journal) as reader:
            end = before_seq or self._first(reader, lambda stored: stored.wall_ns > to_ns)
            while limit > 0 and end > 1:
                begin = max(1, end - _PAGE)
                window = [stored for stored in reader.after(begin - 1, end - begin) if stored.kind == "sample" and stored.seq < end]
                for stored in reversed(window):
                    if stored.wall_ns <= from_ns or limit <= 0:
                        return points
                    self._append(reader, stored, points)
                    limit -= 1
                end = begin
        return points

    def ask(self, user: str, role: Role, verb: str, args: Mapping[str, object], expected_state: str | None) -> str:
        """Post a command and return its id. Raises MailboxError."""
        return post(self._mailbox, user, verb, args, expected_state, role=role.name.lower())

    def answer(self, command_id: str) -> Answer | None:
        """Return the core's answer; None while there is none. Raises JournalError."""
        with JournalReader(self._journal) as reader:
            found = reader.outcome_of(command_id)
        return None if found is None else Answer(found.accepted, found.text)

    def _seen(self, reader: JournalReader, stored: Stored) -> Seen | None:
        columns = self._of_boot(reader, stored.boot)
        if columns is None:
            return None
        values, qualities = samples.unpack(stored.payload, columns), samples.unpack_qualities(stored.payload, columns)
        return Seen(stored.seq, stored.at_s, stored.wall_ns, values, qualities)

    def _append(self, reader: JournalReader, stored: Stored, points: dict[str, list[Point]]) -> None:
        seen = self._seen(reader, stored)
        if seen is None:
            return
        for column, found in points.items():
            if column in seen.values:
                value, quality = seen.values[column], seen.qualities.get(column, _NOT_MEASURED)
                known = value == value and quality is Quality.GOOD
                found.append(Point(stored.seq, stored.wall_ns, value if known else None, quality))

    def _of_boot(self, reader: JournalReader, boot: int) -> tuple[str, ...] | None:
        if boot not in self._columns and (columns := reader.columns(boot)) is not None:
            self._columns[boot] = columns
        return self._columns.get(boot)

    @staticmethod
    def _first(reader: JournalReader, reached: Callable[[Stored], bool]) -> int:
        """Return the number of the first entry that has ``reached``, one behind the last when none has; times grow with the numbers."""
        low, high = 1, reader.last_seq() + 1
        while low < high:
            middle = (low + high) // 2
            page = reader.after(middle - 1, 1)
            if not page or reached(page[0]):
                high = middle
            else:
                low = middle + 1
        return low


_Decided = Iterable[tuple[int, Mapping[str, Any]]]  # number of the entry, content


def _waiting(decided: _Decided) -> Waiting | None:
    """Return the newest word of a delayed start."""
    found = None
    for seq, fields in decided:
        if str(fields.get("what", "")).startswith("delayed start"):
            found = Waiting(seq, str(fields["what"]).endswith("armed"), str(fields.get("why", "")))
    return found


def _retired(decided: _Decided) -> frozenset[tuple[str, int]]:
    return frozenset((str(fields["recipe"]), int(fields["revision"])) for _, fields in decided if fields.get("what") == "recipe retired")


def _alarm(stored: Stored) -> AlarmNews:
    fields: dict[str, Any] = stored.fields()
    return AlarmNews(
        str(fields.get("rule", "")), told.state_after(fields), str(fields.get("priority", "")), str(fields.get("effect", "")),
        str(fields.get("text", "")), str(fields.get("event", "")), str(fields.get("user") or ""), str(fields.get("reason") or ""),
        fields.get("first_out") is True, stored.wall_ns, _left(fields.get("until_s"), stored.at_s),
    )  # fmt: skip


def _standing(one: told.Listed, wall_ns: int, at_s: float) -> AlarmNews:
    return AlarmNews(one.rule, State(one.state), one.priority, one.effect, one.text, "stands", one.user, one.reason, one.first_out, wall_ns,
                     _left(one.until_s, at_s))  # fmt: skip


def _left(until_s: float | None, at_s: float) -> float:
    return 0.0 if until_s is None else max(0.0, until_s - at_s)
