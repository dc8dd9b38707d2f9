"""A PID step in the ISA standard form: set-point weight, filtered derivative on the PV, feed-forward, anti-windup, bumpless changes."""

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
    beta: Annotated[float, Field(ge=0, le=1, description="share of a set-point change that the proportional part sees")] = 1.0
    band: Annotated[
        float, Field(ge=0, le=1000, description="error beyond which the integral waits while the PV comes nearer; 0: it never does")
    ] = 0.0


class Memory(NamedTuple):
    """integral: the output's integral part; pv: the last PV, None before the first scan; slope: the filtered derivative.

    gain and beta: those of the last step, 0 before the first, so that another tuning takes over without a bump.
    """

    integral: float = 0.0
    pv: float | None = None
    slope: float = 0.0
    gain: float = 0.0
    beta: float = 1.0


def step(
    memory: Memory, tuning: Tuning, sp: float, pv: float, dt_s: float, high: float | None = None, forward: float = 0.0
) -> tuple[Memory, float]:
    """Return the loop's memory after this scan and its output, between ``low`` and ``high`` (the tuning's, unless given).

    The derivative acts on the PV, so that a step of the set point gives no kick; its filter is a tenth of the derivative time. The
    integral stands still while the output is limited and the error would drive it further (Åström & Hägglund, Advanced PID Control, 2006,
    sections 3.4-3.5), and beyond ``band`` while the PV comes nearer faster than the integral would take it there, so that a long way to
    the set point winds nothing up. ``forward`` is added before the limits, so that they hold for the sum.
    """
    error, gain, beta = sp - pv, tuning.gain, tuning.beta
    top = tuning.high if high is None else high
    slope, before = 0.0, memory.integral
    if tuning.derivative_s and memory.pv is not None and dt_s > 0:
        filter_s = tuning.derivative_s / 10.0
        slope = memory.slope + dt_s / (filter_s + dt_s) * ((pv - memory.pv) / dt_s - memory.slope)
    if memory.gain != gain or memory.beta != beta:
        before += _rebalanced(memory, gain, beta, sp, pv)
    proportional = gain * (beta * sp - pv) + forward
    if slope:
        proportional -= gain * tuning.derivative_s * slope
    far = tuning.band and not -tuning.band <= error <= tuning.band
    waits = far and (memory.pv is None or (pv - memory.pv) * error * tuning.integral_s > error * error * dt_s)
    integral = before if waits else before + gain * error * dt_s / tuning.integral_s
    output = proportional + integral
    if (output > top and error > 0) or (output < tuning.low and error < 0):
        integral, output = before, proportional + before
    if output < tuning.low:
        output = tuning.low
    return Memory(integral, pv, slope, gain, beta), output if output < top else top


def _rebalanced(memory: Memory, gain: float, beta: float, sp: float, pv: float) -> float:
    """Return what the integral takes over so that the output does not jump with gain or weight (at the first step: with weight)."""
    was = gain * (sp - pv) if memory.gain == 0.0 else memory.gain * (memory.beta * sp - pv)
    return was - gain * (beta * sp - pv)


def track(tuning: Tuning, output: float, sp: float, pv: float, forward: float = 0.0) -> Memory:
    """Return the memory with which the next step gives ``output``: bumpless transfer from manual or from another loop."""
    limited = min(max(output, tuning.low), tuning.high)
    return Memory(limited - forward - tuning.gain * (tuning.beta * sp - pv), pv, 0.0, tuning.gain, tuning.beta)
