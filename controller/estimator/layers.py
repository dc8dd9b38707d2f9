"""The deep model of film and roll: a film resolved over its thickness at every position of a roll, for all members at once.

``build`` a model for a load, make an ``initial`` state, ``advance`` it by what the chamber does, or look ahead along a planned history with
``trajectory``. Arrays: M members, P positions (rings from the core to the outer turns, then the edge zone), N nodes from the foil to the
free face. The heat has as many nodes as there are positions: the rings' means over their width, and the core tube in the edge zone's place;
``places`` says how warm the films are. u is kg solvent per kg polymer, w = u/(1+u). Valid for w < 0.5, 0-350 degC, 0.1 Pa to 1.2 bar.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator import member
from controller.estimator.compiled import variants
from controller.estimator.constants import COLUMN, nodes, scaled, shape_of, table_of
from controller.estimator.constants import Slow as Slow
from controller.estimator.constants import Uncertain as Uncertain
from controller.estimator.laws import HARMLESS_U
from controller.estimator.march import Seen, march
from controller.estimator.march import places as _places
from controller.estimator.member import Shape
from controller.estimator.model import DEPTHS, LoadState
from controller.estimator.parameters import value
from controller.estimator.rosenbrock import Tolerance, room_for
from controller.estimator.winding import Winding, winding_of
from controller.solvents import SOLVENTS, Solvent

Array = NDArray[np.float64]
Flags = NDArray[np.int64]
Truths = NDArray[np.bool_]

DEFAULT = Tolerance(u_relative=1e-2, u_absolute=1e-4, left_log=1e-3, temp_k=6e-3, negative=1e-6)
_FIRST_S = 60.0  # the first step of a trajectory
_MOST_STEPS = 20000


class Gas(NamedTuple):
    """What is in the chamber."""

    pressure_pa: float
    vapour_pa: float  # partial pressure of the solvent


class Drive(NamedTuple):
    """What the chamber does during one call of ``advance``: the wall moves evenly, the pressures stay."""

    wall_start_k: float
    wall_end_k: float
    pressure_pa: float
    vapour_pa: float  # partial pressure of the solvent


class Model(NamedTuple):
    """A load's model. ``table`` (M, numbers) holds the members' constants with all scales at 1."""

    positions: tuple[str, ...]
    cells: int
    table: Array
    shape: Shape
    winding: Winding
    polymer_kg: float
    tolerance: Tolerance


class State(NamedTuple):
    """What evolves: ``block`` (M, (N + 3) P), C-contiguous; the properties are views of it."""

    block: Array
    positions: int

    @property
    def temps(self) -> Array:
        """Return the heat's nodes in K, rings and core tube, (M, P)."""
        return self.block[:, : self.positions]

    @property
    def solvent(self) -> Array:
        """Return u of the free solvent from the foil to the free face, (M, N, P)."""
        return self.block[:, self.positions : -2 * self.positions].reshape(len(self.block), -1, self.positions)

    @property
    def conversion(self) -> Array:
        """Return the share of the crosslinkable sites that has reacted, (M, P)."""
        return self.block[:, -2 * self.positions : -self.positions]

    @property
    def bound(self) -> Array:
        """Return u of the bound solvent, (M, P)."""
        return self.block[:, -self.positions :]


class Advanced(NamedTuple):
    """A state one call on."""

    state: State
    left_kg: Array  # (M,) solvent that left the roll
    evaporated_kg: Array  # (M, P) the same by position
    steps: Flags  # (M,) tried
    failed: Truths  # (M,) true: could not be carried on and stays where it was


class Trajectory(NamedTuple):
    """What the members would show at the moments asked for; K moments. Rows of a failed member are not a number."""

    temp_k: Array  # (M, K, P) of the films
    residual: Array  # (M, K, P) weight fraction of the film's mean u
    held: Array  # (M, K, P) by the gap, see ``held_by_gap``
    conversion: Array  # (M, K, P)
    evolution_kg_s: Array  # (M, K)
    blister: Array  # (M, K) largest B over the positions where a blister could grow (see ``blister``), 0 where none is
    steps: Flags  # (M,)
    failed: Truths  # (M,)
    after: State  # at the last moment

    def followed_by(self, other: "Trajectory") -> "Trajectory":
        """Return both as one, ``other`` in place of the last moment of this one, where it begins."""
        temp_k, residual, held, conversion, evolution_kg_s, blister = (
            np.concatenate((one[:, :-1], two), axis=1) for one, two in zip(self[:6], other[:6], strict=True)
        )
        return Trajectory(
            temp_k, residual, held, conversion, evolution_kg_s, blister, self.steps + other.steps, self.failed | other.failed, other.after
        )


