"""Boundaries and deadbands of the interlock table, each condition asked by itself: written for mutants that nothing else killed."""

from dataclasses import replace

import pytest

from controller.block import HeatBlock
from controller.image import OFF, Interval
from controller.interlocks.conditioning import condition
from controller.interlocks.evaluate import BY_ID, InterlockMemory, evaluate
from controller.interlocks.limits import Limits
from controller.interlocks.rule import Effect, Reset, Slopes, View
from controller.interlocks.sensors import ALL, Believed, VotedOut
from controller.interlocks.table import RULES
from tests.images import BAD, image
from tests.test_interlocks import BELIEF, EVOLVING, HEATING, HOT, HOT_N2, HOT_VACUUM, LIMITS, PROVEN, RUNNING, at_c, view, zone1


def says(rule, changed, **more):
    """Ask a row's condition alone."""
    return BY_ID[rule].when(view(changed, **more))


def on(rule):
    return {"active": frozenset({rule})}


# rule, signal, value at which an active row still stands, value at which it is gone, what else the view holds
DEADBANDS = [
    ("I4W", "pressure_cap_mbar", 1040.5, 1039.5, {}),
    ("I19", "pressure_cap_mbar", 1030.5, 1030.2, {}),
    ("I19D", "pressure_cap_mbar", 976.2, 976.3, {}),
    ("I19N", "o2_pct", 20.15, 20.2, {"proof": PROVEN._replace(swept_s=240.0)}),
    ("I4E", "pressure_cap_mbar", 1025.5, 1024.5, {"last": OFF._replace(n2_valve=True)}),
    ("I7W", "o2_pct", 0.81, 0.79, {"phase": HOT_N2}),
    ("I11W", "n2_header_bar", 4.25, 4.35, {}),
    ("I11", "n2_header_bar", 3.25, 3.35, {}),
    ("I11R", "n2_reserve_nm3", 21.5, 22.5, {"phase": RUNNING}),
    ("I16", "exhaust_lel_pct", 22.5, 21.5, {"phase": RUNNING}),
    ("I17", "condensate_kg", 13.45, 13.35, {}),
    ("I20W", "room_o2_pct", 19.75, 19.85, {}),
    ("I30D", "disk_free_pct", 5.5, 6.5, {}),
]


@pytest.mark.parametrize(("rule", "signal", "stands", "gone", "more"), DEADBANDS, ids=[one[0] for one in DEADBANDS])
def test_an_active_row_stays_until_its_value_has_left_the_deadband_and_a_new_one_does_not_begin_in_it(rule, signal, stands, gone, more):
    assert says(rule, {signal: stands}, **more, **on(rule)) is True
    assert says(rule, {signal: gone}, **more, **on(rule)) is False
    assert says(rule, {signal: stands}, **more) is False


@pytest.mark.parametrize(
    ("rule", "stands_c", "gone_c", "last"),
    [("I23W", 208.5, 207.5, HEATING), ("I23", 218.5, 217.5, HEATING), ("I23L", 191.5, 192.5, HEATING)],
)
def test_a_deviation_stays_until_it_is_two_degrees_better(rule, stands_c, gone_c, last):
    more = {"phase": HOT_VACUUM, "last": last}
    assert says(rule, at_c(stands_c), **more, **on(rule)) is True
    assert says(rule, at_c(gone_c), **more, **on(rule)) is False
    assert says(rule, at_c(stands_c), **more) is False


@pytest.mark.parametrize(("opened", "closed", "at_rest", "running"), [
    (True, False, False, False), (False, True, False, True),  # the PLC keeps it shut by its own measure
    (True, True, True, True), (False, False, True, True),  # its switches deny each other, or it hangs half way
    (BAD, True, None, None), (False, BAD, None, None),
])  # fmt: skip
def test_a_vent_that_is_only_asked_for_may_stay_shut(opened, closed, at_rest, running):
    switches, last = {"vent_valve_open": opened, "vent_valve_closed": closed}, OFF._replace(vent_valve=True)
    assert says("C1A", switches, last=last) is at_rest
    assert says("C1A", switches, last=last, phase=RUNNING) is running
    assert says("C1A", {"vent_valve_open": True, "vent_valve_closed": False}) is True  # nobody asked


