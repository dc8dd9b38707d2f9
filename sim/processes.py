"""Processes of a rehearsal."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Final

PATIENCE_S: Final = 20.0  # wall
_PR_SET_PDEATHSIG: Final = 1  # Linux: prctl(2)


async def spawn(arguments: list[str], log: IO[bytes] | int, cwd: str | os.PathLike[str] | None = None) -> asyncio.subprocess.Process:
    """Start a process in a session of its own, so that Ctrl-C does not reach it; on Linux it ends with the one that started it.

    Whoever is killed cannot stop what he started: without that a killed demonstration would leave an oven, a core and a broker running.
    """
    return await asyncio.create_subprocess_exec(
        *arguments, stdout=log, stderr=log, cwd=cwd, start_new_session=True, preexec_fn=_tied() if sys.platform == "linux" else None
    )


def _tied() -> Callable[[], None]:
    libc, parent = ctypes.CDLL(None), os.getpid()

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it has ended meanwhile
            os._exit(1)

    return tie


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ask a process to end, and end it after ``PATIENCE_S``."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), PATIENCE_S)
    if process.returncode is None:
        process.kill()
        await process.wait()
