"""How well a belief about crosslinking knows the rate of a dry film whose cure has only begun: written from the law, not from its code."""

import numpy as np
from numpy.typing import NDArray

from controller.estimator.parameters import value

Array = NDArray[np.float64]

R = 8.314462618


def ln_rate(theta: Array, temp_k: float) -> float:
    """ln of the rate at ``temp_k``, less that of one crosslink an hour; ``theta`` in the order of ``calibration.NAMES``."""
    slowed, slowed_ref = (np.log1p(np.exp((553 - at_k - theta[4]) / value("vitrification_width"))) for at_k in (temp_k, 513.15))
    return float(-theta[0] + theta[1] * 1e3 / R * (1 / 513.15 - 1 / temp_k) - slowed + slowed_ref)


def ln_rate_sd(mean: Array, covariance: Array, temp_k: float) -> float:
    """Standard deviation of ``ln_rate`` for a narrow Gaussian over ``theta``."""
    steps = np.diag([1e-4, 1e-2, 1e-4, 1e-4, 1e-3])
    arm = np.array([(ln_rate(mean + step, temp_k) - ln_rate(mean - step, temp_k)) / (2 * step.max()) for step in steps])
    return float((arm @ covariance @ arm) ** 0.5)
