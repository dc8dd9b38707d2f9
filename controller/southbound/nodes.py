"""What an OPC UA node shows, as a value with a quality; the engineering counterpart of decoding registers."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from controller.image import OWN_SIGNALS, SIGNALS, Inputs
from controller.southbound.driver import NOTHING_OWN
from controller.tags import Quality, Sample

_SEVERITY: Final = 0xC000_0000  # of an OPC UA status code: 0 good, 1 uncertain, 2 bad
_SUBCODE: Final = 0xFFFF_0000
# Part 8 and Part 4 of the specification: what says more than "do not use it".
_QUALITIES: Final = {
    0x8005_0000: Quality.BAD_WIRE,  # BadCommunicationError
    0x8031_0000: Quality.BAD_WIRE,  # BadNoCommunication
    0x8032_0000: Quality.BAD_WIRE,  # BadWaitingForInitialData
    0x8034_0000: Quality.BAD_WIRE,  # BadNodeIdUnknown
    0x803C_0000: Quality.BAD_RANGE,  # BadOutOfRange
    0x808A_0000: Quality.BAD_WIRE,  # BadNotConnected
    0x4090_0000: Quality.STALE,  # UncertainLastUsableValue
    0x4094_0000: Quality.BAD_RANGE,  # UncertainEngineeringUnitsExceeded
}


class Reading(NamedTuple):
    """A node's value, None unless the quality is GOOD."""

    value: float | None
    quality: Quality


ABSENT: Final = Reading(None, Quality.ABSENT)
NEVER: Final = Reading(None, Quality.BAD_WIRE)  # the server has told nothing of it yet
_WIRED: Final = tuple(name for name in SIGNALS if name not in OWN_SIGNALS)
_OWN: Final = tuple(NOTHING_OWN[name] for name in OWN_SIGNALS)
PLACES: Final = {name: place for place, name in enumerate(_WIRED)}  # where a signal's reading lies in an image
_TWO_VALUED: Final = frozenset(name for name, tag in SIGNALS.items() if tag.unit == "" and tag.high == 1)
_new: Final = tuple.__new__


def reading(name: str, value: object, status: int) -> Reading:
    """Return the checked reading of signal ``name``: ``value`` as the library decoded it, ``status`` the 32 bits of the status code.

    Uncertain counts as bad. A float NaN is an open or shorted sensor, a number outside the tag's range is BAD_RANGE, and what is no number
    (for a two-valued signal: no Boolean) has been wired wrongly: BAD_WIRE.
    """
    if status & _SEVERITY:
        return Reading(None, _QUALITIES.get(status & _SUBCODE, Quality.BAD_SENSOR))
    if name in _TWO_VALUED:
        return Reading(value, Quality.GOOD) if isinstance(value, bool) else NEVER
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NEVER
    if value != value:
        return Reading(None, Quality.BAD_SENSOR)
    tag = SIGNALS[name]
    return Reading(value, Quality.GOOD) if tag.low <= value <= tag.high else Reading(None, Quality.BAD_RANGE)


def blank(present: Sequence[str]) -> list[Reading]:
    """Return an image before the first notification: what is ``present`` has not been told yet, the rest is absent."""
    wired = frozenset(present)
    return [NEVER if name in wired else ABSENT for name in _WIRED]


def inputs(image: Sequence[Reading], at_s: float) -> Inputs:
    """Return ``image`` (by ``PLACES``) as Inputs of ``at_s``, without the core's own signals."""
    samples = [_new(Sample, (value, quality, at_s)) for value, quality in image]
    return _new(Inputs, (at_s, 0.0, *samples, *_OWN))
