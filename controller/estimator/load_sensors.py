"""What only time tells of the load's thermocouples: one that stands still, and all of them resting apart from the walls.

A roll follows its walls. While it is far from them it warms or cools, so that a distance that stays, with a roll that stands still, is
none: the load's thermocouples are wrong together, or the walls' are. An observer that is held against the readings every minute would
follow them for ever.
"""

from statistics import fmean, median
from typing import Final, NamedTuple

from controller.estimator.parameters import value

WINDOW_S: Final = 1800.0
GAP_S: Final = 300.0  # between two looks; after a longer one a window begins anew
STILL_K: Final = 0.6  # in a window, at the most, by a thermocouple that is stuck
MOVED_K: Final = 10.0  # in a window by both others
APART_K: Final = value("load_apart")
CLOSE_K: Final = 0.8 * APART_K  # below which what was apart is so no more
FOLLOWS_S: Final = 3600.0 * value("load_follow")
WINDOWS: Final = 2  # in a row in which the load must rest apart

Loads = tuple[float | None, float | None, float | None]  # K: outer, edge, core; None: not read, or not believed


class LoadWatch(NamedTuple):
    """The window that runs, and what the ones before it have told."""

    from_s: float = 0.0
    loads_k: Loads | None = None  # when it began
    below_ks: tuple[float, float, float] = (0.0, 0.0, 0.0)  # wall minus each thermocouple, integrated over the window, K s
    until_s: float = 0.0  # up to when
    stuck: tuple[bool, bool, bool] = (False, False, False)  # stood still while the others moved
    resting: int = 0  # windows in a row in which the load rested apart from the walls
    apart_k: float = 0.0  # by so much it does, wall minus load; 0: it does not


UNWATCHED: Final = LoadWatch()


def look(watch: LoadWatch, at_s: float, loads_k: Loads, wall_k: float | None, refused: tuple[int, int, int] = (0, 0, 0)) -> LoadWatch:
    """Return what is known after a look at the load's thermocouples; a window in which one came or went says nothing.

    Args:
        watch: what was known.
        at_s: process time.
        loads_k: what each thermocouple reads, K.
        wall_k: the walls' temperature, K; None without a reading.
        refused: above 0 for one that is not believed for another reason.
    """
    read = tuple(one is not None for one in loads_k)
    began = watch.loads_k
    in_time = 0.0 <= at_s - watch.until_s <= GAP_S
    if began is None or wall_k is None or not any(read) or read != tuple(one is not None for one in began) or not in_time:
        fresh = loads_k if wall_k is not None and any(read) else None
        return watch._replace(from_s=at_s, until_s=at_s, loads_k=fresh, below_ks=UNWATCHED.below_ks, resting=0)
    in_s = at_s - watch.until_s
    more_ks = [0.0 if one is None else in_s * (wall_k - one) for one in loads_k]
    below_ks = (watch.below_ks[0] + more_ks[0], watch.below_ks[1] + more_ks[1], watch.below_ks[2] + more_ks[2])
    if at_s - watch.from_s < WINDOW_S:
        return watch._replace(below_ks=below_ks, until_s=at_s)
    moved_k = [None if now is None or before is None else now - before for now, before in zip(loads_k, began, strict=True)]
    stuck = _stuck(watch.stuck, moved_k)
    window_s = at_s - watch.from_s
    told = [
        (below / window_s, moved)
        for below, moved, out, still in zip(below_ks, moved_k, refused, stuck, strict=True)
        if moved is not None and not out and not still
    ]
    resting, apart_k = _rests(watch, told, window_s) if told else (0, watch.apart_k)
    return LoadWatch(at_s, loads_k, UNWATCHED.below_ks, at_s, stuck, resting, apart_k)


def _rests(watch: LoadWatch, told: list[tuple[float, float]], in_s: float) -> tuple[int, float]:
    """Return in how many windows the load has rested apart, and by how much it does.

    ``told`` are, of each thermocouple that is believed, its mean distance below the walls and what it has moved, K. The middle one must
    say so too: a single one that lies is another matter. What was found stays until the load rests close to its walls: while they move,
    a distance says nothing.
    """
    below_k, middle_k, moved_k = fmean(k for k, _ in told), median(k for k, _ in told), fmean(k for _, k in told)
    side = 1.0 if below_k > 0.0 else -1.0
    if abs(below_k) < CLOSE_K:
        return 0, 0.0 if abs(moved_k) < CLOSE_K * in_s / FOLLOWS_S else watch.apart_k
    if min(side * below_k, side * middle_k) <= APART_K or side * moved_k > abs(below_k) * in_s / FOLLOWS_S:
        return 0, watch.apart_k
    resting = watch.resting + 1
    return resting, below_k if resting >= WINDOWS else watch.apart_k


def _stuck(was: tuple[bool, bool, bool], moved_k: list[float | None]) -> tuple[bool, bool, bool]:
    """Return which thermocouple stood still while both others moved, until it moves; with one that does not read, those that were."""
    moved = [abs(one) for one in moved_k if one is not None]
    if len(moved) < len(moved_k):
        return was
    still = [one < STILL_K for one in moved]
    others = [min(moved[:number] + moved[number + 1 :]) > MOVED_K for number in range(3)]
    stuck = [still[number] and (others[number] or was[number]) for number in range(3)]
    return stuck[0], stuck[1], stuck[2]
