"""Event filters: OfType walks HasSubtype as the standard wants it, loops are refused, audit events reach only those who may see them."""

import logging
from typing import Any, Final

from asyncua import ua
from asyncua.server.address_space import AddressSpace
from asyncua.server.monitored_item_service import WhereClauseEvaluator

from controller.northbound.opcua import access
from controller.roles import Role

MOST_ELEMENTS: Final = 32
MOST_FIELDS: Final = 100
_SUBTYPE: Final = ua.NodeId(ua.ObjectIds.HasSubtype)
_AUDIT: Final = ua.NodeId(ua.ObjectIds.AuditEventType)
_REFRESH: Final = frozenset({ua.NodeId(ua.ObjectIds.RefreshStartEventType), ua.NodeId(ua.ObjectIds.RefreshEndEventType)})


def is_a(aspace: AddressSpace, type_: ua.NodeId, ancestor: ua.NodeId) -> bool:
    """Return whether the type ``type_`` is ``ancestor`` or derived from it."""
    for _ in range(32):
        if type_ == ancestor:
            return True
        node = aspace.get(type_)
        above = [ref.NodeId for ref in node.references if ref.ReferenceTypeId == _SUBTYPE and not ref.IsForward] if node else []
        if not above:
            return False
        type_ = above[0]
    return False


def unfit(filter_: Any) -> bool:
    """Return whether ``filter_`` is no event filter that can be evaluated in bounded time: too long, or an operand points backwards."""
    if not isinstance(filter_, ua.EventFilter) or not filter_.SelectClauses or len(filter_.SelectClauses) > MOST_FIELDS:
        return True
    elements = filter_.WhereClause.Elements or []
    if len(elements) > MOST_ELEMENTS:
        return True
    for index, element in enumerate(elements):
        for operand in element.FilterOperands or []:
            if isinstance(operand, ua.ElementOperand) and not index < operand.Index < len(elements):
                return True
    return sum(len(element.FilterOperands or []) for element in elements) > 8 * MOST_ELEMENTS


class Evaluator(WhereClauseEvaluator):
    """Decides for one subscription of one person."""

    def __init__(self, aspace: AddressSpace, where: ua.ContentFilter, role: Role) -> None:
        """Remember filter and role."""
        super().__init__(logging.getLogger("asyncua.where"), aspace, where)
        self._role = role

    def eval(self, event: Any) -> bool:
        """Return whether ``event`` goes to the subscriber."""
        if event.EventType in _REFRESH:  # only whoever asked for it gets them, and whatever his filter is: he has to know where it ends
            return True
        if self._role < access.AUDIT and is_a(self._aspace, event.EventType, _AUDIT):
            return False
        return super().eval(event)

    def _eval_el(self, index: int, event: Any) -> Any:
        element = self.elements[index]
        if element.FilterOperator == ua.FilterOperator.OfType:
            wanted = self._eval_op(element.FilterOperands[0], event)
            return isinstance(wanted, ua.NodeId) and is_a(self._aspace, event.EventType, wanted)
        return super()._eval_el(index, event)
