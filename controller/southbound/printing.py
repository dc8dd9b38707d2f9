"""Prints the contract's tables into deploy/PLC-CONTRACT.md, between the marks that name them."""

import re
import struct
from collections.abc import Callable, Sequence
from enum import IntEnum, IntFlag
from typing import Final

from controller import block
from controller.block import LAYOUT, Bits, HeatBlock, PlcState, Reason
from controller.image import SIGNALS

_TYPES: Final = {"H": "u16", "I": "u32", "f": "f32"}
_BITS_TEXT: Final[dict[IntFlag, str]] = {
    Bits.HEAT_ENABLE: "heat wanted; after a start, a trip or a stop a rising edge is needed (rule 3)",
    Bits.PURGE_PERMISSION: "the atmosphere is proven in the controller's view; needed with the rising edge of HEAT_ENABLE",
    Bits.RESET: "acknowledge a latched trip; acts on the rising edge only",
    Bits.DIRECT_OUTPUT: "apply zone outputs instead of closing the loops on zone set points",
    Bits.PUMP: "backing pump",
    Bits.ROOTS: "Roots pump",
    Bits.VAC_VALVE: "vacuum valve",
    Bits.N2_VALVE: "N2 inlet valve",
    Bits.VENT_VALVE: "air vent valve",
    Bits.EXHAUST_VALVE: "exhaust valve",
    Bits.EXHAUST_FAN: "exhaust fan",
    Bits.CIRCULATION: "circulation fan",
    Bits.CONDENSER: "condenser chiller",
    Bits.DOOR_RELEASE: "door may be unlocked, if the PLC's own conditions hold",
}
_REASON_TEXT: Final[dict[IntEnum, str]] = {
    Reason.OK: "accepted",
    Reason.BAD_MAGIC: f"first word is not 0x{block.MAGIC:04X}",
    Reason.BAD_MAP: "another map version",
    Reason.BAD_CRC: "CRC does not match, or the block is not whole",
    Reason.BAD_COMPLEMENT: "complement of the counter does not match",
    Reason.COUNTER_NOT_ADVANCED: "same epoch, counter not larger than the last accepted one",
    Reason.EPOCH_OLDER: "epoch smaller than the last accepted one",
    Reason.LEASE_HELD: "another master holds the lease",
    Reason.STALE_SOURCE: "the image the command was computed from is too old",
    Reason.NO_BATCH: "mode RUN, or HOLD with heat, without batch number or recipe hash",
    Reason.LOCAL: "local/remote switch in local",
    Reason.BAD_VALUE: "unknown mode, or a number that is NaN or infinite",
}
_STATE_TEXT: Final[dict[IntEnum, str]] = {
    PlcState.BOOT_SAFE: "after power-on, until the first valid block: heat off, inerting as the PLC's own logic wants it",
    PlcState.IDLE: "follows blocks of mode OFF",
    PlcState.FOLLOWING: "follows blocks",
    PlcState.WATCHDOG_SAFE: "no valid block for T_wd: heat off, inerting, exhaust, condenser and circulation kept",
    PlcState.COOLDOWN: "T_hold later: controlled cool-down in N2 or vacuum",
    PlcState.TRIPPED: "its own limits or the hard-wired chain acted; latched",
    PlcState.LOCAL: "local/remote switch in local: nobody's blocks are followed",
}
_HEAT_TEXT: Final[dict[IntFlag, str]] = {
    HeatBlock.LEASE: "no live lease",
    HeatBlock.ATMOSPHERE: "atmosphere not proven",
    HeatBlock.EXHAUST: "exhaust not running",
    HeatBlock.CIRCULATION: "circulation not running",
    HeatBlock.DOOR: "door not closed and locked",
    HeatBlock.CHAIN: "hard-wired chain open",
    HeatBlock.OVERTEMP: "excess-temperature limiter",
    HeatBlock.TRIP: "a trip is latched, or no RESET edge since start, trip, ABORT, local operation or watchdog stop",
    HeatBlock.PURGE: "no purge proven since power-on or trip",
    HeatBlock.SENSORS: "fewer than two valid control thermocouples in a zone",
    HeatBlock.MODE: "mode does not heat, or HEAT_ENABLE must first go low",
}
_CONTRACT_SIGNALS: Final = tuple(name for name in SIGNALS if name.startswith(("plc_", "echo_")))


def block_table() -> str:
    """Return the command block, one row per entry with its register offset."""
    rows, at = [], 0
    for name, code, text in LAYOUT:
        width = struct.calcsize(f">{code}") // 2
        offset = str(at) if width == 1 else f"{at}-{at + width - 1}"
        rows.append((offset, f"`{name}`", _TYPES[code], text))
        at += width
    return _table(("register", "name", "type", "meaning"), rows) + f"\n\n{at} registers in all."


def signal_table() -> str:
    """Return the signals of the image that belong to the contract."""
    rows = [(f"`{name}`", SIGNALS[name].name, SIGNALS[name].text) for name in _CONTRACT_SIGNALS]
    return _table(("signal", "tag", "meaning"), rows)


def _flags(kind: type[IntFlag], texts: dict[IntFlag, str]) -> str:
    rows = [(str(flag.bit_length() - 1), f"0x{flag:04X}", f"`{flag.name}`", texts[flag]) for flag in kind]
    return _table(("bit", "mask", "name", "meaning"), rows)


def _codes(kind: type[IntEnum], texts: dict[IntEnum, str]) -> str:
    return _table(("code", "name", "meaning"), [(str(int(code)), f"`{code.name}`", texts[code]) for code in kind])


TABLES: Final[dict[str, Callable[[], str]]] = {
    "block": block_table,
    "bits": lambda: _flags(Bits, _BITS_TEXT),
    "reasons": lambda: _codes(Reason, _REASON_TEXT),
    "states": lambda: _codes(PlcState, _STATE_TEXT),
    "heat": lambda: _flags(HeatBlock, _HEAT_TEXT),
    "signals": signal_table,
}


def renewed(document: str) -> str:
    """Return ``document`` with every table between ``<!-- table NAME -->`` and ``<!-- end -->`` printed anew.

    Raises:
        KeyError: a mark names no table.
    """

    def table(found: re.Match[str]) -> str:
        return f"<!-- table {found[1]} -->\n{TABLES[found[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- table (\w+) -->\n.*?<!-- end -->", table, document, flags=re.DOTALL)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
