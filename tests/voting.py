"""Seven things that can become of each of a zone's three thermocouples, in every combination, on the soft PLC and its plant.

    python -m tests.voting

Heat must go exactly when fewer than two of the three tell the truth, within the vote's band. By hand all 343 combinations in every phase of
``PHASES`` and every zone (`make votes`); the tests take combinations of which no two are permutations of each other.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement, product
from math import nan
from typing import Final, NamedTuple

from controller.interlocks import sensors
from controller.interlocks.limits import Limits
from controller.recipe.states import UnitState
from sim.bench import Rig
from tests.rigs import prepared

Distortion = Callable[[float, float], float]
FAULTS: Final[dict[str, Callable[[float], Distortion | None]]] = {  # of the reading when it begins
    "sound": lambda _: None,
    "open": lambda _: lambda _v, _t: nan,
    "out of range": lambda _: lambda _v, _t: 500.0,
    "short": lambda _: lambda _v, _t: 23.0,
    "jumped": lambda _: lambda v, _t: v + 40.0,
    "stuck": lambda now_c: lambda _v, _t: now_c,
    "shifted": lambda _: lambda v, _t: v + 3.0,
}
VOTE_C: Final = Limits().vote_c
PHASES: Final = ("vacuum", "nitrogen", "slow", "cure")
SCANS: Final = int(sensors.LOOK_S) + sensors.SCANS + 1  # it may just have been looked, and heat goes in the scan after the vote
Three = tuple[str, str, str]
UNLIKE: Final[tuple[Three, ...]] = tuple(combinations_with_replacement(FAULTS, 3))  # no two are permutations of each other
EVERY: Final[tuple[Three, ...]] = tuple(product(FAULTS, repeat=3))


class Seen(NamedTuple):
    """What became of one case."""

    heat: bool
    state: UnitState
    rows: tuple[str, ...]
    unsafe: int
    truthful: int  # how many of the three tell the truth


def struck(rig: Rig, zone: int, faults: Three) -> Seen:
    """Return what ``faults`` make of the batch in ``rig`` within ``SCANS`` seconds."""
    distortions, readings, truthful = rig.plc.plant.instruments.distortions, rig._read(), 0
    for sensor, fault in zip("abc", faults, strict=True):
        name = f"z{zone}_tc_{sensor}_c"
        now_c = float(getattr(readings, name).value or 0.0)
        distortion = FAULTS[fault](now_c)
        truthful += distortion is None or abs(distortion(now_c, 0.0) - now_c) <= VOTE_C
        if distortion is not None:
            distortions[name] = distortion
    record = rig.record
    for _ in range(SCANS):
        record = rig.step()
    if record is None:
        raise AssertionError("the rig has stepped")
    return Seen(record.outputs.heat_enable, record.unit_state, record.verdict.active, len(rig.unsafe), truthful)


def wrong(phase: str, zone: int, faults: Three) -> str:
    """Return what is not as it must be, "" when all is."""
    seen = struck(prepared(phase), zone, faults)
    if seen.unsafe:
        return f"{seen.unsafe} unsafe states"
    if seen.truthful >= 2:
        on = seen.heat and seen.state is UnitState.RUNNING
        return "" if on else f"{seen.truthful} tell the truth, and the batch is {seen.state.name}: {', '.join(seen.rows)}"
    return f"{seen.truthful} tells the truth, and heat is on" if seen.heat else ""


def _all() -> Iterator[str]:
    for phase, zone, faults in product(PHASES, (1, 2, 3), EVERY):
        if what := wrong(phase, zone, faults):
            yield f"{phase}, zone {zone}, {' + '.join(faults)}: {what}"


if __name__ == "__main__":
    found = list(_all())
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.stdout.write(f"{len(PHASES) * 3 * len(EVERY)} cases, {len(found)} wrong\n")
    sys.exit(bool(found))
