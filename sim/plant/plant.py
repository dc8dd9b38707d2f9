"""The true oven: heaters, gas and roll stepped together, and the truth that the judge and the batch verdict look at."""

from dataclasses import dataclass

from controller.units import PA_PER_MBAR
from sim.plant.actuators import Actuators, Field
from sim.plant.chamber import Chamber
from sim.plant.film import Film
from sim.plant.heaters import Heaters
from sim.plant.instruments import Instruments
from sim.plant.parameters import Parameters
from sim.plant.roll import CORE, EDGE, LAYERS, Roll, RollHeat

OVERTEMP_C = 288.0  # the independent excess-temperature limiter: oven maximum 260 degC + 28 degC


@dataclass(frozen=True, slots=True)
class Truth:
    """What no instrument shows. Fractions by weight; nodes are the layers from the core outwards, then the edges."""

    at_s: float
    node_temps_c: tuple[float, ...]
    core_c: float
    zone_temps_c: tuple[float, float, float]
    residuals: tuple[float, ...]
    insolubles: tuple[float, ...]
    residual_solvent_worst: float
    insoluble_mean: float
    insoluble_min: float
    insoluble_max: float
    film_solvent_kg: float
    o2_pct: float
    pressure_mbar: float
    vapour_lel_pct: float
    door_closed: bool
    door_locked: bool
    loaded: bool


