"""A campaign's figures against closed forms, and its policies on traces made by hand."""

from io import StringIO
from math import sqrt
from pathlib import Path

import pytest
from rich.console import Console
from scipy import stats

from controller.recipe.model import Endpoint
from controller.recipe.reading import read_load
from sim.campaign import figures, policies, shown
from sim.campaign.outcome import Believed, Drying, Foreseen, Gelling, Product, Struck
from tests.campaigns import cure_end, run, trace

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "recipes" / "loads" / "sample-roll.toml"
END = Endpoint(max_residual_wt_pct=1.5, insoluble_low_pct=15.0, insoluble_aim_pct=50.0, insoluble_high_pct=90.0)


def printed(table):
    """Return what a wide screen shows of ``table``."""
    console = Console(width=200, file=StringIO())
    console.print(table)
    return console.file.getvalue()


# ---- figures ----


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (0, 20, 0.0, 3.841459 / (20 + 3.841459)),  # p = 0: z2 / (n + z2)
        (20, 20, 20 / (20 + 3.841459), 1.0),
        (10, 20, 0.5 - 0.5 * sqrt(3.841459 / (20 + 3.841459)), 0.5 + 0.5 * sqrt(3.841459 / (20 + 3.841459))),  # p = 1/2
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statistics in Medicine 17:857 (1998), table I
        (15, 148, 0.0624, 0.1605),  # the same
        (0, 0, 0.0, 1.0),
    ],
)
def test_a_share_has_its_wilson_interval(count, of, low, high):
    found = figures.wilson(count, of)
    assert (found["count"], found["of"]) == (count, of)
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-4)


def test_errors_are_summed_in_percent():
    assert figures.errors_pct([0.03, -0.04]) == {"rmse": pytest.approx(100 * sqrt(0.00125), abs=1e-3), "bias": -0.5, "of": 2}
    assert figures.errors_pct([]) is None


def test_coverage_and_error_of_the_estimate_count_valid_estimates_only():
    runs = [
        run(1, ended=cure_end(0, (0.0, 0.002, 0.004, 0.003), (0.4, 0.5, 0.6, 0.55))),
        run(2, ended=cure_end(0, (0.001, 0.002, 0.004, 0.0001), (0.4, 0.5, 0.6, 0.7))),
        run(3, ended=cure_end(0, (0.0, 0.5, 1.0, 0.1), (0.0, 0.5, 1.0, 0.0), valid=False)),
        run(4, state="STOPPED"),
    ]
    found = figures.estimator(runs, END)
    assert found["estimates"] == 2
    assert (found["residual"]["coverage_90"]["count"], found["residual"]["coverage_90"]["of"]) == (1, 2)
    assert (found["residual_where_telling"]["coverage_90"]["count"], found["residual_where_telling"]["coverage_90"]["of"]) == (1, 1)
    assert found["insoluble"]["error_pct"] == {"rmse": pytest.approx(100 * sqrt((0.05**2 + 0.2**2) / 2), abs=1e-3), "bias": -12.5, "of": 2}
    assert found["insoluble_where_aim_is_high"] is None
    high = END.model_copy(update={"insoluble_aim_pct": 80.0})
    assert figures.estimator(runs, high)["insoluble_where_aim_is_high"]["of"] == 2


def test_a_false_stop_is_one_outside_limit_or_window_anywhere():
    runs = [
        run(1, ended=cure_end(0, (0, 0, 0, 0.014), (0, 0, 0, 0.5), spread=0.3)),  # good
        run(2, ended=cure_end(0, (0, 0, 0, 0.016), (0, 0, 0, 0.5))),  # wet
        run(3, ended=cure_end(0, (0, 0, 0, 0.0), (0, 0, 0, 0.7), spread=0.25)),  # one film over the window
        run(4, ended=cure_end(0, (0, 0, 0, 0.02), (0, 0, 0, 0.2), spread=0.1, why="time recipe")),  # both
    ]
    found = figures.own_stops(runs, END)
    assert (found["stopped"], found["by_time_recipe"]) == (4, 1)
    assert [found[key]["count"] for key in ("false", "not_dry", "out_of_window")] == [3, 2, 2]
    margins = found["margins"]
    assert [one["nearest"] for one in margins.values()] == [-0.5, -5.0, -5.0]  # each row's own worst; below nothing is a false stop
    assert margins["residual below limit, wt%"] == {
        "nearest": -0.5, "mean": 0.25, "sd": 0.87, "mean_in_sd": 0.3, "of": 4
    }  # fmt: skip
    assert set(figures.own_stops(runs[:1], END)["margins"].values()) == {None}  # of one stop nothing follows


