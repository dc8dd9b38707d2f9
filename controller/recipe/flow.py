"""Where a recipe goes on: the next phase, and the results that a BRANCH looks at. Branches lead forward only, so every way ends."""

from statistics import median
from typing import Final, NamedTuple

from controller.image import Estimate
from controller.recipe.model import Branch, Recipe

LEAKS_KEPT: Final = 12  # leak rates, of this batch and the ones before
LEAKS_JUDGED: Final = 3  # so many must be known before a rate can be called growing
LEAK_GROWTH: Final = 1.5  # times the median of the earlier ones, and
LEAK_STEP_MBAR_H: Final = 0.5  # so much above it [assume]


class Leak(NamedTuple):
    """What one leak test measured."""

    at_s: float
    rate_mbar_h: float
    batch_id: int = 0


class Results(NamedTuple):
    """What this batch has found so far, for its branches; None where nothing has been found."""

    leak_failed: bool | None = None
    leak_mbar_h: float | None = None
    answer: str | None = None
    timed_out: bool = False  # the phase before ended by its timeout


class Way(NamedTuple):
    """Where the recipe goes on: the index of the phase, or None while ``why`` is missing; ``told`` is what branches decided on the way."""

    place: int | None
    why: str = ""
    told: tuple[str, ...] = ()


def onward(recipe: Recipe, index: int, results: Results, estimate: Estimate, began_s: float, forced: bool = False) -> Way:
    """Return where ``recipe`` goes on after phase ``index``; ``forced`` takes the next phase where a branch has no result.

    ``began_s`` is the start of the batch: an older pressure-rise test is no result of it.
    """
    told: list[str] = []
    index += 1
    while index < len(recipe.phase) and isinstance(branch := recipe.phase[index], Branch):
        jumps, why = decided(branch, results, estimate, began_s)
        if jumps is None and not forced:
            return Way(None, f"{branch.title}: {why}")
        told.append(f"{branch.title}: {why}; {f'goes to {branch.to}' if jumps else 'goes on'}")
        index = place(recipe, branch.to) if jumps else index + 1
    return Way(index, "", tuple(told))


def place(recipe: Recipe, label: str) -> int:
    """Return the index of the phase with ``label``; the recipe check has seen that there is one. The end of the recipe otherwise."""
    return next((index for index, phase in enumerate(recipe.phase) if phase.label == label), len(recipe.phase))


def decided(branch: Branch, results: Results, estimate: Estimate, began_s: float) -> tuple[bool | None, str]:
    """Return whether ``branch`` leaves the straight way, None while its result is missing, and why."""
    if branch.on == "ALWAYS":
        return True, "always"
    if branch.on == "TIMEOUT":
        return results.timed_out, "the phase before timed out" if results.timed_out else "the phase before ended in time"
    if branch.on == "LEAK_TEST":
        if results.leak_failed is None:
            return None, "no leak test has been made"
        return results.leak_failed, "leak test no-go" if results.leak_failed else "leak test go"
    if branch.on == "ANSWER" and branch.equals is not None:
        if results.answer is None:
            return None, "nobody has answered"
        return results.answer == branch.equals, f"the answer is {results.answer!r}"
    value, unit = _value(branch, results, estimate, began_s)
    if value is None:
        return None, f"no valid result of {branch.on}"
    jumps = (branch.above is not None and value > branch.above) or (branch.below is not None and value < branch.below)
    return jumps, f"{branch.on} {value:.3g} {unit}".rstrip()


def _value(branch: Branch, results: Results, estimate: Estimate, began_s: float) -> tuple[float | None, str]:
    if branch.on == "LEAK_RATE":
        return results.leak_mbar_h, "mbar/h"
    if branch.on == "PRESSURE_RISE":
        rise = estimate.pressure_rise
        return (rise.leak_mbar_min if rise is not None and rise.valid and rise.at_s >= began_s else None), "mbar/min"
    if branch.on == "ANSWER":
        return _number(results.answer), ""
    if not estimate.valid:
        return None, ""
    return (100 * estimate.residual_solvent.value, "wt%") if branch.on == "RESIDUAL" else (100 * estimate.insoluble.value, "%")


def _number(answer: str | None) -> float | None:
    try:
        return None if answer is None else float(answer)
    except ValueError:
        return None


def expected(recipe: Recipe, index: int = 0) -> frozenset[int]:
    """Return the phases from ``index`` on that forecast and dry run reckon with: every branch takes the way it expects."""
    on_way = set()
    while index < len(recipe.phase):
        on_way.add(index)
        phase = recipe.phase[index]
        jumps = isinstance(phase, Branch) and (phase.expect == "JUMP" or phase.on == "ALWAYS")
        index = place(recipe, phase.to) if jumps and isinstance(phase, Branch) else index + 1
    return frozenset(on_way)


def growing(leaks: tuple[Leak, ...]) -> str:
    """Return why the last leak rate is more than the oven's own of late, "" when it is not or too little is known."""
    if len(leaks) <= LEAKS_JUDGED:
        return ""
    usual, last = median(leak.rate_mbar_h for leak in leaks[:-1]), leaks[-1].rate_mbar_h
    if last <= max(LEAK_GROWTH * usual, usual + LEAK_STEP_MBAR_H):
        return ""
    return f"leak rate {last:.2f} mbar/h, median of the last {len(leaks) - 1} is {usual:.2f} mbar/h"
