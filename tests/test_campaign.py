"""Campaigns: what may be asked for, what is seen, and real blind batches over several processes."""

import json
import subprocess
import sys
from bisect import bisect_left
from pathlib import Path

import pytest

from controller.errors import FileError
from controller.estimator.model import POSITIONS
from controller.image import SIGNALS, Inputs, Interval
from controller.recipe.reading import read_recipe
from controller.solvents import SOLVENTS
from controller.tags import Quality, Sample
from sim.campaign import many, one, policies
from sim.campaign.outcome import Run, triple
from sim.campaign.strike import Strike
from sim.campaign.watch import ENOUGH, GELLED, MARKS, Watch, exhaust_kg_s
from sim.faults import FAULTS
from sim.plant import films
from sim.plant.parameters import NEAR
from sim.virtual import LONGEST_SCAN_S
from tests.campaigns import run

ROOT = Path(__file__).parents[1]
TRIAL = ROOT / "recipes" / "trial-short.toml"
SAMPLE = ROOT / "recipes" / "loads" / "sample-roll.toml"
WIRING = ROOT / "deploy" / "wiring.toml"


# ---- what is seen of the solvent ----


def with_exhaust(lel_pct, flow_m3_h):
    samples = {name: Sample(None, Quality.STALE, 0.0) for name in SIGNALS}
    samples["exhaust_lel_pct"] = Sample(lel_pct, Quality.GOOD, 0.0)
    samples["exhaust_flow_m3_h"] = Sample(flow_m3_h, Quality.GOOD, 0.0)
    return Inputs(0.0, 1.0, **samples)


def test_solvent_in_the_exhaust_is_lel_times_flow_and_a_faint_reading_nothing():
    # 10 % of 1.3 vol% in 600 m3/h; 24.465 l/mol at 25 degC and 1 atm, 99.13 g/mol
    assert exhaust_kg_s(SOLVENTS["NMP"], with_exhaust(10.0, 600.0)) == pytest.approx(0.0013 * 600 / 3600 / 24.465e-3 * 99.13e-3, rel=1e-3)
    assert exhaust_kg_s(SOLVENTS["NMP"], with_exhaust(0.9, 600.0)) == 0.0
    assert exhaust_kg_s(SOLVENTS["NMP"], with_exhaust(None, 600.0)) == 0.0


def test_a_batch_without_forecasts_has_none_to_judge():
    assert Watch().foreseen(3600.0) == []
    assert triple(Interval(1.23456789, 0.0, 2.0)) == (1.23457, 0.0, 2.0)


# ---- asking for a campaign ----


@pytest.mark.parametrize("scan_s", [5.0, 2.001, 0.0, -1.0, float("nan"), 0.04])
def test_a_scan_period_that_no_plc_would_follow_is_refused(scan_s):
    with pytest.raises(FileError, match=r"--scan = .*0\.05 to 2 s.*watchdog"):
        one.prepare(TRIAL, SAMPLE, WIRING, scan_s)


def test_an_unknown_fault_is_refused_with_all_that_there_are():
    with pytest.raises(FileError, match=r"--fault = 'leak': random or one of air_leak, .*, vac_valve_stuck_shut"):
        one.prepare(TRIAL, SAMPLE, WIRING, 2.0, "leak")


def test_an_unknown_world_is_refused_with_all_that_there_are():
    with pytest.raises(FileError, match=r"command line: --world = 'flat': must be one of near, far"):
        one.prepare(TRIAL, SAMPLE, WIRING, 2.0, world="flat")


def test_a_recipe_without_an_endpoint_to_judge_is_refused(tmp_path):
    text = TRIAL.read_text()
    start, stop = text.index('[[phase]]\nkind = "CURE"'), text.index('[[phase]]\nkind = "COOL"')
    file = tmp_path / "dry-only.toml"
    file.write_text(text[:start] + text[stop:])
    with pytest.raises(FileError, match=r"dry-only\.toml: phase = '0 of kind CURE': .*exactly 1"):
        one.prepare(file, SAMPLE, WIRING, 2.0)


def test_results_are_not_written_over_and_not_mixed(tmp_path):
    out, what = tmp_path / "runs.jsonl", one.prepare(TRIAL, SAMPLE, WIRING, 2.0)
    out.write_text(run(1).model_dump_json() + "\n")
    with pytest.raises(FileError, match=r"--out = .*must be a new file, or --resume"):
        many.campaign(what, [1], 1, out)
    with pytest.raises(FileError, match=rf"line 1: recipe_sha256 = 'r': must be '{what.recipe.sha256}'"):
        many.campaign(what, [1], 1, out, resume=True)
    with pytest.raises(FileError, match=rf"line 1: code_sha256 = 'c': must be '{one.code_sha256()}'"):
        many.campaign(what, [1], 1, out, resume=True)
    with pytest.raises(FileError, match=r"line 1: .*world = 'near': must be 'far', as this campaign's"):
        many.campaign(one.prepare(TRIAL, SAMPLE, WIRING, 2.0, world="far"), [1], 1, out, resume=True)
    out.write_text('{"seed": -1}\n')
    with pytest.raises(FileError, match=r"line 1: seed = -1"):
        many.campaign(what, [1], 1, out, resume=True)


def test_the_endless_recipe_differs_in_nothing_but_when_its_cure_may_end():
    recipe = read_recipe(TRIAL).recipe
    endless = one.unending(recipe)
    for before, after in zip(recipe.phase, endless.phase, strict=True):
        changed = {key for key, value in before.model_dump().items() if after.model_dump()[key] != value}
        assert changed == ({"min_min", "fallback_min", "timeout_min"} if before.kind == "CURE" else set())
    assert endless.endpoint == recipe.endpoint