def test_a_door_that_stands_open_has_air_behind_it_and_one_switch_opens_no_door():
    assert says("I19N", {"o2_pct": 3.0}) is True
    assert says("I19N", {"o2_pct": 3.0, "door_closed_a": False, "door_closed_b": False}) is False
    for one in ("door_closed_a", "door_closed_b"):
        for shows in (False, BAD):
            assert says("I19N", {"o2_pct": 3.0, one: shows}) is True


@pytest.mark.parametrize(("pressure", "shut", "vented"), [
    (1034.0, True, False), (1063.0, True, False), (1063.5, True, True), (964.0, True, False), (963.5, True, False), (963.0, True, True),
])  # fmt: skip
def test_behind_an_open_vent_the_weather_locks_nothing(pressure, shut, vented):
    rule = "I19" if pressure > 1013.0 else "I19D"
    assert says(rule, {"pressure_cap_mbar": pressure}) is shut
    assert BY_ID[rule].when(replace(view({"pressure_cap_mbar": pressure}), vented=True, relieved=True)) is vented


@pytest.mark.parametrize(("rule", "stands_c", "gone_c"), [("I22W", 108.5, 107.5), ("I22", 123.5, 122.5)])
def test_a_disagreement_stays_until_it_is_two_degrees_smaller(rule, stands_c, gone_c):
    assert says(rule, zone1(100.0, 100.0, 100.0, stands_c), **on(rule)) is True
    assert says(rule, zone1(100.0, 100.0, 100.0, gone_c), **on(rule)) is False
    assert says(rule, zone1(100.0, 100.0, 100.0, stands_c)) is False


def test_a_load_too_hot_for_air_stays_so_until_it_is_two_degrees_colder():
    assert says("I19", at_c(58.5), **on("I19")) is True
    assert says("I19", at_c(57.5), **on("I19")) is False
    assert says("I19", at_c(58.5)) is False


def test_the_feed_of_n2_is_shut_off_only_where_n2_is_fed_and_stays_so_until_the_pressure_has_come_down():
    over, fed = {"pressure_cap_mbar": 1050.1}, OFF._replace(n2_valve=True)
    assert says("I4E", over, last=fed) is True
    assert says("I4E", {"pressure_cap_mbar": 1050.0}, last=fed) is False
    assert says("I4E", over) is False  # a site that lies low, or a vent line
    assert says("I4E", over, **on("I4E")) is True  # its own effect has shut the valve
    assert says("I4E", {"pressure_cap_mbar": BAD, "pressure_pirani_mbar": BAD}, last=fed) is None  # I4N speaks
    for rows, phase, stands in (
        (("I4E",), RUNNING, True),
        ((), RUNNING, False),
        (("I4E",), RUNNING._replace(running=False), False),
        (("I4E",), RUNNING._replace(running=False, heated=True), True),
    ):
        assert says("I4S", over, last=fed, phase=phase, active=frozenset(rows)) is stands
    assert says("I4S", {"pressure_cap_mbar": 1019.0}, last=fed, phase=RUNNING, **on("I4E")) is False


def test_below_ambient_pressure_the_door_stays_locked_and_air_may_be_let_in():
    assert says("I19D", {"pressure_cap_mbar": 973.0}) is True
    assert says("I19D", {"pressure_cap_mbar": 973.5}) is False
    assert says("I19D", {"pressure_cap_mbar": BAD, "pressure_pirani_mbar": BAD}) is None  # counts as below
    assert says("I19", {"pressure_cap_mbar": 20.0, "pressure_pirani_mbar": 20.0}) is False


def test_a_blister_warning_and_a_loaded_duct_have_a_band_too():
    blister = BELIEF._replace(blister=0.97)
    assert (says("I18B", {}, estimate=blister, **on("I18B")), says("I18B", {}, estimate=blister)) == (True, False)
    flow = {"exhaust_flow_m3_h": 370.0}  # takes 4.16 kg/h, nine tenths of it are 3.75; 4.0 come
    assert says("I17L", flow, phase=HOT_N2, estimate=EVOLVING, **on("I17L")) is True
    assert says("I17L", flow, phase=HOT_N2, estimate=EVOLVING) is False


