"""What people do to a running batch, and what refuses it."""

import json
from copy import deepcopy
from pathlib import Path

import pytest

from controller.actions import operating
from controller.command import Command, Start
from controller.image import Atmosphere, Mode
from controller.intake import command_of
from controller.interlocks.atmosphere import Proof
from controller.journal.mailbox import MailboxRow
from controller.memory import Memory, Settings
from controller.power_return import power_return
from controller.prooftest.model import ProofTestSettings
from controller.recipe.reading import parse_load, parse_recipe, sha256_of
from controller.recipe.standing import UnitMemory
from controller.recipe.states import UnitState, Verb
from controller.recorder import MEMORY
from controller.roles import Role
from controller.scan import scan
from tests.images import BAD, image

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "recipes" / "trial-short.toml").read_text("utf-8")
ASKS = '[[phase]]\nkind = "OPERATOR"\ntext = "Which roll?"\nentry = "ROLL_ID"\ntimeout_min = 60.0\n\n[[phase]]\nkind = "LEAK_TEST"'
TEXT = TEXT.replace('[[phase]]\nkind = "LEAK_TEST"', ASKS, 1)
SOURCED = parse_recipe(TEXT, "trial")
LOAD = parse_load((ROOT / "recipes" / "loads" / "sample-roll.toml").read_text("utf-8"), "load")
START = Start(SOURCED.recipe, SOURCED.sha256, SOURCED.text, LOAD)
SETTINGS = Settings(proof_test=ProofTestSettings(required=False))
KINDS = [phase.kind for phase in SOURCED.recipe.phase]
OPERATOR, LEAK, EVACUATE, RAMP, SOAK, CURE, COOL, END = (
    KINDS.index(kind) for kind in ("OPERATOR", "LEAK_TEST", "EVACUATE", "RAMP", "SOAK", "CURE", "COOL", "END")
)
PROVEN = Proof(cycles=2, low_s=100.0, leak_ok=True, boot_id=7, vacuum_proven=True)
COLD_VACUUM = {"pressure_cap_mbar": 50.0, "pressure_pirani_mbar": 50.0}
HOT = {f"z{zone}_tc_{sensor}_c": 121.0 for zone in (1, 2, 3) for sensor in "abc"} | {f"z{zone}_limit_c": 121.0 for zone in (1, 2, 3)}
AT_WORK = {"pump_run": True, "vac_valve_open": True, "vac_valve_closed": False, "main_contactor": True}
HOT |= {f"load_{place}_c": 119.0 for place in ("outer", "edge", "core")}


def live(second):
    """Return pressures of a vacuum as live gauges show them: one that stands still to the last digit is frozen (I4F)."""
    return COLD_VACUUM | {"pressure_cap_mbar": 50.0 + 0.04 * (second % 2)}


def command(verb, number=1, reason="because", role=Role.ENGINEER, expected=None, start=None, **args):
    """Return a command; a ``phase`` is given by its index and asked for by its number, which counts from 1."""
    if isinstance(index := args.get("phase"), int) and not isinstance(index, bool):
        args["phase"] = index + 1
    return Command(f"id-{number}", "anna", verb, expected, number, start, reason=reason, args=args, role=role)


def one(memory, *commands, at_s=100.0, **changed):
    memory, record = scan(SETTINGS, memory, image(at_s=at_s, **changed), commands)
    answers = [(note.content["accepted"], note.content["answer"]) for note in record.notes if note.kind == "command"]
    return memory, answers, record


def running(index=RAMP, state=UnitState.RUNNING, proof=PROVEN, heat=True, **unit):
    memory, _, _ = one(Memory(), command(Verb.START, 1, start=START), at_s=99.0)
    at_work = memory.unit._replace(state=state, phase_index=index, temp_sp_c=120.0 if index >= RAMP else 0.0, **unit)
    if state is UnitState.HELD and heat:
        wanted = at_work.setpoints._replace(heat=True, temp_c=120.0, atmosphere=Atmosphere.VACUUM, pressure_mbar=60.0)
        at_work = at_work._replace(setpoints=wanted, state_s=10.0)
    return memory._replace(unit=at_work, proof=proof, boot_id=7, sensors=Memory().sensors, interlocks=Memory().interlocks)


