"""The soft PLC's zone loops: clamped and ramped set points, PI with feed-forward on the median of the valid thermocouples.

The three loops are one compiled block, as a PLC's PID block is.
"""

from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from controller.image import Outputs
from sim.plant import Readings
from sim.plant.jit import compiled, part

Array = npt.NDArray[np.float64]
Zones = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """The equipment's hard limits and the tuning of the zone loops."""

    max_sp_c: float = 260.0
    max_rate_c_per_min: float = 10.0
    gain_pct_per_k: float = 6.0
    integral_s: float = 500.0
    loss_pct_per_k: float = 0.12  # feed-forward: output that holds 1 K above 23 degC
    ramp_pct_min_per_k: float = 12.0  # feed-forward: output for 1 K/min
    ramp_lag_s: float = 60.0  # the ramp is seen through a filter, so that a set point that trembles moves no heater


_SETTINGS = np.dtype([(field.name, "f8") for field in fields(LoopSettings)])
_INTEGRAL, _RAMP = range(2)  # rows of the loops' memory: % and degC/min


@part
def _median(a: float, b: float, c: float) -> float:
    """Return the median of the valid ones of three readings; of two their mean, of none 0 (heat is blocked then)."""
    a_valid, b_valid, c_valid = -20.0 <= a <= 400.0, -20.0 <= b <= 400.0, -20.0 <= c <= 400.0
    if a_valid and b_valid and c_valid:
        return max(min(a, b), min(max(a, b), c))
    valid = a_valid + b_valid + c_valid
    return ((a if a_valid else 0.0) + (b if b_valid else 0.0) + (c if c_valid else 0.0)) / valid if valid else 0.0


@part
def _pi(memory: Array, s: Any, zone: int, sp_c: float, rise_c: float, pv_c: float, most_pct: float, dt_s: float) -> float:
    error_c = sp_c - pv_c
    memory[_RAMP, zone] += (rise_c * 60.0 / dt_s - memory[_RAMP, zone]) * dt_s / (s.ramp_lag_s + dt_s)
    forward = s.loss_pct_per_k * (sp_c - 23.0) + s.ramp_pct_min_per_k * memory[_RAMP, zone]
    raw = forward + s.gain_pct_per_k * error_c + memory[_INTEGRAL, zone]
    output = 0.0 if raw < 0.0 else min(raw, most_pct)
    if output == raw or (raw > most_pct) != (error_c > 0.0):  # integrate unless that pushes further into the limit
        memory[_INTEGRAL, zone] += s.gain_pct_per_k * error_c * dt_s / s.integral_s
    return float(output)


@part
def _zone(memory: Array, s: Any, zone: int, pv_c: float, was_c: float, wanted_c: float, most_pct: float, rise_c: float, direct: bool,
          dt_s: float) -> tuple[float, float]:  # fmt: skip
    """Return the set point that one zone works with, degC, and its output, %."""
    sp_c = min(s.max_sp_c, wanted_c)
    sp_c = sp_c if sp_c <= was_c + rise_c else was_c + rise_c
    given_pct = max(0.0, min(100.0, most_pct))
    return sp_c, given_pct if direct else _pi(memory, s, zone, sp_c, sp_c - was_c, pv_c, given_pct, dt_s)


@compiled("UniTuple(float64, 6)(float64[:, ::1], float64[::1], UniTuple(float64, 9), UniTuple(float64, 3), UniTuple(float64, 3), "
          "UniTuple(float64, 3), float64, boolean, boolean, float64)")  # fmt: skip
def step(memory: Array, settings: Array, tcs_c: tuple[float, ...], was_c: Zones, wanted_c: Zones, most_pct: Zones, rate_c_per_min: float,
         direct: bool, heat: bool, dt_s: float) -> tuple[float, float, float, float, float, float]:  # fmt: skip
    """Return the set points worked with, degC, and the outputs, %, of the three zones."""
    s: Any = settings.view(_SETTINGS)[0]
    pv1, pv2, pv3 = _median(tcs_c[0], tcs_c[1], tcs_c[2]), _median(tcs_c[3], tcs_c[4], tcs_c[5]), _median(tcs_c[6], tcs_c[7], tcs_c[8])
    if not heat:
        memory[:] = 0.0
        return min(pv1, s.max_sp_c), min(pv2, s.max_sp_c), min(pv3, s.max_sp_c), 0.0, 0.0, 0.0
    rise_c = max(0.0, min(rate_c_per_min, s.max_rate_c_per_min)) * dt_s / 60.0
    sp1, op1 = _zone(memory, s, 0, pv1, was_c[0], wanted_c[0], most_pct[0], rise_c, direct, dt_s)
    sp2, op2 = _zone(memory, s, 1, pv2, was_c[1], wanted_c[1], most_pct[1], rise_c, direct, dt_s)
    sp3, op3 = _zone(memory, s, 2, pv3, was_c[2], wanted_c[2], most_pct[2], rise_c, direct, dt_s)
    return sp1, sp2, sp3, op1, op2, op3


class Loops:
    """Three zone loops; bumpless, because without heat the set points follow the measurement."""

    def __init__(self, settings: LoopSettings) -> None:
        """Start idle."""
        self.applied_c = (0.0, 0.0, 0.0)
        self._settings, self._memory = np.array(astuple(settings)), np.zeros((2, 3))

    def step(self, v: Readings, o: Outputs, heat: bool, dt_s: float) -> Zones:
        """Return the zones' outputs in %; ``applied_c`` is then the set points worked with."""
        tcs_c = (v.z1_tc_a_c, v.z1_tc_b_c, v.z1_tc_c_c, v.z2_tc_a_c, v.z2_tc_b_c, v.z2_tc_c_c, v.z3_tc_a_c, v.z3_tc_b_c, v.z3_tc_c_c)
        sp1, sp2, sp3, op1, op2, op3 = step(
            self._memory, self._settings, tcs_c, self.applied_c, o.zone_sp_c, o.zone_op_pct, o.rate_limit_c_per_min, o.direct_output,
            heat, dt_s,
        )  # fmt: skip
        self.applied_c = (sp1, sp2, sp3)
        return (op1, op2, op3)
