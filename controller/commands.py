"""What people ask for: each command is carried out or refused by the scan that takes it, and answered once."""

from typing import Final

from controller import estimator, permissives, prooftest
from controller.actions import ACTIONS, Moment, delayed, retiring
from controller.actions.operating import allows
from controller.command import Command, Start
from controller.errors import numbered
from controller.estimator import LoadState
from controller.estimator.model import UNCALIBRATED
from controller.fitness import problems_of
from controller.image import Inputs, Process
from controller.interlocks.evaluate import Verdict
from controller.memory import Memory, Settings
from controller.recipe import approval, leaving, resting, standing
from controller.recipe.check import check_load, check_lot
from controller.recipe.model import Cure, LoadRecord
from controller.recipe.recovery import untested
from controller.recipe.standing import Batch, Note
from controller.recipe.states import FINAL, MOVING, PRECEDENCE, TABLE, Trigger, UnitState, Verb, allowed
from controller.roles import Role

RESET_PULSE_S: Final = 2.0
_NO_VERDICT: Final = Verdict()
REVISIONS_KEPT: Final = 256  # recipes of which the newest revision that was started is known
REMEMBERED: Final = 64  # command ids, so that a command that comes twice has one effect


def obey(settings: Settings, memory: Memory, commands: tuple[Command, ...], verdict: Verdict, inputs: Inputs,
         process: Process) -> tuple[Memory, tuple[Note, ...]]:  # fmt: skip
    """Carry out or refuse ``commands``: ABORT, STOP and HOLD before everything else, each with one answer."""
    due = memory.delayed is not None and inputs.at_s >= memory.delayed.at_s
    if not commands and not due:
        return memory, ()
    notes: list[Note] = []
    ending = {command.verb for command in commands if not command.refusal} & {Verb.ABORT, Verb.STOP}
    order = sorted(commands, key=lambda command: PRECEDENCE.index(command.verb) if command.verb in PRECEDENCE else len(PRECEDENCE))
    for command in order:
        if command.id in memory.answered:
            continue
        moment = Moment(settings, memory, verdict, inputs, process)
        refusal = command.refusal or _refusal(moment, command)
        if ending and command.verb in (Verb.START, Verb.RESTART):  # whoever pressed ABORT wanted no heat
            refusal = refusal or f"{min(ending)} came in the same scan"
        moved: tuple[Note, ...] = ()
        done = ""
        if not refusal and (action := ACTIONS.get(command.verb)) is not None:
            memory, moved, done = action.carry_out(moment, command)
        elif not refusal:
            memory, moved = _carry_out(settings, memory, command, inputs, process)
            done = delayed.said(moved)
            if done and command.start is not None and (now := _start_refusal(moment, command.start)):
                done += f". As it stands now it would not begin: {now}"
            done += "".join(f"; {one}" for one in _said(settings, command.start)) if done else ""
        notes.append(_answer(command, refusal or done or _done(settings, command, memory.unit.state), not refusal))
        notes.extend(moved)
        memory = memory._replace(answered=(*memory.answered[-REMEMBERED:], command.id), last_row=max(memory.last_row, command.row))
    if due and memory.delayed is not None:  # and nobody has cancelled it in this scan
        memory, began = delayed.begin(memory, memory.delayed, Moment(settings, memory, verdict, inputs, process), _start_refusal, _begin)
        notes.extend(began)
    return memory, tuple(notes)


def heard(memory: Memory, commands: tuple[Command, ...]) -> tuple[Command, ...]:
    """Return the commands that may clear latches: new, of somebody who may, meant for this state, and possible in it."""
    state = memory.unit.state
    return tuple(
        command
        for command in commands
        if not command.refusal
        and command.role >= Role.OPERATOR
        and command.id not in memory.answered
        and command.expected_state in (None, state.name)
        and (command.verb in (Verb.ACKNOWLEDGE, Verb.RESET) or _moves(state, command.verb))
    )


def _moves(state: UnitState, verb: Verb) -> bool:
    return verb in MOVING and (state, Trigger(verb.value)) in TABLE


