"""The judge: each unsafe state is raised by a situation built for it, and an ordinary batch raises none."""

from collections.abc import Callable
from dataclasses import replace
from math import nan
from pathlib import Path

import pytest

from controller import block, wiring
from controller.block import Block, Reason
from controller.image import OFF, Mode, Outputs
from sim.faults import inject
from sim.judge import CURE, SOAK, Judge, Unsafe
from sim.plant import Plant, Roll
from sim.plc_guards import GuardSettings
from sim.plc_loops import LoopSettings
from sim.softplc import Settings, SoftPlc

WIRING = wiring.load(Path(__file__).parents[1] / "deploy" / "wiring.toml")
RUN = OFF._replace(mode=Mode.RUN, batch_id=12, recipe_crc=0xC0FFEE, exhaust_fan=True, condenser=True, circulation=True)
VACUUM = RUN._replace(pump=True, roots=True, vac_valve=True, vac_throttle_pct=100.0)
BACKFILL = RUN._replace(n2_valve=True, n2_flow_sp_nm3_h=60.0)
FLOW = BACKFILL._replace(exhaust_valve=True)
HEAT = VACUUM._replace(heat_enable=True, purge_permission=True, zone_sp_c=(120.0,) * 3, zone_op_pct=(100.0,) * 3, rate_limit_c_per_min=5.0)
# A PLC that trusts: everything the judge looks for gets through to the plant.
BLIND = GuardSettings(
    purge_cycles=0, o2_pct=30.0, lost_s=1e9, air_s=1e9, undecided_s=1e9, hot_c=1e9, ambient_band_mbar=1e9, unlocked_band_mbar=1e9,
    breathable_pct=0.0, unlocked_o2_pct=0.0, sweep_least_s=0.0, sweep_s=0.0,
)  # fmt: skip


class Bench:
    """One master, the soft PLC and the judge; ``codes`` is what the judge has found."""

    def __init__(self, settings: Settings | None = None, roll: Roll | None = None) -> None:
        self.plc = SoftPlc(WIRING, Plant(roll=roll or Roll(length_m=5.0), seed=1), settings)
        self.judge = Judge()
        self.found: list[Unsafe] = []
        self.counter = 0

    @property
    def codes(self) -> set[str]:
        return {unsafe.code for unsafe in self.found}

    def send(self, outputs: Outputs, **changed: int) -> Reason:
        self.counter += 1
        return self.plc.receive(block.encode(Block(1, self.counter, 7, self.plc.alive, outputs)._replace(**changed)))

    def scan(self, tamper: Callable[[SoftPlc], None] | None = None) -> None:
        self.plc.scan(1.0)
        if tamper is not None:
            tamper(self.plc)
        self.found += self.judge.look(self.plc, self.plc.at_s, 1.0)

    def run(
        self, outputs: Outputs, seconds: int, tamper: Callable[[SoftPlc], None] | None = None, until: Callable[[], bool] = lambda: False
    ) -> None:
        for _ in range(seconds):
            assert self.send(outputs) == Reason.OK
            self.scan(tamper)
            if until():
                return

    def purge(self) -> None:
        for _ in range(2):
            self.run(VACUUM, 900, until=lambda: self.plc.values["pressure_cap_mbar"] < 20.0)
            self.run(BACKFILL, 900, until=lambda: self.plc.values["pressure_cap_mbar"] > 900.0)

    def heat_up(self, outputs: Outputs = HEAT, seconds: int = 30) -> None:
        cold = outputs._replace(heat_enable=False, purge_permission=False)
        self.purge()
        self.run(cold, 200)
        self.run(cold._replace(reset=True), 2)
        self.run(cold, 2)
        self.run(outputs, seconds)
        assert self.plc.actuators.heats


def drive_heat(plc: SoftPlc) -> None:
    plc.actuators.main_contactor = plc.actuators.zone_contactors = True
    plc.actuators.zone_op_pct = (20.0, 20.0, 20.0)