def decided(record, what):
    return [note.content for note in record.notes if note.kind == "decision" and note.content["what"] == what]


# ---- SKIP and BACK ----


def test_skip_goes_to_the_next_phase_once():
    memory, answers, record = one(running(RAMP), command(Verb.SKIP, 2, phase=RAMP), command(Verb.SKIP, 3, phase=RAMP))
    assert [accepted for accepted, _ in answers] == [True, False]
    assert answers[1][1] == f"phase = {RAMP + 1}: {SOAK + 1} (SOAK), the phase that runs now"
    assert memory.unit.phase_index == SOAK
    assert decided(record, "SKIP")[0]["reason"] == "because"


@pytest.mark.parametrize("kind", ["LEAK_TEST", "CYCLE_PURGE"])
@pytest.mark.parametrize("state", [UnitState.RUNNING, UnitState.HELD])
def test_a_proof_that_heat_needs_is_never_skipped(kind, state):
    index = KINDS.index(kind)
    memory, answers, _ = one(running(index, state), command(Verb.SKIP, 2, phase=index))
    assert answers == [(False, f"{kind} cannot be skipped: heat follows that needs its proof (I5)")]
    assert memory.unit.phase_index == index


REFUSED = [
    (running(RAMP), command(Verb.SKIP, 2, reason="  ", phase=RAMP), "SKIP needs a reason"),
    (Memory(), command(Verb.SKIP, 2, phase=0), "SKIP is not possible in IDLE"),
    (running(RAMP), command(Verb.SKIP, 2, role=Role.VIEWER, phase=RAMP), "needs the role operator"),
    (running(RAMP), command(Verb.SKIP, 2, expected="HELD", phase=RAMP), "the command expected HELD"),
    (running(RAMP), command(Verb.SKIP, 2), f"phase = None: {RAMP + 1} (RAMP)"),
    (running(END, UnitState.HELD), command(Verb.SKIP, 2, phase=END), "END cannot be skipped"),
    (running(RAMP), command(Verb.BACK, 2, phase=RAMP), f"1 to {RAMP}"),
    (running(RAMP), command(Verb.BACK, 2, phase=-1), f"1 to {RAMP}"),
    (running(RAMP), command(Verb.BACK, 2, phase=True), f"1 to {RAMP}"),
    (running(OPERATOR), command(Verb.BACK, 2, phase=0), "nothing: the first phase runs"),
    (running(CURE, proof=Proof(boot_id=7, leak_ok=True)), command(Verb.BACK, 2, phase=SOAK), "HOLD first"),
    (running(COOL, UnitState.HELD, proof=Proof(boot_id=7)), command(Verb.BACK, 2, phase=CURE), "go back to LEAK_TEST"),
    (running(RAMP), command(Verb.EDIT, 2, role=Role.OPERATOR, phase=CURE, key="band_c", value=4.0), "needs the role engineer"),
    (running(SOAK), command(Verb.EDIT, 2, phase=RAMP, key="target_c", value=130.0), f"phase = {RAMP + 1}: {SOAK + 1} to {END + 1}"),
    (running(RAMP), command(Verb.EDIT, 2, phase=CURE, key="colour", value=1.0), "key = 'colour': one of"),
    (running(RAMP), command(Verb.EDIT, 2, phase=CURE, key="kind", value="SOAK"), "key = 'kind': one of"),
    (running(RAMP), command(Verb.EDIT, 2, phase=CURE, key="allow_skip", value=False), "key = 'allow_skip': one of"),
    (running(RAMP), command(Verb.EDIT, 2, phase=CURE, key="target_c", value="hot"), "target_c = 'hot'"),
    (running(RAMP), command(Verb.EDIT, 2, phase=CURE, key="target_c", value=float("nan")), "target_c = nan"),
    (running(RAMP), command(Verb.EDIT, 2, phase=CURE, key="target_c", value=300.0), "allowed 20 to 260 degC (this oven)"),
    (running(RAMP), command(Verb.EDIT, 2, phase=RAMP, key="rate_c_per_min", value=9.0), "degC/min (this oven)"),
    (running(RAMP), command(Verb.EDIT, 2, phase=CURE, key="pressure_mbar", value=95.0), "I6 trips at"),
    (running(OPERATOR), command(Verb.EDIT, 2, phase=LEAK + 1, key="cycles", value=1), "needs a LEAK_TEST and a CYCLE_PURGE"),
    (running(RAMP), command(Verb.EDIT, 2, phase="endpoint", key="insoluble_high_pct", value=99.5), "% (claim: 1-99 %)"),
    (running(RAMP), command(Verb.EDIT, 2, phase=END, key="action", value="OFF"), "nothing to edit"),
    (running(RAMP), command(Verb.SETPOINT, 2, temp_c=100.0), "must be HELD"),
    (
        running(RAMP, UnitState.HELD),
        command(Verb.SETPOINT, 2, temp_c=261.0),
        "261.0: allowed 20 to 255 degC (the recipe's hottest target)",
    ),
    (
        running(COOL, UnitState.HELD),
        command(Verb.SETPOINT, 2, temp_c=121.0),
        "to 120 degC (a COOL goes no higher than it stands)",
    ),
    (running(RAMP, UnitState.HELD), command(Verb.SETPOINT, 2, temp_c=float("inf")), "temp_c = inf"),
    (running(RAMP, UnitState.HELD), command(Verb.SETPOINT, 2, temp_c=100.0, rate_c_per_min=5.1), "allowed 0.01 to 5 degC/min"),
    (running(RAMP, UnitState.HELD, Proof(boot_id=7)), command(Verb.SETPOINT, 2, temp_c=100.0), "not proven (I5)"),
    (running(RAMP, UnitState.HELD, heat=False), command(Verb.SETPOINT, 2, temp_c=100.0), "only RESTART brings it back"),
    (running(EVACUATE, UnitState.HELD), command(Verb.SETPOINT, 2, temp_c=100.0), "has no set point"),
    (running(RAMP), command(Verb.CONFIRM, 2, phase=RAMP, answer="x"), "nobody is asked anything"),
    (running(OPERATOR), command(Verb.CONFIRM, 2, phase=RAMP, answer="x"), f"phase = {RAMP + 1}: {OPERATOR + 1} (OPERATOR)"),
    (running(OPERATOR), command(Verb.CONFIRM, 2, phase=OPERATOR, answer="x"), "roll id 'x' is not in the load record"),
    (running(OPERATOR), command(Verb.CONFIRM, 2, phase=OPERATOR, answer=3), "answer = 3: a text"),
]