def build(
    load: LoadState,
    solvent: Solvent,
    uncertain: Uncertain,
    positions: tuple[str, ...] | int,
    cells: int,
    diffusion_m2_s: float | None = None,
    tolerance: Tolerance = DEFAULT,
) -> Model:
    """Return the model of ``load``.

    ``positions`` counts the rings and the edge zone, or names them from the core to the outer turns with "edge" last; names of ``DEPTHS``
    are as deep as these say, other rings equally thick. ``cells`` nodes lie across the film. ``diffusion_m2_s`` is that of the dry film at
    200 degC. Raises ValueError for fewer than two positions, fewer than three cells, or an order of the crosslinking below 1.
    """
    names = _names(positions)
    if cells < 3:
        raise ValueError(f"cells: {cells}; allowed is 3 or more")
    if (uncertain.order < 1).any():
        raise ValueError(f"order: {float(uncertain.order.min())}; allowed is 1 or more")
    winding = winding_of(load, tuple(DEPTHS.get(name, 1.0) for name in names[:-1]))
    polymer_kg_m2 = value("polymer_density") * 1e3 * load.film_um * 1e-6
    polymer_kg = polymer_kg_m2 * winding.area_m2
    heat_j_kg = 1e6 * solvent.evaporation_kj_mol / solvent.molar_mass_g_mol
    return Model(
        positions=names,
        cells=cells,
        table=table_of(
            load, solvent, uncertain, winding, polymer_kg_m2, value("diffusion_dry") if diffusion_m2_s is None else diffusion_m2_s
        ),
        shape=shape_of(load, winding, nodes(cells), polymer_kg * heat_j_kg),
        winding=winding,
        polymer_kg=polymer_kg,
        tolerance=tolerance,
    )


def _names(positions: tuple[str, ...] | int) -> tuple[str, ...]:
    if isinstance(positions, int):
        positions = (*(f"ring {number}" for number in range(1, positions)), "edge")
    if len(positions) < 2 or positions[-1] != "edge" or len(set(positions)) < len(positions) or positions[0] == "outer" != positions[-2]:
        raise ValueError(f"positions: {positions}; allowed are two or more different names from the core outwards, with 'edge' last")
    return positions


def initial(model: Model, temp_k: float, residual: Array) -> State:
    """Return the state of a roll of even temperature and composition; ``residual`` is the weight fraction of solvent, (M,).

    Bound and free part are in equilibrium.
    """
    positions = len(model.positions)
    state = State(np.zeros((residual.size, (model.cells + 3) * positions)), positions)
    u = residual / (1 - residual)
    bound = _bound(u, model.table[:, COLUMN["sites"]], model.table[:, COLUMN["refill"]])
    state.temps[:] = temp_k
    state.solvent[:] = (u - bound)[:, None, None]
    state.bound[:] = bound[:, None]
    return state


def _bound(u: Array, sites: Array, refill: Array) -> Array:
    """Return what of the solvent ``u`` is bound in equilibrium with the rest, by halving."""
    low, high = np.zeros_like(u), np.minimum(sites, u)
    for _ in range(50):
        bound = (low + high) / 2
        more = bound < sites * -np.expm1(-(u - bound) / refill)
        low, high = np.where(more, bound, low), np.where(more, high, bound)
    return (low + high) / 2


