"""What each kind of phase does in one scan. A phase is a class in ``model`` and a function here.

Each function gets the phase, what it remembers and what it may look at, and returns what it remembers next, the set points, and whether
it is done, waiting or failed.
"""

from collections.abc import Callable
from math import inf
from typing import Final

from controller.image import Atmosphere, Estimate, Setpoints
from controller.recipe import cold, guard, isolation
from controller.recipe.isolation import Isolation
from controller.recipe.look import PhaseMemory, PhaseScan, Step, gas_only
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
    PressureRiseTest,
    Ramp,
    Soak,
    TestedPhase,
    ThermalPhase,
)
from controller.units import ATMOSPHERE_MBAR

AMBIENT_C: Final = 20.0
APPROACH_C_PER_MIN: Final = 2.0  # back to a soak's target after a hold [assume]
COOL_LAG_C: Final = 5.0
NO_MEMORY: Final = PhaseMemory()


def run(phase: Phase, memory: PhaseMemory, scan: PhaseScan) -> Step:
    """Return what ``phase`` does in this scan."""
    return _FUNCTIONS[phase.kind](phase, memory, scan)


def timeout_rule(phase: Phase) -> str:
    """Return the rule that a timeout of ``phase`` raises: I12 for vacuum, I26 for the rest."""
    return "I12" if isinstance(phase, Evacuate | LeakTest | CyclePurge) else "I26"


def thermal(phase: ThermalPhase, heat: bool, temp_c: float, rate_c_per_min: float) -> Setpoints:
    """Return the set points of a phase with heat under its atmosphere."""
    if phase.atmosphere == "VACUUM":
        return Setpoints(heat, temp_c, rate_c_per_min, Atmosphere.VACUUM, phase.pressure_mbar or 0.0, 0.0)
    return Setpoints(heat, temp_c, rate_c_per_min, Atmosphere.N2_FLOW, ATMOSPHERE_MBAR, phase.n2_flow_nm3_h or 0.0)


def atmosphere_ready(phase: ThermalPhase, s: PhaseScan, m: PhaseMemory = NO_MEMORY) -> str:
    """Return what the phase's atmosphere still waits for, "" when heat may begin."""
    pressure = s.process.pressure_mbar
    if pressure is None:
        return "a valid pressure"
    if phase.atmosphere == "VACUUM":
        limit = _vacuum_limit_mbar(phase, m)
        if m.isolated_s > 0 or m.reopened:  # a pressure-rise test ends by itself before the vacuum proof does
            limit = max(limit, s.proving.proof_mbar)
        return "" if pressure <= limit else f"vacuum {pressure:.0f} <= {limit:.0f} mbar"
    if s.inputs.exhaust_valve_open.value is not True:
        return f"N2 to ambient pressure, {pressure:.0f} mbar"
    return ""


def _vacuum_limit_mbar(phase: ThermalPhase, m: PhaseMemory) -> float:
    wanted = max(phase.pressure_mbar or 0.0, m.guard_mbar)
    return max(2.0 * wanted, wanted + 5.0)


def _gas(phase: ThermalPhase, m: PhaseMemory, s: PhaseScan) -> tuple[PhaseMemory, str]:
    """Return the memory (stage 1 from the first scan in which the atmosphere stood) and what the atmosphere waits for."""
    gas = atmosphere_ready(phase, s, m)
    return (m if gas or m.stage else m._replace(stage=1)), gas


def _guarded(wanted: Setpoints, m: PhaseMemory, s: PhaseScan, ramping: bool = False) -> tuple[PhaseMemory, Setpoints]:
    """Return memory and set points with the vacuum as deep as the guard lets it be, and the guard's state noted."""
    m, wanted = guard.vacuum(wanted, m, s)
    return guard.noticed(m, s, ramping), wanted


def _tested(test: Isolation | None, every_s: float, phase: ThermalPhase, m: PhaseMemory, s: PhaseScan, wanted: Setpoints, gas: str
            ) -> tuple[PhaseMemory, Setpoints, str]:  # fmt: skip
    """Return memory, set points and what a pressure-rise test waits for or does; nothing without one."""
    if test is None:
        return m, wanted, ""
    pressure = s.process.pressure_mbar
    ready = not gas and m.stage > 0 and pressure is not None and pressure <= _vacuum_limit_mbar(phase, m)
    return isolation.step(test, m, s, wanted, ready, due=m.since_s >= every_s)


def _periodic(phase: TestedPhase) -> tuple[Isolation | None, float]:
    if phase.pressure_rise_every_min is None or phase.pressure_rise_s is None or phase.pressure_rise_max_mbar is None:
        return None, 0.0
    return Isolation(phase.pressure_rise_s, phase.pressure_rise_max_mbar), 60.0 * phase.pressure_rise_every_min


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
    heats = phase.target_c >= sp
    m, wanted = _guarded(thermal(phase, not gas, sp, phase.rate_c_per_min), m, s, ramping=heats)
    share = guard.rate_share(s) if heats else 1.0
    if gas or behind or s.slow or share <= 0.0:
        why = gas or ("holdback: oven behind the set point" if behind else "I18: solvent comes too fast" if s.slow else "the guard")
        return Step(m, wanted, waiting=guard.told(why, m, s))
    step_c = share * phase.rate_c_per_min / 60.0 * s.dt_s
    sp = min(sp + step_c, phase.target_c) if sp < phase.target_c else max(sp - step_c, phase.target_c)
    waiting = guard.told(f"set point {sp:.1f} degC", m, s)
    return Step(m, wanted._replace(temp_c=sp), sp == phase.target_c, waiting, why="set point at its target")


