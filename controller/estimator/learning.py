"""How an observation moves the members: a deterministic square-root ensemble filter (Whitaker and Hamill 2002), one number at a time.

Each observation may move only what it can tell about: a thermocouple the roll's temperatures, its heat transfer, its own contact and its
offset; solvent that left the film's solvent, free and bound, what moves it, its activity over the film, the vapour's way out and the
instruments' gain. The crosslinking parameters, and what has crosslinked, are not visible on-line and are never moved; only coupons change
them.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.estimator import layers
from controller.estimator.belief import Belief
from controller.estimator.layers import Slow
from controller.estimator.members import SENSORS, Members
from controller.estimator.model import POSITIONS
from controller.estimator.parameters import PARAMETERS, value

Array = NDArray[np.float64]

_BELIEVABLE: Final = 3.0  # deviations between all solvent that was seen and what the members lost
_ROBUST: Final = 2.5  # deviations beyond which an observation pulls no harder
_LONGEST_MOVE: Final = 0.7  # of a logarithm by one observation
_HOTTEST_MOVE_K: Final = 5.0  # of a temperature by one observation
_SOLVENT_MAX: Final = 1.5  # kg per kg polymer, at a node
_MOST: Final = 1.2  # [assume] of what a member brought in: by so much vapour from elsewhere may swell one position
_BOUND_MAX: Final = PARAMETERS["bound_solvent"].high
_DRIEST: Final = 1e-7
# [assume] spread kept, because the model's structure stays unknown
_SOLVENT_FLOOR: Final = 0.2  # of ln u
_SLOW_FLOOR: Final = Slow(*np.array([0.5, 0.5, 0.15, 0.3, 0.15, 0.25, 0.3, 0.15, 0.1]))
_GAIN_FLOOR: Final = 0.02
_TEMP_FLOOR_K: Final = 0.15
_CONTACT_FLOOR: Final = 0.02
_OFFSET_FLOOR_K: Final = 0.5
_SLOWLY: Final = 0.2  # [assume] what the model gets wrong lasts longer than the minute between two looks


class Looked(NamedTuple):
    """What came of one observation: innovation over its expected deviation, and how far the nearest member was, in error deviations."""

    surprise: float
    nearest: float


def _update(
    rows: Array, floor: Array, limit: Array, predicted: Array, observed: float, deviation: float, *, grows: bool, heeds: Array | float = 1.0
) -> tuple[Array, Looked]:
    """Return ``rows`` (n, members) after ``observed`` against ``predicted`` (members,) with the error's ``deviation``.

    ``floor`` and ``limit`` (n, 1) keep a spread and bound a move; a spread below its floor stays as it was, unless it ``grows``.
    ``heeds`` (n, 1) is the share of the covariance that each row listens to.
    """
    centre = rows.mean(axis=1, keepdims=True)
    anomaly = rows - centre
    freedom = len(predicted) - 1
    before = _spread(anomaly)
    expected = float(predicted.mean())
    shown = predicted - expected
    error = deviation**2
    total = float(shown @ shown) / freedom + error
    gain = heeds * (anomaly @ shown)[:, None] / (freedom * total)
    bound = _ROBUST * total**0.5
    innovation = observed - expected
    moved = centre + np.clip(gain * min(max(innovation, -bound), bound), -limit, limit)
    anomaly -= gain * shown / (1 + (error / total) ** 0.5)
    kept = floor if grows else np.minimum(floor, before)
    anomaly *= np.maximum(1.0, kept / np.maximum(_spread(anomaly), 1e-12))
    return moved + anomaly, Looked(innovation / total**0.5, float(np.abs(predicted - observed).min()) / deviation)


def _spread(anomaly: Array) -> Array:
    """Return the standard deviation of each row, (rows, 1)."""
    deviation: Array = np.sqrt((anomaly * anomaly).sum(axis=1, keepdims=True) / (anomaly.shape[1] - 1))
    return deviation


def _column(*values: float) -> Array:
    return np.array(values)[:, None]


_POSITIONS = len(POSITIONS)
_SOLVENT_FLOORS = _column(
    *[_SOLVENT_FLOOR] * (2 * _POSITIONS),
    *(float(x) for x in (*_SLOW_FLOOR[:4], _SLOW_FLOOR.log_release, _SLOW_FLOOR.more_chi)),
    _GAIN_FLOOR,
)
_SOLVENT_LIMITS = _column(*[_LONGEST_MOVE] * len(_SOLVENT_FLOORS))
_WARM_FLOOR = (_SLOW_FLOOR.log_h, _SLOW_FLOOR.log_k, _SLOW_FLOOR.log_bore)
_HEAT_FLOORS = _column(*[_TEMP_FLOOR_K] * _POSITIONS, *map(float, _WARM_FLOOR), _CONTACT_FLOOR, _OFFSET_FLOOR_K)
_HEAT_LIMITS = _column(*[_HOTTEST_MOVE_K] * _POSITIONS, 0.2, 0.3, 0.3, 0.05, 0.5)
_HEEDS = _column(*[1.0] * (_POSITIONS + 3), *[_SLOWLY] * 2)
_CONTACTS: Final = tuple((PARAMETERS[f"contact_{sensor}"].low, PARAMETERS[f"contact_{sensor}"].high) for sensor in SENSORS)
_LOG_H, _LOG_K, _LOG_BORE, _LOG_WAY = (
    np.log((row.low / row.value, row.high / row.value))
    for row in map(PARAMETERS.__getitem__, ("external_h", "k_radial", "bore_view", "way_out"))
)
_MORE_CHI: Final = (PARAMETERS["chi"].low - value("chi"), PARAMETERS["chi"].high - value("chi"))


def from_solvent(
    members: Members, belief: Belief, predicted: Array, observed: float, deviation: float, gas: layers.Gas
) -> tuple[Belief, Looked]:
    """Return the belief after an observation of solvent (any unit): zones' solvent, free and bound, what moves it, way out, gain.

    A zone's whole profile is scaled. The way out is judged with what else of a member lets vapour out, which itself stays.
    """
    own = layers.log_exchange(members.model, belief.state, gas)
    held = np.maximum(belief.state.bound, _DRIEST)
    mean = np.maximum(layers.mean_u(members.model, belief.state) - belief.state.bound, _DRIEST)
    slow = belief.slow
    moved = (slow.log_dry, slow.log_swollen, slow.log_slope, slow.log_way + own, slow.log_release, slow.more_chi)
    rows = np.vstack((np.log(mean).T, np.log(held).T, *moved, belief.log_gain))
    rows, looked = _update(rows, _SOLVENT_FLOORS, _SOLVENT_LIMITS, *_evened(predicted, observed, deviation), grows=False)
    looked = looked._replace(nearest=float(np.abs(predicted - observed).min()) / deviation)
    state = layers.State(belief.state.block.copy(), belief.state.positions)
    most = _MOST * members.residual / (1 - members.residual)
    after = np.minimum(np.exp(rows[:_POSITIONS].T), most[:, None])
    state.solvent[:] = np.minimum(state.solvent * (after / mean)[:, None, :], _SOLVENT_MAX)
    state.bound[:] = np.minimum(state.bound * np.exp(rows[_POSITIONS : 2 * _POSITIONS].T) / held, _BOUND_MAX)
    dry, swollen, slope, way, release, chi, gain = rows[2 * _POSITIONS :]
    way, chi = np.clip(way - own, *_LOG_WAY), np.clip(chi, *_MORE_CHI)
    slow = slow._replace(log_dry=dry, log_swollen=swollen, log_slope=slope, log_way=way, log_release=release, more_chi=chi)
    return belief._replace(state=state, slow=slow, log_gain=gain), looked


def from_balance(members: Members, belief: Belief, gone_kg: Array, shown_kg: Array, observed_kg: float, deviation_kg: float) -> Belief:
    """Return the belief after all solvent seen since the start was held against what of it each member says was shown.

    Solvent is conserved: what was seen beyond that has left the film. Members differ in what they brought in far more than in what
    they say they lost, so that their covariance alone would not tell; a member's account is as unsure as the law of its flux. What is off
    by more than ``_BELIEVABLE`` deviations comes from an instrument that lies.
    """
    model, share = members.model, members.model.shape.share
    mean = layers.mean_u(model, belief.state)
    left_kg = mean @ share * model.polymer_kg
    unsure_kg = value("flux_model_error") * min(float(gone_kg.mean()), float(left_kg.mean()))
    shown, freedom = shown_kg - shown_kg.mean(), len(shown_kg) - 1
    total = float(shown @ shown) / freedom + unsure_kg**2 + deviation_kg**2
    innovation = observed_kg - float(shown_kg.mean())
    if abs(innovation) > _BELIEVABLE * total**0.5:
        return belief
    more_kg = innovation * (float((left_kg - left_kg.mean()) @ shown) / freedom - unsure_kg**2) / total
    free = np.maximum(mean - belief.state.bound, _DRIEST)
    free_kg = float((free @ share).mean()) * model.polymer_kg
    factor = min(max(1.0 + more_kg / free_kg, np.exp(-_LONGEST_MOVE)), np.exp(_LONGEST_MOVE))
    most = _MOST * members.residual / (1 - members.residual)
    after = np.minimum(free * factor, most[:, None])
    state = layers.State(belief.state.block.copy(), belief.state.positions)
    state.solvent[:] = np.minimum(state.solvent * (after / free)[:, None, :], _SOLVENT_MAX)
    gain = float((belief.log_gain - belief.log_gain.mean()) @ shown) / (freedom * total)
    return belief._replace(state=state, log_gain=belief.log_gain + gain * innovation)


def _evened(predicted: Array, observed: float, deviation: float) -> tuple[Array, float, float]:
    """Return the three on a scale on which they are alike spread: even up to twice the deviation, logarithmic above.

    What leaves is a product of numbers that are known by their logarithms. In kg a few members that give off very much would rule the
    covariance, and hardly anything but the solvent itself would seem to go with what is seen.
    """
    scale = 2 * deviation
    return np.arcsinh(predicted / scale), float(np.arcsinh(observed / scale)), deviation / float(np.hypot(observed, scale))


def from_thermocouple(
    members: Members,
    belief: Belief,
    sensor: int,
    observed_k: float,
    deviation_k: float,
    wall_k: float,
    pressure_pa: float,
    warming_k_s: Array,
) -> tuple[Belief, Looked]:
    """Return the belief after a reading of load thermocouple ``sensor`` (an index into ``SENSORS``); the roll warms by ``warming_k_s``.

    It moves the nodes of the roll's heat, its heat transfer, the sensor's own contact and its offset: after a step of the wall a contact
    shows at once, a lag does not.
    """
    temps, slow = belief.state.temps, belief.slow
    rows = np.vstack((temps.T, slow.log_h, slow.log_k, slow.log_bore, belief.contact[:, sensor], belief.offset_k[:, sensor]))
    predicted = foreseen(members, belief, sensor, wall_k, pressure_pa, warming_k_s)
    rows, looked = _update(rows, _HEAT_FLOORS, _HEAT_LIMITS, predicted, observed_k, deviation_k, grows=True, heeds=_HEEDS)
    state = layers.State(belief.state.block.copy(), belief.state.positions)
    state.temps[:] = rows[:_POSITIONS].T
    log_h, log_k, log_bore, touch, offset_k = rows[_POSITIONS:]
    contact, offsets_k = belief.contact.copy(), belief.offset_k.copy()
    contact[:, sensor], offsets_k[:, sensor] = np.clip(touch, *_CONTACTS[sensor]), offset_k
    slow = slow._replace(log_h=np.clip(log_h, *_LOG_H), log_k=np.clip(log_k, *_LOG_K), log_bore=np.clip(log_bore, *_LOG_BORE))
    return belief._replace(state=state, slow=slow, contact=contact, offset_k=offsets_k), looked


def foreseen(members: Members, belief: Belief, sensor: int, wall_k: float, pressure_pa: float, warming_k_s: Array) -> Array:
    """Return what each member expects load thermocouple ``sensor`` to read, K, (members,): each believes in its own sensor and contact.

    Those outside lie on the surface of the outermost turn, in the middle of its width and at its end; the third one in the core
    tube's end.
    """
    found = layers.places(members.model, belief.slow, belief.state, wall_k, pressure_pa)
    inside = SENSORS[sensor] == "core"
    place = belief.state.temps[:, -1] if inside else found.film_k[:, POSITIONS.index(SENSORS[sensor])]
    place = place - value("thermocouple_lag") * warming_k_s[:, -1 if inside else -2]
    place += found.nearer[int(inside)] * (wall_k - place)
    return np.asarray(place + belief.contact[:, sensor] * (wall_k - place) + belief.offset_k[:, sensor], dtype=np.float64)
