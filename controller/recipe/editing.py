"""Edits of the control recipe: the signed master as it was started, and the changes that people have made since, one after the other."""

from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from controller.errors import Problem
from controller.recipe.model import Endpoint, Phase, Recipe
from controller.validation import problems_of

# Not parameters but the recipe's shape, its texts and its permissions.
FIXED: Final = frozenset({
    "kind", "name", "comment", "label", "at", "turn", "atmosphere", "allow_hold", "allow_skip", "allow_edit", "text", "entry",
    "choices", "tag",
})  # fmt: skip


class Edit(NamedTuple):
    """One change: parameter ``key`` of phase ``where`` (its index, or "endpoint") to ``value``, a JSON value."""

    where: int | str
    key: str
    value: Any


def part_of(recipe: Recipe, where: int | str) -> Phase | Endpoint:
    """Return the part of ``recipe`` that an edit means."""
    return recipe.endpoint if isinstance(where, str) else recipe.phase[where]


def edited(recipe: Recipe, edit: Edit) -> Recipe | str:
    """Return ``recipe`` with one parameter changed, or what is wrong with the edit; the place must be there."""
    part = part_of(recipe, edit.where)
    keys = [key for key in type(part).model_fields if key not in FIXED]
    if edit.key not in keys:
        return str(Problem("key", edit.key, f"one of {', '.join(keys)}"))
    if getattr(part, edit.key) == edit.value:
        return f"{edit.key} is {edit.value!r} already"
    try:
        changed = type(part).model_validate({**part.model_dump(), edit.key: edit.value})
    except ValidationError as error:
        return "; ".join(str(problem) for problem in problems_of(error, tuple(keys)))
    if isinstance(changed, Endpoint):
        return recipe.model_copy(update={"endpoint": changed})
    where = int(edit.where)
    return recipe.model_copy(update={"phase": (*recipe.phase[:where], changed, *recipe.phase[where + 1 :])})


def replayed(recipe: Recipe, edits: tuple[Edit, ...]) -> Recipe | str:
    """Return ``recipe`` after ``edits``, or why they do not fit it."""
    for edit in edits:
        if not isinstance(edit.where, str) and not 0 <= edit.where < len(recipe.phase):
            return f"an edit of phase {edit.where + 1}, which the recipe does not have"
        found = edited(recipe, edit)
        if isinstance(found, str):
            return found
        recipe = found
    return recipe
