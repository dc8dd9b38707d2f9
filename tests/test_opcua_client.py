"""What only the OPC UA wire has: a subscription, status codes, time stamps, nodes, users and policies."""

import asyncio
import math
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from asyncua import ua
from pydantic import ValidationError

from controller import config
from controller import wiring as wirings
from controller.config import Plc
from controller.errors import FileError, WireError
from controller.image import OWN_SIGNALS, SIGNALS
from controller.service import driver_of
from controller.southbound import nodes
from controller.southbound.opcua_client import OpcUaDriver
from controller.southbound.opcua_settings import OpcUaSettings
from controller.tags import Quality
from controller.wiring import Wiring, WiringFile
from tests.test_contract_wires import OWN, caught_up, names, sent, until
from tests.wires import ROOT, WIRING, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEADLINE_S = 20.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory):
    async with wire("opcua", tmp_path_factory.mktemp("pki")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def line(served):
    served.fresh()
    yield served
    served.access.users.clear()


class Desk:
    """A hand on the PLC's variables, past the soft PLC."""

    def __init__(self, line):
        self.line = line

    async def write(self, name, value, *, status=0, at=None):
        found = ua.DataValue(value, StatusCode=ua.StatusCode(status), SourceTimestamp=at or datetime.now(UTC))
        await self.line.endpoint.write(name, found)

    async def image(self, alive, *, at=None, **values):
        """Write one image as a PLC does."""
        await self.write("begun", ua.Variant(alive, ua.VariantType.UInt32), at=at)
        for name, value in values.items():
            await self.write(name, ua.Variant(value, ua.VariantType.Float), at=at)
        await self.write("plc_alive", ua.Variant(alive, ua.VariantType.UInt32), at=at)


async def connected(line, **changes):
    driver = line.driver(**changes)
    await driver.connect()
    return driver


async def shown(driver, name):
    return getattr(driver.decode(await driver.read_image(), 1.0), name)


async def held(driver, name, for_s):
    """Return all values of ``name`` that are seen within ``for_s``."""
    loop, seen = asyncio.get_running_loop(), set()
    until_s = loop.time() + for_s
    while loop.time() < until_s:
        seen.add((await shown(driver, name)).value)
        await asyncio.sleep(0.005)
    return seen


# --- One image is one moment --------------------------------------------------------------------------------------------------------------


async def test_an_image_that_is_half_written_is_not_taken(line):
    driver, desk = await connected(line, silent_s=5.0), Desk(line)
    try:
        await desk.image(5000, pressure_cap_mbar=500.0)
        await until(lambda: driver.taken == 5000, lambda: shown(driver, "plc_alive"))
        await desk.write("begun", ua.Variant(5001, ua.VariantType.UInt32))
        await desk.write("pressure_cap_mbar", ua.Variant(600.0, ua.VariantType.Float))
        assert await held(driver, "pressure_cap_mbar", 0.1) == {500.0}
        await desk.write("plc_alive", ua.Variant(5001, ua.VariantType.UInt32))
        await until(lambda: driver.taken == 5001, lambda: shown(driver, "plc_alive"))
        assert (await shown(driver, "pressure_cap_mbar")).value == 600.0
    finally:
        await driver.close()


async def test_an_image_into_which_the_next_one_is_being_written_is_not_taken(line):
    driver, desk = await connected(line, silent_s=5.0), Desk(line)
    try:
        await desk.image(5500, pressure_cap_mbar=500.0)
        await until(lambda: driver.taken == 5500, lambda: shown(driver, "plc_alive"))
        await desk.image(5501, pressure_cap_mbar=600.0)  # nothing is published in between: the writes give the loop away nowhere
        await desk.write("begun", ua.Variant(5502, ua.VariantType.UInt32))
        await desk.write("pressure_cap_mbar", ua.Variant(700.0, ua.VariantType.Float))
        assert await held(driver, "pressure_cap_mbar", 0.1) == {500.0}
        await desk.write("plc_alive", ua.Variant(5502, ua.VariantType.UInt32))
        await until(lambda: driver.taken == 5502, lambda: shown(driver, "plc_alive"))
        assert (await shown(driver, "pressure_cap_mbar")).value == 700.0
    finally:
        await driver.close()


async def test_values_that_move_without_the_alive_counter_are_not_taken(line):
    driver, desk = await connected(line, silent_s=5.0), Desk(line)
    try:
        await desk.image(6000, pressure_cap_mbar=500.0)
        await until(lambda: driver.taken == 6000, lambda: shown(driver, "plc_alive"))
        await desk.write("pressure_cap_mbar", ua.Variant(1.0, ua.VariantType.Float))
        assert await held(driver, "pressure_cap_mbar", 0.1) == {500.0}
    finally:
        await driver.close()


async def test_an_image_that_was_under_way_too_long_is_not_taken_whatever_the_clocks_say(line):
    driver, desk = await connected(line, silent_s=5.0, late_s=0.5), Desk(line)
    ahead = timedelta(hours=5)  # the PLC's clock
    try:
        line.plc.faults.image_frozen = True
        driver_at = datetime.now(UTC) + ahead
        await desk.image(7000, at=driver_at, pressure_cap_mbar=500.0)
        await until(lambda: driver.taken == 7000, lambda: shown(driver, "plc_alive"))
        await desk.image(7001, at=datetime.now(UTC) + ahead - timedelta(seconds=2), pressure_cap_mbar=600.0)
        assert await held(driver, "pressure_cap_mbar", 0.1) == {500.0}
        await desk.image(7002, at=datetime.now(UTC) + ahead, pressure_cap_mbar=700.0)
        await until(lambda: driver.taken == 7002, lambda: shown(driver, "plc_alive"))
        assert (await shown(driver, "pressure_cap_mbar")).value == 700.0
    finally:
        await driver.close()


async def test_a_subscription_that_dies_without_a_word_is_noticed_and_made_anew(line):
    async with asyncio.timeout(DEADLINE_S), line.field() as field:
        await caught_up(line, field, 0.0)
        await line.endpoint.forget_subscriptions()

        async def scan():
            line.scan()
            await field.read(1.0, 1.0, OWN)

        told = []
        await until(lambda: told.extend(names(field.drain())) or "lost" in told, scan)
        await caught_up(line, field, 2.0)
        assert field.link.fresh


async def test_a_plc_that_stands_still_keeps_its_connection(line):
    async with asyncio.timeout(DEADLINE_S), line.field() as field:
        await caught_up(line, field, 0.0)
        field.drain()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + 1.2  # four times silent_s
        while loop.time() < until_s:
            assert field.link.connected
            await field.read(2.0, 1.0, OWN)
            await asyncio.sleep(0.01)
        assert field.drain() == []


# --- Quality ------------------------------------------------------------------------------------------------------------------------------

GOOD, SENSOR, RANGE, LINE = Quality.GOOD, Quality.BAD_SENSOR, Quality.BAD_RANGE, Quality.BAD_WIRE
READINGS = [
    ("z1_tc_a_c", 150.0, "Good", 150.0, GOOD),
    ("z1_tc_a_c", 150, "Good", 150, GOOD),
    ("z1_tc_a_c", math.nan, "Good", None, SENSOR),
    ("z1_tc_a_c", math.inf, "Good", None, RANGE),
    ("z1_tc_a_c", 1e6, "Good", None, RANGE),
    ("z1_tc_a_c", "150", "Good", None, LINE),
    ("z1_tc_a_c", None, "Good", None, LINE),
    ("z1_tc_a_c", True, "Good", None, LINE),
    ("z1_tc_a_c", [150.0], "Good", None, LINE),
    ("z1_tc_a_c", 150.0, "BadSensorFailure", None, SENSOR),
    ("z1_tc_a_c", 150.0, "BadOutOfService", None, SENSOR),
    ("z1_tc_a_c", 150.0, "BadNoCommunication", None, LINE),
    ("z1_tc_a_c", 150.0, "BadWaitingForInitialData", None, LINE),
    ("z1_tc_a_c", 150.0, "BadOutOfRange", None, RANGE),
    ("z1_tc_a_c", 150.0, "Uncertain", None, SENSOR),
    ("z1_tc_a_c", 150.0, "UncertainLastUsableValue", None, Quality.STALE),
    ("z1_tc_a_c", 150.0, "UncertainEngineeringUnitsExceeded", None, RANGE),
    ("z1_tc_a_c", 150.0, "GoodClamped", 150.0, GOOD),
    ("door_locked", True, "Good", True, GOOD),
    ("door_locked", 1, "Good", None, LINE),
    ("door_locked", 1.0, "Good", None, LINE),
    ("door_locked", True, "Bad", None, SENSOR),
]


@pytest.mark.parametrize(("name", "value", "status", "expected", "quality"), READINGS)
async def test_a_value_is_used_only_when_its_status_is_good_and_it_is_in_range(name, value, status, expected, quality):
    assert nodes.reading(name, value, getattr(ua.StatusCodes, status)) == (expected, quality)


async def test_the_order_of_an_image_is_that_of_inputs():
    image = [nodes.Reading(place, Quality.GOOD) for place in range(len(nodes.PLACES))]
    found = nodes.inputs(image, 3.0)
    assert (found.at_s, found.dt_s) == (3.0, 0.0)
    assert [getattr(found, name).value for name in SIGNALS if name not in OWN_SIGNALS] == list(range(len(image)))
    assert {getattr(found, name).quality for name in OWN_SIGNALS} == {Quality.ABSENT}


async def test_a_bad_status_reaches_one_sample_and_leaves_the_others(line):
    driver, desk = await connected(line), Desk(line)
    try:
        await desk.write("door_locked", None, status=ua.StatusCodes.BadNotConnected)
        await desk.image(8000, pressure_cap_mbar=500.0)
        await until(lambda: driver.taken == 8000, lambda: shown(driver, "plc_alive"))
        assert (await shown(driver, "door_locked"))[:2] == (None, Quality.BAD_WIRE)
        assert (await shown(driver, "pressure_cap_mbar"))[:2] == (500.0, Quality.GOOD)
    finally:
        await driver.close()


# --- Who and what -------------------------------------------------------------------------------------------------------------------------


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


# --- Settings and wiring ------------------------------------------------------------------------------------------------------------------


def configured(folder, text):
    path = folder / "controller.toml"
    path.write_text(text)
    return config.load(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[plc]\nwire = "opcua"\n', "plc.opcua.certificate_file = None: needed for security"),
        ('[plc]\nwire = "opcua"\n[plc.opcua]\nsecurity = "None"\nkey_file = "k"\n', "plc.opcua.key_file = 'k': has no use with security"),
        ('[plc]\nwire = "opcua"\n[plc.opcua]\nsecurity = "None"\nusername = "a"\n', "neither without the other"),
        ('[plc]\nwire = "opcua"\n[plc.opcua]\nsecurity = "Basic128"\n', "plc.opcua.security = 'Basic128'"),
        ('[plc]\nwire = "profinet"\n', "plc.wire = 'profinet'"),
        ('[plc.opcua]\nurl = "http://plc"\n', "plc.opcua.url"),
        ('[plc.opcua]\nurl = "opc.tcp://user:password@plc:4840"\n', "plc.opcua.url"),
        ('[plc.opcua]\nuser = "a"\n', "unknown key; did you mean username"),
        ('[plc.modbus]\ntransport = "rtu"\n', 'transport = "rtu" needs serial'),
        ('[plc.modbus]\nserial = "/dev/ttyS0"\n', 'transport = "tcp" needs host'),
        ('[plc.modbus]\nhost = "plc"\nserial = "/dev/ttyS0"\n', 'serial does not go with transport = "tcp"'),
        ('[plc.modbus]\ntransport = "rtu"\nserial = "/dev/ttyS0"\nport = 502\n', 'port does not go with transport = "rtu"'),
        ('[plc.modbus]\ntransport = "tls"\nhost = "plc"\nca_file = "ca.pem"\n', "needs certificate_file, key_file"),
        ('[plc.modbus]\nhost = "plc"\nca_file = "ca.pem"\n', 'ca_file: only with transport = "tls"'),
        ('[plc.modbus]\ntransport = "udp"\nhost = "plc"\n', "plc.modbus.transport = 'udp'"),
        ('[plc.modbus]\ntransport = "rtu"\nserial = "/dev/ttyS0"\nparity = "X"\n', "plc.modbus.parity = 'X'"),
        ('[plc.modbus]\ntransport = "rtu"\nserial = "/dev/ttyS0"\nstop_bits = 3\n', "plc.modbus.stop_bits = 3"),
    ],
)
async def test_a_wrong_setting_is_refused_with_file_key_value_and_what_is_allowed(tmp_path, text, says):
    with pytest.raises(FileError) as found:
        configured(tmp_path, text)
    assert says in str(found.value)
    assert str(tmp_path / "controller.toml") in str(found.value)


