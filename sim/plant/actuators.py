"""What the PLC drives, and what moves in the field: strokes, run-up, contactors and their limit switches."""

from dataclasses import dataclass, field

VALVE_STROKES_S = {"vac": 1.5, "n2": 1.0, "vent": 1.5, "exhaust": 2.0}  # [assume]
VALVE_DEAD_S = 0.2  # pilot valve and air before a disc moves [assume]
THROTTLE = (100.0, 6.0, 0.4, 0.005)  # butterfly: span in %, stroke s, dead time s, stiction as a share of the span [assume]
N2_CONTROLLER = (100.0, 2.0, 0.2, 0.001)  # mass flow controller: span in Nm3/h, stroke s, dead time s, stiction [assume]
FAN_RUN_UP_S = 3.0  # exhaust and circulation fan until the flow switch closes [assume]
PUMP_RUN_UP_S = 2.0  # [assume]
ROOTS_RUN_UP_S = 6.0  # [assume]


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


class Valve:
    """An open/shut valve with dead time and stroke time; ``stuck_at`` and ``lie`` are faults."""

    __slots__ = ("_rate_1_s", "_waited_s", "_wanted", "lie", "position", "stuck_at")

    def __init__(self, stroke_s: float) -> None:
        """Start shut."""
        self._rate_1_s = 1.0 / stroke_s
        self.position = 0.0
        self._wanted, self._waited_s = False, 0.0
        self.stuck_at: float | None = None
        self.lie: bool | None = None  # the switches show this instead of the truth

    def step(self, dt_s: float, wanted: bool) -> None:
        """Move towards ``wanted``."""
        if self.stuck_at is not None:
            self.position = self.stuck_at
            return
        if wanted != self._wanted:
            self._wanted, self._waited_s = wanted, 0.0
        moving_s = dt_s
        if self._waited_s < VALVE_DEAD_S:
            moving_s = max(0.0, dt_s - (VALVE_DEAD_S - self._waited_s))
            self._waited_s += dt_s
        if wanted:
            self.position = min(1.0, self.position + moving_s * self._rate_1_s)
        elif self.position > 0.0:
            self.position = max(0.0, self.position - moving_s * self._rate_1_s)

    @property
    def opened(self) -> bool:
        """Return the open switch."""
        return self.position > 0.95 if self.lie is None else self.lie

    @property
    def shut(self) -> bool:
        """Return the closed switch."""
        return self.position < 0.05 if self.lie is None else not self.lie


class Positioner:
    """A modulating actuator: dead time, limited speed, and stiction: it lets go only when the error exceeds ``stick``."""

    __slots__ = ("_dead_s", "_moves", "_rate_1_s", "_stick", "_waited_s", "position")

    def __init__(self, span: float, stroke_s: float, dead_s: float, stick_share: float) -> None:
        """Start at zero; ``span`` is the full range, which takes ``stroke_s``."""
        self._rate_1_s, self._dead_s, self._stick = span / stroke_s, dead_s, stick_share * span
        self.position, self._moves, self._waited_s = 0.0, False, 0.0

    def step(self, dt_s: float, wanted: float) -> None:
        """Follow ``wanted``; at rest it sticks, moving it runs until it is there. Zero is always reached: the seat is sprung."""
        error = wanted - self.position
        if not self._moves:
            if abs(error) <= self._stick and (wanted > 0.0 or error == 0.0):
                self._waited_s = 0.0
                return
            self._waited_s += dt_s
            if self._waited_s <= self._dead_s:
                return
            dt_s, self._moves = min(dt_s, self._waited_s - self._dead_s), True
        way = self._rate_1_s * dt_s
        if abs(error) <= way:
            self.position, self._moves, self._waited_s = wanted, False, 0.0
        else:
            self.position += way if error > 0.0 else -way


