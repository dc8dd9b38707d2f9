"""The door: whether it is closed (I3), and when air may be let in and it is released (I19): cold, washed, no pressure, air to breathe."""

from typing import Final

from controller.equipment import OPEN_DEADBAND_C
from controller.image import stands_open
from controller.interlocks.limits import Limits
from controller.interlocks.rule import View, over, shown, under
from controller.units import ATMOSPHERE_MBAR

AMBIENT_DEADBAND_MBAR: Final = 3.0  # beside which a door's rows come and go
BREATHABLE_DEADBAND_PCT: Final = 0.7  # a sweep goes on for so much more: an analyser is noisy by 0.1, and a roll airs slowly
WEATHER_MBAR: Final = 50.0  # by which an open chamber may read more or less than 1013 mbar


def not_closed(v: View) -> bool | None:
    """Return whether one of the door's switches does not say "closed"."""
    a, b = v.inputs.door_closed_a.value, v.inputs.door_closed_b.value
    return None if a is None or b is None else not (a and b)


def denied(v: View) -> bool:
    """Return whether one of the door's switches denies the other, or says nothing while the other does."""
    return v.inputs.door_closed_a.value != v.inputs.door_closed_b.value


def unsafe_for_air(v: View) -> bool | None:
    """Return whether no air may come in: what is there is hot, not washed since its heat, or above the hall's pressure."""
    pressure, hottest = v.process.pressure_mbar, v.process.hottest_c
    if pressure is None or hottest is None:
        return None
    hot = over(v, "I19", hottest, v.equipment.open_c, OPEN_DEADBAND_C)
    vapour = v.phase.solvent and not v.proof.washed(v.limits.proof_volumes)
    return hot or vapour or over(v, "I19", pressure, ATMOSPHERE_MBAR + _band(v.relieved, v.limits.ambient_band_mbar), AMBIENT_DEADBAND_MBAR)


def _band(opened: bool, shut_mbar: float) -> float:
    """Return by how much the chamber may read off 1013 mbar: behind an open vent that is the weather."""
    return max(shut_mbar, WEATHER_MBAR) if opened else shut_mbar


def held_by_vacuum(v: View) -> bool | None:
    """Return whether the chamber is below ambient pressure; air may be let in then, and nothing else makes it end."""
    return under(v, "I19D", v.process.pressure_mbar, ATMOSPHERE_MBAR - _band(v.vented, v.limits.under_ambient_mbar), AMBIENT_DEADBAND_MBAR)


def unbreathable(v: View) -> bool:
    """Return whether a closed door has no air to breathe behind it, as far as anything shows."""
    if stands_open(v.inputs):
        return False
    o2_pct = v.process.o2_pct
    if o2_pct is None:
        return v.proof.swept_s < v.limits.sweep_s
    if v.proof.swept_s < v.limits.sweep_least_s:  # a reading alone may be the analyser's test gas
        return True
    return bool(under(v, "I19N", o2_pct, v.limits.breathable_o2_pct, BREATHABLE_DEADBAND_PCT))


def sweeps_long_s(limits: Limits) -> float:
    """Return for how long a sweep is waited for before somebody is told, s."""
    return 2.0 * limits.sweep_s


def breath_shown(v: View) -> str:
    """Return what is known of the air behind the door."""
    o2_pct = v.process.o2_pct
    swept = f"air drawn through for {v.proof.swept_s:.0f} s"
    return f"no O2 reading, {swept}" if o2_pct is None else f"{o2_pct:.1f} vol% O2, {swept}"


def air_shown(v: View) -> str:
    """Return all that the row looks at: a cold load may still wait for N2, and a washed one for ambient pressure."""
    hottest, washed = v.process.hottest_c, v.proof.volumes_since_heat
    return (
        f"hottest {shown(hottest)} degC, {v.proof.cycles_since_heat} N2 cycles and {washed:.1f} volumes since heat, "
        f"{shown(v.process.pressure_mbar)} mbar"
    )
