"""The nodes below each condition, as Part 9 has them: made once for the first condition and copied for the others, then kept current.

The copies share every attribute but the value with the first one, because the library takes 0.4 ms and 8 kB for a node of its own. The
methods are the type's own nodes, which the standard allows.
"""

import copy
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from asyncua import ua
from asyncua.server.address_space import AttributeValue, NodeData
from asyncua.server.internal_server import InternalServer

from controller.clock import wall_s
from controller.northbound.opcua.space import Space, node_id

ALARMS: Final = "Oven.Alarms"
_V: Final = ua.VariantType
_Ids = ua.ObjectIds
_UTC, _DURATION = ua.NodeId(_Ids.UtcTime), ua.NodeId(_Ids.Duration)


class Field(NamedTuple):
    """One variable below a condition: ``path`` as event fields have it; ``type_`` is its type definition."""

    path: str
    kind: ua.VariantType
    type_: int = _Ids.PropertyType
    data_type: ua.NodeId | None = None


def _state(name: str) -> tuple[Field, Field]:
    return Field(name, _V.LocalizedText, _Ids.TwoStateVariableType), Field(f"{name}/Id", _V.Boolean)


def _condition(name: str, kind: ua.VariantType) -> tuple[Field, Field]:
    return Field(name, kind, _Ids.ConditionVariableType), Field(f"{name}/SourceTimestamp", _V.DateTime, data_type=_UTC)


SHELVING: Final = "ShelvingState"
UNSHELVE: Final = f"{SHELVING}/UnshelveTime"
FIELDS: Final = (
    Field("EventId", _V.ByteString), Field("EventType", _V.NodeId), Field("SourceNode", _V.NodeId), Field("SourceName", _V.String),
    Field("Time", _V.DateTime, data_type=_UTC), Field("ReceiveTime", _V.DateTime, data_type=_UTC), Field("Message", _V.LocalizedText),
    Field("Severity", _V.UInt16), Field("ConditionClassId", _V.NodeId), Field("ConditionClassName", _V.LocalizedText),
    Field("ConditionName", _V.String), Field("BranchId", _V.NodeId), Field("Retain", _V.Boolean), *_state("EnabledState"),
    *_condition("Quality", _V.StatusCode), *_condition("LastSeverity", _V.UInt16), *_condition("Comment", _V.LocalizedText),
    Field("ClientUserId", _V.String), *_state("AckedState"), *_state("ConfirmedState"), *_state("ActiveState"),
    Field("InputNode", _V.NodeId), *_state("SuppressedState"), *_state("OutOfServiceState"), *_state("LatchedState"),
    Field("SuppressedOrShelved", _V.Boolean), Field("MaxTimeShelved", _V.Double, data_type=_DURATION),
    Field(f"{SHELVING}/CurrentState", _V.LocalizedText, _Ids.FiniteStateVariableType),
    Field(f"{SHELVING}/CurrentState/Id", _V.NodeId), Field(UNSHELVE, _V.Double, data_type=_DURATION),
)  # fmt: skip
_METHODS: Final = {  # of the condition, and of its shelving state
    "": (_Ids.ConditionType_Enable, _Ids.ConditionType_Disable, _Ids.ConditionType_AddComment,
         _Ids.AcknowledgeableConditionType_Acknowledge, _Ids.AcknowledgeableConditionType_Confirm),
    SHELVING: (_Ids.ShelvedStateMachineType_TimedShelve, _Ids.ShelvedStateMachineType_Unshelve, _Ids.ShelvedStateMachineType_OneShotShelve),
}  # fmt: skip


