"""What the heat balance of the walls says of the oven itself: their heat capacity and the loss to the hall, learnt while the batch runs.

Over a window of ``WINDOW_S``, with P the heaters' power and Q what the members' roll takes up by warmth and evaporation:

    integral of P dt - Q = C (T_end - T_start) + L integral of (T - T_hall) dt + tau (P_end - P_start)

C is the walls' heat capacity, L the loss, tau the time by which the heating elements' warmth comes late. The loss may differ between a
vacuum and a chamber full of gas, by ``GAS_LN_SD``: a recipe mostly heats in the one and cools in the other. What is kept is the sum of the
windows' outer products, so that nothing of the site has to be known before somebody asks: ``oven`` then is Bayes' rule for a straight line,
with the site's numbers as its prior. An error of the installed power is the same share of C and of L and does not change how long the oven
takes to cool.

Valid without cooling water and with the heaters' outputs GOOD; a window with a missing output or wall temperature is dropped.
"""

from typing import Final, NamedTuple

import numpy as np

from controller.equipment import Equipment
from controller.image import Inputs
from controller.units import ATMOSPHERE_MBAR, PA_PER_MBAR, kelvin

WINDOW_S: Final = 300.0
LOSS_LN_SD: Final = 0.1  # [assume] of the site's loss, from day to day and since its cooling curve was taken
WALL_LN_SD: Final = 0.03  # [assume] of the walls' heat capacity, whose steel has a known weight
GAS_LN_SD: Final = 0.03  # [assume] of the loss in a vacuum against the one in gas: gas reaches into the insulation
LAG_S: Final = (30.0, 20.0)  # [assume] of sheathed elements, and its standard deviation
NOISE_W: Final = 750.0  # [assume] of a window: members' roll against the real one; lasts about six windows, whose errors count as one
_DENSE_PA: Final = 0.5 * ATMOSPHERE_MBAR * PA_PER_MBAR
_OUTPUT, _RISE, _WARM_GAS, _GAS_S, _WARM_THIN, _THIN_S, _ROLL_J, _STEP = range(8)
_TERMS: Final = 8
_ABOVE: Final = np.triu_indices(_TERMS)


class Ledger(NamedTuple):
    """The windows so far.

    ``running``: output share x s, K, K s and s in gas, K s and s in a vacuum, J, change of the output share; ``squares``: sums of outer
    products; ``output``: the last share, below 0 without one.
    """

    running: tuple[float, ...] = (0.0,) * _TERMS
    squares: tuple[float, ...] = (0.0,) * (_TERMS * (_TERMS + 1) // 2)
    output: float = -1.0


class Oven(NamedTuple):
    """What is believed of the oven after the windows."""

    wall_kj_k: float
    loss_w_k: float  # in gas
    cooling_ln_sd: float  # of wall_kj_k / loss_w_k, by which the time of a natural cooling goes


EMPTY: Final = Ledger()


def note(ledger: Ledger, inputs: Inputs, before_k: float, after_k: float | None, pressure_pa: float, roll_j: float, dt_s: float) -> Ledger:
    """Return the ledger after ``dt_s``, in which the wall went from ``before_k`` to ``after_k`` (None: no reading)."""
    outputs = (inputs.z1_op_pct.value, inputs.z2_op_pct.value, inputs.z3_op_pct.value)
    known = [output for output in outputs if output is not None]
    if after_k is None or len(known) < len(outputs):
        return paused(ledger)
    output = sum(known) / (100.0 * len(known))
    warm = 0.5 * (before_k + after_k) * dt_s
    gas = pressure_pa > _DENSE_PA
    added = (
        output * dt_s, after_k - before_k, warm if gas else 0.0, dt_s if gas else 0.0, 0.0 if gas else warm, 0.0 if gas else dt_s, roll_j,
        output - ledger.output if ledger.output >= 0.0 else 0.0,
    )  # fmt: skip
    running = tuple(one + more for one, more in zip(ledger.running, added, strict=True))
    if running[_GAS_S] + running[_THIN_S] < WINDOW_S:
        return ledger._replace(running=running, output=output)
    row = np.array(running)
    squares = np.array(ledger.squares) + np.outer(row, row)[_ABOVE]
    return Ledger(EMPTY.running, tuple(squares.tolist()), output)


def paused(ledger: Ledger) -> Ledger:
    """Return the ledger without the window that runs: something of it is not known."""
    return ledger._replace(running=EMPTY.running, output=EMPTY.output)


def oven(ledger: Ledger, equipment: Equipment) -> Oven:
    """Return what is believed of the oven: the site's ``equipment`` as the prior, and the windows."""
    squares = np.zeros((_TERMS, _TERMS))
    squares[_ABOVE] = ledger.squares
    squares += np.triu(squares, 1).T
    power_w, hall_k = 1e3 * equipment.heater_kw, kelvin(equipment.ambient_c)
    wall_j_k, loss_w_k = 1e3 * equipment.wall_kj_k, equipment.loss_w_k
    told = np.zeros((5, _TERMS))  # rows: C and L over the site's, the loss's difference in a vacuum, the lag; and the heat they explain
    told[0, _RISE] = wall_j_k
    told[1, [_WARM_GAS, _GAS_S, _WARM_THIN, _THIN_S]] = loss_w_k * np.array([1.0, -hall_k, 1.0, -hall_k])
    told[2, [_WARM_THIN, _THIN_S]] = loss_w_k * np.array([1.0, -hall_k])
    told[3, _STEP] = power_w
    told[4, [_OUTPUT, _ROLL_J]] = power_w, -1.0
    sums = told @ squares @ told.T / (NOISE_W * WINDOW_S) ** 2
    prior = np.diag(1 / np.square([WALL_LN_SD, LOSS_LN_SD, GAS_LN_SD, LAG_S[1]]))
    precision = sums[:4, :4] + prior
    wall, loss, _, _ = np.linalg.solve(precision, sums[:4, 4] + prior @ np.array([1.0, 1.0, 0.0, LAG_S[0]])).tolist()
    covariance = np.linalg.inv(precision)
    wall, loss = max(wall, 0.2), max(loss, 0.2)
    arm = np.array([1 / wall, -1 / loss, 0.0, 0.0])
    return Oven(wall * equipment.wall_kj_k, loss * equipment.loss_w_k, float(np.sqrt(arm @ covariance @ arm)))
