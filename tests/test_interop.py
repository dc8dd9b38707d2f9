"""Clients that nobody here wrote read the soft PLC and the broker: mbpoll agrees with the wiring file, mosquitto_sub hears a batch."""

import asyncio
import json
import shutil
import struct
from pathlib import Path

import pytest

from controller import wiring as wirings
from controller.block import REGISTERS, SIGNATURE
from controller.config import load
from controller.gateway import run as run_gateway
from controller.image import SIGNALS
from controller.journal.mailbox import Mailbox
from sim import virtual
from sim.modbus_server import listening
from sim.plant.parameters import Parameters
from sim.plant.plant import Plant
from sim.softplc import SoftPlc
from tests.conftest import required

ROOT = Path(__file__).parents[1]
WIRING = wirings.load(ROOT / "deploy" / "wiring.toml")


async def output_of(*command):
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    text, _ = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, text.decode()


async def mbpoll(port, *options):
    program = required(shutil.which("mbpoll"), "mbpoll")
    return await output_of(program, "-m", "tcp", "-p", str(port), "-a", "1", "-0", "-1", "-q", *options, "127.0.0.1")


def words_in(text):
    """Return register -> value from what mbpoll prints: ``[12]: <tab>345``, above 32767 with the signed value behind."""
    found = {}
    for line in text.splitlines():
        if line.startswith("["):
            register, value = line[1:].split("]:")
            found[int(register)] = int(value.split("(")[0])
    return found


async def test_mbpoll_reads_every_signal_where_the_wiring_file_says():
    plc = SoftPlc(WIRING, Plant(Parameters(), None, 1))
    plc.scan(1.0)
    async with listening(plc) as port:
        code, text = await mbpoll(port, "-t", "3", "-r", "0", "-c", str(WIRING.registers))
    assert code == 0, text
    words = words_in(text)
    assert len(words) == WIRING.registers
    raw = {at: struct.pack(">H", value & 0xFFFF) for at, value in words.items()}
    for name, place in WIRING.file.signals.items():
        at = place.register
        shown = plc.values[name]
        if place.type == "bool":
            assert bool(words[at] >> place.bit & 1) == bool(shown), name
        elif place.type == "f32":
            assert struct.unpack(">f", raw[at] + raw[at + 1])[0] == pytest.approx(shown, rel=1e-6, abs=1e-6), name
        elif place.type == "u32":
            assert struct.unpack(">I", raw[at] + raw[at + 1])[0] == shown, name
        else:
            signed = struct.unpack(">h" if place.type == "i16" else ">H", raw[at])[0]
            assert signed * place.scale == pytest.approx(shown, abs=place.scale / 2 + 1e-9), name
    assert struct.unpack(">I", raw[WIRING.file.signals["plc_signature"].register] + raw[1])[0] == SIGNATURE


async def test_mbpoll_cannot_write_a_part_of_the_command_block():
    plc = SoftPlc(WIRING, Plant(Parameters(), None, 1))
    async with listening(plc) as port:
        program = required(shutil.which("mbpoll"), "mbpoll")
        writes = ("-m", "tcp", "-p", str(port), "-a", "1", "-0", "-t", "4", "-r", "0", "127.0.0.1")
        code, text = await output_of(program, *writes, *["1"] * 3)
        whole, _ = await output_of(program, *writes, *["1"] * REGISTERS)
    assert code != 0, text
    assert whole == 0  # taken on the wire, refused by the contract
    plc.scan(1.0)
    assert plc.block is None


async def test_mosquitto_sub_hears_a_batch_that_the_gateway_reads_from_the_journal(tmp_path, mosquitto_port):
    program = required(shutil.which("mosquitto_sub"), "mosquitto_sub")
    virtual.run(ROOT / "recipes" / "trial-short.toml", ROOT / "recipes" / "loads" / "sample-roll.toml", ROOT / "deploy" / "wiring.toml", 1,
                max_h=0.3, journal=tmp_path / "journal.sqlite")  # fmt: skip
    path = tmp_path / "controller.toml"
    path.write_text(
        '[core]\njournal = "journal.sqlite"\nmailbox = "mailbox.sqlite"\n[gateway]\nstate_dir = "gateway"\n'
        f'[gateway.mqtt]\nport = {mosquitto_port}\nsite = "interop"\noven = "oven-9"\nsample_every_s = 60.0\n'
    )
    listener = await asyncio.create_subprocess_exec(
        program, "-p", str(mosquitto_port), "-t", "ovenctl/interop/#", "-v", "-q", "1", "-W", "60", stdout=asyncio.subprocess.PIPE
    )
    gateway = asyncio.create_task(run_gateway(load(path)))
    heard, start, box = {}, None, Mailbox(tmp_path / "mailbox.sqlite")
    try:
        async with asyncio.timeout(50):
            while "phase" not in heard or "tags" not in heard or start is None:
                topic, _, payload = (await listener.stdout.readline()).decode().partition(" ")
                if payload.strip() == "(null)":  # a retained topic that was emptied: the journal is new
                    continue
                content = json.loads(payload)
                heard[topic.rsplit("/", 1)[-1]] = content
                if content.get("entry", {}).get("recipe_id") == "trial-short":
                    start = content
            while box.last_heartbeat("gateway") is None:  # the sign of life that the core looks for
                await asyncio.sleep(0.05)
    finally:
        box.close()
        gateway.cancel()
        await asyncio.wait([gateway])
        listener.terminate()
        await listener.communicate()
    assert start["entry"]["load"]["roll_ids"] == ["SR-0001"]
    assert {"boot", "seq", "at_s", "wall_ns"} <= start.keys()
    assert set(heard["tags"]["tags"]) == set(SIGNALS)
    assert heard["status"]["online"] is True
