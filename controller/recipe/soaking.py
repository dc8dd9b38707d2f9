"""The phases that hold a temperature: SOAK and CURE, whose time counts only in band, and PRESSURE_RISE."""

from math import inf
from typing import Final

from controller.image import Estimate, Inputs, Setpoints
from controller.recipe import guard, heating, isolation
from controller.recipe.conduct import TestedPhase, ThermalPhase
from controller.recipe.isolation import Isolation
from controller.recipe.look import PhaseMemory, PhaseScan, Step
from controller.recipe.model import Cure, Endpoint, PressureRiseTest, Soak

ZONE_LEAD_C: Final = 3.0  # the zones lead the load by a few degrees
ZONE_BELOW_C: Final = 5.0  # no time counts while a zone is so far below: their mean would hide an element that is open

PASSED_AFTER_S: Final = 120.0  # [assume] above the window: one look that is off ends no cure
FALLBACK_AFTER_S: Final = 900.0  # [assume] without a valid estimate or forecast; a moment without one ends no cure that was not ripe
UNFORESEEN_S: Final = 180.0  # [assume] without a forecast, over which the persistence time is kept: an edit asks for a new one


def soak(phase: Soak, m: PhaseMemory, s: PhaseScan) -> Step:
    """Hold the target until the time in band is over."""
    m, wanted, waiting, late = _hot(phase, *_periodic(phase), m, s)
    waiting = waiting or f"{m.counted_s / 60:.1f} of {phase.soak_min:g} min in band"
    return Step(m, wanted, m.counted_s >= phase.soak_min * 60, waiting, why=f"{m.counted_s / 60:.1f} min in band", late=late)


def cure(phase: Cure, m: PhaseMemory, s: PhaseScan) -> Step:
    """Hold the target until the model has been sure for the recipe's time and the aim is met, or for a time without a valid estimate.

    A film that cures quickly gains several points in that time: the aim is waited for, and not waited at.
    Where a position is believed above the window it can be met no more, and the phase does what its timeout would: what is cured stays so.
    """
    m, wanted, waiting, late = _hot(phase, *_periodic(phase), m, s)
    above = passed(s.endpoint, s.estimate) if s.estimate.valid else ""
    seen = s.estimate.valid and s.estimate.foreseen
    waits = s.estimate.valid and not seen and m.blind_s < UNFORESEEN_S
    m = m._replace(
        sure_s=m.sure_s + s.dt_s if sure(s.endpoint, s.estimate) else m.sure_s if waits else 0.0,
        blind_s=0.0 if seen else m.blind_s + s.dt_s,
        passed_s=m.passed_s + s.dt_s if above else 0.0,
    )
    if m.counted_s >= phase.min_min * 60 and ripe(s.endpoint, s.estimate, m):
        return Step(m, wanted, done=True, why="endpoint")
    if m.blind_s >= FALLBACK_AFTER_S and m.counted_s >= phase.fallback_min * 60:
        missing = s.estimate.why_invalid or "no forecast"
        return Step(m, wanted, done=True, why=f"time recipe: {phase.fallback_min:g} min in band, model not valid ({missing})")
    if m.passed_s >= PASSED_AFTER_S:
        return Step(m, wanted, waiting=above, passed=above)
    e = s.estimate
    cold = f"{100 * e.insoluble_cold:.0f} %" if e.foreseen else "not foreseen"
    aim = "" if s.endpoint is None else f" of {s.endpoint.insoluble_aim_pct:g}"
    sureness = f"P(solvent) {e.p_solvent_ok:.2f}, P(insoluble in window) {e.p_insoluble_in_window:.2f}"
    waiting = waiting or f"endpoint: {sureness}, once cold {cold}{aim}"
    return Step(m, wanted, waiting=waiting, late=late)


def pressure_rise(phase: PressureRiseTest, m: PhaseMemory, s: PhaseScan) -> Step:
    """Hold the target, isolate the chamber once and wait until the vacuum is back."""
    m, gas = heating.gas(phase, m, s)
    m, wanted = heating.guarded(heating.thermal(phase, not gas, heating.approach(phase.target_c, s), 0.0), m, s)
    was_open = m.reopened
    m, wanted, testing = _tested(Isolation(phase.isolate_s, phase.max_mbar), 0.0 if not was_open else inf, phase, m, s, wanted, gas)
    done = was_open and not m.reopened
    return Step(m, wanted, done, gas or testing or "the vacuum to come back", why="pressure-rise test made")


def sure(endpoint: Endpoint | None, estimate: Estimate) -> bool:
    """Return whether the model is sure enough in this scan: solvent in the worst zone, insoluble content once cold."""
    return (
        endpoint is not None
        and estimate.valid
        and estimate.foreseen
        and estimate.p_solvent_ok >= endpoint.probability
        and estimate.p_insoluble_in_window >= endpoint.probability
    )


def ripe(endpoint: Endpoint | None, estimate: Estimate, m: PhaseMemory) -> bool:
    """Return whether the endpoint is met: the model has been sure for the recipe's time, and the insoluble content is at its aim.

    The insoluble content is that of the cold roll: with what it still gains as the rest of the recipe cools it.
    """
    if endpoint is None or not sure(endpoint, estimate):
        return False
    return m.sure_s >= endpoint.persist_min * 60 and estimate.insoluble_cold * 100 >= endpoint.insoluble_aim_pct


