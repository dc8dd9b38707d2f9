"""What many runs sum up to: one dict of plain numbers, for JSON and for the table; percent, hours, shares with Wilson intervals."""

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from statistics import fmean, median, stdev
from typing import Any, Final

from controller.recipe.model import Endpoint, LoadRecord
from sim.campaign import policies
from sim.campaign.outcome import Believed, CureEnd, Gelling, Run
from sim.campaign.policies import Stop
from sim.campaign.watch import GELLED, MARKS, SHARES

_Z95: Final = 1.959964
TELLING: Final = 0.0005  # residual solvent, weight fraction, below which a laboratory hardly tells it from nothing
WET: Final = 0.02  # residual solvent, weight fraction, up to which its error counts
HIGH_AIM_PCT: Final = 80.0  # aims from here on lie where the content changes slowly with the time


def wilson(count: int, of: int) -> dict[str, float | int]:
    """Return the share ``count / of`` with its 95 % interval, 0 to 1 of nothing (Wilson, J. Am. Stat. Assoc. 22:209, 1927)."""
    if of == 0:
        return {"count": 0, "of": 0, "share": 0.0, "low": 0.0, "high": 1.0}
    p, z2 = count / of, _Z95**2 / of
    centre = (p + z2 / 2) / (1 + z2)
    half = _Z95 / (1 + z2) * sqrt(p * (1 - p) / of + z2 / (4 * of))
    low, high = (0.0 if count == 0 else centre - half), (1.0 if count == of else centre + half)
    return {"count": count, "of": of, "share": round(p, 4), "low": round(low, 4), "high": round(high, 4)}


def errors_pct(errors: Sequence[float]) -> dict[str, float] | None:
    """Return root mean square and mean of ``errors`` (fractions), in percent; None without any."""
    if not errors:
        return None
    return {"rmse": round(100 * sqrt(fmean(e * e for e in errors)), 3), "bias": round(100 * fmean(errors), 3), "of": len(errors)}


def summary(runs: Sequence[Run], recipe: str, end: Endpoint, load: LoadRecord) -> dict[str, Any]:
    """Return the sum of ``runs``: final and unsafe states, false stops, the estimator, and without faults the policies."""
    traced = [run for run in runs if run.trace is not None]
    found: dict[str, Any] = {
        "recipe": recipe,
        "runs": len(runs),
        "seeds": [min(run.seed for run in runs), max(run.seed for run in runs)] if runs else [],
        "fault": runs[0].fault if runs else "",
        "world": runs[0].world if runs else "",
        "unit_states": dict(Counter(run.unit_state for run in runs)),
        "still_locked": sum(run.unloaded_s is None for run in runs),
        "unsafe": dict(Counter(str(seen["code"]) for run in runs for seen in run.unsafe)),
        "runs_unsafe": wilson(sum(bool(run.unsafe) for run in runs), len(runs)),
        "alarms": dict(Counter(rule for run in runs for rule in set(run.alarms))),
        "wall_s_per_run": round(fmean(run.wall_s for run in runs), 1) if runs else None,
        "own_stops": own_stops(runs, end),
        "estimator": estimator(runs, end),
        "forecast": {f"{100 * share:.0f} %": forecast(runs, share) for share in SHARES},
    }
    if any(run.struck is not None for run in runs):
        found["faults"] = faults(runs, end)
    if traced:
        stops = policies.stops(traced, end, load)
        found["fixed_time_h"] = None if stops["fixed"][0].never else _hours(stops["fixed"][0].cure_s)
        found["policies"] = {name: policy(traced, ends, stops["oracle"], end) for name, ends in stops.items()}
        found["shorter_than_fixed_pct"] = shorter(traced, stops, "own")
        found["oracle_shorter_than_fixed_pct"] = shorter(traced, stops, "oracle")
    return found


