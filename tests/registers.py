"""Registers as a PLC fills them, one signal at a time and straight from the wiring file."""

import struct
from collections.abc import Mapping

from controller.wiring import Place, Wiring

FORMATS = {"u16": ">H", "i16": ">h", "u32": ">I", "f32": ">f"}


def image_of(wiring: Wiring, values: Mapping[str, float]) -> list[int]:
    """Return the registers that show ``values`` (field name -> value)."""
    registers = [0] * wiring.registers
    for name, place in wiring.file.signals.items():
        if place.absent or place.at is None:
            continue
        if place.type == "bool":
            registers[place.register] |= bool(values[name]) << place.bit
        else:
            words = words_of(place, values[name])
            registers[place.register : place.register + len(words)] = words
    return registers


def words_of(place: Place, value: float) -> list[int]:
    """Return the registers of one number."""
    raw = value / place.scale if place.type == "f32" else round(value / place.scale)
    packed = struct.pack(FORMATS[place.type], raw)
    words = [int.from_bytes(packed[at : at + 2], "big") for at in range(0, len(packed), 2)]
    return words[::-1] if place.word_order == "little" else words
