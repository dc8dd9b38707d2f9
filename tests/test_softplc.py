"""The soft PLC's side of the contract: what it refuses, clamps and keeps."""

from collections.abc import Callable
from math import isnan, nan

import pytest

from controller import block
from controller.block import HeatBlock, PlcState, Reason
from controller.image import OFF, OWN_SIGNALS, SIGNALS, Mode
from controller.tags import Quality, Sample
from sim.faults import clear, inject
from sim.plant import Roll
from sim.softplc import Settings
from tests.plc_rig import FLOW, HEAT, RUN, VACUUM, WIRING, Master, oven, scans

# ---- what is refused ----


def damaged(registers: list[int], at: int) -> list[int]:
    registers[at] ^= 0x0100
    return registers


def with_complement(registers: list[int]) -> list[int]:
    """Break the complement and mend the CRC."""
    registers[-2] ^= 1
    raw = b"".join(word.to_bytes(2, "big") for word in registers[:-1])
    return [*registers[:-1], block.crc16(raw)]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda m: m.registers(RUN), Reason.OK),
        (lambda m: m.registers(OFF), Reason.OK),
        (lambda m: damaged(m.registers(RUN), 0), Reason.BAD_MAGIC),
        (lambda m: damaged(m.registers(RUN), 1), Reason.BAD_MAP),
        (lambda m: damaged(m.registers(RUN), 12), Reason.BAD_CRC),
        (lambda m: m.registers(RUN)[:-1], Reason.BAD_CRC),
        (lambda m: with_complement(m.registers(RUN)), Reason.BAD_COMPLEMENT),
        (lambda m: m.registers(RUN, counter=3), Reason.COUNTER_NOT_ADVANCED),
        (lambda m: m.registers(RUN, counter=1), Reason.COUNTER_NOT_ADVANCED),
        (lambda m: m.registers(RUN, epoch=0), Reason.EPOCH_OLDER),
        (lambda m: m.registers(RUN, epoch=2, counter=1), Reason.OK),
        (lambda m: m.registers(RUN, master=8), Reason.LEASE_HELD),
        (lambda m: m.registers(RUN, master=8, epoch=9), Reason.LEASE_HELD),
        (lambda m: m.registers(RUN, source_alive=m.plc.alive - 3), Reason.OK),
        (lambda m: m.registers(RUN, source_alive=m.plc.alive - 4), Reason.STALE_SOURCE),
        (lambda m: m.registers(RUN, source_alive=m.plc.alive + 1), Reason.STALE_SOURCE),
        (lambda m: m.registers(RUN._replace(batch_id=0)), Reason.NO_BATCH),
        (lambda m: m.registers(RUN._replace(recipe_crc=0)), Reason.NO_BATCH),
        (lambda m: m.registers(HEAT._replace(mode=Mode.HOLD, batch_id=0)), Reason.NO_BATCH),
        (lambda m: m.registers(RUN._replace(zone_sp_c=(nan, 20.0, 20.0))), Reason.BAD_VALUE),
    ],
)  # fmt: skip
def test_each_refusal_has_its_reason(make: Callable[[Master], list[int]], reason: Reason) -> None:
    plc, master = oven()
    scans(plc, 10)
    for counter in (1, 2, 3):
        assert plc.receive(master.registers(OFF)) == Reason.OK, counter
        plc.scan(1.0)
    before = plc.block
    assert plc.receive(make(master)) == reason
    assert (plc.block is before) == (reason != Reason.OK)


def test_the_lease_is_free_again_after_the_watchdog_time() -> None:
    plc, first = oven()
    second = Master(plc, number=8)
    second.counter = 50
    first.run(OFF, 3)
    assert plc.values["plc_lease"] == 7
    assert plc.receive(second.registers(OFF)) == Reason.LEASE_HELD
    scans(plc, 5)
    assert plc.values["plc_lease"] == 0
    assert plc.receive(second.registers(OFF)) == Reason.OK


def test_the_image_echoes_the_last_block_accepted() -> None:
    plc, master = oven()
    registers = master.registers(OFF)
    plc.receive(registers)
    plc.scan(1.0)
    assert (plc.values["echo_epoch"], plc.values["echo_counter"], plc.values["echo_crc"]) == (1, 1, registers[-1])
    inject(plc, "plc_echo_frozen")
    master.run(OFF, 3)
    assert plc.values["echo_counter"] == 1