def test_an_ordinary_batch_is_safe() -> None:
    bench = Bench()
    bench.heat_up(HEAT, 2400)
    for second in range(300):
        bench.run(HEAT._replace(phase_kind=SOAK, phase_index=4, soak_s=float(second)), 1)
    bench.run(FLOW._replace(mode=Mode.COOL), 20000, until=lambda: bench.plc.plant.load_max_c < 55.0)
    bench.run(RUN, 10)
    bench.run(RUN._replace(vent_valve=True), 60)
    bench.run(OFF._replace(door_release=True), 5)
    assert bench.plc.values["door_locked"]
    bench.run(RUN._replace(vent_valve=True, exhaust_valve=True), 400)
    bench.run(OFF._replace(door_release=True), 5)
    assert not bench.plc.values["door_locked"]
    assert bench.found == []


def test_u1_heat_with_solvent_and_no_proof() -> None:
    bench = Bench()
    bench.run(VACUUM, 300)
    bench.run(VACUUM, 5, drive_heat)
    assert "U1" in bench.codes


def test_u1_heat_with_solvent_in_air_after_the_grace() -> None:
    bench = Bench(Settings(guards=BLIND))
    still_air = RUN._replace(
        heat_enable=True, purge_permission=True, zone_sp_c=(60.0,) * 3, zone_op_pct=(100.0,) * 3, rate_limit_c_per_min=5.0
    )
    bench.run(RUN, 2)
    bench.run(RUN._replace(reset=True), 1)
    bench.run(RUN, 1)
    bench.run(still_air, 30)
    assert "U1" not in bench.codes
    bench.run(still_air, 5)
    assert "U1" in bench.codes


def test_u1_an_empty_oven_may_heat_in_air() -> None:
    plc = SoftPlc(WIRING, Plant())
    judge = Judge()
    for _ in range(60):
        plc.scan(1.0)
        drive_heat(plc)
        assert all(unsafe.code != "U1" for unsafe in judge.look(plc, plc.at_s, 1.0))


def test_u2_heat_later_than_the_watchdog() -> None:
    bench = Bench(Settings(watchdog_enabled=False))
    bench.heat_up()
    for _ in range(5):  # with the scan after the last block these are 6 s
        bench.scan()
    assert "U2" not in bench.codes
    bench.scan()
    assert "U2" in bench.codes


def test_u2_is_not_raised_with_the_watchdog_on() -> None:
    bench = Bench()
    bench.heat_up()
    for _ in range(60):
        bench.scan()
    assert bench.codes == set()


def blind_zone_1(plc: SoftPlc) -> None:
    plc.readings = plc.readings._replace(z1_tc_a_c=nan, z1_tc_b_c=nan)
    drive_heat(plc)


def test_u3_heat_in_a_zone_without_sensors() -> None:
    bench = Bench()
    bench.heat_up()
    bench.run(HEAT, 4, blind_zone_1)
    assert "U3" not in bench.codes
    bench.run(HEAT, 3, blind_zone_1)
    assert "U3" in bench.codes


def test_u3_the_plcs_own_permissive_prevents_it() -> None:
    bench = Bench()
    bench.heat_up()
    inject(bench.plc, "tc_two_open")
    bench.run(HEAT, 60)
    assert bench.codes == set()


@pytest.mark.parametrize("opening", ["vent_valve", "door_release"])
def test_u4_air_on_a_hot_load(opening: str) -> None:
    bench = Bench(Settings(guards=BLIND))
    bench.heat_up(HEAT, 2000)
    bench.run(BACKFILL, 600, until=lambda: bench.plc.values["pressure_cap_mbar"] > 1000.0)
    bench.run(RUN, 5)
    bench.run(RUN._replace(**{opening: True}), 5)
    assert "U4" in bench.codes


def test_u4_the_door_under_vacuum() -> None:
    bench = Bench(Settings(guards=BLIND))
    bench.run(VACUUM, 60)
    bench.run(RUN, 5)
    bench.run(RUN._replace(door_release=True), 2)
    assert "U4" in bench.codes


