"""Alarms over OPC UA: a standard client's filter sees them, acknowledges them, asks for them again; audit events for those who may."""

import pytest
from asyncua import Client, ua
from asyncua.common.events import get_filter_from_event_type
from asyncua.server.address_space import AddressSpace

from controller.alarms.states import State
from controller.northbound.opcua import where
from controller.northbound.opcua.alarms import Conditions
from controller.northbound.opcua.port import AlarmNews
from tests.opcua_rig import Site, call, node, u32, until

SELECTED = ("EventId", "EventType", "SourceNode", "SourceName", "Time", "Message", "Severity", "ConditionName", "Retain", "AckedState/Id",
            "ActiveState/Id", "ClientUserId", "Status", "Comment")  # fmt: skip


def of_type(type_: int) -> ua.EventFilter:
    """Return the filter that generic clients send: OfType, and some fields by their path."""
    clauses = []
    for name in SELECTED:
        path = [ua.QualifiedName(part, 0) for part in name.split("/")]
        clauses.append(ua.SimpleAttributeOperand(ua.NodeId(ua.ObjectIds.BaseEventType), path, ua.AttributeIds.Value))
    clauses.append(ua.SimpleAttributeOperand(ua.NodeId(ua.ObjectIds.ConditionType), [], ua.AttributeIds.NodeId))
    element = ua.ContentFilterElement(ua.FilterOperator.OfType, [ua.LiteralOperand(ua.Variant(ua.NodeId(type_), ua.VariantType.NodeId))])
    return ua.EventFilter(clauses, ua.ContentFilter([element]))


class Listener:
    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []

    def event_notification(self, event) -> None:
        found = dict(zip((*SELECTED, "NodeId"), (field.Value for field in event.event_fields), strict=True))
        self.events.append({**found, "Comment": getattr(found["Comment"], "Text", None)})

    def of(self, rule: str, **fields: object) -> dict[str, object] | None:
        return next(
            (one for one in reversed(self.events) if one["ConditionName"] == rule and all(one[k] == v for k, v in fields.items())), None
        )


async def listening(client: Client, type_: int) -> tuple[Listener, object]:
    listener = Listener()
    mine = await client.create_subscription(200, listener)
    await mine.subscribe_events(client.nodes.server, evfilter=of_type(type_))
    return listener, mine


async def test_an_alarm_is_seen_acknowledged_refreshed_and_gone(opcua_site: Site) -> None:
    oven = opcua_site.oven
    async with opcua_site.connected("otto") as client:
        listener, mine = await listening(client, ua.ObjectIds.AlarmConditionType)
        oven.change(lambda rig: rig.own.update(disk_free_pct=rig.own["disk_free_pct"]._replace(value=1.0)))
        raised = await until(lambda: next((one for one in listener.events if one["ActiveState/Id"] and not one["AckedState/Id"]), None))
        rule = str(raised["ConditionName"])
        assert raised["SourceNode"] == ua.NodeId("Oven", 2)
        assert (raised["SourceName"], raised["Retain"], raised["Severity"] in (300, 500, 700, 900)) == ("Oven", True, True)
        assert raised["NodeId"] == ua.NodeId(f"Oven.Alarms.{rule}", 2)

        condition, acknowledge = client.get_node(raised["NodeId"]), ua.NodeId(ua.ObjectIds.AcknowledgeableConditionType_Acknowledge)
        with pytest.raises(ua.uaerrors.BadEventIdUnknown):
            await condition.call_method(acknowledge, b"no such event", ua.LocalizedText("seen"))
        refresh = ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh)
        before = len(listener.events)
        await client.get_node(ua.NodeId(ua.ObjectIds.ConditionType)).call_method(refresh, u32(mine.subscription_id))
        await until(lambda: any(one["ConditionName"] == rule for one in listener.events[before:]))

        newest = listener.of(rule)
        comment = ua.NodeId(ua.ObjectIds.ConditionType_AddComment)
        await condition.call_method(comment, newest["EventId"], ua.LocalizedText("disk is on order"))
        await until(lambda: listener.of(rule, Comment="disk is on order"))
        newest = listener.of(rule)
        await condition.call_method(acknowledge, newest["EventId"], ua.LocalizedText("I have seen it"))
        acked = await until(lambda: listener.of(rule, **{"AckedState/Id": True}))
        assert (acked["ClientUserId"], acked["Retain"], acked["Comment"]) == ("otto", True, "I have seen it")
        oven.change(lambda rig: rig.own.update(disk_free_pct=rig.own["disk_free_pct"]._replace(value=50.0)))
        gone = await until(lambda: listener.of(rule, Retain=False))
        assert gone["ActiveState/Id"] is False
        await mine.delete()


class Emitted:
    """Where the library's server would send events to."""

    def __init__(self) -> None:
        self.subscription_service, self.events = self, []

    async def trigger_event(self, event) -> None:
        self.events.append(event)


