"""Power failures: core, PLC or both away for a short, a medium or a long time, in every kind of phase."""

from functools import lru_cache
from pathlib import Path

import pytest

from controller.command import Command
from controller.image import Estimate, Interval, ZoneEstimate
from controller.memory import Settings
from controller.power_return import power_return
from controller.recipe import recovery, resuming
from controller.recipe.reading import parse_load, parse_recipe
from controller.recipe.recovery import BY_KIND, LENGTHS, Found, Recovery, decide
from controller.recipe.resuming import unwritten
from controller.recipe.segments import Kind
from controller.recipe.states import UnitState, Verb
from controller.roles import Role
from controller.wiring import load
from sim import bench, outages
from sim.bench import Rig
from tests.images import BAD, image

ROOT = Path(__file__).parents[1]
WIRING = load(ROOT / "deploy" / "wiring.toml")
LOAD = parse_load((ROOT / "recipes" / "loads" / "sample-roll.toml").read_text("utf-8"), "load")
HEAD = (ROOT / "recipes" / "trial-short.toml").read_text("utf-8").split("[power_fail]")[0]
VACUUM = 'atmosphere = "VACUUM"\npressure_mbar = 50.0'
# Every kind of phase that takes time, as short as may be; the walk below skips what would take long.
PHASES = {
    "LEAK_TEST": "pressure_mbar = 50.0\nhold_min = 1.0\nmax_rise_mbar_h = 50.0\ntimeout_min = 60.0",
    "CYCLE_PURGE": "low_mbar = 40.0\nhigh_mbar = 400.0\ncycles = 2\ntimeout_min = 60.0",
    "EVACUATE": "pressure_mbar = 60.0\ntimeout_min = 60.0",
    "BACKFILL": "pressure_mbar = 900.0\ntimeout_min = 60.0",
    "RAMP": f"target_c = 50.0\nrate_c_per_min = 5.0\ntimeout_min = 120.0\n{VACUUM}",
    "STEP": f"target_c = 55.0\ntimeout_min = 120.0\n{VACUUM}",
    "SOAK": f"target_c = 55.0\nsoak_min = 300.0\nband_c = 20.0\ntimeout_min = 600.0\n{VACUUM}",
    "PRESSURE_RISE": f"target_c = 55.0\nisolate_s = 600.0\nmax_mbar = 79.0\ntimeout_min = 600.0\n{VACUUM}",
    "WAIT": f'tag = "temp_c"\nrising = 200.0\ntimeout_min = 600.0\n{VACUUM}',
    "OPERATOR": f'text = "Look at the roll"\ntimeout_min = 600.0\n{VACUUM}',
    "CURE": f"target_c = 55.0\nmin_min = 300.0\nfallback_min = 300.0\nband_c = 20.0\ntimeout_min = 600.0\n{VACUUM}",
    "COOL": 'target_c = 24.5\nrate_c_per_min = 1.0\ntimeout_min = 600.0\natmosphere = "N2_FLOW"\nn2_flow_nm3_h = 60.0',
    "PURGE_FLOW": "n2_flow_nm3_h = 60.0\nvolumes = 5.0\nmax_o2_pct = 2.0\ntimeout_min = 60.0",
    "VENT": "timeout_min = 60.0",
}
NO_TIME = {"BRANCH", "END"}
OUTAGE_S = {"T1-": 20.0, "T1+": 90.0, "T2+": 200.0}
POWER_FAIL = '[power_fail]\nt1_s = 60.0\nt2_min = 2.5\nshort = "CONTINUE"\nmedium = "RAMP_BACK_PV"\nlong = "HOLD"\n'


def recipe_text(power_fail=POWER_FAIL, **extra):
    phases = [f'[[phase]]\nkind = "{kind}"\n{keys}\n{extra.get(kind, "")}\n' for kind, keys in PHASES.items()]
    return HEAD + power_fail + "\n".join(phases) + '\n[[phase]]\nkind = "END"\n'


