"""What weighed coupons say of diffusion: against an independent film, plain Monte Carlo, scipy, and a laboratory of another film."""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.stats import norm
from typer.testing import CliRunner

from controller.__main__ import app
from controller.calibrate import calibrate, parameter_set, read
from controller.errors import FileError
from controller.estimator import calibration as bayes
from controller.estimator import drying
from controller.estimator.drying import Belief, Weighed
from controller.estimator.equations import Member
from controller.estimator.exposure import History, exposure_of
from controller.estimator.members import members_of
from controller.estimator.model import EstimatorSettings, LoadState
from controller.solvents import SOLVENTS
from sim import lot
from sim.coupons import PREDRY_WT_PCT, _Piece
from sim.plant.parameters import draw_lot

Array = NDArray[np.float64]
R = 8.314462618
NMP = SOLVENTS["NMP"]
PRIOR = drying.prior_of(EstimatorSettings())
Points = tuple[tuple[float, float], ...]
PAIRS = ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4))  # of ``cure_correlation``


def weighed(points: Points, residual: float = 0.0, sd: float = 5e-4, limit: float | None = None, **other: float) -> Weighed:
    """Points of hours and degC; weight fractions."""
    hours, temp_c = np.array(points).T
    history = History(3600 * hours, temp_c + 273.15, np.zeros(len(points)))
    rest = {"sd_k": 0.0, "film_um": 20.0, "predry": 0.18, "predry_sd": 0.0} | other
    return Weighed(
        history, rest["sd_k"], rest["film_um"], rest["predry"], rest["predry_sd"], residual, sd, 1.645 * sd if limit is None else limit
    )


EARLY: Points = ((0, 210), (1, 210))
LATE: Points = ((0, 240), (0.4, 240))
RAMP: Points = ((0, 25), (3, 232), (3.5, 232))


def another_film(points: Points, ln_diffusion: float, energy: float, film_um: float, predry: float, cells: int = 120) -> float:
    """The documented law by cell-centred finite volumes and BDF, the face at no activity; written from its equations, not from its code.

    1/D = 1/[D_dry exp(20 w + 72 min(w, wg))] + 1/D_swollen, Arrhenius both; wg by Fox from 553 K dry and 166 K; no heat, no gap.
    """
    hours, temp_c = np.array(points).T
    width = (film_um * 1e-6 / cells) ** 2

    def slope(at_s: float, u: Array) -> Array:
        temp = float(np.interp(at_s / 3600, hours, temp_c)) + 273.15
        dry = np.exp(ln_diffusion - 1e3 * energy / R * (1 / temp - 1 / 473.15))
        swollen = 1e-11 * np.exp(-37e3 / R * (1 / temp - 1 / 373.15))
        glass = max((1 / temp - 1 / 553) / (1 / 166 - 1 / 553), 0.0)

        def conductance(middle: Array) -> Array:
            w = middle / (1 + middle)
            return 1 / (1 / (dry * np.exp(20 * w + 72 * np.minimum(w, glass))) + 1 / swollen)

        inner = conductance((u[1:] + u[:-1]) / 2) * np.diff(u) / width
        outer = conductance(u[-1:] / 2) * -u[-1:] / (width / 2)
        flows = np.concatenate(([0.0], inner, outer))
        return np.diff(flows)

    found = solve_ivp(
        slope,
        (0, 3600 * hours[-1]),
        np.full(cells, predry / (1 - predry)),
        method="LSODA",
        lband=1,
        uband=1,
        rtol=1e-6,
        atol=1e-9,
    )
    mean = float(found.y[:, -1].mean())
    return mean / (1 + mean)


