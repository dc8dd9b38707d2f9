"""One step of the oven: what moves in the field, the heated zones and the gas.

Gas amounts are in mol, ideal gas in one well-mixed volume. Each sink takes a share x/(1+x) of what is there (implicit Euler), so that no
step size makes an amount negative and every mol taken is booked somewhere.
"""

from math import ceil, exp, isnan
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.plant.jit import compiled, part

Array = npt.NDArray[np.float64]

_DRIVE = ("main_contactor", "zone_contactors", "op_1_pct", "op_2_pct", "op_3_pct", "pump_on", "roots_on", "vac_valve", "vac_throttle_pct",
          "n2_valve", "n2_flow_sp_nm3_h", "vent_valve", "exhaust_valve", "exhaust_fan_on", "circulation_on", "condenser_on", "cooling",
          "lock")  # fmt: skip
_OVEN = ("door_closed", "door_locked", "estop_ok", "limiter_ok", "remote", "contactor_welded", "thyristor_shorted", "open_1", "open_2",
         "open_3", "main_closed", "power_1_w", "power_2_w", "power_3_w", "element_1_c", "element_2_c", "element_3_c", "wall_1_c",
         "wall_2_c", "wall_3_c", "roll_1_w", "roll_2_w", "roll_3_w", "heated_j", "lost_j")  # fmt: skip
_GAS = ("n2", "o2", "vapour", "other", "wall_mol", "condensed_mol", "pumped_mol", "exhausted_mol", "cold_wall_c", "condenser_c",
        "n2_flow_nm3_h", "n2_used_nm3", "n2_supply", "leak_factor", "lel_flow_mol_s", "pressure_pa", "vapour_pa", "vapour_mol_pa",
        "relief_lifted")  # fmt: skip
VALVE = np.dtype([(name, "f8") for name in ("position", "wanted", "waited_s", "stuck_at", "lie")])  # NaN: not stuck, does not lie
POSITIONER = np.dtype([(name, "f8") for name in ("position", "moves", "waited_s")])
MACHINE = np.dtype([(name, "f8") for name in ("speed", "dead")])
OVEN = np.dtype([
    *((name, "f8") for name in (*_DRIVE, *_OVEN, *_GAS)),
    *((name, VALVE) for name in ("vac", "n2_inlet", "vent", "exhaust")),
    *((name, POSITIONER) for name in ("throttle", "n2_flow")),
    *((name, MACHINE) for name in ("pump", "roots", "exhaust_fan", "circulation", "chiller")),
])  # fmt: skip
LAW = np.dtype([(name, "f8") for name in (
    "overtemp_c", "gas_step_s", "gas_constant", "pa_per_mbar", "normal_m3_mol", "air_o2", "dead_s", "vac_1_s", "n2_1_s", "vent_1_s",
    "exhaust_1_s", "throttle_1_s", "throttle_dead_s", "throttle_stick", "n2_flow_1_s", "n2_flow_dead_s", "n2_flow_stick", "pump_1_s",
    "roots_1_s", "fan_1_s", "chiller_1_s",
    "chamber_m3", "ambient_c", "ambient_mbar", "leak_mbar_l_s", "gas_wall_share", "cold_wall_share", "cold_wall_lag_s", "vent_s", "door_s",
    "sweep_m3_h", "relief_mbar", "pump_m3_h", "pump_end_mbar", "roots_m3_h", "roots_cut_in_mbar", "throttle_m3_h", "n2_max_nm3_h",
    "n2_lag_s", "n2_o2_ppm", "exhaust_s", "condenser_c", "condenser_lag_s", "condenser_capture", "condenser_m3_s", "condenser_half_mbar",
    "wall_film_m3_s", "zone_w", "element_j_k", "element_w_k", "wall_j_k", "loss_w_k", "zone_coupling_w_k", "cooling_w_k", "cooling_c",
    "antoine_a", "antoine_b_k", "antoine_c_k", "psat_factor",
)])  # fmt: skip


# ---- the field ----


