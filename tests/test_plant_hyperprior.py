"""The distributions that lots and batches are drawn from: strictly read, and shifted from what an estimator believes."""

import ast
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest

from controller.errors import FileError
from sim.plant import Parameters, cure, draw, film_kernel
from sim.plant.cure import gel_fraction
from sim.plant.hyperprior import read
from sim.plant.parameters import HYPERPRIOR, draw_lot

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


def gel_h(p: Parameters) -> float:
    law, delta, seconds = cure.law_of(p).array, p.delta_start, 0
    while gel_fraction(delta, p.pdi, p.scission) == 0.0:
        delta += 10.0 * cure.rate(513.15, 0.0, delta, law)
        seconds += 10
    return seconds / 3600.0


def swollen_m2_s(p: Parameters) -> float:
    """Return the mutual diffusivity at 20 wt% and 100 degC."""
    phi = 0.25 / p.solvent_kg_m3 / (0.25 / p.solvent_kg_m3 + 1.0 / p.film_kg_m3)
    chi = p.chi + p.chi_slope_k * (1.0 / 373.15 - 1.0 / 473.15)
    own = film_kernel.self_diffusivity(0.2, 373.15, film_kernel.law_of(p).array)
    return own * (1.0 - phi) ** 2 * (1.0 - 2.0 * chi * phi)


def external_h(p: Parameters) -> float:
    """Return radiation and rest gas on the outer turn at 200 degC in vacuum, W/m2K."""
    return 4.0 * p.emissivity * 5.670374e-8 * 473.15**3 + p.h_rest_w_m2_k


def dried(p: Parameters) -> float:
    return film_kernel.self_diffusivity(0.0, 473.15, film_kernel.law_of(p).array)


BELIEFS = [  # what is believed, its spread, whether that is of the logarithm, and the plant's number
    ("diffusivity, dry", 1e-14, 1.5, True, dried),
    ("diffusivity, swollen", 1e-11, 1.5, True, swollen_m2_s),
    ("chi", 0.4, 0.3, False, lambda p: p.chi),
    ("vapour pressure", 1.0, 0.03, False, lambda p: p.psat_factor),
    ("Tg dry, K", 553.0, 15.0, False, lambda p: p.tg_dry_c + 273.15),
    ("gel time, h", 3.0, 1.0, True, gel_h),
    ("activation energy, kJ/mol", 150.0, 30.0, False, lambda p: p.cure_j_mol / 1e3),
    ("polydispersity", 2.0, 0.5, False, lambda p: p.pdi),
    ("k radial, vacuum", 1e-2, 1.2, True, lambda p: p.k_radial_tape),
    ("k radial, N2", 5e-2, 0.7, True, lambda p: p.k_radial_n2),
    ("external h", 8.0, 0.5, True, external_h),
    ("gap, um", 100.0, 0.6, True, lambda p: 100.0 * p.gap_factor),
    ("gain of the flux sensor", 1.0, 0.08, False, lambda p: p.lel_gain),
]


@pytest.mark.parametrize(("median", "sd", "logarithmic", "number"), [row[1:] for row in BELIEFS], ids=[row[0] for row in BELIEFS])
def test_the_centre_is_one_sd_or_more_from_the_belief(median: float, sd: float, logarithmic: bool, number: object) -> None:
    true = number(Parameters())  # type: ignore[operator]
    away = log(true / median) if logarithmic else true - median
    assert abs(away) >= sd


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
