"""Bypasses: a row that is left without effect for a while, by name, with a reason, and only where that cannot heat an unproven oven."""

from typing import Annotated, Final, NamedTuple

from pydantic import Field

from controller.equipment import Strict
from controller.interlocks.rule import Effect, Reset, Rule
from controller.interlocks.table import RULES

BY_ID: Final = {rule.id: rule for rule in RULES}

# Rows that guard a condition which no run may ever break, beyond those that the effects below already keep.
NEVER: Final[dict[str, str]] = {
    "I5": "heat needs a proven atmosphere",
    "I10": "heat needs a proven purge",
    "I15": "solvent must be carried off while the oven is hot",
    "I15P": "solvent must be carried off before heat",
    "I21": "no heat in a zone with fewer than two valid thermocouples",
    "I27": "nobody commands an oven that cannot be seen",
    "I27W": "nobody commands an oven that cannot be seen",
    "I28": "the PLC has gone to its safe state",
    "I28W": "without its watchdog the PLC would go on heating alone",
    "I30": "what is done must be written down",
    "I34": "nothing runs but what was approved",
}
_HARD: Final = {
    Effect.ABORT: "the row aborts",
    Effect.PURGE: "the row fills the chamber with N2",
    Effect.NO_VENT: "the row keeps air out",
    Effect.NO_DOOR: "the row keeps the door locked",
    Effect.NO_N2: "the row keeps N2 out of the room or the chamber",
}


class BypassSettings(Strict):
    """How far an engineer may take interlock rows out of effect."""

    max_min: Annotated[float, Field(ge=1, le=480, description="longest bypass, min")] = 60.0
    max_rows: Annotated[int, Field(ge=0, le=5, description="rows bypassed at the same time; 0: none ever")] = 2


class Bypass(NamedTuple):
    """One row out of effect. Times are process time."""

    rule: str
    user: str
    reason: str
    from_s: float
    until_s: float


def objection(rule: Rule) -> str:
    """Return why ``rule`` may never be bypassed, "" when it may."""
    if rule.id in NEVER:
        return NEVER[rule.id]
    if rule.hard_wired:
        return "the row is hard-wired in the oven"
    for effect, why in _HARD.items():
        if rule.effect & effect:
            return why
    return "the row is a trip that is reset by hand" if rule.reset is Reset.MANUAL else ""


def allowed() -> tuple[str, ...]:
    """Return the rows that may be bypassed, in table order."""
    return tuple(rule.id for rule in BY_ID.values() if not objection(rule))


def names(bypassed: tuple[Bypass, ...]) -> frozenset[str]:
    """Return the rows that are bypassed."""
    return frozenset(one.rule for one in bypassed)


def expired(bypassed: tuple[Bypass, ...], at_s: float) -> tuple[tuple[Bypass, ...], tuple[Bypass, ...]]:
    """Return the bypasses that go on and those that end at ``at_s``."""
    ended = tuple(one for one in bypassed if at_s >= one.until_s)
    return tuple(one for one in bypassed if at_s < one.until_s), ended


def banner(bypassed: tuple[Bypass, ...], at_s: float) -> tuple[str, ...]:
    """Return one line per bypass for every place where the unit's state is shown."""
    return tuple(
        f"BYPASSED: {one.rule} ({BY_ID[one.rule].text if one.rule in BY_ID else 'no longer a row'}) by {one.user}: {one.reason}; "
        f"{max(0.0, one.until_s - at_s) / 60.0:.0f} min left"
        for one in bypassed
    )
