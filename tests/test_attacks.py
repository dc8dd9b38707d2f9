"""Attacks of the published kinds, two seconds each, on the real gateway process before a living oven that never notices."""

import asyncio
import hashlib
import subprocess
import sys

import pytest

from controller.block import Block, encode
from controller.image import OFF, Mode
from controller.intake import command_of
from controller.journal.mailbox import Mailbox, post
from controller.wiring import load
from sim import bench
from sim.attacks import kinds, run, tape, target
from sim.attacks.run import Blow, Course, violations
from sim.attacks.target import Target
from tests.gateway_rig import Gateway
from tests.opcua_rig import RECIPE, ROOT, SAMPLE, SITE

SECONDS = 2.0


class Attacked(Gateway):
    """The gateway with the certificates and people that the attacks know."""

    def __init__(self, folder):
        super().__init__(folder)
        self.target = Target(self.port, folder)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacked")
    made = Attacked.__new__(Attacked)
    target.prepare(folder)
    pki, users = folder / "gateway" / "pki", (folder / "gateway" / "users.toml").read_bytes()
    (folder / "gateway").rename(folder / "prepared")
    made.__init__(folder)
    for part in ("own", "trusted"):
        for file in (folder / "prepared" / "pki" / part).iterdir():
            (pki / part / file.name).write_bytes(file.read_bytes())
    (folder / "gateway" / "users.toml").write_bytes(users)
    made.start()
    args = {"recipe": RECIPE, "load": SAMPLE.read_text("utf-8"), "formula": {}}
    post(made.oven.mailbox, "anna", "START", args, "IDLE")
    yield made
    made.stop()


@pytest.mark.parametrize("kind", kinds.KINDS)
async def test_after_each_kind_of_attack_the_gateway_answers_within_ten_seconds_and_is_no_larger_than_its_cap(attacked, kind):
    attacked.forget_peak()
    arguments = (kind, str(attacked.port), str(attacked.folder), str(SECONDS))
    command = [sys.executable, "-m", "sim.attacks.kinds", *arguments]
    attacker = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    said, _ = await attacker.communicate()
    assert int(said) > 0
    assert await run.answered(attacked.target, run.BACK_S) < run.BACK_S
    assert attacked.memory_mb("VmHWM") < run.CAP_MB
    assert attacked.process.poll() is None
    assert attacked.oven.rig.memory.unit.state.name == "RUNNING"


def test_the_attacked_oven_wrote_the_same_blocks_as_one_without_a_gateway(attacked):
    """Virtual time: the same scans, the same seed, the same START in the same scan, and no gateway anywhere."""
    with attacked.oven.silent():
        rig = attacked.oven.rig
        notes = [(at_s, content["verb"]) for at_s, kind, content in rig.notes if kind == "command"]
        scans, trace = rig.counter, rig.trace_sha256()
    assert [verb for _, verb in notes] == ["START"]
    alone = bench.rig(SITE, load(bench.default_wiring()), tape.read_load(SAMPLE), 1)
    row = Mailbox(attacked.oven.mailbox).take(0)[0]
    while alone.counter < scans:
        if alone.at_s + alone.scan_s >= notes[0][0] > alone.at_s:
            alone.commands.append(command_of(row, row.created_wall_ns))
        alone.step()
    assert alone.trace_sha256() == trace
    assert trace != hashlib.sha256().hexdigest()


COURSE = Course(100, 101, 0, 0, 0, ("START",), ((1,), (2,), (3,)), 1.0, 2.0)
BLOW = Blow("noise", 3, 0.2, 200.0, 0.1)
SEEN = {
    "no round": ((BLOW._replace(rounds=0),), COURSE, COURSE, "no round was made"),
    "not back": ((BLOW._replace(back_s=float("inf")),), COURSE, COURSE, "no answer within 10 s"),
    "too large": ((BLOW._replace(memory_mb=400.0),), COURSE, COURSE, "the cap is 384"),
    "a foreign block": ((BLOW,), COURSE._replace(wrong=1), COURSE, "1 blocks that no scan made"),
    "a block missing": ((BLOW,), COURSE._replace(missing=1), COURSE, "1 missing"),
    "a block refused": ((BLOW,), COURSE._replace(refused=1), COURSE, "1 refused"),
    "a command of the gateway": ((BLOW,), COURSE._replace(commands=("START", "ABORT")), COURSE, "START, ABORT"),
    "another order": ((BLOW,), COURSE._replace(steps=((1,), (4,))), COURSE, "differ from the run without a gateway at step 1"),
}


@pytest.mark.parametrize("name", SEEN)
def test_whatever_the_plc_could_see_of_an_attack_is_a_violation(name):
    blows, attacked, alone, said = SEEN[name]
    assert any(said in one for one in violations(blows, attacked, alone))
    assert list(violations((BLOW,), COURSE, COURSE._replace(steps=COURSE.steps[:2]))) == []


def test_a_block_that_no_scan_made_is_found_on_the_tapes(tmp_path):
    import pickle

    rig = bench.rig(SITE, load(bench.default_wiring()), tape.read_load(SAMPLE), 1)
    rig.memory = tape.Memory()
    scans, blocks = [], []
    for counter in range(1, 31):
        rig.step()
        scans.append((rig._reading, (), None, rig.record.outputs, False))
        blocks.append((rig.at_s, encode(Block(1, counter, 1, 0, rig.record.outputs)), 0))
    (tmp_path / "controller.toml").write_text("[settings.proof_test]\nrequired = false\n")

    def written(scans, blocks):
        for file, content in (("scans.tape", [tape.Taped(*one) for one in scans]), ("blocks.tape", blocks)):
            with (tmp_path / file).open("wb") as out:
                for one in content:
                    pickle.dump(one, out)
        return run.course(tmp_path)

    sound = written(scans, blocks)
    assert (sound.scans, sound.blocks, sound.wrong, sound.missing, sound.refused) == (30, 30, 0, 0, 0)
    forged = list(blocks)
    forged[10] = (forged[10][0], encode(Block(1, 11, 1, 0, OFF._replace(mode=Mode.RUN, heat_enable=True))), 0)
    assert written(scans, forged).wrong > 0
    assert written(scans, blocks[:9] + blocks[20:]).missing == 11
