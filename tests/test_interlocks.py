"""Every row of the interlock table: its cause raises it after its delay, not earlier; just below nothing happens; it clears as written."""

import pytest

from controller.block import PlcState
from controller.equipment import Equipment
from controller.image import OFF, OWN_SIGNALS, SIGNALS, Estimate, Interval, PhaseView
from controller.interlocks.atmosphere import DOOR_AIRS, Proof
from controller.interlocks.atmosphere import step as prove
from controller.interlocks.conditioning import condition
from controller.interlocks.evaluate import BY_ID, InterlockMemory, evaluate, slopes
from controller.interlocks.gauges import Watch
from controller.interlocks.limits import Limits
from controller.interlocks.rule import Effect, Reset, Slopes, View
from controller.interlocks.sensors import ALL, Believed, VotedOut
from controller.interlocks.table import RULES
from controller.printing import interlock_matrix, io_list
from tests.images import BAD, image

LIMITS = Limits()
PROVEN = Proof(cycles=2, boot_id=7, leak_ok=True, vacuum_proven=True, inert_proven=True, cycles_since_heat=2)
SWEPT = PROVEN._replace(swept_s=240.0)
NOWHERE = Interval(0.0, 0.0, 0.0)
BELIEF = Estimate(100.0, 100.0, NOWHERE, NOWHERE, 0.0, 0.0, NOWHERE, None, True, "", ())
EVOLVING = BELIEF._replace(evolution_kg_h=Interval(4.0, 3.5, 4.5))
WEEK_S = 168 * 3600.0
STUCK = Believed(out=(VotedOut("z1_tc_a_c", "stuck", 0.0),))
RUNNING = PhaseView(running=True, solvent=True)
HOT_VACUUM = PhaseView(running=True, solvent=True, heating=True, vacuum=True, temp_sp_c=200.0)
HOT_N2 = PhaseView(running=True, solvent=True, heating=True, inert=True, temp_sp_c=200.0, o2_limit_ppm=100.0)
HEATING = OFF._replace(heat_enable=True, zone_sp_c=(200.0, 200.0, 200.0))
FLOWING = OFF._replace(n2_valve=True, n2_flow_sp_nm3_h=30.0)
N2 = {"o2_pct": 0.005}
VACUUM = {"pressure_cap_mbar": 20.0, "pressure_pirani_mbar": 20.0}
HOT = {f"z{zone}_tc_{sensor}_c": 200.0 for zone in (1, 2, 3) for sensor in "abc"} | {f"z{zone}_limit_c": 200.0 for zone in (1, 2, 3)}


def zone1(a, b, c, limit=None):
    return {"z1_tc_a_c": a, "z1_tc_b_c": b, "z1_tc_c_c": c} | ({} if limit is None else {"z1_limit_c": limit})


def at_c(temp_c):
    """Return an oven whose zones and load all have one temperature."""
    zones = {f"z{zone}_tc_{sensor}_c": temp_c for zone in (1, 2, 3) for sensor in "abc"}
    return zones | {f"load_{place}_c": temp_c for place in ("outer", "edge", "core")}


