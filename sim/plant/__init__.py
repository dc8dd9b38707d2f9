"""The oven as it really is; it shares no equation with the controller's estimator."""

from sim.plant.actuators import Actuators
from sim.plant.instruments_kernel import Readings
from sim.plant.parameters import Parameters, draw
from sim.plant.plant import Plant, Truth
from sim.plant.roll import Roll

__all__ = ["Actuators", "Parameters", "Plant", "Readings", "Roll", "Truth", "draw"]
