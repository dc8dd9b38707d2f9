"""The phases that move the set point: RAMP, STEP and COOL."""

from typing import Final

from controller.recipe import guard, heating
from controller.recipe.look import PhaseMemory, PhaseScan
from controller.recipe.look import Step as Done
from controller.recipe.model import Cool, Ramp, Step

COOL_LAG_C: Final = 5.0
NATURAL_C: Final = 20.0  # above the target of a controlled cooling from which on heat breaks the fall


def ramp(phase: Ramp, m: PhaseMemory, s: PhaseScan) -> Done:
    """Move the set point at the phase's rate, or at the one that takes it to the target in the phase's time; wait for the oven."""
    zones = s.process.temp_c
    m, sp, rate = _begun(phase, m, s)
    m, gas = heating.gas(phase, m, s)
    waits = not gas and (zones is None or _waits(phase, sp, zones))
    m, late = heating.held(phase, m, waits, s)
    heats = phase.target_c >= sp
    m, wanted = heating.guarded(heating.thermal(phase, not gas, sp, rate), m, s, ramping=heats)
    share = guard.rate_share(s) if heats else 1.0
    if gas or waits or s.slow or share <= 0.0:
        shown = "not valid" if zones is None else f"{zones:.1f} degC"
        back = f"holdback: zones {shown}, set point {sp:.1f} degC"
        why = gas or (back if waits else "I18: solvent comes too fast" if s.slow else "the guard")
        return Done(m, wanted, waiting=guard.told(why, m, s), late=late)
    sp = heating.moved(sp, phase.target_c, share * rate, s.dt_s)
    waiting = guard.told(f"set point {sp:.1f} degC", m, s)
    return Done(m, wanted._replace(temp_c=sp), sp == phase.target_c, waiting, why="set point at its target")


def _begun(phase: Ramp, m: PhaseMemory, s: PhaseScan) -> tuple[PhaseMemory, float, float]:
    """Return the memory, where the ramp stands, degC, and its rate, degC/min; by time it is found once, no faster than the oven may."""
    sp = heating.start_sp(s)
    if phase.rate_c_per_min is not None and phase.start_from == "SP":
        return m, sp, phase.rate_c_per_min
    if not m.begun:
        if phase.start_from == "PV" and s.process.temp_c is not None:
            sp = s.process.temp_c
        by_time = abs(phase.target_c - sp) / phase.ramp_min if phase.ramp_min is not None else 0.0
        m = m._replace(begun=True, rate_c_per_min=min(by_time, s.max_rate_c_per_min))
    return m, sp, m.rate_c_per_min if phase.rate_c_per_min is None else phase.rate_c_per_min


def retimed(phase: Ramp, m: PhaseMemory, sp_c: float, max_rate_c_per_min: float) -> PhaseMemory:
    """Return the memory of a ramp by time that was edited on its way: what is left of the way takes what is left of the time."""
    if phase.ramp_min is None or not m.begun:
        return m
    left_min = phase.ramp_min - m.elapsed_s / 60.0
    by_time = abs(phase.target_c - sp_c) / left_min if left_min > 0.0 else max_rate_c_per_min
    return m._replace(rate_c_per_min=min(by_time, max_rate_c_per_min))


def _waits(phase: Ramp, sp: float, zones: float) -> bool:
    """Return whether the zones deviate so much that the set point waits."""
    low, high = sp - zones > phase.holdback_c, zones - sp > phase.holdback_c
    if phase.holdback == "BEHIND":
        return low if phase.target_c >= sp else high
    return (low and phase.holdback in ("LOW", "BAND")) or (high and phase.holdback in ("HIGH", "BAND"))


def step(phase: Step, m: PhaseMemory, s: PhaseScan) -> Done:
    """Take the set point to the target at the equipment's own rate, no faster than the guard lets it."""
    sp, zones = heating.start_sp(s), s.process.temp_c
    m, gas = heating.gas(phase, m, s)
    heats = phase.target_c > sp
    m, wanted = heating.guarded(heating.thermal(phase, not gas, sp, s.max_rate_c_per_min), m, s, ramping=heats)
    if gas or (heats and s.slow):
        return Done(m, wanted, waiting=guard.told(gas or "I18: solvent comes too fast", m, s))
    share = guard.rate_share(s) if heats else 1.0
    sp = heating.moved(sp, phase.target_c, share * s.max_rate_c_per_min, s.dt_s)
    there, near = sp == phase.target_c, True
    if phase.band_c is not None:
        near = zones is not None and abs(zones - phase.target_c) <= phase.band_c
    m, late = heating.held(phase, m, there and not near, s)
    shown = "not valid" if zones is None else f"{zones:.1f} degC"
    waiting = guard.told(f"set point {sp:.1f} degC, zones {shown}", m, s)
    return Done(m, wanted._replace(temp_c=sp), there and near, waiting, why=f"set point at its target, zones {shown}", late=late)


def cool(phase: Cool, m: PhaseMemory, s: PhaseScan) -> Done:
    """Cool at the phase's rate, or without any heat, until the hottest reading is below the target.

    The set point begins at the zones at the highest and never rises, and the zones do not lead it: a load that was colder is not heated.
    """
    hottest, zones = s.process.hottest_c, s.process.temp_c
    rate, was = phase.rate_c_per_min, heating.start_sp(s)
    if not m.begun:
        m, was = m._replace(begun=True), was if zones is None else min(was, zones)
    sp = phase.target_c if rate is None else max(was - rate / 60.0 * s.dt_s, phase.target_c)
    if zones is not None:
        sp = max(sp, zones - COOL_LAG_C)  # the oven cools as slowly as it must; the set point waits for it
    sp = min(was, sp)
    m, gas = heating.gas(phase, m, s)
    # Heat only breaks the fall: not in the last 20 K, not while the gas is changed, and not where something else heats.
    breaks = rate is not None and sp > phase.target_c + NATURAL_C and zones is not None and zones <= sp + 2 * COOL_LAG_C
    m, wanted = guard.vacuum(heating.thermal(phase, breaks and not gas, sp, rate or 0.0)._replace(leads=False), m, s)
    if hottest is None:
        return Done(m, wanted, waiting="a valid temperature")
    return Done(m, wanted, hottest <= phase.target_c, f"{hottest:.1f} <= {phase.target_c:g} degC", why=f"hottest {hottest:.1f} degC")
