"""What keeps a recipe from running in this oven, asked wherever one is started, edited, approved or run on the model."""

from controller.errors import Problem
from controller.memory import Settings
from controller.recipe.check import check_recipe
from controller.recipe.check_phase import place_of
from controller.recipe.model import Recipe


def problems_of(settings: Settings, recipe: Recipe) -> list[Problem]:
    """Return what keeps ``recipe`` from running with these settings: the equipment, the proof's limits, the model's solvent, PID sets."""
    problems = check_recipe(recipe, settings.equipment, settings.proving)
    known, asked = settings.estimator.solvent, recipe.material.solvent
    if asked != known:
        problems.append(Problem("material.solvent", asked, f"{known}, for which the model is set (settings.estimator.solvent)"))
    sets = f"a set of settings.tunings.sets: {', '.join(['default', *sorted(settings.tunings.sets)])}"
    unknown = {
        place_of(index, phase): name
        for index, phase in enumerate(recipe.phase)
        if not settings.tunings.has(name := getattr(phase, "pid_set", "default"))
    }  # each turn of a REPEAT says the same
    return [*problems, *(Problem(f"{place}.pid_set", name, sets) for place, name in unknown.items())]
