"""The controller's side of the contract with the PLC (deploy/PLC-CONTRACT.md): identity, heartbeat, echo, lease. Pure.

``Memory`` is what the contract remembers; each function takes one and returns the next. Times are process seconds.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from controller import block
from controller.block import Block
from controller.errors import IdentityError
from controller.image import SIGNALS, Inputs, Outputs

ECHO_S: Final = 2.0  # a block that the PLC has not echoed after this long was not followed
QUIET_S: Final = 2.0  # for which another core's echo must stand still before a block of ours may take its lease
STALE_S: Final = SIGNALS["plc_alive"].stale_s  # an image whose alive counter stands still for this long is not used
_REMEMBERED: Final = 256  # blocks of which the echo may still come


class Event(NamedTuple):
    """A change on the wire, for the journal."""

    # connected, lost, rebooted, refused, stale, fresh, echo_lost, echo_back, lease_won, lease_lost, lease_held, watchdog_off; twin: another
    # core with our master number holds the lease, and its blocks are followed; withheld and sending: the proof test keeps the blocks back,
    # and ends it
    name: str
    details: Mapping[str, object]


class LinkState(NamedTuple):
    """What is known of the PLC's end of the wire."""

    connected: bool  # the last request was answered, by the right PLC
    fresh: bool  # its alive counter moves
    echo_ok: bool  # it follows our blocks: none has waited for its echo for more than ECHO_S
    rebooted: bool  # this reading shows another boot than the one before
    refused: str  # why it is not the PLC of the wiring file, "" when it is
    alive_age_s: float  # since the alive counter was seen to move; infinite before the first reading
    lease_ours: bool
    watchdog_on: bool
    written: int  # counter of the last block sent, 0 before
    confirmed: int  # counter of the last block echoed, 0 before


class Written(NamedTuple):
    """A block that was sent and not echoed yet."""

    counter: int
    crc: int
    at_s: float


class Memory(NamedTuple):
    """What the contract remembers between scans."""

    epoch: int
    master: int
    serial: int  # of the PLC that the wiring file describes
    counter: int = 0
    waiting: tuple[Written, ...] = ()  # in the order of sending; the first one tells how long the PLC has not followed
    confirmed: int = 0
    alive: int | None = None
    alive_at_s: float = float("-inf")
    boot_id: int | None = None
    lease: int = 0
    watchdog_on: bool = True
    stale: bool = False
    echo_ok: bool = True
    rebooted: bool = False
    others: tuple[int, int] | None = None  # epoch and counter of the last block of another core, while it holds the lease with our number
    others_at_s: float = 0.0  # since when that stands still
    twin: bool = False  # it has been seen to move: that core lives


def check_identity(inputs: Inputs, serial: int) -> None:
    """Return when the image is that of the PLC with ``serial``.

    Raises:
        IdentityError: another PLC, another map, a shifted map or a swapped word order; the text says what was expected and seen.
    """
    for what, sample, expected in (
        ("signature", inputs.plc_signature, block.SIGNATURE),
        ("map version", inputs.plc_map_version, block.MAP_VERSION),
        ("serial number", inputs.plc_serial, serial),
    ):
        if sample.value != expected:
            shown = f"0x{expected:08X}" if what == "signature" else str(expected)
            seen = "nothing" if sample.value is None else f"0x{sample.value:08X}" if what == "signature" else str(sample.value)
            raise IdentityError(f"PLC {what}: expected {shown}, seen {seen}")


def next_block(memory: Memory, outputs: Outputs, at_s: float) -> tuple[Memory, tuple[int, ...]]:
    """Return the registers of the next block, counted as sent whatever becomes of the request: it may arrive even when nobody says so."""
    counter = (memory.counter + 1) & 0xFFFF_FFFF
    registers = block.encode(Block(memory.epoch, counter, memory.master, memory.alive or 0, outputs))
    waiting = (*memory.waiting, Written(counter, registers[-1], at_s))
    if len(waiting) > _REMEMBERED:
        waiting = (waiting[0], *waiting[2:])
    return memory._replace(counter=counter, waiting=waiting), registers


def seen(memory: Memory, inputs: Inputs, at_s: float) -> tuple[Memory, list[Event]]:
    """Return the memory after an image, decoded at ``at_s``, and what changed.

    Raises:
        IdentityError: it is not the image of our PLC.
    """
    check_identity(inputs, memory.serial)
    events: list[Event] = []
    memory = _heartbeat(memory, inputs, at_s, events)
    memory = _echo(memory, inputs)
    memory = _beside(memory, inputs, at_s, events)
    memory = _lease(memory, inputs, events)
    watchdog_on = inputs.plc_watchdog_s.value is not None and inputs.plc_watchdog_s.value > 0
    if memory.watchdog_on and not watchdog_on:
        events.append(Event("watchdog_off", {"plc_watchdog_s": inputs.plc_watchdog_s.value}))
    memory, changed = judged(memory._replace(watchdog_on=watchdog_on), at_s)
    return memory, events + changed


