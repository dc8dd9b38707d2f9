"""What phases with heat share: set points under their atmosphere, the way to a temperature, guard, alarm bands, longest holdback."""

from typing import Final

from controller.image import Atmosphere, Setpoints
from controller.recipe import guard
from controller.recipe.conduct import HeldBack, ThermalPhase
from controller.recipe.look import NO_MEMORY, PhaseMemory, PhaseScan, gas_only
from controller.units import ATMOSPHERE_MBAR

AMBIENT_C: Final = 20.0
APPROACH_C_PER_MIN: Final = 2.0  # back to a soak's target after a hold [assume]
APPROACH_LAG_C: Final = 5.0
_VACUUM, _N2_FLOW = Atmosphere.VACUUM, Atmosphere.N2_FLOW  # through its class a member costs 0.1 us (Python 3.11)


def thermal(phase: ThermalPhase, heat: bool, temp_c: float, rate_c_per_min: float) -> Setpoints:
    """Return the set points of a phase with heat under its atmosphere."""
    atmosphere, pressure_mbar, flow_nm3_h = _N2_FLOW, ATMOSPHERE_MBAR, phase.n2_flow_nm3_h or 0.0
    if phase.atmosphere == "VACUUM":
        atmosphere, pressure_mbar, flow_nm3_h = _VACUUM, phase.pressure_mbar or 0.0, 0.0
    return Setpoints(heat, temp_c, rate_c_per_min, atmosphere, pressure_mbar, flow_nm3_h, False, phase.pid_set, phase.output_limit_pct,
                     phase.control_sensor)  # fmt: skip


def shut() -> Setpoints:
    """Return the set points of a phase that waits without heat: all valves shut."""
    return gas_only(Atmosphere.HOLD_CLOSED)


def atmosphere_ready(phase: ThermalPhase, s: PhaseScan, m: PhaseMemory = NO_MEMORY) -> str:
    """Return what the phase's atmosphere still waits for, "" when heat may begin."""
    pressure = s.process.pressure_mbar
    if pressure is None:
        return "a valid pressure"
    if phase.atmosphere == "VACUUM":
        limit = vacuum_limit_mbar(phase, m)
        if m.isolated_s > 0 or m.reopened:  # a pressure-rise test ends by itself before the vacuum proof does
            limit = max(limit, s.proving.proof_mbar)
        return "" if pressure <= limit else f"vacuum {pressure:.0f} <= {limit:.0f} mbar"
    if s.inputs.exhaust_valve_open.value is not True:
        return f"N2 to ambient pressure, {pressure:.0f} mbar"
    return ""


def vacuum_limit_mbar(phase: ThermalPhase, m: PhaseMemory) -> float:
    """Return the pressure up to which the vacuum stands as the phase asks, mbar."""
    wanted = max(phase.pressure_mbar or 0.0, m.guard_mbar)
    return max(2.0 * wanted, wanted + 5.0)


def gas(phase: ThermalPhase, m: PhaseMemory, s: PhaseScan) -> tuple[PhaseMemory, str]:
    """Return the memory (stage 1 from the first scan in which the atmosphere stood) and what the atmosphere waits for."""
    missing = atmosphere_ready(phase, s, m)
    return (m if missing or m.stage else m._replace(stage=1)), missing


def guarded(wanted: Setpoints, m: PhaseMemory, s: PhaseScan, ramping: bool = False) -> tuple[PhaseMemory, Setpoints]:
    """Return memory and set points with the vacuum as deep as the guard lets it be, and the guard's state noted."""
    m, wanted = guard.vacuum(wanted, m, s)
    return guard.noticed(m, s, ramping), wanted


def start_sp(s: PhaseScan) -> float:
    """Return the set point as it stands; the zones' temperature before there is one."""
    if s.temp_sp_c > 0:
        return s.temp_sp_c
    return s.process.temp_c if s.process.temp_c is not None else AMBIENT_C


def moved(sp_c: float, target_c: float, rate_c_per_min: float, dt_s: float) -> float:
    """Return the set point after ``dt_s`` on its way to ``target_c``."""
    step_c = rate_c_per_min / 60.0 * dt_s
    return min(sp_c + step_c, target_c) if sp_c < target_c else max(sp_c - step_c, target_c)


def approach(target_c: float, s: PhaseScan) -> float:
    """Return the next set point on the way to ``target_c``: after a hold it comes back at a rate, not in a jump."""
    sp, zones_c = start_sp(s), s.process.temp_c
    after = moved(sp, target_c, APPROACH_C_PER_MIN, s.dt_s)
    if after >= sp or zones_c is None:
        return after
    return min(sp, max(after, zones_c - APPROACH_LAG_C))  # downwards it waits for the zones, which I23 holds against it


def held(phase: HeldBack, m: PhaseMemory, waits: bool, s: PhaseScan) -> tuple[PhaseMemory, str]:
    """Return the memory with the time that the oven keeps the phase waiting, and why that is too long, "" when it is not."""
    if not waits:
        return (m._replace(held_s=0.0) if m.held_s else m), ""
    m = m._replace(held_s=m.held_s + s.dt_s)
    longest = phase.holdback_max_min
    if longest is None or m.held_s < 60.0 * longest:
        return m, ""
    return m, f"held back for {m.held_s / 60:.0f} min, allowed {longest:g} min"


def outside_band(phase: ThermalPhase, wanted: Setpoints, s: PhaseScan) -> str:
    """Return which alarm band of ``phase`` the temperature has left, "" when none."""
    zones, hottest = s.process.temp_c, s.process.hottest_c
    if zones is None or hottest is None:
        return ""
    low, high = (None, None) if phase.shut else (phase.alarm_dev_low_c, phase.alarm_dev_high_c)  # shut in there is no set point
    if high is not None and zones > wanted.temp_c + high:
        return f"zones {zones:.1f} degC, more than {high:g} degC above the set point {wanted.temp_c:.1f} degC"
    if low is not None and zones < wanted.temp_c - low:
        return f"zones {zones:.1f} degC, more than {low:g} degC below the set point {wanted.temp_c:.1f} degC"
    if phase.alarm_high_c is not None and hottest > phase.alarm_high_c:
        return f"hottest {hottest:.1f} degC, above {phase.alarm_high_c:g} degC"
    coldest = zones if s.process.load_min_c is None else min(zones, s.process.load_min_c)
    if phase.alarm_low_c is not None and coldest < phase.alarm_low_c:
        return f"coldest {coldest:.1f} degC, below {phase.alarm_low_c:g} degC"
    return ""