def _refusal(moment: Moment, command: Command) -> str:
    memory = moment.memory
    state, verb = memory.unit.state, command.verb
    least = ACTIONS[verb].role if verb in ACTIONS else Role.OPERATOR
    if command.role < least:
        return f"{verb} needs the role {least.name.lower()}, {command.user} is {command.role.name.lower()}"
    if command.expected_state is not None and command.expected_state != state.name:
        return f"the unit is {state.name}, the command expected {command.expected_state}"
    if verb in ACTIONS:
        return ACTIONS[verb].refuse(moment, command)
    if verb is Verb.RESET or delayed.cancels(memory, verb):
        return ""
    if not _moves(state, verb):
        return f"{verb} is not possible in {state.name}; possible: {', '.join(allowed(state))}"
    if verb is Verb.RESTART:
        return _restart_refusal(moment)
    if verb is Verb.HOLD and (phase := standing.current(memory.unit)) is not None and not allows(phase, "hold"):
        place = numbered(memory.unit.phase_index, phase.kind)
        return f"the recipe does not permit to hold {place}: allow_hold = false; STOP and ABORT work"
    if verb is not Verb.START:
        return ""
    if command.start is None:
        return "START needs a recipe and a load record"
    if refused := delayed.refusal(memory, command.start, moment.inputs.at_s):
        return refused
    if delayed.is_delayed(command.start):  # what blocks it is judged when its time comes
        return _unfit(moment, command.start)
    return _start_refusal(moment, command.start)


def _restart_refusal(moment: Moment) -> str:
    """Return what keeps the batch held: a CURE past its window, a row that holds or aborts, a vacuum that cannot be proven again."""
    settings, memory, verdict, *_ = moment
    if memory.estimator is not None and (ways := leaving.ways_out(memory.unit, memory.estimator.estimate)):
        return ways
    if verdict.hold or verdict.abort:
        rows = permissives.unrestarting(settings, memory, frozenset(verdict.active), moment.inputs, moment.process)
        return "held by " + "; ".join(f"{row}: {row.action}" for row in rows)
    batch = memory.unit.batch
    return "" if batch is None else untested(batch.recipe, memory.unit.phase_index, memory.proof.leak_ok)


def _start_refusal(moment: Moment, start: Start) -> str:
    """Return what keeps ``start`` from beginning now."""
    settings, memory, verdict, *_ = moment
    if gone := retiring.objection(memory, start.recipe.id, start.recipe.revision):
        return gone
    if not verdict.start:
        rows = permissives.unstarting(settings, memory, frozenset(verdict.active), moment.inputs, moment.process)
        return "start is blocked by " + "; ".join(f"{row}: {row.action}" for row in rows)
    boot_id = moment.inputs.plc_boot_id.value
    if unproven := prooftest.objection(settings.proof_test, memory.proof_test, moment.inputs.at_s, boot_id, start.recipe_sha256):
        return unproven
    return _unfit(moment, start)


def _unfit(moment: Moment, start: Start) -> str:
    """Return what is wrong: the recipe is retired, not approved, or unfit for this oven; the load is unfit for it or the parameters."""
    settings, recipe = moment.settings, start.recipe
    if gone := retiring.objection(moment.memory, recipe.id, recipe.revision):
        return gone
    if start.verified is None and settings.approval.required:
        return f"the approval of {recipe.id} rev {recipe.revision} was not verified; this oven runs approved recipes only"
    signed = start.verified is not None and bool(start.verified.key)
    if signed and (old := approval.older(settings.approval, moment.memory.started, recipe.id, recipe.revision)):
        return old
    of_load = [*check_load(start.load, recipe, settings.equipment), *check_lot(start.load, settings.estimator.lot)]
    found = [*problems_of(settings, recipe), *of_load]
    return "; ".join(str(problem) for problem in found)


