"""The delayed start: a batch that is armed in an IDLE unit and begins when its time comes, if nothing blocks it then.

HOLD, STOP, ABORT and RESET cancel it, and so does a restart of the core: nobody may have looked at the oven since.
"""

from collections.abc import Callable
from typing import Final

from controller.actions.action import Moment
from controller.command import Command, Start
from controller.errors import Problem
from controller.memory import Delayed, Memory
from controller.recipe.standing import Note
from controller.recipe.states import UnitState, Verb

LONGEST_MIN: Final = 10_080.0  # a week
_CANCELLING: Final = frozenset({Verb.HOLD, Verb.STOP, Verb.ABORT, Verb.RESET})


def is_delayed(start: Start) -> bool:
    """Return whether ``start`` names a time."""
    return start.in_min is not None or start.at_s is not None


def cancels(memory: Memory, verb: Verb) -> bool:
    """Return whether ``verb`` cancels a start that is armed."""
    return memory.delayed is not None and memory.unit.state is UnitState.IDLE and verb in _CANCELLING


def refusal(memory: Memory, start: Start, at_s: float) -> str:
    """Return why ``start`` may not be armed, or begun beside one that is."""
    if memory.delayed is not None:
        left_min = (memory.delayed.at_s - at_s) / 60.0
        return f"a start by {memory.delayed.user} is armed, {left_min:.0f} min from now; STOP cancels it"
    if start.in_min is not None and start.at_s is not None:
        return "start_in_min and start_at_s exclude each other"
    if start.in_min is not None and not 0.0 < start.in_min <= LONGEST_MIN:
        return str(Problem("start_in_min", start.in_min, f"above 0 up to {LONGEST_MIN:g} min"))
    if start.at_s is not None and not at_s < start.at_s <= at_s + 60.0 * LONGEST_MIN:
        return str(Problem("start_at_s", start.at_s, f"process time after {at_s:.0f} s, at most a week ahead"))
    return ""


def armed(memory: Memory, command: Command, start: Start, at_s: float) -> tuple[Memory, tuple[Note, ...]]:
    """Return the memory with the start armed."""
    begins_s = at_s + 60.0 * (start.in_min or 0.0) if start.at_s is None else start.at_s
    brought = (start.recipe, start.recipe_sha256, start.recipe_text, start.load, start.approval, start.verified)
    waiting = Delayed(begins_s, command.id, command.user, *brought)
    ahead_min = (begins_s - at_s) / 60.0
    why = f"START by {command.user}: {start.recipe.id} rev {start.recipe.revision} begins at {begins_s:.0f} s, in {ahead_min:.1f} min"
    note = Note("decision", {"what": "delayed start armed", "why": why, "at_s": begins_s, "recipe_sha256": start.recipe_sha256})
    return memory._replace(delayed=waiting), (note,)


def cancelled(memory: Memory, waiting: Delayed, why: str) -> tuple[Memory, tuple[Note, ...]]:
    """Return the memory without the start that was armed."""
    said = f"{why}; START by {waiting.user} was to begin at {waiting.at_s:.0f} s"
    return memory._replace(delayed=None), (Note("decision", {"what": "delayed start cancelled", "why": said}),)


def said(notes: tuple[Note, ...]) -> str:
    """Return the answer to a command that armed or cancelled a start, "" for any other."""
    what = str(notes[0].content.get("what", "")) if notes else ""
    return f"{what}: {notes[0].content['why']}" if what.startswith("delayed start") else ""


def begin(
    memory: Memory,
    waiting: Delayed,
    moment: Moment,
    refuses: Callable[[Moment, Start], str],
    begins: Callable[[Moment, str, Start], tuple[Memory, tuple[Note, ...]]],
) -> tuple[Memory, tuple[Note, ...]]:
    """Return the memory with the batch begun, or cancelled with what blocks it now."""
    start = Start(waiting.recipe, waiting.recipe_sha256, waiting.recipe_text, waiting.load)
    start = start._replace(approval=waiting.approval, verified=waiting.verified)
    memory = memory._replace(delayed=None)
    moment = moment._replace(memory=memory)
    blocked = "" if memory.unit.state is UnitState.IDLE else f"the unit is {memory.unit.state.name}"
    if blocked := blocked or refuses(moment, start):
        return cancelled(memory, waiting, blocked)
    note = Note("decision", {"what": "delayed start", "why": f"its time has come; armed by {waiting.user}, command {waiting.command_id}"})
    memory, notes = begins(moment, waiting.user, start)
    return memory, (note, *notes)