def test_u4_the_door_on_n2() -> None:
    bench = Bench(Settings(guards=BLIND))
    bench.purge()
    bench.run(BACKFILL, 300, until=lambda: bench.plc.values["pressure_cap_mbar"] > 1005.0)
    bench.run(RUN, 10)
    assert bench.codes == set()
    bench.run(RUN._replace(door_release=True), 2)
    assert [(unsafe.code, "vol% O2" in unsafe.text) for unsafe in bench.found] == [("U4", True)]


def test_u4_air_into_vapour() -> None:
    bench = Bench(Settings(guards=GuardSettings(sweep_least_s=0.0)))
    bench.plc.plant.chamber.add(0.5, 0.0)
    bench.run(OFF._replace(door_release=True), 2)
    assert "U4" in bench.codes


def test_u5_a_block_beyond_the_equipment() -> None:
    bench = Bench()
    bench.heat_up()
    bench.run(HEAT._replace(zone_sp_c=(120.0, 261.0, 120.0)), 1)
    bench.run(HEAT, 1)
    bench.run(HEAT._replace(rate_limit_c_per_min=11.0), 1)
    assert [unsafe.code for unsafe in bench.found] == ["U5", "U5"]


def test_u5_a_plc_that_does_not_clamp() -> None:
    bench = Bench(Settings(loops=LoopSettings(max_rate_c_per_min=30.0)))
    bench.heat_up()
    bench.run(HEAT._replace(rate_limit_c_per_min=30.0), 1)
    assert any("applied" in unsafe.text for unsafe in bench.found)


@pytest.mark.parametrize("fault", ["exhaust_lost", "condenser_lost"])
def test_u6_heat_without_its_services(fault: str) -> None:
    bench = Bench(Settings(guards=replace(GuardSettings(), lost_s=1e9)))
    bench.heat_up()
    inject(bench.plc, fault)
    bench.run(HEAT, 8)
    assert "U6" not in bench.codes
    bench.run(HEAT, 5)
    assert "U6" in bench.codes


def test_u6_circulation_is_needed_in_gas_only() -> None:
    bench = Bench(Settings(guards=replace(GuardSettings(), lost_s=1e9)))
    bench.heat_up()
    inject(bench.plc, "circulation_lost")
    bench.run(HEAT, 20)
    assert bench.codes == set()
    gas = FLOW._replace(heat_enable=True, purge_permission=True, zone_sp_c=(120.0,) * 3, zone_op_pct=(100.0,) * 3, rate_limit_c_per_min=5.0)
    bench.run(gas, 120)
    assert "U6" in bench.codes


def test_u7_a_forbidden_pair_driven() -> None:
    bench = Bench()

    def both(plc: SoftPlc) -> None:
        plc.actuators.vac_valve = plc.actuators.n2_valve = True

    bench.run(VACUUM, 5)
    assert bench.codes == set()
    bench.run(VACUUM, 1, both)
    assert "U7" in bench.codes


def test_u7_a_pair_that_is_truly_open() -> None:
    bench = Bench()
    bench.run(VACUUM, 10)
    bench.plc.plant.field.n2.stuck_at = 1.0
    bench.run(VACUUM, 3)
    assert bench.codes == set()  # the PLC shuts the vacuum valve meanwhile
    bench = Bench()
    bench.plc.plant.field.n2.stuck_at = bench.plc.plant.field.vac.stuck_at = 1.0
    bench.run(RUN, 8)
    assert "U7" in bench.codes


def test_u8_run_without_a_batch() -> None:
    bench = Bench()
    bench.run(RUN, 2)
    assert bench.codes == set()
    assert bench.send(RUN._replace(batch_id=0)) == Reason.NO_BATCH
    bench.scan()
    assert bench.codes == set()

    def slipped_through(plc: SoftPlc) -> None:
        plc.taken = [Block(1, 99, 7, plc.alive, RUN._replace(recipe_crc=0))]

    bench.run(RUN, 1, slipped_through)
    assert "U8" in bench.codes


