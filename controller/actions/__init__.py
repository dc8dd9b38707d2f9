"""The commands that do not move the unit, one module per subject; ``ACTIONS`` is all of them."""

from typing import Final

from controller.actions.action import Action, Moment
from controller.actions.alarming import ALARMING
from controller.actions.bypassing import BYPASSING
from controller.actions.laboratory import LABORATORY
from controller.actions.operating import OPERATING
from controller.actions.proving import PROVING
from controller.actions.recording import RECORDING
from controller.actions.remarking import REMARKING
from controller.actions.retiring import RETIRING
from controller.actions.tuning import TUNING
from controller.recipe.states import Verb

ACTIONS: Final[dict[Verb, Action]] = {
    **ALARMING,
    **BYPASSING,
    **LABORATORY,
    **OPERATING,
    **PROVING,
    **RECORDING,
    **REMARKING,
    **RETIRING,
    **TUNING,
}

__all__ = ["ACTIONS", "Action", "Moment"]