class Machine:
    """A pump, fan or chiller: speed 0-1 after a run-up, ``dead`` when it has tripped."""

    __slots__ = ("_rate_1_s", "dead", "speed")

    def __init__(self, run_up_s: float) -> None:
        """Start at rest."""
        self._rate_1_s = 1.0 / run_up_s
        self.speed = 0.0
        self.dead = False

    def step(self, dt_s: float, wanted: bool) -> None:
        """Run up or down."""
        if wanted and not self.dead:
            if self.speed < 1.0:
                self.speed = min(1.0, self.speed + dt_s * self._rate_1_s)
        elif self.speed > 0.0:
            self.speed = max(0.0, self.speed - dt_s * self._rate_1_s)

    @property
    def runs(self) -> bool:
        """Return the run feedback."""
        return self.speed > 0.8


@dataclass(slots=True)
class Field:
    """The moving parts of the oven."""

    vac: Valve = field(default_factory=lambda: Valve(VALVE_STROKES_S["vac"]))
    n2: Valve = field(default_factory=lambda: Valve(VALVE_STROKES_S["n2"]))
    vent: Valve = field(default_factory=lambda: Valve(VALVE_STROKES_S["vent"]))
    exhaust: Valve = field(default_factory=lambda: Valve(VALVE_STROKES_S["exhaust"]))
    throttle: Positioner = field(default_factory=lambda: Positioner(*THROTTLE))
    n2_flow: Positioner = field(default_factory=lambda: Positioner(*N2_CONTROLLER))
    pump: Machine = field(default_factory=lambda: Machine(PUMP_RUN_UP_S))
    roots: Machine = field(default_factory=lambda: Machine(ROOTS_RUN_UP_S))
    exhaust_fan: Machine = field(default_factory=lambda: Machine(FAN_RUN_UP_S))
    circulation: Machine = field(default_factory=lambda: Machine(FAN_RUN_UP_S))
    chiller: Machine = field(default_factory=lambda: Machine(5.0))
    contactor_welded: bool = False  # the main contactor does not open
    thyristor_shorted: bool = False  # zone 2 takes full power whenever the contactors are closed
    elements_open: tuple[bool, bool, bool] = (False, False, False)
    main_closed: bool = False

    def step(self, dt_s: float, a: Actuators, chain_ok: bool) -> tuple[float, float, float]:
        """Move everything by ``dt_s`` and return the share (0-1) of its power that each zone gets."""
        if a.vac_valve or self.vac.position > 0.0 or self.vac.stuck_at is not None:
            self.vac.step(dt_s, a.vac_valve)
        if a.n2_valve or self.n2.position > 0.0 or self.n2.stuck_at is not None:
            self.n2.step(dt_s, a.n2_valve)
        if a.vent_valve or self.vent.position > 0.0 or self.vent.stuck_at is not None:
            self.vent.step(dt_s, a.vent_valve)
        if a.exhaust_valve or self.exhaust.position > 0.0 or self.exhaust.stuck_at is not None:
            self.exhaust.step(dt_s, a.exhaust_valve)
        if a.vac_throttle_pct != self.throttle.position:
            self.throttle.step(dt_s, a.vac_throttle_pct)
        if a.n2_flow_sp_nm3_h != self.n2_flow.position:
            self.n2_flow.step(dt_s, a.n2_flow_sp_nm3_h)
        self.pump.step(dt_s, a.pump)
        self.roots.step(dt_s, a.roots and self.pump.speed > 0.8)
        self.exhaust_fan.step(dt_s, a.exhaust_fan)
        self.circulation.step(dt_s, a.circulation)
        self.chiller.step(dt_s, a.condenser)
        # the hard-wired chain opens the main contactor whatever the PLC says; the zone contactors still open when it is welded
        self.main_closed = (a.main_contactor and chain_ok) or self.contactor_welded
        if not (self.main_closed and a.zone_contactors):
            return (0.0, 0.0, 0.0)
        o1, o2, o3 = a.zone_op_pct
        if self.thyristor_shorted:
            o2 = 100.0
        x1, x2, x3 = self.elements_open
        return (0.0 if x1 else 0.01 * o1, 0.0 if x2 else 0.01 * o2, 0.0 if x3 else 0.01 * o3)
