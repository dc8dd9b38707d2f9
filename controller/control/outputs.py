"""Put the loops together: set points in, wanted outputs out."""

from typing import Annotated, NamedTuple

from pydantic import Field

from controller.control import gas, heating, pid
from controller.control.gas import GasMemory
from controller.control.heating import HeatingMemory
from controller.equipment import Equipment, Strict
from controller.image import Inputs, Mode, Outputs, Process, Setpoints


class Tunings(Strict):
    """The loops' parameters; the issue of autotuning is the site's."""

    lead: Annotated[pid.Tuning, Field(description="load temperature -> lead of the zones, degC")] = pid.Tuning(gain=0.6, integral_s=3600.0)
    zone: Annotated[pid.Tuning, Field(description="zone temperature -> heater output, %; used with direct_output")] = pid.Tuning(
        gain=4.0, integral_s=600.0
    )
    throttle: Annotated[pid.Tuning, Field(description="log10 pressure -> throttle opening, %")] = pid.Tuning(gain=120.0, integral_s=60.0)


class Identity(NamedTuple):
    """What the outputs say of the unit, its batch and its permissions; no loop has a part in it."""

    mode: Mode
    purge_permission: bool
    reset: bool
    batch_id: int
    recipe_crc: int
    phase_index: int
    phase_kind: int
    soak_s: float


class ControlMemory(NamedTuple):
    """What the loops remember."""

    heating: HeatingMemory = HeatingMemory()
    gas: GasMemory = GasMemory()


def step(memory: ControlMemory, tunings: Tunings, equipment: Equipment, wanted: Setpoints, permitted: bool, identity: Identity,
         inputs: Inputs, process: Process, dt_s: float) -> tuple[ControlMemory, Outputs]:  # fmt: skip
    """Return the memory and the outputs wanted.

    Args:
        memory: of the loops.
        tunings: their parameters.
        equipment: the oven.
        wanted: set points.
        permitted: whether heat is permitted, so that no loop winds up against an interlock.
        identity: what the PLC is told of the unit.
        inputs: PV.
        process: conditioned PVs.
        dt_s: time since the last scan, s.
    """
    heat = wanted.heat and permitted
    lead, zone_sp = heating.cascade(memory.heating.lead, tunings.lead, equipment, wanted, heat, process, dt_s)
    heat_memory = HeatingMemory(lead, memory.heating.zones)
    zone_op = (0.0, 0.0, 0.0)
    if equipment.direct_output:
        heat_memory, zone_op = heating.zone_loops(heat_memory, tunings.zone, zone_sp, process, heat, dt_s)
    gas_memory, g = gas.step(memory.gas, tunings.throttle, wanted, inputs, process, dt_s)
    rate = wanted.rate_c_per_min * 1.5 if wanted.rate_c_per_min > 0 else equipment.max_rate_c_per_min
    outputs = Outputs(
        mode=identity.mode,
        heat_enable=heat,
        purge_permission=identity.purge_permission,
        reset=identity.reset,
        direct_output=equipment.direct_output,
        zone_sp_c=zone_sp,
        zone_op_pct=zone_op,
        rate_limit_c_per_min=min(rate, equipment.max_rate_c_per_min),
        pump=g.pump,
        roots=g.roots,
        vac_valve=g.vac_valve,
        vac_throttle_pct=g.vac_throttle_pct,
        n2_valve=g.n2_valve,
        n2_flow_sp_nm3_h=g.n2_flow_sp_nm3_h,
        vent_valve=g.vent_valve,
        exhaust_valve=g.exhaust_valve,
        exhaust_fan=g.services,
        circulation=g.services,
        condenser=g.services,
        door_release=wanted.door_release,
        batch_id=identity.batch_id,
        recipe_crc=identity.recipe_crc,
        phase_index=identity.phase_index,
        phase_kind=identity.phase_kind,
        soak_s=identity.soak_s,
    )
    return ControlMemory(heat_memory, gas_memory), outputs