# rule, the image's cause, the image just below it, what else the view holds
CASES = [
    ("I1", {"overtemp_ok": False}, {}, {}),
    ("I2", {"estop_ok": False}, {}, {}),
    ("I2", {"hardwired_ok": BAD}, {}, {}),
    ("I3", {"door_closed_b": False}, {}, {}),
    ("I3D", {"door_closed_a": False}, {"door_closed_a": False, "door_closed_b": False}, {}),
    ("I3N", {"door_closed_a": False}, {}, {}),
    ("I3L", {"door_locked": False}, {}, {}),
    ("I3T", {"door_closed_a": False}, {}, {"phase": RUNNING}),
    ("I3U", {"door_locked": False}, {}, {"phase": RUNNING}),
    ("I4W", {"pressure_cap_mbar": 1050.1}, {"pressure_cap_mbar": 1050.0}, {}),
    ("I4", {"pressure_cap_mbar": 1100.1}, {"pressure_cap_mbar": 1100.0}, {}),
    ("I4", {"relief_ok": False}, {}, {}),
    ("I4E", {"pressure_cap_mbar": 1050.1}, {"pressure_cap_mbar": 1050.0}, {"last": OFF._replace(n2_valve=True)}),
    ("I4S", {"pressure_cap_mbar": 1050.1}, {"pressure_cap_mbar": 1050.0}, {"last": OFF._replace(n2_valve=True), "phase": RUNNING}),
    (
        "I4D",
        {"pressure_pirani_mbar": BAD},
        {"pressure_pirani_mbar": BAD},
        {"proof": PROVEN._replace(gauges=Watch(still_s=120.0)), "below": {"proof": PROVEN._replace(gauges=Watch(still_s=119.0))}},
    ),
    ("I4G", {"pressure_cap_mbar": 20.0, "pressure_pirani_mbar": 51.0}, {"pressure_cap_mbar": 20.0, "pressure_pirani_mbar": 49.0}, {}),
    ("I4G", {"pressure_cap_mbar": 1013.0, "pressure_pirani_mbar": 39.0}, {"pressure_cap_mbar": 1013.0, "pressure_pirani_mbar": 41.0}, {}),
    ("I4F", {}, {}, {"proof": PROVEN._replace(gauges=Watch(frozen=True)), "below": {"proof": PROVEN}}),
    (
        "I4F",
        {},
        {},
        {"proof": PROVEN._replace(gauges=Watch(still_s=120.0)), "below": {"proof": PROVEN._replace(gauges=Watch(still_s=119.0))}},
    ),
    ("I4L", {"pressure_cap_mbar": BAD}, {}, {}),
    ("I4L", {"pressure_pirani_mbar": BAD}, {}, {}),
    ("I4T", VACUUM | {"pressure_cap_mbar": BAD}, VACUUM, {"phase": HOT_VACUUM}),
    (
        "I4T",
        VACUUM | {"pressure_pirani_mbar": BAD},
        VACUUM | {"pressure_pirani_mbar": BAD},
        {"phase": HOT_VACUUM, "below": {"phase": HOT_N2}},
    ),
    ("I4N", {"pressure_cap_mbar": BAD}, {"pressure_cap_mbar": BAD, "exhaust_valve_open": True}, {"last": OFF._replace(exhaust_valve=True)}),
    ("I6", {"pressure_cap_mbar": 100.1}, {"pressure_cap_mbar": 100.0}, {"phase": HOT_VACUUM}),
    ("I6T", {"pressure_cap_mbar": 150.0}, {"pressure_cap_mbar": 950.0}, {"phase": HOT_VACUUM}),
    (
        "I6N",
        {"pressure_cap_mbar": 150.0},
        {"pressure_cap_mbar": 150.0, "n2_valve_open": True, "n2_flow_nm3_h": 60.0},
        {"phase": HOT_VACUUM},
    ),
    ("I7W", {"o2_pct": 1.01}, {"o2_pct": 1.0}, {"phase": HOT_N2}),
    ("I7", {"o2_pct": 2.01}, {"o2_pct": 2.0}, {"phase": HOT_N2}),
    ("I8W", HOT | {"o2_pct": 0.0101}, HOT | {"o2_pct": 0.0099}, {"phase": HOT_N2}),
    ("I8", HOT | {"o2_pct": 0.0101}, HOT | {"o2_pct": 0.0099}, {"phase": HOT_N2._replace(hold_on_o2=True)}),
    ("I9", N2 | {"o2_sample_flow_l_min": 0.0}, N2, {"phase": HOT_N2}),
    ("I9", N2 | {"o2_cal_ok": False}, N2, {"phase": HOT_N2}),
    ("I9T", N2 | {"o2_ready": False}, N2, {"phase": HOT_N2}),
    ("I11W", {"n2_header_bar": 3.9}, {"n2_header_bar": 4.0}, {}),
    ("I11P", {"n2_reserve_nm3": 9.9}, {"n2_reserve_nm3": 10.0}, {}),
    ("I11", {"n2_header_bar": 2.9}, {"n2_header_bar": 3.0}, {}),
    ("I10", {}, {}, {"proof": PROVEN._replace(cycles=1, volumes=3.9), "below": {"proof": PROVEN._replace(cycles=1, volumes=4.0)}}),
    ("I11M", {"n2_flow_nm3_h": BAD}, {}, {}),
    ("I11R", {"n2_reserve_nm3": 19.9}, {"n2_reserve_nm3": 20.0}, {"phase": RUNNING}),
    ("I11T", {"n2_reserve_nm3": 9.9}, {"n2_reserve_nm3": 10.0}, {"phase": RUNNING}),
    ("I11T", {"n2_header_bar": 0.9}, {"n2_header_bar": 1.0}, {"phase": RUNNING}),
    ("I11F", {"n2_flow_nm3_h": 14.9}, {"n2_flow_nm3_h": 18.1}, {"phase": HOT_N2, "last": FLOWING}),
    ("I11S", {"n2_flow_nm3_h": BAD}, {"n2_flow_nm3_h": 18.1}, {"phase": HOT_N2, "last": FLOWING}),
    ("I12", {}, {}, {"phase": RUNNING._replace(timeout="I12"), "below": {"phase": RUNNING}}),
    ("I12T", {}, {}, {"phase": RUNNING._replace(timeout="I12"), "below": {"phase": RUNNING}}),
    ("I13", {}, {}, {"phase": RUNNING._replace(failed="I13"), "below": {"phase": RUNNING}}),
    ("I13W", {}, {}, {"phase": RUNNING._replace(leak_grows="leak rate 4.0"), "below": {"phase": RUNNING}}),
    ("I13L", {}, {}, {"phase": RUNNING._replace(leak_mbar_min=0.51), "below": {"phase": RUNNING._replace(leak_mbar_min=0.5)}}),
    ("I13B", {}, {}, {"phase": RUNNING._replace(blind_rises=3), "below": {"phase": RUNNING._replace(blind_rises=2)}}),
    ("I14", {"pump_run": False}, {"pump_run": True}, {"last": OFF._replace(pump=True)}),
    ("I14S", {"pump_run": False}, {"pump_run": True}, {"last": OFF._replace(pump=True), "pump_starts": True}),
    ("I15P", {"condenser_run": False}, {}, {}),
    ("I15", {"exhaust_run": False}, {}, {"phase": HOT_VACUUM}),
    ("I15T", {"circulation_run": BAD}, {}, {"phase": HOT_VACUUM}),
    ("I16", {"exhaust_lel_pct": 25.1}, {"exhaust_lel_pct": 25.0}, {"phase": RUNNING}),
    ("I16T", {"exhaust_lel_pct": 50.1}, {"exhaust_lel_pct": 50.0}, {}),
    ("I17", {"condensate_kg": 13.6}, {"condensate_kg": 13.4}, {}),
    ("I17B", {"condensate_kg": 13.2}, {"condensate_kg": 12.9}, {"phase": RUNNING, "estimate": EVOLVING}),
    ("I17T", {"condensate_kg": 15.1}, {"condensate_kg": 15.0}, {"phase": RUNNING}),
    ("I17L", {"exhaust_flow_m3_h": 350.0}, {"exhaust_flow_m3_h": 360.0}, {"phase": HOT_N2, "estimate": EVOLVING}),
    (
        "I18T",
        {},
        {},
        {"phase": HOT_VACUUM, "estimate": EVOLVING._replace(evolution_kg_h=Interval(4.1, 4.0, 4.2)), "below": {"estimate": EVOLVING}},
    ),
    ("I18", {}, {}, {"estimate": BELIEF._replace(evolution_kg_h=Interval(3.7, 3.0, 4.0)), "below": {"estimate": BELIEF}}),
    ("I18B", {}, {}, {"estimate": BELIEF._replace(blister=1.01), "below": {"estimate": BELIEF._replace(blister=0.94)}}),
    ("I18B", {}, {}, {"estimate": BELIEF._replace(blister=2.0), "below": {"estimate": BELIEF._replace(blister=2.0, valid=False)}}),
    ("I19", at_c(60.1), at_c(59.9), {}),
    ("I19", {}, {}, {"phase": RUNNING, "proof": PROVEN._replace(cycles_since_heat=1), "below": {"phase": RUNNING, "proof": PROVEN}}),
    ("I19D", {"pressure_cap_mbar": 973.0}, {"pressure_cap_mbar": 974.0}, {}),
    ("I19N", {"o2_pct": 19.4}, {"o2_pct": 19.5}, {"proof": SWEPT, "below": {"proof": SWEPT}}),
    ("I19N", {"o2_pct": 20.9}, {"o2_pct": 20.9}, {"proof": PROVEN._replace(swept_s=239.0), "below": {"proof": SWEPT}}),
    (
        "I19N",
        {"o2_pct": BAD},
        {"o2_pct": BAD},
        {"proof": PROVEN._replace(swept_s=899.0), "below": {"proof": PROVEN._replace(swept_s=900.0)}},
    ),
    (
        "I19S",
        {"o2_pct": 10.0},
        {"o2_pct": 20.9},
        {"phase": PhaseView(sweeps=True), "proof": SWEPT, "below": {"phase": PhaseView(sweeps=True), "proof": SWEPT}},
    ),
    ("I20W", {"room_o2_pct": 19.4}, {"room_o2_pct": 19.5}, {}),
    ("I20", {"room_o2_pct": 17.9}, {"room_o2_pct": 18.0}, {}),
    ("I21W", {"z2_tc_b_c": BAD}, {}, {}),
    ("I21W", {}, {}, {"sensors": Believed(out=(VotedOut("z1_tc_a_c", "open", 0.0),)), "below": {"sensors": ALL}}),
    ("I21V", {}, {}, {"sensors": STUCK, "below": {"sensors": STUCK._replace(out=(STUCK.out[0]._replace(agreed_s=180.0),))}}),
    ("I21", {"z2_tc_b_c": BAD, "z2_tc_c_c": BAD}, {"z2_tc_b_c": BAD}, {}),
    ("I21", zone1(20.0, 40.0, 60.0), zone1(20.0, 23.0, 60.0), {}),
    ("I21L", {"load_core_c": BAD}, {}, {}),
    ("I21M", {"load_core_c": BAD}, {}, {"limits": LIMITS.model_copy(update={"load_required": ("outer", "edge")})}),
    ("I21S", {"load_core_c": BAD}, {}, {"phase": HOT_VACUUM, "limits": LIMITS.model_copy(update={"load_substitute": True})}),
    ("I22W", zone1(100.0, 100.0, 100.0, 110.1), zone1(100.0, 100.0, 100.0, 109.9), {}),
    ("I22", zone1(100.0, 100.0, 100.0, 125.1), zone1(100.0, 100.0, 100.0, 124.9), {}),
    ("I22R", {}, {}, {"sensors": Believed(zones_low=True), "below": {"sensors": ALL}}),
    ("I23R", {}, {}, {"phase": RUNNING._replace(band="zones too hot"), "below": {"phase": RUNNING}}),
    ("I23L", at_c(189.9), at_c(190.1), {"phase": HOT_VACUUM, "last": HEATING}),
    ("I23W", zone1(210.1, 210.1, 210.1), zone1(209.9, 209.9, 209.9), {"phase": HOT_VACUUM, "last": HEATING}),
    ("I23", zone1(220.1, 220.1, 220.1), zone1(219.9, 219.9, 219.9), {"phase": HOT_VACUUM, "last": HEATING}),
    ("I24", {}, {"z1_op_pct": 50.0}, {"slopes": Slopes((3.1, 0.0, 0.0))}),
    ("I25W", HOT | {"z1_op_pct": 99.5}, HOT | {"z1_op_pct": 98.0}, {"phase": HOT_VACUUM._replace(temp_sp_c=230.0), "slopes": Slopes()}),
    ("I25", HOT | {"z1_op_pct": 99.5}, HOT | {"z1_op_pct": 98.0}, {"phase": HOT_VACUUM._replace(temp_sp_c=230.0), "slopes": Slopes()}),
    ("I26", {}, {}, {"phase": RUNNING._replace(timeout="I26"), "below": {"phase": RUNNING}}),
    ("I26B", {}, {}, {"phase": RUNNING._replace(began_s=99.9 - WEEK_S), "below": {"phase": RUNNING._replace(began_s=100.0 - WEEK_S)}}),
    ("I27T", {"plc_alive": BAD}, {}, {}),
    ("I27W", {"plc_alive": BAD}, {}, {}),
    ("I27", {"plc_alive": BAD}, {}, {}),
    ("I28", {"plc_state": int(PlcState.WATCHDOG_SAFE)}, {}, {"phase": RUNNING}),
    ("I28", {"plc_state": int(PlcState.TRIPPED)}, {}, {"phase": RUNNING}),
    ("I28E", {}, {}, {"phase": RUNNING, "sensors": Believed(echo_looks=2), "below": {"sensors": Believed(echo_looks=1)}}),
    ("I29", {}, {}, {"phase": RUNNING, "sensors": Believed(restarted="PLC"), "below": {"sensors": ALL}}),
    ("I28L", {"remote": False}, {}, {}),
    ("I28W", {"plc_watchdog_s": 0.0}, {}, {}),
    ("I30", {"journal_ok": False}, {}, {}),
    ("I30D", {"disk_free_pct": 4.9}, {"disk_free_pct": 5.0}, {}),
    ("I30C", {"clock_step_s": -2.1}, {"clock_step_s": -1.9}, {}),
    ("I31", {}, {}, {"phase": RUNNING, "estimate": BELIEF._replace(valid=False), "below": {"estimate": BELIEF}}),
    ("I31T", {}, {}, {"phase": RUNNING._replace(timeout="I31T"), "below": {"phase": RUNNING}}),
    ("I32", {"gateway_ok": False}, {}, {}),
    ("I33W", {"proof_due": 1}, {"proof_due": 0}, {}),
    ("I34", {"recipe_ok": False}, {}, {"phase": RUNNING}),
    ("C1V", {"vac_valve_closed": False}, {}, {}),
    ("C1N", {}, {"n2_valve_open": True, "n2_valve_closed": False}, {"last": OFF._replace(n2_valve=True)}),
    ("C1A", {"vent_valve_open": True}, {}, {}),
    ("C1E", {"exhaust_valve_open": True, "exhaust_valve_closed": False}, {}, {}),
    ("C2", {"main_contactor": True}, {}, {}),
    ("C3", {"plc_heat_permitted": False}, {}, {"last": HEATING}),
]
I5_CASES = [("I5", {}, {}, {"proof": Proof(), "below": {"proof": PROVEN}})]


