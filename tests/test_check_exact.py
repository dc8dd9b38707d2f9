"""What one phase may ask of the oven, at the lines: inside is taken, a step outside is refused with key, value and what is allowed."""

import pytest
from pydantic import TypeAdapter

from controller.equipment import Equipment
from controller.recipe.check_phase import check_phase, inside, place_of
from controller.recipe.model import Phase
from controller.recipe.proving import Proving

OVEN = Equipment(min_mbar=1.0, max_mbar=1030.0, max_c=260.0, max_rate_c_per_min=5.0, max_n2_flow_nm3_h=60.0)
PROVING = Proving(cycle_low_mbar=60.0, cycle_high_mbar=300.0, cycles=2, proof_mbar=100.0)
READ = TypeAdapter(Phase)
VACUUM = {"atmosphere": "VACUUM", "pressure_mbar": 20.0}
N2 = {"atmosphere": "N2_FLOW", "n2_flow_nm3_h": 40.0}
BASES = {
    "LEAK_TEST": {"pressure_mbar": 4.0, "hold_min": 5.0, "max_rise_mbar_h": 10.0},
    "EVACUATE": {"pressure_mbar": 4.0},
    "CYCLE_PURGE": {"low_mbar": 10.0, "high_mbar": 900.0, "cycles": 2},
    "PURGE_FLOW": {"n2_flow_nm3_h": 40.0, "volumes": 5.0, "max_o2_pct": 1.0},
    "BACKFILL": {"pressure_mbar": 900.0},
    "RAMP": {"target_c": 200.0, "rate_c_per_min": 2.0, **VACUUM},
    "STEP": {"target_c": 200.0, **VACUUM},
    "SOAK": {"target_c": 200.0, "soak_min": 30.0, **VACUUM},
    "CURE": {"target_c": 200.0, "min_min": 10.0, "fallback_min": 30.0, **VACUUM},
    "PRESSURE_RISE": {"target_c": 200.0, "isolate_s": 60.0, "max_mbar": 50.0, **VACUUM},
    "COOL": {"target_c": 50.0, **N2},
    "WAIT": {"tag": "temp_c", "rising": 90.0},
    "OPERATOR": {"text": "Go on?"},
    "BRANCH": {"on": "ALWAYS", "to": "out"},
    "VENT": {},
    "END": {},
}
TESTED = {"pressure_rise_every_min": 10.0, "pressure_rise_s": 60.0, "pressure_rise_max_mbar": 50.0}
THIS_OVEN_MBAR = "allowed 1 to 100 mbar (this oven)"
CYCLE_LOW = "allowed 1 to 48 mbar (a cycle counts from below 60 mbar)"
CYCLE_HIGH = "allowed 375 to 1030 mbar (a cycle counts from above 300 mbar; this oven)"
MEASURED = "at least 900 mbar with measured_o2_pct: below it no O2 reading is evidence (I9)"
FLOW = "allowed 0 to 60 Nm3/h (this oven)"
TARGET = "allowed 20 to 260 degC (this oven)"
VACUUM_MBAR = "allowed 1 to 80 mbar (this oven; I6 trips at 100 mbar)"
RISE_MBAR = "allowed 21 to 80 mbar (above pressure_mbar; I6 trips at 100 mbar)"
RISE_S = "allowed 30 to {:g} s (at most half of its interval or timeout)"
EITHER = "a RAMP has either rate_c_per_min or ramp_min"
NO_SENSE = "has no meaning with atmosphere = {!r}"
ALONE = "has no meaning without an atmosphere"
NUMBER = "low and high are given with entry = 'NUMBER', and only then"
CHOICE = "given with entry = 'CHOICE', and only then"


def phase(kind, **changed):
    """Return a phase of 60 min; a key that is changed to None is left out."""
    limited = {} if kind in ("BRANCH", "END") else {"timeout_min": 60.0}
    keys = {"kind": kind, **limited, **BASES[kind], **changed}
    return READ.validate_python({name: value for name, value in keys.items() if value is not None})


