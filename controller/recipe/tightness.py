"""What the recipe's pressure-rise tests say of a leak that the pump masters: more rise than the film can bring (I13L), or nothing (I13B).

The estimator's own split into leak and solvent rests on the cold leak test: an oven that was tight while it was cold is believed to be so,
and what a seal lets in that has gone since is taken for outgassing. So the rise is held here against what was believed of the film before
the test: its upper end, times ``UNSEEN`` for curing gases, as ``isolation`` reckons with before it shuts the chamber. What is beyond
that, and beyond the gauge's noise, is air, or solvent that nobody believes in. A leak that grew slowly while the belief followed it is not
seen.
"""

from typing import Final, NamedTuple

from controller.recipe.isolation import predicted_mbar
from controller.recipe.look import PhaseScan
from controller.solvents import SOLVENTS, saturation_pressure_pa
from controller.units import PA_PER_MBAR

SHORTEST_S: Final = 5.0  # between the readings that make a rise
NOISE_MBAR: Final = 0.03  # two standard deviations of a difference of two readings of PT-301 [assume]
NOISE_SHARE: Final = 1.2e-3  # and of its reading [assume]


class Rises(NamedTuple):
    """What is remembered of the test that runs, and what those before have shown."""

    runs: bool = False
    expected_mbar_min: float = 0.0  # by the film, at most, as was believed when the chamber was shut
    from_s: float | None = None  # first reading with the vacuum valve seen shut
    from_mbar: float = 0.0
    last_s: float = 0.0
    last_mbar: float = 0.0
    told_s: float = 0.0  # end of the last test of which the estimator has a result
    leak_mbar_min: float = 0.0  # what the last test shows of a leak, at least
    blind: int = 0  # tests in a row without a valid result


def step(rises: Rises, isolated: bool, s: PhaseScan) -> Rises:
    """Return what is known after this scan; ``isolated`` says that a test runs."""
    result = s.estimate.pressure_rise
    if result is not None and result.at_s > rises.told_s:
        rises = rises._replace(told_s=result.at_s, blind=0 if result.valid else rises.blind)
    if not isolated:
        return _ended(rises, s) if rises.runs else rises
    if not rises.runs:
        expected = predicted_mbar(s, 60.0) if s.solvent in SOLVENTS else 0.0
        rises = rises._replace(runs=True, expected_mbar_min=expected, from_s=None)
    reading = s.inputs.pressure_cap_mbar.value
    if reading is None or s.inputs.vac_valve_closed.value is not True:
        return rises
    if rises.from_s is None:
        rises = rises._replace(from_s=s.inputs.at_s, from_mbar=reading)
    return rises._replace(last_s=s.inputs.at_s, last_mbar=reading)


def _ended(rises: Rises, s: PhaseScan) -> Rises:
    """Return what is known when the chamber is opened; the estimator's result follows within seconds, and ``blind`` waits for it.

    A test that passes the dew point of the coldest wall has no valid result by its recipe's choice: it tells less of the solvent, and as
    much of a leak as any.
    """
    measured_s = 0.0 if rises.from_s is None else rises.last_s - rises.from_s
    if measured_s < SHORTEST_S:
        return rises._replace(runs=False, blind=rises.blind + 1)
    noise_mbar = NOISE_MBAR + NOISE_SHARE * rises.last_mbar
    rise_mbar_min = (rises.last_mbar - rises.from_mbar - noise_mbar) / measured_s * 60.0
    leak_mbar_min = max(0.0, rise_mbar_min - rises.expected_mbar_min)
    return rises._replace(runs=False, leak_mbar_min=leak_mbar_min, blind=0 if _condensed(rises, s) else rises.blind + 1)


def _condensed(rises: Rises, s: PhaseScan) -> bool:
    wall_c = s.inputs.coldest_wall_c.value
    if wall_c is None or s.solvent not in SOLVENTS:
        return False
    return rises.last_mbar >= saturation_pressure_pa(SOLVENTS[s.solvent], wall_c) / PA_PER_MBAR
