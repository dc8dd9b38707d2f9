"""Breadth first over the real scan: nodes are canonical memories with an oven, edges are scans, commands and outages.

Nothing of the controller is abridged: commands, interlocks with latches, states, phases, loops and the last word on the outputs run as
they do in the core. From every node there are

* scans without a disturbance: the chamber as it is for every region of time (``oven.CALM``), and as it may have followed;
* every verb that the state takes, alone and together with others in one scan; those that it refuses, which must change nothing;
* each disturbance for its regions of time, and while it stands the verbs that lead upwards;
* outages of the core of three lengths, and the pass of a proof test.

What is merged is said in ``canon`` and ``oven``. Merging over-approximates the oven, so that no violation is hidden by it; what
under-approximates, so that something real is not looked at, is this: one disturbance at a time, or with ``PAIRS`` two; the regions of time
instead of every moment; bands instead of every pressure and temperature; N2 that its meter always accounts for; no bypass, edit, autotune,
delayed start or running proof test.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final, NamedTuple

from controller.command import Command, Start
from controller.memory import Memory, Settings
from controller.power_return import power_return
from controller.prooftest import ProofTest
from controller.recipe.standing import Batch
from controller.recipe.states import UnitState, Verb, allowed
from controller.scan import scan
from sim.explore import belief
from sim.explore.canon import canonical, key, whole
from sim.explore.graph import Graph, Node, Way, Ways
from sim.explore.invariants import Edge, violations
from sim.explore.oven import AT_S, BOOT_ID, CALM, FEW, PHASE_S, RIPE, SCAN_S, SHORT_S, Cause, Oven, follows, image

Together = tuple[tuple[Verb, ...], ...]
TOGETHER: Final[Together] = (
    (Verb.START,), (Verb.HOLD,), (Verb.RESTART,), (Verb.STOP,), (Verb.ABORT,), (Verb.RESET,), (Verb.ACKNOWLEDGE,),
    (Verb.RESTART, Verb.ABORT), (Verb.RESTART, Verb.STOP), (Verb.START, Verb.ABORT), (Verb.HOLD, Verb.STOP, Verb.ABORT),
    (Verb.RESET, Verb.START), (Verb.RESET, Verb.RESTART),
)  # fmt: skip
OPERATING: Final[Together] = ((Verb.SKIP,), (Verb.BACK,), (Verb.SETPOINT,), (Verb.CONFIRM,))
UPWARD: Final = (Verb.START, Verb.RESTART, Verb.RESET)  # tried while each disturbance stands
OUTAGES_S: Final = (30.0, 300.0, 3600.0)  # short, medium and long for the recipe
USER: Final = "explorer"
ONE_FOR_ALL: Final = "a verb that the state does not take changes nothing"
_OPERABLE: Final = {UnitState.RUNNING: (Verb.SKIP, Verb.BACK, Verb.CONFIRM), UnitState.HELD: (Verb.SKIP, Verb.BACK, Verb.SETPOINT)}


@dataclass(frozen=True, slots=True)
class World:
    """What an exploration runs with."""

    settings: Settings
    start: Start
    causes: tuple[Cause, ...] = FEW
    together: Together = TOGETHER
    outages_s: tuple[float, ...] = OUTAGES_S

    @property
    def batch(self) -> Batch:
        """Return the batch of every node that has one."""
        start = self.start
        return Batch(1, start.recipe, start.recipe_sha256, start.load, USER, AT_S)

    def canonical(self, memory: Memory) -> Memory:
        """Return the representative of all memories that behave as ``memory`` in this world."""
        return canonical(memory, self.settings.limits, steps=_steps(self.together))


@lru_cache(maxsize=8)
def _steps(together: Together) -> bool:
    """Return whether people go to other phases."""
    return any(verb in (Verb.SKIP, Verb.BACK) for verbs in together for verb in verbs)


class Came(NamedTuple):
    """One edge: how, where to, what it broke, the rows that were active, and whether it needs no disturbance."""

    how: str
    memory: Memory  # canonical
    oven: Oven
    broken: list[str]
    rows: tuple[str, ...] = ()
    faultless: bool = True


def explored(world: World, *, max_nodes: int = 10_000_000, jobs: int = 1,
             tell: Callable[[int, int], object] = lambda nodes, left: None) -> Graph:  # fmt: skip
    """Return the graph of every state that can be reached from a new core with one recipe and load; ``Graph.summary`` says what holds.

    ``jobs`` worker processes expand the nodes of one level side by side; the result does not depend on them. ``tell`` hears of each level.
    """
    graph = Graph()
    graph.add(Node(key(world.canonical(Memory(boot_id=BOOT_ID))), Oven()), -1, "")
    with ProcessPoolExecutor(jobs, initializer=_take, initargs=(world,)) if jobs > 1 else nullcontext() as pool:
        while (first := graph.expanded) < len(graph.nodes) < max_nodes:
            level = graph.nodes[first:]
            found = map(partial(expanded, world), level) if pool is None else pool.map(_expanded, level, chunksize=4)
            for number, ways in enumerate(found, first):
                graph.take(number, ways)
            tell(len(graph.nodes), len(graph.nodes) - graph.expanded)
    return graph


_WORLDS: Final[list[World]] = []  # of a worker process: the one that it explores


def _take(world: World) -> None:
    _WORLDS.append(world)


def _expanded(node: Node) -> Ways:
    return expanded(_WORLDS[-1], node)


def expanded(world: World, node: Node) -> Ways:
    """Return the ways from a node, one for each node that they lead to."""
    found: dict[Node, Way] = {}
    rows: set[str] = set()
    for came in leaving(world, whole(node.memory, world.batch), node.oven):
        target = Node(key(came.memory), came.oven)
        way = found.get(target) or Way(came.how, target, 0, False, ())
        broken = (*way.broken, *((name, came.how) for name in came.broken))
        found[target] = way._replace(edges=way.edges + 1, faultless=way.faultless or came.faultless, broken=broken)
        rows.update(came.rows)
    return Ways(tuple(found.values()), frozenset(rows))


def leaving(world: World, memory: Memory, oven: Oven) -> Iterator[Came]:
    """Yield every edge that leads away from ``memory``, which need not be canonical."""
    return _Leaving(world, memory, oven).edges()


class _Leaving:
    """One node while it is expanded. Edges with the same image, belief and verbs are one scan: the disturbance changes nothing there."""

    def __init__(self, world: World, memory: Memory, oven: Oven) -> None:
        self._world, self._memory, self._oven = world, memory, oven
        self._seen: dict[tuple[int, Oven, str, tuple[Verb, ...]], Came] = {}

    def edges(self) -> Iterator[Came]:
        """Yield every edge that leads away."""
        world, memory, oven, state = self._world, self._memory, self._oven, self._memory.unit.state
        possible, refused = _sorted(state, world.together)
        for dt_s in CALM.steps_s:
            yield self._scanned(CALM, dt_s)
        for found in follows(oven, memory.outputs):
            yield self._scanned(CALM, SCAN_S, oven=found)
        if state is UnitState.RUNNING:
            yield self._scanned(RIPE, PHASE_S)
        for verbs in possible:
            yield self._scanned(CALM, SCAN_S, verbs)
        if refused:
            yield self._refused(refused)
        for cause in world.causes:
            for dt_s in cause.steps_s:
                yield self._scanned(cause, dt_s)
            for verb in UPWARD if not cause.belief else ():
                if (verb,) in possible:
                    yield self._scanned(cause, SHORT_S, (verb,))
        yield from self._outages()
        if state is UnitState.IDLE and (memory.proof_test.passed_at_s is None or memory.proof_test.spoiled):
            passed = memory._replace(proof_test=ProofTest(passed_at_s=AT_S, boot_id=BOOT_ID, spoiled=""))
            yield Came("proof test passed", world.canonical(passed), oven, [])

    def _outages(self) -> Iterator[Came]:
        """Yield the core's return after each length of outage, which makes no difference where no batch goes on."""
        world, oven = self._world, self._oven
        going = self._memory.unit.state in (UnitState.RUNNING, UnitState.RESTARTING)
        memory = _believing(world, self._memory, "", oven.hot)
        for outage_s in world.outages_s if going else world.outages_s[:1]:
            back, _ = power_return(memory, image(oven, CALM, memory.outputs, SCAN_S), world.settings, outage_s)
            broken = ["an outage leaves no heat"] if back.unit.setpoints.heat or back.outputs.heat_enable else []
            yield Came(f"core away for {outage_s:g} s", world.canonical(back), oven, broken, faultless=False)

    def _refused(self, refused: tuple[Verb, ...]) -> Came:
        """Return the edge of all verbs that the state does not take, in one scan; it must lead where a scan without any leads."""
        alone, came = self._scanned(CALM, SCAN_S), self._scanned(CALM, SCAN_S, refused)
        return came if came.memory == alone.memory else came._replace(broken=[*came.broken, ONE_FOR_ALL])

    def _scanned(self, cause: Cause, dt_s: float, verbs: tuple[Verb, ...] = (), *, oven: Oven | None = None) -> Came:
        oven = self._oven if oven is None else oven
        how = f"{cause.name or '-'.join((oven.gas, 'hot' if oven.hot else 'cold'))}, {dt_s:g} s" + "".join(f", {verb}" for verb in verbs)
        disturbed, faultless = cause.of(oven), cause is CALM or cause is RIPE
        belief = cause.belief if self._memory.unit.batch is not None else ""
        same = id(image(disturbed, cause, self._memory.outputs, dt_s)), disturbed, belief, verbs
        if same not in self._seen:
            world = self._world
            seen = edge(world, self._memory, oven, cause, dt_s, verbs)
            after, broken = world.canonical(seen.after), list(violations(world.settings, seen))
            self._seen[same] = Came(how, after, seen.oven, broken, seen.record.verdict.active, faultless)
        return self._seen[same]._replace(how=how, faultless=faultless)


