"""Where the unit and its batch stand, and how a trigger moves it: the states' table, the phase that runs, a person's step to another."""

from typing import Final, NamedTuple

from controller.image import Atmosphere, Setpoints
from controller.recipe.approval import Approval
from controller.recipe.editing import Edit
from controller.recipe.flow import Leak, Results
from controller.recipe.look import NO_MEMORY, PhaseMemory, gas_only
from controller.recipe.model import LoadRecord, Phase, Recipe
from controller.recipe.recovery import Recovery
from controller.recipe.states import TABLE, Trigger, UnitState
from controller.recipe.tightness import Rises

NOTHING: Final = gas_only(Atmosphere.OFF)
_DECIDED: Final = (Trigger.RESTART, Trigger.STOP, Trigger.ABORT, Trigger.RESET)  # what ends a pending recovery


class Batch(NamedTuple):
    """What is being made: fixed when it starts."""

    id: int
    recipe: Recipe
    recipe_sha256: str
    load: LoadRecord
    user: str
    started_at_s: float
    master_sha256: str = ""  # of the recipe as it was started; "" while nobody has edited the control recipe
    text: str = ""  # of the recipe as it was approved, with those it calls
    approval: Approval | None = None
    edits: tuple[Edit, ...] = ()  # since it was started, oldest first: they lead from the master to the control recipe


class Manual(NamedTuple):
    """A set point that a person gave while the batch is held, and the rate at which it is gone to."""

    temp_c: float
    rate_c_per_min: float


class UnitMemory(NamedTuple):
    """Where the unit and its batch stand."""

    state: UnitState = UnitState.IDLE
    state_s: float = 0.0
    batch: Batch | None = None
    phase_index: int = 0
    phase: PhaseMemory = NO_MEMORY
    temp_sp_c: float = 0.0
    setpoints: Setpoints = NOTHING
    reproof: PhaseMemory = NO_MEMORY  # of the purge that a restart makes
    reproves: bool = False  # a restart has begun to prove the atmosphere again, and the phase does not run yet
    was_heated: bool = False
    timeout: str = ""
    failed: str = ""
    leak_ok: bool | None = None  # what the leak test found in this scan
    ending: str = ""  # why the batch ends or ended
    endpoint_at_s: float | None = None
    cause: str = ""  # of the present state
    recovery: Recovery | None = None  # an outage whose recovery is not over yet
    power_lost: bool = False  # since the phase last ran: nobody watched the chamber
    manual: Manual | None = None  # set point that a person gave while HELD
    results: Results = Results()  # of this batch so far, for its branches
    leaks: tuple[Leak, ...] = ()  # the last leak rates, of earlier batches too
    kept_inert: bool = False  # ended, cold, and N2 flows on until RESET
    leak_grows: str = ""  # why the last leak rate is unusual
    rises: Rises = Rises()  # what pressure-rise tests say of a leak


class Note(NamedTuple):
    """Something the journal must hold: kind of entry and its content."""

    kind: str
    content: dict[str, object]


def current(memory: UnitMemory) -> Phase | None:
    """Return the phase that runs or is held."""
    batch = memory.batch
    return None if batch is None or memory.phase_index >= len(batch.recipe.phase) else batch.recipe.phase[memory.phase_index]


def move(memory: UnitMemory, trigger: Trigger, cause: str) -> tuple[UnitMemory, tuple[Note, ...]]:
    """Return the unit after ``trigger``, unchanged when the table has no such move."""
    after = TABLE.get((memory.state, trigger))
    if after is None:
        return memory, ()
    note = Note("state", {"from": memory.state.name, "to": after.name, "cause": cause})
    # What the phase has raised is latched by now; its cause ends with the state, so that RESET and RESTART clear it.
    memory = memory._replace(state=after, state_s=0.0, cause=cause, timeout="", failed="")
    if after in (UnitState.STOPPING, UnitState.ABORTING, UnitState.COMPLETE):
        memory = memory._replace(ending=cause, setpoints=memory.setpoints._replace(heat=False))  # in this very scan
    if after is UnitState.RESTARTING:
        memory = memory._replace(reproof=NO_MEMORY, reproves=True)
    if after is not UnitState.HELD:
        memory = memory._replace(manual=None)
    if after is UnitState.RUNNING:
        memory = memory._replace(recovery=None, power_lost=False, reproves=False)
    elif memory.recovery is not None and (trigger in _DECIDED or (trigger is Trigger.HOLD and memory.recovery.plan)):
        memory = memory._replace(recovery=None)
    if after is UnitState.IDLE:
        memory = UnitMemory(leaks=memory.leaks)
    return memory, (note,)


def moved(memory: UnitMemory, trigger: Trigger, cause: str) -> tuple[UnitMemory, str, tuple[Note, ...]]:
    """Return what a scan that ends in ``trigger`` returns: the unit, nothing to wait for, and the notes."""
    memory, notes = move(memory, trigger, cause)
    return memory, "", notes


def begin(memory: UnitMemory, batch: Batch) -> tuple[UnitMemory, tuple[Note, ...]]:
    """Return the unit with ``batch`` in its first phase."""
    memory, notes = move(memory, Trigger.START, f"started by {batch.user}")
    memory = memory._replace(
        batch=batch,
        phase_index=0,
        phase=NO_MEMORY,
        temp_sp_c=0.0,
        was_heated=False,
        ending="",
        endpoint_at_s=None,
        results=Results(),
        kept_inert=False,
    )
    return memory, (*notes, phase_note(memory, "start", ""))


def go_to(memory: UnitMemory, index: int, why: str) -> tuple[UnitMemory, tuple[Note, ...]]:
    """Return the unit at the beginning of phase ``index``, because a person said so."""
    ended = phase_note(memory, "end", why)
    held = memory.state is UnitState.HELD  # on the set points of the phase before; without heat, which its interlocks no longer watch
    wanted = memory.setpoints._replace(heat=False) if held else memory.setpoints
    memory = memory._replace(phase_index=index, phase=NO_MEMORY, timeout="", failed="", setpoints=wanted, manual=None)
    return memory, (ended, phase_note(memory, "start", why))


def stood_c(memory: UnitMemory) -> float:
    """Return the set point at which the unit stood, degC; while the atmosphere is proven there is none, then where the ramp stood."""
    return memory.setpoints.temp_c if memory.setpoints.temp_c > 0 else memory.temp_sp_c


def phase_note(memory: UnitMemory, event: str, why: str) -> Note:
    """Return the journal's note of the phase that starts or ends."""
    phase = current(memory)
    kind, name = (phase.kind, phase.name) if phase is not None else ("", "")
    if phase is not None and phase.turn:
        name = phase.title  # names the turn of its REPEAT
    return Note("phase", {"index": memory.phase_index, "kind": kind, "name": name, "event": event, "why": why})
