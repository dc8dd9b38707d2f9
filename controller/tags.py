"""What a signal is: its tag (name, unit, range, staleness) and one sample of it (value, quality, time)."""

from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

T_co = TypeVar("T_co", bool, int, float, covariant=True)


class Quality(IntEnum):
    """Why a sample may or may not be used; everything but GOOD carries no value."""

    GOOD = 0
    STALE = 1  # too old
    BAD_WIRE = 2  # the PLC could not be read
    BAD_SENSOR = 3  # the PLC says that the sensor is open or shorted (NaN)
    BAD_RANGE = 4  # outside the tag's range
    ABSENT = 5  # this oven does not have it


class Sample(NamedTuple, Generic[T_co]):
    """One reading. ``value`` is None unless the quality is GOOD, so that a bad one cannot reach a sum.

    A NamedTuple and not a dataclass: about ninety are made in every scan.
    """

    value: T_co | None
    quality: Quality
    at_s: float


class Tag(NamedTuple):
    """A signal's identity. ``stale_s`` is the age from which its value is not used any more."""

    name: str
    unit: str
    low: float
    high: float
    text: str
    stale_s: float = 3.0


def bit(name: str, text: str) -> Tag:
    """Return the tag of a two-valued signal; ``text`` says what true means."""
    return Tag(name, "", 0, 1, text)


def word(name: str, text: str) -> Tag:
    """Return the tag of a counter, code or identity word."""
    return Tag(name, "", 0, 0xFFFF_FFFF, text)