def test_a_roll_is_judged_by_what_it_is_once_cold():
    """It leaves the CURE at 50 % as believed and as it is, gains 10 % as it cools where 8 were expected, and more where it had less."""
    product = Product(insoluble=Believed(estimate=(0.58, 0.48, 0.68), truth=0.6), insoluble_min=0.55, insoluble_max=0.65)
    stopped = cure_end(120.0, (0, 0, 0, 0.01), (0.4, 0.5, 0.6, 0.5), spread=0.45).model_copy(update={"coming": 0.08})
    traced = trace([0.0, 60.0, 120.0], [0.1, 0.01, 0.01], [0.3, 0.45, 0.5], spread=0.45, own_s=120.0)
    hot, cold = (run(1, traced, stopped, product=one) for one in (None, product))
    assert [figures.own_stops([one], END)["out_of_window"]["count"] for one in (hot, cold)] == [1, 0]
    assert figures.estimator([cold], END)["insoluble_cold"]["error_pct"] == {"rmse": 2.0, "bias": -2.0, "of": 1}
    assert figures.estimator([hot], END)["insoluble_cold"]["error_pct"] is None
    own = policies.stops([cold], END, read_load(SAMPLE))["own"][0]
    assert (own.insoluble, own.insoluble_min, own.insoluble_max) == pytest.approx((0.6, 0.55, 0.65))
    oracles = [policies.stops([one], END, read_load(SAMPLE))["oracle"][0] for one in (hot, cold)]
    assert [one.never for one in oracles] == [True, False]  # the hot roll is never inside its window
    assert oracles[1].cure_s == traced.cure_s[1]  # at 45 %, and 55 once cold: above the aim of 50


def test_the_factors_from_which_margins_say_half_a_percent_are_the_tolerance_factors():
    for stops, factor in ((50, 3.2), (25, 3.5), (8, 4.8)):
        root = sqrt(stops)
        assert f"{factor} " in figures.margin.__doc__
        assert stats.nct.ppf(0.95, stops - 1, stats.norm.ppf(0.995) * root) / root == pytest.approx(factor, abs=0.05)


def test_forecasts_are_judged_at_the_share_of_the_batch_at_which_they_were_made():
    made = [
        Foreseen(share=0.5, made_s=3600.0, end_s=(7200.0 + error_s, 7000.0, 7300.0), error_s=error_s) for error_s in (-720.0, 72.0, 360.0)
    ]
    found = figures.forecast([run(seed, foreseen=[one_made]) for seed, one_made in enumerate(made)], 0.5)
    assert (found["median_abs_error_pct"], found["bias_pct"]) == (5.0, pytest.approx(-4 / 3, abs=0.01))
    assert found["coverage_90"]["count"] == 3  # each interval holds 7200 s
    assert figures.forecast([run(1)], 0.5) is None


def test_the_belief_on_the_way_is_judged_mark_by_mark_and_when_valid_only():
    def dried(mark, low, value, high, valid=True):
        return Drying(mark=mark, at_s=60.0, valid=valid, residual=Believed(estimate=(value, low, high), truth=mark))

    runs = [
        run(1, drying=[dried(0.01, 0.009, 0.012, 0.02), dried(0.005, 0.0, 0.001, 0.004)]),
        run(2, drying=[dried(0.01, 0.009, 0.008, 0.02), dried(0.005, 0.0, 0.9, 1.0, valid=False)]),
    ]
    found = figures.drying(runs, 0.01)
    assert found["error_pct"] == {"rmse": 0.2, "bias": 0.0, "of": 2}
    assert (found["coverage_90"]["count"], found["coverage_90"]["of"]) == (2, 2)
    assert (figures.drying(runs, 0.005)["coverage_90"]["count"], figures.drying(runs, 0.005)["coverage_90"]["of"]) == (0, 1)
    assert figures.drying(runs, 0.02)["error_pct"] is None


