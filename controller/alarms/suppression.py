"""Suppression by design: alarms that say nothing new while another one stands. Only the announcement is hidden, never an effect.

Never suppressed: rows that abort, hard-wired rows, and the first-out of a stop, which whoever looks for its cause needs. A suppressed alarm
comes back as soon as the cause of the one above is gone, and is never hidden behind one that is itself shelved or out of service.
"""

from collections.abc import Set
from typing import Final

_SUPERSEDED: Final[dict[str, tuple[str, ...]]] = {  # the same quantity, one step worse
    "I4W": ("I4", "I4S"),
    "I4L": ("I4T",),
    "I4E": ("I4S",),
    "I7W": ("I7",),
    "I9": ("I9T",),
    "I11W": ("I11", "I11T"),
    "I11": ("I11T",),
    "I11M": ("I11S",),
    "I11F": ("I11S",),
    "I15": ("I15T",),
    "I16": ("I16T",),
    "I20W": ("I20",),
    "I21W": ("I21",),
    "I22W": ("I22",),
    "I23W": ("I23",),
    "I25W": ("I25",),
    "I27W": ("I27", "I27T"),
    "I3U": ("I3T",),
    "I8W": ("I8",),
    "I11R": ("I11", "I11T"),
    "I11P": ("I11T",),
    "I12": ("I12T",),
    "I17": ("I17T",),
    "I17B": ("I17T",),
    "I18": ("I18T",),
    "I27": ("I27T",),
}
_CONSEQUENTIAL: Final[dict[str, tuple[str, ...]]] = {  # what must follow when the one above has happened
    "I6": ("I14", "I14S", "C1V"),  # no pump, or no way to it: the pressure rises
    "I12": ("I14", "I14S", "C1V"),
    "I13": ("C1V", "C1N", "C1A", "C1E"),  # a valve that is not where it should be looks like a leak
    "I18": ("I14", "I14S", "I15"),
    "I18T": ("I14", "I14S", "I15"),
    "I18B": ("I14", "I14S"),
    "I11F": ("I11", "I11T", "C1N"),  # no flow without a supply or behind a shut valve
    "I11S": ("I11T", "C1N"),
    "I9": ("I11",),  # no sample flow without N2
    "I25W": ("I1", "I2", "C3"),  # heat is cut off: no zone can follow
    "I25": ("I1", "I2"),
    "I23L": ("I1", "I2", "C3"),
    "C3": ("I1", "I2", "I3T", "I28", "I28L"),  # the PLC refuses heat because of that
    "I28": ("I1", "I2", "I28L"),
    "I28E": ("I27", "I28L"),
    "I31": ("I27", "I27W", "I21L"),
    "I17L": ("I15", "I15T"),
}


def _both() -> dict[str, tuple[str, ...]]:
    rules = dict.fromkeys((*_SUPERSEDED, *_CONSEQUENTIAL))
    together = {rule: tuple(dict.fromkeys((*_SUPERSEDED.get(rule, ()), *_CONSEQUENTIAL.get(rule, ())))) for rule in rules}
    return {rule: by for rule, by in together.items() if by}


SUPPRESSED_BY: Final[dict[str, tuple[str, ...]]] = _both()


def suppressor(rule: str, announced: Set[str]) -> str:
    """Return the alarm that explains ``rule``, of those whose cause stands and that are themselves ``announced``; "" when there is none."""
    return next((one for one in SUPPRESSED_BY.get(rule, ()) if one in announced), "")
