"""Subscriptions of a session: one's own only, bounded, and of nothing that the person may not see."""

from collections.abc import Callable, Iterable
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.monitored_item_service import MonitoredItemValues

from controller.northbound.opcua import where
from controller.northbound.opcua.bounds import INTERVAL_MS, MOST_ITEMS, MOST_SUBSCRIPTIONS, bounded, names
from controller.northbound.opcua.person import PersonSession


class SubscribingSession(PersonSession):
    """The services around subscriptions."""

    def owns(self, subscription: int) -> bool:
        """Return whether the subscription is this session's."""
        found = self.subscription_service.subscriptions.get(subscription)
        return found is not None and found.session_id == self.session_id

    def _own(self, subscription: int) -> None:
        if not self.owns(subscription):
            raise ServiceError(ua.StatusCodes.BadSubscriptionIdInvalid)

    def _mine(self) -> list[Any]:
        return [one for one in self.subscription_service.subscriptions.values() if one.session_id == self.session_id]

    async def create_subscription(
        self, params: ua.CreateSubscriptionParameters, callback: Callable[..., Any], request_callback: Callable[..., Any] | None = None
    ) -> ua.CreateSubscriptionResult:
        """Make a subscription with an interval inside the bounds."""
        if len(self._mine()) >= MOST_SUBSCRIPTIONS:
            raise ServiceError(ua.StatusCodes.BadTooManySubscriptions)
        low, high = INTERVAL_MS
        asked = params.RequestedPublishingInterval
        params.RequestedPublishingInterval = min(max(asked, low), high) if asked == asked else low
        return await super().create_subscription(params, callback, request_callback)

    async def create_monitored_items(self, params: ua.CreateMonitoredItemsParameters) -> list[ua.MonitoredItemCreateResult]:
        """Monitor what the person may see; event filters are checked and evaluated with their types' ancestors."""
        self._own(params.SubscriptionId)
        wanted = bounded(params.ItemsToCreate)
        if sum(len(one.monitored_item_srv._monitored_items) for one in self._mine()) + len(wanted) > MOST_ITEMS:
            raise ServiceError(ua.StatusCodes.BadTooManyMonitoredItems)
        codes = [self._unfit(item) for item in wanted]
        params.ItemsToCreate = [item for item, code in zip(wanted, codes, strict=True) if code is None]
        made = await super().create_monitored_items(params)
        service = self.subscription_service.subscriptions[params.SubscriptionId].monitored_item_srv
        for result in made:
            item = service._monitored_items.get(result.MonitoredItemId)
            if item is not None:
                item.mvalue = _Kept(item.mvalue)
            if item is not None and item.where_clause_evaluator is not None:
                item.where_clause_evaluator = where.Evaluator(self.aspace, item.filter.WhereClause, self.person.role)
        found = iter(made)
        return [next(found) if code is None else ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(code)) for code in codes]

    def _unfit(self, item: ua.MonitoredItemCreateRequest) -> int | None:
        node, asked = item.ItemToMonitor, item.RequestedParameters.Filter
        if not self.sees(node.NodeId):
            self.denied("CreateMonitoredItems " + names((node.NodeId,)))
            return ua.StatusCodes.BadUserAccessDenied
        if node.AttributeId == ua.AttributeIds.EventNotifier:
            return ua.StatusCodes.BadEventFilterInvalid if where.unfit(asked) else None
        if isinstance(asked, ua.ExtensionObject):  # what the library makes of "no filter", and then trips over
            item.RequestedParameters.Filter = asked = None
        if asked is not None and not isinstance(asked, ua.DataChangeFilter):
            return ua.StatusCodes.BadMonitoredItemFilterUnsupported
        return None

    async def modify_monitored_items(self, params: ua.ModifyMonitoredItemsParameters) -> list[ua.MonitoredItemModifyResult]:
        """Change queue sizes of one's own items; a filter stays what it was."""
        self._own(params.SubscriptionId)
        for item in bounded(params.ItemsToModify):
            item.RequestedParameters.Filter = None
            item.RequestedParameters.QueueSize = min(item.RequestedParameters.QueueSize or 1, self.server.max_monitored_item_queue_size)
        known = self.subscription_service.subscriptions[params.SubscriptionId].monitored_item_srv._monitored_items
        unknown = ua.MonitoredItemModifyResult(StatusCode=ua.StatusCode(ua.StatusCodes.BadMonitoredItemIdInvalid))
        mine = [item for item in params.ItemsToModify if item.MonitoredItemId in known]
        ids = {item.MonitoredItemId for item in mine}
        wanted, params.ItemsToModify = params.ItemsToModify, mine
        found = iter(await super().modify_monitored_items(params))
        return [next(found) if item.MonitoredItemId in ids else unknown for item in wanted]

    async def set_monitoring_mode(self, params: ua.SetMonitoringModeParameters) -> list[ua.StatusCode]:
        """Set the mode of one's own items."""
        self._own(params.SubscriptionId)
        return await super().set_monitoring_mode(params)

    async def set_publishing_mode(self, params: ua.SetPublishingModeParameters) -> list[ua.StatusCode]:
        """Switch one's own subscriptions on or off."""
        for subscription in bounded(params.SubscriptionIds):
            self._own(subscription)
        return await super().set_publishing_mode(params)

    def modify_subscription(self, params: ua.ModifySubscriptionParameters) -> ua.ModifySubscriptionResult:
        """Answer with what the subscription has: the library cannot change it."""
        self._own(params.SubscriptionId)
        return super().modify_subscription(params)

    def republish(self, params: ua.RepublishParameters) -> ua.NotificationMessage:
        """Send a message of one's own subscription again. Raises ServiceError when it is not kept any more."""
        self._own(params.SubscriptionId)
        message = super().republish(params)
        if not message.SequenceNumber:
            raise ServiceError(ua.StatusCodes.BadMessageNotAvailable)
        return message

    async def delete_monitored_items(self, params: ua.DeleteMonitoredItemsParameters) -> list[ua.StatusCode]:
        """Delete one's own items."""
        self._own(params.SubscriptionId)
        return await super().delete_monitored_items(params)

    async def delete_subscriptions(self, ids: list[int]) -> list[ua.StatusCode]:
        """Delete one's own subscriptions; to others it is as if they were not there."""
        mine = [one for one in bounded(ids) if self.owns(one)]
        deleted = dict(zip(mine, await super().delete_subscriptions(mine), strict=True))
        if len(mine) < len(ids):
            self.denied(f"DeleteSubscriptions {[one for one in ids if one not in deleted]}")
        return [deleted.get(one, ua.StatusCode(ua.StatusCodes.BadSubscriptionIdInvalid)) for one in ids]

    async def transfer_subscriptions(
        self, params: ua.TransferSubscriptionsParameters, callback: Callable[..., Any]
    ) -> list[ua.TransferResult]:
        """Take over subscriptions of sessions of the same person and the same application."""
        refused = ua.TransferResult(StatusCode=ua.StatusCode(ua.StatusCodes.BadUserAccessDenied))
        wanted = bounded(params.SubscriptionIds)
        mine = [one for one in wanted if self._was_mine(one)]
        params.SubscriptionIds = mine
        moved = dict(zip(mine, await super().transfer_subscriptions(params, callback), strict=True))
        if len(mine) < len(wanted):
            self.denied("TransferSubscriptions")
        return [moved.get(one, refused) for one in wanted]

    def _was_mine(self, subscription: int) -> bool:
        found = self.subscription_service.subscriptions.get(subscription)
        before = [one for one in self.server._external_sessions.values() if found is not None and one.session_id == found.session_id]
        return any(isinstance(one, PersonSession) and (one.person, one.certificate) == (self.person, self.certificate) for one in before)

    def publish(self, acks: Iterable[ua.SubscriptionAcknowledgement] | None = None) -> tuple[int, list[ua.StatusCode]]:
        """Acknowledge messages of one's own subscriptions."""
        if not self._mine():
            raise ServiceError(ua.StatusCodes.BadNoSubscription)
        results = []
        for ack in bounded(list(acks or [])):
            if self.owns(ack.SubscriptionId):
                self.subscription_service.subscriptions[ack.SubscriptionId].publish([ack.SequenceNumber])
                results.append(ua.StatusCode())
            else:
                results.append(ua.StatusCode(ua.StatusCodes.BadSubscriptionIdInvalid))
        return len(self._mine()), results


class _Kept(MonitoredItemValues):
    """The last two values of an item without the library's deep copies: nothing here changes a value after it was written."""

    def __init__(self, before: MonitoredItemValues) -> None:
        self.current_dvalue, self.old_dvalue = before.current_dvalue, before.old_dvalue

    def set_current_datavalue(self, cur_val: ua.DataValue) -> None:
        self.old_dvalue, self.current_dvalue = self.current_dvalue, cur_val