@pytest.mark.parametrize(("memory", "asked", "why"), REFUSED)
def test_a_refusal_says_what_refused_and_changes_nothing(memory, asked, why):
    after, answers, _ = one(memory, asked, **COLD_VACUUM)
    assert not answers[0][0]
    assert why in answers[0][1]
    assert (after.unit.phase_index, after.unit.batch, after.unit.manual) == (memory.unit.phase_index, memory.unit.batch, None)


def test_cool_cannot_be_skipped_hot_and_a_leak_test_not_gone_back_to():
    _, answers, _ = one(running(COOL), command(Verb.SKIP, 2, phase=COOL), **HOT)
    assert "allowed below 60 degC" in answers[0][1]
    _, answers, _ = one(running(RAMP), command(Verb.BACK, 2, phase=LEAK), **HOT)
    assert "LEAK_TEST measures cold only" in answers[0][1]


@pytest.mark.parametrize(("index", "to", "heated", "changed", "refused"), [
    (SOAK, OPERATOR, True, HOT, True),
    (SOAK, OPERATOR, True, {"load_core_c": BAD}, True),  # nobody knows how hot it is
    (SOAK, OPERATOR, True, {}, False),
    (SOAK, OPERATOR, False, HOT, False),  # warm from outside: it has given off nothing
    (SOAK, EVACUATE, True, HOT, False),
    (COOL, CURE, True, HOT, False),
])  # fmt: skip
def test_back_shuts_no_hot_load_in(index, to, heated, changed, refused):
    memory = running(index, was_heated=heated)._replace(most_c=200.0)
    _, answers, _ = one(memory, command(Verb.BACK, 2, phase=to), **COLD_VACUUM | changed)
    assert [accepted for accepted, _ in answers] == [not refused]
    assert ("would shut a hot load in" in answers[0][1]) is refused


