"""The people at the oven of a virtual campaign: one who puts a fault in at a moment drawn by seed, one who deals with a held unit.

A fault stays until its unit has been held for ``WAIT_S``; then it is repaired and, ``SETTLE_S`` later, the unit restarted, once. A unit
that is held again, or without a fault, is stopped.
"""

from random import Random
from typing import Final

from controller.errors import FileError, Problem
from controller.recipe.states import UnitState, Verb
from sim.bench import Rig
from sim.campaign.outcome import Struck
from sim.campaign.watch import started_s
from sim.faults import FAULTS, clear, inject

WAIT_S: Final = 1800.0
SETTLE_S: Final = 60.0  # after a repair: the image shows it, and interlocks let go
RANDOM: Final = "random"
EARLIEST, LATEST = 0.02, 0.6  # of the duration that the dry run foresees, which is more than a batch mostly takes


class Strike:
    """One fault: its name, when it comes, and what became of it."""

    def __init__(self, asked: str, seed: int, duration_s: float) -> None:
        """Draw the moment, and for ``random`` the fault."""
        drawn = Random(f"fault {seed}")
        self.name = drawn.choice(sorted(FAULTS)) if asked == RANDOM else asked
        self._due_s = drawn.uniform(EARLIEST, LATEST) * duration_s
        self._at_s: float | None = None
        self._phase = ""
        self.restarts = 0

    def look(self, rig: Rig) -> None:
        """Put the fault in when its moment has come."""
        gone_s = rig.at_s - started_s(rig)
        if self._at_s is None and gone_s >= self._due_s:
            self._at_s, self._phase = gone_s, "" if rig.record is None else rig.record.phase_kind
            inject(rig.plc, self.name)

    def repair(self, rig: Rig) -> None:
        """Take the fault out, if it is in."""
        if self._at_s is not None:
            clear(rig.plc, self.name)

    def struck(self) -> Struck:
        """Return what became of it."""
        return Struck(name=self.name, at_s=self._at_s, phase=self._phase, restarts=self.restarts)


class Operator:
    """Deals with a unit that is held."""

    def __init__(self, strike: Strike | None) -> None:
        """Watch over a batch with or without a fault to come."""
        self._strike = strike
        self._next_s: float | None = None  # when something is to be done about the hold
        self._repaired = False

    def look(self, rig: Rig) -> None:
        """Repair and restart, or stop, a unit that has been held for long enough."""
        if rig.record is None or rig.record.unit_state is not UnitState.HELD:
            self._next_s = None
            return
        if self._next_s is None:
            self._next_s = rig.at_s + WAIT_S
        if rig.at_s < self._next_s:
            return
        self._next_s = rig.at_s + SETTLE_S
        strike = self._strike
        if strike is None or strike.restarts:
            rig.ask(Verb.STOP)
        elif self._repaired:
            strike.restarts += 1
            rig.ask(Verb.RESTART)
        else:
            strike.repair(rig)
            self._repaired = True


def check_fault(asked: str) -> None:
    """Return when ``asked`` is "", the name of a fault or ``random``. Raises FileError with what is allowed."""
    if asked and asked != RANDOM and asked not in FAULTS:
        raise FileError("command line", [Problem("--fault", asked, f"{RANDOM} or one of {', '.join(sorted(FAULTS))}")])
