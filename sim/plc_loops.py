"""The soft PLC's zone loops: clamped and ramped set points, PI with feed-forward on the median of the valid thermocouples."""

from dataclasses import dataclass
from statistics import median

from controller.image import Outputs
from sim.plant import Readings


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


class Loops:
    """Three zone loops; bumpless, because without heat the set points follow the measurement."""

    def __init__(self, settings: LoopSettings) -> None:
        """Start idle."""
        self.settings = settings
        self.applied_c = (0.0, 0.0, 0.0)
        self._integral_pct = [0.0, 0.0, 0.0]
        self._ramp_c_per_min = [0.0, 0.0, 0.0]

    def step(self, v: Readings, o: Outputs, heat: bool, dt_s: float) -> tuple[float, float, float]:
        """Return the zones' outputs in %; ``applied_c`` is then the set points worked with."""
        s = self.settings
        pv1 = _median(v.z1_tc_a_c, v.z1_tc_b_c, v.z1_tc_c_c)
        pv2 = _median(v.z2_tc_a_c, v.z2_tc_b_c, v.z2_tc_c_c)
        pv3 = _median(v.z3_tc_a_c, v.z3_tc_b_c, v.z3_tc_c_c)
        if not heat:
            self._integral_pct, self._ramp_c_per_min = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
            self.applied_c = (min(pv1, s.max_sp_c), min(pv2, s.max_sp_c), min(pv3, s.max_sp_c))
            return (0.0, 0.0, 0.0)
        rise_c = max(0.0, min(o.rate_limit_c_per_min, s.max_rate_c_per_min)) * dt_s / 60.0
        (was1, was2, was3), (want1, want2, want3), (op1, op2, op3) = self.applied_c, o.zone_sp_c, o.zone_op_pct
        sp1, sp2, sp3 = min(s.max_sp_c, want1, was1 + rise_c), min(s.max_sp_c, want2, was2 + rise_c), min(s.max_sp_c, want3, was3 + rise_c)
        self.applied_c = (sp1, sp2, sp3)
        op1, op2, op3 = max(0.0, min(100.0, op1)), max(0.0, min(100.0, op2)), max(0.0, min(100.0, op3))
        if o.direct_output:
            return (op1, op2, op3)
        return (
            self._pi(0, sp1, sp1 - was1, pv1, op1, dt_s), self._pi(1, sp2, sp2 - was2, pv2, op2, dt_s),
            self._pi(2, sp3, sp3 - was3, pv3, op3, dt_s),
        )  # fmt: skip

    def _pi(self, zone: int, sp_c: float, rise_c: float, pv_c: float, most_pct: float, dt_s: float) -> float:
        s, error_c = self.settings, sp_c - pv_c
        ramp = self._ramp_c_per_min[zone]
        self._ramp_c_per_min[zone] = ramp = ramp + (rise_c * 60.0 / dt_s - ramp) * dt_s / (s.ramp_lag_s + dt_s)
        forward = s.loss_pct_per_k * (sp_c - 23.0) + s.ramp_pct_min_per_k * ramp
        raw = forward + s.gain_pct_per_k * error_c + self._integral_pct[zone]
        output = 0.0 if raw < 0.0 else min(raw, most_pct)
        if output == raw or (raw > most_pct) != (error_c > 0.0):  # integrate unless that pushes further into the limit
            self._integral_pct[zone] += s.gain_pct_per_k * error_c * dt_s / s.integral_s
        return output


def _median(a: float, b: float, c: float) -> float:
    """Return the median of the valid ones of three readings; of two their mean, of none 0 (heat is blocked then)."""
    if -20.0 <= a <= 400.0 and -20.0 <= b <= 400.0 and -20.0 <= c <= 400.0:
        return (b if b <= c else max(a, c)) if a <= b else (a if a <= c else max(b, c))
    valid = [t for t in (a, b, c) if -20.0 <= t <= 400.0]
    return median(valid) if valid else 0.0