def policy(runs: Sequence[Run], ends: Sequence[Stop], oracle: Sequence[Stop], end: Endpoint) -> dict[str, Any]:
    """Return what one policy made of the batches: the truth at its stops against aim, limit and window, and its times."""
    out = [stop for stop in ends if outside(stop, end)]
    wet = [stop for stop in ends if 100 * stop.residual > end.max_residual_wt_pct]
    batches_h = [h for run, stop in zip(runs, ends, strict=True) if (h := batch_h(run, stop)) is not None]
    ratios = [
        one_h / best_h
        for run, stop, best in zip(runs, ends, oracle, strict=True)
        if not best.never and (one_h := batch_h(run, stop)) is not None and (best_h := batch_h(run, best)) is not None
    ]
    return {
        "never_stopped": sum(stop.never for stop in ends),
        "capped": sum(stop.capped for stop in ends),
        "insoluble_against_aim_pct": errors_pct([stop.insoluble - end.insoluble_aim_pct / 100 for stop in ends]),
        "residual_against_limit_wt_pct": errors_pct([stop.residual - end.max_residual_wt_pct / 100 for stop in ends]),
        "residual_wt_pct": {"median": _pct(median(s.residual for s in ends)), "max": _pct(max(s.residual for s in ends))},
        "out_of_window": wilson(len(out), len(ends)),
        "not_dry": wilson(len(wet), len(ends)),
        "bad": wilson(sum(stop in out or stop in wet for stop in ends), len(ends)),
        "cure_h_median": _hours(median(stop.cure_s for stop in ends)),
        "batch_h_median": round(median(batches_h), 3) if batches_h else None,
        "ratio_to_oracle_median": round(median(ratios), 3) if ratios else None,
    }


def outside(stop: Stop, end: Endpoint) -> bool:
    """Return whether some film was outside the window."""
    return 100 * stop.insoluble_min < end.insoluble_low_pct or 100 * stop.insoluble_max > end.insoluble_high_pct


def batch_h(run: Run, stop: Stop) -> float | None:
    """Return how long the whole batch would have been: the run's own before and after its CURE, and the policy's CURE, h."""
    if run.trace is None or run.cure_end is None or run.unit_state != "COMPLETE":
        return None
    return (run.trace.began_s + stop.cure_s + run.batch_s - run.cure_end.at_s) / 3600


def shorter(runs: Sequence[Run], stops: dict[str, list[Stop]], name: str) -> dict[str, float] | None:
    """Return how much shorter ``name``'s batches were than with the fixed time, percent of the batch with it; None without a fixed time."""
    saved = [
        100 * (1 - own_h / same_h)
        for run, own, same in zip(runs, stops[name], stops["fixed"], strict=True)
        if not own.never and not same.never and (own_h := batch_h(run, own)) is not None and (same_h := batch_h(run, same)) is not None
    ]
    return {"median": round(median(saved), 2), "mean": round(fmean(saved), 2), "of": len(saved)} if saved else None


def own_stops(runs: Sequence[Run], end: Endpoint) -> dict[str, Any]:
    """Return how the controller's own stops were; false is one outside the residual limit in that scan, or of a roll outside the window.

    The window is the cold roll's; that of a batch that did not COMPLETE counts as it was in that scan.
    """
    ended = [run.cure_end for run in runs if run.cure_end is not None]
    rolls = [run.product or run.cure_end for run in runs if run.cure_end is not None]
    wet = [100 * one.residual.truth > end.max_residual_wt_pct for one in ended]
    out = [100 * roll.insoluble_min < end.insoluble_low_pct or 100 * roll.insoluble_max > end.insoluble_high_pct for roll in rolls]
    return {
        "stopped": len(ended),
        "by_time_recipe": sum(one.why != "endpoint" for one in ended),
        "false": wilson(sum(map(any, zip(wet, out, strict=True))), len(ended)),
        "not_dry": wilson(sum(wet), len(ended)),
        "out_of_window": wilson(sum(out), len(ended)),
        "margins": {
            "residual below limit, wt%": margin([end.max_residual_wt_pct - 100 * one.residual.truth for one in ended]),
            "insoluble above window's low end, %": margin([100 * roll.insoluble_min - end.insoluble_low_pct for roll in rolls]),
            "insoluble below window's high end, %": margin([end.insoluble_high_pct - 100 * roll.insoluble_max for roll in rolls]),
        },
    }


def margin(distances: Sequence[float]) -> dict[str, float | int] | None:
    """Return how far stops were from being false ones: the nearest, mean and spread, and the mean in spreads; None of fewer than two.

    A few dozen stops cannot count a share of half a percent. Normally distributed margins with their mean so many spreads from nothing
    can: 3.2 of them say below 0.5 % with 95 % confidence from 50 stops, 3.5 from 25, 4.8 from 8 (one-sided tolerance factors).
    """
    if len(distances) < 2:
        return None
    mean, spread = fmean(distances), stdev(distances)
    return {
        "nearest": round(min(distances), 3), "mean": round(mean, 3), "sd": round(spread, 3),
        "mean_in_sd": round(mean / max(spread, 1e-9), 1), "of": len(distances),
    }  # fmt: skip


