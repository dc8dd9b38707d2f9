"""What the transmitters show: the truth with lag, noise, offset, drift, gas dependence and quantisation.

The load thermocouples touch only what a hand can reach: outer turn, an edge of the outermost layer, winding core; nothing shows the layers
inside, and the two on the outside also feel the wall.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from controller.units import PA_PER_MBAR
from sim.plant.actuators import Actuators
from sim.plant.parameters import Parameters
from sim.plant.roll import LAYERS

if TYPE_CHECKING:
    from sim.plant.plant import Plant

Distortion = Callable[[float, float], float]  # (value, at_s) -> what the PLC gets; NaN is a broken sensor

_NOISES = 32  # numbers used per reading
_BLOCK = 256  # readings per block of noise
TC_LAG_S = 8.0  # sheathed thermocouple in gas [assume]
LOAD_LAG_S = 25.0  # load thermocouple, thicker sheath [assume]
O2_LAG_S = 6.0  # analyser and its sample line at normal flow [assume]
O2_LOWEST_MBAR = 800.0  # below this the sample pump draws nothing [assume]
LEL_LAG_S = 8.0  # catalytic or infrared sensor in the duct [assume]
CONDENSATE_LAG_S = 90.0  # the liquid runs down and drips [assume]
CONTACT = 0.98  # of a thermocouple taped to the roll; the rest is the wall's radiation [assume]
GAUGE_MBAR = 0.02  # resolution of the capacitance gauge: 16 bit of 1300 mbar
LEL_PCT = 0.1  # resolution of the exhaust's solvent sensor
SCALE_KG = 0.002  # resolution of the condensate scale


class Instruments:
    """All field instruments of one oven; ``distortions`` are faults by signal name."""

    def __init__(self, parameters: Parameters, seed: int) -> None:
        """Draw each instrument's own offset and start the noise."""
        p = self._p = parameters
        self._rng = np.random.default_rng(seed)
        self._offsets = [0.4 * x for x in self._rng.standard_normal(16).tolist()]  # thermocouples class 1 after trimming [assume]
        self._drifts_k_h = [p.tc_drift_k_h * x for x in self._rng.uniform(0.5, 1.5, 16).tolist()]
        self._drifted_at_s = 0.0
        self._gauge_zero_mbar = 0.03 * float(self._rng.standard_normal())
        self._gauge_gain = 1.0 + 0.001 * float(self._rng.standard_normal())
        self._pirani_gain = 1.0 + 0.05 * float(self._rng.standard_normal())
        self._noise: list[float] = []
        self._at = 0
        self._zones = [p.ambient_c] * 3
        self._loads = [p.ambient_c] * 3
        self._o2, self._lel, self._drips_kg = 20.9, 0.0, 0.0
        self.distortions: dict[str, Distortion] = {}
        self.values: dict[str, float] = {}

    def read(self, plant: "Plant", dt_s: float, a: Actuators) -> dict[str, float]:
        """Return the readings; lags advance by ``dt_s``."""
        at = self._at
        if at + _NOISES > len(self._noise):
            self._noise, at = self._rng.standard_normal(_NOISES * _BLOCK).tolist(), 0
            self._drift(plant.at_s)
        self._at = at + _NOISES
        noise = self._noise[at : at + _NOISES]
        self._temperatures(plant, dt_s, noise)
        self._gas(plant, dt_s, noise)
        self._field(plant, a)
        values = self.values
        for name, distort in self.distortions.items():
            values[name] = distort(values[name], plant.at_s)
        return values

    def _drift(self, at_s: float) -> None:
        """Let the thermocouples drift; slow, so once per block of noise."""
        hours, self._drifted_at_s = (at_s - self._drifted_at_s) / 3600.0, at_s
        self._offsets = [offset + drift * hours for offset, drift in zip(self._offsets, self._drifts_k_h, strict=True)]

    def _temperatures(self, plant: "Plant", dt_s: float, noise: list[float]) -> None:
        v, o = self.values, self._offsets
        w1, w2, w3 = plant.heaters.walls_c
        z1, z2, z3 = self._zones
        k = dt_s / (TC_LAG_S + dt_s)
        z1, z2, z3 = z1 + k * (w1 - z1), z2 + k * (w2 - z2), z3 + k * (w3 - z3)
        self._zones = [z1, z2, z3]
        n = noise
        v["z1_tc_a_c"] = z1 + o[0] + 0.15 * n[0]
        v["z1_tc_b_c"] = z1 + o[1] + 0.15 * n[1]
        v["z1_tc_c_c"] = z1 + o[2] + 0.15 * n[2]
        v["z1_limit_c"] = z1 + o[3] + 0.2 * n[3]
        v["z2_tc_a_c"] = z2 + o[4] + 0.15 * n[4]
        v["z2_tc_b_c"] = z2 + o[5] + 0.15 * n[5]
        v["z2_tc_c_c"] = z2 + o[6] + 0.15 * n[6]
        v["z2_limit_c"] = z2 + o[7] + 0.2 * n[7]
        v["z3_tc_a_c"] = z3 + o[8] + 0.15 * n[8]
        v["z3_tc_b_c"] = z3 + o[9] + 0.15 * n[9]
        v["z3_tc_c_c"] = z3 + o[10] + 0.15 * n[10]
        v["z3_limit_c"] = z3 + o[11] + 0.2 * n[11]
        heat = plant.heat
        if heat is None:  # the load thermocouples hang in the gas
            outer = edge = core = w2
        else:
            temps = heat.temps_c
            outer, edge, core = temps.item(LAYERS, 1), temps.item(LAYERS, 0), temps.item(0, 0)
            outer += (1.0 - CONTACT) * (w2 - outer)
            edge += (1.0 - CONTACT) * (w1 - edge)
        k = dt_s / (LOAD_LAG_S + dt_s)
        a, b, c = self._loads
        a, b, c = a + k * (outer - a), b + k * (edge - b), c + k * (core - c)
        self._loads = [a, b, c]
        v["load_outer_c"] = a + o[12] + 0.1 * n[12]
        v["load_edge_c"] = b + o[13] + 0.1 * n[13]
        v["load_core_c"] = c + o[14] + 0.1 * n[14]
        v["coldest_wall_c"] = plant.chamber.cold_wall_c + 0.1 * n[15]
        v["condenser_c"] = plant.chamber.condenser_c + 0.1 * n[16]
        v["cooling_c"] = self._p.cooling_c + 0.02 * (w2 - self._p.cooling_c) + 0.1 * n[17]

    def _gas(self, plant: "Plant", dt_s: float, n: list[float]) -> None:
        v, p, c = self.values, self._p, plant.chamber
        mbar = c.pressure_pa / PA_PER_MBAR
        gauge_mbar = mbar * (self._gauge_gain + 0.0004 * n[18]) + self._gauge_zero_mbar + 0.01 * n[19]
        v["pressure_cap_mbar"] = max(0.0, round(gauge_mbar / GAUGE_MBAR) * GAUGE_MBAR)
        heavy = c.vapour / (c.n2 + c.o2 + c.vapour + c.other)
        # vapour conducts heat better than N2 at low pressure, and above 50 mbar a Pirani hardly sees the pressure
        factor = (1.0 + 0.6 * heavy) * (1.0 + 0.12 * mbar / (mbar + 50.0)) * self._pirani_gain
        v["pressure_pirani_mbar"] = min(1200.0, mbar * factor * (1.0 + 0.01 * n[20]))
        v["n2_header_bar"] = max(0.0, p.n2_header_bar * c.n2_supply - 0.005 * c.n2_flow_nm3_h + 0.02 * n[21])
        v["n2_flow_nm3_h"] = max(0.0, c.n2_flow_nm3_h * (1.0 + 0.005 * n[22]))
        v["n2_reserve_nm3"] = max(0.0, p.n2_reserve_nm3 - c.n2_used_nm3)
        flows = mbar > O2_LOWEST_MBAR
        if flows:  # without sample flow the reading just stays where it was
            self._o2 += (c.o2_pct - self._o2) * dt_s / (O2_LAG_S + dt_s)
        v["o2_pct"] = max(0.0, self._o2 * (1.0 + 0.005 * n[23]) + 0.0005 * n[24])
        v["o2_sample_flow_l_min"] = 1.0 + 0.02 * n[25] if flows else 0.0
        v["o2_ready"] = v["o2_cal_ok"] = True
        v["room_o2_pct"] = 20.9 + 0.02 * n[26] - (0.0 if plant.door_closed else 0.04 * c.n2_flow_nm3_h)
        flow_m3_h = p.exhaust_fan_m3_h * plant.field.exhaust_fan.speed + 0.5
        duct_mol_s = flow_m3_h / 3600.0 * p.ambient_mbar * PA_PER_MBAR / (8.314 * (p.ambient_c + 273.15))
        lel = min(120.0, 1e4 * c.lel_flow_mol_s / (duct_mol_s * p.lel_pct))
        self._lel += (lel - self._lel) * dt_s / (LEL_LAG_S + dt_s)
        v["exhaust_lel_pct"] = min(100.0, max(0.0, round((p.lel_gain * self._lel + 0.2 * n[27]) / LEL_PCT) * LEL_PCT))
        v["exhaust_flow_m3_h"] = max(0.0, flow_m3_h * (1.0 + 0.01 * n[28]))
        collected = c.condensed_mol * p.solvent_kg_mol
        self._drips_kg += (collected - self._drips_kg) * dt_s / (CONDENSATE_LAG_S + dt_s)
        v["condensate_kg"] = round((self._drips_kg + 0.0008 * n[29]) / SCALE_KG) * SCALE_KG
        v["cooling_flow_l_min"] = 40.0 + 0.3 * n[30]

    def _field(self, plant: "Plant", a: Actuators) -> None:
        v, f = self.values, plant.field
        powered = f.main_closed
        v["main_contactor"] = powered
        v["z1_contactor"] = v["z2_contactor"] = v["z3_contactor"] = a.zone_contactors
        on = powered and a.zone_contactors
        v["z1_op_pct"], v["z2_op_pct"], v["z3_op_pct"] = a.zone_op_pct if on else (0.0, 0.0, 0.0)
        v["pump_run"], v["roots_run"] = f.pump.speed > 0.8, f.roots.speed > 0.8
        v["vac_valve_open"], v["vac_valve_closed"] = f.vac.opened, f.vac.shut
        v["n2_valve_open"], v["n2_valve_closed"] = f.n2.opened, f.n2.shut
        v["vent_valve_open"], v["vent_valve_closed"] = f.vent.opened, f.vent.shut
        v["exhaust_valve_open"], v["exhaust_valve_closed"] = f.exhaust.opened, f.exhaust.shut
        v["exhaust_run"], v["circulation_run"], v["condenser_run"] = (
            f.exhaust_fan.speed > 0.8,
            f.circulation.speed > 0.8,
            f.chiller.speed > 0.8,
        )
        v["door_closed_a"] = v["door_closed_b"] = plant.door_closed
        v["door_locked"] = plant.door_locked
        v["estop_ok"], v["overtemp_ok"], v["relief_ok"] = plant.estop_ok, plant.limiter_ok, not plant.chamber.relief_lifted
        v["hardwired_ok"] = plant.chain_ok
        v["remote"] = plant.remote