@lru_cache(maxsize=4 * len(UnitState))
def _sorted(state: UnitState, together: Together) -> tuple[Together, tuple[Verb, ...]]:
    """Return the verbs together that ``state`` takes, and the single ones that it does not. RESET clears latches anywhere."""
    takes = {*allowed(state), Verb.RESET, Verb.ACKNOWLEDGE, *_OPERABLE.get(state, ())}
    possible = tuple(verbs for verbs in together if takes.issuperset(verbs))
    return possible, tuple(verbs[0] for verbs in together if len(verbs) == 1 and verbs[0] not in takes)


def edge(world: World, memory: Memory, oven: Oven, cause: Cause, dt_s: float, verbs: tuple[Verb, ...] = ()) -> Edge:
    """Return one scan from ``memory`` after ``dt_s`` with a cause and verbs."""
    disturbed = cause.of(oven)
    memory = memory._replace(proof=memory.proof._replace(low_mbar=None, fed_nm3=0.0))  # gas changes at once: no meter accounts for it
    memory = _believing(world, memory, cause.belief, disturbed.hot)
    commands = tuple(_command(world, memory, number, verb) for number, verb in enumerate(verbs))
    after, record = scan(world.settings, memory, image(disturbed, cause, memory.outputs, dt_s), commands)
    return Edge(memory, cause, commands, after, record, disturbed)


def _believing(world: World, memory: Memory, name: str, hot: bool) -> Memory:
    return memory if memory.unit.batch is None else memory._replace(estimator=belief.held(world.settings, world.start, name, hot))


def _command(world: World, memory: Memory, number: int, verb: Verb) -> Command:
    args: dict[str, object] = {}
    if verb in (Verb.SKIP, Verb.CONFIRM):
        args = {"phase": memory.unit.phase_index + 1}
    elif verb is Verb.BACK:
        args = {"phase": max(memory.unit.phase_index, 1)}
    elif verb is Verb.SETPOINT:
        args = {"temp_c": 80.0}
    return Command(f"c{number}", USER, verb, None, number + 1, world.start if verb is Verb.START else None, "exploration", args=args)
