"""What the PLC drives, and what moves in the field: strokes, run-up, contactors and their limit switches; ``oven_kernel`` moves it."""

import struct
from dataclasses import dataclass
from math import isnan, nan

from sim.plant.oven_kernel import MACHINE, OVEN, POSITIONER, VALVE
from sim.plant.record import Array, Flag, Number, place

VALVE_STROKES_S = {"vac": 1.5, "n2": 1.0, "vent": 1.5, "exhaust": 2.0}  # [assume]
VALVE_DEAD_S = 0.2  # pilot valve and air before a disc moves [assume]
THROTTLE = (100.0, 6.0, 0.4, 0.005)  # butterfly: span in %, stroke s, dead time s, stiction as a share of the span [assume]
N2_CONTROLLER = (100.0, 2.0, 0.2, 0.001)  # mass flow controller: span in Nm3/h, stroke s, dead time s, stiction [assume]
FAN_RUN_UP_S = 3.0  # exhaust and circulation fan until the flow switch closes [assume]
PUMP_RUN_UP_S = 2.0  # [assume]
ROOTS_RUN_UP_S = 6.0  # [assume]
CHILLER_RUN_UP_S = 5.0  # [assume]
_DRIVE = struct.Struct("=18d")  # the first numbers of the oven's state


@dataclass(slots=True)
class Actuators:
    """The PLC's field outputs; written in every PLC scan."""

    main_contactor: bool = False
    zone_contactors: bool = False
    zone_op_pct: tuple[float, float, float] = (0.0, 0.0, 0.0)
    pump: bool = False
    roots: bool = False
    vac_valve: bool = False
    vac_throttle_pct: float = 0.0
    n2_valve: bool = False
    n2_flow_sp_nm3_h: float = 0.0
    vent_valve: bool = False
    exhaust_valve: bool = False
    exhaust_fan: bool = False
    circulation: bool = False
    condenser: bool = False
    cooling: bool = False
    door_locked: bool = True

    @property
    def heats(self) -> bool:
        """Return whether any zone is asked for heat."""
        a, b, c = self.zone_op_pct
        return self.main_contactor and self.zone_contactors and (a > 0.0 or b > 0.0 or c > 0.0)

    def drive(self, state: Array) -> None:
        """Write what is driven into the oven's ``state``."""
        op_1_pct, op_2_pct, op_3_pct = self.zone_op_pct
        _DRIVE.pack_into(
            state.data, 0, self.main_contactor, self.zone_contactors, op_1_pct, op_2_pct, op_3_pct, self.pump, self.roots, self.vac_valve,
            self.vac_throttle_pct, self.n2_valve, self.n2_flow_sp_nm3_h, self.vent_valve, self.exhaust_valve, self.exhaust_fan,
            self.circulation, self.condenser, self.cooling, self.door_locked,
        )  # fmt: skip


class Part:
    """A part of the oven that is a record of its own inside the oven's."""

    __slots__ = ("at", "state")

    def __init__(self, state: Array, name: str) -> None:
        """Show the part ``name`` of the oven's ``state``."""
        self.state, self.at = state, place(OVEN, name)


class Valve(Part):
    """An open/shut valve with dead time and stroke time; ``stuck_at`` and ``lie`` are faults."""

    __slots__ = ()
    position = Number(VALVE, "position")
    _stuck_at, _lie = Number(VALVE, "stuck_at"), Number(VALVE, "lie")

    def __init__(self, state: Array, name: str) -> None:
        """Start shut and sound."""
        super().__init__(state, name)
        self._stuck_at = self._lie = nan

    @property
    def stuck_at(self) -> float | None:
        """Return where the disc is stuck; None: nowhere."""
        return None if isnan(self._stuck_at) else self._stuck_at

    @stuck_at.setter
    def stuck_at(self, position: float | None) -> None:
        self._stuck_at = nan if position is None else position

    @property
    def lie(self) -> bool | None:
        """Return whether the switches show it open, whatever the truth; None: they show the truth."""
        return None if isnan(self._lie) else bool(self._lie)

    @lie.setter
    def lie(self, opened: bool | None) -> None:
        self._lie = nan if opened is None else opened


class Positioner(Part):
    """A modulating actuator: dead time, limited speed, and stiction: it lets go only when the error exceeds it."""

    __slots__ = ()
    position = Number(POSITIONER, "position")


class Machine(Part):
    """A pump, fan or chiller: speed 0-1 after a run-up, ``dead`` when it has tripped."""

    __slots__ = ()
    speed, dead = Number(MACHINE, "speed"), Flag(MACHINE, "dead")


class Field:
    """The moving parts of the oven, and the faults of its heaters."""

    contactor_welded = Flag(OVEN, "contactor_welded")  # the main contactor does not open
    thyristor_shorted = Flag(OVEN, "thyristor_shorted")  # zone 2 takes full power whenever the contactors are closed
    main_closed = Flag(OVEN, "main_closed")

    def __init__(self, state: Array) -> None:
        """Show the moving parts in the oven's ``state``, all at rest."""
        self.state, self.at = state, 0
        self.vac, self.n2, self.vent, self.exhaust = (Valve(state, name) for name in ("vac", "n2_inlet", "vent", "exhaust"))
        self.throttle, self.n2_flow = Positioner(state, "throttle"), Positioner(state, "n2_flow")
        self.pump, self.roots, self.exhaust_fan, self.circulation, self.chiller = (
            Machine(state, name) for name in ("pump", "roots", "exhaust_fan", "circulation", "chiller")
        )

    @property
    def elements_open(self) -> tuple[bool, bool, bool]:
        """Return which zones' heating elements are open."""
        a, b, c = self.state[_OPEN : _OPEN + 3].tolist()
        return bool(a), bool(b), bool(c)

    @elements_open.setter
    def elements_open(self, which: tuple[bool, bool, bool]) -> None:
        self.state[_OPEN : _OPEN + 3] = which


_OPEN = place(OVEN, "open_1")


def rates() -> dict[str, float]:
    """Return how fast the parts move, by the names of the oven's law."""
    (span, throttle_s, throttle_dead_s, throttle_share), (n2_span, n2_s, n2_dead_s, n2_share) = THROTTLE, N2_CONTROLLER
    return {
        "dead_s": VALVE_DEAD_S,
        **{f"{name}_1_s": 1.0 / stroke_s for name, stroke_s in VALVE_STROKES_S.items()},
        "throttle_1_s": span / throttle_s,
        "throttle_dead_s": throttle_dead_s,
        "throttle_stick": throttle_share * span,
        "n2_flow_1_s": n2_span / n2_s,
        "n2_flow_dead_s": n2_dead_s,
        "n2_flow_stick": n2_share * n2_span,
        "pump_1_s": 1.0 / PUMP_RUN_UP_S,
        "roots_1_s": 1.0 / ROOTS_RUN_UP_S,
        "fan_1_s": 1.0 / FAN_RUN_UP_S,
        "chiller_1_s": 1.0 / CHILLER_RUN_UP_S,
    }
