"""The blister and evolution guard: heat and vacuum wait while the solvent in a rubbery film would boil, or comes faster than it is taken.

Past a warm film the vacuum is drawn down slowly and no deeper while more comes than is taken, because what boils off when the pressure
falls at once is there before any instrument has seen it; what comes down from a pressure-rise test only goes back to where it was.

The estimate says how close it is: B, the 80 % point of the solvent's vapour pressure at the foil over the chamber's pressure, with bubbles
possible from B = 1 on; the pressure below which B would pass 0.8 (the floor); and the upper end of the evolution rate. The exhaust's sensor
says how near its vapour is to where the batch is held (I16). Without a valid estimate only that makes a ramp wait; a vacuum that the guard
draws down comes down as slowly. [assume] throughout: where it begins, how fast it lets go.
"""

from math import exp
from typing import Final

from controller.image import Atmosphere, Setpoints
from controller.recipe.look import PhaseMemory, PhaseScan

BEGIN, FULL = 0.8, 1.0  # of B, and of the equipment's solvent rate: from here on the ramp slows, there it stands
LEL_SHARE: Final = 0.9  # of the vapour at which I16 holds the batch
RELEASE: Final = 0.05  # below BEGIN by so much the guard lets go
FALL_S: Final = 1800.0  # time constant with which the guarded pressure may fall
WARM_C: Final = 60.0  # below, no film gives off enough to be minded
NEAR, NEAR_MBAR = 1.25, 2.0  # over the set point by more: it is drawn down
_VACUUM: Final = Atmosphere.VACUUM  # through its class a member costs 0.1 us (Python 3.11)


def load_share(s: PhaseScan) -> float:
    """Return how much of what is allowed is used, the highest of the exhaust's vapour and, while the estimate is valid, B and evolution."""
    estimate, used = s.estimate, lel_share(s)
    if not estimate.valid:
        return used
    return max(used, estimate.blister, estimate.evolution_kg_h.high / s.solvent_kg_h if s.solvent_kg_h > 0 else 0.0)


def lel_share(s: PhaseScan) -> float:
    """Return the exhaust's vapour over where a ramp stands, short of I16; 0 without a reading."""
    lel_pct = s.inputs.exhaust_lel_pct.value
    return 0.0 if lel_pct is None or s.lel_hold_pct <= 0.0 else lel_pct / (LEL_SHARE * s.lel_hold_pct)


def rate_share(s: PhaseScan) -> float:
    """Return the share of its rate that a heating ramp keeps: 1 up to ``BEGIN``, smoothly to 0 at ``FULL``."""
    x = min(max((load_share(s) - BEGIN) / (FULL - BEGIN), 0.0), 1.0)
    return 1.0 - x * x * (3.0 - 2.0 * x)


def vacuum(wanted: Setpoints, m: PhaseMemory, s: PhaseScan) -> tuple[PhaseMemory, Setpoints]:
    """Return memory and set points with the vacuum no deeper than the floor, and never above what I5 and I6 leave.

    The set point rises with the floor at once. After it, and from where the chamber stands over a warm film, it comes down exponentially
    with ``FALL_S``, as much slower as a ramp would be, until it meets what is asked for.
    """
    if wanted.atmosphere is not _VACUUM:
        return m, wanted
    estimate, asked = s.estimate, wanted.pressure_mbar
    floor = min(estimate.floor_mbar, s.proving.vacuum_mbar) if estimate.valid else 0.0
    kept = m.guard_mbar if m.guard_mbar > asked else _from(asked, m, s)
    if floor <= asked and kept <= asked:
        return (m._replace(guard_mbar=0.0) if m.guard_mbar else m), wanted
    pressure = max(asked, floor, kept * exp(-rate_share(s) * s.dt_s / FALL_S))
    return m._replace(guard_mbar=pressure if pressure > asked else 0.0), wanted._replace(pressure_mbar=pressure)


def _from(asked: float, m: PhaseMemory, s: PhaseScan) -> float:
    """Return the pressure from which a vacuum is drawn down past a warm film, 0 when none is; mbar."""
    now, estimate = s.process.pressure_mbar, s.estimate
    if now is None or not estimate.valid or estimate.film_max_c < WARM_C or m.isolated_s > 0.0 or m.reopened:
        return 0.0
    return min(now, s.proving.vacuum_mbar) if now > max(NEAR * asked, asked + NEAR_MBAR) else 0.0


def noticed(m: PhaseMemory, s: PhaseScan, ramping: bool) -> PhaseMemory:
    """Return the memory with ``guarded`` as it is after this scan; it ends a little below where it began."""
    lifted = m.guard_mbar > 0.0
    used = load_share(s) if ramping else 0.0
    held = ramping and rate_share(s) == 0.0
    acts = lifted or held or used > (BEGIN - RELEASE if m.guarded else BEGIN)
    return m if acts is m.guarded else m._replace(guarded=acts)


def why(m: PhaseMemory, s: PhaseScan) -> str:
    """Return what the guard does and why, "" while it does nothing."""
    lel = f"{s.inputs.exhaust_lel_pct.value:.0f} % LEL in the exhaust" if lel_share(s) > BEGIN - RELEASE else ""
    if not s.estimate.valid and lel and m.guarded:
        return f"guard: {lel}"
    if not s.estimate.valid:
        slowly = f", vacuum drawn down slowly, at {m.guard_mbar:.0f} mbar" if m.guard_mbar else ""
        return f"guard off: {s.estimate.why_invalid or 'estimate not valid'}{slowly}"
    if not m.guarded:
        return ""
    e = s.estimate
    text = f"guard: B {e.blister:.2f}, evolution up to {e.evolution_kg_h.high:.2f} kg/h" + (f", {lel}" if lel else "")
    if m.guard_mbar and e.floor_mbar > s.proving.vacuum_mbar:
        return f"{text}, floor {e.floor_mbar:.0f} mbar above the {s.proving.vacuum_mbar:.0f} mbar that the vacuum proof leaves (I5, I6)"
    return f"{text}, vacuum held at {m.guard_mbar:.0f} mbar" if m.guard_mbar else text


def told(waiting: str, m: PhaseMemory, s: PhaseScan) -> str:
    """Return what is waited for and, where there is something to say, what the guard does."""
    said = why(m, s)
    return f"{waiting}; {said}" if waiting and said else waiting or said
