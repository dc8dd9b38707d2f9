"""From coupons to a parameter set that the controller loads: laboratory file and journals in, a versioned file with its provenance out."""

from controller.calibrate.evaluate import Calibration, calibrate
from controller.calibrate.parameter_set import ParameterSet, read, write

__all__ = ["Calibration", "ParameterSet", "calibrate", "read", "write"]
