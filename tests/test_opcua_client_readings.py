"""What becomes of a value that OPC UA brings: its status, its type, its range and its place in the image."""

import math

import pytest
from asyncua import ua

from controller.image import OWN_SIGNALS, SIGNALS
from controller.southbound import nodes
from controller.tags import Quality

GOOD, SENSOR, RANGE, LINE = Quality.GOOD, Quality.BAD_SENSOR, Quality.BAD_RANGE, Quality.BAD_WIRE
READINGS = [
    ("z1_tc_a_c", 150.0, "Good", 150.0, GOOD),
    ("z1_tc_a_c", 150, "Good", 150, GOOD),
    ("z1_tc_a_c", math.nan, "Good", None, SENSOR),
    ("z1_tc_a_c", math.inf, "Good", None, RANGE),
    ("z1_tc_a_c", 1e6, "Good", None, RANGE),
    ("z1_tc_a_c", "150", "Good", None, LINE),
    ("z1_tc_a_c", None, "Good", None, LINE),
    ("z1_tc_a_c", True, "Good", None, LINE),
    ("z1_tc_a_c", [150.0], "Good", None, LINE),
    ("z1_tc_a_c", 150.0, "BadSensorFailure", None, SENSOR),
    ("z1_tc_a_c", 150.0, "BadOutOfService", None, SENSOR),
    ("z1_tc_a_c", 150.0, "BadNoCommunication", None, LINE),
    ("z1_tc_a_c", 150.0, "BadWaitingForInitialData", None, LINE),
    ("z1_tc_a_c", 150.0, "BadOutOfRange", None, RANGE),
    ("z1_tc_a_c", 150.0, "Uncertain", None, SENSOR),
    ("z1_tc_a_c", 150.0, "UncertainLastUsableValue", None, Quality.STALE),
    ("z1_tc_a_c", 150.0, "UncertainEngineeringUnitsExceeded", None, RANGE),
    ("z1_tc_a_c", 150.0, "GoodClamped", 150.0, GOOD),
    ("o2_pct", -0.3, "Good", -0.3, GOOD),
    ("o2_pct", -0.31, "Good", None, RANGE),
    ("exhaust_lel_pct", -1.0, "Good", -1.0, GOOD),
    ("exhaust_lel_pct", -1.26, "Good", None, RANGE),
    ("pressure_cap_mbar", -2.4, "Good", -2.4, GOOD),
    ("pressure_cap_mbar", -15.1, "Good", None, RANGE),
    ("door_locked", True, "Good", True, GOOD),
    ("door_locked", 1, "Good", None, LINE),
    ("door_locked", 1.0, "Good", None, LINE),
    ("door_locked", True, "Bad", None, SENSOR),
]


@pytest.mark.parametrize(("name", "value", "status", "expected", "quality"), READINGS)
async def test_a_value_is_used_only_when_its_status_is_good_and_it_is_in_range(name, value, status, expected, quality):
    assert nodes.reading(name, value, getattr(ua.StatusCodes, status)) == (expected, quality)


async def test_the_order_of_an_image_is_that_of_inputs():
    image = [nodes.Reading(place, Quality.GOOD) for place in range(len(nodes.PLACES))]
    found = nodes.inputs(image, 3.0)
    assert (found.at_s, found.dt_s) == (3.0, 0.0)
    assert [getattr(found, name).value for name in SIGNALS if name not in OWN_SIGNALS] == list(range(len(image)))
    assert {getattr(found, name).quality for name in OWN_SIGNALS} == {Quality.ABSENT}
