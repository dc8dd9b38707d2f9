"""The phases without heat: leak test, evacuation, purges, and letting air in."""

from typing import Final

from controller.image import Atmosphere
from controller.recipe import guard
from controller.recipe.look import PhaseMemory, PhaseScan, Step, gas_only
from controller.recipe.model import CyclePurge, Evacuate, LeakTest, PurgeFlow, Vent
from controller.units import ATMOSPHERE_MBAR

SETTLE_S: Final = 120.0  # after closing the valves, before the pressure rise is believed: gas cools and walls outgas
CAPACITANCE, PIRANI = "pressure_cap_mbar", "pressure_pirani_mbar"


def _gauge(s: PhaseScan) -> str:
    """Return the gauge to measure a rise with: the gas independent one, whose zero error a difference cancels, while it reads."""
    return CAPACITANCE if s.inputs.pressure_cap_mbar.value is not None else PIRANI


def _reading(gauge: str, s: PhaseScan) -> float | None:
    sample = s.inputs.pressure_cap_mbar if gauge == CAPACITANCE else s.inputs.pressure_pirani_mbar
    return sample.value


def leak_test_phase(phase: LeakTest, m: PhaseMemory, s: PhaseScan) -> Step:
    """Pump down, shut, settle, then hold one gauge's last reading against its own first one; a gauge that is lost starts the test anew."""
    pressure = s.process.pressure_mbar
    if pressure is None:
        return Step(PhaseMemory(elapsed_s=m.elapsed_s), gas_only(Atmosphere.HOLD_CLOSED), waiting="a valid pressure")
    if m.stage == 0:
        reached = pressure <= phase.pressure_mbar
        m, wanted = guard.vacuum(gas_only(Atmosphere.VACUUM, 0.8 * phase.pressure_mbar), m._replace(stage=int(reached), stage_s=0.0), s)
        return Step(m, wanted, waiting=f"{pressure:.1f} <= {phase.pressure_mbar:g} mbar")
    m = m._replace(stage_s=m.stage_s + s.dt_s)
    closed = gas_only(Atmosphere.HOLD_CLOSED)
    if m.stage == 1:
        if m.stage_s < SETTLE_S:
            return Step(m, closed, waiting=f"settling {SETTLE_S - m.stage_s:.0f} s")
        gauge = _gauge(s)
        return Step(m._replace(stage=2, stage_s=0.0, mark=_reading(gauge, s) or 0.0, gauge=gauge), closed)
    reading = _reading(m.gauge, s)
    if reading is None:
        return Step(PhaseMemory(elapsed_s=m.elapsed_s), closed, waiting="the gauge it began with was lost: from the start")
    rise_mbar_h = (reading - m.mark) / m.stage_s * 3600.0 if m.stage_s > 0 else 0.0
    if m.stage_s < phase.hold_min * 60:
        return Step(m, closed, waiting=f"rise {rise_mbar_h:.2f} mbar/h, {phase.hold_min * 60 - m.stage_s:.0f} s to go")
    why = f"pressure rise {rise_mbar_h:.2f} mbar/h over {m.stage_s:.0f} s, allowed {phase.max_rise_mbar_h:g} mbar/h"
    if rise_mbar_h > phase.max_rise_mbar_h:
        return Step(PhaseMemory(elapsed_s=m.elapsed_s), closed, failed="I13", why=why, leak_ok=False)
    return Step(m, closed, done=True, why=why, leak_ok=True)


def evacuate_phase(phase: Evacuate, m: PhaseMemory, s: PhaseScan) -> Step:
    """Pump down to the phase's pressure and stay there for ten seconds; not below the guard's floor."""
    pressure = s.process.pressure_mbar
    m, wanted = guard.vacuum(gas_only(Atmosphere.VACUUM, 0.9 * phase.pressure_mbar), m, s)
    if pressure is None:
        return Step(m, wanted, waiting="a valid pressure")
    m = guard.noticed(m, s, ramping=False)
    reached = pressure <= phase.pressure_mbar
    m = m._replace(stage_s=m.stage_s + s.dt_s if reached else 0.0)
    waiting = guard.told(f"{pressure:.1f} <= {phase.pressure_mbar:g} mbar", m, s)
    return Step(m, wanted, m.stage_s >= 10.0, waiting, why=f"{pressure:.1f} mbar reached")


def cycle_purge(low_mbar: float, high_mbar: float, cycles: int, m: PhaseMemory, s: PhaseScan) -> Step:
    """Return one scan of a cycle purge: down to ``low_mbar``, up to ``high_mbar`` with N2, ``cycles`` times; ends filled."""
    pressure = s.process.pressure_mbar
    if pressure is None:
        return Step(m, gas_only(Atmosphere.HOLD_CLOSED), waiting="a valid pressure")
    if m.stage == 0:
        m = m._replace(stage=int(pressure <= low_mbar))
        m, wanted = guard.vacuum(gas_only(Atmosphere.VACUUM, 0.8 * low_mbar), m, s)
        return Step(m, wanted, waiting=f"cycle {m.cycles + 1}/{cycles}: {pressure:.0f} <= {low_mbar:g} mbar")
    filled = pressure >= high_mbar
    m = m._replace(stage=0, cycles=m.cycles + 1) if filled else m
    wanted = gas_only(Atmosphere.BACKFILL, high_mbar + 5.0, s.max_n2_flow_nm3_h)
    waiting = f"cycle {m.cycles + 1}/{cycles}: {pressure:.0f} >= {high_mbar:g} mbar"
    return Step(m, wanted, m.cycles >= cycles, waiting, why=f"{m.cycles} cycles between {low_mbar:g} and {high_mbar:g} mbar")


def cycle_purge_phase(phase: CyclePurge, m: PhaseMemory, s: PhaseScan) -> Step:
    """Purge in cycles as the recipe says."""
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


def purge_flow_phase(phase: PurgeFlow, m: PhaseMemory, s: PhaseScan) -> Step:
    """Purge in flowing N2 as the recipe says."""
    return flow_purge(phase.n2_flow_nm3_h, phase.volumes, phase.max_o2_pct, m, s)


def vent_phase(phase: Vent, m: PhaseMemory, s: PhaseScan) -> Step:
    """Let air in up to ambient pressure."""
    pressure = s.process.pressure_mbar
    wanted = gas_only(Atmosphere.VENT, ATMOSPHERE_MBAR)
    if pressure is None:
        return Step(m, wanted, waiting="a valid pressure")
    reached = pressure >= ATMOSPHERE_MBAR - 10.0
    m = m._replace(stage_s=m.stage_s + s.dt_s if reached else 0.0)
    return Step(m, wanted, m.stage_s >= 10.0, f"{pressure:.0f} mbar", why=f"{pressure:.0f} mbar")