def ask(rig, verb, reason="test", **args):
    rig.commands.append(Command(f"{verb}-{rig.counter}", "anna", verb, None, rig.counter + 1, reason=reason, args=args, role=Role.ENGINEER))


def until(rig, done, most=4000):
    for _ in range(most):
        if done(rig):
            return rig
        rig.step()
    raise AssertionError(f"{rig.record.unit_state.name} {rig.record.phase_kind}: {rig.record.waiting}; {bench.answers(rig)[-1:]}")


def decisions(rig, since=0):
    return [content for _, kind, content in rig.notes[since:] if kind == "decision" and content["what"] == "power-fail recovery"]


@lru_cache(maxsize=1)
def walked():
    """Return a rig in the middle of each kind of phase, of one batch that is walked through by skipping."""
    sourced = parse_recipe(recipe_text(), "walk")
    rig, found = bench.rig(Settings(), WIRING, LOAD, 1, 1.0), {}
    until(rig, lambda r: r.at_s >= 10)
    rig.ask(Verb.START, bench.Start(sourced.recipe, sourced.sha256, sourced.text, LOAD))
    for kind in PHASES:
        rig.step()
        until(rig, lambda r, kind=kind: r.record.phase_kind == kind and middle(r, kind))
        found[kind] = rig.fork()
        if kind == "COOL":
            until(rig, lambda r: r.record.process.hottest_c < 59.5)
        if kind in ("SOAK", "PRESSURE_RISE", "WAIT", "OPERATOR", "CURE", "STEP", "COOL"):
            ask(rig, Verb.SKIP, phase=rig.record.phase_index + 1)
    return found


def middle(rig, kind):
    phase = rig.memory.unit.phase
    if kind == "CYCLE_PURGE":
        return phase.cycles == 1
    if kind in ("SOAK", "CURE"):
        return phase.counted_s > 30
    if kind == "PRESSURE_RISE":
        return phase.isolated_s > 5 or phase.elapsed_s > 300
    return phase.elapsed_s > (20 if kind != "VENT" else 3)


def resumed(kind, away, length) -> Rig:
    """Return the rig some seconds after the power has come back."""
    rig = walked()[kind].fork()
    rig.unsafe.clear()
    outages.cut(rig, away, OUTAGE_S[length])
    for _ in range(12):
        rig.step()
    return rig


CELLS = [(kind, away, length) for kind in PHASES for away in outages.AWAY for length in OUTAGE_S]
ASKED = {"T1-": "CONTINUE", "T1+": "RAMP_BACK_PV", "T2+": "HOLD"}


def test_the_table_names_every_kind_of_phase_and_the_walk_meets_each_that_takes_time():
    assert set(BY_KIND) == {kind.name for kind in Kind}
    assert set(PHASES) == {kind for kind, how in BY_KIND.items() if how != "-"} == set(BY_KIND) - NO_TIME


@pytest.mark.parametrize(("kind", "away", "length"), CELLS)
def test_after_each_outage_in_each_phase_the_decision_is_the_tables(kind, away, length):
    before = len(walked()[kind].notes)
    rig = resumed(kind, away, length)
    made = decisions(rig, before)
    assert [(one["asked"], one["away"], one["length"]) for one in made] == [(ASKED[length], away, length)]
    cooled = made[0]["rule"] == "R7"
    assert made[0]["plan"] == ("RAMP_BACK_PV" if cooled else ASKED[length])
    assert not cooled or (ASKED[length] == "CONTINUE" and abs(made[0]["temp_c"] - made[0]["sp_c"]) > 10.0)
    returned_s = max(at_s for at_s, kind_, content in rig.notes if kind_ == "state" and content["cause"].startswith(("core", "PLC")))
    decided_s = max(at_s for at_s, kind_, content in rig.notes if kind_ == "decision" and content["what"] == "power-fail recovery")
    assert decided_s - returned_s <= 10.0
    assert rig.unsafe == []
    assert not rig.plc.actuators.heats
    if length == "T2+":
        assert rig.record.unit_state is UnitState.HELD


