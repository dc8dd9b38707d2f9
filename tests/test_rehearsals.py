"""Every row of the interlock table on the soft PLC: the cause comes from plant, instrument or PLC, never from inside the controller.

For each: nothing just below the limit, the row in its time and not earlier, its effect on unit, heat, valves and start, the first-out that
is shown, and the way it goes away.
"""

from collections.abc import Callable
from math import nan
from typing import NamedTuple

import pytest

from controller.image import Mode
from controller.interlocks.evaluate import BY_ID
from controller.interlocks.limits import Limits
from controller.interlocks.rule import BLOCKS_START, Effect, Reset
from controller.interlocks.table import RULES
from controller.recipe.states import UnitState, Verb
from sim.bench import Rig, answers
from sim.faults import clear
from tests.causes import (
    BLOCKED,
    NOTHING,
    Cause,
    drifting,
    elements,
    exotherm,
    fault,
    host,
    leaks,
    runs,
    shifted,
    shows,
    site,
    together,
    welded_and_stopped,
)
from tests.rigs import PREPARED, prepared

TCS = [f"z{zone}_{name}_c" for zone in (1, 2, 3) for name in ("tc_a", "tc_b", "tc_c", "limit")]
STOPPING = Effect.HOLD | Effect.ABORT


class Case(NamedTuple):
    rule: str
    rig: str
    cause: Cause
    below: Cause | None = None  # just below the limit
    lag_s: float = 3.0  # from the cause to what the row looks at, longest
    first: str = ""  # first-out where another row comes first
    recover_s: float = 40.0  # until the cause is gone for the row
    back: Callable[[Rig], None] | None = None  # what else a person does
    late_s: float = 3.0  # by which the row's inputs follow the end of the cause


def restart(rig):
    rig.ask(Verb.RESTART)


def stop(rig):
    rig.ask(Verb.STOP)


def acknowledge(rig):
    rig.ask(Verb.ACKNOWLEDGE)


def ended(rig):
    """Abort the batch and reset the unit when it has come to rest."""
    rig.ask(Verb.ABORT)
    runs(rig, None, 400)
    rig.ask(Verb.RESET)


GAUGES = ("pressure_cap_mbar", "pressure_pirani_mbar")

