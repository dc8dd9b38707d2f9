"""The estimator from outside: what a batch looks like through start, step and advance."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from controller.estimator import EstimatorMemory, EstimatorSettings, LoadState, Target, advance, layers, start, step
from controller.estimator.belief import COLUMNS, unpack
from controller.estimator.constants import COLUMN
from controller.estimator.layers import Slow, mean_u
from controller.estimator.members import _DIMENSIONS, CELLS, MEMBERS, SENSORS, design, members_of
from controller.estimator.model import POSITIONS
from controller.estimator.parameters import PARAMETERS, spread, value
from controller.image import Estimate, Inputs, blank
from controller.solvents import SOLVENTS
from controller.tags import Quality, Sample
from tests.known import ESTIMATOR

TRIAL = LoadState(length_m=20, width_m=0.5, film_um=20, foil_um=18, gap_um=100, core_mm=76, predry_residual_wt_pct=20, residual_sd_wt_pct=1)
PRODUCTION = replace(TRIAL, length_m=1000, core_mm=152)
SITE = EstimatorSettings(**{**ESTIMATOR, "period_s": 10.0})
TARGET = Target(residual_max=0.01, insoluble_low=0.01, insoluble_high=0.99, probability=0.9)
ADAPTER = TypeAdapter(EstimatorMemory)


def good(value: float) -> Sample[float]:
    return Sample(value, Quality.GOOD, 0.0)


def closed(yes: bool) -> Sample[bool]:
    return Sample(yes, Quality.GOOD, 0.0)


def reading(at_s: float, temp_c: float | None, pressure_mbar: float | None = 1.0, **more: float) -> Inputs:
    image = blank(at_s, 1.0, Quality.ABSENT)._replace(coldest_wall_c=good(40.0), **{name: good(value) for name, value in more.items()})
    if temp_c is not None:
        image = image._replace(**{f"z{zone}_tc_{letter}_c": good(temp_c) for zone in (1, 2, 3) for letter in "abc"})
    if pressure_mbar is not None:
        image = image._replace(pressure_cap_mbar=good(pressure_mbar), pressure_pirani_mbar=good(pressure_mbar))
    return image


def after(memory: EstimatorMemory, hours: float, top_c: float, every_s: float = 10.0, site: EstimatorSettings = SITE) -> EstimatorMemory:
    """Heat by 2 K/min from where the wall is to ``top_c`` and stay there."""
    at_s, end_s, wall_c = memory.at_s, memory.at_s + hours * 3600, memory.wall_k - 273.15
    while at_s < end_s - 1e-6:
        at_s += every_s
        wall_c = min(wall_c + every_s / 30, top_c)
        stepped, _ = step(site, memory, reading(at_s, wall_c), TARGET)
        assert stepped is not None
        memory = stepped
    return memory


@pytest.fixture(scope="module")
def soaked() -> EstimatorMemory:
    return after(start(SITE, TRIAL, 0.0, 25.0), 4.0, 240.0)


def test_without_a_batch_the_estimate_says_so() -> None:
    memory, estimate = step(SITE, None, reading(0.0, 25.0), None)
    assert memory is None
    assert not estimate.valid
    assert estimate.why_invalid == "no batch"


def test_before_the_first_reading_nothing_is_claimed() -> None:
    memory = start(SITE, TRIAL, 100.0, 25.0)
    assert not memory.estimate.valid
    assert "readings" in memory.estimate.why_invalid
    assert memory.estimate.residual_solvent.value == pytest.approx(0.2, abs=0.002)
    assert memory.estimate.residual_solvent.high == pytest.approx(0.2 + 1.645 * 0.01, abs=0.002)


def test_between_updates_memory_and_estimate_are_the_same_objects(soaked: EstimatorMemory) -> None:
    memory, estimate = step(SITE, soaked, reading(soaked.at_s + 9.9, 240.0), TARGET)
    assert memory is soaked
    assert estimate is soaked.estimate


def test_the_update_comes_with_the_period(soaked: EstimatorMemory) -> None:
    memory, estimate = step(SITE, soaked, reading(soaked.at_s + 10.0, 240.0), TARGET)
    assert memory is not soaked
    assert estimate.valid


def test_another_target_is_judged_at_once(soaked: EstimatorMemory) -> None:
    strict = replace(TARGET, residual_max=1e-5)
    _, estimate = step(SITE, soaked, reading(soaked.at_s, 240.0), strict)
    assert estimate.p_solvent_ok < soaked.estimate.p_solvent_ok
    assert estimate.residual_solvent == soaked.estimate.residual_solvent
    _, without = step(SITE, soaked, reading(soaked.at_s, 240.0), None)
    assert without.p_solvent_ok == without.p_insoluble_in_window == 0.0
    assert without.time_to_endpoint_s is None


def test_a_trial_roll_dries_and_then_gels() -> None:
    """Heat reaches its core through winding and faces only, 40 K behind the wall at first: an hour more than its outermost turns."""
    memory = after(start(SITE, TRIAL, 0.0, 25.0), 3.5, 240.0)
    zones = {zone.name: zone for zone in memory.estimate.zones}
    assert max(zones[name].residual_solvent.value for name in ("outer", "edge")) < 0.01
    assert memory.estimate.insoluble.high < 0.35
    memory = after(memory, 2.0, 240.0)  # what the core's film binds becomes free an hour later than what it does not
    assert memory.estimate.residual_solvent.value < 0.01
    assert memory.estimate.insoluble.high < 0.45
    memory = after(memory, 5.5, 240.0)
    assert memory.estimate.valid
    assert memory.estimate.p_solvent_ok > 0.95
    assert 0.3 < memory.estimate.insoluble.value < 0.8
    assert memory.estimate.p_insoluble_in_window > 0.8


def test_a_production_roll_takes_five_to_twelve_hours_to_one_percent() -> None:
    memory = start(SITE, PRODUCTION, 0.0, 25.0)
    memory = after(memory, 5.0, 230.0, every_s=60.0)
    assert memory.estimate.residual_solvent.value > 0.01
    memory = after(memory, 7.0, 230.0, every_s=60.0)
    assert memory.estimate.residual_solvent.value < 0.01


def test_an_uncalibrated_polymer_is_less_certain(soaked: EstimatorMemory) -> None:
    unknown = EstimatorSettings(gel_time_ln_sd=1.0, activation_energy_sd_kj_mol=30.0, diffusion_ln_sd=1.5)
    known, guessed = (
        after(start(site, TRIAL, 0.0, 25.0), 8.0, 240.0, every_s=60.0, site=site).estimate.insoluble for site in (SITE, unknown)
    )
    assert guessed.high - guessed.low > known.high - known.low


def test_intervals_are_ordered_and_probabilities_are_probabilities(soaked: EstimatorMemory) -> None:
    seen: Estimate = soaked.estimate
    assert [zone.name for zone in seen.zones] == ["core", "middle", "upper", "outer", "edge"]
    spans = [seen.residual_solvent, seen.insoluble, seen.evolution_kg_h]
    spans += [span for zone in seen.zones for span in (zone.residual_solvent, zone.insoluble)]
    assert all(span.low <= span.value <= span.high for span in spans)
    assert 0 <= seen.p_solvent_ok <= 1
    assert 0 <= seen.p_insoluble_in_window <= 1
    assert seen.residual_solvent.value >= max(zone.residual_solvent.value for zone in seen.zones)
    assert seen.film_min_c <= seen.film_max_c


@pytest.mark.parametrize("every_s", [20.0, 60.0])
def test_longer_periods_tell_the_same_story(every_s: float, soaked: EstimatorMemory) -> None:
    coarse = after(start(SITE, TRIAL, 0.0, 25.0), 4.0, 240.0, every_s=every_s).estimate
    assert coarse.residual_solvent.value == pytest.approx(soaked.estimate.residual_solvent.value, rel=0.05)
    assert coarse.film_min_c == pytest.approx(soaked.estimate.film_min_c, abs=0.5)


def test_the_same_batch_gives_the_same_bits(soaked: EstimatorMemory) -> None:
    assert after(start(SITE, TRIAL, 0.0, 25.0), 4.0, 240.0) == soaked


def test_memory_survives_json_bit_by_bit(soaked: EstimatorMemory) -> None:
    assert ADAPTER.validate_json(ADAPTER.dump_json(soaked)) == soaked
    fresh = start(SITE, TRIAL, 0.1 + 0.2, 25.0)
    assert ADAPTER.validate_json(ADAPTER.dump_json(fresh)) == fresh
    assert len(ADAPTER.dump_json(soaked)) < 8 * MEMBERS * COLUMNS * 4 / 3 + 4000  # the block in base64, and little else


def test_a_restored_memory_goes_on_like_the_original(soaked: EstimatorMemory) -> None:
    restored = ADAPTER.validate_json(ADAPTER.dump_json(soaked))
    image = reading(soaked.at_s + 10, 240.0)
    assert step(SITE, restored, image, TARGET) == step(SITE, soaked, image, TARGET)


def test_lost_temperature_is_held_for_two_minutes_and_then_invalid(soaked: EstimatorMemory) -> None:
    memory, verdicts = soaked, []
    for number in range(1, 19):
        stepped, estimate = step(SITE, memory, reading(soaked.at_s + 10 * number, None), TARGET)
        assert stepped is not None
        memory = stepped
        verdicts.append(estimate.valid)
    assert verdicts[:12] == [True] * 12
    assert verdicts[12:] == [False] * 6
    assert "temperature" in memory.estimate.why_invalid
    _, recovered = step(SITE, memory, reading(soaked.at_s + 190, 240.0), TARGET)
    assert recovered.valid


def test_half_an_hour_without_temperature_spoils_the_batch(soaked: EstimatorMemory) -> None:
    memory: EstimatorMemory | None = soaked
    for number in range(1, 200):
        memory, _ = step(SITE, memory, reading(soaked.at_s + 10 * number, None), TARGET)
    _, estimate = step(SITE, memory, reading(soaked.at_s + 2000, 240.0), TARGET)
    assert not estimate.valid
    assert "could not be followed" in estimate.why_invalid


@pytest.mark.parametrize("exhaust", [True, False])
def test_a_gauge_at_nothing_is_a_reading_while_nitrogen_flows(exhaust: bool, soaked: EstimatorMemory) -> None:
    flows = {"n2_flow_nm3_h": 30.0, "condensate_kg": 0.1, "condenser_c": -5.0, "exhaust_lel_pct": 0.0, "exhaust_flow_m3_h": 600.0}
    image = reading(soaked.at_s + 10, 240.0, 0.0, **flows)._replace(
        n2_valve_open=closed(True), exhaust_valve_open=closed(exhaust), vac_valve_open=closed(False), condenser_run=closed(True)
    )
    memory, estimate = step(SITE, soaked, image, TARGET)
    assert memory is not None
    assert memory.pressure_pa > 0
    assert np.isfinite(estimate.residual_solvent).all()


def test_time_that_the_solver_could_not_follow_is_missing_for_the_rest_of_the_batch(
    soaked: EstimatorMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = layers.advance

    def failing(model: layers.Model, slow: Slow, state: layers.State, *drive: Any) -> layers.Advanced:
        return whole(model, slow, state, *drive)._replace(state=state, failed=np.ones(MEMBERS, np.bool_))

    monkeypatch.setattr(layers, "advance", failing)
    lost, estimate = step(SITE, soaked, reading(soaked.at_s + 4 * 3600, 240.0), TARGET)
    monkeypatch.undo()
    assert not estimate.valid
    _, later = step(SITE, lost, reading(soaked.at_s + 4 * 3600 + 10, 240.0), TARGET)
    assert not later.valid
    assert "could not be followed for 240 min" in later.why_invalid


def test_a_thermocouple_that_no_longer_reads_lies_no_more(soaked: EstimatorMemory) -> None:
    memory: EstimatorMemory | None = replace(soaked, refused=(10, 10, 0))
    for number in range(1, 8):
        memory, estimate = step(SITE, memory, reading(soaked.at_s + 10 * number, 240.0), TARGET)
    assert memory is not None
    assert memory.refused == (0, 0, 0)
    assert estimate.valid


def test_a_wall_found_colder_after_an_outage_has_cooled_by_itself(soaked: EstimatorMemory) -> None:
    """The same film as scans along the curve would have left, and less cured than along a straight line."""
    hours, tau_h, hall_c = 6.0, 4.5, 15.0
    end_c = hall_c + (240.0 - hall_c) * float(np.exp(-hours / tau_h))
    left = advance(SITE, soaked, hours * 3600, reading(soaked.at_s + hours * 3600, end_c))
    memory: EstimatorMemory | None = soaked
    for number in range(1, int(hours * 60) + 1):
        at_c = hall_c + (240.0 - hall_c) * float(np.exp(-number / 60 / tau_h))
        memory, _ = step(SITE, memory, reading(soaked.at_s + 60.0 * number, at_c), TARGET)
    assert memory is not None
    assert left.estimate.insoluble.value == pytest.approx(memory.estimate.insoluble.value, abs=0.01)


def test_lost_pressure_is_named(soaked: EstimatorMemory) -> None:
    memory: EstimatorMemory | None = soaked
    for number in range(1, 16):
        memory, estimate = step(SITE, memory, reading(soaked.at_s + 10 * number, 240.0, None), TARGET)
    assert not estimate.valid
    assert "no GOOD pressure" in estimate.why_invalid


def test_one_good_thermocouple_of_nine_is_enough(soaked: EstimatorMemory) -> None:
    image = reading(soaked.at_s + 10, None)._replace(z3_tc_b_c=good(240.0))
    memory, _ = step(SITE, soaked, image, TARGET)
    assert memory is not None
    assert memory.no_temperature_s == 0.0


def test_the_median_ignores_a_broken_thermocouple(soaked: EstimatorMemory) -> None:
    image = reading(soaked.at_s + 10, 240.0)._replace(z1_tc_a_c=good(25.0), z2_tc_a_c=good(390.0))
    memory, _ = step(SITE, soaked, image, TARGET)
    assert memory is not None
    assert memory.wall_k == pytest.approx(513.15)


@pytest.mark.parametrize(("exact", "pirani", "used"), [(5.0, 7.0, 5.0), (0.8, 0.5, 0.5), (0.8, None, 0.8), (None, 12.0, 12.0)])
def test_the_gauge_for_the_pressure(exact: float | None, pirani: float | None, used: float, soaked: EstimatorMemory) -> None:
    image = reading(soaked.at_s + 10, 240.0, None)
    image = image if exact is None else image._replace(pressure_cap_mbar=good(exact))
    image = image if pirani is None else image._replace(pressure_pirani_mbar=good(pirani))
    memory, _ = step(SITE, soaked, image, TARGET)
    assert memory is not None
    assert memory.pressure_pa == pytest.approx(100 * used)


def test_a_film_beyond_the_models_range_is_not_judged() -> None:
    memory: EstimatorMemory | None = start(SITE, TRIAL, 0.0, 340.0)
    memory, estimate = step(SITE, memory, reading(10.0, 340.0), None)
    assert not estimate.valid
    assert "0-300" in estimate.why_invalid


@pytest.mark.parametrize(("log_h", "log_k"), [(0.0, 0.0), (0.5, 0.8), (-0.5, -0.8)])
def test_load_thermocouples_tell_the_film_temperature(log_h: float, log_k: float) -> None:
    """Of a roll that is as the model says, but has another heat transfer and conductivity, ten hours after a ramp of 1 K/min.

    On the ramp itself the thermocouples outside tell little of a loose roll: they lie on its surface. A roll of one temperature far below
    the wall is no roll: what reaches its inside has passed its outside.
    """
    dry = replace(PRODUCTION, predry_residual_wt_pct=0.5, residual_sd_wt_pct=0.1)  # nothing left to evaporate and to cool by it
    memory: EstimatorMemory | None = start(SITE, dry, 0.0, 25.0)
    contact = dict(zip(SENSORS, members_of(SITE, dry).contact.mean(axis=0).tolist(), strict=True))
    true = layers.build(dry, SOLVENTS["NMP"], layers.Uncertain.median(1, 1e-5), POSITIONS, CELLS)
    slow = Slow.none(1)._replace(log_h=np.full(1, log_h), log_k=np.full(1, log_k))
    state = layers.initial(true, 298.15, np.full(1, 0.005))
    for number in range(1, 721):
        before_k, wall_k = (298.15 + min(at_min, 120) for at_min in (number - 1, number))
        state = layers.advance(true, slow, state, layers.Drive(before_k, wall_k, 100.0, 0.0), 60.0).state
        film_k, nearer = layers.places(true, slow, state, wall_k, 100.0)
        places_k = {"outer": film_k[0, -2], "edge": film_k[0, -1], "core": state.temps[0, -1]}
        for one, share in zip(places_k, nearer[[0, 0, 1], 0].tolist(), strict=True):
            places_k[one] += share * (wall_k - places_k[one])
        reads = {f"load_{one}_c": places_k[one] + share * (wall_k - places_k[one]) - 273.15 for one, share in contact.items()}
        memory, estimate = step(SITE, memory, reading(60.0 * number, wall_k - 273.15, **reads), None)
    zones = {zone.name: zone.temp_c for zone in estimate.zones}
    true_c = dict(zip(POSITIONS, (layers.places(true, slow, state, 418.15, 100.0).film_k[0] - 273.15).tolist(), strict=True))
    assert [zones[name] for name in SENSORS] == pytest.approx([true_c[name] for name in SENSORS], abs=3)
    assert [zones[name] for name in ("middle", "upper")] == pytest.approx([true_c[name] for name in ("middle", "upper")], abs=4)


def test_an_outage_in_the_cold_changes_nothing_but_the_clock() -> None:
    memory = start(SITE, TRIAL, 0.0, 25.0)
    carried = advance(SITE, memory, 3600.0, reading(3600.0, 25.0, 1013.0))
    assert carried.at_s == 3600.0
    assert carried.estimate.residual_solvent.value == pytest.approx(0.2, rel=0.01)
    assert carried.estimate.insoluble.high == 0.0


def test_an_outage_at_temperature_is_carried_like_scans_would_have(soaked: EstimatorMemory) -> None:
    scanned = after(soaked, 1.0, 240.0).estimate
    carried = advance(SITE, soaked, 3600.0, reading(soaked.at_s + 3600, 240.0)).estimate
    assert carried.insoluble.value == pytest.approx(scanned.insoluble.value, abs=0.01)
    assert carried.residual_solvent.value == pytest.approx(scanned.residual_solvent.value, rel=0.05)
    jumped = step(SITE, soaked, reading(soaked.at_s + 3600, 240.0), TARGET)[1]
    assert jumped.insoluble.value == pytest.approx(scanned.insoluble.value, abs=0.01)


def test_more_than_a_day_is_not_carried(soaked: EstimatorMemory) -> None:
    carried = advance(SITE, soaked, 2 * 86400.0, reading(soaked.at_s + 2 * 86400, 25.0))
    _, estimate = step(SITE, carried, reading(carried.at_s + 10, 25.0), TARGET)
    assert not estimate.valid


def test_time_that_runs_backwards_is_not_integrated(soaked: EstimatorMemory) -> None:
    memory, estimate = step(SITE, soaked, reading(soaked.at_s - 500, 240.0), TARGET)
    assert memory is not None
    assert memory.at_s == soaked.at_s - 500
    assert estimate.residual_solvent == soaked.estimate.residual_solvent


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.floats(0, 300), st.floats(1e-3, 1100), st.floats(5, 60), st.floats(0, 20), st.booleans()), min_size=1, max_size=25
    ),
    st.sampled_from([TRIAL, PRODUCTION]),
)
@example([(0.0, 1.0, 5.0, 0.0, False)] * 4 + [(225.0, 2.0, 18.0, 0.0, False), (202.0, 2.0, 29.0, 0.0, False)], PRODUCTION)
def test_no_history_makes_mass_negative_or_the_numbers_wild(
    history: list[tuple[float, float, float, float, bool]], load: LoadState
) -> None:
    memory: EstimatorMemory | None = start(SITE, load, 0.0, 25.0)
    at_s = 0.0
    for temp_c, pressure_mbar, dt_s, condensate_kg, valve in history:
        at_s += dt_s
        image = reading(at_s, temp_c, pressure_mbar, condensate_kg=condensate_kg, condenser_c=5.0)
        image = image._replace(vac_valve_open=closed(valve), condenser_run=closed(True))
        memory, estimate = step(SITE.model_copy(update={"period_s": 5.0}), memory, image, TARGET)
        assert memory is not None
        belief = unpack(memory.block)
        assert np.isfinite(belief.state.block).all()
        assert all(np.isfinite(part).all() for part in (*belief.slow, belief.log_gain, belief.offset_k, belief.leaving_kg))
        assert (belief.state.solvent >= 0).all()
        assert (mean_u(members_of(SITE, load).model, belief.state) < 1.51).all()
        assert ((belief.state.conversion >= 0) & (belief.state.conversion <= 1)).all()
        assert 0 <= estimate.insoluble.low <= estimate.insoluble.high <= 1
    assert ADAPTER.validate_json(ADAPTER.dump_json(memory)) == memory


def test_cure_never_goes_back(soaked: EstimatorMemory) -> None:
    memories = [start(SITE, TRIAL, 0.0, 25.0)]
    for top_c in (200.0, 240.0, 60.0, 220.0):
        memories.append(after(memories[-1], 0.5, top_c))
    for earlier, later in pairwise(memories):
        assert (unpack(later.block).state.conversion >= unpack(earlier.block).state.conversion).all()


@pytest.mark.parametrize("solvent", list(SOLVENTS))
def test_every_solvent_dries(solvent: str) -> None:
    site = EstimatorSettings(solvent=solvent)
    memory = after(start(site, TRIAL, 0.0, 25.0), 4.0, 240.0, every_s=60.0, site=site)
    assert memory.estimate.valid
    assert memory.estimate.residual_solvent.value < 0.03


def test_the_design_is_a_latin_hypercube_without_correlation() -> None:
    rows = np.array([design(name) for name in _DIMENSIONS])
    for row in rows:
        assert sorted(row) == sorted(rows[0])
        assert row.mean() == pytest.approx(0.0, abs=1e-12)
        assert row.std() == pytest.approx(1.0, abs=0.03)
    correlation = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(correlation).max() < 0.02


def test_members_lie_inside_every_parameters_range() -> None:
    members = members_of(SITE, TRIAL)
    assert members.polydispersity.shape == (MEMBERS,)
    row = PARAMETERS["polydispersity"]
    assert row.low <= members.polydispersity.min() <= members.polydispersity.max() <= row.high


def test_every_parameter_lies_in_its_range_and_says_where_it_comes_from() -> None:
    for row in PARAMETERS.values():
        assert row.low <= row.value <= row.high, row.name
        assert row.spread >= 0
        assert row.source.split("]")[0][1:] in {"claim", "src", "calc", "text", "assume", "pkg"}, row.name


def test_members_are_correlated_as_the_settings_say() -> None:
    """ln gel time, energy, polydispersity, order and offset, read back from what the compiled equations get."""
    pairs = (0.35, -0.5, -0.25, 0.33, -0.001, 0.08, 0.9, -0.16, 0.005, 0.076)
    site = EstimatorSettings(
        cure_correlation=pairs, activation_energy_sd_kj_mol=8.0, order=4.0, order_sd=0.5, polydispersity=2.4, polydispersity_sd=0.3,
        vitrification_offset_sd_k=4.0,
    )  # fmt: skip
    members = members_of(site, TRIAL)
    row = {name: members.model.table[:, COLUMN[name]] for name in ("rate_s", "energy_k", "order", "offset_k", "glass_dry_k")}
    below_k = row["offset_k"] - (row["glass_dry_k"] - value("glass_dry"))
    mobility = 1 / (1 + np.exp((row["glass_dry_k"] - 513.15 - row["offset_k"]) / value("vitrification_width")))
    limit, power = value("density_limit"), 1 - row["order"]  # d delta / dt = r (1 - delta / limit)^order reaches delta = 1
    gel_time_s = ((1 - 1 / limit) ** power - 1) / -power / (row["rate_s"] * mobility)
    found = np.corrcoef([np.log(gel_time_s), row["energy_k"], members.polydispersity, row["order"], below_k])
    assert found[np.triu_indices(5, 1)] == pytest.approx(pairs, abs=0.02)
    ln_sd = np.hypot(site.gel_time_ln_sd, spread("cure_model_error"))
    assert np.log(gel_time_s).std() == pytest.approx(ln_sd, rel=0.03)
    assert np.exp(np.log(gel_time_s).mean()) == pytest.approx(3600 * site.gel_time_240c_h, rel=0.01)
    assert [below_k.mean(), below_k.std()] == pytest.approx([site.vitrification_offset_k, 4.0], rel=0.03)


def test_correlations_that_no_five_quantities_have_are_refused() -> None:
    with pytest.raises(ValidationError, match="cure_correlation"):
        EstimatorSettings(cure_correlation=(0.9, 0.9, 0.0, 0.0, -0.9, 0.0, 0.0, 0.0, 0.0, 0.0))
    close = EstimatorSettings(cure_correlation=(0.9999,) * 10)  # singular but for its rounding
    assert np.isfinite(members_of(close, TRIAL).model.table).all()
