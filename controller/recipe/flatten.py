"""REPEAT and CALL written out: from the phases as people write them to the one list that runs.

Every turn of a REPEAT and every phase of a called sub-recipe becomes a phase of its own, so that check, forecast, PLC, journal and
operator see plain phases; ``turn`` says which turn it is, ``at`` where it was written. Labels of a REPEAT's body get the turn's number,
and a BRANCH in the body goes to the label of its own turn.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from controller.errors import Problem
from controller.recipe.model import MOST_PHASES, Call, Repeat
from controller.validation import problems_of

DEEPEST: Final = 2  # REPEAT in REPEAT
OWN_KEYS: Final = ("at", "turn")  # made here, never written by people
Entries = list[dict[str, Any]]
Body = tuple[Entries, list[Problem]]
Called = Callable[[str, Mapping[str, Any], str], Body]  # name, values for its formula, where it is called: its phases


class Place(NamedTuple):
    """Where the phases being written out stand: key, turns so far, depth of REPEAT."""

    key: str
    turn: str = ""
    depth: int = 0
    moved: bool = False  # the key is not the phase's place in the list that runs


def flat(phases: object, called: Called | None, place: Place) -> Body:
    """Return ``phases`` written out, and what is wrong with REPEAT and CALL in them; anything else wrong is left for the model to say."""
    if not isinstance(phases, list):
        return [], [Problem(place.key, phases, "a list of phases")]
    found: Entries = []
    problems: list[Problem] = []
    for index, phase in enumerate(phases):
        key = f"{place.key}.{index}"
        if not isinstance(phase, dict):
            problems.append(Problem(key, phase, "a phase, [[phase]]"))
            continue
        problems += [Problem(f"{key}.{own}", phase[own], "unknown key") for own in OWN_KEYS if own in phase]
        more, wrong = _one(phase, called, place._replace(key=key, moved=place.moved or len(found) != index))
        found += more
        problems += wrong
        if len(found) > MOST_PHASES:
            return found[:MOST_PHASES], [*problems, Problem(key, len(found), f"at most {MOST_PHASES} phases with every turn written out")]
    return found, problems


def _one(phase: dict[str, Any], called: Called | None, place: Place) -> Body:
    kind = phase.get("kind")
    if kind == "REPEAT":
        return _turns(phase, called, place)
    if kind == "CALL":
        return _called(phase, called, place)
    if not place.moved:
        return [phase], []
    return [{**phase, "at": place.key, **({"turn": place.turn} if place.turn else {})}], []


def _turns(phase: dict[str, Any], called: Called | None, place: Place) -> Body:
    head = {name: value for name, value in phase.items() if name != "phase"}
    try:
        repeat = Repeat.model_validate(head)
    except ValidationError as error:
        return [], _told(error, f"{place.key}.REPEAT", (*Repeat.model_fields, "phase"))
    if place.depth >= DEEPEST:
        return [], [Problem(f"{place.key}.REPEAT.kind", "REPEAT", f"REPEAT nests at most {DEEPEST} deep")]
    if not phase.get("phase"):
        allowed = "a REPEAT has phases of its own, [[phase.phase]]"
        return [], [Problem(f"{place.key}.REPEAT.phase", phase.get("phase"), allowed)]
    found: Entries = []
    for number in range(1, repeat.count + 1):
        turn = f"{place.turn}, {number}/{repeat.count}".removeprefix(", ")
        body, problems = flat(phase["phase"], called, Place(f"{place.key}.phase", turn, place.depth + 1, moved=True))
        if problems:
            return [], problems
        found += _labelled(body, number)
        if len(found) > MOST_PHASES:
            break
    return found, []


def _labelled(body: Entries, number: int) -> Entries:
    """Return ``body`` with its labels, and the branches to them, made those of turn ``number``."""
    own = {phase.get("label") for phase in body} - {None, ""}
    turned = []
    for phase in body:
        names = {name: f"{phase[name]}-{number}" for name in ("label", "to") if phase.get(name) in own}
        turned.append({**copy.deepcopy(phase), **names})
    return turned


def _called(phase: dict[str, Any], called: Called | None, place: Place) -> Body:
    try:
        call = Call.model_validate(phase)
    except ValidationError as error:
        return [], _told(error, f"{place.key}.CALL", tuple(Call.model_fields))
    if called is None:
        return [], [Problem(f"{place.key}.CALL.kind", "CALL", "a sub-recipe calls no other")]
    body, problems = called(call.recipe, call.formula, place.key)
    if problems:
        return [], problems
    found, problems = flat(body, None, Place(f"{place.key} {call.recipe}.toml phase", place.turn, place.depth, moved=True))
    return [{**phase, "turn": place.turn} if place.turn else phase for phase in found], problems


def _told(error: ValidationError, key: str, known: tuple[str, ...]) -> list[Problem]:
    return [Problem(f"{key}.{problem.key}", problem.value, problem.allowed) for problem in problems_of(error, known)]
