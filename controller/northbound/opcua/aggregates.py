"""Processed history after Part 13: values of intervals from the journal's samples, and values between two samples.

A status code says where its value comes from (historian bits of Part 11): calculated, interpolated or raw; partial: a shorter interval.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from asyncua import ua

from controller.northbound.opcua.nodes import Kind, Variable
from controller.northbound.opcua.port import Point
from controller.northbound.opcua.space import of_column

_S: Final = ua.StatusCodes
_IDS: Final = ua.ObjectIds
_DATA_VALUE: Final = 0x0400  # info type: the lower bits are those of a data value
CALCULATED, INTERPOLATED, PARTIAL = _DATA_VALUE | 1, _DATA_VALUE | 2, _DATA_VALUE | 4
INTERPOLATIVE: Final = _IDS.AggregateFunction_Interpolative


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


REDUCE: Final[dict[int, Callable[[Sequence[float]], float]]] = {
    _IDS.AggregateFunction_Minimum: min,
    _IDS.AggregateFunction_Maximum: max,
    _IDS.AggregateFunction_Average: _mean,
    _IDS.AggregateFunction_Count: lambda values: float(len(values)),
    _IDS.AggregateFunction_Start: lambda values: values[0],
    _IDS.AggregateFunction_End: lambda values: values[-1],
}
SUPPORTED: Final = (INTERPOLATIVE, *REDUCE)


class Span(NamedTuple):
    """Intervals of ``step_ns`` from ``start`` to before ``end``, ns since 1970."""

    start: int
    end: int
    step_ns: int

    @property
    def intervals(self) -> int:
        """Return how many there are; the last one may be shorter."""
        return -(-(self.end - self.start) // self.step_ns)


def reduced(variable: Variable, points: Sequence[Point], span: Span, kind: int) -> list[ua.DataValue]:
    """Return one value an interval, at its start; an interval without good values is BadNoData, its count 0."""
    good: list[list[float]] = [[] for _ in range(span.intervals)]
    bad = [0] * span.intervals
    for point in points:
        at = (point.wall_ns - span.start) // span.step_ns
        if (value := _good(variable, point)) is None:
            bad[at] += 1
        else:
            good[at].append(value)
    counting = kind == _IDS.AggregateFunction_Count
    found = []
    for at, values in enumerate(good):
        time_ns = span.start + at * span.step_ns
        bits = CALCULATED | (PARTIAL if time_ns + span.step_ns > span.end else 0)
        code = (_S.Good if not bad[at] else _S.UncertainDataSubNormal) | bits
        if values or counting:
            result = ua.Variant(len(values), ua.VariantType.Int32) if counting else ua.Variant(REDUCE[kind](values), ua.VariantType.Double)
            found.append(_told(result, code, time_ns))
        else:
            found.append(_told(None, _S.BadNoData, time_ns))
    return found


def interpolated(variable: Variable, points: Sequence[Point], span: Span) -> list[ua.DataValue]:
    """Return the value at each interval's start, between the good samples around it: on a straight line, bits and words as they stood.

    ``points`` reach beyond both ends of ``span`` by one sample, where there is one. A bad sample between two good ones, and an end that is
    not followed by a good sample, make the value uncertain; before the first good sample there is none.
    """
    return at_times(variable, points, [span.start + at * span.step_ns for at in range(span.intervals)])


def at_times(variable: Variable, points: Sequence[Point], wanted: Sequence[int], simple: bool = False) -> list[ua.DataValue]:
    """Return the value at each of the times ``wanted``, ns, in their order, as ``interpolated`` does.

    ``simple`` takes the samples next to a time as bounds, good or not: beside a bad one there is no value.
    """
    known = [(point.wall_ns, value) for point in points if (value := _good(variable, point)) is not None]
    bad = [point.wall_ns for point in points if _good(variable, point) is None]
    times = [at for at, _ in known]
    return [
        _told(None, _S.BadNoData, at) if simple and _beside(bad, times, at) else _between(variable, known, times, bad, at) for at in wanted
    ]


def _beside(bad: Sequence[int], good: Sequence[int], at: int) -> bool:
    """Return whether the sample before (or at) a time, or the next one behind it, is bad."""
    before_bad, before_good = bisect_right(bad, at), bisect_right(good, at)
    if before_good and good[before_good - 1] == at:
        return False
    left = before_bad > 0 and (before_good == 0 or bad[before_bad - 1] > good[before_good - 1])
    right = before_bad < len(bad) and (before_good == len(good) or bad[before_bad] < good[before_good])
    return left or right


def _between(variable: Variable, known: list[tuple[int, float]], times: list[int], bad: list[int], at: int) -> ua.DataValue:
    place = bisect_right(times, at)
    if place == 0:
        return _told(None, _S.BadNoData, at)
    left_ns, left = known[place - 1]
    if left_ns == at:
        return _told(_typed(variable, left), _S.Good | _DATA_VALUE, at)
    if place == len(known):
        return _told(_typed(variable, left), _S.UncertainDataSubNormal | INTERPOLATED, at)
    right_ns, right = known[place]
    sloped = variable.kind is Kind.NUMBER
    value = left + (right - left) * (at - left_ns) / (right_ns - left_ns) if sloped else left
    gap = bisect_right(bad, right_ns) > bisect_right(bad, left_ns)
    return _told(_typed(variable, value), (_S.UncertainDataSubNormal if gap else _S.Good) | INTERPOLATED, at)


def _good(variable: Variable, point: Point) -> float | None:
    value, _ = of_column(variable, point.value, point.quality)
    return float(value) if isinstance(value, int | float) else None


def _typed(variable: Variable, value: float) -> ua.Variant:
    if variable.kind is Kind.BIT:
        return ua.Variant(bool(value), ua.VariantType.Boolean)
    return ua.Variant(int(value), ua.VariantType.UInt32) if variable.kind is Kind.WORD else ua.Variant(value, ua.VariantType.Double)


def _told(value: ua.Variant | None, code: int, at_ns: int) -> ua.DataValue:
    return ua.DataValue(value, ua.StatusCode(ua.UInt32(code)), datetime.fromtimestamp(at_ns / 1e9, UTC), datetime.now(UTC))
