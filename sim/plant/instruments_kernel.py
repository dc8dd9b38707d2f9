"""What the transmitters show: the truth with lag, noise, offset, gas dependence and quantisation."""

from math import isnan
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sim.plant.jit import compiled, part

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

NOISES = 32  # numbers used per reading
THERMOCOUPLES = 16
LOADS = slice(12, 15)  # of them: on the load
# What instruments see of the oven, by the names of its numbers (see oven_kernel.OVEN).
SEEN = (
    "wall_1_c", "wall_2_c", "wall_3_c", "cold_wall_c", "condenser_c", "pressure_pa", "n2", "o2", "vapour", "other", "n2_supply",
    "n2_flow_nm3_h", "n2_used_nm3", "lel_flow_mol_s", "condensed_mol", "relief_lifted", "door_closed", "door_locked", "estop_ok",
    "limiter_ok", "remote", "main_closed", "zone_contactors", "op_1_pct", "op_2_pct", "op_3_pct", "vac.position", "vac.lie",
    "n2_inlet.position", "n2_inlet.lie", "vent.position", "vent.lie", "exhaust.position", "exhaust.lie", "pump.speed", "roots.speed",
    "exhaust_fan.speed", "circulation.speed", "chiller.speed",
)  # fmt: skip
_SEEN = np.dtype([(name.replace(".", "_"), "f8") for name in SEEN])
# What the instruments remember and what each of them is like.
OWN = np.dtype([
    *((name, "f8") for name in ("zone_1_c", "zone_2_c", "zone_3_c", "outer_c", "edge_c", "core_c", "o2_pct", "lel_pct", "drips_kg",
                                "gauge_zero_mbar", "gauge_gain", "pirani_gain")),
    ("offset_c", "f8", (THERMOCOUPLES,)),
])  # fmt: skip
LAW = np.dtype([(name, "f8") for name in (
    "tc_lag_s", "load_lag_s", "o2_lag_s", "o2_lowest_mbar", "lel_lag_s", "condensate_lag_s", "gauge_mbar", "lel_step_pct",
    "scale_kg", "pa_per_mbar", "gas_constant",
    "ambient_c", "ambient_mbar", "cooling_c", "n2_header_bar", "n2_reserve_nm3", "exhaust_fan_m3_h", "lel_pct", "lel_gain",
    "solvent_kg_mol", "contact", "core_contact",
)])  # fmt: skip


class Readings(NamedTuple):
    """What the instruments show; NaN is a broken sensor, switches are 0 or 1."""

    z1_tc_a_c: float
    z1_tc_b_c: float
    z1_tc_c_c: float
    z1_limit_c: float
    z2_tc_a_c: float
    z2_tc_b_c: float
    z2_tc_c_c: float
    z2_limit_c: float
    z3_tc_a_c: float
    z3_tc_b_c: float
    z3_tc_c_c: float
    z3_limit_c: float
    load_outer_c: float
    load_edge_c: float
    load_core_c: float
    coldest_wall_c: float
    condenser_c: float
    cooling_c: float
    pressure_cap_mbar: float
    pressure_pirani_mbar: float
    n2_header_bar: float
    n2_flow_nm3_h: float
    n2_reserve_nm3: float
    o2_pct: float
    o2_sample_flow_l_min: float
    o2_ready: float
    o2_cal_ok: float
    room_o2_pct: float
    exhaust_lel_pct: float
    exhaust_flow_m3_h: float
    condensate_kg: float
    cooling_flow_l_min: float
    main_contactor: float
    z1_contactor: float
    z2_contactor: float
    z3_contactor: float
    z1_op_pct: float
    z2_op_pct: float
    z3_op_pct: float
    pump_run: float
    roots_run: float
    vac_valve_open: float
    vac_valve_closed: float
    n2_valve_open: float
    n2_valve_closed: float
    vent_valve_open: float
    vent_valve_closed: float
    exhaust_valve_open: float
    exhaust_valve_closed: float
    exhaust_run: float
    circulation_run: float
    condenser_run: float
    door_closed_a: float
    door_closed_b: float
    door_locked: float
    estop_ok: float
    overtemp_ok: float
    relief_ok: float
    hardwired_ok: float
    remote: float


_READINGS = np.dtype([(name, "f8") for name in Readings._fields])