@pytest.mark.parametrize(
    ("points", "ln_diffusion", "energy", "film_um", "predry"),
    [
        (EARLY, np.log(1e-14), 80.0, 20.0, 0.18),
        (LATE, np.log(8e-15), 105.0, 20.0, 0.18),
        (RAMP, np.log(2e-14), 95.0, 25.0, 0.25),
        (((0, 150), (2, 150), (2.1, 200), (4, 200)), np.log(3e-14), 60.0, 12.0, 0.12),
    ],
)
def test_a_coupon_dries_as_an_independent_film_does(
    points: Points, ln_diffusion: float, energy: float, film_um: float, predry: float
) -> None:
    """All deviates at the median. The film's heat, gap and grid of ten nodes are what may differ: 3 % of the value and 0.01 wt%."""
    at = Belief(np.array([ln_diffusion, energy]), np.diag([1e-12, 1e-12]))
    coupon = weighed(points, film_um=film_um, predry=predry)
    found = drying.residuals(at, [coupon], NMP, np.zeros((8, 1)))[0, 0]
    assert found == pytest.approx(another_film(points, ln_diffusion, energy, film_um, predry), rel=0.03, abs=1e-4)


def test_the_likelihood_is_the_normal_one_and_that_of_a_censored_reading_its_distribution() -> None:
    left = np.array([[1e-4, 2e-3, 8e-3, 5e-2], [1e-5, 1e-3, 5e-3, 0.2]])
    seen, below = weighed(EARLY, 0.006, 8e-4), weighed(LATE, 2e-4, 5e-4)
    found = drying._log_likelihoods([seen, below], left)
    wide = np.hypot(8e-4, drying.LAW_LN_SD * left[0])
    exact = norm.logpdf(0.006, left[0], wide) + np.log(8e-4 * np.sqrt(2 * np.pi))
    assert found[0] == pytest.approx(exact, rel=1e-9)
    assert found[1] == pytest.approx(norm.logcdf((below.limit - left[1]) / np.hypot(5e-4, drying.LAW_LN_SD * left[1])), rel=2e-3)
    far = np.linspace(-40, 8, 97)
    assert drying._log_normal_cdf(far) == pytest.approx(norm.logcdf(far), rel=2e-3, abs=1e-12)


def test_the_posterior_is_that_of_plain_monte_carlo() -> None:
    """20 000 independent draws from the prior and their weights, against some rounds of 512 samples of a fixed design."""
    given = [weighed(EARLY, 0.009, 5e-4), weighed(LATE, 0.0055, 5e-4), weighed(((0, 240), (1.6, 240)), 3e-4, 5e-4)]
    deviates = np.random.default_rng(7).standard_normal((8, 20_000))
    dried = drying.residuals(PRIOR, given, NMP, deviates)
    log_weight = norm.logcdf((given[2].limit - dried[2]) / np.hypot(5e-4, drying.LAW_LN_SD * dried[2]))
    for coupon, left in zip(given[:2], dried[:2], strict=True):
        log_weight += norm.logpdf(coupon.residual, left, np.hypot(5e-4, drying.LAW_LN_SD * left))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    theta = PRIOR.mean[:, None] + np.linalg.cholesky(PRIOR.covariance) @ deviates[:2]
    theta[1] = np.clip(theta[1], 40, 130)
    mean = theta @ weight
    sd = np.sqrt(((theta - mean[:, None]) ** 2) @ weight)
    tied = ((theta - mean[:, None]) * weight) @ (theta - mean[:, None]).T
    assert 1 / (weight**2).sum() > 400  # the reference itself is good to 5 % of an sd
    found = drying.update(PRIOR, given, samples=2048)
    assert found.effective >= drying.ENOUGH
    assert np.abs((found.belief.mean - mean) / sd).max() < 0.2
    assert found.belief.sd == pytest.approx(sd, rel=0.15)
    assert found.belief.covariance[0, 1] / found.belief.sd.prod() == pytest.approx(tied[0, 1] / sd.prod(), abs=0.15)


