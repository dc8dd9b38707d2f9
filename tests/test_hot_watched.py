"""A hot chamber with vapour is watched by its temperature and history: SKIP, BACK, HOLD and a restart change nothing of it (I6, I7)."""

from math import nan

import pytest

from controller import wiring as wirings
from controller.command import Start
from controller.image import Atmosphere, PhaseView
from controller.interlocks.atmosphere import Proof
from controller.interlocks.conditioning import condition, n2_gone
from controller.interlocks.evaluate import Verdict
from controller.interlocks.rule import Effect
from controller.memory import Settings
from controller.power_return import power_return
from controller.recipe.look import gas_only
from controller.recipe.reading import parse_recipe, read_load
from controller.recipe.states import UnitState, Verb
from controller.scan import _override
from controller.units import ATMOSPHERE_MBAR
from controller.views import phase_view
from sim import bench
from sim.faults import inject
from tests.causes import leaks, runs, shows
from tests.images import BAD, image
from tests.rigs import SAMPLE, TRIAL, prepared
from tests.test_boundaries_table import HOT, on, says
from tests.test_interlocks import PROVEN, at_c
from tests.test_proof_exact import NOTHING, at, scan
from tests.test_recovery import ask

HEATED = PhaseView(running=True, solvent=True, heated=True)  # a phase of any kind, in any state
DRAWN = PROVEN._replace(drawn=True)
SHUT = PROVEN._replace(shut_mbar=300.0)
LOST, BLIND = {"pressure_cap_mbar": 150.0}, {"pressure_cap_mbar": BAD, "pressure_pirani_mbar": BAD}


@pytest.mark.parametrize(("changed", "phase", "proof", "stands"), [
    (at_c(60.0) | LOST, HEATED, DRAWN, True),
    (at_c(60.0) | LOST, HEATED._replace(running=False), DRAWN, True),
    (at_c(60.0) | BLIND, HEATED, DRAWN, None),  # counts as lost
    (dict.fromkeys(at_c(0.0), BAD) | LOST, HEATED, DRAWN, True),  # nobody knows how hot it is
    (at_c(60.0) | {"pressure_cap_mbar": 100.0}, HEATED, DRAWN, False),
    (at_c(59.9) | LOST, HEATED, DRAWN, False),
    (at_c(60.0) | LOST, HEATED._replace(heated=False), DRAWN, False),
    (at_c(60.0) | LOST, HEATED, PROVEN, False),  # N2 was let in, or it comes down from ambient pressure
    (at_c(60.0) | {"pressure_cap_mbar": 350.1}, HEATED, SHUT, True),  # below 900 mbar no O2 reading counts
    (at_c(60.0) | {"pressure_cap_mbar": 350.0}, HEATED, SHUT, False),
    (at_c(59.9) | {"pressure_cap_mbar": 350.1}, HEATED, SHUT, False),
    (at_c(60.0) | {"pressure_cap_mbar": 99.0}, HEATED, PROVEN._replace(shut_mbar=20.0), False),  # a vacuum still
    (at_c(60.0) | {"pressure_cap_mbar": 990.0}, HEATED, PROVEN._replace(shut_mbar=900.0), False),  # there O2 tells
])  # fmt: skip
def test_a_vacuum_that_was_drawn_over_a_hot_load_may_not_rise_without_n2_whatever_the_phase(changed, phase, proof, stands):
    assert says("I6", changed, phase=phase, proof=proof) is stands


@pytest.mark.parametrize("changed", [{}, at_c(200.0)])
def test_a_lost_vacuum_is_filled_to_the_end_whatever_becomes_of_phase_and_temperature(changed):
    assert says("I6", changed | {"pressure_cap_mbar": 899.0}, phase=HEATED, **on("I6")) is True
    assert says("I6", changed | {"pressure_cap_mbar": 50.0}, phase=HEATED._replace(vacuum=True, heating=True), **on("I6")) is True
    assert says("I6", changed | {"pressure_cap_mbar": 900.0}, phase=HEATED, **on("I6")) is False