ENDING = '[[phase]]\nkind = "END"'
VENTED = '[[phase]]\nkind = "VENT"\ntimeout_min = 30.0\n\n'


def test_back_to_a_phase_from_which_the_way_leads_into_a_shut_chamber_is_refused_unless_it_cools_first():
    shut_in, recipe = operating._shut_in, SOURCED.recipe
    assert shut_in(recipe, OPERATOR, SOAK) == OPERATOR
    assert shut_in(recipe, EVACUATE, SOAK) is None
    assert shut_in(recipe, RAMP, COOL) is None
    vented = parse_recipe(TEXT.replace(ENDING, VENTED + ENDING, 1), "vented").recipe
    assert shut_in(vented, CURE, END + 1) is None  # COOL comes first
    assert shut_in(vented, COOL + 1, END + 1) == COOL + 1


def test_back_begins_an_earlier_phase_anew():
    memory = running(CURE)
    memory = memory._replace(unit=memory.unit._replace(phase=memory.unit.phase._replace(counted_s=500.0)))
    after, answers, record = one(memory, command(Verb.BACK, 2, phase=SOAK), command(Verb.BACK, 3, phase=SOAK), **COLD_VACUUM)
    assert [accepted for accepted, _ in answers] == [True, False]
    assert (after.unit.phase_index, after.unit.phase.counted_s, record.phase_kind) == (SOAK, 0.0, "SOAK")


def test_leaving_a_held_phase_takes_its_heat_away():
    held = running(CURE, UnitState.HELD)
    after, answers, record = one(held, command(Verb.BACK, 2, phase=EVACUATE), **COLD_VACUUM)
    assert answers[0][0]
    assert (after.unit.state, after.unit.setpoints.heat, record.outputs.heat_enable) == (UnitState.HELD, False, False)


def test_back_without_a_proof_makes_the_restart_prove_first():
    held = running(RAMP, UnitState.HELD, Proof(boot_id=7, leak_ok=True))
    after, answers, _ = one(held, command(Verb.BACK, 2, phase=EVACUATE))
    assert answers[0][0]
    again, _, record = one(after, command(Verb.RESTART, 3), at_s=101.0)
    assert again.unit.state is UnitState.RESTARTING
    assert record.waiting.startswith("proving the atmosphere")


LOST = Proof(boot_id=7)
FULL_OF_N2 = Proof(boot_id=7, volumes=9.0, inert_proven=True)


@pytest.mark.parametrize(("kind", "proof", "refused"), [
    ("LEAK_TEST", LOST, False),  # it measures anew
    ("CYCLE_PURGE", LOST, True), ("EVACUATE", LOST, True), ("RAMP", LOST, True),
    ("CYCLE_PURGE", LOST._replace(leak_ok=True), False),
    ("CYCLE_PURGE", FULL_OF_N2, True),  # what is inert now says nothing of the vacuum that follows
    ("COOL", LOST, False),
])  # fmt: skip
def test_a_held_batch_whose_leak_test_counts_no_more_is_not_restarted_towards_heat_in_vacuum(kind, proof, refused):
    """A CYCLE_PURGE proves cycles and no tightness."""
    recipe = running(RAMP).unit.batch.recipe
    index = next(index for index, phase in enumerate(recipe.phase) if phase.kind == kind)
    after, answers, _ = one(running(index, UnitState.HELD, proof), command(Verb.RESTART, 2))
    assert (answers[0][0], "go back to LEAK_TEST" in answers[0][1]) == (not refused, refused)
    assert (after.unit.state is UnitState.HELD) is refused


