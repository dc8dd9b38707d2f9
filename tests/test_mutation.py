"""The mutation tester itself; its long run over the safety modules is `make mutants`."""

import ast

from tests import mutation
from tests.mutation import Mutant

SOURCE = '''
"""A module."""
LIMIT = 3

def above(value: int = 1) -> bool:
    """Say it."""
    if value is None or not value > LIMIT:
        return False
    return value > LIMIT and value != 7
'''


def made(monkeypatch, tmp_path, source=SOURCE):
    (tmp_path / "module.py").write_text(source)
    monkeypatch.setattr(mutation, "ROOT", tmp_path)
    return list(mutation.mutants("module.py"))


def test_boundaries_negations_constants_and_returns_are_changed_and_docstrings_are_not(monkeypatch, tmp_path):
    found = {(one.was, one.now) for one in made(monkeypatch, tmp_path)}
    assert {
        ("value > LIMIT", "value >= LIMIT"),
        ("value > LIMIT", "value <= LIMIT"),
        ("value is None", "value is not None"),
        ("not value > LIMIT", "value > LIMIT"),
        ("value > LIMIT and value != 7", "value > LIMIT or value != 7"),
        ("3", "4"),
        ("3", "2"),
        ("return value > LIMIT and value != 7", "return None"),
        ("return value > LIMIT and value != 7", "return True"),
        ("LIMIT = 3", "deleted"),
    } <= found
    assert not any("Say it" in was or "A module" in was for was, _ in found)


def test_every_mutant_is_valid_and_differs_from_the_original(monkeypatch, tmp_path):
    for one in made(monkeypatch, tmp_path):
        compile(one.tree, "module.py", "exec")
        assert ast.unparse(one.tree) != ast.unparse(ast.parse(SOURCE))


def test_a_mutant_is_killed_by_a_test_that_sees_it_and_survives_one_that_does_not():
    file, source = "controller/tags.py", (mutation.ROOT / "controller/tags.py").read_text("utf-8")
    blind = [str(mutation.ROOT / "tests" / "test_mutation.py") + "::test_the_table_of_equivalent_mutants_is_not_stale"]
    same = Mutant(file, 1, "", "", "", ast.parse(source))
    broken = Mutant(file, 1, "", "", "", ast.parse(source + "\nraise RuntimeError\n"))
    assert mutation._try(same, blind, {}, 60.0) == mutation.SURVIVED
    assert mutation._try(broken, [str(mutation.ROOT / "tests" / "test_wiring.py")], {}, 60.0) == mutation.KILLED


def test_the_table_of_equivalent_mutants_is_not_stale():
    assert mutation.stale() == []
    assert all(len(reason) > 20 for reason in mutation.excused().values())
