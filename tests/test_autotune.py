"""Autotune: the relay on processes whose parameters are known, its limits, the verb's refusals, and the whole way on the virtual oven."""

import tomllib
from collections import deque
from math import atan, hypot, pi
from pathlib import Path

import pytest

from controller.actions.action import Moment
from controller.actions.tuning import TUNING
from controller.command import Command
from controller.control import autotune, relay
from controller.control.autotune import Tune
from controller.control.outputs import Tunings
from controller.control.relay import Relay
from controller.image import Atmosphere
from controller.intake import command_of
from controller.interlocks.evaluate import Verdict
from controller.journal import tuned
from controller.journal.mailbox import MailboxRow
from controller.journal.store import Journal
from controller.memory import Memory, Settings
from controller.recipe.reading import read_load, read_recipe
from controller.recipe.states import UnitState, Verb
from controller.recorder import MEMORY
from controller.roles import Role
from controller.wiring import load as read_wiring
from sim import bench
from sim.bench import Rig

ROOT = Path(__file__).parents[1]

SLOPE, DELAY_S = 0.00125, 40.0  # degC/s per %, s


def tune_of(amplitude=15.0, bias=12.0, swing_c=5.0, limit_s=7200.0, hysteresis_c=0.4):
    return Tune(
        "zone", Relay(120.0, amplitude, hysteresis_c, 0.0, 100.0, bias), 120.0, 4, "default", "VACUUM", "eng", (0.0,) * 3, swing_c, limit_s
    )


def ideal(tune, slope=SLOPE, delay_s=DELAY_S, balance=18.0, lag_s=0.0, dt_s=0.5, zones=(1.0, 1.0, 1.0)):
    """Run the experiment on integrators with delay and lag that stand still at ``balance``; return how it ended."""
    waiting = deque([balance] * round(delay_s / dt_s))
    pvs, moved = [120.0] * 3, balance
    for _ in range(round(tune.limit_s / dt_s) + 2):
        tune, ended = autotune.step(tune, tuple(pvs), "", dt_s)
        if ended is not None:
            return ended
        waiting.append(tune.output)
        moved += (waiting.popleft() - moved) * (1.0 if lag_s == 0.0 else dt_s / lag_s)
        pvs = [pv + share * slope * (moved - balance) * dt_s for pv, share in zip(pvs, zones, strict=True)]
    raise AssertionError("the experiment never ended")


@pytest.mark.parametrize(("bias", "balance"), [(18.0, 18.0), (12.0, 18.0), (30.0, 18.0), (10.0, 6.0)])
@pytest.mark.parametrize("delay_s", [20.0, 40.0, 90.0])
def test_slope_delay_and_balance_of_an_integrator_with_delay_are_found(bias, balance, delay_s):
    found = ideal(tune_of(bias=bias), delay_s=delay_s, balance=balance).found
    assert found is not None
    assert found.slope_c_per_s == pytest.approx(SLOPE, rel=0.08)  # the filter rounds the corners of a short cycle
    assert found.delay_s == pytest.approx(delay_s + relay.FILTER_S, rel=0.08)
    assert found.balance == pytest.approx(balance, abs=1.0)


def test_the_proposal_is_simcs_for_what_was_found():
    ended = ideal(tune_of())
    delay_s = ended.found.delay_s
    assert ended.tuning.gain == pytest.approx(1.0 / (ended.found.slope_c_per_s * 3.0 * delay_s), rel=0.01)
    assert ended.tuning.integral_s == pytest.approx(12.0 * delay_s, rel=0.01)


@pytest.mark.parametrize("lag_s", [0.0, 30.0, 90.0])
def test_the_proposal_keeps_a_gain_margin_of_three(lag_s):
    """The ultimate gain of slope e^(-delay s) / (s (lag s + 1)) from its phase condition, found by bisection."""
    ended = ideal(tune_of(), lag_s=lag_s)
    low, high = 1e-5, pi / 2 / DELAY_S
    for _ in range(80):
        w = 0.5 * (low + high)
        low, high = (w, high) if w * DELAY_S + atan(w * lag_s) < pi / 2 else (low, w)
    ultimate = low * hypot(1.0, low * lag_s) / SLOPE
    assert ultimate / ended.tuning.gain > 3.0


def test_the_zone_that_reacts_strongest_decides():
    even, uneven = ideal(tune_of()), ideal(tune_of(), zones=(1.0, 0.7, 1.3))
    assert uneven.tuning.gain < 0.9 * even.tuning.gain


