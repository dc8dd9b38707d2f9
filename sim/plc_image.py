"""The soft PLC's image: which words it adds to its field's readings, and the registers that show both as the wiring file says."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from controller.wiring import Place, Wiring
from sim.plant.instruments_kernel import Readings
from sim.plant.jit import compiled

Array = npt.NDArray[np.float64]
Registers = npt.NDArray[np.uint16]

# What the PLC says of itself, in the order in which it publishes that, after the readings.
WORDS: Final = (
    "z1_sp_applied_c", "z2_sp_applied_c", "z3_sp_applied_c", "plc_alive", "plc_boot_id", "plc_state", "plc_reason", "plc_heat_block",
    "plc_heat_permitted", "plc_watchdog_s", "plc_lease", "echo_epoch", "echo_counter", "echo_crc", "plc_purge_proven", "plc_tripped",
    "plc_signature", "plc_map_version", "plc_serial",
)  # fmt: skip
SHOWN: Final = (*Readings._fields, *WORDS)
_LIMITS: Final = {"u16": (0, 0xFFFF), "i16": (-0x8000, 0x7FFF), "u32": (0, 0xFFFF_FFFF)}
_PLAN: Final = np.dtype([(name, "f8") for name in ("register", "width", "is_float", "mask", "scale", "low", "high", "swapped")])


def plan(wiring: Wiring) -> Array:
    """Return where and how each of ``SHOWN`` lies in the registers, one row for each; a signal that this oven has not got has width 0."""
    rows = np.zeros((len(SHOWN), len(_PLAN.names or ())))
    for row, name in zip(rows, SHOWN, strict=True):
        place = wiring.file.signals.get(name)
        if place is not None and not place.absent and place.at is not None:
            row[:] = _row(place)
    return rows


def _row(place: Place) -> tuple[float, ...]:
    low, high = _LIMITS.get(place.type, (0, 0))
    width = 2 if place.type in ("u32", "f32") else 1
    mask = 1 << place.bit if place.type == "bool" else 0
    return place.register, width, place.type == "f32", mask, place.scale, low, high, place.word_order == "little"


@compiled("void(float64[::1], float64[::1], float64[:, ::1], uint16[::1])")
def encode(readings: Array, words: Array, plan: Array, registers: Registers) -> None:
    """Fill ``registers`` with ``readings`` and ``words``; NaN, a broken sensor, reads full scale in an integer register."""
    registers[:] = 0
    places: Any = plan.view(_PLAN)
    for i in range(plan.shape[0]):
        p: Any = places[i, 0]
        at, value = int(p.register), readings[i] if i < readings.shape[0] else words[i - readings.shape[0]]
        if p.width == 0.0:
            continue
        if p.mask != 0.0:
            registers[at] |= np.uint16(p.mask) if value != 0.0 else np.uint16(0)
            continue
        if p.is_float != 0.0:
            word = np.int64(np.float32(value / p.scale).view(np.uint32))
        else:
            count = np.rint(value / p.scale) if value == value else p.high
            word = np.int64(min(max(count, p.low), p.high))
        if p.width == 1.0:
            registers[at] = np.uint16(word & 0xFFFF)
        else:
            first = 1 if p.swapped != 0.0 else 0
            registers[at + first] = np.uint16(word >> 16 & 0xFFFF)
            registers[at + 1 - first] = np.uint16(word & 0xFFFF)
