"""The phases that wait for something outside: WAIT for a reading, OPERATOR for a person. Their timeout always runs."""

from collections.abc import Callable
from operator import attrgetter
from typing import Final, NamedTuple

from controller.image import SIGNALS, Setpoints
from controller.recipe import heating
from controller.recipe.look import PhaseMemory, PhaseScan, Step
from controller.recipe.model import Operator, Pause, Wait

Reading = float | bool | None
MOST_ANSWER: Final = 200  # characters


class Looked(NamedTuple):
    """What a WAIT may look at."""

    unit: str
    text: str
    read: Callable[[PhaseScan], Reading]


_SIGNALS: Final = (
    "load_outer_c", "load_edge_c", "load_core_c", "coldest_wall_c", "n2_header_bar", "n2_flow_nm3_h", "n2_reserve_nm3", "room_o2_pct",
    "exhaust_lel_pct", "exhaust_flow_m3_h", "condenser_c", "condensate_kg", "cooling_flow_l_min", "cooling_c", "pump_run", "roots_run",
    "exhaust_run", "condenser_run", "circulation_run", "door_closed_a", "door_locked", "remote", "o2_ready", "plc_heat_permitted",
)  # fmt: skip


def _belief(read: Callable[[PhaseScan], float]) -> Callable[[PhaseScan], Reading]:
    return lambda s: read(s) if s.estimate.valid else None


TAGS: Final[dict[str, Looked]] = {
    "temp_c": Looked("degC", "mean of the zones", attrgetter("process.temp_c")),
    "hottest_c": Looked("degC", "hottest reading of zones and load", attrgetter("process.hottest_c")),
    "load_min_c": Looked("degC", "coldest load thermocouple", attrgetter("process.load_min_c")),
    "load_max_c": Looked("degC", "hottest load thermocouple", attrgetter("process.load_max_c")),
    "pressure_mbar": Looked("mbar", "chamber pressure, of the gauge that is trusted", attrgetter("process.pressure_mbar")),
    "o2_pct": Looked("vol%", "O2 in the chamber while the analyser's reading is evidence", attrgetter("process.o2_pct")),
    "residual_wt_pct": Looked(
        "wt%", "residual solvent as believed, worst zone", _belief(lambda s: 100 * s.estimate.residual_solvent.value)
    ),
    "insoluble_pct": Looked("%", "insoluble content as believed, roll mean", _belief(lambda s: 100 * s.estimate.insoluble.value)),
    "evolution_kg_h": Looked("kg/h", "evolution of solvent as believed", _belief(lambda s: s.estimate.evolution_kg_h.value)),
    **{name: Looked(SIGNALS[name].unit, SIGNALS[name].text, attrgetter(f"inputs.{name}.value")) for name in _SIGNALS},
}


def is_contact(tag: str) -> bool:
    """Return whether ``tag`` of ``TAGS`` is a contact, which reads true or false."""
    return tag in SIGNALS and (SIGNALS[tag].low, SIGNALS[tag].high) == (0, 1)


def wait(phase: Wait, m: PhaseMemory, s: PhaseScan) -> Step:
    """Wait until the reading has passed the phase's threshold and stood there."""
    m, wanted, gas = _held(phase, m, s)
    value = TAGS[phase.tag].read(s)
    if value is None:
        return Step(m._replace(stage_s=0.0), wanted, waiting=gas or f"a valid reading of {phase.tag}")
    passed = _passed(phase, value)
    if phase.crossing and not m.begun:
        m, passed = m._replace(begun=not passed), False
    m = m._replace(stage_s=m.stage_s + s.dt_s if passed else 0.0)
    shown = f"{phase.tag} {value:.2f}" if isinstance(value, float) else f"{phase.tag} {value}"
    return Step(m, wanted, passed and not gas and m.stage_s >= phase.for_s, gas or f"{shown}, wanted {threshold(phase)}", why=shown)


def _passed(phase: Wait, value: float | bool) -> bool:
    if phase.equals is not None:
        return bool(value) is phase.equals
    return value >= phase.rising if phase.rising is not None else phase.falling is not None and value <= phase.falling


def threshold(phase: Wait) -> str:
    """Return what ``phase`` waits for, in words."""
    unit = TAGS[phase.tag].unit
    if phase.equals is not None:
        return str(phase.equals).lower()
    return f">= {phase.rising:g} {unit}" if phase.rising is not None else f"<= {phase.falling:g} {unit}"


def operator(phase: Operator, m: PhaseMemory, s: PhaseScan) -> Step:
    """Ask, and wait for an answer that is allowed; another one is dropped and said."""
    m, wanted, gas = _held(phase, m, s)
    m = m if m.asked else m._replace(asked=phase.text)
    if m.answer is None or gas:
        return Step(m, wanted, waiting=gas or f"operator: {phase.text} ({allowed(phase, s.roll_ids)})")
    if wrong := wrong_answer(phase, m.answer, s.roll_ids):
        return Step(m._replace(answer=None), wanted, waiting=f"operator: {phase.text} ({wrong})")
    return Step(m, wanted, done=True, why=f"answered {m.answer!r}")


def allowed(phase: Operator, roll_ids: tuple[str, ...]) -> str:
    """Return in words what may be answered to what ``phase`` asks."""
    if phase.entry == "NUMBER" and phase.low is not None and phase.high is not None:
        return f"a number from {phase.low:g} to {phase.high:g}"
    return {
        "ROLL_ID": f"the roll id, of {', '.join(roll_ids)}", "CHOICE": f"one of {', '.join(phase.choices)}", "TEXT": "a text",
    }.get(phase.entry, "a confirmation")  # fmt: skip


def wrong_answer(phase: Operator, answer: str, roll_ids: tuple[str, ...]) -> str:
    """Return why ``answer`` is not one to what ``phase`` asks, with what is allowed; "" when it is."""
    if len(answer) > MOST_ANSWER:
        return f"the answer has {len(answer)} characters, allowed {MOST_ANSWER}"
    if phase.entry == "ROLL_ID":
        return "" if answer in roll_ids else f"roll id {answer!r} is not in the load record: {', '.join(roll_ids)}"
    if phase.entry == "TEXT":
        return "" if answer.strip() else "an answer of at least one character is wanted"
    if phase.entry == "CHOICE":
        return "" if answer in phase.choices else f"{answer!r} is none of {', '.join(phase.choices)}"
    if phase.entry == "NUMBER":
        return _wrong_number(phase, answer)
    return ""


def _wrong_number(phase: Operator, answer: str) -> str:
    low, high = (float("-inf") if phase.low is None else phase.low), (float("inf") if phase.high is None else phase.high)
    try:
        inside = low <= float(answer) <= high and abs(float(answer)) != float("inf")
    except ValueError:
        inside = False
    return "" if inside else f"{answer!r} is no number from {low:g} to {high:g}"


def _held(phase: Pause, m: PhaseMemory, s: PhaseScan) -> tuple[PhaseMemory, Setpoints, str]:
    """Return memory, set points and what the atmosphere waits for while the phase waits: heat held, or all shut."""
    if phase.atmosphere == "NONE":
        return m, heating.shut(), ""
    mark_c = phase.target_c if phase.target_c is not None else m.mark or heating.start_sp(s)  # a target that is edited counts at once
    m = m if m.mark == mark_c else m._replace(mark=mark_c)
    m, gas = heating.gas(phase, m, s)
    m, wanted = heating.guarded(heating.thermal(phase, not gas, heating.approach(m.mark, s), 0.0), m, s)
    return m, wanted, gas
