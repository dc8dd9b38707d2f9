"""The pressure-rise test: what an isolated chamber's pressure says of leak and of solvent that still comes.

With all valves shut p(t) = p0 + L t + S tau (1 - exp(-t / tau)): a leak L, which is constant while p is far below ambient, and outgassing
whose rate S decays as the vapour above the film approaches the film's own pressure. Source: the chamber balance V/(R T) dp/dt = n, with a
sink-free volume; n_solvent = V/(R T) S. L has a prior from the cold leak test. Given tau the model is linear, so that leak and S follow
from weighted least squares with that prior; tau is integrated out on a grid. Temperature drift is taken out as p T(0) / T(t).

The standard deviation holds the gauge's noise, the gas temperature (between walls and coldest wall), the free volume (``VOLUME_SD``), and
from ``CURING_FROM_C`` on a share ``CURING_SD`` for H2O and CO2 of curing, which no pressure can tell from solvent.

Valid only while no surface that the chamber sees is below the dew point at the pressure reached: the coldest wall, and the condenser
unless it is shut off with the vacuum valve. Otherwise what condenses is missing and the result is a lower bound. Range: below
``HIGHEST_MBAR``; isolations of ``SHORTEST_S`` to about an hour.
"""

from dataclasses import dataclass, replace
from statistics import median
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.image import Inputs, PressureRise
from controller.solvents import Solvent, saturation_pressure_pa
from controller.units import PA_PER_MBAR, R_J_PER_MOL_K, kelvin

Array = NDArray[np.float64]

HIGHEST_MBAR: Final = 100.0
SHORTEST_S: Final = 20.0
SAMPLES: Final = 64  # kept at most; then every other goes and the spacing doubles
FEWEST: Final = 8
NOISE_MBAR: Final = 0.01  # of the capacitance gauge [assume]
NOISE_SHARE: Final = 4e-4  # of its reading [assume]
ROUGH: Final = 4.0  # residuals beyond so many times the noise: the model does not hold
TAU_S: Final = (3.0, 3e4)  # of the outgassing's decay [assume]
TAUS: Final = 33
REFINED: Final = 4  # grids, each inside the one before
UNLIKELY: Final = 12.0  # less in log evidence than the best: left out
NOISE_WIDE: Final = 1e3  # prior sd of the pressure at the start, in noises
FREE_LEAK: Final = 10.0  # sd of the leak without a cold leak test, mbar/min: unknown
SOLVENT_SD: Final = 100.0  # sd of the prior of S, mbar/min: unknown
VOLUME_SD: Final = 0.1  # of the free volume, relative [assume]
GAS_WALL_SHARE: Final = 0.75  # gas temperature between coldest wall (0) and zones (1) [assume]
CURING_FROM_C: Final = 180.0
CURING_SD: Final = 0.2  # of the rate [assume]


class Leak(NamedTuple):
    """Pressure rise by air, mbar/min, with its standard deviation."""

    rate_mbar_min: float
    sd_mbar_min: float


@dataclass(frozen=True, slots=True)
class Rise:
    """What is remembered of an isolation that runs: numbers only. ``spoiled`` says why it will not be valid."""

    from_s: float | None = None  # when the last valve was seen shut
    last_s: float = 0.0
    spacing_s: float = 1.0
    times_s: tuple[float, ...] = ()  # from ``from_s``
    pressures_mbar: tuple[float, ...] = ()  # at the temperature of the start
    highest_mbar: float = 0.0
    gas_k: float = 0.0  # at the start
    gas_sd_k: float = 0.0
    hottest_c: float = 0.0
    coldest_c: float = 1e3  # surface that the chamber sees, lowest since the start
    condenser: bool = False  # that surface is the condenser
    spoiled: str = ""
    leak: Leak | None = None  # of the last isolation, with its uncertainty: made cold, it is the prior of the next


class Fit(NamedTuple):
    """Leak and initial outgassing rate, mbar/min, with their standard deviations, and the residuals' rms over the noise."""

    leak: Leak
    outgassing: float
    outgassing_sd: float
    late: float  # outgassing at the end, and its standard deviation
    late_sd: float
    rough: float


OPEN: Final = Rise()


def step(
    rise: Rise, inputs: Inputs, solvent: Solvent, chamber_m3: float, cold_leak: Leak | None, condenser_in_chamber: bool = True
) -> tuple[Rise, PressureRise | None]:
    """Return the memory after this scan, and the result in the scan in which an isolation has ended (None in all others).

    Args:
        rise: memory of the scan before; ``Rise()`` at the start.
        inputs: PV; isolation is what the valves' closed switches say, below ``HIGHEST_MBAR``.
        solvent: of the load.
        chamber_m3: free volume, m3.
        cold_leak: rise measured cold and clean (``Rise.leak`` after the leak test), None when unknown.
        condenser_in_chamber: the condenser takes vapour from the chamber while the vacuum valve is shut.
    """
    shut = _shut(inputs)
    if rise.from_s is None:
        return (_began(rise, inputs, condenser_in_chamber) if shut else rise), None
    if shut:
        return _watched(rise, inputs, condenser_in_chamber), None
    return _ended(rise, solvent, chamber_m3, cold_leak)