@pytest.mark.parametrize(("permission", "verb", "args"), [
    ("hold", Verb.HOLD, {}), ("skip", Verb.SKIP, {"phase": RAMP}), ("edit", Verb.EDIT, {"phase": RAMP, "key": "target_c", "value": 110.0}),
])  # fmt: skip
def test_the_recipes_permissions_are_honoured_and_stop_always_works(permission, verb, args):
    memory = running(RAMP)
    batch = memory.unit.batch
    phases = list(batch.recipe.phase)
    phases[RAMP] = phases[RAMP].model_copy(update={f"allow_{permission}": False})
    batch = batch._replace(recipe=batch.recipe.model_copy(update={"phase": tuple(phases)}))
    memory = memory._replace(unit=memory.unit._replace(batch=batch))
    _, answers, _ = one(memory, command(verb, 2, **args))
    assert (answers[0][0], f"allow_{permission} = false" in answers[0][1]) == (False, True)
    after, answers, _ = one(memory, command(Verb.STOP, 3))
    assert answers[0][0]
    assert after.unit.state in (UnitState.STOPPING, UnitState.STOPPED)


# ---- EDIT ----


def test_an_edit_gives_the_control_recipe_a_hash_of_its_own_and_leaves_the_master():
    master = deepcopy(SOURCED.recipe)
    after, answers, record = one(running(RAMP), command(Verb.EDIT, 2, phase=CURE, key="target_c", value=250.0), **COLD_VACUUM)
    assert answers[0][0], answers
    batch = after.unit.batch
    assert batch.recipe.phase[CURE].target_c == 250.0
    assert (SOURCED.recipe, batch.master_sha256) == (master, SOURCED.sha256)
    assert batch.recipe_sha256 == sha256_of(batch.recipe) != SOURCED.sha256
    assert (record.outputs.mode, record.outputs.recipe_crc) == (Mode.RUN, int(batch.recipe_sha256[:8], 16))
    said = decided(record, "EDIT")[0]
    assert (said["from"], said["to"], said["recipe_sha256"]) == (255.0, 250.0, [SOURCED.sha256, batch.recipe_sha256])
    assert sha256_of(type(batch.recipe).model_validate_json(said["control_recipe"])) == batch.recipe_sha256


def test_a_second_edit_keeps_the_masters_hash_and_the_same_edit_twice_is_refused():
    edit = {"phase": "endpoint", "key": "insoluble_aim_pct", "value": 55.0}
    after, answers, _ = one(running(RAMP), command(Verb.EDIT, 2, **edit), command(Verb.EDIT, 3, **edit), **COLD_VACUUM)
    assert [accepted for accepted, _ in answers] == [True, False]
    assert answers[1][1] == "insoluble_aim_pct is 55.0 already"
    again, answers, _ = one(after, command(Verb.EDIT, 4, phase=SOAK, key="soak_min", value=25.0), at_s=101.0, **COLD_VACUUM)
    assert answers[0][0]
    assert again.unit.batch.master_sha256 == SOURCED.sha256
    assert again.unit.batch.recipe.endpoint.insoluble_aim_pct == 55.0


# ---- SETPOINT ----


