"""The verb RETIRE: a revision of a recipe may not be started here any more, whatever a library hands out.

The core keeps the list itself, because a gateway may be restored from a copy or be in somebody's hands. Nothing takes a revision off it: a
newer one is approved instead. A batch that runs goes on.
"""

from typing import Final

from controller.actions.action import Action, Moment
from controller.command import Command
from controller.errors import Problem
from controller.memory import Memory
from controller.recipe.standing import Note
from controller.recipe.states import Verb
from controller.roles import Role

MOST_RETIRED: Final = 1000


def objection(memory: Memory, recipe_id: str, revision: int) -> str:
    """Return why a revision may not be started, "" when it was not retired."""
    if (recipe_id, revision) not in memory.retired:
        return ""
    return f"{recipe_id} rev {revision} was retired here and cannot be started; approve a newer revision"


def _refuse(moment: Moment, command: Command) -> str:
    recipe, revision = command.args.get("recipe"), command.args.get("revision")
    if not isinstance(recipe, str) or not 1 <= len(recipe) <= 64:
        return str(Problem("recipe", recipe, "the id of a recipe, at most 64 characters"))
    if isinstance(revision, bool) or not isinstance(revision, int) or not 1 <= revision <= 1_000_000:
        return str(Problem("revision", revision, "a number from 1 to 1000000"))
    full = len(moment.memory.retired) >= MOST_RETIRED and (recipe, revision) not in moment.memory.retired
    return f"{MOST_RETIRED} revisions are retired, which is as many as are kept" if full else ""


def _carry_out(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    memory, one = moment.memory, (str(command.args["recipe"]), int(command.args["revision"]))
    name = f"{one[0]} rev {one[1]}"
    if one in memory.retired:
        return memory, (), f"{name} is retired already"
    why = f"RETIRE of {name} by {command.user}" + (f": {said}" if (said := command.reason.strip()) else "")
    content: dict[str, object] = {"what": "recipe retired", "why": why, "recipe": one[0], "revision": one[1], "user": command.user}
    return (
        memory._replace(retired=(*memory.retired, one)),
        (Note("decision", content),),
        f"{name} is retired: it cannot be started any more",
    )


RETIRING: Final[dict[Verb, Action]] = {Verb.RETIRE: Action(Role.ENGINEER, frozenset({"recipe", "revision"}), _refuse, _carry_out)}