@pytest.mark.parametrize(("number", "kind"), list(enumerate(PHASES)))
def test_going_on_is_what_the_table_says_of_the_phase(number, kind):
    away = outages.AWAY[number % 3]
    rig = resumed(kind, away, "T1-")
    counted_s = walked()[kind].memory.unit.phase.counted_s
    while rig.record.unit_state in (UnitState.HELD, UnitState.RESTARTING) and rig.at_s < 20000:
        rig.step()
        assert not rig.plc.actuators.heats or rig.memory.proof.proven
    unit, how = rig.memory.unit, BY_KIND[kind]
    assert (unit.state, rig.record.phase_kind, rig.unsafe) == (UnitState.RUNNING, kind, [])
    assert (unit.recovery, unit.power_lost) == (None, False)
    if how == "ANEW":
        assert unit.phase.elapsed_s < 30.0
        assert (unit.phase.cycles, unit.phase.stage) == (0, 0)
    if how == "PROVEN":
        assert rig.memory.proof.proven
        assert counted_s <= unit.phase.counted_s <= counted_s + 3.0  # an image of the PLC is good for 3 s
    if how == "WASHED":
        assert rig.memory.proof.volumes_since_heat >= Settings().limits.proof_volumes
    if how == "AT ONCE":
        assert unit.state_s < 60.0


def test_after_the_recovery_the_oven_heats_again_with_a_new_reset_at_the_plc():
    rig = resumed("SOAK", "BOTH", "T1-")
    until(rig, lambda r: r.plc.actuators.heats)
    assert rig.record.unit_state is UnitState.RUNNING
    assert rig.unsafe == []
    until(rig, lambda r: r.memory.unit.phase.counted_s > 60.0)


def test_a_plc_that_was_only_silent_is_no_power_failure():
    rig = walked()["SOAK"].fork()
    rig.plc.faults.image_frozen = True
    for _ in range(30):
        rig.step()
    rig.plc.faults.image_frozen = False
    for _ in range(30):
        rig.step()
    assert rig.record.unit_state is UnitState.HELD
    assert decisions(rig) == []
    assert rig.memory.unit.recovery is None


def test_a_person_who_holds_during_the_outage_is_not_overruled():
    rig = walked()["SOAK"].fork()
    rig.plc.faults.stopped = True
    for _ in range(6):
        rig.step()
    ask(rig, Verb.HOLD)
    rig.step()
    rig.plc.faults.stopped = False
    rig.plc.power_cycle()
    for _ in range(30):
        rig.step()
    assert rig.record.unit_state is UnitState.HELD
    assert [one["plan"] for one in decisions(rig)] in ([], ["HOLD"])


def test_a_second_cut_during_the_recovery_is_decided_anew():
    rig = resumed("SOAK", "CORE", "T1-")
    assert rig.record.unit_state is UnitState.RESTARTING
    outages.cut(rig, "BOTH", 20.0)
    for _ in range(12):
        rig.step()
    assert [one["away"] for one in decisions(rig)] == ["CORE", "BOTH"]
    assert decisions(rig)[1]["sp_c"] == decisions(rig)[0]["sp_c"]


@pytest.mark.parametrize("kind", ["RAMP", "STEP", "SOAK", "CURE", "PRESSURE_RISE"])
def test_a_core_that_dies_while_the_atmosphere_is_proven_again_comes_back_held_and_not_too_hot(kind):
    rig = resumed(kind, "CORE", "T1-")
    assert rig.record.unit_state is UnitState.RESTARTING
    assert rig.memory.unit.setpoints.temp_c == 0.0  # nothing is heated meanwhile
    outages.cut(rig, "CORE", 200.0)
    for _ in range(40):
        rig.step()
    assert rig.record.unit_state is UnitState.HELD
    assert {str(content["rule"]) for _, note, content in rig.notes if note == "alarm"}.isdisjoint({"I23", "I23W"})


