"""The process image: what a scan reads (Inputs), concludes (Estimate, Verdict), wants (Setpoints) and writes (Outputs).

A signal is one line here and one line in ``deploy/wiring.toml``. OPC UA nodes, MQTT metrics, journal columns and the I/O list are made
from the annotations, so that a name, a unit and a range stand only here.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Annotated as A
from typing import Final, NamedTuple, get_type_hints

from controller.tags import Quality, Sample, Tag, bit, word

F = Sample[float]
B = Sample[bool]
N = Sample[int]


class Inputs(NamedTuple):
    """PV: everything one scan may look at.

    A range that begins a little below zero leaves room for an instrument's zero to drift: 1.25 % of the span, the 3.8 mA of NAMUR NE 43.

    A NamedTuple and not a dataclass because one is made in every scan; ``at_s`` is process time and ``dt_s`` the time since the last scan.
    """

    at_s: float
    dt_s: float

    z1_tc_a_c: A[F, Tag("TT-111A", "degC", -20, 400, "zone 1 control thermocouple A")]
    z1_tc_b_c: A[F, Tag("TT-111B", "degC", -20, 400, "zone 1 control thermocouple B")]
    z1_tc_c_c: A[F, Tag("TT-111C", "degC", -20, 400, "zone 1 control thermocouple C")]
    z1_limit_c: A[F, Tag("TT-112", "degC", -20, 400, "zone 1 limit thermocouple")]
    z1_op_pct: A[F, Tag("JT-113", "%", 0, 100, "zone 1 heater output, applied")]
    z1_contactor: A[B, bit("KS-114", "zone 1 contactor closed")]
    z2_tc_a_c: A[F, Tag("TT-121A", "degC", -20, 400, "zone 2 control thermocouple A")]
    z2_tc_b_c: A[F, Tag("TT-121B", "degC", -20, 400, "zone 2 control thermocouple B")]
    z2_tc_c_c: A[F, Tag("TT-121C", "degC", -20, 400, "zone 2 control thermocouple C")]
    z2_limit_c: A[F, Tag("TT-122", "degC", -20, 400, "zone 2 limit thermocouple")]
    z2_op_pct: A[F, Tag("JT-123", "%", 0, 100, "zone 2 heater output, applied")]
    z2_contactor: A[B, bit("KS-124", "zone 2 contactor closed")]
    z3_tc_a_c: A[F, Tag("TT-131A", "degC", -20, 400, "zone 3 control thermocouple A")]
    z3_tc_b_c: A[F, Tag("TT-131B", "degC", -20, 400, "zone 3 control thermocouple B")]
    z3_tc_c_c: A[F, Tag("TT-131C", "degC", -20, 400, "zone 3 control thermocouple C")]
    z3_limit_c: A[F, Tag("TT-132", "degC", -20, 400, "zone 3 limit thermocouple")]
    z3_op_pct: A[F, Tag("JT-133", "%", 0, 100, "zone 3 heater output, applied")]
    z3_contactor: A[B, bit("KS-134", "zone 3 contactor closed")]
    main_contactor: A[B, bit("KS-101", "main heat contactor closed")]

    load_outer_c: A[F, Tag("TT-201", "degC", -20, 400, "load thermocouple, outer turn")]
    load_edge_c: A[F, Tag("TT-202", "degC", -20, 400, "load thermocouple, roll edge")]
    load_core_c: A[F, Tag("TT-203", "degC", -20, 400, "load thermocouple, winding core")]
    coldest_wall_c: A[F, Tag("TT-204", "degC", -20, 400, "coldest wall of the chamber")]

    pressure_cap_mbar: A[F, Tag("PT-301", "mbar", -15, 1200, "chamber pressure, capacitance gauge")]
    pressure_pirani_mbar: A[F, Tag("PT-302", "mbar", 0, 1200, "chamber pressure, Pirani gauge (gas dependent)")]
    pump_run: A[B, bit("PS-303", "backing pump runs")]
    roots_run: A[B, bit("PS-304", "Roots pump runs")]
    vac_valve_open: A[B, bit("ZSO-311", "vacuum valve open")]
    vac_valve_closed: A[B, bit("ZSC-311", "vacuum valve closed")]
    n2_valve_open: A[B, bit("ZSO-312", "N2 inlet valve open")]
    n2_valve_closed: A[B, bit("ZSC-312", "N2 inlet valve closed")]
    vent_valve_open: A[B, bit("ZSO-313", "air vent valve open")]
    vent_valve_closed: A[B, bit("ZSC-313", "air vent valve closed")]
    exhaust_valve_open: A[B, bit("ZSO-314", "exhaust valve open")]
    exhaust_valve_closed: A[B, bit("ZSC-314", "exhaust valve closed")]

    n2_header_bar: A[F, Tag("PT-401", "bar", 0, 16, "N2 header pressure, gauge")]
    n2_flow_nm3_h: A[F, Tag("FT-402", "Nm3/h", 0, 200, "N2 flow into the chamber")]
    n2_reserve_nm3: A[F, Tag("LT-403", "Nm3", 0, 5000, "N2 reserve in the tank")]
    o2_pct: A[F, Tag("AT-501", "vol%", -0.3, 25, "O2 in the chamber gas")]
    o2_sample_flow_l_min: A[F, Tag("FT-502", "l/min", 0, 5, "sample flow through the O2 analyser")]
    o2_ready: A[B, bit("AS-503", "O2 analyser warm and without fault")]
    o2_cal_ok: A[B, bit("AS-504", "O2 analyser inside its calibration interval")]
    room_o2_pct: A[F, Tag("AT-505", "vol%", 0, 25, "O2 in the room")]

    exhaust_lel_pct: A[F, Tag("AT-601", "%", -1.25, 100, "solvent vapour in the exhaust, percent of LEL")]
    exhaust_flow_m3_h: A[F, Tag("FT-602", "m3/h", 0, 2000, "exhaust duct flow")]
    exhaust_run: A[B, bit("PS-603", "exhaust fan runs")]
    condenser_c: A[F, Tag("TT-604", "degC", -40, 150, "condenser temperature")]
    condenser_run: A[B, bit("PS-605", "condenser chiller runs")]
    condensate_kg: A[F, Tag("WT-606", "kg", -1, 100, "condensate collected since the trap was emptied")]
    circulation_run: A[B, bit("PS-607", "circulation fan runs")]
    cooling_flow_l_min: A[F, Tag("FT-608", "l/min", 0, 200, "cooling water flow")]
    cooling_c: A[F, Tag("TT-609", "degC", -20, 100, "cooling water return")]

    door_closed_a: A[B, bit("ZS-701A", "door closed, switch A")]
    door_closed_b: A[B, bit("ZS-701B", "door closed, switch B")]
    door_locked: A[B, bit("ZS-702", "door locked")]
    estop_ok: A[B, bit("ES-703", "emergency stop not pressed")]
    hardwired_ok: A[B, bit("ES-704", "hard-wired heat chain closed")]
    overtemp_ok: A[B, bit("TSH-705", "independent excess-temperature limiter healthy")]
    relief_ok: A[B, bit("PSH-706", "over-pressure relief not lifted")]
    remote: A[B, bit("HS-707", "local/remote switch in remote")]

    z1_sp_applied_c: A[F, Tag("TY-115", "degC", -20, 400, "zone 1 set point the PLC works with")]
    z2_sp_applied_c: A[F, Tag("TY-125", "degC", -20, 400, "zone 2 set point the PLC works with")]
    z3_sp_applied_c: A[F, Tag("TY-135", "degC", -20, 400, "zone 3 set point the PLC works with")]

    plc_signature: A[N, word("PLC-SIG", "signature words of the contract")]
    plc_map_version: A[N, word("PLC-MAP", "version of the register map")]
    plc_serial: A[N, word("PLC-SER", "serial number of the PLC")]
    plc_alive: A[N, word("PLC-ALIVE", "alive counter, one per PLC scan")]
    plc_boot_id: A[N, word("PLC-BOOT", "changes at every PLC start")]
    plc_state: A[N, word("PLC-STATE", "PLC state, see block.PlcState")]
    plc_reason: A[N, word("PLC-REASON", "why the last block was refused, see block.Reason")]
    plc_heat_block: A[N, word("PLC-HEATBLOCK", "why heat is not permitted, see block.HeatBlock")]
    plc_watchdog_s: A[F, Tag("PLC-TWD", "s", 0, 3600, "watchdog time the PLC works with, 0 when off")]
    plc_lease: A[N, word("PLC-LEASE", "master that holds the lease, 0 when free")]
    echo_epoch: A[N, word("PLC-EPOCH", "epoch of the last block accepted")]
    echo_counter: A[N, word("PLC-COUNTER", "counter of the last block accepted")]
    echo_crc: A[N, word("PLC-CRC", "CRC of the last block accepted")]
    plc_heat_permitted: A[B, bit("PLC-HEAT", "the PLC's own permissives allow heat")]
    plc_purge_proven: A[B, bit("PLC-PURGE", "the PLC has counted its own purge")]
    plc_tripped: A[B, bit("PLC-TRIP", "a trip is latched in the PLC")]

    journal_ok: A[B, bit("SYS-JOURNAL", "the journal takes what is written and can be trusted")]
    disk_free_pct: A[F, Tag("SYS-DISK", "%", 0, 100, "free space where the journal lies", 60.0)]
    clock_step_s: A[F, Tag("SYS-CLOCK", "s", -4e9, 4e9, "wall-clock step since the last scan")]
    gateway_ok: A[B, bit("SYS-GATEWAY", "the gateway reports in, and has a broker")]
    proof_due: A[N, word("SYS-PROOF", "safety devices whose proof test is overdue")]
    recipe_ok: A[B, bit("SYS-RECIPE", "the batch's recipe is the one that was started and approved")]


SIGNALS: Final[dict[str, Tag]] = {
    field: hint.__metadata__[0] for field, hint in get_type_hints(Inputs, include_extras=True).items() if hasattr(hint, "__metadata__")
}
# made in the core, not read from the PLC
OWN_SIGNALS: Final = ("journal_ok", "disk_free_pct", "clock_step_s", "gateway_ok", "proof_due", "recipe_ok")
ZONES: Final = (1, 2, 3)
_STALE_S: Final = tuple(tag.stale_s for name, tag in SIGNALS.items() if name not in OWN_SIGNALS)


def stands_open(inputs: Inputs) -> bool:
    """Return whether the door stands open: both its switches say so. A single one that fails airs nothing and brings no other load."""
    return inputs.door_closed_a.value is False and inputs.door_closed_b.value is False


def blank(at_s: float, dt_s: float, quality: Quality) -> Inputs:
    """Return an image in which every signal has ``quality`` and no value: before the first reading, and in tests."""
    nothing = Sample[float](None, quality, at_s)
    return Inputs(at_s, dt_s, *([nothing] * len(SIGNALS)))  # type: ignore[arg-type]


def aged(reading: Inputs, at_s: float, dt_s: float, own: Mapping[str, Sample[float]]) -> Inputs:
    """Return ``reading`` as it is at ``at_s``: samples keep their time and become STALE, without a value, at their tag's ``stale_s``.

    ``own`` gives the signals made in the core, which are always of now.
    """
    samples: Sequence[Sample[float]] = reading[2 : -len(OWN_SIGNALS)]  # type: ignore[assignment]
    age_s = at_s - reading.at_s
    if age_s > 0:
        samples = [
            Sample(None, Quality.STALE, sample.at_s) if age_s >= stale_s and sample.quality != Quality.ABSENT else sample
            for sample, stale_s in zip(samples, _STALE_S, strict=True)
        ]
    return Inputs(at_s, dt_s, *samples, *(own[name] for name in OWN_SIGNALS))  # type: ignore[arg-type]


class Interval(NamedTuple):
    """A belief: median and the ends of the central 90 % interval."""

    value: float
    low: float
    high: float


class ZoneEstimate(NamedTuple):
    """What is believed of one zone of the roll."""

    name: str
    temp_c: float
    residual_solvent: Interval  # weight fraction
    insoluble: Interval  # fraction
    coming: float = 0.0  # what it will have gained when the recipe's rest has run, see ``Forecast.coming``

    @property
    def insoluble_cold(self) -> float:
        """Return the insoluble content that is believed of the product once the recipe's rest has run."""
        return self.insoluble.value + self.coming


