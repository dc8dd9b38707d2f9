"""Putting a mutant into a loaded program: functions get their new code in place, everything else is imported anew."""

import ast
import functools
import gc
import importlib.abc
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from tests.mutants import ROOT


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
    """Return where the code stands: of several lambdas of one line, by the column of their bodies."""
    body = min((line, column) for line, _, column, _ in code.co_positions() if line and column) if code.co_name == "<lambda>" else None
    return code.co_qualname, code.co_firstlineno, body


def _own(code: CodeType) -> tuple[Any, ...]:
    return code.co_code, code.co_names, code.co_varnames, tuple(repr(one) for one in code.co_consts if not isinstance(one, CodeType))


class Module:
    """A loaded module with its functions, so that a fork can give them other code at once."""

    def __init__(self, file: str) -> None:
        path = str(ROOT / file)
        self.file, self._code = file, compile(ast.parse(Path(path).read_text("utf-8")), path, "exec")
        self._functions: dict[Any, list[FunctionType]] = {}
        objects = gc.get_objects()
        for one in objects:
            if isinstance(one, FunctionType) and one.__code__.co_filename == path:
                self._functions.setdefault(_place(one.__code__), []).append(one)
        self._cached = [one for one in objects if isinstance(one, functools._lru_cache_wrapper)]

    def put_in(self, tree: ast.Module, anew: bool, functions: bool) -> bool:
        """Give the functions that changed their new code, or import anew; False when neither was to be done."""
        mutated = compile(tree, str(ROOT / self.file), "exec")
        if not anew and self._in_place(mutated):
            return True
        if not functions:
            _anew(self.file, mutated)
        return not functions

    def _in_place(self, mutated: CodeType) -> bool:
        if _own(self._code) != _own(mutated):
            return False
        before = {_place(one): one for one in _codes(self._code)}
        changed = {_place(one): one for one in _codes(mutated) if "<locals>" not in one.co_qualname and one != before.get(_place(one))}
        for place in changed.keys() - self._functions.keys():  # the body of a class, of which only a method changed
            if place not in before or _own(before[place]) != _own(changed.pop(place)):
                return False
        if not changed:
            return False
        for place, code in changed.items():
            for function in self._functions[place]:
                try:
                    function.__code__ = code
                except ValueError:  # other free variables
                    return False
        for cached in self._cached:
            cached.cache_clear()
        return True


def _anew(file: str, mutated: CodeType) -> None:
    """Forget the module, all that depends on it and the tests; the next import takes the mutated module."""
    changed = file.removesuffix(".py").replace("/", ".")
    known = {name for name in sys.modules if name.split(".")[0] in ("controller", "sim", "tests")}
    uses = {name: _imports(getattr(sys.modules[name], "__file__", None)) for name in known}
    gone, waiting = {changed} | {name for name in known if name.startswith("tests.") and not name.startswith("tests.mutat")}, [changed]
    while waiting:
        used = waiting.pop()
        users = {name for name in known if used in uses[name]} - gone
        gone |= users
        waiting += users
    for name in gone & known:
        parent, _, leaf = name.rpartition(".")
        vars(sys.modules.get(parent, sys)).pop(leaf, None)
        del sys.modules[name]
    sys.meta_path.insert(0, _Importer(changed, ROOT / file, mutated))


@functools.cache
def _imports(path: str | None) -> frozenset[str]:
    """Return the names of the modules that a file imports; a name taken from a package counts as both."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(Path(path).read_text("utf-8"))) if path else ():
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return frozenset(found)


def read_imports() -> None:
    """Read what every loaded module imports, once, before there are forks that ask for it."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("controller", "sim", "tests")]:
        _imports(getattr(sys.modules[name], "__file__", None))
