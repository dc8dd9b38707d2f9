"""What weighed coupons say of drying, from the laboratory's file to the parameter set, and what is refused on the way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from controller.__main__ import app
from controller.calibrate import calibrate, parameter_set, read
from controller.calibrate.dried import KEYS, PRIOR_LN_SD
from controller.errors import FileError
from controller.estimator import calibration as bayes
from controller.estimator import drying
from controller.estimator.drying import BOUND, DIFFUSION, NAMES, RELEASE, Belief
from controller.estimator.exposure import exposure_of
from controller.estimator.model import EstimatorSettings
from tests.weighing import ASSAY, CURED, EARLY, FILM, HEAD, NMP, PRIOR, TWO, Points, dried, settled, weighed, written


def test_coupons_nobody_weighed_leave_the_prior_as_it_is(tmp_path: Path) -> None:
    of_roll = f"[[coupons]]\nposition = 'worst zone'\nresidual_wt_pct = 0.4\n{ASSAY}"
    found = settled(tmp_path, CURED + of_roll)
    told, default = found.parameters.estimator, EstimatorSettings(diffusion_ln_sd=PRIOR_LN_SD)
    assert len(KEYS) == 11
    for key in KEYS:
        assert getattr(told, key) == pytest.approx(getattr(default, key), rel=1e-4, abs=1e-9), key
    assert found.parameters.weighed == ()
    assert not [said for said in found.warnings if "residual" in said]


def test_a_coupon_is_believed_to_have_dried_as_the_weighed_ones_say() -> None:
    """It starts at its predry residual and only dries; ten times the diffusion leaves less, and what stays wet longer cures faster."""
    beliefs = [Belief(PRIOR.mean.copy(), 1e-6 * np.eye(len(NAMES))) for _ in range(2)]
    for one, diffusion in zip(beliefs, (1e-13, 1e-14), strict=True):
        one.mean[[DIFFUSION, BOUND]] = np.log(diffusion), np.log(0.001)  # all but a trace is free
    quick, slow = beliefs
    wet = [drying.wetted(one, None, [weighed(((0, 200), (2, 200)), predry=0.18, predry_sd=0.0)])[0] for one in (quick, slow)]
    for history in wet:
        assert history.fraction[0] == pytest.approx(0.18, rel=0.02)
        assert (np.diff(history.fraction) <= 1e-9).all()
        assert set(np.unique(history.temp_k)) == {473.15}
        assert history.at_s[-1] == 7200.0
    assert wet[0].fraction[-1] < 0.1 * wet[1].fraction[-1]
    dry = exposure_of([one._replace(fraction=0 * one.fraction) for one in wet])
    faster = bayes.wet_ln_sd(exposure_of(wet), dry, bayes.literature(), NMP)
    assert 0 < faster[0] < faster[1]


def test_weighed_coupons_move_and_narrow_the_belief_and_leave_the_cure_alone(tmp_path: Path) -> None:
    before, after = settled(tmp_path, CURED).parameters, settled(tmp_path, CURED + TWO).parameters
    for mean, was, sd in zip(after.posterior.mean, before.posterior.mean, before.posterior.sd, strict=True):
        assert mean == pytest.approx(was, abs=0.5 * sd)  # they tell the solvent on the way, which at 240 degC for 2 h is little
    assert drying.TRANSFER_LN_SD <= after.estimator.diffusion_ln_sd < 0.75 * before.estimator.diffusion_ln_sd
    assert after.estimator.diffusion_energy_sd_kj_mol < 0.95 * before.estimator.diffusion_energy_sd_kj_mol  # 30 K apart, mostly bound
    assert after.estimator.bound_solvent_ln_sd < 0.95 * before.estimator.bound_solvent_ln_sd
    assert after.estimator.release_ln_sd < 0.75 * before.estimator.release_ln_sd
    assert 140 < after.drying.best_known_c < 230  # where the coupons were
    assert [row.name for row in after.weighed] == ["D1", "D2"]
    thick = settled(tmp_path, CURED + TWO.replace("film_um = 20", "film_um = 40")).parameters
    assert np.log(thick.estimator.diffusion_m2_s / after.estimator.diffusion_m2_s) == pytest.approx(np.log(4), abs=0.6)


def test_a_set_is_read_back_and_the_next_learns_from_it_but_nothing_twice(tmp_path: Path) -> None:
    first = settled(tmp_path, CURED + TWO).parameters
    path = tmp_path / "1.toml"
    parameter_set.write(first, path)
    assert read(path)[0].model_dump() == first.model_dump()
    more = CURED.replace("'A'", "'B'") + dried("D3", ((0, 225), (0.5, 225)), 0.6)
    second = settled(tmp_path, more, prior_path=path).parameters
    volumes = [float(np.linalg.det(one.drying.belief.covariance)) for one in (first, second)]
    assert volumes[1] < volumes[0]
    other = calibrate(written(tmp_path / "lab.toml", HEAD.replace("L1", "L2") + CURED), [], "2026-11-22", prior_path=path).parameters
    for key, wider in (("diffusion", 0.3), ("bound_solvent", 0.2), ("release", 0.3)):  # from lot to lot
        was, now = (getattr(one.estimator, f"{key}_ln_sd") for one in (first, other))
        assert now == pytest.approx(np.hypot(was, wider), rel=1e-3), key
    with pytest.raises(FileError, match=r"D1.*learnt from them already"):
        settled(tmp_path, CURED.replace("'A'", "'B'") + dried("D1", EARLY, 0.9), prior_path=path)


@pytest.fixture(scope="module")
def written_set(tmp_path_factory: pytest.TempPathFactory) -> str:
    return parameter_set.to_toml(settled(tmp_path_factory.mktemp("set"), CURED + TWO).parameters)


def edited(text: str, key: str, change: Callable[[list[Any]], Any]) -> str:
    """Return the set with ``key`` of [drying] changed."""
    before, after = text.split("\n[drying]")
    line = next(line for line in after.splitlines() if line.startswith(f"{key} = "))
    value = json.dumps(change(json.loads(line.split(" = ")[1])))
    return f"{before}\n[drying]{after.replace(line, f'{key} = {value}', 1)}"


def put(index: int, value: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda found: [*found[:index], value, *found[index + 1 :]]


def tie(value: float) -> Callable[[list[Any]], list[Any]]:
    """Correlate the first with the second and the third, and these two the other way."""

    def changed(rows: list[Any]) -> list[Any]:
        for one, other, sign in ((0, 1, 1), (0, 2, 1), (1, 2, -1)):
            rows[one][other] = rows[other][one] = sign * value
        return rows

    return changed


@pytest.mark.parametrize(
    ("key", "change", "said"),
    [
        ("names", put(2, "ln_bound"), "drying.names"),
        ("names", lambda found: found[::-1], "drying.names"),
        ("correlation", tie(0.9), "drying.correlation"),
        ("correlation", put(0, [1.0, 0.5, 0.0, 0.0, 0.0]), "drying.correlation"),  # not symmetric
        ("correlation", put(4, [0.0, 0.0, 0.0, 0.0, 2.0]), "drying.correlation"),
        ("correlation", lambda found: found[:4], "drying.correlation"),
        ("sd", put(2, 0.0), "drying.sd"),
        ("sd", put(3, -0.5), "drying.sd"),
        ("sd", put(3, 1e-200), "drying.sd"),
        ("sd", put(1, 400.0), "estimator.diffusion_energy_sd_kj_mol"),
        ("sd", lambda found: found[:4], "drying.sd"),
        ("mean", put(0, 12.0), "estimator.diffusion_m2_s"),
        ("mean", put(0, 499.0), "estimator.diffusion_m2_s"),
        ("mean", put(0, -999.0), "drying.mean"),
        ("mean", put(1, 500.0), "estimator.diffusion_energy_kj_mol"),
        ("mean", put(2, 0.0), "estimator.bound_solvent_kg_kg"),
        ("mean", put(2, -3.0), "estimator.bound_solvent_kg_kg"),  # inside its range, but [estimator] says another
        ("mean", put(3, 1.0), "estimator.release_1_s"),
        ("mean", put(4, 20.0), "estimator.release_energy_kj_mol"),
        ("mean", put(4, 1e9), "drying.mean"),
        ("mean", put(4, "hot"), "drying.mean"),
    ],
)
def test_a_drying_edited_by_hand_is_a_named_problem(tmp_path: Path, written_set: str, key: str, change: Any, said: str) -> None:
    text = edited(written_set, key, change)
    assert text != written_set
    with pytest.raises(FileError) as refused:
        read(written(tmp_path / "set.toml", text))
    assert said in str(refused.value)
    result = CliRunner().invoke(app, ["calibrate", "--show", str(tmp_path / "set.toml")])
    assert isinstance(result.exception, FileError)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_what_is_no_number_is_refused_too(tmp_path: Path, written_set: str, number: str) -> None:
    for key in ("mean", "sd"):
        text = edited(written_set, key, put(1, 77.125)).replace("77.125", number)
        with pytest.raises(FileError, match=rf"drying\.{key}"):
            read(written(tmp_path / "set.toml", text))


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("\ndiffusion_m2_s = ", "\ndiffusion_m2_s = 2", "estimator.diffusion_m2_s"),
        ("\ndiffusion_ln_sd = 0.", "\ndiffusion_ln_sd = 0.0", "estimator.diffusion_ln_sd"),
        ("\nbound_solvent_kg_kg = 0.0", "\nbound_solvent_kg_kg = 0.00", "estimator.bound_solvent_kg_kg"),
        ("\nrelease_1_s = ", "\nrelease_1_s = 0", "file"),
        ("\ndrying_correlation = [", "\ndrying_correlation = [0.5, ", "estimator.drying_correlation"),
        ("\nbest_known_ln_sd = ", "\nbest_known_ln_s = ", "did you mean best_known_ln_sd?"),
        ("\ntold = ", "\ntold = 7", "drying.told"),
    ],
)
def test_what_disagrees_with_the_drying_is_refused(tmp_path: Path, written_set: str, right: str, wrong: str, said: str) -> None:
    assert right in written_set
    with pytest.raises(FileError) as refused:
        read(written(tmp_path / "set.toml", wrong.join(written_set.rsplit(right, 1))))
    assert said in str(refused.value)


def test_the_settings_of_a_set_are_the_belief_with_the_transfer_in_it(tmp_path: Path) -> None:
    found = settled(tmp_path, CURED + TWO).parameters
    again = drying.prior_of(found.estimator)
    assert again.mean == pytest.approx(found.drying.belief.mean, rel=1e-4)
    assert again.sd == pytest.approx(found.drying.belief.sd, rel=1e-3)
    assert again.correlation == pytest.approx(found.drying.belief.correlation, abs=1e-3)
    assert found.drying.told > 0.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (dried("D", EARLY, 30.0), "coupon 2, residual_wt_pct = 30.0"),
        (dried("A", EARLY, 0.9), "coupon 2, name = 'A'"),
        (dried("D", EARLY, 0.9, "residual_sd = 0.1\n"), "did you mean residual_sd_wt_pct?"),
        (dried("D", EARLY, 0.9, "film_um = 0\n"), "coupon 2, film_um"),
        (dried("D", EARLY, 0.9, "predry_residual_wt_pct = inf\n"), "coupon 2, predry_residual_wt_pct"),
        (dried("D", EARLY, 0.9, "residual_sd_wt_pct = 0\n"), "coupon 2, residual_sd_wt_pct"),
        (dried("D", ((0, 210), (0, 210)), 0.9), "hours must increase"),
    ],
)
def test_a_mistake_about_the_weighing_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(FileError) as refused:
        settled(tmp_path, CURED + text)
    assert "lab.toml: " in str(refused.value)
    assert said in str(refused.value)


def test_readings_without_information_outliers_and_an_unknown_film_are_told(tmp_path: Path) -> None:
    vague = settled(tmp_path, CURED + dried("D", EARLY, 1.0, FILM + "residual_sd_wt_pct = 10\n"))
    assert any("carries no information" in said for said in vague.warnings)
    assert vague.parameters.drying.told < 0.2
    assert not [said for said in settled(tmp_path, CURED + TWO).warnings if "residual" in said or "film_um" in said]
    wrong = settled(tmp_path, CURED + TWO + dried("D3", ((0, 240), (0.45, 240)), 9.0))
    assert any("residual solvent of D3" in said for said in wrong.warnings), wrong.warnings
    guessed = settled(tmp_path, CURED + dried("D", EARLY, 1.0, ""))
    assert any("film_um of D is missing: 20 um" in said for said in guessed.warnings)


def test_a_film_below_the_detection_limit_bounds_the_diffusion_from_below_only(tmp_path: Path) -> None:
    long: Points = ((0, 225), (1.5, 225))
    nothing = settled(tmp_path, CURED + dried("D", long, 0.0, FILM + "residual_limit_wt_pct = 0.2\n")).parameters
    assert nothing.weighed[0].below_limit
    moved = np.log(nothing.estimator.diffusion_m2_s / EstimatorSettings().diffusion_m2_s)
    assert 0.05 < moved < 1.5
    same = settled(tmp_path, CURED + dried("D", long, 0.15, FILM + "residual_limit_wt_pct = 0.2\nresidual_sd_wt_pct = 0.05\n")).parameters
    assert same.estimator.diffusion_m2_s == nothing.estimator.diffusion_m2_s  # a reading below the limit counts as one at zero


def test_the_table_and_the_json_show_what_was_learnt(tmp_path: Path) -> None:
    lab = written(tmp_path / "lab.toml", HEAD + CURED + TWO)
    shown = CliRunner().invoke(app, ["calibrate", str(lab)]).output
    assert "residual solvent" in shown
    assert "0.90 ± 0.05" in shown
    said = json.loads(CliRunner().invoke(app, ["calibrate", str(lab), "--json"]).output.splitlines()[-1])["parameters"]
    assert said["weighed"][1]["name"] == "D2"
    estimator, mean = said["estimator"], said["drying"]["mean"]
    for axis, key in ((DIFFUSION, "diffusion_m2_s"), (BOUND, "bound_solvent_kg_kg"), (RELEASE, "release_1_s")):
        assert estimator[key] == pytest.approx(np.exp(mean[axis]), rel=1e-3)
    caption = " ".join(shown.split())
    assert f"bound {100 * estimator['bound_solvent_kg_kg']:.1f} %" in caption
