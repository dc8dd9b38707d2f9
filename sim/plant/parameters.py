"""Every number of the simulated oven, roll and film, with its unit and where it comes from.

``[assume]`` marks an engineering assumption that a site would replace by its own data. Numbers that differ from lot to lot or batch to
batch have no default here: theirs is the centre in ``hyperprior.toml``, with spread, range and source.

There is more than one world to draw in, each with a file of its own (see ``WORLDS``). ``far.toml`` draws all that varies in the near one,
and numbers of structure that are constants there.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from controller.errors import FileError, Problem
from sim.plant.hyperprior import SCOPES, Hyperprior, read

NEAR: Final = "near"
WORLDS: Final = {NEAR: "hyperprior.toml", "far": "far.toml"}  # files beside this one
_FOLDER: Final = Path(__file__).parent
_WORLD: ContextVar[str] = ContextVar("world", default=NEAR)
HYPERPRIOR: Hyperprior = read(_FOLDER / WORLDS[NEAR])


def drawn(name: str) -> float:
    """Return a field whose default is the centre of ``name`` in the hyper-prior; KeyError when it is not there."""
    return field(default=HYPERPRIOR.centre(name))


@dataclass(frozen=True, slots=True)
class Parameters:
    """The truth of one batch: oven, roll, film and curing chemistry. SI units unless the name says otherwise."""

    # chamber and gas
    chamber_m3: float = 1.8  # free volume [assume]
    ambient_c: float = 23.0  # hall [assume]
    ambient_mbar: float = 1013.25  # standard atmosphere
    leak_mbar_l_s: float = drawn("leak_mbar_l_s")
    gas_wall_share: float = 0.85  # share of the wall temperature in the gas temperature, rest is the cold wall [assume]
    cold_wall_share: float = 0.35  # how far the coldest wall follows the heated walls above ambient [assume]
    cold_wall_lag_s: float = 1800.0  # of the coldest wall (door flange) [assume]
    vent_s: float = 6.0  # time constant of venting to the hall [assume]
    sweep_m3_h: float = 60.0  # hall air that the exhaust's fan draws in through the open vent and out through the exhaust [assume: DN40]
    door_s: float = 20.0  # exchange time constant of the open door [assume]
    relief_mbar: float = 1100.0  # relief lifts (hard-wired)
    # pumps and gas supply
    pump_m3_h: float = 300.0  # backing pump, nominal speed [assume]
    pump_end_mbar: float = 0.08  # end pressure of the backing pump [assume]
    roots_m3_h: float = 900.0  # what the Roots pump adds far below its cut-in [assume]
    roots_cut_in_mbar: float = 30.0  # below this the Roots pump begins to help [assume]
    throttle_m3_h: float = 1500.0  # conductance of the open throttle [assume]
    n2_max_nm3_h: float = 100.0  # range of the mass flow controller [assume]
    n2_lag_s: float = 1.5  # of the mass flow controller [assume]
    n2_header_bar: float = 6.0  # gauge [assume]
    n2_reserve_nm3: float = 3000.0  # at the start of a batch: a 5 m3 tank of liquid, nearly full [assume]
    n2_o2_ppm: float = 5.0  # oxygen in the nitrogen, vol ppm (grade 4.5-5.0) [assume]
    exhaust_s: float = 1.2  # time constant of the chamber's excess pressure through the open exhaust valve [assume]
    exhaust_fan_m3_h: float = 600.0  # duct flow, mostly dilution air [assume]
    # condenser
    condenser_c: float = -5.0  # running [assume]
    condenser_lag_s: float = 240.0  # from ambient to cold and back [assume]
    condenser_capture: float = 0.92  # share of the condensable vapour caught from a gas stream that passes it [assume]
    condenser_m3_s: float = 0.25  # pumping speed for vapour straight from the chamber, at zero pressure [assume]
    condenser_half_mbar: float = 8.0  # pressure at which inert gas halves that speed (diffusion barrier) [assume]
    wall_film_m3_s: float = 0.05  # the same for the coldest wall [assume]
    # heaters, per zone
    zone_w: float = 12.0e3  # installed power [assume]
    element_j_k: float = 6.0e3  # heating element: a lag of about 30 s [assume]
    element_w_k: float = 200.0  # element to wall [assume]
    wall_j_k: float = 9.0e4  # 180 kg of steel at 500 J/kgK [assume]
    loss_w_k: float = drawn("loss_w_k")
    zone_coupling_w_k: float = 20.0  # between neighbours [assume]
    cooling_w_k: float = 45.0  # cooling coil at 1 atm with circulation [assume]
    cooling_c: float = 18.0  # cooling water [assume]
    # foil, core and roll
    residual_factor: float = drawn("residual_factor")
    foil_kg_m3: float = 8900.0  # copper [text]
    foil_j_kg_k: float = 380.0  # copper [text]
    foil_w_m_k: float = 380.0  # copper [text]
    film_kg_m3: float = 1410.0  # PAI [src: Engineering Plastics Handbook]
    film_j_kg_k: float = 1150.0  # 1.0-1.3 kJ/kgK
    core_j_m2_k: float = 6.0e3  # aluminium tube, 2.5 mm wall, per m2 of its surface [assume]
    k_radial_n2: float = drawn("k_radial_n2")
    k_radial_tape: float = drawn("k_radial_tape")
    k_half_mbar: float = 2.0  # pressure at which the gap's gas conduction is half [calc: 100 Pa gives 1.1e-2]
    k_ref_gap_um: float = 100.0  # gap of the two numbers above
    emissivity: float = drawn("emissivity")
    h_rest_w_m2_k: float = 2.5  # gas conduction at low pressure, above 0.1 mbar [assume]
    h_natural_w_m2_k: float = 4.0  # natural convection at 1 atm [assume]
    h_fan_w_m2_k: float = 8.0  # added by circulation at 1 atm [assume]
    edge_share: float = 1.0 / 6.0  # of the width, each of the two edge nodes [grid]
    tape_middle: float = 0.4  # radial vacuum conductance of the roll's middle, where no tape is, over the mean [assume]
    tension: float = 0.5  # how much better the innermost turns touch than the outermost, relative [assume: winding tension]
    core_w_k: float = 0.5  # aluminium tube, W m/K along the core: 200 W/mK x 2.5 mm [text]
    mandrel_w_k: float = 1.0  # winding core to oven through its supports [assume]
    # solvent (NMP)
    solvent_kg_mol: float = 0.09913
    solvent_kg_m3: float = 950.0  # liquid around 100 degC, from the density polynomial in the literature
    solvent_j_kg: float = 4.7e5  # heat of evaporation, 46.7 kJ/mol at 150 degC (MORGAN_KOBAYASHI)
    antoine_a: float = 21.1352  # ln Pa; A, B, C through 3.362/22.45/92.44 kPa at 100/150/200 degC (LANDOLT)
    antoine_b_k: float = 3809.75
    antoine_c_k: float = -80.428
    psat_factor: float = drawn("psat_factor")
    lel_pct: float = 1.3  # vol % [src: product pages]
    # film: free and bound solvent
    chi: float = drawn("chi")
    chi_slope_k: float = 180.0  # chi(T) = chi + slope (1/T - 1/473 K) [assume: a poorer solvent when cold]
    bound_capacity: float = drawn("bound_capacity")
    bound_half: float = 0.04  # kg/kg free solvent at which half the sites are taken [assume]
    bound_rate_1_s: float = drawn("bound_rate_1_s")
    bound_j_mol: float = 110.0e3  # activation energy of the release [assume]
    diffusivity_m2_s: float = drawn("diffusivity_m2_s")
    diffusivity_j_mol: float = 20.0e3  # energy to leave the neighbours, beside the free volume [assume]
    fv_ratio: float = 0.6  # xi, size of the solvent's jumping unit over the polymer's [assume: 0.5-0.7 for NMP-sized molecules]
    fv_solvent_cm3_g: float = 0.88  # V1*, specific volume at 0 K [assume: 0.9 of the liquid's]
    fv_polymer_cm3_g: float = 0.74  # V2*, specific volume at 0 K [assume: 1/1.41 with thermal contraction undone]
    fv_k11_cm3_g_k: float = 1.0e-3  # K11/gamma [assume: polar solvents 0.7e-3-1.5e-3]
    fv_k21_tg1_k: float = -100.0  # K21 - Tg1 [assume]
    fv_k12_cm3_g_k: float = 6.0e-4  # K12/gamma [assume: stiff chains 4e-4-7e-4]
    fv_k22_k: float = 50.0  # K22, the WLF constant C2 [text]
    fv_glass: float = 0.1  # how fast holes shrink below Tg over above [assume; gives 98 kJ/mol in the dry glass at 200 degC]
    # vapour in the gap
    n2_vapour_m2_s: float = 2.0e-5  # diffusivity of NMP in N2 at 200 degC and 1 atm [assume: Fuller's method gives this order]
    gap_factor: float = drawn("gap_factor")
    gas_pa_s: float = 2.6e-5  # viscosity of N2 at 200 degC [text]
    vapour_pa_s: float = 1.0e-5  # viscosity of NMP vapour at 200 degC [assume: what the gap's reference pressures were computed with]
    fan_pa: float = 8.0  # pressure difference that circulation puts over the roll's width at 1 atm [assume]
    tape_open: float = drawn("tape_open")
    # curing
    gel_h_240c: float = drawn("gel_h_240c")
    cure_j_mol: float = drawn("cure_j_mol")
    delta_max: float = 25.0  # crosslinked units per weight-average chain at full reaction [assume]
    cure_order: float = 1.3  # in the sites left [assume]
    delta_start: float = drawn("delta_start")
    scission: float = drawn("scission")
    pdi: float = drawn("pdi")
    tg_dry_c: float = drawn("tg_dry_c")
    tg_solvent_c: float = -105.0  # of the solvent [assume]
    tg_gordon_taylor: float = 2.6  # weight of the solvent in the mixture's Tg [assume: 150 degC at 20 wt%]
    tg_rise_k: float = 45.0  # rise of Tg at full reaction [assume]
    tg_dibenedetto: float = 0.5  # curvature of that rise [assume]
    vitrify_factor: float = 5600.0  # mobility-limited over chemical rate at Tg and 240 degC [assume]
    vitrify_wlf: float = 24.0  # C1 of the mobility [assume: below the universal 40, segments not chains]
    vitrify_wlf_k: float = 51.6  # C2 of the mobility [text: universal WLF constant]
    rate_factor: float = drawn("rate_factor")
    cure_gas_mol_kg: float = drawn("cure_gas_mol_kg")

    # instruments that differ from batch to batch
    lel_gain: float = drawn("lel_gain")
    load_offset_c: float = 0.0  # that all load thermocouples have in common, beside each one's own [assume]
    contact: float = 0.98  # of the two thermocouples taped to the roll's outside; the rest is the wall's radiation [assume]
    core_contact: float = 1.0  # of the one in the core tube, likewise [assume]
    tc_drift_k_h: float = drawn("tc_drift_k_h")


def world() -> str:
    """Return the world that ``draw`` and ``draw_lot`` draw in."""
    return _WORLD.get()


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Let everything that is drawn within be drawn in the world ``name``; outside it is the near one. FileError when there is none."""
    hyperprior_of(name)
    token = _WORLD.set(name)
    try:
        yield
    finally:
        _WORLD.reset(token)


