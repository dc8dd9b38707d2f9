"""The recipe as people write it: header, limits of the load, endpoint, formula, phases.

A number's key carries its unit (``target_c``, ``rate_c_per_min``, ``timeout_min``). ``"=name"`` in place of a number takes it from the
formula, whose unit must be the key's.
"""

from enum import IntEnum, StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from controller.equipment import Strict

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Minutes = Annotated[float, Field(gt=0, le=6000)]
Temperature = Annotated[float, Field(ge=15, le=350)]
Pressure = Annotated[float, Field(ge=1e-3, le=1040)]
Flow = Annotated[float, Field(gt=0, le=200)]
IsolationS = Annotated[float, Field(ge=30, le=1800)]


class Kind(IntEnum):
    """Kinds of phase; the number is the one that the PLC shows."""

    LEAK_TEST = 1
    EVACUATE = 2
    CYCLE_PURGE = 3
    PURGE_FLOW = 4
    RAMP = 5
    SOAK = 6
    CURE = 7
    COOL = 8
    VENT = 9
    END = 10
    PRESSURE_RISE = 11


class OnTimeout(StrEnum):
    """What happens when a phase does not end in time."""

    HOLD = "HOLD"
    STOP = "STOP"
    ABORT = "ABORT"
    CONTINUE = "CONTINUE"


class PhaseBase(Strict):
    """What every phase has."""

    name: Annotated[str, StringConstraints(max_length=60)] = ""
    comment: Annotated[str, StringConstraints(max_length=400)] = ""
    timeout_min: Minutes
    on_timeout: Literal["HOLD", "STOP", "ABORT", "CONTINUE"] = "HOLD"


class ThermalPhase(PhaseBase):
    """A phase with heat: it says under which atmosphere."""

    atmosphere: Literal["VACUUM", "N2_FLOW"]
    pressure_mbar: Pressure | None = None
    n2_flow_nm3_h: Flow | None = None


class TestedPhase(ThermalPhase):
    """A phase that may isolate its vacuum from time to time for a pressure-rise test; all three keys or none."""

    pressure_rise_every_min: Minutes | None = None
    pressure_rise_s: IsolationS | None = None
    pressure_rise_max_mbar: Pressure | None = None


class LeakTest(PhaseBase):
    """Pump down, close everything, measure the rise; too fast a rise fails the phase."""

    kind: Literal["LEAK_TEST"]
    pressure_mbar: Pressure
    hold_min: Minutes
    max_rise_mbar_h: Annotated[float, Field(gt=0, le=1000)]


class Evacuate(PhaseBase):
    """Pump down to a pressure."""

    kind: Literal["EVACUATE"]
    pressure_mbar: Pressure


class CyclePurge(PhaseBase):
    """Pump down and fill with N2, a number of times; ends filled."""

    kind: Literal["CYCLE_PURGE"]
    low_mbar: Pressure
    high_mbar: Pressure
    cycles: Annotated[int, Field(ge=1, le=20)]


class PurgeFlow(PhaseBase):
    """Send N2 through until so many chamber volumes have gone and the O2 analyser, if it can be trusted, agrees."""

    kind: Literal["PURGE_FLOW"]
    n2_flow_nm3_h: Flow
    volumes: Annotated[float, Field(ge=1, le=100)]
    max_o2_pct: Annotated[float, Field(gt=0, le=20.9)]


class Ramp(ThermalPhase):
    """Move the set point at a rate; it waits for the oven (holdback) and ends at the target."""

    kind: Literal["RAMP"]
    target_c: Temperature
    rate_c_per_min: Annotated[float, Field(gt=0, le=20)]
    holdback_c: Annotated[float, Field(ge=1, le=100)] = 10.0


class Soak(TestedPhase):
    """Guaranteed soak: time counts only while every load thermocouple is inside the band."""

    kind: Literal["SOAK"]
    target_c: Temperature
    soak_min: Minutes
    band_c: Annotated[float, Field(ge=0.5, le=50)] = 5.0


