"""What people do to a running batch: skip a phase, go back, edit the control recipe, move the set point while held, answer a question.

Each needs the phase that it means by its number, which counts from 1, so that a double click, or a screen that is a phase behind, has one
effect or none. None of them gives heat: that stays with the proof of the atmosphere (I5), the interlocks and RESTART.
"""

from math import isfinite
from typing import Any, Final

from controller import estimator
from controller.actions.action import Action, Moment
from controller.command import Command
from controller.errors import Problem, numbered
from controller.fitness import problems_of
from controller.memory import Memory
from controller.recipe import editing, flow, ramping, standing
from controller.recipe.editing import Edit
from controller.recipe.holding import HOLD_HEAT_S, MANUAL_LAG_C
from controller.recipe.model import Endpoint, Operator, Phase, Ramp, Recipe, ThermalPhase
from controller.recipe.pausing import wrong_answer
from controller.recipe.reading import sha256_of
from controller.recipe.recovery import PURGES, hot, proves_for, untested
from controller.recipe.standing import Batch, Manual, Note, UnitMemory
from controller.recipe.states import UnitState, Verb
from controller.roles import Role

PROOFS: Final = ("LEAK_TEST", *PURGES)
LOWEST_C: Final = 20.0
_AT_WORK: Final = (UnitState.RUNNING, UnitState.HELD)


def allows(phase: Phase, permission: str) -> bool:
    """Return whether the recipe permits what ``permission`` (hold, skip, edit) says in ``phase``."""
    return bool(getattr(phase, f"allow_{permission}", True))


