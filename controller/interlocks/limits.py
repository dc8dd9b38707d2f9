"""The thresholds of the interlock table, each with unit and range. Defaults are placeholders that a site's hazard study replaces."""

from typing import Annotated

from pydantic import Field

from controller.equipment import Strict

Seconds = Annotated[float, Field(ge=0, le=7200)]


class Limits(Strict):
    """What the rules compare with. The rows of the table name the rule each number belongs to."""

    overpressure_warn_mbar: Annotated[float, Field(ge=900, le=1100)] = 1050.0  # I4
    overpressure_mbar: Annotated[float, Field(ge=900, le=1200)] = 1100.0  # I4
    proof_mbar: Annotated[float, Field(ge=1, le=100)] = 100.0  # I5, I6
    proof_s: Seconds = 60.0  # I5
    proof_cycles: Annotated[int, Field(ge=1, le=20)] = 2  # I5
    cycle_low_mbar: Annotated[float, Field(ge=1, le=200)] = 60.0  # I5: a cycle goes below this ...
    cycle_high_mbar: Annotated[float, Field(ge=200, le=1000)] = 300.0  # ... and is counted above this
    proof_volumes: Annotated[float, Field(ge=1, le=50)] = 4.0  # I5, I10
    proof_o2_pct: Annotated[float, Field(gt=0, le=8)] = 2.0  # I5, I7; placeholder, see the hazard study
    o2_warn_pct: Annotated[float, Field(gt=0, le=8)] = 1.0  # I7
    o2_quality_from_c: Annotated[float, Field(ge=20, le=300)] = 100.0  # I8
    o2_invalid_abort_s: Seconds = 1800.0  # I9
    o2_analyser_from_mbar: Annotated[float, Field(ge=100, le=1000)] = 900.0  # I9: below, its reading is no evidence
    n2_low_warn_bar: Annotated[float, Field(ge=0, le=16)] = 4.0  # I11
    n2_low_bar: Annotated[float, Field(ge=0, le=16)] = 3.0  # I11
    solvent_phase_abort_s: Seconds = 300.0  # I15
    lel_hold_pct: Annotated[float, Field(gt=0, le=50)] = 25.0  # I16
    lel_abort_pct: Annotated[float, Field(gt=0, le=50)] = 50.0  # I16
    trap_share: Annotated[float, Field(gt=0, le=1)] = 0.9  # I17, share of the trap's capacity
    evolution_share: Annotated[float, Field(gt=0, le=1)] = 0.9  # I18, share of the equipment's capacity
    ambient_band_mbar: Annotated[float, Field(ge=1, le=100)] = 20.0  # I19
    room_o2_warn_pct: Annotated[float, Field(ge=15, le=20.8)] = 19.5  # I20
    room_o2_pct: Annotated[float, Field(ge=15, le=20.8)] = 18.0  # I20
    vote_c: Annotated[float, Field(ge=1, le=50)] = 10.0  # I21: further than this from the median is voted out
    disagree_warn_c: Annotated[float, Field(ge=1, le=100)] = 10.0  # I22
    disagree_c: Annotated[float, Field(ge=1, le=100)] = 25.0  # I22
    deviation_warn_c: Annotated[float, Field(ge=1, le=100)] = 10.0  # I23
    deviation_c: Annotated[float, Field(ge=1, le=100)] = 20.0  # I23
    stuck_on_c_per_min: Annotated[float, Field(gt=0, le=30)] = 3.0  # I24
    stall_c_per_min: Annotated[float, Field(gt=0, le=10)] = 0.1  # I25
    stall_s: Seconds = 900.0  # I25
    wire_hold_s: Seconds = 10.0  # I27
    disk_pct: Annotated[float, Field(ge=0, le=50)] = 5.0  # I30
    clock_step_s: Annotated[float, Field(gt=0, le=3600)] = 2.0  # I30
