"""Ways to end a cure, judged on the same trace: the recipe's own, three that practice knows, a model without measurements, an oracle.

| policy | ends the cure when |
|---|---|
| own | the recipe's rule says so: estimate in its window with the recipe's probability, at its aim, for its time |
| fixed | the one time in CURE has passed after which 95 % of this campaign's batches are dry enough and at or above the aim |
| flux | condensate and exhaust show less solvent over 30 min than 1 % of the polymer's mass per hour |
| dry_run | the time in CURE has passed that the controller's dry run foresaw (the middle of its members) |
| dry_run_clock | the time since START has passed that the dry run foresaw |
| oracle | the truth itself is dry enough, at or above the aim and inside the window everywhere; looked at once a minute |

A hot roll goes on curing while it cools, and aim and window are those of the cold roll: a trace's insoluble content is taken with what
the batch itself gained after its CURE, mean, least and most (stopped elsewhere it gains a little less or more); nothing without an end.

The fixed time is found on the batches it is then judged on, which no plant can do: it is the best that a time can be. Flux 1 %/h
[assume]; polymer by the load record's length, width, film thickness and a density of 1.41 g/cm3 (Engineering Plastics Handbook).
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from math import ceil, isclose
from typing import Final, NamedTuple

import numpy as np

from controller.recipe.model import Endpoint, LoadRecord
from sim.campaign.outcome import Run, Trace

FLUX_SHARE_H: Final = 0.01  # of the polymer's mass per hour [assume]
FLUX_S: Final = 1800.0
FIXED_SHARE: Final = 0.95
PAI_KG_M3: Final = 1410.0
POLICIES: Final = ("own", "fixed", "flux", "dry_run", "dry_run_clock", "oracle")


class Stop(NamedTuple):
    """Where a policy ended a cure; truth, fractions. ``never`` when it did not before the trace ended, whose last moment stands then.

    ``capped`` when the policy's time lies beyond the end of the trace: the product is that of the trace's end.
    """

    cure_s: float
    residual: float
    insoluble: float
    insoluble_min: float
    insoluble_max: float
    never: bool
    capped: bool


def polymer_kg(load: LoadRecord) -> float:
    """Return the mass of dry polymer on the roll by its load record, kg."""
    return load.length_m * load.width_m * load.film_um * 1e-6 * PAI_KG_M3


def dry(trace: Trace, index: int, end: Endpoint) -> bool:
    """Return whether the worst position was dry enough."""
    return 100 * trace.residual[index] <= end.max_residual_wt_pct


def ready_s(trace: Trace, end: Endpoint) -> float | None:
    """Return the first moment at which the truth is dry enough and its mean at or above the aim, None when never."""
    moments = range(len(trace.cure_s))
    return next((trace.cure_s[i] for i in moments if dry(trace, i, end) and 100 * trace.insoluble[i] >= end.insoluble_aim_pct), None)


def oracle_s(trace: Trace, end: Endpoint) -> float | None:
    """Return the first moment at which the truth meets the recipe's endpoint everywhere, None when never."""
    for i, at_s in enumerate(trace.cure_s):
        inside = 100 * trace.insoluble_min[i] >= end.insoluble_low_pct and 100 * trace.insoluble_max[i] <= end.insoluble_high_pct
        if dry(trace, i, end) and 100 * trace.insoluble[i] >= end.insoluble_aim_pct and inside:
            return at_s
    return None


def flux_s(trace: Trace, polymer: float) -> float | None:
    """Return the first moment at which the instruments have shown less than the flux limit over ``FLUX_S``, None when never.

    A moment without a reading, at either end, is none to stop at.
    """
    for i, at_s in enumerate(trace.cure_s):
        if at_s < FLUX_S:
            continue
        first = bisect_left(trace.cure_s, at_s - FLUX_S)
        if not isclose(trace.cure_s[first], at_s - FLUX_S, abs_tol=5.0):
            continue
        now, then = trace.seen_kg[i], trace.seen_kg[first]
        if now is not None and then is not None and 3600 * (now - then) / FLUX_S < FLUX_SHARE_H * polymer:
            return at_s
    return None


def fixed_s(traces: Sequence[Trace], end: Endpoint) -> float | None:
    """Return the shortest time after which ``FIXED_SHARE`` of the batches are dry enough and at the aim, None when they never are."""
    times = sorted(at_s for trace in traces if (at_s := ready_s(trace, end)) is not None)
    needed = ceil(FIXED_SHARE * len(traces) - 1e-9)
    return times[needed - 1] if 0 < needed <= len(times) else None


def stop_at(trace: Trace, at_s: float | None) -> Stop:
    """Return the truth at ``at_s`` in CURE, straight between the trace's moments."""
    last_s = trace.cure_s[-1]
    when_s = last_s if at_s is None else max(0.0, at_s)

    def then(column: list[float]) -> float:
        return float(np.interp(when_s, trace.cure_s, column))

    return Stop(
        cure_s=when_s,
        residual=then(trace.residual),
        insoluble=then(trace.insoluble),
        insoluble_min=then(trace.insoluble_min),
        insoluble_max=then(trace.insoluble_max),
        never=at_s is None,
        capped=when_s > last_s,
    )


def cold(run: Run, trace: Trace) -> Trace:
    """Return ``trace`` with the insoluble content that the roll would have had once cold, had it been stopped at each moment."""
    product, stop = run.product, run.cure_end
    if product is None or stop is None:
        return trace
    gains = {
        "insoluble": product.insoluble.truth - stop.insoluble.truth,
        "insoluble_min": product.insoluble_min - stop.insoluble_min,
        "insoluble_max": product.insoluble_max - stop.insoluble_max,
    }
    return trace.model_copy(update={name: [min(1.0, now + gain) for now in getattr(trace, name)] for name, gain in gains.items()})


def stops(runs: Sequence[Run], end: Endpoint, load: LoadRecord) -> dict[str, list[Stop]]:
    """Return where each policy ended each of ``runs``, all of which have a trace."""
    colds = [cold(run, run.trace) for run in runs if run.trace is not None]
    same_s, polymer = fixed_s(colds, end), polymer_kg(load)
    rules: dict[str, Callable[[Run, Trace], float | None]] = {
        "own": lambda run, trace: trace.own_s,
        "fixed": lambda run, trace: same_s,
        "flux": lambda run, trace: flux_s(trace, polymer),
        "dry_run": lambda run, trace: run.predicted_cure_s,
        "dry_run_clock": lambda run, trace: None if run.predicted_endpoint_s is None else run.predicted_endpoint_s - trace.began_s,
        "oracle": lambda run, trace: oracle_s(trace, end),
    }
    named = [run for run in runs if run.trace is not None]
    return {name: [stop_at(trace, rules[name](run, trace)) for run, trace in zip(named, colds, strict=True)] for name in POLICIES}
