"""What is still to come in a batch, and what of a pending recovery and its set points can therefore still be read.

* **No heat to come** (a cool-down without a rate of its own, what follows it): the set point at which the unit stood says nothing. COOL
  works its own out anew in every scan, no later phase begins at one, no interlock compares with one (``_watched``), and the recovery's
  rules on the product ask only while heat is to come. RESTARTING then has no use for its recovery at all.
* **Cold set points**: where both the recovery's set point and the unit's stand in the cold band, every strategy goes on in that band: at
  either of them, or at the oven's temperature where that is lower (``recovery.set_point_c``). They stay as they are while a unit is HELD
  or RESTARTING.
* **That nobody watched** (``power_lost``) is asked where a phase begins anew for it (purges), where N2 is sent through before air (VENT),
  and where a phase without heat has to prove the atmosphere for the next that heats. Elsewhere a restart proves what it proves anyway.

A person who steps to another phase (``steps``) takes set point and ``power_lost`` along, so that they are kept where people do.
"""

from typing import Final

from controller.recipe.look import PhaseMemory
from controller.recipe.model import Phase, Recipe, ThermalPhase
from controller.recipe.recovery import DECIDE_S, GOING_ON, PURGES, Recovery, hot, proves_for
from controller.recipe.resuming import GO_S, SETTLE_S
from controller.recipe.standing import UnitMemory
from controller.recipe.states import UnitState
from sim.explore.recipe import TARGET_C

COLD_C: Final = 60.0


def rounded(temp_c: float) -> float:
    """Return the band of a set point: none, cold, between, the recipe's temperature, above it."""
    if temp_c <= 0.0:
        return 0.0
    if temp_c < COLD_C:
        return 23.0
    if temp_c < TARGET_C - 5.0:
        return 80.0
    return TARGET_C if temp_c < TARGET_C + 15.0 else TARGET_C + 50.0


def cools(recipe: Recipe, index: int, *, steps: bool) -> bool:
    """Return whether nothing heats any more from the phase at ``index`` on, and nobody goes back to one that does."""
    return not steps and not any(hot(phase) or getattr(phase, "rate_c_per_min", None) for phase in recipe.phase[index:])


def unwatched(unit: UnitMemory, phase: Phase, recipe: Recipe, *, steps: bool) -> bool:
    """Return whether somebody may still ask if nobody watched the chamber."""
    if steps or not unit.power_lost:
        return unit.power_lost
    anyway = phase if isinstance(phase, ThermalPhase) and hot(phase) else None
    return phase.kind in (*PURGES, "VENT") or proves_for(recipe, unit.phase_index) is not anyway


def remembered(unit: UnitMemory, phase: Phase, recipe: Recipe, kept: PhaseMemory, *, steps: bool) -> Recovery | None:
    """Return what a decision still to come looks at, and afterwards only what was decided and whether it waits for the PLC's actuators.

    RESTART_SEGMENT has begun the phase anew when the unit is RESTARTING, and nobody asks any more for what was waited. Where all lengths of
    an outage come to the same, the length is none; where phase or recipe ask for HOLD or RESET nobody looks at the rest.
    """
    recovery, begun, cooling = unit.recovery, kept == PhaseMemory(), cools(recipe, unit.phase_index, steps=steps)
    if recovery is None:
        return None
    by = recovery.by if recovery.by in ("CORE", "WIRE") else "PLC"
    sp_c = 0.0 if cooling else rounded(recovery.sp_c)
    alike = sp_c <= 0.0 or _cold(unit, sp_c)
    if recovery.plan and unit.state is UnitState.RESTARTING:
        return None if cooling else Recovery("CORE", "", sp_c=sp_c, plan=_alike_plan(recovery.plan, alike, begun=True))
    if recovery.plan:
        waited_s = _since(recovery.waited_s, (GO_S,) if by == "CORE" else (SETTLE_S, SETTLE_S + GO_S))
        return Recovery(by, "", sp_c=sp_c, waited_s=waited_s, plan=_alike_plan(recovery.plan, alike, begun=begun))
    waited_s = _since(recovery.waited_s, (DECIDE_S,))
    if recovery.was not in ("RUNNING", "RESTARTING"):  # R1: HOLD, whatever else
        return Recovery("CORE", "HELD", waited_s=waited_s)
    outage_s = 0.0 if len(_plans(recipe, phase, alike, begun)) == 1 else _over(recovery.outage_s) if recovery.known else 901.0
    return Recovery(by, "RUNNING", outage_s, sp_c=sp_c, waited_s=waited_s)


def _cold(unit: UnitMemory, sp_c: float) -> bool:
    """Return whether every strategy goes on with a set point in the cold band."""
    return unit.state in (UnitState.HELD, UnitState.RESTARTING) and sp_c < COLD_C and 0.0 < unit.temp_sp_c < COLD_C


def _plans(recipe: Recipe, phase: Phase, alike: bool, begun: bool) -> frozenset[str]:
    """Return what may be decided in ``phase``, by the length of the outage."""
    limits = recipe.power_fail
    own = getattr(phase, "on_power_fail", "")
    return frozenset(_alike_plan(plan, alike, begun=begun) for plan in ((own,) if own else (limits.short, limits.medium, limits.long)))


def _alike_plan(plan: str, alike: bool, *, begun: bool) -> str:
    """Return the strategy that stands for those that come to the same.

    They differ in the set point with which the phase goes on, and where that is ``alike`` they do not. RESTART_SEGMENT goes on with the one
    of RAMP_BACK_PV, and begins the phase anew, which is nothing where it remembers nothing or has begun anew already (``begun``).
    """
    if plan not in GOING_ON or (plan == "RESTART_SEGMENT" and not begun):
        return plan
    if alike:
        return "CONTINUE"
    return "RAMP_BACK_PV" if plan == "RESTART_SEGMENT" else plan


def _since(waited_s: float, limits: tuple[float, ...]) -> float:
    """Return the last of ``limits`` that ``waited_s`` has reached, 0 before the first."""
    return max((limit for limit in limits if waited_s >= limit), default=0.0)


def _over(outage_s: float) -> float:
    """Return 0, or just above the longest of the recipe's lengths that ``outage_s`` has passed."""
    return max((limit + 1.0 for limit in (60.0, 900.0) if outage_s > limit), default=0.0)
