"""Put the loops together: set points in, wanted outputs out."""

from functools import cached_property
from typing import Annotated, NamedTuple

from pydantic import Field

from controller.control import autotune, gas, heating, pid
from controller.control.autotune import Ended, Tune
from controller.control.gas import GasMemory
from controller.control.heating import HeatingMemory, Three
from controller.control.schedule import DEFAULT, Name, Pair, TuningSet, scheduled
from controller.equipment import Equipment, Strict
from controller.image import Atmosphere, Inputs, Mode, Outputs, Process, Setpoints


class Tunings(Strict):
    """The loops' parameters, plain ones and named sets over temperature and gas; ``ovenctl tune`` shows what autotune proposes."""

    lead: Annotated[pid.Tuning, Field(description="load temperature -> lead of the zones, degC")] = pid.Tuning(gain=0.6, integral_s=3600.0)
    zone: Annotated[pid.Tuning, Field(description="zone temperature -> heater output, %; used with direct_output")] = pid.Tuning(
        gain=4.0, integral_s=600.0
    )
    throttle: Annotated[pid.Tuning, Field(description="log10 pressure -> throttle opening, %")] = pid.Tuning(
        gain=120.0, integral_s=180.0, band=0.15
    )
    feedforward: Annotated[
        float, Field(ge=0, le=1.5, description="share of the oven's heat balance that feeds the zone outputs forward; with direct_output")
    ] = 1.0
    sets: Annotated[
        dict[Name, TuningSet],
        Field(max_length=32, description="named sets for a phase's pid_set: breakpoints over temperature, for vacuum and for nitrogen"),
    ] = Field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Return whether a phase may ask for the set ``name``."""
        return name == DEFAULT or name in self.sets

    def at(self, name: str, atmosphere: Atmosphere, temp_c: float) -> Pair:
        """Return the tunings of lead and zone loops for the set ``name`` at a set point of ``temp_c``, to the whole degree."""
        if name not in self.sets:
            return self.lead, self.zone
        key = (name, atmosphere, round(temp_c))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = scheduled(self.sets[name].points(atmosphere), key[2], (self.lead, self.zone))
        return found

    @cached_property
    def _known(self) -> dict[tuple[str, Atmosphere, int], Pair]:
        """Return the tunings that were worked out so far, so that a scan only looks them up."""
        return {}


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
    """What the loops remember; ``tune`` is a running experiment, ``ended`` the last one since the core started."""

    heating: HeatingMemory = HeatingMemory()
    gas: GasMemory = GasMemory()
    tune: Tune | None = None
    ended: Ended | None = None


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
    lead, zone = tunings.at(wanted.pid_set, wanted.atmosphere, wanted.temp_c) if tunings.sets else (tunings.lead, tunings.zone)
    pv_c = process.load_min_c if wanted.control_sensor == "LOAD_MIN" else heating.sensor(wanted, process, inputs)
    tune, ended = memory.tune, memory.ended
    if tune is not None:
        tune, done = _experiment(tune, wanted, heat, identity, process, pv_c, dt_s)
        if done is not None:
            ended, before = done, memory.heating
            memory = memory._replace(heating=_taken_over(before, done.tune, lead, zone, pv_c, process, equipment, tunings.feedforward))
    if tune is not None and tune.loop == autotune.LEAD:
        heat_memory, sp_c = heating.led(memory.heating, tune.output, equipment, wanted, process, dt_s)
    else:
        heat_memory, sp_c = heating.cascade(memory.heating, lead, equipment, wanted, heat, pv_c, process, dt_s)
    limit_pct = wanted.output_limit_pct
    zone_op = (limit_pct, limit_pct, limit_pct) if heat else heating.NO_OUTPUT  # without direct_output what the PLC's loops may give
    if equipment.direct_output and heat:
        if tune is not None and tune.loop == autotune.ZONE:
            zone_op = _shifted(tune, min(zone.high, limit_pct))
        else:
            forward = heating.forward_pct(tunings.feedforward, equipment, sp_c, heat_memory.rise_c_per_min)
            heat_memory, zone_op = heating.zone_loops(heat_memory, zone, sp_c, process, forward, limit_pct, dt_s)
    gas_memory, g = gas.step(memory.gas, tunings.throttle, wanted, inputs, process, dt_s)
    outputs = Outputs(  # by place: by name it takes three times as long
        identity.mode, heat, identity.purge_permission, identity.reset, equipment.direct_output, (sp_c, sp_c, sp_c), zone_op,
        heating.rise_limit(wanted, equipment), g.pump, g.roots, g.vac_valve, g.vac_throttle_pct, g.n2_valve, g.n2_flow_sp_nm3_h,
        g.vent_valve, g.exhaust_valve, g.services, g.services, g.services, wanted.door_release, identity.batch_id, identity.recipe_crc,
        identity.phase_index, identity.phase_kind, identity.soak_s,
    )  # fmt: skip
    return ControlMemory(heat_memory, gas_memory, tune, ended), outputs


def _experiment(tune: Tune, wanted: Setpoints, heat: bool, identity: Identity, process: Process, pv_c: float | None, dt_s: float
                ) -> tuple[Tune | None, Ended | None]:  # fmt: skip
    """Return the experiment after this scan, None when it has ended, and how."""
    stop = ""
    if identity.mode is not Mode.RUN or identity.phase_index != tune.phase:
        stop = "the unit left the soak"
    elif not heat:
        stop = "heat was taken away"
    elif wanted.temp_c != tune.temp_c:
        stop = "the set point moved"
    tune, ended = autotune.step(tune, _pvs(tune.loop, process, pv_c), stop, dt_s)
    return (tune if ended is None else None), ended


def _pvs(loop: str, process: Process, pv_c: float | None) -> tuple[float, ...] | None:
    if loop == autotune.LEAD:
        return None if pv_c is None else (pv_c,)
    temps = [zone.temp_c for zone in process.zones if zone.temp_c is not None and zone.valid >= 2]
    return tuple(temps) if len(temps) == len(process.zones) else None


def _shifted(tune: Tune, high_pct: float) -> Three:
    a, b, c = (min(max(tune.output + offset, 0.0), high_pct) for offset in tune.offsets)
    return a, b, c


def _taken_over(memory: HeatingMemory, tune: Tune, lead: pid.Tuning, zone: pid.Tuning, pv_c: float | None, process: Process,
                equipment: Equipment, share: float) -> HeatingMemory:  # fmt: skip
    """Return the loops' memory with which they go on where the experiment's balance stood."""
    if tune.loop == autotune.LEAD:
        return memory if pv_c is None else memory._replace(lead=pid.track(lead, tune.relay.bias, tune.temp_c, pv_c))
    sp_c = tune.relay.sp_c
    forward = heating.forward_pct(share, equipment, sp_c, 0.0)
    loops = [
        old if at.temp_c is None else pid.track(zone, tune.relay.bias + offset, sp_c, at.temp_c, forward)
        for old, at, offset in zip(memory.zones, process.zones, tune.offsets, strict=True)
    ]
    return memory._replace(zones=(loops[0], loops[1], loops[2]), rise_c_per_min=0.0)