def test_a_limit_itself_is_not_above_it():
    assert says("I23W", at_c(210.0), phase=HOT_VACUUM, last=HEATING) is False
    assert says("I23L", at_c(190.0), phase=HOT_VACUUM, last=HEATING) is False
    assert says("I24", {}, slopes=Slopes((3.0, 0.0, 0.0))) is False
    assert says("I24", {"z1_op_pct": 1.0}, slopes=Slopes((3.5, 0.0, 0.0))) is False
    assert says("I24", {"z1_op_pct": 0.9}, slopes=Slopes((3.5, 0.0, 0.0))) is True
    assert says("I24", {"z2_op_pct": 50.0}, slopes=Slopes((3.0, 3.5, 0.0))) is False  # each zone by its own output
    assert says("I19", {"pressure_cap_mbar": 1013.25 + LIMITS.ambient_band_mbar}) is False
    just = LIMITS.evolution_share * view({}).equipment.solvent_kg_h
    for kg_h, fast in ((3.59, False), (just, False), (3.61, True)):  # 90 % of 4 kg/h
        assert says("I18", {}, estimate=EVOLVING._replace(evolution_kg_h=Interval(kg_h, 3.0, 4.0))) is fast


STALLED = {"phase": HOT_VACUUM._replace(temp_sp_c=230.0)}


@pytest.mark.parametrize(
    ("output_pct", "slope", "setpoint_c", "stalls"),
    [(99.5, 0.09, 230.0, True), (99.0, 0.09, 230.0, False), (99.5, 0.1, 230.0, False), (99.5, 0.09, 210.0, False),
     (99.5, 0.09, 210.1, True), (98.5, 0.0, 230.0, False)],
)  # fmt: skip
def test_a_zone_stalls_at_full_output_below_the_least_slope_and_more_than_ten_degrees_below_the_set_point(
    output_pct, slope, setpoint_c, stalls
):
    phase = HOT_VACUUM._replace(temp_sp_c=setpoint_c)
    for rule in ("I25W", "I25"):
        assert says(rule, HOT | {"z1_op_pct": output_pct}, phase=phase, slopes=Slopes((slope, 0.0, 0.0))) is stalls
    blind = dict.fromkeys(HOT, BAD)
    assert says("I25", blind | {"z1_op_pct": 99.5}, **STALLED) is False


def test_the_first_warning_of_a_stall_comes_after_a_third_of_its_time():
    delay = BY_ID["I25W"].delay_s
    assert delay(Limits(stall_s=900.0)) == 300.0


@pytest.mark.parametrize(("a", "b", "stands"), [
    (True, True, False), (False, False, False), (True, False, True), (False, True, True), (BAD, True, True), (False, BAD, True),
    (BAD, BAD, False),
])  # fmt: skip
def test_one_door_switch_of_two_that_denies_the_other_or_is_lost_alone_is_told(a, b, stands):
    assert says("I3D", {"door_closed_a": a, "door_closed_b": b}) is stands


def test_one_unknown_of_a_pair_leaves_the_row_without_an_answer():
    assert says("I3", {"door_closed_a": BAD}) is None
    assert says("I3", {"door_closed_b": BAD}) is None

    assert says("C1V", {"vac_valve_open": BAD}) is None
    assert says("C1V", {"vac_valve_closed": BAD}) is None
    for name in ("exhaust_run", "condenser_run", "circulation_run"):
        assert says("I15P", {name: BAD}) is None


def test_the_inert_rows_need_an_inert_phase_that_heats_and_the_vacuum_rows_a_hot_vacuum():
    high = HOT | {"o2_pct": 3.0}
    assert says("I7", high, phase=HOT_N2) is True
    assert says("I7", high, phase=HOT_N2._replace(heating=False)) is False
    assert says("I7", high, phase=HOT_VACUUM) is False
    lost = {"pressure_cap_mbar": 150.0}
    assert says("I6", lost, phase=HOT_VACUUM) is True
    assert says("I6", lost, phase=HOT_VACUUM._replace(vacuum=False)) is False
    assert says("I6", lost, phase=HOT_VACUUM._replace(heating=False)) is False


def test_a_vacuum_that_was_lost_stays_so_until_n2_has_filled_the_chamber_and_only_while_the_batch_is_hot():
    held = HOT_VACUUM._replace(vacuum=False)
    assert says("I6", {"pressure_cap_mbar": 899.0}, phase=held, **on("I6")) is True
    assert says("I6", {"pressure_cap_mbar": 900.0}, phase=held, **on("I6")) is False
    assert says("I6", {"pressure_cap_mbar": BAD}, phase=held, **on("I6")) is None  # counts as lost
    assert says("I6", {"pressure_cap_mbar": 50.0}, phase=held._replace(heating=False), **on("I6")) is False
    assert says("I6", {"pressure_cap_mbar": 50.0}, phase=held) is False