def test_the_image_decodes_to_what_the_plc_shows() -> None:
    plc, master = oven(roll=Roll())
    inject(plc, "tc_open")
    master.run(VACUUM, 20)
    own = {name: Sample(0.0, Quality.GOOD, 0.0) for name in OWN_SIGNALS}
    inputs = WIRING.decode(plc.image(), 20.0, 1.0, own)
    assert inputs.z1_tc_a_c.quality is Quality.BAD_SENSOR
    for name, tag in SIGNALS.items():
        sample = getattr(inputs, name)
        if name in OWN_SIGNALS or isnan(plc.values[name]):
            continue
        assert sample.value == pytest.approx(plc.values[name], rel=1e-6, abs=0.06), tag.name


# ---- watchdog, start, local ----


def test_silence_leads_to_the_safe_state_and_then_to_cool_down() -> None:
    plc, master = oven()
    master.heat_up()
    assert plc.actuators.heats
    assert plc.silent_s == 1.0  # the block came just before the last scan
    scans(plc, 2)
    assert plc.warning
    scans(plc, 1)
    assert plc.state is PlcState.FOLLOWING
    scans(plc, 1)
    assert plc.state is PlcState.WATCHDOG_SAFE
    a = plc.actuators
    assert not a.heats
    assert (a.pump, a.vac_valve, a.exhaust_fan, a.circulation, a.condenser, a.door_locked, a.vent_valve) == (*[True] * 6, False)
    scans(plc, 899)
    assert plc.state is PlcState.WATCHDOG_SAFE
    scans(plc, 2)
    assert plc.state is PlcState.COOLDOWN
    assert a.cooling
    assert a.vac_valve


def test_heat_does_not_come_back_by_itself_after_silence() -> None:
    plc, master = oven()
    master.heat_up()
    scans(plc, 6)
    master.run(HEAT, 5)
    assert plc.state is PlcState.FOLLOWING
    assert not plc.actuators.heats
    assert plc.values["plc_heat_block"] & HeatBlock.TRIP
    master.run(HEAT._replace(reset=True), 2)
    assert plc.values["plc_heat_block"] & HeatBlock.MODE  # heat enable must go low first
    master.run(VACUUM, 1)
    master.run(HEAT._replace(purge_permission=False), 2)
    assert not plc.actuators.heats  # no purge permission
    master.run(VACUUM, 1)
    master.run(HEAT, 2)
    assert plc.actuators.heats


def test_without_its_watchdog_the_plc_holds_its_outputs_and_says_so() -> None:
    plc, master = oven(Settings(watchdog_enabled=False))
    master.heat_up()
    scans(plc, 60)
    assert plc.values["plc_watchdog_s"] == 0.0
    assert plc.actuators.heats


def test_a_power_cycle_is_seen_by_the_boot_id_and_starts_safe() -> None:
    plc, master = oven()
    master.heat_up()
    before = plc.values["plc_boot_id"]
    plc.power_cycle()
    assert plc.values["plc_boot_id"] != before
    assert (plc.state, plc.values["echo_epoch"], plc.values["plc_purge_proven"]) == (PlcState.BOOT_SAFE, 0, False)
    assert not plc.actuators.main_contactor
    assert not plc.actuators.vac_valve
    assert plc.receive(master.registers(HEAT, source_alive=400)) == Reason.STALE_SOURCE  # of the PLC's life before


def test_local_refuses_blocks_and_heats_no_more() -> None:
    plc, master = oven()
    master.heat_up()
    inject(plc, "local")
    plc.scan(1.0)
    assert plc.receive(master.registers(HEAT)) == Reason.LOCAL
    assert plc.state is PlcState.LOCAL
    assert not plc.actuators.heats
    assert plc.actuators.vac_valve
    clear(plc, "local")
    plc.scan(1.0)
    master.run(HEAT, 3)
    assert plc.state is PlcState.FOLLOWING
    assert not plc.actuators.heats


# ---- limits ----