def view(changed, *, phase=PhaseView(), proof=PROVEN, estimate=BELIEF, last=OFF, slopes=Slopes(), active=frozenset(),  # noqa: B008
         sensors=ALL, **more):  # fmt: skip
    limits = more.get("limits", LIMITS)
    inputs = image(**changed)
    return View(limits, inputs, condition(limits, inputs, proof.gauges), estimate, phase, proof, last, slopes, Equipment(), active, sensors,
                more.get("pump_starts", False))  # fmt: skip


def walk(memory, changed, seconds, more, reset=False, acknowledge=False):
    """Walk the table for ``seconds`` with one image; return the memory and the last verdict."""
    verdict = None
    for _ in range(int(seconds)):
        memory, verdict, _ = evaluate(memory, view(changed, active=memory.active, **more), reset, acknowledge)
        reset = acknowledge = False
    return memory, verdict


def delay_of(rule):
    return rule.delay_s(LIMITS) if callable(rule.delay_s) else rule.delay_s


def test_every_row_has_a_rehearsal():
    assert {case[0] for case in CASES + I5_CASES} == {rule.id for rule in RULES}


@pytest.mark.parametrize(
    ("rule", "cause", "below", "more"), CASES + I5_CASES, ids=[f"{index}-{case[0]}" for index, case in enumerate(CASES + I5_CASES)]
)
def test_a_cause_acts_after_its_delay_and_just_below_nothing_does(rule, cause, below, more):
    delay_s = delay_of(BY_ID[rule])
    if delay_s >= 2:
        _, early = walk(InterlockMemory(), cause, delay_s - 1, more)
        assert rule not in early.active
    _, verdict = walk(InterlockMemory(), cause, delay_s + 10, more)
    assert rule in verdict.active
    assert verdict.effects & BY_ID[rule].effect == BY_ID[rule].effect
    calm = {**more, **more.get("below", {})}
    _, nothing = walk(InterlockMemory(), below, delay_s + 5, calm)
    assert rule not in nothing.active