def test_bare_copper_needs_its_o2_limit_from_a_hundred_degrees_on_and_where_nobody_knows_how_hot_it_is():
    phase, dirty = HOT_N2._replace(hold_on_o2=True), {"o2_pct": 0.02}
    assert says("I8", at_c(99.9) | dirty, phase=phase) is False
    assert says("I8", at_c(100.0) | dirty, phase=phase) is True
    assert says("I8", dict.fromkeys(at_c(0.0), BAD) | dirty, phase=phase) is True
    assert says("I8", at_c(150.0) | {"o2_pct": 0.01}, phase=phase) is False  # 100 ppm are 0.01 vol%
    assert says("I8", at_c(150.0) | {"o2_pct": 0.0100005}, phase=phase) is True
    assert says("I8", at_c(150.0) | dirty, phase=phase._replace(o2_limit_ppm=0.0)) is False  # no limit
    assert says("I8", at_c(150.0) | dirty, phase=phase._replace(o2_limit_ppm=0.5)) is True


def test_n2_for_an_emergency_purge_is_judged_by_what_is_known():
    assert says("I11T", {"n2_header_bar": BAD, "n2_reserve_nm3": BAD}, phase=RUNNING) is None
    assert says("I11T", {"n2_header_bar": BAD, "n2_reserve_nm3": 100.0}, phase=RUNNING) is False
    assert says("I11T", {"n2_header_bar": BAD, "n2_reserve_nm3": 9.0}, phase=RUNNING) is True
    assert says("I11T", {"n2_header_bar": 0.5, "n2_reserve_nm3": BAD}, phase=RUNNING) is True
    assert says("I11T", {"n2_header_bar": 0.5}) is False


def test_the_trap_and_the_duct_are_foreseen_only_with_a_reading_a_batch_and_an_estimate():
    full = {"condensate_kg": 13.2}
    assert says("I17B", full, phase=RUNNING, estimate=EVOLVING) is True
    assert says("I17B", {"condensate_kg": 13.0}, phase=RUNNING, estimate=EVOLVING) is False  # just full
    assert says("I17B", {"condensate_kg": BAD}, phase=RUNNING, estimate=EVOLVING) is False
    assert says("I17B", full, estimate=EVOLVING) is False
    assert says("I17B", full, phase=RUNNING, estimate=EVOLVING._replace(valid=False)) is False
    takes = 1e-5 * LIMITS.lel_hold_pct * LIMITS.lel_g_m3 * 400.0  # kg/h that bring 400 m3/h just to the limit
    assert says("I17L", {"exhaust_flow_m3_h": 400.0}, phase=HOT_N2, estimate=BELIEF._replace(evolution_kg_h=Interval(takes, 0, 9))) is False
    low = {"exhaust_flow_m3_h": 100.0}
    assert says("I17L", low, phase=HOT_N2, estimate=EVOLVING) is True
    assert says("I17L", {"exhaust_flow_m3_h": BAD}, phase=HOT_N2, estimate=EVOLVING) is False
    assert says("I17L", low, phase=HOT_VACUUM, estimate=EVOLVING) is False
    assert says("I17L", low, phase=HOT_N2, estimate=EVOLVING._replace(valid=False)) is False


def test_a_ramp_waits_only_where_there_is_heat_a_hot_phase_and_a_temperature():
    cold = at_c(100.0)
    assert says("I23L", cold, phase=HOT_VACUUM, last=HEATING) is True
    assert says("I23L", cold, phase=RUNNING._replace(temp_sp_c=200.0), last=HEATING) is False
    assert says("I23L", cold, phase=HOT_VACUUM, last=OFF) is False
    assert says("I23L", dict.fromkeys(at_c(0.0), BAD), phase=HOT_VACUUM, last=HEATING) is False


def test_services_matter_in_a_batch_from_the_temperature_on_at_which_the_door_may_not_open():
    lost, open_c = {"exhaust_run": False}, view({}).equipment.open_c
    assert says("I15", at_c(open_c) | lost, phase=RUNNING) is True
    assert says("I15", at_c(open_c - 0.1) | lost, phase=RUNNING) is False
    assert says("I15", at_c(open_c) | lost) is False


