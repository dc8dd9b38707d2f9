"""Method calls: one table of what they take, checked in one place; each call, done or refused, is told to the audit."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from asyncua import ua

from controller.errors import OvenctlError
from controller.northbound.opcua import access
from controller.northbound.opcua.bounds import OVEN_INDEX
from controller.northbound.opcua.session import GuardedSession

_S: Final = ua.StatusCodes
_V: Final = ua.VariantType
LONGEST_TEXT: Final = 400
_AT_ONCE: Final = 4  # calls that are being carried out


class Arg(NamedTuple):
    """One argument. Numbers lie inside low and high, texts have at most ``most`` characters, arrays at most 20 elements."""

    name: str
    type: str  # a key of ``_VARIANT``, with [] for an array; BaseDataType: any, of which a String is taken
    text: str
    low: float = -1e12
    high: float = 1e12
    most: int = LONGEST_TEXT


MOST_ELEMENTS: Final = 20
JOB_INDEX: Final = 7  # namespace of ISA-95 Job Control in this server
_STRUCTURES: Final = {"ISA95JobOrderDataType": 3008, "ISA95JobResponseDataType": 3013, "ISA95StateDataType": 3006}
_VARIANT: Final = {
    "String": _V.String, "Double": _V.Double, "UInt32": _V.UInt32, "Boolean": _V.Boolean, "Byte": _V.Byte, "Int32": _V.Int32,
    "UInt64": _V.UInt64, "ByteString": _V.ByteString, "NodeId": _V.NodeId, "BaseDataType": _V.String,
    "LocalizedText": _V.LocalizedText, **dict.fromkeys(_STRUCTURES, _V.ExtensionObject),
}  # fmt: skip
_EMPTY: Final = {"String": "", "BaseDataType": "", "ByteString": b""}  # what a null of these types means
Values = Mapping[str, Any]
Handler = Callable[[Any, Values], Awaitable[tuple[Any, ...]]]  # of a Person, or of a GuardedSession where ``of_session``


class Method(NamedTuple):
    """One method: its name after the object (``Batch.Hold``), what it takes and gives.

    ``of_session``: what it does belongs to one session, so that its handler gets the session instead of the person.
    ``type_id``: its number in its standard's type.
    """

    name: str
    text: str
    inputs: tuple[Arg, ...]
    outputs: tuple[Arg, ...]
    handle: Handler
    type_id: int = 0
    of_session: bool = False

    @property
    def namespace(self) -> int:
        """Return the namespace of its name: the standard's own where a standard has given it."""
        return JOB_INDEX if self.type_id else 0 if self.of_session else OVEN_INDEX


class Fault(OvenctlError):  # noqa: N818 (a status code on its way out)
    """A call that ends with a bad status code."""

    def __init__(self, code: int, text: str) -> None:
        """Keep the status code; ``text`` goes to the audit."""
        self.code = code
        super().__init__(text)


Standard = Callable[[GuardedSession, ua.NodeId, list[Any]], Awaitable[None]]  # a method of a standard type, on an object


