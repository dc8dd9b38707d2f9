"""The graph of an exploration: nodes by number, how each was reached, what was broken, and from where the unit comes back to IDLE."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from controller.command import Start
from controller.memory import Memory
from controller.recipe.states import UnitState
from sim.explore.oven import Oven

BACK_TO_IDLE = "IDLE is reached again without a fault, by commands and time"


class Node(NamedTuple):
    """What tells two situations apart: the memory as ``canon.key`` names it, and the oven."""

    memory: Memory
    oven: Oven


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
    rows: tuple[str, ...]  # of the interlock table that were active on some edge
    broken: tuple[Found, ...]
    stuck: tuple[Found, ...]  # nodes from which IDLE is not reached


class Way(NamedTuple):
    """The edges from one node to another: the first of them, how many, and the invariants that they broke, each with its edge."""

    how: str
    after: Node
    edges: int
    faultless: bool  # one of them needs no disturbance
    broken: tuple[tuple[str, str], ...]


class Ways(NamedTuple):
    """All that leads away from a node, and the rows that were active on the way."""

    ways: tuple[Way, ...]
    rows: frozenset[str]


@dataclass
class Graph:
    """What was found so far."""

    numbers: dict[Node, int] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    came: list[tuple[int, str]] = field(default_factory=list)
    back: list[set[int]] = field(default_factory=list)  # predecessors by edges without a disturbance
    expanded: int = 0
    edges: int = 0
    rows: set[str] = field(default_factory=set)
    broken: dict[str, Found] = field(default_factory=dict)

    def add(self, node: Node, source: int, how: str) -> int:
        """Return the number of ``node``, new or known, reached from ``source``."""
        number = self.numbers.get(node)
        if number is None:
            number = self.numbers[node] = len(self.nodes)
            self.nodes.append(node)
            self.came.append((source, how))
            self.back.append(set())
        return number

    def path(self, number: int) -> tuple[str, ...]:
        """Return how the node was reached first."""
        steps = []
        while self.came[number][0] >= 0:
            number, how = self.came[number]
            steps.append(how)
        return tuple(reversed(steps))

    def take(self, number: int, found: Ways) -> None:
        """Take in what leads away from a node."""
        self.expanded += 1
        self.rows |= found.rows
        for way in found.ways:
            self.edges += way.edges
            target = self.add(way.after, number, way.how)
            if way.faultless:
                self.back[target].add(number)
            for name, how in way.broken:
                self.broken.setdefault(name, Found(name, (*self.path(number), how)))

    def returning(self) -> set[int]:
        """Return the nodes from which IDLE is reached by edges without a disturbance."""
        ends = [number for number, node in enumerate(self.nodes) if node.memory.unit.state is UnitState.IDLE]
        reached, waiting = set(ends), deque(ends)
        while waiting:
            for source in self.back[waiting.popleft()] - reached:
                reached.add(source)
                waiting.append(source)
        return reached

    def summary(self, start: Start) -> Summary:
        """Return what an exploration with the recipe of ``start`` has found."""
        reached = self.returning()
        left = [number for number in range(self.expanded) if number not in reached]
        stuck = tuple(Found(BACK_TO_IDLE, self.path(number)) for number in left[:20])
        units = [node.memory.unit for node in self.nodes]
        states = Counter(unit.state.name for unit in units)
        phases = Counter[str](start.recipe.phase[unit.phase_index].kind for unit in units if unit.state is UnitState.RUNNING)
        phases["heat"] = sum(node.memory.outputs.heat_enable for node in self.nodes)
        complete = self.expanded == len(self.nodes)
        broken = tuple(self.broken.values())
        return Summary(len(self.nodes), self.edges, complete, dict(sorted(states.items())), dict(phases), tuple(sorted(self.rows)), broken,
                       stuck)  # fmt: skip


def lines(found: Summary) -> Iterator[str]:
    """Yield what a person reads of an exploration."""
    ended = "ended: every node was expanded" if found.complete else "stopped at the limit of nodes"
    yield f"{found.nodes} nodes, {found.edges} edges, {ended}"
    yield _counted(found.states.items())
    yield f"RUNNING by phase: {_counted(found.phases.items())}"
    yield f"rows raised: {len(found.rows)}"
    for kind, each in (("broken", found.broken), ("stuck", found.stuck)):
        yield f"{kind}: {len(each)}"
        for one in each:
            yield f"  {one.invariant}: " + " -> ".join(one.path)


def _counted(each: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count}" for name, count in each)
