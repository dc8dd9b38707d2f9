"""The day on which model and references are compared: vacuum in steps, a ramp-soak to 240 degC, one large roll."""

import numpy as np

from controller.estimator import layers
from controller.estimator.curing import rate_for_gel_time
from controller.estimator.rosenbrock import Tolerance
from controller.solvents import SOLVENTS
from tests.reference.film_roll import Roll

H = 3600.0
LOAD = layers.LoadState(1000.0, 1.0, 20.0, 18.0, 100.0, 150.0, 20.0, 1.0)
NMP = SOLVENTS["NMP"]
RATE_S = float(rate_for_gel_time(np.array(3 * H), 1.25))
START_K, RESIDUAL = 303.15, 0.2
DAY_S = 24 * H
KNOTS = np.array(
    [
        [0.0, 303.15, 1e4, 0.0],
        [2 * H, 373.15, 1e4, 1e3],
        [6 * H, 373.15, 1e3, 5e2],
        [9 * H, 473.15, 200.0, 100.0],
        [15 * H, 473.15, 100.0, 50.0],
        [18 * H, 513.15, 20.0, 10.0],
        [22 * H, 513.15, 20.0, 5.0],
        [24 * H, 373.15, 20.0, 2.0],
    ]
)
TIGHT = Tolerance(1e-8, 1e-10, 1e-9, 1e-7, 1e-7)


def model(members, positions, cells, tolerance=layers.DEFAULT):
    """Model, scales and first state of the day."""
    built = layers.build(LOAD, NMP, layers.Uncertain.median(members, RATE_S), positions, cells, tolerance=tolerance)
    return built, layers.Slow.none(members), layers.initial(built, START_K, np.full(members, RESIDUAL))


def reference(positions, cells, knots=KNOTS):
    """The same day in numpy."""
    return Roll(LOAD, NMP, RATE_S, positions, layers.nodes(cells), knots)