class Methods:
    """The oven's methods and those of the standard's condition types."""

    def __init__(self, table: tuple[Method, ...], standard: Mapping[int, tuple[str, tuple[ua.VariantType, ...], Standard]]) -> None:
        """Take the table; ``standard`` gives by ns=0 identifier a name of the role table, argument types, and what is done."""
        if unknown := {method.name for method in table} - access.METHOD_ROLES.keys():
            raise ValueError(f"methods without a role: {sorted(unknown)}")
        self.table = {f"{access.ROOT}.{method.name}": method for method in table}
        self._by_type = {method.type_id: method for method in table if method.type_id}
        self._standard = standard
        self._running = 0

    def name_of(self, node: ua.NodeId) -> str | None:
        """Return the name in the table of roles of a method's node, of the oven or of a standard's type; None for any other node."""
        if node.NamespaceIndex == 0:
            return self._standard[node.Identifier][0] if node.Identifier in self._standard else None
        found = self._by_type.get(node.Identifier) if node.NamespaceIndex == JOB_INDEX else self.table.get(str(node.Identifier))
        return None if found is None else found.name

    async def call(self, session: GuardedSession, request: ua.CallMethodRequest) -> ua.CallMethodResult:
        """Return the answer to one call."""
        result, code, name, said = ua.CallMethodResult(), _S.Good, _name(request.MethodId), ""
        if self._running >= _AT_ONCE:
            result.StatusCode = ua.StatusCode(_S.BadTooManyOperations)
            return result
        self._running += 1
        try:
            said = await self._call(session, request, result)
        except Fault as fault:
            code, said = fault.code, str(fault)
        finally:
            self._running -= 1
        if code != _S.Good:
            result.StatusCode = ua.StatusCode(code)
        if code == _S.BadUserAccessDenied:
            session.denied(f"Call {name}")
        else:
            session.server.audit(session.person.name, f"Call {name}", said or ua.StatusCode(code).name, code == _S.Good)
        return result

    async def _call(self, session: GuardedSession, request: ua.CallMethodRequest, result: ua.CallMethodResult) -> str:
        id_, arguments = request.MethodId, request.InputArguments or []
        if id_.NamespaceIndex == 0 and id_.Identifier in self._standard:
            name, types, run = self._standard[id_.Identifier]
            if not access.may_call(session.person.role, name):
                raise Fault(_S.BadUserAccessDenied, "")
            _check_types(arguments, types, result)
            await run(session, request.ObjectId, [argument.Value for argument in arguments])
            return ""
        method = self._found(id_, request.ObjectId)
        if method is None or (not session.sees(request.ObjectId) and not access.may_call(session.person.role, method.name)):
            raise Fault(_S.BadMethodInvalid if method is None else _S.BadUserAccessDenied, "no such method")
        if request.ObjectId != ua.NodeId(f"{access.ROOT}.{method.name.rpartition('.')[0]}", 2):
            raise Fault(_S.BadNodeIdInvalid, "the method belongs to another object")
        if not access.may_call(session.person.role, method.name):
            raise Fault(_S.BadUserAccessDenied, "")
        values = _checked(method, arguments, result)
        given = await method.handle(session if method.of_session else session.person, values)
        result.OutputArguments = [_variant(arg, value) for arg, value in zip(method.outputs, given, strict=True)]
        result.InputArgumentResults = [ua.StatusCode() for _ in arguments]
        return ", ".join(f"{arg.name}={_said(value)}" for arg, value in zip(method.outputs, given, strict=True))

    def _found(self, id_: ua.NodeId, object_: ua.NodeId) -> Method | None:
        """Return the method; one of a standard may be named by its type's own node too, as the standard allows."""
        if id_.NamespaceIndex == 0 and object_.NamespaceIndex == 2 and id_.Identifier in FILE_TYPE:
            return self.table.get(f"{object_.Identifier}.{FILE_TYPE[id_.Identifier]}")
        if id_.NamespaceIndex == JOB_INDEX and isinstance(id_.Identifier, int):
            return self._by_type.get(id_.Identifier)
        return self.table.get(str(id_.Identifier)) if id_.NamespaceIndex == 2 else None


FILE_TYPE: Final = {getattr(ua.ObjectIds, f"FileType_{name}"): name for name in access.FILE_METHODS} | {
    getattr(ua.ObjectIds, f"TemporaryFileTransferType_{name}"): name for name in access.TRANSFER_METHODS
}


def _said(value: Any) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)[:120]


def arguments(args: tuple[Arg, ...]) -> list[ua.Argument]:
    """Return arguments as the address space shows them."""
    shown = []
    for arg in args:
        base, array = arg.type.removesuffix("[]"), arg.type.endswith("[]")
        shown.append(
            ua.Argument(
                Name=arg.name, DataType=data_type(base), ValueRank=1 if array else -1,
                ArrayDimensions=[0] if array else [], Description=ua.LocalizedText(arg.text),
            )
        )  # fmt: skip
    return shown


