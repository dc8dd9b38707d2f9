"""The unit's state diagram, drawn from its table."""

from collections import defaultdict

from controller.documents.markdown import table
from controller.recipe.states import FINAL, TABLE, Trigger, UnitState, allowed

_HEAD = """\
# States of the unit

Made by `ovenctl print states` from controller/recipe/states.py; a test keeps it fresh. The states are those of ISA-88. Nothing changes
state but through this table. DONE: the state's own work is finished. POWER: the core came back after an outage. In one scan ABORT goes
before STOP, STOP before HOLD, and these before everything else; interlocks abort and hold through the same table. START needs a proof
test and is refused while a row that would abort or hold the batch, or that forbids a start, stands or is latched; the answer says what
to do.

"""


def state_diagram() -> str:
    """Return ``deploy/STATES.md``: the diagram as Mermaid text and the same as a table."""
    triggers: dict[tuple[UnitState, UnitState], list[str]] = defaultdict(list)
    for (source, trigger), target in TABLE.items():
        triggers[source, target].append(trigger.value)
    lines = ["stateDiagram-v2", "    [*] --> IDLE"]
    lines += [f"    {source.name} --> {target.name}: {', '.join(names)}" for (source, target), names in sorted(triggers.items())]
    drawn = "```mermaid\n" + "\n".join(lines) + "\n```\n\n"
    rows = [(state.name, *(_target(state, trigger) for trigger in Trigger), "yes" if state in FINAL else "") for state in UnitState]
    asked = [(state.name, ", ".join(allowed(state))) for state in UnitState]
    return (
        _HEAD + drawn + table(("from", *(trigger.value for trigger in Trigger), "final"), rows)
        + "\nWhat a person may ask for in each state, besides what does not move the unit:\n\n" + table(("state", "verbs"), asked)
    )  # fmt: skip


def _target(state: UnitState, trigger: Trigger) -> str:
    target = TABLE.get((state, trigger))
    return "" if target is None else target.name
