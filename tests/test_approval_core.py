"""Approvals in the real core process: tampered rows are refused, after a restart a changed batch is held."""

import asyncio
import json

import pytest

from controller.journal.reader import JournalReader
from controller.journal.store import Journal
from controller.recorder import checkpoint_entry, restore
from tests.approvals import LOAD, NEWER, PUBLIC, SOURCED, approved, consistent, run
from tests.opcua_rig import RECIPE
from tests.test_core_process import killed_at_the_end, site


def believing(oven, **approval):
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in approval.items())
    text = oven.config.read_text().partition("[settings.approval]")[0]
    keys = "".join(f'{name} = "{key}"\n' for name, key in PUBLIC.items())
    oven.config.write_text(f"{text}[settings.approval]\n{lines}[settings.approval.keys]\n{keys}")


async def start_signed(oven):
    from controller.journal.mailbox import post

    args = {"recipe": RECIPE, "load": LOAD, "formula": {}, "approval": approved()._asdict()}
    post(oven.mailbox, "anna", "START", args, "IDLE")
    await oven.until(lambda: oven.plc.block is not None and oven.plc.block.outputs.batch_id == 1)


def states(oven):
    return [fields["to"] for _, fields in oven.entries("state")]


def decisions(oven, what):
    return [fields["why"] for _, fields in oven.entries("decision") if fields["what"] == what]


async def test_the_core_refuses_a_mailbox_row_that_was_tampered_with_or_is_retired_and_starts_the_approved_one(tmp_path, monkeypatch):
    from controller.journal.mailbox import post

    async with site(tmp_path) as oven:
        oven.config.write_text(oven.config.read_text() + '[core.roles]\notto = "engineer"\nemma = "engineer"\n')
        believing(oven)
        async with killed_at_the_end(await oven.start()):
            args = {"recipe": RECIPE.replace("title = ", "title = 'x' # ", 1), "load": LOAD, "formula": {}}
            post(oven.mailbox, "anna", "START", args, "IDLE")
            post(oven.mailbox, "anna", "START", args | {"approval": approved()._asdict()}, "IDLE")
            await oven.until(lambda: len(oven.entries("command")) == 2)
            said = [fields["answer"] for _, fields in oven.entries("command")]
            assert "carries no approval" in said[0]
            assert "was changed after approval" in said[1]
            await retired_by_command(oven, monkeypatch)
            await start_signed(oven)
            assert decisions(oven, "recipe not verified") == []


async def retired_by_command(oven, monkeypatch):
    """Retire the next revision at the command line; from then on the core refuses it, also when its approval comes by itself."""
    from controller.journal.mailbox import post
    from controller.northbound.opcua import pki
    from controller.northbound.opcua.pki import Pki

    monkeypatch.setenv("OVENCTL_CONFIG", str(oven.config))
    await asyncio.to_thread(pki.init, Pki(oven.folder / "var" / "gateway" / "pki"), "urn:test", "localhost")
    (oven.folder / "next.toml").write_text(NEWER)
    name = f"{SOURCED.recipe.id}/{SOURCED.recipe.revision + 1}"
    for verb, what, user in (("upload", oven.folder / "next.toml", "otto"), ("submit", name, "otto"), ("approve", name, "emma"),
                             ("retire", name, "emma")):  # fmt: skip
        done = await asyncio.to_thread(run, verb, what, "--user", user)
        assert done.exit_code == 0, (verb, done.output, done.exception)
    assert "cannot be started any more" in done.output
    assert "retired" in (await asyncio.to_thread(run, "list")).output
    known = len(oven.entries("command"))
    args = {"recipe": NEWER, "load": LOAD, "formula": {}, "approval": approved(NEWER)._asdict()}
    post(oven.mailbox, "anna", "START", args, "IDLE")
    await oven.until(lambda: len(oven.entries("command")) > known)
    assert "was retired here" in oven.entries("command")[-1][1]["answer"]


@pytest.mark.parametrize("what", ["checkpoint", "key"])
async def test_after_a_restart_a_changed_checkpoint_or_a_revoked_key_holds_the_batch_and_restart_is_refused(tmp_path, what):
    from controller.journal.mailbox import post

    async with site(tmp_path) as oven:
        believing(oven)
        async with killed_at_the_end(await oven.start()) as core:
            await start_signed(oven)
            await oven.until(lambda: oven.entries("sample")[-1][0].at_s > 30)
            core.kill()
        if what == "checkpoint":  # a stranger with the journal's file, who knows how to keep its chain whole
            with JournalReader(oven.journal) as reader:
                memory, at_s = restore(reader)[0], reader.after(reader.last_seq() - 1, 1)[0].at_s
            forged = memory._replace(unit=memory.unit._replace(batch=consistent(memory.unit.batch)))
            with Journal(oven.journal, threaded=False) as journal:
                journal.append([checkpoint_entry(forged, at_s)])
        else:
            believing(oven, revoked=["quality"])
        async with killed_at_the_end(await oven.start()):
            await oven.until(lambda: decisions(oven, "recipe not verified"))
            wanted = "changed after approval" if what == "checkpoint" else "which is revoked"
            assert wanted in decisions(oven, "recipe not verified")[-1]
            await oven.until(lambda: any(fields["rule"] == "I34" for _, fields in oven.entries("alarm")))
            known = len(oven.entries("command"))
            post(oven.mailbox, "anna", "RESTART", {}, None)
            await oven.until(lambda: len(oven.entries("command")) > known)
            answer = oven.entries("command")[-1][1]
            assert answer["accepted"] is False
            assert "I34" in answer["answer"]
            assert states(oven)[-1] == "HELD"
