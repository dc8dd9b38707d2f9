"""The address space: built once from the tables, then fed from the journal in slices that leave the loop to others."""

import asyncio
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import ua
from asyncua.server.internal_server import InternalServer

from controller.interlocks.table import RULES
from controller.northbound.opcua import access
from controller.northbound.opcua.nodes import BY_ID, VARIABLES, Kind, Variable, unit_id
from controller.northbound.opcua.port import News, Seen
from controller.recipe.states import UnitState
from controller.tags import Quality

INDEX: Final = 2
SLICE: Final = 50  # values written between two turns of the loop
_TYPES: Final = {
    Kind.NUMBER: ua.VariantType.Double, Kind.BIT: ua.VariantType.Boolean, Kind.WORD: ua.VariantType.UInt32,
    Kind.TEXT: ua.VariantType.String, Kind.NUMBERS: ua.VariantType.Double, Kind.TEXTS: ua.VariantType.String,
}  # fmt: skip
_ARRAYS: Final = (Kind.NUMBERS, Kind.TEXTS)
_S: Final = ua.StatusCodes
STATUS: Final[Mapping[Quality, int]] = {
    Quality.GOOD: _S.Good, Quality.STALE: _S.BadDataUnavailable, Quality.BAD_WIRE: _S.BadNoCommunication,
    Quality.BAD_SENSOR: _S.BadSensorFailure, Quality.BAD_RANGE: _S.BadOutOfRange, Quality.ABSENT: _S.BadNotConnected,
}  # fmt: skip
_STANDARD: Final = ("MachineryIdentification", "PackML", "Jobs", "JobResponses")  # made by ``models``
TEXT_OF: Final = {rule.id: rule.text for rule in RULES}


def node_id(identifier: str) -> ua.NodeId:
    """Return the node id in the oven's namespace."""
    return ua.NodeId(identifier, INDEX)


