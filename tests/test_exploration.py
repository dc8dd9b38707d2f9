"""The exploration of the unit over the real scan: it ends, nothing breaks, nothing is stuck, and its invariants would notice."""

import sys

import pytest

from controller.fitness import problems_of
from controller.interlocks.evaluate import BY_ID
from controller.interlocks.rule import Effect, Reset
from controller.interlocks.table import RULES
from controller.memory import Memory, Settings
from controller.prooftest import ProofTest
from controller.recipe.resuming import OUTAGE_ROWS
from controller.recipe.segments import Kind
from controller.recipe.states import UnitState, Verb
from sim.explore import search
from sim.explore.canon import canonical, key, whole
from sim.explore.invariants import violations
from sim.explore.oven import ALL, AT_S, BOOT_ID, CALM, FEW, LONG_S, PAIRS, PHASE_S, SCAN_S, Oven, follows
from sim.explore.recipe import TEXTS, start
from sim.explore.search import World, explored

SITE = Settings()
VACUUM = World(SITE, start("vacuum"), (), outages_s=(30.0,))  # the other lengths: `make explore`
NITROGEN = World(SITE, start("nitrogen"), tuple(cause for cause in FEW if cause.name in ("emergency stop", "PLC restarted")))
READY = Memory(boot_id=BOOT_ID, proof_test=ProofTest(passed_at_s=AT_S, boot_id=BOOT_ID, spoiled=""))
STOPPING = Effect.ABORT | Effect.HOLD
MOST_NODES = 20_000  # what keeps these tests finite is the count of nodes: a starved machine is no failure
pytestmark = pytest.mark.timeout(0)


@pytest.fixture(scope="module")
def vacuum():
    """Return the whole graph of the vacuum recipe without disturbances."""
    return explored(VACUUM, max_nodes=MOST_NODES)


@pytest.fixture(scope="module")
def nitrogen():
    """Return the whole graph of the nitrogen recipe with two disturbances."""
    return explored(NITROGEN, max_nodes=MOST_NODES)


def edge(memory, oven, cause, *verbs, dt_s=SCAN_S, world=VACUUM):
    return search.edge(world, canonical(memory, SITE.limits), oven, cause, dt_s, verbs)


def test_every_state_and_phase_is_reached_nothing_breaks_and_every_node_comes_back_to_idle(vacuum, capsys):
    found = vacuum.summary(VACUUM.start)
    with capsys.disabled():
        sys.stdout.write(f"\nvacuum, no disturbance: {found.nodes} nodes, {found.edges} edges\n")
    assert found.complete
    assert found.broken == ()
    assert found.stuck == ()
    assert found.states.keys() == {state.name for state in UnitState}
    assert found.phases.keys() == {phase.kind for phase in VACUUM.start.recipe.phase} | {"heat"}
    assert found.phases["heat"] > 40
    assert found.nodes > 3000


def test_with_disturbances_on_the_nitrogen_path_nothing_breaks_either(nitrogen, capsys):
    found = nitrogen.summary(NITROGEN.start)
    with capsys.disabled():
        sys.stdout.write(f"\nnitrogen, two disturbances: {found.nodes} nodes, {found.edges} edges\n")
    assert found.complete
    assert found.broken == ()
    assert found.stuck == ()
    assert found.states.keys() == {state.name for state in UnitState}
    assert found.phases.keys() == {phase.kind for phase in NITROGEN.start.recipe.phase} | {"heat"}
    assert found.nodes > 350
    assert "I2" in found.rows


def test_the_recipes_are_ones_that_the_oven_takes_and_hold_every_kind_of_phase():
    starts = [start(name) for name in TEXTS]
    assert [problems_of(SITE, one.recipe) for one in starts] == [[] for _ in starts]
    assert {phase.kind for one in starts for phase in one.recipe.phase} == {kind.name for kind in Kind}


def test_a_canonical_memory_is_its_own_representative(vacuum):
    for node in vacuum.nodes[::7]:
        memory = whole(node.memory, VACUUM.batch)
        assert canonical(memory, SITE.limits) == memory
        assert key(memory) == node.memory


def test_what_is_merged_goes_on_alike(vacuum):
    """From the memory that a scan left and from its representative the next scan leads to the same node, whatever the chamber does."""
    apart = []
    for node in vacuum.nodes[::13]:
        left = edge(whole(node.memory, VACUUM.batch), node.oven, CALM).after
        for oven in (node.oven, *follows(node.oven, left.outputs)):
            for dt_s in (SCAN_S, PHASE_S, LONG_S):
                one, other = (search.edge(VACUUM, memory, oven, CALM, dt_s).after for memory in (left, canonical(left, SITE.limits)))
                if canonical(one, SITE.limits) != canonical(other, SITE.limits):
                    apart.append((node, oven, dt_s))
    assert apart == []


def _way(rule):
    """Return how a row acts and goes away, as far as the unit can tell."""
    return int(rule.effect & ~Effect.WARN), rule.reset, rule.id in OUTAGE_ROWS


