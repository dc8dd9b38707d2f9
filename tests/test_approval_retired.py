"""Retired revisions: the core keeps them and starts them no more."""

from controller.actions import retiring
from controller.clock import wall_ns
from controller.command import Command
from controller.intake import command_of
from controller.recipe import verifying
from controller.recipe.states import UnitState, Verb
from controller.recorder import MEMORY
from controller.roles import Role
from tests.approvals import NEWER, SITE, SOURCED, answers, approved, rig, row, settings
from tests.opcua_rig import RECIPE


def asked_to(oven, verb, number, role=Role.ENGINEER, **args):
    oven.commands.append(Command(f"id-{number}", "emma", verb, None, number, reason="too hot", args=args, role=role))
    oven.step()
    return answers(oven)[-1]


THIS = {"recipe": SOURCED.recipe.id, "revision": SOURCED.recipe.revision}


def test_the_core_itself_keeps_what_is_retired_and_starts_it_no_more():
    oven = rig(settings())
    assert asked_to(oven, Verb.RETIRE, 2, Role.OPERATOR, **THIS)[1].startswith("RETIRE needs the role engineer")
    for place, wrong in enumerate(({}, {"recipe": "", "revision": 1}, {"recipe": "x", "revision": True}, {"recipe": "x", "revision": 0})):
        assert not asked_to(oven, Verb.RETIRE, 10 + place, **wrong)[0]
    done, said = asked_to(oven, Verb.RETIRE, 3, **THIS)
    assert (done, "cannot be started any more" in said) == (True, True)
    assert asked_to(oven, Verb.RETIRE, 4, **THIS) == (True, f"{SOURCED.recipe.id} rev {SOURCED.recipe.revision} is retired already")
    why = [content for _, kind, content in oven.notes if kind == "decision" and content["what"] == "recipe retired"]
    assert [(one["user"], one["revision"], "too hot" in one["why"]) for one in why] == [("emma", SOURCED.recipe.revision, True)]
    oven.memory = MEMORY.validate_json(MEMORY.dump_json(oven.memory))
    oven.commands.append(command_of(row(RECIPE, approved(), number=5), wall_ns(), SITE))
    oven.step()
    assert answers(oven)[-1] == (False, retiring.objection(oven.memory, *THIS.values()))
    assert oven.memory.unit.state is UnitState.IDLE
    oven.commands.append(command_of(row(NEWER, approved(NEWER), number=6), wall_ns(), SITE))
    oven.step()
    assert oven.memory.unit.state is UnitState.RUNNING


def test_an_armed_start_of_a_retired_revision_does_not_begin_and_a_batch_that_runs_goes_on():
    oven = rig(settings())
    asked = row(RECIPE, approved())
    oven.commands.append(command_of(asked._replace(args={**asked.args, "start_in_min": 0.1}), wall_ns(), SITE))
    oven.step()
    assert oven.memory.delayed is not None
    assert asked_to(oven, Verb.RETIRE, 2, **THIS)[0]
    while oven.memory.delayed is not None:
        oven.step()
    assert oven.memory.unit.state is UnitState.IDLE
    assert "was retired here" in [content for _, kind, content in oven.notes if kind == "decision"][-1]["why"]
    oven.memory = oven.memory._replace(retired=())
    oven.commands.append(command_of(row(RECIPE, approved(), number=3), wall_ns(), SITE))
    oven.step()
    assert asked_to(oven, Verb.RETIRE, 4, **THIS)[0]
    for _ in range(5):
        oven.step()
    assert oven.memory.unit.state is UnitState.RUNNING
    assert verifying.objection(SITE, oven.memory.unit.batch) == ""


def test_retirements_are_bounded_and_none_is_ever_dropped():
    oven = rig(settings())
    oven.memory = oven.memory._replace(retired=tuple(("old", number) for number in range(1, retiring.MOST_RETIRED + 1)))
    assert not asked_to(oven, Verb.RETIRE, 2, **THIS)[0]
    assert len(oven.memory.retired) == retiring.MOST_RETIRED
