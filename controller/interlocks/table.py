"""The interlock table: one row per rule, in order of precedence. Thresholds stand in ``limits``; effects and resets here.

This software is the basic process control layer and no safety function. Rows marked HW are hard-wired in the oven and act without it; it
reads them back, never commands against them, explains and logs them.
"""

from collections.abc import Iterator
from typing import Final

from controller.block import STOPPED, HeatBlock
from controller.interlocks import door
from controller.interlocks.atmosphere import FED_BAND_MBAR
from controller.interlocks.gauges import contradict
from controller.interlocks.rule import Effect, Reset, Rule, View, over, shown, under
from controller.interlocks.sensors import ECHO_LOOKS, unsettled
from controller.tags import Quality


def _off(value: bool | None) -> bool | None:
    return None if value is None else not value


def _above(value: float | None, limit: float) -> bool | None:
    return None if value is None else value > limit


def _below(value: float | None, limit: float) -> bool | None:
    return None if value is None else value < limit


def _hot(v: View) -> bool:
    return v.process.hot(v.limits.o2_quality_from_c)


def _needs_o2(v: View) -> bool:
    return v.phase.inert and v.phase.heating


def _warm(v: View) -> bool:
    """Return whether the load may be too hot to be opened."""
    return v.process.hot(v.equipment.open_c)


def _vapour(v: View) -> bool:
    """Return whether solvent may be in hot gas: the phase says so, or what was heated is hot, in whichever phase and state."""
    return v.phase.vapour or (v.phase.heated and _warm(v))


def _inerted(v: View) -> bool:
    """Return whether the gas must be inert, so that a valid reading of O2 counts: a hot chamber that nobody lets air into."""
    return (v.phase.inert and v.phase.vapour) or (v.phase.heated and not v.phase.air and not door.not_closed(v) and _warm(v))


def _vacuum_lost(v: View) -> bool | None:
    """Return whether air may come in: the vacuum that a phase asks for, or a hot shut chamber below ambient, rises without N2.

    Once the row stands it does so until N2 has filled the chamber, whatever becomes of phase, set points and temperature.
    """
    if "I6" in v.active and (v.phase.vapour or v.phase.heated):
        return _below(v.process.pressure_mbar, v.limits.o2_analyser_from_mbar)
    watched = (v.phase.vacuum and v.phase.vapour) or (v.proof.drawn and _vapour(v))
    shut_mbar = v.proof.shut_mbar
    if not watched and shut_mbar is not None and shut_mbar < v.limits.o2_analyser_from_mbar and _vapour(v):  # there O2 is not seen
        return _above(v.process.pressure_mbar, max(shut_mbar + FED_BAND_MBAR, v.limits.proof_mbar))
    return watched and _above(v.process.pressure_mbar, v.limits.proof_mbar)


def _no_n2_flows(v: View) -> bool | None:
    """Return whether the N2 that a lost vacuum asks for does not come: hardly anything flows, or without the meter its valve is shut.

    One limit switch against a meter that shows the flow aborts nothing; where the meter lies, I6T tells by the pressure.
    """
    if "I6" not in v.active:
        return False
    pressure, flow = v.process.pressure_mbar, v.inputs.n2_flow_nm3_h.value
    if pressure is None:  # then no N2 is let in on purpose (I4N), and I6 holds
        return None
    if pressure >= v.limits.o2_analyser_from_mbar:
        return False
    if flow is None and v.inputs.n2_valve_open.value is False:
        return True
    return _below(flow, FLOWS * v.equipment.max_n2_flow_nm3_h)


def _n2_stays_away(v: View) -> bool | None:
    """Return whether the N2 that a hot phase asks for hardly comes; for a shut valve, C1N speaks too."""
    asked = v.last.n2_flow_sp_nm3_h
    if not (v.phase.inert and v.phase.vapour and asked > 0.0):
        return False
    return under(v, "I11F", v.inputs.n2_flow_nm3_h.value, v.limits.n2_flow_share * asked, 0.1 * asked)


def _n2_shown(v: View) -> str:
    return f"{shown(v.inputs.n2_flow_nm3_h.value)} of {v.last.n2_flow_sp_nm3_h:.1f} Nm3/h"


