"""Who the PLC's OPC UA server lets in, and nodes that are not there."""

import pytest

from controller.errors import FileError, WireError
from controller.southbound.opcua_client import OpcUaDriver
from controller.southbound.opcua_settings import OpcUaSettings
from controller.tags import Quality
from controller.wiring import Wiring, WiringFile
from tests.test_contract_wires import sent, until
from tests.wires import WIRING, shown

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_without_signing_and_encryption_the_plc_lets_nobody_in(line):
    driver = OpcUaDriver(OpcUaSettings(url=f"opc.tcp://127.0.0.1:{line.port}", security="None", connect_s=1.0), WIRING)
    with pytest.raises(WireError, match="cannot connect"):
        await driver.connect()
    assert not driver.connected
    with pytest.raises(WireError, match="not connected"):
        await driver.write_block(sent(1))
    await driver.close()
    assert line.plc.received == []


@pytest.mark.parametrize(("password", "enters"), [("secret", True), ("wrong", False)])
async def test_a_user_needs_the_right_password(line, tmp_path, password, enters):
    line.access.users["core"] = "secret"
    (tmp_path / "password").write_text(f"{password}\n")
    driver = line.driver(username="core", password_file=str(tmp_path / "password"), connect_s=2.0)
    try:
        if enters:
            await driver.connect()
            await driver.write_block(sent(1, alive=line.plc.alive))
            await until(lambda: line.plc.counter == 1)
        else:
            with pytest.raises(WireError, match="cannot connect"):
                await driver.connect()
    finally:
        await driver.close()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"namespace": "urn:other"}, "cannot find the nodes"),
        ({"command": "s=Oven.other"}, "Oven.other of the command block is not there or may not be written"),
        ({"command": "s=Oven.door_closed_a"}, "may not be written"),
        ({"begun": "s=Oven.other"}, "does not show ns=1;s=Oven.other"),
        ({"signal": "s=Kiln.{signal}"}, "does not show ns=1;s=Kiln.plc_alive"),
    ],
)
async def test_nodes_that_are_not_there_are_named(line, changed, says):
    content = WIRING.file.model_dump() | {"opcua": {**WIRING.file.opcua.model_dump(), **changed}}
    if changed.get("command") == "s=Oven.door_closed_a":
        content["signals"] = {**content["signals"], "door_closed_a": {"absent": True}}
    driver = line.driver(Wiring(WiringFile.model_validate(content)))
    with pytest.raises(WireError, match=says.replace("(", r"\(")):
        await driver.connect()
    assert not driver.connected
    await driver.close()


async def test_signals_that_this_oven_does_not_have_are_absent(line):
    content = WIRING.file.model_dump()
    content["signals"]["condensate_kg"] = {"absent": True}
    driver = line.driver(Wiring(WiringFile.model_validate(content)))
    await driver.connect()
    assert (await shown(driver, "condensate_kg"))[:2] == (None, Quality.ABSENT)
    await driver.close()


@pytest.mark.parametrize("which", ["certificate_file", "key_file", "server_certificate_file"])
async def test_what_is_no_certificate_or_key_is_named_at_the_start(line, tmp_path, which):
    (tmp_path / "wrong.pem").write_text("-----BEGIN NOTHING-----\n")
    with pytest.raises(FileError, match=rf"plc.opcua.{which} = .*wrong.pem': must be"):
        line.driver(**{which: str(tmp_path / "wrong.pem")})