@part
def _valve(v: Any, dt_s: float, wanted: float, rate_1_s: float, dead_s: float) -> None:
    if not isnan(v.stuck_at):
        v.position = v.stuck_at
        return
    if wanted == 0.0 and v.position == 0.0:
        return
    if wanted != v.wanted:
        v.wanted, v.waited_s = wanted, 0.0
    moving_s = dt_s
    if v.waited_s < dead_s:
        moving_s = max(0.0, dt_s - (dead_s - v.waited_s))
        v.waited_s += dt_s
    if wanted != 0.0:
        v.position = min(1.0, v.position + moving_s * rate_1_s)
    else:
        v.position = max(0.0, v.position - moving_s * rate_1_s)


@part
def _positioner(v: Any, dt_s: float, wanted: float, rate_1_s: float, dead_s: float, stick: float) -> None:
    """Follow ``wanted``; at rest it sticks, moving it runs until it is there. Zero is always reached: the seat is sprung."""
    error = wanted - v.position
    if error == 0.0:
        return
    if v.moves == 0.0:
        if abs(error) <= stick and wanted > 0.0:
            v.waited_s = 0.0
            return
        v.waited_s += dt_s
        if v.waited_s <= dead_s:
            return
        dt_s = min(dt_s, v.waited_s - dead_s)
        v.moves = 1.0
    way = rate_1_s * dt_s
    if abs(error) <= way:
        v.position, v.moves, v.waited_s = wanted, 0.0, 0.0
    else:
        v.position += way if error > 0.0 else -way


@part
def _machine(m: Any, dt_s: float, wanted: float, rate_1_s: float) -> None:
    if wanted != 0.0 and m.dead == 0.0:
        m.speed = min(1.0, m.speed + dt_s * rate_1_s)
    else:
        m.speed = max(0.0, m.speed - dt_s * rate_1_s)


# ---- heat: element, wall, insulation, exchange with the neighbours, cooling coil ----


@part
def _heat(s: Any, p: Any, dt_s: float) -> None:
    w1, w2, w3 = s.wall_1_c, s.wall_2_c, s.wall_3_c
    k = p.element_w_k
    h1, h2, h3 = k * (s.element_1_c - w1), k * (s.element_2_c - w2), k * (s.element_3_c - w3)
    density = min(1.0, s.pressure_pa / (p.ambient_mbar * p.pa_per_mbar))
    coil = p.cooling_w_k * (density * (0.2 + 0.8 * s.circulation.speed) if s.cooling != 0.0 else 0.0)
    loss, ambient, water = p.loss_w_k + (0.0 if s.door_closed != 0.0 else 60.0), p.ambient_c, p.cooling_c
    # the end zones have the door and the back wall: a quarter more insulation loss
    l1 = 1.25 * loss * (w1 - ambient) + coil * (w1 - water)
    l2 = loss * (w2 - ambient) + coil * (w2 - water)
    l3 = 1.25 * loss * (w3 - ambient) + coil * (w3 - water)
    x12, x23 = p.zone_coupling_w_k * (w1 - w2), p.zone_coupling_w_k * (w2 - w3)
    de, dw = dt_s / p.element_j_k, dt_s / p.wall_j_k
    s.element_1_c += de * (s.power_1_w - h1)
    s.element_2_c += de * (s.power_2_w - h2)
    s.element_3_c += de * (s.power_3_w - h3)
    s.wall_1_c = w1 + dw * (h1 - l1 - x12 + s.roll_1_w)
    s.wall_2_c = w2 + dw * (h2 - l2 + x12 - x23 + s.roll_2_w)
    s.wall_3_c = w3 + dw * (h3 - l3 + x23 + s.roll_3_w)
    s.heated_j += dt_s * (s.power_1_w + s.power_2_w + s.power_3_w)
    s.lost_j += dt_s * (l1 + l2 + l3)


# ---- gas ----


