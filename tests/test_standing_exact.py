"""How a trigger moves the unit, and what is forgotten on the way: each pair of state and trigger, from a unit that remembers all."""

import pytest

from controller.image import Atmosphere, Setpoints
from controller.recipe import standing
from controller.recipe.flow import Results
from controller.recipe.look import PhaseMemory, gas_only
from controller.recipe.recovery import Recovery
from controller.recipe.standing import NOTHING, Batch, Manual, UnitMemory
from controller.recipe.states import TABLE, Trigger, UnitState
from tests.test_check_exact import phase
from tests.test_claims_exact import LOAD, RECIPE

S, T = UnitState, Trigger
BATCH = Batch(1, RECIPE, "0" * 64, LOAD, "anna", 0.0)
HOT = Setpoints(True, 200.0, 2.0, Atmosphere.VACUUM, 20.0, 0.0)
STOOD = PhaseMemory(stage=2, counted_s=300.0)
FULL = UnitMemory(
    state=S.RUNNING, state_s=50.0, batch=BATCH, phase_index=3, phase=STOOD, temp_sp_c=200.0, setpoints=HOT, reproof=STOOD, was_heated=True,
    reproves=True,
    timeout="I26", failed="I13", leak_ok=True, ending="x", endpoint_at_s=5.0, cause="before", recovery=Recovery("CORE", "RUNNING"),
    power_lost=True, manual=Manual(80.0, 2.0), results=Results(), leaks=(), kept_inert=True, leak_grows="grows",
)  # fmt: skip


def test_a_new_core_has_an_idle_unit_that_knows_nothing():
    assert UnitMemory() == UnitMemory(
        state=S.IDLE, state_s=0.0, batch=None, phase_index=0, phase=PhaseMemory(), temp_sp_c=0.0, setpoints=gas_only(Atmosphere.OFF),
        reproof=PhaseMemory(), reproves=False,
        was_heated=False, timeout="", failed="", leak_ok=None, ending="", endpoint_at_s=None, cause="", recovery=None,
        power_lost=False, manual=None, results=Results(), leaks=(), kept_inert=False, leak_grows="",
    )  # fmt: skip


# state, trigger -> state; what is changed besides state, its time and its cause, and what the phase had raised
MOVED = {"state_s": 0.0, "timeout": "", "failed": ""}
COLD = {"setpoints": HOT._replace(heat=False), "ending": "why", "manual": None}
ENDED = {**COLD, "recovery": None}
MOVES = [
    (S.RUNNING, T.DONE, S.COMPLETE, COLD),
    (S.RUNNING, T.HOLD, S.HOLDING, {"manual": None}),
    (S.RESTARTING, T.HOLD, S.HOLDING, {"manual": None}),
    (S.HOLDING, T.DONE, S.HELD, {}),
    (S.HELD, T.RESTART, S.RESTARTING, {"reproof": PhaseMemory(), "manual": None, "recovery": None}),
    (S.RESTARTING, T.DONE, S.RUNNING, {"manual": None, "recovery": None, "power_lost": False, "reproves": False}),
    *((state, T.STOP, S.STOPPING, ENDED) for state in (S.RUNNING, S.HOLDING, S.HELD, S.RESTARTING)),
    *((state, T.ABORT, S.ABORTING, ENDED) for state in (S.RUNNING, S.HOLDING, S.HELD, S.RESTARTING, S.STOPPING)),
    (S.STOPPING, T.DONE, S.STOPPED, {"manual": None}),
    (S.ABORTING, T.DONE, S.ABORTED, {"manual": None}),
    *((state, T.POWER, S.HELD, {}) for state in (S.RUNNING, S.HOLDING, S.HELD, S.RESTARTING)),
]


@pytest.mark.parametrize(("state", "trigger", "after", "changed"), MOVES)
def test_what_a_trigger_moves_and_forgets(state, trigger, after, changed):
    memory, (note,) = standing.move(FULL._replace(state=state), trigger, "why")
    assert memory == FULL._replace(state=after, cause="why", **MOVED, **changed)
    assert note == ("state", {"from": state.name, "to": after.name, "cause": "why"})
    assert standing.moved(FULL._replace(state=state), trigger, "why") == (memory, "", (note,))


