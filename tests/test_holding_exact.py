"""HELD and RESTARTING at their lines: what is kept, for how long, where a manual set point may go, and what is proven before heat."""

import pytest

from controller.image import Atmosphere, Interval, Setpoints
from controller.interlocks.conditioning import condition
from controller.interlocks.limits import Limits
from controller.recipe import holding
from controller.recipe.look import PhaseMemory, PhaseScan, gas_only
from controller.recipe.proving import Proving
from controller.recipe.recovery import Recovery
from controller.recipe.standing import Batch, Manual, UnitMemory
from controller.recipe.states import UnitState
from tests.images import BAD, image
from tests.test_check_exact import N2, phase
from tests.test_claims_exact import LOAD, RECIPE
from tests.test_interlocks import BELIEF, at_c

S = UnitState
HOT = Setpoints(True, 200.0, 2.0, Atmosphere.VACUUM, 20.0, 0.0)
COLD = HOT._replace(heat=False)
WAITS = "RESTART, STOP or ABORT"
PHASES = {
    "SOAK": phase("SOAK"), "INERT": phase("SOAK", pressure_mbar=None, **N2), "LEAK": phase("LEAK_TEST"), "VENT": phase("VENT"),
    "PURGE": phase("CYCLE_PURGE"), "FLOW": phase("PURGE_FLOW"), "EVACUATE": phase("EVACUATE"), "COOL": phase("COOL"), "RAMP": phase("RAMP"),
}  # fmt: skip


def look(temp_c=150.0, pressure=20.0, dt_s=1.0, estimate=BELIEF, **changed):
    walls = at_c(BAD if temp_c is None else temp_c)
    inputs = image(dt_s=dt_s, pressure_cap_mbar=pressure, pressure_pirani_mbar=pressure, **walls, **changed)
    return PhaseScan(inputs, condition(Limits(), inputs), estimate, None, dt_s, 0.0, False, 2.0, 60.0)


def unit(kind, state, *more, **changed):
    recipe = RECIPE.model_copy(update={"phase": (PHASES[kind], *(PHASES[one] for one in more), phase("COOL"), phase("END"))})
    memory = UnitMemory(state=state, batch=Batch(1, recipe, "0" * 64, LOAD, "anna", 0.0), was_heated=True, setpoints=HOT, temp_sp_c=200.0)
    return memory._replace(**changed)


# ---- HOLDING takes over ----


@pytest.mark.parametrize(("temp_c", "kept_c"), [(150.0, 150.0), (200.5, 200.0), (None, 200.0)])
def test_a_hold_takes_over_at_the_oven_s_temperature_and_never_above_the_set_point(temp_c, kept_c):
    memory, waiting, notes = holding.held(unit("SOAK", S.HOLDING, cause="why"), look(temp_c))
    assert (memory.state, memory.cause, waiting, len(notes)) == (S.HELD, "why", "", 1)
    assert memory.setpoints == HOT._replace(temp_c=kept_c, rate_c_per_min=0.0)
    assert memory.temp_sp_c == kept_c


def test_a_hold_while_the_atmosphere_was_being_proven_keeps_where_the_ramp_stood():
    memory, _, _ = holding.held(unit("SOAK", S.HOLDING, setpoints=gas_only(Atmosphere.VACUUM, 20.0), temp_sp_c=120.0), look(150.0))
    assert (memory.setpoints.temp_c, memory.temp_sp_c) == (120.0, 120.0)


FILLED = gas_only(Atmosphere.BACKFILL, 950.0, 60.0)


