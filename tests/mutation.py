"""Mutation testing of the safety modules: every change of a line that matters must make a test fail (`make mutants`).

    python -m tests.mutation [--only evaluate.py] [--functions]

The quick tests are collected once and run twice: to measure them, and to see which lines of the modules each of them runs. Each mutant is
then tried in a fork of that process: changed functions get their new code in place, and only those of the module's tests run that reach
the changed lines, first those that have killed before. What no test runs, and what stands at module level, had run when it was imported,
or never: there the fork imports whatever depends on the module anew and runs the module's own tests. What survives must stand in
``mutants.toml`` with the reason why nobody can tell the difference; an entry that matches no mutant any more is an error. POSIX only.
"""

import argparse
import ast
import functools
import io
import json
import math
import os
import resource
import select
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, Final, NamedTuple

from tests.mutants import ROOT, TABLE, Mutant, excused, mutants, stale
from tests.mutated import Module, read_imports

SLOW_S: Final = 1.0  # a test that takes longer takes no part
_WIRE: Final = ("test_southbound_contract.py", "test_southbound_field.py", "test_southbound_modbus.py")
_ALARMS: Final = (
    "test_alarm_table.py",
    "test_alarm_states.py",
    "test_alarm_shelves.py",
    "test_alarm_hiding.py",
    "test_alarm_memory.py",
    "test_alarm_readers.py",
)
SUBJECTS: Final[dict[str, tuple[str, ...]]] = {  # module -> the tests that are there for it
    "controller/interlocks/table.py": (
        "test_boundaries_table.py",
        "test_hot_watched.py",
        "test_restart_held.py",
        "test_cool_watched.py",
        "test_interlocks.py",
        "test_boundaries.py",
    ),
    "controller/interlocks/door.py": ("test_boundaries_table.py", "test_interlocks.py", "test_airing.py", "test_cool_watched.py"),
    "controller/interlocks/rule.py": (
        "test_rules_exact.py",
        "test_interlocks.py",
        "test_boundaries_table.py",
        *_ALARMS,
        "test_bypass.py",
    ),
    "controller/interlocks/evaluate.py": ("test_boundaries.py", "test_boundaries_table.py", "test_interlocks.py", "test_bypass.py"),
    "controller/interlocks/bypass.py": ("test_bypass.py", "test_boundaries.py"),
    "controller/interlocks/atmosphere.py": (
        "test_proof_exact.py",
        "test_boundaries_table.py",
        "test_hot_watched.py",
        "test_restart_held.py",
        "test_interlocks.py",
        "test_gauges.py",
        "test_airing.py",
    ),
    "controller/interlocks/gauges.py": ("test_gauges.py", "test_gauges_exact.py", "test_interlocks.py", "test_sensors.py"),
    "controller/interlocks/conditioning.py": ("test_conditioning_exact.py", "test_sensors.py", "test_interlocks.py", "test_voting.py"),
    "controller/interlocks/sensors.py": (
        "test_sensors_exact.py",
        "test_sensors_stuck.py",
        "test_sensors.py",
        "test_interlocks.py",
        "test_voting.py",
    ),
    "controller/recipe/states.py": ("test_states.py", "test_boundaries.py"),
    "controller/recipe/standing.py": (
        "test_standing_exact.py",
        "test_states.py",
        "test_segments.py",
        "test_segments_flow.py",
        "test_operating.py",
    ),
    "controller/recipe/holding.py": (
        "test_holding_exact.py",
        "test_states.py",
        "test_segments.py",
        "test_segments_flow.py",
        "test_operating.py",
    ),
    "controller/recipe/resting.py": (
        "test_resting_exact.py",
        "test_airing.py",
        "test_states.py",
        "test_segments.py",
        "test_segments_flow.py",
        "test_operating.py",
    ),
    "controller/recipe/guard.py": ("test_guard.py",),
    "controller/control/gas.py": ("test_gas_exact.py", "test_control.py"),
    "controller/southbound/contract.py": ("test_boundaries.py", *_WIRE),
    "controller/block.py": ("test_block_exact.py", "test_boundaries.py", "test_softplc.py", "test_softplc_guards.py", *_WIRE),
    "controller/recipe/check.py": ("test_claims_exact.py", "test_recipe.py", "test_segments.py", "test_segments_flow.py"),
    "controller/recipe/check_phase.py": ("test_check_exact.py", "test_recipe.py", "test_segments.py", "test_segments_flow.py"),
    "controller/recipe/order.py": ("test_order_exact.py", "test_recipe.py", "test_segments.py", "test_segments_flow.py"),
}
SHARED: Final = frozenset({"mosquitto_port", "mosquitto_program", "own_mosquitto", "opcua_site"})  # tests with a server take no part
DURATIONS: Final = ROOT / "var" / "mutation.json"  # what tests took last time, so that slow ones are not measured again
KILLED, SURVIVED, TIMEOUT, UNREACHED, EXCUSED, LEFT_OUT = "killed", "survived", "timeout", "not reached", "excused", "left out"
BUSY: Final = 10.0  # wall time that a second of CPU time may take
_MODULE_LEVEL: Final = 9  # exit code of a fork that was not to import anew
_QUIET: Final = ("-o", "addopts=", "-o", "timeout=0", "-p", "no:terminal", "-p", "no:cacheprovider", "-s", "-x", "-m", "not slow")


