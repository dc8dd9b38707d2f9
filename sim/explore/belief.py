"""What the estimator may believe in the exploration: a few estimates that recipe, rows and recovery tell apart, in place of a computed one.

The estimator returns its last estimate until its next update is due, and process time stands still here: so the scan runs as it is, with
the estimate that a disturbance brings along.
"""

from dataclasses import replace
from typing import Any, Final

from controller.command import Command, Start
from controller.image import OFF, Estimate, Interval, ZoneEstimate
from controller.memory import Memory, Settings
from controller.prooftest import ProofTest
from controller.recipe.states import Verb
from controller.scan import scan, target_of
from sim.explore.oven import AT_S, BOOT_ID, CALM, SCAN_S, Oven, image

Held = Any  # what a memory holds of its estimator


def _exactly(value: float) -> Interval:
    return Interval(value, value, value)


def _estimate(insoluble: float, p_ok: float, evolution_kg_h: float, blister: float = 0.0, floor_mbar: float = 0.0) -> Estimate:
    gel, dry = _exactly(insoluble), _exactly(0.01)
    zones = (ZoneEstimate("outer", 100.0, dry, gel),)
    return Estimate(100.0, 100.0, dry, gel, p_ok, p_ok, _exactly(evolution_kg_h), None, True, "", zones, blister, floor_mbar)


ESTIMATES: Final[dict[str, Estimate]] = {
    "": _estimate(0.2, 0.0, 0.1),
    "ripe": _estimate(0.6, 1.0, 0.1),
    "fast": _estimate(0.2, 0.0, 10.0),
    "blister": _estimate(0.2, 0.0, 0.1, blister=1.2, floor_mbar=50.0),
    "invalid": _estimate(0.2, 0.0, 0.1)._replace(valid=False, why_invalid="two thermocouples contradict every member"),
}
_COLD_C: Final = 23.0
_KEPT: Final[dict[tuple[int, str, bool], Held]] = {}  # by the recipe's identity: a search has one for all of its batches


def held(settings: Settings, start: Start, name: str, hot: bool) -> Held:
    """Return what a memory with a batch of ``start`` holds of its estimator, with the belief ``name``, of a ``hot`` load or a cold one."""
    place = (id(start.recipe), name, hot)
    if place not in _KEPT:
        ready = Memory(boot_id=BOOT_ID, proof_test=ProofTest(passed_at_s=AT_S, boot_id=BOOT_ID, spoiled=""))
        command = Command("c", "explorer", Verb.START, None, 1, start)
        begun, _ = scan(settings, ready, image(Oven(), CALM, OFF, SCAN_S), (command,))
        if begun.estimator is None:
            raise AssertionError("the recipe of an exploration starts on a calm oven")
        believed = ESTIMATES[name] if hot else ESTIMATES[name]._replace(film_min_c=_COLD_C, film_max_c=_COLD_C)
        _KEPT[place] = replace(begun.estimator, target=target_of(start.recipe.endpoint), estimate=believed)
    return _KEPT[place]