@pytest.mark.parametrize(
    ("rule", "cause", "below", "more"), CASES + I5_CASES, ids=[f"{index}-{case[0]}" for index, case in enumerate(CASES + I5_CASES)]
)
def test_a_row_clears_as_written_and_never_while_its_cause_stands(rule, cause, below, more):
    row = BY_ID[rule]
    memory, _ = walk(InterlockMemory(), cause, delay_of(row) + 10, more)
    _, still = walk(memory, cause, 1, more, reset=True, acknowledge=True)
    assert rule in still.active
    calm, gone = {**more, **more.get("below", {})}, dict(below)
    for field in ("exhaust_lel_pct", "o2_pct", "pressure_cap_mbar", "condensate_kg"):  # well below, past the deadbands
        if isinstance(gone.get(field), float):
            gone[field] = gone[field] * 0.5
    gone = {
        **gone,
        **({"n2_header_bar": 6.0} if "n2_header_bar" in gone else {}),
        **({"disk_free_pct": 50.0} if "disk_free_pct" in gone else {}),
    }
    gone = {**gone, **({"room_o2_pct": 20.9} if "room_o2_pct" in gone else {}), **(at_c(30.0) if "load_core_c" in gone else {})}
    if rule in ("I4G", "I4N", "I6T"):
        gone = dict(below)
    if rule.startswith(("I22", "I23")):
        gone = zone1(195.0, 195.0, 195.0, 195.0)
    if rule in ("I19N", "I19S"):
        gone = {"o2_pct": 20.9}
    if rule == "I19D":
        gone = {"pressure_cap_mbar": 977.0}
    if rule == "I6":  # filled with N2: a vacuum that has come back may be lost again
        gone = {"pressure_cap_mbar": 950.0}
    gone |= {"I11R": {"n2_reserve_nm3": 500.0}, "I17L": {"exhaust_flow_m3_h": 600.0}, "I23L": at_c(195.0)}.get(rule, {})
    if rule == "I19S":  # looks at what I19N was in the scan before
        memory, _ = walk(memory, gone, 1, calm)
    if rule == "I12T":  # stands while I12 waits for a person
        memory, _ = walk(memory, gone, 1, calm, acknowledge=True)
    _, after = walk(memory, gone, 1, calm)
    assert (rule in after.active) == (row.reset is not Reset.AUTO)
    _, acknowledged = walk(memory, gone, 1, calm, acknowledge=True)
    assert (rule in acknowledged.active) == (row.reset is Reset.MANUAL)
    _, after_reset = walk(memory, gone, 1, calm, reset=True)
    assert rule not in after_reset.active