CASES = [
    Case("I1", "vacuum", fault("limiter")),
    Case("I2", "vacuum", fault("estop")),
    Case("I3", "idle", fault("door_switch")),
    Case("I3D", "idle", fault("door_switch")),
    Case("I3N", "idle", fault("door_switch")),
    Case("I3L", "vacuum", shows(door_locked=0.0)),
    Case("I3T", "vacuum", fault("door_switch")),
    Case("I3U", "vacuum", shows(door_locked=0.0)),
    Case("I4W", "idle", shows(pressure_cap_mbar=1051.0), shows(pressure_cap_mbar=1049.0)),
    Case("I4", "nitrogen", shows(pressure_cap_mbar=1101.0), shows(pressure_cap_mbar=1099.0)),
    Case("I4E", "nitrogen", BLOCKED, lag_s=30.0, recover_s=300.0),
    Case("I4S", "nitrogen", BLOCKED, lag_s=30.0, recover_s=300.0),
    Case("I4D", "vacuum", fault("gauge_frozen", "pirani_open"), fault("pirani_open"), lag_s=125.0, first="I4T", recover_s=10.0),
    Case("I4G", "vacuum", shows(pressure_pirani_mbar=15.0), shows(pressure_pirani_mbar=35.0)),
    Case("I4F", "leak test", fault("gauge_frozen"), lag_s=100.0, first="I4F I4G", recover_s=100.0),
    Case("I4L", "vacuum", fault("pirani_open"), lag_s=5.0),
    Case("I4T", "vacuum", fault("gauge_open"), lag_s=5.0),
    Case("I4N", "idle", fault("gauge_open")),
    Case("I5", "vacuum", fault("plc_power_cycle"), recover_s=1500.0, first="I28 I5 C3", back=restart),
    Case("I10", "vacuum", fault("plc_power_cycle"), recover_s=1500.0, first="I28 I5 C3", back=restart),
    Case("I6", "vacuum", shows(**dict.fromkeys(GAUGES, 101.0)), shows(**dict.fromkeys(GAUGES, 99.0)), recover_s=400.0),
    Case("I6T", "vacuum", fault("air_leak", "vac_valve_stuck_shut", "n2_valve_stuck_shut"), lag_s=300.0, first="C1V", recover_s=400.0),
    Case("I6N", "vacuum", together(leaks(5e6), fault("n2_valve_stuck_shut")), leaks(5e6), lag_s=300.0, first="I6 C1N", recover_s=400.0),
    Case("I7W", "nitrogen", shows(o2_pct=1.05), shows(o2_pct=0.95)),
    Case("I7", "nitrogen", shows(o2_pct=2.05), shows(o2_pct=1.95)),
    Case("I8W", "nitrogen", shows(o2_pct=0.0105), shows(o2_pct=0.0095)),
    Case("I8", "nitrogen, bare copper", shows(o2_pct=0.0105), shows(o2_pct=0.0095)),
    Case("I9", "nitrogen", fault("o2_cal_due"), late_s=27.0),
    Case("I9T", "nitrogen", fault("o2_cal_due"), late_s=27.0),
    Case("I11W", "nitrogen", shows(n2_header_bar=3.9), shows(n2_header_bar=4.1)),
    Case("I11P", "idle", shows(n2_reserve_nm3=9.5), shows(n2_reserve_nm3=10.5)),
    Case("I11", "nitrogen", shows(n2_header_bar=2.9), shows(n2_header_bar=3.1)),
    Case("I11M", "vacuum", shows(n2_flow_nm3_h=nan)),
    Case("I11R", "nitrogen", shows(n2_reserve_nm3=19.5), shows(n2_reserve_nm3=20.5)),
    Case("I11T", "nitrogen", shows(n2_reserve_nm3=9.5), shows(n2_reserve_nm3=10.5)),
    Case("I11F", "nitrogen", shows(n2_flow_nm3_h=14.0), shows(n2_flow_nm3_h=16.0)),
    Case("I11S", "nitrogen", shows(n2_flow_nm3_h=14.0), shows(n2_flow_nm3_h=16.0)),
    Case("I12", "evacuate", leaks(1.6e6), leaks(4e5), lag_s=620.0),
    Case("I12T", "evacuate", leaks(1.6e6), leaks(4e5), lag_s=920.0, first="I12"),
    Case("I13", "leak test", leaks(3000.0), leaks(500.0), lag_s=900.0),
    Case("I13W", "leak test, known oven", leaks(1000.0), lag_s=900.0, back=ended),
    Case("I13L", "tested", leaks(3e4), leaks(100.0), lag_s=500.0, recover_s=500.0),
    Case("I13B", "tested", shows(coldest_wall_c=nan), lag_s=1200.0, recover_s=500.0),
    Case("I14", "vacuum", fault("pump_trip"), lag_s=4.0),
    Case("I14S", "start", fault("pump_trip"), lag_s=4.0),
    Case("I15P", "vacuum", fault("condenser_lost"), lag_s=5.0),
    Case("I15", "vacuum", fault("exhaust_lost"), lag_s=8.0, late_s=20.0),
    Case("I15T", "vacuum", fault("circulation_lost"), lag_s=8.0, first="I15", late_s=20.0),
    Case("I16", "vacuum", shows(exhaust_lel_pct=25.5), shows(exhaust_lel_pct=24.5)),
    Case("I16T", "vacuum", shows(exhaust_lel_pct=50.5), shows(exhaust_lel_pct=49.5), first="I16T I16"),
    Case("I17", "idle", shows(condensate_kg=13.6), shows(condensate_kg=13.4)),
    Case("I17B", "vacuum", site(equipment={"trap_kg": 0.01}, limits={"trap_ahead_h": 24.0}), site(limits={"trap_ahead_h": 24.0}),
         lag_s=300.0),
    Case("I17T", "vacuum", shows(condensate_kg=15.1), shows(condensate_kg=14.9)),
    Case("I17L", "nitrogen", shows(exhaust_flow_m3_h=1e-3), shows(exhaust_flow_m3_h=1000.0)),
    Case("I18", "vacuum", site(equipment={"solvent_kg_h": 0.001}), site(equipment={"solvent_kg_h": 0.2}), lag_s=300.0, recover_s=60.0),
    Case("I18T", "vacuum", site(equipment={"solvent_kg_h": 0.001}), site(equipment={"solvent_kg_h": 0.2}), lag_s=300.0, recover_s=60.0),
    # the guard keeps the blister number below its limit: this site warns before; N2 raises the pressure
    Case("I18B", "vacuum", site(limits={"blister_warn": 0.5}), lag_s=2700.0, recover_s=1500.0, back=lambda rig: rig.ask(Verb.ABORT)),
    Case("I19", "idle", shows(pressure_cap_mbar=1064.0), shows(pressure_cap_mbar=1062.0)),  # behind an open vent
    Case("I19D", "idle", shows(pressure_cap_mbar=962.0), shows(pressure_cap_mbar=964.0)),
    Case("I19N", "idle", shows(o2_pct=19.3), shows(o2_pct=19.6)),
    Case("I19S", "idle", shifted(o2_pct=-9.0), shifted(o2_pct=-0.2)),
    Case("I20W", "vacuum", shows(room_o2_pct=19.4), shows(room_o2_pct=19.6)),
    Case("I20", "vacuum", shows(room_o2_pct=17.9), shows(room_o2_pct=18.1)),
    Case("I21W", "vacuum", fault("tc_open"), recover_s=240.0),
    Case("I21V", "vacuum", fault("tc_short"), lag_s=4.0, recover_s=240.0),
    Case("I21", "vacuum", fault("tc_two_open"), fault("tc_open"), recover_s=240.0),
    Case("I21L", "vacuum", shows(load_core_c=nan)),
    Case("I21M", "other site", shows(load_core_c=nan)),
    Case("I21S", "other site", shows(load_outer_c=nan)),
    Case("I22W", "vacuum", shifted(z1_limit_c=13.0), shifted(z1_limit_c=7.0)),
    Case("I22", "vacuum", shifted(z1_limit_c=28.0), shifted(z1_limit_c=22.0)),
    Case("I22R", "slow", drifting(-3.0, *TCS), drifting(-0.3, *TCS), lag_s=1800.0, first="I22R", recover_s=200.0),
    Case("I23L", "vacuum", elements(True), lag_s=3000.0, recover_s=900.0),
    Case("I23R", "alarm band", exotherm(0.04, 6.0), exotherm(0.04, -4.0), lag_s=500.0, recover_s=900.0),
    Case("I23W", "vacuum", exotherm(0.04, 15.0), exotherm(0.04, -4.0), lag_s=500.0, recover_s=900.0),
    Case("I23", "vacuum", exotherm(0.4, 30.0), exotherm(0.04, 14.0), lag_s=90.0, recover_s=900.0),
    Case("I24", "vacuum", fault("thyristor_shorted"), first="I23 I24", lag_s=200.0, recover_s=300.0),
    Case("I25W", "vacuum", elements(True), lag_s=2400.0, recover_s=900.0),
    Case("I25", "vacuum", elements(True), lag_s=2400.0, recover_s=900.0),
    Case("I26", "slow", elements(True), lag_s=1900.0),
    Case("I26B", "other site", NOTHING, lag_s=1200.0, back=lambda rig: rig.ask(Verb.ABORT)),
    Case("I27W", "vacuum", fault("plc_image_frozen"), lag_s=5.0),
    Case("I27", "vacuum", fault("plc_image_frozen"), lag_s=5.0),
    Case("I27T", "vacuum", fault("plc_image_frozen"), lag_s=5.0, first="I27"),
    Case("I28", "vacuum", fault("plc_write_ignored"), lag_s=8.0),
    Case("I28E", "vacuum", fault("plc_echo_frozen"), lag_s=32.0),
    Case("I28L", "vacuum", fault("local"), first="I28L I28"),
    Case("I28W", "idle", fault("plc_watchdog_off")),
    Case("I29", "vacuum", fault("plc_power_cycle"), first="I28"),
    Case("I30", "vacuum", host(journal_ok=False)),
    Case("I30D", "vacuum", host(disk_free_pct=4.9), host(disk_free_pct=5.1)),
    Case("I30C", "vacuum", host(clock_step_s=2.1), host(clock_step_s=1.9)),
    Case("I31", "vacuum", shows(**dict.fromkeys(GAUGES, nan)), lag_s=400.0, recover_s=120.0, first="I6"),
    Case("I31T", "cure", NOTHING, lag_s=1200.0),
    Case("I32", "vacuum", host(gateway_ok=False)),
    Case("I33W", "vacuum", host(proof_due=1), host(proof_due=0)),
    Case("I34", "vacuum", host(recipe_ok=False)),
    Case("C1V", "vacuum", fault("vac_valve_stuck_shut")),
    Case("C1N", "nitrogen", fault("n2_valve_stuck_shut")),
    Case("C1A", "vacuum", shows(vent_valve_open=1.0)),
    Case("C1E", "nitrogen", fault("exhaust_valve_half")),
    Case("C2", "vacuum", Cause(welded_and_stopped, lambda rig: clear(rig.plc, "contactor_welded")), lag_s=8.0),
    Case("C3", "nitrogen", Cause(lambda rig: setattr(rig.plc, "rearm", True), lambda rig: setattr(rig.plc, "rearm", False))),
]  # fmt: skip