def passed(endpoint: Endpoint | None, estimate: Estimate) -> str:
    """Return why the insoluble content of one position will more likely than not lie above its window, "" when none will."""
    if endpoint is None:
        return ""
    most_pct = 100 * max((zone.insoluble_cold for zone in estimate.zones), default=estimate.insoluble_cold)
    allowed_pct = endpoint.insoluble_high_pct
    return f"insoluble content {most_pct:.1f} % in one position once cold, allowed {allowed_pct:g} %" if most_pct > allowed_pct else ""


def in_band(phase: Soak | Cure, s: PhaseScan) -> bool:
    """Return whether the readings that count are inside the band: by default zones and every load thermocouple.

    LAGGING asks for the coldest one; the others may lead it upwards as the zones may. A load without thermocouples counts with its zones.
    Whatever counts, no single zone may be more than ``ZONE_BELOW_C`` below the target.
    BAD data is not in band, unless the site lets the coldest and the hottest film of a valid estimate stand in for a lost thermocouple.
    """
    target_c, band_c, zones = phase.target_c, phase.band_c, s.process.temp_c
    if zones is None or _coldest_zone(s, zones) < target_c - ZONE_BELOW_C:
        return False
    if phase.sensors == "CONTROL":
        return abs(zones - target_c) <= band_c
    if abs(zones - target_c) > band_c + ZONE_LEAD_C:
        return False
    low, high = s.process.load_min_c, s.process.load_max_c
    low, high = (zones if low is None else low), (zones if high is None else high)
    if s.process.load_lost:
        if not (s.load_substitute and s.estimate.valid):
            return False
        low, high = min(low, s.estimate.film_min_c), max(high, s.estimate.film_max_c)  # in place of the lost one (I21S)
    if phase.sensors == "LAGGING":
        return abs(low - target_c) <= band_c and high <= target_c + band_c + ZONE_LEAD_C
    if phase.sensors == "MEAN":
        return abs(_load_mean(s.inputs, 0.5 * (low + high)) - target_c) <= band_c
    return target_c - band_c <= low and high <= target_c + band_c


def _coldest_zone(s: PhaseScan, mean_c: float) -> float:
    """Return the temperature of the coldest zone that can be trusted, ``mean_c`` without one, degC."""
    return min((zone.temp_c for zone in s.process.zones if zone.temp_c is not None), default=mean_c)


def _load_mean(inputs: Inputs, otherwise: float) -> float:
    """Return the mean of the load thermocouples that read, degC."""
    read = [sample.value for sample in (inputs.load_outer_c, inputs.load_edge_c, inputs.load_core_c) if sample.value is not None]
    return sum(read) / len(read) if read else otherwise


def _timer(phase: Soak | Cure, m: PhaseMemory, s: PhaseScan, gas: str) -> tuple[PhaseMemory, str]:
    if gas:
        return m, gas
    if in_band(phase, s):
        return m._replace(counted_s=m.counted_s + s.dt_s), ""
    if phase.outside == "RESET" and m.counted_s:
        m = m._replace(counted_s=0.0)
    return m, f"guaranteed soak: {_counting(phase, s)}, band {phase.target_c:g} ± {phase.band_c:g} degC"


def _counting(phase: Soak | Cure, s: PhaseScan) -> str:
    """Return the readings that count for the band: zones, and with every choice of sensors but CONTROL the load."""
    zones, low, high = s.process.temp_c, s.process.load_min_c, s.process.load_max_c
    shown = f"zones {'not valid' if zones is None else f'{zones:.1f} degC'}"
    if zones is not None and (coldest := _coldest_zone(s, zones)) < phase.target_c - ZONE_BELOW_C:
        shown += f", the coldest {coldest:.1f} degC"
    if phase.sensors == "CONTROL":
        return shown
    return f"{shown}, load {'not valid' if low is None or s.process.load_lost else f'{low:.1f} to {high:.1f} degC'}"


def _hot(phase: Soak | Cure, test: Isolation | None, every_s: float, m: PhaseMemory, s: PhaseScan
         ) -> tuple[PhaseMemory, Setpoints, str, str]:  # fmt: skip
    """Return what soak and cure share: atmosphere, guaranteed time, guard, pressure-rise tests, and why it was held back for too long."""
    m, gas = heating.gas(phase, m, s)
    m, waiting = _timer(phase, m, s, gas)
    m, late = heating.held(phase, m, bool(waiting) and not gas, s)
    m, wanted = heating.guarded(heating.thermal(phase, not gas, heating.approach(phase.target_c, s), 0.0), m, s)
    m, wanted, testing = _tested(test, every_s, phase, m, s, wanted, gas)
    return m, wanted, guard.told("; ".join(text for text in (waiting, testing) if text), m, s), late


def _tested(test: Isolation | None, every_s: float, phase: ThermalPhase, m: PhaseMemory, s: PhaseScan, wanted: Setpoints, gas: str
            ) -> tuple[PhaseMemory, Setpoints, str]:  # fmt: skip
    """Return memory, set points and what a pressure-rise test waits for or does; nothing without one."""
    if test is None:
        return m, wanted, ""
    pressure = s.process.pressure_mbar
    ready = not gas and m.stage > 0 and pressure is not None and pressure <= heating.vacuum_limit_mbar(phase, m)
    return isolation.step(test, m, s, wanted, ready, due=m.since_s >= every_s)


def _periodic(phase: TestedPhase) -> tuple[Isolation | None, float]:
    if phase.pressure_rise_every_min is None or phase.pressure_rise_s is None or phase.pressure_rise_max_mbar is None:
        return None, 0.0
    return Isolation(phase.pressure_rise_s, phase.pressure_rise_max_mbar), 60.0 * phase.pressure_rise_every_min
