"""Breadth first over the real scan: nodes are canonical memories, edges are scans with a cause, a time step, commands, or an outage.

Nothing of the controller is abridged: commands, interlocks with latches, states, phases, loops and the last word on the outputs run as
they do in the core. The oven is abstracted to causes (``oven``), the memory to what can matter (``canon``). A result says something only of
the phases that it has reached: ``Summary.phases`` counts them, and how often there was heat.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Final, NamedTuple

from controller.command import Command, Start
from controller.memory import Memory, Settings
from controller.prooftest import ProofTest
from controller.recipe.standing import Batch
from controller.recipe.states import UnitState, Verb, allowed
from controller.scan import power_return, scan
from sim.explore.canon import canonical, key, whole
from sim.explore.invariants import SAFE, Edge, violations
from sim.explore.oven import AT_S, BOOT_ID, CALM, DISTURBED, LOST, Cause, image

SHORT_S: Final = 1.0
STEPS_S: Final = (SHORT_S, 12.0, 100.0, 1000.0, 8000.0)  # between the delays of rows that come before others, and longer than every limit
Together = tuple[tuple[Verb, ...], ...]
TOGETHER: Final[Together] = (
    (Verb.START,), (Verb.HOLD,), (Verb.RESTART,), (Verb.STOP,), (Verb.ABORT,), (Verb.RESET,), (Verb.ACKNOWLEDGE,),
    (Verb.RESTART, Verb.ABORT), (Verb.RESTART, Verb.STOP), (Verb.START, Verb.ABORT), (Verb.HOLD, Verb.STOP, Verb.ABORT),
    (Verb.RESET, Verb.START), (Verb.RESET, Verb.RESTART),
)  # fmt: skip
USER: Final = "explorer"
ONE_FOR_ALL: Final = "a verb that the state does not take changes nothing"


class Found(NamedTuple):
    """An invariant that an edge broke, and the way there from the start."""

    invariant: str
    path: tuple[str, ...]


class Summary(NamedTuple):
    """What an exploration saw. ``complete`` is False when ``max_nodes`` stopped it; then ``stuck`` says nothing of the frontier."""

    nodes: int
    edges: int
    complete: bool
    states: dict[str, int]
    phases: dict[str, int]  # of nodes in RUNNING, by the phase's kind; "heat" counts those with heat
    broken: tuple[Found, ...]
    stuck: tuple[Found, ...]  # nodes from which no safe terminal is reached


class _Way(NamedTuple):
    """The edges from one node to another: the first of them, how many, and the invariants that they broke, each with its edge."""

    how: str
    after: Memory  # as ``key`` names it
    edges: int
    broken: tuple[tuple[str, str], ...]


@dataclass
class _Graph:
    numbers: dict[Memory, int] = field(default_factory=dict)
    memories: list[Memory] = field(default_factory=list)
    came: list[tuple[int, str]] = field(default_factory=list)
    back: list[set[int]] = field(default_factory=list)  # predecessors
    expanded: int = 0
    edges: int = 0
    broken: dict[str, Found] = field(default_factory=dict)

    def add(self, named: Memory, source: int, how: str) -> int:
        """Return the node of ``named``, new or known, reached from ``source``."""
        number = self.numbers.get(named)
        if number is None:
            number = self.numbers[named] = len(self.memories)
            self.memories.append(named)
            self.came.append((source, how))
            self.back.append(set())
        if source >= 0:
            self.back[number].add(source)
        return number

    def path(self, number: int) -> tuple[str, ...]:
        """Return how the node was reached first."""
        steps = []
        while self.came[number][0] >= 0:
            number, how = self.came[number]
            steps.append(how)
        return tuple(reversed(steps))

    def take(self, number: int, ways: list[_Way]) -> None:
        """Take in what leads away from a node."""
        self.expanded += 1
        for way in ways:
            self.edges += way.edges
            self.add(way.after, number, way.how)
            for name, how in way.broken:
                self.broken.setdefault(name, Found(name, (*self.path(number), how)))


def explore(
    settings: Settings, start: Start, *, causes: tuple[Cause, ...] = (*CALM, *DISTURBED), together: Together = TOGETHER,
    max_nodes: int = 1_000_000, jobs: int = 1,
    tell: Callable[[int, int], object] = lambda nodes, left: None,
) -> Summary:  # fmt: skip
    """Return what holds in every state that can be reached from a new core with ``start`` as the only recipe and load.

    ``jobs`` worker processes expand the nodes of one level side by side; the result does not depend on them. ``tell`` hears of each level.
    """
    graph, expand = _Graph(), partial(_expanded, settings, start, causes, together)
    graph.add(key(canonical(Memory(boot_id=BOOT_ID), settings.limits)), -1, "")
    with ProcessPoolExecutor(jobs) if jobs > 1 else nullcontext() as pool:
        while (first := graph.expanded) < len(graph.memories) < max_nodes:
            level = graph.memories[first:]
            for number, ways in enumerate(map(expand, level) if pool is None else pool.map(expand, level, chunksize=4), first):
                graph.take(number, ways)
            tell(len(graph.memories), len(graph.memories) - graph.expanded)
    return _summary(graph, start, complete=graph.expanded == len(graph.memories))


def lines(found: Summary) -> Iterator[str]:
    """Yield what a person reads of an exploration."""
    whole = "complete" if found.complete else "stopped at the limit of nodes"
    yield f"{found.nodes} nodes, {found.edges} edges, {whole}"
    yield ", ".join(f"{state} {count}" for state, count in found.states.items())
    yield "RUNNING by phase: " + ", ".join(f"{kind} {count}" for kind, count in found.phases.items())
    for kind, each in (("broken", found.broken), ("stuck", found.stuck)):
        yield f"{kind}: {len(each)}"
        for one in each:
            yield f"  {one.invariant}: " + " -> ".join(one.path)


def _expanded(settings: Settings, start: Start, causes: tuple[Cause, ...], together: Together, named: Memory) -> list[_Way]:
    """Return the ways from a node, one for each node that they lead to."""
    found: dict[Memory, _Way] = {}
    memory = whole(named, Batch(1, start.recipe, start.recipe_sha256, start.load, USER, AT_S))
    for how, after, broken in _edges(settings, start, memory, causes, together):
        target = key(after)
        way = found.get(target) or _Way(how, target, 0, ())
        found[target] = way._replace(edges=way.edges + 1, broken=(*way.broken, *((name, how) for name in broken)))
    return list(found.values())


def _edges(
    settings: Settings, start: Start, memory: Memory, causes: tuple[Cause, ...], together: Together
) -> Iterator[tuple[str, Memory, list[str]]]:
    """Yield how, the canonical memory after, and what was broken.

    Verbs that the state table refuses are refused before anything of the image is looked at; they are tried with the first cause only,
    where they must lead to the same memory as no verb.
    """
    possible, refused = _sorted(memory.unit.state, together)
    for cause in causes:
        alone = [_scanned(settings, memory, cause, dt_s, ()) for dt_s in STEPS_S]
        yield from alone
        yield from _then_lost(settings, memory, cause)
        for verbs in possible:
            yield _scanned(settings, memory, cause, SHORT_S, _commands(verbs, start))
        for verbs in refused if cause is causes[0] else ():
            how, after, broken = _scanned(settings, memory, cause, SHORT_S, _commands(verbs, start))
            yield how, after, broken if after == alone[0][1] else [*broken, ONE_FOR_ALL]
    returned, _ = power_return(memory, image(causes[0], memory.outputs, SHORT_S), settings, 60.0)
    broken = ["an outage leaves no heat"] if returned.unit.setpoints.heat or returned.outputs.heat_enable else []
    yield "core restarted", canonical(returned, settings.limits), broken
    if memory.unit.state is UnitState.IDLE and memory.proof_test.passed_at_s is None:
        passed = ProofTest(passed_at_s=AT_S, boot_id=BOOT_ID, spoiled="")
        yield "proof test passed", memory._replace(proof_test=passed), []


def _then_lost(settings: Settings, memory: Memory, cause: Cause) -> Iterator[tuple[str, Memory, list[str]]]:
    """Yield what comes when the wire goes while ``cause`` stands: without an image it stays, and so do rows that it keeps."""
    before, _ = scan(settings, memory, image(cause, memory.outputs, STEPS_S[1]))
    for verbs in ((), (Verb.RESET,)):
        how, after, broken = _scanned(settings, before, LOST, SHORT_S, _commands(verbs, None))
        yield f"{cause.name}, {STEPS_S[1]:g} s, then {how}", after, broken


@lru_cache(maxsize=2 * len(UnitState))
def _sorted(state: UnitState, together: Together) -> tuple[tuple[tuple[Verb, ...], ...], tuple[tuple[Verb, ...], ...]]:
    """Return the verbs together of which ``state`` takes one or more, and those of which it takes none. RESET clears latches anywhere."""
    takes = {*allowed(state), Verb.RESET}
    possible = tuple(verbs for verbs in together if takes.intersection(verbs))
    return possible, tuple(verbs for verbs in together if not takes.intersection(verbs))


def _scanned(settings: Settings, memory: Memory, cause: Cause, dt_s: float, commands: tuple[Command, ...]) -> tuple[str, Memory, list[str]]:
    after, record = scan(settings, memory, image(cause, memory.outputs, dt_s), commands)
    how = f"{cause.name}, {dt_s:g} s" + "".join(f", {command.verb}" for command in commands)
    found = list(violations(settings, Edge(memory, cause, commands, after, record)))
    return how, canonical(after, settings.limits), found


def _commands(verbs: tuple[Verb, ...], start: Start | None) -> tuple[Command, ...]:
    return tuple(_command(number, verb, start) for number, verb in enumerate(verbs))


def _command(number: int, verb: Verb, start: Start | None) -> Command:
    return Command(f"c{number}", USER, verb, None, number + 1, start if verb is Verb.START else None)


def _summary(graph: _Graph, start: Start, complete: bool) -> Summary:
    states: dict[str, int] = {}
    for memory in graph.memories:
        states[memory.unit.state.name] = states.get(memory.unit.state.name, 0) + 1
    ends = [number for number, memory in enumerate(graph.memories) if memory.unit.state in SAFE]
    reached, waiting = set(ends), deque(ends)
    while waiting:
        for source in graph.back[waiting.popleft()] - reached:
            reached.add(source)
            waiting.append(source)
    left = [number for number in range(graph.expanded) if number not in reached]
    stuck = tuple(Found("a safe terminal is reachable", graph.path(number)) for number in left[:20])
    running = [memory for memory in graph.memories if memory.unit.state is UnitState.RUNNING]
    phases = Counter[str](start.recipe.phase[memory.unit.phase_index].kind for memory in running)
    phases["heat"] = sum(memory.outputs.heat_enable for memory in running)
    return Summary(
        len(graph.memories), graph.edges, complete, dict(sorted(states.items())), dict(phases), tuple(graph.broken.values()), stuck
    )
