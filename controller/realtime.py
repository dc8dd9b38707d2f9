"""Ask the operating system for punctuality: real-time priority where it is allowed, no collector pauses over what lives forever."""

import gc
import os
from typing import Final

PRIORITY: Final = 10  # of SCHED_FIFO: above everything ordinary, below the kernel's own threads


def prefer() -> str:
    """Take SCHED_FIFO for this process and the threads it will start, and return what was allowed, for the log.

    The journal's thread must inherit it: it holds the interpreter's lock now and then, and starved it would stop the scan.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError as error:
        return f"ordinary scheduling ({error.strerror}); grant CAP_SYS_NICE or CPUSchedulingPolicy=fifo for punctual scans"
    return f"SCHED_FIFO priority {PRIORITY}"


def settle() -> None:
    """Move what lives as long as the process out of the collector's sight; call it once after the start."""
    gc.collect()
    gc.freeze()
