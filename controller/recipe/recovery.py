"""How a batch goes on after power or core were away: the strategies, the rules that decide between them, and what they mean by phase.

The recipe says what is wanted, by the outage's length (``[power_fail]``) or for a phase (``on_power_fail``). What is measured and believed
afterwards decides whether that may be: see ``RULES``. Everything else falls to HOLD, and a person decides. Heat needs the atmosphere proven
again (I5) whatever is decided; RESTARTING sees to that.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from controller.image import Estimate
from controller.recipe.guard import FULL
from controller.recipe.model import Phase, Recipe, ThermalPhase
from controller.recipe.soaking import passed

BAND_C: Final = 10.0  # CONTINUE, in a phase that has no band of its own [assume]
DECIDE_S: Final = 8.0  # for a valid temperature after core and PLC are back; the decision falls within 10 s
PURGES: Final = ("CYCLE_PURGE", "PURGE_FLOW")
GOING_ON: Final = ("CONTINUE", "RAMP_BACK_PV", "RAMP_BACK_SP", "RESTART_SEGMENT")
STRATEGIES: Final[dict[str, str]] = {
    "RESET": "the batch ends: STOPPING, controlled cool-down in N2",
    "HOLD": "HELD without heat; a person says RESTART, STOP or ABORT",
    "CONTINUE": "the phase goes on where it was, with the set point where it stood; beyond the phase's band (10 degC without one) as "
    "RAMP_BACK_PV",
    "RAMP_BACK_PV": "the set point starts at the oven's temperature and goes back at the phase's rate; soak time so far counts",
    "RAMP_BACK_SP": "the set point starts where it stood and waits for the oven, which comes back as fast as it may; soak time so far "
    "counts",
    "RESTART_SEGMENT": "the phase begins anew, with the set point at the oven's temperature",
}
BY: Final[dict[str, str]] = {"CORE": "the core (industrial PC)", "PLC": "the PLC", "BOTH": "core and PLC"}
LENGTHS: Final[dict[str, str]] = {
    "T1-": "short, up to `t1_s`",
    "T1+": "medium, up to `t2_min`",
    "T2+": "long, or of unknown length",
}


class Recovery(NamedTuple):
    """An outage that is being recovered from: what stood when it began, and what was decided."""

    by: str  # CORE, PLC, BOTH; WIRE while the PLC is only silent
    was: str  # the unit's state when it began
    outage_s: float = 0.0
    known: bool = True  # False: nobody knows how long it was
    sp_c: float = 0.0  # set point when it began
    solvent: float | None = None  # believed residual solvent when it began, weight fraction, worst zone
    insoluble: float | None = None  # believed insoluble fraction when it began
    waited_s: float = 0.0  # since core and PLC are back
    plan: str = ""  # what was decided to do, once the interlocks let it
    told: tuple[int, int] | None = None  # epoch and highest counter of a block that the journal accounts for; None: nobody knows
    unwritten: int = 0  # blocks that the PLC has followed beyond that: what they were is in no journal


class Found(NamedTuple):
    """What is known when the decision falls."""

    temp_c: float | None
    estimate: Estimate
    leak_ok: bool = True  # the leak test counts, so that a vacuum can be proven


class Decision(NamedTuple):
    """What the recipe asked for, what is done, by which rule and why."""

    length: str
    asked: str
    plan: str
    rule: str
    why: str


class Case(NamedTuple):
    """What a rule looks at. ``heats``: heat is still to come, so that the product's state matters."""

    recovery: Recovery
    recipe: Recipe
    phase: Phase
    found: Found
    asked: str
    heats: bool
    untested: str = ""  # see ``untested``


class Rule(NamedTuple):
    """One row, first match decides. ``when`` gives the reason, "" when it does not apply; ``plan`` "" stands for what was asked."""

    id: str
    text: str
    plan: str
    when: Callable[[Case], str]


def length_of(recovery: Recovery, recipe: Recipe) -> str:
    """Return which of ``LENGTHS`` the outage was."""
    limits = recipe.power_fail
    if not recovery.known or recovery.outage_s > limits.t2_min * 60.0:
        return "T2+"
    return "T1-" if recovery.outage_s <= limits.t1_s else "T1+"


