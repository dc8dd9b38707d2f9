"""The recipe as people write it: header, limits of the load, endpoint, formula, phases.

A number's key carries its unit (``target_c``, ``rate_c_per_min``, ``timeout_min``). ``"=name"`` in place of a number takes it from the
formula, whose unit must be the key's.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from controller.equipment import Strict
from controller.recipe.conduct import HeldBack, Name, PhaseBase, PowerFail, Strategy, TestedPhase, Text, ThermalPhase, key
from controller.recipe.segments import (
    Backfill,
    Branch,
    Call,
    Cool,
    Cure,
    CyclePurge,
    End,
    Evacuate,
    Kind,
    LeakTest,
    Operator,
    Pause,
    Phase,
    PressureRiseTest,
    PurgeFlow,
    Ramp,
    Repeat,
    Soak,
    Step,
    Vent,
    Wait,
)

__all__ = [
    "MOST_PHASES", "Backfill", "Branch", "Call", "Cool", "Cure", "CyclePurge", "End", "Endpoint", "Evacuate", "FormulaValue", "HeldBack",
    "Kind", "LeakTest", "LoadLimits", "LoadRecord", "Material", "Operator", "Pause", "Phase", "PhaseBase", "PowerFail", "PressureRiseTest",
    "PurgeFlow", "Ramp", "Recipe", "Repeat", "Soak", "Step", "Strategy", "SubRecipe", "TestedPhase", "ThermalPhase", "Vent", "Wait",
]  # fmt: skip
MOST_PHASES: Final = 200  # after every turn and every sub-recipe has been written out


class Material(Strict):
    """What the recipe is for."""

    polymer: Literal["PAI", "PI"]
    solvent: Text


class LoadLimits(Strict):
    """The loads the recipe may be used with."""

    max_length_m: Annotated[float, Field(gt=0, le=20000, description="longest roll")]
    max_width_m: Annotated[float, Field(gt=0, le=3, description="widest roll")]
    max_film_um: Annotated[float, Field(gt=0, le=200, description="thickest dry film")]
    min_residual_wt_pct: Annotated[float, Field(ge=0, le=100, description="least residual solvent at loading")]
    max_residual_wt_pct: Annotated[float, Field(ge=0, le=100, description="most residual solvent at loading")]


class Endpoint(Strict):
    """When the cure is done."""

    max_residual_wt_pct: Annotated[float, Field(gt=0, le=10, description="most residual solvent of a product that is done")]
    insoluble_low_pct: Annotated[float, Field(ge=0, le=100, description="lower end of the window of the insoluble content")]
    insoluble_aim_pct: Annotated[float, Field(ge=0, le=100, description="insoluble content to aim at, the mean of the cold roll")]
    insoluble_high_pct: Annotated[float, Field(ge=0, le=100, description="upper end of the window of the insoluble content")]
    probability: Annotated[float, Field(ge=0.5, le=0.999, description="how sure the model must be that the product is done")] = 0.9
    persist_min: Annotated[float, Field(ge=0, le=120, description="how long it must be so sure without a break")] = 2.0
    max_o2_ppm: Annotated[float, Field(gt=0, le=20000, description="most O2 around the hot film")] = 100.0
    on_o2: Annotated[Literal["HOLD", "WARN"], Field(description="what more O2 does")] = "WARN"


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
    power_fail: PowerFail = key(PowerFail(), "how the batch goes on after an outage")
    phase: Annotated[tuple[Phase, ...], Field(min_length=2, max_length=MOST_PHASES, strict=False)]


class SubRecipe(Strict):
    """What a sub-recipe has beside its phases; recipes CALL it."""

    id: Name
    revision: Annotated[int, Field(ge=1, le=1_000_000)]
    title: Text
    purpose: Text
    formula: dict[Name, FormulaValue] = Field(default_factory=dict)


class LoadRecord(Strict):
    """What lies in the oven: entered by the operator, checked before a batch may start."""

    roll_ids: Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=60)], ...],
                        Field(min_length=1, max_length=20, strict=False)]  # fmt: skip
    resin_lot: Text
    solvent: Text
    predry_c: Annotated[float, Field(ge=0, le=300)]
    residual_wt_pct: Annotated[float, Field(ge=0, lt=100)]
    residual_sd_wt_pct: Annotated[float, Field(gt=0, le=10)] = 1.0
    length_m: Annotated[float, Field(ge=0.1, le=20000)]
    width_m: Annotated[float, Field(ge=0.05, le=3)]
    foil_um: Annotated[float, Field(ge=5, le=200)]
    film_um: Annotated[float, Field(ge=1, le=200)]
    gap_um: Annotated[float, Field(ge=1, le=1000)]
    core_mm: Annotated[float, Field(ge=30, le=600)]
    tape: Text
