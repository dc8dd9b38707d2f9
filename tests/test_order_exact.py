"""The order of phases on every way: what each way lacks is found, on the way that lacks it, and nothing on the ways that have it."""

import pytest

from controller.recipe.order import check_order, heats
from controller.recipe.proving import Proving
from tests.test_check_exact import N2, TESTED, VACUUM, phase
from tests.test_claims_exact import RECIPE

PROVING = Proving(cycles=2)
LEAK, PURGE, FLOW = phase("LEAK_TEST"), phase("CYCLE_PURGE"), phase("PURGE_FLOW")
OPEN_LEAK = phase("LEAK_TEST", on_fail="CONTINUE")
SOAK, INERT_SOAK = phase("SOAK"), phase("SOAK", pressure_mbar=None, **N2)
COOL, VENT, END, RISE, WAIT, HOT_WAIT = (phase("COOL"), phase("VENT"), phase("END"), phase("PRESSURE_RISE"), phase("WAIT"),
                                         phase("WAIT", target_c=80.0, **VACUUM))  # fmt: skip
ASK, TESTED_SOAK, EVACUATE = phase("OPERATOR"), phase("SOAK", **TESTED), phase("EVACUATE")
I5 = "heat in vacuum needs a LEAK_TEST and a CYCLE_PURGE of >= 2 cycles before it (I5)"
I5_N2 = "heat in N2 needs a CYCLE_PURGE or PURGE_FLOW before it (I5)"
I19 = "air may only be let in after a COOL with target_c <= 58 degC whose on_timeout is not CONTINUE (I19)"
UNCOOLED = "COOL stands after the last phase with heat"
SHUT = "VACUUM or N2_FLOW: a hot load is not shut in"
NO_LEAK, NO_ASK = "needs a LEAK_TEST before it", "needs an OPERATOR before it"
NO_RISE = "needs a PRESSURE_RISE, or a phase with pressure_rise_every_min, before it"
TAKEN = "a label of its own; phase 1 (LEAK_TEST) has it already"
NO_WAY = "no way leads here"
ONCE = "END stands once and last"


def to(label, on="ALWAYS", **how):
    return phase("BRANCH", on=on, to=label, **how)


def at(label, one):
    return one.model_copy(update={"label": label})


def wrong(*phases):
    found = check_order(RECIPE.model_copy(update={"phase": phases}), PROVING, 58.0)
    return [(problem.key, problem.value, problem.allowed) for problem in found]


def test_what_heats():
    assert [heats(one) for one in (SOAK, INERT_SOAK, RISE, HOT_WAIT, COOL, WAIT, PURGE, VENT, END)] == [True] * 4 + [False] * 5


