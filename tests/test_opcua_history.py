"""HistoryRead over the journal: raw pages that join without gap or doubling, aggregates that follow from them, all bounded."""

from datetime import UTC, datetime, timedelta

import pytest
from asyncua import ua

from controller.journal import samples
from controller.journal.reader import JournalReader
from controller.northbound.opcua import aggregates
from controller.northbound.opcua.history import PAGE
from controller.northbound.opcua.nodes import BY_ID
from controller.northbound.opcua.port import Point
from controller.tags import Quality
from tests.opcua_rig import Site, node, until

FOREVER = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


async def read(client, name, details, point=None, release=False):
    value = ua.HistoryReadValueId(NodeId=ua.NodeId(f"Oven.{name}", 2))
    value.ContinuationPoint = point
    params = ua.HistoryReadParameters(HistoryReadDetails=details, NodesToRead=[value], ReleaseContinuationPoints=release)
    return (await client.uaclient.history_read(params))[0]


def raw(start, end, most=0):
    return ua.ReadRawModifiedDetails(IsReadModified=False, StartTime=start, EndTime=end, NumValuesPerNode=most, ReturnBounds=False)


def stored(site: Site, column: str) -> list[tuple[int, float]]:
    """Return what the journal holds, read another way."""
    with JournalReader(site.oven.journal) as reader:
        found = reader.after(0, 1_000_000, ("sample",))
    return [(one.wall_ns, samples.unpack(one.payload)[column]) for one in found]


async def pages(client, name, details):
    values, point = [], None
    while True:
        found = await read(client, name, details, point)
        data = found.HistoryData
        values += data.DataValues or []
        point = found.ContinuationPoint
        if not point:
            return values


def micro(time: datetime) -> int:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1e6)


