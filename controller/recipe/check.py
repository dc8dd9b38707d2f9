"""What a recipe and a load must satisfy beyond their form: the equipment's envelope and the windows of the process claims.

The claims (US 7,468,197 B2, claim steps A and C): predry 70-130 degC below the solvent's boiling point, 10-40 wt% residual solvent at
loading, NMP-insoluble content of the product between 1 and 99 %.
"""

from typing import Final

from controller.equipment import Equipment
from controller.errors import Problem
from controller.recipe.model import (
    Cool,
    CyclePurge,
    Evacuate,
    LeakTest,
    LoadRecord,
    PhaseBase,
    PressureRiseTest,
    PurgeFlow,
    Ramp,
    Recipe,
    TestedPhase,
    ThermalPhase,
)
from controller.recipe.proving import Proving
from controller.solvents import SOLVENTS

PREDRY_BELOW_BOILING_C: Final = (70.0, 130.0)
RESIDUAL_WT_PCT: Final = (10.0, 40.0)
PROVING: Final = Proving()
INSOLUBLE_PCT: Final = (1.0, 99.0)
CLIFF_PCT: Final = 30.0  # below it the insoluble content hangs on the gel point
FILM_KG_M3: Final = {"PAI": 1410.0, "PI": 1420.0}  # Engineering Plastics Handbook


def check_recipe(recipe: Recipe, equipment: Equipment, proving: Proving = PROVING) -> list[Problem]:
    """Return what this oven cannot or must not run; empty when the recipe is fit. ``proving``: the interlocks' limits of the proof."""
    problems = [*_check_header(recipe, equipment), *_check_order(recipe, proving)]
    for index, phase in enumerate(recipe.phase):
        problems += _check_phase(f"phase.{index}", phase, equipment, proving)
    return problems


def check_load(load: LoadRecord, recipe: Recipe, equipment: Equipment) -> list[Problem]:
    """Return why ``load`` must not be started with ``recipe`` in this oven; empty when it may."""
    problems = []
    if load.solvent != recipe.material.solvent:
        problems.append(Problem("solvent", load.solvent, f"the recipe is for {recipe.material.solvent}"))
    if (solvent := SOLVENTS.get(load.solvent)) is not None:
        low, high = (solvent.boiling_c - below for below in reversed(PREDRY_BELOW_BOILING_C))
        problems += _inside("predry_c", load.predry_c, low, high, f"degC, 70-130 degC below {load.solvent}'s boiling point")
    low, high = RESIDUAL_WT_PCT
    problems += _inside("residual_wt_pct", load.residual_wt_pct, max(low, recipe.load.min_residual_wt_pct),
                        min(high, recipe.load.max_residual_wt_pct), "wt%")  # fmt: skip
    problems += _inside("length_m", load.length_m, 0, min(recipe.load.max_length_m, equipment.roll_length_m), "m")
    problems += _inside("width_m", load.width_m, 0, min(recipe.load.max_width_m, equipment.roll_width_m), "m")
    problems += _inside("film_um", load.film_um, 1, recipe.load.max_film_um, "um")
    allowed_kg = min(equipment.solvent_kg, equipment.trap_kg)
    problems += _inside(
        "solvent in the load",
        round(solvent_kg(load, recipe.material.polymer), 2),
        0,
        allowed_kg,
        "kg (I17: what oven and cold trap may take)",
    )
    return problems


def solvent_kg(load: LoadRecord, polymer: str) -> float:
    """Return the solvent that ``load`` brings, kg: dry film mass x w / (1 - w)."""
    w = load.residual_wt_pct / 100
    dry_kg = load.length_m * load.width_m * load.film_um * 1e-6 * FILM_KG_M3[polymer]
    return dry_kg * w / (1 - w)


def warnings_of(recipe: Recipe) -> list[str]:
    """Return what is allowed and yet unwise."""
    aim = recipe.endpoint.insoluble_aim_pct
    if aim >= CLIFF_PCT:
        return []
    return [
        f"endpoint.insoluble_aim_pct = {aim}: below {CLIFF_PCT} % the insoluble content changes steeply; expect a wide spread over the roll"
    ]


