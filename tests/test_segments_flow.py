"""REPEAT, CALL and BRANCH: how they are written out, what the check sees on every way, and where the recipe goes on."""

from pathlib import Path

import pytest

from controller import dryrun, plan
from controller.equipment import Equipment
from controller.errors import FileError
from controller.estimator.model import LegKind
from controller.image import Estimate, Interval, PressureRise
from controller.memory import Memory, Settings
from controller.recipe import flow
from controller.recipe.check import check_recipe
from controller.recipe.flow import Leak, Results
from controller.recipe.model import MOST_PHASES, Branch
from controller.recipe.reading import parse_recipe, read_load, read_recipe
from controller.recorder import MEMORY
from controller.wiring import load as load_wiring
from sim import bench, operator

ROOT = Path(__file__).parents[1]
TRIAL = (ROOT / "recipes" / "trial-short.toml").read_text("utf-8")
HEAD = TRIAL[: TRIAL.index("[power_fail]")]
SURVEY = ROOT / "recipes" / "commissioning.toml"
SAMPLE = ROOT / "recipes" / "loads" / "sample-roll.toml"
T = "timeout_min = 600.0\n"
LEAK = f'[[phase]]\nkind = "LEAK_TEST"\npressure_mbar = 20.0\nhold_min = 5.0\nmax_rise_mbar_h = 10.0\n{T}'
PURGE = f'[[phase]]\nkind = "CYCLE_PURGE"\nlow_mbar = 20.0\nhigh_mbar = 900.0\ncycles = 2\n{T}'
IN_VACUUM = f'atmosphere = "VACUUM"\npressure_mbar = 20.0\n{T}'
SOAK = f'[[phase]]\nkind = "SOAK"\ntarget_c = 150.0\nsoak_min = 10.0\n{IN_VACUUM}'
ASK = f'[[phase]]\nkind = "OPERATOR"\ntext = "Go on?"\n{T}'
HOT_ASK = ASK + 'atmosphere = "VACUUM"\npressure_mbar = 20.0\n'
COOL = f'[[phase]]\nkind = "COOL"\ntarget_c = 55.0\natmosphere = "N2_FLOW"\nn2_flow_nm3_h = 60.0\n{T}'
VENT = f'[[phase]]\nkind = "VENT"\n{T}'
END = '[[phase]]\nkind = "END"\n'
BEFORE = LEAK + PURGE


def branch(to, on="ANSWER", how='equals = "no"\n'):
    return f'[[phase]]\nkind = "BRANCH"\non = "{on}"\n{how}to = "{to}"\n'


def labelled(phase, label):
    return phase.replace("]]\n", f']]\nlabel = "{label}"\n', 1)


def nested(*phases):
    return "".join(phase.replace("[[phase", "[[phase.phase") for phase in phases)


def repeat(count, *phases):
    return f'[[phase]]\nkind = "REPEAT"\ncount = {count}\n' + nested(*phases)


def read(*phases):
    return parse_recipe(HEAD + "".join(phases), "r").recipe


def said(*phases):
    return [str(problem) for problem in check_recipe(read(*phases), Equipment())]


# ---- REPEAT and CALL ----


def test_a_repeat_is_written_out_and_every_phase_knows_its_turn_and_its_place():
    recipe = read(BEFORE, repeat(2, SOAK, repeat(3, SOAK)), COOL, END)
    assert [phase.kind for phase in recipe.phase].count("SOAK") == 2 * (1 + 3)
    assert [phase.turn for phase in recipe.phase[2:7]] == ["1/2", "1/2, 1/3", "1/2, 2/3", "1/2, 3/3", "2/2"]
    assert recipe.phase[3].at == "phase.2.phase.1.phase.0"
    assert recipe.phase[3].title == "SOAK (1/2, 1/3)"
    assert recipe.phase[10].at == "phase.3"  # the COOL behind it: where a person finds it
    assert said(BEFORE, repeat(2, SOAK, repeat(3, SOAK)), COOL, END) == []


