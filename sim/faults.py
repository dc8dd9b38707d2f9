"""Faults to rehearse: one entry per fault in ``FAULTS``, put in and taken out by name.

A fault alters instruments, field or PLC of a running soft PLC and nothing of the controller.
"""

from collections.abc import Callable
from dataclasses import replace
from math import inf, nan
from random import Random
from typing import Final, NamedTuple

from sim.plant.instruments import Distortion
from sim.softplc import SoftPlc

Act = Callable[[SoftPlc], None]
Maker = Callable[[SoftPlc], Distortion]
DRIFT_C_H: Final = 3.0
LEAK_FACTOR: Final = 3e5  # of the clean oven's leak: about 1 mbar l/s becomes 1000
ROOM_C: Final = 23.0  # what a shorted thermocouple shows: the junction is where the short is


class Fault(NamedTuple):
    """One fault: what it is, how it comes and how it goes."""

    text: str
    put_in: Act
    take_out: Act


def inject(plc: SoftPlc, name: str) -> None:
    """Put fault ``name`` in; KeyError when there is none of that name."""
    FAULTS[name].put_in(plc)


def clear(plc: SoftPlc, name: str) -> None:
    """Take fault ``name`` out again."""
    FAULTS[name].take_out(plc)


# ---- what a reading becomes ----


def _reads(value: float) -> Maker:
    return lambda plc: lambda _value, _at_s: value


def _plus(offset: float) -> Maker:
    return lambda plc: lambda value, _at_s: value + offset


def _times(factor: float) -> Maker:
    return lambda plc: lambda value, _at_s: value * factor


def _reversed(plc: SoftPlc) -> Distortion:
    return lambda value, _at_s: 2.0 * ROOM_C - value


def _drifts(plc: SoftPlc) -> Distortion:
    from_s = plc.plant.at_s
    return lambda value, at_s: value + DRIFT_C_H * (at_s - from_s) / 3600.0


def _frozen(name: str) -> Maker:
    def make(plc: SoftPlc) -> Distortion:
        last = plc.values[name]
        return lambda _value, _at_s: last

    return make


def _spikes(plc: SoftPlc) -> Distortion:
    rng = Random(1)
    return lambda value, _at_s: value + 150.0 if rng.random() < 0.05 else value


def _noisy(plc: SoftPlc) -> Distortion:
    rng = Random(1)
    return lambda value, _at_s: value + rng.gauss(0.0, 1.5)


def _zone(index: int) -> Maker:
    return lambda plc: lambda _value, _at_s: plc.plant.heaters.walls_c[index]


def _signals(text: str, **makers: Maker) -> Fault:
    def put_in(plc: SoftPlc) -> None:
        plc.plant.instruments.distortions.update({name: make(plc) for name, make in makers.items()})

    def take_out(plc: SoftPlc) -> None:
        for name in makers:
            plc.plant.instruments.distortions.pop(name, None)

    return Fault(text, put_in, take_out)


# ---- what the field and the PLC become ----


def _set(text: str, part: Callable[[SoftPlc], object], name: str, faulty: object, sound: object) -> Fault:
    return Fault(text, lambda plc: setattr(part(plc), name, faulty), lambda plc: setattr(part(plc), name, sound))


def _watchdog(enabled: bool) -> Act:
    def act(plc: SoftPlc) -> None:
        plc.settings = replace(plc.settings, watchdog_enabled=enabled)

    return act


def _power_off(plc: SoftPlc) -> None:
    plc.faults.stopped = True


def _power_on(plc: SoftPlc) -> None:
    plc.faults.stopped = False
    plc.power_cycle()


def _nothing(plc: SoftPlc) -> None:
    """Do nothing: a PLC that has started again needs no clearing."""


def _valve(plc: SoftPlc, name: str, stuck_at: float | None, lie: bool | None) -> None:
    valve = getattr(plc.plant.field, name)
    valve.stuck_at, valve.lie = stuck_at, lie


