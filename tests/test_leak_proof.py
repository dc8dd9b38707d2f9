"""What a leak test has shown ends with the door, also when the unit was stopped in the scan after the test."""

import pytest

from controller.recipe.cold import leak_test_phase
from controller.recipe.look import PhaseMemory
from controller.recipe.states import UnitState, Verb
from sim.faults import inject
from tests.causes import leaks
from tests.images import BAD
from tests.rigs import prepared
from tests.test_check_exact import phase
from tests.test_resting_exact import look


@pytest.mark.parametrize("verb", [Verb.HOLD, Verb.STOP, Verb.ABORT])
def test_an_opened_door_ends_the_leak_test_s_proof_though_the_unit_was_stopped_right_after_the_test(verb):
    rig = prepared("leak test")
    while not rig.memory.unit.leak_ok:
        rig.step()
    rig.ask(verb)
    rig.step()
    assert rig.memory.proof.leak_ok
    inject(rig.plc, "door_forced")
    for _ in range(5):
        rig.step()
    assert "I3" in rig.record.verdict.active
    assert not rig.memory.proof.leak_ok


def test_a_gauge_that_freezes_as_the_test_begins_does_not_pass_a_leak():
    rig = prepared("leak test")
    leaks(5e3).begin(rig)
    while rig.memory.unit.phase.stage < 2:
        rig.step()
    inject(rig.plc, "gauge_frozen")
    while rig.memory.unit.state is UnitState.RUNNING and rig.record.phase_kind == "LEAK_TEST":
        rig.step()
    assert rig.memory.unit.state is UnitState.HELD
    assert "I13" in rig.record.verdict.active
    assert not rig.memory.proof.leak_ok


TEST = phase("LEAK_TEST", pressure_mbar=20.0, hold_min=10.0, max_rise_mbar_h=10.0)
BEGUN = PhaseMemory(stage=2, stage_s=600.0, mark=20.0, gauge="pressure_cap_mbar", witness_mbar=22.0, moved=True)


@pytest.mark.parametrize(("memory", "reading", "witness", "passed", "why"), [
    (BEGUN, 20.5, 22.5, True, "pressure rise"),
    (BEGUN, 20.5, 32.8, True, "pressure rise"),  # apart by what a Pirani may be off
    (BEGUN, 20.5, 33.2, False, "no test: PT-302 rose by 11.2 mbar, PT-301 by 0.5 mbar"),
    (BEGUN, 20.5, BAD, True, "pressure rise"),  # it has moved, and nobody speaks against it
    (BEGUN._replace(moved=False), 20.0, 23.3, True, "pressure rise"),  # a coarse one at a tight oven
    (BEGUN._replace(moved=False), 20.0, 23.5, False, "no test: PT-302 rose by 1.5 mbar, PT-301 by 0.0 mbar"),
    (BEGUN._replace(moved=False), 20.0, BAD, False, "no test: PT-301 stood still to the last digit, and there is no other gauge"),
    (BEGUN._replace(moved=False, witness_mbar=None), 20.0, 22.0, False, "no test: PT-301 stood still"),
    (BEGUN._replace(moved=False, witness_mbar=None), 20.1, 22.0, True, "pressure rise"),  # it moves in the last scan
    (BEGUN._replace(gauge="pressure_pirani_mbar", mark=22.0, witness_mbar=20.0), BAD, 22.5, True, "pressure rise"),
    (BEGUN._replace(gauge="pressure_pirani_mbar", mark=22.0, witness_mbar=20.0), 30.1, 22.5, False, "PT-301 rose by 10.1 mbar, PT-302"),
])  # fmt: skip
def test_a_rise_counts_while_the_other_gauge_does_not_speak_against_it(memory, reading, witness, passed, why):
    scan = look()
    inputs = scan.inputs._replace(**{
        field: scan.inputs.pressure_cap_mbar._replace(value=None if value is BAD else value)
        for field, value in (("pressure_cap_mbar", reading), ("pressure_pirani_mbar", witness))
    })  # fmt: skip
    done = leak_test_phase(TEST, memory, scan._replace(inputs=inputs, process=scan.process._replace(pressure_mbar=20.0)))
    assert (done.leak_ok, done.done, done.failed) == (passed, passed, "" if passed else "I13")
    assert why in done.why