def advance(model: Model, slow: Slow, state: State, drive: Drive, dt_s: float, hall_k: float | None = None) -> Advanced:
    """Return the state after ``dt_s`` > 0 seconds; ``state`` is left alone.

    The wall goes evenly from its start to its end; one that grew colder, with ``hall_k`` below both, as a body that cools there by itself.
    """
    knots = np.array(
        [[0.0, drive.wall_start_k, drive.pressure_pa, drive.vapour_pa], [dt_s, drive.wall_end_k, drive.pressure_pa, drive.vapour_pa]]
    )
    if hall_k is not None and hall_k < drive.wall_end_k < drive.wall_start_k:
        share = np.linspace(0.0, 1.0, _COOLING_KNOTS)
        left = ((drive.wall_end_k - hall_k) / (drive.wall_start_k - hall_k)) ** share
        knots = np.column_stack((dt_s * share, hall_k + left * (drive.wall_start_k - hall_k), np.tile(knots[0, 2:], (share.size, 1))))
    return _march(model, slow, state, knots, dt_s, dt_s, _NO_MOMENTS)[0]


def trajectory(model: Model, slow: Slow, state: State, knots: Array, ahead_s: Array) -> Trajectory:
    """Return what the members show at ``ahead_s`` (K,) seconds from now, ascending and not negative.

    ``knots`` (n, 4) are time in s from now, wall in K, pressure and solvent's vapour pressure in Pa, linear in between and constant
    outside; two knots at one time are a jump. Raises ValueError when times descend.
    """
    if ahead_s.size == 0 or ahead_s[0] < 0 or (np.diff(ahead_s) < 0).any() or (np.diff(knots[:, 0]) < 0).any():
        raise ValueError("knots, ahead_s: times that descend or are negative; allowed are ascending times")
    end_s = max(float(ahead_s[-1]), 1e-3)
    first, last = knots[0].copy(), knots[-1].copy()
    first[0], last[0] = min(0.0, first[0]), max(end_s, last[0])
    return _march(model, slow, state, np.vstack((first, knots, last)), end_s, _FIRST_S, ahead_s)[1]


_NO_MOMENTS = np.zeros(0)
_COOLING_KNOTS = 9


def _march(
    model: Model, slow: Slow, state: State, knots: Array, end_s: float, first_s: float, ahead_s: Array
) -> tuple[Advanced, Trajectory]:
    members, positions = len(state.block), len(model.positions)
    after, lost = np.empty_like(state.block), np.empty((members, positions))
    seen = _unseen(members, ahead_s.size, positions) if ahead_s.size else _nothing_seen(members, positions)
    tries, flags = np.zeros(members, dtype=np.int64), np.zeros(members, dtype=np.int64)
    march(
        scaled(model.table, slow), model.shape, model.tolerance, model.polymer_kg, state.block, np.ascontiguousarray(knots), end_s, first_s,
        _MOST_STEPS, room_for(model.shape), ahead_s, after, lost, seen, tries, flags,
    )  # fmt: skip
    failed = flags != 0
    if failed.any():
        for part in seen:
            part[failed] = np.nan
    evaporated_kg = lost * (model.polymer_kg * model.winding.share)
    return (
        Advanced(State(after, positions), evaporated_kg.sum(axis=1), evaporated_kg, tries, failed),
        Trajectory(*seen, tries, failed, State(after, positions)),
    )


def _unseen(members: int, moments: int, positions: int) -> Seen:
    """Return room for what the members show at so many moments."""
    full, flat = (members, moments, positions), (members, moments)
    return Seen(*(np.full(full, np.nan) for _ in range(4)), *(np.full(flat, np.nan) for _ in range(2)))


@lru_cache(maxsize=4)
def _nothing_seen(members: int, positions: int) -> Seen:
    """Return room for no moment; it holds nothing, so that every call may have the same."""
    return _unseen(members, 0, positions)


def mean_u(model: Model, state: State) -> Array:
    """Return the mean u of all solvent in the film, free and bound, (M, P)."""
    return np.asarray(np.einsum("n,mnp->mp", model.shape.volume, state.solvent) + state.bound, dtype=np.float64)


def mean_residual(model: Model, state: State) -> Array:
    """Return the weight fraction of solvent of the whole film, (M, P)."""
    mean = mean_u(model, state)
    return mean / (1 + mean)


def foil_side(model: Model, state: State) -> Array:
    """Return u of the free solvent at the foil, (M, P)."""
    return state.solvent[:, 0, :]