def asked_for(recovery: Recovery, recipe: Recipe, phase: Phase) -> tuple[str, str]:
    """Return the strategy that phase or recipe ask for, and which of them does."""
    own = getattr(phase, "on_power_fail", "")
    if own:
        return own, "the phase"
    limits = recipe.power_fail
    return {"T1-": limits.short, "T1+": limits.medium, "T2+": limits.long}[length_of(recovery, recipe)], "the recipe"


def hot(phase: Phase) -> bool:
    """Return whether ``phase`` heats, so that it needs a proven atmosphere."""
    return isinstance(phase, ThermalPhase) and phase.kind != "COOL" and str(phase.atmosphere) != "NONE"


def proves_for(recipe: Recipe, index: int) -> ThermalPhase | None:
    """Return the phase whose atmosphere must be proven before the phase at ``index`` may go on after a power failure.

    That is a phase with heat itself, and for one without the next with heat, unless a purge comes before that.
    """
    for phase in recipe.phase[index:]:
        if phase.kind in PURGES or phase.kind in ("COOL", "VENT", "END"):
            return None
        if hot(phase):
            return phase if isinstance(phase, ThermalPhase) else None
    return None


def untested(recipe: Recipe, index: int, leak_ok: bool) -> str:
    """Return why the vacuum of the next phase with heat, from the phase at ``index`` on, cannot be proven: air came in since the leak test.

    A purge in between proves cycles and no tightness: neither it nor an inert gas that fills the chamber now makes up for the test.
    """
    if leak_ok:
        return ""
    ahead = next((one for one in recipe.phase[index:] if hot(one) or one.kind in ("LEAK_TEST", "COOL", "VENT", "END")), None)
    if not isinstance(ahead, ThermalPhase) or not hot(ahead) or ahead.atmosphere != "VACUUM":
        return ""
    return "the leak test counts no more since air came in; go back to LEAK_TEST, which measures cold"


def objection(recipe: Recipe, estimate: Estimate) -> tuple[str, str]:
    """Return rule and reason why the believed product is no longer what the recipe allows, "" twice when it is."""
    case = Case(Recovery("", ""), recipe, recipe.phase[0], Found(None, estimate), "", heats=True)
    for rule in PRODUCT:
        if why := rule.when(case):
            return rule.id, why
    return "", ""


def decide(recovery: Recovery, recipe: Recipe, index: int, found: Found) -> Decision:
    """Return what is done after the outage, by the first of ``RULES`` that applies."""
    phase = recipe.phase[index]
    length, (asked, by) = length_of(recovery, recipe), asked_for(recovery, recipe, phase)
    heats, loose = any(hot(one) for one in recipe.phase[index:]), untested(recipe, index, found.leak_ok)
    case = Case(recovery, recipe, phase, found, asked, heats, loose)
    for rule in RULES:
        if why := rule.when(case):
            return Decision(length, asked, rule.plan or asked, rule.id, why)
    return Decision(length, asked, asked, "R8", f"{by} asks for {asked}, and nothing speaks against it")


def band_c(phase: Phase) -> float:
    """Return how far the oven may be from the set point for CONTINUE, degC: the phase's own band or holdback, or ``BAND_C``."""
    return float(getattr(phase, "band_c", None) or getattr(phase, "holdback_c", None) or BAND_C)


def set_point_c(recovery: Recovery | None, phase: Phase, temp_c: float | None, sp_c: float) -> float:
    """Return the set point with which a restarted phase goes on: where it stood, or at the oven's temperature when that is lower."""
    if recovery is not None and temp_c is not None and recovery.sp_c > 0.0:
        near = recovery.plan == "CONTINUE" and abs(temp_c - recovery.sp_c) <= band_c(phase)
        if near or recovery.plan == "RAMP_BACK_SP":
            return recovery.sp_c
    if sp_c <= 0.0 or temp_c is None:
        return sp_c
    return min(temp_c, sp_c)


def _unwritten(c: Case) -> str:
    if not c.recovery.unwritten:
        return ""
    return (
        f"the PLC has followed {c.recovery.unwritten} blocks of which the journal knows nothing: the core ran on without it, "
        "and may have held, stopped or aborted the batch; its log says what it did"
    )


