"""What an installation is made of: the units, the broker's configuration, the contract for the PLC programmer."""

import asyncio
import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import pytest

from controller import block, config
from controller.image import OFF, OWN_SIGNALS, SIGNALS
from controller.northbound.mqtt import MqttSettings
from controller.notify import notify, watchdog_s
from controller.southbound import printing
from tests.conftest import Mosquitto, required

DEPLOY = Path(__file__).parent.parent / "deploy"
UNITS = ("ovenctl-core.service", "ovenctl-gateway.service")
EXPOSURE_LIMIT = 2.0
DEADLINE_S = 10.0


# --- systemd ------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as they are, but for what they start: ovenctl is not installed where the tests run."""
    for unit in UNITS:
        text = (DEPLOY / unit).read_text()
        assert text.count("/opt/ovenctl/bin/ovenctl ") == text.count("\nExecStart")
        (tmp_path / unit).write_text(text.replace("/opt/ovenctl/bin/ovenctl ", "/bin/true "))
    return tmp_path


def analyze(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = required(shutil.which("systemd-analyze"), "systemd-analyze")
    return subprocess.run([program, *arguments], check=False, cwd=folder, capture_output=True, text=True, timeout=60)


def test_systemd_finds_nothing_to_say_about_the_units(units: Path) -> None:
    found = analyze("verify", *(f"./{unit}" for unit in UNITS), folder=units)
    assert (found.returncode, found.stderr) == (0, "")  # it returns 0 on unknown keys and tells them on stderr


@pytest.mark.parametrize("unit", UNITS)
def test_the_units_are_hardened(unit: str, units: Path) -> None:
    found = analyze("security", "--offline=true", f"./{unit}", folder=units)
    score = re.search(r"exposure level for .*: ([0-9.]+)", found.stdout)
    assert score is not None, found.stderr
    assert float(score[1]) <= EXPOSURE_LIMIT


@pytest.mark.parametrize(
    ("unit", "lines"),
    [
        (
            "ovenctl-core.service",
            ["Type=notify", "WatchdogSec=10", "Restart=on-failure", "User=ovenctl", "CapabilityBoundingSet=",
             "ExecStart=/opt/ovenctl/bin/ovenctl run --config /etc/ovenctl/controller.toml"],
        ),
        (
            "ovenctl-gateway.service",
            ["Type=notify", "Restart=always", "User=ovenctl-gateway", "CapabilityBoundingSet=", "ReadOnlyPaths=-/var/lib/ovenctl",
             "ReadWritePaths=-/var/lib/ovenctl/mailbox", "MemoryMax=512M", "StateDirectory=ovenctl-gateway",
             "ExecStartPre=/opt/ovenctl/bin/ovenctl warm-up", "CacheDirectory=ovenctl-gateway", "MemoryDenyWriteExecute=no"],
        ),
    ],
)  # fmt: skip
def test_a_unit_says_what_the_design_rests_on(unit: str, lines: list[str]) -> None:
    assert set(lines) <= set((DEPLOY / unit).read_text().splitlines())


def test_the_core_depends_on_no_other_unit_of_ours() -> None:
    assert "ovenctl-gateway" not in "".join(
        line for line in (DEPLOY / UNITS[0]).read_text().splitlines(keepends=True) if not line.startswith("#")
    )
    assert not re.search(r"^(Requires|BindsTo|PartOf)=", (DEPLOY / UNITS[1]).read_text(), re.MULTILINE)


@pytest.mark.parametrize("abstract", [False, True])
def test_notify_reaches_systemds_socket(abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"ovenctl-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(DEADLINE_S)
        systemd.bind(f"\0{name}" if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
        assert notify("READY=1")
        assert systemd.recv(100) == b"READY=1"


def test_without_systemd_nobody_is_notified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert notify("READY=1") is False
    assert watchdog_s() is None


@pytest.mark.parametrize(("pid", "expected"), [(None, 10.0), (str(os.getpid()), 10.0), ("1", None)], ids=["none", "own", "another"])
def test_the_watchdog_time_is_for_this_process_only(pid: str | None, expected: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    assert watchdog_s() == expected


# --- Mosquitto ----------------------------------------------------------------------------------------------------------------------------


STOCK = """# Debian's /etc/mosquitto/mosquitto.conf
pid_file /run/mosquitto/mosquitto.pid

persistence true
persistence_location /var/lib/mosquitto/

log_dest file /var/log/mosquitto/mosquitto.log

include_dir /etc/mosquitto/conf.d
"""


class Installed(Mosquitto):
    """Debian's Mosquitto with the deployed configuration, included or alone; places of the files and ports are the test's own."""

    def __init__(self, program: str, folder: Path, alone: bool = False) -> None:
        super().__init__(program, folder)
        self.folder = folder
        self.tls_port = self.port
        while self.tls_port == self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.tls_port = free.getsockname()[1]
        text = (DEPLOY / "mosquitto.conf").read_text()
        for deployed, here in {
            "listener 1883 127.0.0.1": f"listener {self.port} 127.0.0.1",
            "listener 8883": f"listener {self.tls_port} 127.0.0.1",
            "/etc/mosquitto/ovenctl.passwd": f"{folder}/passwd",
            "/etc/mosquitto/ovenctl.acl": f"{folder}/acl",
            "/etc/mosquitto/certs/": f"{folder}/",
            "/var/lib/mosquitto/": f"{folder}/",
        }.items():
            assert deployed in text
            text = text.replace(deployed, here)
        text = text.replace("#persistence_location", "persistence_location") if alone else text
        stock = re.sub(r"/(run|var/lib|var/log|etc)/mosquitto/", f"{folder}/", STOCK)
        (folder / "conf.d").mkdir()
        (folder / "conf.d" / "ovenctl.conf").write_text(text)
        # Root's broker would drop to a user that cannot see the test's folder.
        self.config.write_text((text if alone else stock) + ("user root\n" if os.geteuid() == 0 else ""))
        shutil.copy(DEPLOY / "mosquitto.acl", folder / "acl")
        (folder / "acl").chmod(0o600)
        passwd = required(shutil.which("mosquitto_passwd"), "mosquitto_passwd")
        (folder / "passwd").touch(0o600)
        for user in ("ovenctl-gateway", "supervisor"):
            subprocess.run([passwd, "-b", str(folder / "passwd"), user, "secret"], check=True, capture_output=True, timeout=30)
        certificates(folder)


def certificates(folder: Path) -> None:
    """Make an authority and a certificate for localhost."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.now(UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "broker")}
    names = {name: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in keys}
    for name, key in keys.items():
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[name])
            .issuer_name(names["ca"])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )
        (folder / f"{name}.pem").write_bytes(builder.sign(keys["ca"], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )  # fmt: skip
        (folder / f"{name}.key").write_bytes(private)


@pytest.fixture(scope="module")
def installed(mosquitto_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    broker = Installed(mosquitto_program, tmp_path_factory.mktemp("installed"))
    broker.start()
    yield broker
    broker.kill()


def client(installed: Installed, user: str | None, *, tls: bool = False, password: str = "secret") -> aiomqtt.Client:
    context = ssl.create_default_context(cafile=str(installed.folder / "ca.pem")) if tls else None
    host, port = ("localhost", installed.tls_port) if tls else ("127.0.0.1", installed.port)
    return aiomqtt.Client(host, port, username=user, password=password if user else None, tls_context=context, timeout=DEADLINE_S)


@pytest.mark.parametrize("alone", [False, True], ids=["included by Debian's file", "alone"])
async def test_the_broker_starts_with_the_file_and_keeps_its_sessions_on_disk(alone: bool, mosquitto_program: str, tmp_path: Path) -> None:
    broker = Installed(mosquitto_program, tmp_path, alone)
    broker.start()
    async with client(broker, "supervisor") as ear:
        await ear.subscribe("ovenctl/#", qos=1)
    assert broker.process is not None
    broker.process.terminate()
    assert broker.process.wait(DEADLINE_S) == 0
    assert (tmp_path / "mosquitto.db").stat().st_size > 0


@pytest.mark.parametrize(("user", "password"), [(None, ""), ("ovenctl-gateway", "wrong"), ("nobody", "secret")])
async def test_the_broker_lets_nobody_in_without_the_right_password(installed: Installed, user: str | None, password: str) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with client(installed, user, password=password):
            pass


async def test_the_gateway_writes_its_own_prefix_only_and_the_supervisor_reads_over_tls(installed: Installed) -> None:
    prefix = MqttSettings().prefix
    async with asyncio.timeout(DEADLINE_S), client(installed, "supervisor", tls=True) as ear, client(installed, "ovenctl-gateway") as mouth:
        await ear.subscribe("ovenctl/#", qos=1)
        await ear.publish(f"{prefix}/state", b"from a supervisor", qos=1)
        await mouth.publish("ovenctl/site/other/state", b"another oven", qos=1)
        await mouth.publish(f"{prefix}/state", b"allowed", qos=1)
        message = await anext(ear.messages)
        assert message.payload == b"allowed"  # in order, so the two before it were dropped


async def test_the_gateway_can_read_nothing(installed: Installed) -> None:
    async with asyncio.timeout(DEADLINE_S), client(installed, "ovenctl-gateway") as mouth, client(installed, "supervisor") as ear:
        await ear.subscribe("ovenctl/#", qos=1)
        await mouth.subscribe("ovenctl/#", qos=1)
        await mouth.publish(f"{MqttSettings().prefix}/event", b"echo?", qos=1)
        await anext(ear.messages)
        assert len(mouth.messages) == 0


async def test_a_certificate_of_another_authority_is_refused(installed: Installed) -> None:
    stranger = ssl.create_default_context()
    with pytest.raises(ssl.SSLError, match="certificate"):
        await asyncio.wait_for(asyncio.open_connection("localhost", installed.tls_port, ssl=stranger), DEADLINE_S)


# --- The way to install it ----------------------------------------------------------------------------------------------------------------


def install_steps() -> list[str]:
    """The indented lines of INSTALL.md, in their order."""
    return [line.strip() for line in (DEPLOY / "INSTALL.md").read_text().splitlines() if line.startswith("       ")]


def test_the_gateways_folder_is_made_before_the_gateways_user_writes_there() -> None:
    steps, deployed = install_steps(), config.load(DEPLOY / "controller.toml").gateway
    assert Path(deployed.opcua.pki_dir).is_absolute() is False
    made = steps.index(f"install -d -o ovenctl-gateway -g ovenctl-gateway -m 0700 {deployed.state_dir}")
    wanting = [at for at, step in enumerate(steps) if step.startswith("runuser -u ovenctl-gateway")]
    assert len(wanting) == 2
    assert made < min(wanting)


@pytest.mark.parametrize("unit", UNITS)
def test_the_documents_a_unit_names_are_installed(unit: str) -> None:
    named = re.findall(r"^Documentation=file:///opt/ovenctl/share/(.+)$", (DEPLOY / unit).read_text(), re.MULTILINE)
    assert named
    assert [name for name in named if not (DEPLOY / name).is_file() or not name.endswith(".md")] == []
    assert "install -m 0644 deploy/*.md /opt/ovenctl/share/" in install_steps()


def test_the_installed_gateway_is_somebody_to_the_broker(tmp_path: Path) -> None:
    steps = install_steps()
    at = steps.index("[gateway.mqtt]")
    text = (DEPLOY / "controller.toml").read_text().replace("[gateway.mqtt]\n", "\n".join([*steps[at : at + 3], ""]))
    (tmp_path / "controller.toml").write_text(text)
    mqtt = config.load(tmp_path / "controller.toml").gateway.mqtt
    assert f"user {mqtt.username}\ntopic write {mqtt.prefix}/#" in (DEPLOY / "mosquitto.acl").read_text()
    assert f"mosquitto_passwd -c /etc/mosquitto/ovenctl.passwd {mqtt.username}" in steps
    assert f"install -o ovenctl-gateway -g ovenctl-gateway -m 0600 /dev/null {mqtt.password_file}" in steps


# --- The contract for the PLC programmer --------------------------------------------------------------------------------------------------


def contract_text() -> str:
    return (DEPLOY / "PLC-CONTRACT.md").read_text()


def test_the_contract_is_fresh() -> None:
    renew = (
        'python -c "from pathlib import Path; from controller.southbound.printing import renewed; '
        "p = Path('deploy/PLC-CONTRACT.md'); p.write_text(renewed(p.read_text()))\""
    )
    assert contract_text() == printing.renewed(contract_text()), f"renew it: {renew}"


def test_the_contract_holds_every_table() -> None:
    assert sorted(re.findall(r"<!-- table (\w+) -->", contract_text())) == sorted(printing.TABLES)
    for name in [name for name in SIGNALS if name.startswith(("plc_", "echo_")) and name not in OWN_SIGNALS]:
        assert f"`{name}`" in contract_text()


def offsets() -> dict[str, int]:
    """Register of each entry, counted from an encoded block and not from the code that prints the table."""
    found, at = {}, 0
    for name, code, _ in block.LAYOUT:
        found[name] = at
        at += {"H": 1, "I": 2, "f": 2}[code]
    assert at == block.REGISTERS == len(block.encode(block.Block(1, 1, 1, 1, OFF)))
    return found


def test_the_structured_text_reads_the_registers_of_the_layout() -> None:
    at = offsets()

    def pair(name: str) -> str:
        return f"Pair(Reg[{at[name]}], Reg[{at[name] + 1}])"

    program = re.search(r"```iecst\n(.*?)```", contract_text(), re.DOTALL)
    assert program is not None
    text = program[1]
    for needed in (
        f"Reg[{at['magic']}] <> 16#{block.MAGIC:04X}",
        f"Reg[{at['map_version']}] <> {block.MAP_VERSION} ",
        f"BlockEpoch   := {pair('epoch')}",
        f"BlockCounter := {pair('counter')}",
        f"Source       := {pair('source_alive')}",
        f"CrcCcittFalse(Count := {at['crc']}, Reg := Reg) <> Reg[{at['crc']}]",
        f"{pair('counter_complement')} <> 16#FFFFFFFF - BlockCounter",
        f"{pair('batch_id')} = 0 OR {pair('recipe_crc')} = 0",
        f"Lease := Reg[{at['master']}]",
    ):
        assert needed in text, needed
    assert {int(code) for code in re.findall(r"Reason := (\d+)", text)} == {int(reason) for reason in block.Reason}


@pytest.mark.parametrize("payload", [b"12", b"123456789A", bytes(range(78)), b"\xff" * 78])
def test_the_structured_texts_crc_is_the_blocks_crc(payload: bytes) -> None:
    """The reference's loop, a word at a time, written again here."""
    crc = 0xFFFF
    for word in struct.unpack(f">{len(payload) // 2}H", payload):
        crc ^= word
        for _ in range(16):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    assert crc == block.crc16(payload)


def test_every_package_of_the_independent_client_is_pinned_with_its_integrity_and_no_host_is_named() -> None:
    folder = Path(__file__).parent / "interop"
    text = (folder / "package-lock.json").read_text()
    assert "://" not in text
    packages = json.loads(text)["packages"]
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    assert packages.pop("")["dependencies"] == wanted
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert [name for name, one in packages.items() if not one.get("integrity", "").startswith("sha512-") or not one["version"]] == []
