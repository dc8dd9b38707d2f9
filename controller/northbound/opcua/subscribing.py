"""Subscriptions of a session: one's own only, bounded, and of nothing that the person may not see."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError

from controller.northbound.opcua.bounds import INTERVAL_MS, MOST_ITEMS, MOST_SUBSCRIPTIONS, bounded, names
from controller.northbound.opcua.items import Items, objection
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
        params.RequestedPublishingInterval = _interval_ms(params.RequestedPublishingInterval)
        params.RequestedLifetimeCount = max(params.RequestedLifetimeCount, 3 * params.RequestedMaxKeepAliveCount)
        made = await super().create_subscription(params, callback, request_callback)
        subscription = self.subscription_service.subscriptions[made.SubscriptionId]
        subscription.monitored_item_srv = Items(subscription, self.aspace, self.person.role)
        return made

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
            if item is not None and item.where_clause_evaluator is not None:
                service.judge(item)
        found = iter(made)
        return [next(found) if code is None else ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(code)) for code in codes]

    def _unfit(self, item: ua.MonitoredItemCreateRequest) -> int | None:
        node, asked = item.ItemToMonitor, item.RequestedParameters.Filter
        if not self.sees(node.NodeId):
            self.denied("CreateMonitoredItems " + names((node.NodeId,)))
            return ua.StatusCodes.BadUserAccessDenied
        if isinstance(asked, ua.ExtensionObject):  # what the library makes of "no filter", and then trips over
            item.RequestedParameters.Filter = asked = None
        return objection(node, asked)

    async def modify_monitored_items(self, params: ua.ModifyMonitoredItemsParameters) -> list[ua.MonitoredItemModifyResult]:
        """Change queue, handle and filter of one's own items; they keep sampling as values come."""
        self._own(params.SubscriptionId)
        bounded(params.ItemsToModify)
        return await super().modify_monitored_items(params)

    async def set_monitoring_mode(self, params: ua.SetMonitoringModeParameters) -> list[ua.StatusCode]:
        """Set the mode of one's own items."""
        self._own(params.SubscriptionId)
        return await super().set_monitoring_mode(params)

    async def set_publishing_mode(self, params: ua.SetPublishingModeParameters) -> list[ua.StatusCode]:
        """Switch one's own subscriptions on or off."""
        wanted = bounded(params.SubscriptionIds)
        params.SubscriptionIds = mine = [one for one in wanted if self.owns(one)]
        done = dict(zip(mine, await super().set_publishing_mode(params), strict=True))
        return [done.get(one, ua.StatusCode(ua.StatusCodes.BadSubscriptionIdInvalid)) for one in wanted]

    def modify_subscription(self, params: ua.ModifySubscriptionParameters) -> ua.ModifySubscriptionResult:
        """Change interval and counts of one's own subscription, inside the bounds; the answer says what they are."""
        self._own(params.SubscriptionId)
        service, subscription = self.subscription_service, self.subscription_service.subscriptions[params.SubscriptionId]
        kept, before_ms = subscription.data, subscription.data.RevisedPublishingInterval
        kept.RevisedPublishingInterval = _interval_ms(params.RequestedPublishingInterval)
        kept.RevisedMaxKeepAliveCount = service._clamp_keep_alive_count(params.RequestedMaxKeepAliveCount)
        kept.RevisedLifetimeCount = service._clamp_lifetime_count(max(params.RequestedLifetimeCount, 3 * kept.RevisedMaxKeepAliveCount))
        if kept.RevisedPublishingInterval != before_ms and subscription._task is not None:  # its loop has taken the interval at its start
            subscription._task.cancel()
            subscription._task = asyncio.create_task(subscription._subscription_loop(), name="subscription")
        return super().modify_subscription(params)

    def republish(self, params: ua.RepublishParameters) -> ua.NotificationMessage:
        """Send a message of one's own subscription again; it is kept until it is acknowledged. Raises ServiceError when it is not."""
        self._own(params.SubscriptionId)
        kept = self.subscription_service.subscriptions[params.SubscriptionId]._not_acknowledged_results
        if (found := kept.get(params.RetransmitSequenceNumber)) is None:
            raise ServiceError(ua.StatusCodes.BadMessageNotAvailable)
        return found.NotificationMessage

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
        """Take over subscriptions of sessions of the same person and the same application; the old session is told."""
        wanted = bounded(params.SubscriptionIds)
        mine = [one for one in wanted if self._was_mine(one)]
        if len(self._mine()) + len([one for one in mine if not self.owns(one)]) > MOST_SUBSCRIPTIONS:
            raise ServiceError(ua.StatusCodes.BadTooManySubscriptions)
        params.SubscriptionIds = mine
        for one in mine:
            await _let_go(self.subscription_service.subscriptions[one], callback)
        moved = dict(zip(mine, await super().transfer_subscriptions(params, callback), strict=True))
        if params.SendInitialValues:
            for one in mine:
                await self.subscription_service.subscriptions[one].monitored_item_srv.again()
        if len(mine) < len(wanted):
            self.denied("TransferSubscriptions")
        return [moved.get(one) or self._not_moved(one) for one in wanted]

    def _not_moved(self, subscription: int) -> ua.TransferResult:
        there = subscription in self.subscription_service.subscriptions
        return ua.TransferResult(ua.StatusCode(ua.StatusCodes.BadUserAccessDenied if there else ua.StatusCodes.BadSubscriptionIdInvalid))

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


def _interval_ms(asked: float) -> float:
    low, high = INTERVAL_MS
    return min(max(asked, low), high) if asked == asked else low


async def _let_go(subscription: Any, callback: Callable[..., Any]) -> None:
    """Take a subscription off its old connection, which is told so, and give it the publish requests of the one behind ``callback``."""
    old, new = subscription.pub_request_callback.__self__, callback.__self__  # type: ignore[attr-defined]
    if old is not new:
        old._publish_results_subs.pop(subscription.data.SubscriptionId, None)
        if old._publish_requests and not old._transport.is_closing():
            said = ua.StatusChangeNotification(ua.StatusCode(ua.StatusCodes.GoodSubscriptionTransferred))
            message = ua.NotificationMessage(subscription._notification_seq, NotificationData=[said])
            result = ua.PublishResult(subscription.data.SubscriptionId, NotificationMessage=message)
            await old.forward_publish_response(result, old._publish_requests.popleft())
    subscription.pub_request_callback = new.get_publish_request