def _in_band(target_c: float, band_c: float, s: PhaseScan) -> bool:
    """Return whether every load thermocouple (the zones, when the load has none) is inside the band.

    BAD data is not in band, unless the site lets the coldest and the hottest film of a valid estimate stand in for a lost thermocouple.
    """
    low, high = s.process.load_min_c, s.process.load_max_c
    zone = s.process.temp_c
    if zone is None or abs(zone - target_c) > band_c + 3.0:  # the zones lead the load by a few degrees
        return False
    low, high = (zone if low is None else low), (zone if high is None else high)
    if s.process.load_lost:
        if not (s.load_substitute and s.estimate.valid):
            return False
        low, high = min(low, s.estimate.film_min_c), max(high, s.estimate.film_max_c)  # in place of the lost one (I21S)
    return target_c - band_c <= low and high <= target_c + band_c


def _timer(target_c: float, band_c: float, m: PhaseMemory, s: PhaseScan, gas: str) -> tuple[PhaseMemory, str]:
    if gas:
        return m, gas
    if _in_band(target_c, band_c, s):
        return m._replace(counted_s=m.counted_s + s.dt_s), ""
    shown = "not valid" if s.process.load_min_c is None else f"{s.process.load_min_c:.1f} to {s.process.load_max_c:.1f} degC"
    return m, f"guaranteed soak: load {shown}, band {target_c:g} ± {band_c:g} degC"


def _soak(phase: Soak, m: PhaseMemory, s: PhaseScan) -> Step:
    m, wanted, waiting = _hot(phase, *_periodic(phase), m, s)
    return Step(m, wanted, m.counted_s >= phase.soak_min * 60, waiting, why=f"{m.counted_s / 60:.1f} min in band")


def _hot(phase: Soak | Cure, test: Isolation | None, every_s: float, m: PhaseMemory, s: PhaseScan) -> tuple[PhaseMemory, Setpoints, str]:
    """Return what soak and cure share: atmosphere, guaranteed time, guard and pressure-rise tests."""
    m, gas = _gas(phase, m, s)
    m, waiting = _timer(phase.target_c, phase.band_c, m, s, gas)
    m, wanted = _guarded(thermal(phase, not gas, _approach(phase.target_c, s), 0.0), m, s)
    m, wanted, testing = _tested(test, every_s, phase, m, s, wanted, gas)
    return m, wanted, guard.told("; ".join(text for text in (waiting, testing) if text), m, s)


def _pressure_rise(phase: PressureRiseTest, m: PhaseMemory, s: PhaseScan) -> Step:
    m, gas = _gas(phase, m, s)
    m, wanted = _guarded(thermal(phase, not gas, _approach(phase.target_c, s), 0.0), m, s)
    was_open = m.reopened
    m, wanted, testing = _tested(Isolation(phase.isolate_s, phase.max_mbar), 0.0 if not was_open else inf, phase, m, s, wanted, gas)
    done = was_open and not m.reopened
    return Step(m, wanted, done, gas or testing or "the vacuum to come back", why="pressure-rise test made")


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
    m, wanted, waiting = _hot(phase, *_periodic(phase), m, s)
    met = ripe(s.endpoint, s.estimate)
    m = m._replace(ripe_s=m.ripe_s + s.dt_s if met else 0.0)
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
    heat = sp > phase.target_c + 20.0 and not atmosphere_ready(phase, s, m)
    m, wanted = guard.vacuum(thermal(phase, heat, sp, phase.rate_c_per_min), m, s)
    if hottest is None:
        return Step(m, wanted, waiting="a valid temperature")
    return Step(m, wanted, hottest <= phase.target_c, f"{hottest:.1f} <= {phase.target_c:g} degC", why=f"hottest {hottest:.1f} degC")


def _end(phase: End, m: PhaseMemory, s: PhaseScan) -> Step:
    return Step(m, gas_only(Atmosphere.OFF), done=True, why="end of recipe")


_FUNCTIONS: Final[dict[str, Callable[..., Step]]] = {
    "LEAK_TEST": cold.leak_test_phase,
    "EVACUATE": cold.evacuate_phase,
    "CYCLE_PURGE": cold.cycle_purge_phase,
    "PURGE_FLOW": cold.purge_flow_phase,
    "RAMP": _ramp,
    "SOAK": _soak,
    "CURE": _cure,
    "PRESSURE_RISE": _pressure_rise,
    "COOL": _cool,
    "VENT": cold.vent_phase,
    "END": _end,
}
KIND_CODE: Final = {kind.name: int(kind) for kind in Kind}