@pytest.mark.parametrize("state", [S.HOLDING, S.HELD])
@pytest.mark.parametrize(("gas", "reproves", "changed", "filled"), [
    (Atmosphere.VACUUM, True, {}, True),
    (Atmosphere.BACKFILL, True, {}, True),
    (Atmosphere.VACUUM, True, {"drawn": True}, False),
    (Atmosphere.VACUUM, True, {"n2_gone": True}, False),
    (Atmosphere.VACUUM, False, {}, False),  # no restart was broken off: what the phase has drawn is its vacuum
    (Atmosphere.N2_FLOW, True, {}, False),
])  # fmt: skip
def test_a_restart_that_is_held_between_n2_and_vacuum_is_filled_up_again(state, gas, reproves, changed, filled):
    before = unit("SOAK", state, setpoints=gas_only(gas, 20.0), temp_sp_c=120.0, reproves=reproves)
    memory, _, _ = holding.held(before, look(pressure=400.0)._replace(**changed))
    if state is S.HOLDING:  # it takes over first
        memory, _, _ = holding.held(memory, look(pressure=400.0)._replace(**changed))
    assert (memory.setpoints._replace(temp_c=0.0) == FILLED) is filled
    assert memory.setpoints.temp_c == (120.0 if state is S.HOLDING else 0.0)


def test_a_hold_opens_a_chamber_that_was_isolated():
    isolated = PhaseMemory(isolated_s=20.0, since_s=5.0)
    before = unit("SOAK", S.HELD, phase=isolated, setpoints=HOT._replace(atmosphere=Atmosphere.HOLD_CLOSED))
    memory, _, _ = holding.held(before, look())
    assert memory.phase == PhaseMemory()
    assert memory.setpoints == HOT


# ---- HELD keeps ----


def test_heat_is_kept_for_a_quarter_of_an_hour_and_then_given_up():
    memory, waiting, notes = holding.held(unit("SOAK", S.HELD, state_s=900.0), look())
    assert (memory.setpoints, waiting, notes) == (HOT, WAITS, ())
    memory, waiting, (note,) = holding.held(unit("SOAK", S.HELD, state_s=900.1), look())
    assert memory.setpoints == COLD
    assert waiting == "held for 15 min: heat off, controlled cool-down"
    assert note == ("decision", {"what": "hold limit", "why": waiting})
    memory, waiting, notes = holding.held(unit("SOAK", S.HELD, state_s=5000.0, setpoints=COLD), look())
    assert (memory.setpoints, waiting, notes) == (COLD, WAITS, ())


@pytest.mark.parametrize("gas", [Atmosphere.BACKFILL, Atmosphere.VENT, Atmosphere.OFF])
def test_no_gas_goes_on_that_would_break_what_the_phase_needs(gas):
    before = gas_only(gas, 900.0, 60.0)._replace(temp_c=80.0)
    memory, waiting, _ = holding.held(unit("PURGE", S.HELD, setpoints=before), look(20.0))
    assert memory.setpoints == gas_only(Atmosphere.HOLD_CLOSED)._replace(temp_c=80.0)
    assert waiting == WAITS


@pytest.mark.parametrize("gas", [Atmosphere.VACUUM, Atmosphere.N2_FLOW, Atmosphere.HOLD_CLOSED])
def test_inerting_goes_on(gas):
    before = gas_only(gas, 20.0, 30.0)
    assert holding.held(unit("PURGE", S.HELD, setpoints=before), look(20.0))[0].setpoints == before


MANUALS = [  # manual set point, set point now, zones -> next; six degrees a minute, ten seconds a scan: a degree
    (210.0, 200.0, 200.0, 201.0),
    (200.5, 200.0, 200.0, 200.5),
    (200.0, 200.0, 200.0, 200.0),
    (190.0, 200.0, 200.0, 199.0),
    (199.5, 200.0, 200.0, 199.5),
    (190.0, 196.0, 200.0, 195.0),  # five degrees below the zones and no further
    (190.0, 195.0, 200.0, 195.0),
    (190.0, 194.0, 200.0, 194.0),  # and never back up
    (190.0, 200.0, None, 199.0),
    (190.0, 190.5, None, 190.0),
]


@pytest.mark.parametrize(("manual_c", "now_c", "zones_c", "next_c"), MANUALS)
def test_a_manual_set_point_is_gone_to_at_its_rate_and_not_far_below_the_zones(manual_c, now_c, zones_c, next_c):
    before = unit("SOAK", S.HELD, setpoints=HOT._replace(temp_c=now_c), manual=Manual(manual_c, 6.0))
    memory, waiting, _ = holding.held(before, look(zones_c, dt_s=10.0))
    assert memory.setpoints == HOT._replace(temp_c=next_c, rate_c_per_min=6.0)
    assert (memory.temp_sp_c, waiting) == (next_c, WAITS)


