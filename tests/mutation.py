"""Mutation testing of the safety modules: every change of a line that matters must make a test fail (`make mutants`).

    python -m tests.mutation [--only evaluate.py] [--functions]

One mutant is one changed place: a comparison, a boundary, and/or, a negation, an operator, a constant by one, a returned value, a deleted
statement. Each runs in a fork of a process that has everything loaded: changed functions get their new code in place, anything at module
level makes the fork import the project anew. Only the tests that cover the module run (``SUBJECTS``), the quick ones, quickest first,
until one fails. What survives must stand in ``mutants.toml`` with the reason why nobody can tell the difference; an entry that matches no
mutant any more is an error. POSIX only.
"""

import argparse
import ast
import functools
import gc
import importlib.abc
import importlib.util
import io
import os
import signal
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from itertools import islice
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
TABLE: Final = Path(__file__).with_name("mutants.toml")
SLOW_S: Final = 1.0  # a test that takes longer takes no part
SUBJECTS: Final[dict[str, tuple[str, ...]]] = {
    "controller/interlocks/evaluate.py": ("test_interlocks.py", "test_bypass.py", "test_boundaries.py"),
    "controller/recipe/states.py": ("test_states.py", "test_boundaries.py"),
    "controller/southbound/contract.py": ("test_southbound.py", "test_boundaries.py"),
    "controller/block.py": ("test_softplc.py", "test_southbound.py", "test_boundaries.py"),
    "controller/interlocks/atmosphere.py": ("test_interlocks.py", "test_gauges.py", "test_boundaries.py"),
    "controller/interlocks/gauges.py": ("test_gauges.py", "test_boundaries.py"),
    "controller/interlocks/conditioning.py": ("test_sensors.py", "test_interlocks.py", "test_boundaries.py"),
    "controller/recipe/check.py": ("test_recipe.py", "test_segments.py", "test_boundaries.py"),
    "controller/recipe/check_phase.py": ("test_recipe.py", "test_segments.py", "test_boundaries.py"),
    "controller/recipe/order.py": ("test_recipe.py", "test_segments.py", "test_boundaries.py"),
}
KILLED, SURVIVED, TIMEOUT, EXCUSED, LEFT_OUT = "killed", "survived", "timeout", "excused", "left out"
_MODULE_LEVEL: Final = 9  # exit code of a fork that was not to import anew

_COMPARED: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
_OPERATED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Mod: ast.Mult, ast.FloorDiv: ast.Mult, ast.BitXor: ast.BitAnd,
}  # fmt: skip

_CANDIDATES: Final = (
    ast.Compare, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Constant, ast.If, ast.IfExp, ast.While, ast.Return, ast.Assign, ast.AugAssign,
    ast.Expr, ast.Raise, ast.Continue,
)  # fmt: skip


class Mutant(NamedTuple):
    """One changed place: what it was and is, and the changed module."""

    file: str
    line: int
    text: str  # the source line, stripped
    was: str
    now: str
    tree: ast.Module

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return what a table entry names: file, line text, was, now."""
        return self.file, self.text, self.was, self.now


def mutants(file: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its lines."""
    source = (ROOT / file).read_text("utf-8")
    lines, tree = source.splitlines(), ast.parse(source)
    aside = _left_alone(tree)
    for place, seen in enumerate(ast.walk(tree)):
        if not isinstance(seen, _CANDIDATES) or id(seen) in aside:
            continue
        for variant in range(4):
            copy = ast.parse(source)  # quicker than a deep copy
            node = next(islice(ast.walk(copy), place, None))
            assert isinstance(node, ast.expr | ast.stmt)
            was = ast.unparse(node).splitlines()[0]
            now = _mutate(node, variant, copy)
            if now is None:
                break
            yield Mutant(file, node.lineno, lines[node.lineno - 1].strip(), was, now, ast.fix_missing_locations(copy))


def _left_alone(tree: ast.Module) -> set[int]:
    """Return the nodes that say nothing at run time, or only to people: annotations, docstrings, exception texts, imports."""
    found: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.FunctionDef):
            parts = [node.returns, *(arg.annotation for arg in (*node.args.args, *node.args.kwonlyargs))]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts = [node]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Annotated", "Struct", "zip"):
            parts = [keyword.value for keyword in node.keywords]
        for part in parts:
            if part is not None:
                found.update(id(one) for one in ast.walk(part))
    return found