def _number(value: object, low: float, high: float) -> float | None:
    """Return ``value`` as a finite number inside the range, None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value) if low <= value <= high else None


def _common(moment: Moment, command: Command, reason: bool = True) -> str:
    """Return what refuses any of these verbs: no batch at work, no reason."""
    unit = moment.memory.unit
    if unit.state not in _AT_WORK or unit.batch is None or standing.current(unit) is None:
        return f"{command.verb} is not possible in {unit.state.name}; a batch must be RUNNING or HELD"
    if reason and not command.reason.strip():
        return f"{command.verb} needs a reason, which goes into the batch record"
    return ""


def _parts(unit: UnitMemory) -> tuple[Batch, Phase]:
    phase = standing.current(unit)
    if unit.batch is None or phase is None:
        raise AssertionError("the refusal comes first")
    return unit.batch, phase


def _index(given: object) -> int | None:
    """Return the place in the recipe of the phase that a person calls ``given``, None when that is no number; theirs count from 1."""
    return given - 1 if isinstance(given, int) and not isinstance(given, bool) else None


def _is_current(unit: UnitMemory, given: object) -> str:
    """Return why ``given`` is not the number of the current phase."""
    index = unit.phase_index
    if _index(given) == index:
        return ""
    phase = standing.current(unit)
    return str(Problem("phase", given, f"{index + 1} ({'' if phase is None else phase.kind}), the phase that runs now"))


# ---- SKIP ----


def _refuse_skip(moment: Moment, command: Command) -> str:
    unit = moment.memory.unit
    if refused := _common(moment, command) or _is_current(unit, command.args.get("phase")):
        return refused
    batch, phase = _parts(unit)
    if phase.kind == "END":
        return "END cannot be skipped"
    if not allows(phase, "skip"):
        return f"the recipe does not permit to skip {numbered(unit.phase_index, phase.kind)}: allow_skip = false"
    if phase.kind in PROOFS and any(hot(later) for later in batch.recipe.phase[unit.phase_index + 1 :]):
        return f"{phase.kind} cannot be skipped: heat follows that needs its proof (I5)"
    hottest_c, open_c = moment.process.hottest_c, moment.settings.equipment.open_c
    if phase.kind == "COOL" and moment.process.hot(open_c):
        shown = "unknown" if hottest_c is None else f"{hottest_c:.0f} degC"
        return f"COOL cannot be skipped while the hottest reading is {shown}, allowed below {open_c:g} degC"
    return ""


def _skip(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    memory, unit = moment.memory, moment.memory.unit
    batch, phase = _parts(unit)
    if isinstance(phase, Operator):  # nobody has answered this one
        unit = unit._replace(results=unit.results._replace(answer=None))
    way = flow.Way(unit.phase_index + 1)
    if memory.estimator is not None:
        way = flow.onward(batch.recipe, unit.phase_index, unit.results, memory.estimator.estimate, batch.started_at_s, forced=True)
    index = unit.phase_index + 1 if way.place is None else min(way.place, len(batch.recipe.phase) - 1)
    why = f"SKIP by {command.user}: {command.reason.strip()}"
    memory, notes, done = _moved(moment._replace(memory=memory._replace(unit=unit)), index, why, "SKIP", command)
    return memory, (*notes, *(Note("decision", {"what": "branch", "why": told}) for told in way.told)), done


# ---- BACK ----


def _refuse_back(moment: Moment, command: Command) -> str:
    memory, unit = moment.memory, moment.memory.unit
    if refused := _common(moment, command):
        return refused
    batch, phase = _parts(unit)
    given = command.args.get("phase")
    to = _index(given)
    if to is None or not 0 <= to < unit.phase_index:
        return str(Problem("phase", given, f"1 to {unit.phase_index}, a phase before the one that runs now") if unit.phase_index
                   else Problem("phase", given, "nothing: the first phase runs"))  # fmt: skip
    if not allows(phase, "skip"):
        return f"the recipe does not permit to leave {numbered(unit.phase_index, phase.kind)}: allow_skip = false"
    target = batch.recipe.phase[to]
    if target.kind == "BRANCH":
        return str(Problem("phase", given, "a phase that takes time; this is a BRANCH"))
    open_c = moment.settings.equipment.open_c
    warm = moment.process.hot(open_c)
    if target.kind == "LEAK_TEST" and warm:
        return f"LEAK_TEST measures cold only: the hottest reading must be below {open_c:g} degC (I13)"
    if unit.was_heated and warm and (shut := _shut_in(batch.recipe, to, unit.phase_index)) is not None:
        place = numbered(shut, batch.recipe.phase[shut].kind)
        return f"{place} would shut a hot load in: the hottest reading must be below {open_c:g} degC"
    return _refuse_heat(memory, batch.recipe, to, unit.state)


def _shut_in(recipe: Recipe, to: int, index: int) -> int | None:
    """Return the first phase from ``to`` on that keeps no inert gas; None when a COOL, or the phase that runs now, comes first."""
    for place in range(to, index):
        phase = recipe.phase[place]
        if phase.kind == "COOL":
            return None
        if phase.kind == "VENT" or (isinstance(phase, ThermalPhase) and phase.shut):
            return place
    return None


def _refuse_heat(memory: Memory, recipe: Recipe, to: int, state: UnitState) -> str:
    """Return why the heat that follows phase ``to`` would have no proof."""
    if refused := untested(recipe, to, memory.proof.leak_ok):
        return refused
    if state is UnitState.RUNNING and proves_for(recipe, to) is not None and not memory.proof.proven:
        return "the atmosphere is not proven (I5): HOLD first, then BACK; RESTART proves it again"
    return ""


def _back(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    return _moved(moment, int(command.args["phase"]) - 1, f"BACK by {command.user}: {command.reason.strip()}", "BACK", command)


def _moved(moment: Moment, index: int, why: str, what: str, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    memory = moment.memory
    batch, phase = _parts(memory.unit)
    unit, notes = standing.go_to(memory.unit, index, why)
    unproven = unit.state is UnitState.HELD and not memory.proof.proven and proves_for(batch.recipe, index) is not None
    unit = unit._replace(power_lost=unit.power_lost or unproven, recovery=None)
    left, gone_to = numbered(memory.unit.phase_index, phase.kind), numbered(index, batch.recipe.phase[index].kind)
    note = Note("decision", {
        "what": what, "why": why, "from": left, "to": gone_to, "user": command.user, "reason": command.reason.strip(),
    })  # fmt: skip
    belief = None if memory.estimator is None else estimator.replanned(memory.estimator)
    done = f"from {left} to {gone_to}; the unit is {unit.state.name}"
    return memory._replace(unit=unit, estimator=belief), (note, *notes), done


# ---- EDIT ----


def _refuse_edit(moment: Moment, command: Command) -> str:
    unit = moment.memory.unit
    if refused := _common(moment, command):
        return refused
    if moment.settings.approval.required and not moment.settings.approval.edits:
        return "this oven runs approved recipes unedited (settings.approval.edits); approve a new revision"
    edited = _edited(unit, command)
    if isinstance(edited, str):
        return edited
    here = tuple(phase.model_copy(update={"at": ""}) for phase in edited[0].phase)  # called by the numbers that run, as in the command
    return "; ".join(str(problem) for problem in problems_of(moment.settings, edited[0].model_copy(update={"phase": here})))


def _edited(unit: UnitMemory, command: Command) -> tuple[Recipe, Edit] | str:
    """Return the control recipe with one parameter changed, and the change, or why that cannot be."""
    batch, _ = _parts(unit)
    where, name = command.args.get("phase"), command.args.get("key")
    if not isinstance(name, str):
        return str(Problem("key", name, "the name of one parameter"))
    if isinstance(part := _part(unit, batch.recipe, where), str):
        return part
    index = _index(where)
    edit = Edit("endpoint" if index is None else index, name, command.args.get("value"))
    found = editing.edited(batch.recipe, edit)
    return found if isinstance(found, str) else (found, edit)


def _part(unit: UnitMemory, recipe: Recipe, where: object) -> Phase | Endpoint | str:
    if where == "endpoint":
        return recipe.endpoint
    first, last, index = unit.phase_index, len(recipe.phase) - 1, _index(where)
    if index is None or not first <= index <= last:
        return str(Problem("phase", where, f"{first + 1} to {last + 1}, the phase that runs now or a later one, or 'endpoint'"))
    phase = recipe.phase[index]
    if phase.kind in ("BRANCH", "END"):
        return f"{numbered(index, phase.kind)} has nothing to edit"
    if not allows(phase, "edit"):
        return f"the recipe does not permit to edit {numbered(index, phase.kind)}: allow_edit = false"
    return phase


def _edit(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    memory, unit = moment.memory, moment.memory.unit
    batch, _ = _parts(unit)
    found = _edited(unit, command)
    if isinstance(found, str):
        raise AssertionError("the refusal comes first")
    recipe, edit = found
    where, name, value = edit
    before: Any = getattr(editing.part_of(batch.recipe, where), name)
    sha256, master = sha256_of(recipe), batch.master_sha256 or batch.recipe_sha256
    edited = batch._replace(recipe=recipe, recipe_sha256=sha256, master_sha256=master, edits=(*batch.edits, edit))
    number, index = ("endpoint", None) if isinstance(where, str) else (where + 1, where)
    note = Note("decision", {
        "what": "EDIT", "why": f"EDIT by {command.user}: {command.reason.strip()}", "phase": number, "index": index, "key": name,
        "from": before, "to": value, "user": command.user, "reason": command.reason.strip(), "master_sha256": edited.master_sha256,
        "recipe_sha256": [batch.recipe_sha256, sha256], "control_recipe": recipe.model_dump_json(),
    })  # fmt: skip
    belief = None if memory.estimator is None else estimator.replanned(memory.estimator)
    place = where if isinstance(where, str) else numbered(where, recipe.phase[where].kind)
    done = f"{place}: {name} {before} -> {value}; the control recipe is {sha256[:8]}, the master stays {edited.master_sha256[:8]}"
    phase, kept = recipe.phase[unit.phase_index], unit.phase
    if where == unit.phase_index and isinstance(phase, Ramp):
        kept = ramping.retimed(phase, kept, unit.temp_sp_c, moment.settings.equipment.max_rate_c_per_min)
    if where == "endpoint":
        kept = kept._replace(sure_s=0.0)  # of another endpoint
    return memory._replace(unit=unit._replace(batch=edited, phase=kept), estimator=belief), (note,), done


# ---- SETPOINT ----


def _refuse_set_point(moment: Moment, command: Command) -> str:
    memory, unit, equipment = moment.memory, moment.memory.unit, moment.settings.equipment
    if unit.state is not UnitState.HELD:
        return f"SETPOINT is not possible in {unit.state.name}; the batch must be HELD"
    if refused := _common(moment, command):
        return refused
    temp_c, rate = command.args.get("temp_c"), command.args.get("rate_c_per_min", equipment.max_rate_c_per_min)
    phase = standing.current(unit)
    if not isinstance(phase, ThermalPhase) or unit.batch is None:
        return "the phase that is held has no set point"
    cools = phase.kind == "COOL"
    most_c = max(LOWEST_C, unit.setpoints.temp_c) if cools else _hottest_c(unit.batch.recipe)
    if _number(temp_c, LOWEST_C, most_c) is None:
        whose = "a COOL goes no higher than it stands" if cools else "the recipe's hottest target"
        return str(Problem("temp_c", temp_c, f"allowed {LOWEST_C:g} to {most_c:g} degC ({whose})"))
    if _number(rate, 0.01, equipment.max_rate_c_per_min) is None:
        return str(Problem("rate_c_per_min", rate, f"allowed 0.01 to {equipment.max_rate_c_per_min:g} degC/min (this oven)"))
    if not memory.proof.proven:
        return "the atmosphere is not proven (I5); RESTART proves it"
    if not moment.verdict.heat or not unit.setpoints.heat:
        return "heat is off in this hold, and only RESTART brings it back"
    if unit.state_s > HOLD_HEAT_S:
        return f"the batch has been held for more than {HOLD_HEAT_S / 60:.0f} min"
    return ""


def _hottest_c(recipe: Recipe) -> float:
    """Return the highest target of the recipe's phases, degC."""
    return max((target_c for phase in recipe.phase if (target_c := getattr(phase, "target_c", None)) is not None), default=LOWEST_C)


