"""The command block: the one thing that is written to the PLC, once per scan, in a single request.

The layout is one table (``LAYOUT``); ``deploy/PLC-CONTRACT.md`` prints it for the PLC programmer. Registers are 16 bit, two-register values
have the high word first. The CRC is CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF) over the bytes of every register before it.
"""

import binascii
import struct
from collections.abc import Callable, Sequence
from enum import IntEnum, IntFlag
from functools import lru_cache
from math import isfinite
from operator import attrgetter
from typing import Final, NamedTuple

from controller.image import Mode, Outputs

MAGIC: Final = 0x4F56
MAP_VERSION: Final = 1
SIGNATURE: Final = 0x4F56_454E


class PlcState(IntEnum):
    """What the PLC is."""

    BOOT_SAFE = 0  # after power-on, until the first valid block
    IDLE = 1  # follows blocks of mode OFF
    FOLLOWING = 2  # follows blocks
    WATCHDOG_SAFE = 3  # no valid block for T_wd: heat off, inerting kept
    COOLDOWN = 4  # T_hold after that: controlled cool-down
    TRIPPED = 5  # its own limits or the hard-wired chain acted
    LOCAL = 6  # local/remote switch in local


STOPPED: Final = frozenset({PlcState.BOOT_SAFE, PlcState.WATCHDOG_SAFE, PlcState.COOLDOWN, PlcState.TRIPPED})  # of itself, without blocks


class Reason(IntEnum):
    """Why the last block was refused; OK when it was not."""

    OK = 0
    BAD_MAGIC = 1
    BAD_MAP = 2
    BAD_CRC = 3
    BAD_COMPLEMENT = 4
    COUNTER_NOT_ADVANCED = 5
    EPOCH_OLDER = 6
    LEASE_HELD = 7
    STALE_SOURCE = 8
    NO_BATCH = 9
    LOCAL = 10
    BAD_VALUE = 11


class HeatBlock(IntFlag):
    """Why the PLC does not permit heat; several may hold at once."""

    LEASE = 1
    ATMOSPHERE = 2
    EXHAUST = 4
    CIRCULATION = 8
    DOOR = 16
    CHAIN = 32
    OVERTEMP = 64
    TRIP = 128
    PURGE = 256
    SENSORS = 512
    MODE = 1024


class Bits(IntFlag):
    """The bits of the command word."""

    HEAT_ENABLE = 1
    PURGE_PERMISSION = 2
    RESET = 4
    DIRECT_OUTPUT = 8
    PUMP = 16
    ROOTS = 32
    VAC_VALVE = 64
    N2_VALVE = 128
    VENT_VALVE = 256
    EXHAUST_VALVE = 512
    EXHAUST_FAN = 1024
    CIRCULATION = 2048
    CONDENSER = 4096
    DOOR_RELEASE = 8192


class Block(NamedTuple):
    """One command block: the outputs of a scan with what proves where they come from."""

    epoch: int  # grows with every start of the core; the PLC refuses an older one
    counter: int  # one more with every scan
    master: int  # who asks for the lease, 1-65535
    source_alive: int  # alive counter of the PLC image that the scan looked at
    outputs: Outputs


# (name, struct code, meaning); the offset follows from the codes.
LAYOUT: Final[tuple[tuple[str, str, str], ...]] = (
    ("magic", "H", f"0x{MAGIC:04X}"),
    ("map_version", "H", "version of this table"),
    ("epoch", "I", "start number of the master; an older one is refused"),
    ("counter", "I", "one more with every complete control scan"),
    ("master", "H", "who asks for the lease"),
    ("mode", "H", "0 OFF, 1 RUN, 2 HOLD, 3 COOL, 4 ABORT"),
    ("source_alive", "I", "alive counter of the PLC image the command was computed from"),
    ("bits", "H", "command bits"),
    ("zone1_sp_c", "f", "zone 1 set point, degC"),
    ("zone2_sp_c", "f", "zone 2 set point, degC"),
    ("zone3_sp_c", "f", "zone 3 set point, degC"),
    ("rate_limit_c_per_min", "f", "largest rise of the zone set points, degC/min"),
    ("zone1_op_pct", "f", "zone 1 output, %: applied when DIRECT_OUTPUT, else the most that the PLC's loop may give"),
    ("zone2_op_pct", "f", "zone 2 output, %: applied when DIRECT_OUTPUT, else the most that the PLC's loop may give"),
    ("zone3_op_pct", "f", "zone 3 output, %: applied when DIRECT_OUTPUT, else the most that the PLC's loop may give"),
    ("vac_throttle_pct", "f", "vacuum throttle opening, %"),
    ("n2_flow_sp_nm3_h", "f", "N2 flow set point, Nm3/h"),
    ("batch_id", "I", "number of the batch, 0 without one"),
    ("recipe_crc", "I", "first 32 bits of the recipe's SHA-256, 0 without one"),
    ("phase_index", "H", "phase of the recipe, from 0; people count from 1"),
    ("phase_kind", "H", "kind of the phase"),
    ("soak_s", "f", "soak time counted so far, s"),
    ("counter_complement", "I", "bitwise complement of counter"),
    ("crc", "H", "CRC-16/CCITT-FALSE over everything above"),
)
_PACKER: Final = struct.Struct(">" + "".join(code for _, code, _ in LAYOUT))
REGISTERS: Final = _PACKER.size // 2
_WORDS: Final = struct.Struct(f">{REGISTERS}H")


