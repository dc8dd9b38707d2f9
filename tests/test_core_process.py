"""The real core process against the soft PLC on Modbus TCP: killed, stopped, started twice, pointed at a stranger."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from controller import service
from controller import wiring as wirings
from controller.block import PlcState
from controller.clock import Clock, wall_ns
from controller.errors import JournalError
from controller.journal.chain import verify
from controller.journal.mailbox import post
from controller.journal.reader import JournalReader
from controller.recipe.reading import read_load
from sim import aftermath
from sim.bench import roll_of
from sim.modbus_server import listening, scan_forever
from sim.plant.parameters import Parameters
from sim.plant.plant import Plant
from sim.softplc import SoftPlc

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "trial-short.toml"
LOAD = ROOT / "recipes" / "loads" / "sample-roll.toml"
RATE = 20.0  # so that the PLC's watchdog still has 250 ms on the wall
SCAN_S = 1.0

DIES_BEFORE_ITS_FIRST_SCAN = """
import asyncio, os, signal, sys
from pathlib import Path
from controller import config, service

async def main():
    async with service.started(config.load(Path(sys.argv[1]))):
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


class Site:
    """A soft PLC that scans, and the folder in which a core may run."""

    def __init__(self, folder, plc, port, required=False):
        self.folder, self.plc = folder, plc
        self.config = folder / "controller.toml"
        self.config.write_text(
            f'[core]\nscan_s = {SCAN_S}\nrate = {RATE}\njournal = "journal.sqlite"\nmailbox = "mailbox.sqlite"\n'
            f'[plc]\nwiring = "{ROOT / "deploy" / "wiring.toml"}"\n[plc.modbus]\nhost = "127.0.0.1"\nport = {port}\n'
            f"[settings.proof_test]\nrequired = {str(required).lower()}\n"
        )
        self.journal, self.mailbox = folder / "journal.sqlite", folder / "mailbox.sqlite"

    async def start(self, *, ready=True):
        core = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "controller", "run", "-c", str(self.config), cwd=ROOT, stderr=asyncio.subprocess.PIPE
        )
        if ready:
            accepted = self.plc.epoch
            await self.until(lambda: self.plc.epoch > accepted and self.plc.block is not None)
        return core

    async def until(self, condition, seconds=20.0):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)

    def entries(self, *kinds):
        try:
            reader = JournalReader(self.journal)
        except JournalError:  # not there yet
            return []
        with reader:
            return [(found, found.fields()) for found in reader.after(0, 100_000, kinds)]

    async def run_batch(self):
        post(self.mailbox, "anna", "START", {"recipe": RECIPE.read_text(), "load": LOAD.read_text(), "formula": {}}, "IDLE")
        await self.until(lambda: self.plc.block is not None and self.plc.block.outputs.batch_id == 1)


@asynccontextmanager
async def site(folder, plc=None, required=False):
    plc = plc or SoftPlc(wirings.load(ROOT / "deploy" / "wiring.toml"), Plant(Parameters(), roll_of(read_load(LOAD)), 1))
    async with listening(plc) as port:
        scans = asyncio.create_task(scan_forever(plc, Clock(rate=RATE), SCAN_S))
        try:
            yield Site(folder, plc, port, required)
        finally:
            scans.cancel()
            await asyncio.wait([scans])


@asynccontextmanager
async def killed_at_the_end(core):
    try:
        yield core
    finally:
        if core.returncode is None:
            core.kill()
        await core.communicate()


async def test_a_killed_core_leaves_the_plc_safe_in_t_wd_and_comes_back_held_without_a_gap(tmp_path):
    async with site(tmp_path) as oven:
        async with killed_at_the_end(await oven.start()) as core:
            await oven.run_batch()
            await oven.until(lambda: oven.entries("sample")[-1][0].at_s > 30)
            core.send_signal(signal.SIGKILL)
            await core.wait()
        last_block_s = oven.plc.block_at_s
        await oven.until(lambda: oven.plc.state is PlcState.WATCHDOG_SAFE)
        assert oven.plc.at_s - last_block_s <= oven.plc.settings.watchdog_s + 2 * SCAN_S
        assert not oven.plc.actuators.heat if hasattr(oven.plc.actuators, "heat") else True
        async with killed_at_the_end(await oven.start()):
            await oven.until(lambda: any(fields["to"] == "HELD" for _, fields in oven.entries("state")))
            await oven.until(lambda: oven.entries("sample")[-1][0].boot == 2)
            assert oven.plc.block.outputs.batch_id == 1
            assert not oven.plc.block.outputs.heat_enable
        assert oven.entries("gap")[0][1]["cause"] == "the core was not running"
        checked = verify(oven.journal)
        assert (checked.first_bad_seq, checked.count) == (None, oven.entries()[-1][0].seq if oven.entries() else checked.count)


