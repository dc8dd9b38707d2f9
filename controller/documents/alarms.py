"""The alarm list with its rationalisation."""

from collections import Counter

from controller.alarms import statistics
from controller.alarms.rationalisation import TABLE, Rationale
from controller.alarms.states import AlarmSettings, Priority
from controller.alarms.suppression import SUPPRESSED_BY
from controller.documents.markdown import table
from controller.documents.words import RESETS, delay_s, effects_of, name_of
from controller.interlocks.rule import Effect, Rule
from controller.interlocks.table import RULES

_HEAD = """\
# Alarms

Made by `ovenctl print alarms` from controller/interlocks/table.py, controller/alarms/rationalisation.py and
controller/alarms/suppression.py; a test keeps it fresh. The texts are defaults for a 2 m3 batch oven: a site's own review replaces
them. Nothing here changes what a row does to the oven; that stands in CAUSE-EFFECT.md.

* **States** after ISA-18.2: NORMAL, UNACK, ACK, RETURNED_UNACK (gone before anybody saw it), LATCHED_UNACK and LATCHED_ACK (the cause
  is gone, the latch waits for its reset), UNCONFIRMED (gone and seen, and to be confirmed), SHELVED, SUPPRESSED (by design),
  OUT_OF_SERVICE.
* **Confirm**: rows that trip stay in the list until somebody has said, after acknowledging and after the reset, that the cause was found
  and dealt with (`ovenctl alarms confirm`, OPC UA `Confirm`): any operator, with what was found as the reason. It is a record; it
  blocks nothing.
* **Priority** is the urgency of what a person has to do, not the strength of what the oven did by itself. JOURNAL is recorded and
  neither announced nor acknowledged.
* **On-delay** is the row's own delay, **off-delay** keeps an alarm announced until the row has been quiet that long. Deadbands are part
  of the rows. Only rows that stop nothing have an off-delay.
* **Shelving**: any operator, with a reason, {minutes} min at most, {times} times in {window:g} h and per alarm; out of service: an
  engineer, with a reason, until taken back. Rows that abort and hard-wired rows can be neither.
* **Suppressed by**: while the cause of that other alarm stands, this one is not announced, unless it is the first-out.
* **Figures** (`ovenctl alarms stats`): a flood begins with more than {flood} announcements in 10 min and ends with fewer than {over};
  chattering is {chatter} or more of one alarm within a minute; stale is what stands for more than 24 h.

"""


def alarm_list() -> str:
    """Return ``deploy/ALARMS.md``."""
    limits = AlarmSettings()
    head = _HEAD.format(
        minutes=limits.shelve_max_min, times=limits.shelve_times, window=limits.shelve_window_h, flood=statistics.FLOOD_ABOVE,
        over=statistics.FLOOD_OVER_BELOW, chatter=statistics.CHATTER,
    )  # fmt: skip
    return head + _distribution() + "\n" + table(_HEADER, [_row(rule, TABLE[rule.id]) for rule in RULES if rule.id in TABLE])


_HEADER = ("alarm", "condition", "priority", "probable cause", "consequence", "action", "time to respond", "on / off delay", "effect",
           "goes away", "suppressed by", "shelving", "confirm")  # fmt: skip


def _row(rule: Rule, why: Rationale) -> tuple[str, ...]:
    shelving = "no" if rule.effect & Effect.ABORT or rule.hard_wired else "-" if why.priority is Priority.JOURNAL else "yes"
    return (
        name_of(rule), rule.text, why.priority.value, why.cause, why.consequence, why.action,
        f"{why.respond_min:g} min" if why.respond_min else "-", f"{delay_s(rule):g} / {why.off_delay_s:g} s", effects_of(rule),
        RESETS[rule.reset], ", ".join(SUPPRESSED_BY.get(rule.id, ())) or "-", shelving, "yes" if why.confirm else "-",
    )  # fmt: skip


def _distribution() -> str:
    counts = Counter(TABLE[rule.id].priority for rule in RULES if rule.id in TABLE)
    announced = sum(count for priority, count in counts.items() if priority is not Priority.JOURNAL)
    shares = [
        (one.value, str(counts[one]), f"{100 * counts[one] / announced:.0f} %") for one in reversed(Priority) if one is not Priority.JOURNAL
    ]
    return table(("priority", "alarms", "share"), [*shares, (Priority.JOURNAL.value, str(counts[Priority.JOURNAL]), "not announced")])
