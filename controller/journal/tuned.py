"""The last proposals of autotune, from the journal: for a person who copies one into ``controller.toml``."""

from pathlib import Path
from typing import Any

from controller.journal.reader import JournalReader


def last(journal: Path) -> dict[str, Any] | None:
    """Return the last autotune experiment that ended, with its process time ``at_s``; None when there was none.

    Raises:
        JournalError: the journal cannot be read.
    """
    found = None
    with JournalReader(journal) as reader:
        for stored in reader.between(1, reader.last_seq(), ("decision",)):
            fields = stored.fields()
            if fields.get("what") == "autotune" and fields.get("event") != "begun":
                found = {"at_s": stored.at_s, **fields}
    return found


def lines(entry: dict[str, Any] | None) -> list[str]:
    """Return an experiment as lines: what became of it, what was found, and the part of ``controller.toml`` that it proposes."""
    if entry is None:
        return ["no autotune has ended in this journal"]
    head = f"{entry['event']} at {entry['at_s']:.0f} s: {entry['why']}"
    if entry["event"] != "proposed":
        return [head]
    return [
        head,
        f"slope {entry['slope_c_per_s']:.3g} degC/s per unit of output, delay {entry['delay_s']:.0f} s, balance {entry['balance']:.1f}, "
        f"period {entry['period_s']:.0f} s, swing {entry['swing_c']:.2f} degC, ultimate gain {entry['ultimate_gain']:.3g}",
        "Nothing was changed. To use it, copy into controller.toml and restart the core:",
        "",
        str(entry["toml"]),
    ]
