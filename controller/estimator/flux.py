"""Solvent seen leaving: condensate, exhaust, pressure rise, gathered over a window and then held against what each member predicted."""

from dataclasses import replace
from math import hypot
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.estimator.model import FluxWindow
from controller.estimator.parameters import value
from controller.estimator.vapour import exhaust_kg_s
from controller.image import Inputs
from controller.solvents import Solvent, saturation_pressure_pa
from controller.units import NORMAL_M3_MOL, R_J_PER_MOL_K, kelvin

Array = NDArray[np.float64]

SHORTEST_S: Final = 600.0
LONGEST_S: Final = 3600.0
_TELLING_ERRORS = 5.0  # solvent in a window, in standard deviations of the scale
_BLIND_SHARE = 0.1  # of a window that may pass unseen
_EMPTIED_KG = -0.05  # a drop of the condensate scale by more means that the trap was emptied
_LEL_ERROR_PCT = 0.5  # [assume] zero drift of the analyser
_FAINT_ERRORS = 4.0  # below so many errors the analyser's reading is no measurement
_CAPTURE = 0.9  # [assume] share of the vapour in flowing N2 that the condenser catches
_CAPTURE_SD = 0.08  # [assume]
_SLIP_SD = 0.3  # [text] vapour pressures below 65 degC are known to 15-30 %
_NOTHING_ERRORS = 3.0
_BALANCE_ERROR = 0.05  # [assume] of all solvent: walls, pump oil; the common gain is counted apart

_BALANCE_GROWTH = 1.1  # since the last look at the balance: its error is one and the same

OPENING: Final = FluxWindow(0.0, 0.0, 0.0, 0.0, None, 0, 0.0, 0.0, 0.0)


def observe(
    window: FluxWindow,
    solvent: Solvent,
    inputs: Inputs,
    chamber_m3: float,
    pressure_pa: float,
    pressure_rise_pa: float,
    holdup_pa: float,
    dt_s: float,
) -> FluxWindow:
    """Return the window after ``dt_s`` more.

    ``pressure_rise_pa`` is the chamber pressure's change in that time, ``holdup_pa`` the change of the solvent's partial pressure.
    """
    trapped = _trapped_kg(window, inputs)
    exhaust_kg_per_s = exhaust_kg_s(solvent, inputs)
    exhaust = None if exhaust_kg_per_s is None else exhaust_kg_per_s * dt_s
    per_pa = chamber_m3 * solvent.molar_mass_g_mol / 1e3 / (R_J_PER_MOL_K * _gas_k(inputs))
    uncertain = holdup_pa * per_pa  # signed: what the gas took up it gives back, and the noise of its measurement cancels
    seen, observed, passing = False, (trapped or 0.0) + (exhaust or 0.0), 0.0
    lel_pct = inputs.exhaust_lel_pct.value
    faint = lel_pct is None or lel_pct < _FAINT_ERRORS * _LEL_ERROR_PCT
    if exhaust is not None and lel_pct and not faint:
        uncertain += exhaust * _LEL_ERROR_PCT / lel_pct
    if inputs.vac_valve_open.value:
        slip = saturation_pressure_pa(solvent, _condenser_c(inputs)) / max(pressure_pa, 1e-3)
        observed = trapped or 0.0 if faint else observed  # the analyser's zero would add up over the hours
        seen = trapped is not None and slip < 0.5 and bool(inputs.condenser_run.value)
        uncertain += slip * abs(trapped or 0.0)
    elif inputs.exhaust_valve_open.value or inputs.n2_valve_open.value:
        alone = inputs.condenser_run.value is False  # else most is caught before the analyser, and only the trap's scale shows it
        seen = exhaust is not None and (alone or trapped is not None)
        if faint and trapped is not None and inputs.condenser_run.value:
            # The analyser's zero says less than the trap: what passed the condenser is taken from its capture. Signed, so that the scale's
            # noise cancels over the window.
            seen, observed = True, trapped / _CAPTURE
            passing = _slip_kg(solvent, inputs, pressure_pa, dt_s)
            uncertain += _CAPTURE_SD * trapped + _SLIP_SD * passing
        elif faint and exhaust is not None and lel_pct is not None:
            uncertain += (exhaust_kg_s(solvent, _drifted(inputs)) or 0.0) * dt_s
    elif _isolated(inputs):  # the pressure-rise test has its own observation; what waits in the gas is caught afterwards
        seen, observed = trapped is not None and bool(inputs.condenser_run.value), trapped or 0.0
        uncertain += pressure_rise_pa * per_pa
    return replace(
        window,
        elapsed_s=window.elapsed_s + dt_s,
        blind_s=window.blind_s + (0.0 if seen else dt_s),
        observed_kg=window.observed_kg + (observed if seen else 0.0),
        uncertain_kg=window.uncertain_kg + (uncertain if seen else 0.0),
        condensate_kg=inputs.condensate_kg.value,
        slip_kg=window.slip_kg + (passing if seen else 0.0),
    )


