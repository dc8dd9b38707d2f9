"""The gas in the chamber: N2, O2, solvent vapour and curing gas, what comes in and where it goes.

Amounts in mol, ideal gas in one well-mixed volume. Each sink takes a share x/(1+x) of what is there (implicit Euler), so that no step size
makes an amount negative and every mol taken is booked somewhere.
"""

from math import exp

from controller.units import AIR_O2_PCT, NORMAL_M3_MOL, PA_PER_MBAR, R_J_PER_MOL_K
from sim.plant.actuators import Field
from sim.plant.parameters import Parameters

_AIR_O2 = AIR_O2_PCT / 100.0


class Chamber:
    """Gas amounts in mol and the running totals of the solvent that left the gas, mol."""

    __slots__ = ("_p", "cold_wall_c", "condensed_mol", "condenser_c", "exhausted_mol", "leak_factor", "lel_flow_mol_s", "n2",
                 "n2_flow_nm3_h", "n2_supply", "n2_used_nm3", "o2", "other", "pressure_pa", "pumped_mol", "relief_lifted", "vapour",
                 "vapour_mol_pa", "vapour_pa", "wall_mol")  # fmt: skip

    def __init__(self, parameters: Parameters) -> None:
        """Fill with air at ambient pressure."""
        p = self._p = parameters
        mol = p.ambient_mbar * PA_PER_MBAR * p.chamber_m3 / (R_J_PER_MOL_K * (p.ambient_c + 273.15))
        self.o2, self.n2, self.vapour, self.other = mol * _AIR_O2, mol * (1.0 - _AIR_O2), 0.0, 0.0
        self.wall_mol, self.condensed_mol, self.pumped_mol, self.exhausted_mol = 0.0, 0.0, 0.0, 0.0
        self.cold_wall_c, self.condenser_c = p.ambient_c, p.ambient_c
        self.n2_flow_nm3_h, self.n2_used_nm3, self.n2_supply, self.leak_factor = 0.0, 0.0, 1.0, 1.0
        self.lel_flow_mol_s, self.relief_lifted = 0.0, False
        self.pressure_pa, self.vapour_pa = p.ambient_mbar * PA_PER_MBAR, 0.0
        self.vapour_mol_pa = mol / self.pressure_pa

    def saturation_pa(self, temp_c: float) -> float:
        """Return the solvent's vapour pressure, Pa (Antoine through LANDOLT's 336-477 K data; extrapolated below)."""
        p = self._p
        return p.psat_factor * exp(p.antoine_a - p.antoine_b_k / (temp_c + 273.15 + p.antoine_c_k))

    def step(self, dt_s: float, field: Field, walls_c: list[float], door_open: bool) -> None:
        """Advance everything but the film's own sources (see ``add``) by ``dt_s``."""
        p = self._p
        mean_c = (walls_c[0] + walls_c[1] + walls_c[2]) / 3.0
        cold_c = p.ambient_c + p.cold_wall_share * (mean_c - p.ambient_c)
        self.cold_wall_c += (cold_c - self.cold_wall_c) * dt_s / p.cold_wall_lag_s
        target_c = p.condenser_c if field.chiller.speed > 0.8 else p.ambient_c
        self.condenser_c += (target_c - self.condenser_c) * dt_s / p.condenser_lag_s
        rt = R_J_PER_MOL_K * (p.gas_wall_share * mean_c + (1.0 - p.gas_wall_share) * self.cold_wall_c + 273.15)
        pa_per_mol = rt / p.chamber_m3
        ambient_pa = p.ambient_mbar * PA_PER_MBAR
        self.lel_flow_mol_s = 0.0

        self._nitrogen(dt_s, field.n2_flow.position * field.n2.position)
        pressure = (self.n2 + self.o2 + self.vapour + self.other) * pa_per_mol
        if pressure < ambient_pa:
            leak = p.leak_mbar_l_s * 0.1 * self.leak_factor * (1.0 - pressure / ambient_pa) / (R_J_PER_MOL_K * (p.ambient_c + 273.15))
            self._air(min(leak * dt_s, (ambient_pa - pressure) / pa_per_mol))  # mbar l/s = 0.1 Pa m3/s
        if field.vent.position > 0.0 or door_open:
            self._exchange(dt_s, field.vent.position, pressure, ambient_pa, pa_per_mol, door_open)
        if self.vapour > 0.0 or self.wall_mol > 0.0:
            self._condense(dt_s, pa_per_mol, field)
        if field.vac.position > 0.0 and field.pump.speed > 0.0:
            self._pump(dt_s, field, field.throttle.position, pa_per_mol)
        pressure = (self.n2 + self.o2 + self.vapour + self.other) * pa_per_mol
        if field.exhaust.position > 0.0 and pressure > ambient_pa:  # a check valve lets nothing back
            x = dt_s * field.exhaust.position * (1.0 if field.exhaust_fan.speed > 0.5 else 0.3) / p.exhaust_s
            self._release((1.0 - ambient_pa / pressure) * x / (1.0 + x), dt_s, pa_per_mol, condenser=True)
        self.relief_lifted = pressure > p.relief_mbar * PA_PER_MBAR
        if self.relief_lifted:
            self._release(1.0 - ambient_pa / pressure, dt_s, pa_per_mol, condenser=False)
        self.pressure_pa = (self.n2 + self.o2 + self.vapour + self.other) * pa_per_mol
        self.vapour_pa = self.vapour * pa_per_mol
        self.vapour_mol_pa = 1.0 / pa_per_mol

    def add(self, vapour_mol: float, other_mol: float) -> None:
        """Take what the films gave off (a film that takes vapour up gives a negative amount)."""
        self.vapour += vapour_mol
        self.other += other_mol

    @property
    def sunk_mol(self) -> float:
        """Return the solvent that has left the gas so far, mol."""
        return self.wall_mol + self.condensed_mol + self.pumped_mol + self.exhausted_mol

    @property
    def o2_pct(self) -> float:
        """Return the true O2 content of the gas, vol %."""
        return 100.0 * self.o2 / (self.n2 + self.o2 + self.vapour + self.other)

    @property
    def vapour_lel_pct(self) -> float:
        """Return the solvent vapour in the chamber gas in percent of the lower explosive limit (which holds for air)."""
        return 1e4 * self.vapour / (self.n2 + self.o2 + self.vapour + self.other) / self._p.lel_pct

    def _nitrogen(self, dt_s: float, wanted_nm3_h: float) -> None:
        p = self._p
        wanted = min(wanted_nm3_h, p.n2_max_nm3_h) * self.n2_supply
        self.n2_flow_nm3_h += (wanted - self.n2_flow_nm3_h) * dt_s / (p.n2_lag_s + dt_s)
        if self.n2_flow_nm3_h > 1e-6:
            nm3 = self.n2_flow_nm3_h * dt_s / 3600.0
            self.n2_used_nm3 += nm3
            mol = nm3 * NORMAL_M3_MOL
            self.o2 += mol * p.n2_o2_ppm * 1e-6
            self.n2 += mol * (1.0 - p.n2_o2_ppm * 1e-6)

    def _air(self, mol: float) -> None:
        self.o2 += mol * _AIR_O2
        self.n2 += mol * (1.0 - _AIR_O2)

    def _exchange(self, dt_s: float, vent: float, pressure_pa: float, ambient_pa: float, pa_per_mol: float, door_open: bool) -> None:
        """Let air in (or gas out) through the vent valve, and mix with the hall through the open door."""
        if vent > 0.0 or door_open:
            x = dt_s * max(vent / self._p.vent_s, 1.0 if door_open else 0.0)
            missing = (ambient_pa - pressure_pa) / pa_per_mol * x / (1.0 + x)
            if missing > 0.0:
                self._air(missing)
            else:
                self._release(-missing * pa_per_mol / pressure_pa, dt_s, pa_per_mol, condenser=False)
        if door_open:
            x = dt_s / self._p.door_s
            share = x / (1.0 + x)
            before = self.n2 + self.o2 + self.vapour + self.other
            self._release(share, dt_s, pa_per_mol, condenser=False)
            self._air(before * share)

    def _condense(self, dt_s: float, pa_per_mol: float, field: Field) -> None:
        """Condense on the condenser, which sits behind the vacuum valve, and on the coldest wall, whose film evaporates again."""
        p = self._p
        total_pa = (self.n2 + self.o2 + self.vapour + self.other) * pa_per_mol
        inert_mbar = max(0.0, total_pa - self.vapour * pa_per_mol) / PA_PER_MBAR
        barrier = p.condenser_half_mbar / (p.condenser_half_mbar + inert_mbar)
        over = self.vapour - self.saturation_pa(self.condenser_c) / pa_per_mol
        if over > 0.0 and field.chiller.speed > 0.8:
            x = p.condenser_m3_s * field.vac.position * barrier * dt_s / p.chamber_m3
            taken = over * x / (1.0 + x)
            self.vapour -= taken
            self.condensed_mol += taken
        x = p.wall_film_m3_s * barrier * dt_s / p.chamber_m3
        taken = (self.vapour - self.saturation_pa(self.cold_wall_c) / pa_per_mol) * x / (1.0 + x)
        taken = max(taken, -self.wall_mol)
        self.vapour -= taken
        self.wall_mol += taken

    def _pump(self, dt_s: float, field: Field, throttle_pct: float, pa_per_mol: float) -> None:
        p = self._p
        mbar = self.pressure_pa / PA_PER_MBAR  # of the last step: in a steady state the speed then does not depend on the step
        speed = p.pump_m3_h * field.pump.speed * max(0.0, 1.0 - p.pump_end_mbar / mbar)
        if field.roots.speed > 0.0:
            speed += p.roots_m3_h * field.roots.speed * p.roots_cut_in_mbar / (p.roots_cut_in_mbar + 3.0 * mbar)
        conductance = p.throttle_m3_h * max(0.0, min(1.0, 0.01 * throttle_pct)) * field.vac.position
        if speed <= 0.0 or conductance <= 0.0:
            return
        x = dt_s * speed * conductance / (speed + conductance) / 3600.0 / p.chamber_m3
        share = x / (1.0 + x)
        vapour = self.vapour * share
        caught = self._caught(vapour, pa_per_mol)
        self.n2 -= self.n2 * share
        self.o2 -= self.o2 * share
        self.other -= self.other * share
        self.vapour -= vapour
        self.condensed_mol += caught
        self.pumped_mol += vapour - caught
        self.lel_flow_mol_s += (vapour - caught) / dt_s

    def _release(self, share: float, dt_s: float, pa_per_mol: float, *, condenser: bool) -> None:
        """Let ``share`` of the gas out, past the condenser or not."""
        vapour = self.vapour * share
        caught = self._caught(vapour, pa_per_mol) if condenser else 0.0
        self.n2 -= self.n2 * share
        self.o2 -= self.o2 * share
        self.other -= self.other * share
        self.vapour -= vapour
        self.condensed_mol += caught
        self.exhausted_mol += vapour - caught
        self.lel_flow_mol_s += (vapour - caught) / dt_s

    def _caught(self, vapour_mol: float, pa_per_mol: float) -> float:
        """Return how much of ``vapour_mol`` that passes the condenser stays there: nothing below saturation."""
        partial_pa = self.vapour * pa_per_mol
        if partial_pa <= 0.0:
            return 0.0
        left = self.saturation_pa(self.condenser_c) / partial_pa
        return vapour_mol * self._p.condenser_capture * (1.0 - left) if left < 1.0 else 0.0
