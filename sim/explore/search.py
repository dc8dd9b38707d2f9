"""Breadth first over the real scan: nodes are canonical memories, edges are scans with a cause, a time step, commands, or an outage.

Nothing of the controller is abridged: commands, interlocks with latches, states, phases, loops and the last word on the outputs run as
they do in the core. The oven is abstracted to causes (``oven``), the memory to what can matter (``canon``).
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from controller.command import Command, Start
from controller.memory import Memory, Settings
from controller.prooftest import ProofTest
from controller.recipe.states import UnitState, Verb
from controller.scan import power_return, scan
from sim.explore.canon import canonical, key
from sim.explore.invariants import SAFE, Edge, violations
from sim.explore.oven import AT_S, BOOT_ID, CALM, DISTURBED, Cause, image

SHORT_S: Final = 1.0
LONG_S: Final = 8000.0  # longer than every delay, timeout and hold limit
TOGETHER: Final[tuple[tuple[Verb, ...], ...]] = (
    (), (Verb.START,), (Verb.HOLD,), (Verb.RESTART,), (Verb.STOP,), (Verb.ABORT,), (Verb.RESET,), (Verb.ACKNOWLEDGE,),
    (Verb.RESTART, Verb.ABORT), (Verb.RESTART, Verb.STOP), (Verb.START, Verb.ABORT), (Verb.HOLD, Verb.STOP, Verb.ABORT),
    (Verb.RESET, Verb.START), (Verb.RESET, Verb.RESTART),
)  # fmt: skip


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
    broken: tuple[Found, ...]
    stuck: tuple[Found, ...]  # nodes from which no safe terminal is reached


@dataclass
class _Graph:
    numbers: dict[Memory, int] = field(default_factory=dict)
    memories: list[Memory] = field(default_factory=list)
    came: list[tuple[int, str]] = field(default_factory=list)
    back: list[set[int]] = field(default_factory=list)  # predecessors
    expanded: int = 0
    edges: int = 0
    broken: dict[str, Found] = field(default_factory=dict)

    def add(self, memory: Memory, source: int, how: str) -> int:
        """Return the node of ``memory``, new or known, reached from ``source``."""
        name = key(memory)
        number = self.numbers.get(name)
        if number is None:
            number = self.numbers[name] = len(self.memories)
            self.memories.append(memory)
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


def explore(settings: Settings, start: Start, *, causes: tuple[Cause, ...] = (*CALM, *DISTURBED), max_nodes: int = 1_000_000) -> Summary:
    """Return what holds in every state that can be reached from a new core with ``start`` as the only recipe and load."""
    graph, waiting = _Graph(), deque[int]()
    waiting.append(graph.add(canonical(Memory(boot_id=BOOT_ID), settings.limits), -1, ""))
    while waiting and len(graph.memories) < max_nodes:
        number = waiting.popleft()
        graph.expanded += 1
        for how, after, broken in _edges(settings, start, graph.memories[number], causes):
            graph.edges += 1
            known = len(graph.memories)
            target = graph.add(after, number, how)
            if target == known:
                waiting.append(target)
            for name in broken:
                graph.broken.setdefault(name, Found(name, (*graph.path(number), how)))
    return _summary(graph, complete=not waiting)


def lines(found: Summary) -> Iterator[str]:
    """Yield what a person reads of an exploration."""
    whole = "complete" if found.complete else "stopped at the limit of nodes"
    yield f"{found.nodes} nodes, {found.edges} edges, {whole}"
    yield ", ".join(f"{state} {count}" for state, count in found.states.items())
    for kind, each in (("broken", found.broken), ("stuck", found.stuck)):
        yield f"{kind}: {len(each)}"
        for one in each:
            yield f"  {one.invariant}: " + " -> ".join(one.path)


def _edges(settings: Settings, start: Start, memory: Memory, causes: tuple[Cause, ...]) -> Iterator[tuple[str, Memory, list[str]]]:
    for cause in causes:
        for verbs in TOGETHER:
            commands = tuple(_command(number, verb, start) for number, verb in enumerate(verbs))
            yield _scanned(settings, memory, cause, SHORT_S, commands)
        yield _scanned(settings, memory, cause, LONG_S, ())
    returned, _ = power_return(memory, image(causes[0], memory.outputs, SHORT_S), settings, 60.0)
    broken = ["an outage leaves no heat"] if returned.unit.setpoints.heat or returned.outputs.heat_enable else []
    yield "core restarted", canonical(returned, settings.limits), broken
    if memory.unit.state is UnitState.IDLE and memory.proof_test.passed_at_s is None:
        passed = ProofTest(passed_at_s=AT_S, boot_id=BOOT_ID, spoiled="")
        yield "proof test passed", memory._replace(proof_test=passed), []


def _scanned(settings: Settings, memory: Memory, cause: Cause, dt_s: float, commands: tuple[Command, ...]) -> tuple[str, Memory, list[str]]:
    after, record = scan(settings, memory, image(cause, memory.outputs, dt_s), commands)
    how = f"{cause.name}, {dt_s:g} s" + "".join(f", {command.verb}" for command in commands)
    found = list(violations(settings, Edge(memory, cause, commands, after, record)))
    return how, canonical(after, settings.limits), found


def _command(number: int, verb: Verb, start: Start) -> Command:
    return Command(f"c{number}", "explorer", verb, None, number + 1, start if verb is Verb.START else None)


def _summary(graph: _Graph, complete: bool) -> Summary:
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
    return Summary(len(graph.memories), graph.edges, complete, dict(sorted(states.items())), tuple(graph.broken.values()), stuck)