@part
def _gas(s: Any, p: Any, dt_s: float) -> None:
    mean_c = (s.wall_1_c + s.wall_2_c + s.wall_3_c) / 3.0
    cold_c = p.ambient_c + p.cold_wall_share * (mean_c - p.ambient_c)
    s.cold_wall_c += (cold_c - s.cold_wall_c) * dt_s / p.cold_wall_lag_s
    target_c = p.condenser_c if s.chiller.speed > 0.8 else p.ambient_c
    s.condenser_c += (target_c - s.condenser_c) * dt_s / p.condenser_lag_s
    rt = p.gas_constant * (p.gas_wall_share * mean_c + (1.0 - p.gas_wall_share) * s.cold_wall_c + 273.15)
    pa_per_mol = rt / p.chamber_m3
    ambient_pa = p.ambient_mbar * p.pa_per_mbar
    s.lel_flow_mol_s = 0.0
    _nitrogen(s, p, dt_s, s.n2_flow.position * s.n2_inlet.position)
    pressure = _mol(s) * pa_per_mol
    if pressure < ambient_pa:  # mbar l/s = 0.1 Pa m3/s
        leak = p.leak_mbar_l_s * 0.1 * s.leak_factor * (1.0 - pressure / ambient_pa) / (p.gas_constant * (p.ambient_c + 273.15))
        _air(s, p, min(leak * dt_s, (ambient_pa - pressure) / pa_per_mol))
    if s.vent.position > 0.0 or s.door_closed == 0.0:
        _exchange(s, p, dt_s, pressure, ambient_pa, pa_per_mol)
        if s.exhaust.position > 0.0 and s.exhaust_fan.speed > 0.5:
            _sweep(s, p, dt_s, pa_per_mol)
    if s.vapour > 0.0 or s.wall_mol > 0.0:
        _condense(s, p, dt_s, pa_per_mol)
    if s.vac.position > 0.0 and s.pump.speed > 0.0:
        _pump(s, p, dt_s, pa_per_mol)
    pressure = _mol(s) * pa_per_mol
    if s.exhaust.position > 0.0 and pressure > ambient_pa:  # a check valve lets nothing back
        x = dt_s * s.exhaust.position * (1.0 if s.exhaust_fan.speed > 0.5 else 0.3) / p.exhaust_s
        _release(s, p, (1.0 - ambient_pa / pressure) * x / (1.0 + x), dt_s, pa_per_mol, True)
    s.relief_lifted = 1.0 if pressure > p.relief_mbar * p.pa_per_mbar else 0.0
    if s.relief_lifted != 0.0:
        _release(s, p, 1.0 - ambient_pa / pressure, dt_s, pa_per_mol, False)
    s.pressure_pa = _mol(s) * pa_per_mol
    s.vapour_pa = s.vapour * pa_per_mol
    s.vapour_mol_pa = 1.0 / pa_per_mol


@part
def _mol(s: Any) -> Any:
    return s.n2 + s.o2 + s.vapour + s.other


@part
def _nitrogen(s: Any, p: Any, dt_s: float, wanted_nm3_h: float) -> None:
    wanted = min(wanted_nm3_h, p.n2_max_nm3_h) * s.n2_supply
    s.n2_flow_nm3_h += (wanted - s.n2_flow_nm3_h) * dt_s / (p.n2_lag_s + dt_s)
    if s.n2_flow_nm3_h > 1e-6:
        nm3 = s.n2_flow_nm3_h * dt_s / 3600.0
        s.n2_used_nm3 += nm3
        mol = nm3 * p.normal_m3_mol
        s.o2 += mol * p.n2_o2_ppm * 1e-6
        s.n2 += mol * (1.0 - p.n2_o2_ppm * 1e-6)


@part
def _air(s: Any, p: Any, mol: float) -> None:
    s.o2 += mol * p.air_o2
    s.n2 += mol * (1.0 - p.air_o2)


