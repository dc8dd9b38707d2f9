"""What the unit waits for and what a person is asked: in the journal, in the status, in the batch record."""

from pathlib import Path

import pytest

from controller import status, why
from controller.alarms.rationalisation import TABLE as RATIONALE
from controller.command import Start
from controller.image import blank
from controller.journal.batch import gather
from controller.journal.entry import Stored
from controller.journal.reader import JournalReader
from controller.memory import Memory, Settings
from controller.northbound.opcua.port import News
from controller.northbound.opcua.space import told
from controller.permissives import Question
from controller.recipe.reading import parse_recipe, read_load
from controller.recipe.states import Verb
from controller.recorder import NUMBERS_S, Recorder
from controller.scan import scan
from controller.tags import Quality
from sim import bench
from sim.faults import inject
from tests.journaled_oven import journaled, steps

ROOT = Path(__file__).parents[1]
LOAD = read_load(ROOT / "recipes" / "loads" / "sample-roll.toml")
ASKS = '[[phase]]\nkind = "OPERATOR"\ntext = "Which roll lies in the oven?"\nentry = "ROLL_ID"\ntimeout_min = 60.0\n\n'
TRIAL = (ROOT / "recipes" / "trial-short.toml").read_text("utf-8")
SOURCED = parse_recipe(TRIAL.replace("[[phase]]", ASKS + "[[phase]]", 1), "trial")
START = Start(SOURCED.recipe, SOURCED.sha256, SOURCED.text, LOAD)
SITE = Settings.model_validate({"proof_test": {"required": False}})
QUESTION = f"operator: Which roll lies in the oven? (the roll id, of {', '.join(LOAD.roll_ids)})"
_, RECORD = scan(SITE, Memory(), blank(0.0, 1.0, Quality.ABSENT))


@pytest.fixture
def oven(tmp_path):
    with journaled(tmp_path, SITE, LOAD) as rig:
        yield rig


def shown(rig):
    return dict(status.lines(status.read(Path(rig.journal.path))))


def test_the_status_says_what_is_asked_and_what_may_be_answered(oven):
    assert "(I19N)" in shown(oven)["waits for"]
    steps(oven, 450)
    assert "waits for" not in shown(oven)
    oven.ask(Verb.START, START)
    steps(oven, 6)
    assert shown(oven)["unit"] == "RUNNING · 1 OPERATOR"
    assert shown(oven)["waits for"] == QUESTION
    with JournalReader(Path(oven.journal.path)) as reader:
        seen = told(News(1, None, {"standing": reader.last("standing").fields()}, ()))
    assert str(seen["Oven.Unit.Waiting"][0]).startswith(f"{QUESTION}; I5 ")


def test_the_record_has_the_question_even_if_nobody_answers_it(oven):
    oven.ask(Verb.START, START)
    steps(oven, 20)
    with JournalReader(Path(oven.journal.path)) as reader:
        found = [fields for stored in gather(reader, None).of("decision") if (fields := stored.fields())["what"] == "question"]
    assert found == [{
        "what": "question", "why": "the recipe asks: Which roll lies in the oven?", "entry": "ROLL_ID",
        "allowed": f"the roll id, of {', '.join(LOAD.roll_ids)}",
    }]  # fmt: skip


def test_a_start_that_is_armed_is_shown_and_stands_in_the_way_of_another(oven):
    oven.ask(Verb.START, START._replace(in_min=90.0))
    steps(oven, 4)
    by = oven.memory.delayed.user
    assert shown(oven)["waits for"] == f"start of trial-short rev {SOURCED.recipe.revision} by {by}, 90 min from now; STOP cancels it"
    found = why.why(Path(oven.journal.path), SITE, Question.START).found
    assert [(one.text, one.action) for one in found] == [(f"a start by {by} is armed, 90 min from now", "STOP cancels it")]
    oven.ask(Verb.STOP)
    steps(oven, 4)
    assert "STOP" not in shown(oven)["waits for"]
    assert why.why(Path(oven.journal.path), SITE, Question.START).found == []


def written(waits):
    """Return what a recorder writes of what the unit waits for, scan by scan of a second: moment and words."""
    recorder, found = Recorder(1e9), []
    for at_s, text in enumerate(waits):
        record = RECORD._replace(inputs=RECORD.inputs._replace(at_s=float(at_s)), waiting=text, notes=())
        made = [one for one in recorder.entries(Memory(), record)[0] if one.kind == "standing"]
        found += [(at_s, Stored(1, 1, one.kind, one.at_s, 0, one.payload, b"").fields()["waits"]) for one in made]
    return found


def test_other_words_are_written_soon_and_other_numbers_now_and_then():
    counting = [f"set point {100 + second} degC" for second in range(80)]
    assert written(counting) == [(at_s, counting[at_s]) for at_s in (0, 30, 60)]
    assert NUMBERS_S == 30.0
    assert written(["a"] * 5 + ["b"] * 5 + [""] * 90) == [(0, "a"), (5, "b"), (10, "")]


def test_words_that_flap_are_written_every_other_second_at_the_most():
    assert len(written(["in band" if second % 2 else "" for second in range(60)])) <= 31


def test_a_held_batch_says_why_and_what_still_holds_it(oven):
    oven.ask(Verb.START, START)
    steps(oven, 6)
    oven.ask(Verb.HOLD)
    steps(oven, 4)
    assert shown(oven)["waits for"] == "RESTART, STOP or ABORT (since: HOLD by bench)"
    inject(oven.plc, "local")
    steps(oven, 6)
    assert shown(oven)["waits for"] == "RESTART, STOP or ABORT (since: HOLD by bench); held by I28L (local/remote switch in local)"
    oven.ask(Verb.RESTART)
    steps(oven, 2)
    refused = bench.answers(oven)[-1]["answer"]
    assert refused == f"held by I28L (local/remote switch in local): {RATIONALE['I28L'].action}"


def test_a_restart_that_a_latch_refuses_says_that_reset_comes_first(oven):
    oven.ask(Verb.START, START)
    steps(oven, 6)
    oven.plc.plant.instruments.distortions["room_o2_pct"] = lambda _v, _t: 17.5
    steps(oven, 6)
    oven.plc.plant.instruments.distortions.clear()
    steps(oven, 4)
    oven.ask(Verb.RESTART)
    steps(oven, 2)
    assert bench.answers(oven)[-1]["answer"].endswith("its cause is gone: RESET (ovenctl batch reset), then RESTART")
    oven.ask(Verb.RESET)
    steps(oven, 2)
    oven.ask(Verb.RESTART)
    steps(oven, 2)
    assert bench.answers(oven)[-1]["accepted"]
