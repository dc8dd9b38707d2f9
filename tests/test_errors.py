"""Where a mistake stands, as the person who wrote it counts: phases and coupons from 1, a phase with its kind."""

import pytest

from controller.errors import Problem, numbered

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