class Reach(NamedTuple):
    """What is known of one test: its CPU time, s, and the lines of the subjects that it runs."""

    took_s: float
    lines: frozenset[tuple[str, int]]


class Forked(NamedTuple):
    """What became of a fork: its exit code, None when it took too long, and which test failed."""

    code: int | None
    by: str


# ---- running tests ----


def _failing(items: Sequence[Any]) -> Iterator[tuple[Any, float, bool]]:
    """Run collected tests, which may have run before; yield each with its CPU time, s, and whether it failed."""
    from _pytest.runner import runtestprotocol

    for item, following in zip(items, (*items[1:], None), strict=True):
        began_s = time.process_time()
        failed = any(report.failed for report in runtestprotocol(item, nextitem=following, log=False))
        yield item, time.process_time() - began_s, failed


class _Lines:
    """Which lines of the subjects run, by settrace; other code costs one look per call."""

    def __init__(self, files: Sequence[str]) -> None:
        self._names = {str(ROOT / file): file for file in files}
        self.seen: set[tuple[str, int]] = set()

    def __enter__(self) -> "_Lines":
        threading.settrace(self._called)
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]

    def _called(self, frame: Any, event: str, _: Any) -> Any:
        file = self._names.get(frame.f_code.co_filename)
        if file is None:
            return None
        self.seen.add((file, frame.f_lineno))

        def line(frame: Any, event: str, _: Any) -> Any:
            self.seen.add((file, frame.f_lineno))
            return line

        return line


class _Session:
    """A pytest plugin that collects, measures, and then does something else with the collected tests."""

    def __init__(self, then: Callable[[list[Any], dict[str, Reach]], None], files: Sequence[str]) -> None:
        self._then, self._files = then, files
        self.failed: list[str] = []

    def pytest_runtestloop(self, session: Any) -> bool:
        slow_s = json.loads(DURATIONS.read_text()) if DURATIONS.exists() else {}
        quick = [item for item in session.items if slow_s.get(item.nodeid, 0.0) <= SLOW_S and not SHARED & set(item.fixturenames)]
        took_s: dict[str, float] = {}
        for item, seconds, failed in _failing(quick):
            took_s[item.nodeid] = seconds
            self.failed += [item.nodeid] * failed
        DURATIONS.parent.mkdir(exist_ok=True)
        DURATIONS.write_text(json.dumps({**slow_s, **{name: seconds for name, seconds in took_s.items() if seconds > 2.0 * SLOW_S}}))
        quick = [item for item in quick if took_s[item.nodeid] <= SLOW_S]
        reach: dict[str, Reach] = {}
        with _Lines(self._files) as lines:
            _forget(self._files)
            for item, _, _ in _failing(quick):
                _forget(self._files)
                reach[item.nodeid] = Reach(took_s[item.nodeid], frozenset(lines.seen))
                lines.seen.clear()
        if not self.failed:
            self._then(quick, reach)
        return True


