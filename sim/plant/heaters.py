"""Three heated zones in a row: element, wall, insulation, exchange with the neighbours, cooling coil."""

from sim.plant.parameters import Parameters


class Heaters:
    """Temperatures of the heating elements and walls, degC; energies since the start, J."""

    __slots__ = ("_p", "elements_c", "heated_j", "lost_j", "walls_c")

    def __init__(self, parameters: Parameters) -> None:
        """Start at ambient temperature."""
        self._p = parameters
        self.elements_c = [parameters.ambient_c] * 3
        self.walls_c = [parameters.ambient_c] * 3
        self.heated_j, self.lost_j = 0.0, 0.0

    def step(self, dt_s: float, power_w: tuple[float, float, float], roll_w: list[float], cooling: float, extra_w_k: float) -> None:
        """Advance by ``dt_s``.

        ``roll_w`` is what each wall receives from the roll, ``cooling`` (0-1) how much of the coil works, ``extra_w_k`` the loss through
        an open door, per zone.
        """
        p = self._p
        e1, e2, e3 = self.elements_c
        w1, w2, w3 = self.walls_c
        p1, p2, p3 = power_w
        k = p.element_w_k
        h1, h2, h3 = k * (e1 - w1), k * (e2 - w2), k * (e3 - w3)
        loss, ambient = p.loss_w_k + extra_w_k, p.ambient_c
        coil, water = p.cooling_w_k * cooling, p.cooling_c
        # the end zones have the door and the back wall: a quarter more insulation loss
        l1 = 1.25 * loss * (w1 - ambient) + coil * (w1 - water)
        l2 = loss * (w2 - ambient) + coil * (w2 - water)
        l3 = 1.25 * loss * (w3 - ambient) + coil * (w3 - water)
        x12, x23 = p.zone_coupling_w_k * (w1 - w2), p.zone_coupling_w_k * (w2 - w3)
        de, dw = dt_s / p.element_j_k, dt_s / p.wall_j_k
        self.elements_c = [e1 + de * (p1 - h1), e2 + de * (p2 - h2), e3 + de * (p3 - h3)]
        self.walls_c = [
            w1 + dw * (h1 - l1 - x12 + roll_w[0]),
            w2 + dw * (h2 - l2 + x12 - x23 + roll_w[1]),
            w3 + dw * (h3 - l3 + x23 + roll_w[2]),
        ]
        self.heated_j += dt_s * (p1 + p2 + p3)
        self.lost_j += dt_s * (l1 + l2 + l3)

    @property
    def heat_j(self) -> float:
        """Return the heat stored above 0 degC, J."""
        return self._p.element_j_k * sum(self.elements_c) + self._p.wall_j_k * sum(self.walls_c)