def delay_of(rig, rule):
    return rule.delay_s(rig.settings.limits) if callable(rule.delay_s) else rule.delay_s


def raised(rig, rule):
    return any(kind == "alarm" and content["rule"] == rule and content["event"] == "raise" for _, kind, content in rig.notes)


@pytest.mark.parametrize("case", CASES, ids=[case.rule for case in CASES])
def test_a_cause_in_the_oven_has_its_row_its_effect_in_time_its_first_out_and_its_reset(case):
    row, rig = BY_ID[case.rule], prepared(case.rig)
    assert case.rule not in rig.record.verdict.active
    rig.notes.clear()
    delay_s = delay_of(rig, row)
    case.cause.begin(rig)
    took_s = runs(rig, case.cause, delay_s + case.lag_s, until=case.rule)
    assert took_s is not None, (rig.record.verdict, rig.record.process)
    assert took_s >= delay_s - 1.0
    _acted(rig, row, case)
    _goes_away(rig, row, case)


def _acted(rig, row, case):
    verdict, out = rig.record.verdict, rig.record.outputs
    assert verdict.effects & row.effect == row.effect
    batch = case.rig != "idle"
    if row.effect & (Effect.NO_HEAT | Effect.ABORT):
        assert not out.heat_enable
    if row.effect & BLOCKS_START:
        assert not verdict.start
    if row.effect & Effect.NO_N2:
        assert not out.n2_valve
    if row.effect & Effect.ISOLATE:
        assert not out.vac_valve
    if row.effect & Effect.NO_DOOR:
        assert not out.door_release
    if row.effect & Effect.NO_VENT:
        assert not out.vent_valve
        assert not out.door_release
    if batch and row.effect & STOPPING:
        assert verdict.first_out in (case.first.split() or [case.rule])
    _moved(rig, row, case)