@pytest.mark.parametrize(("blister", "next_c"), [(0.8, 201.0), (0.9, 200.5), (1.0, 200.0)])
def test_a_manual_set_point_goes_up_no_faster_than_the_guard_lets_a_ramp(blister, next_c):
    before = unit("SOAK", S.HELD, manual=Manual(210.0, 6.0))
    memory, _, _ = holding.held(before, look(200.0, dt_s=10.0, estimate=BELIEF._replace(blister=blister)))
    assert memory.setpoints.temp_c == pytest.approx(next_c)


def test_a_manual_set_point_does_nothing_without_heat():
    before = unit("SOAK", S.HELD, setpoints=COLD, manual=Manual(210.0, 6.0))
    assert holding.held(before, look(dt_s=10.0))[0].setpoints == COLD


PENDING = Recovery("CORE", "RUNNING")


@pytest.mark.parametrize(("recovery", "setpoints", "temp_c", "watched_c"), [
    (PENDING, COLD, 250.0, 250.0),  # what the oven has now it may not exceed
    (PENDING, COLD, 200.0, 200.0),
    (PENDING, COLD, 150.0, 200.0),
    (PENDING, COLD, None, 200.0),
    (PENDING, HOT, 250.0, 200.0),
    (PENDING._replace(plan="CONTINUE"), COLD, 250.0, 200.0),
    (None, COLD, 250.0, 200.0),
])  # fmt: skip
def test_while_a_recovery_is_pending_the_oven_is_watched_from_where_it_is(recovery, setpoints, temp_c, watched_c):
    memory, _, _ = holding.held(unit("SOAK", S.HELD, setpoints=setpoints, recovery=recovery), look(temp_c))
    assert memory.setpoints == setpoints._replace(temp_c=watched_c)
    assert memory.temp_sp_c == 200.0


# ---- RESTARTING proves ----


def test_a_leak_test_begins_anew_and_another_phase_does_not():
    stood = PhaseMemory(stage=2, stage_s=100.0)
    assert holding.restarting(unit("LEAK", S.RESTARTING, phase=stood), look(), False)[0].phase == PhaseMemory()
    assert holding.restarting(unit("EVACUATE", S.RESTARTING, phase=stood), look(), False)[0].phase == stood


def test_a_proof_that_is_not_given_in_two_hours_holds_the_batch():
    memory, _, _ = holding.restarting(unit("SOAK", S.RESTARTING, state_s=7200.0), look(), False)
    assert memory.state is S.RESTARTING
    memory, _, _ = holding.restarting(unit("SOAK", S.RESTARTING, state_s=7200.1), look(), False)
    assert (memory.state, memory.cause) == (S.HOLDING, "atmosphere not proven in 120 min; STOP, or find why (I5)")


def test_a_phase_with_heat_proves_its_vacuum_in_cycles_and_then_waits_in_vacuum():
    cold = BELIEF._replace(film_max_c=59.0)  # over a warm film the guard draws a vacuum down slowly
    memory, waiting, notes = holding.restarting(unit("SOAK", S.RESTARTING), look(pressure=500.0, estimate=cold), False)
    assert memory.setpoints == gas_only(Atmosphere.VACUUM, 0.8 * 48.0)
    slowly = holding.restarting(unit("SOAK", S.RESTARTING), look(pressure=500.0), False)[0]
    assert slowly.setpoints == gas_only(Atmosphere.VACUUM, pytest.approx(80.0, rel=0.01))
    assert (memory.reproof.mark, notes) == (500.0, ())
    assert waiting == "proving the atmosphere: cycle 1/2: 500 <= 48 mbar"
    cycled = PhaseMemory(cycles=1)
    assert holding.restarting(unit("SOAK", S.RESTARTING, reproof=cycled), look(pressure=500.0), False)[1].startswith(
        "proving the atmosphere: cycle 2/2"
    )
    above = look(pressure=500.0, estimate=cold)
    memory, waiting, _ = holding.restarting(unit("SOAK", S.RESTARTING, reproof=PhaseMemory(cycles=2)), above, False)
    assert memory.setpoints == gas_only(Atmosphere.VACUUM, 20.0)
    assert waiting == "proving the atmosphere: vacuum proof (I5)"
    deep = PHASES["SOAK"].model_copy(update={"pressure_mbar": None})
    bare = unit("SOAK", S.RESTARTING, reproof=PhaseMemory(cycles=2))
    bare = bare._replace(batch=bare.batch._replace(recipe=RECIPE.model_copy(update={"phase": (deep, phase("END"))})))
    assert holding.restarting(bare, above, False)[0].setpoints == gas_only(Atmosphere.VACUUM, 0.0)
    high = look(pressure=47.0)
    assert holding.restarting(unit("SOAK", S.RESTARTING), high, False)[0].reproof.stage == 1
    up = holding.restarting(unit("SOAK", S.RESTARTING, reproof=PhaseMemory(stage=1)), high, False)[0]
    assert up.setpoints == gas_only(Atmosphere.BACKFILL, 380.0, 60.0)