def test_a_deadband_keeps_a_warning_from_chattering():
    memory, verdict = walk(InterlockMemory(), {"pressure_cap_mbar": 1051.0}, 3, {})
    memory, verdict = walk(memory, {"pressure_cap_mbar": 1045.0}, 1, {})
    assert "I4W" in verdict.active
    _, verdict = walk(memory, {"pressure_cap_mbar": 1039.0}, 1, {})
    assert "I4W" not in verdict.active


def test_first_out_is_the_row_that_came_first_and_stays_until_all_is_clear():
    memory, verdict = walk(InterlockMemory(), {"estop_ok": False}, 1, {})
    assert verdict.first_out == "I2"
    memory, verdict = walk(memory, {"estop_ok": False, "overtemp_ok": False}, 1, {})
    assert verdict.first_out == "I2"
    memory, verdict = walk(memory, {}, 1, {}, reset=True)
    assert verdict.first_out == ""


def test_nothing_is_active_in_a_calm_oven():
    _, verdict = walk(InterlockMemory(), {"o2_pct": 20.9}, 100, {"proof": SWEPT})
    assert verdict.active == ()
    assert verdict.start
    assert verdict.heat


WANTED = OFF._replace(heat_enable=True, zone_sp_c=(900.0, 100.0, 100.0), zone_op_pct=(50.0, 50.0, 50.0), rate_limit_c_per_min=99.0,
                      n2_valve=True, n2_flow_sp_nm3_h=999.0, vac_valve=True, vent_valve=True, door_release=True)  # fmt: skip