def shown_kg(window: FluxWindow, leaving_kg: Array) -> Array:
    """Return what the instruments show of ``leaving_kg`` (any shape): all but what passes a condenser that the gas has not saturated."""
    return np.maximum(leaving_kg - window.slip_kg, 0.0)


def full(window: FluxWindow, expected_kg: float) -> bool:
    """Return whether the window is worth a comparison: enough solvent for the scale to tell, or an hour, whichever comes first."""
    telling = max(abs(window.observed_kg), expected_kg) >= _TELLING_ERRORS * value("condensate_error")
    return window.elapsed_s >= LONGEST_S or (window.elapsed_s >= SHORTEST_S and telling)


def usable(window: FluxWindow, most_kg: float) -> bool:
    """Return whether enough of the window was seen, and well enough, to compare it with members that predict ``most_kg`` at the most.

    Instruments that may be wrong by far more than any member gives off, and show no more than that, tell nothing: valves that move in a
    purge over a cold load. Nor does a trap that grows lighter: a film takes back what hangs in the gas, not what is caught.
    """
    lost = abs(window.uncertain_kg) > _NOTHING_ERRORS * max(most_kg, value("condensate_error"))
    backwards = window.observed_kg < -_NOTHING_ERRORS * hypot(value("condensate_error"), window.uncertain_kg)
    told = not backwards and not (lost and abs(window.observed_kg) < 2 * abs(window.uncertain_kg))
    return window.blind_s <= _BLIND_SHARE * window.elapsed_s and told


def deviation_kg(window: FluxWindow, expected_kg: float) -> float:
    """Return the standard deviation of observed minus predicted: model, scale and drain, and what the routes added."""
    scale = max(abs(window.observed_kg), expected_kg)
    late = value("flux_lag") / max(window.elapsed_s, SHORTEST_S) * abs(window.observed_kg - expected_kg)
    return hypot(value("flux_model_error") * scale, value("condensate_error"), window.uncertain_kg, 0.5 * late)


def reopened(window: FluxWindow, expected_kg: float, conflicts: int, *, seen: bool) -> FluxWindow:
    """Return an empty window that continues the balance from the last condensate reading.

    What was not ``seen`` leaving enters the balance as expected, with a deviation as large.
    """
    return replace(
        OPENING,
        condensate_kg=window.condensate_kg,
        conflicts=conflicts,
        balance_kg=window.balance_kg + (window.observed_kg if seen else expected_kg),
        balance_sd_kg=window.balance_sd_kg + (window.uncertain_kg if seen else abs(expected_kg)),
        balanced_kg=window.balanced_kg,
    )


def balance_tells(window: FluxWindow) -> bool:
    """Return whether the balance has grown enough since it was last held against the members to tell something new."""
    return window.balance_kg > max(_BALANCE_GROWTH * window.balanced_kg, 3 * value("condensate_error"))


def balance_deviation_kg(window: FluxWindow) -> float:
    """Return the standard deviation of the balance since the start: capture, scale, and what was not seen."""
    return hypot(_BALANCE_ERROR * window.balance_kg, value("condensate_error"), window.balance_sd_kg)


def _trapped_kg(window: FluxWindow, inputs: Inputs) -> float | None:
    now = inputs.condensate_kg.value
    if now is None or window.condensate_kg is None:
        return None
    gain = now - window.condensate_kg
    return None if gain < _EMPTIED_KG else gain


def _slip_kg(solvent: Solvent, inputs: Inputs, pressure_pa: float, dt_s: float) -> float:
    """Return the solvent that N2 flowing out can carry past the condenser in ``dt_s``: saturated at its temperature."""
    flow = (inputs.n2_flow_nm3_h.value or 0.0) if inputs.exhaust_valve_open.value else 0.0
    saturated_pa = min(saturation_pressure_pa(solvent, _condenser_c(inputs)), 0.9 * pressure_pa)
    mol = flow * NORMAL_M3_MOL / 3600 * dt_s * saturated_pa / (pressure_pa - saturated_pa)
    return mol * solvent.molar_mass_g_mol / 1e3


def _drifted(inputs: Inputs) -> Inputs:
    """Return ``inputs`` with an analyser that shows nothing but its own error."""
    return inputs._replace(exhaust_lel_pct=inputs.exhaust_lel_pct._replace(value=_LEL_ERROR_PCT))


def _condenser_c(inputs: Inputs) -> float:
    seen_c = inputs.condenser_c.value
    return 10.0 if seen_c is None else max(seen_c, -15.0)


def _gas_k(inputs: Inputs) -> float:
    wall_c = inputs.z2_tc_a_c.value
    return kelvin(150.0 if wall_c is None else wall_c)


def _isolated(inputs: Inputs) -> bool:
    shut = (inputs.vac_valve_closed, inputs.n2_valve_closed, inputs.vent_valve_closed, inputs.exhaust_valve_closed)
    return all(valve.value is True for valve in shut)