class Cure(TestedPhase):
    """Soak until the model says that the endpoint is reached, not before ``min_min`` in band and not beyond ``timeout_min``.

    While the model is outside its validity the phase ends after ``fallback_min`` in band instead, and says so.
    """

    kind: Literal["CURE"]
    target_c: Temperature
    min_min: Minutes
    fallback_min: Minutes
    band_c: Annotated[float, Field(ge=0.5, le=50)] = 5.0


class PressureRiseTest(ThermalPhase):
    """Isolate the chamber once, heat going on, and open it again: the pressure tells leak and solvent apart."""

    kind: Literal["PRESSURE_RISE"]
    target_c: Temperature
    isolate_s: IsolationS
    max_mbar: Pressure


class Cool(ThermalPhase):
    """Cool at a rate until every load thermocouple is below the target."""

    kind: Literal["COOL"]
    target_c: Temperature
    rate_c_per_min: Annotated[float, Field(gt=0, le=20)]


class Vent(PhaseBase):
    """Let air in until ambient pressure; only when it is safe (I19)."""

    kind: Literal["VENT"]


class End(Strict):
    """The batch is complete."""

    kind: Literal["END"]
    name: Annotated[str, StringConstraints(max_length=60)] = ""
    comment: Annotated[str, StringConstraints(max_length=400)] = ""


Phase = Annotated[
    LeakTest | Evacuate | CyclePurge | PurgeFlow | Ramp | Soak | Cure | PressureRiseTest | Cool | Vent | End,
    Field(discriminator="kind"),
]


class Material(Strict):
    """What the recipe is for."""

    polymer: Literal["PAI", "PI"]
    solvent: Text


class LoadLimits(Strict):
    """The loads the recipe may be used with."""

    max_length_m: Annotated[float, Field(gt=0, le=20000)]
    max_width_m: Annotated[float, Field(gt=0, le=3)]
    max_film_um: Annotated[float, Field(gt=0, le=200)]
    min_residual_wt_pct: Annotated[float, Field(ge=0, le=100)]
    max_residual_wt_pct: Annotated[float, Field(ge=0, le=100)]


class Endpoint(Strict):
    """When the cure is done."""

    max_residual_wt_pct: Annotated[float, Field(gt=0, le=10)]
    insoluble_low_pct: Annotated[float, Field(ge=0, le=100)]
    insoluble_aim_pct: Annotated[float, Field(ge=0, le=100)]
    insoluble_high_pct: Annotated[float, Field(ge=0, le=100)]
    probability: Annotated[float, Field(ge=0.5, le=0.999)] = 0.9
    persist_min: Annotated[float, Field(ge=0, le=120)] = 2.0
    max_o2_ppm: Annotated[float, Field(gt=0, le=20000)] = 100.0
    on_o2: Literal["HOLD", "WARN"] = "WARN"


class FormulaValue(Strict):
    """One number that the operator may set inside a range when the batch starts."""

    value: float
    low: float
    high: float
    unit: Text
    text: Text


class Recipe(Strict):
    """A recipe whose formula is resolved: every phase holds numbers."""

    id: Name
    revision: Annotated[int, Field(ge=1, le=1_000_000)]
    title: Text
    author: Text
    purpose: Text
    material: Material
    load: LoadLimits
    endpoint: Endpoint
    formula: dict[Name, FormulaValue] = Field(default_factory=dict)
    phase: Annotated[tuple[Phase, ...], Field(min_length=2, max_length=100, strict=False)]


class LoadRecord(Strict):
    """What lies in the oven: entered by the operator, checked before a batch may start."""

    roll_ids: Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=60)], ...],
                        Field(min_length=1, max_length=20, strict=False)]  # fmt: skip
    resin_lot: Text
    solvent: Text
    predry_c: Annotated[float, Field(ge=0, le=300)]
    residual_wt_pct: Annotated[float, Field(ge=0, le=100)]
    residual_sd_wt_pct: Annotated[float, Field(gt=0, le=10)] = 1.0
    length_m: Annotated[float, Field(ge=0.1, le=20000)]
    width_m: Annotated[float, Field(ge=0.05, le=3)]
    foil_um: Annotated[float, Field(ge=5, le=200)]
    film_um: Annotated[float, Field(ge=1, le=200)]
    gap_um: Annotated[float, Field(ge=1, le=1000)]
    core_mm: Annotated[float, Field(ge=30, le=600)]
    tape: Text