async def test_files_are_named_relative_to_the_configuration_and_must_be_there_for_the_core(tmp_path):
    text = (
        '[plc]\nwire = "opcua"\n[plc.opcua]\ncertificate_file = "a.pem"\nkey_file = "pki/a.key"\nserver_certificate_file = "/etc/plc.der"\n'
    )
    plc = configured(tmp_path, text).plc
    assert (plc.opcua.key_file, plc.opcua.server_certificate_file) == (str(tmp_path / "pki/a.key"), "/etc/plc.der")
    with pytest.raises(FileError, match=r"plc.opcua.certificate_file = .*a.pem': no such file"):
        driver_of(plc, WIRING)


async def test_the_registered_ports_are_the_defaults():
    modbus = {"ca_file": "a", "certificate_file": "b", "key_file": "c"}
    assert Plc.model_validate({"modbus": {"host": "plc"}}).modbus.tcp_port == 502
    assert Plc.model_validate({"modbus": {"transport": "tls", "host": "plc", **modbus}}).modbus.tcp_port == 802


@pytest.mark.parametrize("which", ["certificate_file", "key_file", "server_certificate_file"])
async def test_what_is_no_certificate_or_key_is_named_at_the_start(line, tmp_path, which):
    (tmp_path / "wrong.pem").write_text("-----BEGIN NOTHING-----\n")
    with pytest.raises(FileError, match=rf"plc.opcua.{which} = .*wrong.pem': must be"):
        line.driver(**{which: str(tmp_path / "wrong.pem")})