FLOWING = {"n2_flow_nm3_h": 3600.0, "exhaust_valve_open": True, "exhaust_valve_closed": False}


def test_a_phase_in_nitrogen_proves_it_with_volumes_and_half_of_the_o2_that_would_do():
    memory, waiting, _ = holding.restarting(unit("INERT", S.RESTARTING), look(pressure=1013.0, **FLOWING), False)
    assert memory.setpoints == gas_only(Atmosphere.N2_FLOW, 1013.25, 60.0)
    assert (memory.reproof.volumes, waiting) == (0.5, "proving the atmosphere: 0.5 of 5 volumes")
    sent = unit("INERT", S.RESTARTING, reproof=PhaseMemory(volumes=5.0))
    assert holding.restarting(sent, look(pressure=1013.0, o2_pct=1.1), False)[1].endswith("O2 1.100 vol%, wanted <= 1 vol%")
    assert holding.restarting(sent, look(pressure=1013.0, o2_pct=1.0), False)[1] == "proving the atmosphere: "


def test_with_the_proof_or_without_heat_the_phase_goes_on_at_the_oven_s_temperature():
    memory, waiting, (note,) = holding.restarting(unit("SOAK", S.RESTARTING), look(150.0), True)
    assert (memory.state, memory.temp_sp_c, memory.cause, waiting) == (S.RUNNING, 150.0, "atmosphere proven", "")
    assert note.kind == "state"
    memory, _, _ = holding.restarting(unit("EVACUATE", S.RESTARTING, "SOAK"), look(150.0), False)
    assert (memory.state, memory.cause) == (S.RUNNING, "no heat in this phase")
    memory, _, _ = holding.restarting(unit("COOL", S.RESTARTING), look(150.0), False)
    assert (memory.state, memory.cause) == (S.RUNNING, "no heat in this phase")
    assert holding.restarting(unit("SOAK", S.RESTARTING), look(250.0), True)[0].temp_sp_c == 200.0


def test_after_a_power_failure_a_phase_without_heat_proves_the_vacuum_for_the_next_with():
    lost = unit("EVACUATE", S.RESTARTING, "SOAK", power_lost=True)
    memory, waiting, _ = holding.restarting(lost, look(pressure=500.0), False)
    assert (memory.state, waiting) == (S.RESTARTING, "proving the atmosphere: cycle 1/2: 500 <= 48 mbar")
    memory, _, _ = holding.restarting(unit("EVACUATE", S.RESTARTING, "PURGE", "SOAK", power_lost=True), look(pressure=500.0), False)
    assert memory.state is S.RUNNING  # a purge comes before the heat


