"""Vacuum and N2 sequences: which valves and pumps serve the atmosphere that is wanted, one safe step at a time.

A valve opens only when the feedback of those it must never be open with says "closed"; the interlocks check the same again.
"""

import math
from typing import Final, NamedTuple

from controller.control import pid
from controller.image import Atmosphere, Inputs, Process, Setpoints

ROOTS_ON_MBAR: Final = 20.0
ROOTS_OFF_MBAR: Final = 30.0
EXHAUST_OPEN_MBAR: Final = 1010.0  # above it gas leaves through the exhaust; below, the duct's air would come in
EXHAUST_SHUT_MBAR: Final = 995.0
VENT_MBAR: Final = (1014.0, 1018.0)  # before air comes in, N2 above the second leaves through the exhaust, down to the first
VENT_S: Final = 30.0  # or for so long: an open chamber reads what the weather and the gauge's error make of ambient pressure
RELIEVED_MBAR: Final = (1016.0, 1023.0)  # a chamber at rest, whose cold N2 warms up, is relieved from the second down to the first
SWEEP_AFTER_S: Final = 30.0  # the vent stands open: chamber and hall have one pressure, and the exhaust's fan draws air through
_OFF, _, _VACUUM, _BACKFILL, _N2_FLOW, _VENT, _SWEEP, _AIR = Atmosphere  # through the class a member costs 0.1 us (Python 3.11)


class GasMemory(NamedTuple):
    """throttle: the pressure loop; roots, exhaust: two-point states; relieved_s, vented_s: how long exhaust and vent were seen open."""

    throttle: pid.Memory = pid.Memory()
    roots: bool = False
    exhaust: bool = False
    relieved_s: float = 0.0  # in this VENT
    vented_s: float = 0.0

    @property
    def vented(self) -> bool:
        """Return whether the vent has stood open for long enough to make chamber and hall one."""
        return self.vented_s >= SWEEP_AFTER_S

    @property
    def relieved(self) -> bool:
        """Return whether the chamber is above the hall's pressure no more: its vent or its exhaust has stood open."""
        return self.vented or self.relieved_s >= VENT_S


class GasOutputs(NamedTuple):
    """The gas side's part of the outputs."""

    pump: bool = False
    roots: bool = False
    vac_valve: bool = False
    vac_throttle_pct: float = 0.0
    n2_valve: bool = False
    n2_flow_sp_nm3_h: float = 0.0
    vent_valve: bool = False
    exhaust_valve: bool = False
    services: bool = False  # exhaust fan, circulation, condenser


def step(
    memory: GasMemory, tuning: pid.Tuning, wanted: Setpoints, inputs: Inputs, process: Process, dt_s: float
) -> tuple[GasMemory, GasOutputs]:
    """Return the memory and the gas outputs that serve ``wanted``."""
    pressure = process.pressure_mbar
    if wanted.atmosphere is _OFF:
        relieve = pressure is not None and pressure > RELIEVED_MBAR[not memory.exhaust]
        return GasMemory(exhaust=relieve), GasOutputs(exhaust_valve=relieve)
    if wanted.atmosphere is _AIR:
        return _open(memory, inputs, pressure, dt_s)
    if pressure is None:
        return _unknown(memory, wanted, inputs)
    if wanted.atmosphere is _VACUUM:
        return _vacuum(memory, tuning, wanted, inputs, pressure, dt_s)
    if wanted.atmosphere is _BACKFILL:
        fill = pressure < wanted.pressure_mbar and inputs.vac_valve_closed.value is True
        return GasMemory(), GasOutputs(pump=True, n2_valve=fill, n2_flow_sp_nm3_h=wanted.n2_flow_nm3_h if fill else 0.0, services=True)
    if wanted.atmosphere is _N2_FLOW:
        shut = inputs.vac_valve_closed.value is True
        exhaust = shut and (pressure > EXHAUST_SHUT_MBAR if memory.exhaust else pressure > EXHAUST_OPEN_MBAR)
        return GasMemory(exhaust=exhaust), GasOutputs(
            n2_valve=shut, n2_flow_sp_nm3_h=wanted.n2_flow_nm3_h if shut else 0.0, exhaust_valve=exhaust, services=True
        )
    if wanted.atmosphere is _VENT or wanted.atmosphere is _SWEEP:
        return _vent(memory, inputs, pressure, dt_s, sweeps=wanted.atmosphere is _SWEEP)
    # HOLD_CLOSED: the pumps idle against the shut valve, and the throttle's loop waits for the vacuum to come back.
    roots = memory.roots and inputs.pump_run.value is True
    return GasMemory(memory.throttle, roots), GasOutputs(pump=True, roots=roots, services=True)


