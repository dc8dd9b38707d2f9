"""The reference of the recipe format, made from the classes that read it."""

from collections.abc import Iterator
from inspect import get_annotations
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from controller.equipment import Strict
from controller.recipe.conduct import PhaseBase, PowerFail, ThermalPhase
from controller.recipe.model import Call, Endpoint, LoadLimits, Phase, Repeat
from controller.recipe.pausing import TAGS, is_contact
from controller.units import SUFFIX_OF_UNIT

_HIDDEN: Final = ("kind", "at", "turn")
_UNIT_OF_SUFFIX: Final = {suffix: unit for unit, suffix in reversed(SUFFIX_OF_UNIT.items())} | {
    "_mbar_h": "mbar/h", "_mbar_min": "mbar/min", "_o2_pct": "vol%", "_ppm": "ppm",
}  # fmt: skip
_HEAD: Final = """# Recipes: every phase and every key

Made by `ovenctl print recipe`; a test keeps it fresh. A recipe is a TOML file; `ovenctl recipe check` says what is wrong with one, key by
key. A key without a default must be given. `"=name"` in place of a number takes it from `[formula.name]`, whose unit must be the key's.

**Order.** On every way through the recipe: LEAK_TEST and CYCLE_PURGE before heat in vacuum, CYCLE_PURGE or PURGE_FLOW before heat in N2,
COOL after heat, VENT after COOL, END once and last. A BRANCH leads forward only, and only on a result that every way to it has.
A leak test with `on_fail = "CONTINUE"` is a proof only behind a BRANCH on LEAK_TEST that leads no-go elsewhere.

**Phases of phases.** REPEAT holds its own as `[[phase.phase]]`, two deep at most; CALL takes them from a file in the folder `parts` beside
the recipe. Reading a recipe writes every turn and every called phase out, at most 200 in all; the hash is made over that, and the text in
the batch record holds the called recipes too.

**Numbers of phases** count from 1. A message about a recipe names its phases as they stand in the file ("phase 3, phase 1 (SOAK)" is the
first of a REPEAT); status, batch record, SKIP, BACK and EDIT name those that run, every turn written out: `ovenctl recipe show` lists them.

**Set point after a limit.** `on_timeout` and `on_holdback`: HOLD raises I12 or I26, and RESTART gives the phase its time again; STOP cools
down; ABORT opens the contactor; CONTINUE goes to the next phase. A phase that proves the atmosphere cannot CONTINUE.
"""


def reference() -> str:
    """Return the reference as Markdown."""
    kinds = [*get_args(get_args(Phase)[0]), Repeat, Call]
    parts = [_HEAD, section("Every phase but BRANCH, END, REPEAT and CALL", "", PhaseBase, ())]
    parts.append(section("Every phase with an atmosphere", ThermalPhase.__doc__ or "", ThermalPhase, tuple(PhaseBase.model_fields)))
    for kind in kinds:
        common = tuple(ThermalPhase.model_fields) if issubclass(kind, ThermalPhase) else tuple(PhaseBase.model_fields)
        own = () if not issubclass(kind, PhaseBase) else common
        parts.append(section(get_args(kind.model_fields["kind"].annotation)[0], kind.__doc__ or "", kind, own))
    for title, table in (("[power_fail]", PowerFail), ("[endpoint]", Endpoint), ("[load]", LoadLimits)):
        parts.append(section(title, table.__doc__ or "", table, ()))
    parts.append("\n## What a WAIT may look at\n\n| tag | unit | meaning |\n|---|---|---|\n")
    parts += [f"| `{tag}` | {'true/false' if is_contact(tag) else looked.unit} | {looked.text} |\n" for tag, looked in TAGS.items()]
    return "".join(parts)


def section(title: str, text: str, model: type[Strict], without: tuple[str, ...]) -> str:
    """Return a table of the keys of ``model``, but those of ``without``, under a heading."""
    said = " ".join(text.split())
    rows = list(_rows(model, without))
    table = "\n| key | unit | allowed | default | meaning |\n|---|---|---|---|---|\n" + "".join(rows) if rows else ""
    return f"\n## {title}\n{f'{chr(10)}{said}{chr(10)}' if said else ''}{table}"


def _rows(model: type[Strict], without: tuple[str, ...]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if name in _HIDDEN or (name in without and not _changed(model, name)):
            continue
        default = "" if field.is_required() else f"`{_shown(_default(field))}`"
        yield f"| `{name}` | {_unit(name)} | {allowed(field)} | {default} | {field.description or ''} |\n"


def _changed(model: type[Strict], name: str) -> bool:
    """Return whether ``model`` allows something else for a key than the class that it has it from."""
    bases = [base for base in model.__mro__ if issubclass(base, ThermalPhase) and base is not ThermalPhase]
    return any(name in get_annotations(base) for base in bases)


def _default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True, validated_data={})
    return "" if value is PydanticUndefined else value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or value in ("", (), {}):
        return "-"
    return f"{value:g}" if isinstance(value, float | int) else str(value)


def _unit(name: str) -> str:
    suffix = max((suffix for suffix in _UNIT_OF_SUFFIX if name.endswith(suffix)), key=len, default="")
    return _UNIT_OF_SUFFIX.get(suffix, "")


def allowed(field: FieldInfo) -> str:
    """Return what a key may hold, in words."""
    ranges = list(_ranges(field.annotation, tuple(field.metadata)))
    return ", ".join(dict.fromkeys(ranges))


def _ranges(annotation: Any, metadata: tuple[Any, ...]) -> Iterator[str]:
    """Yield what an annotation allows, in words."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        yield from _ranges(
            inner, (*metadata, *(item for found in more for item in (found.metadata if isinstance(found, FieldInfo) else [found])))
        )
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _ranges(part, metadata)
    elif origin is Literal:
        yield from (", ".join(words) for words in [[value for value in get_args(annotation) if value]] if words)
    elif annotation in (float, int):
        yield _range(annotation, metadata)
    elif annotation is bool:
        yield "true, false"
    elif annotation is str:
        yield "text"
    elif origin is tuple:
        yield "list of texts" if str in _parts(annotation) else "list"
    elif origin is dict:
        yield "table of texts and numbers" if str in _parts(get_args(annotation)[1]) else "table of numbers"
    elif annotation is not NoneType:
        yield "table"


def _parts(annotation: Any) -> set[Any]:
    """Return ``annotation`` and everything that it is made of."""
    return {annotation if isinstance(annotation, type) else None}.union(*(_parts(part) for part in get_args(annotation)))


def _range(number: type, metadata: tuple[Any, ...]) -> str:
    low = next((item.gt if isinstance(item, Gt) else item.ge for item in metadata if isinstance(item, Gt | Ge)), None)
    high = next((item.lt if isinstance(item, Lt) else item.le for item in metadata if isinstance(item, Lt | Le)), None)
    if low is None and high is None:
        return "number"
    if low is not None and high is None:
        return f"from {low:g}"
    above = "above " if any(isinstance(item, Gt) for item in metadata) else ""
    return f"{above}{low:g} to {high:g}" + (", whole" if number is int else "")
