"""Processes of a rehearsal."""

import asyncio
import signal
from contextlib import suppress
from typing import Final

PATIENCE_S: Final = 20.0  # wall


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ask a process to end, and end it after ``PATIENCE_S``."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), PATIENCE_S)
    if process.returncode is None:
        process.kill()
        await process.wait()