def test_an_outage_of_unknown_length_counts_as_long():
    rig = walked()["SOAK"].fork()
    outages.cut(rig, "CORE", 10.0, known=False)
    for _ in range(12):
        rig.step()
    assert (decisions(rig)[0]["length"], decisions(rig)[0]["outage_s"], rig.record.unit_state) == ("T2+", None, UnitState.HELD)


def test_reset_ends_the_batch():
    text = recipe_text(SOAK='on_power_fail = "RESET"')
    rig = walked()["SOAK"].fork()
    unit = rig.memory.unit
    batch = unit.batch._replace(recipe=parse_recipe(text, "walk").recipe)
    rig.memory = rig.memory._replace(unit=unit._replace(batch=batch))
    outages.cut(rig, "CORE", 10.0)
    for _ in range(3):
        rig.step()
    assert rig.record.unit_state is UnitState.STOPPING
    assert decisions(rig)[0]["why"] == "the phase asks for RESET"


ZERO = Interval(0.0, 0.0, 0.0)
GOOD = Estimate(50.0, 55.0, ZERO, Interval(0.3, 0.2, 0.4), 0.0, 0.0, ZERO, None, True, "", ())
HOT_ZONE = ZoneEstimate("core", 55.0, ZERO, Interval(0.95, 0.9, 0.97))
RUNNING = Recovery("CORE", "RUNNING", 20.0, sp_c=55.0)
SOAK_AT = list(PHASES).index("SOAK")
RULES = [
    ("R1J", "HOLD", RUNNING._replace(unwritten=1), 55.0, GOOD),
    ("R1", "HOLD", RUNNING._replace(was="HELD"), 55.0, GOOD),
    ("R2", "HOLD", RUNNING._replace(outage_s=1000.0), 55.0, GOOD),
    ("R3", "HOLD", RUNNING, None, GOOD),
    ("R3L", "HOLD", RUNNING, 55.0, GOOD),
    ("R4", "HOLD", RUNNING, 55.0, GOOD._replace(valid=False, why_invalid="blind")),
    ("R5", "HOLD", RUNNING, 55.0, GOOD._replace(zones=(HOT_ZONE,))),
    ("R6", "HOLD", RUNNING, 55.0, GOOD._replace(blister=1.0)),
    ("R8", "CONTINUE", RUNNING, 55.0, GOOD._replace(blister=0.99)),
    ("R7", "RAMP_BACK_PV", RUNNING, 34.9, GOOD),
    ("R8", "CONTINUE", RUNNING, 35.1, GOOD),  # the soak's own band of 20 degC
    ("R8", "CONTINUE", RUNNING._replace(outage_s=60.0), 55.0, GOOD),
    ("R8", "RAMP_BACK_PV", RUNNING._replace(outage_s=60.1), 55.0, GOOD),
    ("R8", "RAMP_BACK_PV", RUNNING._replace(outage_s=150.0), 55.0, GOOD),
    ("R2", "HOLD", RUNNING._replace(outage_s=150.1), 55.0, GOOD),
]


@pytest.mark.parametrize(("rule", "plan", "was", "temp_c", "estimate"), RULES)
def test_what_is_measured_and_believed_decides(rule, plan, was, temp_c, estimate):
    recipe = parse_recipe(recipe_text(), "walk").recipe
    made = decide(was, recipe, SOAK_AT, Found(temp_c, estimate, leak_ok=rule != "R3L"))
    assert (made.rule, made.plan) == (rule, plan)


@pytest.mark.parametrize(("epoch", "counter", "blocks"), [
    (7, 100, 0), (7, 101, 1), (7, 99, 0), (6, 150, 0), (8, 150, 0), (7, None, 0), (None, 150, 0), (7, 100 + 0x7FFF_FFFF, 0x7FFF_FFFF),
    (7, 100 + 0x8000_0000, 0),
])  # fmt: skip
def test_the_plc_tells_of_blocks_that_the_journal_does_not_account_for(epoch, counter, blocks):
    inputs = image(echo_epoch=BAD if epoch is None else epoch, echo_counter=BAD if counter is None else counter)
    assert unwritten((7, 100), inputs) == blocks
    assert unwritten((7, 0xFFFF_FFFE), image(echo_epoch=7, echo_counter=3)) == 5
    assert unwritten(None, inputs) == 0


