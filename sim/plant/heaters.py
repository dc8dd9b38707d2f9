"""The three heated zones in a row as the rest sees them; ``oven_kernel`` advances them."""

from collections.abc import Sequence

from sim.plant.oven_kernel import OVEN
from sim.plant.parameters import Parameters
from sim.plant.record import Array, Number, place

_WALLS, _ELEMENTS = place(OVEN, "wall_1_c"), place(OVEN, "element_1_c")
Zones = tuple[float, float, float]


class Heaters:
    """Temperatures of the heating elements and walls, degC; energies since the start, J."""

    heated_j = Number(OVEN, "heated_j")
    lost_j = Number(OVEN, "lost_j")

    def __init__(self, parameters: Parameters, state: Array) -> None:
        """Show the zones in the oven's ``state``, at ambient temperature."""
        self._p, self.state, self.at = parameters, state, 0
        self.elements_c = self.walls_c = (parameters.ambient_c,) * 3

    @property
    def walls_c(self) -> Zones:
        """Return the walls' temperatures, degC."""
        w1, w2, w3 = self.state[_WALLS : _WALLS + 3].tolist()
        return w1, w2, w3

    @walls_c.setter
    def walls_c(self, temps_c: Sequence[float]) -> None:
        self.state[_WALLS : _WALLS + 3] = temps_c

    @property
    def elements_c(self) -> Zones:
        """Return the heating elements' temperatures, degC."""
        e1, e2, e3 = self.state[_ELEMENTS : _ELEMENTS + 3].tolist()
        return e1, e2, e3

    @elements_c.setter
    def elements_c(self, temps_c: Sequence[float]) -> None:
        self.state[_ELEMENTS : _ELEMENTS + 3] = temps_c

    @property
    def heat_j(self) -> float:
        """Return the heat stored above 0 degC, J."""
        return self._p.element_j_k * sum(self.elements_c) + self._p.wall_j_k * sum(self.walls_c)
