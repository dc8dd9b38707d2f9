"""The gas in the chamber as the rest sees it: N2, O2, solvent vapour, curing gas, and where solvent went; ``oven_kernel`` advances it."""

from controller.units import AIR_O2_PCT, PA_PER_MBAR, R_J_PER_MOL_K
from sim.plant.oven_kernel import OVEN
from sim.plant.parameters import Parameters
from sim.plant.record import Array, Flag, Number

AIR_O2 = AIR_O2_PCT / 100.0


class Chamber:
    """Gas amounts in mol and the running totals of the solvent that left the gas, mol."""

    n2, o2, vapour, other = (Number(OVEN, name) for name in ("n2", "o2", "vapour", "other"))
    wall_mol, condensed_mol = Number(OVEN, "wall_mol"), Number(OVEN, "condensed_mol")
    pumped_mol, exhausted_mol = Number(OVEN, "pumped_mol"), Number(OVEN, "exhausted_mol")
    cold_wall_c, condenser_c = Number(OVEN, "cold_wall_c"), Number(OVEN, "condenser_c")
    n2_flow_nm3_h, n2_used_nm3 = Number(OVEN, "n2_flow_nm3_h"), Number(OVEN, "n2_used_nm3")
    n2_supply, leak_factor = Number(OVEN, "n2_supply"), Number(OVEN, "leak_factor")  # of the normal: faults
    pressure_pa, vapour_pa, vapour_mol_pa = (Number(OVEN, name) for name in ("pressure_pa", "vapour_pa", "vapour_mol_pa"))
    relief_lifted = Flag(OVEN, "relief_lifted")

    def __init__(self, parameters: Parameters, state: Array) -> None:
        """Show the gas in the oven's ``state``: air at ambient pressure."""
        p = self._p = parameters
        self.state, self.at = state, 0
        mol = p.ambient_mbar * PA_PER_MBAR * p.chamber_m3 / (R_J_PER_MOL_K * (p.ambient_c + 273.15))
        self.o2, self.n2 = mol * AIR_O2, mol * (1.0 - AIR_O2)
        self.cold_wall_c, self.condenser_c = p.ambient_c, p.ambient_c
        self.n2_supply, self.leak_factor = 1.0, 1.0
        self.pressure_pa = p.ambient_mbar * PA_PER_MBAR
        self.vapour_mol_pa = mol / self.pressure_pa

    def add(self, vapour_mol: float, other_mol: float) -> None:
        """Take vapour and other gas from somewhere else."""
        self.vapour += vapour_mol
        self.other += other_mol

    @property
    def sunk_mol(self) -> float:
        """Return the solvent that has left the gas so far, mol."""
        return self.wall_mol + self.condensed_mol + self.pumped_mol + self.exhausted_mol

    @property
    def mol(self) -> float:
        """Return all gas, mol."""
        return self.n2 + self.o2 + self.vapour + self.other

    @property
    def o2_pct(self) -> float:
        """Return the true O2 content of the gas, vol %."""
        return 100.0 * self.o2 / self.mol

    @property
    def vapour_lel_pct(self) -> float:
        """Return the solvent vapour in the chamber gas in percent of the lower explosive limit (which holds for air)."""
        return 1e4 * self.vapour / self.mol / self._p.lel_pct
