"""A coupon that is not what its label says: named, and not learnt from."""

import numpy as np
import pytest

from controller.calibrate.evaluate import _deviations
from controller.estimator import calibration as bayes
from tests.test_calibration import drawn, evidence, ladder


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