REFUSED = [
    (repeat(2, repeat(2, repeat(2, SOAK))), "REPEAT nests at most 2 deep"),
    (repeat(50, repeat(50, SOAK)), f"at most {MOST_PHASES} phases"),
    (repeat(51, SOAK), "phase 3 (REPEAT), count = 51"),
    ('[[phase]]\nkind = "REPEAT"\ncount = 2\n', "a REPEAT has phases of its own"),
    (repeat(2, SOAK.replace("soak_min", "soak_mn")), "phase 3, phase 1 (SOAK), soak_mn"),
    (SOAK + 'turn = "1/2"\n', "phase 3, turn = '1/2': unknown key"),
    ('[[phase]]\nkind = "CALL"\nrecipe = "no-such"\n', "no-such"),
    ('[[phase]]\nkind = "CALL"\nrecipe = "../vacuum"\n', "phase 3 (CALL), recipe"),
]


@pytest.mark.parametrize(("phases", "says"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_cannot_be_written_out_is_refused_where_it_was_written(phases, says):
    with pytest.raises(FileError) as refused:
        read(BEFORE, phases, COOL, END)
    assert says in str(refused.value)
    assert str(refused.value).count("\n") < 4  # once, not once a turn


PART = """id = "part"\nrevision = 1\ntitle = "Part"\npurpose = "Part of others"
[formula.hot]\nvalue = 150.0\nlow = 100.0\nhigh = 245.0\nunit = "degC"\ntext = "Soak"
""" + SOAK.replace("150.0", '"=hot"')
CALL = '[[phase]]\nkind = "CALL"\nrecipe = "part"\n'


def written(folder, part=PART, call=CALL):
    """Return the path of a recipe that calls ``part``."""
    (folder / "parts").mkdir()
    (folder / "parts" / "part.toml").write_text(part)
    path = folder / "whole.toml"
    path.write_text(HEAD + BEFORE + call + COOL + END)
    return path


def test_a_called_recipe_is_part_of_the_text_and_of_the_hash(tmp_path):
    path = written(tmp_path, call=CALL + "formula = { hot = 120.0 }\n")
    sourced = read_recipe(path)
    assert [phase.kind for phase in sourced.recipe.phase] == ["LEAK_TEST", "CYCLE_PURGE", "SOAK", "COOL", "END"]
    assert sourced.recipe.phase[2].target_c == 120.0
    alone = parse_recipe(sourced.text, "the text in the journal")
    assert alone.sha256 == sourced.sha256
    (tmp_path / "parts" / "part.toml").write_text(PART.replace("soak_min = 10.0", "soak_min = 11.0"))
    assert read_recipe(path).sha256 != sourced.sha256
    assert parse_recipe(sourced.text, "r").sha256 == sourced.sha256  # what was started does not change with the file


def test_a_caller_gives_its_own_formula_on(tmp_path):
    sourced = read_recipe(written(tmp_path, call=CALL + 'formula = { hot = "=cure-temperature" }\n'), {"cure-temperature": 240.0})
    assert sourced.recipe.phase[2].target_c == 240.0


CALLED_WRONG = [
    (PART, "formula = { hot = 250.0 }\n", "part.toml formula.hot.value = 250.0"),
    (PART, "formula = { cold = 50.0 }\n", "part.toml formula.cold"),
    (PART, 'formula = { hot = "=no-such" }\n', "cure-temperature"),
    (PART.replace('"degC"', '"min"'), 'formula = { hot = "=cure-temperature" }\n', "a value in min"),
    (PART + END, "", "END stands only in the recipe that calls"),
    (PART + CALL, "", "a sub-recipe calls no other"),
    (PART.replace("soak_min = 10.0", "soak_min = -1.0"), "", "phase 3 part.toml phase 1 (SOAK), soak_min"),
    (PART.replace("revision = 1", ""), "", "part.toml revision"),
    (PART.split("[formula")[0] + "phase = 5\n", "", "part.toml phase = 5: a sub-recipe has phases"),
    (PART.split("[formula")[0] + "phase = []\n", "", "part.toml phase = []: a sub-recipe has phases"),
    (PART.split("[[phase")[0], "", "part.toml phase = None: a sub-recipe has phases"),
]


@pytest.mark.parametrize(("part", "keys", "says"), CALLED_WRONG, ids=[row[2] for row in CALLED_WRONG])
def test_a_mistake_in_a_called_recipe_names_both_files(tmp_path, part, keys, says):
    with pytest.raises(FileError) as refused:
        read_recipe(written(tmp_path, part, CALL + keys), {"cure-temperature": 240.0})
    assert says in str(refused.value)
    assert "whole.toml" in str(refused.value)


OTHER = "[called]  # texts\nother = 'x'\n"


@pytest.mark.parametrize("before", [OTHER, OTHER.rstrip(), "[called]\n"])
def test_a_called_recipe_is_put_under_called_wherever_that_stands(tmp_path, before):
    path = written(tmp_path)
    path.write_text(HEAD + before + "\n" + BEFORE + CALL + COOL + END)
    sourced = read_recipe(path)
    assert [phase.kind for phase in sourced.recipe.phase] == ["LEAK_TEST", "CYCLE_PURGE", "SOAK", "COOL", "END"]
    path.write_text(HEAD + BEFORE + CALL + COOL + END + before)
    assert read_recipe(path).sha256 == sourced.sha256


def test_called_in_a_text_is_not_taken_for_the_table(tmp_path):
    path = written(tmp_path)
    purpose = next(line for line in HEAD.splitlines() if line.startswith("purpose"))
    path.write_text(HEAD.replace(purpose, f'purpose = """A text\n{OTHER}"""') + OTHER + BEFORE + CALL + COOL + END)
    assert "[called]" in read_recipe(path).recipe.purpose


@pytest.mark.parametrize(("called", "says"), [("called = 5", "called = 5: a table"), ("called = {}", "begun by a line")])
def test_called_that_takes_no_text_is_refused(tmp_path, called, says):
    path = written(tmp_path)
    path.write_text(f"{called}\n{path.read_text()}")
    with pytest.raises(FileError, match=says):
        read_recipe(path)


# ---- the check sees every way ----

GOOD = [
    (BEFORE, ASK, branch("cool"), SOAK, labelled(COOL, "cool"), VENT, END),
    (LEAK + 'on_fail = "CONTINUE"\n', branch("out", "LEAK_TEST", ""), PURGE, SOAK, COOL, labelled(VENT, "out"), END),
    (LEAK, ASK, branch("end"), labelled(END, "end")),
    (BEFORE, ASK, branch("other"), SOAK, branch("cool", "ALWAYS", ""), labelled(SOAK, "other"), labelled(COOL, "cool"), END),
    (BEFORE, repeat(2, HOT_ASK, branch("rest"), SOAK, labelled(SOAK, "rest")), COOL, END),
]


@pytest.mark.parametrize("phases", GOOD)
def test_a_recipe_that_is_safe_on_every_way_passes(phases):
    assert said(*phases) == []


WAYS = [
    ((ASK, branch("hot"), BEFORE, labelled(SOAK, "hot"), COOL, END), "phase 5 (SOAK), kind", "(I5)"),  # round the proof
    ((BEFORE, ASK, branch("end"), SOAK, COOL, labelled(END, "end")), None, None),  # nothing was heated on the short way
    ((BEFORE, SOAK, HOT_ASK, branch("end"), COOL, labelled(END, "end")), "phase", "COOL stands"),
    ((BEFORE, SOAK, HOT_ASK, branch("vent"), COOL, labelled(VENT, "vent"), END), "phase 7 (VENT), kind", "(I19)"),
    ((BEFORE, SOAK, COOL, VENT, SOAK, COOL, END), "phase 6 (SOAK), kind", "(I5)"),  # air came in
    ((BEFORE, SOAK, COOL, SOAK, VENT, END), "phase 6 (VENT), kind", "(I19)"),
    ((BEFORE, repeat(2, SOAK, COOL, VENT), END), "phase 3, phase 1 (SOAK), kind", "(I5)"),  # the second turn begins with air
    ((LEAK + 'on_fail = "CONTINUE"\n', PURGE, SOAK, COOL, END), "phase 3 (SOAK), kind", "(I5)"),  # nobody looks at the result
    ((LEAK + 'on_fail = "CONTINUE"\n', branch("hot", "LEAK_TEST", ""), PURGE, labelled(SOAK, "hot"), COOL, END), "4 (SOAK), kind", "(I5)"),
    ((BEFORE, SOAK, ASK, COOL, END), "phase 4 (OPERATOR), atmosphere", "a hot load is not shut in"),
    ((BEFORE, branch("end"), SOAK, COOL, labelled(END, "end")), "phase 3 (BRANCH), on", "needs an OPERATOR before it"),
    ((ASK, branch("leak"), labelled(LEAK, "leak"), branch("no"), END), "phase 4 (BRANCH), to", "there is none"),
    ((LEAK, ASK, branch("back"), END), "phase 3 (BRANCH), to", "later phase"),
    ((labelled(LEAK, "back"), ASK, branch("back"), END), "phase 3 (BRANCH), to", "later phase"),
    ((labelled(LEAK, "x"), labelled(PURGE, "x"), END), "phase 2 (CYCLE_PURGE), label", "of its own"),
    ((BEFORE, ASK, branch("cool", "ALWAYS", ""), SOAK, labelled(COOL, "cool"), END), "phase 5 (SOAK), kind", "no way leads here"),
    ((branch("end", "ALWAYS", ""), labelled(END, "end")), "phase", "stands after the phase"),
    ((LEAK, branch("end", "LEAK_RATE", ""), labelled(END, "end")), "phase 2 (BRANCH), on", "above, below or both"),
    ((LEAK, branch("end", "LEAK_TEST", "above = 1.0\n"), labelled(END, "end")), "phase 2 (BRANCH), above", "no meaning"),
    ((BEFORE, SOAK, branch("cool", "PRESSURE_RISE", "above = 1.0\n"), labelled(COOL, "cool"), END), "4 (BRANCH), on", "PRESSURE_RISE"),
]


@pytest.mark.parametrize(("phases", "key", "says"), WAYS)
def test_a_way_round_the_order_is_found(phases, key, says):
    problems = said(*phases)
    if key is None:
        assert problems == []
    else:
        assert any(key in problem and says in problem for problem in problems), problems


KEYS = [
    (SOAK.replace("soak_min", "holdback_max_min = 700.0\nsoak_min"), "holdback_max_min"),
    (SOAK.replace("soak_min", "alarm_low_c = 100.0\nalarm_high_c = 90.0\nsoak_min"), "alarm_low_c"),
    (f'[[phase]]\nkind = "RAMP"\ntarget_c = 150.0\n{IN_VACUUM}', "either rate_c_per_min or ramp_min"),
    (f'[[phase]]\nkind = "RAMP"\ntarget_c = 150.0\nrate_c_per_min = 2.0\nramp_min = 9.0\n{IN_VACUUM}', "either rate_c_per_min or ramp_min"),
    (f'[[phase]]\nkind = "STEP"\ntarget_c = 290.0\n{IN_VACUUM}', "260"),
    (f'[[phase]]\nkind = "WAIT"\ntag = "z1_op_pct"\nrising = 1.0\n{T}', "one of temp_c"),
    (f'[[phase]]\nkind = "WAIT"\ntag = "load_min_c"\n{T}', "rising or falling"),
    (f'[[phase]]\nkind = "WAIT"\ntag = "load_min_c"\nrising = 1.0\nfalling = 2.0\n{T}', "rising or falling"),
    (f'[[phase]]\nkind = "WAIT"\ntag = "pump_run"\nrising = 1.0\n{T}', "equals"),
    (f'[[phase]]\nkind = "WAIT"\ntag = "pump_run"\nequals = true\npressure_mbar = 5.0\n{T}', "no meaning without an atmosphere"),
    (ASK + 'entry = "NUMBER"\nlow = 1.0\n', "low and high"),
    (ASK + 'entry = "CHOICE"\n', "choices"),
    (ASK + 'entry = "NUMBER"\nlow = 5.0\nhigh = 1.0\n', "below high"),
    (f'[[phase]]\nkind = "BACKFILL"\npressure_mbar = 1035.0\n{T}', "1030"),
]


@pytest.mark.parametrize(("phase", "says"), KEYS, ids=[row[1] for row in KEYS])
def test_keys_that_make_no_sense_together_are_refused(phase, says):
    problems = said(BEFORE, phase, COOL, END)
    assert any(says in problem for problem in problems), problems


def test_the_limits_of_an_outage_are_in_order():
    recipe = parse_recipe(HEAD + "[power_fail]\nt1_s = 120.0\nt2_min = 1.0\n" + BEFORE + END, "r").recipe
    assert [problem.key for problem in check_recipe(recipe, Equipment())] == ["power_fail.t1_s"]


# ---- where it goes on ----

ZERO = Interval(0.0, 0.0, 0.0)
RISE = PressureRise(100.0, 60.0, 1.0, 0.4, 0.1, 0.01, True, "")
BELIEF = Estimate(100.0, 100.0, Interval(0.02, 0.01, 0.03), Interval(0.4, 0.3, 0.5), 0.0, 0.0, ZERO, None, True, "", (), pressure_rise=RISE)
UNSURE = BELIEF._replace(valid=False)
DECISIONS = [  # keys of the branch, results, estimate -> leaves the straight way
    ({"on": "LEAK_TEST"}, Results(leak_failed=True), BELIEF, True),
    ({"on": "LEAK_TEST"}, Results(leak_failed=False), BELIEF, False),
    ({"on": "LEAK_TEST"}, Results(), BELIEF, None),
    ({"on": "LEAK_RATE", "above": 2.0}, Results(leak_mbar_h=2.1), BELIEF, True),
    ({"on": "LEAK_RATE", "above": 2.0}, Results(leak_mbar_h=1.9), BELIEF, False),
    ({"on": "LEAK_RATE", "above": 2.0}, Results(), BELIEF, None),
    ({"on": "ANSWER", "equals": "no"}, Results(answer="no"), BELIEF, True),
    ({"on": "ANSWER", "equals": "no"}, Results(answer="yes"), BELIEF, False),
    ({"on": "ANSWER", "below": 3.0}, Results(answer="2.5"), BELIEF, True),
    ({"on": "ANSWER", "below": 3.0}, Results(answer="many"), BELIEF, None),
    ({"on": "TIMEOUT"}, Results(timed_out=True), BELIEF, True),
    ({"on": "TIMEOUT"}, Results(), BELIEF, False),
    ({"on": "ALWAYS"}, Results(), UNSURE, True),
    ({"on": "RESIDUAL", "above": 1.5}, Results(), BELIEF, True),
    ({"on": "RESIDUAL", "above": 2.5}, Results(), BELIEF, False),
    ({"on": "RESIDUAL", "above": 1.5}, Results(), UNSURE, None),
    ({"on": "INSOLUBLE", "below": 41.0, "above": 90.0}, Results(), BELIEF, True),
    ({"on": "PRESSURE_RISE", "above": 0.3}, Results(), BELIEF, True),
    ({"on": "PRESSURE_RISE", "above": 0.3}, Results(), BELIEF._replace(pressure_rise=RISE._replace(valid=False)), None),
    ({"on": "PRESSURE_RISE", "above": 0.3}, Results(), BELIEF._replace(pressure_rise=RISE._replace(at_s=1.0)), None),  # of an earlier batch
]


@pytest.mark.parametrize(("keys", "results", "estimate", "jumps"), DECISIONS)
def test_a_branch_decides_on_its_result_and_not_without_one(keys, results, estimate, jumps):
    assert flow.decided(Branch(kind="BRANCH", to="x", **keys), results, estimate, began_s=50.0)[0] is jumps


def test_each_turn_of_a_repeat_branches_within_itself():
    recipe = read(BEFORE, repeat(2, ASK, branch("rest"), SOAK, labelled(SOAK, "rest")), COOL, END)
    first = flow.onward(recipe, 2, Results(answer="no"), BELIEF, 0.0)
    second = flow.onward(recipe, 6, Results(answer="no"), BELIEF, 0.0)
    assert (first.place, second.place) == (5, 9)
    assert "goes to rest-1" in first.told[0]
    assert flow.onward(recipe, 2, Results(), BELIEF, 0.0).place is None
    assert flow.onward(recipe, 2, Results(), BELIEF, 0.0, forced=True).place == 4


def test_forecast_and_dry_run_take_the_expected_way():
    ways = (BEFORE, ASK, branch("cool"), SOAK, labelled(COOL, "cool"), END)
    straight = plan.legs_of(read(*ways), Equipment())
    assert [leg.kind for leg in straight] == [LegKind.HOLD] * 4 + [LegKind.SOAK, LegKind.COOL]
    short = read(*ways[:2], branch("cool") + 'expect = "JUMP"\n', *ways[3:])
    legs = plan.legs_of(short, Equipment())
    assert len(legs) == len(short.phase) - 1  # a leg a phase, so that places stay what they are
    assert (legs[4].kind, legs[4].least_s) == (LegKind.HOLD, 0.0)
    assert plan.legs_of(short, Equipment(), 4)[0].kind is LegKind.SOAK  # who is there all the same gets it foretold


def test_a_leak_rate_grows_against_the_median_of_the_last_ones():
    usual = tuple(Leak(float(day), rate) for day, rate in enumerate((1.0, 1.2, 0.9, 1.1)))
    assert flow.growing((*usual, Leak(9.0, 1.5))) == ""
    assert "median of the last 4 is 1.05" in flow.growing((*usual, Leak(9.0, 2.0)))
    assert flow.growing((*usual[:2], Leak(9.0, 50.0))) == ""  # too little is known
    assert flow.growing((*(leak._replace(rate_mbar_h=0.01) for leak in usual), Leak(9.0, 0.2))) == ""  # far below anything that matters


# ---- the survey of the oven ----


def test_the_survey_passes_its_dry_run():
    sourced, load = read_recipe(SURVEY), read_load(SAMPLE)
    receipt = dryrun.dry_run(Settings(), sourced.recipe, sourced.sha256, load)
    assert not any("endpoint" in warning for warning in receipt.warnings)
    assert [name for name, _ in receipt.phases_h if "(2/2)" in name]
    assert 5.0 < receipt.duration_h.value < 12.0


@pytest.fixture(scope="module")
def surveyed():
    """Run the survey with the virtual operator."""
    settings = Settings.model_validate({"estimator": {"forecast_s": 3600.0}})
    return bench.batch(
        read_recipe(SURVEY), read_load(SAMPLE), load_wiring(bench.default_wiring()), settings, 3, scan_s=2.0, hook=operator.attend
    )


@pytest.mark.slow
def test_the_survey_runs_to_its_end_with_confirmations_branches_and_turns(surveyed):
    result, rig = surveyed
    assert (result.unit_state, result.unsafe) == ("COMPLETE", [])
    ended = [content for _, kind, content in rig.notes if kind == "phase" and content["event"] == "end"]
    assert [content["name"] for content in ended if "upper soak" in str(content["name"]).lower()] == [
        "Up to the upper soak (1/2)", "Upper soak (1/2)", "Up to the upper soak (2/2)", "Upper soak (2/2)",
    ]  # fmt: skip
    answers = [content["why"] for content in ended if content["kind"] == "OPERATOR"]
    assert answers == ["answered 'SR-0001'", "answered '0'"]
    branches = [content["why"] for _, kind, content in rig.notes if kind == "decision" and content["what"] == "branch"]
    assert branches == ["Leaky?: leak test go; goes on", "Too wide for the high soak?: ANSWER 0; goes on"]
    assert rig.memory.unit.results.answer == "0"
    assert len(rig.memory.unit.leaks) == 1


@pytest.mark.slow
def test_the_memory_of_a_survey_survives_a_checkpoint(surveyed):
    memory = surveyed[1].memory
    assert MEMORY.validate_json(MEMORY.dump_json(memory)) == memory
    assert isinstance(memory, Memory)