class PressureRise(NamedTuple):
    """Result of one pressure-rise test: what the isolated chamber's pressure said of leak and solvent, by its free volume."""

    at_s: float  # end of the isolation
    isolated_s: float
    rise_mbar_min: float  # mean over the isolation
    leak_mbar_min: float
    solvent_kg_h: float  # evolution of solvent at the start of the isolation
    solvent_sd_kg_h: float
    valid: bool
    why_invalid: str
    late_kg_h: float = 0.0  # evolution at the end of the isolation, when vapour has filled the chamber
    late_sd_kg_h: float = 0.0


class Forecast(NamedTuple):
    """The rest of the batch as the running recipe will take it; 5/50/95 % points at ``ahead_s`` after ``made_at_s``."""

    made_at_s: float
    finish_s: Interval  # from made_at_s to the end of the last phase
    endpoint_s: Interval | None  # to the endpoint, None when it lies beyond the recipe's maximum
    p_endpoint: float  # probability that the endpoint comes before the recipe's maximum
    ahead_s: tuple[float, ...]
    temp_c: tuple[Interval, ...]  # film, over zones and members
    residual_solvent: tuple[Interval, ...]  # worst zone
    insoluble: tuple[Interval, ...]  # over zones and members
    coming: tuple[float, ...] = ()  # insoluble content that each zone gains once the CURE ends; in it, were it to end now
    less: tuple[float, ...] = ()  # of it for each that a member has more than their median, -1 to 1: what is cured further gains less


