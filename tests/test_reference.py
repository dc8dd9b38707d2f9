"""Reference curves: read strictly, written by the simulated oven, drawn beside the estimate."""

from pathlib import Path

import numpy as np
import pytest

from controller import wiring as wirings
from controller.errors import FileError
from controller.journal.reference import read_reference
from controller.journal.samples import POSITIONS
from controller.memory import Settings
from controller.recipe.reading import read_load, read_recipe
from sim import bench, virtual
from sim.plant.history import PLACES
from sim.truth import EVERY_S, TruthFile, beside

ROOT = Path(__file__).parents[1]
RECIPE, LOAD = ROOT / "recipes" / "trial-short.toml", ROOT / "recipes" / "loads" / "sample-roll.toml"
HEAD = "at_s,residual_core,temp_edge,blister\n"


def a_file(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "reference.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_curves_are_read_by_name_and_an_empty_cell_is_no_value(tmp_path: Path, mark: str, line: str) -> None:
    text = mark + HEAD + "-5,0.18,23,\n600.5, 0.125 ,,0\n\n"
    found = read_reference(a_file(tmp_path, text.replace("\n", line)))
    np.testing.assert_array_equal(found.at_s, [-5.0, 600.5])
    np.testing.assert_array_equal(found.columns["residual_core"], [0.18, 0.125])
    np.testing.assert_array_equal(found.columns["temp_edge"], [23.0, np.nan])
    np.testing.assert_array_equal(found.columns["blister"], [np.nan, 0.0])
    assert found.get("residual_edge") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1 = '': must name the columns, at_s among them"),
        ("residual_core\n0.1\n", "line 1 = 'residual_core': must name the columns"),
        ("at_s\n0\n", "line 1 = 'at_s': at least one curve"),
        ("at_s,residual_cor\n0,1\n", "line 1, residual_cor = 'residual_cor': unknown column; did you mean residual_core?"),
        ("at_s,residual_core,residual_core\n0,0,0\n", "line 1, residual_core = 'twice': each column once"),
        (HEAD, "file = 'no row': at least one row"),
        (HEAD + "0,0.1,20\n", "line 2 = '3 cells': must be 4"),
        (HEAD + "0,12.5,20,\n", "line 2, residual_core = '12.5': a number from 0 to 1 (weight fraction)"),
        (HEAD + "0,0.1,20,\n0,0.1,20,\n", "line 3, at_s = 0.0: must be later than 0 s"),
        (HEAD + "0,nan,20,\n", "line 2, residual_core = 'nan': a number"),
        (HEAD + "0,0.1,inf,\n", "line 2, temp_edge = 'inf': a number from -50 to 500 (degC)"),
        (HEAD + ",0.1,20,\n", "line 2, at_s = '': a number"),
        (HEAD + '0,"0,1",20,\n', "line 2, residual_core = '0,1': a number"),
        (HEAD.encode() + b"0,\xff,20,\n", "file = "),
        (HEAD + '0,"0.1,20,\n', "file = "),
    ],
)
def test_a_mistake_is_refused_with_file_line_column_and_what_is_allowed(tmp_path: Path, text: str | bytes, told: str) -> None:
    path = a_file(tmp_path, text)
    with pytest.raises(FileError) as refused:
        read_reference(path)
    assert f"{path}: {told}" in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="must be readable CSV"):
        read_reference(tmp_path / "none.csv")


def test_a_thousand_mistakes_are_told_as_twenty(tmp_path: Path) -> None:
    with pytest.raises(FileError) as refused:
        read_reference(a_file(tmp_path, HEAD + "".join(f"{i},7,20,\n" for i in range(1000))))
    assert len(refused.value.problems) == 20


def test_the_places_of_the_plant_are_the_positions_of_the_estimate() -> None:
    assert sorted(PLACES) == sorted(POSITIONS)


def test_what_the_plant_knows_is_written_from_the_start_of_the_batch_on(tmp_path: Path) -> None:
    seen: list[tuple[float, float, float]] = []
    began: list[float] = []  # when the PLC is told of the batch, after what is proven before START

    def look(rig: bench.Rig, at_s: float) -> None:
        known.look(rig.plc)
        if not began and rig.plc.block is not None and rig.plc.block.outputs.batch_id:
            began.append(at_s)
        if began and (at_s - began[0]) % EVERY_S == 0.0:
            plant = rig.plc.plant
            seen.append((at_s - began[0], plant.truth().node_temps_c[PLACES["edge"]], plant.solvent_totals_kg["film"]))

    path = tmp_path / "truth.csv"
    with TruthFile(path) as known:
        bench.batch(read_recipe(RECIPE), read_load(LOAD), wirings.load(bench.default_wiring()), Settings(), 5, max_h=0.6, hook=look)
    found = read_reference(path)
    assert began[0] >= 11.0  # nothing is written of the time before
    at_s, edge_c, film_kg = np.array(seen).T
    np.testing.assert_allclose(found.at_s, at_s)
    np.testing.assert_allclose(found.columns["temp_edge"], edge_c, rtol=1e-5)
    lost_kg = np.nansum(found.columns["evolution_kg_h"]) * EVERY_S / 3600.0
    assert lost_kg == pytest.approx(film_kg[0] - film_kg[-1], rel=1e-3)
    assert lost_kg > 1e-4


def test_a_batch_with_a_journal_has_the_truth_beside_it_and_runs_the_same(tmp_path: Path) -> None:
    journal = tmp_path / "j.db"
    with_journal = virtual.run(RECIPE, LOAD, bench.default_wiring(), 3, max_h=0.3, journal=journal)
    found = read_reference(beside(journal))
    assert beside(journal).name == "j.db.truth.csv"
    assert found.at_s[0] == 0.0
    assert np.all(np.diff(found.at_s) == EVERY_S)
    assert with_journal.residual_solvent["truth"] == pytest.approx(found.columns["residual_worst"][-1], abs=1e-4)
    assert virtual.run(RECIPE, LOAD, bench.default_wiring(), 3, max_h=0.3).trace_sha256 == with_journal.trace_sha256
