"""The exploration's oven: an image of a few boolean causes that answers the last outputs; the PLC's lease and life are causes too."""

from functools import lru_cache
from typing import Final, NamedTuple

from controller.block import SIGNATURE, HeatBlock, PlcState
from controller.image import OWN_SIGNALS, SIGNALS, Inputs, Outputs
from controller.tags import Quality, Sample

AT_S: Final = 1e5  # every scan of the exploration stands at this process time; timers are bucketed, so that only dt_s counts
BOOT_ID: Final = 7
_BAD: Final = Sample[float](None, Quality.BAD_WIRE, AT_S)


class Cause(NamedTuple):
    """One circumstance: what it changes against the calm oven; None breaks a signal, ``lost`` breaks the wire."""

    name: str
    changed: dict[str, float | bool | None]
    lost: bool = False


_AIR: Final = {"pressure_cap_mbar": 1013.0, "pressure_pirani_mbar": 1013.0, "o2_pct": 20.9}
_VACUUM: Final = {"pressure_cap_mbar": 8.0, "pressure_pirani_mbar": 8.0, "o2_pct": 0.1}
_N2: Final = {"pressure_cap_mbar": 1000.0, "pressure_pirani_mbar": 1000.0, "o2_pct": 0.05}
_TEMPS: Final = (
    *(f"z{zone}_{sensor}_c" for zone in (1, 2, 3) for sensor in ("tc_a", "tc_b", "tc_c", "limit")),
    "load_outer_c", "load_edge_c", "load_core_c",
)  # fmt: skip


def _at(temp_c: float) -> dict[str, float]:
    return dict.fromkeys(_TEMPS, temp_c)


CALM: Final = (
    Cause("cold in air", {**_AIR, **_at(23.0)}),
    Cause("cold in vacuum", {**_VACUUM, **_at(23.0)}),
    Cause("cold in N2", {**_N2, **_at(23.0)}),
    Cause("hot in vacuum", {**_VACUUM, **_at(150.0)}),
    Cause("hot in N2", {**_N2, **_at(150.0)}),
)
_HOT: Final = CALM[3].changed
LOST: Final = Cause("wire lost", {}, lost=True)
DISTURBED: Final = (
    Cause("emergency stop", {**_HOT, "estop_ok": False}),
    LOST,
    Cause("circulation lost", {**_HOT, "circulation_run": False}),
    Cause("N2 supply low", {**_HOT, "n2_header_bar": 1.0}),
    Cause("local", {**_HOT, "remote": False}),
    Cause("PLC in its safe state", {**_HOT, "plc_state": float(PlcState.WATCHDOG_SAFE), "plc_lease": 0.0}),
    Cause("PLC restarted", {**_HOT, "plc_boot_id": float(BOOT_ID + 1)}),
    Cause("PLC refuses heat", {**_HOT, "plc_heat_permitted": False, "plc_heat_block": float(HeatBlock.PURGE)}),
    Cause("contactor welded", {**_HOT, "main_contactor": True}),
    Cause("door open", {**CALM[0].changed, "door_closed_a": False, "door_closed_b": False, "door_locked": False}),
    Cause("vacuum lost while hot", {**_AIR, **_at(150.0)}),
    Cause("two thermocouples of a zone open", {**_HOT, "z1_tc_a_c": None, "z1_tc_b_c": None}),
    Cause("journal not written", {**_HOT, "journal_ok": False}),
    Cause("solvent vapour", {**_HOT, "exhaust_lel_pct": 30.0}),
)
_BY_NAME: Final = {cause.name: cause for cause in (*CALM, *DISTURBED)}
_STILL: Final[dict[str, float]] = {  # of the calm oven; every other number is 0, every other bit False
    "n2_header_bar": 6.0, "n2_reserve_nm3": 500.0, "o2_sample_flow_l_min": 1.0, "room_o2_pct": 20.9, "exhaust_flow_m3_h": 600.0,
    "condenser_c": -5.0, "cooling_flow_l_min": 50.0, "cooling_c": 18.0, "coldest_wall_c": 23.0, "disk_free_pct": 50.0,
    "plc_signature": float(SIGNATURE), "plc_map_version": 1.0, "plc_serial": 1.0, "plc_alive": 1.0, "plc_boot_id": float(BOOT_ID),
    "plc_state": float(PlcState.FOLLOWING), "plc_watchdog_s": 5.0, "plc_lease": 1.0, "plc_heat_permitted": True, "plc_purge_proven": True,
    **dict.fromkeys(("o2_ready", "o2_cal_ok", "door_closed_a", "door_closed_b", "estop_ok", "hardwired_ok", "overtemp_ok", "relief_ok",
                     "remote", "journal_ok", "gateway_ok", "recipe_ok"), True),
}  # fmt: skip


def image(cause: Cause, last: Outputs, dt_s: float) -> Inputs:
    """Return what a scan reads: the calm oven that has followed ``last``, with ``cause``."""
    return _image(cause.name, dt_s, tuple(_followed(last).items()))


@lru_cache(maxsize=4096)
def _image(name: str, dt_s: float, followed: tuple[tuple[str, float], ...]) -> Inputs:
    cause = _BY_NAME[name]
    if cause.lost:
        samples = [Sample(_STILL.get(name, 0.0), Quality.GOOD, AT_S) if name in OWN_SIGNALS else _BAD for name in SIGNALS]
        return Inputs(AT_S, dt_s, *samples)  # type: ignore[arg-type]
    values: dict[str, float | bool | None] = {**dict.fromkeys(SIGNALS, 0.0), **_STILL, **dict(followed), **cause.changed}
    return Inputs(AT_S, dt_s, *[_sample(name, values[name]) for name in SIGNALS])  # type: ignore[arg-type]


def _followed(last: Outputs) -> dict[str, float]:
    return {
        "main_contactor": last.heat_enable, "pump_run": last.pump, "roots_run": last.roots, "exhaust_run": last.exhaust_fan,
        "condenser_run": last.condenser, "circulation_run": last.circulation, "door_locked": not last.door_release,
        "n2_flow_nm3_h": last.n2_flow_sp_nm3_h,
        "vac_valve_open": last.vac_valve, "vac_valve_closed": not last.vac_valve,
        "n2_valve_open": last.n2_valve, "n2_valve_closed": not last.n2_valve,
        "vent_valve_open": last.vent_valve, "vent_valve_closed": not last.vent_valve,
        "exhaust_valve_open": last.exhaust_valve, "exhaust_valve_closed": not last.exhaust_valve,
    }  # fmt: skip


def _sample(name: str, value: float | bool | None) -> Sample[float]:
    if value is None:
        return Sample(None, Quality.BAD_SENSOR, AT_S)
    bit = (SIGNALS[name].low, SIGNALS[name].high) == (0, 1) and SIGNALS[name].unit == ""
    return Sample(bool(value) if bit else value, Quality.GOOD, AT_S)
