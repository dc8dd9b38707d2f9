"""The thresholds of the interlock table, each with unit and range. Defaults are placeholders that a site's hazard study replaces."""

from typing import Annotated, Literal

from pydantic import Field

from controller.equipment import Strict


class Limits(Strict):
    """What the rules compare with. The rows of the table name the rule each number belongs to."""

    overpressure_warn_mbar: Annotated[float, Field(ge=900, le=1100, description="warning (I4W)")] = 1050.0
    overpressure_mbar: Annotated[float, Field(ge=900, le=1200, description="abort, N2 closed (I4)")] = 1100.0
    n2_stop_mbar: Annotated[
        float, Field(ge=1015, le=1100, description="fed with N2 up to here: no more N2 until 25 mbar lower, hold (I4E, I4S)")
    ] = 1050.0  # full flow through a hot chamber stands at 1035 and begins with 1040; what flows while the valve shuts ends below 1100
    gauge_range_mbar: Annotated[
        float, Field(ge=20, le=200, description="up to here the Pirani gauge is compared, mbar; above, it only says: not vacuum (I4G)")
    ] = 100.0
    gauge_ratio: Annotated[
        float, Field(ge=1.5, le=10, description="gauges further apart than this factor contradict: a Pirani is gas dependent (I4G)")
    ] = 2.5
    gauge_band_mbar: Annotated[float, Field(ge=0.2, le=50, description="and by more than this, mbar (I4G)")] = 2.0
    gauge_s: Annotated[float, Field(ge=1, le=120, description="for so long, s (I4G)")] = 20.0
    gauge_move_mbar: Annotated[
        float, Field(ge=10, le=100, description="N2 fed into the shut chamber, as a pressure, that the gauge must follow, mbar (I4F)")
    ] = 30.0
    gauge_still_s: Annotated[
        float, Field(ge=20, le=600, description="pumping at open throttle in which the gauge must have moved, s (I4F)")
    ] = 60.0
    gauge_lost_s: Annotated[
        float, Field(ge=10, le=600, description="a hot vacuum with one of the two gauges lost for so long: hold, s (I4T)")
    ] = 120.0
    gauge_digit_s: Annotated[
        float, Field(ge=20, le=3600, description="PT-301 alone in a vacuum without one digit of change for so long, warning, s (I4D)")
    ] = 120.0
    proof_mbar: Annotated[float, Field(ge=1, le=100, description="highest pressure that counts as vacuum (I5, I6)")] = 100.0
    proof_s: Annotated[float, Field(ge=0, le=7200, description="how long it must stand, s (I5)")] = 60.0
    proof_cycles: Annotated[int, Field(ge=1, le=20, description="vacuum and N2 cycles before heat (I5)")] = 2
    cycle_low_mbar: Annotated[float, Field(ge=1, le=200, description="a cycle goes below this (I5)")] = 60.0
    cycle_high_mbar: Annotated[float, Field(ge=200, le=1000, description="and is counted above this (I5)")] = 300.0
    proof_volumes: Annotated[
        float, Field(ge=1, le=50, description="chamber volumes of N2 before heat (I5, I10) or before air after it (I19)")
    ] = 4.0
    proof_o2_pct: Annotated[
        float, Field(gt=0, le=8, description="highest O2 with solvent vapour [assume], for the hazard study to replace (I5, I7)")
    ] = 2.0
    o2_warn_pct: Annotated[float, Field(gt=0, le=8, description="warning (I7W)")] = 1.0
    o2_quality_from_c: Annotated[float, Field(ge=20, le=300, description="from here on bare copper needs the recipe's O2 limit (I8)")] = (
        100.0
    )
    o2_invalid_abort_s: Annotated[float, Field(ge=0, le=7200, description="abort after so long without a valid O2 reading (I9T)")] = 1800.0
    o2_analyser_from_mbar: Annotated[float, Field(ge=100, le=1000, description="below this pressure an O2 reading is no evidence (I9)")] = (
        900.0
    )
    o2_settle_s: Annotated[float, Field(ge=0, le=600, description="analyser with gas for so long before its reading counts, s (I9)")] = 15.0
    o2_frozen_s: Annotated[
        float, Field(ge=60, le=7200, description="an O2 reading that has not moved by one bit for so long is frozen, s (I9)")
    ] = 600.0
    n2_low_warn_bar: Annotated[float, Field(ge=0, le=16, description="warning (I11W)")] = 4.0
    n2_low_bar: Annotated[float, Field(ge=0, le=16, description="suspend (I11)")] = 3.0
    n2_none_bar: Annotated[float, Field(ge=0, le=16, description="below it no purge is possible: abort (I11T)")] = 1.0
    n2_reserve_warn: Annotated[float, Field(ge=1, le=20, description="reserve in emergency purges, warning (I11R)")] = 2.0
    n2_flow_share: Annotated[
        float, Field(ge=0.1, le=0.9, description="N2 flow below this share of its set point in a hot phase: suspend (I11F)")
    ] = 0.5
    n2_flow_hold_s: Annotated[float, Field(ge=30, le=3600, description="hold after so long (I11S)")] = 300.0
    leak_hot_mbar_min: Annotated[
        float,
        Field(ge=0.05, le=20, description="rise of the shut, hot chamber beyond what film and noise explain, mbar/min, warning (I13L)"),
    ] = 0.5  # curing gases take fault-free batches of the simulated oven to 0.07; 17 mbar l/s in 2 m3
    blind_rises: Annotated[int, Field(ge=1, le=20, description="pressure-rise tests in a row without a valid result, warning (I13B)")] = 3
    unattended_s: Annotated[
        float, Field(ge=60, le=86400, description="nobody has dealt with a vacuum that was not reached for so long: abort, s (I12T)")
    ] = 3600.0
    solvent_phase_abort_s: Annotated[
        float, Field(ge=0, le=7200, description="abort after so long without exhaust, condenser or circulation (I15T)")
    ] = 300.0
    lel_hold_pct: Annotated[float, Field(gt=0, le=50, description="hold, % of LEL (I16)")] = 25.0
    lel_abort_pct: Annotated[float, Field(gt=0, le=50, description="abort, % of LEL (I16T)")] = 50.0
    trap_share: Annotated[float, Field(gt=0, le=1, description="share of the cold trap's capacity (I17)")] = 0.9
    trap_ahead_h: Annotated[float, Field(ge=0, le=24, description="the trap will be full within so long, warning, h (I17B)")] = 0.5
    lel_g_m3: Annotated[
        float, Field(ge=10, le=200, description="lower flammable limit of the solvent's vapour, g/m3; NMP 1.1 to 1.3 vol% (I17L)")
    ] = 45.0
    evolution_share: Annotated[
        float, Field(gt=0, le=1, description="share of the equipment's solvent capacity at which ramps wait (I18)")
    ] = 0.9
    blister_warn: Annotated[
        float, Field(ge=0.5, le=2, description="solvent's vapour pressure at the foil over the chamber's, warning (I18B)")
    ] = 1.0
    inner_share: Annotated[float, Field(ge=0, le=2, description="of load minus walls, by which inner layers may be hotter (I19)")] = 0.6
    inner_c: Annotated[
        float, Field(ge=0, le=50, description="by which a layer may be hotter than the model's hottest film, degC (I19)")
    ] = 3.0
    load_follow_h: Annotated[
        float,
        Field(ge=0.1, le=100, description="time constant of a load that nobody can read as it is reckoned to follow the walls, h (I19)"),
    ] = 6.0  # [assume] a production roll of the simulated oven that cools in a vacuum follows with 3.5 h
    ambient_band_mbar: Annotated[float, Field(ge=1, le=100, description="above ambient by more: no air, no door (I19)")] = 20.0
    under_ambient_mbar: Annotated[
        float, Field(ge=1, le=200, description="below 1013 mbar by more: no door (I19D); wider than above, for weather and height")
    ] = 40.0
    breathable_o2_pct: Annotated[float, Field(ge=15, le=20.6, description="O2 in the chamber below this: no door (I19N)")] = 19.5
    sweep_least_s: Annotated[
        float, Field(ge=0, le=7200, description="air drawn through for so long whatever the O2 reading says, s (I19N)")
    ] = 240.0
    sweep_s: Annotated[
        float, Field(ge=60, le=7200, description="air was drawn through for so long: what a lost O2 reading would show, s (I19N)")
    ] = 900.0
    room_o2_warn_pct: Annotated[float, Field(ge=15, le=20.8, description="warning (I20W)")] = 19.5
    room_o2_pct: Annotated[float, Field(ge=15, le=20.8, description="hold, N2 closed (I20)")] = 18.0
    load_required: Annotated[
        tuple[Literal["outer", "edge", "core"], ...],
        Field(strict=False, max_length=3, description="load thermocouples without which no soak counts and no air is let in (I21L)"),
    ] = ("outer", "edge", "core")
    load_substitute: Annotated[
        bool, Field(description="true: while the estimate is valid its film temperature stands in for a lost load thermocouple (I21S)")
    ] = False
    vote_c: Annotated[float, Field(ge=1, le=50, description="further than this from the median is voted out (I21)")] = 10.0
    rate_c_per_min: Annotated[float, Field(ge=10, le=600, description="no wall warms or cools faster, degC/min (I21)")] = 60.0
    stuck_move_c: Annotated[float, Field(ge=2, le=30, description="stuck: has not moved while two witnesses moved by this, degC (I21)")] = (
        5.0
    )
    rejoin_s: Annotated[float, Field(ge=10, le=3600, description="agreement after which a sensor may count again, s (I21)")] = 180.0
    load_above_c: Annotated[
        float, Field(ge=2, le=50, description="load warmer than every zone by this, and still warming: zones wrong (I22R)")
    ] = 8.0
    disagree_warn_c: Annotated[float, Field(ge=1, le=100, description="control against limit thermocouple, warning (I22W)")] = 10.0
    disagree_c: Annotated[float, Field(ge=1, le=100, description="hold (I22)")] = 25.0
    deviation_warn_c: Annotated[float, Field(ge=1, le=100, description="zone above its set point, warning (I23W)")] = 10.0
    deviation_c: Annotated[float, Field(ge=1, le=100, description="abort (I23)")] = 20.0
    stuck_on_c_per_min: Annotated[float, Field(gt=0, le=30, description="rise at zero output: abort (I24)")] = 3.0
    stall_c_per_min: Annotated[float, Field(gt=0, le=10, description="slower than this at full output (I25)")] = 0.1
    stall_s: Annotated[float, Field(ge=0, le=7200, description="for so long: hold (I25)")] = 900.0
    batch_h: Annotated[float, Field(ge=1, le=1000, description="longest batch, h: hold (I26B)")] = 168.0
    wire_hold_s: Annotated[float, Field(ge=0, le=7200, description="hold after so long without a PLC image (I27)")] = 10.0
    disk_pct: Annotated[float, Field(ge=0, le=50, description="free space: no start (I30D)")] = 5.0
    clock_step_s: Annotated[float, Field(gt=0, le=3600, description="wall-clock step that is a warning (I30C)")] = 2.0
