"""A command: something a person asks for, through the mailbox, to be carried out or refused by one scan."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from controller.recipe.approval import Approval, Verified
from controller.recipe.model import LoadRecord, Recipe
from controller.recipe.states import Verb
from controller.roles import Role

NO_ARGS: Final[Mapping[str, Any]] = MappingProxyType({})


class Start(NamedTuple):
    """What START brings: a recipe that was read and hashed, and the load."""

    recipe: Recipe
    recipe_sha256: str
    recipe_text: str
    load: LoadRecord
    at_s: float | None = None  # process time at which the batch shall begin; at once without
    in_min: float | None = None  # the same as a delay
    approval: Approval | None = None  # as it came
    verified: Verified | None = None  # what was found of it beside the scan; None: nobody has looked


class Command(NamedTuple):
    """One command. ``args`` are the verb's own arguments as JSON values; ``refusal`` is what was already found wrong with it."""

    id: str
    user: str
    verb: Verb
    expected_state: str | None
    row: int
    start: Start | None = None
    reason: str = ""
    refusal: str = ""
    args: Mapping[str, Any] = NO_ARGS
    role: Role = Role.ENGINEER