def _zone_above(v: View, rule: str, gap_c: float) -> bool:
    """Return whether a zone is hotter than the higher of its set point and the load's, which it may follow down only slowly."""
    heats = v.phase.heating or (v.phase.cooling and rule == "I23" and v.last.heat_enable)  # what cools slowly needs no warning
    if not heats or v.process.zone_max_c is None:
        return False
    top = max(*v.last.zone_sp_c, v.phase.temp_sp_c) - (2.0 if rule in v.active else 0.0)
    return v.process.zone_max_c > top + gap_c


def _heaters(v: View) -> Iterator[tuple[float | None, float]]:
    """Return each zone's applied output, %, with its slope, degC/min."""
    i = v.inputs
    return zip((i.z1_op_pct.value, i.z2_op_pct.value, i.z3_op_pct.value), v.slopes.slope_c_per_min, strict=True)


def _stuck_on(v: View) -> bool:
    rise = v.limits.stuck_on_c_per_min
    if max(v.slopes.slope_c_per_min) <= rise:
        return False
    return any(output is not None and output < 1.0 and slope > rise for output, slope in _heaters(v))


def _stalled(v: View) -> bool:
    if v.process.temp_c is None or v.process.temp_c >= v.phase.temp_sp_c - v.limits.deviation_warn_c:
        return False
    return any(output is not None and output > 99.0 and slope < v.limits.stall_c_per_min for output, slope in _heaters(v))


def _o2_spoils(v: View) -> bool | None:
    return v.phase.inert and v.phase.o2_limit_ppm > 0 and _hot(v) and _above(v.process.o2_pct, v.phase.o2_limit_ppm / 1e4)


def _not_purged(v: View) -> bool:
    return v.proof.cycles < v.limits.proof_cycles and v.proof.volumes < v.limits.proof_volumes


def _no_purge_possible(v: View) -> bool | None:
    """Return whether the N2 that is left would not do for an emergency purge of a batch with solvent in it."""
    if not v.phase.running:
        return False
    header, reserve = v.inputs.n2_header_bar.value, v.inputs.n2_reserve_nm3.value
    if header is None and reserve is None:
        return None
    gone = header is not None and header < v.limits.n2_none_bar
    return gone or (reserve is not None and reserve < v.equipment.emergency_purge_nm3)


def _trap_fills(v: View) -> bool | None:
    collected = v.inputs.condensate_kg.value
    if collected is None or not v.phase.running or not v.estimate.valid:
        return False
    return collected + v.estimate.evolution_kg_h.value * v.limits.trap_ahead_h > v.equipment.trap_kg


def _duct_overloaded(v: View) -> bool:
    """Return whether the solvent that comes off would pass lel_hold_pct in the exhaust duct if the condenser took nothing."""
    flow = v.inputs.exhaust_flow_m3_h.value
    if flow is None or not v.phase.inert or not v.estimate.valid:
        return False
    allowed_kg_h = 1e-5 * v.limits.lel_hold_pct * v.limits.lel_g_m3 * flow
    return v.estimate.evolution_kg_h.value > allowed_kg_h * (0.9 if "I17L" in v.active else 1.0)


def _zone_below(v: View) -> bool:
    """Return whether the zones hang behind the load's set point by more than the warning's deviation; the ramp then waits (holdback)."""
    if not v.phase.heating or v.process.temp_c is None or not v.last.heat_enable:
        return False
    return v.process.temp_c < v.phase.temp_sp_c - v.limits.deviation_warn_c + (2.0 if "I23L" in v.active else 0.0)


def _services_lost(v: View) -> bool | None:
    i = v.inputs
    exhaust, condenser, circulation = i.exhaust_run.value, i.condenser_run.value, i.circulation_run.value
    return None if exhaust is None or condenser is None or circulation is None else not (exhaust and condenser and circulation)


def _services_lost_hot(v: View) -> bool | None:
    return (v.phase.heating or (v.phase.running and _warm(v))) and _services_lost(v)


def _contradicts(wanted: bool, opened: bool | None, closed: bool | None) -> bool | None:
    return None if opened is None or closed is None else opened is not wanted or closed is wanted


def _vent_contradicts(v: View) -> bool | None:
    """Return whether the vent is not where it should be; one at rest is asked for, and the PLC opens it by its own measure."""
    opened, closed = v.inputs.vent_valve_open.value, v.inputs.vent_valve_closed.value
    if v.last.vent_valve and not v.phase.running:
        return None if opened is None or closed is None else opened is closed
    return _contradicts(v.last.vent_valve, opened, closed)


