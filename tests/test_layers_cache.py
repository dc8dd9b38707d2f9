"""Compiled code on disk: one folder per digest of the sources, nothing stale, nothing written where it must not be."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from controller.estimator import compiled

ROOT = Path(__file__).parents[1]
# a function of one module, compiled into a caller of another one: the case that the compiler's own check of file times misses
CALLEE = "from controller.estimator.compiled import inlined\n\n@inlined\ndef inner(x: float) -> float:\n    return x + {}\n"
CALLER = (
    "from controller.estimator.compiled import compiled\nfrom controller.estimator.callee import inner\n\n"
    "@compiled\ndef outer(x: float) -> float:\n    return inner(x)\n"
)


@pytest.fixture
def package(tmp_path):
    """A package of the same name with nothing but the door to the compiler and two functions."""
    folder = tmp_path / "controller" / "estimator"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "__init__.py").touch()
    shutil.copy(ROOT / "controller" / "estimator" / "compiled.py", folder)
    (folder / "caller.py").write_text(CALLER)
    return folder


def called(package, **environment):
    """Return what outer(1.0) gives in a new process, and how many variants came from the cache."""
    script = "from controller.estimator.caller import outer; print(outer(1.0), sum(outer.stats.cache_hits.values()))"
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        cwd=package.parents[1],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    value, hits = done.stdout.split()
    return float(value), int(hits)


def test_a_changed_callee_is_not_answered_from_the_callers_cache(package):
    callee = package / "callee.py"
    callee.write_text(CALLEE.format("1.0"))
    assert called(package) == (2.0, 0)
    assert called(package) == (2.0, 1)
    stamp = callee.stat()
    callee.write_text(CALLEE.format("5.0"))
    os.utime(callee, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # not even the file's time tells
    assert called(package) == (6.0, 0)
    callee.write_text(CALLEE.format("1.0"))
    assert called(package) == (2.0, 1)  # what was compiled before is still there


def test_the_cache_goes_where_the_environment_says(package, tmp_path):
    (package / "callee.py").write_text(CALLEE.format("1.0"))
    elsewhere = tmp_path / "elsewhere"
    assert called(package, NUMBA_CACHE_DIR=str(elsewhere)) == (2.0, 0)
    assert list(elsewhere.rglob("*.nbi"))
    assert not list(package.rglob("*.nbi"))


def test_every_module_that_compiles_is_in_the_digest_and_so_is_the_layout():
    names = {path.name for path in compiled.sources()}
    folder = ROOT / "controller" / "estimator"
    users = {path.name for path in folder.glob("*.py") if "@compiled\n" in path.read_text() or "@inlined\n" in path.read_text()}
    assert users <= names
    assert {"compiled.py", "member.py", "laws.py", "march.py", "schedule.py"} <= names


def test_the_compilers_setting_is_left_as_it_was():
    before = numba.config.CACHE_DIR
    compiled.inlined(lambda x: x)
    compiled._dispatchers.pop()
    assert before == numba.config.CACHE_DIR


@pytest.mark.parametrize("home", ["closed", "not to be looked into"])
def test_who_may_write_nowhere_compiles_without_a_cache(package, tmp_path, home):
    (package / "callee.py").write_text(CALLEE.format("1.0"))
    refused = "True" if home == "closed" else "'estimator' in str(path)"  # root may write everywhere
    (package.parents[1] / "sitecustomize.py").write_text(f"import os\nos.access = lambda path, mode: not {refused}\n")
    (tmp_path / "file").touch()
    environment = {"NUMBA_CACHE_DIR": "", "PYTHONPATH": str(package.parents[1]), "HOME": str(tmp_path / "file" / "home")}
    assert [called(package, **environment) for _ in range(2)] == [(2.0, 0)] * 2
    assert not list(package.glob("__pycache__/*"))
