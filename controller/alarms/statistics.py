"""Figures of an alarm system after ISA-18.2, clause 16, and EEMUA 191: rates, floods, chattering, stale alarms, the most frequent ones.

Pure: from announcements (an alarm became active and was shown to people) and the times they stood. All times are process time, s.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from controller.alarms.states import Priority

WINDOW_S: Final = 600.0
FLOOD_ABOVE: Final = 10  # announcements within WINDOW_S
FLOOD_OVER_BELOW: Final = 5
CHATTER: Final = 3  # announcements of one alarm within CHATTER_S
CHATTER_S: Final = 60.0
STALE_S: Final = 86_400.0
TOP: Final = 10


class Stood(NamedTuple):
    """One time that an alarm stood: announced at ``raised_s``, gone at ``cleared_s`` (None: still active), seen at ``acknowledged_s``."""

    rule: str
    priority: Priority
    raised_s: float
    cleared_s: float | None = None
    acknowledged_s: float | None = None


class Flood(NamedTuple):
    """A time of more announcements than a person can follow; ``to_s`` is None while it goes on."""

    from_s: float
    to_s: float | None
    announced: int
    worst_in_window: int


class Statistics(NamedTuple):
    """The figures of one span of time."""

    from_s: float
    to_s: float
    announced: int
    per_10_min: float  # mean
    per_hour: float  # mean
    worst_10_min: int  # in any ten minutes, not only those of the clock
    windows_above: float  # share of the ten-minute slots with more than FLOOD_ABOVE
    floods: tuple[Flood, ...]
    chattering: tuple[tuple[str, int], ...]  # rule, most announcements within CHATTER_S
    stale: tuple[tuple[str, float], ...]  # rule, how long it has stood, s
    top: tuple[tuple[str, int, float], ...]  # rule, count, share
    by_priority: tuple[tuple[Priority, int, float], ...]
    to_acknowledge_s: float | None  # median


def statistics(stood: Sequence[Stood], from_s: float, to_s: float) -> Statistics:
    """Return the figures of the announcements from ``from_s`` to ``to_s``; entries of journal priority do not count."""
    shown = [one for one in stood if one.priority is not Priority.JOURNAL]
    within = [one for one in shown if from_s <= one.raised_s <= to_s]
    times_s = sorted(one.raised_s for one in within)
    span_s = max(to_s - from_s, WINDOW_S)
    counts = Counter(one.rule for one in within)
    slots = Counter(int((time_s - from_s) // WINDOW_S) for time_s in times_s)
    seen_s = sorted(one.acknowledged_s - one.raised_s for one in within if one.acknowledged_s is not None)
    priorities = Counter(one.priority for one in within)
    return Statistics(
        from_s=from_s,
        to_s=to_s,
        announced=len(within),
        per_10_min=len(within) * WINDOW_S / span_s,
        per_hour=len(within) * 3600.0 / span_s,
        worst_10_min=most_within(times_s, WINDOW_S),
        windows_above=sum(count > FLOOD_ABOVE for count in slots.values()) / max(1.0, span_s / WINDOW_S),
        floods=floods(times_s, to_s),
        chattering=_chattering(within),
        stale=_stale(shown, to_s),
        top=tuple((rule, count, count / len(within)) for rule, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:TOP]),
        by_priority=tuple((one, priorities[one], priorities[one] / max(1, len(within))) for one in reversed(Priority) if one in priorities),
        to_acknowledge_s=seen_s[len(seen_s) // 2] if seen_s else None,
    )


def most_within(times_s: Iterable[float], window_s: float) -> int:
    """Return the most of ``times_s`` (in order) that fall into any ``window_s``."""
    recent: deque[float] = deque()
    most = 0
    for time_s in times_s:
        recent.append(time_s)
        while time_s - recent[0] >= window_s:
            recent.popleft()
        most = max(most, len(recent))
    return most


def floods(times_s: Sequence[float], now_s: float) -> tuple[Flood, ...]:
    """Return the floods in ``times_s`` (in order): more than FLOOD_ABOVE in WINDOW_S, until there are fewer than FLOOD_OVER_BELOW."""
    found: list[Flood] = []
    recent: deque[float] = deque()
    current: Flood | None = None
    for time_s in [*times_s, None]:
        limit_s = now_s if time_s is None else time_s
        while recent and limit_s - recent[0] >= WINDOW_S:
            left_s = recent.popleft() + WINDOW_S
            if current is not None and len(recent) < FLOOD_OVER_BELOW:
                found.append(current._replace(to_s=left_s))
                current = None
        if time_s is None:
            break
        recent.append(time_s)
        if current is not None:
            current = current._replace(announced=current.announced + 1, worst_in_window=max(current.worst_in_window, len(recent)))
        elif len(recent) > FLOOD_ABOVE:
            current = Flood(recent[0], None, len(recent), len(recent))
    return tuple([*found, current] if current is not None else found)


def _chattering(within: Iterable[Stood]) -> tuple[tuple[str, int], ...]:
    times_s: dict[str, list[float]] = defaultdict(list)
    for one in within:
        times_s[one.rule].append(one.raised_s)
    most = {rule: most_within(sorted(found), CHATTER_S) for rule, found in times_s.items()}
    return tuple(sorted(((rule, count) for rule, count in most.items() if count >= CHATTER), key=lambda pair: (-pair[1], pair[0])))


def _stale(shown: Iterable[Stood], now_s: float) -> tuple[tuple[str, float], ...]:
    standing = [(one.rule, now_s - one.raised_s) for one in shown if one.cleared_s is None and now_s - one.raised_s > STALE_S]
    return tuple(sorted(standing, key=lambda pair: -pair[1]))
