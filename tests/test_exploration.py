"""The bounded exploration of the unit over the real scan, and that its invariants would notice."""

import pytest

from controller.command import Command
from controller.commands import problems_of
from controller.memory import Memory, Settings
from controller.prooftest import ProofTest
from controller.recipe.states import UnitState, Verb
from controller.scan import scan
from sim.explore.canon import canonical
from sim.explore.invariants import Edge, violations
from sim.explore.oven import AT_S, BOOT_ID, CALM, DISTURBED, image
from sim.explore.recipe import shortest
from sim.explore.search import explore

SITE, START = Settings(), shortest()
READY = Memory(boot_id=BOOT_ID, proof_test=ProofTest(passed_at_s=AT_S, boot_id=BOOT_ID, spoiled=""))


def edge(memory, cause, *verbs):
    commands = tuple(Command(f"c{i}", "anna", verb, None, i + 1, START if verb is Verb.START else None) for i, verb in enumerate(verbs))
    memory = canonical(memory, SITE.limits)
    after, record = scan(SITE, memory, image(cause, memory.outputs, 1.0), commands)
    return Edge(memory, cause, commands, after, record)


@pytest.mark.timeout(600)
def test_no_invariant_breaks_with_two_causes_and_every_state_reaches_a_safe_end():
    found = explore(SITE, START, causes=(CALM[1], DISTURBED[0]))
    assert found.complete
    assert found.broken == ()
    assert found.stuck == ()
    assert found.nodes > 150  # fewer than before: memories that no rule tells apart are one node
    assert found.edges > 5000
    assert found.phases.keys() >= {"LEAK_TEST", "CYCLE_PURGE"}  # cold in vacuum the recipe comes no further: heat is not reached here
    assert found.states.keys() >= {"IDLE", "RUNNING", "HELD", "STOPPING", "ABORTED"}


def test_the_recipe_of_the_exploration_is_one_that_the_oven_takes():
    assert problems_of(SITE, START.recipe) == []
    assert edge(READY, CALM[0], Verb.START).after.unit.state is UnitState.RUNNING


def broken(seen):
    return set(violations(SITE, seen))


def test_a_true_edge_breaks_nothing_and_false_ones_are_noticed():
    seen = edge(READY, CALM[0], Verb.START)
    assert broken(seen) == set()
    hot = seen._replace(record=seen.record._replace(outputs=seen.record.outputs._replace(heat_enable=True)))
    assert {"no heat without a proven atmosphere", "no heat against an interlock"} <= broken(hot)
    unproven = seen._replace(before=seen.before._replace(proof_test=ProofTest()))
    assert "no START without a valid proof test" in broken(unproven)
    nameless = seen._replace(after=seen.after._replace(unit=seen.after.unit._replace(batch=None)))
    assert "no state but IDLE without a batch and its recipe's hash" in broken(nameless)
    valves = seen._replace(record=seen.record._replace(outputs=seen.record.outputs._replace(vac_valve=True, n2_valve=True)))
    assert "vacuum valve and N2 inlet never together" in broken(valves)


def test_abort_that_does_not_win_and_a_final_state_left_alone_are_noticed():
    running = edge(READY, CALM[0], Verb.START).after
    aborted = edge(running, CALM[0], Verb.RESTART, Verb.ABORT)
    assert broken(aborted) == set()
    lost = aborted._replace(after=running)
    assert "ABORT wins in the same scan" in broken(lost)
    final = aborted.after._replace(unit=aborted.after.unit._replace(state=UnitState.ABORTED))
    assert "a final state is left only by RESET, and only to IDLE" in broken(edge(final, CALM[0])._replace(after=running))


def test_held_heat_that_comes_back_by_itself_is_noticed():
    running = edge(READY, CALM[0], Verb.START).after
    held = running._replace(unit=running.unit._replace(state=UnitState.HELD))
    seen = edge(held, CALM[0])
    warm = seen.after.unit._replace(setpoints=seen.after.unit.setpoints._replace(heat=True))
    assert "held heat never comes back without RESTART" in broken(seen._replace(after=seen.after._replace(unit=warm)))


def test_a_canonical_memory_is_its_own_representative():
    memory = edge(READY, CALM[3], Verb.START).after
    once = canonical(memory, SITE.limits)
    assert canonical(once, SITE.limits) == once
