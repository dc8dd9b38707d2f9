"""The solvent table against the property package and against itself."""

import numpy as np
import pytest
from chemicals.identifiers import MW
from chemicals.phase_change import Tb
from chemicals.vapor_pressure import Psat_data_Landolt_Antoine, Psat_data_Perrys2_8

from controller.solvents import SOLVENTS, Solvent, density_g_cm3, saturation_pressure_pa

ALL = list(SOLVENTS.values())


@pytest.mark.parametrize(("temp_c", "kpa"), [(100, 3.362), (150, 22.45), (200, 92.44)])
def test_vapour_pressure_of_nmp(temp_c: float, kpa: float) -> None:
    assert saturation_pressure_pa(SOLVENTS["NMP"], temp_c) / 1e3 == pytest.approx(kpa, rel=1e-3)


@pytest.mark.parametrize("solvent", ALL, ids=lambda row: row.name)
def test_vapour_pressure_is_one_atmosphere_at_the_boiling_point(solvent: Solvent) -> None:
    assert saturation_pressure_pa(solvent, solvent.boiling_c) == pytest.approx(101325, rel=0.05)


@pytest.mark.parametrize("solvent", ALL, ids=lambda row: row.name)
def test_molar_mass_and_boiling_point_agree_with_the_package(solvent: Solvent) -> None:
    assert solvent.molar_mass_g_mol == pytest.approx(MW(solvent.cas), abs=0.01)
    assert solvent.boiling_c == pytest.approx(Tb(solvent.cas) - 273.15, abs=2.5)


@pytest.mark.parametrize("solvent", ALL, ids=lambda row: row.name)
def test_pinned_correlation_reproduces_its_source_over_its_range(solvent: Solvent) -> None:
    temps_c = np.linspace(solvent.antoine_low_c, solvent.antoine_high_c, 7)
    ours = [saturation_pressure_pa(solvent, float(temp_c)) for temp_c in temps_c]
    kelvin = temps_c + 273.15
    if solvent.antoine_source == "LANDOLT":
        row = Psat_data_Landolt_Antoine.loc[solvent.cas]
        assert row.Tmin - 1 <= kelvin[0] <= kelvin[-1] <= row.Tmax + 1
        assert ours == pytest.approx(np.exp(row.A - row.B / (kelvin + row.C)), rel=1e-6)
    elif solvent.antoine_source == "PERRY":
        row = Psat_data_Perrys2_8.loc[solvent.cas]
        assert row.Tmin <= kelvin[0] <= kelvin[-1] <= row.Tmax
        assert ours == pytest.approx(np.exp(row.C1 + row.C2 / kelvin + row.C3 * np.log(kelvin) + row.C4 * kelvin**row.C5), rel=0.01)
    else:
        assert saturation_pressure_pa(solvent, 62.5) == pytest.approx(1600, rel=0.01)


@pytest.mark.parametrize("solvent", ALL, ids=lambda row: row.name)
def test_evaporation_heat_agrees_with_the_slope_of_the_vapour_pressure(solvent: Solvent) -> None:
    at_k = min(150.0, solvent.boiling_c) + 273.15
    clapeyron = 8.314e-3 * at_k**2 * solvent.antoine_b_k / (at_k + solvent.antoine_c_k) ** 2
    assert solvent.evaporation_kj_mol == pytest.approx(clapeyron, rel=0.12)


@pytest.mark.parametrize("temp_c", [25.0, 100.0, 150.0, 200.0])
def test_density_of_nmp_follows_the_measured_polynomial(temp_c: float) -> None:
    kelvin = temp_c + 273.15
    assert density_g_cm3(SOLVENTS["NMP"], temp_c) == pytest.approx(1.26202 - 7.0026e-4 * kelvin - 2.8771e-7 * kelvin**2, rel=0.01)


@pytest.mark.parametrize("solvent", ALL, ids=lambda row: row.name)
def test_flammability_limits_are_a_window(solvent: Solvent) -> None:
    assert 0 < solvent.lel_pct < solvent.uel_pct < 50
    assert solvent.autoignition_c is None or solvent.autoignition_c > solvent.boiling_c
