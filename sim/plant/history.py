"""Where the films were: temperatures at the places from which a laboratory cuts coupons, once a minute."""

from typing import Final

from sim.plant.roll import ACROSS, LAYERS

EVERY_S: Final = 60.0
PLACES: Final = {  # film node: layer after layer, three over the width
    "outer": (LAYERS - 1) * ACROSS + 1,
    "upper": (LAYERS - 3) * ACROSS + 1,
    "middle": 2 * ACROSS + 1,
    "core": 1,
    "edge": (LAYERS - 1) * ACROSS,
}


class History:
    """Times in s and the temperatures of ``PLACES`` in degC, as they were read off."""

    __slots__ = ("_next_s", "temps_c", "times_s")

    def __init__(self) -> None:
        """Start empty."""
        self.times_s: list[float] = []
        self.temps_c: dict[str, list[float]] = {place: [] for place in PLACES}
        self._next_s = 0.0

    def look(self, at_s: float, film_temps_c: list[float]) -> None:
        """Take the temperatures down when a minute has passed."""
        if at_s < self._next_s:
            return
        self._next_s = at_s + EVERY_S - 1e-6
        self.times_s.append(at_s)
        for place, node in PLACES.items():
            self.temps_c[place].append(film_temps_c[node])