@pytest.mark.parametrize(("rule", "o2_pct"), [("I7W", 1.01), ("I7", 2.01)])
def test_o2_counts_in_a_hot_chamber_into_which_nobody_lets_air(rule, o2_pct):
    assert says(rule, at_c(60.0) | {"o2_pct": o2_pct}, phase=HEATED) is True
    assert says(rule, at_c(60.0) | {"o2_pct": o2_pct - 0.02}, phase=HEATED) is False
    assert says(rule, at_c(59.9) | {"o2_pct": o2_pct}, phase=HEATED) is False
    assert says(rule, at_c(60.0) | {"o2_pct": o2_pct}, phase=HEATED._replace(heated=False)) is False
    assert says(rule, at_c(60.0) | {"o2_pct": o2_pct}, phase=HEATED._replace(air=True)) is False
    assert says(rule, at_c(60.0) | {"o2_pct": o2_pct, "door_closed_a": False}, phase=HEATED) is False  # I3T speaks of a hot one
    assert not says(rule, HOT | {"o2_pct": o2_pct, "o2_ready": False}, phase=HEATED)


def test_a_shut_chamber_is_marked_at_its_lowest_pressure_until_n2_or_the_pump_works_on_it():
    shut = scan(NOTHING, **at(300.0))
    assert shut.shut_mbar == 300.0
    assert scan(scan(shut, **at(280.0)), **at(310.0)).shut_mbar == 280.0
    for works in ({"n2_valve_closed": False}, {"n2_flow_nm3_h": 1.0}, {"vac_valve_closed": False}, {"vac_valve_closed": BAD}):
        assert scan(shut, **at(290.0), **works).shut_mbar is None
    assert scan(shut, **at(290.0), n2_flow_nm3_h=0.9).shut_mbar == 290.0


def test_a_leak_into_a_hot_chamber_that_was_held_while_n2_filled_it_is_filled_up():
    rig = prepared("vacuum")
    ask(rig, Verb.HOLD)
    runs(rig, None, 5)
    rig.memory = rig.memory._replace(proof=Proof(boot_id=rig.memory.boot_id, leak_ok=True))
    ask(rig, Verb.RESTART)
    while not 200.0 < (rig.record.process.pressure_mbar or 0.0) < 500.0:
        rig.step()
    ask(rig, Verb.HOLD)
    runs(rig, None, 30)
    leaks(1e5).begin(rig)
    runs(rig, None, 2400)
    assert rig.record.process.pressure_mbar > 900.0
    assert rig.plc.plant.truth().o2_pct < 2.5


def test_a_vacuum_is_drawn_at_the_proof_pressure_and_ends_when_n2_or_air_is_let_in():
    assert not Proof().drawn
    assert not scan(NOTHING, **at(100.1)).drawn
    drawn = scan(NOTHING, **at(100.0))
    assert drawn.drawn
    assert scan(drawn, **at(300.0)).drawn
    assert scan(drawn, **BLIND).drawn
    assert not scan(drawn, **at(90.0), n2_valve_open=True).drawn
    assert scan(drawn, **at(300.0), n2_valve_open=BAD).drawn
    assert not scan(drawn, dt_s=0.5, vent_valve_closed=False).drawn
    assert scan(drawn, **at(300.0), plc_boot_id=8).drawn  # a PLC that starts has shut its valves
    assert not scan(drawn, dt_s=0.5, plc_boot_id=8, door_closed_a=False).drawn
    assert not scan(scan(drawn, plc_boot_id=8), **at(300.0), plc_boot_id=8, n2_valve_open=True).drawn


@pytest.mark.parametrize("away", ["core", "PLC"])
def test_a_hot_vacuum_that_was_drawn_is_watched_after_a_restart_whatever_the_phase(away):
    """Air that came in while nobody watched is told by the first readings, and not only where the phase wants a vacuum."""
    rig = prepared("vacuum")
    ask(rig, Verb.HOLD)
    runs(rig, None, 3)
    skipped(rig)
    rig.step()
    assert not phase_view(rig.memory.unit).vacuum
    lost = shows(pressure_cap_mbar=300.0, pressure_pirani_mbar=300.0)
    lost.begin(rig)
    if away == "core":
        rig.memory, _ = power_return(rig.memory, rig.record.inputs, rig.settings, 5.0)
    else:
        inject(rig.plc, "plc_power_cycle")
    assert runs(rig, None, 30, until="I6") is not None