def _check_header(recipe: Recipe, equipment: Equipment) -> list[Problem]:
    end = recipe.endpoint
    problems = []
    if recipe.material.solvent not in SOLVENTS:
        problems.append(Problem("material.solvent", recipe.material.solvent, f"one of {', '.join(SOLVENTS)}"))
    low, high = INSOLUBLE_PCT
    problems += _inside("endpoint.insoluble_low_pct", end.insoluble_low_pct, low, high, "% (claim: 1-99 %)")
    problems += _inside("endpoint.insoluble_high_pct", end.insoluble_high_pct, low, high, "% (claim: 1-99 %)")
    problems += _inside(
        "endpoint.insoluble_aim_pct", end.insoluble_aim_pct, end.insoluble_low_pct, end.insoluble_high_pct, "% (its window)"
    )
    if end.insoluble_low_pct >= end.insoluble_high_pct:
        problems.append(
            Problem("endpoint.insoluble_low_pct", end.insoluble_low_pct, f"below insoluble_high_pct = {end.insoluble_high_pct}")
        )
    low, high = RESIDUAL_WT_PCT
    problems += _inside("load.min_residual_wt_pct", recipe.load.min_residual_wt_pct, low, high, "wt% (claim: 10-40 wt%)")
    problems += _inside("load.max_residual_wt_pct", recipe.load.max_residual_wt_pct, low, high, "wt% (claim: 10-40 wt%)")
    problems += _inside("load.max_length_m", recipe.load.max_length_m, 0, equipment.roll_length_m, "m (this oven)")
    problems += _inside("load.max_width_m", recipe.load.max_width_m, 0, equipment.roll_width_m, "m (this oven)")
    return problems


def _check_order(recipe: Recipe, proving: Proving) -> list[Problem]:
    problems = []
    kinds = [phase.kind for phase in recipe.phase]
    if kinds.count("END") != 1 or kinds[-1] != "END":
        problems.append(Problem("phase", kinds[-1], "END stands once and last"))
    for index, phase in enumerate(recipe.phase):
        if not isinstance(phase, ThermalPhase) or phase.kind == "COOL":
            continue
        before = recipe.phase[:index]
        cycled = any(isinstance(earlier, CyclePurge) and earlier.cycles >= proving.cycles for earlier in before)
        if phase.atmosphere == "VACUUM" and not (cycled and any(isinstance(earlier, LeakTest) for earlier in before)):
            problems.append(
                Problem(
                    f"phase.{index}.kind",
                    phase.kind,
                    f"heat in vacuum needs a LEAK_TEST and a CYCLE_PURGE of >= {proving.cycles} cycles before it (I5)",
                )
            )
            break
        if phase.atmosphere == "N2_FLOW" and not (cycled or any(isinstance(earlier, PurgeFlow) for earlier in before)):
            problems.append(Problem(f"phase.{index}.kind", phase.kind, "heat in N2 needs a CYCLE_PURGE or PURGE_FLOW before it (I5)"))
            break
    for index, phase in enumerate(recipe.phase):
        if isinstance(phase, LeakTest | CyclePurge | PurgeFlow) and phase.on_timeout == "CONTINUE":
            problems.append(
                Problem(f"phase.{index}.on_timeout", "CONTINUE", "HOLD, STOP or ABORT: a proof that was not given cannot be passed")
            )
    heated = [index for index, phase in enumerate(recipe.phase) if isinstance(phase, ThermalPhase) and phase.kind != "COOL"]
    if heated and "COOL" not in kinds[heated[-1] :]:
        problems.append(Problem("phase", kinds[-1], "COOL stands after the last phase with heat"))
    if "VENT" in kinds and "COOL" not in kinds[: kinds.index("VENT")]:
        problems.append(Problem(f"phase.{kinds.index('VENT')}.kind", "VENT", "air may only be let in after COOL (I19)"))
    return problems


def _check_phase(key: str, phase: object, equipment: Equipment, proving: Proving) -> list[Problem]:
    problems = []
    if isinstance(phase, ThermalPhase):
        problems += _check_thermal(key, phase, equipment, proving)
    if isinstance(phase, LeakTest | Evacuate):
        problems += _inside(f"{key}.pressure_mbar", phase.pressure_mbar, equipment.min_mbar, proving.proof_mbar, "mbar (this oven)")
    if isinstance(phase, CyclePurge):
        problems += _inside(f"{key}.low_mbar", phase.low_mbar, equipment.min_mbar, proving.purge_low_mbar,
                            f"mbar (a cycle counts from below {proving.cycle_low_mbar:g} mbar)")  # fmt: skip
        problems += _inside(
            f"{key}.high_mbar",
            phase.high_mbar,
            proving.purge_high_mbar,
            equipment.max_mbar,
            f"mbar (a cycle counts from above {proving.cycle_high_mbar:g} mbar; this oven)",
        )
    if isinstance(phase, PurgeFlow):
        problems += _inside(f"{key}.n2_flow_nm3_h", phase.n2_flow_nm3_h, 0, equipment.max_n2_flow_nm3_h, "Nm3/h (this oven)")
    if isinstance(phase, LeakTest) and phase.hold_min >= phase.timeout_min:
        problems.append(Problem(f"{key}.hold_min", phase.hold_min, f"below timeout_min = {phase.timeout_min}"))
    for name in ("soak_min", "min_min", "fallback_min"):
        value = getattr(phase, name, None)
        if value is not None and isinstance(phase, PhaseBase) and value >= phase.timeout_min:
            problems.append(Problem(f"{key}.{name}", value, f"below timeout_min = {phase.timeout_min}"))
    return problems


