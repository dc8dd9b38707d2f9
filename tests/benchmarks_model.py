"""Speed of the deep film-and-roll model, side by side in one run: compiled, in C, SciPy's BDF; then the ensembles."""

# ruff: noqa: T201

import ctypes
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from controller.estimator import layers
from controller.estimator.member import Shape
from tests.reference.batch import DAY_S, KNOTS, RESIDUAL, START_K, TIGHT, H, model, reference

POSITIONS, CELLS = 12, 20
HOURS = np.arange(25) * H
WARM = "import time; t = time.perf_counter(); from controller.estimator import layers; layers.warm_up(); print(time.perf_counter() - t)"


def best_ms(work, count):
    """Return the shortest of ``count`` runs, ms."""
    found = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return 1e3 * min(found)


class CShape(ctypes.Structure):
    """Shape, as march.c has it."""

    _fields_ = tuple(
        (name, ctypes.c_long if kind is int else ctypes.c_double if kind is float else ctypes.POINTER(ctypes.c_double))
        for name, kind in Shape.__annotations__.items()
    )


def side_by_side(work, other, count):
    """Return the least time of each in ms, and the median over ``count`` turns of the share: the machine's speed moves."""
    pairs = [(best_ms(work, 3), best_ms(other, 3)) for _ in range(count)]
    return min(one for one, _ in pairs), min(one for _, one in pairs), median(one / another for one, another in pairs)


def pointer(array):
    """Return an array's address as C wants it."""
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))


def in_c(folder):
    """Return a function that runs the day in C and returns the last -ln(1 - conversion) and the tries."""
    library = Path(folder) / "march.so"
    source = Path(__file__).parent / "reference" / "march.c"
    subprocess.run(["gcc", "-O3", "-march=native", "-shared", "-fPIC", "-o", library, source, "-lm"], check=True)
    march_c = ctypes.CDLL(library).march_c
    march_c.restype = ctypes.c_long
    built, _, state = model(1, POSITIONS, CELLS)
    shape = CShape(*(pointer(part) if isinstance(part, np.ndarray) else part for part in built.shape))
    tolerance, first = np.array(built.tolerance), state.block[0]
    nodes = CELLS * POSITIONS
    bound, free = first[-POSITIONS:], first[POSITIONS : POSITIONS + nodes]
    start = np.concatenate((free, free[:POSITIONS] + bound, np.zeros(POSITIONS), first[:POSITIONS], bound))

    def run():
        y = start.copy()
        tries = march_c(
            ctypes.byref(shape), pointer(built.table[0]), pointer(KNOTS), len(KNOTS), pointer(tolerance), ctypes.c_double(60.0), pointer(y)
        )
        return y[nodes + POSITIONS : nodes + 2 * POSITIONS], tries

    return run


def day():
    """Print one member's day in three ways."""
    built, slow, state = model(1, POSITIONS, CELLS)
    exact_model, _, _ = model(1, POSITIONS, CELLS, TIGHT)
    seen = layers.trajectory(built, slow, state, KNOTS, HOURS)
    exact = layers.trajectory(exact_model, slow, state, KNOTS, HOURS)
    print(f"error against a tight run, hourly: residual {np.abs(seen.residual - exact.residual).max():.1e} (weight fraction), ", end="")
    print(
        f"conversion {np.abs(seen.conversion - exact.conversion).max():.1e}, temperature {np.abs(seen.temp_k - exact.temp_k).max():.3f} K"
    )
    last = np.array([DAY_S])

    def compiled():
        layers.trajectory(built, slow, state, KNOTS, last)

    with tempfile.TemporaryDirectory() as folder:
        run = in_c(folder)
        cured, tries = run()
        numba_ms, c_ms, of_c = side_by_side(compiled, run, 40)
    apart = np.abs(-np.expm1(-cured) - seen.conversion[0, -1]).max()
    print(f"compiled Python, {seen.steps[0]} steps: {numba_ms:.2f} ms; the same in C, {tries} steps: {c_ms:.2f} ms")
    print(f"last conversions {apart:.1e} apart; compiled Python is {of_c:.2f} of C, median of turns")
    roll, found = reference(POSITIONS, CELLS), []

    def bdf():
        found[:] = roll.solve(roll.start(START_K, RESIDUAL), HOURS, 1e-4, 1e-6)

    _, bdf_ms, of_bdf = side_by_side(compiled, bdf, 3)
    mean = np.array([roll.mean(y) for y in found])
    off = np.abs(mean / (1 + mean) - exact.residual[0]).max()
    print(f"SciPy BDF, sparse: {bdf_ms:.0f} ms (residual off by {off:.1e}); compiled Python is 1/{1 / of_bdf:.0f} of it, median of turns")


def ensemble(members, positions, cells):
    """Print what an ensemble costs."""
    built, slow, state = model(members, positions, cells)
    for _ in range(3):
        state = layers.advance(built, slow, state, layers.Drive(373.15, 380.0, 1e3, 0.0), 1800.0).state
    drive = layers.Drive(380.0, 380.5, 1e3, 0.0)
    costs = [best_ms(lambda dt_s=dt_s: layers.advance(built, slow, state, drive, dt_s), 20) for dt_s in (1.0, 10.0, 30.0)]
    ahead = best_ms(lambda: layers.trajectory(built, slow, state, KNOTS, HOURS), 3)
    print(f"{members} members, {positions} x {cells}: 1 s {costs[0]:.2f}, 10 s {costs[1]:.2f}, 30 s {costs[2]:.2f}, 24 h {ahead:.0f} ms")


def starts():
    """Print the time to the first result without and with a cache."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cold", "cached"):
            done = subprocess.run(
                [sys.executable, "-c", WARM],
                env={"NUMBA_CACHE_DIR": folder, "PATH": ""},
                cwd=Path(__file__).parents[1],
                capture_output=True,
                check=True,
            )
            print(f"{name} start: {float(done.stdout):.1f} s")


def main():
    """Print everything."""
    layers.warm_up()
    day()
    ensemble(200, 12, 20)
    ensemble(96, 5, 10)  # what a batch runs
    starts()


if __name__ == "__main__":
    main()
