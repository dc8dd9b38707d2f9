"""A running batch against its approval: verified with each phase and edit, whatever was changed is found."""

import pytest

from controller.clock import wall_ns
from controller.command import Command
from controller.intake import command_of
from controller.memory import Memory
from controller.recipe import verifying
from controller.recipe.approval import ApprovalSettings
from controller.recipe.editing import Edit
from controller.recipe.states import Verb
from controller.recorder import MEMORY
from controller.verifier import Verifier
from tests.approvals import FORMULA, OTHER, PUBLIC, SITE, answers, approved, consistent, hotter, rig, row, settings
from tests.opcua_rig import RECIPE


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
    args = {"phase": later + 1, "key": "timeout_min", "value": 119.0}
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