def test_the_moment_of_a_fault_is_drawn_by_seed():
    drawn = [Strike("random", seed, 3600.0) for seed in range(40)]
    assert {strike.name for strike in drawn} <= set(FAULTS)
    assert len({strike.name for strike in drawn}) > 10
    assert Strike("random", 7, 3600.0).__dict__ == Strike("random", 7, 3600.0).__dict__
    assert Strike("estop", 7, 3600.0).name == "estop"


def test_the_command_says_what_is_wrong():
    command = [sys.executable, "-m", "sim", "campaign", str(TRIAL), "--fault", "nonsense"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("command line: --fault = 'nonsense': random or one of air_leak")


# ---- real batches ----


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two seeds at the longest scan, on two processes: the sum, the file with their runs, the campaign."""
    out, what = tmp_path_factory.mktemp("campaign") / "runs.jsonl", one.prepare(TRIAL, SAMPLE, WIRING, LONGEST_SCAN_S)
    return many.campaign(what, (1, 2), 2, out), out, what


def runs_in(out):
    return {found.seed: found for found in map(Run.model_validate_json, out.read_text().splitlines())}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_campaign_completes_its_batches_safely_and_says_so(two):
    summed, out, _ = two
    assert (summed["unit_states"], summed["unsafe"], summed["runs"]) == ({"COMPLETE": 2}, {}, 2)
    assert summed["still_locked"] == 0
    assert set(summed["policies"]) == set(policies.POLICIES)
    assert sorted(runs_in(out)) == [1, 2]
    assert json.loads(json.dumps(summed)) == summed
    for found in runs_in(out).values():
        assert [one.mark for one in found.drying] == list(MARKS[: len(found.drying)])
        assert len(found.drying) >= 3  # a trial batch ends below 0.5 wt%
        assert all(0.9 * one.mark < one.residual.truth < one.mark for one in found.drying)
        assert [one.at_s for one in found.drying] == sorted(one.at_s for one in found.drying)
        assert [one.mark for one in found.gelling] == list(GELLED[: len(found.gelling)])
        assert len(found.gelling) >= 2  # a trial batch is aimed at half
        assert all(one.mark <= one.insoluble.truth < one.mark + 0.03 for one in found.gelling)
        assert all(set(one.insoluble_at) == set(POSITIONS) for one in found.gelling)
        assert [one.at_s for one in found.gelling] == sorted(one.at_s for one in found.gelling)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_endless_batch_is_the_real_one_until_its_endpoint(two):
    for found in runs_in(two[1]).values():
        assert found.trace is not None
        assert found.cure_end is not None
        assert found.trace.own_s == found.cure_end.cure_s
        assert found.trace.began_s + found.trace.own_s == found.cure_end.at_s == found.endpoint_s
        ready_s = policies.ready_s(found.trace, two[2].recipe.recipe.endpoint)
        assert ready_s is not None
        assert found.trace.own_s < found.trace.cure_s[-1] <= ENOUGH * max(found.trace.own_s, ready_s) + 60.0  # to the minute
        there = policies.stop_at(found.trace, found.trace.own_s)  # straight between two minutes, against the scan itself
        minute = bisect_left(found.trace.cure_s, found.trace.own_s)
        curing = (found.trace.insoluble[minute] - found.trace.insoluble[minute - 1]) / 60.0  # 1/s
        period = curing * films.PERIOD_S  # the plant's films are carried on by whole periods, and stand in between
        assert there.insoluble == pytest.approx(found.cure_end.insoluble.truth, abs=2e-3 + period)
        assert there.residual == pytest.approx(found.cure_end.residual.truth, rel=0.02)
        assert found.trace.insoluble == sorted(found.trace.insoluble)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_whose_batches_disagree_is_no_result(two):
    found = runs_in(two[1])[1]
    one._agree(found)
    other = found.trace.model_copy(update={"own_s": found.trace.own_s + 2.0})
    with pytest.raises(RuntimeError, match="seed 1: CURE of A ended after"):
        one._agree(found.model_copy(update={"trace": other}))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_broken_off_campaign_goes_on_with_what_is_missing(two, tmp_path, capsys):
    lines = two[1].read_text().splitlines(keepends=True)
    kept, lost = (Run.model_validate_json(line).seed for line in lines)
    out = tmp_path / "runs.jsonl"
    out.write_text(lines[0] + lines[1][:500])  # killed while it wrote
    what = two[2]
    again = many.campaign(what, (1, 2), 1, out, resume=True)
    told = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in told] == [f"2/2 seed {lost}"]
    assert again | {"wall_s_per_run": 0} == two[0] | {"wall_s_per_run": 0}
    assert runs_in(out)[kept] == Run.model_validate_json(lines[0])
    assert many.campaign(what, (kept,), 1, out, resume=True)["runs"] == 1  # nothing left to do


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("fault", "state", "restarts"), [("estop", "ABORTED", 0), ("local", "COMPLETE", 1)])
def test_a_fault_strikes_once_is_repaired_and_never_unsafe(fault, state, restarts):
    found = one.run(one.prepare(TRIAL, SAMPLE, WIRING, LONGEST_SCAN_S, fault), 4)
    assert found.struck is not None
    assert (found.struck.name, found.struck.restarts, found.unit_state) == (fault, restarts, state)
    assert found.struck.at_s is not None
    assert (found.unsafe, found.trace) == ([], None)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_batch_of_the_far_world_is_run_there_and_says_so():
    near, far = (one.run(one.prepare(TRIAL, SAMPLE, WIRING, LONGEST_SCAN_S, "local", world), 4) for world in (NEAR, "far"))
    assert (near.world, far.world, far.unsafe) == (NEAR, "far", [])
    assert near.predicted_cure_s != far.predicted_cure_s  # the coupons are of another lot
