"""Compiling the plant's kernels: one decorator, typed for the checker, eager so that nothing is compiled inside a scan.

A kernel calls only functions of its own file: the compiler's cache looks at the time of the kernel's file alone, and would not notice a
change in another one. For the same reason numbers reach kernels as arguments, never as another module's constants, and the record that a
kernel sees in its array is laid out in the kernel's file.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(signature: str) -> Callable[[F], F]:
    """Return a decorator that compiles for ``signature`` when the module is imported, or takes it from the cache."""

    def decorate(function: F) -> F:
        return cast(F, numba.njit(signature, cache=True, nogil=True)(function))

    return decorate


def part(function: F) -> F:
    """Mark ``function`` as a part of the kernels of its file: compiled with them, and kept in their cache."""
    return cast(F, numba.njit(nogil=True)(function))
