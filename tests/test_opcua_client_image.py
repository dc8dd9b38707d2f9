"""The OPC UA client's subscription: one image is one moment, and a value counts only with its status."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from asyncua import ua

from controller.tags import Quality
from tests.test_contract_wires import OWN, caught_up, names, until
from tests.wires import shown

pytestmark = pytest.mark.asyncio(loop_scope="session")
DEADLINE_S = 20.0


class Desk:
    """A hand on the PLC's variables, past the soft PLC."""

    def __init__(self, line):
        self.line = line

    async def write(self, name, value, *, status=0, at=None):
        found = ua.DataValue(value, StatusCode=ua.StatusCode(status), SourceTimestamp=at or datetime.now(UTC))
        await self.line.endpoint.write(name, found)

    async def image(self, alive, *, at=None, **values):
        """Write one image as a PLC does."""
        await self.write("begun", ua.Variant(alive, ua.VariantType.UInt32), at=at)
        for name, value in values.items():
            await self.write(name, ua.Variant(value, ua.VariantType.Float), at=at)
        await self.write("plc_alive", ua.Variant(alive, ua.VariantType.UInt32), at=at)


async def connected(line, **changes):
    driver = line.driver(**changes)
    await driver.connect()
    return driver


async def held(driver, name, for_s):
    """Return all values of ``name`` that are seen within ``for_s``."""
    loop, seen = asyncio.get_running_loop(), set()
    until_s = loop.time() + for_s
    while loop.time() < until_s:
        seen.add((await shown(driver, name)).value)
        await asyncio.sleep(0.005)
    return seen


async def test_an_image_that_is_half_written_is_not_taken(line):
    driver, desk = await connected(line, silent_s=5.0), Desk(line)
    try:
        await desk.image(5000, pressure_cap_mbar=500.0)
        await until(lambda: driver.taken == 5000, lambda: shown(driver, "plc_alive"))
        await desk.write("begun", ua.Variant(5001, ua.VariantType.UInt32))
        await desk.write("pressure_cap_mbar", ua.Variant(600.0, ua.VariantType.Float))
        assert await held(driver, "pressure_cap_mbar", 0.1) == {500.0}
        await desk.write("plc_alive", ua.Variant(5001, ua.VariantType.UInt32))
        await until(lambda: driver.taken == 5001, lambda: shown(driver, "plc_alive"))
        assert (await shown(driver, "pressure_cap_mbar")).value == 600.0
    finally:
        await driver.close()


async def test_an_image_into_which_the_next_one_is_being_written_is_not_taken(line):
    driver, desk = await connected(line, silent_s=5.0), Desk(line)
    try:
        await desk.image(5500, pressure_cap_mbar=500.0)
        await until(lambda: driver.taken == 5500, lambda: shown(driver, "plc_alive"))
        await desk.image(5501, pressure_cap_mbar=600.0)  # nothing is published in between: the writes give the loop away nowhere
        await desk.write("begun", ua.Variant(5502, ua.VariantType.UInt32))
        await desk.write("pressure_cap_mbar", ua.Variant(700.0, ua.VariantType.Float))
        assert await held(driver, "pressure_cap_mbar", 0.1) == {500.0}
        await desk.write("plc_alive", ua.Variant(5502, ua.VariantType.UInt32))
        await until(lambda: driver.taken == 5502, lambda: shown(driver, "plc_alive"))
        assert (await shown(driver, "pressure_cap_mbar")).value == 700.0
    finally:
        await driver.close()


async def test_values_that_move_without_the_alive_counter_are_not_taken(line):
    driver, desk = await connected(line, silent_s=5.0), Desk(line)
    try:
        await desk.image(6000, pressure_cap_mbar=500.0)
        await until(lambda: driver.taken == 6000, lambda: shown(driver, "plc_alive"))
        await desk.write("pressure_cap_mbar", ua.Variant(1.0, ua.VariantType.Float))
        assert await held(driver, "pressure_cap_mbar", 0.1) == {500.0}
    finally:
        await driver.close()


async def test_an_image_that_was_under_way_too_long_is_not_taken_whatever_the_clocks_say(line):
    driver, desk = await connected(line, silent_s=5.0, late_s=0.5), Desk(line)
    ahead = timedelta(hours=5)  # the PLC's clock
    try:
        line.plc.faults.image_frozen = True
        driver_at = datetime.now(UTC) + ahead
        await desk.image(7000, at=driver_at, pressure_cap_mbar=500.0)
        await until(lambda: driver.taken == 7000, lambda: shown(driver, "plc_alive"))
        await desk.image(7001, at=datetime.now(UTC) + ahead - timedelta(seconds=2), pressure_cap_mbar=600.0)
        assert await held(driver, "pressure_cap_mbar", 0.1) == {500.0}
        await desk.image(7002, at=datetime.now(UTC) + ahead, pressure_cap_mbar=700.0)
        await until(lambda: driver.taken == 7002, lambda: shown(driver, "plc_alive"))
        assert (await shown(driver, "pressure_cap_mbar")).value == 700.0
    finally:
        await driver.close()


async def test_a_subscription_that_dies_without_a_word_is_noticed_and_made_anew(line):
    async with asyncio.timeout(DEADLINE_S), line.field() as field:
        await caught_up(line, field, 0.0)
        await line.endpoint.forget_subscriptions()

        async def scan():
            line.scan()
            await field.read(1.0, 1.0, OWN)

        told = []
        await until(lambda: told.extend(names(field.drain())) or "lost" in told, scan)
        await caught_up(line, field, 2.0)
        assert field.link.fresh


async def test_a_plc_that_stands_still_keeps_its_connection(line):
    async with asyncio.timeout(DEADLINE_S), line.field() as field:
        await caught_up(line, field, 0.0)
        field.drain()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + 1.2  # four times silent_s
        while loop.time() < until_s:
            assert field.link.connected
            await field.read(2.0, 1.0, OWN)
            await asyncio.sleep(0.01)
        assert field.drain() == []


async def test_a_bad_status_reaches_one_sample_and_leaves_the_others(line):
    driver, desk = await connected(line), Desk(line)
    try:
        await desk.write("door_locked", None, status=ua.StatusCodes.BadNotConnected)
        await desk.image(8000, pressure_cap_mbar=500.0)
        await until(lambda: driver.taken == 8000, lambda: shown(driver, "plc_alive"))
        assert (await shown(driver, "door_locked"))[:2] == (None, Quality.BAD_WIRE)
        assert (await shown(driver, "pressure_cap_mbar"))[:2] == (500.0, Quality.GOOD)
    finally:
        await driver.close()
