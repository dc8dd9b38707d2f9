"""What people do after a batch: RESET, wait for the door, open it. The judge looks on until the roll can be taken out."""

from typing import Final, NamedTuple

from controller.recipe.states import FINAL, UnitState, Verb
from sim.bench import Rig
from sim.judge import Unsafe

ASK_S: Final = 300.0  # between two RESETs: it is refused until the unit is at rest
WAIT_S: Final = 12 * 3600.0  # then the day shift comes
OPEN_S: Final = 60.0


class Unloaded(NamedTuple):
    """How it went; ``after_s`` is the time from the end of the batch until the door was open, None when the lock never let go."""

    after_s: float | None
    unsafe: tuple[Unsafe, ...]


def unload(ended: Rig, wait_s: float = WAIT_S) -> Unloaded:
    """Return how a rig whose batch has ended is unloaded; the rig itself stays as it is. One whose batch goes on is left alone."""
    if ended.memory.unit.state not in FINAL:
        return Unloaded(None, ())
    rig, already = ended.fork(), len(ended.unsafe)
    from_s, ask_at_s = rig.at_s, rig.at_s
    after_s = None
    while after_s is None and rig.at_s - from_s < wait_s:
        state = rig.memory.unit.state
        if state in FINAL and rig.at_s >= ask_at_s:
            rig.ask(Verb.RESET)
            ask_at_s = rig.at_s + ASK_S
        if state is UnitState.IDLE and rig.plc.plant.open_door():
            after_s = rig.at_s - from_s
        rig.step()
    while after_s is not None and rig.at_s - from_s < after_s + OPEN_S:
        rig.step()
    return Unloaded(after_s, tuple(rig.unsafe[already:]))
