"""The bypasses that stand, read from the journal, for every place where the unit's state is shown."""

from controller.interlocks.bypass import Bypass
from controller.journal.reader import JournalReader


def standing(reader: JournalReader) -> tuple[Bypass, ...]:
    """Return the bypasses that have begun and not ended, oldest first."""
    found: dict[str, Bypass] = {}
    for stored in reader.between(1, reader.last_seq(), ("bypass",)):
        said = stored.fields()
        rule = str(said.get("rule", ""))
        found.pop(rule, None)
        if said.get("event") == "begin":
            found[rule] = Bypass(rule, str(said["user"]), str(said["reason"]), float(said["from_s"]), float(said["until_s"]))
    return tuple(found.values())
