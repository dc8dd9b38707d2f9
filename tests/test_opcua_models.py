"""The standard models over the wire: who the oven is, PackML's view of the unit, and job orders that start and end real batches."""

import json
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from asyncua import ua

from controller.northbound.opcua import prescan
from controller.northbound.opcua.jobforms import STATUS_EVENT
from controller.northbound.opcua.joborders import MOST_JOBS, Job, JobOrders
from controller.northbound.opcua.mapping import JOB_STATES, MAPPING, PACKML_NODES
from controller.recipe.states import UnitState
from tests.opcua_rig import call, node, u32, until
from tests.test_opcua_methods import recipe, says

PARAMETERS = {
    "RollIds": ua.Variant(["SR-0001"], ua.VariantType.String), "ResinLot": "PAI-TRIAL", "Solvent": "NMP", "PredryTemperature": 110.0,
    "ResidualSolvent": 18.0, "ResidualSolventSd": 1.0, "Length": 20.0, "Width": 0.5, "Foil": 18.0, "Film": 20.0, "Gap": 100.0,
    "Core": 150.0, "Tape": "PI tape",
}  # fmt: skip
NO_COMMENT = ua.Variant([], ua.VariantType.LocalizedText, is_array=True)
DONE, UNKNOWN, MISPLACED, REFUSED, INVALID = 1, 1 << 1, 1 << 3, 1 << 4, 1 << 32


def order(name, master="jobs/1", **changes):
    given = {**PARAMETERS, **changes}
    parameters = [
        ua.ISA95ParameterDataType(ID=key, Value=value if isinstance(value, ua.Variant) else ua.Variant(value))
        for key, value in given.items()
        if value is not None
    ]
    masters = [ua.ISA95WorkMasterDataType(ID=master)]
    return ua.ISA95JobOrderDataType(JobOrderID=name, WorkMasterID=masters, JobOrderParameters=parameters)


async def job(client, method, *args):
    return (await call(client, f"Jobs.{method}", *args, NO_COMMENT))[0]


async def ready(site, name="jobs"):
    site.server.library._slow_down = lambda user: None
    async with site.connected("emma") as emma, site.connected("erik") as erik:
        await call(emma, "Recipes.Upload", "r", recipe(name))
        await call(emma, "Recipes.Submit", name, u32(1), "")
        await call(erik, "Recipes.Approve", name, u32(1), "")


async def idle(site):
    """Bring the unit back to IDLE, whatever an earlier test left."""
    site.oven.change(lambda rig: setattr(rig, "memory", rig.memory._replace(unit=type(rig.memory.unit)())))
    await until(lambda: site.oven.rig.memory.unit.state is UnitState.IDLE)


async def state_of(client, name):
    found, status = await call(client, "JobResponses.RequestJobResponseByJobOrderID", name)
    return found.JobState[0].StateText.Text if status == DONE else status


async def test_the_oven_stands_among_the_machines_with_the_identification_of_the_standard(opcua_site):
    async with opcua_site.connected("vera") as vera:
        spaces = [await vera.get_namespace_index(f"http://opcfoundation.org/UA/{name}/") for name in ("DI", "Machinery")]
        di, machinery = spaces
        found = await vera.nodes.objects.get_child([f"{machinery}:Machines", "2:Oven", f"{di}:Identification"])
        assert await found.read_type_definition() == ua.NodeId(1012, machinery)
        values = {(await one.read_browse_name()).Name: await one.read_value() for one in await found.get_properties()}
        assert values["Manufacturer"].Text == "ovenctl"
        assert values["SoftwareRevision"] == "1.2.3"
        assert values["ProductInstanceUri"].startswith("urn:")
        serial = await found.get_child(f"{di}:SerialNumber")
        await until(serial.read_value)


def test_every_state_of_the_unit_has_its_place_in_both_models():
    assert set(MAPPING) == set(UnitState)
    for to in MAPPING.values():
        assert {to.base, to.machine, to.execute} - {""} <= set(PACKML_NODES)
        assert (to.machine == "") is (to.base != "Cleared")
        assert (to.execute == "") is (to.machine != "Running")
        assert to.job in {"", *JOB_STATES}


async def packml(client):
    names = []
    for machine in ("PackML", "PackML.MachineState", "PackML.MachineState.ExecuteState"):
        found = await node(client, f"{machine}.CurrentState").read_data_value(raise_on_bad_status=False)
        id_ = await node(client, f"{machine}.CurrentState.Id").read_data_value(raise_on_bad_status=False)
        assert found.StatusCode.is_good() is id_.StatusCode.is_good()
        if found.StatusCode.is_good():
            shown = client.get_node(id_.Value.Value)
            assert (await shown.read_browse_name()).Name == found.Value.Value.Text
        names.append(found.Value.Value.Text if found.StatusCode.is_good() else found.StatusCode.name)
    return tuple(names)


