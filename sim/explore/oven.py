"""The exploration's oven: gas and heat in the chamber as bands, which follow the last outputs or do not, and one disturbance at a time.

The bands are those that rows and recipes compare with: gas as air, vacuum or N2 with the pressure and O2 that belong to each, walls and
load cold or at the recipe's temperature. The chamber may stay as it is or follow a valve, a pump or the heaters, whichever way the next
scan finds it. A disturbance changes the image only while it stands; that it stays is the next edge's same disturbance.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from controller.block import SIGNATURE, HeatBlock, PlcState
from controller.image import OWN_SIGNALS, SIGNALS, Inputs, Outputs
from controller.tags import Quality, Sample
from sim.explore.recipe import TARGET_C

AT_S: Final = 1e5  # every scan of the exploration stands at this process time; timers are regions, so that only dt_s counts
BOOT_ID: Final = 7
SCAN_S: Final = 1.0
SHORT_S: Final = 12.0  # beyond every debounce
MINUTES_S: Final = 100.0
PHASE_S: Final = 1200.0  # beyond every duration of a phase, T_hold, what may last for minutes, and the wash of an ended unit
LONG_S: Final = 8000.0  # beyond every limit
_BAD: Final = Sample[float](None, Quality.BAD_WIRE, AT_S)
_WALLS: Final = tuple(f"z{zone}_{sensor}_c" for zone in (1, 2, 3) for sensor in ("tc_a", "tc_b", "tc_c", "limit"))
_TEMPS: Final = (*_WALLS, "load_outer_c", "load_edge_c", "load_core_c")
_GAS: Final[dict[str, tuple[float, float]]] = {"air": (1013.0, 20.9), "vacuum": (8.0, 0.1), "N2": (1012.0, 0.005)}  # mbar, O2 in vol%
_COLD_C: Final = 23.0
Changed = Mapping[str, float | bool | None]
NO_CHANGE: Final[Changed] = {}  # a plain mapping, which goes to worker processes


class Oven(NamedTuple):
    """What the chamber holds: ``gas`` is air, vacuum or N2."""

    gas: str = "air"
    hot: bool = False


class Cause(NamedTuple):
    """A disturbance: what it changes of image and oven, how long it stands at a time; None breaks a signal, ``lost`` the wire."""

    name: str
    changed: Changed = NO_CHANGE
    steps_s: tuple[float, ...] = (SHORT_S,)
    gas: str = ""
    hot: bool | None = None
    belief: str = ""
    lost: bool = False

    def of(self, oven: Oven) -> Oven:
        """Return what the disturbance makes of the oven."""
        return Oven(self.gas or oven.gas, oven.hot if self.hot is None else self.hot)


def follows(oven: Oven, last: Outputs) -> Iterator[Oven]:
    """Yield the ovens that the next scan may find when the chamber has followed ``last``."""
    if oven.gas != "vacuum" and last.vac_valve and last.pump:
        yield oven._replace(gas="vacuum")
    if oven.gas != "N2" and last.n2_valve:
        yield oven._replace(gas="N2")
    if oven.gas != "air" and last.vent_valve:
        yield oven._replace(gas="air")
    if not oven.hot and last.heat_enable:
        yield oven._replace(hot=True)
    if oven.hot:
        yield oven._replace(hot=False)


def _every(names: tuple[str, ...], value: float | bool | None) -> Changed:
    return dict.fromkeys(names, value)


CALM: Final = Cause("", steps_s=(SCAN_S, SHORT_S, PHASE_S, LONG_S))
RIPE: Final = Cause("endpoint reached", steps_s=(PHASE_S,), belief="ripe")  # no disturbance: a cure ends by it
LOST: Final = Cause("wire lost", steps_s=(SCAN_S, SHORT_S, MINUTES_S), lost=True)
_GAUGES: Final = ("pressure_cap_mbar", "pressure_pirani_mbar")
_DOOR: Final = ("door_closed_a", "door_closed_b", "door_locked")
_SWITCHES: Final = ("vac_valve_open", "vac_valve_closed", "n2_valve_open", "n2_valve_closed")
_OTHER_SWITCHES: Final = ("vent_valve_open", "vent_valve_closed", "exhaust_valve_open", "exhaust_valve_closed")
# A few of the ways in which rows act, then the others; ``tests/test_exploration.py`` says which rows they raise.
FEW: Final = (
    LOST,
    Cause("emergency stop", {"estop_ok": False}, (SCAN_S,)),
    Cause("circulation lost", {"circulation_run": False}, (SHORT_S, PHASE_S)),
    Cause("PLC in its safe state", {"plc_state": float(PlcState.WATCHDOG_SAFE), "plc_lease": 0.0}, (SCAN_S,)),
    Cause("PLC restarted", {"plc_boot_id": float(BOOT_ID + 1)}, (SCAN_S,)),
    Cause("air leaks in", gas="air", steps_s=(SCAN_S, SHORT_S)),
    Cause("door open", _every(_DOOR, False), (SCAN_S,), gas="air"),
    Cause("N2 supply low", {"n2_header_bar": 2.0}),
    Cause("two thermocouples of a zone open", {"z1_tc_a_c": None, "z1_tc_b_c": None}),
    Cause("solvent too fast", belief="fast", steps_s=(PHASE_S,)),
)
MORE: Final = (
    Cause("excess-temperature limiter", {"overtemp_ok": False}, (SCAN_S,)),
    Cause("door not locked", {"door_locked": False}),
    Cause("relief lifted", {"relief_ok": False}, (SCAN_S,)),
    Cause("gauges contradict", {"pressure_pirani_mbar": 40.0}, (MINUTES_S,)),
    Cause("no pressure", _every(_GAUGES, None)),
    Cause("O2 high", {"o2_pct": 3.0}, (SHORT_S, MINUTES_S)),
    Cause("O2 above the recipe's limit", {"o2_pct": 0.5}, (MINUTES_S,)),
    Cause("O2 analyser not ready", {"o2_ready": False}, (MINUTES_S, LONG_S)),
    Cause("N2 gone", {"n2_header_bar": 0.5}, (MINUTES_S,)),
    Cause("pump trip", {"pump_run": False}),
    Cause("solvent vapour", {"exhaust_lel_pct": 30.0}),
    Cause("solvent vapour dangerous", {"exhaust_lel_pct": 60.0}),
    Cause("cold trap full", {"condensate_kg": 16.0}, (SHORT_S, MINUTES_S)),
    Cause("O2 in the room low", {"room_o2_pct": 17.0}),
    Cause("a load thermocouple open", {"load_core_c": None}),
    Cause("limit thermocouple far off", {"z1_limit_c": 60.0}, (SHORT_S, PHASE_S)),
    Cause("zones far above", _every(_WALLS, TARGET_C + 50.0), hot=True),
    Cause("local", {"remote": False}, (SCAN_S,)),
    Cause("PLC's watchdog off", {"plc_watchdog_s": 0.0}, (SCAN_S,)),
    Cause("journal not written", {"journal_ok": False}),
    Cause("disk full", {"disk_free_pct": 1.0}),
    Cause("recipe not the approved one", {"recipe_ok": False}, (SCAN_S,)),
    Cause("switches of vacuum and N2 valve contradict", _every(_SWITCHES, True)),
    Cause("switches of vent and exhaust contradict", _every(_OTHER_SWITCHES, True)),
    Cause("contactor welded", {"main_contactor": True}),
    Cause("PLC refuses heat", {"plc_heat_permitted": False, "plc_heat_block": float(HeatBlock.PURGE)}),
    Cause("model not valid", belief="invalid", steps_s=(MINUTES_S, PHASE_S)),
    Cause("film would blister", belief="blister", steps_s=(MINUTES_S,)),
)
ALL: Final = (*FEW, *MORE)


def both(one: Cause, other: Cause) -> Cause | None:
    """Return two disturbances that stand together, None where they contradict each other."""
    clash = one.changed.keys() & other.changed.keys() or (one.gas and other.gas) or (one.belief and other.belief) or one.lost or other.lost
    if clash or (one.hot is not None and other.hot is not None):
        return None
    hot = other.hot if one.hot is None else one.hot
    longest = max(*one.steps_s, *other.steps_s)
    return Cause(f"{one.name} + {other.name}", {**one.changed, **other.changed}, (longest,), one.gas or other.gas, hot,
                 one.belief or other.belief)  # fmt: skip


PAIRS: Final = tuple(pair for one in ALL for other in ALL if one.name < other.name and (pair := both(one, other)) is not None)
_CAUSES: Final[dict[str, Cause]] = {cause.name: cause for cause in (CALM, RIPE, *ALL, *PAIRS)}
_IMAGES: Final[dict[Inputs, Inputs]] = {}
_STILL: Final[dict[str, float]] = {  # of the calm oven; every other number is 0, every other bit False
    "n2_header_bar": 6.0, "n2_reserve_nm3": 500.0, "o2_sample_flow_l_min": 1.0, "room_o2_pct": 20.9, "exhaust_flow_m3_h": 600.0,
    "condenser_c": -5.0, "cooling_flow_l_min": 50.0, "cooling_c": 18.0, "coldest_wall_c": 23.0, "disk_free_pct": 50.0,
    "plc_signature": float(SIGNATURE), "plc_map_version": 1.0, "plc_serial": 1.0, "plc_alive": 1.0, "plc_boot_id": float(BOOT_ID),
    "plc_state": float(PlcState.FOLLOWING), "plc_watchdog_s": 5.0, "plc_lease": 1.0, "plc_heat_permitted": True, "plc_purge_proven": True,
    **dict.fromkeys(("o2_ready", "o2_cal_ok", "door_closed_a", "door_closed_b", "estop_ok", "hardwired_ok", "overtemp_ok", "relief_ok",
                     "remote", "journal_ok", "gateway_ok", "recipe_ok"), True),
}  # fmt: skip


def image(oven: Oven, cause: Cause, last: Outputs, dt_s: float) -> Inputs:
    """Return what a scan reads: ``oven``, with actuators that have followed ``last``, and ``cause``. Equal images are one object."""
    return _image(oven, cause.name, dt_s, tuple(_followed(last).items()))


@lru_cache(maxsize=262144)
def _image(oven: Oven, name: str, dt_s: float, followed: tuple[tuple[str, float], ...]) -> Inputs:
    found = _read(oven, _CAUSES[name], dt_s, followed)
    return _IMAGES.setdefault(found, found)


def _read(oven: Oven, cause: Cause, dt_s: float, followed: tuple[tuple[str, float], ...]) -> Inputs:
    if cause.lost:
        samples = [Sample(_STILL.get(name, 0.0), Quality.GOOD, AT_S) if name in OWN_SIGNALS else _BAD for name in SIGNALS]
        return Inputs(AT_S, dt_s, *samples)  # type: ignore[arg-type]
    pressure_mbar, o2_pct = _GAS[oven.gas]
    values: dict[str, float | bool | None] = {
        **dict.fromkeys(SIGNALS, 0.0), **_STILL, **dict(followed), **_every(_TEMPS, TARGET_C if oven.hot else _COLD_C),
        **_every(_GAUGES, pressure_mbar), "o2_pct": o2_pct, **cause.changed,
    }  # fmt: skip
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