def _moved(rig, row, case):
    """Check what the row has made of the unit, and that the main contactor follows."""
    batch = case.rig != "idle"
    state = rig.step().unit_state
    if batch and row.effect & Effect.ABORT:
        assert state in (UnitState.ABORTING, UnitState.ABORTED)
        assert rig.record.outputs.mode is Mode.ABORT
    elif batch and row.effect & Effect.HOLD:
        assert state in (UnitState.HOLDING, UnitState.HELD)
    elif batch and row.effect & Effect.SUSPEND:
        assert rig.record.waiting == f"suspended by {case.rule}"
    elif batch and not case.first and row.effect == Effect.WARN:
        assert state is UnitState.RUNNING
    if row.effect & (Effect.NO_HEAT | Effect.ABORT) and case.rule != "C2":
        for _ in range(8):
            rig.step()
        assert not rig.plc.plant.field.main_closed


def _goes_away(rig, row, case):
    rule = row.id
    case.cause.end(rig)
    if case.back is not None:
        case.back(rig)
    for _ in range(int(case.recover_s)):
        rig.step()
        if rule not in rig.memory.interlocks.cause:
            break
    assert rule not in rig.memory.interlocks.cause
    rig.step()
    assert (rule in rig.record.verdict.active) == (row.reset is not Reset.AUTO)
    rig.ask(Verb.ACKNOWLEDGE)
    rig.step()
    rig.step()
    assert (rule in rig.record.verdict.active) == (row.reset is Reset.MANUAL)
    rig.ask(Verb.RESET)
    rig.step()
    assert rule not in rig.step().verdict.active


