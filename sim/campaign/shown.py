"""A campaign's sum as tables for a person."""

from collections.abc import Callable
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

_WIDTH: Final = 160
_NAMES: Final = {
    "own": "own rule",
    "fixed": "fixed time",
    "flux": "flux < 1 %/h",
    "dry_run": "dry run: CURE",
    "dry_run_clock": "dry run: clock",
    "oracle": "oracle",
}


def show(found: dict[str, Any]) -> None:
    """Print ``found`` (see ``figures.summary``)."""
    console = Console()
    Console(width=max(_WIDTH, console.width) if not console.is_terminal else None).print(tables(found))


def tables(found: dict[str, Any]) -> RenderableType:
    """Return ``found`` as text and tables."""
    parts: list[RenderableType] = [_head(found)]
    if "policies" in found:
        parts += [_policies(found["policies"]), Text(_saved(found))]
    parts += [_estimator(found["estimator"]), _forecasts(found["forecast"])]
    if "faults" in found:
        parts.append(_faults(found["faults"]))
    return Group(*parts)


def _head(found: dict[str, Any]) -> Table:
    seeds = f"seeds {found['seeds'][0]} to {found['seeds'][-1]}"
    table = Table(title=f"{found['recipe']}, {found['world']} world, {found['runs']} runs, {seeds}", show_header=False)
    stops = found["own_stops"]
    table.add_row("final states", _counts(found["unit_states"]))
    table.add_row("door still locked half a day later", f"{found['still_locked']}")
    table.add_row("runs with unsafe states", f"{_share(found['runs_unsafe'])} {_counts(found['unsafe'])}")
    table.add_row("stopped by the controller", f"{stops['stopped']}, of these by the time recipe {stops['by_time_recipe']}")
    table.add_row(
        "false stops", f"{_share(stops['false'])}; not dry {stops['not_dry']['count']}, outside {stops['out_of_window']['count']}"
    )
    for name, one in stops["margins"].items():
        if one is not None:
            table.add_row(name, f"nearest {one['nearest']}; mean {one['mean']}, that is {one['mean_in_sd']} of their sd {one['sd']}")
    table.add_row("runs with alarm", _counts(found["alarms"]))
    table.add_row("seconds per run", f"{found['wall_s_per_run']}")
    return table


def _policies(found: dict[str, Any]) -> Table:
    table = Table(title="ways to end the cure: the truth at their stops")
    table.add_column("")
    for name in found:
        table.add_column(_NAMES[name])
    rows: dict[str, Callable[[dict[str, Any]], str]] = {
        "insoluble - aim, %: RMSE / bias": lambda one: _errors(one["insoluble_against_aim_pct"]),
        "residual - limit, wt%: RMSE / bias": lambda one: _errors(one["residual_against_limit_wt_pct"]),
        "residual, wt%: median / max": lambda one: f"{one['residual_wt_pct']['median']:.3f} / {one['residual_wt_pct']['max']:.3f}",
        "out of window": lambda one: _share(one["out_of_window"]),
        "not dry": lambda one: _share(one["not_dry"]),
        "either": lambda one: _share(one["bad"]),
        "CURE h, median": lambda one: f"{one['cure_h_median']:.2f}",
        "batch h, median": lambda one: _number(one["batch_h_median"]),
        "batch / oracle's, median": lambda one: _number(one["ratio_to_oracle_median"]),
        "never stopped / beyond trace": lambda one: f"{one['never_stopped']} / {one['capped']}",
    }
    for title, cell in rows.items():
        table.add_row(title, *map(cell, found.values()))
    return table


def _saved(found: dict[str, Any]) -> str:
    saved, same_h = found["shorter_than_fixed_pct"], found["fixed_time_h"]
    if same_h is None or saved is None:
        return "no fixed time: too few batches were ever dry enough and at the aim before their trace ended"
    best = found["oracle_shorter_than_fixed_pct"]
    most = "" if best is None else f"; the oracle's, the most there is, by {best['median']:.1f} %, {best['mean']:.1f} %"
    own = f"own batches are shorter by {saved['median']:.1f} % (median), {saved['mean']:.1f} % (mean)"
    return f"fixed time {same_h:.2f} h in CURE; {own}{most}"


def _estimator(found: dict[str, Any]) -> Table:
    table = Table(title=f"estimate at the end of CURE, {found['estimates']} valid")
    for column in ("", "error RMSE / bias, %", "in the 90 % interval"):
        table.add_column(column)
    rows = {
        "residual solvent, worst": found["residual"],
        "  where truth >= 0.05 wt%": found["residual_where_telling"],
        **{f"  when it fell below {mark}": one for mark, one in found["residual_on_the_way"].items()},
        **{f"insoluble, roll mean, when it passed {mark}": one for mark, one in found["insoluble_on_the_way"].items()},
        **{f"  all positions then, {mark}": one["all_positions"] for mark, one in found["insoluble_on_the_way"].items()},
        "insoluble, roll mean": found["insoluble"],
        "insoluble, roll mean once cold": found["insoluble_cold"],
        **{f"residual solvent, {place}": one for place, one in found["residual_by_position"].items()},
        **{f"insoluble, {place}": one for place, one in found["insoluble_by_position"].items()},
    }
    for name, one in rows.items():
        table.add_row(name, _errors(one["error_pct"]), _share(one["coverage_90"]))
    table.add_row("residual solvent, all positions", "", _share(found["residual_all_positions"]))
    table.add_row("insoluble, all positions", "", _share(found["insoluble_all_positions"]))
    table.add_row("insoluble: bound, lot and history known", _errors(found["insoluble_bound"]), "")
    table.add_row("residual where truth < 2 wt%", _errors(found["residual_below_2_wt_pct"]), "")
    table.add_row("insoluble where aim >= 80 %", _errors(found["insoluble_where_aim_is_high"]), "")
    return table


def _forecasts(found: dict[str, Any]) -> Table:
    table = Table(title="finish time foreseen")
    for column in ("at share of the batch", "median |error|, % of batch", "bias, %", "in the 90 % interval"):
        table.add_column(column)
    for share, one in found.items():
        cells = ("-", "-", "-") if one is None else (f"{one['median_abs_error_pct']}", f"{one['bias_pct']}", _share(one["coverage_90"]))
        table.add_row(share, *cells)
    return table


def _faults(found: dict[str, Any]) -> Table:
    table = Table(title="faults")
    for column in ("", "runs", "came", "final states", "unsafe", "false stops"):
        table.add_column(column)
    for name, one in found.items():
        states, unsafe = _counts(one["unit_states"]), _counts(one["unsafe"])
        table.add_row(name, str(one["runs"]), str(one["came"]), states, unsafe, str(one["false_stops"]))
    return table


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in found.items()) or "none"


def _share(found: dict[str, Any]) -> str:
    """Return count and Wilson interval."""
    return f"{found['count']}/{found['of']} [{100 * found['low']:.0f}, {100 * found['high']:.0f} %]"


def _errors(found: dict[str, Any] | None) -> str:
    return "-" if found is None else f"{found['rmse']:.2f} / {found['bias']:+.2f}"


def _number(found: float | None) -> str:
    return "-" if found is None else f"{found:.2f}"
