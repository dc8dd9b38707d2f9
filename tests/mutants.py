"""The mutants of a module: what is changed, one place each, and the table of those that nobody can tell from the original.

A comparison, a boundary, and/or, a negation, an operator, one effect of a row, a reset, a constant by one, a returned value, a negated
condition, a deleted statement.
"""

import ast
import tomllib
from collections.abc import Iterator
from copy import copy
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
TABLE: Final = Path(__file__).with_name("mutants.toml")
_COMPARED: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
_OPERATED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.BitAnd: ast.BitOr, ast.Mod: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.BitXor: ast.BitAnd,
}  # fmt: skip
_RESETS: Final = {"AUTO": "OPERATOR", "OPERATOR": "MANUAL", "MANUAL": "AUTO"}  # of a row of the interlock table
_NESTS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
Change = tuple[str, ast.AST]  # what the place reads now, and the node that stands there


class Mutant(NamedTuple):
    """One changed place: what it was and is, and where it is found again."""

    file: str
    line: int
    text: str  # the source line, stripped
    was: str
    now: str
    place: int  # in the order of ``ast.walk``
    variant: int
    lines: range | None  # of the statement inside its function; None at module level, which runs when it is imported

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return what a table entry names: file, line text, was, now."""
        return self.file, self.text, self.was, self.now

    def tree(self) -> ast.Module:
        """Return the changed module."""
        tree = ast.parse((ROOT / self.file).read_text("utf-8"))
        node = next(islice(ast.walk(tree), self.place, None))
        _, new = next(islice(_changes(node), self.variant, None))
        _replace(tree, node, new)
        return ast.fix_missing_locations(tree)


def mutants(file: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order in which ``ast.walk`` comes to it."""
    source = (ROOT / file).read_text("utf-8")
    lines, tree = source.splitlines(), ast.parse(source)
    aside, within = _left_alone(tree), _within(tree)
    for place, node in enumerate(ast.walk(tree)):
        if not isinstance(node, ast.expr | ast.stmt) or id(node) in aside:
            continue
        was = ""
        for variant, (now, _) in enumerate(_changes(node)):
            was = was or ast.unparse(node).splitlines()[0]
            yield Mutant(file, node.lineno, lines[node.lineno - 1].strip(), was, now, place, variant, within.get(id(node)))


def excused() -> dict[tuple[str, str, str, str], str]:
    """Return the table of equivalent mutants: key -> reason."""
    entries = tomllib.loads(TABLE.read_text("utf-8")).get("equivalent", [])
    return {(one["file"], one["line"], one["was"], one["now"]): one["reason"] for one in entries}


def stale() -> list[str]:
    """Return the entries of the table that match no mutant."""
    known = {mutant.key for file in {key[0] for key in excused()} for mutant in mutants(file)}
    return [" | ".join(key) for key in excused() if key not in known]


def _within(tree: ast.Module) -> dict[int, range]:
    """Return for each node inside a function the lines of the innermost statement, or lambda, that runs with it."""
    found: dict[int, range] = {}

    def walk(node: ast.AST, inside: range | None) -> None:
        if inside is not None:
            found[id(node)] = inside
        for name, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if not isinstance(child, ast.AST):
                    continue
                within = inside
                if (isinstance(node, _NESTS) and name == "body") or (inside is not None and isinstance(child, ast.stmt)):
                    within = _lines(child)
                walk(child, within)

    walk(tree, None)
    return found


def _lines(node: ast.AST) -> range:
    """Return the lines on which a node begins to run: of a compound statement those of its head."""
    assert isinstance(node, ast.expr | ast.stmt)
    body = getattr(node, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno or node.lineno
    return range(node.lineno, max(last, node.lineno) + 1)


def _left_alone(tree: ast.Module) -> set[int]:
    """Return the nodes that say nothing at run time, or only to people: annotations, docstrings, checks of shape, imports."""
    found: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.FunctionDef):
            parts = [node.returns, *(arg.annotation for arg in (*node.args.args, *node.args.kwonlyargs))]
        elif isinstance(node, ast.Expr | ast.BinOp) and _says_nothing(node):
            parts = [node]
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("Annotated", "Struct", "dataclass", "lru_cache", "zip")
        ):
            parts = [keyword.value for keyword in node.keywords]
        for part in parts:
            if part is not None:
                found.update(id(one) for one in ast.walk(part))
    return found


def _says_nothing(node: ast.Expr | ast.BinOp) -> bool:
    """Return whether it is a docstring, or a type that may be None."""
    part = node.value if isinstance(node, ast.Expr) else node.right
    return isinstance(part, ast.Constant) and (isinstance(node, ast.Expr) or part.value is None)


def _changes(node: ast.AST) -> Iterator[Change]:
    """Yield what may stand in a node's place."""
    if isinstance(node, ast.Compare):
        yield from _compared(node)
    elif isinstance(node, ast.BoolOp):
        yield _like(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):  # one effect less
        yield ast.unparse(node.left), node.left
        yield ast.unparse(node.right), node.right
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATED:
        yield _like(node, op=_OPERATED[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield ast.unparse(node.operand), node.operand
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in _RESETS:
        yield _like(node, id=_RESETS[node.id])
    elif isinstance(node, ast.If | ast.IfExp | ast.While) and isinstance(node.test, ast.Name | ast.Attribute | ast.Call):
        yield f"condition negated: not {ast.unparse(node.test)}", _like(node, test=ast.UnaryOp(ast.Not(), node.test))[1]
    elif isinstance(node, ast.Return):
        yield from _returned(node)
    elif isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.Raise | ast.Continue):
        yield "deleted", ast.copy_location(ast.Pass(), node)


def _like(node: ast.AST, **changed: object) -> Change:
    new = copy(node)
    for name, value in changed.items():
        setattr(new, name, value)
    return ast.unparse(ast.fix_missing_locations(new)).splitlines()[0], new


def _compared(node: ast.Compare) -> Iterator[Change]:
    for at, op in enumerate(node.ops):
        for new in _COMPARED[type(op)]:
            yield _like(node, ops=[*node.ops[:at], new(), *node.ops[at + 1 :]])


def _constants(node: ast.Constant) -> Iterator[Change]:
    if isinstance(node.value, bool):
        yield _like(node, value=not node.value)
    elif isinstance(node.value, int | float):
        yield _like(node, value=node.value + 1)
        yield _like(node, value=node.value - 1)


def _returned(node: ast.Return) -> Iterator[Change]:
    if node.value is None or (isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool | None)):
        return
    for value in (None, True, False) if isinstance(node.value, ast.Compare | ast.BoolOp | ast.UnaryOp) else (None,):
        yield _like(node, value=ast.copy_location(ast.Constant(value), node.value))


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                return
            if isinstance(value, list) and any(one is old for one in value):
                setattr(parent, name, [new if one is old else one for one in value])
                return