def test_readings_far_out_in_the_prior_are_found_and_equal_coupons_give_equal_bits() -> None:
    """A film two prior standard deviations quicker, weighed sharply: the first round alone would leave a handful of samples."""
    truth = Belief(np.array([PRIOR.mean[0] + 1.5, 112.0]), np.diag([1e-12, 1e-12]))
    points: list[Points] = [((0, 180), (1, 180)), ((0, 200), (0.7, 200)), ((0, 215), (0.4, 215)), ((0, 160), (1.5, 160))]
    still = [float(drying.residuals(truth, [weighed(one)], NMP, np.zeros((8, 1)))[0, 0]) for one in points]
    given = [weighed(one, left, 1e-4) for one, left in zip(points, still, strict=True)]
    found, again = drying.update(PRIOR, given), drying.update(PRIOR, given)
    assert found.effective >= drying.ENOUGH
    assert np.abs((found.belief.mean - truth.mean) / found.belief.sd).max() < 2
    assert found.belief.covariance.tobytes() == again.belief.covariance.tobytes()
    assert np.abs(found.z).max() < 2


@pytest.mark.slow
def test_ninety_percent_of_the_truths_lie_inside_ninety_percent_intervals() -> None:
    """60 lots from the prior itself, three coupons each with the law's and the laboratory's errors; the intervals are neither way off."""
    rng = np.random.default_rng(20261122)
    points: list[Points] = [EARLY, LATE, ((0, 240), (1.6, 240))]
    deviates = rng.standard_normal((8, 60))
    truths = PRIOR.mean[:, None] + np.linalg.cholesky(PRIOR.covariance) @ deviates[:2]
    plain = drying.residuals(PRIOR, [weighed(one, sd_k=0.5) for one in points], NMP, deviates)
    seen = plain + np.hypot(5e-4, drying.LAW_LN_SD * plain) * rng.standard_normal(plain.shape)
    away = []
    for i in range(60):
        given = [weighed(one, max(0.0, float(left)), 5e-4, sd_k=0.5) for one, left in zip(points, seen[:, i], strict=True)]
        found = drying.update(PRIOR, given).belief
        away.append((np.array([truths[0, i], np.clip(truths[1, i], 40, 130)]) - found.mean) / found.sd)
    inside = (np.abs(away) < 1.645).mean(axis=0)
    assert ((inside >= 0.8) & (inside <= 0.98)).all(), inside
    assert np.abs(np.mean(away, axis=0)).max() < 0.35, np.mean(away, axis=0)


def test_the_transfer_to_a_roll_keeps_the_covariance_and_never_gets_narrower_than_its_own_error() -> None:
    sharp = Belief(np.array([-32.0, 100.0]), np.array([[0.04, -1.5], [-1.5, 100.0]]))
    ln_sd, correlation = drying.transferred(sharp)
    assert ln_sd == pytest.approx((0.2**2 + drying.TRANSFER_LN_SD**2) ** 0.5)
    assert correlation * ln_sd * 10.0 == pytest.approx(-1.5)
    at_k, best_sd = drying.best_known_k(sharp)
    arms = [(1 / 473.15 - 1 / temp_k) / R * 1e3 for temp_k in (at_k - 1, at_k, at_k + 1)]
    below, there, above = (0.04 + 2 * arm * -1.5 + arm * arm * 100 for arm in arms)
    assert there < min(below, above)
    assert best_sd == pytest.approx(there**0.5)


def test_the_members_energies_follow_the_settings() -> None:
    told = EstimatorSettings(
        diffusion_m2_s=1e-14, diffusion_ln_sd=0.4, diffusion_energy_kj_mol=90.0, diffusion_energy_sd_kj_mol=10.0,
        diffusion_energy_correlation=-0.6,
    )  # fmt: skip
    found = members_of(told, LoadState(100.0, 0.5, 20.0, 18.0, 100.0, 150.0, 18.0, 1.0))
    energy = found.model.table[:, Member._fields.index("dry_energy_k")]
    energy = energy * R / 1e3
    assert energy.mean() == pytest.approx(90.0, abs=0.5)
    assert energy.std() == pytest.approx(10.0, rel=0.1)
    assert np.corrcoef(found.slow.log_dry, energy)[0, 1] == pytest.approx(-0.6, abs=0.05)


