"""What each kind of phase does in one scan. A phase is a class in ``model`` and a function here.

Each function gets the phase, what it remembers and what it may look at, and returns what it remembers next, the set points, and whether
it is done, waiting or failed.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from controller.image import Atmosphere, Estimate, Inputs, Process, Setpoints
from controller.recipe.model import (
    Cool,
    Cure,
    CyclePurge,
    End,
    Endpoint,
    Evacuate,
    Kind,
    LeakTest,
    Phase,
    PurgeFlow,
    Ramp,
    Soak,
    ThermalPhase,
    Vent,
)
from controller.units import ATMOSPHERE_MBAR

AMBIENT_C: Final = 20.0
APPROACH_C_PER_MIN: Final = 2.0  # back to a soak's target after a hold [assume]
COOL_LAG_C: Final = 5.0
SETTLE_S: Final = 120.0  # after closing the valves, before the pressure rise is believed: gas cools and walls outgas


class PhaseMemory(NamedTuple):
    """What a phase remembers; it starts anew with every phase."""

    elapsed_s: float = 0.0
    stage: int = 0
    stage_s: float = 0.0
    counted_s: float = 0.0  # soak time in band
    cycles: int = 0
    volumes: float = 0.0
    mark: float = 0.0  # pressure at the start of a leak test's rise, mbar
    ripe_s: float = 0.0  # how long the endpoint has been met


class PhaseScan(NamedTuple):
    """What a phase may look at."""

    inputs: Inputs
    process: Process
    estimate: Estimate
    endpoint: Endpoint | None  # of the recipe that runs
    dt_s: float
    temp_sp_c: float  # where the ramp generator stands
    slow: bool  # the guard asks the ramp to wait (I18)
    chamber_m3: float
    max_n2_flow_nm3_h: float


class Step(NamedTuple):
    """What a phase did: its next memory, what it wants, whether it is done, what it waits for, which rule it failed."""

    memory: PhaseMemory
    setpoints: Setpoints
    done: bool = False
    waiting: str = ""
    failed: str = ""
    why: str = ""
    leak_ok: bool | None = None


def run(phase: Phase, memory: PhaseMemory, scan: PhaseScan) -> Step:
    """Return what ``phase`` does in this scan."""
    return _FUNCTIONS[phase.kind](phase, memory, scan)


def timeout_rule(phase: Phase) -> str:
    """Return the rule that a timeout of ``phase`` raises: I12 for vacuum, I26 for the rest."""
    return "I12" if isinstance(phase, Evacuate | LeakTest | CyclePurge) else "I26"


def gas_only(atmosphere: Atmosphere, pressure_mbar: float = 0.0, n2_flow_nm3_h: float = 0.0) -> Setpoints:
    """Return set points without heat."""
    return Setpoints(False, 0.0, 0.0, atmosphere, pressure_mbar, n2_flow_nm3_h)


def _leak_test(phase: LeakTest, m: PhaseMemory, s: PhaseScan) -> Step:
    pressure = s.process.pressure_mbar
    if pressure is None:
        return Step(m, gas_only(Atmosphere.HOLD_CLOSED), waiting="a valid pressure")
    if m.stage == 0:
        reached = pressure <= phase.pressure_mbar
        m = m._replace(stage=int(reached), stage_s=0.0)
        return Step(m, gas_only(Atmosphere.VACUUM, 0.8 * phase.pressure_mbar), waiting=f"{pressure:.1f} <= {phase.pressure_mbar:g} mbar")
    m = m._replace(stage_s=m.stage_s + s.dt_s)
    closed = gas_only(Atmosphere.HOLD_CLOSED)
    if m.stage == 1:
        if m.stage_s < SETTLE_S:
            return Step(m, closed, waiting=f"settling {SETTLE_S - m.stage_s:.0f} s")
        return Step(m._replace(stage=2, stage_s=0.0, mark=pressure), closed)
    rise_mbar_h = (pressure - m.mark) / m.stage_s * 3600.0 if m.stage_s > 0 else 0.0
    if m.stage_s < phase.hold_min * 60:
        return Step(m, closed, waiting=f"rise {rise_mbar_h:.2f} mbar/h, {phase.hold_min * 60 - m.stage_s:.0f} s to go")
    why = f"pressure rise {rise_mbar_h:.2f} mbar/h over {m.stage_s:.0f} s, allowed {phase.max_rise_mbar_h:g} mbar/h"
    if rise_mbar_h > phase.max_rise_mbar_h:
        return Step(PhaseMemory(elapsed_s=m.elapsed_s), closed, failed="I13", why=why, leak_ok=False)
    return Step(m, closed, done=True, why=why, leak_ok=True)


def _evacuate(phase: Evacuate, m: PhaseMemory, s: PhaseScan) -> Step:
    pressure = s.process.pressure_mbar
    wanted = gas_only(Atmosphere.VACUUM, 0.9 * phase.pressure_mbar)
    if pressure is None:
        return Step(m, wanted, waiting="a valid pressure")
    reached = pressure <= phase.pressure_mbar
    m = m._replace(stage_s=m.stage_s + s.dt_s if reached else 0.0)
    return Step(m, wanted, m.stage_s >= 10.0, f"{pressure:.1f} <= {phase.pressure_mbar:g} mbar", why=f"{pressure:.1f} mbar reached")


def cycle_purge(low_mbar: float, high_mbar: float, cycles: int, m: PhaseMemory, s: PhaseScan) -> Step:
    """Return one scan of a cycle purge: down to ``low_mbar``, up to ``high_mbar`` with N2, ``cycles`` times; ends filled."""
    pressure = s.process.pressure_mbar
    if pressure is None:
        return Step(m, gas_only(Atmosphere.HOLD_CLOSED), waiting="a valid pressure")
    if m.stage == 0:
        m = m._replace(stage=int(pressure <= low_mbar))
        wanted = gas_only(Atmosphere.VACUUM, 0.8 * low_mbar)
        return Step(m, wanted, waiting=f"cycle {m.cycles + 1}/{cycles}: {pressure:.0f} <= {low_mbar:g} mbar")
    filled = pressure >= high_mbar
    m = m._replace(stage=0, cycles=m.cycles + 1) if filled else m
    wanted = gas_only(Atmosphere.BACKFILL, high_mbar + 5.0, s.max_n2_flow_nm3_h)
    waiting = f"cycle {m.cycles + 1}/{cycles}: {pressure:.0f} >= {high_mbar:g} mbar"
    return Step(m, wanted, m.cycles >= cycles, waiting, why=f"{m.cycles} cycles between {low_mbar:g} and {high_mbar:g} mbar")


def _cycle_purge(phase: CyclePurge, m: PhaseMemory, s: PhaseScan) -> Step:
    return cycle_purge(phase.low_mbar, phase.high_mbar, phase.cycles, m, s)


def flow_purge(flow_nm3_h: float, volumes: float, max_o2_pct: float, m: PhaseMemory, s: PhaseScan) -> Step:
    """Return one scan of a flow purge: counted from the measured N2 flow while the exhaust is open, and confirmed by a valid O2 reading."""
    flow, o2 = s.inputs.n2_flow_nm3_h.value, s.process.o2_pct
    if flow is not None and s.inputs.exhaust_valve_open.value is True:
        m = m._replace(volumes=m.volumes + flow / 3600.0 * s.dt_s / s.chamber_m3)
    wanted = gas_only(Atmosphere.N2_FLOW, ATMOSPHERE_MBAR, flow_nm3_h)
    if m.volumes < volumes:
        return Step(m, wanted, waiting=f"{m.volumes:.1f} of {volumes:g} volumes")
    if o2 is None or o2 > max_o2_pct:
        return Step(m, wanted, waiting=f"O2 {'not valid' if o2 is None else f'{o2:.3f} vol%'}, wanted <= {max_o2_pct:g} vol%")
    return Step(m, wanted, done=True, why=f"{m.volumes:.1f} volumes, O2 {o2:.3f} vol%")


def _purge_flow(phase: PurgeFlow, m: PhaseMemory, s: PhaseScan) -> Step:
    return flow_purge(phase.n2_flow_nm3_h, phase.volumes, phase.max_o2_pct, m, s)


def thermal(phase: ThermalPhase, heat: bool, temp_c: float, rate_c_per_min: float) -> Setpoints:
    """Return the set points of a phase with heat under its atmosphere."""
    if phase.atmosphere == "VACUUM":
        return Setpoints(heat, temp_c, rate_c_per_min, Atmosphere.VACUUM, phase.pressure_mbar or 0.0, 0.0)
    return Setpoints(heat, temp_c, rate_c_per_min, Atmosphere.N2_FLOW, ATMOSPHERE_MBAR, phase.n2_flow_nm3_h or 0.0)


def atmosphere_ready(phase: ThermalPhase, s: PhaseScan) -> str:
    """Return what the phase's atmosphere still waits for, "" when heat may begin."""
    pressure = s.process.pressure_mbar
    if pressure is None:
        return "a valid pressure"
    if phase.atmosphere == "VACUUM":
        limit = max(2.0 * (phase.pressure_mbar or 0.0), (phase.pressure_mbar or 0.0) + 5.0)
        return "" if pressure <= limit else f"vacuum {pressure:.0f} <= {limit:.0f} mbar"
    if s.inputs.exhaust_valve_open.value is not True:
        return f"N2 to ambient pressure, {pressure:.0f} mbar"
    return ""