def _set_point(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    memory, unit = moment.memory, moment.memory.unit
    temp_c = float(command.args["temp_c"])
    rate = float(command.args.get("rate_c_per_min", moment.settings.equipment.max_rate_c_per_min))
    note = Note("decision", {
        "what": "SETPOINT", "why": f"SETPOINT by {command.user}: {command.reason.strip()}", "from_c": unit.setpoints.temp_c, "to_c": temp_c,
        "rate_c_per_min": rate, "user": command.user, "reason": command.reason.strip(),
    })  # fmt: skip
    left_min = (HOLD_HEAT_S - unit.state_s) / 60.0
    done = f"set point goes from {unit.setpoints.temp_c:.1f} to {temp_c:g} degC at {rate:g} degC/min; heat goes off in {left_min:.0f} min"
    zones_c = moment.process.temp_c
    if temp_c < unit.setpoints.temp_c and zones_c is not None:
        done += f"; downwards it stays within {MANUAL_LAG_C:g} degC of the zones, now {zones_c:.1f} degC"
    return memory._replace(unit=unit._replace(manual=Manual(temp_c, rate))), (note,), done


# ---- CONFIRM ----


def _refuse_confirm(moment: Moment, command: Command) -> str:
    unit = moment.memory.unit
    if refused := _common(moment, command, reason=False):
        return refused
    batch, phase = _parts(unit)
    if not isinstance(phase, Operator):
        return f"nobody is asked anything in {numbered(unit.phase_index, phase.kind)}"
    if refused := _is_current(unit, command.args.get("phase")):
        return refused
    answer = command.args.get("answer", "")
    if not isinstance(answer, str):
        return str(Problem("answer", answer, "a text"))
    if unit.phase.answer is not None:
        return f"answered already: {unit.phase.answer!r}"
    return wrong_answer(phase, answer, batch.load.roll_ids)


def _confirm(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    memory, unit = moment.memory, moment.memory.unit
    answer = str(command.args.get("answer", ""))
    note = Note("decision", {
        "what": "CONFIRM", "why": f"answered by {command.user}", "asked": unit.phase.asked, "answer": answer, "user": command.user,
    })  # fmt: skip
    return memory._replace(unit=unit._replace(phase=unit.phase._replace(answer=answer))), (note,), f"answer {answer!r} taken"


OPERATING: Final[dict[Verb, Action]] = {
    Verb.SKIP: Action(Role.OPERATOR, frozenset({"phase"}), _refuse_skip, _skip),
    Verb.BACK: Action(Role.OPERATOR, frozenset({"phase"}), _refuse_back, _back),
    Verb.EDIT: Action(Role.ENGINEER, frozenset({"phase", "key", "value"}), _refuse_edit, _edit),
    Verb.SETPOINT: Action(Role.OPERATOR, frozenset({"temp_c", "rate_c_per_min"}), _refuse_set_point, _set_point),
    Verb.CONFIRM: Action(Role.OPERATOR, frozenset({"phase", "answer"}), _refuse_confirm, _confirm),
}