CURE_SD = {
    "gel_time_ln_sd": 0.1,
    "activation_energy_sd_kj_mol": 10.0,
    "polydispersity_sd": 0.2,
    "order_sd": 0.3,
    "vitrification_offset_sd_k": 4.0,
}


def test_the_members_cure_with_the_correlations_of_the_settings() -> None:
    """Ten different correlations, so that no two can be mistaken; spreads so narrow that no range cuts them off."""
    wanted = (-0.5, 0.1, 0.4, -0.3, -0.2, 0.3, 0.7, -0.6, 0.05, 0.25)
    told = EstimatorSettings.model_validate(
        {"gel_time_240c_h": 3.0, "activation_energy_kj_mol": 150.0, "order": 3.0, "polydispersity": 2.5, "vitrification_offset_k": 50.0,
         "cure_correlation": wanted, **CURE_SD}
    )  # fmt: skip
    found = members_of(told, LoadState(100.0, 0.5, 20.0, 18.0, 100.0, 150.0, 18.0, 1.0))
    column = {name: found.model.table[:, Member._fields.index(name)] for name in ("energy_k", "order", "offset_k", "glass_dry_k", "rate_s")}
    offset = column["offset_k"] - (column["glass_dry_k"] - 553)  # the distance from the median film's glass transition
    hindered = 1 + np.exp((column["glass_dry_k"] - 513.15 - column["offset_k"]) / 8)
    ln_rate = np.log(column["rate_s"] / hindered)  # 40 sites: ln t = ln of the integral up to one of them, less ln rate
    ln_time = np.log(((39 / 40) ** (1 - column["order"]) - 1) / (column["order"] - 1)) - ln_rate
    drawn = np.array([ln_time, column["energy_k"] * R / 1e3, found.polydispersity, column["order"], offset])
    assert drawn.mean(axis=1) == pytest.approx([np.log(3 * 3600), 150.0, 2.5, 3.0, 50.0], rel=5e-3)
    own = np.hypot(0.1, bayes.TRANSFER_LN_SD)  # of the gel time: the law's error on the way to a roll is added
    assert drawn.std(axis=1) == pytest.approx([own, 10.0, 0.2, 0.3, 4.0], rel=0.06)
    correlation = np.corrcoef(drawn)
    assert [correlation[pair] for pair in PAIRS] == pytest.approx(wanted, abs=0.06)


@pytest.mark.parametrize("wrong", [(0.9, 0.9, 0, 0, -0.9, 0, 0, 0, 0, 0), (0.99, 0, 0, 0.99, 0, 0, -0.99, 0, 0, 0)])
def test_correlations_that_cannot_be_are_refused(wrong: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"cure_correlation(.|\n)*must be positive"):
        EstimatorSettings.model_validate({"cure_correlation": wrong})


# from the laboratory's file to the parameter set

ASSAY = "assay = { solvent = 'NMP', extraction_c = 80, extraction_h = 24, concentration_wt_pct = 0.5 }\n"
CURED = "[[coupons]]\nname = 'A'\nposition = 'oven'\nhistory = [[0, 240], [2, 240]]\ninsoluble_pct = 55\ninsoluble_sd_pct = 1.5\n" + ASSAY
HEAD = "lot = 'L1'\nresin = 'PAI'\ndate = '2026-11-22'\n"
FILM = "film_um = 20\npredry_residual_wt_pct = 18\n"


def dried(name: str, points: Points, residual: float, rest: str = FILM + "residual_sd_wt_pct = 0.05\n") -> str:
    history = ", ".join(f"[{hours}, {temp_c}]" for hours, temp_c in points)
    return f"[[coupons]]\nname = '{name}'\nposition = 'oven'\nhistory = [{history}]\nresidual_wt_pct = {residual}\n{rest}{ASSAY}"


