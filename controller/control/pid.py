"""A PID step in the ISA standard form with filtered derivative on the PV, anti-windup by conditional integration, and bumpless transfer."""

from typing import Annotated, NamedTuple

from pydantic import Field

from controller.equipment import Strict


class Tuning(Strict):
    """gain: % per unit of error; integral_s and derivative_s: times, s (0 turns the derivative off); low and high: output limits."""

    gain: Annotated[float, Field(gt=0, le=1000)]
    integral_s: Annotated[float, Field(gt=0, le=100000)]
    derivative_s: Annotated[float, Field(ge=0, le=10000)] = 0.0
    low: Annotated[float, Field(ge=-1000, le=1000)] = 0.0
    high: Annotated[float, Field(ge=-1000, le=1000)] = 100.0


class Memory(NamedTuple):
    """integral: the output's integral part; pv: the last PV, None before the first scan; slope: the filtered derivative."""

    integral: float = 0.0
    pv: float | None = None
    slope: float = 0.0


def step(memory: Memory, tuning: Tuning, sp: float, pv: float, dt_s: float, high: float | None = None) -> tuple[Memory, float]:
    """Return the loop's memory after this scan and its output, between ``low`` and ``high`` (the tuning's, unless given).

    The derivative acts on the PV, so that a step of the set point gives no kick; its filter is a tenth of the derivative time. The
    integral stands still while the output is limited and the error would drive it further (Åström & Hägglund, Advanced PID Control, 2006,
    section 3.5).
    """
    error = sp - pv
    top = tuning.high if high is None else high
    slope = 0.0
    if tuning.derivative_s and memory.pv is not None and dt_s > 0:
        filter_s = tuning.derivative_s / 10.0
        slope = memory.slope + dt_s / (filter_s + dt_s) * ((pv - memory.pv) / dt_s - memory.slope)
    free = tuning.gain * (error - tuning.derivative_s * slope) + memory.integral
    integral = memory.integral + tuning.gain * error * dt_s / tuning.integral_s
    limited = tuning.gain * (error - tuning.derivative_s * slope) + integral
    if (limited > top and error > 0) or (limited < tuning.low and error < 0):
        integral, limited = memory.integral, free
    return Memory(integral, pv, slope), min(max(limited, tuning.low), top)


def track(tuning: Tuning, output: float, sp: float, pv: float) -> Memory:
    """Return the memory with which the next step gives ``output``: bumpless transfer from manual or from another loop."""
    return Memory(min(max(output, tuning.low), tuning.high) - tuning.gain * (sp - pv), pv, 0.0)