def test_a_manual_set_point_is_gone_to_at_its_rate_and_the_holds_limit_stays():
    hot = HOT | COLD_VACUUM | AT_WORK
    memory, answers, _ = one(running(RAMP, UnitState.HELD), command(Verb.SETPOINT, 2, temp_c=123.0, rate_c_per_min=3.0), **hot)
    assert answers[0][0], answers
    for second in range(30):
        memory, _, record = one(memory, at_s=101.0 + second, echo_counter=second, **hot)
    assert record.setpoints.temp_c == pytest.approx(120.0 + 31 * 0.05)
    for second in range(60):
        memory, _, record = one(memory, at_s=131.0 + second, echo_counter=second, **hot)
    assert (record.setpoints.temp_c, memory.unit.temp_sp_c) == (123.0, 123.0)
    memory = memory._replace(unit=memory.unit._replace(state_s=900.5))
    memory, _, record = one(memory, at_s=192.0, **hot)
    assert not record.setpoints.heat
    _, answers, _ = one(memory, command(Verb.SETPOINT, 3, temp_c=110.0), at_s=193.0, **hot)
    assert not answers[0][0]


def test_a_lower_manual_set_point_does_not_run_away_from_the_zones():
    hot = HOT | COLD_VACUUM | AT_WORK
    memory, _, _ = one(running(RAMP, UnitState.HELD), command(Verb.SETPOINT, 2, temp_c=60.0, rate_c_per_min=5.0), **hot)
    for second in range(400):
        memory, _, record = one(memory, at_s=101.0 + second, echo_counter=second, **hot | live(second))
    assert record.setpoints.temp_c == pytest.approx(116.0)


# ---- CONFIRM ----


def test_a_confirmation_ends_the_phase_that_asked_once():
    roll = LOAD.roll_ids[0]
    asked, _, _ = one(running(OPERATOR))
    memory, answers, record = one(
        asked, command(Verb.CONFIRM, 2, phase=OPERATOR, answer=roll), command(Verb.CONFIRM, 3, phase=OPERATOR, answer=roll), at_s=101.0
    )
    assert [accepted for accepted, _ in answers] == [True, False]
    assert decided(record, "CONFIRM")[0]["asked"] == "Which roll?"
    assert memory.unit.phase_index == LEAK


# ---- the delayed start ----


def armed(**start):
    return one(Memory(), command(Verb.START, 1, start=START._replace(**start)))


def test_a_delayed_start_begins_when_its_time_comes():
    memory, answers, _ = armed(in_min=2.0)
    assert answers[0][0]
    assert "in 2.0 min" in answers[0][1]
    memory, _, _ = one(memory, at_s=219.9)
    assert memory.unit.state is UnitState.IDLE
    memory, _, record = one(memory, at_s=220.0)
    assert (memory.unit.state, memory.delayed, memory.unit.batch.recipe_sha256) == (UnitState.RUNNING, None, SOURCED.sha256)
    assert next(note.content for note in record.notes if note.kind == "batch_start")["user"] == "anna"


def test_what_blocks_it_then_cancels_it():
    memory, _, _ = armed(at_s=150.0)
    memory, _, record = one(memory, at_s=150.0, door_closed_a=False)
    assert (memory.unit.state, memory.delayed) == (UnitState.IDLE, None)
    assert "I3 (door not closed)" in decided(record, "delayed start cancelled")[0]["why"]


@pytest.mark.parametrize("verb", [Verb.HOLD, Verb.STOP, Verb.ABORT, Verb.RESET])
def test_it_can_be_cancelled_even_in_the_scan_in_which_it_is_due(verb):
    memory, _, _ = armed(in_min=1.0)
    memory, answers, record = one(memory, command(verb, 2), at_s=160.0)
    assert answers[0][0]
    assert answers[0][1].startswith(f"delayed start cancelled: {verb} by anna")
    assert (memory.unit.state, memory.delayed, len(decided(record, "delayed start cancelled"))) == (UnitState.IDLE, None, 1)


@pytest.mark.parametrize(("start", "why"), [
    ({"in_min": 0.0}, "start_in_min = 0.0"), ({"in_min": 10_081.0}, "start_in_min"), ({"in_min": float("nan")}, "start_in_min = nan"),
    ({"at_s": 100.0}, "start_at_s = 100.0"), ({"at_s": 1e9}, "at most a week"), ({"at_s": 200.0, "in_min": 5.0}, "exclude each other"),
])  # fmt: skip
def test_a_time_that_is_none_is_refused(start, why):
    memory, answers, _ = armed(**start)
    assert not answers[0][0]
    assert why in answers[0][1]
    assert memory.delayed is None