@part
def _zones(s: Any, o: Any, p: Any, n: Array, dt_s: float, r: Any) -> None:
    k = dt_s / (p.tc_lag_s + dt_s)
    o.zone_1_c += k * (s.wall_1_c - o.zone_1_c)
    o.zone_2_c += k * (s.wall_2_c - o.zone_2_c)
    o.zone_3_c += k * (s.wall_3_c - o.zone_3_c)
    r.z1_tc_a_c = o.zone_1_c + o.offset_c[0] + 0.15 * n[0]
    r.z1_tc_b_c = o.zone_1_c + o.offset_c[1] + 0.15 * n[1]
    r.z1_tc_c_c = o.zone_1_c + o.offset_c[2] + 0.15 * n[2]
    r.z1_limit_c = o.zone_1_c + o.offset_c[3] + 0.2 * n[3]
    r.z2_tc_a_c = o.zone_2_c + o.offset_c[4] + 0.15 * n[4]
    r.z2_tc_b_c = o.zone_2_c + o.offset_c[5] + 0.15 * n[5]
    r.z2_tc_c_c = o.zone_2_c + o.offset_c[6] + 0.15 * n[6]
    r.z2_limit_c = o.zone_2_c + o.offset_c[7] + 0.2 * n[7]
    r.z3_tc_a_c = o.zone_3_c + o.offset_c[8] + 0.15 * n[8]
    r.z3_tc_b_c = o.zone_3_c + o.offset_c[9] + 0.15 * n[9]
    r.z3_tc_c_c = o.zone_3_c + o.offset_c[10] + 0.15 * n[10]
    r.z3_limit_c = o.zone_3_c + o.offset_c[11] + 0.2 * n[11]
    r.coldest_wall_c = s.cold_wall_c + 0.1 * n[15]
    r.condenser_c = s.condenser_c + 0.1 * n[16]
    r.cooling_c = p.cooling_c + 0.02 * (s.wall_2_c - p.cooling_c) + 0.1 * n[17]


@part
def _loads(s: Any, o: Any, p: Any, n: Array, dt_s: float, outer_c: float, edge_c: float, core_c: float, r: Any) -> None:
    if isnan(core_c):  # the load thermocouples hang in the gas
        outer_c = edge_c = core_c = s.wall_2_c
    else:
        outer_c += (1.0 - p.contact) * (s.wall_2_c - outer_c)
        edge_c += (1.0 - p.contact) * (s.wall_1_c - edge_c)
        core_c += (1.0 - p.core_contact) * (s.wall_1_c - core_c)
    k = dt_s / (p.load_lag_s + dt_s)
    o.outer_c += k * (outer_c - o.outer_c)
    o.edge_c += k * (edge_c - o.edge_c)
    o.core_c += k * (core_c - o.core_c)
    r.load_outer_c = o.outer_c + o.offset_c[12] + 0.1 * n[12]
    r.load_edge_c = o.edge_c + o.offset_c[13] + 0.1 * n[13]
    r.load_core_c = o.core_c + o.offset_c[14] + 0.1 * n[14]


@part
def _pressures(s: Any, o: Any, p: Any, n: Array, mbar: float, r: Any) -> None:
    gauge_mbar = mbar * (o.gauge_gain + 0.0004 * n[18]) + o.gauge_zero_mbar + 0.01 * n[19]
    r.pressure_cap_mbar = max(0.0, np.rint(gauge_mbar / p.gauge_mbar) * p.gauge_mbar)
    heavy = s.vapour / (s.n2 + s.o2 + s.vapour + s.other)
    # vapour conducts heat better than N2 at low pressure, and above 50 mbar a Pirani hardly sees the pressure
    factor = (1.0 + 0.6 * heavy) * (1.0 + 0.12 * mbar / (mbar + 50.0)) * o.pirani_gain
    r.pressure_pirani_mbar = min(1200.0, mbar * factor * (1.0 + 0.01 * n[20]))
    r.n2_header_bar = max(0.0, p.n2_header_bar * s.n2_supply - 0.005 * s.n2_flow_nm3_h + 0.02 * n[21])
    r.n2_flow_nm3_h = max(0.0, s.n2_flow_nm3_h * (1.0 + 0.005 * n[22]))
    r.n2_reserve_nm3 = max(0.0, p.n2_reserve_nm3 - s.n2_used_nm3)


@part
def _oxygen(s: Any, o: Any, p: Any, n: Array, dt_s: float, mbar: float, r: Any) -> None:
    flows = mbar > p.o2_lowest_mbar
    if flows:  # without sample flow the reading just stays where it was
        o.o2_pct += (100.0 * s.o2 / (s.n2 + s.o2 + s.vapour + s.other) - o.o2_pct) * dt_s / (p.o2_lag_s + dt_s)
    r.o2_pct = max(0.0, o.o2_pct * (1.0 + 0.005 * n[23]) + 0.0005 * n[24])
    r.o2_sample_flow_l_min = 1.0 + 0.02 * n[25] if flows else 0.0
    r.o2_ready = r.o2_cal_ok = 1.0
    r.room_o2_pct = 20.9 + 0.02 * n[26] - (0.0 if s.door_closed != 0.0 else 0.04 * s.n2_flow_nm3_h)