def test_n2_that_flows_when_the_core_comes_back_is_no_lost_vacuum():
    rig = prepared("vacuum")
    memory, _ = power_return(rig.memory, rig.record.inputs, rig.settings, 5.0)
    assert memory.proof == Proof(leak_ok=True, drawn=True)
    assert not scan(memory.proof._replace(boot_id=7), **at(300.0), n2_valve_open=True, n2_flow_nm3_h=60.0).drawn
    for gas in (Atmosphere.BACKFILL, Atmosphere.N2_FLOW):  # asked for when the core went away: the PLC went on with it
        asked = rig.memory._replace(unit=rig.memory.unit._replace(setpoints=gas_only(gas)))
        assert power_return(asked, rig.record.inputs, rig.settings, 5.0)[0].proof == Proof(leak_ok=True)


def test_a_flow_that_the_meter_shows_is_n2_where_the_valve_s_switches_say_nothing():
    drawn = scan(NOTHING, **at(100.0))
    broken = {"n2_valve_open": BAD, "n2_valve_closed": BAD}
    assert not scan(drawn, **at(300.0), **broken, n2_flow_nm3_h=1.0).drawn
    assert scan(drawn, **at(300.0), **broken, n2_flow_nm3_h=0.9).drawn
    assert scan(drawn, **at(300.0), **broken, n2_flow_nm3_h=BAD).drawn
    assert scan(drawn, **at(300.0), n2_valve_open=False, n2_valve_closed=True, n2_flow_nm3_h=60.0).drawn  # what flows on while it shuts


@pytest.mark.parametrize(("atmosphere", "air"), [
    (Atmosphere.OFF, True), (Atmosphere.VENT, True), (Atmosphere.VACUUM, False), (Atmosphere.HOLD_CLOSED, False),
    (Atmosphere.BACKFILL, False), (Atmosphere.N2_FLOW, False),
])  # fmt: skip
def test_the_rows_see_whether_the_batch_was_heated_and_whether_air_is_wanted_in_every_state(atmosphere, air):
    unit = prepared("vacuum").memory.unit
    for state in set(UnitState) - {UnitState.IDLE}:
        seen = phase_view(unit._replace(state=state, setpoints=unit.setpoints._replace(atmosphere=atmosphere)))
        assert (seen.heated, seen.air) == (True, air)
    assert not phase_view(unit._replace(was_heated=False)).heated


def skipped(rig):
    ask(rig, Verb.SKIP, phase=rig.record.phase_index + 1)


def test_a_phase_that_is_skipped_while_held_leaves_a_hot_vacuum_watched():
    rig = prepared("vacuum")
    ask(rig, Verb.HOLD)
    runs(rig, None, 3)
    skipped(rig)
    leaks(5e6).begin(rig)
    assert runs(rig, None, 20, until="I6") is not None
    runs(rig, None, 2)
    assert rig.record.outputs.n2_valve


def test_a_skip_does_not_end_the_n2_of_a_lost_vacuum():
    rig = prepared("vacuum")
    leak = leaks(1e6)
    leak.begin(rig)
    assert runs(rig, None, 60, until="I6") is not None
    runs(rig, None, 3)
    skipped(rig)
    ask(rig, Verb.RESET)
    assert rig.record.process.pressure_mbar < 900.0
    assert "I6" in rig.step().verdict.active
    for _ in range(300):
        if rig.step().process.pressure_mbar >= 900.0:
            break
        assert rig.record.outputs.n2_valve
    assert "I6" not in rig.memory.interlocks.cause


def test_a_restart_that_proves_the_vacuum_of_a_hot_load_is_watched():
    rig = prepared("vacuum")
    ask(rig, Verb.HOLD)
    runs(rig, None, 3)
    rig.memory = rig.memory._replace(proof=rig.memory.proof._replace(low_s=0.0, vacuum_proven=False, cycles=0))
    ask(rig, Verb.RESTART)
    assert rig.step().unit_state is UnitState.RESTARTING
    leaks(5e6).begin(rig)
    assert runs(rig, None, 20, until="I6") is not None


# ---- what the purge makes of the set points ----

PURGE, CALM = Verdict(int(Effect.PURGE)), Verdict()
FULL = {"pressure_cap_mbar": 900.0, "o2_pct": 2.01}
CLOSED = gas_only(Atmosphere.HOLD_CLOSED)
FILLING, FLOWING = gas_only(Atmosphere.BACKFILL, 950.0, 60.0), gas_only(Atmosphere.N2_FLOW, ATMOSPHERE_MBAR, 60.0)
RESTS = gas_only(Atmosphere.BACKFILL, 1008.0, 6.0)


