"""A serial line between two processes: two pseudo-terminals joined end to end, for rehearsing Modbus RTU without a cable."""

import asyncio
import os
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

_BYTES = 4096


@contextmanager
def joined() -> Iterator[tuple[str, str]]:
    """Give the device files of the line's two ends; needs a running loop, which carries the bytes."""
    loop, pairs = asyncio.get_running_loop(), [os.openpty() for _ in range(2)]
    inner, outer = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    for end in outer:
        tty.setraw(end)
    for here, there in (inner, inner[::-1]):
        os.set_blocking(here, False)
        loop.add_reader(here, partial(_carry, here, there))
    try:
        yield os.ttyname(outer[0]), os.ttyname(outer[1])
    finally:
        for end in inner:
            loop.remove_reader(end)
        for end in (*inner, *outer):
            os.close(end)


def _carry(here: int, there: int) -> None:
    """Carry what has arrived over; a full line loses bytes, as one does."""
    with suppress(BlockingIOError):
        os.write(there, os.read(here, _BYTES))
