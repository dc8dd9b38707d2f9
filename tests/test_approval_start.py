"""START of an approved recipe in the scan: nothing starts unverified, and batch record and memory hold the approval."""

from controller.clock import wall_ns
from controller.command import Start
from controller.estimator.model import UNCALIBRATED
from controller.intake import command_of
from controller.memory import Memory
from controller.recipe import verifying
from controller.recipe.reading import parse_load
from controller.recipe.states import UnitState, Verb
from controller.recorder import MEMORY
from tests.approvals import LOAD, NEWER, OLD, SITE, SOURCED, answers, approved, rig, row, settings
from tests.opcua_rig import RECIPE


def test_the_scan_itself_starts_nothing_whose_approval_nobody_has_verified():
    oven = rig(settings())
    oven.ask(Verb.START, Start(SOURCED.recipe, SOURCED.sha256, RECIPE, parse_load(LOAD, "load")))
    oven.step()
    assert oven.memory.unit.state is UnitState.IDLE
    assert "was not verified; this oven runs approved recipes only" in answers(oven)[-1][1]


def test_answer_batch_record_and_memory_hold_the_approval_and_an_older_revision_is_refused_afterwards():
    oven = rig(settings())
    oven.commands.append(command_of(row(NEWER, approved(NEWER)), wall_ns(), SITE))
    oven.step()
    assert answers(oven) == [(True, f"done; the unit is RUNNING; recipe approved by emma, key quality; {UNCALIBRATED}")]
    head = next(content for _, kind, content in oven.notes if kind == "batch_start")
    assert head["approval"] == {"key": "quality", "said": "recipe approved by emma, key quality", "author": "otto", "approver": "emma"}
    assert head["model"] == {"lot": None, "calibrated": False}
    assert oven.memory.started == ((SOURCED.recipe.id, SOURCED.recipe.revision + 1),)
    assert verifying.objection(SITE, oven.memory.unit.batch) == ""
    again = MEMORY.validate_json(MEMORY.dump_json(oven.memory))
    assert again.unit.batch.approval == approved(NEWER)
    idle = oven.memory._replace(unit=Memory().unit)
    for believed, taken in (({}, False), ({"older": True}, True)):
        oven.settings, oven.memory = settings(**believed), idle
        oven.commands.append(command_of(row(OLD, approved(), number=2 + taken), wall_ns(), SITE))
        oven.step()
        accepted, answer = answers(oven)[-1]
        assert accepted is taken
        assert taken or "has been started here; settings.approval.older allows to go back" in answer


def test_a_delayed_start_keeps_its_approval_until_its_time_comes():
    oven = rig(settings())
    asked = row(RECIPE, approved())
    oven.commands.append(command_of(asked._replace(args={**asked.args, "start_in_min": 1.0}), wall_ns(), SITE))
    oven.step()
    assert oven.memory.unit.state is UnitState.IDLE
    while oven.memory.unit.state is UnitState.IDLE:
        oven.step()
    batch = oven.memory.unit.batch
    assert (batch.approval, verifying.objection(SITE, batch)) == (approved(), "")
    head = next(content for _, kind, content in oven.notes if kind == "batch_start")
    assert head["approval"]["key"] == "quality"
    assert oven.memory.started == ((SOURCED.recipe.id, SOURCED.recipe.revision),)