def _mutate(node: ast.AST, variant: int, tree: ast.Module) -> str | None:
    """Change ``node`` in place and return what it reads now; None when there is no such variant."""
    if isinstance(node, ast.Compare):
        changes = [(at, new) for at, op in enumerate(node.ops) for new in _COMPARED[type(op)]]
        if variant >= len(changes):
            return None
        at, new = changes[variant]
        node.ops[at] = new()
        return ast.unparse(node)
    if isinstance(node, ast.BoolOp) and variant == 0:
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return ast.unparse(node)
    if isinstance(node, ast.BinOp) and variant == 0 and type(node.op) in _OPERATED:
        node.op = _OPERATED[type(node.op)]()
        return ast.unparse(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and variant == 0:
        _replace(tree, node, node.operand)
        return ast.unparse(node.operand)
    if isinstance(node, ast.Constant):
        return _constant(node, variant)
    if isinstance(node, ast.If | ast.IfExp | ast.While) and variant == 0 and isinstance(node.test, ast.Name | ast.Attribute | ast.Call):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return f"condition negated: {ast.unparse(node.test)}"
    if isinstance(node, ast.Return):
        return _returned(node, variant)
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.Raise | ast.Continue) and variant == 0:
        _replace(tree, node, ast.copy_location(ast.Pass(), node))
        return "deleted"
    return None


def _constant(node: ast.Constant, variant: int) -> str | None:
    if isinstance(node.value, bool):
        if variant:
            return None
        node.value = not node.value
    elif isinstance(node.value, int | float) and variant < 2:
        node.value = node.value + (1 if variant == 0 else -1)
    else:
        return None
    return repr(node.value)


def _returned(node: ast.Return, variant: int) -> str | None:
    values = [None, True, False]
    if node.value is None or (isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool | None)):
        return None
    if variant >= (3 if isinstance(node.value, ast.Compare | ast.BoolOp | ast.UnaryOp) else 1):
        return None
    node.value = ast.copy_location(ast.Constant(values[variant]), node.value)
    return f"return {values[variant]}"


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list) and any(one is old for one in value):
                setattr(parent, name, [new if one is old else one for one in value])


# ---- running ----


class _Session:
    """A pytest plugin: measures in the first run, leaves the slow tests out and runs the quickest first in the others."""

    def __init__(self, known_s: dict[str, float] | None = None) -> None:
        self.known_s, self.took_s = known_s, dict[str, float]()

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        if self.known_s is not None:
            known = self.known_s
            items[:] = sorted((one for one in items if known.get(one.nodeid, 0.0) <= SLOW_S), key=lambda one: known.get(one.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.took_s[report.nodeid] = self.took_s.get(report.nodeid, 0.0) + report.duration


def _pytest(tests: Sequence[str], session: _Session) -> int:
    import pytest

    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests], plugins=[session]))


