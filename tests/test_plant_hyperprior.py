"""The distributions that lots and batches are drawn from, and the file that they are strictly read from."""

import ast
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest

from controller.errors import FileError
from sim.plant import Parameters, draw
from sim.plant.hyperprior import read
from sim.plant.parameters import HYPERPRIOR, draw_lot
from tests.believed import gel_h

ROOT = Path(__file__).parents[1]
FILE = ROOT / "sim" / "plant" / "hyperprior.toml"
ENTRY = '{ distribution = "normal", centre = 1.0, spread = 0.1, low = 0.5, high = 1.5, unit = "-", source = "x" }'


def test_the_same_seed_draws_the_same_and_other_seeds_differ() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
    assert draw(7) == draw(7, lot=7)


def test_batches_of_a_lot_share_the_resin_and_nothing_else() -> None:
    a, b = draw(1, lot=5), draw(2, lot=5)
    for name in HYPERPRIOR.lot:
        assert getattr(a, name) == getattr(b, name) == getattr(draw_lot(5), name)
    for name in HYPERPRIOR.batch:
        assert getattr(a, name) != getattr(b, name)
        assert getattr(draw_lot(5), name) == HYPERPRIOR.centre(name)


def test_draws_keep_to_range_centre_and_spread() -> None:
    draws = [draw(seed) for seed in range(400)]
    for name, drawn in (HYPERPRIOR.lot | HYPERPRIOR.batch).items():
        values = np.array([getattr(p, name) for p in draws])
        assert drawn.low <= values.min() < values.max() <= drawn.high
        if drawn.distribution == "lognormal":
            values, centre = np.log(values), log(drawn.centre)
        else:
            centre = drawn.centre
        assert np.median(values) == pytest.approx(centre, abs=0.35 * drawn.spread)
        assert 0.6 * drawn.spread < values.std() < 1.2 * drawn.spread


# ---- the file ----


def test_every_drawn_number_stands_in_the_file_and_is_a_parameter() -> None:
    nominal = Parameters()
    for name, drawn in (read(FILE).lot | read(FILE).batch).items():
        assert getattr(nominal, name) == drawn.centre


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        (f"[weather]\nrain = {ENTRY}", "weather", "lot, batch"),
        (f"[lot]\nx = {ENTRY.replace('centre = 1.0', 'centre = 2.0')}", "lot.x.centre", "inside"),
        (f"[lot]\nx = {ENTRY.replace('normal', 'uniform')}", "lot.x.distribution", "normal, lognormal"),
        (f"[lot]\nx = {ENTRY.replace('1.0', '1')}", "lot.x.centre", "decimal point"),
        (f"[lot]\nx = {ENTRY.replace('spread = 0.1', 'spread = 0.0')}", "lot.x.spread", "above 0"),
        (f"[lot]\nx = {ENTRY.replace('centre = 1.0', 'centre = nan')}", "lot.x.centre", "finite"),
        (f"[lot]\nx = {ENTRY.replace('source', 'sauce')}", "lot.x", "source"),
        (f"[lot]\nx = {ENTRY}\n[batch]\nx = {ENTRY}", "batch.x", "one scope"),
        ("[lot\n", "(file)", "TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, key: str, says: str) -> None:
    file = tmp_path / "hyperprior.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FileError) as caught:
        read(file)
    assert caught.value.problems[0].key == key
    assert says in str(caught.value)
    assert str(file) in str(caught.value)


# ---- plant and model ----


def imports(folder: Path) -> set[str]:
    """Return every module that the files in ``folder`` import, names taken out of packages included."""
    found = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_plant_imports_no_estimator_and_the_estimator_no_plant() -> None:
    plant, estimator = imports(ROOT / "sim" / "plant"), imports(ROOT / "controller" / "estimator")
    assert "sim.plant.parameters" in plant
    assert any(name.startswith("controller.estimator") for name in estimator)
    assert not any(name.startswith("controller.estimator") for name in plant)
    assert not any(name == "sim" or name.startswith("sim.") for name in estimator)


def test_the_rate_of_a_batch_moves_its_gel_time() -> None:
    nominal = gel_h(Parameters())
    assert gel_h(replace(Parameters(), rate_factor=1.1)) == pytest.approx(nominal / 1.1, rel=5e-3)