CASES = [
    # ---- pressures, flows, temperatures, rates: the oven's envelope ----
    ("LEAK_TEST", {"pressure_mbar": 1.0}, []),
    ("LEAK_TEST", {"pressure_mbar": 0.9}, [("pressure_mbar", 0.9, THIS_OVEN_MBAR)]),
    ("LEAK_TEST", {"pressure_mbar": 100.0}, []),
    ("LEAK_TEST", {"pressure_mbar": 100.1}, [("pressure_mbar", 100.1, THIS_OVEN_MBAR)]),
    ("EVACUATE", {"pressure_mbar": 100.0}, []),
    ("EVACUATE", {"pressure_mbar": 100.1}, [("pressure_mbar", 100.1, THIS_OVEN_MBAR)]),
    ("CYCLE_PURGE", {"low_mbar": 48.0, "high_mbar": 375.0}, []),
    ("CYCLE_PURGE", {"low_mbar": 48.1}, [("low_mbar", 48.1, CYCLE_LOW)]),
    ("CYCLE_PURGE", {"low_mbar": 0.9}, [("low_mbar", 0.9, CYCLE_LOW)]),
    ("CYCLE_PURGE", {"high_mbar": 374.9}, [("high_mbar", 374.9, CYCLE_HIGH)]),
    ("CYCLE_PURGE", {"high_mbar": 1030.0}, []),
    ("CYCLE_PURGE", {"high_mbar": 1031.0}, [("high_mbar", 1031.0, CYCLE_HIGH)]),
    ("CYCLE_PURGE", {"high_mbar": 900.0, "measured_o2_pct": 0.1}, []),
    ("CYCLE_PURGE", {"high_mbar": 899.9, "measured_o2_pct": 0.1}, [("high_mbar", 899.9, MEASURED)]),
    ("CYCLE_PURGE", {"high_mbar": 899.9, "computed_o2_pct": 0.1}, []),
    ("PURGE_FLOW", {"n2_flow_nm3_h": 60.0}, []),
    ("PURGE_FLOW", {"n2_flow_nm3_h": 60.1}, [("n2_flow_nm3_h", 60.1, FLOW)]),
    ("BACKFILL", {"pressure_mbar": 1030.0, "n2_flow_nm3_h": 60.0}, []),
    ("BACKFILL", {"pressure_mbar": 1031.0}, [("pressure_mbar", 1031.0, "allowed 1 to 1030 mbar (this oven)")]),
    ("BACKFILL", {"pressure_mbar": 0.9}, [("pressure_mbar", 0.9, "allowed 1 to 1030 mbar (this oven)")]),
    ("BACKFILL", {"n2_flow_nm3_h": 60.1}, [("n2_flow_nm3_h", 60.1, FLOW)]),
    ("SOAK", {"target_c": 260.0}, []),
    ("SOAK", {"target_c": 260.1}, [("target_c", 260.1, TARGET)]),
    ("SOAK", {"target_c": 20.0}, []),
    ("SOAK", {"target_c": 19.9}, [("target_c", 19.9, TARGET)]),
    ("COOL", {"target_c": 15.0}, []),
    ("COOL", {"target_c": 260.1}, [("target_c", 260.1, "allowed 15 to 260 degC (this oven)")]),
    ("COOL", {"rate_c_per_min": 5.0}, []),
    ("COOL", {"rate_c_per_min": 5.1}, [("rate_c_per_min", 5.1, "allowed 0 to 5 degC/min (this oven)")]),
    ("RAMP", {"rate_c_per_min": 5.0}, []),
    ("RAMP", {"rate_c_per_min": 5.1}, [("rate_c_per_min", 5.1, "allowed 0 to 5 degC/min (this oven)")]),
    ("RAMP", {"rate_c_per_min": None, "ramp_min": 30.0}, []),
    ("RAMP", {"rate_c_per_min": None}, [("rate_c_per_min", None, EITHER)]),
    ("RAMP", {"ramp_min": 30.0}, [("rate_c_per_min", 2.0, EITHER)]),
    # ---- alarm band, atmosphere ----
    ("SOAK", {"alarm_low_c": 190.0, "alarm_high_c": 191.0}, []),
    ("SOAK", {"alarm_low_c": 190.0}, []),
    ("SOAK", {"alarm_high_c": 190.0}, []),
    ("SOAK", {"alarm_low_c": 190.0, "alarm_high_c": 190.0}, [("alarm_low_c", 190.0, "below alarm_high_c = 190")]),
    ("SOAK", {"alarm_low_c": 195.0, "alarm_high_c": 190.0}, [("alarm_low_c", 195.0, "below alarm_high_c = 190")]),
    ("SOAK", {"pressure_mbar": None}, [("pressure_mbar", None, "needed with atmosphere = 'VACUUM'")]),
    ("COOL", {"n2_flow_nm3_h": None}, [("n2_flow_nm3_h", None, "needed with atmosphere = 'N2_FLOW'")]),
    ("SOAK", {"n2_flow_nm3_h": 40.0}, [("n2_flow_nm3_h", 40.0, NO_SENSE.format("VACUUM"))]),
    ("COOL", {"pressure_mbar": 20.0}, [("pressure_mbar", 20.0, NO_SENSE.format("N2_FLOW"))]),
    ("SOAK", {"pressure_mbar": 80.0}, []),
    ("SOAK", {"pressure_mbar": 80.1}, [("pressure_mbar", 80.1, VACUUM_MBAR)]),
    ("SOAK", {"pressure_mbar": 0.9}, [("pressure_mbar", 0.9, VACUUM_MBAR)]),
    ("COOL", {"n2_flow_nm3_h": 60.0}, []),
    ("COOL", {"n2_flow_nm3_h": 60.1}, [("n2_flow_nm3_h", 60.1, FLOW)]),
    ("WAIT", {"pressure_mbar": 20.0}, [("pressure_mbar", 20.0, ALONE)]),
    ("WAIT", {"n2_flow_nm3_h": 40.0, "target_c": 80.0}, [("n2_flow_nm3_h", 40.0, ALONE), ("target_c", 80.0, ALONE)]),
    ("OPERATOR", {"control_sensor": "CONTROL", "pid_set": "thick"}, [("control_sensor", "CONTROL", ALONE), ("pid_set", "thick", ALONE)]),
    ("OPERATOR", {"output_limit_pct": 50.0}, [("output_limit_pct", 50.0, ALONE)]),
    ("WAIT", {"alarm_dev_high_c": 5.0, "alarm_dev_low_c": 5.0}, [("alarm_dev_high_c", 5.0, ALONE), ("alarm_dev_low_c", 5.0, ALONE)]),
    ("WAIT", {"alarm_high_c": 60.0, "alarm_low_c": 15.0}, []),
    ("WAIT", {**VACUUM, "control_sensor": "CONTROL", "output_limit_pct": 50.0, "alarm_dev_high_c": 5.0}, []),
    ("WAIT", {**VACUUM, "target_c": 80.0}, []),
    ("WAIT", {"atmosphere": "VACUUM"}, [("pressure_mbar", None, "needed with atmosphere = 'VACUUM'")]),
    # ---- pressure-rise tests ----
    ("SOAK", TESTED, []),
    ("CURE", {**TESTED, "pressure_rise_s": 301.0}, [("pressure_rise_s", 301.0, RISE_S.format(300))]),
    ("SOAK", {**TESTED, "pressure_rise_s": 300.0}, []),
    ("SOAK", {**TESTED, "pressure_rise_s": 30.0}, []),
    ("SOAK", {**TESTED, "pressure_rise_max_mbar": 21.0}, []),
    ("SOAK", {**TESTED, "pressure_rise_max_mbar": 20.9}, [("pressure_rise_max_mbar", 20.9, RISE_MBAR)]),
    ("SOAK", {**TESTED, "pressure_rise_max_mbar": 80.0}, []),
    ("SOAK", {**TESTED, "pressure_rise_max_mbar": 80.1}, [("pressure_rise_max_mbar", 80.1, RISE_MBAR)]),
    ("PRESSURE_RISE", {"isolate_s": 1800.0}, []),
    ("PRESSURE_RISE", {"isolate_s": 1800.0, "timeout_min": 59.0}, [("isolate_s", 1800.0, RISE_S.format(1770))]),
    ("PRESSURE_RISE", {"max_mbar": 20.9}, [("max_mbar", 20.9, RISE_MBAR)]),
    ("PRESSURE_RISE", {"max_mbar": 81.0}, [("max_mbar", 81.0, RISE_MBAR)]),
    ("PRESSURE_RISE", {**N2, "pressure_mbar": None}, [("isolate_s", 60.0, "only with atmosphere = 'VACUUM'")]),
    ("SOAK", {**TESTED, **N2, "pressure_mbar": None}, [("pressure_rise_s", 60.0, "only with atmosphere = 'VACUUM'")]),
    # ---- times against the timeout ----
    ("LEAK_TEST", {"hold_min": 59.9}, []),
    ("LEAK_TEST", {"hold_min": 60.0}, [("hold_min", 60.0, "below timeout_min = 60.0")]),
    ("SOAK", {"soak_min": 60.0}, [("soak_min", 60.0, "below timeout_min = 60.0")]),
    ("CURE", {"min_min": 60.0, "fallback_min": 61.0}, [("min_min", 60.0, "below timeout_min = 60.0"),
                                                      ("fallback_min", 61.0, "below timeout_min = 60.0")]),
    ("RAMP", {"rate_c_per_min": None, "ramp_min": 60.0}, [("ramp_min", 60.0, "below timeout_min = 60.0")]),
    ("RAMP", {"holdback_max_min": 60.0}, [("holdback_max_min", 60.0, "below timeout_min = 60.0")]),
    ("WAIT", {"expect_min": 60.0}, [("expect_min", 60.0, "below timeout_min = 60.0")]),
    # ---- WAIT ----
    ("WAIT", {"tag": "remote", "rising": None, "equals": True}, []),
    ("WAIT", {"tag": "remote"}, [("equals", "rising = 90.0", "a WAIT for remote has equals, and only that")]),
    ("WAIT", {"rising": None}, [("rising", None, "a WAIT for temp_c has rising or falling, and only that")]),
    ("WAIT", {"rising": None, "falling": 50.0}, []),
    ("WAIT", {"falling": 50.0}, [("rising", "rising = 90.0, falling = 50.0", "a WAIT for temp_c has rising or falling, and only that")]),
    ("WAIT", {"rising": None, "equals": True}, [("rising", "equals = True", "a WAIT for temp_c has rising or falling, and only that")]),
    ("WAIT", {"for_s": 60.0, "timeout_min": 1.1, "expect_min": 0.5}, []),
    ("WAIT", {"for_s": 59.5, "timeout_min": 1.0, "expect_min": 0.5}, []),
    ("WAIT", {"for_s": 60.0, "timeout_min": 1.0, "expect_min": 0.5}, [("for_s", 60.0, "below timeout_min = 1 min")]),
    # ---- OPERATOR ----
    ("OPERATOR", {"entry": "CHOICE", "choices": ["a", "b"]}, []),
    ("OPERATOR", {"entry": "CHOICE"}, [("choices", [], CHOICE)]),
    ("OPERATOR", {"choices": ["a"]}, [("choices", ["a"], CHOICE)]),
    ("OPERATOR", {"entry": "NUMBER", "low": 1.0, "high": 2.0}, []),
    ("OPERATOR", {"entry": "NUMBER", "low": 1.0}, [("low", 1.0, NUMBER)]),
    ("OPERATOR", {"entry": "NUMBER", "high": 1.0}, [("low", None, NUMBER)]),
    ("OPERATOR", {"entry": "NUMBER"}, [("low", None, NUMBER)]),
    ("OPERATOR", {"low": 1.0}, [("low", 1.0, NUMBER)]),
    ("OPERATOR", {"high": 1.0}, [("low", None, NUMBER)]),
    ("OPERATOR", {"low": 1.0, "high": 2.0}, [("low", 1.0, NUMBER)]),
    ("OPERATOR", {"entry": "NUMBER", "low": 2.0, "high": 2.0}, [("low", 2.0, "below high = 2")]),
    ("OPERATOR", {"entry": "NUMBER", "low": 3.0, "high": 2.0}, [("low", 3.0, "below high = 2")]),
    # ---- BRANCH ----
    ("BRANCH", {"on": "LEAK_TEST"}, []),
    ("BRANCH", {"on": "TIMEOUT"}, []),
    ("BRANCH", {"above": 1.0}, [("above", 1.0, "has no meaning with on = 'ALWAYS'")]),
    ("BRANCH", {"on": "LEAK_TEST", "below": 1.0, "equals": "x"}, [("below", 1.0, "has no meaning with on = 'LEAK_TEST'"),
                                                                 ("equals", "x", "has no meaning with on = 'LEAK_TEST'")]),
    ("BRANCH", {"on": "TIMEOUT", "below": 1.0}, [("below", 1.0, "has no meaning with on = 'TIMEOUT'")]),
    ("BRANCH", {"on": "RESIDUAL", "above": 1.0}, []),
    ("BRANCH", {"on": "RESIDUAL", "above": 1.0, "below": 3.0}, []),
    ("BRANCH", {"on": "RESIDUAL", "equals": "x"}, [("equals", "x", "only with on = 'ANSWER'")]),
    ("BRANCH", {"on": "RESIDUAL"}, [("on", "RESIDUAL", "needs above, below or both")]),
    ("BRANCH", {"on": "ANSWER"}, [("on", "ANSWER", "needs above, below or both, or equals")]),
    ("BRANCH", {"on": "ANSWER", "equals": "x"}, []),
    ("BRANCH", {"on": "ANSWER", "below": 2.0}, []),
    ("BRANCH", {"on": "ANSWER", "equals": "x", "below": 2.0}, [("on", "ANSWER", "needs above, below or both, or equals")]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "changed", "wrong"), CASES)
