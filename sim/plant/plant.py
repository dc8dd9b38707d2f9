"""The true oven: heaters, gas and roll stepped together, and the truth that the judge and the batch verdict look at."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

from controller.units import NORMAL_M3_MOL, PA_PER_MBAR, R_J_PER_MOL_K
from sim.plant import oven_kernel
from sim.plant.actuators import Actuators, Field, rates
from sim.plant.chamber import AIR_O2, Chamber
from sim.plant.films import PERIOD_S, Film, Films
from sim.plant.heaters import Heaters
from sim.plant.history import History
from sim.plant.instruments import Instruments
from sim.plant.instruments_kernel import Readings
from sim.plant.oven_kernel import OVEN
from sim.plant.parameters import Parameters
from sim.plant.record import Flag, filled, place, zeros
from sim.plant.roll import Roll, RollHeat

GAS_STEP_S = 1.0  # the longest step of the gas: pump, condenser and wall share the vapour, each by its own term
OVERTEMP_C = 288.0  # the independent excess-temperature limiter: oven maximum 260 degC + 28 degC
_CONSTANTS = SimpleNamespace(
    overtemp_c=OVERTEMP_C, gas_step_s=GAS_STEP_S, gas_constant=R_J_PER_MOL_K, pa_per_mbar=PA_PER_MBAR, normal_m3_mol=NORMAL_M3_MOL,
    air_o2=AIR_O2, **rates(),
)  # fmt: skip

_WALLS_C = slice(place(OVEN, "wall_1_c"), place(OVEN, "wall_3_c") + 1)
_WALLS_W = slice(place(OVEN, "roll_1_w"), place(OVEN, "roll_3_w") + 1)


@dataclass(frozen=True, slots=True)
class Truth:
    """What no instrument shows. Fractions by weight; nodes are layer after layer from the core outwards, edge, middle, edge in each."""

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
    gap_pa: tuple[float, ...]  # vapour between the turns, by node
    wall_solvent_kg: float  # condensed on the coldest wall


class Plant:
    """One oven with at most one roll.

    Starts at ambient, in air, with the door closed and locked. ``step`` is the truth; ``read`` lets the instruments look at it. All numbers
    of the oven itself lie in one array, ``state``, which one kernel advances; field, heaters and chamber show it.
    """

    door_closed, door_locked = Flag(OVEN, "door_closed"), Flag(OVEN, "door_locked")
    estop_ok, limiter_ok, remote = Flag(OVEN, "estop_ok"), Flag(OVEN, "limiter_ok"), Flag(OVEN, "remote")

    def __init__(self, parameters: Parameters | None = None, roll: Roll | None = None, seed: int = 0) -> None:
        """Build the oven from ``parameters`` and load ``roll`` (None: empty); ``seed`` is for the instruments' noise."""
        self.parameters = parameters or Parameters()
        self.at_s = 0.0
        self.state, self.at = zeros(OVEN), 0
        self._law = filled(oven_kernel.LAW, _CONSTANTS, self.parameters)
        self.field = Field(self.state)
        self.heaters = Heaters(self.parameters, self.state)
        self.chamber = Chamber(self.parameters, self.state)
        self.roll: Roll | None = None
        self.heat: RollHeat | None = None
        self.chemistry: Films | None = None
        self.films: list[Film] = []
        self.history = History()
        self.door_closed, self.door_locked = True, True
        self.estop_ok, self.limiter_ok, self.remote = True, True, True
        self.latent_j = 0.0
        self._sunk_mol = 0.0
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
        self.roll, self.heat, self.chemistry, self.films, self.history = roll, None, None, [], History()
        self.state[_WALLS_W] = 0.0
        if roll is None:
            return
        p = self.parameters
        wound = replace(roll, gap_um=roll.gap_um * p.gap_factor, residual_wt_pct=min(60.0, roll.residual_wt_pct * p.residual_factor))
        self.heat = RollHeat(p, wound, p.ambient_c)
        self.chemistry = Films(p, wound, self.heat.shares)
        self.films = self.chemistry.views

    # ---- what time does ----

    @property
    def chain_ok(self) -> bool:
        """Return whether the hard-wired heat chain is closed."""
        return self.estop_ok and self.limiter_ok and self.door_closed and not self.chamber.relief_lifted

    def step(self, dt_s: float, actuators: Actuators) -> None:
        """Advance by ``dt_s`` (up to 5 s) with what the PLC drives."""
        state, law = self.state, self._law
        self.at_s += dt_s
        actuators.drive(state)
        oven_kernel.move(state, law, dt_s)
        vapour_mol, gas_mol = self._product(dt_s)
        oven_kernel.advance(state, law, dt_s, vapour_mol, gas_mol)

    def _product(self, dt_s: float) -> tuple[float, float]:
        """Advance the roll and return the vapour and the curing gas that it gave off, mol."""
        heat, films, state = self.heat, self.chemistry, self.state
        if heat is None or films is None:
            return 0.0, 0.0
        if films.due(dt_s):
            self._turn(dt_s, heat, films)
        solvent_kg_mol = self.parameters.solvent_kg_mol
        vapour_kg, gas_mol = films.deliver(dt_s, 0.9 * self.chamber.vapour * solvent_kg_mol)
        self.latent_j += dt_s * films.latent_total_w
        heat.step(dt_s, state[_WALLS_C], films.latent_w, state[_WALLS_W])
        return vapour_kg / solvent_kg_mol, gas_mol

    def _turn(self, dt_s: float, heat: RollHeat, films: Films) -> None:
        """Turn the films' slow clock, and find the roll's conductances for the next while."""
        chamber, p, fan = self.chamber, self.parameters, self.field.circulation.speed
        sunk_mol = chamber.sunk_mol
        loss_1_s = max(0.0, sunk_mol - self._sunk_mol) / PERIOD_S / (chamber.vapour + 1e-9)
        self._sunk_mol = sunk_mol
        kg_pa = chamber.vapour_mol_pa * p.solvent_kg_mol
        inert_pa = max(1e-3, chamber.pressure_pa - chamber.vapour_pa)
        films.turn(dt_s, heat.film_c, inert_pa, chamber.vapour_pa, fan, kg_pa, min(1.0, loss_1_s))
        heat.conduct(self.heaters.walls_c[1], chamber.pressure_pa / PA_PER_MBAR, fan)
        self.history.look(self.at_s, heat.film_c.tolist())

    def read(self, dt_s: float) -> Readings:
        """Return what the instruments show after ``dt_s``, one value per field signal."""
        return self.instruments.read(self, dt_s)

    # ---- what nobody sees ----

    @property
    def load_max_c(self) -> float:
        """Return the hottest temperature in the roll, degC; the walls' mean when empty."""
        return max(map(max, self.heat.temps_c.tolist())) if self.heat is not None else sum(self.heaters.walls_c) / 3.0

    @property
    def wettest(self) -> float:
        """Return the solvent in the wettest film, kg per kg of dry polymer; 0 when empty."""
        return 0.0 if self.chemistry is None else self.chemistry.wettest

    @property
    def solvent_totals_kg(self) -> dict[str, float]:
        """Return where all the solvent is, kg; the sum is constant while the roll stays in."""
        c, m = self.chamber, self.parameters.solvent_kg_mol
        return {
            "film": 0.0 if self.chemistry is None else self.chemistry.solvent_kg,
            "gas": c.vapour * m,
            "wall": c.wall_mol * m,
            "condensed": c.condensed_mol * m,
            "pumped": c.pumped_mol * m,
            "exhausted": c.exhausted_mol * m,
        }

    def truth(self) -> Truth:
        """Return the state of product and oven; not for every scan."""
        temps = tuple(self.heat.film_c.tolist()) if self.heat is not None else ()
        residuals = tuple(film.residual for film in self.films)
        gels = tuple(film.insoluble for film in self.films)
        area = sum(film.area_m2 for film in self.films)
        z1, z2, z3 = self.heaters.walls_c
        return Truth(
            at_s=self.at_s,
            node_temps_c=temps,
            core_c=float(self.heat.temps_c[0].mean()) if self.heat is not None else z2,
            zone_temps_c=(z1, z2, z3),
            residuals=residuals,
            insolubles=gels,
            residual_solvent_worst=max(residuals, default=0.0),
            insoluble_mean=sum(g * f.area_m2 for g, f in zip(gels, self.films, strict=True)) / area if area else 0.0,
            insoluble_min=min(gels, default=0.0),
            insoluble_max=max(gels, default=0.0),
            film_solvent_kg=self.solvent_totals_kg["film"],
            o2_pct=self.chamber.o2_pct,
            pressure_mbar=self.chamber.pressure_pa / PA_PER_MBAR,
            vapour_lel_pct=self.chamber.vapour_lel_pct,
            door_closed=self.door_closed,
            door_locked=self.door_locked,
            loaded=self.roll is not None,
            gap_pa=() if self.chemistry is None else tuple(self.chemistry.gap_pa.tolist()),
            wall_solvent_kg=self.chamber.wall_mol * self.parameters.solvent_kg_mol,
        )
