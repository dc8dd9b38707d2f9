"""Time is a value: this is the only module that reads a clock.

Process time (``at_s``) counts seconds of the process and never runs backwards, not even over a restart. On a real oven it
advances with the monotonic clock; ``rate`` > 1 makes a rehearsal against a soft PLC run faster, and then every timing constant, which is
given in process time, shrinks with it on the wall.
"""

import asyncio
import time


class Clock:
    """Process time derived from the monotonic clock.

    Args:
        start_s: process time now, s.
        rate: process seconds per wall second, > 0; 1 on a real oven.
    """

    def __init__(self, start_s: float = 0.0, rate: float = 1.0) -> None:
        """Start counting from ``start_s`` now."""
        self.rate = rate
        self._start_s = start_s
        self._origin_s = time.monotonic()
        self._wall_offset_ns = time.time_ns() - time.monotonic_ns()

    def now_s(self) -> float:
        """Return process time, s."""
        return self._start_s + (time.monotonic() - self._origin_s) * self.rate

    async def until(self, at_s: float) -> None:
        """Sleep until process time ``at_s``; return at once when it has passed."""
        await asyncio.sleep(max(0.0, (at_s - self.now_s()) / self.rate))

    def step_s(self) -> float:
        """Return how far the wall clock was moved since the last call, s; drift below 1 ms/s counts too, and is small."""
        offset_ns = time.time_ns() - time.monotonic_ns()
        moved_s = (offset_ns - self._wall_offset_ns) / 1e9
        self._wall_offset_ns = offset_ns
        return moved_s


def wall_ns() -> int:
    """Return the wall clock, ns since the Unix epoch (UTC)."""
    return time.time_ns()


def wall_s(timeout_s: float = 0.0) -> float:
    """Return the monotonic clock, s, plus ``timeout_s``: a deadline on the wall for something outside."""
    return time.monotonic() + timeout_s


def pause(seconds: float) -> None:
    """Wait on the wall; for the command line only, never in a process with a loop."""
    time.sleep(seconds)