def judged(memory: Memory, at_s: float) -> tuple[Memory, list[Event]]:
    """Return the memory with what time alone changes: whether the image is fresh and the blocks are followed."""
    stale = memory.alive is not None and at_s - memory.alive_at_s >= STALE_S
    echo_ok = not memory.waiting or at_s - memory.waiting[0].at_s <= ECHO_S
    events = []
    if stale != memory.stale:
        events.append(Event("stale" if stale else "fresh", {"plc_alive": memory.alive, "since_s": memory.alive_at_s}))
    if echo_ok != memory.echo_ok:
        details = {"written": memory.counter, "confirmed": memory.confirmed}
        events.append(Event("echo_back" if echo_ok else "echo_lost", details))
    return memory._replace(stale=stale, echo_ok=echo_ok), events


def may_write(memory: Memory, at_s: float) -> bool:
    """Return whether a block may be sent: no other core with our master number, whose lease it would take, is alive or may be."""
    return memory.others is None or (not memory.twin and at_s - memory.others_at_s >= QUIET_S)


def link_state(memory: Memory, at_s: float, *, connected: bool, refused: str) -> LinkState:
    """Return what is known of the link at ``at_s``."""
    return LinkState(
        connected=connected,
        fresh=memory.alive is not None and not memory.stale,
        echo_ok=memory.echo_ok,
        rebooted=memory.rebooted,
        refused=refused,
        alive_age_s=at_s - memory.alive_at_s,
        lease_ours=memory.lease == memory.master,
        watchdog_on=memory.watchdog_on,
        written=memory.counter,
        confirmed=memory.confirmed,
    )


def _heartbeat(memory: Memory, inputs: Inputs, at_s: float, events: list[Event]) -> Memory:
    boot_id, alive = inputs.plc_boot_id.value, inputs.plc_alive.value
    rebooted = memory.boot_id is not None and boot_id != memory.boot_id
    if rebooted:
        events.append(Event("rebooted", {"from": memory.boot_id, "to": boot_id}))
    if alive is None or (alive == memory.alive and not rebooted):
        return memory._replace(boot_id=boot_id, rebooted=rebooted)
    return memory._replace(boot_id=boot_id, rebooted=rebooted, alive=alive, alive_at_s=at_s)


def _echo(memory: Memory, inputs: Inputs) -> Memory:
    if inputs.echo_epoch.value != memory.epoch:
        return memory
    for place, sent in enumerate(memory.waiting):
        if (sent.counter, sent.crc) == (inputs.echo_counter.value, inputs.echo_crc.value):
            return memory._replace(waiting=memory.waiting[place + 1 :], confirmed=sent.counter)
    return memory


def _beside(memory: Memory, inputs: Inputs, at_s: float, events: list[Event]) -> Memory:
    """Look for another core with our number, and begin above the epoch that the PLC has seen last, which may be of a lost journal.

    The PLC tells two cores apart by their numbers alone: it would follow the one with the larger epoch in the middle of the other's batch.
    Once a block of ours was followed, the lease is ours.
    """
    epoch, counter = inputs.echo_epoch.value, inputs.echo_counter.value
    if memory.confirmed or epoch is None or counter is None:
        return memory
    if inputs.plc_lease.value != memory.master or (epoch == memory.epoch and memory.waiting):
        memory = memory._replace(others=None, twin=False)
    elif memory.others != (epoch, counter):
        moves = memory.others is not None
        if moves and not memory.twin:
            events.append(Event("twin", {"master": memory.master, "epoch": epoch, "counter": counter}))
        memory = memory._replace(others=(epoch, counter), others_at_s=at_s, twin=memory.twin or moves)
    return memory._replace(epoch=epoch + 1) if epoch >= memory.epoch and not memory.waiting else memory


def _lease(memory: Memory, inputs: Inputs, events: list[Event]) -> Memory:
    holder = inputs.plc_lease.value or 0
    if holder == memory.lease:
        return memory
    if holder == memory.master:
        events.append(Event("lease_won", {"master": holder}))
    elif memory.lease == memory.master:
        events.append(Event("lease_lost", {"holder": holder}))
    elif holder:
        events.append(Event("lease_held", {"holder": holder}))
    return memory._replace(lease=holder)