@pytest.mark.parametrize(("wanted", "changed", "purged"), [
    (CLOSED, FULL | {"pressure_cap_mbar": 899.9}, FILLING),
    (CLOSED, FULL, FLOWING),
    (CLOSED, FULL | {"o2_ready": False}, FLOWING),  # nobody knows what is in there
    (CLOSED, FULL | {"o2_pct": 2.0}, FILLING),  # low enough: kept full
    (CLOSED, BLIND, FLOWING),  # gas.step lets none in unless the exhaust is seen open
    (gas_only(Atmosphere.VACUUM, 60.0), FULL, FLOWING),
    (gas_only(Atmosphere.VACUUM, 60.0), FULL | {"n2_header_bar": 0.9}, gas_only(Atmosphere.VACUUM, 60.0)),  # nothing could come in
    (CLOSED, FULL | {"n2_header_bar": 0.9}, FLOWING),
    (gas_only(Atmosphere.N2_FLOW, ATMOSPHERE_MBAR, 30.0), FULL | {"pressure_cap_mbar": 500.0}, FLOWING),
    (gas_only(Atmosphere.N2_FLOW, ATMOSPHERE_MBAR, 30.0), FULL | {"o2_pct": 0.0}, FLOWING),
    (gas_only(Atmosphere.BACKFILL, 500.0, 6.0), FULL | {"pressure_cap_mbar": 400.0}, FILLING),
    (RESTS, FULL, RESTS),  # an ending unit fills to ambient pressure by itself
    (gas_only(Atmosphere.OFF), FULL, gas_only(Atmosphere.OFF)),
])  # fmt: skip
def test_a_purge_fills_the_chamber_and_then_flows_until_the_o2_is_low(wanted, changed, purged):
    settings = Settings()
    process, gone = condition(settings.limits, image(**changed)), "n2_header_bar" in changed
    assert _override(wanted, PURGE, settings, process, gone) == purged
    assert _override(wanted, CALM, settings, process, gone) == wanted


def test_n2_that_was_gone_is_back_when_its_header_is_low_no_more():
    """One reading just above the line would give up the pump of a lost vacuum for a filling that never comes."""
    limits, gone, seen = Settings().limits, False, []
    for header_bar in (1.0, 0.9, BAD, 1.1, 2.9, 3.0, 1.0, BAD):
        gone = n2_gone(limits, image(n2_header_bar=header_bar), gone)
        seen.append(gone)
    assert seen == [False, True, True, True, True, False, False, False]


def test_air_that_a_leak_let_into_a_hot_vacuum_is_washed_out_again():
    rig = prepared("vacuum")
    leaks(5e6).begin(rig)
    runs(rig, None, 600)
    assert rig.record.process.hottest_c > 100.0
    assert {"I6", "I7"} <= set(rig.record.verdict.active)
    assert rig.record.outputs.exhaust_valve
    assert rig.plc.plant.chamber.o2_pct < rig.settings.limits.proof_o2_pct
    assert not rig.unsafe


def test_a_batch_that_is_aborted_while_its_vacuum_is_lost_comes_to_rest_by_itself():
    rig = prepared("vacuum")
    lost = shows(pressure_cap_mbar=101.0, pressure_pirani_mbar=101.0)
    lost.begin(rig)
    assert runs(rig, None, 20, until="I6") is not None
    lost.end(rig)
    ask(rig, Verb.ABORT)
    flowed = False
    for _ in range(2 * 3600):
        flowed = rig.step().outputs.exhaust_valve or flowed
        if rig.record.setpoints.atmosphere is Atmosphere.OFF:
            break
    assert flowed
    assert (rig.record.unit_state, rig.record.setpoints.atmosphere) == (UnitState.ABORTED, Atmosphere.OFF)


# ---- what is left of the proof ----


def test_a_cycle_purge_into_which_a_leak_let_air_while_it_was_held_begins_anew():
    rig = prepared("leak test")
    for _ in range(3600):
        rig.step()
        if rig.record.phase_kind == "CYCLE_PURGE" and rig.memory.unit.phase.stage == 1 and rig.record.process.pressure_mbar > 150.0:
            break
    ask(rig, Verb.HOLD)
    leak = leaks(1e6)
    leak.begin(rig)
    runs(rig, None, 900)
    leak.end(rig)
    assert rig.record.process.pressure_mbar > 600.0
    assert (rig.memory.proof.cycles, rig.memory.proof.leak_ok) == (0, False)
    ask(rig, Verb.RESTART)
    rig.step()
    assert "go back to LEAK_TEST" in str(bench.answers(rig)[-1]["answer"])
    assert rig.record.unit_state is UnitState.HELD
    ask(rig, Verb.BACK, phase=1)
    ask(rig, Verb.RESTART)
    for _ in range(3600):
        rig.step()
        if rig.record.phase_kind == "EVACUATE":
            break
    assert rig.memory.proof.cycles == 2
    assert rig.memory.proof.leak_ok
    assert rig.plc.plant.chamber.o2_pct < 0.1