@lru_cache(maxsize=len(WORLDS))
def hyperprior_of(name: str) -> Hyperprior:
    """Return what is drawn in the world ``name``.

    Raises:
        FileError: there is no such world, or its file has mistakes.
    """
    if name not in WORLDS:
        raise FileError("command line", [Problem("--world", name, f"must be one of {', '.join(WORLDS)}")])
    return HYPERPRIOR if name == NEAR else read_world(_FOLDER / WORLDS[name])


def read_world(path: Path) -> Hyperprior:
    """Return the hyper-prior in ``path``, which draws whatever the near world does and no name that is not a parameter's.

    Raises:
        FileError: with every mistake found in it.
    """
    found, known = read(path), {one.name for one in fields(Parameters)}
    problems = []
    for scope in SCOPES:
        has, must = getattr(found, scope), getattr(HYPERPRIOR, scope)
        problems += [Problem(f"{scope}.{name}", name, "must be a parameter of the plant") for name in has if name not in known]
        problems += [Problem(f"{scope}.{name}", "missing", "must be drawn, as in the near world") for name in must if name not in has]
    if problems:
        raise FileError(str(path), problems)
    return found


def draw(seed: int, lot: int | None = None) -> Parameters:
    """Return the parameters of batch ``seed`` of resin lot ``lot`` (None: the lot has the batch's number).

    The same lot gives the same resin; oven, winding, predry and instruments vary with the batch.
    """
    lot_rng, batch_rng = random.Random(f"lot {seed if lot is None else lot}"), random.Random(f"batch {seed}")
    hyperprior = hyperprior_of(world())
    return replace(Parameters(), **hyperprior.draw("lot", lot_rng), **hyperprior.draw("batch", batch_rng))


def draw_lot(lot: int) -> Parameters:
    """Return the parameters of resin lot ``lot`` in a batch without variation: what a laboratory has in its hands."""
    return replace(nominal(), **hyperprior_of(world()).draw("lot", random.Random(f"lot {lot}")))


def nominal() -> Parameters:
    """Return the centre of everything that is drawn."""
    hyperprior = hyperprior_of(world())
    return replace(Parameters(), **{name: drawn.centre for name, drawn in (hyperprior.lot | hyperprior.batch).items()})
