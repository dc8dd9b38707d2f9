"""One flat array of numbers with names: kernels see it as a record, Python through attributes (``Number``, ``Flag``)."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Layout = np.dtype[np.void]


class Holder(Protocol):
    """Whatever shows numbers of a record: ``state`` is the array, ``at`` where this one's part of it begins."""

    state: Array
    at: int


class Number:
    """A number of the record, as an attribute."""

    __slots__ = ("_at",)

    def __init__(self, layout: Layout, name: str) -> None:
        """Show the field ``name`` of ``layout``."""
        self._at = place(layout, name)

    def __get__(self, owner: Holder, kind: object = None) -> float:
        return owner.state.item(owner.at + self._at)

    def __set__(self, owner: Holder, value: float) -> None:
        owner.state[owner.at + self._at] = value


class Flag(Number):
    """A number that is 0 or 1, as a bool."""

    __slots__ = ()

    def __get__(self, owner: Holder, kind: object = None) -> bool:
        return owner.state.item(owner.at + self._at) != 0.0


def place(layout: Layout, name: str) -> int:
    """Return where ``name`` (of a part: ``part.name``) lies in an array of ``layout``; KeyError when nowhere."""
    at = 0
    for word in name.split("."):
        assert layout.fields is not None
        layout, offset = layout.fields[word][:2]
        at += offset // 8
    return at


def zeros(of: Layout) -> Array:
    """Return an array for a record ``of`` that layout."""
    return np.zeros(of.itemsize // 8)


def filled(of: Layout, *sources: Any) -> Array:
    """Return an array whose every field comes from the attribute of that name of the first of ``sources`` that has one."""
    return np.array([next(getattr(source, name) for source in sources if hasattr(source, name)) for name in of.names or ()])