HIDING = [  # what the journal tells, what a client has to see: active, acknowledged, hidden
    ("raise", State.UNACK, (True, False, False)),
    ("suppress", State.SUPPRESSED, (True, False, True)),
    ("unsuppress", State.UNACK, (True, False, False)),
    ("ack", State.ACK, (True, True, False)),
    ("shelve", State.SHELVED, (True, True, True)),
    ("clear", State.SHELVED, (False, True, True)),
    ("raise", State.SHELVED, (True, True, True)),
    ("unshelve", State.UNACK, (True, False, False)),
    ("clear", State.RETURNED_UNACK, (False, False, False)),
]


async def test_hiding_an_alarm_neither_ends_nor_acknowledges_it() -> None:
    out = Emitted()
    conditions = Conditions(out, None)
    for event, state, seen in HIDING:
        await conditions.tell(AlarmNews("I7", state, "HIGH", "HOLD", "text", event, "", "", False, 0))
        told = out.events[-1]
        assert (getattr(told, "ActiveState/Id"), getattr(told, "AckedState/Id"), told.SuppressedOrShelved) == seen, (event, state)


async def test_an_alarm_that_was_hidden_before_the_gateway_came_is_active_behind_it() -> None:
    out = Emitted()
    conditions = Conditions(out, None)
    await conditions.begin(["I7"])
    assert out.events == []
    await conditions.tell(AlarmNews("I7", State.SUPPRESSED, "HIGH", "HOLD", "text", "stands", "", "", False, 0))
    told = out.events[-1]
    assert (getattr(told, "ActiveState/Id"), getattr(told, "AckedState/Id"), told.SuppressedOrShelved, told.Retain) == (
        True,
        True,
        True,
        True,
    )


async def test_a_viewer_acknowledges_nothing(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        acknowledge = ua.NodeId(ua.ObjectIds.AcknowledgeableConditionType_Acknowledge)
        with pytest.raises(ua.uaerrors.BadUserAccessDenied):
            await node(client, "Alarms.I7").call_method(acknowledge, b"x", ua.LocalizedText("x"))


async def test_each_denial_is_audited_with_the_user_to_those_who_may_see_it(opcua_site: Site) -> None:
    async with opcua_site.connected("emma") as engineer, opcua_site.connected("otto") as operator, opcua_site.connected("vera") as viewer:
        audits, one = await listening(engineer, ua.ObjectIds.AuditEventType)
        others, two = await listening(operator, ua.ObjectIds.BaseEventType)
        with pytest.raises(ua.uaerrors.BadUserAccessDenied):
            await call(viewer, "Batch.Abort", "", "")
        found = await until(lambda: next((said for said in audits.events if said["ClientUserId"] == "vera" and not said["Status"]), None))
        assert "Batch.Abort" in found["Message"].Text
        accepted, _, _ = await call(operator, "Alarms.Acknowledge", "", "all of them")
        assert accepted
        await until(lambda: any(said["ClientUserId"] == "otto" and said["Status"] for said in audits.events))
        assert not [said for said in others.events if said["EventType"] == ua.NodeId(ua.ObjectIds.AuditUpdateMethodEventType)]
        await one.delete()
        await two.delete()


async def test_the_librarys_own_client_filter_works_too(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        mine = await client.create_subscription(500, Listener())
        kind = client.get_node(ua.NodeId(ua.ObjectIds.BaseEventType))
        await mine.subscribe_events(client.nodes.server, evfilter=await get_filter_from_event_type([kind], where_clause_generation=False))
        await mine.delete()


def element(operator: ua.FilterOperator, *operands: object) -> ua.ContentFilterElement:
    return ua.ContentFilterElement(operator, list(operands))


@pytest.mark.parametrize(
    "elements",
    [
        [element(ua.FilterOperator.Not, ua.ElementOperand(0))],  # itself
        [element(ua.FilterOperator.And, ua.ElementOperand(1), ua.ElementOperand(1)), element(ua.FilterOperator.Not, ua.ElementOperand(0))],
        [element(ua.FilterOperator.Not, ua.ElementOperand(7))],
        [element(ua.FilterOperator.IsNull, ua.LiteralOperand())] * 33,
    ],
)
def test_a_filter_that_loops_or_never_ends_is_refused(elements: list[ua.ContentFilterElement]) -> None:
    assert where.unfit(ua.EventFilter(of_type(ua.ObjectIds.BaseEventType).SelectClauses, ua.ContentFilter(elements)))
    assert where.unfit(None)
    assert not where.unfit(of_type(ua.ObjectIds.AlarmConditionType))


def test_a_type_is_what_its_ancestors_are(opcua_site: Site) -> None:
    aspace: AddressSpace = opcua_site.server._server.aspace
    alarm, off = ua.NodeId(ua.ObjectIds.AlarmConditionType), ua.NodeId(ua.ObjectIds.OffNormalAlarmType)
    assert where.is_a(aspace, off, alarm)
    assert where.is_a(aspace, alarm, ua.NodeId(ua.ObjectIds.BaseEventType))
    assert not where.is_a(aspace, alarm, off)
