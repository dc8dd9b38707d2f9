"""Alarms and conditions: every change of an alarm in the journal becomes an event, and the standard's methods become commands.

Events are emitted on the Server object with the oven as their source, because the library does not propagate notifiers.
"""

import copy
import secrets
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import ua
from asyncua.common.event_objects import AlarmCondition, AuditUpdateMethodEvent, RefreshEndEvent, RefreshStartEvent

from controller.alarms.states import HIDDEN, UNSEEN, State
from controller.clock import wall_ns, wall_s
from controller.northbound.opcua.batch import Asking
from controller.northbound.opcua.inner import OvenServer
from controller.northbound.opcua.methods import Fault
from controller.northbound.opcua.port import AlarmNews
from controller.northbound.opcua.session import GuardedSession
from controller.northbound.opcua.space import node_id
from controller.recipe.states import Verb

SEVERITY: Final = {"CRITICAL": 900, "HIGH": 700, "MEDIUM": 500, "LOW": 300, "JOURNAL": 100}
REFRESH_S: Final = 1.0  # of one session at most so often
MOST_MS: Final = 480 * 60_000.0
_REMEMBERED: Final = 1000  # event ids
_S: Final = ua.StatusCodes
_V: Final = ua.VariantType
_ACTIVE: Final = frozenset({State.UNACK, State.ACK})
_SERVER: Final = ua.NodeId(ua.ObjectIds.Server)
_SHELF: Final = {name: ua.NodeId(getattr(ua.ObjectIds, f"ShelvedStateMachineType_{name}")) for name in ("TimedShelved", "Unshelved")}
_PLAIN: Final = {ua.ObjectIds.UtcTime: _V.DateTime, ua.ObjectIds.Duration: _V.Double, ua.ObjectIds.LocaleId: _V.String}


