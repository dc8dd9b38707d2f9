"""What a core goes on with after a restart: the unit HELD or recovering, the atmosphere unproven, the belief carried over the gap."""

from typing import Final

from controller import estimator
from controller.actions import bypassing
from controller.control import autotune
from controller.control.actuation import Actuation
from controller.control.outputs import ControlMemory
from controller.image import OFF, Atmosphere, Inputs
from controller.interlocks.atmosphere import Proof
from controller.interlocks.evaluate import afresh
from controller.interlocks.rule import Slopes
from controller.interlocks.sensors import Believed
from controller.memory import Memory, Settings
from controller.prooftest import ProofTest
from controller.recipe import resuming
from controller.recipe.standing import Note

_WITH_N2: Final = (Atmosphere.BACKFILL, Atmosphere.N2_FLOW)


def power_return(
    memory: Memory, inputs: Inputs, settings: Settings, outage_s: float, known: bool = True, told: tuple[int, int] | None = None
) -> tuple[Memory, tuple[Note, ...]]:
    """Return the memory with which a restarted core goes on: the unit HELD, the atmosphere unproven, the belief carried over the gap.

    Args:
        memory: of the checkpoint.
        inputs: first reading, perhaps without an image; then the belief is carried over by the first scan that has one.
        settings: the site's.
        outage_s: how long the core was away, process time.
        known: False when nobody knows how long; then the outage counts as long.
        told: epoch and highest counter of a block that the journal accounts for, None when nobody knows.
    """
    before = None if memory.estimator is None else memory.estimator.estimate
    unit, notes = resuming.returned(memory.unit, "CORE", outage_s, known, before, told)
    if memory.delayed is not None:
        why = f"the core restarted; START by {memory.delayed.user} was to begin at {memory.delayed.at_s:.0f} s"
        notes = (*notes, Note("decision", {"what": "delayed start cancelled", "why": why}))
    if memory.control.tune is not None:
        notes = (*notes, Note("decision", autotune.told(autotune.Ended(memory.control.tune, "the core restarted"))))
    # A drawn vacuum is kept with the checkpoint, as the leak test is: without blocks the PLC goes on with the gas side it was asked for.
    # N2 that was asked for then (there is a checkpoint with every other gas), or whose valve is open at the first scan, ends it.
    drawn = memory.proof.drawn and memory.unit.setpoints.atmosphere not in _WITH_N2
    kept = Proof(leak_ok=memory.proof.leak_ok, drawn=drawn)
    belief = memory.estimator
    if belief is not None and inputs.at_s > belief.at_s and inputs.plc_alive.value is not None:
        belief = estimator.advance(settings.estimator, belief, inputs.at_s - belief.at_s, inputs)
    return memory._replace(
        unit=unit, proof=kept, estimator=belief, outputs=OFF, control=ControlMemory(),
        interlocks=afresh(memory.interlocks)._replace(slopes=Slopes()), actuation=Actuation(memory.actuation.intent),
        sensors=Believed(out=memory.sensors.out, restarted="core"), reset_s=0.0, armed=False, delayed=None, proof_test=ProofTest(),
    ), (*notes, *(bypassing.note("end", one, "restart") for one in memory.interlocks.bypassed))  # fmt: skip