@part
def _exchange(s: Any, p: Any, dt_s: float, pressure_pa: float, ambient_pa: float, pa_per_mol: float) -> None:
    """Let air in (or gas out) through the vent valve, and mix with the hall through the open door."""
    door_open = s.door_closed == 0.0
    x = dt_s * max(s.vent.position / p.vent_s, 1.0 if door_open else 0.0)
    missing = (ambient_pa - pressure_pa) / pa_per_mol * x / (1.0 + x)
    if missing > 0.0:
        _air(s, p, missing)
    else:
        _release(s, p, -missing * pa_per_mol / pressure_pa, dt_s, pa_per_mol, False)
    if door_open:
        x = dt_s / p.door_s
        share = x / (1.0 + x)
        before = _mol(s)
        _release(s, p, share, dt_s, pa_per_mol, False)
        _air(s, p, before * share)


@part
def _sweep(s: Any, p: Any, dt_s: float, pa_per_mol: float) -> None:
    """Draw air through the open vent: the exhaust's fan sucks at the open exhaust, and its check valve lets nothing back."""
    x = dt_s * min(s.vent.position, s.exhaust.position) * s.exhaust_fan.speed * p.sweep_m3_h / 3600.0 / p.chamber_m3
    share = x / (1.0 + x)
    before = _mol(s)
    _release(s, p, share, dt_s, pa_per_mol, True)
    _air(s, p, before * share)


@part
def _condense(s: Any, p: Any, dt_s: float, pa_per_mol: float) -> None:
    """Condense on the condenser, which sits behind the vacuum valve, and on the coldest wall, whose film evaporates again."""
    inert_mbar = max(0.0, _mol(s) * pa_per_mol - s.vapour * pa_per_mol) / p.pa_per_mbar
    barrier = p.condenser_half_mbar / (p.condenser_half_mbar + inert_mbar)
    over = s.vapour - saturation_pa(p, s.condenser_c) / pa_per_mol
    if over > 0.0 and s.chiller.speed > 0.8:
        x = p.condenser_m3_s * s.vac.position * barrier * dt_s / p.chamber_m3
        taken = over * x / (1.0 + x)
        s.vapour -= taken
        s.condensed_mol += taken
    x = p.wall_film_m3_s * barrier * dt_s / p.chamber_m3
    taken = (s.vapour - saturation_pa(p, s.cold_wall_c) / pa_per_mol) * x / (1.0 + x)
    taken = max(taken, -s.wall_mol)
    s.vapour -= taken
    s.wall_mol += taken


@part
def _pump(s: Any, p: Any, dt_s: float, pa_per_mol: float) -> None:
    mbar = s.pressure_pa / p.pa_per_mbar  # of the last step: in a steady state the speed then does not depend on the step
    speed = p.pump_m3_h * s.pump.speed * max(0.0, 1.0 - p.pump_end_mbar / mbar)
    if s.roots.speed > 0.0:
        speed += p.roots_m3_h * s.roots.speed * p.roots_cut_in_mbar / (p.roots_cut_in_mbar + 3.0 * mbar)
    conductance = p.throttle_m3_h * max(0.0, min(1.0, 0.01 * s.throttle.position)) * s.vac.position
    if speed <= 0.0 or conductance <= 0.0:
        return
    x = dt_s * speed * conductance / (speed + conductance) / 3600.0 / p.chamber_m3
    vapour, caught = _take(s, p, x / (1.0 + x), pa_per_mol, True)
    s.pumped_mol += vapour - caught
    s.lel_flow_mol_s += (vapour - caught) / dt_s


@part
def _release(s: Any, p: Any, share: float, dt_s: float, pa_per_mol: float, condenser: bool) -> None:
    """Let ``share`` of the gas out, past the condenser or not."""
    vapour, caught = _take(s, p, share, pa_per_mol, condenser)
    s.exhausted_mol += vapour - caught
    s.lel_flow_mol_s += (vapour - caught) / dt_s


@part
def _take(s: Any, p: Any, share: float, pa_per_mol: float, condenser: bool) -> Any:
    """Take ``share`` of the gas out of the chamber; return its vapour, and how much of that stays in the condenser, mol."""
    vapour = s.vapour * share
    caught = _caught(s, p, vapour, pa_per_mol) if condenser else 0.0
    s.n2 -= s.n2 * share
    s.o2 -= s.o2 * share
    s.other -= s.other * share
    s.vapour -= vapour
    s.condensed_mol += caught
    return vapour, caught