async def test_pages_join_to_what_the_journal_holds_forwards_and_backwards(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        await until(lambda: len(stored(opcua_site, "load_core_c")) > 60)
        with opcua_site.oven.silent():
            end = datetime.now(UTC) + timedelta(seconds=1)
            wanted = stored(opcua_site, "load_core_c")
            forwards = await pages(client, "Process.load_core_c", raw(FOREVER[0], end, 7))
            assert [one.Value.Value for one in forwards] == pytest.approx([value for _, value in wanted])
            assert [micro(one.SourceTimestamp) for one in forwards] == pytest.approx([ns // 1000 for ns, _ in wanted], abs=1)
            backwards = await pages(client, "Process.load_core_c", raw(end, FOREVER[0], 11))
            assert [one.Value.Value for one in backwards] == [one.Value.Value for one in reversed(forwards)]
            middle = wanted[len(wanted) // 2][0]
            some = await pages(client, "Process.load_core_c", raw(datetime.fromtimestamp(middle / 1e9 - 1e-4, UTC), end))
            assert abs(len(some) - (len(wanted) - len(wanted) // 2)) <= 1


async def test_a_forged_continuation_point_and_one_of_another_node_are_refused(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        details = raw(*FOREVER, 2)
        point = (await read(client, "Process.load_core_c", details)).ContinuationPoint
        assert point
        for name, used in (
            ("Process.load_edge_c", point),
            ("Process.load_core_c", point[:-1] + bytes([point[-1] ^ 1])),
            ("Process.load_core_c", b"1"),
        ):
            found = await read(client, name, details, used)
            assert found.StatusCode.value == ua.StatusCodes.BadContinuationPointInvalid
        assert (await read(client, "Process.load_core_c", details, point, release=True)).StatusCode.is_good()


async def test_aggregates_follow_from_the_raw_values(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        await until(lambda: len(stored(opcua_site, "z1_tc_a_c")) > 60)
        with opcua_site.oven.silent():
            values = stored(opcua_site, "z1_tc_a_c")
            start, step = datetime.fromtimestamp(values[0][0] // 10**9, UTC), timedelta(milliseconds=500)
            first_ns, step_ns = int(start.timestamp()) * 10**9, 5 * 10**8
            count = min(20, (values[-1][0] - first_ns) // step_ns + 1)
            for aggregate, reduce in (("Minimum", min), ("Maximum", max), ("Average", lambda some: sum(some) / len(some)), ("Count", len)):
                kind = ua.NodeId(getattr(ua.ObjectIds, f"AggregateFunction_{aggregate}"))
                details = ua.ReadProcessedDetails(
                    StartTime=start, EndTime=start + count * step, ProcessingInterval=500.0, AggregateType=[kind]
                )
                found = (await read(client, "Process.z1_tc_a_c", details)).HistoryData.DataValues
                assert len(found) == count
                for at, one in enumerate(found):
                    inside = [value for ns, value in values if first_ns + at * step_ns <= ns < first_ns + (at + 1) * step_ns]
                    if inside or aggregate == "Count":
                        assert one.Value.Value == pytest.approx(reduce(inside) if inside else 0), (aggregate, at)
                    else:
                        assert one.StatusCode.value == ua.StatusCodes.BadNoData


async def test_values_between_two_samples_lie_on_a_straight_line_and_say_so(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        await until(lambda: len(stored(opcua_site, "z1_tc_a_c")) > 60)
        with opcua_site.oven.silent():
            values = stored(opcua_site, "z1_tc_a_c")[10:30]
            start = datetime.fromtimestamp(values[0][0] // 1000 / 1e6, UTC) + timedelta(milliseconds=1)
            end = datetime.fromtimestamp(values[-1][0] // 1000 / 1e6, UTC)
            kind = ua.NodeId(ua.ObjectIds.AggregateFunction_Interpolative)
            details = ua.ReadProcessedDetails(StartTime=start, EndTime=end, ProcessingInterval=7.0, AggregateType=[kind])
            found = (await read(client, "Process.z1_tc_a_c", details)).HistoryData.DataValues
        ns = [at for at, _ in values]
        for one in found:
            at = micro(one.SourceTimestamp) * 1000
            right = next(place for place, later in enumerate(ns) if later > at)
            (early, low), (late, high) = values[right - 1], values[right]
            assert one.Value.Value == pytest.approx(low + (high - low) * (at - early) / (late - early), abs=1e-3)
            assert one.StatusCode.value == 0x0402  # good; info bits of a data value: interpolated
        assert len(found) == -(-(end - start) // timedelta(milliseconds=7))


async def test_before_the_first_sample_nothing_is_known_and_behind_the_last_one_it_is_uncertain(opcua_site: Site) -> None:
    kind = ua.NodeId(ua.ObjectIds.AggregateFunction_Interpolative)
    async with opcua_site.connected("vera") as client:
        with opcua_site.oven.silent():
            first, last = (stored(opcua_site, "plc_state")[at][0] for at in (0, -1))
            for ns, code in ((first - 10**9, ua.StatusCodes.BadNoData), (last + 10**9, ua.StatusCodes.UncertainDataSubNormal | 0x0402)):
                at = datetime.fromtimestamp(ns / 1e9, UTC)
                details = ua.ReadProcessedDetails(
                    StartTime=at, EndTime=at + timedelta(seconds=1), ProcessingInterval=0.0, AggregateType=[kind]
                )
                (found,) = (await read(client, "Process.plc_state", details)).HistoryData.DataValues
                assert found.StatusCode.value == code


@pytest.mark.parametrize("most", [1, 2, 3, 4, 100])
async def test_bounds_are_the_samples_next_to_the_ends_whatever_the_pages(opcua_site: Site, most: int) -> None:
    async with opcua_site.connected("vera") as client:
        with opcua_site.oven.silent():
            times = [ns for ns, _ in stored(opcua_site, "load_core_c")]
            middle = [datetime.fromtimestamp((times[at] + times[at + 1]) / 2e9, UTC) for at in (3, 6)]  # between two samples each
            for start, end, wanted in (
                (*middle, times[3:8]),
                (*reversed(middle), list(reversed(times[3:8]))),
                (FOREVER[0], middle[0], [None, *times[:5]]),
                (middle[1], FOREVER[0], [*reversed(times[:8]), None]),
            ):
                details = raw(start, end, most)
                details.ReturnBounds = True
                found = await pages(client, "Process.load_core_c", details)
                told = [None if one.StatusCode.name == "BadBoundNotFound" else micro(one.SourceTimestamp) for one in found]
                assert told == [ns and pytest.approx(ns // 1000, abs=1) for ns in wanted]


async def test_a_value_at_a_time_is_the_stored_one_there_and_on_the_line_between_two_elsewhere(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        with opcua_site.oven.silent():
            (one, first), (two, second), *_ = stored(opcua_site, "z1_tc_a_c")[-5:]
            one, two = one // 1000, two // 1000  # the wire has tenths of a microsecond, Python's times a whole one
            times = [datetime.fromtimestamp(us / 1e6, UTC) for us in (two, one, (one + two) // 2, one - 10**12)]
            for simple in (False, True):
                details = ua.ReadAtTimeDetails(ReqTimes=times, UseSimpleBounds=simple)
                found = (await read(client, "Process.z1_tc_a_c", details)).HistoryData.DataValues
                assert [micro(value.SourceTimestamp) for value in found] == [micro(time) for time in times]
                assert [value.Value.Value for value in found[:3]] == pytest.approx([second, first, (first + second) / 2], abs=1e-3)
                assert found[3].StatusCode.name == "BadNoData"
                assert all(value.StatusCode.is_good() for value in found[:3])


def test_simple_bounds_do_not_step_over_a_bad_sample() -> None:
    variable = BY_ID["Oven.Process.z1_tc_a_c"]
    good, bad = Quality.GOOD, Quality.BAD_SENSOR
    points = [Point(1, 10, 1.0, good), Point(2, 20, None, bad), Point(3, 30, 3.0, good), Point(4, 40, 5.0, good)]
    over, simple = (aggregates.at_times(variable, points, [10, 15, 25, 35], each) for each in (False, True))
    assert [one.Value and one.Value.Value for one in over] == [1.0, 1.5, 2.5, 4.0]
    assert [one.Value and one.Value.Value for one in simple] == [1.0, None, None, 4.0]


async def test_what_is_too_much_or_unknown_is_refused(opcua_site: Site) -> None:
    minimum = ua.NodeId(ua.ObjectIds.AggregateFunction_Minimum)
    start = datetime.now(UTC) - timedelta(hours=1)
    many = ua.ReadProcessedDetails(StartTime=start, EndTime=datetime.now(UTC), ProcessingInterval=1.0, AggregateType=[minimum])
    strange = ua.ReadProcessedDetails(StartTime=start, EndTime=datetime.now(UTC), ProcessingInterval=1e6, AggregateType=[ua.NodeId(1, 2)])
    none = ua.ReadProcessedDetails(StartTime=start, EndTime=datetime.now(UTC), ProcessingInterval=1e6, AggregateType=[])
    async with opcua_site.connected("vera") as client:
        for name, details, code in (
            ("Process.z1_tc_a_c", many, "BadTooManyOperations"),
            ("Process.z1_tc_a_c", strange, "BadAggregateNotSupported"),
            ("Process.z1_tc_a_c", none, "BadAggregateListMismatch"),
            ("Process.z1_tc_a_c", ua.ReadAtTimeDetails(), "BadInvalidTimestampArgument"),
            ("Process.z1_tc_a_c", ua.ReadAtTimeDetails(ReqTimes=[start] * (PAGE + 1)), "BadTooManyOperations"),
            ("Process.z1_tc_a_c", ua.ReadEventDetails(), "BadHistoryOperationUnsupported"),
            ("Unit.Phase", raw(*FOREVER, 1), "BadHistoryOperationUnsupported"),
            ("Security.Sessions", raw(*FOREVER, 1), "BadUserAccessDenied"),
        ):
            found = await read(client, name, details)
            assert found.StatusCode.name == code, name
        params = ua.HistoryReadParameters(HistoryReadDetails=raw(*FOREVER, 1), NodesToRead=[ua.HistoryReadValueId()] * 21)
        with pytest.raises(ua.uaerrors.BadTooManyOperations):
            await client.uaclient.history_read(params)


async def test_only_what_the_journal_keeps_says_that_it_has_a_history(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        for name, kept in (("Process.z1_tc_a_c", True), ("Estimate.InsolubleContent", True), ("Unit.Phase", False)):
            levels = await node(client, name).get_access_level()
            historizing = (await node(client, name).read_attribute(ua.AttributeIds.Historizing)).Value.Value
            assert (ua.AccessLevel.HistoryRead in levels, historizing) == (kept, kept)
