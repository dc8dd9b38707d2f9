"""Documents made from the one table behind each; a test fails when the stored ones are stale."""

import json
from collections.abc import Callable, Iterator
from typing import Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from controller.config import Config
from controller.documents.acceptance import acceptance_test
from controller.documents.alarms import alarm_list
from controller.documents.effects import cause_and_effect
from controller.documents.laboratory import laboratory_file
from controller.documents.opcua import opcua_server
from controller.documents.states import state_diagram
from controller.image import SIGNALS
from controller.interlocks.limits import Limits
from controller.interlocks.rule import Reset
from controller.interlocks.table import RULES
from controller.recipe.printing import reference as recipe_reference
from controller.recipe.recovery_table import recovery_table


def io_list() -> str:
    """Return every signal as a Markdown table."""
    rows = [
        f"| {tag.name} | `{field}` | {tag.unit or '-'} | {_range(tag.low, tag.high)} | {tag.stale_s:g} s | {tag.text} |"
        for field, tag in SIGNALS.items()
    ]
    return _table(("tag", "name", "unit", "range", "stale after", "meaning"), rows)


def interlock_matrix() -> str:
    """Return every row of the interlock table as a Markdown table, with the default delays."""
    limits = Limits()
    rows = []
    for rule in RULES:
        delay = rule.delay_s(limits) if callable(rule.delay_s) else rule.delay_s
        effects = " + ".join(str(effect.name) for effect in rule.effect)
        bad = "as if true" if rule.on_bad else "ignored"
        reset = {Reset.AUTO: "by itself", Reset.OPERATOR: "acknowledge", Reset.MANUAL: "RESET"}[rule.reset]
        rows.append(f"| {rule.id}{' HW' if rule.hard_wired else ''} | {rule.text} | {delay:g} s | {effects} | {reset} | {bad} |")
    return _table(("rule", "cause", "delay", "effect", "clears", "with a bad input"), rows)


def _table(header: tuple[str, ...], rows: list[str]) -> str:
    return "\n".join([f"| {' | '.join(header)} |", "|" + "---|" * len(header), *rows]) + "\n"


def _range(low: float, high: float) -> str:
    return "0/1" if (low, high) == (0, 1) else f"{low:g} to {high:g}"


DEPLOYED: Final[dict[str, object]] = {  # what a site's file sets differently from the embedded defaults
    "core.journal": "/var/lib/ovenctl/journal.sqlite",
    "core.mailbox": "/var/lib/ovenctl/mailbox/mailbox.sqlite",
    "plc.modbus.host": "192.0.2.10",
    "plc.modbus.port": 502,
    "plc.opcua.url": "opc.tcp://192.0.2.10:4840",
    "gateway.state_dir": "/var/lib/ovenctl-gateway",
}


def config_file() -> str:
    """Return ``controller.toml`` with every key, its default, its range and what it is for."""
    head = (
        "# Configuration of one oven. Every key is shown with its default; what is left out takes it. Relative paths start at this file.\n"
        "# A wrong key, type or value is refused at the start with file, key, value and what is allowed. "
        "`ovenctl print config` prints this file.\n"
    )
    return head + "".join(_section(Config(), ""))


def _section(model: BaseModel, prefix: str) -> Iterator[str]:
    fields = type(model).model_fields
    below = {name: value for name in fields if isinstance(value := getattr(model, name), BaseModel)}
    if prefix and len(below) < len(fields):
        text = (type(model).__doc__ or "").strip().splitlines()[0]
        yield f"\n# {text}\n[{prefix[:-1]}]\n"
    for name, field in fields.items():
        if name not in below:
            yield _line(prefix + name, getattr(model, name), field)
    for name, value in below.items():
        yield from _section(value, f"{prefix}{name}.")


def _line(key: str, default: object, field: FieldInfo) -> str:
    value = DEPLOYED.get(key, default)
    bounds = {type(bound).__name__.lower(): getattr(bound, type(bound).__name__.lower(), None) for bound in field.metadata}
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    allowed = f" ({low:g} to {high:g})" if isinstance(low, int | float) and isinstance(high, int | float) else ""
    comment = f"  # {field.description or ''}{allowed}" if field.description or allowed else ""
    name = key.rsplit(".", 1)[-1]
    return f"# {name} = …{comment}\n" if value is None else f"{name} = {json.dumps(value)}{comment}\n"


DOCUMENTS: Final[dict[str, tuple[str, Callable[[], str]]]] = {  # what is printed -> its file in deploy, and what makes it
    "io": ("IO-LIST.md", io_list),
    "matrix": ("INTERLOCKS.md", interlock_matrix),
    "effects": ("CAUSE-EFFECT.md", cause_and_effect),
    "alarms": ("ALARMS.md", alarm_list),
    "states": ("STATES.md", state_diagram),
    "fat": ("FAT.md", acceptance_test),
    "recovery": ("RECOVERY.md", recovery_table),
    "recipe": ("RECIPES.md", recipe_reference),
    "lab": ("LAB.md", laboratory_file),
    "opcua": ("OPCUA.md", opcua_server),
    "config": ("controller.toml", config_file),
}
