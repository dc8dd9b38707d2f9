"""Part of ``make bench``: what takes the core's memory, its parts loaded one after the other (Linux)."""

import importlib
import sys
from pathlib import Path

PARTS = (
    ("Python", "sys"),
    ("NumPy", "numpy"),
    ("pydantic", "pydantic"),
    ("Numba with LLVM", "numba"),
    ("the core's code and its other packages", "controller.service"),
)


def resident_mb():
    """Return what this process holds."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024


def main():
    """Print the table."""
    held = 0.0
    for name, module in PARTS:
        importlib.import_module(module)
        held = _told(name, held)
    importlib.import_module("controller.estimator").warm_up()
    held = _told("the compiled model", held)
    sys.stdout.write(f"{'core before its first scan':40} {held:6.0f} MB\n")


def _told(name, before):
    now = resident_mb()
    sys.stdout.write(f"  {name:38} {now - before:6.0f}\n")
    return now


if __name__ == "__main__":
    main()