async def test_what_a_core_did_without_its_journal_is_not_undone_by_the_next_one(tmp_path):
    """An ABORT that no journal has, because the disk was full; the batch must not go on by itself."""
    async with site(tmp_path) as oven:
        async with killed_at_the_end(await oven.start()) as core:
            await oven.run_batch()
            await oven.until(lambda: oven.entries("sample")[-1][0].at_s > 30)
            with closing(sqlite3.connect(oven.journal)) as journal, closing(sqlite3.connect(tmp_path / "kept.sqlite")) as kept:
                journal.backup(kept)
            post(oven.mailbox, "anna", "ABORT", {}, max_age_s=1.0)
            await oven.until(lambda: any(fields["to"] == "ABORTED" for _, fields in oven.entries("state")))
            seen_s = oven.plc.at_s
            await oven.until(lambda: oven.plc.at_s > seen_s + 1.5 * service.UNWRITTEN_S * RATE)
            core.send_signal(signal.SIGTERM)
            await core.wait()
        for name in ("journal.sqlite-wal", "journal.sqlite-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / "kept.sqlite").replace(oven.journal)
        async with killed_at_the_end(await oven.start()):
            await oven.until(lambda: any(fields["what"] == "power-fail recovery" for _, fields in oven.entries("decision")))
        (decision,) = [fields for _, fields in oven.entries("decision") if fields["what"] == "power-fail recovery"]
        assert (decision["plan"], decision["rule"]) == ("HOLD", "R1J")
        assert "may have held, stopped or aborted" in decision["why"]
        assert oven.entries("gap")[-1][1]["cause"].startswith("the journal was not written while the core ran on")
        assert [fields["to"] for _, fields in oven.entries("state")][-1] == "HELD"


async def test_a_start_that_dies_before_its_first_scan_is_followed_by_one_that_goes_on_from_it(tmp_path):
    async with site(tmp_path) as oven:
        async with killed_at_the_end(await oven.start()) as core:
            await oven.run_batch()
            await oven.until(lambda: oven.entries("sample")[-1][0].at_s > 30)
            core.send_signal(signal.SIGKILL)
            await core.wait()
        kills_ns = [wall_ns()]
        for _ in range(2):
            dead = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES_BEFORE_ITS_FIRST_SCAN, str(oven.config), cwd=ROOT)
            assert await dead.wait() == -signal.SIGKILL
            kills_ns.append(wall_ns())
        async with killed_at_the_end(await oven.start()):
            await oven.until(lambda: any(fields["what"] == "power-fail recovery" for _, fields in oven.entries("decision")))
        with JournalReader(oven.journal) as reader:
            entries = list(reader.between(1, reader.last_seq()))
        figures, wrong = aftermath.check(entries, [fields["id"] for _, fields in oven.entries("command")], kills_ns, [], RATE)
        assert (wrong, figures.boots, figures.gaps) == ([], 4, 3)
        (decision,) = [fields for _, fields in oven.entries("decision") if fields["what"] == "power-fail recovery"]
        away_s = sum(gap["to_s"] - gap["from_s"] for _, gap in oven.entries("gap"))
        assert decision["outage_s"] == pytest.approx(away_s, abs=0.2)  # all three starts together