def test_the_verdict_has_the_last_word_on_set_points_and_valve_pairs():
    _, verdict = walk(InterlockMemory(), {}, 1, {})
    out = verdict.limit(WANTED, Equipment(), image())
    assert max(out.zone_sp_c) == Equipment().max_c
    assert out.rate_limit_c_per_min == Equipment().max_rate_c_per_min
    assert out.n2_flow_sp_nm3_h == Equipment().max_n2_flow_nm3_h
    assert not (out.n2_valve and out.vac_valve)
    assert not (out.vent_valve and out.vac_valve)
    assert not verdict.limit(WANTED._replace(n2_valve=False), Equipment(), image(n2_valve_closed=False)).vac_valve
    assert not verdict.limit(WANTED._replace(vac_valve=False), Equipment(), image(vac_valve_closed=BAD)).n2_valve


@pytest.mark.parametrize("rule", [rule.id for rule in RULES if rule.effect & (Effect.NO_HEAT | Effect.ABORT)])
def test_no_heat_leaves_the_scan_while_a_row_forbids_it(rule):
    case = next(case for case in CASES + I5_CASES if case[0] == rule)
    _, verdict = walk(InterlockMemory(), case[1], delay_of(BY_ID[rule]) + 10, case[3])
    out = verdict.limit(WANTED, Equipment(), image())
    assert not out.heat_enable
    assert out.zone_op_pct == (0.0, 0.0, 0.0)


