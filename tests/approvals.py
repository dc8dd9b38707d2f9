"""Approved recipes for tests: keys, a site that believes one of them, its START rows, an oven to ask, and a forged batch."""

import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from controller.__main__ import app
from controller.clock import wall_ns
from controller.journal.mailbox import MailboxRow
from controller.memory import Settings
from controller.recipe.approval import Approval, ApprovalSettings, sign
from controller.recipe.reading import parse_recipe
from tests.opcua_rig import RECIPE, SAMPLE

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


def hotter(batch):
    phase = next(one for one in batch.recipe.phase if hasattr(one, "target_c"))
    phases = tuple(one.model_copy(update={"target_c": 250.0}) if one is phase else one for one in batch.recipe.phase)
    return batch.recipe.model_copy(update={"phase": phases})


def consistent(batch):
    """Return the batch with another control recipe and its hash changed to fit."""
    from controller.recipe.reading import sha256_of

    return batch._replace(recipe=hotter(batch), recipe_sha256=sha256_of(hotter(batch)))


def run(*args):
    return CliRunner().invoke(app, ["recipe", *map(str, args)])