async def test_a_batch_needs_the_proof_test_in_which_the_core_withholds_its_blocks_until_the_plc_is_safe(tmp_path):
    async with site(tmp_path, required=True) as oven, killed_at_the_end(await oven.start()):
        start = {"recipe": RECIPE.read_text(), "load": LOAD.read_text(), "formula": {}}
        post(oven.mailbox, "anna", "START", start, "IDLE")
        await oven.until(lambda: oven.entries("command"))
        assert "no valid proof test" in oven.entries("command")[0][1]["answer"]
        post(oven.mailbox, "anna", "PROOF_TEST", {}, "IDLE")
        await oven.until(lambda: oven.plc.state is PlcState.WATCHDOG_SAFE)
        await oven.until(lambda: oven.entries("prooftest"))
        result = oven.entries("prooftest")[0][1]
        assert (result["result"], [found for found in result["findings"] if not found[1]]) == ("pass", [])
        assert [fields["event"] for _, fields in oven.entries("plc") if fields["event"] in ("withheld", "sending")] == [
            "withheld",
            "sending",
        ]
        await oven.run_batch()


async def test_sigterm_writes_a_last_block_without_heat_and_says_so_in_the_journal(tmp_path):
    async with site(tmp_path) as oven, killed_at_the_end(await oven.start()) as core:
        await oven.run_batch()
        core.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(core.wait(), 10) == 0
        assert oven.entries("shutdown")
        assert not oven.plc.block.outputs.heat_enable
        assert oven.plc.block.outputs.exhaust_fan  # inerting and exhaust stay as they were


async def test_a_second_core_on_the_same_journal_is_refused_and_the_first_goes_on(tmp_path):
    async with site(tmp_path) as oven, killed_at_the_end(await oven.start()):
        second = await oven.start(ready=False)
        _, said = await asyncio.wait_for(second.communicate(), 20)
        assert second.returncode == 1
        assert b"journal.sqlite" in said
        counter = oven.plc.counter
        await oven.until(lambda: oven.plc.counter > counter + 5)


async def test_a_stranger_for_a_plc_gets_no_block_at_all(tmp_path):
    wiring = wirings.load(ROOT / "deploy" / "wiring.toml")
    stranger = wirings.Wiring(wiring.file.model_copy(update={"plc_serial": 1}))
    plc = SoftPlc(stranger, Plant(Parameters(), None, 1))
    async with site(tmp_path, plc) as oven, killed_at_the_end(await oven.start(ready=False)):
        await oven.until(lambda: oven.journal.exists() and any(fields["event"] == "refused" for _, fields in oven.entries("plc")))
        assert plc.block is None


async def test_the_core_answers_commands_and_refuses_stale_and_foreign_ones(tmp_path):
    async with site(tmp_path) as oven, killed_at_the_end(await oven.start()):
        wrong = post(oven.mailbox, "anna", "START", {"recipe": "id = 5", "load": "", "formula": {}}, "IDLE")
        hostile = post(oven.mailbox, "anna", "START", {"recipe": "a" + ".a" * 2000 + " = 1", "load": "", "formula": {}}, "IDLE")
        unknown = post(oven.mailbox, "anna", "EXPLODE", {})
        hold = post(oven.mailbox, "anna", "HOLD", {})
        answers = {}

        def answered():
            answers.update({fields["id"]: fields for _, fields in oven.entries("command")})
            return answers.keys() >= {wrong, hostile, unknown, hold}

        await oven.until(answered)
        assert "recipe: id = 5" in answers[wrong]["answer"]
        assert "no command" in answers[unknown]["answer"]
        assert "not possible in IDLE" in answers[hold]["answer"]
        assert not any(fields["accepted"] for fields in answers.values())


async def test_the_core_stays_below_300_mb_with_everything_loaded(tmp_path):
    async with site(tmp_path) as oven, killed_at_the_end(await oven.start()) as core:
        await oven.run_batch()
        await oven.until(lambda: oven.entries("sample")[-1][0].at_s > 20)
        pages = int(Path(f"/proc/{core.pid}/statm").read_text().split()[1])
        assert pages * os.sysconf("SC_PAGE_SIZE") < 300e6


@pytest.mark.parametrize("broken", ["not toml [", "[core]\nscan_ss = 1.0\n", "[core]\nscan_s = 99.0\n", '[core]\nscan_s = "fast"\n'])
async def test_a_wrong_configuration_is_refused_with_its_key_and_left_alone(tmp_path, broken):
    path = tmp_path / "controller.toml"
    path.write_text(broken)
    core = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "controller", "run", "-c", str(path), cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(core.communicate(), 30)
    assert core.returncode == 78  # systemd does not try again
    assert b"controller.toml" in said
    assert "scan_s" not in broken or b"core.scan_s" in said
    assert path.read_text() == broken
    assert json.dumps(broken)
