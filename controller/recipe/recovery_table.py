"""The recovery table as a document: what happens after an outage, by who was away, for how long, and in which phase."""

from collections.abc import Sequence

from controller.recipe.conduct import PowerFail
from controller.recipe.recovery import BY, BY_KIND, HOW, LENGTHS, RULE_AS_ASKED, RULE_HELD_BY, RULES, STRATEGIES


def recovery_table() -> str:
    """Return the strategies, the rules that decide, and the table of phases as Markdown."""
    default = PowerFail()
    by_length = {"T1-": default.short, "T1+": default.medium, "T2+": default.long}
    lengths = [(name, text, by_length[name]) for name, text in LENGTHS.items()]
    rules = [(rule.id, rule.text, rule.plan or "as asked") for rule in RULES]
    rules += [(*RULE_AS_ASKED, "as asked"), (*RULE_HELD_BY, "HOLD")]
    return "\n".join([
        _table(("strategy", "what it does"), list(STRATEGIES.items())),
        _table(("length", "outage", "default of the recipe"), lengths),
        _table(("rule, the first that applies decides", "when", "what is done"), rules),
        _table(("going on", "means"), list(HOW.items())),
        _table(("phase", f"going on, whoever was away ({', '.join(BY.values())})"), list(BY_KIND.items())),
    ])  # fmt: skip


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    return "\n".join([f"| {' | '.join(header)} |", "|" + "---|" * len(header), *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"