def test_the_insoluble_content_is_judged_mark_by_mark_over_the_roll_and_by_position():
    def passed(mark, core, edge, valid=True):
        def believed(low, value, high, truth):
            return Believed(estimate=(value, low, high), truth=truth)

        return Gelling(
            mark=mark, at_s=60.0, valid=valid, insoluble=believed(0.08, 0.12, 0.2, mark),
            insoluble_at={"core": believed(0.0, core, 0.1, 0.04), "edge": believed(0.2, edge, 0.4, 0.5)},
        )  # fmt: skip

    runs = [
        run(1, gelling=[passed(0.1, 0.05, 0.3), passed(0.3, 0.5, 0.5, valid=False)]),
        run(2, gelling=[passed(0.1, 0.03, 0.4)]),
    ]
    found = figures.estimator(runs, END)["insoluble_on_the_way"]
    assert list(found) == ["10 %", "30 %", "50 %", "70 %"]
    at_10 = found["10 %"]
    assert at_10["error_pct"] == {"rmse": 2.0, "bias": 2.0, "of": 2}
    assert at_10["coverage_90"]["count"] == 2
    assert (at_10["all_positions"]["coverage_90"]["count"], at_10["all_positions"]["coverage_90"]["of"]) == (2, 4)
    assert at_10["by_position"]["core"]["error_pct"] == {"rmse": 1.0, "bias": 0.0, "of": 2}
    assert at_10["by_position"]["edge"]["error_pct"] == {"rmse": pytest.approx(100 * sqrt(0.025), abs=1e-3), "bias": -15.0, "of": 2}
    assert (found["30 %"]["error_pct"], found["30 %"]["by_position"]) == (None, {})  # what is not valid says nothing


# ---- policies ----

MINUTES = [60.0 * i for i in range(61)]


def test_the_fixed_time_is_the_shortest_at_which_95_of_100_batches_are_ready():
    traces = [trace([0.0, 60.0 * (i + 1)], [0.02, 0.0], [0.4, 0.6]) for i in range(100)]
    assert policies.fixed_s(traces, END) == 60.0 * 95
    assert policies.fixed_s(traces[:20], END) == 60.0 * 19
    never = trace([0.0, 60.0], [0.02, 0.02], [0.4, 0.6])
    assert policies.fixed_s([*traces[:18], never, never], END) is None
    assert policies.fixed_s([], END) is None


def test_the_oracle_waits_for_dryness_aim_and_window_everywhere():
    falling, rising = [0.03 - 0.001 * i for i in range(31)], [0.2 + 0.02 * i for i in range(31)]
    times = MINUTES[:31]
    assert policies.oracle_s(trace(times, falling, rising), END) == 60.0 * 15  # dry at 1.5 wt%; at the aim at the same moment
    assert policies.oracle_s(trace(times, [0.0] * 31, rising, spread=0.365), END) == 60.0 * 16  # the least cured film enters at 15 %
    assert policies.oracle_s(trace(times, falling, rising, spread=0.45), END) is None  # the window is narrower than the roll


def test_flux_stops_when_half_an_hour_has_shown_less_than_its_share():
    polymer = 2.0  # 1 %/h: 10 g in half an hour
    slowing = [0.001 * (i if i <= 20 else 20 + 0.1 * (i - 20)) for i in range(61)]  # 60 g/h for 20 min, then 6 g/h
    # over the 30 min before minute m in 30 to 50: (50 - m) + 0.1 (m - 20) g = 48 - 0.9 m, below 10 g after minute 42.2
    assert policies.flux_s(trace(MINUTES, [0.0] * 61, [0.5] * 61, slowing), polymer) == 60.0 * 43
    assert policies.flux_s(trace(MINUTES, [0.0] * 61, [0.5] * 61, [0.001 * i for i in range(61)]), polymer) is None
    assert policies.flux_s(trace(MINUTES, [0.0] * 61, [0.5] * 61, [None] * 61), polymer) is None
    assert policies.flux_s(trace(MINUTES, [0.0] * 61, [0.5] * 61), polymer) == policies.FLUX_S  # a dry roll: as soon as it can tell


