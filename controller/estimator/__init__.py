"""Belief about the product: residual solvent and insoluble content, which nothing in the oven measures."""

from controller.estimator import layers, schedule
from controller.estimator.model import EstimatorMemory, EstimatorSettings, Leg, LegKind, LoadState, Target
from controller.estimator.step import advance, replanned, start, step, unforeseen

__all__ = [
    "EstimatorMemory",
    "EstimatorSettings",
    "Leg",
    "LegKind",
    "LoadState",
    "Target",
    "advance",
    "replanned",
    "start",
    "step",
    "unforeseen",
    "warm_up",
]


def warm_up() -> int:
    """Compile, or load from the cache, everything that a batch needs: never inside a scan. Return the number of compiled variants."""
    schedule.warm_up()
    return layers.warm_up()