def _heat_refused(v: View) -> bool | None:
    return v.last.heat_enable and _off(v.inputs.plc_heat_permitted.value)


def _heat_refused_by(v: View) -> object:
    bits = v.inputs.plc_heat_block.value
    return None if bits is None else (HeatBlock(int(bits)).name or int(bits))


def _substituted(v: View) -> bool:
    return v.limits.load_substitute and v.process.load_lost and v.estimate.valid and v.phase.heating


def _blisters(v: View) -> bool:
    return v.estimate.valid and bool(over(v, "I18B", v.estimate.blister, v.limits.blister_warn, 0.05))


def _n2_dams_up(v: View) -> bool | None:
    """Return whether N2 that is fed does not leave the chamber; once it is shut off, until the pressure has come down."""
    fed = v.last.n2_valve or "I4E" in v.active
    return fed and over(v, "I4E", v.process.pressure_mbar, v.limits.n2_stop_mbar, 25.0)


def _gauge_lost(v: View) -> bool:
    """Return whether one of the gauges that this oven has gives no reading."""
    gauges = (v.inputs.pressure_cap_mbar, v.inputs.pressure_pirani_mbar)
    return any(gauge.value is None and gauge.quality is not Quality.ABSENT for gauge in gauges)


def _still(v: View) -> bool:
    """Return whether PT-301 stands still to the last digit in a vacuum of which no other gauge tells."""
    return v.proof.gauges.still_s >= v.limits.gauge_digit_s


def _gauges_shown(v: View) -> str:
    return f"PT-301 {shown(v.inputs.pressure_cap_mbar.value)}, PT-302 {shown(v.inputs.pressure_pirani_mbar.value)} mbar"


def _too_fast(v: View) -> bool:
    return v.estimate.valid and v.estimate.evolution_kg_h.value > v.limits.evolution_share * v.equipment.solvent_kg_h


def _much_too_fast(v: View) -> bool:
    return v.phase.heating and v.estimate.valid and v.estimate.evolution_kg_h.value > v.equipment.solvent_kg_h


def _one_out(v: View) -> bool:
    return bool(v.sensors.out) or 2 in v.process.zones_valid


def _voted_out(v: View) -> str:
    return v.sensors.told or "thermocouples that vote, by zone: " + ", ".join(str(valid) for valid in v.process.zones_valid)


W, P_START, P_HEAT, P_VENT, HOLD, SUSPEND, ABORT = (
    Effect.WARN,
    Effect.NO_START,
    Effect.NO_HEAT,
    Effect.NO_VENT,
    Effect.HOLD,
    Effect.SUSPEND,
    Effect.ABORT,
)
AUTO, OPERATOR, MANUAL = Reset.AUTO, Reset.OPERATOR, Reset.MANUAL
FLOWS: Final = 0.2  # of the N2 controller's full scale: what flows at least when N2 is let in

