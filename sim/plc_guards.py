"""The soft PLC's own permissives, trips, purge proof and valve locks, judged from its own inputs.

Purge proof, taken back by any air (door or vent open) and by a PLC start, is one of

* two cycles: below ``purge_low_mbar``, then above ``purge_high_mbar`` with the N2 inlet open;
* ``purge_volumes`` chamber volumes of N2 (normal cubic metres per chamber cubic metre) through the open exhaust at about 1 atm;
* one cycle and then ``vacuum_mbar`` or less for ``vacuum_s``.

Vent and door need the same since the last heat: two cycles or the volumes. The door also needs ambient pressure, which it also has
behind an open vent, and air to breathe: a sweep (vent and exhaust open, its fan running) for ``sweep_least_s`` since N2, vacuum or power-on
and a valid O2 reading, or without one a sweep for ``sweep_s``. Both switches must say so before a door counts as open.
"""

from dataclasses import dataclass

from controller.block import HeatBlock
from controller.image import Outputs
from sim.plant import Actuators, Readings

(_LEASE, _ATMOSPHERE, _EXHAUST, _CIRCULATION, _DOOR, _CHAIN, _OVERTEMP, _TRIP, _PURGE, _SENSORS, _MODE) = (int(bit) for bit in HeatBlock)


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """The PLC's own limits."""

    chamber_m3: float = 1.8
    ambient_mbar: float = 1013.25
    purge_low_mbar: float = 50.0
    purge_high_mbar: float = 300.0
    purge_cycles: int = 2
    purge_volumes: float = 4.0
    vacuum_mbar: float = 100.0
    vacuum_s: float = 60.0
    gas_mbar: float = 800.0  # above this the O2 analyser must speak
    o2_pct: float = 2.0
    air_s: float = 10.0  # O2 too high, or no valid O2, while heat is on
    undecided_s: float = 30.0  # between vacuum and gas without N2 inlet while heat is on
    lost_s: float = 5.0  # exhaust or circulation feedback lost while heat is on
    circulation_mbar: float = 300.0  # circulation is needed above this
    overtemp_c: float = 275.0  # no heat above this
    trip_c: float = 288.0
    trip_scans: int = 3
    trip_mbar: float = 1100.0
    n2_stop_mbar: float = 1045.0  # own stop of the N2 inlet with the exhaust shut
    hot_c: float = 60.0  # T_open
    ambient_band_mbar: float = 16.0
    unlocked_band_mbar: float = 20.0  # a lock that has let go stays so up to here
    weather_mbar: float = 50.0  # the same for a chamber whose vent has stood open for ``level_s``: hall and chamber are one
    level_s: float = 30.0
    breathable_pct: float = 19.5
    unlocked_o2_pct: float = 19.0
    sweep_least_s: float = 240.0  # whatever the analyser reads
    sweep_s: float = 900.0
    door_airs: float = 15.0  # in how many seconds a sweep does as much as an open door in one
    n2_zero_nm3_h: float = 0.5