@part
def _exhaust(s: Any, o: Any, p: Any, n: Array, dt_s: float, r: Any) -> None:
    flow_m3_h = p.exhaust_fan_m3_h * s.exhaust_fan_speed + 0.5
    duct_mol_s = flow_m3_h / 3600.0 * p.ambient_mbar * p.pa_per_mbar / (p.gas_constant * (p.ambient_c + 273.15))
    lel_pct = min(120.0, 1e4 * s.lel_flow_mol_s / (duct_mol_s * p.lel_pct))
    o.lel_pct += (lel_pct - o.lel_pct) * dt_s / (p.lel_lag_s + dt_s)
    r.exhaust_lel_pct = min(100.0, max(0.0, np.rint((p.lel_gain * o.lel_pct + 0.2 * n[27]) / p.lel_step_pct) * p.lel_step_pct))
    r.exhaust_flow_m3_h = max(0.0, flow_m3_h * (1.0 + 0.01 * n[28]))
    o.drips_kg += (s.condensed_mol * p.solvent_kg_mol - o.drips_kg) * dt_s / (p.condensate_lag_s + dt_s)
    r.condensate_kg = np.rint((o.drips_kg + 0.0008 * n[29]) / p.scale_kg) * p.scale_kg
    r.cooling_flow_l_min = 40.0 + 0.3 * n[30]


@part
def _switches(s: Any, r: Any) -> None:
    r.main_contactor = s.main_closed
    r.z1_contactor = r.z2_contactor = r.z3_contactor = s.zone_contactors
    on = s.main_closed * s.zone_contactors
    r.z1_op_pct, r.z2_op_pct, r.z3_op_pct = on * s.op_1_pct, on * s.op_2_pct, on * s.op_3_pct
    r.vac_valve_open, r.vac_valve_closed = _opened(s.vac_position, s.vac_lie), _shut(s.vac_position, s.vac_lie)
    r.n2_valve_open, r.n2_valve_closed = _opened(s.n2_inlet_position, s.n2_inlet_lie), _shut(s.n2_inlet_position, s.n2_inlet_lie)
    r.vent_valve_open, r.vent_valve_closed = _opened(s.vent_position, s.vent_lie), _shut(s.vent_position, s.vent_lie)
    r.exhaust_valve_open, r.exhaust_valve_closed = _opened(s.exhaust_position, s.exhaust_lie), _shut(s.exhaust_position, s.exhaust_lie)
    r.pump_run, r.roots_run = _runs(s.pump_speed), _runs(s.roots_speed)
    r.exhaust_run, r.circulation_run, r.condenser_run = _runs(s.exhaust_fan_speed), _runs(s.circulation_speed), _runs(s.chiller_speed)
    r.door_closed_a = r.door_closed_b = s.door_closed
    r.door_locked, r.estop_ok, r.overtemp_ok, r.remote = s.door_locked, s.estop_ok, s.limiter_ok, s.remote
    r.relief_ok = 1.0 - s.relief_lifted
    r.hardwired_ok = s.estop_ok * s.limiter_ok * s.door_closed * r.relief_ok


@part
def _opened(position: float, lie: float) -> float:
    return lie if not isnan(lie) else (1.0 if position > 0.95 else 0.0)


@part
def _shut(position: float, lie: float) -> float:
    return 1.0 - lie if not isnan(lie) else (1.0 if position < 0.05 else 0.0)


@part
def _runs(speed: float) -> float:
    return 1.0 if speed > 0.8 else 0.0


@compiled("void(float64[::1], int64[::1], float64[::1], float64[::1], float64[::1], float64[::1], int64, float64, float64[::1], "
          "float64[::1], float64[::1])")  # fmt: skip
def read(oven: Array, where: Places, seen: Array, own: Array, law: Array, noise: Array, at: int, dt_s: float, core_c: Array,
         surface_c: Array, readings: Array) -> None:  # fmt: skip
    """Fill ``readings`` after ``dt_s`` with the noise from ``at`` on.

    ``where`` in the numbers of the oven lies what is ``SEEN``; ``core_c``, ``surface_c``: winding core and outer face of the roll over its
    width, NaN without one.
    """
    for i in range(where.shape[0]):
        seen[i] = oven[where[i]]
    s: Any = seen.view(_SEEN)[0]
    o: Any = own.view(OWN)[0]
    p: Any = law.view(LAW)[0]
    r: Any = readings.view(_READINGS)[0]
    n = noise[at : at + NOISES]
    _zones(s, o, p, n, dt_s, r)
    _loads(s, o, p, n, dt_s, surface_c[1], surface_c[0], core_c[0], r)
    mbar = s.pressure_pa / p.pa_per_mbar
    _pressures(s, o, p, n, mbar, r)
    _oxygen(s, o, p, n, dt_s, mbar, r)
    _exhaust(s, o, p, n, dt_s, r)
    _switches(s, r)
