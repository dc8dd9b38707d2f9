"""Coupons in the report: those of this batch against their own place, the others without judgement."""

from pathlib import Path
from typing import Any

import pytest

from controller.image import OFF, Interval, ZoneEstimate
from controller.journal import samples
from controller.journal.batch import Record, gather
from controller.journal.coupons import Beside, beside, judged
from controller.journal.entry import Entry, entry
from controller.journal.product import read_lab
from controller.journal.reader import JournalReader
from controller.journal.report import report
from controller.journal.store import Journal
from tests.journals import ESTIMATE, SETPOINTS, a_boot, an_image
from tests.written_batch import ASSAY, RECIPE, Text

ZONES = (
    ZoneEstimate("core", 230.0, Interval(0.02, 0.01, 0.03), Interval(0.3, 0.2, 0.4)),
    ZoneEstimate("outer", 240.0, Interval(0.002, 0.001, 0.003), Interval(0.7, 0.6, 0.9)),
)
BELIEVED = ESTIMATE._replace(insoluble=Interval(0.5, 0.45, 0.55), residual_solvent=Interval(0.02, 0.01, 0.03), zones=ZONES)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with batch 7 of two zones: the core hardly cured, the outer turns well."""
    path = tmp_path_factory.mktemp("ended") / "j.db"
    with Journal(path, threaded=False) as journal:
        journal.append([a_boot(journal), entry("batch_start", 1.0, {"batch_id": 7, "recipe": RECIPE})])
        packed = samples.pack(an_image(2.0), BELIEVED, SETPOINTS, OFF, 1)
        journal.append([Entry("sample", 2.0, packed), entry("batch_end", 3.0, {"batch_id": 7, "result": "COMPLETE"})])
    return path


@pytest.fixture(scope="module")
def record(ended: Path) -> Record:
    with JournalReader(ended) as reader:
        return gather(reader, 7)


def held(record: Record, **keys: Any) -> Beside:
    lab = read_lab({"coupons": [{"position": "492 m", "assay": ASSAY, **keys}]})
    return beside(record, lab.coupons, "j.db")[0]


@pytest.mark.parametrize(
    ("keys", "estimate", "holds"),
    [
        ({"batch": 7, "zone": "core", "insoluble_pct": 32.0}, "30.0", True),
        ({"batch": 7, "zone": "outer", "insoluble_pct": 32.0}, "70.0", False),
        ({"batch": "j.db:7", "zone": "outer", "insoluble_pct": 72.0}, "70.0", True),
        ({"batch": 7, "zone": "roll", "insoluble_pct": 32.0}, "50.0", False),
        ({"batch": 7, "insoluble_pct": 52.0}, "50.0", True),
        ({"insoluble_pct": 52.0}, "50.0", True),
        ({"batch": 7, "zone": "upper", "insoluble_pct": 52.0}, "no estimate", None),  # the estimate had no such zone
    ],
)
def test_a_coupon_is_held_against_its_own_place(record: Record, keys: dict[str, Any], estimate: str, holds: bool | None) -> None:
    found = held(record, **keys)
    assert (found.of_batch, found.insoluble.estimate, found.insoluble.holds) == (True, estimate, holds)


@pytest.mark.parametrize(
    "keys",
    [
        {"batch": 99, "zone": "core"},
        {"batch": "other.db:7", "zone": "core"},
        {"history": [[0, 240], [2, 240]]},
    ],
)  # fmt: skip
def test_a_coupon_of_another_batch_or_of_a_shelf_is_not_judged(ended: Path, record: Record, keys: dict[str, Any]) -> None:
    coupon = {"position": "492 m", "name": "L1", "insoluble_pct": 0.5, "residual_wt_pct": 5.0, "assay": ASSAY} | keys
    lab = read_lab({"coupons": [coupon]})
    found = beside(record, lab.coupons, "j.db")
    assert [(one.of_batch, one.insoluble.holds, one.residual.holds) for one in found] == [(False, None, None)]
    assert judged(record, found) == []
    text = Text(report(ended, ended.with_name("report.html"), 7, lab).read_text("utf-8")).text
    assert f"L1, 492 m {keys.get('zone', '–')} 0.5 not of this batch 5 ± 0.3 not of this batch" in text


@pytest.mark.parametrize(
    ("keys", "inside"),
    [
        ({"insoluble_pct": 41.0}, False),
        ({"insoluble_pct": 41.0, "insoluble_sd_pct": 2.5}, False),  # half width 10, 4.1 of the laboratory: up to 40.8
        ({"insoluble_pct": 41.0, "insoluble_sd_pct": 3.0}, True),  # 4.9: up to 41.1
        ({"insoluble_pct": 18.8, "insoluble_sd_pct": 3.0}, False),  # and down to 18.9
    ],
)
def test_the_laboratorys_own_error_widens_the_interval_in_quadrature(record: Record, keys: dict[str, Any], inside: bool) -> None:
    assert held(record, batch=7, zone="core", **keys).insoluble.holds is inside


@pytest.mark.parametrize(("found", "inside"), [(0.14, True), (0.05, False)])
def test_residual_solvent_is_held_against_the_zone_too(record: Record, found: float, inside: bool) -> None:
    """0.2 wt%, 0.1 to 0.3; sd 0.02 as given, so that 0.095 is the least."""
    assert held(record, batch=7, zone="outer", residual_wt_pct=found, residual_sd_wt_pct=0.02).residual.holds is inside
    assert held(record, batch=7, zone="core", residual_wt_pct=found, residual_sd_wt_pct=0.02).residual.holds is False


def test_a_coupon_of_this_batch_is_judged_by_the_claims_and_by_the_recipe(record: Record) -> None:
    """The recipe of the batch wants 40 to 90 % and at most 1 wt%."""
    found = judged(record, [held(record, name="B7", batch=7, zone="core", insoluble_pct=32.0, residual_wt_pct=1.2)])
    assert [(one.what.low, one.what.high, one.value, one.passed, one.where) for one in found] == [
        (1.0, 99.0, 32.0, True, "B7, 492 m"),
        (40.0, 90.0, 32.0, False, "B7, 492 m"),
        (-float("inf"), 1.0, 1.2, False, "B7, 492 m"),
    ]


def test_without_an_endpoint_in_the_recipe_only_the_claims_judge(record: Record) -> None:
    bare = record._replace(start=record.start._replace(payload=b'{"batch_id":7}'))
    assert [one.what.low for one in judged(bare, [held(record, batch=7, insoluble_pct=32.0, residual_wt_pct=1.2)])] == [1.0]
