"""A relay experiment on a loop, and what it says of the process: slope per unit of output, and effective delay.

An oven is close to an integrator with a delay: its wall's time constant is hours, the delay of elements and thermocouples a minute. An
open-loop step would run away or take half a day to settle; a relay with hysteresis keeps the PV within a few degrees of the set point and
makes the process swing where the loop will work (Åström & Hägglund, Automatica 20 (1984) 645). For an integrator with delay the limit cycle
has a closed form: between its extremes the PV moves in straight lines, each as long as the *other* half of the relay lasts, so that::

    fall = swing / low_s      rise = swing / high_s      slope = (rise + fall) / (high - low)
    swing = 2 hysteresis + (rise + fall) delay           balance = mean output

which holds for unequal halves too (heaters cannot cool) and needs no symmetric relay. The bias follows the balance from cycle to cycle, so
that the halves become equal. Proposals follow Skogestad's SIMC rules (J. Process Control 13 (2003) 291) for an integrator with delay.
"""

from math import pi, sqrt
from typing import Final, NamedTuple

FILTER_S: Final = 4.0  # of the PV in the experiment; noise must not look like swing
AGREE: Final = 0.2  # two cycles that differ by less in period and swing are a limit cycle
LEAST_CYCLES: Final = 3
MOST_CYCLES: Final = 8


class Cycle(NamedTuple):
    """One turn of the relay: its levels, how long each held, and how far each PV swung from top to bottom, degC."""

    low: float
    high: float
    low_s: float
    high_s: float
    swing_c: tuple[float, ...]


class Relay(NamedTuple):
    """The experiment as it stands. ``pv_c`` is filtered; ``top_c`` and ``bottom_c`` are its extremes in the present cycle."""

    sp_c: float
    amplitude: float
    hysteresis_c: float
    least: float  # lowest and highest output allowed
    most: float
    bias: float
    pv_c: tuple[float, ...] = ()
    top_c: tuple[float, ...] = ()
    bottom_c: tuple[float, ...] = ()
    on: bool = True
    half_s: float = 0.0
    high_s: float = 0.0  # length of the last half that was on; 0 before the first
    counting: bool = False  # from the first switch up on
    cycles: tuple[Cycle, ...] = ()

    @property
    def levels(self) -> tuple[float, float]:
        """Return the relay's two outputs, inside what is allowed."""
        return max(self.least, self.bias - self.amplitude), min(self.most, self.bias + self.amplitude)


class Found(NamedTuple):
    """What a limit cycle says of the process."""

    slope_c_per_s: float  # per unit of output
    delay_s: float
    balance: float  # output at which the PV stands still
    period_s: float
    swing_c: float  # from top to bottom
    ultimate_gain: float  # of the describing function, for other tuning rules


def step(relay: Relay, pv_c: tuple[float, ...], dt_s: float) -> tuple[Relay, float]:
    """Return the relay after this scan and its output. It switches on the mean of ``pv_c``."""
    share = dt_s / (FILTER_S + dt_s)
    seen = tuple(old + share * (new - old) for old, new in zip(relay.pv_c, pv_c, strict=True)) if relay.pv_c else pv_c
    top = tuple(map(max, relay.top_c or seen, seen))
    bottom = tuple(map(min, relay.bottom_c or seen, seen))
    relay = relay._replace(pv_c=seen, top_c=top, bottom_c=bottom, half_s=relay.half_s + dt_s)
    ahead_c = sum(seen) / len(seen) - relay.sp_c
    if relay.on and ahead_c >= relay.hysteresis_c:
        relay = relay._replace(on=False, high_s=relay.half_s, half_s=0.0)
    elif not relay.on and ahead_c <= -relay.hysteresis_c:
        relay = _turned(relay)
    low, high = relay.levels
    return relay, high if relay.on else low


def _turned(relay: Relay) -> Relay:
    """Return the relay switched up: a cycle is complete, and the bias follows the balance."""
    cycles, bias = relay.cycles, relay.bias
    if relay.counting:
        low, high = relay.levels
        swing = tuple(top - bottom for top, bottom in zip(relay.top_c, relay.bottom_c, strict=True))
        cycles = (*cycles, Cycle(low, high, relay.half_s, relay.high_s, swing))
        bias = (low * relay.half_s + high * relay.high_s) / (relay.half_s + relay.high_s)
    return relay._replace(
        on=True, half_s=0.0, counting=True, cycles=cycles, bias=bias, top_c=relay.pv_c, bottom_c=relay.pv_c,
    )  # fmt: skip


def settled(cycles: tuple[Cycle, ...]) -> bool:
    """Return whether the last two cycles agree."""
    if len(cycles) < LEAST_CYCLES:
        return False
    before, last = cycles[-2:]
    period_s, was_s = last.low_s + last.high_s, before.low_s + before.high_s
    swing_c, was_c = sum(last.swing_c), sum(before.swing_c)
    return abs(period_s - was_s) <= AGREE * was_s and abs(swing_c - was_c) <= AGREE * was_c


def identify(relay: Relay, which: int | None = None) -> Found:
    """Return what the last two cycles say, of PV ``which`` or of the mean of all.

    Raises:
        ValueError: the swing is no larger than the hysteresis: noise, not a process.
    """
    found = [_found(cycle, cycle.swing_c[which] if which is not None else sum(cycle.swing_c) / len(cycle.swing_c), relay.hysteresis_c)
             for cycle in relay.cycles[-2:]]  # fmt: skip
    return Found(*(sum(values) / len(found) for values in zip(*found, strict=True)))


def _found(cycle: Cycle, swing_c: float, hysteresis_c: float) -> Found:
    rise, fall = swing_c / cycle.high_s, swing_c / cycle.low_s
    beyond_c = swing_c - 2.0 * hysteresis_c
    if beyond_c <= 0.0:
        raise ValueError(f"the PV swung {swing_c:.2f} degC, no more than the hysteresis of 2 x {hysteresis_c:g} degC")
    period_s, span = cycle.low_s + cycle.high_s, cycle.high - cycle.low
    half_c = 0.5 * swing_c
    return Found(
        (rise + fall) / span, beyond_c / (rise + fall), (cycle.low * cycle.low_s + cycle.high * cycle.high_s) / period_s, period_s, swing_c,
        2.0 * span / (pi * sqrt(half_c * half_c - hysteresis_c * hysteresis_c)),
    )  # fmt: skip


def simc(slope_c_per_s: float, delay_s: float, closed_s: float) -> tuple[float, float]:
    """Return gain and integral time, s, for an integrator with delay and the wanted closed-loop time constant."""
    return 1.0 / (slope_c_per_s * (closed_s + delay_s)), 4.0 * (closed_s + delay_s)
