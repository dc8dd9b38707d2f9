"""node-opcua and the services that a supervisory system uses around values and alarms: every one is right, or refused with its status code.

The server is the gateway's own in this process, before a living oven whose emergency stop can be pressed.
"""

import base64
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from controller.interlocks.table import RULES
from controller.northbound.opcua import pki
from controller.northbound.opcua.bounds import INTERVAL_MS
from controller.northbound.opcua.instances import FIELDS
from controller.recipe.states import UnitState
from tests.node import node
from tests.node_client import Client, oven, typed
from tests.opcua_rig import Site, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]
WAY = {"policy": "Basic256Sha256", "mode": "SignAndEncrypt"}
STOP = "I2"  # the emergency stop: trips, and its alarm is to be confirmed
FIELD_NAMES = ["EventId", "ConditionName", "ActiveState.Id", "AckedState.Id", "ConfirmedState.Id", "LatchedState.Id", "Retain", "Comment",
               "ClientUserId"]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(opcua_site: Site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("services")
    async with node("client.mjs", folder, str(folder / "client"), "urn:interop:services") as one:
        offered = await one.ask("endpoints", url=opcua_site.url)
        await one.ask("trust", certificate=offered[0]["certificate"]["bytes"])
        made = Client(one, opcua_site)
        opcua_site.forgive()
        with pytest.raises(Exception, match="BadCertificateUntrusted"):
            await made.come("otto", **WAY)
        pki.trust(opcua_site.store, one.hello["thumbprint"])
        for session, person in (("otto", "otto"), ("again", "otto"), ("emma", "emma"), ("vera", "vera")):
            await made.come(person, session, **WAY)
        yield made


async def service(client: Client, request: str, fields: dict[str, Any], person: str = "otto", **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = await client.ask(person, "service", request=request, fields=fields, **more)
    return found


def press(site: Site, ok: bool) -> None:
    """Press the emergency stop's button in the plant, or release it."""
    site.oven.change(lambda rig: setattr(rig.plc.plant, "estop_ok", ok))


async def test_every_condition_has_the_children_of_its_type_and_they_can_be_read(client):
    shown = (await client.ask("vera", "browse", node=oven("Alarms")))["references"]
    assert {one["name"].removeprefix("2:") for one in shown if one["type"] == "ns=0;i=2915"} == {rule.id for rule in RULES}
    of_the_oven = (await client.ask("vera", "browse", node="ns=2;s=Oven", reference="HasCondition"))["references"]
    assert {one["node"] for one in of_the_oven} == {oven(f"Alarms.{rule.id}") for rule in RULES}
    for rule in ("I27W", RULES[0].id, RULES[-1].id):
        found = {one["name"] for one in (await client.ask("vera", "browse", node=oven(f"Alarms.{rule}")))["references"]}
        assert found == {*(field.path for field in FIELDS if "/" not in field.path), "ShelvingState", "Enable", "Disable", "AddComment",
                         "Acknowledge", "Confirm"}  # fmt: skip
        shelf = {one["name"] for one in (await client.ask("vera", "browse", node=oven(f"Alarms.{rule}.ShelvingState")))["references"]}
        assert shelf == {"CurrentState", "UnshelveTime", "TimedShelve", "Unshelve", "OneShotShelve"}
        nodes = [oven(f"Alarms.{rule}.{field.path.replace('/', '.')}") for field in FIELDS]
        values = dict(zip((field.path for field in FIELDS), await client.ask("vera", "read", nodes=nodes), strict=True))
        assert {one["status"] for one in values.values()} == {"Good"}
        assert [values[name]["value"] for name in ("ConditionName", "EventType", "SourceNode", "EnabledState/Id")] == [
            rule, "ns=0;i=2915", "ns=2;s=Oven", True]  # fmt: skip
    path = await client.ask("vera", "translate", node="ns=2;s=Oven", path="/2:Alarms/2:I27W/ActiveState/Id")
    assert path == {"status": "Good", "targets": [oven("Alarms.I27W.ActiveState.Id")]}


async def test_who_may_call_a_condition_is_shown_at_the_types_own_method(client):
    for person, may in (("vera", False), ("otto", True)):
        for method in ("i=9111", "i=9113", "i=9029", "i=2949"):
            (found,) = await client.ask(person, "read", nodes=[method], attribute="UserExecutable")
            assert (found["value"], found["status"]) == (may, "Good"), (person, method)


async def states(client: Client) -> list[Any]:
    """Return what the emergency stop's own nodes show: active, acknowledged, confirmed, retained."""
    names = ("ActiveState.Id", "AckedState.Id", "ConfirmedState.Id", "Retain")
    return [one["value"] for one in await client.ask("vera", "read", nodes=[oven(f"Alarms.{STOP}.{name}") for name in names])]


async def test_a_trip_is_acknowledged_reset_and_confirmed_and_only_then_leaves_the_list(client, opcua_site):
    condition = oven(f"Alarms.{STOP}")
    await client.ask("otto", "subscribe", subscription="trip", interval=100)
    await client.ask("otto", "events", subscription="trip", type="AlarmConditionType", fields=FIELD_NAMES)
    assert await states(client) == [False, True, True, False]

    async def seen(**wanted: Any) -> str:
        """Wait for the event and return its id; the nodes below the condition show the same."""
        found = await client.event("otto", "trip", ConditionName=STOP, **wanted)
        await until(lambda: same(found))
        return str(found["EventId"]["bytes"])

    async def same(event: dict[str, Any]) -> bool:
        return await states(client) == [event[name] for name in ("ActiveState.Id", "AckedState.Id", "ConfirmedState.Id", "Retain")]

    async def confirm(person: str, event: str, comment: str = "") -> str:
        return str(await client.ask(person, "confirm", node=condition, event=event, comment=comment))

    press(opcua_site, False)
    try:
        event = await seen(ActiveState_Id=True, AckedState_Id=False, ConfirmedState_Id=True)
        assert await confirm("otto", event) == "BadConditionBranchAlreadyConfirmed"  # nothing to confirm before it is acknowledged
        assert await client.ask("otto", "acknowledge", node=condition, event=event, comment="seen") == "Good"
        event = await seen(ActiveState_Id=True, AckedState_Id=True, ConfirmedState_Id=False, Retain=True)
        assert await confirm("otto", event) == "BadInvalidState"  # it stands
        assert await client.ask("otto", "acknowledge", node=condition, event=event, comment="") == "BadConditionBranchAlreadyAcked"
    finally:
        press(opcua_site, True)
    await until(lambda: STOP not in opcua_site.oven.rig.memory.interlocks.cause)
    assert (await client.done("otto", "Batch.Reset", "released", ""))[0]
    event = await seen(ActiveState_Id=False, LatchedState_Id=False, AckedState_Id=True, ConfirmedState_Id=False, Retain=True)
    assert await confirm("vera", event) == "BadUserAccessDenied"
    assert await confirm("otto", base64.b64encode(b"never sent").decode()) == "BadEventIdUnknown"
    assert await confirm("otto", event, "button was stuck, exchanged") == "Good"
    event = await seen(ConfirmedState_Id=True, Retain=False, Comment="button was stuck, exchanged", ClientUserId="otto")
    assert await confirm("otto", event) == "BadConditionBranchAlreadyConfirmed"
    told = [content for _, kind, content in opcua_site.oven.rig.notes if kind == "alarm" and content["event"] == "confirm"]
    assert [(one["rule"], one["user"], one["reason"]) for one in told] == [(STOP, "otto", "button was stuck, exchanged")]
    await client.ask("otto", "unsubscribe", subscription="trip")


async def test_what_an_interlocks_alarm_does_not_take_is_refused_by_the_standards_codes(client):
    async def called(person: str, method: str) -> str:
        return str((await client.ask(person, "call", object=oven("Alarms.I27W"), method=method, args=[]))["status"])

    enable, disable, one_shot = "i=9027", "i=9028", "i=2948"
    assert [await called("emma", method) for method in (enable, disable)] == ["BadConditionAlreadyEnabled", "BadNotSupported"]
    nowhere = await client.ask("emma", "call", object=oven("Alarms.I99"), method=enable, args=[])
    assert nowhere["status"] == "BadNodeIdUnknown"
    assert [await called("otto", method) for method in (enable, disable, one_shot)] == ["BadUserAccessDenied"] * 2 + ["BadNotSupported"]


async def test_a_shelf_counts_down_in_the_conditions_own_nodes(client):
    shelving, alarm = f"Alarms.I32.{'ShelvingState'}", oven("Alarms.I32")
    assert (await client.ask("otto", "call", object=alarm, method="i=2949", args=[typed(120_000.0)]))["status"] == "Good"
    await until(lambda: shelved(client, "TimedShelved"))
    first = await client.value("vera", f"{shelving}.UnshelveTime")
    assert 60_000 < first <= 120_000
    await until(lambda: less(client, f"{shelving}.UnshelveTime", first))
    assert (await client.ask("otto", "call", object=oven(shelving), method="i=2947", args=[]))["status"] == "Good"
    await until(lambda: shelved(client, "Unshelved"))
    assert await client.value("vera", f"{shelving}.UnshelveTime") == 0


async def shelved(client: Client, state: str) -> bool:
    return await client.value("vera", "Alarms.I32.ShelvingState.CurrentState") == state


async def less(client: Client, name: str, than: float) -> bool:
    return await client.value("vera", name) < than


async def test_history_at_given_times_is_read_and_everything_else_refused(client):
    node = oven("Process.z1_tc_a_c")
    now = datetime.now(UTC) - timedelta(seconds=2)
    times = [(now - timedelta(milliseconds=250 * place)).isoformat() for place in (0, 1, 2)]

    async def read(details: str, to: str = node, **fields: Any) -> dict[str, Any]:
        asked = {"nodesToRead": [{"nodeId": to}], "timestampsToReturn": 2, "releaseContinuationPoints": False}
        return await service(client, "HistoryReadRequest", asked | {"details": fields}, details=details)

    found = (await read("ReadAtTimeDetails", reqTimes=times, useSimpleBounds=False))["results"][0]
    values = found["historyData"]["dataValues"]
    assert [datetime.fromisoformat(one["sourceTimestamp"]) for one in values] == [ms(time) for time in times]
    assert all(10 < one["value"] < 40 for one in values)
    for details, fields, to, code in (
        ("ReadAtTimeDetails", {"reqTimes": []}, node, "BadInvalidTimestampArgument"),
        ("ReadAtTimeDetails", {"reqTimes": times}, oven("Unit.Phase"), "BadHistoryOperationUnsupported"),
        ("ReadEventDetails", {}, node, "BadHistoryOperationUnsupported"),
    ):
        assert (await read(details, to, **fields))["results"][0]["statusCode"] == code


def ms(time: str) -> datetime:
    """JavaScript's times have no more."""
    found = datetime.fromisoformat(time)
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


async def test_a_subscription_is_changed_inside_the_bounds_switched_off_and_on_again(client):
    await client.ask("otto", "subscribe", subscription="changed", interval=100)
    await client.ask("otto", "monitor", subscription="changed", nodes=[oven("History.LastEntry")])
    found = await client.ask("otto", "items", subscription="changed")
    id_, items = found["id"], found["items"]
    low, high = INTERVAL_MS
    for asked, revised in ((250, 250), (1, low), (1e9, high), (100, 100)):
        fields = {"subscriptionId": id_, "requestedPublishingInterval": asked, "requestedLifetimeCount": 1,
                  "requestedMaxKeepAliveCount": 20, "maxNotificationsPerPublish": 0, "priority": 0}  # fmt: skip
        answer = await service(client, "ModifySubscriptionRequest", fields)
        assert [answer[f"revised{name}"] for name in ("PublishingInterval", "LifetimeCount", "MaxKeepAliveCount")] == [revised, 60, 20]
    assert (await service(client, "ModifySubscriptionRequest", {**fields, "subscriptionId": 1}))["service"] == "BadSubscriptionIdInvalid"
    assert (await service(client, "ModifySubscriptionRequest", fields, "emma"))["service"] == "BadSubscriptionIdInvalid"
    await until(lambda: grows(client, 2))

    async def off(request: str, **fields: Any) -> list[str]:
        return list((await service(client, request, fields))["results"])

    for request, on, no in (
        ("SetPublishingModeRequest", {"publishingEnabled": True, "subscriptionIds": [id_, 1]}, {"publishingEnabled": False}),
        ("SetMonitoringModeRequest", {"monitoringMode": 2, "subscriptionId": id_, "monitoredItemIds": [*items, 1]}, {"monitoringMode": 0}),
        ("SetMonitoringModeRequest", {"monitoringMode": 2, "subscriptionId": id_, "monitoredItemIds": [*items, 1]}, {"monitoringMode": 1}),
    ):
        wrong = "BadSubscriptionIdInvalid" if "Publishing" in request else "BadMonitoredItemIdInvalid"
        assert await off(request, **{**on, **no}) == ["Good", wrong]
        await until(lambda: quiet(client))
        before = len((await client.ask("otto", "collected", subscription="changed"))["changes"])
        assert await off(request, **on) == ["Good", wrong]
        await until(partial(grows, client, before + 1))
    await client.ask("otto", "unsubscribe", subscription="changed")


async def grows(client: Client, most: int) -> bool:
    return len((await client.ask("otto", "collected", subscription="changed"))["changes"]) > most


async def quiet(client: Client) -> bool:
    """Return whether nothing comes while the journal, which the item shows, grows."""
    before = (await client.ask("otto", "collected", subscription="changed"))["changes"]
    entry = int(await client.value("otto", "History.LastEntry"))
    await until(lambda: later(client, entry + 20))
    return before == (await client.ask("otto", "collected", subscription="changed"))["changes"]


async def later(client: Client, entry: int) -> bool:
    return int(await client.value("otto", "History.LastEntry")) > entry


async def test_an_item_takes_another_deadband_and_queue_and_refuses_what_does_not_fit(client):
    await client.ask("otto", "subscribe", subscription="items", interval=100)
    await client.ask("otto", "monitor", subscription="items", nodes=[oven("Process.z1_tc_a_c"), oven("Process.door_closed_a")])
    found = await client.ask("otto", "items", subscription="items")

    async def modified(item: int, filter_: dict[str, Any] | None, size: int = 7) -> tuple[str, int]:
        wanted = {"monitoredItemId": item, "requestedParameters": {"clientHandle": 1, "samplingInterval": 0, "queueSize": size,
                                                                   "discardOldest": True}}  # fmt: skip
        asked = {"subscriptionId": found["id"], "timestampsToReturn": 2, "itemsToModify": [wanted], "filter": filter_}
        (answer,) = (await service(client, "ModifyMonitoredItemsRequest", asked))["results"]
        return answer["statusCode"], answer["revisedQueueSize"]

    number, bit = found["items"]
    for item, filter_, size, answer in (
        (number, {"trigger": 1, "deadbandType": 1, "deadbandValue": 2.5}, 7, ("Good", 7)),
        (number, {"trigger": 1, "deadbandType": 2, "deadbandValue": 5.0}, 100_000, ("Good", 200)),
        (number, {"trigger": 1, "deadbandType": 2, "deadbandValue": 101.0}, 7, ("BadDeadbandFilterInvalid", 0)),
        (bit, {"trigger": 1, "deadbandType": 1, "deadbandValue": 1.0}, 7, ("BadFilterNotAllowed", 0)),
        (bit, {"trigger": 2, "deadbandType": 0, "deadbandValue": 0.0}, 7, ("Good", 7)),
        (1, None, 7, ("BadMonitoredItemIdInvalid", 0)),
    ):
        assert await modified(item, filter_, size) == answer
    await client.ask("otto", "unsubscribe", subscription="items")


async def test_a_message_is_sent_again_until_it_is_acknowledged_and_a_subscription_goes_to_ones_own_other_session_only(client):
    await client.ask("otto", "subscribe", subscription="moved", interval=100)
    await client.ask("otto", "monitor", subscription="moved", nodes=[oven("History.LastEntry")])
    id_ = (await client.ask("otto", "items", subscription="moved"))["id"]
    asked = {"subscriptionId": id_, "retransmitSequenceNumber": 4_000_000_000}
    assert (await service(client, "RepublishRequest", asked))["service"] == "BadMessageNotAvailable"
    assert (await service(client, "RepublishRequest", asked, "emma"))["service"] == "BadSubscriptionIdInvalid"
    fields = {"subscriptionIds": [id_, 1], "sendInitialValues": True}

    async def moved(person: str) -> list[Any]:
        return (await service(client, "TransferSubscriptionsRequest", fields, person))["results"]

    assert [one["statusCode"] for one in await moved("emma")] == ["BadUserAccessDenied", "BadSubscriptionIdInvalid"]
    assert [one["statusCode"] for one in await moved("again")] == ["Good", "BadSubscriptionIdInvalid"]
    assert (await service(client, "RepublishRequest", asked))["service"] == "BadSubscriptionIdInvalid"  # it is not otto's first session's

    published = await service(client, "PublishRequest", {"subscriptionAcknowledgements": []}, "again")  # the values, sent anew
    message = published["notificationMessage"]
    (changes,) = message["notificationData"]
    assert {one["value"]["statusCode"] for one in changes["monitoredItems"]} == {"Good"}
    number = {"subscriptionId": id_, "retransmitSequenceNumber": message["sequenceNumber"]}
    for _ in range(2):
        again = await service(client, "RepublishRequest", number, "again")
        assert again["notificationMessage"]["sequenceNumber"] == message["sequenceNumber"]
        assert again["notificationMessage"]["notificationData"] == message["notificationData"]
    acked = [{"subscriptionId": id_, "sequenceNumber": message["sequenceNumber"]}]
    assert (await service(client, "PublishRequest", {"subscriptionAcknowledgements": acked}, "again"))["results"] == ["Good"]
    assert (await service(client, "RepublishRequest", number, "again"))["service"] == "BadMessageNotAvailable"
    gone = await service(client, "DeleteSubscriptionsRequest", {"subscriptionIds": [id_]}, "again")
    assert gone["results"] == ["Good"]


async def test_nodes_are_registered_servers_are_found_parts_of_values_are_read(client, opcua_site):
    wanted = [oven("Unit.State"), oven("Process.z1_tc_a_c")]
    found = await client.ask("otto", "register", nodes=wanted)
    assert (found["nodes"], [one["status"] for one in found["values"]]) == (wanted, ["Good", "Good"])
    (server,) = await client.node.ask("servers", url=opcua_site.url)
    assert server["uri"] == pki.application_uri("localhost")
    for range_, status, value in (
        ("1:3", "Good", "DLE"),
        ("0", "Good", "I"),
        ("9", "BadIndexRangeNoData", None),
        ("3:1", "BadIndexRangeInvalid", None),
    ):
        await until(lambda: is_idle(opcua_site))
        asked = {
            "nodesToRead": [{"nodeId": oven("Unit.State"), "attributeId": 13, "indexRange": range_}],
            "maxAge": 0,
            "timestampsToReturn": 2,
        }
        (read,) = (await service(client, "ReadRequest", asked))["results"]
        assert (read["statusCode"] or "Good") == status
        assert value is None or read["value"] == value
    assert (await service(client, "ReadRequest", {**asked, "maxAge": -1}))["service"] == "BadMaxAgeInvalid"


def is_idle(site: Site) -> bool:
    return site.oven.rig.memory.unit.state is UnitState.IDLE


async def test_what_is_not_offered_says_so(client):
    for request in ("SetTriggeringRequest", "CancelRequest", "QueryFirstRequest"):
        assert (await service(client, request, {}))["service"] == "BadServiceUnsupported", request
    assert (await service(client, "HistoryUpdateRequest", {}))["service"] == "BadUserAccessDenied"
    assert await client.value("otto", "Unit.State") is not None  # the session goes on