def test_the_polymer_of_a_roll_is_its_film():
    assert policies.polymer_kg(read_load(SAMPLE)) == pytest.approx(20.0 * 0.5 * 28.2e-3)  # 28 g/m2 for 20 um


def test_a_stop_lies_between_the_moments_and_never_beyond_the_trace():
    seen = trace([0.0, 60.0, 120.0], [0.03, 0.02, 0.01], [0.3, 0.5, 0.6], spread=0.1)
    assert policies.stop_at(seen, 90.0) == pytest.approx((90.0, 0.015, 0.55, 0.45, 0.65, False, False))
    assert policies.stop_at(seen, 500.0) == pytest.approx((500.0, 0.01, 0.6, 0.5, 0.7, False, True))
    assert policies.stop_at(seen, None) == pytest.approx((120.0, 0.01, 0.6, 0.5, 0.7, True, False))
    assert policies.stop_at(seen, -5.0).cure_s == 0.0


def test_the_sum_compares_policies_with_the_oracle_and_the_fixed_time():
    runs = []
    for seed, (minutes, own_min) in enumerate([(30, 36), (60, 54)]):  # minutes until half of the film is insoluble
        content = [0.5 * i / minutes for i in range(101) if 0.5 * i / minutes <= 0.92]
        times = [60.0 * i for i in range(len(content))]
        seen = trace(times, [0.0] * len(content), content, own_s=60.0 * own_min)
        ended = cure_end(60.0 * own_min, (0, 0, 0, 0.0), (0, 0, 0, 0.5 * own_min / minutes))
        runs.append(run(seed, seen, ended, predicted_cure_s=60.0 * 48))
    found = figures.summary(runs, "by hand", END, read_load(SAMPLE))
    told = found["policies"]
    assert found["fixed_time_h"] == 1.0
    assert told["own"]["insoluble_against_aim_pct"] == {"rmse": pytest.approx(sqrt((10**2 + 5**2) / 2), abs=1e-3), "bias": 2.5, "of": 2}
    assert told["dry_run"]["insoluble_against_aim_pct"]["bias"] == pytest.approx((30 - 10) / 2)
    assert told["oracle"]["insoluble_against_aim_pct"]["rmse"] == 0.0
    assert told["fixed"]["out_of_window"]["count"] == 1  # the fast batch is far beyond 90 % after an hour
    assert told["own"]["bad"]["count"] == 0
    assert (told["own"]["cure_h_median"], told["own"]["batch_h_median"]) == (0.75, 2.75)
    assert told["own"]["ratio_to_oracle_median"] == pytest.approx(((156 / 150) + (174 / 180)) / 2, abs=1e-3)
    assert found["shorter_than_fixed_pct"]["mean"] == pytest.approx(100 * (1 - (156 + 174) / 2 / 180), abs=0.01)
    assert found["world"] == "near"
    assert "by hand, near world, 2 runs, seeds 0 to 1" in printed(shown.tables(found))  # every figure has its place


def test_faults_are_summed_by_name():
    struck = Struck(name="estop", at_s=60.0, phase="RAMP", restarts=0)
    runs = [
        run(1, struck=struck, state="ABORTED", unsafe=[{"code": "U1", "at_s": 1.0, "text": ""}]),
        run(2, struck=struck, state="STOPPED"),
    ]
    found = figures.summary(runs, "by hand", END, read_load(SAMPLE))
    assert found["faults"]["estop"] == {
        "runs": 2, "came": 2, "unit_states": {"ABORTED": 1, "STOPPED": 1}, "unsafe": {"U1": 1}, "false_stops": 0,
    }  # fmt: skip
    assert found["runs_unsafe"]["count"] == 1
    assert "policies" not in found
