"""What a command that does not move the unit does: who may ask, with which arguments, why it is refused, what it changes."""

from collections.abc import Callable
from typing import NamedTuple

from controller.command import Command
from controller.image import Inputs, Process
from controller.interlocks.evaluate import Verdict
from controller.memory import Memory, Settings
from controller.recipe.standing import Note
from controller.roles import Role


class Moment(NamedTuple):
    """What an action may look at besides its command."""

    settings: Settings
    memory: Memory
    verdict: Verdict
    inputs: Inputs
    process: Process


class Action(NamedTuple):
    """One verb.

    Attributes:
        role: the lowest role that may ask.
        args: names of the arguments it takes, all of them checked by ``refuse``.
        refuse: the reason why not, "" when it may be done; it names the argument, its value and what is allowed. Never raises.
        carry_out: the memory afterwards, the journal's notes, and the answer to the person.
    """

    role: Role
    args: frozenset[str]
    refuse: Callable[[Moment, Command], str]
    carry_out: Callable[[Moment, Command], tuple[Memory, tuple[Note, ...], str]]