def test_the_disturbances_raise_a_row_of_every_way_in_which_rows_stop_a_batch(vacuum, nitrogen):
    raised = {row for graph in (vacuum, nitrogen) for row in graph.rows}
    for world, graph in ((VACUUM, vacuum), (NITROGEN, nitrogen)):
        hot = [node for node in graph.nodes if node.memory.outputs.heat_enable]
        for node in hot[:: len(hot) // 8]:
            for cause in ALL:
                for dt_s in cause.steps_s:
                    seen = edge(whole(node.memory, world.batch), node.oven, cause, dt_s=dt_s, world=world)
                    raised |= set(seen.record.verdict.active)
    stopping = {rule.id for rule in RULES if rule.effect & STOPPING}
    assert {rule for rule in stopping if _way(BY_ID[rule]) not in {_way(BY_ID[one]) for one in raised}} == set()


def test_a_gauge_that_did_not_follow_is_believed_again_after_reset_and_the_unit_comes_back(vacuum):
    frozen = [node for node in vacuum.nodes if node.memory.proof.gauges.frozen and node.memory.unit.state is UnitState.STOPPING]
    assert frozen
    memory = whole(frozen[0].memory, VACUUM.batch)
    kept = edge(memory, frozen[0].oven, CALM, Verb.ACKNOWLEDGE).record
    assert "I4F" in kept.verdict.active
    again = edge(memory, frozen[0].oven, CALM, Verb.RESET).record
    assert "I4F" not in again.verdict.active
    assert again.process.pressure_mbar is not None


def test_two_disturbances_stand_together_unless_they_contradict_each_other():
    names = {pair.name for pair in PAIRS}
    assert "circulation lost + pump trip" in names
    assert not any(name.startswith("wire lost") or name.endswith("wire lost") for name in names)
    assert "O2 above the recipe's limit + O2 high" not in names
    assert len(names) == len(PAIRS) > 400


def broken(seen):
    return set(violations(SITE, seen))


def test_a_true_edge_breaks_nothing_and_false_ones_are_noticed():
    seen = edge(READY, Oven(), CALM, Verb.START)
    assert broken(seen) == set()
    hot = seen._replace(record=seen.record._replace(outputs=seen.record.outputs._replace(heat_enable=True)))
    assert {"no heat without a proven atmosphere", "no heat against an interlock"} <= broken(hot)
    unproven = seen._replace(before=seen.before._replace(proof_test=ProofTest()))
    assert "no START without a valid proof test" in broken(unproven)
    nameless = seen._replace(after=seen.after._replace(unit=seen.after.unit._replace(batch=None)))
    assert "no state but IDLE without a batch and its recipe's hash" in broken(nameless)
    valves = seen._replace(record=seen.record._replace(outputs=seen.record.outputs._replace(vac_valve=True, n2_valve=True)))
    assert "vacuum valve and N2 inlet never together" in broken(valves)


def test_what_the_oven_is_in_truth_is_held_against_the_outputs():
    seen = edge(READY, Oven("N2", hot=True), CALM, Verb.START, dt_s=PHASE_S)
    unit, out = seen.after.unit._replace(was_heated=True), seen.record.outputs._replace(exhaust_fan=True, circulation=True, condenser=True)
    seen = seen._replace(after=seen.after._replace(unit=unit), record=seen.record._replace(outputs=out))

    def told(**changed):
        return broken(seen._replace(record=seen.record._replace(outputs=out._replace(**changed))))

    assert not any("hot" in name for name in told())
    assert "no air and no door to a hot chamber" in told(vent_valve=True) & told(door_release=True)
    assert "exhaust, circulation and condenser run while the chamber is hot" in told(circulation=False)
    assert "no heat in air" in broken(
        seen._replace(oven=Oven("air", hot=True), record=seen.record._replace(outputs=out._replace(heat_enable=True)))
    )
    opened = next(cause for cause in FEW if cause.name == "door open")
    ajar = edge(READY, Oven(), opened)
    assert broken(ajar) == set()
    assert "no N2 and no heat with the door open" in broken(
        ajar._replace(record=ajar.record._replace(outputs=ajar.record.outputs._replace(n2_valve=True)))
    )
    tight = ajar.after._replace(proof=ajar.after.proof._replace(leak_ok=True))
    assert "an opened door ends the proof of leak test and atmosphere" in broken(ajar._replace(after=tight))


def test_abort_that_does_not_win_and_a_final_state_left_alone_are_noticed():
    running = edge(READY, Oven(), CALM, Verb.START).after
    aborted = edge(running, Oven(), CALM, Verb.RESTART, Verb.ABORT)
    assert broken(aborted) == set()
    lost = aborted._replace(after=running)
    assert "ABORT wins in the same scan" in broken(lost)
    final = aborted.after._replace(unit=aborted.after.unit._replace(state=UnitState.ABORTED))
    assert "a final state is left only by RESET, and only to IDLE" in broken(edge(final, Oven(), CALM)._replace(after=running))


def test_held_heat_that_comes_back_by_itself_is_noticed():
    running = edge(READY, Oven(), CALM, Verb.START).after
    held = running._replace(unit=running.unit._replace(state=UnitState.HELD))
    seen = edge(held, Oven(), CALM)
    warm = seen.after.unit._replace(setpoints=seen.after.unit.setpoints._replace(heat=True))
    assert "held heat never comes back without RESTART" in broken(seen._replace(after=seen.after._replace(unit=warm)))


def test_a_node_without_a_way_back_is_noticed(vacuum):
    ends = [number for number, node in enumerate(vacuum.nodes) if node.memory.unit.state is UnitState.ABORTED]
    cut = [before if number not in ends else set() for number, before in enumerate(vacuum.back)]
    kept, vacuum.back = vacuum.back, cut
    try:
        assert len(vacuum.returning()) < len(vacuum.nodes)
    finally:
        vacuum.back = kept


def test_latches_that_clear_by_hand_are_told_apart_from_those_that_an_acknowledgement_clears():
    memory = edge(READY, Oven(), CALM, Verb.START).after
    by_hand, by_operator = (
        canonical(memory._replace(interlocks=memory.interlocks._replace(active=frozenset({rule}))), SITE.limits) for rule in ("I16", "I22")
    )
    assert BY_ID["I16"].reset is Reset.MANUAL
    assert BY_ID["I22"].reset is Reset.OPERATOR
    assert by_hand != by_operator
