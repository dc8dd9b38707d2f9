"""The members' crosslinking and drying parameters: spread and correlated as the settings say, and what cannot be is refused."""

import numpy as np
import pytest

from controller.estimator import calibration as bayes
from controller.estimator.constants import COLUMN
from controller.estimator.curing import WIDTH_K
from controller.estimator.equations import Member
from controller.estimator.members import members_of
from controller.estimator.model import EstimatorSettings, LoadState
from tests.weighing import PAIRS, R

LOAD = LoadState(100.0, 0.5, 20.0, 18.0, 100.0, 150.0, 18.0, 1.0)
# Ten different correlations, so that no two can be mistaken.
WANTED = (-0.5, 0.1, 0.4, -0.3, -0.2, 0.3, 0.7, -0.6, 0.05, 0.25)


def test_the_members_dry_with_the_correlations_of_the_settings() -> None:
    """Spreads so narrow that no range cuts them off."""
    told = EstimatorSettings(
        diffusion_m2_s=1e-14, diffusion_ln_sd=0.4, diffusion_energy_kj_mol=90.0, diffusion_energy_sd_kj_mol=10.0, bound_solvent_kg_kg=0.02,
        bound_solvent_ln_sd=0.3, release_1_s=3e-4, release_ln_sd=0.5, release_energy_kj_mol=105.0, release_energy_sd_kj_mol=8.0,
        drying_correlation=WANTED,
    )  # fmt: skip
    found = members_of(told, LOAD)
    energy, release_energy = (found.model.table[:, COLUMN[name]] * R / 1e3 for name in ("dry_energy_k", "release_energy_k"))
    diffusion = found.slow.log_dry - np.log(found.model.table[:, COLUMN["dry_s"]] / (20e-6) ** 2)
    release = found.slow.log_release + np.log(found.model.table[:, COLUMN["release_s"]])
    drawn = np.array([diffusion, energy, np.log(found.model.table[:, COLUMN["sites"]]), release, release_energy])
    assert drawn.mean(axis=1) == pytest.approx([np.log(1e-14), 90.0, np.log(0.02), np.log(3e-4), 105.0], rel=5e-3)
    assert drawn.std(axis=1) == pytest.approx([0.4, 10.0, 0.3, 0.5, 8.0], rel=0.1)
    correlation = np.corrcoef(drawn)
    assert [correlation[pair] for pair in PAIRS] == pytest.approx(WANTED, abs=0.06)


CURE_SD = {
    "gel_time_ln_sd": 0.1,
    "activation_energy_sd_kj_mol": 10.0,
    "polydispersity_sd": 0.2,
    "order_sd": 0.3,
    "vitrification_offset_sd_k": 4.0,
}


def test_the_members_cure_with_the_correlations_of_the_settings() -> None:
    """Spreads so narrow that no range cuts them off."""
    told = EstimatorSettings.model_validate(
        {"gel_time_240c_h": 3.0, "activation_energy_kj_mol": 150.0, "order": 3.0, "polydispersity": 2.5, "vitrification_offset_k": 50.0,
         "cure_correlation": WANTED, **CURE_SD}
    )  # fmt: skip
    found = members_of(told, LOAD)
    column = {name: found.model.table[:, Member._fields.index(name)] for name in ("energy_k", "order", "offset_k", "glass_dry_k", "rate_s")}
    offset = column["offset_k"] - (column["glass_dry_k"] - 553)  # the distance from the median film's glass transition
    hindered = 1 + np.exp((column["glass_dry_k"] - 513.15 - column["offset_k"]) / WIDTH_K)
    ln_rate = np.log(column["rate_s"] / hindered)  # 40 sites: ln t = ln of the integral up to one of them, less ln rate
    ln_time = np.log(((39 / 40) ** (1 - column["order"]) - 1) / (column["order"] - 1)) - ln_rate
    drawn = np.array([ln_time, column["energy_k"] * R / 1e3, found.polydispersity, column["order"], offset])
    assert drawn.mean(axis=1) == pytest.approx([np.log(3 * 3600), 150.0, 2.5, 3.0, 50.0], rel=5e-3)
    own = np.hypot(0.1, bayes.TRANSFER_LN_SD)  # of the gel time: the law's error on the way to a roll is added
    assert drawn.std(axis=1) == pytest.approx([own, 10.0, 0.2, 0.3, 4.0], rel=0.06)
    correlation = np.corrcoef(drawn)
    assert [correlation[pair] for pair in PAIRS] == pytest.approx(WANTED, abs=0.06)


@pytest.mark.parametrize("wrong", [(0.9, 0.9, 0, 0, -0.9, 0, 0, 0, 0, 0), (0.99, 0, 0, 0.99, 0, 0, -0.99, 0, 0, 0)])
@pytest.mark.parametrize("key", ["cure_correlation", "drying_correlation"])
def test_correlations_that_cannot_be_are_refused(key: str, wrong: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=rf"{key}(.|\n)*must be positive"):
        EstimatorSettings.model_validate({key: wrong})


def test_a_drying_correlation_has_ten_pairs() -> None:
    with pytest.raises(ValueError, match="drying_correlation"):
        EstimatorSettings.model_validate({"drying_correlation": WANTED[:9]})
