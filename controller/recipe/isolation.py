"""The pressure-rise test: all valves shut for a while, so that the pressure tells leak and solvent apart; then the vacuum goes on.

Heat, soak time and endpoint go on meanwhile. The chamber is isolated only when the pressure will stay well below the limit of the vacuum
proof (I5, I6 stay armed) even at the upper end of the estimated evolution; it is opened again at the recipe's pressure or time.
"""

from typing import Final, NamedTuple

from controller.image import Atmosphere, Setpoints
from controller.recipe.look import PhaseMemory, PhaseScan
from controller.solvents import SOLVENTS
from controller.units import PA_PER_MBAR, R_J_PER_MOL_K, kelvin

UNSEEN: Final = 1.5  # factor on the predicted rise for leak and curing gases, which the evolution does not hold [assume]
HOTTEST_C: Final = 260.0  # gas temperature reckoned with when none is known


class Isolation(NamedTuple):
    """How long the chamber may be isolated and up to which pressure."""

    isolate_s: float
    max_mbar: float


def predicted_mbar(s: PhaseScan, isolate_s: float) -> float:
    """Return the rise to reckon with, mbar: upper end of the evolution for ``isolate_s``, as ideal gas in the chamber, times UNSEEN."""
    kg = s.estimate.evolution_kg_h.high * isolate_s / 3600.0
    mol = 1e3 * kg / SOLVENTS[s.solvent].molar_mass_g_mol
    temp_c = s.process.temp_c if s.process.temp_c is not None else HOTTEST_C
    return UNSEEN * mol * R_J_PER_MOL_K * kelvin(temp_c) / s.chamber_m3 / PA_PER_MBAR


def hindrance(wanted: Isolation, s: PhaseScan) -> str:
    """Return why the chamber must not be isolated now, "" when it may."""
    pressure = s.process.pressure_mbar
    if pressure is None:
        return "a valid pressure"
    if not s.proven:
        return "a proven atmosphere (I5)"
    if not s.estimate.valid or s.solvent not in SOLVENTS:
        return "a valid estimate of the evolution"
    expected = pressure + predicted_mbar(s, wanted.isolate_s)
    top = min(wanted.max_mbar, s.proving.vacuum_mbar)
    return "" if expected < top else f"less solvent: {expected:.1f} mbar to be expected, allowed {top:.1f} mbar"


def step(
    wanted: Isolation, m: PhaseMemory, s: PhaseScan, setpoints: Setpoints, ready: bool, due: bool
) -> tuple[PhaseMemory, Setpoints, str]:
    """Return memory, set points and what the test waits for; ``due`` says that one is wanted, ``ready`` that the vacuum stands as asked.

    A test that has begun ends with its time or at its highest pressure, and at once without a proven atmosphere or a valid pressure.
    """
    pressure = s.process.pressure_mbar
    if m.isolated_s <= 0.0:
        m = m._replace(since_s=m.since_s + s.dt_s, reopened=m.reopened and not ready)
        if not due or not ready:
            return m, setpoints, ""
        if missing := hindrance(wanted, s):
            return m, setpoints, f"pressure-rise test waits for {missing}"
    top = min(wanted.max_mbar, s.proving.vacuum_mbar)
    if pressure is None or not s.proven:  # broken off: no test was made
        return m._replace(isolated_s=0.0, since_s=0.0), setpoints, ""
    if m.isolated_s >= wanted.isolate_s or pressure >= top:
        return m._replace(isolated_s=0.0, since_s=0.0, reopened=True), setpoints, ""
    m = m._replace(isolated_s=m.isolated_s + s.dt_s)
    shown = f"isolated {m.isolated_s:.0f} of {wanted.isolate_s:.0f} s, {pressure:.2f} mbar"
    return m, setpoints._replace(atmosphere=Atmosphere.HOLD_CLOSED), shown


def opened(setpoints: Setpoints, m: PhaseMemory) -> tuple[Setpoints, PhaseMemory]:
    """Return set points and memory after an isolation that a hold or a suspension broke off, to be made anew; unchanged without one."""
    if m.isolated_s <= 0.0:
        return setpoints, m
    return setpoints._replace(atmosphere=Atmosphere.VACUUM), m._replace(isolated_s=0.0, since_s=0.0)