class Estimate(NamedTuple):
    """What is believed of the product now; never measured, always with an interval.

    ``residual_solvent`` is the worst zone's weight fraction, ``insoluble`` the NMP-insoluble fraction over the whole roll (its interval
    spans parameters and zones). ``p_solvent_ok`` and ``p_insoluble_in_window`` refer to the recipe that runs and are 0 without one; the
    window is one of the cold roll, with what still comes.
    ``blister`` is the 80 % point of the solvent's vapour pressure at the foil over the chamber's pressure in the worst zone that is still
    rubbery, 0 where none is; ``floor_mbar`` the chamber pressure below which it would pass 0.8.
    """

    film_min_c: float
    film_max_c: float
    residual_solvent: Interval
    insoluble: Interval
    p_solvent_ok: float
    p_insoluble_in_window: float
    evolution_kg_h: Interval
    time_to_endpoint_s: Interval | None
    valid: bool
    why_invalid: str
    zones: tuple[ZoneEstimate, ...]
    blister: float = 0.0
    floor_mbar: float = 0.0
    pressure_rise: PressureRise | None = None  # the last one of this batch
    forecast: Forecast | None = None
    coming: float = 0.0  # insoluble content that the roll gains after the CURE, as it cools: the mean over its zones
    foreseen: bool = True  # a fresh forecast says what is coming; without one nothing is known of the cold roll

    @property
    def insoluble_cold(self) -> float:
        """Return the insoluble content that is believed of the product once the recipe's rest has run."""
        return self.insoluble.value + self.coming