def test_u9_two_masters_in_one_lease() -> None:
    bench = Bench()
    bench.run(RUN, 3)
    assert bench.send(RUN, master=8) == Reason.LEASE_HELD
    bench.scan()
    assert bench.codes == set()
    bench.plc.lease = 0  # a PLC that forgets who holds it
    assert bench.send(RUN, master=8) == Reason.OK
    bench.scan()
    assert bench.codes == {"U9"}


def test_u9_a_free_lease_may_change_hands() -> None:
    bench = Bench()
    bench.run(RUN, 3)
    for _ in range(6):
        bench.scan()
    assert bench.send(RUN, master=8) == Reason.OK
    bench.scan()
    assert bench.codes == set()


@pytest.mark.parametrize("event", ["trip", "abort", "power"])
def test_u10_heat_back_without_permission(event: str) -> None:
    bench = Bench()
    bench.heat_up()
    if event == "trip":
        inject(bench.plc, "estop")
        bench.run(HEAT, 2)
    elif event == "abort":
        bench.run(HEAT._replace(mode=Mode.ABORT), 2)
    else:
        bench.plc.power_cycle()
    bench.run(HEAT, 3)
    assert bench.codes == set()
    bench.run(HEAT, 1, drive_heat)
    assert "U10" in bench.codes


def test_u10_reset_and_permission_are_enough() -> None:
    bench = Bench()
    bench.heat_up()
    bench.run(HEAT._replace(mode=Mode.ABORT), 2)
    bench.run(VACUUM._replace(reset=True), 2)
    bench.run(VACUUM, 2)
    bench.run(HEAT, 5)
    assert bench.plc.actuators.heats
    assert bench.codes == set()


def test_u11_a_command_from_an_old_image() -> None:
    bench = Bench(Settings(stale_s=1e9))
    bench.run(RUN, 10)
    assert bench.send(RUN, source_alive=bench.plc.alive - 3) == Reason.OK
    bench.scan()
    assert bench.codes == set()
    assert bench.send(RUN, source_alive=bench.plc.alive - 4) == Reason.OK
    bench.scan()
    assert bench.codes == {"U11"}


def test_u11_a_direct_output_from_bad_inputs() -> None:
    bench = Bench()
    direct = HEAT._replace(direct_output=True, zone_op_pct=(10.0,) * 3)
    bench.heat_up(direct)
    bench.run(direct, 7, blind_zone_1)
    assert "U11" in bench.codes


@pytest.mark.parametrize("kind", [SOAK, CURE])
def test_u12_soak_time_out_of_band(kind: int) -> None:
    bench = Bench()
    bench.heat_up()  # far below the set point still
    for second in range(40):
        bench.run(HEAT._replace(phase_kind=kind, phase_index=4, soak_s=float(second)), 1)
        assert ("U12" in bench.codes) == (second > 31)


def test_u12_time_that_does_not_count_may_be_anywhere() -> None:
    bench = Bench()
    bench.heat_up()
    bench.run(HEAT._replace(phase_kind=SOAK, phase_index=4, soak_s=17.0), 120)
    bench.run(HEAT._replace(phase_kind=5, phase_index=5, soak_s=17.0), 120)
    assert bench.codes == set()


def test_u12_soak_time_on_bad_data() -> None:
    bench = Bench()
    bench.heat_up(HEAT, 2400)
    inject(bench.plc, "tc_two_open")
    for second in range(14):
        bench.run(HEAT._replace(phase_kind=SOAK, phase_index=4, soak_s=float(second)), 1)
    assert "U12" in bench.codes


def test_an_unsafe_state_is_reported_once_per_episode() -> None:
    bench = Bench()
    bench.run(VACUUM, 20, drive_heat)
    once = [unsafe.code for unsafe in bench.found]
    assert once.count("U1") == 1
    bench.run(VACUUM, 2)
    bench.run(VACUUM, 2, drive_heat)
    assert [unsafe.code for unsafe in bench.found].count("U1") == 2