def _stuck(text: str, name: str, stuck_at: float, lie: bool | None = None) -> Fault:
    return Fault(text, lambda plc: _valve(plc, name, stuck_at, lie), lambda plc: _valve(plc, name, None, None))


def _dead(text: str, name: str) -> Fault:
    return _set(text, lambda plc: getattr(plc.plant.field, name), "dead", True, False)


def _open_door(plc: SoftPlc) -> None:
    plc.plant.door_closed = False


def _shut_door(plc: SoftPlc) -> None:
    plc.plant.close_door()


FAULTS: Final[dict[str, Fault]] = {
    # temperatures
    "tc_open": _signals("zone 1 thermocouple A open", z1_tc_a_c=_reads(nan)),
    "tc_short": _signals("zone 1 thermocouple A shorted in the terminal box", z1_tc_a_c=_reads(ROOM_C)),
    "tc_reversed": _signals("zone 1 thermocouple A reversed", z1_tc_a_c=_reversed),
    "tc_frozen": _signals("zone 1 thermocouple A frozen with good quality", z1_tc_a_c=_frozen("z1_tc_a_c")),
    "tc_drift": _signals("zone 1 thermocouple A drifts 3 K/h", z1_tc_a_c=_drifts),
    "tc_step": _signals("zone 1 thermocouple A steps by 15 K", z1_tc_a_c=_plus(15.0)),
    "tc_spikes": _signals("zone 1 thermocouple A spikes", z1_tc_a_c=_spikes),
    "tc_noise": _signals("zone 1 thermocouple A ten times as noisy", z1_tc_a_c=_noisy),
    "tc_infinite": _signals("zone 1 thermocouple A sends infinity", z1_tc_a_c=_reads(inf)),
    "tc_two_open": _signals("zone 1 thermocouples A and B open", z1_tc_a_c=_reads(nan), z1_tc_b_c=_reads(nan)),
    "tc_two_differ": _signals("zone 1: A open, B frozen", z1_tc_a_c=_reads(nan), z1_tc_b_c=_frozen("z1_tc_b_c")),
    "tc_two_agree_wrong": _signals("zone 1: A and B agree, 20 K low", z1_tc_a_c=_plus(-20.0), z1_tc_b_c=_plus(-20.0)),
    "tc_swapped": _signals("thermocouple A of zones 1 and 3 swapped", z1_tc_a_c=_zone(2), z3_tc_a_c=_zone(0)),
    "tc_all_frozen": _signals("zone 2 frozen", **{f"z2_tc_{x}_c": _frozen(f"z2_tc_{x}_c") for x in "abc"}),
    "limit_tc_open": _signals("zone 2 limit thermocouple open", z2_limit_c=_reads(nan)),
    "load_tc_open": _signals("outer load thermocouple open", load_outer_c=_reads(nan)),
    "load_tcs_open": _signals("all load thermocouples open", load_outer_c=_reads(nan), load_edge_c=_reads(nan), load_core_c=_reads(nan)),
    "load_core_frozen": _signals("core thermocouple frozen", load_core_c=_frozen("load_core_c")),
    # pressure and gas
    "gauge_open": _signals("capacitance gauge dead", pressure_cap_mbar=_reads(nan)),
    "gauge_zero": _signals("capacitance gauge reads 5 mbar too much", pressure_cap_mbar=_plus(5.0)),
    "gauge_range": _signals("capacitance gauge in another range, ten times too low", pressure_cap_mbar=_times(0.1)),
    "gauge_frozen": _signals("capacitance gauge frozen", pressure_cap_mbar=_frozen("pressure_cap_mbar")),
    "pirani_open": _signals("Pirani gauge dead", pressure_pirani_mbar=_reads(nan)),
    "o2_stuck_low": _signals("O2 analyser stuck at 0.01 %", o2_pct=_reads(0.01)),
    "o2_not_ready": _signals("O2 analyser warming up", o2_ready=_reads(0.0)),
    "o2_flow_lost": _signals("no sample flow through the O2 analyser", o2_sample_flow_l_min=_reads(0.0)),
    "o2_cal_due": _signals("O2 analyser's calibration is due", o2_cal_ok=_reads(0.0)),
    "room_o2_low": _signals("room O2 at 17 %", room_o2_pct=_reads(17.0)),
    "lel_open": _signals("LEL sensor dead", exhaust_lel_pct=_reads(nan)),
    "lel_high": _signals("LEL sensor at 30 %", exhaust_lel_pct=_reads(30.0)),
    "condensate_frozen": _signals("condensate scale frozen", condensate_kg=_frozen("condensate_kg")),
    "air_leak": _set("air leak", lambda plc: plc.plant.chamber, "leak_factor", LEAK_FACTOR, 1.0),
    "n2_lost": _set("N2 supply lost", lambda plc: plc.plant.chamber, "n2_supply", 0.0, 1.0),
    "n2_low": _set("N2 header at 60 %", lambda plc: plc.plant.chamber, "n2_supply", 0.6, 1.0),
    # actuators
    "contactor_welded": _set("main heat contactor welded", lambda plc: plc.plant.field, "contactor_welded", True, False),
    "thyristor_shorted": _set("zone 2 thyristor shorted: full power", lambda plc: plc.plant.field, "thyristor_shorted", True, False),
    "element_open": _set("zone 2 element open", lambda plc: plc.plant.field, "elements_open", (False, True, False), (False,) * 3),
    "vac_valve_stuck_shut": _stuck("vacuum valve stuck shut", "vac", 0.0),
    "vac_valve_stuck_open": _stuck("vacuum valve stuck open", "vac", 1.0),
    "vac_valve_lies": _stuck("vacuum valve stuck open, switches show it shut", "vac", 1.0, lie=False),
    "n2_valve_stuck_shut": _stuck("N2 valve stuck shut", "n2", 0.0),
    "n2_valve_stuck_open": _stuck("N2 valve stuck open", "n2", 1.0),
    "exhaust_valve_stuck_shut": _stuck("exhaust valve stuck shut", "exhaust", 0.0),
    "exhaust_valve_half": _stuck("exhaust valve stops half way: neither switch", "exhaust", 0.5),
    "pump_trip": _dead("vacuum pump trips", "pump"),
    "roots_trip": _dead("Roots pump trips", "roots"),
    "condenser_lost": _dead("chiller lost", "chiller"),
    "exhaust_lost": _dead("exhaust fan lost", "exhaust_fan"),
    "circulation_lost": _dead("circulation fan lost", "circulation"),
    # door, chain, people
    "door_forced": Fault("door opened against its lock", _open_door, _shut_door),
    "door_switch": _signals("door switch B open, A closed", door_closed_b=_reads(0.0)),
    "estop": _set("emergency stop pressed", lambda plc: plc.plant, "estop_ok", False, True),
    "limiter": _set("excess-temperature limiter tripped", lambda plc: plc.plant, "limiter_ok", False, True),
    "local": _set("local/remote switch in local", lambda plc: plc.plant, "remote", False, True),
    # PLC and wire
    "plc_power_cycle": Fault("PLC loses power and starts again", lambda plc: plc.power_cycle(), _nothing),
    "plc_no_power": Fault("PLC without power until it is taken out", _power_off, _power_on),
    "plc_stopped": _set("PLC in STOP", lambda plc: plc.faults, "stopped", True, False),
    "plc_mute": _set("PLC does not answer", lambda plc: plc.faults, "mute", True, False),
    "plc_echo_frozen": _set("echo frozen while data move", lambda plc: plc.faults, "echo_frozen", True, False),
    "plc_image_frozen": _set("whole image frozen", lambda plc: plc.faults, "image_frozen", True, False),
    "plc_write_ignored": _set("writes acknowledged and ignored", lambda plc: plc.faults, "write_ignored", True, False),
    "plc_watchdog_off": Fault("watchdog off, as field I/O at power-on", _watchdog(False), _watchdog(True)),
}