def _carry_out(settings: Settings, memory: Memory, command: Command, inputs: Inputs, process: Process) -> tuple[Memory, tuple[Note, ...]]:
    if memory.delayed is not None and delayed.cancels(memory, command.verb):
        return delayed.cancelled(memory, memory.delayed, f"{command.verb} by {command.user}")
    if command.verb is Verb.START and command.start is not None:
        if delayed.is_delayed(command.start):
            return delayed.armed(memory, command, command.start, inputs.at_s)
        return _begin(Moment(settings, memory, _NO_VERDICT, inputs, process), command.user, command.start)
    cause = f"{command.verb} by {command.user}" + (f": {command.reason}" if command.reason else "")
    stays = command.verb is Verb.RESET and (memory.unit.state not in FINAL or not resting.at_rest(memory.unit))
    unit, notes = (memory.unit, ()) if stays else standing.move(memory.unit, Trigger(command.verb.value), cause)
    if command.verb is Verb.HOLD:  # a person wants it held, whatever an outage would have made of it
        unit = unit._replace(recovery=None)
    pulse = RESET_PULSE_S if command.verb is Verb.RESET else memory.reset_s
    return memory._replace(unit=unit, reset_s=pulse, armed=memory.armed and command.verb is not Verb.RESTART), notes


def _begin(moment: Moment, user: str, start: Start) -> tuple[Memory, tuple[Note, ...]]:
    settings, memory, _, inputs, process = moment
    batch = Batch(memory.last_batch_id + 1, start.recipe, start.recipe_sha256, start.load, user, inputs.at_s, "", start.recipe_text,
                  start.approval)  # fmt: skip
    unit, notes = standing.begin(memory.unit, batch)
    temp_c = process.load_min_c if process.load_min_c is not None else (process.temp_c if process.temp_c is not None else 20.0)
    belief = estimator.start(settings.estimator, load_state(start.load, settings.equipment.chamber_m3), inputs.at_s, temp_c)
    head = Note("batch_start", {
        "batch_id": batch.id, "recipe_id": start.recipe.id, "revision": start.recipe.revision, "recipe_sha256": start.recipe_sha256,
        "recipe": start.recipe_text, "formula": {name: entry.value for name, entry in start.recipe.formula.items()},
        "load": start.load.model_dump(), "user": user, "approval": approved(start),
        "model": {"lot": settings.estimator.lot, "calibrated": settings.estimator.calibrated},
    })  # fmt: skip
    memory = memory._replace(unit=unit, estimator=belief, last_batch_id=batch.id, armed=False, proof_test=prooftest.spent(batch.id))
    if start.verified is not None and start.verified.key:
        kept = tuple(one for one in memory.started if one[0] != start.recipe.id)
        memory = memory._replace(started=(*kept[1 - REVISIONS_KEPT :], (start.recipe.id, start.recipe.revision)))
    return memory, (head, *notes)


def approved(start: Start) -> dict[str, object]:
    """Return what the batch record says of the recipe's approval."""
    key, said = start.verified or ("", "recipe not signed: nobody was asked to check it")
    who = {"author": start.approval.author, "approver": start.approval.approver} if start.approval is not None else {}
    return {"key": key, "said": said, **who}


def _answer(command: Command, answer: str, accepted: bool) -> Note:
    return Note("command", {
        "id": command.id, "user": command.user, "role": command.role.name.lower(), "verb": command.verb.value,
        "expected_state": command.expected_state, "row": command.row, "accepted": accepted, "answer": answer,
        "args": {"reason": command.reason, **command.args},
    })  # fmt: skip


def _done(settings: Settings, command: Command, state: UnitState) -> str:
    if command.verb is Verb.RESET and state in FINAL:
        return f"trips whose cause is gone are reset; the unit stays {state.name} until it is cold, inert and at ambient pressure"
    return "; ".join((f"done; the unit is {state.name}", *_said(settings, command.start)))


def _said(settings: Settings, start: Start | None) -> list[str]:
    """Return what whoever starts a batch should know: who approved the recipe, and that the model knows nothing of the polymer."""
    if start is None:
        return []
    cures = any(isinstance(phase, Cure) for phase in start.recipe.phase)
    unknown = [UNCALIBRATED] if cures and not settings.estimator.calibrated else []
    return [*([] if start.verified is None else [start.verified.said]), *unknown]


def load_state(load: LoadRecord, chamber_m3: float) -> LoadState:
    """Return the load record as the estimator's load."""
    return LoadState(load.length_m, load.width_m, load.film_um, load.foil_um, load.gap_um, load.core_mm, load.residual_wt_pct,
                     load.residual_sd_wt_pct, chamber_m3)  # fmt: skip
