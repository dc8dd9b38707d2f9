"""Process images for tests: a calm oven, changed field by field."""

from controller.image import SIGNALS, Inputs
from controller.memory import Settings
from controller.tags import Quality, Sample

CALM = {
    **{f"z{zone}_tc_{sensor}_c": 23.0 for zone in (1, 2, 3) for sensor in "abc"},
    **{f"z{zone}_limit_c": 23.0 for zone in (1, 2, 3)},
    **{f"z{zone}_op_pct": 0.0 for zone in (1, 2, 3)},
    **{f"z{zone}_contactor": False for zone in (1, 2, 3)},
    **{f"z{zone}_sp_applied_c": 23.0 for zone in (1, 2, 3)},
    "main_contactor": False,
    "load_outer_c": 23.0, "load_edge_c": 23.0, "load_core_c": 23.0, "coldest_wall_c": 23.0,
    "pressure_cap_mbar": 1013.0, "pressure_pirani_mbar": 1000.0,
    "pump_run": False, "roots_run": False,
    "vac_valve_open": False, "vac_valve_closed": True, "n2_valve_open": False, "n2_valve_closed": True,
    "vent_valve_open": False, "vent_valve_closed": True, "exhaust_valve_open": False, "exhaust_valve_closed": True,
    "n2_header_bar": 6.0, "n2_flow_nm3_h": 0.0, "n2_reserve_nm3": 500.0,
    "o2_pct": 20.9, "o2_sample_flow_l_min": 1.0, "o2_ready": True, "o2_cal_ok": True, "room_o2_pct": 20.9,
    "exhaust_lel_pct": 0.0, "exhaust_flow_m3_h": 600.0, "exhaust_run": True, "condenser_c": -5.0, "condenser_run": True,
    "condensate_kg": 0.0, "circulation_run": True, "cooling_flow_l_min": 50.0, "cooling_c": 18.0,
    "door_closed_a": True, "door_closed_b": True, "door_locked": True,
    "estop_ok": True, "hardwired_ok": True, "overtemp_ok": True, "relief_ok": True, "remote": True,
    "plc_signature": 0x4F56454E, "plc_map_version": 1, "plc_serial": 4711, "plc_alive": 100, "plc_boot_id": 7, "plc_state": 2,
    "plc_reason": 0, "plc_heat_block": 0, "plc_watchdog_s": 5.0, "plc_lease": 1, "echo_epoch": 1, "echo_counter": 99, "echo_crc": 0,
    "plc_heat_permitted": True, "plc_purge_proven": True, "plc_tripped": False,
    "journal_ok": True, "disk_free_pct": 50.0, "clock_step_s": 0.0, "gateway_ok": True, "proof_due": 0, "recipe_ok": True,
}  # fmt: skip
BAD = object()  # in place of a value: the sensor is broken


def image(at_s: float = 100.0, dt_s: float = 1.0, **changed: object) -> Inputs:
    """Return a calm oven's image with ``changed`` fields; BAD breaks one."""
    values = {**CALM, **changed}
    assert values.keys() == SIGNALS.keys()
    samples = [
        Sample(None, Quality.BAD_SENSOR, at_s) if values[field] is BAD else Sample(values[field], Quality.GOOD, at_s) for field in SIGNALS
    ]
    return Inputs(at_s, dt_s, *samples)


def bare(**sections: object) -> Settings:
    """Return settings of a site that starts batches without a proof test, for tests whose subject is another one."""
    return Settings.model_validate({**sections, "proof_test": {"required": False}})