async def test_a_tls_file_that_is_none_is_named_at_the_start(tmp_path):
    (tmp_path / "wrong.pem").write_text("nothing")
    wrong = str(tmp_path / "wrong.pem")
    plc = Plc.model_validate(
        {"modbus": {"transport": "tls", "host": "plc", "ca_file": wrong, "certificate_file": wrong, "key_file": wrong}}
    )
    with pytest.raises(FileError, match=r"plc.modbus.ca_file = .*wrong.pem': must be PEM"):
        driver_of(plc, WIRING)


ONLY_NODES = {
    "map_version": 1,
    "plc_serial": 4711,
    "opcua": {"namespace": "urn:ovenctl:plc"},
    "signals": {name: {} for name in SIGNALS if name not in OWN_SIGNALS},
}


def toml_of(content):
    lines = [f"map_version = {content['map_version']}", f"plc_serial = {content['plc_serial']}"]
    if "opcua" in content:
        lines += ["[opcua]", *(f'{key} = "{value}"' for key, value in content["opcua"].items())]
    lines += ["[signals]"]
    for name, place in content["signals"].items():
        inside = ", ".join(f"{key} = " + (f'"{value}"' if isinstance(value, str) else str(value).lower()) for key, value in place.items())
        lines.append(f"{name} = {{ {inside} }}")
    return "\n".join(lines)


