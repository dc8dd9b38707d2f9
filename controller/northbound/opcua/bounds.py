"""What one session may ask for at most, and the small things that every service needs."""

import struct
from collections.abc import Iterable
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.uacrypto import InvalidSignature as ForgedSignature
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

MOST_NODES: Final = 1000  # in one request
MOST_HISTORY: Final = 20
MOST_SUBSCRIPTIONS: Final = 10  # of one session
MOST_ITEMS: Final = 1000  # of one session
MOST_SESSIONS: Final = 24
INTERVAL_MS: Final = (100.0, 60_000.0)
# What bytes of a stranger make of the library's decoders and of cryptography.
HOSTILE: Final = (ServiceError, ua.UaError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError,
                  AssertionError, MemoryError, OSError, struct.error, InvalidSignature, ForgedSignature, UnsupportedAlgorithm)  # fmt: skip
OVEN_INDEX: Final = 2
DENIED: Final = ua.StatusCode(ua.StatusCodes.BadUserAccessDenied)


def bounded(items: list[Any] | None, most: int = MOST_NODES) -> list[Any]:
    """Return ``items``, none for None. Raises ServiceError when there are too many."""
    if items and len(items) > most:
        raise ServiceError(ua.StatusCodes.BadTooManyOperations)
    return items or []


def plain(node: ua.NodeId) -> ua.NodeId:
    """Return ``node`` without what makes it expanded."""
    return ua.NodeId(node.Identifier, node.NamespaceIndex) if isinstance(node, ua.ExpandedNodeId) else node


def names(nodes: Iterable[ua.NodeId]) -> str:
    """Return the first few nodes for the audit."""
    shown = [node.to_string() for node in nodes]
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
