"""A virtual oven in IDLE whose core keeps a journal on the disk, as tests of whatever reads that journal want it."""

from contextlib import contextmanager

from controller import wiring as wirings
from controller.journal.store import Journal
from controller.recorder import boot_entry
from sim import bench


@contextmanager
def journaled(folder, site, load):
    """Give a rig that has made its first scans; the journal is closed at the end."""
    journal = Journal(folder / "journal.sqlite", threaded=False)
    journal.append([boot_entry(0.0, journal.boot, "test", 1.0, None, "")])
    rig = bench.rig(site, wirings.load(bench.default_wiring()), load, 1, journal=journal)
    steps(rig, 12)
    yield rig
    journal.close()


def steps(rig, count):
    for _ in range(count):
        rig.step()
    rig.journal.flush()
