"""IndexRange: a part of an array, a text or bytes, as Part 4 writes it: ``3`` or ``2:5``, both ends included, from 0."""

import re
from dataclasses import replace
from typing import Final

from asyncua import ua

_RANGE: Final = re.compile(r"(\d{1,9})(?::(\d{1,9}))?")
_S: Final = ua.StatusCodes


def part(found: ua.DataValue, asked: str) -> ua.DataValue:
    """Return ``found`` with only the part of its value that was asked for, or the status code that says why there is none."""
    read = _RANGE.fullmatch(asked)
    first, last = (int(read[1]), int(read[2] or read[1])) if read else (0, -1)
    if read is None or (read[2] is not None and last <= first):
        return ua.DataValue(StatusCode=ua.StatusCode(_S.BadIndexRangeInvalid))
    value = None if found.Value is None else found.Value.Value
    if not isinstance(value, list | str | bytes) or first >= len(value):
        return ua.DataValue(StatusCode=ua.StatusCode(_S.BadIndexRangeNoData))
    return replace(found, Value=ua.Variant(value[first : last + 1], found.Value.VariantType, is_array=isinstance(value, list)))