RULES: Final[tuple[Rule, ...]] = (
    # id, text, effect, reset, delay, with bad inputs, condition, shown value
    Rule("I1", "excess-temperature limiter has acted", ABORT | P_START | P_HEAT, MANUAL, 0, True,
         lambda v: _off(v.inputs.overtemp_ok.value), hard_wired=True),
    Rule("I2", "emergency stop or hard-wired chain open", ABORT | P_START | P_HEAT, MANUAL, 0, True,
         lambda v: not (v.inputs.estop_ok.value and v.inputs.hardwired_ok.value), hard_wired=True),
    Rule("I3", "door not closed", P_START | P_HEAT, AUTO, 0, True, door.not_closed, hard_wired=True),
    Rule("I3D", "the door's two switches disagree", W, AUTO, 10, False, door.denied),
    Rule("I3N", "door open: no N2 into the room", Effect.NO_N2, AUTO, 0.5, False, door.not_closed),
    Rule("I3L", "door not locked", P_HEAT, AUTO, 0, True, lambda v: _off(v.inputs.door_locked.value), hard_wired=True),
    Rule("I3T", "door opened while running", ABORT | P_HEAT, MANUAL, 0.5, False,
         lambda v: v.phase.running and door.not_closed(v), hard_wired=True),
    Rule("I3U", "door does not stay locked while running", HOLD | P_HEAT, OPERATOR, 10, True,
         lambda v: v.phase.running and _off(v.inputs.door_locked.value), hard_wired=True),
    Rule("I4W", "chamber pressure high", W, AUTO, 1, False,
         lambda v: over(v, "I4W", v.process.pressure_mbar, v.limits.overpressure_warn_mbar, 10.0), lambda v: v.process.pressure_mbar),
    Rule("I4", "over-pressure, or the relief has lifted", ABORT | P_HEAT | Effect.NO_N2, MANUAL, 0, False,
         lambda v: v.inputs.relief_ok.value is False or _above(v.process.pressure_mbar, v.limits.overpressure_mbar),
         lambda v: v.process.pressure_mbar, hard_wired=True),
    # what is shut in at a slight overpressure is inert: the feed goes on when the pressure has come down, heat when somebody has seen to it
    Rule("I4E", "N2 does not leave the chamber: its feed is shut until the pressure has come down", Effect.NO_N2, AUTO, 0, False,
         _n2_dams_up, lambda v: v.process.pressure_mbar),
    Rule("I4S", "N2 still does not leave the chamber: exhaust blocked", HOLD | P_HEAT, OPERATOR, 5, False,
         lambda v: (v.phase.running or v.phase.heated) and "I4E" in v.active and _n2_dams_up(v), lambda v: v.process.pressure_mbar),
    Rule("I4G", "pressure gauges contradict each other", HOLD | P_HEAT, OPERATOR, lambda x: x.gauge_s, False,
         lambda v: contradict(v.limits, v.inputs), _gauges_shown),
    Rule("I4F", "pressure gauge stands still, or does not follow N2 or pump: frozen, or the gas goes elsewhere", HOLD | P_HEAT,
         OPERATOR, 0, False, lambda v: v.proof.gauges.frozen or (_still(v) and not _gauge_lost(v)), _gauges_shown),
    Rule("I4L", "a pressure gauge gives no reading: nothing contradicts the other", W, AUTO, 10, False, _gauge_lost, _gauges_shown),
    Rule("I4T", "a hot vacuum has been watched by one pressure gauge for too long", HOLD | P_HEAT, OPERATOR,
         lambda x: x.gauge_lost_s, False, lambda v: v.phase.vacuum and v.phase.vapour and _gauge_lost(v), _gauges_shown),
    # a live gauge moves by its noise; a hot vacuum is held by I4T already
    Rule("I4D", "PT-301 stands still to the last digit in a vacuum, and PT-302 gives no reading: nobody sees the pressure", W, AUTO, 0,
         False, lambda v: _still(v) and _gauge_lost(v), _gauges_shown),
    Rule("I4N", "pressure not known and the exhaust not open: no N2, the relief could lift", Effect.NO_N2, AUTO, 0, False,
         lambda v: v.process.pressure_mbar is None and v.inputs.exhaust_valve_open.value is not True),
    Rule("I5", "atmosphere not proven", P_HEAT, AUTO, 0, True, lambda v: not v.proof.proven),
    Rule("I10", "purge not proven: too few N2 cycles and too few chamber volumes", P_HEAT, AUTO, 0, True, _not_purged,
         lambda v: f"{v.proof.cycles} cycles, {v.proof.volumes:.1f} volumes"),
    Rule("I6", "pressure rises while hot on the vacuum path", HOLD | P_HEAT | Effect.PURGE, MANUAL, 5, True, _vacuum_lost,
         lambda v: v.process.pressure_mbar),
    Rule("I6T", "N2 does not fill the chamber after a pressure rise", ABORT | P_HEAT, MANUAL, 300, False,
         lambda v: "I6" in v.active and _below(v.process.pressure_mbar, v.limits.o2_analyser_from_mbar), lambda v: v.process.pressure_mbar),
    Rule("I6N", "no N2 flows in after a pressure rise", ABORT | P_HEAT, MANUAL, 30, False, _no_n2_flows,
         lambda v: v.inputs.n2_flow_nm3_h.value),
    Rule("I7W", "O2 in the chamber is rising", W, AUTO, 10, False,
         lambda v: _inerted(v) and over(v, "I7W", v.process.o2_pct, v.limits.o2_warn_pct, 0.2),
         lambda v: v.process.o2_pct),
    Rule("I7", "O2 in the chamber too high for solvent vapour", ABORT | P_HEAT | Effect.PURGE, MANUAL, 10, False,
         lambda v: _inerted(v) and _above(v.process.o2_pct, v.limits.proof_o2_pct), lambda v: v.process.o2_pct),
    Rule("I8W", "O2 above the quality limit for bare copper", W, OPERATOR, 60, False,
         lambda v: _o2_spoils(v) and not v.phase.hold_on_o2, lambda v: v.process.o2_pct),
    Rule("I8", "O2 above the quality limit for bare copper", HOLD, OPERATOR, 60, False,
         lambda v: _o2_spoils(v) and v.phase.hold_on_o2, lambda v: v.process.o2_pct),
    Rule("I9", "O2 reading is no evidence while it is needed", SUSPEND | P_HEAT, AUTO, 30, True,
         lambda v: _needs_o2(v) and v.process.o2_pct is None),
    Rule("I9T", "O2 reading has been no evidence for too long", ABORT, OPERATOR, lambda x: x.o2_invalid_abort_s, True,
         lambda v: _needs_o2(v) and v.process.o2_pct is None),
    Rule("I11W", "N2 header pressure low", W, AUTO, 5, False,
         lambda v: under(v, "I11W", v.inputs.n2_header_bar.value, v.limits.n2_low_warn_bar, 0.3), lambda v: v.inputs.n2_header_bar.value),
    Rule("I11P", "N2 reserve below one emergency purge", P_START, AUTO, 5, True,
         lambda v: _below(v.inputs.n2_reserve_nm3.value, v.equipment.emergency_purge_nm3), lambda v: v.inputs.n2_reserve_nm3.value),
    Rule("I11", "N2 supply too low", SUSPEND | P_START | P_HEAT, AUTO, 5, True,
         lambda v: under(v, "I11", v.inputs.n2_header_bar.value, v.limits.n2_low_bar, 0.3), lambda v: v.inputs.n2_header_bar.value),
    Rule("I11R", "N2 reserve low for a batch", W, AUTO, 5, False,
         lambda v: v.phase.running and under(v, "I11R", v.inputs.n2_reserve_nm3.value,
                                              v.limits.n2_reserve_warn * v.equipment.emergency_purge_nm3, 2.0),
         lambda v: v.inputs.n2_reserve_nm3.value),
    Rule("I11T", "no N2 for an emergency purge", ABORT | P_HEAT, OPERATOR, 60, False, _no_purge_possible,
         lambda v: f"header {shown(v.inputs.n2_header_bar.value)} bar, reserve {shown(v.inputs.n2_reserve_nm3.value)} Nm3"),
    Rule("I11F", "N2 flow far below its set point while hot", SUSPEND | P_HEAT, AUTO, 30, True, _n2_stays_away, _n2_shown),
    Rule("I11S", "N2 flow stays far below its set point while hot", HOLD | P_HEAT, OPERATOR, lambda x: x.n2_flow_hold_s, True,
         _n2_stays_away, _n2_shown),
    Rule("I11M", "the N2 meter gives no reading: no purge and no cycle counts", W, AUTO, 5, False,
         lambda v: v.inputs.n2_flow_nm3_h.value is None),
    Rule("I12", "vacuum not reached in time", HOLD, OPERATOR, 0, False, lambda v: v.phase.timeout == "I12", without_plc=True),
    Rule("I12T", "vacuum not reached, and nobody has dealt with it", ABORT, OPERATOR, lambda x: x.unattended_s, False,
         lambda v: v.phase.running and "I12" in v.active, without_plc=True),
    Rule("I13", "leak rate too high", HOLD | P_HEAT, OPERATOR, 0, False, lambda v: v.phase.failed == "I13", without_plc=True),
    Rule("I13W", "leak rate grows", W, OPERATOR, 0, False, lambda v: v.phase.leak_grows != "", lambda v: v.phase.leak_grows,
         without_plc=True),
    Rule("I13L", "pressure-rise test of the hot oven: more than the film can bring, air leaks in", W, OPERATOR, 0, False,
         lambda v: v.phase.leak_mbar_min > v.limits.leak_hot_mbar_min, lambda v: f"{v.phase.leak_mbar_min:.2f} mbar/min", without_plc=True),
    # the estimator's result comes seconds after the chamber is opened
    Rule("I13B", "pressure-rise tests have no valid result again and again: nothing tells a leak that the pump masters", W, OPERATOR, 15,
         False, lambda v: v.phase.blind_rises >= v.limits.blind_rises, lambda v: v.phase.blind_rises, without_plc=True),
    Rule("I14", "vacuum pump has stopped", HOLD | P_HEAT | Effect.ISOLATE, OPERATOR, 3, True,
         lambda v: v.last.pump and not v.pump_starts and _off(v.inputs.pump_run.value)),
    Rule("I14S", "vacuum pump does not start", HOLD | P_HEAT | Effect.ISOLATE, OPERATOR, 8, True,
         lambda v: v.last.pump and v.pump_starts and _off(v.inputs.pump_run.value)),
    Rule("I15P", "exhaust, condenser or circulation does not run", P_HEAT, AUTO, 0, True, _services_lost),
    Rule("I15", "exhaust, condenser or circulation lost while hot", HOLD | P_HEAT, OPERATOR, 5, True, _services_lost_hot),
    Rule("I15T", "exhaust, condenser or circulation stays lost", ABORT, OPERATOR, lambda x: x.solvent_phase_abort_s, True,
         _services_lost_hot),
    Rule("I16", "solvent vapour in the exhaust", HOLD | P_HEAT | W, MANUAL, 2, True,
         lambda v: v.phase.solvent and over(v, "I16", v.inputs.exhaust_lel_pct.value, v.limits.lel_hold_pct, 3.0),
         lambda v: v.inputs.exhaust_lel_pct.value),
    Rule("I16T", "solvent vapour in the exhaust dangerous", ABORT | P_HEAT, MANUAL, 1, False,
         lambda v: _above(v.inputs.exhaust_lel_pct.value, v.limits.lel_abort_pct),
         lambda v: v.inputs.exhaust_lel_pct.value, hard_wired=True),
    Rule("I17", "cold trap nearly full", P_START | W, AUTO, 5, False,
         lambda v: over(v, "I17", v.inputs.condensate_kg.value, v.limits.trap_share * v.equipment.trap_kg, 0.1),
         lambda v: v.inputs.condensate_kg.value),
    Rule("I17B", "at the present evolution the cold trap will soon be full", W, AUTO, 60, False, _trap_fills,
         lambda v: v.inputs.condensate_kg.value),
    Rule("I17T", "cold trap full", HOLD | P_HEAT, OPERATOR, 30, False,
         lambda v: v.phase.running and _above(v.inputs.condensate_kg.value, v.equipment.trap_kg), lambda v: v.inputs.condensate_kg.value),
    Rule("I17L", "without its condenser the exhaust duct could not take this solvent", W, AUTO, 60, False, _duct_overloaded,
         lambda v: v.estimate.evolution_kg_h.value),
    # three estimates: the one after a look at the flux is off while the members find their balance; the guard does not wait for it
    Rule("I18", "solvent comes faster than condenser and pump take it", W, AUTO, 90, False, _too_fast,
         lambda v: v.estimate.evolution_kg_h.value),
    Rule("I18T", "solvent comes faster than condenser and pump can take, though the ramp waits", HOLD, AUTO, 300, False, _much_too_fast,
         lambda v: v.estimate.evolution_kg_h.value),
    Rule("I18B", "solvent's vapour pressure in the rubbery film above the chamber's: blisters", W, AUTO, 60, False, _blisters,
         lambda v: v.estimate.blister),
    Rule("I19", "unsafe to let air in or to open", P_VENT, AUTO, 0, True, door.unsafe_for_air, door.air_shown),
    Rule("I19D", "chamber below ambient pressure: the door stays locked, air may be let in", Effect.NO_DOOR, AUTO, 0, True,
         door.held_by_vacuum, lambda v: v.process.pressure_mbar),
    Rule("I19N", "no air to breathe behind the door: it stays locked, air may be drawn through", Effect.NO_DOOR, AUTO, 0, True,
         door.unbreathable, door.breath_shown),
    Rule("I19S", "air was drawn through for long, and there is none to breathe behind the door", W, AUTO, door.sweeps_long_s, False,
         lambda v: v.phase.sweeps and "I19N" in v.active, door.breath_shown),
    Rule("I20W", "O2 in the room low", W, AUTO, 5, False,
         lambda v: under(v, "I20W", v.inputs.room_o2_pct.value, v.limits.room_o2_warn_pct, 0.3), lambda v: v.inputs.room_o2_pct.value),
    Rule("I20", "O2 in the room dangerous: leave the room", HOLD | P_HEAT | P_START | Effect.NO_N2, MANUAL, 2, False,
         lambda v: _below(v.inputs.room_o2_pct.value, v.limits.room_o2_pct), lambda v: v.inputs.room_o2_pct.value, hard_wired=True),
    Rule("I21W", "a control thermocouple is voted out", W, AUTO, 3, False, _one_out, _voted_out),
    Rule("I21V", "a control thermocouple has jumped, stuck or disagreed: acknowledge when it agrees", W, OPERATOR, 0, False,
         lambda v: bool(v.sensors.out) and unsettled(v.sensors, v.limits), _voted_out),
    Rule("I21", "a zone has fewer than two valid thermocouples", HOLD | P_HEAT | P_START, OPERATOR, 1, True,
         lambda v: min(v.process.zones_valid) < 2, _voted_out),
    Rule("I21L", "a load thermocouple is lost: no soak counts, no air is let in", W, AUTO, 5, False, lambda v: v.process.load_lost),
    Rule("I21M", "a load thermocouple that is not required is lost", W, AUTO, 5, False,
         lambda v: v.process.load_missing and not v.process.load_lost),
    Rule("I21S", "a lost load thermocouple is replaced by the estimate: soaks count on it", W, AUTO, 0, False, _substituted),
    Rule("I22W", "control and limit thermocouples disagree", W, AUTO, 120, False,
         lambda v: over(v, "I22W", v.process.limit_gap_c, v.limits.disagree_warn_c, 2.0)),
    Rule("I22", "control and limit thermocouples contradict each other", HOLD | P_HEAT, OPERATOR, 5, False,
         lambda v: over(v, "I22", v.process.limit_gap_c, v.limits.disagree_c, 2.0)),
    Rule("I22R", "load warms though it is warmer than every zone: the zones' thermocouples are wrong together", HOLD | P_HEAT, OPERATOR,
         0, False, lambda v: v.sensors.zones_low, lambda v: v.process.load_max_c),
    Rule("I23W", "zone above its set point", W, AUTO, 60, False, lambda v: _zone_above(v, "I23W", v.limits.deviation_warn_c)),
    Rule("I23", "zone far above its set point", ABORT | P_HEAT, OPERATOR, 10, False, lambda v: _zone_above(v, "I23", v.limits.deviation_c)),
    Rule("I23L", "zones below the set point: the ramp waits", W, AUTO, 60, False, _zone_below, lambda v: v.process.temp_c),
    Rule("I23R", "temperature outside the recipe's alarm band", W, AUTO, 10, False, lambda v: v.phase.band != "", lambda v: v.phase.band,
         without_plc=True),
    Rule("I24", "a zone heats at zero output: contactor or SSR stuck", ABORT | P_HEAT, MANUAL, 90, False, _stuck_on),
    Rule("I25W", "a zone hardly heats at full output", W, AUTO, lambda x: x.stall_s / 3, False, _stalled),
    Rule("I25", "a zone does not heat at full output", HOLD | W, OPERATOR, lambda x: x.stall_s, False, _stalled),
    Rule("I26", "phase took too long", HOLD, OPERATOR, 0, False, lambda v: v.phase.timeout == "I26", without_plc=True),
    Rule("I26B", "batch took too long", HOLD, OPERATOR, 0, False,
         lambda v: v.phase.running and v.inputs.at_s - v.phase.began_s > 3600.0 * v.limits.batch_h,
         lambda v: round((v.inputs.at_s - v.phase.began_s) / 3600.0, 1), without_plc=True),
    Rule("I27W", "PLC image stale", W | P_HEAT | P_START | P_VENT, AUTO, 0, True,
         lambda v: v.inputs.plc_alive.value is None, without_plc=True),
    Rule("I27", "PLC image lost", HOLD | P_HEAT | P_START, AUTO, lambda x: x.wire_hold_s, True,
         lambda v: v.inputs.plc_alive.value is None, without_plc=True),
    Rule("I27T", "PLC image lost for long", HOLD | P_HEAT | P_START, OPERATOR, 60, True,
         lambda v: v.inputs.plc_alive.value is None, without_plc=True),
    Rule("I28", "PLC went to its safe state or tripped", HOLD | P_HEAT, OPERATOR, 0, False,
         lambda v: v.phase.running and v.inputs.plc_state.value in STOPPED, lambda v: v.inputs.plc_state.value),
    Rule("I28E", "PLC does not take the command blocks", HOLD | P_HEAT, OPERATOR, 0, False,
         lambda v: v.phase.running and v.sensors.echo_looks >= ECHO_LOOKS),
    Rule("I28L", "local/remote switch in local", HOLD | P_START, OPERATOR, 0, False, lambda v: v.inputs.remote.value is False),
    Rule("I28W", "the PLC's watchdog is off", P_START, AUTO, 0, True, lambda v: _below(v.inputs.plc_watchdog_s.value, 0.1),
         lambda v: v.inputs.plc_watchdog_s.value),
    Rule("I29", "power came back: the batch goes on as the recovery policy says, with heat only after the proof", W, OPERATOR, 0, False,
         lambda v: v.phase.running and bool(v.sensors.restarted), lambda v: v.sensors.restarted, without_plc=True),
    Rule("I30", "journal cannot be trusted", HOLD | P_START, OPERATOR, 5, True,
         lambda v: _off(v.inputs.journal_ok.value), without_plc=True),
    Rule("I30D", "disk nearly full", W | P_START, AUTO, 10, True,
         lambda v: under(v, "I30D", v.inputs.disk_free_pct.value, v.limits.disk_pct, 1.0),
         lambda v: v.inputs.disk_free_pct.value, without_plc=True),
    Rule("I30C", "wall clock was moved", W | P_START, OPERATOR, 0, False,
         lambda v: _above(None if (step_s := v.inputs.clock_step_s.value) is None else abs(step_s), v.limits.clock_step_s),
         lambda v: v.inputs.clock_step_s.value, without_plc=True),
    Rule("I31", "model outside its validity: the time recipe rules", W, AUTO, 60, False,
         lambda v: v.phase.running and (not v.estimate.valid or v.phase.unforeseen), lambda v: v.estimate.why_invalid or "no forecast",
         without_plc=True),
    Rule("I31T", "endpoint not reached in the recipe's time, or passed: somebody must decide", HOLD, OPERATOR, 0, False,
         lambda v: v.phase.timeout == "I31T", without_plc=True),
    Rule("I32", "gateway or broker lost: no effect on the batch", W, AUTO, 10, False,
         lambda v: _off(v.inputs.gateway_ok.value), without_plc=True),
    Rule("I33W", "proof test of a safety device overdue", W, AUTO, 0, False,
         lambda v: _above(v.inputs.proof_due.value, 0), lambda v: v.inputs.proof_due.value, without_plc=True),
    Rule("I34", "recipe of the batch is not the approved one, or its approval counts no more", HOLD, OPERATOR, 0, True,
         lambda v: v.phase.running and _off(v.inputs.recipe_ok.value), without_plc=True),
    Rule("C1V", "vacuum valve contradicts its command", HOLD | P_HEAT, OPERATOR, 5, False,
         lambda v: _contradicts(v.last.vac_valve, v.inputs.vac_valve_open.value, v.inputs.vac_valve_closed.value)),
    Rule("C1N", "N2 valve contradicts its command", HOLD | P_HEAT, OPERATOR, 5, False,
         lambda v: _contradicts(v.last.n2_valve, v.inputs.n2_valve_open.value, v.inputs.n2_valve_closed.value)),
    Rule("C1A", "air vent valve contradicts its command", HOLD | P_HEAT, OPERATOR, 5, False,
         _vent_contradicts),
    Rule("C1E", "exhaust valve contradicts its command", HOLD | P_HEAT, OPERATOR, 5, False,
         lambda v: _contradicts(v.last.exhaust_valve, v.inputs.exhaust_valve_open.value, v.inputs.exhaust_valve_closed.value)),
    Rule("C2", "heat contactor closed while no heat is asked for", ABORT | P_HEAT, MANUAL, 5, False,
         lambda v: not v.last.heat_enable and v.inputs.main_contactor.value),
    Rule("C3", "the PLC refuses heat", HOLD, OPERATOR, 10, True, _heat_refused, _heat_refused_by),
)  # fmt: skip