class Conditions:
    """The alarms as conditions: remembers how each stands and under which event id clients know it."""

    def __init__(self, server: OvenServer, asking: Asking) -> None:
        """Start with every alarm normal."""
        self._server = server
        self._asking = asking
        self._event_rule: dict[bytes, str] = {}
        self.standing: dict[str, AlarmNews] = {}
        self._shown: dict[str, tuple[bool, bool]] = {}  # whether active and whether acknowledged, by rule

    async def tell(self, news: AlarmNews) -> None:
        """Emit one change; while the alarm is not normal it is retained for clients that refresh."""
        if news.priority == "JOURNAL":
            return
        self._shown[news.rule] = self._active_and_acked(news)
        event = self._event(news)
        if news.state is State.NORMAL:
            self.standing.pop(news.rule, None)
        else:
            self.standing[news.rule] = news
        await self._server.subscription_service.trigger_event(event)

    def methods(self) -> dict[int, tuple[str, tuple[ua.VariantType, ...], Any]]:
        """Return the standard's methods by their ns=0 identifier."""
        ids = ua.ObjectIds
        return {
            ids.AcknowledgeableConditionType_Acknowledge: ("Condition.Acknowledge", (_V.ByteString, _V.LocalizedText), self._acknowledge),
            ids.ConditionType_AddComment: ("Condition.AddComment", (_V.ByteString, _V.LocalizedText), self._comment),
            ids.AlarmConditionType_ShelvingState_TimedShelve: ("Condition.TimedShelve", (_V.Double,), self._shelve),
            ids.ShelvedStateMachineType_TimedShelve: ("Condition.TimedShelve", (_V.Double,), self._shelve),
            ids.AlarmConditionType_ShelvingState_Unshelve: ("Condition.Unshelve", (), self._unshelve),
            ids.ShelvedStateMachineType_Unshelve: ("Condition.Unshelve", (), self._unshelve),
            ids.ConditionType_ConditionRefresh: ("Condition.ConditionRefresh", (_V.UInt32,), self._refresh),
            ids.ConditionType_ConditionRefresh2: ("Condition.ConditionRefresh2", (_V.UInt32, _V.UInt32), self._refresh),
        }

    def audit(self, user: str, what: str, answer: str, done: bool) -> AuditUpdateMethodEvent:
        """Return an audit event."""
        event = _with_types(AuditUpdateMethodEvent(sourcenode=_SERVER, message=f"{what}: {answer}"[:400], severity=1 if done else 500))
        _head(event, wall_ns())
        event.SourceName = "Method/Call" if what.startswith("Call ") else f"Session/{what.partition(' ')[0]}"
        event.ActionTimeStamp, event.Status, event.ClientUserId, event.ServerId = event.Time, done, user, "ovenctl"
        return event

    async def _acknowledge(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> None:
        event_id, comment = given
        rule = _rule(node)
        if self._event_rule.get(bytes(event_id or b"")) != rule:
            raise Fault(_S.BadEventIdUnknown, f"{rule}: no event with this id")
        if (news := self.standing.get(rule)) is not None and news.state in HIDDEN:
            raise Fault(_S.BadInvalidState, f"{rule} is {news.state.name.lower()}: what is hidden cannot have been seen")
        if news is None or news.state not in UNSEEN:
            raise Fault(_S.BadConditionBranchAlreadyAcked, f"{rule} is acknowledged already")
        await self._ask(session, Verb.ACKNOWLEDGE, {"rule": rule, "reason": _said(comment)})

    async def _comment(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> None:
        event_id, comment = given
        rule = _rule(node)
        if self._event_rule.get(bytes(event_id or b"")) != rule:
            raise Fault(_S.BadEventIdUnknown, f"{rule}: no event with this id")
        await self._ask(session, Verb.COMMENT, {"rule": rule, "reason": _said(comment)})
        if (news := self.standing.get(rule)) is not None:
            await self.tell(news._replace(user=session.person.name, reason=_said(comment), wall_ns=wall_ns()))

    async def _shelve(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> None:
        (ms,) = given
        if not 0 < ms <= MOST_MS:
            raise Fault(_S.BadShelvingTimeOutOfRange, f"{ms} ms")
        await self._ask(session, Verb.SHELVE, {"rule": _rule(node), "minutes": ms / 60_000, "reason": "shelved over OPC UA"})

    async def _unshelve(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> None:
        await self._ask(session, Verb.UNSHELVE, {"rule": _rule(node), "reason": "taken back over OPC UA"})

    async def _ask(self, session: GuardedSession, verb: Verb, args: dict[str, object]) -> None:
        accepted, answer, _ = await self._asking.ask(session.person, verb, args)
        if not accepted:
            raise Fault(_S.BadInvalidState, answer)

    async def _refresh(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> None:
        subscription, item = given[0], given[1] if len(given) > 1 else None
        if not session.owns(subscription):
            raise Fault(_S.BadSubscriptionIdInvalid, f"subscription {subscription} is not yours")
        if wall_s() - session.refreshed_s < REFRESH_S:
            raise Fault(_S.BadRefreshInProgress, "one refresh a second")
        session.refreshed_s = wall_s()
        service = self._server.subscription_service.subscriptions[subscription].monitored_item_srv
        if item is not None and item not in service._monitored_items:
            raise Fault(_S.BadMonitoredItemIdInvalid, f"item {item}")
        for event in (
            _marker(RefreshStartEvent()),
            *(self._event(news, fresh=False) for news in self.standing.values()),
            _marker(RefreshEndEvent()),
        ):
            await service.trigger_event(event, item)

    def _active_and_acked(self, news: AlarmNews) -> tuple[bool, bool]:
        """Return both; an alarm that is hidden keeps what it was, and one that comes while it is hidden nobody has to acknowledge."""
        state = news.state
        if state not in HIDDEN:
            return state in _ACTIVE, state not in UNSEEN
        active, acked = self._shown.get(news.rule, (state is State.SUPPRESSED, True))  # suppressed is only what is active
        if news.event in ("raise", "recur"):
            return True, True
        return active and news.event != "clear", acked

    def _event(self, news: AlarmNews, fresh: bool = True) -> AlarmCondition:
        """Return the event of ``news``; one that is not ``fresh`` gets an id of its own too, under which it may be acknowledged."""
        at_ns = news.wall_ns
        event = _with_types(AlarmCondition(sourcenode=node_id("Oven"), message=f"{news.rule}: {news.text}"[:400],
                                           severity=SEVERITY.get(news.priority, 500)))  # fmt: skip
        _head(event, at_ns)
        self._event_rule[event.EventId] = news.rule
        while len(self._event_rule) > _REMEMBERED:
            self._event_rule.pop(next(iter(self._event_rule)))
        state = news.state
        active, acked = self._shown[news.rule]
        event.SourceName, event.ConditionName = "Oven", news.rule
        event.add_property("NodeId", node_id(f"Oven.Alarms.{news.rule}"), _V.NodeId)
        event.ConditionClassId, event.ConditionClassName = ua.NodeId(ua.ObjectIds.ProcessConditionClassType), ua.LocalizedText("Process")
        event.BranchId = ua.NodeId()  # there is one branch only
        event.Retain = state is not State.NORMAL
        event.Comment, event.ClientUserId = ua.LocalizedText(news.reason), news.user
        event.Quality, event.LastSeverity = ua.StatusCode(_S.Good), event.Severity
        event.AudibleEnabled = False
        event.SuppressedOrShelved = state in HIDDEN
        for name, on, true, false in (
            ("EnabledState", True, "Enabled", "Disabled"),
            ("ActiveState", active, "Active", "Inactive"),
            ("AckedState", acked, "Acknowledged", "Unacknowledged"),
            ("SuppressedState", state is State.SUPPRESSED, "Suppressed", "Unsuppressed"),
            ("OutOfServiceState", state is State.OUT_OF_SERVICE, "Out of service", "In service"),
            ("LatchedState", state in (State.LATCHED_UNACK, State.LATCHED_ACK), "Latched", "Unlatched"),
        ):
            setattr(event, name, ua.LocalizedText(true if on else false))
            setattr(event, f"{name}/Id", on)
            if hasattr(event, f"{name}/TransitionTime"):
                setattr(event, f"{name}/TransitionTime", event.Time)
        shelved = "TimedShelved" if state is State.SHELVED else "Unshelved"
        event.add_property("ShelvingState/CurrentState", ua.LocalizedText(shelved), _V.LocalizedText)
        event.add_property("ShelvingState/CurrentState/Id", _SHELF[shelved], _V.NodeId)
        return event


def _marker(event: Any) -> Any:
    _head(_with_types(event), wall_ns())
    event.SourceNode, event.SourceName, event.Severity, event.Message = _SERVER, "Server", 1, ua.LocalizedText("condition refresh")
    return event


def _head(event: Any, at_ns: int) -> None:
    event.EventId = secrets.token_bytes(16)
    event.Time = datetime.fromtimestamp(at_ns / 1e9, UTC)
    event.ReceiveTime = datetime.now(UTC)
    event.LocalTime = None
    event.emitting_node = _SERVER


def _with_types(event: Any) -> Any:
    """Give every field a type that the library can send: it knows no subtypes of DateTime and Double."""
    event.data_types = copy.copy(event.data_types)
    for name, type_ in event.data_types.items():
        if isinstance(type_, ua.NodeId):
            event.data_types[name] = _PLAIN.get(type_.Identifier, _V.Variant)
    return event


def _rule(node: ua.NodeId) -> str:
    identifier = str(node.Identifier)
    if node.NamespaceIndex != 2 or not identifier.startswith("Oven.Alarms."):
        raise Fault(_S.BadNodeIdInvalid, "no condition")
    return identifier.removeprefix("Oven.Alarms.").split(".")[0]


def _said(comment: Any) -> str:
    text = str(getattr(comment, "Text", "") or "")[:400]
    return "".join(letter for letter in text if letter.isprintable())
