"""What each kind of phase does in one scan. A phase is a class in ``segments`` and a function in one of the modules beside.

Each function gets the phase, what it remembers and what it may look at, and returns what it remembers next, the set points, and whether
it is done, waiting or failed. BRANCH takes no time and is decided in ``flow``.
"""

from collections.abc import Callable
from typing import Final

from controller.image import Atmosphere
from controller.recipe import cold, heating, pausing, ramping, soaking
from controller.recipe.look import PhaseMemory, PhaseScan, Step, gas_only
from controller.recipe.model import Branch, CyclePurge, End, Evacuate, Kind, LeakTest, Phase, ThermalPhase


def run(phase: Phase, memory: PhaseMemory, scan: PhaseScan) -> Step:
    """Return what ``phase`` does in this scan."""
    done = _FUNCTIONS[phase.kind](phase, memory, scan)
    if isinstance(phase, ThermalPhase) and phase.banded:
        watched = done.memory.stage > 0 or phase.shut or phase.kind == "COOL"  # others from the atmosphere on with which they heat
        band = heating.outside_band(phase, done.setpoints, scan) if watched else ""
        if band or done.memory.band:
            return done._replace(memory=done.memory._replace(band=band))
    return done


def timeout_rule(phase: Phase) -> str:
    """Return the rule that a timeout of ``phase`` raises: I12 for vacuum, I31T for a cure without its endpoint, I26 for the rest."""
    if phase.kind == "CURE":
        return "I31T"
    return "I12" if isinstance(phase, Evacuate | LeakTest | CyclePurge) else "I26"


def _end(phase: End, m: PhaseMemory, s: PhaseScan) -> Step:
    return Step(m, gas_only(Atmosphere.OFF), done=True, why="end of recipe")


def _branch(phase: Branch, m: PhaseMemory, s: PhaseScan) -> Step:
    """End at once: a BRANCH is only ever the phase that runs when somebody went to it, and then the recipe goes on behind it."""
    return Step(m, gas_only(Atmosphere.HOLD_CLOSED), done=True, why="went to by hand: goes on with the next phase")


_FUNCTIONS: Final[dict[str, Callable[..., Step]]] = {
    "LEAK_TEST": cold.leak_test_phase,
    "EVACUATE": cold.evacuate_phase,
    "CYCLE_PURGE": cold.cycle_purge_phase,
    "PURGE_FLOW": cold.purge_flow_phase,
    "BACKFILL": cold.backfill_phase,
    "RAMP": ramping.ramp,
    "STEP": ramping.step,
    "SOAK": soaking.soak,
    "CURE": soaking.cure,
    "PRESSURE_RISE": soaking.pressure_rise,
    "WAIT": pausing.wait,
    "OPERATOR": pausing.operator,
    "BRANCH": _branch,
    "COOL": ramping.cool,
    "VENT": cold.vent_phase,
    "END": _end,
}
KIND_CODE: Final = {kind.name: int(kind) for kind in Kind}
