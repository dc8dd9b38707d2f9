"""What a row of the interlock table is: its effects, how it goes away, and everything that it may look at."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag, auto
from typing import Final, NamedTuple

from controller.equipment import Equipment
from controller.image import Estimate, Inputs, Outputs, PhaseView, Process
from controller.interlocks.atmosphere import Proof
from controller.interlocks.limits import Limits
from controller.interlocks.sensors import Believed


class Effect(IntFlag):
    """What a rule does while it is active; a trip stays active until it is reset."""

    WARN = auto()
    NO_START = auto()
    NO_HEAT = auto()
    NO_VENT = auto()
    NO_N2 = auto()
    SUSPEND = auto()
    HOLD = auto()
    PURGE = auto()
    ABORT = auto()
    ISOLATE = auto()  # the vacuum valve shuts: nothing may come back through a pump that stands
    NO_DOOR = auto()  # the door only: the vent, which ends an under-pressure, may open


BLOCKS_START: Final = Effect.NO_START | Effect.HOLD | Effect.ABORT  # a batch that would be held or aborted at once is not begun


class Reset(IntEnum):
    """How a rule goes away."""

    AUTO = auto()  # with its cause
    OPERATOR = auto()  # cause gone and acknowledged (or restarted)
    MANUAL = auto()  # cause gone and RESET


@dataclass(frozen=True, slots=True)
class View:
    """Everything a rule may look at; with slots, because the rows of one scan read it some three hundred times."""

    limits: Limits
    inputs: Inputs
    process: Process
    estimate: Estimate
    phase: PhaseView
    proof: Proof
    last: Outputs  # what was written after the last scan
    slopes: "Slopes"
    equipment: Equipment
    active: frozenset[str]  # rows that are active, for deadbands
    sensors: Believed
    pump_starts: bool  # the pump was asked to run and has not shown yet that it does
    vented: bool = False  # the vent has stood open: chamber and hall are one, whatever the weather
    relieved: bool = False  # vent or exhaust has: the chamber is not above the hall's pressure


class Slopes(NamedTuple):
    """How fast the zones heat, filtered over about a minute, and what that was computed from."""

    slope_c_per_min: tuple[float, float, float] = (0.0, 0.0, 0.0)
    temp_c: tuple[float | None, float | None, float | None] = (None, None, None)


Condition = Callable[[View], bool | None]


class Rule(NamedTuple):
    """One row. ``when`` gives True, False, or None when its inputs cannot be used; then ``on_bad`` stands for it."""

    id: str
    text: str
    effect: Effect
    reset: Reset
    delay_s: float | Callable[[Limits], float]
    on_bad: bool
    when: Condition
    shown: Callable[[View], object] = lambda _: None
    hard_wired: bool = False
    without_plc: bool = False  # judged also while there is no PLC image; the others then stay as they were, and I27 speaks


def over(v: View, rule: str, value: float | None, limit: float, deadband: float) -> bool | None:
    """Return whether ``value`` is above ``limit``; an active row stays so until the value has come down by ``deadband``."""
    return None if value is None else value > (limit - deadband if rule in v.active else limit)


def under(v: View, rule: str, value: float | None, limit: float, deadband: float) -> bool | None:
    """Return whether ``value`` is below ``limit``; an active row stays so until the value has risen by ``deadband`` above it."""
    return None if value is None else value < (limit + deadband if rule in v.active else limit)


def shown(value: float | None) -> str:
    """Return a reading for people."""
    return "-" if value is None else f"{value:.1f}"
