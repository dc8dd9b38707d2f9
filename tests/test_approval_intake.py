"""A recipe's approval where a command comes in: verified, or refused with the reason."""

import time

import pytest

from controller.clock import wall_ns
from controller.intake import command_of
from controller.recipe.approval import ApprovalSettings
from tests.approvals import FORMULA, NEWER, OTHER, PUBLIC, SITE, approved, row
from tests.opcua_rig import RECIPE


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
