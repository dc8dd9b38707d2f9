"""The soft PLC's side of the contract: what it refuses, clamps, keeps and trips on."""

from collections.abc import Callable
from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import pytest

from controller import block, wiring
from controller.block import Block, HeatBlock, PlcState, Reason
from controller.image import OFF, OWN_SIGNALS, SIGNALS, Mode, Outputs
from controller.tags import Quality, Sample
from sim.faults import FAULTS, clear, inject
from sim.plant import Plant, Roll
from sim.softplc import Settings, SoftPlc

WIRING = wiring.load(Path(__file__).parents[1] / "deploy" / "wiring.toml")
RUN = OFF._replace(mode=Mode.RUN, batch_id=12, recipe_crc=0xC0FFEE, exhaust_fan=True, condenser=True, circulation=True)
VACUUM = RUN._replace(pump=True, roots=True, vac_valve=True, vac_throttle_pct=100.0)
BACKFILL = RUN._replace(n2_valve=True, n2_flow_sp_nm3_h=60.0)
FLOW = BACKFILL._replace(exhaust_valve=True)
HEAT = VACUUM._replace(heat_enable=True, purge_permission=True, zone_sp_c=(200.0,) * 3, zone_op_pct=(100.0,) * 3, rate_limit_c_per_min=5.0)


class Master:
    """Sends a block in every scan, as the controller does."""

    def __init__(self, plc: SoftPlc, number: int = 7, epoch: int = 1) -> None:
        self.plc, self.number, self.epoch, self.counter = plc, number, epoch, 0

    def registers(self, outputs: Outputs, **changed: int) -> list[int]:
        self.counter += 1
        plain = Block(self.epoch, self.counter, self.number, self.plc.alive, outputs)
        return list(block.encode(plain._replace(**changed)))

    def run(self, outputs: Outputs, seconds: float, dt_s: float = 1.0, until: Callable[[], bool] = lambda: False) -> None:
        for _ in range(round(seconds / dt_s)):
            assert self.plc.receive(self.registers(outputs)) == Reason.OK
            self.plc.scan(dt_s)
            if until():
                return

    def purge(self, cycles: int = 2) -> None:
        for _ in range(cycles):
            self.run(VACUUM, 900, until=lambda: self.plc.values["pressure_cap_mbar"] < 40.0)
            self.run(BACKFILL, 900, until=lambda: self.plc.values["pressure_cap_mbar"] > 400.0)

    def heat_up(self, outputs: Outputs = HEAT, seconds: float = 60.0) -> None:
        self.purge()
        self.run(VACUUM, 200)
        self.run(VACUUM._replace(reset=True), 2)
        self.run(VACUUM, 2)
        self.run(outputs, seconds)


def oven(settings: Settings | None = None, roll: Roll | None = None) -> tuple[SoftPlc, Master]:
    plc = SoftPlc(WIRING, Plant(roll=roll, seed=1), settings)
    return plc, Master(plc)


def scans(plc: SoftPlc, seconds: float) -> None:
    for _ in range(round(seconds)):
        plc.scan(1.0)


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


# ---- trips ----


@pytest.mark.parametrize("fault", ["estop", "limiter", "door_forced"])
def test_a_trip_latches_until_reset_permission_and_a_new_heat_edge(fault: str) -> None:
    plc, master = oven()
    master.heat_up()
    inject(plc, fault)
    master.run(HEAT, 3)
    assert plc.state is PlcState.TRIPPED
    assert plc.values["plc_tripped"]
    master.run(VACUUM._replace(reset=True, purge_permission=True), 2)
    assert plc.values["plc_tripped"]  # its cause is still there
    clear(plc, fault)
    master.run(HEAT, 5)
    assert not plc.actuators.heats
    master.run(VACUUM._replace(reset=True, purge_permission=True), 2)
    assert not plc.values["plc_tripped"]
    assert plc.state is PlcState.FOLLOWING


def test_over_temperature_trips_on_three_scans() -> None:
    plc, master = oven()
    master.heat_up()
    plc.plant.instruments.distortions |= {name: (lambda value, at_s: 300.0) for name in ("z2_tc_a_c", "z2_tc_b_c")}
    master.run(HEAT, 2)
    assert not plc.values["plc_tripped"]
    assert not plc.actuators.heats
    master.run(HEAT, 1)
    assert plc.values["plc_tripped"]


def test_abort_never_heats_and_asks_for_a_reset() -> None:
    plc, master = oven()
    master.heat_up()
    master.run(HEAT._replace(mode=Mode.ABORT), 2)
    assert not plc.actuators.heats
    assert plc.actuators.vac_valve  # the inerting goes on
    master.run(HEAT, 3)
    assert not plc.actuators.heats


def test_cool_never_heats() -> None:
    plc, master = oven()
    master.heat_up()
    master.run(HEAT._replace(mode=Mode.COOL), 2)
    assert not plc.actuators.heats
    assert plc.actuators.cooling


# ---- valves and doors ----


@pytest.mark.parametrize(
    "both",
    [VACUUM._replace(n2_valve=True, n2_flow_sp_nm3_h=60.0), VACUUM._replace(vent_valve=True)],
    ids=["N2 and vacuum", "vent and vacuum"],
)
def test_a_forbidden_pair_is_never_open(both: Outputs) -> None:
    plc, master = oven()
    master.run(VACUUM, 60)
    for _ in range(30):
        master.run(both, 1)
        a, field = plc.actuators, plc.plant.field
        assert not (a.vac_valve and (a.n2_valve or a.vent_valve))
        assert not (field.vac.position > 0.05 and (field.n2.position > 0.05 or field.vent.position > 0.05))