class Plant:
    """One oven with at most one roll.

    Starts at ambient, in air, with the door closed and locked. ``step`` is the truth; ``read`` lets the instruments look at it.
    """

    def __init__(self, parameters: Parameters | None = None, roll: Roll | None = None, seed: int = 0) -> None:
        """Build the oven from ``parameters`` and load ``roll`` (None: empty); ``seed`` is for the instruments' noise."""
        self.parameters = parameters or Parameters()
        self.at_s = 0.0
        self.field = Field()
        self.heaters = Heaters(self.parameters)
        self.chamber = Chamber(self.parameters)
        self.roll: Roll | None = None
        self.heat: RollHeat | None = None
        self.films: list[Film] = []
        self.door_closed, self.door_locked = True, True
        self.estop_ok, self.limiter_ok, self.remote = True, True, True
        self.latent_j = 0.0
        self._latent_w, self._turn, self._flux_kg_s, self._gas_mol_s = [0.0] * (LAYERS + 1), 0, 0.0, 0.0
        self.instruments = Instruments(self.parameters, seed)
        if roll is not None:
            self._put(roll)

    # ---- what the operator does ----

    def open_door(self) -> bool:
        """Open the door if the lock lets go; return whether it is open."""
        if not self.door_locked:
            self.door_closed = False
        return not self.door_closed

    def close_door(self) -> None:
        """Close the door (the PLC locks it)."""
        self.door_closed = True

    def load(self, roll: Roll | None) -> None:
        """Put ``roll`` in (None: take the roll out); ValueError when the door is closed."""
        if self.door_closed:
            raise ValueError("the door is closed")
        self._put(roll)

    def reset_limiter(self) -> None:
        """Reset the excess-temperature limiter at the device; it stays open above its limit."""
        self.limiter_ok = max(self.heaters.walls_c) < OVERTEMP_C

    def _put(self, roll: Roll | None) -> None:
        self.roll, self.heat, self.films = roll, None, []
        self._latent_w, self._flux_kg_s, self._gas_mol_s = [0.0] * (LAYERS + 1), 0.0, 0.0
        if roll is not None:
            self.heat = RollHeat(self.parameters, roll, self.parameters.ambient_c)
            self.heat.conduct(self.heaters.walls_c, self.chamber.pressure_pa / PA_PER_MBAR, 0.0)
            self.films = [Film(self.parameters, roll, share) for share in self.heat.shares]

    # ---- what time does ----

    @property
    def chain_ok(self) -> bool:
        """Return whether the hard-wired heat chain is closed."""
        return self.estop_ok and self.limiter_ok and self.door_closed and not self.chamber.relief_lifted

    def step(self, dt_s: float, actuators: Actuators) -> None:
        """Advance by ``dt_s`` (up to 2 s) with what the PLC drives."""
        p, chamber, field, heaters = self.parameters, self.chamber, self.field, self.heaters
        self.at_s += dt_s
        self.door_locked = actuators.door_locked and self.door_closed
        if max(heaters.walls_c) > OVERTEMP_C:
            self.limiter_ok = False
        s1, s2, s3 = field.step(dt_s, actuators, self.chain_ok)
        fan = field.circulation.speed
        heat = self.heat
        if heat is None:
            roll_w = [0.0, 0.0, 0.0]
        else:
            self._product(dt_s, heat, fan)
            roll_w = heat.walls_w
        density = min(1.0, chamber.pressure_pa / (p.ambient_mbar * PA_PER_MBAR))
        cooling = density * (0.2 + 0.8 * fan) if actuators.cooling else 0.0
        power_w = (s1 * p.zone_w, s2 * p.zone_w, s3 * p.zone_w)
        heaters.step(dt_s, power_w, roll_w, cooling, 0.0 if self.door_closed else 60.0)
        chamber.step(dt_s, field, actuators.n2_flow_sp_nm3_h, actuators.vac_throttle_pct, heaters.walls_c, not self.door_closed)

    def _product(self, dt_s: float, heat: RollHeat, fan: float) -> None:
        # Film chemistry is slow against a scan, so one film is looked at per step and its rates hold until its next turn.
        chamber, films, latent = self.chamber, self.films, self._latent_w
        chamber.add(self._flux_kg_s * dt_s / self.parameters.solvent_kg_mol, self._gas_mol_s * dt_s)
        self.latent_j += dt_s * (latent[0] + latent[1] + latent[2] + latent[3] + latent[4])
        heat.step(dt_s, self.heaters.walls_c, latent)
        for film in films:
            film.pending_s += dt_s
        turn = self._turn = (self._turn + 1) % (LAYERS + 1)
        film = films[turn]
        before_kg_s, before_mol_s = film.flux_kg_s, film.gas_mol_s
        film.update(heat.temps_c[turn], chamber.pressure_pa, chamber.vapour_pa, fan)
        latent[turn] = film.flux_kg_s * self.parameters.solvent_j_kg
        self._flux_kg_s += film.flux_kg_s - before_kg_s
        self._gas_mol_s += film.gas_mol_s - before_mol_s
        if turn == EDGE:
            heat.conduct(self.heaters.walls_c, chamber.pressure_pa / PA_PER_MBAR, fan)

    def read(self, dt_s: float, actuators: Actuators) -> dict[str, float]:
        """Return what the instruments show after ``dt_s``, one value per field signal; the same dict every time."""
        return self.instruments.read(self, dt_s, actuators)

    # ---- what nobody sees ----

    @property
    def load_max_c(self) -> float:
        """Return the hottest temperature in the roll, degC; the walls' mean when empty."""
        return max(self.heat.temps_c) if self.heat is not None else sum(self.heaters.walls_c) / 3.0

    @property
    def solvent_totals_kg(self) -> dict[str, float]:
        """Return where all the solvent is, kg; the sum is constant while the roll stays in."""
        c, m = self.chamber, self.parameters.solvent_kg_mol
        return {
            "film": sum(film.solvent_kg for film in self.films),
            "gas": c.vapour * m,
            "wall": c.wall_mol * m,
            "condensed": c.condensed_mol * m,
            "pumped": c.pumped_mol * m,
            "exhausted": c.exhausted_mol * m,
        }

    def truth(self) -> Truth:
        """Return the state of product and oven; not for every scan."""
        temps = tuple(self.heat.temps_c[:CORE]) if self.heat is not None else ()
        residuals = tuple(film.residual for film in self.films)
        gels = tuple(film.insoluble for film in self.films)
        area = sum(film.area_m2 for film in self.films)
        z1, z2, z3 = self.heaters.walls_c
        return Truth(
            at_s=self.at_s,
            node_temps_c=temps,
            core_c=self.heat.temps_c[CORE] if self.heat is not None else z2,
            zone_temps_c=(z1, z2, z3),
            residuals=residuals,
            insolubles=gels,
            residual_solvent_worst=max(residuals, default=0.0),
            insoluble_mean=sum(g * f.area_m2 for g, f in zip(gels, self.films, strict=True)) / area if area else 0.0,
            insoluble_min=min(gels, default=0.0),
            insoluble_max=max(gels, default=0.0),
            film_solvent_kg=sum(film.solvent_kg for film in self.films),
            o2_pct=self.chamber.o2_pct,
            pressure_mbar=self.chamber.pressure_pa / PA_PER_MBAR,
            vapour_lel_pct=self.chamber.vapour_lel_pct,
            door_closed=self.door_closed,
            door_locked=self.door_locked,
            loaded=self.roll is not None,
        )