@pytest.mark.parametrize("state", [S.COMPLETE, S.STOPPED, S.ABORTED])
def test_reset_leaves_a_new_unit_that_remembers_leak_rates(state):
    memory, notes = standing.move(FULL._replace(state=state, leaks=("a leak",)), T.RESET, "why")
    assert memory == UnitMemory(leaks=("a leak",))
    assert len(notes) == 1


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("trigger", list(T))
def test_what_is_not_in_the_table_moves_nothing(state, trigger):
    listed = {(one, trigger) for one, trigger, _, _ in MOVES} | {(one, T.RESET) for one in (S.COMPLETE, S.STOPPED, S.ABORTED)}
    assert TABLE.keys() == listed | {(S.IDLE, T.START)}
    if (state, trigger) not in TABLE:
        assert standing.move(FULL._replace(state=state), trigger, "why") == (FULL._replace(state=state), ())


def test_a_hold_ends_a_recovery_only_when_its_plan_was_made():
    planned = FULL._replace(recovery=Recovery("CORE", "RUNNING", plan="CONTINUE"), state=S.RESTARTING)
    assert standing.move(planned, T.HOLD, "why")[0].recovery is None
    assert standing.move(planned._replace(state=S.HOLDING), T.DONE, "why")[0].recovery is planned.recovery
    assert standing.move(FULL._replace(recovery=None, state=S.HELD), T.STOP, "why")[0].recovery is None


def test_a_batch_begins_in_its_first_phase_and_with_nothing_of_the_last_one():
    memory, notes = standing.begin(FULL._replace(state=S.IDLE, batch=None), BATCH)
    assert memory == FULL._replace(
        state=S.RUNNING, **MOVED, batch=BATCH, phase_index=0, phase=PhaseMemory(), temp_sp_c=0.0, was_heated=False, ending="",
        endpoint_at_s=None, results=Results(), kept_inert=False, cause="started by anna", recovery=None, power_lost=False, manual=None,
        reproves=False,
    )  # fmt: skip
    first = RECIPE.phase[0]
    assert [note.content for note in notes] == [
        {"from": "IDLE", "to": "RUNNING", "cause": "started by anna"},
        {"index": 0, "kind": first.kind, "name": first.name, "event": "start", "why": ""},
    ]


@pytest.mark.parametrize(("state", "heat"), [(S.HELD, False), (S.RUNNING, True)])
def test_a_person_s_step_to_another_phase_begins_it_anew_and_gives_no_heat_to_a_held_batch(state, heat):
    memory, (ended, started) = standing.go_to(FULL._replace(state=state), 5, "skipped by anna")
    wanted = HOT._replace(heat=heat)
    assert memory == FULL._replace(state=state, phase_index=5, phase=PhaseMemory(), timeout="", failed="", setpoints=wanted, manual=None)
    assert (ended.content["index"], ended.content["event"], ended.content["why"]) == (3, "end", "skipped by anna")
    assert (started.content["index"], started.content["event"], started.content["why"]) == (5, "start", "skipped by anna")


def test_the_phase_is_that_of_the_batch_and_none_beyond_its_end():
    last = len(RECIPE.phase) - 1
    assert standing.current(FULL._replace(phase_index=last)) is RECIPE.phase[last]
    assert standing.current(FULL._replace(phase_index=last + 1)) is None
    assert standing.current(FULL._replace(batch=None, phase_index=0)) is None


def test_the_unit_stood_at_its_set_point_or_where_the_ramp_stood():
    assert standing.stood_c(FULL._replace(temp_sp_c=150.0)) == 200.0
    assert standing.stood_c(FULL._replace(setpoints=NOTHING, temp_sp_c=150.0)) == 150.0
    assert standing.stood_c(FULL._replace(setpoints=NOTHING._replace(temp_c=0.5), temp_sp_c=150.0)) == 0.5


def test_the_note_of_a_phase_names_its_turn_and_says_nothing_where_there_is_none():
    turned = phase("VENT", name="Air in").model_copy(update={"turn": "2/3"})
    batch = BATCH._replace(recipe=RECIPE.model_copy(update={"phase": (phase("VENT", name="Air"), turned)}))
    notes = [standing.phase_note(FULL._replace(batch=batch, phase_index=index), "end", "done").content for index in (0, 1, 2)]
    assert notes == [
        {"index": 0, "kind": "VENT", "name": "Air", "event": "end", "why": "done"},
        {"index": 1, "kind": "VENT", "name": "Air in (2/3)", "event": "end", "why": "done"},
        {"index": 2, "kind": "", "name": "", "event": "end", "why": "done"},
    ]
    assert BATCH.edits == ()
    assert (BATCH.master_sha256, BATCH.text, BATCH.approval) == ("", "", None)
