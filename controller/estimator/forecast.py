"""When the batch would be done if wall, pressure and film temperatures stayed as they are.

While the roll still heats the answer is late, never early, for both residual solvent and cure.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.estimator.curing import LIMIT, crosslinks_for, time_to
from controller.estimator.ensemble import Members
from controller.estimator.film import Warm, relaxation
from controller.estimator.model import Target
from controller.estimator.observer import intervals
from controller.image import Interval

Array = NDArray[np.float64]

HORIZON_S: Final = 7 * 86400.0
_NODES: Final = ((np.arange(8) + 0.5) / 8)[:, None, None]


def drying_time_s(members: Members, at: Warm, solvent: Array, way_out: Array, vapour_pa: float, residual_max: float) -> Array:
    """Return the seconds until each zone is at ``residual_max`` (weight fraction): midpoint integral of du / (du/dt) over ln u."""
    goal = residual_max / (1 - residual_max)
    span = np.log(np.maximum(solvent / goal, 1.0))
    on_the_way = goal * np.exp(span * _NODES)
    rate, end = relaxation(members.film, at, on_the_way, way_out, vapour_pa)
    falling = rate * (on_the_way - end)
    # where the film would settle above the goal, the time is beyond every horizon
    pace = np.maximum(falling / on_the_way, 0.1 / HORIZON_S)
    seconds: Array = span * (1 / pace).mean(axis=0)
    return seconds


def endpoint(
    members: Members, at: Warm, solvent: Array, way_out: Array, vapour_pa: float, conversion: Array, site_rate: Array, target: Target
) -> Interval | None:
    """Return the time until the worst zone is dry enough and the least cured one insoluble enough; None beyond a week."""
    drying = drying_time_s(members, at, solvent, way_out, vapour_pa, target.residual_max)
    goal = crosslinks_for(target.insoluble_low, members.cure.polydispersity, members.cure.scission_ratio) / LIMIT
    curing = time_to(members.cure, conversion, site_rate, goal)
    done = np.minimum(np.maximum(drying, curing).max(axis=0), HORIZON_S)
    interval = intervals(done[None, :])[0]
    return None if interval.value >= HORIZON_S else interval
