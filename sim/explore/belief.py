"""What the estimator may believe in the exploration: a few estimates that recipe, rows and recovery tell apart, in place of a computed one.

The estimator returns its last estimate until its next update is due, and process time stands still here: so the scan runs as it is, with the
estimate that a disturbance brings along.
"""

from dataclasses import replace
from typing import Final

from controller import estimator
from controller.commands import load_state
from controller.estimator import EstimatorMemory
from controller.image import Estimate, Interval, ZoneEstimate
from controller.memory import Settings
from controller.recipe.run import Batch
from controller.scan import target_of
from sim.explore.oven import AT_S


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
_KEPT: Final[dict[tuple[int, str], EstimatorMemory]] = {}  # by the recipe's identity: a search has one for all of its batches


def held(settings: Settings, batch: Batch | None, name: str) -> EstimatorMemory | None:
    """Return the belief ``name`` of ``batch``; None without a batch."""
    if batch is None:
        return None
    place = (id(batch.recipe), name)
    if place not in _KEPT:
        fresh = estimator.start(settings.estimator, load_state(batch.load, settings.equipment.chamber_m3), AT_S, 23.0)
        _KEPT[place] = replace(fresh, target=target_of(batch.recipe.endpoint), estimate=ESTIMATES[name])
    return _KEPT[place]