def test_set_points_and_rates_are_clamped() -> None:
    plc, master = oven()
    master.heat_up(HEAT._replace(zone_sp_c=(400.0,) * 3, rate_limit_c_per_min=100.0), 1)
    before_c = plc.values["z1_sp_applied_c"]
    master.run(HEAT._replace(zone_sp_c=(400.0,) * 3, rate_limit_c_per_min=100.0), 60)
    assert plc.values["z1_sp_applied_c"] - before_c == pytest.approx(10.0, abs=1e-6)
    master.run(HEAT._replace(zone_sp_c=(400.0,) * 3, rate_limit_c_per_min=100.0), 1500)
    assert plc.values["z1_sp_applied_c"] == 260.0


def test_the_zones_follow_the_ramp_and_settle() -> None:
    plc, master = oven(roll=Roll())
    master.heat_up(HEAT, 3600)
    assert all(abs(wall_c - 200.0) < 2.0 for wall_c in plc.plant.heaters.walls_c)


@pytest.mark.parametrize(
    ("fault", "bit"),
    [
        ("tc_two_open", HeatBlock.SENSORS),
        ("exhaust_lost", HeatBlock.EXHAUST),
        ("door_switch", HeatBlock.DOOR),
        ("estop", HeatBlock.CHAIN),
        ("limiter", HeatBlock.OVERTEMP),
    ],
)
def test_heat_goes_off_when_a_permissive_is_lost(fault: str, bit: HeatBlock) -> None:
    plc, master = oven()
    master.heat_up()
    assert plc.values["plc_heat_permitted"]
    inject(plc, fault)
    master.run(HEAT, 10)
    assert plc.values["plc_heat_block"] & bit
    assert not plc.actuators.heats


def test_circulation_is_needed_in_gas_only() -> None:
    plc, master = oven()
    gas = FLOW._replace(heat_enable=True, purge_permission=True, zone_sp_c=(100.0,) * 3, zone_op_pct=(100.0,) * 3, rate_limit_c_per_min=5.0)
    master.purge()
    master.run(FLOW, 400)
    master.run(FLOW._replace(reset=True), 2)
    master.run(FLOW, 1)
    master.run(gas, 30)
    assert plc.actuators.heats
    inject(plc, "circulation_lost")
    master.run(gas, 10)
    assert plc.values["plc_heat_block"] & HeatBlock.CIRCULATION
    plc, master = oven()
    master.heat_up()
    inject(plc, "circulation_lost")
    master.run(HEAT, 10)
    assert plc.actuators.heats


# ---- purge ----


def test_two_cycles_prove_the_purge_and_air_takes_it_back() -> None:
    plc, master = oven()
    master.run(VACUUM, 200)
    assert plc.values["plc_heat_block"] & HeatBlock.PURGE
    master.purge(1)
    assert not plc.values["plc_purge_proven"]
    master.purge(1)
    assert plc.values["plc_purge_proven"]
    master.run(RUN._replace(vent_valve=True), 5)
    assert not plc.values["plc_purge_proven"]


def test_a_pressure_rise_by_a_leak_is_no_cycle() -> None:
    plc, master = oven()
    inject(plc, "air_leak")
    for _ in range(3):
        master.run(VACUUM, 900, until=lambda: plc.values["pressure_cap_mbar"] < 40.0)
        master.run(RUN, 3000, until=lambda: plc.values["pressure_cap_mbar"] > 500.0)
    assert not plc.values["plc_purge_proven"]


def test_four_volumes_of_nitrogen_prove_the_purge() -> None:
    plc, master = oven()
    master.run(FLOW, 400)  # 60 Nm3/h: 3.7 chamber volumes
    assert not plc.values["plc_purge_proven"]
    master.run(FLOW, 60)
    assert plc.values["plc_purge_proven"]


def test_one_cycle_and_a_minute_of_vacuum_prove_the_purge() -> None:
    plc, master = oven()
    master.purge(1)
    master.run(VACUUM, 900, until=lambda: plc.values["pressure_cap_mbar"] < 95.0)
    assert not plc.values["plc_purge_proven"]
    master.run(VACUUM, 62)
    assert plc.values["plc_purge_proven"]