class Atmosphere(IntEnum):
    """What the chamber's gas side is asked to do."""

    OFF = 0  # everything shut and off, for an empty or cold oven
    HOLD_CLOSED = 1  # all valves shut, pumps ready: leak test, isolation
    VACUUM = 2  # pump down to the pressure set point and hold it
    BACKFILL = 3  # N2 in until the pressure set point
    N2_FLOW = 4  # N2 through the chamber into the exhaust at a flow set point
    VENT = 5  # let air in; never on a warm load
    SWEEP = 6  # and draw it through the chamber, until there is air to breathe
    AIR = 7  # the vent open and all else off: no pressure and no N2 gathers behind a door that may be opened


class Setpoints(NamedTuple):
    """SP: what the recipe (or a safe state) wants; no actuator yet."""

    heat: bool
    temp_c: float  # ramped set point of the load, degC
    rate_c_per_min: float  # the ramp's rate, which limits what the zones may do
    atmosphere: Atmosphere
    pressure_mbar: float
    n2_flow_nm3_h: float
    door_release: bool = False
    pid_set: str = "default"  # of the loops' tunings, by name
    output_limit_pct: float = 100.0  # heaters
    control_sensor: str = "LOAD_MIN"  # the PV that the cascade drives to temp_c: CONTROL (zones), LOAD_MIN, LOAD_MEAN, LOAD_MAX
    leads: bool = True  # the cascade may let the zones be hotter than temp_c


class Mode(IntEnum):
    """What the PLC is asked to be; see ``controller.block``."""

    OFF = 0
    RUN = 1
    HOLD = 2
    COOL = 3
    ABORT = 4


class Outputs(NamedTuple):
    """OP: what the command block carries to the PLC. Absolute values only."""

    mode: Mode
    heat_enable: bool
    purge_permission: bool
    reset: bool
    direct_output: bool  # False: the PLC closes the zone loops on zone_sp_c, zone_op_pct their limit; True: it applies zone_op_pct
    zone_sp_c: tuple[float, float, float]
    zone_op_pct: tuple[float, float, float]
    rate_limit_c_per_min: float
    pump: bool
    roots: bool
    vac_valve: bool
    vac_throttle_pct: float
    n2_valve: bool
    n2_flow_sp_nm3_h: float
    vent_valve: bool
    exhaust_valve: bool
    exhaust_fan: bool
    circulation: bool
    condenser: bool
    door_release: bool
    batch_id: int  # 0 without a batch
    recipe_crc: int  # first 32 bits of the recipe's SHA-256, 0 without one
    phase_index: int
    phase_kind: int
    soak_s: float  # soak time counted so far in this phase