def _shut(inputs: Inputs) -> bool:
    """Return whether neither pump nor N2 works on the chamber."""
    return inputs.vac_valve_closed.value is True and inputs.n2_valve_closed.value is True


def _vent(memory: GasMemory, inputs: Inputs, pressure: float, dt_s: float, *, sweeps: bool) -> tuple[GasMemory, GasOutputs]:
    """Let air in after N2 above ambient pressure has left through the exhaust; draw it through once the vent has stood open."""
    vented, vented_s = _vented(memory, inputs, dt_s)
    relieved_s = memory.relieved_s + (dt_s if inputs.exhaust_valve_open.value is True else 0.0)
    relieve = pressure > VENT_MBAR[not memory.exhaust] and relieved_s < VENT_S
    air = _shut(inputs) and not relieve and (vented or inputs.exhaust_valve_closed.value is True)
    draws = sweeps and vented_s >= SWEEP_AFTER_S and inputs.exhaust_run.value is True
    return GasMemory(exhaust=relieve, relieved_s=relieved_s, vented_s=vented_s), GasOutputs(
        vent_valve=air, exhaust_valve=relieve or draws, services=True
    )


def _vented(memory: GasMemory, inputs: Inputs, dt_s: float) -> tuple[bool, float]:
    """Return whether the vent is seen open, and for how long."""
    vented = inputs.vent_valve_open.value is True
    return vented, memory.vented_s + dt_s if vented else 0.0


def _open(memory: GasMemory, inputs: Inputs, pressure: float | None, dt_s: float) -> tuple[GasMemory, GasOutputs]:
    """Leave the vent open; a chamber that it does not relieve (I19) is relieved through the exhaust as every one at rest."""
    over = pressure is not None and pressure > RELIEVED_MBAR[not memory.exhaust]
    vented, vented_s = _vented(memory, inputs, dt_s)
    relieve = over and not vented
    relieved_s = 0.0 if vented else memory.relieved_s  # that the exhaust was open once says nothing of a vent that shuts later
    return GasMemory(exhaust=relieve, relieved_s=relieved_s, vented_s=vented_s), GasOutputs(
        vent_valve=_shut(inputs) and not relieve, exhaust_valve=relieve
    )


def _unknown(memory: GasMemory, wanted: Setpoints, inputs: Inputs) -> tuple[GasMemory, GasOutputs]:
    """Return the outputs without a pressure: shut, but a N2 flow goes on while its way out is seen open, so that the inerting stays."""
    if wanted.atmosphere is _N2_FLOW and memory.exhaust and inputs.exhaust_valve_open.value is True:
        return GasMemory(exhaust=True), GasOutputs(n2_valve=True, n2_flow_sp_nm3_h=wanted.n2_flow_nm3_h, exhaust_valve=True, services=True)
    return GasMemory(), GasOutputs(services=True)


def _vacuum(
    memory: GasMemory, tuning: pid.Tuning, wanted: Setpoints, inputs: Inputs, pressure: float, dt_s: float
) -> tuple[GasMemory, GasOutputs]:
    others_shut = (
        inputs.n2_valve_closed.value is True and inputs.vent_valve_closed.value is True and inputs.exhaust_valve_closed.value is True
    )
    valve = others_shut and inputs.pump_run.value is True
    roots = valve and pressure < (ROOTS_OFF_MBAR if memory.roots else ROOTS_ON_MBAR)
    if not valve:
        return GasMemory(), GasOutputs(pump=True, services=True)
    # The loop works on the logarithm, in which a pump-down is close to linear; more throttle means less pressure.
    sp, pv = -math.log10(max(wanted.pressure_mbar, 1e-3)), -math.log10(max(pressure, 1e-3))
    throttle, opening = pid.step(memory.throttle, tuning, sp, pv, dt_s)
    return GasMemory(throttle, roots), GasOutputs(pump=True, roots=roots, vac_valve=True, vac_throttle_pct=opening, services=True)