def _forget(files: Sequence[str]) -> None:
    """Empty the caches of the subjects' functions: what is remembered is not run."""
    for name in files:
        for one in vars(sys.modules.get(name.removesuffix(".py").replace("/", "."), sys)).values():
            if isinstance(one, functools._lru_cache_wrapper):
                one.cache_clear()


class _Failed:
    """A pytest plugin that remembers which test failed, runs first what killed before and what is quick, and leaves the slow ones out."""

    def __init__(self, reach: dict[str, Reach], killed_by: Counter[str]) -> None:
        self._reach, self._killed_by, self.by = reach, killed_by, ""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        known = [one for one in items if one.nodeid in self._reach]
        items[:] = sorted(known, key=lambda one: (-self._killed_by[one.nodeid], self._reach[one.nodeid].took_s))

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.by = report.nodeid


def _tests(names: Sequence[str]) -> list[str]:
    return [str(ROOT / "tests" / name) for name in names if (ROOT / "tests" / name).exists()]


# ---- trying ----


def _forked(act: Callable[[], tuple[int, str]], limit_s: float) -> Forked:
    """Do ``act`` in a fork and return what became of it; ``limit_s`` is of its CPU time, and of ten times as much on a busy machine."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code, by = 1, "the fork itself"
        try:
            os.close(read)
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit_s), math.ceil(limit_s) + 1))
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                code, by = act()
        finally:
            os.write(write, by.encode())
            os._exit(code)
    os.close(write)
    ready, _, _ = select.select([read], [], [], BUSY * limit_s)
    by = os.read(read, 4096).decode() if ready else ""
    os.close(read)
    if not ready:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return Forked(code if ready and code != -signal.SIGXCPU else None, by)


def in_place(module: Module, tree: ast.Module, items: Sequence[Any], limit_s: float) -> Forked:
    """Try a changed module with collected tests."""

    def act() -> tuple[int, str]:
        if not module.put_in(tree, anew=False, functions=True):
            return _MODULE_LEVEL, ""
        return next(((1, item.nodeid) for item, _, failed in _failing(items) if failed), (0, ""))

    return _forked(act, limit_s)


def imported(module: Module, tree: ast.Module, tests: Sequence[str], reach: dict[str, Reach], limit_s: float,
             killed_by: Counter[str] | None = None) -> Forked:  # fmt: skip
    """Try a changed module in a fork that imports it, and all that depends on it, anew."""

    def act() -> tuple[int, str]:
        import pytest

        module.put_in(tree, anew=True, functions=False)
        failed = _Failed(reach, killed_by or Counter())
        return min(int(pytest.main([*_QUIET, "--assert=plain", *tests], plugins=[failed])), 1), failed.by

    return _forked(act, limit_s)


class Campaign:
    """The mutants of some modules against the collected tests."""

    def __init__(self, files: Sequence[str], limit: int, functions: bool) -> None:
        self.files, self._limit, self._functions = files, limit, functions
        self._killed_by = Counter[str]()
        self.rows: list[tuple[str, dict[str, int], float]] = []
        self.bad = [f"STALE in {TABLE.name}: {line}" for line in stale()]

    def run(self, items: list[Any], reach: dict[str, Reach]) -> None:
        """Try all; what is left to do stands in ``bad``."""
        _say(f"{len(items)} quick tests, {sum(one.took_s for one in reach.values()):.0f} s")
        reasons = excused()
        read_imports()
        for file in self.files:
            began_s, module = sum(os.times()[:4]), Module(file)
            counts = dict.fromkeys((KILLED, TIMEOUT, EXCUSED, SURVIVED, UNREACHED, LEFT_OUT), 0)
            if (found := self._control(module, items, reach)) != SURVIVED:
                self._is_bad(f"{file}: its tests fail in a fork without a mutant ({found})")
                continue
            for mutant in sorted(mutants(file), key=lambda one: one.line)[: self._limit or None]:
                found = EXCUSED if mutant.key in reasons else self.tried(module, mutant, items, reach)
                counts[found] += 1
                if found in (SURVIVED, UNREACHED):
                    self._is_bad(f"  {found.upper()} {file}:{mutant.line}: {mutant.was}  ->  {mutant.now}")
            self.rows.append((file, counts, sum(os.times()[:4]) - began_s))
            _say(_row(*self.rows[-1]))

    def tried(self, module: Module, mutant: Mutant, items: Sequence[Any], reach: dict[str, Reach]) -> str:
        """Return what became of one mutant."""
        if mutant.lines is None:
            return LEFT_OUT if self._functions else self._anew(module, mutant.tree(), reach)
        places = {(mutant.file, line) for line in mutant.lines}
        own = SUBJECTS[mutant.file]
        chosen = [item for item in items if item.path.name in own and reach[item.nodeid].lines & places]
        if not chosen:  # by no test; perhaps it runs when it is imported
            found = self._anew(module, mutant.tree(), reach)
            return UNREACHED if found == SURVIVED else found
        chosen.sort(key=lambda item: (-self._killed_by[item.nodeid], reach[item.nodeid].took_s))
        limit_s = 10.0 + 10.0 * sum(reach[item.nodeid].took_s for item in chosen)
        found = in_place(module, tree := mutant.tree(), chosen, limit_s)
        if found.code == _MODULE_LEVEL:
            return LEFT_OUT if self._functions else self._anew(module, tree, reach)
        self._killed_by[found.by] += 1
        return _named(found)

    def _anew(self, module: Module, tree: ast.Module, reach: dict[str, Reach]) -> str:
        found = imported(module, tree, _tests(SUBJECTS[module.file]), reach, 120.0, self._killed_by)
        self._killed_by[found.by] += 1
        return _named(found)

    def _control(self, module: Module, items: Sequence[Any], reach: dict[str, Reach]) -> str:
        """Try the module as it is, with another docstring in each function: nobody may see that, or a fork kills for reasons of its own."""
        tree = ast.parse((ROOT / module.file).read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
                node.body[0] = ast.copy_location(ast.Expr(ast.copy_location(ast.Constant("Another."), node.body[0])), node.body[0])
        found = in_place(module, tree, items, 600.0)
        if found.code not in (0, _MODULE_LEVEL):
            return f"in place, {found.by}"
        found = imported(module, tree, _tests(SUBJECTS[module.file]), reach, 600.0)
        return SURVIVED if found.code == 0 else f"imported, {found.by}"

    def _is_bad(self, line: str) -> None:
        self.bad.append(line)
        _say(line)


def _named(found: Forked) -> str:
    return TIMEOUT if found.code is None else SURVIVED if found.code == 0 else KILLED


def _row(file: str, counts: dict[str, int], took_s: float) -> str:
    return f"| {file} | {sum(counts.values())} | " + " | ".join(str(count) for count in counts.values()) + f" | {took_s:.0f} |"


def _say(line: str) -> None:
    sys.__stdout__.write(line + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


def run(files: Sequence[str], limit: int = 0, functions: bool = False) -> int:
    """Try the mutants of ``files``, print survivors and a table; return 0 when all are killed or excused and the table is not stale."""
    import pytest

    campaign = Campaign(files, limit, functions)
    session = _Session(campaign.run, files)
    tests = _tests(sorted({name for file in files for name in SUBJECTS[file]}))
    code = pytest.main([*_QUIET, *tests], plugins=[session])
    for name in session.failed:
        _say(f"fails without a mutant: {name}")
    _say("| module | mutants | killed | timeout | excused | survived | not reached | left out | CPU s |\n" + 9 * "|---" + "|")
    for row in campaign.rows:
        _say(_row(*row))
    _say("\n".join(campaign.bad) or "nothing left")
    return 1 if campaign.bad or session.failed or code not in (0, 5) or len(campaign.rows) != len(files) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], help="part of a file's name; may be given several times")
    parser.add_argument("--limit", type=int, default=0, help="try so many mutants of each file only")
    parser.add_argument("--functions", action="store_true", help="leave out what is at module level: quicker, not the whole proof")
    asked = parser.parse_args()
    chosen = [file for file in SUBJECTS if not asked.only or any(part in file for part in asked.only)]
    sys.exit(run(chosen, asked.limit, asked.functions))
