"""The command block: the one thing that is written to the PLC, once per scan, in a single request.

The layout is one table (``LAYOUT``); ``deploy/PLC-CONTRACT.md`` prints it for the PLC programmer. Registers are 16 bit, two-register values
have the high word first. The CRC is CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF) over the bytes of every register before it.
"""

import binascii
import struct
from collections.abc import Sequence
from enum import IntEnum, IntFlag
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
    ("zone1_op_pct", "f", "zone 1 output when DIRECT_OUTPUT, %"),
    ("zone2_op_pct", "f", "zone 2 output when DIRECT_OUTPUT, %"),
    ("zone3_op_pct", "f", "zone 3 output when DIRECT_OUTPUT, %"),
    ("vac_throttle_pct", "f", "vacuum throttle opening, %"),
    ("n2_flow_sp_nm3_h", "f", "N2 flow set point, Nm3/h"),
    ("batch_id", "I", "number of the batch, 0 without one"),
    ("recipe_crc", "I", "first 32 bits of the recipe's SHA-256, 0 without one"),
    ("phase_index", "H", "phase of the recipe, from 0"),
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
        _bits(o),
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
    (magic, version, epoch, counter, master, mode, alive, bits, sp1, sp2, sp3, rate, op1, op2, op3,
     throttle, n2_flow, batch, recipe, index, kind, soak, complement, crc) = _PACKER.unpack(raw)  # fmt: skip
    if magic != MAGIC:
        return None, Reason.BAD_MAGIC
    if version != MAP_VERSION:
        return None, Reason.BAD_MAP
    if crc != crc16(raw[:-2]):
        return None, Reason.BAD_CRC
    if complement != counter ^ 0xFFFF_FFFF:
        return None, Reason.BAD_COMPLEMENT
    reals = (sp1, sp2, sp3, rate, op1, op2, op3, throttle, n2_flow, soak)
    if mode not in _MODES or any(real - real != 0.0 for real in reals):  # not a mode, NaN or infinite
        return None, Reason.BAD_VALUE
    outputs = Outputs(
        mode=_MODES[mode],
        heat_enable=bool(bits & _HEAT),
        purge_permission=bool(bits & _PURGE),
        reset=bool(bits & _RESET),
        direct_output=bool(bits & _DIRECT),
        zone_sp_c=(sp1, sp2, sp3),
        zone_op_pct=(op1, op2, op3),
        rate_limit_c_per_min=rate,
        pump=bool(bits & _PUMP),
        roots=bool(bits & _ROOTS),
        vac_valve=bool(bits & _VAC),
        vac_throttle_pct=throttle,
        n2_valve=bool(bits & _N2),
        n2_flow_sp_nm3_h=n2_flow,
        vent_valve=bool(bits & _VENT),
        exhaust_valve=bool(bits & _EXHAUST_VALVE),
        exhaust_fan=bool(bits & _EXHAUST_FAN),
        circulation=bool(bits & _CIRCULATION),
        condenser=bool(bits & _CONDENSER),
        door_release=bool(bits & _DOOR),
        batch_id=batch,
        recipe_crc=recipe,
        phase_index=index,
        phase_kind=kind,
        soak_s=soak,
    )
    return Block(epoch, counter, master, alive, outputs), Reason.OK


_MODES: Final = {int(mode): mode for mode in Mode}
# Plain ints: arithmetic on IntFlag members costs microseconds, and this runs in every scan.
(_HEAT, _PURGE, _RESET, _DIRECT, _PUMP, _ROOTS, _VAC, _N2, _VENT, _EXHAUST_VALVE, _EXHAUST_FAN, _CIRCULATION, _CONDENSER, _DOOR) = (
    int(bit) for bit in Bits
)


def _bits(o: Outputs) -> int:
    return (
        o.heat_enable * _HEAT
        | o.purge_permission * _PURGE
        | o.reset * _RESET
        | o.direct_output * _DIRECT
        | o.pump * _PUMP
        | o.roots * _ROOTS
        | o.vac_valve * _VAC
        | o.n2_valve * _N2
        | o.vent_valve * _VENT
        | o.exhaust_valve * _EXHAUST_VALVE
        | o.exhaust_fan * _EXHAUST_FAN
        | o.circulation * _CIRCULATION
        | o.condenser * _CONDENSER
        | o.door_release * _DOOR
    )