OFF: Final = Outputs(
    mode=Mode.OFF,
    heat_enable=False,
    purge_permission=False,
    reset=False,
    direct_output=False,
    zone_sp_c=(0.0, 0.0, 0.0),
    zone_op_pct=(0.0, 0.0, 0.0),
    rate_limit_c_per_min=0.0,
    pump=False,
    roots=False,
    vac_valve=False,
    vac_throttle_pct=0.0,
    n2_valve=False,
    n2_flow_sp_nm3_h=0.0,
    vent_valve=False,
    exhaust_valve=False,
    exhaust_fan=False,
    circulation=False,
    condenser=False,
    door_release=False,
    batch_id=0,
    recipe_crc=0,
    phase_index=0,
    phase_kind=0,
    soak_s=0.0,
)


class ZonePv(NamedTuple):
    """One zone's voted temperature and how many control thermocouples stand behind it."""

    temp_c: float | None
    valid: int
    limit_c: float | None


class Process(NamedTuple):
    """The conditioned PVs of one scan: voted, chosen between gauges, judged for validity. None where nothing can be trusted."""

    zones: tuple[ZonePv, ZonePv, ZonePv]
    temp_c: float | None  # mean of the zones that can be trusted
    hottest_c: float | None  # hottest temperature of zones and load that must be reckoned with (see ``conditioning.reckoned``)
    load_min_c: float | None
    load_max_c: float | None
    pressure_mbar: float | None
    load_lost: bool  # a load thermocouple that this oven has gives no reading
    o2_pct: float | None  # None while the analyser's reading is no evidence
    zones_valid: tuple[int, int, int]  # control thermocouples that stand behind each zone
    zone_max_c: float | None  # hottest trusted zone
    limit_gap_c: float | None  # widest gap between a zone's voted temperature and its limit thermocouple
    load_missing: bool = False  # any load thermocouple that this oven has gives no reading, required or not
    pirani_alone: bool = False  # pressure_mbar is the Pirani gauge's alone: in a filling chamber it will soon be unknown

    def hot(self, from_c: float) -> bool:
        """Return whether zones or load may be at ``from_c`` or above; what nobody can read may be."""
        return self.hottest_c is None or self.hottest_c >= from_c


class PhaseView(NamedTuple):
    """What interlocks need to know of the batch: where it stands, as the last scan left it."""

    running: bool = False  # the unit executes or holds a recipe
    heating: bool = False  # heat was wanted
    solvent: bool = False  # solvent may be present in film or gas
    vacuum: bool = False  # the vacuum path is asked for
    inert: bool = False  # the N2 flow path is asked for
    heated: bool = False  # the batch has been heated: its load may give off vapour while it is hot, whichever phase stands
    air: bool = False  # the set points let air in, or leave the chamber alone: nothing inert is kept
    timeout: str = ""  # what timed out, for I12 and I26
    failed: str = ""  # what failed, for I13
    temp_sp_c: float = 0.0
    o2_limit_ppm: float = 0.0  # quality limit of the recipe, 0 without one
    hold_on_o2: bool = False
    band: str = ""  # which alarm band of the phase the temperature has left, for I23R
    leak_grows: str = ""  # why the last leak rate is unusual, for I13W
    began_s: float = 0.0  # process time at which the batch started
    leak_mbar_min: float = 0.0  # what the last pressure-rise test shows of a leak, at least, for I13L
    blind_rises: int = 0  # pressure-rise tests in a row that had no valid result, for I13B; 0 while one runs
    cooling: bool = False  # a COOL whose atmosphere has stood: hot, with vapour, and heated only to break the fall
    sweeps: bool = False  # air is asked to be drawn through the chamber, in a VENT or at rest
    unforeseen: bool = False  # a CURE that has had no valid estimate or no forecast for some minutes

    @property
    def vapour(self) -> bool:
        """Return whether the phase has solvent in hot gas: it heats, or it cools what was heated; the table asks the temperature too."""
        return self.heating or self.cooling
