"""What keeps a recipe from running in this oven, asked wherever one is started, edited, approved or run on the model."""

from controller.errors import FileError, Problem
from controller.memory import Settings
from controller.recipe.check import check_recipe
from controller.recipe.check_phase import place_of
from controller.recipe.model import Recipe
from controller.recipe.reading import SourcedRecipe, parse_recipe


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


def problems_of_any(settings: Settings, sourced: SourcedRecipe) -> list[Problem]:
    """Return what keeps ``sourced`` from running with these settings, as it is or with a formula value at its low or its high."""
    problems = problems_of(settings, sourced.recipe)
    if problems:
        return problems
    for name, entry in sourced.recipe.formula.items():
        for end, value in (("low", entry.low), ("high", entry.high)):
            try:
                found = problems_of(settings, parse_recipe(sourced.text, name, {name: value}).recipe)
            except FileError as error:
                found = list(error.problems)
            problems += [Problem(f"formula.{name}.{end}", value, f"{problem.where}: {problem.allowed}") for problem in found]
    return problems
