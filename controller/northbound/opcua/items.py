"""Monitored items as Part 4 has them: deadbands from the value last sent, modes, and filters that can be changed.

The library compares a deadband with the value before, so that a slow ramp would never be told, sends in the mode Sampling, sends events of
disabled items and knows no percent.
"""

import math
from typing import Any, Final

from asyncua import ua
from asyncua.server.monitored_item_service import MonitoredItemService
from asyncua.ua.uaprotocol_auto import DataChangeFilter  # what comes over the wire; ua.DataChangeFilter is derived from it

from controller.northbound.opcua import where
from controller.northbound.opcua.nodes import BY_ID, Kind
from controller.roles import Role

_S: Final = ua.StatusCodes


def objection(node: ua.ReadValueId, asked: Any) -> int | None:
    """Return the status code of what is wrong with an item's filter, None when it can be kept."""
    if node.AttributeId == ua.AttributeIds.EventNotifier:
        return _S.BadEventFilterInvalid if where.unfit(asked) else None
    if node.IndexRange:
        return _S.BadIndexRangeInvalid
    if asked is None:
        return None
    if not isinstance(asked, DataChangeFilter):
        return _S.BadMonitoredItemFilterUnsupported
    if asked.DeadbandType == ua.DeadbandType.None_:
        return None
    variable = BY_ID.get(str(node.NodeId.Identifier)) if node.NodeId.NamespaceIndex == 2 else None
    if variable is None or variable.kind not in (Kind.NUMBER, Kind.WORD) or node.AttributeId != ua.AttributeIds.Value:
        return _S.BadFilterNotAllowed
    percent = asked.DeadbandType == ua.DeadbandType.Percent
    most = 100.0 if percent else math.inf
    if (percent and variable.high <= variable.low) or not (math.isfinite(asked.DeadbandValue) and 0 <= asked.DeadbandValue <= most):
        return _S.BadDeadbandFilterInvalid
    return None


class Items(MonitoredItemService):
    """The items of one subscription of one person. Values are never changed after they were written, so that none is copied."""

    def __init__(self, subscription: Any, aspace: Any, role: Role) -> None:
        """Begin with none."""
        super().__init__(subscription, aspace)
        self._role = role
        self._sent: dict[int, ua.DataValue] = {}  # what was last sent, by item
        self._unsent: dict[int, ua.DataValue] = {}  # the newest value of items that only sample

    async def datachange_callback(self, handle: int, value: ua.DataValue, error: ua.StatusCode | None = None) -> None:
        """Send a value that differs enough from the one last sent."""
        mid = self._monitored_datachange[handle]
        item = self._monitored_items[mid]
        if item.mode == ua.MonitoringMode.Reporting:
            await self._send(mid, value)
        elif item.mode == ua.MonitoringMode.Sampling:
            self._unsent[mid] = value

    async def _send(self, mid: int, value: ua.DataValue) -> None:
        item = self._monitored_items[mid]
        if _differs(self._sent.get(mid), value, item.filter, item.read_value_id.NodeId):
            self._sent[mid] = value
            told = ua.MonitoredItemNotification(ClientHandle=item.client_handle, Value=value)
            await self.isub.enqueue_datachange_event(mid, told, item.queue_size)

    async def _trigger_event(self, event: Any, mid: int) -> None:
        item = self._monitored_items.get(mid)
        if item is not None and item.mode == ua.MonitoringMode.Reporting:
            await super()._trigger_event(event, mid)

    async def _set_monitoring_mode(self, mode: ua.MonitoringMode, mid: int) -> ua.StatusCode:
        item = self._monitored_items.get(mid)
        if item is not None and mode == ua.MonitoringMode.Disabled:  # who enables it again gets the value anew
            self._sent.pop(mid, None)
            self._unsent.pop(mid, None)
            for queue in (self.isub._triggered_datachanges, self.isub._triggered_events):
                queue.pop(mid, None)
        result = await super()._set_monitoring_mode(mode, mid)
        if result.is_good() and mode == ua.MonitoringMode.Reporting and (kept := self._unsent.pop(mid, None)) is not None:
            await self._send(mid, kept)
        return result

    def _modify_monitored_item(self, params: ua.MonitoredItemModifyRequest) -> ua.MonitoredItemModifyResult:
        item = self._monitored_items.get(params.MonitoredItemId)
        result, asked = ua.MonitoredItemModifyResult(), params.RequestedParameters
        if item is None:
            result.StatusCode = ua.StatusCode(_S.BadMonitoredItemIdInvalid)
            return result
        if isinstance(asked.Filter, ua.ExtensionObject):  # what the library makes of "no filter"
            asked.Filter = None
        event = item.read_value_id.AttributeId == ua.AttributeIds.EventNotifier
        kept = item.filter if event and asked.Filter is None else asked.Filter
        if code := objection(item.read_value_id, kept):
            result.StatusCode = ua.StatusCode(code)
            return result
        item.filter, item.client_handle, item.queue_size = kept, asked.ClientHandle, self._revise_queue_size(asked.QueueSize)
        if event:
            self.judge(item)
        result.RevisedSamplingInterval, result.RevisedQueueSize = self.isub.data.RevisedPublishingInterval, item.queue_size
        return result

    def judge(self, item: Any) -> None:
        """Have an event item's filter evaluated for this person."""
        item.where_clause_evaluator = where.Evaluator(self.aspace, item.filter.WhereClause, self._role)

    def _delete_monitored_items(self, mid: int) -> ua.StatusCode:
        self._sent.pop(mid, None)
        self._unsent.pop(mid, None)
        return super()._delete_monitored_items(mid)

    async def again(self) -> None:
        """Send the newest values once more, to whoever has taken over the subscription."""
        self._sent.clear()
        for item in self._monitored_items.values():
            if item.callback_handle is not None and item.read_value_id is not None and item.mode == ua.MonitoringMode.Reporting:
                await self.trigger_datachange(item.callback_handle, item.read_value_id.NodeId, item.read_value_id.AttributeId)


def _differs(before: ua.DataValue | None, value: ua.DataValue, asked: DataChangeFilter | None, node: ua.NodeId) -> bool:
    """Return whether ``value`` is to be sent after ``before``."""
    if before is None or before.StatusCode != value.StatusCode:
        return True
    trigger = ua.DataChangeTrigger.StatusValue if asked is None else asked.Trigger
    if trigger == ua.DataChangeTrigger.StatusValueTimestamp and before.SourceTimestamp != value.SourceTimestamp:
        return True
    if trigger == ua.DataChangeTrigger.Status or before.Value == value.Value:
        return False
    if asked is None or asked.DeadbandType == ua.DeadbandType.None_ or before.Value is None or value.Value is None:
        return True
    if before.Value.Value is None or value.Value.Value is None:
        return True
    variable = BY_ID[str(node.Identifier)]
    share = (variable.high - variable.low) / 100.0 if asked.DeadbandType == ua.DeadbandType.Percent else 1.0
    return abs(value.Value.Value - before.Value.Value) > asked.DeadbandValue * share