async def test_a_wiring_without_registers_serves_opc_ua_and_refuses_modbus(tmp_path):
    (tmp_path / "wiring.toml").write_text(toml_of(ONLY_NODES))
    wiring = wirings.load(tmp_path / "wiring.toml")
    assert (wiring.registers, wiring.nodes["z1_tc_a_c"]) == (0, "s=Oven.z1_tc_a_c")
    with pytest.raises(FileError, match="Modbus needs the register"):
        driver_of(Plc(), wiring)


async def test_a_wiring_without_nodes_refuses_opc_ua(tmp_path):
    content = WIRING.file.model_dump() | {"opcua": None}
    with pytest.raises(FileError, match="opcua = None: this section is needed"):
        OpcUaDriver(OpcUaSettings(security="None"), Wiring(WiringFile.model_validate(content)))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"signals": {"z1_tc_a_c": {"node": "s=Oven.z1_tc_b_c"}}}, "signals.z1_tc_b_c.node = 's=Oven.z1_tc_b_c': is signals.z1_tc_a_c too"),
        ({"signals": {"z1_tc_a_c": {"node": "s=Oven.begun"}}}, "is opcua.begun too"),
        ({"signals": {"z1_tc_a_c": {"node": "ns=3;s=A"}}}, "signals.z1_tc_a_c.node = 'ns=3;s=A'"),
        ({"opcua": {"signal": "s=Oven"}}, "opcua.signal = 's=Oven'"),
        ({"opcua": {"command": "s=Oven.begun"}}, "opcua.command = 's=Oven.begun'"),
        ({"signals": {"z1_tc_a_c": {"at": "18"}}}, "signals.z1_tc_b_c.at = None: say where it lies"),
    ],
)
async def test_a_wrong_node_is_refused_with_its_line(tmp_path, changed, says):
    content = {key: {**value, **changed.get(key, {})} if isinstance(value, dict) else value for key, value in ONLY_NODES.items()}
    (tmp_path / "wiring.toml").write_text(toml_of(content))
    with pytest.raises(FileError) as found:
        wirings.load(tmp_path / "wiring.toml")
    assert says in str(found.value)


async def test_a_node_without_a_section_is_refused(tmp_path):
    text = (ROOT / "deploy" / "wiring.toml").read_text()
    head, tail = text.split("[opcua]")
    text = head + "[signals]" + tail.split("[signals]")[1].replace('z1_tc_a_c = { at = "18"', 'z1_tc_a_c = { node = "s=A", at = "18"')
    (tmp_path / "wiring.toml").write_text(text)
    with pytest.raises(FileError, match=r"signals.z1_tc_a_c.node = 's=A': needs a section \[opcua\]"):
        wirings.load(tmp_path / "wiring.toml")


@pytest.mark.parametrize("wrong", [{"publish_s": 0.0}, {"timeout_s": 5.0}, {"late_s": float("nan")}, {"url": "opc.tcp://plc"}])
async def test_opc_ua_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        OpcUaSettings.model_validate(wrong)
