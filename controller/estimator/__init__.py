"""Belief about the product: residual solvent and insoluble content, which nothing in the oven measures."""

from controller.estimator.layers import warm_up
from controller.estimator.model import EstimatorMemory, EstimatorSettings, Leg, LegKind, LoadState, Target
from controller.estimator.step import advance, start, step

__all__ = ["EstimatorMemory", "EstimatorSettings", "Leg", "LegKind", "LoadState", "Target", "advance", "start", "step", "warm_up"]
