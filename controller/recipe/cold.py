"""The phases without heat: leak test, evacuation, purges, filling with N2, and letting air in."""

from typing import Final

from controller.image import Atmosphere, Setpoints
from controller.recipe import guard, resting
from controller.recipe.look import PhaseMemory, PhaseScan, Step, filling, gas_only
from controller.recipe.model import Backfill, CyclePurge, Evacuate, LeakTest, PurgeFlow, Vent
from controller.units import ATMOSPHERE_MBAR

SETTLE_S: Final = 120.0  # after closing the valves, before the pressure rise is believed: gas cools and walls outgas
LEAD_MIN: Final = 1.0  # by how much of its rate a limited evacuation may run ahead of the pressure, so that it never catches up in a jump
WITNESS: Final = (0.3, 0.5)  # of its reading, and mbar, by which the other gauge may rise more: twice what a Pirani is off
WITNESS_NOISE: Final = (0.05, 0.2)  # of its reading, and mbar: what two readings of a Pirani differ by
CAPACITANCE, PIRANI = "pressure_cap_mbar", "pressure_pirani_mbar"
_OTHER: Final = {CAPACITANCE: PIRANI, PIRANI: CAPACITANCE}
_TAGS: Final = {CAPACITANCE: "PT-301", PIRANI: "PT-302"}


def _gauge(s: PhaseScan) -> str:
    """Return the gauge to measure a rise with: the gas independent one, whose zero error a difference cancels, while it reads."""
    return CAPACITANCE if s.inputs.pressure_cap_mbar.value is not None else PIRANI


def _reading(gauge: str, s: PhaseScan) -> float | None:
    sample = s.inputs.pressure_cap_mbar if gauge == CAPACITANCE else s.inputs.pressure_pirani_mbar
    return sample.value


def _lies(m: PhaseMemory, reading: float, witness: float | None) -> str:
    """Return why a rise that was measured with one gauge is none, "" when it is one: the other shows more, or nobody backs one that stood.

    A gauge that has stood to the last digit may be a coarse one at a tight oven: then the other need only show more than its noise.
    """
    if witness is None or m.witness_mbar is None:
        return "" if m.moved else f"{_TAGS[m.gauge]} stood still to the last digit, and there is no other gauge"
    more_mbar = (witness - m.witness_mbar) - (reading - m.mark)
    share, band_mbar = WITNESS if m.moved else WITNESS_NOISE
    if more_mbar <= share * witness + band_mbar:
        return ""
    return f"{_TAGS[_OTHER[m.gauge]]} rose by {witness - m.witness_mbar:.1f} mbar, {_TAGS[m.gauge]} by {reading - m.mark:.1f} mbar"


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
        m = m._replace(stage=2, stage_s=0.0, mark=_reading(gauge, s) or 0.0, gauge=gauge, witness_mbar=_reading(_OTHER[gauge], s))
        return Step(m, closed)
    reading = _reading(m.gauge, s)
    if reading is None:
        return Step(PhaseMemory(elapsed_s=m.elapsed_s), closed, waiting="the gauge it began with was lost: from the start")
    m = m._replace(moved=m.moved or reading != m.mark)
    rise_mbar_h = (reading - m.mark) / m.stage_s * 3600.0 if m.stage_s > 0 else 0.0
    if m.stage_s < phase.hold_min * 60:
        return Step(m, closed, waiting=f"rise {rise_mbar_h:.2f} mbar/h, {phase.hold_min * 60 - m.stage_s:.0f} s to go")
    why = f"pressure rise {rise_mbar_h:.2f} mbar/h over {m.stage_s:.0f} s, allowed {phase.max_rise_mbar_h:g} mbar/h"
    if lies := _lies(m, reading, _reading(_OTHER[m.gauge], s)):
        return Step(PhaseMemory(elapsed_s=m.elapsed_s), closed, failed="I13", why=f"no test: {lies}", leak_ok=False)
    passed = rise_mbar_h <= phase.max_rise_mbar_h
    if passed or phase.on_fail == "CONTINUE":  # no-go goes on without the proof, for a BRANCH to see
        told = None if m.begun else rise_mbar_h  # once, however long the phase goes on for a branch
        return Step(m._replace(begun=True), closed, done=True, why=why, leak_ok=passed, leak_mbar_h=told)
    return Step(PhaseMemory(elapsed_s=m.elapsed_s), closed, failed="I13", why=why, leak_ok=False, leak_mbar_h=rise_mbar_h)