def data_type(base: str) -> ua.NodeId:
    """Return the node of an argument's data type."""
    if base == "BaseDataType":
        return ua.NodeId(ua.ObjectIds.BaseDataType)
    return ua.NodeId(_STRUCTURES[base], JOB_INDEX) if base in _STRUCTURES else ua.NodeId(_VARIANT[base].value)


def _checked(method: Method, given: list[ua.Variant], result: ua.CallMethodResult) -> dict[str, Any]:
    if len(given) != len(method.inputs):
        code = _S.BadArgumentsMissing if len(given) < len(method.inputs) else _S.BadTooManyArguments
        raise Fault(code, f"{method.name} takes {len(method.inputs)} arguments, {len(given)} came")
    codes = [misfit(arg, variant) for arg, variant in zip(method.inputs, given, strict=True)]
    if any(codes):
        result.InputArgumentResults = [ua.StatusCode(code or _S.Good) for code in codes]
        wrong = ", ".join(arg.name for arg, code in zip(method.inputs, codes, strict=True) if code)
        raise Fault(_S.BadInvalidArgument, f"wrong: {wrong}")
    return {arg.name: variant.Value for arg, variant in zip(method.inputs, given, strict=True)}


def misfit(arg: Arg, variant: ua.Variant) -> int | None:
    """Return the status code of what is wrong with one argument, None when it fits; an empty array or text becomes one."""
    base, array = arg.type.removesuffix("[]"), arg.type.endswith("[]")
    value = variant.Value
    if array and value is None and variant.VariantType in (_VARIANT[base], _V.Null):
        variant.Value = value = []
    if value is None and base in _EMPTY and variant.VariantType == _VARIANT[base]:
        variant.Value = value = _EMPTY[base]
    if isinstance(value, list) != array or (variant.VariantType != _VARIANT[base] and not (array and not value)):
        return int(_S.BadTypeMismatch)
    values = value if array else [value]
    if len(values) > MOST_ELEMENTS:
        return int(_S.BadOutOfRange)
    return next((code for one in values if (code := _beyond(arg, base, one))), None)


def _beyond(arg: Arg, base: str, value: Any) -> int | None:
    if base in _EMPTY:
        fits = isinstance(value, type(_EMPTY[base])) and len(value) <= arg.most
    elif base == "LocalizedText":
        fits = isinstance(value, ua.LocalizedText) and len(value.Text or "") <= arg.most
    elif base in _STRUCTURES:
        fits = type(value).__name__ == base
    elif base == "Boolean":
        fits = isinstance(value, bool)
    else:
        fits = isinstance(value, int | float) and math.isfinite(value) and arg.low <= value <= arg.high
    return None if fits else int(_S.BadOutOfRange)


def _check_types(given: list[ua.Variant], types: tuple[ua.VariantType, ...], result: ua.CallMethodResult) -> None:
    if len(given) != len(types):
        raise Fault(_S.BadArgumentsMissing if len(given) < len(types) else _S.BadTooManyArguments, "")
    if any(one.VariantType != type_ or isinstance(one.Value, list) for one, type_ in zip(given, types, strict=True)):
        result.InputArgumentResults = [
            ua.StatusCode(_S.Good if one.VariantType == t else _S.BadTypeMismatch) for one, t in zip(given, types, strict=True)
        ]
        raise Fault(_S.BadInvalidArgument, "")


def _variant(arg: Arg, value: Any) -> ua.Variant:
    return ua.Variant(value, _VARIANT[arg.type.removesuffix("[]")], is_array=arg.type.endswith("[]"))


def _name(node: ua.NodeId) -> str:
    return str(node.Identifier)[:80] if node.NamespaceIndex else f"i={node.Identifier}"


async def on_thread(call: Callable[..., Any], *given: Any) -> Any:
    """Run something that blocks; kept apart so that every handler does it the same way."""
    return await asyncio.to_thread(call, *given)
