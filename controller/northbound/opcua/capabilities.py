"""What the server says of itself in namespace 0: the bounds that it keeps, and what its history can."""

from typing import Final

from asyncua import Server, ua

from controller.northbound.opcua import aggregates, bounds, history, paging, prescan, where
from controller.recipe.reading import MAX_BYTES

_U16, _U32, _BIT = ua.VariantType.UInt16, ua.VariantType.UInt32, ua.VariantType.Boolean
_SERVER: Final = {
    "ServerProfileArray": ([], ua.VariantType.String),  # nobody has certified one
    "LocaleIdArray": (["en"], ua.VariantType.String),
    "MinSupportedSampleRate": (bounds.INTERVAL_MS[0], ua.VariantType.Double),
    "MaxBrowseContinuationPoints": (paging.MOST, _U16),
    "MaxQueryContinuationPoints": (0, _U16),
    "MaxHistoryContinuationPoints": (0, _U16),  # no limit: the server keeps none, the client carries them
    "MaxArrayLength": (prescan.MOST_ELEMENTS, _U32),
    "MaxStringLength": (MAX_BYTES, _U32),
    "MaxByteStringLength": (2 * MAX_BYTES, _U32),
    "MaxSessions": (bounds.MOST_SESSIONS, _U32),
    "MaxSubscriptionsPerSession": (bounds.MOST_SUBSCRIPTIONS, _U32),
    "MaxMonitoredItemsPerSubscription": (bounds.MOST_ITEMS, _U32),
    "MaxSelectClauseParameters": (where.MOST_FIELDS, _U32),
    "MaxWhereClauseParameters": (where.MOST_ELEMENTS, _U32),
}
_OPERATIONS: Final = {
    "MaxNodesPerRead": bounds.MOST_NODES,
    "MaxNodesPerWrite": bounds.MOST_NODES,
    "MaxNodesPerBrowse": bounds.MOST_NODES,
    "MaxNodesPerRegisterNodes": bounds.MOST_NODES,
    "MaxNodesPerTranslateBrowsePathsToNodeIds": bounds.MOST_NODES,
    "MaxMonitoredItemsPerCall": bounds.MOST_NODES,
    "MaxNodesPerMethodCall": prescan.MOST_CALLS,
    "MaxNodesPerHistoryReadData": bounds.MOST_HISTORY,
}
_HISTORY: Final = {
    "AccessHistoryDataCapability": (True, _BIT),
    "ServerTimestampSupported": (False, _BIT),
    "MaxReturnDataValues": (history.PAGE, _U32),
    "MaxReturnEventValues": (0, _U32),
    **{f"{what}Capability": (False, _BIT) for what in (
        "AccessHistoryEvents", "InsertData", "ReplaceData", "UpdateData", "DeleteRaw", "DeleteAtTime", "InsertEvent", "ReplaceEvent",
        "UpdateEvent", "DeleteEvent", "InsertAnnotation")},
}  # fmt: skip


async def tell(server: Server) -> None:
    """Write them; nodes that this release of the library does not have are left out."""
    values = {f"Server_ServerCapabilities_{name}": said for name, said in _SERVER.items()}
    values |= {f"Server_ServerCapabilities_OperationLimits_{name}": (most, _U32) for name, most in _OPERATIONS.items()}
    values |= {f"HistoryServerCapabilities_{name}": said for name, said in _HISTORY.items()}
    for name, (value, kind) in values.items():
        node = ua.NodeId(getattr(ua.ObjectIds, name))
        if node in server.iserver.aspace:
            await server.get_node(node).write_value(ua.Variant(value, kind, is_array=isinstance(value, list)))
    for folder in (ua.ObjectIds.Server_ServerCapabilities_AggregateFunctions, ua.ObjectIds.HistoryServerCapabilities_AggregateFunctions):
        for function in aggregates.SUPPORTED:
            await server.get_node(ua.NodeId(folder)).add_reference(ua.NodeId(function), ua.ObjectIds.Organizes)