def filling():
    """Return a rig whose CYCLE_PURGE has just begun to fill for the first time."""
    rig = prepared("leak test")
    for _ in range(3600):
        if rig.step().phase_kind == "CYCLE_PURGE" and rig.memory.unit.phase.stage == 1:
            return rig
    raise AssertionError(rig.record.waiting)


def test_a_running_purge_that_air_fills_is_held_at_once_and_needs_a_new_leak_test():
    rig = filling()
    leaks(5e6).begin(rig)
    assert runs(rig, None, 120, until="I13") is not None
    runs(rig, None, 3)
    assert rig.record.unit_state is UnitState.HELD
    assert not rig.memory.proof.leak_ok
    told = [content["why"] for _, kind, content in rig.notes if kind == "decision" and content["what"] == "CYCLE_PURGE failed"]
    assert "FT-402 shows" in told[0]
    ask(rig, Verb.RESTART)
    rig.step()
    assert "go back to LEAK_TEST" in str(bench.answers(rig)[-1]["answer"])
    assert rig.record.unit_state is UnitState.HELD


def test_a_purge_ends_with_the_cycles_that_the_proof_has_counted_though_the_meter_was_away():
    rig = filling()
    runs(rig, None, 15)
    away = shows(n2_flow_nm3_h=nan)
    away.begin(rig)
    runs(rig, None, 10)
    away.end(rig)
    for _ in range(3600):
        if rig.step().phase_kind == "EVACUATE":
            break
    assert rig.memory.proof.cycles >= rig.settings.limits.proof_cycles
    assert rig.memory.proof.leak_ok
    assert rig.plc.plant.chamber.o2_pct < 0.1


def test_air_that_is_let_in_from_a_vacuum_comes_in_to_the_end():
    text = TRIAL.read_text("utf-8")
    end = text.rindex("[[phase]]")
    washed = '[[phase]]\nkind = "CYCLE_PURGE"\nlow_mbar = 15.0\nhigh_mbar = 900.0\ncycles = 2\ntimeout_min = 60.0\n\n'
    vented = '[[phase]]\nkind = "EVACUATE"\npressure_mbar = 65.0\ntimeout_min = 30.0\n\n[[phase]]\nkind = "VENT"\ntimeout_min = 30.0\n\n'
    sourced, load = parse_recipe(text[:end] + washed + vented + text[end:], "vented"), read_load(SAMPLE)
    rig = bench.rig(Settings.model_validate({"proof_test": {"required": False}}), wirings.load(bench.default_wiring()), load, 1)
    runs(rig, None, 60)
    rig.ask(Verb.START, Start(sourced.recipe, sourced.sha256, sourced.text, load))
    heats = [index for index, phase in enumerate(sourced.recipe.phase) if phase.kind in ("RAMP", "SOAK", "CURE", "COOL")]
    for _ in range(4 * 3600):
        if rig.record.phase_index in heats:
            ask(rig, Verb.SKIP, phase=rig.record.phase_index + 1)
        if rig.step().unit_state is UnitState.COMPLETE:
            break
    assert rig.record.unit_state is UnitState.COMPLETE, (rig.record.phase_kind, rig.record.waiting, rig.record.verdict.active)
    assert rig.record.process.pressure_mbar > 1000.0
    assert rig.plc.plant.chamber.o2_pct > 15.0


def test_a_leak_that_the_open_pump_does_not_master_makes_no_gauge_a_frozen_one():
    """With an empty header the pump goes on after I6: it stands still where leak and pump balance, and I4F would give it up."""
    rig = prepared("vacuum")
    inject(rig.plc, "n2_lost")
    leaks(4e6).begin(rig)
    seen = set()
    for _ in range(600):
        seen |= set(rig.step().verdict.active)
    assert "I6" in seen
    assert "I4F" not in seen
    assert rig.record.outputs.vac_valve
    assert rig.record.outputs.pump
    assert not rig.record.outputs.n2_valve
    assert rig.unsafe == []