def evacuate_phase(phase: Evacuate, m: PhaseMemory, s: PhaseScan) -> Step:
    """Pump down to the phase's pressure and stay there for ten seconds; not below the guard's floor."""
    pressure = s.process.pressure_mbar
    m, wanted = _falling(phase, m, s)
    m, wanted = guard.vacuum(wanted, m, s)
    if pressure is None:
        return Step(m, wanted, waiting="a valid pressure")
    m = guard.noticed(m, s, ramping=False)
    reached = pressure <= phase.pressure_mbar
    m = m._replace(stage_s=m.stage_s + s.dt_s if reached else 0.0)
    waiting = guard.told(f"{pressure:.1f} <= {phase.pressure_mbar:g} mbar", m, s)
    return Step(m, wanted, m.stage_s >= 10.0, waiting, why=f"{pressure:.1f} mbar reached")


def _falling(phase: Evacuate, m: PhaseMemory, s: PhaseScan) -> tuple[PhaseMemory, Setpoints]:
    """Return memory and set points of the pump-down: to the end at once, or no faster than the phase allows."""
    rate, last_mbar, pressure = phase.max_rate_mbar_min, 0.9 * phase.pressure_mbar, s.process.pressure_mbar
    if rate is None:
        return m, gas_only(Atmosphere.VACUUM, last_mbar)
    if pressure is None:
        return m._replace(mark=0.0), gas_only(Atmosphere.HOLD_CLOSED)
    sp_mbar = (m.mark or pressure) - rate / 60.0 * s.dt_s
    sp_mbar = max(sp_mbar, pressure - rate * LEAD_MIN, last_mbar)
    return m._replace(mark=sp_mbar), gas_only(Atmosphere.VACUUM, sp_mbar)


def cycle_purge(low_mbar: float, high_mbar: float, cycles: int, m: PhaseMemory, s: PhaseScan, computed_pct: float | None = None,
                measured_pct: float | None = None) -> Step:  # fmt: skip
    """Return one scan of a cycle purge: down to ``low_mbar``, up to ``high_mbar`` with N2, ``cycles`` times; ends filled.

    With ``computed_pct`` further cycles follow until the O2 left, 20.9 vol% times the product of the measured pressure ratios, is no more;
    with ``measured_pct`` until a valid reading agrees. An analyser that gives no valid reading keeps the purge waiting, filled.
    A rise counts as the proof of the atmosphere counts it (I5): one during which FT-402 gave no reading begins the purge anew; after one
    that it does not account for the leak test counts no more, and the purge has failed (I13).
    """
    pressure = s.process.pressure_mbar
    if pressure is None:
        return Step(m, gas_only(Atmosphere.HOLD_CLOSED), waiting="a valid pressure")
    if m.stage == 0:
        m = m._replace(stage=int(pressure <= low_mbar), mark=pressure)
        m, wanted = guard.vacuum(gas_only(Atmosphere.VACUUM, 0.8 * low_mbar), m, s)
        return Step(m, wanted, waiting=f"cycle {m.cycles + 1}/{cycles}: {pressure:.0f} <= {low_mbar:g} mbar")
    wanted = gas_only(Atmosphere.BACKFILL, high_mbar + 5.0, s.max_n2_flow_nm3_h)
    if m.stage == 2:
        return _shown(computed_pct, measured_pct, m, s, wanted)
    if s.aired:
        return Step(PhaseMemory(elapsed_s=m.elapsed_s), gas_only(Atmosphere.HOLD_CLOSED), waiting=s.aired, failed="I13", why=s.aired)
    if s.inputs.n2_valve_open.value is True and s.inputs.n2_flow_nm3_h.value is None:
        m = m._replace(unseen=True)
    if pressure < high_mbar:
        return Step(m, wanted, waiting=f"cycle {m.cycles + 1}/{cycles}: {pressure:.0f} >= {high_mbar:g} mbar")
    if m.unseen:
        return Step(PhaseMemory(elapsed_s=m.elapsed_s), wanted, waiting="FT-402 gave no reading while N2 came in: the purge begins anew")
    m = m._replace(cycles=m.cycles + 1, left_pct=m.left_pct * max(m.mark, 0.0) / pressure)
    if m.cycles < cycles:
        return Step(m._replace(stage=0), wanted, waiting=f"cycle {m.cycles + 1}/{cycles}: {pressure:.0f} <= {low_mbar:g} mbar")
    if computed_pct is None and measured_pct is None:
        return Step(m._replace(stage=0), wanted, True, why=f"{m.cycles} cycles between {low_mbar:g} and {high_mbar:g} mbar")
    return _shown(computed_pct, measured_pct, m._replace(stage=2), s, wanted)


