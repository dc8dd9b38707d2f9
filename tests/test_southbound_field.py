"""The field: what a scan sees of the wire, whatever becomes of it."""

import asyncio
import time
from itertools import pairwise

import pytest

from controller.image import OFF, OWN_SIGNALS
from controller.tags import Quality, Sample
from tests.raw_plc import DEADLINE_S, OWN, TIMEOUT_S, WRONG_READS, field_to, names, raw_plc, until


async def test_a_scan_reads_decides_and_writes_and_the_echo_comes_with_the_next_one() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        for at_s in (1.0, 2.0, 3.0):
            inputs = await field.read(at_s, 1.0, OWN)
            await field.write(OFF)
        assert inputs.z1_tc_a_c == Sample(150.0, Quality.GOOD, 3.0)
        assert (inputs.at_s, inputs.dt_s, inputs.journal_ok) == (3.0, 1.0, OWN["journal_ok"])
        link = field.link
        assert (link.connected, link.fresh, link.echo_ok, link.lease_ours, link.refused) == (True, True, True, True, "")
        assert (link.written, link.confirmed) == (3, 2)
        assert [b.counter for b in plc.blocks] == [1, 2, 3]
        assert names(field.drain()) == ["connected", "lease_won"]
        assert field.drain() == []


async def test_before_the_first_reading_everything_is_bad_and_nothing_is_written() -> None:
    async with raw_plc() as gone:
        port = gone.port
    async with asyncio.timeout(DEADLINE_S), field_to(port) as field:
        inputs = await field.read(0.0, 1.0, OWN)
        await field.write(OFF)
        assert {sample.quality for sample in inputs[2 : -len(OWN_SIGNALS)]} == {Quality.BAD_WIRE}
        assert inputs.gateway_ok == OWN["gateway_ok"]
        assert not field.link.connected
        assert field.link.written == 0
        async with raw_plc(port) as plc:  # and it connects by itself when the PLC comes
            await until(lambda: field.link.connected, lambda: field.read(1.0, 1.0, OWN))
            assert plc.connections == 1


@pytest.mark.parametrize("fault", ["mute", "short", "exception 06", "closes", "transaction id 0"])
async def test_when_the_wire_fails_values_are_held_until_they_are_stale_and_come_back_by_themselves(fault: str) -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        await field.read(100.0, 1.0, OWN)
        plc.mend = WRONG_READS[fault][0]
        held = await field.read(102.9, 1.0, OWN)
        stale = await field.read(103.0, 1.0, OWN)
        assert held.z1_tc_a_c == Sample(150.0, Quality.GOOD, 100.0)
        assert stale.z1_tc_a_c == Sample(None, Quality.STALE, 100.0)
        assert not field.link.connected
        assert not field.link.fresh
        plc.mend = lambda reply: [reply]
        await until(lambda: field.link.connected, lambda: field.read(104.0, 1.0, OWN))
        assert (await field.read(105.0, 1.0, OWN)).z1_tc_a_c == Sample(150.0, Quality.GOOD, 105.0)
        assert names(field.drain()) == ["connected", "lost", "stale", "connected", "fresh"]


async def test_a_frozen_image_goes_stale_although_every_request_is_answered() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        await field.read(0.0, 1.0, OWN)
        plc.frozen = True
        assert (await field.read(2.0, 1.0, OWN)).z1_tc_a_c == Sample(150.0, Quality.GOOD, 0.0)
        assert (await field.read(3.0, 1.0, OWN)).z1_tc_a_c == Sample(None, Quality.STALE, 0.0)
        assert field.link.connected
        assert not field.link.fresh


async def test_a_write_that_is_acknowledged_and_ignored_shows_in_the_link() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        plc.follows = False
        for at_s in (0.0, 1.0, 2.0, 3.0):
            await field.read(at_s, 1.0, OWN)
            await field.write(OFF)
        assert not field.link.echo_ok
        assert "echo_lost" in names(field.drain())


async def test_no_block_is_ever_written_to_a_plc_of_another_identity() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S):
        plc.values["plc_serial"] = 1
        async with field_to(plc.port) as field:
            assert "serial number" in field.link.refused  # known before the first scan
            for at_s in range(5):
                inputs = await field.read(float(at_s), 1.0, OWN)
                await field.write(OFF)
            assert "expected 4711, seen 1" in field.link.refused
            assert inputs.z1_tc_a_c.quality == Quality.BAD_WIRE
            await until(lambda: plc.connections >= 2)  # it goes on asking, in case the right one is plugged in
            assert (plc.blocks, names(field.drain())) == ([], ["refused"])
            plc.values["plc_serial"] = 4711
            await until(lambda: field.link.connected, lambda: field.read(9.0, 1.0, OWN))
            assert field.link.refused == ""


async def test_a_plc_that_changes_its_identity_while_we_run_gets_no_further_block() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        await field.read(0.0, 1.0, OWN)
        await field.write(OFF)
        plc.values["plc_signature"] = 0x454E_4F56
        inputs = await field.read(1.0, 1.0, OWN)
        await field.write(OFF)
        assert len(plc.blocks) == 1
        assert inputs.z1_tc_a_c.at_s == 0.0
        assert "signature" in field.link.refused


async def test_a_scan_never_waits_longer_than_two_deadlines_while_the_wire_flaps() -> None:
    longest_s = 0.0
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        for at_s in range(12):
            plc.mend = (lambda reply: []) if at_s % 4 in (1, 2) else (lambda reply: [reply])
            start_s = time.monotonic()
            await field.read(float(at_s), 1.0, OWN)
            await field.write(OFF)
            longest_s = max(longest_s, time.monotonic() - start_s)
        assert longest_s < 2 * TIMEOUT_S + 0.5
        counters = [b.counter for b in plc.blocks]
        assert all(later > earlier for earlier, later in pairwise(counters)), "a block was sent twice"


async def test_a_reboot_is_an_event_and_shows_in_one_reading() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        await field.read(0.0, 1.0, OWN)
        plc.values["plc_boot_id"] = 100
        await field.read(1.0, 1.0, OWN)
        assert field.link.rebooted
        await field.read(2.0, 1.0, OWN)
        assert not field.link.rebooted
        assert "rebooted" in names(field.drain())


async def test_leaving_the_field_closes_the_connection_and_cancellation_passes() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S):
        entered = asyncio.Event()

        async def core() -> None:
            async with field_to(plc.port) as field:
                await field.read(0.0, 1.0, OWN)
                plc.mend = lambda reply: []
                entered.set()
                while True:
                    await field.read(1.0, 1.0, OWN)

        task = asyncio.create_task(core())
        await entered.wait()
        await until(lambda: plc.requests >= 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not [other for other in asyncio.all_tasks() if other.get_name() == "southbound reconnect"]


async def test_a_cycle_of_read_and_write_is_a_few_milliseconds() -> None:
    async with raw_plc() as plc, asyncio.timeout(DEADLINE_S), field_to(plc.port) as field:
        cycles_s = []
        for at_s in range(100):
            start_s = time.perf_counter()
            await field.read(float(at_s), 1.0, OWN)
            await field.write(OFF)
            cycles_s.append(time.perf_counter() - start_s)
        assert sorted(cycles_s)[50] < 0.02, f"median {sorted(cycles_s)[50] * 1e3:.2f} ms"
