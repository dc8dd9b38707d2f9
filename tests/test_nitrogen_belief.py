"""What flowing nitrogen does to the solvent on its way to the instruments: through the gap, and past the condenser."""

from dataclasses import replace

import numpy as np
import pytest

from controller.estimator import EstimatorSettings, LoadState, flux, layers
from controller.estimator.belief import fresh, pack, unpack
from controller.estimator.constants import COLUMN
from controller.estimator.members import MEMBERS, members_of
from controller.estimator.step import _solvent
from controller.image import Inputs, blank
from controller.solvents import SOLVENTS, saturation_pressure_pa
from controller.tags import Quality, Sample

SAMPLE = LoadState(
    length_m=20, width_m=0.5, film_um=20, foil_um=18, gap_um=100, core_mm=150, predry_residual_wt_pct=18, residual_sd_wt_pct=1
)
NMP = SOLVENTS["NMP"]
ATM_PA = 101325.0


def model(push_pa: float, gap: float = 1.0, width_m: float = 0.5) -> layers.Model:
    uncertain = layers.Uncertain.median(1, 1e-6)._replace(push_pa=np.full(1, push_pa), gap_factor=np.full(1, gap))
    return layers.build(replace(SAMPLE, width_m=width_m), NMP, uncertain, ("outer", "edge"), 5)


def lost_kg(built: layers.Model, pressure_pa: float, hours: float = 1.0) -> float:
    state = layers.initial(built, 430.0, np.full(1, 0.15))
    return float(layers.advance(built, layers.Slow.none(1), state, layers.Drive(430.0, 430.0, pressure_pa, 0.0), 3600.0 * hours).left_kg[0])


def test_circulation_carries_what_plug_flow_through_the_gap_carries() -> None:
    """v = g2 dp / 12 mu W; a square metre of film gives v g p / R T W: the same as an exchange of v W / 8 over the squared half width."""
    push_pa, gap_m, mu, width_m = 6.0, 1e-4, 2.6e-5, 0.5
    v_m_s = gap_m**2 * push_pa / (12 * mu * width_m)
    swept_m2_s = float(model(push_pa).table[0, COLUMN["swept_m2_pa_s"]]) * ATM_PA
    assert 2 * swept_m2_s / (width_m / 2) ** 2 == pytest.approx(v_m_s / width_m)
    assert float(model(push_pa, gap=2.0).table[0, COLUMN["swept_m2_pa_s"]]) * ATM_PA == pytest.approx(4 * swept_m2_s)


def test_circulation_dries_a_roll_in_nitrogen_and_none_in_a_vacuum() -> None:
    still, blown = model(0.0), model(20.0)
    assert lost_kg(blown, ATM_PA) > 2 * lost_kg(still, ATM_PA)
    assert lost_kg(blown, 1e3) == pytest.approx(lost_kg(still, 1e3), rel=0.02)


def flowing(at_s: float, condensate_kg: float, *, exhaust: bool = True) -> Inputs:
    good = Quality.GOOD
    values = {
        "condensate_kg": condensate_kg, "n2_flow_nm3_h": 30.0, "exhaust_flow_m3_h": 600.0, "exhaust_lel_pct": 0.0, "condenser_c": -5.0,
        "pressure_cap_mbar": 1013.25, "z2_tc_a_c": 190.0,
    }  # fmt: skip
    flags = {"n2_valve_open": True, "exhaust_valve_open": exhaust, "vac_valve_open": False, "condenser_run": True}
    return blank(at_s, 10.0, good)._replace(**{name: Sample(value, good, at_s) for name, value in (values | flags).items()})  # type: ignore[arg-type]


def window(trapped_kg: float, hours: float = 1.0, *, exhaust: bool = True) -> flux.FluxWindow:
    found = replace(flux.OPENING, condensate_kg=0.0)
    steps = round(360 * hours)
    for number in range(1, steps + 1):
        inputs = flowing(10.0 * number, trapped_kg * number / steps, exhaust=exhaust)
        found = flux.observe(found, NMP, inputs, 2.0, ATM_PA, 0.0, 0.0, 10.0)
    return found