def crc16(payload: bytes) -> int:
    """Return CRC-16/CCITT-FALSE; ``b"123456789"`` gives 0x29B1."""
    return binascii.crc_hqx(payload, 0xFFFF)


def encode(block: Block) -> tuple[int, ...]:
    """Return the registers of ``block``, ``REGISTERS`` of them."""
    o = block.outputs
    raw = _PACKER.pack(
        MAGIC,
        MAP_VERSION,
        block.epoch,
        block.counter,
        block.master,
        o.mode,
        block.source_alive,
        _word_of(_flags(o)),
        *o.zone_sp_c,
        o.rate_limit_c_per_min,
        *o.zone_op_pct,
        o.vac_throttle_pct,
        o.n2_flow_sp_nm3_h,
        o.batch_id,
        o.recipe_crc,
        o.phase_index,
        o.phase_kind,
        o.soak_s,
        block.counter ^ 0xFFFF_FFFF,
        0,
    )
    return (*_WORDS.unpack(raw)[:-1], crc16(raw[:-2]))


def decode(registers: Sequence[int]) -> tuple[Block | None, Reason]:
    """Return the block that ``registers`` hold, or None and why it is none."""
    if len(registers) != REGISTERS:
        return None, Reason.BAD_CRC
    raw = _WORDS.pack(*registers)
    (magic, version, epoch, counter, master, mode_code, alive, bits, sp1, sp2, sp3, rate, op1, op2, op3,
     throttle, n2_flow, batch, recipe, index, kind, soak, complement, crc) = _PACKER.unpack(raw)  # fmt: skip
    if magic != MAGIC:
        return None, Reason.BAD_MAGIC
    if version != MAP_VERSION:
        return None, Reason.BAD_MAP
    if crc != crc16(raw[:-2]):
        return None, Reason.BAD_CRC
    if complement != counter ^ 0xFFFF_FFFF:
        return None, Reason.BAD_COMPLEMENT
    mode = _MODES.get(mode_code)
    # A sum of finite binary32 numbers is finite; NaN and infinity stay in it.
    if mode is None or not isfinite(sum((sp1, sp2, sp3, rate, op1, op2, op3, throttle, n2_flow, soak))):
        return None, Reason.BAD_VALUE
    heat, purge, reset, direct, pump, roots, vac, n2, vent, exhaust, fan, circulation, condenser, door = _flags_of(bits)
    outputs = Outputs(
        mode, heat, purge, reset, direct, (sp1, sp2, sp3), (op1, op2, op3), rate, pump, roots, vac, throttle, n2, n2_flow, vent, exhaust,
        fan, circulation, condenser, door, batch, recipe, index, kind, soak,
    )  # fmt: skip
    return Block(epoch, counter, master, alive, outputs), Reason.OK


_MODES: Final = {int(mode): mode for mode in Mode}
# A bit of the command word is the output of the same name. The word changes a few times in an hour and is looked up in between.
_flags: Final[Callable[[Outputs], tuple[bool, ...]]] = attrgetter(*(str(bit.name).lower() for bit in Bits))


@lru_cache(maxsize=1024)
def _word_of(flags: tuple[bool, ...]) -> int:
    return sum(int(bit) for bit, flag in zip(Bits, flags, strict=True) if flag)


@lru_cache(maxsize=1024)
def _flags_of(word: int) -> tuple[bool, ...]:
    return tuple(bool(word & bit) for bit in Bits)
