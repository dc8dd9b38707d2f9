"""The oven's field instruments: each one's own offset, gain and drift, its noise and the faults put in.

The load thermocouples touch only what a hand can reach: outer turn, an edge of the outermost layer, winding core; nothing shows the layers
inside, and the two on the outside also feel the wall.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from controller.units import PA_PER_MBAR
from sim.plant import instruments_kernel as kernel
from sim.plant.instruments_kernel import Readings
from sim.plant.oven_kernel import OVEN
from sim.plant.parameters import Parameters
from sim.plant.record import filled, place

if TYPE_CHECKING:
    from sim.plant.plant import Plant

Distortion = Callable[[float, float], float]  # (value, at_s) -> what the PLC gets; NaN is a broken sensor

_BLOCK = 256  # readings per block of noise
SCALE_KG = 0.002  # resolution of the condensate scale
_NUMBERS = SimpleNamespace(
    tc_lag_s=8.0,  # sheathed thermocouple in gas [assume]
    load_lag_s=25.0,  # load thermocouple, thicker sheath [assume]
    o2_lag_s=6.0,  # analyser and its sample line at normal flow [assume]
    o2_lowest_mbar=800.0,  # below this the sample pump draws nothing [assume]
    lel_lag_s=8.0,  # catalytic or infrared sensor in the duct [assume]
    condensate_lag_s=90.0,  # the liquid runs down and drips [assume]
    gauge_mbar=0.02,  # resolution of the capacitance gauge: 16 bit of 1300 mbar
    lel_step_pct=0.1,  # resolution of the exhaust's solvent sensor
    scale_kg=SCALE_KG,
    pa_per_mbar=PA_PER_MBAR,
    gas_constant=8.314,
)
_SEEN = np.array([place(OVEN, name) for name in kernel.SEEN])
_NO_ROLL = np.full(3, np.nan)
_AT = {name: at for at, name in enumerate(Readings._fields)}


class Instruments:
    """All field instruments of one oven; ``numbers`` is what they show, ``distortions`` are faults by signal name."""

    def __init__(self, parameters: Parameters, seed: int) -> None:
        """Draw each instrument's own offset and start the noise."""
        p = parameters
        self._law = filled(kernel.LAW, _NUMBERS, p)
        self._rng = np.random.default_rng(seed)
        offsets_c = 0.4 * self._rng.standard_normal(kernel.THERMOCOUPLES)  # class 1 after trimming [assume]
        offsets_c[kernel.LOADS] += p.load_offset_c
        self._drifts_k_h = p.tc_drift_k_h * self._rng.uniform(0.5, 1.5, kernel.THERMOCOUPLES)
        self._drifted_at_s = 0.0
        gauge_zero_mbar = 0.03 * self._rng.standard_normal()
        gauge_gain = 1.0 + 0.001 * self._rng.standard_normal()
        pirani_gain = 1.0 + 0.05 * self._rng.standard_normal()
        self._own = np.array([*[p.ambient_c] * 6, 20.9, 0.0, 0.0, gauge_zero_mbar, gauge_gain, pirani_gain, *offsets_c])
        self._noise, self._at = np.zeros(0), 0
        self._seen, self.numbers = np.zeros(len(kernel.SEEN)), np.zeros(len(Readings._fields))
        self.distortions: dict[str, Distortion] = {}

    def read(self, plant: "Plant", dt_s: float) -> Readings:
        """Return the readings; lags advance by ``dt_s``."""
        if self._at + kernel.NOISES > len(self._noise):
            self._noise, self._at = self._rng.standard_normal(kernel.NOISES * _BLOCK), 0
            self._drift(plant.at_s)
        heat = plant.heat
        core_c, surface_c = (_NO_ROLL, _NO_ROLL) if heat is None else (heat.temps_c[0], heat.surface_c)
        kernel.read(plant.state, _SEEN, self._seen, self._own, self._law, self._noise, self._at, dt_s, core_c, surface_c, self.numbers)
        self._at += kernel.NOISES
        for name, distort in self.distortions.items():
            at = _AT[name]
            self.numbers[at] = distort(self.numbers.item(at), plant.at_s)
        return Readings._make(self.numbers.tolist())

    def _drift(self, at_s: float) -> None:
        """Let the thermocouples drift; slow, so once per block of noise."""
        hours, self._drifted_at_s = (at_s - self._drifted_at_s) / 3600.0, at_s
        self._own[-kernel.THERMOCOUPLES :] += self._drifts_k_h * hours
