"""The compiled decoder against a reader that takes one signal at a time, straight from the wiring file."""

import random
import struct
from math import isnan
from pathlib import Path

import pytest

from controller.image import OWN_SIGNALS, SIGNALS
from controller.tags import Quality, Sample
from controller.wiring import Wiring, WiringFile, load
from tests.registers import FORMATS

WIRING = Path(__file__).parents[1] / "deploy" / "wiring.toml"
OWN = {name: Sample(float(place), Quality.GOOD, 7.0) for place, name in enumerate(OWN_SIGNALS)}


def read_one(place, tag, registers, at_s):
    """Return the sample of one signal, as the wiring file describes it."""
    if place.absent:
        return Sample(None, Quality.ABSENT, at_s)
    if place.type == "bool":
        return Sample(bool(registers[place.register] >> place.bit & 1), Quality.GOOD, at_s)
    words = registers[place.register : place.register + struct.calcsize(FORMATS[place.type]) // 2]
    if place.word_order == "little":
        words = words[::-1]
    value = struct.unpack(FORMATS[place.type], struct.pack(f">{len(words)}H", *words))[0] * place.scale
    if isnan(value):
        return Sample(None, Quality.BAD_SENSOR, at_s)
    if not tag.low <= value <= tag.high:
        return Sample(None, Quality.BAD_RANGE, at_s)
    return Sample(value, Quality.GOOD, at_s)


def altered(change):
    """Return the deployed wiring with ``change`` made to some places."""
    file = load(WIRING).file.model_dump()
    for name, keys in change.items():
        file["signals"][name] |= keys
    return Wiring(WiringFile.model_validate(file))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"load_core_c": {"word_order": "little"}, "plc_alive": {"word_order": "little"}},
        {"roots_run": {"absent": True}, "load_edge_c": {"absent": True}, "plc_heat_block": {"absent": True}},
        {"o2_pct": {"scale": 0.5}},
    ],
    ids=["as deployed", "low word first", "without some signals", "scaled float"],
)
def test_every_register_pattern_is_read_as_the_wiring_file_says(change):
    wiring, rng = altered(change), random.Random(3)
    seen = set()
    for at_s in range(400):
        registers = [rng.choice((0, 1, 0x4348, 0x7FC0, 0xFFFF, rng.randrange(0x10000))) for _ in range(wiring.registers)]
        inputs = wiring.decode(registers, float(at_s), 0.5, OWN)
        assert (inputs.at_s, inputs.dt_s) == (at_s, 0.5)
        for name, tag in SIGNALS.items():
            expected = OWN[name] if name in OWN else read_one(wiring.file.signals[name], tag, registers, float(at_s))
            assert getattr(inputs, name) == expected, name
            seen.add(expected.quality)
    assert seen >= {Quality.GOOD, Quality.BAD_SENSOR, Quality.BAD_RANGE}
