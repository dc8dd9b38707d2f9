"""What every event of this server has, and what the library needs of it."""

import copy
import secrets
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import ua

SERVER: Final = ua.NodeId(ua.ObjectIds.Server)
_V: Final = ua.VariantType
_PLAIN: Final = {ua.ObjectIds.UtcTime: _V.DateTime, ua.ObjectIds.Duration: _V.Double, ua.ObjectIds.LocaleId: _V.String}


def head(event: Any, at_ns: int) -> None:
    """Give ``event`` an id and its times; it is emitted on the Server object, because the library does not propagate notifiers."""
    event.EventId = secrets.token_bytes(16)
    event.Time = datetime.fromtimestamp(at_ns / 1e9, UTC)
    event.ReceiveTime = datetime.now(UTC)
    event.LocalTime = None
    event.emitting_node = SERVER


def with_types(event: Any) -> Any:
    """Give every field a type that the library can send: it knows no subtypes of DateTime and Double."""
    event.data_types = copy.copy(event.data_types)
    for name, type_ in event.data_types.items():
        if isinstance(type_, ua.NodeId):
            event.data_types[name] = _PLAIN.get(type_.Identifier, _V.Variant)
    return event