def test_the_swing_stays_small_and_the_experiment_ends_soon():
    ended = ideal(tune_of())
    assert ended.found.swing_c < 3.0
    assert ended.tune.elapsed_s < 40 * 60


@pytest.mark.parametrize(
    ("tune", "more", "why"),
    [
        (tune_of(swing_c=1.0, hysteresis_c=0.4), {"slope": 0.01}, "left"),
        (tune_of(limit_s=300.0), {}, "not settled in 5 min"),
        (tune_of(hysteresis_c=0.1), {"delay_s": 0.5, "lag_s": 0.0, "slope": 1e-4}, "outside"),
    ],
)
def test_an_experiment_that_gets_nowhere_ends_without_a_proposal(tune, more, why):
    ended = ideal(tune, **more)
    assert ended.tuning is None
    assert why in ended.why
    assert "toml" not in autotune.told(ended)


@pytest.mark.parametrize(("pvs", "stop", "why"), [(None, "", "not valid"), ((120.0,) * 3, "heat was taken away", "heat was taken away")])
def test_it_ends_at_once_when_something_is_taken_away(pvs, stop, why):
    assert why in autotune.step(tune_of(), pvs, stop, 1.0)[1].why


@pytest.mark.parametrize("set_name", ["default", "thick"])
def test_the_snippet_is_a_part_of_the_settings(set_name):
    ended = ideal(tune_of()._replace(set_name=set_name))
    settings = Settings.model_validate(tomllib.loads(autotune.told(ended)["toml"])["settings"])
    found = settings.tunings.zone if set_name == "default" else settings.tunings.at("thick", Atmosphere.VACUUM, 120.0)[1]
    assert found == ended.tuning
    assert found != Tunings().zone


def test_a_running_experiment_survives_the_checkpoint():
    tune, _ = autotune.step(tune_of(), (120.1, 120.0, 119.9), "", 1.0)
    memory = Memory()._replace(control=Memory().control._replace(tune=tune))
    assert MEMORY.validate_json(MEMORY.dump_json(memory)) == memory


# ---- on the virtual oven ----


@pytest.fixture(scope="module")
def soaking():
    """Return a rig in the tuning recipe's first soak, loops at rest; the zone loops are the controller's."""
    recipe = read_recipe(ROOT / "recipes" / "tuning.toml", {"temperature": 70.0})
    load = read_load(ROOT / "recipes" / "loads" / "sample-roll.toml")

    class ThereError(Exception):
        pass

    def look(rig: Rig, at_s: float) -> None:
        if rig.memory.unit.phase.counted_s > 600.0:
            raise ThereError(rig)

    settings = Settings.model_validate({"equipment": {"direct_output": True}, "estimator": {"forecast_s": 3600.0}})
    try:
        bench.batch(recipe, load, read_wiring(bench.default_wiring()), settings, 1, scan_s=2.0, hook=look)
    except ThereError as found:
        return found.args[0]
    raise AssertionError("no soak")


def asked(rig, role=Role.ENGINEER, state=None, **args):
    """Return the refusal of AUTOTUNE in the rig's present state."""
    memory = rig.memory if state is None else rig.memory._replace(unit=rig.memory.unit._replace(state=state))
    command = Command("x", "eng", Verb.AUTOTUNE, None, 1, args=args, role=role)
    return TUNING[Verb.AUTOTUNE].refuse(Moment(rig.settings, memory, Verdict(), rig.record.inputs, rig.record.process), command)


def test_the_verb_says_what_refuses_it(soaking):
    assert asked(soaking, loop="zone") == ""
    assert asked(soaking, loop="lead") == "" or "further than" in asked(soaking, loop="lead")
    assert "zone, lead or off" in asked(soaking, loop="gas")
    assert "no autotune is running" in asked(soaking, loop="off")
    assert "amplitude = 80.0: 1 to 40" in asked(soaking, loop="zone", amplitude=80.0)
    assert "swing_c = '5'" in asked(soaking, loop="zone", swing_c="5")
    assert "amplitude = nan" in asked(soaking, loop="zone", amplitude=float("nan"))
    assert "hysteresis_c" in asked(soaking, loop="zone", hysteresis_c=3.0)
    assert "SOAK of a running batch; the unit is HELD" in asked(soaking, loop="zone", state=UnitState.HELD)


