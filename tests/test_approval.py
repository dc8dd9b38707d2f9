"""Approved recipes on the core's side: verified at START, at each phase and after a restart; whatever was changed is refused or held."""

import asyncio
import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from controller.__main__ import app
from controller.actions import retiring
from controller.clock import wall_ns
from controller.command import Command, Start
from controller.intake import command_of
from controller.journal.mailbox import MailboxRow
from controller.journal.reader import JournalReader
from controller.journal.store import Journal
from controller.memory import Memory, Settings
from controller.recipe import verifying
from controller.recipe.approval import Approval, ApprovalSettings, sign
from controller.recipe.editing import Edit
from controller.recipe.reading import parse_load, parse_recipe
from controller.recipe.states import UnitState, Verb
from controller.recorder import MEMORY, checkpoint_entry, restore
from controller.roles import Role
from controller.verifier import Verifier
from tests.opcua_rig import RECIPE, SAMPLE
from tests.rigs import ROOT
from tests.test_core_process import killed_at_the_end, site

LOAD = SAMPLE.read_text("utf-8")
KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PUBLIC = {"quality": KEY.public_key().public_bytes_raw().hex()}
SITE = ApprovalSettings(keys=PUBLIC)
OLD = RECIPE
SOURCED = parse_recipe(RECIPE, "recipe")
NEWER = RECIPE.replace(f"revision = {SOURCED.recipe.revision}", f"revision = {SOURCED.recipe.revision + 1}")
FORMULA = next(iter(SOURCED.recipe.formula.items()))


def approved(text=RECIPE, key=KEY, author="otto", approver="emma"):
    sourced = parse_recipe(text, "recipe")
    return sign(key, sourced.recipe.id, sourced.recipe.revision, sourced.sha256, author, approver, 1_700_000_000_000_000_000)


def row(text=RECIPE, approval=None, formula=None, number=1):
    args = {"recipe": text, "load": LOAD, "formula": formula or {}}
    if approval is not None:
        args["approval"] = approval._asdict() if isinstance(approval, Approval) else approval
    return MailboxRow(number, f"id-{number}", "anna", "START", json.loads(json.dumps(args)), None, wall_ns(), 60.0, "operator")


def ask(site=SITE, **given):
    return command_of(row(**given), wall_ns(), site)


def test_an_approved_recipe_is_taken_and_says_by_whom_it_was_approved_also_with_another_value_inside_the_formula():
    command = ask(approval=approved())
    assert command.refusal == ""
    assert command.start.verified == ("quality", "recipe approved by emma, key quality")
    name, entry = FORMULA
    changed = ask(approval=approved(), formula={name: entry.low})
    assert changed.refusal == ""
    assert changed.start.recipe_sha256 != command.start.recipe_sha256


