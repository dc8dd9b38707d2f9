"""The processes of a rehearsal end with the one that started them, also when that is killed and can stop nobody."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

PARENT = """
import asyncio, subprocess, sys
from sim.processes import spawn

async def main():
    child = await spawn([sys.executable, "-c", "import time; time.sleep(60)"], subprocess.DEVNULL)
    print(child.pid, flush=True)
    await child.wait()

asyncio.run(main())
"""


def lives(pid: int) -> bool:
    with suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0]
        return state != "Z"
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
def test_a_killed_demo_leaves_no_process_behind():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=Path(__file__).parents[1])
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert lives(child)
        assert os.getsid(child) == child  # Ctrl-C at the terminal does not reach it
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        until_s = time.monotonic() + 10.0
        while lives(child) and time.monotonic() < until_s:
            time.sleep(0.02)
        assert not lives(child)
    finally:
        parent.kill()
        assert parent.stdout is not None
        parent.stdout.close()