class Instances:
    """The nodes below the conditions."""

    def __init__(self, server: InternalServer, space: Space) -> None:
        """Remember where to build."""
        self._server = server
        self._space = space

    async def build(self, rules: Iterable[str]) -> None:
        """Make the nodes below the conditions of ``rules``, which are there already."""
        first, *others = rules
        made = await self._first(f"{ALARMS}.{first}")
        for rule in others:
            self._copy(made, f"{ALARMS}.{first}", f"{ALARMS}.{rule}")
        for rule in (first, *others):
            await self._refer(node_id("Oven"), _Ids.HasCondition, node_id(f"{ALARMS}.{rule}"), ua.NodeClass.Object)

    async def show(self, rule: str, event: Any) -> None:
        """Show in the nodes of ``rule`` what its newest event says."""
        for field in FIELDS:
            value = getattr(event, field.path)
            shown = ua.DataValue(ua.Variant(value, field.kind), ua.StatusCode(), event.Time, event.ReceiveTime)
            await self._server.write_attribute_value(_below(f"{ALARMS}.{rule}", field.path), shown)
        if left_ms := getattr(event, UNSHELVE):
            until_s = wall_s() + left_ms / 1000.0
            node, attribute = _below(f"{ALARMS}.{rule}", UNSHELVE), ua.AttributeIds.Value
            self._server.aspace.set_attribute_value_callback(node, attribute, lambda *_: _left(until_s))

    async def _first(self, condition: str) -> list[NodeData]:
        self._space.add(node_id(condition), f"{condition}.{SHELVING}", "", _Ids.ShelvedStateMachineType, index=0)
        for field in FIELDS:
            owner, _, name = field.path.rpartition("/")
            parent = str(_below(condition, owner).Identifier)
            self._space.place_variable(parent, f"{parent}.{name}", ua.QualifiedName(name), field.kind, field.type_, field.data_type)
        for owner, methods in _METHODS.items():
            for method in methods:
                await self._refer(_below(condition, owner), _Ids.HasComponent, ua.NodeId(method), ua.NodeClass.Method)
        return [self._server.aspace[_below(condition, path)] for path in ("", SHELVING, *(field.path for field in FIELDS))]

    async def _refer(self, source: ua.NodeId, reference: int, target: ua.NodeId, class_: ua.NodeClass) -> None:
        refer = ua.AddReferencesItem(source, ua.NodeId(reference), True, "", target, class_)
        (await self._server.isession.add_references([refer]))[0].check()

    def _copy(self, made: list[NodeData], first: str, condition: str) -> None:
        new = {node.nodeid: node_id(condition + str(node.nodeid.Identifier).removeprefix(first)) for node in made}
        for node in made:
            there = self._server.aspace.get(new[node.nodeid])
            owner = there or NodeData(new[node.nodeid])
            if there is None:
                named = AttributeValue(ua.DataValue(ua.Variant(owner.nodeid, _V.NodeId)))
                owner.attributes = {**node.attributes, ua.AttributeIds.NodeId: named}
                if (value := node.attributes.get(ua.AttributeIds.Value)) is not None:
                    owner.attributes[ua.AttributeIds.Value] = AttributeValue(value.value)
                self._server.aspace[owner.nodeid] = owner
            known = {_key(reference) for reference in owner.references}
            owner.references += [one for reference in node.references if (one := _moved(reference, new)) and _key(one) not in known]


def _left(until_s: float) -> ua.DataValue:
    return ua.DataValue(ua.Variant(max(0.0, until_s - wall_s()) * 1000.0, _V.Double), SourceTimestamp=datetime.now(UTC))


def _moved(reference: ua.ReferenceDescription, new: dict[ua.NodeId, ua.NodeId]) -> ua.ReferenceDescription | None:
    """Return a reference of the first condition for its copy; None for the one to the folder, which the copy has itself."""
    if not reference.IsForward and reference.NodeId not in new:
        return None
    if reference.NodeId not in new:
        return reference
    moved = copy.copy(reference)
    moved.NodeId = new[reference.NodeId]
    return moved


def _key(reference: ua.ReferenceDescription) -> tuple[ua.NodeId, ua.NodeId]:
    return reference.ReferenceTypeId, reference.NodeId


def _below(condition: str, path: str) -> ua.NodeId:
    return node_id(".".join((condition, *path.split("/"))) if path else condition)