@pytest.mark.parametrize("case", [case for case in CASES if case.below is not None], ids=lambda case: case.rule)
def test_just_below_the_limit_nothing_comes(case):
    rig = prepared(case.rig)
    rig.notes.clear()
    case.below.begin(rig)
    runs(rig, case.below, delay_of(rig, BY_ID[case.rule]) + case.lag_s)
    assert not raised(rig, case.rule)


def _delay_s(case):
    rule = BY_ID[case.rule]
    return rule.delay_s(Limits()) if callable(rule.delay_s) else rule.delay_s


SHORT = [case for case in CASES if _delay_s(case) - case.late_s >= 2 and case.lag_s < 20 and case.cause.every is None]


@pytest.mark.parametrize("case", SHORT, ids=lambda case: case.rule)
def test_what_goes_before_the_delay_is_over_leaves_nothing(case):
    rig = prepared(case.rig)
    rig.notes.clear()
    case.cause.begin(rig)
    runs(rig, case.cause, _delay_s(case) - case.late_s)
    case.cause.end(rig)
    runs(rig, None, case.late_s + 10)
    assert not raised(rig, case.rule)


@pytest.mark.parametrize("name", PREPARED)
def test_without_a_cause_no_row_holds_or_aborts(name):
    rig = prepared(name)
    rig.notes.clear()
    runs(rig, None, 120)
    rules = [str(content["rule"]) for _, kind, content in rig.notes if kind == "alarm" and content["event"] == "raise"]
    assert [rule for rule in rules if BY_ID[rule].effect & (STOPPING | Effect.SUSPEND)] == []


def test_a_lost_vacuum_is_reset_while_held_once_n2_has_filled_the_chamber_and_the_oven_must_be_shown_tight_again():
    rig = prepared("vacuum")
    leak = leaks(5e6)
    leak.begin(rig)
    assert runs(rig, None, 400, until="I6") is not None
    rig.step()
    rig.ask(Verb.RESET)
    assert runs(rig, None, 3) is None
    pressure = rig.record.process.pressure_mbar
    assert pressure < 900.0
    assert "I6" in rig.record.verdict.active  # air could still come in: RESET does nothing
    for _ in range(300):
        rig.step()
        if "I6" not in rig.memory.interlocks.cause:
            break
    assert rig.record.unit_state is UnitState.HELD
    assert rig.record.process.pressure_mbar >= 900.0
    assert "I6" in rig.record.verdict.active
    leak.end(rig)
    rig.ask(Verb.RESET)
    rig.step()
    assert "I6" not in rig.step().verdict.active
    rig.ask(Verb.RESTART)
    rig.step()
    assert "go back to LEAK_TEST" in str(answers(rig)[-1]["answer"])
    assert rig.record.unit_state is UnitState.HELD
    assert (rig.memory.proof.cycles, rig.memory.proof.leak_ok, rig.memory.proof.proven) == (0, False, False)
    assert rig.unsafe == []


