"""What the soft PLC guards by itself: trips, valves and doors, and the faults that can be put into it."""

from dataclasses import replace

import pytest

from controller.block import PlcState, Reason
from controller.image import OFF, Mode, Outputs
from sim.faults import FAULTS, clear, inject
from sim.plant import Roll
from sim.softplc import Settings, SoftPlc
from tests.plc_rig import BACKFILL, HEAT, RUN, SWEEP, VACUUM, WIRING, Master, oven, scans

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
    assert not plc.plant.open_door()  # on N2
    master.run(SWEEP, 400)
    master.run(RUN._replace(door_release=True), 3)
    assert plc.plant.open_door()


def inert() -> tuple[SoftPlc, Master]:
    """A cold oven full of N2 at ambient pressure, its door locked."""
    plc, master = oven()
    master.purge(2)
    master.run(BACKFILL, 300, until=lambda: plc.values["pressure_cap_mbar"] > 1005.0)
    master.run(RUN, 10)
    return plc, master


def test_the_door_stays_locked_on_n2_until_air_was_drawn_through_to_what_one_can_breathe() -> None:
    plc, master = inert()
    release = SWEEP._replace(door_release=True)
    master.run(release, 900, until=lambda: not plc.actuators.door_locked)
    assert 19.0 < plc.plant.chamber.o2_pct < 20.0  # the analyser lags
    assert 200.0 < plc.guards._swept_s < 500.0


@pytest.mark.parametrize("fault", ["door_switch"])
def test_one_door_switch_opens_no_door_on_n2(fault: str) -> None:
    plc, master = inert()
    inject(plc, fault)
    assert plc.plant.door_closed
    master.run(RUN._replace(vent_valve=True, door_release=True), 600)
    assert plc.actuators.door_locked
    assert plc.plant.chamber.o2_pct < 1.0


def test_test_gas_in_the_analyser_opens_no_door_on_n2() -> None:
    plc, master = inert()
    plc.plant.instruments.distortions["o2_pct"] = lambda _value, _at_s: 20.9
    master.run(RUN._replace(vent_valve=True, door_release=True), 600)
    assert plc.actuators.door_locked
    master.run(SWEEP._replace(door_release=True), 300)
    assert not plc.actuators.door_locked
    assert plc.plant.chamber.o2_pct > 18.5


def test_n2_that_passes_its_shut_valve_and_a_start_of_the_plc_take_a_sweep_back() -> None:
    plc, master = inert()
    release = RUN._replace(door_release=True)
    master.air()
    plc.plant.instruments.distortions["n2_flow_nm3_h"] = lambda _value, _at_s: 0.8
    master.run(release, 20)
    assert plc.actuators.door_locked
    plc.plant.instruments.distortions.clear()
    master.air()
    master.run(release, 20)
    assert not plc.actuators.door_locked
    plc.power_cycle()
    assert plc.guards._swept_s == 0.0


def test_an_open_vent_alone_lets_no_air_in_where_the_pressure_is_level() -> None:
    plc, master = inert()
    master.run(RUN._replace(vent_valve=True, door_release=True), 1800)
    assert plc.plant.chamber.o2_pct < 1.0
    assert plc.actuators.door_locked


def test_a_lock_that_has_let_go_has_a_deadband_in_o2_and_pressure() -> None:
    plc, master = oven()
    master.air()
    master.run(RUN, 60)
    release = RUN._replace(door_release=True)
    for name, value, locked in (
        *(("o2_pct", 19.4, True), ("o2_pct", 19.6, False), ("o2_pct", 19.1, False), ("o2_pct", 18.9, True), ("o2_pct", 19.6, False)),
        *(("pressure_cap_mbar", 1031.0, False), ("pressure_cap_mbar", 1034.0, True), ("pressure_cap_mbar", 1031.0, True)),
        *(("pressure_cap_mbar", 1028.0, False), ("pressure_cap_mbar", 995.0, False), ("pressure_cap_mbar", 992.0, True)),
    ):
        plc.plant.instruments.distortions[name] = lambda _value, _at_s, shown=value: shown
        master.run(release, 3)
        assert plc.actuators.door_locked is locked, (name, value)


@pytest.mark.parametrize("lost", ["o2_ready", "o2_sample_flow_l_min"])
def test_without_an_o2_reading_a_long_sweep_counts_and_n2_takes_it_back(lost: str) -> None:
    plc, master = inert()
    plc.plant.instruments.distortions[lost] = lambda _value, _at_s: 0.0
    release = SWEEP._replace(door_release=True)
    master.run(release, 880)
    assert plc.actuators.door_locked
    master.run(release, 60)
    assert not plc.actuators.door_locked
    master.run(BACKFILL._replace(exhaust_valve=True), 20)
    master.run(RUN._replace(door_release=True), 20)
    assert plc.actuators.door_locked


def test_behind_an_open_vent_the_weather_is_ambient_pressure() -> None:
    plc, master = oven()
    master.air()
    master.run(RUN, 10)
    plc.plant.instruments.distortions["pressure_cap_mbar"] = lambda _value, _at_s: 980.0
    master.run(RUN._replace(door_release=True), 60)
    assert plc.actuators.door_locked
    master.run(RUN._replace(vent_valve=True, door_release=True), 60)
    assert not plc.actuators.door_locked


def test_the_door_opens_in_air_when_nothing_was_heated_but_not_under_vacuum() -> None:
    plc, master = oven()
    master.run(OFF._replace(door_release=True), 3)
    assert plc.values["door_locked"]  # nobody has seen what is in the chamber since power-on
    master.air()
    master.run(OFF._replace(door_release=True), 10)
    assert not plc.values["door_locked"]
    plc, master = oven()
    master.run(VACUUM, 60)
    master.run(RUN._replace(door_release=True), 5)
    assert plc.values["door_locked"]


def test_no_nitrogen_into_an_open_room() -> None:
    plc, master = oven()
    master.air()
    master.run(OFF._replace(door_release=True), 10)
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
