"""Approvals at the command line: the library with its roles and two persons, and signed files."""

import pytest

from controller.clock import wall_ns
from controller.intake import command_of
from controller.journal.mailbox import MailboxRow
from controller.recipe.approval import ApprovalSettings
from tests.approvals import LOAD, SOURCED, run
from tests.opcua_rig import RECIPE
from tests.rigs import ROOT


@pytest.fixture
def box(tmp_path, monkeypatch):
    from controller.northbound.opcua import pki
    from controller.northbound.opcua.pki import Pki

    config = tmp_path / "controller.toml"
    config.write_text('[core.roles]\notto = "engineer"\nemma = "engineer"\nanna = "operator"\n')
    pki.init(Pki(tmp_path / "var" / "gateway" / "pki"), "urn:test", "localhost")
    monkeypatch.setenv("OVENCTL_CONFIG", str(config))
    return tmp_path


def test_the_library_at_the_command_line_keeps_roles_and_two_persons_and_its_approval_verifies(box):
    from controller.cli.approval import brought
    from controller.config import load

    file, name = ROOT / "recipes" / "trial-short.toml", f"{SOURCED.recipe.id}/{SOURCED.recipe.revision}"
    assert "engineer or admin" in str(run("upload", file, "--user", "anna").exception)
    assert "is draft" in run("upload", file, "--user", "otto").output
    assert run("submit", name, "--user", "otto").exit_code == 0
    assert "another user approves it" in str(run("approve", name, "--user", "otto").exception)
    assert run("approve", name, "--user", "emma").exit_code == 0
    assert "approved" in run("list").output
    line = run("key").output.strip()
    believed = ApprovalSettings(keys={"gateway": line.partition('"')[2].rstrip('"')})
    args = brought(load(box / "controller.toml"), name, {}, None) | {"load": LOAD}
    asked = MailboxRow(1, "id", "anna", "START", args, None, wall_ns(), 60.0, "operator")
    command = command_of(asked, wall_ns(), believed)
    assert (command.refusal, command.start.verified.said) == ("", "recipe approved by emma, key gateway")
    assert run("retire", name, "--user", "emma").exit_code != 0  # without a core that keeps it nothing is retired
    assert brought(load(box / "controller.toml"), name, {}, None)["recipe"] == RECIPE


def test_a_signed_file_starts_with_the_approval_beside_it(box):
    from controller.cli.approval import brought
    from controller.config import load

    file, key = box / "mine.toml", box / "line-2.pem"
    file.write_text(RECIPE)
    line = run("key", "--new", key).output.strip()
    assert line.startswith('line-2 = "')
    assert "another person" in str(run("sign", file, "--author", "emma", "--user", "emma", "--key", key).exception)
    assert run("sign", file, "--author", "otto", "--user", "emma", "--key", key).exit_code == 0
    args = brought(load(box / "controller.toml"), str(file), {}, None) | {"load": LOAD}
    believed = ApprovalSettings(keys={"line-2": line.partition('"')[2].rstrip('"')})
    assert command_of(MailboxRow(1, "id", "anna", "START", args, None, wall_ns(), 60.0, "operator"), wall_ns(), believed).refusal == ""
    assert key.stat().st_mode & 0o077 == 0