def _gas(phase: ThermalPhase, m: PhaseMemory, s: PhaseScan) -> tuple[PhaseMemory, str]:
    """Return the memory (stage 1 from the first scan in which the atmosphere stood) and what the atmosphere waits for."""
    gas = atmosphere_ready(phase, s)
    return (m if gas or m.stage else m._replace(stage=1)), gas


def _start_sp(s: PhaseScan) -> float:
    if s.temp_sp_c > 0:
        return s.temp_sp_c
    return s.process.temp_c if s.process.temp_c is not None else AMBIENT_C


def _approach(target_c: float, s: PhaseScan) -> float:
    """Return the next set point on the way to ``target_c``: after a hold it comes back at a rate, not in a jump."""
    sp, step_c = _start_sp(s), APPROACH_C_PER_MIN / 60.0 * s.dt_s
    return min(sp + step_c, target_c) if sp < target_c else max(sp - step_c, target_c)


def _ramp(phase: Ramp, m: PhaseMemory, s: PhaseScan) -> Step:
    start = s.process.temp_c
    sp = _start_sp(s)
    m, gas = _gas(phase, m, s)
    ahead_c = 0.0 if start is None else (sp - start if phase.target_c >= sp else start - sp)
    behind = start is None or ahead_c > phase.holdback_c
    if gas or behind or s.slow:
        why = gas or ("holdback: oven behind the set point" if behind else "I18: solvent comes too fast")
        return Step(m, thermal(phase, not gas, sp, phase.rate_c_per_min), waiting=why)
    step_c = phase.rate_c_per_min / 60.0 * s.dt_s
    sp = min(sp + step_c, phase.target_c) if sp < phase.target_c else max(sp - step_c, phase.target_c)
    return Step(
        m, thermal(phase, True, sp, phase.rate_c_per_min), sp == phase.target_c, f"set point {sp:.1f} degC", why="set point at its target"
    )


