"""Documents made from the one table behind each; a test fails when the stored ones are stale."""

from controller.image import SIGNALS
from controller.interlocks.limits import Limits
from controller.interlocks.table import RULES, Reset


def io_list() -> str:
    """Return every signal as a Markdown table."""
    rows = [f"| {tag.name} | `{field}` | {tag.unit or '-'} | {_range(tag.low, tag.high)} | {tag.stale_s:g} s | {tag.text} |" for field, tag in SIGNALS.items()]
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