async def test_a_job_order_starts_pauses_resumes_and_stops_a_batch_by_the_same_commands_and_packml_shows_it(opcua_site):
    await ready(opcua_site)
    await idle(opcua_site)
    async with opcua_site.connected("otto") as otto:
        await otto.load_data_type_definitions()
        assert await job(otto, "Store", order("J-1")) == DONE
        assert await job(otto, "Store", order("J-1")) == MISPLACED
        assert await state_of(otto, "J-1") == "NotAllowedToStart"
        assert await job(otto, "Pause", "J-1") == MISPLACED
        assert await job(otto, "Start", "J-1") == DONE
        await until(lambda: says(otto, "Unit.State", "RUNNING"))
        assert await node(otto, "Unit.Recipe").read_value() == "jobs/1"
        assert await node(otto, "Unit.StartedBy").read_value() == "otto"
        assert await state_of(otto, "J-1") == "Running"
        assert await packml(otto) == ("Cleared", "Running", "Execute")
        assert await job(otto, "StoreAndStart", order("J-2")) == REFUSED  # the oven is busy; the order stays
        assert await state_of(otto, "J-2") == "NotAllowedToStart"
        assert await job(otto, "Abort", "J-2") == MISPLACED  # another order's batch is not touched
        comment = ua.Variant([ua.LocalizedText("look")], ua.VariantType.LocalizedText)
        assert (await call(otto, "Jobs.Pause", "J-1", comment))[0] == DONE
        await until(lambda: _is(otto, "J-1", "Interrupted"))
        await until(lambda: says(otto, "Unit.State", "HELD"))
        await until(lambda: _shows(otto, ("Cleared", "Running", "Held")))
        assert await job(otto, "Resume", "J-1") == DONE
        await until(lambda: _is(otto, "J-1", "Running"))
        assert await job(otto, "Stop", "J-1") == DONE
        await until(lambda: _is(otto, "J-1", "Ended"))
        await until(lambda: _shows(otto, ("Cleared", "Stopped", "BadStateNotActive")))
        assert await job(otto, "Stop", "J-1") == MISPLACED
        found, status = await call(otto, "JobResponses.RequestJobResponseByJobOrderID", "J-1")
        assert (status, found.StartTime < found.EndTime) == (DONE, True)
        assert {one.ID for one in found.JobResponseData} == {"BatchId", "Answer"}
        ended = ua.Variant([ua.ISA95StateDataType(StateNumber=5)], ua.VariantType.ExtensionObject)
        responses, _ = await call(otto, "JobResponses.RequestJobResponseByJobOrderState", ended)
        assert [one.JobOrderID for one in responses] == ["J-1"]
        listed = await node(otto, "Jobs.JobOrderList").read_value()
        assert [one.JobOrder.JobOrderID for one in listed] == ["J-1", "J-2"]
        assert await job(otto, "Cancel", "J-1") == MISPLACED
        assert await job(otto, "Cancel", "J-2") == DONE
        assert await job(otto, "Clear", "J-1") == DONE
        assert await state_of(otto, "J-1") == UNKNOWN
    notes = [content for _, kind, content in opcua_site.oven.rig.notes if kind == "command" and content["user"] == "otto"]
    assert [one["args"]["reason"] for one in notes if one["verb"] == "HOLD"][-1] == "job order J-1: look"
    assert notes[-1]["verb"] == "STOP"


async def _is(client, name, wanted):
    return await state_of(client, name) == wanted


async def _shows(client, wanted):
    return await packml(client) == wanted


class Heard:
    def __init__(self):
        self.states = []

    def event_notification(self, event):
        self.states.append((event.JobOrder.JobOrderID, event.JobState[0].StateText.Text, event.EventType.Identifier))