def fit(times_s: Array, pressures_mbar: Array, cold_leak: Leak | None) -> Fit:
    """Return leak and outgassing of one isolation; ``times_s`` and ``pressures_mbar`` (samples,)."""
    noise = NOISE_MBAR + NOISE_SHARE * float(pressures_mbar.mean())
    prior = Leak(0.0, FREE_LEAK) if cold_leak is None else cold_leak
    low_s, high_s = TAU_S
    for _ in range(REFINED):  # the grid closes in on where the decay time can be
        taus = np.geomspace(low_s, high_s, TAUS)
        log_weight, means, variances, chis = _given(times_s / 60.0, pressures_mbar, taus / 60.0, noise, prior)
        likely = np.flatnonzero(log_weight > log_weight.max() - UNLIKELY)
        low_s, high_s = float(taus[max(likely[0] - 1, 0)]), float(taus[min(likely[-1] + 1, TAUS - 1)])
    share = np.exp(log_weight - log_weight.max())
    share /= share.sum()
    mean = share @ means
    rough = float(np.sqrt(chis.min() / len(times_s)))
    sd = np.sqrt(share @ (variances + (means - mean) ** 2)) * max(1.0, rough)
    left = np.exp(-(times_s[-1] - times_s[0]) / taus)
    late = float(share @ (left * means[:, 2]))
    late_sd = float(np.sqrt(share @ (left**2 * variances[:, 2] + (left * means[:, 2] - late) ** 2))) * max(1.0, rough)
    return Fit(Leak(float(mean[1]), float(sd[1])), float(mean[2]), float(sd[2]), late, late_sd, rough)


def _given(t_min: Array, pressures_mbar: Array, taus_min: Array, noise: float, prior: Leak) -> tuple[Array, Array, Array, Array]:
    """Return log evidence (taus,), mean and variance of p0, L, S (taus, 3) and chi squared (taus,) for each decay time."""
    scale = np.array([NOISE_WIDE * noise, prior.sd_mbar_min, SOLVENT_SD])  # prior sd of p0, L, S
    centre = np.array([float(pressures_mbar[0]), prior.rate_mbar_min, 0.0])
    missing = (pressures_mbar - centre[0] - centre[1] * t_min) / noise
    design = np.ones((len(taus_min), len(t_min), 3))
    design[:, :, 1] = t_min
    design[:, :, 2] = -taus_min[:, None] * np.expm1(-t_min / taus_min[:, None])
    design *= scale / noise
    precision = np.einsum("kti,ktj->kij", design, design) + np.eye(3)
    x = np.linalg.solve(precision, np.einsum("kti,t->ki", design, missing)[:, :, None])[:, :, 0]
    chis: Array = ((missing - np.einsum("kti,ki->kt", design, x)) ** 2).sum(axis=1)
    log_evidence: Array = -0.5 * (chis + (x**2).sum(axis=1) + np.linalg.slogdet(precision)[1])
    variances = np.einsum("kii->ki", np.linalg.inv(precision)) * scale**2
    return log_evidence, centre + scale * x, variances, chis


def _shut(inputs: Inputs) -> bool:
    pressure = inputs.pressure_cap_mbar.value
    return (
        inputs.vac_valve_closed.value is True
        and inputs.n2_valve_closed.value is True
        and inputs.vent_valve_closed.value is True
        and inputs.exhaust_valve_closed.value is True
        and (pressure is None or pressure < HIGHEST_MBAR)
    )


def _began(rise: Rise, inputs: Inputs, condenser_in_chamber: bool) -> Rise:
    gas_k, sd_k = _gas(inputs)
    began = Rise(from_s=inputs.at_s, gas_k=gas_k, gas_sd_k=sd_k, last_s=-1.0, leak=rise.leak)
    return _watched(began, inputs, condenser_in_chamber)


def _gas(inputs: Inputs) -> tuple[float, float]:
    """Return the gas temperature, K, and its standard deviation (uniform between coldest wall and zones); 0 without a reading."""
    wall, coldest = _zones_c(inputs), inputs.coldest_wall_c.value
    if wall is None:
        return 0.0, 0.0
    cold = wall if coldest is None else coldest
    return kelvin(cold + GAS_WALL_SHARE * (wall - cold)), abs(wall - cold) / 12.0**0.5


def _zones_c(inputs: Inputs) -> float | None:
    zones = (inputs.z1_tc_a_c, inputs.z1_tc_b_c, inputs.z1_tc_c_c, inputs.z2_tc_a_c, inputs.z2_tc_b_c, inputs.z2_tc_c_c,
             inputs.z3_tc_a_c, inputs.z3_tc_b_c, inputs.z3_tc_c_c)  # fmt: skip
    good = [sample.value for sample in zones if sample.value is not None]
    return median(good) if good else None