def test_the_plcs_loops_are_not_tuned_from_here(soaking):
    elsewhere = Settings.model_validate({"equipment": {"direct_output": False}})
    command = Command("x", "eng", Verb.AUTOTUNE, None, 1, args={"loop": "zone"})
    moment = Moment(elsewhere, soaking.memory, Verdict(), soaking.record.inputs, soaking.record.process)
    assert "the PLC closes the zone loops" in TUNING[Verb.AUTOTUNE].refuse(moment, command)


def test_intake_knows_the_arguments():
    row = MailboxRow(1, "id", "eng", "AUTOTUNE", {"loop": "zone", "amplitude": 10.0, "gain": 3}, None, 0, 60.0, role="engineer")
    assert "gain" in command_of(row, 0).refusal


def post(rig: Rig, role=Role.ENGINEER, **args) -> None:
    rig.commands.append(Command(f"t{rig.counter}", "eng", Verb.AUTOTUNE, None, rig.counter + 1, args=args, role=role))


def notes_of(rig: Rig, start: int):
    return [content for _, kind, content in rig.notes[start:] if kind == "decision" and content.get("what") == "autotune"]


def until_ended(rig: Rig, limit_s=7200.0):
    start, end_s = len(rig.notes), rig.at_s + limit_s
    while rig.at_s < end_s:
        rig.step()
        if rig.memory.control.tune is None and notes_of(rig, start)[-1:] and notes_of(rig, start)[-1]["event"] != "begun":
            return notes_of(rig, start)[-1]
    raise AssertionError("the experiment did not end")


def test_an_operator_may_not(soaking):
    rig = soaking.fork()
    post(rig, Role.OPERATOR, loop="zone")
    rig.step()
    assert "needs the role engineer" in bench.answers(rig)[-1]["answer"]
    assert rig.memory.control.tune is None


def test_the_zone_loops_are_tuned_and_nothing_is_set(soaking, tmp_path):
    rig = soaking.fork()
    before, settings = rig.record.outputs.zone_op_pct, rig.settings
    store = Journal(tmp_path / "j.sqlite", threaded=False)
    rig.journal = store
    post(rig, loop="zone")
    told = until_ended(rig)
    assert told["event"] == "proposed"
    assert 0.0006 < told["slope_c_per_s"] < 0.00135  # 12 kW on 90 kJ/K of wall and 6 kJ/K of element, less what roll and walls take
    assert 20.0 < told["delay_s"] < 90.0  # elements of 30 s, thermocouples, scans
    assert told["swing_c"] < 5.0
    assert rig.settings == settings
    assert rig.record.unit_state is UnitState.RUNNING
    for _ in range(10):
        rig.step()
    assert all(abs(now - was) < 15.0 for now, was in zip(rig.record.outputs.zone_op_pct, before, strict=True))  # bumpless
    store.close()
    entry = tuned.last(tmp_path / "j.sqlite")
    assert entry["toml"] == told["toml"]
    assert told["toml"] in "\n".join(tuned.lines(entry))
    assert not rig.unsafe


@pytest.mark.parametrize(("verb", "why"), [(Verb.HOLD, "left the soak"), (Verb.ABORT, "left the soak"), (Verb.STOP, "left the soak")])
def test_it_ends_with_the_phase_and_the_old_tuning_goes_on(soaking, verb, why):
    rig = soaking.fork()
    post(rig, loop="zone")
    for _ in range(60):
        rig.step()
    assert rig.memory.control.tune is not None
    rig.ask(verb)
    told = until_ended(rig, 60.0)
    assert told["event"] == "broken off"
    assert why in told["why"] or "heat" in told["why"]
    assert not rig.unsafe


def test_an_interlock_ends_it(soaking):
    rig = soaking.fork()
    post(rig, loop="zone")
    rig.step()
    rig.plc.plant.field.circulation.dead = True
    told = until_ended(rig, 300.0)
    assert told["event"] == "broken off"
    assert rig.memory.control.tune is None


def test_off_ends_it(soaking):
    rig = soaking.fork()
    post(rig, loop="zone")
    rig.step()
    post(rig, loop="zone")
    rig.step()
    assert "is running" in bench.answers(rig)[-1]["answer"]
    post(rig, loop="off")
    assert until_ended(rig, 10.0)["event"] == "broken off"


def test_a_journal_without_autotune_says_so(tmp_path):
    Journal(tmp_path / "j.sqlite", threaded=False).close()
    assert tuned.last(tmp_path / "j.sqlite") is None
    assert "no autotune" in tuned.lines(None)[0]