def test_what_a_row_shows_is_what_a_person_needs():
    shown = {rule.id: rule.shown for rule in RULES}
    assert shown["I4G"](view({"pressure_cap_mbar": 20.04, "pressure_pirani_mbar": BAD})) == "PT-301 20.0, PT-302 - mbar"
    assert says("I11F", {"n2_flow_nm3_h": 0.2}, phase=HOT_N2, last=OFF._replace(n2_flow_sp_nm3_h=0.5)) is True
    asks = OFF._replace(n2_flow_sp_nm3_h=30.0)
    assert shown["I11F"](view({"n2_flow_nm3_h": 2.04}, last=asks)) == "2.0 of 30.0 Nm3/h"
    assert shown["C3"](view({"plc_heat_block": int(HeatBlock.PURGE)})) == "PURGE"
    assert shown["C3"](view({"plc_heat_block": 0})) == 0
    assert shown["C3"](view({"plc_heat_block": BAD})) is None
    assert shown["I21"](view({"z2_tc_b_c": BAD})) == "thermocouples that vote, by zone: 3, 2, 3"
    out = Believed(out=(VotedOut("z1_tc_a_c", "open", 0.0),))
    assert shown["I21W"](view({}, sensors=out)) == out.told
    washed = PROVEN._replace(cycles_since_heat=1, volumes_since_heat=2.25)
    wet = view({"pressure_cap_mbar": 20.0, "pressure_pirani_mbar": 20.0}, proof=washed)
    assert shown["I19"](wet) == "hottest 23.0 degC, 1 N2 cycles and 2.2 volumes since heat, 20.0 mbar"
    assert says("I19", {"pressure_cap_mbar": BAD, "pressure_pirani_mbar": BAD}) is None
    assert says("I19", at_c(BAD)) is None
    for why, told in (("a reason", "a reason"), ("", "no forecast")):
        assert shown["I31"](view({}, estimate=BELIEF._replace(why_invalid=why))) == told
    began = RUNNING._replace(began_s=image().at_s - 5400.0)
    assert shown["I26B"](view({}, phase=began)) == 1.5
    assert shown["I26B"](view({}, phase=RUNNING._replace(began_s=image().at_s - 1e6))) == 277.8


def test_air_is_let_in_after_two_cycles_or_all_volumes_since_heat():
    volumes = LIMITS.proof_volumes
    for cycles, sent, unsafe in ((1, 0.0, True), (2, 0.0, False), (1, volumes, False), (1, volumes - 0.1, True)):
        proof = PROVEN._replace(cycles_since_heat=cycles, volumes_since_heat=sent)
        assert says("I19", {}, phase=RUNNING, proof=proof) is unsafe


def test_a_pump_that_starts_has_more_time_than_one_that_ran():
    stands, on_pump = {"pump_run": False}, OFF._replace(pump=True)
    for starts, row, other in ((True, "I14S", "I14"), (False, "I14", "I14S")):
        assert says(row, stands, last=on_pump, pump_starts=starts) is True
        assert says(row, {"pump_run": BAD}, last=on_pump, pump_starts=starts) is None  # counts as standing still
        assert says(row, stands, pump_starts=starts) is False  # nobody asked
        assert says(row, {"pump_run": True}, last=on_pump, pump_starts=starts) is False
        assert says(other, stands, last=on_pump, pump_starts=starts) is False


@pytest.mark.parametrize(
    ("changed", "stands"),
    [({"n2_valve_open": True, "n2_flow_nm3_h": 11.9}, True), ({"n2_valve_open": True, "n2_flow_nm3_h": 12.0}, False),
     ({"n2_valve_open": False, "n2_flow_nm3_h": 60.0}, False), ({"n2_valve_open": False, "n2_flow_nm3_h": BAD}, True),
     ({"n2_valve_open": BAD, "n2_flow_nm3_h": 60.0}, False),
     ({"n2_valve_open": True, "n2_flow_nm3_h": BAD}, None), ({"pressure_cap_mbar": 900.0}, False), ({"pressure_cap_mbar": 899.0}, True),
     ({"pressure_cap_mbar": BAD, "pressure_pirani_mbar": BAD}, None)],
)  # fmt: skip
def test_after_a_lost_vacuum_n2_must_flow_until_the_chamber_is_filled(changed, stands):
    assert says("I6N", {"pressure_cap_mbar": 200.0} | changed, phase=HOT_VACUUM, **on("I6")) is stands
    assert says("I6N", {"pressure_cap_mbar": 200.0} | changed, phase=HOT_VACUUM) is False