def test_inside_is_taken_and_outside_is_refused_with_what_is_allowed(kind, changed, wrong):
    found = check_phase("phase.7", phase(kind, **changed), OVEN, PROVING)
    assert [(problem.key, problem.value, problem.allowed) for problem in found] == [(f"phase.7.{key}", *rest) for key, *rest in wrong]


@pytest.mark.parametrize("kind", BASES)
def test_a_phase_of_each_kind_is_taken(kind):
    assert check_phase("phase.7", phase(kind), OVEN, PROVING) == []


@pytest.mark.parametrize("given", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)])
def test_periodic_pressure_rise_tests_have_all_three_keys_or_none(given):
    kept = {name: value for (name, value), keep in zip(TESTED.items(), given, strict=True) if keep}
    missing = [name for name in TESTED if name not in kept]
    found = check_phase("p", phase("SOAK", **kept), OVEN, PROVING)
    assert sorted(problem.key for problem in found) == sorted(f"p.{name}" for name in missing)
    for problem in found:
        others = set(TESTED) - {problem.key.removeprefix("p.")}
        assert problem.allowed.startswith("needed with ")
        assert set(problem.allowed.removeprefix("needed with ").split(", ")) == others


def test_a_wait_for_what_nobody_reads_is_told_what_there_is():
    (problem,) = check_phase("p", phase("WAIT", tag="mood"), OVEN, PROVING)
    assert (problem.key, problem.value) == ("p.tag", "mood")
    assert problem.allowed.startswith("one of temp_c, hottest_c, ")


def test_without_a_pressure_a_test_may_still_rise_by_a_millibar():
    found = check_phase("p", phase("PRESSURE_RISE", pressure_mbar=None, max_mbar=0.5), OVEN, PROVING)
    assert [problem.allowed for problem in found] == ["needed with atmosphere = 'VACUUM'", RISE_MBAR.replace("21", "1")]


def test_a_person_finds_the_phase_by_its_key_in_the_file():
    assert place_of(3, phase("VENT")) == "phase.3.VENT"
    assert place_of(3, phase("VENT").model_copy(update={"at": "phase.1.part"})) == "phase.1.part.VENT"
    assert inside("key", 1.0, 1.0, 1.0, "mm") == []
    assert [str(one) for one in inside("key", 2.0, 0.5, 1.0, "mm")] != []
