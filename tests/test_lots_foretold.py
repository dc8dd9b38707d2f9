"""Twelve lots of the virtual laboratory, whose film binds part of its solvent and follows free volume: what their coupons foretell."""

import numpy as np
import pytest
from numpy.typing import NDArray

from controller.estimator import calibration as bayes
from controller.estimator import drying
from controller.estimator.exposure import History, exposure_of
from controller.estimator.model import EstimatorSettings
from sim import lot
from sim.coupons import PREDRY_WT_PCT, _Piece
from sim.plant.parameters import draw_lot
from tests.rates import ln_rate_sd
from tests.weighing import PAIRS, PRIOR, Points, weighed

Array = NDArray[np.float64]

HISTORIES: tuple[Points, ...] = (
    ((0, 100), (2, 240), (3.5, 240)),
    ((0, 25), (6, 236), (8.5, 236)),
    ((0, 100), (1.5, 215), (3, 215)),
    ((0, 60), (2, 200), (3, 200)),
    ((0, 150), (0.05, 245), (0.8, 245)),
)
CURED_THROUGH = 2  # of them, the first


def truth_of(number: int, points: Points) -> tuple[float, float, History]:
    """Return residual and insoluble fraction of a piece of lot ``number``, and what it went through, its solvent too."""
    piece = _Piece(draw_lot(number))
    hours, temp_c = np.array(points).T
    starts, left = np.arange(0, hours[-1], 1 / 60), [piece.residual]
    for start in starts:
        piece.treat(float(np.interp(start + 1 / 120, hours, temp_c)), 60.0)
        left.append(piece.residual)
    ends = np.append(0.0, starts + 1 / 60)
    return piece.residual, piece.insoluble, History(3600 * ends, np.interp(ends, hours, temp_c) + 273.15, np.array(left))


def crosslinking_of(told: EstimatorSettings) -> bayes.Prior:
    """Return what a controller with these settings believes of the crosslinking, without the law's own error."""
    sd = np.array(
        [told.gel_time_ln_sd, told.activation_energy_sd_kj_mol, told.polydispersity_sd, told.order_sd, told.vitrification_offset_sd_k]
    )
    correlation = np.eye(5)
    for pair, one in zip(PAIRS, told.cure_correlation, strict=True):
        correlation[pair] = correlation[pair[::-1]] = one
    mean = np.array(
        [np.log(told.gel_time_240c_h), told.activation_energy_kj_mol, told.polydispersity, told.order, told.vitrification_offset_k]
    )
    return bayes.literature()._replace(mean=mean, covariance=correlation * np.outer(sd, sd))


def foretold(number: int) -> tuple[list[Array], list[Array]]:
    """Return low, median, high and truth of what is foretold of lot ``number``, by history: residual solvent and insoluble content."""
    given = [weighed(one, sd_k=0.5, predry=PREDRY_WT_PCT / 100, predry_sd=0.005) for one in HISTORIES]
    count = len(given)
    told = EstimatorSettings.model_validate(lot.estimator(number))
    pieces = [truth_of(number, one) for one in HISTORIES]
    truth = np.array([piece[:2] for piece in pieces]).T
    # with the solvent, as a batch's journal has it: 1 wt% lowers the glass transition by 13 K, which a width of 5.5 K makes a factor
    # of up to ten on the rate; a wet film foretold as a dry one is another film
    cured = exposure_of([piece[2] for piece in pieces])
    nobody = bayes.Evidence(cured, np.zeros(count), np.full(count, 1e-6), np.full(count, 0.5), ("oven",) * count)
    left = drying.foretold(drying.prior_of(told), given, samples=512)
    gel = bayes.foretold(bayes.samples_of(crosslinking_of(told)), nobody, bayes.TRANSFER_LN_SD)
    return [*np.quantile(left, (0.05, 0.5, 0.95), axis=1), truth[0]], [*np.quantile(gel, (0.05, 0.5, 0.95), axis=1), truth[1]]


@pytest.fixture(scope="module")
def lots() -> tuple[Array, Array]:
    """What ``foretold`` says of twelve lots, (4, lots, histories) each, in percent; each lot takes seconds."""
    solvents, gels = zip(*map(foretold, range(1, 13)), strict=True)
    return 100 * np.array(solvents).transpose(1, 0, 2), 100 * np.array(gels).transpose(1, 0, 2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_another_history_of_twelve_lots_is_foretold_with_its_interval(lots: tuple[Array, Array]) -> None:
    (low, middle, high, truth), _ = lots
    inside = ((low <= truth) & (truth <= high)).mean(axis=0)
    # of 90 %: at 2 standard errors of twelve, and of the sixty together; a laboratory finds 0.03 wt%, the second holds 0.01
    assert (inside >= (0.75, 0.65, 0.75, 0.75, 0.75)).all(), inside
    assert inside.mean() >= 0.83, inside
    rmse = np.sqrt(((middle - truth) ** 2).mean(axis=0))
    assert (rmse < (0.03, 0.012, 0.14, 0.23, 0.08)).all(), rmse  # wt%, of 0.04, 0.01, 0.6, 1.6 and 0.2; the first two end as batches do
    unknown = [weighed(one, sd_k=0.5, predry_sd=0.005) for one in HISTORIES[:CURED_THROUGH]]
    prior = 100 * np.quantile(drying.foretold(PRIOR, unknown), 0.95, axis=1)
    assert (high[:, :CURED_THROUGH].mean(axis=0) < 0.3 * prior).all(), (high.mean(axis=0), prior)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_insoluble_content_of_twelve_lots_is_still_foretold(lots: tuple[Array, Array]) -> None:
    _, (low, middle, high, truth) = (part[:, :, :CURED_THROUGH] for part in lots)
    assert ((truth > 20) & (truth < 90)).all()  # where it says something
    assert (((low <= truth) & (truth <= high)).mean(axis=0) >= 0.75).all()
    quick, slow = np.sqrt(((middle - truth) ** 2).mean(axis=0))
    # points (3.9); 3 too low: what the solvent on the way does to a slow ramp is taken for more than it is
    assert slow < 4.2
    assert quick < 3.6  # (3.3) after a ramp of 2 h and half way up the gel curve
    assert (high - low).mean() < 24


def test_the_ladder_of_the_simulated_lot_learns_drying_and_cure_from_six_coupons() -> None:
    found = lot.coupons(4)
    assert len(found) == 6
    assert sum(0.2 < one.residual_wt_pct < 3 for one in found) >= 2
    assert sum(0.15 < one.insoluble < 0.85 for one in found) >= 3
    told, default = lot.estimator(4), EstimatorSettings()
    assert told["diffusion_ln_sd"] < 0.75 * default.diffusion_ln_sd
    assert told["bound_solvent_ln_sd"] < 0.75 * default.bound_solvent_ln_sd
    assert told["release_ln_sd"] < 0.65 * default.release_ln_sd
    assert told["diffusion_energy_sd_kj_mol"] < 0.75 * default.diffusion_energy_sd_kj_mol
    assert told["gel_time_ln_sd"] < 0.12
    # the rate is known from 220 to 250 degC; its energy alone is not, it is tied to where the film vitrifies
    belief = crosslinking_of(EstimatorSettings.model_validate(told))
    assert belief.covariance[1, 4] > 0.7 * told["activation_energy_sd_kj_mol"] * told["vitrification_offset_sd_k"]
    for at_k in (493.15, 503.15, 523.15):
        assert ln_rate_sd(belief.mean, belief.covariance, at_k) < 0.18, at_k  # (0.16 at 220 degC)
