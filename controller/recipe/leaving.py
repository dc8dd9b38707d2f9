"""A held CURE that can come to no end any more: RESTART would hold it again at once, and the ways out are others."""

from controller.image import Estimate
from controller.recipe.model import Cure
from controller.recipe.soaking import passed
from controller.recipe.standing import UnitMemory, current


def ways_out(memory: UnitMemory, estimate: Estimate) -> str:
    """Return what a person can do with a CURE past its window, and why not RESTART; "" where RESTART lets the phase go on.

    With an ``on_timeout`` that ends the phase or the batch RESTART does so by itself.
    """
    phase, batch = current(memory), memory.batch
    if batch is None or not isinstance(phase, Cure) or phase.on_timeout != "HOLD" or not estimate.valid:
        return ""
    if not (why := passed(batch.recipe.endpoint, estimate)):
        return ""
    after = batch.recipe.phase[memory.phase_index + 1].kind
    skip = f"SKIP{'' if after == 'BRANCH' else f' to {after}'}, then RESTART; or " if phase.allow_skip else ""
    return f"{skip}STOP (cools) or ABORT. RESTART in the CURE would hold it again: {why}"