class Space:
    """Builds the nodes and keeps their values."""

    def __init__(self, server: InternalServer) -> None:
        """Remember the library's inner server; ``build`` makes the nodes."""
        self._server = server
        self._written: dict[str, tuple[object, int]] = {}

    async def build(self, rules: Iterable[str]) -> None:
        """Make every node of the oven; ``rules`` are those of the conditions."""
        self.add(ua.NodeId(ua.ObjectIds.ObjectsFolder), access.ROOT, "the oven", ua.ObjectIds.BaseObjectType, ua.ObjectIds.Organizes)
        for part in access.PARTS:
            if part.name in _STANDARD:
                continue
            self.add(node_id(access.ROOT), f"{access.ROOT}.{part.name}", part.text)
            await asyncio.sleep(0)
        for count, variable in enumerate(VARIABLES):
            self._variable(variable)
            if count % 20 == 0:
                await asyncio.sleep(0)
        for rule in rules:
            self.add(node_id("Oven.Alarms"), f"Oven.Alarms.{rule}", TEXT_OF.get(rule, ""), ua.ObjectIds.AlarmConditionType)

    def add(self, parent: ua.NodeId, identifier: str, text: str, type_: int = ua.ObjectIds.BaseObjectType,
            reference: int = ua.ObjectIds.HasComponent, index: int = INDEX) -> None:  # fmt: skip
        """Add an object; ``index`` is the namespace of its name."""
        self._add(parent, identifier, ua.NodeClass.Object, ua.ObjectAttributes(EventNotifier=0), text, type_, reference, index)

    def add_property(self, parent: str, name: str, value: ua.Variant) -> None:
        """Add a property that the standard names."""
        self._property(parent, name, value, ua.NodeId(value.VariantType.value), index=0)

    def add_method(self, parent: str, name: str, text: str, inputs: list[ua.Argument], outputs: list[ua.Argument],
                   index: int = INDEX) -> None:  # fmt: skip
        """Add a method with its arguments; ``index`` is the namespace of its name: 0 where the standard has given it."""
        identifier = f"{parent}.{name}"
        attributes = ua.MethodAttributes(Executable=True, UserExecutable=True)
        self._add(node_id(parent), identifier, ua.NodeClass.Method, attributes, text, None, index=index)
        for which, arguments in (("InputArguments", inputs), ("OutputArguments", outputs)):
            if arguments:
                value = ua.Variant(arguments, ua.VariantType.ExtensionObject)
                self._property(identifier, which, value, ua.NodeId(ua.ObjectIds.Argument), index=0)

    def add_type(self, above: ua.NodeId, identifier: str, text: str) -> None:
        """Add an object type below one of a standard."""
        attributes = ua.ObjectTypeAttributes(IsAbstract=False)
        self._add(above, identifier, ua.NodeClass.ObjectType, attributes, text, None, ua.ObjectIds.HasSubtype)

    def place(self, parent: ua.NodeId, identifier: str, type_: ua.NodeId, browse: ua.QualifiedName, reference: int) -> None:
        """Add an object of a standard's type under a standard's browse name."""
        attributes = ua.ObjectAttributes(EventNotifier=0)
        self._place(parent, identifier, ua.NodeClass.Object, attributes, browse, type_, reference)

    def place_variable(self, parent: str, identifier: str, browse: ua.QualifiedName, kind: ua.VariantType, type_: int,
                       data_type: ua.NodeId | None = None, array: bool = False) -> None:  # fmt: skip
        """Add a variable of a standard's object, without a value yet."""
        attributes = ua.VariableAttributes(
            Value=ua.Variant([], kind, is_array=True) if array else ua.Variant(), DataType=data_type or ua.NodeId(kind.value),
            ValueRank=ua.ValueRank.OneDimension if array else ua.ValueRank.Scalar, AccessLevel=1, UserAccessLevel=1, Historizing=False,
        )  # fmt: skip
        reference = ua.ObjectIds.HasProperty if type_ == ua.ObjectIds.PropertyType else ua.ObjectIds.HasComponent
        self._place(node_id(parent), identifier, ua.NodeClass.Variable, attributes, browse, ua.NodeId(type_), reference)

    def _variable(self, variable: Variable) -> None:
        typed = _TYPES[variable.kind]
        attributes = ua.VariableAttributes(
            Value=ua.Variant(_blank(variable.kind), typed, is_array=variable.kind in _ARRAYS),
            DataType=ua.NodeId(typed.value),
            ValueRank=ua.ValueRank.OneDimension if variable.kind in _ARRAYS else ua.ValueRank.Scalar,
            AccessLevel=5 if variable.has_history else 1,  # CurrentRead, HistoryRead
            UserAccessLevel=5 if variable.has_history else 1,
            Historizing=variable.has_history,
            MinimumSamplingInterval=1000.0,
        )
        analog = variable.kind is Kind.NUMBER and variable.high > variable.low
        discrete = variable.kind is Kind.BIT
        type_ = (
            ua.ObjectIds.AnalogItemType if analog else ua.ObjectIds.TwoStateDiscreteType if discrete else ua.ObjectIds.BaseDataVariableType
        )
        self._add(node_id(f"Oven.{variable.part}"), variable.id, ua.NodeClass.Variable, attributes, variable.text, type_)
        if analog:
            span = ua.Variant(ua.Range(Low=float(variable.low), High=float(variable.high)), ua.VariantType.ExtensionObject)
            self._property(variable.id, "EURange", span, ua.NodeId(ua.ObjectIds.Range), index=0)
            unit = ua.EUInformation("http://www.opcfoundation.org/UA/units/un/cefact", unit_id(variable.unit),
                                    ua.LocalizedText(variable.unit), ua.LocalizedText(variable.unit))  # fmt: skip
            value = ua.Variant(unit, ua.VariantType.ExtensionObject)
            self._property(variable.id, "EngineeringUnits", value, ua.NodeId(ua.ObjectIds.EUInformation), index=0)
        if discrete:
            for name, text in (("TrueState", "true"), ("FalseState", "false")):
                value = ua.Variant(ua.LocalizedText(text), ua.VariantType.LocalizedText)
                self._property(variable.id, name, value, ua.NodeId(ua.ObjectIds.LocalizedText), index=0)
        self._written[variable.id] = (None, -1)

    def _property(self, parent: str, name: str, value: ua.Variant, type_: ua.NodeId, index: int) -> None:
        attributes = ua.VariableAttributes(
            Value=value, DataType=type_, ValueRank=ua.ValueRank.OneDimension if isinstance(value.Value, list) else ua.ValueRank.Scalar,
            AccessLevel=1, UserAccessLevel=1, Historizing=False,
        )  # fmt: skip
        self._add(node_id(parent), f"{parent}.{name}", ua.NodeClass.Variable, attributes, "", ua.ObjectIds.PropertyType,
                  ua.ObjectIds.HasProperty, index)  # fmt: skip

    def _add(self, parent: ua.NodeId, identifier: str, class_: ua.NodeClass, attributes: Any, text: str, type_: int | None,
             reference: int = ua.ObjectIds.HasComponent, index: int = INDEX) -> None:  # fmt: skip
        browse = ua.QualifiedName(identifier.rsplit(".", 1)[-1], index)
        self._place(parent, identifier, class_, attributes, browse, ua.NodeId() if type_ is None else ua.NodeId(type_), reference, text)

    def _place(self, parent: ua.NodeId, identifier: str, class_: ua.NodeClass, attributes: Any, browse: ua.QualifiedName, type_: ua.NodeId,
               reference: int, text: str = "") -> None:  # fmt: skip
        attributes.DisplayName, attributes.Description = ua.LocalizedText(browse.Name), ua.LocalizedText(text)
        attributes.WriteMask = attributes.UserWriteMask = 0
        item = ua.AddNodesItem(
            ParentNodeId=parent, ReferenceTypeId=ua.NodeId(reference), RequestedNewNodeId=node_id(identifier),
            BrowseName=browse, NodeClass=class_, NodeAttributes=attributes, TypeDefinition=type_,
        )  # fmt: skip
        self._server.node_mgt_service.add_nodes([item], self._server.isession.user)[0].StatusCode.check()

    async def write(self, values: Mapping[str, tuple[object, int]], at_ns: int) -> int:
        """Write what changed of ``values`` (id -> value, status code) in slices; return how many there were."""
        changed = [(name, value, code) for name, (value, code) in values.items() if self._written.get(name) != (value, code)]
        at = datetime.fromtimestamp(at_ns / 1e9, UTC)
        for count, (name, value, code) in enumerate(changed):
            kind = BY_ID[name].kind
            variant = (
                ua.Variant(value, _TYPES[kind], is_array=kind in _ARRAYS) if value is not None else ua.Variant(_blank(kind), _TYPES[kind])
            )
            status = ua.StatusCode(ua.UInt32(code))
            found = ua.DataValue(variant if status.is_good() else None, status, at, datetime.now(UTC))
            await self._server.write_attribute_value(node_id(name), found)
            self._written[name] = (value, code)
            if count % SLICE == SLICE - 1:
                await asyncio.sleep(0)
        return len(changed)