def test_nitrogen_takes_saturated_vapour_past_the_condenser() -> None:
    """30 Nm3/h are 1338 mol/h, which carry their share at the condenser's saturation pressure."""
    saturated_pa = saturation_pressure_pa(NMP, -5.0)
    expected_kg = 30.0 * 44.615 * saturated_pa / (ATM_PA - saturated_pa) * NMP.molar_mass_g_mol / 1e3
    assert 0.001 < expected_kg < 0.01
    assert window(0.0).slip_kg == pytest.approx(expected_kg, rel=1e-3)
    assert window(0.0, exhaust=False).slip_kg == 0.0  # a chamber that fills lets nothing out


def test_an_empty_trap_says_nothing_of_members_whose_vapour_would_all_have_passed_it() -> None:
    members = members_of(EstimatorSettings(), SAMPLE)
    seen = window(0.0)
    leaving_kg = np.linspace(0.0, 0.9, MEMBERS) * seen.slip_kg * np.exp(-0.3)  # whatever the gain
    belief = fresh(members, 190.0)._replace(leaving_kg=leaving_kg)
    after, opened = _solvent(members, belief, seen, layers.Gas(ATM_PA, 0.0))
    assert after.state.block == pytest.approx(belief.state.block, rel=1e-12)
    assert after.hidden_kg == pytest.approx(leaving_kg * np.exp(belief.log_gain))
    assert opened.elapsed_s == 0.0


def test_behind_a_running_condenser_an_analyser_alone_sees_nothing() -> None:
    """It shows what the condenser lets through; without the trap's scale nobody knows what that is a part of."""
    blind, running = (
        replace(flux.OPENING, condensate_kg=0.0),
        flowing(10.0, 0.0)._replace(condensate_kg=Sample(None, Quality.BAD_SENSOR, 0.0)),
    )
    seen = flux.observe(blind, NMP, running, 2.0, ATM_PA, 0.0, 0.0, 10.0)
    assert seen.blind_s == 10.0
    off = running._replace(condenser_run=Sample(False, Quality.GOOD, 0.0))
    nothing, little = (
        flux.observe(blind, NMP, off._replace(exhaust_lel_pct=Sample(lel, Quality.GOOD, 0.0)), 2.0, ATM_PA, 0.0, 0.0, 10.0)
        for lel in (0.0, 0.4)
    )
    assert nothing.blind_s == little.blind_s == 0.0
    assert nothing.uncertain_kg == pytest.approx(little.uncertain_kg)  # the analyser's zero, whatever it shows
    assert nothing.uncertain_kg > little.observed_kg > 0.0


def test_an_empty_trap_speaks_against_members_that_would_have_filled_it() -> None:
    members = members_of(EstimatorSettings(), SAMPLE)
    seen, state = window(0.0), fresh(members, 190.0)
    more = np.exp(0.3 * state.slow.log_way)  # those with a wider way give more
    belief = state._replace(leaving_kg=seen.slip_kg + 0.03 * more)
    after, _ = _solvent(members, belief, seen, layers.Gas(ATM_PA, 0.0))
    assert after.slow.log_way.mean() < belief.slow.log_way.mean() - 0.05


@pytest.mark.parametrize(
    ("observed_kg", "uncertain_kg", "told"), [(0.02, 0.005, True), (0.0, 0.6, False), (1.5, 0.6, True), (-0.1, 0.001, False)]
)
def test_instruments_that_could_be_wrong_by_more_than_there_is_tell_nothing(observed_kg: float, uncertain_kg: float, told: bool) -> None:
    seen = replace(flux.OPENING, elapsed_s=3600.0, observed_kg=observed_kg, uncertain_kg=uncertain_kg)
    assert flux.usable(seen, 0.01) is told


def test_what_passed_unseen_is_kept_with_the_belief() -> None:
    belief = fresh(members_of(EstimatorSettings(), SAMPLE), 25.0)._replace(hidden_kg=np.arange(MEMBERS) / 1e3)
    again = unpack(pack(belief))
    assert np.array_equal(again.hidden_kg, belief.hidden_kg)
    assert np.array_equal(again.leaving_kg, belief.leaving_kg)