def test_voting_2oo3():
    cases = [
        ((100.0, 101.0, 102.0), 101.0, 3),
        ((100.0, 101.0, 150.0), 100.5, 2),  # the liar is voted out
        ((100.0, BAD, 102.0), 101.0, 2),
        ((100.0, BAD, 130.0), None, 0),  # two that disagree
        ((100.0, BAD, BAD), 100.0, 1),
        ((BAD, BAD, BAD), None, 0),
        ((100.0, 120.0, 140.0), None, 0),
    ]
    for (a, b, c), temp_c, valid in cases:
        zone = condition(LIMITS, image(**zone1(a, b, c))).zones[0]
        assert (zone.temp_c, zone.valid) == (pytest.approx(temp_c) if temp_c is not None else None, valid)


def test_an_o2_reading_under_vacuum_is_no_evidence():
    assert condition(LIMITS, image(o2_pct=0.001)).o2_pct == 0.001
    assert condition(LIMITS, image(o2_pct=0.001, **VACUUM)).o2_pct is None


def proven(proof, seconds, heating=False, **changed):
    for _ in range(seconds):
        inputs = image(**changed)
        proof = prove(proof, LIMITS, 2.0, inputs, condition(LIMITS, inputs), heating, 0.0)
    return proof


LOW, HIGH = {"pressure_cap_mbar": 20.0, "pressure_pirani_mbar": 20.0}, {"pressure_cap_mbar": 500.0}


FED = {"n2_valve_open": True, "n2_valve_closed": False, "vac_valve_open": False, "vac_valve_closed": True, "n2_flow_nm3_h": 60.0}


def test_the_vacuum_path_needs_cycles_a_leak_test_and_a_minute_of_vacuum():
    proof = proven(Proof(boot_id=7, leak_ok=True), 1, **LOW)
    for _ in range(2):
        proof = proven(proven(proven(proof, 5, **LOW), 60, **LOW, **FED), 5, **HIGH, **FED)
    assert proof.cycles == 2
    assert not proof.proven
    assert not proven(proof, 59, **LOW).proven
    assert proven(proof, 60, **LOW).vacuum_proven
    assert not proven(proof._replace(leak_ok=False), 90, **LOW).proven
    assert not proven(proof._replace(cycles=1), 90, **LOW).proven


def test_the_inert_path_needs_volumes_and_a_valid_o2_reading():
    flowing = {"n2_flow_nm3_h": 60.0, "exhaust_valve_open": True, "exhaust_valve_closed": False, "o2_pct": 0.01}
    proof = proven(Proof(boot_id=7), 479, **flowing)  # 60 m3/h through 2 m3: four volumes take 480 s
    assert not proof.proven
    assert proven(proof, 2, **flowing).inert_proven
    assert not proven(proof, 10, **{**flowing, "o2_ready": False}).proven
    assert not proven(proof, 10, **{**flowing, "o2_pct": 2.1}).proven


