"""Alarms and conditions: every change of an alarm in the journal becomes an event, and the standard's methods become commands.

Events are emitted on the Server object with the oven as their source, because the library does not propagate notifiers.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from asyncua import ua
from asyncua.common.event_objects import AlarmCondition, AuditUpdateMethodEvent, RefreshEndEvent, RefreshStartEvent

from controller.alarms.rationalisation import TO_CONFIRM, priority
from controller.alarms.states import HIDDEN, UNSEEN, State
from controller.clock import wall_ns, wall_s
from controller.northbound.opcua.batch import Asking
from controller.northbound.opcua.events import SERVER, head, with_types
from controller.northbound.opcua.inner import OvenServer
from controller.northbound.opcua.instances import Instances
from controller.northbound.opcua.methods import Fault
from controller.northbound.opcua.port import AlarmNews
from controller.northbound.opcua.session import GuardedSession
from controller.northbound.opcua.space import TEXT_OF, node_id
from controller.recipe.states import Verb

SEVERITY: Final = {"CRITICAL": 900, "HIGH": 700, "MEDIUM": 500, "LOW": 300, "JOURNAL": 100}
REFRESH_S: Final = 1.0  # of one session at most so often
MOST_MS: Final = 480 * 60_000.0
_REMEMBERED: Final = 1000  # event ids
_S: Final = ua.StatusCodes
_V: Final = ua.VariantType
_ACTIVE: Final = frozenset({State.UNACK, State.ACK})
_TO_CONFIRM: Final = frozenset({State.ACK, State.LATCHED_ACK, State.UNCONFIRMED})
_SHELF: Final = {name: ua.NodeId(getattr(ua.ObjectIds, f"ShelvedStateMachineType_{name}")) for name in ("TimedShelved", "Unshelved")}


class Conditions:
    """The alarms as conditions: remembers how each stands and under which event id clients know it."""

    def __init__(
        self, server: OvenServer, asking: Asking, instances: Instances | None = None, shelve_max_min: float = MOST_MS / 6e4
    ) -> None:
        """Start with every alarm normal; ``instances`` are the nodes that show them."""
        self._server = server
        self._asking = asking
        self._instances = instances
        self._most_ms = shelve_max_min * 60_000.0
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
        if self._instances is not None:
            await self._instances.show(news.rule, event)
        await self._server.subscription_service.trigger_event(event)

    async def begin(self, rules: Iterable[str]) -> None:
        """Show every alarm normal before anything is known of it."""
        for rule in rules:
            news = AlarmNews(rule, State.NORMAL, priority(rule).value, "", TEXT_OF.get(rule, ""), "", "", "", False, wall_ns())
            self._shown[rule] = self._active_and_acked(news)
            event = self._event(news)
            del self._shown[rule]  # what stands already is told next, and may be hidden: then it counts that nothing is known
            if self._instances is not None:
                await self._instances.show(rule, event)
                await asyncio.sleep(0)

    def methods(self) -> dict[int, tuple[str, tuple[ua.VariantType, ...], Any]]:
        """Return the standard's methods by their ns=0 identifier."""
        ids = ua.ObjectIds
        return {
            ids.AcknowledgeableConditionType_Acknowledge: ("Condition.Acknowledge", (_V.ByteString, _V.LocalizedText), self._acknowledge),
            ids.AcknowledgeableConditionType_Confirm: ("Condition.Confirm", (_V.ByteString, _V.LocalizedText), self._confirm),
            ids.ConditionType_Enable: ("Condition.Enable", (), self._enable),
            ids.ConditionType_Disable: ("Condition.Disable", (), self._disable),
            ids.ConditionType_AddComment: ("Condition.AddComment", (_V.ByteString, _V.LocalizedText), self._comment),
            ids.AlarmConditionType_ShelvingState_TimedShelve: ("Condition.TimedShelve", (_V.Double,), self._shelve),
            ids.ShelvedStateMachineType_TimedShelve: ("Condition.TimedShelve", (_V.Double,), self._shelve),
            ids.AlarmConditionType_ShelvingState_Unshelve: ("Condition.Unshelve", (), self._unshelve),
            ids.ShelvedStateMachineType_Unshelve: ("Condition.Unshelve", (), self._unshelve),
            ids.AlarmConditionType_ShelvingState_OneShotShelve: ("Condition.OneShotShelve", (), self._one_shot),
            ids.ShelvedStateMachineType_OneShotShelve: ("Condition.OneShotShelve", (), self._one_shot),
            ids.ConditionType_ConditionRefresh: ("Condition.ConditionRefresh", (_V.UInt32,), self._refresh),
            ids.ConditionType_ConditionRefresh2: ("Condition.ConditionRefresh2", (_V.UInt32, _V.UInt32), self._refresh),
        }

    def audit(self, user: str, what: str, answer: str, done: bool) -> AuditUpdateMethodEvent:
        """Return an audit event."""
        event = with_types(AuditUpdateMethodEvent(sourcenode=SERVER, message=f"{what}: {answer}"[:400], severity=1 if done else 500))
        head(event, wall_ns())
        event.SourceName = "Method/Call" if what.startswith("Call ") else f"Session/{what.partition(' ')[0]}"
        event.ActionTimeStamp, event.Status, event.ClientUserId, event.ServerId = event.Time, done, user, "ovenctl"
        return event

    async def _acknowledge(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> None:
        rule, comment = self._meant(node, given)
        if (news := self.standing.get(rule)) is not None and news.state in HIDDEN:
            raise Fault(_S.BadInvalidState, f"{rule} is {news.state.name.lower()}: what is hidden cannot have been seen")
        if news is None or news.state not in UNSEEN:
            raise Fault(_S.BadConditionBranchAlreadyAcked, f"{rule} is acknowledged already")
        await self._ask(session, Verb.ACKNOWLEDGE, {"rule": rule, "reason": _said(comment)})

    def _meant(self, node: ua.NodeId, given: list[Any]) -> tuple[str, Any]:
        """Return the rule whose event was named, and the comment to it. Raises Fault."""
        event_id, comment = given
        rule = _rule(node)
        if self._event_rule.get(bytes(event_id or b"")) != rule:
            raise Fault(_S.BadEventIdUnknown, f"{rule}: no event with this id")
        return rule, comment

    async def _confirm(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> None:
        rule, comment = self._meant(node, given)
        state = news.state if (news := self.standing.get(rule)) is not None else State.NORMAL
        if _confirmed(rule, state):
            raise Fault(_S.BadConditionBranchAlreadyConfirmed, f"{rule} is {state.name}: there is nothing to confirm")
        if state is not State.UNCONFIRMED:
            raise Fault(_S.BadInvalidState, f"{rule} is {state.name}: only what is gone and acknowledged can be confirmed")
        await self._ask(session, Verb.CONFIRM_ALARM, {"rule": rule, "reason": _said(comment)})

    async def _enable(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> None:
        raise Fault(_S.BadConditionAlreadyEnabled, f"{_rule(node)}: every alarm is enabled, always")

    async def _disable(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> None:
        raise Fault(_S.BadNotSupported, f"{_rule(node)}: an interlock's alarm is never disabled; an engineer takes it out of service")

    async def _one_shot(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> None:
        raise Fault(_S.BadNotSupported, f"{_rule(node)}: a shelf always has an end; TimedShelve")

    async def _comment(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> None:
        rule, comment = self._meant(node, given)
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
        event = with_types(AlarmCondition(sourcenode=node_id("Oven"), message=f"{news.rule}: {news.text}"[:400],
                                           severity=SEVERITY.get(news.priority, 500)))  # fmt: skip
        head(event, at_ns)
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
            ("ConfirmedState", _confirmed(news.rule, state), "Confirmed", "Unconfirmed"),
            ("SuppressedState", state is State.SUPPRESSED, "Suppressed", "Unsuppressed"),
            ("OutOfServiceState", state is State.OUT_OF_SERVICE, "Out of service", "In service"),
            ("LatchedState", state in (State.LATCHED_UNACK, State.LATCHED_ACK), "Latched", "Unlatched"),
        ):
            setattr(event, name, ua.LocalizedText(true if on else false))
            setattr(event, f"{name}/Id", on)
            if hasattr(event, f"{name}/TransitionTime"):
                setattr(event, f"{name}/TransitionTime", event.Time)
        for name in ("Quality", "LastSeverity", "Comment"):
            setattr(event, f"{name}/SourceTimestamp", event.Time)
        event.InputNode, event.MaxTimeShelved = ua.NodeId(), self._most_ms
        shelved = "TimedShelved" if state is State.SHELVED else "Unshelved"
        event.add_property("ShelvingState/CurrentState", ua.LocalizedText(shelved), _V.LocalizedText)
        event.add_property("ShelvingState/CurrentState/Id", _SHELF[shelved], _V.NodeId)
        event.add_property("ShelvingState/UnshelveTime", news.shelf_s * 1000.0 if state is State.SHELVED else 0.0, _V.Double)
        return event


def _confirmed(rule: str, state: State) -> bool:
    """Return ConfirmedState: as in the standard's examples, the need to confirm begins with the acknowledgement."""
    return rule not in TO_CONFIRM or state not in _TO_CONFIRM


def _marker(event: Any) -> Any:
    head(with_types(event), wall_ns())
    event.SourceNode, event.SourceName, event.Severity, event.Message = SERVER, "Server", 1, ua.LocalizedText("condition refresh")
    return event


def _rule(node: ua.NodeId) -> str:
    identifier = str(node.Identifier)
    if node.NamespaceIndex != 2 or not identifier.startswith("Oven.Alarms."):
        raise Fault(_S.BadNodeIdInvalid, "no condition")
    rule = identifier.removeprefix("Oven.Alarms.").split(".")[0]
    if rule not in TEXT_OF:
        raise Fault(_S.BadNodeIdUnknown, f"{rule[:40]}: no condition")
    return rule


def _said(comment: Any) -> str:
    text = str(getattr(comment, "Text", "") or "")[:400]
    return "".join(letter for letter in text if letter.isprintable())