@pytest.mark.parametrize("blocks", [0, 1])
def test_a_core_that_ran_on_without_a_journal_is_followed_by_one_that_holds(blocks):
    """What the PLC shows in the first image counts, although the blocks of the new core soon hide it."""
    rig = walked()["SOAK"].fork()
    echoed = rig.record.inputs.echo_epoch.value, rig.record.inputs.echo_counter.value
    rig.memory, _ = power_return(rig.memory, rig.record.inputs, rig.settings, 10.0, True, (echoed[0], echoed[1] - blocks))
    seen = rig.record.inputs
    shown, hidden = seen._replace(dt_s=1.0), seen._replace(dt_s=1.0, echo_epoch=seen.echo_epoch._replace(value=echoed[0] + 1))
    blind = rig.record.process._replace(temp_c=None)
    unit, _ = resuming.step(rig.memory.unit, shown, blind, rig.record.estimate, True, True, "")
    unit, notes = resuming.step(unit, hidden, rig.record.process, rig.record.estimate, True, True, "")
    (decision,) = [note.content for note in notes if note.content.get("what") == "power-fail recovery"]
    assert (decision["rule"], decision["plan"]) == (("R1J", "HOLD") if blocks else ("R8", "CONTINUE"))


@pytest.mark.parametrize("held", [True, False])
def test_a_restart_gives_up_at_once_what_cannot_be_proven(held):
    """Not after two hours of waiting for a vacuum that is none."""
    rig = walked()["SOAK"].fork()
    outages.cut(rig, "CORE", 10.0)
    until(rig, lambda r: r.record.unit_state is UnitState.RESTARTING)
    rig.memory = rig.memory._replace(proof=rig.memory.proof._replace(leak_ok=not held))
    for _ in range(3):
        rig.step()
    assert (rig.record.unit_state in (UnitState.HOLDING, UnitState.HELD)) is held
    assert ("leak test counts no more" in rig.memory.unit.cause) is held


def test_a_product_that_needs_no_more_heat_is_not_judged():
    recipe = parse_recipe(recipe_text(), "walk").recipe
    made = decide(RUNNING, recipe, list(PHASES).index("COOL"), Found(55.0, GOOD._replace(valid=False)))
    assert made.plan == "CONTINUE"


SET_POINTS = [("CONTINUE", 50.0, 55.0), ("CONTINUE", 30.0, 30.0), ("RAMP_BACK_PV", 50.0, 50.0), ("RAMP_BACK_SP", 30.0, 55.0),
              ("RESTART_SEGMENT", 50.0, 50.0), ("RAMP_BACK_PV", 60.0, 55.0)]  # fmt: skip


@pytest.mark.parametrize(("plan", "temp_c", "sp_c"), SET_POINTS)
def test_each_strategy_has_its_set_point(plan, temp_c, sp_c):
    soak = parse_recipe(recipe_text(), "walk").recipe.phase[SOAK_AT]
    assert recovery.set_point_c(RUNNING._replace(plan=plan), soak, temp_c, 55.0) == sp_c


def test_a_checkpoint_in_the_middle_of_a_recovery_survives():
    from controller.recorder import MEMORY

    rig = resumed("SOAK", "CORE", "T1-")
    assert rig.memory.unit.recovery is not None
    assert MEMORY.validate_json(MEMORY.dump_json(rig.memory)).unit == rig.memory.unit


def test_every_rule_and_length_is_in_the_document():
    from controller.recipe.recovery_table import recovery_table

    text = recovery_table()
    assert all(f"| {rule.id} |" in text for rule in recovery.RULES)
    assert all(f"| {length} |" in text for length in LENGTHS)
