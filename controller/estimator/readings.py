"""What the estimator takes from the process image: one wall temperature and one pressure, and whether they are readings at all."""

from statistics import median
from typing import Final, NamedTuple

from controller.estimator.model import EstimatorMemory
from controller.image import Inputs
from controller.tags import Sample
from controller.units import PA_PER_MBAR, kelvin

_LEAST_PA: Final = 1.0  # a gauge that reads nothing stands at its end; what is divided by a pressure needs one
_CAPACITANCE_LOW_MBAR: Final = 1.0  # below, the Pirani gauge is the better one


class Readings(NamedTuple):
    """Temperature and pressure to work with; without a GOOD sample the last one, and the flag is False."""

    wall_k: float
    pressure_pa: float
    temperature: bool
    pressure: bool


def read(memory: EstimatorMemory, inputs: Inputs) -> Readings:
    """Return the readings of this scan."""
    wall_c = wall_temperature_c(inputs)
    pressure = pressure_mbar(inputs)
    return Readings(
        memory.wall_k if wall_c is None else kelvin(wall_c),
        memory.pressure_pa if pressure is None else max(pressure * PA_PER_MBAR, _LEAST_PA),
        wall_c is not None,
        pressure is not None,
    )


def wall_temperature_c(inputs: Inputs) -> float | None:
    """Return the median of the GOOD zone thermocouples, else of the load's, else None."""
    walls_c = zones_c(inputs)
    return _middle(inputs.load_outer_c, inputs.load_edge_c, inputs.load_core_c) if walls_c is None else walls_c


def zones_c(inputs: Inputs) -> float | None:
    """Return the median of the GOOD zone thermocouples."""
    return _middle(
        *(inputs.z1_tc_a_c, inputs.z1_tc_b_c, inputs.z1_tc_c_c),
        *(inputs.z2_tc_a_c, inputs.z2_tc_b_c, inputs.z2_tc_c_c),
        *(inputs.z3_tc_a_c, inputs.z3_tc_b_c, inputs.z3_tc_c_c),
    )


def _middle(*samples: Sample[float]) -> float | None:
    good = [sample.value for sample in samples if sample.value is not None]
    return median(good) if good else None


def pressure_mbar(inputs: Inputs) -> float | None:
    """Return the chamber pressure: the capacitance gauge above 1 mbar, the Pirani gauge below, either when it is alone."""
    exact, gas_dependent = inputs.pressure_cap_mbar.value, inputs.pressure_pirani_mbar.value
    if exact is None or (exact <= _CAPACITANCE_LOW_MBAR and gas_dependent is not None):
        return gas_dependent
    return max(exact, 0.0)