async def test_an_order_with_a_start_time_ahead_waits_for_it_is_revoked_updated_and_tells_its_states(opcua_site):
    await ready(opcua_site)
    await idle(opcua_site)
    async with opcua_site.connected("otto") as otto:
        await otto.load_data_type_definitions()
        heard = Heard()
        mine = await otto.create_subscription(100, heard)
        await mine.subscribe_events(evtypes=otto.get_node(ua.NodeId(STATUS_EVENT, 2)))
        later = order("L-1")
        later.StartTime = datetime.now(UTC) + timedelta(hours=3)
        assert await job(otto, "Store", later) == DONE
        assert await job(otto, "RevokeStart", "L-1") == MISPLACED
        assert await job(otto, "Update", order("nobody")) == UNKNOWN
        assert await job(otto, "Update", order("L-1", Foil="thin")) == INVALID
        changed = order("L-1", ResinLot="another lot")
        changed.StartTime = later.StartTime
        assert await job(otto, "Update", changed) == DONE
        assert await job(otto, "Start", "L-1") == DONE
        assert await state_of(otto, "L-1") == "AllowedToStart"
        assert opcua_site.oven.rig.memory.delayed.load.resin_lot == "another lot"
        assert opcua_site.oven.rig.memory.unit.state is UnitState.IDLE
        for method in ("Update", "StoreAndStart"):
            assert await job(otto, method, changed) == MISPLACED
        for method in ("Cancel", "Pause", "Abort", "Start", "Clear"):
            assert await job(otto, method, "L-1") == MISPLACED, method
        assert await job(otto, "StoreAndStart", order("L-2")) == REFUSED  # one start is armed
        assert await job(otto, "RevokeStart", "L-1") == DONE
        assert opcua_site.oven.rig.memory.delayed is None
        assert await state_of(otto, "L-1") == "NotAllowedToStart"
        assert await job(otto, "Start", "L-1") == DONE
        accepted, _, _ = await call(otto, "Batch.Reset", "", "")  # whatever cancels the start takes the order back
        assert accepted
        await until(lambda: _is(otto, "L-1", "NotAllowedToStart"))
        assert await job(otto, "Start", "L-1") == DONE
        opcua_site.oven.change(
            lambda rig: setattr(
                rig, "memory", rig.memory._replace(delayed=rig.memory.delayed._replace(at_s=rig.memory.delayed.at_s - 10_800))
            )
        )
        await until(lambda: _is(otto, "L-1", "Running"))
        assert await job(otto, "Stop", "L-1") == DONE
        await until(lambda: _is(otto, "L-1", "Ended"))
        states = ["NotAllowedToStart", *["AllowedToStart", "NotAllowedToStart"] * 2, "AllowedToStart", "Running", "Ended"]
        await until(lambda: [state for name, state, _ in heard.states if name == "L-1"] == states)
        assert {kind for *_, kind in heard.states} == {STATUS_EVENT}
        await mine.delete()
        assert await job(otto, "Clear", "L-1") == DONE
        assert await job(otto, "Cancel", "L-2") == DONE


async def test_abort_of_a_job_order_aborts_its_batch(opcua_site):
    await ready(opcua_site, "jobs-abort")
    await idle(opcua_site)
    async with opcua_site.connected("otto") as otto:
        await otto.load_data_type_definitions()
        assert await job(otto, "StoreAndStart", order("A-1", "jobs-abort/1")) == DONE
        assert await job(otto, "Abort", "A-1") == DONE
        await until(lambda: _is(otto, "A-1", "Aborted"))
        await until(lambda: _shows(otto, ("Aborted", "BadStateNotActive", "BadStateNotActive")))
        assert await job(otto, "Clear", "A-1") == DONE


WRONG = {
    "draft": ({"master": "nobody/1"}, REFUSED),
    "no revision": ({"master": "jobs"}, INVALID),
    "no id": ({"name": ""}, INVALID),
    "long id": ({"name": "x" * 65}, INVALID),
    "unknown parameter": ({"Colour": "green"}, INVALID),
    "missing parameter": ({"Tape": None}, INVALID),
    "wrong type": ({"Foil": "thin"}, INVALID),
    "integer for a number": ({"Foil": ua.Variant(18, ua.VariantType.Int32)}, INVALID),
    "NaN": ({"Foil": float("nan")}, INVALID),
    "beyond its range": ({"Foil": 1e9}, INVALID),
    "formula NaN": ({"Formula.cure_c": float("inf")}, INVALID),
}


@pytest.mark.parametrize("name", WRONG)
async def test_an_order_of_the_wrong_form_is_not_kept(opcua_site, name):
    given, status = WRONG[name]
    await ready(opcua_site)
    async with opcua_site.connected("otto") as otto:
        await otto.load_data_type_definitions()
        changes = {key: value for key, value in given.items() if key not in ("name", "master")}
        assert await job(otto, "Store", order(given.get("name", "W-1"), given.get("master", "jobs/1"), **changes)) == status
        assert await state_of(otto, "W-1") == UNKNOWN


