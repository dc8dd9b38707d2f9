"""What the exploration takes for one node goes on alike: a memory as a scan left it, and its representative, edge for edge."""

import random

from controller.alarms.states import AlarmMemory
from controller.interlocks.evaluate import BY_ID, InterlockMemory
from controller.interlocks.rule import Reset
from controller.memory import Settings
from sim.explore import search
from sim.explore.canon import SETTLED, key, whole
from sim.explore.oven import BOOT_ID, CALM, FEW
from sim.explore.recipe import start
from sim.explore.search import TOGETHER, UPWARD, World, explored, leaving

SITE = Settings()
SAMPLES = 30


def left(memory):
    """Return what a scan left but for what is openly forgotten: timers, alarms, command ids, rows that stand."""
    latched = frozenset(rule for rule in memory.interlocks.active if BY_ID[rule].reset is not Reset.AUTO)
    gauges = memory.proof.gauges._replace(fed_mbar=0.0, pumped_s=0.0)
    return memory._replace(
        proof=memory.proof._replace(gauges=gauges), interlocks=InterlockMemory(active=latched), sensors=SETTLED, alarms=AlarmMemory(),
        answered=(), last_row=0,
    )  # fmt: skip


def apart(world, memory, oven):
    """Return the edges by which a memory and its representative lead to different nodes or break different invariants."""
    one, other = (
        {came.how: (key(came.memory), came.oven, came.broken) for came in leaving(world, each, oven)}
        for each in (memory, world.canonical(memory))
    )
    return [how for how in one.keys() | other.keys() if one.get(how) != other.get(how)]


def scans(world, nodes, chosen):
    """Yield scans from nodes at random, each with a cause and verbs at random."""
    while True:
        node, cause = chosen.choice(nodes), chosen.choice((CALM, *world.causes))
        verbs = chosen.choice(((), *(TOGETHER if cause is CALM else [(verb,) for verb in UPWARD])))
        yield search.edge(world, whole(node.memory, world.batch), node.oven, cause, chosen.choice(cause.steps_s), verbs)


def test_a_memory_and_what_stands_for_it_go_on_alike_by_every_edge():
    world = World(SITE, start("nitrogen"), FEW)
    nodes = explored(world, max_nodes=400).nodes
    seen, found = 0, []
    for scan in scans(world, nodes, random.Random(1)):
        memory = left(scan.after)
        if memory.boot_id != BOOT_ID or memory == world.canonical(memory):
            continue
        seen += 1
        found += [(scan.cause.name, scan.commands, how) for how in apart(world, memory, scan.oven)]
        if seen == SAMPLES:
            break
    assert found == []


def test_one_that_is_merged_with_another_by_mistake_is_noticed():
    world = World(SITE, start("nitrogen"), ())
    held = next(node for node in explored(world, max_nodes=200).nodes if node.memory.unit.state.name == "HELD")
    memory = whole(held.memory, world.batch)
    ways = {came.how: key(came.memory) for came in leaving(world, memory, held.oven)}
    wrong = memory._replace(unit=memory.unit._replace(power_lost=not memory.unit.power_lost))
    assert ways != {came.how: key(came.memory) for came in leaving(world, wrong, held.oven)}


def test_worker_processes_find_the_same_graph():
    world = World(SITE, start("vacuum"), FEW)
    one, two = (explored(world, max_nodes=30, jobs=jobs) for jobs in (1, 2))
    assert one.nodes == two.nodes
    assert one.summary(world.start) == two.summary(world.start)
