"""The order of the phases on every way through a recipe: proof before heat, COOL after heat, VENT after COOL, results before branches.

Branches lead forward only, so that one pass from the first phase to the last sees every way: each phase gets the set of states in which it
may be reached, and what must hold is asked of each of them.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from controller.errors import Problem, place_of_key
from controller.recipe.check_phase import place_of
from controller.recipe.model import (
    Branch,
    Cool,
    CyclePurge,
    LeakTest,
    Operator,
    Phase,
    PressureRiseTest,
    PurgeFlow,
    Recipe,
    TestedPhase,
    ThermalPhase,
    Vent,
)
from controller.recipe.proving import Proving

PROOFS: Final = (LeakTest, CyclePurge, PurgeFlow)


class State(NamedTuple):
    """What a way through the recipe has shown when it comes to a phase."""

    leak: Literal["", "OPEN", "GO"] = ""  # OPEN: tested, and a branch is still to look at the result
    cycled: bool = False
    flowed: bool = False
    hot: bool = False  # heated, and no COOL since
    warm: bool = False  # heated, and no COOL since that ends below the temperature at which air is let in
    tested: bool = False  # there is a leak rate
    risen: bool = False  # there is a pressure-rise test
    asked: bool = False  # there is an answer


def heats(phase: Phase) -> bool:
    """Return whether ``phase`` puts heat into the oven, which needs a proven atmosphere."""
    return isinstance(phase, ThermalPhase) and not isinstance(phase, Cool) and not phase.shut


def check_order(recipe: Recipe, proving: Proving, air_c: float) -> list[Problem]:
    """Return what is wrong with the order of the phases, on whichever way; ``air_c``: highest target of a COOL before a VENT, degC."""
    problems = [*_ends(recipe), *_labels(recipe), *_passed_proofs(recipe)]
    if any(problem.key.endswith((".to", ".label")) or problem.key == "phase" for problem in problems):
        return problems  # without a way there is none to look at
    reached = _reached(recipe, proving, air_c)
    heat_told = False
    for index, phase in enumerate(recipe.phase):
        key, states = place_of(index, phase), reached[index]
        if not states:
            problems.append(Problem(f"{key}.kind", phase.kind, "no way leads here"))
        found = list(dict.fromkeys(problem for state in sorted(states) for problem in _wrong(key, phase, state, proving, air_c)))
        of_heat = [problem for problem in found if "(I5)" in problem.allowed]
        problems += [problem for problem in found if problem not in of_heat or not heat_told]
        heat_told = heat_told or bool(of_heat)
    return problems


def _ends(recipe: Recipe) -> Iterator[Problem]:
    kinds = [phase.kind for phase in recipe.phase]
    if kinds.count("END") != 1 or kinds[-1] != "END":
        yield Problem("phase", kinds[-1], "END stands once and last")
    if kinds[0] == "BRANCH":
        yield Problem("phase", "BRANCH", "a BRANCH stands after the phase whose result it looks at")


def _labels(recipe: Recipe) -> Iterator[Problem]:
    places: dict[str, int] = {}
    for index, phase in enumerate(recipe.phase):
        if phase.label and phase.label in places:
            taken = places[phase.label]
            allowed = f"a label of its own; {place_of_key(place_of(taken, recipe.phase[taken]))} has it already"
            yield Problem(f"{place_of(index, phase)}.label", phase.label, allowed)
        elif phase.label:
            places[phase.label] = index
    for index, phase in enumerate(recipe.phase):
        if isinstance(phase, Branch) and places.get(phase.to, index) <= index:
            later = [label for label, place in places.items() if place > index]
            yield Problem(f"{place_of(index, phase)}.to", phase.to, f"the label of a later phase: {', '.join(later) or 'there is none'}")


def _passed_proofs(recipe: Recipe) -> Iterator[Problem]:
    for index, phase in enumerate(recipe.phase):
        if isinstance(phase, PROOFS) and phase.on_timeout == "CONTINUE":
            allowed = "HOLD, STOP or ABORT: a proof that was not given cannot be passed"
            yield Problem(f"{place_of(index, phase)}.on_timeout", "CONTINUE", allowed)


def _reached(recipe: Recipe, proving: Proving, air_c: float) -> list[set[State]]:
    """Return the states in which each phase may be reached."""
    places = {phase.label: index for index, phase in enumerate(recipe.phase) if phase.label}
    reached: list[set[State]] = [set() for _ in recipe.phase]
    reached[0].add(State())
    for index, phase in enumerate(recipe.phase[:-1]):
        for state in reached[index]:
            if isinstance(phase, Branch):
                ahead, jumps = _decided(phase, state)
                reached[places[phase.to]].add(jumps)
                if phase.on != "ALWAYS":
                    reached[index + 1].add(ahead)
            else:
                reached[index + 1].add(_after(phase, state, proving, air_c))
    return reached


def _decided(branch: Branch, state: State) -> tuple[State, State]:
    """Return the state straight on and the one where the branch goes; a leak test that lets no-go pass is a proof only straight on."""
    if branch.on != "LEAK_TEST" or state.leak != "OPEN":
        return state, state
    return state._replace(leak="GO"), state._replace(leak="")


def _after(phase: Phase, state: State, proving: Proving, air_c: float) -> State:
    if isinstance(phase, LeakTest):
        return state._replace(leak="GO" if phase.on_fail == "HOLD" else "OPEN", tested=True)
    if isinstance(phase, CyclePurge):
        return state._replace(cycled=state.cycled or phase.cycles >= proving.cycles)
    if isinstance(phase, PurgeFlow):
        return state._replace(flowed=True)
    if isinstance(phase, Vent):  # air: nothing is proven any more
        return state._replace(leak="", cycled=False, flowed=False)
    if isinstance(phase, Cool):
        return state._replace(hot=False, warm=state.warm and (phase.target_c > air_c or phase.on_timeout == "CONTINUE"))
    risen = isinstance(phase, PressureRiseTest) or (isinstance(phase, TestedPhase) and phase.pressure_rise_every_min is not None)
    heated = heats(phase)
    return state._replace(
        hot=state.hot or heated, warm=state.warm or heated, risen=state.risen or risen, asked=state.asked or isinstance(phase, Operator)
    )


def _wrong(key: str, phase: Phase, state: State, proving: Proving, air_c: float) -> Iterator[Problem]:
    """Yield what must not be when ``phase`` is reached in ``state``."""
    if isinstance(phase, ThermalPhase) and heats(phase):
        if phase.atmosphere == "VACUUM" and not (state.cycled and state.leak == "GO"):
            allowed = f"heat in vacuum needs a LEAK_TEST and a CYCLE_PURGE of >= {proving.cycles} cycles before it (I5)"
            yield Problem(f"{key}.kind", phase.kind, allowed)
        if phase.atmosphere == "N2_FLOW" and not (state.cycled or state.flowed):
            yield Problem(f"{key}.kind", phase.kind, "heat in N2 needs a CYCLE_PURGE or PURGE_FLOW before it (I5)")
    elif isinstance(phase, ThermalPhase) and phase.shut and state.hot:
        yield Problem(f"{key}.atmosphere", "NONE", "VACUUM or N2_FLOW: a hot load is not shut in")
    if isinstance(phase, Vent) and state.warm:
        allowed = f"air may only be let in after a COOL with target_c <= {air_c:g} degC whose on_timeout is not CONTINUE (I19)"
        yield Problem(f"{key}.kind", "VENT", allowed)
    if phase.kind == "END" and state.hot:
        yield Problem("phase", "END", "COOL stands after the last phase with heat")
    if isinstance(phase, Branch) and (missing := _missing(phase, state)):
        yield Problem(f"{key}.on", phase.on, missing)


def _missing(branch: Branch, state: State) -> str:
    """Return which result ``branch`` would wait for without end, "" when there is one."""
    if branch.on in ("LEAK_TEST", "LEAK_RATE") and not state.tested:
        return "needs a LEAK_TEST before it"
    if branch.on == "PRESSURE_RISE" and not state.risen:
        return "needs a PRESSURE_RISE, or a phase with pressure_rise_every_min, before it"
    return "needs an OPERATOR before it" if branch.on == "ANSWER" and not state.asked else ""
