"""``make bench``: a read and a write over each wire to the soft PLC, side by side in one run, on loopback in one process."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from controller import block
from controller.image import OFF, OWN_SIGNALS
from controller.southbound.field import Field
from controller.tags import Quality, Sample
from tests.wires import EPOCH, KINDS, MASTER, WIRING, wire

CYCLES = 300
WARM = 20
OWN = {name: Sample(1.0, Quality.GOOD, 0.0) for name in OWN_SIGNALS}


async def measured(kind, folder):
    """Return times, ms: of reads, writes, and from the end of a PLC scan to the scan in the core that sees it; each p50 and p99."""
    reads, writes, news = [], [], []
    async with wire(kind, folder) as line:
        line.fresh()
        async with Field(line.driver(), WIRING, epoch=EPOCH, master=MASTER) as field:
            for cycle in range(CYCLES + WARM):
                line.scan()
                began_s = time.perf_counter()
                inputs = None
                while inputs is None or inputs.plc_alive.value != line.plc.alive:
                    start_s = time.perf_counter()
                    inputs = await field.read(float(cycle), 1.0, OWN)
                    read_s = time.perf_counter() - start_s
                    await asyncio.sleep(0.0)
                news.append(time.perf_counter() - began_s)
                reads.append(read_s)
                start_s = time.perf_counter()
                await field.write(OFF)
                writes.append(time.perf_counter() - start_s)
            assert field.link.confirmed > CYCLES / 2, field.link
            assert line.plc.reason == block.Reason.OK
    return [quantile for times in (reads, writes, news) for quantile in quantiles_ms(times[WARM:])]


def quantiles_ms(times_s):
    """Return p50 and p99, ms."""
    ordered = sorted(times_s)
    return 1e3 * ordered[len(ordered) // 2], 1e3 * ordered[int(len(ordered) * 0.99)]


def main():
    """Print the table."""
    head = "".join(f"{name:>12}" for name in ("read p50", "p99", "write p50", "p99", "image p50", "p99"))
    lines = [f"{'wire':8}{head}  ms"]
    with tempfile.TemporaryDirectory() as folder:
        lines += [f"{kind:8}" + "".join(f"{value:12.2f}" for value in asyncio.run(measured(kind, Path(folder)))) for kind in KINDS]
    lines.append("image: from the PLC's scan to the core's read that shows it, publishing interval 5 ms (OPC UA)")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