def told(news: News) -> dict[str, tuple[object, int]]:
    """Return what ``news`` says, by node."""
    values: dict[str, tuple[object, int]] = {"Oven.History.LastEntry": (str(news.seq), _S.Good)}
    if news.sample is not None:
        values |= of_sample(news.sample)
    latest = news.latest
    if (state := latest.get("state")) is not None:
        values["Oven.Unit.State"] = (str(state.get("to", "")), _S.Good)
    if (phase := latest.get("phase")) is not None:
        values["Oven.Unit.Phase"] = (f"{phase.get('kind', '')} {phase.get('name', '')}".strip(), _S.Good)
    if (standing := latest.get("standing")) is not None:
        rows = [str(row) for row in standing.get("rows") or ()]
        said = (str(standing.get("waits") or ""), *(f"{row} {TEXT_OF.get(row, '')}".strip() for row in rows))
        values["Oven.Unit.Waiting"] = ("; ".join(filter(None, said)), _S.Good)
        values["Oven.Unit.FirstOut"] = (str(standing.get("first_out") or ""), _S.Good)
    if (start := latest.get("batch_start")) is not None:
        load = start.get("load") or {}
        values |= {
            "Oven.Unit.BatchId": (str(start.get("batch_id", "")), _S.Good),
            "Oven.Unit.Recipe": (f"{start.get('recipe_id', '')}/{start.get('revision', '')}", _S.Good),
            "Oven.Unit.RecipeSha256": (str(start.get("recipe_sha256", "")), _S.Good),
            "Oven.Unit.StartedBy": (str(start.get("user", "")), _S.Good),
            "Oven.Unit.RollIds": ([str(one) for one in load.get("roll_ids", ())], _S.Good),
        }
    if (forecast := latest.get("forecast")) is not None:
        values |= _foreseen(forecast)
    return values


