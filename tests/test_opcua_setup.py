"""What IT does before the OPC UA server runs: certificate, trust, people; mistakes are told with file, key, value and what is allowed."""

import asyncio
import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.testing import capture_logs
from typer.testing import CliRunner

from controller import config as configs
from controller import gateway
from controller.__main__ import app
from controller.errors import FileError
from controller.northbound.opcua import pki, users
from controller.northbound.opcua.pki import Pki
from controller.northbound.opcua.server import OpcuaServer
from controller.oven_port import JournalOven
from controller.roles import Role

RUN = CliRunner()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "controller.toml"
    file.write_text("[gateway.opcua]\nenabled = true\nport = 0\n")
    return file


def said(config: Path, *command: str, given: str = "") -> str:
    done = RUN.invoke(app, [*command, "--config", str(config)], input=given)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_the_certificate_is_made_once_and_its_keys_are_nobody_elses(config: Path) -> None:
    assert "made" in said(config, "pki", "init", "--host", "oven1")
    store = Pki(config.parent / "var" / "gateway" / "pki")
    first = store.certificate.read_bytes()
    assert "is there already" in said(config, "pki", "init", "--host", "oven2")
    assert store.certificate.read_bytes() == first
    assert {file.stat().st_mode & 0o777 for file in (store.key, store.signing_key)} == {0o600}
    assert store.certificate.stat().st_mode & 0o777 == 0o644
    listed = said(config, "pki", "list")
    assert pki.thumbprint(first) in listed
    assert "urn:oven1:ovenctl:gateway" in listed


@pytest.fixture
def store(tmp_path: Path) -> Pki:
    made = Pki(tmp_path / "pki")
    assert pki.init(made, "urn:test", "oven1") == (made.signing_key, made.key, made.certificate)
    return made


def contents(store: Pki) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in store.certificate.parent.iterdir()}


@pytest.mark.parametrize(
    "host", ["ofen-süd.example", "a b", "a/b:c", "a" * 300, "a" * 64, ".".join(["a" * 60] * 5), "", "-a", "a.", "256.1.1.1", "fe80::1%eth0"]
)
def test_a_host_that_cannot_stand_in_a_certificate_is_refused_before_anything_is_made(host: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"host = '.*an IP address without a zone, or a name of letters"):
        pki.init(Pki(tmp_path / "pki"), "urn:test", host)
    assert not (tmp_path / "pki").exists()