def _watched(rise: Rise, inputs: Inputs, condenser_in_chamber: bool) -> Rise:
    """Return the memory with this scan's sample, if one is due, and with what spoils the test."""
    pressure, now_s = inputs.pressure_cap_mbar.value, inputs.at_s - (rise.from_s or 0.0)
    gas_k, _ = _gas(inputs)
    coldest, condenser = inputs.coldest_wall_c.value, inputs.condenser_c.value
    if pressure is None or gas_k <= 0.0 or rise.gas_k <= 0.0 or coldest is None:
        return replace(rise, last_s=now_s, spoiled="pressure gauge PT-301, zones or coldest wall gave no reading")
    rise = _colder(rise, coldest, False)
    if condenser_in_chamber and inputs.condenser_run.value is not False and condenser is not None:
        rise = _colder(rise, condenser, True)
    rise = replace(
        rise, last_s=now_s, highest_mbar=max(rise.highest_mbar, pressure), hottest_c=max(rise.hottest_c, _zones_c(inputs) or 0.0)
    )
    if rise.times_s and now_s - rise.times_s[-1] < 0.999 * rise.spacing_s:
        return rise
    times, pressures = (*rise.times_s, now_s), (*rise.pressures_mbar, pressure * rise.gas_k / gas_k)
    if len(times) <= SAMPLES:
        return replace(rise, times_s=times, pressures_mbar=pressures)
    return replace(rise, times_s=times[::2], pressures_mbar=pressures[::2], spacing_s=2.0 * rise.spacing_s)


def _colder(rise: Rise, temp_c: float, condenser: bool) -> Rise:
    return replace(rise, coldest_c=temp_c, condenser=condenser) if temp_c < rise.coldest_c else rise


def _ended(rise: Rise, solvent: Solvent, chamber_m3: float, cold_leak: Leak | None) -> tuple[Rise, PressureRise | None]:
    """Return a memory ready for the next isolation, and the result; None for one too short to say anything."""
    if rise.last_s < SHORTEST_S or len(rise.times_s) < FEWEST:
        return Rise(leak=rise.leak), None
    times_s, pressures_mbar = np.array(rise.times_s), np.array(rise.pressures_mbar)
    found = fit(times_s, pressures_mbar, cold_leak)
    kg_h = solvent.molar_mass_g_mol / 1e3 * PA_PER_MBAR * chamber_m3 / (R_J_PER_MOL_K * max(rise.gas_k, 1.0)) * 60.0  # per mbar/min
    share = VOLUME_SD**2 + (rise.gas_sd_k / max(rise.gas_k, 1.0)) ** 2 + (CURING_SD**2 if rise.hottest_c >= CURING_FROM_C else 0.0)
    why = _why_invalid(rise, found, solvent)
    mean_rise = float(pressures_mbar[-1] - pressures_mbar[0]) / (rise.times_s[-1] - rise.times_s[0]) * 60.0
    result = PressureRise(
        at_s=(rise.from_s or 0.0) + rise.last_s,
        isolated_s=rise.last_s,
        rise_mbar_min=mean_rise,
        leak_mbar_min=found.leak.rate_mbar_min,
        solvent_kg_h=kg_h * found.outgassing,
        solvent_sd_kg_h=kg_h * (found.outgassing_sd**2 + share * found.outgassing**2) ** 0.5,
        valid=not why,
        why_invalid=why,
        late_kg_h=kg_h * found.late,
        late_sd_kg_h=kg_h * (found.late_sd**2 + share * found.late**2) ** 0.5,
    )
    return Rise(leak=None if rise.spoiled else _whole_rise(times_s, pressures_mbar)), result


def _whole_rise(times_s: Array, pressures_mbar: Array) -> Leak:
    """Return the whole rise as a leak, which it is in a cold, clean oven: the regression's slope, and half of it for outgassing."""
    t_min = times_s / 60.0 - times_s.mean() / 60.0
    spread = float(t_min @ t_min)
    rate = max(0.0, float(t_min @ pressures_mbar) / spread)
    noise = NOISE_MBAR + NOISE_SHARE * float(pressures_mbar.mean())
    return Leak(rate, (noise**2 / spread + (0.5 * rate) ** 2) ** 0.5)


def _why_invalid(rise: Rise, found: Fit, solvent: Solvent) -> str:
    if rise.spoiled:
        return rise.spoiled
    if found.rough > ROUGH:
        return f"the pressure did not rise as leak and outgassing do: residuals {found.rough:.1f} times the noise"
    dew_mbar = saturation_pressure_pa(solvent, rise.coldest_c) / PA_PER_MBAR
    if rise.highest_mbar >= dew_mbar:
        name = "condenser" if rise.condenser else "coldest wall"
        return (
            f"{name} at {rise.coldest_c:.0f} degC takes vapour up above {dew_mbar:.2g} mbar, {rise.highest_mbar:.2g} mbar reached: "
            f"a lower bound of solvent with H2O, CO2 of curing"
        )
    return ""
