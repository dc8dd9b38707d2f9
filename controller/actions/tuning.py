"""The verb AUTOTUNE: an engineer has a loop identified in the middle of a soak; it answers with a proposal, never with a setting."""

from typing import Final, NamedTuple

from controller.actions.action import Action, Moment
from controller.command import Command
from controller.control import heating
from controller.control.autotune import LEAD, ZONE, Tune
from controller.control.relay import Relay
from controller.memory import Memory
from controller.recipe import standing
from controller.recipe.standing import Note
from controller.recipe.states import UnitState, Verb
from controller.roles import Role

OFF: Final = "off"
START_C: Final = 3.0  # so near to its set point the PV must be


class Number(NamedTuple):
    """A number that may be given: its range and default per loop, zone and lead, and its unit."""

    low: float
    high: float
    zone: float
    lead: float
    unit: str


NUMBERS: Final = {
    "amplitude": Number(1.0, 40.0, 15.0, 2.5, "% of heater output (zone) or degC of lead (lead), to each side"),
    "hysteresis_c": Number(0.1, 5.0, 0.4, 0.3, "degC, above the noise of the temperature"),
    "swing_c": Number(1.0, 10.0, 5.0, 5.0, "degC to each side of the set point at which the experiment ends"),
    "limit_min": Number(5.0, 1440.0, 60.0, 240.0, "min"),
}


def _refuse(moment: Moment, command: Command) -> str:
    loop = command.args.get("loop")
    if loop not in (ZONE, LEAD, OFF):
        return f"loop = {loop!r}: {ZONE}, {LEAD} or {OFF}"
    running = moment.memory.control.tune
    if loop == OFF:
        return "" if running is not None else "no autotune is running"
    if running is not None:
        return f"autotune of the {running.loop} loop by {running.user} is running; end it with loop = {OFF}"
    if loop == ZONE and not moment.settings.equipment.direct_output:
        return "the PLC closes the zone loops (equipment.direct_output = false): tune them there, or the lead here"
    return _numbers(str(loop), command) or _place(moment, str(loop))


def _numbers(loop: str, command: Command) -> str:
    for name, number in NUMBERS.items():
        value = command.args.get(name, number.zone)
        if isinstance(value, bool) or not isinstance(value, int | float) or not number.low <= value <= number.high:
            return f"{name} = {value!r}: {number.low:g} to {number.high:g} {number.unit}"
    hysteresis_c, swing_c = _value(command, loop, "hysteresis_c"), _value(command, loop, "swing_c")
    return "" if 2.0 * hysteresis_c <= swing_c else f"hysteresis_c = {hysteresis_c:g}: at most half of swing_c = {swing_c:g} degC"


def _place(moment: Moment, loop: str) -> str:
    """Return why the loop cannot be tuned where the unit stands: only a soak with heat, at its temperature, is the right place."""
    unit = moment.memory.unit
    phase = standing.current(unit)
    if unit.state is not UnitState.RUNNING or phase is None or phase.kind != "SOAK":
        return f"autotune runs in a SOAK of a running batch; the unit is {unit.state.name}{'' if phase is None else ', ' + phase.kind}"
    if not (unit.setpoints.heat and moment.verdict.heat):
        return "there is no heat: wait for the atmosphere"
    target_c = phase.target_c
    if unit.temp_sp_c != target_c:
        return f"the set point is on its way, {unit.temp_sp_c:.1f} of {target_c:g} degC"
    pvs_c = _pvs(moment, loop)
    if not pvs_c:
        return "the loop's temperature is not valid, or the phase's control_sensor is the zones themselves"
    sp_c = _sp_c(moment, loop)
    far = max(pvs_c, key=lambda pv: abs(pv - sp_c))
    return "" if abs(far - sp_c) <= START_C else f"{far:.1f} degC is further than {START_C:g} degC from the set point {sp_c:.1f} degC"


def _pvs(moment: Moment, loop: str) -> tuple[float, ...]:
    if loop == LEAD:
        pv_c = heating.sensor(moment.memory.unit.setpoints, moment.process, moment.inputs)
        return () if pv_c is None else (pv_c,)
    temps = tuple(zone.temp_c for zone in moment.process.zones if zone.temp_c is not None and zone.valid >= 2)
    return temps if len(temps) == len(moment.process.zones) else ()


def _sp_c(moment: Moment, loop: str) -> float:
    """Return what the loop's PV should be now, degC: the load's set point, or the zones' with the lead they have."""
    return moment.memory.unit.temp_sp_c if loop == LEAD else moment.memory.outputs.zone_sp_c[0]


def _value(command: Command, loop: str, name: str) -> float:
    number = NUMBERS[name]
    return float(command.args.get(name, number.lead if loop == LEAD else number.zone))


def _carry_out(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    control = moment.memory.control
    if command.args["loop"] == OFF:
        return _stopped(moment, command)
    tune = _begun(moment, command, str(command.args["loop"]))
    note = Note("decision", {
        "what": "autotune", "event": "begun", "loop": tune.loop, "temp_c": tune.temp_c, "gas": tune.gas, "user": tune.user,
        "why": f"relay ± {tune.relay.amplitude:g} around {tune.relay.bias:.1f}, ± {tune.swing_c:g} degC, {tune.limit_s / 60:g} min at most",
    })  # fmt: skip
    memory = moment.memory._replace(control=control._replace(tune=tune))
    return memory, (note,), f"the {tune.loop} loop is being tuned; the proposal comes into the journal (ovenctl tune)"


def _begun(moment: Moment, command: Command, loop: str) -> Tune:
    unit, settings, outputs = moment.memory.unit, moment.settings, moment.memory.outputs
    sp_c, amplitude = _sp_c(moment, loop), _value(command, loop, "amplitude")
    offsets = (0.0, 0.0, 0.0)
    if loop == ZONE:
        a, b, c = outputs.zone_op_pct
        bias = (a + b + c) / 3.0
        offsets = (a - bias, b - bias, c - bias)
        least, most = 0.0, min(settings.tunings.zone.high, unit.setpoints.output_limit_pct)
    else:
        bias = outputs.zone_sp_c[0] - unit.temp_sp_c
        least, most = -amplitude, min(settings.equipment.cascade_lead_c, settings.equipment.max_c - unit.temp_sp_c)
    relay = Relay(sp_c, amplitude, _value(command, loop, "hysteresis_c"), least, most, bias)
    return Tune(loop, relay, unit.temp_sp_c, unit.phase_index, unit.setpoints.pid_set, unit.setpoints.atmosphere.name, command.user,
                offsets, _value(command, loop, "swing_c"), 60.0 * _value(command, loop, "limit_min"))  # fmt: skip


def _stopped(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    """Let the next control step end the experiment, so that the loop takes over without a bump."""
    tune = moment.memory.control.tune
    if tune is None:
        return moment.memory, (), "no autotune is running"
    ending = tune._replace(limit_s=0.0, user=command.user)
    return moment.memory._replace(control=moment.memory.control._replace(tune=ending)), (), "autotune ends; the old tuning goes on"


TUNING: Final[dict[Verb, Action]] = {Verb.AUTOTUNE: Action(Role.ENGINEER, frozenset({"loop", *NUMBERS}), _refuse, _carry_out)}