def _check_thermal(key: str, phase: ThermalPhase, equipment: Equipment, proving: Proving) -> list[Problem]:
    problems = _inside(f"{key}.target_c", phase.target_c, 20 if phase.kind != "COOL" else 15, equipment.max_c, "degC (this oven)")  # type: ignore[attr-defined]
    if isinstance(phase, Ramp | Cool):
        problems += _inside(f"{key}.rate_c_per_min", phase.rate_c_per_min, 0, equipment.max_rate_c_per_min, "degC/min (this oven)")
    wanted, other = ("pressure_mbar", "n2_flow_nm3_h") if phase.atmosphere == "VACUUM" else ("n2_flow_nm3_h", "pressure_mbar")
    if getattr(phase, wanted) is None:
        problems.append(Problem(f"{key}.{wanted}", None, f"needed with atmosphere = {phase.atmosphere!r}"))
    if getattr(phase, other) is not None:
        problems.append(Problem(f"{key}.{other}", getattr(phase, other), f"has no meaning with atmosphere = {phase.atmosphere!r}"))
    if phase.pressure_mbar is not None:
        problems += _inside(f"{key}.pressure_mbar", phase.pressure_mbar, equipment.min_mbar, proving.vacuum_mbar,
                            f"mbar (this oven; I6 trips at {proving.proof_mbar:g} mbar)")  # fmt: skip
    if phase.n2_flow_nm3_h is not None:
        problems += _inside(f"{key}.n2_flow_nm3_h", phase.n2_flow_nm3_h, 0, equipment.max_n2_flow_nm3_h, "Nm3/h (this oven)")
    if isinstance(phase, TestedPhase):
        problems += _check_periodic(key, phase, proving)
    if isinstance(phase, PressureRiseTest):
        problems += _check_rise(key, phase, "max_mbar", phase.max_mbar, "isolate_s", phase.isolate_s, phase.timeout_min, proving)
    return problems


def _check_periodic(key: str, phase: TestedPhase, proving: Proving) -> list[Problem]:
    """Check the three keys of periodic pressure-rise tests: all or none, and each isolation shorter than half of the interval."""
    every, isolate, top = phase.pressure_rise_every_min, phase.pressure_rise_s, phase.pressure_rise_max_mbar
    given = {"pressure_rise_every_min": every, "pressure_rise_s": isolate, "pressure_rise_max_mbar": top}
    if all(value is None for value in given.values()):
        return []
    if every is None or isolate is None or top is None:
        return [Problem(f"{key}.{name}", None, f"needed with {', '.join(set(given) - {name})}") for name in given if given[name] is None]
    return _check_rise(key, phase, "pressure_rise_max_mbar", top, "pressure_rise_s", isolate, every, proving)


def _check_rise(key: str, phase: ThermalPhase, top_name: str, top_mbar: float, time_name: str, isolate_s: float, minutes: float,
                proving: Proving) -> list[Problem]:  # fmt: skip
    if phase.atmosphere != "VACUUM":
        return [Problem(f"{key}.{time_name}", isolate_s, "only with atmosphere = 'VACUUM'")]
    low, high = (phase.pressure_mbar or 0.0) + 1.0, proving.vacuum_mbar
    problems = _inside(f"{key}.{top_name}", top_mbar, low, high, f"mbar (above pressure_mbar; I6 trips at {proving.proof_mbar:g} mbar)")
    problems += _inside(f"{key}.{time_name}", isolate_s, 30.0, 30.0 * minutes, "s (at most half of its interval or timeout)")
    return problems


def _inside(key: str, value: float, low: float, high: float, unit: str) -> list[Problem]:
    return [] if low <= value <= high else [Problem(key, value, f"allowed {low:g} to {high:g} {unit}")]
