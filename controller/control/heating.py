"""Heating: a cascade from the load's temperature to the zones' set points, and zone loops when the PLC does not close them."""

from typing import NamedTuple

from controller.control import pid
from controller.equipment import Equipment
from controller.image import Process, Setpoints

Three = tuple[float, float, float]


class HeatingMemory(NamedTuple):
    """lead_c: how far the zones lead the load; zones: the zone loops (used with ``direct_output``)."""

    lead: pid.Memory = pid.Memory()
    zones: tuple[pid.Memory, pid.Memory, pid.Memory] = (pid.Memory(), pid.Memory(), pid.Memory())


def cascade(memory: pid.Memory, tuning: pid.Tuning, equipment: Equipment, wanted: Setpoints, heat: bool,
            process: Process, dt_s: float) -> tuple[pid.Memory, Three]:  # fmt: skip
    """Return the cascade's memory and the zones' set points, degC.

    The outer loop drives the coldest load thermocouple to the load's set point by letting the zones lead it, by no more than the
    equipment's ``cascade_lead_c``; without a load thermocouple the zones take the set point themselves. It stands still without ``heat``.
    """
    if not heat:
        sp = wanted.temp_c
        return pid.Memory(), (sp, sp, sp)
    lead_c = 0.0
    if process.load_min_c is not None and process.load_max_c is not None:
        memory, lead_c = pid.step(memory, tuning, wanted.temp_c, process.load_min_c, dt_s, high=equipment.cascade_lead_c)
        # The hottest part of the load must not pass the set point because the coldest lags.
        lead_c = min(lead_c, max(0.0, wanted.temp_c + 2.0 - process.load_max_c))
    sp = min(wanted.temp_c + lead_c, equipment.max_c)
    return memory, (sp, sp, sp)


def zone_loops(
    memory: HeatingMemory, tuning: pid.Tuning, sp_c: Three, process: Process, heat: bool, dt_s: float
) -> tuple[HeatingMemory, Three]:
    """Return the memory and the three zone outputs, %; a zone without a trusted temperature gets 0."""
    loops, outputs = list(memory.zones), [0.0, 0.0, 0.0]
    for index, zone in enumerate(process.zones):
        if not heat or zone.temp_c is None or zone.valid < 2:
            loops[index] = pid.Memory()
        else:
            loops[index], outputs[index] = pid.step(loops[index], tuning, sp_c[index], zone.temp_c, dt_s)
    return memory._replace(zones=(loops[0], loops[1], loops[2])), (outputs[0], outputs[1], outputs[2])