def of_sample(sample: Seen) -> dict[str, tuple[object, int]]:
    """Return the values of one sample by node: None with the status code that says why."""
    values: dict[str, tuple[object, int]] = {}
    for variable in VARIABLES:
        if variable.column:
            values[variable.id] = of_column(variable, sample.values.get(variable.column), sample.qualities.get(variable.column))
    code = sample.values.get("unit_state", math.nan)
    if code == code:
        values["Oven.Unit.State"] = (UnitState(int(code)).name, _S.Good)
    values["Oven.History.LastSample"] = (datetime.fromtimestamp(sample.wall_ns / 1e9, UTC).isoformat(timespec="milliseconds"), _S.Good)
    return values


def of_column(variable: Variable, value: float | None, quality: Quality | None) -> tuple[object, int]:
    """Return one value of the journal as the node's value and status code."""
    if quality is not None and quality is not Quality.GOOD:
        return None, STATUS[quality]
    if value is None or not math.isfinite(value):
        return None, _S.BadNoData if quality is None else _S.BadDataUnavailable
    if variable.kind is Kind.BIT:
        return bool(value), _S.Good
    if variable.kind is Kind.WORD:
        return int(value) & 0xFFFF_FFFF, _S.Good
    return value * variable.factor + variable.plus, _S.Good


def stale() -> dict[str, tuple[object, int]]:
    """Return every value of a sample as without communication: the journal does not grow."""
    gone: dict[str, tuple[object, int]] = {variable.id: (None, _S.BadNoCommunication) for variable in VARIABLES if variable.column}
    return gone | {"Oven.Unit.State": (None, _S.BadNoCommunication)}


def _foreseen(forecast: Mapping[str, Any]) -> dict[str, tuple[object, int]]:
    values: dict[str, tuple[object, int]] = {"Oven.Estimate.ForecastAhead": (_floats(forecast.get("ahead_s")), _S.Good)}
    for name, key, factor in (
        ("Temperature", "temp_c", 1.0),
        ("ResidualSolvent", "residual_solvent", 100.0),
        ("Insoluble", "insoluble", 100.0),
    ):
        bands = [band for band in forecast.get(key) or () if isinstance(band, list) and len(band) == 3]
        for place, end in enumerate(("", "Low", "High")):
            values[f"Oven.Estimate.Forecast{name}{end}"] = (_floats([band[place] for band in bands], factor), _S.Good)
    return values


def _floats(values: Any, factor: float = 1.0) -> list[float]:
    return [float(value) * factor for value in values or () if isinstance(value, int | float)]


def _blank(kind: Kind) -> Any:
    return {Kind.NUMBER: 0.0, Kind.BIT: False, Kind.WORD: 0, Kind.TEXT: "", Kind.NUMBERS: [], Kind.TEXTS: []}[kind]
