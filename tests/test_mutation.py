"""The mutation tester itself; its long run over the safety modules is `make mutants`."""

import ast
import signal

from tests import mutants, mutated, mutation

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
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    return list(mutants.mutants("module.py"))


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
        compile(one.tree(), "module.py", "exec")
        assert ast.unparse(one.tree()) != ast.unparse(ast.parse(SOURCE))


def test_what_stands_at_module_level_is_told_from_what_runs_in_functions(monkeypatch, tmp_path):
    lines = {(one.was, one.now): one.lines for one in made(monkeypatch, tmp_path)}
    assert lines["LIMIT = 3", "deleted"] is None
    assert lines["1", "2"] is None  # a default is made when the function is
    assert list(lines["value is None", "value is not None"]) == [7]


def test_an_effect_a_reset_and_a_condition_are_changed(monkeypatch, tmp_path):
    source = "rule = (1 | 2 | 4, AUTO)\nif rule.on():\n    rule = None\nOptional = int | None\n"
    found = {(one.was, one.now) for one in made(monkeypatch, tmp_path, source)}
    assert {("1 | 2 | 4", "1 | 2"), ("1 | 2 | 4", "4"), ("1 | 2", "1"), ("1 | 2", "2"), ("AUTO", "OPERATOR")} <= found
    assert ("if rule.on():", "condition negated: not rule.on()") in found
    assert "int | None" not in {was for was, _ in found}


def test_the_size_of_a_cache_is_no_fact_of_the_plant(monkeypatch, tmp_path):
    source = "@lru_cache(maxsize=1024)\ndef half(value: int) -> float:\n    return value / 2\n"
    assert "1024" not in {one.was for one in made(monkeypatch, tmp_path, source)}


FILE = "controller/units.py"


def changed(new):
    """Return the module of the units with another number."""
    source = (mutation.ROOT / FILE).read_text("utf-8")
    assert "1013" in source
    return ast.parse(source.replace("1013", new))


def test_a_module_imported_anew_is_killed_by_a_test_that_sees_it_and_survives_one_that_does_not():
    module, tests = mutation.Module(FILE), [str(mutation.ROOT / "tests" / "test_boundaries_table.py")]
    name = "tests/test_boundaries_table.py::test_a_load_too_hot_for_air_stays_so_until_it_is_two_degrees_colder"
    other = "tests/test_boundaries_table.py::test_a_plc_watchdog_below_a_tenth_of_a_second_is_off"
    asked = {test: {test: mutation.Reach(0.1, frozenset())} for test in (name, other)}
    assert mutation.imported(module, changed("13"), tests, asked[name], 90.0) == (1, name)
    assert mutation.imported(module, changed("13"), tests, asked[other], 90.0) == (0, "")
    assert mutation.imported(module, changed("1013"), tests, asked[name], 90.0) == (0, "")


def test_a_changed_function_gets_its_code_in_place_and_only_in_the_fork():
    import controller.interlocks.conditioning  # noqa: F401

    module = mutation.Module("controller/interlocks/conditioning.py")
    tree = ast.parse((mutation.ROOT / module.file).read_text("utf-8"))
    assert mutation._forked(lambda: (0 if module.put_in(tree, anew=False, functions=True) else 9, ""), 30.0).code == 9  # nothing changed
    some = next(one for one in mutants.mutants(module.file) if one.lines is not None and one.was == "len(values) == 3")
    put = mutation._forked(lambda: (0 if module.put_in(some.tree(), anew=False, functions=True) else 9, ""), 30.0)
    assert put.code == 0


def test_a_fork_that_takes_too_long_is_ended():
    assert mutation._named(mutation._forked(lambda: (signal.pause(), (0, ""))[1], 0.2)) == mutation.TIMEOUT


def test_the_table_of_equivalent_mutants_is_not_stale():
    assert mutants.stale() == []
    assert all(len(reason) > 20 for reason in mutants.excused().values())


def test_the_tests_that_stand_for_a_module_exist():
    named = {name for names in mutation.SUBJECTS.values() for name in names}
    assert {name for name in named if not (mutation.ROOT / "tests" / name).exists()} == set()
    assert {file for file in mutation.SUBJECTS if not (mutation.ROOT / file).exists()} == set()


def test_lambdas_of_one_line_have_places_of_their_own():
    """A rule's delay and its condition stand side by side: one that got the other's code made the table fail without a mutant."""
    codes = list(mutated._codes(compile("RULE = (lambda x: x.limit_s, lambda v: v.process, lambda v: v.inputs)", "table", "exec")))
    assert len(codes) == 3
    assert len({mutated._place(code) for code in codes}) == 3