def _shown(computed_pct: float | None, measured_pct: float | None, m: PhaseMemory, s: PhaseScan, wanted: Setpoints) -> Step:
    """End a cycle purge when what is left of the O2 has been shown; otherwise begin another cycle, or wait for the analyser."""
    o2, said = s.process.o2_pct, f"{m.cycles} cycles, O2 {m.left_pct:.4f} vol% computed"
    if computed_pct is not None and m.left_pct > computed_pct:
        return Step(m._replace(stage=0), wanted, waiting=f"{said}, wanted <= {computed_pct:g} vol%: another cycle")
    if measured_pct is None:
        return Step(m, wanted, done=True, why=said)
    if o2 is None:
        return Step(m, wanted, waiting=f"{said}, O2 not valid, wanted <= {measured_pct:g} vol%")
    if o2 > measured_pct:
        return Step(m._replace(stage=0), wanted, waiting=f"{said}, {o2:.3f} measured, wanted <= {measured_pct:g} vol%: another cycle")
    return Step(m, wanted, done=True, why=f"{said}, {o2:.3f} measured")


def cycle_purge_phase(phase: CyclePurge, m: PhaseMemory, s: PhaseScan) -> Step:
    """Purge in cycles as the recipe says."""
    return cycle_purge(phase.low_mbar, phase.high_mbar, phase.cycles, m, s, phase.computed_o2_pct, phase.measured_o2_pct)


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


def backfill_phase(phase: Backfill, m: PhaseMemory, s: PhaseScan) -> Step:
    """Fill with N2 up to the phase's pressure."""
    pressure = s.process.pressure_mbar
    if pressure is None:
        return Step(m, gas_only(Atmosphere.HOLD_CLOSED), waiting="a valid pressure")
    wanted = filling(phase.pressure_mbar + 1.0, pressure, phase.n2_flow_nm3_h or s.max_n2_flow_nm3_h, s)
    waiting = f"{pressure:.0f} >= {phase.pressure_mbar:g} mbar"
    return Step(m, wanted, pressure >= phase.pressure_mbar, waiting, why=f"{pressure:.0f} mbar")


def vent_phase(phase: Vent, m: PhaseMemory, s: PhaseScan) -> Step:
    """Let air in up to ambient pressure, and draw it through until there is air to breathe behind the door.

    A chamber at ambient pressure has not been vented before its valve was seen open.
    """
    pressure = s.process.pressure_mbar
    wanted = gas_only(Atmosphere.VENT, ATMOSPHERE_MBAR)
    if pressure is None:
        return Step(m, wanted, waiting="a valid pressure")
    m = m._replace(begun=m.begun or s.inputs.vent_valve_open.value is True)
    reached = m.begun and (pressure >= ATMOSPHERE_MBAR - 10.0 or s.vented)
    m = m._replace(stage_s=m.stage_s + s.dt_s if reached else 0.0)
    if m.stage_s >= 10.0 and not s.breathable:
        return Step(m, gas_only(Atmosphere.SWEEP, ATMOSPHERE_MBAR), waiting=f"{resting.unbreathable(s)}: air is drawn through (I19N)")
    waiting = f"{pressure:.0f} mbar" if m.begun else "the air vent to open: cold, washed, at ambient pressure or below (I19)"
    return Step(m, wanted, m.stage_s >= 10.0, waiting, why=f"{pressure:.0f} mbar")