def estimator(runs: Sequence[Run], end: Endpoint) -> dict[str, Any]:
    """Return error and coverage of the estimate in the scan that ended the CURE, valid estimates only."""
    ended = [run.cure_end for run in runs if run.cure_end is not None and run.cure_end.valid]
    residual, insoluble = [one.residual for one in ended], [one.insoluble for one in ended]
    by_place = _places(ended)
    return {
        "estimates": len(ended),
        "residual": _judged(residual),
        "residual_where_telling": _judged([one for one in residual if one.truth >= TELLING]),
        "residual_below_2_wt_pct": errors_pct([one.error for one in residual if one.truth < WET]),
        "residual_on_the_way": {f"{100 * mark:g} wt%": drying(runs, mark) for mark in MARKS},
        "insoluble_on_the_way": {f"{100 * mark:g} %": gelling(runs, mark) for mark in GELLED},
        "insoluble": _judged(insoluble),
        "insoluble_cold": _judged([run.product.insoluble for run in runs if run.product is not None and run.cure_end in ended]),
        "insoluble_bound": errors_pct([one.unforeseeable for one in ended]),
        "insoluble_where_aim_is_high": errors_pct([one.error for one in insoluble]) if end.insoluble_aim_pct >= HIGH_AIM_PCT else None,
        "residual_by_position": {place: _judged([one.residual_at[place] for one in ended]) for place in by_place},
        "insoluble_by_position": {place: _judged([one.insoluble_at[place] for one in ended]) for place in by_place},
        "residual_all_positions": wilson(*_covered([at for one in ended for at in one.residual_at.values()])),
        "insoluble_all_positions": wilson(*_covered([at for one in ended for at in one.insoluble_at.values()])),
    }


def drying(runs: Sequence[Run], mark: float) -> dict[str, Any]:
    """Return error and coverage when the worst position's true residual solvent first fell below ``mark``, valid estimates only.

    A batch ends far below its limit, where every interval that begins at nothing holds the truth: what an interval is worth shows here.
    """
    return _judged([one.residual for run in runs for one in run.drying if one.mark == mark and one.valid])


def gelling(runs: Sequence[Run], mark: float) -> dict[str, Any]:
    """Return error and coverage when the roll's true mean insoluble content first passed ``mark``, valid estimates only.

    Of the roll's mean, of all positions together and of each: near the gel point the content rises fastest, and an interval that is too
    narrow there may be wide enough at the stop.
    """
    passed = [one for run in runs for one in run.gelling if one.mark == mark and one.valid]
    return _judged([one.insoluble for one in passed]) | {
        "all_positions": _judged([at for one in passed for at in one.insoluble_at.values()]),
        "by_position": {place: _judged([one.insoluble_at[place] for one in passed]) for place in _places(passed)},
    }


def _places(beliefs: Sequence[CureEnd] | Sequence[Gelling]) -> list[str]:
    """Return the positions that ``beliefs`` tell of."""
    return sorted({place for one in beliefs for place in one.insoluble_at})


def _covered(beliefs: Sequence[Believed]) -> tuple[int, int]:
    return sum(one.covered for one in beliefs), len(beliefs)


def _judged(beliefs: Sequence[Believed]) -> dict[str, Any]:
    """Return error in percent and coverage of the 90 % interval."""
    return {"error_pct": errors_pct([one.error for one in beliefs]), "coverage_90": wilson(*_covered(beliefs))}


def forecast(runs: Sequence[Run], share: float) -> dict[str, Any] | None:
    """Return the error of the finish time foreseen at ``share`` of the batch, percent of the batch, and its interval's coverage."""
    made = [(one, run.batch_s) for run in runs for one in run.foreseen if one.share == share]
    if not made:
        return None
    errors = [100 * one.error_s / batch_s for one, batch_s in made]
    inside = sum(one.end_s[1] <= batch_s <= one.end_s[2] for one, batch_s in made)
    return {
        "median_abs_error_pct": round(median(abs(error) for error in errors), 2),
        "bias_pct": round(fmean(errors), 2),
        "coverage_90": wilson(inside, len(made)),
    }


def faults(runs: Sequence[Run], end: Endpoint) -> dict[str, dict[str, Any]]:
    """Return by fault: how often it came, how the batches ended, unsafe states and false stops."""
    found: dict[str, dict[str, Any]] = {}
    for name in sorted({run.struck.name for run in runs if run.struck is not None}):
        hit = [run for run in runs if run.struck is not None and run.struck.name == name]
        found[name] = {
            "runs": len(hit),
            "came": sum(run.struck is not None and run.struck.at_s is not None for run in hit),
            "unit_states": dict(Counter(run.unit_state for run in hit)),
            "unsafe": dict(Counter(str(seen["code"]) for run in hit for seen in run.unsafe)),
            "false_stops": own_stops(hit, end)["false"]["count"],
        }
    return found


def _pct(fraction: float) -> float:
    return round(100 * fraction, 3)


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 3)