def held_by_gap(model: Model, state: State) -> Array:
    """Return u of the free solvent in the free face over its mean, (M, P): 0 where the film holds it back, 1 where the gap does."""
    free = np.maximum(mean_u(model, state) - state.bound, 1e-12)
    return np.clip(state.solvent[:, -1, :] / free, 0.0, 1.0)


def blister(model: Model, slow: Slow, state: State, temp_k: Array, pressure_pa: float) -> tuple[Array, Truths]:
    """Return B = a1(w, T) Psat(T) / P at the foil, (M, P), and where a blister could grow, (M, P); the films are at ``temp_k``, (M, P).

    That is where the film is rubbery, T > Tg(w) (Fox), and holds more than ``HARMLESS_U`` solvent; above 1 it may blister there.
    """
    density_ratio, log_a, antoine_b_k, antoine_c_k, glass_dry_k, glass_solvent_k = (model.table[:, at, None] for at in _AT_FOIL)
    chi = model.table[:, COLUMN["chi"], None] + slow.more_chi[:, None]
    u = foil_side(model, state)
    polymer = density_ratio / (u + density_ratio)
    saturation_pa = np.exp(log_a - antoine_b_k / (temp_k + antoine_c_k))
    film_pa = saturation_pa * (1 - polymer) * np.exp(polymer + chi * polymer**2)
    fraction = u / (1 + u)
    glass_k = 1 / ((1 - fraction) / glass_dry_k + fraction / glass_solvent_k)
    return film_pa / pressure_pa, (temp_k > glass_k) & (u > HARMLESS_U)


_AT_FOIL = tuple(
    COLUMN[name] for name in ("density_ratio", "log_saturation_a", "antoine_b_k", "antoine_c_k", "glass_dry_k", "glass_solvent_k")
)


class Places(NamedTuple):
    """How warm it is where something happens."""

    film_k: Array  # (M, P): in the middle of each ring's width, and at the end of the outermost one
    nearer: Array  # (2, M) how far the outermost turn's surface is from its ring towards the wall, and the core tube's end from its mean


def places(model: Model, slow: Slow, state: State, wall_k: float, pressure_pa: float) -> Places:
    """Return where the films and the outermost surface are between their rings and the wall."""
    found = Places(np.empty_like(state.temps), np.empty((2, len(model.table))))
    _places(scaled(model.table, slow), model.shape, member.Drive(wall_k, pressure_pa, 0.0), state.temps, *found)
    return found


def log_exchange(model: Model, state: State, gas: Gas) -> Array:
    """Return the logarithm of what carries vapour through the gap of each member at its mean temperature, without ``log_way``, (M,)."""
    names = ("knudsen_root", "molecular_pa", "swept_m2_pa_s", "surface_scale")
    knudsen_root, molecular_pa, swept, scale = (model.table[:, COLUMN[name]] for name in names)
    temp_k = state.temps[:, :-1] @ model.winding.share[:-1] + state.temps[:, -2] * model.winding.share[-1]
    knudsen, molecular = knudsen_root * np.sqrt(temp_k), molecular_pa * temp_k**1.75 / max(gas.pressure_pa - gas.vapour_pa, 1.0)
    return np.asarray(np.log(scale * (knudsen * molecular / (knudsen + molecular) + swept * gas.pressure_pa)))


def warm_up() -> int:
    """Compile, or load from the cache, everything that ``advance`` and ``trajectory`` need; return the number of compiled variants."""
    load = LoadState(100.0, 0.5, 20.0, 18.0, 100.0, 150.0, 20.0, 1.0)
    model = build(load, SOLVENTS["NMP"], Uncertain.median(1, 1e-4), 4, 5)
    state = initial(model, 300.0, np.array([0.2]))
    slow = Slow.none(1)
    after = advance(model, slow, state, Drive(300.0, 301.0, 1e3, 0.0), 1.0).state
    places(model, slow, after, 300.0, 1e3)
    trajectory(model, slow, after, np.array([[0.0, 300.0, 1e3, 0.0], [60.0, 310.0, 1e3, 0.0]]), np.array([60.0]))
    return variants()
