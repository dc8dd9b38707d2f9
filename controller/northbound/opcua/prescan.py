"""A look at a method call before anything is built from it: a million nested values would stop the loop for seconds."""

import struct
from typing import Final

MOST_CALLS: Final = 10
MOST_ARGUMENTS: Final = 40
MOST_ELEMENTS: Final = 1000
MOST_STRUCTURE_BYTES: Final = 16_384  # of all structures in one request: job orders are small
_FIXED: Final = {1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 4, 11: 8, 13: 8, 14: 16, 19: 4}  # built-in type -> bytes
_TEXT: Final = frozenset({12, 15, 16})  # String, ByteString, XmlElement: a length and so many bytes
_NODE_ID: Final = 17
_QUALIFIED: Final = 20
_LOCALIZED: Final = 21
_STRUCTURE: Final = 22


class Refused(Exception):  # noqa: N818 (an answer, no fault of this program)
    """The call is not of a form that any method here takes."""


class _Bytes:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self._structures = 0

    def skip(self, count: int) -> None:
        if count < 0 or self._at + count > len(self._raw):
            raise Refused("shorter than it says")
        self._at += count

    def number(self, form: str) -> int:
        size = struct.calcsize(form)
        start = self._at
        self.skip(size)
        return int(struct.unpack_from(form, self._raw, start)[0])

    def text(self) -> None:
        length = self.number("<i")
        self.skip(max(0, length))

    def node_id(self) -> None:
        kind = self.number("<B") & 0x3F
        if kind in (3, 5):
            self.skip(2)
            self.text()
        elif kind in (0, 1, 2, 4):
            self.skip({0: 1, 1: 3, 2: 6, 4: 18}[kind])
        else:
            raise Refused("no NodeId")

    def value(self, kind: int) -> None:
        if kind in _FIXED:
            self.skip(_FIXED[kind])
        elif kind in _TEXT:
            self.text()
        elif kind == _NODE_ID:
            self.node_id()
        elif kind == _QUALIFIED:
            self.skip(2)
            self.text()
        elif kind == _LOCALIZED:
            mask = self.number("<B")
            for bit in (1, 2):
                if mask & bit:
                    self.text()
        elif kind == _STRUCTURE:
            self.structure()
        else:
            raise Refused(f"built-in type {kind} is no argument of any method")

    def structure(self) -> None:
        """Pass over a structure; what is in it is decoded later, so that its bytes are few."""
        self.node_id()
        if self.number("<B") != 1:
            raise Refused("a structure without a binary body")
        length = self.number("<i")
        self._structures += max(0, length)
        if self._structures > MOST_STRUCTURE_BYTES:
            raise Refused(f"structures of {self._structures} bytes, at most {MOST_STRUCTURE_BYTES}")
        self.skip(max(0, length))

    def variant(self) -> None:
        encoding = self.number("<B")
        kind = encoding & 0x3F
        if kind == 0:
            return
        count = self.number("<i") if encoding & 0x80 else 1
        if count > MOST_ELEMENTS:
            raise Refused(f"an array of {count} elements, at most {MOST_ELEMENTS}")
        for _ in range(count):
            self.value(kind)
        if encoding & 0x40:
            raise Refused("arrays of several dimensions are no arguments")


def check_call(raw: bytes) -> None:
    """Return when the body of a CallRequest, behind its header, holds a bounded number of plain values.

    Raises:
        Refused: it does not.
    """
    body = _Bytes(raw)
    count = body.number("<i")
    if count > MOST_CALLS:
        raise Refused(f"{count} calls in one request, at most {MOST_CALLS}")
    for _ in range(count):
        body.node_id()
        body.node_id()
        arguments = body.number("<i")
        if arguments > MOST_ARGUMENTS:
            raise Refused(f"{arguments} arguments, at most {MOST_ARGUMENTS}")
        for _ in range(arguments):
            body.variant()
