"""Figures of how the oven followed its recipe, from samples whose answer is known, and in the report of a virtual batch."""

import json
from pathlib import Path

import numpy as np
import pytest

from controller.journal.batch import Record
from controller.journal.entry import Stored
from controller.journal.reader import Batch
from controller.journal.table import Table
from controller.journal.tracking import tracking

HEADER = (Path(__file__).parents[1] / "recipes" / "trial-short.toml").read_text().split("[[phase]]")[0]
IN_N2 = 'timeout_min = 60.0\natmosphere = "N2_FLOW"\nn2_flow_nm3_h = 20.0\n'
RECIPE = (
    f'{HEADER}[[phase]]\nkind = "RAMP"\nname = "up"\ntarget_c = 100.0\nrate_c_per_min = 1.0\n{IN_N2}\n'
    f'[[phase]]\nkind = "SOAK"\nname = "dry"\ntarget_c = 100.0\nsoak_min = 3.0\nband_c = 2.0\n{IN_N2}\n[[phase]]\nkind = "END"\n'
)


def stored(kind, at_s, /, **fields):
    return Stored(
        *(json.dumps(fields).encode() if name == "payload" else {"kind": kind, "at_s": at_s}.get(name, 0) for name in Stored._fields)
    )


def record(sp, load, zones, recipe=RECIPE, outputs=(10.0, 20.0, 30.0), soak="dry"):
    """Return a record of a RAMP of 100 s and a SOAK of 200 s, one sample a second from 1 s on."""
    at_s = np.arange(1.0, 301.0)
    columns = {"sp_temp_c": sp(at_s)}
    for name, values in zip(("load_outer_c", "load_edge_c", "load_core_c"), load, strict=True):
        columns[name] = np.broadcast_to(values(at_s), at_s.shape).astype(float)
    for zone in (1, 2, 3):
        columns |= {f"z{zone}_tc_{tc}_c": zones(at_s) for tc in "abc"} | {f"z{zone}_sp_c": sp(at_s) + 5.0}
        columns[f"z{zone}_op_pct"] = np.full(300, outputs[zone - 1])
    told = [("RAMP", "up", 0.0, 100.0), ("SOAK", soak, 100.0, 300.0)]
    entries = []
    for place, (kind, name, start_s, end_s) in enumerate(told):
        entries += [stored("phase", start_s, index=place, kind=kind, name=name, event="start", why="")]
        entries += [stored("phase", end_s, index=place, kind=kind, name=name, event="end", why="done")]
    start, end = stored("batch_start", 0.0, recipe=recipe), stored("batch_end", 300.0)
    batch = Batch(*(0 if name != "batch_id" else "1" for name in Batch._fields))
    return Record(batch, "COMPLETE", start, end, {}, tuple(entries), Table(at_s, columns))


def sp(at_s):
    return np.minimum(at_s, 100.0)


def behind(at_s):  # 6 K behind in the ramp, in the soak 0.05 K/s nearer, then 1 K above
    return np.where(at_s <= 100, at_s - 6.0, np.minimum(94.0 + 0.05 * (at_s - 100), 101.0))


def test_ramp_and_soak_figures():
    ramp, soak = tracking(record(sp, (behind, behind, behind), lambda at_s: sp(at_s) + 7.0))
    assert (ramp.kind, ramp.took_s, ramp.sp_c, ramp.band_c) == ("RAMP", 100.0, (1.0, 100.0), None)
    assert ramp.load_max_k == ramp.load_rms_k == pytest.approx(6.0)
    assert ramp.zone_rms_k == ramp.zone_over_k == pytest.approx(2.0)
    assert ramp.overshoot_k == 0.0
    assert ramp.in_band_s is None
    assert (soak.sp_c, soak.band_c) == ((100.0, 100.0), 2.0)
    assert soak.to_band_s == pytest.approx(80.0, abs=1.0)  # 94 degC to 98 degC
    assert soak.in_band_s == pytest.approx(120.0, abs=1.0)
    assert soak.load_max_k == pytest.approx(2.0, abs=0.01)  # counted from the band on
    assert soak.overshoot_k == pytest.approx(1.0)
    assert soak.spread_k == 0.0
    assert soak.output_pct == 20.0