class Guards:
    """The PLC's judgement of its inputs; ``look`` once per scan, then ``follow`` and ``lock`` write the actuators."""

    def __init__(self, settings: GuardSettings) -> None:
        """Start unproven, untripped, never heated."""
        self.settings = settings
        self.tripped, self.trip_text = False, ""
        self.hot, self.heat_block, self.pressure_mbar = True, _LEASE, settings.ambient_mbar
        self.heated = False  # since the door was last open
        self._trip_scans, self._air_s, self._undecided_s, self._exhaust_s, self._circulation_s = 0, 0.0, 0.0, 0.0, 0.0
        self._since_heat_cycles, self._since_heat_volumes = 0, 0.0
        self._chain_ok, self._causes = True, tuple[str, ...]()
        self.restart()

    def restart(self) -> None:
        """Know nothing more of the gas: nobody watched it."""
        self.forget_purge()
        self._swept_s, self._vented_s = 0.0, 0.0

    def forget_purge(self) -> None:
        """Take the purge proof back."""
        self.purge_proven, self.purge_cycles, self.purge_volumes = False, 0, 0.0
        self._low, self._n2_in_rise, self._vacuum_s = False, False, 0.0

    # ---- looking ----

    def look(self, v: Readings, a: Actuators, dt_s: float) -> None:
        """Update purge proof, trips and the heat permissives from the readings ``v``."""
        s = self.settings
        p = v.pressure_cap_mbar
        if p != p:  # the Pirani is better than nothing, and errs to the high side
            p = v.pressure_pirani_mbar
        self.pressure_mbar = p
        heating = a.main_contactor
        loads = [t for t in (v.load_outer_c, v.load_edge_c, v.load_core_c) if -20.0 <= t <= 400.0]
        self.hot = len(loads) < 2 or max(loads) >= s.hot_c
        door_closed = bool(v.door_closed_a and v.door_closed_b)
        if heating:
            self.heated, self._since_heat_cycles, self._since_heat_volumes = True, 0, 0.0
        self._purge(v, p, dt_s, door_closed)
        if _stands_open(v):
            self._swept_s = min(self._swept_s + s.door_airs * dt_s, s.sweep_s)
        elif not (v.n2_valve_closed and v.vac_valve_closed) or v.n2_flow_nm3_h > s.n2_zero_nm3_h:
            self._swept_s = 0.0
        elif v.vent_valve_open and v.exhaust_valve_open and v.exhaust_run:
            self._swept_s += dt_s
        self._vented_s = self._vented_s + dt_s if v.vent_valve_open else 0.0
        sensors_ok, hottest_c = self._temperatures(v)
        self._trips(v, p, hottest_c, heating, door_closed)
        blocked = 0 if sensors_ok else _SENSORS
        if hottest_c >= s.overtemp_c or not v.overtemp_ok:
            blocked |= _OVERTEMP
        if not (door_closed and v.door_locked):
            blocked |= _DOOR
        if not (v.hardwired_ok and v.estop_ok):
            blocked |= _CHAIN
        if not self.purge_proven:
            blocked |= _PURGE
        self.heat_block = blocked | self._gas_block(v, p, heating, dt_s)

    def _temperatures(self, v: Readings) -> tuple[bool, float]:
        """Return whether each zone has two control thermocouples, and the hottest second-highest reading of a zone (one may lie)."""
        ok, hottest_c = True, -1e3
        for ta, tb, tc, tl in (
            (v.z1_tc_a_c, v.z1_tc_b_c, v.z1_tc_c_c, v.z1_limit_c),
            (v.z2_tc_a_c, v.z2_tc_b_c, v.z2_tc_c_c, v.z2_limit_c),
            (v.z3_tc_a_c, v.z3_tc_b_c, v.z3_tc_c_c, v.z3_limit_c),
        ):
            if -20.0 <= ta <= 250.0 and -20.0 <= tb <= 250.0 and -20.0 <= tc <= 250.0 and -20.0 <= tl <= 250.0:
                continue  # nothing to sort out: all read, none near a limit
            valid = (-20.0 <= ta <= 400.0) + (-20.0 <= tb <= 400.0) + (-20.0 <= tc <= 400.0)
            if valid < 2:
                ok = False
            temps = sorted(t for t in (ta, tb, tc, tl) if -20.0 <= t <= 400.0)
            if temps:
                hottest_c = max(hottest_c, temps[-2] if len(temps) > 1 else temps[-1])
        return ok, hottest_c

    def _trips(self, v: Readings, p: float, hottest_c: float, heating: bool, door_closed: bool) -> None:
        s = self.settings
        self._trip_scans = self._trip_scans + 1 if hottest_c > s.trip_c else 0
        self._chain_ok, self._causes = bool(v.hardwired_ok), ()
        if self._chain_ok and v.estop_ok and v.overtemp_ok and door_closed and not self._trip_scans and p <= s.trip_mbar:
            return  # a lifted relief opens the chain
        causes = (
            (self._trip_scans >= s.trip_scans, "over-temperature"),
            (not v.overtemp_ok, "excess-temperature limiter"),
            (not v.estop_ok, "emergency stop"),
            (not v.relief_ok or p > s.trip_mbar, "over-pressure"),
            (not door_closed and (self.hot or heating), "door opened when hot"),
            (heating and not v.hardwired_ok, "hard-wired chain"),
        )
        self._causes = tuple(text for is_true, text in causes if is_true)
        if self._causes and not self.tripped:
            self.tripped, self.trip_text = True, self._causes[0]

    def reset(self) -> None:
        """Unlatch the trip if its causes are gone and the hard-wired chain is closed."""
        if not self._causes and self._chain_ok:
            self.tripped, self.trip_text = False, ""

    def _purge(self, v: Readings, p: float, dt_s: float, door_closed: bool) -> None:
        s = self.settings
        if _stands_open(v):
            self.heated = False
        if not door_closed or not v.vent_valve_closed:
            self.forget_purge()
            return
        if p < s.purge_low_mbar:
            self._low, self._n2_in_rise = True, False
        elif self._low:
            if v.n2_valve_open:
                self._n2_in_rise = True
            if p > s.purge_high_mbar:
                if self._n2_in_rise:
                    self.purge_cycles += 1
                    self._since_heat_cycles += 1
                self._low = False
        flow = v.n2_flow_nm3_h
        if flow > 0.5 and p > 900.0 and v.exhaust_valve_open:
            volumes = flow * dt_s / 3600.0 / s.chamber_m3
            self.purge_volumes += volumes
            self._since_heat_volumes += volumes
        self._vacuum_s = self._vacuum_s + dt_s if p <= s.vacuum_mbar and self.purge_cycles else 0.0
        if self.purge_cycles >= s.purge_cycles or self.purge_volumes >= s.purge_volumes or self._vacuum_s >= s.vacuum_s:
            self.purge_proven = True

    def _gas_block(self, v: Readings, p: float, heating: bool, dt_s: float) -> int:
        """Return the permissives of atmosphere, exhaust and circulation; each has its delay while heat is on, none before."""
        s, blocked = self.settings, 0
        air = p > s.gas_mbar and not (_o2_valid(v) and v.o2_pct <= s.o2_pct)
        undecided = not p <= s.vacuum_mbar and not p > s.gas_mbar and not v.n2_valve_open
        still = p > s.circulation_mbar and not v.circulation_run
        self._air_s = self._air_s + dt_s if air else 0.0
        self._undecided_s = self._undecided_s + dt_s if undecided else 0.0
        self._exhaust_s = self._exhaust_s + dt_s if not v.exhaust_run else 0.0
        self._circulation_s = self._circulation_s + dt_s if still else 0.0
        if self._air_s > (s.air_s if heating else 0.0) or self._undecided_s > (s.undecided_s if heating else 0.0) or p > s.trip_mbar:
            blocked |= _ATMOSPHERE
        if self._exhaust_s > (s.lost_s if heating else 0.0):
            blocked |= _EXHAUST
        if self._circulation_s > (s.lost_s if heating else 0.0):
            blocked |= _CIRCULATION
        return blocked

    # ---- acting ----

    def follow(self, a: Actuators, v: Readings, o: Outputs) -> None:
        """Drive the gas side as ``o`` asks, without ever opening a forbidden pair: each valve waits for the other's closed switch."""
        s = self.settings
        a.pump, a.roots, a.vac_throttle_pct = o.pump, o.roots, min(100.0, max(0.0, o.vac_throttle_pct))
        a.exhaust_valve, a.exhaust_fan, a.circulation, a.condenser = o.exhaust_valve, o.exhaust_fan, o.circulation, o.condenser
        a.n2_flow_sp_nm3_h = min(100.0, max(0.0, o.n2_flow_sp_nm3_h))
        wants_n2 = o.n2_valve and bool(v.door_closed_a and v.door_closed_b and v.door_locked)
        if wants_n2 and self.pressure_mbar > s.n2_stop_mbar and not v.exhaust_valve_open:
            wants_n2 = False
        a.vac_valve = o.vac_valve and not o.n2_valve and bool(v.n2_valve_closed and v.vent_valve_closed)
        a.n2_valve = wants_n2 and bool(v.vac_valve_closed and v.vent_valve_closed)

    def release(self, a: Actuators, v: Readings, vent: bool, door: bool) -> None:
        """Open vent valve and door lock as asked if the load is cold and purged since the heat; the door needs ambient pressure and air."""
        s = self.settings
        safe = not self.hot and not a.main_contactor and not self._vapour_left
        cold = safe and bool(v.n2_valve_closed and v.vac_valve_closed)
        a.vent_valve = vent and cold and not a.n2_valve and not a.vac_valve
        locked = a.door_locked
        off_mbar = abs(self.pressure_mbar - s.ambient_mbar)
        level = off_mbar <= (s.weather_mbar if self._vented_s >= s.level_s else s.ambient_band_mbar if locked else s.unlocked_band_mbar)
        reads = _o2_valid(v)
        breathes = not reads or v.o2_pct >= (s.breathable_pct if locked else s.unlocked_o2_pct)
        air = breathes and self._swept_s >= (s.sweep_least_s if reads else s.sweep_s)
        a.door_locked = not (door and cold and level and (air or _stands_open(v)) and not a.n2_valve)

    @property
    def _vapour_left(self) -> bool:
        s = self.settings
        return self.heated and self._since_heat_cycles < s.purge_cycles and self._since_heat_volumes < s.purge_volumes


def _stands_open(v: Readings) -> bool:
    """Return whether both switches say that the door stands open; one that fails opens none."""
    return not (v.door_closed_a or v.door_closed_b)


def _o2_valid(v: Readings) -> bool:
    """Return whether the analyser has gas and is ready; a zero may drift down to 3.8 mA."""
    return bool(v.o2_sample_flow_l_min > 0.3 and v.o2_ready and v.o2_pct >= -0.3)
