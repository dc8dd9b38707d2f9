"""HistoryRead over the journal's samples: raw values page by page, values at given times and of intervals (``aggregates``).

A continuation point holds the place itself and is signed with a key of this process, so that the server keeps nothing for a client.
"""

import asyncio
import hashlib
import hmac
import math
import secrets
import struct
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import ua

from controller.errors import JournalError
from controller.northbound.opcua import aggregates
from controller.northbound.opcua.nodes import BY_ID, Variable
from controller.northbound.opcua.port import Oven, Point
from controller.northbound.opcua.session import GuardedSession
from controller.northbound.opcua.space import of_column

PAGE: Final = 1000  # values of one node in one answer
MOST_INTERVALS: Final = 1000
MOST_SAMPLES: Final = 100_000  # that an aggregate looks at
_S: Final = ua.StatusCodes
_FAR_NS: Final = 2**62
_PLACE: Final = struct.Struct("<q?")


class History:
    """Answers HistoryRead."""

    def __init__(self, oven: Oven) -> None:
        """Remember where the history comes from."""
        self._oven = oven
        self._secret = secrets.token_bytes(32)
        self._at_once = asyncio.Semaphore(2)

    async def read(self, session: GuardedSession, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        """Return one result a node, at most ``PAGE`` values each."""
        details, results = params.HistoryReadDetails, []
        for place, wanted in enumerate(params.NodesToRead):
            result = ua.HistoryReadResult()
            try:
                if not params.ReleaseContinuationPoints:
                    async with self._at_once:
                        await self._one(details, wanted, place, result)
            except _Fault as fault:
                result.StatusCode = ua.StatusCode(fault.code)
            except JournalError:
                result.StatusCode = ua.StatusCode(_S.BadResourceUnavailable)
            results.append(result)
            await asyncio.sleep(0)
        return results

    async def _one(self, details: Any, wanted: ua.HistoryReadValueId, place: int, result: ua.HistoryReadResult) -> None:
        variable = BY_ID.get(str(wanted.NodeId.Identifier)) if wanted.NodeId.NamespaceIndex == 2 else None
        if variable is None or not variable.has_history:
            raise _Fault(_S.BadHistoryOperationUnsupported)
        if wanted.IndexRange:
            raise _Fault(_S.BadIndexRangeInvalid)
        if isinstance(details, ua.ReadRawModifiedDetails) and not details.IsReadModified:
            await self._raw(details, wanted, variable, result)
        elif isinstance(details, ua.ReadProcessedDetails):
            await self._processed(details, variable, place, result)
        elif isinstance(details, ua.ReadAtTimeDetails):
            await self._at_times(details, variable, result)
        else:
            raise _Fault(_S.BadHistoryOperationUnsupported)

    async def _at_times(self, details: Any, variable: Variable, result: ua.HistoryReadResult) -> None:
        times = [_ns(time) for time in details.ReqTimes or []]
        if len(times) > PAGE:
            raise _Fault(_S.BadTooManyOperations)
        if not times or any(at is None for at in times):
            raise _Fault(_S.BadInvalidTimestampArgument)
        wanted = [at for at in times if at is not None]
        start, end = min(wanted), max(wanted) + 1
        points = await asyncio.to_thread(self._some, variable.column, start, end)
        points = await asyncio.to_thread(self._around, variable.column, points, start, end)
        result.HistoryData = ua.HistoryData(DataValues=aggregates.at_times(variable, points, wanted, details.UseSimpleBounds))

    async def _raw(self, details: Any, wanted: ua.HistoryReadValueId, variable: Variable, result: ua.HistoryReadResult) -> None:
        start, end = _ns(details.StartTime), _ns(details.EndTime)
        most = min(details.NumValuesPerNode or PAGE, PAGE)
        if (start is None and end is None) or ((start is None or end is None) and not details.NumValuesPerNode):
            raise _Fault(_S.BadInvalidTimestampArgument)
        backwards = start is None or (end is not None and end < start)
        salt = repr((variable.id, start, end)).encode()
        seq = 0
        values: list[ua.DataValue] = []
        bounded = details.ReturnBounds and start is not None and end is not None
        if wanted.ContinuationPoint:
            seq, backwards = self._opened(bytes(wanted.ContinuationPoint), salt)
        elif bounded and start is not None:
            values = await asyncio.to_thread(self._bound, variable, start, backwards, True)
        room = most - len(values)
        if backwards:
            low, high = end if start is not None else 0, start if start is not None else end
            found = await asyncio.to_thread(self._oven.before, (variable.column,), (low or 0) - 1, high or _FAR_NS, seq, room + 1)
        else:
            found = await asyncio.to_thread(self._oven.history, (variable.column,), start or 0, end or _FAR_NS, seq, room + 1)
        points = found[variable.column]
        values += [_value(variable, point) for point in points[:room]]
        more = len(points) > room
        if bounded and end is not None and not more:
            last = await asyncio.to_thread(self._bound, variable, end, not backwards, backwards)
            more = len(values) + len(last) > most
            values += [] if more else last
        result.HistoryData = ua.HistoryData(DataValues=values)
        if more:
            result.ContinuationPoint = self._sealed(points[:room][-1].seq if points[:room] else seq, backwards, salt)
        if not values:
            result.StatusCode = ua.StatusCode(_S.GoodNoData)

    def _bound(self, variable: Variable, at: int, later: bool, told: bool) -> list[ua.DataValue]:
        """Return the sample behind ``at``, ns, or in front of it; none when one lies just there and is ``told`` as a value anyway."""
        column = (variable.column,)
        if told and self._oven.history(column, at, at + 1, 0, 1)[variable.column]:
            return []
        found = self._oven.history(column, at, _FAR_NS, 0, 1) if later else self._oven.before(column, -1, at - 1, 0, 1)
        if points := found[variable.column]:
            return [_value(variable, points[0])]
        time = datetime.fromtimestamp(at / 1e9, UTC)
        return [ua.DataValue(None, ua.StatusCode(_S.BadBoundNotFound), time, time)]

    async def _processed(self, details: Any, variable: Variable, place: int, result: ua.HistoryReadResult) -> None:
        start, end, step_ms = _ns(details.StartTime), _ns(details.EndTime), details.ProcessingInterval
        kinds = details.AggregateType or []
        if place >= len(kinds):
            raise _Fault(_S.BadAggregateListMismatch)
        kind = kinds[place].Identifier if kinds[place].NamespaceIndex == 0 else 0
        if kind not in aggregates.SUPPORTED:
            raise _Fault(_S.BadAggregateNotSupported)
        if start is None or end is None or end <= start or not math.isfinite(step_ms) or step_ms < 0:
            raise _Fault(_S.BadInvalidTimestampArgument)
        span = aggregates.Span(start, end, int(step_ms * 1e6) or end - start)
        if span.intervals > MOST_INTERVALS:
            raise _Fault(_S.BadTooManyOperations)
        points = await asyncio.to_thread(self._some, variable.column, start, end)
        if kind == aggregates.INTERPOLATIVE:
            points = await asyncio.to_thread(self._around, variable.column, points, start, end)
            values = aggregates.interpolated(variable, points, span)
        else:
            values = aggregates.reduced(variable, points, span, kind)
        result.HistoryData = ua.HistoryData(DataValues=values)

    def _around(self, column: str, points: list[Point], start: int, end: int) -> list[Point]:
        """Return ``points`` with the last sample before them and the first one behind."""
        before = self._oven.before((column,), -1, start - 1, 0, 1)[column]
        after = self._oven.history((column,), end, _FAR_NS, 0, 1)[column]
        return [*before, *points, *after]

    def _some(self, column: str, start: int, end: int) -> list[Point]:
        found: list[Point] = []
        seq = 0
        while page := self._oven.history((column,), start, end, seq, PAGE)[column]:
            found += page
            seq = page[-1].seq
            if len(found) > MOST_SAMPLES:
                raise _Fault(_S.BadTooManyOperations)
        return found

    def _sealed(self, seq: int, backwards: bool, salt: bytes) -> bytes:
        place = _PLACE.pack(seq, backwards)
        return place + hmac.digest(self._secret, place + salt, hashlib.sha256)

    def _opened(self, point: bytes, salt: bytes) -> tuple[int, bool]:
        place, seal = point[: _PLACE.size], point[_PLACE.size :]
        if len(place) != _PLACE.size or not hmac.compare_digest(seal, hmac.digest(self._secret, place + salt, hashlib.sha256)):
            raise _Fault(_S.BadContinuationPointInvalid)
        seq, backwards = _PLACE.unpack(place)
        return seq, backwards


class _Fault(Exception):  # noqa: N818 (a status code on its way out)
    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


def _value(variable: Variable, point: Point) -> ua.DataValue:
    value, code = of_column(variable, point.value, point.quality)
    at = datetime.fromtimestamp(point.wall_ns / 1e9, UTC)
    variant = None
    if value is not None:
        kind = (
            ua.VariantType.Boolean
            if isinstance(value, bool)
            else ua.VariantType.UInt32
            if isinstance(value, int)
            else ua.VariantType.Double
        )
        variant = ua.Variant(value, kind)
    return ua.DataValue(variant, ua.StatusCode(ua.UInt32(code)), at, at)


def _ns(time: datetime | None) -> int | None:
    """Return ns since 1970; the standard's smallest time means that none was given."""
    if time is None or time.year <= 1601:
        return None
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1e6) * 1000
