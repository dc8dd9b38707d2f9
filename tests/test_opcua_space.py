"""The oven's address space as an OPC UA client sees it: every tag with unit, range and quality, fed from the journal."""

from datetime import UTC, datetime, timedelta

import pytest
from asyncua import ua

from controller.image import SIGNALS
from controller.northbound.opcua.nodes import VARIABLES
from controller.recipe.states import UnitState
from tests.opcua_rig import Site, node, until


async def test_every_signal_is_an_item_with_its_range_its_unit_and_a_value_with_quality(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        children = {(await one.read_browse_name()).Name for one in await node(client, "Process").get_children()}
        assert children == set(SIGNALS)
        zone = node(client, "Process.z1_tc_a_c")
        limits = await (await zone.get_child("0:EURange")).read_value()
        unit = await (await zone.get_child("0:EngineeringUnits")).read_value()
        assert (limits.Low, limits.High, unit.UnitId, unit.DisplayName.Text) == (-20.0, 400.0, 4408652, "degC")
        value = await until(lambda: good(zone))
        assert 10 < value.Value.Value < 40
        assert datetime.now(UTC) - value.SourceTimestamp.replace(tzinfo=UTC) < timedelta(seconds=10)
        assert await node(client, "Process.door_locked").read_value() in (True, False)
        assert await node(client, "Process.plc_serial").read_value() == int(await node(client, "Identification.SerialNumber").read_value())


async def good(found):
    value = await found.read_data_value(raise_on_bad_status=False)
    return value if value.StatusCode.is_good() else None


async def test_a_folder_never_has_more_children_than_a_client_pages_through(opcua_site: Site) -> None:
    async with opcua_site.connected("adam") as client:
        for part in await node(client, "Process").get_parent() and await client.get_node("ns=2;s=Oven").get_children():
            assert len(await part.get_children()) <= 200


async def test_state_estimate_and_identification_are_there(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        assert await node(client, "Unit.State").read_value() in UnitState.__members__
        assert await node(client, "Identification.SoftwareRevision").read_value() == "1.2.3"
        assert await node(client, "Estimate.Valid").read_value() in (True, False)


async def test_without_new_samples_every_value_loses_its_quality_and_gets_it_back(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        pressure = node(client, "Process.pressure_cap_mbar")
        await until(lambda: good(pressure))
        with opcua_site.oven.silent():
            await until(lambda: bad(pressure, ua.StatusCodes.BadNoCommunication))
            assert await bad(node(client, "Unit.State"), ua.StatusCodes.BadNoCommunication)
        await until(lambda: good(pressure))


async def bad(found, code):
    return (await found.read_data_value(raise_on_bad_status=False)).StatusCode.value == code


async def test_a_lost_sensor_is_told_with_the_reason_and_without_a_value(opcua_site: Site) -> None:
    async with opcua_site.connected("vera") as client:
        absent = [one for one in VARIABLES if one.part == "Process"]
        codes = {}
        for one in absent:
            value = await client.get_node(ua.NodeId(one.id, 2)).read_data_value(raise_on_bad_status=False)
            codes[one.name] = value.StatusCode.value
            assert value.StatusCode.is_good() == (value.Value is not None and value.Value.Value is not None)
        assert codes["z1_tc_a_c"] == ua.StatusCodes.Good


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes256Sha256RsaPss"])
@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
async def test_the_two_policies_work_signed_and_encrypted(opcua_site: Site, policy: str, mode: str) -> None:
    from asyncua.crypto import security_policies

    chosen = getattr(security_policies, f"SecurityPolicy{policy}")
    async with opcua_site.connected("vera", policy=chosen, mode=getattr(ua.MessageSecurityMode, mode)) as client:
        assert await node(client, "Unit.State").read_value() in UnitState.__members__