def test_after_a_power_failure_air_is_let_in_only_after_n2_again():
    lost = unit("VENT", S.RESTARTING, power_lost=True)
    memory, waiting, _ = holding.restarting(lost, look(pressure=1013.0, **FLOWING), False)
    assert (memory.state, waiting) == (S.RESTARTING, "N2 again before air (I19): 0.5 of 5 volumes")
    assert memory.setpoints == gas_only(Atmosphere.N2_FLOW, 1013.25, 60.0)
    assert memory.reproof.volumes == 0.5
    washed = lost._replace(reproof=PhaseMemory(volumes=5.0))
    assert holding.restarting(washed, look(pressure=1013.0), False)[0].state is S.RUNNING
    assert holding.restarting(lost._replace(reproof=PhaseMemory(volumes=4.9)), look(pressure=1013.0), False)[0].state is S.RESTARTING
    assert holding.restarting(lost._replace(power_lost=False), look(pressure=1013.0), False)[0].state is S.RUNNING
    enough = look(pressure=1013.0, o2_pct=1.1, **FLOWING)
    waiting = holding.restarting(lost._replace(reproof=PhaseMemory(volumes=4.9)), enough, False)[1]
    assert waiting == "N2 again before air (I19): O2 1.100 vol%, wanted <= 1 vol%"
    stricter = look(pressure=1013.0, o2_pct=1.1)._replace(proving=Proving(o2_pct=2.0))
    assert holding.restarting(lost._replace(reproof=PhaseMemory(volumes=4.9999)), stricter, False)[0].state is S.RESTARTING


def test_after_a_hold_a_cycle_purge_begins_anew_and_after_a_power_failure_every_purge():
    stood = PhaseMemory(stage=1, cycles=1, volumes=2.0)
    assert holding.restarting(unit("PURGE", S.RESTARTING, power_lost=True, phase=stood), look(), False)[0].phase == PhaseMemory()
    assert holding.restarting(unit("PURGE", S.RESTARTING, phase=stood), look(), False)[0].phase == PhaseMemory()
    assert holding.restarting(unit("FLOW", S.RESTARTING, power_lost=True, phase=stood), look(), False)[0].phase == PhaseMemory()
    assert holding.restarting(unit("FLOW", S.RESTARTING, phase=stood), look(), False)[0].phase == stood
    assert holding.restarting(unit("COOL", S.RESTARTING, power_lost=True, phase=stood), look(), False)[0].phase == stood


PLANNED = Recovery("CORE", "RUNNING", sp_c=200.0, plan="RAMP_BACK_SP")
OVERCURED = BELIEF._replace(insoluble=Interval(0.95, 0.9, 0.99))


def test_after_an_outage_the_product_must_still_be_what_the_recipe_allows():
    planned = unit("SOAK", S.RESTARTING, recovery=PLANNED)
    memory, waiting, notes = holding.restarting(planned, look(estimate=OVERCURED), True)
    against = "insoluble content 95.0 % in one position once cold, allowed 90 %"
    assert (memory.state, memory.cause, waiting) == (S.HOLDING, f"power-fail recovery: {against}", "")
    assert notes[0] == ("decision", {"what": "power-fail recovery", "plan": "HOLD", "rule": "R5", "why": against})
    assert len(notes) == 2
    memory, _, _ = holding.restarting(planned, look(), True)
    assert (memory.state, memory.temp_sp_c, memory.cause) == (S.RUNNING, 200.0, "atmosphere proven; power-fail recovery: RAMP_BACK_SP")
    cold = unit("COOL", S.RESTARTING, recovery=PLANNED)  # no heat is to come
    assert holding.restarting(cold, look(estimate=OVERCURED), True)[0].state is S.RUNNING
    past = unit("SOAK", S.RESTARTING, recovery=PLANNED, phase_index=1)  # the heat is behind it
    assert holding.restarting(past, look(estimate=OVERCURED), True)[0].state is S.RUNNING
    ahead = unit("EVACUATE", S.RESTARTING, "SOAK", recovery=PLANNED)  # the heat is still to come
    assert holding.restarting(ahead, look(estimate=OVERCURED), True)[0].state is S.HOLDING
    assert holding.restarting(unit("SOAK", S.RESTARTING), look(estimate=OVERCURED), True)[0].state is S.RUNNING  # a hold is no outage


def test_a_unit_without_a_batch_goes_on_without_a_set_point():
    memory, _, _ = holding.restarting(UnitMemory(state=S.RESTARTING, power_lost=True, temp_sp_c=120.0), look(), False)
    assert (memory.state, memory.temp_sp_c) == (S.RUNNING, 120.0)
