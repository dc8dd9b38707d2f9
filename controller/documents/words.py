"""What a row of the interlock table does, in words that the documents share."""

from typing import Final

from controller.interlocks.limits import Limits
from controller.interlocks.rule import Effect, Reset, Rule

EFFECTS: Final[dict[Effect, str]] = {
    Effect.ABORT: "the batch is aborted: main contactor open, inerting kept",
    Effect.HOLD: "the batch is held",
    Effect.SUSPEND: "the sequence waits and goes on by itself",
    Effect.NO_HEAT: "no heat",
    Effect.PURGE: "the chamber is filled with N2",
    Effect.NO_N2: "the N2 inlet is shut",
    Effect.NO_VENT: "no air, no door",
    Effect.NO_DOOR: "no door",
    Effect.NO_START: "no start",
    Effect.WARN: "warning",
}
RESETS: Final = {Reset.AUTO: "by itself", Reset.OPERATOR: "ACKNOWLEDGE (or RESTART)", Reset.MANUAL: "RESET"}
_DEFAULTS: Final = Limits()


def effects_of(rule: Rule) -> str:
    """Return all effects of a row, the strongest first."""
    known = [text for effect, text in EFFECTS.items() if rule.effect & effect and (effect is not Effect.WARN or rule.effect == Effect.WARN)]
    others = [str(effect.name).lower().replace("_", " ") for effect in rule.effect if effect not in EFFECTS]
    return "; ".join([*known, *others])


def delay_s(rule: Rule) -> float:
    """Return the delay of a row with the default limits, s."""
    return rule.delay_s(_DEFAULTS) if callable(rule.delay_s) else rule.delay_s


def name_of(rule: Rule) -> str:
    """Return the row's id, marked when it is hard-wired."""
    return f"{rule.id} HW" if rule.hard_wired else rule.id