def test_a_second_start_is_refused_while_one_is_armed():
    memory, _, _ = armed(in_min=5.0)
    _, answers, _ = one(memory, command(Verb.START, 2, start=START))
    assert answers == [(False, "a start by anna is armed, 5 min from now; STOP cancels it")]


def test_a_restart_of_the_core_cancels_it_with_a_note():
    memory, _, _ = armed(in_min=5.0)
    restored = MEMORY.validate_json(MEMORY.dump_json(memory))
    assert restored.delayed == memory.delayed
    back, notes = power_return(restored, image(at_s=150.0), SETTINGS, 50.0)
    assert back.delayed is None
    assert [note.content["what"] for note in notes] == ["delayed start cancelled"]


# ---- through the mailbox, and from older releases ----


def test_the_mailbox_takes_the_arguments_and_refuses_others():
    row = MailboxRow(1, "id", "anna", "SKIP", {"phase": 3, "reason": "dry"}, None, 0, 60.0, "operator")
    assert command_of(row, 0).args == {"phase": 3}
    assert "unknown arguments: colour" in command_of(row._replace(args={"colour": 1}), 0).refusal
    start = row._replace(verb="START", args={"recipe": TEXT, "load": json.dumps({}), "start_in_min": "soon"})
    assert "start_in_min = 'soon': a number" in command_of(start._replace(args={**start.args, "load": LOAD_TEXT}), 0).refusal


LOAD_TEXT = (ROOT / "recipes" / "loads" / "sample-roll.toml").read_text("utf-8")


def test_a_checkpoint_without_the_new_fields_still_loads():
    """Fields stand by place: an older release's checkpoint is shorter, in the unit and at the end."""
    stored = json.loads(MEMORY.dump_json(running(RAMP)))
    unit = Memory()._fields.index("unit")
    stored[unit] = stored[unit][: UnitMemory._fields.index("recovery")]
    old = MEMORY.validate_json(json.dumps(stored[: Memory._fields.index("answered") + 1]))
    assert (old.unit.phase_index, old.unit.recovery, old.unit.manual, old.delayed, old.boot_id) == (RAMP, None, None, None, 0)


@pytest.mark.parametrize(("changed", "mode"), [({**HOT, **COLD_VACUUM}, Mode.COOL), ({}, Mode.OFF)])
def test_a_batch_that_is_complete_with_a_hot_load_keeps_the_plc_on_its_gas(changed, mode):
    """In OFF the PLC does nothing that is asked for; a recipe may come to its end hot, by EDIT or a COOL that timed out."""
    memory = running(END, UnitState.COMPLETE, was_heated=True)
    memory, _, record = one(memory._replace(proof=memory.proof._replace(boot_id=7, cycles_since_heat=2)), **changed)
    _, _, record = one(memory, at_s=101.0, **changed)
    assert record.outputs.mode is mode
    assert record.outputs.n2_valve is (mode is Mode.COOL)


def test_back_to_a_cooler_phase_waits_for_the_oven_instead_of_running_below_it():
    """From 121 to 60 degC while the zones stay: the set point stops 5 degC below them, and I23 (20 degC) never acts."""
    memory = running(SOAK)
    batch = memory.unit.batch
    phases = list(batch.recipe.phase)
    phases[SOAK] = phases[SOAK].model_copy(update={"target_c": 60.0})
    batch = batch._replace(recipe=batch.recipe.model_copy(update={"phase": tuple(phases)}))
    memory = memory._replace(unit=memory.unit._replace(batch=batch))
    for second in range(600):
        memory, _, record = one(memory, at_s=101.0 + second, echo_counter=second, **(HOT | AT_WORK | live(second)))
    assert record.unit_state is UnitState.RUNNING, record.verdict.active
    assert record.setpoints.temp_c == pytest.approx(116.0)
