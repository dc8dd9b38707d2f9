"""The commands that do not move the unit, one module per subject; ``ACTIONS`` is all of them."""

from typing import Final

from controller.actions.action import Action, Moment
from controller.recipe.states import Verb

ACTIONS: Final[dict[Verb, Action]] = {}

__all__ = ["ACTIONS", "Action", "Moment"]