def test_spread_and_band_look_at_every_load_thermocouple():
    far = (behind, lambda at_s: behind(at_s) + 1.0, lambda at_s: behind(at_s) - 3.0)
    soak = tracking(record(sp, far, sp))[1]
    assert soak.spread_k == pytest.approx(4.0)
    assert soak.to_band_s == pytest.approx(140.0, abs=1.0)  # the coldest has 3 K more to go
    assert soak.overshoot_k == pytest.approx(2.0)


def test_a_lost_thermocouple_says_nothing_and_none_at_all_gives_no_figure():
    lost = (behind, behind, lambda at_s: np.full(at_s.shape, np.nan))
    assert tracking(record(sp, lost, sp))[1].overshoot_k == pytest.approx(1.0)
    nothing = tracking(record(sp, (lost[2],) * 3, sp))[1]
    assert (nothing.load_max_k, nothing.load_rms_k, nothing.overshoot_k, nothing.spread_k, nothing.to_band_s) == (None,) * 5
    assert nothing.in_band_s == 0.0


def test_a_soak_that_never_reached_its_band_is_counted_whole():
    soak = tracking(record(sp, (lambda at_s: at_s * 0 + 80.0,) * 3, sp))[1]
    assert (soak.to_band_s, soak.in_band_s) == (None, 0.0)
    assert soak.load_max_k == pytest.approx(20.0)


def test_a_turn_of_a_repeat_has_its_band():
    """The journal names a phase of a REPEAT with its turn."""
    soak = RECIPE[RECIPE.index('[[phase]]\nkind = "SOAK"') : RECIPE.index('[[phase]]\nkind = "END"')]
    turns = f'[[phase]]\nkind = "REPEAT"\ncount = 2\n{soak.replace("[[phase", "[[phase.phase")}'
    found = record(sp, (behind,) * 3, sp, recipe=RECIPE.replace(soak, turns), soak="dry (1/2)")
    assert [one.band_c for one in tracking(found)] == [None, 2.0]


def test_a_set_point_of_nothing_is_none():
    """After an ABORT, and while the atmosphere is proven again, there is no set point; what the load does then is no deviation."""
    until = tracking(record(lambda at_s: np.where(at_s <= 200.0, sp(at_s), 0.0), (lambda at_s: sp(at_s) - 1.0,) * 3, sp))[1]
    assert until.sp_c == (100.0, 100.0)
    assert until.load_max_k == pytest.approx(1.0)
    assert until.in_band_s == pytest.approx(100.0, abs=1.0)


@pytest.mark.parametrize("place", [lambda index: {"phase": index + 1, "index": index}, lambda index: {"phase": index}])  # as of old
def test_a_band_that_was_edited_before_the_phase_ended_is_the_one_that_counts(place):
    found = record(sp, (behind,) * 3, sp)
    made = ((50.0, 1, "band_c", 4.0), (60.0, 1, "soak_min", 9.0), (70.0, 0, "band_c", 8.0), (301.0, 1, "band_c", 9.0))
    edits = [stored("decision", at_s, what="EDIT", key=key, to=to, **place(index)) for at_s, index, key, to in made]
    soak = tracking(found._replace(entries=(*found.entries, *edits)))[1]
    assert soak.band_c == 4.0
    assert soak.to_band_s == pytest.approx(40.0, abs=1.0)  # 94 degC to 96 degC


@pytest.mark.parametrize("text", ["", "not toml [", RECIPE.replace("dry", "other"), "phase = 3"])
def test_a_band_that_the_text_does_not_have_is_no_band(text):
    soak = tracking(record(sp, (behind,) * 3, sp, recipe=text))[1]
    assert (soak.band_c, soak.in_band_s, soak.to_band_s) == (None, None, None)
    assert soak.overshoot_k == pytest.approx(1.0)