TWO = dried("D1", EARLY, 0.9) + dried("D2", LATE, 0.55)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def settled(folder: Path, text: str, **options: Any) -> Any:
    return calibrate(written(folder / "lab.toml", HEAD + text), [], "2026-11-22", **options)


def test_coupons_nobody_weighed_leave_the_prior_as_it_is(tmp_path: Path) -> None:
    of_roll = f"[[coupons]]\nposition = 'worst zone'\nresidual_wt_pct = 0.4\n{ASSAY}"
    found = settled(tmp_path, CURED + of_roll)
    keys = [name for name in EstimatorSettings.model_fields if name.startswith("diffusion")]
    told, default = found.parameters.estimator, EstimatorSettings()
    assert len(keys) == 5
    for key in keys:
        assert getattr(told, key) == pytest.approx(getattr(default, key), rel=1e-4), key
    assert found.parameters.weighed == ()
    assert not [said for said in found.warnings if "residual" in said]


def test_a_coupon_is_believed_to_have_dried_as_the_weighed_ones_say() -> None:
    """It starts at its predry residual and only dries; ten times the diffusion leaves less, and what stays wet longer cures faster."""
    quick, slow = (Belief(np.array([np.log(one), 80.0]), np.diag([1e-6, 1e-6])) for one in (1e-13, 1e-14))
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
    assert after.estimator.diffusion_energy_sd_kj_mol < 0.85 * before.estimator.diffusion_energy_sd_kj_mol
    assert after.estimator.diffusion_energy_correlation < -0.2  # diffusion is known where the coupons were, above 200 degC
    assert 205 < after.drying.best_known_c < 250
    assert [row.name for row in after.weighed] == ["D1", "D2"]
    thick = settled(tmp_path, CURED + TWO.replace("film_um = 20", "film_um = 40")).parameters
    assert np.log(thick.estimator.diffusion_m2_s / after.estimator.diffusion_m2_s) == pytest.approx(np.log(4), abs=0.6)


