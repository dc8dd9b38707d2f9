"""The standard models: Machinery identification, PackML's state machines as a view, and the objects of ISA-95 job control.

Their types come from the lean nodesets beside this file and load strictly; the oven's own namespace keeps index 2.
"""

import asyncio
from pathlib import Path
from typing import Any, Final

from asyncua import Server, ua
from asyncua.server.internal_server import InternalServer

from controller.northbound.opcua.jobforms import STATUS_EVENT
from controller.northbound.opcua.mapping import MAPPING, PACKML_NODES
from controller.northbound.opcua.methods import JOB_INDEX
from controller.northbound.opcua.space import INDEX, Space, node_id
from controller.recipe.states import UnitState

FOLDER: Final = Path(__file__).parent / "nodesets"
NODESETS: Final = ("di.xml", "machinery.xml", "packml.xml", "isa95-job.xml")
DI, MACHINERY, PACKML = 3, 4, 6
NAMESPACES: Final = {
    INDEX: "urn:ovenctl:oven", DI: "http://opcfoundation.org/UA/DI/", MACHINERY: "http://opcfoundation.org/UA/Machinery/",
    PACKML: "http://opcfoundation.org/UA/PackML/", JOB_INDEX: "http://opcfoundation.org/UA/ISA95-JOBCONTROL_V2/",
}  # fmt: skip
MACHINE: Final = "Oven.MachineryIdentification"
MACHINES: Final = ("Oven.PackML", "Oven.PackML.MachineState", "Oven.PackML.MachineState.ExecuteState")  # outermost first
_IDENTITY: Final = (("Manufacturer", DI), ("Model", DI), ("SoftwareRevision", DI), ("ProductInstanceUri", DI), ("DeviceClass", DI),
                    ("SerialNumber", DI))  # fmt: skip
_LOCALIZED: Final = ("Manufacturer", "Model")
_T: Final = ua.VariantType
_Ids = ua.ObjectIds


class Models:
    """Builds the standard objects and keeps their values."""

    def __init__(self, server: InternalServer, space: Space) -> None:
        """Remember where to build."""
        self._server = server
        self._space = space
        self._shown: UnitState | None = None

    async def load(self, server: Server) -> None:
        """Load the types. Raises AssertionError when a namespace has another index than the rest of this server counts on."""
        for file in NODESETS:
            await server.import_xml(FOLDER / file, strict_mode=True)
            await asyncio.sleep(0)
        found = await server.get_namespace_array()
        if any(found[index] != uri for index, uri in NAMESPACES.items()):
            raise AssertionError(f"namespaces in another order than expected: {found}")

    async def build(self) -> None:
        """Make the objects: the oven among the machines, its identification, three nested state machines, the two of job control."""
        add, oven = self._space.place, node_id("Oven")
        refer = ua.AddReferencesItem(
            SourceNodeId=ua.NodeId(1001, MACHINERY), ReferenceTypeId=ua.NodeId(_Ids.Organizes), IsForward=True, TargetNodeId=oven,
            TargetNodeClass=ua.NodeClass.Object,
        )  # fmt: skip
        (await self._server.isession.add_references([refer]))[0].check()
        identification = ua.QualifiedName("Identification", DI)
        add(oven, MACHINE, ua.NodeId(1012, MACHINERY), identification, _Ids.HasAddIn)
        for name, index in _IDENTITY:
            kind = _T.LocalizedText if name in _LOCALIZED else _T.String
            self._space.place_variable(MACHINE, f"{MACHINE}.{name}", ua.QualifiedName(name, index), kind, _Ids.PropertyType)
        parents = (oven, node_id(MACHINES[0]), node_id(MACHINES[1]))
        for parent, name, type_ in zip(parents, MACHINES, (3, 2, 1), strict=True):
            browse = ua.QualifiedName(name.rpartition(".")[2], PACKML)
            add(parent, name, ua.NodeId(type_, PACKML), browse, _Ids.HasComponent)
            current = f"{name}.CurrentState"
            self._space.place_variable(name, current, ua.QualifiedName("CurrentState"), _T.LocalizedText, _Ids.FiniteStateVariableType)
            self._space.place_variable(current, f"{current}.Id", ua.QualifiedName("Id"), _T.NodeId, _Ids.PropertyType)
        add(oven, "Oven.Jobs", ua.NodeId(1002, JOB_INDEX), ua.QualifiedName("JobOrderControl", JOB_INDEX), _Ids.HasComponent)
        add(oven, "Oven.JobResponses", ua.NodeId(1003, JOB_INDEX), ua.QualifiedName("JobOrderResults", JOB_INDEX), _Ids.HasComponent)
        self._arrays()
        self._space.add_type(ua.NodeId(1006, JOB_INDEX), STATUS_EVENT, "state of a job order")
        await self.write("Oven.Jobs.MaxDownloadableJobOrders", ua.Variant(50, _T.UInt16))

    def _arrays(self) -> None:
        place = self._space.place_variable
        place("Oven.Jobs", "Oven.Jobs.MaxDownloadableJobOrders", ua.QualifiedName("MaxDownloadableJobOrders", JOB_INDEX), _T.UInt16,
              _Ids.PropertyType)  # fmt: skip
        for parent, name, type_ in (
            ("Oven.Jobs", "JobOrderList", 3015), ("Oven.Jobs", "WorkMaster", 3007), ("Oven.JobResponses", "JobOrderResponseList", 3013),
        ):  # fmt: skip
            place(parent, f"{parent}.{name}", ua.QualifiedName(name, JOB_INDEX), _T.ExtensionObject, _Ids.BaseDataVariableType,
                  ua.NodeId(type_, JOB_INDEX), array=True)  # fmt: skip

    async def identify(self, said: dict[str, str]) -> None:
        """Say who the oven is, by the names of the identification."""
        for name, text in said.items():
            value = ua.LocalizedText(text) if name in _LOCALIZED else text
            await self.write(f"{MACHINE}.{name}", ua.Variant(value))

    async def show(self, state: UnitState | None) -> None:
        """Show the unit's state in the three machines; None when nobody knows it."""
        if state is self._shown:
            return
        self._shown = state
        names = ("", "", "") if state is None else MAPPING[state][:3]
        code = ua.StatusCodes.BadNoCommunication if state is None else ua.StatusCodes.BadStateNotActive
        for machine, name in zip(MACHINES, names, strict=True):
            text = ua.Variant(ua.LocalizedText(name)) if name else None
            node = ua.Variant(ua.NodeId(PACKML_NODES[name], PACKML)) if name else None
            await self.write(f"{machine}.CurrentState", text, code)
            await self.write(f"{machine}.CurrentState.Id", node, code)

    async def write(self, name: str, value: ua.Variant | None, code: int = ua.StatusCodes.Good) -> None:
        """Write one value, or with None the status code that says why there is none."""
        status = ua.StatusCode() if value is not None else ua.StatusCode(ua.UInt32(code))
        found: Any = ua.DataValue(value, status)
        await self._server.write_attribute_value(node_id(name), found)
