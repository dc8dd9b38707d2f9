"""The judge of unsafe states: looks at what the PLC puts out and at the plant's truth, never at the controller's opinion.

| code | raised when | grace |
|---|---|---|
| U1 | heat on with solvent in film or gas, and the PLC's purge not proven, or true O2 above 2 vol % at more than 100 mbar | 0 / 30 s |
| U2 | heat on later than T_wd (5 s) and one scan after the last valid block | none |
| U3 | heat on in a zone of which fewer than two control thermocouples read inside their range | 4 s |
| U4 | vent or door lock driven open on a load above 61 degC, above 25 % LEL | none |
| U4 | a closed door unlocked off ambient pressure, with N2 flowing, or with less than 18.5 vol% of true O2 behind it | none |
| U5 | a set point above 260 degC or a rate above 10 degC/min, asked for in a block that may heat or applied by the PLC | none |
| U6 | heat on with solvent in the film and exhaust fan, condenser or (above 300 mbar) circulation not running | 8 s |
| U7 | N2 and vacuum, or vent and vacuum, both driven open; or both truly open and the switches do not lie | 0 / 4 s |
| U8 | a block of mode RUN accepted without batch id or recipe hash | none |
| U9 | blocks of two masters accepted inside one lease (5 s) | none |
| U10 | heat on after a trip, ABORT or PLC start without a reset edge and then a purge permission in accepted blocks | none |
| U11 | a block of mode RUN or with heat accepted whose image was older than 3 s | 1 scan |
| U11 | a direct output above 0 for a zone without two valid sensors | 4 s |
| U12 | soak time grew with a zone over 6 degC below the mean set point, the load over 6 above, or sensors as in U3 | 30 s / 10 s |

"Heat on" is what the PLC drives; a welded contactor is a fault of the plant, not a decision. A valve whose switches lie cannot be judged
from outside either. U12 looks at the load on the hot side because walls that a cascade has led cool slower than its set point falls.
"""

from operator import itemgetter
from typing import NamedTuple

from controller.block import Block, PlcState
from controller.image import Mode
from controller.units import PA_PER_MBAR
from sim.plant import Plant, Readings
from sim.plant.actuators import Actuators, Field
from sim.plant.oven_kernel import OVEN
from sim.plant.record import place
from sim.softplc import SoftPlc

T_WD_S, STALE_S, LEASE_S = 5.0, 3.0, 5.0
MAX_SP_C, MAX_RATE_C_PER_MIN = 260.0, 10.0
O2_PCT, VACUUM_MBAR, CIRCULATION_MBAR = 2.0, 100.0, 300.0
OPEN_C, OPEN_LEL_PCT, OPEN_BAND_MBAR = 61.0, 25.0, 25.0  # T_open is 60 degC; one degree for the instruments
OPEN_O2_PCT = 18.5  # the lock lets go at 19.5 and stays so to 19.0; half a point for the analyser
WET = 0.01  # weight fraction of solvent from which a film counts as giving off vapour
BAND_C = 6.0
AIR_GRACE_S, SENSOR_GRACE_S, SERVICE_GRACE_S, PAIR_GRACE_S, BAND_GRACE_S, BLIND_GRACE_S = 30.0, 4.0, 8.0, 4.0, 30.0, 10.0
RUNS, SHUT = 0.8, 0.05  # speed above which a machine runs, position up to which a valve is shut
SOAK, CURE = 6, 7  # codes of the phase kinds that count soak time
_pick_tcs = itemgetter(*(Readings._fields.index(f"z{z}_tc_{letter}_c") for z in (1, 2, 3) for letter in "abc"))
# where the plant's truth has what every scan is judged by
_PRESSURE, _VAC, _N2, _VENT, _EXHAUST_FAN, _CHILLER, _CIRCULATION = (place(OVEN, name) for name in (
    "pressure_pa", "vac.position", "n2_inlet.position", "vent.position", "exhaust_fan.speed", "chiller.speed", "circulation.speed"
))  # fmt: skip
_EPS = 1e-6
_RUN, _HOLD, _ABORT, _TRIPPED = Mode.RUN, Mode.HOLD, Mode.ABORT, PlcState.TRIPPED  # through the class a member costs 0.1 us


class Unsafe(NamedTuple):
    """One unsafe state, reported when it begins."""

    code: str
    at_s: float
    text: str