def test_a_vacuum_that_only_its_gauges_lost_is_proven_anew_with_n2_and_the_batch_goes_on():
    rig = prepared("vacuum")
    lost = shows(**dict.fromkeys(GAUGES, nan))
    lost.begin(rig)
    assert runs(rig, None, 60, until="I6") is not None
    lost.end(rig)
    for _ in range(300):
        rig.step()
        if "I6" not in rig.memory.interlocks.cause:
            break
    assert (rig.memory.proof.cycles, rig.memory.proof.leak_ok) == (0, True)
    rig.ask(Verb.RESET)
    rig.ask(Verb.RESTART)
    for _ in range(1800):
        if rig.step().unit_state is UnitState.RUNNING:
            break
    assert rig.record.unit_state is UnitState.RUNNING
    assert rig.memory.proof.cycles >= rig.settings.limits.proof_cycles
    assert rig.memory.proof.proven
    assert rig.unsafe == []


def test_a_zero_that_has_drifted_a_little_below_nothing_takes_no_heat_and_holds_nobody():
    rig = prepared("nitrogen")
    rig.notes.clear()
    shifted(o2_pct=-0.02, exhaust_lel_pct=-1.2).begin(rig)
    for _ in range(60):
        assert rig.step().outputs.heat_enable
    assert rig.record.inputs.o2_pct.value < 0.0
    assert rig.record.inputs.exhaust_lel_pct.value < 0.0
    assert not any(raised(rig, rule) for rule in ("I9", "I16", "I5", "C3"))


def _without_n2(rig, seconds):
    """Let no N2 through while the header's pressure is as ever."""
    rig.plc.plant.instruments.distortions["n2_header_bar"] = lambda _value, _at_s: 6.0
    rig.plc.plant.chamber.n2_supply = 0.0
    for _ in range(seconds):
        rig.step()


def test_without_n2_a_hot_phase_waits_without_heat_counts_no_soak_and_goes_on_when_it_flows_again():
    rig = prepared("nitrogen")
    ramped_c = rig.record.setpoints.temp_c
    _without_n2(rig, 120)
    assert rig.record.waiting == "suspended by I11F"
    assert not rig.plc.plant.field.main_closed
    assert rig.memory.unit.temp_sp_c <= ramped_c + 2.0
    rig.plc.plant.chamber.n2_supply = 1.0
    runs(rig, None, 60)
    assert rig.record.unit_state is UnitState.RUNNING
    assert rig.record.outputs.heat_enable


def test_n2_that_stays_away_from_a_hot_phase_ends_in_a_hold():
    rig = prepared("nitrogen")
    _without_n2(rig, 400)
    assert rig.record.unit_state is UnitState.HELD
    assert "I11S" in rig.record.verdict.active
    assert not rig.plc.plant.field.main_closed
    assert rig.record.outputs.n2_flow_sp_nm3_h > 0.0  # it is still asked for
    assert rig.unsafe == []


def test_a_copy_runs_on_as_the_original_does():
    one = prepared("vacuum")
    other = one.fork()
    runs(one, None, 100)
    runs(other, None, 100)
    assert one.trace_sha256() == other.trace_sha256()


def test_every_row_has_its_rehearsal():
    assert {case.rule for case in CASES} == {rule.id for rule in RULES}