@part
def _caught(s: Any, p: Any, vapour_mol: float, pa_per_mol: float) -> Any:
    """Return how much of ``vapour_mol`` that passes the condenser stays there: nothing below saturation."""
    partial_pa = s.vapour * pa_per_mol
    if partial_pa <= 0.0:
        return 0.0
    left = saturation_pa(p, s.condenser_c) / partial_pa
    return vapour_mol * p.condenser_capture * (1.0 - left) if left < 1.0 else 0.0


@part
def saturation_pa(p: Any, temp_c: float) -> Any:
    """Return the solvent's vapour pressure, Pa (Antoine through LANDOLT's 336-477 K data; extrapolated below)."""
    return p.psat_factor * exp(p.antoine_a - p.antoine_b_k / (temp_c + 273.15 + p.antoine_c_k))


# ---- the kernels ----


@compiled("void(float64[::1], float64[::1], float64)")
def move(state: Array, law: Array, dt_s: float) -> None:
    """Move locks, contactors, valves, positioners and machines as they are driven, and find the power of each zone."""
    s: Any = state.view(OVEN)[0]
    p: Any = law.view(LAW)[0]
    s.door_locked = s.lock * s.door_closed
    if max(s.wall_1_c, s.wall_2_c, s.wall_3_c) > p.overtemp_c:
        s.limiter_ok = 0.0
    chain_ok = s.estop_ok * s.limiter_ok * s.door_closed * (1.0 - s.relief_lifted)
    _valve(s.vac, dt_s, s.vac_valve, p.vac_1_s, p.dead_s)
    _valve(s.n2_inlet, dt_s, s.n2_valve, p.n2_1_s, p.dead_s)
    _valve(s.vent, dt_s, s.vent_valve, p.vent_1_s, p.dead_s)
    _valve(s.exhaust, dt_s, s.exhaust_valve, p.exhaust_1_s, p.dead_s)
    _positioner(s.throttle, dt_s, s.vac_throttle_pct, p.throttle_1_s, p.throttle_dead_s, p.throttle_stick)
    _positioner(s.n2_flow, dt_s, s.n2_flow_sp_nm3_h, p.n2_flow_1_s, p.n2_flow_dead_s, p.n2_flow_stick)
    _machine(s.pump, dt_s, s.pump_on, p.pump_1_s)
    _machine(s.roots, dt_s, s.roots_on if s.pump.speed > 0.8 else 0.0, p.roots_1_s)
    _machine(s.exhaust_fan, dt_s, s.exhaust_fan_on, p.fan_1_s)
    _machine(s.circulation, dt_s, s.circulation_on, p.fan_1_s)
    _machine(s.chiller, dt_s, s.condenser_on, p.chiller_1_s)
    # the hard-wired chain opens the main contactor whatever the PLC says; the zone contactors still open when it is welded
    s.main_closed = max(s.main_contactor * chain_ok, s.contactor_welded)
    closed = s.main_closed * s.zone_contactors
    o2_pct = 100.0 if s.thyristor_shorted != 0.0 else s.op_2_pct
    s.power_1_w = 0.01 * s.op_1_pct * p.zone_w * closed * (1.0 - s.open_1)
    s.power_2_w = 0.01 * o2_pct * p.zone_w * closed * (1.0 - s.open_2)
    s.power_3_w = 0.01 * s.op_3_pct * p.zone_w * closed * (1.0 - s.open_3)


@compiled("void(float64[::1], float64[::1], float64, float64, float64)")
def advance(state: Array, law: Array, dt_s: float, vapour_mol: float, other_mol: float) -> None:
    """Advance zones and gas; vapour (negative when the films take it up) and gas of curing come from the roll."""
    s: Any = state.view(OVEN)[0]
    p: Any = law.view(LAW)[0]
    _heat(s, p, dt_s)
    parts = ceil(dt_s / p.gas_step_s - 1e-9)
    for _ in range(parts):
        s.vapour += vapour_mol / parts
        s.other += other_mol / parts
        _gas(s, p, dt_s / parts)
