"""A model whose film obeys the textbooks: very little solvent makes its laws linear, so that series solutions are its answers.

With u0 = 1e-7 the weight fraction is u, the activity is Henry's, and a slope of k/u0 per weight fraction is D = D0 exp(k c/c0).
"""

import numpy as np

from controller.estimator import layers
from controller.estimator.member import Member
from controller.estimator.rosenbrock import Tolerance
from tests.reference.batch import LOAD, NMP

U0, TEMP_K = 1e-7, 473.15
FINE = Tolerance(1e-6, U0 * 1e-8, 1e-10, 1e-6, U0 * 1e-2)
COLUMN = {name: number for number, name in enumerate(Member._fields)}


def film(cells, biot, k=0.0, tolerance=FINE):
    """Return model and state of two equal films with L^2/D0 = 1 s at constant temperature; ``biot`` is hL/D0."""
    median = layers.Uncertain.median(1, 0.0)._replace(bound=np.zeros(1))  # the series know free solvent only
    model = layers.build(LOAD, NMP, median, 2, cells, tolerance=tolerance)
    table = model.table.copy()
    ratio, chi = table[0, COLUMN["density_ratio"]], table[0, COLUMN["chi"]]
    saturation_pa = np.exp(
        table[0, COLUMN["log_saturation_a"]] - table[0, COLUMN["antoine_b_k"]] / (TEMP_K + table[0, COLUMN["antoine_c_k"]])
    )
    henry_pa = saturation_pa * np.exp(1 + chi) / ratio
    values = {
        "dry_s": 1.0, "swollen_s": 0.0, "dry_energy_k": 0.0, "slope_rubber": k / U0, "slope_extra": 0.0, "viscous_m2_pa_s": 0.0,
        "knudsen_root": TEMP_K**-0.5, "molecular_pa": 1e30, "surface_scale": biot * TEMP_K / henry_pa,
    }  # fmt: skip
    for name, number in values.items():
        table[:, COLUMN[name]] = number
    shape = model.shape._replace(reach=np.ones(2), heat_rate_j=0.0)
    return model._replace(table=table, shape=shape), layers.initial(model, TEMP_K, np.array([U0 / (1 + U0)]))


def left(cells, biot, moments_s, k=0.0, tolerance=FINE):
    """Return the share of the solvent that is left in the film at ``moments_s``, (K,)."""
    model, state = film(cells, biot, k, tolerance)
    knots = np.array([[0.0, TEMP_K, 1e5, 0.0]])
    seen = layers.trajectory(model, layers.Slow.none(1), state, knots, np.asarray(moments_s, dtype=float))
    assert not seen.failed.any()
    return seen.residual[0, :, 0] / U0