WAYS = [
    # ---- proof before heat ----
    ((LEAK, PURGE, SOAK, COOL, VENT, END), []),
    ((PURGE, LEAK, SOAK, COOL, VENT, END), []),
    ((PURGE, SOAK, COOL, END), [("phase.1.SOAK.kind", "SOAK", I5)]),
    ((LEAK, SOAK, COOL, END), [("phase.1.SOAK.kind", "SOAK", I5)]),
    ((LEAK, phase("CYCLE_PURGE", cycles=1), SOAK, COOL, END), [("phase.2.SOAK.kind", "SOAK", I5)]),
    ((LEAK, phase("CYCLE_PURGE", cycles=3), SOAK, COOL, END), []),
    ((LEAK, PURGE, phase("CYCLE_PURGE", cycles=1), SOAK, COOL, END), []),
    ((LEAK, FLOW, SOAK, COOL, END), [("phase.2.SOAK.kind", "SOAK", I5)]),
    ((OPEN_LEAK, PURGE, SOAK, COOL, END), [("phase.2.SOAK.kind", "SOAK", I5)]),
    ((FLOW, INERT_SOAK, COOL, END), []),
    ((PURGE, INERT_SOAK, COOL, END), []),
    ((LEAK, INERT_SOAK, COOL, END), [("phase.1.SOAK.kind", "SOAK", I5_N2)]),
    ((LEAK, PURGE, HOT_WAIT, COOL, END), []),
    ((PURGE, HOT_WAIT, COOL, END), [("phase.1.WAIT.kind", "WAIT", I5)]),
    ((WAIT, VENT, END), []),
    ((SOAK, SOAK, INERT_SOAK, COOL, END), [("phase.0.SOAK.kind", "SOAK", I5)]),  # the first heat tells it, the others do not
    ((LEAK, PURGE, SOAK, COOL, VENT, SOAK, COOL, END), [("phase.5.SOAK.kind", "SOAK", I5)]),  # air: nothing is proven any more
    ((FLOW, VENT, INERT_SOAK, COOL, END), [("phase.2.SOAK.kind", "SOAK", I5_N2)]),
    ((PURGE, VENT, INERT_SOAK, COOL, END), [("phase.2.SOAK.kind", "SOAK", I5_N2)]),
    ((LEAK, VENT, PURGE, SOAK, COOL, END), [("phase.3.SOAK.kind", "SOAK", I5)]),
    # ---- COOL after heat, VENT after COOL ----
    ((LEAK, PURGE, SOAK, VENT, END), [("phase.3.VENT.kind", "VENT", I19), ("phase", "END", UNCOOLED)]),
    ((LEAK, PURGE, SOAK, END), [("phase", "END", UNCOOLED)]),
    ((LEAK, PURGE, SOAK, EVACUATE, END), [("phase", "END", UNCOOLED)]),
    ((LEAK, PURGE, SOAK, COOL, SOAK, END), [("phase", "END", UNCOOLED)]),
    ((LEAK, PURGE, SOAK, WAIT, COOL, END), [("phase.3.WAIT.atmosphere", "NONE", SHUT)]),
    ((LEAK, PURGE, SOAK, COOL, WAIT, END), []),
    # ---- proofs are not passed by their timeout ----
    ((phase("LEAK_TEST", on_timeout="CONTINUE"), PURGE, END),
     [("phase.0.LEAK_TEST.on_timeout", "CONTINUE", "HOLD, STOP or ABORT: a proof that was not given cannot be passed")]),
    ((phase("CYCLE_PURGE", on_timeout="CONTINUE"), END),
     [("phase.0.CYCLE_PURGE.on_timeout", "CONTINUE", "HOLD, STOP or ABORT: a proof that was not given cannot be passed")]),
    ((phase("PURGE_FLOW", on_timeout="CONTINUE"), END),
     [("phase.0.PURGE_FLOW.on_timeout", "CONTINUE", "HOLD, STOP or ABORT: a proof that was not given cannot be passed")]),
    ((phase("EVACUATE", on_timeout="CONTINUE"), END), []),
    # ---- ends and labels ----
    ((VENT, VENT), [("phase", "VENT", ONCE)]),
    ((END, VENT, END), [("phase", "END", ONCE)]),
    ((END, VENT), [("phase", "VENT", ONCE)]),
    ((to("out"), at("out", END)), [("phase", "BRANCH", "a BRANCH stands after the phase whose result it looks at")]),
    ((at("a", LEAK), at("a", PURGE), at("a", END)),
     [("phase.1.CYCLE_PURGE.label", "a", TAKEN), ("phase.2.END.label", "a", TAKEN)]),
    ((LEAK, to("out"), END), [("phase.1.BRANCH.to", "out", "the label of a later phase: there is none")]),
    ((at("here", LEAK), to("here"), at("b", VENT), at("c", END)), [("phase.1.BRANCH.to", "here", "the label of a later phase: b, c")]),
    ((LEAK, at("self", to("self")), END), [("phase.1.BRANCH.to", "self", "the label of a later phase: there is none")]),
    ((LEAK, to("out"), at("out", END)), []),
    ((LEAK, to("out"), PURGE, at("out", END)), [("phase.2.CYCLE_PURGE.kind", "CYCLE_PURGE", NO_WAY)]),
    # ---- branches: on every way ----
    ((OPEN_LEAK, to("out", "LEAK_TEST"), PURGE, SOAK, COOL, at("out", END)), []),  # straight on it was a go
    ((OPEN_LEAK, PURGE, to("hot", "LEAK_TEST"), VENT, at("hot", SOAK), COOL, END), [("phase.4.SOAK.kind", "SOAK", I5)]),
    ((OPEN_LEAK, PURGE, to("hot", "LEAK_RATE", above=1.0), at("hot", SOAK), COOL, END), [("phase.3.SOAK.kind", "SOAK", I5)]),
    ((LEAK, PURGE, to("hot", "LEAK_TEST"), at("hot", SOAK), COOL, END), []),
    ((LEAK, to("hot", "TIMEOUT"), PURGE, at("hot", SOAK), COOL, END), [("phase.3.SOAK.kind", "SOAK", I5)]),
    ((LEAK, PURGE, SOAK, to("out", "RESIDUAL", above=1.0), COOL, at("out", VENT), END),
     [("phase.5.VENT.kind", "VENT", I19), ("phase", "END", UNCOOLED)]),
    ((ASK, to("out", "ANSWER", equals="x"), VENT, at("out", END)), []),
    ((VENT, to("out", "ANSWER", equals="x"), VENT, at("out", END)), [("phase.1.BRANCH.on", "ANSWER", NO_ASK)]),
    ((VENT, to("out", "LEAK_TEST"), VENT, at("out", END)), [("phase.1.BRANCH.on", "LEAK_TEST", NO_LEAK)]),
    ((VENT, to("out", "LEAK_RATE", above=1.0), VENT, at("out", END)), [("phase.1.BRANCH.on", "LEAK_RATE", NO_LEAK)]),
    ((LEAK, VENT, to("out", "LEAK_RATE", above=1.0), VENT, at("out", END)), []),
    ((VENT, to("out", "PRESSURE_RISE", above=1.0), VENT, at("out", END)), [("phase.1.BRANCH.on", "PRESSURE_RISE", NO_RISE)]),
    ((LEAK, PURGE, SOAK, to("out", "PRESSURE_RISE", above=1.0), EVACUATE, at("out", COOL), END),
     [("phase.3.BRANCH.on", "PRESSURE_RISE", NO_RISE)]),
    ((LEAK, PURGE, TESTED_SOAK, to("out", "PRESSURE_RISE", above=1.0), EVACUATE, at("out", COOL), END), []),
    ((LEAK, PURGE, RISE, SOAK, to("out", "PRESSURE_RISE", above=1.0), EVACUATE, at("out", COOL), END), []),
    ((ASK, EVACUATE, to("out", "ANSWER", equals="x"), VENT, at("out", END)), []),
    ((VENT, to("ask", "TIMEOUT"), VENT, at("ask", ASK), to("out", "ANSWER", equals="x"), VENT, at("out", END)), []),
    ((VENT, to("past", "TIMEOUT"), ASK, at("past", VENT), to("out", "ANSWER", equals="x"), VENT, at("out", END)),
     [("phase.4.BRANCH.on", "ANSWER", NO_ASK)]),
]  # fmt: skip


@pytest.mark.parametrize(("phases", "found"), WAYS)
def test_what_a_way_lacks_is_found(phases, found):
    assert wrong(*phases) == found


def test_a_proof_that_may_be_passed_does_not_hide_what_else_is_wrong():
    passed = phase("LEAK_TEST", on_timeout="CONTINUE")
    assert [key for key, *_ in wrong(passed, SOAK, END)] == ["phase.0.LEAK_TEST.on_timeout", "phase.1.SOAK.kind", "phase"]


def test_a_phase_that_is_reached_hot_and_cold_is_told_what_each_way_lacks_and_heat_only_once():
    found = wrong(OPEN_LEAK, to("b", "TIMEOUT"), PURGE, at("b", SOAK), to("c", "TIMEOUT"), COOL, at("c", VENT), END)
    assert [key for key, *_ in found] == ["phase.3.SOAK.kind", "phase.6.VENT.kind", "phase"]