def _in_band(target_c: float, band_c: float, s: PhaseScan) -> bool:
    """Return whether every load thermocouple (the zones, when the load has none) is inside the band. BAD data is not in band."""
    low, high = s.process.load_min_c, s.process.load_max_c
    zone = s.process.temp_c
    if zone is None or s.process.load_lost or abs(zone - target_c) > band_c + 3.0:  # the zones lead the load by a few degrees
        return False
    low, high = (zone if low is None else low), (zone if high is None else high)
    return target_c - band_c <= low and high <= target_c + band_c


def _timer(target_c: float, band_c: float, m: PhaseMemory, s: PhaseScan, gas: str) -> tuple[PhaseMemory, str]:
    if gas:
        return m, gas
    if _in_band(target_c, band_c, s):
        return m._replace(counted_s=m.counted_s + s.dt_s), ""
    shown = "not valid" if s.process.load_min_c is None else f"{s.process.load_min_c:.1f} to {s.process.load_max_c:.1f} degC"
    return m, f"guaranteed soak: load {shown}, band {target_c:g} ± {band_c:g} degC"


def _soak(phase: Soak, m: PhaseMemory, s: PhaseScan) -> Step:
    m, gas = _gas(phase, m, s)
    m, waiting = _timer(phase.target_c, phase.band_c, m, s, gas)
    wanted = thermal(phase, not gas, _approach(phase.target_c, s), 0.0)
    return Step(m, wanted, m.counted_s >= phase.soak_min * 60, waiting, why=f"{m.counted_s / 60:.1f} min in band")


