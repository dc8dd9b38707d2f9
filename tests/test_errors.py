"""Where a mistake stands, as the person who wrote it counts: phases and coupons from 1, a phase with its kind."""

from pathlib import Path

import pytest

from controller.errors import FileError, Problem, numbered
from controller.validation import MOST_BYTES, read_toml

PLACES = [
    ("phase.3.SOAK.soak_min", "phase 4 (SOAK), soak_min"),
    ("phase.9", "phase 10"),
    ("phase.0.LEAK_TEST.kind", "phase 1 (LEAK_TEST), kind"),
    ("phase.2.REPEAT.count", "phase 3 (REPEAT), count"),
    ("phase.2.phase.1.phase.0.SOAK.soak_mn", "phase 3, phase 2, phase 1 (SOAK), soak_mn"),
    ("phase.2 part.toml phase.0.SOAK.soak_min", "phase 3 part.toml phase 1 (SOAK), soak_min"),
    ("coupons.0.insoluble_pct", "coupon 1, insoluble_pct"),
    ("coupons.2.history.1.0", "coupon 3, history 2.1"),
    ("roll_ids.1", "roll_ids 2"),
    ("phase", "phase"),
    ("coupons", "coupons"),
    ("formula.3.value", "formula.3.value"),  # a name
    ("settings.limits.open_c", "settings.limits.open_c"),
]


@pytest.mark.parametrize(("key", "where"), PLACES)
def test_a_place_is_told_as_people_count(key, where):
    problem = Problem(key, 7, "less")
    assert (problem.where, str(problem)) == (where, f"{where} = 7: less")


def test_a_phase_of_the_recipe_is_called_the_same():
    assert numbered(3, "SOAK") == Problem("phase.3.SOAK", 0, "").where


def test_a_file_without_end_is_refused_before_it_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "controller.toml"
    with file.open("wb") as big:
        big.truncate(MOST_BYTES + 1)
    with pytest.raises(FileError, match=f"at most {MOST_BYTES} bytes"):
        read_toml(file)
    assert file.stat().st_size == MOST_BYTES + 1
    file.write_text("[core]\n" + "# \n" * 1000, encoding="utf-8")
    assert read_toml(file) == {"core": {}}
