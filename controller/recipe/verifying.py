"""The recipe of a batch looked at again: is what the unit runs still what was approved, by a key that still counts."""

from controller.errors import FileError
from controller.recipe.approval import ApprovalSettings, NotApproved, verified
from controller.recipe.editing import replayed
from controller.recipe.reading import parse_recipe, sha256_of
from controller.recipe.standing import Batch


def objection(settings: ApprovalSettings, batch: Batch) -> str:
    """Return why ``batch`` must not run on, "" when its recipe is the one that was started and approved.

    The control recipe must have its own hash, the signed text with the formula's values must give what was started, the recorded edits must
    lead from there to the control recipe, and the approval must verify for that text. Takes some milliseconds.
    """
    if sha256_of(batch.recipe) != batch.recipe_sha256:
        return f"the control recipe is not the one with SHA-256 {batch.recipe_sha256[:16]}: it was changed outside of the core"
    if not batch.text:
        return "the batch holds no recipe text, against which an approval could be checked" if settings.required else ""
    try:
        master = parse_recipe(batch.text, "recipe")
        numbers = {name: entry.value for name, entry in batch.recipe.formula.items()}
        started = parse_recipe(batch.text, "recipe", numbers)
    except FileError as error:
        return f"the batch's recipe text is no recipe of this release: {str(error)[:200]}"
    wanted = batch.master_sha256 or batch.recipe_sha256
    if started.sha256 != wanted:
        return f"the batch's recipe text gives SHA-256 {started.sha256[:16]}, started was {wanted[:16]}: it was changed after approval"
    control = replayed(started.recipe, batch.edits)
    if isinstance(control, str) or sha256_of(control) != batch.recipe_sha256:
        return f"the control recipe is not what was started with its {len(batch.edits)} recorded edits: it was changed outside of the core"
    try:
        verified(settings, master.recipe.id, master.recipe.revision, master.sha256, batch.approval)
    except NotApproved as found:
        return str(found)
    return ""
