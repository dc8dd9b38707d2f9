"""When each safety device was last proof-tested, and when it is due, read from the journal."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from controller.journal.entry import Stored
from controller.journal.reader import JournalReader
from controller.prooftest.devices import DEVICES, Device

CONTRACT: Final = "plc-contract"  # the test before each batch


class Due(NamedTuple):
    """One device. ``last`` is None when no test is in the journal; then it counts from the journal's first start."""

    device: Device
    interval_d: float
    last: date | None
    result: str  # of the last one: pass, fail or ""
    user: str
    due: date

    def overdue(self, today: date) -> bool:
        """Return whether the device must be tested now."""
        return today > self.due


def schedule(reader: JournalReader, intervals_d: Mapping[str, float]) -> list[Due]:
    """Return all devices in table order; ``intervals_d`` replaces defaults by name. A failed test is due at once, until one passes."""
    first, found = _first_day(reader), _last(reader)
    return [_due(device, intervals_d.get(device.name, device.interval_d), found.get(device.name), first) for device in DEVICES]


def overdue(reader: JournalReader, intervals_d: Mapping[str, float], now_wall_ns: int) -> list[Due]:
    """Return the devices that are overdue today."""
    today = day_of(now_wall_ns)
    return [due for due in schedule(reader, intervals_d) if due.overdue(today)]


def contract_test(reader: JournalReader) -> Stored | None:
    """Return the last test of the PLC contract, passed or not."""
    found = [stored for stored in _all(reader) if stored.fields().get("device") == CONTRACT]
    return found[-1] if found else None


def lines(found: list[Due], contract: Stored | None, today: date) -> Iterator[str]:
    """Yield what a person reads: the test before a batch, then every device."""
    if contract is None:
        yield "before a batch: no proof test in the journal"
    else:
        said = contract.fields()
        yield f"before a batch: {said.get('result')} at {contract.at_s:.0f} s by {said.get('user')} {said.get('why') or ''}".rstrip()
        for check, ok, text in said.get("findings", ()):
            yield f"  {'ok  ' if ok else 'FAIL'} {check}: {text}"
    for due in found:
        last = "never" if due.last is None else f"{due.last} {due.result} by {due.user}"
        mark = "OVERDUE" if due.overdue(today) else ""
        yield f"{due.device.name:16} due {due.due} every {due.interval_d:g} d, last {last:32} {mark:8}{due.device.text}"


def day_of(wall_ns: int) -> date:
    """Return the day (UTC) of a wall-clock time."""
    return datetime.fromtimestamp(wall_ns / 1e9, UTC).date()


def _due(device: Device, interval_d: float, last: Stored | None, first: date) -> Due:
    if last is None:
        return Due(device, interval_d, None, "", "", first + timedelta(days=interval_d))
    fields, tested = last.fields(), _tested(last)
    failed = fields.get("result") != "pass"
    due = tested - timedelta(days=1) if failed else tested + timedelta(days=interval_d)
    return Due(device, interval_d, tested, str(fields.get("result", "")), str(fields.get("user", "")), due)


def _tested(stored: Stored) -> date:
    said = stored.fields().get("date") or ""
    try:
        return min(date.fromisoformat(str(said)), day_of(stored.wall_ns))  # nobody has tested tomorrow
    except ValueError:
        return day_of(stored.wall_ns)


def _last(reader: JournalReader) -> dict[str, Stored]:
    return {str(stored.fields().get("device", "")): stored for stored in _all(reader)}


def _all(reader: JournalReader) -> list[Stored]:
    return list(reader.between(1, reader.last_seq(), ("prooftest",)))


def _first_day(reader: JournalReader) -> date:
    boots = reader.after(0, 1, ("boot",))
    return day_of(boots[0].wall_ns) if boots else date.max - timedelta(days=40000)
