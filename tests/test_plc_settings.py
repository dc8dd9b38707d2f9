"""What ``[plc]`` and the wiring file may say of the wire to the PLC, Modbus or OPC UA; a mistake is refused by name."""

import pytest
from pydantic import ValidationError

from controller import config
from controller import wiring as wirings
from controller.config import Plc
from controller.errors import FileError
from controller.image import OWN_SIGNALS, SIGNALS
from controller.service import driver_of
from controller.southbound.opcua_client import OpcUaDriver
from controller.southbound.opcua_settings import OpcUaSettings
from controller.wiring import Wiring, WiringFile
from tests.wires import ROOT, WIRING


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