def test_a_set_is_read_back_and_the_next_learns_from_it_but_nothing_twice(tmp_path: Path) -> None:
    first = settled(tmp_path, CURED + TWO).parameters
    path = tmp_path / "1.toml"
    parameter_set.write(first, path)
    assert read(path)[0].model_dump() == first.model_dump()
    more = CURED.replace("'A'", "'B'") + dried("D3", ((0, 225), (0.5, 225)), 0.8)
    second = settled(tmp_path, more, prior_path=path).parameters
    assert second.drying.best_known_ln_sd < first.drying.best_known_ln_sd
    other = calibrate(written(tmp_path / "lab.toml", HEAD.replace("L1", "L2") + CURED), [], "2026-11-22", prior_path=path).parameters
    assert other.estimator.diffusion_ln_sd == pytest.approx(np.hypot(first.estimator.diffusion_ln_sd, 0.3), rel=1e-3)
    with pytest.raises(FileError, match=r"D1.*learnt from them already"):
        settled(tmp_path, CURED.replace("'A'", "'B'") + dried("D1", EARLY, 0.9), prior_path=path)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("\ndiffusion_m2_s = ", "\ndiffusion_m2_s = 2", "estimator.diffusion_m2_s"),
        ("\ndiffusion_ln_sd = 0.", "\ndiffusion_ln_sd = 0.0", "estimator.diffusion_ln_sd"),
        ("\nenergy_kj_mol = ", "\nenergy_kj_mol = 9", "drying.energy_kj_mol"),
        ("\nln_diffusion_sd", "\nln_diffusion_s", "did you mean ln_diffusion_sd?"),
    ],
)
def test_a_drying_edited_by_hand_is_refused(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    text = parameter_set.to_toml(settled(tmp_path, CURED + TWO).parameters)
    assert right in text
    with pytest.raises(FileError) as refused:
        read(written(tmp_path / "set.toml", text.replace(right, wrong, 1)))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (dried("D", EARLY, 30.0), "coupons.1.residual_wt_pct = 30.0"),
        (dried("A", EARLY, 0.9), "coupons.1.name = 'A'"),
        (dried("D", EARLY, 0.9, "residual_sd = 0.1\n"), "did you mean residual_sd_wt_pct?"),
        (dried("D", EARLY, 0.9, "film_um = 0\n"), "coupons.1.film_um"),
        (dried("D", EARLY, 0.9, "predry_residual_wt_pct = inf\n"), "coupons.1.predry_residual_wt_pct"),
        (dried("D", EARLY, 0.9, "residual_sd_wt_pct = 0\n"), "coupons.1.residual_sd_wt_pct"),
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
    assert said["estimator"]["diffusion_m2_s"] == pytest.approx(np.exp(said["drying"]["ln_diffusion_200c_m2_s"]), rel=1e-3)


# the virtual laboratory, whose film binds part of its solvent and follows free volume

HISTORIES: tuple[Points, ...] = (
    ((0, 100), (2, 240), (3.5, 240)),
    ((0, 25), (6, 236), (8.5, 236)),
    ((0, 100), (1.5, 215), (3, 215)),
    ((0, 60), (2, 200), (3, 200)),
    ((0, 150), (0.05, 245), (0.8, 245)),
)
CURED_THROUGH = 2  # of them, the first


def truth_of(number: int, points: Points) -> tuple[float, float, History]:
    """Return residual and insoluble fraction of a piece of lot ``number``, and what it went through, its solvent too."""
    piece = _Piece(draw_lot(number))
    hours, temp_c = np.array(points).T
    starts, left = np.arange(0, hours[-1], 1 / 60), [piece.residual]
    for start in starts:
        piece.treat(float(np.interp(start + 1 / 120, hours, temp_c)), 60.0)
        left.append(piece.residual)
    ends = np.append(0.0, starts + 1 / 60)
    return piece.residual, piece.insoluble, History(3600 * ends, np.interp(ends, hours, temp_c) + 273.15, np.array(left))


def crosslinking_of(told: EstimatorSettings) -> bayes.Prior:
    """Return what a controller with these settings believes of the crosslinking, without the law's own error."""
    sd = np.array(
        [told.gel_time_ln_sd, told.activation_energy_sd_kj_mol, told.polydispersity_sd, told.order_sd, told.vitrification_offset_sd_k]
    )
    correlation = np.eye(5)
    for pair, one in zip(PAIRS, told.cure_correlation, strict=True):
        correlation[pair] = correlation[pair[::-1]] = one
    mean = np.array(
        [np.log(told.gel_time_240c_h), told.activation_energy_kj_mol, told.polydispersity, told.order, told.vitrification_offset_k]
    )
    return bayes.literature()._replace(mean=mean, covariance=correlation * np.outer(sd, sd))


def foretold(number: int) -> tuple[list[Array], list[Array]]:
    """Return low, median, high and truth of what is foretold of lot ``number``, by history: residual solvent and insoluble content."""
    given = [weighed(one, sd_k=0.5, predry=PREDRY_WT_PCT / 100, predry_sd=0.005) for one in HISTORIES]
    count = len(given)
    told = EstimatorSettings.model_validate(lot.estimator(number))
    pieces = [truth_of(number, one) for one in HISTORIES]
    truth = np.array([piece[:2] for piece in pieces]).T
    # with the solvent, as a batch's journal has it: 1 wt% lowers the glass transition by 13 K, which a width of 8 K makes a factor of
    # up to five on the rate; a wet film foretold as a dry one is another film
    cured = exposure_of([piece[2] for piece in pieces])
    nobody = bayes.Evidence(cured, np.zeros(count), np.full(count, 1e-6), np.full(count, 0.5), ("oven",) * count)
    left = drying.foretold(drying.prior_of(told), given)
    gel = bayes.foretold(bayes.samples_of(crosslinking_of(told)), nobody, bayes.TRANSFER_LN_SD)
    return [*np.quantile(left, (0.05, 0.5, 0.95), axis=1), truth[0]], [*np.quantile(gel, (0.05, 0.5, 0.95), axis=1), truth[1]]


@pytest.fixture(scope="module")
def lots() -> tuple[Array, Array]:
    """What ``foretold`` says of twenty lots, (4, lots, histories) each, in percent; on two processes, for each lot takes seconds."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        solvents, gels = zip(*pool.map(foretold, range(1, 21)), strict=True)
    return 100 * np.array(solvents).transpose(1, 0, 2), 100 * np.array(gels).transpose(1, 0, 2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_another_history_of_twenty_lots_is_foretold_with_its_interval(lots: tuple[Array, Array]) -> None:
    (low, middle, high, truth), _ = lots
    inside = ((low <= truth) & (truth <= high)).mean(axis=0)
    assert (inside >= 0.85).all(), inside
    rmse = np.sqrt(((middle - truth) ** 2).mean(axis=0))
    assert (rmse[:CURED_THROUGH] < 0.03).all(), rmse  # wt%, where batches end
    assert (rmse[CURED_THROUGH:] < 0.55).all(), rmse  # above 0.2 wt%: the real film binds part of it, which the law does not know
    unknown = [weighed(one, sd_k=0.5, predry_sd=0.005) for one in HISTORIES[:CURED_THROUGH]]
    prior = 100 * np.quantile(drying.foretold(PRIOR, unknown), 0.95, axis=1)
    assert (high[:, :CURED_THROUGH].mean(axis=0) < 0.3 * prior).all(), (high.mean(axis=0), prior)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_insoluble_content_of_twenty_lots_is_still_foretold(lots: tuple[Array, Array]) -> None:
    _, (low, middle, high, truth) = (part[:, :, :CURED_THROUGH] for part in lots)
    assert ((truth > 20) & (truth < 90)).all()  # where it says something
    assert (((low <= truth) & (truth <= high)).mean(axis=0) >= 0.85).all()
    quick, slow = np.sqrt(((middle - truth) ** 2).mean(axis=0))
    assert slow < 6  # points (5.4); foretold 3 too low: what the solvent on the way does to a slow ramp is taken for more than it is
    assert quick < 3  # after a ramp of 2 h and half way up the gel curve
    assert (high - low).mean() < 50


def test_the_ladder_of_the_simulated_lot_learns_drying_and_cure_from_six_coupons() -> None:
    found = lot.coupons(4)
    assert len(found) == 6
    assert sum(0.2 < one.residual_wt_pct < 3 for one in found) >= 2
    assert sum(0.15 < one.insoluble < 0.85 for one in found) >= 3
    told, default = lot.estimator(4), EstimatorSettings()
    assert told["diffusion_ln_sd"] < 0.65 * default.diffusion_ln_sd
    assert told["diffusion_energy_sd_kj_mol"] < 0.75 * default.diffusion_energy_sd_kj_mol
    assert told["gel_time_ln_sd"] < 0.12
    # the rate is known from 220 to 250 degC; its energy alone is not, it is tied to where the film vitrifies
    belief = crosslinking_of(EstimatorSettings.model_validate(told))
    assert belief.covariance[1, 4] > 0.8 * told["activation_energy_sd_kj_mol"] * told["vitrification_offset_sd_k"]
    lost = [1 / (1 + np.exp((at_k - 553 + belief.mean[4]) / 8)) for at_k in (493.15, 503.15, 513.15, 523.15)]
    for at_k, there in zip((493.15, 503.15, 523.15), (lost[0], lost[1], lost[3]), strict=True):
        arm = np.array([-1, 1e3 / R * (1 / 513.15 - 1 / at_k), 0, 0, (there - lost[2]) / 8])
        assert (arm @ belief.covariance @ arm) ** 0.5 < 0.15, at_k
