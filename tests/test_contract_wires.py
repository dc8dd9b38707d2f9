"""One contract over four wires: Modbus TCP, RTU, Modbus/TCP Security and OPC UA, each with the soft PLC at its other end, and once more
over OPC UA with a PLC on node-opcua, whose server and whose acceptance of blocks share no line with ours."""

import asyncio
import ssl
import time

import pytest
import pytest_asyncio

from controller import block
from controller.errors import WireError
from controller.image import OFF, OWN_SIGNALS, SIGNALS
from controller.tags import Quality, Sample
from sim.certificates import Authority
from sim.modbus_server import mutual_tls
from tests.node import program
from tests.wires import EPOCH, KINDS, MASTER, NODE, TIMEOUT_S, WIRING, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")
OWN = {name: Sample[float](1.0, Quality.GOOD, 0.0) for name in OWN_SIGNALS}
DEADLINE_S = 20.0
SPARE_S = 0.6  # of a busy machine


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=(*KINDS, NODE))
async def served(request, tmp_path_factory):
    if request.param == NODE:
        program()  # skips where there is none
    async with wire(request.param, tmp_path_factory.mktemp("pki")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def line(served):
    served.fresh()
    return served


async def until(condition, step=None):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            if step is not None:
                await step()
            await asyncio.sleep(0.002)


async def caught_up(line, field, at_s):
    """Scan until the field has the PLC's last image, and return it."""
    seen = []

    async def scan():
        seen[:] = [await field.read(at_s, 1.0, OWN)]

    await until(lambda: seen and field.link.connected and seen[0].plc_alive.value == line.plc.alive, scan)
    return seen[0]


def sent(counter, master=MASTER, epoch=EPOCH, alive=0, outputs=OFF):
    return block.encode(block.Block(epoch, counter, master, alive, outputs))


def names(events):
    return [event.name for event in events]


async def test_an_image_is_what_the_plc_shows(line):
    line.plc.open_sensor("z1_tc_a_c", True)
    line.scan()
    try:
        async with asyncio.timeout(DEADLINE_S), line.field() as field:
            inputs = await caught_up(line, field, 5.0)
        assert inputs.z1_tc_a_c.value is None
        assert inputs.z1_tc_a_c.quality == Quality.BAD_SENSOR
        for name, place in WIRING.file.signals.items():
            sample, shown = getattr(inputs, name), line.plc.values[name]
            if name == "z1_tc_a_c" or not SIGNALS[name].low <= shown <= SIGNALS[name].high:
                continue
            grain = place.scale if place.type in ("u16", "i16") else 1e-6 * abs(shown)
            assert sample.value == pytest.approx(shown, abs=grain), name
            assert (sample.quality, sample.at_s) == (Quality.GOOD, 5.0), name
    finally:
        line.plc.open_sensor("z1_tc_a_c", False)


async def test_a_block_arrives_whole_is_echoed_and_wins_the_lease(line):
    async with asyncio.timeout(DEADLINE_S), line.field() as field:
        for at_s in (1.0, 2.0, 3.0):
            await caught_up(line, field, at_s)
            await field.write(OFF._replace(exhaust_fan=True, n2_flow_sp_nm3_h=12.5))
            await until(lambda counter=int(at_s): line.plc.counter == counter)
            line.scan()
        await caught_up(line, field, 4.0)
        assert (field.link.written, field.link.confirmed, field.link.lease_ours) == (3, 3, True)
        assert names(field.drain()) == ["connected", "lease_won"]
    assert len(line.plc.received) == 3
    assert line.plc.block.outputs.n2_flow_sp_nm3_h == 12.5
    assert line.plc.block.outputs.exhaust_fan


async def test_a_mute_plc_costs_a_scan_its_deadline_goes_stale_and_comes_back_by_itself(line):
    async with asyncio.timeout(DEADLINE_S), line.field() as field:
        held = await caught_up(line, field, 100.0)
        line.plc.faults.mute = True
        line.scan()
        longest_s = 0.0
        for at_s in (101.0, 102.0, 102.9):
            start_s = time.monotonic()
            inputs = await field.read(at_s, 1.0, OWN)
            longest_s = max(longest_s, time.monotonic() - start_s)
            assert inputs.pressure_cap_mbar == held.pressure_cap_mbar
        assert longest_s < TIMEOUT_S + SPARE_S
        assert (await field.read(103.0, 1.0, OWN)).pressure_cap_mbar == Sample(None, Quality.STALE, 100.0)
        assert not field.link.fresh
        line.plc.faults.mute = False
        line.scan()
        await caught_up(line, field, 104.0)
        assert field.link.fresh
        assert field.link.connected
        assert "stale" in names(field.drain())


async def test_an_image_that_stands_still_is_stale_although_everything_answers(line):
    async with asyncio.timeout(DEADLINE_S), line.field() as field:
        await caught_up(line, field, 0.0)
        line.plc.faults.image_frozen = True
        line.scan()
        assert (await field.read(2.9, 1.0, OWN)).pressure_cap_mbar.quality == Quality.GOOD
        assert (await field.read(3.0, 1.0, OWN)).pressure_cap_mbar.quality == Quality.STALE
        assert field.link.connected


async def test_a_write_that_is_acknowledged_and_ignored_shows_after_two_seconds(line):
    async with asyncio.timeout(DEADLINE_S), line.field() as field:
        line.plc.faults.write_ignored = True
        for at_s in (1.0, 2.0, 3.1):
            line.scan()
            await caught_up(line, field, at_s)
            await field.write(OFF)
        line.scan()
        await caught_up(line, field, 3.2)
        assert (field.link.echo_ok, field.link.confirmed) == (False, 0)


async def test_a_write_to_a_mute_plc_fails_within_its_deadline_and_is_never_repeated(line):
    driver = line.driver()
    await driver.connect()
    try:
        line.plc.faults.mute = True
        line.scan()
        if line.endpoint is not None:
            await until(lambda: not line.endpoint.reading)
        start_s = time.monotonic()
        with pytest.raises(WireError):
            await driver.write_block(sent(1))
        assert time.monotonic() - start_s < TIMEOUT_S + SPARE_S
        line.plc.faults.mute = False
        line.scan()
        if not driver.connected:
            await driver.connect()
        await driver.write_block(sent(2, alive=line.plc.alive))
        await until(lambda: line.plc.counter == 2)
        assert sum(registers == sent(1) for registers in line.plc.received) <= 1
    finally:
        await driver.close()


async def test_a_plc_that_starts_again_is_found_again_and_its_new_boot_id_is_told(line):
    async with asyncio.timeout(3 * DEADLINE_S), line.field() as field:
        await caught_up(line, field, 0.0)
        await line.stop()
        await until(lambda: not field.link.connected, lambda: field.read(1.0, 1.0, OWN))
        line.plc.power_cycle()
        await line.start()
        line.scan()
        await caught_up(line, field, 2.0)
        assert field.link.connected
        told = names(field.drain())
        assert "rebooted" in told
        assert told.count("connected") == 2


async def test_without_blocks_the_plc_goes_to_its_own_safe_state_at_its_watchdog_time_and_the_lease_ends(line):
    async with asyncio.timeout(DEADLINE_S), line.field() as field:
        await caught_up(line, field, 1.0)
        await field.write(OFF)
        await until(lambda: line.plc.counter == 1)
        line.scan()
        seen = await caught_up(line, field, 2.0)
        assert (seen.plc_state.value, seen.plc_lease.value) == (block.PlcState.IDLE, MASTER)
        limit_s = seen.plc_watchdog_s.value
        assert limit_s == 5.0
        for silent_s in range(2, 7):  # the PLC's scan of 1 s goes on, the controller only reads
            line.scan()
            seen = await caught_up(line, field, 1.0 + silent_s)
            safe = silent_s >= limit_s
            assert (seen.plc_state.value == block.PlcState.WATCHDOG_SAFE, seen.plc_lease.value == 0) == (safe, safe), silent_s
            assert not (safe and seen.plc_heat_permitted.value)
        await field.write(OFF)  # and a block brings it back
        await until(lambda: line.plc.counter == 2)
        line.scan()
        seen = await caught_up(line, field, 8.0)
        assert (seen.plc_state.value, seen.plc_lease.value) == (block.PlcState.IDLE, MASTER)


async def test_another_plc_gets_no_block(line):
    line.plc.serial = 1
    line.scan()
    async with asyncio.timeout(DEADLINE_S):
        if line.endpoint is not None:
            await until(lambda: line.endpoint.shows("plc_serial") == 1)
        async with line.field() as field:
            for at_s in (1.0, 2.0):
                await field.read(at_s, 1.0, OWN)
                await field.write(OFF)
            assert "serial number: expected 4711, seen 1" in field.link.refused
    assert line.plc.received == []


async def test_while_a_foreign_master_holds_the_lease_our_blocks_are_refused_and_it_is_told(line):
    foreign = line.driver()
    await foreign.connect()
    await foreign.write_block(sent(1, master=12, alive=line.plc.alive))
    await until(lambda: line.plc.lease == 12)
    await foreign.close()
    line.scan()
    async with asyncio.timeout(DEADLINE_S), line.field() as field:
        await caught_up(line, field, 1.0)
        await field.write(OFF)
        await until(lambda: len(line.plc.received) == 2)
        line.scan()
        inputs = await caught_up(line, field, 3.5)
        assert inputs.plc_reason.value == block.Reason.LEASE_HELD
        assert (inputs.plc_lease.value, field.link.lease_ours, field.link.echo_ok) == (12, False, False)
        assert {"lease_held", "echo_lost"} <= set(names(field.drain()))


REFUSED = {
    "the same counter again": (lambda: sent(5), block.Reason.COUNTER_NOT_ADVANCED),
    "an older counter": (lambda: sent(4), block.Reason.COUNTER_NOT_ADVANCED),
    "an older epoch": (lambda: sent(9, epoch=EPOCH - 1), block.Reason.EPOCH_OLDER),
    "a flipped bit": (lambda: (*sent(6)[:13], sent(6)[13] ^ 1, *sent(6)[14:]), block.Reason.BAD_CRC),
    "another map": (lambda: (sent(6)[0], 9, *sent(6)[2:]), block.Reason.BAD_MAP),
    "an image it never showed": (lambda: sent(6, alive=4000), block.Reason.STALE_SOURCE),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_block_that_must_not_be_followed_is_refused_whole(line, what):
    registers, reason = REFUSED[what]
    driver = line.driver()
    await driver.connect()
    try:
        await driver.write_block(sent(5, alive=line.plc.alive))
        await driver.write_block(registers())
        await until(lambda: len(line.plc.received) == 2)
    finally:
        await driver.close()
    assert line.plc.reason == reason
    assert (line.plc.counter, line.plc.epoch) == (5, EPOCH)


async def test_a_block_that_is_not_whole_is_no_block(line):
    driver = line.driver()
    await driver.connect()
    try:
        if line.is_opcua:  # a server that takes it for an array of another length
            await driver.write_block(sent(1)[:-1])
            await until(lambda: line.plc.reason == block.Reason.BAD_CRC)
        else:
            with pytest.raises(WireError, match="exception 03"):
                await driver.write_block(sent(1)[:-1])
    finally:
        await driver.close()
    assert line.plc.block is None


async def test_nobody_at_the_other_end_is_a_wire_error(line):
    nobody = {"url": "opc.tcp://127.0.0.1:9"}
    changed = {"opcua": nobody, NODE: nobody, "rtu": {"serial": "/dev/ttyNOBODY"}}.get(line.kind, {"port": 9})
    driver = line.driver(**changed)
    with pytest.raises(WireError):
        await driver.connect()
    assert not driver.connected
    await driver.close()


@pytest.mark.parametrize("served", ["rtu"], indirect=True)
async def test_a_serial_line_that_cannot_do_what_the_settings_ask_for_is_a_wire_error(line):
    driver = line.driver(parity="E")  # a pseudo-terminal has no parity
    with pytest.raises(WireError, match="cannot connect"):
        await driver.connect()
    await driver.close()


# --- Who is let in ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """Certificates of another authority."""
    authority = Authority(tmp_path_factory.mktemp("stranger"), "stranger-ca")
    return authority.certificate, authority.issue("stranger")


async def image(driver):
    await driver.connect()
    return await driver.read_image()


async def refused(line, **changes):
    """See that a driver gets no image and no block through; with TLS 1.3 the server says so after the handshake only."""
    driver = line.driver(**changes)
    try:
        with pytest.raises(WireError):
            await image(driver)
        with pytest.raises(WireError):
            await driver.write_block(sent(1, alive=line.plc.alive))
    finally:
        await driver.close()
    assert line.plc.received == []


SECURED = pytest.mark.parametrize("served", ["tls", "opcua", NODE], indirect=True)
QUICK = {"tls": {}, "opcua": {"connect_s": 1.0}, NODE: {"connect_s": 1.0}}


@SECURED
async def test_a_certificate_of_a_stranger_is_not_let_in(line, stranger):
    _, pair = stranger
    await refused(line, certificate_file=str(pair.certificate), key_file=str(pair.key), **QUICK[line.kind])


@SECURED
async def test_a_plc_with_a_strangers_certificate_is_not_trusted(line, stranger):
    ca, pair = stranger
    await refused(
        line, **QUICK[line.kind], **({"ca_file": str(ca)} if line.kind == "tls" else {"server_certificate_file": str(pair.certificate)})
    )


@pytest.mark.parametrize("served", ["opcua", NODE], indirect=True)
async def test_a_plc_that_wants_a_name_and_a_password_lets_in_nobody_else(line, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("correct horse 9\n")
    wrong = tmp_path / "wrong"
    wrong.write_text("something else\n")
    await line.wants("core", "correct horse 9")
    try:
        driver = line.driver(username="core", password_file=str(secret))
        assert await image(driver)
        await driver.close()
        for changes in ({"username": "core", "password_file": str(wrong)}, {}):
            await refused(line, connect_s=1.0, **changes)
    finally:
        await line.wants(None, None)


@pytest.mark.parametrize("served", ["tls"], indirect=True)
async def test_tls_without_a_certificate_of_ones_own_gets_no_image(line):
    context = ssl.create_default_context(cafile=str(line.ca))
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port, ssl=context)
        writer.write(bytes.fromhex("000100000006010400000002"))
        try:
            answer = await reader.read(100)
        except OSError:  # ssl.SSLError is one
            answer = b""
        writer.close()
    assert answer == b""
    assert mutual_tls(line.ca, line.own).verify_mode == ssl.CERT_REQUIRED
