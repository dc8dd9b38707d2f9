"""What one phase must satisfy beyond its form: the oven's envelope, and keys that only make sense together."""

from typing import Final

from controller.equipment import Equipment
from controller.errors import Problem
from controller.recipe.model import (
    Backfill,
    Branch,
    Cool,
    Cure,
    CyclePurge,
    Evacuate,
    LeakTest,
    Operator,
    Pause,
    Phase,
    PhaseBase,
    PressureRiseTest,
    PurgeFlow,
    Ramp,
    TestedPhase,
    ThermalPhase,
    Wait,
)
from controller.recipe.pausing import TAGS, is_contact
from controller.recipe.proving import Proving

OF_HEAT: Final = (  # keys that do nothing in a phase that is shut in without heat
    "pressure_mbar", "n2_flow_nm3_h", "target_c", "control_sensor", "pid_set", "output_limit_pct", "alarm_dev_high_c", "alarm_dev_low_c",
)  # fmt: skip


def place_of(index: int, phase: Phase) -> str:
    """Return where a person finds the phase: its key in the file with its kind, also when REPEAT or CALL wrote it out."""
    return f"{phase.at or f'phase.{index}'}.{phase.kind}"


def check_phase(key: str, phase: Phase, equipment: Equipment, proving: Proving) -> list[Problem]:
    """Return what this oven cannot or must not run of ``phase``; ``key`` names it."""
    problems = []
    if isinstance(phase, ThermalPhase):
        problems += _check_thermal(key, phase, equipment, proving)
    if isinstance(phase, LeakTest | Evacuate):
        problems += inside(f"{key}.pressure_mbar", phase.pressure_mbar, equipment.min_mbar, proving.proof_mbar, "mbar (this oven)")
    if isinstance(phase, CyclePurge):
        problems += inside(f"{key}.low_mbar", phase.low_mbar, equipment.min_mbar, proving.purge_low_mbar,
                            f"mbar (a cycle counts from below {proving.cycle_low_mbar:g} mbar)")  # fmt: skip
        problems += inside(
            f"{key}.high_mbar",
            phase.high_mbar,
            proving.purge_high_mbar,
            equipment.max_mbar,
            f"mbar (a cycle counts from above {proving.cycle_high_mbar:g} mbar; this oven)",
        )
        if phase.measured_o2_pct is not None and phase.high_mbar < proving.o2_from_mbar:
            allowed = f"at least {proving.o2_from_mbar:g} mbar with measured_o2_pct: below it no O2 reading is evidence (I9)"
            problems.append(Problem(f"{key}.high_mbar", phase.high_mbar, allowed))
    if isinstance(phase, PurgeFlow | Backfill) and phase.n2_flow_nm3_h is not None:
        problems += inside(f"{key}.n2_flow_nm3_h", phase.n2_flow_nm3_h, 0, equipment.max_n2_flow_nm3_h, "Nm3/h (this oven)")
    if isinstance(phase, Backfill):
        problems += inside(f"{key}.pressure_mbar", phase.pressure_mbar, equipment.min_mbar, equipment.max_mbar, "mbar (this oven)")
    if isinstance(phase, Wait):
        problems += _check_wait(key, phase)
    if isinstance(phase, Operator):
        problems += _check_operator(key, phase)
    if isinstance(phase, Branch):
        problems += _check_branch(key, phase)
    return problems + _check_times(key, phase)


def _check_times(key: str, phase: Phase) -> list[Problem]:
    problems = []
    if isinstance(phase, Cure) and phase.fallback_min < phase.min_min:
        problems.append(Problem(f"{key}.fallback_min", phase.fallback_min, f"at least min_min = {phase.min_min:g}"))
    for name in ("hold_min", "soak_min", "min_min", "fallback_min", "ramp_min", "holdback_max_min", "expect_min"):
        value = getattr(phase, name, None)
        if value is not None and isinstance(phase, PhaseBase) and value >= phase.timeout_min:
            problems.append(Problem(f"{key}.{name}", value, f"below timeout_min = {phase.timeout_min}"))
    return problems