@pytest.mark.parametrize("host", ["oven1", "OVEN_1.plant.example", "xn--ofen-sd-q2a.example", "192.0.2.1", "2001:db8::1", "3com.example"])
def test_names_and_addresses_stand_in_the_certificate(host: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    names = pki.self_signed(key, "urn:test", host).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert host in {str(one.value) for one in names}


@pytest.mark.parametrize("lost", [{"recipes.pem"}, {"certificate.der"}, {"recipes.pem", "certificate.der"}, {"key.pem", "certificate.der"}])
def test_what_is_missing_is_made_and_what_is_there_stays(lost: set[str], store: Pki) -> None:
    before = contents(store)
    for name in lost:
        (store.certificate.parent / name).unlink()
    assert {file.name for file in pki.init(store, "urn:test", "oven1")} == lost
    after = contents(store)
    assert {name for name in before if after[name] != before[name]} == lost
    assert after.keys() == before.keys()
    pki.own(store)
    pki.signing_key(store)
    assert pki.init(store, "urn:test", "oven1") == ()


@pytest.mark.parametrize(
    ("broken", "content", "told"),
    [
        ("key.pem", None, "key.pem: file = '(missing)': the key of certificate.der: put it back, or move certificate.der away"),
        ("key.pem", b"", "an RSA key in PEM; move it and certificate.der away"),
        ("certificate.der", b"", "a certificate in DER; move certificate.der away"),
        ("recipes.pem", b"", "an Ed25519 key in PEM without a password; move it away"),
    ],
)
def test_a_half_that_cannot_be_completed_is_refused_with_what_to_do(broken: str, content: bytes | None, told: str, store: Pki) -> None:
    file = store.certificate.parent / broken
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    before = contents(store)
    with pytest.raises(FileError) as found:
        pki.init(store, "urn:test", "oven1")
    assert told in str(found.value)
    assert contents(store) == before


def test_an_empty_key_of_a_full_disk_is_not_taken_for_a_whole_one(store: Pki) -> None:
    store.certificate.unlink()
    store.key.write_bytes(b"")
    with pytest.raises(FileError, match="an RSA key in PEM; move it"):
        pki.init(store, "urn:test", "oven1")
    assert store.key.read_bytes() == b""


@pytest.mark.parametrize("full_at", [0, 1, 2])
def test_a_disk_that_fills_leaves_nothing_half(full_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, real = [], os.fsync

    def full(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) > full_at:
            raise OSError(28, "No space left on device")
        real(descriptor)

    store = Pki(tmp_path / "pki")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        pki.init(store, "urn:test", "oven1")
    assert contents(store) == {}
    monkeypatch.setattr(os, "fsync", real)
    assert len(pki.init(store, "urn:test", "oven1")) == 3


def test_a_private_key_is_nobody_elses_whatever_its_file_is_called(tmp_path: Path) -> None:
    pki.new_signing_key(tmp_path / "mine.der")
    assert (tmp_path / "mine.der").stat().st_mode & 0o777 == 0o600


def test_an_address_is_shown_as_it_is(config: Path) -> None:
    assert "urn:o:ovenctl:gateway" in said(config, "pki", "init", "--host", "o")


def test_a_file_that_comes_meanwhile_is_not_overwritten(store: Pki) -> None:
    before = contents(store)
    with pytest.raises(FileExistsError):
        pki.new_signing_key(store.signing_key)
    assert contents(store) == before


def test_a_certificate_that_knocked_is_trusted_by_its_thumbprint_with_or_without_colons(config: Path) -> None:
    said(config, "pki", "init", "--host", "oven1")
    store = Pki(config.parent / "var" / "gateway" / "pki")
    der = store.certificate.read_bytes()
    shown = pki.thumbprint(der)
    assert pki.objection(store, der, None) == "BadCertificateUntrusted"
    said(config, "pki", "trust", ":".join(shown[at : at + 2] for at in range(0, 40, 2)).lower())
    assert pki.objection(store, der, None) == ""
    assert pki.objection(store, der, "urn:somebody:else") == "BadCertificateUriInvalid"
    said(config, "pki", "distrust", shown)
    assert pki.objection(store, der, None) == "BadCertificateUntrusted"
    with pytest.raises(FileError, match="thumbprint = 'AB'"):
        said(config, "pki", "trust", "AB")
    assert pki.objection(store, b"\x30\x03\x02\x01\x01", None) == "BadCertificateInvalid"


def test_rejected_certificates_cannot_fill_the_disk(config: Path) -> None:
    said(config, "pki", "init", "--host", "oven1")
    store = Pki(config.parent / "var" / "gateway" / "pki")
    for number in range(pki.MOST_REJECTED):
        (store.rejected / f"{number}.der").write_bytes(b"x")
    pki.objection(store, store.certificate.read_bytes(), None)
    assert sum(1 for _ in store.rejected.iterdir()) == pki.MOST_REJECTED


def test_people_are_added_changed_listed_and_removed(config: Path) -> None:
    said(config, "user", "add", "emma", "engineer", given="correct horse 9\n")
    file = config.parent / "var" / "gateway" / "users.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    account = users.read(file)["emma"]
    assert users.matches(account, "correct horse 9")
    assert not users.matches(account, "correct horse 8")
    assert users.role_of(account) is Role.ENGINEER
    said(config, "user", "add", "cora", "viewer", "--no-password", "--certificate", "ab:" * 19 + "ab")
    assert users.read(file)["cora"].certificates == ("AB" * 20,)
    assert "cora" in said(config, "user", "list")
    said(config, "user", "remove", "emma")
    assert list(users.read(file)) == ["cora"]


def test_what_is_not_given_of_a_person_stays(config: Path) -> None:
    file = config.parent / "var" / "gateway" / "users.toml"
    said(config, "user", "add", "emma", "viewer", "--certificate", "AB" * 20, given="correct horse 9\n")
    first = users.read(file)["emma"]
    said(config, "user", "add", "emma", "engineer", "--no-password")
    assert users.read(file)["emma"] == first.model_copy(update={"role": "engineer"})
    said(config, "user", "add", "emma", "engineer", "--no-password", "--certificate", "CD" * 20)
    assert users.read(file)["emma"] == first.model_copy(update={"role": "engineer", "certificates": ("CD" * 20,)})
    said(config, "user", "add", "emma", "engineer", given="another horse 9\n")
    assert users.read(file)["emma"].certificates == ("CD" * 20,)
    assert users.matches(users.read(file)["emma"], "another horse 9")


ACCOUNTS = {"cora": users.Account.model_validate({"role": "viewer", "certificates": ["AB" * 20]})}
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


def test_the_file_of_people_keeps_its_mode_and_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    file, link = tmp_path / "there" / "people.toml", tmp_path / "users.toml"
    file.touch()
    file.chmod(0o640)
    link.symlink_to("there/people.toml")
    users.write(link, ACCOUNTS)
    assert link.is_symlink()
    assert users.read(file) == ACCOUNTS
    assert file.stat().st_mode & 0o7777 == 0o640
    assert [one.name for one in file.parent.iterdir()] == ["people.toml"]


@ROOT_ONLY
@pytest.mark.parametrize("there", [True, False], ids=["kept", "the folder's"])
def test_root_takes_the_file_of_people_from_nobody(there: bool, tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    os.chown(tmp_path, 0 if there else 4321, 0 if there else 4322)
    if there:
        file.touch(0o600)
        os.chown(file, 4321, 4322)
    users.write(file, ACCOUNTS)
    assert (file.stat().st_uid, file.stat().st_gid, file.stat().st_mode & 0o7777) == (4321, 4322, 0o600)


def test_a_file_of_people_that_cannot_be_written_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "users.toml"
    users.write(file, ACCOUNTS)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        users.write(file, {})
    assert users.read(file) == ACCOUNTS
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("command", "given", "told"),
    [
        (("user", "add", "x", "boss"), "", "role = 'boss': one of viewer, operator, engineer, admin"),
        (("user", "add", "x", "viewer"), "short\n", "length = 5: 10 to 200 characters"),
        (("user", "add", "a b", "viewer", "--no-password"), "", "String should match pattern"),
        (("user", "add", "x", "viewer", "--no-password", "--certificate", "12"), "", "certificates"),
        (("user", "add", "x", "viewer", "--no-password"), "", "user = 'x': a password or --certificate: with neither nobody can log in"),
        (("user", "remove", "x"), "", "user = 'x': one of nobody yet"),
    ],
)
def test_a_mistake_is_told_with_what_is_allowed(config: Path, command: tuple[str, ...], given: str, told: str) -> None:
    with pytest.raises(FileError) as found:
        said(config, *command, given=given)
    assert told in str(found.value)


def test_a_wrong_users_file_lets_nobody_in_and_names_the_key(tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    file.write_text('[user.emma]\nrole = "enginer"\npasword = "x"\n')
    with pytest.raises(FileError, match=r"user\.emma\.role") as found:
        users.read(file)
    assert "did you mean password?" in str(found.value)


async def test_the_gateway_says_what_is_missing_before_it_serves(config: Path) -> None:
    with pytest.raises((FileError, ExceptionGroup)) as found:
        await gateway.run(configs.load(config))
    error: BaseException = found.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert "ovenctl pki init" in str(error)


@pytest.fixture
def served(config: Path) -> Pki:
    said(config, "pki", "init", "--host", "oven1")
    return Pki(config.parent / "var" / "gateway" / "pki")


def self_made(key: rsa.RSAPrivateKey, days: float) -> bytes:
    return pki.self_signed(key, "urn:oven1", "oven1", days).public_bytes(serialization.Encoding.DER)


async def test_a_certificate_of_another_key_is_a_mistake_in_a_file(config: Path, served: Pki) -> None:
    served.certificate.write_bytes(self_made(rsa.generate_private_key(public_exponent=65537, key_size=2048), 10))
    with pytest.raises((FileError, ExceptionGroup)) as found:
        async with asyncio.timeout(60):
            await gateway.run(configs.load(config))
    error: BaseException = found.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, FileError)
    assert "key = 'of another key': the certificate of key.pem" in str(error)


def test_an_expired_certificate_is_told_in_the_log_and_marked_in_the_list(config: Path, served: Pki) -> None:
    assert "EXPIRED" not in said(config, "pki", "list")
    served.certificate.write_bytes(self_made(pki.own_key(served), -0.5))
    assert "EXPIRED" in said(config, "pki", "list")
    settings = configs.load(config)
    server = OpcuaServer(
        settings.gateway.opcua, Path(settings.gateway.state_dir), JournalOven(Path("j"), Path("m")), settings.settings, "0"
    )
    with capture_logs() as logs:
        server._certificate()
    assert [one["why"] for one in logs if one["event"] == "certificate"] == ["expired: clients may refuse it"]


def test_the_core_does_not_load_the_opc_ua_stack() -> None:
    import subprocess
    import sys

    code = "import sys, controller.config, controller.service; print('asyncua' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