def ripe(endpoint: Endpoint | None, estimate: Estimate) -> bool:
    """Return whether the endpoint is met in this scan: solvent in the worst zone, insoluble content at its aim and inside its window."""
    return (
        endpoint is not None
        and estimate.valid
        and estimate.p_solvent_ok >= endpoint.probability
        and estimate.p_insoluble_in_window >= endpoint.probability
        and estimate.insoluble.value * 100 >= endpoint.insoluble_aim_pct
    )


def _persist_s(endpoint: Endpoint | None) -> float:
    return 0.0 if endpoint is None else endpoint.persist_min * 60


def _cure(phase: Cure, m: PhaseMemory, s: PhaseScan) -> Step:
    m, gas = _gas(phase, m, s)
    m, waiting = _timer(phase.target_c, phase.band_c, m, s, gas)
    met = ripe(s.endpoint, s.estimate)
    m = m._replace(ripe_s=m.ripe_s + s.dt_s if met else 0.0)
    wanted = thermal(phase, not gas, _approach(phase.target_c, s), 0.0)
    if met and m.counted_s >= phase.min_min * 60 and m.ripe_s >= _persist_s(s.endpoint):
        return Step(m, wanted, done=True, why="endpoint")
    if not s.estimate.valid and m.counted_s >= phase.fallback_min * 60:
        return Step(
            m, wanted, done=True, why=f"time recipe: {phase.fallback_min:g} min in band, model not valid ({s.estimate.why_invalid})"
        )
    e = s.estimate
    waiting = waiting or f"endpoint: P(solvent) {e.p_solvent_ok:.2f}, P(insoluble in window) {e.p_insoluble_in_window:.2f}"
    return Step(m, wanted, waiting=waiting)


def _cool(phase: Cool, m: PhaseMemory, s: PhaseScan) -> Step:
    hottest, zones = s.process.hottest_c, s.process.temp_c
    sp = max(s.temp_sp_c - phase.rate_c_per_min / 60.0 * s.dt_s, phase.target_c)
    if zones is not None:
        sp = max(sp, zones - COOL_LAG_C)  # the oven cools as slowly as it must; the set point waits for it
    # Heat only breaks the fall; below the last 20 K, and while the gas is changed, it stays off.
    heat = sp > phase.target_c + 20.0 and not atmosphere_ready(phase, s)
    wanted = thermal(phase, heat, sp, phase.rate_c_per_min)
    if hottest is None:
        return Step(m, wanted, waiting="a valid temperature")
    return Step(m, wanted, hottest <= phase.target_c, f"{hottest:.1f} <= {phase.target_c:g} degC", why=f"hottest {hottest:.1f} degC")


def _vent(phase: Vent, m: PhaseMemory, s: PhaseScan) -> Step:
    pressure = s.process.pressure_mbar
    wanted = gas_only(Atmosphere.VENT, ATMOSPHERE_MBAR)
    if pressure is None:
        return Step(m, wanted, waiting="a valid pressure")
    reached = pressure >= ATMOSPHERE_MBAR - 10.0
    m = m._replace(stage_s=m.stage_s + s.dt_s if reached else 0.0)
    return Step(m, wanted, m.stage_s >= 10.0, f"{pressure:.0f} mbar", why=f"{pressure:.0f} mbar")


def _end(phase: End, m: PhaseMemory, s: PhaseScan) -> Step:
    return Step(m, gas_only(Atmosphere.OFF), done=True, why="end of recipe")


_FUNCTIONS: Final[dict[str, Callable[..., Step]]] = {
    "LEAK_TEST": _leak_test,
    "EVACUATE": _evacuate,
    "CYCLE_PURGE": _cycle_purge,
    "PURGE_FLOW": _purge_flow,
    "RAMP": _ramp,
    "SOAK": _soak,
    "CURE": _cure,
    "COOL": _cool,
    "VENT": _vent,
    "END": _end,
}
KIND_CODE: Final = {kind.name: int(kind) for kind in Kind}
