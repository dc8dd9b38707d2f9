"""The cause-and-effect sheet: every row of the interlock table against everything a row can do."""

from controller.documents.markdown import table
from controller.documents.words import RESETS, delay_s, name_of
from controller.interlocks.rule import Effect
from controller.interlocks.table import RULES

_HEAD = """\
# Cause and effect

Made by `ovenctl print effects` from controller/interlocks/table.py; a test keeps it fresh. X: the row has this effect while it is
active. HW: hard-wired in the oven, read back here. Rows stand in order of precedence: of two that come in the same scan the upper one
is first-out. Delays are the defaults. A row with ABORT, HOLD or NO START refuses START while it stands or is latched. Suppression,
shelving and acknowledging of alarms change nothing on this sheet.

"""


def cause_and_effect() -> str:
    """Return ``deploy/CAUSE-EFFECT.md``."""
    columns = sorted(Effect, key=int, reverse=True)
    rows = [
        (name_of(rule), rule.text, f"{delay_s(rule):g} s", *("X" if rule.effect & effect else "" for effect in columns), RESETS[rule.reset])
        for rule in RULES
    ]
    total = ("", f"{len(RULES)} rows", "", *(str(sum(bool(rule.effect & effect) for rule in RULES)) for effect in columns), "")
    header = ("row", "cause", "delay", *(str(effect.name).replace("_", " ") for effect in columns), "goes away")
    return _HEAD + table(header, [*rows, total])