def test_vent_and_door_stay_shut_on_a_hot_load() -> None:
    plc, master = oven(roll=Roll())
    master.heat_up(HEAT, 3000)
    assert plc.guards.hot
    master.run(BACKFILL, 600, until=lambda: plc.values["pressure_cap_mbar"] > 1000.0)
    master.run(RUN._replace(vent_valve=True, door_release=True), 10)
    assert plc.actuators.door_locked
    assert not plc.actuators.vent_valve


def test_a_cold_load_needs_two_cycles_since_the_heat_before_air() -> None:
    plc, master = oven(roll=Roll())
    master.heat_up(HEAT._replace(zone_sp_c=(40.0,) * 3), 120)
    assert not plc.guards.hot
    master.run(BACKFILL, 600, until=lambda: plc.values["pressure_cap_mbar"] > 900.0)
    master.run(RUN._replace(vent_valve=True), 5)
    assert not plc.actuators.vent_valve
    master.purge(2)
    master.run(RUN, 3)
    master.run(RUN._replace(vent_valve=True), 60)
    assert plc.actuators.vent_valve
    master.run(RUN._replace(door_release=True), 3)
    assert plc.plant.open_door()


def test_the_door_opens_in_air_when_nothing_was_heated_but_not_under_vacuum() -> None:
    plc, master = oven()
    master.run(OFF._replace(door_release=True), 3)
    assert not plc.values["door_locked"]
    plc, master = oven()
    master.run(VACUUM, 60)
    master.run(RUN._replace(door_release=True), 5)
    assert plc.values["door_locked"]


def test_no_nitrogen_into_an_open_room() -> None:
    plc, master = oven()
    master.run(OFF._replace(door_release=True), 3)
    assert plc.plant.open_door()
    master.run(BACKFILL, 5)
    assert not plc.actuators.n2_valve


def test_backfill_stops_by_itself_above_atmosphere() -> None:
    plc, master = oven()
    master.run(BACKFILL, 300)
    assert plc.plant.chamber.pressure_pa < 1.1e5
    assert not plc.values["plc_tripped"]


def test_off_on_a_hot_load_keeps_the_inerting() -> None:
    plc, master = oven(roll=Roll())
    master.heat_up(HEAT, 3000)
    master.run(OFF, 5)
    assert not plc.actuators.heats
    assert plc.actuators.vac_valve
    assert plc.actuators.exhaust_fan


# ---- faults ----


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_can_come_and_go(name: str) -> None:
    plc, master = oven(roll=Roll())
    master.run(VACUUM, 20)
    inject(plc, name)
    scans(plc, 4)
    assert len(plc.image()) == WIRING.registers
    clear(plc, name)
    scans(plc, 2)
    assert not plc.plant.instruments.distortions
    assert plc.plant.field.vac.stuck_at is None


def test_a_write_can_be_acknowledged_and_ignored() -> None:
    plc, master = oven()
    inject(plc, "plc_write_ignored")
    assert plc.receive(master.registers(OFF)) == Reason.OK
    assert plc.block is None


def test_a_stopped_plc_drives_nothing_and_its_alive_counter_stands() -> None:
    plc, master = oven()
    master.heat_up()
    alive = plc.values["plc_alive"]
    inject(plc, "plc_stopped")
    scans(plc, 3)
    assert plc.values["plc_alive"] == alive
    assert not plc.actuators.main_contactor


def test_a_shorted_thyristor_heats_at_zero_output_only_while_the_contactors_are_closed() -> None:
    plc, master = oven()
    direct = HEAT._replace(direct_output=True, zone_op_pct=(0.0, 0.0, 0.0))
    master.heat_up(direct, 5)
    inject(plc, "thyristor_shorted")
    before_j = plc.plant.heaters.heated_j
    master.run(direct, 60)
    assert plc.plant.heaters.heated_j - before_j == pytest.approx(12e3 * 60.0, rel=0.02)
    master.run(VACUUM, 2)
    before_j = plc.plant.heaters.heated_j
    master.run(VACUUM, 10)
    assert plc.plant.heaters.heated_j == before_j


@pytest.mark.parametrize("most_pct", [0.0, 15.0, 60.0])
def test_the_plcs_own_loops_give_no_more_than_the_block_allows(most_pct: float) -> None:
    plc, master = oven()
    limited = HEAT._replace(zone_op_pct=(most_pct,) * 3)
    master.heat_up(limited, 5)
    given: list[float] = []
    for _ in range(120):
        master.run(limited, 1)
        given += plc.actuators.zone_op_pct
    assert max(given) == pytest.approx(most_pct)  # 200 degC ahead of a cold oven: it would take all there is


def test_settings_are_the_plcs_own() -> None:
    plc, master = oven(replace(Settings(), watchdog_s=10.0))
    master.run(OFF, 2)
    scans(plc, 8)
    assert plc.state is PlcState.IDLE
    scans(plc, 1)
    assert plc.state is PlcState.WATCHDOG_SAFE