def _held_before(c: Case) -> str:
    return "" if c.recovery.was in ("RUNNING", "RESTARTING") else f"the unit was {c.recovery.was} before the outage"


def _as_asked(c: Case) -> str:
    return "" if c.asked in GOING_ON else f"{asked_for(c.recovery, c.recipe, c.phase)[1]} asks for {c.asked}"


def _blind(c: Case) -> str:
    return f"no valid temperature of the zones within {DECIDE_S:.0f} s" if c.found.temp_c is None else ""


def _invalid(c: Case) -> str:
    return "" if not c.heats or c.found.estimate.valid else f"the estimate is not valid: {c.found.estimate.why_invalid}"


def _passed(c: Case) -> str:
    return passed(c.recipe.endpoint, c.found.estimate) if c.heats else ""


def _blisters(c: Case) -> str:
    blister = c.found.estimate.blister
    return f"blister number {blister:.2f}, bubbles are possible from {FULL:g}" if c.heats and blister >= FULL else ""


def _cooled(c: Case) -> str:
    temp_c, allowed_c = c.found.temp_c, band_c(c.phase)
    if c.asked != "CONTINUE" or not hot(c.phase) or temp_c is None or c.recovery.sp_c <= 0.0:
        return ""
    off_c = abs(temp_c - c.recovery.sp_c)
    return f"oven {off_c:.1f} degC off the set point, CONTINUE takes {allowed_c:g} degC" if off_c > allowed_c else ""


PRODUCT: Final = (
    Rule("R4", "the estimate is not valid, and heat is to come", "HOLD", _invalid),
    Rule("R5", "the believed insoluble content of one position is above the recipe's window, and heat is to come", "HOLD", _passed),
    Rule("R6", "the blister number is 1 or more, and heat is to come", "HOLD", _blisters),
)
RULES: Final = (
    Rule("R1J", "the PLC has followed blocks of which the journal knows nothing", "HOLD", _unwritten),
    Rule("R1", "the unit was held already when the outage began", "HOLD", _held_before),
    Rule("R2", "phase or recipe ask for HOLD or RESET", "", _as_asked),
    Rule("R3", f"no valid temperature of the zones within {DECIDE_S:.0f} s after core and PLC are back", "HOLD", _blind),
    Rule("R3L", "the next heat is in a vacuum, and air came in since the leak test", "HOLD", lambda c: c.untested),
    *PRODUCT,
    Rule("R7", "CONTINUE is asked for, and the oven is outside the phase's band", "RAMP_BACK_PV", _cooled),
)
RULE_AS_ASKED: Final = ("R8", "nothing of that: what is asked for")
RULE_HELD_BY: Final = (
    "R9",
    "an interlock still holds the batch 10 s after the actuators have settled, or R4 to R6 apply once the atmosphere is proven",
)

# What "going on" means for a kind of phase, whoever was away and for how long.
HOW: Final[dict[str, str]] = {
    "ANEW": "the phase begins anew: nobody measured or counted meanwhile",
    "PROVEN": "the atmosphere is proven again first, for this heat or for the next that follows without a purge; then the phase goes on",
    "WASHED": "N2 volumes are sent through again before air is let in (I19); then the phase goes on",
    "AT ONCE": "the phase goes on at once; no heat without a proven atmosphere",
    "-": "takes no time",
}
BY_KIND: Final[dict[str, str]] = {
    "LEAK_TEST": "ANEW",
    "EVACUATE": "PROVEN",
    "CYCLE_PURGE": "ANEW",
    "PURGE_FLOW": "ANEW",
    "BACKFILL": "PROVEN",
    "RAMP": "PROVEN",
    "STEP": "PROVEN",
    "SOAK": "PROVEN",
    "CURE": "PROVEN",
    "PRESSURE_RISE": "PROVEN",
    "WAIT": "PROVEN",
    "OPERATOR": "PROVEN",
    "BRANCH": "-",
    "COOL": "AT ONCE",
    "VENT": "WASHED",
    "END": "-",
}
