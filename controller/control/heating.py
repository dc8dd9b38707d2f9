"""Heating: a cascade from the load's temperature to the zones' set points, and zone loops when the PLC does not close them."""

from typing import Final, NamedTuple

from controller.control import pid
from controller.equipment import Equipment
from controller.image import Inputs, Process, Setpoints

RAMP_FILTER_S: Final = 60.0  # a set point that trembles moves no heater [assume]
RISE_SHARE: Final = 1.5  # of the phase's rate, so that the zones can take their lead while they ramp
MAX_AHEAD_C: Final = 2.0  # of the hottest part of the load, beyond the set point
Three = tuple[float, float, float]
NO_OUTPUT: Final[Three] = (0.0, 0.0, 0.0)
COLD_LOOPS: Final = (pid.Memory(), pid.Memory(), pid.Memory())


class HeatingMemory(NamedTuple):
    """What the heating loops remember.

    lead: the cascade's loop; zones: the zone loops (with ``direct_output``); zone_sp_c: the zones' set point, None while there is no heat;
    rise_c_per_min: how fast it moves, filtered, for the feed-forward.
    """

    lead: pid.Memory = pid.Memory()
    zones: tuple[pid.Memory, pid.Memory, pid.Memory] = COLD_LOOPS
    zone_sp_c: float | None = None
    rise_c_per_min: float = 0.0


NOTHING: Final = HeatingMemory()


def rise_limit(wanted: Setpoints, equipment: Equipment) -> float:
    """Return how fast a zone set point may rise, degC/min: half as much again as the phase's rate, never more than the equipment's."""
    rate = RISE_SHARE * wanted.rate_c_per_min
    return min(rate, equipment.max_rate_c_per_min) if rate > 0.0 else equipment.max_rate_c_per_min


def cascade(memory: HeatingMemory, tuning: pid.Tuning, equipment: Equipment, wanted: Setpoints, heat: bool, pv_c: float | None,
            process: Process, dt_s: float) -> tuple[HeatingMemory, float]:  # fmt: skip
    """Return the memory and the zones' set point, degC.

    The outer loop drives ``pv_c`` (see ``sensor``) to the load's set point by letting the zones lead it: by no more than the equipment's
    ``cascade_lead_c``, no further than the hottest part of the load may follow, and no faster than ``rise_limit``. Each of the three is the
    loop's own upper limit, so that it winds up against none. Without ``pv_c`` the zones take the set point themselves. Without ``heat`` the
    loop stands still, and it starts again from the zones' temperature.
    """
    sp_c = wanted.temp_c
    if not heat:
        return NOTHING, sp_c
    was_c = memory.zone_sp_c
    if was_c is None:
        was_c = _start(sp_c, process)
    top_c = min(equipment.max_c, was_c + rise_limit(wanted, equipment) * dt_s / 60.0)
    lead, zone_sp_c = memory.lead, sp_c
    if pv_c is not None:
        hottest_c = pv_c if process.load_max_c is None else process.load_max_c
        high_c = min(equipment.cascade_lead_c, top_c - sp_c, sp_c + MAX_AHEAD_C - hottest_c) if wanted.leads else 0.0
        lead, lead_c = pid.step(lead, tuning, sp_c, pv_c, dt_s, high_c if high_c > 0.0 else 0.0)
        zone_sp_c += lead_c
    zone_sp_c = min(zone_sp_c, top_c)
    rise = _rise(memory, zone_sp_c - was_c, dt_s) if equipment.direct_output else 0.0
    return HeatingMemory(lead, memory.zones, zone_sp_c, rise), zone_sp_c


def led(memory: HeatingMemory, lead_c: float, equipment: Equipment, wanted: Setpoints, process: Process, dt_s: float
        ) -> tuple[HeatingMemory, float]:  # fmt: skip
    """Return the memory and the zones' set point with a lead that an experiment asks for, under the same limits as the loop's."""
    was_c = _start(wanted.temp_c, process) if memory.zone_sp_c is None else memory.zone_sp_c
    top_c = min(equipment.max_c, was_c + rise_limit(wanted, equipment) * dt_s / 60.0)
    zone_sp_c = min(wanted.temp_c + lead_c, top_c)
    return memory._replace(zone_sp_c=zone_sp_c, rise_c_per_min=_rise(memory, zone_sp_c - was_c, dt_s)), zone_sp_c


def _start(sp_c: float, process: Process) -> float:
    """Return where the zones' set point begins when heat comes: at their temperature, but no higher than ``sp_c``."""
    return sp_c if process.temp_c is None else min(sp_c, process.temp_c)


def _rise(memory: HeatingMemory, moved_c: float, dt_s: float) -> float:
    was = memory.rise_c_per_min
    return was + (60.0 * moved_c / dt_s - was) * dt_s / (RAMP_FILTER_S + dt_s) if dt_s > 0 else was


def sensor(wanted: Setpoints, process: Process, inputs: Inputs) -> float | None:
    """Return the temperature that the cascade drives to the set point, degC; None when it is the zones' own or not valid."""
    name = wanted.control_sensor
    if name == "LOAD_MIN":
        return process.load_min_c
    if name == "LOAD_MAX":
        return process.load_max_c
    if name == "LOAD_MEAN" and process.load_min_c is not None and process.load_max_c is not None:
        read = (inputs.load_outer_c.value, inputs.load_edge_c.value, inputs.load_core_c.value)
        trusted = [temp for temp in read if temp is not None and process.load_min_c <= temp <= process.load_max_c]
        return sum(trusted) / len(trusted) if trusted else None
    return None


def forward_pct(share: float, equipment: Equipment, zone_sp_c: float, rise_c_per_min: float) -> float:
    """Return the output that the oven needs to hold and to move its set point, %, times ``share``.

    Heat balance of walls and elements: ``wall_kj_k`` dT/dt + ``loss_w_k`` (T - ambient), over the installed power.
    """
    moving_kw = equipment.wall_kj_k * rise_c_per_min / 60.0
    holding_kw = 1e-3 * equipment.loss_w_k * (zone_sp_c - equipment.ambient_c)
    return share * 100.0 * (moving_kw + holding_kw) / equipment.heater_kw


def zone_loops(memory: HeatingMemory, tuning: pid.Tuning, sp_c: float, process: Process, forward: float, limit_pct: float, dt_s: float
               ) -> tuple[HeatingMemory, Three]:  # fmt: skip
    """Return the memory and the three zone outputs, %; a zone without a trusted temperature gets 0, none gets more than ``limit_pct``."""
    loops, outputs, high = list(memory.zones), [0.0, 0.0, 0.0], min(tuning.high, limit_pct)
    for index, zone in enumerate(process.zones):
        if zone.temp_c is None or zone.valid < 2:
            loops[index] = COLD_LOOPS[index]
        else:
            loops[index], outputs[index] = pid.step(loops[index], tuning, sp_c, zone.temp_c, dt_s, high, forward)
    return memory._replace(zones=(loops[0], loops[1], loops[2])), (outputs[0], outputs[1], outputs[2])