@pytest.mark.parametrize(
    ("flow", "stands", "stays"),
    [(14.9, True, True), (15.0, False, True), (17.9, False, True), (18.0, False, False), (30.0, False, False), (BAD, None, None)],
)
def test_a_hot_phase_gets_half_of_the_n2_it_asks_for_at_least(flow, stands, stays):
    asks, seen = {"last": HEATING._replace(n2_valve=True, n2_flow_sp_nm3_h=30.0)}, {"n2_flow_nm3_h": flow}
    assert says("I11F", seen, phase=HOT_N2, **asks) is stands
    assert says("I11S", seen, phase=HOT_N2._replace(heating=False, cooling=True), **asks) is stands
    assert says("I11F", seen, phase=HOT_N2, **asks, **on("I11F")) is stays
    for calm in (HOT_N2._replace(heating=False), HOT_VACUUM, RUNNING):
        assert says("I11F", seen, phase=calm, **asks) is False
    assert says("I11F", seen, phase=HOT_N2, last=HEATING) is False  # nobody asks


def test_an_evacuation_that_nobody_deals_with_needs_its_row_and_a_batch():
    assert says("I12T", {}, phase=RUNNING, **on("I12")) is True
    assert says("I12T", {}, phase=RUNNING) is False
    assert says("I12T", {}, **on("I12")) is False


def test_a_plc_watchdog_below_a_tenth_of_a_second_is_off():
    assert (says("I28W", {"plc_watchdog_s": 0.09}), says("I28W", {"plc_watchdog_s": 0.1})) == (True, False)
    assert says("I28W", {"plc_watchdog_s": 0.5}) is False


def lost(memory):
    """Walk one scan without a PLC image."""
    inputs = image(plc_alive=BAD)
    seen = View(
        LIMITS, inputs, condition(LIMITS, inputs), BELIEF, RUNNING, PROVEN, OFF, Slopes(), view({}).equipment, memory.active, ALL, False
    )
    return evaluate(memory, seen, reset=True, acknowledge=True)


def test_while_the_wire_is_lost_what_stood_stays_and_what_the_core_judges_itself_goes():
    rules = frozenset({"I1", "I30", "I15"})
    seconds = tuple(30.0 for _ in RULES)
    memory, verdict, changes = lost(InterlockMemory(seconds, rules, frozenset({"I1", "I30"})))
    assert {"I1", "I27W"} <= set(verdict.active)
    assert not {"I15", "I30"} & set(verdict.active)  # latched without a standing cause; the journal is judged without the PLC
    stood = dict(zip((rule.id for rule in RULES), memory.stood_s, strict=True))
    assert (stood["I1"], stood["I15"], stood["I30"]) == (30.0, 30.0, 0.0)
    assert {(one.rule.id, one.event) for one in changes} >= {("I15", "clear"), ("I30", "clear"), ("I27W", "raise")}
    assert "I1" not in {one.rule.id for one in changes}


def test_what_a_bad_input_counts_as_stands_in_the_row():
    for signal, row, stands in (("plc_watchdog_s", "I28W", True), ("door_locked", "I3L", True), ("proof_due", "I33W", False)):
        assert BY_ID[row].on_bad is stands
        assert says(row, {signal: BAD}) is None
        memory, verdict, _ = evaluate(InterlockMemory(), view({signal: BAD}), reset=False, acknowledge=False)
        assert (row in verdict.active) is stands
        assert (row in memory.cause) is stands


def test_a_row_that_stays_is_not_told_again_when_another_comes():
    before, _, _ = evaluate(InterlockMemory(), view({"overtemp_ok": False}), reset=False, acknowledge=False)
    _, _, changes = evaluate(before, view({"overtemp_ok": False, "remote": False}, active=before.active), reset=False, acknowledge=False)
    assert [(one.rule.id, one.event) for one in changes] == [("I28L", "raise")]


