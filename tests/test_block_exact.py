"""The command block against the page that a PLC programmer reads: every code, mask and register of deploy/PLC-CONTRACT.md."""

import re
import struct
from pathlib import Path

import pytest

from controller import block
from controller.block import Bits, Block, HeatBlock, PlcState, Reason
from controller.image import OFF, Mode

PAGE = (Path(__file__).parents[1] / "deploy" / "PLC-CONTRACT.md").read_text("utf-8")
BLOCK = Block(
    epoch=0x0001_0002,
    counter=0x0003_0004,
    master=5,
    source_alive=0x0006_0007,
    outputs=OFF._replace(
        mode=Mode.HOLD,
        heat_enable=True,
        purge_permission=True,
        door_release=True,
        zone_sp_c=(101.5, 102.5, 103.5),
        zone_op_pct=(11.0, 12.0, 13.0),
        rate_limit_c_per_min=2.5,
        vac_throttle_pct=33.0,
        n2_flow_sp_nm3_h=44.0,
        batch_id=0x0008_0009,
        recipe_crc=0xDEAD_BEEF,
        phase_index=10,
        phase_kind=11,
        soak_s=1234.5,
    ),
)


def rows(table):
    """Return the rows of a table of the page, without its head."""
    text = re.search(rf"<!-- table {table} -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in text[1].splitlines()[2:] if line.startswith("|")]


def test_the_codes_are_those_of_the_page():
    for table, codes in (("states", PlcState), ("reasons", Reason)):
        assert {name: int(code) for code, name, _ in rows(table)} == {one.name: one.value for one in codes}


def test_the_masks_are_those_of_the_page_and_each_is_its_bit():
    for table, masks in (("heat", HeatBlock), ("bits", Bits)):
        assert {name: int(mask, 16) for _, mask, name, _ in rows(table)} == {one.name: one.value for one in masks}
        assert all(int(mask, 16) == 1 << int(bit) for bit, mask, _, _ in rows(table))


def registers_by_the_page():
    """Return the registers as somebody would write them who knows the page only; the CRC is left out."""
    out = BLOCK.outputs
    values = {
        "magic": 0x4F56,
        "map_version": 1,
        "epoch": BLOCK.epoch,
        "counter": BLOCK.counter,
        "master": BLOCK.master,
        "mode": 2,
        "source_alive": BLOCK.source_alive,
        "bits": 0x0001 | 0x0002 | 0x2000,
        "zone1_sp_c": 101.5,
        "zone2_sp_c": 102.5,
        "zone3_sp_c": 103.5,
        "rate_limit_c_per_min": 2.5,
        "zone1_op_pct": 11.0,
        "zone2_op_pct": 12.0,
        "zone3_op_pct": 13.0,
        "vac_throttle_pct": 33.0,
        "n2_flow_sp_nm3_h": 44.0,
        "batch_id": out.batch_id,
        "recipe_crc": out.recipe_crc,
        "phase_index": 10,
        "phase_kind": 11,
        "soak_s": 1234.5,
        "counter_complement": 0xFFFF_FFFF - BLOCK.counter,
    }
    found = {}
    for place, name, kind, _ in rows("block")[:-1]:
        packed = struct.pack({"u16": ">H", "u32": ">I", "f32": ">f"}[kind], values[name])
        for offset, register in enumerate(struct.unpack(f">{len(packed) // 2}H", packed)):
            found[int(place.split("-")[0]) + offset] = register
    return [found[place] for place in range(39)]


def bitwise_crc(registers):
    """Return CRC-16/CCITT-FALSE, bit by bit, as the page says: polynomial 0x1021, start 0xFFFF."""
    crc = 0xFFFF
    for byte in b"".join(struct.pack(">H", one) for one in registers):
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def test_a_block_is_what_the_page_says_register_by_register():
    wanted = registers_by_the_page()
    assert list(block.encode(BLOCK)) == [*wanted, bitwise_crc(wanted)]
    assert len(block.encode(BLOCK)) == block.REGISTERS == 40


def test_what_was_written_is_read_back_with_each_bit_alone():
    assert block.decode(block.encode(BLOCK)) == (BLOCK, Reason.OK)
    for bit in Bits:
        one = BLOCK._replace(outputs=OFF._replace(**{bit.name.lower(): True}))
        registers = block.encode(one)
        assert registers[10] == bit.value
        assert block.decode(registers) == (one, Reason.OK)


def changed(place, register, sealed=True):
    registers = [*block.encode(BLOCK)]
    registers[place] = register
    if sealed:
        registers[-1] = bitwise_crc(registers[:-1])
    return registers


FLOATS = [int(place.split("-")[0]) for place, _, kind, _ in rows("block") if kind == "f32"]


@pytest.mark.parametrize(("registers", "why"), [
    (changed(0, 0x4F57), Reason.BAD_MAGIC),
    (changed(1, 2), Reason.BAD_MAP),
    (changed(1, 0), Reason.BAD_MAP),
    (changed(5, 0x0005), Reason.BAD_COMPLEMENT),
    (changed(37, 0x0000), Reason.BAD_COMPLEMENT),
    (changed(7, 5), Reason.BAD_VALUE),
    (changed(11, 0, sealed=False), Reason.BAD_CRC),
    (block.encode(BLOCK)[:-1], Reason.BAD_CRC),
    ((*block.encode(BLOCK), 0), Reason.BAD_CRC),
    ((), Reason.BAD_CRC),
])  # fmt: skip
def test_a_block_that_is_not_whole_or_not_ours_is_none(registers, why):
    assert block.decode(registers) == (None, why)


@pytest.mark.parametrize("place", FLOATS)
@pytest.mark.parametrize("register", [0x7FC0, 0x7F80, 0xFF80])  # NaN, infinity and its opposite
def test_a_number_that_is_none_makes_the_block_none(place, register):
    assert len(FLOATS) == 10
    assert block.decode(changed(place, register)) == (None, Reason.BAD_VALUE)


def test_every_mode_has_its_code():
    for code, mode in enumerate((Mode.OFF, Mode.RUN, Mode.HOLD, Mode.COOL, Mode.ABORT)):
        one = BLOCK._replace(outputs=BLOCK.outputs._replace(mode=mode))
        assert block.encode(one)[7] == code
        assert block.decode(block.encode(one)) == (one, Reason.OK)
