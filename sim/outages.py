"""Power cuts of a rig, for rehearsal: the core, the PLC or both are without power for a while, and come back.

The core comes back as the service brings it back: from its checkpoint as JSON, through ``power_return``, with a first reading. The PLC
comes back as after any start: outputs off, epoch 0, another boot id.
"""

from typing import Final

from controller import recorder
from controller.memory import Memory
from controller.power_return import power_return
from sim import faults
from sim.bench import PLC_SCAN_S, Rig

CORE, PLC, BOTH = "CORE", "PLC", "BOTH"
AWAY: Final = (CORE, PLC, BOTH)


def cut(rig: Rig, away: str, outage_s: float, known: bool = True) -> None:
    """Take the power from ``away`` for ``outage_s``, rounded to whole scans, and give it back; ``known``: the core can tell how long."""
    if away != CORE:
        faults.inject(rig.plc, "plc_no_power")
    if away == PLC:
        until_s = rig.at_s + outage_s
        while rig.at_s < until_s - 1e-6:
            rig.step()
        faults.clear(rig.plc, "plc_no_power")
        return
    checkpoint, from_s = recorder.MEMORY.dump_json(rig.memory), rig.at_s
    while rig.at_s < from_s + outage_s - 1e-6:
        rig._run_plc(1, PLC_SCAN_S)
    if away == BOTH:
        faults.clear(rig.plc, "plc_no_power")
        rig._run_plc(1, PLC_SCAN_S)
    _restart(rig, recorder.MEMORY.validate_json(checkpoint), rig.at_s - from_s, known)


def _restart(rig: Rig, memory: Memory, gap_s: float, known: bool) -> None:
    inputs = rig._read()
    rig.memory, notes = power_return(memory, inputs, rig.settings, gap_s, known=known)
    rig.notes.extend((rig.at_s, note.kind, note.content) for note in notes)
