"""A site whose laboratory has examined coupons: spreads as a calibration leaves them, about the prior's medians."""

from typing import Any, Final

from controller.memory import Settings

ESTIMATOR: Final[dict[str, Any]] = {
    "gel_time_ln_sd": 0.12, "activation_energy_sd_kj_mol": 8.0, "order_sd": 1.0, "vitrification_offset_sd_k": 10.0, "diffusion_ln_sd": 0.8,
}  # fmt: skip


def known(**sections: Any) -> Settings:
    """Return such a site's settings; ``sections`` as in ``[settings]``."""
    return Settings.model_validate({**sections, "estimator": ESTIMATOR | sections.get("estimator", {})})
