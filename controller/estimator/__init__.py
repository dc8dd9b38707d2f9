"""Belief about the product: residual solvent and insoluble content, which nothing in the oven measures."""

from controller.estimator.model import EstimatorMemory, EstimatorSettings, LoadState, Target
from controller.estimator.step import advance, start, step

__all__ = ["EstimatorMemory", "EstimatorSettings", "LoadState", "Target", "advance", "start", "step"]
