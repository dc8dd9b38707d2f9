"""What IT does before the OPC UA server runs: certificate, trust, people; mistakes are told with file, key, value and what is allowed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller import config as configs
from controller import gateway
from controller.__main__ import app
from controller.errors import FileError
from controller.northbound.opcua import pki, users
from controller.northbound.opcua.pki import Pki
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
    listed = said(config, "pki", "list")
    assert pki.thumbprint(first) in listed
    assert "urn:oven1:ovenctl:gateway" in listed


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


@pytest.mark.parametrize(
    ("command", "given", "told"),
    [
        (("user", "add", "x", "boss"), "", "role = 'boss': one of viewer, operator, engineer, admin"),
        (("user", "add", "x", "viewer"), "short\n", "length = 5: 10 to 200 characters"),
        (("user", "add", "a b", "viewer", "--no-password"), "", "String should match pattern"),
        (("user", "add", "x", "viewer", "--no-password", "--certificate", "12"), "", "certificates"),
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


def test_the_core_does_not_load_the_opc_ua_stack() -> None:
    import subprocess
    import sys

    code = "import sys, controller.config, controller.service; print('asyncua' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