def _check_thermal(key: str, phase: ThermalPhase, equipment: Equipment, proving: Proving) -> list[Problem]:
    target_c, lowest_c = getattr(phase, "target_c", None), 15 if isinstance(phase, Cool) else 20
    problems = [] if target_c is None else inside(f"{key}.target_c", target_c, lowest_c, equipment.max_c, "degC (this oven)")
    if isinstance(phase, Ramp | Cool) and phase.rate_c_per_min is not None:
        problems += inside(f"{key}.rate_c_per_min", phase.rate_c_per_min, 0, equipment.max_rate_c_per_min, "degC/min (this oven)")
    if isinstance(phase, Ramp) and (phase.rate_c_per_min is None) is (phase.ramp_min is None):
        problems.append(Problem(f"{key}.rate_c_per_min", phase.rate_c_per_min, "a RAMP has either rate_c_per_min or ramp_min"))
    if phase.alarm_low_c is not None and phase.alarm_high_c is not None and phase.alarm_low_c >= phase.alarm_high_c:
        problems.append(Problem(f"{key}.alarm_low_c", phase.alarm_low_c, f"below alarm_high_c = {phase.alarm_high_c:g}"))
    if isinstance(phase, Pause) and phase.atmosphere == "NONE":
        given = [name for name in OF_HEAT if getattr(phase, name) != type(phase).model_fields[name].default]
        return problems + [Problem(f"{key}.{name}", getattr(phase, name), "has no meaning without an atmosphere") for name in given]
    wanted, other = ("pressure_mbar", "n2_flow_nm3_h") if phase.atmosphere == "VACUUM" else ("n2_flow_nm3_h", "pressure_mbar")
    if getattr(phase, wanted) is None:
        problems.append(Problem(f"{key}.{wanted}", None, f"needed with atmosphere = {phase.atmosphere!r}"))
    if getattr(phase, other) is not None:
        problems.append(Problem(f"{key}.{other}", getattr(phase, other), f"has no meaning with atmosphere = {phase.atmosphere!r}"))
    if phase.pressure_mbar is not None:
        problems += inside(f"{key}.pressure_mbar", phase.pressure_mbar, equipment.min_mbar, proving.vacuum_mbar,
                            f"mbar (this oven; I6 trips at {proving.proof_mbar:g} mbar)")  # fmt: skip
    if phase.n2_flow_nm3_h is not None:
        problems += inside(f"{key}.n2_flow_nm3_h", phase.n2_flow_nm3_h, 0, equipment.max_n2_flow_nm3_h, "Nm3/h (this oven)")
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
    problems = inside(f"{key}.{top_name}", top_mbar, low, high, f"mbar (above pressure_mbar; I6 trips at {proving.proof_mbar:g} mbar)")
    problems += inside(f"{key}.{time_name}", isolate_s, 30.0, 30.0 * minutes, "s (at most half of its interval or timeout)")
    return problems


def _check_wait(key: str, phase: Wait) -> list[Problem]:
    if phase.tag not in TAGS:
        return [Problem(f"{key}.tag", phase.tag, f"one of {', '.join(TAGS)}")]
    given = {name: value for name in ("rising", "falling", "equals") if (value := getattr(phase, name)) is not None}
    allowed = ("equals",) if is_contact(phase.tag) else ("rising", "falling")
    if len(given) != 1 or not set(given) <= set(allowed):
        shown = ", ".join(f"{name} = {value}" for name, value in given.items()) or None
        return [Problem(f"{key}.{allowed[0]}", shown, f"a WAIT for {phase.tag} has {' or '.join(allowed)}, and only that")]
    if 60 * phase.timeout_min <= phase.for_s:
        return [Problem(f"{key}.for_s", phase.for_s, f"below timeout_min = {phase.timeout_min:g} min")]
    return []


def _check_operator(key: str, phase: Operator) -> list[Problem]:
    problems = []
    if (phase.entry == "CHOICE") is not bool(phase.choices):
        problems.append(Problem(f"{key}.choices", list(phase.choices), "given with entry = 'CHOICE', and only then"))
    ranged = phase.low is not None and phase.high is not None
    if (phase.entry == "NUMBER") is not ranged or (phase.entry != "NUMBER" and (phase.low, phase.high) != (None, None)):
        problems.append(Problem(f"{key}.low", phase.low, "low and high are given with entry = 'NUMBER', and only then"))
    if phase.low is not None and phase.high is not None and phase.low >= phase.high:
        problems.append(Problem(f"{key}.low", phase.low, f"below high = {phase.high:g}"))
    return problems


def _check_branch(key: str, phase: Branch) -> list[Problem]:
    limits = [name for name in ("above", "below", "equals") if getattr(phase, name) is not None]
    if phase.on in ("LEAK_TEST", "TIMEOUT", "ALWAYS"):
        return [Problem(f"{key}.{name}", getattr(phase, name), f"has no meaning with on = {phase.on!r}") for name in limits]
    if phase.on != "ANSWER" and "equals" in limits:
        return [Problem(f"{key}.equals", phase.equals, "only with on = 'ANSWER'")]
    if not limits or ("equals" in limits and len(limits) > 1):
        allowed = "above, below or both" + (", or equals" if phase.on == "ANSWER" else "")
        return [Problem(f"{key}.on", phase.on, f"needs {allowed}")]
    return []


def inside(key: str, value: float, low: float, high: float, unit: str) -> list[Problem]:
    """Return a problem when ``value`` is not inside ``low`` to ``high``."""
    return [] if low <= value <= high else [Problem(key, value, f"allowed {low:g} to {high:g} {unit}")]