class _Importer(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module its mutated code."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self.name, self.path, self.code = name, path, code

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def exec_module(self, module: Any) -> None:
        exec(self.code, module.__dict__)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _place(code: CodeType) -> tuple[str, int, Any]:
    return code.co_qualname, code.co_firstlineno, next(iter(code.co_positions()), None) if code.co_name == "<lambda>" else None


def _own(code: CodeType) -> tuple[Any, ...]:
    return code.co_code, code.co_names, code.co_varnames, tuple(repr(one) for one in code.co_consts if not isinstance(one, CodeType))


def _put_in(mutant: Mutant, original: CodeType, mutated: CodeType) -> bool:
    """Give the functions that changed their new code; False when the module itself changed."""
    if _own(original) != _own(mutated):
        return False
    before, after = {_place(one): one for one in _codes(original)}, {_place(one): one for one in _codes(mutated)}
    changed = {place for place, one in after.items() if place in before and one != before[place]}
    tops = [place for place in changed if "<locals>" not in place[0]]
    path = str(ROOT / mutant.file)
    done = 0
    functions = [one for one in gc.get_objects() if isinstance(one, FunctionType) and one.__code__.co_filename == path]
    for function in functions:
        if _place(function.__code__) in tops:
            try:
                function.__code__ = after[_place(function.__code__)]
            except ValueError:  # other free variables
                return False
            done += 1
    for cached in [one for one in gc.get_objects() if isinstance(one, functools._lru_cache_wrapper)]:
        cached.cache_clear()
    return bool(done) and bool(tops)


def _anew(mutant: Mutant, mutated: CodeType) -> None:
    """Forget the project and import it again with the mutated module in it."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("controller", "sim", "tests") and name != "tests.mutation"]:
        del sys.modules[name]
    name = mutant.file.removesuffix(".py").replace("/", ".")
    sys.meta_path.insert(0, _Importer(name, ROOT / mutant.file, mutated))


def _try(
    mutant: Mutant, tests: Sequence[str], known_s: dict[str, float], limit_s: float, functions: bool = False, anew: bool = False
) -> str:
    """Return what became of the mutant, tried in a fork; with ``functions`` one at module level is left out.

    Code that had run when the project was imported is not run again by a change in place: ``anew`` imports the project again in any case.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            path = str(ROOT / mutant.file)
            original = compile(ast.parse(Path(path).read_text("utf-8")), path, "exec")
            mutated = compile(mutant.tree, path, "exec")
            inside = not anew and _put_in(mutant, original, mutated)
            if not inside and not functions:
                _anew(mutant, mutated)
            code = min(_pytest(tests, _Session(known_s)), 1) if inside or not functions else _MODULE_LEVEL
        finally:
            os._exit(code)
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return {0: SURVIVED, _MODULE_LEVEL: LEFT_OUT}.get(os.waitstatus_to_exitcode(status), KILLED)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return TIMEOUT


def _control(file: str) -> Mutant:
    """Return the module with another docstring in each function: nobody may see that, or a fork kills for reasons of its own."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            statement = node.body[0]
            assert isinstance(statement, ast.Expr)
            statement.value = ast.copy_location(ast.Constant("Another docstring."), statement.value)
    return Mutant(file, 1, "", "docstrings", "others", tree)


def excused() -> dict[tuple[str, str, str, str], str]:
    """Return the table of equivalent mutants: key -> reason."""
    entries = tomllib.loads(TABLE.read_text("utf-8")).get("equivalent", [])
    return {(one["file"], one["line"], one["was"], one["now"]): one["reason"] for one in entries}


def stale() -> list[str]:
    """Return the entries of the table that match no mutant."""
    known = {mutant.key for file in {key[0] for key in excused()} for mutant in mutants(file)}
    return [" | ".join(key) for key in excused() if key not in known]


def run(files: Sequence[str], limit: int, functions: bool) -> int:
    """Try the mutants of ``files`` and print what survived; return 0 when all are killed or excused and the table is not stale."""
    reasons, bad = excused(), stale()
    for line in bad:
        sys.stdout.write(f"STALE in {TABLE.name}: {line}\n")
    for file in files:
        tests = [str(ROOT / "tests" / name) for name in SUBJECTS[file] if (ROOT / "tests" / name).exists()]
        first, began_s = _Session(), time.monotonic()
        if _pytest(tests, first) != 0:
            sys.stdout.write(f"{file}: its tests fail without a mutant\n")
            bad.append(file)
            continue
        quick_s = sum(took_s for took_s in first.took_s.values() if took_s <= SLOW_S)
        limit_s = 15.0 + 5.0 * quick_s
        if (control := _try(_control(file), tests, first.took_s, limit_s)) != SURVIVED:
            sys.stdout.write(f"{file}: its tests fail in a fork without a mutant ({control})\n")
            bad.append(file)
            continue
        results = dict.fromkeys((KILLED, SURVIVED, TIMEOUT, EXCUSED, LEFT_OUT), 0)
        for mutant in list(mutants(file))[: limit or None]:
            if mutant.key in reasons:
                results[EXCUSED] += 1
                continue
            found = _try(mutant, tests, first.took_s, limit_s, functions)
            if found == SURVIVED:
                found = _try(mutant, tests, first.took_s, limit_s, anew=True)
            results[found] += 1
            if found == SURVIVED:
                bad.append(str(mutant.key))
                sys.stdout.write(f"  SURVIVED {file}:{mutant.line}: {mutant.was}  ->  {mutant.now}\n")
                sys.stdout.flush()
        told = ", ".join(f"{count} {name}" for name, count in results.items())
        sys.stdout.write(f"{file}: {told}; quick tests {quick_s:.1f} s; {time.monotonic() - began_s:.0f} s\n")
        sys.stdout.flush()
    return 1 if bad else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], help="part of a file's name; may be given several times")
    parser.add_argument("--limit", type=int, default=0, help="try so many mutants of each file only")
    parser.add_argument("--functions", action="store_true", help="leave out what is at module level: quicker, not the whole proof")
    asked = parser.parse_args()
    chosen = [file for file in SUBJECTS if not asked.only or any(part in file for part in asked.only)]
    sys.exit(run(chosen, asked.limit, asked.functions))