class Judge:
    """Call ``look`` after every PLC scan; an unsafe state is reported once until it has ended."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._found: list[tuple[str, str]] = []
        self._open: set[str] = set()
        self._since_s: dict[str, float] = {}
        self._applied_c: tuple[float, float, float] | None = None
        self._heated = False
        self._master, self._master_at_s = 0, -1e9
        self._boot_id, self._tripped = 0, False
        self._reset_was, self._locked, self._reset_seen = True, False, False
        self._soak_s, self._phase = 0.0, -1
        self._blind: list[int] = []  # zones without two valid thermocouples, in this scan

    def look(self, plc: SoftPlc, at_s: float, dt_s: float) -> list[Unsafe]:
        """Return the unsafe states that began with the scan of length ``dt_s`` that ended at ``at_s``."""
        self._found = []
        plant, a = plc.plant, plc.actuators
        heats = a.heats
        self._blind = _blind_zones(plc.readings)
        if plc.taken:
            for block in plc.taken:
                self._look_at_block(plc, block, at_s, dt_s)
        if heats:
            self._look_at_heat(plc, plant, a, at_s, dt_s)
        elif self._since_s:
            for key in ("air", "service", "sensors", "direct"):
                self._since_s.pop(key, None)
        self._look_at_permission(plc, heats)
        self._look_at_valves(plant, a, at_s)
        if a.vent_valve or not a.door_locked:
            self._look_at_opening(plant, a)
        self._look_at_rate(plc, heats, dt_s)
        if not (self._found or self._open):
            return []
        new = [Unsafe(code, at_s, text) for code, text in self._found if code not in self._open]
        self._open = {code for code, _ in self._found}
        return new

    # ---- heat ----

    def _look_at_heat(self, plc: SoftPlc, plant: Plant, a: Actuators, at_s: float, dt_s: float) -> None:
        find, chamber = self._found.append, plant.chamber
        if plc.silent_s > T_WD_S + dt_s + _EPS or plc.block is None:
            find(("U2", f"heat on {plc.silent_s:.1f} s after the last valid block"))
        number = plant.state.item
        mbar = number(_PRESSURE) / PA_PER_MBAR
        wet = plant.wettest > WET
        if wet or chamber.vapour_lel_pct > OPEN_LEL_PCT:
            if not plc.guards.purge_proven:
                find(("U1", "heat on with solvent and no purge proven"))
            if self._lasts("air", mbar > VACUUM_MBAR and chamber.o2_pct > O2_PCT, at_s, AIR_GRACE_S):
                find(("U1", f"heat on with solvent at {chamber.o2_pct:.1f} vol% O2 and {mbar:.0f} mbar"))
        lost = number(_EXHAUST_FAN) <= RUNS or number(_CHILLER) <= RUNS or (number(_CIRCULATION) <= RUNS and mbar > CIRCULATION_MBAR)
        if self._lasts("service", wet and lost, at_s, SERVICE_GRACE_S):
            find(("U6", "heat on and solvent in the film without exhaust, condenser or circulation"))
        blind = self._blind
        if blind:
            driven = [zone for zone in blind if a.zone_op_pct[zone - 1] > 0.0]
            if self._lasts("sensors", bool(driven), at_s, SENSOR_GRACE_S):
                find(("U3", f"heat on in zones {driven} with fewer than two valid thermocouples"))
            direct = plc.block is not None and plc.block.outputs.direct_output
            if self._lasts("direct", bool(driven) and direct, at_s, SENSOR_GRACE_S):
                find(("U11", f"direct output for zones {driven} from BAD inputs"))
        elif self._since_s:
            self._since_s.pop("sensors", None)
            self._since_s.pop("direct", None)

    def _look_at_permission(self, plc: SoftPlc, heats: bool) -> None:
        """After a trip, ABORT (see the blocks) or PLC start, heat waits for a reset edge and then a purge permission."""
        tripped = plc.state == _TRIPPED
        if plc.boot_id != self._boot_id or (tripped and not self._tripped):
            self._locked, self._reset_seen = True, False
        self._boot_id, self._tripped = plc.boot_id, tripped
        if heats and self._locked:
            self._found.append(("U10", "heat on after a trip, abort or start without reset and purge permission"))

    def _look_at_rate(self, plc: SoftPlc, heats: bool, dt_s: float) -> None:
        applied_c, was_c = plc.loops.applied_c, self._applied_c
        if heats:
            rise_c = 0.0
            if self._heated and was_c is not None:
                rise_c = max(applied_c[0] - was_c[0], applied_c[1] - was_c[1], applied_c[2] - was_c[2])
            if rise_c > MAX_RATE_C_PER_MIN * dt_s / 60.0 + 1e-3 or max(applied_c) > MAX_SP_C + 1e-3:
                self._found.append(("U5", f"set points applied {max(applied_c):.1f} degC, rise {rise_c * 60.0 / dt_s:.1f} degC/min"))
        self._applied_c, self._heated = applied_c, heats

    # ---- gas and door ----

    def _look_at_valves(self, plant: Plant, a: Actuators, at_s: float) -> None:
        if a.vac_valve and (a.n2_valve or a.vent_valve):
            self._found.append(("U7", "vacuum valve driven open together with N2 inlet or vent"))
        number = plant.state.item
        if number(_VAC) > SHUT:
            both = (number(_N2) > SHUT or number(_VENT) > SHUT) and _truly_both(plant.field)
            if self._lasts("pair", both, at_s, PAIR_GRACE_S):
                self._found.append(("U7", "vacuum valve open together with N2 inlet or vent"))
        elif self._since_s:
            self._since_s.pop("pair", None)

    def _look_at_opening(self, plant: Plant, a: Actuators) -> None:
        chamber, hot_c = plant.chamber, plant.load_max_c
        mbar, lel_pct = chamber.pressure_pa / PA_PER_MBAR, chamber.vapour_lel_pct
        what = "door released" if not a.door_locked else "vent opened"
        if hot_c > OPEN_C:
            self._found.append(("U4", f"{what} at {hot_c:.0f} degC"))
        elif lel_pct > OPEN_LEL_PCT:
            self._found.append(("U4", f"{what} at {lel_pct:.0f} % LEL"))
        elif not a.door_locked and (abs(mbar - plant.parameters.ambient_mbar) > OPEN_BAND_MBAR or a.n2_valve):
            self._found.append(("U4", f"door released at {mbar:.0f} mbar" + (" with N2 flowing" if a.n2_valve else "")))
        elif not a.door_locked and plant.door_closed and chamber.o2_pct < OPEN_O2_PCT:
            self._found.append(("U4", f"door released on {chamber.o2_pct:.1f} vol% O2"))

    # ---- blocks ----

    def _look_at_block(self, plc: SoftPlc, block: Block, at_s: float, dt_s: float) -> None:
        find, o = self._found.append, block.outputs
        if o.mode == _RUN and (o.batch_id == 0 or o.recipe_crc == 0):
            find(("U8", "mode RUN without batch id or recipe hash"))
        may_heat = o.heat_enable and o.mode in (_RUN, _HOLD)
        if may_heat and (max(o.zone_sp_c) > MAX_SP_C + 1e-3 or o.rate_limit_c_per_min > MAX_RATE_C_PER_MIN + 1e-3):
            find(("U5", f"block asks for {max(o.zone_sp_c):.1f} degC at {o.rate_limit_c_per_min:.1f} degC/min"))
        if self._master not in (0, block.master) and at_s - self._master_at_s < LEASE_S:
            find(("U9", f"master {block.master} taken inside the lease of {self._master}"))
        self._master, self._master_at_s = block.master, at_s
        asks = o.heat_enable or o.mode == _RUN  # going to a safe state needs no image
        if asks and plc.age_s(block.source_alive) > STALE_S + dt_s + _EPS:  # one scan old already when the judge looks
            find(("U11", "block computed from an image older than 3 s"))
        if o.mode == _ABORT:
            self._locked, self._reset_seen = True, False
        if o.reset and not self._reset_was:
            self._reset_seen = True
        self._reset_was = o.reset
        if self._reset_seen and o.purge_permission and o.mode != _ABORT:
            self._locked = False
        self._look_at_soak(plc, block, at_s)

    def _look_at_soak(self, plc: SoftPlc, block: Block, at_s: float) -> None:
        o = block.outputs
        grows = o.phase_index == self._phase and o.soak_s > self._soak_s
        self._soak_s, self._phase = o.soak_s, o.phase_index
        if not (grows and o.phase_kind in (SOAK, CURE)):
            self._since_s.pop("band", None)
            self._since_s.pop("blind", None)
            return
        sp_c = sum(o.zone_sp_c) / 3.0
        off_c = max(sp_c - min(plc.plant.heaters.walls_c), plc.plant.load_max_c - sp_c)
        if self._lasts("band", off_c > BAND_C, at_s, BAND_GRACE_S):
            self._found.append(("U12", f"soak time counted {off_c:.1f} degC off the set point"))
        if self._lasts("blind", bool(self._blind), at_s, BLIND_GRACE_S):
            self._found.append(("U12", "soak time counted with fewer than two valid thermocouples"))

    def _lasts(self, key: str, is_so: bool, at_s: float, grace_s: float) -> bool:
        """Return whether ``is_so`` has held for longer than ``grace_s``."""
        if not is_so:
            if key in self._since_s:
                del self._since_s[key]
            return False
        return at_s - self._since_s.setdefault(key, at_s) > grace_s


def _truly_both(field: Field) -> bool:
    """Return whether vacuum and another valve are open and their switches do not lie."""
    return field.vac.lie is None and any(valve.position > SHUT and valve.lie is None for valve in (field.n2, field.vent))


def _blind_zones(v: Readings) -> list[int]:
    """Return the zones of which fewer than two control thermocouples read inside their range."""
    readings = _pick_tcs(v)
    if min(readings) >= -20.0 and max(readings) <= 400.0 and sum(readings) == sum(readings):
        return []
    inside = [-20.0 <= reading <= 400.0 for reading in readings]
    return [zone for zone in (1, 2, 3) if sum(inside[3 * zone - 3 : 3 * zone]) < 2]