# The table as it was agreed: row, effects, reset, delay with the default limits, what a bad input counts as. A row is changed here too.
A, H, S, HEAT, START, VENT, N2, P, ISOLATE, W, DOOR = (
    Effect.ABORT, Effect.HOLD, Effect.SUSPEND, Effect.NO_HEAT, Effect.NO_START, Effect.NO_VENT, Effect.NO_N2, Effect.PURGE, Effect.ISOLATE,
    Effect.WARN, Effect.NO_DOOR,
)  # fmt: skip
AGREED = {
    "I1": (A | HEAT | START, Reset.MANUAL, 0, True, True, False),
    "I2": (A | HEAT | START, Reset.MANUAL, 0, True, True, False),
    "I3": (HEAT | START, Reset.AUTO, 0, True, True, False),
    "I3D": (W, Reset.AUTO, 10, False, False, False),
    "I3N": (N2, Reset.AUTO, 0.5, False, False, False),
    "I3L": (HEAT, Reset.AUTO, 0, True, True, False),
    "I3T": (A | HEAT, Reset.MANUAL, 0.5, False, True, False),
    "I3U": (H | HEAT, Reset.OPERATOR, 10, True, True, False),
    "I4W": (W, Reset.AUTO, 1, False, False, False),
    "I4": (A | HEAT | N2, Reset.MANUAL, 0, False, True, False),
    "I4E": (N2, Reset.AUTO, 0, False, False, False),
    "I4S": (H | HEAT, Reset.OPERATOR, 5, False, False, False),
    "I4D": (W, Reset.AUTO, 0, False, False, False),
    "I4G": (H | HEAT, Reset.OPERATOR, 20, False, False, False),
    "I4F": (H | HEAT, Reset.OPERATOR, 0, False, False, False),
    "I4L": (W, Reset.AUTO, 10, False, False, False),
    "I4T": (H | HEAT, Reset.OPERATOR, 120, False, False, False),
    "I4N": (N2, Reset.AUTO, 0, False, False, False),
    "I5": (HEAT, Reset.AUTO, 0, True, False, False),
    "I10": (HEAT, Reset.AUTO, 0, True, False, False),
    "I6": (H | HEAT | P, Reset.MANUAL, 5, True, False, False),
    "I6T": (A | HEAT, Reset.MANUAL, 300, False, False, False),
    "I6N": (A | HEAT, Reset.MANUAL, 30, False, False, False),
    "I7W": (W, Reset.AUTO, 10, False, False, False),
    "I7": (A | HEAT | P, Reset.MANUAL, 10, False, False, False),
    "I8W": (W, Reset.OPERATOR, 60, False, False, False),
    "I8": (H, Reset.OPERATOR, 60, False, False, False),
    "I9": (S | HEAT, Reset.AUTO, 30, True, False, False),
    "I9T": (A, Reset.OPERATOR, 1800, True, False, False),
    "I11W": (W, Reset.AUTO, 5, False, False, False),
    "I11P": (START, Reset.AUTO, 5, True, False, False),
    "I11": (S | HEAT | START, Reset.AUTO, 5, True, False, False),
    "I11R": (W, Reset.AUTO, 5, False, False, False),
    "I11M": (W, Reset.AUTO, 5, False, False, False),
    "I11T": (A | HEAT, Reset.OPERATOR, 60, False, False, False),
    "I11F": (S | HEAT, Reset.AUTO, 30, True, False, False),
    "I11S": (H | HEAT, Reset.OPERATOR, 300, True, False, False),
    "I12": (H, Reset.OPERATOR, 0, False, False, True),
    "I12T": (A, Reset.OPERATOR, 3600, False, False, True),
    "I13": (H | HEAT, Reset.OPERATOR, 0, False, False, True),
    "I13L": (W, Reset.OPERATOR, 0, False, False, True),
    "I13B": (W, Reset.OPERATOR, 15, False, False, True),
    "I13W": (W, Reset.OPERATOR, 0, False, False, True),
    "I14": (H | HEAT | ISOLATE, Reset.OPERATOR, 3, True, False, False),
    "I14S": (H | HEAT | ISOLATE, Reset.OPERATOR, 8, True, False, False),
    "I15P": (HEAT, Reset.AUTO, 0, True, False, False),
    "I15": (H | HEAT, Reset.OPERATOR, 5, True, False, False),
    "I15T": (A, Reset.OPERATOR, 300, True, False, False),
    "I16": (H | HEAT | W, Reset.MANUAL, 2, True, False, False),
    "I16T": (A | HEAT, Reset.MANUAL, 1, False, True, False),
    "I17": (START | W, Reset.AUTO, 5, False, False, False),
    "I17B": (W, Reset.AUTO, 60, False, False, False),
    "I17T": (H | HEAT, Reset.OPERATOR, 30, False, False, False),
    "I17L": (W, Reset.AUTO, 60, False, False, False),
    "I18": (W, Reset.AUTO, 90, False, False, False),
    "I18T": (H, Reset.AUTO, 300, False, False, False),
    "I18B": (W, Reset.AUTO, 60, False, False, False),
    "I19D": (DOOR, Reset.AUTO, 0, True, False, False),
    "I19S": (W, Reset.AUTO, 1800, False, False, False),
    "I19N": (DOOR, Reset.AUTO, 0, True, False, False),
    "I19": (VENT, Reset.AUTO, 0, True, False, False),
    "I20W": (W, Reset.AUTO, 5, False, False, False),
    "I20": (H | HEAT | START | N2, Reset.MANUAL, 2, False, True, False),
    "I21W": (W, Reset.AUTO, 3, False, False, False),
    "I21V": (W, Reset.OPERATOR, 0, False, False, False),
    "I21": (H | HEAT | START, Reset.OPERATOR, 1, True, False, False),
    "I21L": (W, Reset.AUTO, 5, False, False, False),
    "I21M": (W, Reset.AUTO, 5, False, False, False),
    "I21S": (W, Reset.AUTO, 0, False, False, False),
    "I22W": (W, Reset.AUTO, 120, False, False, False),
    "I22": (H | HEAT, Reset.OPERATOR, 5, False, False, False),
    "I22R": (H | HEAT, Reset.OPERATOR, 0, False, False, False),
    "I23W": (W, Reset.AUTO, 60, False, False, False),
    "I23": (A | HEAT, Reset.OPERATOR, 10, False, False, False),
    "I23L": (W, Reset.AUTO, 60, False, False, False),
    "I23R": (W, Reset.AUTO, 10, False, False, True),
    "I24": (A | HEAT, Reset.MANUAL, 90, False, False, False),
    "I25W": (W, Reset.AUTO, 300, False, False, False),
    "I25": (H | W, Reset.OPERATOR, 900, False, False, False),
    "I26": (H, Reset.OPERATOR, 0, False, False, True),
    "I26B": (H, Reset.OPERATOR, 0, False, False, True),
    "I27W": (HEAT | START | VENT | W, Reset.AUTO, 0, True, False, True),
    "I27": (H | HEAT | START, Reset.AUTO, 10, True, False, True),
    "I27T": (H | HEAT | START, Reset.OPERATOR, 60, True, False, True),
    "I28": (H | HEAT, Reset.OPERATOR, 0, False, False, False),
    "I28E": (H | HEAT, Reset.OPERATOR, 0, False, False, False),
    "I28L": (H | START, Reset.OPERATOR, 0, False, False, False),
    "I28W": (START, Reset.AUTO, 0, True, False, False),
    "I29": (W, Reset.OPERATOR, 0, False, False, True),
    "I30": (H | START, Reset.OPERATOR, 5, True, False, True),
    "I30D": (START | W, Reset.AUTO, 10, True, False, True),
    "I30C": (W | START, Reset.OPERATOR, 0, False, False, True),
    "I31": (W, Reset.AUTO, 60, False, False, True),
    "I31T": (H, Reset.OPERATOR, 0, False, False, True),
    "I32": (W, Reset.AUTO, 10, False, False, True),
    "I33W": (W, Reset.AUTO, 0, False, False, True),
    "I34": (H, Reset.OPERATOR, 0, True, False, True),
    "C1V": (H | HEAT, Reset.OPERATOR, 5, False, False, False),
    "C1N": (H | HEAT, Reset.OPERATOR, 5, False, False, False),
    "C1A": (H | HEAT, Reset.OPERATOR, 5, False, False, False),
    "C1E": (H | HEAT, Reset.OPERATOR, 5, False, False, False),
    "C2": (A | HEAT, Reset.MANUAL, 5, False, False, False),
    "C3": (H, Reset.OPERATOR, 10, True, False, False),
}


def test_every_row_acts_goes_and_waits_as_was_agreed():
    def delay(rule):
        return rule.delay_s(LIMITS) if callable(rule.delay_s) else rule.delay_s

    found = {rule.id: (rule.effect, rule.reset, delay(rule), rule.on_bad, rule.hard_wired, rule.without_plc) for rule in RULES}
    assert found == AGREED