async def test_a_viewer_may_look_at_jobs_and_call_none(opcua_site):
    async with opcua_site.connected("vera") as vera:
        await vera.load_data_type_definitions()
        assert await node(vera, "Jobs.JobOrderList").read_value() is not None
        for method in ("Start", "Pause", "Stop", "Abort", "Cancel", "Clear"):
            with pytest.raises(ua.uaerrors.BadUserAccessDenied):
                await job(vera, method, "J-1")
        with pytest.raises(ua.uaerrors.BadUserAccessDenied):
            await job(vera, "Store", order("V-1"))
        assert await state_of(vera, "J-1") == UNKNOWN


async def test_methods_may_be_called_by_the_number_in_their_type(opcua_site):
    async with opcua_site.connected("otto") as otto:
        spaces = await otto.get_namespace_index("http://opcfoundation.org/UA/ISA95-JOBCONTROL_V2/")
        owner, method = node(otto, "JobResponses"), otto.get_node(ua.NodeId(7002, spaces))
        assert (await owner.call_method(method, "nobody"))[1] == UNKNOWN
        with pytest.raises(ua.uaerrors.BadNodeIdInvalid):
            await node(otto, "Jobs").call_method(method, "nobody")


def text_(value):
    raw = value.encode()
    return len(raw).to_bytes(4, "little") + raw


def hostile(levels):
    """Return a job order as bytes whose parameters nest so deep; no client's own library would build it."""
    head = (1 << 5).to_bytes(4, "little") + text_("deep") + (1).to_bytes(4, "little")
    level = (1 << 2).to_bytes(4, "little") + text_("x") + b"\x00" + (1).to_bytes(4, "little")
    return head + level * levels + bytes(4) + text_("x") + b"\x00"


@pytest.mark.parametrize("body", [hostile(20), hostile(1000), hostile(5000), text_("y" * 20_000), b"", bytes(100)],
                         ids=["20 deep", "1000 deep", "5000 deep", "20 kB", "empty", "zeros"])  # fmt: skip
async def test_a_structure_that_is_large_deep_or_broken_costs_only_its_own_call(opcua_site, body):
    async with opcua_site.connected("vera") as vera, opcua_site.connected("otto") as otto:
        await vera.load_data_type_definitions()
        type_id = next(one for one, class_ in ua.uatypes.extension_objects_by_typeid.items() if class_ is ua.ISA95JobOrderDataType)
        made = ua.Variant(ua.ExtensionObject(TypeId=type_id, Body=body), ua.VariantType.ExtensionObject)
        began_s = time.process_time()
        with suppress(ua.UaError, ConnectionError, TimeoutError):
            assert await job(otto, "Store", made) != DONE
        assert time.process_time() - began_s < 2.0
        assert await state_of(vera, "deep") == UNKNOWN


def test_structures_in_a_call_are_few_bytes():
    head = b"\x01\x00\x00\x00" + b"\x00\x01" + b"\x00\x01" + b"\x01\x00\x00\x00"
    body = b"\x16" + b"\x00\x01" + b"\x01"
    prescan.check_call(head + body + (100).to_bytes(4, "little") + bytes(100))
    for size in (prescan.MOST_STRUCTURE_BYTES + 1, 2**31 - 1):
        with pytest.raises(prescan.Refused):
            prescan.check_call(head + body + size.to_bytes(4, "little") + bytes(20_000))
    with pytest.raises(prescan.Refused):
        prescan.check_call(head + b"\x16" + b"\x00\x01" + b"\x02" + bytes(20))


def test_orders_outlive_the_gateway_and_are_bounded(tmp_path):
    file = tmp_path / "jobs.json"
    kept = JobOrders(file)
    for number in range(MOST_JOBS):
        assert kept.put(Job(id=f"J{number}", recipe="r", revision=1, parameters={}))
    assert not kept.put(Job(id="more", recipe="r", revision=1, parameters={}))
    again = JobOrders(file)
    assert list(again.jobs) == list(kept.jobs)
    again.put(again.jobs["J3"].model_copy(update={"state": "Running", "batch": "7"}))
    assert again.told({"batch_start": {"batch_id": 7}, "batch_end": {"batch_id": 7, "result": "STOPPED"}}, UnitState.STOPPED)
    assert again.jobs["J3"].state == "Ended"
    assert again.put(Job(id="more", recipe="r", revision=1, parameters={}))  # the one that is over gives way
    assert "J3" not in JobOrders(file).jobs
    fresh = Job(id="fresh", recipe="r", revision=1, parameters={}, state="Running", batch="8")
    assert again.runs(fresh)  # the news still end with batch 7
    again.told({"batch_start": {"batch_id": 9}}, UnitState.RUNNING)
    assert not again.runs(fresh)
    file.write_text(json.dumps([{"id": 1}]))
    assert JobOrders(file).jobs == {}
