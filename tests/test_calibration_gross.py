"""A coupon that is not what its label says: named, and not learnt from; two of them, or one that nobody can name, and nothing is."""

import re
from pathlib import Path

import numpy as np
import pytest

from controller.calibrate import calibrate
from controller.calibrate.evaluate import _deviations
from controller.estimator import calibration as bayes
from tests.test_calibration import drawn, evidence, ladder
from tests.test_calibration_files import coupon, written
from tests.test_calibration_files import ladder as ladder_file


@pytest.mark.parametrize(("index", "wrong"), [(3, -0.35), (4, 0.35)])
def test_a_gross_error_that_would_mask_itself_is_named_first_and_not_learnt_from(index: int, wrong: float) -> None:
    """Believed like the others, either coupon moves all parameters and makes another one look the worst."""
    truth = np.array([[np.log(3.4)], [160.0], [2.2], [1.25], [65.0]])
    found = bayes.insoluble(ladder(), truth)[:, 0]
    found[index] += wrong
    given, prior = evidence(found), bayes.literature()
    posterior = bayes.update(prior, given)
    z = np.abs(_deviations(given, prior, posterior))
    assert int(np.argmax(z)) == index
    assert z[index] > 3
    assert np.delete(z, index).max() < 2.5
    assert np.abs((posterior.mean - truth[:, 0]) / posterior.sd).max() < 2


def test_the_likelihood_with_a_coupon_left_out_is_that_of_the_others() -> None:
    rng = np.random.default_rng(3)
    theta = drawn(rng, 20)
    given = evidence(np.array([0.1, 0.5, 0.3, 0.7, 0.4, 0.8]))
    each = bayes._log_likelihoods(given, theta)
    assert each[0] == pytest.approx(bayes.log_likelihood(given, theta))
    for out in range(6):
        others = given.of([index for index in range(6) if index != out])
        assert each[1 + out] == pytest.approx(bayes.log_likelihood(others, theta), rel=1e-9)


LIKE = "history = [[0, 240], [2, 240]]"


def refusals(folder: Path, text: str) -> list[str]:
    return [str(why) for why in calibrate(written(folder / "lab.toml", text), [], "2026-11-22").refused]


@pytest.mark.parametrize(
    ("found_pct", "said"),
    [
        ((20, 30, 45, 60, 75), "5 75 %"),
        ((30, 50, 70), "1 30 %, 3 70 %"),
        ((25, 50, 75), "3 75 %"),
        ((25, 75), "1 -6 sd, 2 +4 sd"),
        ((30, 70), "1 30 %, 2 70 % of one film and history"),
        ((35, 62), "1 35 %, 2 62 %"),
    ],
)
def test_coupons_of_one_history_that_disagree_are_no_evidence(tmp_path: Path, found_pct: tuple[float, ...], said: str) -> None:
    """Two others that disagree foretell any insoluble content; but one history has one."""
    text = "lot = 'L1'\n" + "".join(coupon(str(i + 1), LIKE, value) for i, value in enumerate(found_pct))
    (why,) = refusals(tmp_path, text)
    assert said in why
    assert "must agree, but for one that is known" in why


def test_two_coupons_of_one_history_may_lie_apart_where_film_or_history_differ(tmp_path: Path) -> None:
    """A thick film stays wet for longer."""
    text = "lot = 'L1'\n" + coupon("A", LIKE, 30.0) + coupon("B", LIKE + "\nfilm_um = 60", 62.0)
    assert refusals(tmp_path, text) == []
    assert refusals(tmp_path, text.replace("film_um = 60", "film_um = 20")) != []


@pytest.mark.parametrize("found_pct", [(44, 46, 80), (10, 44, 46), (44, 45, 46, 90)])
def test_one_gross_error_among_coupons_of_one_history_is_survived(tmp_path: Path, found_pct: tuple[float, ...]) -> None:
    text = "lot = 'L1'\n" + "".join(coupon(str(i + 1), LIKE, value) for i, value in enumerate(found_pct))
    assert refusals(tmp_path, text) == []


def test_of_two_coupons_of_one_history_the_rest_of_the_ladder_knows_which_is_wrong(tmp_path: Path) -> None:
    again = coupon("A3b", "history = [[0, 240.0], [5.0, 240.0]]", 95.0)
    found = calibrate(written(tmp_path / "lab.toml", ladder_file() + again), [], "2026-11-22")
    assert found.refused == ()
    assert any(said.startswith("A3 and A3b had one film and history") for said in found.warnings), found.warnings
    assert any(said.startswith("A3b +") for said in found.warnings), found.warnings


def test_an_order_that_no_film_has_is_no_evidence(tmp_path: Path) -> None:
    """The longer and the hotter, the less insoluble: without the first the others still need an energy at the end of its range."""
    text = "lot = 'L1'\n" + coupon("A", LIKE, 70.0) + coupon("B", "history = [[0, 240], [5, 240]]", 45.0)
    (why,) = refusals(tmp_path, text + coupon("C", "history = [[0, 255], [3, 255]]", 25.0))
    assert re.search(r"'A \+\d+ sd, C -5 sd'", why), why


def test_what_is_learnt_of_all_may_miss_no_more_than_one(tmp_path: Path) -> None:
    (why,) = refusals(tmp_path, ladder_file(A6=20.0, A1=70.0))
    assert "'A6 -31 sd, A1 +4 sd'" in why
