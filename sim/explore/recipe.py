"""The recipe of the exploration: every kind of proof, heat, cooling and air once, and no more."""

from pathlib import Path

from controller.command import Start
from controller.recipe.model import Phase, Recipe
from controller.recipe.reading import read_load, read_recipe

_ROOT = Path(__file__).parents[2] / "recipes"
KINDS = ("LEAK_TEST", "CYCLE_PURGE", "EVACUATE", "RAMP", "SOAK", "COOL", "VENT", "END")


def shortest(kinds: tuple[str, ...] = KINDS) -> Start:
    """Return a START with the short trial cut down to the first phase of each of ``kinds``, and its own load."""
    sourced = read_recipe(_ROOT / "trial-short.toml")
    first: dict[str, Phase] = {phase.kind: phase for phase in reversed(sourced.recipe.phase)}
    recipe: Recipe = sourced.recipe.model_copy(update={"phase": tuple(first[kind] for kind in kinds)})
    return Start(recipe, sourced.sha256, sourced.text, read_load(_ROOT / "loads" / "sample-roll.toml"))
