"""Laboratory results: a wrong one is refused with its key, a right one judged against the product's limits."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from controller.errors import FileError
from controller.journal.charts import COLUMNS, trends, valid_o2
from controller.journal.drawing import Marks
from controller.journal.product import LIMITS, judge, read_lab, read_lab_file
from controller.journal.table import Table


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"coupon": []}, "coupon"),
        ({"coupons": [{"position": "edge", "insoluble_pct": 101.0, "assay": {"temp_c": 100}}]}, "coupon 1, insoluble_pct"),
        ({"coupons": [{"position": "edge", "insoluble_pct": 50.0}]}, "coupon 1, assay"),
        ({"coupons": [{"insoluble_pct": 50.0, "assay": {"temp_c": 100}}]}, "coupon 1, position"),
        ({"coupons": ["edge"]}, "coupon 1"),
        ({"coupons": "edge"}, "coupons"),
        ({"lab": {"tear_kg": 15}}, "lab.tear_kg"),
        ({"lab": {"roughness_um": math.nan}}, "lab.roughness_um"),
        ({"lab": {"roughness_um": True}}, "lab.roughness_um"),
    ],
)
def test_a_wrong_laboratory_result_is_refused_with_its_key(given: dict, key: str) -> None:
    with pytest.raises(FileError) as refused:
        read_lab(given)
    assert key in [problem.where for problem in refused.value.problems]


@pytest.mark.parametrize("key", [key for key in LIMITS if key != "dimensional_change_pct"])
def test_a_quantity_that_cannot_be_negative_is_refused_when_it_is(tmp_path: Path, key: str) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(f"[lab]\n{key} = -4.0\n", "utf-8")
    with pytest.raises(FileError) as refused:
        read_lab_file(file)
    assert str(refused.value) == f"{file}: lab.{key} = -4.0: Input should be greater than or equal to 0"


def test_a_film_may_shrink() -> None:
    assert read_lab({"lab": {"dimensional_change_pct": -0.05}}).properties[0].passed


@pytest.mark.parametrize(
    ("key", "limit", "outside"),
    [
        ("tear_initiation_kg", 15.0, 14.9), ("dimensional_change_pct", 0.1, 0.11), ("solder_resistance_c", 350.0, 349.0),
        ("adhesion_g_per_mm", 80.0, 79.9), ("curvature_radius_cm", 15.0, 14.9), ("roughness_um", 0.4, 0.41),
        ("modulus_retention_pct", 40.0, 39.9),
    ],
)  # fmt: skip
def test_a_product_on_its_limit_is_within(key: str, limit: float, outside: float) -> None:
    assert judge(LIMITS[key], limit).passed
    assert not judge(LIMITS[key], outside).passed


def test_an_absent_set_point_is_no_line() -> None:
    """Of temperature and of pressure; the legends' samples of it stay."""

    def dashes(setpoint: float) -> int:
        columns = {name: np.full(3, setpoint if name.startswith("sp_") else np.nan) for name in COLUMNS}
        svg = trends(Table(np.arange(3.0), columns), 0.0, Marks((), None, (), None, None, None))
        return len(re.findall(r'<path d="M[^"]*"[^>]*stroke-dasharray', svg))

    assert dashes(240.0) - dashes(0.0) == 2


def test_an_o2_reading_counts_once_its_sample_has_flowed() -> None:
    at_s = np.arange(60.0)
    flow = np.where((at_s >= 10) & (at_s != 40), 0.8, 0.0)
    seen = valid_o2(at_s, {"o2_ready": np.ones(60), "o2_sample_flow_l_min": flow, "o2_pct": np.full(60, 0.03)})
    assert np.flatnonzero(np.isfinite(seen)).tolist() == [*range(24, 40), *range(55, 60)]
