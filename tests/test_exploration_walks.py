"""What the exploration takes for one node goes on alike deep in a batch too: held after an outage, restarting, cooling, sent back."""

import random
from collections import Counter
from itertools import count, islice

import pytest

from controller.memory import Memory, Settings
from controller.power_return import power_return
from controller.prooftest import ProofTest
from controller.recipe.states import UnitState, Verb
from sim.explore import search
from sim.explore.canon import whole
from sim.explore.graph import Node
from sim.explore.oven import AT_S, BOOT_ID, CALM, FEW, LONG_S, PHASE_S, RIPE, SCAN_S, SHORT_S, Oven, follows, image
from sim.explore.recipe import start
from sim.explore.search import OPERATING, OUTAGES_S, TOGETHER, World
from tests.test_exploration_merging import apart, left

SITE = Settings()
READY = Memory(boot_id=BOOT_ID, proof_test=ProofTest(passed_at_s=AT_S, boot_id=BOOT_ID, spoiled=""))
MOST_STEPS, LENGTH = 6000, 100  # of all walks, and of one
PAIRS = 4  # of a memory as a walk left it and what stands for it, for each state with an outage to recover from and without
SORTS = {(UnitState.RUNNING, False)} | {(state, lost) for state in (UnitState.HELD, UnitState.RESTARTING) for lost in (True, False)}
PACES_S = (SCAN_S, SHORT_S, PHASE_S, PHASE_S, LONG_S)
ENDING = {Verb.STOP, Verb.ABORT}
ON = {UnitState.IDLE: Verb.START, UnitState.HELD: Verb.RESTART, **dict.fromkeys((UnitState.STOPPED, UnitState.ABORTED), Verb.RESET)}


def away(world, memory, oven, outage_s):
    """Return the memory with which a core comes back."""
    memory = search._believing(world, memory, "", oven.hot)
    return power_return(memory, image(oven, CALM, memory.outputs, SCAN_S), world.settings, outage_s)[0]


def step(world, memory, oven, chosen):
    """Return the memory and the oven after a scan or an outage that mostly gets the batch on."""
    state, lot = memory.unit.state, chosen.random()
    if lot < 0.05 and state in (UnitState.RUNNING, UnitState.RESTARTING):
        return away(world, memory, oven, chosen.choice(OUTAGES_S)), oven
    cause, verbs = CALM, ()
    if lot > 0.98:
        cause = chosen.choice(world.causes)
    elif lot > 0.95:
        verbs = chosen.choice([each for each in world.together if lot > 0.975 or not ENDING & {*each}])
    elif lot > 0.5 and state in ON and memory.unit.recovery is None:  # else an outage goes on to its end
        verbs = (ON[state],)
    elif state is UnitState.RUNNING and lot > 0.8:
        cause = RIPE
    else:
        oven = chosen.choice([*follows(oven, memory.outputs), oven])
    seen = search.edge(world, memory, oven, cause, chosen.choice(cause.steps_s if cause is not CALM else PACES_S), verbs)
    return seen.after, seen.oven


def steps(world, chosen):
    """Yield memories as scans and outages leave them on one walk after the other from a core that may start, and what the chamber holds."""
    for number in count():
        if number % LENGTH == 0:
            memory, oven = READY, Oven()
        memory, oven = step(world, memory, oven, chosen)
        yield memory, oven
        memory = whole(search.key(world.canonical(memory)), world.batch)
        if memory.unit.state is UnitState.IDLE:
            memory = memory._replace(proof_test=READY.proof_test)


@pytest.mark.parametrize(("recipe", "people"), [("vacuum", False), ("pauses", False), ("nitrogen", True)])
def test_on_a_walk_a_memory_and_what_stands_for_it_go_on_alike(recipe, people):
    world = World(SITE, start(recipe), FEW, (*TOGETHER, *OPERATING) if people else TOGETHER)
    found, seen, known = [], Counter(), set()
    for memory, oven in islice(steps(world, random.Random(recipe)), MOST_STEPS):
        memory, kept = left(memory), world.canonical(memory)
        node, sort = Node(search.key(kept), oven), (memory.unit.state, memory.unit.recovery is not None)
        if memory.boot_id != BOOT_ID or memory == kept or node in known or sort not in SORTS or seen[sort] == PAIRS:
            continue
        known.add(node)
        seen[sort] += 1
        found += [(node, how) for how in apart(world, memory, oven)]
    assert found == []
    met = {(UnitState.RUNNING, False), (UnitState.HELD, True), (UnitState.RESTARTING, True)}
    if recipe == "pauses":  # one walk in two meets a restart that has something to prove: most of its phases have no heat
        met.remove((UnitState.RESTARTING, True))
    assert seen.keys() >= met
