"""What the recorder keeps of the belief: every pressure-rise result once, forecasts each half hour and at the quarters of the batch."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from controller import estimator
from controller.errors import JournalError
from controller.estimator import EstimatorSettings, LoadState
from controller.estimator.belief import unpack
from controller.estimator.judge import judge
from controller.estimator.members import MEMBERS, members_of
from controller.estimator.model import POSITIONS
from controller.image import Atmosphere, Estimate, Forecast, Interval, PressureRise, blank
from controller.journal.entry import Entry, Stored
from controller.memory import Memory, Settings
from controller.recipe.reading import read_load, read_recipe
from controller.recipe.standing import Batch
from controller.recorder import Recorder, checkpoint_entry, memory_of
from controller.scan import Record, scan
from controller.tags import Quality
from tests.rigs import rig_at

RECIPES = Path(__file__).parents[1] / "recipes"
RECIPE = read_recipe(RECIPES / "trial-short.toml")
LOAD = read_load(RECIPES / "loads" / "sample-roll.toml")
IDLE, RECORD = scan(Settings(), Memory(), blank(0.0, 1.0, Quality.ABSENT))
START_S = 40_000.0
WHOLE_S = 7 * 3600.0
RISE = PressureRise(START_S + 500.0, 120.0, 0.5, 0.125, 0.25, 0.0625, False, "colder than the dew point")


def in_batch(number: int = 1) -> Memory:
    """Return a memory in which batch ``number`` runs since START_S."""
    batch = Batch(number, RECIPE.recipe, RECIPE.sha256, LOAD, "anna", START_S)
    return IDLE._replace(unit=IDLE.unit._replace(batch=batch))


def seen(at_s: float, estimate: Estimate) -> Record:
    """Return the record of a scan in which nothing but the estimate is new."""
    return RECORD._replace(inputs=RECORD.inputs._replace(at_s=at_s), estimate=estimate, notes=())


def ahead(batch_s: float) -> Estimate:
    """Return the estimate with a forecast made ``batch_s`` after the start, which knows that the batch lasts WHOLE_S."""
    finish = WHOLE_S - batch_s
    fan = (Interval(1.0, 0.5, 2.0),)
    return RECORD.estimate._replace(
        forecast=Forecast(START_S + batch_s, Interval(finish, finish, finish), None, 1.0, (0.0,), fan, fan, fan)
    )


def kept(entries: list[Entry], kind: str) -> Iterator[dict]:
    for one in entries:
        if one.kind == kind:
            yield Stored(1, 1, one.kind, one.at_s, 0, one.payload, b"").fields()


def course(recorder: Recorder, memory: Memory, from_s: int, to_s: int) -> list[dict]:
    """Return the forecasts kept when one is made each minute and a scan follows 3 s later and again 30 s later."""
    found: list[dict] = []
    for batch_s in range(from_s, to_s, 60):
        for late_s in (3.0, 33.0):
            found += kept(recorder.entries(memory, seen(START_S + batch_s + late_s, ahead(batch_s)))[0], "forecast")
    return found


def test_what_ended_a_cure_can_be_reckoned_again_from_the_journal_alone() -> None:
    """The checkpoint of that scan holds members, target and forecast; the judge makes of them what the scan decided by."""
    rig, recorder = rig_at("CURE"), Recorder(1e9)
    while rig.record.phase_kind == "CURE":
        rig.step()
        made, _ = recorder.entries(rig.memory, rig.record)
    assert [note.content["why"] for note in rig.record.notes if note.content.get("what") == "CURE ended"] == ["endpoint"]
    written = [memory_of(Stored(1, 1, one.kind, one.at_s, 0, one.payload, b"")) for one in made if one.kind == "checkpoint"]
    assert [one.unit.phase_index for one in written] == [rig.memory.unit.phase_index]
    known, decided = written[0].estimator, rig.record.estimate
    assert known is not None
    assert known.forecast == decided.forecast
    members, belief = members_of(rig.settings.estimator, known.load), unpack(known.block)
    again = judge(members, belief, known, None, *(np.zeros((MEMBERS, len(POSITIONS))),) * 2)
    for name in ("residual_solvent", "insoluble", "insoluble_cold", "p_solvent_ok", "p_insoluble_in_window", "foreseen", "zones"):
        assert getattr(again, name) == getattr(decided, name), name
    assert decided.insoluble_cold >= rig.memory.unit.batch.recipe.endpoint.insoluble_aim_pct / 100


def test_a_forecast_is_kept_each_half_hour_and_at_the_quarters_of_the_batch() -> None:
    found = course(Recorder(1e9), in_batch(), 0, int(WHOLE_S) + 1)
    halves, quarters = set(range(0, int(WHOLE_S) + 1, 1800)), {6300, 12600, 18900}
    assert [one["batch_s"] for one in found] == sorted(halves | quarters)
    assert [one["progress"] for one in found if one["batch_s"] in quarters] == [0.25, 0.5, 0.75]


def test_a_forecast_is_kept_with_its_whole_fan() -> None:
    first = course(Recorder(1e9), in_batch(), 600, 660)[0]
    assert first["made_at_s"] == START_S + 600
    assert first["finish_s"] == [WHOLE_S - 600] * 3
    assert first["temp_c"] == first["residual_solvent"] == first["insoluble"] == [[1.0, 0.5, 2.0]]


def test_after_a_restart_the_next_forecast_is_kept_and_no_quarter_that_is_over() -> None:
    found = course(Recorder(1e9), in_batch(), 9000, 12_000)
    assert [one["batch_s"] for one in found] == [9000, 10_800]


def test_the_next_batch_begins_with_a_forecast_of_its_own() -> None:
    recorder = Recorder(1e9)
    course(recorder, in_batch(1), 18_000, 18_600)
    later = in_batch(2)
    assert [one["batch_s"] for one in course(recorder, later, 18_600, 19_000)] == [18_600, 18_900]


def test_a_result_of_a_pressure_rise_test_is_kept_once_and_durably() -> None:
    recorder, memory = Recorder(1e9), in_batch()
    recorder.entries(memory, seen(START_S, RECORD.estimate))
    found: list[dict] = []
    for i, rise in enumerate((None, RISE, RISE, RISE._replace(at_s=RISE.at_s + 900, valid=True), RISE._replace(at_s=RISE.at_s + 900))):
        entries, durable = recorder.entries(memory, seen(START_S + 501 + i, RECORD.estimate._replace(pressure_rise=rise)))
        new = list(kept(entries, "pressure_rise"))
        assert durable is bool(new)
        found += new
    assert [(one["at_s"], one["valid"]) for one in found] == [(RISE.at_s, False), (RISE.at_s + 900, True)]
    assert found[0] == RISE._asdict()


def test_a_result_that_a_restart_brings_back_is_not_kept_again() -> None:
    entries, durable = Recorder(1e9).entries(in_batch(), seen(START_S + 9000, RECORD.estimate._replace(pressure_rise=RISE)))
    assert not list(kept(entries, "pressure_rise"))
    assert not durable


@pytest.mark.parametrize("estimate", [ahead(0.0), RECORD.estimate])
def test_without_a_batch_nothing_of_a_forecast_is_kept(estimate: Estimate) -> None:
    assert not list(kept(Recorder(1e9).entries(IDLE, seen(5.0, estimate))[0], "forecast"))


def test_a_checkpoint_is_read_again_and_one_of_another_release_is_refused_with_what_to_do() -> None:
    load = LoadState(
        length_m=20, width_m=0.5, film_um=20, foil_um=18, gap_um=100, core_mm=150, predry_residual_wt_pct=18, residual_sd_wt_pct=1
    )
    memory = in_batch()._replace(estimator=estimator.start(EstimatorSettings(), load, START_S, 25.0))
    assert memory.estimator is not None
    assert memory_of(_stored(memory)) == memory
    other = memory._replace(estimator=replace(memory.estimator, block=memory.estimator.block[:-8]))  # of a belief with other columns
    with pytest.raises(JournalError, match=r"entry 7, the last checkpoint.*start the release that wrote it"):
        memory_of(_stored(other))
    with pytest.raises(JournalError, match="entry 7"):
        memory_of(_stored(memory)._replace(payload=b"[[99]]"))


def _stored(memory: Memory) -> Stored:
    one = checkpoint_entry(memory, START_S)
    return Stored(7, 1, one.kind, one.at_s, 0, one.payload, b"")


def test_another_gas_is_written_down_at_once_so_that_a_restart_knows_whether_n2_was_let_in() -> None:
    recorder = Recorder(60.0)
    written = []
    for at_s, gas in enumerate((Atmosphere.VACUUM, Atmosphere.VACUUM, Atmosphere.BACKFILL, Atmosphere.BACKFILL, Atmosphere.VACUUM)):
        record = RECORD._replace(
            inputs=RECORD.inputs._replace(at_s=float(at_s)), setpoints=RECORD.setpoints._replace(atmosphere=gas), notes=()
        )
        made, _ = recorder.entries(IDLE, record)
        written.append([one.kind for one in made].count("checkpoint"))
    assert written == [1, 0, 1, 0, 1]