BITE = approved().signature
REFUSED = {
    "no approval": (SITE, {}, "carries no approval"),
    "changed after approval": (SITE, {"text": RECIPE.replace("title = ", "title = 'x' # ", 1), "approval": approved()}, "was changed"),
    "another revision's approval": (SITE, {"text": NEWER, "approval": approved()}, "does not verify"),
    "wrong key": (SITE, {"approval": approved(key=OTHER)}, "the key is none of quality"),
    "revoked key": (ApprovalSettings(keys=PUBLIC, revoked=("quality",)), {"approval": approved()}, "key quality, which is revoked"),
    "approved by the author": (SITE, {"approval": approved(author="emma")}, "by its author emma"),
    "author exchanged": (SITE, {"approval": approved()._replace(author="olga")}, "does not verify"),
    "time exchanged": (SITE, {"approval": approved()._replace(wall_ns=1)}, "does not verify"),
    "signature cut": (SITE, {"approval": approved()._replace(signature=BITE[:-2])}, "does not verify"),
    "signature no hex": (SITE, {"approval": approved()._replace(signature="zz" * 64)}, "does not verify"),
    "signature longer": (SITE, {"approval": approved()._replace(signature=BITE + "00")}, "does not verify"),
    "approval no table": (SITE, {"approval": "yes"}, "author, approver and signature as texts"),
    "approval without its time": (SITE, {"approval": {"author": "a", "approver": "b", "signature": BITE}}, "wall_ns as a number"),
    "unsigned forbidden without a key": (ApprovalSettings(unsigned=False), {}, "carries no approval"),
    "tampered where unsigned ones may run": (ApprovalSettings(keys=PUBLIC, unsigned=True), {"text": NEWER, "approval": approved()},
                                             "does not verify"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_approved_as_the_site_wants_it_is_refused_with_the_reason(name):
    believed, given, why = REFUSED[name]
    began_s = time.process_time()
    command = ask(believed, **given)
    assert time.process_time() - began_s < 1.0
    assert why in command.refusal
    assert command.start is None


@pytest.mark.parametrize(("believed", "said"), [
    (ApprovalSettings(), "recipe not signed: this oven has no approver keys"),
    (ApprovalSettings(keys=PUBLIC, unsigned=True), "recipe not signed: settings.approval.unsigned = true"),
])  # fmt: skip
def test_where_unsigned_recipes_may_run_the_answer_says_so(believed, said):
    command = ask(believed)
    assert (command.refusal, command.start.verified) == ("", ("", said))


def rig(settings):
    from controller import wiring as wirings
    from controller.recipe.reading import read_load
    from sim import bench

    made = bench.rig(settings, wirings.load(bench.default_wiring()), read_load(SAMPLE), 1)
    for _ in range(60):
        made.step()
    return made


def settings(**approval):
    return Settings.model_validate({"proof_test": {"required": False}, "approval": {"keys": PUBLIC, **approval}})


def answers(rig):
    return [(content["accepted"], content["answer"]) for _, kind, content in rig.notes if kind == "command"]


def test_the_scan_itself_starts_nothing_whose_approval_nobody_has_verified():
    oven = rig(settings())
    oven.ask(Verb.START, Start(SOURCED.recipe, SOURCED.sha256, RECIPE, parse_load(LOAD, "load")))
    oven.step()
    assert oven.memory.unit.state is UnitState.IDLE
    assert "was not verified; this oven runs approved recipes only" in answers(oven)[-1][1]


def test_answer_batch_record_and_memory_hold_the_approval_and_an_older_revision_is_refused_afterwards():
    oven = rig(settings())
    oven.commands.append(command_of(row(NEWER, approved(NEWER)), wall_ns(), SITE))
    oven.step()
    assert answers(oven) == [(True, "done; the unit is RUNNING; recipe approved by emma, key quality")]
    head = next(content for _, kind, content in oven.notes if kind == "batch_start")
    assert head["approval"] == {"key": "quality", "said": "recipe approved by emma, key quality", "author": "otto", "approver": "emma"}
    assert oven.memory.started == ((SOURCED.recipe.id, SOURCED.recipe.revision + 1),)
    assert verifying.objection(SITE, oven.memory.unit.batch) == ""
    again = MEMORY.validate_json(MEMORY.dump_json(oven.memory))
    assert again.unit.batch.approval == approved(NEWER)
    idle = oven.memory._replace(unit=Memory().unit)
    for believed, taken in (({}, False), ({"older": True}, True)):
        oven.settings, oven.memory = settings(**believed), idle
        oven.commands.append(command_of(row(OLD, approved(), number=2 + taken), wall_ns(), SITE))
        oven.step()
        accepted, answer = answers(oven)[-1]
        assert accepted is taken
        assert taken or "has been started here; settings.approval.older allows to go back" in answer


def test_a_delayed_start_keeps_its_approval_until_its_time_comes():
    oven = rig(settings())
    asked = row(RECIPE, approved())
    oven.commands.append(command_of(asked._replace(args={**asked.args, "start_in_min": 1.0}), wall_ns(), SITE))
    oven.step()
    assert oven.memory.unit.state is UnitState.IDLE
    while oven.memory.unit.state is UnitState.IDLE:
        oven.step()
    batch = oven.memory.unit.batch
    assert (batch.approval, verifying.objection(SITE, batch)) == (approved(), "")
    head = next(content for _, kind, content in oven.notes if kind == "batch_start")
    assert head["approval"]["key"] == "quality"
    assert oven.memory.started == ((SOURCED.recipe.id, SOURCED.recipe.revision),)


def asked_to(oven, verb, number, role=Role.ENGINEER, **args):
    oven.commands.append(Command(f"id-{number}", "emma", verb, None, number, reason="too hot", args=args, role=role))
    oven.step()
    return answers(oven)[-1]


THIS = {"recipe": SOURCED.recipe.id, "revision": SOURCED.recipe.revision}


def test_the_core_itself_keeps_what_is_retired_and_starts_it_no_more():
    oven = rig(settings())
    assert asked_to(oven, Verb.RETIRE, 2, Role.OPERATOR, **THIS)[1].startswith("RETIRE needs the role engineer")
    for place, wrong in enumerate(({}, {"recipe": "", "revision": 1}, {"recipe": "x", "revision": True}, {"recipe": "x", "revision": 0})):
        assert not asked_to(oven, Verb.RETIRE, 10 + place, **wrong)[0]
    done, said = asked_to(oven, Verb.RETIRE, 3, **THIS)
    assert (done, "cannot be started any more" in said) == (True, True)
    assert asked_to(oven, Verb.RETIRE, 4, **THIS) == (True, f"{SOURCED.recipe.id} rev {SOURCED.recipe.revision} is retired already")
    why = [content for _, kind, content in oven.notes if kind == "decision" and content["what"] == "recipe retired"]
    assert [(one["user"], one["revision"], "too hot" in one["why"]) for one in why] == [("emma", SOURCED.recipe.revision, True)]
    oven.memory = MEMORY.validate_json(MEMORY.dump_json(oven.memory))
    oven.commands.append(command_of(row(RECIPE, approved(), number=5), wall_ns(), SITE))
    oven.step()
    assert answers(oven)[-1] == (False, retiring.objection(oven.memory, *THIS.values()))
    assert oven.memory.unit.state is UnitState.IDLE
    oven.commands.append(command_of(row(NEWER, approved(NEWER), number=6), wall_ns(), SITE))
    oven.step()
    assert oven.memory.unit.state is UnitState.RUNNING


def test_an_armed_start_of_a_retired_revision_does_not_begin_and_a_batch_that_runs_goes_on():
    oven = rig(settings())
    asked = row(RECIPE, approved())
    oven.commands.append(command_of(asked._replace(args={**asked.args, "start_in_min": 0.1}), wall_ns(), SITE))
    oven.step()
    assert oven.memory.delayed is not None
    assert asked_to(oven, Verb.RETIRE, 2, **THIS)[0]
    while oven.memory.delayed is not None:
        oven.step()
    assert oven.memory.unit.state is UnitState.IDLE
    assert "was retired here" in [content for _, kind, content in oven.notes if kind == "decision"][-1]["why"]
    oven.memory = oven.memory._replace(retired=())
    oven.commands.append(command_of(row(RECIPE, approved(), number=3), wall_ns(), SITE))
    oven.step()
    assert asked_to(oven, Verb.RETIRE, 4, **THIS)[0]
    for _ in range(5):
        oven.step()
    assert oven.memory.unit.state is UnitState.RUNNING
    assert verifying.objection(SITE, oven.memory.unit.batch) == ""


def test_retirements_are_bounded_and_none_is_ever_dropped():
    oven = rig(settings())
    oven.memory = oven.memory._replace(retired=tuple(("old", number) for number in range(1, retiring.MOST_RETIRED + 1)))
    assert not asked_to(oven, Verb.RETIRE, 2, **THIS)[0]
    assert len(oven.memory.retired) == retiring.MOST_RETIRED


def running():
    oven = rig(settings())
    oven.commands.append(command_of(row(RECIPE, approved()), wall_ns(), SITE))
    oven.step()
    return oven.memory.unit.batch


def test_a_batch_is_what_was_approved_also_with_a_formula_value_and_after_an_edit():
    name, entry = FORMULA
    oven = rig(settings())
    oven.commands.append(command_of(row(RECIPE, approved(), {name: entry.low}), wall_ns(), SITE))
    oven.step()
    batch = oven.memory.unit.batch
    assert verifying.objection(SITE, batch) == ""
    later = next(place for place, phase in enumerate(batch.recipe.phase) if phase.kind == "RAMP")
    args = {"phase": later, "key": "timeout_min", "value": 119.0}
    oven.commands.append(Command("edit", "emma", Verb.EDIT, None, 3, reason="slower", args=args))
    oven.step()
    edited = oven.memory.unit.batch
    assert edited.recipe_sha256 != batch.recipe_sha256, answers(oven)
    assert verifying.objection(SITE, edited) == ""
    again = MEMORY.validate_json(MEMORY.dump_json(oven.memory)).unit.batch
    assert (again.edits, verifying.objection(SITE, again)) == ((Edit(later, "timeout_min", 119.0),), "")
    assert "recorded edits" in verifying.objection(SITE, edited._replace(edits=()))
    oven.settings = settings(edits=False)
    oven.commands.append(Command("more", "emma", Verb.EDIT, None, 4, reason="slower", args={**args, "value": 118.0}))
    oven.step()
    assert answers(oven)[-1] == (False, "this oven runs approved recipes unedited (settings.approval.edits); approve a new revision")


def hotter(batch):
    phase = next(one for one in batch.recipe.phase if hasattr(one, "target_c"))
    phases = tuple(one.model_copy(update={"target_c": 250.0}) if one is phase else one for one in batch.recipe.phase)
    return batch.recipe.model_copy(update={"phase": phases})


def consistent(batch):
    """Return the batch with another control recipe and its hash changed to fit."""
    from controller.recipe.reading import sha256_of

    return batch._replace(recipe=hotter(batch), recipe_sha256=sha256_of(hotter(batch)))


TAMPERED = {
    "control recipe": (lambda one: one._replace(recipe=hotter(one)), SITE, "was changed outside of the core"),
    "control recipe and its hash": (consistent, SITE, "it was changed after approval"),
    "control recipe and both hashes": (lambda one: consistent(one)._replace(master_sha256=one.recipe_sha256), SITE, "recorded edits"),
    "an edit that nobody has made": (lambda one: one._replace(edits=(Edit(99, "target_c", 1.0),)), SITE, "recorded edits"),
    "text": (lambda one: one._replace(text=one.text.replace("title = ", "title = 'x' # ", 1)), SITE, "it was changed after approval"),
    "text no recipe": (lambda one: one._replace(text=one.text[:200]), SITE, "is no recipe of this release"),
    "text gone": (lambda one: one._replace(text=""), SITE, "holds no recipe text"),
    "approval gone": (lambda one: one._replace(approval=None), SITE, "carries no approval"),
    "approval of another key": (lambda one: one._replace(approval=approved(key=OTHER)), SITE, "does not verify"),
    "key revoked": (lambda one: one, ApprovalSettings(keys=PUBLIC, revoked=("quality",)), "which is revoked"),
    "key exchanged": (lambda one: one, ApprovalSettings(keys={"new": OTHER.public_key().public_bytes_raw().hex()}), "does not verify"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_whatever_of_a_running_batch_was_changed_is_found_with_the_reason(name):
    change, believed, why = TAMPERED[name]
    assert why in verifying.objection(believed, change(running()))


async def test_the_recipe_is_verified_anew_with_each_batch_phase_and_edit_and_a_change_is_told_once():
    batch = running()
    memory = Memory()._replace(unit=Memory().unit._replace(batch=batch))
    verifier = Verifier(SITE)
    assert not verifier.due(Memory())
    for due in (memory, memory._replace(unit=memory.unit._replace(phase_index=1)),
                memory._replace(unit=memory.unit._replace(batch=batch._replace(recipe_sha256="0" * 64)))):  # fmt: skip
        assert verifier.due(due)
        changed = await verifier.look(due)
        assert not verifier.due(due)
        assert changed is (due.unit.batch is not batch)
    assert "changed outside of the core" in verifier.why
    assert await verifier.look(Memory())  # without a batch there is nothing to object to
    assert verifier.why == ""


# ---- the real core process ----


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


# ---- the command line ----


@pytest.fixture
def box(tmp_path, monkeypatch):
    from controller.northbound.opcua import pki
    from controller.northbound.opcua.pki import Pki

    config = tmp_path / "controller.toml"
    config.write_text('[core.roles]\notto = "engineer"\nemma = "engineer"\nanna = "operator"\n')
    pki.init(Pki(tmp_path / "var" / "gateway" / "pki"), "urn:test", "localhost")
    monkeypatch.setenv("OVENCTL_CONFIG", str(config))
    return tmp_path


def run(*args):
    return CliRunner().invoke(app, ["recipe", *map(str, args)])


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
