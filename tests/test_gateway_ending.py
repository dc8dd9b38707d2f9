"""How the gateway process ends: what it says, and its exit status, by which systemd decides whether to start it again."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from controller import gateway
from controller.__main__ import main
from controller.config import Config, anchored
from controller.errors import FileError
from controller.journal.entry import entry
from controller.journal.store import Journal
from controller.northbound import cursor
from controller.northbound.mqtt import Publisher
from controller.northbound.opcua import pki
from controller.northbound.opcua.pki import Pki
from sim.broker import free_port

EX_CONFIG = 78
ROOT = Path(__file__).parents[1]


def journal_in(folder: Path) -> None:
    with Journal(folder / "journal.sqlite", threaded=False) as journal:
        journal.append([entry("state", 1.0, {"from": "IDLE", "to": "RUNNING", "cause": "start"})])


def started(folder: Path, *, opcua: bool, port: int | None = None) -> subprocess.Popen[str]:
    """Return the gateway of ``folder``, with the broker at ``port`` (None: there is none)."""
    config = folder / "controller.toml"
    config.write_text(
        '[core]\njournal = "journal.sqlite"\nmailbox = "mailbox.sqlite"\n[gateway]\nstate_dir = "gateway"\n'
        f"[gateway.mqtt]\nport = {port or free_port()}\n[gateway.opcua]\nenabled = {str(opcua).lower()}\nport = {free_port()}\n"
    )
    command = [sys.executable, "-m", "controller", "gateway", "-c", str(config)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("mistake", ["cursor of another journal", "no pki init", "no key"])
def test_a_mistake_found_inside_the_gateway_is_told_in_one_line_and_is_not_tried_again(mistake: str, tmp_path: Path) -> None:
    journal_in(tmp_path)
    state = tmp_path / "gateway"
    state.mkdir()
    named = "pki"
    if mistake == "cursor of another journal":
        cursor.save(state / "mqtt-cursor.json", cursor.Cursor(seq=1, boot=1, hash="ff"))
        named = "mqtt-cursor.json"
    if mistake == "no key":
        store = Pki(state / "pki")
        pki.init(store, "urn:here", "localhost")
        store.key.unlink()
    with started(tmp_path, opcua=mistake != "cursor of another journal") as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == EX_CONFIG, said
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith(str(state / named))


def test_the_files_for_opcua_are_looked_at_before_the_broker_hears_of_the_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = []

    async def run(self: Publisher) -> None:
        began.append(self)

    monkeypatch.setattr(Publisher, "run", run)
    config = Config.model_validate({"gateway": {"opcua": {"enabled": True, "port": free_port()}}})
    config = anchored(config, tmp_path)
    store = Pki(Path(config.gateway.state_dir) / "pki")
    pki.init(store, "urn:here", "localhost")
    store.certificate.unlink()
    with pytest.raises(FileError, match=store.certificate.name):
        asyncio.run(gateway.run(config))
    assert not began


@pytest.mark.parametrize("manner", ["mode 000", "a folder", "missing"])
def test_a_configuration_that_cannot_be_read_is_told_in_one_line_and_is_not_tried_again(
    manner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "controller.toml"
    if manner == "a folder":
        config.mkdir()
    if manner == "mode 000":  # as everybody but root sees it
        config.touch()
        monkeypatch.setattr(os, "access", lambda *given, **named: False)
        monkeypatch.setattr(Path, "open", denied)
    monkeypatch.setattr(sys, "argv", ["ovenctl", "gateway", "-c", str(config)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (EX_CONFIG, 1), said
    assert said.startswith(f"{config}: file = ")
    assert said.endswith("must be readable TOML in UTF-8\n")


def denied(self: Path, *given: object, **named: object) -> bytes:
    raise PermissionError(13, "Permission denied", str(self))


STUBBORN = """
import asyncio, contextlib, sys
from controller import __main__

async def work():
    with contextlib.suppress(asyncio.CancelledError):
        print("up", flush=True)
        await asyncio.sleep(60)
    print("still up", flush=True)
    await asyncio.sleep(60)

__main__.GRACE_S = float(sys.argv[1])
__main__._serve(work())
"""


@pytest.mark.parametrize(("grace_s", "ends"), [(0.0, True), (60.0, False)])
def test_a_second_signal_counts_when_the_first_did_not_end_it_in_time(grace_s: float, ends: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN, str(grace_s)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in ("up\n", "still up\n"):
                assert process.stdout.readline() == line
                process.terminate()
            if ends:
                assert process.wait(20) == 0
            else:
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(1)
        finally:
            process.kill()