@pytest.mark.parametrize(("opened", "washed"), [
    ({"door_closed_a": False, "door_closed_b": False}, 0), ({"door_closed_a": False}, 2), ({"door_closed_b": BAD}, 2),
    ({"vent_valve_closed": False}, 2),
])  # fmt: skip
def test_air_ends_the_proof_and_through_the_vent_leaves_what_was_washed_out(opened, washed):
    assert PROVEN.cycles_since_heat == 2
    assert proven(PROVEN, 1, **opened) == Proof(boot_id=7, open_s=1.0, cycles_since_heat=washed, swept_s=0.0 if washed else DOOR_AIRS)


def test_a_restarted_plc_or_an_unknown_pressure_ends_the_proof():
    assert not proven(PROVEN, 1, plc_boot_id=8, **LOW).proven
    assert not proven(PROVEN, 1, pressure_cap_mbar=BAD, pressure_pirani_mbar=BAD).proven


def test_the_slope_of_a_steady_ramp():
    """3 degC/min for five minutes: the filtered slope is within 1 % of it (the filter's time is one minute)."""
    now = Slopes()
    for second in range(300):
        temps = zone1(*(50.0 + 3.0 / 60.0 * second,) * 3)
        now = slopes(now, condition(LIMITS, image(**temps)), 1.0)
    assert now.slope_c_per_min[0] == pytest.approx(3.0, rel=0.01)


def test_the_generated_documents_name_every_row():
    assert all(f"| {rule.id}" in interlock_matrix() for rule in RULES)
    assert "TT-111A" in io_list()


def test_a_lost_wire_is_not_read_as_a_pressed_emergency_stop():
    """Without a PLC image heat is not permitted at once and the batch is held after 10 s (I27); nothing is aborted by silence."""
    lost = {field: BAD for field in SIGNALS if field not in OWN_SIGNALS}
    more = {"phase": HOT_VACUUM, "last": HEATING}
    memory, verdict = walk(InterlockMemory(), lost, 1, more)
    assert not verdict.heat
    assert not verdict.hold
    memory, verdict = walk(memory, lost, 3600, more)
    assert verdict.hold
    assert not verdict.abort
    _, verdict = walk(memory, VACUUM, 1, {**more, "last": OFF}, acknowledge=True)
    assert verdict.active == ("I19D", "I19N")  # as in every vacuum


def test_what_stood_before_the_wire_was_lost_stays():
    memory, _ = walk(InterlockMemory(), {"room_o2_pct": 17.0}, 5, {})
    _, verdict = walk(memory, {field: BAD for field in SIGNALS if field not in OWN_SIGNALS}, 5, {})
    assert "I20" in verdict.active


def test_a_cooling_roll_is_hotter_inside_than_its_thermocouples_show():
    """A share of the distance between load and walls is reckoned with; a roll that is being heated has its hottest layer outside."""
    cooling = image(load_outer_c=58.0, load_core_c=58.0, **zone1(38.0, 38.0, 38.0))
    assert condition(LIMITS, cooling).hottest_c == pytest.approx(58.0 + LIMITS.inner_share * (58.0 - 23.0))
    heating = image(load_outer_c=58.0, **HOT)
    assert condition(LIMITS, heating).hottest_c == 200.0


def test_a_flicker_of_a_door_switch_does_not_end_the_proof():
    inputs = image(dt_s=0.2, door_closed_a=False)
    assert prove(PROVEN, LIMITS, 2.0, inputs, condition(LIMITS, inputs), False, 0.0).leak_ok


def test_a_lost_load_thermocouple_leaves_no_hottest_temperature_to_trust():
    """Neither is air let in nor does a soak count while the one that is lost may be the hottest or the coldest."""
    process = condition(LIMITS, image(load_core_c=BAD))
    assert process.load_lost
    assert process.hottest_c is None


def test_a_pirani_gauge_alone_says_nothing_towards_ambient_pressure():
    assert condition(LIMITS, image(pressure_cap_mbar=BAD)).pressure_mbar is None
    assert condition(LIMITS, image(pressure_cap_mbar=BAD, pressure_pirani_mbar=20.0)).pressure_mbar == 20.0
