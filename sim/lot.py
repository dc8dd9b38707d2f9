"""What coupons of the simulated resin lot told the estimator: a site's calibration, not a look into the plant's equations.

Fitted to the insoluble content at the end of the short trial (255 degC, seeds 21-32) and of one production batch (238 degC, seed 1), as a
laboratory would find it; figures in the README are from other seeds. The estimator's own defaults stay the literature's prior.
"""

from typing import Any, Final

CALIBRATION: Final[dict[str, float]] = {
    "gel_time_240c_h": 3.8,
    "gel_time_ln_sd": 0.15,  # from batch to batch of the lot
    "activation_energy_kj_mol": 164.0,
}


def settings(**equipment: Any) -> dict[str, Any]:
    """Return the ``settings`` section of a controller that runs the simulated oven with this lot."""
    return {"equipment": equipment, "estimator": dict(CALIBRATION)}
